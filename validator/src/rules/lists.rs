//! What several rules ask of lists: whether something stands twice, and whether a string is a list
//! of numbers.

use std::collections::hash_map::Entry;
use std::hash::Hash;

use crate::document::Value;
use crate::names::Table;

/// Up to so many items are compared each with each: that is faster than a table, and allocates
/// nothing.
const FEW: usize = 16;

/// Tells of each item whose key an earlier item has: the key, the first item, and this one.
///
/// `items` is called several times and gives the same each time.
pub(super) fn duplicates<'d, K, I>(
    items: impl Fn() -> I,
    mut tell: impl FnMut(K, Value<'d>, Value<'d>),
) where
    K: Clone + Ord + Hash,
    I: Iterator<Item = (K, Value<'d>)>,
{
    let mut count = 0;
    let mut last: Option<K> = None;
    let mut ascending = true;
    for (key, _) in items() {
        ascending &= last.as_ref().is_none_or(|last| *last < key);
        last = Some(key);
        count += 1;
    }
    // Long lists are mostly written in order, and then nothing is twice.
    if ascending {
        return;
    }
    if count <= FEW {
        for (place, (key, value)) in items().enumerate() {
            if let Some((_, first)) = items().take(place).find(|(other, _)| *other == key) {
                tell(key, first, value);
            }
        }
        return;
    }
    let mut seen = Table::with_capacity_and_hasher(count, Default::default());
    for (key, value) in items() {
        match seen.entry(key) {
            Entry::Occupied(first) => tell(first.key().clone(), *first.get(), value),
            Entry::Vacant(place) => {
                place.insert(value);
            }
        }
    }
}

/// What is wrong with a list of numbers and ranges such as `0-3,7`: the part of it, and a fragment.
pub(super) fn number_list_problem(list: &str) -> Option<(&str, &'static str)> {
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // Beyond 64 bits all numbers are alike: more than any machine has.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    list.split(',').find_map(|part| {
        if part.is_empty() {
            return Some((part, "nothing stands between two commas or at an end"));
        }
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first > last => {
                Some((part, "the range ends before it begins"))
            }
            (Some(_), Some(_)) => None,
            _ => Some((part, "that is neither a number nor a range of numbers")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Document;

    fn found(list: &[&str]) -> Vec<String> {
        let text = format!(
            "[{}]",
            list.iter()
                .map(|one| format!("{one:?}"))
                .collect::<Vec<_>>()
                .join(",")
        );
        let document = Document::parse(text.into_bytes());
        let mut found = Vec::new();
        duplicates(
            || document.root().strings(),
            |key, first, again| {
                found.push(format!("{key} {} {}", first.pointer(), again.pointer()))
            },
        );
        found
    }

    #[test]
    fn duplicates_are_found_in_short_and_long_lists() {
        assert_eq!(found(&["a", "b", "c"]), [""; 0]);
        assert_eq!(found(&["c", "b", "a"]), [""; 0]);
        assert_eq!(found(&["b", "a", "b", "b"]), ["b /0 /2", "b /0 /3"]);
        let names: Vec<String> = (0..100)
            .map(|number| format!("n{:02}", number * 7 % 50))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = found(&names);
        assert_eq!(found.len(), 50);
        assert_eq!(found[1], "n07 /1 /51");
    }

    #[test]
    fn number_lists_are_numbers_and_ranges() {
        for good in ["0", "0-3,7", "3,1", "00", "5-5", "99999999999999999999"] {
            assert_eq!(number_list_problem(good), None, "{good}");
        }
        for (bad, part) in [
            ("", ""),
            ("0,", ""),
            ("0, 1", " 1"),
            ("3-1", "3-1"),
            ("-1", "-1"),
            ("0-", "0-"),
            ("a", "a"),
            ("0-1-2", "0-1-2"),
            ("0\n", "0\n"),
            ("+1", "+1"),
        ] {
            assert_eq!(
                number_list_problem(bad).map(|(part, _)| part),
                Some(part),
                "{bad:?}"
            );
        }
    }
}

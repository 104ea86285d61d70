//! The strings of a page, each once, harmless to look at and not too long.

use std::collections::HashMap;
use std::hash::Hash;

use super::page::Text;
use crate::report::escape;

/// Things that stand once and are named by their place.
pub(super) struct Shared<K, V> {
    places: HashMap<K, usize>,
    values: Vec<V>,
}

impl<K: Hash + Eq, V> Shared<K, V> {
    pub(super) fn new() -> Shared<K, V> {
        Shared {
            places: HashMap::new(),
            values: Vec::new(),
        }
    }

    /// The place of what has this key; it is made if it is new.
    pub(super) fn place(&mut self, key: K, value: impl FnOnce() -> V) -> usize {
        let next = self.values.len();
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.values.push(value());
        }
        place
    }

    pub(super) fn into_values(self) -> Vec<V> {
        self.values
    }
}

/// The strings.
pub(super) struct Texts(Shared<String, String>);

impl Texts {
    pub(super) fn new() -> Texts {
        Texts(Shared::new())
    }

    /// The place of a string, of which about `limit` characters are kept.
    pub(super) fn place(&mut self, text: &str, limit: usize) -> Text {
        let shown = shown(text, limit);
        self.0.place(shown.clone(), || shown)
    }

    pub(super) fn into_values(self) -> Vec<String> {
        self.0.into_values()
    }
}

/// Text that can be looked at: what could reorder or hide it is shown, and line breaks stay. Of a
/// long one the start and the end are kept, since errors stand at either.
pub(super) fn shown(text: &str, limit: usize) -> String {
    let length = text.chars().count();
    if length <= limit {
        return escape::lines(text);
    }
    let tail = limit / 3;
    let head = limit - tail;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    let left_out = length - limit;
    format!(
        "{}\n… {left_out} characters are left out …\n{}",
        escape::lines(&start),
        escape::lines(&end)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_once() {
        let mut texts = Texts::new();
        let places = ["a", "b", "a"].map(|text| texts.place(text, 10));
        assert_eq!(places, [0, 1, 0]);
        assert_eq!(texts.into_values(), ["a", "b"]);
    }

    #[test]
    fn of_a_long_text_both_ends_are_kept() {
        assert_eq!(
            shown("abcdefghij", 6),
            "abcd\n… 4 characters are left out …\nij"
        );
        assert_eq!(shown("abcdef", 6), "abcdef");
        assert_eq!(shown("é\u{202e}\n\tx", 6), "é\\u{202e}\n\tx");
    }
}

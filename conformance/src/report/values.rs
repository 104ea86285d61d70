//! Expected and observed values in words: short ones side by side, long ones as what differs.

use serde_json::Value;

use super::escape;

/// Longest value that is printed whole.
const SHORT: usize = 100;
/// Longest value inside a list of differences.
const SHORT_ENTRY: usize = 160;
/// Most lines that a list of differences has.
const MOST_LINES: usize = 8;

/// A labelled line of a finding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// `expected`, `observed`, `missing`, `extra`, `differs`, or empty for what goes on.
    pub(crate) label: &'static str,
    /// Escaped for a terminal.
    pub(crate) text: String,
}

/// The lines that tell what was expected and what was there instead.
pub(crate) fn difference(expected: &Value, observed: &Value) -> Vec<Line> {
    let whole = [expected, observed].map(compact);
    let short = whole.iter().all(|text| text.chars().count() <= SHORT);
    let lines = match (expected, observed) {
        _ if short => Vec::new(),
        (Value::Array(expected), Value::Array(observed)) => arrays(expected, observed),
        (Value::Object(_), Value::Object(_)) => objects(expected, observed),
        _ => Vec::new(),
    };
    if lines.is_empty() {
        let [expected, observed] =
            whole.map(|text| escape::line(&escape::shortened(&text, 4 * SHORT)));
        return vec![
            Line {
                label: "expected",
                text: expected,
            },
            Line {
                label: "observed",
                text: observed,
            },
        ];
    }
    lines
}

/// A value on one line, as JSON with what a person needs of space; not yet escaped.
pub(crate) fn compact(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Array(entries) => {
            format!(
                "[{}]",
                entries.iter().map(nested).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Object(members) if members.is_empty() => "{}".into(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), nested(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Inside an array or object `null` is itself.
fn nested(value: &Value) -> String {
    if value.is_null() {
        "null".into()
    } else {
        compact(value)
    }
}

/// Entries that one array has and the other lacks, counted: a doubled entry is extra once.
fn arrays(expected: &[Value], observed: &[Value]) -> Vec<Line> {
    let mut extra: Vec<&Value> = observed.iter().collect();
    let mut missing = Vec::new();
    for entry in expected {
        match extra.iter().position(|other| *other == entry) {
            Some(at) => drop(extra.remove(at)),
            None => missing.push(entry),
        }
    }
    if missing.is_empty() && extra.is_empty() {
        let at = expected.iter().zip(observed).position(|(a, b)| a != b);
        return at.map_or_else(Vec::new, |at| {
            let text = format!(
                "the same {} entries in another order: number {} is {}, expected {}",
                expected.len(),
                at + 1,
                entry(&observed[at]),
                entry(&expected[at])
            );
            vec![Line {
                label: "observed",
                text,
            }]
        });
    }
    let common = expected.len() - missing.len();
    let mut lines = listed("missing", missing.into_iter().map(entry).collect());
    lines.extend(listed("extra", extra.into_iter().map(entry).collect()));
    if expected.is_empty() {
        lines.insert(
            0,
            Line {
                label: "expected",
                text: "nothing".into(),
            },
        );
    } else {
        let text = format!(
            "({common} of {} expected entries are there)",
            expected.len()
        );
        lines.push(Line { label: "", text });
    }
    lines
}

/// Members that are missing, extra, or of another value, by their JSON pointer.
fn objects(expected: &Value, observed: &Value) -> Vec<Line> {
    let mut found = Differences::default();
    found.compare(String::new(), expected, observed);
    let mut lines = listed("missing", found.missing);
    lines.extend(listed("extra", found.extra));
    lines.extend(listed("differs", found.differs));
    lines
}

#[derive(Default)]
struct Differences {
    missing: Vec<String>,
    extra: Vec<String>,
    differs: Vec<String>,
}

impl Differences {
    fn compare(&mut self, pointer: String, expected: &Value, observed: &Value) {
        let (Value::Object(expected_members), Value::Object(observed_members)) =
            (expected, observed)
        else {
            if expected != observed {
                let pointer = escape::line(&pointer);
                self.differs.push(format!(
                    "{pointer}: expected {}, observed {}",
                    entry(expected),
                    entry(observed)
                ));
            }
            return;
        };
        let step = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
        for (key, value) in expected_members {
            match observed_members.get(key) {
                Some(other) => self.compare(step(key), value, other),
                None => {
                    self.missing
                        .push(format!("{}: {}", escape::line(&step(key)), entry(value)))
                }
            }
        }
        for (key, value) in observed_members {
            if !expected_members.contains_key(key) {
                self.extra
                    .push(format!("{}: {}", escape::line(&step(key)), entry(value)));
            }
        }
    }
}

fn entry(value: &Value) -> String {
    escape::line(&escape::shortened(&nested(value), SHORT_ENTRY))
}

/// The label stands on the first line only.
fn listed(label: &'static str, entries: Vec<String>) -> Vec<Line> {
    let left_out = entries.len().saturating_sub(MOST_LINES);
    let mut lines: Vec<Line> = entries
        .into_iter()
        .take(MOST_LINES)
        .enumerate()
        .map(|(at, text)| Line {
            label: if at == 0 { label } else { "" },
            text,
        })
        .collect();
    if left_out > 0 {
        lines.push(Line {
            label: "",
            text: format!("… and {left_out} more"),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(expected: Value, observed: Value) -> Vec<String> {
        difference(&expected, &observed)
            .into_iter()
            .map(|line| format!("{} {}", line.label, line.text))
            .collect()
    }

    #[test]
    fn short_values_stand_whole() {
        assert_eq!(
            shown(json!("probe-host"), Value::Null),
            ["expected \"probe-host\"", "observed nothing"]
        );
        assert_eq!(
            shown(json!([1, null]), json!({"a": true})),
            ["expected [1, null]", "observed { \"a\": true }"]
        );
    }

    #[test]
    fn long_arrays_show_what_differs() {
        let expected: Vec<String> = (0..20).map(|n| format!("CAP_NUMBER_{n}")).collect();
        let mut observed = expected.clone();
        observed.remove(3);
        observed.push("CAP_MORE".into());
        assert_eq!(
            shown(json!(expected), json!(observed)),
            [
                "missing \"CAP_NUMBER_3\"",
                "extra \"CAP_MORE\"",
                " (19 of 20 expected entries are there)"
            ]
        );
        let mut turned = expected.clone();
        turned.swap(0, 1);
        assert_eq!(
            shown(json!(expected), json!(turned)),
            [
                "observed the same 20 entries in another order: number 1 is \"CAP_NUMBER_1\", \
              expected \"CAP_NUMBER_0\""
            ]
        );
        let none: [&str; 0] = [];
        assert_eq!(shown(json!(expected), json!(none)).len(), MOST_LINES + 2);
    }

    #[test]
    fn long_objects_show_what_differs() {
        let long = "x".repeat(SHORT);
        assert_eq!(
            shown(
                json!({"same": long, "a": {"b/c": 1}, "gone": null}),
                json!({"same": long, "a": {"b/c": 2}, "new": "\u{1b}"})
            ),
            [
                "missing /gone: null",
                "extra /new: \"\\u001b\"",
                "differs /a/b~1c: expected 1, observed 2"
            ]
        );
    }

    #[test]
    fn one_long_string_is_cut() {
        let lines = shown(json!("ok"), json!("y".repeat(5000)));
        assert_eq!(lines[0], "expected \"ok\"");
        assert!(lines[1].ends_with("yyy… (5002 characters)"), "{}", lines[1]);
    }
}

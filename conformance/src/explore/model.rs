//! The model: what must be seen of a container, by its configuration alone.
//!
//! It is a list of expectations, each with the clause that it comes from. Where the text leaves a
//! choice, or says nothing, there is none: what is not expected is never held against a subject.

mod linux;
mod mounts;
mod process;
mod seccomp;
mod seen;

use oci_runtime_schemas::SpecVersion;
use serde_json::{Value, json};

pub(super) use seen::{Find, Seen};

use crate::host::Host;

/// One thing that must be seen.
#[derive(Clone, Debug)]
pub(super) struct Expectation {
    /// The clause that asks for it.
    pub(super) clause: &'static str,
    /// What is looked at, in words.
    pub(super) what: String,
    /// Where it is looked for.
    pub(super) find: Find,
    /// What must be there.
    pub(super) must: Must,
}

/// What must be there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Must {
    /// Exactly this.
    Be(Value),
    /// One of these.
    BeOneOf(Vec<Value>),
    /// A list with all of these.
    Have(Vec<Value>),
    /// A list with none of these.
    Lack(Vec<Value>),
    /// An object with all of these members, as they are.
    HaveMembers(Value),
    /// An errno.
    Fail,
    /// An errno, or nothing to be read.
    ShowNothing,
}

/// What the model may know beside the configuration.
pub(super) struct Around<'a> {
    /// The host.
    pub(super) host: &'a Host,
    /// The version by which the subject is judged.
    pub(super) judged: SpecVersion,
    /// Whether containers run on the host's kernel.
    pub(super) shared_kernel: bool,
}

/// Derives what must be seen.
pub(super) fn expectations(config: &Value, around: &Around<'_>) -> Vec<Expectation> {
    let mut all = process::expectations(config, around);
    all.extend(mounts::expectations(config, around));
    all.extend(linux::expectations(config, around));
    all.extend(seccomp::expectations(config));
    all
}

/// Makes the probe look for what is expected: questions stand before the words that it ignores.
pub(super) fn ask(config: &mut Value, expectations: &[Expectation], stays: bool) {
    let mut args = vec!["/probe".to_owned(), "observe".into()];
    let mut further: Vec<Vec<String>> = Vec::new();
    for expectation in expectations {
        match expectation.find.question() {
            Some(seen::Question::Observe(word)) if !args.contains(&word) => args.push(word),
            Some(seen::Question::Verb(words)) if !further.contains(&words) => further.push(words),
            _ => {}
        }
    }
    if stays {
        further.push(vec!["pause".into()]);
    }
    for words in further {
        args.push("then".into());
        args.extend(words);
    }
    let ignored = config
        .pointer("/process/args")
        .and_then(Value::as_array)
        .and_then(|drawn| {
            drawn
                .iter()
                .position(|word| word == "--")
                .map(|at| &drawn[at..])
        })
        .unwrap_or_default();
    let args: Value = args
        .into_iter()
        .map(Value::from)
        .chain(ignored.iter().cloned())
        .collect();
    crate::bundle::set(config, "/process/args", args);
}

impl Expectation {
    fn new(clause: &'static str, what: impl Into<String>, find: Find, must: Must) -> Expectation {
        Expectation {
            clause,
            what: what.into(),
            find,
            must,
        }
    }
}

impl Must {
    /// Whether what was found is as it must be.
    pub(super) fn holds(&self, found: &Value) -> bool {
        let errno = |value: &Value| value.get("errno").is_some();
        let list = |value: &Value| value.as_array().cloned();
        match self {
            Must::Be(value) => found == value,
            Must::BeOneOf(values) => values.contains(found),
            Must::Have(all) => {
                list(found).is_some_and(|found| all.iter().all(|one| found.contains(one)))
            }
            Must::Lack(none) => {
                list(found).is_some_and(|found| !none.iter().any(|one| found.contains(one)))
            }
            Must::HaveMembers(members) => members.as_object().is_some_and(|members| {
                members
                    .iter()
                    .all(|(key, value)| found.get(key) == Some(value))
            }),
            Must::Fail => errno(found),
            Must::ShowNothing => errno(found) || found == "" || *found == json!([]),
        }
    }

    /// In words, for a report.
    pub(super) fn words(&self) -> String {
        let all = |values: &[Value]| {
            let words: Vec<String> = values.iter().map(Value::to_string).collect();
            words.join(", ")
        };
        match self {
            Must::Be(value) => value.to_string(),
            Must::BeOneOf(values) => format!("one of {}", all(values)),
            Must::Have(values) => format!("{} among it", all(values)),
            Must::Lack(values) => format!("no {} among it", all(values)),
            Must::HaveMembers(members) => format!("{members} among it"),
            Must::Fail => "an error".into(),
            Must::ShowNothing => "nothing, or an error".into(),
        }
    }
}

//! The data of a page, as the scripts read it.
//!
//! Eight runtimes say much the same: strings, findings and details stand once and are named by
//! their place in a list, and a case's verdicts are a letter a runtime.

use serde::Serialize;

/// Place of a string in [`Page::texts`].
pub(super) type Text = usize;

#[derive(Debug, Serialize)]
pub(super) struct Page {
    /// Released versions of the specification, oldest first.
    pub(super) versions: Vec<String>,
    /// What was left out to keep the page small, in words; empty if nothing was.
    pub(super) left_out: String,
    pub(super) documents: Vec<Document>,
    /// The columns.
    pub(super) runtimes: Vec<Runtime>,
    /// In the specification's order, ours behind them.
    pub(super) sections: Vec<Section>,
    pub(super) clauses: Vec<Clause>,
    /// By section, then by id.
    pub(super) cases: Vec<Case>,
    pub(super) details: Vec<Detail>,
    pub(super) findings: Vec<Finding>,
    pub(super) texts: Vec<String>,
}

/// What decides verdicts beside the subjects.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    pub(super) tool: String,
    pub(super) started: String,
    pub(super) kernel: String,
    pub(super) machine: String,
    pub(super) cgroup: String,
    pub(super) root: bool,
    pub(super) notes: Vec<String>,
    pub(super) level: &'static str,
    /// `2 of 7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shard: Option<String>,
    /// The command line.
    pub(super) command: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Runtime {
    /// Different for each: links name a column by it.
    pub(super) label: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) command: String,
    /// SHA-256 of the program, or empty.
    pub(super) sha256: String,
    pub(super) claim: String,
    /// The version by which it was judged.
    pub(super) spec: String,
    pub(super) seconds: f64,
    pub(super) is_reference: bool,
    pub(super) abilities: Vec<String>,
    /// Place in [`Page::documents`].
    pub(super) document: usize,
    /// The command that reproduces the case `CASE`.
    pub(super) reproduce: String,
    /// Waivers that were not exercised: case and reason.
    pub(super) not_exercised: Vec<[String; 2]>,
}

#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Section {
    /// `config-linux.md`; `security` for ours.
    pub(super) file: String,
    pub(super) anchor: String,
    pub(super) title: String,
    /// Whether it is ours and not the specification's.
    pub(super) beyond: bool,
    /// Clauses that bind the subjects, by the versions by which they were judged.
    pub(super) binding: usize,
    /// Those of them that a finding judged.
    pub(super) judged: usize,
    /// Those of them that no case can judge.
    pub(super) never: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Clause {
    pub(super) id: String,
    /// Place in [`Page::sections`]; none for what the catalogue does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) section: Option<usize>,
    /// `MUST NOT`.
    pub(super) force: String,
    /// `MUST`.
    pub(super) level: String,
    pub(super) says: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) since: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) until: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) source: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) note: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) suite: String,
    /// Place in [`Page::sections`].
    pub(super) section: usize,
    /// Places in [`Page::clauses`].
    pub(super) clauses: Vec<usize>,
    /// [`letter`] of each runtime's verdict, `-` where it did not run.
    pub(super) verdicts: String,
    /// Runtimes whose verdict is not as expected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) unexpected: Vec<usize>,
    /// Milliseconds, per runtime.
    pub(super) ms: Vec<u64>,
    /// Places in [`Page::details`], per runtime; those of runtimes that did not run it mean nothing.
    pub(super) details: Vec<usize>,
}

/// What there is to tell of a case with one runtime.
#[derive(Debug, Default, Serialize)]
pub(super) struct Detail {
    /// Places in [`Page::findings`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) findings: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) need: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waiver: Option<Text>,
    /// Why it is not as expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<Text>,
    /// Letter of the reference's verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<char>,
    /// Letters of the attempts, if there were several.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) attempts: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// Place in [`Page::clauses`].
    pub(super) clause: usize,
    /// `pass`, `fail`, `warn`, `info` or `unsupported`.
    pub(super) verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<Text>,
    /// Both values, unless they were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expected: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) observed: Option<Text>,
    /// Where the values are long: what differs, as label and text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) difference: Vec<(&'static str, Text)>,
    /// The step that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) argv: Vec<Text>,
    /// `exit 1`, `ended by SIGKILL`.
    pub(super) ending: Text,
    pub(super) ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stdout: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stderr: Option<Text>,
    /// Whether the harness itself kept only a part of the output.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) truncated: bool,
    pub(super) ms: u64,
}

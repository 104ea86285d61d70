//! The results file (`--format json`), as types. Its schema is `schemas/results.schema.json`.
//!
//! Every report is made from these types and nothing else, so that a report can be made again from
//! a results file. Strings that came from a subject are kept as they were (capped, with a mark);
//! each format escapes them for itself.

mod read;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the results file's format.
pub const FORMAT: u32 = 1;

/// One invocation of the harness: one or more runtimes judged by the same cases.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// [`FORMAT`].
    pub format: u32,
    /// Who wrote this.
    pub tool: Tool,
    /// When the run began, RFC 3339 in UTC.
    pub started: String,
    /// The command line, without the program's name.
    pub arguments: Vec<String>,
    /// Newest version of the specification that the harness knows.
    pub spec: String,
    /// What fails the run: `must` or `should`.
    pub level: FailLevel,
    /// Which part of the cases this run judged, if it was one of several.
    pub shard: Option<Shard>,
    /// Seed of the order of cases.
    pub seed: u64,
    /// Facts of the host.
    pub host: HostFacts,
    /// One entry per subject, in the order of the command line.
    pub runs: Vec<Run>,
}

/// Name and version of the program that wrote the results.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tool {
    /// `oci-conformance`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// `--level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FailLevel {
    /// Broken MUST clauses fail the run.
    Must,
    /// Broken SHOULD clauses do too.
    Should,
}

/// `--shard I/N`, `index` from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Shard {
    pub index: u32,
    pub of: u32,
}

/// What of the host can decide a verdict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostFacts {
    /// `uname -r`.
    pub kernel: String,
    /// `uname -m`.
    pub machine: String,
    /// `v1`, `hybrid`, `v2` or `none`, as the subjects see it.
    pub cgroup: String,
    /// Whether the harness runs with root's privileges.
    pub root: bool,
    /// Further facts in words, for the head of a report: `host view: v1`.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// One subject's results.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The subject.
    pub runtime: RuntimeFacts,
    /// The version of the specification by which it was judged.
    pub spec_judged: String,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Counts of the cases' verdicts.
    pub summary: Summary,
    /// Cases, ordered by id.
    pub cases: Vec<CaseResult>,
    /// Waivers whose case was not judged: case id and why.
    #[serde(default)]
    pub waivers_not_exercised: Vec<NotExercised>,
}

/// A waiver whose case was not judged in this run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct NotExercised {
    pub case: String,
    pub why: String,
}

/// What is known of a subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RuntimeFacts {
    /// As given by `LABEL=`, else the name.
    pub label: String,
    /// The program's path.
    pub path: String,
    /// SHA-256 of the program, in hexadecimal; none if it may not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Global arguments that follow it.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// First word of `--version`, else the file's name.
    pub name: String,
    /// Version printed behind it, else empty.
    pub version: String,
    /// What the subject says it implements, and where it says so:
    /// `1.0.2 (spec line of --version)`; empty if it says nothing.
    #[serde(default)]
    pub claim: String,
    /// Whether this is the reference runtime itself.
    #[serde(default)]
    pub is_reference: bool,
    /// Abilities learnt by effect, in words.
    #[serde(default)]
    pub abilities: Vec<String>,
}

/// Counts of verdicts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Summary {
    pub pass: u32,
    pub fail: u32,
    pub warn: u32,
    pub unsupported: u32,
    pub inapplicable: u32,
    pub broken: u32,
    pub timeout: u32,
    /// Cases that are not as expected.
    pub unexpected: u32,
}

/// Verdict of a case: the worst of its findings, or why there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every finding passed.
    Pass,
    /// An optional value, refused cleanly; or a clause newer than the subject's claim.
    Unsupported,
    /// This host cannot; the need is named.
    Inapplicable,
    /// A SHOULD clause is broken.
    Warn,
    /// A MUST clause is broken.
    Fail,
    /// The subject did not end an operation in time.
    Timeout,
    /// The harness, not the subject, is at fault.
    Broken,
}

impl Verdict {
    /// The word that reports use.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Unsupported => "unsupported",
            Verdict::Inapplicable => "inapplicable",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
            Verdict::Timeout => "timeout",
            Verdict::Broken => "broken",
        }
    }
}

/// What one case found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case's id.
    pub id: String,
    /// `spec`, `security`, `cli` or `engine`.
    pub suite: String,
    /// Clauses that were judged, in the order in which they were.
    pub clauses: Vec<String>,
    /// The worst of the findings.
    pub verdict: Verdict,
    /// Whether the verdict is the one that was to be expected.
    pub as_expected: bool,
    /// Why it is not as expected where the verdict alone does not say: `passes now`,
    /// `fails otherwise than the waiver says`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unexpected_because: Option<String>,
    /// What the reference got, if the case was run against it.
    pub reference: Option<Verdict>,
    /// The need that the host or the subject does not meet, for `inapplicable`; the reason for
    /// `unsupported` and `broken`.
    pub need: Option<String>,
    /// The reason of the waiver that applied.
    pub waiver: Option<String>,
    /// Verdict of each attempt (`--repeat`).
    pub attempts: Vec<Verdict>,
    /// What was judged.
    pub findings: Vec<Finding>,
    /// What was done: every command that was given to the subject.
    pub steps: Vec<Step>,
    /// Wall-clock seconds of the (last) attempt.
    pub seconds: f64,
}

/// Level of a finding's clause, as reports print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum FindingLevel {
    #[serde(rename = "MUST")]
    Must,
    #[serde(rename = "SHOULD")]
    Should,
    #[serde(rename = "MAY")]
    May,
    #[serde(rename = "information")]
    Information,
}

/// Verdict of one finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum FindingVerdict {
    Pass,
    Fail,
    Warn,
    Info,
    Unsupported,
}

/// One judgement of one clause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The clause that was judged.
    pub clause: String,
    /// Its level.
    pub level: FindingLevel,
    /// The judgement.
    pub verdict: FindingVerdict,
    /// What the clause asks for here.
    pub expected_value: Value,
    /// What was there.
    pub observed_value: Value,
    /// One sentence: what was looked at.
    pub message: String,
    /// The step that was the last one when this was judged: its place in `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
}

/// One command given to the subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The whole command.
    pub argv: Vec<String>,
    /// Exit status; `None` if a signal or the deadline ended it.
    pub exit: Option<i32>,
    /// Name of the signal that ended it.
    pub signal: Option<String>,
    /// Standard output, at most [`OUTPUT_LIMIT`] bytes, lossy UTF-8.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
    /// Whether stdout or stderr was longer.
    pub truncated: bool,
    /// Whether the deadline ended it.
    #[serde(default)]
    pub timed_out: bool,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// Cap on what is kept of a subject's output, in bytes per stream.
pub const OUTPUT_LIMIT: usize = 64 * 1024;

//! What the runner hands to a trial's supervisor, and what it gets back: JSON on its standard
//! input and output.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::results::{Finding, Step};
use crate::subject::{Profile, Subject};

/// One case to be run once on one subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The case's id.
    pub case: String,
    /// The subject.
    pub subject: Subject,
    /// What is known of it; the survey starts from what its `--version` and `features` say.
    pub profile: Profile,
    /// The host's facts.
    pub host: Host,
    /// Version of the specification to judge by.
    pub judged: String,
    /// `--spec-version`, if it was given: the survey judges by it instead of by the claim.
    pub asked: Option<String>,
    /// The trial's own directory: it exists, is empty, and is the only place the trial writes to.
    pub directory: PathBuf,
    /// The probe's file, to be copied into bundles.
    pub probe: PathBuf,
    /// The trial's cgroup, relative to each hierarchy's mount point, without a leading slash.
    pub cgroup: String,
    /// Seconds that one operation may take.
    pub operation_seconds: f64,
    /// What an exploration has drawn: the case is made for it.
    #[serde(default)]
    pub task: Option<crate::explore::Task>,
    /// Prefix of container ids: unique to this trial on this host.
    pub id_prefix: String,
}

/// Why a trial has no verdict from its findings alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "why", rename_all = "lowercase")]
pub enum Halt {
    /// The subject does not end an operation in time; which.
    Timeout(String),
    /// The host or subject cannot; what is needed.
    Inapplicable(String),
    /// The harness failed; how.
    Broken(String),
}

/// What a trial found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Every judgement.
    pub findings: Vec<Finding>,
    /// Every command, in order.
    pub steps: Vec<Step>,
    /// The commands as lines of a shell script that repeats them.
    pub script: Vec<String>,
    /// The operation that the subject refused, if that ended the trial.
    #[serde(default)]
    pub refused: Option<String>,
    /// Why it ended early.
    pub halt: Option<Halt>,
    /// What the survey learnt; only of `basics/plain-container`.
    pub profile: Option<Profile>,
    /// How the trial was fenced in: `false` if the host gives no namespaces for it.
    pub fenced: bool,
    /// Wall-clock seconds.
    pub seconds: f64,
}

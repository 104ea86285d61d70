//! `explore`: draws configurations and sequences of operations that no case was written for, and
//! holds what a subject makes of them against models.
//!
//! [`surface`] has the strategies that draw properties, `draw` makes a valid configuration of
//! them, and `model` derives from that configuration what must be seen, each with its clause.
//! `lifecycle` does the same for operations on several containers. Each draw runs as a trial like
//! a case does, with its supervisor, its control and its search for leaks; `search` shrinks
//! what disagrees, asks the reference, and leaves a directory that shows it by hand.

mod command;
mod config;
mod draw;
mod lifecycle;
mod model;
mod report;
mod search;
mod surface;

use oci_runtime_schemas::Catalogue;
use serde::{Deserialize, Serialize};

use crate::case::Case;

pub use command::ExploreArguments;
pub(crate) use command::run;
pub use draw::{Edit, Part};
pub use lifecycle::{Act, Operation, Sequence, Step};

/// What was drawn for one trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// A configuration: properties beside those of the plain one.
    Config(Vec<Part>),
    /// Operations on several containers.
    Lifecycle(Sequence),
}

impl Task {
    /// Whether it goes the same way every time: nothing is done at once.
    fn is_deterministic(&self) -> bool {
        match self {
            Task::Config(_) => true,
            Task::Lifecycle(sequence) => {
                let at_once = |step: &Step| matches!(step, Step::Both(..));
                !sequence.steps.iter().any(at_once)
            }
        }
    }
}

/// What a runner takes a task's trials for.
pub(crate) fn case_of(task: &Task) -> &'static Case {
    static CONFIGURATION: Case = Case {
        id: "explore/config",
        judges: &["runtime.create.new"],
        needs: &[],
        run: config::run,
    };
    static SEQUENCE: Case = Case {
        id: "explore/lifecycle",
        judges: &["runtime.create.new"],
        needs: &[],
        run: lifecycle::run,
    };
    match task {
        Task::Config(_) => &CONFIGURATION,
        Task::Lifecycle(_) => &SEQUENCE,
    }
}

/// The case that a supervisor runs: as [`case_of`], with what it may judge.
///
/// Its first clause is what a refusal breaks, as for every case, and depends on what was drawn; it
/// may judge all others. So it is made for the task, and lives as long as the process, which runs
/// one trial.
pub(crate) fn case_for(task: &Task) -> &'static Case {
    let blamed = match task {
        Task::Config(parts) => blamed(parts),
        Task::Lifecycle(_) => None,
    };
    let all = || Catalogue::get().iter().map(|clause| clause.id);
    let kind = case_of(task);
    let first = all().find(|id| Some(*id) == blamed);
    let judges: Vec<&'static str> = first
        .or(kind.judges.first().copied())
        .into_iter()
        .chain(all())
        .collect();
    Box::leak(Box::new(Case {
        judges: Vec::leak(judges),
        ..*kind
    }))
}

/// The clause that a refusal of several properties together breaks. Where all of them are needed to
/// bring it about, none of their values is one that the runtime lacks: so it is one that binds.
fn blamed(parts: &[Part]) -> Option<&str> {
    let binds = |part: &&Part| {
        Catalogue::get()
            .by_id(&part.clause)
            .is_some_and(|clause| !clause.optional_value)
    };
    let part = parts.iter().rfind(binds).or(parts.last());
    part.map(|part| part.clause.as_str())
}

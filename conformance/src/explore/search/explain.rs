//! What a trial's outcome complains of, and what was found in the end.

use std::path::PathBuf;

use serde::Serialize;

use crate::explore::{Edit, Task};
use crate::job::{Halt, Outcome};
use crate::results::{Finding, FindingVerdict};

/// Something that is not as the model says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::explore) enum Complaint {
    /// The subject refused this operation.
    Refused(String),
    /// It did not end in time.
    Timeout(String),
    /// A clause is broken.
    Clause(String),
    /// The harness failed.
    Broken(String),
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::explore) enum Sort {
    /// A MUST is broken.
    Disagreement,
    /// A SHOULD is.
    Warning,
    /// An optional value is refused cleanly.
    Unsupported,
    /// The harness is wrong.
    Broken,
}

/// Something found, with the smallest draw that shows it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::explore) struct Found {
    pub(in crate::explore) sort: Sort,
    pub(in crate::explore) complaint: Complaint,
    /// The number of the draw that first showed it.
    pub(in crate::explore) draw: u64,
    /// Properties of the smallest configuration beside the plain one's.
    pub(in crate::explore) surfaces: Vec<String>,
    /// Clauses, what they ask for, and what was there.
    pub(in crate::explore) findings: Vec<Finding>,
    /// The smallest draw.
    pub(in crate::explore) smallest: Task,
    /// The same in words: what differs from the plain bundle, or the operations.
    pub(in crate::explore) difference: Vec<String>,
    /// How often later draws showed it again.
    pub(in crate::explore) seen: u64,
    /// What the reference does with the same.
    pub(in crate::explore) reference: Option<String>,
    /// A script that shows it by hand.
    pub(in crate::explore) reproduce: Option<PathBuf>,
    pub(in crate::explore) note: Option<String>,
}

impl Complaint {
    /// Everything that an outcome complains of.
    pub(in crate::explore) fn all(outcome: &Outcome) -> Vec<Complaint> {
        if let Some(operation) = &outcome.refused {
            return vec![Complaint::Refused(operation.clone())];
        }
        match &outcome.halt {
            Some(Halt::Broken(why)) => return vec![Complaint::Broken(why.clone())],
            Some(Halt::Timeout(what)) => {
                // Without the numbers, which differ every time.
                let what = what.chars().filter(|c| !c.is_ascii_digit()).collect();
                return vec![Complaint::Timeout(what)];
            }
            Some(Halt::Inapplicable(_)) => return Vec::new(),
            None => {}
        }
        let mut all = Vec::new();
        for finding in outcome.findings.iter().filter(|finding| is_bad(finding)) {
            let complaint = Complaint::Clause(finding.clause.clone());
            if !all.contains(&complaint) {
                all.push(complaint);
            }
        }
        all
    }

    pub(in crate::explore) fn words(&self) -> String {
        match self {
            Complaint::Refused(operation) => format!("{operation} is refused"),
            Complaint::Timeout(what) => format!("no end in time: {what}"),
            Complaint::Clause(clause) => clause.clone(),
            Complaint::Broken(why) => format!("the harness: {why}"),
        }
    }
}

fn is_bad(finding: &Finding) -> bool {
    matches!(finding.verdict, FindingVerdict::Fail | FindingVerdict::Warn)
}

impl Found {
    pub(super) fn new(draw: u64, complaint: &Complaint, task: &Task, outcome: &Outcome) -> Found {
        let relevant = |finding: &&Finding| match complaint {
            Complaint::Clause(clause) => is_bad(finding) && finding.clause == *clause,
            _ => finding.verdict != FindingVerdict::Pass,
        };
        let findings: Vec<Finding> = outcome.findings.iter().filter(relevant).cloned().collect();
        let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
        let sort = match complaint {
            Complaint::Broken(_) => Sort::Broken,
            Complaint::Timeout(_) => Sort::Disagreement,
            _ if has(FindingVerdict::Fail) => Sort::Disagreement,
            _ if has(FindingVerdict::Warn) => Sort::Warning,
            _ => Sort::Unsupported,
        };
        let surfaces = match task {
            Task::Config(parts) => parts.iter().map(|part| part.surface.clone()).collect(),
            Task::Lifecycle(_) => vec!["lifecycle".into()],
        };
        Found {
            sort,
            complaint: complaint.clone(),
            draw,
            surfaces,
            findings,
            smallest: task.clone(),
            difference: difference(task),
            seen: 0,
            reference: None,
            reproduce: None,
            note: None,
        }
    }

    pub(super) fn broken(draw: u64, task: &Task, outcome: &Outcome, why: &str) -> Found {
        Found::new(draw, &Complaint::Broken(why.to_owned()), task, outcome)
    }

    /// It is no mark against the subject after all.
    pub(super) fn blame_harness(&mut self, why: &str) {
        self.sort = Sort::Broken;
        self.note = Some(why.to_owned());
    }

    /// What it is called in a file's name.
    pub(in crate::explore) fn name(&self) -> String {
        match (&self.complaint, self.surfaces.last()) {
            (Complaint::Clause(clause), _) => clause.clone(),
            (complaint, Some(surface)) => format!("{} {surface}", complaint.words()),
            (complaint, None) => complaint.words(),
        }
    }

    /// Whether another draw's complaint is the same once more: all that brings this about is there.
    pub(super) fn explains(&self, complaint: &Complaint, task: &Task) -> bool {
        let there = match task {
            Task::Config(parts) => self
                .surfaces
                .iter()
                .all(|surface| parts.iter().any(|part| part.surface == *surface)),
            Task::Lifecycle(_) => self.surfaces == ["lifecycle"],
        };
        let same = match (&self.complaint, complaint) {
            // The same failure of the harness tells of other paths every time.
            (Complaint::Broken(_), Complaint::Broken(_)) => true,
            (known, complaint) => known == complaint,
        };
        same && there
    }

    /// Whether nothing else can be seen where this shows.
    pub(super) fn hides(&self) -> bool {
        !self.surfaces.is_empty()
            && matches!(
                self.complaint,
                Complaint::Refused(_) | Complaint::Timeout(_)
            )
    }

    pub(super) fn clause_of_sequence(&self) -> Option<String> {
        match (&self.smallest, &self.complaint) {
            (Task::Lifecycle(_), Complaint::Clause(clause)) => Some(clause.clone()),
            _ => None,
        }
    }
}

/// What differs from the plain bundle, a line a value; or what is done.
fn difference(task: &Task) -> Vec<String> {
    match task {
        Task::Config(parts) => parts
            .iter()
            .flat_map(|part| &part.edits)
            .map(|edit| match edit {
                Edit::Set(at, value) => format!("{at} = {value}"),
                Edit::Namespace(kind, None) => format!("/linux/namespaces without {kind}"),
                Edit::Namespace(_, Some(entry)) => format!("/linux/namespaces with {entry}"),
            })
            .collect(),
        Task::Lifecycle(sequence) => {
            let mut lines: Vec<String> = sequence.steps.iter().map(|step| step.words()).collect();
            for (number, stays) in sequence.stays.iter().enumerate() {
                if *stays
                    && lines
                        .iter()
                        .any(|line| line.ends_with(&format!(" {}", number + 1)))
                {
                    lines.push(format!(
                        "(the program of container {} stays until it is killed)",
                        number + 1
                    ));
                }
            }
            lines
        }
    }
}

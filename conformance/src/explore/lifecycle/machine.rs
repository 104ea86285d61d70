//! The state machine of runtime.md: which outcomes an operation may have, by a container's status.

use std::collections::BTreeSet;

use super::Operation;
use crate::trial::{Exit, State};

/// What a container may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// There is none of that id.
    Absent,
    /// Created.
    Created,
    /// Its program runs.
    Running,
    /// A signal is about to end its process, or its program is at its end.
    Ending,
    /// Its process has ended.
    Stopped,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With success.
    Done,
    /// With an error.
    Error,
    /// A state, with this status.
    Told(String),
}

/// A disagreement: the clause, and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blame {
    pub(super) clause: &'static str,
    pub(super) expected: &'static str,
}

/// A container, as far as it is known.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// Whether its program stays until it is killed.
    stays: bool,
    /// Everything that it may be.
    may_be: BTreeSet<Status>,
    /// Clauses whose disagreements are known: after one nothing is known of the container.
    known: BTreeSet<String>,
}

const ALL: [Status; 5] = [
    Status::Absent,
    Status::Created,
    Status::Running,
    Status::Ending,
    Status::Stopped,
];

impl Machine {
    /// Of a container that was never created.
    pub(super) fn new(stays: bool, known: &BTreeSet<String>) -> Machine {
        Machine {
            stays,
            may_be: BTreeSet::from([Status::Absent]),
            known: known.clone(),
        }
    }

    pub(super) fn stays(&self) -> bool {
        self.stays
    }

    /// Whether it is stopped sooner or later, whatever else it may be.
    pub(super) fn will_stop(&self) -> bool {
        let ends = |status: &Status| matches!(status, Status::Ending | Status::Stopped);
        self.may_be.iter().all(ends)
    }

    /// What it may be, in words.
    pub(super) fn words(&self) -> String {
        let words: Vec<&str> = self.may_be.iter().map(|status| status.word()).collect();
        words.join(" or ")
    }

    /// Takes note of what operations did; several were at once, and any order of them is right.
    ///
    /// # Errors
    /// The clause that is broken, if no order allows the outcomes. The machine is as before then.
    pub(super) fn take(
        &mut self,
        operations: &[Operation],
        outcomes: &[Outcome],
    ) -> Result<(), Blame> {
        let mut orders: Vec<Vec<usize>> = vec![(0..operations.len()).collect()];
        if operations.len() > 1 {
            orders.push((0..operations.len()).rev().collect());
        }
        let mut after = BTreeSet::new();
        let mut blame = None;
        for order in orders {
            let mut may_be = self.may_be.clone();
            for place in order {
                let (operation, outcome) = (operations[place], &outcomes[place]);
                if is_creating(operations, outcome) {
                    continue;
                }
                let status = may_be.first().copied().unwrap_or(Status::Absent);
                let next: BTreeSet<Status> = may_be
                    .iter()
                    .flat_map(|status| self.next(*status, operation, outcome))
                    .collect();
                may_be = next;
                if may_be.is_empty() {
                    let of = blame_for(status, operation, outcome);
                    if self.known.contains(of.clause) {
                        // What is told beside it may be true for a moment only.
                        may_be = ALL.into();
                        break;
                    }
                    blame.get_or_insert(of);
                    break;
                }
            }
            after.extend(may_be);
        }
        if after.is_empty() {
            return Err(blame.unwrap_or(Blame {
                clause: "runtime.ops.supported",
                expected: "an outcome that is possible",
            }));
        }
        self.may_be = after;
        Ok(())
    }

    /// What a container of a status may be after an operation with this outcome; nothing if the
    /// outcome is not allowed.
    fn next(&self, status: Status, operation: Operation, outcome: &Outcome) -> Vec<Status> {
        use Status::{Absent, Created, Ending, Running, Stopped};
        let done = *outcome == Outcome::Done;
        let failed = *outcome == Outcome::Error;
        // An error leaves everything as it was; what ends goes on ending.
        let only_if = |condition: bool, after: &[Status]| match condition {
            true => after.to_vec(),
            false => Vec::new(),
        };
        let refused = only_if(failed, &[status]);
        let as_time_goes = |after: Vec<Status>| match after[..] {
            [Ending] => vec![Ending, Stopped],
            _ => after,
        };
        let after = match (operation, status) {
            (Operation::Create, Absent) => only_if(done, &[Created]),
            (Operation::Create, _) => refused,
            (Operation::Start, Created) if self.stays => only_if(done, &[Running]),
            // The program ends by itself.
            (Operation::Start, Created) => only_if(done, &[Ending]),
            (Operation::Start, _) => refused,
            (Operation::State, Absent) => refused,
            (Operation::State, _) => return self.told(status, outcome),
            (Operation::Kill, Created | Running) => only_if(done, &[Ending]),
            // The first process of a pid namespace survives what it does not handle yet.
            (Operation::Term, Created | Running) => only_if(done, &[status, Ending, Stopped]),
            // It may have ended already, or be there still.
            (Operation::Kill | Operation::Term, Ending) => {
                return only_if(done || failed, &[Ending, Stopped]);
            }
            (Operation::Kill | Operation::Term, _) => refused,
            (Operation::Delete, Stopped) => only_if(done, &[Absent]),
            (Operation::Delete, Ending) if done => vec![Absent],
            (Operation::Delete, _) => refused,
            (Operation::Wait, Ending) => vec![Stopped],
            (Operation::Wait, status) => vec![status],
        };
        as_time_goes(after)
    }

    /// What may be the status of a container whose state tells a status. Others than the four are
    /// allowed, for what the four do not describe.
    fn told(&self, status: Status, outcome: &Outcome) -> Vec<Status> {
        use Status::{Created, Ending, Running, Stopped};
        let Outcome::Told(word) = outcome else {
            return Vec::new();
        };
        match (status, word.as_str()) {
            (Created, "created") => vec![Created],
            (Running, "running") => vec![Running],
            (Stopped, "stopped") => vec![Stopped],
            (Ending, "stopped") => vec![Stopped],
            (Ending, _) => vec![Ending, Stopped],
            _ => Vec::new(),
        }
    }
}

/// Whether a state beside create tells of a container that is being created, which it may.
fn is_creating(operations: &[Operation], outcome: &Outcome) -> bool {
    operations.len() > 1
        && operations.contains(&Operation::Create)
        && *outcome == Outcome::Told("creating".into())
}

/// The clause that an outcome breaks.
fn blame_for(status: Status, operation: Operation, outcome: &Outcome) -> Blame {
    let blame = |clause, expected| Blame { clause, expected };
    let exists = status != Status::Absent;
    match (operation, outcome) {
        (Operation::Create, Outcome::Error) => blame("runtime.create.new", "it is created"),
        (Operation::Create, _) => blame("runtime.create.duplicate-id.error", "an error"),
        (Operation::Start, Outcome::Error) => blame("runtime.start.program", "it is started"),
        (Operation::Start, _) => blame("runtime.start.not-created.error", "an error"),
        (Operation::State, Outcome::Error) => blame("runtime.state.op.returns", "its state"),
        (Operation::State, _) if !exists => blame("runtime.state.op.nonexistent", "an error"),
        (Operation::State, _) => match status {
            Status::Created => blame("runtime.state.status.created", "the status created"),
            Status::Running => blame("runtime.state.status.running", "the status running"),
            _ => blame("runtime.state.status.stopped", "the status stopped"),
        },
        (Operation::Kill | Operation::Term, Outcome::Error) => {
            blame("runtime.kill.send", "the signal is sent")
        }
        (Operation::Kill | Operation::Term, _) => {
            blame("runtime.kill.wrong-state.error", "an error")
        }
        (Operation::Delete, Outcome::Error) => blame("runtime.delete.resources", "it is deleted"),
        (Operation::Delete, _) if !exists => blame("runtime.delete.nonexistent", "an error"),
        (Operation::Delete, _) => blame("runtime.delete.not-stopped.error", "an error"),
        (Operation::Wait, _) => blame("runtime.state.status.stopped", "it stops"),
    }
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Absent => "not there",
            Status::Created => "created",
            Status::Running => "running",
            Status::Ending => "about to end",
            Status::Stopped => "stopped",
        }
    }
}

impl Outcome {
    /// stand 29: an exit status other than 0 is the error.
    pub(super) fn of(exit: &Exit) -> Outcome {
        match exit.succeeded() {
            true => Outcome::Done,
            false => Outcome::Error,
        }
    }

    pub(super) fn of_state(state: &State) -> Outcome {
        match (state.exit.succeeded(), state.status()) {
            (true, Some(status)) => Outcome::Told(status.to_owned()),
            (true, None) => Outcome::Told("(no status)".into()),
            (false, _) => Outcome::Error,
        }
    }

    pub(super) fn word(&self) -> String {
        match self {
            Outcome::Done => "done".into(),
            Outcome::Error => "error".into(),
            Outcome::Told(status) => status.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(stays: bool) -> Machine {
        Machine::new(stays, &BTreeSet::new())
    }

    fn done(machine: &mut Machine, operation: Operation) -> Result<(), Blame> {
        machine.take(&[operation], &[Outcome::Done])
    }

    #[test]
    fn a_life_is_allowed_and_what_is_out_of_place_must_fail() {
        let mut machine = fresh(true);
        assert_eq!(
            done(&mut machine, Operation::Start).unwrap_err().clause,
            "runtime.start.not-created.error"
        );
        done(&mut machine, Operation::Create).unwrap();
        assert_eq!(
            done(&mut machine, Operation::Create).unwrap_err().clause,
            "runtime.create.duplicate-id.error"
        );
        assert_eq!(
            done(&mut machine, Operation::Delete).unwrap_err().clause,
            "runtime.delete.not-stopped.error"
        );
        done(&mut machine, Operation::Start).unwrap();
        let told = |word: &str| [Outcome::Told(word.into())];
        assert!(machine.take(&[Operation::State], &told("created")).is_err());
        machine.take(&[Operation::State], &told("running")).unwrap();
        done(&mut machine, Operation::Kill).unwrap();
        assert!(machine.will_stop());
        done(&mut machine, Operation::Wait).unwrap();
        assert_eq!(
            done(&mut machine, Operation::Kill).unwrap_err().clause,
            "runtime.kill.wrong-state.error"
        );
        done(&mut machine, Operation::Delete).unwrap();
        assert_eq!(machine.words(), "not there");
    }

    #[test]
    fn of_two_at_once_any_order_is_right_and_no_other_outcome() {
        let both = [Operation::Create, Operation::Create];
        let one_fails = [Outcome::Error, Outcome::Done];
        let mut machine = fresh(false);
        assert!(
            machine
                .clone()
                .take(&both, &[Outcome::Done, Outcome::Done])
                .is_err()
        );
        assert!(
            machine
                .clone()
                .take(&both, &[Outcome::Error, Outcome::Error])
                .is_err()
        );
        machine.take(&both, &one_fails).unwrap();
        assert_eq!(machine.words(), "created");
        // state may come before or after start.
        for word in ["created", "running", "stopped"] {
            let outcomes = [Outcome::Done, Outcome::Told(word.into())];
            let mut machine = machine.clone();
            machine
                .take(&[Operation::Start, Operation::State], &outcomes)
                .unwrap();
            assert!(machine.will_stop());
        }
    }

    #[test]
    fn a_container_may_be_told_to_be_creating_while_it_is() {
        let creating = Outcome::Told("creating".into());
        let mut machine = fresh(true);
        let both = [Operation::State, Operation::Create];
        machine
            .take(&both, &[creating.clone(), Outcome::Done])
            .unwrap();
        assert!(machine.take(&[Operation::State], &[creating]).is_err());
    }

    #[test]
    fn after_a_known_disagreement_everything_is_possible() {
        let known = BTreeSet::from(["runtime.delete.not-stopped.error".to_owned()]);
        let mut created = Machine::new(true, &known);
        done(&mut created, Operation::Create).unwrap();
        for outcome in [Outcome::Done, Outcome::Error] {
            let mut machine = created.clone();
            done(&mut machine, Operation::Delete).unwrap();
            machine.take(&[Operation::Start], &[outcome]).unwrap();
        }
        // It explains what goes wrong beside it, too.
        let both = [Operation::Start, Operation::Delete];
        created
            .take(&both, &[Outcome::Error, Outcome::Done])
            .unwrap();
    }
}

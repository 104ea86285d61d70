//! Sequences of operations on several containers, two at once among them, against a state machine.
//!
//! The machine holds every status that a container may have. An operation whose outcome none of
//! them allows is a disagreement. Of two operations at once any order is right.

mod machine;
mod strategy;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use self::machine::{Machine, Outcome};
use super::Task;
use crate::trial::{Stop, Trial};

pub(super) use strategy::strategy;

/// How many containers a sequence is about.
pub(super) const CONTAINERS: usize = 3;

/// An operation of runtime.md, and a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// create
    Create,
    /// start
    Start,
    /// state
    State,
    /// kill with SIGKILL
    Kill,
    /// kill with SIGTERM, which the container process may survive until it is started
    Term,
    /// delete
    Delete,
    /// Until a container whose process ends is stopped; nothing for others.
    Wait,
}

/// An operation on one of the containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Which: its place among the trial's containers.
    pub container: usize,
    /// What is done.
    pub operation: Operation,
}

/// One act, or two operations at once on one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// One.
    One(Act),
    /// Two at once.
    Both(Act, Operation),
}

/// What was drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Whether the program of each container stays until it is killed.
    pub stays: [bool; CONTAINERS],
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// Clauses whose disagreements are known: such an outcome leaves the machine without an idea
    /// of the container, and is not told again.
    #[serde(default)]
    pub known: BTreeSet<String>,
}

/// Runs what the trial's task has drawn.
pub(super) fn run(trial: &mut Trial) -> Result<(), Stop> {
    let Some(Task::Lifecycle(sequence)) = trial.task().cloned() else {
        return Err(Stop::Broken("no sequence was drawn".into()));
    };
    let mut machines = Vec::new();
    for (number, stays) in sequence.stays.into_iter().enumerate() {
        if number > 0 {
            trial.another()?;
        }
        if stays {
            trial.probe(&["observe", "then", "pause"]);
        }
        trial.write_config()?;
        machines.push(Machine::new(stays, &sequence.known));
    }
    trial.rebase();
    let mut history = Vec::new();
    for step in &sequence.steps {
        let (container, operations) = step.parts();
        trial.switch_to(container);
        let machine = &mut machines[container];
        // What does not end by itself is not waited for.
        if operations == [Operation::Wait] && !machine.will_stop() {
            continue;
        }
        let outcomes = carry_out(trial, machine, &operations)?;
        history.push(words(container, &operations, &outcomes));
        let before = machine.words();
        let Err(blame) = machine.take(&operations, &outcomes) else {
            continue;
        };
        let expected = format!(
            "{} of a container that is {before}: {}",
            words_of(&operations),
            blame.expected
        );
        let observed = json!({"outcome": history.last(), "after": history});
        return trial.expect_that(blame.clause, false, expected, observed);
    }
    trial.expect_that(
        "runtime.ops.supported",
        true,
        "every outcome is one that the operations may have",
        json!(history),
    )
}

impl Step {
    fn parts(self) -> (usize, Vec<Operation>) {
        match self {
            Step::One(act) => (act.container, vec![act.operation]),
            Step::Both(act, other) => (act.container, vec![act.operation, other]),
        }
    }

    /// For a report: `start of container 1`.
    pub(super) fn words(self) -> String {
        let (container, operations) = self.parts();
        format!("{} of container {}", words_of(&operations), container + 1)
    }
}

fn carry_out(
    trial: &mut Trial,
    machine: &Machine,
    operations: &[Operation],
) -> Result<Vec<Outcome>, Stop> {
    match operations {
        [Operation::Wait] => {
            trial.wait_exit()?;
            Ok(vec![Outcome::Done])
        }
        [one] => {
            let outcome = match one {
                Operation::Create => Outcome::of(&trial.create_again(&[])?),
                Operation::Start => Outcome::of(&trial.start()?),
                Operation::State => Outcome::of_state(&trial.state()?),
                Operation::Kill => Outcome::of(&trial.kill("KILL")?),
                Operation::Term => Outcome::of(&trial.kill("TERM")?),
                Operation::Delete => Outcome::of(&trial.delete()?),
                Operation::Wait => Outcome::Done,
            };
            // What a program that stays has yet to do would make its signals a matter of luck.
            if *one == Operation::Start && outcome == Outcome::Done && machine.stays() {
                trial.wait_ready()?;
            }
            Ok(vec![outcome])
        }
        several => {
            let commands: Vec<Vec<String>> = several
                .iter()
                .map(|operation| command(trial, *operation))
                .collect();
            let commands: Vec<Vec<&str>> = commands
                .iter()
                .map(|words| words.iter().map(String::as_str).collect())
                .collect();
            let exits = trial.together([&commands[0], &commands[1]])?;
            let outcomes: Vec<Outcome> = several
                .iter()
                .zip(&exits)
                .map(|(operation, exit)| match operation {
                    Operation::State => Outcome::of_state(&crate::trial::State::read(exit.clone())),
                    _ => Outcome::of(exit),
                })
                .collect();
            Ok(outcomes)
        }
    }
}

fn command(trial: &Trial, operation: Operation) -> Vec<String> {
    let id = trial.id.clone();
    let words: Vec<String> = match operation {
        Operation::Create => {
            let bundle = trial.directory.display().to_string();
            let pid = trial.directory.join("pid").display().to_string();
            return ["create", "--bundle", &bundle, "--pid-file", &pid, &id]
                .map(str::to_owned)
                .into();
        }
        Operation::Start => vec!["start".into(), id],
        Operation::State | Operation::Wait => vec!["state".into(), id],
        Operation::Kill => vec!["kill".into(), id, "KILL".into()],
        Operation::Term => vec!["kill".into(), id, "TERM".into()],
        Operation::Delete => vec!["delete".into(), id],
    };
    words
}

fn words_of(operations: &[Operation]) -> String {
    let names: Vec<&str> = operations
        .iter()
        .map(|operation| operation.word())
        .collect();
    names.join(" and, at once, ")
}

fn words(container: usize, operations: &[Operation], outcomes: &[Outcome]) -> String {
    let pairs: Vec<String> = operations
        .iter()
        .zip(outcomes)
        .map(|(operation, outcome)| format!("{} -> {}", operation.word(), outcome.word()))
        .collect();
    format!("container {}: {}", container + 1, pairs.join(", at once "))
}

impl Operation {
    fn word(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Start => "start",
            Operation::State => "state",
            Operation::Kill => "kill KILL",
            Operation::Term => "kill TERM",
            Operation::Delete => "delete",
            Operation::Wait => "wait",
        }
    }
}

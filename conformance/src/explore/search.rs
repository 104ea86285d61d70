//! The search: draws, runs, shrinks what disagrees, and asks the reference.
//!
//! What is drawn depends on the seed and the number of the draw alone. Draws run in batches, a batch
//! at once; between batches what was found is left out of later draws, so that it hides nothing
//! else. Batches have one size, so that this too is the same every time.

mod explain;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Serialize;

pub(super) use explain::{Complaint, Found, Sort};

use super::{Part, Task, case_of, lifecycle, surface};
use crate::job::Outcome;
use crate::repro;
use crate::results::{HostFacts, RuntimeFacts, Verdict};
use crate::runner::{Bench, Interrupts, Options, Session};
use crate::subject::Subject;

/// Draws that run at once or one after another before what they found is looked at.
const BATCH: u64 = 16;

/// Trials that shrinking one disagreement may take.
const PATIENCE: u32 = 100;

/// What to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kinds {
    /// Configurations only.
    Configurations,
    /// Sequences of operations only.
    Sequences,
    /// Of three draws the last is a sequence.
    Both,
}

/// How many.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// Until this time has passed.
    Time(Duration),
    /// So many.
    Draws(u64),
}

/// What to do.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) limit: Limit,
    pub(super) kinds: Kinds,
    /// Where to leave what reproduces disagreements.
    pub(super) out: Option<PathBuf>,
}

/// How often a property was drawn.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Coverage {
    /// In how many draws it was.
    pub(super) drawn: u64,
    /// In how many of them the subject was asked for it.
    pub(super) asked: u64,
    /// Why it was left out of the others.
    pub(super) left_out: BTreeMap<String, u64>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Exploration {
    pub(super) format: u32,
    pub(super) runtime: RuntimeFacts,
    pub(super) spec_judged: String,
    pub(super) host: HostFacts,
    pub(super) seed: u64,
    /// Configurations and sequences that were drawn and run.
    pub(super) configurations: u64,
    pub(super) sequences: u64,
    /// Trials in all, those of shrinking among them.
    pub(super) trials: u64,
    /// Draws that the subject refused as they were.
    pub(super) refused: u64,
    pub(super) seconds: f64,
    /// By property.
    pub(super) surface: BTreeMap<String, Coverage>,
    pub(super) found: Vec<Found>,
}

impl Exploration {
    pub(super) fn count(&self, sort: Sort) -> usize {
        self.found.iter().filter(|found| found.sort == sort).count()
    }

    /// The harness is wrong somewhere, or nothing was run.
    pub(super) fn is_broken(&self) -> bool {
        self.count(Sort::Broken) > 0 || self.configurations + self.sequences == 0
    }

    pub(super) fn disagrees(&self) -> bool {
        self.count(Sort::Disagreement) > 0
    }
}

type Tree = Box<dyn ValueTree<Value = Task>>;

/// Explores a subject.
///
/// # Errors
/// One sentence for a person, if the plain container cannot even be run.
pub(super) fn explore(
    bench: &Arc<Bench>,
    subject: &Subject,
    plan: &Plan,
    options: &Options,
    interrupts: &Interrupts,
) -> Result<Exploration, String> {
    let (session, gate) = Session::open(bench.clone(), subject, options, interrupts);
    if !session.is_open() {
        let why = gate.need.unwrap_or_default();
        let verdict = gate.verdict.word();
        return Err(format!(
            "{} does not run the plain container ({verdict} {why}): `oci-conformance run \
             basics/plain-container` tells more",
            subject.program.display()
        ));
    }
    let reference = (!subject.is_reference)
        .then(|| Session::open(bench.clone(), bench.reference(), options, interrupts).0);
    let mut search = Search {
        strategies: Strategies::new(),
        bench,
        subject,
        plan,
        options,
        interrupts,
        session: &session,
        reference: reference.as_ref(),
        trials: AtomicUsize::new(0),
        result: Exploration {
            format: 1,
            runtime: session.profile().facts(subject),
            spec_judged: session.judged().to_string(),
            host: bench.host.facts(),
            seed: plan.seed,
            configurations: 0,
            sequences: 0,
            trials: 0,
            refused: 0,
            seconds: 0.0,
            surface: surface::rows()
                .map(|row| (row.name.to_owned(), Coverage::default()))
                .collect(),
            found: Vec::new(),
        },
    };
    let begun = Instant::now();
    let mut number = 0;
    loop {
        let left = match plan.limit {
            Limit::Time(time) if begun.elapsed() >= time => 0,
            Limit::Time(_) => BATCH,
            Limit::Draws(draws) => (draws - number).min(BATCH),
        };
        if left == 0 || interrupts.came() {
            break;
        }
        let batch: Vec<(u64, Tree)> = (number..number + left)
            .map(|number| (number, search.strategies.draw(plan, number)))
            .collect();
        search.run(batch);
        number += left;
        search.tell(number);
    }
    let mut result = search.result;
    result.trials = search.trials.load(Ordering::Relaxed) as u64;
    result.seconds = begun.elapsed().as_secs_f64();
    Ok(result)
}

/// The strategies of both kinds.
struct Strategies {
    configurations: BoxedStrategy<Task>,
    sequences: BoxedStrategy<Task>,
}

impl Strategies {
    fn new() -> Strategies {
        Strategies {
            configurations: surface::strategy().prop_map(Task::Config).boxed(),
            sequences: lifecycle::strategy().prop_map(Task::Lifecycle).boxed(),
        }
    }

    /// The draw of a number: always the same for a seed.
    fn draw(&self, plan: &Plan, number: u64) -> Tree {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&plan.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&number.to_le_bytes());
        let config = Config {
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let strategy = match plan.kinds {
            Kinds::Configurations => &self.configurations,
            Kinds::Sequences => &self.sequences,
            Kinds::Both if number % 3 == 2 => &self.sequences,
            Kinds::Both => &self.configurations,
        };
        strategy
            .new_tree(&mut runner)
            .expect("no strategy here rejects what it draws")
    }
}

struct Search<'a> {
    strategies: Strategies,
    bench: &'a Bench,
    subject: &'a Subject,
    plan: &'a Plan,
    options: &'a Options,
    interrupts: &'a Interrupts,
    session: &'a Session,
    reference: Option<&'a Session>,
    trials: AtomicUsize,
    result: Exploration,
}

impl Search<'_> {
    /// Runs a batch, and looks at what came of it in the order of the draws.
    fn run(&mut self, batch: Vec<(u64, Tree)>) {
        let tasks: Vec<Task> = batch
            .iter()
            .map(|(_, tree)| {
                let drawn = tree.current();
                let asked = self.prepare(&drawn);
                self.count(&drawn, &asked);
                asked
            })
            .collect();
        self.trials.fetch_add(tasks.len(), Ordering::Relaxed);
        let outcomes = at_once(self.session, &tasks, self.options.jobs);
        for (((number, _), task), outcome) in batch.into_iter().zip(tasks).zip(outcomes) {
            if self.interrupts.came() {
                return;
            }
            self.result.refused += u64::from(outcome.refused.is_some());
            self.look(number, task, outcome);
        }
    }

    fn try_on(&self, session: &Session, task: &Task) -> Outcome {
        self.trials.fetch_add(1, Ordering::Relaxed);
        session.explore(task)
    }

    /// Looks at one draw's outcome until everything in it is explained by what was found.
    fn look(&mut self, number: u64, mut task: Task, mut outcome: Outcome) {
        // A refusal hides what else there is: it is left out, and the rest tried again.
        for _ in 0..4 {
            while let Some(complaint) = self.unexplained(&task, &outcome) {
                if self.interrupts.came() {
                    return;
                }
                let found = self.examine(number, complaint, &task, &outcome);
                self.result.found.push(found);
            }
            self.count_again(number, &task, &outcome);
            let without = self.prepare(&task);
            if without == task || outcome.refused.is_none() {
                return;
            }
            outcome = self.try_on(self.session, &without);
            task = without;
        }
    }

    /// The first complaint that nothing found so far explains.
    fn unexplained(&self, task: &Task, outcome: &Outcome) -> Option<Complaint> {
        Complaint::all(outcome).into_iter().find(|complaint| {
            let mut found = self.result.found.iter();
            !found.any(|found| found.explains(complaint, task))
        })
    }

    /// Counts what an earlier draw has shown already.
    fn count_again(&mut self, number: u64, task: &Task, outcome: &Outcome) {
        let complaints = Complaint::all(outcome);
        for found in self
            .result
            .found
            .iter_mut()
            .filter(|found| found.draw != number)
        {
            let again = complaints.iter().any(|one| found.explains(one, task));
            found.seen += u64::from(again);
        }
    }

    /// Shrinks a draw to the least that brings a complaint about, and finds out whose fault it is.
    fn examine(&self, number: u64, complaint: Complaint, task: &Task, outcome: &Outcome) -> Found {
        if let Complaint::Broken(why) = &complaint {
            return Found::broken(number, task, outcome, why);
        }
        let (task, outcome) = self.shrink(number, &complaint, task, outcome);
        let mut found = Found::new(number, &complaint, &task, &outcome);
        let again = self.try_on(self.session, &task);
        if !Complaint::all(&again).contains(&complaint) {
            let luck = "the smallest draw shows it once and then not: it depends on luck";
            if task.is_deterministic() {
                found.blame_harness(luck);
                return found;
            }
            // What comes of two operations at once is the subject's affair.
            found.note = Some(luck.into());
        }
        if let Some(reference) = self.reference {
            let there = Complaint::all(&self.try_on(reference, &task));
            if there.is_empty() {
                found.reference = Some("agrees with the model".into());
            } else {
                let words: Vec<String> = there.iter().map(Complaint::words).collect();
                found.blame_harness("the reference does not do as the model says either");
                found.reference = Some(words.join("; "));
            }
        }
        self.leave(&mut found, &task);
        found
    }

    /// proptest's shrinking: simpler as long as it shows, back a little when it does not.
    fn shrink(
        &self,
        number: u64,
        complaint: &Complaint,
        task: &Task,
        outcome: &Outcome,
    ) -> (Task, Outcome) {
        let mut tree = self.strategies.draw(self.plan, number);
        let mut best = (task.clone(), outcome.clone());
        let mut tried = 0;
        let mut shows = true;
        while tried < PATIENCE && !self.interrupts.came() {
            let moved = match shows {
                true => tree.simplify(),
                false => tree.complicate(),
            };
            if !moved {
                break;
            }
            let task = self.prepare(&tree.current());
            // What was simplified may have been left out anyway.
            if task == best.0 {
                shows = true;
                continue;
            }
            tried += 1;
            let outcome = self.try_on(self.session, &task);
            shows = Complaint::all(&outcome).contains(complaint);
            if shows {
                best = (task, outcome);
            }
        }
        best
    }

    fn leave(&self, found: &mut Found, task: &Task) {
        let Some(out) = &self.plan.out else {
            return;
        };
        let name: String = found
            .name()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-.".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .take(60)
            .collect();
        let directory = out.join(format!("{:02}-{name}", self.result.found.len() + 1));
        let case = case_of(task);
        let done = std::fs::create_dir_all(out)
            .map_err(|error| format!("mkdir {}: {error}", out.display()))
            .and_then(|()| {
                repro::write_task(
                    self.bench,
                    case,
                    Some(task),
                    self.subject,
                    &directory,
                    self.options,
                    self.interrupts,
                )
            });
        match done {
            Ok((result, script)) => {
                if result.verdict == Verdict::Pass {
                    found.note = Some("the reproduction passed: it depends on luck".into());
                }
                found.reproduce = Some(script);
            }
            Err(why) => found.note = Some(format!("no reproduction: {why}")),
        }
    }

    /// Leaves out what this host or the judged version lacks, and what is known to hide the rest.
    fn prepare(&self, drawn: &Task) -> Task {
        match drawn {
            Task::Config(parts) => {
                let mut parts: Vec<Part> = parts
                    .iter()
                    .filter(|part| self.lacks(part).is_none())
                    .cloned()
                    .collect();
                while let Some(surface) = self.hiding(&parts) {
                    parts.retain(|part| part.surface != surface);
                }
                Task::Config(parts)
            }
            Task::Lifecycle(sequence) => {
                let mut sequence = sequence.clone();
                sequence.known = self
                    .result
                    .found
                    .iter()
                    .filter_map(Found::clause_of_sequence)
                    .collect();
                Task::Lifecycle(sequence)
            }
        }
    }

    fn lacks(&self, part: &Part) -> Option<String> {
        surface::lacks(
            part,
            &self.bench.host,
            &self.session.judged(),
            self.session.profile().shared_kernel,
        )
    }

    /// A property whose presence is known to end the container before anything can be seen.
    fn hiding(&self, parts: &[Part]) -> Option<String> {
        let drawn: BTreeSet<&str> = parts.iter().map(|part| part.surface.as_str()).collect();
        let known = self.result.found.iter().filter(|found| found.hides());
        known
            .filter(|found| {
                found
                    .surfaces
                    .iter()
                    .all(|one| drawn.contains(one.as_str()))
            })
            .find_map(|found| found.surfaces.last().cloned())
    }

    fn count(&mut self, drawn: &Task, asked: &Task) {
        let (Task::Config(drawn), Task::Config(asked)) = (drawn, asked) else {
            self.result.sequences += 1;
            return;
        };
        self.result.configurations += 1;
        for part in drawn {
            let why = match self.lacks(part) {
                _ if asked.contains(part) => None,
                Some(need) => Some(format!("needs {need}")),
                None => Some("hides the rest: see what was found".to_owned()),
            };
            let row = self
                .result
                .surface
                .entry(part.row().to_owned())
                .or_default();
            row.drawn += 1;
            match why {
                None => row.asked += 1,
                Some(why) => *row.left_out.entry(why).or_default() += 1,
            }
        }
    }

    fn tell(&self, drawn: u64) {
        let found = self.result.found.len();
        if drawn.is_multiple_of(BATCH * 4) || found > 0 && drawn.is_multiple_of(BATCH) {
            let trials = self.trials.load(Ordering::Relaxed);
            eprintln!("explore: {drawn} drawn, {trials} trials, {found} found");
        }
    }
}

/// Runs tasks, several at once; their outcomes in the tasks' order.
fn at_once(session: &Session, tasks: &[Task], jobs: usize) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = tasks.get(place) else {
                return done;
            };
            done.push((place, session.explore(task)));
        }
    };
    let mut all: Vec<(usize, Outcome)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        let done = workers.into_iter().map(|one| one.join());
        done.flat_map(|done| done.expect("no worker panics"))
            .collect()
    });
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, outcome)| outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan {
            seed,
            limit: Limit::Draws(1),
            kinds: Kinds::Both,
            out: None,
        }
    }

    #[test]
    fn a_seed_decides_every_draw_and_nothing_else_does() {
        let draws = |seed: u64, order: &[u64]| -> Vec<Task> {
            let strategies = Strategies::new();
            let mut all: Vec<(u64, Task)> = order
                .iter()
                .map(|number| (*number, strategies.draw(&plan(seed), *number).current()))
                .collect();
            all.sort_by_key(|(number, _)| *number);
            all.into_iter().map(|(_, task)| task).collect()
        };
        assert_eq!(draws(7, &[0, 1, 2, 3, 4]), draws(7, &[4, 2, 3, 0, 1]));
        assert_ne!(draws(7, &[0, 1, 2, 3, 4]), draws(8, &[0, 1, 2, 3, 4]));
    }

    #[test]
    fn every_property_is_drawn_before_long() {
        let strategies = Strategies::new();
        let mut missing: BTreeSet<&str> = surface::rows().map(|row| row.name).collect();
        for number in 0..400 {
            if let Task::Config(parts) = strategies.draw(&plan(0), number).current() {
                for part in parts {
                    missing.remove(part.row());
                }
            }
        }
        assert_eq!(missing, BTreeSet::new());
    }

    #[test]
    fn shrinking_ends_at_the_one_part_that_matters() {
        let strategies = Strategies::new();
        let guilty = |task: &Task| match task {
            Task::Config(parts) => parts.iter().any(|part| part.row() == "hostname"),
            Task::Lifecycle(_) => false,
        };
        let mut tree = (0..)
            .map(|number| strategies.draw(&plan(1), number * 3))
            .find(|tree| guilty(&tree.current()))
            .expect("a host name is drawn");
        let mut shows = true;
        while if shows {
            tree.simplify()
        } else {
            tree.complicate()
        } {
            shows = guilty(&tree.current());
        }
        let Task::Config(parts) = tree.current() else {
            panic!("a configuration was drawn");
        };
        assert_eq!(parts.len(), 1, "{parts:?}");
        assert_eq!(parts[0].surface, "hostname");
    }
}

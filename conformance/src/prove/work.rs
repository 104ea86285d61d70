//! The trials of a proof: those of the base, and those of each deviant on it.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use oci_runtime_schemas::SpecVersion;

use super::Question;
use super::crowd::Crowd;
use super::declarations::Declaration;
use super::judge::{Baseline, Deviation, NotExercised, Tally};
use crate::case::Case;
use crate::cases::GATE;
use crate::host::Host;
use crate::results::CaseResult;
use crate::runner::{Interrupts, Session};
use crate::subject::Subject;

/// Without `--full`, one of so many cases that need not catch a deviant is run all the same.
const ONE_OF: usize = 20;

/// A case as it is judged by a version: some clauses bound earlier versions only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) case: &'static str,
    /// `None` for the version that the base claims.
    pub(super) version: Option<SpecVersion>,
}

/// What is done on one base.
pub(super) struct Work<'a> {
    pub(super) question: &'a Question,
    pub(super) session: Session,
    pub(super) program: &'a Path,
    pub(super) base: &'a Subject,
    /// Where deviants may write.
    pub(super) memory: &'a Path,
    pub(super) label: &'a str,
    pub(super) interrupts: &'a Interrupts,
}

impl Work<'_> {
    pub(super) fn carry_out(&self, deviants: &[Declaration], host: &Host, tally: &mut Tally) {
        let turns = self.turns();
        self.tell(&format!("{} trials of the base", turns.len()));
        let results = self.each(&turns, |turn| run(&self.session, *turn));
        let baseline = Baseline::new(results);

        let mut able = Vec::new();
        for deviant in deviants {
            let shows = |turn: &Turn| baseline.shows(*turn, deviant);
            if let Some(need) = deviant.unmet(host, &self.base.program) {
                tally.not_exercised.push(NotExercised::new(
                    deviant,
                    self.label,
                    format!("needs {need}"),
                ));
            } else if !turns.iter().any(shows) {
                if self.question.selected.len() == crate::cases::all().len() {
                    let why = "no clause that it breaks passes with the base here".to_owned();
                    tally
                        .not_exercised
                        .push(NotExercised::new(deviant, self.label, why));
                }
            } else {
                able.push(deviant);
            }
        }
        self.tell(&format!("{} deviants", able.len()));
        let surveyed: Vec<(Session, CaseResult)> = self.each(&able, |deviant| {
            self.session.gone_wrong(&self.subject(deviant))
        });
        let mut tasks: Vec<(usize, Turn)> = Vec::new();
        for (place, deviant) in able.iter().enumerate() {
            let must = |turn: &&Turn| turn.case != GATE && baseline.shows(**turn, deviant);
            tasks.extend(turns.iter().filter(must).map(|turn| (place, *turn)));
        }
        self.tell(&format!("{} trials of deviants", tasks.len()));
        let results = self.each(&tasks, |(place, turn)| run(&surveyed[*place].0, *turn));

        let mut of: Vec<Vec<(Turn, CaseResult)>> = able.iter().map(|_| Vec::new()).collect();
        for ((place, _), result) in tasks.iter().zip(results) {
            of[*place].push(result);
        }
        let crowd = Crowd::new(self, &able, &surveyed, &baseline);
        let rest = crowd.groups(&turns, &tasks, if self.question.full { 1 } else { ONE_OF });
        self.tell(&format!(
            "{} trials of several deviants at once",
            rest.len()
        ));
        for (place, result) in self
            .each(&rest, |group| crowd.judge(group))
            .into_iter()
            .flatten()
        {
            of[place].push(result);
        }
        tally.add_trials(crowd.trials());
        let gate_counts = turns.iter().any(|turn| turn.case == GATE);
        for ((deviant, (_, gate)), mut results) in able.iter().zip(surveyed).zip(of) {
            if gate_counts {
                results.push((
                    Turn {
                        case: GATE,
                        version: None,
                    },
                    gate,
                ));
            }
            let elsewhere = self.is_judged_elsewhere(deviant);
            let deviation = Deviation {
                deviant,
                results,
                elsewhere,
            };
            tally.add(self.label, &baseline, &deviation);
        }
        tally.baselines.push(baseline);
    }

    /// Every selected case by the version that the base claims, and by older ones where a clause of
    /// the case ended with them.
    fn turns(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        for case in &self.question.selected {
            turns.push(Turn {
                case: case.id,
                version: None,
            });
            let mut ended: Vec<SpecVersion> =
                case.clauses().filter_map(|clause| clause.until).collect();
            ended.sort();
            ended.dedup();
            ended.retain(|until| *until < self.session.judged());
            turns.extend(ended.into_iter().map(|until| Turn {
                case: case.id,
                version: Some(until),
            }));
        }
        turns
    }

    /// Whether a case that was not asked for judges a clause that a deviant breaks.
    fn is_judged_elsewhere(&self, deviant: &Declaration) -> bool {
        let judges = |case: &Case| {
            deviant
                .breaks
                .iter()
                .any(|clause| case.judges.contains(&&**clause))
        };
        let asked = |case: &Case| self.question.selected.iter().any(|one| one.id == case.id);
        crate::cases::all()
            .iter()
            .any(|case| judges(case) && !asked(case))
    }

    fn subject(&self, deviant: &Declaration) -> Subject {
        self.over(self.base, deviant, self.memory)
    }

    /// A subject made wrong in one way, which remembers containers below a directory.
    pub(super) fn over(&self, base: &Subject, deviant: &Declaration, memory: &Path) -> Subject {
        let mut arguments = vec!["--deviant".to_owned(), deviant.name.clone()];
        arguments.extend(["--base".to_owned(), base.program.display().to_string()]);
        let memory = memory.join(&deviant.name).display().to_string();
        arguments.extend(["--memory".to_owned(), memory]);
        arguments.extend(base.arguments.iter().cloned());
        Subject {
            label: Some(deviant.name.clone()),
            program: self.program.to_owned(),
            arguments,
            is_reference: false,
        }
    }

    /// Does something for each of a list, several at once; results are in the list's order.
    fn each<T: Sync, R: Send>(&self, list: &[T], what: impl Fn(&T) -> R + Sync) -> Vec<R> {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::with_capacity(list.len()));
        std::thread::scope(|scope| {
            for _ in 0..self.question.options.jobs.clamp(1, list.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(one) = list.get(place) else { break };
                        let result = what(one);
                        results
                            .lock()
                            .expect("no worker panics")
                            .push((place, result));
                    }
                });
            }
        });
        let mut results = results.into_inner().expect("no worker panics");
        results.sort_by_key(|(place, _)| *place);
        results.into_iter().map(|(_, result)| result).collect()
    }

    fn tell(&self, words: &str) {
        if !self.interrupts.came() {
            eprintln!("prove on {}: {words}", self.label);
        }
    }
}

pub(super) fn run(session: &Session, turn: Turn) -> (Turn, CaseResult) {
    let case: &'static Case = crate::cases::by_id(turn.case).expect("turns are of cases");
    let result = match turn.version {
        None => session.run(case),
        Some(version) => session.judged_by(version).run(case),
    };
    (turn, result)
}

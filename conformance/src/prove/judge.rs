//! What the trials say: which deviant is caught by what, and which pair by none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use oci_runtime_schemas::{Catalogue, Level};
use serde::Serialize;

use super::Proof;
use super::declarations::Declaration;
use super::work::Turn;
use crate::case::Case;
use crate::results::{CaseResult, FindingVerdict, Verdict};
use crate::runner::broken_clauses;

/// How a deviant says on standard error that it could not be wrong as declared.
const COMPLAINT: &str = "oci-deviants: ";

/// A clause that a case judges.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs)]
pub struct Pair {
    pub case: String,
    pub clause: String,
}

/// A deviant on a base.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// Its name.
    pub deviant: String,
    /// What is wrong with it.
    pub wrong: String,
    /// The base's label.
    pub base: String,
    /// Clauses that it breaks.
    pub breaks: Vec<String>,
    /// Findings against those clauses that the base did not have; the clause is `timeout` where an
    /// operation hung and the declaration says that it does.
    pub caught_by: Vec<Pair>,
    /// Whatever else was found.
    pub unexpected: Vec<Unexpected>,
    /// Clauses that it breaks by its declaration and that no case of this run showed broken.
    pub unshown: Vec<String>,
    /// Whether cases that were not asked for judge these clauses too, and may be those that show it.
    pub elsewhere: bool,
}

/// A finding outside of what a deviant breaks, or a trial without a verdict.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Unexpected {
    pub case: String,
    /// The clause, or `broken`, `timeout` or `deviant`.
    pub clause: String,
    pub message: String,
}

/// A deviant that a base or this host gives nothing to show.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct NotExercised {
    pub deviant: String,
    pub base: String,
    pub why: String,
}

impl NotExercised {
    pub(super) fn new(deviant: &Declaration, base: &str, why: String) -> NotExercised {
        NotExercised {
            deviant: deviant.name.clone(),
            base: base.to_owned(),
            why,
        }
    }
}

/// A declared pair that no base's run judged.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Unjudged {
    pub case: String,
    pub clause: String,
    pub why: String,
}

/// What a base does by itself.
#[derive(Debug)]
pub(super) struct Baseline {
    results: HashMap<Turn, CaseResult>,
}

impl Baseline {
    pub(super) fn new(results: Vec<(Turn, CaseResult)>) -> Baseline {
        Baseline {
            results: results.into_iter().collect(),
        }
    }

    /// A case of the version that the base claims without the verdict that a proof can rest on: one
    /// that broke or did not end, and, with the reference, one that failed.
    pub(super) fn unsound(&self, is_reference: bool) -> Option<(&'static str, Verdict)> {
        let is_unsound = |verdict: Verdict| {
            matches!(verdict, Verdict::Broken | Verdict::Timeout)
                || is_reference && verdict == Verdict::Fail
        };
        let mut found: Vec<_> = self
            .results
            .iter()
            .filter(|(turn, result)| turn.version.is_none() && is_unsound(result.verdict))
            .map(|(turn, result)| (turn.case, result.verdict))
            .collect();
        found.sort_by_key(|(case, _)| *case);
        found.first().copied()
    }

    /// Whether a turn passes a clause that a deviant breaks, so that it must show the deviant.
    pub(super) fn shows(&self, turn: Turn, deviant: &Declaration) -> bool {
        self.results.get(&turn).is_some_and(|result| {
            passed(result)
                .iter()
                .any(|clause| deviant.breaks.contains(clause))
        })
    }

    /// Whether a result tells the same as the base's own: no deviant was seen in it.
    pub(super) fn looks_like(&self, turn: Turn, result: &CaseResult) -> bool {
        let known = self.broken(turn);
        self.results.get(&turn).is_some_and(|own| {
            own.verdict == result.verdict
                && own.findings.len() == result.findings.len()
                && broken_clauses(&result.findings)
                    .iter()
                    .all(|clause| known.contains(clause))
                && complaint(result).is_none()
        })
    }

    fn broken(&self, turn: Turn) -> Vec<String> {
        self.results
            .get(&turn)
            .map_or_else(Vec::new, |result| broken_clauses(&result.findings))
    }

    /// Pairs that passed and could fail: those of clauses that bind.
    fn pairs(&self) -> impl Iterator<Item = Pair> + '_ {
        self.results.iter().flat_map(|(turn, result)| {
            passed(result).into_iter().map(|clause| Pair {
                case: turn.case.to_owned(),
                clause,
            })
        })
    }
}

/// Clauses that bind and that a result passes in every finding.
fn passed(result: &CaseResult) -> BTreeSet<String> {
    let broken = broken_clauses(&result.findings);
    result
        .findings
        .iter()
        .filter(|finding| finding.verdict == FindingVerdict::Pass)
        .map(|finding| &finding.clause)
        .filter(|clause| binds(clause) && !broken.contains(clause))
        .cloned()
        .collect()
}

fn binds(clause: &str) -> bool {
    Catalogue::get()
        .by_id(clause)
        .is_some_and(|clause| matches!(clause.level, Level::Must | Level::Should))
}

/// A deviant's results on a base.
pub(super) struct Deviation<'a> {
    pub(super) deviant: &'a Declaration,
    pub(super) results: Vec<(Turn, CaseResult)>,
    pub(super) elsewhere: bool,
}

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) baselines: Vec<Baseline>,
    pub(super) not_exercised: Vec<NotExercised>,
    judged: Vec<Judged>,
    covered: BTreeSet<Pair>,
    trials: usize,
}

impl Tally {
    pub(super) fn add(&mut self, base: &str, baseline: &Baseline, deviation: &Deviation) {
        let deviant = deviation.deviant;
        let mut judged = Judged {
            deviant: deviant.name.clone(),
            wrong: deviant.wrong.clone(),
            base: base.to_owned(),
            breaks: deviant.breaks.clone(),
            caught_by: Vec::new(),
            unexpected: Vec::new(),
            unshown: Vec::new(),
            elsewhere: deviation.elsewhere,
        };
        for (turn, result) in &deviation.results {
            self.trials += 1;
            judge_result(
                &mut judged,
                deviant,
                &baseline.broken(*turn),
                turn.case,
                result,
            );
        }
        judged.caught_by.sort();
        judged.caught_by.dedup();
        let shown = |clause: &&String| !judged.caught_by.iter().any(|pair| pair.clause == **clause);
        judged.unshown = deviant.breaks.iter().filter(shown).cloned().collect();
        self.covered.extend(judged.caught_by.iter().cloned());
        self.judged.push(judged);
    }

    /// Counts trials whose results say nothing new.
    pub(super) fn add_trials(&mut self, trials: usize) {
        self.trials += trials;
    }

    pub(super) fn proof(
        self,
        selected: &[&'static Case],
        bases: Vec<String>,
        whole: bool,
        seconds: f64,
    ) -> Proof {
        let pairs: BTreeSet<Pair> = self.baselines.iter().flat_map(Baseline::pairs).collect();
        let uncovered = pairs
            .iter()
            .filter(|pair| !self.covered.contains(pair))
            .cloned()
            .collect();
        let whys = self.whys();
        let mut unjudged = Vec::new();
        for case in selected {
            for clause in case.judges.iter().filter(|clause| binds(clause)) {
                let pair = Pair {
                    case: case.id.to_owned(),
                    clause: (*clause).to_owned(),
                };
                if !pairs.contains(&pair) {
                    let why = whys.get(case.id).cloned().unwrap_or_default();
                    unjudged.push(Unjudged {
                        case: pair.case,
                        clause: pair.clause,
                        why,
                    });
                }
            }
        }
        Proof {
            bases,
            pairs: pairs.len(),
            uncovered,
            unjudged,
            judged: self.judged,
            not_exercised: self.not_exercised,
            whole,
            trials: self.trials
                + self
                    .baselines
                    .iter()
                    .map(|b| b.results.len())
                    .sum::<usize>(),
            seconds,
        }
    }

    /// For each case, why the bases did not pass all of its clauses.
    fn whys(&self) -> BTreeMap<&'static str, String> {
        let mut whys = BTreeMap::new();
        for (turn, result) in self.baselines.iter().flat_map(|baseline| &baseline.results) {
            let why = match (&result.need, result.verdict) {
                (Some(need), Verdict::Inapplicable) => format!("needs {need}"),
                (Some(need), verdict) => format!("{}: {need}", verdict.word()),
                (None, Verdict::Pass) => "not judged where the base is right".to_owned(),
                (None, verdict) => format!("the base's verdict is {}", verdict.word()),
            };
            whys.entry(turn.case).or_insert(why);
        }
        whys
    }
}

/// What a deviant said that could not be wrong as declared.
fn complaint(result: &CaseResult) -> Option<&str> {
    let mut lines = result.steps.iter().flat_map(|step| step.stderr.lines());
    lines.find(|line| line.starts_with(COMPLAINT))
}

fn judge_result(
    judged: &mut Judged,
    deviant: &Declaration,
    known: &[String],
    case: &str,
    result: &CaseResult,
) {
    let mut unexpected = |clause: &str, message: String| {
        judged.unexpected.push(Unexpected {
            case: case.to_owned(),
            clause: clause.to_owned(),
            message,
        });
    };
    if let Some(line) = complaint(result) {
        unexpected("deviant", line.to_owned());
    }
    let need = || result.need.clone().unwrap_or_default();
    match result.verdict {
        Verdict::Broken => unexpected("broken", need()),
        Verdict::Timeout if !deviant.hangs => unexpected("timeout", need()),
        Verdict::Timeout => judged.caught_by.push(Pair {
            case: case.to_owned(),
            clause: "timeout".into(),
        }),
        _ => {}
    }
    for finding in &result.findings {
        let bad = matches!(finding.verdict, FindingVerdict::Fail | FindingVerdict::Warn);
        if !bad || known.contains(&finding.clause) {
            continue;
        }
        let pair = Pair {
            case: case.to_owned(),
            clause: finding.clause.clone(),
        };
        if deviant.breaks.contains(&finding.clause) {
            judged.caught_by.push(pair);
        } else {
            judged.unexpected.push(Unexpected {
                case: pair.case,
                clause: pair.clause,
                message: format!(
                    "{}: expected {}, observed {}",
                    finding.message, finding.expected_value, finding.observed_value
                ),
            });
        }
    }
}

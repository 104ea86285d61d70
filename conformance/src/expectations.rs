//! What is expected of a subject: expectation files, and what they make of a run's verdicts.
//!
//! An expectation file lists failures that are known and explained. It hides nothing: a failure
//! that is not the one described, and a described failure that is gone, are both unexpected.

mod file;
pub mod update;
mod when;

use crate::results::{
    CaseResult, FailLevel, HostFacts, NotExercised, Results, Run, RuntimeFacts, Verdict,
};
use crate::runner;

pub use file::{ExpectationFile, Subject, UsageError, Waiver, WaiverVerdict};
pub use when::{KernelCondition, When};

/// `--deny`: verdicts that a run which must judge everything does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Denied {
    /// The host cannot.
    Inapplicable,
    /// The subject refuses an optional value.
    Unsupported,
}

/// Why a waiver is not exercised whose case the run was not asked for.
pub(crate) const NOT_SELECTED: &str = "not among the cases of this run";

/// Decides for every case whether its verdict is as expected, and counts.
pub fn judge(
    run: &mut Run,
    files: &[ExpectationFile],
    level: FailLevel,
    host: &HostFacts,
    deny: &[Denied],
) {
    let waivers: Vec<&Waiver> = files
        .iter()
        .filter(|file| file.applies_to(&run.runtime))
        .flat_map(|file| &file.waivers)
        .collect();
    run.waivers_not_exercised.clear();
    for case in &mut run.cases {
        expect_without_waiver(case, level, deny);
    }
    for waiver in waivers {
        let case = run.cases.iter_mut().find(|case| case.id == waiver.case);
        let why = match (waiver.when.unmet(host), case) {
            (Some(unmet), _) => unmet,
            (None, None) => NOT_SELECTED.to_owned(),
            (None, Some(case)) if case.verdict == Verdict::Inapplicable => {
                format!(
                    "inapplicable: {}",
                    case.need.as_deref().unwrap_or("no reason recorded")
                )
            }
            (None, Some(case)) => {
                expect_waiver(case, waiver);
                continue;
            }
        };
        run.waivers_not_exercised.push(NotExercised {
            case: waiver.case.clone(),
            why,
        });
    }
    run.summary = runner::summary(&run.cases);
}

/// Refuses two waivers from different files for one case of one subject: which of them explains the
/// failure would be left to chance. Within one file, [`ExpectationFile::load`] refuses them.
///
/// # Errors
/// Names the case and both places.
pub fn refuse_doubled(files: &[ExpectationFile], runtime: &RuntimeFacts) -> Result<(), UsageError> {
    let mut seen: Vec<(&ExpectationFile, &Waiver)> = Vec::new();
    for file in files.iter().filter(|file| file.applies_to(runtime)) {
        for waiver in &file.waivers {
            if let Some((first, same)) = seen.iter().find(|(_, same)| same.case == waiver.case) {
                return Err(UsageError(format!(
                    "{}: a second waiver for {} of {}; the first is {}",
                    file.place(waiver.line),
                    waiver.case,
                    runtime.label,
                    first.place(same.line)
                )));
            }
            seen.push((file, waiver));
        }
    }
    Ok(())
}

/// The exit code of a run: 0 nothing unexpected, 1 something unexpected, 3 the harness broke
/// somewhere or judged no case of some subject. (2, a usage error, precedes any result.)
pub fn exit_code(results: &Results) -> u8 {
    let nothing_judged = |run: &Run| {
        run.cases
            .iter()
            .all(|case| case.verdict == Verdict::Inapplicable)
    };
    let broken = |run: &Run| run.cases.iter().any(|case| case.verdict == Verdict::Broken);
    let unexpected = |run: &Run| run.cases.iter().any(|case| !case.as_expected);
    if results.runs.is_empty()
        || results
            .runs
            .iter()
            .any(|run| nothing_judged(run) || broken(run))
    {
        3
    } else if results.runs.iter().any(unexpected) {
        1
    } else {
        0
    }
}

fn expect_without_waiver(case: &mut CaseResult, level: FailLevel, deny: &[Denied]) {
    let denied = match case.verdict {
        Verdict::Inapplicable => deny.contains(&Denied::Inapplicable),
        Verdict::Unsupported => deny.contains(&Denied::Unsupported),
        _ => false,
    };
    case.as_expected = !denied
        && match case.verdict {
            Verdict::Pass | Verdict::Unsupported | Verdict::Inapplicable => true,
            Verdict::Warn => level == FailLevel::Must,
            Verdict::Fail | Verdict::Timeout | Verdict::Broken => false,
        };
    case.unexpected_because = denied.then(|| format!("{} is denied", case.verdict.word()));
    case.waiver = None;
}

/// The waiver applies: its case was judged, on a host that it speaks of.
fn expect_waiver(case: &mut CaseResult, waiver: &Waiver) {
    case.waiver = Some(waiver.reason.clone());
    // Nothing excuses the harness, and its failure tells nothing about the subject's.
    if case.verdict == Verdict::Broken {
        return;
    }
    let mismatch = mismatch(case, waiver);
    case.as_expected = mismatch.is_none();
    case.unexpected_because = mismatch;
}

/// How a case is unlike its waiver, if it is.
fn mismatch(case: &CaseResult, waiver: &Waiver) -> Option<String> {
    if waiver.sometimes && matches!(case.verdict, Verdict::Pass | Verdict::Unsupported) {
        return None;
    }
    if case.verdict == Verdict::Pass {
        return Some("passes now".into());
    }
    let mut differences = Vec::new();
    if case.verdict != waiver.verdict.verdict() {
        differences.push(format!(
            "{} where the waiver says {}",
            case.verdict.word(),
            waiver.verdict.verdict().word()
        ));
    }
    let broken = runner::broken_clauses(&case.findings);
    for (clauses, others, words) in [
        (&broken, &waiver.clauses, "also breaks"),
        (&waiver.clauses, &broken, "does not break"),
    ] {
        let alone: Vec<&str> = clauses
            .iter()
            .filter(|id| !others.contains(id))
            .map(String::as_str)
            .collect();
        if !alone.is_empty() {
            differences.push(format!("{words} {}", alone.join(", ")));
        }
    }
    (!differences.is_empty()).then(|| format!("fails otherwise: {}", differences.join("; ")))
}

#[cfg(test)]
mod tests;

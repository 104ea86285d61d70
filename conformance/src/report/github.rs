//! Commands for GitHub's runner, which shows each as an annotation of the job: an error per case that
//! fails the run, a warning per broken SHOULD clause, a notice with the totals.
//!
//! The annotations name no file: what fails is a program, not a line of the repository. GitHub shows
//! ten of a kind per step, so that the tenth says how many there are more.

use std::io::{self, Write};

use super::{Clauses, broken_findings, escape, is_known, reason, title, totals, values};
use crate::results::{CaseResult, Results, Verdict};

/// Annotations of one kind that GitHub shows of a step.
const MOST: usize = 10;
/// Longest value that an annotation quotes.
const SHORT: usize = 200;

pub(super) fn write(
    clauses: Clauses<'_>,
    results: &Results,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    for run in &results.runs {
        let subject = escape::shortened(&title(run), SHORT);
        for case in run.cases.iter().filter(|case| !is_known(case)) {
            let annotation = || (format!("{subject}: {}", case.id), words(clauses, case));
            match (case.as_expected, case.verdict) {
                (false, _) => errors.push(annotation()),
                (true, Verdict::Warn) => warnings.push(annotation()),
                (true, _) => {}
            }
        }
    }
    annotate("error", &errors, out)?;
    annotate("warning", &warnings, out)?;
    for run in &results.runs {
        let subject = escape::shortened(&title(run), SHORT);
        let heading = format!("{subject}, judged by {}", run.spec_judged);
        command("notice", &heading, &totals(run), out)?;
    }
    Ok(())
}

fn annotate(kind: &str, annotations: &[(String, String)], out: &mut dyn Write) -> io::Result<()> {
    let shown = if annotations.len() > MOST {
        MOST - 1
    } else {
        annotations.len()
    };
    for (heading, message) in &annotations[..shown] {
        command(kind, heading, message, out)?;
    }
    match annotations.len() - shown {
        0 => Ok(()),
        left_out => {
            let heading = format!("and {left_out} more");
            command(
                kind,
                &heading,
                "the job's summary or the report lists them all",
                out,
            )
        }
    }
}

/// What is wrong with a case, in a few lines.
fn words(clauses: Clauses<'_>, case: &CaseResult) -> String {
    let mut lines = Vec::new();
    if let Some(because) = &case.unexpected_because {
        lines.push(because.clone());
    }
    for finding in broken_findings(case).take(4) {
        let clause = format!(
            "{} {} {}",
            clauses.force(finding),
            finding.clause,
            clauses.says(finding)
        );
        lines.push(clause.trim_end().to_owned());
        for (label, value) in [
            ("expected", &finding.expected_value),
            ("observed", &finding.observed_value),
        ] {
            let value = escape::shortened(&values::compact(value), SHORT);
            lines.push(format!("  {label} {value}"));
        }
    }
    if lines.is_empty() {
        lines.push(format!(
            "{}: {}",
            case.verdict.word(),
            escape::shortened(reason(case), SHORT)
        ));
    }
    if let Some(reference) = case.reference {
        lines.push(format!("the reference: {}", reference.word()));
    }
    // Line breaks are ours; those of the subject are shown.
    let lines: Vec<String> = lines.iter().map(|line| escape::line(line)).collect();
    lines.join("\n")
}

fn command(kind: &str, heading: &str, message: &str, out: &mut dyn Write) -> io::Result<()> {
    let heading = property(&escape::line(heading));
    writeln!(out, "::{kind} title={heading}::{}", data(message))
}

/// The text of a command, as GitHub's runner reads it back.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a command's property, where a colon and a comma end it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

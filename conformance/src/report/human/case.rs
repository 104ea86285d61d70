//! A case that is not as it should be: what it breaks, the evidence, and how to reproduce it.

use std::io;

use super::page::{Page, Tint};
use super::{argument, count};
use crate::report::{broken_findings, ending, escape, failing_step, values};
use crate::results::{CaseResult, Finding, Results, Run, Step, Verdict};

/// Lines of standard error that are shown as evidence.
const STDERR_LINES: usize = 3;

/// Everything about a case that did not pass.
pub(super) fn whole_case(
    results: &Results,
    run: &Run,
    case: &CaseResult,
    page: &mut Page,
) -> io::Result<()> {
    page.blank()?;
    page.verdict(case.verdict, &escape::line(&case.id))?;
    if let Some(because) = &case.unexpected_because {
        page.field(6, "unexpected", &escape::line(because))?;
    }
    if let Some(waiver) = &case.waiver {
        page.field(6, "waiver", &escape::line(waiver))?;
    }
    if matches!(case.verdict, Verdict::Broken | Verdict::Timeout)
        && let Some(need) = &case.need
    {
        page.field(6, "reason", &escape::line(need))?;
    }
    for finding in broken_findings(case) {
        clause(finding, page)?;
    }
    if case.verdict != Verdict::Pass
        && let Some(step) = failing_step(case)
    {
        evidence(step, page)?;
    }
    if case.attempts.len() > 1 {
        let attempts: Vec<&str> = case.attempts.iter().map(|verdict| verdict.word()).collect();
        page.field(6, "attempts", &attempts.join(", "))?;
    }
    if let Some(reference) = case.reference {
        page.field(6, "reference", reference_words(reference))?;
    }
    if case.verdict != Verdict::Pass {
        page.command(6, "reproduce", &reproduce(results, run, &case.id))?;
    }
    Ok(())
}

/// A clause that is broken, in words, and what was there instead.
fn clause(finding: &Finding, page: &mut Page) -> io::Result<()> {
    let text = match page.clauses.by_id(&finding.clause) {
        // The source of a statement that is ours; else the section, for a case may break clauses of
        // other sections than the one that heads it.
        Some(clause) => {
            let place = clause.source.unwrap_or(clause.section);
            format!("{} — {} ({place})", clause.id, clause.says)
        }
        None => finding.clause.clone(),
    };
    page.labelled(
        6,
        page.clauses.force(finding),
        Tint::Bold,
        &escape::line(&text),
    )?;
    if !finding.message.is_empty() {
        page.field(6, "looked at", &escape::line(&finding.message))?;
    }
    for line in values::difference(&finding.expected_value, &finding.observed_value) {
        page.field(6, line.label, &line.text)?;
    }
    Ok(())
}

/// The command that failed, and the end of what it said. That is evidence only: no verdict comes
/// from wording.
fn evidence(step: &Step, page: &mut Page) -> io::Result<()> {
    page.command(6, "command", &escape::line(&escape::shell(&step.argv)))?;
    page.field(6, "result", &escape::line(&ending(step)))?;
    let lines: Vec<&str> = step
        .stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let left_out = lines.len().saturating_sub(STDERR_LINES);
    let shown = &lines[left_out..];
    for (at, line) in shown.iter().enumerate() {
        let label = if at == 0 { "stderr" } else { "" };
        page.field(6, label, &escape::line(&escape::shortened(line, 300)))?;
    }
    if left_out > 0 {
        page.field(6, "", &format!("(and {} before)", count(left_out, "line")))?;
    }
    Ok(())
}

fn reference_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passes on this host",
        Verdict::Fail => "fails here too",
        Verdict::Warn => "gets a warning here too",
        Verdict::Timeout => "does not end in time here either",
        Verdict::Unsupported => "does not support it",
        Verdict::Inapplicable => "was not judged here",
        Verdict::Broken => "could not be judged here",
    }
}

/// The command that keeps a case's bundle and shows its steps.
pub(in crate::report) fn reproduce(results: &Results, run: &Run, case: &str) -> String {
    let mut words = vec![
        "oci-conformance".to_owned(),
        "repro".to_owned(),
        case.to_owned(),
    ];
    let runtime = &run.runtime;
    if !runtime.is_reference {
        let command = escape::shell(std::iter::once(&runtime.path).chain(&runtime.arguments));
        let label = if runtime.label == runtime.name {
            String::new()
        } else {
            format!("{}=", runtime.label)
        };
        words.extend(["--runtime".to_owned(), format!("{label}{command}")]);
    }
    // What changes how the subject is judged has to be the same again.
    for option in ["--spec-version", "--host-view"] {
        if let Some(value) = argument(results, option) {
            words.extend([option.to_owned(), value.to_owned()]);
        }
    }
    words.extend(["--dir".to_owned(), "DIR".to_owned()]);
    escape::line(&escape::shell(words))
}

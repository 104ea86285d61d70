//! TAP 14: one line a case, with what was found as a YAML block below it.
//!
//! A known failure is a TODO, a case that was not judged a SKIP; both are no failures to a consumer
//! of TAP, as they are none to the run's exit code.

use std::io::{self, Write};

use super::{Clauses, broken_findings, ending, escape, failing_step, is_known, reason, title};
use crate::results::{CaseResult, Results, Verdict};

pub(super) fn write(
    clauses: Clauses<'_>,
    results: &Results,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "TAP version 14")?;
    writeln!(
        out,
        "1..{}",
        results
            .runs
            .iter()
            .map(|run| run.cases.len())
            .sum::<usize>()
    )?;
    let mut number = 0;
    for run in &results.runs {
        writeln!(
            out,
            "# {}",
            escape::tap(&format!("{}, judged by {}", title(run), run.spec_judged))
        )?;
        for case in &run.cases {
            number += 1;
            // Consumers know a test by its description; those of several subjects must differ.
            let subject = if results.runs.len() > 1 {
                format!("{}: ", run.runtime.label)
            } else {
                String::new()
            };
            let description = escape::tap(&format!("{subject}{}", case.id));
            let (ok, directive) = outcome(case);
            let ok = if ok { "ok" } else { "not ok" };
            writeln!(out, "{ok} {number} - {description}{directive}")?;
            diagnose(clauses, case, out)?;
        }
    }
    Ok(())
}

/// Whether the test is `ok`, and its directive.
fn outcome(case: &CaseResult) -> (bool, String) {
    let directive = |word: &str, why: &str| format!(" # {word} {}", escape::tap(why));
    if is_known(case) {
        return (
            false,
            directive("TODO", case.waiver.as_deref().unwrap_or("")),
        );
    }
    match case.verdict {
        Verdict::Inapplicable | Verdict::Unsupported if case.as_expected => (
            true,
            directive(
                "SKIP",
                &format!("{}: {}", case.verdict.word(), reason(case)),
            ),
        ),
        _ => (case.as_expected, String::new()),
    }
}

/// The YAML block: every string in it is double-quoted, so none can end the block.
fn diagnose(clauses: Clauses<'_>, case: &CaseResult, out: &mut dyn Write) -> io::Result<()> {
    let said_all = matches!(
        case.verdict,
        Verdict::Pass | Verdict::Unsupported | Verdict::Inapplicable
    );
    if said_all && case.as_expected {
        return Ok(());
    }
    let text = escape::yaml_string;
    writeln!(out, "  ---")?;
    writeln!(out, "  verdict: {}", case.verdict.word())?;
    writeln!(out, "  duration_ms: {:.0}", case.seconds * 1000.0)?;
    if let Some(because) = &case.unexpected_because {
        writeln!(out, "  unexpected: {}", text(because))?;
    }
    if let Some(need) = &case.need {
        writeln!(out, "  reason: {}", text(need))?;
    }
    if let Some(reference) = case.reference {
        writeln!(out, "  reference: {}", reference.word())?;
    }
    if broken_findings(case).next().is_some() {
        writeln!(out, "  findings:")?;
    }
    for finding in broken_findings(case) {
        writeln!(out, "    - clause: {}", text(&finding.clause))?;
        writeln!(out, "      level: {}", clauses.force(finding))?;
        writeln!(out, "      message: {}", text(&finding.message))?;
        for (key, value) in [
            ("expected", &finding.expected_value),
            ("observed", &finding.observed_value),
        ] {
            // As text, since a TAP consumer only shows it.
            writeln!(
                out,
                "      {key}: {}",
                text(&escape::shortened(&value.to_string(), 1000))
            )?;
        }
    }
    if let Some(step) = failing_step(case) {
        writeln!(out, "  command: {}", text(&escape::shell(&step.argv)))?;
        writeln!(out, "  ended: {}", text(&ending(step)))?;
        writeln!(
            out,
            "  stderr: {}",
            text(&escape::shortened(&step.stderr, 1000))
        )?;
    }
    writeln!(out, "  ...")
}

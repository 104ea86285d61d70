//! A short report for a job's summary: what is unexpected first, as a table; what is known and what
//! was not judged folded away.

use std::io::{self, Write};

use super::{
    Clauses, broken_findings, common_reason, ending, escape, failing_step, is_known, reason, title,
    totals, values,
};
use crate::results::{CaseResult, Results, Run, Verdict};

/// Longest value in a cell.
const SHORT: usize = 120;
/// Most lines about one clause in a cell.
const MOST_LINES: usize = 6;

pub(super) fn write(
    clauses: Clauses<'_>,
    results: &Results,
    out: &mut dyn Write,
) -> io::Result<()> {
    for run in &results.runs {
        subject(clauses, run, out)?;
    }
    let root = if results.host.root {
        "root"
    } else {
        "not root"
    };
    let host = &results.host;
    let text = format!(
        "Linux {} {}, cgroup {}, {root}",
        host.kernel, host.machine, host.cgroup
    );
    writeln!(out, "Host: {}", escape::markdown(&text))
}

fn subject(clauses: Clauses<'_>, run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let mark = if run.summary.unexpected > 0 {
        "not as expected"
    } else {
        "as expected"
    };
    writeln!(
        out,
        "## {}, judged by {}: {mark}\n",
        escape::markdown(&title(run)),
        escape::markdown(&run.spec_judged)
    )?;
    writeln!(out, "{}\n", totals(run))?;
    let (mut unexpected, mut warned): (Vec<_>, Vec<_>) = run
        .cases
        .iter()
        .filter(|case| !case.as_expected || case.verdict == Verdict::Warn)
        .partition(|case| !case.as_expected);
    // Stable, so that cases of one verdict stay in their order.
    unexpected.sort_by_key(|case| std::cmp::Reverse(urgency(case)));
    warned.retain(|case| !is_known(case));
    table(clauses, &unexpected, out)?;
    folded(
        "Warnings that do not fail the run",
        &warned,
        out,
        |cases, out| table(clauses, cases, out),
    )?;
    let known: Vec<&CaseResult> = run.cases.iter().filter(|case| is_known(case)).collect();
    folded("Known failures", &known, out, |cases, out| {
        reasons(cases, |case| case.waiver.as_deref().unwrap_or(""), out)
    })?;
    let not_judged: Vec<&CaseResult> = run
        .cases
        .iter()
        .filter(|case| matches!(case.verdict, Verdict::Unsupported | Verdict::Inapplicable))
        .filter(|case| case.as_expected)
        .collect();
    folded("Not judged", &not_judged, out, |cases, out| {
        reasons(cases, common_reason, out)
    })
}

/// Failures first, what a waiver says wrongly last.
fn urgency(case: &CaseResult) -> u8 {
    match case.verdict {
        Verdict::Fail => 5,
        Verdict::Timeout => 4,
        Verdict::Broken => 3,
        Verdict::Warn => 2,
        Verdict::Unsupported | Verdict::Inapplicable => 1,
        Verdict::Pass => 0,
    }
}

/// A row per broken clause, or per case where none is.
fn table(clauses: Clauses<'_>, cases: &[&CaseResult], out: &mut dyn Write) -> io::Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    writeln!(out, "| verdict | case | clause | found |")?;
    writeln!(out, "|---|---|---|---|")?;
    for case in cases {
        let verdict = match case.reference {
            Some(reference) => format!(
                "**{}** (the reference: {})",
                case.verdict.word(),
                reference.word()
            ),
            None => format!("**{}**", case.verdict.word()),
        };
        let start = format!("| {verdict} | {} |", escape::markdown(&case.id));
        let because = case.unexpected_because.as_deref();
        if broken_findings(case).next().is_none() {
            let step = failing_step(case)
                .filter(|_| case.verdict != Verdict::Pass)
                .map_or_else(String::new, |step| {
                    format!(
                        "<br>{}: {}",
                        escape::markdown(&short(&escape::shell(&step.argv))),
                        escape::markdown(&ending(step))
                    )
                });
            let why = because.unwrap_or(reason(case));
            writeln!(out, "{start} | {}{step} |", escape::markdown_text(why))?;
        }
        for finding in broken_findings(case) {
            let says = match clauses.says(finding) {
                "" => String::new(),
                says => format!("<br>{}", escape::markdown_text(says)),
            };
            let because = because.map_or_else(String::new, |why| {
                format!("<br>{}", escape::markdown_text(why))
            });
            let found: Vec<String> =
                values::difference(&finding.expected_value, &finding.observed_value)
                    .iter()
                    .take(MOST_LINES)
                    .map(|line| format!("{} {}", line.label, escape::markdown(&short(&line.text))))
                    .collect();
            let (force, clause) = (clauses.force(finding), escape::markdown(&finding.clause));
            writeln!(
                out,
                "{start} {force} {clause}{says} | {}{because} |",
                found.join("<br>")
            )?;
        }
    }
    writeln!(out)
}

/// One line per reason, with the cases that it explains.
fn reasons<'a>(
    cases: &[&'a CaseResult],
    why: impl Fn(&'a CaseResult) -> &'a str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut seen: Vec<(&str, Vec<String>)> = Vec::new();
    for case in cases {
        let id = escape::markdown(&case.id);
        match seen.iter_mut().find(|(reason, _)| *reason == why(case)) {
            Some((_, ids)) => ids.push(id),
            None => seen.push((why(case), vec![id])),
        }
    }
    for (reason, ids) in seen {
        // The ids first: a reason at the start of an item could begin a list of its own.
        writeln!(
            out,
            "- {}: {}",
            ids.join(", "),
            escape::markdown_text(reason)
        )?;
    }
    writeln!(out)
}

fn folded(
    heading: &str,
    cases: &[&CaseResult],
    out: &mut dyn Write,
    inside: impl Fn(&[&CaseResult], &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    // The blank line ends the HTML block, so that Markdown goes on inside.
    writeln!(
        out,
        "<details><summary>{heading}: {}</summary>\n",
        cases.len()
    )?;
    inside(cases, out)?;
    writeln!(out, "</details>\n")
}

fn short(text: &str) -> String {
    escape::shortened(text, SHORT)
}

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
/// Bytes that tables and lists may have, of all subjects together: a job's summary on GitHub is
/// dropped as a whole if it is larger than 1 MiB.
const BUDGET: usize = 800 * 1024;

pub(super) fn write(
    clauses: Clauses<'_>,
    results: &Results,
    out: &mut dyn Write,
) -> io::Result<()> {
    let budget = BUDGET / results.runs.len().max(1);
    for run in &results.runs {
        subject(clauses, run, budget, out)?;
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

fn subject(clauses: Clauses<'_>, run: &Run, budget: usize, out: &mut dyn Write) -> io::Result<()> {
    let mark = if run.summary.unexpected > 0 {
        "not as expected"
    } else {
        "as expected"
    };
    writeln!(
        out,
        "## {}, judged by {}: {mark}\n",
        escape::markdown(&short(&title(run))),
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
    // What fails the run has half of it, the three that are folded away share the rest.
    let folded_budget = budget / 6;
    bounded(&table_lines(clauses, &unexpected), budget / 2, out)?;
    folded(
        "Warnings that do not fail the run",
        &warned,
        out,
        |cases, out| bounded(&table_lines(clauses, cases), folded_budget, out),
    )?;
    let known: Vec<&CaseResult> = run.cases.iter().filter(|case| is_known(case)).collect();
    folded("Known failures", &known, out, |cases, out| {
        let why = |case: &'_ CaseResult| case.waiver.clone().unwrap_or_default();
        bounded(&reason_lines(cases, why), folded_budget, out)
    })?;
    let not_judged: Vec<&CaseResult> = run
        .cases
        .iter()
        .filter(|case| matches!(case.verdict, Verdict::Unsupported | Verdict::Inapplicable))
        .filter(|case| case.as_expected)
        .collect();
    folded("Not judged", &not_judged, out, |cases, out| {
        let why = |case: &'_ CaseResult| common_reason(case).to_owned();
        bounded(&reason_lines(cases, why), folded_budget, out)
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

/// Writes lines as far as they fit, and how many do not.
fn bounded(lines: &[String], budget: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut left = budget;
    let fits = |line: &&String| match left.checked_sub(line.len() + 1) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let shown = lines.iter().take_while(fits).count();
    for line in &lines[..shown] {
        writeln!(out, "{line}")?;
    }
    let left_out = lines.len() - shown;
    if left_out > 0 {
        writeln!(
            out,
            "\n… and {left_out} lines more, too many for a summary: the other formats have all"
        )?;
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    Ok(())
}

/// A row per broken clause, or per case where none is.
fn table_lines(clauses: Clauses<'_>, cases: &[&CaseResult]) -> Vec<String> {
    if cases.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        "| verdict | case | clause | found |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    for case in cases {
        let verdict = match case.reference {
            Some(reference) => format!(
                "**{}** (the reference: {})",
                case.verdict.word(),
                reference.word()
            ),
            None => format!("**{}**", case.verdict.word()),
        };
        let start = format!("| {verdict} | {} |", escape::markdown(&short(&case.id)));
        let because = case.unexpected_because.as_deref();
        if broken_findings(case).next().is_none() {
            let step = failing_step(case)
                .filter(|_| case.verdict != Verdict::Pass)
                .map_or_else(String::new, |step| {
                    format!(
                        "<br>{}: {}",
                        escape::markdown(&short(&escape::shell(&step.argv))),
                        escape::markdown(&short(&ending(step)))
                    )
                });
            let why = long(because.unwrap_or(reason(case)));
            lines.push(format!("{start} | {}{step} |", escape::markdown_text(&why)));
        }
        for finding in broken_findings(case) {
            let says = match clauses.says(finding) {
                "" => String::new(),
                says => format!("<br>{}", escape::markdown_text(says)),
            };
            let because = because.map_or_else(String::new, |why| {
                format!("<br>{}", escape::markdown_text(&long(why)))
            });
            let found: Vec<String> =
                values::difference(&finding.expected_value, &finding.observed_value)
                    .iter()
                    .take(MOST_LINES)
                    .map(|line| format!("{} {}", line.label, escape::markdown(&short(&line.text))))
                    .collect();
            let (force, clause) = (clauses.force(finding), escape::markdown(&finding.clause));
            lines.push(format!(
                "{start} {force} {clause}{says} | {}{because} |",
                found.join("<br>")
            ));
        }
    }
    lines
}

/// One line per reason, with the cases that it explains.
fn reason_lines(cases: &[&CaseResult], why: impl Fn(&CaseResult) -> String) -> Vec<String> {
    let mut seen: Vec<(String, Vec<String>)> = Vec::new();
    for case in cases {
        let id = escape::markdown(&short(&case.id));
        let why = why(case);
        match seen.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, ids)) => ids.push(id),
            None => seen.push((why, vec![id])),
        }
    }
    // The ids first: a reason at the start of an item could begin a list of its own.
    let line = |(reason, ids): (String, Vec<String>)| {
        let reason = escape::markdown_text(&long(&reason));
        format!("- {}: {reason}", ids.join(", "))
    };
    seen.into_iter().map(line).collect()
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

/// For sentences, which are cut later than values.
fn long(text: &str) -> String {
    escape::shortened(text, 5 * SHORT)
}

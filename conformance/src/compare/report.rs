//! A comparison, written down.

use std::io::{self, Write};

use oci_runtime_schemas::Catalogue;
use serde_json::{Value, json};

use super::history::{Change, Kind, Side};
use super::matrix::{Section, Total};
use super::{Comparison, History, Matrix};
use crate::report::{escape, values};
use crate::results::Verdict;

/// Version of the JSON form.
const FORMAT: u32 = 1;
/// Most cases that are listed under a heading; JSON lists all.
const MOST_LISTED: usize = 50;
/// Longest value in a cell of Markdown.
const SHORT: usize = 120;
/// Stands for the verdict of a case that results lack.
const ABSENT: &str = "—";

pub(super) fn human(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    match comparison {
        Comparison::Histories(histories) => {
            for (at, history) in histories.iter().enumerate() {
                if at > 0 {
                    writeln!(out)?;
                }
                human_history(history, out)?;
            }
            Ok(())
        }
        Comparison::Matrix(matrix) => human_matrix(matrix, out),
    }
}

fn human_history(history: &History, out: &mut dyn Write) -> io::Result<()> {
    let side = |side: &Side| format!("{} ({})", side.title, side.file);
    let head = format!("{} → {}", side(&history.before), side(&history.after));
    writeln!(out, "{}", escape::line(&head))?;
    for fact in &history.unlike {
        writeln!(out, "  {}", escape::line(fact))?;
    }
    for kind in Kind::ALL {
        let changes: Vec<&Change> = history.of_kind(kind).collect();
        if changes.is_empty() {
            continue;
        }
        writeln!(out, "\n{}: {}", heading(kind), changes.len())?;
        for change in changes.iter().take(MOST_LISTED) {
            human_change(change, out)?;
        }
        if let Some(more) = more(changes.len()) {
            writeln!(out, "  {more}")?;
        }
    }
    writeln!(out, "\n{}", totals(history))
}

fn human_change(change: &Change, out: &mut dyn Write) -> io::Result<()> {
    let line = format!("{}: {}", change.case, verdicts(change));
    writeln!(out, "  {}", escape::line(&line))?;
    if change.kind == Kind::Added || change.kind == Kind::Removed {
        return Ok(());
    }
    for finding in &change.evidence {
        let clause = format!("{} {}", force(&finding.clause), finding.clause);
        writeln!(out, "      now broken: {}", escape::line(clause.trim()))?;
        for line in values::difference(&finding.expected_value, &finding.observed_value) {
            writeln!(out, "          {:8} {}", line.label, line.text)?;
        }
    }
    for clause in &change.no_longer_broken {
        writeln!(out, "      no longer broken: {}", escape::line(clause))?;
    }
    Ok(())
}

fn human_matrix(matrix: &Matrix, out: &mut dyn Write) -> io::Result<()> {
    for (at, column) in matrix.columns.iter().enumerate() {
        let about = format!(
            "{}: judged by {}, {}",
            column.title, column.spec_judged, column.host
        );
        writeln!(out, "{}  {}", at + 1, escape::line(&about))?;
    }
    let mut rows = vec![row("cases that pass, of those judged", matrix, |at| {
        (at + 1).to_string()
    })];
    for section in &matrix.sections {
        rows.push(row(&section.name, matrix, |at| cell(section.totals[at])));
        for difference in &section.differences {
            rows.push(row(&format!("  {}", difference.case), matrix, |at| {
                word(difference.verdicts[at]).into()
            }));
        }
    }
    rows.push(row("all", matrix, |at| cell(matrix.total(at))));
    writeln!(out)?;
    let width = |at: usize| {
        rows.iter()
            .map(|row| row[at].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..=matrix.columns.len()).map(width).collect();
    for row in &rows {
        let mut line = format!("{:1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out, "\n{}", difference_count(matrix))
}

/// A row of the table: its head and a cell per column, escaped.
fn row(head: &str, matrix: &Matrix, cell: impl Fn(usize) -> String) -> Vec<String> {
    let cells = (0..matrix.columns.len()).map(cell);
    std::iter::once(escape::line(head)).chain(cells).collect()
}

pub(super) fn markdown(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    match comparison {
        Comparison::Histories(histories) => histories
            .iter()
            .try_for_each(|history| markdown_history(history, out)),
        Comparison::Matrix(matrix) => markdown_matrix(matrix, out),
    }
}

fn markdown_history(history: &History, out: &mut dyn Write) -> io::Result<()> {
    let mark = if history.is_worse() {
        "worse"
    } else {
        "not worse"
    };
    let [before, after] =
        [&history.before, &history.after].map(|side| escape::markdown(&short(&side.title)));
    writeln!(out, "## {before} → {after}: {mark}\n")?;
    writeln!(out, "{}\n", totals(history))?;
    for fact in &history.unlike {
        writeln!(out, "- {}", escape::markdown_text(&short(fact)))?;
    }
    if !history.unlike.is_empty() {
        writeln!(out)?;
    }
    for kind in Kind::ALL {
        let changes: Vec<&Change> = history.of_kind(kind).collect();
        if changes.is_empty() {
            continue;
        }
        let summary = format!("{}: {}", heading(kind), changes.len());
        // What got worse is why someone looks; the rest opens on demand.
        let is_open = if kind == Kind::Broken { " open" } else { "" };
        writeln!(out, "<details{is_open}><summary>{summary}</summary>\n")?;
        writeln!(out, "| case | verdict | clauses |\n|---|---|---|")?;
        for change in changes.iter().take(MOST_LISTED) {
            writeln!(
                out,
                "| {} | {} | {} |",
                escape::markdown(&short(&change.case)),
                escape::markdown_text(&verdicts(change)),
                markdown_clauses(change)
            )?;
        }
        if let Some(more) = more(changes.len()) {
            writeln!(out, "\n{more}")?;
        }
        writeln!(out, "\n</details>\n")?;
    }
    Ok(())
}

fn markdown_clauses(change: &Change) -> String {
    if change.kind == Kind::Added || change.kind == Kind::Removed {
        return String::new();
    }
    let mut lines = Vec::new();
    for finding in &change.evidence {
        let clause = escape::markdown(&short(&finding.clause));
        lines.push(format!("now broken: {} {clause}", force(&finding.clause)));
        let values = values::difference(&finding.expected_value, &finding.observed_value);
        lines.extend(
            values
                .iter()
                .take(4)
                .map(|line| format!("{} {}", line.label, escape::markdown(&short(&line.text)))),
        );
    }
    for clause in &change.no_longer_broken {
        lines.push(format!(
            "no longer broken: {}",
            escape::markdown(&short(clause))
        ));
    }
    lines.join("<br>")
}

fn markdown_matrix(matrix: &Matrix, out: &mut dyn Write) -> io::Result<()> {
    let titles: String = matrix
        .columns
        .iter()
        .map(|column| format!(" {} |", escape::markdown(&short(&column.title))))
        .collect();
    writeln!(out, "| cases that pass, of those judged |{titles}")?;
    writeln!(out, "|---|{}", "--:|".repeat(matrix.columns.len()))?;
    let totals = |totals: &mut dyn Iterator<Item = Total>| -> String {
        totals.map(|total| format!(" {} |", cell(total))).collect()
    };
    for section in &matrix.sections {
        let cells = totals(&mut section.totals.iter().copied());
        writeln!(out, "| {} |{cells}", escape::markdown_text(&section.name))?;
    }
    let cells = totals(&mut (0..matrix.columns.len()).map(|at| matrix.total(at)));
    writeln!(out, "| **all** |{cells}\n")?;
    writeln!(out, "{}\n", difference_count(matrix))?;
    let differing = |section: &&Section| !section.differences.is_empty();
    for section in matrix.sections.iter().filter(differing) {
        writeln!(
            out,
            "<details><summary>{}: {}</summary>\n",
            escape::markdown_text(&section.name),
            section.differences.len()
        )?;
        writeln!(out, "| case |{titles}")?;
        writeln!(out, "|---|{}", "---|".repeat(matrix.columns.len()))?;
        for difference in section.differences.iter().take(MOST_LISTED) {
            let cells: String = difference
                .verdicts
                .iter()
                .map(|verdict| format!(" {} |", word(*verdict)))
                .collect();
            writeln!(
                out,
                "| {} |{cells}",
                escape::markdown(&short(&difference.case))
            )?;
        }
        if let Some(more) = more(section.differences.len()) {
            writeln!(out, "\n{more}")?;
        }
        writeln!(out, "\n</details>\n")?;
    }
    Ok(())
}

pub(super) fn json(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let mut document = json!({
        "format": FORMAT,
        "tool": {"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")},
    });
    let (key, value) = match comparison {
        Comparison::Histories(histories) => (
            "histories",
            histories.iter().map(json_history).collect::<Value>(),
        ),
        Comparison::Matrix(matrix) => ("matrix", json_matrix(matrix)),
    };
    document["worse"] = comparison.is_worse().into();
    document[key] = value;
    let text = serde_json::to_string_pretty(&document)?;
    writeln!(out, "{}", escape::json(&text))
}

fn json_history(history: &History) -> Value {
    let side = |side: &Side| json!({"file": side.file, "runtime": side.title});
    let changes: Vec<Value> = history
        .changes
        .iter()
        .map(|change| {
            json!({
                "case": change.case,
                "kind": change.kind.word(),
                "before": change.before,
                "after": change.after,
                "newly_broken": change.newly_broken,
                "no_longer_broken": change.no_longer_broken,
            })
        })
        .collect();
    json!({
        "before": side(&history.before),
        "after": side(&history.after),
        "worse": history.is_worse(),
        "unlike": history.unlike,
        "alike": history.alike,
        "changes": changes,
    })
}

fn json_matrix(matrix: &Matrix) -> Value {
    let columns: Vec<Value> = matrix
        .columns
        .iter()
        .map(|column| {
            json!({
                "runtime": column.title,
                "file": column.file,
                "spec_judged": column.spec_judged,
                "host": column.host,
            })
        })
        .collect();
    let total = |total: &Total| json!({"pass": total.pass, "judged": total.judged});
    let sections: Vec<Value> = matrix
        .sections
        .iter()
        .map(|section| {
            let differences: Vec<Value> = section
                .differences
                .iter()
                .map(|difference| json!({"case": difference.case, "verdicts": difference.verdicts}))
                .collect();
            json!({
                "section": section.name,
                "totals": section.totals.iter().map(total).collect::<Vec<_>>(),
                "differences": differences,
            })
        })
        .collect();
    json!({"runtimes": columns, "sections": sections})
}

fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Broken => "Broken: worse than before",
        Kind::Fixed => "Fixed: passes now",
        Kind::Changed => "Changed",
        Kind::Added => "Added: only in the later results",
        Kind::Removed => "Removed: only in the earlier results",
    }
}

/// `2 broken, 1 fixed, 0 changed, 3 added, 0 removed, 412 alike — worse`.
fn totals(history: &History) -> String {
    let mut counts: Vec<String> = Kind::ALL
        .into_iter()
        .map(|kind| format!("{} {}", history.of_kind(kind).count(), kind.word()))
        .collect();
    counts.push(format!("{} alike", history.alike));
    let mark = if history.is_worse() {
        "worse"
    } else {
        "not worse"
    };
    format!("{} — {mark}", counts.join(", "))
}

/// `pass → fail`; for what only one run has, its verdict there.
fn verdicts(change: &Change) -> String {
    let verdicts = match (change.before, change.after) {
        (Some(before), Some(after)) => format!("{} → {}", before.word(), after.word()),
        (Some(only), None) | (None, Some(only)) => only.word().to_owned(),
        (None, None) => String::new(),
    };
    match &change.need {
        Some(need) => format!("{verdicts} ({})", short(need)),
        None => verdicts,
    }
}

fn difference_count(matrix: &Matrix) -> String {
    let differing: usize = matrix
        .sections
        .iter()
        .map(|section| section.differences.len())
        .sum();
    match differing {
        0 => "no case has differing verdicts".into(),
        1 => "1 case has differing verdicts".into(),
        count => format!("{count} cases have differing verdicts"),
    }
}

fn more(count: usize) -> Option<String> {
    let left_out = count.checked_sub(MOST_LISTED).filter(|more| *more > 0)?;
    Some(format!("… and {left_out} more; --format json lists all"))
}

fn cell(total: Total) -> String {
    match total.judged {
        0 => ABSENT.into(),
        judged => format!("{}/{judged}", total.pass),
    }
}

fn word(verdict: Option<Verdict>) -> &'static str {
    verdict.map_or(ABSENT, Verdict::word)
}

fn force(clause: &str) -> &'static str {
    Catalogue::get()
        .by_id(clause)
        .map_or("", |clause| clause.force())
}

fn short(text: &str) -> String {
    escape::shortened(text, SHORT)
}

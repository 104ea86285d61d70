//! Annotations on a pull request: GitHub's workflow commands, one a finding.

use super::{Judged, Lines, Place, Report, Summary, counted, escape};
use crate::finding::{Finding, Severity};
use oci_runtime_schemas::Catalogue;

pub(super) struct Github;

impl Report for Github {
    fn file(&self, judged: &Judged) -> String {
        if judged.findings.is_empty() {
            return String::new();
        }
        let lines = Lines::of(judged.document.text());
        let path = judged.path.to_string_lossy();
        let all = judged.findings.iter();
        all.map(|finding| command(&path, finding, &lines)).collect()
    }

    fn end(&self, summary: &Summary) -> String {
        format!(
            "{} judged: {}, {}, {}; {} skipped, {} not judged\n",
            counted(summary.files, "file"),
            counted(summary.errors, "error"),
            counted(summary.warnings, "warning"),
            counted(summary.notes, "note"),
            summary.skipped,
            summary.failures.len(),
        )
    }
}

fn command(path: &str, finding: &Finding, lines: &Lines<'_>) -> String {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let place = lines.place(&finding.span);
    let mut message = escape::terminal(&finding.message);
    if let Some(help) = &finding.help {
        message.push_str("\nhelp: ");
        message.push_str(&escape::terminal_lines(help));
    }
    if let Some(clause) = finding.clause.and_then(|id| Catalogue::get().by_id(id)) {
        message.push_str(&format!(
            "\nclause: {} ({}), {}",
            clause.id,
            clause.force(),
            clause.reference()
        ));
    }
    // Columns mean nothing to GitHub unless both are on one line.
    let (column, end_column) = if place.start.line == place.end.line {
        let Place { start, end } = place;
        (
            format!("col={},", start.column),
            format!("endColumn={},", end.column),
        )
    } else {
        (String::new(), String::new())
    };
    format!(
        "::{command} file={},line={},{column}endLine={},{end_column}title={}::{}\n",
        escape::command_property(&escape::terminal(path)),
        place.start.line,
        place.end.line,
        escape::command_property(finding.rule),
        escape::command_data(&message),
    )
}

//! One JSON document, a line a file. `schemas/validation.schema.json` describes it.

use serde_json::{Value, json};

use super::{Judged, Lines, Report, Summary, escape};
use crate::finding::{Finding, Fix};
use crate::fix::Change;
use oci_runtime_schemas::Catalogue;

/// The version of the document's own format.
const FORMAT: u32 = 1;

pub(super) struct Json;

impl Report for Json {
    fn head(&self) -> String {
        let tool = json!({"name": "oci-validate", "version": env!("CARGO_PKG_VERSION")});
        format!("{{\"format\":{FORMAT},\"tool\":{tool},\"files\":[\n")
    }

    fn separator(&self) -> &'static str {
        ",\n"
    }

    fn tells_changes(&self) -> bool {
        true
    }

    fn file(&self, judged: &Judged) -> String {
        let findings: Vec<Value> = if judged.findings.is_empty() {
            Vec::new()
        } else {
            let lines = Lines::of(judged.document.text());
            let all = judged.findings.iter();
            all.map(|one| finding(one, &lines)).collect()
        };
        let mut file = json!({
            "path": judged.path.to_string_lossy(),
            "kind": judged.kind,
            "spec": judged.spec.map(|version| version.to_string()),
            "findings": findings,
        });
        if !judged.changes.is_empty() {
            file["fixed"] = judged.changes.iter().map(changed).collect();
        }
        escape::json(&file.to_string())
    }

    fn end(&self, summary: &Summary) -> String {
        let unread: Vec<Value> = summary
            .failures
            .iter()
            .map(|failure| {
                json!({
                    "path": failure.path.to_string_lossy(),
                    "error": failure.why,
                    "internal": failure.internal,
                })
            })
            .collect();
        let summary = json!({
            "files": summary.files,
            "errors": summary.errors,
            "warnings": summary.warnings,
            "notes": summary.notes,
            "fixed": summary.fixed,
            "skipped": summary.skipped,
            "not_judged": unread,
            "exit": summary.exit,
        });
        escape::json(&format!("\n],\"summary\":{summary}}}\n"))
    }
}

fn finding(finding: &Finding, lines: &Lines<'_>) -> Value {
    let clause = finding.clause.and_then(|id| Catalogue::get().by_id(id));
    let related: Vec<Value> = finding
        .related
        .iter()
        .map(|(span, label)| json!({"range": lines.place(span).to_json(), "message": label}))
        .collect();
    json!({
        "rule": finding.rule,
        "clause": finding.clause,
        "level": clause.map(|clause| clause.level.as_str()),
        "severity": finding.severity.name(),
        "pointer": finding.pointer,
        "range": lines.place(&finding.span).to_json(),
        "message": finding.message,
        "help": finding.help,
        "related": related,
        "fix": finding.fix.as_ref().map(|Fix { span, replacement }| {
            json!({"range": lines.place(span).to_json(), "replacement": replacement})
        }),
    })
}

fn changed(change: &Change) -> Value {
    json!({
        "rule": change.rule,
        "pointer": change.pointer,
        "line": change.at.line,
        "column": change.at.column,
        "message": change.message,
        "before": change.before,
        "after": change.after,
    })
}

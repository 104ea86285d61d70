//! SARIF 2.1.0: one run, all rules with their pages, a result a finding.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};

use super::{Failure, Judged, Lines, Place, Report, Style, Summary, escape};
use crate::cli::explain::severity as usual_severity;
use crate::finding::{Finding, Fix, Severity};
use crate::rule::Rule;
use crate::rules;
use oci_runtime_schemas::Catalogue;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

pub(super) struct Sarif {
    arguments: Vec<String>,
    /// Places of the rules in the driver's list.
    places: HashMap<&'static str, usize>,
}

impl Sarif {
    pub(super) fn new(style: Style) -> Sarif {
        Sarif {
            arguments: style.arguments,
            places: rules::all().map(|rule| rule.id).zip(0..).collect(),
        }
    }
}

impl Report for Sarif {
    fn head(&self) -> String {
        let driver = json!({
            "name": "oci-validate",
            "version": env!("CARGO_PKG_VERSION"),
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules::all().map(descriptor).collect::<Vec<_>>(),
        });
        let driver = escape::json(&driver.to_string());
        format!(
            "{{\"$schema\":\"{SCHEMA}\",\"version\":\"2.1.0\",\"runs\":[{{\
             \"tool\":{{\"driver\":{driver}}},\"columnKind\":\"unicodeCodePoints\",\
             \"results\":[\n"
        )
    }

    fn separator(&self) -> &'static str {
        ",\n"
    }

    fn file(&self, judged: &Judged) -> String {
        if judged.findings.is_empty() {
            return String::new();
        }
        let lines = Lines::of(judged.document.text());
        let results: Vec<String> = judged
            .findings
            .iter()
            .map(|finding| self.result(&judged.path, finding, &lines).to_string())
            .collect();
        escape::json(&results.join(",\n"))
    }

    fn end(&self, summary: &Summary) -> String {
        let invocation = json!({
            "executionSuccessful": summary.failures.is_empty(),
            "exitCode": summary.exit,
            "arguments": self.arguments,
            "toolExecutionNotifications":
                summary.failures.iter().map(notification).collect::<Vec<_>>(),
        });
        escape::json(&format!("\n],\"invocations\":[{invocation}]}}]}}\n"))
    }
}

impl Sarif {
    fn result(&self, path: &Path, finding: &Finding, lines: &Lines<'_>) -> Value {
        let clause = finding.clause.and_then(|id| Catalogue::get().by_id(id));
        let mut text = finding.message.clone();
        if let Some(help) = &finding.help {
            text.push_str("\nHelp: ");
            text.push_str(help);
        }
        if let Some(clause) = clause {
            let reference = clause.reference();
            text.push_str(&format!(
                "\nClause: {} ({}), {reference}",
                clause.id,
                clause.force()
            ));
        }
        let mut location = physical(path, lines.place(&finding.span));
        location["logicalLocations"] = json!([{"fullyQualifiedName": finding.pointer}]);
        let mut result = json!({
            "ruleId": finding.rule,
            "ruleIndex": self.places.get(finding.rule).map_or(-1, |place| *place as i64),
            "level": level(finding.severity),
            "message": {"text": text},
            "locations": [location],
            "properties": {
                "pointer": finding.pointer,
                "clause": finding.clause,
                "level": clause.map(|clause| clause.level.as_str()),
            },
        });
        if !finding.related.is_empty() {
            let related = finding.related.iter().map(|(span, label)| {
                let mut location = physical(path, lines.place(span));
                location["message"] = json!({"text": label});
                location
            });
            result["relatedLocations"] = related.collect();
        }
        if let Some(fix) = &finding.fix {
            result["fixes"] = json!([mend(path, fix, lines)]);
        }
        result
    }
}

fn descriptor(rule: &'static Rule) -> Value {
    let clauses: Vec<String> = rule
        .clauses
        .iter()
        .filter_map(|id| Catalogue::get().by_id(id))
        .map(|clause| format!("{} ({}): {}", clause.id, clause.force(), clause.says))
        .collect();
    let mut help = rule.page.to_owned();
    if !clauses.is_empty() {
        help.push_str("\n\n");
        help.push_str(&clauses.join("\n"));
    }
    if !rule.source.is_empty() {
        help.push_str("\n\nSource: ");
        help.push_str(rule.source);
    }
    json!({
        "id": rule.id,
        "shortDescription": {"text": first_sentence(rule.page)},
        "fullDescription": {"text": rule.page},
        "help": {"text": help},
        "defaultConfiguration": {"level": level(usual_severity(rule))},
        "properties": {"tags": [rule.profile.name()], "clauses": rule.clauses},
    })
}

fn first_sentence(page: &str) -> &str {
    page.find(". ").map_or(page, |end| &page[..=end])
}

fn level(severity: Severity) -> &'static str {
    severity.name()
}

fn artifact(path: &Path) -> Value {
    json!({"uri": escape::uri(path)})
}

fn region(place: Place) -> Value {
    json!({
        "startLine": place.start.line,
        "startColumn": place.start.column,
        "endLine": place.end.line,
        "endColumn": place.end.column,
    })
}

fn physical(path: &Path, place: Place) -> Value {
    json!({"physicalLocation": {"artifactLocation": artifact(path), "region": region(place)}})
}

fn mend(path: &Path, fix: &Fix, lines: &Lines<'_>) -> Value {
    json!({
        "description": {"text": "what mends it for certain"},
        "artifactChanges": [{
            "artifactLocation": artifact(path),
            "replacements": [{
                "deletedRegion": region(lines.place(&fix.span)),
                "insertedContent": {"text": fix.replacement},
            }],
        }],
    })
}

fn notification(failure: &Failure) -> Value {
    json!({
        "level": "error",
        "message": {"text": failure.why},
        "locations": [{"physicalLocation": {"artifactLocation": artifact(&failure.path)}}],
    })
}

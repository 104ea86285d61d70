//! `oci-validate rules`: what is judged, and what is not.

use std::collections::{BTreeMap, BTreeSet};

use oci_runtime_schemas::{Catalogue, SchemaKind};
use serde_json::{Value, json};

use super::arguments::ListFormat;
use super::explain::severity;
use crate::rules::{self, UNJUDGED};

/// All rules in that format.
pub(super) fn list(format: ListFormat) -> String {
    match format {
        ListFormat::Table => table(),
        ListFormat::Json => json_list(),
        ListFormat::Markdown => markdown(),
    }
}

fn table() -> String {
    let width = rules::all().map(|rule| rule.id.len()).max().unwrap_or(0);
    let mut out = format!(
        "{:width$}  {:8}  {:8}  based on\n",
        "rule", "profile", "severity"
    );
    let mut count = 0;
    for rule in rules::all() {
        let basis = match rule.clauses {
            [] => rule.source.to_owned(),
            [one] => (*one).to_owned(),
            [first, others @ ..] => format!("{first} and {} more", others.len()),
        };
        out.push_str(&format!(
            "{:width$}  {:8}  {:8}  {basis}\n",
            rule.id,
            rule.profile.name(),
            severity(rule),
        ));
        count += 1;
    }
    let clauses = by_rules().len();
    let by_schema = by_schema().len();
    out.push_str(&format!(
        "\n{count} rules judge {clauses} clauses, the schemas {by_schema}; {} about documents are not \
         judged, each with a reason (--format json).\n",
        UNJUDGED.len()
    ));
    out
}

fn json_list() -> String {
    let all: Vec<Value> = rules::all()
        .map(|rule| {
            json!({
                "id": rule.id,
                "profile": rule.profile.name(),
                "severity": severity(rule).name(),
                "kinds": rule.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
                "clauses": rule.clauses,
                "source": Some(rule.source).filter(|source| !source.is_empty()),
                "page": rule.page,
                "accepts": rule.accepts,
                "rejects": rule.rejects.iter().map(|(document, pointer)| {
                    json!({"document": document, "pointer": pointer})
                }).collect::<Vec<_>>(),
            })
        })
        .collect();
    let unjudged: Vec<Value> = UNJUDGED
        .iter()
        .map(|(clause, why)| json!({"clause": clause, "why": why}))
        .collect();
    let list = json!({
        "format": 1,
        "rules": all,
        "schemas": by_schema(),
        "unjudged": unjudged,
    });
    format!("{list:#}\n")
}

fn markdown() -> String {
    let mut out = "# Rules of oci-validate\n".to_owned();
    let mut section = "";
    for rule in rules::all() {
        let (its, _) = rule.id.split_once('/').unwrap_or((rule.id, ""));
        if its != section {
            section = its;
            out.push_str(&format!("\n## {section}\n"));
        }
        out.push_str(&format!(
            "\n### `{}`\n\n{}\n\n",
            rule.id,
            code_in(rule.page)
        ));
        let profile = rule.profile.name();
        out.push_str(&format!(
            "{}, profile {profile}.",
            capital(severity(rule).name())
        ));
        if !rule.source.is_empty() {
            out.push_str(&format!(" Source: {}.", rule.source));
        }
        out.push('\n');
        for id in rule.clauses {
            if let Some(clause) = Catalogue::get().by_id(id) {
                out.push_str(&format!("\n- `{id}` ({}): {}", clause.force(), clause.says));
            }
        }
        out.push_str(if rule.clauses.is_empty() { "" } else { "\n" });
        for (name, examples) in [
            ("Accepted", rule.accepts.to_vec()),
            (
                "Rejected",
                rule.rejects.iter().map(|(example, _)| *example).collect(),
            ),
        ] {
            if !examples.is_empty() {
                out.push_str(&format!(
                    "\n{name}:\n\n```json\n{}\n```\n",
                    visible(&examples.join("\n"))
                ));
            }
        }
    }
    out.push_str("\n## Clauses that nothing here judges\n\n");
    for (clause, why) in UNJUDGED {
        out.push_str(&format!("- `{clause}`: {why}\n"));
    }
    out
}

/// What nobody sees, a byte order mark for one, is named: `<U+FEFF>`.
fn visible(examples: &str) -> String {
    let shown = |c: char| match c {
        '\n' => c.to_string(),
        c if c.is_control() || c == '\u{feff}' => format!("<U+{:04X}>", u32::from(c)),
        c => c.to_string(),
    };
    examples.chars().map(shown).collect()
}

/// Pages use no markup but backquotes; what else Markdown would act on is kept from that.
fn code_in(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    for (place, part) in page.split('`').enumerate() {
        if place > 0 {
            out.push('`');
        }
        if place % 2 == 1 {
            out.push_str(part);
        } else {
            out.push_str(
                &part
                    .replace('_', "\\_")
                    .replace('*', "\\*")
                    .replace('<', "&lt;"),
            );
        }
    }
    out
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Clauses that rules cite.
fn by_rules() -> BTreeSet<&'static str> {
    rules::all()
        .flat_map(|rule| rule.clauses.iter().copied())
        .collect()
}

/// Clauses that schemas judge, each with the schemas.
fn by_schema() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut judged: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for kind in SchemaKind::ALL {
        kind.schema().walk(&mut |_, schema| {
            let keywords = schema.clauses.iter().map(|(_, clause)| *clause);
            let properties = schema.properties.iter().map(|property| property.clause);
            for clause in keywords.chain(properties).chain([schema.clause]) {
                judged.entry(clause).or_default().insert(kind.name());
            }
        });
    }
    judged
}

//! `oci-validate explain`: the page of a rule or of a clause.

use oci_runtime_schemas::{Catalogue, Clause, SchemaKind};

use super::text::paragraph;
use crate::finding::Severity;
use crate::options::Profile;
use crate::report::escape;
use crate::rule::Rule;
use crate::rules::{self, UNJUDGED};
use crate::structure::similar;

/// The page of that id, or why there is none.
pub(super) fn explain(id: &str) -> Result<String, String> {
    if let Some(rule) = rules::by_id(id) {
        return Ok(rule_page(rule));
    }
    if let Some(clause) = Catalogue::get().by_id(id) {
        return Ok(clause_page(clause));
    }
    let known = rules::all().map(|rule| rule.id);
    let known = known.chain(Catalogue::get().iter().map(|clause| clause.id));
    let known: Vec<&str> = known.collect();
    let shown = escape::terminal(id);
    Err(match similar(id, known.iter().copied()) {
        Some(meant) => format!("{shown}: no rule and no clause; did you mean {meant}?"),
        None => format!("{shown}: no rule and no clause; `oci-validate rules` lists them"),
    })
}

fn rule_page(rule: &'static Rule) -> String {
    let mut out = format!("{}\n\n", rule.id);
    out.push_str(&paragraph(rule.page, "  "));
    let kinds: Vec<&str> = rule.kinds.iter().map(|kind| kind.name()).collect();
    out.push_str(&format!("\nLooks at: {}\n", kinds.join(", ")));
    if rule.profile != Profile::Spec {
        out.push_str(&format!("Profile: {} (--profile)\n", rule.profile.name()));
    }
    if rule.clauses.is_empty() {
        out.push_str(&format!("Severity: {}\n", severity(rule)));
    }
    if !rule.source.is_empty() {
        out.push_str(&format!("Source: {}\n", rule.source));
    }
    if !rule.clauses.is_empty() {
        out.push_str("\nClauses:\n");
        let clauses = rule.clauses.iter();
        for clause in clauses.filter_map(|id| Catalogue::get().by_id(id)) {
            out.push_str(&format!(
                "  {}: {}{}\n    {}\n",
                clause.id,
                clause.force(),
                versions(clause),
                clause.reference()
            ));
            out.push_str(&paragraph(clause.says, "    "));
        }
    }
    if !rule.accepts.is_empty() {
        out.push_str("\nAccepted:\n");
        for example in rule.accepts {
            out.push_str(&format!("  {}\n", escape::terminal(example)));
        }
    }
    if !rule.rejects.is_empty() {
        out.push_str("\nRejected:\n");
        for (example, pointer) in rule.rejects {
            out.push_str(&format!("  {}\n", escape::terminal(example)));
            if !pointer.is_empty() {
                out.push_str(&format!("    at {pointer}\n"));
            }
        }
    }
    out
}

fn clause_page(clause: &'static Clause) -> String {
    let mut out = format!(
        "{}\n\n{}\n  {}{}\n  binds: {}, platform: {}\n  {}\n",
        clause.id,
        paragraph(clause.says, "  "),
        clause.force(),
        versions(clause),
        clause.subject,
        clause.platform,
        clause.reference(),
    );
    if clause.is_beyond_the_specification() {
        out.push_str("  beyond the specification\n");
    }
    for (what, text) in [
        ("How we read it", clause.note),
        ("How it is tested", clause.why),
    ] {
        if let Some(text) = text {
            out.push_str(&format!("\n{what}:\n{}", paragraph(text, "  ")));
        }
    }
    out.push('\n');
    let judges = judged_by(clause.id);
    if judges.is_empty() {
        out.push_str(&match UNJUDGED.iter().find(|(id, _)| *id == clause.id) {
            Some((_, why)) => format!("Not judged here:\n{}", paragraph(why, "  ")),
            None => "Not about what a document shows: `oci-conformance explain` names the cases \
                     that judge runtimes by it.\n"
                .into(),
        });
        return out;
    }
    out.push_str("Judged by:\n");
    for judge in judges {
        out.push_str(&format!("  {judge}\n"));
    }
    out
}

/// The rules that judge a clause, and the places of the schemas that do.
pub(super) fn judged_by(clause: &str) -> Vec<String> {
    let citing = rules::all().filter(|rule| rule.clauses.contains(&clause));
    let mut judges: Vec<String> = citing.map(|rule| rule.id.to_owned()).collect();
    for kind in SchemaKind::ALL {
        let name = kind.name();
        let mut place = |at: &str, property: Option<&str>| {
            let dot = if at.is_empty() || property.is_none() {
                ""
            } else {
                "."
            };
            let place = format!("the schema {name}: {at}{dot}{}", property.unwrap_or(""));
            let place = place.trim_end_matches([':', ' ']).to_owned();
            if !judges.contains(&place) {
                judges.push(place);
            }
        };
        kind.schema().walk(&mut |at, schema| {
            if schema.clauses.iter().any(|(_, id)| *id == clause) {
                place(at, None);
            }
            for property in schema.properties {
                if property.clause == clause {
                    place(at, Some(property.name));
                }
            }
        });
    }
    judges
}

fn versions(clause: &Clause) -> String {
    match clause.until {
        None => format!(", since {}", clause.since),
        Some(until) => format!(", {} to {until}", clause.since),
    }
}

/// The severity that a rule's findings usually have: its first clause's, unless it is lenient.
pub(crate) fn severity(rule: &Rule) -> Severity {
    let first = rule.clauses.first();
    let clause = first.map_or(rule.severity, |clause| Severity::of_clause(clause));
    clause.min(rule.severity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_and_every_clause_has_a_page() {
        for rule in rules::all() {
            assert!(explain(rule.id).unwrap().starts_with(rule.id));
        }
        for clause in Catalogue::get().iter() {
            assert!(explain(clause.id).unwrap().contains(clause.id));
        }
    }

    #[test]
    fn what_is_misspelt_is_guessed() {
        let error = explain("schema/requird").unwrap_err();
        assert!(error.ends_with("did you mean schema/required?"), "{error}");
        let error = explain("\x1b[2J").unwrap_err();
        assert!(error.starts_with("\\x1b[2J: no rule"), "{error}");
    }
}

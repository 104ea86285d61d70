//! Rules over configuration documents: what the OCI Runtime Specification asks of `config.json` and
//! what a document alone can show. No root, no kernel, no file system.
//!
//! Begun with the rules by which the reference runtime refuses a configuration before it does
//! anything; each is a declaration that carries its clause and its examples.

mod rules;

use std::fmt;

use oci_runtime_schemas::{Catalogue, Level};
use serde_json::Value;

pub use rules::{RULES, Rule};

/// What a rule found wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id: `namespaces-are-unique`.
    pub rule: &'static str,
    /// The clause that is broken.
    pub clause: &'static str,
    /// How strongly the clause binds.
    pub severity: Severity,
    /// JSON pointer to the offending value: `/linux/namespaces/3`.
    pub pointer: String,
    /// One fragment: what is wrong with it.
    pub message: String,
}

/// Severity of a finding, from its clause's level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// MAY, and prose that binds nobody.
    Note,
    /// SHOULD.
    Warning,
    /// MUST.
    Error,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() {
            "/"
        } else {
            &self.pointer
        };
        write!(f, "{place}: {} ({})", self.message, self.clause)
    }
}

/// Checks a `config.json` by every rule, for Linux. Findings come in the order of the rules.
pub fn check(config: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES {
        let mut found = Vec::new();
        (rule.check)(config, &mut found);
        findings.extend(found.into_iter().map(|(pointer, message)| Finding {
            rule: rule.id,
            clause: rule.clause,
            severity: severity(rule.clause),
            pointer,
            message,
        }));
    }
    findings
}

fn severity(clause: &str) -> Severity {
    match Catalogue::get().by_id(clause).map(|clause| clause.level) {
        Some(Level::Must) => Severity::Error,
        Some(Level::Should) => Severity::Warning,
        _ => Severity::Note,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_accepts_and_rejects_its_examples() {
        for rule in RULES {
            let findings = |example: &str| -> Vec<Finding> {
                let document = serde_json::from_str(example).expect(rule.id);
                check(&document)
                    .into_iter()
                    .filter(|finding| finding.rule == rule.id)
                    .collect()
            };
            assert_eq!(findings(rule.accepts), [], "{} accepts", rule.id);
            assert_eq!(findings(rule.rejects).len(), 1, "{} rejects", rule.id);
        }
    }

    #[test]
    fn every_rule_names_a_clause_of_the_catalogue() {
        for rule in RULES {
            assert!(
                Catalogue::get().by_id(rule.clause).is_some(),
                "{}",
                rule.clause
            );
        }
    }

    #[test]
    fn a_document_that_is_no_object_is_not_a_panic() {
        for text in [
            "null",
            "[]",
            "7",
            "{\"linux\": 3, \"process\": [], \"mounts\": {}}",
        ] {
            let document: Value = serde_json::from_str(text).unwrap();
            assert!(!check(&document).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_finding_reads_as_a_sentence() {
        let document = serde_json::json!({
            "ociVersion": "1.0.0", "root": {"path": "rootfs"},
            "linux": {"namespaces": [{"type": "pid"}, {"type": "pid"}]},
        });
        let findings: Vec<String> = check(&document).iter().map(Finding::to_string).collect();
        insta::assert_snapshot!(
            findings.join("\n"),
            @"/linux/namespaces/1: a second namespace of type pid (config-linux.namespaces.duplicate.config)"
        );
    }
}

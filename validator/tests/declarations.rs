//! The rules as declarations: examples that hold, clauses that exist, every clause accounted for.

use std::collections::{BTreeSet, HashSet};

use oci_runtime_schemas::{Catalogue, SchemaKind, Testable};
use oci_validator::rules::{self, UNJUDGED};
use oci_validator::{Bundle, Document, DocumentKind, Finding, Host, Options, Profile, Rule};

/// Findings of one rule in an example. Examples meet a host and a runtime that are the same
/// everywhere, and lie in a bundle with a directory `rootfs`, a file `file` and a symbolic link
/// `outside` to `/`.
fn findings(rule: &Rule, example: &str) -> Vec<Finding> {
    let options = Options {
        kind: (rule.id != "document/recognised").then_some(rule.kinds[0]),
        profiles: Profile::ALL.into(),
        host: Some(Host::example()),
        features: Some(Document::parse(rules::EXAMPLE_FEATURES.as_bytes().to_vec())),
        ..Options::default()
    };
    let document = Document::parse(example.as_bytes().to_vec());
    let found = if rule.kinds[0] == DocumentKind::Config {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("rootfs")).unwrap();
        std::fs::write(place.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("/", place.path().join("outside")).unwrap();
        std::fs::write(place.path().join("config.json"), example).unwrap();
        oci_validator::check_bundle(&Bundle::new(place.path()), &document, &options)
    } else {
        oci_validator::check(&document, &options)
    };
    found
        .into_iter()
        .filter(|finding| finding.rule == rule.id)
        .collect()
}

#[test]
fn every_rule_accepts_and_rejects_its_examples() {
    for rule in rules::all() {
        for example in rule.accepts {
            assert_eq!(findings(rule, example), [], "{} accepts {example}", rule.id);
        }
        for (example, pointer) in rule.rejects {
            let found = findings(rule, example);
            let pointers: Vec<&str> = found.iter().map(|one| one.pointer.as_str()).collect();
            assert_eq!(pointers, [*pointer], "{} rejects {example}", rule.id);
        }
    }
}

#[test]
fn every_rule_has_examples_a_page_and_a_basis() {
    // Bytes that are no UTF-8, a document of 16 MiB and a map of 341 entries are not examples for a
    // page; tests beside the code have them.
    let without = [
        "syntax/utf-8",
        "syntax/limit",
        "id-mappings/count",
        "bundle/config-file",
    ];
    let mut ids = HashSet::new();
    for rule in rules::all() {
        assert!(ids.insert(rule.id), "{} stands twice", rule.id);
        let (section, what) = rule.id.split_once('/').expect(rule.id);
        assert!(!section.is_empty() && !what.is_empty(), "{}", rule.id);
        assert!(rule.page.ends_with('.'), "{}", rule.id);
        assert!(!rule.kinds.is_empty(), "{}", rule.id);
        let based = !rule.clauses.is_empty() || !rule.source.is_empty();
        assert!(based, "{} cites nothing", rule.id);
        let examples = !rule.accepts.is_empty() && !rule.rejects.is_empty();
        assert!(examples || without.contains(&rule.id), "{}", rule.id);
    }
}

#[test]
fn every_cited_clause_exists() {
    for rule in rules::all() {
        for id in rule.clauses {
            assert!(Catalogue::get().by_id(id).is_some(), "{}: {id}", rule.id);
        }
    }
}

#[test]
fn every_clause_about_documents_is_judged_or_says_why_not() {
    let mut cited: BTreeSet<&str> = rules::all()
        .flat_map(|rule| rule.clauses.iter().copied())
        .collect();
    for kind in SchemaKind::ALL {
        kind.schema().walk(&mut |_, schema| {
            cited.insert(schema.clause);
            cited.extend(schema.clauses.iter().map(|(_, clause)| *clause));
            for property in schema.properties {
                cited.extend([property.clause, property.presence_clause]);
            }
        });
    }
    let excused: BTreeSet<&str> = UNJUDGED.iter().map(|(clause, _)| *clause).collect();
    let of_documents = |testable| {
        matches!(
            testable,
            Testable::Schema | Testable::Semantic | Testable::Bundle | Testable::Features
        )
    };
    let missing: Vec<&str> = Catalogue::get()
        .iter()
        .filter(|clause| of_documents(clause.testable))
        .map(|clause| clause.id)
        .filter(|id| !cited.contains(id) && !excused.contains(id))
        .collect();
    assert_eq!(missing, [] as [&str; 0], "{} clauses", missing.len());
    let both: Vec<&&str> = excused.intersection(&cited).collect();
    assert_eq!(both, [] as [&&str; 0], "judged, and excused from it");
    for (clause, reason) in UNJUDGED {
        assert!(Catalogue::get().by_id(clause).is_some(), "{clause}");
        assert!(reason.len() > 20, "{clause}: {reason}");
    }
}

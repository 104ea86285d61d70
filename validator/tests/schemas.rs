//! The published schemas and the tables that the validator walks are one thing in two shapes: a
//! general evaluator of the files has to give the same answers as the walk.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use oci_validator::{Document, DocumentKind, Options, check};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// The rules that keywords of the schemas have.
const KEYWORDS: [&str; 6] = [
    "schema/type",
    "schema/required",
    "schema/value",
    "schema/range",
    "schema/length",
    "schema/format",
];

/// Pointers at which the walk has something against the document, as if it were of the newest
/// version, and those at which it does not look, since that version has no such property.
fn by_walk(kind: DocumentKind, document: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let text = document.to_string();
    let options = Options {
        kind: Some(kind),
        spec_version: Some("1.3.0".parse().unwrap()),
        ..Options::default()
    };
    let findings = check(&Document::parse(text.into_bytes()), &options);
    let of = |rules: &[&str]| {
        findings
            .iter()
            .filter(|finding| rules.contains(&finding.rule))
            // A general evaluator points at the object that has an empty name, the walk at the name.
            .map(|finding| finding.pointer.trim_end_matches('/').to_owned())
            .collect()
    };
    (of(&KEYWORDS), of(&["schema/removed-property"]))
}

/// Pointers at which a general evaluator has something against it, where the walk looks.
fn by_evaluator(
    validator: &Validator,
    document: &Value,
    unseen: &BTreeSet<String>,
) -> BTreeSet<String> {
    validator
        .iter_errors(document)
        .map(|error| error.instance_path().to_string())
        .filter(|pointer| !unseen.iter().any(|place| pointer.starts_with(place)))
        .collect()
}

fn evaluator(kind: DocumentKind) -> Validator {
    let schema: Value = serde_json::from_str(kind.schema().text()).unwrap();
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{}: {error}", kind.name()))
}

/// Documents to begin with: those of fixtures/ that are good.
fn seeds() -> Vec<(DocumentKind, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/documents");
    let mut seeds = Vec::new();
    for part in ["engines", "good", "features", "state", "seccomp"] {
        for entry in fs::read_dir(folder.join(part)).unwrap().flatten() {
            let bytes = fs::read(entry.path()).unwrap();
            let document = Document::parse(bytes.clone());
            let Some(kind) = DocumentKind::of(document.root()) else {
                continue;
            };
            if let Ok(value) = serde_json::from_slice(&bytes) {
                seeds.push((kind, value));
            }
        }
    }
    assert!(seeds.len() > 20, "{} documents", seeds.len());
    seeds
}

/// Pointers of all values in a document.
fn places(value: &Value, at: String, into: &mut Vec<String>) {
    into.push(at.clone());
    match value {
        Value::Array(items) => {
            // A list of hundreds of system calls would have all of the changes.
            for (index, item) in items.iter().take(3).enumerate() {
                places(item, format!("{at}/{index}"), into);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(member, format!("{at}/{name}"), into);
            }
        }
        _ => {}
    }
}

/// A change of a document: a value that is put in the place of another, or a member taken away.
fn change() -> impl Strategy<Value = (Index, Option<Value>)> {
    let values = select(vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(7),
        json!(4294967296_u64),
        json!(18446744073709551615_u64),
        json!(1.5),
        json!(""),
        json!("relative"),
        json!("/absolute"),
        json!("a\nb"),
        json!("1.2.3"),
        json!("SCMP_ACT_ALLOW"),
        json!([]),
        json!([1]),
        json!(["x"]),
        json!([{}]),
        json!({}),
        json!({"": ""}),
        json!({"path": 1}),
    ]);
    (
        any::<Index>(),
        prop_oneof![4 => values.prop_map(Some), 1 => Just(None)],
    )
}

fn apply(document: &mut Value, (place, value): (Index, Option<Value>)) {
    let mut all = Vec::new();
    places(document, String::new(), &mut all);
    let pointer = place.get(&all);
    if let Some(value) = value {
        *document.pointer_mut(pointer).unwrap() = value;
    } else if let Some((owner, name)) = pointer.rsplit_once('/')
        && let Some(Value::Object(members)) = document.pointer_mut(owner)
    {
        members.remove(&name.replace("~1", "/").replace("~0", "~"));
    }
}

#[test]
fn the_published_schemas_are_json_schema_2020_12() {
    for kind in oci_runtime_schemas::SchemaKind::ALL {
        let schema: Value = serde_json::from_str(kind.text()).unwrap();
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        jsonschema::meta::validate(&schema)
            .unwrap_or_else(|error| panic!("{}: {error}", kind.name()));
        jsonschema::validator_for(&schema)
            .unwrap_or_else(|error| panic!("{}: {error}", kind.name()));
    }
}

#[test]
fn walk_and_evaluator_agree_on_documents_as_they_are() {
    let evaluators = DocumentKind::ALL.map(|kind| (kind, evaluator(kind)));
    for (kind, document) in seeds() {
        let (_, validator) = evaluators.iter().find(|(its, _)| *its == kind).unwrap();
        let (found, unseen) = by_walk(kind, &document);
        assert_eq!(found, by_evaluator(validator, &document, &unseen));
    }
}

#[test]
fn walk_and_evaluator_agree_on_documents_that_were_changed() {
    let evaluators = DocumentKind::ALL.map(|kind| (kind, evaluator(kind)));
    let seeds = seeds();
    // The same cases in every run: a test that fails now and then tells nobody anything.
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig::with_cases(2000),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let changes = proptest::collection::vec(change(), 1..4);
    runner
        .run(&(any::<Index>(), changes), |(seed, changes)| {
            let (kind, mut document) = seed.get(&seeds).clone();
            for change in changes {
                apply(&mut document, change);
            }
            let (_, validator) = evaluators.iter().find(|(its, _)| *its == kind).unwrap();
            let (found, unseen) = by_walk(kind, &document);
            prop_assert_eq!(
                found,
                by_evaluator(validator, &document, &unseen),
                "{}",
                document
            );
            Ok(())
        })
        .unwrap();
}

//! What must hold of the cases' declarations, and of the packages between which they stand.

use std::collections::HashSet;
use std::process::Command;

use oci_conformance::cases;
use oci_runtime_schemas::{Catalogue, Subject};

#[test]
fn ids_are_unique_and_say_what_holds() {
    let mut seen = HashSet::new();
    for case in cases::all() {
        assert!(seen.insert(case.id), "{} is there twice", case.id);
        let topics: Vec<&str> = case.id.split('/').collect();
        assert!(
            (2..=3).contains(&topics.len()),
            "{}: topic/statement",
            case.id
        );
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        assert!(
            topics
                .iter()
                .all(|topic| !topic.is_empty() && topic.chars().all(legal)),
            "{}",
            case.id
        );
    }
}

#[test]
fn every_clause_that_a_case_judges_is_in_the_catalogue_and_binds_runtimes() {
    let mut wrong = Vec::new();
    for case in cases::all() {
        assert!(!case.judges.is_empty(), "{} judges nothing", case.id);
        for id in case.judges {
            match Catalogue::get().by_id(id) {
                None => wrong.push(format!("{}: no clause {id}", case.id)),
                Some(clause) if !matches!(clause.subject, Subject::Runtime | Subject::Caller) => {
                    wrong.push(format!("{}: {id} binds the {}", case.id, clause.subject));
                }
                Some(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_gate_is_a_case_without_needs() {
    assert!(cases::by_id(cases::GATE).is_some_and(|case| case.needs.is_empty()));
    assert!(cases::by_id("no/such-case").is_none());
}

#[test]
fn the_harness_shares_no_reading_of_the_specification_with_the_runtime() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let dependencies = |name: &str| -> HashSet<&str> {
        let package = packages
            .iter()
            .find(|package| package["name"] == name)
            .expect(name);
        let list = package["dependencies"].as_array().expect("dependencies");
        list.iter()
            .filter_map(|dependency| dependency["name"].as_str())
            .collect()
    };
    let forbidden = [
        (
            "oci-conformance",
            &["oci-reference-runtime", "oci-validator", "oci-spec"][..],
        ),
        ("oci-embedded", &["oci-reference-runtime", "oci-validator"]),
        (
            "oci-validator",
            &["oci-conformance", "oci-reference-runtime", "oci-probe"],
        ),
        ("oci-reference-runtime", &["oci-conformance", "oci-probe"]),
        (
            "oci-runtime-schemas",
            &["oci-conformance", "oci-validator", "oci-reference-runtime"],
        ),
    ];
    for (package, others) in forbidden {
        let has = dependencies(package);
        for other in others {
            assert!(!has.contains(other), "{package} depends on {other}");
        }
    }
}

//! The documents in fixtures/: what real engines write is accepted, what is broken is refused with
//! the findings that are recorded here.

use std::fs;
use std::path::{Path, PathBuf};

use oci_validator::{Document, DocumentKind, Finding, Options, Severity, check};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/documents")
        .join(name)
}

/// The documents of a folder, by name.
fn documents(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut documents: Vec<(String, Vec<u8>)> = fs::read_dir(folder(name))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "json"))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    documents.sort();
    assert!(!documents.is_empty(), "{name} is empty");
    documents
}

fn findings(document: &Document, kind: Option<DocumentKind>) -> Vec<Finding> {
    check(
        document,
        &Options {
            kind,
            ..Options::default()
        },
    )
}

fn told(document: &Document, finding: &Finding) -> String {
    let place = document.position(finding.span.start);
    format!(
        "  {}:{} {} [{}] {finding}",
        place.line, place.column, finding.severity, finding.rule
    )
}

/// Documents of engines that break the specification, each looked at by hand.
const WRONG: [&str; 5] = [
    // ociVersion is 1.0.
    "crun-creating.json",
    "crun-poststop.json",
    // Of version 1.1.0 by ociVersionMax, with mountExtensions, which came with 1.2.0.
    "youki.json",
    // pid is -1.
    "runsc-poststop.json",
    "runsc-stopped.json",
];

#[test]
fn what_engines_and_runtimes_write_has_no_errors() {
    let mut wrong = Vec::new();
    for (name, kind) in [
        ("engines", DocumentKind::Config),
        ("process", DocumentKind::Process),
        ("resources", DocumentKind::Resources),
        ("seccomp", DocumentKind::Seccomp),
        ("state", DocumentKind::State),
        ("features", DocumentKind::Features),
        ("good", DocumentKind::Config),
    ] {
        for (file, bytes) in documents(name) {
            let document = Document::parse(bytes);
            let told_kind = DocumentKind::of(document.root());
            if name != "good" {
                assert_eq!(told_kind, Some(kind), "{file}");
            }
            let errors: Vec<String> = findings(&document, None)
                .iter()
                .filter(|finding| finding.severity == Severity::Error)
                .map(|finding| told(&document, finding))
                .collect();
            if !errors.is_empty() && !WRONG.contains(&file.as_str()) {
                wrong.push(format!("{name}/{file}\n{}", errors.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_broken_is_found_where_it_is_broken() {
    let table = fs::read_to_string(folder("broken").join("mistakes.tsv")).unwrap();
    let mut missed = Vec::new();
    for line in table.lines().skip(1) {
        let [file, kind, pointers, mistake] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let document = Document::parse(fs::read(folder("broken").join(file)).unwrap());
        let kind = DocumentKind::ALL.into_iter().find(|one| one.name() == kind);
        let found = findings(&document, kind);
        for pointer in pointers.split(' ') {
            // At the place, below it, or at the object that it should be in.
            let near = |finding: &Finding| {
                let at = finding.pointer.as_str();
                at.starts_with(pointer) || pointer.rsplit_once('/').is_some_and(|(up, _)| up == at)
            };
            if !found.iter().any(near) {
                missed.push(format!("{file}: {mistake} ({pointer})"));
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn the_findings_in_broken_documents_are_those_recorded() {
    let mut all = String::new();
    for (file, bytes) in documents("broken") {
        let document = Document::parse(bytes);
        all.push_str(&format!("{file}\n"));
        for finding in findings(&document, None) {
            all.push_str(&told(&document, &finding));
            all.push('\n');
        }
    }
    insta::assert_snapshot!("broken", all);
}

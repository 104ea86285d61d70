//! The specification's own test documents, of every version: what is good there is accepted, what
//! is bad is refused. Where they are not at hand the test says so and judges nothing.

use std::fs;
use std::path::{Path, PathBuf};

use oci_runtime_schemas::SPEC_VERSIONS;
use oci_validator::{Document, DocumentKind, Options, Severity, check};

#[test]
fn the_official_documents_are_judged_as_their_folders_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/runtime-spec");
    if !folder.is_dir() {
        eprintln!("not judged: the specification's files are not at hand");
        return;
    }
    let mut judged = 0;
    for version in SPEC_VERSIONS {
        for kind in [
            DocumentKind::Config,
            DocumentKind::State,
            DocumentKind::Features,
        ] {
            for (verdict, good) in [("good", true), ("bad", false)] {
                let part = format!("v{version}/schema/test/{}/{verdict}", kind.name());
                for path in documents(&folder.join(part)) {
                    let options = Options {
                        kind: Some(kind),
                        spec_version: Some(version),
                        ..Options::default()
                    };
                    let document = Document::parse(fs::read(&path).unwrap());
                    let mut errors = check(&document, &options);
                    errors.retain(|finding| finding.severity == Severity::Error);
                    assert_eq!(errors.is_empty(), good, "{}: {errors:?}", path.display());
                    judged += 1;
                }
            }
        }
    }
    assert!(judged > 70, "{judged} documents");
}

/// The documents of a folder, which not all versions have.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect()
}

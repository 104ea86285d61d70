//! The generated pages in docs/ are what the program says today.
//!
//! `UPDATE_PAGES=1 cargo test -p oci-conformance --test pages` writes them anew.

use std::path::Path;
use std::process::Command;

const PAGES: &[(&str, &str, &[&str])] = &[
    (
        "cases.md",
        "# All cases\n\nEvery case with the clauses that it judges and what it needs of the host. `oci-conformance explain ID`\nsays more of each.\n\n",
        &["list", "--format", "markdown"],
    ),
    (
        "clauses.md",
        "# All clauses\n\nThe clauses that bind runtimes on Linux, document by document, with the cases that judge each or the\nreason why none can.\n\n",
        &["coverage", "--format", "markdown"],
    ),
];

#[test]
fn the_generated_pages_are_current() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for (name, head, words) in PAGES {
        let output = Command::new(env!("CARGO_BIN_EXE_oci-conformance"))
            .args(*words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}");
        let page = format!("{head}{}", String::from_utf8(output.stdout).unwrap());
        let path = docs.join(name);
        if std::env::var_os("UPDATE_PAGES").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = kept.lines().zip(page.lines()).find(|(old, new)| old != new);
        assert!(
            kept == page,
            "docs/{name} is not current, first at {differs:?}: \
             UPDATE_PAGES=1 cargo test -p oci-conformance --test pages writes it anew"
        );
    }
}

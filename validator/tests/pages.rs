//! docs/rules.md is what the program says today.
//!
//! `UPDATE_PAGES=1 cargo test -p oci-validator --test pages` writes it anew.

use std::path::Path;
use std::process::Command;

#[test]
fn the_page_of_rules_is_current() {
    let output = Command::new(env!("CARGO_BIN_EXE_oci-validate"))
        .args(["rules", "--format", "markdown"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let page = String::from_utf8(output.stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules.md");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/rules.md is not current: \
         UPDATE_PAGES=1 cargo test -p oci-validator --test pages writes it anew"
    );
}

//! Bundles on disk: what is and is not in the directory of a `config.json`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use oci_validator::{Bundle, Document, Finding, Options, Severity, check_bundle};

const CONFIG: &str = r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#;

fn findings(bundle: &Path) -> Vec<Finding> {
    let document = Document::parse(CONFIG.as_bytes().to_vec());
    check_bundle(&Bundle::new(bundle), &document, &Options::default())
}

/// What is told of a bundle that has a root filesystem and a `config.json` made like this.
fn told(make: impl FnOnce(&Path)) -> Vec<(&'static str, Option<&'static str>, Severity)> {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("rootfs")).unwrap();
    make(&place.path().join("config.json"));
    findings(place.path())
        .iter()
        .map(|finding| (finding.rule, finding.clause, finding.severity))
        .collect()
}

#[test]
fn a_whole_bundle_has_no_findings() {
    assert_eq!(told(|config| fs::write(config, CONFIG).unwrap()), []);
}

#[test]
fn the_configuration_is_a_regular_file_of_the_bundle() {
    assert_eq!(
        told(|_| {}),
        [(
            "bundle/config-file",
            Some("bundle.config.required"),
            Severity::Error
        )]
    );
    assert_eq!(
        told(|config| fs::create_dir(config).unwrap()),
        [(
            "bundle/config-file",
            Some("bundle.config.name"),
            Severity::Error
        )]
    );
    assert_eq!(
        told(|config| symlink("/etc/config.json", config).unwrap()),
        [(
            "bundle/config-file",
            Some("bundle.config.location"),
            Severity::Warning
        )]
    );
    let inside = |config: &Path| {
        fs::write(config.with_file_name("real.json"), CONFIG).unwrap();
        symlink("real.json", config).unwrap();
    };
    assert_eq!(told(inside), []);
}

#[test]
fn a_directory_that_may_not_be_read_is_no_crash() {
    let place = tempfile::tempdir().unwrap();
    let closed = place.path().join("closed");
    fs::create_dir_all(closed.join("rootfs")).unwrap();
    fs::write(closed.join("config.json"), CONFIG).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let found = findings(&closed);
    let readable = fs::symlink_metadata(closed.join("rootfs")).is_ok();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    if readable {
        // As root: permissions are not asked for.
        assert_eq!(found, []);
    } else {
        assert!(!found.is_empty());
        assert!(found.iter().all(|one| one.severity == Severity::Note));
    }
}

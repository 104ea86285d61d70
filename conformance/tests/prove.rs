//! The deviants' declarations, and `prove` as its users run it.

mod executable;

use std::collections::{BTreeSet, HashSet};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use oci_conformance::cases;
use oci_conformance::prove::Declaration;
use oci_runtime_schemas::Catalogue;
use serde_json::json;

/// A directory with the deviants' program, as the harness carries it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Place(directory)
    }

    fn program(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        executable::write(&path, content);
        path
    }

    fn prove(&self, arguments: &[&str]) -> (i32, String, String) {
        let output: Output = Command::new(env!("CARGO_BIN_EXE_oci-conformance"))
            .arg("prove")
            .args(arguments)
            .env("TMPDIR", self.0.path())
            .output()
            .expect("the program runs");
        let text = |raw: &[u8]| String::from_utf8_lossy(raw).into_owned();
        let code = output.status.code().expect("an exit status");
        (code, text(&output.stdout), text(&output.stderr))
    }
}

fn declarations() -> Vec<Declaration> {
    let place = Place::new();
    let program = place.program("oci-deviants", oci_embedded::DEVIANTS);
    let output = Command::new(program)
        .args(["deviants", "--format", "json"])
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).expect("a list of deviants")
}

#[test]
fn declared_clauses_are_in_the_catalogue_and_judged_by_cases() {
    let judged: HashSet<&str> = cases::all()
        .iter()
        .flat_map(|case| case.judges)
        .copied()
        .collect();
    let (mut names, mut wrong) = (BTreeSet::new(), Vec::new());
    for deviant in declarations() {
        assert!(
            names.insert(deviant.name.clone()),
            "{} is there twice",
            deviant.name
        );
        for clause in &deviant.breaks {
            if Catalogue::get().by_id(clause).is_none() {
                wrong.push(format!("{}: no clause {clause}", deviant.name));
            } else if !judged.contains(clause.as_str()) {
                wrong.push(format!("{}: no case judges {clause}", deviant.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_deviant_is_caught_by_what_it_breaks() {
    let place = Place::new();
    let (code, table, errors) = place.prove(&["hostname.ignored", "--cases", "hostname/"]);
    assert_eq!(code, 0, "{table}{errors}");
    assert!(table.contains("caught   hostname.ignored"), "{table}");
    assert!(table.contains("(config.hostname.effect)"), "{table}");
    assert!(table.contains("1 of 1 deviants caught"), "{table}");
}

#[test]
fn what_no_deviant_is_caught_by_is_listed_and_fails() {
    let place = Place::new();
    let program = declaring(&place, &[("hostname.ignored", "config.hostname.effect")]);
    let arguments = [
        "--deviants",
        &program,
        "--cases",
        "hostname/",
        "--cases",
        "domainname/",
    ];
    let (code, table, errors) = place.prove(&arguments);
    assert_eq!(code, 1, "{table}{errors}");
    assert!(table.contains("1 of 2 pairs covered"), "{table}");
    let line = "\n  domainname/is-set-in-the-new-uts-namespace (config.domainname.effect)\n";
    assert!(table.contains(line), "{table}");
}

#[test]
fn a_deviant_that_nothing_shows_has_escaped() {
    let place = Place::new();
    let program = declaring(&place, &[("domainname.ignored", "config.hostname.effect")]);
    let (code, table, errors) = place.prove(&["--deviants", &program, "--cases", "hostname/"]);
    assert_eq!(code, 1, "{table}{errors}");
    assert!(table.contains("ESCAPED  domainname.ignored"), "{table}");
}

#[test]
fn a_finding_outside_of_what_a_deviant_breaks_fails() {
    let place = Place::new();
    let program = declaring(&place, &[("hostname.ignored", "config.domainname.effect")]);
    let arguments = [
        "--deviants",
        &program,
        "--full",
        "--cases",
        "hostname/",
        "--cases",
        "domainname/",
    ];
    let (code, table, errors) = place.prove(&arguments);
    assert_eq!(code, 1, "{table}{errors}");
    let line = "hostname/is-set-in-the-new-uts-namespace (config.hostname.effect)";
    assert!(
        table.contains("Unexpected") && table.contains(line),
        "{table}"
    );
}

#[test]
fn in_a_crowd_the_one_that_is_seen_is_named() {
    let place = Place::new();
    let deviants = [
        (
            "hooks.poststop.env-lost",
            "config.hooks.poststop.env.effect",
        ),
        ("process.env.ignored", "config.process.env.effect"),
        ("hostname.ignored", "config.domainname.effect"),
        ("exec.cwd.unchecked", "security.cwd.inside-root.exec"),
        ("domainname.ignored", "config.domainname.effect"),
    ];
    let program = declaring(&place, &deviants);
    let mut arguments = vec!["--deviants", &program, "--full"];
    for case in ["hostname/", "domainname/", "process/env/", "process/cwd/"] {
        arguments.extend(["--cases", case]);
    }
    let (code, table, errors) = place.prove(&arguments);
    assert_eq!(code, 1, "{table}{errors}");
    let unexpected: Vec<&str> = table
        .lines()
        .filter(|line| line.contains(" on refrun") && line.contains("): "))
        .collect();
    assert!(
        matches!(unexpected[..], [line] if line.trim_start().starts_with("hostname.ignored on refrun")),
        "{table}{errors}"
    );
}

#[test]
fn usage_errors_exit_with_2() {
    let place = Place::new();
    for arguments in [
        &["no.such.deviant"][..],
        &["--cases", "no/such-case"],
        &["--base", "/no/such/runtime"],
        &["--deviants", "/no/such/program"],
        &["--deviants", "/bin/true"],
    ] {
        let (code, _, errors) = place.prove(arguments);
        assert!(code == 2 && !errors.is_empty(), "{arguments:?}: {errors}");
    }
}

/// A program that is the embedded one but for its declarations: names, and what they break.
fn declaring(place: &Place, deviants: &[(&str, &str)]) -> String {
    let real = place.program("real", oci_embedded::DEVIANTS);
    let declarations: Vec<serde_json::Value> = deviants
        .iter()
        .map(|(name, breaks)| json!({"name": name, "breaks": [breaks], "wrong": "it is"}))
        .collect();
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = deviants ] || exec {} \"$@\"\necho '{}'\n",
        real.display(),
        serde_json::Value::from(declarations)
    );
    place
        .program("declaring", text.as_bytes())
        .display()
        .to_string()
}

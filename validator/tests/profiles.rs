//! The profiles, and `--features`, on what real engines write: how much they find is recorded here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use oci_validator::{Document, Finding, Host, Options, Profile, Severity, check};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/documents")
        .join(name)
}

fn document(path: &str) -> Document {
    Document::parse(fs::read(folder(path)).unwrap_or_else(|why| panic!("{path}: {why}")))
}

/// The names of all configs of engines.
fn engines() -> Vec<String> {
    let entries = fs::read_dir(folder("engines")).unwrap().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() > 80, "{}", names.len());
    names
}

/// What the rules of one section find in an engine's config.
fn findings(name: &str, section: &str, options: &Options) -> Vec<Finding> {
    let document = document(&format!("engines/{name}.json"));
    let mut found = check(&document, options);
    found.retain(|finding| finding.rule.starts_with(section));
    found
}

fn profile(profile: Profile) -> Options {
    Options {
        profiles: [profile].into(),
        host: Some(Host::example()),
        ..Options::default()
    }
}

/// How often each rule finds something, with the severities: a line each.
fn counts(found: &[Finding]) -> String {
    let mut counts: BTreeMap<(&str, Severity), usize> = BTreeMap::new();
    for finding in found {
        *counts.entry((finding.rule, finding.severity)).or_default() += 1;
    }
    let lines = counts.into_iter().map(|((rule, severity), count)| {
        let count = if count == 1 {
            String::new()
        } else {
            format!(" × {count}")
        };
        format!("  {severity} {rule}{count}\n")
    });
    lines.collect()
}

fn told(names: &[&str], section: &str, options: &Options) -> String {
    let parts = names
        .iter()
        .map(|name| format!("{name}\n{}", counts(&findings(name, section, options))));
    parts.collect()
}

#[test]
fn security_of_configs() {
    let names = [
        "docker-default",
        "docker-v2-default",
        "docker-privileged",
        "docker-host-namespaces",
        "docker-seccomp-unconfined",
        "docker-devices",
        "docker-mounts",
        "docker-userns-remap",
        "podman-default",
        "podman-readonly-tmpfs",
        "podman-privileged",
        "cri-container",
        "cri-privileged-container",
        "ctr-default",
        "runc-spec",
        "runc-spec-rootless",
    ];
    insta::assert_snapshot!(
        "security",
        told(&names, "security/", &profile(Profile::Security))
    );
}

#[test]
fn a_default_container_is_not_dangerous_and_a_privileged_one_is() {
    let options = profile(Profile::Security);
    for name in engines() {
        let found = findings(&name, "security/", &options);
        let errors = found
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        let privileged = name.contains("privileged");
        if privileged && !name.ends_with("sandbox") {
            assert!(errors >= 7, "{name}: {}", counts(&found));
        }
        // buildah lets builds write the host's cgroups, and `ctr` sets up no filter.
        let careful = ["docker", "podman"]
            .iter()
            .any(|engine| name.starts_with(engine));
        if name.ends_with("-default") && careful {
            let worst = found.iter().map(|finding| finding.severity).max();
            assert_eq!(worst, Some(Severity::Note), "{name}: {}", counts(&found));
        }
    }
}

#[test]
fn portability_of_configs() {
    let names = [
        "docker-default",
        "docker-resources",
        "docker-cpu-quota",
        "docker-mounts",
        "podman-default",
        "podman-idmap",
        "podman-readonly-tmpfs",
        "podman-v2-unified",
        "cri-container",
        "runc-spec",
    ];
    insta::assert_snapshot!(
        "portable",
        told(&names, "portable/", &profile(Profile::Portable))
    );
}

/// Configs that a runtime refuses: runc and youki make no user namespace without mappings (tried), and
/// youki has no idmapped mounts (read in its source).
const NOT_PORTABLE: [&str; 2] = ["crun-spec-rootless", "podman-idmap"];

#[test]
fn what_engines_write_is_refused_by_no_runtime() {
    let options = profile(Profile::Portable);
    let mut refused = Vec::new();
    for name in engines() {
        let mut found = findings(&name, "portable/", &options);
        found.retain(|finding| finding.severity == Severity::Error);
        let known = NOT_PORTABLE.contains(&name.as_str());
        if known {
            assert!(!found.is_empty(), "{name} is portable");
        } else if !found.is_empty() {
            refused.push(format!("{name}\n{}", counts(&found)));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn the_host_is_asked_only_for_what_the_config_asks() {
    let names = [
        "docker-default",
        "docker-resources",
        "docker-privileged",
        "podman-default",
        "ctr-apparmor",
        "runc-spec",
    ];
    insta::assert_snapshot!("host", told(&names, "host/", &profile(Profile::Host)));
    // A host that tells nothing.
    let silent = Options {
        profiles: [Profile::Host].into(),
        host: Some(Host::default()),
        ..Options::default()
    };
    for name in engines() {
        assert_eq!(findings(&name, "host/", &silent), [], "{name}");
        assert_eq!(findings(&name, "host/", &Options::default()), [], "{name}");
    }
}

#[test]
fn features_of_runtimes() {
    let names = [
        "docker-default",
        "docker-resources",
        "podman-default",
        "podman-idmap",
        "ctr-apparmor",
        "runc-spec",
    ];
    let mut all = String::new();
    for runtime in ["refrun", "runc", "youki"] {
        let options = Options {
            features: Some(document(&format!("features/{runtime}.json"))),
            ..Options::default()
        };
        all.push_str(&format!(
            "# {runtime}\n{}",
            told(&names, "runtime/", &options)
        ));
    }
    insta::assert_snapshot!("features", all);
}

#[test]
fn without_features_nothing_is_said_of_a_runtime() {
    for name in engines() {
        assert_eq!(
            findings(&name, "runtime/", &Options::default()),
            [],
            "{name}"
        );
    }
}

/// The findings of the profile `portable` as the table of fields has them: skipped where that is not
/// at hand.
#[test]
fn every_field_that_a_runtime_lacks_is_in_the_table() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fields.tsv");
    let Ok(fields) = fs::read_to_string(place) else {
        eprintln!("skipped: the table of fields is not here");
        return;
    };
    let table = include_str!("../src/rules/portable/table.rs");
    // What the value of a property has to be is the business of other rules, and whether `process`
    // has to be there too.
    let elsewhere = [
        "ociVersion",
        "process",
        "mounts[].options",
        "hooks.poststop",
        // Its two properties are there.
        "linux.resources.network",
    ];
    let mut missing = Vec::new();
    for line in fields.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let (Some("config"), Some(field), Some(does)) =
            (columns.first().copied(), columns.get(1), columns.get(9..12))
        else {
            continue;
        };
        let applied = does.iter().all(|one| *one == "yes");
        let listed = field
            .match_indices('.')
            .map(|(end, _)| &field[..end])
            .chain([*field])
            .any(|part| table.contains(&format!("\"{}\",", part.trim_end_matches("[]"))));
        if !applied && !listed && !elsewhere.contains(field) {
            missing.push(format!("{field}: {does:?}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

//! Exploration finds what is wrong with a runtime that is wrong, shrinks it to what matters, and
//! finds nothing wrong with the reference.

mod executable;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a runtime does that does not know the property: to it it is one of those to ignore.
const LOSES_THE_HOSTNAME: &str = "[ \"$OPERATION\" = create ] && \
     sed -i 's/\"hostname\": /\"x-lost\": /' \"$BUNDLE/config.json\"";

/// A directory with the reference, and runtimes that hand on to it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let directory = tempfile::tempdir().expect("a directory");
        let place = Place(directory);
        std::fs::set_permissions(place.0.path(), PermissionsExt::from_mode(0o755)).unwrap();
        place.program("refrun", oci_embedded::REFRUN);
        place
    }

    fn program(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        executable::write(&path, content);
        path
    }

    /// A runtime that does something first and then is the reference. `$BUNDLE` is create's,
    /// `$OPERATION` the command.
    fn wrong(&self, first: &str) -> PathBuf {
        let refrun = self.0.path().join("refrun");
        let script = format!(
            "#!/bin/sh\n\
             OPERATION= BUNDLE= LAST=\n\
             for word; do\n\
                 case $word in create|start|state|kill|delete) OPERATION=${{OPERATION:-$word}} ;; esac\n\
                 [ \"$LAST\" = --bundle ] && BUNDLE=$word\n\
                 LAST=$word\n\
             done\n\
             REFRUN={}\n\
             {first}\n\
             exec \"$REFRUN\" \"$@\"\n",
            refrun.display()
        );
        self.program("wrong", script.as_bytes())
    }

    fn explore(&self, arguments: &[&str]) -> (i32, Value) {
        let output = Command::new(env!("CARGO_BIN_EXE_oci-conformance"))
            .args(["explore", "--format", "json"])
            .args(arguments)
            .stdin(Stdio::null())
            .env("TMPDIR", self.0.path())
            .output()
            .expect("the program runs");
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().expect("an exit code"), report)
    }
}

/// Words of everything that was found of a sort.
fn found<'r>(report: &'r Value, sort: &str) -> Vec<&'r Value> {
    let all = report["found"].as_array().expect("a list");
    all.iter().filter(|found| found["sort"] == sort).collect()
}

fn clause(found: &Value) -> &str {
    found["complaint"]["clause"].as_str().unwrap_or_default()
}

#[test]
fn nothing_is_found_wrong_with_the_reference() {
    let place = Place::new();
    let (code, report) = place.explore(&["--cases", "48", "--seed", "3"]);
    assert_eq!(report["found"], serde_json::json!([]));
    assert_eq!(code, 0);
    assert_eq!(report["configurations"], 32);
    assert_eq!(report["sequences"], 16);
}

#[test]
fn a_property_that_is_dropped_is_found_and_shrunk_to_itself() {
    let place = Place::new();
    let runtime = place.wrong(LOSES_THE_HOSTNAME);
    let runtime = runtime.display().to_string();
    let out = place.0.path().join("out");
    let shown = out.display().to_string();
    let arguments = [
        "--config",
        "--cases",
        "16",
        "--runtime",
        &runtime,
        "--out",
        &shown,
    ];
    let (code, report) = place.explore(&arguments);
    assert_eq!(code, 1);
    let all = found(&report, "disagreement");
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(clause(all[0]), "config.hostname.effect");
    assert_eq!(all[0]["surfaces"], serde_json::json!(["hostname"]));
    assert_eq!(all[0]["reference"], "agrees with the model");
    // The plainest host name that shows it.
    let difference = all[0]["difference"].as_array().expect("lines");
    assert_eq!(difference.len(), 1, "{difference:?}");
    assert_eq!(difference[0], "/hostname = \"a\"");
    let script = PathBuf::from(all[0]["reproduce"].as_str().expect("a script"));
    assert!(script.is_file());
    let bundle = script.with_file_name("1").join("config.json");
    let config: Value = serde_json::from_slice(&std::fs::read(bundle).unwrap()).unwrap();
    assert_eq!(config["process"]["args"][0], "/probe");
}

#[test]
fn a_value_that_is_refused_is_found_and_does_not_hide_the_rest() {
    let place = Place::new();
    // Refuses a umask, and loses the environment.
    let runtime = place.wrong(
        "if [ \"$OPERATION\" = create ]; then\n\
             grep -q '\"umask\":' \"$BUNDLE/config.json\" && exit 1\n\
             sed -i '/\"cwd\":/s/\"cwd\": .*/\"cwd\": \"\\/\",/' \"$BUNDLE/config.json\"\n\
         fi",
    );
    let runtime = runtime.display().to_string();
    let arguments = [
        "--config",
        "--cases",
        "24",
        "--seed",
        "5",
        "--runtime",
        &runtime,
    ];
    let (code, report) = place.explore(&arguments);
    assert_eq!(code, 1);
    let all = found(&report, "disagreement");
    let refused = all
        .iter()
        .find(|found| found["complaint"]["refused"] == "create");
    let refused = refused.expect("the refusal is found");
    assert_eq!(
        refused["surfaces"],
        serde_json::json!(["process.user.umask"])
    );
    assert!(
        all.iter()
            .any(|found| clause(found) == "config.process.cwd.effect"),
        "{all:?}"
    );
    let left_out = &report["surface"]["process.user.umask"]["left_out"];
    assert!(
        left_out["hides the rest: see what was found"].is_u64(),
        "{left_out}"
    );
}

#[test]
fn an_operation_that_is_wrong_in_one_status_is_found_and_shrunk() {
    let place = Place::new();
    // delete of what is not stopped kills it and succeeds.
    let runtime = place.wrong(
        "if [ \"$OPERATION\" = delete ]; then\n\
             for word; do case $word in delete) set -- \"$@\" delete --force ;; *) set -- \"$@\" \"$word\" ;; esac; shift; done\n\
         fi",
    );
    let runtime = runtime.display().to_string();
    let arguments = ["--lifecycle", "--cases", "24", "--runtime", &runtime];
    let (code, report) = place.explore(&arguments);
    assert_eq!(code, 1);
    let all = found(&report, "disagreement");
    let deletion = all
        .iter()
        .find(|found| clause(found) == "runtime.delete.not-stopped.error")
        .expect("the deletion is found");
    let steps = deletion["smallest"]["lifecycle"]["steps"]
        .as_array()
        .expect("steps");
    assert!(steps.len() <= 4, "{steps:?}");
}

#[test]
fn a_seed_finds_the_same_every_time() {
    let place = Place::new();
    let runtime = place.wrong(LOSES_THE_HOSTNAME);
    let runtime = runtime.display().to_string();
    let once = |jobs: &str| {
        let arguments = [
            "--config",
            "--cases",
            "16",
            "--jobs",
            jobs,
            "--runtime",
            &runtime,
        ];
        let (_, report) = place.explore(&arguments);
        let found = report["found"].as_array().expect("a list").clone();
        let told = found
            .iter()
            .map(|found| (found["smallest"].clone(), found["draw"].clone()));
        told.collect::<Vec<_>>()
    };
    assert_eq!(once("1"), once("4"));
}

#[test]
fn wrong_usage_is_told_from_a_runtime_that_runs_nothing() {
    let place = Place::new();
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_oci-conformance"))
            .arg("explore")
            .args(arguments)
            .env("TMPDIR", place.0.path())
            .output()
            .expect("the program runs")
    };
    for usage in [
        &["--time", "soon"][..],
        &["--config", "--lifecycle"],
        &["--runtime", "/no/such/runtime"],
    ] {
        assert_eq!(run(usage).status.code(), Some(2), "{usage:?}");
    }
    let output = run(&["--runtime", "/bin/false", "--cases", "1"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("plain container"));
}

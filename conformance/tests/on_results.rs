//! The commands that work on results files, as their users run them: `merge`, `compare` and
//! `expect update`.

mod executable;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use oci_conformance::results::{Results, Verdict};
use serde_json::{Value, json};

/// Cases that take little time, some of which need what not every host has.
const FILTERS: [&str; 4] = ["hostname/", "state/", "pids/", "personality/"];

/// A directory for the files of a test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Place(directory)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_oci-conformance"))
            .args(arguments)
            .stdin(Stdio::null())
            .env("TMPDIR", self.0.path())
            .output()
            .expect("the program runs")
    }

    /// Runs, and says what came of it.
    fn said(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(arguments);
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// A results file of the embedded reference.
    fn judge(&self, name: &str, further: &[&str]) -> String {
        let file = self.path(name);
        let format = format!("json={file}");
        // One at a time: which of two containers finds the other's parent cgroup is up to chance.
        let mut arguments = vec!["run", "--jobs", "1", "--format", &format];
        arguments.extend(FILTERS);
        arguments.extend(further);
        let output = self.run(&arguments);
        // 3: of so few cases, a host may be able to judge none of a shard.
        assert!(
            matches!(output.status.code(), Some(0 | 3)),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        file
    }

    /// A results file with something changed in it.
    fn changed(&self, from: &str, name: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut document = read(from);
        change(&mut document);
        self.write(name, &document.to_string())
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn read(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What of a run's results does not depend on when and in what order it was done.
fn verdicts(results: &Results) -> Vec<Value> {
    let cases = results.runs.iter().flat_map(|run| &run.cases);
    let of_case = cases.map(|case| {
        let findings: Vec<Value> = case
            .findings
            .iter()
            .map(|finding| {
                json!([
                    finding.clause,
                    finding.level,
                    finding.verdict,
                    finding.message
                ])
            })
            .collect();
        json!([
            case.id,
            case.suite,
            case.clauses,
            case.verdict,
            case.as_expected,
            case.need,
            findings
        ])
    });
    of_case
        .chain(results.runs.iter().map(|run| json!(run.summary)))
        .chain([json!([results.shard, results.level, results.spec])])
        .collect()
}

#[test]
fn merged_shards_equal_the_whole_run() {
    let place = Place::new();
    let whole = Results::load(Path::new(&place.judge("whole.json", &[]))).unwrap();
    assert!(whole.runs[0].cases.len() > 7);
    for of in 1..=7 {
        let mut shards: Vec<String> = (1..=of)
            .map(|index| {
                place.judge(
                    &format!("{index}-{of}.json"),
                    &["--shard", &format!("{index}/{of}")],
                )
            })
            .collect();
        // In whatever order they come.
        shards.reverse();
        let mut arguments = vec!["merge"];
        arguments.extend(shards.iter().map(String::as_str));
        let output = place.run(&arguments);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let merged = Results::parse(&output.stdout).unwrap();
        assert_eq!(verdicts(&merged), verdicts(&whole), "{of} shards");
        assert_eq!(merged.shard, None);
        if of > 1 {
            let (code, said) = place.said(&arguments[..arguments.len() - 1]);
            assert_eq!(code, Some(3), "{said}");
            assert!(said.contains(&format!("missing shards: 1/{of}")), "{said}");
            arguments.push(arguments[1]);
            let (code, said) = place.said(&arguments);
            assert_eq!(code, Some(3), "{said}");
            assert!(
                said.contains(&format!("are both shard {of} of {of}")),
                "{said}"
            );
        }
    }
}

#[test]
fn merge_refuses_what_is_no_part_of_the_run_and_says_so_on_standard_error() {
    let place = Place::new();
    let first = place.judge("first.json", &["--shard", "1/2"]);
    let other = place.judge("other.json", &["--shard", "2/2", "--seed", "4"]);
    let output = place.run(&["merge", &first, &other]);
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("another seed: 4 instead of 0"), "{said}");
    let second = place.judge("second.json", &["--shard", "2/2"]);
    let page = format!("markdown={}", place.path("page.md"));
    let (code, said) = place.said(&["merge", &first, &second, "--format", &page, "--verdict"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(
        std::fs::read_to_string(place.path("page.md"))
            .unwrap()
            .contains("refrun")
    );
    let failing = place.changed(&second, "failing.json", |results| {
        results["runs"][0]["cases"][0]["verdict"] = "fail".into();
        results["runs"][0]["cases"][0]["as_expected"] = false.into();
    });
    for (further, code) in [(&[][..], 0), (&["--verdict"], 1)] {
        let mut arguments = vec!["merge", &first, &failing];
        arguments.extend(further);
        assert_eq!(
            place.run(&arguments).status.code(),
            Some(code),
            "{further:?}"
        );
    }
}

#[test]
fn compare_exits_with_1_if_a_runtime_does_worse_than_it_did() {
    let place = Place::new();
    let good = place.judge("good.json", &[]);
    let judged = |results: &Value| {
        let cases = results["runs"][0]["cases"].as_array().unwrap();
        cases
            .iter()
            .position(|case| case["verdict"] == "pass")
            .expect("a case that passes")
    };
    let worse = place.changed(&good, "worse.json", |results| {
        let at = judged(results);
        let case = &mut results["runs"][0]["cases"][at];
        case["verdict"] = "fail".into();
        case["findings"][0]["verdict"] = "fail".into();
    });
    let other = place.changed(&worse, "other.json", |results| {
        results["runs"][0]["runtime"]["name"] = "another".into();
        results["runs"][0]["runtime"]["label"] = "another".into();
    });
    for (arguments, code, words) in [
        (vec!["compare", &good, &good], 0, "0 broken"),
        (vec!["compare", &good, &worse], 1, "1 broken"),
        (vec!["compare", &worse, &good], 0, "1 fixed"),
        (
            vec!["compare", &good, &worse, "--side-by-side"],
            0,
            "1 case has differing verdicts",
        ),
        (
            vec!["compare", &good, &other],
            0,
            "1 case has differing verdicts",
        ),
        (
            vec!["compare", &good, &worse, &other],
            0,
            "1 case has differing verdicts",
        ),
        (
            vec!["compare", &good, &worse, "--format", "markdown"],
            1,
            "| case | verdict |",
        ),
        (
            vec!["compare", &good, &worse, "--format", "json"],
            1,
            "\"worse\": true",
        ),
        (vec!["compare", &good], 2, "2 values required"),
        (
            vec!["compare", &good, &worse, "--format", "paper"],
            2,
            "unknown format",
        ),
        (
            vec!["compare", &good, "/no/such/file"],
            2,
            "read results /no/such/file",
        ),
        (
            vec![
                "compare", &good, &worse, "--format", "json", "--format", "human",
            ],
            2,
            "two formats",
        ),
    ] {
        let (got, said) = place.said(&arguments);
        assert_eq!(got, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn results_of_another_format_are_refused() {
    let place = Place::new();
    let good = place.judge("good.json", &["--shard", "1/1"]);
    let newer = place.changed(&good, "newer.json", |results| results["format"] = 2.into());
    let text = place.write("text", "no results");
    let expect = place.path("expect.toml");
    for arguments in [
        &["compare", &good, &newer][..],
        &["merge", &good, &newer],
        &["expect", "update", &expect, &newer],
    ] {
        let (code, said) = place.said(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(
            said.contains("newer.json: results of format 2; this program reads format 1"),
            "{said}"
        );
    }
    let (code, said) = place.said(&["merge", &text]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("no results file (--format json writes them)"),
        "{said}"
    );
    assert!(!PathBuf::from(expect).exists());
}

#[test]
fn expect_update_writes_what_a_run_accepts_once_it_is_explained() {
    let place = Place::new();
    // A runtime that fails the plainest container: one failure.
    let script = place.path("runtime");
    executable::write(script.as_ref(), b"#!/bin/sh\necho 'wrong 1.0'\n");
    let (expect, results) = (place.path("expect.toml"), place.path("results.json"));
    let format = format!("json={results}");
    let judge = ["--runtime", &script, "hostname/", "--format", &format];
    assert_eq!(place.run(&judge).status.code(), Some(1));
    let update = ["expect", "update", &expect, &results];
    let check = ["expect", "update", &expect, &results, "--check"];
    assert_eq!(place.run(&check).status.code(), Some(1));
    assert!(!Path::new(&expect).exists(), "--check writes nothing");
    let (code, said) = place.said(&update);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("basics/plain-container: added"), "{said}");
    let judge = [&judge[..], &["--expect", &expect]].concat();
    let (code, said) = place.said(&judge);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the reason is \"TODO\""), "{said}");
    let text = std::fs::read_to_string(&expect).unwrap();
    std::fs::write(&expect, text.replace("\"TODO\"", "\"it is a script\"")).unwrap();
    // As expected, though with nothing judged but the gate.
    let (code, said) = place.said(&judge);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(place.run(&check).status.code(), Some(0));
    let judged = Results::load(Path::new(&results)).unwrap();
    assert_eq!(judged.runs[0].summary.unexpected, 0);
    assert_eq!(judged.runs[0].cases[0].verdict, Verdict::Fail);
}

//! What becomes of each kind of entry, of comments and of order.

use super::*;
use crate::results::{FORMAT, Finding, FindingLevel, RuntimeFacts, Summary, Tool};

/// Every entry that a run can meet, with what a person wrote around it.
const FILE: &str = r#"# Known failures of runc.
format = 1

[subject]
name = "runc"
version = "1.1.*" # 1.2 has a file of its own

# -- Hooks --

# Remove this with the fix.
[[waiver]]
case = "a/fixed"
clauses = ["x.one"]
verdict = "fail"
reason = "gone"

# As it was.
[[waiver]]
case = "b/same" # here too
clauses = [
    "x.two",   # first
    "x.three", # second
]
verdict = "fail"
reason = "because"
link = "https://example.org/1"
until = 2099-01-01

[[waiver]]
case = "c/otherwise"
# what is broken
clauses = ["x.four"] # may grow
verdict = "fail" # not a timeout
reason = "a long story"

[[waiver]]
case = "d/only-v2"
clauses = ["x.five"]
verdict = "warn"
when = { cgroup = ["v2"] }
reason = "v2 only"

[[waiver]]
case = "e/inapplicable"
clauses = ["x.six"]
verdict = "fail"
reason = "cannot tell"

[[waiver]]
case = "z/no-such-case"
clauses = ["x.seven"]
verdict = "fail"
reason = "renamed"
# The end.
"#;

#[test]
fn a_file_is_brought_up_to_date() {
    let update = updated(Some(FILE), &[runc()]);
    insta::assert_snapshot!(update.text);
    insta::assert_snapshot!("notes", update.notes.join("\n"));
    assert_eq!(update.changes, 4);
}

#[test]
fn what_is_up_to_date_stays_to_the_last_byte() {
    let once = updated(Some(FILE), &[runc()]).text;
    let twice = updated(Some(&once), &[runc()]);
    assert_eq!((twice.changes, twice.text), (0, once));
}

#[test]
fn a_new_file_speaks_of_the_runtime_and_is_refused_until_it_is_explained() {
    let update = updated(None, &[runc()]);
    insta::assert_snapshot!("new_file", update.text);
    let path = Path::new("new.toml");
    let refused = ExpectationFile::parse(path, &update.text, &|_| true, 0).unwrap_err();
    assert!(refused.0.contains("the reason is \"TODO\""), "{refused}");
    let explained = update.text.replace("TODO", "explained");
    let file = ExpectationFile::parse(path, &explained, &|_| true, 0).unwrap();
    let Results { host, mut runs, .. } = runc();
    crate::expectations::judge(&mut runs[0], &[file], FailLevel::Must, &host, &[]);
    assert_eq!(runs[0].summary.unexpected, 0);
}

#[test]
fn an_entry_goes_only_if_no_host_fails_it() {
    let passing = results("v1", vec![case("a/fixed", Verdict::Pass, &[])]);
    let failing = results("v2", vec![case("a/fixed", Verdict::Fail, &["x.one"])]);
    for (seen, stays) in [
        (vec![passing.clone()], false),
        (vec![passing.clone(), failing.clone()], true),
        (vec![failing.clone(), passing.clone()], true),
        (vec![failing], true),
    ] {
        let update = updated(Some(FILE), &seen);
        assert_eq!(update.text.contains("a/fixed"), stays);
        assert_eq!(update.changes == 0, stays);
        // Its heading speaks of what follows, too.
        assert!(update.text.contains("# -- Hooks --"));
        assert_eq!(update.text.contains("# Remove this with the fix."), stays);
    }
}

#[test]
fn an_entry_for_what_happens_sometimes_stays() {
    let passing = results("v1", vec![case("b/same", Verdict::Pass, &[])]);
    let failing = results(
        "v1",
        vec![case("b/same", Verdict::Fail, &["x.two", "x.three"])],
    );
    let file = FILE.replace("link =", "sometimes = true\nlink =");
    for seen in [vec![passing.clone()], vec![failing.clone(), passing]] {
        let update = updated(Some(&file), &seen);
        assert_eq!(update.changes, 0, "{:?}", update.notes);
        assert_eq!(update.text, file);
    }
    let otherwise = results("v1", vec![case("b/same", Verdict::Fail, &["x.two"])]);
    assert_eq!(updated(Some(&file), &[otherwise, failing]).changes, 0);
}

#[test]
fn entries_without_order_get_new_ones_at_the_end() {
    let head = "format = 1\n";
    let entry = |case: &str| {
        format!(
            "\n[[waiver]]\ncase = \"{case}\"\nclauses = [\"x\"]\nverdict = \"fail\"\nreason = \"r\"\n"
        )
    };
    for (there, wanted) in [
        (["b", "d"], ["b", "c", "d"]),
        (["d", "b"], ["d", "b", "c"]),
        (["x", "y"], ["c", "x", "y"]),
    ] {
        let text = format!("{head}{}{}", entry(there[0]), entry(there[1]));
        let update = updated(
            Some(&text),
            &[results("v2", vec![case("c", Verdict::Fail, &["x"])])],
        );
        let cases: Vec<&str> = update
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("case = "))
            .collect();
        assert_eq!(cases, wanted.map(|case| format!("\"{case}\"")));
    }
}

#[test]
fn warnings_are_added_where_they_fail_the_run() {
    let mut results = results("v2", vec![case("w", Verdict::Warn, &["x.should"])]);
    assert_eq!(updated(Some("format = 1\n"), &[results.clone()]).changes, 0);
    results.level = FailLevel::Should;
    assert_eq!(updated(Some("format = 1\n"), &[results]).changes, 1);
}

#[test]
fn what_a_subject_printed_is_written_harmless() {
    let mut hostile = case("h", Verdict::Fail, &["x"]);
    hostile.findings[0].observed_value = "\u{1b}[2J\u{202e}\n\"\"\"\n[[waiver]]\n".into();
    let text = updated(Some("format = 1\n"), &[results("v2", vec![hostile])]).text;
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{202e}'),
        "{text}"
    );
    let file = ExpectationFile::parse_draft(Path::new("x"), &text).unwrap();
    assert_eq!(file.waivers.len(), 1);
}

#[test]
fn results_of_another_subject_are_refused() {
    let mut other = runc();
    other.runs[0].runtime.version = "1.2.0".into();
    let error = update(Path::new("f.toml"), Some(FILE), &[other.clone()], &|_| true).unwrap_err();
    assert_eq!(
        error.0,
        "f.toml speaks of runc 1.1.*, but the results are of runc 1.2.0"
    );
    other.runs.push(runc().runs.remove(0));
    other.runs[0].runtime.name = "crun".into();
    let error = update(Path::new("f.toml"), None, &[other], &|_| true).unwrap_err();
    assert!(
        error
            .0
            .contains("the results are of crun 1.2.0, runc 1.1.5"),
        "{error}"
    );
    let error = update(Path::new("f.toml"), Some("format = 9"), &[runc()], &|_| {
        true
    })
    .unwrap_err();
    assert!(error.0.contains("f.toml:1: format 9"), "{error}");
}

fn updated(text: Option<&str>, results: &[Results]) -> Update {
    let known = |id: &str| id != "z/no-such-case";
    update(Path::new("expect.toml"), text, results, &known).unwrap()
}

/// A run that meets every entry of [`FILE`], and failures that have none.
fn runc() -> Results {
    let mut long = case(
        "b/new",
        Verdict::Fail,
        &[
            "config.process.capabilities.bounding.effect",
            "config.process.capabilities.inheritable.effect",
        ],
    );
    long.findings[0].message = "CapBnd".into();
    results(
        "v1",
        vec![
            case("a/fixed", Verdict::Pass, &[]),
            long,
            case("b/same", Verdict::Fail, &["x.three", "x.two"]),
            case("c/otherwise", Verdict::Timeout, &["x.four", "x.eight"]),
            case("d/only-v2", Verdict::Fail, &["x.five"]),
            case("e/inapplicable", Verdict::Inapplicable, &[]),
            case("y/hangs", Verdict::Timeout, &[]),
        ],
    )
}

fn results(cgroup: &str, cases: Vec<CaseResult>) -> Results {
    Results {
        format: FORMAT,
        tool: Tool {
            name: "oci-conformance".into(),
            version: "0.1.0".into(),
        },
        started: String::new(),
        arguments: Vec::new(),
        spec: "1.3.0".into(),
        level: FailLevel::Must,
        shard: None,
        seed: 0,
        host: HostFacts {
            kernel: "6.18.5".into(),
            machine: "x86_64".into(),
            cgroup: cgroup.into(),
            root: true,
            notes: Vec::new(),
        },
        runs: vec![Run {
            runtime: RuntimeFacts {
                label: "runc".into(),
                path: "/usr/sbin/runc".into(),
                arguments: Vec::new(),
                name: "runc".into(),
                version: "1.1.5".into(),
                claim: String::new(),
                sha256: None,
                is_reference: false,
                abilities: Vec::new(),
            },
            spec_judged: "1.0.2".into(),
            seconds: 1.0,
            summary: Summary::default(),
            cases,
            waivers_not_exercised: Vec::new(),
        }],
    }
}

fn case(id: &str, verdict: Verdict, broken: &[&str]) -> CaseResult {
    let finding = |clause: &&str| Finding {
        clause: (*clause).to_owned(),
        level: FindingLevel::Must,
        verdict: if verdict == Verdict::Warn {
            FindingVerdict::Warn
        } else {
            FindingVerdict::Fail
        },
        expected_value: "right".into(),
        observed_value: "wrong".into(),
        message: String::new(),
        step: None,
    };
    CaseResult {
        id: id.into(),
        suite: "spec".into(),
        clauses: broken.iter().map(|clause| (*clause).to_owned()).collect(),
        verdict,
        as_expected: verdict == Verdict::Pass,
        unexpected_because: None,
        reference: None,
        need: None,
        waiver: None,
        attempts: vec![verdict],
        findings: broken.iter().map(finding).collect(),
        steps: Vec::new(),
        seconds: 0.0,
    }
}

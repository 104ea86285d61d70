//! Every rule of expectation files, each accepted example beside its rejected twin.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::results::{Finding, FindingLevel, FindingVerdict, Summary, Tool};

/// 2026-05-01.
const TODAY: i64 = 20_574;

/// A waiver that every test starts from.
const WAIVER: &str = r#"
format = 1
[subject]
name = "runc"
version = "1.1.*"

[[waiver]]
case = "a/one"
clauses = ["clause.x"]
verdict = "fail"
reason = "because"
"#;

fn parse(text: &str) -> Result<ExpectationFile, String> {
    let known = |id: &str| ["a/one", "a/two"].contains(&id);
    ExpectationFile::parse(Path::new("expect.toml"), text, &known, TODAY).map_err(|error| error.0)
}

/// [`WAIVER`] with lines of its entry replaced or added.
fn with(lines: &str) -> String {
    let replaced = |line: &str| {
        let key = line.split(" = ").next().unwrap_or(line);
        lines
            .lines()
            .any(|new| new.starts_with(&format!("{key} =")))
    };
    let (head, entry) = WAIVER.split_once("[[waiver]]\n").unwrap();
    let kept: Vec<&str> = entry.lines().filter(|line| !replaced(line)).collect();
    format!("{head}[[waiver]]\n{}\n{lines}\n", kept.join("\n"))
}

#[test]
fn a_whole_file_is_read() {
    let file = parse(&with(
        "when = { cgroup = [\"v1\", \"hybrid\"], root = true, kernel = \"<6.1\" }\n\
         observed = \"seen\"\nlink = \"https://example.org\"\nuntil = 2027-06-30",
    ))
    .unwrap();
    let waiver = &file.waivers[0];
    assert_eq!((waiver.case.as_str(), waiver.line), ("a/one", 7));
    assert_eq!(waiver.clauses, ["clause.x"]);
    assert_eq!(
        waiver.when.cgroup,
        Some(vec!["v1".to_owned(), "hybrid".to_owned()])
    );
    assert_eq!(waiver.when.root, Some(true));
    assert_eq!(waiver.when.kernel.as_ref().unwrap().to_string(), "<6.1");
    assert_eq!(waiver.until.unwrap().to_string(), "2027-06-30");
    assert_eq!(waiver.observed.as_deref(), Some("seen"));
}

#[test]
fn an_accepted_file_and_its_rejected_twin() {
    // What stands in the waiver; the same wrong; the line and the words of the error.
    for (accepted, rejected, line, words) in [
        (
            "case = \"a/two\"",
            "case = \"a/three\"",
            11,
            "no case has the id \"a/three\"",
        ),
        ("reason = \"x\"", "reason = \"TODO\"", 11, "say why"),
        ("reason = \"x\"", "reason = \" \"", 11, "say why"),
        (
            "observed = \"x\"",
            "obsered = \"x\"",
            12,
            "unknown field `obsered`",
        ),
        (
            "when = { root = true }",
            "when = { rootless = true }",
            12,
            "unknown field `rootless`",
        ),
        (
            "verdict = \"timeout\"",
            "verdict = \"broken\"",
            11,
            "unknown variant `broken`",
        ),
        (
            "clauses = [\"x\", \"y\"]",
            "clauses = [\"x\", \"x\"]",
            11,
            "\"x\" stands twice",
        ),
        ("clauses = [\"x\"]", "clauses = []", 11, "clauses is empty"),
        ("clauses = [\"x\"]", "clauses = \"x\"", 11, "invalid type"),
        (
            "until = 2026-05-01",
            "until = 2026-04-30",
            12,
            "ended on 2026-04-30",
        ),
        (
            "until = 2027-01-01",
            "until = 2027-01-01T00:00:00Z",
            12,
            "no date",
        ),
        (
            "when = { kernel = \"<6.1\" }",
            "when = { kernel = \"6.1\" }",
            12,
            "no comparison",
        ),
        (
            "when = { cgroup = [\"v2\"] }",
            "when = { cgroup = [\"v3\"] }",
            12,
            "\"v3\" is none of",
        ),
    ] {
        parse(&with(accepted)).unwrap_or_else(|error| panic!("{accepted}: {error}"));
        let error = parse(&with(rejected)).expect_err(rejected);
        assert!(
            error.starts_with(&format!("expect.toml:{line}: ")),
            "{rejected}: {error}"
        );
        assert!(error.contains(words), "{rejected}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn what_stands_outside_of_waivers_is_checked_too() {
    for (from, to, line, words) in [
        ("format = 1", "format = 2", 2, "format 2 is not known"),
        ("format = 1", "", 1, "missing field `format`"),
        ("version = \"1.1.*\"", "version = \"1.[\"", 5, "no glob"),
        ("name = \"runc\"", "name = \"\"", 4, "empty"),
        (
            "name = \"runc\"",
            "label = \"runc\"",
            4,
            "unknown field `label`",
        ),
        ("[subject]", "[subject", 3, ""),
        ("reason = \"because\"", "", 7, "missing field `reason`"),
    ] {
        parse(WAIVER).unwrap();
        let error = parse(&WAIVER.replace(from, to)).expect_err(to);
        assert!(
            error.starts_with(&format!("expect.toml:{line}: ")),
            "{to}: {error}"
        );
        assert!(error.contains(words), "{to}: {error}");
    }
}

#[test]
fn a_case_has_one_waiver() {
    let (_, entry) = WAIVER.split_once("[[waiver]]").unwrap();
    let second = |case: &str| format!("{WAIVER}[[waiver]]{}", entry.replace("a/one", case));
    assert_eq!(parse(&second("a/two")).unwrap().waivers.len(), 2);
    assert_eq!(
        parse(&second("a/one")).unwrap_err(),
        "expect.toml:12: a second waiver for a/one; the first is in line 7"
    );

    let file = parse(WAIVER).unwrap();
    let other = parse(&WAIVER.replace("a/one", "a/two")).unwrap();
    assert_eq!(
        refuse_doubled(&[file.clone(), other], &runtime("runc", "1.1.5")),
        Ok(())
    );
    assert!(refuse_doubled(&[file.clone(), file.clone()], &runtime("runc", "1.1.5")).is_err());
    assert_eq!(
        refuse_doubled(&[file.clone(), file], &runtime("crun", "1.1.5")),
        Ok(())
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error =
        ExpectationFile::load(Path::new("/nonexistent/x.toml"), &|_| true, TODAY).unwrap_err();
    assert!(error.0.starts_with("read /nonexistent/x.toml: "), "{error}");
}

#[test]
fn a_file_applies_to_its_subject() {
    for (name, version, applies) in [
        ("runc", "1.1.5", true),
        ("runc", "1.1.5+ds1", true),
        ("runc", "1.2.0", false),
        ("crun", "1.1.5", false),
        ("runc", "", false),
    ] {
        assert_eq!(
            parse(WAIVER).unwrap().applies_to(&runtime(name, version)),
            applies,
            "{name} {version}"
        );
    }
    let any_version = parse(&WAIVER.replace("version = \"1.1.*\"", "")).unwrap();
    assert!(any_version.applies_to(&runtime("runc", "")));
}

/// What a case did, and a waiver's verdict and clauses for it.
struct Rule {
    verdict: Verdict,
    broken: &'static [&'static str],
    waiver: Option<(&'static str, &'static str)>,
    level: FailLevel,
    deny: &'static [Denied],
    as_expected: bool,
    because: Option<&'static str>,
}

const RULE: Rule = Rule {
    verdict: Verdict::Pass,
    broken: &[],
    waiver: None,
    level: FailLevel::Must,
    deny: &[],
    as_expected: true,
    because: None,
};

#[test]
fn a_failure_that_depends_on_timing_may_be_absent_and_not_another() {
    use Verdict::{Fail, Pass, Timeout, Unsupported};
    for (verdict, broken, always, sometimes) in [
        (Fail, &["x"][..], true, true),
        (Pass, &[], false, true),
        (Unsupported, &[], false, true),
        (Fail, &["y"], false, false),
        (Timeout, &["x"], false, false),
    ] {
        for (line, as_expected) in [
            ("sometimes = false", always),
            ("sometimes = true", sometimes),
        ] {
            let file = parse(&with(&format!("clauses = [\"x\"]\n{line}"))).unwrap();
            let mut run = run(vec![case("a/one", verdict, broken)]);
            judge(&mut run, &[file], FailLevel::Must, &host(), &[]);
            let seen = run.cases[0].as_expected;
            assert_eq!(seen, as_expected, "{line}: {verdict:?} of {broken:?}");
        }
    }
}

#[test]
fn verdicts_are_expected_or_not() {
    use Verdict::{Broken, Fail, Inapplicable, Pass, Timeout, Unsupported, Warn};
    let x: &[&str] = &["x"];
    let xy: &[&str] = &["x", "y"];
    let (no, fail_x) = (false, Some(("fail", "\"x\"")));
    let rules = [
        // Without a waiver.
        RULE,
        Rule {
            verdict: Fail,
            broken: x,
            as_expected: no,
            ..RULE
        },
        Rule {
            verdict: Warn,
            broken: x,
            ..RULE
        },
        Rule {
            verdict: Warn,
            broken: x,
            level: FailLevel::Should,
            as_expected: no,
            ..RULE
        },
        Rule {
            verdict: Timeout,
            as_expected: no,
            ..RULE
        },
        Rule {
            verdict: Broken,
            as_expected: no,
            ..RULE
        },
        Rule {
            verdict: Unsupported,
            ..RULE
        },
        Rule {
            verdict: Unsupported,
            deny: &[Denied::Inapplicable],
            ..RULE
        },
        Rule {
            verdict: Unsupported,
            deny: &[Denied::Unsupported],
            as_expected: no,
            because: Some("unsupported is denied"),
            ..RULE
        },
        Rule {
            verdict: Inapplicable,
            ..RULE
        },
        Rule {
            verdict: Inapplicable,
            deny: &[Denied::Unsupported],
            ..RULE
        },
        Rule {
            verdict: Inapplicable,
            deny: &[Denied::Inapplicable],
            as_expected: no,
            because: Some("inapplicable is denied"),
            ..RULE
        },
        // With one.
        Rule {
            verdict: Fail,
            broken: x,
            waiver: fail_x,
            ..RULE
        },
        Rule {
            verdict: Pass,
            waiver: fail_x,
            as_expected: no,
            because: Some("passes now"),
            ..RULE
        },
        Rule {
            verdict: Fail,
            broken: xy,
            waiver: fail_x,
            as_expected: no,
            because: Some("fails otherwise: also breaks y"),
            ..RULE
        },
        Rule {
            verdict: Fail,
            broken: xy,
            waiver: Some(("fail", "\"y\", \"x\"")),
            ..RULE
        },
        Rule {
            verdict: Fail,
            broken: x,
            waiver: Some(("fail", "\"x\", \"y\"")),
            as_expected: no,
            because: Some("fails otherwise: does not break y"),
            ..RULE
        },
        Rule {
            verdict: Timeout,
            broken: x,
            waiver: fail_x,
            as_expected: no,
            because: Some("fails otherwise: timeout where the waiver says fail"),
            ..RULE
        },
        Rule {
            verdict: Timeout,
            waiver: Some(("timeout", "")),
            ..RULE
        },
        Rule {
            verdict: Unsupported,
            waiver: fail_x,
            as_expected: no,
            because: Some(
                "fails otherwise: unsupported where the waiver says fail; does not break x",
            ),
            ..RULE
        },
        Rule {
            verdict: Warn,
            broken: x,
            waiver: Some(("warn", "\"x\"")),
            level: FailLevel::Should,
            ..RULE
        },
        // A warning that would do no harm is unexpected where a failure is described.
        Rule {
            verdict: Warn,
            broken: x,
            waiver: fail_x,
            as_expected: no,
            because: Some("fails otherwise: warn where the waiver says fail"),
            ..RULE
        },
        // Nothing waives the harness's own failure.
        Rule {
            verdict: Broken,
            broken: x,
            waiver: fail_x,
            as_expected: no,
            ..RULE
        },
    ];
    for (number, rule) in rules.iter().enumerate() {
        let files: Vec<ExpectationFile> = rule
            .waiver
            .map(|(verdict, clauses)| {
                parse(&with(&format!(
                    "verdict = \"{verdict}\"\nclauses = [{clauses}]"
                )))
                .unwrap()
            })
            .into_iter()
            .collect();
        let mut run = run(vec![case("a/one", rule.verdict, rule.broken)]);
        judge(&mut run, &files, rule.level, &host(), rule.deny);
        let case = &run.cases[0];
        assert_eq!(
            case.as_expected, rule.as_expected,
            "rule {number}: {case:?}"
        );
        assert_eq!(
            case.unexpected_because.as_deref(),
            rule.because,
            "rule {number}"
        );
        assert_eq!(
            run.summary.unexpected,
            u32::from(!rule.as_expected),
            "rule {number}"
        );
        assert_eq!(
            case.waiver.as_deref(),
            rule.waiver.map(|_| "because"),
            "rule {number}"
        );
    }
}

#[test]
fn a_waiver_that_does_not_apply_is_listed_and_harmless() {
    let failing = || case("a/one", Verdict::Fail, &["clause.x"]);
    // Conditions, the case's result, whether the waiver applies, else why not.
    for (lines, result, why) in [
        ("", failing(), None),
        ("when = { cgroup = [\"v1\", \"hybrid\"] }", failing(), None),
        (
            "when = { cgroup = [\"v1\", \"v2\"] }",
            failing(),
            Some("only with cgroup v1 or v2, here is hybrid"),
        ),
        ("when = { root = true }", failing(), None),
        (
            "when = { root = false }",
            failing(),
            Some("only without root"),
        ),
        ("when = { kernel = \">=6.1\" }", failing(), None),
        (
            "when = { kernel = \"<6.1\" }",
            failing(),
            Some("only with kernel <6.1, here is 6.18.5"),
        ),
        (
            "when = { root = true, kernel = \"<6.1\" }",
            failing(),
            Some("only with kernel <6.1, here is 6.18.5"),
        ),
        (
            "case = \"a/two\"",
            failing(),
            Some("not among the cases of this run"),
        ),
        (
            "",
            case("a/one", Verdict::Inapplicable, &[]),
            Some("inapplicable: a need"),
        ),
    ] {
        let mut run = run(vec![result]);
        judge(
            &mut run,
            &[parse(&with(lines)).unwrap()],
            FailLevel::Must,
            &host(),
            &[],
        );
        let listed: Vec<&str> = run
            .waivers_not_exercised
            .iter()
            .map(|entry| entry.why.as_str())
            .collect();
        assert_eq!(listed, why.into_iter().collect::<Vec<_>>(), "{lines}");
        let applied = run.cases[0].waiver.is_some();
        assert_eq!(applied, why.is_none(), "{lines}");
        let expected = applied || run.cases[0].verdict == Verdict::Inapplicable;
        assert_eq!(run.cases[0].as_expected, expected, "{lines}");
    }
    let mut other = run(vec![failing()]);
    other.runtime.name = "crun".into();
    judge(
        &mut other,
        &[parse(WAIVER).unwrap()],
        FailLevel::Must,
        &host(),
        &[],
    );
    assert!(!other.cases[0].as_expected && other.waivers_not_exercised.is_empty());
}

#[test]
fn judging_again_says_the_same() {
    let mut run = run(vec![case("a/one", Verdict::Fail, &["clause.x"])]);
    let file = [parse(&with("when = { root = false }")).unwrap()];
    judge(
        &mut run,
        &[parse(WAIVER).unwrap()],
        FailLevel::Must,
        &host(),
        &[],
    );
    for _ in 0..2 {
        judge(&mut run, &file, FailLevel::Must, &host(), &[]);
        assert_eq!(run.waivers_not_exercised.len(), 1);
        assert_eq!(
            (run.cases[0].as_expected, &run.cases[0].waiver),
            (false, &None)
        );
        assert_eq!((run.summary.fail, run.summary.unexpected), (1, 1));
    }
}

#[test]
fn the_exit_code_is_the_worst() {
    use Verdict::{Broken, Fail, Inapplicable, Pass, Unsupported};
    for (runs, code) in [
        (vec![vec![Pass]], 0),
        (vec![vec![Pass, Fail]], 1),
        (vec![vec![Pass, Fail, Broken]], 3),
        (vec![vec![Pass, Inapplicable]], 0),
        (vec![vec![Inapplicable]], 3),
        (vec![vec![Unsupported]], 0),
        (vec![vec![]], 3),
        (vec![], 3),
        (vec![vec![Pass], vec![Fail]], 1),
        (vec![vec![Pass], vec![Inapplicable]], 3),
    ] {
        let runs_of = |verdicts: &Vec<Verdict>| {
            let cases = verdicts
                .iter()
                .enumerate()
                .map(|(at, v)| case(&format!("a/{at}"), *v, &[]));
            let mut run = run(cases.collect());
            judge(&mut run, &[], FailLevel::Must, &host(), &[]);
            run
        };
        let results = Results {
            format: 1,
            tool: Tool {
                name: "oci-conformance".into(),
                version: "0".into(),
            },
            started: String::new(),
            arguments: Vec::new(),
            spec: "1.3.0".into(),
            level: FailLevel::Must,
            shard: None,
            seed: 0,
            host: host(),
            runs: runs.iter().map(runs_of).collect(),
        };
        assert_eq!(exit_code(&results), code, "{runs:?}");
    }
}

fn host() -> HostFacts {
    HostFacts {
        kernel: "6.18.5".into(),
        machine: "x86_64".into(),
        cgroup: "hybrid".into(),
        root: true,
        notes: Vec::new(),
    }
}

fn runtime(name: &str, version: &str) -> RuntimeFacts {
    RuntimeFacts {
        label: name.into(),
        path: format!("/usr/sbin/{name}"),
        arguments: Vec::new(),
        name: name.into(),
        version: version.into(),
        claim: String::new(),
        sha256: None,
        is_reference: false,
        abilities: Vec::new(),
    }
}

fn run(cases: Vec<CaseResult>) -> Run {
    Run {
        runtime: runtime("runc", "1.1.5"),
        spec_judged: "1.0.2".into(),
        seconds: 1.0,
        summary: Summary::default(),
        cases,
        waivers_not_exercised: Vec::new(),
    }
}

fn case(id: &str, verdict: Verdict, broken: &[&str]) -> CaseResult {
    let finding = |clause: &&str| Finding {
        clause: (*clause).to_owned(),
        level: FindingLevel::Must,
        verdict: FindingVerdict::Fail,
        expected_value: Value::Null,
        observed_value: Value::Null,
        message: String::new(),
        step: None,
    };
    CaseResult {
        id: id.into(),
        suite: "spec".into(),
        clauses: broken.iter().map(|clause| (*clause).to_owned()).collect(),
        verdict,
        // Whatever stood here before must not count.
        as_expected: verdict == Verdict::Fail,
        unexpected_because: Some("stale".into()),
        reference: None,
        need: (verdict == Verdict::Inapplicable).then(|| "a need".to_owned()),
        waiver: None,
        attempts: vec![verdict],
        findings: broken.iter().map(finding).collect(),
        steps: Vec::new(),
        seconds: 0.0,
    }
}

//! What counts as worse, which runs stand beside which, and how it reads.

use serde_json::{Value, json};

use super::history::Kind;
use super::*;
use crate::results::{
    CaseResult, FORMAT, FailLevel, Finding, FindingLevel, FindingVerdict, HostFacts, RuntimeFacts,
    Summary, Tool, Verdict,
};

/// Clauses judged and clauses broken, and the verdict.
type Seen = (Verdict, &'static [&'static str], &'static [&'static str]);

#[test]
fn what_got_worse_and_what_did_not() {
    use Verdict::{Broken, Fail, Inapplicable, Pass, Timeout, Unsupported, Warn};
    const X: &[&str] = &["x"];
    const XY: &[&str] = &["x", "y"];
    const Y: &[&str] = &["y"];
    let rows: &[(Option<Seen>, Option<Seen>, Option<Kind>)] = &[
        (Some((Pass, X, &[])), Some((Pass, X, &[])), None),
        (Some((Pass, X, &[])), Some((Pass, XY, &[])), None),
        (Some((Fail, X, X)), Some((Fail, X, X)), None),
        (Some((Pass, X, &[])), Some((Fail, X, X)), Some(Kind::Broken)),
        (Some((Pass, X, &[])), Some((Warn, X, X)), Some(Kind::Broken)),
        (Some((Warn, X, X)), Some((Fail, XY, XY)), Some(Kind::Broken)),
        (
            Some((Fail, X, X)),
            Some((Timeout, &[], &[])),
            Some(Kind::Broken),
        ),
        (
            Some((Pass, X, &[])),
            Some((Unsupported, &[], &[])),
            Some(Kind::Broken),
        ),
        // It held before, and now is broken beside the other.
        (
            Some((Fail, XY, X)),
            Some((Fail, XY, XY)),
            Some(Kind::Broken),
        ),
        (Some((Fail, XY, X)), Some((Warn, XY, Y)), Some(Kind::Broken)),
        // The earlier run never came to it.
        (Some((Fail, X, X)), Some((Fail, XY, Y)), Some(Kind::Changed)),
        (
            Some((Timeout, &[], &[])),
            Some((Fail, X, X)),
            Some(Kind::Changed),
        ),
        (Some((Fail, X, X)), Some((Warn, X, X)), Some(Kind::Changed)),
        (
            Some((Fail, XY, XY)),
            Some((Fail, XY, X)),
            Some(Kind::Changed),
        ),
        (Some((Fail, X, X)), Some((Pass, X, &[])), Some(Kind::Fixed)),
        (
            Some((Timeout, &[], &[])),
            Some((Pass, X, &[])),
            Some(Kind::Fixed),
        ),
        (
            Some((Unsupported, &[], &[])),
            Some((Pass, X, &[])),
            Some(Kind::Fixed),
        ),
        // The host or the harness, not the runtime.
        (
            Some((Pass, X, &[])),
            Some((Inapplicable, &[], &[])),
            Some(Kind::Changed),
        ),
        (
            Some((Inapplicable, &[], &[])),
            Some((Fail, X, X)),
            Some(Kind::Changed),
        ),
        (
            Some((Pass, X, &[])),
            Some((Broken, X, X)),
            Some(Kind::Changed),
        ),
        (
            Some((Broken, X, X)),
            Some((Pass, X, &[])),
            Some(Kind::Changed),
        ),
        (None, Some((Fail, X, X)), Some(Kind::Added)),
        (Some((Pass, X, &[])), None, Some(Kind::Removed)),
    ];
    for (before, after, wanted) in rows {
        let side = |seen: &Option<Seen>| {
            let cases = seen.iter().map(|seen| case("a/b", *seen)).collect();
            (String::new(), results("runc", "1", cases))
        };
        let (before, after) = (side(before), side(after));
        let history = History::of((&before, &before.1.runs[0]), (&after, &after.1.runs[0]));
        let kind = history.changes.first().map(|change| change.kind);
        assert_eq!(kind, *wanted, "{before:?} {after:?}");
        assert_eq!(history.is_worse(), *wanted == Some(Kind::Broken));
    }
}

#[test]
fn two_results_of_one_runtime_are_a_history_and_all_else_is_a_matrix() {
    let named =
        |name: &str, version: &str| (format!("{name}.json"), results(name, version, vec![]));
    let (old, new, other) = (
        named("runc", "1.1"),
        named("runc", "1.2"),
        named("crun", "1.8"),
    );
    let two = |a: &Named, b: &Named| {
        let mut both = a.clone();
        both.1.runs.extend(b.1.runs.clone());
        both
    };
    // The files, what is asked, and the number of histories, none for a matrix.
    for (files, asked, histories) in [
        (vec![old.clone(), new.clone()], Asked::WhatFits, Some(1)),
        (
            vec![two(&old, &other), two(&new, &other)],
            Asked::WhatFits,
            Some(2),
        ),
        (
            vec![two(&other, &old), new.clone()],
            Asked::WhatFits,
            Some(1),
        ),
        (vec![old.clone(), other.clone()], Asked::WhatFits, None),
        (vec![old.clone(), new.clone()], Asked::SideBySide, None),
        (
            vec![old.clone(), new.clone(), old.clone()],
            Asked::WhatFits,
            None,
        ),
        // Which of the two it was is unknown.
        (vec![two(&old, &new), new.clone()], Asked::WhatFits, Some(1)),
        (
            vec![two(&old, &old), two(&old, &old)],
            Asked::WhatFits,
            Some(2),
        ),
    ] {
        let got = match compare(&files, asked) {
            Comparison::Histories(histories) => Some(histories.len()),
            Comparison::Matrix(_) => None,
        };
        let titles: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(got, histories, "{titles:?} {asked:?}");
    }
}

#[test]
fn human_history() {
    insta::assert_snapshot!(text(Format::Human, &history()));
}

#[test]
fn markdown_history() {
    insta::assert_snapshot!(text(Format::Markdown, &history()));
}

#[test]
fn json_history() {
    insta::assert_snapshot!(text(Format::Json, &history()));
}

#[test]
fn human_matrix() {
    insta::assert_snapshot!(text(Format::Human, &matrix()));
}

#[test]
fn markdown_matrix() {
    insta::assert_snapshot!(text(Format::Markdown, &matrix()));
}

#[test]
fn json_matrix() {
    let document: Value = serde_json::from_str(&text(Format::Json, &matrix())).unwrap();
    assert_eq!(document["worse"], false);
    let sections = document["matrix"]["sections"].as_array().unwrap();
    let hostname = sections
        .iter()
        .find(|section| section["section"] == "config.md, Hostname");
    assert_eq!(
        hostname.unwrap()["totals"],
        json!([{"pass": 1, "judged": 1}, {"pass": 0, "judged": 1}, {"pass": 0, "judged": 0}])
    );
}

#[test]
fn columns_of_one_title_are_told_apart() {
    let same = || results("runc", "1", vec![]);
    let files = [
        ("a.json".to_owned(), same()),
        ("b.json".into(), same()),
        ("b.json".into(), same()),
    ];
    let titles: Vec<String> = Matrix::of(&files)
        .columns
        .into_iter()
        .map(|column| column.title)
        .collect();
    assert_eq!(
        titles,
        ["runc 1 (a.json)", "runc 1 (b.json)", "runc 1 (b.json)#2"]
    );
}

#[test]
fn hostile_text_steers_nothing() {
    let hostile = "\u{1b}[2J\u{202e}\n::error::x\n| <script> | [a](b)";
    let mut before = results(
        "runc",
        hostile,
        vec![case("a/b", (Verdict::Pass, &["x"], &[]))],
    );
    before.runs[0].runtime.label = hostile.into();
    let mut after = results(
        "runc",
        hostile,
        vec![case("a/b", (Verdict::Fail, &["x"], &["x"]))],
    );
    after.runs[0].cases[0].findings[0].observed_value = hostile.into();
    after.runs[0].cases[0].need = Some(hostile.into());
    let files = [(hostile.to_owned(), before), (hostile.to_owned(), after)];
    for asked in [Asked::WhatFits, Asked::SideBySide] {
        for format in [Format::Human, Format::Markdown, Format::Json] {
            let text = text(format, &compare(&files, asked));
            let raw = text
                .chars()
                .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
            assert_eq!(raw, None, "{format:?}: {text}");
            assert!(
                !text.lines().any(|line| line.trim_start().starts_with("::")),
                "{text}"
            );
            if format == Format::Markdown {
                assert!(!text.contains("<script") && !text.contains("[a]"), "{text}");
            }
        }
    }
}

fn history() -> Comparison {
    let before = results(
        "runc",
        "1.1.5",
        vec![
            case(
                "basics/plain-container",
                (Verdict::Pass, &["runtime.create.new"], &[]),
            ),
            case(
                "hostname/is-set",
                (Verdict::Pass, &["config.hostname.effect"], &[]),
            ),
            case(
                "hooks/fixed",
                (
                    Verdict::Fail,
                    &["config.hooks.path.absolute"],
                    &["config.hooks.path.absolute"],
                ),
            ),
            case("oom/score", (Verdict::Pass, &["x"], &[])),
            case("only/before", (Verdict::Fail, &["x"], &["x"])),
        ],
    );
    let mut after = results(
        "runc",
        "1.1.6",
        vec![
            case(
                "basics/plain-container",
                (Verdict::Pass, &["runtime.create.new"], &[]),
            ),
            case(
                "hostname/is-set",
                (
                    Verdict::Fail,
                    &["config.hostname.effect"],
                    &["config.hostname.effect"],
                ),
            ),
            case(
                "hooks/fixed",
                (Verdict::Pass, &["config.hooks.path.absolute"], &[]),
            ),
            case("oom/score", (Verdict::Inapplicable, &[], &[])),
            case("only/after", (Verdict::Pass, &["x"], &[])),
        ],
    );
    after.runs[0].cases[3].need = Some("CAP_SYS_RESOURCE".into());
    after.host.kernel = "6.1.0".into();
    after.host.root = false;
    compare(
        &[("before.json".into(), before), ("after.json".into(), after)],
        Asked::WhatFits,
    )
}

fn matrix() -> Comparison {
    const HOSTNAME: &[&str] = &["config.hostname.effect"];
    let gate = || {
        case(
            "basics/plain-container",
            (Verdict::Pass, &["runtime.create.new"], &[]),
        )
    };
    let one = vec![
        gate(),
        case("hostname/x", (Verdict::Pass, HOSTNAME, &[])),
        case("unknown/a", (Verdict::Pass, &[], &[])),
    ];
    let two = vec![
        gate(),
        case("hostname/x", (Verdict::Fail, HOSTNAME, HOSTNAME)),
        case("unknown/a", (Verdict::Pass, &[], &[])),
    ];
    let three = vec![
        gate(),
        case("hostname/x", (Verdict::Inapplicable, &[], &[])),
    ];
    let files = [
        ("a.json".to_owned(), results("refrun", "0.1.0", one)),
        ("b.json".into(), results("runc", "1.1.5", two)),
        ("c.json".into(), results("runsc", "", three)),
    ];
    compare(&files, Asked::WhatFits)
}

fn text(format: Format, comparison: &Comparison) -> String {
    let mut out = Vec::new();
    comparison.write(format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn results(name: &str, version: &str, cases: Vec<CaseResult>) -> Results {
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
            cgroup: "v2".into(),
            root: true,
            notes: Vec::new(),
        },
        runs: vec![Run {
            runtime: RuntimeFacts {
                label: name.into(),
                path: format!("/usr/sbin/{name}"),
                arguments: Vec::new(),
                name: name.into(),
                version: version.into(),
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

fn case(id: &str, (verdict, judged, broken): Seen) -> CaseResult {
    let finding = |clause: &&str| Finding {
        clause: (*clause).to_owned(),
        level: FindingLevel::Must,
        verdict: FindingVerdict::Fail,
        expected_value: "right".into(),
        observed_value: "wrong".into(),
        message: "what was looked at".into(),
        step: None,
    };
    CaseResult {
        id: id.into(),
        suite: "spec".into(),
        clauses: judged.iter().map(|clause| (*clause).to_owned()).collect(),
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

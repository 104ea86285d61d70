//! The formats that programs read: read back by parsers that are not ours, and small enough for who
//! shows them.

#[path = "hostile/tap.rs"]
mod tap;

#[path = "reports/sample.rs"]
mod sample;

use oci_conformance::report::{self, Clauses, Format, Style, escape};
use oci_conformance::results::{Results, Verdict};
use oci_conformance::runner;
use serde_json::{Value, json};

#[test]
fn github() {
    insta::assert_snapshot!(text(Format::Github, &sample::results()));
}

#[test]
fn badge() {
    insta::assert_snapshot!(text(Format::Badge, &sample::results()));
}

#[test]
fn badge_json() {
    let known_only = {
        let mut results = sample::results();
        let run = &mut results.runs[0];
        run.cases.retain(|case| case.as_expected);
        run.summary = runner::summary(&run.cases);
        results
    };
    let passing = {
        let mut results = known_only.clone();
        let run = &mut results.runs[0];
        run.cases.retain(|case| case.verdict == Verdict::Pass);
        run.summary = runner::summary(&run.cases);
        results
    };
    let nothing = {
        let mut results = passing.clone();
        results.runs[0].cases.clear();
        results
    };
    for (results, message, colour) in [
        (sample::results(), "3/11 pass", "red"),
        (known_only, "2/4 pass", "yellow"),
        (passing, "2/2 pass", "brightgreen"),
        (nothing, "not judged", "lightgrey"),
        (
            sample::two_subjects_without_root(),
            "runc 1/1 pass · crun-quiet 0/1 pass",
            "red",
        ),
    ] {
        let badge: Value = serde_json::from_str(&text(Format::BadgeJson, &results)).unwrap();
        assert_eq!(
            (&badge["message"], &badge["color"], &badge["schemaVersion"]),
            (&json!(message), &json!(colour), &json!(1))
        );
    }
}

#[test]
fn tap_is_read_by_the_letter_of_its_specification() {
    for results in [
        sample::results(),
        sample::two_subjects_without_root(),
        astral(),
    ] {
        let tests = tap::parse(&text(Format::Tap, &results)).unwrap_or_else(|why| panic!("{why}"));
        let cases: Vec<_> = results.runs.iter().flat_map(|run| &run.cases).collect();
        assert_eq!(tests.len(), cases.len());
        for (test, case) in tests.iter().zip(cases) {
            assert!(
                test.description.ends_with(&escape::line(&case.id)),
                "{test:?}"
            );
            let is_known = case.waiver.is_some() && case.as_expected;
            let word = test.directive.as_ref().map(|(word, _)| word.as_str());
            assert_eq!(word == Some("TODO"), is_known, "{test:?}");
            assert_eq!(test.ok, case.as_expected && !is_known, "{test:?}");
            let verdict = test
                .diagnosis
                .as_ref()
                .and_then(|yaml| yaml["verdict"].as_str());
            assert!(
                verdict.is_none_or(|word| word == case.verdict.word()),
                "{test:?}"
            );
        }
    }
    // A tag character, which JSON writes as two halves that YAML refuses.
    let tests = tap::parse(&text(Format::Tap, &astral())).unwrap();
    let said = tests
        .iter()
        .find_map(|test| test.diagnosis.as_ref()?["stderr"].as_str());
    assert!(said.expect("a stderr").contains('\u{e0041}'));
}

/// The worst that subjects can do to the size: every case fails with long text, of many subjects.
#[test]
fn markdown_fits_a_jobs_summary_with_the_failures_first() {
    let mut results = sample::hostile(&"|\u{1b}<\u{202e}".repeat(50));
    for run in &mut results.runs {
        let cases = run.cases.clone();
        for round in 0..30 {
            run.cases.extend(cases.iter().cloned().map(|mut case| {
                case.id = format!("{round}/{}", case.id);
                case
            }));
        }
    }
    results.runs = vec![results.runs[0].clone(); 8];
    let report = text(Format::Markdown, &results);
    assert!(report.len() < 1 << 20, "{} bytes", report.len());
    assert_eq!(
        report.matches("\n## ").count() + 1,
        8,
        "a heading for each subject"
    );
    assert!(report.contains("lines more, too many for a summary"));
    let small = text(Format::Markdown, &sample::results());
    let (first_failure, first_fold) = (small.find("**fail**"), small.find("<details>"));
    assert!(first_failure.is_some() && first_failure < first_fold);
}

#[test]
fn github_shows_ten_of_a_kind() {
    let mut results = sample::results();
    let failing = results.runs[0]
        .cases
        .iter()
        .find(|case| !case.as_expected)
        .unwrap()
        .clone();
    for count in [10, 11, 400] {
        results.runs[0].cases = vec![failing.clone(); count];
        let report = text(Format::Github, &results);
        assert_eq!(
            report
                .lines()
                .filter(|line| line.starts_with("::error "))
                .count(),
            10
        );
        let rest = count - 9;
        assert_eq!(
            report.contains(&format!("title=and {rest} more::")),
            count > 10,
            "{report}"
        );
    }
}

/// Text of a subject with characters beyond the basic plane, hidden and shown.
fn astral() -> Results {
    sample::hostile("\u{e0041} 𝒳 \u{1f600} \"\\")
}

fn text(format: Format, results: &Results) -> String {
    let mut out = Vec::new();
    report::write_with(
        Clauses(&sample::clause),
        format,
        results,
        &mut out,
        Style::Plain,
    )
    .unwrap();
    String::from_utf8(out).unwrap()
}

//! The page as a file: what is embedded reads back, and nothing in it is markup.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::results::{
    CaseResult, FORMAT, FailLevel, Finding, FindingLevel, FindingVerdict, HostFacts, Run,
    RuntimeFacts, Step, Summary, Tool, Verdict,
};

const CLAUSE: &str = "config.hostname.effect";

/// A results document of one subject, with a text in every place where the subject can put one.
fn results(label: &str, verdict: Verdict, text: &str) -> Results {
    let finding = Finding {
        clause: CLAUSE.into(),
        level: FindingLevel::Must,
        verdict: if verdict == Verdict::Pass {
            FindingVerdict::Pass
        } else {
            FindingVerdict::Fail
        },
        expected_value: text.into(),
        observed_value: serde_json::json!({ text: text }),
        message: text.into(),
        step: Some(0),
    };
    let step = Step {
        argv: vec!["/usr/sbin/runc".into(), text.into()],
        exit: Some(1),
        signal: None,
        stdout: text.into(),
        stderr: text.into(),
        truncated: false,
        timed_out: false,
        seconds: 0.01,
    };
    let case = CaseResult {
        id: "sample/case".into(),
        suite: "spec".into(),
        clauses: vec![CLAUSE.into()],
        verdict,
        as_expected: verdict == Verdict::Pass,
        unexpected_because: None,
        reference: Some(Verdict::Pass),
        need: Some(text.into()),
        waiver: None,
        attempts: vec![verdict],
        findings: vec![finding],
        steps: vec![step],
        seconds: 0.5,
    };
    Results {
        format: FORMAT,
        tool: Tool {
            name: "oci-conformance".into(),
            version: "0.1.0".into(),
        },
        started: "2026-05-01T10:00:00Z".into(),
        arguments: vec![text.into()],
        spec: "1.3.0".into(),
        level: FailLevel::Must,
        shard: None,
        seed: 0,
        host: HostFacts {
            kernel: "6.18.5".into(),
            machine: "x86_64".into(),
            cgroup: "v2".into(),
            root: true,
            notes: vec![text.into()],
        },
        runs: vec![Run {
            runtime: RuntimeFacts {
                label: label.into(),
                path: "/usr/sbin/runc".into(),
                arguments: vec![text.into()],
                name: "runc".into(),
                version: text.into(),
                claim: text.into(),
                sha256: Some(text.into()),
                is_reference: false,
                abilities: vec![text.into()],
            },
            spec_judged: "1.0.2".into(),
            seconds: 1.5,
            summary: Summary::default(),
            cases: vec![case],
            waivers_not_exercised: Vec::new(),
        }],
    }
}

/// With the one clause of the sample, so that the catalogue may grow.
fn clauses() -> Clauses<'static> {
    Clauses(&|id| {
        let clause = oci_runtime_schemas::Catalogue::get().by_id(id)?;
        (id == CLAUSE).then_some(clause)
    })
}

fn file(documents: &[&Results]) -> String {
    let mut out = Vec::new();
    write(clauses(), documents, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What stands in the element that holds the data.
fn data(file: &str) -> &str {
    let (_, rest) = file
        .split_once(r#"<script type="application/json" id="data">"#)
        .expect("the element of the data");
    rest.split_once("</script>").expect("its end").0
}

#[test]
fn the_data_says_everything_once() {
    let before = results("runc", Verdict::Pass, "a text");
    let after = results("runc", Verdict::Fail, "a text");
    let file = file(&[&before, &after]);
    let mut data: Value = serde_json::from_str(data(&file)).unwrap();
    // The wording is the catalogue's, and free to change.
    let clause = &mut data["clauses"][0];
    for word in ["says", "note"] {
        clause.as_object_mut().unwrap().remove(word);
    }
    insta::assert_json_snapshot!(data);
}

#[test]
fn the_template_is_filled() {
    let sample = results("runc", Verdict::Fail, "{{script}}");
    let file = file(&[&sample]);
    let without_data = file.replace(data(&file), "");
    assert!(!without_data.contains("{{"), "a mark is left");
    for part in [STYLE, SCRIPT] {
        let digest = digest::sha256_base64(part.as_bytes());
        assert!(file.contains(part) && file.contains(&format!("'sha256-{digest}'")));
    }
    assert!(file.ends_with("</html>\n"));
}

#[test]
fn nothing_is_asked_of_a_network() {
    for part in [STYLE, TEMPLATE] {
        assert!(!part.contains("http://") && !part.contains("https://") && !part.contains("url("));
    }
    for sink in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "fetch(",
    ] {
        assert!(!SCRIPT.contains(sink), "{sink}");
    }
}

#[test]
fn a_page_stays_small_whatever_a_subject_prints() {
    let noise: String = (0..16_000).map(|n| format!("{n} ")).collect();
    let mut big = results("runc", Verdict::Fail, "x");
    let case = big.runs[0].cases[0].clone();
    big.runs[0].cases = (0..400)
        .map(|n| {
            let mut case = case.clone();
            case.id = format!("sample/case-{n}");
            case.steps[0].stderr = format!("{n} {noise}");
            case
        })
        .collect();
    let file = file(&[&big]);
    assert!(file.len() < 1_500_000, "{} bytes", file.len());
    let data: Value = serde_json::from_str(data(&file)).unwrap();
    assert_ne!(data["left_out"], "", "what is left out is told");
    assert_eq!(data["cases"].as_array().map(Vec::len), Some(400));
}

proptest! {
    #[test]
    fn embedded_data_reads_back_and_is_no_markup(
        texts in prop::collection::vec(any::<String>(), 0..4),
        attack in prop::sample::select(vec!["</script>", "<!--", "<script", "\u{2028}", "\u{2029}", "##[x]", "\u{1b}[2J", "]]>"]),
    ) {
        let text = texts.join(attack) + attack;
        let value = serde_json::json!({ text.as_str(): [text.as_str()] });
        let shown = embedded(&value.to_string()).unwrap();
        prop_assert!(!shown.contains('<') && !shown.chars().any(escape::is_hostile), "{}", shown);
        prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
    }

    #[test]
    fn hostile_results_change_nothing_but_the_data(text in any::<String>(), attack in prop::sample::select(vec!["</script><img onerror=x>", "{{data}}", "<!--<script>"])) {
        let harmless = results("runc", Verdict::Fail, "x");
        let hostile = results(attack, Verdict::Fail, &format!("{text}{attack}"));
        let (harmless, hostile) = (file(&[&harmless]), file(&[&hostile]));
        prop_assert_eq!(harmless.replace(data(&harmless), ""), hostile.replace(data(&hostile), ""));
    }
}

//! JUnit's XML: a test suite per subject, a test case per case.
//!
//! The format has four outcomes for our seven verdicts: what fails the run is a `failure`, what the
//! harness is to blame for an `error`, what was not judged and what is known and explained is
//! `skipped` with the reason as its message.

use std::io::{self, Write};

use super::{
    Clauses, broken_findings, ending, escape, failing_step, is_known, reason, title, values,
};
use crate::results::{CaseResult, Results, Run, Verdict};

pub(super) fn write(
    clauses: Clauses<'_>,
    results: &Results,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    let all: Vec<&CaseResult> = results.runs.iter().flat_map(|run| &run.cases).collect();
    let seconds = results.runs.iter().map(|run| run.seconds).sum();
    writeln!(
        out,
        r#"<testsuites name="oci-conformance" {}>"#,
        counts(&all, seconds)
    )?;
    for run in &results.runs {
        suite(clauses, results, run, out)?;
    }
    writeln!(out, "</testsuites>")
}

fn suite(
    clauses: Clauses<'_>,
    results: &Results,
    run: &Run,
    out: &mut dyn Write,
) -> io::Result<()> {
    let cases: Vec<&CaseResult> = run.cases.iter().collect();
    writeln!(
        out,
        r#"  <testsuite name="{}" {} timestamp="{}">"#,
        escape::xml(&title(run)),
        counts(&cases, run.seconds),
        // Readers of the format expect no time zone; it is UTC.
        escape::xml(results.started.trim_end_matches('Z')),
    )?;
    writeln!(out, "    <properties>")?;
    let runtime = &run.runtime;
    for (name, value) in [
        ("runtime", runtime.name.as_str()),
        ("version", &runtime.version),
        ("path", &runtime.path),
        ("spec_judged", &run.spec_judged),
        ("claim", &runtime.claim),
        ("kernel", &results.host.kernel),
        ("cgroup", &results.host.cgroup),
        ("root", if results.host.root { "true" } else { "false" }),
        ("tool_version", &results.tool.version),
    ] {
        writeln!(
            out,
            r#"      <property name="{name}" value="{}"/>"#,
            escape::xml(value)
        )?;
    }
    writeln!(out, "    </properties>")?;
    for case in cases {
        testcase(clauses, case, out)?;
    }
    writeln!(out, "  </testsuite>")
}

fn testcase(clauses: Clauses<'_>, case: &CaseResult, out: &mut dyn Write) -> io::Result<()> {
    let (topic, name) = case.id.rsplit_once('/').unwrap_or(("", &case.id));
    write!(
        out,
        r#"    <testcase classname="{}" name="{}" time="{:.3}""#,
        escape::xml(topic),
        escape::xml(name),
        case.seconds
    )?;
    match outcome(case) {
        Outcome::Pass if case.verdict == Verdict::Pass => return writeln!(out, "/>"),
        Outcome::Pass => writeln!(out, ">")?,
        Outcome::Skipped(message) => {
            writeln!(out, ">")?;
            writeln!(
                out,
                r#"      <skipped message="{}"/>"#,
                escape::xml(&message)
            )?;
        }
        Outcome::Failure { kind, message } => {
            writeln!(out, ">")?;
            write!(
                out,
                r#"      <failure type="{}" message="{}">"#,
                escape::xml(&kind),
                escape::xml(&message)
            )?;
            writeln!(
                out,
                "{}</failure>",
                escape::xml_lines(&details(clauses, case))
            )?;
        }
        Outcome::Error(message) => {
            writeln!(out, ">")?;
            write!(
                out,
                r#"      <error type="broken" message="{}">"#,
                escape::xml(&message)
            )?;
            writeln!(
                out,
                "{}</error>",
                escape::xml_lines(&details(clauses, case))
            )?;
        }
    }
    if case.verdict == Verdict::Warn && case.as_expected {
        writeln!(
            out,
            "      <system-out>{}</system-out>",
            escape::xml_lines(&details(clauses, case))
        )?;
    }
    writeln!(out, "    </testcase>")
}

enum Outcome {
    Pass,
    Skipped(String),
    Failure { kind: String, message: String },
    Error(String),
}

fn outcome(case: &CaseResult) -> Outcome {
    if case.verdict == Verdict::Broken {
        return Outcome::Error(reason(case).to_owned());
    }
    if is_known(case) {
        return Outcome::Skipped(format!(
            "known failure: {}",
            case.waiver.as_deref().unwrap_or("")
        ));
    }
    match (case.as_expected, case.verdict) {
        (true, Verdict::Inapplicable | Verdict::Unsupported) => {
            Outcome::Skipped(format!("{}: {}", case.verdict.word(), reason(case)))
        }
        (true, _) => Outcome::Pass,
        (false, verdict) => {
            let finding = broken_findings(case).next();
            let kind = match finding {
                Some(finding) => finding.clause.clone(),
                None if verdict == Verdict::Pass => "waiver".into(),
                None => verdict.word().into(),
            };
            let message = match (&case.unexpected_because, finding) {
                (Some(because), _) => because.clone(),
                (None, Some(finding)) => finding.message.clone(),
                (None, None) => reason(case).into(),
            };
            Outcome::Failure { kind, message }
        }
    }
}

/// What was found, as text; escaping is the caller's.
fn details(clauses: Clauses<'_>, case: &CaseResult) -> String {
    let mut lines = vec![String::new()];
    for finding in broken_findings(case) {
        lines.push(
            format!(
                "{} {} {}",
                clauses.force(finding),
                finding.clause,
                clauses.says(finding)
            )
            .trim_end()
            .to_owned(),
        );
        if !finding.message.is_empty() {
            lines.push(format!("  {}", finding.message));
        }
        for (label, value) in [
            ("expected", &finding.expected_value),
            ("observed", &finding.observed_value),
        ] {
            lines.push(format!(
                "  {label} {}",
                escape::shortened(&values::compact(value), 2000)
            ));
        }
    }
    if let Some(step) = failing_step(case) {
        lines.push(format!(
            "command {}: {}",
            escape::shell(&step.argv),
            ending(step)
        ));
        lines.push(escape::shortened(&step.stderr, 2000));
    }
    if let Some(reference) = case.reference {
        lines.push(format!("the reference: {}", reference.word()));
    }
    if let Some(waiver) = &case.waiver {
        lines.push(format!("the waiver that applied: {waiver}"));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn counts(cases: &[&CaseResult], seconds: f64) -> String {
    let (mut failures, mut errors, mut skipped) = (0, 0, 0);
    for case in cases {
        match outcome(case) {
            Outcome::Pass => {}
            Outcome::Failure { .. } => failures += 1,
            Outcome::Error(_) => errors += 1,
            Outcome::Skipped(_) => skipped += 1,
        }
    }
    format!(
        r#"tests="{}" failures="{failures}" errors="{errors}" skipped="{skipped}" time="{seconds:.3}""#,
        cases.len()
    )
}

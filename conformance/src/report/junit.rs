//! JUnit's XML: a test suite per subject, a test case per case.
//!
//! The format has four outcomes for our seven verdicts: what fails the run is a `failure`, what the
//! harness is to blame for an `error`, what was not judged and what is known and explained is
//! `skipped`.
//!
//! There is no standard, only readers. GitLab shows an element's text and drops its `message`; GitHub's
//! common reporters and Jenkins show the message first: both say why. Jenkins takes `classname` apart
//! at its last dot, as package and class, and pools all suites of a file, so that it begins with the
//! subject: `runc.hooks.poststop`. It has no version, so that readers know a test again after an
//! upgrade. No `file` is named: readers link it into the user's repository, where no case is.

use std::io::{self, Write};

use super::{
    Clauses, broken_findings, ending, escape, failing_step, is_known, reason, title, values,
};
use crate::results::{CaseResult, Results, Run, Verdict};

/// Longest output of a command that is shown, in characters: readers refuse large files, GitLab those
/// above 30 MB.
const LONGEST_OUTPUT: usize = 2000;

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
        testcase(clauses, &runtime.label, case, out)?;
    }
    writeln!(out, "  </testsuite>")
}

fn testcase(
    clauses: Clauses<'_>,
    subject: &str,
    case: &CaseResult,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (topic, name) = case.id.rsplit_once('/').unwrap_or(("", &case.id));
    // A dot of the label's own would begin another package.
    let class = format!("{}.{}", subject.replace('.', "_"), topic.replace('/', "."));
    write!(
        out,
        r#"    <testcase classname="{}" name="{}" time="{:.3}""#,
        escape::xml(&class),
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
                r#"      <skipped message="{}">{}</skipped>"#,
                escape::xml(&message),
                escape::xml_lines(&escape::without_attachments(&message))
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
                escape::xml_lines(&escape::without_attachments(&details(clauses, case)))
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
                escape::xml_lines(&escape::without_attachments(&details(clauses, case)))
            )?;
        }
    }
    let said = match case.verdict {
        Verdict::Warn if case.as_expected => details(clauses, case),
        Verdict::Unsupported | Verdict::Inapplicable => String::new(),
        _ => commands(case),
    };
    if !said.is_empty() {
        writeln!(
            out,
            "      <system-out>{}</system-out>",
            escape::xml_lines(&escape::without_attachments(&said))
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
                escape::shortened(&values::compact(value), LONGEST_OUTPUT)
            ));
        }
    }
    if let Some(step) = failing_step(case) {
        lines.push(format!(
            "command {}: {}",
            escape::shell(&step.argv),
            ending(step)
        ));
        lines.push(escape::shortened(&step.stderr, LONGEST_OUTPUT));
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

/// Every command that was given to the subject and what it answered, for whom the failing one alone
/// does not tell enough.
fn commands(case: &CaseResult) -> String {
    let mut lines = Vec::new();
    for step in &case.steps {
        lines.push(format!("$ {}", escape::shell(&step.argv)));
        for output in [&step.stdout, &step.stderr] {
            if !output.is_empty() {
                lines.push(escape::shortened(
                    output.trim_end_matches('\n'),
                    LONGEST_OUTPUT,
                ));
            }
        }
        lines.push(format!("[{}]", ending(step)));
    }
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

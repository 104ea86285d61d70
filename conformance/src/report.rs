//! Reports: the results, in the format that a reader or a program asks for.
//!
//! A report is made from [`Results`] and the clause catalogue alone, so that it can be made again
//! from a results file. Every format says the same; what came from a subject is escaped by
//! [`escape`] in each.

mod badge;
pub mod escape;
mod github;
mod html;
mod human;
mod json;
mod junit;
mod markdown;
mod tap;
pub(crate) mod values;
pub(crate) mod wrap;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use oci_runtime_schemas::{Catalogue, Clause};

use crate::results::{
    CaseResult, Finding, FindingLevel, FindingVerdict, Results, Run, Step, Verdict,
};

/// Writes a report.
///
/// # Errors
/// What `out` says.
pub fn write(
    format: Format,
    results: &Results,
    out: &mut dyn Write,
    style: Style,
) -> io::Result<()> {
    let catalogue = |id: &str| Catalogue::get().by_id(id);
    write_with(Clauses(&catalogue), format, results, out, style)
}

/// Writes a report with clauses from elsewhere than the catalogue, whose wording may change.
///
/// # Errors
/// What `out` says.
pub fn write_with(
    clauses: Clauses<'_>,
    format: Format,
    results: &Results,
    out: &mut dyn Write,
    style: Style,
) -> io::Result<()> {
    match format {
        Format::Human => human::write(clauses, results, out, style),
        Format::Json => json::write(results, out),
        Format::Junit => junit::write(clauses, results, out),
        Format::Tap => tap::write(clauses, results, out),
        Format::Markdown => markdown::write(clauses, results, out),
        Format::Github => github::write(clauses, results, out),
        Format::Badge => badge::svg(results, out),
        Format::BadgeJson => badge::json(results, out),
        Format::Html => html::write(clauses, &[results], out),
    }
}

/// Writes the matrix page of several results documents: their subjects side by side.
///
/// # Errors
/// What `out` says.
pub fn write_matrix(documents: &[&Results], out: &mut dyn Write) -> io::Result<()> {
    let catalogue = |id: &str| Catalogue::get().by_id(id);
    html::write(Clauses(&catalogue), documents, out)
}

/// Where a report looks clauses up by id.
#[derive(Clone, Copy)]
pub struct Clauses<'a>(pub &'a dyn Fn(&str) -> Option<&'static Clause>);

impl Clauses<'_> {
    fn by_id(self, id: &str) -> Option<&'static Clause> {
        (self.0)(id)
    }

    /// The force of a finding's clause (`MUST NOT`); of an unknown one, as the finding says.
    fn force(self, finding: &Finding) -> &'static str {
        match (self.by_id(&finding.clause), finding.level) {
            (Some(clause), _) => clause.force(),
            (None, FindingLevel::Must) => "MUST",
            (None, FindingLevel::Should) => "SHOULD",
            (None, FindingLevel::May) => "MAY",
            (None, FindingLevel::Information) => "information",
        }
    }

    /// A finding's clause in our words; empty if it is unknown.
    fn says(self, finding: &Finding) -> &'static str {
        self.by_id(&finding.clause).map_or("", |clause| clause.says)
    }
}

impl fmt::Debug for Clauses<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clauses")
    }
}

/// The formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person at a terminal.
    Human,
    /// The results file.
    Json,
    /// JUnit's XML, as CI services read it.
    Junit,
    /// TAP 14.
    Tap,
    /// For a job's summary.
    Markdown,
    /// Commands that GitHub's runner shows as annotations of a job.
    Github,
    /// A picture for a project's front page.
    Badge,
    /// What services that draw such pictures read.
    BadgeJson,
    /// The matrix page.
    Html,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Format, String> {
        match word {
            "human" => Ok(Format::Human),
            "json" => Ok(Format::Json),
            "junit" => Ok(Format::Junit),
            "tap" => Ok(Format::Tap),
            "markdown" => Ok(Format::Markdown),
            "github" => Ok(Format::Github),
            "badge" => Ok(Format::Badge),
            "badge-json" => Ok(Format::BadgeJson),
            "html" => Ok(Format::Html),
            other => Err(format!(
                "unknown format {other:?}: one of human, json, junit, tap, markdown, html, github, \
                 badge, badge-json"
            )),
        }
    }
}

/// `--format FORMAT[=FILE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatArgument {
    /// What to write.
    pub format: Format,
    /// Where to; standard output if absent.
    pub file: Option<PathBuf>,
}

impl FromStr for FormatArgument {
    type Err = String;

    fn from_str(argument: &str) -> Result<FormatArgument, String> {
        let (format, file) = split_argument(argument)?;
        Ok(FormatArgument {
            format: format.parse()?,
            file,
        })
    }
}

/// The word and the file of `FORMAT[=FILE]`.
pub(crate) fn split_argument(argument: &str) -> Result<(&str, Option<PathBuf>), String> {
    match argument.split_once('=') {
        Some((_, "")) => Err(format!("{argument:?} names no file after =")),
        Some((format, file)) => Ok((format, Some(PathBuf::from(file)))),
        None => Ok((argument, None)),
    }
}

/// Whether the human report may use colours. Words say everything in either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// ANSI colours.
    Colour,
}

/// How reports call a subject: its label, and its version unless the label has it.
pub(crate) fn title(run: &Run) -> String {
    let runtime = &run.runtime;
    if runtime.version.is_empty() || runtime.label.contains(&runtime.version) {
        runtime.label.clone()
    } else {
        format!("{} {}", runtime.label, runtime.version)
    }
}

/// The findings that say what is wrong.
fn broken_findings(case: &CaseResult) -> impl Iterator<Item = &Finding> {
    case.findings
        .iter()
        .filter(|finding| matches!(finding.verdict, FindingVerdict::Fail | FindingVerdict::Warn))
}

/// Whether a failure is known and explained: a waiver applied, and it matched.
fn is_known(case: &CaseResult) -> bool {
    case.as_expected && case.waiver.is_some()
}

/// The command that the first broken clause was judged after; where none is noted, the last that
/// did not end well.
fn failing_step(case: &CaseResult) -> Option<&Step> {
    let noted = broken_findings(case).find_map(|finding| case.steps.get(finding.step?));
    noted.or_else(|| case.steps.iter().rev().find(|step| step.exit != Some(0)))
}

/// `exit 1`, `signal SIGKILL` or `not ended by the deadline`.
fn ending(step: &Step) -> String {
    match (step.timed_out, &step.signal, step.exit) {
        (true, _, _) => "still running at the deadline".into(),
        (_, Some(signal), _) => format!("ended by {signal}"),
        (_, _, Some(status)) => format!("exit {status}"),
        (_, _, None) => "no exit status".into(),
    }
}

/// Why a case is not judged, or what went wrong with it, in words that are never empty.
fn reason(case: &CaseResult) -> &str {
    match (&case.need, &case.unexpected_because) {
        (Some(need), _) if !need.is_empty() => need,
        (_, Some(because)) => because,
        _ => "no reason recorded",
    }
}

/// [`reason`], without what is the case's own: many cases are newer than the claim, and each says
/// first what it looked at.
fn common_reason(case: &CaseResult) -> &str {
    let reason = reason(case);
    match reason.find("newer than the claimed") {
        Some(at) if case.verdict == Verdict::Unsupported => &reason[at..],
        _ => reason,
    }
}

/// `97 pass, 12 fail (10 known), 3 warn — 2 unexpected, in 31.2 s`. Passes and failures always
/// stand, the others where there are any.
fn totals(run: &Run) -> String {
    let known = |verdict: Verdict| {
        let count = run
            .cases
            .iter()
            .filter(|case| case.verdict == verdict && is_known(case))
            .count();
        if count > 0 {
            format!(" ({count} known)")
        } else {
            String::new()
        }
    };
    let summary = &run.summary;
    let mut parts = vec![
        format!("{} pass", summary.pass),
        format!("{} fail{}", summary.fail, known(Verdict::Fail)),
    ];
    for (count, verdict) in [
        (summary.warn, Verdict::Warn),
        (summary.timeout, Verdict::Timeout),
        (summary.broken, Verdict::Broken),
        (summary.unsupported, Verdict::Unsupported),
        (summary.inapplicable, Verdict::Inapplicable),
    ] {
        if count > 0 {
            parts.push(format!("{count} {}{}", verdict.word(), known(verdict)));
        }
    }
    let unexpected = match summary.unexpected {
        0 => "nothing unexpected".to_owned(),
        count => format!("{count} unexpected"),
    };
    format!(
        "{} — {unexpected}, in {:.1} s",
        parts.join(", "),
        run.seconds
    )
}

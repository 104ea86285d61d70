//! Reports of what was judged, one module a format.
//!
//! Each file's part is made by the thread that judged it and put out in the order of the files, so a
//! report needs no memory for what it has said already.

pub(crate) mod escape;
mod github;
mod human;
mod json;
mod junit;
mod lines;
mod sarif;

use std::path::{Path, PathBuf};

use oci_runtime_schemas::SpecVersion;

use crate::document::Document;
use crate::finding::{Finding, Severity};
use crate::fix::Change;
pub(crate) use lines::{Lines, Place};

/// A document that was judged.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The file, `-` for standard input.
    pub(crate) path: PathBuf,
    /// `bundle` or the kind of document; none if nothing told it.
    pub(crate) kind: Option<&'static str>,
    /// The version that it was held to; none if it is of no released one.
    pub(crate) spec: Option<SpecVersion>,
    pub(crate) document: Document,
    pub(crate) findings: Vec<Finding>,
    /// What `--fix` has changed in it.
    pub(crate) changes: Vec<Change>,
}

/// What came of all inputs.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Documents that were judged.
    pub(crate) files: usize,
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    pub(crate) notes: usize,
    /// Of the findings, those that `--fix` would mend.
    pub(crate) fixable: usize,
    /// Changes that `--fix` made.
    pub(crate) fixed: usize,
    /// Files met on a walk that are no documents of the specification.
    pub(crate) skipped: usize,
    /// Paths that could not be judged, and why.
    pub(crate) failures: Vec<Failure>,
    /// The exit code that follows.
    pub(crate) exit: u8,
}

/// A path that could not be judged.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) path: PathBuf,
    pub(crate) why: String,
    /// Whether the fault is ours.
    pub(crate) internal: bool,
}

impl Summary {
    pub(crate) fn count(&mut self, judged: &Judged) {
        self.files += 1;
        self.fixed += judged.changes.len();
        for finding in &judged.findings {
            self.fixable += usize::from(finding.fix.is_some());
            *match finding.severity {
                Severity::Error => &mut self.errors,
                Severity::Warning => &mut self.warnings,
                Severity::Note => &mut self.notes,
            } += 1;
        }
    }

    pub(crate) fn add(&mut self, other: Summary) {
        self.files += other.files;
        self.errors += other.errors;
        self.warnings += other.warnings;
        self.notes += other.notes;
        self.fixable += other.fixable;
        self.fixed += other.fixed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
    }

    /// How many findings are at least that severe.
    pub(crate) fn at_least(&self, severity: Severity) -> usize {
        let from = |least, count| if severity <= least { count } else { 0 };
        self.errors + from(Severity::Warning, self.warnings) + from(Severity::Note, self.notes)
    }
}

/// A format of reports.
pub(crate) trait Report: Sync {
    /// What stands before everything.
    fn head(&self) -> String {
        String::new()
    }

    /// What every item but the first begins with.
    fn separator(&self) -> &'static str {
        ""
    }

    /// Whether it tells what `--fix` changed. If not, standard error does.
    fn tells_changes(&self) -> bool {
        false
    }

    /// A document, empty if there is nothing to say about it.
    fn file(&self, judged: &Judged) -> String;

    /// A path that could not be judged. Standard error tells it, too.
    fn failure(&self, _failure: &Failure) -> String {
        String::new()
    }

    /// What stands behind everything.
    fn end(&self, summary: &Summary) -> String;
}

/// Names of formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people, with the lines of the documents
    Human,
    /// One JSON document, described by validation.schema.json
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit's XML, for CI services
    Junit,
    /// Annotations of GitHub's workflow commands
    Github,
}

/// How a report is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    /// What fails the run.
    pub(crate) fail_on: Severity,
    /// The least severity that people are shown, and not only the number of.
    pub(crate) shown_from: Severity,
    /// Whether the terminal takes colours.
    pub(crate) colour: bool,
    /// The command line, for formats that keep it.
    pub(crate) arguments: Vec<String>,
}

/// The report of that format.
pub(crate) fn of(format: Format, style: Style) -> Box<dyn Report> {
    match format {
        Format::Human => Box::new(human::Human::new(style)),
        Format::Json => Box::new(json::Json),
        Format::Sarif => Box::new(sarif::Sarif::new(style)),
        Format::Junit => Box::new(junit::Junit::new(style)),
        Format::Github => Box::new(github::Github),
    }
}

/// What `--fix` changed in a document, a line a change.
pub(crate) fn changes(judged: &Judged) -> String {
    let path = shown(&judged.path);
    let line = |change: &Change| {
        format!(
            "fixed[{}]: {path}:{}:{}: {}\n",
            change.rule,
            change.at.line,
            change.at.column,
            escape::terminal(&change.what()),
        )
    };
    judged.changes.iter().map(line).collect()
}

/// How a path is shown to people.
pub(crate) fn shown(path: &Path) -> String {
    if path.as_os_str() == "-" {
        return "<stdin>".into();
    }
    escape::terminal(&path.to_string_lossy())
}

/// `1 error`, `2 errors`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// The beginning of a text that is long.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

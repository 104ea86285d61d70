//! `compare`: results beside each other.
//!
//! Two results of one runtime are a history: what the later run shows that the earlier did not, and
//! whether anything got worse. Results of several runtimes are a matrix: where they differ, section
//! by section.

pub mod history;
pub mod matrix;
mod report;

use std::io::{self, Write};

use crate::results::{Results, Run};

pub use history::History;
pub use matrix::Matrix;

/// A results file and the name by which reports call it.
pub type Named = (String, Results);

/// What stands beside what.
#[derive(Debug)]
pub enum Comparison {
    /// Each runtime of the earlier file with itself in the later one.
    Histories(Vec<History>),
    /// Every subject of every file.
    Matrix(Matrix),
}

/// Which comparison is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A history where two files have a runtime in common, else a matrix.
    WhatFits,
    /// A matrix in any case.
    SideBySide,
}

/// Compares results.
pub fn compare(files: &[Named], asked: Asked) -> Comparison {
    if let ([before, after], Asked::WhatFits) = (files, asked) {
        let histories: Vec<History> = pairs(&before.1, &after.1)
            .into_iter()
            .map(|(earlier, later)| History::of((before, earlier), (after, later)))
            .collect();
        if !histories.is_empty() {
            return Comparison::Histories(histories);
        }
    }
    Comparison::Matrix(Matrix::of(files))
}

impl Comparison {
    /// Whether a runtime does something worse than it did.
    pub fn is_worse(&self) -> bool {
        match self {
            Comparison::Histories(histories) => histories.iter().any(History::is_worse),
            Comparison::Matrix(_) => false,
        }
    }

    /// Writes it down.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Human => report::human(self, out),
            Format::Json => report::json(self, out),
            Format::Markdown => report::markdown(self, out),
        }
    }
}

/// The formats of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person at a terminal.
    Human,
    /// For programs.
    Json,
    /// For a job's summary, or a comment to a pull request.
    Markdown,
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Format, String> {
        match word {
            "human" => Ok(Format::Human),
            "json" => Ok(Format::Json),
            "markdown" => Ok(Format::Markdown),
            other => Err(format!(
                "unknown format {other:?}: one of human, json, markdown, html"
            )),
        }
    }
}

/// The runs of one runtime in both results. It is known by its label, and where that changed, by the
/// name that it gives itself.
fn pairs<'a>(before: &'a Results, after: &'a Results) -> Vec<(&'a Run, &'a Run)> {
    let of_name = |results: &'a Results, name: &str| {
        let mut runs = results.runs.iter().filter(|run| run.runtime.name == name);
        runs.next().filter(|_| runs.next().is_none())
    };
    let earlier = |later: &'a Run| {
        let name = &later.runtime.name;
        let same =
            |run: &&Run| run.runtime.name == *name && run.runtime.label == later.runtime.label;
        before.runs.iter().find(same).or_else(|| {
            of_name(after, name)?;
            of_name(before, name)
        })
    };
    after
        .runs
        .iter()
        .filter_map(|later| Some((earlier(later)?, later)))
        .collect()
}

#[cfg(test)]
mod tests;

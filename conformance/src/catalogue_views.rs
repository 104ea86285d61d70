//! What the cases and the clause catalogue say together: `list`, `explain` and `coverage`.
//!
//! Cases cite clauses by id only, so both directions are computed here: the clauses of a case, and
//! the cases of a clause or the reason why it has none.

mod coverage;
mod explain;
mod list;
mod suggest;

use oci_runtime_schemas::{Catalogue, Clause, Level, Subject, Testable};

use crate::case::{Case, Suite};

/// `--format` of `list` and `coverage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ViewFormat {
    /// For a person.
    Human,
    /// For a program.
    Json,
    /// For a page.
    Markdown,
}

/// Every case of some suites, with its clauses and needs.
pub fn list(cases: &[&Case], suites: &[Suite], format: ViewFormat) -> String {
    list::list(
        &View {
            clauses: clauses(),
            cases,
        },
        suites,
        format,
    )
}

/// A case, or a clause, in words.
///
/// # Errors
/// The id is neither; names the nearest ones.
pub fn explain(cases: &[&Case], id: &str) -> Result<String, String> {
    explain::explain(
        &View {
            clauses: clauses(),
            cases,
        },
        id,
    )
}

/// Every clause that binds runtimes on Linux, with the cases that judge it or the reason why none
/// does.
pub fn coverage(cases: &[&Case], format: ViewFormat) -> String {
    coverage::coverage(
        &View {
            clauses: clauses(),
            cases,
        },
        format,
    )
}

fn clauses() -> Vec<&'static Clause> {
    Catalogue::get().iter().collect()
}

/// What is looked at: the catalogue and all cases, or samples of them.
struct View<'a> {
    clauses: Vec<&'static Clause>,
    cases: &'a [&'a Case],
}

impl View<'_> {
    fn clause(&self, id: &str) -> Option<&'static Clause> {
        self.clauses.iter().copied().find(|clause| clause.id == id)
    }

    /// Ids of the cases that judge a clause.
    fn judges_of(&self, clause: &Clause) -> Vec<&'static str> {
        self.cases
            .iter()
            .filter(|case| case.judges.contains(&clause.id))
            .map(|case| case.id)
            .collect()
    }
}

/// Whether a clause is one that [`coverage`] counts: it binds runtimes on Linux.
pub(crate) fn is_counted(clause: &Clause) -> bool {
    coverage::counts(clause)
}

/// Whether a case could judge a clause.
pub(crate) fn can_be_judged(clause: &Clause) -> bool {
    NoCase::of(clause).possible
}

/// Why a clause has no case.
struct NoCase {
    /// Whether a case could still be written.
    possible: bool,
    reason: String,
}

impl NoCase {
    fn of(clause: &Clause) -> NoCase {
        let never = |reason: String| NoCase {
            possible: false,
            reason,
        };
        let why = clause.why.unwrap_or_default();
        match (clause.subject, clause.level, clause.testable) {
            (Subject::Config | Subject::Bundle, ..) => never(format!(
                "it binds the {}, which oci-validate judges",
                clause.subject
            )),
            (Subject::Caller, ..) => never("it binds who calls a runtime".into()),
            (_, Level::Information, _) => never("it binds nobody".into()),
            (_, Level::May, _) => never("it permits, and cannot be broken".into()),
            _ if !binds_linux(clause.platform) => never(format!(
                "it binds runtimes on {}, and cases run on Linux",
                clause.platform
            )),
            (.., Testable::None) => never(format!("no case can judge it: {why}")),
            _ if why.is_empty() => NoCase {
                possible: true,
                reason: "not judged yet".into(),
            },
            _ => NoCase {
                possible: true,
                reason: format!("not judged yet: {why}"),
            },
        }
    }
}

/// Whether clauses of a platform (`posix`; several separated by commas) bind on Linux.
fn binds_linux(platform: &str) -> bool {
    platform
        .split(',')
        .any(|one| matches!(one.trim(), "all" | "posix" | "linux" | "non-windows"))
}

/// `1.0.0 to 1.2.1`, or `since 1.0.0`.
fn versions(clause: &Clause) -> String {
    match clause.until {
        Some(until) => format!("{} to {until}", clause.since),
        None => format!("since {}", clause.since),
    }
}

/// `runtime.md, Lifecycle`.
fn place(clause: &Clause) -> String {
    let file = clause.section.split('#').next().unwrap_or(clause.document);
    format!("{file}, {}", clause.section_title)
}

#[cfg(test)]
mod tests;

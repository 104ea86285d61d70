//! Several runtimes side by side: how many cases of each section pass, and where verdicts differ.

use std::collections::{BTreeMap, BTreeSet};

use oci_runtime_schemas::Catalogue;

use super::Named;
use crate::cases;
use crate::report::title;
use crate::results::{CaseResult, Verdict};

/// Runtimes as columns, sections as rows.
#[derive(Debug)]
pub struct Matrix {
    /// The subjects, in the order of the files.
    pub columns: Vec<Column>,
    /// The sections that have a case, in the specification's order; what is beyond it last.
    pub sections: Vec<Section>,
}

/// A subject.
#[derive(Debug)]
pub struct Column {
    /// Label and version; with the file's name if another column has the same.
    pub title: String,
    /// The results file.
    pub file: String,
    /// Version of the specification by which it was judged.
    pub spec_judged: String,
    /// Kernel, cgroup set-up and privileges of its host, in words.
    pub host: String,
}

/// A section of the specification.
#[derive(Debug)]
pub struct Section {
    /// `config.md, Hostname`.
    pub name: String,
    /// One entry per column.
    pub totals: Vec<Total>,
    /// The cases whose verdicts differ, by id.
    pub differences: Vec<Difference>,
}

/// How a subject does in a section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Cases that pass.
    pub pass: usize,
    /// Cases that say something about the subject: not `unsupported`, `inapplicable` or `broken`.
    pub judged: usize,
}

/// A case whose verdicts differ.
#[derive(Debug)]
pub struct Difference {
    /// The case's id.
    pub case: String,
    /// One verdict per column; none where the results lack the case.
    pub verdicts: Vec<Option<Verdict>>,
}

impl Matrix {
    /// Puts every subject of every file side by side.
    pub fn of(files: &[Named]) -> Matrix {
        let runs: Vec<_> = files
            .iter()
            .flat_map(|file| file.1.runs.iter().map(move |run| (file, run)))
            .collect();
        let mut columns: Vec<Column> = runs
            .iter()
            .map(|((file, results), run)| Column {
                title: title(run),
                file: file.clone(),
                spec_judged: run.spec_judged.clone(),
                host: host(results),
            })
            .collect();
        tell_apart(&mut columns);
        let by_id: Vec<BTreeMap<&str, &CaseResult>> = runs
            .iter()
            .map(|(_, run)| {
                run.cases
                    .iter()
                    .map(|case| (case.id.as_str(), case))
                    .collect()
            })
            .collect();
        let ids: BTreeSet<&str> = by_id
            .iter()
            .flat_map(|cases| cases.keys().copied())
            .collect();
        let mut sections: BTreeMap<Place, Section> = BTreeMap::new();
        for id in ids {
            let results: Vec<Option<&CaseResult>> =
                by_id.iter().map(|cases| cases.get(id).copied()).collect();
            let place = place(id, &results);
            let section = sections.entry(place.clone()).or_insert_with(|| Section {
                name: place.name,
                totals: vec![Total::default(); columns.len()],
                differences: Vec::new(),
            });
            section.add(id, &results);
        }
        Matrix {
            columns,
            sections: sections.into_values().collect(),
        }
    }

    /// How a column does over all sections.
    pub fn total(&self, column: usize) -> Total {
        let mut sum = Total::default();
        for total in self
            .sections
            .iter()
            .filter_map(|section| section.totals.get(column))
        {
            sum.pass += total.pass;
            sum.judged += total.judged;
        }
        sum
    }
}

impl Section {
    fn add(&mut self, id: &str, results: &[Option<&CaseResult>]) {
        let verdicts: Vec<Option<Verdict>> = results
            .iter()
            .map(|result| result.map(|case| case.verdict))
            .collect();
        for (total, verdict) in self.totals.iter_mut().zip(&verdicts) {
            match verdict {
                Some(Verdict::Pass) => {
                    total.pass += 1;
                    total.judged += 1;
                }
                Some(Verdict::Warn | Verdict::Fail | Verdict::Timeout) => total.judged += 1,
                _ => {}
            }
        }
        if verdicts.iter().any(|verdict| *verdict != verdicts[0]) {
            self.differences.push(Difference {
                case: id.to_owned(),
                verdicts,
            });
        }
    }
}

/// Where a section stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    beyond_the_specification: bool,
    /// Place in the catalogue of the section's first clause.
    first_clause: usize,
    name: String,
}

/// The section of a case: that of the first clause which it declares, or of an unknown case, which
/// it judged.
fn place(id: &str, results: &[Option<&CaseResult>]) -> Place {
    let declared = cases::by_id(id).and_then(|case| case.judges.first().copied());
    let judged = || {
        let mut clauses = results.iter().flatten().flat_map(|case| &case.clauses);
        clauses.next().map(String::as_str)
    };
    let clause = declared
        .or_else(judged)
        .and_then(|id| Catalogue::get().by_id(id));
    let Some(clause) = clause else {
        return Place {
            beyond_the_specification: true,
            first_clause: usize::MAX,
            name: "other".into(),
        };
    };
    let of_section = |other: &&oci_runtime_schemas::Clause| {
        other.document == clause.document && other.section_title == clause.section_title
    };
    let first_clause = Catalogue::get()
        .iter()
        .position(|other| of_section(&other))
        .unwrap_or(usize::MAX);
    let file = clause.section.split('#').next().unwrap_or(clause.document);
    let beyond = clause.is_beyond_the_specification();
    let name = if beyond {
        format!(
            "beyond the specification: {}, {}",
            clause.document, clause.section_title
        )
    } else {
        format!("{file}, {}", clause.section_title)
    };
    Place {
        beyond_the_specification: beyond,
        first_clause,
        name,
    }
}

/// Columns of one title get their file's name behind it, and where that is the same too, a number.
fn tell_apart(columns: &mut [Column]) {
    let titles: Vec<String> = columns.iter().map(|column| column.title.clone()).collect();
    let doubled = |title: &String| titles.iter().filter(|other| *other == title).count() > 1;
    for column in columns.iter_mut().filter(|column| doubled(&column.title)) {
        column.title = format!("{} ({})", column.title, column.file);
    }
    let named: Vec<String> = columns.iter().map(|column| column.title.clone()).collect();
    for (at, column) in columns.iter_mut().enumerate() {
        let before = named[..at]
            .iter()
            .filter(|other| **other == named[at])
            .count();
        if before > 0 {
            column.title = format!("{}#{}", column.title, before + 1);
        }
    }
}

fn host(results: &crate::results::Results) -> String {
    let host = &results.host;
    let root = if host.root { "root" } else { "not root" };
    format!(
        "Linux {} {}, cgroup {}, {root}",
        host.kernel, host.machine, host.cgroup
    )
}

//! `expect update`: brings an expectation file up to date with what runs saw.
//!
//! Only what a run saw is changed. A waiver whose case was not judged, or whose `when` does not hold
//! on the host of the results, stays; one goes if its case passed in some of the results and failed
//! in none. A failure without a waiver is added with the reason `TODO`, which a run refuses: the tool
//! sees what a runtime does, and only a person knows why. Comments, reasons, links and the order of
//! entries are kept.

use std::path::Path;

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::file::{ExpectationFile, UsageError, Waiver};
use crate::report::{escape, values};
use crate::results::{CaseResult, FailLevel, FindingVerdict, HostFacts, Results, Run, Verdict};
use crate::runner;

/// The reason of an entry that nobody explained yet.
pub(super) const UNEXPLAINED: &str = "TODO";
/// Longest `observed` that is written.
const LONGEST_OBSERVED: usize = 200;
/// Longest line on which clauses stand side by side.
const LINE: usize = 100;

/// A file brought up to date.
#[derive(Debug)]
pub struct Update {
    /// The file's text.
    pub text: String,
    /// What was done, and what a person has to look at, a line each.
    pub notes: Vec<String>,
    /// Number of entries added, removed or changed.
    pub changes: usize,
}

/// Brings a file's text up to date; without a text, makes it.
///
/// # Errors
/// The file is no expectation file, or none of the results is of its subject.
pub fn update(
    path: &Path,
    text: Option<&str>,
    results: &[Results],
    known_case: &dyn Fn(&str) -> bool,
) -> Result<Update, UsageError> {
    let new;
    let text = match text {
        Some(text) => text,
        None => {
            new = header(path, results)?;
            &new
        }
    };
    let file = ExpectationFile::parse_draft(path, text)?;
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error| UsageError(format!("{}: {error}", path.display())))?;
    let runs: Vec<Seen> = results
        .iter()
        .flat_map(|results| results.runs.iter().map(move |run| Seen { results, run }))
        .filter(|seen| file.applies_to(&seen.run.runtime))
        .collect();
    if runs.is_empty() {
        return Err(UsageError(format!(
            "{} speaks of {}, but the results are of {}",
            path.display(),
            subject_words(&file),
            subjects(results).join(", ")
        )));
    }
    let mut work = Work {
        entries: take_entries(&mut document),
        notes: Vec::new(),
        changes: 0,
    };
    for waiver in &file.waivers {
        work.reconsider(waiver, &runs, known_case);
    }
    work.add_new(&file, &runs);
    let Work {
        entries,
        notes,
        changes,
    } = work;
    put_entries(&mut document, entries);
    Ok(Update {
        // What needs no change is not written anew, to the last byte.
        text: if changes == 0 {
            text.to_owned()
        } else {
            document.to_string()
        },
        notes,
        changes,
    })
}

/// One run of the subject.
#[derive(Clone, Copy)]
struct Seen<'a> {
    results: &'a Results,
    run: &'a Run,
}

impl<'a> Seen<'a> {
    fn case(self, id: &str) -> Option<&'a CaseResult> {
        self.run.cases.iter().find(|case| case.id == id)
    }

    fn host(self) -> &'a HostFacts {
        &self.results.host
    }
}

/// An entry of the file, and whether it stays.
struct Entry {
    case: String,
    table: Table,
    stays: bool,
}

struct Work {
    entries: Vec<Entry>,
    notes: Vec<String>,
    changes: usize,
}

impl Work {
    /// Holds a waiver to what the runs saw.
    fn reconsider(&mut self, waiver: &Waiver, runs: &[Seen], known_case: &dyn Fn(&str) -> bool) {
        let case = &waiver.case;
        if !known_case(case) {
            self.note(format!("{case}: no case has this id; kept as it is"));
            return;
        }
        let judged: Vec<&CaseResult> = runs
            .iter()
            .filter(|seen| waiver.when.unmet(seen.host()).is_none())
            .filter_map(|seen| seen.case(case))
            .filter(|result| !matches!(result.verdict, Verdict::Inapplicable | Verdict::Broken))
            .collect();
        if judged.is_empty() {
            self.note(format!(
                "{case}: not judged in these results; kept as it is"
            ));
            return;
        }
        let failing: Vec<&CaseResult> = judged
            .iter()
            .copied()
            .filter(|result| fails(result))
            .collect();
        let Some(first) = failing.first() else {
            if waiver.sometimes {
                self.note(format!(
                    "{case}: not seen in these results, and fails sometimes only; kept as it is"
                ));
            } else if judged.iter().any(|result| result.verdict == Verdict::Pass) {
                self.remove(case);
            } else {
                self.note(format!("{case}: unsupported now; kept as it is"));
            }
            return;
        };
        let unlike = failing.iter().any(|other| !is_like(first, other));
        if (judged.len() > failing.len() && !waiver.sometimes) || unlike {
            self.note(format!(
                "{case}: the results do not agree; kept as it is (`when` tells hosts apart, \
                 `sometimes` is for what depends on timing)"
            ));
            return;
        }
        let is_described = first.verdict == waiver.verdict.verdict()
            && same(&runner::broken_clauses(&first.findings), &waiver.clauses);
        if !is_described {
            self.describe_anew(waiver, first);
        }
        if waiver.reason == UNEXPLAINED {
            self.note(format!("{case}: the reason is still to be written"));
        }
    }

    fn remove(&mut self, case: &str) {
        for entry in self.entries.iter_mut().filter(|entry| entry.case == case) {
            entry.stays = false;
        }
        self.change(format!("{case}: removed, it passes now"));
    }

    /// The reason stays: it may still hold, and only a person can tell.
    fn describe_anew(&mut self, waiver: &Waiver, seen: &CaseResult) {
        let clauses = runner::broken_clauses(&seen.findings);
        let Some(entry) = self
            .entries
            .iter_mut()
            .find(|entry| entry.case == waiver.case)
        else {
            return;
        };
        if seen.verdict != waiver.verdict.verdict() {
            set(&mut entry.table, "verdict", value(seen.verdict.word()));
        }
        if !same(&clauses, &waiver.clauses) {
            set(&mut entry.table, "clauses", value(array(&clauses)));
        }
        self.change(format!(
            "{}: changed, {} now by {}: see whether its reason still holds",
            waiver.case,
            seen.verdict.word(),
            if clauses.is_empty() {
                "no clause".into()
            } else {
                clauses.join(", ")
            }
        ));
    }

    /// Adds the failures that no entry speaks of.
    fn add_new(&mut self, file: &ExpectationFile, runs: &[Seen]) {
        for seen in runs {
            for result in seen
                .run
                .cases
                .iter()
                .filter(|result| is_to_waive(result, *seen))
            {
                match file.waivers.iter().find(|waiver| waiver.case == result.id) {
                    None => {}
                    Some(waiver) => {
                        if let Some(unmet) = waiver.when.unmet(seen.host()) {
                            self.note(format!(
                                "{}: fails on this host too, but its waiver holds {unmet}",
                                result.id
                            ));
                        }
                        continue;
                    }
                }
                // Several results may show the same failure.
                if !self.entries.iter().any(|entry| entry.case == result.id) {
                    self.insert(result);
                }
            }
        }
    }

    /// In its place if the entries are ordered by case, else at the end.
    fn insert(&mut self, result: &CaseResult) {
        let ordered = self.entries.is_sorted_by(|a, b| a.case <= b.case);
        let place = match self.entries.iter().position(|entry| entry.case > result.id) {
            Some(place) if ordered => place,
            _ => self.entries.len(),
        };
        let entry = Entry {
            case: result.id.clone(),
            table: written(result),
            stays: true,
        };
        self.entries.insert(place, entry);
        self.change(format!("{}: added, its reason is to be written", result.id));
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn change(&mut self, note: String) {
        self.changes += 1;
        self.notes.push(note);
    }
}

/// A failure as a new entry.
fn written(result: &CaseResult) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    let clauses = runner::broken_clauses(&result.findings);
    table["case"] = value(&result.id);
    table["clauses"] = value(array(&clauses));
    table["verdict"] = value(result.verdict.word());
    if let Some(observed) = observed(result) {
        table["observed"] = value(observed);
    }
    table["reason"] = value(UNEXPLAINED);
    table
}

/// What was seen, in a line that shows nothing a subject printed raw.
fn observed(result: &CaseResult) -> Option<String> {
    let is_broken = |verdict| matches!(verdict, FindingVerdict::Fail | FindingVerdict::Warn);
    let finding = result
        .findings
        .iter()
        .find(|finding| is_broken(finding.verdict))?;
    let text = format!(
        "{}: {}, expected {}",
        finding.message,
        escape::shortened(&values::compact(&finding.observed_value), LONGEST_OBSERVED),
        escape::shortened(&values::compact(&finding.expected_value), LONGEST_OBSERVED),
    );
    let text = text.trim_start_matches(": ");
    Some(escape::line(&escape::shortened(text, LONGEST_OBSERVED)))
}

/// Clauses on one line, or if that is long, a line each.
fn array(clauses: &[String]) -> Array {
    let mut array: Array = clauses.iter().map(String::as_str).collect();
    if "clauses = ".len() + array.to_string().len() > LINE {
        for clause in array.iter_mut() {
            clause.decor_mut().set_prefix("\n    ");
        }
        array.set_trailing_comma(true);
        array.set_trailing("\n");
    }
    array
}

/// Sets a value and keeps the comment behind it.
fn set(table: &mut Table, key: &str, new: Item) {
    let comment = table
        .get(key)
        .and_then(Item::as_value)
        .and_then(|old| old.decor().suffix().cloned());
    table[key] = new;
    if let (Some(comment), Some(new)) = (comment, table[key].as_value_mut()) {
        new.decor_mut().set_suffix(comment);
    }
}

fn take_entries(document: &mut DocumentMut) -> Vec<Entry> {
    let Some(Item::ArrayOfTables(tables)) = document.remove("waiver") else {
        return Vec::new();
    };
    let case = |table: &Table| {
        table
            .get("case")
            .and_then(Item::as_str)
            .unwrap_or("")
            .to_owned()
    };
    tables
        .into_iter()
        .map(|table| Entry {
            case: case(&table),
            table,
            stays: true,
        })
        .collect()
}

/// Puts back what stays. The comment right above an entry goes with it; what stands before that,
/// apart by an empty line, speaks of what follows and moves on.
fn put_entries(document: &mut DocumentMut, entries: Vec<Entry>) {
    let mut tables = ArrayOfTables::new();
    let mut left_over = String::new();
    for mut entry in entries {
        let prefix = entry
            .table
            .decor()
            .prefix()
            .and_then(|raw| raw.as_str())
            .unwrap_or("");
        if !entry.stays {
            left_over.push_str(heading(prefix));
            continue;
        }
        if !left_over.is_empty() {
            let prefix = format!("{left_over}{prefix}");
            entry.table.decor_mut().set_prefix(prefix);
            left_over.clear();
        }
        // The place in the file that it had, which would go before the place in the list.
        entry.table.set_position(None);
        tables.push(entry.table);
    }
    if !tables.is_empty() {
        document.insert("waiver", Item::ArrayOfTables(tables));
    }
    if !left_over.is_empty() {
        let trailing = document.trailing().as_str().unwrap_or("").to_owned();
        document.set_trailing(format!("{left_over}{trailing}"));
    }
}

/// What stands above an entry, up to the last empty line before its own comment; nothing if that is
/// only space.
fn heading(prefix: &str) -> &str {
    let end = prefix.rfind("\n\n").map_or(0, |at| at + 1);
    let heading = &prefix[..end];
    if heading.trim().is_empty() {
        ""
    } else {
        heading
    }
}

/// The head of a new file: it speaks of the runtime, whatever its version.
fn header(path: &Path, results: &[Results]) -> Result<String, UsageError> {
    let mut names: Vec<&str> = results
        .iter()
        .flat_map(|results| &results.runs)
        .map(|run| run.runtime.name.as_str())
        .collect();
    names.dedup();
    let [name] = names.as_slice() else {
        return Err(UsageError(format!(
            "{} does not exist, and whom it is to speak of is unclear: the results are of {}",
            path.display(),
            subjects(results).join(", ")
        )));
    };
    let mut document = DocumentMut::new();
    document["format"] = value(1);
    document["subject"] = Item::Table(Table::new());
    document["subject"]["name"] = value(*name);
    Ok(document.to_string())
}

fn subjects(results: &[Results]) -> Vec<String> {
    let runs = results.iter().flat_map(|results| &results.runs);
    let mut subjects: Vec<String> = runs
        .map(|run| {
            format!("{} {}", run.runtime.name, run.runtime.version)
                .trim()
                .to_owned()
        })
        .collect();
    subjects.dedup();
    if subjects.is_empty() {
        subjects.push("nobody".into());
    }
    subjects
}

fn subject_words(file: &ExpectationFile) -> String {
    match &file.subject {
        None => "everyone".into(),
        Some(subject) => match &subject.version {
            None => subject.name.clone(),
            Some(glob) => format!("{} {}", subject.name, glob.glob()),
        },
    }
}

fn fails(result: &CaseResult) -> bool {
    matches!(
        result.verdict,
        Verdict::Fail | Verdict::Warn | Verdict::Timeout
    )
}

/// A failure that would fail the run.
fn is_to_waive(result: &CaseResult, seen: Seen) -> bool {
    match result.verdict {
        Verdict::Fail | Verdict::Timeout => true,
        Verdict::Warn => seen.results.level == FailLevel::Should,
        _ => false,
    }
}

fn is_like(a: &CaseResult, b: &CaseResult) -> bool {
    let clauses = |case: &CaseResult| runner::broken_clauses(&case.findings);
    a.verdict == b.verdict && same(&clauses(a), &clauses(b))
}

/// The same clauses, in whatever order.
fn same(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|clause| b.contains(clause))
}

#[cfg(test)]
mod tests;

//! `coverage`: how much of what binds runtimes on Linux the cases judge.

use std::fmt::Write;

use oci_runtime_schemas::{Clause, Level, Subject};
use serde_json::{Value, json};

use super::{NoCase, View, ViewFormat, binds_linux, place, versions};
use crate::report::wrap::wrap;

/// Columns of the text.
const WIDTH: usize = 100;

pub(super) fn coverage(view: &View, format: ViewFormat) -> String {
    let rows: Vec<Row> = view
        .clauses
        .iter()
        .filter(|clause| counts(clause))
        .map(|clause| Row::of(view, clause))
        .collect();
    match format {
        ViewFormat::Human => human(&rows),
        ViewFormat::Json => format!("{:#}\n", document(&rows)),
        ViewFormat::Markdown => markdown(&rows),
    }
}

/// What binds runtimes on Linux.
pub(super) fn counts(clause: &Clause) -> bool {
    clause.subject == Subject::Runtime
        && matches!(clause.level, Level::Must | Level::Should)
        && binds_linux(clause.platform)
}

/// A clause and what becomes of it.
struct Row {
    clause: &'static Clause,
    state: State,
    cases: Vec<&'static str>,
    /// Empty for what is judged.
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Judged,
    NotYet,
    Cannot,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Judged => "judged",
            State::NotYet => "not yet",
            State::Cannot => "cannot",
        }
    }
}

impl Row {
    fn of(view: &View, clause: &'static Clause) -> Row {
        let cases = view.judges_of(clause);
        if !cases.is_empty() {
            return Row {
                clause,
                state: State::Judged,
                cases,
                reason: String::new(),
            };
        }
        let why = NoCase::of(clause);
        let state = if why.possible {
            State::NotYet
        } else {
            State::Cannot
        };
        Row {
            clause,
            state,
            cases,
            reason: why.reason,
        }
    }
}

/// Rows of one document, or of one section.
fn grouped(rows: &[Row], key: impl Fn(&Row) -> &'static str) -> Vec<&[Row]> {
    rows.chunk_by(|a, b| key(a) == key(b)).collect()
}

fn documents(rows: &[Row]) -> Vec<&[Row]> {
    grouped(rows, |row| row.clause.document)
}

fn sections(rows: &[Row]) -> Vec<&[Row]> {
    grouped(rows, |row| row.clause.section)
}

fn number(rows: &[Row], state: State) -> usize {
    rows.iter().filter(|row| row.state == state).count()
}

fn human(rows: &[Row]) -> String {
    let mut text = String::new();
    for document in documents(rows) {
        let _ = writeln!(text, "{}: {}\n", name(document), totals(document));
        for section in sections(document) {
            let _ = writeln!(
                text,
                "  {}: {}",
                section[0].clause.section_title,
                totals(section)
            );
            for row in section {
                clause(&mut text, row);
            }
            text.push('\n');
        }
    }
    let levels = [Level::Must, Level::Should].map(|level| {
        let of_level = |row: &&Row| row.clause.level == level;
        let all = rows
            .iter()
            .filter(of_level)
            .filter(|row| row.state != State::Cannot)
            .count();
        let judged = rows
            .iter()
            .filter(of_level)
            .filter(|row| row.state == State::Judged)
            .count();
        format!("{level} {judged} of {all}")
    });
    let _ = writeln!(
        text,
        "Clauses that bind runtimes on Linux: {} ({})",
        totals(rows),
        levels.join(", ")
    );
    text
}

fn clause(text: &mut String, row: &Row) {
    let state = row.state.word();
    let _ = writeln!(
        text,
        "    {state:<8} {:<10}  {}",
        row.clause.force(),
        row.clause.id
    );
    let mut indented = |words: &str| {
        for line in wrap(words, WIDTH - 25) {
            let _ = writeln!(text, "{:25}{line}", "");
        }
    };
    indented(row.clause.says);
    match row.state {
        State::Judged => indented(&format!("by {}", row.cases.join(", "))),
        // The word at the start of the row says it already.
        State::NotYet if row.reason == "not judged yet" => {}
        State::NotYet | State::Cannot => indented(&row.reason),
    }
}

/// `12 of 57 judged, 3 cannot be`: what nothing can judge counts neither for nor against.
fn totals(rows: &[Row]) -> String {
    let cannot = match number(rows, State::Cannot) {
        0 => String::new(),
        count => format!(", {count} cannot be"),
    };
    format!(
        "{} of {} judged{cannot}",
        number(rows, State::Judged),
        rows.len() - number(rows, State::Cannot)
    )
}

fn name(document: &[Row]) -> String {
    let clause = document[0].clause;
    if clause.is_beyond_the_specification() {
        format!("Beyond the specification, {}", clause.document)
    } else {
        clause
            .section
            .split('#')
            .next()
            .unwrap_or(clause.document)
            .to_owned()
    }
}

fn document(rows: &[Row]) -> Value {
    let clause = |row: &Row| {
        json!({
            "id": row.clause.id, "level": row.clause.level.as_str(), "says": row.clause.says,
            "since": row.clause.since.to_string(),
            "until": row.clause.until.map(|until| until.to_string()),
            "state": row.state.word(), "cases": row.cases,
            "reason": Some(&row.reason).filter(|reason| !reason.is_empty()),
        })
    };
    let section = |rows: &&[Row]| {
        json!({
            "section": rows[0].clause.section, "title": rows[0].clause.section_title,
            "counts": numbers(rows), "clauses": rows.iter().map(clause).collect::<Vec<_>>(),
        })
    };
    let of_document = |rows: &&[Row]| {
        json!({
            "document": rows[0].clause.document, "counts": numbers(rows),
            "sections": sections(rows).iter().map(section).collect::<Vec<_>>(),
        })
    };
    json!({
        "format": 1, "counts": numbers(rows),
        "documents": documents(rows).iter().map(of_document).collect::<Vec<_>>(),
    })
}

fn numbers(rows: &[Row]) -> Value {
    json!({
        "clauses": rows.len(), "judged": number(rows, State::Judged),
        "not_yet": number(rows, State::NotYet), "cannot": number(rows, State::Cannot),
    })
}

fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| section | judged | not yet | cannot be | clauses |\n|---|--:|--:|--:|--:|\n",
    );
    for section in documents(rows).into_iter().flat_map(sections) {
        numbers_row(&mut text, &place(section[0].clause), section);
    }
    numbers_row(&mut text, "**all**", rows);
    for section in documents(rows).into_iter().flat_map(sections) {
        let _ = writeln!(
            text,
            "\n### {}\n\n| clause | | cases |\n|---|---|---|",
            place(section[0].clause)
        );
        for row in section {
            let clause = row.clause;
            let cases: Vec<String> = row.cases.iter().map(|case| format!("`{case}`")).collect();
            let cases = if cases.is_empty() {
                cell(&row.reason)
            } else {
                cases.join("<br>")
            };
            let (says, versions) = (cell(clause.says), versions(clause));
            let _ = writeln!(
                text,
                "| `{}`<br>{versions} | {} {says} | {cases} |",
                clause.id,
                clause.force()
            );
        }
    }
    text
}

fn numbers_row(text: &mut String, title: &str, rows: &[Row]) {
    let [judged, not_yet, cannot] =
        [State::Judged, State::NotYet, State::Cannot].map(|state| number(rows, state));
    let _ = writeln!(
        text,
        "| {title} | {judged} | {not_yet} | {cannot} | {} |",
        rows.len()
    );
}

/// Words of the catalogue in a cell: they may hold `|`, `<` or `*`.
fn cell(words: &str) -> String {
    crate::report::escape::markdown_text(words)
}

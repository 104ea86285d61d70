//! `explain`: a case or a clause in words.

use std::fmt::Write;

use oci_runtime_schemas::Clause;

use super::{NoCase, View, suggest, versions};
use crate::case::Case;
use crate::report::wrap::wrap;

/// Columns of the text.
const WIDTH: usize = 100;
/// Width of the column of labels.
const LABEL: usize = 12;

pub(super) fn explain(view: &View, id: &str) -> Result<String, String> {
    if let Some(case) = view.cases.iter().find(|case| case.id == id) {
        return Ok(of_case(view, case));
    }
    if let Some(clause) = view.clause(id) {
        return Ok(of_clause(view, clause));
    }
    let ids = view
        .cases
        .iter()
        .map(|case| case.id)
        .chain(view.clauses.iter().map(|clause| clause.id));
    let near = suggest::nearest(id, ids);
    let hint = match near.as_slice() {
        [] => "`oci-conformance list` shows the cases".to_owned(),
        near => format!("did you mean {}?", near.join(", ")),
    };
    Err(format!("no case and no clause has the id {id:?}; {hint}"))
}

fn of_case(view: &View, case: &Case) -> String {
    let mut text = format!("case {}\n\n", case.id);
    // An id says what holds: `hostname/is-set-in-the-new-uts-namespace`.
    field(
        &mut text,
        "says",
        &case.id.replace('/', ": ").replace('-', " "),
    );
    field(&mut text, "suite", case.suite().word());
    if case.needs.is_empty() {
        field(
            &mut text,
            "needs",
            "a subject that runs the plain container, no more",
        );
    }
    for (at, need) in case.needs.iter().enumerate() {
        field(&mut text, if at == 0 { "needs" } else { "" }, &need.words());
    }
    field(
        &mut text,
        "run",
        &format!("oci-conformance run {}", case.id),
    );
    text.push_str("\njudges\n");
    for id in case.judges {
        match view.clause(id) {
            Some(clause) => {
                field(&mut text, clause.force(), clause.id);
                field(&mut text, "", clause.says);
                field(
                    &mut text,
                    "",
                    &format!("{}, {}", clause.reference(), versions(clause)),
                );
            }
            None => field(&mut text, "unknown", id),
        }
    }
    text
}

fn of_clause(view: &View, clause: &Clause) -> String {
    let mut text = format!("clause {}\n\n", clause.id);
    field(&mut text, "says", clause.says);
    let platform = match clause.platform {
        "all" => "on every platform".to_owned(),
        platform => format!("on {platform}"),
    };
    field(
        &mut text,
        "force",
        &format!(
            "{}; it is about the {}, {platform}",
            clause.force(),
            clause.subject
        ),
    );
    field(&mut text, "where", &clause.reference());
    field(&mut text, "versions", &versions(clause));
    if clause.optional_value {
        field(
            &mut text,
            "optional",
            "a runtime may refuse the value cleanly: that is unsupported, not a failure",
        );
    }
    if let Some(note) = clause.note {
        field(&mut text, "our reading", note);
    }
    let cases = view.judges_of(clause);
    for (at, case) in cases.iter().enumerate() {
        field(&mut text, if at == 0 { "judged by" } else { "" }, case);
    }
    if cases.is_empty() {
        field(&mut text, "no case", &NoCase::of(clause).reason);
    }
    text
}

fn field(text: &mut String, label: &str, value: &str) {
    for (at, line) in wrap(value, WIDTH - LABEL - 2).iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        let _ = writeln!(text, "  {label:LABEL$}{line}");
    }
}

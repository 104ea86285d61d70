//! `list`: every case with its suite, clauses and needs.

use std::fmt::Write;

use serde_json::json;

use super::{View, ViewFormat};
use crate::case::{Case, Suite};

pub(super) fn list(view: &View, suites: &[Suite], format: ViewFormat) -> String {
    let cases: Vec<&Case> = view
        .cases
        .iter()
        .copied()
        .filter(|case| suites.contains(&case.suite()))
        .collect();
    match format {
        ViewFormat::Human => human(view, &cases),
        ViewFormat::Json => json(view, &cases),
        ViewFormat::Markdown => markdown(view, &cases),
    }
}

fn human(view: &View, cases: &[&Case]) -> String {
    let mut text = String::new();
    for case in cases {
        let _ = writeln!(text, "{}  ({})", case.id, case.suite().word());
        for (force, clause) in judged(view, case) {
            let _ = writeln!(text, "    {force:<10}  {clause}");
        }
        for need in case.needs {
            let _ = writeln!(text, "    needs       {}", need.words());
        }
    }
    let plural = if cases.len() == 1 { "" } else { "s" };
    let _ = writeln!(text, "{} case{plural}", cases.len());
    text
}

fn json(view: &View, cases: &[&Case]) -> String {
    let entry = |case: &&Case| {
        let level = |id: &str| view.clause(id).map(|clause| clause.level.as_str());
        let clauses: Vec<_> = case
            .judges
            .iter()
            .map(|id| json!({"id": id, "level": level(id)}))
            .collect();
        let needs: Vec<String> = case.needs.iter().map(|need| need.words()).collect();
        json!({"id": case.id, "suite": case.suite().word(), "clauses": clauses, "needs": needs})
    };
    let cases: Vec<_> = cases.iter().map(entry).collect();
    format!("{:#}\n", json!({"format": 1, "cases": cases}))
}

fn markdown(view: &View, cases: &[&Case]) -> String {
    let mut text = String::from("| case | suite | clauses | needs |\n|---|---|---|---|\n");
    for case in cases {
        let clauses: Vec<String> = judged(view, case)
            .iter()
            .map(|(force, clause)| format!("{force} `{clause}`"))
            .collect();
        let needs: Vec<String> = case.needs.iter().map(|need| need.words()).collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            case.id,
            case.suite().word(),
            clauses.join("<br>"),
            needs.join("<br>")
        );
    }
    text
}

/// Force and id of a case's clauses. An id that the catalogue lacks is shown as such: a test of the
/// cases forbids it.
fn judged(view: &View, case: &Case) -> Vec<(&'static str, &'static str)> {
    let force = |id: &str| view.clause(id).map_or("unknown", |clause| clause.force());
    case.judges.iter().map(|id| (force(id), *id)).collect()
}

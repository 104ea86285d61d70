//! What `explore` prints.

use std::fmt::Write as _;

use oci_runtime_schemas::Catalogue;

use super::search::{Exploration, Found, Sort};
use crate::report::escape;
use crate::results::FindingVerdict;

/// For a program.
pub(super) fn json(exploration: &Exploration) -> String {
    let text = serde_json::to_string_pretty(exploration).unwrap_or_default();
    escape::json(&text) + "\n"
}

/// For a person.
pub(super) fn human(exploration: &Exploration) -> String {
    let mut text = String::new();
    let mut line = |words: &str| {
        let _ = writeln!(text, "{}", escape::line(words));
    };
    let runtime = &exploration.runtime;
    line(&format!(
        "{} {}, judged by {}; seed {}",
        runtime.label, runtime.version, exploration.spec_judged, exploration.seed
    ));
    line("");
    line("surface                            drawn  asked  left out");
    for (name, coverage) in &exploration.surface {
        if coverage.drawn == 0 {
            continue;
        }
        let reasons: Vec<String> = coverage
            .left_out
            .iter()
            .map(|(why, count)| format!("{count}: {why}"))
            .collect();
        line(
            format!(
                "{name:<34} {:>5}  {:>5}  {}",
                coverage.drawn,
                coverage.asked,
                reasons.join("; ")
            )
            .trim_end(),
        );
    }
    for (sort, heading) in [
        (Sort::Unsupported, "Optional values that it refuses"),
        (Sort::Warning, "Broken SHOULD"),
        (Sort::Disagreement, "Disagreements"),
        (
            Sort::Broken,
            "Wrong in the harness, not held against the runtime",
        ),
    ] {
        if exploration.count(sort) > 0 {
            line("");
            line(heading);
        }
        for found in exploration.found.iter().filter(|found| found.sort == sort) {
            for words in describe(found) {
                line(&words);
            }
        }
    }
    line("");
    line(&format!(
        "{} configurations and {} sequences drawn, {} refused; {} trials in {:.1} s",
        exploration.configurations,
        exploration.sequences,
        exploration.refused,
        exploration.trials,
        exploration.seconds
    ));
    line(&format!(
        "{} disagreements, {} warnings, {} unsupported, {} broken",
        exploration.count(Sort::Disagreement),
        exploration.count(Sort::Warning),
        exploration.count(Sort::Unsupported),
        exploration.count(Sort::Broken),
    ));
    text
}

fn describe(found: &Found) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!(
            "  {} (draw {}, seen {} times more)",
            found.complaint.words(),
            found.draw,
            found.seen
        ),
    ];
    let mut said = None;
    for finding in &found.findings {
        if finding.verdict == FindingVerdict::Pass {
            continue;
        }
        if said != Some(&finding.clause) {
            let says = Catalogue::get()
                .by_id(&finding.clause)
                .map_or("", |clause| clause.says);
            lines.push(format!("    {}: {says}", finding.clause));
            said = Some(&finding.clause);
        }
        if !finding.message.is_empty() {
            lines.push(format!("      {}", finding.message));
        }
        lines.push(format!("      expected {}", finding.expected_value));
        lines.push(format!("      observed {}", finding.observed_value));
    }
    lines.push(match found.difference.is_empty() {
        true => "    with the plain bundle as it is".into(),
        false => "    smallest:".into(),
    });
    lines.extend(
        found
            .difference
            .iter()
            .map(|words| format!("      {words}")),
    );
    if let Some(reference) = &found.reference {
        lines.push(format!("    the reference: {reference}"));
    }
    lines.extend(found.note.iter().map(|note| format!("    {note}")));
    lines.push(match &found.reproduce {
        Some(script) => format!("    by hand: sh {}", script.display()),
        None => "    --out DIR leaves a bundle and a script that show it by hand".into(),
    });
    lines
}

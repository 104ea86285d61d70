//! The kill table, for people, pages and programs.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::judge::Judged;
use super::{Pair, Proof};
use crate::catalogue_views::ViewFormat;
use crate::report::escape;

/// A proof in a format.
pub fn report(proof: &Proof, format: ViewFormat) -> String {
    match format {
        ViewFormat::Human => human(proof),
        ViewFormat::Markdown => markdown(proof),
        ViewFormat::Json => {
            let document = serde_json::to_string_pretty(proof).unwrap_or_default();
            format!("{}\n", escape::json(&document))
        }
    }
}

fn human(proof: &Proof) -> String {
    let mut text = String::new();
    let several = proof.bases.len() > 1;
    for judged in &proof.judged {
        let on = if several {
            format!(" on {}", judged.base)
        } else {
            String::new()
        };
        let verdict = match (judged.caught_by.is_empty(), proof.escaped(judged)) {
            (false, _) => "caught ",
            (true, true) => "ESCAPED",
            (true, false) => "missed ",
        };
        let _ = writeln!(text, "{verdict}  {}{on}: {}", judged.deviant, judged.wrong);
        for pair in &judged.caught_by {
            let _ = writeln!(text, "         by {} ({})", pair.case, pair.clause);
        }
        if judged.caught_by.is_empty() {
            let _ = writeln!(text, "         breaks {}", judged.breaks.join(", "));
        }
    }
    section(
        &mut text,
        "Unexpected: an error of the suite, or of the declaration",
        |lines| {
            for judged in &proof.judged {
                for found in &judged.unexpected {
                    lines.push(format!(
                        "{} on {}: {} ({}): {}",
                        judged.deviant,
                        judged.base,
                        found.case,
                        found.clause,
                        shortened(&found.message)
                    ));
                }
            }
        },
    );
    section(
        &mut text,
        "Declared as broken, and shown by no case",
        |lines| {
            for judged in proof
                .judged
                .iter()
                .filter(|judged| !judged.unshown.is_empty())
            {
                lines.push(format!(
                    "{} on {}: {}",
                    judged.deviant,
                    judged.base,
                    judged.unshown.join(", ")
                ));
            }
        },
    );
    section(&mut text, "Not exercised here", |lines| {
        for one in &proof.not_exercised {
            lines.push(format!("{} on {}: {}", one.deviant, one.base, one.why));
        }
    });
    if proof.whole {
        section(&mut text, "Pairs that no run here judges", |lines| {
            for one in &proof.unjudged {
                lines.push(format!(
                    "{} ({}): {}",
                    one.case,
                    one.clause,
                    escape::line(&one.why)
                ));
            }
        });
        section(
            &mut text,
            "Pairs without a deviant that they catch",
            |lines| {
                lines.extend(
                    proof
                        .uncovered
                        .iter()
                        .map(|pair| format!("{} ({})", pair.case, pair.clause)),
                );
            },
        );
    }
    let _ = writeln!(text, "\n{}", totals(proof));
    text
}

fn markdown(proof: &Proof) -> String {
    let mut text = String::from(
        "| deviant | base | wrong | breaks | caught by | unexpected |\n|---|---|---|---|---|---|\n",
    );
    for judged in &proof.judged {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} |",
            judged.deviant,
            judged.base,
            judged.wrong.replace('|', "\\|"),
            code(judged.breaks.iter().map(String::as_str)),
            caught_in(proof, judged),
            code(judged.unexpected.iter().map(|found| found.case.as_str())),
        );
    }
    let list = |text: &mut String, title: &str, pairs: &[Pair]| {
        if !pairs.is_empty() {
            let _ = writeln!(text, "\n{title}:\n");
            for pair in pairs {
                let _ = writeln!(text, "- `{}` (`{}`)", pair.case, pair.clause);
            }
        }
    };
    if proof.whole {
        list(
            &mut text,
            "Pairs without a deviant that they catch",
            &proof.uncovered,
        );
        if !proof.unjudged.is_empty() {
            let _ = writeln!(text, "\nPairs that no run here judges:\n");
            for one in &proof.unjudged {
                let _ = writeln!(
                    text,
                    "- `{}` (`{}`): {}",
                    one.case,
                    one.clause,
                    escape::line(&one.why)
                );
            }
        }
    }
    let _ = writeln!(text, "\n{}", totals(proof));
    text
}

/// The cases that caught a deviant, or that none did.
fn caught_in(proof: &Proof, judged: &Judged) -> String {
    let mut cases: Vec<&str> = judged
        .caught_by
        .iter()
        .map(|pair| pair.case.as_str())
        .collect();
    cases.dedup();
    match cases[..] {
        [] if proof.escaped(judged) => "**escaped**".to_owned(),
        [] => "missed".to_owned(),
        _ => code(cases.into_iter()),
    }
}

fn code<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn section(text: &mut String, title: &str, fill: impl FnOnce(&mut Vec<String>)) {
    let mut lines = Vec::new();
    fill(&mut lines);
    if !lines.is_empty() {
        let _ = writeln!(text, "\n{title} ({}):", lines.len());
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
}

/// A message on one line of no great length.
fn shortened(message: &str) -> String {
    const MOST: usize = 400;
    let line = escape::line(message);
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_string(),
    }
}

fn totals(proof: &Proof) -> String {
    let all: BTreeSet<&str> = proof
        .judged
        .iter()
        .map(|judged| judged.deviant.as_str())
        .collect();
    let escaped = proof.judged.iter().filter(|judged| proof.escaped(judged));
    let escaped: BTreeSet<&str> = escaped.map(|judged| judged.deviant.as_str()).collect();
    let unexpected: usize = proof
        .judged
        .iter()
        .map(|judged| judged.unexpected.len())
        .sum();
    let mut text = format!(
        "{} on {}: {} of {} deviants caught, {unexpected} unexpected findings, {} not exercised",
        if proof.holds() {
            "proved"
        } else {
            "not proved"
        },
        proof.bases.join(", "),
        all.len() - escaped.len(),
        all.len(),
        proof.not_exercised.len(),
    );
    if proof.whole {
        let covered = proof.pairs - proof.uncovered.len();
        let _ = write!(
            text,
            "; {covered} of {} pairs covered, {} more not judged here",
            proof.pairs,
            proof.unjudged.len()
        );
    }
    let _ = write!(text, " ({} trials, {:.0} s)", proof.trials, proof.seconds);
    text
}

#[cfg(test)]
mod tests {
    use super::super::judge::{NotExercised, Unexpected, Unjudged};
    use super::*;

    fn pair(case: &str, clause: &str) -> Pair {
        Pair {
            case: case.into(),
            clause: clause.into(),
        }
    }

    fn judged(deviant: &str, caught_by: Vec<Pair>) -> Judged {
        Judged {
            deviant: deviant.into(),
            wrong: "something | is wrong".into(),
            base: "refrun 1".into(),
            breaks: vec!["a.b".into(), "a.c".into()],
            caught_by,
            unexpected: Vec::new(),
            unshown: Vec::new(),
            elsewhere: false,
        }
    }

    fn sample() -> Proof {
        let message = "told: expected 1, observed \"\u{1b}[31m\"".to_owned();
        Proof {
            bases: vec!["refrun 1".into(), "runc 2".into()],
            judged: vec![
                judged("one.caught", vec![pair("x/y", "a.b"), pair("x/y", "a.c")]),
                judged("one.escaped", Vec::new()),
                Judged {
                    unexpected: vec![Unexpected {
                        case: "x/z".into(),
                        clause: "a.d".into(),
                        message,
                    }],
                    unshown: vec!["a.c".into()],
                    ..judged("one.odd", vec![pair("x/y", "a.b")])
                },
                Judged {
                    base: "runc 2".into(),
                    ..judged("one.caught", Vec::new())
                },
            ],
            not_exercised: vec![NotExercised {
                deviant: "one.of-v2".into(),
                base: "refrun 1".into(),
                why: "needs cgroup-v2".into(),
            }],
            pairs: 3,
            uncovered: vec![pair("x/z", "a.d")],
            unjudged: vec![Unjudged {
                case: "x/q".into(),
                clause: "a.e".into(),
                why: "needs the cgroup v2 controller pids".into(),
            }],
            whole: true,
            trials: 12,
            seconds: 3.4,
        }
    }

    #[test]
    fn tables() {
        insta::assert_snapshot!("human", human(&sample()));
        insta::assert_snapshot!("markdown", markdown(&sample()));
    }

    #[test]
    fn a_proof_holds_only_if_nothing_is_amiss() {
        let caught = || vec![judged("one.caught", vec![pair("x/y", "a.b")])];
        let right = || Proof {
            judged: caught(),
            uncovered: Vec::new(),
            ..sample()
        };
        assert!(right().holds());
        assert!(!sample().holds());
        let escaped = Proof {
            judged: vec![judged("one.escaped", Vec::new())],
            ..right()
        };
        assert!(!escaped.holds());
        let uncovered = || Proof {
            uncovered: sample().uncovered,
            ..right()
        };
        assert!(!uncovered().holds());
        assert!(
            Proof {
                whole: false,
                ..uncovered()
            }
            .holds()
        );
        let mut odd = right();
        odd.judged[0].unexpected = sample().judged[2].unexpected.clone();
        assert!(!odd.holds());
    }
}

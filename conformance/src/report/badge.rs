//! A badge for a project's front page: how many of the judged cases pass. As a picture, and as the
//! JSON from which badge services draw one (`schemaVersion` 1 of shields.io's endpoint).
//!
//! Neither is more than a hint with a link behind it: the label says by which version was judged,
//! and known failures do not count as passes.

use std::io::{self, Write};

use serde_json::json;

use super::escape;
use crate::results::{Results, Run, Verdict};

/// Longest text on either side, in characters: a label may be a word that the subject printed.
const LONGEST: usize = 60;

/// The JSON that badge services read.
pub(super) fn json(results: &Results, out: &mut dyn Write) -> io::Result<()> {
    let badge = Badge::of(results);
    let document = json!({
        "schemaVersion": 1,
        "label": badge.label,
        "message": badge.message,
        "color": badge.colour.name(),
        "isError": badge.colour == Colour::Unexpected,
    });
    writeln!(out, "{}", escape::json(&document.to_string()))
}

/// The picture, of fixed width, with its words as text for screen readers.
pub(super) fn svg(results: &Results, out: &mut dyn Write) -> io::Result<()> {
    let badge = Badge::of(results);
    let [label, message] = [&badge.label, &badge.message].map(|text| escape::xml(text));
    let [left, right] = [&badge.label, &badge.message].map(|text| width(text) + 10);
    let whole = left + right;
    let colour = badge.colour.hex();
    // The middle of each half, and how long its text is: a browser with another font keeps to it.
    let (label_at, message_at) = (left / 2, left + right / 2);
    let (label_length, message_length) = (left - 10, right - 10);
    write!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{label}: {message}">
  <title>{label}: {message}</title>
  <clipPath id="r"><rect width="{whole}" height="20" rx="3"/></clipPath>
  <g clip-path="url(#r)">
    <rect width="{left}" height="20" fill="#424242"/>
    <rect x="{left}" width="{right}" height="20" fill="{colour}"/>
  </g>
  <g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
    <text x="{label_at}" y="14" textLength="{label_length}" lengthAdjust="spacingAndGlyphs">{label}</text>
    <text x="{message_at}" y="14" textLength="{message_length}" lengthAdjust="spacingAndGlyphs">{message}</text>
  </g>
</svg>
"##
    )
}

struct Badge {
    label: String,
    message: String,
    colour: Colour,
}

/// What the run came to, the worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Colour {
    Passes,
    KnownFailures,
    Unexpected,
    NothingJudged,
}

impl Colour {
    /// As badge services name it.
    fn name(self) -> &'static str {
        match self {
            Colour::Passes => "brightgreen",
            Colour::KnownFailures => "yellow",
            Colour::Unexpected => "red",
            Colour::NothingJudged => "lightgrey",
        }
    }

    /// Dark enough for white words on it: 4.5 to 1.
    fn hex(self) -> &'static str {
        match self {
            Colour::Passes => "#2e7d32",
            Colour::KnownFailures => "#8a6100",
            Colour::Unexpected => "#c62828",
            Colour::NothingJudged => "#616161",
        }
    }
}

impl Badge {
    fn of(results: &Results) -> Badge {
        let versions: Vec<&str> = results
            .runs
            .iter()
            .map(|run| run.spec_judged.as_str())
            .collect();
        let label = match versions.split_first() {
            Some((first, rest)) if rest.iter().all(|other| other == first) => {
                format!("OCI runtime {first}")
            }
            _ => "OCI runtime".to_owned(),
        };
        let message = match results.runs.as_slice() {
            [run] => score(run),
            runs => {
                let scores = runs
                    .iter()
                    .map(|run| format!("{} {}", run.runtime.label, score(run)));
                scores.collect::<Vec<_>>().join(" · ")
            }
        };
        Badge {
            label: escape::shortened(&escape::line(&label), LONGEST),
            message: escape::shortened(&escape::line(&message), LONGEST),
            colour: results
                .runs
                .iter()
                .map(colour)
                .max()
                .unwrap_or(Colour::NothingJudged),
        }
    }
}

/// Passes of what was judged: what the host or the claim leaves out is neither.
fn score(run: &Run) -> String {
    match judged(run) {
        0 => "not judged".into(),
        judged => format!("{}/{judged} pass", run.summary.pass),
    }
}

fn judged(run: &Run) -> usize {
    let says_something = |verdict| {
        matches!(
            verdict,
            Verdict::Pass | Verdict::Warn | Verdict::Fail | Verdict::Timeout
        )
    };
    run.cases
        .iter()
        .filter(|case| says_something(case.verdict))
        .count()
}

fn colour(run: &Run) -> Colour {
    let fails = run.summary.fail + run.summary.timeout > 0;
    match (judged(run), run.summary.unexpected, fails) {
        (0, _, _) => Colour::NothingJudged,
        (_, 1.., _) => Colour::Unexpected,
        (_, 0, true) => Colour::KnownFailures,
        (_, 0, false) => Colour::Passes,
    }
}

/// About how wide text is at 11 pixels: narrow, wide and other letters.
fn width(text: &str) -> usize {
    let tenths: usize = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '!' | '|' | ' ' | '\'' => 40,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => 105,
            c if c.is_ascii() => 70,
            _ => 115,
        })
        .sum();
    tenths.div_ceil(10)
}

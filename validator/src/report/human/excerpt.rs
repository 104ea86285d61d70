//! What a finding shows of a document: a few lines, cut where they are long.
//!
//! Engines write `config.json` on one line of 30 KiB. Of such a line the parts around the marks are
//! shown, and `…` for the rest.

use std::ops::Range;

use crate::report::Lines;
use crate::report::escape::push_terminal;

/// Lines of up to this many characters are shown whole.
const WHOLE: usize = 120;
/// Of longer ones, this many characters before and behind a mark.
const AROUND: usize = 36;
/// And this many of what is marked.
const MARKED: usize = 56;
/// Lines between two marks are shown if they are that few.
const BETWEEN: usize = 2;
/// A mark that is more lines away from the first one is told, not shown.
const FAR: usize = 2000;

/// Lines of a document as they are shown.
#[derive(Debug)]
pub(super) struct Excerpt {
    pub(super) source: String,
    /// The number of its first line, from 1.
    pub(super) first_line: usize,
    /// The spans in the source, in the order in which they were asked for.
    pub(super) marks: Vec<Mark>,
    /// Whether a line is not shown whole.
    pub(super) is_cut: bool,
}

/// Where a span is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Shown(Range<usize>),
    /// Too far away from the first.
    Far,
}

/// A span on its way into the source.
struct Wanted {
    /// Its place among the marks.
    place: usize,
    line: usize,
    span: Range<usize>,
}

impl Excerpt {
    /// The lines that show the spans, of which the first decides.
    pub(super) fn of(text: &str, lines: &Lines<'_>, spans: &[Range<usize>]) -> Excerpt {
        let first = spans.first().map_or(0, |span| line_of(text, lines, span));
        let mut wanted: Vec<Wanted> = Vec::with_capacity(spans.len());
        for (place, span) in spans.iter().enumerate() {
            let line = line_of(text, lines, span);
            if line.abs_diff(first) <= FAR {
                let range = lines.range(line);
                let start = span.start.clamp(range.start, range.end);
                // Of what goes on behind the line, its beginning.
                let end = span.end.clamp(start, range.end);
                let span = start..end;
                wanted.push(Wanted { place, line, span });
            }
        }
        wanted.sort_by_key(|one| (one.line, one.span.start));

        let mut excerpt = Excerpt {
            source: String::new(),
            first_line: wanted.first().map_or(1, |one| one.line + 1),
            marks: vec![Mark::Far; spans.len()],
            is_cut: false,
        };
        let mut rest = wanted.as_slice();
        while let Some(one) = rest.first() {
            let here = rest.partition_point(|other| other.line == one.line);
            excerpt.line(text, lines.range(one.line), &rest[..here]);
            rest = &rest[here..];
            if let Some(next) = rest.first() {
                excerpt.between(text, lines, one.line + 1..next.line);
            }
        }
        excerpt
    }

    /// The column in which the first mark is shown, from 1.
    pub(super) fn primary_column(&self) -> Option<usize> {
        let Some(Mark::Shown(span)) = self.marks.first() else {
            return None;
        };
        let before = &self.source[..span.start];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some(before[start..].chars().count() + 1)
    }

    /// A line with marks.
    fn line(&mut self, text: &str, range: Range<usize>, wanted: &[Wanted]) {
        let spans: Vec<Range<usize>> = wanted.iter().map(|one| one.span.clone()).collect();
        let is_long = text[range.clone()].chars().nth(WHOLE).is_some();
        if !is_long {
            self.part(text, range, wanted, &spans);
            self.source.push('\n');
            return;
        }
        self.is_cut = true;
        let spans: Vec<Range<usize>> = spans
            .into_iter()
            .map(|span| {
                let end = forward(text, &(span.start..span.end), span.start, MARKED);
                span.start..end
            })
            .collect();
        let mut parts: Vec<Range<usize>> = Vec::new();
        for span in &spans {
            let start = backward(text, &range, span.start, AROUND);
            let end = forward(text, &range, span.end, AROUND);
            match parts.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ => parts.push(start..end),
            }
        }
        let mut shown = range.start;
        for part in parts {
            if part.start > shown {
                self.source.push('…');
            }
            shown = part.end;
            self.part(text, part, wanted, &spans);
        }
        if shown < range.end {
            self.source.push('…');
        }
        self.source.push('\n');
    }

    /// A part of a line, and the marks in it.
    fn part(&mut self, text: &str, range: Range<usize>, wanted: &[Wanted], spans: &[Range<usize>]) {
        let mut starts = vec![None; wanted.len()];
        let characters = text[range.clone()].char_indices();
        let ends = [(range.end - range.start, None)];
        let all = characters.map(|(at, c)| (at, Some(c))).chain(ends);
        for (at, c) in all {
            let byte = range.start + at;
            for (number, span) in spans.iter().enumerate() {
                if span.start == byte && starts[number].is_none() {
                    starts[number] = Some(self.source.len());
                }
                if let (true, Some(start)) = (span.end == byte, starts[number]) {
                    self.marks[wanted[number].place] = Mark::Shown(start..self.source.len());
                }
            }
            match c {
                Some('\t') => self.source.push_str("    "),
                Some(c) => push_terminal(&mut self.source, c),
                None => {}
            }
        }
    }

    /// Lines between two with marks. Where they are many, the renderer shows `...` for them, and
    /// only their number counts.
    fn between(&mut self, text: &str, lines: &Lines<'_>, between: Range<usize>) {
        let few = between.len() <= BETWEEN;
        for line in between {
            let range = lines.range(line);
            if few {
                let end = forward(text, &range, range.start, WHOLE);
                self.part(text, range.start..end, &[], &[]);
                if end < range.end {
                    self.source.push('…');
                }
            }
            self.source.push('\n');
        }
    }
}

/// The line that shows a span. What stands at the end of the text is shown on its last line that is
/// not empty.
fn line_of(text: &str, lines: &Lines<'_>, span: &Range<usize>) -> usize {
    let byte = span.start.min(text.len());
    if byte == text.len() {
        lines.line(text.trim_end().len())
    } else {
        lines.line(byte)
    }
}

fn backward(text: &str, range: &Range<usize>, from: usize, characters: usize) -> usize {
    let before = text[range.start..from].char_indices().rev();
    before
        .take(characters)
        .last()
        .map_or(from, |(at, _)| range.start + at)
}

fn forward(text: &str, range: &Range<usize>, from: usize, characters: usize) -> usize {
    let mut behind = text[from..range.end].char_indices();
    behind
        .nth(characters)
        .map_or(range.end, |(at, _)| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, spans: &[Range<usize>]) -> Excerpt {
        Excerpt::of(text, &Lines::of(text), spans)
    }

    /// The source with the first mark in brackets.
    fn marked(text: &str, span: Range<usize>) -> String {
        let excerpt = excerpt(text, &[span]);
        let Mark::Shown(span) = excerpt.marks[0].clone() else {
            panic!("{excerpt:?}");
        };
        let mut source = excerpt.source;
        source.insert(span.end, ']');
        source.insert(span.start, '[');
        source
    }

    #[test]
    fn short_lines_are_whole() {
        assert_eq!(marked("{\n\t\"a\": 1\n}\n", 8..9), "    \"a\": [1]\n");
        assert_eq!(marked("ab", 1..1), "a[]b\n");
        assert_eq!(marked("", 0..0), "[]\n");
        assert_eq!(marked("{\n\n", 3..3), "{[]\n");
    }

    #[test]
    fn what_steers_a_terminal_is_shown() {
        assert_eq!(
            marked("\"\x1b[2J\u{202e}\"", 0..9),
            "[\"\\x1b[2J\\u{202e}\"]\n"
        );
    }

    #[test]
    fn of_several_lines_the_first_is_marked() {
        assert_eq!(marked("a {\r\n1\n}", 2..8), "a [{]\n");
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let text = format!("{}<here>{}", "ä".repeat(500), "b".repeat(500));
        let expected = format!("…{}[<here>]{}…\n", "ä".repeat(AROUND), "b".repeat(AROUND));
        assert_eq!(marked(&text, 1000..1006), expected);
        let expected = format!("[{}]{}…\n", "ä".repeat(MARKED), "ä".repeat(AROUND));
        assert_eq!(marked(&text, 0..1000), expected);
        let expected = format!("…{}[{}]\n", "b".repeat(AROUND), "b");
        assert_eq!(marked(&text, 1505..1506), expected);
    }

    #[test]
    fn marks_of_one_long_line_share_what_overlaps() {
        let text = "x".repeat(1000);
        let excerpt = excerpt(&text, &[500..501, 510..511, 900..901]);
        assert_eq!(excerpt.source.matches('…').count(), 3);
        assert!(excerpt.source.chars().count() < 200);
        assert!(excerpt.marks.iter().all(|mark| *mark != Mark::Far));
        assert!(excerpt.is_cut);
    }

    #[test]
    fn far_lines_are_not_shown() {
        let text = "x\n".repeat(5000);
        let excerpt = excerpt(&text, &[0..1, 8..9, 9000..9001]);
        assert_eq!(excerpt.source, "x\n\n\n\nx\n");
        assert_eq!(excerpt.marks[2], Mark::Far);
        assert_eq!(excerpt.first_line, 1);
    }
}

//! Lines and columns of a document, for many places at once.

use std::ops::Range;

use serde_json::{Value, json};

use crate::document::Position;

/// Where the lines of a text begin, and how many characters stand before each block of it. A
/// document may be one line of 16 MiB with a thousand findings: none of them counts from its
/// beginning.
#[derive(Debug)]
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// Of ASCII alone, none: there a character is a byte.
    characters: Option<Vec<usize>>,
}

/// Beginning and end (the place behind the last character) of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start: Position,
    pub(crate) end: Position,
}

const BLOCK: usize = 1024;

impl<'t> Lines<'t> {
    pub(crate) fn of(text: &'t str) -> Lines<'t> {
        let mut starts = vec![0];
        starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
        let characters = (!text.is_ascii()).then(|| {
            let blocks = text.as_bytes().chunks(BLOCK);
            let before = blocks.scan(0, |count, block| {
                let before = *count;
                *count += characters_in(block);
                Some(before)
            });
            before.collect()
        });
        Lines {
            text,
            starts,
            characters,
        }
    }

    /// The line of a byte, from 0.
    pub(crate) fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte) - 1
    }

    /// The bytes of a line (from 0) without what ends it.
    pub(crate) fn range(&self, line: usize) -> Range<usize> {
        let start = self.starts[line];
        let end = match self.starts.get(line + 1) {
            Some(next) => next - 1,
            None => self.text.len(),
        };
        let text = &self.text[start..end];
        start..start + text.strip_suffix('\r').unwrap_or(text).len()
    }

    pub(crate) fn position(&self, byte: usize) -> Position {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.line(byte);
        Position {
            line: line + 1,
            column: self.characters_before(byte) - self.characters_before(self.starts[line]) + 1,
        }
    }

    pub(crate) fn place(&self, span: &Range<usize>) -> Place {
        Place {
            start: self.position(span.start),
            end: self.position(span.end.max(span.start)),
        }
    }

    fn characters_before(&self, byte: usize) -> usize {
        let Some(characters) = &self.characters else {
            return byte;
        };
        let block = (byte / BLOCK).min(characters.len() - 1);
        characters[block] + characters_in(&self.text.as_bytes()[block * BLOCK..byte])
    }
}

impl Place {
    /// As in the JSON report.
    pub(crate) fn to_json(self) -> Value {
        let position = |at: Position| json!({"line": at.line, "column": at.column});
        json!({"start": position(self.start), "end": position(self.end)})
    }
}

/// Bytes that begin a character.
fn characters_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xc0) != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_that_a_count_from_the_beginning_gives() {
        let long = "{\"ä\": [1,\n 2]}\n".repeat(300) + &"漢字é ".repeat(1500);
        for text in ["", "\n", "a\r\nb", "äb\nc", &"é".repeat(512), &long] {
            let lines = Lines::of(text);
            for byte in 0..=text.len() + 1 {
                assert_eq!(lines.position(byte), Position::of(text, byte), "{byte}");
            }
        }
    }

    #[test]
    fn a_line_is_without_its_end() {
        let text = "ab\r\n\nc";
        let lines = Lines::of(text);
        let all: Vec<&str> = (0..3).map(|line| &text[lines.range(line)]).collect();
        assert_eq!(all, ["ab", "", "c"]);
    }
}

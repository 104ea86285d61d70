//! The reader: RFC 8259, and on behind mistakes whose meaning is evident.
//!
//! Each mistake is a [`Problem`]. One that leaves open what the rest of the text means ends the
//! reading, and the document then has no value at all.

use std::collections::HashMap;
use std::ops::Range;

use oci_runtime_schemas::brief;

use super::{Document, Kind, MAX_BYTES, MAX_DEPTH, MAX_VALUES, NONE, Node, Problem, ProblemKind};

/// More than this many problems, and the rest of the text is not worth reading.
const MAX_PROBLEMS: usize = 100;

pub(super) fn too_large() -> Document {
    read(String::new(), |reader| {
        reader.problem(
            ProblemKind::Limit,
            0..0,
            format!("the document is larger than {} MiB", MAX_BYTES >> 20),
        );
        Err(Lost)
    })
}

pub(super) fn parse(bytes: Vec<u8>) -> Document {
    if bytes.len() > MAX_BYTES {
        return too_large();
    }
    let (text, invalid) = match String::from_utf8(bytes) {
        Ok(text) => (text, Vec::new()),
        Err(error) => in_place_of_invalid(error.into_bytes()),
    };
    read(text, |reader| {
        if reader.bytes.contains(&0) || invalid.len() > MAX_PROBLEMS {
            reader.problem(
                ProblemKind::Binary,
                0..0,
                "this is not text, so it is no JSON".into(),
            );
            return Err(Lost);
        }
        for span in invalid {
            reader.problem(
                ProblemKind::Utf8,
                span,
                "these bytes are not UTF-8, in which all JSON is encoded".into(),
            );
        }
        reader.document()
    })
}

/// The document that a reading of the text ends in.
fn read(text: String, how: impl FnOnce(&mut Reader<'_>) -> Read<()>) -> Document {
    let mut reader = Reader::new(&text);
    let whole = how(&mut reader).is_ok();
    let Reader {
        nodes,
        decoded,
        decoded_keys,
        problems,
        ..
    } = reader;
    Document {
        text,
        nodes,
        decoded,
        decoded_keys,
        problems,
        whole,
    }
}

/// The text with a `?` for each byte that is no UTF-8, which keeps all positions, and where.
fn in_place_of_invalid(mut bytes: Vec<u8>) -> (String, Vec<Range<usize>>) {
    let mut invalid = Vec::new();
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&bytes[from..]) {
        let start = from + error.valid_up_to();
        let end = match error.error_len() {
            Some(length) => start + length,
            None => bytes.len(),
        };
        bytes[start..end].fill(b'?');
        // One after the other is one problem, however long.
        match invalid.last_mut() {
            Some(Range { end: last, .. }) if *last == start => *last = end,
            _ => invalid.push(start..end),
        }
        from = end;
    }
    (String::from_utf8(bytes).unwrap_or_default(), invalid)
}

/// The text cannot be read further; why is among the problems.
struct Lost;

type Read<T> = Result<T, Lost>;

struct Reader<'t> {
    text: &'t str,
    /// The same.
    bytes: &'t [u8],
    at: usize,
    depth: usize,
    /// The value that is being read.
    within: u32,
    nodes: Vec<Node>,
    decoded: Vec<String>,
    decoded_keys: HashMap<u32, String>,
    problems: Vec<Problem>,
}

/// A string of the text, with its quotes.
struct Text {
    start: usize,
    end: usize,
    /// Its place in `decoded`, if it has escapes.
    decoded: u32,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Reader<'t> {
        Reader {
            // A value takes about 25 bytes in documents as engines write them.
            nodes: Vec::with_capacity(text.len() / 24 + 8),
            text,
            bytes: text.as_bytes(),
            at: 0,
            depth: 0,
            within: NONE,
            decoded: Vec::new(),
            decoded_keys: HashMap::new(),
            problems: Vec::new(),
        }
    }

    fn document(&mut self) -> Read<()> {
        if self.text.starts_with('\u{feff}') {
            self.problem(
                ProblemKind::ByteOrderMark,
                0..3,
                "a byte order mark, which JSON has none of".into(),
            )
            .replacement = Some(String::new());
            self.at = 3;
        }
        self.blanks()?;
        if self.at == self.text.len() {
            let end = self.at;
            return self.lost(end..end, "the document is empty");
        }
        self.value(NONE, None, &mut NONE.clone())?;
        self.blanks()?;
        if self.at < self.text.len() {
            let rest = self.token();
            self.lost(rest, "text behind the end of the document")?;
        }
        Ok(())
    }

    /// A value, which becomes the next child of its parent: `last` is the one before it.
    fn value(&mut self, parent: u32, key: Option<&Text>, last: &mut u32) -> Read<()> {
        if self.nodes.len() >= MAX_VALUES {
            self.problem(
                ProblemKind::Limit,
                self.at..self.at,
                format!("the document has more than {MAX_VALUES} values"),
            );
            return Err(Lost);
        }
        if self.problems.len() > MAX_PROBLEMS {
            return Err(Lost);
        }
        let node = self.nodes.len() as u32;
        self.nodes.push(Node {
            kind: Kind::Null,
            start: self.at as u32,
            end: self.at as u32,
            parent,
            next: NONE,
            first: NONE,
            key_start: key.map_or(0, |key| key.start as u32),
            key_end: key.map_or(0, |key| key.end as u32),
            key_decoded: false,
            brief: 0,
        });
        if let Some(key) = key {
            self.name(node, key);
        }
        match *last {
            NONE if parent == NONE => {}
            NONE => self.nodes[parent as usize].first = node,
            last => self.nodes[last as usize].next = node,
        }
        *last = node;
        self.within = node;
        let kind = match self.peek() {
            // What it is stands before what is in it, for pointers to problems there.
            Some(b'{') => {
                self.nodes[node as usize].kind = Kind::Object;
                self.object(node)?;
                Kind::Object
            }
            Some(b'[') => {
                self.nodes[node as usize].kind = Kind::Array;
                self.array(node)?;
                Kind::Array
            }
            Some(b'"') => {
                let Text { decoded, .. } = self.string()?;
                self.nodes[node as usize].first = decoded;
                Kind::String
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Kind::Number
            }
            _ => self.word()?,
        };
        let done = &mut self.nodes[node as usize];
        done.kind = kind;
        done.end = self.at as u32;
        self.within = parent;
        Ok(())
    }

    fn name(&mut self, node: u32, key: &Text) {
        let its = &mut self.nodes[node as usize];
        if key.decoded == NONE {
            its.brief = brief(&self.bytes[key.start + 1..key.end - 1]);
        } else if let Some(text) = self.decoded.pop() {
            // The key was the last string that was read.
            its.brief = brief(text.as_bytes());
            its.key_decoded = true;
            self.decoded_keys.insert(node, text);
        }
    }

    fn object(&mut self, node: u32) -> Read<()> {
        let open = self.enter()?;
        let mut last = NONE;
        let mut count = 0_usize;
        loop {
            self.blanks()?;
            match self.peek() {
                Some(b'}') => break,
                Some(b'"') => {}
                Some(_) => {
                    let token = self.token();
                    let found = self.quote(&token);
                    let help = match self.bytes[token.start] {
                        b'\'' => "JSON strings stand in double quotes",
                        b']' => "this object was opened with `{`",
                        _ => "names stand in double quotes",
                    };
                    return self.lost_because(
                        token,
                        format!("expected a name or `}}`, found {found}"),
                        help,
                        Some((open..open + 1, "of this object")),
                    );
                }
                None => return self.never_closed(open, '}'),
            }
            let key = self.string()?;
            self.blanks()?;
            if self.peek() != Some(b':') {
                let token = self.token();
                let found = self.quote(&token);
                return self.lost(
                    token,
                    format!("expected `:` behind the name, found {found}"),
                );
            }
            self.at += 1;
            self.blanks()?;
            self.value(node, Some(&key), &mut last)?;
            count += 1;
            if !self.separator(b'}', open)? {
                break;
            }
        }
        self.leave();
        self.duplicates(node, count);
        Ok(())
    }

    fn array(&mut self, node: u32) -> Read<()> {
        let open = self.enter()?;
        let mut last = NONE;
        loop {
            self.blanks()?;
            match self.peek() {
                Some(b']') => break,
                Some(_) => {}
                None => return self.never_closed(open, ']'),
            }
            self.value(node, None, &mut last)?;
            if !self.separator(b']', open)? {
                break;
            }
        }
        self.leave();
        Ok(())
    }

    /// Reads up to the next entry, or says that there is none. The closing bracket is left.
    fn separator(&mut self, close: u8, open: usize) -> Read<bool> {
        let behind = self.at;
        self.blanks()?;
        match self.peek() {
            Some(b',') => {
                let comma = self.at;
                self.at += 1;
                self.blanks()?;
                if self.peek() == Some(close) {
                    self.problem(
                        ProblemKind::TrailingComma,
                        comma..comma + 1,
                        "a comma behind the last entry".into(),
                    )
                    .replacement = Some(String::new());
                    return Ok(false);
                }
                Ok(true)
            }
            Some(byte) if byte == close => Ok(false),
            // Another value begins: what is missing is the comma.
            Some(b'"' | b'{' | b'[') => {
                let problem = self.problem(
                    ProblemKind::Syntax,
                    behind..behind,
                    "a comma is missing here".into(),
                );
                problem.replacement = Some(",".into());
                Ok(true)
            }
            Some(_) => {
                let token = self.token();
                let found = self.quote(&token);
                let close = close as char;
                self.lost_because(
                    token,
                    format!("expected `,` or `{close}`, found {found}"),
                    "",
                    Some((open..open + 1, "opened here")),
                )
            }
            None => self.never_closed(open, close as char),
        }
    }

    fn never_closed<T>(&mut self, open: usize, close: char) -> Read<T> {
        let end = self.text.len();
        self.lost_because(
            end..end,
            format!("the document ends where `{close}` is missing"),
            "",
            Some((open..open + 1, "opened here")),
        )
    }

    fn enter(&mut self) -> Read<usize> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.problem(
                ProblemKind::Limit,
                self.at..self.at + 1,
                format!("arrays and objects lie more than {MAX_DEPTH} deep in each other"),
            );
            return Err(Lost);
        }
        self.at += 1;
        Ok(self.at - 1)
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// Names that stand twice in one object. A short object compares all pairs, which needs no
    /// memory; a long one would take hours that way.
    fn duplicates(&mut self, object: u32, count: usize) {
        if count < 2 {
            return;
        }
        let mut found = Vec::new();
        let first = self.nodes[object as usize].first;
        let next = |node: u32| self.nodes[node as usize].next;
        if count <= 16 {
            let mut child = next(first);
            while child != NONE {
                let short = self.nodes[child as usize].brief;
                let mut earlier = first;
                while earlier != child {
                    if self.nodes[earlier as usize].brief == short
                        && self.key(earlier) == self.key(child)
                    {
                        found.push((earlier, child));
                        break;
                    }
                    earlier = next(earlier);
                }
                child = next(child);
            }
        } else {
            let mut names = HashMap::with_capacity(count);
            let mut child = first;
            while child != NONE {
                let first = *names.entry(self.key(child)).or_insert(child);
                if first != child {
                    found.push((first, child));
                }
                child = next(child);
            }
        }
        for (first, again) in found.into_iter().take(MAX_PROBLEMS) {
            let span = |node: u32| {
                let node = &self.nodes[node as usize];
                node.key_start as usize..node.key_end as usize
            };
            let (of_first, of_again) = (span(first), span(again));
            let name = &self.text[of_again.clone()];
            let problem = self.problem(
                ProblemKind::DuplicateName,
                of_again.clone(),
                format!("the name {name} stands twice in one object"),
            );
            problem.related = Some((of_first, "first here".into()));
            problem.node = again;
        }
    }

    fn key(&self, node: u32) -> &str {
        let its = &self.nodes[node as usize];
        if its.key_decoded {
            return self.decoded_keys.get(&node).map_or("", String::as_str);
        }
        &self.text[its.key_start as usize + 1..its.key_end as usize - 1]
    }

    fn string(&mut self) -> Read<Text> {
        let start = self.at;
        let at = plain_until(self.bytes, start + 1);
        if self.bytes.get(at) == Some(&b'"') {
            self.at = at + 1;
            return Ok(Text {
                start,
                end: self.at,
                decoded: NONE,
            });
        }
        self.string_with_escapes(start, at)
    }

    /// The rest of a string from its first escape or control character on.
    fn string_with_escapes(&mut self, start: usize, mut at: usize) -> Read<Text> {
        let mut decoded = self.text[start + 1..at].to_owned();
        loop {
            let Some(character) = self.text[at..].chars().next() else {
                let end = self.text.len();
                return self.lost_because(
                    end..end,
                    "the document ends within a string".into(),
                    "",
                    Some((start..start + 1, "opened here")),
                );
            };
            match character {
                '"' => break,
                '\\' => at = self.escape(at, &mut decoded)?,
                '\n' => {
                    return self.lost_because(
                        at..at + 1,
                        "a line ends within a string".into(),
                        "close the string, or write the line break as `\\n`",
                        Some((start..start + 1, "opened here")),
                    );
                }
                '\0'..='\x1f' => {
                    let code = character as u32;
                    let problem = self.problem(
                        ProblemKind::Syntax,
                        at..at + 1,
                        format!("a control character (U+{code:04X}) within a string"),
                    );
                    problem.replacement = Some(format!("\\u{code:04x}"));
                    decoded.push(character);
                    at += 1;
                }
                _ => {
                    decoded.push(character);
                    at += character.len_utf8();
                }
            }
        }
        self.at = at + 1;
        self.decoded.push(decoded);
        Ok(Text {
            start,
            end: self.at,
            decoded: self.decoded.len() as u32 - 1,
        })
    }

    /// One escape at `at`; where it ends.
    fn escape(&mut self, at: usize, decoded: &mut String) -> Read<usize> {
        let character = match self.bytes.get(at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let high = self.hex(at)?;
                let low = match high {
                    0xd800..=0xdbff if self.text[at + 6..].starts_with("\\u") => {
                        self.hex(at + 6)?
                    }
                    _ => 0,
                };
                let pair = matches!(low, 0xdc00..=0xdfff);
                let code = match pair {
                    true => 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00),
                    false => high,
                };
                let end = at + if pair { 12 } else { 6 };
                match char::from_u32(code) {
                    Some(character) => decoded.push(character),
                    None => {
                        decoded.push('\u{fffd}');
                        self.problem(
                            ProblemKind::Syntax,
                            at..at + 6,
                            "half of a surrogate pair, which is no character".into(),
                        );
                    }
                }
                return Ok(end);
            }
            _ => {
                let end = at + 1 + self.text[at + 1..].chars().next().map_or(0, char::len_utf8);
                return self.lost_because(
                    at..end,
                    "an escape that JSON does not have".into(),
                    "a backslash itself is written `\\\\`",
                    None,
                );
            }
        };
        decoded.push(character);
        Ok(at + 2)
    }

    /// The four hexadecimal digits of the `\u` at `at`.
    fn hex(&mut self, at: usize) -> Read<u32> {
        let digits = self.bytes.get(at + 2..at + 6).unwrap_or_default();
        if digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit) {
            let value = digits.iter().fold(0, |value, digit| {
                value * 16 + (*digit as char).to_digit(16).unwrap_or(0)
            });
            return Ok(value);
        }
        self.lost(at..at + 2, "four hexadecimal digits belong behind `\\u`")
    }

    fn number(&mut self) -> Read<()> {
        let start = self.at;
        let bytes = self.bytes;
        let digits = |mut at: usize| {
            let from = at;
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            (at - from, at)
        };
        let integer = start + usize::from(bytes[start] == b'-');
        let (length, mut end) = digits(integer);
        let mut complete = length > 0;
        if bytes.get(end) == Some(&b'.') {
            let (length, after) = digits(end + 1);
            complete &= length > 0;
            end = after;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let (length, after) = digits(end + 1 + sign);
            complete &= length > 0;
            end = after;
        }
        let leading_zero = length > 1 && bytes[integer] == b'0';
        let goes_on = bytes
            .get(end)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'));
        if !complete || goes_on {
            let token = self.token();
            let found = self.quote(&token);
            let help = match self.text[token.clone()].get(..2) {
                Some("0x" | "0o" | "0b") => "JSON knows decimal numbers only",
                _ => "",
            };
            return self.lost_because(token, format!("{found} is no number"), help, None);
        }
        self.at = end;
        if leading_zero {
            let written = &self.text[start..end];
            let problem = self.problem(
                ProblemKind::Syntax,
                start..end,
                format!("the number {written} begins with a zero"),
            );
            if let Ok(octal) = i64::from_str_radix(written, 8) {
                problem.help = Some(format!(
                    "JSON has no octal numbers: octal {written} is {octal}"
                ));
            }
        }
        Ok(())
    }

    fn word(&mut self) -> Read<Kind> {
        let token = self.token();
        let kind = match &self.text[token.clone()] {
            "true" | "false" => Kind::Boolean,
            "null" => Kind::Null,
            other => {
                let help = match other.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" => "did you mean `true`?",
                    "false" | "no" | "off" => "did you mean `false`?",
                    "none" | "nil" | "undefined" | "null" => "did you mean `null`?",
                    word if word.starts_with('\'') => "JSON strings stand in double quotes",
                    word if word.starts_with(char::is_alphabetic) => {
                        "strings stand in double quotes"
                    }
                    _ => "",
                };
                let found = match token.is_empty() {
                    true => "the end of the document".into(),
                    false => self.quote(&token),
                };
                return self.lost_because(
                    token,
                    format!("expected a value, found {found}"),
                    help,
                    None,
                );
            }
        };
        self.at = token.end;
        Ok(kind)
    }

    /// The text from here that belongs together for a reader: a word, or one character.
    fn token(&self) -> Range<usize> {
        let rest = &self.text[self.at..];
        let word = rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '+')))
            .unwrap_or(rest.len());
        let length = match word {
            0 => rest.chars().next().map_or(0, char::len_utf8),
            word => word,
        };
        self.at..self.at + length
    }

    /// A token in backticks, shortened.
    fn quote(&self, token: &Range<usize>) -> String {
        let text = &self.text[token.clone()];
        match text.char_indices().nth(40) {
            Some((end, _)) => format!("`{}…`", &text[..end]),
            None if text.is_empty() => "the end of the document".into(),
            None => format!("`{text}`"),
        }
    }

    /// White space, and comments, which are problems.
    #[inline(always)]
    fn blanks(&mut self) -> Read<()> {
        match self.peek() {
            // Nearly always: the text goes on at once.
            Some(byte) if byte > b'/' || (byte > b' ' && byte < b'/') => Ok(()),
            _ => self.some_blanks(),
        }
    }

    fn some_blanks(&mut self) -> Read<()> {
        loop {
            let mut at = self.at;
            // Indentation is eight spaces or more at most places.
            while self.bytes.get(at..at + 8) == Some(b"        ") {
                at += 8;
            }
            while matches!(self.bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
                at += 1;
            }
            self.at = at;
            if self.peek() != Some(b'/') {
                return Ok(());
            }
            let start = self.at;
            let rest = &self.text[start..];
            let length = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                match rest.find("*/") {
                    Some(end) => end + 2,
                    None => return self.lost(start..start + 2, "a comment that does not end"),
                }
            } else {
                return Ok(());
            };
            self.at = start + length;
            self.problem(
                ProblemKind::Comment,
                start..start + length,
                "a comment, which JSON has none of".into(),
            )
            .replacement = Some(String::new());
            if self.problems.len() > MAX_PROBLEMS {
                return Err(Lost);
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn lost<T>(&mut self, span: Range<usize>, message: impl Into<String>) -> Read<T> {
        self.lost_because(span, message.into(), "", None)
    }

    fn lost_because<T>(
        &mut self,
        span: Range<usize>,
        message: String,
        help: &str,
        related: Option<(Range<usize>, &str)>,
    ) -> Read<T> {
        let problem = self.problem(ProblemKind::Syntax, span, message);
        problem.help = (!help.is_empty()).then(|| help.to_owned());
        problem.related = related.map(|(span, label)| (span, label.to_owned()));
        Err(Lost)
    }

    fn problem(&mut self, kind: ProblemKind, span: Range<usize>, message: String) -> &mut Problem {
        let at = self.problems.len();
        self.problems.push(Problem {
            kind,
            span,
            message,
            help: None,
            related: None,
            replacement: None,
            node: self.within,
        });
        &mut self.problems[at]
    }
}

/// Where the first quote, backslash or control character from `at` on stands, or the end. Eight
/// bytes at a time, since most of a document is in strings.
fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The high bit of each byte that is zero; bits above the first such byte may be set too.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    while let Some(word) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
        let quotes = zeros(word ^ (ONES * b'"' as u64));
        let escapes = zeros(word ^ (ONES * b'\\' as u64));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let special = quotes | escapes | controls;
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    at + rest.iter().position(special).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Document {
        Document::parse(text.as_bytes().to_vec())
    }

    #[test]
    fn values_know_where_they_stand() {
        let document = read("{\n  \"a\": [1, {\"b\": \"x\\ty\"}]\n}");
        assert_eq!(document.problems(), []);
        let text = document.root().get("a").items().nth(1).unwrap().get("b");
        assert_eq!(text.as_str(), Some("x\ty"));
        assert_eq!(text.text(), "\"x\\ty\"");
        assert_eq!(text.pointer(), "/a/1/b");
        assert_eq!(document.root().at_pointer("/a/1/b"), text);
        assert_eq!(document.position(text.span().start).line, 2);
        assert!(!document.root().at_pointer("/a/2").is_present());
    }

    #[test]
    fn evident_mistakes_are_told_and_read_over() {
        // Each: text, kind of problem, what the text reads as without it.
        for (text, kind, repaired) in [
            ("[1, 2,]", ProblemKind::TrailingComma, "[1, 2]"),
            ("{\"a\": 1,\n}", ProblemKind::TrailingComma, "{\"a\": 1\n}"),
            ("[1, // one\n2]", ProblemKind::Comment, "[1, \n2]"),
            ("/* first */ 1", ProblemKind::Comment, " 1"),
            ("\u{feff}{}", ProblemKind::ByteOrderMark, "{}"),
            (
                "{\"a\": 1 \"b\": 2}",
                ProblemKind::Syntax,
                "{\"a\": 1, \"b\": 2}",
            ),
            ("\"a\tb\"", ProblemKind::Syntax, "\"a\\u0009b\""),
        ] {
            let document = read(text);
            let [problem] = document.problems() else {
                panic!("{text}: {:?}", document.problems());
            };
            assert_eq!(problem.kind, kind, "{text}");
            assert!(document.root().is_present(), "{text}");
            let mut mended = text.to_owned();
            mended.replace_range(
                problem.span.clone(),
                problem.replacement.as_deref().unwrap(),
            );
            assert_eq!(mended, repaired);
            assert_eq!(read(&mended).problems(), []);
        }
    }

    #[test]
    fn a_lost_text_has_no_values() {
        for (text, message, at) in [
            ("", "the document is empty", 0),
            ("{", "the document ends where `}` is missing", 1),
            ("[1", "the document ends where `]` is missing", 2),
            ("{\"a\" 1}", "expected `:` behind the name, found `1`", 5),
            ("{a: 1}", "expected a name or `}`, found `a`", 1),
            ("[True]", "expected a value, found `True`", 1),
            ("{} {}", "text behind the end of the document", 3),
            ("\"abc", "the document ends within a string", 4),
            ("\"a\nb\"", "a line ends within a string", 2),
            ("\"\\x\"", "an escape that JSON does not have", 1),
            ("[0x10]", "`0x10` is no number", 1),
            ("[1.]", "`1.` is no number", 1),
            ("[-]", "`-` is no number", 1),
            ("[1 2]", "expected `,` or `]`, found `2`", 3),
        ] {
            let document = read(text);
            let problem = document.problems().last().expect(text);
            assert_eq!(
                (problem.message.as_str(), problem.span.start),
                (message, at),
                "{text}"
            );
            assert!(!document.root().is_present(), "{text}");
        }
    }

    #[test]
    fn names_that_stand_twice_are_found_in_short_and_long_objects() {
        for count in [2, 40] {
            let mut members: Vec<String> = (0..count).map(|n| format!("\"m{n}\": {n}")).collect();
            members.push("\"m\\u0031\": 1".into());
            let text = format!("{{{}}}", members.join(","));
            let document = read(&text);
            let [problem] = document.problems() else {
                panic!("{:?}", document.problems());
            };
            assert_eq!(problem.kind, ProblemKind::DuplicateName);
            assert_eq!(&text[problem.span.clone()], "\"m\\u0031\"");
            let (first, _) = problem.related.clone().unwrap();
            assert_eq!(&text[first], "\"m1\"");
        }
    }

    #[test]
    fn limits_end_in_a_problem() {
        let deep = "[".repeat(MAX_DEPTH + 1);
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        for text in [deep, many, " ".repeat(MAX_BYTES + 1)] {
            let document = read(&text);
            assert_eq!(document.problems().last().unwrap().kind, ProblemKind::Limit);
            assert!(!document.root().is_present());
        }
        let just = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert_eq!(read(&just).problems(), []);
    }

    #[test]
    fn bytes_that_are_no_utf8_keep_the_positions() {
        let document = Document::parse(b"{\"a\": \"\xff\xfe\", \"b\": 1}".to_vec());
        let [problem] = document.problems() else {
            panic!("{:?}", document.problems());
        };
        assert_eq!(
            (problem.kind, problem.span.clone()),
            (ProblemKind::Utf8, 7..9)
        );
        assert_eq!(document.root().get("b").as_integer(), Some(1));
        let binary = Document::parse(vec![0x7f, b'E', b'L', b'F', 0, 1]);
        assert_eq!(binary.problems()[0].kind, ProblemKind::Binary);
    }

    #[test]
    fn surrogates_come_in_pairs() {
        assert_eq!(
            read("\"\\ud83d\\ude00\"").root().as_str(),
            Some("\u{1f600}")
        );
        assert_eq!(read("\"\\ud83d\"").problems().len(), 1);
        assert_eq!(
            read("\"\\ud83d\\u0041\"").root().as_str(),
            Some("\u{fffd}A")
        );
    }
}

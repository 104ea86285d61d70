//! A JSON document as written: the text, and a tree of values that knows where each of them stands.
//!
//! Rules judge this and never a re-serialised struct, because what a struct drops (a key that
//! stands twice, an unknown property, the way a number is written) is what they look for. Reading
//! goes on behind mistakes whose meaning is evident, such as a trailing comma, so that one of them
//! does not hide all others; each is kept as a [`Problem`].

mod parser;
mod position;
mod value;

use std::collections::HashMap;
use std::ops::Range;

pub use position::Position;
pub(crate) use value::Hidden;
pub use value::{Kind, Value};

/// Documents beyond this many bytes are not read: 16 MiB. Real ones stay below 1 MiB.
pub const MAX_BYTES: usize = 16 << 20;
/// Arrays and objects may lie this deep in each other: 128, as in serde_json.
pub const MAX_DEPTH: usize = 128;
/// A document may have this many values: one million.
pub const MAX_VALUES: usize = 1_000_000;

/// The text of a document and the values in it.
#[derive(Debug)]
pub struct Document {
    text: String,
    nodes: Vec<Node>,
    /// Strings that are written with escapes, as they read.
    decoded: Vec<String>,
    /// Names that are written with escapes, as they read, by the node of their value.
    decoded_keys: HashMap<u32, String>,
    problems: Vec<Problem>,
    whole: bool,
}

/// Something about the text itself: no JSON, or JSON that RFC 8259 or the specification forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem; each is a rule.
    pub kind: ProblemKind,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// One fragment.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// A second place that explains the first, and what it is.
    pub related: Option<(Range<usize>, String)>,
    /// The text that would stand in the span's place, where that is certain.
    pub replacement: Option<String>,
    /// The value in which the reader was.
    node: u32,
}

/// Kinds of problems with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// Larger, deeper or of more values than is read.
    Limit,
    /// Not text at all.
    Binary,
    /// Bytes that are no UTF-8.
    Utf8,
    /// A byte order mark.
    ByteOrderMark,
    /// A comma behind the last entry.
    TrailingComma,
    /// A comment.
    Comment,
    /// One object has a name twice.
    DuplicateName,
    /// Anything else that RFC 8259 does not allow.
    Syntax,
}

/// No node.
const NONE: u32 = u32::MAX;

/// One value. Children are linked in the order of the text.
#[derive(Clone, Debug)]
struct Node {
    /// The name of a member as a number; see [`oci_runtime_schemas::brief`].
    brief: u64,
    start: u32,
    end: u32,
    parent: u32,
    next: u32,
    /// Of an array or object: its first child. Of a string: its place in `decoded`, if it has escapes.
    first: u32,
    /// The name of a member with its quotes; empty for all others.
    key_start: u32,
    key_end: u32,
    kind: Kind,
    /// Whether the name is written with escapes, and so stands in `decoded_keys`.
    key_decoded: bool,
}

impl Document {
    /// Reads a document. Whatever the bytes are, this ends in a document: what is wrong with the
    /// text is in [`Document::problems`].
    pub fn parse(bytes: Vec<u8>) -> Document {
        parser::parse(bytes)
    }

    /// A document that is not read, since it is larger than [`MAX_BYTES`].
    pub fn too_large() -> Document {
        parser::too_large()
    }

    /// The text. Bytes that are no UTF-8 stand as `?`, so that every position is that of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text alone, see [`Document::text`].
    pub fn into_text(self) -> String {
        self.text
    }

    /// What is wrong with the text.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The outermost value; absent if the text could not be read to its end.
    pub fn root(&self) -> Value<'_> {
        self.value(if self.whole { 0 } else { NONE })
    }

    /// JSON pointer (RFC 6901) to the value in which a problem is.
    pub fn pointer_of(&self, problem: &Problem) -> String {
        self.value(problem.node).pointer()
    }

    /// Line and column of a byte.
    pub fn position(&self, byte: usize) -> Position {
        Position::of(&self.text, byte)
    }

    fn value(&self, node: u32) -> Value<'_> {
        Value::new(self, node)
    }

    /// The text of a string or name between its quotes.
    fn between_quotes(&self, start: u32, end: u32) -> &str {
        self.text
            .get(start as usize + 1..(end as usize).saturating_sub(1))
            .unwrap_or_default()
    }

    /// The name of a member, as it reads.
    fn key(&self, node: u32) -> &str {
        let Some(its) = self.nodes.get(node as usize) else {
            return "";
        };
        if its.key_decoded {
            return self.decoded_keys.get(&node).map_or("", String::as_str);
        }
        self.between_quotes(its.key_start, its.key_end)
    }
}

//! One value of a document, as rules look at it.

use std::ops::Range;

use oci_runtime_schemas::brief;

use super::{Document, NONE, Node};

/// What a value is. What is not there is a value too: rules ask on without asking whether.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Not in the document.
    Absent,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number, however written.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// Members that rules do not see: properties that the document's version does not know. In the
/// order of the text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hidden(Vec<u32>);

impl Hidden {
    pub(crate) fn hide(&mut self, value: Value<'_>) {
        if let Err(place) = self.0.binary_search(&value.node) {
            self.0.insert(place, value.node);
        }
    }

    fn has(&self, node: u32) -> bool {
        !self.0.is_empty() && self.0.binary_search(&node).is_ok()
    }
}

static NOTHING_HIDDEN: Hidden = Hidden(Vec::new());

/// A value, present or absent.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    document: &'d Document,
    hidden: &'d Hidden,
    node: u32,
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.kind(), self.text())
    }
}

impl PartialEq for Value<'_> {
    /// Whether it is the same place of the same document.
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node && std::ptr::eq(self.document, other.document)
    }
}

impl<'d> Value<'d> {
    pub(super) fn new(document: &'d Document, node: u32) -> Value<'d> {
        Value {
            document,
            hidden: &NOTHING_HIDDEN,
            node,
        }
    }

    /// The same value of a document in which some members are not seen.
    pub(crate) fn without(self, hidden: &'d Hidden) -> Value<'d> {
        Value { hidden, ..self }
    }

    /// The document that it is of.
    pub fn document(self) -> &'d Document {
        self.document
    }

    fn at(self, node: u32) -> Value<'d> {
        Value { node, ..self }
    }

    fn get_node(self) -> Option<&'d Node> {
        self.document.nodes.get(self.node as usize)
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        self.get_node().map_or(Kind::Absent, |node| node.kind)
    }

    /// Whether it is in the document; `null` is.
    pub fn is_present(self) -> bool {
        self.node != NONE
    }

    /// Whether it is in the document and not `null`: Go's encoders write absent values so.
    pub fn is_set(self) -> bool {
        !matches!(self.kind(), Kind::Absent | Kind::Null)
    }

    /// The member of that name; absent if this is no object or has none. Of several, the last, as
    /// most parsers have it.
    #[inline]
    pub fn get(self, name: &str) -> Value<'d> {
        self.get_brief(brief(name.as_bytes()), name)
    }

    fn get_brief(self, short: u64, name: &str) -> Value<'d> {
        let nodes = &self.document.nodes;
        let mut child = match self.get_node() {
            Some(node) if node.kind == Kind::Object => node.first,
            _ => NONE,
        };
        let mut found = NONE;
        while let Some(node) = nodes.get(child as usize) {
            if node.brief == short
                && (name.len() <= 7 || self.document.key(child) == name)
                && !self.hidden.has(child)
            {
                found = child;
            }
            child = node.next;
        }
        self.at(found)
    }

    /// The value at a JSON pointer (RFC 6901); absent if there is none.
    pub fn at_pointer(self, pointer: &str) -> Value<'d> {
        if pointer.is_empty() {
            return self;
        }
        let Some(path) = pointer.strip_prefix('/') else {
            return self.at(NONE);
        };
        path.split('/').fold(self, |value, step| {
            let step = step.replace("~1", "/").replace("~0", "~");
            match value.kind() {
                Kind::Array => match step.parse() {
                    Ok(index) => value.items().nth(index).unwrap_or(self.at(NONE)),
                    Err(_) => self.at(NONE),
                },
                _ => value.get(&step),
            }
        })
    }

    /// The entries of an array; none if it is no array.
    pub fn items(self) -> impl Iterator<Item = Value<'d>> {
        self.children(Kind::Array)
    }

    /// Names and values of an object; none if it is no object.
    pub fn members(self) -> impl Iterator<Item = (&'d str, Value<'d>)> {
        self.children(Kind::Object)
            .filter(move |value| !self.hidden.has(value.node))
            .map(|value| (value.key().unwrap_or_default(), value))
    }

    /// Entries of an array that are strings.
    pub fn strings(self) -> impl Iterator<Item = (&'d str, Value<'d>)> {
        self.items()
            .filter_map(|item| item.as_str().map(|text| (text, item)))
    }

    fn children(self, of: Kind) -> impl Iterator<Item = Value<'d>> {
        let first = match self.get_node() {
            Some(node) if node.kind == of => node.first,
            _ => NONE,
        };
        let nodes = &self.document.nodes;
        std::iter::successors((first != NONE).then_some(first), move |&node| {
            let next = nodes.get(node as usize)?.next;
            (next != NONE).then_some(next)
        })
        .map(move |node| self.at(node))
    }

    /// Its name, if it is a member of an object.
    pub fn key(self) -> Option<&'d str> {
        self.is_member().then(|| self.document.key(self.node))
    }

    fn is_member(self) -> bool {
        self.get_node()
            .is_some_and(|node| node.key_end > node.key_start)
    }

    /// Its name as a number, see [`brief`].
    pub(crate) fn key_brief(self) -> u64 {
        self.get_node().map_or(0, |node| node.brief)
    }

    /// A string, as it reads.
    pub fn as_str(self) -> Option<&'d str> {
        let node = self.get_node()?;
        if node.kind != Kind::String {
            return None;
        }
        if node.first == NONE {
            return Some(self.document.between_quotes(node.start, node.end));
        }
        self.document
            .decoded
            .get(node.first as usize)
            .map(String::as_str)
    }

    /// A boolean.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Boolean).then(|| self.text() == "true")
    }

    /// A number that is written without fraction and exponent. Numbers beyond 128 bits stand as
    /// the largest or smallest of them, which is beyond every range that a schema gives.
    pub fn as_integer(self) -> Option<i128> {
        let text = (self.kind() == Kind::Number).then(|| self.text())?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(text.parse().unwrap_or(if text.starts_with('-') {
            i128::MIN
        } else {
            i128::MAX
        }))
    }

    /// Its text as written; empty if it is absent.
    pub fn text(self) -> &'d str {
        self.document.text.get(self.span()).unwrap_or_default()
    }

    /// Where it stands, in bytes of the text.
    pub fn span(self) -> Range<usize> {
        self.get_node()
            .map_or(0..0, |node| node.start as usize..node.end as usize)
    }

    /// Where its name stands with the quotes, if it is a member.
    pub fn key_span(self) -> Option<Range<usize>> {
        let node = self.get_node()?;
        (node.key_end > node.key_start).then_some(node.key_start as usize..node.key_end as usize)
    }

    /// The place that stands for the whole of an array or object: its name, or the opening bracket.
    pub fn head_span(self) -> Range<usize> {
        self.key_span().unwrap_or_else(|| {
            let span = self.span();
            match self.kind() {
                Kind::Array | Kind::Object => span.start..span.start + 1,
                _ => span,
            }
        })
    }

    /// The array or object that it is in.
    pub fn parent(self) -> Value<'d> {
        self.at(self.get_node().map_or(NONE, |node| node.parent))
    }

    /// The JSON pointer to it (RFC 6901).
    pub fn pointer(self) -> String {
        let mut steps = Vec::new();
        let mut value = self;
        while value.parent().is_present() {
            steps.push(match value.key() {
                Some(key) => key.replace('~', "~0").replace('/', "~1"),
                None => value.index().to_string(),
            });
            value = value.parent();
        }
        steps.iter().rev().fold(String::new(), |mut pointer, step| {
            pointer.push('/');
            pointer.push_str(step);
            pointer
        })
    }

    /// Its place among the entries of an array.
    fn index(self) -> usize {
        self.parent()
            .items()
            .position(|item| item.node == self.node)
            .unwrap_or(0)
    }
}

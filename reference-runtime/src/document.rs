//! Typed, lenient reading of `config.json`: a wrong type is an error with its
//! JSON pointer, an absent property is `None`, an unknown property is ignored.

use oci_validator::{Document, Kind, Value as Place};
use serde_json::Value;

use crate::error::{Error, Result};

/// An object of the document and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    object: Item<'a>,
    /// The JSON pointer, where the object does not know it itself.
    pointer: String,
}

impl<'a> Node<'a> {
    /// A document that was made here, or was changed.
    pub(crate) fn root(value: &'a Value) -> Result<Self> {
        Node::new(Item::Tree(value), String::new())
    }

    /// A document as it was validated: nothing is read a second time.
    pub(crate) fn of(document: &'a Document) -> Result<Self> {
        Node::new(Item::Text(document.root()), String::new())
    }

    fn new(object: Item<'a>, pointer: String) -> Result<Self> {
        let node = Node { object, pointer };
        if object.is_object() {
            Ok(node)
        } else {
            Err(wrong_type("an object", object).at(node.pointer()))
        }
    }

    /// The JSON pointer of this object.
    pub(crate) fn pointer(&self) -> String {
        match self.object {
            Item::Text(place) => place.pointer(),
            Item::Tree(_) => self.pointer.clone(),
        }
    }

    /// The JSON pointer of a member of this object.
    pub(crate) fn pointer_to(&self, name: &str) -> String {
        format!("{}/{}", self.pointer(), escape(name))
    }

    /// An error that blames a member of this object.
    pub(crate) fn error(&self, name: &str, message: impl Into<String>) -> Error {
        Error::new(message).at(self.pointer_to(name))
    }

    /// Whether the member is there at all, whatever its type.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.get(name).is_some()
    }

    /// The member as it stands in the document, by itself.
    pub(crate) fn copy(&self, name: &str) -> Option<Value> {
        match self.object.get(name)? {
            // What was validated can be read.
            Item::Text(place) => serde_json::from_str(place.text()).ok(),
            Item::Tree(value) => Some(value.clone()),
        }
    }

    /// An object member.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Node<'a>>> {
        self.object
            .get(name)
            .map(|value| Node::new(value, self.pointer_below(name)))
            .transpose()
    }

    /// A string member.
    pub(crate) fn string(&self, name: &str) -> Result<Option<&'a str>> {
        self.typed(name, "a string", Item::as_str)
    }

    /// A boolean member.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>> {
        self.typed(name, "true or false", Item::as_bool)
    }

    /// An integer member that fits `T`.
    pub(crate) fn integer<T: Integer>(&self, name: &str) -> Result<Option<T>> {
        self.typed(name, T::NAME, |value| {
            value.whole().and_then(|n| T::try_from(n).ok())
        })
    }

    /// An array of strings.
    pub(crate) fn strings(&self, name: &str) -> Result<Option<Vec<&'a str>>> {
        let Some(items) = self.typed(name, "an array", Item::items)? else {
            return Ok(None);
        };
        let mut strings = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let text = item.as_str().ok_or_else(|| {
                wrong_type("a string", item).at(format!("{}/{index}", self.pointer_to(name)))
            })?;
            strings.push(text);
        }
        Ok(Some(strings))
    }

    /// An array of integers that fit `T`.
    pub(crate) fn integers<T: Integer>(&self, name: &str) -> Result<Option<Vec<T>>> {
        let Some(items) = self.typed(name, "an array", Item::items)? else {
            return Ok(None);
        };
        let mut numbers = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let number = item
                .whole()
                .and_then(|n| T::try_from(n).ok())
                .ok_or_else(|| {
                    wrong_type(T::NAME, item).at(format!("{}/{index}", self.pointer_to(name)))
                })?;
            numbers.push(number);
        }
        Ok(Some(numbers))
    }

    /// An array of objects; absent is empty.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Node<'a>>> {
        let Some(items) = self.typed(name, "an array", Item::items)? else {
            return Ok(Vec::new());
        };
        let pointer = self.pointer_below(name);
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                let pointer = match item {
                    Item::Text(_) => String::new(),
                    Item::Tree(_) => format!("{pointer}/{index}"),
                };
                Node::new(item, pointer)
            })
            .collect()
    }

    /// A map from names to objects; absent is empty.
    pub(crate) fn object_map(&self, name: &str) -> Result<Vec<(&'a str, Node<'a>)>> {
        let Some(map) = self.object(name)? else {
            return Ok(Vec::new());
        };
        let members = map.object.members().into_iter();
        members
            .map(|(key, value)| Ok((key, Node::new(value, map.pointer_below(key))?)))
            .collect()
    }

    /// A map from names to strings; absent is empty.
    pub(crate) fn string_map(&self, name: &str) -> Result<Vec<(&'a str, &'a str)>> {
        let Some(map) = self.object(name)? else {
            return Ok(Vec::new());
        };
        let members = map.object.members().into_iter();
        members
            .map(|(key, _)| Ok((key, map.required(key, map.string(key)?)?)))
            .collect()
    }

    /// Turns the absence of a REQUIRED member into an error.
    pub(crate) fn required<T>(&self, name: &str, member: Option<T>) -> Result<T> {
        member.ok_or_else(|| self.error(name, "is required"))
    }

    fn typed<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(Item<'a>) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.object.get(name) else {
            return Ok(None);
        };
        read(value)
            .map(Some)
            .ok_or_else(|| wrong_type(wanted, value).at(self.pointer_to(name)))
    }

    /// What a member has to keep of its pointer. A list of a thousand objects asks for no pointer
    /// unless something is wrong with one of them.
    fn pointer_below(&self, name: &str) -> String {
        match self.object {
            Item::Text(_) => String::new(),
            Item::Tree(_) => self.pointer_to(name),
        }
    }
}

/// A value.
#[derive(Debug, Clone, Copy)]
enum Item<'a> {
    /// In the text that was validated.
    Text(Place<'a>),
    /// In a document that was made or changed here.
    Tree(&'a Value),
}

impl<'a> Item<'a> {
    fn get(self, name: &str) -> Option<Self> {
        match self {
            Item::Text(place) => Some(place.get(name))
                .filter(|member| member.is_present())
                .map(Item::Text),
            Item::Tree(value) => value.get(name).map(Item::Tree),
        }
    }

    fn is_object(self) -> bool {
        match self {
            Item::Text(place) => place.kind() == Kind::Object,
            Item::Tree(value) => value.is_object(),
        }
    }

    fn as_str(self) -> Option<&'a str> {
        match self {
            Item::Text(place) => place.as_str(),
            Item::Tree(value) => value.as_str(),
        }
    }

    fn as_bool(self) -> Option<bool> {
        match self {
            Item::Text(place) => place.as_bool(),
            Item::Tree(value) => value.as_bool(),
        }
    }

    /// JSON has one number type: 1.0 and 1e3 are integers as well.
    fn whole(self) -> Option<i128> {
        let float = match self {
            Item::Text(place) if place.kind() == Kind::Number => match place.as_integer() {
                Some(integer) => return Some(integer),
                None => place.text().parse().ok(),
            },
            Item::Text(_) => None,
            Item::Tree(value) => {
                let number = value.as_number()?;
                match (number.as_i64(), number.as_u64()) {
                    (Some(integer), _) => return Some(integer.into()),
                    (_, Some(integer)) => return Some(integer.into()),
                    _ => number.as_f64(),
                }
            }
        };
        // Beyond 2^53 a float no longer tells which integer was written.
        float
            .filter(|n: &f64| n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0)
            .map(|n| n as i128)
    }

    fn items(self) -> Option<Vec<Self>> {
        match self {
            Item::Text(place) => {
                let is_array = place.kind() == Kind::Array;
                is_array.then(|| place.items().map(Item::Text).collect())
            }
            Item::Tree(value) => Some(value.as_array()?.iter().map(Item::Tree).collect()),
        }
    }

    /// None if it is no object.
    fn members(self) -> Vec<(&'a str, Self)> {
        match self {
            Item::Text(place) => place
                .members()
                .map(|(name, member)| (name, Item::Text(member)))
                .collect(),
            Item::Tree(value) => value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, member)| (name.as_str(), Item::Tree(member)))
                .collect(),
        }
    }

    /// As JSON.
    fn text(self) -> String {
        match self {
            Item::Text(place) => place.text().to_owned(),
            Item::Tree(value) => value.to_string(),
        }
    }
}

/// The integer types that properties have.
pub(crate) trait Integer: TryFrom<i128> {
    /// How an error names the type.
    const NAME: &'static str;
}

macro_rules! integers {
    ($($type:ty: $name:literal),*) => { $(impl Integer for $type { const NAME: &'static str = $name; })* };
}
integers!(i32: "a 32-bit integer", i64: "a 64-bit integer", u16: "an unsigned 16-bit integer",
          u32: "an unsigned 32-bit integer", u64: "an unsigned 64-bit integer");

fn wrong_type(wanted: &str, value: Item<'_>) -> Error {
    let mut found = value.text();
    if found.len() > 80 {
        let end = (0..=80)
            .rev()
            .find(|&i| found.is_char_boundary(i))
            .unwrap_or(0);
        found.truncate(end);
        found.push('…');
    }
    Error::new(format!("must be {wanted}, not {found}"))
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_wrong_type_is_named_with_its_pointer() {
        let document = json!({"a": {"b/c": "x", "n": 300, "list": ["y", 2]}});
        let a = Node::root(&document).unwrap().object("a").unwrap().unwrap();
        assert_eq!(
            a.boolean("b/c").unwrap_err().to_string(),
            "/a/b~1c: must be true or false, not \"x\""
        );
        assert_eq!(
            a.strings("list").unwrap_err().to_string(),
            "/a/list/1: must be a string, not 2"
        );
        assert_eq!(a.integer::<u32>("n").unwrap(), Some(300));
        assert_eq!(a.string("absent").unwrap(), None);
    }

    #[test]
    fn integers_have_bounds() {
        let document = json!({"big": u64::MAX, "minus": -1, "float": 3.0, "half": 0.5});
        let root = Node::root(&document).unwrap();
        assert_eq!(root.integer::<u64>("big").unwrap(), Some(u64::MAX));
        assert!(root.integer::<i64>("big").is_err());
        assert!(root.integer::<u32>("minus").is_err());
        assert_eq!(root.integer::<i32>("float").unwrap(), Some(3));
        assert!(root.integer::<i32>("half").is_err());
    }

    #[test]
    fn null_is_not_absence() {
        let document = json!({"x": null});
        assert!(Node::root(&document).unwrap().string("x").is_err());
    }

    #[test]
    fn a_text_and_a_tree_read_alike() {
        let text = r#"{"a": {"b/c~": {"d": [{}, {"e": 1e2}, {"e": 1.5}]}, "s": "\u0041\n", "t": true},
            "big": 18446744073709551616, "minus": -9223372036854775808, "float": 3.0, "null": null,
            "names": {"x": "1", "y": "2"}, "list": ["p", "q"], "mixed": ["p", 7], "numbers": [1, -2]}"#;
        let tree: Value = serde_json::from_str(text).unwrap();
        let document = Document::parse(text.into());
        let told = |node: &Node<'_>| {
            let mut told = Vec::new();
            // The value that is quoted behind it may be written in two ways.
            let mut tell = |name: &str, read: std::result::Result<String, Error>| {
                let read = read.map_err(|error| {
                    let told = error.to_string();
                    told.split(", not ").next().map(str::to_owned)
                });
                told.push(format!("{name} {read:?}"));
            };
            for name in [
                "a", "big", "minus", "float", "null", "names", "list", "mixed", "numbers", "none",
            ] {
                tell(
                    name,
                    Ok(format!("{} {:?}", node.has(name), node.copy(name))),
                );
                tell(name, node.string(name).map(|read| format!("{read:?}")));
                tell(name, node.boolean(name).map(|read| format!("{read:?}")));
                tell(name, node.strings(name).map(|read| format!("{read:?}")));
                tell(name, node.string_map(name).map(|read| format!("{read:?}")));
                tell(
                    name,
                    node.integer::<i64>(name).map(|read| format!("{read:?}")),
                );
                tell(
                    name,
                    node.integers::<i32>(name).map(|read| format!("{read:?}")),
                );
                tell(name, node.objects(name).map(|list| list.len().to_string()));
                tell(name, node.object_map(name).map(|map| map.len().to_string()));
            }
            let a = node.object("a").unwrap().unwrap();
            tell("s", a.string("s").map(|read| format!("{read:?}")));
            tell("t", a.boolean("t").map(|read| format!("{read:?}")));
            for entry in a.object("b/c~").unwrap().unwrap().objects("d").unwrap() {
                tell(
                    &entry.pointer(),
                    entry.integer::<u32>("e").map(|read| format!("{read:?}")),
                );
            }
            told
        };
        let of_text = told(&Node::of(&document).unwrap());
        assert_eq!(of_text, told(&Node::root(&tree).unwrap()));
        assert!(
            of_text.contains(&r#"/a/b~1c~0/d/1 Ok("Some(100)")"#.to_owned()),
            "{of_text:#?}"
        );
    }
}

//! Typed, lenient reading of `config.json`: a wrong type is an error with its
//! JSON pointer, an absent property is `None`, an unknown property is ignored.

use crate::error::{Error, Result};
use serde_json::{Map, Value};

/// An object of the document and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    members: &'a Map<String, Value>,
    pointer: String,
}

impl<'a> Node<'a> {
    /// The document itself.
    pub(crate) fn root(value: &'a Value) -> Result<Self> {
        Node::new(value, String::new())
    }

    fn new(value: &'a Value, pointer: String) -> Result<Self> {
        match value {
            Value::Object(members) => Ok(Node { members, pointer }),
            other => Err(wrong_type("an object", other).at(pointer)),
        }
    }

    /// The JSON pointer of this object.
    pub(crate) fn pointer(&self) -> &str {
        &self.pointer
    }

    /// The JSON pointer of a member of this object.
    pub(crate) fn pointer_to(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, escape(name))
    }

    /// An error that blames a member of this object.
    pub(crate) fn error(&self, name: &str, message: impl Into<String>) -> Error {
        Error::new(message).at(self.pointer_to(name))
    }

    /// Whether the member is there at all, whatever its type.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The member as it stands in the document.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name)
    }

    /// An object member.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Node<'a>>> {
        self.members
            .get(name)
            .map(|value| Node::new(value, self.pointer_to(name)))
            .transpose()
    }

    /// A string member.
    pub(crate) fn string(&self, name: &str) -> Result<Option<&'a str>> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A boolean member.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>> {
        self.typed(name, "true or false", Value::as_bool)
    }

    /// An integer member that fits `T`.
    pub(crate) fn integer<T: Integer>(&self, name: &str) -> Result<Option<T>> {
        self.typed(name, T::NAME, |value| {
            whole(value).and_then(|n| T::try_from(n).ok())
        })
    }

    /// An array of strings.
    pub(crate) fn strings(&self, name: &str) -> Result<Option<Vec<&'a str>>> {
        let Some(items) = self.typed(name, "an array", Value::as_array)? else {
            return Ok(None);
        };
        let mut strings = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let text = item.as_str().ok_or_else(|| {
                wrong_type("a string", item).at(format!("{}/{index}", self.pointer_to(name)))
            })?;
            strings.push(text);
        }
        Ok(Some(strings))
    }

    /// An array of integers that fit `T`.
    pub(crate) fn integers<T: Integer>(&self, name: &str) -> Result<Option<Vec<T>>> {
        let Some(items) = self.typed(name, "an array", Value::as_array)? else {
            return Ok(None);
        };
        let mut numbers = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let number = whole(item)
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
        let Some(items) = self.typed(name, "an array", Value::as_array)? else {
            return Ok(Vec::new());
        };
        let pointer = self.pointer_to(name);
        items
            .iter()
            .enumerate()
            .map(|(index, item)| Node::new(item, format!("{pointer}/{index}")))
            .collect()
    }

    /// A map from names to objects; absent is empty.
    pub(crate) fn object_map(&self, name: &str) -> Result<Vec<(&'a str, Node<'a>)>> {
        let Some(map) = self.object(name)? else {
            return Ok(Vec::new());
        };
        map.members
            .iter()
            .map(|(key, value)| Ok((key.as_str(), Node::new(value, map.pointer_to(key))?)))
            .collect()
    }

    /// A map from names to strings; absent is empty.
    pub(crate) fn string_map(&self, name: &str) -> Result<Vec<(&'a str, &'a str)>> {
        let Some(map) = self.object(name)? else {
            return Ok(Vec::new());
        };
        map.members
            .keys()
            .map(|key| Ok((key.as_str(), map.required(key, map.string(key)?)?)))
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
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.members.get(name) else {
            return Ok(None);
        };
        read(value)
            .map(Some)
            .ok_or_else(|| wrong_type(wanted, value).at(self.pointer_to(name)))
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

/// JSON has one number type: 1.0 and 1e3 are integers as well.
fn whole(value: &Value) -> Option<i128> {
    let number = value.as_number()?;
    if let Some(n) = number.as_i64() {
        return Some(n.into());
    }
    if let Some(n) = number.as_u64() {
        return Some(n.into());
    }
    // Beyond 2^53 a float no longer tells which integer was written.
    number
        .as_f64()
        .filter(|n| n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0)
        .map(|n| n as i128)
}

fn wrong_type(wanted: &str, value: &Value) -> Error {
    let mut found = value.to_string();
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
}

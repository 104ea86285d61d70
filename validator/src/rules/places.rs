//! Places of a document, written as tables have them: `mounts[].options[]`, `linux.sysctl.<key>`.

use crate::context::Context;
use crate::document::Value;
use crate::options::DocumentKind;

/// Shows each value at a place of a config. In the documents that are part of a config, the place
/// is where that part begins: `linux.resources.memory` is `memory` for `update --resources`.
pub(super) fn each<'d>(context: &Context<'d>, place: &str, show: &mut dyn FnMut(Value<'d>)) {
    let part = match context.kind {
        DocumentKind::Process => "process.",
        DocumentKind::Resources => "linux.resources.",
        DocumentKind::Seccomp => "linux.seccomp.",
        DocumentKind::Config | DocumentKind::State | DocumentKind::Features => "",
    };
    if let Some(place) = place.strip_prefix(part) {
        below(context.root, place, show);
    }
}

/// Shows each value at a place below this one: `<key>` is each member, `[]` each entry.
pub(super) fn below<'d>(value: Value<'d>, place: &str, show: &mut dyn FnMut(Value<'d>)) {
    if !value.is_set() {
        return;
    }
    if place.is_empty() {
        show(value);
        return;
    }
    let (step, rest) = place.split_once('.').unwrap_or((place, ""));
    if step == "<key>" {
        for (_, member) in value.members() {
            below(member, rest, show);
        }
    } else if let Some(name) = step.strip_suffix("[]") {
        for entry in value.get(name).items() {
            below(entry, rest, show);
        }
    } else {
        below(value.get(step), rest, show);
    }
}

/// Whether a value asks for something: false, zero and what is empty are written for "nothing" by
/// engines.
pub(super) fn asks(value: Value<'_>) -> bool {
    value.is_set()
        && value.as_bool() != Some(false)
        && value.as_integer() != Some(0)
        && !matches!(value.text(), "\"\"")
        && !is_empty(value)
}

fn is_empty(value: Value<'_>) -> bool {
    use crate::document::Kind;
    match value.kind() {
        Kind::Array => value.items().next().is_none(),
        // Objects whose members all ask for nothing ask for nothing themselves.
        Kind::Object => !value.members().any(|(_, member)| asks(member)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Document;

    #[test]
    fn places_are_found_in_lists_and_maps() {
        let text = r#"{"a": [{"b": {"x": 1, "y": null}}, {}, {"b": {"z": 2}}], "c": "d"}"#;
        let document = Document::parse(text.into());
        let at = |place: &str| {
            let mut found = Vec::new();
            below(document.root(), place, &mut |value| {
                found.push(value.pointer())
            });
            found
        };
        assert_eq!(at("a[].b.<key>"), ["/a/0/b/x", "/a/2/b/z"]);
        assert_eq!(at("c"), ["/c"]);
        assert_eq!(at("c.d"), [""; 0]);
        assert_eq!(at("a"), ["/a"]);
    }

    #[test]
    fn what_is_empty_asks_for_nothing() {
        let asking = |text: &str| asks(Document::parse(text.into()).root());
        for nothing in [
            "null",
            "false",
            "0",
            r#""""#,
            "[]",
            "{}",
            r#"{"a": {"b": 0}}"#,
        ] {
            assert!(!asking(nothing), "{nothing}");
        }
        for something in ["true", "1", "-1", r#""a""#, "[0]", r#"{"a": 1}"#] {
            assert!(asking(something), "{something}");
        }
    }
}

//! `linux.personality`.

use crate::document::Node;
use crate::error::{CallContext, PlaceContext, Result};
use crate::sys::process;

/// Reads the property as the argument of personality(2).
pub(crate) fn plan(linux: Option<&Node<'_>>) -> Result<Option<u64>> {
    let Some(linux) = linux else { return Ok(None) };
    let Some(node) = linux.object("personality")? else {
        return Ok(None);
    };
    let persona = match node.required("domain", node.string("domain")?)? {
        "LINUX" => 0,
        "LINUX32" => 8,
        other => return Err(node.error("domain", format!("unknown execution domain {other:?}"))),
    };
    if let Some(flag) = node.strings("flags")?.unwrap_or_default().first() {
        return Err(node.error("flags", format!("unknown personality flag {flag:?}")));
    }
    Ok(Some(persona))
}

/// personality(2) of this process.
pub(crate) fn apply(persona: u64) -> Result<()> {
    process::personality(persona)
        .call(|| format!("personality({persona:#x})"))
        .at("/linux/personality")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn domains_are_known_and_flags_are_not() {
        let plan = |value| plan(Some(&Node::root(&json!({ "personality": value })).unwrap()));
        assert_eq!(
            plan(json!({"domain": "LINUX32", "flags": []})).unwrap(),
            Some(8)
        );
        assert!(plan(json!({"flags": []})).is_err());
        assert!(plan(json!({"domain": "BSD"})).is_err());
        assert!(plan(json!({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]})).is_err());
    }
}

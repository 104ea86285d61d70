//! `linux.memoryPolicy`.

use crate::document::Node;
use crate::error::{CallContext, PlaceContext, Result};
use crate::process::scheduling::bit_mask;
use crate::sys::process;

/// The modes of set_mempolicy(2).
pub(crate) const MODES: &[(&str, i32)] = &[
    ("MPOL_DEFAULT", 0),
    ("MPOL_PREFERRED", 1),
    ("MPOL_BIND", 2),
    ("MPOL_INTERLEAVE", 3),
    ("MPOL_LOCAL", 4),
    ("MPOL_PREFERRED_MANY", 5),
    ("MPOL_WEIGHTED_INTERLEAVE", 6),
];

/// The flags of set_mempolicy(2).
pub(crate) const FLAGS: &[(&str, i32)] = &[
    ("MPOL_F_NUMA_BALANCING", 1 << 13),
    ("MPOL_F_RELATIVE_NODES", 1 << 14),
    ("MPOL_F_STATIC_NODES", 1 << 15),
];

/// The arguments of set_mempolicy(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemoryPolicy {
    mode: i32,
    nodes: Vec<u64>,
}

impl MemoryPolicy {
    /// Reads the property.
    pub(crate) fn plan(linux: Option<&Node<'_>>) -> Result<Option<Self>> {
        let Some(linux) = linux else { return Ok(None) };
        let Some(node) = linux.object("memoryPolicy")? else {
            return Ok(None);
        };
        let name = node.required("mode", node.string("mode")?)?;
        let Some(&(_, mut mode)) = MODES.iter().find(|(known, _)| *known == name) else {
            return Err(node.error("mode", format!("unknown memory policy {name:?}")));
        };
        for name in node.strings("flags")?.unwrap_or_default() {
            let Some((_, flag)) = FLAGS.iter().find(|(known, _)| *known == name) else {
                return Err(node.error("flags", format!("unknown memory policy flag {name:?}")));
            };
            mode |= flag;
        }
        let nodes = match node.string("nodes")?.filter(|nodes| !nodes.is_empty()) {
            None => Vec::new(),
            Some(list) => bit_mask(list).ok_or_else(|| {
                node.error("nodes", format!("{list:?} is not a list of memory nodes"))
            })?,
        };
        Ok(Some(MemoryPolicy { mode, nodes }))
    }

    /// Applies it to this process; the program and its children inherit it.
    pub(crate) fn apply(&self) -> Result<()> {
        process::set_mempolicy(self.mode, &self.nodes)
            .call(|| format!("set_mempolicy({:#x}, {:x?})", self.mode, self.nodes))
            .at("/linux/memoryPolicy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_nodes_are_checked() {
        let plan = |value| {
            MemoryPolicy::plan(Some(
                &Node::root(&json!({ "memoryPolicy": value })).unwrap(),
            ))
        };
        let policy = plan(
            json!({"mode": "MPOL_INTERLEAVE", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES"]}),
        )
        .unwrap();
        assert_eq!(
            policy,
            Some(MemoryPolicy {
                mode: 3 | 1 << 15,
                nodes: vec![3]
            })
        );
        assert!(
            plan(json!({"nodes": "0"}))
                .unwrap_err()
                .to_string()
                .contains("/mode: is required")
        );
        assert!(plan(json!({"mode": "MPOL_X"})).is_err());
        assert!(plan(json!({"mode": "MPOL_BIND", "nodes": "x"})).is_err());
    }
}

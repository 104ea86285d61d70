//! `linux.memoryPolicy` (config-linux.md, Memory policy).

use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::lists::number_list_problem;

/// Rules about the NUMA memory policy.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "memory-policy/nodes-by-mode",
        clauses: &["config-linux.memoryPolicy.nodes.by-mode"],
        page: "`MPOL_DEFAULT` and `MPOL_LOCAL` take no nodes. `MPOL_BIND`, `MPOL_INTERLEAVE`, \
               `MPOL_WEIGHTED_INTERLEAVE` and `MPOL_PREFERRED_MANY` need at least one. \
               `MPOL_PREFERRED` does with and without. set_mempolicy(2) refuses the rest.",
        accepts: &[
            linux!(r#"{"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0-1"}}"#),
            linux!(r#"{"memoryPolicy": {"mode": "MPOL_LOCAL", "nodes": ""}}"#),
        ],
        rejects: &[
            (
                linux!(r#"{"memoryPolicy": {"mode": "MPOL_LOCAL", "nodes": "0"}}"#),
                "/linux/memoryPolicy/nodes",
            ),
            (
                linux!(r#"{"memoryPolicy": {"mode": "MPOL_INTERLEAVE"}}"#),
                "/linux/memoryPolicy/mode",
            ),
        ],
        check: |context, found| {
            let policy = context.linux.get("memoryPolicy");
            let (mode, nodes) = (policy.get("mode"), policy.get("nodes"));
            let Some(name) = mode.as_str() else { return };
            if nodes.is_set() && nodes.as_str().is_none() {
                return;
            }
            let has_nodes = has_nodes(policy);
            match name {
                "MPOL_DEFAULT" | "MPOL_LOCAL" if has_nodes => {
                    found
                        .at(nodes, format!("{name} takes no nodes"))
                        .related(mode, "the mode")
                        .help("leave `nodes` out");
                }
                "MPOL_BIND"
                | "MPOL_INTERLEAVE"
                | "MPOL_WEIGHTED_INTERLEAVE"
                | "MPOL_PREFERRED_MANY"
                    if !has_nodes =>
                {
                    found
                        .at(mode, format!("{name} needs nodes"))
                        .help("`\"nodes\": \"0-1\"`: the memory nodes that it is about");
                }
                _ => {}
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "memory-policy/nodes-list",
        clauses: &["config.linux.memoryPolicy.nodes.field"],
        page: "`nodes` lists memory nodes by number: numbers and ranges with commas between them, \
               and nothing else, such as `0-3,7`.",
        accepts: &[linux!(
            r#"{"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0-3,7"}}"#
        )],
        rejects: &[(
            linux!(r#"{"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0-3;7"}}"#),
            "/linux/memoryPolicy/nodes",
        )],
        check: |context, found| {
            let nodes = context.linux.get("memoryPolicy").get("nodes");
            if let Some(text) = nodes.as_str().filter(|text| !text.is_empty())
                && let Some((part, problem)) = number_list_problem(text)
            {
                found
                    .at(nodes, format!("{part:?} in the list: {problem}"))
                    .help("numbers and ranges with commas between them: `0-3,7`");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "memory-policy/flags",
        severity: Severity::Error,
        source: "set_mempolicy(2): EINVAL",
        page: "`MPOL_F_STATIC_NODES` and `MPOL_F_RELATIVE_NODES` exclude each other, and say \
               something about nodes, so that they go with no policy that has none. \
               `MPOL_F_NUMA_BALANCING` goes with `MPOL_BIND`, and in newer kernels with \
               `MPOL_PREFERRED_MANY`.",
        accepts: &[linux!(
            r#"{"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_NUMA_BALANCING"]}}"#
        )],
        rejects: &[
            (
                linux!(
                    r#"{"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}}"#
                ),
                "/linux/memoryPolicy/flags",
            ),
            (
                linux!(
                    r#"{"memoryPolicy": {"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]}}"#
                ),
                "/linux/memoryPolicy/flags/0",
            ),
            (
                linux!(
                    r#"{"memoryPolicy": {"mode": "MPOL_LOCAL", "flags": ["MPOL_F_STATIC_NODES"]}}"#
                ),
                "/linux/memoryPolicy/flags/0",
            ),
        ],
        check: |context, found| {
            let policy = context.linux.get("memoryPolicy");
            let (mode, flags) = (policy.get("mode"), policy.get("flags"));
            let flag = |name| {
                flags
                    .strings()
                    .find(|(flag, _)| *flag == name)
                    .map(|(_, flag)| flag)
            };
            let Some(name) = mode.as_str() else { return };
            let fixed = flag("MPOL_F_STATIC_NODES");
            let relative = flag("MPOL_F_RELATIVE_NODES");
            if fixed.is_some() && relative.is_some() {
                found
                    .at_name(flags, "nodes cannot be both static and relative")
                    .help("keep one of the two flags");
            }
            if let Some(balancing) = flag("MPOL_F_NUMA_BALANCING")
                && MODES_WITHOUT_BALANCING.contains(&name)
            {
                found
                    .at(
                        balancing,
                        format!("{name} does not go with MPOL_F_NUMA_BALANCING"),
                    )
                    .related(mode, "the mode");
            }
            let without_nodes =
                name == "MPOL_LOCAL" || (name == "MPOL_PREFERRED" && !has_nodes(policy));
            if let Some(about_nodes) = fixed.or(relative)
                && without_nodes
            {
                found
                    .at(
                        about_nodes,
                        "the flag is about nodes, and the policy has none",
                    )
                    .related(mode, "the mode");
            }
        },
        ..Rule::SPEC
    },
];

/// Modes with which the kernel refuses MPOL_F_NUMA_BALANCING.
const MODES_WITHOUT_BALANCING: [&str; 5] = [
    "MPOL_DEFAULT",
    "MPOL_INTERLEAVE",
    "MPOL_WEIGHTED_INTERLEAVE",
    "MPOL_PREFERRED",
    "MPOL_LOCAL",
];

fn has_nodes(policy: Value<'_>) -> bool {
    policy
        .get("nodes")
        .as_str()
        .is_some_and(|nodes| !nodes.is_empty())
}

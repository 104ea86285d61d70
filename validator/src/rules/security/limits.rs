//! Limits that keep one container from taking the whole machine.

use super::{SECURITY, is_container};
use crate::context::Context;
use crate::finding::Severity;
use crate::rule::{Found, Rule};

const LIMIT: Rule = Rule {
    severity: Severity::Note,
    ..SECURITY
};

/// Rules about limits.
pub(in crate::rules) static RULES: &[Rule] = &[
    Rule {
        id: "security/memory-limit",
        source: "cgroups(7): memory",
        page: "Without a limit of memory one container takes all of it, and the kernel kills \
               processes of others for want of it. Set `linux.resources.memory.limit`, or \
               `memory.max` in `unified`.",
        accepts: &[
            resources!(r#"{"memory": {"limit": 1048576}}"#),
            resources!(r#"{"unified": {"memory.max": "1048576"}}"#),
        ],
        rejects: &[
            (
                resources!(r#"{"memory": {"limit": -1}}"#),
                "/linux/resources/memory",
            ),
            (linux!("{}"), "/linux"),
        ],
        check: |context, found| unlimited(context, "memory", "memory.max", found),
        ..LIMIT
    },
    Rule {
        id: "security/pids-limit",
        source: "cgroups(7): pids",
        page: "Without a limit of processes a fork bomb in the container fills the process table of \
               the host. Set `linux.resources.pids.limit`; some thousands are plenty.",
        accepts: &[resources!(r#"{"pids": {"limit": 2048}}"#)],
        rejects: &[
            (
                resources!(r#"{"pids": {"limit": -1}}"#),
                "/linux/resources/pids",
            ),
            (resources!("{}"), "/linux/resources"),
        ],
        check: |context, found| unlimited(context, "pids", "pids.max", found),
        ..LIMIT
    },
];

fn unlimited(context: &Context<'_>, name: &str, file: &str, found: &mut Found<'_>) {
    if !is_container(context) {
        return;
    }
    let limits = context.resources.get(name);
    let limit = limits.get("limit").as_integer();
    let unified = context.resources.get("unified").get(file).as_str();
    let is_limited = limit.is_some_and(|limit| limit >= 0 && (limit > 0 || name == "pids"))
        || unified.is_some_and(|limit| limit.trim() != "max");
    if !is_limited {
        let places = [limits, context.resources, context.linux];
        let place = places.into_iter().find(|one| one.is_set());
        let what = if name == "pids" { "processes" } else { name };
        found.lacking(place.unwrap_or(context.root), format!("no limit of {what}"));
    }
}

//! `linux.resources.unified` (config-linux.md, Unified).

use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::resources::RESOURCES;

/// Rules about files of cgroup v2.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "unified/file-name",
        clauses: &["config-linux.unified.key-is-file"],
        page: "A key is the name of a file of the container's cgroup, such as `memory.high`: a \
               controller, a dot and the rest. A slash or `..` would lead to a file of another \
               group.",
        accepts: &[resources!(
            r#"{"unified": {"hugetlb.1GB.max": "1073741824"}}"#
        )],
        rejects: &[
            (
                resources!(r#"{"unified": {"../memory.max": "max"}}"#),
                "/linux/resources/unified/..~1memory.max",
            ),
            (
                resources!(r#"{"unified": {"..": "1"}}"#),
                "/linux/resources/unified/..",
            ),
            (
                resources!(r#"{"unified": {"memory": "max"}}"#),
                "/linux/resources/unified/memory",
            ),
        ],
        check: |context, found| {
            for (file, value) in context.resources.get("unified").members() {
                if let Some(problem) = file_problem(file) {
                    found
                        .at_name(value, format!("{file:?} is no file of a cgroup: {problem}"))
                        .help("the controller, a dot and the rest: `memory.high`");
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "unified/core-file",
        severity: Severity::Warning,
        source: "cgroups(7): the files of the core manage processes and groups, not resources",
        page: "These files are the runtime's tools: `cgroup.procs` and `cgroup.threads` move \
               processes, `cgroup.kill` ends all that are in the group, `cgroup.freeze` stops \
               them, `cgroup.subtree_control` and `cgroup.type` change what the group is. Written \
               by a config, they work against the runtime.",
        accepts: &[resources!(r#"{"unified": {"cgroup.max.depth": "3"}}"#)],
        rejects: &[(
            resources!(r#"{"unified": {"cgroup.procs": "1"}}"#),
            "/linux/resources/unified/cgroup.procs",
        )],
        check: |context, found| {
            for (file, value) in context.resources.get("unified").members() {
                if matches!(
                    file,
                    "cgroup.procs"
                        | "cgroup.threads"
                        | "cgroup.kill"
                        | "cgroup.freeze"
                        | "cgroup.subtree_control"
                        | "cgroup.type"
                ) {
                    found.at_name(
                        value,
                        format!("{file} is the runtime's to write, and limits nothing"),
                    );
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "unified/read-only-file",
        severity: Severity::Error,
        source: "the kernel's document on cgroup v2: files that can only be read; open(2): EACCES",
        page: "The kernel tells something in these files and takes nothing: usage, events, \
               statistics. A runtime that has to write one fails.",
        accepts: &[resources!(r#"{"unified": {"memory.high": "1048576"}}"#)],
        rejects: &[(
            resources!(r#"{"unified": {"memory.current": "1048576"}}"#),
            "/linux/resources/unified/memory.current",
        )],
        check: |context, found| {
            for (file, value) in context.resources.get("unified").members() {
                let ending = file.split_once('.').map_or("", |(_, ending)| ending);
                let last = ending.rsplit('.').next().unwrap_or_default();
                let read_only = matches!(
                    last,
                    "stat" | "current" | "events" | "numa_stat" | "effective"
                ) || ending.ends_with("events.local")
                    || matches!(file, "cgroup.controllers" | "misc.capacity");
                if read_only {
                    found.at_name(value, format!("{file} can only be read"));
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "unified/set-once",
        severity: Severity::Warning,
        source: "the kernel keeps what was written last, and which that is differs by runtime",
        page: "On cgroup v2 a runtime converts the properties of v1 and writes the same files as \
               `unified` names. Where both are there, one overwrites the other. Keep one of them.",
        accepts: &[resources!(
            r#"{"memory": {"limit": 1048576}, "unified": {"memory.high": "524288"}}"#
        )],
        rejects: &[(
            resources!(r#"{"memory": {"limit": 1048576}, "unified": {"memory.max": "524288"}}"#),
            "/linux/resources/unified/memory.max",
        )],
        check: |context, found| {
            for (file, value) in context.resources.get("unified").members() {
                let Some((_, owner, properties)) = SAME.iter().find(|(same, ..)| *same == file)
                else {
                    continue;
                };
                for name in *properties {
                    let other = context.resources.get(owner).get(name);
                    // Engines write 0 or nothing for what is not set.
                    if other.is_set() && other.as_integer() != Some(0) && other.as_str() != Some("")
                    {
                        found
                            .at_name(value, format!("{file} is set by `{owner}.{name}` too"))
                            .related(other, "the other one")
                            .help("keep one of them");
                        break;
                    }
                }
            }
        },
        ..RESOURCES
    },
];

/// Files of cgroup v2, and the properties that runtimes convert to them.
const SAME: &[(&str, &str, &[&str])] = &[
    ("memory.max", "memory", &["limit"]),
    ("memory.low", "memory", &["reservation"]),
    ("memory.swap.max", "memory", &["swap"]),
    ("cpu.weight", "cpu", &["shares"]),
    ("cpu.max", "cpu", &["quota", "period"]),
    ("cpu.max.burst", "cpu", &["burst"]),
    ("cpu.idle", "cpu", &["idle"]),
    ("cpuset.cpus", "cpu", &["cpus"]),
    ("cpuset.mems", "cpu", &["mems"]),
    ("io.weight", "blockIO", &["weight"]),
    ("io.bfq.weight", "blockIO", &["weight"]),
    (
        "io.max",
        "blockIO",
        &[
            "throttleReadBpsDevice",
            "throttleWriteBpsDevice",
            "throttleReadIOPSDevice",
            "throttleWriteIOPSDevice",
        ],
    ),
    ("pids.max", "pids", &["limit"]),
];

/// Why no file of a cgroup has that name.
fn file_problem(file: &str) -> Option<&'static str> {
    if file.is_empty() {
        Some("it is empty")
    } else if file.contains('/') {
        Some("it has a slash in it")
    } else if file.contains(['\0', '\n']) {
        Some("it has a line break or a zero byte in it")
    } else {
        match file.split_once('.') {
            None => Some("it has no dot"),
            Some(("", _) | (_, "")) => Some("nothing stands before or behind the dot"),
            Some(_) => None,
        }
    }
}

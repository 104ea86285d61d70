//! `linux.intelRdt` (config-linux.md, IntelRdt).

use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;

/// Rules about Intel's Resource Director Technology.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "intel-rdt/clos-name",
        clauses: &["config-linux.intelRdt.tasks"],
        page: "`closID` is the name of a directory of the resctrl filesystem, and such a directory \
               lies directly below its root: no slash, no `..`, no line break, and none of the \
               names that resctrl itself uses. From 1.3.0 `/` alone stands for the root.",
        accepts: &[
            linux!(r#"{"intelRdt": {"closID": "guaranteed_group"}}"#),
            linux!(r#"{"intelRdt": {"closID": "/"}}"#),
        ],
        rejects: &[
            (
                linux!(r#"{"intelRdt": {"closID": "a/b"}}"#),
                "/linux/intelRdt/closID",
            ),
            (
                linux!(r#"{"intelRdt": {"closID": "info"}}"#),
                "/linux/intelRdt/closID",
            ),
            (
                r#"{"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "linux": {"intelRdt": {"closID": "/"}}}"#,
                "/linux/intelRdt/closID",
            ),
        ],
        check: |context, found| {
            let id = rdt(context.linux).get("closID");
            // An empty string is how engines write none.
            let Some(name) = id.as_str().filter(|name| !name.is_empty()) else {
                return;
            };
            if name == "/" {
                if !context.from_version(1, 3, 0) {
                    found
                        .at(
                            id,
                            "\"/\" stands for the default class from version 1.3.0 on",
                        )
                        .help("set ociVersion to 1.3.0 or newer");
                }
            } else if matches!(name, "." | "..") || name.contains(['/', '\n', '\0']) {
                found.at(id, format!("{name:?} is no name of a directory"));
            } else if matches!(name, "info" | "mon_groups" | "mon_data") {
                found.at(
                    id,
                    format!("resctrl has a directory {name:?} of its own, which is no class"),
                );
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "intel-rdt/l3-schema",
        clauses: &[
            "config-linux.intelRdt.l3CacheSchema.prefix",
            "config-linux.intelRdt.l3CacheSchema.newline",
        ],
        page: "`l3CacheSchema` is one line of resctrl's `schemata` file, the one that begins with \
               `L3:`. More lines belong into `schemata`, an array with a line an entry (from \
               1.3.0), or into `memBwSchema`.",
        accepts: &[linux!(
            r#"{"intelRdt": {"l3CacheSchema": "L3:0=7f0;1=1f"}}"#
        )],
        rejects: &[
            (
                linux!(r#"{"intelRdt": {"l3CacheSchema": "L2:0=7f0"}}"#),
                "/linux/intelRdt/l3CacheSchema",
            ),
            (
                linux!(r#"{"intelRdt": {"l3CacheSchema": "L3:0=7f0\nMB:0=20"}}"#),
                "/linux/intelRdt/l3CacheSchema",
            ),
        ],
        check: |context, found| {
            let schema = rdt(context.linux).get("l3CacheSchema");
            let Some(text) = schema.as_str().filter(|text| !text.is_empty()) else {
                return;
            };
            if !text.starts_with("L3:") {
                found
                    .at(schema, format!("{text:?} does not begin with \"L3:\""))
                    .clause("config-linux.intelRdt.l3CacheSchema.prefix");
            }
            if text.contains('\n') {
                found
                    .at(schema, "a line break in the schema of the L3 cache")
                    .clause("config-linux.intelRdt.l3CacheSchema.newline")
                    .help("a line for memory bandwidth belongs into `memBwSchema`");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "intel-rdt/bandwidth-line",
        clauses: &["config-linux.intelRdt.memBwSchema.newline"],
        page: "`memBwSchema` is one line of resctrl's `schemata` file, the one that begins with \
               `MB:`, without a line break.",
        accepts: &[linux!(r#"{"intelRdt": {"memBwSchema": "MB:0=20;1=70"}}"#)],
        rejects: &[(
            linux!(r#"{"intelRdt": {"memBwSchema": "MB:0=20\n"}}"#),
            "/linux/intelRdt/memBwSchema",
        )],
        check: |context, found| {
            let schema = rdt(context.linux).get("memBwSchema");
            if schema.as_str().is_some_and(|text| text.contains('\n')) {
                found.at(schema, "a line break in the schema of the memory bandwidth");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "intel-rdt/schema-line",
        severity: Severity::Error,
        source: "the kernel's document on resctrl: a line is RESOURCE:DOMAIN=VALUE;…; EINVAL",
        page: "A line of `schemata` names a resource, then a colon, then for each cache or socket \
               a number, `=` and the value: `L3:0=7f0;1=1f`. The kernel refuses other lines.",
        accepts: &[linux!(
            r#"{"intelRdt": {"schemata": ["L3:0=7f0;1=1f", "MB:0=20"]}}"#
        )],
        rejects: &[
            (
                linux!(r#"{"intelRdt": {"schemata": ["L3:0=7f0", "MB"]}}"#),
                "/linux/intelRdt/schemata/1",
            ),
            (
                linux!(r#"{"intelRdt": {"memBwSchema": "MB:20"}}"#),
                "/linux/intelRdt/memBwSchema",
            ),
        ],
        check: |context, found| {
            let rdt = rdt(context.linux);
            let single = [rdt.get("l3CacheSchema"), rdt.get("memBwSchema")];
            for value in single.into_iter().chain(rdt.get("schemata").items()) {
                let wrong = value
                    .as_str()
                    .and_then(|text| text.lines().find(|line| !is_schema(line)));
                if let Some(line) = wrong {
                    found
                        .at(value, format!("{line:?} is no line of resctrl's schemata"))
                        .help("a resource, a colon, and `NUMBER=VALUE` with semicolons between: `L3:0=7f0;1=1f`");
                }
            }
        },
        ..Rule::SPEC
    },
];

fn rdt(linux: Value<'_>) -> Value<'_> {
    linux.get("intelRdt")
}

fn is_schema(line: &str) -> bool {
    let Some((resource, domains)) = line.split_once(':') else {
        return false;
    };
    // A line without any value changes nothing, and the kernel takes it.
    let mut domains = domains.split(';').filter(|domain| !domain.is_empty());
    !resource.trim().is_empty()
        && domains.all(|domain| {
            domain.split_once('=').is_some_and(|(number, value)| {
                number.trim().parse::<u32>().is_ok() && !value.trim().is_empty()
            })
        })
}

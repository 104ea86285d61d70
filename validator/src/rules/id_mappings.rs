//! Mappings of user and group IDs: `linux.uidMappings` and `linux.gidMappings` (config-linux.md,
//! User namespace mappings), and those of mounts, which the kernel reads by the same rules.

use crate::context::Context;
use crate::document::Value;
use crate::finding::Severity;
use crate::rule::{Found, Rule};
use crate::rules::namespaces;

/// Rules about mappings.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "id-mappings/user-namespace",
        clauses: &[
            "config-linux.uidMappings.effect",
            "config-linux.gidMappings.effect",
        ],
        page: "Mappings are those of the container's user namespace. Without `{\"type\": \
               \"user\"}` in `linux.namespaces` there is none, and the container would run with \
               the host's IDs, root included, although the config says otherwise. Add the \
               namespace, or leave the mappings out.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
        )],
        rejects: &[
            (
                linux!(r#"{"uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#),
                "/linux/uidMappings",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "pid"}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
                ),
                "/linux/gidMappings",
            ),
        ],
        check: |context, found| {
            for (name, clause) in [
                ("uidMappings", "config-linux.uidMappings.effect"),
                ("gidMappings", "config-linux.gidMappings.effect"),
            ] {
                let mappings = context.linux.get(name);
                if mappings.items().next().is_some()
                    && namespaces::entry(context.linux, "user").is_none()
                {
                    found
                        .at_name(mappings, "mappings without a user namespace have no effect")
                        .clause(clause)
                        .help("add `{\"type\": \"user\"}` to `linux.namespaces`");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "id-mappings/range",
        severity: Severity::Error,
        source: "user_namespaces(7), map_write() of the kernel: EINVAL",
        page: "A mapping has at least one ID, and its IDs are 32 bits wide. The last of them, \
               4294967295, stands for \"no ID\" and cannot be mapped, so the start and the size \
               together are 4294967295 at most, on both sides.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 0, "size": 4294967295}]}"#
        )],
        rejects: &[
            (
                linux!(
                    r#"{"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 4294967295}]}"#
                ),
                "/linux/uidMappings/0/size",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "user"}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 0}]}"#
                ),
                "/linux/gidMappings/0/size",
            ),
        ],
        check: |context, found| {
            each_map(context, |_, mappings| {
                for mapping in mappings.items() {
                    let size = mapping.get("size");
                    let end = |side| range(mapping, side).map(|(_, end)| end);
                    if size.as_integer() == Some(0) {
                        found.at(size, "a mapping of no ID").help(
                            "leave the entry out, or give the number of IDs from the first on",
                        );
                    } else if ["containerID", "hostID"]
                        .iter()
                        .any(|side| end(side).is_some_and(|end| end > LAST))
                    {
                        found.at(
                            size,
                            format!("{} IDs from there on reach beyond 4294967294", size.text()),
                        );
                    }
                }
            });
        },
        ..Rule::SPEC
    },
    Rule {
        id: "id-mappings/overlap",
        severity: Severity::Error,
        source: "user_namespaces(7), mappings_overlap() of the kernel: EINVAL",
        page: "An ID of the container is one ID of the host, and the other way round. Two entries \
               of one map must not share an ID on either side: the kernel refuses the map.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}, {"containerID": 1, "hostID": 100000, "size": 65535}]}"#
        )],
        rejects: &[
            (
                linux!(
                    r#"{"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 2}, {"containerID": 1, "hostID": 100000, "size": 65535}]}"#
                ),
                "/linux/uidMappings/1/containerID",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "user"}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}, {"containerID": 1, "hostID": 999, "size": 10}]}"#
                ),
                "/linux/gidMappings/1/hostID",
            ),
        ],
        check: |context, found| {
            each_map(context, |_, mappings| {
                // A longer map is refused for its length.
                for (place, mapping) in mappings.items().take(MOST_ENTRIES).enumerate() {
                    let clash = mappings.items().take(place).find_map(|earlier| {
                        let side = ["containerID", "hostID"]
                            .into_iter()
                            .find(|side| share_ids(earlier, mapping, side))?;
                        Some((earlier, side))
                    });
                    if let Some((earlier, side)) = clash {
                        found
                            .at(
                                mapping.get(side),
                                "these IDs overlap with those of another entry",
                            )
                            .related(earlier.get(side), "the other entry");
                    }
                }
            });
        },
        ..Rule::SPEC
    },
    Rule {
        id: "id-mappings/count",
        severity: Severity::Error,
        source: "user_namespaces(7): a map has 340 lines at most, written in less than a page",
        page: "The kernel takes 340 entries of a map, and takes them in one write that is shorter \
               than a page of memory, 4096 bytes on most machines. Join neighbouring ranges.",
        check: |context, found| {
            each_map(context, |_, mappings| {
                let mut entries = 0;
                let mut bytes = 0;
                for mapping in mappings.items() {
                    entries += 1;
                    let width = |name| mapping.get(name).text().len() + 1;
                    bytes += width("containerID") + width("hostID") + width("size");
                }
                if entries > MOST_ENTRIES {
                    found
                        .at_name(mappings, format!("{entries} entries: the kernel takes 340"))
                        .help("join neighbouring ranges");
                } else if bytes >= SMALLEST_PAGE {
                    found
                        .at_name(
                            mappings,
                            format!("the map has {bytes} bytes as the kernel reads it: a page or more"),
                        )
                        .help("with pages of 4096 bytes it has to be shorter: join neighbouring ranges")
                        .only(Severity::Warning);
                }
            });
        },
        ..Rule::SPEC
    },
    Rule {
        id: "id-mappings/process-mapped",
        severity: Severity::Warning,
        source: "user_namespaces(7): setuid(2), setgid(2) and setgroups(2) fail with EINVAL for an \
                 ID without mapping",
        page: "The user and the groups of the process are IDs of the container, and in a user \
               namespace only those exist that are mapped. The kernel does not let a process \
               become anybody else. Map the ID, or run as one that is mapped.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": ["sh"], "user": {"uid": 0, "gid": 0}}, "linux": {"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": ["sh"], "user": {"uid": 5, "gid": 0}}, "linux": {"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}}"#,
                "/process/user/uid",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": ["sh"], "user": {"uid": 0, "gid": 0, "additionalGids": [0, 10]}}, "linux": {"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}}"#,
                "/process/user/additionalGids/1",
            ),
        ],
        check: |context, found| {
            let linux = context.linux;
            if !namespaces::entry(linux, "user").is_some_and(namespaces::is_new) {
                return;
            }
            let user = context.process.get("user");
            let users = std::iter::once(user.get("uid"));
            not_mapped(linux.get("uidMappings"), users, found);
            let groups = std::iter::once(user.get("gid")).chain(user.get("additionalGids").items());
            not_mapped(linux.get("gidMappings"), groups, found);
        },
        ..Rule::SPEC
    },
];

/// The kernel's limit for the entries of a map.
const MOST_ENTRIES: usize = 340;

/// The size of a page where pages are small.
const SMALLEST_PAGE: usize = 4096;

/// Start and size of a mapping together are this at most.
const LAST: i128 = 0xffff_ffff;

/// Every map of the config: of the container and of its mounts.
fn each_map<'d>(context: &Context<'d>, mut look: impl FnMut(&'static str, Value<'d>)) {
    let owners = std::iter::once(context.linux).chain(context.root.get("mounts").items());
    for owner in owners {
        for name in ["uidMappings", "gidMappings"] {
            let mappings = owner.get(name);
            if mappings.is_set() {
                look(name, mappings);
            }
        }
    }
}

/// First ID and the one behind the last, of one side of a mapping.
fn range(mapping: Value<'_>, side: &str) -> Option<(i128, i128)> {
    let first = mapping.get(side).as_integer()?;
    let size = mapping.get("size").as_integer()?;
    Some((first, first.checked_add(size)?))
}

fn share_ids(one: Value<'_>, other: Value<'_>, side: &str) -> bool {
    match (range(one, side), range(other, side)) {
        (Some(one), Some(other)) => one.0 < other.1 && other.0 < one.1,
        _ => false,
    }
}

/// Tells of IDs that have no place in a map.
fn not_mapped<'d>(
    mappings: Value<'d>,
    ids: impl Iterator<Item = Value<'d>>,
    found: &mut Found<'_>,
) {
    // A mapping that cannot be read may have any ID.
    let ranges: Option<Vec<(i128, i128)>> = mappings
        .items()
        .take(MOST_ENTRIES)
        .map(|mapping| range(mapping, "containerID"))
        .collect();
    let Some(ranges) = ranges.filter(|ranges| !ranges.is_empty()) else {
        return;
    };
    for id in ids {
        if let Some(number) = id.as_integer()
            && !ranges
                .iter()
                .any(|(first, end)| (*first..*end).contains(&number))
        {
            let message = format!("{number} is not mapped: the ID does not exist in the container");
            found
                .at(id, message)
                .related(mappings, "the IDs that are mapped");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Document, Finding, Options, Severity};

    fn findings(entries: usize, digits: &str) -> Vec<Finding> {
        let entry = |number: usize| {
            format!(r#"{{"containerID": {number}{digits}, "hostID": {number}{digits}, "size": 1}}"#)
        };
        let entries: Vec<String> = (1..=entries).map(entry).collect();
        let config = format!(
            r#"{{"ociVersion": "1.3.0", "root": {{"path": "rootfs"}}, "linux": {{"namespaces": [{{"type": "user"}}],
            "gidMappings": [{{"containerID": 0, "hostID": 0, "size": 1}}], "uidMappings": [{}]}}}}"#,
            entries.join(", ")
        );
        let document = Document::parse(config.into_bytes());
        let mut found = crate::check(&document, &Options::default());
        found.retain(|finding| finding.rule.starts_with("id-mappings/"));
        found
    }

    #[test]
    fn maps_have_340_entries_and_fit_a_page() {
        assert_eq!(findings(340, ""), []);
        for (entries, digits, severity) in [
            (341, "", Severity::Error),
            (300, "000000", Severity::Warning),
        ] {
            let found = findings(entries, digits);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].rule, "id-mappings/count");
            assert_eq!(found[0].pointer, "/linux/uidMappings");
            assert_eq!(found[0].severity, severity);
        }
    }
}

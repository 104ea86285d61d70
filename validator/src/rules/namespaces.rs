//! `linux.namespaces` (config-linux.md, Namespaces), and what needs a namespace of its own.

use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::lists::duplicates;

/// Rules about namespaces.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "namespaces/unique",
        clauses: &[
            "config-linux.namespaces.duplicate.config",
            "config-linux.namespaces.duplicate",
        ],
        page: "A process is in one namespace of each type, so a type stands in the list once. With \
               two entries the container would be in either, and runtimes have to refuse it. Keep \
               the one that is meant.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "pid"}, {"type": "uts"}]}"#
        )],
        rejects: &[(
            linux!(
                r#"{"namespaces": [{"type": "pid"}, {"type": "pid", "path": "/proc/1/ns/pid"}]}"#
            ),
            "/linux/namespaces/1/type",
        )],
        check: |context, found| {
            let types = || {
                let entries = context.linux.get("namespaces").items();
                let types = entries.map(|entry| entry.get("type"));
                types.filter_map(|one| one.as_str().map(|name| (name, one)))
            };
            duplicates(types, |name, first, again| {
                found
                    .at(again, format!("a second namespace of type {name:?}"))
                    .related(first, "the first one")
                    .help("keep one of the two");
            });
        },
        ..Rule::SPEC
    },
    Rule {
        id: "namespaces/path-of-its-type",
        clauses: &["config-linux.namespaces.path.type-mismatch"],
        page: "The path of an entry leads to a namespace of the entry's type. The files in \
               /proc/PID/ns are called after what they are: `net` is a network namespace and \
               `mnt` a mount namespace. A runtime has to refuse a path of another type.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "network", "path": "/proc/7/ns/net"}]}"#
        )],
        rejects: &[(
            linux!(r#"{"namespaces": [{"type": "network", "path": "/proc/7/ns/ipc"}]}"#),
            "/linux/namespaces/0/path",
        )],
        check: |context, found| {
            for entry in context.linux.get("namespaces").items() {
                let path = entry.get("path");
                let Some(its_type) = entry.get("type").as_str() else {
                    continue;
                };
                if let Some(leads_to) = path.as_str().and_then(type_of_path)
                    && TYPES.iter().any(|(name, _)| *name == its_type)
                    && leads_to != its_type
                {
                    let text = path.as_str().unwrap_or_default();
                    found
                        .at(
                            path,
                            format!("{text:?} is a namespace of type {leads_to}, not {its_type}"),
                        )
                        .related(entry.get("type"), "the type that is asked for");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "namespaces/user-mapped",
        severity: Severity::Warning,
        source: "user_namespaces(7): without maps every ID is the overflow ID, and setuid(2) fails",
        page: "A new user namespace begins without any ID. Until `uidMappings` and `gidMappings` \
               map some, nobody can be root or anybody else in it. Some runtimes refuse such a \
               config, others make up a mapping.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
        )],
        rejects: &[
            (
                linux!(r#"{"namespaces": [{"type": "user"}]}"#),
                "/linux/namespaces/0",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
                ),
                "/linux/namespaces/0",
            ),
        ],
        check: |context, found| {
            let Some(user) = entry(context.linux, "user").filter(|user| is_new(*user)) else {
                return;
            };
            let lacks = |name| context.linux.get(name).items().next().is_none();
            let missing = match (lacks("uidMappings"), lacks("gidMappings")) {
                (false, false) => return,
                (true, false) => "`uidMappings` has no entry",
                (false, true) => "`gidMappings` has no entry",
                (true, true) => "`uidMappings` and `gidMappings` have no entry",
            };
            found
                .lacking(user, format!("a new user namespace without IDs: {missing}"))
                .help("map at least the user and the group that the process runs as");
        },
        ..Rule::SPEC
    },
    Rule {
        id: "namespaces/user-new-or-joined",
        severity: Severity::Warning,
        source: "user_namespaces(7): the maps of a namespace are written once, by who made it",
        page: "A user namespace that is joined by `path` has its maps already, and they cannot be \
               changed. Mappings beside the path are at best what the namespace has anyway; where \
               they differ, runtimes refuse the config. Leave them out.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "user", "path": "/proc/7/ns/user"}]}"#
        )],
        rejects: &[(
            linux!(
                r#"{"namespaces": [{"type": "user", "path": "/proc/7/ns/user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
            ),
            "/linux/uidMappings",
        )],
        check: |context, found| {
            let Some(user) = entry(context.linux, "user").filter(|user| !is_new(*user)) else {
                return;
            };
            for name in ["uidMappings", "gidMappings"] {
                let mappings = context.linux.get(name);
                if mappings.items().next().is_some() {
                    found
                        .at_name(
                            mappings,
                            "the user namespace is joined by path, and has its maps",
                        )
                        .related(user.get("path"), "joined here")
                        .help("leave the mappings out");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "namespaces/uts-for-hostname",
        clauses: &["config.hostname.runtime-uts"],
        page: "Without a UTS namespace in the list the container is in the runtime's own, and \
               `hostname` would rename the host. The specification allows it; most runtimes refuse \
               it. Add `{\"type\": \"uts\"}` to `linux.namespaces`, or leave `hostname` out.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hostname": "web", "linux": {"namespaces": [{"type": "uts"}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hostname": "web", "linux": {"namespaces": [{"type": "pid"}]}}"#,
            "/hostname",
        )],
        check: |context, found| {
            let hostname = context.root.get("hostname");
            if renames_host(context.linux, hostname) {
                found
                    .at(
                        hostname,
                        "no UTS namespace of its own: this would rename the host",
                    )
                    .help("add `{\"type\": \"uts\"}` to `linux.namespaces`");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "namespaces/uts-for-domainname",
        severity: Severity::Note,
        source: "setdomainname(2): the name is of the UTS namespace of the caller",
        page: "Without a UTS namespace in the list the container is in the runtime's own, and \
               `domainname` would change the host's NIS domain name. Add `{\"type\": \"uts\"}` to \
               `linux.namespaces`, or leave `domainname` out.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "domainname": "d", "linux": {"namespaces": [{"type": "uts"}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "domainname": "d", "linux": {}}"#,
            "/domainname",
        )],
        check: |context, found| {
            let domainname = context.root.get("domainname");
            if renames_host(context.linux, domainname) {
                found
                    .at(
                        domainname,
                        "no UTS namespace of its own: this would change the host's domain name",
                    )
                    .help("add `{\"type\": \"uts\"}` to `linux.namespaces`");
            }
        },
        ..Rule::SPEC
    },
];

/// Types of namespaces, and what their files in /proc/PID/ns are called.
const TYPES: [(&str, &[&str]); 8] = [
    ("pid", &["pid", "pid_for_children"]),
    ("network", &["net"]),
    ("mount", &["mnt"]),
    ("ipc", &["ipc"]),
    ("uts", &["uts"]),
    ("user", &["user"]),
    ("cgroup", &["cgroup"]),
    ("time", &["time", "time_for_children"]),
];

/// The entry for a type; `None` if the container is in the runtime's namespace of that type.
pub(super) fn entry<'d>(linux: Value<'d>, its_type: &str) -> Option<Value<'d>> {
    linux
        .get("namespaces")
        .items()
        .find(|entry| entry.get("type").as_str() == Some(its_type))
}

/// Whether the entry asks for a new namespace, not for one that is there.
pub(super) fn is_new(entry: Value<'_>) -> bool {
    !entry.get("path").is_set()
}

fn renames_host(linux: Value<'_>, name: Value<'_>) -> bool {
    linux.is_set()
        && name.as_str().is_some_and(|name| !name.is_empty())
        && entry(linux, "uts").is_none()
}

/// The type of namespace that a path of procfs leads to.
fn type_of_path(path: &str) -> Option<&'static str> {
    let file = path.strip_prefix("/proc/")?.split_once("/ns/")?.1;
    TYPES
        .iter()
        .find(|(_, files)| files.contains(&file))
        .map(|(its_type, _)| *its_type)
}

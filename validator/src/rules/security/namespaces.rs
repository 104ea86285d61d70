//! Namespaces that the container shares with the host.

use super::{SECURITY, has_user_namespace, is_container, is_of_init};
use crate::context::Context;
use crate::document::Value;
use crate::finding::Severity;
use crate::rule::{Found, Rule};
use crate::rules::namespaces::entry;

/// A rule about a type of namespace that the container has none of its own of.
macro_rules! shared {
    ($type:literal, $severity:ident, $source:literal, $page:literal) => {
        Rule {
            id: concat!("security/host-", $type),
            severity: Severity::$severity,
            source: $source,
            page: $page,
            accepts: &[concat!(
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "linux": {"namespaces": [{"type": ""#,
                $type,
                r#""}]}}"#
            )],
            rejects: &[
                (linux!(r#"{"namespaces": []}"#), "/linux/namespaces"),
                (linux!(r#"{}"#), "/linux"),
            ],
            check: |context, found| lacking(context, $type, found),
            ..SECURITY
        }
    };
}

/// Rules about shared namespaces.
pub(in crate::rules) static RULES: &[Rule] = &[
    shared!(
        "mount",
        Error,
        "mount_namespaces(7)",
        "Without a mount namespace of its own the container's mounts are the host's: they stay, and \
         a chroot(2) is all that hides the host's files. Add `{\"type\": \"mount\"}`."
    ),
    shared!(
        "pid",
        Warning,
        "pid_namespaces(7)",
        "In the host's PID namespace the container sees all processes, with their command lines and \
         environment in /proc, and root in it signals them. Add `{\"type\": \"pid\"}`."
    ),
    shared!(
        "network",
        Warning,
        "network_namespaces(7); CVE-2020-15257",
        "In the host's network namespace the container reaches everything that listens on localhost \
         only, and abstract Unix sockets of the host, such as containerd's shim once had. Add \
         `{\"type\": \"network\"}` and publish the ports that are needed."
    ),
    shared!(
        "ipc",
        Warning,
        "ipc_namespaces(7)",
        "In the host's IPC namespace the container reads and writes the shared memory and message \
         queues of the host's programs. Add `{\"type\": \"ipc\"}`, or join the namespace of the one \
         container that it talks to."
    ),
    shared!(
        "uts",
        Note,
        "uts_namespaces(7)",
        "In the host's UTS namespace the container sees the host's name, and with CAP_SYS_ADMIN \
         changes it. Add `{\"type\": \"uts\"}`."
    ),
    shared!(
        "cgroup",
        Note,
        "cgroup_namespaces(7)",
        "Without a cgroup namespace /proc/self/cgroup shows the path of the container's cgroup on \
         the host, and mounts of cgroup begin at the host's root. Add `{\"type\": \"cgroup\"}`; with \
         cgroup v1 engines leave it out by default."
    ),
    shared!(
        "user",
        Note,
        "user_namespaces(7)",
        "Without a user namespace root in the container is root on the host, kept in only by the \
         other layers. With one, root there is an ordinary user outside, and most escapes end with \
         that user's rights. Add `{\"type\": \"user\"}` and mappings to unused IDs."
    ),
    Rule {
        id: "security/namespace-of-init",
        severity: Severity::Error,
        source: "namespaces(7): /proc/1/ns",
        page: "The path is a namespace of process 1, which is the host's (Docker's name for its \
               network namespace is `default`): the entry looks like isolation and is none. Leave `path` out for a new namespace.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "network", "path": "/run/netns/a"}]}"#
        )],
        rejects: &[
            (
                linux!(r#"{"namespaces": [{"type": "network", "path": "/proc/1/ns/net"}]}"#),
                "/linux/namespaces/0/path",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "network", "path": "/var/run/docker/netns/default"}]}"#
                ),
                "/linux/namespaces/0/path",
            ),
        ],
        check: |context, found| {
            for entry in context.linux.get("namespaces").items() {
                let path = entry.get("path");
                if is_of_init(path) {
                    found
                        .at(path, "this is the host's namespace")
                        .help("without `path` the container gets a new one");
                }
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/host-root-mapped",
        source: "user_namespaces(7): uid_map",
        page: "The user namespace maps root of the host: whoever is that user in the container has \
               the rights of the host's root on files, which a user namespace is there to prevent. \
               Map a range of unused IDs (subuid(5)). A rootless container that root starts has \
               this by default.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}"#
        )],
        rejects: &[(
            linux!(
                r#"{"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}, {"containerID": 1, "hostID": 0, "size": 1}]}"#
            ),
            "/linux/uidMappings/1/hostID",
        )],
        check: |context, found| {
            for name in ["uidMappings", "gidMappings"] {
                for mapping in context.linux.get(name).items() {
                    let host = mapping.get("hostID");
                    let maps = mapping.get("size").as_integer().is_none_or(|size| size > 0);
                    if host.as_integer() == Some(0) && maps && has_user_namespace(context) {
                        found
                            .at(host, "root of the host is mapped into the container")
                            .help("an ID from /etc/subuid or /etc/subgid");
                    }
                }
            }
        },
        ..SECURITY
    },
];

fn lacking(context: &Context<'_>, its_type: &str, found: &mut Found<'_>) {
    let linux: Value<'_> = context.linux;
    if !is_container(context) || entry(linux, its_type).is_some() {
        return;
    }
    let namespaces = linux.get("namespaces");
    let place = [namespaces, linux].into_iter().find(|one| one.is_set());
    found
        .lacking(
            place.unwrap_or(context.root),
            format!("the container is in the host's {its_type} namespace"),
        )
        .help(format!(
            "add `{{\"type\": \"{its_type}\"}}` to `linux.namespaces`"
        ));
}

//! config-linux.md but for resources and seccomp.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::Row;
use super::process::{one_of, text};
use crate::case::Need;
use crate::explore::draw::{Edit, Part};

/// A namespace of the kernel that the runtime itself is not in: the trial's keeper stands for the
/// runtime, and its files lead to the namespaces that a container inherits.
fn joined(kind: &str, file: &str) -> Option<Value> {
    Some(json!({"type": kind, "path": format!("/proc/1/ns/{file}")}))
}

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "linux.namespaces.new",
        needs: &[Need::Root, Need::SharedKernel],
        draw: || {
            namespaces("linux.namespaces.new", &["cgroup", "time"], |kind| {
                Some(json!({"type": kind}))
            })
        },
    },
    Row {
        name: "linux.namespaces.inherited",
        needs: &[Need::Root, Need::SharedKernel],
        draw: || {
            let kinds = &["uts", "ipc", "network", "pid"];
            namespaces("linux.namespaces.inherited", kinds, |_| None)
        },
    },
    Row {
        name: "linux.namespaces.joined",
        needs: &[Need::Root, Need::SharedKernel],
        draw: || {
            namespaces(
                "linux.namespaces.joined",
                &["uts", "ipc", "network"],
                |kind| joined(kind, if kind == "network" { "net" } else { kind }),
            )
        },
    },
    Row {
        name: "linux.mappings",
        needs: &[Need::UserMappings, Need::SharedKernel],
        draw: mappings,
    },
    Row {
        name: "linux.timeOffsets",
        needs: &[Need::Root, Need::Namespace("time"), Need::SharedKernel],
        draw: || {
            let clock = || proptest::option::of((0i64..1_000_000, 0u32..1_000_000_000));
            (clock(), clock())
                .prop_map(|(monotonic, boottime)| {
                    let entry = |(secs, nanosecs)| json!({"secs": secs, "nanosecs": nanosecs});
                    let mut offsets = json!({});
                    for (name, drawn) in [("monotonic", monotonic), ("boottime", boottime)] {
                        if let Some(drawn) = drawn {
                            offsets[name] = entry(drawn);
                        }
                    }
                    Part::of(
                        "linux.timeOffsets",
                        "config-linux.timeOffsets.secs.effect",
                        vec![
                            Edit::Namespace("time".into(), Some(json!({"type": "time"}))),
                            Edit::Set("/linux/timeOffsets".into(), offsets),
                        ],
                    )
                })
                .boxed()
        },
    },
    Row {
        name: "linux.devices",
        needs: &[Need::Root, Need::Capability("CAP_MKNOD")],
        draw: device,
    },
    Row {
        name: "linux.maskedPaths",
        needs: &[],
        draw: || {
            paths(
                "linux.maskedPaths",
                "config-linux.maskedPaths.effect",
                "/linux/maskedPaths/-",
                MASKED,
            )
        },
    },
    Row {
        name: "linux.readonlyPaths",
        needs: &[],
        draw: || {
            let clause = "config-linux.readonlyPaths.effect";
            paths(
                "linux.readonlyPaths",
                clause,
                "/linux/readonlyPaths/-",
                READONLY,
            )
        },
    },
    Row {
        name: "linux.sysctl",
        needs: &[Need::Root],
        draw: || {
            select(SYSCTLS.to_vec())
                .prop_flat_map(|(name, values)| (Just(name), select(values.to_vec())))
                .prop_map(|(name, value)| {
                    let surface = format!("linux.sysctl:{name}");
                    let at = format!("/linux/sysctl/{name}");
                    Part::set(&surface, "config-linux.sysctl.effect", &at, value)
                })
                .boxed()
        },
    },
    Row {
        name: "linux.rootfsPropagation",
        needs: &[Need::Root],
        draw: || {
            select(vec!["private", "slave", "shared", "unbindable"])
                .prop_map(|kind| {
                    let clause = format!("config-linux.rootfsPropagation.{kind}.effect");
                    let surface = format!("linux.rootfsPropagation:{kind}");
                    Part::set(&surface, &clause, "/linux/rootfsPropagation", kind)
                })
                .boxed()
        },
    },
    Row {
        name: "linux.personality",
        needs: &[],
        draw: || {
            select(vec!["LINUX", "LINUX32"])
                .prop_map(|domain| {
                    let clause = format!("config-linux.personality.{domain}.effect");
                    let surface = format!("linux.personality:{domain}");
                    Part::set(&surface, &clause, "/linux/personality/domain", domain)
                })
                .boxed()
        },
    },
    Row {
        name: "linux.memoryPolicy",
        needs: &[Need::Path("/sys/devices/system/node/node0")],
        draw: || {
            one_of(
                "linux.memoryPolicy",
                "config-linux.memoryPolicy.effect",
                "/linux/memoryPolicy",
                &[
                    json!({"mode": "MPOL_BIND", "nodes": "0"}),
                    json!({"mode": "MPOL_INTERLEAVE", "nodes": "0"}),
                    json!({"mode": "MPOL_PREFERRED", "nodes": "0"}),
                    json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}),
                ],
            )
        },
    },
    Row {
        name: "linux.sysctl-domainname",
        needs: &[Need::Root],
        draw: || {
            text(
                "linux.sysctl-domainname",
                "config-linux.sysctl.effect",
                "/linux/sysctl/kernel.domainname",
                "[a-z][a-z0-9.-]{0,20}",
            )
        },
    },
];

/// What may be hidden: files and directories that the rootfs has, and files of procfs.
const MASKED: &[&str] = &[
    "/data/secret",
    "/data/vault",
    "/data/deep/er/secret",
    "/proc/version",
    "/proc/cmdline",
];

/// What may be made read-only.
const READONLY: &[&str] = &["/data/open", "/data/shelf", "/proc/sys"];

/// Parameters of namespaces that every kernel has, with values that differ from its defaults.
const SYSCTLS: &[(&str, &[&str])] = &[
    ("net.ipv4.ip_forward", &["1", "0"]),
    ("net.ipv4.ip_unprivileged_port_start", &["0", "311"]),
    ("net.ipv4.ip_default_ttl", &["33", "128"]),
    ("kernel.msgmax", &["4711", "65536"]),
    ("kernel.msgmnb", &["4711", "65536"]),
    ("kernel.shmmni", &["1234"]),
    ("kernel.shm_rmid_forced", &["1", "0"]),
];

fn namespaces(
    row: &'static str,
    kinds: &[&'static str],
    entry: fn(&str) -> Option<Value>,
) -> BoxedStrategy<Part> {
    select(kinds.to_vec())
        .prop_map(move |kind| {
            // Newer than the others.
            let clause = match (row, kind) {
                (_, "time") => "config-linux.namespaces.type.time.supported",
                ("linux.namespaces.new", _) => "config-linux.namespaces.nopath.new",
                ("linux.namespaces.joined", _) => "config-linux.namespaces.path.join",
                _ => "config-linux.namespaces.inherit",
            };
            let edit = Edit::Namespace(kind.into(), entry(kind));
            Part::of(&format!("{row}:{kind}"), clause, vec![edit])
        })
        .boxed()
}

/// A user namespace with one or two entries a map; 0 to 1999 is always mapped.
fn mappings() -> BoxedStrategy<Part> {
    let map = || {
        let second = proptest::option::of((0u32..1000, 0u32..1000, 1u32..500));
        (0u32..1000, 0u32..1000, second).prop_map(|(first, more, second)| {
            let mut entries = vec![json!({
                "containerID": 0, "hostID": 100_000 + first, "size": 2000 + more
            })];
            entries.extend(second.map(|(container, host, size)| {
                json!({"containerID": 5000 + container, "hostID": 110_000 + host, "size": size})
            }));
            entries
        })
    };
    (map(), map())
        .prop_map(|(uids, gids)| {
            Part::of(
                "linux.mappings",
                "config-linux.uidMappings.effect",
                vec![
                    Edit::Namespace("user".into(), Some(json!({"type": "user"}))),
                    Edit::Set("/linux/uidMappings".into(), json!(uids)),
                    Edit::Set("/linux/gidMappings".into(), json!(gids)),
                ],
            )
        })
        .boxed()
}

/// Numbers that are nobody's, so that a device cannot be had by binding one of the host's.
fn device() -> BoxedStrategy<Part> {
    let path = select(vec![
        "/dev/drawn-a",
        "/dev/drawn-b",
        "/dev/sub/drawn",
        "/data/drawn",
    ]);
    let kind = select(vec!["c", "b", "u", "p"]);
    let mode = proptest::option::of(0u32..=0o777);
    let id = || proptest::option::of(0u32..3000);
    (path, kind, 0u32..200, mode, id(), id())
        .prop_map(|(path, kind, minor, mode, uid, gid)| {
            let mut device = json!({"type": kind, "path": path});
            if kind != "p" {
                device["major"] = json!(240);
                device["minor"] = json!(minor);
            }
            for (name, value) in [("fileMode", mode), ("uid", uid), ("gid", gid)] {
                if let Some(value) = value {
                    device[name] = json!(value);
                }
            }
            let surface = match path.starts_with("/dev/") {
                true => format!("linux.devices:{kind}"),
                false => "linux.devices:outside of /dev".to_owned(),
            };
            let clause = "config-linux.devices.available";
            Part::set(&surface, clause, "/linux/devices/-", device)
        })
        .boxed()
}

fn paths(
    row: &'static str,
    clause: &'static str,
    at: &'static str,
    list: &[&'static str],
) -> BoxedStrategy<Part> {
    select(list.to_vec())
        .prop_map(move |path| Part::set(&format!("{row}:{path}"), clause, at, path))
        .boxed()
}

//! What of the host is mounted into the container.

use super::kernel_files::is_readonly;
use super::{SECURITY, has_user_namespace, is_below};
use crate::context::Context;
use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::mount_options;

/// Rules about mounts.
pub(in crate::rules) static RULES: &[Rule] = &[
    Rule {
        id: "security/mount-engine-socket",
        severity: Severity::Error,
        source: "the documentation of Docker, \"Protect the Docker daemon socket\"",
        page: "Whoever can talk to an engine's socket can have it start a container with the host's \
               root directory in it: that is root on the host. Mounting it read-only changes \
               nothing, since connecting is not writing. Give such tools an engine of their own \
               (rootless, or in a virtual machine), or a proxy that lets through the calls that \
               they need.",
        accepts: &[mount!(
            r#"{"destination": "/run/app.sock", "type": "bind", "source": "/run/app.sock", "options": ["bind"]}"#
        )],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/var/run/docker.sock", "type": "bind", "source": "/var/run/docker.sock", "options": ["rbind", "ro"]}"#
                ),
                "/mounts/0/source",
            ),
            (
                mount!(
                    r#"{"destination": "/run/c", "type": "bind", "source": "/run/containerd", "options": ["rbind"]}"#
                ),
                "/mounts/0/source",
            ),
        ],
        check: |context, found| {
            for (path, source) in binds(context).filter_map(source) {
                let file = path.rsplit('/').next().unwrap_or_default();
                let run = path.strip_prefix("/var").unwrap_or(path);
                let folder = ENGINES.iter().any(|name| {
                    run.strip_prefix("/run/")
                        .is_some_and(|rest| rest.trim_end_matches('/') == *name)
                });
                if SOCKETS.contains(&file) || folder {
                    found
                        .at(
                            source,
                            format!("{path:?} is, or holds, the socket of an engine"),
                        )
                        .help("whoever can connect to it is root on the host");
                }
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/mount-host-root",
        severity: Severity::Error,
        source: "config.md, Mounts",
        page: "The host's root directory is in the container: all its files, also such as hold \
               keys, and if it is not read-only, all its programs to be replaced. Bind the \
               directories that are needed.",
        accepts: &[mount!(
            r#"{"destination": "/h", "type": "bind", "source": "/srv/data", "options": ["rbind"]}"#
        )],
        rejects: &[(
            mount!(
                r#"{"destination": "/h", "type": "bind", "source": "/", "options": ["rbind", "ro"]}"#
            ),
            "/mounts/0/source",
        )],
        check: |context, found| {
            for (path, source) in binds(context).filter_map(source) {
                if path.starts_with('/') && path.bytes().all(|byte| matches!(byte, b'/' | b'.')) {
                    found.at(source, "the host's root directory is in the container");
                }
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/mount-system-directory",
        severity: Severity::Error,
        source: "hier(7); the lists of host paths that Kubernetes' policies forbid",
        page: "A directory of the host's system is in the container. Where it can be written, the \
               container adds a job for cron, a key for ssh, a unit for systemd, or replaces a \
               program, and so runs as root on the host (error); where it is read-only it still \
               shows passwords and keys (warning). Bind the one file that is needed, read-only.",
        accepts: &[mount!(
            r#"{"destination": "/etc/localtime", "type": "bind", "source": "/etc/localtime", "options": ["bind", "ro"]}"#
        )],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/host", "type": "bind", "source": "/etc/", "options": ["rbind", "rw"]}"#
                ),
                "/mounts/0/source",
            ),
            (
                mount!(
                    r#"{"destination": "/host", "type": "bind", "source": "/root/.ssh", "options": ["rbind", "ro"]}"#
                ),
                "/mounts/0/source",
            ),
        ],
        check: |context, found| {
            for mount in binds(context) {
                let Some((path, value)) = source(mount) else {
                    continue;
                };
                let whole = path.trim_end_matches('/');
                let system =
                    SYSTEM.contains(&whole) || SECRET.iter().any(|top| is_below(path, top));
                if !system {
                } else if is_readonly(mount) {
                    found
                        .at(value, format!("the container can read the host's {whole}"))
                        .only(Severity::Warning);
                } else {
                    let draft = found
                        .at(value, format!("the container can write the host's {whole}"))
                        .help("bind the one file that is needed, with the option `ro`");
                    if has_user_namespace(context) {
                        draft.only(Severity::Warning);
                    }
                }
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/mount-kernel-directory",
        severity: Severity::Error,
        source: "proc(5), sysfs(5)",
        page: "The host's /proc, /sys or /dev is bound into the container: processes, parameters \
               and devices are the host's there, whatever namespaces and masked paths say. Mount \
               them anew (`\"type\": \"proc\"`, `sysfs`, `tmpfs`). Read-only, or in a user \
               namespace, it is a warning: a container without a network namespace of its own \
               cannot mount sysfs.",
        accepts: &[
            mount!(r#"{"destination": "/proc", "type": "proc", "source": "/proc"}"#),
            mount!(
                r#"{"destination": "/dev/shm", "type": "bind", "source": "/dev/shm", "options": ["bind"]}"#
            ),
        ],
        rejects: &[(
            mount!(
                r#"{"destination": "/host/proc", "type": "bind", "source": "/proc", "options": ["rbind"]}"#
            ),
            "/mounts/0/source",
        )],
        check: |context, found| {
            for mount in binds(context) {
                let Some((path, value)) = source(mount) else {
                    continue;
                };
                let whole = path.trim_end_matches('/');
                let kernels = is_below(path, "/proc") || is_below(path, "/sys") || whole == "/dev";
                // Cgroups have a rule of their own.
                if kernels && !is_below(path, "/sys/fs/cgroup") {
                    let draft = found.at(value, format!("the host's {whole} is in the container"));
                    if is_readonly(mount) || has_user_namespace(context) {
                        draft.only(Severity::Warning);
                    }
                }
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/mount-shared",
        source: "mount_namespaces(7): shared subtrees",
        page: "With `shared` or `rshared` what the container mounts there appears on the host too. \
               A process with CAP_SYS_ADMIN then mounts over directories of the host. `rslave` \
               brings the host's mounts in and nothing out.",
        accepts: &[mount!(
            r#"{"destination": "/m", "type": "bind", "source": "/srv", "options": ["rbind", "rslave"]}"#
        )],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/m", "type": "bind", "source": "/srv", "options": ["rbind", "rshared"]}"#
                ),
                "/mounts/0/options/1",
            ),
            (
                linux!(r#"{"rootfsPropagation": "shared"}"#),
                "/linux/rootfsPropagation",
            ),
        ],
        check: |context, found| {
            for mount in binds(context) {
                for (name, option) in mount.get("options").strings() {
                    if matches!(name, "shared" | "rshared") {
                        found
                            .at(
                                option,
                                "mounts that the container makes there appear on the host",
                            )
                            .help("`rslave` lets mounts in only");
                    }
                }
            }
            let propagation = context.linux.get("rootfsPropagation");
            if matches!(propagation.as_str(), Some("shared" | "rshared")) {
                found.at(
                    propagation,
                    "mounts of the container may appear on the host",
                );
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/tmpfs-options",
        severity: Severity::Note,
        source: "mount(8): nosuid, nodev",
        page: "Set-user-ID programs and device nodes have no business in a temporary filesystem. \
               The options `nosuid` and `nodev` (not at /dev) cost nothing and take away one step \
               of many attacks.",
        accepts: &[
            mount!(
                r#"{"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"]}"#
            ),
            mount!(
                r#"{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]}"#
            ),
        ],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]}"#
                ),
                "/mounts/0",
            ),
            (
                mount!(r#"{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}"#),
                "/mounts/0",
            ),
        ],
        check: |context, found| {
            for mount in context.root.get("mounts").items() {
                if mount.get("type").as_str() != Some("tmpfs") || mount_options::is_bind(mount) {
                    continue;
                }
                let at_dev = mount.get("destination").as_str() == Some("/dev");
                let nosuid = mount_options::has(mount, "nosuid");
                let nodev = at_dev || mount_options::has(mount, "nodev");
                let missing = match (nosuid, nodev) {
                    (true, true) => continue,
                    (false, true) => "`nosuid`",
                    (true, false) => "`nodev`",
                    (false, false) => "`nosuid` and `nodev`",
                };
                found.lacking(mount, format!("a tmpfs without {missing}"));
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/seccomp-listener",
        source: "seccomp_unotify(2)",
        page: "The socket that decides on the container's system calls, or its directory, is bound \
               into the container, or lies in its root filesystem. A process there may take the \
               listener's place and allow itself everything. Keep it where the container does not \
               reach.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/a", "type": "bind", "source": "/run/app", "options": ["bind"]}], "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent/s"}}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/a", "type": "bind", "source": "/run/agent", "options": ["bind"]}], "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent/s"}}}"#,
                "/linux/seccomp/listenerPath",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "/srv/root"}, "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/srv/root/s"}}}"#,
                "/linux/seccomp/listenerPath",
            ),
        ],
        check: |context, found| {
            let listener = context.seccomp.get("listenerPath");
            let Some(path) = listener.as_str() else {
                return;
            };
            let bound = binds(context)
                .filter_map(source)
                .find(|(top, _)| is_below(path, top.trim_end_matches('/')));
            let root = context.root.get("root").get("path");
            let in_root = root
                .as_str()
                .is_some_and(|root| root.starts_with('/') && is_below(path, root));
            let place = match bound {
                Some((_, source)) => source,
                None if in_root => root,
                None => return,
            };
            found
                .at(
                    listener,
                    "the container reaches the socket that decides on its system calls",
                )
                .related(place, "by this");
        },
        ..SECURITY
    },
];

/// Names of engines' sockets.
const SOCKETS: [&str; 9] = [
    "buildkitd.sock",
    "containerd.sock",
    "containerd.sock.ttrpc",
    "crio.sock",
    "docker.sock",
    "dockershim.sock",
    "io.podman",
    "kubelet.sock",
    "podman.sock",
];

/// Directories below /run with sockets of engines.
const ENGINES: [&str; 7] = [
    "buildkit",
    "containerd",
    "cri-dockerd",
    "crio",
    "docker",
    "k3s",
    "podman",
];

/// Directories of the host's system, each as a whole.
const SYSTEM: [&str; 24] = [
    "/bin",
    "/boot",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/run",
    "/sbin",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local/bin",
    "/usr/sbin",
    "/var",
    "/var/lib",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/kubelet",
    "/var/log",
    "/var/run",
    "/var/spool",
    "/etc/passwd",
    "/etc/group",
];

/// Places of keys, passwords, and of what runs as root; all below them counts.
const SECRET: [&str; 12] = [
    "/etc/cron.d",
    "/etc/crontab",
    "/etc/gshadow",
    "/etc/kubernetes",
    "/etc/ld.so.preload",
    "/etc/pam.d",
    "/etc/shadow",
    "/etc/ssh",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/systemd",
    "/root",
];

fn binds<'d>(context: &Context<'d>) -> impl Iterator<Item = Value<'d>> + use<'d> {
    let linux = context.is_linux();
    let mounts = context.root.get("mounts").items();
    mounts.filter(move |mount| {
        linux && (mount_options::is_bind(*mount) || mount.get("type").as_str() == Some("bind"))
    })
}

/// The source of a mount, without the place where some hosts have /run.
fn source<'d>(mount: Value<'d>) -> Option<(&'d str, Value<'d>)> {
    let source = mount.get("source");
    Some((source.as_str()?, source))
}

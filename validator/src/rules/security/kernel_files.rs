//! Files of the kernel in /proc, /sys and cgroup filesystems: masked, read-only, or open.

use super::{SECURITY, has_user_namespace, is_below, is_container};
use crate::context::Context;
use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::{mount_options, namespaces};

/// Rules about files of the kernel.
pub(in crate::rules) static RULES: &[Rule] = &[
    Rule {
        id: "security/masked-paths",
        source: "the defaults of Docker, containerd and Podman; CVE-2018-10892 (/proc/acpi), \
                 keyrings(7), proc(5)",
        page: "Some files below /proc and /sys are not of a namespace and tell about, or change, \
               the whole machine: its memory (/proc/kcore), keys of other users (/proc/keys), \
               timers and tasks of all processes, the firmware. All engines mask them. List them \
               in `linux.maskedPaths`.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc"}], "linux": {"maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi"]}}"#,
            linux!("{}"),
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc"}], "linux": {"maskedPaths": ["/proc/acpi"]}}"#,
                "/linux/maskedPaths",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/sys", "type": "sysfs"}], "linux": {}}"#,
                "/linux",
            ),
        ],
        check: |context, found| {
            if !is_container(context) {
                return;
            }
            let missing: Vec<&str> = MASKED
                .into_iter()
                .filter(|path| shows(context, path).is_some())
                .filter(|path| !is_covered(context.linux.get("maskedPaths"), path))
                .collect();
            let [first, ..] = missing[..] else { return };
            let masked = context.linux.get("maskedPaths");
            let message = match missing.len() {
                1 => format!("{first} is not masked"),
                count => format!("{first} and {} others are not masked", count - 1),
            };
            let place = [masked, context.linux].into_iter().find(|one| one.is_set());
            found
                .lacking(place.unwrap_or(context.root), message)
                .help(format!(
                    "add to `linux.maskedPaths`: {}",
                    missing.join(", ")
                ));
        },
        ..SECURITY
    },
    Rule {
        id: "security/powercap-masked",
        severity: Severity::Note,
        source: "CVE-2020-8694 (PLATYPUS); masked by Docker 24 and Podman 4.6 and newer",
        page: "The power meter of the CPU tells what other containers compute, keys included, to \
               whoever reads it often enough. Add /sys/devices/virtual/powercap to \
               `linux.maskedPaths`.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/sys", "type": "sysfs"}], "linux": {"maskedPaths": ["/sys/devices/virtual/powercap"]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/sys", "type": "sysfs"}], "linux": {"maskedPaths": ["/sys/firmware"]}}"#,
            "/linux/maskedPaths",
        )],
        check: |context, found| {
            let path = "/sys/devices/virtual/powercap";
            let masked = context.linux.get("maskedPaths");
            // Where nothing is masked, `security/masked-paths` says so.
            if masked.is_set()
                && masked.items().next().is_some()
                && shows(context, path).is_some()
                && !is_covered(masked, path)
            {
                found.lacking(masked, format!("{path} is not masked"));
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/proc-sys-writable",
        severity: Severity::Error,
        source: "core(5): core_pattern; proc_sys_kernel(5): modprobe",
        page: "Root in the container can write the kernel's parameters. /proc/sys/kernel/core_pattern \
               and `modprobe` there name programs that the kernel runs as root on the host, so this \
               is an escape in one line of shell, without any capability. List /proc/sys in \
               `linux.readonlyPaths`; parameters that the container needs go to `linux.sysctl`.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc"}], "linux": {"readonlyPaths": ["/proc/sys"]}}"#,
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc"}], "linux": {"namespaces": [{"type": "user"}]}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc"}], "linux": {"readonlyPaths": ["/proc/bus"]}}"#,
                "/linux/readonlyPaths",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc"}], "linux": {}}"#,
                "/linux",
            ),
        ],
        check: |context, found| writable(context, &["/proc/sys"], found),
        ..SECURITY
    },
    Rule {
        id: "security/sysrq-writable",
        severity: Severity::Error,
        source: "Documentation/admin-guide/sysrq.rst",
        page: "A letter written to /proc/sysrq-trigger reboots the machine, kills its processes or \
               makes its disks read-only, and only root's rights on the file protect it. List it in \
               `linux.readonlyPaths`.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc"}], "linux": {"readonlyPaths": ["/proc/sysrq-trigger"]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc"}], "linux": {"readonlyPaths": ["/proc/sys"]}}"#,
            "/linux/readonlyPaths",
        )],
        check: |context, found| writable(context, &["/proc/sysrq-trigger"], found),
        ..SECURITY
    },
    Rule {
        id: "security/proc-writable",
        source: "the defaults of Docker, containerd and Podman; proc(5)",
        page: "Files in /proc/bus, /proc/fs and /proc/irq steer devices, filesystems and interrupts \
               of the whole machine, and root in the container can write them. List them in \
               `linux.readonlyPaths`.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc"}], "linux": {"readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq"]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc"}], "linux": {"readonlyPaths": ["/proc/bus", "/proc/fs"]}}"#,
            "/linux/readonlyPaths",
        )],
        check: |context, found| writable(context, &["/proc/bus", "/proc/fs", "/proc/irq"], found),
        ..SECURITY
    },
    Rule {
        id: "security/sysfs-writable",
        source: "sysfs(5); /sys/kernel/uevent_helper",
        page: "Root in the container can write /sys, which is the kernel's own: it switches devices \
               and CPUs off, changes how memory is handled, and where the kernel has uevent_helper, \
               names a program that runs as root on the host. Mount it with the option `ro`.",
        accepts: &[
            mount!(
                r#"{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "ro"]}"#
            ),
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/sys", "type": "sysfs"}], "linux": {"namespaces": [{"type": "user"}]}}"#,
        ],
        rejects: &[(
            mount!(
                r#"{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid"]}"#
            ),
            "/mounts/0",
        )],
        check: |context, found| {
            for mount in context.root.get("mounts").items() {
                if mount.get("type").as_str() == Some("sysfs")
                    && !is_readonly(mount)
                    && !is_covered(context.linux.get("readonlyPaths"), "/sys")
                    && !has_user_namespace(context)
                {
                    found
                        .lacking(mount, "/sys can be written in the container")
                        .help("add `\"ro\"` to its options");
                }
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/cgroup-writable",
        source: "cgroups(7): release_agent; CVE-2022-0492",
        page: "The container can write a hierarchy of cgroups that begins at the host's root: it \
               changes limits of others, and with cgroup v1 `release_agent` names a program that \
               runs as root on the host. Mount it with `ro`, or add a cgroup namespace, in which \
               the container sees its own part alone.",
        accepts: &[
            mount!(r#"{"destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["ro"]}"#),
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/sys/fs/cgroup", "type": "cgroup"}], "linux": {"namespaces": [{"type": "cgroup"}]}}"#,
        ],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["nosuid", "rw"]}"#
                ),
                "/mounts/0",
            ),
            (
                mount!(
                    r#"{"destination": "/cg", "type": "bind", "source": "/sys/fs/cgroup/systemd", "options": ["bind"]}"#
                ),
                "/mounts/0",
            ),
        ],
        check: |context, found| {
            let own = namespaces::entry(context.linux, "cgroup").is_some();
            for mount in context.root.get("mounts").items() {
                let source = mount.get("source").as_str().unwrap_or_default();
                let of_host = mount_options::is_bind(mount) && is_below(source, "/sys/fs/cgroup");
                let made = matches!(mount.get("type").as_str(), Some("cgroup" | "cgroup2")) && !own;
                if (of_host || made) && !is_readonly(mount) && !has_user_namespace(context) {
                    found
                        .lacking(mount, "cgroups of the host can be written in the container")
                        .help("add `\"ro\"` to its options, or a cgroup namespace");
                }
            }
        },
        ..SECURITY
    },
];

/// What all engines mask.
const MASKED: [&str; 9] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

/// The mount that shows a path of procfs or sysfs in the container.
fn shows<'d>(context: &Context<'d>, path: &str) -> Option<Value<'d>> {
    let mounts = context.root.get("mounts").items();
    let mut shown = mounts.filter(|mount| {
        let destination = mount.get("destination").as_str().unwrap_or_default();
        let of_kernel = matches!(mount.get("type").as_str(), Some("proc" | "sysfs"))
            || matches!(mount.get("source").as_str(), Some("/proc" | "/sys"));
        of_kernel && is_below(path, destination.trim_end_matches('/')) && destination.len() > 1
    });
    shown.next()
}

/// Whether a list of paths has the path, or one above it.
fn is_covered(paths: Value<'_>, path: &str) -> bool {
    paths
        .strings()
        .any(|(listed, _)| is_below(path, listed.trim_end_matches('/')) && listed.len() > 1)
}

pub(super) fn is_readonly(mount: Value<'_>) -> bool {
    // The last of the two holds, as mount(8) has it.
    let options = mount.get("options").strings();
    let last = options
        .filter(|(name, _)| matches!(*name, "ro" | "rw" | "rro" | "rrw"))
        .last();
    last.is_some_and(|(name, _)| name.ends_with("ro"))
}

/// Tells of paths in /proc that root in the container can write.
fn writable(context: &Context<'_>, paths: &[&str], found: &mut crate::rule::Found<'_>) {
    if !is_container(context) || has_user_namespace(context) {
        return;
    }
    let readonly = context.linux.get("readonlyPaths");
    let open = |path: &&&str| {
        shows(context, path).is_some_and(|mount| !is_readonly(mount))
            && !is_covered(readonly, path)
            && !is_covered(context.linux.get("maskedPaths"), path)
    };
    let Some(first) = paths.iter().find(open) else {
        return;
    };
    let place = [readonly, context.linux]
        .into_iter()
        .find(|one| one.is_set());
    let open: Vec<&str> = paths.iter().filter(open).copied().collect();
    found
        .lacking(
            place.unwrap_or(context.root),
            format!("{first} can be written in the container"),
        )
        .help(format!("add to `linux.readonlyPaths`: {}", open.join(", ")));
}

//! Devices of the host that the container reaches.

use super::{SECURITY, has_user_namespace, is_container};
use crate::document::Value;
use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::Rule;

/// Rules about devices.
pub(in crate::rules) static RULES: &[Rule] = &[
    Rule {
        id: "security/devices-all-allowed",
        kinds: &[DocumentKind::Config, DocumentKind::Resources],
        severity: Severity::Error,
        source: "cgroups(7), devices; the option --privileged of engines",
        page: "The container may use every device of the machine: with a node for a disk it mounts \
               the host's filesystems, with /dev/mem it reads all memory. Deny all, and allow each \
               device that is needed by its type and numbers.",
        accepts: &[
            resources!(
                r#"{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]}"#
            ),
            resources!(
                r#"{"devices": [{"allow": true, "access": "rwm"}, {"allow": false, "access": "rwm"}]}"#
            ),
        ],
        rejects: &[
            (
                resources!(
                    r#"{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "access": "rwm"}]}"#
                ),
                "/linux/resources/devices/1",
            ),
            (
                resources!(r#"{"devices": [{"allow": true, "type": "b", "access": "r"}]}"#),
                "/linux/resources/devices/0",
            ),
        ],
        check: |context, found| {
            let mut open = None;
            for rule in context.resources.get("devices").items() {
                let wide = number(rule, "major").is_none() && number(rule, "minor").is_none();
                match rule.get("allow").as_bool() {
                    Some(true) if wide && reads_or_writes(rule) && may_be(rule, "b") => {
                        open = Some(rule);
                    }
                    Some(false) if wide && its_type(rule).is_none() => open = None,
                    _ => {}
                }
            }
            if let Some(rule) = open {
                let draft = found.at(rule, "every disk of the host is open to the container");
                if has_user_namespace(context) {
                    draft
                        .help("in a user namespace nodes cannot be made, but those that are there can be used")
                        .only(Severity::Warning);
                }
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/devices-not-denied",
        source: "config-linux.md, Allowed Device list; cgroups(7): devices.allow is `a` at first",
        page: "Without a rule that denies all devices runtimes leave the parent's rules in force, \
               which are those of the host: everything is allowed. Begin the list with \
               `{\"allow\": false, \"access\": \"rwm\"}`; runtimes allow the usual devices \
               themselves.",
        accepts: &[resources!(
            r#"{"devices": [{"allow": false, "access": "rwm"}]}"#
        )],
        rejects: &[
            (resources!(r#"{"devices": []}"#), "/linux/resources/devices"),
            (linux!("{}"), "/linux"),
        ],
        check: |context, found| {
            if !is_container(context) || has_user_namespace(context) {
                return;
            }
            let devices = context.resources.get("devices");
            // Where all are allowed in so many words, the rule before says so.
            let says_all = devices.items().any(|rule| {
                its_type(rule).is_none()
                    && number(rule, "major").is_none()
                    && number(rule, "minor").is_none()
            });
            if !says_all {
                let places = [devices, context.resources, context.linux];
                let place = places.into_iter().find(|one| one.is_set());
                found
                    .lacking(place.unwrap_or(context.root), "no rule denies the host's devices")
                    .help("begin `linux.resources.devices` with `{\"allow\": false, \"access\": \"rwm\"}`");
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/device-disk",
        kinds: &[DocumentKind::Config, DocumentKind::Resources],
        source: "proc(5): /proc/devices; sd(4)",
        page: "The container may read or write a block device. Below the filesystem there are no \
               owners and modes: whoever reads a disk reads every file on it, and a filesystem \
               image of the container's making is parsed by the host's kernel. Mount the \
               filesystem on the host and bind it.",
        accepts: &[resources!(
            r#"{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "b", "major": 8, "minor": 0, "access": "m"}]}"#
        )],
        rejects: &[
            (
                resources!(
                    r#"{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "b", "major": 8, "minor": 0, "access": "r"}]}"#
                ),
                "/linux/resources/devices/1",
            ),
            (
                linux!(
                    r#"{"devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}, {"path": "/dev/sda", "type": "b", "major": 8, "minor": 0}]}"#
                ),
                "/linux/devices/1",
            ),
        ],
        check: |context, found| {
            for rule in context.resources.get("devices").items() {
                let one = number(rule, "major").is_some();
                if rule.get("allow").as_bool() == Some(true)
                    && one
                    && its_type(rule) == Some("b")
                    && reads_or_writes(rule)
                {
                    found.at(rule, "the container may use a disk of the host");
                }
            }
            // A privileged container has nodes for everything: one finding for all of them.
            let mut disks = context
                .linux
                .get("devices")
                .items()
                .filter(|one| its_type(*one) == Some("b"));
            if let Some(first) = disks.next() {
                let path = first.get("path").as_str().unwrap_or_default();
                let message = match disks.count() {
                    0 => format!("the container has the block device {path}"),
                    others => {
                        format!("the container has the block device {path} and {others} others")
                    }
                };
                found.at(first, message);
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/device-memory",
        kinds: &[DocumentKind::Config, DocumentKind::Resources],
        severity: Severity::Error,
        source: "mem(4): /dev/mem, /dev/kmem, /dev/port",
        page: "/dev/mem, /dev/kmem and /dev/port are the machine's memory and its I/O ports. \
               Whoever opens them is the kernel.",
        accepts: &[resources!(
            r#"{"devices": [{"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]}"#
        )],
        rejects: &[
            (
                resources!(
                    r#"{"devices": [{"allow": true, "type": "c", "major": 1, "minor": 1, "access": "rw"}]}"#
                ),
                "/linux/resources/devices/0",
            ),
            (
                linux!(
                    r#"{"devices": [{"path": "/dev/port", "type": "c", "major": 1, "minor": 4}]}"#
                ),
                "/linux/devices/0",
            ),
        ],
        check: |context, found| {
            let allowed = context.resources.get("devices").items();
            let allowed = allowed.filter(|rule| rule.get("allow").as_bool() == Some(true));
            for device in allowed.chain(context.linux.get("devices").items()) {
                if is_character(device, 1, &[1, 2, 4]) {
                    found.at(
                        device,
                        "the container may use the memory or the ports of the machine",
                    );
                }
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/device-kernel-log",
        source: "/dev/kmsg: Documentation/ABI/testing/dev-kmsg",
        page: "/dev/kmsg is the kernel's log: reading it shows what happens on the whole machine \
               and addresses of the kernel, writing it forges entries. Kubernetes' own nodes in \
               containers want it; programs do not.",
        accepts: &[linux!(
            r#"{"devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]}"#
        )],
        rejects: &[(
            linux!(r#"{"devices": [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]}"#),
            "/linux/devices/0",
        )],
        check: |context, found| {
            for device in context.linux.get("devices").items() {
                if is_character(device, 1, &[11]) {
                    found.at(device, "the container has the kernel's log");
                }
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/device-virtual-machine",
        severity: Severity::Note,
        source: "kvm: Documentation/virt/kvm/api.rst; vhost",
        page: "/dev/kvm, /dev/vhost-net and /dev/vhost-vsock let a container run virtual machines. \
               They open large parts of the kernel that containers do not reach otherwise.",
        accepts: &[linux!(
            r#"{"devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]}"#
        )],
        rejects: &[(
            linux!(
                r#"{"devices": [{"path": "/dev/kvm", "type": "c", "major": 10, "minor": 232}]}"#
            ),
            "/linux/devices/0",
        )],
        check: |context, found| {
            for device in context.linux.get("devices").items() {
                if is_character(device, 10, &[232, 238, 241]) {
                    found.at(device, "the container can run virtual machines");
                }
            }
        },
        ..SECURITY
    },
];

/// The type of a rule or device; `None` for all types.
fn its_type<'d>(device: Value<'d>) -> Option<&'d str> {
    device
        .get("type")
        .as_str()
        .filter(|name| !matches!(*name, "a" | ""))
}

/// A number of a rule; `None` for all numbers, as -1 is read too.
fn number(device: Value<'_>, name: &str) -> Option<i128> {
    device.get(name).as_integer().filter(|number| *number != -1)
}

fn may_be(rule: Value<'_>, one: &str) -> bool {
    its_type(rule).is_none_or(|its_type| its_type == one)
}

/// Whether the access is more than making nodes.
fn reads_or_writes(rule: Value<'_>) -> bool {
    let access = rule.get("access").as_str();
    access.is_some_and(|access| access.contains(['r', 'w']))
}

fn is_character(device: Value<'_>, major: i128, minors: &[i128]) -> bool {
    matches!(its_type(device), Some("c" | "u"))
        && number(device, "major") == Some(major)
        && number(device, "minor").is_some_and(|minor| minors.contains(&minor))
}

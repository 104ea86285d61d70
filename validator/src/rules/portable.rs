//! The profile `portable`: what runc, crun and youki all accept and do.
//!
//! What they do was read in their sources and, where that left a doubt, tried: runc 1.5.1, youki
//! 0.7.0, and crun as of its main branch at that time.

mod table;

use crate::document::{Kind, Value};
use crate::finding::Severity;
use crate::options::{DocumentKind, Profile};
use crate::rule::Rule;
use crate::rules::{mount_options, namespaces, places};
use table::{Does, MOUNT_OPTIONS, PROPERTIES, RUNTIMES};

const PORTABLE: Rule = Rule {
    profile: Profile::Portable,
    ..Rule::SPEC
};

/// Rules about what runtimes have in common.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "portable/property",
        kinds: &[
            DocumentKind::Config,
            DocumentKind::Process,
            DocumentKind::Resources,
            DocumentKind::Seccomp,
        ],
        source: "the sources of runc 1.5.1, crun (main) and youki 0.7.0",
        page: "Not every runtime has every property. One that a runtime refuses makes the config \
               fail there (error); one that it ignores leaves the container without what was asked \
               for, and nobody says so (warning); and some are of one version of cgroups alone, or \
               come at another time than the specification has it (note). The message names the \
               runtimes. Leave the property out, or do not count on it: where it limits something, \
               set the limit in a way that all three know.",
        accepts: &[
            resources!(r#"{"memory": {"limit": 1048576, "disableOOMKiller": false}}"#),
            process_with!(r#""terminal": true"#),
        ],
        rejects: &[
            (
                process_with!(r#""terminal": true, "consoleSize": {"height": 25, "width": 80}"#),
                "/process/consoleSize",
            ),
            (
                resources!(r#"{"rdma": {"mlx5_1": {"hcaHandles": 3}}}"#),
                "/linux/resources/rdma",
            ),
            (
                resources!(r#"{"memory": {"disableOOMKiller": true}}"#),
                "/linux/resources/memory/disableOOMKiller",
            ),
            (
                resources!(r#"{"cpu": {"realtimePeriod": 1000000}}"#),
                "/linux/resources/cpu/realtimePeriod",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "vm": {"kernel": {"path": "/vmlinuz"}}}"#,
                "/vm",
            ),
        ],
        check: |context, found| {
            for (place, does) in PROPERTIES {
                places::each(context, place, &mut |value| {
                    // No swapping at all is a limit too.
                    let zero_counts = *place == "linux.resources.memory.swappiness";
                    if places::asks(value) || (zero_counts && value.as_integer() == Some(0)) {
                        let name = value.key().unwrap_or_default();
                        found
                            .at_name(value, format!("`{name}`: {}", told(does)))
                            .only(severity(does));
                    }
                });
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/mount-option",
        severity: Severity::Warning,
        source: "the tables of mount options in runc 1.5.1, crun (main) and youki 0.7.0; tmpcopyup \
                 with youki 0.7.0 was tried",
        page: "An option that a runtime does not know goes to the filesystem with the data of the \
               mount. Most filesystems refuse what they do not know, and the container does not \
               start; bind mounts look at no data, and the option has no effect. youki refuses \
               every mount with `idmap` or `ridmap`. Leave the option out, or write what all three \
               know: a tmpfs that begins with the files of the image needs them copied by the \
               process itself.",
        accepts: &[mount!(
            r#"{"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=1m"]}"#
        )],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "tmpcopyup"]}"#
                ),
                "/mounts/0/options/1",
            ),
            (
                mount!(
                    r#"{"destination": "/t", "type": "bind", "source": "/srv", "options": ["bind", "rnosymfollow"]}"#
                ),
                "/mounts/0/options/1",
            ),
        ],
        check: |context, found| {
            for mount in context.root.get("mounts").items() {
                for (name, option) in mount.get("options").strings() {
                    let Some((_, crun, youki)) =
                        MOUNT_OPTIONS.iter().find(|(known, ..)| *known == name)
                    else {
                        continue;
                    };
                    if !youki && matches!(name, "idmap" | "ridmap") {
                        found
                            .at(option, format!("youki refuses mounts with `{name}`"))
                            .only(Severity::Error);
                        continue;
                    }
                    let who = match (crun, youki) {
                        (false, false) => "crun and youki do",
                        (false, true) => "crun does",
                        (true, _) => "youki does",
                    };
                    let draft = found.at(option, format!("{who} not know the option `{name}`"));
                    if mount_options::is_bind(mount) {
                        draft.help("on a bind mount it has no effect there");
                    } else {
                        draft.help("it goes to the filesystem, which refuses the mount if it does not know it");
                    }
                }
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/mount-propagation",
        severity: Severity::Warning,
        source: "youki 0.7.0 hands the flags of propagation to mount(2) together with MS_BIND, which \
                 then ignores them",
        page: "youki ignores the propagation of bind mounts: `rshared` and `rslave` have no effect, \
               and mounts do not come through. With runc and crun they do.",
        accepts: &[mount!(
            r#"{"destination": "/t", "type": "bind", "source": "/srv", "options": ["rbind", "rprivate"]}"#
        )],
        rejects: &[(
            mount!(
                r#"{"destination": "/t", "type": "bind", "source": "/srv", "options": ["rbind", "rslave"]}"#
            ),
            "/mounts/0/options/1",
        )],
        check: |context, found| {
            let mounts = context.root.get("mounts").items();
            for mount in mounts.filter(|mount| mount_options::is_bind(*mount)) {
                for (name, option) in mount.get("options").strings() {
                    if matches!(
                        name,
                        "shared" | "rshared" | "slave" | "rslave" | "unbindable" | "runbindable"
                    ) {
                        found.at(option, format!("youki ignores `{name}` on a bind mount"));
                    }
                }
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/process-present",
        severity: Severity::Error,
        source: "runc 1.5.1, crun (main) and youki 0.7.0 fail in create",
        page: "The specification asks for `process` when the container is started; runc, crun and \
               youki ask for it already when it is created. Write it.",
        accepts: &[process!(r#"{"cwd": "/", "args": ["sh"]}"#)],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "linux": {}}"#,
            "",
        )],
        check: |context, found| {
            if context.root.kind() == Kind::Object && !context.process.is_set() {
                found
                    .lacking(context.root, "runc, crun and youki refuse a config without `process`")
                    .help("`\"process\": {\"cwd\": \"/\", \"args\": [\"sh\"], \"user\": {\"uid\": 0, \"gid\": 0}}`");
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/uts-namespace",
        severity: Severity::Error,
        source: "runc 1.1.5, crun 1.8.1 and youki 0.7.0 were tried",
        page: "The specification lets a runtime rename the host where the container has no UTS \
               namespace of its own. runc, crun and youki refuse such a config. Add \
               `{\"type\": \"uts\"}` to `linux.namespaces`, or leave the name out.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hostname": "web", "linux": {"namespaces": [{"type": "uts"}]}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hostname": "web", "linux": {}}"#,
                "/hostname",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "domainname": "d", "linux": {}}"#,
                "/domainname",
            ),
        ],
        check: |context, found| {
            if !context.is_linux() || namespaces::entry(context.linux, "uts").is_some() {
                return;
            }
            for name in ["hostname", "domainname"] {
                let value = context.root.get(name);
                if places::asks(value) {
                    found
                        .at_name(
                            value,
                            format!("runc, crun and youki refuse `{name}` without a UTS namespace"),
                        )
                        .help("add `{\"type\": \"uts\"}` to `linux.namespaces`");
                }
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/user-namespace",
        severity: Severity::Error,
        source: "config validation of runc 1.5.1 and youki 0.7.0",
        page: "A new user namespace and its mappings belong together for runc and youki: they \
               refuse the namespace without `uidMappings` and `gidMappings`, and the mappings \
               without the namespace. crun makes up a mapping where there is none.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
        )],
        rejects: &[
            (
                linux!(r#"{"namespaces": [{"type": "user"}]}"#),
                "/linux/namespaces/0",
            ),
            (
                linux!(r#"{"uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#),
                "/linux/uidMappings",
            ),
        ],
        check: |context, found| {
            let mappings = ["uidMappings", "gidMappings"].map(|name| context.linux.get(name));
            let mapped = mappings.map(places::asks);
            match namespaces::entry(context.linux, "user") {
                Some(user) if namespaces::is_new(user) && mapped != [true, true] => {
                    found.lacking(
                        user,
                        "runc and youki refuse a new user namespace without mappings of both kinds",
                    );
                }
                None => {
                    if let Some(first) = mappings.into_iter().find(|one| places::asks(*one)) {
                        found
                            .at_name(
                                first,
                                "runc and youki refuse mappings without a user namespace",
                            )
                            .help("add `{\"type\": \"user\"}` to `linux.namespaces`");
                    }
                }
                Some(_) => {}
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/mount-namespace",
        severity: Severity::Error,
        source: "config validation of runc 1.5.1 and youki 0.7.0",
        page: "Masked and read-only paths are mounts. Without a mount namespace of the container's \
               own they would be mounts of the host, and runc and youki refuse them. Add \
               `{\"type\": \"mount\"}` to `linux.namespaces`.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "mount"}], "maskedPaths": ["/proc/kcore"]}"#
        )],
        rejects: &[(
            linux!(r#"{"namespaces": [{"type": "pid"}], "maskedPaths": ["/proc/kcore"]}"#),
            "/linux/maskedPaths",
        )],
        check: |context, found| {
            if namespaces::entry(context.linux, "mount").is_some() {
                return;
            }
            for name in ["maskedPaths", "readonlyPaths"] {
                let paths = context.linux.get(name);
                if places::asks(paths) {
                    found
                        .at_name(
                            paths,
                            format!("runc and youki refuse `{name}` without a mount namespace"),
                        )
                        .help("add `{\"type\": \"mount\"}` to `linux.namespaces`");
                }
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/sysctl",
        severity: Severity::Error,
        source: "config validation of runc 1.5.1 and youki 0.7.0",
        page: "runc and youki have a list of the kernel parameters that they know to be of a \
               namespace: those below `net`, the limits of System V IPC, `fs.mqueue` and \
               `kernel.domainname`. They refuse others, also such as belong to a namespace in \
               newer kernels. `kernel.hostname` they refuse because `hostname` is there for it.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "ipc"}], "sysctl": {"kernel.shmmax": "1048576"}}"#
        )],
        rejects: &[
            (
                linux!(r#"{"namespaces": [{"type": "uts"}], "sysctl": {"kernel.hostname": "a"}}"#),
                "/linux/sysctl/kernel.hostname",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "pid"}], "sysctl": {"kernel/pid_max": "1000"}}"#
                ),
                "/linux/sysctl/kernel~1pid_max",
            ),
        ],
        check: |context, found| {
            for (name, value) in context.linux.get("sysctl").members() {
                if is_allowed_sysctl(name) {
                    continue;
                }
                let draft = found.at_name(value, format!("runc and youki refuse to set {name:?}"));
                if matches!(name, "kernel.hostname" | "kernel/hostname") {
                    draft.help("write it as `hostname`");
                } else {
                    draft.help("set it on the host, or leave it out");
                }
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/scheduler-flag",
        kinds: &[DocumentKind::Config, DocumentKind::Process],
        severity: Severity::Error,
        source: "youki 0.7.0 was tried: it knows the flags as SCHED_RESET_ON_FORK and \
                 SCHED_FLAG_D_L_OVERRUN, which no other runtime does",
        page: "youki cannot read a config with these two flags, since it spells them otherwise. \
               runc and crun take them as the specification has them. Leave them out where the \
               config has to run with youki.",
        accepts: &[process_with!(
            r#""scheduler": {"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RECLAIM"]}"#
        )],
        rejects: &[(
            process_with!(
                r#""scheduler": {"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}"#
            ),
            "/process/scheduler/flags/0",
        )],
        check: |context, found| {
            for (name, flag) in context.process.get("scheduler").get("flags").strings() {
                if matches!(name, "SCHED_FLAG_RESET_ON_FORK" | "SCHED_FLAG_DL_OVERRUN") {
                    found.at(flag, format!("youki cannot read the flag {name}"));
                }
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/seccomp-notify",
        kinds: &[DocumentKind::Config, DocumentKind::Seccomp],
        severity: Severity::Error,
        source: "seccomp of runc 1.5.1 and youki 0.7.0",
        page: "The runtime hands the listener's descriptor on after the filter is in force, with \
               write(2) and others. With SCMP_ACT_NOTIFY as default action or for `write` it would \
               wait for itself; runc and youki refuse that. Notify of the calls that the listener \
               decides on, by name.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/l", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]}"#
        )],
        rejects: &[
            (
                seccomp!(r#"{"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/l"}"#),
                "/linux/seccomp/defaultAction",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/l", "syscalls": [{"names": ["mount", "write"], "action": "SCMP_ACT_NOTIFY"}]}"#
                ),
                "/linux/seccomp/syscalls/0/names/1",
            ),
        ],
        check: |context, found| {
            let default = context.seccomp.get("defaultAction");
            if default.as_str() == Some("SCMP_ACT_NOTIFY") {
                found.at(default, "runc and youki refuse to notify by default");
            }
            for rule in context.seccomp.get("syscalls").items() {
                if rule.get("action").as_str() == Some("SCMP_ACT_NOTIFY")
                    && let Some((_, write)) = rule
                        .get("names")
                        .strings()
                        .find(|(name, _)| *name == "write")
                {
                    found.at(write, "runc and youki refuse to notify of `write`");
                }
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/seccomp-masked",
        kinds: &[DocumentKind::Config, DocumentKind::Seccomp],
        severity: Severity::Warning,
        source: "youki 0.7.0 gives libseccomp the value as datum and `valueTwo` as mask",
        page: "With SCMP_CMP_MASKED_EQ `value` is the mask and `valueTwo` what the masked argument \
               is compared with. youki takes the two the other way round, so that the rule holds \
               for other arguments there: the usual rule that lets clone(2) through without flags \
               for namespaces lets nothing through. There is no way to write it that all three \
               read alike, unless the two are equal.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 17, "valueTwo": 17, "op": "SCMP_CMP_MASKED_EQ"}]}]}"#
        )],
        rejects: &[(
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}]}]}"#
            ),
            "/linux/seccomp/syscalls/0/args/0/op",
        )],
        check: |context, found| {
            let rules = context.seccomp.get("syscalls").items();
            for argument in rules.flat_map(|rule| rule.get("args").items()) {
                let operator = argument.get("op");
                let number = |name| argument.get(name).as_integer().unwrap_or(0);
                if operator.as_str() == Some("SCMP_CMP_MASKED_EQ")
                    && number("value") != number("valueTwo")
                {
                    found.at(
                        operator,
                        "youki takes mask and value of SCMP_CMP_MASKED_EQ the wrong way round",
                    );
                }
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/seccomp-libseccomp",
        kinds: &[DocumentKind::Config, DocumentKind::Seccomp],
        severity: Severity::Note,
        source: "release notes of libseccomp 2.6.0",
        page: "runc, crun and youki leave seccomp to libseccomp. Architectures and flags that came \
               with its version 2.6 are refused where an older one is installed, as most \
               distributions have it.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_RISCV64"]}"#
        )],
        rejects: &[
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_LOONGARCH64"]}"#
                ),
                "/linux/seccomp/architectures/1",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}"#
                ),
                "/linux/seccomp/flags/0",
            ),
        ],
        check: |context, found| {
            let lists = ["architectures", "flags"].map(|name| context.seccomp.get(name));
            for (name, value) in lists.into_iter().flat_map(Value::strings) {
                if LIBSECCOMP_2_6.contains(&name) {
                    found.at(
                        value,
                        format!("runc, crun and youki need libseccomp 2.6 for {name}"),
                    );
                }
            }
        },
        ..PORTABLE
    },
    Rule {
        id: "portable/version",
        severity: Severity::Error,
        source: "config validation of youki 0.7.0",
        page: "youki reads configs of versions that begin with `1.` and refuses others; runc and \
               crun do not look. Write the version of the specification that the config needs.",
        accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#],
        rejects: &[(
            r#"{"ociVersion": "2.0.0", "root": {"path": "rootfs"}}"#,
            "/ociVersion",
        )],
        check: |context, found| {
            let version = context.root.get("ociVersion");
            if let Some(text) = version.as_str()
                && !text.starts_with("1.")
            {
                found.at(
                    version,
                    "youki refuses versions that do not begin with `1.`",
                );
            }
        },
        ..PORTABLE
    },
];

/// Architectures and flags that libseccomp has since 2.6.0.
const LIBSECCOMP_2_6: [&str; 5] = [
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];

/// Kernel parameters below `kernel` that runc and youki let pass.
const KERNEL_SYSCTLS: [&str; 9] = [
    "msgmax",
    "msgmnb",
    "msgmni",
    "sem",
    "shmall",
    "shmmax",
    "shmmni",
    "shm_rmid_forced",
    "domainname",
];

/// Whether runc and youki let it pass, given its namespace; what the host alone has is the
/// business of `sysctl/namespaced`.
fn is_allowed_sysctl(name: &str) -> bool {
    let Some((first, rest)) = name.split_once(['.', '/']) else {
        return true;
    };
    match first {
        "kernel" => {
            let of_a_namespace = [
                "hostname",
                "pid_max",
                "ns_last_pid",
                "msg_next_id",
                "sem_next_id",
                "shm_next_id",
                "auto_msgmni",
            ];
            KERNEL_SYSCTLS.contains(&rest) || !of_a_namespace.contains(&rest)
        }
        "vm" => rest != "memfd_noexec",
        _ => true,
    }
}

/// How bad it is that the runtimes do that.
fn severity(does: &[Does; 3]) -> Severity {
    let severity = |does: &Does| match does {
        Does::Refuses => Severity::Error,
        Does::Ignores | Does::IgnoresAndRefusesOnV2 => Severity::Warning,
        _ => Severity::Note,
    };
    does.iter().map(severity).max().unwrap_or(Severity::Note)
}

/// What the runtimes do, in words: those that do the same stand together.
fn told(does: &[Does; 3]) -> String {
    let mut parts = Vec::new();
    for (place, one) in does.iter().enumerate() {
        if *one == Does::Applies || does[..place].contains(one) {
            continue;
        }
        let same: Vec<&str> = RUNTIMES
            .iter()
            .zip(does)
            .filter(|(_, other)| *other == one)
            .map(|(name, _)| *name)
            .collect();
        let (who, many) = match same[..] {
            [first] => (first.to_owned(), false),
            [first, second] => (format!("{first} and {second}"), true),
            _ => ("runc, crun and youki".to_owned(), true),
        };
        parts.push(format!("{who} {}", verb(*one, many)));
    }
    parts.join("; ")
}

fn verb(does: Does, many: bool) -> String {
    let s = if many { "" } else { "s" };
    match does {
        Does::Applies => format!("applie{s} it"),
        Does::Ignores => format!("ignore{s} it"),
        Does::Refuses => format!("refuse{s} it"),
        Does::OnV1 => format!("ignore{s} it with cgroup v2"),
        Does::OnV1RefusesOnV2 => format!("refuse{s} it with cgroup v2"),
        Does::IgnoresAndRefusesOnV2 => {
            format!("ignore{s} it with cgroup v1 and refuse{s} it with v2")
        }
        Does::OnV2 => format!("ignore{s} it with cgroup v1"),
        Does::OnV2RefusesOnV1 => format!("refuse{s} it with cgroup v1"),
        Does::Partly => format!("use{s} it for a part of what it is for"),
        Does::OtherTime => format!("run{s} them during create"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Does::{Applies, Ignores, OnV1, OnV1RefusesOnV2, Refuses};

    #[test]
    fn runtimes_that_do_the_same_stand_together() {
        assert_eq!(
            told(&[Applies, Ignores, Ignores]),
            "crun and youki ignore it"
        );
        assert_eq!(told(&[Applies, Applies, Refuses]), "youki refuses it");
        assert_eq!(told(&[Ignores; 3]), "runc, crun and youki ignore it");
        assert_eq!(
            told(&[OnV1, OnV1RefusesOnV2, OnV1RefusesOnV2]),
            "runc ignores it with cgroup v2; crun and youki refuse it with cgroup v2"
        );
    }

    #[test]
    fn a_property_is_in_the_table_once_and_not_applied_by_all() {
        for (place, (name, does)) in PROPERTIES.iter().enumerate() {
            assert!(does.iter().any(|one| *one != Applies), "{name}");
            assert!(
                PROPERTIES[..place].iter().all(|(other, _)| other != name),
                "{name}"
            );
        }
    }
}

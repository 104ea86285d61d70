//! `linux.sysctl` (config-linux.md, Sysctl).

use std::collections::HashMap;

use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::namespaces;

/// Rules about kernel parameters.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "sysctl/name",
        clauses: &["config-linux.sysctl.effect"],
        page: "A key is the name of a kernel parameter as sysctl(8) has it: its path below \
               /proc/sys, with dots or slashes between the parts (`net.ipv4.ip_forward`). An empty \
               part, or `.` and `..` between slashes, names no parameter.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "network"}], "sysctl": {"net/ipv4/conf/eth0.1/forwarding": "1"}}"#
        )],
        rejects: &[
            (
                linux!(
                    r#"{"namespaces": [{"type": "network"}], "sysctl": {"net.ipv4..ip_forward": "1"}}"#
                ),
                "/linux/sysctl/net.ipv4..ip_forward",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "network"}], "sysctl": {"net/../kernel/panic": "1"}}"#
                ),
                "/linux/sysctl/net~1..~1kernel~1panic",
            ),
        ],
        check: |context, found| {
            for (name, value) in context.linux.get("sysctl").members() {
                if !is_name(name) {
                    found
                        .at_name(value, format!("{name:?} is no name of a kernel parameter"))
                        .help("its path below /proc/sys, with dots between: `net.ipv4.ip_forward`");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "sysctl/namespaced",
        clauses: &["config-linux.sysctl.not-namespaced"],
        page: "A container has kernel parameters of its own only where it has a namespace of its \
               own: those below `net` with a network namespace, System V IPC and message queues \
               with an IPC namespace, host name and domain name with a UTS namespace, `user` with \
               a user namespace. Without the namespace the parameter is one that the container \
               shares with the host; most runtimes refuse it. Every other parameter is the host's \
               alone, and a runtime has to refuse to set it. Add the namespace, or set the \
               parameter on the host.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "network", "path": "/run/netns/a"}, {"type": "ipc"}], "sysctl": {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1", "fs.mqueue.msg_max": "10"}}"#
        )],
        rejects: &[
            (
                linux!(
                    r#"{"namespaces": [{"type": "ipc"}], "sysctl": {"net.ipv4.ip_forward": "1"}}"#
                ),
                "/linux/sysctl/net.ipv4.ip_forward",
            ),
            (
                linux!(r#"{"namespaces": [{"type": "ipc"}], "sysctl": {"vm.swappiness": "1"}}"#),
                "/linux/sysctl/vm.swappiness",
            ),
        ],
        check: |context, found| {
            let parameters = context.linux.get("sysctl");
            if parameters.members().next().is_none() {
                return;
            }
            let own = ["network", "ipc", "uts", "user", "pid"].map(|its_type| {
                (
                    its_type,
                    namespaces::entry(context.linux, its_type).is_some(),
                )
            });
            for (name, value) in parameters.members() {
                if !is_name(name) {
                    continue;
                }
                match namespace_of(name) {
                    None => {
                        found
                            .at_name(
                                value,
                                format!(
                                    "{name} belongs to no namespace: this would change the host"
                                ),
                            )
                            .help("set it on the host, not for a container");
                    }
                    Some(its_type) if own.contains(&(its_type, false)) => {
                        found
                            .at_name(
                                value,
                                format!(
                                    "no {its_type} namespace of its own: {name} would be the host's"
                                ),
                            )
                            .help(format!(
                                "add `{{\"type\": \"{its_type}\"}}` to `linux.namespaces`"
                            ))
                            // It does apply to the container, if not to it alone.
                            .only(Severity::Warning);
                    }
                    Some(_) => {}
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "sysctl/unique",
        severity: Severity::Warning,
        source: "sysctl(8): dots and slashes are both separators",
        page: "Two keys name one parameter, once with dots and once with slashes. Objects of JSON \
               have no order, so which value holds is left to chance.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "network"}], "sysctl": {"net.ipv4.conf.eth0/1.forwarding": "1", "net/ipv4/conf/eth0/forwarding": "1"}}"#
        )],
        rejects: &[(
            linux!(
                r#"{"namespaces": [{"type": "network"}], "sysctl": {"net.ipv4.conf.eth0/1.forwarding": "1", "net/ipv4/conf/eth0.1/forwarding": "1"}}"#
            ),
            "/linux/sysctl/net~1ipv4~1conf~1eth0.1~1forwarding",
        )],
        check: |context, found| {
            let parameters = context.linux.get("sysctl");
            // Keys with slashes alone are compared: two with dots are one key twice, which the
            // reader tells.
            if !parameters
                .members()
                .any(|(name, _)| separator(name) == Some('/'))
            {
                return;
            }
            let mut seen = HashMap::new();
            for (name, value) in parameters.members() {
                let path: String = letters(name).collect();
                if let Some(first) = seen.insert(path, value) {
                    found
                        .at_name(
                            value,
                            format!("{name:?} is set already, under another name"),
                        )
                        .related(first, "the first one");
                }
            }
        },
        ..Rule::SPEC
    },
];

/// Parameters (or, with a slash at the end, all below a directory) and the namespace that they
/// belong to. Those of the pid namespace do so in newer kernels.
const NAMESPACED: &[(&str, &str)] = &[
    ("net/", "network"),
    ("kernel/shm_rmid_forced", "ipc"),
    ("kernel/shmall", "ipc"),
    ("kernel/shmmax", "ipc"),
    ("kernel/shmmni", "ipc"),
    ("kernel/shm_next_id", "ipc"),
    ("kernel/msgmax", "ipc"),
    ("kernel/msgmnb", "ipc"),
    ("kernel/msgmni", "ipc"),
    ("kernel/msg_next_id", "ipc"),
    ("kernel/auto_msgmni", "ipc"),
    ("kernel/sem", "ipc"),
    ("kernel/sem_next_id", "ipc"),
    ("fs/mqueue/", "ipc"),
    ("kernel/hostname", "uts"),
    ("kernel/domainname", "uts"),
    ("user/", "user"),
    ("kernel/ns_last_pid", "pid"),
    ("kernel/pid_max", "pid"),
    ("vm/memfd_noexec", "pid"),
];

/// The namespace that a parameter belongs to.
fn namespace_of(name: &str) -> Option<&'static str> {
    NAMESPACED
        .iter()
        .find(|(known, _)| {
            let mut letters = letters(name);
            let begins = known.chars().all(|letter| letters.next() == Some(letter));
            begins && (known.ends_with('/') || letters.next().is_none())
        })
        .map(|(_, its_type)| *its_type)
}

/// The separator that comes first is the separator; the other one stands for it.
fn separator(name: &str) -> Option<char> {
    name.chars().find(|letter| matches!(letter, '.' | '/'))
}

/// The letters of the path below /proc/sys.
fn letters(name: &str) -> impl Iterator<Item = char> {
    let dots = separator(name) == Some('.');
    name.chars().map(move |letter| match letter {
        '.' if dots => '/',
        '/' if dots => '.',
        other => other,
    })
}

fn is_name(name: &str) -> bool {
    let Some(separator) = separator(name) else {
        return false;
    };
    // In a name with dots a slash stands for a dot within a part.
    name.split(separator).all(|part| {
        let climbs = match separator {
            '.' => matches!(part, "/" | "//"),
            _ => matches!(part, "." | ".."),
        };
        !part.is_empty() && !climbs && !part.contains('\0')
    })
}

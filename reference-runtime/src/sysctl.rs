//! `linux.sysctl`: kernel parameters, those alone that belong to a namespace of the container.

use crate::document::Node;
use crate::error::{PlaceContext, Result};
use crate::namespaces::Namespaces;
use crate::procfs::Procfs;
use crate::sys::process::{CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUSER, CLONE_NEWUTS};

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sysctl {
    /// Below /proc.
    path: String,
    value: String,
    pointer: String,
}

/// Parameters (or, with a slash at the end, all below a directory) and the namespace that they belong to.
const NAMESPACED: &[(&str, u64, &str)] = &[
    ("kernel/auto_msgmni", CLONE_NEWIPC, "ipc"),
    ("kernel/msg_next_id", CLONE_NEWIPC, "ipc"),
    ("kernel/msgmax", CLONE_NEWIPC, "ipc"),
    ("kernel/msgmnb", CLONE_NEWIPC, "ipc"),
    ("kernel/msgmni", CLONE_NEWIPC, "ipc"),
    ("kernel/sem", CLONE_NEWIPC, "ipc"),
    ("kernel/sem_next_id", CLONE_NEWIPC, "ipc"),
    ("kernel/shm_next_id", CLONE_NEWIPC, "ipc"),
    ("kernel/shm_rmid_forced", CLONE_NEWIPC, "ipc"),
    ("kernel/shmall", CLONE_NEWIPC, "ipc"),
    ("kernel/shmmax", CLONE_NEWIPC, "ipc"),
    ("kernel/shmmni", CLONE_NEWIPC, "ipc"),
    ("fs/mqueue/", CLONE_NEWIPC, "ipc"),
    ("net/", CLONE_NEWNET, "network"),
    ("kernel/hostname", CLONE_NEWUTS, "uts"),
    ("kernel/domainname", CLONE_NEWUTS, "uts"),
    ("user/", CLONE_NEWUSER, "user"),
];

/// Reads the property. A parameter of the whole host is an error.
pub(crate) fn plan(linux: Option<&Node<'_>>, namespaces: &Namespaces) -> Result<Vec<Sysctl>> {
    let Some(linux) = linux else {
        return Ok(Vec::new());
    };
    let Some(map) = linux.object("sysctl")? else {
        return Ok(Vec::new());
    };
    let mut sysctls = Vec::new();
    for (name, value) in linux.string_map("sysctl")? {
        let path = path(name);
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(map.error(name, format!("{name:?} is not a kernel parameter")));
        }
        let known = |(pattern, _, _): &&(&str, u64, &str)| {
            if pattern.ends_with('/') {
                path.starts_with(pattern)
            } else {
                path == *pattern
            }
        };
        let Some((_, kind, namespace)) = NAMESPACED.iter().find(known) else {
            return Err(map.error(
                name,
                format!("{name:?} belongs to no namespace: it would change the host"),
            ));
        };
        if !namespaces.own(*kind) {
            return Err(map.error(
                name,
                format!("{name:?} needs a {namespace} namespace of the container's own"),
            ));
        }
        sysctls.push(Sysctl {
            path: format!("sys/{path}"),
            value: value.to_owned(),
            pointer: map.pointer_to(name),
        });
    }
    Ok(sysctls)
}

/// Writes the parameters, in the namespaces of the caller.
pub(crate) fn apply(sysctls: &[Sysctl], procfs: &Procfs) -> Result<()> {
    sysctls.iter().try_for_each(|sysctl| {
        procfs
            .write(&sysctl.path, &sysctl.value)
            .at(&sysctl.pointer)
    })
}

/// As sysctl(8) has it: the separator that comes first is the separator, the other one stands for it.
fn path(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(place) if name.as_bytes()[place] == b'.' => name
            .chars()
            .map(|letter| match letter {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan_one(name: &str, new: u64) -> Result<Vec<Sysctl>> {
        let linux = json!({"sysctl": {name: "1"}});
        plan(
            Some(&Node::root(&linux).unwrap()),
            &Namespaces {
                new,
                joined: Vec::new(),
            },
        )
    }

    #[test]
    fn only_the_containers_own_parameters_are_written() {
        assert_eq!(
            plan_one("net.ipv4.ip_forward", CLONE_NEWNET).unwrap()[0].path,
            "sys/net/ipv4/ip_forward"
        );
        assert_eq!(
            plan_one("net/ipv4/conf/eth0.1/forwarding", CLONE_NEWNET).unwrap()[0].path,
            "sys/net/ipv4/conf/eth0.1/forwarding"
        );
        assert_eq!(
            plan_one("net.ipv4.conf.eth0/1.forwarding", CLONE_NEWNET).unwrap()[0].path,
            "sys/net/ipv4/conf/eth0.1/forwarding"
        );
        assert!(
            plan_one("net.ipv4.ip_forward", CLONE_NEWIPC)
                .unwrap_err()
                .to_string()
                .contains("needs a network namespace")
        );
        plan_one("kernel.msgmax", CLONE_NEWIPC).unwrap();
        plan_one("fs.mqueue.msg_max", CLONE_NEWIPC).unwrap();
        for host in [
            "kernel.panic",
            "vm.swappiness",
            "kernel.msgmaxx",
            "kernel",
            "",
        ] {
            assert!(plan_one(host, u64::MAX).is_err(), "{host}");
        }
        assert!(plan_one("net.....x", CLONE_NEWNET).is_err());
        assert!(plan_one("net/../kernel/panic", CLONE_NEWNET).is_err());
    }
}

//! The owner of the container's cgroup: the container's user, if the container is to manage it.
//!
//! Only version 2 can be handed over safely, and only with a cgroup namespace of the container's
//! own and a writable mount is it of any use to the container.

use super::{Group, Placement};
use crate::error::{CallContext, PlaceContext, Result};
use crate::id_mappings::Mapping;
use crate::log;
use crate::mounts::Mount;
use crate::plan::Plan;
use crate::sys::credentials;
use crate::sys::files::{self, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, cwd};
use crate::sys::mount::MOUNT_ATTR_RDONLY;
use crate::sys::process::{CLONE_NEWCGROUP, CLONE_NEWUSER};
use std::fs;
use std::os::fd::AsFd;

/// The files that are handed over with the group: what this says, or what it said at first.
const DELEGATE: &str = "/sys/kernel/cgroup/delegate";
const DELEGATED: &str = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";

/// chown(2): leaves it as it is.
const UNCHANGED: u32 = u32::MAX;

/// Hands the group of version 2 over where the configuration asks for that. `pid` is the container
/// process.
pub(crate) fn hand_over(placement: &Placement, plan: &Plan, pid: i32) -> Result<()> {
    let [group] = placement.groups.as_slice() else {
        // Version 1 has several hierarchies, with or without version 2 beside them.
        return Ok(());
    };
    let managed = group.v2
        && plan.namespaces.new & CLONE_NEWCGROUP != 0
        && plan.mounts.iter().any(is_writable_mount);
    if !managed {
        return Ok(());
    }
    let Some(process) = &plan.process else {
        return Ok(());
    };
    let Some(owner) = on_the_host(process.user.uid, plan, pid)? else {
        // Not mapped: the process cannot be made either, which is told there.
        return Ok(());
    };
    if group.is_made() && owner == credentials::effective_uid() {
        // Who has made it owns it.
        return Ok(());
    }
    match change_owner(group, owner) {
        // SHOULD, and a caller without privilege can only keep what it has.
        Err(error) if error.errno() == Some(libc::EPERM) => {
            log::warning(&error.to_string());
            Ok(())
        }
        other => other.at("/linux/cgroupsPath"),
    }
}

fn is_writable_mount(mount: &Mount) -> bool {
    mount.kind == "cgroup"
        && mount.source.as_deref() == Some("cgroup")
        && mount.destination.trim_end_matches('/') == "/sys/fs/cgroup"
        && mount.options.this.set & MOUNT_ATTR_RDONLY == 0
}

/// The id of a user of the container on the host. None if it has none.
fn on_the_host(uid: u32, plan: &Plan, pid: i32) -> Result<Option<u32>> {
    if plan.namespaces.new & CLONE_NEWUSER != 0 {
        return Ok(mapped(uid, &plan.mappings.uid));
    }
    if !plan.namespaces.joins(CLONE_NEWUSER) {
        return Ok(Some(uid));
    }
    let path = format!("/proc/{pid}/uid_map");
    let text = fs::read_to_string(&path).call(|| format!("read({path:?})"))?;
    Ok(mapped(uid, &parse(&text)))
}

fn mapped(uid: u32, map: &[Mapping]) -> Option<u32> {
    map.iter().find_map(|line| {
        let offset = uid
            .checked_sub(line.container)
            .filter(|&offset| offset < line.size)?;
        line.host.checked_add(offset)
    })
}

fn parse(map: &str) -> Vec<Mapping> {
    map.lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
            Some(Mapping {
                container: numbers.next()??,
                host: numbers.next()??,
                size: numbers.next()??,
            })
        })
        .collect()
}

fn change_owner(group: &Group, owner: u32) -> Result<()> {
    let files = fs::read_to_string(DELEGATE).unwrap_or_else(|_| DELEGATED.to_owned());
    let directory = files::openat(
        cwd(),
        group.path.as_os_str(),
        O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
        0,
    )
    .call(|| format!("open({:?}, O_DIRECTORY)", group.path))?;
    for name in files.lines() {
        match files::chownat(directory.as_fd(), name.as_ref(), owner, UNCHANGED) {
            // Not every group has every one of them.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.call(|| format!("chown({:?}, {owner})", group.path.join(name)))?,
        }
    }
    files::chown_fd(directory.as_fd(), owner, UNCHANGED)
        .call(|| format!("chown({:?}, {owner})", group.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_mapped_by_the_line_that_has_them() {
        let map = parse("         0       1000          1\n         1     100000      65536\n");
        assert_eq!(mapped(0, &map), Some(1000));
        assert_eq!(mapped(1000, &map), Some(100_999));
        assert_eq!(mapped(65_537, &map), None);
        assert_eq!(mapped(0, &[]), None);
    }
}

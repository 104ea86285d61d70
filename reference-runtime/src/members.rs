//! The processes of a container, wherever they have to be looked for.
//!
//! The groups of a container's own tell best. Without one (no privilege, or a
//! group that it shares with others) its pid namespace does, and without that
//! what has descended from the container process.

use crate::error::{CallContext, Result};
use crate::state::{Container, process_stat};
use std::collections::HashMap;
use std::fs;

/// The pids of a container's processes as this process sees them, in their order.
pub(crate) fn processes(container: &Container) -> Result<Vec<i32>> {
    let mut pids = if container.record.cgroup.groups.iter().any(|g| g.is_made()) {
        container.record.cgroup.members()?
    } else {
        // Only while it lives: the number may be another's afterwards.
        match (container.record.process, container.pidfd()) {
            (Some(first), Ok(_)) if container.record.own_pid_namespace => {
                in_namespace_of(first.pid)?
            }
            (Some(first), Ok(_)) => descendants(first.pid)?,
            _ => Vec::new(),
        }
    };
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// The processes in the pid namespace of a process.
fn in_namespace_of(pid: i32) -> Result<Vec<i32>> {
    let link = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid"));
    let wanted = link(pid).call(|| format!("readlink(\"/proc/{pid}/ns/pid\")"))?;
    // Whoever cannot be asked has ended or is somebody else's.
    let inside = |pid: &i32| link(*pid).is_ok_and(|found| found == wanted);
    Ok(all()?.into_iter().filter(inside).collect())
}

/// A process and all whose parents lead to it.
pub(crate) fn descendants(pid: i32) -> Result<Vec<i32>> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for other in all()? {
        if let Ok(Some(stat)) = process_stat(other) {
            children.entry(stat.parent).or_default().push(other);
        }
    }
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    Ok(found)
}

/// Every process that procfs shows.
pub(crate) fn all() -> Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc").call(|| "opendir(\"/proc\")")? {
        let name = entry.call(|| "readdir(\"/proc\")")?.file_name();
        pids.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(pids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn children_are_found_by_descent_and_by_namespace() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (own, other) = (std::process::id() as i32, child.id() as i32);
        let (descended, beside) = (descendants(own).unwrap(), in_namespace_of(own).unwrap());
        let alone = descendants(other).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(descended.contains(&own) && descended.contains(&other));
        assert!(beside.contains(&own) && beside.contains(&other));
        assert_eq!(alone, [other]);
    }
}

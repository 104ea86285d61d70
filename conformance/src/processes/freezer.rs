//! Frozen processes: in a frozen cgroup of version 1 a process does not die, not even of SIGKILL.
//! (One of version 2 does.)

use std::path::{Path, PathBuf};

use crate::host;

/// Takes a process out of a frozen cgroup, into this process's own.
pub(super) fn release(pid: i32) {
    let mounts = host::read("/proc/self/mountinfo");
    let Some(mount_point) = mount_point(&mounts) else {
        return;
    };
    let own = path_of(&host::read("/proc/self/cgroup"));
    let its = path_of(&host::read(format!("/proc/{pid}/cgroup")));
    if let (Some(own), Some(its)) = (own, its)
        && host::read(below(&mount_point, &its).join("freezer.state")).trim() != "THAWED"
    {
        let file = below(&mount_point, &own).join("cgroup.procs");
        // A process that has just died is none to be moved.
        let _ = std::fs::write(file, pid.to_string());
    }
}

/// Thaws a cgroup, if it is one that can be frozen, so that its processes can die.
pub(crate) fn thaw(directory: &Path) {
    let file = directory.join("freezer.state");
    if file.exists() {
        let _ = std::fs::write(file, "THAWED");
    }
}

fn mount_point(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let kind = after.next()?;
        let is_freezer = after.nth(1)?.split(',').any(|word| word == "freezer");
        (kind == "cgroup" && is_freezer)
            .then(|| before.split(' ').nth(4).map(PathBuf::from))
            .flatten()
    })
}

/// The path in the freezer's hierarchy, from a `/proc/PID/cgroup`.
fn path_of(cgroup: &str) -> Option<String> {
    cgroup.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let controllers = fields.nth(1)?;
        controllers
            .split(',')
            .any(|name| name == "freezer")
            .then(|| fields.next().map(str::to_owned))
            .flatten()
    })
}

fn below(mount_point: &Path, path: &str) -> PathBuf {
    mount_point.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_freezers_hierarchy_and_the_path_in_it_are_found() {
        let mounts = "\
30 24 0:26 / /sys/fs/cgroup/pids rw shared:9 - cgroup cgroup rw,pids
31 24 0:27 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let found = mount_point(mounts);
        assert_eq!(found.as_deref(), Some(Path::new("/sys/fs/cgroup/freezer")));
        assert_eq!(mount_point("30 24 0:26 / / rw - ext4 /dev/sda rw"), None);
        let own = "9:name=systemd:/a\n4:freezer:/b:c/d\n0::/e\n";
        assert_eq!(path_of(own).as_deref(), Some("/b:c/d"));
        assert_eq!(path_of("0::/e\n"), None);
        assert_eq!(
            below(Path::new("/sys/fs/cgroup/freezer"), "/b:c/d"),
            Path::new("/sys/fs/cgroup/freezer/b:c/d")
        );
    }
}

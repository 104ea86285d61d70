//! A group with all groups below it: whose processes are there, how they are killed, and how it is
//! removed.
//!
//! A container that may write to its cgroup can nest groups deeper than a path can be long, so
//! that the way down and up is by single names.

use super::{Group, events};
use crate::error::{CallContext, Error, Result};
use crate::rootfs::through_proc;
use crate::sys::files::{self, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, cwd};
use crate::sys::process;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long killed processes may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

impl Group {
    /// Kills whatever is left in the group and removes it, with the parents that came with it.
    pub(super) fn remove(&self) -> Result<()> {
        let made = self.is_made();
        let deadline = Instant::now() + PATIENCE;
        while let Some(error) = made.then(|| remove_tree(&self.path).err()).flatten() {
            // Busy: something is left in it (or is just ending); nothing is left after it is killed.
            if error.raw_os_error() != Some(libc::EBUSY) || Instant::now() > deadline {
                return Err(Error::call(format!("rmdir({:?})", self.path), &error));
            }
            self.kill_members()?;
        }
        if self.v2 && !made {
            super::devices::take_off(self)?;
        }
        // Parents that came with this container go with it, unless somebody else uses them by now.
        for dir in self.made.iter().rev().skip(made.into()) {
            if fs::remove_dir(dir).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Kills all processes of the group at once, also those that are just being made: version 2
    /// since Linux 5.14. False if the kernel cannot.
    pub(super) fn kill_at_once(&self) -> Result<bool> {
        if !self.v2 {
            return Ok(false);
        }
        match self.write("cgroup.kill", "1") {
            Err(error) if error.errno() == Some(libc::ENOENT) => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Kills all processes of the group, and waits until they have ended.
    fn kill_members(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        if self.kill_at_once()? {
            return match events::await_value(self, "populated", false, deadline)? {
                true => Ok(()),
                false => Err(Error::new(format!(
                    "the processes in cgroup {:?} do not end after SIGKILL",
                    self.path
                ))),
            };
        }
        let mut pidfds = Vec::new();
        for pid in members(&self.path)? {
            // Opened first and then seen in the group once more: a pid may have gone and come back as another's.
            let Ok(pidfd) = process::pidfd_open(pid) else {
                continue;
            };
            pidfds.push((pid, pidfd));
        }
        let still = members(&self.path)?;
        pidfds.retain(|(pid, _)| still.contains(pid));
        for (_, pidfd) in &pidfds {
            // It may have ended meanwhile, which is what is wanted.
            let _ = process::pidfd_send_signal(pidfd.as_fd(), libc::SIGKILL);
        }
        for (_, pidfd) in &pidfds {
            process::wait_readable(pidfd.as_fd(), Some(deadline)).call(|| "poll(pidfd)")?;
        }
        Ok(())
    }
}

/// The processes of a group and of all groups below it.
pub(super) fn members(dir: &Path) -> Result<Vec<i32>> {
    let mut pids = Vec::new();
    collect_members(dir, &mut pids).call(|| format!("read cgroup.procs below {dir:?}"))?;
    // 0 is a process that this pid namespace cannot see.
    pids.retain(|&pid| pid > 0);
    Ok(pids)
}

fn collect_members(dir: &Path, pids: &mut Vec<i32>) -> io::Result<()> {
    let mut here = match open_group(cwd(), dir.as_os_str()) {
        Err(error) if gone(&error) => return Ok(()),
        other => other?,
    };
    read_members(&here, pids)?;
    // The groups that are still to be visited, for each level.
    let mut levels = vec![subgroups(&here)?];
    while let Some(pending) = levels.last_mut() {
        if let Some(name) = pending.pop() {
            match open_group(here.as_fd(), &name) {
                Err(error) if gone(&error) => continue,
                other => here = other?,
            }
            read_members(&here, pids)?;
            levels.push(subgroups(&here)?);
        } else {
            levels.pop();
            if !levels.is_empty() {
                here = open_group(here.as_fd(), "..".as_ref())?;
            }
        }
    }
    Ok(())
}

fn read_members(group: &OwnedFd, pids: &mut Vec<i32>) -> io::Result<()> {
    let text = files::openat(group.as_fd(), "cgroup.procs".as_ref(), O_RDONLY, 0)
        .and_then(|file| io::read_to_string(File::from(file)));
    match text {
        Err(error) if gone(&error) => {}
        other => pids.extend(other?.lines().filter_map(|line| line.parse::<i32>().ok())),
    }
    Ok(())
}

fn open_group(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    files::openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
}

/// ENOTDIR: the path leads below a file, so the group has never been.
fn gone(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::ENODEV | libc::ENOTDIR)
    )
}

/// The names of the groups in a group. Listed through procfs, so that it is this very directory.
fn subgroups(group: &OwnedFd) -> io::Result<Vec<OsString>> {
    let entries = match fs::read_dir(through_proc(group.as_fd())) {
        Err(error) if gone(&error) => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name());
        }
    }
    Ok(names)
}

/// Removes a group with all groups below it. The common case is one call.
fn remove_tree(dir: &Path) -> io::Result<()> {
    match fs::remove_dir(dir) {
        Err(error) if gone(&error) => return Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
        other => return other,
    }
    remove_below(dir)?;
    match fs::remove_dir(dir) {
        Err(error) if gone(&error) => Ok(()),
        other => other,
    }
}

/// Removes the groups below a group, the innermost first, by single names as `members` goes.
fn remove_below(dir: &Path) -> io::Result<()> {
    let mut here = open_group(cwd(), dir.as_os_str())?;
    let mut names: Vec<OsString> = Vec::new();
    loop {
        if let Some(name) = subgroups(&here)?.pop() {
            match open_group(here.as_fd(), &name) {
                Err(error) if gone(&error) => continue,
                other => here = other?,
            }
            names.push(name);
            continue;
        }
        let Some(name) = names.pop() else {
            return Ok(());
        };
        here = open_group(here.as_fd(), "..".as_ref())?;
        match files::unlinkat(here.as_fd(), &name, libc::AT_REMOVEDIR) {
            Err(error) if !gone(&error) => return Err(error),
            _ => {}
        }
    }
}

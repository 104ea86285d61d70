//! `delete`, and the undoing of what `create` made wherever it has to happen.

use crate::error::{CallContext, Error, Result};
use crate::hooks::{self, Hooks};
use crate::log;
use crate::start;
use crate::state::{Container, Status, document, is_alive};
use crate::store::{Phase, Record, Store};
use crate::sys::process;
use std::fs;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What may be deleted besides a stopped container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mercy {
    /// Nothing, as the specification says.
    None,
    /// A created container, which engines delete when they give up before the start.
    Created,
    /// Whatever the container does.
    Force,
}

/// The command.
pub(crate) fn delete(store: &Store, id: &str, mercy: Mercy) -> Result<()> {
    let entry = match store.open(id) {
        // What --force asks for is that there be no such container. One that cannot be looked at is there.
        Err(error)
            if mercy == Mercy::Force
                && error.errno().is_none()
                && crate::store::check_id(id).is_ok() =>
        {
            return Ok(());
        }
        other => other?,
    };
    // A hook of a create that is under way must get an error and not wait for its own end.
    if entry.read()?.is_none() && entry.is_locked() {
        return Err(Error::new("the container is being created"));
    }
    if let Ok(Some(record)) = entry.read()
        && record.phase == Phase::Creating
        && entry.is_locked()
        && mercy != Mercy::Force
    {
        return Err(Error::new("the container is creating and not stopped"));
    }
    entry.lock()?;
    if entry.read()?.is_none() {
        // What a create that was killed at once has left.
        return entry.remove();
    }
    let container = Container::load(entry)?;
    let allowed = match container.status {
        Status::Stopped => true,
        Status::Created => mercy != Mercy::None,
        _ => mercy == Mercy::Force,
    };
    if !allowed {
        return Err(Error::new(format!(
            "the container is {} and not stopped",
            container.status.name()
        )));
    }
    try_destroy(container)
}

/// Destroys a container because of an error, which is the one to tell.
pub(crate) fn destroy(container: Container) {
    if let Err(error) = try_destroy(container) {
        log::warning(&error.stage("cleaning up").to_string());
    }
}

/// Stops the container if it lives, undoes what create made, and runs the poststop hooks.
fn try_destroy(container: Container) -> Result<()> {
    stop(&container)?;
    let hooks = Hooks::kept(&container.record.hooks)?;
    undo(&container.record)?;
    container.entry.remove()?;
    if !hooks.poststop.is_empty() {
        let state = document(&container.record, Status::Stopped).to_string();
        hooks::run_poststop(&hooks.poststop, state.as_bytes());
    }
    Ok(())
}

/// Kills the container process and waits for its end.
pub(crate) fn stop(container: &Container) -> Result<()> {
    if container.status == Status::Stopped {
        if container.record.phase == Phase::Creating {
            return start::end_abandoned(&container.entry);
        }
        return Ok(());
    }
    if container.status == Status::Paused {
        // A frozen process is killed only when it thaws.
        container.record.cgroup.thaw()?;
    }
    let Ok(pidfd) = container.pidfd() else {
        return Ok(());
    };
    match process::pidfd_send_signal(pidfd.as_fd(), libc::SIGKILL) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
        other => other.call(|| "pidfd_send_signal(SIGKILL)")?,
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        // In slices: the kernel tells the end of a pid namespace's first process only when all of
        // the others have been reaped, which may be the business of somebody who is slow.
        let slice = Instant::now() + Duration::from_millis(20);
        let told = process::wait_readable(pidfd.as_fd(), Some(slice)).call(|| "poll(pidfd)")?;
        let process = container.record.process.filter(|_| !told);
        if process.map(is_alive).transpose()? != Some(true) {
            return Ok(());
        }
    }
    Err(Error::new(
        "the container process does not end after SIGKILL",
    ))
}

/// Undoes what create made outside the container's own namespaces.
pub(crate) fn undo(record: &Record) -> Result<()> {
    let cgroups = record.cgroup.remove();
    let root = record
        .made
        .shared_mount
        .as_ref()
        .map_or(Ok(()), crate::root::detach_shared);
    let mut resctrl = Ok(());
    for dir in &record.made.resctrl {
        match fs::remove_dir(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => resctrl = resctrl.and(other.call(|| format!("rmdir({dir:?})"))),
        }
    }
    cgroups.and(root).and(resctrl)
}

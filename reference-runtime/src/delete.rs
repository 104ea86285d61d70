//! `delete`, and the undoing of what `create` made wherever it has to happen.

use crate::error::{CallContext, Error, Result};
use crate::hooks::{self, Hooks};
use crate::state::{Container, Status, document, is_alive};
use crate::store::{Entry, Process, Record, Store};
use crate::sys::process;
use crate::{intel_rdt, log, previous_limits, salvage, start, takeover};
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
    if mercy == Mercy::Force {
        return force(entry);
    }
    let refused = |container: &Container| {
        let status = container.status;
        let allowed =
            status == Status::Stopped || status == Status::Created && mercy == Mercy::Created;
        (!allowed).then(|| {
            Error::new(format!(
                "the container is {} and not stopped",
                status.name()
            ))
        })
    };
    if !entry.is_locked() && entry.read().map_err(damaged)?.is_none() {
        // What a create that was killed at once has left, unless one begins just now.
        let _claims = store.without_claims()?;
        if entry.try_lock()? && entry.read()?.is_none() {
            return entry.remove();
        }
    }
    drop(entry);
    try_destroy(Container::lock(store, id, refused)?)
}

fn damaged(error: Error) -> Error {
    Error::new(format!("{error} (delete --force removes what is left)"))
}

/// Whatever the container does, whoever works on it, and whatever is left of it.
fn force(entry: Entry) -> Result<()> {
    if !takeover::lock(&entry)? {
        // Somebody else has deleted it meanwhile, which is what is asked for.
        return Ok(());
    }
    match entry.read() {
        Ok(None) => entry.remove_all(),
        Ok(Some(record)) => try_destroy(Container::of(entry, record)?),
        Err(damage) => salvage::delete(&entry, &damage),
    }
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
        return Ok(());
    }
    if container.record.cgroup.is_frozen() {
        // A frozen process is killed only when it thaws.
        container.record.cgroup.thaw()?;
    }
    if container.status == Status::Creating {
        // A create that was killed may have left a hook, and a process of which nobody was told.
        takeover::end_hook(&container.record)?;
        end_process(container)?;
        return start::end_abandoned(&container.entry);
    }
    end_process(container)
}

fn end_process(container: &Container) -> Result<()> {
    let (Ok(pidfd), Some(process)) = (container.pidfd(), container.record.process) else {
        return Ok(());
    };
    end(pidfd.as_fd(), process)
}

/// Kills a process and waits until it can no longer run.
pub(crate) fn end(pidfd: std::os::fd::BorrowedFd<'_>, process: Process) -> Result<()> {
    match process::pidfd_send_signal(pidfd, libc::SIGKILL) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
        other => other.call(|| "pidfd_send_signal(SIGKILL)")?,
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        // In slices: the kernel tells the end of a pid namespace's first process only when all of
        // the others have been reaped, which may be the business of somebody who is slow.
        let slice = Instant::now() + Duration::from_millis(20);
        let told = process::wait_readable(pidfd, Some(slice)).call(|| "poll(pidfd)")?;
        if told || !is_alive(process)? {
            return Ok(());
        }
    }
    Err(Error::new(format!(
        "process {} does not end after SIGKILL",
        process.pid
    )))
}

/// Undoes what create made outside the container's own namespaces.
pub(crate) fn undo(record: &Record) -> Result<()> {
    let cgroups = record.cgroup.remove();
    let limits = previous_limits::restore(&record.made.found_limits);
    let root = record
        .made
        .shared_mount
        .as_ref()
        .map_or(Ok(()), crate::root::detach_shared);
    let resctrl = record
        .made
        .resctrl
        .iter()
        .rev()
        .map(|directory| intel_rdt::remove(directory))
        .fold(Ok(()), Result::and);
    cgroups.and(limits).and(root).and(resctrl)
}

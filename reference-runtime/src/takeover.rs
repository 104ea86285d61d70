//! What `delete --force` does about a command that works on the container: it
//! does not wait for it, since that may never end, but ends what it waits for.

use crate::delete;
use crate::error::{CallContext, Error, Result};
use crate::members;
use crate::state::{Container, is_alive, process_stat};
use crate::store::{Entry, Phase, Process, Record};
use crate::sys::process;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a command may take to notice that there is nothing left to wait for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Locks the container. False if somebody else has deleted it.
pub(crate) fn lock(entry: &Entry) -> Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match entry.try_lock() {
            Ok(false) => {}
            Ok(true) => return Ok(true),
            // No call failed, but the directory is gone.
            Err(error) if error.errno().is_none() => return Ok(false),
            Err(error) => return Err(error),
        }
        // A record that is damaged leads to nobody. One that is absent will soon be there.
        if let Ok(Some(record)) = entry.read() {
            match record.phase {
                Phase::Creating => end_creator(entry, &record)?,
                // A start waits for the container process, which may hang in a hook or be frozen.
                Phase::Created => {
                    delete::stop(&Container::load(entry.try_clone()?)?)?;
                }
            }
        }
        if Instant::now() > deadline {
            return Err(Error::new(
                "another command works on the container and does not end",
            ));
        }
        // It decides nothing: only the lock does.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends a create and all that has descended from it: the container process and its hooks.
fn end_creator(entry: &Entry, record: &Record) -> Result<()> {
    let creator = record.creator;
    let Ok(pidfd) = process::pidfd_open(creator) else {
        return Ok(());
    };
    // Only now that the pid is held: it is the creator's if the process works on this container.
    if creator <= 0 || !entry.is_open_in(creator)? {
        return Ok(());
    }
    if is_ancestor(creator)? {
        return Err(Error::new(
            "the container is being created by the command that runs this one",
        ));
    }
    let family = held(members::descendants(creator)?.into_iter().skip(1));
    kill_and_wait(&[(creator, pidfd)])?;
    kill_and_wait(&family)?;
    // A hook's own children may have lost their parent before they could be found by it.
    match entry.read() {
        Ok(Some(record)) => end_hook(&record),
        _ => Ok(()),
    }
}

/// Ends the hook that a create has left, with its process group.
pub(crate) fn end_hook(record: &Record) -> Result<()> {
    let Some(hook) = record.hook else {
        return Ok(());
    };
    // The number of a group is not given away while somebody is in it. If it is the pid of another
    // process by now, the group has ended and the number is that one's.
    match process_stat(hook.pid)? {
        Some(stat) if stat.start_time != hook.start_time => return Ok(()),
        _ => {}
    }
    let in_group = |pid: &i32| {
        process_stat(*pid).is_ok_and(|stat| {
            stat.is_some_and(|stat| stat.group == hook.pid && stat.start_time >= hook.start_time)
        })
    };
    let pids: Vec<i32> = members::all()?.into_iter().filter(in_group).collect();
    let mut group = held(pids.into_iter());
    group.retain(|(pid, _)| in_group(pid));
    kill_and_wait(&group)
}

/// Descriptors of those that still are.
fn held(pids: impl Iterator<Item = i32>) -> Vec<(i32, OwnedFd)> {
    pids.filter_map(|pid| Some((pid, process::pidfd_open(pid).ok()?)))
        .collect()
}

fn kill_and_wait(processes: &[(i32, OwnedFd)]) -> Result<()> {
    for (_, pidfd) in processes {
        // It may have ended meanwhile, which is what is wanted.
        let _ = process::pidfd_send_signal(pidfd.as_fd(), libc::SIGKILL);
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    for (pid, pidfd) in processes {
        let Some(stat) = process_stat(*pid)? else {
            continue;
        };
        let process = Process {
            pid: *pid,
            start_time: stat.start_time,
        };
        // In slices, as the end of a pid namespace's first process is told late.
        while is_alive(process)? {
            let slice = Instant::now() + Duration::from_millis(20);
            if process::wait_readable(pidfd.as_fd(), Some(slice)).call(|| "poll(pidfd)")? {
                break;
            }
            if Instant::now() > deadline {
                return Err(Error::new(format!(
                    "process {pid} does not end after SIGKILL"
                )));
            }
        }
    }
    Ok(())
}

/// Whether this process has descended from another, or is it.
fn is_ancestor(pid: i32) -> Result<bool> {
    let mut current = std::process::id() as i32;
    while current > 0 {
        if current == pid {
            return Ok(true);
        }
        current = process_stat(current)?.map_or(0, |stat| stat.parent);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestry_ends_with_the_first_process() {
        let own = std::process::id() as i32;
        let parent = process_stat(own).unwrap().unwrap().parent;
        assert!(is_ancestor(own).unwrap());
        assert!(parent == 0 || is_ancestor(parent).unwrap());
        assert!(!is_ancestor(i32::MAX).unwrap());
    }
}

//! Processes of a trial: waiting for them, listing them, ending them.
//!
//! Nothing is signalled unless it is shown to be a descendant: the subject's word for a pid is
//! never enough.

pub(crate) mod freezer;

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::sys;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this status.
    Exit(i32),
    /// This signal ended it.
    Signal(i32),
}

/// How long a wait lasts before orphans are reaped and limits looked at again.
const TICK: Duration = Duration::from_millis(50);

/// Waits for `child`, reaping orphans meanwhile; `None` if the deadline came first or `stop_early`
/// said so.
///
/// # Errors
/// Those of pidfd_open(2) and waitpid(2): ours, not the subject's.
pub fn wait_for_child(
    child: Pid,
    deadline: Instant,
    mut stop_early: impl FnMut() -> bool,
) -> io::Result<Option<Ending>> {
    let pidfd = sys::pidfd_open(child)?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let ended = poll_readable(pidfd.as_fd(), left.min(TICK))?;
        reap_orphans(Some(child));
        if ended {
            loop {
                match sys::collect(child, true) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result,
                }
            }
        }
        if left.is_zero() || stop_early() {
            return Ok(None);
        }
    }
}

/// Waits until the process behind `pid` has ended, whoever's child it is; `false` if the deadline
/// came first. A process that is not there has ended.
///
/// # Errors
/// Those of pidfd_open(2) but `ESRCH`.
pub fn wait_until_gone(pid: Pid, deadline: Instant) -> io::Result<bool> {
    let pidfd = match sys::pidfd_open(pid) {
        Ok(pidfd) => pidfd,
        // EINVAL: a thread that leads no group, which no container process is.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EINVAL)) => {
            return Ok(true);
        }
        Err(error) => return Err(error),
    };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let ended = poll_readable(pidfd.as_fd(), left.min(TICK))?;
        reap_orphans(None);
        if ended || left.is_zero() {
            return Ok(ended);
        }
    }
}

pub(crate) fn poll_readable(
    fd: std::os::fd::BorrowedFd<'_>,
    timeout: Duration,
) -> io::Result<bool> {
    let timeout = PollTimeout::try_from(timeout.as_millis().min(60_000) as u16 as i32)
        .unwrap_or(PollTimeout::ZERO);
    match nix::poll::poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
        Ok(ready) => Ok(ready > 0),
        Err(nix::Error::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reaps every dead child but `spare`, whose status its waiter wants.
///
/// A supervisor is the reaper of its trial: a container process whose runtime has gone is its
/// child, and stays a zombie (alive, for some runtimes) until somebody waits for it.
pub fn reap_orphans(spare: Option<Pid>) {
    while let Ok(Some(pid)) = sys::ended_child() {
        if Some(pid) == spare {
            // The spared one hides others until it is collected; they wait for the next call.
            return;
        }
        let _ = sys::collect(pid, false);
    }
}

/// A process as `/proc` shows it.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its pid.
    pub pid: i32,
    /// Its parent's pid.
    pub parent: i32,
    /// State letter of proc_pid_stat(5): `R`, `S`, `Z`, …
    pub state: char,
    /// Command name, at most 15 bytes.
    pub name: String,
}

/// Every process below `ancestor` (which is not among them), zombies left out.
pub fn descendants(ancestor: i32) -> Vec<Process> {
    let all = processes();
    let mut children: HashMap<i32, Vec<&Process>> = HashMap::new();
    for process in &all {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut seen = HashSet::from([ancestor]);
    let mut queue = vec![ancestor];
    while let Some(parent) = queue.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            if seen.insert(child.pid) {
                queue.push(child.pid);
                if child.state != 'Z' && child.state != 'X' {
                    found.push((*child).clone());
                }
            }
        }
    }
    found.sort_by_key(|process| process.pid);
    found
}

/// Descriptors of every descendant of `ancestor`, each shown to be one while its descriptor was
/// held: a pid may be taken over, a pidfd cannot be.
pub fn hold_descendants(ancestor: i32) -> Vec<std::os::fd::OwnedFd> {
    let held: Vec<_> = descendants(ancestor)
        .into_iter()
        .filter_map(|process| {
            let pidfd = sys::pidfd_open(Pid::from_raw(process.pid)).ok()?;
            Some((process.pid, pidfd))
        })
        .collect();
    let still: HashSet<i32> = descendants(ancestor)
        .into_iter()
        .map(|process| process.pid)
        .collect();
    held.into_iter()
        .filter(|(pid, _)| still.contains(pid))
        .map(|(_, pidfd)| pidfd)
        .collect()
}

/// Ends every descendant of `ancestor`, again until none is left or the deadline has come.
pub fn kill_descendants(ancestor: i32, deadline: Instant) -> bool {
    if ancestor == INIT && std::process::id() as i32 == INIT {
        // All that is in this pid namespace; at one stroke, which a process that forks without end
        // cannot outrun.
        let _ = nix::sys::signal::kill(Pid::from_raw(-1), Signal::SIGKILL);
        reap_orphans(None);
    }
    loop {
        // As many as there are descriptors for; the others in the next round.
        let victims = hold_descendants(ancestor);
        for victim in &victims {
            let _ = sys::pidfd_send_signal(victim.as_fd(), Signal::SIGKILL);
        }
        let step = deadline.min(Instant::now() + TICK);
        for victim in &victims {
            let left = step.saturating_duration_since(Instant::now());
            let _ = poll_readable(victim.as_fd(), left);
        }
        reap_orphans(None);
        let left = descendants(ancestor);
        if left.is_empty() || Instant::now() >= deadline {
            return left.is_empty();
        }
        left.iter()
            .for_each(|process| freezer::release(process.pid));
    }
}

/// The pid of a pid namespace's first process, which is every other one's ancestor.
pub(crate) const INIT: i32 = 1;

fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|pid| {
            let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
            parse_stat(&String::from_utf8_lossy(&stat))
        })
        .collect()
}

/// Parses the first four fields of proc_pid_stat(5); the name stands in parentheses and may itself
/// hold parentheses and spaces.
fn parse_stat(stat: &str) -> Option<Process> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (pid, name) = head.split_once(" (")?;
    let mut fields = tail.split_whitespace();
    Some(Process {
        pid: pid.parse().ok()?,
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        name: name.to_owned(),
    })
}

/// Name of a signal number (`SIGKILL`), or the number in words.
pub fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |s| s.as_str().into())
}

/// Tests that make children hold this: reaping orphans would take another test's.
#[cfg(test)]
pub(crate) static CHILDREN: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_confuse_the_parser() {
        let process = parse_stat("42 (a) b (c)) S 7 42 42 0 -1").unwrap();
        assert_eq!((process.pid, process.parent, process.state), (42, 7, 'S'));
        assert_eq!(process.name, "a) b (c)");
        assert!(parse_stat("garbage").is_none());
    }

    #[test]
    fn a_child_is_a_descendant_until_it_is_killed() {
        let _alone = CHILDREN
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let me = std::process::id() as i32;
        let pid = child.id() as i32;
        assert!(descendants(me).iter().any(|process| process.pid == pid));
        let pidfd = sys::pidfd_open(Pid::from_raw(pid)).unwrap();
        sys::pidfd_send_signal(pidfd.as_fd(), Signal::SIGKILL).unwrap();
        assert_eq!(child.wait().unwrap().code(), None);
        assert!(!descendants(me).iter().any(|process| process.pid == pid));
    }
}

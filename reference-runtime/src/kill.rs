//! `kill`: sends a signal to the container process.

use crate::error::{CallContext, Error, Result};
use crate::members;
use crate::state::{Container, Status};
use crate::store::Store;
use crate::sys::process;
use std::collections::HashSet;
use std::os::fd::AsFd;

/// The names of signal(7), with the number on this architecture.
const NAMES: &[(&str, i32)] = &[
    ("ABRT", libc::SIGABRT),
    ("ALRM", libc::SIGALRM),
    ("BUS", libc::SIGBUS),
    ("CHLD", libc::SIGCHLD),
    ("CLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("FPE", libc::SIGFPE),
    ("HUP", libc::SIGHUP),
    ("ILL", libc::SIGILL),
    ("INT", libc::SIGINT),
    ("IO", libc::SIGIO),
    ("IOT", libc::SIGIOT),
    ("KILL", libc::SIGKILL),
    ("PIPE", libc::SIGPIPE),
    ("POLL", libc::SIGPOLL),
    ("PROF", libc::SIGPROF),
    ("PWR", libc::SIGPWR),
    ("QUIT", libc::SIGQUIT),
    ("SEGV", libc::SIGSEGV),
    ("STKFLT", 16),
    ("STOP", libc::SIGSTOP),
    ("SYS", libc::SIGSYS),
    ("TERM", libc::SIGTERM),
    ("TRAP", libc::SIGTRAP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("VTALRM", libc::SIGVTALRM),
    ("WINCH", libc::SIGWINCH),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
];

/// Who gets the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    /// The container process.
    Process,
    /// Every process of the container.
    All,
}

/// The command.
pub(crate) fn kill(store: &Store, id: &str, signal: &str, whom: Whom) -> Result<()> {
    let signal = parse(signal)?;
    let container = Container::load(store.open(id)?)?;
    if whom == Whom::All {
        return kill_all(&container, signal);
    }
    if !matches!(
        container.status,
        Status::Created | Status::Running | Status::Paused
    ) {
        return Err(container.not_running());
    }
    let pidfd = container.pidfd()?;
    process::pidfd_send_signal(pidfd.as_fd(), signal)
        .call(|| format!("pidfd_send_signal({signal})"))?;
    end_pause(&container, signal)
}

/// To every process, also after the container process has ended, for those that it has left
/// behind; that there is none is no error, since then nobody has missed the signal.
fn kill_all(container: &Container, signal: i32) -> Result<()> {
    if signal == libc::SIGKILL && container.record.cgroup.kill_at_once()? {
        return Ok(());
    }
    let mut told = HashSet::new();
    // Until nobody new is found: processes may be made while the signal is sent to others.
    for _ in 0..100 {
        let mut new = false;
        for pid in members::processes(container)? {
            // Whoever ends meanwhile needs no signal.
            let Ok(pidfd) = process::pidfd_open(pid) else {
                continue;
            };
            // Only what is still a process of the container when its descriptor is held.
            if !told.contains(&pid) && members::processes(container)?.contains(&pid) {
                let _ = process::pidfd_send_signal(pidfd.as_fd(), signal);
                told.insert(pid);
                new = true;
            }
        }
        if !new {
            break;
        }
    }
    end_pause(container, signal)
}

/// Under version 1 a frozen process does not even end.
fn end_pause(container: &Container, signal: i32) -> Result<()> {
    if signal == libc::SIGKILL && container.record.cgroup.is_frozen() {
        container.record.cgroup.thaw()?;
    }
    Ok(())
}

/// A name with or without `SIG`, in any case, or a number.
fn parse(text: &str) -> Result<i32> {
    let unknown = || Error::new(format!("unknown signal {text:?}"));
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=process::last_signal()).contains(&number) {
            Ok(number)
        } else {
            Err(unknown())
        };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Ok(*number);
    }
    let (first, last) = (process::first_realtime_signal(), process::last_signal());
    let offset = |text: &str, sign| match text {
        "" => Some(0),
        _ => text.strip_prefix(sign)?.parse::<i32>().ok(),
    };
    let realtime = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => offset(rest, '+').map(|offset| first + offset),
        (_, Some(rest)) => offset(rest, '-').map(|offset| last - offset),
        _ => None,
    };
    realtime
        .filter(|number| (first..=last).contains(number))
        .ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_many_spellings() {
        for text in ["TERM", "SIGTERM", "term", "15"] {
            assert_eq!(parse(text).unwrap(), libc::SIGTERM, "{text}");
        }
        assert_eq!(
            parse("RTMIN+1").unwrap(),
            process::first_realtime_signal() + 1
        );
        assert_eq!(parse("SIGRTMAX-2").unwrap(), process::last_signal() - 2);
        for text in [
            "",
            "0",
            "-1",
            "65",
            "SIG",
            "TERMINATE",
            "RTMIN+99",
            "RTMIN-1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

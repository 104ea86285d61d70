//! What is made to go wrong: one occurrence of one system call of one process of a command.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The K-th time that a process makes a call, and what happens then.
///
/// Written `PROCESS:CALL:K:EFFECT`, as in `1:openat:17:EIO`. Process 0 is the command itself, the
/// others are numbered as they come to be; `start` has the process that waits for it as number 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) process: usize,
    pub(crate) call: String,
    pub(crate) occurrence: u32,
    pub(crate) effect: Effect,
}

/// What happens in place of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Effect {
    /// It is not made and fails with this number of an error.
    Error(i32),
    /// SIGKILL ends the process that makes it.
    Kill,
    /// SIGKILL ends the command, whichever of its processes makes it.
    KillRuntime,
}

/// The errors that can be asked for by name.
const ERRORS: &[(&str, i32)] = &[
    ("EACCES", libc::EACCES),
    ("EAGAIN", libc::EAGAIN),
    ("EBUSY", libc::EBUSY),
    ("EEXIST", libc::EEXIST),
    ("EINTR", libc::EINTR),
    ("EINVAL", libc::EINVAL),
    ("EIO", libc::EIO),
    ("EMFILE", libc::EMFILE),
    ("ENODEV", libc::ENODEV),
    ("ENOENT", libc::ENOENT),
    ("ENOMEM", libc::ENOMEM),
    ("ENOSPC", libc::ENOSPC),
    ("ENOSYS", libc::ENOSYS),
    ("EOPNOTSUPP", libc::EOPNOTSUPP),
    ("EPERM", libc::EPERM),
    ("EROFS", libc::EROFS),
];

/// Calls that the kernel never fails, whose callers cannot be blamed for not asking, and such as
/// do not come back. To be killed in them is tried like in every other.
const NEVER_FAIL: &[&str] = &[
    "arch_prctl",
    "brk",
    "exit",
    "exit_group",
    "getegid",
    "geteuid",
    "getgid",
    "getpgrp",
    "getpid",
    "getppid",
    // Once the machine has booted.
    "getrandom",
    "gettid",
    "getuid",
    "restart_syscall",
    "rt_sigreturn",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "umask",
];

/// Whether the effect on the call tells anything.
pub(crate) fn makes_sense(process: usize, call: &str, effect: Effect) -> bool {
    match effect {
        Effect::Error(_) => !NEVER_FAIL.contains(&call),
        Effect::Kill => true,
        // The same as Kill for the command itself.
        Effect::KillRuntime => process != 0,
    }
}

impl FromStr for Effect {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "KILL" => return Ok(Effect::Kill),
            "KILL-RUNTIME" => return Ok(Effect::KillRuntime),
            _ => {}
        }
        let known = ERRORS.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, number)| Effect::Error(*number))
            .ok_or_else(|| {
                let names: Vec<_> = ERRORS.iter().map(|(name, _)| *name).collect();
                format!(
                    "{name:?} is none of KILL, KILL-RUNTIME, {}",
                    names.join(", ")
                )
            })
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Effect::Kill => "KILL",
            Effect::KillRuntime => "KILL-RUNTIME",
            Effect::Error(number) => {
                let known = ERRORS.iter().find(|(_, known)| known == number);
                known.map_or("E?", |(name, _)| name)
            }
        };
        f.write_str(name)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not PROCESS:CALL:K:EFFECT, as 1:openat:17:EIO is");
        let [process, call, occurrence, effect] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err(wrong());
        };
        Ok(Fault {
            process: process.parse().map_err(|_| wrong())?,
            call: call.to_owned(),
            occurrence: occurrence.parse().map_err(|_| wrong())?,
            effect: effect.parse()?,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault {
            process,
            call,
            occurrence,
            effect,
        } = self;
        write!(f, "{process}:{call}:{occurrence}:{effect}")
    }
}

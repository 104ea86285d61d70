//! `linux.seccomp.flags`: that they reach seccomp(2), by the one that shows from outside.
//!
//! The kernel log is the only witness of SECCOMP_FILTER_FLAG_LOG, and it drops lines when there are
//! many. With SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, a caller whose notification was received goes on
//! waiting when a signal comes, so that only a fatal one wakes it: `/proc/PID/status` shows that.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use oci_runtime_schemas::SpecVersion;
use serde_json::{Value, json};

use super::seccomp_notify::{accept, is_readable, listen, receive};
use crate::case::{Case, Need};
use crate::host;
use crate::processes;
use crate::trial::{Stop, Trial};

const FLAGS: &str = "config-linux.seccomp.flags.effect";

pub(super) const CASES: &[Case] = &[Case {
    id: "seccomp/flag-for-killable-waits-is-passed-on",
    judges: &[FLAGS],
    needs: &[Need::SharedKernel, Need::Kernel(5, 19)],
    run: waits_killably,
}];

fn waits_killably(trial: &mut Trial) -> Result<(), Stop> {
    // The flag is of that version; the clause is older.
    if trial.judged() < SpecVersion::new(1, 1, 0) {
        return Err(Stop::Inapplicable(
            "a subject that claims 1.1.0, which brought the flag".into(),
        ));
    }
    let listener = listen(trial)?;
    trial.set(
        "/linux/seccomp/flags",
        json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]),
    );
    // Its child catches SIGSYS; a signal that nobody catches interrupts nothing, or kills.
    trial.probe(&["syscall-trap", "getpriority", "0", "0"]);
    trial.must_create()?;
    trial.must_start()?;
    let observed = caller_of_notification(trial, &listener)?;
    trial.expect_that(
        FLAGS,
        observed.starts_with('D'),
        "a caller that waits for its answer in the state D, where signals do not interrupt it",
        observed,
    )?;
    // Nobody answers: the call waits until the container is killed.
    trial.finish()
}

/// Receives the notification and tells the state of the process that waits for the answer.
fn caller_of_notification(
    trial: &Trial,
    listener: &std::os::unix::net::UnixListener,
) -> Result<String, Stop> {
    let Some(stream) = accept(listener, trial.deadline())? else {
        return Ok("nobody connected to listenerPath".into());
    };
    let message = receive(&stream, trial.deadline())?;
    let state: Value = serde_json::Deserializer::from_slice(&message.text)
        .into_iter()
        .next()
        .and_then(Result::ok)
        .unwrap_or_default();
    let place = state["fds"]
        .as_array()
        .and_then(|names| names.iter().position(|name| name == "seccompFd"));
    let Some(descriptor) = place.and_then(|place| message.descriptors.get(place)) else {
        return Ok("no seccompFd came over listenerPath".into());
    };
    if !is_readable(descriptor.as_fd(), trial.deadline()) {
        return Ok("no notification came".into());
    }
    let caller = match crate::sys::seccomp_notification_pid(descriptor.as_fd()) {
        Ok(pid) => pid,
        Err(error) => return Ok(format!("ioctl(SECCOMP_IOCTL_NOTIF_RECV): {error}")),
    };
    // Without the flag the signal ends the wait, and the call.
    if !signal(caller) {
        return Ok(format!("the caller {caller} is no process of the trial"));
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let state = host::read(format!("/proc/{caller}/status"))
            .lines()
            .find_map(|line| line.strip_prefix("State:"))
            .unwrap_or("gone")
            .trim()
            .to_owned();
        if state.starts_with('D') || Instant::now() >= deadline {
            return Ok(state);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends SIGSYS to a process that is shown to be a descendant.
fn signal(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid).map(Pid::from_raw) else {
        return false;
    };
    let Ok(held) = crate::sys::pidfd_open(pid) else {
        return false;
    };
    let ours = processes::descendants(std::process::id() as i32);
    ours.iter().any(|process| process.pid == pid.as_raw())
        && crate::sys::pidfd_send_signal(held.as_fd(), Signal::SIGSYS).is_ok()
}

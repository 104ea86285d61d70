//! Starts a trial's supervisor and takes its answer.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::interrupt::Interrupts;
use crate::job::{Halt, Job, Outcome};
use crate::{processes, supervisor, sys, trial};

/// How long a supervisor may take to end when its answer has come, or when it is told to end.
const LAST_MOMENTS: Duration = Duration::from_secs(30);

/// Runs a job under a supervisor to its outcome; whatever happens, nothing of it lives on.
pub(super) fn run(job: &Job, interrupts: &Interrupts) -> Outcome {
    match supervise(job, interrupts) {
        Ok(outcome) => outcome,
        Err(why) => Outcome {
            halt: Some(Halt::Broken(why)),
            ..Outcome::default()
        },
    }
}

fn supervise(job: &Job, interrupts: &Interrupts) -> Result<Outcome, String> {
    let started = Instant::now();
    let errors = job.directory.join("supervisor.err");
    let error_file = std::fs::File::create(&errors)
        .map_err(|error| format!("open {}: {error}", errors.display()))?;
    let mut child = Command::new("/proc/self/exe")
        .arg(supervisor::ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(error_file)
        .spawn()
        .map_err(|error| format!("execve(\"/proc/self/exe\") as a supervisor: {error}"))?;
    let pid = child.id() as i32;
    interrupts.watch(pid);
    let job_text = serde_json::to_vec(job).map_err(|error| error.to_string());
    let sent = match (child.stdin.take(), job_text) {
        (Some(mut stdin), Ok(text)) => stdin.write_all(&text).map_err(|error| error.to_string()),
        (_, Err(error)) => Err(error),
        (None, _) => Err("no standard input".into()),
    };
    let mut answer = Vec::new();
    let mut in_time = true;
    if let Some(mut stdout) = child.stdout.take() {
        in_time = read_until(&mut stdout, &mut answer, started + trial::limit(job));
    }
    interrupts.forget(pid);
    let waiting = |error| format!("wait for the supervisor: {error}");
    if !in_time || !ends(pid, job).map_err(waiting)? {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        if !ends(pid, job).map_err(waiting)? {
            return Err(format!(
                "the trial's processes do not die: see those below process {pid}"
            ));
        }
    }
    let status = child.wait().map_err(waiting)?;
    if interrupts.came() {
        return Err("interrupted".into());
    }
    sent.map_err(|error| format!("job to the supervisor: {error}"))?;
    if !in_time {
        return Err(format!(
            "the trial did not end within {:?}",
            trial::limit(job)
        ));
    }
    serde_json::from_slice(&answer).map_err(|error| {
        let said = std::fs::read_to_string(&errors).unwrap_or_default();
        format!(
            "the supervisor ended ({status}) with no answer ({error}): {}",
            said.trim()
        )
    })
}

/// Waits for a child to end, and not for ever: a process that the kernel cannot end keeps its pid
/// namespace, and with it the supervisor.
fn ends(child: i32, job: &Job) -> std::io::Result<bool> {
    let pidfd = sys::pidfd_open(Pid::from_raw(child))?;
    let patience = Duration::from_secs_f64(job.operation_seconds);
    let deadline = Instant::now() + LAST_MOMENTS.max(patience);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let ended = processes::poll_readable(pidfd.as_fd(), left)?;
        if ended || left.is_zero() {
            return Ok(ended);
        }
    }
}

/// Reads to the end; `false` if the deadline came first.
fn read_until(from: &mut (impl Read + AsFd), into: &mut Vec<u8>, deadline: Instant) -> bool {
    let mut buffer = [0; 65536];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let timeout = PollTimeout::from(left.min(Duration::from_secs(30)).as_millis() as u16);
        match nix::poll::poll(&mut [PollFd::new(from.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(nix::Error::EINTR) => {}
            Err(_) => return true,
            Ok(_) => match from.read(&mut buffer) {
                Ok(0) | Err(_) => return true,
                Ok(count) => into.extend_from_slice(&buffer[..count]),
            },
        }
    }
}

//! Runs a command under ptrace(2), counts the system calls of its processes, and makes one go wrong.
//!
//! strace(1) can inject failures as well, but it counts for each process alone and injects into all
//! of them: the K-th call of a child is not tried where the parent makes that call K times before.
//! And it goes on into hooks and containers, of which no runtime is in charge.

use crate::fault::{Effect, Fault};
use crate::sys;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// What is to be traced.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Trace {
    /// The command, its arguments included.
    pub(crate) command: Vec<String>,
    /// A process that is there already and does a part of the work.
    pub(crate) also: Option<i32>,
    pub(crate) fault: Option<Fault>,
    /// The file that is to be written at the end.
    pub(crate) report: PathBuf,
}

/// What was seen.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The exit code of the command; None if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// Whether the call that was to go wrong was made.
    pub(crate) reached: bool,
    /// The how manieth it was since the process has executed a program.
    pub(crate) since_exec: u32,
    /// How often each process made each call, as `PROCESS:CALL`.
    pub(crate) calls: BTreeMap<String, u32>,
}

/// Becomes a command, once its parent traces this process.
pub(crate) fn become_traced(command: &[String]) -> io::Error {
    sys::stop_self();
    Command::new(&command[0]).args(&command[1..]).exec()
}

/// Runs the command and writes the report.
pub(crate) fn run(trace: &Trace) -> io::Result<()> {
    let mut tracer = Tracer::launch(trace)?;
    while tracer.command_runs() || tracer.other_runs() {
        let (pid, status) = sys::wait_for_any()?;
        match tracer.stopped(pid, status) {
            // The tracee was killed meanwhile, of which the next word tells.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            other => other?,
        }
    }
    let report = serde_json::to_vec(&tracer.report)?;
    std::fs::write(&trace.report, report)
    // With the end of this process, whatever is still traced goes on alone.
}

struct Tracee {
    /// The how manieth process it is.
    ordinal: usize,
    /// With what the call that it is in fails.
    fails: Option<i32>,
    calls: HashMap<u64, u32>,
    calls_at_exec: HashMap<u64, u32>,
}

struct Tracer<'a> {
    trace: &'a Trace,
    main: i32,
    tracees: HashMap<i32, Tracee>,
    ordinals: usize,
    /// By what a copy of the runtime's program is known.
    program: u64,
    /// The command's program is not executed yet.
    preparing: bool,
    report: Report,
}

impl<'a> Tracer<'a> {
    fn launch(trace: &'a Trace) -> io::Result<Self> {
        let this = std::env::current_exe()?;
        let child = Command::new(this)
            .arg("traced")
            .args(&trace.command)
            .spawn()?;
        let main = i32::try_from(child.id()).map_err(io::Error::other)?;
        let mut tracer = Tracer {
            trace,
            main,
            tracees: HashMap::new(),
            ordinals: 0,
            program: std::fs::metadata(&trace.command[0])?.size(),
            preparing: true,
            report: Report {
                code: None,
                signal: None,
                reached: false,
                since_exec: 0,
                calls: BTreeMap::new(),
            },
        };
        let (pid, status) = sys::wait_for_any()?;
        if pid != main || !libc::WIFSTOPPED(status) {
            return Err(io::Error::other("the traced process did not stop"));
        }
        sys::seize(main)?;
        tracer.tracee(main);
        if let Some(other) = trace.also {
            // Its threads are numbered after it.
            tracer.join(other)?;
            for thread in std::fs::read_dir(format!("/proc/{other}/task"))? {
                let thread = thread?.file_name().to_string_lossy().parse();
                let thread = thread.map_err(io::Error::other)?;
                if thread != other {
                    tracer.join(thread)?;
                }
            }
        }
        sys::kill(main, libc::SIGCONT);
        Ok(tracer)
    }

    fn join(&mut self, thread: i32) -> io::Result<()> {
        sys::seize(thread)?;
        self.tracee(thread);
        sys::interrupt(thread)
    }

    fn command_runs(&self) -> bool {
        self.report.code.is_none() && self.report.signal.is_none()
    }

    /// A `start` that succeeds may end before the process that it has woken has come to the
    /// container's program.
    fn other_runs(&self) -> bool {
        let other = self.trace.also;
        self.report.code == Some(0) && other.is_some_and(|pid| self.tracees.contains_key(&pid))
    }

    fn tracee(&mut self, pid: i32) -> &mut Tracee {
        let ordinals = &mut self.ordinals;
        self.tracees.entry(pid).or_insert_with(|| {
            *ordinals += 1;
            Tracee {
                ordinal: *ordinals - 1,
                fails: None,
                calls: HashMap::new(),
                calls_at_exec: HashMap::new(),
            }
        })
    }

    fn stopped(&mut self, pid: i32, status: i32) -> io::Result<()> {
        if !libc::WIFSTOPPED(status) {
            self.tracees.remove(&pid);
            if pid == self.main {
                self.report.code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
                self.report.signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
            }
            return Ok(());
        }
        let signal = libc::WSTOPSIG(status);
        self.tracee(pid);
        match status >> 16 {
            0 if signal == libc::SIGTRAP | 0x80 => self.at_call(pid)?,
            0 => return sys::resume(pid, signal),
            libc::PTRACE_EVENT_EXEC if self.executes_other_program(pid) => {
                self.tracees.remove(&pid);
                return sys::detach(pid);
            }
            libc::PTRACE_EVENT_EXEC => {
                let tracee = self.tracee(pid);
                tracee.calls_at_exec = tracee.calls.clone();
            }
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                let new = sys::new_process(pid)?;
                self.tracee(new);
            }
            _ => {}
        }
        sys::resume(pid, 0)
    }

    /// A hook's or a container's program is not the runtime's; a copy of its own in memory is.
    fn executes_other_program(&mut self, pid: i32) -> bool {
        if pid == self.main && self.preparing {
            self.preparing = false;
            return false;
        }
        let size = std::fs::metadata(format!("/proc/{pid}/exe")).map_or(0, |found| found.size());
        let place = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        size != self.program && !place.starts_with("/memfd:")
    }

    fn at_call(&mut self, pid: i32) -> io::Result<()> {
        let enters = sys::enters_call(pid)?;
        if enters == Some(false) {
            return match self.tracee(pid).fails.take() {
                Some(errno) => sys::fail_call(pid, errno),
                None => Ok(()),
            };
        }
        if enters.is_none() || self.preparing {
            return Ok(());
        }
        let number = sys::call_number(pid)?;
        let tracee = self.tracee(pid);
        let count = tracee.calls.entry(number).or_default();
        *count += 1;
        let (ordinal, count) = (tracee.ordinal, *count);
        let before = tracee.calls_at_exec.get(&number).copied();
        let name = call_name(number);
        let known = self
            .report
            .calls
            .entry(format!("{ordinal}:{name}"))
            .or_default();
        *known = count;
        let Some(fault) = &self.trace.fault else {
            return Ok(());
        };
        if (fault.process, fault.occurrence) != (ordinal, count) || fault.call != name {
            return Ok(());
        }
        self.report.reached = true;
        self.report.since_exec = count - before.unwrap_or_default();
        match fault.effect {
            Effect::Kill => sys::kill(pid, libc::SIGKILL),
            Effect::KillRuntime => sys::kill(self.main, libc::SIGKILL),
            Effect::Error(errno) => {
                // A close that fails has closed nevertheless.
                if name != "close" {
                    sys::skip_call(pid)?;
                }
                self.tracee(pid).fails = Some(errno);
            }
        }
        Ok(())
    }
}

fn call_name(number: u64) -> String {
    let known = usize::try_from(number)
        .ok()
        .and_then(syscalls::Sysno::new)
        .map(|call| call.name().to_owned());
    known.unwrap_or_else(|| number.to_string())
}

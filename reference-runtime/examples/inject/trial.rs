//! One injection: what a command does when one of its calls goes wrong, and what it leaves.
//!
//! A trial is a process of its own: the parent of every orphan that the runtime leaves, in a mount
//! namespace of its own, so that whatever is there afterwards was left by it.

use crate::bundle::{Bundle, TOLD, Variant};
use crate::fault::{Effect, Fault};
use crate::interrupt::id_of_trial;
use crate::remains::{Remains, descendants, wait_until};
use crate::sys;
use crate::tracer::{Report, Trace};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The command that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Operation {
    /// `create`
    Create,
    /// `start`, with the process that waits for it
    Start,
    /// `kill` of a running container
    Kill,
    /// `delete` of a stopped container
    Delete,
    /// `delete --force` of a running container
    ForcedDelete,
}

/// What is to be tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) runtime: PathBuf,
    pub(crate) hide_v2: bool,
    pub(crate) variant: Variant,
    pub(crate) operation: Operation,
    pub(crate) fault: Option<Fault>,
    /// How long a command may take.
    pub(crate) seconds: u64,
}

/// How the command took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ending {
    /// It said what went wrong and exited with a code that is not 0.
    Error,
    /// It did nevertheless what it was asked for.
    Tolerated,
    /// It was killed.
    Killed,
    /// It did not end in time.
    Hang,
    /// It crashed before its own code ran.
    Startup,
    /// The call was not made.
    NotReached,
}

/// What a runtime must not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Fail {
    /// Something is left.
    Leak,
    /// A command does not end.
    Hang,
    /// It fails without saying why, or by a crash.
    Unclear,
    /// It says that it succeeded, and has not.
    Untrue,
}

/// What came of a trial.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) ending: Ending,
    pub(crate) fails: Vec<(Fail, String)>,
    pub(crate) calls: BTreeMap<String, u32>,
    /// The how manieth call it was since the process has executed a program.
    pub(crate) since_exec: u32,
    /// What the command printed.
    pub(crate) said: String,
}

/// Runs the trial in this process, which must have no other children.
///
/// # Errors
///
/// If the trial itself cannot be made, which says nothing of the runtime.
pub(crate) fn run(trial: &Trial, dir: &Path) -> io::Result<Outcome> {
    sys::become_subreaper()?;
    sys::unshare_mounts()?;
    if trial.hide_v2 {
        sys::hide(Path::new("/sys/fs/cgroup/unified"))?;
    }
    let id = id_of_trial(std::process::id());
    let bundle = Bundle::make(dir, &id, trial.variant)?;
    let console = bundle.console_socket();
    // What waits to be accepted keeps the terminal open.
    let _listener = console.map(UnixListener::bind).transpose()?;
    let state = dir.join("state");
    let stage = Stage {
        remains: Remains::watch(&id, &state),
        trial,
        dir,
        id,
        state,
        bundle,
    };
    let outcome = stage.play();
    stage.remains.clear();
    outcome
}

struct Stage<'a> {
    trial: &'a Trial,
    dir: &'a Path,
    id: String,
    state: PathBuf,
    bundle: Bundle,
    remains: Remains,
}

/// How a command ended.
struct Done {
    /// None if it did not end in time.
    report: Option<Report>,
    stderr: String,
}

impl Done {
    fn succeeded(&self) -> bool {
        self.report
            .as_ref()
            .is_some_and(|report| report.code == Some(0))
    }
}

impl Stage<'_> {
    fn play(&self) -> io::Result<Outcome> {
        self.prepare()?;
        let done = self.traced()?;
        let mut fails = Vec::new();
        let Some(report) = &done.report else {
            descendants()
                .iter()
                .for_each(|pid| sys::kill(*pid, libc::SIGKILL));
            fails.push((Fail::Hang, "the command does not end".to_owned()));
            self.delete_all(&mut fails)?;
            return Ok(Outcome {
                ending: Ending::Hang,
                fails,
                calls: BTreeMap::new(),
                since_exec: 0,
                said: done.stderr,
            });
        };
        let ending = match (report.code, report.signal) {
            _ if self.trial.fault.is_some() && !report.reached => Ending::NotReached,
            (Some(0), _) => Ending::Tolerated,
            (Some(_), _) => Ending::Error,
            _ => Ending::Killed,
        };
        let ending = match ending {
            // Where calls are not made in the same order each time, not even a success is sure.
            Ending::NotReached => {
                self.delete_all(&mut fails)?;
                ending
            }
            Ending::Tolerated => self.after_success(&mut fails)?,
            _ => {
                self.after_failure(&done, report, &mut fails)?;
                ending
            }
        };
        let report = done.report.expect("it has ended");
        Ok(Outcome {
            ending,
            fails,
            calls: report.calls,
            since_exec: report.since_exec,
            said: done.stderr,
        })
    }

    /// Brings the container to where the command is for.
    fn prepare(&self) -> io::Result<()> {
        let steps: &[&str] = match self.trial.operation {
            Operation::Create => &[],
            Operation::Start => &["create"],
            Operation::Kill | Operation::ForcedDelete => &["create", "start"],
            Operation::Delete => &["create", "start", "kill"],
        };
        for step in steps {
            let done = self.plain(step)?;
            if !done.succeeded() {
                return Err(io::Error::other(format!("{step}: {}", done.stderr.trim())));
            }
            let as_it_should_be = match *step {
                "start" => self.works(),
                "kill" => self.has_stopped(),
                _ => true,
            };
            if !as_it_should_be {
                let told = fs::read_to_string(self.bundle.out().join("told"));
                return Err(io::Error::other(format!(
                    "after {step} the container is not as it should be: it told {told:?}"
                )));
            }
        }
        Ok(())
    }

    /// After a success that may not be one.
    fn after_success(&self, fails: &mut Vec<(Fail, String)>) -> io::Result<Ending> {
        let killed = matches!(
            self.trial.fault,
            Some(Fault {
                effect: Effect::Kill,
                ..
            })
        );
        let mut untrue = |what: &str| fails.push((Fail::Untrue, what.to_owned()));
        match self.trial.operation {
            Operation::Delete | Operation::ForcedDelete => {
                let left = self.remains.find();
                fails.extend(left.into_iter().map(|what| (Fail::Leak, what)));
                return Ok(Ending::Tolerated);
            }
            Operation::Create => {
                let started = self.plain("start")?;
                if !started.succeeded() {
                    // It went wrong in what the container's process does after create has ended.
                    self.judge_error(&started, fails);
                    self.delete_all(fails)?;
                    return Ok(Ending::Error);
                }
                if !self.works() {
                    untrue("started, and its program does not run as it should");
                }
            }
            Operation::Start if self.works() => {}
            // Somebody has ended the container, which start does not have to outlive.
            Operation::Start if killed => {}
            Operation::Start => untrue(&format!(
                "start succeeds and the program does not run as it should: it told {:?}",
                fs::read_to_string(self.bundle.out().join("told"))
            )),
            Operation::Kill if !self.has_stopped() => untrue("kill succeeds and nothing is killed"),
            Operation::Kill => {}
        }
        if self.trial.operation != Operation::Kill {
            self.plain("kill")?;
        }
        if !self.has_stopped() {
            fails.push((Fail::Untrue, "it cannot be killed".to_owned()));
        }
        let deleted = self.plain("delete")?;
        if !deleted.succeeded() {
            let what = format!("delete: {}", deleted.stderr.trim());
            fails.push((Fail::Untrue, what));
        }
        let left = self.remains.find();
        fails.extend(left.into_iter().map(|what| (Fail::Leak, what)));
        Ok(Ending::Tolerated)
    }

    fn after_failure(
        &self,
        done: &Done,
        report: &Report,
        fails: &mut Vec<(Fail, String)>,
    ) -> io::Result<()> {
        if report.signal == Some(libc::SIGKILL) {
            return self.delete_all(fails);
        }
        self.judge_error(done, fails);
        if self.trial.operation == Operation::Create {
            let left = self.remains.find();
            fails.extend(left.into_iter().map(|what| (Fail::Leak, what)));
        }
        self.delete_all(fails)
    }

    fn judge_error(&self, done: &Done, fails: &mut Vec<(Fail, String)>) {
        let stderr = done.stderr.trim();
        let crash = ["panicked at", "goroutine 1 [", "fatal error:"];
        let signal = done.report.as_ref().and_then(|report| report.signal);
        if let Some(signal) = signal {
            fails.push((Fail::Unclear, format!("signal {signal} ends it")));
        } else if stderr.is_empty() {
            fails.push((Fail::Unclear, "it fails and says nothing".to_owned()));
        } else if crash.iter().any(|word| stderr.contains(word)) {
            fails.push((Fail::Unclear, "it crashes".to_owned()));
        }
    }

    /// A forced delete cleans up, whatever there is.
    fn delete_all(&self, fails: &mut Vec<(Fail, String)>) -> io::Result<()> {
        let deleted = self.plain("delete --force")?;
        if deleted.report.is_none() {
            fails.push((Fail::Hang, "delete --force does not end".to_owned()));
            return Ok(());
        }
        let said = match deleted.succeeded() {
            true => String::new(),
            false => format!(" (it says {:?})", deleted.stderr.trim()),
        };
        for what in self.remains.find() {
            let what = format!("after delete --force: {what}{said}");
            fails.push((Fail::Leak, what));
        }
        Ok(())
    }

    /// Whether the container's program tells what it should.
    fn works(&self) -> bool {
        let told = || fs::read_to_string(self.bundle.out().join("told")).unwrap_or_default();
        let limit = Duration::from_secs(self.trial.seconds);
        wait_until(limit, || {
            told().ends_with("end\n") || descendants().is_empty()
        });
        told().trim_end() == TOLD
    }

    fn has_stopped(&self) -> bool {
        let limit = Duration::from_secs(self.trial.seconds);
        wait_until(limit, || descendants().is_empty())
    }

    fn arguments(&self, command: &str) -> Vec<String> {
        let mut arguments = vec![
            self.trial.runtime.display().to_string(),
            "--root".to_owned(),
            self.state.display().to_string(),
        ];
        arguments.extend(command.split(' ').map(str::to_owned));
        if command == "create" {
            let bundle = self.bundle.path().display().to_string();
            arguments.extend(["--bundle".to_owned(), bundle]);
            if let Some(console) = self.bundle.console_socket() {
                let console = console.display().to_string();
                arguments.extend(["--console-socket".to_owned(), console]);
            }
        }
        arguments.push(self.id.clone());
        if command == "kill" {
            arguments.push("KILL".to_owned());
        }
        arguments
    }

    /// The command as it is.
    fn plain(&self, command: &str) -> io::Result<Done> {
        let arguments = self.arguments(command);
        let mut program = Command::new(&arguments[0]);
        program.args(&arguments[1..]);
        self.finish(program, "plain", |code| {
            Ok(Report {
                code,
                signal: None,
                reached: false,
                since_exec: 0,
                calls: BTreeMap::new(),
            })
        })
    }

    /// The command that is tried, under the tracer.
    fn traced(&self) -> io::Result<Done> {
        let command = match self.trial.operation {
            Operation::Create => "create",
            Operation::Start => "start",
            Operation::Kill => "kill",
            Operation::Delete => "delete",
            Operation::ForcedDelete => "delete --force",
        };
        let also = match self.trial.operation {
            Operation::Start => Some(self.pid()?),
            _ => None,
        };
        let report = self.dir.join("report");
        let trace = Trace {
            command: self.arguments(command),
            also,
            fault: self.trial.fault.clone(),
            report: report.clone(),
        };
        let mut program = Command::new(std::env::current_exe()?);
        program.arg("trace").arg(serde_json::to_string(&trace)?);
        self.finish(program, "traced", |_| {
            let report = fs::read(&report).map_err(|error| {
                let said = fs::read_to_string(self.dir.join("traced.stderr")).unwrap_or_default();
                io::Error::other(format!("the tracer left no report: {error}: {said}"))
            })?;
            Ok(serde_json::from_slice(&report)?)
        })
    }

    fn finish(
        &self,
        mut program: Command,
        name: &str,
        report: impl FnOnce(Option<i32>) -> io::Result<Report>,
    ) -> io::Result<Done> {
        let stderr = self.dir.join(format!("{name}.stderr"));
        let mut child = program
            .stdin(Stdio::null())
            .stdout(File::create(self.dir.join(format!("{name}.stdout")))?)
            .stderr(File::create(&stderr)?)
            .spawn()?;
        let mut status = None;
        wait_until(Duration::from_secs(self.trial.seconds), || {
            status = child.try_wait().transpose();
            status.is_some()
        });
        let stderr =
            || String::from_utf8_lossy(&fs::read(&stderr).unwrap_or_default()).into_owned();
        let Some(status) = status.transpose()? else {
            child.kill()?;
            child.wait()?;
            return Ok(Done {
                report: None,
                stderr: stderr(),
            });
        };
        Ok(Done {
            report: Some(report(status.code())?),
            stderr: stderr(),
        })
    }

    /// The process of the created container.
    fn pid(&self) -> io::Result<i32> {
        let done = self.plain("state")?;
        let printed = fs::read(self.dir.join("plain.stdout"))?;
        let state: serde_json::Value = serde_json::from_slice(&printed)
            .map_err(|error| io::Error::other(format!("state: {error}: {}", done.stderr)))?;
        let pid = state["pid"]
            .as_i64()
            .and_then(|pid| i32::try_from(pid).ok());
        pid.ok_or_else(|| io::Error::other(format!("state tells no pid: {state}")))
    }
}

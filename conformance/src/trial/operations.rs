//! The operations of a trial: each is one command given to the subject, recorded as a step.
//!
//! A step's output goes to files, not pipes: a container inherits them, so that the probe's report
//! outlives create, and nobody who keeps them open can hold the harness up.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use oci_probe::Line;
use serde_json::{Value, json};

use super::files::{self, Output, blame};
use super::{PAUSE, Stop, Trial};
use crate::processes::{self, Ending};
use crate::results::{OUTPUT_LIMIT, Step};

/// Output beyond this ends a command: disks are finite.
const FLOOD: u64 = 64 * 1024 * 1024;
/// Stands at the end of such a command's standard error.
const FLOODED: &str = "\n[ended by the harness: more than 64 MiB of output]";

/// How a command of the subject ended.
#[derive(Clone, Debug)]
pub struct Exit {
    /// Exit status, unless a signal ended it.
    pub code: Option<i32>,
    /// Name of the signal that did.
    pub signal: Option<String>,
    /// Standard output, capped.
    pub stdout: String,
    /// Standard error, capped.
    pub stderr: String,
}

impl Exit {
    /// Whether it exited with 0, which is how success is told (stand 29).
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// The lines that a probe has written to the command's standard output.
    pub fn lines(&self) -> Vec<Line> {
        lines_of(&self.stdout)
    }

    /// The exit as an observed value, with the end of what it said: `exit 1: no such container`.
    pub fn describe(&self) -> Value {
        let ended = match (&self.signal, self.code) {
            (Some(signal), _) => format!("ended by {signal}"),
            (None, Some(code)) => format!("exit {code}"),
            (None, None) => "no exit status".into(),
        };
        let said: Vec<&str> = self
            .stderr
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let said = match said[..] {
            [] => return json!(ended),
            _ if self.succeeded() => return json!(ended),
            // The cause stands first in a backtrace, and last in a log.
            [first, second, .., last] => {
                format!(
                    "{first}\n{second}{}{last}",
                    if said.len() > 3 { "\n…\n" } else { "\n" }
                )
            }
            _ => said.join("\n"),
        };
        json!(format!("{ended}: {said}"))
    }
}

/// What a command of the subject is given beside its words.
#[derive(Debug, Default)]
pub struct Surroundings<'a> {
    /// Its working directory, if not the harness's.
    pub directory: Option<&'a Path>,
    /// The file that is its standard input, if not `/dev/null`.
    pub stdin: Option<&'a Path>,
    /// A file that it finds open, for reading, as descriptor 3.
    pub third: Option<&'a Path>,
}

/// What `state` answered.
#[derive(Clone, Debug)]
pub struct State {
    /// How the command ended.
    pub exit: Exit,
    /// Its standard output, if that is a JSON object and the exit status 0.
    pub document: Option<Value>,
}

impl State {
    /// A property as it stands, null if there is none or no document.
    pub fn property(&self, name: &str) -> &Value {
        let document = self.document.as_ref();
        document
            .and_then(|document| document.get(name))
            .unwrap_or(&Value::Null)
    }

    /// Reads what a state command printed.
    pub(crate) fn read(exit: Exit) -> State {
        let document = exit
            .succeeded()
            .then(|| serde_json::from_str::<Value>(&exit.stdout).ok())
            .flatten()
            .filter(Value::is_object);
        State { exit, document }
    }

    /// The `status` property.
    pub fn status(&self) -> Option<&str> {
        self.document.as_ref()?.get("status")?.as_str()
    }

    /// The `pid` property.
    pub fn pid(&self) -> Option<i64> {
        self.document.as_ref()?.get("pid")?.as_i64()
    }

    /// The status, or how the query failed, as an observed value.
    pub fn describe(&self) -> Value {
        match self.status() {
            Some(status) => json!(status),
            None => self.exit.describe(),
        }
    }
}

impl Trial<'_> {
    /// Writes `config.json` of the current container.
    ///
    /// # Errors
    /// [`Stop::Broken`] if the file system refuses.
    pub fn write_config(&mut self) -> Result<(), Stop> {
        let path = self.directory.join("config.json");
        let text = serde_json::to_string_pretty(&self.config).unwrap_or_default();
        files::write_regular(&path, &text).map_err(|error| blame("write", &path, &error))
    }

    /// `create --bundle B --pid-file F ID` with the current configuration.
    ///
    /// # Errors
    /// [`Stop::Timeout`] if it does not end; [`Stop::Broken`] if the harness fails.
    pub fn create(&mut self) -> Result<Exit, Stop> {
        self.create_with(&[])
    }

    /// As [`Trial::create`], with further options before the id.
    ///
    /// # Errors
    /// As [`Trial::create`].
    pub fn create_with(&mut self, options: &[&str]) -> Result<Exit, Stop> {
        self.write_config()?;
        self.create_again(options)
    }

    /// As [`Trial::create_with`], but leaves `config.json` alone.
    ///
    /// # Errors
    /// As [`Trial::create`].
    pub fn create_again(&mut self, options: &[&str]) -> Result<Exit, Stop> {
        let bundle = self.directory.display().to_string();
        let pid_path = self.pid_file().display().to_string();
        let id = self.id.clone();
        let mut words = vec!["create", "--bundle", &bundle, "--pid-file", &pid_path];
        words.extend(options);
        words.push(&id);
        self.bring_up(&words, &Surroundings::default())
    }

    /// Where create is told to write the current container's pid.
    pub fn pid_file(&self) -> std::path::PathBuf {
        self.directory.join("pid")
    }

    /// Gives the subject a command of any words that leaves the current container behind, created
    /// or running, if it succeeds.
    ///
    /// # Errors
    /// As [`Trial::create`].
    pub fn bring_up(
        &mut self,
        words: &[&str],
        surroundings: &Surroundings<'_>,
    ) -> Result<Exit, Stop> {
        let pid_file = self.pid_file();
        let output = self
            .job
            .directory
            .join(format!("steps/{}.out", self.steps.len()));
        let current = self.current;
        self.containers[current].tried = true;
        let exit = self.operation_with(words, surroundings)?;
        if exit.succeeded() {
            let pid = read_pid(&pid_file);
            let tracked = &mut self.containers[current];
            tracked.created = true;
            tracked.deleted = false;
            tracked.output = Some(output);
            tracked.pid = pid;
            if pid.is_none() {
                let pid = self.quietly(Self::state)?.pid();
                self.containers[current].pid = pid.and_then(|pid| i32::try_from(pid).ok());
            }
        }
        Ok(exit)
    }

    /// `start ID`.
    ///
    /// # Errors
    /// As [`Trial::create`].
    pub fn start(&mut self) -> Result<Exit, Stop> {
        let id = self.id.clone();
        self.operation(&["start", &id])
    }

    /// `state ID`.
    ///
    /// # Errors
    /// As [`Trial::create`].
    pub fn state(&mut self) -> Result<State, Stop> {
        let id = self.id.clone();
        self.operation(&["state", &id]).map(State::read)
    }

    /// `kill ID SIGNAL`, the signal by its name without `SIG`.
    ///
    /// # Errors
    /// As [`Trial::create`].
    pub fn kill(&mut self, signal: &str) -> Result<Exit, Stop> {
        let id = self.id.clone();
        self.operation(&["kill", &id, signal])
    }

    /// `delete ID`.
    ///
    /// # Errors
    /// As [`Trial::create`].
    pub fn delete(&mut self) -> Result<Exit, Stop> {
        let id = self.id.clone();
        let exit = self.operation(&["delete", &id])?;
        if exit.succeeded() {
            let current = self.current;
            self.containers[current].deleted = true;
        }
        Ok(exit)
    }

    /// Create, which the case needs to succeed.
    ///
    /// # Errors
    /// [`Stop::Refused`] if it does not; else as [`Trial::create`].
    pub fn must_create(&mut self) -> Result<(), Stop> {
        let exit = self.create()?;
        must("create", exit)
    }

    /// Start, which the case needs to succeed.
    ///
    /// # Errors
    /// [`Stop::Refused`] if it does not; else as [`Trial::create`].
    pub fn must_start(&mut self) -> Result<(), Stop> {
        let exit = self.start()?;
        must("start", exit)
    }

    /// Delete, which the case needs to succeed.
    ///
    /// # Errors
    /// [`Stop::Refused`] if it does not; else as [`Trial::create`].
    pub fn must_delete(&mut self) -> Result<(), Stop> {
        let exit = self.delete()?;
        must("delete", exit)
    }

    /// Waits until the current container's process has ended and the subject says `stopped` (or
    /// knows the container no more).
    ///
    /// # Errors
    /// [`Stop::Timeout`] if that does not come about.
    pub fn wait_exit(&mut self) -> Result<(), Stop> {
        let id = self.id.clone();
        self.by_hand(format!("until_stopped {id}"));
        let deadline = self.deadline();
        if let Some(pid) = self.containers[self.current].pid.filter(|pid| *pid > 1) {
            let gone = processes::wait_until_gone(Pid::from_raw(pid), deadline)
                .map_err(|error| Stop::Broken(format!("waiting for process {pid}: {error}")))?;
            if !gone {
                return Err(Stop::Timeout(format!("end of the container process {pid}")));
            }
        }
        loop {
            let state = self.quietly(Self::state)?;
            match state.status() {
                Some("stopped") | None => return Ok(()),
                Some(status) if Instant::now() >= deadline => {
                    let process = "the container process has ended";
                    return Err(Stop::Timeout(format!(
                        "status stopped ({process}, it is {status})"
                    )));
                }
                Some(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Waits until the current container's report has a line of the verb `ready`.
    ///
    /// # Errors
    /// [`Stop::NoReport`] if the container ends first, [`Stop::Timeout`] if neither comes.
    pub fn wait_ready(&mut self) -> Result<(), Stop> {
        self.by_hand(format!("until_says {} ready", self.id));
        self.wait_for_line("ready")
    }

    /// Waits until the current container's report has a line of a verb.
    ///
    /// # Errors
    /// As [`Trial::wait_ready`].
    pub fn wait_for_line(&mut self, verb: &str) -> Result<(), Stop> {
        let deadline = self.deadline();
        loop {
            if self.report()?.iter().any(|line| line.verb == verb) {
                return Ok(());
            }
            let ended = match self.containers[self.current].pid {
                Some(pid) => processes::wait_until_gone(Pid::from_raw(pid), Instant::now() + PAUSE)
                    .map_err(|error| Stop::Broken(format!("waiting for process {pid}: {error}")))?,
                // Nobody whose end could be waited for.
                None => {
                    std::thread::sleep(PAUSE);
                    false
                }
            };
            if ended && !self.report()?.iter().any(|line| line.verb == verb) {
                return Err(Stop::NoReport(format!(
                    "the container process ended before it said {verb:?}"
                )));
            }
            if Instant::now() >= deadline {
                return Err(Stop::Timeout(format!(
                    "the container process to say {verb:?}"
                )));
            }
        }
    }

    /// The lines that the probe has written so far.
    ///
    /// # Errors
    /// [`Stop::Broken`] if the output cannot be read.
    pub fn report(&self) -> Result<Vec<Line>, Stop> {
        let Some(path) = &self.containers[self.current].output else {
            return Ok(Vec::new());
        };
        let (text, _) = files::read_regular(path, 8 * 1024 * 1024)
            .map_err(|error| blame("read", path, &error))?;
        Ok(lines_of(&text))
    }

    /// The pid that the subject gave for the current container: its pid file's, else its state's.
    pub fn pid(&self) -> Option<i32> {
        self.containers[self.current].pid
    }

    /// Whether the container process has ended, by the pid that create gave.
    pub fn process_is_gone(&self) -> bool {
        self.containers[self.current].pid.is_none_or(|pid| {
            processes::reap_orphans(None);
            processes::wait_until_gone(Pid::from_raw(pid), Instant::now()).unwrap_or(true)
        })
    }

    /// Gives the container process a grace time to end; returns when it has, or when that is over.
    pub fn wait_gone_in_grace(&self) {
        if let Some(pid) = self.containers[self.current].pid {
            let deadline = Instant::now() + super::grace(self.job);
            let _ = processes::wait_until_gone(Pid::from_raw(pid), deadline);
        }
    }

    /// Runs something without recording its steps: queries of a waiting loop.
    pub(crate) fn quietly<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.quiet, true);
        let result = what(self);
        self.quiet = before;
        result
    }

    /// Gives the subject a command, with `--root` if it takes it.
    ///
    /// # Errors
    /// As [`Trial::create`].
    pub fn operation(&mut self, words: &[&str]) -> Result<Exit, Stop> {
        let root = self
            .profile
            .takes_root
            .then(|| self.job.directory.join("state"));
        self.command(root.as_deref(), words, None)
    }

    /// Gives the subject a command from a working directory.
    ///
    /// # Errors
    /// As [`Trial::create`].
    pub fn operation_in(&mut self, directory: &Path, words: &[&str]) -> Result<Exit, Stop> {
        let surroundings = Surroundings {
            directory: Some(directory),
            ..Surroundings::default()
        };
        self.operation_with(words, &surroundings)
    }

    /// Gives the subject a command in these surroundings.
    ///
    /// # Errors
    /// As [`Trial::create`].
    pub fn operation_with(
        &mut self,
        words: &[&str],
        surroundings: &Surroundings<'_>,
    ) -> Result<Exit, Stop> {
        let root = self
            .profile
            .takes_root
            .then(|| self.job.directory.join("state"));
        self.command_with(root.as_deref(), words, surroundings)
    }

    /// Gives the subject a command with this state directory, or none.
    pub(crate) fn command(
        &mut self,
        root: Option<&Path>,
        words: &[&str],
        directory: Option<&Path>,
    ) -> Result<Exit, Stop> {
        let surroundings = Surroundings {
            directory,
            ..Surroundings::default()
        };
        self.command_with(root, words, &surroundings)
    }

    fn command_with(
        &mut self,
        root: Option<&Path>,
        words: &[&str],
        surroundings: &Surroundings<'_>,
    ) -> Result<Exit, Stop> {
        let argv = self.job.subject.command(root, words);
        if !self.quiet {
            let line = script_line(&argv, &self.job.subject, root, surroundings);
            self.script.push(line);
        }
        let number = if self.quiet {
            "quiet".to_owned()
        } else {
            self.steps.len().to_string()
        };
        let file = |kind: &str| self.job.directory.join(format!("steps/{number}.{kind}"));
        let (stdout, stderr) = (file("out"), file("err"));
        let make = |path: &Path| Output::make(path).map_err(|error| blame("create", path, &error));
        let (stdout, stderr) = (make(&stdout)?, make(&stderr)?);
        let step = run_step(&argv, surroundings, &stdout, &stderr, self.deadline())
            .map_err(|error| Stop::Broken(format!("{}: {error}", argv.join(" "))))?;
        let exit = Exit {
            code: step.exit,
            signal: step.signal.clone(),
            stdout: step.stdout.clone(),
            stderr: step.stderr.clone(),
        };
        let timed_out = step.timed_out;
        if !self.quiet {
            self.steps.push(step);
        }
        if timed_out {
            return Err(Stop::Timeout(
                words.first().copied().unwrap_or("the subject").to_owned(),
            ));
        }
        Ok(exit)
    }
}

fn must(operation: &'static str, exit: Exit) -> Result<(), Stop> {
    if exit.succeeded() {
        Ok(())
    } else {
        Err(Stop::Refused {
            operation,
            exit: Box::new(exit),
        })
    }
}

fn run_step(
    argv: &[String],
    surroundings: &Surroundings<'_>,
    stdout: &Output,
    stderr: &Output,
    deadline: Instant,
) -> std::io::Result<Step> {
    let started = Instant::now();
    let mut command = Command::new(&argv[0]);
    command
        .args(&argv[1..])
        .stdin(match surroundings.stdin {
            Some(path) => File::open(path)?.into(),
            None => Stdio::null(),
        })
        .stdout(stdout.writer.try_clone()?)
        .stderr(stderr.writer.try_clone()?)
        .process_group(0);
    if let Some(directory) = surroundings.directory {
        command.current_dir(directory);
    }
    if let Some(path) = surroundings.third {
        crate::sys::give_as_third(&mut command, File::open(path)?.into());
    }
    let mut step = Step {
        argv: argv.to_vec(),
        exit: None,
        signal: None,
        stdout: String::new(),
        stderr: String::new(),
        truncated: false,
        timed_out: false,
        seconds: 0.0,
    };
    let child = match command.spawn() {
        Ok(child) => Pid::from_raw(child.id() as i32),
        // The subject's fault, not ours: it has no interpreter, say.
        Err(error) => {
            step.exit = Some(127);
            step.stderr = format!("execve({:?}): {error}", argv[0]);
            return Ok(step);
        }
    };
    let mut flooded = false;
    let ending = processes::wait_for_child(child, deadline, || {
        flooded = stdout.size().max(stderr.size()) > FLOOD;
        flooded
    })?;
    let ending = match ending {
        Some(ending) => ending,
        None => {
            step.timed_out = !flooded;
            end_child(child)?
        }
    };
    match ending {
        Ending::Exit(code) => step.exit = Some(code),
        Ending::Signal(number) => step.signal = Some(processes::signal_name(number)),
    }
    let (out, out_cut) = stdout.read(OUTPUT_LIMIT)?;
    let (err, err_cut) = stderr.read(OUTPUT_LIMIT)?;
    step.stdout = out;
    step.stderr = err;
    step.truncated = out_cut || err_cut;
    if flooded {
        files::truncate(&mut step.stderr, OUTPUT_LIMIT - FLOODED.len());
        step.stderr.push_str(FLOODED);
    }
    step.seconds = started.elapsed().as_secs_f64();
    Ok(step)
}

/// Ends a command that the deadline or its output's size has stopped, with what it has begun: its
/// process group, and its descendants. What left both ends with the trial. It is a child that nobody
/// has waited for, so its pid, and its group's, is still its own.
fn end_child(child: Pid) -> std::io::Result<Ending> {
    // Held before the first signal: what has left the group is known by its parent only.
    let below = processes::hold_descendants(child.as_raw());
    // The group may be empty: a command can join another one, and leaves the one made for it.
    let _ = nix::sys::signal::killpg(child, nix::sys::signal::Signal::SIGKILL);
    for pidfd in below.into_iter().chain(crate::sys::pidfd_open(child)) {
        let _ = crate::sys::pidfd_send_signal(pidfd.as_fd(), nix::sys::signal::Signal::SIGKILL);
    }
    let soon = Instant::now() + Duration::from_secs(5);
    let ending = processes::wait_for_child(child, soon, || false)?;
    Ok(ending.unwrap_or(Ending::Signal(libc::SIGKILL)))
}

/// The pid that a file tells, if it tells one.
pub(super) fn read_pid(path: &Path) -> Option<i32> {
    let (text, _) = files::read_regular(path, 64).ok()?;
    text.trim().parse().ok()
}

/// The probe's lines among whatever else was printed.
pub(crate) fn lines_of(text: &str) -> Vec<Line> {
    text.lines()
        .filter_map(|line| line.find("{\"probe\":").map(|start| &line[start..]))
        .filter_map(|line| {
            // Something may follow on the same line; the first JSON value is the report.
            serde_json::Deserializer::from_str(line)
                .into_iter::<Line>()
                .next()?
                .ok()
        })
        .filter(|line| line.probe == oci_probe::FORMAT)
        .collect()
}

fn script_line(
    argv: &[String],
    subject: &crate::subject::Subject,
    root: Option<&Path>,
    surroundings: &Surroundings<'_>,
) -> String {
    let skip = 1 + subject.arguments.len() + if root.is_some() { 2 } else { 0 };
    let words: Vec<String> = argv.iter().skip(skip).map(|word| quote(word)).collect();
    let runtime = if root.is_some() {
        "runtime"
    } else {
        "runtime_without_root"
    };
    let mut line = format!("{runtime} {}", words.join(" "));
    for (operator, path) in [("<", surroundings.stdin), ("3<", surroundings.third)] {
        if let Some(path) = path {
            line += &format!(" {operator} {}", quote(&path.display().to_string()));
        }
    }
    match surroundings.directory {
        Some(directory) => format!("(cd {} && {line})", quote(&directory.display().to_string())),
        None => line,
    }
}

/// A word quoted for a POSIX shell.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probes_lines_are_found_among_other_output() {
        let text = "warning: odd\n{\"probe\":1,\"verb\":\"read\",\"args\":[\"/x\"],\"value\":1}\n\
                    {\"probe\":7,\"verb\":\"old\",\"args\":[]}\nnoise {\"probe\":1,\"verb\":\"ready\",\
                    \"args\":[]} trailing\n{\"probe\":broken\n";
        let verbs: Vec<String> = lines_of(text).into_iter().map(|line| line.verb).collect();
        assert_eq!(verbs, ["read", "ready"]);
    }

    #[test]
    fn words_are_quoted_for_a_shell_only_where_they_must() {
        assert_eq!(quote("a/b-c"), "a/b-c");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }

    #[test]
    fn a_step_is_ended_at_its_deadline_and_its_output_kept() {
        let _alone = processes::CHILDREN
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        let argv = ["/bin/sh", "-c", "echo begun; exec sleep 1000"].map(str::to_owned);
        let deadline = Instant::now() + Duration::from_millis(500);
        let step = run_step(
            &argv,
            &Surroundings::default(),
            &Output::make(&file("out")).unwrap(),
            &Output::make(&file("err")).unwrap(),
            deadline,
        )
        .unwrap();
        assert!(step.timed_out);
        assert_eq!(step.signal.as_deref(), Some("SIGKILL"));
        assert_eq!(step.stdout, "begun\n");
    }

    #[test]
    fn output_without_end_is_cut_and_ends_the_command() {
        let _alone = processes::CHILDREN
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        let token = format!("flood-{}", std::process::id());
        let script = format!("yes {token} & yes {token} & wait");
        let argv = ["/bin/sh", "-c", &script].map(str::to_owned);
        let deadline = Instant::now() + Duration::from_secs(60);
        let step = run_step(
            &argv,
            &Surroundings::default(),
            &Output::make(&file("out")).unwrap(),
            &Output::make(&file("err")).unwrap(),
            deadline,
        )
        .unwrap();
        assert!(!step.timed_out && step.truncated);
        assert_eq!(step.stdout.len(), OUTPUT_LIMIT);
        assert!(step.stderr.contains("more than 64 MiB"));
        let lives = || {
            std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
                let line = crate::host::read(entry.path().join("cmdline"));
                line.starts_with("yes\0") && line.contains(&token)
            })
        };
        // They were killed; a process that is busy writing takes a moment to die of it.
        let deadline = Instant::now() + Duration::from_secs(10);
        while lives() && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
        assert!(!lives(), "what the command has begun writes on");
    }
}

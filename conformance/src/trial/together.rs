//! Two operations at once.

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::files::{Output, blame};
use super::operations::{Exit, read_pid};
use super::{PAUSE, Stop, Trial, quote};
use crate::processes::{self, Ending};
use crate::results::{OUTPUT_LIMIT, Step};
use crate::sys;

/// A command that runs beside another.
struct Running {
    argv: Vec<String>,
    pid: Pid,
    /// Where its standard output goes.
    path: PathBuf,
    output: [Output; 2],
    ended: Option<Ending>,
}

impl Trial<'_> {
    /// Gives the subject two commands at once and waits for both.
    ///
    /// # Errors
    /// [`Stop::Timeout`] if one does not end; [`Stop::Broken`] if the harness fails.
    pub fn together(&mut self, commands: [&[&str]; 2]) -> Result<[Exit; 2], Stop> {
        let begun = Instant::now();
        let deadline = self.deadline();
        let root = self
            .profile
            .takes_root
            .then(|| self.job.directory.join("state"));
        let mut running = Vec::new();
        for words in commands {
            let argv = self.job.subject.command(root.as_deref(), words);
            let number = self.steps.len() + running.len();
            let file = |kind: &str| self.job.directory.join(format!("steps/{number}.{kind}"));
            let make = |path| Output::make(path).map_err(|error| blame("create", path, &error));
            let output = [make(&file("out"))?, make(&file("err"))?];
            let command = spawn(argv, file("out"), output)
                .map_err(|error| Stop::Broken(format!("{}: {error}", words.join(" "))))?;
            running.push(command);
        }
        self.repeat_by_hand(&running);
        let in_time = wait_for_all(&mut running, deadline);
        let seconds = begun.elapsed().as_secs_f64();
        let mut exits = Vec::new();
        let mut succeeded = Vec::new();
        for (one, words) in running.into_iter().zip(commands) {
            let output = one.path.clone();
            let step = one.step(seconds);
            if step.exit == Some(0) {
                succeeded.push((words[0], output));
            }
            exits.push(Exit {
                code: step.exit,
                signal: step.signal.clone(),
                stdout: step.stdout.clone(),
                stderr: step.stderr.clone(),
            });
            self.steps.push(step);
        }
        // If one has created and the other deleted, it may be there still.
        succeeded.sort_by_key(|(operation, _)| *operation == "create");
        for (operation, output) in succeeded {
            self.note(operation, output);
        }
        if !in_time {
            let words = commands.map(|words| words.first().copied().unwrap_or_default());
            return Err(Stop::Timeout(words.join(" and ")));
        }
        exits
            .try_into()
            .map_err(|_| Stop::Broken("two commands have two endings".into()))
    }

    fn repeat_by_hand(&mut self, running: &[Running]) {
        for (place, one) in running.iter().enumerate() {
            let words: Vec<String> = one.argv[1..].iter().map(|word| quote(word)).collect();
            let words = words.join(" ");
            let output = format!("\"$HERE/steps/at-once-{}\"", self.steps.len() + place);
            self.by_hand(format!(
                "( \"$RUNTIME\" {words} </dev/null >{output} 2>&1; echo \"  exit $? (at once): \"{words} ) &"
            ));
        }
        self.by_hand("wait");
    }

    /// Notes what a command that succeeded has made of the current container.
    fn note(&mut self, operation: &str, output: PathBuf) {
        let pid = read_pid(&self.pid_file());
        let current = self.current;
        let tracked = &mut self.containers[current];
        match operation {
            "create" => {
                tracked.created = true;
                tracked.deleted = false;
                tracked.output = Some(output);
                tracked.pid = pid;
            }
            "delete" => tracked.deleted = true,
            _ => {}
        }
    }
}

fn spawn(argv: Vec<String>, path: PathBuf, output: [Output; 2]) -> std::io::Result<Running> {
    let child = Command::new(&argv[0])
        .args(&argv[1..])
        .stdin(Stdio::null())
        .stdout(output[0].writer.try_clone()?)
        .stderr(output[1].writer.try_clone()?)
        .process_group(0)
        .spawn()?;
    Ok(Running {
        pid: Pid::from_raw(child.id() as i32),
        argv,
        path,
        output,
        ended: None,
    })
}

/// Collects every child that ends, orphans among them, until the commands have; `false` if the
/// deadline came first, which ends them.
fn wait_for_all(running: &mut [Running], deadline: Instant) -> bool {
    let mut deadline = deadline;
    let mut in_time = true;
    loop {
        while let Ok(Some(pid)) = sys::ended_child() {
            let status = sys::collect(pid, false).ok().flatten();
            if let Some(one) = running.iter_mut().find(|one| one.pid == pid) {
                one.ended = status;
            }
        }
        if running.iter().all(|one| one.ended.is_some()) {
            return in_time;
        }
        if Instant::now() >= deadline {
            if !in_time {
                return false;
            }
            in_time = false;
            deadline = Instant::now() + Duration::from_secs(5);
            for one in running.iter().filter(|one| one.ended.is_none()) {
                // A child that nobody has waited for: its pid is still its own.
                for pidfd in processes::hold_descendants(one.pid.as_raw()) {
                    let kill = nix::sys::signal::Signal::SIGKILL;
                    let _ = sys::pidfd_send_signal(pidfd.as_fd(), kill);
                }
                let _ = nix::sys::signal::killpg(one.pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
        std::thread::sleep(PAUSE);
    }
}

impl Running {
    fn step(self, seconds: f64) -> Step {
        let read = |output: &Output| output.read(OUTPUT_LIMIT).unwrap_or_default();
        let ((stdout, cut), (stderr, cut_too)) = (read(&self.output[0]), read(&self.output[1]));
        let (exit, signal) = match self.ended {
            Some(Ending::Exit(code)) => (Some(code), None),
            Some(Ending::Signal(number)) => (None, Some(processes::signal_name(number))),
            None => (None, None),
        };
        Step {
            argv: self.argv,
            exit,
            signal,
            stdout,
            stderr,
            truncated: cut || cut_too,
            timed_out: self.ended.is_none(),
            seconds,
        }
    }
}

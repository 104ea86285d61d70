//! `hooks`: programs that are run at points of the lifecycle, with the state on their stdin.

use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::sys::files;
use crate::sys::process::{self, Ending, Side, StringList};
use serde_json::Value;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// The names of the lists, in the order of the lifecycle.
pub(crate) const NAMES: &[&str] = &[
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
];

/// The planned hooks.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) prestart: Vec<Program>,
    pub(crate) create_runtime: Vec<Program>,
    pub(crate) create_container: Vec<Program>,
    pub(crate) start_container: Vec<Program>,
    pub(crate) poststart: Vec<Program>,
    pub(crate) poststop: Vec<Program>,
}

impl Hooks {
    /// Reads the property; a hook that could never run is an error now and not when its time has come.
    pub(crate) fn plan(config: &Node<'_>) -> Result<Self> {
        let Some(hooks) = config.object("hooks")? else {
            return Ok(Hooks::default());
        };
        let list = |name| {
            hooks
                .objects(name)?
                .iter()
                .map(Program::plan)
                .collect::<Result<Vec<_>>>()
        };
        Ok(Hooks {
            prestart: list("prestart")?,
            create_runtime: list("createRuntime")?,
            create_container: list("createContainer")?,
            start_container: list("startContainer")?,
            poststart: list("poststart")?,
            poststop: list("poststop")?,
        })
    }

    /// The hooks that were kept with a container; `hooks` has the form of the property.
    pub(crate) fn kept(hooks: &Value) -> Result<Self> {
        if hooks.is_null() {
            return Ok(Hooks::default());
        }
        let config = serde_json::json!({ "hooks": hooks });
        Hooks::plan(&Node::root(&config)?)
    }

    /// Whether a hook of the runtime namespace stands between the mounts and the pivot.
    pub(crate) fn interrupt_create(&self) -> bool {
        !self.prestart.is_empty() || !self.create_runtime.is_empty()
    }
}

/// A program with its arguments, environment and timeout.
#[derive(Debug)]
pub(crate) struct Program {
    path: CString,
    arguments: StringList,
    environment: StringList,
    timeout: Option<Duration>,
    pointer: String,
}

impl Program {
    fn plan(entry: &Node<'_>) -> Result<Self> {
        let path = entry.required("path", entry.string("path")?)?;
        if !path.starts_with('/') {
            return Err(entry.error("path", format!("{path:?} is not absolute")));
        }
        // execv wants an argv; without one the name of the program is all there is to say.
        let arguments = entry
            .strings("args")?
            .filter(|args| !args.is_empty())
            .unwrap_or_else(|| vec![path]);
        let timeout = entry.integer::<i64>("timeout")?;
        if timeout.is_some_and(|seconds| seconds <= 0) {
            return Err(entry.error("timeout", "must be greater than zero"));
        }
        let list =
            |name, strings| StringList::new(strings).map_err(|_| entry.error(name, "holds a NUL"));
        Ok(Program {
            path: crate::sys::c_string(path).map_err(|_| entry.error("path", "holds a NUL"))?,
            arguments: list("args", arguments)?,
            environment: list("env", entry.strings("env")?.unwrap_or_default())?,
            timeout: timeout.map(|seconds| Duration::from_secs(seconds as u64)),
            pointer: entry.pointer(),
        })
    }

    /// A program of the host, looked up in PATH.
    pub(crate) fn find(name: &str, arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let path =
            std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
        let file = std::env::split_paths(&path)
            .map(|dir| dir.join(name))
            .find(|file| files::executable(file.as_os_str()).is_ok())
            .ok_or_else(|| Error::new(format!("{name} is not in PATH")))?;
        Ok(Program {
            path: crate::sys::c_string(&file).call(|| format!("path {file:?}"))?,
            arguments: StringList::new(arguments).call(|| format!("arguments of {name}"))?,
            environment: StringList::default(),
            timeout: None,
            pointer: String::new(),
        })
    }

    /// Runs the program to its end in the caller's namespaces and working directory.
    pub(crate) fn run(&self, stdin: &[u8]) -> Result<()> {
        self.run_noted(stdin, |_| Ok(()))
    }

    /// The same; `note` learns the pid before the program runs, and if it fails none does.
    pub(crate) fn run_noted(
        &self,
        stdin: &[u8],
        note: impl FnOnce(i32) -> Result<()>,
    ) -> Result<()> {
        let result = self.try_run(stdin, note);
        if self.pointer.is_empty() {
            result
        } else {
            result.at(&self.pointer)
        }
    }

    fn try_run(&self, stdin: &[u8], note: impl FnOnce(i32) -> Result<()>) -> Result<()> {
        // A file and not a pipe: a hook need not read, and writing must never block.
        let stdin = files::memory_file("state", stdin).call(|| "memfd_create(\"state\")")?;
        let (reading, writing) = files::pipe().call(|| "pipe2(O_CLOEXEC)")?;
        let (word, give_word) = files::pipe().call(|| "pipe2(O_CLOEXEC)")?;
        let child = match process::clone3(0, None).call(|| "clone3(0)")? {
            Side::Child => {
                drop(give_word);
                // A hook does not outlive who waits for it. Without the word, nobody does.
                let _ = process::set_parent_death_signal(libc::SIGKILL);
                if File::from(word).read_exact(&mut [0]).is_err() {
                    process::exit_now(127);
                }
                let error = self.become_program(stdin.as_fd());
                let errno = error.raw_os_error().unwrap_or(libc::EINVAL);
                // The pipe is the only way left to say why; if that fails, the exit status remains.
                let _ = File::from(writing).write_all(&errno.to_ne_bytes());
                process::exit_now(127);
            }
            Side::Parent(child) => child,
        };
        drop(writing);
        if let Err(error) = note(child.pid) {
            drop(give_word);
            process::wait_for(child.pid).call(|| format!("waitpid({})", child.pid))?;
            return Err(error);
        }
        // It counts from here: also an exec can take for ever, on a file system that does not answer.
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        // Whoever has been killed meanwhile needs no word. This process still has the other end, as
        // SIGPIPE would end the one that is to become the program and has its signals' defaults back.
        let _ = File::from(give_word).write_all(b"g");
        drop(word);
        // Readable with the error of exec, or closed by its success.
        let executed = process::wait_readable(reading.as_fd(), deadline).call(|| "poll(hook)")?;
        let ended = executed
            && process::wait_readable(child.pidfd.as_fd(), deadline).call(|| "poll(pidfd)")?;
        let mut errno = [0; 4];
        let failed = executed && File::from(reading).read_exact(&mut errno).is_ok();
        if !ended {
            // The whole process group: a hook's own children must not outlive it.
            let _ = process::kill(-child.pid, libc::SIGKILL);
            // And the hook itself, which may have left the group to outlast its timeout.
            let _ = process::pidfd_send_signal(child.pidfd.as_fd(), libc::SIGKILL);
        }
        let ending = process::wait_for(child.pid).call(|| format!("waitpid({})", child.pid))?;
        let path = self.path.to_string_lossy();
        if failed {
            let error = io::Error::from_raw_os_error(i32::from_ne_bytes(errno));
            return Err(Error::call(format!("execve({path:?})"), &error));
        }
        match (ended, ending) {
            (false, _) => {
                let seconds = self.timeout.unwrap_or_default().as_secs();
                Err(Error::new(format!(
                    "{path:?} was aborted after its timeout of {seconds} s"
                )))
            }
            (true, Ending::Exit(0)) => Ok(()),
            (true, ending) => Err(Error::new(format!("{path:?} failed with {ending}"))),
        }
    }

    fn become_program(&self, stdin: BorrowedFd<'_>) -> io::Error {
        let prepared = (|| {
            process::own_process_group()?;
            files::dup_onto(stdin, 0)?;
            // stdout of the runtime belongs to the container; what a hook prints is diagnostics.
            files::dup_onto(io::stderr().as_fd(), 1)?;
            files::cloexec_from(3)?;
            process::default_signals();
            Ok(())
        })();
        match prepared {
            Ok(()) => process::execve(&self.path, &self.arguments, &self.environment),
            Err(error) => error,
        }
    }
}

/// Runs a list in its order; the first failure ends it.
pub(crate) fn run_all(programs: &[Program], state: &[u8]) -> Result<()> {
    programs.iter().try_for_each(|program| program.run(state))
}

/// The same; `note` learns the pid of each before it runs.
pub(crate) fn run_all_noted(
    programs: &[Program],
    state: &[u8],
    mut note: impl FnMut(i32) -> Result<()>,
) -> Result<()> {
    programs
        .iter()
        .try_for_each(|program| program.run_noted(state, &mut note))
}

/// Runs the poststop hooks: a failure is a warning, and the next hook runs.
pub(crate) fn run_poststop(programs: &[Program], state: &[u8]) {
    for program in programs {
        if let Err(error) = program.run(state) {
            crate::log::warning(&error.stage("poststop hook").to_string());
        }
    }
}

/// The directory that hooks of the runtime namespace run in.
pub(crate) fn enter_bundle(bundle: &Path) {
    // A bundle that has gone since is no reason to fail: the specification names no directory.
    let _ = std::env::set_current_dir(bundle);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn program(entry: Value) -> Result<Program> {
        Program::plan(&Node::root(&entry).unwrap())
    }

    #[test]
    fn a_hook_is_checked_before_its_time() {
        assert!(
            program(json!({"path": "bin/true"}))
                .unwrap_err()
                .to_string()
                .contains("is not absolute")
        );
        assert_eq!(
            program(json!({})).unwrap_err().to_string(),
            "/path: is required"
        );
        assert_eq!(
            program(json!({"path": "/x", "timeout": 0}))
                .unwrap_err()
                .to_string(),
            "/timeout: must be greater than zero"
        );
    }

    #[test]
    fn a_hook_gets_stdin_arguments_and_only_its_environment() {
        let script = "read line; test \"$line\" = state && test \"$0\" = name && test \"$1\" = arg && test \"$A\" = b && test -z \"$HOME\"";
        let hook =
            json!({"path": "/bin/sh", "args": ["sh", "-c", script, "name", "arg"], "env": ["A=b"]});
        program(hook).unwrap().run(b"state\n").unwrap();
    }

    #[test]
    fn failures_are_told_apart() {
        let error = |entry: Value| program(entry).unwrap().run(b"").unwrap_err().to_string();
        assert_eq!(
            error(json!({"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]})),
            "\"/bin/sh\" failed with exit status 3"
        );
        assert!(
            error(json!({"path": "/nonexistent"}))
                .starts_with("execve(\"/nonexistent\"): No such file")
        );
        let slow = json!({"path": "/bin/sh", "args": ["sh", "-c", "sleep 60; true"], "timeout": 1});
        assert!(error(slow).contains("aborted after its timeout of 1 s"));
    }

    #[test]
    fn a_timeout_counts_while_exec_waits_too() {
        let path = std::env::temp_dir().join(format!("refrun-hook-{}", std::process::id()));
        std::fs::copy("/bin/true", &path).unwrap();
        let held = File::options().write(true).open(&path).unwrap();
        files::take_lease(&held).unwrap();
        let hook = program(json!({"path": path, "timeout": 1})).unwrap();
        let begun = Instant::now();
        let error = hook.run(b"").unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(
            error.contains("aborted after its timeout of 1 s"),
            "{error}"
        );
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_hook_that_is_killed_before_its_word_does_not_end_its_caller() {
        let test = "hooks::tests::a_hook_is_killed_before_its_word";
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", test])
            .status();
        assert!(status.unwrap().success());
    }

    #[test]
    #[ignore = "changes the signals of its process: the one above runs it in one of its own"]
    fn a_hook_is_killed_before_its_word() {
        process::default_signals();
        let kill = |pid| {
            process::kill(pid, libc::SIGKILL).unwrap();
            let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            while !stat().contains(") Z ") {
                std::thread::yield_now();
            }
            Ok(())
        };
        let hook = program(json!({"path": "/bin/true"})).unwrap();
        let error = hook.run_noted(b"", kill).unwrap_err().to_string();
        assert!(error.contains("signal 9"), "{error}");
    }

    #[test]
    fn a_hook_that_cannot_be_noted_does_not_run() {
        let path = std::env::temp_dir().join(format!("refrun-noted-{}", std::process::id()));
        let hook = program(json!({"path": "/usr/bin/touch", "args": ["touch", path]})).unwrap();
        let refuse = |_| Err(Error::new("no place"));
        assert_eq!(
            hook.run_noted(b"", refuse).unwrap_err().to_string(),
            "no place"
        );
        assert!(!path.exists());
    }
}

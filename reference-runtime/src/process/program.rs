//! `process.args` and `process.env`: the program, found as execvp(3) finds it.

use crate::document::Node;
use crate::error::{Error, Result};
use crate::sys::files;
use crate::sys::process::{self, StringList};
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// The program of the user.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    arguments: StringList,
    environment: StringList,
    /// Where it may be, in the order in which it is tried.
    candidates: Vec<CString>,
    name: String,
    pointer: String,
}

/// What execvp(3) takes for PATH if the environment has none.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

impl Program {
    /// Reads `args` and `env`.
    pub(crate) fn plan(process: &Node<'_>) -> Result<Self> {
        let arguments = process.required("args", process.strings("args")?)?;
        let Some(&file) = arguments.first() else {
            return Err(process.error("args", "at least one entry is required"));
        };
        let environment = process.strings("env")?.unwrap_or_default();
        // The first one counts, as for getenv(3).
        let path = environment
            .iter()
            .find_map(|entry| entry.strip_prefix("PATH="))
            .unwrap_or(DEFAULT_PATH);
        let candidates: Vec<String> = if file.contains('/') {
            vec![file.to_owned()]
        } else if file.is_empty() {
            Vec::new()
        } else {
            // An empty part of PATH is the working directory.
            path.split(':')
                .map(|dir| {
                    if dir.is_empty() {
                        format!("./{file}")
                    } else {
                        format!("{dir}/{file}")
                    }
                })
                .collect()
        };
        let strings =
            |name, list| StringList::new(list).map_err(|_| process.error(name, "holds a NUL"));
        let candidates = candidates
            .into_iter()
            .map(CString::new)
            .collect::<std::result::Result<_, _>>();
        Ok(Program {
            name: file.to_owned(),
            arguments: strings("args", arguments)?,
            environment: strings("env", environment)?,
            candidates: candidates.map_err(|_| process.error("env", "holds a NUL"))?,
            pointer: process.pointer_to("args"),
        })
    }

    /// Fails as exec would if the program cannot be found or may not be executed.
    ///
    /// It is asked before seccomp: afterwards there may be no way to say so.
    pub(crate) fn check(&self) -> Result<()> {
        let mut last = io::Error::from_raw_os_error(libc::ENOENT);
        for candidate in &self.candidates {
            match files::executable(std::ffi::OsStr::from_bytes(candidate.to_bytes())) {
                Ok(()) => return Ok(()),
                Err(error) => last = worse(last, error),
            }
        }
        Err(self.failed(&last))
    }

    /// Becomes the program. Returns only with an error.
    pub(crate) fn exec(&self) -> Error {
        let mut last = io::Error::from_raw_os_error(libc::ENOENT);
        for candidate in &self.candidates {
            let error = process::execve(candidate, &self.arguments, &self.environment);
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR | libc::EACCES) => last = worse(last, error),
                // A script without its line: execvp hands it to the shell.
                Some(libc::ENOEXEC) => return self.failed(&self.exec_shell(candidate)),
                _ => return self.failed(&error),
            }
        }
        self.failed(&last)
    }

    fn exec_shell(&self, script: &CStr) -> io::Error {
        let mut arguments = vec![c"sh".to_owned(), script.to_owned()];
        arguments.extend(self.arguments.iter().skip(1).map(CStr::to_owned));
        let list = StringList::new(
            arguments
                .iter()
                .map(|text| std::ffi::OsStr::from_bytes(text.to_bytes())),
        );
        match list {
            Ok(list) => {
                let error = process::execve(c"/bin/sh", &list, &self.environment);
                // Without a shell the file itself is what cannot be executed.
                if error.raw_os_error() == Some(libc::ENOENT) {
                    io::Error::from_raw_os_error(libc::ENOEXEC)
                } else {
                    error
                }
            }
            Err(error) => error,
        }
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::call(format!("execvp({:?})", self.name), error).at(&*self.pointer)
    }
}

/// A file that exists and may not be executed says more than one that does not exist.
fn worse(last: io::Error, error: io::Error) -> io::Error {
    if last.raw_os_error() == Some(libc::EACCES) {
        last
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn candidates(args: Value, env: Value) -> Vec<String> {
        let process = json!({"args": args, "env": env});
        let program = Program::plan(&Node::root(&process).unwrap()).unwrap();
        program
            .candidates
            .iter()
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn the_path_is_the_containers() {
        assert_eq!(
            candidates(json!(["sh"]), json!(["PATH=/a::/b", "PATH=/c"])),
            ["/a/sh", "./sh", "/b/sh"]
        );
        assert_eq!(
            candidates(json!(["sh"]), json!([])),
            ["/bin/sh", "/usr/bin/sh"]
        );
        assert_eq!(candidates(json!(["./sh"]), json!(["PATH=/a"])), ["./sh"]);
        assert!(candidates(json!([""]), json!([])).is_empty());
    }

    #[test]
    fn a_missing_program_is_told_before_exec() {
        let process = json!({"args": ["no-such-program"]});
        let program = Program::plan(&Node::root(&process).unwrap()).unwrap();
        let error = program.check().unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENOENT));
        assert!(
            error
                .to_string()
                .starts_with("/args: execvp(\"no-such-program\"): No such file")
        );
    }
}

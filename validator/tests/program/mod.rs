//! Running `oci-validate` in a directory of its own.

// Each test program uses a part of this.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A configuration without a finding.
pub(crate) const GOOD: &str = r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": ["sh"]}}"#;
/// One with one error.
pub(crate) const BROKEN: &str =
    r#"{"ociVersion": "1.3.0", "root": {"path":   7}, "process": {"cwd": "/", "args": ["sh"]}}"#;
/// One with one warning.
pub(crate) const WARNED: &str = r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": ["sh"]}, "hostnam": "x"}"#;
/// A state without a finding.
pub(crate) const STATE: &str =
    r#"{"ociVersion": "1.3.0", "id": "a", "status": "stopped", "bundle": "/b"}"#;

/// A directory that a run happens in.
pub(crate) struct Place(TempDir);

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

impl Place {
    pub(crate) fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn directory(&self, name: &str) {
        fs::create_dir_all(self.path(name)).unwrap();
    }

    pub(crate) fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn fifo(&self, name: &str) {
        let made = Command::new("mkfifo").arg(self.path(name)).status();
        assert!(made.unwrap().success());
    }

    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        self.program(Path::new(env!("CARGO_BIN_EXE_oci-validate")), arguments)
    }

    fn program<A: AsRef<OsStr>>(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .env_remove("COLUMNS")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE");
        command
    }

    pub(crate) fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    pub(crate) fn run_with<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        input: &[u8],
    ) -> Run {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who refuses its arguments reads nothing.
        let _ = child.stdin.take().unwrap().write_all(input);
        Run::of(child.wait_with_output().unwrap())
    }

    /// As the user who owns nothing; only root can.
    pub(crate) fn run_as_nobody<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        // The directory that the program was built in may be closed to others.
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let program = place.path().join("oci-validate");
        // Copied here, it could be open for writing in a process that another test starts, and could not
        // be executed.
        let mut copy = Command::new("cp");
        copy.arg(env!("CARGO_BIN_EXE_oci-validate")).arg(&program);
        assert!(copy.status().unwrap().success());
        let mut command = self.program(&program, arguments);
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
        std::os::unix::process::CommandExt::gid(&mut command, 65534);
        Run::of(command.output().unwrap())
    }

    /// With that many bytes of address space.
    pub(crate) fn run_limited<'a>(
        &self,
        arguments: impl IntoIterator<Item = &'a str>,
        bytes: u64,
    ) -> Run {
        let limit = format!("ulimit -v {} && exec \"$0\" \"$@\"", bytes / 1024);
        let mut command = self.program(Path::new("sh"), ["-c", &limit]);
        command
            .arg(env!("CARGO_BIN_EXE_oci-validate"))
            .args(arguments);
        Run::of(command.output().unwrap())
    }
}

impl Run {
    fn of(output: Output) -> Run {
        Run {
            code: output.status.code().expect("not ended by a signal"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The files of a JSON report.
    pub(crate) fn files(&self) -> Vec<Value> {
        self.json()["files"].as_array().unwrap().clone()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        let path = |file: &Value| file["path"].as_str().unwrap().to_owned();
        self.files().iter().map(path).collect()
    }

    /// The rules of all findings of a JSON report.
    pub(crate) fn rules(&self) -> Vec<String> {
        let files = self.files();
        let findings = files
            .iter()
            .flat_map(|file| file["findings"].as_array().unwrap());
        let rule = |finding: &Value| finding["rule"].as_str().unwrap().to_owned();
        findings.map(rule).collect()
    }
}

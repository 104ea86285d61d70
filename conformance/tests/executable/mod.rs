//! Programs that tests write and run.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a program by another one, install(1). Were it written here, a process that a test on another
/// thread starts at that moment would have it open for writing, and `execve` fails with `ETXTBSY` as
/// long as anybody has.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    let mut install = Command::new("install")
        .args(["-m", "755", "/dev/stdin"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    install.stdin.take().unwrap().write_all(bytes).unwrap();
    let status = install.wait().unwrap();
    assert!(status.success(), "install {}: {status}", path.display());
}

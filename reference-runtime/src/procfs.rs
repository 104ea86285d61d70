//! A procfs of our own: writes to it cannot be diverted by what a container has mounted.

use crate::error::{CallContext, Error, Result};
use crate::sys::files::{
    self, O_DIRECTORY, O_PATH, O_WRONLY, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV,
    cwd,
};
use crate::sys::mount::FilesystemContext;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

const PROC_MAGIC: i64 = 0x9fa0;
const PROC_ROOT_INODE: u64 = 1;

/// The root of a procfs.
#[derive(Debug)]
pub(crate) struct Procfs(OwnedFd);

impl Procfs {
    /// A detached procfs of this pid namespace; without the right to mount one, the
    /// one at /proc, which is checked to be the root of a procfs.
    pub(crate) fn open() -> Result<Self> {
        if let Ok(detached) = FilesystemContext::open("proc").and_then(|context| context.mount(0)) {
            return Ok(Procfs(detached));
        }
        let fd = files::openat(cwd(), "/proc".as_ref(), O_PATH | O_DIRECTORY, 0)
            .call(|| "open(\"/proc\", O_PATH)")?;
        let magic = files::fstatfs(fd.as_fd())
            .call(|| "fstatfs(\"/proc\")")?
            .f_type as i64;
        let inode = files::fstat(fd.as_fd()).call(|| "fstat(\"/proc\")")?.st_ino;
        if (magic, inode) != (PROC_MAGIC, PROC_ROOT_INODE) {
            return Err(Error::new("/proc is not the root of a procfs"));
        }
        Ok(Procfs(fd))
    }

    /// Writes a file of this procfs: nothing may be mounted over it.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result<()> {
        let resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
        files::openat2(self.0.as_fd(), path.as_ref(), O_WRONLY, 0, resolve)
            .and_then(|file| File::from(file).write_all(text.as_bytes()))
            .call(|| format!("write(\"/proc/{path}\", {text:?})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_do_not_leave_the_procfs() {
        let procfs = Procfs::open().unwrap();
        procfs.write("self/comm", "refrun-test").unwrap();
        assert!(procfs.write("self/fd/2", "x").is_err());
        assert!(procfs.write("../etc/x", "x").is_err());
        assert!(procfs.write("self/no-such-file", "x").unwrap_err().errno() == Some(libc::ENOENT));
    }
}

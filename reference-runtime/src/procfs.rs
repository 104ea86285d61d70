//! A procfs of our own: neither writes to it nor the links in it can be diverted by what a
//! container has mounted.

use crate::error::{CallContext, Error, Result};
use crate::sys::files::{
    self, O_DIRECTORY, O_PATH, O_RDONLY, O_WRONLY, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_XDEV, cwd,
};
use crate::sys::mount::FilesystemContext;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const PROC_MAGIC: i64 = 0x9fa0;
const PROC_ROOT_INODE: u64 = 1;

/// The root of a procfs.
#[derive(Debug)]
pub(crate) struct Procfs(OwnedFd);

impl Procfs {
    /// A detached procfs of this pid namespace; without the right to mount one, the one that was
    /// opened before: what is at /proc may be another's to make by now.
    pub(crate) fn detached(opened_before: &Procfs) -> Result<Self> {
        match FilesystemContext::open("proc").and_then(|context| context.mount(0)) {
            Ok(detached) => Ok(Procfs(detached)),
            Err(_) => opened_before
                .0
                .try_clone()
                .map(Procfs)
                .call(|| "fcntl(F_DUPFD_CLOEXEC)"),
        }
    }

    /// The one at /proc, which is checked to be the root of a procfs.
    pub(crate) fn at_proc() -> Result<Self> {
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

    /// The descriptor of the root.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Reads a file of this procfs: nothing may be mounted over it.
    pub(crate) fn read(&self, path: &str) -> Result<String> {
        let resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
        files::openat2(self.as_fd(), path.as_ref(), O_RDONLY, 0, resolve)
            .and_then(|file| io::read_to_string(File::from(file)))
            .call(|| format!("read(\"/proc/{path}\")"))
    }

    /// Opens anew what a descriptor refers to, which its path need no longer do.
    pub(crate) fn reopen(&self, fd: BorrowedFd<'_>, flags: i32) -> io::Result<OwnedFd> {
        let name = fd.as_raw_fd().to_string();
        files::openat(self.descriptors()?.as_fd(), name.as_ref(), flags, 0)
    }

    /// Gives a path of what a descriptor refers to, for calls that take no descriptor. It is a
    /// relative one, from a working directory that holds for this call alone.
    pub(crate) fn with_path<T>(
        &self,
        fd: BorrowedFd<'_>,
        call: impl FnOnce(&OsStr) -> io::Result<T>,
    ) -> io::Result<T> {
        let before = files::openat(cwd(), ".".as_ref(), O_PATH | O_DIRECTORY, 0)?;
        files::fchdir(self.descriptors()?.as_fd())?;
        let result = call(fd.as_raw_fd().to_string().as_ref());
        files::fchdir(before.as_fd())?;
        result
    }

    /// The directory in which every descriptor of this process has a link. The last step to it is
    /// the only one that may leave this procfs.
    fn descriptors(&self) -> io::Result<OwnedFd> {
        let resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
        files::openat2(
            self.as_fd(),
            "self/fd".as_ref(),
            O_PATH | O_DIRECTORY,
            0,
            resolve,
        )
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
        let procfs = Procfs::detached(&Procfs::at_proc().unwrap()).unwrap();
        procfs.write("self/comm", "refrun-test").unwrap();
        assert!(procfs.write("self/fd/2", "x").is_err());
        assert!(procfs.write("../etc/x", "x").is_err());
        assert!(procfs.write("self/no-such-file", "x").unwrap_err().errno() == Some(libc::ENOENT));
    }

    #[test]
    fn descriptors_lead_to_what_they_refer_to() {
        let procfs = Procfs::at_proc().unwrap();
        let directory = std::env::temp_dir().join(format!("refrun-procfs-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("inside")).unwrap();
        let fd = files::openat(cwd(), directory.as_os_str(), O_PATH | O_DIRECTORY, 0).unwrap();
        let moved = directory.with_extension("moved");
        std::fs::rename(&directory, &moved).unwrap();
        let again = procfs.reopen(fd.as_fd(), O_DIRECTORY).unwrap();
        let of = |fd: &OwnedFd| files::fstat(fd.as_fd()).unwrap().st_ino;
        assert_eq!(of(&again), of(&fd));
        let here = std::env::current_dir().unwrap();
        let list = |path: &OsStr| Ok(std::fs::read_dir(path)?.next().unwrap()?.file_name());
        assert_eq!(procfs.with_path(fd.as_fd(), list).unwrap(), "inside");
        assert_eq!(std::env::current_dir().unwrap(), here);
        std::fs::remove_dir_all(moved).unwrap();
    }
}

//! `tmpcopyup`: fills a new tmpfs with what it is about to hide.

use crate::error::{CallContext, Result};
use crate::procfs::Procfs;
use crate::sys::files::{
    self, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_RDONLY, O_WRONLY,
};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;

/// Copies the content of one directory into another: types, modes, owners and bytes.
pub(crate) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, procfs: &Procfs) -> Result<()> {
    let source = files::openat(from, OsStr::new("."), O_RDONLY | O_DIRECTORY, 0)
        .call(|| "open(.) for tmpcopyup")?;
    // A listing through procfs, so that it is of this very directory.
    let list = |path: &OsStr| fs::read_dir(path);
    let entries = procfs
        .with_path(source.as_fd(), list)
        .call(|| "opendir(tmpcopyup)")?;
    for entry in entries {
        let name = entry.call(|| "readdir(tmpcopyup)")?.file_name();
        copy_one(source.as_fd(), to, &name, procfs).call(|| format!("tmpcopyup of {name:?}"))??;
    }
    let stat = files::fstat(source.as_fd()).call(|| "fstat(tmpcopyup)")?;
    files::chown_fd(to, stat.st_uid, stat.st_gid).call(|| "fchown(tmpcopyup)")
}

/// The outer error is about this entry, the inner one about something below it.
fn copy_one(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &OsStr,
    procfs: &Procfs,
) -> io::Result<Result<()>> {
    let entry = files::openat(from, name, O_PATH | O_NOFOLLOW, 0)?;
    let stat = files::fstat(entry.as_fd())?;
    let mode = stat.st_mode & 0o7777;
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFDIR => {
            files::mkdirat(to, name, 0o700)?;
            let directory = files::openat(to, name, O_PATH | O_NOFOLLOW, 0)?;
            let copied = copy(entry.as_fd(), directory.as_fd(), procfs);
            files::chmodat(to, name, mode)?;
            return Ok(copied);
        }
        libc::S_IFLNK => {
            let target = OsString::from_vec(files::readlinkat(entry.as_fd(), OsStr::new(""))?);
            files::symlinkat(&target, to, name)?;
            files::chownat(to, name, stat.st_uid, stat.st_gid)?;
        }
        libc::S_IFREG => {
            // The very file that was looked at: to open a pipe or a device in its place could wait
            // for ever, or do something.
            let mut source = File::from(procfs.reopen(entry.as_fd(), O_RDONLY)?);
            let mut copy = File::from(files::openat(to, name, O_WRONLY | O_CREAT | O_EXCL, 0o600)?);
            io::copy(&mut source, &mut copy)?;
            files::chown_fd(copy.as_fd(), stat.st_uid, stat.st_gid)?;
            files::fchmod(copy.as_fd(), mode)?;
        }
        _ => {
            files::mknodat(to, name, stat.st_mode, stat.st_rdev)?;
            files::chownat(to, name, stat.st_uid, stat.st_gid)?;
        }
    }
    Ok(Ok(()))
}

//! Descriptors by which the kernel tells that something has happened to a file or a cgroup.

use super::{c_string, check, owned};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// eventfd(2): a counter that is readable when it is not zero.
pub(crate) fn event_counter() -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }.into())
}

/// inotify_init1(2) and inotify_add_watch(2): readable when the file has been modified.
pub(crate) fn watch_modifications(path: &OsStr) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    // SAFETY: plain integers.
    let watch = owned(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) }.into())?;
    // SAFETY: `path` is NUL-terminated.
    let added =
        unsafe { libc::inotify_add_watch(watch.as_raw_fd(), path.as_ptr(), libc::IN_MODIFY) };
    super::check_int(added)?;
    Ok(watch)
}

/// Takes what a descriptor of this module has to tell, so that it is readable only for something new.
pub(crate) fn take(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut buffer = [0u8; 4096];
    // SAFETY: the buffer is as long as stated.
    let length = unsafe {
        libc::read(
            descriptor.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    };
    match check(length as libc::c_long) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        other => other.map(drop),
    }
}

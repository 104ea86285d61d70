//! The kernel's interface, one safe function per system call: the only module
//! that may contain `unsafe`.
//!
//! Invariants that every function here keeps, so that callers need none:
//! strings are NUL-terminated copies that live until the call returns;
//! descriptors that the kernel returns are fresh and are owned at once;
//! structures handed to the kernel are initialised and of the stated size.
#![allow(unsafe_code)]

pub(crate) mod bpf;
pub(crate) mod change;
pub(crate) mod credentials;
#[cfg(own_entry)]
mod entry;
pub(crate) mod files;
pub(crate) mod memory;
pub(crate) mod mount;
pub(crate) mod netlink;
pub(crate) mod notification;
pub(crate) mod process;
pub(crate) mod socket;
pub(crate) mod terminal;

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

/// A NUL-terminated copy, or EINVAL for a string that holds a NUL.
pub(crate) fn c_string(text: impl AsRef<OsStr>) -> io::Result<CString> {
    CString::new(text.as_ref().as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// The libc convention: -1 means that errno tells why.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn check_int(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Takes ownership of a descriptor that a call just returned.
fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = check(result)? as RawFd;
    // SAFETY: the kernel returned this descriptor in this very call; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

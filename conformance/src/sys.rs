//! The one place that talks to the kernel unsafely: a function a call.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::unistd::{ForkResult, Pid};

use crate::processes::Ending;

/// fork(2), for a process with one thread.
///
/// # Errors
/// The errno of fork(2), and `EDEADLK` if the process has more than one thread: the child would
/// own locks that nobody releases.
pub(crate) fn fork() -> io::Result<ForkResult> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::from_raw_os_error(libc::EDEADLK));
    }
    // SAFETY: there is one thread, checked above, so that the child may use everything that the
    // parent could.
    unsafe { nix::unistd::fork() }.map_err(io::Error::from)
}

/// Runs a function in a child process, and tells its exit status: for what changes a process for good.
///
/// The function must make nothing but system calls: in a process with threads the child owns locks
/// that nobody releases, that of the allocator among them.
///
/// # Errors
/// The errno of fork(2) or waitpid(2); `EINTR` if a signal ended the child.
pub(crate) fn in_child(what: fn() -> u8) -> io::Result<u8> {
    // SAFETY: the child calls only the function, which by contract needs no lock, and _exit(2),
    // which runs no handler of ours.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => {
            let status = what();
            // SAFETY: ends the process, and takes an integer.
            unsafe { libc::_exit(i32::from(status)) }
        }
        ForkResult::Parent { child } => loop {
            match nix::sys::wait::waitpid(child, None) {
                Ok(nix::sys::wait::WaitStatus::Exited(_, status)) => return Ok(status as u8),
                Ok(_) => return Err(io::Error::from_raw_os_error(libc::EINTR)),
                Err(nix::Error::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        },
    }
}

/// waitid(2) for any child that has ended, which stays to be collected; `None` if there is none.
///
/// Not by `nix`, which knows no real-time signals: whoever is ended by one would be an error, and hide
/// all others.
///
/// # Errors
/// The errno of the call, `ECHILD` without children.
pub(crate) fn ended_child() -> io::Result<Option<Pid>> {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the kernel writes one siginfo_t, or leaves it as zeroes, which is one, too.
    let info = unsafe {
        if libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), flags) != 0 {
            return Err(io::Error::last_os_error());
        }
        info.assume_init()
    };
    // SAFETY: waitid(2) fills in si_pid, and zero is what it was before.
    let pid = unsafe { info.si_pid() };
    Ok((pid != 0).then(|| Pid::from_raw(pid)))
}

/// waitpid(2): collects a child that has ended, waiting for that unless told otherwise; `None` if it has
/// not ended.
///
/// # Errors
/// The errno of the call.
pub(crate) fn collect(child: Pid, wait: bool) -> io::Result<Option<Ending>> {
    let mut status = 0;
    let flags = if wait { 0 } else { libc::WNOHANG };
    // SAFETY: the kernel writes one integer.
    match unsafe { libc::waitpid(child.as_raw(), &raw mut status, flags) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        _ if libc::WIFSIGNALED(status) => Ok(Some(Ending::Signal(libc::WTERMSIG(status)))),
        _ => Ok(Some(Ending::Exit(libc::WEXITSTATUS(status)))),
    }
}

/// keyctl(2) `KEYCTL_JOIN_SESSION_KEYRING` without a name: a new session keyring for this thread and
/// what it starts. Tells its serial number.
///
/// # Errors
/// The errno of the call: `ENOSYS` without keyrings in the kernel, `EPERM` under many filters.
pub(crate) fn join_session_keyring() -> io::Result<i64> {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: a null name asks for an anonymous keyring; no memory is read or written.
    let serial = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            JOIN_SESSION_KEYRING,
            std::ptr::null::<libc::c_char>(),
        )
    };
    match serial {
        -1 => Err(io::Error::last_os_error()),
        serial => Ok(serial),
    }
}

/// Receives a notification from a seccomp listener, and tells the pid of the caller that waits.
///
/// # Errors
/// The errno of ioctl(2); `ENOENT` if the caller is gone.
pub(crate) fn seccomp_notification_pid(listener: BorrowedFd<'_>) -> io::Result<u32> {
    // SAFETY: all-zero is a value of this struct of integers, and what the kernel wants to find.
    let mut notification: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is borrowed, so open; the kernel writes this struct, and no more.
    let result = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV as _,
            &raw mut notification,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(notification.pid)
}

/// pidfd_open(2).
///
/// # Errors
/// `ESRCH` if there is no such process; any other errno of the call.
pub(crate) fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// pidfd_send_signal(2).
///
/// # Errors
/// `ESRCH` if the process has ended; any other errno of the call.
pub(crate) fn pidfd_send_signal(
    pidfd: BorrowedFd<'_>,
    signal: nix::sys::signal::Signal,
) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed, so open; the siginfo pointer may be null.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal as i32,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Takes ownership of a descriptor that a call has just made.
pub(crate) fn own(fd: std::os::fd::RawFd) -> OwnedFd {
    // SAFETY: every caller passes the fresh result of a call that makes a descriptor (dup, say),
    // which nobody else knows of.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Makes a descriptor the third of a program to be run, as a shell's `3<FILE` does.
pub(crate) fn give_as_third(command: &mut std::process::Command, file: OwnedFd) {
    use std::os::unix::process::CommandExt;
    const THIRD: i32 = 3;
    let install = move || {
        let fd = file.as_raw_fd();
        // SAFETY: both calls take integers and touch no memory. If `file` is not 3 itself, 3 was
        // taken when it was made, so that it is none of what `Command` has opened since.
        let result = unsafe {
            if fd == THIRD {
                libc::fcntl(fd, libc::F_SETFD, 0)
            } else {
                libc::dup2(fd, THIRD)
            }
        };
        match result {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: between fork and exec it makes one system call, and allocates nothing.
    unsafe { command.pre_exec(install) };
}

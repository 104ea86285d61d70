//! Waiting for a change of a file that the kernel tells of, such as cgroup.events.

use super::check_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// poll(2) for POLLPRI: the file has changed since it was last read through this descriptor.
/// False if the deadline passed first.
pub(crate) fn wait(fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<bool> {
    loop {
        // Rounded up, so that the last poll does not spin.
        let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
        let mut entry = libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLPRI,
            revents: 0,
        };
        let timeout = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one initialised pollfd.
        match check_int(unsafe { libc::poll(&raw mut entry, 1, timeout) }) {
            Ok(0) if Instant::now() >= deadline => return Ok(false),
            Ok(0) => {}
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

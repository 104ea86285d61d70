//! A word of memory that two processes share, for one that may make no system call.

use super::{c_string, check_int, owned};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// A flag that one process raises and another sees.
#[derive(Debug)]
pub(crate) struct SharedFlag(NonNull<AtomicU32>);

const LENGTH: usize = size_of::<AtomicU32>();

impl SharedFlag {
    /// A flag that is not raised, and the file by which another process shares it.
    pub(crate) fn create() -> io::Result<(Self, OwnedFd)> {
        let name = c_string("flag")?;
        // SAFETY: `name` is NUL-terminated.
        let file = owned(unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) }.into())?;
        // SAFETY: plain integers.
        check_int(unsafe { libc::ftruncate(file.as_raw_fd(), LENGTH as libc::off_t) })?;
        Ok((Self::share(file.as_fd())?, file))
    }

    /// The flag in a file of another process.
    pub(crate) fn share(file: BorrowedFd<'_>) -> io::Result<Self> {
        if super::files::fstat(file)?.st_size < LENGTH as libc::off_t {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // SAFETY: a new shared mapping of a file that is as long as what is mapped.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                LENGTH,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(address.cast())
            .map(SharedFlag)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))
    }

    /// Raises the flag.
    pub(crate) fn raise(&self) {
        self.word().store(1, Ordering::Release);
    }

    /// Waits until it is raised, without any system call: even the clock is read without one.
    /// False if the deadline passed first.
    pub(crate) fn wait(&self, deadline: Instant) -> bool {
        loop {
            // The clock is asked now and then only.
            for _ in 0..1000 {
                if self.word().load(Ordering::Acquire) == 1 {
                    return true;
                }
                std::hint::spin_loop();
            }
            if Instant::now() > deadline {
                return false;
            }
        }
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: the mapping is aligned to a page, never unmapped, and its zero bytes are a valid word.
        unsafe { self.0.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flag_is_seen_on_the_other_side() {
        let (flag, file) = SharedFlag::create().unwrap();
        let other = SharedFlag::share(file.as_fd()).unwrap();
        assert!(!flag.wait(Instant::now()));
        other.raise();
        assert!(flag.wait(Instant::now() + Duration::from_secs(10)));
        let empty = super::super::files::memory_file("x", b"").unwrap();
        assert!(SharedFlag::share(empty.as_fd()).is_err());
    }
}

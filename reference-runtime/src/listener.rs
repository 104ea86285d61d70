//! The way of a seccomp listener out of a process that may no longer send it,
//! because its filter notifies or denies sendmsg(2).
//!
//! Before it loads the filter the process tells which number the listener will
//! have, and shares a word of memory. Its helper outside takes the descriptor
//! from it by pidfd_getfd(2) and raises the word, for which the process waits
//! without a system call.

use crate::error::{CallContext, Error, Result};
use crate::sys::files;
use crate::sys::memory::SharedFlag;
use crate::sys::process;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How a message begins that announces a listener.
const ANNOUNCEMENT: &[u8] = b"taken ";
/// Nobody has more to do than one system call.
const PATIENCE: Duration = Duration::from_secs(30);

/// The process's side: sends the announcement and returns what to wait for once the filter is loaded.
pub(crate) fn announce(
    send: impl FnOnce(&[u8], BorrowedFd<'_>) -> std::io::Result<usize>,
) -> Result<SharedFlag> {
    let (flag, file) = SharedFlag::create().call(|| "memfd_create(\"flag\")")?;
    let mut message = ANNOUNCEMENT.to_vec();
    // The lowest number that is free is the next one.
    let number = files::lowest_free().call(|| "open(\"/\", O_PATH)")?;
    message.extend_from_slice(number.to_string().as_bytes());
    send(&message, file.as_fd()).call(|| "sendmsg(announcement, SCM_RIGHTS)")?;
    // Until exec closes it: its number must not become the listener's.
    std::mem::forget(file);
    Ok(flag)
}

/// Waits until the listener is taken. Whoever fails here can no longer tell.
pub(crate) fn wait_until_taken(flag: &SharedFlag) -> Result<()> {
    if flag.wait(Instant::now() + PATIENCE) {
        return Ok(());
    }
    Err(Error::new("nobody has taken the seccomp listener"))
}

/// The number in an announcement; None if the message is another.
pub(crate) fn announced(message: &[u8]) -> Option<i32> {
    let number = message.strip_prefix(ANNOUNCEMENT)?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// The helper's side: takes the listener as soon as there is one. `flag` is to be raised when the
/// agent has it.
pub(crate) fn take(
    pidfd: BorrowedFd<'_>,
    number: i32,
    memory: &OwnedFd,
) -> Result<(OwnedFd, SharedFlag)> {
    let flag = SharedFlag::share(memory.as_fd()).call(|| "mmap(flag)")?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match process::pidfd_getfd(pidfd, number) {
            Ok(listener) => {
                if is_listener(listener.as_fd()) {
                    return Ok((listener, flag));
                }
                return Err(Error::new("what was announced is no seccomp listener"));
            }
            // The filter is not loaded yet.
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => {}
            Err(error) => {
                return Err(Error::call(
                    format!(
                        "pidfd_getfd({number}), since the filter lets nobody send the listener"
                    ),
                    &error,
                )
                .at("/linux/seccomp"));
            }
        }
        let ended = process::wait_readable(pidfd, Some(Instant::now())).call(|| "poll(pidfd)")?;
        if ended || Instant::now() > deadline {
            return Err(Error::new("the process has not loaded its seccomp filter"));
        }
        std::thread::yield_now();
    }
}

fn is_listener(file: BorrowedFd<'_>) -> bool {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    link.is_ok_and(|target| target.as_os_str() == "anon_inode:seccomp notify")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_names_the_next_number() {
        let mut sent = Vec::new();
        let flag = announce(|message, file| {
            sent = message.to_vec();
            assert!(SharedFlag::share(file).is_ok());
            Ok(message.len())
        });
        flag.unwrap();
        assert!(announced(&sent).is_some_and(|number| number > 2));
        assert_eq!(announced(b"listener"), None);
        assert_eq!(announced(b"taken x"), None);
    }

    #[test]
    fn only_a_listener_is_taken() {
        let own = process::pidfd_open(std::process::id() as i32).unwrap();
        let (_flag, memory) = SharedFlag::create().unwrap();
        let error = take(own.as_fd(), memory.as_raw_fd(), &memory).unwrap_err();
        assert!(error.to_string().contains("no seccomp listener"), "{error}");
    }
}

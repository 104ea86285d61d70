//! Pseudoterminals.

use super::{check_int, owned};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Unlocks the terminal behind a ptmx descriptor and opens its other side,
/// through the descriptor and not through a path that could be another.
pub(crate) fn open_peer(ptmx: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let unlock: libc::c_int = 0;
    // SAFETY: the request reads one int.
    check_int(unsafe { libc::ioctl(ptmx.as_raw_fd(), libc::TIOCSPTLCK as _, &raw const unlock) })?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the request takes open flags by value.
    owned(unsafe { libc::ioctl(ptmx.as_raw_fd(), libc::TIOCGPTPEER as _, flags) }.into())
}

/// TIOCSWINSZ.
pub(crate) fn set_size(terminal: BorrowedFd<'_>, rows: u16, columns: u16) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the request reads one winsize.
    check_int(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ as _, &raw const size) })
        .map(drop)
}

/// The size of a terminal, or None if the descriptor is no terminal.
pub(crate) fn size(terminal: BorrowedFd<'_>) -> Option<(u16, u16)> {
    // SAFETY: an all-zero winsize is valid.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: the request fills one winsize.
    check_int(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ as _, &raw mut size) })
        .ok()?;
    Some((size.ws_row, size.ws_col))
}

/// TIOCSCTTY: makes the terminal the controlling one of this session.
pub(crate) fn make_controlling(terminal: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the request takes an integer by value.
    check_int(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY as _, 0) }).map(drop)
}

/// Sets a terminal to pass every byte on, and returns how it was.
pub(crate) fn make_raw(terminal: BorrowedFd<'_>) -> io::Result<libc::termios> {
    // SAFETY: an all-zero termios is valid.
    let mut before: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: the call fills one termios.
    check_int(unsafe { libc::tcgetattr(terminal.as_raw_fd(), &raw mut before) })?;
    let mut raw = before;
    // SAFETY: the structure is initialised.
    unsafe { libc::cfmakeraw(&raw mut raw) };
    set_attributes(terminal, &raw)?;
    Ok(before)
}

/// tcsetattr(3), at once.
pub(crate) fn set_attributes(
    terminal: BorrowedFd<'_>,
    attributes: &libc::termios,
) -> io::Result<()> {
    // SAFETY: the structure is initialised.
    check_int(unsafe {
        libc::tcsetattr(
            terminal.as_raw_fd(),
            libc::TCSANOW,
            std::ptr::from_ref(attributes),
        )
    })
    .map(drop)
}

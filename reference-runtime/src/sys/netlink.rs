//! A route netlink socket. Messages are made and read in `net_devices`.

use super::owned;
use std::fs::File;
use std::io;

/// A socket to the routing subsystem of the current network namespace (rtnetlink(7)): a message is
/// one write, an answer one read.
pub(crate) fn route_socket() -> io::Result<File> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: plain integers.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
    owned(socket.into()).map(File::from)
}

//! `process.terminal`: the pseudoterminal of the container, and the way of its other side to the caller.

use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::process::Terminal;
use crate::rootfs::{Kind, Rootfs};
use crate::sys::files::{self, O_RDWR, cwd};
use crate::sys::mount::{self, AT_EMPTY_PATH};
use crate::sys::{socket, terminal};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

const POINTER: &str = "/process/terminal";

/// Connects to the socket that the caller of `create` listens on.
pub(crate) fn connect(path: &Path) -> Result<OwnedFd> {
    let socket = socket::unix_socket(libc::SOCK_STREAM).call(|| "socket(AF_UNIX, SOCK_STREAM)")?;
    socket::connect(socket.as_fd(), path.as_os_str()).call(|| format!("connect({path:?})"))?;
    Ok(socket)
}

/// Makes the terminal, binds it to /dev/console, and sends the master to the caller.
/// Returns the side that the container process uses.
pub(crate) fn make(plan: &Terminal, rootfs: &Rootfs, console: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = O_RDWR | libc::O_NOCTTY;
    // The container's own devpts, or the host's if it has none.
    let master = match rootfs.open("/dev/pts/ptmx", flags) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
            files::openat(cwd(), "/dev/ptmx".as_ref(), flags, 0)
        }
        other => other,
    }
    .call(|| "open(\"/dev/pts/ptmx\", O_RDWR)")
    .at(POINTER)?;
    let peer = terminal::open_peer(master.as_fd())
        .call(|| "ioctl(TIOCGPTPEER)")
        .at(POINTER)?;
    if let Some((rows, columns)) = plan.size {
        terminal::set_size(peer.as_fd(), rows, columns)
            .call(|| format!("ioctl(TIOCSWINSZ, {rows}, {columns})"))
            .at("/process/consoleSize")?;
    }
    refuse_link(rootfs)?;
    let target = rootfs.ensure("/dev/console", Kind::File).at(POINTER)?;
    let tree = mount::clone_tree(peer.as_fd(), OsStr::new(""), AT_EMPTY_PATH)
        .call(|| "open_tree(terminal, OPEN_TREE_CLONE)")
        .at(POINTER)?;
    mount::attach(tree.as_fd(), target.as_fd())
        .call(|| "move_mount(terminal, \"/dev/console\")")
        .at(POINTER)?;
    socket::send(console, b"/dev/ptmx", Some(master.as_fd()))
        .call(|| "sendmsg(console socket, SCM_RIGHTS)")
        .at(POINTER)?;
    Ok(peer)
}

/// An image whose /dev/console is a symbolic link would have the terminal mounted on whatever the
/// link names: a file of a bind mount, say (CVE-2025-52565).
fn refuse_link(rootfs: &Rootfs) -> Result<()> {
    let Ok(found) = rootfs.open("/dev/console", libc::O_PATH | libc::O_NOFOLLOW) else {
        return Ok(());
    };
    let kind = files::fstat(found.as_fd())
        .call(|| "fstat(\"/dev/console\")")?
        .st_mode
        & libc::S_IFMT;
    if kind == libc::S_IFLNK {
        return Err(
            Error::new("\"/dev/console\" of the root file system is a symbolic link").at(POINTER),
        );
    }
    Ok(())
}

/// Makes the terminal the controlling one and the three standard streams, and the user its owner.
pub(crate) fn take(peer: &OwnedFd, uid: u32) -> Result<()> {
    let peer = peer.as_fd();
    if uid != 0 {
        let gid = files::fstat(peer).call(|| "fstat(terminal)")?.st_gid;
        files::chown_fd(peer, uid, gid)
            .call(|| format!("fchown(terminal, {uid})"))
            .at(POINTER)?;
    }
    terminal::make_controlling(peer)
        .call(|| "ioctl(TIOCSCTTY)")
        .at(POINTER)?;
    for stream in 0..=2 {
        files::dup_onto(peer, stream)
            .call(|| format!("dup2(terminal, {stream})"))
            .at(POINTER)?;
    }
    Ok(())
}

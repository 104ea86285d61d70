//! `process.terminal`: the pseudoterminal of the container, and the way of its other side to the caller.

use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::process::Terminal;
use crate::procfs::Procfs;
use crate::rootfs::{Kind, Rootfs};
use crate::sys::files::{self, O_PATH, O_RDWR, cwd};
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
pub(crate) fn make(
    plan: &Terminal,
    rootfs: &Rootfs,
    console: BorrowedFd<'_>,
    procfs: &Procfs,
) -> Result<OwnedFd> {
    // The container's own devpts, or the host's if it has none: what else an image has there is
    // nothing that anybody should open.
    let master = match rootfs.find("/dev/pts/ptmx") {
        Ok(found) if is_multiplexer(found.as_fd())? && is_devpts(found.as_fd())? => {
            open_multiplexer(found.as_fd(), procfs)?
        }
        _ => {
            let path = "/dev/ptmx";
            let found = files::openat(cwd(), path.as_ref(), O_PATH, 0)
                .call(|| format!("open({path:?}, O_PATH)"))
                .at(POINTER)?;
            open_multiplexer(found.as_fd(), procfs)?
        }
    };
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

/// Opens a multiplexer by a descriptor that was opened with O_PATH, once it is known to be one:
/// another device might act on being opened, and a pipe would wait.
pub(crate) fn open_multiplexer(found: BorrowedFd<'_>, procfs: &Procfs) -> Result<OwnedFd> {
    if !is_multiplexer(found)? {
        return Err(Error::new("\"ptmx\" is no terminal multiplexer").at(POINTER));
    }
    procfs
        .reopen(found, O_RDWR | libc::O_NOCTTY)
        .call(|| "open(ptmx, O_RDWR)")
        .at(POINTER)
}

fn is_multiplexer(file: BorrowedFd<'_>) -> Result<bool> {
    let stat = files::fstat(file).call(|| "fstat(ptmx)")?;
    let kind = stat.st_mode & libc::S_IFMT;
    Ok(kind == libc::S_IFCHR && stat.st_rdev == libc::makedev(5, 2))
}

fn is_devpts(file: BorrowedFd<'_>) -> Result<bool> {
    const DEVPTS_MAGIC: i64 = 0x1cd1;
    let stat = files::fstatfs(file).call(|| "fstatfs(ptmx)")?;
    Ok(stat.f_type as i64 == DEVPTS_MAGIC)
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

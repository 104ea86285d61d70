//! The attributes and the propagation of mounts: by mount_setattr(2), and before
//! Linux 5.12, which brought it, by mount(2).
//!
//! The older call changes only what is attached already, so that a mount gets its
//! attributes before it is attached or right after; and it changes one mount at a
//! time: what goes for all mounts below another is then refused.

use crate::error::{CallContext, Result};
use crate::procfs::Procfs;
use crate::sys::files;
use crate::sys::mount::{
    self, AT_EMPTY_PATH, AT_RECURSIVE, MOUNT_ATTR_IDMAP, MOUNT_ATTR_RDONLY, MountAttr,
};
use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;

/// Changes a mount that is attached; `flags` is 0 or AT_RECURSIVE.
pub(crate) fn set(
    fd: BorrowedFd<'_>,
    flags: u32,
    attr: &MountAttr,
    procfs: &Procfs,
) -> io::Result<()> {
    match mount::set_attributes(fd, OsStr::new(""), flags | AT_EMPTY_PATH, attr) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            set_by_mount(fd, flags & AT_RECURSIVE != 0, attr, procfs)
        }
        other => other,
    }
}

/// Makes a mount that is attached read-only, and changes nothing else.
pub(crate) fn set_read_only(fd: BorrowedFd<'_>, procfs: &Procfs) -> Result<()> {
    set(fd, 0, &read_only(), procfs).call(|| "mount_setattr(MOUNT_ATTR_RDONLY)")
}

/// What makes a mount read-only, and nothing else.
pub(crate) fn read_only() -> MountAttr {
    MountAttr {
        set: MOUNT_ATTR_RDONLY,
        ..MountAttr::default()
    }
}

/// Does what `set` does to a mount, and attaches it: afterwards, so that nobody sees it as it was
/// before, unless the kernel can do it only in the other order.
pub(crate) fn set_and_attach(
    set: impl FnOnce() -> Result<()>,
    attach: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if mount::can_set_attributes() {
        set()?;
        attach()
    } else {
        attach()?;
        set()
    }
}

/// Changes the propagation of the root mount, and of all below it.
pub(crate) fn propagate_root(kind: u64, flags: u32) -> io::Result<()> {
    let attr = MountAttr {
        propagation: kind,
        ..MountAttr::default()
    };
    let root = OsStr::new("/");
    match mount::set_attributes(files::cwd(), root, flags, &attr) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            let depth = if flags & AT_RECURSIVE != 0 {
                libc::MS_REC
            } else {
                0
            };
            mount::mount(None, root, None, kind | depth, None)
        }
        other => other,
    }
}

/// Maps the ids of a mount that is attached nowhere yet.
pub(crate) fn set_mapping(tree: BorrowedFd<'_>, flags: u32, attr: &MountAttr) -> io::Result<()> {
    match mount::set_attributes(tree, OsStr::new(""), flags | AT_EMPTY_PATH, attr) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            Err(needs_newer("an idmapped mount"))
        }
        other => other,
    }
}

/// The fallback: a remount of the mount alone, and a change of its propagation.
fn set_by_mount(
    fd: BorrowedFd<'_>,
    recursive: bool,
    attr: &MountAttr,
    procfs: &Procfs,
) -> io::Result<()> {
    if attr.set & MOUNT_ATTR_IDMAP != 0 {
        return Err(needs_newer("an idmapped mount"));
    }
    if (attr.set, attr.clear) != (0, 0) {
        if recursive {
            return Err(needs_newer("an attribute of all mounts below another"));
        }
        let flags = remount_flags(files::mount_flags(fd)?, attr);
        let remount = libc::MS_REMOUNT | libc::MS_BIND | flags;
        procfs.with_path(fd, |path| mount::mount(None, path, None, remount, None))?;
    }
    if attr.propagation != 0 {
        let depth = if recursive { libc::MS_REC } else { 0 };
        procfs.with_path(fd, |path| {
            mount::mount(None, path, None, attr.propagation | depth, None)
        })?;
    }
    Ok(())
}

fn needs_newer(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!(
            "{what} needs mount_setattr(2), which this kernel lacks: it is there since Linux 5.12"
        ),
    )
}

/// A remount sets all flags at once: those that the mount has, with what changes.
fn remount_flags(present: u64, attr: &MountAttr) -> u64 {
    use mount::{
        MOUNT_ATTR_ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME,
        MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_STRICTATIME,
    };
    const MS_NOSYMFOLLOW: u64 = 256;
    let pairs = [
        (MOUNT_ATTR_RDONLY, libc::MS_RDONLY),
        (MOUNT_ATTR_NOSUID, libc::MS_NOSUID),
        (MOUNT_ATTR_NODEV, libc::MS_NODEV),
        (MOUNT_ATTR_NOEXEC, libc::MS_NOEXEC),
        (MOUNT_ATTR_NODIRATIME, libc::MS_NODIRATIME),
        (MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW),
    ];
    let mut flags = present;
    for (attribute, flag) in pairs {
        if attr.clear & attribute != 0 {
            flags &= !flag;
        }
        if attr.set & attribute != 0 {
            flags |= flag;
        }
    }
    // Access times are one value: named anew as a whole, or kept as a whole.
    let times = libc::MS_NOATIME | libc::MS_RELATIME | libc::MS_STRICTATIME;
    if attr.clear & MOUNT_ATTR_ATIME != 0 {
        flags &= !times;
        flags |= match attr.set & MOUNT_ATTR_ATIME {
            MOUNT_ATTR_NOATIME => libc::MS_NOATIME,
            MOUNT_ATTR_STRICTATIME => libc::MS_STRICTATIME,
            _ => libc::MS_RELATIME,
        };
    } else if flags & times == 0 {
        // Neither is how the kernel tells of strict times.
        flags |= libc::MS_STRICTATIME;
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mounts::options::Options;
    use std::os::fd::AsFd;

    #[test]
    fn a_remount_keeps_what_is_not_named() {
        let flags = |present, options: &[&str]| {
            let options = Options::parse(options.iter().copied());
            remount_flags(present, &options.attr())
        };
        let (ro, nosuid, nodev) = (libc::MS_RDONLY, libc::MS_NOSUID, libc::MS_NODEV);
        let (noatime, strict) = (libc::MS_NOATIME, libc::MS_STRICTATIME);
        assert_eq!(flags(nosuid | noatime, &["ro"]), ro | nosuid | noatime);
        assert_eq!(
            flags(ro | nodev, &["rw", "nosuid"]),
            nodev | nosuid | strict
        );
        assert_eq!(flags(noatime, &["relatime"]), libc::MS_RELATIME);
        assert_eq!(flags(libc::MS_RELATIME, &["strictatime"]), strict);
    }

    #[test]
    fn what_the_older_call_cannot_do_names_the_kernel() {
        let procfs = Procfs::at_proc().unwrap();
        let root = files::openat(files::cwd(), "/".as_ref(), files::O_PATH, 0).unwrap();
        for (recursive, set) in [(true, MOUNT_ATTR_RDONLY), (false, MOUNT_ATTR_IDMAP)] {
            let attr = MountAttr {
                set,
                ..MountAttr::default()
            };
            let error = set_by_mount(root.as_fd(), recursive, &attr, &procfs).unwrap_err();
            assert!(error.to_string().contains("since Linux 5.12"), "{error}");
        }
    }
}

//! The mount interface of Linux 5.2 and later (descriptors), and the older one as its fallback.

use super::{c_string, check, check_int, owned};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;

pub(crate) const AT_RECURSIVE: u32 = 0x8000;
pub(crate) const AT_EMPTY_PATH: u32 = 0x1000;
pub(super) const AT_NO_AUTOMOUNT: u32 = 0x800;
pub(super) const OPEN_TREE_CLONE: u32 = 1;
pub(super) const OPEN_TREE_CLOEXEC: u32 = libc::O_CLOEXEC as u32;

pub(crate) const MOUNT_ATTR_RDONLY: u64 = 0x01;
pub(crate) const MOUNT_ATTR_NOSUID: u64 = 0x02;
pub(crate) const MOUNT_ATTR_NODEV: u64 = 0x04;
pub(crate) const MOUNT_ATTR_NOEXEC: u64 = 0x08;
pub(crate) const MOUNT_ATTR_ATIME: u64 = 0x70;
pub(crate) const MOUNT_ATTR_RELATIME: u64 = 0x00;
pub(crate) const MOUNT_ATTR_NOATIME: u64 = 0x10;
pub(crate) const MOUNT_ATTR_STRICTATIME: u64 = 0x20;
pub(crate) const MOUNT_ATTR_NODIRATIME: u64 = 0x80;
pub(crate) const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
pub(crate) const MOUNT_ATTR_NOSYMFOLLOW: u64 = 0x0020_0000;

/// struct mount_attr.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MountAttr {
    pub(crate) set: u64,
    pub(crate) clear: u64,
    pub(crate) propagation: u64,
    pub(crate) userns: u64,
}

/// open_tree(2) with OPEN_TREE_CLONE: a detached copy of a mount.
pub(crate) fn clone_tree(dir: BorrowedFd<'_>, path: &OsStr, flags: u32) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    let flags = flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT;
    // SAFETY: `path` is NUL-terminated.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, dir.as_raw_fd(), path.as_ptr(), flags) })
}

/// move_mount(2): attaches the mount behind `from` at the place behind `to`.
pub(crate) fn attach(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    const MOVE_MOUNT_F_EMPTY_PATH: u32 = 0x04;
    const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;
    // SAFETY: empty NUL-terminated paths; the descriptors name both ends.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            from.as_raw_fd(),
            c"".as_ptr(),
            to.as_raw_fd(),
            c"".as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH,
        )
    })
    .map(drop)
}

/// mount_setattr(2).
pub(crate) fn set_attributes(
    dir: BorrowedFd<'_>,
    path: &OsStr,
    flags: u32,
    attr: &MountAttr,
) -> io::Result<()> {
    let path = c_string(path)?;
    // SAFETY: `path` is NUL-terminated, `attr` is of the size given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir.as_raw_fd(),
            path.as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

/// Whether the kernel has mount_setattr(2).
pub(crate) fn can_set_attributes() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let nothing = std::ptr::null::<MountAttr>();
        let path = c"".as_ptr();
        // SAFETY: a size of 0 is refused before anything is read.
        let result =
            check(unsafe { libc::syscall(libc::SYS_mount_setattr, -1, path, 0, nothing, 0) });
        !result.is_err_and(|error| error.raw_os_error() == Some(libc::ENOSYS))
    })
}

/// A filesystem being configured: fsopen(2) and fsconfig(2).
#[derive(Debug)]
pub(crate) struct FilesystemContext(OwnedFd);

impl FilesystemContext {
    /// fsopen(2).
    pub(crate) fn open(kind: &str) -> io::Result<Self> {
        const FSOPEN_CLOEXEC: u32 = 1;
        let kind = c_string(kind)?;
        // SAFETY: `kind` is NUL-terminated.
        owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) })
            .map(FilesystemContext)
    }

    /// Sets `key=value`, or the flag `key` if there is no value.
    pub(crate) fn set(&self, key: &str, value: Option<&str>) -> io::Result<()> {
        const FSCONFIG_SET_FLAG: u32 = 0;
        const FSCONFIG_SET_STRING: u32 = 1;
        let key = c_string(key)?;
        let value = value.map(c_string).transpose()?;
        let command = if value.is_some() {
            FSCONFIG_SET_STRING
        } else {
            FSCONFIG_SET_FLAG
        };
        self.command(
            command,
            key.as_ptr(),
            value.as_ref().map_or(std::ptr::null(), |v| v.as_ptr()),
        )
    }

    /// Creates the superblock and a detached mount of it.
    pub(crate) fn mount(&self, attributes: u64) -> io::Result<OwnedFd> {
        const FSCONFIG_CMD_CREATE: u32 = 6;
        const FSMOUNT_CLOEXEC: u32 = 1;
        self.command(FSCONFIG_CMD_CREATE, std::ptr::null(), std::ptr::null())?;
        // SAFETY: plain integers.
        owned(unsafe {
            libc::syscall(
                libc::SYS_fsmount,
                self.0.as_raw_fd(),
                FSMOUNT_CLOEXEC,
                attributes,
            )
        })
    }

    /// What the filesystem said about the last failure, if it said anything.
    pub(crate) fn complaint(self) -> Option<String> {
        let mut text = vec![0u8; 1024];
        let length = std::fs::File::from(self.0).read(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text[..length]).trim().to_owned();
        // The kernel marks errors, warnings and notes by a letter.
        Some(text.strip_prefix("e ").unwrap_or(&text).to_owned())
    }

    fn command(
        &self,
        command: u32,
        key: *const libc::c_char,
        value: *const libc::c_char,
    ) -> io::Result<()> {
        // SAFETY: the callers above pass NUL-terminated strings that outlive the call, or null.
        check(unsafe {
            libc::syscall(
                libc::SYS_fsconfig,
                self.0.as_raw_fd(),
                command,
                key,
                value,
                0,
            )
        })
        .map(drop)
    }
}

/// mount(2).
pub(crate) fn mount(
    source: Option<&OsStr>,
    target: &OsStr,
    kind: Option<&str>,
    flags: u64,
    data: Option<&str>,
) -> io::Result<()> {
    let source = source.map(c_string).transpose()?;
    let target = c_string(target)?;
    let kind = kind.map(c_string).transpose()?;
    let data = data.map(c_string).transpose()?;
    let pointer =
        |text: &Option<std::ffi::CString>| text.as_ref().map_or(std::ptr::null(), |t| t.as_ptr());
    // SAFETY: every pointer is null or a NUL-terminated string that outlives the call.
    check_int(unsafe {
        libc::mount(
            pointer(&source),
            target.as_ptr(),
            pointer(&kind),
            flags as libc::c_ulong,
            pointer(&data).cast(),
        )
    })
    .map(drop)
}

/// umount2(2) with MNT_DETACH, never following a link.
pub(crate) fn detach(target: &OsStr) -> io::Result<()> {
    let target = c_string(target)?;
    // SAFETY: `target` is NUL-terminated.
    check_int(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW) })
        .map(drop)
}

/// pivot_root(2).
pub(crate) fn pivot_root(new: &OsStr, old: &OsStr) -> io::Result<()> {
    let (new, old) = (c_string(new)?, c_string(old)?);
    // SAFETY: both strings are NUL-terminated.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, new.as_ptr(), old.as_ptr()) }).map(drop)
}

/// A path as the table of mounts has it: blanks and backslashes are octal there.
pub(crate) fn unescape(path: &str) -> OsString {
    let bytes = path.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let code = bytes.get(index + 1..index + 4);
        let code =
            code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 8).ok());
        match code.filter(|_| byte == b'\\') {
            Some(code) => {
                plain.push(code);
                index += 4;
            }
            None => {
                plain.push(byte);
                index += 1;
            }
        }
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_in_the_table_of_mounts_are_octal() {
        assert_eq!(unescape("/a\\040b\\134c"), "/a b\\c");
        assert_eq!(unescape("/plain\\"), "/plain\\");
    }
}

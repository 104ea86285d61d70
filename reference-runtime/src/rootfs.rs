//! The container's root directory while it is being furnished from outside:
//! every path is resolved inside it by the kernel and used by descriptor.

use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::sys::files::{
    self, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY, RESOLVE_IN_ROOT,
    RESOLVE_NO_SYMLINKS,
};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What a missing destination becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
}

/// The root directory.
#[derive(Debug)]
pub(crate) struct Rootfs(OwnedFd);

impl Rootfs {
    /// Takes the root of the attached tree.
    pub(crate) fn new(root: OwnedFd) -> Self {
        Rootfs(root)
    }

    /// The descriptor of the root.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Makes what was mounted over the root the new root.
    pub(crate) fn replace(&mut self, root: OwnedFd) {
        self.0 = root;
    }

    /// Whether the descriptor is of the root directory itself.
    pub(crate) fn is_root(&self, fd: BorrowedFd<'_>) -> Result<bool> {
        let of = |fd| {
            files::fstat(fd)
                .call(|| "fstat(rootfs)")
                .map(|stat| (stat.st_dev, stat.st_ino))
        };
        Ok(of(fd)? == of(self.fd())?)
    }

    /// Opens an existing path with O_PATH.
    pub(crate) fn find(&self, path: &str) -> io::Result<OwnedFd> {
        self.open(path, O_PATH)
    }

    /// Opens an existing path with O_PATH; ELOOP if a symbolic link is on the way.
    pub(crate) fn find_without_links(&self, path: &str) -> io::Result<OwnedFd> {
        let resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
        files::openat2(self.fd(), relative(path), O_PATH, 0, resolve)
    }

    /// Opens an existing path.
    pub(crate) fn open(&self, path: &str, flags: i32) -> io::Result<OwnedFd> {
        files::openat2(self.fd(), relative(path), flags, 0, RESOLVE_IN_ROOT)
    }

    /// Opens a path with O_PATH and makes what is missing of it.
    pub(crate) fn ensure(&self, path: &str, kind: Kind) -> Result<OwnedFd> {
        match self.find(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(path, kind),
            other => other.call(|| format!("openat2(rootfs, {path:?}, RESOLVE_IN_ROOT)")),
        }
    }

    /// Opens the directory of a path, which is made if it is missing, and tells the last name.
    pub(crate) fn parent(&self, path: &str) -> Result<(OwnedFd, OsString)> {
        let trimmed = path.trim_end_matches('/');
        let (directory, name) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
        if matches!(name, "" | "." | "..") {
            return Err(Error::new(format!("{path:?} has no file name")));
        }
        let directory = if directory.is_empty() { "/" } else { directory };
        Ok((self.ensure(directory, Kind::Directory)?, name.into()))
    }

    /// Walks the path component by component, links included, and makes what is missing.
    ///
    /// Each step is one name in one open directory, so that nothing that changes
    /// meanwhile can lead outside.
    fn make(&self, path: &str, kind: Kind) -> Result<OwnedFd> {
        let context = |call: &str, name: &OsStr| {
            format!("{call}({name:?}) on the way to {path:?} in the rootfs")
        };
        let mut names: VecDeque<OsString> = components(path.as_ref());
        let mut directories: Vec<OwnedFd> = Vec::new();
        let mut links = 0;
        while let Some(name) = names.pop_front() {
            if name == ".." {
                directories.pop();
                continue;
            }
            let here = directories.last().map_or(self.fd(), |dir| dir.as_fd());
            let last_is_file = names.is_empty() && kind == Kind::File;
            let found = match files::openat(here, &name, O_PATH | O_NOFOLLOW, 0) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && last_is_file => {
                    files::openat(here, &name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
                        .call(|| context("open", &name))?;
                    files::openat(here, &name, O_PATH | O_NOFOLLOW, 0)
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    files::mkdirat(here, &name, 0o755).call(|| context("mkdir", &name))?;
                    files::openat(here, &name, O_PATH | O_NOFOLLOW | O_DIRECTORY, 0)
                }
                other => other,
            }
            .call(|| context("open", &name))?;
            let mode = files::fstat(found.as_fd())
                .call(|| context("fstat", &name))?
                .st_mode
                & libc::S_IFMT;
            if mode == libc::S_IFLNK {
                links += 1;
                if links > 40 {
                    return Err(Error::call(
                        context("open", &name),
                        &io::Error::from_raw_os_error(libc::ELOOP),
                    ));
                }
                let target = files::readlinkat(found.as_fd(), OsStr::new(""))
                    .call(|| context("readlink", &name))?;
                let target = OsString::from_vec(target);
                if target.as_bytes().starts_with(b"/") {
                    directories.clear();
                }
                for name in components(&target).into_iter().rev() {
                    names.push_front(name);
                }
                continue;
            }
            if names.is_empty() {
                return Ok(found);
            }
            directories.push(found);
        }
        // The path ended with `..`.
        match directories.pop() {
            Some(directory) => Ok(directory),
            None => self.find("/").call(|| format!("openat2(rootfs, {path:?})")),
        }
    }
}

/// The path below the root; a relative one means the same as an absolute one.
fn relative(path: &str) -> &OsStr {
    let path = path.trim_start_matches('/');
    if path.is_empty() {
        OsStr::new(".")
    } else {
        OsStr::new(path)
    }
}

fn components(path: &OsStr) -> VecDeque<OsString> {
    path.as_bytes()
        .split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .map(|part| OsStr::from_bytes(part).to_owned())
        .collect()
}

/// The path of an open file for calls that take none: procfs leads to it.
pub(crate) fn through_proc(fd: BorrowedFd<'_>) -> OsString {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

/// Opens a path of the rootfs that may be missing.
pub(crate) fn optional(rootfs: &Rootfs, path: &str, pointer: &str) -> Result<Option<OwnedFd>> {
    match rootfs.find(path) {
        Ok(fd) => Ok(Some(fd)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
            Ok(None)
        }
        Err(error) => Err(Error::call(
            format!("openat2(rootfs, {path:?}, RESOLVE_IN_ROOT)"),
            &error,
        ))
        .at(pointer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    fn fixture(name: &str) -> (PathBuf, Rootfs) {
        let dir = std::env::temp_dir().join(format!("refrun-rootfs-{name}-{}", std::process::id()));
        fs::create_dir_all(dir.join("root/etc")).unwrap();
        let root = files::openat(
            files::cwd(),
            dir.join("root").as_os_str(),
            O_PATH | O_DIRECTORY,
            0,
        )
        .unwrap();
        (dir, Rootfs::new(root))
    }

    #[test]
    fn links_stay_inside() {
        let (dir, rootfs) = fixture("links");
        symlink("/etc", dir.join("root/absolute")).unwrap();
        symlink("../../../../etc", dir.join("root/climbing")).unwrap();
        symlink("/missing/deep", dir.join("root/dangling")).unwrap();
        symlink("loop", dir.join("root/loop")).unwrap();
        for path in [
            "/absolute/a",
            "climbing/b",
            "/dangling/c",
            "../../d",
            "x/../e",
        ] {
            rootfs.ensure(path, Kind::Directory).unwrap();
        }
        for path in ["etc/a", "etc/b", "missing/deep/c", "d", "e"] {
            assert!(dir.join("root").join(path).is_dir(), "{path}");
        }
        assert!(rootfs.ensure("/loop/x", Kind::Directory).is_err());
        assert!(!dir.join("etc").exists() && !dir.join("d").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_missing_file_is_made_empty() {
        let (dir, rootfs) = fixture("file");
        rootfs.ensure("/run/x/file", Kind::File).unwrap();
        assert_eq!(fs::read(dir.join("root/run/x/file")).unwrap(), b"");
        rootfs.ensure("/run/x/file", Kind::File).unwrap();
        let (_, name) = rootfs.parent("/dev/null/").unwrap();
        assert_eq!(name, "null");
        assert!(rootfs.parent("/").is_err() && rootfs.parent("/dev/..").is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}

//! `linux.devices`, the default devices, and the links in /dev.

use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::procfs::Procfs;
use crate::rootfs::{Kind, Rootfs};
use crate::sys::files::{self, O_NOFOLLOW, O_PATH, cwd};
use crate::sys::mount;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A device node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    path: String,
    /// S_IFCHR, S_IFBLK or S_IFIFO.
    kind: u32,
    number: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    pointer: String,
}

impl Device {
    /// Type letter, major and minor of a node that is a device; a fifo is none.
    pub(crate) fn numbers(&self) -> Option<(char, i64, i64)> {
        let kind = match self.kind {
            libc::S_IFCHR => 'c',
            libc::S_IFBLK => 'b',
            _ => return None,
        };
        let (major, minor) = (libc::major(self.number), libc::minor(self.number));
        Some((kind, i64::from(major), i64::from(minor)))
    }
}

/// The default devices. /dev/console and /dev/ptmx are made elsewhere.
const DEFAULT: &[(&str, u32, u32)] = &[
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Links that exist if their target does.
const LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
];

/// Reads the list and adds the default devices that it does not name.
pub(crate) fn plan(linux: Option<&Node<'_>>) -> Result<Vec<Device>> {
    let mut devices = Vec::new();
    for entry in linux
        .map(|linux| linux.objects("devices"))
        .transpose()?
        .unwrap_or_default()
    {
        devices.push(plan_one(&entry)?);
    }
    for &(path, major, minor) in DEFAULT {
        if !devices.iter().any(|device| device.path == path) {
            devices.push(Device {
                path: path.to_owned(),
                kind: libc::S_IFCHR,
                number: libc::makedev(major, minor),
                mode: 0o666,
                uid: 0,
                gid: 0,
                pointer: "/linux/devices".to_owned(),
            });
        }
    }
    Ok(devices)
}

fn plan_one(entry: &Node<'_>) -> Result<Device> {
    let path = entry.required("path", entry.string("path")?)?;
    if !path.starts_with('/') || path.contains('\0') {
        return Err(entry.error("path", format!("{path:?} is not an absolute path")));
    }
    let kind = match entry.required("type", entry.string("type")?)? {
        "c" | "u" => libc::S_IFCHR,
        "b" => libc::S_IFBLK,
        "p" => libc::S_IFIFO,
        other => return Err(entry.error("type", format!("unknown device type {other:?}"))),
    };
    let number = |name| -> Result<u32> {
        let number = entry.integer::<i64>(name)?;
        let number = if kind == libc::S_IFIFO {
            number.unwrap_or(0)
        } else {
            entry.required(name, number)?
        };
        u32::try_from(number)
            .map_err(|_| entry.error(name, format!("{number} is not a device number")))
    };
    let device = libc::makedev(number("major")?, number("minor")?);
    Ok(Device {
        path: path.to_owned(),
        kind,
        number: if kind == libc::S_IFIFO { 0 } else { device },
        // Engines write the bits of the file type too.
        mode: entry
            .integer::<u32>("fileMode")?
            .map_or(0o666, |mode| mode & 0o7777),
        uid: entry.integer::<u32>("uid")?.unwrap_or(0),
        gid: entry.integer::<u32>("gid")?.unwrap_or(0),
        pointer: entry.pointer(),
    })
}

/// Makes the devices. In a user namespace the kernel lets nobody make a node;
/// there the host's node is bound.
pub(crate) fn make_all(
    devices: &[Device],
    rootfs: &Rootfs,
    bind: bool,
    procfs: &Procfs,
) -> Result<()> {
    // Nearly all are in /dev, which is opened once.
    let mut last: Option<(&str, OwnedFd)> = None;
    for device in devices {
        let directory = device
            .path
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory);
        if last.as_ref().is_none_or(|(path, _)| *path != directory) {
            let (parent, _) = rootfs.parent(&device.path).at(&device.pointer)?;
            last = Some((directory, parent));
        }
        let Some((_, parent)) = &last else { continue };
        device
            .make(parent.as_fd(), rootfs, bind, procfs)
            .at(&device.pointer)?;
    }
    Ok(())
}

impl Device {
    fn make(
        &self,
        parent: BorrowedFd<'_>,
        rootfs: &Rootfs,
        bind: bool,
        procfs: &Procfs,
    ) -> Result<()> {
        let name = OsStr::new(self.path.rsplit('/').next().unwrap_or_default());
        if name.is_empty() || name == ".." || name == "." {
            return Err(Error::new(format!("{:?} has no file name", self.path)));
        }
        if bind && self.kind != libc::S_IFIFO {
            return self.bind(parent, name, rootfs);
        }
        match files::mknodat(parent, name, self.kind | self.mode, self.number) {
            Ok(()) if (self.uid, self.gid) == (0, 0) => Ok(()),
            Ok(()) => {
                // By a descriptor: whoever shares the directory may have put a link to a file of
                // the host in its place by now.
                let made = self.expect_match(parent, name)?;
                files::chown_fd(made.as_fd(), self.uid, self.gid)
                    .call(|| format!("chown({:?}, {}, {})", self.path, self.uid, self.gid))?;
                // chown takes the set-id bits away.
                procfs
                    .with_path(made.as_fd(), |path| files::chmodat(cwd(), path, self.mode))
                    .call(|| format!("chmod({:?}, {:o})", self.path, self.mode))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.expect_match(parent, name).map(drop)
            }
            Err(error)
                if error.raw_os_error() == Some(libc::EPERM) && self.kind != libc::S_IFIFO =>
            {
                self.bind(parent, name, rootfs)
            }
            Err(error) => Err(Error::call(self.call(), &error)),
        }
    }

    /// A node that is there already must be the requested one.
    fn expect_match(&self, parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd> {
        let node = files::openat(parent, name, O_PATH | O_NOFOLLOW, 0)
            .call(|| format!("open({:?})", self.path))?;
        let found = files::fstat(node.as_fd()).call(|| format!("fstat({:?})", self.path))?;
        if found.st_mode & libc::S_IFMT == self.kind
            && (self.kind == libc::S_IFIFO || found.st_rdev == self.number)
        {
            return Ok(node);
        }
        Err(Error::new(format!(
            "{:?} exists and is another file than the requested device",
            self.path
        )))
    }

    fn bind(&self, parent: BorrowedFd<'_>, name: &OsStr, rootfs: &Rootfs) -> Result<()> {
        // An empty regular file is the mount point that an earlier container may have left.
        let existing = files::openat(parent, name, O_PATH | O_NOFOLLOW, 0)
            .and_then(|file| files::fstat(file.as_fd()));
        if let Ok(found) = existing {
            let empty_file = found.st_mode & libc::S_IFMT == libc::S_IFREG && found.st_size == 0;
            if !empty_file {
                return self.expect_match(parent, name).map(drop);
            }
        }
        let tree = mount::clone_tree(cwd(), self.path.as_ref(), 0)
            .call(|| format!("open_tree({:?}, OPEN_TREE_CLONE)", self.path))?;
        // Of what was cloned, and not of the path, which could lead elsewhere by then.
        let host =
            files::fstat(tree.as_fd()).call(|| format!("fstat({:?}) on the host", self.path))?;
        if host.st_mode & libc::S_IFMT != self.kind || host.st_rdev != self.number {
            return Err(Error::new(format!(
                "cannot be made here, and the host's {:?} is another device",
                self.path
            )));
        }
        let target = rootfs.ensure(&self.path, Kind::File)?;
        mount::attach(tree.as_fd(), target.as_fd())
            .call(|| format!("move_mount(…, {:?})", self.path))
    }

    fn call(&self) -> String {
        let kind = match self.kind {
            libc::S_IFBLK => 'b',
            libc::S_IFIFO => 'p',
            _ => 'c',
        };
        format!(
            "mknod({:?}, {kind}, {}:{})",
            self.path,
            libc::major(self.number),
            libc::minor(self.number)
        )
    }
}

/// /dev/fd, /dev/stdin, /dev/stdout, /dev/stderr and /dev/ptmx.
pub(crate) fn link_all(rootfs: &Rootfs) -> Result<()> {
    let (dev, _) = rootfs.parent("/dev/fd")?;
    let link = |target: &str, name: &str| match files::symlinkat(
        target.as_ref(),
        dev.as_fd(),
        name.as_ref(),
    ) {
        // What the image or a mount brought along stays.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.call(|| format!("symlink({target:?}, \"/dev/{name}\")")),
    };
    // The four stand or fall together: a procfs has them all.
    if rootfs.find("/proc/self/fd").is_ok() {
        for (target, name) in LINKS {
            link(target, name)?;
        }
    }
    link("pts/ptmx", "ptmx")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn devices(list: Value) -> Result<Vec<Device>> {
        let linux = json!({ "devices": list });
        plan(Some(&Node::root(&linux).unwrap()))
    }

    #[test]
    fn default_devices_come_along_unless_named() {
        assert_eq!(plan(None).unwrap().len(), DEFAULT.len());
        let named = devices(json!([{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o100600}])).unwrap();
        assert_eq!(named.len(), DEFAULT.len());
        assert_eq!(
            (named[0].mode, named[0].number),
            (0o600, libc::makedev(1, 3))
        );
    }

    #[test]
    fn numbers_are_required_but_for_pipes() {
        let error = |entry| devices(json!([entry])).unwrap_err().to_string();
        assert_eq!(
            error(json!({"path": "/dev/x", "type": "c", "major": 1})),
            "/devices/0/minor: is required"
        );
        assert!(error(json!({"path": "dev/x", "type": "p"})).contains("not an absolute path"));
        assert!(error(json!({"path": "/dev/x", "type": "z"})).contains("unknown device type"));
        assert!(
            error(json!({"path": "/dev/x", "type": "b", "major": -1, "minor": 0}))
                .contains("not a device number")
        );
        assert_eq!(
            devices(json!([{"path": "/x", "type": "p"}])).unwrap()[0].kind,
            libc::S_IFIFO
        );
    }
}

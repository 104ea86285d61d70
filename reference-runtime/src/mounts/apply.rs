//! Makes the planned mounts, in the listed order, below an attached root.

use super::idmap::{self, Prepared};
use super::options::Options;
use super::{Mount, copy_up, failed};
use crate::cgroup::{Group, Placement};
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::rootfs::{Kind, Rootfs, through_proc};
use crate::sys::files::{self, cwd};
use crate::sys::mount::{
    self, AT_EMPTY_PATH, AT_RECURSIVE, FilesystemContext, MOUNT_ATTR_ATIME, MOUNT_ATTR_RDONLY,
    MountAttr,
};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// What the mounts need to know of the container.
#[derive(Debug)]
pub(crate) struct Environment<'a> {
    pub(crate) cgroup: &'a Placement,
    /// The container sees its cgroups as the roots of their hierarchies.
    pub(crate) own_cgroup_namespace: bool,
}

/// Mounts that become read-only when everything below them stands.
#[derive(Debug, Default)]
pub(crate) struct ReadOnlyLater(Vec<(OwnedFd, String)>);

impl ReadOnlyLater {
    /// Makes them read-only.
    pub(crate) fn apply(self) -> Result<()> {
        self.0
            .iter()
            .try_for_each(|(fd, pointer)| set_read_only(fd.as_fd(), 0).at(pointer))
    }
}

/// mount_setattr(2): read-only, and nothing else changes.
pub(crate) fn set_read_only(fd: BorrowedFd<'_>, flags: u32) -> Result<()> {
    let attr = MountAttr {
        set: MOUNT_ATTR_RDONLY,
        ..MountAttr::default()
    };
    mount::set_attributes(fd, OsStr::new(""), flags | AT_EMPTY_PATH, &attr)
        .call(|| "mount_setattr(MOUNT_ATTR_RDONLY)")
}

/// Makes one mount from what was prepared for it.
pub(crate) fn apply(
    mount: &Mount,
    prepared: Prepared,
    rootfs: &mut Rootfs,
    environment: &Environment<'_>,
    later: &mut ReadOnlyLater,
) -> Result<()> {
    if mount.options.remount {
        return remount(mount, rootfs);
    }
    if mount.options.copy_up && (mount.kind != "tmpfs" || mount.options.bind.is_some()) {
        return Err(Error::new("tmpcopyup needs a mount of type tmpfs").at(&*mount.pointer));
    }
    let (fd, is_file) = match prepared {
        Prepared::Tree(tree) => {
            let stat = files::fstat(tree.as_fd())
                .call(|| "fstat(bind source)")
                .at(&mount.pointer)?;
            (tree, stat.st_mode & libc::S_IFMT != libc::S_IFDIR)
        }
        _ if mount.kind == "cgroup" && environment.cgroup.groups.iter().any(|group| !group.v2) => {
            return cgroup_v1(mount, rootfs, environment, later);
        }
        other => match (make(mount, environment)?, other) {
            (Some(fd), Prepared::Mapping(namespace)) => {
                idmap::apply(mount, fd.as_fd(), namespace.as_fd()).at(&mount.pointer)?;
                (fd, false)
            }
            (Some(fd), _) => (fd, false),
            (None, Prepared::Mapping(_)) => {
                return Err(
                    Error::new("these options cannot be combined with an idmapping")
                        .at(&*mount.pointer),
                );
            }
            (None, _) => return place_classic(mount, rootfs),
        },
    };
    let mut target = rootfs
        .ensure(
            &mount.destination,
            if is_file { Kind::File } else { Kind::Directory },
        )
        .at(&mount.pointer)?;
    if matches!(mount.kind.as_str(), "proc" | "sysfs") && mount.options.bind.is_none() {
        // What is masked in these is found by path again, later: a link into a volume that
        // another container can change would then lead elsewhere (CVE-2019-19921).
        target = rootfs
            .find_without_links(&mount.destination)
            .call(|| {
                format!(
                    "openat2(rootfs, {:?}, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)",
                    mount.destination
                )
            })
            .at(&mount.pointer)?;
    }
    if mount.options.copy_up {
        copy_up::copy(target.as_fd(), fd.as_fd()).at(&mount.pointer)?;
    }
    decorate(mount, fd.as_fd(), later)?;
    place(mount, fd, target.as_fd(), rootfs)
}

/// Attaches a finished mount. Over the root directory it becomes the root.
fn place(mount: &Mount, fd: OwnedFd, target: BorrowedFd<'_>, rootfs: &mut Rootfs) -> Result<()> {
    let over_root = rootfs.is_root(target)?;
    mount::attach(fd.as_fd(), target)
        .call(|| format!("move_mount(…, {:?})", mount.destination))
        .at(&mount.pointer)?;
    if over_root {
        rootfs.replace(fd);
    }
    Ok(())
}

/// Gives a mount its attributes and its propagation, before anybody can see it.
fn decorate(mount: &Mount, fd: BorrowedFd<'_>, later: &mut ReadOnlyLater) -> Result<()> {
    let options = &mount.options;
    let set = |flags: u32, attr: &MountAttr| {
        mount::set_attributes(fd, OsStr::new(""), flags | AT_EMPTY_PATH, attr)
            .call(|| format!("mount_setattr({:?}, {attr:x?})", mount.destination))
            .at(&mount.pointer)
    };
    if options.bind.is_some() {
        if options.propagation.is_empty() {
            // What is mounted in the container must not appear on the host.
            set(
                AT_RECURSIVE,
                &MountAttr {
                    propagation: libc::MS_SLAVE,
                    ..MountAttr::default()
                },
            )?;
        }
        if !options.this.is_empty() {
            set(0, &options.attr())?;
        }
    } else if options.this.set & MOUNT_ATTR_RDONLY != 0 && mount.kind == "tmpfs" {
        let again = clone_descriptor(fd).at(&mount.pointer)?;
        later.0.push((again, mount.pointer.clone()));
    }
    if !options.below.is_empty() {
        set(AT_RECURSIVE, &options.below.attr())?;
    }
    for &(kind, below) in &options.propagation {
        let attr = MountAttr {
            propagation: kind,
            ..MountAttr::default()
        };
        set(if below { AT_RECURSIVE } else { 0 }, &attr)?;
    }
    Ok(())
}

fn clone_descriptor(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    fd.try_clone_to_owned().call(|| "fcntl(F_DUPFD_CLOEXEC)")
}

/// A detached mount of a new filesystem; None if only mount(2) can express what is asked for.
fn make(mount: &Mount, environment: &Environment<'_>) -> Result<Option<OwnedFd>> {
    let kind = match mount.kind.as_str() {
        // On a host with version 2 alone, that is what `cgroup` means.
        "cgroup" => "cgroup2",
        other => other,
    };
    let options = &mount.options;
    let unspeakable = options.superblock & (libc::MS_I_VERSION | libc::MS_SILENT) != 0;
    if unspeakable || options.data.iter().any(|option| option.len() > 255) {
        return Ok(None);
    }
    match new_filesystem(kind, mount.source.as_deref(), options, kind == "tmpfs") {
        Ok(fd) => Ok(Some(fd)),
        Err((error, _)) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(None),
        // Without a cgroup namespace of its own user namespace the hierarchy can still be shown by binding it.
        Err((error, _)) if kind == "cgroup2" && error.raw_os_error() == Some(libc::EPERM) => {
            let group = environment
                .cgroup
                .unified()
                .filter(|_| environment.own_cgroup_namespace);
            let path = group.map_or(Path::new("/sys/fs/cgroup"), |group| &group.path);
            let tree = mount::clone_tree(cwd(), path.as_os_str(), AT_RECURSIVE)
                .map_err(|_| failed(mount, &error, None))?;
            mount::set_attributes(
                tree.as_fd(),
                OsStr::new(""),
                AT_EMPTY_PATH | AT_RECURSIVE,
                &options.attr(),
            )
            .map_err(|error| failed(mount, &error, None))?;
            Ok(Some(tree))
        }
        Err((error, complaint)) => Err(failed(mount, &error, complaint)),
    }
}

type FilesystemError = (io::Error, Option<String>);

/// fsopen, fsconfig, fsmount. A tmpfs is made writable: mount points will be made in it.
fn new_filesystem(
    kind: &str,
    source: Option<&str>,
    options: &Options,
    writable: bool,
) -> Result2<OwnedFd> {
    let context = FilesystemContext::open(kind).map_err(|error| (error, None))?;
    match configure(&context, source, options, writable) {
        Ok(fd) => Ok(fd),
        Err(error) => Err((error, context.complaint())),
    }
}

type Result2<T> = std::result::Result<T, FilesystemError>;

fn configure(
    context: &FilesystemContext,
    source: Option<&str>,
    options: &Options,
    writable: bool,
) -> io::Result<OwnedFd> {
    let attr = options.attr();
    if let Some(source) = source.filter(|source| !source.is_empty()) {
        context.set("source", Some(source))?;
    }
    for option in &options.data {
        match option.split_once('=') {
            Some((key, value)) => context.set(key, Some(value))?,
            None => context.set(option, None)?,
        }
    }
    let mut attributes = attr.set;
    if attributes & MOUNT_ATTR_RDONLY != 0 {
        if writable {
            attributes &= !MOUNT_ATTR_RDONLY;
        } else {
            context.set("ro", None)?;
        }
    }
    let flags = [
        (libc::MS_SYNCHRONOUS, "sync"),
        (libc::MS_DIRSYNC, "dirsync"),
        (1 << 25, "lazytime"),
        (libc::MS_MANDLOCK, "mand"),
    ];
    for (flag, name) in flags {
        if options.superblock & flag != 0 {
            context.set(name, None)?;
        }
    }
    context.mount(attributes)
}

/// mount(2), for what the newer calls cannot say.
fn place_classic(mount: &Mount, rootfs: &mut Rootfs) -> Result<()> {
    let target = rootfs
        .ensure(&mount.destination, Kind::Directory)
        .at(&mount.pointer)?;
    let flags = mount.options.this.flags() | mount.options.superblock;
    let data = mount.options.data.join(",");
    let source = mount.source.as_deref().unwrap_or("none");
    mount::mount(
        Some(source.as_ref()),
        &through_proc(target.as_fd()),
        Some(&mount.kind),
        flags,
        Some(&data),
    )
    .map_err(|error| failed(mount, &error, None))?;
    let mounted = rootfs
        .find(&mount.destination)
        .call(|| format!("openat2(rootfs, {:?})", mount.destination))
        .at(&mount.pointer)?;
    // Read-only is done already; only what goes below and the propagation are left.
    decorate(mount, mounted.as_fd(), &mut ReadOnlyLater::default())?;
    if rootfs.is_root(target.as_fd())? {
        rootfs.replace(mounted);
    }
    Ok(())
}

/// Changes a mount that is there already: with `bind` the mount, else its filesystem.
fn remount(mount: &Mount, rootfs: &Rootfs) -> Result<()> {
    let target = rootfs
        .find(&mount.destination)
        .call(|| format!("openat2(rootfs, {:?}, RESOLVE_IN_ROOT)", mount.destination))
        .at(&mount.pointer)?;
    if mount.options.bind.is_none() {
        let flags = mount.options.this.flags() | mount.options.superblock | libc::MS_REMOUNT;
        let data = mount.options.data.join(",");
        mount::mount(
            None,
            &through_proc(target.as_fd()),
            None,
            flags,
            Some(&data),
        )
        .map_err(|error| failed(mount, &error, None))?;
    } else if !mount.options.this.is_empty() {
        mount::set_attributes(
            target.as_fd(),
            OsStr::new(""),
            AT_EMPTY_PATH,
            &mount.options.attr(),
        )
        .map_err(|error| failed(mount, &error, None))?;
    }
    let set = |flags, attr: &MountAttr| {
        mount::set_attributes(target.as_fd(), OsStr::new(""), flags | AT_EMPTY_PATH, attr)
            .map_err(|error| failed(mount, &error, None))
    };
    if !mount.options.below.is_empty() {
        set(AT_RECURSIVE, &mount.options.below.attr())?;
    }
    for &(kind, below) in &mount.options.propagation {
        let attr = MountAttr {
            propagation: kind,
            ..MountAttr::default()
        };
        set(if below { AT_RECURSIVE } else { 0 }, &attr)?;
    }
    Ok(())
}

/// Version 1 has a hierarchy for each controller: a tmpfs with a directory for each.
fn cgroup_v1(
    mount: &Mount,
    rootfs: &mut Rootfs,
    environment: &Environment<'_>,
    later: &mut ReadOnlyLater,
) -> Result<()> {
    let base = Options {
        this: mount.options.this,
        data: vec!["mode=755".to_owned()],
        ..Options::default()
    };
    let tmpfs = new_filesystem("tmpfs", Some("cgroup"), &base, true)
        .map_err(|(error, complaint)| failed(mount, &error, complaint))?;
    let mut names = Vec::new();
    for group in &environment.cgroup.groups {
        let Some(name) = group.mount.file_name() else {
            continue;
        };
        files::mkdirat(tmpfs.as_fd(), name, 0o755)
            .call(|| format!("mkdir({name:?})"))
            .at(&mount.pointer)?;
        names.push((group, name));
        // A hierarchy with several controllers is known by each of their names as well.
        for controller in group
            .controllers
            .iter()
            .filter(|_| !group.v2 && group.controllers.len() > 1)
        {
            let link = files::symlinkat(name, tmpfs.as_fd(), controller.as_ref());
            match link {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => other
                    .call(|| format!("symlink({controller:?})"))
                    .at(&mount.pointer)?,
            }
        }
    }
    let target = rootfs
        .ensure(&mount.destination, Kind::Directory)
        .at(&mount.pointer)?;
    if mount.options.this.set & MOUNT_ATTR_RDONLY != 0 {
        later.0.push((
            clone_descriptor(tmpfs.as_fd()).at(&mount.pointer)?,
            mount.pointer.clone(),
        ));
    }
    let directory = clone_descriptor(tmpfs.as_fd()).at(&mount.pointer)?;
    place(mount, tmpfs, target.as_fd(), rootfs)?;
    for (group, name) in names {
        let tree = hierarchy(group, mount, environment)?;
        let place = files::openat(directory.as_fd(), name, files::O_PATH, 0)
            .call(|| format!("open({name:?})"))
            .at(&mount.pointer)?;
        mount::attach(tree.as_fd(), place.as_fd())
            .call(|| format!("move_mount(…, {name:?})"))
            .at(&mount.pointer)?;
    }
    for &(kind, _) in &mount.options.propagation {
        let attr = MountAttr {
            propagation: kind,
            ..MountAttr::default()
        };
        mount::set_attributes(
            directory.as_fd(),
            OsStr::new(""),
            AT_RECURSIVE | AT_EMPTY_PATH,
            &attr,
        )
        .map_err(|error| failed(mount, &error, None))?;
    }
    Ok(())
}

/// One hierarchy as the container may see it: through its own cgroup namespace, or its own group alone.
fn hierarchy(group: &Group, mount: &Mount, environment: &Environment<'_>) -> Result<OwnedFd> {
    let attributes = Options {
        this: mount.options.this,
        ..Options::default()
    };
    if environment.own_cgroup_namespace {
        let mut options = attributes.clone();
        if !group.v2 {
            for controller in &group.controllers {
                if controller.starts_with("name=") {
                    options.data.push("none".to_owned());
                }
                options.data.push(controller.clone());
            }
        }
        let kind = if group.v2 { "cgroup2" } else { "cgroup" };
        // Read-only for this mount, not for the hierarchy, which is the host's.
        let made = new_filesystem(kind, Some("cgroup"), &options, true);
        let tree = made.map_err(|(error, complaint)| failed(mount, &error, complaint))?;
        if mount.options.this.set & MOUNT_ATTR_RDONLY != 0 {
            set_read_only(tree.as_fd(), 0).at(&mount.pointer)?;
        }
        return Ok(tree);
    }
    let tree = mount::clone_tree(cwd(), group.path.as_os_str(), 0)
        .call(|| format!("open_tree({:?}, OPEN_TREE_CLONE)", group.path))
        .at(&mount.pointer)?;
    let mut attr = attributes.attr();
    attr.propagation = libc::MS_SLAVE;
    attr.clear &= !MOUNT_ATTR_ATIME
        | if attr.set & MOUNT_ATTR_ATIME != 0 {
            MOUNT_ATTR_ATIME
        } else {
            0
        };
    mount::set_attributes(tree.as_fd(), OsStr::new(""), AT_EMPTY_PATH, &attr)
        .map_err(|error| failed(mount, &error, None))?;
    Ok(tree)
}

//! Makes the planned mounts, in the listed order, below an attached root.

use super::attributes::{self, set_read_only};
use super::idmap::{self, Prepared};
use super::options::Options;
use super::{Mount, copy_up, failed, label};
use crate::cgroup::{Group, Placement};
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::procfs::Procfs;
use crate::rootfs::{Kind, Rootfs};
use crate::sys::files::{self, cwd};
use crate::sys::mount::{
    self, AT_RECURSIVE, FilesystemContext, MOUNT_ATTR_ATIME, MOUNT_ATTR_RDONLY, MountAttr,
};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// What the mounts need to know of the container.
#[derive(Debug)]
pub(crate) struct Environment<'a> {
    /// The host's procfs.
    pub(crate) procfs: &'a Procfs,
    pub(crate) cgroup: &'a Placement,
    /// The container sees its cgroups as the roots of their hierarchies.
    pub(crate) own_cgroup_namespace: bool,
    /// The container has a network namespace of its own, whose devices its sysfs shows.
    pub(crate) own_network_namespace: bool,
}

/// Mounts that become read-only when everything below them stands.
#[derive(Debug, Default)]
pub(crate) struct ReadOnlyLater(Vec<(OwnedFd, String)>);

impl ReadOnlyLater {
    /// Makes them read-only.
    pub(crate) fn apply(self, procfs: &Procfs) -> Result<()> {
        self.0
            .iter()
            .try_for_each(|(fd, pointer)| set_read_only(fd.as_fd(), procfs).at(pointer))
    }
}

/// Makes one mount from what was prepared for it.
pub(crate) fn apply(
    mount: &Mount,
    prepared: Prepared,
    rootfs: &mut Rootfs,
    environment: &Environment<'_>,
    later: &mut ReadOnlyLater,
) -> Result<()> {
    let on_version_1 = mount.kind == "cgroup"
        && mount.options.bind.is_none()
        && environment.cgroup.groups.iter().any(|group| !group.v2);
    if mount.mappings.is_some() && (mount.options.remount || on_version_1) {
        let what = "neither a remount nor a mount of cgroup version 1 can be idmapped";
        return Err(Error::new(what).at(&*mount.pointer));
    }
    if mount.options.remount {
        return remount(mount, rootfs, environment.procfs);
    }
    if mount.options.copy_up && (mount.kind != "tmpfs" || mount.options.bind.is_some()) {
        return Err(Error::new("tmpcopyup needs a mount of type tmpfs").at(&*mount.pointer));
    }
    let mut pending = None;
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
            (Some((fd, left)), Prepared::Mapping(namespace)) => {
                pending = left;
                idmap::apply(mount, fd.as_fd(), namespace.as_fd()).at(&mount.pointer)?;
                (fd, false)
            }
            (Some((fd, left)), _) => {
                pending = left;
                (fd, false)
            }
            (None, Prepared::Mapping(_)) => {
                return Err(
                    Error::new("these options cannot be combined with an idmapping")
                        .at(&*mount.pointer),
                );
            }
            (None, _) => return place_classic(mount, rootfs, environment.procfs),
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
    if let Some(label) = &mount.root_label {
        label::set(fd.as_fd(), label, environment.procfs).at(&mount.pointer)?;
    }
    if mount.options.copy_up {
        copy_up::copy(target.as_fd(), fd.as_fd(), environment.procfs).at(&mount.pointer)?;
    }
    let decorate = || {
        if let Some((flags, attr)) = &pending {
            attributes::set(fd.as_fd(), *flags, attr, environment.procfs)
                .map_err(|error| failed(mount, &error, None))?;
        }
        decorate(mount, fd.as_fd(), later, environment.procfs)
    };
    if place(mount, fd.as_fd(), target.as_fd(), rootfs, decorate)? {
        rootfs.replace(fd);
    }
    Ok(())
}

/// Attaches a mount that is finished by `decorate`. True if it is over the root directory and so
/// becomes the root.
fn place(
    mount: &Mount,
    fd: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    rootfs: &Rootfs,
    decorate: impl FnOnce() -> Result<()>,
) -> Result<bool> {
    let over_root = rootfs.is_root(target)?;
    let attach =
        || mount::attach(fd, target).call(|| format!("move_mount(…, {:?})", mount.destination));
    attributes::set_and_attach(decorate, attach).at(&mount.pointer)?;
    Ok(over_root)
}

/// Gives a mount its attributes and its propagation.
fn decorate(
    mount: &Mount,
    fd: BorrowedFd<'_>,
    later: &mut ReadOnlyLater,
    procfs: &Procfs,
) -> Result<()> {
    let options = &mount.options;
    let set = |flags: u32, attr: &MountAttr| {
        attributes::set(fd, flags, attr, procfs)
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

/// What is still to be set on a detached mount, and whether for those below it too (AT_RECURSIVE).
type Pending = Option<(u32, MountAttr)>;

/// A detached mount of a new filesystem; None if only mount(2) can express what is asked for.
fn make(mount: &Mount, environment: &Environment<'_>) -> Result<Option<(OwnedFd, Pending)>> {
    let kind = match mount.kind.as_str() {
        // On a host with version 2 alone, that is what `cgroup` means.
        "cgroup" => "cgroup2",
        other => other,
    };
    let options = &mount.options;
    if let ("cgroup2", false, Some(group)) = (
        kind,
        environment.own_cgroup_namespace,
        environment.cgroup.unified(),
    ) {
        if let Some(option) = options.data.first() {
            let why =
                format!("the option {option:?} would be the host's: it needs a cgroup namespace");
            return Err(Error::new(why).at(&*mount.pointer));
        }
        // Not a new mount, which in the host's cgroup namespace would show the whole hierarchy and
        // take the options off it that the host has given it (nsdelegate).
        let (tree, attr) = hierarchy(group, mount, environment)?;
        return Ok(Some((tree, attr.map(|attr| (0, attr)))));
    }
    let unspeakable = options.superblock & (libc::MS_I_VERSION | libc::MS_SILENT) != 0;
    if unspeakable || options.data.iter().any(|option| option.len() > 255) {
        return Ok(None);
    }
    match new_filesystem(kind, mount.source.as_deref(), options, kind == "tmpfs") {
        Ok(fd) => Ok(Some((fd, None))),
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
            Ok(Some((tree, Some((AT_RECURSIVE, options.attr())))))
        }
        // A new sysfs belongs to whoever owns the network namespace. Where that is the host's, so
        // is what it would show.
        Err((error, _))
            if kind == "sysfs"
                && error.raw_os_error() == Some(libc::EPERM)
                && !environment.own_network_namespace =>
        {
            let tree = mount::clone_tree(cwd(), OsStr::new("/sys"), AT_RECURSIVE)
                .map_err(|_| failed(mount, &error, None))?;
            Ok(Some((tree, Some((AT_RECURSIVE, options.attr())))))
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
fn place_classic(mount: &Mount, rootfs: &mut Rootfs, procfs: &Procfs) -> Result<()> {
    let target = rootfs
        .ensure(&mount.destination, Kind::Directory)
        .at(&mount.pointer)?;
    let flags = mount.options.this.flags() | mount.options.superblock;
    let data = label::join(&mount.options.data);
    let source = mount.source.as_deref().unwrap_or("none");
    let mount_on = |target: &OsStr| {
        mount::mount(
            Some(source.as_ref()),
            target,
            Some(&mount.kind),
            flags,
            Some(&data),
        )
    };
    procfs
        .with_path(target.as_fd(), mount_on)
        .map_err(|error| failed(mount, &error, None))?;
    let mounted = rootfs
        .find(&mount.destination)
        .call(|| format!("openat2(rootfs, {:?})", mount.destination))
        .at(&mount.pointer)?;
    // Read-only is done already; only what goes below and the propagation are left.
    decorate(
        mount,
        mounted.as_fd(),
        &mut ReadOnlyLater::default(),
        procfs,
    )?;
    if rootfs.is_root(target.as_fd())? {
        rootfs.replace(mounted);
    }
    Ok(())
}

/// Changes a mount that is there already: with `bind` the mount, else its filesystem.
fn remount(mount: &Mount, rootfs: &Rootfs, procfs: &Procfs) -> Result<()> {
    let target = rootfs
        .find(&mount.destination)
        .call(|| format!("openat2(rootfs, {:?}, RESOLVE_IN_ROOT)", mount.destination))
        .at(&mount.pointer)?;
    if mount.options.bind.is_none() {
        let flags = mount.options.this.flags() | mount.options.superblock | libc::MS_REMOUNT;
        let data = label::join(&mount.options.data);
        let change = |target: &OsStr| mount::mount(None, target, None, flags, Some(&data));
        procfs
            .with_path(target.as_fd(), change)
            .map_err(|error| failed(mount, &error, None))?;
    } else if !mount.options.this.is_empty() {
        attributes::set(target.as_fd(), 0, &mount.options.attr(), procfs)
            .map_err(|error| failed(mount, &error, None))?;
    }
    let set = |flags, attr: &MountAttr| {
        attributes::set(target.as_fd(), flags, attr, procfs)
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
    if place(mount, tmpfs.as_fd(), target.as_fd(), rootfs, || Ok(()))? {
        rootfs.replace(tmpfs);
    }
    for (group, name) in names {
        let (tree, attr) = hierarchy(group, mount, environment)?;
        let place = files::openat(directory.as_fd(), name, files::O_PATH, 0)
            .call(|| format!("open({name:?})"))
            .at(&mount.pointer)?;
        let set = || match &attr {
            Some(attr) => attributes::set(tree.as_fd(), 0, attr, environment.procfs)
                .map_err(|error| failed(mount, &error, None)),
            None => Ok(()),
        };
        let attach = || {
            mount::attach(tree.as_fd(), place.as_fd())
                .call(|| format!("move_mount(…, {name:?})"))
                .at(&mount.pointer)
        };
        attributes::set_and_attach(set, attach)?;
    }
    for &(kind, _) in &mount.options.propagation {
        let attr = MountAttr {
            propagation: kind,
            ..MountAttr::default()
        };
        attributes::set(directory.as_fd(), AT_RECURSIVE, &attr, environment.procfs)
            .map_err(|error| failed(mount, &error, None))?;
    }
    Ok(())
}

/// One hierarchy as the container may see it: through its own cgroup namespace, or its own group
/// alone. What is left to be set goes with it.
fn hierarchy(
    group: &Group,
    mount: &Mount,
    environment: &Environment<'_>,
) -> Result<(OwnedFd, Option<MountAttr>)> {
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
        let read_only = mount.options.this.set & MOUNT_ATTR_RDONLY != 0;
        return Ok((tree, read_only.then(attributes::read_only)));
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
    Ok((tree, Some(attr)))
}

//! Idmapped mounts. Only who is privileged over the source's filesystem can map
//! it, which nobody in a user namespace is: `create` prepares the trees.

use super::{Mount, attributes, open_bind};
use crate::error::{CallContext, PlaceContext, Result};
use crate::id_mappings::Mappings;
use crate::launch;
use crate::sys::files::{self, O_RDONLY, cwd};
use crate::sys::mount::{AT_RECURSIVE, MOUNT_ATTR_IDMAP, MountAttr};
use crate::sys::process::{self, CLONE_NEWUSER, Side};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What `create` hands over for one mount.
#[derive(Debug, Default)]
pub(crate) enum Prepared {
    /// Nothing: the container process makes it all.
    #[default]
    Nothing,
    /// A bind mount's tree, mapped.
    Tree(OwnedFd),
    /// The user namespace by which a new filesystem is mapped.
    Mapping(OwnedFd),
}

impl Prepared {
    /// The descriptor, to be kept open for the container process.
    pub(crate) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Prepared::Nothing => None,
            Prepared::Tree(fd) | Prepared::Mapping(fd) => Some(fd.as_fd()),
        }
    }
}

/// Prepares every mount that has a mapping.
pub(crate) fn prepare(mounts: &[Mount]) -> Result<Vec<Prepared>> {
    mounts
        .iter()
        .map(|mount| prepare_one(mount).at(&mount.pointer))
        .collect()
}

fn prepare_one(mount: &Mount) -> Result<Prepared> {
    let Some(mappings) = &mount.mappings else {
        return Ok(Prepared::Nothing);
    };
    let namespace = user_namespace(mappings)?;
    let Some(tree) = open_bind(mount)? else {
        return Ok(Prepared::Mapping(namespace));
    };
    apply(mount, tree.as_fd(), namespace.as_fd())?;
    Ok(Prepared::Tree(tree))
}

/// mount_setattr(2) with MOUNT_ATTR_IDMAP.
pub(crate) fn apply(mount: &Mount, tree: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> Result<()> {
    let attr = MountAttr {
        set: MOUNT_ATTR_IDMAP,
        userns: namespace.as_raw_fd() as u64,
        ..MountAttr::default()
    };
    // Mappings without the option are of the mount itself.
    let flags = if mount.options.idmap == Some(true) {
        AT_RECURSIVE
    } else {
        0
    };
    attributes::set_mapping(tree, flags, &attr)
        .call(|| format!("mount_setattr({:?}, MOUNT_ATTR_IDMAP)", mount.destination))
}

/// A user namespace that is there for its maps alone.
fn user_namespace(mappings: &Mappings) -> Result<OwnedFd> {
    let (reading, writing) = files::pipe().call(|| "pipe2(O_CLOEXEC)")?;
    let child = match process::clone3(CLONE_NEWUSER, None).call(|| "clone3(CLONE_NEWUSER)")? {
        Side::Child => {
            drop(writing);
            // Lives until the other end is closed, by its parent's hand or death.
            let ended = process::wait_readable(reading.as_fd(), None);
            process::exit_now(i32::from(ended.is_err()))
        }
        Side::Parent(child) => child,
    };
    let path = format!("/proc/{}/ns/user", child.pid);
    let namespace = mappings.write(child.pid).and_then(|()| {
        files::openat(cwd(), path.as_ref(), O_RDONLY, 0).call(|| format!("open({path:?})"))
    });
    launch::end(&child);
    namespace
}

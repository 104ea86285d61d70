//! `linux.maskedPaths` and `linux.readonlyPaths`.

use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::mounts::attributes;
use crate::procfs::Procfs;
use crate::rootfs::{Rootfs, optional};
use crate::sys::files::{self, cwd};
use crate::sys::mount::{self, AT_EMPTY_PATH, AT_RECURSIVE, FilesystemContext, MOUNT_ATTR_RDONLY};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};

/// Reads a list of absolute paths.
pub(crate) fn plan(linux: Option<&Node<'_>>, name: &str) -> Result<Vec<String>> {
    let Some(linux) = linux else {
        return Ok(Vec::new());
    };
    let paths = linux.strings(name)?.unwrap_or_default();
    for path in &paths {
        if !path.starts_with('/') || path.contains('\0') {
            return Err(linux.error(name, format!("{path:?} is not an absolute path")));
        }
    }
    Ok(paths.into_iter().map(str::to_owned).collect())
}

/// Covers each path: a directory by an empty one, anything else by /dev/null.
/// What does not exist cannot be read anyway.
pub(crate) fn mask(paths: &[String], rootfs: &Rootfs) -> Result<()> {
    let pointer = "/linux/maskedPaths";
    // One empty filesystem serves all directories: a superblock is much more work than a mount.
    let mut empty: Option<OwnedFd> = None;
    for path in paths {
        let Some(target) = optional(rootfs, path, pointer)? else {
            continue;
        };
        let mode = files::fstat(target.as_fd())
            .call(|| format!("fstat({path:?})"))
            .at(pointer)?
            .st_mode;
        if mode & libc::S_IFMT == libc::S_IFDIR {
            let cover = match &empty {
                Some(first) => mount::clone_tree(first.as_fd(), OsStr::new(""), AT_EMPTY_PATH)
                    .call(|| "open_tree(OPEN_TREE_CLONE)")
                    .at(pointer)?,
                None => empty_directory().at(pointer)?,
            };
            mount::attach(cover.as_fd(), target.as_fd())
                .call(|| format!("move_mount(tmpfs, {path:?})"))
                .at(pointer)?;
            empty.get_or_insert(cover);
        } else {
            let null = mount::clone_tree(cwd(), "/dev/null".as_ref(), 0)
                .call(|| "open_tree(\"/dev/null\", OPEN_TREE_CLONE)")
                .at(pointer)?;
            // In a mount namespace that is joined, the path is its owner's to make and could be
            // a link to anything, which would then be uncovered instead of covered.
            let stat = files::fstat(null.as_fd())
                .call(|| "fstat(\"/dev/null\")")
                .at(pointer)?;
            if stat.st_mode & libc::S_IFMT != libc::S_IFCHR || stat.st_rdev != libc::makedev(1, 3) {
                return Err(Error::new("\"/dev/null\" is not the null device").at(pointer));
            }
            mount::attach(null.as_fd(), target.as_fd())
                .call(|| format!("move_mount(\"/dev/null\", {path:?})"))
                .at(pointer)?;
        }
    }
    Ok(())
}

fn empty_directory() -> Result<OwnedFd> {
    FilesystemContext::open("tmpfs")
        .and_then(|context| {
            context.set("mode", Some("0"))?;
            context.set("nr_inodes", Some("1"))?;
            context.mount(MOUNT_ATTR_RDONLY)
        })
        .call(|| "fsmount(tmpfs)")
}

/// Binds each path onto itself, read-only with all that is mounted below it.
///
/// Before Linux 5.12 only one mount can be made read-only at a time: there what is mounted below
/// is left out of the bind, so that nothing writable stays.
pub(crate) fn make_read_only(paths: &[String], rootfs: &Rootfs, procfs: &Procfs) -> Result<()> {
    let pointer = "/linux/readonlyPaths";
    for path in paths {
        let Some(target) = optional(rootfs, path, pointer)? else {
            continue;
        };
        let below = if mount::can_set_attributes() {
            AT_RECURSIVE
        } else {
            0
        };
        let tree = mount::clone_tree(target.as_fd(), OsStr::new(""), AT_EMPTY_PATH | below)
            .call(|| format!("open_tree({path:?}, OPEN_TREE_CLONE | {below:#x})"))
            .at(pointer)?;
        let set = || {
            attributes::set(tree.as_fd(), below, &attributes::read_only(), procfs)
                .call(|| format!("mount_setattr({path:?}, MOUNT_ATTR_RDONLY)"))
        };
        let attach = || {
            mount::attach(tree.as_fd(), target.as_fd()).call(|| format!("move_mount(…, {path:?})"))
        };
        attributes::set_and_attach(set, attach).at(pointer)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_absolute() {
        let linux = json!({"maskedPaths": ["/a", "b"]});
        let node = Node::root(&linux).unwrap();
        assert_eq!(
            plan(Some(&node), "maskedPaths").unwrap_err().to_string(),
            "/maskedPaths: \"b\" is not an absolute path"
        );
        assert!(plan(Some(&node), "readonlyPaths").unwrap().is_empty());
        assert!(plan(None, "maskedPaths").unwrap().is_empty());
    }
}

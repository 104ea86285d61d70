//! A root that is mounted where others can see it, because the container has no
//! new mount namespace: remembered, and taken off again.

use crate::error::{CallContext, Error, Result};
use crate::store::SharedMount;
use crate::sys::files::{self, O_PATH, O_RDONLY, cwd};
use crate::sys::mount;
use crate::sys::process::{self, CLONE_NEWNS, Ending, Side};
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

/// Takes the mount off in its namespace.
pub(crate) fn detach_shared(shared: &SharedMount) -> Result<()> {
    let target = &shared.target;
    let Some(namespace) = &shared.namespace else {
        if shared.before.is_some() && mount_id(target).ok() == shared.before {
            // A create that was killed had not mounted it yet.
            return Ok(());
        }
        return match mount::detach(target.as_os_str()) {
            // It is gone already, with its directory or by somebody's hand.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)) => {
                Ok(())
            }
            other => other.call(|| format!("umount2({target:?}, MNT_DETACH)")),
        };
    };
    // A namespace whose file is gone has taken its mounts with it.
    let Ok(file) = files::openat(cwd(), namespace.as_os_str(), O_RDONLY, 0) else {
        return Ok(());
    };
    match process::clone3(0, None).call(|| "clone3(0)")? {
        Side::Child => {
            let detached = process::setns(file.as_fd(), CLONE_NEWNS)
                .and_then(|()| mount::detach(target.as_os_str()));
            process::exit_now(i32::from(detached.is_err()))
        }
        Side::Parent(child) => {
            match process::wait_for(child.pid).call(|| format!("waitpid({})", child.pid))? {
                Ending::Exit(0) => Ok(()),
                _ => Err(Error::new(format!(
                    "umount2({target:?}) in {namespace:?} failed"
                ))),
            }
        }
    }
}

/// The number of the mount that a path leads to, which no other has while it is there.
pub(crate) fn mount_id(path: &Path) -> Result<u64> {
    let file = files::openat(cwd(), path.as_os_str(), O_PATH, 0)
        .call(|| format!("open({path:?}, O_PATH)"))?;
    let info = format!("/proc/self/fdinfo/{}", file.as_raw_fd());
    let text = fs::read_to_string(&info).call(|| format!("read({info:?})"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok())
        .ok_or_else(|| Error::new(format!("{info} tells no mount")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_has_one_number() {
        let of = |path: &str| mount_id(Path::new(path)).unwrap();
        assert_eq!(of("/proc/self"), of("/proc/self/task"));
        assert_ne!(of("/proc/self"), of("/"));
    }
}

//! The directory of a run, and how the remains of a run that was killed are told from a living one.
//!
//! A run owns `oci-conformance.XXXXXX` in the work directory and a cgroup of the same name in every
//! hierarchy: runs share no cgroup, so that the end of one takes none away from another. Its lock file is held as long as the run lives; the kernel drops the lock with
//! the process, so that a lock that can be taken means remains.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::host::Host;
use crate::trial;

const PREFIX: &str = "oci-conformance.";
const LOCK: &str = "lock";
const ID_PREFIX: &str = "oct-";

/// A run's directory; dropped, it removes what the run owned.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    tag: String,
    cgroup_roots: Vec<PathBuf>,
    _lock: Flock<std::fs::File>,
}

impl RunDirectory {
    /// Makes a run's directory and writes the probe into it.
    ///
    /// # Errors
    /// One sentence for a person.
    pub fn make(parent: &Path, host: &Host) -> Result<RunDirectory, String> {
        let fail =
            |what: &str, error: io::Error| format!("{what} in {}: {error}", parent.display());
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(parent)
            .map_err(|error| fail("mkdtemp", error))?;
        // Containers with mapped ids must be able to reach their bundles.
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))
            .map_err(|error| fail("chmod", error))?;
        let lock = lock(&directory.path().join(LOCK))
            .map_err(|error| fail("lock", error))?
            .ok_or_else(|| format!("the new run directory in {} is locked", parent.display()))?;
        let path = directory.keep();
        let tag = tag_of(&path);
        let cgroup_roots = host.cgroups.iter().map(|h| h.mount_point.clone()).collect();
        Ok(RunDirectory {
            path,
            tag,
            cgroup_roots,
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The random part of its name: unique among living runs.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The run's cgroup, relative to each hierarchy.
    pub fn cgroup(&self) -> String {
        format!("{PREFIX}{}", self.tag)
    }

    /// What the ids of all its containers begin with.
    pub fn ids(&self) -> String {
        ids(&self.tag)
    }

    /// Writes an executable file into the directory.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn executable(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        std::fs::write(&path, content)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        remove(&self.path, &self.tag, &self.cgroup_roots);
        if self.path.exists() {
            eprintln!(
                "oci-conformance: {} could not be removed whole; `oci-conformance doctor --clean` \
                 tries again",
                self.path.display()
            );
        }
    }
}

/// What a killed run left: its directory and its cgroups.
#[derive(Debug)]
pub struct Remains {
    /// The directory, or what would have been: cgroups may be all there is.
    pub path: PathBuf,
    tag: String,
    cgroup_roots: Vec<PathBuf>,
}

impl Remains {
    /// Removes them.
    pub fn remove(self) {
        remove(&self.path, &self.tag, &self.cgroup_roots);
    }
}

/// Remains of killed runs in a work directory: directories of ours whose lock nobody holds.
pub fn remains(parent: &Path, host: &Host) -> Vec<Remains> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| entry.metadata().is_ok_and(|meta| meta.uid() == host.ids.0))
        .filter(|entry| entry.path().join(LOCK).is_file())
        // The lock is let go again at once; nobody takes up an old directory.
        .filter(|entry| matches!(lock(&entry.path().join(LOCK)), Ok(Some(_))))
        .map(|entry| Remains {
            tag: tag_of(&entry.path()),
            path: entry.path(),
            cgroup_roots: host.cgroups.iter().map(|h| h.mount_point.clone()).collect(),
        })
        .collect()
}

fn lock(path: &Path) -> io::Result<Option<Flock<std::fs::File>>> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::Error::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

fn ids(tag: &str) -> String {
    format!("{ID_PREFIX}{}-", tag.to_lowercase())
}

/// Whether a cgroup of this name is a container's of a run: of which there may be very many.
pub(crate) fn is_of_a_container(name: &str) -> bool {
    name.starts_with(ID_PREFIX)
}

/// Whether a directory or a cgroup of this name is a run's.
pub(crate) fn is_of_a_run(name: &str) -> bool {
    name.starts_with(PREFIX)
}

fn tag_of(path: &Path) -> String {
    path.file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_prefix(PREFIX))
        .unwrap_or("unknown")
        .to_owned()
}

fn remove(path: &Path, tag: &str, cgroup_roots: &[PathBuf]) {
    for root in cgroup_roots {
        trial::remove_cgroup(&root.join(format!("{PREFIX}{tag}")));
    }
    trial::remove_strays(cgroup_roots.iter(), &ids(tag));
    remove_tree(path);
}

/// Removes a directory of ours, after every mount below it: a bind mount that a subject left would
/// lead the removal into the host's files.
pub(crate) fn remove_tree(path: &Path) {
    let below = || -> Vec<PathBuf> {
        crate::host::read("/proc/self/mountinfo")
            .lines()
            .filter_map(|line| line.split(' ').nth(4))
            .map(|point| PathBuf::from(point.replace("\\040", " ")))
            .filter(|point| point.starts_with(path))
            .collect()
    };
    for point in below().iter().rev() {
        let _ = nix::mount::umount2(point, nix::mount::MntFlags::MNT_DETACH);
    }
    if below().is_empty() {
        let _ = std::fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::View;

    #[test]
    fn a_living_run_is_no_remains_and_a_dropped_one_leaves_none() {
        let parent = tempfile::tempdir().unwrap();
        let host = Host::look(View::Host);
        let run = RunDirectory::make(parent.path(), &host).unwrap();
        assert!(remains(parent.path(), &host).is_empty());
        let path = run.path().to_owned();
        drop(run);
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_whose_lock_nobody_holds_is_remains() {
        let parent = tempfile::tempdir().unwrap();
        let host = Host::look(View::Host);
        let left = parent.path().join("oci-conformance.abcdef");
        std::fs::create_dir(&left).unwrap();
        // Not ours: it has no lock file.
        assert!(remains(parent.path(), &host).is_empty());
        std::fs::write(left.join(LOCK), "").unwrap();
        let found = remains(parent.path(), &host);
        assert_eq!(found.len(), 1);
        found.into_iter().for_each(Remains::remove);
        assert!(!left.exists());
    }
}

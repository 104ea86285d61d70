//! A tree on the host, beside the bundle, that nothing in a test may change.

use crate::support::Bundle;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The tree and how it was.
pub(crate) struct Canary {
    pub(crate) root: PathBuf,
    before: Vec<String>,
}

impl Canary {
    /// Plants a tree that looks like what runtimes write to: directories and files with the names
    /// of a root filesystem, a file that nobody but its owner may read, and an empty directory.
    pub(crate) fn plant(bundle: &Bundle) -> Self {
        let root = bundle.file("canary");
        for directory in ["dev/pts", "proc/self/attr", "proc/self/fd", "sys", "empty"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for file in ["file", "dev/null", "dev/console", "proc/self/attr/exec"] {
            fs::write(root.join(file), "as it was").unwrap();
        }
        fs::set_permissions(root.join("file"), fs::Permissions::from_mode(0o600)).unwrap();
        let before = snapshot(&root);
        Canary { root, before }
    }

    /// Nothing was made, removed, written, or given another mode or owner, and nothing is mounted.
    #[track_caller]
    pub(crate) fn is_untouched(&self, after: &str) {
        assert_eq!(snapshot(&self.root), self.before, "{after}");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let root = self.root.to_str().unwrap();
        assert!(!mounts.contains(root), "{after}: {mounts}");
    }
}

/// Every file below a directory with all that could be changed of it.
fn snapshot(directory: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(path) = pending.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        if found.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            pending.extend(entries.map(|entry| entry.unwrap().path()));
        }
        // A device that an attack has made might have no end.
        let content = match found.is_file() {
            true => fs::read_to_string(&path).unwrap(),
            false => String::new(),
        };
        lines.push(format!(
            "{} {:o} {}:{} {:x} {content:?}",
            path.display(),
            found.mode(),
            found.uid(),
            found.gid(),
            found.rdev(),
        ));
    }
    lines.sort();
    lines
}

//! What the cases about mounts mount: directories of the bundle, and trees with mounts in them.

use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use oci_probe::{Line, Mount, World};
use serde_json::{Value, json};

use crate::trial::{Stop, Trial, quote};

/// A directory in the bundle, beside the rootfs, with a file `here` that holds its name.
pub(in crate::cases) fn directory(trial: &Trial<'_>, name: &str) -> Result<PathBuf, Stop> {
    let path = trial.directory.join(name);
    make(&path)?;
    put(&path.join("here"), name)?;
    Ok(path)
}

/// As [`directory`], but a mount, with another at `sub` that holds a file `below` and has these
/// flags. Both are in the mount namespace that the trial has for itself, and go with it.
///
/// It is a mount of its own, since runtimes make the one that holds the root file system private.
pub(in crate::cases) fn tree(
    trial: &mut Trial<'_>,
    name: &str,
    flags: MsFlags,
) -> Result<PathBuf, Stop> {
    // The keeper is pid 1 of its pid namespace, or has no namespaces at all: there, a mount would
    // be the host's.
    if std::process::id() != 1 {
        return Err(Stop::Inapplicable("a mount namespace for the trial".into()));
    }
    let path = trial.directory.join(name);
    make(&path)?;
    attach(trial, &path, MsFlags::empty())?;
    directory(trial, name)?;
    let sub = path.join("sub");
    make(&sub)?;
    attach(trial, &sub, MsFlags::empty())?;
    put(&sub.join("below"), name)?;
    if !flags.is_empty() {
        // MS_BIND keeps it to the mount: a recursive option cannot undo what the superblock has.
        attach(trial, &sub, flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND)?;
    }
    trial.rebase();
    Ok(path)
}

fn attach(trial: &mut Trial<'_>, target: &Path, flags: MsFlags) -> Result<(), Stop> {
    let data: Option<&str> = None;
    mount(Some("source"), target, Some("tmpfs"), flags, data).map_err(|errno| {
        Stop::Inapplicable(format!(
            "mount(\"source\", {target:?}, \"tmpfs\", {flags:?}): {errno}"
        ))
    })?;
    let target = quote(&target.display().to_string());
    if flags.is_empty() {
        trial.by_hand(format!("mount -t tmpfs source {target}"));
    } else {
        let names: Vec<&str> = RESTRICTIONS
            .iter()
            .filter(|(flag, _)| flags.contains(*flag))
            .map(|(_, name)| *name)
            .collect();
        trial.by_hand(format!(
            "mount -o remount,bind,{} {target}",
            names.join(",")
        ));
    }
    Ok(())
}

/// Flags that a tree's inner mount may have, with their names in mount(8).
const RESTRICTIONS: [(MsFlags, &str); 8] = [
    (MsFlags::MS_RDONLY, "ro"),
    (MsFlags::MS_NOSUID, "nosuid"),
    (MsFlags::MS_NODEV, "nodev"),
    (MsFlags::MS_NOEXEC, "noexec"),
    (MsFlags::MS_NOATIME, "noatime"),
    (MsFlags::MS_NODIRATIME, "nodiratime"),
    (MsFlags::MS_STRICTATIME, "strictatime"),
    (NOSYMFOLLOW, "nosymfollow"),
];

/// `MS_NOSYMFOLLOW` of mount(2), which the library does not name.
pub(in crate::cases) const NOSYMFOLLOW: MsFlags = MsFlags::from_bits_retain(256);

/// Makes a directory and those above it.
pub(in crate::cases) fn make(path: &Path) -> Result<(), Stop> {
    std::fs::create_dir_all(path)
        .map_err(|error| Stop::Broken(format!("mkdir {}: {error}", path.display())))
}

/// Writes a file.
pub(in crate::cases) fn put(path: &Path, text: &str) -> Result<(), Stop> {
    std::fs::write(path, text)
        .map_err(|error| Stop::Broken(format!("write {}: {error}", path.display())))
}

/// The mount that is seen at a path: the last one there.
pub(in crate::cases) fn mount_at<'w>(world: &'w World, point: &str) -> Option<&'w Mount> {
    world
        .mounts
        .iter()
        .flatten()
        .rev()
        .find(|mount| mount.mount_point == point)
}

/// What the verb `read` found: the text, or the errno's name.
pub(in crate::cases) fn text(line: &Line) -> Value {
    match &line.errno {
        Some(errno) => json!({"errno": errno}),
        None => line.value["text"].clone(),
    }
}

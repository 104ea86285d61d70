//! Attacks on the runtime by an image or a configuration: what the container must not reach.
//!
//! Each attack works on a runtime that takes no care, and is harmless to the host: what it could
//! change lies in the trial's own directory, in `outside`, beside the bundles. A runtime may refuse
//! the container, or run it confined; every case says so by [`dare`].

mod cgroups;
mod exec;
mod files;
mod kernel_files;
mod links;
mod names;
mod privileges;
mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oci_probe::{Line, World};
use serde_json::{Value, json};

use super::mounts::source::{make, put};
use crate::trial::{Stop, Trial};

pub(super) use self::cgroups::CASES as CGROUP_CASES;
pub(super) use self::exec::CASES as EXEC_CASES;
pub(super) use self::files::CASES as FILE_CASES;
pub(super) use self::kernel_files::CASES as KERNEL_FILE_CASES;
pub(super) use self::links::CASES as LINK_CASES;
pub(super) use self::names::CASES as NAME_CASES;
pub(super) use self::privileges::CASES as PRIVILEGE_CASES;
pub(super) use self::process::CASES as PROCESS_CASES;

/// Creates and starts the current container and lets it end: its report, or `None` if the runtime
/// refused it, which is as good.
fn dare(trial: &mut Trial<'_>) -> Result<Option<Vec<Line>>, Stop> {
    if !trial.create()?.succeeded() {
        return Ok(None);
    }
    if !trial.start()?.succeeded() {
        trial.give_up()?;
        return Ok(None);
    }
    trial.wait_exit()?;
    let lines = trial.report()?;
    trial.must_delete()?;
    Ok(Some(lines))
}

/// What `observe` found, if the container came to it.
fn world(lines: &[Line]) -> Option<World> {
    let line = lines.iter().find(|line| line.verb == "observe")?;
    serde_json::from_value(line.value.clone()).ok()
}

/// What a verb found, for a container that may have been refused: the word `refused`, the text or
/// errno of `read`, or `nothing told`.
fn seen(lines: Option<&[Line]>, verb: &str, path: &str) -> Value {
    let Some(lines) = lines else {
        return json!("refused");
    };
    match lines
        .iter()
        .find(|line| line.verb == verb && line.args.first().is_some_and(|arg| arg == path))
    {
        None => json!("nothing told"),
        Some(Line {
            errno: Some(errno), ..
        }) => json!({"errno": errno}),
        Some(line) => line.value["text"].clone(),
    }
}

/// The directory that no container may reach, with a file `kept` that holds `kept`.
fn outside(trial: &Trial<'_>) -> Result<PathBuf, Stop> {
    let path = trial.directory().join("outside");
    make(&path)?;
    put(&path.join("kept"), "kept")?;
    Ok(path)
}

/// What [`outside`] must still hold when the attack is over.
fn untouched() -> Value {
    json!({"kept": "kept"})
}

/// Names and contents below a directory, as the trial's mount namespace shows them.
fn contents(directory: &Path) -> Value {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let value = match entry.file_type() {
            Ok(kind) if kind.is_dir() => contents(&entry.path()),
            Ok(kind) if kind.is_file() => {
                json!(std::fs::read_to_string(entry.path()).unwrap_or_default())
            }
            Ok(kind) if kind.is_symlink() => json!("(symlink)"),
            Ok(_) => json!("(special file)"),
            Err(error) => json!(error.to_string()),
        };
        found.insert(name, value);
    }
    json!(found)
}

/// A symbolic link in a root file system that leads to a place outside of it for whoever follows it
/// from there, and to a place inside for whoever is confined to it.
struct Lure {
    name: &'static str,
    target: String,
    /// What the target is for a process in the container.
    inside: PathBuf,
}

/// Runs an attack with each kind of link to a path outside, in a container of its own.
fn for_each_lure(
    trial: &mut Trial<'_>,
    outside: &Path,
    mut attack: impl FnMut(&mut Trial<'_>, &Lure) -> Result<(), Stop>,
) -> Result<(), Stop> {
    for (number, lure) in lures(trial, outside).iter().enumerate() {
        if number > 0 {
            trial.another()?;
        }
        attack(trial, lure)?;
    }
    Ok(())
}

/// A link to a directory outside by each kind of path, from the top of the root file system.
fn lures(trial: &Trial<'_>, outside: &Path) -> [Lure; 3] {
    let absolute = outside.display().to_string();
    let name = outside.strip_prefix(trial.directory()).unwrap_or(outside);
    [
        Lure {
            name: "relative",
            // rootfs, bundle, trial.
            target: format!("../../{}", name.display()),
            inside: Path::new("/").join(name),
        },
        Lure {
            name: "absolute",
            target: absolute.clone(),
            inside: outside.to_owned(),
        },
        Lure {
            name: "climbing",
            target: format!("{}{absolute}", "../".repeat(40).trim_end_matches('/')),
            inside: outside.to_owned(),
        },
    ]
}

impl Lure {
    /// Replaces what is at `place` in the root file system by the link, and makes the directory
    /// that it means inside.
    fn lay(&self, rootfs: &Path, place: &str) -> Result<(), Stop> {
        make(&inside(rootfs, &self.inside))?;
        link(&self.target, &rootfs.join(place))
    }
}

/// A path of the container on the host.
fn inside(rootfs: &Path, path: &Path) -> PathBuf {
    rootfs.join(path.strip_prefix("/").unwrap_or(path))
}

/// Makes a symbolic link, in the place of an empty directory if there is one.
fn link(target: &str, path: &Path) -> Result<(), Stop> {
    let _ = std::fs::remove_dir(path);
    std::os::unix::fs::symlink(target, path)
        .map_err(|error| Stop::Broken(format!("symlink({target:?}, {path:?}): {error}")))
}

//! A drawn configuration as a trial: the container is made, what must be seen is looked for.

use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;

use serde_json::{Value, json};

use super::Task;
use super::draw;
use super::model::{self, Around, Expectation, Find, Must, Seen};
use super::surface::SOURCES;
use crate::trial::{Stop, Trial, quote};

/// Files and directories of the root that parts are about, with what they hold; a directory ends
/// in a slash.
const FURNITURE: &[(&str, &str)] = &[
    ("data/secret", "the secret"),
    ("data/vault/key", "the secret"),
    ("data/deep/er/secret", "the secret"),
    ("data/open", "as it was"),
    ("data/shelf/book", "as it was"),
    ("places/a/", ""),
    ("places/b/", ""),
];

/// Runs what the trial's task has drawn.
pub(super) fn run(trial: &mut Trial) -> Result<(), Stop> {
    let Some(Task::Config(parts)) = trial.task().cloned() else {
        return Err(Stop::Broken("no configuration was drawn".into()));
    };
    furnish(trial)?;
    let directory = trial.directory.display().to_string();
    draw::apply(&mut trial.config, &parts, &directory);
    give_to_mapped_root(trial)?;

    let around = Around {
        host: trial.host(),
        judged: trial.judged(),
        shared_kernel: trial.profile().shared_kernel,
    };
    let asked = model::expectations(&trial.config, &around);
    let stays = trial.config.pointer("/linux/resources").is_some();
    let mut config = trial.config.clone();
    model::ask(&mut config, &asked, stays);
    let expected = model::expectations(&config, &around);
    trial.config = config;

    let seen = observe(trial, &expected, stays)?;
    for expectation in &expected {
        judge(trial, expectation, &seen)?;
    }
    Ok(())
}

fn judge(trial: &mut Trial, expectation: &Expectation, seen: &Seen) -> Result<(), Stop> {
    let Expectation {
        clause,
        what,
        find,
        must,
    } = expectation;
    let found = seen.find(find);
    match must {
        Must::Be(value) => trial.expect_in(clause, what, value, found),
        must => {
            let says = format!("{what}: {}", must.words());
            trial.expect_that(clause, must.holds(&found), says, found)
        }
    }
}

/// Takes the container through its life and collects what shows of it.
fn observe(trial: &mut Trial, expected: &[Expectation], stays: bool) -> Result<Seen, Stop> {
    let own = std::fs::read_dir("/proc/self/ns")
        .into_iter()
        .flatten()
        .flatten();
    let own = own.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let target = std::fs::read_link(entry.path()).ok()?;
        let inode = target
            .to_string_lossy()
            .split(['[', ']'])
            .nth(1)?
            .parse()
            .ok()?;
        Some((name, inode))
    });
    let mut seen = Seen {
        own: own.collect(),
        ..Seen::default()
    };
    trial.must_create()?;
    if expected.iter().any(|e| matches!(e.find, Find::State(_))) {
        seen.state = trial.state()?.document.unwrap_or_default();
    }
    trial.must_start()?;
    if stays {
        trial.wait_ready()?;
        for expectation in expected {
            if let Find::Cgroup(controller, files) = &expectation.find
                && let Some(directory) = trial.cgroup_of(controller)
            {
                for file in files {
                    let path = directory.join(file);
                    if path.exists() {
                        let key = ((*controller).to_owned(), (*file).to_owned());
                        seen.cgroup.insert(key, crate::host::read(path));
                    }
                }
            }
        }
    } else {
        trial.wait_exit()?;
    }
    seen.world = trial.world()?;
    seen.lines = trial.report()?;
    match stays {
        true => trial.finish()?,
        false => trial.must_delete()?,
    }
    seen.world_json = serde_json::to_value(&seen.world).unwrap_or_default();
    seen.hooks = trial.hook_records()?;
    Ok(seen)
}

/// Puts into the bundle what parts are about; every bundle has all of it.
fn furnish(trial: &mut Trial) -> Result<(), Stop> {
    for (path, text) in FURNITURE {
        put(&trial.rootfs().join(path), text)?;
    }
    for name in SOURCES {
        put(&trial.directory.join(name).join("here"), name)?;
    }
    trial.write_config()
}

fn put(path: &Path, text: &str) -> Result<(), Stop> {
    let broken = |error| Stop::Broken(format!("write {}: {error}", path.display()));
    if path.to_string_lossy().ends_with('/') {
        return std::fs::create_dir_all(path).map_err(broken);
    }
    std::fs::create_dir_all(path.parent().unwrap_or(path)).map_err(broken)?;
    std::fs::write(path, text).map_err(broken)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).map_err(broken)
}

/// A root that belongs to nobody in the container would make every runtime fail.
fn give_to_mapped_root(trial: &mut Trial) -> Result<(), Stop> {
    if !trial.host().root() || draw::namespace(&trial.config, "user").is_none() {
        return Ok(());
    }
    let first = |property: &str| {
        let entries = trial.config.pointer(&format!("/linux/{property}"));
        let entries = entries.and_then(Value::as_array);
        let zero = entries
            .into_iter()
            .flatten()
            .find(|entry| entry["containerID"] == json!(0));
        zero.and_then(|entry| entry["hostID"].as_u64()).unwrap_or(0) as u32
    };
    let (uid, gid) = (first("uidMappings"), first("gidMappings"));
    let rootfs = trial.rootfs();
    trial.by_hand(format!(
        "chown -R {uid}:{gid} {}",
        quote(&rootfs.display().to_string())
    ));
    chown_tree(&rootfs, uid, gid)
}

fn chown_tree(path: &Path, uid: u32, gid: u32) -> Result<(), Stop> {
    let broken = |error| Stop::Broken(format!("lchown({path:?}, {uid}, {gid}): {error}"));
    lchown(path, Some(uid), Some(gid)).map_err(broken)?;
    if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        for entry in std::fs::read_dir(path).map_err(broken)?.flatten() {
            chown_tree(&entry.path(), uid, gid)?;
        }
    }
    Ok(())
}

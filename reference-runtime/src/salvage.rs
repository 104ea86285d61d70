//! Deleting a container whose `state.json` cannot be read: by what can still be
//! read of it, and else by the configuration that stands beside it.

use crate::cgroup::{self, Placement};
use crate::delete;
use crate::document::Node;
use crate::error::{Error, Result};
use crate::log;
use crate::state::is_alive;
use crate::store::{Entry, Made, Process};
use crate::sys::process;
use crate::{intel_rdt, previous_limits, root, start};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::os::fd::AsFd;

/// Ends and removes whatever is found, and the container's directory last.
pub(crate) fn delete(entry: &Entry, damage: &Error) -> Result<()> {
    log::warning(&format!("{damage}: deleting what can be found"));
    let record = entry.read_damaged().unwrap_or_default();
    let placement: Placement = match part(&record, "cgroup") {
        Some(placement) => placement,
        None => configured(entry).unwrap_or_else(|error| {
            log::warning(&format!(
                "the cgroups of the container cannot be found: {error}"
            ));
            Placement::default()
        }),
    };
    if placement.is_frozen() {
        placement.thaw()?;
    }
    if let Some(process) = part::<Process>(&record, "process")
        && let Ok(pidfd) = process::pidfd_open(process.pid)
        && is_alive(process)?
    {
        delete::end(pidfd.as_fd(), process)?;
    }
    start::end_abandoned(entry)?;
    placement.remove()?;
    if let Some(made) = part::<Made>(&record, "made") {
        previous_limits::restore(&made.found_limits)?;
        for directory in made.resctrl.iter().rev() {
            intel_rdt::remove(directory)?;
        }
        if let Some(shared) = &made.shared_mount {
            root::detach_shared(shared)?;
        }
    }
    entry.remove_all()
}

/// A member of the record that is still what it should be.
fn part<T: DeserializeOwned>(record: &Value, name: &str) -> Option<T> {
    serde_json::from_value(record.get(name)?.clone()).ok()
}

/// The groups that the configuration asks for. Since create refuses one in which somebody is,
/// whoever is in them now belongs to the container.
fn configured(entry: &Entry) -> Result<Placement> {
    let config: Value = serde_json::from_slice(&entry.read_config()?)
        .map_err(|error| Error::new(format!("config.json: {error}")))?;
    let linux = Node::root(&config)?.object("linux")?;
    let mut placement = cgroup::Plan::new(linux.as_ref(), &[], entry.id())?.placement();
    for group in &mut placement.groups {
        group.made = vec![group.path.clone()];
    }
    placement.groups.retain(|group| group.path.is_dir());
    Ok(placement)
}

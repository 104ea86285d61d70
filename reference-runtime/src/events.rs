//! `events`: what a container uses, and word of its running out of memory.
//!
//! One JSON object a line, in the form that engines know from runc.

mod stats;

use crate::cgroup::{Group, Placement};
use crate::error::{CallContext, Error, Result};
use crate::output;
use crate::state::{Container, Status};
use crate::store::Store;
use crate::sys::files::{self, O_RDONLY, cwd};
use crate::sys::{notification, process};
use serde_json::{Value, json};
use std::cell::Cell;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The command. Without an interval it reports once, else until the container has ended.
pub(crate) fn events(store: &Store, id: &str, interval: Option<Duration>) -> Result<()> {
    let container = Container::load(store.open(id)?)?;
    if !matches!(
        container.status,
        Status::Created | Status::Running | Status::Paused
    ) {
        return Err(container.not_running());
    }
    let report = || tell(id, "stats", Some(stats::collect(&container)));
    let Some(interval) = interval else {
        return report().map(drop);
    };
    let pidfd = container.pidfd()?;
    let memory = OutOfMemory::watch(&container.record.cgroup)?;
    let mut next = Instant::now() + interval;
    loop {
        let mut watched = vec![pidfd.as_fd()];
        watched.extend(memory.as_ref().map(|memory| memory.descriptor.as_fd()));
        let ready = process::wait_any(&watched, Some(next)).call(|| "poll()")?;
        let mut heard = true;
        if let (Some(true), Some(memory)) = (ready.get(1), &memory)
            && memory.has_happened()?
        {
            heard = tell(id, "oom", None)?;
        }
        if !heard || ready[0] {
            return Ok(());
        }
        if Instant::now() >= next {
            if !report()? {
                return Ok(());
            }
            next += interval;
        }
    }
}

/// Writes one event. False if nobody reads any more.
fn tell(id: &str, kind: &str, data: Option<Value>) -> Result<bool> {
    let mut event = json!({"type": kind, "id": id});
    if let Some(data) = data {
        event["data"] = data;
    }
    output::line(event)
}

/// The kernel's word that a group has run out of memory.
struct OutOfMemory {
    /// Readable when there is something new.
    descriptor: OwnedFd,
    /// What is watched.
    path: PathBuf,
    /// Version 2 counts in the file; the last known count.
    count: Option<Cell<u64>>,
    /// Version 1 tells as long as this is open.
    _control: Option<OwnedFd>,
}

impl OutOfMemory {
    /// None if the container has no memory group of its own.
    fn watch(placement: &Placement) -> Result<Option<Self>> {
        if let Some(group) = placement.with("memory", false) {
            return Self::watch_v1(group).map(Some);
        }
        let Some(group) = placement.unified() else {
            return Ok(None);
        };
        let path = group.path.join("memory.events");
        if !path.exists() {
            return Ok(None);
        }
        let descriptor = notification::watch_modifications(path.as_os_str())
            .call(|| format!("inotify_add_watch({path:?})"))?;
        Ok(Some(OutOfMemory {
            descriptor,
            count: Some(Cell::new(killed(&path))),
            path,
            _control: None,
        }))
    }

    fn watch_v1(group: &Group) -> Result<Self> {
        let path = group.path.join("memory.oom_control");
        let control = files::openat(cwd(), path.as_os_str(), O_RDONLY, 0)
            .call(|| format!("open({path:?})"))?;
        let descriptor = notification::event_counter().call(|| "eventfd()")?;
        let line = format!("{} {}", descriptor.as_raw_fd(), control.as_raw_fd());
        group.write("cgroup.event_control", &line)?;
        Ok(OutOfMemory {
            descriptor,
            path,
            count: None,
            _control: Some(control),
        })
    }

    /// Whether what the descriptor told is that a process was killed. Version 1 also tells that
    /// the group is removed, which is the end and no event.
    fn has_happened(&self) -> Result<bool> {
        notification::take(self.descriptor.as_fd()).call(|| "read(out of memory)")?;
        match &self.count {
            Some(known) => {
                let count = killed(&self.path);
                Ok(count > known.replace(count))
            }
            None => Ok(self.path.exists()),
        }
    }
}

/// How many processes the kernel has killed in a group of version 2.
fn killed(events: &Path) -> u64 {
    let text = fs::read_to_string(events).unwrap_or_default();
    stats::flat(&text).get("oom_kill").copied().unwrap_or(0)
}

/// A duration as Go writes it: numbers with units, such as `5s`, `500ms` or `1m30s`.
pub(crate) fn parse_interval(text: &str) -> std::result::Result<Duration, String> {
    const UNITS: &[(&str, f64)] = &[
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or("a unit is missing, such as s or ms")?;
        let number: f64 = rest[..digits].parse().map_err(|_| "not a duration")?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let (_, factor) = UNITS
            .iter()
            .find(|(name, _)| *name == &rest[..unit])
            .ok_or("an unknown unit")?;
        seconds += number * factor;
        rest = &rest[unit..];
    }
    match Duration::try_from_secs_f64(seconds) {
        // Or the report would never end.
        Ok(interval) if interval >= Duration::from_millis(1) => Ok(interval),
        Ok(_) => Err("must be a millisecond at least".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Container {
    /// Why a command that needs processes has none.
    pub(crate) fn not_running(&self) -> Error {
        Error::new(format!(
            "container not running: it is {}",
            self.status.name()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_units() {
        assert_eq!(parse_interval("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_interval("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_interval("0.5s"), Ok(Duration::from_millis(500)));
        for bad in ["", "5", "0s", "-1s", "1x", "s", "1.2.3s", "1e400s"] {
            assert!(parse_interval(bad).is_err(), "{bad}");
        }
    }
}

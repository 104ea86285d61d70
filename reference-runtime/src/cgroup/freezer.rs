//! Pausing and resuming: the freezer of version 1, and `cgroup.freeze` of version 2.

use super::{Group, Placement, events};
use crate::error::{CallContext, Error, Result};
use crate::limited_file;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long the processes may take to stop.
const PATIENCE: Duration = Duration::from_secs(10);

impl Placement {
    /// Whether the container is paused.
    pub(crate) fn is_frozen(&self) -> bool {
        self.groups.iter().any(Group::is_frozen)
    }

    /// Lets a paused container go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        self.set_frozen(false)
    }

    /// Stops or continues every process of the container. When it returns they have stopped.
    pub(crate) fn set_frozen(&self, frozen: bool) -> Result<()> {
        let group = self
            .with("freezer", false)
            .or_else(|| self.unified())
            .ok_or_else(|| Error::new("the container has no freezer cgroup"))?;
        group.set_frozen(frozen)
    }
}

impl Group {
    pub(super) fn is_frozen(&self) -> bool {
        let reads = |file: &str| limited_file::read_kernel(self.path.join(file));
        if self.v2 {
            return reads("cgroup.freeze").is_ok_and(|text| text.trim() == "1");
        }
        self.has("freezer") && reads("freezer.state").is_ok_and(|text| text.trim() != "THAWED")
    }

    fn set_frozen(&self, frozen: bool) -> Result<()> {
        let (file, value) = match (self.v2, frozen) {
            (true, true) => ("cgroup.freeze", "1"),
            (true, false) => ("cgroup.freeze", "0"),
            (false, true) => ("freezer.state", "FROZEN"),
            (false, false) => ("freezer.state", "THAWED"),
        };
        self.write(file, value)?;
        if !frozen || self.await_frozen()? {
            return Ok(());
        }
        // Not half: who stands still would wait for nobody.
        self.set_frozen(false)?;
        Err(Error::new(format!(
            "the processes in cgroup {:?} did not stop in {} seconds",
            self.path,
            PATIENCE.as_secs()
        )))
    }

    /// Waits until every process has stopped. False if some did not in time.
    fn await_frozen(&self) -> Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        if self.v2 {
            return events::await_value(self, "frozen", true, deadline);
        }
        // Version 1 tells nobody: whoever reads the state lets the kernel look again.
        let path = self.path.join("freezer.state");
        loop {
            let state = fs::read_to_string(&path).call(|| format!("read({path:?})"))?;
            match state.trim() {
                "FREEZING" if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
                state => return Ok(state == "FROZEN"),
            }
        }
    }
}

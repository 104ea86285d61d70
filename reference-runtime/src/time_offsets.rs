//! `linux.timeOffsets`.

use crate::document::Node;
use crate::error::{Error, PlaceContext, Result};
use crate::namespaces::Namespaces;
use crate::procfs::Procfs;
use crate::sys::process::CLONE_NEWTIME;

/// The clocks that a time namespace shifts.
const CLOCKS: &[&str] = &["monotonic", "boottime"];

/// Reads the property as the lines of /proc/self/timens_offsets.
pub(crate) fn plan(linux: Option<&Node<'_>>, namespaces: &Namespaces) -> Result<String> {
    let mut lines = String::new();
    let Some(linux) = linux else { return Ok(lines) };
    for (clock, offset) in linux.object_map("timeOffsets")? {
        if !CLOCKS.contains(&clock) {
            return Err(Error::new(format!("unknown clock {clock:?}")).at(offset.pointer()));
        }
        let secs = offset.integer::<i64>("secs")?.unwrap_or(0);
        let nanosecs = offset.integer::<u32>("nanosecs")?.unwrap_or(0);
        if nanosecs > 999_999_999 {
            return Err(offset.error("nanosecs", format!("{nanosecs} is a second or more")));
        }
        lines.push_str(&format!("{clock} {secs} {nanosecs}\n"));
    }
    if !lines.is_empty() && namespaces.new & CLONE_NEWTIME == 0 {
        return Err(linux.error("timeOffsets", "needs a new time namespace"));
    }
    Ok(lines)
}

/// Writes the offsets for the time namespace that the caller's next child will be in.
pub(crate) fn write(lines: &str, procfs: &Procfs) -> Result<()> {
    procfs
        .write("self/timens_offsets", lines)
        .at("/linux/timeOffsets")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn lines(offsets: Value, new: u64) -> Result<String> {
        let linux = json!({ "timeOffsets": offsets });
        plan(
            Some(&Node::root(&linux).unwrap()),
            &Namespaces {
                new,
                joined: Vec::new(),
            },
        )
    }

    #[test]
    fn offsets_need_a_clock_and_a_namespace() {
        let offsets = json!({"monotonic": {"secs": -1, "nanosecs": 5}, "boottime": {}});
        assert_eq!(
            lines(offsets.clone(), CLONE_NEWTIME).unwrap(),
            "monotonic -1 5\nboottime 0 0\n"
        );
        assert_eq!(
            lines(offsets, 0).unwrap_err().to_string(),
            "/timeOffsets: needs a new time namespace"
        );
        assert!(
            lines(json!({"realtime": {}}), CLONE_NEWTIME)
                .unwrap_err()
                .to_string()
                .contains("unknown clock")
        );
        assert!(
            lines(
                json!({"monotonic": {"nanosecs": 1_000_000_000}}),
                CLONE_NEWTIME
            )
            .is_err()
        );
    }
}

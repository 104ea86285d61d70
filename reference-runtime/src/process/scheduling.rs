//! `process.scheduler`, `process.ioPriority` and lists of CPUs and memory nodes.

use crate::document::Node;
use crate::error::{CallContext, PlaceContext, Result};
use crate::sys::process::{self, SchedAttr};

const POLICIES: &[(&str, u32)] = &[
    ("SCHED_OTHER", 0),
    ("SCHED_FIFO", 1),
    ("SCHED_RR", 2),
    ("SCHED_BATCH", 3),
    ("SCHED_ISO", 4),
    ("SCHED_IDLE", 5),
    ("SCHED_DEADLINE", 6),
];

const FLAGS: &[(&str, u64)] = &[
    ("SCHED_FLAG_RESET_ON_FORK", 0x01),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

const IO_CLASSES: &[(&str, u32)] = &[
    ("IOPRIO_CLASS_RT", 1),
    ("IOPRIO_CLASS_BE", 2),
    ("IOPRIO_CLASS_IDLE", 3),
];

/// The arguments of sched_setattr(2).
#[derive(Debug, Clone)]
pub(crate) struct Scheduler {
    attributes: SchedAttr,
    pointer: String,
}

impl Scheduler {
    /// Reads the property of a process.
    pub(crate) fn plan(process: &Node<'_>) -> Result<Option<Self>> {
        let Some(node) = process.object("scheduler")? else {
            return Ok(None);
        };
        let name = node.required("policy", node.string("policy")?)?;
        let Some(&(_, policy)) = POLICIES.iter().find(|(known, _)| *known == name) else {
            return Err(node.error("policy", format!("unknown scheduling policy {name:?}")));
        };
        let mut flags = 0;
        for name in node.strings("flags")?.unwrap_or_default() {
            let Some((_, flag)) = FLAGS.iter().find(|(known, _)| *known == name) else {
                return Err(node.error("flags", format!("unknown scheduling flag {name:?}")));
            };
            flags |= flag;
        }
        let priority = node.integer::<i32>("priority")?.unwrap_or(0);
        let attributes = SchedAttr {
            policy,
            flags,
            nice: node.integer("nice")?.unwrap_or(0),
            priority: u32::try_from(priority)
                .map_err(|_| node.error("priority", "must not be negative"))?,
            runtime: node.integer("runtime")?.unwrap_or(0),
            deadline: node.integer("deadline")?.unwrap_or(0),
            period: node.integer("period")?.unwrap_or(0),
            ..SchedAttr::default()
        };
        Ok(Some(Scheduler {
            attributes,
            pointer: node.pointer(),
        }))
    }

    /// Applies it to this process.
    pub(crate) fn apply(&self) -> Result<()> {
        process::sched_setattr(&self.attributes)
            .call(|| format!("sched_setattr({:?})", self.attributes))
            .at(&self.pointer)
    }
}

/// The arguments of ioprio_set(2).
#[derive(Debug, Clone)]
pub(crate) struct IoPriority {
    class: u32,
    level: u32,
    pointer: String,
}

impl IoPriority {
    /// Reads the property of a process.
    pub(crate) fn plan(process: &Node<'_>) -> Result<Option<Self>> {
        let Some(node) = process.object("ioPriority")? else {
            return Ok(None);
        };
        let name = node.required("class", node.string("class")?)?;
        let Some(&(_, class)) = IO_CLASSES.iter().find(|(known, _)| *known == name) else {
            return Err(node.error("class", format!("unknown I/O scheduling class {name:?}")));
        };
        let level = node.required("priority", node.integer::<i64>("priority")?)?;
        let level = u32::try_from(level).ok().filter(|level| *level <= 7);
        let level = level.ok_or_else(|| node.error("priority", "must be from 0 to 7"))?;
        Ok(Some(IoPriority {
            class,
            level,
            pointer: node.pointer(),
        }))
    }

    /// Applies it to this process.
    pub(crate) fn apply(&self) -> Result<()> {
        process::ioprio_set(self.class, self.level)
            .call(|| format!("ioprio_set(class {}, level {})", self.class, self.level))
            .at(&self.pointer)
    }
}

/// The bits of a list such as `0-3,7`; None if it is no such list.
pub(crate) fn bit_mask(list: &str) -> Option<Vec<u64>> {
    /// No kernel has more CPUs or nodes than this, and no list may allocate the memory of one that had.
    const HIGHEST: usize = 65_535;
    let mut mask = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            text.trim()
                .parse::<usize>()
                .ok()
                .filter(|number| *number <= HIGHEST)
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        if mask.len() <= last / 64 {
            mask.resize(last / 64 + 1, 0);
        }
        for bit in first..=last {
            mask[bit / 64] |= 1 << (bit % 64);
        }
    }
    Some(mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_of_cpus_are_bits() {
        assert_eq!(bit_mask("0-3,7"), Some(vec![0b1000_1111]));
        assert_eq!(bit_mask("64"), Some(vec![0, 1]));
        for wrong in ["", "a", "3-1", "1,", "99999999999", "-1"] {
            assert_eq!(bit_mask(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_are_checked() {
        let plan = |value| Scheduler::plan(&Node::root(&json!({ "scheduler": value })).unwrap());
        assert!(plan(json!({"policy": "SCHED_X"})).is_err());
        assert!(plan(json!({"policy": "SCHED_BATCH", "flags": ["X"]})).is_err());
        let batch = plan(
            json!({"policy": "SCHED_BATCH", "nice": 5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}),
        )
        .unwrap()
        .unwrap();
        assert_eq!(
            (
                batch.attributes.policy,
                batch.attributes.nice,
                batch.attributes.flags
            ),
            (3, 5, 1)
        );
        let io = |value| IoPriority::plan(&Node::root(&json!({ "ioPriority": value })).unwrap());
        assert_eq!(
            io(json!({"class": "IOPRIO_CLASS_BE"}))
                .unwrap_err()
                .to_string(),
            "/ioPriority/priority: is required"
        );
        assert!(io(json!({"class": "IOPRIO_CLASS_BE", "priority": 8})).is_err());
    }
}

//! Resources: config-linux.md, Control groups. A row a property, with the file that tells of it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Row;
use crate::case::Need;
use crate::explore::draw::{Edit, Part};
use crate::host::Host;

/// Where a property ends up.
pub(in crate::explore) struct Limit {
    /// Its pointer below `/linux/resources`.
    pub(in crate::explore) at: &'static str,
    /// Its clause.
    pub(in crate::explore) clause: &'static str,
    /// Its controller.
    pub(in crate::explore) controller: &'static str,
    /// Files of v1, of which the first that exists counts; empty if v1 has no such thing.
    pub(in crate::explore) v1: &'static [&'static str],
    /// The file of v2 that has the number itself, if there is one.
    pub(in crate::explore) v2: Option<&'static str>,
}

/// Properties that are one number in one file.
pub(in crate::explore) const LIMITS: &[Limit] = &[
    Limit {
        at: "/pids/limit",
        clause: "config-linux.resources.pids.limit.effect",
        controller: "pids",
        v1: &["pids.max"],
        v2: Some("pids.max"),
    },
    Limit {
        at: "/memory/limit",
        clause: "config-linux.resources.memory.limit.effect",
        controller: "memory",
        v1: &["memory.limit_in_bytes"],
        v2: Some("memory.max"),
    },
    Limit {
        at: "/memory/reservation",
        clause: "config-linux.resources.memory.reservation.effect",
        controller: "memory",
        v1: &["memory.soft_limit_in_bytes"],
        v2: Some("memory.low"),
    },
    Limit {
        at: "/memory/swappiness",
        clause: "config-linux.resources.memory.swappiness.effect",
        controller: "memory",
        v1: &["memory.swappiness"],
        v2: None,
    },
    Limit {
        at: "/cpu/shares",
        clause: "config-linux.resources.cpu.shares.effect",
        controller: "cpu",
        v1: &["cpu.shares"],
        v2: None,
    },
    Limit {
        at: "/cpu/quota",
        clause: "config-linux.resources.cpu.quota.effect",
        controller: "cpu",
        v1: &["cpu.cfs_quota_us"],
        v2: None,
    },
    Limit {
        at: "/cpu/period",
        clause: "config-linux.resources.cpu.period.effect",
        controller: "cpu",
        v1: &["cpu.cfs_period_us"],
        v2: None,
    },
    Limit {
        at: "/cpu/burst",
        clause: "config-linux.resources.cpu.burst.effect",
        controller: "cpu",
        v1: &["cpu.cfs_burst_us"],
        v2: Some("cpu.max.burst"),
    },
    Limit {
        at: "/cpu/idle",
        clause: "config-linux.resources.cpu.idle.effect",
        controller: "cpu",
        v1: &["cpu.idle"],
        v2: Some("cpu.idle"),
    },
    Limit {
        at: "/cpu/cpus",
        clause: "config-linux.resources.cpu.cpus.effect",
        controller: "cpuset",
        v1: &["cpuset.cpus"],
        v2: Some("cpuset.cpus"),
    },
    Limit {
        at: "/cpu/mems",
        clause: "config-linux.resources.cpu.mems.effect",
        controller: "cpuset",
        v1: &["cpuset.mems"],
        v2: Some("cpuset.mems"),
    },
    Limit {
        at: "/blockIO/weight",
        clause: "config-linux.resources.blockIO.weight.effect",
        controller: "blkio",
        v1: &["blkio.weight", "blkio.bfq.weight"],
        v2: None,
    },
    Limit {
        at: "/network/classID",
        clause: "config-linux.resources.network.classID.effect",
        controller: "net_cls",
        v1: &["net_cls.classid"],
        v2: None,
    },
];

const NEEDS: &[Need] = &[Need::Root, Need::SharedKernel];

/// A row of one number.
macro_rules! limit {
    ($name:literal, $at:literal, $strategy:expr) => {
        Row {
            name: concat!("linux.resources.", $name),
            needs: NEEDS,
            draw: || {
                ($strategy)
                    .prop_map(|value| {
                        let at = concat!("/linux/resources", $at);
                        let surface = concat!("linux.resources.", $name);
                        Part::set(surface, clause_of($at), at, json!(value))
                    })
                    .boxed()
            },
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    limit!("pids", "/pids/limit", 64u32..5000),
    limit!(
        "memory.limit",
        "/memory/limit",
        (1u64..64).prop_map(|n| (64 << 20) + n * 4096)
    ),
    limit!(
        "memory.reservation",
        "/memory/reservation",
        (1u64..64).prop_map(|n| (32 << 20) + n * 4096)
    ),
    limit!("memory.swappiness", "/memory/swappiness", 0u32..=100),
    limit!("cpu.shares", "/cpu/shares", 2u32..=5000),
    limit!("cpu.idle", "/cpu/idle", Just(1)),
    limit!("cpu.cpus", "/cpu/cpus", Just("0")),
    limit!("cpu.mems", "/cpu/mems", Just("0")),
    limit!("blockIO.weight", "/blockIO/weight", 10u32..=1000),
    limit!("network.classID", "/network/classID", 1u32..=0xffff),
    Row {
        name: "linux.resources.cpu.quota",
        needs: NEEDS,
        draw: || {
            // Enough for any runtime, and a burst that the kernel takes.
            let burst = proptest::option::of(1_000u32..=20_000);
            (50_000u32..=100_000, 50_000u32..=100_000, burst)
                .prop_map(|(quota, period, burst)| {
                    let cpu = "/linux/resources/cpu";
                    let mut edits = vec![
                        Edit::Set(format!("{cpu}/quota"), json!(quota)),
                        Edit::Set(format!("{cpu}/period"), json!(period)),
                    ];
                    edits
                        .extend(burst.map(|burst| Edit::Set(format!("{cpu}/burst"), json!(burst))));
                    let (surface, at) = match burst {
                        Some(_) => ("linux.resources.cpu.quota:burst", "/cpu/burst"),
                        None => ("linux.resources.cpu.quota", "/cpu/quota"),
                    };
                    Part::of(surface, clause_of(at), edits)
                })
                .boxed()
        },
    },
    Row {
        name: "linux.resources.unified",
        needs: &[Need::Root, Need::SharedKernel, Need::CgroupV2("pids")],
        draw: || {
            (64u32..5000)
                .prop_map(|limit| {
                    Part::set(
                        "linux.resources.unified",
                        "config-linux.unified.effect",
                        "/linux/resources/unified/pids.max",
                        limit.to_string(),
                    )
                })
                .boxed()
        },
    },
];

fn clause_of(at: &str) -> &'static str {
    LIMITS
        .iter()
        .find(|limit| limit.at == at)
        .map_or("runtime.create.apply-all", |limit| limit.clause)
}

/// What a part on resources misses on this host: a controller, or the kernel's file for it.
pub(super) fn lacks(part: &Part, host: &Host) -> Option<String> {
    let unified = host.cgroup() == "v2";
    if part.row() == "linux.resources.unified" {
        return (!unified).then(|| "pure cgroup v2".into());
    }
    let limit_of = |edit: &Edit| match edit {
        Edit::Set(at, _) => {
            let at = at.strip_prefix("/linux/resources")?;
            LIMITS.iter().find(|limit| limit.at == at)
        }
        Edit::Namespace(..) => None,
    };
    part.edits
        .iter()
        .filter_map(limit_of)
        .find_map(|limit| limit.lacks(host, unified))
}

impl Limit {
    fn lacks(&self, host: &Host, unified: bool) -> Option<String> {
        // Shares, quota and period have their equivalents in v2, if not as one number in a file.
        let in_v2 =
            self.v2.is_some() || matches!(self.at, "/cpu/shares" | "/cpu/quota" | "/cpu/period");
        let missing = || Some(format!("the cgroup controller {}", self.controller));
        let Some(found) = host.controller(self.controller) else {
            return missing();
        };
        if found.unified {
            // In a hybrid of both, runtimes may leave the v2 side alone.
            return match unified && in_v2 {
                true => None,
                false => missing(),
            };
        }
        // In v1 the root of a hierarchy has the files of cgroups below it, that of pids aside.
        let has = |file: &&str| self.controller == "pids" || found.mount_point.join(file).exists();
        (!self.v1.iter().any(has)).then(|| format!("a kernel with {}", self.v1.join(" or ")))
    }

    /// What the file must hold for a value.
    pub(in crate::explore) fn text(value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

//! `linux.resources`: every limit as a write to a control file, for the version
//! of the hierarchy in which the host has the controller.

use super::{Hierarchy, Placement};
use crate::document::{Integer, Node};
use crate::error::{Error, Result};

/// One write to a control file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) controller: String,
    pub(crate) v2: bool,
    /// File names, the first that exists is written. None: the controller is only to be there.
    pub(crate) files: Vec<String>,
    /// On the scale of the first file.
    pub(crate) value: String,
    pub(crate) pointer: String,
}

/// The weight of the BFQ scheduler, with the scale of version 1.
const BFQ_WEIGHT: &str = "io.bfq.weight";
/// The weight of the other policies.
const IO_WEIGHT: &str = "io.weight";

impl Setting {
    /// Whether no process could be cloned into a group of version 2 with this limit: the process
    /// and the one that may stand between it and its parent. (Version 1 is entered by moving, for
    /// which this limit does not count.)
    pub(crate) fn keeps_processes_out(&self) -> bool {
        self.v2 && self.files == ["pids.max"] && matches!(self.value.as_str(), "0" | "1")
    }

    /// What is written into one of the files.
    fn value_for(&self, file: &str) -> String {
        if file != IO_WEIGHT {
            return self.value.clone();
        }
        let (device, weight) = match self.value.rsplit_once(' ') {
            Some((device, weight)) => (format!("{device} "), weight),
            None => (String::new(), self.value.as_str()),
        };
        match weight.parse() {
            Ok(weight) if self.files[0] == BFQ_WEIGHT => format!("{device}{}", io_weight(weight)),
            _ => self.value.clone(),
        }
    }
}

/// Turns the property into writes. What the host's hierarchies cannot do is an error here.
pub(crate) fn plan(resources: &Node<'_>, hierarchies: &[Hierarchy]) -> Result<Vec<Setting>> {
    let mut planner = Planner {
        hierarchies,
        settings: Vec::new(),
    };
    planner.pids(resources)?;
    planner.memory(resources)?;
    planner.cpu(resources)?;
    planner.block_io(resources)?;
    planner.hugepages(resources)?;
    planner.network(resources)?;
    planner.rdma(resources)?;
    planner.unified(resources)?;
    planner.controllers(resources)?;
    Ok(planner.settings)
}

/// Writes the settings in their order.
pub(crate) fn write_all(settings: &[Setting], placement: &Placement) -> Result<()> {
    for (index, setting) in settings.iter().enumerate() {
        let write = |setting: &Setting| write(setting, placement);
        let Err(refusal) = write(setting) else {
            continue;
        };
        // Memory and memory plus swap bound each other: which one goes first depends on what was set before.
        let pair = settings.get(index + 1).filter(|next| {
            setting.files == ["memory.limit_in_bytes"]
                && next.files == ["memory.memsw.limit_in_bytes"]
        });
        match pair {
            Some(swap) if refusal.errno() == Some(libc::EINVAL) => {
                write(swap)?;
                write(setting)?;
            }
            _ => return Err(refusal),
        }
    }
    Ok(())
}

fn write(setting: &Setting, placement: &Placement) -> Result<()> {
    let group = placement
        .with(&setting.controller, setting.v2)
        .ok_or_else(|| {
            Error::new(format!(
                "the container has no {} cgroup",
                setting.controller
            ))
            .at(&*setting.pointer)
        })?;
    if setting.files.is_empty() {
        return Ok(());
    }
    let mut refusal = Error::new("no control file");
    for file in &setting.files {
        match group.write(file, &setting.value_for(file)) {
            Ok(()) => return Ok(()),
            Err(error) if error.errno() == Some(libc::ENOENT) => refusal = error,
            Err(error) => return Err(error.at(&*setting.pointer)),
        }
    }
    Err(refusal.at(&*setting.pointer))
}

struct Planner<'a> {
    hierarchies: &'a [Hierarchy],
    settings: Vec<Setting>,
}

impl Planner<'_> {
    /// In which version the host has the controller; version 1 first, because
    /// there a controller is in one hierarchy only and this is it.
    fn version(&self, node: &Node<'_>, name: &str, controller: &str) -> Result<bool> {
        let has = |hierarchy: &&Hierarchy| {
            hierarchy
                .controllers
                .iter()
                .any(|known| known == controller)
        };
        self.hierarchies
            .iter()
            .find(has)
            .map(|hierarchy| hierarchy.v2)
            .ok_or_else(|| {
                node.error(
                    name,
                    format!("this host has no {controller} cgroup controller"),
                )
            })
    }

    fn push(
        &mut self,
        node: &Node<'_>,
        name: &str,
        controller: &str,
        v2: bool,
        files: &[&str],
        value: impl ToString,
    ) {
        self.settings.push(Setting {
            controller: controller.to_owned(),
            v2,
            files: files.iter().map(|&file| file.to_owned()).collect(),
            value: value.to_string(),
            pointer: node.pointer_to(name),
        });
    }

    /// A property that is one file in version 1 and another, or none, in version 2.
    fn plain<T: Integer + ToString + Copy + PartialOrd + Default>(
        &mut self,
        node: &Node<'_>,
        name: &str,
        controller: &str,
        files: (&str, Option<&str>),
        spell: Spelling,
    ) -> Result<Option<T>> {
        let Some(value) = node.integer::<T>(name)? else {
            return Ok(None);
        };
        let v2 = self.version(node, name, controller)?;
        let file = match (v2, files.1) {
            (false, _) => files.0,
            (true, Some(file)) => file,
            (true, None) => return Err(no_counterpart(node, name)),
        };
        let unlimited = value < T::default() && (v2 || spell == Spelling::Max);
        let text = if unlimited && spell != Spelling::Number {
            "max".to_owned()
        } else {
            value.to_string()
        };
        self.push(node, name, controller, v2, &[file], text);
        Ok(Some(value))
    }

    fn pids(&mut self, resources: &Node<'_>) -> Result<()> {
        let Some(pids) = resources.object("pids")? else {
            return Ok(());
        };
        self.plain::<i64>(
            &pids,
            "limit",
            "pids",
            ("pids.max", Some("pids.max")),
            Spelling::Max,
        )
        .map(drop)
    }

    fn memory(&mut self, resources: &Node<'_>) -> Result<()> {
        let Some(memory) = resources.object("memory")? else {
            return Ok(());
        };
        let limited = Spelling::MaxInV2;
        let limit = memory.integer::<i64>("limit")?;
        if memory.boolean("checkBeforeUpdate")? == Some(true) && limit.is_some() {
            // Version 1 checks by itself. A new group of version 2 uses nothing yet.
            self.version(&memory, "checkBeforeUpdate", "memory")?;
        }
        self.plain::<i64>(
            &memory,
            "limit",
            "memory",
            ("memory.limit_in_bytes", Some("memory.max")),
            limited,
        )?;
        self.swap(&memory, limit)?;
        self.plain::<i64>(
            &memory,
            "reservation",
            "memory",
            ("memory.soft_limit_in_bytes", Some("memory.low")),
            limited,
        )?;
        self.plain::<i64>(
            &memory,
            "kernel",
            "memory",
            ("memory.kmem.limit_in_bytes", None),
            limited,
        )?;
        self.plain::<i64>(
            &memory,
            "kernelTCP",
            "memory",
            ("memory.kmem.tcp.limit_in_bytes", None),
            limited,
        )?;
        if memory
            .integer::<u64>("swappiness")?
            .is_some_and(|value| value > 100)
        {
            return Err(memory.error("swappiness", "must be from 0 to 100"));
        }
        self.plain::<u64>(
            &memory,
            "swappiness",
            "memory",
            ("memory.swappiness", None),
            Spelling::Number,
        )?;
        // The killer is enabled in every new group, so that `false` is a write only where one can be made.
        self.switch(&memory, "disableOOMKiller", "memory.oom_control", false)?;
        // Version 2 is always hierarchical.
        self.switch(&memory, "useHierarchy", "memory.use_hierarchy", true)
    }

    /// A boolean of version 1; version 2 can only say `always`.
    fn switch(&mut self, memory: &Node<'_>, name: &str, file: &str, always: bool) -> Result<()> {
        let Some(value) = memory.boolean(name)? else {
            return Ok(());
        };
        let v2 = match self.version(memory, name, "memory") {
            // What holds without the controller anyway needs no controller.
            Err(_) if value == always => return Ok(()),
            other => other?,
        };
        match v2 {
            true if value == always => {}
            true => return Err(no_counterpart(memory, name)),
            false => self.push(memory, name, "memory", false, &[file], u8::from(value)),
        }
        Ok(())
    }

    /// `swap` is memory plus swap. Version 2 counts swap alone.
    fn swap(&mut self, memory: &Node<'_>, limit: Option<i64>) -> Result<()> {
        let Some(swap) = memory.integer::<i64>("swap")? else {
            return Ok(());
        };
        if !self.version(memory, "swap", "memory")? {
            self.push(
                memory,
                "swap",
                "memory",
                false,
                &["memory.memsw.limit_in_bytes"],
                swap,
            );
            return Ok(());
        }
        let value = match limit {
            _ if swap < 0 => "max".to_owned(),
            Some(limit) if (0..=swap).contains(&limit) => (swap - limit).to_string(),
            _ => {
                return Err(memory.error(
                    "swap",
                    "is memory plus swap: it needs a limit that is not above it",
                ));
            }
        };
        self.push(memory, "swap", "memory", true, &["memory.swap.max"], value);
        Ok(())
    }

    fn cpu(&mut self, resources: &Node<'_>) -> Result<()> {
        let Some(cpu) = resources.object("cpu")? else {
            return Ok(());
        };
        // Engines write 0 for "not set"; the kernel has no such weight.
        if let Some(shares) = cpu.integer::<u64>("shares")?.filter(|&shares| shares != 0) {
            match self.version(&cpu, "shares", "cpu")? {
                false => self.push(&cpu, "shares", "cpu", false, &["cpu.shares"], shares),
                true => self.push(
                    &cpu,
                    "shares",
                    "cpu",
                    true,
                    &["cpu.weight"],
                    weight_of_shares(shares),
                ),
            }
        }
        self.bandwidth(&cpu)?;
        let number = Spelling::Number;
        self.plain::<u64>(
            &cpu,
            "realtimePeriod",
            "cpu",
            ("cpu.rt_period_us", None),
            number,
        )?;
        self.plain::<i64>(
            &cpu,
            "realtimeRuntime",
            "cpu",
            ("cpu.rt_runtime_us", None),
            number,
        )?;
        self.plain::<i64>(&cpu, "idle", "cpu", ("cpu.idle", Some("cpu.idle")), number)?;
        for (name, file) in [("cpus", "cpuset.cpus"), ("mems", "cpuset.mems")] {
            if let Some(list) = cpu.string(name)?.filter(|list| !list.is_empty()) {
                let v2 = self.version(&cpu, name, "cpuset")?;
                self.push(&cpu, name, "cpuset", v2, &[file], list);
            }
        }
        Ok(())
    }

    /// Quota, period and burst. The period stands first: a quota is judged against it;
    /// the burst last: it must not be above the quota.
    fn bandwidth(&mut self, cpu: &Node<'_>) -> Result<()> {
        let (quota, period) = (cpu.integer::<i64>("quota")?, cpu.integer::<u64>("period")?);
        let burst = cpu.integer::<u64>("burst")?;
        if let (Some(quota), Some(burst)) = (quota, burst)
            && quota > 0
            && burst > quota as u64
        {
            return Err(cpu.error("burst", format!("{burst} is above the quota of {quota}")));
        }
        let name = if quota.is_some() { "quota" } else { "period" };
        if quota.is_some() || period.is_some() {
            if self.version(cpu, name, "cpu")? {
                let quota = quota
                    .filter(|&quota| quota > 0)
                    .map_or("max".to_owned(), |quota| quota.to_string());
                let value = period.map_or(quota.clone(), |period| format!("{quota} {period}"));
                self.push(cpu, name, "cpu", true, &["cpu.max"], value);
            } else {
                if let Some(period) = period {
                    self.push(cpu, "period", "cpu", false, &["cpu.cfs_period_us"], period);
                }
                if let Some(quota) = quota {
                    self.push(cpu, "quota", "cpu", false, &["cpu.cfs_quota_us"], quota);
                }
            }
        }
        let files = ("cpu.cfs_burst_us", Some("cpu.max.burst"));
        self.plain::<u64>(cpu, "burst", "cpu", files, Spelling::Number)
            .map(drop)
    }

    fn block_io(&mut self, resources: &Node<'_>) -> Result<()> {
        let Some(io) = resources.object("blockIO")? else {
            return Ok(());
        };
        // Engines write 0 for "not set"; no scheduler has such a weight.
        if let Some(weight) = io.integer::<u16>("weight")?.filter(|&weight| weight != 0) {
            self.weight(&io, "weight", None, weight)?;
        }
        if let Some(weight) = io
            .integer::<u16>("leafWeight")?
            .filter(|&weight| weight != 0)
        {
            self.leaf_weight(&io, None, weight)?;
        }
        for entry in io.objects("weightDevice")? {
            let device = device_number(&entry)?;
            let (weight, leaf) = (
                entry.integer::<u16>("weight")?,
                entry.integer::<u16>("leafWeight")?,
            );
            if weight.is_none() && leaf.is_none() {
                return Err(entry.error("weight", "weight or leafWeight is required"));
            }
            if let Some(weight) = weight {
                self.weight(&entry, "weight", Some(&device), weight)?;
            }
            if let Some(leaf) = leaf {
                self.leaf_weight(&entry, Some(&device), leaf)?;
            }
        }
        for (name, file, key) in [
            (
                "throttleReadBpsDevice",
                "blkio.throttle.read_bps_device",
                "rbps",
            ),
            (
                "throttleWriteBpsDevice",
                "blkio.throttle.write_bps_device",
                "wbps",
            ),
            (
                "throttleReadIOPSDevice",
                "blkio.throttle.read_iops_device",
                "riops",
            ),
            (
                "throttleWriteIOPSDevice",
                "blkio.throttle.write_iops_device",
                "wiops",
            ),
        ] {
            for entry in io.objects(name)? {
                let device = device_number(&entry)?;
                let rate = entry.required("rate", entry.integer::<u64>("rate")?)?;
                if self.io_version(&entry, "rate")? {
                    // 0 is no limit in version 1; version 2 says so in words.
                    let rate = if rate == 0 {
                        "max".to_owned()
                    } else {
                        rate.to_string()
                    };
                    self.push(
                        &entry,
                        "rate",
                        "io",
                        true,
                        &["io.max"],
                        format!("{device} {key}={rate}"),
                    );
                } else {
                    self.push(
                        &entry,
                        "rate",
                        "blkio",
                        false,
                        &[file],
                        format!("{device} {rate}"),
                    );
                }
            }
        }
        Ok(())
    }

    fn io_version(&self, node: &Node<'_>, name: &str) -> Result<bool> {
        match self.version(node, name, "blkio") {
            Ok(v2) => Ok(v2),
            Err(error) => self.version(node, name, "io").map_err(|_| error),
        }
    }

    fn weight(
        &mut self,
        node: &Node<'_>,
        name: &str,
        device: Option<&str>,
        weight: u16,
    ) -> Result<()> {
        let prefix = device.map_or(String::new(), |device| format!("{device} "));
        if self.io_version(node, name)? {
            let value = format!("{prefix}{weight}");
            self.push(node, name, "io", true, &[BFQ_WEIGHT, IO_WEIGHT], value);
        } else {
            let files: &[&str] = match device {
                None => &["blkio.weight", "blkio.bfq.weight"],
                Some(_) => &["blkio.weight_device", "blkio.bfq.weight_device"],
            };
            self.push(
                node,
                name,
                "blkio",
                false,
                files,
                format!("{prefix}{weight}"),
            );
        }
        Ok(())
    }

    fn leaf_weight(&mut self, node: &Node<'_>, device: Option<&str>, weight: u16) -> Result<()> {
        if self.io_version(node, "leafWeight")? {
            return Err(no_counterpart(node, "leafWeight"));
        }
        match device {
            None => self.push(
                node,
                "leafWeight",
                "blkio",
                false,
                &["blkio.leaf_weight"],
                weight,
            ),
            Some(device) => {
                self.push(
                    node,
                    "leafWeight",
                    "blkio",
                    false,
                    &["blkio.leaf_weight_device"],
                    format!("{device} {weight}"),
                );
            }
        }
        Ok(())
    }

    fn hugepages(&mut self, resources: &Node<'_>) -> Result<()> {
        for entry in resources.objects("hugepageLimits")? {
            let size = entry.required("pageSize", entry.string("pageSize")?)?;
            let limit = entry.required("limit", entry.integer::<u64>("limit")?)?;
            if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(entry.error("pageSize", format!("{size:?} is not a huge page size")));
            }
            // Reservations if the kernel accounts them, else page faults.
            let v2 = self.version(&entry, "limit", "hugetlb")?;
            let suffixes: [&str; 2] = if v2 {
                ["rsvd.max", "max"]
            } else {
                ["rsvd.limit_in_bytes", "limit_in_bytes"]
            };
            let files = suffixes.map(|suffix| format!("hugetlb.{size}.{suffix}"));
            self.push(
                &entry,
                "limit",
                "hugetlb",
                v2,
                &[&files[0], &files[1]],
                limit,
            );
        }
        Ok(())
    }

    fn network(&mut self, resources: &Node<'_>) -> Result<()> {
        let Some(network) = resources.object("network")? else {
            return Ok(());
        };
        if let Some(class) = network.integer::<u32>("classID")? {
            self.version(&network, "classID", "net_cls")?;
            self.push(
                &network,
                "classID",
                "net_cls",
                false,
                &["net_cls.classid"],
                class,
            );
        }
        for entry in network.objects("priorities")? {
            let name = entry.required("name", entry.string("name")?)?;
            let priority = entry.required("priority", entry.integer::<u32>("priority")?)?;
            self.version(&entry, "priority", "net_prio")?;
            self.push(
                &entry,
                "priority",
                "net_prio",
                false,
                &["net_prio.ifpriomap"],
                format!("{name} {priority}"),
            );
        }
        Ok(())
    }

    fn rdma(&mut self, resources: &Node<'_>) -> Result<()> {
        for (device, entry) in resources.object_map("rdma")? {
            let (handles, objects) = (
                entry.integer::<u32>("hcaHandles")?,
                entry.integer::<u32>("hcaObjects")?,
            );
            let mut value = device.to_owned();
            for (key, limit) in [("hca_handle", handles), ("hca_object", objects)] {
                if let Some(limit) = limit {
                    value.push_str(&format!(" {key}={limit}"));
                }
            }
            if value == device {
                return Err(entry.error("hcaHandles", "hcaHandles or hcaObjects is required"));
            }
            let v2 = self.version(&entry, "hcaHandles", "rdma")?;
            self.push(&entry, "hcaHandles", "rdma", v2, &["rdma.max"], value);
        }
        Ok(())
    }

    /// A property without a limit has its controller all the same: for its statistics, for limits
    /// that an update sets, and to show that there is none.
    fn controllers(&mut self, resources: &Node<'_>) -> Result<()> {
        for (name, controller) in [
            ("memory", "memory"),
            ("cpu", "cpu"),
            ("pids", "pids"),
            ("blockIO", "io"),
        ] {
            if !resources.has(name) || self.settings.iter().any(|s| s.controller == controller) {
                continue;
            }
            if let Ok(true) = self.version(resources, name, controller) {
                self.push(resources, name, controller, true, &[], "");
            }
        }
        Ok(())
    }

    fn unified(&mut self, resources: &Node<'_>) -> Result<()> {
        let Some(map) = resources.object("unified")? else {
            return Ok(());
        };
        for (file, value) in resources.string_map("unified")? {
            let Some(unified) = self.hierarchies.iter().find(|hierarchy| hierarchy.v2) else {
                return Err(map.error(file, "this host has no cgroup hierarchy of version 2"));
            };
            let controller = file.split('.').next().unwrap_or_default();
            if file.contains('/') || !file.contains('.') {
                return Err(map.error(file, format!("{file:?} is not a control file")));
            }
            // Files of the core belong to no controller.
            if controller != "cgroup"
                && !unified.controllers.iter().any(|known| known == controller)
            {
                return Err(map.error(
                    file,
                    format!("this host has no {controller} controller in cgroup version 2"),
                ));
            }
            // A value of several lines is several writes: each line is about another device.
            for line in value.lines() {
                self.push(&map, file, controller, true, &[file], line);
            }
        }
        Ok(())
    }
}

/// BFQ has 10 to 1000, as version 1 had it; io.weight has 1 to 10000.
fn io_weight(weight: u64) -> u64 {
    1 + weight.saturating_sub(10) * 9999 / 990
}

/// How a negative number, which is "no limit", is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// As the number.
    Number,
    /// As `max` in both versions.
    Max,
    /// As the number in version 1 and as `max` in version 2.
    MaxInV2,
}

fn no_counterpart(node: &Node<'_>, name: &str) -> Error {
    node.error(
        name,
        "has no counterpart in cgroup version 2, where this host has the controller",
    )
}

/// The scales are 2 to 262144 and 1 to 10000.
fn weight_of_shares(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

fn device_number(entry: &Node<'_>) -> Result<String> {
    let number = |name| entry.required(name, entry.integer::<i64>(name)?);
    Ok(format!("{}:{}", number("major")?, number("minor")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn host(v2: bool, controllers: &[&str]) -> Vec<Hierarchy> {
        let controllers = controllers.iter().map(|&name| name.to_owned()).collect();
        vec![Hierarchy {
            controllers,
            v2,
            mount: "/nonexistent".into(),
            own: "/".into(),
        }]
    }

    fn writes(resources: Value, hierarchies: &[Hierarchy]) -> Result<Vec<String>> {
        let settings = plan(&Node::root(&resources).unwrap(), hierarchies)?;
        Ok(settings
            .into_iter()
            .map(|setting| format!("{} {}", setting.files[0], setting.value))
            .collect())
    }

    #[test]
    fn both_versions_have_their_files_and_spellings() {
        let resources = json!({
            "pids": {"limit": -1},
            "memory": {"limit": 100, "swap": 150, "reservation": -1, "disableOOMKiller": false, "useHierarchy": true},
            "cpu": {"shares": 0, "quota": 1000, "period": 2000, "burst": 500, "cpus": "0"}
        });
        let v1 = host(false, &["pids", "memory", "cpu", "cpuset"]);
        assert_eq!(
            writes(resources.clone(), &v1).unwrap(),
            [
                "pids.max max",
                "memory.limit_in_bytes 100",
                "memory.memsw.limit_in_bytes 150",
                "memory.soft_limit_in_bytes -1",
                "memory.oom_control 0",
                "memory.use_hierarchy 1",
                "cpu.cfs_period_us 2000",
                "cpu.cfs_quota_us 1000",
                "cpu.cfs_burst_us 500",
                "cpuset.cpus 0"
            ]
        );
        let v2 = host(true, &["pids", "memory", "cpu", "cpuset"]);
        assert_eq!(
            writes(resources, &v2).unwrap(),
            [
                "pids.max max",
                "memory.max 100",
                "memory.swap.max 50",
                "memory.low max",
                "cpu.max 1000 2000",
                "cpu.max.burst 500",
                "cpuset.cpus 0"
            ]
        );
    }

    #[test]
    fn what_the_host_lacks_is_refused_by_name() {
        let refused = |resources, hierarchies: &[Hierarchy]| {
            writes(resources, hierarchies).unwrap_err().to_string()
        };
        let none = host(false, &["name=systemd"]);
        assert_eq!(
            refused(json!({"pids": {"limit": 1}}), &none),
            "/pids/limit: this host has no pids cgroup controller"
        );
        assert_eq!(
            refused(json!({"unified": {"memory.max": "1"}}), &none),
            "/unified/memory.max: this host has no cgroup hierarchy of version 2"
        );
        let v2 = host(true, &["memory", "cpu", "io"]);
        assert!(refused(json!({"memory": {"swappiness": 1}}), &v2).contains("no counterpart"));
        assert!(
            refused(json!({"memory": {"disableOOMKiller": true}}), &v2).contains("no counterpart")
        );
        assert!(refused(json!({"blockIO": {"leafWeight": 10}}), &v2).contains("no counterpart"));
        assert!(refused(json!({"unified": {"pids.max": "1"}}), &v2).contains("no pids controller"));
    }

    #[test]
    fn required_members_of_entries_are_required() {
        let v1 = host(false, &["blkio", "hugetlb", "rdma", "net_prio"]);
        let refused = |resources| writes(resources, &v1).unwrap_err().to_string();
        assert_eq!(
            refused(json!({"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0}]}})),
            "/blockIO/throttleReadBpsDevice/0/rate: is required"
        );
        assert!(
            refused(json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}}))
                .contains("weight or leafWeight")
        );
        assert!(refused(json!({"rdma": {"x": {}}})).contains("hcaHandles or hcaObjects"));
        assert!(
            refused(json!({"hugepageLimits": [{"pageSize": "../x", "limit": 1}]}))
                .contains("not a huge page size")
        );
    }

    #[test]
    fn a_weight_is_on_the_scale_of_the_file_that_there_is() {
        let v2 = host(true, &["io"]);
        let resources = json!({"blockIO": {"weight": 505, "weightDevice": [
            {"major": 8, "minor": 0, "weight": 1000}
        ]}});
        let settings = plan(&Node::root(&resources).unwrap(), &v2).unwrap();
        let values = |file: &str| -> Vec<String> {
            settings
                .iter()
                .map(|setting| setting.value_for(file))
                .collect()
        };
        assert_eq!(settings[0].files, [BFQ_WEIGHT, IO_WEIGHT]);
        assert_eq!(values(BFQ_WEIGHT), ["505", "8:0 1000"]);
        assert_eq!(values(IO_WEIGHT), ["5000", "8:0 10000"]);
        assert_eq!([0, 10, 100].map(io_weight), [1, 1, 910]);
    }

    #[test]
    fn a_value_that_is_asked_for_by_its_file_is_left_alone() {
        let v2 = host(true, &["io"]);
        let resources = json!({"unified": {"io.weight": "default 100"}});
        let settings = plan(&Node::root(&resources).unwrap(), &v2).unwrap();
        assert_eq!(settings[0].value_for(IO_WEIGHT), "default 100");
    }

    #[test]
    fn a_property_without_limits_has_its_controller() {
        let names = |resources: Value, v2| -> Vec<String> {
            let host = host(v2, &["memory", "pids"]);
            let settings = plan(&Node::root(&resources).unwrap(), &host).unwrap();
            settings
                .into_iter()
                .map(|setting| format!("{} {}", setting.controller, setting.files.len()))
                .collect()
        };
        let empty = json!({"pids": {}, "memory": {"limit": 4096}, "cpu": {}});
        assert_eq!(names(empty.clone(), true), ["memory 1", "pids 0"]);
        assert_eq!(names(empty, false), ["memory 1"]);
    }

    #[test]
    fn limits_that_keep_processes_out_are_known() {
        let late = |limit: i64, v2| {
            let host = host(v2, &["pids"]);
            let resources = json!({"pids": {"limit": limit}});
            plan(&Node::root(&resources).unwrap(), &host).unwrap()[0].keeps_processes_out()
        };
        assert!(late(0, true) && late(1, true));
        assert!(!late(2, true) && !late(-1, true) && !late(0, false));
    }

    #[test]
    fn weights_grow_with_shares() {
        let weights: Vec<u64> = [0, 2, 1024, 2048, 262_144, u64::MAX]
            .map(weight_of_shares)
            .to_vec();
        assert_eq!(weights, [1, 1, 39, 79, 10_000, 10_000]);
    }
}

//! What the control files of a container's groups tell, of either version, in one form.
//!
//! A file that is not there has nothing to tell: its number is left out.

use crate::cgroup::{Group, Placement};
use crate::intel_rdt;
use crate::state::Container;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;

/// The whole report.
pub(crate) fn collect(container: &Container) -> Value {
    let placement = &container.record.cgroup;
    json!({
        "cpu": cpu(placement),
        "cpuset": cpuset(placement),
        "memory": memory(placement),
        "pids": pids(placement),
        "blkio": block_io(placement),
        "hugetlb": hugetlb(placement),
        "intel_rdt": intel_rdt::statistics(container.record.resctrl.as_ref()),
        // None of them is the runtime's: whoever made the interfaces asks them.
        "network_interfaces": null,
    })
}

/// The group in which a controller works, and of which version it is.
fn group<'a>(placement: &'a Placement, controller: &str) -> Option<&'a Group> {
    placement
        .with(controller, false)
        .or_else(|| placement.with(controller, true))
}

fn text(group: &Group, file: &str) -> Option<String> {
    fs::read_to_string(group.path.join(file)).ok()
}

/// A file of one number; `max` is the largest.
fn number(group: &Group, file: &str) -> Option<u64> {
    match text(group, file)?.trim() {
        "max" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

fn numbers(group: &Group, file: &str) -> Option<Vec<u64>> {
    let text = text(group, file)?;
    Some(
        text.split_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect(),
    )
}

/// A file of lines that are a name and a number.
pub(crate) fn flat(text: &str) -> BTreeMap<String, u64> {
    text.lines()
        .filter_map(|line| {
            let (name, number) = line.split_once(' ')?;
            Some((name.to_owned(), number.trim().parse().ok()?))
        })
        .collect()
}

fn flat_file(group: &Group, file: &str) -> BTreeMap<String, u64> {
    flat(&text(group, file).unwrap_or_default())
}

/// An object of those members that there are.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let present = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect())
}

fn cpu(placement: &Placement) -> Value {
    let accounts = group(placement, "cpuacct").filter(|group| !group.v2);
    // In version 2 the core itself accounts.
    let unified = placement.unified().filter(|_| accounts.is_none());
    let usage = match (accounts, unified) {
        (Some(group), _) => {
            let times = flat_file(group, "cpuacct.stat");
            // USER_HZ, which is 100 for all of Linux's interfaces.
            let nanoseconds = |name| times.get(name).copied().unwrap_or(0) * 10_000_000;
            let (user, kernel) = usage_of_cpus(group);
            object([
                ("total", number(group, "cpuacct.usage").map(Value::from)),
                (
                    "percpu",
                    numbers(group, "cpuacct.usage_percpu").map(Value::from),
                ),
                ("percpu_kernel", kernel.map(Value::from)),
                ("percpu_user", user.map(Value::from)),
                ("kernel", Some(nanoseconds("system").into())),
                ("user", Some(nanoseconds("user").into())),
            ])
        }
        (None, Some(group)) => {
            let times = flat_file(group, "cpu.stat");
            let nanoseconds = |name| Some(Value::from(times.get(name)? * 1000));
            object([
                ("total", nanoseconds("usage_usec")),
                (
                    "kernel",
                    nanoseconds("system_usec").or_else(|| Some(0.into())),
                ),
                ("user", nanoseconds("user_usec").or_else(|| Some(0.into()))),
            ])
        }
        (None, None) => json!({"kernel": 0, "user": 0}),
    };
    json!({"usage": usage, "throttling": throttling(placement)})
}

/// User and kernel time of each CPU, in version 1.
fn usage_of_cpus(group: &Group) -> (Option<Vec<u64>>, Option<Vec<u64>>) {
    let Some(table) = text(group, "cpuacct.usage_all") else {
        return (None, None);
    };
    let rows: Vec<Vec<u64>> = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').map(|field| field.parse().ok()).collect())
        .collect();
    let column = |index: usize| rows.iter().map(|row| row.get(index).copied()).collect();
    (column(1), column(2))
}

fn throttling(placement: &Placement) -> Value {
    let Some(group) = group(placement, "cpu") else {
        return json!({});
    };
    let counts = flat_file(group, "cpu.stat");
    let count = |name| {
        let count = counts.get(name).copied().filter(|&count| count != 0);
        count.map(Value::from)
    };
    let time = if group.v2 {
        count("throttled_usec").and_then(|time| Some((time.as_u64()? * 1000).into()))
    } else {
        count("throttled_time")
    };
    object([
        ("periods", count("nr_periods")),
        ("throttledPeriods", count("nr_throttled")),
        ("throttledTime", time),
    ])
}

fn cpuset(placement: &Placement) -> Value {
    let Some(group) = group(placement, "cpuset") else {
        return json!({});
    };
    let list = |names: [&str; 2]| {
        names
            .into_iter()
            .find_map(|name| text(group, name))
            .map(|text| Value::from(members(text.trim())))
    };
    let flag = |name: &str| {
        let text = text(group, &format!("cpuset.{name}"))?;
        text.trim().parse::<i64>().ok().map(Value::from)
    };
    object([
        (
            "cpus",
            list(["cpuset.effective_cpus", "cpuset.cpus.effective"]),
        ),
        ("cpu_exclusive", flag("cpu_exclusive")),
        (
            "mems",
            list(["cpuset.effective_mems", "cpuset.mems.effective"]),
        ),
        ("mem_hardwall", flag("mem_hardwall")),
        ("mem_exclusive", flag("mem_exclusive")),
        ("memory_migrate", flag("memory_migrate")),
        ("memory_spread_page", flag("memory_spread_page")),
        ("memory_spread_slab", flag("memory_spread_slab")),
        ("memory_pressure", flag("memory_pressure")),
        ("sched_load_balance", flag("sched_load_balance")),
        ("sched_relax_domain_level", flag("sched_relax_domain_level")),
    ])
}

/// The members of a list such as `0-2,7`.
fn members(list: &str) -> Vec<u64> {
    let range = |part: &str| -> Option<std::ops::RangeInclusive<u64>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

fn memory(placement: &Placement) -> Value {
    let Some(group) = group(placement, "memory") else {
        return json!({});
    };
    let raw = flat_file(group, "memory.stat");
    let cache = raw.get(if group.v2 { "file" } else { "cache" });
    let cache = cache.copied().filter(|&bytes| bytes != 0).map(Value::from);
    let raw = Some(json!(raw));
    if group.v2 {
        let [usage, limit] = ["memory.current", "memory.max"].map(|file| number(group, file));
        let [swap, most] =
            ["memory.swap.current", "memory.swap.max"].map(|file| number(group, file));
        // Both together, as version 1 has it.
        let sum = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        let failures = |file| flat_file(group, file).get("max").copied();
        return object([
            ("cache", cache),
            (
                "usage",
                Some(entry(
                    usage,
                    limit,
                    number(group, "memory.peak"),
                    failures("memory.events"),
                )),
            ),
            (
                "swap",
                Some(entry(
                    sum(usage, swap),
                    sum(limit, most),
                    None,
                    failures("memory.swap.events"),
                )),
            ),
            ("raw", raw),
        ]);
    }
    let kind = |prefix: &str| {
        let file = |name: &str| number(group, &format!("memory.{prefix}{name}"));
        let limit = file("limit_in_bytes")?;
        Some(entry(
            file("usage_in_bytes"),
            Some(limit),
            file("max_usage_in_bytes"),
            file("failcnt"),
        ))
    };
    object([
        ("cache", cache),
        ("usage", kind("")),
        ("swap", kind("memsw.")),
        ("kernel", kind("kmem.")),
        ("kernelTCP", kind("kmem.tcp.")),
        ("raw", raw),
    ])
}

fn entry(usage: Option<u64>, limit: Option<u64>, max: Option<u64>, failures: Option<u64>) -> Value {
    object([
        ("limit", Some(limit.unwrap_or(0).into())),
        ("usage", usage.map(Value::from)),
        ("max", max.map(Value::from)),
        ("failcnt", Some(failures.unwrap_or(0).into())),
    ])
}

fn pids(placement: &Placement) -> Value {
    let Some(group) = group(placement, "pids") else {
        return json!({});
    };
    let limit = number(group, "pids.max").filter(|&limit| limit != u64::MAX);
    object([
        ("current", number(group, "pids.current").map(Value::from)),
        ("limit", limit.map(Value::from)),
    ])
}

fn block_io(placement: &Placement) -> Value {
    if let Some(group) = placement.with("blkio", false) {
        let list = |names: &[&str]| {
            let texts = names.iter().filter_map(|name| text(group, name));
            let lists = texts.map(|text| io_entries(&text));
            lists
                .into_iter()
                .find(|list| !list.is_empty())
                .map(Value::from)
        };
        // The scheduler's own accounts, or what is there whatever the scheduler is.
        return object([
            (
                "ioServiceBytesRecursive",
                list(&[
                    "blkio.bfq.io_service_bytes_recursive",
                    "blkio.io_service_bytes_recursive",
                    "blkio.throttle.io_service_bytes_recursive",
                    "blkio.throttle.io_service_bytes",
                ]),
            ),
            (
                "ioServicedRecursive",
                list(&[
                    "blkio.bfq.io_serviced_recursive",
                    "blkio.io_serviced_recursive",
                    "blkio.throttle.io_serviced_recursive",
                    "blkio.throttle.io_serviced",
                ]),
            ),
            (
                "ioQueueRecursive",
                list(&["blkio.bfq.io_queued_recursive", "blkio.io_queued_recursive"]),
            ),
            (
                "ioServiceTimeRecursive",
                list(&[
                    "blkio.bfq.io_service_time_recursive",
                    "blkio.io_service_time_recursive",
                ]),
            ),
            (
                "ioWaitTimeRecursive",
                list(&[
                    "blkio.bfq.io_wait_time_recursive",
                    "blkio.io_wait_time_recursive",
                ]),
            ),
            (
                "ioMergedRecursive",
                list(&["blkio.bfq.io_merged_recursive", "blkio.io_merged_recursive"]),
            ),
            (
                "ioTimeRecursive",
                list(&["blkio.bfq.time_recursive", "blkio.time_recursive"]),
            ),
            (
                "sectorsRecursive",
                list(&["blkio.bfq.sectors_recursive", "blkio.sectors_recursive"]),
            ),
        ]);
    }
    let Some(group) = placement.unified() else {
        return json!({});
    };
    let text = text(group, "io.stat").unwrap_or_default();
    let list = |keys: [(&str, &str); 3]| {
        let list = unified_io_entries(&text, &keys);
        (!list.is_empty()).then(|| Value::from(list))
    };
    object([
        (
            "ioServiceBytesRecursive",
            list([
                ("rbytes", "Read"),
                ("wbytes", "Write"),
                ("dbytes", "Discard"),
            ]),
        ),
        (
            "ioServicedRecursive",
            list([("rios", "Read"), ("wios", "Write"), ("dios", "Discard")]),
        ),
    ])
}

/// Lines as `8:0 Read 4096` or `8:0 7`; a last line that is a sum is about no device.
fn io_entries(text: &str) -> Vec<Value> {
    let entry = |line: &str| {
        let mut fields = line.split_whitespace();
        let (major, minor) = fields.next()?.split_once(':')?;
        let rest: Vec<&str> = fields.collect();
        let (operation, value) = match rest.as_slice() {
            [value] => ("", *value),
            [operation, value] => (*operation, *value),
            _ => return None,
        };
        io_entry(major, minor, operation, value)
    };
    text.lines().filter_map(entry).collect()
}

/// Lines as `8:0 rbytes=4096 wbytes=0`.
fn unified_io_entries(text: &str, keys: &[(&str, &str)]) -> Vec<Value> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let Some((major, minor)) = fields.next().and_then(|device| device.split_once(':')) else {
            continue;
        };
        for (key, value) in fields.filter_map(|field| field.split_once('=')) {
            let operation = keys.iter().find(|(known, _)| *known == key);
            entries.extend(operation.and_then(|(_, name)| io_entry(major, minor, name, value)));
        }
    }
    entries
}

fn io_entry(major: &str, minor: &str, operation: &str, value: &str) -> Option<Value> {
    let mut entry = Map::new();
    entry.insert("major".into(), major.parse::<u64>().ok()?.into());
    entry.insert("minor".into(), minor.parse::<u64>().ok()?.into());
    if !operation.is_empty() {
        entry.insert("op".into(), operation.into());
    }
    entry.insert("value".into(), value.parse::<u64>().ok()?.into());
    Some(Value::Object(entry))
}

fn hugetlb(placement: &Placement) -> Value {
    let Some(group) = group(placement, "hugetlb") else {
        return json!({});
    };
    let suffix = if group.v2 {
        ".current"
    } else {
        ".usage_in_bytes"
    };
    let mut sizes = Map::new();
    // A group that has gone meanwhile uses nothing.
    for entry in fs::read_dir(&group.path).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let size = name
            .to_str()
            .and_then(|name| name.strip_prefix("hugetlb.")?.strip_suffix(suffix));
        let Some(size) = size.filter(|size| !size.contains('.')) else {
            continue;
        };
        let file = |name: &str| number(group, &format!("hugetlb.{size}.{name}"));
        let value = if group.v2 {
            let events = flat_file(group, &format!("hugetlb.{size}.events"));
            object([
                ("usage", file("current").map(Value::from)),
                (
                    "failcnt",
                    Some(events.get("max").copied().unwrap_or(0).into()),
                ),
            ])
        } else {
            object([
                ("usage", file("usage_in_bytes").map(Value::from)),
                ("max", file("max_usage_in_bytes").map(Value::from)),
                ("failcnt", Some(file("failcnt").unwrap_or(0).into())),
            ])
        };
        sizes.insert(size.to_owned(), value);
    }
    Value::Object(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn both_forms_of_block_io_are_one() {
        let v1 = io_entries("8:0 Read 10\n8:0 Write 20\n8:16 7\nTotal 37\n");
        assert_eq!(
            json!(v1),
            json!([
                {"major": 8, "minor": 0, "op": "Read", "value": 10},
                {"major": 8, "minor": 0, "op": "Write", "value": 20},
                {"major": 8, "minor": 16, "value": 7}
            ])
        );
        let v2 = unified_io_entries(
            "8:0 rbytes=10 wbytes=20 rios=1 dios=0\n",
            &[("rbytes", "Read"), ("wbytes", "Write")],
        );
        assert_eq!(json!(v2), json!(v1[..2]));
    }

    #[test]
    fn lists_have_ranges() {
        assert_eq!(members("0-2,7"), [0, 1, 2, 7]);
        assert!(members("").is_empty());
    }

    #[test]
    fn version_2_reports_memory_and_swap_together() {
        let path = std::env::temp_dir().join(format!("refrun-stats-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        for (file, content) in [
            ("memory.current", "100\n"),
            ("memory.max", "max\n"),
            ("memory.swap.current", "20\n"),
            ("memory.swap.max", "50\n"),
            ("memory.stat", "anon 60\nfile 40\n"),
            ("memory.events", "low 0\nmax 3\noom_kill 1\n"),
            (
                "cpu.stat",
                "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_throttled 4\nthrottled_usec 6\n",
            ),
            ("pids.current", "2\n"),
            ("pids.max", "max\n"),
            ("hugetlb.2MB.current", "4096\n"),
            ("hugetlb.2MB.rsvd.current", "0\n"),
            ("hugetlb.2MB.events", "max 1\n"),
        ] {
            fs::write(path.join(file), content).unwrap();
        }
        let placement = placement(path.clone());
        let memory = memory(&placement);
        let (cpu, pids, huge) = (cpu(&placement), pids(&placement), hugetlb(&placement));
        fs::remove_dir_all(path).unwrap();
        assert_eq!(
            memory["usage"],
            json!({"limit": u64::MAX, "usage": 100, "failcnt": 3})
        );
        assert_eq!(
            memory["swap"],
            json!({"limit": u64::MAX, "usage": 120, "failcnt": 0})
        );
        assert_eq!(
            (&memory["cache"], &memory["raw"]["anon"]),
            (&json!(40), &json!(60))
        );
        assert_eq!(
            cpu["usage"],
            json!({"total": 5000, "kernel": 2000, "user": 3000})
        );
        assert_eq!(
            cpu["throttling"],
            json!({"throttledPeriods": 4, "throttledTime": 6000})
        );
        assert_eq!(pids, json!({"current": 2}));
        assert_eq!(huge, json!({"2MB": {"usage": 4096, "failcnt": 1}}));
    }

    fn placement(path: PathBuf) -> Placement {
        Placement {
            groups: vec![Group {
                mount: path.clone(),
                path,
                controllers: ["cpu", "memory", "pids", "hugetlb"]
                    .map(str::to_owned)
                    .to_vec(),
                v2: true,
                made: Vec::new(),
            }],
        }
    }
}

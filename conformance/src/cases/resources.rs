//! Limits on processes, memory and CPU.

use serde_json::json;

use super::limits::{Found, hierarchy, limit, read_in_cgroup, text_in_cgroup};
use super::told::told;
use crate::case::{Case, Need};
use crate::host;
use crate::trial::{Stop, Trial};

const PIDS: &str = "config-linux.resources.pids.limit.effect";
const CPUS: &str = "config-linux.resources.cpu.cpus.effect";
const HIERARCHY: &str = "config-linux.resources.memory.useHierarchy.effect";
const MEMS: &str = "config-linux.resources.cpu.mems.effect";
const SHARES: &str = "config-linux.resources.cpu.shares.effect";

pub(super) const CASES: &[Case] = &[
    limit!(
        "pids/limit-is-set",
        "config-linux.resources.pids.limit.effect",
        "pids",
        || json!({"pids": {"limit": 77}}),
        Some((&["pids.max"], Found::Text("77"))),
        Some((&["pids.max"], Found::Text("77")))
    ),
    limit!(
        "pids/limit-of-minus-one-is-no-limit",
        "config-linux.resources.pids.unlimited",
        "pids",
        || json!({"pids": {"limit": -1}}),
        Some((&["pids.max"], Found::Text("max"))),
        Some((&["pids.max"], Found::Text("max")))
    ),
    limit!(
        "pids/limit-of-zero-is-zero",
        "config-linux.resources.pids.zero",
        "pids",
        || json!({"pids": {"limit": 0}}),
        Some((&["pids.max"], Found::Text("0"))),
        Some((&["pids.max"], Found::Text("0")))
    ),
    limit!(
        "pids/without-a-limit-there-is-none",
        "config-linux.resources.pids.limit.unset",
        "pids",
        || json!({"pids": {}}),
        Some((&["pids.max"], Found::Text("max"))),
        Some((&["pids.max"], Found::Text("max")))
    ),
    Case {
        id: "pids/limit-bounds-the-containers-processes",
        judges: &[PIDS],
        needs: &[Need::SharedKernel, Need::Controller("pids")],
        run: |trial| {
            trial.set("/linux/resources/pids/limit", 40);
            trial.probe(&["fork", "80"]);
            let lines = trial.run_to_end()?;
            let forked = told(&lines, "fork", &[])?.value["forked"].as_u64();
            let holds = forked.is_some_and(|forked| forked < 40);
            trial.expect_that(PIDS, holds, "fewer than 40 of 80 children", forked)
        },
    },
    limit!(
        "memory/limit-is-set",
        "config-linux.resources.memory.limit.effect",
        "memory",
        || json!({"memory": {"limit": 134_217_728}}),
        Some((&["memory.limit_in_bytes"], Found::Text("134217728"))),
        Some((&["memory.max"], Found::Text("134217728")))
    ),
    limit!(
        "memory/limit-of-minus-one-is-no-limit",
        "config-linux.resources.memory.unlimited",
        "memory",
        || json!({"memory": {"limit": -1}}),
        // The kernel rounds to pages; half of the greatest number is beyond any machine.
        Some((&["memory.limit_in_bytes"], Found::AtLeast(1 << 62))),
        Some((&["memory.max"], Found::Text("max")))
    ),
    limit!(
        "memory/reservation-is-set",
        "config-linux.resources.memory.reservation.effect",
        "memory",
        || json!({"memory": {"limit": 134_217_728, "reservation": 67_108_864}}),
        Some((&["memory.soft_limit_in_bytes"], Found::Text("67108864"))),
        Some((&["memory.low"], Found::Text("67108864")))
    ),
    limit!(
        "memory/swap-is-memory-and-swap-together",
        "config-linux.resources.memory.swap.effect",
        "memory",
        || json!({"memory": {"limit": 134_217_728, "swap": 201_326_592}}),
        Some((&["memory.memsw.limit_in_bytes"], Found::Text("201326592"))),
        Some((&["memory.swap.max"], Found::Text("67108864")))
    ),
    limit!(
        "memory/kernel-tcp-is-set",
        "config-linux.resources.memory.kernelTCP.effect",
        "memory",
        || json!({"memory": {"kernelTCP": 67_108_864}}),
        Some((&["memory.kmem.tcp.limit_in_bytes"], Found::Text("67108864"))),
        None
    ),
    limit!(
        "memory/swappiness-is-set",
        "config-linux.resources.memory.swappiness.effect",
        "memory",
        || json!({"memory": {"swappiness": 37}}),
        Some((&["memory.swappiness"], Found::Text("37"))),
        None
    ),
    limit!(
        "memory/oom-killer-is-disabled",
        "config-linux.resources.memory.disableOOMKiller.effect",
        "memory",
        || json!({"memory": {"limit": 134_217_728, "disableOOMKiller": true}}),
        Some((&["memory.oom_control"], Found::Line("oom_kill_disable 1"))),
        None
    ),
    limit!(
        "memory/oom-killer-is-enabled-by-default",
        "config-linux.resources.memory.disableOOMKiller.default",
        "memory",
        || json!({"memory": {"limit": 134_217_728}}),
        Some((&["memory.oom_control"], Found::Line("oom_kill_disable 0"))),
        None
    ),
    Case {
        id: "memory/hierarchy-is-used",
        judges: &[HIERARCHY],
        needs: &[Need::SharedKernel, Need::Controller("memory")],
        run: uses_hierarchy,
    },
    Case {
        id: "cpu/shares-are-set",
        judges: &[SHARES],
        needs: &[Need::SharedKernel, Need::Controller("cpu")],
        run: shares,
    },
    limit!(
        "cpu/quota-is-set",
        "config-linux.resources.cpu.quota.effect",
        "cpu",
        || json!({"cpu": {"quota": 45_000}}),
        Some((&["cpu.cfs_quota_us"], Found::Text("45000"))),
        Some((&["cpu.max"], Found::Text("45000 100000")))
    ),
    limit!(
        "cpu/period-is-set",
        "config-linux.resources.cpu.period.effect",
        "cpu",
        || json!({"cpu": {"quota": 45_000, "period": 50_000}}),
        Some((&["cpu.cfs_period_us"], Found::Text("50000"))),
        Some((&["cpu.max"], Found::Text("45000 50000")))
    ),
    limit!(
        "cpu/burst-is-set",
        "config-linux.resources.cpu.burst.effect",
        "cpu",
        || json!({"cpu": {"quota": 45_000, "period": 50_000, "burst": 20_000}}),
        Some((&["cpu.cfs_burst_us"], Found::Text("20000"))),
        Some((&["cpu.max.burst"], Found::Text("20000")))
    ),
    limit!(
        "cpu/idle-is-set",
        "config-linux.resources.cpu.idle.effect",
        "cpu",
        || json!({"cpu": {"idle": 1}}),
        Some((&["cpu.idle"], Found::Text("1"))),
        Some((&["cpu.idle"], Found::Text("1")))
    ),
    limit!(
        "cpu/realtime-period-is-set",
        "config-linux.resources.cpu.realtimePeriod.effect",
        "cpu",
        || json!({"cpu": {"realtimePeriod": 500_000}}),
        Some((&["cpu.rt_period_us"], Found::Text("500000"))),
        None
    ),
    Case {
        id: "cpu/cpus-are-those-listed",
        judges: &[CPUS],
        needs: &[Need::SharedKernel, Need::Controller("cpuset")],
        run: cpus,
    },
    Case {
        id: "cpu/mems-are-those-listed",
        judges: &[MEMS],
        needs: &[Need::SharedKernel, Need::Controller("cpuset")],
        run: mems,
    },
];

/// A cgroup below one that uses the hierarchy does so itself, as all do since Linux 5.11: there a
/// runtime has nothing to do, and nothing could show whether it did.
fn uses_hierarchy(trial: &mut Trial) -> Result<(), Stop> {
    const FILE: &str = "memory.use_hierarchy";
    let unified = hierarchy(trial, "memory")?;
    let root = trial.host().controller("memory");
    let root = root.map(|found| host::read(found.mount_point.join(FILE)));
    if unified || root.is_none_or(|text| text.trim_end() != "0") {
        return Err(Stop::Inapplicable(
            "cgroup v1 whose memory hierarchy is a choice".into(),
        ));
    }
    trial.set("/linux/resources/memory", json!({"useHierarchy": true}));
    let text = text_in_cgroup(trial, "memory", &[FILE])?;
    trial.expect(HIERARCHY, "1", text.trim_end())?;
    trial.finish()
}

/// v1 has the number itself. For v2 two formulas are in use: only that more shares give more weight
/// is judged.
fn shares(trial: &mut Trial) -> Result<(), Stop> {
    if !hierarchy(trial, "cpu")? {
        trial.set("/linux/resources/cpu/shares", 333);
        let text = text_in_cgroup(trial, "cpu", &["cpu.shares"])?;
        trial.expect(SHARES, "333", text.trim_end())?;
        return trial.finish();
    }
    let mut weights = Vec::new();
    for shares in [200, 20_000] {
        if shares != 200 {
            trial.another()?;
        }
        trial.set("/linux/resources/cpu/shares", shares);
        let text = text_in_cgroup(trial, "cpu", &["cpu.weight"])?;
        weights.push(text.trim_end().parse::<u64>().ok());
        trial.finish()?;
    }
    // The kernel's default stands between the two.
    let holds =
        weights[0].is_some_and(|low| low < 100) && weights[1].is_some_and(|high| high > 100);
    let expected = "cpu.weight below 100 for 200 shares and above for 20000";
    trial.expect_that(SHARES, holds, expected, weights)
}

/// One CPU of those that the harness may use, and what the process may use then.
fn cpus(trial: &mut Trial) -> Result<(), Stop> {
    hierarchy(trial, "cpuset")?;
    let allowed = allowed("Cpus_allowed_list:");
    let cpu = last(&allowed).to_owned();
    if cpu == allowed {
        return Err(Stop::Inapplicable("more than one CPU".into()));
    }
    trial.set("/linux/resources/cpu/cpus", cpu.clone());
    trial.probe(&["observe", "then", "pause"]);
    let text = read_in_cgroup(trial, "cpuset", &["cpuset.cpus"])?;
    trial.expect(CPUS, &cpu, text.trim_end())?;
    let lines = trial.report()?;
    let affinity = &told(&lines, "observe", &[])?.value["cpu_affinity"];
    let expected = json!([cpu.parse::<u32>().unwrap_or(0)]);
    trial.expect_in(
        CPUS,
        "the CPUs that the process may use",
        expected,
        affinity,
    )?;
    trial.finish()
}

/// One memory node of those that the harness may use. Where there is but one, only v2 tells whether
/// it was set: there a cgroup without nodes of its own shows none, and in v1 those of its parent.
fn mems(trial: &mut Trial) -> Result<(), Stop> {
    let unified = hierarchy(trial, "cpuset")?;
    let allowed = allowed("Mems_allowed_list:");
    let node = last(&allowed);
    if node == allowed && !unified {
        return Err(Stop::Inapplicable("more than one memory node".into()));
    }
    trial.set("/linux/resources/cpu/mems", node);
    let text = text_in_cgroup(trial, "cpuset", &["cpuset.mems"])?;
    trial.expect(MEMS, node, text.trim_end())?;
    trial.finish()
}

/// A list of what the harness may use, from `/proc/self/status`.
fn allowed(line: &str) -> String {
    let status = host::read("/proc/self/status");
    let list = status.lines().find_map(|text| text.strip_prefix(line));
    list.unwrap_or_default().trim().to_owned()
}

/// The last number of a list: the first is what a runtime that counts would give too.
fn last(list: &str) -> &str {
    list.rsplit([',', '-']).next().unwrap_or_default()
}

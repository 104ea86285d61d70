//! Choices that config-linux.md leaves to the runtime: told, not judged.

use serde_json::json;

use super::limits::kernel_has;
use crate::case::{Case, Need};
use crate::host;
use crate::trial::Trial;

const DEFAULT_PATH: &str = "config-linux.cgroupsPath.default";
const MECHANISM: &str = "config-linux.devices.mechanism";
const QUOTA_BELOW_BURST: &str = "config-linux.resources.cpu.quota-burst-error";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "choices/cgroup-without-a-cgroups-path",
        judges: &[DEFAULT_PATH],
        needs: &[Need::Root, Need::SharedKernel],
        run: |trial| {
            trial.remove("/linux/cgroupsPath");
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let pid = trial.pid().map_or("self".into(), |pid| pid.to_string());
            let places = host::read(format!("/proc/{pid}/cgroup"));
            let what = "the container process's cgroups without a cgroupsPath";
            trial.inform(DEFAULT_PATH, what, places)?;
            trial.finish()
        },
    },
    Case {
        id: "choices/how-default-devices-are-supplied",
        judges: &[MECHANISM],
        needs: &[],
        run: |trial| {
            let world = trial.observe()?;
            let mounts = world.mounts.iter().flatten();
            let mounted: Vec<_> = mounts
                .map(|mount| mount.mount_point.as_str())
                .filter(|place| place.starts_with("/dev/") && !place.starts_with("/dev/pts"))
                .collect();
            let what = "mounts below /dev: devices that are bind mounts, not nodes";
            trial.inform(MECHANISM, what, mounted)
        },
    },
    Case {
        id: "choices/cpu-quota-below-the-burst",
        judges: &[QUOTA_BELOW_BURST],
        needs: &[
            Need::Root,
            Need::SharedKernel,
            Need::Controller("cpu"),
            Need::Kernel(5, 14),
        ],
        run: |trial: &mut Trial| {
            kernel_has(trial, "cpu", &["cpu.cfs_burst_us", "cpu.max.burst"])?;
            let cpu = json!({"quota": 20_000, "period": 50_000, "burst": 30_000});
            trial.set("/linux/resources/cpu", cpu);
            let exit = trial.create()?;
            let what = "create with a cpu.quota smaller than cpu.burst";
            trial.inform(QUOTA_BELOW_BURST, what, exit.describe())?;
            match exit.succeeded() {
                true => trial.give_up(),
                false => Ok(()),
            }
        },
    },
];

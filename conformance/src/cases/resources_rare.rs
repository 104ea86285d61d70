//! Limits for which the host's kernel or a scheduler may have nothing: applied, or refused, but
//! never dropped without a word.
//!
//! create has to apply every property, or to end with an error. That the kernel lacks the file is
//! no excuse for a container that runs without its limit; a refusal is `unsupported`.

use serde_json::{Value, json};

use super::limits::{hierarchy, kernel_has, text_in_cgroup};
use crate::case::{Case, Need};
use crate::host;
use crate::trial::{Stop, Trial};

const LEAF_WEIGHT: &str = "config-linux.resources.blockIO.leafWeight.effect";
const WEIGHT_DEVICE: &str = "config-linux.resources.blockIO.weightDevice.effect";
const RT_RUNTIME: &str = "config-linux.resources.cpu.realtimeRuntime.effect";

const NEEDS: &[Need] = &[Need::Root, Need::SharedKernel];

pub(super) const CASES: &[Case] = &[
    Case {
        id: "block-io/leaf-weight-is-set-or-refused",
        judges: &[LEAF_WEIGHT],
        needs: NEEDS,
        run: |trial| {
            // That version 2 has no equivalent is the affair of conversion.
            if trial.host().cgroup() == "v2" {
                return Err(Stop::Inapplicable("the cgroup v1 controller blkio".into()));
            }
            trial.set("/linux/resources/blockIO/leafWeight", 321);
            is_there(trial, LEAF_WEIGHT, &["blkio.leaf_weight"], |text| {
                text.trim_end() == "321"
            })
        },
    },
    Case {
        id: "block-io/weight-of-a-device-is-set-or-refused",
        judges: &[WEIGHT_DEVICE],
        needs: NEEDS,
        run: |trial| {
            let Some((major, minor)) = super::resources_io::a_block_device() else {
                return Err(Stop::Inapplicable("a block device".into()));
            };
            let entry = json!({"major": major, "minor": minor, "weight": 321});
            trial.set("/linux/resources/blockIO/weightDevice", json!([entry]));
            let files = [
                "blkio.weight_device",
                "blkio.bfq.weight_device",
                "io.bfq.weight",
                "io.weight",
            ];
            let device = format!("{major}:{minor} ");
            // v2 has another scale, and two formulas lead there: any weight of the device will do.
            is_there(trial, WEIGHT_DEVICE, &files, |text| {
                text.lines().any(|line| line.starts_with(&device))
            })
        },
    },
    Case {
        id: "cpu/realtime-runtime-is-set",
        judges: &[RT_RUNTIME],
        needs: &[Need::Root, Need::SharedKernel, Need::CgroupV1("cpu")],
        run: realtime_runtime,
    },
];

/// Creates a container that pauses; if that is accepted, one of the files must be in the container's
/// cgroup and hold the value.
fn is_there(
    trial: &mut Trial,
    clause: &'static str,
    files: &[&str],
    holds: impl Fn(&str) -> bool,
) -> Result<(), Stop> {
    let controller = match trial.host().cgroup() {
        "v2" => "io",
        _ => "blkio",
    };
    hierarchy(trial, controller)?;
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let mut seen = json!({});
    for file in files {
        if let Some(path) = trial.cgroup_of(controller).map(|path| path.join(file))
            && path.exists()
        {
            seen[*file] = json!(host::read(path));
        }
    }
    let found = seen.as_object().into_iter().flatten();
    let found = found.filter_map(|(_, text)| Value::as_str(text)).any(holds);
    let expected = format!("the value in {}, or an error of create", files.join(" or "));
    trial.expect_that(clause, found, expected, seen)?;
    trial.finish()
}

/// Time of real-time tasks comes out of the share of the cgroup above, which has none at first: the
/// trial's own cgroups get some, as whoever hands out such shares has to.
fn realtime_runtime(trial: &mut Trial) -> Result<(), Stop> {
    const FILE: &str = "cpu.rt_runtime_us";
    /// Of every second; hosts give their root 950000.
    const OURS: &str = "20000";
    kernel_has(trial, "cpu", &[FILE])?;
    let place = trial
        .host()
        .controller("cpu")
        .map(|found| found.mount_point.clone());
    let own = trial
        .config
        .pointer("/linux/cgroupsPath")
        .and_then(Value::as_str);
    let (Some(mut place), Some(own)) = (place, own) else {
        return Err(Stop::Inapplicable("the cgroup controller cpu".into()));
    };
    let mut parents: Vec<&str> = own.trim_matches('/').split('/').collect();
    parents.pop();
    for name in parents {
        place.push(name);
        if let Err(error) = std::fs::create_dir(&place)
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(Stop::Broken(format!("mkdir {}: {error}", place.display())));
        }
        // Where other trials run at once the parent they share may have been given it already.
        if std::fs::write(place.join(FILE), OURS).is_err() {
            return Err(Stop::Inapplicable(
                "a share of real-time CPU to hand out".into(),
            ));
        }
    }
    trial.set("/linux/resources/cpu/realtimeRuntime", 5000);
    let text = text_in_cgroup(trial, "cpu", &[FILE])?;
    trial.expect(RT_RUNTIME, "5000", text.trim_end())?;
    trial.finish()
}

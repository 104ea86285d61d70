//! Limits for which the host's kernel or a scheduler may have nothing: applied, or refused, but
//! never dropped without a word.
//!
//! create has to apply every property, or to end with an error. That the kernel lacks the file is
//! no excuse for a container that runs without its limit: there, the error is what is judged.

use serde_json::{Value, json};

use super::limits::{hierarchy, kernel_has, text_in_cgroup};
use crate::case::{Case, Need};
use crate::host;
use crate::trial::{Refusal, Stop, Trial, When};

const LEAF_WEIGHT: &str = "config-linux.resources.blockIO.leafWeight.effect";
const WEIGHT_DEVICE: &str = "config-linux.resources.blockIO.weightDevice.effect";
const RT_RUNTIME: &str = "config-linux.resources.cpu.realtimeRuntime.effect";

const CANNOT_APPLY: &str = "runtime.create.cannot-apply.error";
const UNCHANGED: &str = "runtime.errors.unchanged";

const NEEDS: &[Need] = &[Need::Root, Need::SharedKernel];

pub(super) const CASES: &[Case] = &[
    Case {
        id: "block-io/leaf-weight-is-set-or-refused",
        judges: &[LEAF_WEIGHT, CANNOT_APPLY, UNCHANGED],
        needs: NEEDS,
        run: |trial| {
            // That version 2 has no equivalent is the affair of conversion.
            if trial.host().cgroup() == "v2" {
                return Err(Stop::Inapplicable("the cgroup v1 controller blkio".into()));
            }
            let limit = Limit {
                clause: LEAF_WEIGHT,
                pointer: "/linux/resources/blockIO/leafWeight",
                value: json!(321),
                files: &["blkio.leaf_weight"],
            };
            let has = kernel_has(trial, "blkio", limit.files).is_ok();
            limit.set_or_refused(trial, has, |text| text.trim_end() == "321")
        },
    },
    Case {
        id: "block-io/weight-of-a-device-is-set-or-refused",
        judges: &[WEIGHT_DEVICE, CANNOT_APPLY, UNCHANGED],
        needs: NEEDS,
        run: |trial| {
            let Some((major, minor)) = super::resources_io::a_block_device() else {
                return Err(Stop::Inapplicable("a block device".into()));
            };
            let entry = json!({"major": major, "minor": minor, "weight": 321});
            let limit = Limit {
                clause: WEIGHT_DEVICE,
                pointer: "/linux/resources/blockIO/weightDevice",
                value: json!([entry]),
                files: &[
                    "blkio.weight_device",
                    "blkio.bfq.weight_device",
                    "io.bfq.weight",
                    "io.weight",
                ],
            };
            let device = format!("{major}:{minor} ");
            let has = match trial.host().cgroup() {
                "v2" => limit.beside_a_throttle(trial, major, minor)?,
                _ => kernel_has(trial, "blkio", limit.files).is_ok(),
            };
            // v2 has another scale, and two formulas lead there: any weight of the device will do.
            limit.set_or_refused(trial, has, |text| {
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

/// A limit of block devices, and the files of a cgroup that may hold it.
struct Limit {
    clause: &'static str,
    pointer: &'static str,
    value: Value,
    files: &'static [&'static str],
}

impl Limit {
    /// Whether the kernel has one of the files. The root of version 2 cannot tell, so a container
    /// does that has the controller because of another limit.
    fn beside_a_throttle(&self, trial: &mut Trial, major: u64, minor: u64) -> Result<bool, Stop> {
        let throttle = json!([{"major": major, "minor": minor, "rate": 1_u64 << 30}]);
        trial.set("/linux/resources/blockIO/throttleReadBpsDevice", throttle);
        trial.probe(&["pause"]);
        trial.run_until_ready()?;
        let place = trial.cgroup_of("io");
        let has = |place: &std::path::PathBuf| {
            let has = |file: &&str| place.join(file).exists();
            self.files.iter().any(has)
        };
        let found = place.as_ref().is_some_and(has);
        trial.another()?;
        Ok(found)
    }

    /// In the container's cgroup, or refused where the kernel has none of the files.
    fn set_or_refused(
        self,
        trial: &mut Trial,
        kernel_has: bool,
        holds: impl Fn(&str) -> bool,
    ) -> Result<(), Stop> {
        let controller = match trial.host().cgroup() {
            "v2" => "io",
            _ => "blkio",
        };
        hierarchy(trial, controller)?;
        if !kernel_has {
            let refusal = Refusal {
                error: CANNOT_APPLY,
                nothing: Some(UNCHANGED),
                control: "runtime.create.new",
                when: When::Create,
                what: "a limit that this kernel has no file for",
            };
            return trial.refuses(&refusal, |bundle| bundle.set(self.pointer, self.value));
        }
        trial.set(self.pointer, self.value);
        trial.probe(&["pause"]);
        trial.run_until_ready()?;
        let mut seen = json!({});
        for file in self.files {
            if let Some(path) = trial.cgroup_of(controller).map(|path| path.join(file))
                && path.exists()
            {
                seen[*file] = json!(host::read(path));
            }
        }
        let found = seen.as_object().into_iter().flatten();
        let found = found.filter_map(|(_, text)| Value::as_str(text)).any(holds);
        let expected = format!(
            "the value in {}, or an error of create",
            self.files.join(" or ")
        );
        trial.expect_that(self.clause, found, expected, seen)?;
        trial.finish()
    }
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

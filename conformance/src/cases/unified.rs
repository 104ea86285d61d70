//! Values written to cgroup v2 as they are, what v2 has no equivalent of, and resctrl.

use serde_json::json;

use super::limits::{NOTHING, file_in_cgroup, pure_v2, refusal, text_in_cgroup};
use crate::case::{Case, Need};
use crate::host;
use crate::trial::{Stop, Trial};

const PIDS: &str = "config-linux.resources.pids.limit.effect";
const CONVERSION: &str = "config-linux.cgroup.v1-conversion-error";
const UNIFIED: &str = "config-linux.unified.effect";
const UNIFIED_ENABLED: &str = "config-linux.unified.controllers";
const UNIFIED_UNKNOWN: &str = "config-linux.unified.unknown-written";
const UNIFIED_MISSING: &str = "config-linux.unified.missing-controller";
const NO_RESCTRL: &str = "config-linux.intelRdt.no-resctrl";
const PLAIN: &str = "runtime.create.new";

/// A row of what cgroup v2 has no equivalent of: id, the offending value, and what it is.
macro_rules! no_equivalent {
    ($id:literal, $what:literal, $pointer:literal, $value:expr) => {
        Case {
            id: $id,
            judges: &[CONVERSION, PIDS, NOTHING],
            needs: &[Need::CgroupV2("pids")],
            run: |trial| {
                pure_v2(trial)?;
                trial.set("/linux/resources/pids/limit", 100);
                trial.refuses(&refusal(CONVERSION, PIDS, $what), |bundle| {
                    bundle.set($pointer, $value);
                })
            },
        }
    };
}

pub(super) const CASES: &[Case] = &[
    Case {
        id: "unified/values-are-written",
        judges: &[UNIFIED, UNIFIED_ENABLED, UNIFIED_UNKNOWN],
        needs: &[Need::SharedKernel, Need::CgroupV2("pids")],
        run: unified,
    },
    Case {
        id: "unified/an-absent-controller-is-an-error",
        judges: &[UNIFIED_MISSING, UNIFIED, NOTHING],
        needs: &[Need::CgroupV2("pids")],
        run: |trial| {
            pure_v2(trial)?;
            trial.set("/linux/resources/unified/pids.max", "88");
            let refusal = refusal(UNIFIED_MISSING, UNIFIED, "a controller that no kernel has");
            trial.refuses(&refusal, |bundle| {
                bundle.set("/linux/resources/unified/weather.max", "1");
            })
        },
    },
    Case {
        id: "unified/without-the-controller-in-v2-is-an-error",
        judges: &[UNIFIED_MISSING, PLAIN, NOTHING],
        needs: &[Need::SharedKernel, Need::CgroupV1("pids")],
        run: |trial| {
            let what = "a pids value where the controller is one of cgroup v1";
            trial.refuses(&refusal(UNIFIED_MISSING, PLAIN, what), |bundle| {
                bundle.set("/linux/resources/unified/pids.max", "88");
            })
        },
    },
    no_equivalent!(
        "cgroup-conversion/swappiness-on-v2-is-an-error",
        "memory.swappiness, which cgroup v2 lacks",
        "/linux/resources/memory/swappiness",
        37
    ),
    no_equivalent!(
        "cgroup-conversion/class-id-on-v2-is-an-error",
        "network.classID, which cgroup v2 lacks",
        "/linux/resources/network/classID",
        1_048_577
    ),
    no_equivalent!(
        "cgroup-conversion/leaf-weight-on-v2-is-an-error",
        "blockIO.leafWeight, which cgroup v2 lacks",
        "/linux/resources/blockIO/leafWeight",
        300
    ),
    Case {
        id: "intel-rdt/without-resctrl-is-an-error",
        judges: &[NO_RESCTRL, PLAIN, NOTHING],
        needs: &[Need::SharedKernel],
        run: |trial| {
            if host::read("/proc/self/mountinfo").contains(" - resctrl ") {
                return Err(Stop::Inapplicable(
                    "a host without a mounted resctrl".into(),
                ));
            }
            let what = "intelRdt without a mounted resctrl";
            trial.refuses(&refusal(NO_RESCTRL, PLAIN, what), |bundle| {
                bundle.set(
                    "/linux/intelRdt",
                    json!({"closID": "probe", "l3CacheSchema": "L3:0=1"}),
                );
            })
        },
    },
];

fn unified(trial: &mut Trial) -> Result<(), Stop> {
    pure_v2(trial)?;
    let values = json!({"pids.max": "88", "cgroup.max.descendants": "9"});
    trial.set("/linux/resources/unified", values);
    let text = text_in_cgroup(trial, "pids", &["pids.max"])?;
    trial.expect(UNIFIED, "88", text.trim_end())?;
    let text = file_in_cgroup(trial, "pids", &["cgroup.controllers"])?;
    let enabled = text.split_whitespace().any(|name| name == "pids");
    trial.expect_that(
        UNIFIED_ENABLED,
        enabled,
        "pids among cgroup.controllers",
        &text,
    )?;
    // A file of the core: no controller that a runtime has a property for owns it.
    let text = file_in_cgroup(trial, "pids", &["cgroup.max.descendants"])?;
    trial.expect(UNIFIED_UNKNOWN, "9", text.trim_end())?;
    trial.finish()
}

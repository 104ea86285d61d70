//! `memory.checkBeforeUpdate`, which is about new limits of a container that runs.
//!
//! The specification knows no update; a subject without one is not judged here.

use serde_json::json;

use super::limits::{file_in_cgroup, hierarchy};
use crate::case::{Case, Need};
use crate::trial::{Exit, Stop, Trial};

const REJECT: &str = "config-linux.resources.memory.checkBeforeUpdate.reject";
const MAY_CHECK: &str = "config-linux.resources.memory.checkBeforeUpdate.may";

const FILES: &[&str] = &["memory.max", "memory.limit_in_bytes"];
/// More than the probe uses.
const ENOUGH: u64 = 268_435_456;
/// Less than any process uses.
const TOO_LITTLE: u64 = 4096;

pub(super) const CASES: &[Case] = &[Case {
    id: "memory/an-update-below-the-usage-is-applied-or-rejected",
    judges: &[REJECT, MAY_CHECK],
    needs: &[Need::Root, Need::SharedKernel, Need::Controller("memory")],
    run: below_the_usage,
}];

/// Whether a runtime checks is its choice, and version 1's kernel checks by itself; what it cannot
/// choose is an error with the new limit set, or success without.
fn below_the_usage(trial: &mut Trial) -> Result<(), Stop> {
    hierarchy(trial, "memory")?;
    trial.set(
        "/linux/resources/memory",
        json!({"limit": 134_217_728, "checkBeforeUpdate": true}),
    );
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let control = update(trial, ENOUGH)?;
    if !control.succeeded() || limit(trial)? != ENOUGH.to_string() {
        trial.finish()?;
        return Err(Stop::Inapplicable(
            "a subject whose update sets a memory limit".into(),
        ));
    }
    let exit = update(trial, TOO_LITTLE)?;
    let what = "update to a limit below what is in use, with checkBeforeUpdate";
    trial.inform(MAY_CHECK, what, exit.describe())?;
    let (expected, says) = match exit.succeeded() {
        true => (TOO_LITTLE, "the limit after an update that succeeded"),
        false => (ENOUGH, "the limit after an update that was rejected"),
    };
    let limit = limit(trial)?;
    trial.expect_in(REJECT, says, expected.to_string(), limit)?;
    trial.finish()
}

fn update(trial: &mut Trial, limit: u64) -> Result<Exit, Stop> {
    let file = trial.directory().join("resources.json");
    let resources = json!({"memory": {"limit": limit, "checkBeforeUpdate": true}});
    trial.write_file(&file, &resources.to_string())?;
    let (file, id) = (file.display().to_string(), trial.id.clone());
    trial.operation(&["update", "--resources", &file, &id])
}

fn limit(trial: &Trial) -> Result<String, Stop> {
    Ok(file_in_cgroup(trial, "memory", FILES)?
        .trim_end()
        .to_owned())
}

//! What engines read: the log, ps, update from standard input, a paused container.

use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::cases::cli::{log_of_an_error, only_json};
use crate::cases::limits::file_in_cgroup;
use crate::trial::{Surroundings, Trial};

const LOG: &str = "engine.log.json";
const PS: &str = "engine.ps.json";
const UPDATE: &str = "engine.update.stdin";
const PAUSED: &str = "engine.paused";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "engine/log/its-last-error-has-the-message",
        judges: &[LOG],
        needs: &[],
        run: |trial| {
            let log = log_of_an_error(trial, &["--log-format", "json"])?;
            // containerd reads one value after the other, whatever is between them.
            let entries = serde_json::Deserializer::from_str(&log).into_iter::<Value>();
            let message = entries
                .filter_map(Result::ok)
                .filter(|entry| entry["level"] == "error")
                .filter_map(|entry| entry["msg"].as_str().map(str::to_owned))
                .last();
            let told = message
                .as_deref()
                .is_some_and(|message| !message.trim().is_empty());
            let says = "an entry of level error, the last of which has a msg";
            trial.expect_that(LOG, told, says, log)
        },
    },
    Case {
        id: "engine/ps/is-an-array-of-pids",
        judges: &[PS],
        needs: &[
            Need::Command("ps"),
            Need::SharedKernel,
            Need::Controller("pids"),
        ],
        run: |trial| {
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let id = trial.id.clone();
            // containerd's order of words.
            let exit = trial.operation(&["ps", "--format", "json", &id])?;
            let pids = only_json(&exit.stdout).unwrap_or_else(Value::String);
            let holds = pids.as_array().is_some_and(|pids| {
                pids.iter().all(|pid| pid.as_u64().is_some()) && pids.contains(&json!(trial.pid()))
            });
            let says = "a JSON array of numbers, the container process among them";
            trial.expect_that(PS, exit.succeeded() && holds, says, pids)?;
            trial.finish()
        },
    },
    Case {
        id: "engine/update/takes-limits-from-standard-input",
        judges: &[UPDATE],
        needs: &[
            Need::Command("update"),
            Need::SharedKernel,
            Need::Controller("pids"),
        ],
        run: |trial| {
            trial.set("/linux/resources", json!({"pids": {"limit": 20}}));
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let file = trial.directory.join("resources.json");
            trial.write_file(&file, r#"{"pids": {"limit": 34}}"#)?;
            let id = trial.id.clone();
            let surroundings = Surroundings {
                stdin: Some(&file),
                ..Surroundings::default()
            };
            let exit = trial.operation_with(&["update", "--resources", "-", &id], &surroundings)?;
            trial.expect_success(UPDATE, "update --resources -", &exit)?;
            let limit = file_in_cgroup(trial, "pids", &["pids.max"])?;
            trial.expect_in(UPDATE, "pids.max afterwards", "34", limit.trim())?;
            trial.finish()
        },
    },
    Case {
        id: "engine/paused/can-be-killed-and-deleted",
        judges: &[PAUSED],
        needs: &[Need::Command("pause"), Need::Root],
        run: |trial| {
            pause(trial)?;
            let id = trial.id.clone();
            let kill = trial.kill("KILL")?;
            trial.expect_success(PAUSED, "kill KILL of a paused container", &kill)?;
            let delete = trial.operation(&["delete", "--force", &id])?;
            let what = "delete --force of a paused container that was killed";
            trial.expect_success(PAUSED, what, &delete)?;
            is_gone(trial)?;
            trial.another()?;
            pause(trial)?;
            let id = trial.id.clone();
            let delete = trial.operation(&["delete", "--force", &id])?;
            trial.expect_success(PAUSED, "delete --force of a paused container", &delete)?;
            is_gone(trial)
        },
    },
];

fn pause(trial: &mut Trial) -> Result<(), crate::trial::Stop> {
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let id = trial.id.clone();
    let exit = trial.operation(&["pause", &id])?;
    trial.expect_success(PAUSED, "pause", &exit)?;
    let state = trial.state()?;
    trial.expect_in(PAUSED, "status", "paused", state.describe())
}

fn is_gone(trial: &mut Trial) -> Result<(), crate::trial::Stop> {
    trial.wait_gone_in_grace();
    let gone = trial.process_is_gone();
    trial.expect_in(PAUSED, "the process is gone", true, gone)?;
    trial.give_up()
}

//! list, ps, pause, resume, update, events, features and spec.

use serde_json::{Value, json};

use super::only_json;
use crate::case::{Case, Need};
use crate::cases::limits::file_in_cgroup;
use crate::trial::{Stop, Trial};

const LIST: &str = "cli.list.json";
const PS: &str = "cli.ps.json";
const PAUSE: &str = "cli.pause";
const RESUME: &str = "cli.resume";
const UPDATE: &str = "cli.update.resources";
const EVENTS: &str = "cli.events.stats";
const FEATURES: &str = "cli.features.json";
const SPEC: &str = "cli.spec.config";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "cli/list/has-every-container-below-the-root",
        judges: &[LIST],
        needs: &[Need::Command("list"), Need::StateRoot],
        run: |trial| {
            trial.must_create()?;
            let first = entry(trial, "created");
            trial.another()?;
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let second = entry(trial, "running");
            let exit = trial.operation(&["list", "--format", "json"])?;
            let listed = only_json(&exit.stdout);
            let mut entries: Vec<Value> = listed
                .as_ref()
                .ok()
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|one| {
                    json!({
                        "id": one["id"], "pid": one["pid"], "status": one["status"],
                        "bundle": one["bundle"],
                    })
                })
                .collect();
            entries.sort_by_key(|one| one["id"].to_string());
            match listed {
                Ok(_) => trial.expect(LIST, json!([first, second]), entries)?,
                Err(why) => trial.expect_that(LIST, false, "a JSON array", why)?,
            }
            trial.finish()?;
            trial.switch_to(0);
            trial.finish()
        },
    },
    Case {
        id: "cli/ps/has-the-pids-of-the-container",
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
            let exit = trial.operation(&["ps", "--format", "json", &id])?;
            let pids = only_json(&exit.stdout);
            let expected = json!([trial.pid()]);
            match pids {
                Ok(pids) => trial.expect(PS, expected, pids)?,
                Err(why) => trial.expect_that(PS, false, "a JSON array", why)?,
            }
            trial.finish()
        },
    },
    Case {
        id: "cli/pause/stops-the-processes-until-resume",
        judges: &[PAUSE, RESUME],
        needs: &[
            Need::Command("pause"),
            Need::Command("resume"),
            Need::SharedKernel,
            Need::Root,
        ],
        run: stops_until_resume,
    },
    Case {
        id: "cli/update/applies-limits-to-a-running-container",
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
            let before = file_in_cgroup(trial, "pids", &["pids.max"])?;
            let file = trial.directory.join("resources.json");
            trial.write_file(&file, r#"{"pids": {"limit": 33}}"#)?;
            let (path, id) = (file.display().to_string(), trial.id.clone());
            let exit = trial.operation(&["update", "--resources", &path, &id])?;
            trial.expect_success(UPDATE, "update --resources FILE", &exit)?;
            let after = file_in_cgroup(trial, "pids", &["pids.max"])?;
            let what = "pids.max before and after";
            trial.expect_in(UPDATE, what, ["20", "33"], [before.trim(), after.trim()])?;
            trial.finish()
        },
    },
    Case {
        id: "cli/events/stats-are-one-object",
        judges: &[EVENTS],
        needs: &[Need::Command("events"), Need::Root],
        run: |trial| {
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let id = trial.id.clone();
            let exit = trial.operation(&["events", "--stats", &id])?;
            trial.expect_success(EVENTS, "events --stats", &exit)?;
            let stats = only_json(&exit.stdout);
            let is_object = stats
                .as_ref()
                .is_ok_and(|stats| stats.as_object().is_some_and(|members| !members.is_empty()));
            let observed = stats.unwrap_or_else(Value::String);
            trial.expect_that(
                EVENTS,
                is_object,
                "a JSON object with something in it",
                observed,
            )?;
            trial.finish()
        },
    },
    Case {
        id: "cli/features/prints-the-document-and-nothing-else",
        judges: &[FEATURES],
        needs: &[Need::Command("features")],
        run: |trial| {
            let exit = trial.command(None, &["features"], None)?;
            trial.expect_success(FEATURES, "features", &exit)?;
            let document = only_json(&exit.stdout);
            let has = document.as_ref().is_ok_and(|document| {
                ["ociVersionMin", "ociVersionMax"]
                    .iter()
                    .all(|name| document[*name].is_string())
            });
            let observed = document.unwrap_or_else(Value::String);
            let says = "one JSON object with ociVersionMin and ociVersionMax";
            trial.expect_that(FEATURES, has, says, observed)
        },
    },
    Case {
        id: "cli/spec/writes-a-config-that-create-takes",
        judges: &[SPEC],
        needs: &[Need::Command("spec"), Need::Root, Need::DeviceRules],
        run: |trial| {
            let own_path = trial.config["linux"]["cgroupsPath"].clone();
            let bundle = trial.directory.clone();
            let exit = trial.operation_in(&bundle, &["spec"])?;
            trial.expect_success(SPEC, "spec in a directory without config.json", &exit)?;
            let written = only_json(&crate::host::read(bundle.join("config.json")));
            let says = "a config.json in the working directory, an object with process and root";
            let is_config = written
                .as_ref()
                .is_ok_and(|config| config["process"].is_object() && config["root"].is_object());
            trial.expect_that(SPEC, is_config, says, written.as_ref().err())?;
            let Some(config) = written.ok().filter(|_| is_config) else {
                return Ok(());
            };
            let given = config["process"]["capabilities"]["bounding"].as_array();
            let host = trial.host();
            let lacking = given.into_iter().flatten().filter_map(Value::as_str);
            // Before version 1.1.0 a capability that cannot be granted is an error.
            if let Some(name) = lacking
                .into_iter()
                .find(|name| !host.capabilities.contains(*name))
            {
                return Err(Stop::Inapplicable(name.to_owned()));
            }
            // The file system that it is given has one program, and no terminal is at hand.
            trial.config = config;
            trial.probe(&["observe"]);
            trial.set("/process/terminal", false);
            trial.set("/linux/cgroupsPath", own_path);
            trial.observe().map(|_| ())
        },
    },
];

/// What a list must say of the current container.
fn entry(trial: &mut Trial, status: &str) -> Value {
    json!({
        "id": trial.id, "pid": trial.pid(), "status": status, "bundle": trial.directory,
    })
}

/// A process that is stopped does not act on a signal until it goes on.
fn stops_until_resume(trial: &mut Trial) -> Result<(), Stop> {
    use nix::sys::signal::{Signal, kill};
    // How long a program that was not stopped has for ending.
    const MOMENT: std::time::Duration = std::time::Duration::from_millis(300);
    let id = trial.id.clone();
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let pause = trial.operation(&["pause", &id])?;
    trial.expect_success(PAUSE, "pause", &pause)?;
    if !pause.succeeded() {
        return trial.give_up();
    }
    let state = trial.state()?;
    trial.expect_in(PAUSE, "status afterwards", "paused", state.describe())?;
    let Some(pid) = trial.pid().map(nix::unistd::Pid::from_raw) else {
        return trial.give_up();
    };
    let _ = kill(pid, Signal::SIGTERM);
    let gone = crate::processes::wait_until_gone(pid, std::time::Instant::now() + MOMENT)
        .map_err(|error| Stop::Broken(format!("waiting for process {pid}: {error}")))?;
    trial.expect_in(PAUSE, "the program has acted on a signal", false, gone)?;
    if gone {
        return trial.give_up();
    }
    let resume = trial.operation(&["resume", &id])?;
    trial.expect_success(RESUME, "resume", &resume)?;
    trial.wait_gone_in_grace();
    let what = "the program has acted on the signal";
    trial.expect_in(RESUME, what, true, trial.process_is_gone())?;
    trial.give_up()?;
    trial.another()?;
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let id = trial.id.clone();
    let both = trial.operation(&["pause", &id])?.succeeded()
        && trial.operation(&["resume", &id])?.succeeded();
    trial.expect_in(RESUME, "pause and resume succeed", true, both)?;
    let state = trial.state()?;
    trial.expect_in(RESUME, "status afterwards", "running", state.describe())?;
    trial.finish()
}

//! exec.

use oci_probe::World;
use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::cases::told::told;
use crate::trial::{Exit, Stop, Trial};

const NAMESPACES: &str = "cli.exec.namespaces";
const STATUS: &str = "cli.exec.exit-status";
const PROCESS: &str = "cli.exec.process";
const PID_FILE: &str = "cli.exec.pid-file";
const CAPABILITIES: &str = "cli.exec.capabilities";
const STOPPED: &str = "cli.exec.stopped";

const NEEDS: &[Need] = &[Need::Command("exec")];

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "cli/exec/runs-in-the-container",
        judges: &[NAMESPACES],
        needs: NEEDS,
        run: |trial| {
            trial.set("/hostname", "of-the-container");
            trial.probe(&["observe", "then", "pause"]);
            trial.run_until_ready()?;
            let first = trial.world()?;
            let id = trial.id.clone();
            let exit = trial.operation(&["exec", &id, "/probe", "observe"])?;
            trial.expect_success(NAMESPACES, "exec of the probe", &exit)?;
            if exit.succeeded() {
                let second = world(&exit)?;
                // A kernel of the subject's own need not have numbers that mean anything.
                let shared = trial.profile().shared_kernel;
                let place = |world: &World| {
                    let cgroups = world.cgroups.iter().flatten();
                    let cgroups: Vec<_> = cgroups.map(|one| one.path.clone()).collect();
                    json!({
                        "hostname": world.hostname, "root": world.root_entries,
                        "namespaces": shared.then_some(&world.namespaces),
                        "cgroups": shared.then_some(cgroups),
                    })
                };
                let what = "where the first process and that of exec are";
                trial.expect_in(NAMESPACES, what, place(&first), place(&second))?;
            }
            trial.finish()
        },
    },
    Case {
        id: "cli/exec/exits-as-its-program-does",
        judges: &[STATUS],
        needs: NEEDS,
        run: |trial| {
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let id = trial.id.clone();
            for code in [0, 9] {
                let text = code.to_string();
                let exit = trial.operation(&["exec", &id, "/probe", "exit", &text])?;
                let what = format!("exit status of exec of a program that exits with {code}");
                trial.expect_in(STATUS, &what, code, exit.code)?;
            }
            trial.finish()
        },
    },
    Case {
        id: "cli/exec/takes-the-process-from-a-file",
        judges: &[PROCESS],
        needs: NEEDS,
        run: |trial| {
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let process = json!({
                "user": {"uid": 0, "gid": 0}, "cwd": "/tmp",
                "args": ["/probe", "observe", "--", "of the file"],
                "env": ["PATH=/", "OF_THE_FILE=yes"],
            });
            let exit = exec_process(trial, &process, &[])?;
            trial.expect_success(PROCESS, "exec --process FILE", &exit)?;
            if exit.succeeded() {
                let world = world(&exit)?;
                let has = world.env.iter().any(|one| one == "OF_THE_FILE=yes");
                let what = "arguments, directory, and whether the environment has the variable";
                trial.expect_in(
                    PROCESS,
                    what,
                    json!([process["args"], "/tmp", true]),
                    json!([world.args, world.cwd, has]),
                )?;
            }
            trial.finish()
        },
    },
    Case {
        id: "cli/exec/detached-writes-its-pid-and-returns",
        judges: &[PID_FILE],
        needs: &[
            Need::Command("exec"),
            Need::SharedKernel,
            Need::Capability("CAP_SYS_PTRACE"),
        ],
        run: |trial| {
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let file = trial.directory.join("exec-pid");
            let path = file.display().to_string();
            let mut process = trial.config["process"].clone();
            process["args"] = json!(["/probe", "pause"]);
            let exit = exec_process(trial, &process, &["--detach", "--pid-file", &path])?;
            trial.expect_success(PID_FILE, "exec --detach --pid-file FILE", &exit)?;
            if exit.succeeded() {
                let pid = crate::host::read(file);
                let first = trial.pid().unwrap_or(0).to_string();
                let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
                trial.expect_that(
                    PID_FILE,
                    pid != first
                        && namespace(&pid).is_some()
                        && namespace(&pid) == namespace(&first),
                    "the pid of another process in the container's mount namespace",
                    &pid,
                )?;
            }
            trial.finish()
        },
    },
    Case {
        id: "cli/exec/has-the-capabilities-of-its-process-object-or-the-containers",
        judges: &[CAPABILITIES],
        needs: NEEDS,
        run: |trial| {
            trial.probe(&["observe", "then", "pause"]);
            trial.run_until_ready()?;
            let of_container = json!(trial.world()?.capabilities);
            let kill = ["CAP_KILL"];
            let listed = json!({"bounding": kill, "permitted": kill, "effective": kill});
            let mut process = trial.config["process"].clone();
            process["args"] = json!(["/probe", "observe"]);
            process["capabilities"] = listed;
            let expected = json!({
                "bounding": kill, "permitted": kill, "effective": kill, "inheritable": [],
                "ambient": [],
            });
            let exit = exec_process(trial, &process, &[])?;
            let had = capabilities(&exit)?;
            let what = "with a process object that lists CAP_KILL";
            trial.expect_in(CAPABILITIES, what, expected, had)?;
            let id = trial.id.clone();
            let exit = trial.operation(&["exec", &id, "/probe", "observe"])?;
            let had = capabilities(&exit)?;
            let what = "without a process object";
            trial.expect_in(CAPABILITIES, what, of_container, had)?;
            trial.finish()
        },
    },
    Case {
        id: "cli/exec/in-a-stopped-container-is-an-error",
        judges: &[STOPPED],
        needs: NEEDS,
        run: |trial| {
            trial.must_create()?;
            trial.must_start()?;
            trial.wait_exit()?;
            let id = trial.id.clone();
            let exit = trial.operation(&["exec", &id, "/probe", "exit", "0"])?;
            trial.expect_error(STOPPED, "exec in a stopped container", &exit)?;
            trial.must_delete()
        },
    },
];

/// `exec --process FILE [OPTION]... ID`.
pub(in crate::cases) fn exec_process(
    trial: &mut Trial,
    process: &Value,
    options: &[&str],
) -> Result<Exit, Stop> {
    let file = trial.directory.join("process.json");
    trial.write_file(&file, &process.to_string())?;
    let (file, id) = (file.display().to_string(), trial.id.clone());
    let mut words = vec!["exec", "--process", &*file];
    words.extend(options);
    words.push(&id);
    trial.operation(&words)
}

/// The world that exec's program has told of on exec's standard output.
fn world(exit: &Exit) -> Result<World, Stop> {
    let lines = exit.lines();
    let line = told(&lines, "observe", &[])?;
    serde_json::from_value(line.value.clone())
        .map_err(|error| Stop::NoReport(format!("the program's report: {error}")))
}

fn capabilities(exit: &Exit) -> Result<Value, Stop> {
    match exit.succeeded() {
        true => Ok(json!(world(exit)?.capabilities)),
        false => Ok(exit.describe()),
    }
}

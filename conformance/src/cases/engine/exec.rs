//! exec as containerd's shim and conmon call it.

use serde_json::json;

use crate::case::{Case, Need};
use crate::cases::cli::exec_process;
use crate::trial::{Stop, Trial};

const PROCESS_FILE: &str = "engine.exec.process-file";
const SOCKET: &str = "engine.exec.console-socket";
const CGROUP: &str = "engine.exec.cgroup";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "engine/exec/detached-starts-the-process-and-returns",
        judges: &[PROCESS_FILE],
        needs: &[Need::Command("exec")],
        run: |trial| {
            trial.bind_out();
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let pid_file = trial.directory.join("exec-pid").display().to_string();
            let mut process = trial.config["process"].clone();
            process["args"] = json!(["/probe", "record", "/out/exec", "ran", "then", "pause"]);
            let exit = exec_process(trial, &process, &["--detach", "--pid-file", &pid_file])?;
            let what = "exec --process FILE --detach --pid-file FILE";
            trial.expect_success(PROCESS_FILE, what, &exit)?;
            if exit.succeeded() {
                let pid = crate::host::read(&pid_file).parse::<u32>();
                trial.expect_in(PROCESS_FILE, "the file has a pid", true, pid.is_ok())?;
                let record = trial.out().join("exec");
                let deadline = trial.deadline();
                while !record.exists() && std::time::Instant::now() < deadline {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                trial.expect_in(PROCESS_FILE, "its program has run", true, record.exists())?;
            }
            trial.finish()
        },
    },
    Case {
        id: "engine/exec/console-socket-gets-its-terminal",
        judges: &[SOCKET],
        needs: &[Need::Command("exec")],
        run: exec_with_a_terminal,
    },
    Case {
        id: "engine/exec/counts-against-the-containers-limits",
        judges: &[CGROUP],
        needs: &[
            Need::Command("exec"),
            Need::SharedKernel,
            Need::Controller("pids"),
        ],
        run: |trial| {
            trial.set("/linux/resources", json!({"pids": {"limit": 30}}));
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let mut process = trial.config["process"].clone();
            process["args"] = json!(["/probe", "fork", "60"]);
            let exit = exec_process(trial, &process, &[])?;
            let lines = exit.lines();
            let line = crate::cases::told::told(&lines, "fork", &[])?;
            let forked = line.value["forked"].as_u64();
            trial.expect_that(
                CGROUP,
                forked.is_some_and(|forked| forked < 30),
                "fewer than 30 processes, the limit of the container",
                json!({"forked": forked, "errno": line.errno}),
            )?;
            trial.finish()
        },
    },
];

fn exec_with_a_terminal(trial: &mut Trial) -> Result<(), Stop> {
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let mut process = trial.config["process"].clone();
    process["args"] = json!(["/probe", "observe", "then", "pause"]);
    process["terminal"] = json!(true);
    let pid_file = trial.directory.join("exec-pid").display().to_string();
    let (exit, terminal) = trial.with_terminal(|trial, socket| {
        let options = [
            "--detach",
            "--pid-file",
            &pid_file,
            "--console-socket",
            socket,
        ];
        exec_process(trial, &process, &options)
    })?;
    let what = "exec --console-socket PATH of a process with a terminal";
    trial.expect_success(SOCKET, what, &exit)?;
    let what = "a descriptor came over the socket";
    trial.expect_in(SOCKET, what, true, terminal.is_some())?;
    if let Some(mut terminal) = terminal {
        let lines = trial.read_terminal(&mut terminal, "observe")?;
        let line = lines.iter().find(|line| line.verb == "observe");
        let streams = line.map(|line| line.value["terminal"]["streams"].clone());
        let what = "streams of the process that are the terminal";
        trial.expect_in(SOCKET, what, json!([0, 1, 2]), streams)?;
    }
    trial.finish()
}

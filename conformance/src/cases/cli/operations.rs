//! create, state and kill beyond what the suite `spec` takes for granted; run.

use serde_json::{Value, json};

use super::only_json;
use crate::case::{Case, Need};
use crate::cases::told::told;
use crate::trial::{Stop, Surroundings, Trial};

const BUNDLE: &str = "cli.create.bundle";
const BUNDLE_DEFAULT: &str = "cli.create.bundle-default";
const PID_FILE: &str = "cli.create.pid-file";
const SOCKET: &str = "cli.create.console-socket";
const SOCKET_REQUIRED: &str = "cli.create.console-socket.required";
const STDIO: &str = "cli.create.stdio";
const SILENT: &str = "cli.create.stdout-silent";
const DESCRIPTORS: &str = "cli.create.preserve-fds";
const STATE: &str = "cli.state.stdout";
const POSITIONAL: &str = "cli.kill.positional";
const NAMES: &str = "cli.kill.names";
const DEFAULT: &str = "cli.kill.default";
const RUN_STATUS: &str = "cli.run.exit-status";
const RUN_REMOVES: &str = "cli.run.removes";
const RUN_DETACH: &str = "cli.run.detach";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "cli/create/takes-the-bundle-from-its-option",
        judges: &[BUNDLE],
        needs: &[],
        run: |trial| {
            // Elsewhere there is a bundle too, which is not the one to take.
            let other = trial.directory.clone();
            trial.probe(&["observe", "--", "of the working directory"]);
            trial.write_config()?;
            trial.another()?;
            trial.probe(&["observe", "--", "of the option"]);
            trial.write_config()?;
            let (bundle, id) = (trial.directory.display().to_string(), trial.id.clone());
            let words = ["create", "--bundle", &bundle, &id];
            let marker = create_in(trial, &words, &other)?;
            trial.expect_in(BUNDLE, "the program that ran", "of the option", marker)
        },
    },
    Case {
        id: "cli/create/takes-the-working-directory-for-the-bundle",
        judges: &[BUNDLE_DEFAULT],
        needs: &[],
        run: |trial| {
            trial.probe(&["observe", "--", "of the working directory"]);
            trial.write_config()?;
            let (bundle, id) = (trial.directory.clone(), trial.id.clone());
            let marker = create_in(trial, &["create", &id], &bundle)?;
            let expected = "of the working directory";
            trial.expect_in(BUNDLE_DEFAULT, "the program that ran", expected, marker)
        },
    },
    Case {
        id: "cli/create/pid-file-has-the-pid-in-digits",
        judges: &[PID_FILE],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            let text = crate::host::read(trial.pid_file());
            let pid = trial.state()?.pid().map(|pid| pid.to_string());
            trial.expect_in(
                PID_FILE,
                "content of the file, and the state's pid",
                pid,
                text,
            )?;
            trial.finish()
        },
    },
    Case {
        id: "cli/create/console-socket-gets-the-terminal",
        judges: &[SOCKET],
        needs: &[],
        run: |trial| {
            trial.set("/process/terminal", true);
            let (exit, terminal) = trial.create_with_terminal()?;
            trial.expect_success(SOCKET, "create with a console socket", &exit)?;
            if !exit.succeeded() {
                return Ok(());
            }
            let what = "a descriptor came over the socket";
            trial.expect_in(SOCKET, what, true, terminal.is_some())?;
            let Some(mut terminal) = terminal else {
                return trial.give_up();
            };
            trial.must_start()?;
            let lines = trial.read_terminal(&mut terminal, "observe")?;
            let told = lines.iter().any(|line| line.verb == "observe");
            trial.expect_in(SOCKET, "the program's report came through it", true, told)?;
            trial.wait_exit()?;
            trial.must_delete()
        },
    },
    Case {
        id: "cli/create/terminal-without-a-console-socket-is-an-error",
        judges: &[SOCKET_REQUIRED],
        needs: &[],
        run: |trial| {
            trial.set("/process/terminal", true);
            let exit = trial.create()?;
            let what = "create of a container with a terminal, without a console socket";
            trial.expect_error(SOCKET_REQUIRED, what, &exit)?;
            if exit.succeeded() {
                return trial.give_up();
            }
            trial.another()?;
            trial.run_to_end().map(|_| ())
        },
    },
    Case {
        id: "cli/create/gives-its-streams-to-the-program-and-says-nothing",
        judges: &[STDIO, SILENT],
        needs: &[],
        run: |trial| {
            trial.probe(&["observe", "--", "to the streams"]);
            let exit = trial.create()?;
            trial.expect_success(STDIO, "create", &exit)?;
            if !exit.succeeded() {
                return Ok(());
            }
            trial.expect_in(
                SILENT,
                "standard output when create returns",
                "",
                &exit.stdout,
            )?;
            trial.must_start()?;
            trial.wait_exit()?;
            let told = trial
                .report()?
                .iter()
                .filter(|line| line.verb == "observe")
                .count();
            let what = "reports of the program on the standard output that create was given";
            trial.expect_in(STDIO, what, 1, told)?;
            trial.must_delete()
        },
    },
    Case {
        id: "cli/create/preserve-fds-passes-descriptors",
        judges: &[DESCRIPTORS],
        needs: &[],
        run: |trial| {
            let file = trial.directory.join("given");
            trial.write_file(&file, "given")?;
            trial.probe(&["observe", "then", "read", "/proc/self/fd/3"]);
            trial.write_config()?;
            let (bundle, id) = (trial.directory.display().to_string(), trial.id.clone());
            let words = ["create", "--bundle", &bundle, "--preserve-fds", "1", &id];
            let third = Surroundings {
                third: Some(&file),
                ..Surroundings::default()
            };
            let exit = trial.bring_up(&words, &third)?;
            trial.expect_success(DESCRIPTORS, "create --preserve-fds 1", &exit)?;
            if !exit.succeeded() {
                return Ok(());
            }
            trial.must_start()?;
            trial.wait_exit()?;
            let open: Vec<i32> = trial
                .world()?
                .descriptors
                .iter()
                .map(|one| one.fd)
                .collect();
            trial.expect_in(DESCRIPTORS, "open descriptors", json!([0, 1, 2, 3]), open)?;
            trial.must_delete()
        },
    },
    Case {
        id: "cli/state/is-one-json-object-on-standard-output",
        judges: &[STATE],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            let state = trial.state()?;
            let id = trial.id.clone();
            match only_json(&state.exit.stdout) {
                Ok(document) => trial.expect_in(STATE, "its id", id, &document["id"])?,
                Err(why) => trial.expect_that(STATE, false, "one JSON object", why)?,
            }
            trial.finish()
        },
    },
    Case {
        id: "cli/kill/takes-the-signal-as-its-second-argument",
        judges: &[POSITIONAL],
        needs: &[],
        run: |trial| {
            let came = signal_that_came(trial, &["USR1"])?;
            trial.expect_in(POSITIONAL, "what kill ID USR1 sends", "SIGUSR1", came)
        },
    },
    Case {
        id: "cli/kill/takes-names-with-and-without-SIG-and-numbers",
        judges: &[NAMES],
        needs: &[],
        run: |trial| {
            for (number, signal) in ["SIGUSR1", "USR1", "10"].into_iter().enumerate() {
                if number > 0 {
                    trial.another()?;
                }
                let came = signal_that_came(trial, &[signal])?;
                let what = format!("what kill ID {signal} sends");
                trial.expect_in(NAMES, &what, "SIGUSR1", came)?;
            }
            Ok(())
        },
    },
    Case {
        id: "cli/kill/sends-TERM-by-default",
        judges: &[DEFAULT],
        needs: &[],
        run: |trial| {
            let came = signal_that_came(trial, &[])?;
            trial.expect_in(DEFAULT, "what kill ID sends", "SIGTERM", came)
        },
    },
    Case {
        id: "cli/run/exits-as-the-program-does-and-leaves-nothing",
        judges: &[RUN_STATUS, RUN_REMOVES],
        needs: &[Need::Command("run")],
        run: |trial| {
            trial.probe(&["exit", "7"]);
            run_exits_with(trial, "a program that exits with 7", 7)
        },
    },
    Case {
        id: "cli/run/exits-with-128-and-the-number-of-the-signal",
        judges: &[RUN_STATUS, RUN_REMOVES],
        needs: &[Need::Command("run")],
        run: |trial| {
            // The first process of a pid namespace cannot end itself by a signal.
            trial.drop_namespace("pid");
            if !trial.host().root() {
                // A user namespace may mount the procfs of no pid namespace but its own.
                let proc = json!({"destination": "/proc", "type": "none", "source": "/proc", "options": ["rbind"]});
                trial.set("/mounts/0", proc);
            }
            trial.probe(&["abort", "TERM"]);
            run_exits_with(trial, "a program that SIGTERM ends", 128 + 15)
        },
    },
    Case {
        id: "cli/run/detach-returns-while-the-program-runs",
        judges: &[RUN_DETACH],
        needs: &[Need::Command("run")],
        run: |trial| {
            trial.probe(&["pause"]);
            trial.write_config()?;
            let (bundle, id) = (trial.directory.display().to_string(), trial.id.clone());
            let pid_file = trial.pid_file().display().to_string();
            let words = [
                "run",
                "--detach",
                "--bundle",
                &bundle,
                "--pid-file",
                &pid_file,
                &id,
            ];
            let exit = trial.bring_up(&words, &Surroundings::default())?;
            trial.expect_success(RUN_DETACH, "run --detach", &exit)?;
            if !exit.succeeded() {
                return Ok(());
            }
            trial.wait_ready()?;
            let state = trial.state()?;
            trial.expect_in(RUN_DETACH, "status afterwards", "running", state.describe())?;
            trial.finish()
        },
    },
];

/// Creates the current container by these words in a directory, runs it to its end, and returns
/// the last argument of its program.
fn create_in(
    trial: &mut Trial,
    words: &[&str],
    directory: &std::path::Path,
) -> Result<Option<String>, Stop> {
    let surroundings = Surroundings {
        directory: Some(directory),
        ..Surroundings::default()
    };
    let exit = trial.bring_up(words, &surroundings)?;
    if !exit.succeeded() {
        return Err(Stop::Refused {
            operation: "create",
            exit: Box::new(exit),
        });
    }
    trial.must_start()?;
    trial.wait_exit()?;
    let marker = trial.world()?.args.pop();
    trial.must_delete()?;
    Ok(marker)
}

/// The signal that reaches a program, of a kill with these further words.
fn signal_that_came(trial: &mut Trial, words: &[&str]) -> Result<Value, Stop> {
    trial.probe(&["await-signal"]);
    trial.run_until_ready()?;
    let id = trial.id.clone();
    let mut all = vec!["kill", &*id];
    all.extend(words);
    let exit = trial.operation(&all)?;
    if !exit.succeeded() {
        trial.give_up()?;
        return Ok(exit.describe());
    }
    trial.wait_exit()?;
    let lines = trial.report()?;
    trial.must_delete()?;
    Ok(told(&lines, "await-signal", &[])?.value["signal"].clone())
}

fn run_exits_with(trial: &mut Trial, whose: &str, status: i32) -> Result<(), Stop> {
    trial.write_config()?;
    let (bundle, id) = (trial.directory.display().to_string(), trial.id.clone());
    let exit = trial.operation(&["run", "--bundle", &bundle, &id])?;
    trial.expect_in(
        RUN_STATUS,
        &format!("exit status of run of {whose}"),
        status,
        exit.code,
    )?;
    let state = trial.state()?;
    let what = format!("state of the container of {whose}, after run");
    trial.expect_error(RUN_REMOVES, &what, &state.exit)?;
    if state.exit.succeeded() {
        return trial.give_up();
    }
    let left = trial.left_behind_in_time();
    trial.expect_in(RUN_REMOVES, "what is left behind", json!([]), left)
}

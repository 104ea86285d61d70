//! Creating, killing and deleting as containerd's shim, conmon and their engines do it.

use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::processes;
use crate::trial::{Stop, Trial};

const REPARENT: &str = "engine.create.reparent";
const PID_FILE: &str = "engine.create.pid-file-complete";
const NO_PIVOT: &str = "engine.create.no-pivot";
const KEYRING: &str = "engine.create.no-new-keyring";
const STOPPED: &str = "engine.state.stopped-after-exit";
const ANNOTATIONS: &str = "engine.state.annotations";
const FORCE_RUNNING: &str = "engine.delete.force.running";
const FORCE_CREATED: &str = "engine.delete.force.created";
const FORCE_ABSENT: &str = "engine.delete.force.absent";
const DELETE_CREATED: &str = "engine.delete.created";
const KILL_ALL: &str = "engine.kill.all";
const KILL_STOPPED: &str = "engine.kill.stopped";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "engine/create/leaves-the-process-to-the-nearest-subreaper",
        judges: &[REPARENT],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            // The trial's keeper is the first process of its pid namespace, or a subreaper.
            let status = crate::host::read(format!("/proc/{}/status", trial.pid().unwrap_or(0)));
            let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
            let keeper = std::process::id().to_string();
            let what = "parent of the container process once create has returned";
            trial.expect_in(REPARENT, what, keeper, parent.map(str::trim))?;
            trial.finish()
        },
    },
    Case {
        id: "engine/create/pid-file-is-complete-when-it-returns",
        judges: &[PID_FILE],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            let text = crate::host::read(trial.pid_file());
            // containerd takes digits only, no line end.
            let pid = text
                .parse::<u32>()
                .ok()
                .filter(|_| text.starts_with(|c: char| c.is_ascii_digit()));
            let exists =
                pid.is_some_and(|pid| std::path::Path::new(&format!("/proc/{pid}")).exists());
            let says = "the pid of a process, in digits and nothing else";
            trial.expect_that(PID_FILE, exists, says, text)?;
            trial.finish()
        },
    },
    Case {
        id: "engine/create/no-pivot-starts-the-container",
        judges: &[NO_PIVOT],
        needs: &[],
        run: |trial| {
            let exit = trial.create_with(&["--no-pivot"])?;
            trial.expect_success(NO_PIVOT, "create --no-pivot", &exit)?;
            if !exit.succeeded() {
                return Ok(());
            }
            trial.must_start()?;
            trial.wait_exit()?;
            let root = trial.world()?.root_entries;
            let has = |name: &str| root.iter().any(|entry| entry == name);
            let says = "the container's root: the probe, and not the host's /usr";
            trial.expect_that(NO_PIVOT, has("probe") && !has("usr"), says, &root)?;
            trial.must_delete()
        },
    },
    Case {
        id: "engine/create/no-new-keyring-keeps-the-callers",
        judges: &[KEYRING],
        needs: &[Need::SharedKernel],
        run: |trial| {
            let own = crate::sys::join_session_keyring().map_err(|error| {
                Stop::Inapplicable(format!(
                    "a session keyring for the caller (keyctl: {error})"
                ))
            })?;
            let what = "the session keyring of a container that was given none of its own";
            let told = keyring(trial)?;
            trial.expect_in(KEYRING, what, json!([null, own]), told)
        },
    },
    Case {
        id: "engine/state/is-stopped-at-once-when-the-process-has-been-waited-for",
        judges: &[STOPPED],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            trial.must_start()?;
            // The keeper waits for the process as conmon and the shim do.
            trial.wait_gone_in_grace();
            let state = trial.state()?;
            let what = "status right after the exit was collected";
            trial.expect_in(STOPPED, what, "stopped", state.describe())?;
            trial.finish()
        },
    },
    Case {
        id: "engine/state/hands-back-annotations",
        judges: &[ANNOTATIONS],
        needs: &[],
        run: |trial| {
            let given = json!({
                "io.kubernetes.cri-o.ContainerType": "sandbox",
                "io.podman.annotations.autoremove": "FALSE",
                "org.example.empty": "",
            });
            trial.set("/annotations", given.clone());
            trial.must_create()?;
            annotations_are(trial, &given, "after create")?;
            trial.must_start()?;
            trial.wait_exit()?;
            annotations_are(trial, &given, "after the exit")?;
            trial.must_delete()
        },
    },
    Case {
        id: "engine/delete/force-of-a-running-container-ends-it",
        judges: &[FORCE_RUNNING],
        needs: &[],
        run: |trial| {
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            is_gone_by_force(trial, FORCE_RUNNING)
        },
    },
    Case {
        id: "engine/delete/force-of-a-created-container-ends-it",
        judges: &[FORCE_CREATED],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            is_gone_by_force(trial, FORCE_CREATED)
        },
    },
    Case {
        id: "engine/delete/force-of-an-absent-container-succeeds",
        judges: &[FORCE_ABSENT],
        needs: &[],
        run: |trial| {
            let id = trial.id.clone();
            let exit = trial.operation(&["delete", "--force", &id])?;
            let what = "delete --force of an id never created";
            trial.expect_success(FORCE_ABSENT, what, &exit)
        },
    },
    Case {
        id: "engine/delete/of-a-created-container-ends-it",
        judges: &[DELETE_CREATED],
        needs: &[],
        run: delete_of_a_created_container,
    },
    Case {
        id: "engine/kill/all-reaches-every-process",
        judges: &[KILL_ALL],
        needs: &[
            Need::Command("exec"),
            Need::SharedKernel,
            Need::Controller("pids"),
        ],
        run: kill_all,
    },
    Case {
        id: "engine/kill/of-a-stopped-container-fails-and-says-so",
        judges: &[KILL_STOPPED],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            trial.must_start()?;
            trial.wait_exit()?;
            let exit = trial.kill("KILL")?;
            trial.expect_error(KILL_STOPPED, "kill of a stopped container", &exit)?;
            let silent = exit.stderr.trim().is_empty();
            let what = "nothing is said on standard error";
            trial.expect_in(KILL_STOPPED, what, false, silent)?;
            trial.must_delete()
        },
    },
];

/// The session keyring that a program has after `create --no-new-keyring`.
fn keyring(trial: &mut Trial) -> Result<Value, Stop> {
    trial.probe(&["keyring"]);
    let exit = trial.create_with(&["--no-new-keyring"])?;
    if !exit.succeeded() {
        return Err(Stop::Refused {
            operation: "create",
            exit: Box::new(exit),
        });
    }
    trial.must_start()?;
    trial.wait_exit()?;
    let lines = trial.report()?;
    trial.must_delete()?;
    let line = crate::cases::told::told(&lines, "keyring", &[])?;
    Ok(json!([line.errno, line.value["serial"]]))
}

fn annotations_are(trial: &mut Trial, given: &Value, when: &str) -> Result<(), Stop> {
    let state = trial.state()?;
    let told = state.document.unwrap_or_default();
    let given = given.as_object().into_iter().flatten();
    let missing: Vec<&String> = given
        .filter(|(name, value)| told["annotations"][name.as_str()] != **value)
        .map(|(name, _)| name)
        .collect();
    let what = format!("annotations that the state lacks {when}");
    trial.expect_in(ANNOTATIONS, &what, json!([]), missing)
}

fn is_gone_by_force(trial: &mut Trial, clause: &'static str) -> Result<(), Stop> {
    let id = trial.id.clone();
    let exit = trial.operation(&["delete", "--force", &id])?;
    trial.expect_success(clause, "delete --force", &exit)?;
    is_gone(trial, clause)?;
    trial.give_up()
}

/// Judges that the container, its process and what create made are no more.
fn is_gone(trial: &mut Trial, clause: &'static str) -> Result<(), Stop> {
    trial.wait_gone_in_grace();
    let gone = trial.process_is_gone();
    trial.expect_in(clause, "the container process is gone", true, gone)?;
    let state = trial.state()?;
    trial.expect_error(clause, "state afterwards", &state.exit)?;
    let left = trial.left_behind_in_time();
    trial.expect_in(clause, "what is left behind", json!([]), left)
}

/// What the specification asks for is an error; a runtime that is configured for engines deletes.
/// What is neither helps nobody.
fn delete_of_a_created_container(trial: &mut Trial) -> Result<(), Stop> {
    trial.must_create()?;
    let exit = trial.operation(&["delete", &trial.id.clone()])?;
    if exit.succeeded() {
        is_gone(trial, DELETE_CREATED)?;
        return trial.give_up();
    }
    let state = trial.state()?;
    let refused = state.status() == Some("created") && !trial.process_is_gone();
    trial.give_up()?;
    if refused {
        let need =
            "a subject as an engine configures it: this one refuses, as the specification asks";
        return Err(Stop::Inapplicable(need.into()));
    }
    let says = "the container deleted, or an error that leaves it created";
    trial.expect_that(DELETE_CREATED, false, says, state.describe())
}

/// A container without a pid namespace of its own, so that its first process takes none along.
fn kill_all(trial: &mut Trial) -> Result<(), Stop> {
    trial.drop_namespace("pid");
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let file = trial.directory.join("exec-pid");
    let (path, id) = (file.display().to_string(), trial.id.clone());
    let words = [
        "exec",
        "--detach",
        "--pid-file",
        &path,
        &id,
        "/probe",
        "pause",
    ];
    let exit = trial.operation(&words)?;
    let second = crate::host::read(file).trim().parse().ok();
    let Some(second) = second
        .filter(|_| exit.succeeded())
        .map(nix::unistd::Pid::from_raw)
    else {
        trial.give_up()?;
        return Err(Stop::Inapplicable("exec --detach --pid-file".into()));
    };
    trial.kill("KILL")?;
    trial.wait_gone_in_grace();
    let exit = trial.operation(&["kill", "--all", &id, "KILL"])?;
    let what = "kill --all once the container process has exited";
    trial.expect_success(KILL_ALL, what, &exit)?;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    let gone = processes::wait_until_gone(second, deadline)
        .map_err(|error| Stop::Broken(format!("waiting for process {second}: {error}")))?;
    trial.expect_in(
        KILL_ALL,
        "the other process of the container is gone",
        true,
        gone,
    )?;
    trial.give_up()
}

//! runtime.md, Scope of a Container, State and Lifecycle, over a container's whole life: what the
//! status is when, whose the operations are, what an id stands for.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::trial::{State, Stop, Trial};

const CREATED: &str = "runtime.state.status.created";
const RUNNING: &str = "runtime.state.status.running";
const STOPPED: &str = "runtime.state.status.stopped";
const OWN_VALUES: &str = "runtime.state.status.additional-new";
const DUPLICATE: &str = "runtime.create.duplicate-id.error";
const INTACT: &str = "runtime.create.duplicate-id.none";
const UNIQUE: &str = "runtime.state.id.unique-host";
const INVALID_ID: &str = "runtime.create.invalid-id.error";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "state/status-follows-the-lifecycle",
        judges: &[CREATED, RUNNING, STOPPED, OWN_VALUES],
        needs: &[],
        run: |trial| {
            trial.probe(&["pause"]);
            trial.must_create()?;
            status_is(trial, CREATED, "created", "after create")?;
            status_is(trial, CREATED, "created", "when asked again")?;
            trial.must_start()?;
            trial.wait_ready()?;
            status_is(trial, RUNNING, "running", "while the program runs")?;
            trial.kill("TERM")?;
            trial.wait_gone_in_grace();
            status_is(trial, STOPPED, "stopped", "after the program has exited")?;
            trial.finish()
        },
    },
    Case {
        id: "state/status-is-stopped-however-the-process-ended",
        judges: &[STOPPED, OWN_VALUES],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            // Whether that may be refused is judged where it is about kill.
            if trial.kill("KILL")?.succeeded() {
                trial.wait_gone_in_grace();
                let what = "after the process of a created container was killed";
                status_is(trial, STOPPED, "stopped", what)?;
            }
            trial.give_up()?;
            trial.another()?;
            trial.probe(&["exit", "7"]);
            trial.must_create()?;
            trial.must_start()?;
            trial.wait_gone_in_grace();
            let what = "after the program has failed";
            status_is(trial, STOPPED, "stopped", what)?;
            trial.finish()
        },
    },
    Case {
        id: "scope/the-creator-can-use-every-operation",
        judges: &["runtime.scope.creator"],
        needs: &[],
        run: |trial| {
            let clause = "runtime.scope.creator";
            trial.probe(&["pause"]);
            trial.must_create()?;
            let state = trial.state()?;
            trial.expect_success(clause, "state, by who called create", &state.exit)?;
            let start = trial.start()?;
            trial.expect_success(clause, "start, by who called create", &start)?;
            if !start.succeeded() {
                return trial.give_up();
            }
            trial.wait_ready()?;
            let kill = trial.kill("KILL")?;
            trial.expect_success(clause, "kill, by who called create", &kill)?;
            if !kill.succeeded() {
                return trial.give_up();
            }
            trial.wait_exit()?;
            let delete = trial.delete()?;
            trial.expect_success(clause, "delete, by who called create", &delete)?;
            match delete.succeeded() {
                true => Ok(()),
                false => trial.give_up(),
            }
        },
    },
    Case {
        id: "state/before-1.1-pid-is-as-the-host-sees-it",
        judges: &["runtime.state.pid.host-view"],
        needs: &[Need::SharedKernel],
        run: |trial| {
            // The program sees itself as 1 of its pid namespace; the trial's, which stands for the
            // host's, has another number for it.
            trial.probe(&["observe", "then", "pause"]);
            trial.run_until_ready()?;
            let world = trial.world()?;
            let state = trial.state()?;
            let seen = state
                .pid()
                .and_then(|pid| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok())
                .map(|link| link.display().to_string());
            let inode = world.namespaces.get("pid");
            trial.expect_in(
                "runtime.state.pid.host-view",
                "pid namespace of the process that the host knows by this pid, and the program's",
                inode.map(|inode| format!("pid:[{inode}]")),
                seen,
            )?;
            trial.finish()
        },
    },
    Case {
        id: "state/before-1.0.2-ociVersion-is-that-of-creation",
        judges: &["runtime.state.ociVersion.creation"],
        needs: &[],
        run: |trial| {
            let clause = "runtime.state.ociVersion.creation";
            trial.probe(&["pause"]);
            trial.must_create()?;
            let first = version_of(&trial.state()?);
            trial.expect_that(
                clause,
                first.as_str().is_some_and(|text| text.starts_with("1.")),
                "a version that a container of version 1 can be created by",
                &first,
            )?;
            trial.set("/ociVersion", "1.0.99");
            trial.write_config()?;
            trial.by_hand("# ociVersion in config.json is now 1.0.99");
            trial.must_start()?;
            trial.wait_ready()?;
            let later = version_of(&trial.state()?);
            let what = "ociVersion after create, and after config.json was given another";
            trial.expect_in(clause, what, first, later)?;
            trial.finish()
        },
    },
    Case {
        id: "create/of-an-id-in-use-leaves-the-created-container-intact",
        judges: &[DUPLICATE, INTACT, UNIQUE],
        needs: &[],
        run: |trial| {
            let first = 0;
            trial.probe(&["observe", "--", "first"]);
            trial.must_create()?;
            create_another_of_its_id(trial, "of a created container")?;
            trial.switch_to(first);
            status_of_first(trial, "created")?;
            trial.must_start()?;
            trial.wait_exit()?;
            let ran = trial.world()?.args.pop();
            trial.expect_in(INTACT, "the program that start ran", "first", ran)?;
            create_another_of_its_id(trial, "of a stopped container")?;
            trial.switch_to(first);
            status_of_first(trial, "stopped")?;
            trial.must_delete()?;
            let state = trial.state()?;
            let what = "state of the id once its one container is deleted";
            trial.expect_error(UNIQUE, what, &state.exit)
        },
    },
    Case {
        // Which ids are valid is the runtime's to say (stand 8); that an error makes no container
        // and success makes one is not.
        id: "create/takes-an-odd-id-or-makes-no-container",
        judges: &[INVALID_ID],
        needs: &[Need::StateRoot],
        run: |trial| {
            let long = "x".repeat(300);
            for (number, id) in ["with blank", "ünï", ":", &long].into_iter().enumerate() {
                if number > 0 {
                    trial.another()?;
                }
                trial.id = id.to_owned();
                let exit = trial.create()?;
                let state = trial.state()?;
                let what = format!("an id of {} bytes, {:.12?}…", id.len(), id);
                if exit.succeeded() {
                    let known = state.document.as_ref().and_then(|state| state.get("id"));
                    let what = format!("id in the state, after create has accepted {what}");
                    trial.expect_in(INVALID_ID, &what, id, known)?;
                    trial.give_up()?;
                } else {
                    let what = format!("state, after create has refused {what}");
                    trial.expect_error(INVALID_ID, &what, &state.exit)?;
                    let left = trial.left_behind_in_time();
                    let what = format!("what is left of {what}");
                    trial.expect_in(INVALID_ID, &what, json!([]), left)?;
                }
            }
            trial.another()?;
            trial.run_to_end().map(|_| ())
        },
    },
    Case {
        id: "create/makes-the-environment-that-config-describes",
        judges: &["runtime.lifecycle.env.created"],
        needs: &[],
        run: |trial| {
            let clause = "runtime.lifecycle.env.created";
            trial.set("/hostname", "described");
            trial.set("/root/readonly", true);
            trial.mount(json!({
                "destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]
            }));
            let world = trial.observe()?;
            trial.expect_in(clause, "host name", "described", &world.hostname)?;
            let mounts = world.mounts.unwrap_or_default();
            let top = |place: &str| mounts.iter().rfind(|mount| mount.mount_point == place);
            let type_of = |place: &str| top(place).map(|mount| mount.fs_type.clone());
            trial.expect_in(
                clause,
                "type of what is mounted at /proc, /dev and /mnt",
                json!(["proc", "tmpfs", "tmpfs"]),
                json!([type_of("/proc"), type_of("/dev"), type_of("/mnt")]),
            )?;
            let options = top("/").map(|root| root.options.clone());
            trial.expect_that(
                clause,
                options.iter().flatten().any(|option| option == "ro"),
                "a root that is mounted read-only",
                options,
            )
        },
    },
    Case {
        id: "start/runs-the-program-that-process-describes",
        judges: &["runtime.lifecycle.start.program"],
        needs: &[],
        run: |trial| {
            let clause = "runtime.lifecycle.start.program";
            trial.set(
                "/process/args",
                json!(["/probe", "observe", "--", "described"]),
            );
            trial.set("/process/cwd", "/tmp");
            trial.set("/process/env/-", "DESCRIBED=yes");
            let lines = trial.run_to_end()?;
            let runs = lines.iter().filter(|line| line.verb == "observe").count();
            trial.expect_in(clause, "how often the program was run", 1, runs)?;
            let world = trial.world()?;
            let args = trial.config["process"]["args"].clone();
            trial.expect_in(clause, "its arguments", args, &world.args)?;
            trial.expect_in(clause, "its directory", "/tmp", &world.cwd)?;
            let given = world.env.iter().any(|one| one == "DESCRIBED=yes");
            trial.expect_in(clause, "its environment has what is given", true, given)
        },
    },
    Case {
        id: "config/the-order-of-members-means-nothing",
        judges: &["glossary.json.order"],
        needs: &[],
        run: |trial| {
            trial.set("/hostname", "described");
            trial.set("/process/cwd", "/tmp");
            let first = told_by(trial)?;
            trial.another()?;
            trial.set("/hostname", "described");
            trial.set("/process/cwd", "/tmp");
            trial.config = reversed(trial.config.take());
            let second = told_by(trial)?;
            let what = "what the program sees, with the members in order and in reverse";
            trial.expect_in("glossary.json.order", what, first, second)
        },
    },
];

/// Judges the status that holds for certain: it has that value, and none of the runtime's own
/// (stand 11), which would stand for a state that the specification describes.
fn status_is(
    trial: &mut Trial,
    clause: &'static str,
    expected: &str,
    when: &str,
) -> Result<(), Stop> {
    // A process that is gone may not have been waited for yet; every other status holds at once.
    let state = match expected {
        "stopped" => stopped_in_grace(trial)?,
        _ => trial.state()?,
    };
    let message = format!("status {when}");
    trial.expect_in(clause, &message, expected, state.describe())?;
    let of_the_four = ["creating", "created", "running", "stopped"];
    let own = state
        .status()
        .filter(|status| !of_the_four.contains(status));
    let message = format!("a status of the runtime's own {when}");
    trial.expect_in(OWN_VALUES, &message, json!(null), own)
}

fn stopped_in_grace(trial: &mut Trial) -> Result<State, Stop> {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if trial.quietly(Trial::state)?.status() == Some("stopped") {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    trial.state()
}

fn version_of(state: &State) -> Value {
    let document = state.document.as_ref();
    document.map_or(Value::Null, |document| document["ociVersion"].clone())
}

/// Tries to create a container with the id of the current one and another program, and judges the
/// error. The other container stays the current one.
fn create_another_of_its_id(trial: &mut Trial, whose: &str) -> Result<(), Stop> {
    let id = trial.id.clone();
    trial.another()?;
    trial.id = id;
    trial.probe(&["observe", "--", "second"]);
    let exit = trial.create()?;
    trial.expect_error(DUPLICATE, &format!("create with the id {whose}"), &exit)
}

/// Judges that the id still stands for the first container, which is as it was.
fn status_of_first(trial: &mut Trial, status: &str) -> Result<(), Stop> {
    let state = trial.state()?;
    let bundle = state
        .document
        .as_ref()
        .and_then(|state| state.get("bundle"));
    let first = trial.directory.canonicalize().ok();
    let same = bundle
        .and_then(Value::as_str)
        .is_some_and(|path| std::fs::canonicalize(path).ok() == first);
    let what = "the state's bundle is that of the first container";
    trial.expect_in(UNIQUE, what, true, same)?;
    trial.expect_in(INTACT, "status afterwards", status, state.describe())
}

/// What a container's program sees, without what differs between any two containers.
fn told_by(trial: &mut Trial) -> Result<Value, Stop> {
    let world = trial.observe()?;
    let mounts = world.mounts.unwrap_or_default();
    let mounts: Vec<_> = mounts
        .iter()
        .map(|mount| json!([mount.mount_point, mount.fs_type, mount.options]))
        .collect();
    Ok(json!({
        "args": world.args, "env": world.env, "cwd": world.cwd, "hostname": world.hostname,
        "capabilities": world.capabilities.effective, "mounts": mounts,
        "namespaces": world.namespaces.keys().collect::<Vec<_>>(), "pid": world.pid,
    }))
}

/// The value with the members of every object in reverse.
fn reversed(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .rev()
                .map(|(name, value)| (name, reversed(value)))
                .collect(),
        ),
        Value::Array(entries) => Value::Array(entries.into_iter().map(reversed).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_reversed_and_entries_are_not() {
        let value = json!({"a": 1, "b": [{"c": 2, "d": 3}, 4]});
        let text = r#"{"b":[{"d":3,"c":2},4],"a":1}"#;
        assert_eq!(reversed(value).to_string(), text);
    }
}

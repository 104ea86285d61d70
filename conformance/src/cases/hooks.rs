//! config.md, POSIX-platform Hooks, and the steps of runtime.md's lifecycle that invoke them.

use oci_probe::HookRecord;
use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::trial::{Stop, Trial};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "hooks/run-at-their-steps-in-order",
        judges: &[
            "runtime.lifecycle.createRuntime.invoke",
            "runtime.lifecycle.createContainer.invoke",
            "runtime.lifecycle.startContainer.invoke",
            "runtime.lifecycle.poststart.invoke",
            "runtime.lifecycle.poststop.invoke",
            "runtime.lifecycle.hook-step-order",
            "config.hooks.createRuntime.timing",
            "config.hooks.createContainer.timing",
            "config.hooks.createContainer.after-createRuntime",
            "config.hooks.startContainer.timing",
            "config.hooks.poststart.timing-before-return",
            "config.hooks.poststop.timing-before-return",
            "config.hooks.order",
        ],
        needs: &[],
        run: run_at_their_steps,
    },
    Case {
        id: "hooks/prestart/runs-in-create-before-createRuntime",
        judges: &[
            "runtime.lifecycle.prestart.invoke",
            "config.hooks.prestart.timing",
            "config.hooks.prestart.before-createRuntime",
        ],
        needs: &[],
        run: prestart_before_create_runtime,
    },
    Case {
        id: "hooks/prestart/before-1.0.2-runs-in-start",
        judges: &["config.hooks.prestart.timing-start"],
        needs: &[],
        run: |trial| {
            trial.hook("prestart", "prestart", &[]);
            trial.must_create()?;
            let early = tags(&trial.hook_records()?);
            trial.must_start()?;
            trial.wait_exit()?;
            let all = tags(&trial.hook_records()?);
            trial.expect_in(
                "config.hooks.prestart.timing-start",
                "prestart hooks that had run when create returned, and when start had",
                json!([[], ["prestart"]]),
                json!([early, all]),
            )?;
            trial.must_delete()
        },
    },
    described("prestart"),
    described("createRuntime"),
    described("createContainer"),
    described("startContainer"),
    described("poststart"),
    described("poststop"),
    Case {
        id: "hooks/createRuntime/failure-stops-and-destroys",
        judges: &[
            "runtime.lifecycle.createRuntime.fail.error",
            "runtime.lifecycle.createRuntime.fail.stop",
            "runtime.lifecycle.createRuntime.fail.destroy",
        ],
        needs: &[],
        run: |trial| fails_in_create(trial, "createRuntime"),
    },
    Case {
        id: "hooks/createContainer/failure-stops-and-destroys",
        judges: &[
            "runtime.lifecycle.createContainer.fail.error",
            "runtime.lifecycle.createContainer.fail.stop",
            "runtime.lifecycle.createContainer.fail.destroy",
        ],
        needs: &[],
        run: |trial| fails_in_create(trial, "createContainer"),
    },
    Case {
        id: "hooks/prestart/failure-stops-and-destroys",
        judges: &[
            "runtime.lifecycle.prestart.fail.error",
            "runtime.lifecycle.prestart.fail.stop",
            "runtime.lifecycle.prestart.fail.destroy",
        ],
        needs: &[],
        run: |trial| match trial.binds("config.hooks.prestart.timing") {
            true => fails_in_create(trial, "prestart"),
            false => prestart_fails_in_create_or_start(trial),
        },
    },
    Case {
        id: "hooks/startContainer/failure-stops-and-destroys",
        judges: &[
            "runtime.lifecycle.startContainer.fail.error",
            "runtime.lifecycle.startContainer.fail.stop",
            "runtime.lifecycle.startContainer.fail.destroy",
        ],
        needs: &[],
        run: |trial| fails_in_start(trial, "startContainer"),
    },
    Case {
        id: "hooks/poststart/failure-stops-and-destroys",
        judges: &[
            "runtime.lifecycle.poststart.fail.error",
            "runtime.lifecycle.poststart.fail.stop",
            "runtime.lifecycle.poststart.fail.destroy",
        ],
        needs: &[],
        run: |trial| match trial.binds("runtime.lifecycle.poststart.fail.error") {
            true => fails_in_start(trial, "poststart"),
            false => Err(Stop::Inapplicable("a claim of 1.3.0 or newer".into())),
        },
    },
    Case {
        id: "hooks/poststart/before-1.3-failure-is-a-warning",
        judges: &[
            "runtime.lifecycle.poststart.fail.warn",
            "runtime.lifecycle.poststart.fail.continue",
        ],
        needs: &[],
        run: poststart_failure_is_a_warning,
    },
    Case {
        id: "hooks/poststop/failure-is-a-warning",
        judges: &[
            "runtime.lifecycle.poststop.fail.warn",
            "runtime.lifecycle.poststop.fail.continue",
            "runtime.warnings.flow",
        ],
        needs: &[],
        run: poststop_failure_is_a_warning,
    },
    Case {
        id: "hooks/poststop/runs-after-the-container-is-gone",
        judges: &["config.hooks.poststop.timing-after"],
        needs: &[Need::SharedKernel],
        run: |trial| {
            trial.hook("poststop", "poststop", &[]);
            trial.run_to_end()?;
            let records = trial.hook_records()?;
            let Some(record) = records.first() else {
                return Err(Stop::NoReport("no poststop hook ran".into()));
            };
            let cgroup = trial.cgroup_of("pids");
            trial.expect_in(
                "config.hooks.poststop.timing-after",
                "the process that the state's pid names, seen from the hook",
                json!(null),
                json!(record.state_pid_exists.filter(|exists| *exists)),
            )?;
            trial.expect_in(
                "config.hooks.poststop.timing-after",
                "the container's cgroup when delete has returned",
                json!(null),
                json!(cgroup),
            )
        },
    },
    Case {
        id: "hooks/createRuntime/timeout-counts-as-failure",
        judges: &["config.hooks.createRuntime.timeout.effect"],
        needs: &[],
        run: |trial| {
            trial.hook("createRuntime", "slow", &["hang"]);
            let timeout = trial.hook_timeout();
            trial.set("/hooks/createRuntime/0/timeout", timeout);
            let exit = trial.create()?;
            let clause = "config.hooks.createRuntime.timeout.effect";
            let what = format!("create whose hook hangs beyond its timeout of {timeout} s");
            trial.expect_error(clause, &what, &exit)?;
            let ran = tags(&trial.hook_records()?);
            trial.expect_in(clause, "hooks that were begun", json!(["slow"]), ran)?;
            if exit.succeeded() {
                trial.give_up()
            } else {
                Ok(())
            }
        },
    },
];

/// A case that judges how hooks of a kind are run: where, with which arguments, environment and
/// state.
const fn described(kind: &'static str) -> Case {
    macro_rules! row {
        ($kind:literal, $pid:literal) => {
            Case {
                id: concat!("hooks/", $kind, "/is-run-as-described"),
                judges: &[
                    concat!("config.hooks.", $kind, ".stdin-state"),
                    concat!("config.hooks.", $kind, ".path.resolve"),
                    concat!("config.hooks.", $kind, ".namespace"),
                    concat!("config.hooks.", $kind, ".args.effect"),
                    concat!("config.hooks.", $kind, ".env.effect"),
                    "config.hooks.stdin-state.status",
                    $pid,
                ],
                needs: &[],
                run: |trial| is_run_as_described(trial, $kind),
            }
        };
    }
    match kind.as_bytes() {
        b"prestart" => row!("prestart", "runtime.state.pid.hook-runtime-ns"),
        b"createRuntime" => row!("createRuntime", "runtime.state.pid.hook-runtime-ns"),
        b"createContainer" => row!("createContainer", "runtime.state.pid.hook-container-ns"),
        b"startContainer" => row!("startContainer", "runtime.state.pid.hook-container-ns"),
        b"poststart" => row!("poststart", "runtime.state.pid.hook-runtime-ns"),
        _ => row!("poststop", "runtime.lifecycle.poststop.invoke"),
    }
}

/// Clause ids of a kind's table row: the case declares them as literals, here they are found again.
fn clause(trial: &Trial, kind: &str, what: &str) -> &'static str {
    let id = format!("config.hooks.{kind}.{what}");
    trial.declared_clause(&id)
}

fn run_at_their_steps(trial: &mut Trial) -> Result<(), Stop> {
    const KINDS: [&str; 5] = [
        "createRuntime",
        "createContainer",
        "startContainer",
        "poststart",
        "poststop",
    ];
    trial.bind_out();
    for kind in KINDS {
        // A poststart hook that does not wait for the startContainer hooks shows itself while this
        // one is waiting.
        let behaviour: &[&str] = match kind {
            "startContainer" => &["wait-for", "poststart 1", "300"],
            _ => &[],
        };
        trial.hook(kind, &format!("{kind} 1"), behaviour);
        trial.hook(kind, &format!("{kind} 2"), &[]);
    }
    trial.probe(&["record", "/out/hooks", "program", "then", "pause"]);
    trial.must_create()?;
    let after_create = tags(&trial.hook_records()?);
    trial.must_start()?;
    let after_start = tags(&trial.hook_records()?);
    trial.wait_ready()?;
    let running = tags(&trial.hook_records()?);
    trial.kill("KILL")?;
    trial.wait_exit()?;
    let before_delete = tags(&trial.hook_records()?);
    trial.must_delete()?;
    let all = tags(&trial.hook_records()?);

    for kind in KINDS {
        let ran: Vec<&String> = all.iter().filter(|tag| tag.starts_with(kind)).collect();
        let invoke = trial.declared_clause(&format!("runtime.lifecycle.{kind}.invoke"));
        trial.expect_in(invoke, "how often its two hooks ran", 2, ran.len())?;
        if ran.len() == 2 {
            let expected = [format!("{kind} 1"), format!("{kind} 2")];
            trial.expect_in("config.hooks.order", kind, &expected[..], &ran)?;
        }
    }
    let has = |tags: &[String], tag: &str| tags.iter().any(|t| t == tag);
    let place = |tag: &str| all.iter().position(|t| t == tag);
    for kind in ["createRuntime", "createContainer"] {
        if place(&format!("{kind} 2")).is_some() {
            let timing = trial.declared_clause(&format!("config.hooks.{kind}.timing"));
            let done = has(&after_create, &format!("{kind} 2"));
            trial.expect_in(
                timing,
                "both hooks have run when create returns",
                true,
                done,
            )?;
        }
    }
    if let (Some(earlier), Some(later)) = (place("createRuntime 2"), place("createContainer 1")) {
        let clause = "config.hooks.createContainer.after-createRuntime";
        trial.expect_that(
            clause,
            earlier < later,
            "createRuntime before createContainer",
            &all,
        )?;
    }
    if let (Some(hook), Some(program)) = (place("startContainer 2"), place("program")) {
        let clause = "config.hooks.startContainer.timing";
        let in_start = !has(&after_create, "startContainer 1");
        let expected = "startContainer hooks after create has returned and before the program";
        trial.expect_that(clause, in_start && hook < program, expected, &running)?;
    }
    if place("poststart 2").is_some() {
        let clause = "config.hooks.poststart.timing-before-return";
        let done = has(&after_start, "poststart 2") && !has(&after_create, "poststart 1");
        let expected = "poststart hooks have run when start returns, and not when create does";
        trial.expect_that(
            clause,
            done,
            expected,
            json!({"create": after_create, "start": after_start}),
        )?;
    }
    if place("poststop 2").is_some() {
        let clause = "config.hooks.poststop.timing-before-return";
        let done = !has(&before_delete, "poststop 1");
        let expected = "poststop hooks have run when delete returns, and not before delete";
        trial.expect_that(
            clause,
            done,
            expected,
            json!({"before delete": before_delete, "after": all}),
        )?;
    }
    // The program's own record may come after poststart's: the hook waits for the exec only.
    let hooks: Vec<&String> = all.iter().filter(|tag| *tag != "program").collect();
    let mut ordered = hooks.clone();
    ordered.sort_by_key(|tag| KINDS.iter().position(|kind| tag.starts_with(kind)));
    trial.expect("runtime.lifecycle.hook-step-order", &ordered, &hooks)
}

fn prestart_before_create_runtime(trial: &mut Trial) -> Result<(), Stop> {
    trial.hook("prestart", "prestart", &[]);
    trial.hook("createRuntime", "createRuntime", &[]);
    trial.must_create()?;
    let after_create = tags(&trial.hook_records()?);
    trial.must_start()?;
    trial.wait_exit()?;
    let all = tags(&trial.hook_records()?);
    let count = all.iter().filter(|tag| *tag == "prestart").count();
    trial.expect_in(
        "runtime.lifecycle.prestart.invoke",
        "how often the hook ran",
        1,
        count,
    )?;
    if count == 1 {
        let in_create = after_create.iter().any(|tag| tag == "prestart");
        let clause = "config.hooks.prestart.timing";
        trial.expect_in(
            clause,
            "the hook has run when create returns",
            true,
            in_create,
        )?;
        // 1.0.2 says so of runtimes only that run prestart hooks in create.
        let is_ordered = in_create || trial.binds("config.hooks.prestart.timing");
        if is_ordered && all.iter().any(|tag| tag == "createRuntime") {
            let clause = "config.hooks.prestart.before-createRuntime";
            trial.expect(clause, json!(["prestart", "createRuntime"]), &all)?;
        }
    }
    trial.must_delete()
}

/// Runs one hook with arguments and an environment, and a program that tells its namespaces.
fn is_run_as_described(trial: &mut Trial, kind: &'static str) -> Result<(), Stop> {
    trial.bind_out();
    trial.hook(kind, "a tag with blanks", &[]);
    let args = trial.config["hooks"][kind][0]["args"].clone();
    trial.set(
        &format!("/hooks/{kind}/0/env"),
        json!(["HOOK=set", "EMPTY="]),
    );
    trial.probe(&["observe", "then", "pause"]);
    trial.run_until_ready()?;
    let world = trial.world()?;
    let pid = trial.pid();
    trial.finish()?;
    let records = trial.hook_records()?;
    let resolve = clause(trial, kind, "path.resolve");
    trial.expect_in(resolve, "how often the hook ran", 1, records.len())?;
    let Some(record) = records.into_iter().next() else {
        return Ok(());
    };

    let expected_args = clause(trial, kind, "args.effect");
    trial.expect(expected_args, &args, &record.args)?;
    let env = clause(trial, kind, "env.effect");
    // A runtime may add variables of its own; the given ones must be there as they are.
    let given = ["HOOK=set", "EMPTY="]
        .iter()
        .all(|given| record.env.iter().any(|one| one == given));
    trial.expect_that(
        env,
        given,
        "an environment with HOOK=set and EMPTY=",
        &record.env,
    )?;

    judge_state(trial, kind, &record)?;
    if trial.profile().shared_kernel {
        judge_namespaces(trial, kind, &record, &world)?;
        judge_pid(trial, kind, &record, (pid, world.pid))?;
    }
    Ok(())
}

fn judge_state(trial: &mut Trial, kind: &'static str, record: &HookRecord) -> Result<(), Stop> {
    let stdin = clause(trial, kind, "stdin-state");
    let Some(state) = &record.state else {
        return trial.expect_that(
            stdin,
            false,
            "the state as JSON on standard input",
            &record.stdin,
        );
    };
    let (id, directory) = (trial.id.clone(), trial.directory.clone());
    let bundle = state.get("bundle").and_then(Value::as_str);
    // Another spelling of the same directory is as good, as long as it is absolute.
    let same = bundle.is_some_and(|path| {
        path.starts_with('/') && std::fs::canonicalize(path).ok() == directory.canonicalize().ok()
    });
    let expected = json!({"id": id, "bundle": directory});
    trial.expect_that(
        stdin,
        same && state.get("id").and_then(Value::as_str) == Some(&*id),
        format!("a state with {expected}"),
        json!({"id": state.get("id"), "bundle": bundle}),
    )?;
    // Stand 6: create-time hooks may be told `creating` or `created`.
    let allowed: &[&str] = match kind {
        "prestart" | "createRuntime" | "createContainer" => &["creating", "created"],
        "startContainer" => &["created"],
        "poststart" => &["running"],
        _ => &["stopped"],
    };
    let status = state.get("status").and_then(Value::as_str);
    // A status of the runtime's own (stand 11) says nothing that could be wrong.
    let of_the_four = ["creating", "created", "running", "stopped"];
    trial.expect_that(
        "config.hooks.stdin-state.status",
        status.is_some_and(|status| allowed.contains(&status) || !of_the_four.contains(&status)),
        format!("status {} for a {kind} hook", allowed.join(" or ")),
        status,
    )
}

/// Compares the hook's namespaces with the trial's, which are the runtime's, or the program's,
/// which are the container's; of the types that the plain container makes new.
fn judge_namespaces(
    trial: &mut Trial,
    kind: &'static str,
    record: &HookRecord,
    world: &oci_probe::World,
) -> Result<(), Stop> {
    let namespace = clause(trial, kind, "namespace");
    let in_container = matches!(kind, "createContainer" | "startContainer");
    for kind in ["mnt", "pid", "uts", "ipc", "net"] {
        let (whose, expected) = match in_container {
            true => ("the program's", world.namespaces.get(kind).copied()),
            false => ("the runtime's", inode_of(kind)),
        };
        let message = format!("the hook's {kind} namespace, and {whose}");
        trial.expect_in(namespace, &message, expected, record.namespaces.get(kind))?;
    }
    Ok(())
}

fn judge_pid(
    trial: &mut Trial,
    kind: &'static str,
    record: &HookRecord,
    (outside, inside): (Option<i32>, i32),
) -> Result<(), Stop> {
    let property = |name: &str| {
        record
            .state
            .as_ref()
            .and_then(|state| state.get(name))
            .cloned()
    };
    let observed = property("pid");
    // pid is required once a container is created; a hook may be told `creating` (stand 6).
    if observed.is_none()
        && !matches!(property("status"), Some(s) if s == "created" || s == "running")
    {
        return Ok(());
    }
    match kind {
        // After the container has gone there is no process that pid could name.
        "poststop" => Ok(()),
        "createContainer" | "startContainer" => trial.expect_in(
            "runtime.state.pid.hook-container-ns",
            "pid in the hook's state, and the program's as it sees itself",
            inside,
            observed,
        ),
        _ => trial.expect_in(
            "runtime.state.pid.hook-runtime-ns",
            "pid in the hook's state, and the pid that create gave",
            outside,
            observed,
        ),
    }
}

fn inode_of(kind: &str) -> Option<u64> {
    let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
    link.to_str()?
        .split_once(":[")?
        .1
        .strip_suffix(']')?
        .parse()
        .ok()
}

fn fails_in_create(trial: &mut Trial, kind: &'static str) -> Result<(), Stop> {
    trial.bind_out();
    trial.hook(kind, "fails", &["exit", "3"]);
    trial.hook("poststop", "poststop", &[]);
    let exit = trial.create()?;
    let what = format!("create whose {kind} hook exits with 3");
    let error = lifecycle(trial, kind, "fail.error");
    trial.expect_error(error, &what, &exit)?;
    judge_destroyed(trial, kind, exit.succeeded())
}

/// Before 1.1.0 prestart hooks ran in start (1.0.0, 1.0.1), or where the runtime chose (1.0.2 has
/// them in create by runtime.md, in start by config.md).
fn prestart_fails_in_create_or_start(trial: &mut Trial) -> Result<(), Stop> {
    trial.bind_out();
    trial.hook("prestart", "fails", &["exit", "3"]);
    trial.hook("poststop", "poststop", &[]);
    trial.probe(&["pause"]);
    let mut exit = trial.create()?;
    if exit.succeeded() {
        exit = trial.start()?;
    }
    let what = "create or start whose prestart hook exits with 3";
    trial.expect_error("runtime.lifecycle.prestart.fail.error", what, &exit)?;
    judge_destroyed(trial, "prestart", exit.succeeded())
}

fn fails_in_start(trial: &mut Trial, kind: &'static str) -> Result<(), Stop> {
    trial.bind_out();
    trial.hook(kind, "fails", &["exit", "3"]);
    trial.hook("poststop", "poststop", &[]);
    trial.probe(&["pause"]);
    trial.must_create()?;
    let exit = trial.start()?;
    let what = format!("start whose {kind} hook exits with 3");
    let error = lifecycle(trial, kind, "fail.error");
    trial.expect_error(error, &what, &exit)?;
    judge_destroyed(trial, kind, exit.succeeded())
}

/// After a failing hook: the process is gone, the container is destroyed and poststop hooks ran.
fn judge_destroyed(trial: &mut Trial, kind: &'static str, went_on: bool) -> Result<(), Stop> {
    // A runtime whose operation has returned before the hook did gets the time to go through with
    // what must follow.
    trial.wait_gone_in_grace();
    let ran = tags(&trial.hook_records()?);
    if !ran.iter().any(|tag| tag == "fails") {
        return trial.expect_that(
            lifecycle(trial, kind, "fail.error"),
            false,
            "the hook to be run at all",
            ran,
        );
    }
    let state = trial.state()?;
    let stop = lifecycle(trial, kind, "fail.stop");
    let alive = matches!(state.status(), Some("created" | "running")) || !trial.process_is_gone();
    trial.expect_in(stop, "the container process is alive", false, alive)?;
    let destroy = lifecycle(trial, kind, "fail.destroy");
    let known = state.exit.succeeded();
    trial.expect_in(
        destroy,
        "the container is still known to state",
        false,
        known,
    )?;
    let poststop = ran.iter().any(|tag| tag == "poststop");
    trial.expect_in(destroy, "the poststop hook ran", true, poststop)?;
    if known || went_on {
        trial.give_up()
    } else {
        Ok(())
    }
}

fn poststart_failure_is_a_warning(trial: &mut Trial) -> Result<(), Stop> {
    trial.hook("poststart", "fails", &["exit", "3"]);
    trial.hook("poststart", "next", &[]);
    trial.probe(&["pause"]);
    trial.must_create()?;
    let exit = trial.start()?;
    let what = "start whose poststart hook exits with 3";
    trial.expect_success("runtime.lifecycle.poststart.fail.warn", what, &exit)?;
    let ran = tags(&trial.hook_records()?);
    let clause = "runtime.lifecycle.poststart.fail.continue";
    trial.expect_in(clause, "hooks that ran", json!(["fails", "next"]), ran)?;
    let state = trial.state()?;
    trial.expect_in(clause, "status afterwards", "running", state.describe())?;
    trial.give_up()
}

fn poststop_failure_is_a_warning(trial: &mut Trial) -> Result<(), Stop> {
    trial.hook("poststop", "fails", &["exit", "3"]);
    trial.hook("poststop", "next", &[]);
    trial.must_create()?;
    trial.must_start()?;
    trial.wait_exit()?;
    let exit = trial.delete()?;
    let what = "delete whose poststop hook exits with 3";
    trial.expect_success("runtime.lifecycle.poststop.fail.warn", what, &exit)?;
    let ran = tags(&trial.hook_records()?);
    let clause = "runtime.lifecycle.poststop.fail.continue";
    trial.expect_in(clause, "hooks that ran", json!(["fails", "next"]), ran)?;
    let state = trial.state()?;
    let what = "state of the container afterwards: it is deleted as if the hook had succeeded";
    trial.expect_error("runtime.warnings.flow", what, &state.exit)?;
    if state.exit.succeeded() {
        trial.give_up()
    } else {
        Ok(())
    }
}

fn lifecycle(trial: &Trial, kind: &str, what: &str) -> &'static str {
    trial.declared_clause(&format!("runtime.lifecycle.{kind}.{what}"))
}

fn tags(records: &[HookRecord]) -> Vec<String> {
    records.iter().map(|record| record.tag.clone()).collect()
}

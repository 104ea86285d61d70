//! config.md, POSIX-platform Hooks: what is there when hooks run, and what becomes of those that
//! take longer than they may.

use std::time::{Duration, Instant};

use oci_probe::{HookRecord, Seen};
use serde_json::json;

use crate::case::{Case, Need};
use crate::processes;
use crate::trial::{Stop, Trial};

const EXIST: &str = "config.hooks.prestart.ns-exist";
const MOUNTED: &str = "config.hooks.createRuntime.mounts-done";
const EXECUTED: &str = "config.hooks.poststart.timing-after";
const BEFORE_PROGRAM: &str = "config.hooks.prestart.timing-before-program";

/// A hook of the kind that hangs beyond its timeout: aborted, and taken for one that failed.
macro_rules! times_out {
    ($kind:literal, $clause:literal, $id:literal) => {
        Case {
            id: $id,
            judges: &[$clause],
            needs: &[],
            run: |trial| times_out(trial, $kind, $clause),
        }
    };
}

pub(super) const CASES: &[Case] = &[
    times_out!(
        "prestart",
        "config.hooks.prestart.timeout.effect",
        "hooks/prestart/is-aborted-after-its-timeout"
    ),
    times_out!(
        "createContainer",
        "config.hooks.createContainer.timeout.effect",
        "hooks/createContainer/is-aborted-after-its-timeout"
    ),
    times_out!(
        "startContainer",
        "config.hooks.startContainer.timeout.effect",
        "hooks/startContainer/is-aborted-after-its-timeout"
    ),
    times_out!(
        "poststart",
        "config.hooks.poststart.timeout.effect",
        "hooks/poststart/is-aborted-after-its-timeout"
    ),
    times_out!(
        "poststop",
        "config.hooks.poststop.timeout.effect",
        "hooks/poststop/is-aborted-after-its-timeout"
    ),
    Case {
        id: "hooks/prestart/finds-the-namespaces-made",
        judges: &[EXIST],
        needs: &[Need::SharedKernel],
        run: |trial| find_the_namespaces_made(trial, &["prestart"]),
    },
    Case {
        id: "hooks/createRuntime/finds-namespaces-and-mounts-made",
        judges: &[EXIST, MOUNTED],
        needs: &[Need::SharedKernel],
        run: |trial| find_the_namespaces_made(trial, &["createRuntime"]),
    },
    Case {
        id: "hooks/prestart/before-1.1-runs-before-the-program",
        judges: &[BEFORE_PROGRAM],
        needs: &[],
        run: |trial| {
            trial.bind_out();
            trial.hook("prestart", "prestart", &[]);
            trial.probe(&["record", "/out/hooks", "program"]);
            trial.must_create()?;
            trial.must_start()?;
            trial.wait_exit()?;
            let records = trial.hook_records()?;
            let order: Vec<&String> = records.iter().map(|record| &record.tag).collect();
            trial.expect(BEFORE_PROGRAM, json!(["prestart", "program"]), order)?;
            trial.must_delete()
        },
    },
    Case {
        id: "hooks/poststart/finds-the-program-executed",
        judges: &[EXECUTED],
        needs: &[Need::SharedKernel],
        run: |trial| {
            trial.bind_out();
            // While this one waits, a poststart hook that comes too soon shows itself.
            trial.hook(
                "startContainer",
                "startContainer",
                &["wait-for", "poststart", "300"],
            );
            trial.hook("poststart", "poststart", &[]);
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let record = record_of(trial, "poststart")?;
            let args = trial.config["process"]["args"].clone();
            let seen = record.state_pid_seen.map(|seen| seen.args);
            let what = "arguments of the container process when the hook runs";
            trial.expect_in(EXECUTED, what, args, seen)?;
            trial.finish()
        },
    },
];

fn times_out(trial: &mut Trial, kind: &'static str, clause: &'static str) -> Result<(), Stop> {
    trial.bind_out();
    trial.hook(kind, "slow", &["hang"]);
    let timeout = trial.hook_timeout();
    trial.set(&format!("/hooks/{kind}/0/timeout"), timeout);
    trial.probe(&["pause"]);
    let mut asked = Instant::now();
    let mut exit = trial.create()?;
    let mut operation = "create";
    // A prestart hook may run in start by the versions before 1.1.0.
    let in_start = match kind {
        "startContainer" | "poststart" | "poststop" => true,
        _ => exit.succeeded() && !trial.binds("config.hooks.prestart.timing"),
    };
    if in_start && exit.succeeded() {
        asked = Instant::now();
        exit = trial.start()?;
        operation = "start";
    }
    if kind == "poststop" && exit.succeeded() {
        trial.kill("KILL")?;
        trial.wait_exit()?;
        asked = Instant::now();
        exit = trial.delete()?;
        operation = "delete";
    }
    let waited = asked.elapsed() >= Duration::from_secs(1);
    let begun = trial.hook_records()?.len();
    if begun == 0 && waited && (kind == "poststop" || !exit.succeeded()) {
        // It may have been begun, and aborted in time, before it came to its record.
        return Err(Stop::Inapplicable(
            "a host that lets a hook run within a second of its begin".into(),
        ));
    }
    trial.expect_in(clause, "how often the hook was begun", 1, begun)?;
    // It has returned, so it did not wait for the hook. A process of the runtime's may need a
    // moment to go; a hook that was not aborted stays.
    let alive = is_alive_in_time(trial);
    let what = format!("the hook is still running when {operation} has returned");
    trial.expect_in(clause, &what, false, alive)?;
    // From 1.3.0 a failing poststart hook is an error, a failing poststop hook never is; before,
    // what becomes of poststart's is judged where it is about a failing hook.
    match kind {
        "poststop" => {}
        "poststart" if !trial.binds("runtime.lifecycle.poststart.fail.error") => {}
        _ => {
            let what =
                format!("{operation} whose {kind} hook hangs beyond its timeout of {timeout} s");
            trial.expect_error(clause, &what, &exit)?;
        }
    }
    match kind == "poststop" && exit.succeeded() {
        true => Ok(()),
        false => trial.give_up(),
    }
}

/// Whether the hook that hangs is there, and stays.
fn is_alive_in_time(trial: &Trial) -> bool {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        if !is_alive(trial) {
            return false;
        }
        if Instant::now() >= deadline {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_alive(trial: &Trial) -> bool {
    processes::reap_orphans(None);
    let record = trial.out().join("hooks").display().to_string();
    processes::descendants(std::process::id() as i32)
        .into_iter()
        .filter(|process| process.state != 'Z')
        .filter_map(|process| std::fs::read(format!("/proc/{}/cmdline", process.pid)).ok())
        .any(|line| {
            let line = String::from_utf8_lossy(&line);
            let mut words = line.split('\0');
            words.next() == Some("probe")
                && words.next() == Some("hook")
                && line.contains(&record)
                && line.trim_end_matches('\0').ends_with("hang")
        })
}

fn find_the_namespaces_made(trial: &mut Trial, kinds: &[&str]) -> Result<(), Stop> {
    for kind in kinds {
        trial.hook(kind, kind, &[]);
    }
    trial.mount(json!({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs"}));
    trial.probe(&["observe", "then", "pause"]);
    trial.run_until_ready()?;
    let world = trial.world()?;
    trial.finish()?;
    for kind in kinds {
        let record = record_of(trial, kind)?;
        let seen = record.state_pid_seen.unwrap_or_default();
        may_look_at(trial, &seen)?;
        for namespace in ["mnt", "pid", "uts", "ipc", "net"] {
            // A process whose children are in the new pid namespace is not in it itself.
            let of = |all: &std::collections::BTreeMap<String, u64>| {
                let children = all.get("pid_for_children").filter(|_| namespace == "pid");
                children.or_else(|| all.get(namespace)).copied()
            };
            let what = format!(
                "{namespace} namespace of the container process when the {kind} hook runs, and \
                 the program's"
            );
            trial.expect_in(EXIST, &what, of(&world.namespaces), of(&seen.namespaces))?;
        }
        if *kind == "createRuntime" {
            let root = trial.rootfs();
            // By then the process is at the host's root still, or has its own already.
            let mounted = |place: &str| {
                let on_host = format!("{}{place}", root.display());
                let all = &seen.mount_points;
                all.iter().any(|one| *one == on_host || one == place)
            };
            let missing: Vec<&str> = ["/mnt", "/dev/pts", "/dev/shm"]
                .into_iter()
                .filter(|place| !mounted(place))
                .collect();
            let what = "mounts that are missing when the hook runs";
            trial.expect_in(MOUNTED, what, json!([]), missing)?;
        }
    }
    Ok(())
}

/// A process that cannot be dumped, as that of a careful runtime, shows its namespaces only to who may
/// trace it.
///
/// # Errors
/// [`Stop::Inapplicable`] if the hook was shown the process and none of its namespaces, for want of
/// the privilege.
pub(super) fn may_look_at(trial: &Trial, seen: &Seen) -> Result<(), Stop> {
    let host = trial.host();
    let privileged = host.root() && host.capabilities.contains("CAP_SYS_PTRACE");
    if seen.namespaces.is_empty() && !seen.args.is_empty() && !privileged {
        return Err(Stop::Inapplicable(
            "hooks with CAP_SYS_PTRACE: others are not shown the namespaces of this subject's process"
                .into(),
        ));
    }
    Ok(())
}

fn record_of(trial: &Trial, tag: &str) -> Result<HookRecord, Stop> {
    let mut records = trial.hook_records()?.into_iter();
    records
        .find(|record| record.tag == tag)
        .ok_or_else(|| Stop::NoReport(format!("no {tag} hook ran")))
}

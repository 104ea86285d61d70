//! runtime.md, State and Query State.

use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::trial::{Stop, Trial};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "state/of-a-created-container",
        judges: &[
            "runtime.state.op.returns",
            "runtime.state.ociVersion",
            "runtime.state.id",
            "runtime.state.status",
            "runtime.state.pid.linux",
            "runtime.state.bundle",
            "runtime.state.json-schema",
            "runtime.state.json-pattern",
            "runtime.state.annotations.empty",
            "runtime.state.extra-properties",
        ],
        needs: &[],
        run: of_a_created_container,
    },
    Case {
        id: "state/of-a-running-container",
        judges: &["runtime.state.status", "runtime.state.pid.linux"],
        needs: &[],
        run: |trial| {
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let state = trial.state()?;
            judge_status(trial, state.property("status"), "running")?;
            let pid = state
                .document
                .as_ref()
                .and_then(|document| document.get("pid"));
            judge_pid(trial, pid)?;
            trial.finish()
        },
    },
    Case {
        id: "state/of-a-stopped-container",
        judges: &["runtime.state.status", "runtime.state.bundle"],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            trial.must_start()?;
            trial.wait_exit()?;
            let state = trial.state()?;
            judge_status(trial, state.property("status"), "stopped")?;
            judge_bundle(trial, state.document.as_ref())?;
            trial.must_delete()
        },
    },
    Case {
        id: "state/pid-is-the-container-process",
        judges: &["runtime.state.pid.is-container-process"],
        needs: &[Need::SharedKernel],
        run: |trial| {
            trial.probe(&["observe", "then", "pause"]);
            trial.run_until_ready()?;
            let world = trial.world()?;
            let pid = trial.state()?.pid();
            let link = pid.and_then(|pid| std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok());
            let inode = world
                .namespaces
                .get("mnt")
                .map(|inode| format!("mnt:[{inode}]"));
            trial.expect_in(
                "runtime.state.pid.is-container-process",
                "mount namespace of the process named by pid, and the one that the program sees",
                inode,
                link.map(|link| link.display().to_string()),
            )?;
            trial.finish()
        },
    },
    Case {
        id: "state/carries-the-annotations",
        judges: &[
            "runtime.state.annotations",
            "runtime.state.json-schema",
            "runtime.state.json-pattern",
        ],
        needs: &[],
        run: |trial| {
            trial.set(
                "/annotations",
                json!({"com.example.key": "value", "com.example.empty": ""}),
            );
            trial.must_create()?;
            let state = trial.state()?;
            let observed = state
                .document
                .as_ref()
                .and_then(|document| document.get("annotations"));
            // Runtimes may add annotations of their own; the given ones must be among them.
            let expected = trial.config["annotations"].clone();
            let given = expected.as_object().into_iter().flatten();
            let all_there = given
                .clone()
                .all(|(key, value)| observed.and_then(|o| o.get(key)) == Some(value));
            trial.expect_that(
                "runtime.state.annotations",
                all_there,
                format!("annotations that contain {expected}"),
                observed,
            )?;
            judge_schema(trial, state.document.as_ref())?;
            trial.finish()
        },
    },
    Case {
        id: "state/of-an-unknown-container-is-an-error",
        judges: &["runtime.state.op.nonexistent"],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            let known = trial.state()?;
            if !known.exit.succeeded() {
                return Err(control("state", known.exit, "runtime.state.op.returns"));
            }
            let id = format!("{}-unknown", trial.id);
            let exit = trial.operation(&["state", &id])?;
            trial.expect_error(
                "runtime.state.op.nonexistent",
                "state of an id never created",
                &exit,
            )?;
            trial.finish()?;
            let state = trial.state()?;
            let what = "state of an id whose container was deleted";
            trial.expect_error("runtime.state.op.nonexistent", what, &state.exit)
        },
    },
    Case {
        id: "state/without-an-id-is-an-error",
        judges: &["runtime.state.op.missing-id"],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            let known = trial.state()?;
            if !known.exit.succeeded() {
                return Err(control("state", known.exit, "runtime.state.op.returns"));
            }
            let exit = trial.operation(&["state"])?;
            trial.expect_error(
                "runtime.state.op.missing-id",
                "state with no argument",
                &exit,
            )?;
            trial.finish()
        },
    },
];

fn of_a_created_container(trial: &mut Trial) -> Result<(), Stop> {
    trial.must_create()?;
    let state = trial.state()?;
    trial.expect_success(
        "runtime.state.op.returns",
        "state of a created container",
        &state.exit,
    )?;
    let Some(document) = state.document else {
        return trial.finish();
    };
    let version = document.get("ociVersion").and_then(Value::as_str);
    let is_version =
        version.is_some_and(|text| text.parse::<oci_runtime_schemas::SpecVersion>().is_ok());
    trial.expect_that(
        "runtime.state.ociVersion",
        is_version,
        "a version of the specification, as a string",
        document.get("ociVersion"),
    )?;
    let id = trial.id.clone();
    trial.expect("runtime.state.id", id, document.get("id"))?;
    judge_status(
        trial,
        document.get("status").unwrap_or(&Value::Null),
        "created",
    )?;
    judge_pid(trial, document.get("pid"))?;
    judge_bundle(trial, Some(&document))?;
    judge_schema(trial, Some(&document))?;
    trial.inform(
        "runtime.state.annotations.empty",
        "annotations in the state of a container without any: absent or an empty map",
        document.get("annotations"),
    )?;
    let known = ["ociVersion", "id", "status", "pid", "bundle", "annotations"];
    let further: Vec<&String> = document
        .as_object()
        .into_iter()
        .flat_map(|members| members.keys())
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    trial.inform(
        "runtime.state.extra-properties",
        "properties of the state beyond the specification's",
        further,
    )?;
    trial.finish()
}

/// A status of the specification's four must be the one that holds; a status of the runtime's own
/// stands for a state that they do not cover (stand 11), so it cannot be wrong here.
fn judge_status(trial: &mut Trial, observed: &Value, now: &str) -> Result<(), Stop> {
    let holds = match observed.as_str() {
        Some("creating" | "created" | "running" | "stopped") => observed.as_str() == Some(now),
        Some(_) => true,
        None => false,
    };
    trial.expect_that("runtime.state.status", holds, now, observed)
}

fn judge_pid(trial: &mut Trial, pid: Option<&Value>) -> Result<(), Stop> {
    let is_pid = pid.and_then(Value::as_i64).is_some_and(|pid| pid > 0);
    trial.expect_that("runtime.state.pid.linux", is_pid, "an integer above 0", pid)
}

fn judge_bundle(trial: &mut Trial, document: Option<&Value>) -> Result<(), Stop> {
    let directory = trial.directory.clone();
    let observed = document
        .and_then(|document| document.get("bundle"))
        .cloned();
    // Another spelling of the same directory is as good, as long as it is absolute.
    let same = observed
        .as_ref()
        .and_then(Value::as_str)
        .is_some_and(|path| {
            path.starts_with('/')
                && std::fs::canonicalize(path).ok() == directory.canonicalize().ok()
        });
    trial.expect_that(
        "runtime.state.bundle",
        same,
        directory.display().to_string(),
        observed,
    )
}

/// What the state's schema says that the other clauses do not: types of all properties.
fn judge_schema(trial: &mut Trial, document: Option<&Value>) -> Result<(), Stop> {
    let mut wrong: Vec<String> = Vec::new();
    for key in ["ociVersion", "id", "status", "bundle"] {
        if !document.is_some_and(|document| document[key].is_string()) {
            wrong.push(format!("{key} is no string"));
        }
    }
    if let Some(pid) = document.and_then(|document| document.get("pid"))
        && pid.as_i64().is_none_or(|pid| pid < 0)
    {
        wrong.push("pid is no integer of 0 or more".into());
    }
    if let Some(annotations) = document.and_then(|document| document.get("annotations")) {
        let strings = annotations
            .as_object()
            .is_some_and(|map| map.values().all(Value::is_string));
        if !strings {
            wrong.push("annotations is no map of strings".into());
        }
    }
    // Before 1.1.0 there is an example in the place of the schema, with the same properties.
    trial.expect("runtime.state.json-pattern", json!([]), &wrong)?;
    trial.expect("runtime.state.json-schema", json!([]), wrong)
}

/// The stop of a case whose control failed.
fn control(operation: &'static str, exit: crate::trial::Exit, clause: &'static str) -> Stop {
    Stop::ControlRefused {
        clause,
        operation,
        exit: Box::new(exit),
    }
}

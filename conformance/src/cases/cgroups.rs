//! Where the container's cgroups are, and the rules for devices.

use std::path::Path;

use serde_json::{Value, json};

use super::limits::{NOTHING, refusal};
use super::told::told;
use crate::case::{Case, Need};
use crate::host;
use crate::trial::{Stop, Trial};

const ABSOLUTE: &str = "config-linux.cgroupsPath.absolute";
const CREATED: &str = "config-linux.cgroupsPath.created";
const CONSISTENT: &str = "config-linux.cgroupsPath.consistent";
const INVALID: &str = "config-linux.cgroupsPath.invalid-error";
const FIT: &str = "config-linux.cgroup.fit-error";
const FIT_CHECK: &str = "config-linux.cgroup.fit-check";
const UNLISTED: &str = "config-linux.devices.access";
const RULES: &str = "config-linux.resources.devices.effect";
const ORDER: &str = "config-linux.resources.devices.order";
const DEFAULT_TYPE: &str = "config-linux.resources.devices.type.default";
const DEFAULT_NUMBERS: &str = "config-linux.resources.devices.majmin.default";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "cgroups-path/absolute-is-below-the-mount-point",
        judges: &[ABSOLUTE, CREATED],
        needs: &[Need::SharedKernel, Need::Controller("pids")],
        run: absolute_is_below_the_mount_point,
    },
    Case {
        id: "cgroups-path/absolute-is-the-same-place-each-time",
        judges: &[CONSISTENT],
        needs: &[Need::SharedKernel, Need::Controller("pids")],
        run: |trial| is_the_same_place_each_time(trial, "/"),
    },
    Case {
        id: "cgroups-path/relative-is-the-same-place-each-time",
        judges: &[CONSISTENT],
        needs: &[Need::SharedKernel, Need::Controller("pids")],
        run: |trial| is_the_same_place_each_time(trial, ""),
    },
    Case {
        id: "cgroups-path/that-cannot-be-made-is-an-error",
        judges: &[INVALID, CREATED, NOTHING],
        needs: &[Need::Root, Need::SharedKernel, Need::Controller("pids")],
        run: |trial| {
            trial.set("/linux/resources/pids/limit", 100);
            // Every cgroup has this file, so that there can be none below it.
            let what = "a cgroupsPath below a file of the hierarchy's root";
            trial.refuses(&refusal(INVALID, CREATED, what), |bundle| {
                let path = format!("/cgroup.procs/{}", bundle.id);
                bundle.set("/linux/cgroupsPath", path);
            })
        },
    },
    Case {
        id: "cgroups/one-in-use-is-refused-or-shared",
        judges: &[FIT, FIT_CHECK],
        needs: &[Need::Root, Need::SharedKernel, Need::Controller("pids")],
        run: in_use,
    },
    Case {
        id: "device-rules/allow-and-deny-access",
        judges: &[RULES, DEFAULT_TYPE, DEFAULT_NUMBERS],
        needs: &[
            Need::Root,
            Need::SharedKernel,
            Need::Capability("CAP_MKNOD"),
            Need::DeviceRules,
        ],
        run: rules_allow_and_deny,
    },
    Case {
        id: "device-rules/a-node-that-is-not-listed-cannot-be-used",
        judges: &[UNLISTED],
        needs: &[
            Need::Root,
            Need::SharedKernel,
            Need::Capability("CAP_MKNOD"),
            Need::DeviceRules,
        ],
        run: |trial| {
            let ending = opens(trial, None, &[(1, 20, "rw")])?;
            trial.expect(UNLISTED, ["denied"], ending)
        },
    },
    Case {
        id: "device-rules/are-applied-in-their-order",
        judges: &[ORDER],
        needs: &[
            Need::Root,
            Need::SharedKernel,
            Need::Capability("CAP_MKNOD"),
            Need::DeviceRules,
        ],
        run: rules_are_applied_in_order,
    },
];

fn absolute_is_below_the_mount_point(trial: &mut Trial) -> Result<(), Stop> {
    let path = cgroups_path(trial);
    trial.set("/linux/resources/pids/limit", 100);
    trial.probe(&["pause"]);
    let before = trial.cgroup_of("pids");
    trial.run_until_ready()?;
    let after = trial.cgroup_of("pids");
    let place = place_of(trial, "pids")?;
    // A runtime may make cgroups of its own below.
    let holds = place.as_ref().is_some_and(|place| {
        *place == path
            || place
                .strip_prefix(&path)
                .is_some_and(|rest| rest.starts_with('/'))
    });
    trial.expect_that(ABSOLUTE, holds, format!("a process in {path}"), place)?;
    trial.expect(
        CREATED,
        json!([false, true]),
        [before.is_some(), after.is_some()],
    )?;
    trial.finish()
}

/// Two containers, one after the other, with the same `cgroupsPath`.
fn is_the_same_place_each_time(trial: &mut Trial, root: &str) -> Result<(), Stop> {
    let given = cgroups_path(trial);
    let path = match root {
        "/" => given,
        // One component: delete removes all that a runtime makes for it.
        _ => given.rsplit('/').next().unwrap_or("container").to_owned(),
    };
    let mut places = Vec::new();
    for number in 0..2 {
        if number == 1 {
            trial.another()?;
        }
        trial.set("/linux/cgroupsPath", path.clone());
        trial.probe(&["pause"]);
        trial.run_until_ready()?;
        places.push(memberships(trial)?);
        trial.finish()?;
    }
    trial.expect(CONSISTENT, &places[0], &places[1])
}

/// Whether a runtime checks that the cgroup is empty is its choice; what it cannot choose is
/// success without a container, or with one that is elsewhere.
fn in_use(trial: &mut Trial) -> Result<(), Stop> {
    let path = cgroups_path(trial);
    let second = |trial: &mut Trial| {
        trial.set("/linux/cgroupsPath", path.clone());
        trial.set("/linux/resources/pids/limit", 100);
        trial.probe(&["pause"]);
    };
    second(trial);
    trial.run_until_ready()?;
    let occupied = place_of(trial, "pids")?;
    trial.another()?;
    second(trial);
    let exit = trial.create()?;
    let what = "create with the cgroup of a container that runs";
    trial.inform(FIT_CHECK, what, exit.describe())?;
    if exit.succeeded() {
        let state = trial.state()?.describe();
        let observed = json!({"status": state, "cgroup": place_of(trial, "pids")?});
        let expected = json!({"status": "created", "cgroup": occupied});
        trial.expect_in(
            FIT,
            "the container in a cgroup that is in use",
            expected,
            observed,
        )?;
    } else {
        trial.expect_error(FIT, what, &exit)?;
    }
    // The first one's process goes first: a cgroup that holds it cannot be removed.
    trial.switch_to(0);
    if trial.kill("KILL")?.succeeded() {
        trial.wait_exit()?;
    }
    if exit.succeeded() {
        trial.switch_to(1);
        trial.give_up()?;
        trial.switch_to(0);
    }
    trial.give_up()
}

/// Rules are tried on minors of the memory devices' major that no driver has: an allowed open ends
/// in ENXIO, a denied one in EPERM. The default devices would not do: runtimes allow them always.
fn rules_allow_and_deny(trial: &mut Trial) -> Result<(), Stop> {
    let endings = opens(
        trial,
        Some(json!([
            {"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "access": "m"},
            {"allow": true, "type": "c", "major": 1, "minor": 20, "access": "rw"},
            {"allow": true, "type": "c", "major": 1, "minor": 21, "access": "r"},
            {"allow": true, "type": "c", "major": 245, "access": "rw"},
        ])),
        &[
            (1, 20, "r"),
            (1, 20, "w"),
            (1, 21, "r"),
            (1, 21, "w"),
            (1, 22, "r"),
            (245, 3, "rw"),
            (245, 4, "rw"),
        ],
    )?;
    let expected = [
        "allowed", "allowed", "allowed", "denied", "denied", "allowed", "allowed",
    ];
    trial.expect_in(
        RULES,
        "c 1:20 r, w; c 1:21 r, w; c 1:22 r",
        &expected[..5],
        &endings[..5],
    )?;
    trial.expect_in(
        DEFAULT_TYPE,
        "c 1:22 under a denial without a type",
        "denied",
        endings[4],
    )?;
    let minors = "two minors of a major that is allowed without one";
    trial.expect_in(DEFAULT_NUMBERS, minors, &expected[5..], &endings[5..])
}

/// The same two entries in both orders, and a general one behind special ones: whoever sorts them,
/// or lets the special one win, goes wrong in one.
fn rules_are_applied_in_order(trial: &mut Trial) -> Result<(), Stop> {
    let endings = opens(
        trial,
        Some(json!([
            {"allow": true, "type": "c", "major": 1, "minor": 22, "access": "rw"},
            {"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "access": "m"},
            {"allow": true, "type": "c", "major": 1, "minor": 20, "access": "rw"},
            {"allow": false, "type": "c", "major": 1, "minor": 20, "access": "rw"},
            {"allow": false, "type": "c", "major": 1, "minor": 21, "access": "rw"},
            {"allow": true, "type": "c", "major": 1, "minor": 21, "access": "rw"},
        ])),
        &[(1, 20, "r"), (1, 21, "r"), (1, 22, "r")],
    )?;
    let what =
        "c 1:20 allowed, then denied; c 1:21 denied, then allowed; c 1:22 before all is denied";
    trial.expect_in(ORDER, what, ["denied", "allowed", "denied"], endings)
}

/// Runs a container under the rules that makes nodes and opens them.
fn opens(
    trial: &mut Trial,
    rules: Option<Value>,
    nodes: &[(u32, u32, &str)],
) -> Result<Vec<&'static str>, Stop> {
    let may_make = rules.is_some();
    if let Some(rules) = rules {
        trial.set("/linux/resources/devices", rules);
    }
    trial.grant("CAP_MKNOD");
    let mut arguments: Vec<String> = Vec::new();
    for (major, minor, access) in nodes {
        let path = format!("/dev/{major}.{minor}.{access}");
        let (major, minor) = (major.to_string(), minor.to_string());
        if !arguments.is_empty() {
            arguments.push("then".into());
        }
        arguments.extend(["mknod", &path, "c", &major, &minor].map(str::to_owned));
        arguments.extend(["then", "open", &path, access].map(str::to_owned));
    }
    trial.probe(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let lines = trial.run_to_end()?;
    let mut endings = Vec::new();
    for (major, minor, access) in nodes {
        let path = format!("/dev/{major}.{minor}.{access}");
        let made = told(&lines, "mknod", &[&path])?;
        if !may_make && made.errno.is_some() {
            endings.push("denied");
            continue;
        }
        if let Some(errno) = &made.errno {
            let rule = "a rule allows mknod of every character device";
            return Err(Stop::NoReport(format!("{rule}; mknod {path}: {errno}")));
        }
        let opened = told(&lines, "open", &[&path])?;
        endings.push(match opened.errno.as_deref() {
            Some("EPERM") => "denied",
            _ => "allowed",
        });
    }
    Ok(endings)
}

fn cgroups_path(trial: &Trial) -> String {
    let path = trial
        .config
        .pointer("/linux/cgroupsPath")
        .and_then(Value::as_str);
    path.unwrap_or_default().to_owned()
}

/// The container process's line of a controller in `/proc/PID/cgroup`, from the mount point on.
fn place_of(trial: &Trial, controller: &str) -> Result<Option<String>, Stop> {
    let hierarchy = trial.host().controller(controller);
    let unified = hierarchy.is_some_and(|hierarchy| hierarchy.unified);
    // In a container without a cgroup namespace paths begin above the mount point.
    let root = hierarchy.map_or(Path::new("/"), |hierarchy| &hierarchy.root);
    Ok(memberships(trial)?.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let here = if unified {
            number == "0"
        } else {
            controllers.split(',').any(|name| name == controller)
        };
        let below = Path::new(path).strip_prefix(root).ok();
        here.then(|| below.map_or(path.to_owned(), |below| format!("/{}", below.display())))
    }))
}

fn memberships(trial: &Trial) -> Result<String, Stop> {
    let Some(pid) = trial.pid() else {
        return Err(Stop::NoReport(
            "neither the pid file nor the state has a pid".into(),
        ));
    };
    Ok(host::read(format!("/proc/{pid}/cgroup")))
}

//! What of the host's control groups a container can see and change.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{contents, outside, untouched};
use crate::case::{Case, Need};
use crate::cases::limits::{NOTHING, pure_v2, refusal};
use crate::trial::{Stop, Trial, remove_cgroup};

const NAMESPACE: &str = "security.cgroup.escape.namespace";
const READ_ONLY: &str = "security.cgroup.escape.read-only";

const CLIMBING: &str = "security.cgroup.escape.path";
const ROOTLESS: &str = "security.cgroup.escape.rootless";
const UNIFIED: &str = "security.unified.traversal";
const UNIFIED_EFFECT: &str = "config-linux.unified.effect";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "security/cgroup/nothing-above-is-seen-from-a-namespace-of-its-own",
        judges: &[NAMESPACE],
        needs: &[Need::Root, Need::SharedKernel, Need::Namespace("cgroup")],
        run: |trial| {
            trial.add_namespace(json!({"type": "cgroup"}));
            let world = trial.observe()?;
            let above: Vec<_> = world
                .cgroups
                .iter()
                .flatten()
                .filter(|cgroup| cgroup.path != "/")
                .collect();
            let known = world.cgroups.is_some();
            trial.expect_in(
                NAMESPACE,
                "whether /proc/self/cgroup can be read",
                true,
                known,
            )?;
            trial.expect_in(
                NAMESPACE,
                "cgroups that are not the root of what it sees",
                json!([]),
                above,
            )
        },
    },
    Case {
        id: "security/cgroup/a-read-only-mount-cannot-be-written",
        judges: &[READ_ONLY],
        needs: &[Need::Root, Need::SharedKernel],
        run: |trial| {
            trial.mount(json!({
                "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                "options": ["nosuid", "noexec", "nodev", "ro"],
            }));
            // Where the hierarchy is of version 1, its controllers are directories in the mount.
            let mut directories = vec!["/sys/fs/cgroup".to_owned()];
            for hierarchy in trial
                .host()
                .cgroups
                .iter()
                .filter(|hierarchy| !hierarchy.unified)
            {
                let name = hierarchy.controllers.join(",").replace("name=", "");
                directories.push(format!("/sys/fs/cgroup/{name}"));
            }
            let mut words = Vec::new();
            for directory in &directories {
                // Opened, not written: where it can be, the host is as it was.
                for file in ["release_agent", "notify_on_release", "cgroup.procs"] {
                    words.extend([
                        "open".to_owned(),
                        format!("{directory}/{file}"),
                        "w".to_owned(),
                    ]);
                    words.push("then".to_owned());
                }
            }
            words.pop();
            trial.probe(&words.iter().map(String::as_str).collect::<Vec<_>>());
            let lines = trial.run_to_end()?;
            let done: Vec<_> = lines
                .iter()
                .filter(|line| line.errno.is_none())
                .filter_map(|line| line.args.first())
                .collect();
            let what = "files of a read-only mount of cgroups that were opened for writing";
            trial.expect_in(READ_ONLY, what, json!([]), done)
        },
    },
    Case {
        id: "security/cgroup/a-path-that-climbs-makes-nothing-outside",
        judges: &[CLIMBING],
        needs: &[Need::Root, Need::SharedKernel, Need::Controller("pids")],
        run: |trial| {
            let made = outside(trial)?.join("made");
            let before = below_hierarchies(trial, &made);
            let result = climb(trial, &made);
            // A runtime that drops the dots makes the same path below each hierarchy.
            for directory in before {
                remove_cgroup(&directory);
            }
            result
        },
    },
    Case {
        id: "security/cgroup/a-unified-key-that-climbs-is-refused",
        judges: &[UNIFIED, UNIFIED_EFFECT, NOTHING],
        needs: &[Need::SharedKernel, Need::CgroupV2("pids")],
        run: |trial| {
            pure_v2(trial)?;
            trial.set("/linux/resources/unified", json!({"pids.max": "88"}));
            let what = "a key of unified that leads out of the cgroup and back";
            trial.refuses(&refusal(UNIFIED, UNIFIED_EFFECT, what), |bundle| {
                let key = format!("../{}/pids.max", bundle.id);
                bundle.set("/linux/resources/unified", json!({key: "88"}));
            })
        },
    },
    Case {
        id: "security/cgroup/without-root-the-callers-are-read-only",
        judges: &[ROOTLESS],
        needs: &[Need::SharedKernel],
        run: rootless,
    },
];

/// A path that, tacked on to the mount point of a hierarchy, leads to the directory `made`.
fn climb(trial: &mut Trial<'_>, made: &Path) -> Result<(), Stop> {
    let path = format!("{}{}", "/..".repeat(40), made.display());
    trial.set("/linux/cgroupsPath", path);
    trial.set("/linux/resources/pids/limit", 100);
    trial.probe(&["pause"]);
    let exit = trial.create()?;
    let parent = made.parent().unwrap_or(made);
    let what = "the directory that the path would lead to";
    trial.expect_in(CLIMBING, what, untouched(), contents(parent))?;
    if exit.succeeded() {
        trial.give_up()?;
    }
    Ok(())
}

/// The first directory on the way to `path` below each hierarchy that is not there yet.
fn below_hierarchies(trial: &Trial<'_>, path: &Path) -> Vec<PathBuf> {
    let hierarchies = trial.host().cgroups.iter();
    hierarchies
        .filter_map(|hierarchy| {
            let mut place = hierarchy.mount_point.clone();
            path.components().skip(1).find_map(|component| {
                place.push(component);
                (!place.exists()).then(|| place.clone())
            })
        })
        .collect()
}

/// The caller may own cgroups (systemd gives users theirs), and a container without a cgroup
/// namespace of its own sees them: a mount that is asked to be read-only has to be.
fn rootless(trial: &mut Trial<'_>) -> Result<(), Stop> {
    if trial.host().root() {
        return Err(Stop::Inapplicable("a run without root".into()));
    }
    trial.mount(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "ro"],
    }));
    let Some(world) = super::dare(trial)?.and_then(|lines| super::world(&lines)) else {
        return Err(Stop::Inapplicable(
            "a subject that mounts control groups without root".into(),
        ));
    };
    let writable: Vec<_> = world
        .mounts
        .iter()
        .flatten()
        .filter(|mount| matches!(mount.fs_type.as_str(), "cgroup" | "cgroup2"))
        .filter(|mount| !mount.options.iter().any(|option| option == "ro"))
        .collect();
    let what = "mounts of the caller's cgroups that are not read-only";
    trial.expect_in(ROOTLESS, what, json!([]), writable)
}

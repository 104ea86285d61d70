//! config.md, mounts whose ids are mapped: `uidMappings`, `gidMappings`, `idmap` and `ridmap`.

use std::os::unix::fs::chown;
use std::path::Path;

use nix::mount::MsFlags;
use serde_json::{Value, json};

use super::source::{directory, put, tree};
use crate::case::{Case, Need};
use crate::cases::told::told;
use crate::trial::{Refusal, Stop, Trial, When};

const NEEDS: &[Need] = &[Need::Root, Need::IdmappedMounts];
const NEEDS_USER: &[Need] = &[
    Need::Root,
    Need::IdmappedMounts,
    Need::Namespace("user"),
    Need::UserMappings,
];

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "mounts/idmap-uses-the-mappings-of-the-mount",
        judges: &[
            "config.mount-option.idmap",
            "config.mount-option.idmap.use-given",
            "config.mount-option.idmap.applied",
            "config.mounts.uidMappings.effect",
            "config.mounts.gidMappings.effect",
        ],
        needs: NEEDS,
        run: |trial| {
            let source = owned(directory(trial, "source")?)?;
            mapped(trial, &source, &["bind", "idmap"]);
            let seen = owners(trial, &["/mnt/owned"])?;
            let what = "owner of a file of 3:4 where 0 is mapped to 70000 and 80000";
            trial.expect_in(
                "config.mount-option.idmap.use-given",
                what,
                json!([[70_003, 80_004]]),
                &seen,
            )?;
            trial.expect_in(
                "config.mounts.uidMappings.effect",
                what,
                70_003,
                &seen[0][0],
            )?;
            trial.expect_in(
                "config.mounts.gidMappings.effect",
                what,
                80_004,
                &seen[0][1],
            )?;
            let applied = seen[0] != json!([3, 4]);
            let says = "the mount is recognized and changes owners";
            trial.expect_that("config.mount-option.idmap", applied, says, &seen)?;
            trial.expect_that("config.mount-option.idmap.applied", applied, says, &seen)
        },
    },
    Case {
        id: "mounts/ridmap-maps-the-mounts-below-too",
        judges: &[
            "config.mount-option.ridmap",
            "config.mount-option.ridmap.use-given",
            "config.mount-option.ridmap.applied",
        ],
        needs: &[Need::Root, Need::IdmappedMounts, Need::Kernel(6, 3)],
        run: |trial| {
            let source = owned(tree(trial, "source", MsFlags::empty())?)?;
            mapped(trial, &source, &["rbind", "ridmap"]);
            let seen = owners(trial, &["/mnt/owned", "/mnt/sub/owned"])?;
            let expected = json!([[70_003, 80_004], [70_003, 80_004]]);
            let what = "owners of a file of 3:4 at the top and in the mount below";
            trial.expect_in(
                "config.mount-option.ridmap.use-given",
                what,
                expected,
                &seen,
            )?;
            let changed = seen.iter().all(|owner| *owner != json!([3, 4]));
            let says = "the mount is recognized and changes owners";
            trial.expect_that("config.mount-option.ridmap", changed, says, &seen)?;
            trial.expect_that("config.mount-option.ridmap.applied", changed, says, &seen)
        },
    },
    Case {
        id: "mounts/idmap-without-mappings-and-user-namespace-is-an-error",
        judges: &[
            "config.mount-option.idmap.no-userns-error",
            "config.mount-option.bind",
        ],
        needs: NEEDS,
        run: |trial| {
            unmapped_is_refused(trial, "config.mount-option.idmap.no-userns-error", "idmap")
        },
    },
    Case {
        id: "mounts/ridmap-without-mappings-and-user-namespace-is-an-error",
        judges: &[
            "config.mount-option.ridmap.no-userns-error",
            "config.mount-option.bind",
        ],
        needs: NEEDS,
        run: |trial| {
            unmapped_is_refused(
                trial,
                "config.mount-option.ridmap.no-userns-error",
                "ridmap",
            )
        },
    },
    Case {
        id: "mounts/idmap-without-mappings-is-the-user-namespaces-or-an-error",
        judges: &[
            "config.mount-option.idmap.else-error",
            "config.mount-option.bind",
        ],
        needs: NEEDS_USER,
        run: |trial| maps_or_refuses(trial, "config.mount-option.idmap.else-error", "idmap"),
    },
    Case {
        id: "mounts/ridmap-without-mappings-is-the-user-namespaces-or-an-error",
        judges: &[
            "config.mount-option.ridmap.else-error",
            "config.mount-option.bind",
        ],
        needs: NEEDS_USER,
        run: |trial| maps_or_refuses(trial, "config.mount-option.ridmap.else-error", "ridmap"),
    },
];

/// Gives a directory a file `owned` of uid 3 and gid 4, and one in its mount below if it has one.
fn owned(source: std::path::PathBuf) -> Result<std::path::PathBuf, Stop> {
    for place in [source.clone(), source.join("sub")]
        .iter()
        .filter(|place| place.is_dir())
    {
        let path = place.join("owned");
        put(&path, "")?;
        own(&path, 3, 4)?;
    }
    Ok(source)
}

fn own(path: &Path, uid: u32, gid: u32) -> Result<(), Stop> {
    chown(path, Some(uid), Some(gid))
        .map_err(|error| Stop::Broken(format!("chown({path:?}, {uid}, {gid}): {error}")))
}

/// Mounts a directory at `/mnt` with mappings of its own.
fn mapped(trial: &mut Trial<'_>, source: &Path, options: &[&str]) {
    trial.mount(json!({
        "destination": "/mnt", "type": "none", "source": source, "options": options,
        "uidMappings": [{"containerID": 0, "hostID": 70_000, "size": 1000}],
        "gidMappings": [{"containerID": 0, "hostID": 80_000, "size": 1000}],
    }));
}

/// Runs the container and returns `[uid, gid]` of each path as it sees them.
fn owners(trial: &mut Trial<'_>, paths: &[&str]) -> Result<Vec<Value>, Stop> {
    let mut words = Vec::new();
    for path in paths {
        words.extend(["stat", path, "then"]);
    }
    words.pop();
    trial.probe(&words);
    let lines = trial.run_to_end()?;
    paths
        .iter()
        .map(|path| {
            told(&lines, "stat", &[path]).map(|line| json!([line.value["uid"], line.value["gid"]]))
        })
        .collect()
}

/// The option with nothing to map by; the control is the same bind mount without it.
fn unmapped_is_refused(
    trial: &mut Trial<'_>,
    error: &'static str,
    option: &'static str,
) -> Result<(), Stop> {
    let source = directory(trial, "source")?;
    trial.mount(json!({
        "destination": "/mnt", "type": "none", "source": source, "options": ["rbind"],
    }));
    let refusal = Refusal {
        error,
        nothing: None,
        control: "config.mount-option.bind",
        when: When::Create,
        what: "a mount to be mapped, without mappings and without a user namespace",
    };
    trial.refuses(&refusal, |bundle| {
        bundle.set("/mounts/5/options", json!(["rbind", option]));
    })
}

/// The option in a container with a user namespace: its mapping, or an error; never silently
/// nothing (stand 27).
fn maps_or_refuses(trial: &mut Trial<'_>, clause: &'static str, option: &str) -> Result<(), Stop> {
    user_namespace(trial)?;
    let source = owned(directory(trial, "source")?)?;
    trial.mount(json!({
        "destination": "/mnt", "type": "none", "source": source, "options": ["rbind"],
    }));
    let unmapped = match owners(trial, &["/mnt/owned"]) {
        Err(Stop::Refused { operation, exit }) => {
            return Err(Stop::ControlRefused {
                clause: "config.mount-option.bind",
                operation,
                exit,
            });
        }
        seen => seen?,
    };
    if unmapped[0] == json!([3, 4]) {
        return Err(Stop::Inapplicable(
            "a subject whose user namespace changes owners".into(),
        ));
    }
    let config = trial.config.clone();
    trial.another()?;
    let path = trial.config["linux"]["cgroupsPath"].clone();
    trial.config = config;
    trial.set("/linux/cgroupsPath", path);
    give_to_mapped_root(&trial.rootfs())?;
    trial.set("/mounts/5/options", json!(["rbind", option]));
    let exit = trial.create()?;
    if !exit.succeeded() {
        return trial.expect_error(
            clause,
            "a mount to be mapped, without mappings of its own",
            &exit,
        );
    }
    trial.must_start()?;
    trial.wait_exit()?;
    let lines = trial.report()?;
    let stat = &told(&lines, "stat", &["/mnt/owned"])?.value;
    let what = "owner of a file of 3:4, by the user namespace's mapping";
    trial.expect_in(
        clause,
        what,
        json!([3, 4]),
        json!([stat["uid"], stat["gid"]]),
    )?;
    trial.must_delete()
}

const FIRST_HOST_ID: u32 = 100_000;

/// Puts the container into a user namespace, and gives its root file system to the mapped root.
fn user_namespace(trial: &mut Trial<'_>) -> Result<(), Stop> {
    let mapping = json!([{"containerID": 0, "hostID": FIRST_HOST_ID, "size": 65_536}]);
    trial.add_namespace(json!({"type": "user"}));
    trial.set("/linux/uidMappings", mapping.clone());
    trial.set("/linux/gidMappings", mapping);
    give_to_mapped_root(&trial.rootfs())
}

fn give_to_mapped_root(path: &Path) -> Result<(), Stop> {
    own(path, FIRST_HOST_ID, FIRST_HOST_ID)?;
    let entries = std::fs::read_dir(path)
        .map_err(|error| Stop::Broken(format!("readdir {}: {error}", path.display())))?;
    for entry in entries.flatten() {
        own(&entry.path(), FIRST_HOST_ID, FIRST_HOST_ID)?;
    }
    Ok(())
}

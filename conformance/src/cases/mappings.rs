//! User namespace mappings and time namespace offsets.

use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use serde_json::json;

use super::told::told;
use crate::bundle::Bundle;
use crate::case::{Case, Need};
use crate::trial::{Stop, Trial};

const UIDS: &str = "config-linux.uidMappings.effect";
const GIDS: &str = "config-linux.gidMappings.effect";
const NO_CHOWN: &str = "config-linux.mappings.no-chown";
const SECS: &str = "config-linux.timeOffsets.secs.effect";
const NANOSECS: &str = "config-linux.timeOffsets.nanosecs.effect";

/// The first host id of the range that is mapped to 0 and up.
const FIRST: u32 = 100_000;

pub(super) const CASES: &[Case] = &[
    Case {
        id: "mappings/uids-and-gids-are-in-the-maps",
        judges: &[UIDS, GIDS],
        needs: &[Need::UserMappings, Need::SharedKernel],
        run: |trial| {
            // Two entries and other numbers for gids: an entry that is lost or swapped shows.
            let uids = json!([
                {"containerID": 0, "hostID": FIRST, "size": 2000},
                {"containerID": 5000, "hostID": FIRST + 10_000, "size": 7},
            ]);
            let gids = json!([
                {"containerID": 0, "hostID": FIRST, "size": 1500},
                {"containerID": 4000, "hostID": FIRST + 20_000, "size": 9},
            ]);
            trial.add_namespace(json!({"type": "user"}));
            trial.set("/linux/uidMappings", uids.clone());
            trial.set("/linux/gidMappings", gids.clone());
            own_rootfs(trial)?;
            let world = trial.observe()?;
            trial.expect(UIDS, uids, world.uid_map)?;
            trial.expect(GIDS, gids, world.gid_map)
        },
    },
    Case {
        id: "mappings/files-of-the-rootfs-appear-under-mapped-ids",
        judges: &[UIDS, GIDS, NO_CHOWN],
        needs: &[Need::UserMappings],
        run: owners_are_mapped_not_changed,
    },
    Case {
        id: "time-offsets/are-set-for-both-clocks",
        judges: &[SECS, NANOSECS],
        needs: &[Need::Namespace("time"), Need::Capability("CAP_SYS_TIME")],
        run: time_offsets,
    },
];

fn owners_are_mapped_not_changed(trial: &mut Trial) -> Result<(), Stop> {
    trial.add_namespace(json!({"type": "user"}));
    map_a_range(trial);
    own_rootfs(trial)?;
    let mapped = trial.rootfs().join("mnt/mapped");
    let foreign = trial.rootfs().join("mnt/foreign");
    trial.write_file(&mapped, "")?;
    trial.write_file(&foreign, "")?;
    chown(&mapped, FIRST + 5, FIRST + 6)?;
    // Nothing in the container's range: to the container it is the overflow id's.
    chown(&foreign, 0, 0)?;

    trial.probe(&["stat", "/mnt/mapped"]);
    let lines = trial.run_to_end()?;
    let seen = &told(&lines, "stat", &["/mnt/mapped"])?.value;
    trial.expect(UIDS, 5, &seen["uid"])?;
    trial.expect(GIDS, 6, &seen["gid"])?;

    let owners = [owner(&trial.rootfs()), owner(&mapped), owner(&foreign)];
    let expected = [(FIRST, FIRST), (FIRST + 5, FIRST + 6), (0, 0)].map(Some);
    trial.expect(NO_CHOWN, expected, owners)
}

fn time_offsets(trial: &mut Trial) -> Result<(), Stop> {
    trial.add_namespace(json!({"type": "time"}));
    trial.set(
        "/linux/timeOffsets",
        json!({
            "monotonic": {"secs": 86_400, "nanosecs": 7_000},
            // An entry without nanoseconds, and with a sign that differs from the other's default.
            "boottime": {"secs": 259_200},
        }),
    );
    let world = trial.observe()?;
    let of = |clock: &str| world.time_offsets.get(clock).copied();
    let secs = json!([
        of("monotonic").map(|o| o.secs),
        of("boottime").map(|o| o.secs)
    ]);
    trial.expect(SECS, json!([86_400, 259_200]), secs)?;
    let nanosecs = json!([
        of("monotonic").map(|o| o.nanosecs),
        of("boottime").map(|o| o.nanosecs)
    ]);
    trial.expect(NANOSECS, json!([7_000, 0]), nanosecs)
}

/// Maps 65536 ids from 0 up to a range that is no one's.
pub(super) fn map_a_range(bundle: &mut Bundle) {
    for property in ["uidMappings", "gidMappings"] {
        let range = json!([{"containerID": 0, "hostID": FIRST, "size": 65_536}]);
        bundle.set(&format!("/linux/{property}"), range);
    }
}

/// Gives the rootfs to the mapped root: a foreign one would make every runtime fail.
pub(super) fn own_rootfs(trial: &mut Trial) -> Result<(), Stop> {
    let rootfs = trial.rootfs();
    trial.by_hand(format!(
        "chown -R {FIRST}:{FIRST} {}",
        crate::trial::quote(&rootfs.display().to_string())
    ));
    chown(&rootfs, FIRST, FIRST)?;
    let entries = std::fs::read_dir(&rootfs)
        .map_err(|error| Stop::Broken(format!("readdir {}: {error}", rootfs.display())))?;
    for entry in entries.flatten() {
        chown(&entry.path(), FIRST, FIRST)?;
    }
    Ok(())
}

fn chown(path: &Path, uid: u32, gid: u32) -> Result<(), Stop> {
    lchown(path, Some(uid), Some(gid))
        .map_err(|error| Stop::Broken(format!("lchown({path:?}, {uid}, {gid}): {error}")))
}

/// None if it is not there: the subject may have taken it away, or mounted something over it.
fn owner(path: &Path) -> Option<(u32, u32)> {
    let metadata = path.symlink_metadata().ok()?;
    Some((metadata.uid(), metadata.gid()))
}

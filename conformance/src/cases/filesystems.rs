//! The file systems and descriptors that Linux applications expect.

use serde_json::json;

use crate::case::Case;
use crate::trial::{Stop, Trial};

const STDIO: &str = "runtime-linux.fds.stdio-only";

/// Path, file system type and clause.
const EXPECTED: [(&str, &str, &str); 4] = [
    ("/proc", "proc", "config-linux.default-fs.proc"),
    ("/sys", "sysfs", "config-linux.default-fs.sys"),
    ("/dev/pts", "devpts", "config-linux.default-fs.dev.pts"),
    ("/dev/shm", "tmpfs", "config-linux.default-fs.dev.shm"),
];

pub(super) const CASES: &[Case] = &[
    Case {
        id: "default-filesystems/are-there-when-mounted",
        judges: &[EXPECTED[0].2, EXPECTED[1].2, EXPECTED[2].2, EXPECTED[3].2],
        needs: &[],
        run: are_there_when_mounted,
    },
    Case {
        id: "descriptors/only-the-standard-streams-are-open",
        judges: &[STDIO],
        needs: &[],
        run: |trial| {
            let world = trial.observe()?;
            let others: Vec<_> = world
                .descriptors
                .iter()
                .filter(|open| open.fd > 2)
                .collect();
            trial.expect(STDIO, json!([]), others)?;
            let streams: Vec<i32> = world
                .descriptors
                .iter()
                .map(|open| open.fd)
                .filter(|fd| *fd <= 2)
                .collect();
            trial.expect_in(STDIO, "the standard streams", [0, 1, 2], streams)
        },
    },
];

/// The text does not say who makes them available. With the mounts that every engine lists, they
/// must be of their type; whether a runtime adds them by itself is nobody's duty.
fn are_there_when_mounted(trial: &mut Trial) -> Result<(), Stop> {
    let world = trial.observe()?;
    let mounts = world.mounts.unwrap_or_default();
    for (path, kind, clause) in EXPECTED {
        // Of mounts on one another, the last is the one that is seen.
        let seen = mounts.iter().rev().find(|mount| mount.mount_point == path);
        trial.expect(clause, kind, seen.map(|mount| &mount.fs_type))?;
    }
    Ok(())
}

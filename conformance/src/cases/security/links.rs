//! Symbolic links of the image in the way of mounts, and destinations with `..` in them.

use std::path::Path;

use serde_json::{Value, json};

use super::{contents, dare, for_each_lure, inside, outside, seen, untouched, world};
use crate::case::{Case, Need};
use crate::cases::mounts::source::{directory, make, mount_at};
use crate::trial::{Stop, Trial};

const CONFINED: &str = "security.mount-target.symlink.confined";
const UNTOUCHED: &str = "security.mount-target.symlink.host-untouched";
const DOTDOT: &str = "security.mount-target.dotdot.confined";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "security/mount-target/a-link-is-followed-inside-the-root",
        judges: &[CONFINED, UNTOUCHED],
        needs: &[],
        run: |trial| {
            let outside = outside(trial)?;
            for_each_lure(trial, &outside, |trial, lure| {
                lure.lay(&trial.rootfs(), "lure")?;
                bind(trial, "/lure")?;
                trial.probe(&["read", "/lure/here"]);
                confined(trial, lure.name, "/lure/here", &outside)
            })
        },
    },
    Case {
        id: "security/mount-target/a-link-on-the-way-is-followed-inside-the-root",
        judges: &[CONFINED, UNTOUCHED],
        needs: &[],
        run: |trial| {
            let outside = outside(trial)?;
            make(&outside.join("sub"))?;
            for_each_lure(trial, &outside, |trial, lure| {
                lure.lay(&trial.rootfs(), "lure")?;
                make(&inside(&trial.rootfs(), &lure.inside).join("sub"))?;
                bind(trial, "/lure/sub")?;
                trial.probe(&["read", "/lure/sub/here"]);
                let lines = dare(trial)?;
                let observed = seen(lines.as_deref(), "read", "/lure/sub/here");
                let what = format!("{} link: refused, or what is mounted is seen", lure.name);
                expect_either(trial, CONFINED, &what, observed)?;
                let expected = json!({"kept": "kept", "sub": {}});
                trial.expect_in(UNTOUCHED, lure.name, expected, contents(&outside))
            })
        },
    },
    Case {
        id: "security/mount-target/a-missing-one-behind-a-link-is-not-made-on-the-host",
        judges: &[UNTOUCHED],
        needs: &[],
        run: |trial| {
            let outside = outside(trial)?;
            for_each_lure(trial, &outside, |trial, lure| {
                lure.lay(&trial.rootfs(), "lure")?;
                bind(trial, "/lure/made/deep")?;
                dare(trial)?;
                let what = format!("{} link: what is outside of the root", lure.name);
                trial.expect_in(UNTOUCHED, &what, untouched(), contents(&outside))
            })
        },
    },
    Case {
        id: "security/mount-target/a-dangling-link-makes-nothing-on-the-host",
        judges: &[UNTOUCHED],
        needs: &[],
        run: |trial| {
            let outside = outside(trial)?;
            for_each_lure(trial, &outside.join("dangling"), |trial, lure| {
                // Only the link: it dangles inside as it does outside.
                super::link(&lure.target, &trial.rootfs().join("lure"))?;
                bind(trial, "/lure")?;
                dare(trial)?;
                let what = format!("{} link: what is outside of the root", lure.name);
                trial.expect_in(UNTOUCHED, &what, untouched(), contents(&outside))
            })
        },
    },
    Case {
        id: "security/mount-target/dotdot-ends-inside-the-root",
        judges: &[DOTDOT],
        needs: &[],
        run: |trial| {
            let outside = outside(trial)?;
            let name = "outside";
            let destinations = [
                format!("/../../{name}"),
                format!("/mnt/../../../{name}"),
                format!("../../{name}"),
            ];
            for (number, destination) in destinations.iter().enumerate() {
                if number > 0 {
                    trial.another()?;
                }
                make(&trial.rootfs().join(name))?;
                bind(trial, destination)?;
                trial.probe(&["read", "/outside/here"]);
                let lines = dare(trial)?;
                let observed = seen(lines.as_deref(), "read", "/outside/here");
                let what =
                    format!("{destination}: refused, or what is mounted is seen at /outside");
                expect_either(trial, DOTDOT, &what, observed)?;
                trial.expect_in(DOTDOT, destination, untouched(), contents(&outside))?;
            }
            Ok(())
        },
    },
    Case {
        id: "security/proc/a-link-is-refused-or-followed-inside-the-root",
        judges: &["security.proc.symlink.confined"],
        needs: &[],
        run: |trial| stands_inside(trial, "security.proc.symlink.confined", "proc", &["proc"]),
    },
    Case {
        id: "security/sys/a-link-is-refused-or-followed-inside-the-root",
        judges: &["security.sys.symlink.confined"],
        needs: &[],
        run: |trial| stands_inside(trial, "security.sys.symlink.confined", "sys", &["sysfs"]),
    },
    Case {
        id: "security/dev/a-link-is-refused-or-followed-inside-the-root",
        judges: &["security.dev.symlink.confined"],
        needs: &[],
        run: |trial| {
            stands_inside(
                trial,
                "security.dev.symlink.confined",
                "dev",
                &["tmpfs", "devtmpfs"],
            )
        },
    },
    Case {
        // Nothing is mounted over /dev: the device nodes and links are made where it points.
        id: "security/dev/nodes-are-not-made-behind-a-link",
        judges: &["security.dev.symlink.confined"],
        needs: &[Need::Root],
        run: |trial| {
            let clause = "security.dev.symlink.confined";
            let outside = outside(trial)?;
            for_each_lure(trial, &outside, |trial, lure| {
                lure.lay(&trial.rootfs(), "dev")?;
                without_dev(trial);
                dare(trial)?;
                let what = format!("{} link: what is outside of the root", lure.name);
                trial.expect_in(clause, &what, untouched(), contents(&outside))
            })
        },
    },
    Case {
        id: "security/mounts/none-of-the-containers-shows-on-the-host",
        judges: &["security.mounts.no-propagation"],
        needs: &[Need::SharedKernel],
        run: |trial| {
            bind(trial, "/mnt")?;
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let rootfs = trial.rootfs().display().to_string();
            let below: Vec<String> = crate::host::read("/proc/self/mountinfo")
                .lines()
                .filter_map(|line| line.split(' ').nth(4))
                .filter(|point| {
                    point
                        .strip_prefix(&rootfs)
                        .is_some_and(|rest| rest.starts_with('/'))
                })
                .map(str::to_owned)
                .collect();
            let what = "mounts below the root file system in the runtime's namespace";
            trial.expect_in("security.mounts.no-propagation", what, json!([]), below)?;
            trial.finish()
        },
    },
];

/// Takes every mount at or below `/dev` out of the configuration.
pub(super) fn without_dev(trial: &mut Trial<'_>) {
    if let Some(Value::Array(mounts)) = trial.config.pointer_mut("/mounts") {
        mounts.retain(|mount| {
            !mount["destination"]
                .as_str()
                .is_some_and(|path| path.starts_with("/dev"))
        });
    }
}

fn bind(trial: &mut Trial<'_>, destination: &str) -> Result<(), Stop> {
    let source = directory(trial, "source")?;
    trial.mount(json!({
        "destination": destination, "type": "none", "source": source, "options": ["bind"],
    }));
    Ok(())
}

fn confined(trial: &mut Trial<'_>, name: &str, path: &str, outside: &Path) -> Result<(), Stop> {
    let lines = dare(trial)?;
    let what = format!("{name} link: refused, or what is mounted is seen");
    expect_either(trial, CONFINED, &what, seen(lines.as_deref(), "read", path))?;
    trial.expect_in(UNTOUCHED, name, untouched(), contents(outside))
}

/// The container was refused, or sees the bind mount's file where it is inside.
fn expect_either(
    trial: &mut Trial<'_>,
    clause: &'static str,
    what: &str,
    observed: Value,
) -> Result<(), Stop> {
    let holds = observed == json!("refused") || observed == json!("source");
    trial.expect_that(clause, holds, what, observed)
}

/// A standard file system whose mount point is a link: refused, or mounted where that is inside.
fn stands_inside(
    trial: &mut Trial<'_>,
    clause: &'static str,
    place: &str,
    kinds: &[&str],
) -> Result<(), Stop> {
    let outside = outside(trial)?;
    for_each_lure(trial, &outside, |trial, lure| {
        lure.lay(&trial.rootfs(), place)?;
        let lines = dare(trial)?;
        let point = lure.inside.display().to_string();
        let world = lines.as_deref().and_then(world);
        // In the link's place is confined as well: some kernels mount on the link itself.
        let mount = |point: &str| world.as_ref().and_then(|world| mount_at(world, point));
        let kind = mount(&point)
            .or(mount(&format!("/{place}")))
            .map(|mount| &mount.fs_type);
        let holds = lines.is_none() || kind.is_some_and(|kind| kinds.contains(&kind.as_str()));
        let observed = if lines.is_none() {
            json!("refused")
        } else {
            json!(kind)
        };
        let says = format!("{} link: refused, or {} at {point}", lure.name, kinds[0]);
        trial.expect_that(clause, holds, says, observed)?;
        let what = format!("{} link: what is outside of the root", lure.name);
        trial.expect_in(clause, &what, untouched(), contents(&outside))
    })
}

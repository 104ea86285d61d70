//! The propagation of the rootfs mount: as the container's mount table tells, and by effect.

use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::{Value, json};

use super::told::{ending, told};
use crate::case::{Case, Need};
use crate::trial::{Stop, Trial, quote};

const SHARED: &str = "config-linux.rootfsPropagation.shared.effect";
const SLAVE: &str = "config-linux.rootfsPropagation.slave.effect";
const PRIVATE: &str = "config-linux.rootfsPropagation.private.effect";
const UNBINDABLE: &str = "config-linux.rootfsPropagation.unbindable.effect";

/// Mounts of the host are evidence only where the container's mounts are the same kernel's.
const MOUNTS_OF_THE_HOST: &[Need] = &[Need::Root, Need::SharedKernel, Need::FileSystem("tmpfs")];

pub(super) const CASES: &[Case] = &[
    Case {
        id: "rootfs-propagation/shared-is-a-new-peer-group",
        judges: &[SHARED],
        needs: &[],
        run: shared,
    },
    Case {
        id: "rootfs-propagation/slave-has-a-master",
        judges: &[SLAVE],
        needs: &[Need::SharedKernel],
        run: |trial| {
            trial.set("/linux/rootfsPropagation", "slave");
            let fields = fields_of_root(trial)?;
            // Peers of its own it may have, too: what it sends to them does not reach the host.
            let holds = has(&fields, "master:");
            trial.expect_that(SLAVE, holds, "a master", fields)
        },
    },
    Case {
        id: "rootfs-propagation/private-has-neither-master-nor-peers",
        judges: &[PRIVATE],
        needs: &[],
        run: |trial| {
            trial.set("/linux/rootfsPropagation", "private");
            let fields = fields_of_root(trial)?;
            let holds = !has(&fields, "master:") && !has(&fields, "shared:");
            trial.expect_that(PRIVATE, holds, "neither a master nor a peer group", fields)
        },
    },
    Case {
        id: "rootfs-propagation/unbindable-cannot-be-bound",
        judges: &[UNBINDABLE],
        needs: &[],
        run: unbindable,
    },
    Case {
        id: "rootfs-propagation/slave-receives-mounts-of-the-host-and-sends-none",
        judges: &[SLAVE],
        needs: MOUNTS_OF_THE_HOST,
        run: |trial| {
            mounts_cross(
                trial,
                "slave",
                SLAVE,
                json!({"received": true, "sent": false}),
            )
        },
    },
    Case {
        id: "rootfs-propagation/private-neither-receives-nor-sends-mounts",
        judges: &[PRIVATE],
        needs: MOUNTS_OF_THE_HOST,
        run: |trial| {
            mounts_cross(
                trial,
                "private",
                PRIVATE,
                json!({"received": false, "sent": false}),
            )
        },
    },
];

fn shared(trial: &mut Trial) -> Result<(), Stop> {
    trial.set("/linux/rootfsPropagation", "shared");
    let fields = fields_of_root(trial)?;
    let group = fields.iter().find(|field| field.starts_with("shared:"));
    // "New": none of the runtime's own mounts may belong to it.
    let foreign = group.is_some_and(|group| {
        crate::host::read("/proc/self/mountinfo")
            .lines()
            .any(|line| line.split(' ').any(|field| field == group))
    });
    let foreign = foreign && trial.profile().shared_kernel;
    trial.expect_that(
        SHARED,
        group.is_some() && !foreign,
        "a peer group that no mount of the runtime namespace is in",
        json!({"fields": fields, "a group of the runtime namespace": foreign}),
    )
}

fn unbindable(trial: &mut Trial) -> Result<(), Stop> {
    trial.set("/linux/rootfsPropagation", "unbindable");
    trial.grant("CAP_SYS_ADMIN");
    trial.probe(&["mount", "/", "/mnt", "none", "bind"]);
    let lines = trial.run_to_end()?;
    let line = told(&lines, "mount", &[])?;
    trial.expect_that(
        UNBINDABLE,
        line.errno.is_some(),
        "an error from a bind mount of the root",
        ending(line),
    )
}

/// Mounts on the host below the rootfs, and in the container below its root, and looks for each on
/// the other side.
fn mounts_cross(
    trial: &mut Trial,
    propagation: &str,
    clause: &'static str,
    expected: Value,
) -> Result<(), Stop> {
    trial.set("/linux/rootfsPropagation", propagation);
    trial.grant("CAP_SYS_ADMIN");
    trial.probe(&[
        "mount",
        "none",
        "/tmp",
        "tmpfs",
        "rw",
        "then",
        "await-signal",
        "then",
        "read",
        "/mnt/sign",
    ]);
    trial.run_until_ready()?;
    let point = trial.rootfs().join("mnt");
    trial.by_hand(format!(
        "mount -t tmpfs none {0} && touch {0}/sign",
        quote(&point.display().to_string())
    ));
    lay_a_sign(&point).map_err(Stop::Broken)?;
    let ended = trial.kill("TERM").and_then(|_| trial.wait_exit());
    let sent = is_mounted(&trial.rootfs().join("tmp"));
    trial.by_hand(format!("umount {}", quote(&point.display().to_string())));
    umount2(&point, MntFlags::MNT_DETACH)
        .map_err(|errno| Stop::Broken(format!("umount2({point:?}, MNT_DETACH): {errno}")))?;
    ended?;
    let lines = trial.report()?;
    trial.must_delete()?;

    let mounted = told(&lines, "mount", &[])?;
    if mounted.errno.is_some() {
        // Without a mount of its own, that nothing was sent shows nothing.
        return Err(Stop::NoReport(format!(
            "mount of a tmpfs in the container: {}",
            ending(mounted)
        )));
    }
    let received = told(&lines, "read", &[])?.errno.is_none();
    trial.expect(
        clause,
        expected,
        json!({"received": received, "sent": sent}),
    )
}

fn lay_a_sign(point: &Path) -> Result<(), String> {
    mount(
        Some("none"),
        point,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .map_err(|errno| format!("mount(\"none\", {point:?}, \"tmpfs\"): {errno}"))?;
    std::fs::write(point.join("sign"), "").map_err(|error| format!("write {point:?}/sign: {error}"))
}

fn is_mounted(point: &Path) -> bool {
    let point = point.display().to_string();
    crate::host::read("/proc/self/mountinfo")
        .lines()
        .any(|line| line.split(' ').nth(4) == Some(&point))
}

/// The propagation fields of the mount that the container sees as its root.
fn fields_of_root(trial: &mut Trial) -> Result<Vec<String>, Stop> {
    let world = trial.observe()?;
    let mounts = world.mounts.unwrap_or_default();
    let root = mounts
        .into_iter()
        .rev()
        .find(|mount| mount.mount_point == "/");
    root.map(|mount| mount.propagation)
        .ok_or_else(|| Stop::NoReport("the container's mount table has no mount at /".into()))
}

fn has(fields: &[String], kind: &str) -> bool {
    fields.iter().any(|field| field.starts_with(kind))
}

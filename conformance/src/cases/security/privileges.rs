//! What the container process must not be able to do: capabilities it was not given, the caller's
//! keys, devices that are denied, the host's files.

use serde_json::json;

use super::{dare, outside};
use crate::case::{Case, Need};
use crate::cases::mounts::source::put;
use crate::cases::seccomp;
use crate::cases::told::told;
use crate::trial::{Stop, Trial};

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "security/capabilities/the-inheritable-set-is-empty-if-none-is-listed",
        judges: &["security.capabilities.inheritable-empty"],
        needs: &[],
        run: |trial| {
            let clause = "security.capabilities.inheritable-empty";
            let world = trial.observe()?;
            trial.expect_in(
                clause,
                "inheritable is not listed",
                json!([]),
                world.capabilities.inheritable,
            )?;
            trial.another()?;
            trial.set("/process/capabilities/inheritable", json!([]));
            let world = trial.observe()?;
            trial.expect_in(
                clause,
                "inheritable is an empty list",
                json!([]),
                world.capabilities.inheritable,
            )
        },
    },
    Case {
        id: "security/keyring/is-not-shared-with-other-containers-of-the-caller",
        judges: &["security.keyring.own-session"],
        needs: &[Need::SharedKernel],
        run: |trial| {
            let mut keyrings = Vec::new();
            for number in 0..2 {
                if number > 0 {
                    trial.another()?;
                }
                let world = trial.observe()?;
                if let Some(reason) = world.unknown.get("session_keyring") {
                    return Err(Stop::Inapplicable(format!("session keyrings ({reason})")));
                }
                keyrings.push(world.session_keyring);
            }
            // Both have the one that the caller's processes have, or each has its own.
            let holds = keyrings[0].is_some() && keyrings[0] != keyrings[1];
            let says = "two containers have session keyrings of their own";
            trial.expect_that("security.keyring.own-session", holds, says, &keyrings)
        },
    },
    Case {
        id: "security/devices/what-no-rule-allows-cannot-be-opened",
        judges: &["security.device.default-deny"],
        needs: &[
            Need::Root,
            Need::SharedKernel,
            Need::Capability("CAP_MKNOD"),
            Need::DeviceRules,
        ],
        run: |trial| {
            trial.grant("CAP_MKNOD");
            trial.set(
                "/linux/resources/devices",
                json!([{"allow": false, "access": "rwm"}]),
            );
            // A number that is kept for local use: where no driver has it, an allowed open says
            // ENXIO. Denied, it says EPERM before any driver is looked for.
            trial.probe(&[
                "mknod",
                "/tmp/node",
                "c",
                "240",
                "77",
                "then",
                "open",
                "/tmp/node",
                "r",
            ]);
            let lines = trial.run_to_end()?;
            let made = told(&lines, "mknod", &[])?.errno.clone();
            let opened = told(&lines, "open", &[])?.errno.clone();
            let denied =
                |errno: &Option<String>| matches!(errno.as_deref(), Some("EPERM" | "EACCES"));
            let holds = denied(&opened) || (denied(&made) && opened.as_deref() == Some("ENOENT"));
            let observed = json!({"mknod": made, "open": opened});
            let says = "making the node or opening it is denied";
            trial.expect_that("security.device.default-deny", holds, says, observed)
        },
    },
    Case {
        id: "security/seccomp/another-abi-is-no-way-around-the-filter",
        judges: &["security.seccomp.foreign-abi"],
        needs: &[Need::SharedKernel],
        run: foreign_abi,
    },
    Case {
        id: "security/rootfs/the-hosts-root-cannot-be-reached",
        judges: &["security.rootfs.no-host-mounts-visible"],
        needs: &[],
        run: old_root,
    },
    Case {
        id: "security/rootfs/no-mount-of-the-hosts-root-is-in-the-mount-table",
        judges: &["security.rootfs.no-host-mounts-visible"],
        needs: &[Need::SharedKernel],
        run: |trial| {
            let host = crate::host::read("/proc/self/mountinfo");
            let Some(root) = host.lines().find_map(|line| {
                let fields: Vec<&str> = line.split(' ').collect();
                (fields.get(4) == Some(&"/")).then(|| (fields[2].to_owned(), fields[3].to_owned()))
            }) else {
                return Err(Stop::Inapplicable(
                    "a mount at / in /proc/self/mountinfo".into(),
                ));
            };
            let world = trial.observe()?;
            let shown: Vec<_> = world
                .mounts
                .iter()
                .flatten()
                .filter(|mount| (&mount.device, &mount.root) == (&root.0, &root.1))
                .collect();
            let what = "mounts of the host's root directory";
            trial.expect_in(
                "security.rootfs.no-host-mounts-visible",
                what,
                json!([]),
                shown,
            )
        },
    },
];

/// A filter for x86_64 alone, and a call through the ABI of i386, which has other numbers: rules
/// that compare the number alone hit the wrong calls, or none.
fn foreign_abi(trial: &mut Trial<'_>) -> Result<(), Stop> {
    /// getpriority(2) of i386.
    const NUMBER: &str = "96";
    if trial.host().machine != "x86_64" {
        return Err(Stop::Inapplicable("an x86_64 kernel".into()));
    }
    trial.probe(&["syscall-child-i386", NUMBER, "0", "0"]);
    let ending = |lines: &[oci_probe::Line]| -> Result<serde_json::Value, Stop> {
        let value = &told(lines, "syscall-child-i386", &[])?.value;
        let of = |key: &str| Some(value[key].clone()).filter(|value| !value.is_null());
        Ok(of("signal")
            .or_else(|| of("errno"))
            .unwrap_or(json!("done")))
    };
    let without = ending(&trial.run_to_end()?)?;
    if without != "done" {
        return Err(Stop::Inapplicable(format!(
            "the i386 ABI in the kernel (a call without a filter: {without})"
        )));
    }
    trial.another()?;
    trial.probe(&["syscall-child-i386", NUMBER, "0", "0"]);
    let rule = json!({"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"});
    seccomp::filter(trial, "SCMP_ACT_ALLOW", json!([rule]));
    let with = ending(&trial.run_to_end()?)?;
    let says = "the call fails or ends its process";
    trial.expect_that("security.seccomp.foreign-abi", with != "done", says, with)
}

/// Paths that would lead to a file of the host if its root were still there.
fn old_root(trial: &mut Trial<'_>) -> Result<(), Stop> {
    let clause = "security.rootfs.no-host-mounts-visible";
    let kept = outside(trial)?.join("kept").display().to_string();
    put(&trial.rootfs().join("own"), "the image's")?;
    let paths = [
        kept.clone(),
        format!("/../../../../../../../..{kept}"),
        format!("/proc/1/root{kept}"),
        format!("/proc/self/root/..{kept}"),
        format!("/proc/self/cwd/..{kept}"),
        format!("/proc/thread-self/cwd/../..{kept}"),
    ];
    let mut words = vec!["read", "/own"];
    for path in &paths {
        words.extend(["then", "read", path]);
    }
    trial.probe(&words);
    let Some(lines) = dare(trial)? else {
        return Err(Stop::Broken("the plain container was refused".into()));
    };
    let found: Vec<&String> = paths
        .iter()
        .filter(|path| super::seen(Some(&lines), "read", path) == "kept")
        .collect();
    trial.expect_in(
        clause,
        "paths by which a file of the host is read",
        json!([]),
        found,
    )?;
    let own = super::seen(Some(&lines), "read", "/own");
    trial.expect_in(
        clause,
        "a file of the image, for comparison",
        "the image's",
        own,
    )
}

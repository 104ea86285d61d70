//! Options by what a process in the container can and cannot do.

use std::os::unix::fs::PermissionsExt;

use nix::mount::MsFlags;
use serde_json::json;

use crate::case::{Case, Need};
use crate::cases::mounts::source::{directory, mount_at, put, text, tree};
use crate::cases::told::told;
use crate::trial::{Stop, Trial};

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "mount-options/bind/leaves-the-mounts-below-out",
        judges: &["config.mount-option.bind"],
        needs: &[Need::Root],
        run: |trial| {
            bind_tree(trial, "bind")?;
            let lines = trial.run_to_end()?;
            let clause = "config.mount-option.bind";
            let top = text(told(&lines, "read", &["/mnt/here"])?);
            trial.expect_in(clause, "a file of the source", "source", top)?;
            let below = text(told(&lines, "read", &["/mnt/sub/below"])?);
            trial.expect_in(
                clause,
                "a file of the mount below",
                json!({"errno": "ENOENT"}),
                below,
            )
        },
    },
    Case {
        id: "mount-options/rbind/takes-the-mounts-below-along",
        judges: &["config.mount-option.rbind"],
        needs: &[Need::Root],
        run: |trial| {
            bind_tree(trial, "rbind")?;
            let lines = trial.run_to_end()?;
            let clause = "config.mount-option.rbind";
            let top = text(told(&lines, "read", &["/mnt/here"])?);
            trial.expect_in(clause, "a file of the source", "source", top)?;
            let below = text(told(&lines, "read", &["/mnt/sub/below"])?);
            trial.expect_in(clause, "a file of the mount below", "source", below)
        },
    },
    Case {
        id: "mount-options/ro/denies-writing-to-a-bind-mount",
        judges: &["config.mount-option.ro"],
        needs: &[],
        run: |trial| {
            let source = directory(trial, "source")?;
            bind(trial, &["bind", "ro"])?;
            trial.probe(&[
                "create",
                "/mnt/new",
                "then",
                "write",
                "/mnt/here",
                "x",
                "then",
                "read",
                "/mnt/here",
            ]);
            let lines = trial.run_to_end()?;
            let clause = "config.mount-option.ro";
            for verb in ["create", "write"] {
                let line = told(&lines, verb, &[])?;
                let says = format!("{} in the mount is denied", line.verb);
                trial.expect_that(clause, line.errno.is_some(), says, &line.errno)?;
            }
            trial.expect_in(
                clause,
                "a file of the source",
                "source",
                text(told(&lines, "read", &["/mnt/here"])?),
            )?;
            let made = source.join("new").exists();
            trial.expect_in(clause, "whether a file was made in the source", false, made)
        },
    },
    Case {
        id: "mount-options/rw/lets-a-bind-mount-be-written",
        judges: &["config.mount-option.rw"],
        needs: &[],
        run: |trial| {
            bind(trial, &["bind", "ro", "rw"])?;
            trial.probe(&["create", "/mnt/new"]);
            let lines = trial.run_to_end()?;
            let errno = &told(&lines, "create", &[])?.errno;
            trial.expect_in(
                "config.mount-option.rw",
                "errno of making a file",
                json!(null),
                errno,
            )
        },
    },
    Case {
        id: "mount-options/noexec/denies-running-a-program",
        judges: &["config.mount-option.noexec"],
        needs: &[],
        run: |trial| {
            program(trial, 0o755)?;
            bind(trial, &["bind", "noexec"])?;
            trial.probe(&["exec", "/mnt/program", "print", "ran"]);
            let lines = trial.run_to_end()?;
            let errno = &told(&lines, "exec", &[])?.errno;
            trial.expect_in(
                "config.mount-option.noexec",
                "errno of execve(2)",
                "EACCES",
                errno,
            )
        },
    },
    Case {
        id: "mount-options/exec/lets-a-program-run",
        judges: &["config.mount-option.exec"],
        needs: &[],
        run: |trial| {
            program(trial, 0o755)?;
            bind(trial, &["bind", "noexec", "exec"])?;
            trial.probe(&["exec", "/mnt/program", "observe"]);
            let lines = trial.run_to_end()?;
            // The verb itself tells of nothing but failure: the program has taken its place.
            let verbs: Vec<_> = lines.iter().map(|line| (&line.verb, &line.errno)).collect();
            let ran = lines.iter().any(|line| line.verb == "observe");
            trial.expect_that(
                "config.mount-option.exec",
                ran,
                "the program runs, and observes",
                verbs,
            )
        },
    },
    Case {
        id: "mount-options/nosuid/a-set-user-id-program-gains-nothing",
        judges: &["config.mount-option.nosuid"],
        needs: &[Need::Root],
        run: |trial| {
            set_user_id(
                trial,
                "config.mount-option.nosuid",
                &["bind", "nosuid"],
                1000,
            )
        },
    },
    Case {
        id: "mount-options/suid/a-set-user-id-program-has-its-owners-id",
        judges: &["config.mount-option.suid"],
        needs: &[Need::Root],
        run: |trial| {
            set_user_id(
                trial,
                "config.mount-option.suid",
                &["bind", "nosuid", "suid"],
                0,
            )
        },
    },
    Case {
        id: "mount-options/nodev/denies-opening-a-device",
        judges: &["config.mount-option.nodev"],
        needs: &[Need::Root, Need::Capability("CAP_MKNOD")],
        run: |trial| {
            let source = directory(trial, "source")?;
            device(&source.join("null"))?;
            bind(trial, &["bind", "nodev"])?;
            trial.probe(&["open", "/mnt/null", "rw"]);
            let lines = trial.run_to_end()?;
            let errno = &told(&lines, "open", &[])?.errno;
            let says = "opening a node of the null device is denied";
            trial.expect_that("config.mount-option.nodev", errno.is_some(), says, errno)
        },
    },
    Case {
        id: "mount-options/remount/changes-the-mount-that-is-there",
        judges: &["config.mount-option.remount"],
        needs: &[],
        run: |trial| {
            trial.mount(json!({
                "destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=64k"],
            }));
            trial.mount(json!({
                "destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["remount", "ro", "nosuid"],
            }));
            let world = trial.observe()?;
            let clause = "config.mount-option.remount";
            let count = world
                .mounts
                .iter()
                .flatten()
                .filter(|mount| mount.mount_point == "/mnt")
                .count();
            trial.expect_in(
                clause,
                "mounts at /mnt after a mount and a remount",
                1,
                count,
            )?;
            let mount = mount_at(&world, "/mnt");
            let all = mount
                .map(|mount| [mount.options.as_slice(), mount.super_options.as_slice()].concat());
            let readonly = all.iter().flatten().any(|option| option == "ro");
            trial.expect_that(clause, readonly, "the remount has made it ro", mount)?;
            let kept = all.iter().flatten().any(|option| option == "size=64k");
            trial.expect_that(clause, kept, "it is the same tmpfs, size=64k", mount)
        },
    },
    Case {
        id: "mount-options/tmpcopyup/fills-the-tmpfs-with-what-was-there",
        judges: &["config.mount-option.tmpcopyup"],
        needs: &[],
        run: |trial| {
            put(&trial.rootfs().join("mnt/here"), "the image's")?;
            trial.mount(json!({
                "destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"],
            }));
            trial.probe(&["read", "/mnt/here"]);
            let lines = trial.run_to_end()?;
            let seen = text(told(&lines, "read", &["/mnt/here"])?);
            trial.expect_in(
                "config.mount-option.tmpcopyup",
                "a file of the root",
                "the image's",
                seen,
            )
        },
    },
];

/// Binds the bundle's directory `source`, made if it is missing, at `/mnt`.
fn bind(trial: &mut Trial<'_>, options: &[&str]) -> Result<(), Stop> {
    let source = directory(trial, "source")?;
    trial.mount(json!({
        "destination": "/mnt", "type": "none", "source": source, "options": options,
    }));
    Ok(())
}

/// Binds a tree, and reads a file at its top and one in the mount below.
fn bind_tree(trial: &mut Trial<'_>, option: &str) -> Result<(), Stop> {
    let source = tree(trial, "source", MsFlags::empty())?;
    trial.mount(json!({
        "destination": "/mnt", "type": "none", "source": source, "options": [option],
    }));
    trial.probe(&["read", "/mnt/here", "then", "read", "/mnt/sub/below"]);
    Ok(())
}

/// Puts the probe into `source` as `program`.
fn program(trial: &Trial<'_>, mode: u32) -> Result<(), Stop> {
    let path = directory(trial, "source")?.join("program");
    std::fs::copy(trial.directory.join("probe"), &path)
        .and_then(|_| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)))
        .map_err(|error| Stop::Broken(format!("copy of the probe to {}: {error}", path.display())))
}

/// Runs a program with the set-user-ID bit of root as another user.
fn set_user_id(
    trial: &mut Trial<'_>,
    clause: &'static str,
    options: &[&str],
    expected: u32,
) -> Result<(), Stop> {
    program(trial, 0o4755)?;
    bind(trial, options)?;
    trial.set("/process/user", json!({"uid": 1000, "gid": 1000}));
    trial.probe(&["exec", "/mnt/program", "observe"]);
    let world = trial.observe()?;
    let what = "effective uid of a set-user-ID program of root, run by 1000";
    trial.expect_in(clause, what, expected, world.uid.effective)
}

fn device(path: &std::path::Path) -> Result<(), Stop> {
    use nix::sys::stat::{Mode, SFlag, makedev, mknod};
    mknod(
        path,
        SFlag::S_IFCHR,
        Mode::from_bits_truncate(0o666),
        makedev(1, 3),
    )
    .map_err(|errno| Stop::Inapplicable(format!("mknod({path:?}, S_IFCHR, 1:3): {errno}")))
}

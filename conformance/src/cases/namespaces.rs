//! Namespaces: made anew, inherited or joined by path; what must be refused.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::json;

use super::mappings::{map_a_range, own_rootfs};
use crate::case::{Case, Need};
use crate::trial::{Refusal, Stop, Trial, When, quote};

const NEW: &str = "config-linux.namespaces.nopath.new";
/// What was asked of every type before each had a sentence of its own.
const SUPPORTED: &str = "config-linux.namespaces.types.supported";
const INHERIT: &str = "config-linux.namespaces.inherit";
const JOIN: &str = "config-linux.namespaces.path.join";
const MISMATCH: &str = "config-linux.namespaces.path.type-mismatch";
const DUPLICATE: &str = "config-linux.namespaces.duplicate";
const UNKNOWN: &str = "config-linux.namespaces.type.unknown";
const NOTHING: &str = "runtime.errors.unchanged";

/// A row of "listed without a path": id, type as in the configuration, as in `/proc/self/ns`, and
/// the clause that asks for its support.
macro_rules! new {
    ($id:literal, $kind:literal, $file:literal, $supported:literal) => {
        Case {
            id: $id,
            judges: &[$supported, NEW, SUPPORTED],
            needs: &[Need::SharedKernel, Need::Namespace($file)],
            run: |trial| is_new(trial, $kind, $file, $supported),
        }
    };
}

/// A row of "not listed": id, type as in the configuration and as in `/proc/self/ns`.
macro_rules! inherited {
    ($id:literal, $kind:literal, $file:literal) => {
        Case {
            id: $id,
            judges: &[INHERIT],
            needs: &[Need::Root, Need::SharedKernel, Need::Namespace($file)],
            run: |trial| is_inherited(trial, $kind, $file),
        }
    };
}

/// A row of "listed with a path": as [`inherited`], with the file whose namespace is pinned and
/// the flag that makes one.
macro_rules! joined {
    ($id:literal, $kind:literal, $file:literal, $flag:expr) => {
        Case {
            id: $id,
            judges: &[JOIN],
            needs: &[Need::Root, Need::SharedKernel, Need::Namespace($file)],
            run: |trial| is_joined(trial, $kind, $file, $flag),
        }
    };
}

/// A row of what is an error: id, the clause that says so, the path, and what the path is.
macro_rules! mismatched {
    ($id:literal, $what:literal, $path:expr) => {
        Case {
            id: $id,
            judges: &[MISMATCH, JOIN, NOTHING],
            needs: &[Need::Root, Need::Namespace("ipc"), Need::Namespace("uts")],
            run: |trial| is_no_ipc_namespace(trial, $what, $path),
        }
    };
}

pub(super) const CASES: &[Case] = &[
    new!(
        "namespaces/pid-without-a-path-is-new",
        "pid",
        "pid",
        "config-linux.namespaces.type.pid.supported"
    ),
    new!(
        "namespaces/network-without-a-path-is-new",
        "network",
        "net",
        "config-linux.namespaces.type.network.supported"
    ),
    new!(
        "namespaces/mount-without-a-path-is-new",
        "mount",
        "mnt",
        "config-linux.namespaces.type.mount.supported"
    ),
    new!(
        "namespaces/ipc-without-a-path-is-new",
        "ipc",
        "ipc",
        "config-linux.namespaces.type.ipc.supported"
    ),
    new!(
        "namespaces/uts-without-a-path-is-new",
        "uts",
        "uts",
        "config-linux.namespaces.type.uts.supported"
    ),
    new!(
        "namespaces/user-without-a-path-is-new",
        "user",
        "user",
        "config-linux.namespaces.type.user.supported"
    ),
    new!(
        "namespaces/cgroup-without-a-path-is-new",
        "cgroup",
        "cgroup",
        "config-linux.namespaces.type.cgroup.supported"
    ),
    Case {
        id: "namespaces/time-without-a-path-is-new",
        judges: &["config-linux.namespaces.type.time.supported", NEW],
        needs: &[Need::SharedKernel, Need::Namespace("time")],
        run: |trial| {
            let supported = "config-linux.namespaces.type.time.supported";
            is_new(trial, "time", "time", supported)
        },
    },
    // The plain configuration lists neither user (with root), cgroup nor time. The mount namespace
    // is left out: without one of its own a container's mounts are made on the host.
    inherited!("namespaces/user-not-listed-is-inherited", "user", "user"),
    inherited!(
        "namespaces/cgroup-not-listed-is-inherited",
        "cgroup",
        "cgroup"
    ),
    inherited!("namespaces/time-not-listed-is-inherited", "time", "time"),
    inherited!("namespaces/pid-not-listed-is-inherited", "pid", "pid"),
    inherited!(
        "namespaces/network-not-listed-is-inherited",
        "network",
        "net"
    ),
    inherited!("namespaces/ipc-not-listed-is-inherited", "ipc", "ipc"),
    inherited!("namespaces/uts-not-listed-is-inherited", "uts", "uts"),
    joined!(
        "namespaces/network-path-is-joined",
        "network",
        "net",
        CloneFlags::CLONE_NEWNET
    ),
    joined!(
        "namespaces/ipc-path-is-joined",
        "ipc",
        "ipc",
        CloneFlags::CLONE_NEWIPC
    ),
    joined!(
        "namespaces/uts-path-is-joined",
        "uts",
        "uts",
        CloneFlags::CLONE_NEWUTS
    ),
    joined!(
        "namespaces/cgroup-path-is-joined",
        "cgroup",
        "cgroup",
        CloneFlags::CLONE_NEWCGROUP
    ),
    Case {
        id: "namespaces/time-path-is-joined",
        judges: &[JOIN],
        needs: &[Need::Root, Need::SharedKernel, Need::Namespace("time")],
        run: |trial| {
            if !trial.binds("config-linux.namespaces.type.time.supported") {
                return Err(Stop::Inapplicable(
                    "a subject that claims 1.1.0 or newer".into(),
                ));
            }
            is_joined(trial, "time", "time", NEW_TIME)
        },
    },
    Case {
        id: "namespaces/pid-path-is-joined",
        judges: &[JOIN],
        needs: &[Need::Root, Need::SharedKernel],
        run: |trial| is_joined_to_a_container(trial, "pid"),
    },
    Case {
        id: "namespaces/user-path-is-joined",
        judges: &[JOIN],
        needs: &[Need::UserMappings, Need::SharedKernel],
        run: |trial| is_joined_to_a_container(trial, "user"),
    },
    mismatched!(
        "namespaces/path-of-another-type-is-an-error",
        "a path of a uts namespace for the type ipc",
        |trial| pin(trial, "uts", CloneFlags::CLONE_NEWUTS)
    ),
    mismatched!(
        "namespaces/path-of-no-namespace-is-an-error",
        "a regular file for the type ipc",
        |trial| {
            let path = trial.directory().join("no-namespace");
            trial.write_file(&path, "")?;
            Ok(path)
        }
    ),
    mismatched!(
        "namespaces/path-of-nothing-is-an-error",
        "a path where nothing is for the type ipc",
        |trial| Ok(trial.directory().join("nothing-is-here"))
    ),
    Case {
        id: "namespaces/a-type-listed-twice-is-an-error",
        judges: &[DUPLICATE, NEW, NOTHING],
        needs: &[],
        run: |trial| {
            let refusal = refusal(DUPLICATE, NEW, "a namespace type that is listed twice");
            trial.refuses(&refusal, |bundle| {
                bundle.set("/linux/namespaces/-", json!({"type": "uts"}));
            })
        },
    },
    Case {
        id: "namespaces/an-unknown-type-is-an-error",
        judges: &[UNKNOWN, NEW, NOTHING],
        needs: &[],
        run: |trial| {
            let refusal = refusal(UNKNOWN, NEW, "a namespace type that does not exist");
            trial.refuses(&refusal, |bundle| {
                bundle.set("/linux/namespaces/-", json!({"type": "weather"}));
            })
        },
    },
];

/// CLONE_NEWTIME, which nix does not name.
const NEW_TIME: CloneFlags = CloneFlags::from_bits_retain(0x80);

fn is_new(
    trial: &mut Trial,
    kind: &'static str,
    file: &str,
    supported: &'static str,
) -> Result<(), Stop> {
    let own = inode(&Path::new("/proc/self/ns").join(file))?;
    trial.add_namespace(json!({"type": kind}));
    // Without root the plain configuration has a user namespace and its mapping.
    if kind == "user" && trial.host().root() {
        map_a_range(trial);
        own_rootfs(trial)?;
    }
    let world = trial.observe()?;
    let observed = world.namespaces.get(file).copied();
    let holds = observed.is_some_and(|inode| inode != own);
    let expected = format!("a {kind} namespace other than the runtime's ({own})");
    trial.expect_that(supported, holds, expected.clone(), observed)?;
    if kind != "time" {
        trial.expect_that(SUPPORTED, holds, expected.clone(), observed)?;
    }
    trial.expect_that(NEW, holds, expected, observed)
}

fn is_inherited(trial: &mut Trial, kind: &str, file: &str) -> Result<(), Stop> {
    let own = inode(&Path::new("/proc/self/ns").join(file))?;
    trial.drop_namespace(kind);
    let world = trial.observe()?;
    trial.expect(INHERIT, own, world.namespaces.get(file))
}

fn is_joined(trial: &mut Trial, kind: &str, file: &str, flag: CloneFlags) -> Result<(), Stop> {
    let path = pin(trial, file, flag)?;
    trial.add_namespace(json!({"type": kind, "path": path}));
    let world = trial.observe()?;
    trial.expect(JOIN, inode(&path)?, world.namespaces.get(file))
}

/// For types whose namespace lives only as long as a process in it: that of another container.
fn is_joined_to_a_container(trial: &mut Trial, kind: &str) -> Result<(), Stop> {
    trial.probe(&["pause"]);
    if kind == "user" {
        trial.add_namespace(json!({"type": "user"}));
        map_a_range(trial);
        own_rootfs(trial)?;
    }
    trial.run_until_ready()?;
    let Some(pid) = trial.pid() else {
        return Err(Stop::NoReport(
            "neither the pid file nor the state has a pid".into(),
        ));
    };
    let path = PathBuf::from(format!("/proc/{pid}/ns/{kind}"));
    let expected = inode(&path)?;

    trial.another()?;
    trial.add_namespace(json!({"type": kind, "path": path}));
    if kind == "user" {
        own_rootfs(trial)?;
    }
    let world = trial.observe()?;
    trial.expect(JOIN, expected, world.namespaces.get(kind))?;
    trial.switch_to(0);
    trial.finish()
}

/// Not a network namespace: engines and operators have more to say about those.
fn is_no_ipc_namespace(
    trial: &mut Trial,
    what: &'static str,
    offending: fn(&mut Trial) -> Result<PathBuf, Stop>,
) -> Result<(), Stop> {
    let good = pin(trial, "ipc", CloneFlags::CLONE_NEWIPC)?;
    let offending = offending(trial)?;
    trial.add_namespace(json!({"type": "ipc", "path": good}));
    trial.refuses(&refusal(MISMATCH, JOIN, what), |bundle| {
        bundle.add_namespace(json!({"type": "ipc", "path": offending}));
    })
}

fn refusal(error: &'static str, control: &'static str, what: &'static str) -> Refusal {
    Refusal {
        error,
        nothing: Some(NOTHING),
        control,
        when: When::Create,
        what,
    }
}

/// Makes a namespace and pins it by a bind mount in the trial's directory, so that it has a path
/// and needs no process.
fn pin(trial: &mut Trial, file: &str, flag: CloneFlags) -> Result<PathBuf, Stop> {
    let path = trial.directory().join(format!("pinned-{file}"));
    trial.write_file(&path, "")?;
    let option = if file == "net" { "net" } else { file };
    trial.by_hand(format!(
        "touch {0}; unshare --{option}={0} true",
        quote(&path.display().to_string())
    ));
    // A thread of its own has the new namespace; the harness stays in its own. A new time
    // namespace is only ever that of children.
    let of_thread = if file == "time" {
        "time_for_children"
    } else {
        file
    };
    let source = format!("/proc/thread-self/ns/{of_thread}");
    let made = std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            unshare(flag).map_err(|errno| format!("unshare({flag:?}): {errno}"))?;
            mount(
                Some(source.as_str()),
                &path,
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            )
            .map_err(|errno| format!("mount({source:?}, {path:?}, MS_BIND): {errno}"))
        });
        work.join()
            .unwrap_or_else(|_| Err("the thread that makes a namespace panicked".into()))
    });
    made.map_err(Stop::Broken)?;
    trial.rebase();
    Ok(path)
}

/// The inode number by which a namespace is known.
fn inode(path: &Path) -> Result<u64, Stop> {
    path.metadata()
        .map(|metadata| metadata.ino())
        .map_err(|error| Stop::Broken(format!("stat {}: {error}", path.display())))
}

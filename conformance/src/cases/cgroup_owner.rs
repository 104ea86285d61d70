//! Who owns the container's cgroups: root, unless they are handed over on cgroup v2.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use serde_json::json;

use crate::case::{Case, Need};
use crate::host;
use crate::trial::{Stop, Trial};

const V1: &str = "config-linux.cgroup.owner.v1";
const IFF_WRITABLE: &str = "config-linux.cgroup.owner.iff-rw";
const NO_MOUNT: &str = "config-linux.cgroup.owner.no-mount";
const NAMESPACE: &str = "config-linux.cgroup.owner.needs-cgroupns";
const EXISTING: &str = "config-linux.cgroup.owner.existing-files";
const MISSING: &str = "config-linux.cgroup.owner.missing-files";
const DELEGATE: &str = "config-linux.cgroup.owner.delegate-only";
const FALLBACK: &str = "config-linux.cgroup.owner.fallback";
const OTHERS: &str = "config-linux.cgroup.owner.others";

const ON_V1: &[Need] = &[
    Need::SharedKernel,
    Need::CgroupV1("pids"),
    Need::Namespace("cgroup"),
];
const ON_V2: &[Need] = &[
    Need::SharedKernel,
    Need::CgroupV2("pids"),
    Need::Namespace("cgroup"),
];

pub(super) const CASES: &[Case] = &[
    Case {
        id: "cgroup-owner/is-left-alone-on-v1",
        judges: &[V1],
        needs: ON_V1,
        run: |trial| {
            trial.add_namespace(json!({"type": "cgroup"}));
            mount_cgroups(trial, "rw");
            nothing_is_handed_over(trial, V1)
        },
    },
    Case {
        id: "cgroup-owner/is-the-process-user-with-a-writable-mount",
        judges: &[IFF_WRITABLE, EXISTING, DELEGATE, OTHERS],
        needs: ON_V2,
        run: is_handed_over,
    },
    Case {
        id: "cgroup-owner/without-a-list-of-the-kernel-three-files-are-handed-over",
        judges: &[FALLBACK],
        needs: ON_V2,
        run: falls_back,
    },
    Case {
        id: "cgroup-owner/a-listed-file-that-is-missing-is-no-error",
        judges: &[MISSING],
        needs: ON_V2,
        run: |trial| {
            let files = ["cgroup.procs", "weather.max", "cgroup.threads"];
            kernel_lists(trial, &files)?;
            trial.set("/process/user", json!({"uid": USER, "gid": USER}));
            trial.observe()?;
            trial.expect(MISSING, "the container runs", "the container runs")
        },
    },
    Case {
        id: "cgroup-owner/is-left-alone-with-a-read-only-mount",
        judges: &[IFF_WRITABLE],
        needs: ON_V2,
        run: |trial| {
            trial.add_namespace(json!({"type": "cgroup"}));
            mount_cgroups(trial, "ro");
            nothing_is_handed_over(trial, IFF_WRITABLE)
        },
    },
    Case {
        id: "cgroup-owner/is-left-alone-without-a-mount",
        judges: &[NO_MOUNT],
        needs: ON_V2,
        run: |trial| {
            trial.add_namespace(json!({"type": "cgroup"}));
            nothing_is_handed_over(trial, NO_MOUNT)
        },
    },
    Case {
        id: "cgroup-owner/is-left-alone-without-a-cgroup-namespace",
        judges: &[NAMESPACE],
        needs: ON_V2,
        run: |trial| {
            mount_cgroups(trial, "rw");
            nothing_is_handed_over(trial, NAMESPACE)
        },
    },
];

/// The user of containers whose cgroup could be handed over.
const USER: u32 = 1000;

/// The container's cgroup (`.`) and the files in it, by owner.
#[derive(Default)]
struct Owners {
    /// What belongs to [`USER`].
    handed_over: Vec<String>,
    /// What belongs to anyone else.
    kept: Vec<String>,
}

fn nothing_is_handed_over(trial: &mut Trial, clause: &'static str) -> Result<(), Stop> {
    let owners = owners(trial)?;
    trial.expect(clause, json!([]), owners.handed_over)
}

fn is_handed_over(trial: &mut Trial) -> Result<(), Stop> {
    trial.add_namespace(json!({"type": "cgroup"}));
    mount_cgroups(trial, "rw");
    let owners = owners(trial)?;
    let list = host::read("/sys/kernel/cgroup/delegate");
    let delegated: Vec<&str> = match list.trim() {
        "" => vec!["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"],
        _ => list.lines().collect(),
    };
    let is_delegated = |name: &String| delegated.contains(&name.as_str());
    let itself = owners.handed_over.iter().any(|name| name == ".");
    trial.expect_in(
        IFF_WRITABLE,
        "the cgroup itself is handed over",
        true,
        itself,
    )?;
    if !itself {
        // What else is demanded binds who hands over.
        return Ok(());
    }
    let kept: Vec<&String> = owners
        .kept
        .iter()
        .filter(|name| is_delegated(name))
        .collect();
    trial.expect_in(
        EXISTING,
        "delegated files that were not handed over",
        json!([]),
        kept,
    )?;
    let others: Vec<&String> = owners
        .handed_over
        .iter()
        .filter(|name| *name != "." && !is_delegated(name))
        .collect();
    trial.expect_in(
        DELEGATE,
        "other files that were handed over",
        json!([]),
        &others,
    )?;
    trial.expect_in(
        OTHERS,
        "other files that were handed over",
        json!([]),
        &others,
    )?;
    Ok(())
}

/// Kernels before 4.15 have no list.
fn falls_back(trial: &mut Trial) -> Result<(), Stop> {
    const FILES: [&str; 3] = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];
    kernel_lists(trial, &[])?;
    let owners = owners(trial)?;
    if !owners.handed_over.iter().any(|name| name == ".") {
        return Err(Stop::Inapplicable(
            "a subject that hands cgroups over".into(),
        ));
    }
    let handed_over: Vec<&String> = owners
        .handed_over
        .iter()
        .filter(|name| *name != ".")
        .collect();
    trial.expect_in(FALLBACK, "files that were handed over", FILES, handed_over)
}

/// A configuration by which the cgroup is handed over, on a kernel that lists these files in
/// `/sys/kernel/cgroup/delegate`, or has no such list. Where the trial has a mount namespace of its own,
/// a mount there makes this one such a kernel.
fn kernel_lists(trial: &mut Trial, files: &[&str]) -> Result<(), Stop> {
    const LIST: &str = "/sys/kernel/cgroup";
    // The keeper is pid 1 of its pid namespace, or has no namespaces at all.
    if std::process::id() != 1 {
        return Err(Stop::Inapplicable("a mount namespace for the trial".into()));
    }
    trial.add_namespace(json!({"type": "cgroup"}));
    mount_cgroups(trial, "rw");
    if Path::new(LIST).is_dir() {
        // A comment: whoever reproduces this has to leave the host its own.
        trial.by_hand(format!("# in `unshare -m sh`: mount -t tmpfs none {LIST}"));
        mount(
            Some("none"),
            LIST,
            Some("tmpfs"),
            MsFlags::empty(),
            None::<&str>,
        )
        .map_err(|errno| Stop::Broken(format!("mount(tmpfs, {LIST:?}): {errno}")))?;
        if !files.is_empty() {
            let list = Path::new(LIST).join("delegate");
            let words = files.join(" ");
            trial.by_hand(format!(
                "# there, too: printf '%s\\n' {words} >{LIST}/delegate"
            ));
            std::fs::write(&list, files.join("\n") + "\n")
                .map_err(|error| Stop::Broken(format!("write {}: {error}", list.display())))?;
        }
        // It is the harness's mount, not one that the subject leaves.
        trial.rebase();
    } else if !files.is_empty() {
        return Err(Stop::Inapplicable(format!("a kernel with {LIST}")));
    }
    Ok(())
}

/// Runs a container of [`USER`] and looks who owns what in its cgroups.
fn owners(trial: &mut Trial) -> Result<Owners, Stop> {
    trial.set("/process/user", json!({"uid": USER, "gid": USER}));
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let mut owners = Owners::default();
    for directory in trial.cgroups() {
        let entries = std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten();
        let files = entries
            .map(|entry| entry.path())
            .filter(|path| !path.is_dir());
        for path in files.chain([directory.clone()]) {
            let Ok(metadata) = path.metadata() else {
                continue;
            };
            let name = match path == directory {
                true => ".".to_owned(),
                false => path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
            };
            if metadata.uid() == USER {
                &mut owners.handed_over
            } else {
                &mut owners.kept
            }
            .push(name);
        }
    }
    owners.handed_over.sort();
    owners.kept.sort();
    trial.finish()?;
    Ok(owners)
}

fn mount_cgroups(trial: &mut Trial, access: &str) {
    trial.mount(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": [access, "nosuid", "noexec", "nodev"],
    }));
}

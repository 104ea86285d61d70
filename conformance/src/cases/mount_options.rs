//! config.md, Linux mount options: a case for every option of the table.
//!
//! Most show in `/proc/self/mountinfo`, and are rows here: what is mounted, with which options, and
//! what must be seen of it. An option that takes something back (`exec`) is given behind the one
//! that it undoes, or it would hold by default: of conflicting options, mount(8) says, the last one
//! wins. The others have cases of their own, which look at what a process in the container can do.

mod effects;
mod recursive;

use nix::mount::MsFlags;
use oci_probe::Mount;
use serde_json::json;

use super::mounts::source::{mount_at, tree};
use crate::case::{Case, Need};
use crate::trial::{Stop, Trial};

pub(super) use self::effects::CASES as EFFECT_CASES;
pub(super) use self::recursive::CASES as RECURSIVE_CASES;

/// Declares the case of one option as a row: `"noexec" says "…" needs […] row`.
macro_rules! row {
    ($option:literal, $says:literal, $needs:expr, $row:expr) => {
        $crate::case::Case {
            id: concat!("mount-options/", $option, "/", $says),
            judges: &[concat!("config.mount-option.", $option)],
            needs: $needs,
            run: |trial| $row.judge(trial, concat!("config.mount-option.", $option)),
        }
    };
}
use row;

pub(super) const CASES: &[Case] = &[
    row!(
        "defaults",
        "restricts-nothing",
        &[],
        tmpfs(
            &["defaults"],
            &[
                Sign::Not("ro"),
                Sign::Not("nosuid"),
                Sign::Not("nodev"),
                Sign::Not("noexec"),
                Sign::NotSuper("sync"),
            ]
        )
    ),
    row!(
        "nosuid",
        "shows-in-the-mount",
        &[],
        tmpfs(&["nosuid"], &[Sign::Has("nosuid")])
    ),
    row!(
        "suid",
        "undoes-nosuid",
        &[],
        tmpfs(&["nosuid", "suid"], &[Sign::Not("nosuid")])
    ),
    row!(
        "nodev",
        "shows-in-the-mount",
        &[],
        tmpfs(&["nodev"], &[Sign::Has("nodev")])
    ),
    row!(
        "dev",
        "undoes-nodev",
        &[],
        tmpfs(&["nodev", "dev"], &[Sign::Not("nodev")])
    ),
    row!(
        "noexec",
        "shows-in-the-mount",
        &[],
        tmpfs(&["noexec"], &[Sign::Has("noexec")])
    ),
    row!(
        "exec",
        "undoes-noexec",
        &[],
        tmpfs(&["noexec", "exec"], &[Sign::Not("noexec")])
    ),
    row!(
        "ro",
        "shows-in-the-mount",
        &[],
        tmpfs(&["ro"], &[Sign::Has("ro")])
    ),
    row!(
        "rw",
        "undoes-ro",
        &[],
        tmpfs(&["ro", "rw"], &[Sign::Not("ro"), Sign::NotSuper("ro")])
    ),
    row!(
        "noatime",
        "shows-in-the-mount",
        &[],
        tmpfs(&["noatime"], &[Sign::Has("noatime")])
    ),
    row!(
        "atime",
        "undoes-noatime",
        &[],
        tmpfs(&["noatime", "atime"], &[Sign::Not("noatime")])
    ),
    row!(
        "nodiratime",
        "shows-in-the-mount",
        &[],
        tmpfs(&["nodiratime"], &[Sign::Has("nodiratime")])
    ),
    row!(
        "diratime",
        "undoes-nodiratime",
        &[],
        tmpfs(&["nodiratime", "diratime"], &[Sign::Not("nodiratime"),])
    ),
    row!(
        "relatime",
        "shows-in-the-mount",
        &[],
        tmpfs(
            &["relatime"],
            &[Sign::Has("relatime"), Sign::Not("noatime"),]
        )
    ),
    // Without relatime, strictatime and noatime, relatime is what the kernel does.
    row!(
        "norelatime",
        "leaves-the-kernels-default",
        &[],
        tmpfs(&["relatime", "norelatime"], &[Sign::Not("noatime"),])
    ),
    row!(
        "strictatime",
        "takes-relatime-away",
        &[],
        tmpfs(
            &["strictatime"],
            &[Sign::Not("relatime"), Sign::Not("noatime"),]
        )
    ),
    row!(
        "nostrictatime",
        "undoes-strictatime",
        &[],
        tmpfs(&["strictatime", "nostrictatime"], &[Sign::Has("relatime"),])
    ),
    row!(
        "nosymfollow",
        "shows-in-the-mount",
        &[Need::Kernel(5, 10)],
        tmpfs(&["nosymfollow"], &[Sign::Has("nosymfollow"),])
    ),
    row!(
        "symfollow",
        "undoes-nosymfollow",
        &[],
        tmpfs(&["nosymfollow", "symfollow"], &[Sign::Not("nosymfollow"),])
    ),
    row!(
        "sync",
        "shows-in-the-file-system",
        &[],
        tmpfs(&["sync"], &[Sign::HasSuper("sync")])
    ),
    row!(
        "async",
        "undoes-sync",
        &[],
        tmpfs(&["sync", "async"], &[Sign::NotSuper("sync")])
    ),
    row!(
        "dirsync",
        "shows-in-the-file-system",
        &[],
        tmpfs(&["dirsync"], &[Sign::HasSuper("dirsync")])
    ),
    row!(
        "lazytime",
        "shows-in-the-file-system",
        &[],
        tmpfs(&["lazytime"], &[Sign::HasSuper("lazytime"),])
    ),
    row!(
        "nolazytime",
        "undoes-lazytime",
        &[],
        tmpfs(&["lazytime", "nolazytime"], &[Sign::NotSuper("lazytime"),])
    ),
    // These show nowhere: that they are options, and not data that a tmpfs refuses, is all there is.
    row!(
        "iversion",
        "is-an-option-of-every-file-system",
        &[],
        tmpfs(&["iversion"], &[])
    ),
    row!(
        "noiversion",
        "is-an-option-of-every-file-system",
        &[],
        tmpfs(&["iversion", "noiversion"], &[])
    ),
    row!(
        "silent",
        "is-an-option-of-every-file-system",
        &[],
        tmpfs(&["silent"], &[])
    ),
    row!(
        "loud",
        "is-an-option-of-every-file-system",
        &[],
        tmpfs(&["silent", "loud"], &[])
    ),
    row!(
        "mand",
        "is-an-option-of-every-file-system",
        &[],
        tmpfs(&["mand"], &[])
    ),
    row!(
        "nomand",
        "is-an-option-of-every-file-system",
        &[],
        tmpfs(&["mand", "nomand"], &[])
    ),
    row!(
        "private",
        "has-no-peers",
        &[Need::Root],
        slave_tree(
            &["rbind", "private"],
            TOP,
            &[
                Sign::NoPeers("shared:"),
                Sign::NoPeers("master:"),
                Sign::NoPeers("unbindable"),
            ]
        )
    ),
    row!(
        "slave",
        "has-a-master-and-no-peers",
        &[Need::Root],
        slave_tree(
            &["rbind", "slave"],
            TOP,
            &[Sign::Peers("master:"), Sign::NoPeers("shared:"),]
        )
    ),
    row!(
        "shared",
        "has-peers",
        &[Need::Root],
        slave_tree(&["rbind", "shared"], TOP, &[Sign::Peers("shared:"),])
    ),
    row!(
        "unbindable",
        "cannot-be-bound",
        &[Need::Root],
        slave_tree(
            &["bind", "unbindable"],
            TOP,
            &[Sign::Peers("unbindable"), Sign::NoPeers("shared:"),]
        )
    ),
    row!(
        "rprivate",
        "has-no-peers-below-either",
        &[Need::Root],
        slave_tree(
            &["rbind", "rprivate"],
            ALL,
            &[Sign::NoPeers("shared:"), Sign::NoPeers("master:"),]
        )
    ),
    row!(
        "rslave",
        "has-masters-below-too",
        &[Need::Root],
        slave_tree(
            &["rbind", "rslave"],
            ALL,
            &[Sign::Peers("master:"), Sign::NoPeers("shared:"),]
        )
    ),
    row!(
        "rshared",
        "has-peers-below-too",
        &[Need::Root],
        slave_tree(&["rbind", "rshared"], ALL, &[Sign::Peers("shared:"),])
    ),
    row!(
        "runbindable",
        "cannot-be-bound-below-either",
        &[Need::Root],
        slave_tree(&["rbind", "runbindable"], ALL, &[Sign::Peers("unbindable")],)
    ),
];

/// Where the mounts of a row are.
const TOP: &[&str] = &["/mnt"];
/// With the mount below, for options that are recursive.
const ALL: &[&str] = &["/mnt", "/mnt/sub"];

/// What is mounted at `/mnt` with which options, and what must be seen of it.
#[derive(Clone, Copy)]
pub(super) struct Row {
    what: What,
    options: &'static [&'static str],
    points: &'static [&'static str],
    signs: &'static [Sign],
}

#[derive(Clone, Copy)]
enum What {
    /// A new tmpfs.
    Tmpfs,
    /// A directory of the bundle with a mount at `sub`, which has these flags.
    Tree(MsFlags),
    /// As `Tree`, in a container whose mounts are slaves of the host's, so that every propagation
    /// type differs from what would be without the option, but for `slave` itself.
    SlaveTree,
}

/// Something in a mount's line of mountinfo.
#[derive(Clone, Copy)]
enum Sign {
    /// Among the mount's own options.
    Has(&'static str),
    /// Not among them.
    Not(&'static str),
    /// Among the options of the file system.
    HasSuper(&'static str),
    /// Not among them.
    NotSuper(&'static str),
    /// A field of the propagation type begins so.
    Peers(&'static str),
    /// None begins so.
    NoPeers(&'static str),
}

const fn tmpfs(options: &'static [&'static str], signs: &'static [Sign]) -> Row {
    Row {
        what: What::Tmpfs,
        options,
        points: TOP,
        signs,
    }
}

const fn slave_tree(
    options: &'static [&'static str],
    points: &'static [&'static str],
    signs: &'static [Sign],
) -> Row {
    Row {
        what: What::SlaveTree,
        options,
        points,
        signs,
    }
}

impl Row {
    fn judge(&self, trial: &mut Trial<'_>, clause: &'static str) -> Result<(), Stop> {
        match self.what {
            What::Tmpfs => trial.mount(json!({
                "destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": self.options,
            })),
            What::Tree(flags) => {
                let source = tree(trial, "source", flags)?;
                self.bind(trial, &source);
            }
            What::SlaveTree => {
                let source = tree(trial, "source", MsFlags::empty())?;
                trial.set("/linux/rootfsPropagation", "slave");
                self.bind(trial, &source);
            }
        }
        let world = trial.observe()?;
        for point in self.points {
            self.judge_mount(trial, clause, point, mount_at(&world, point))?;
        }
        Ok(())
    }

    fn bind(&self, trial: &mut Trial<'_>, source: &std::path::Path) {
        trial.mount(json!({
            "destination": "/mnt", "type": "none", "source": source, "options": self.options,
        }));
    }

    fn judge_mount(
        &self,
        trial: &mut Trial<'_>,
        clause: &'static str,
        point: &str,
        mount: Option<&Mount>,
    ) -> Result<(), Stop> {
        let given = self.options.join(",");
        let Some(mount) = mount else {
            let says = format!("{point} is a mount, with the options {given}");
            return trial.expect_that(clause, false, says, "no such mount");
        };
        if self.signs.is_empty() {
            let says = format!("{point} is a mount, with the options {given}");
            return trial.expect_that(clause, true, says, mount);
        }
        for sign in self.signs {
            let says = format!("{} at {point}, with the options {given}", sign.words());
            trial.expect_that(clause, sign.is_seen(mount), says, mount)?;
        }
        Ok(())
    }
}

impl Sign {
    fn is_seen(self, mount: &Mount) -> bool {
        let has = |options: &[String], name: &str| options.iter().any(|option| option == name);
        let peers = |prefix: &str| {
            mount
                .propagation
                .iter()
                .any(|field| field.starts_with(prefix))
        };
        match self {
            Sign::Has(name) => has(&mount.options, name),
            Sign::Not(name) => !has(&mount.options, name),
            Sign::HasSuper(name) => has(&mount.super_options, name),
            Sign::NotSuper(name) => !has(&mount.super_options, name),
            Sign::Peers(prefix) => peers(prefix),
            Sign::NoPeers(prefix) => !peers(prefix),
        }
    }

    fn words(self) -> String {
        match self {
            Sign::Has(name) => format!("{name} among the mount's options"),
            Sign::Not(name) => format!("no {name} among the mount's options"),
            Sign::HasSuper(name) => format!("{name} among the file system's options"),
            Sign::NotSuper(name) => format!("no {name} among the file system's options"),
            Sign::Peers(prefix) => format!("propagation {prefix}"),
            Sign::NoPeers(prefix) => format!("no propagation {prefix}"),
        }
    }
}

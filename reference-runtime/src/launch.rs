//! Clones the container process into its namespaces and its cgroup.
//!
//! One clone3 is enough for new namespaces. A pid namespace that is joined and
//! time offsets take effect only for the next child, and whoever has joined or
//! made a user namespace may no longer enter what belongs to the host: then a
//! process in between, the ferry, does these steps, clones the container
//! process as its sibling, and ends.

use crate::channel::{Channel, ToChild, ToParent};
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::id_mappings::{Mapping, lines};
use crate::namespaces::Namespaces;
use crate::plan::Plan;
use crate::procfs::Procfs;
use crate::sys::credentials;
use crate::sys::process::{
    self, CLONE_NEWCGROUP, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_PARENT, Child, Side,
};
use crate::time_offsets;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Whether a ferry is needed.
pub(crate) fn needs_ferry(plan: &Plan) -> bool {
    let namespaces = &plan.namespaces;
    !plan.time_offsets.is_empty()
        || namespaces.joins(CLONE_NEWPID)
        || namespaces.joins(CLONE_NEWUSER)
        || (namespaces.new & CLONE_NEWUSER != 0 && !namespaces.joined.is_empty())
}

/// What the new processes have from the start.
#[derive(Debug)]
pub(crate) struct Inherited<'a> {
    /// The group of version 2.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    /// Their end of the channel.
    pub(crate) channel: &'a Channel,
    /// The host's procfs.
    pub(crate) procfs: &'a Procfs,
}

/// Makes the container process, which runs `init` and never returns.
///
/// If the user namespace is new, its maps are written before this returns.
/// `before_mapped` is done with the pid while the process still waits for them.
pub(crate) fn launch(
    plan: &Plan,
    inherited: &Inherited<'_>,
    parent: &Channel,
    before_mapped: impl FnOnce(i32) -> Result<()>,
    init: impl FnOnce() -> i32,
) -> Result<Child> {
    // The cgroup namespace is unshared later, from inside the cgroup.
    let flags = plan.namespaces.new & !CLONE_NEWCGROUP;
    if needs_ferry(plan) {
        return launch_by_ferry(plan, flags, inherited, parent, before_mapped, init);
    }
    match process::clone3(flags, inherited.cgroup).call(|| format!("clone3({flags:#x})"))? {
        Side::Child => run_to_end(init),
        Side::Parent(made) => {
            let set_up = before_mapped(made.pid).and_then(|()| write_maps(plan, parent, made.pid));
            if let Err(error) = set_up {
                end(&made);
                return Err(error);
            }
            Ok(made)
        }
    }
}

/// Kills and reaps a process of ours.
pub(crate) fn end(child: &Child) {
    // Either call fails only if the process has ended or been reaped already.
    let _ = process::pidfd_send_signal(child.pidfd.as_fd(), libc::SIGKILL);
    let _ = process::wait_for(child.pid);
}

/// Runs the code of a new process, which never returns to the code of its parent.
pub(crate) fn run_to_end(init: impl FnOnce() -> i32) -> ! {
    // A panic must not unwind into the code of the parent, whose copy this process is. (Builds of the
    // profile `runtime` abort instead.)
    let status = catch_unwind(AssertUnwindSafe(init)).unwrap_or(101);
    process::exit_now(status)
}

fn write_maps(plan: &Plan, parent: &Channel, pid: i32) -> Result<()> {
    if plan.namespaces.new & CLONE_NEWUSER == 0 {
        return Ok(());
    }
    plan.mappings.write(pid)?;
    parent.tell_child(ToChild::Mapped)
}

fn launch_by_ferry(
    plan: &Plan,
    flags: u64,
    inherited: &Inherited<'_>,
    parent: &Channel,
    before_mapped: impl FnOnce(i32) -> Result<()>,
    init: impl FnOnce() -> i32,
) -> Result<Child> {
    let child = inherited.channel;
    let ferry = match process::clone3(0, inherited.cgroup).call(|| "clone3(0)")? {
        Side::Child => run_to_end(|| {
            let Err(error) = ferry(plan, flags, inherited, init) else {
                return 0;
            };
            // If the parent is gone there is nobody left to tell.
            let _ = child.tell_parent(&ToParent::Failed {
                error: error.stage("namespaces").to_string(),
                hook: false,
            });
            1
        }),
        Side::Parent(ferry) => ferry,
    };
    let result = (|| {
        if plan.namespaces.new & CLONE_NEWUSER != 0 {
            match parent.hear_child()? {
                // The ferry has unshared its user namespace.
                ToParent::Mounted => write_maps(plan, parent, ferry.pid)?,
                other => return Err(unexpected(other)),
            }
        }
        match parent.hear_child()? {
            ToParent::Cloned(pid) => {
                // Our own child, not reaped yet: the pid cannot be another's.
                let pidfd = process::pidfd_open(pid).call(|| format!("pidfd_open({pid})"))?;
                Ok(Child { pid, pidfd })
            }
            other => Err(unexpected(other)),
        }
    })();
    if result.is_err() {
        end(&ferry);
    } else {
        process::wait_for(ferry.pid).call(|| format!("waitpid({})", ferry.pid))?;
    }
    let made = result?;
    // Until now the process waits: it shares the channel with the ferry, whose word must come first.
    let known = before_mapped(made.pid).and_then(|()| parent.tell_child(ToChild::Known));
    if let Err(error) = known {
        end(&made);
        return Err(error);
    }
    Ok(made)
}

fn unexpected(message: ToParent) -> Error {
    match message {
        ToParent::Failed { error, .. } => Error::new(error),
        other => Error::new(format!("the ferry said {other:?}")),
    }
}

/// The ferry: enters what exists, then makes what is new.
///
/// In a mount namespace that is joined, what is at /proc is its owner's to make: the procfs is from before.
fn ferry(
    plan: &Plan,
    flags: u64,
    inherited: &Inherited<'_>,
    init: impl FnOnce() -> i32,
) -> Result<()> {
    let (channel, procfs) = (inherited.channel, inherited.procfs);
    let namespaces = &plan.namespaces;
    let mut postponed = Vec::new();
    for joined in namespaces
        .joined
        .iter()
        .filter(|joined| joined.kind != CLONE_NEWUSER)
    {
        match joined.enter() {
            // It belongs to the user namespace that is entered next.
            Err(error) if error.errno() == Some(libc::EPERM) && namespaces.joins(CLONE_NEWUSER) => {
                postponed.push(joined)
            }
            other => other?,
        }
    }
    if let Some(user) = namespaces
        .joined
        .iter()
        .find(|joined| joined.kind == CLONE_NEWUSER)
    {
        user.enter()?;
        check_maps(plan, procfs)?;
        for joined in postponed {
            joined.enter()?;
        }
    }
    if flags & CLONE_NEWUSER != 0 {
        process::unshare(CLONE_NEWUSER).call(|| "unshare(CLONE_NEWUSER)")?;
        channel.tell_parent(&ToParent::Mounted)?;
        channel.hear_parent(ToChild::Mapped)?;
    }
    let mut flags = flags & !CLONE_NEWUSER;
    if !plan.time_offsets.is_empty() {
        // The offsets of a time namespace are fixed once a process is in it.
        process::unshare(CLONE_NEWTIME).call(|| "unshare(CLONE_NEWTIME)")?;
        // Still with the user id of the caller, to whom the file belongs while the process is dumpable.
        process::set_dumpable(true).call(|| "prctl(PR_SET_DUMPABLE, 1)")?;
        time_offsets::write(&plan.time_offsets, procfs)?;
        flags &= !CLONE_NEWTIME;
    }
    if plan.in_user_namespace() {
        become_root(plan.namespaces.new & CLONE_NEWUSER == 0 || plan.mappings.map_root())?;
    }
    // Whoever is in the namespaces that are joined must not look into this process or its descriptors.
    process::set_dumpable(false).call(|| "prctl(PR_SET_DUMPABLE, 0)")?;
    match process::clone3(flags | CLONE_PARENT, None)
        .call(|| format!("clone3({flags:#x} | CLONE_PARENT)"))?
    {
        Side::Child => run_to_end(|| match channel.hear_parent(ToChild::Known) {
            Ok(()) => init(),
            // The parent has gone, and with it whoever could be told.
            Err(_) => 1,
        }),
        Side::Parent(made) => channel.tell_parent(&ToParent::Cloned(made.pid)),
    }
}

/// Becomes the root of a user namespace, so that new files belong to it.
pub(crate) fn become_root(has_root: bool) -> Result<()> {
    if !has_root {
        return Ok(());
    }
    // Refused where setgroups(2) was given up; there the groups of the caller cannot be dropped.
    let _ = credentials::setgroups(&[]);
    credentials::setresgid(0).call(|| "setresgid(0)")?;
    credentials::setresuid(0).call(|| "setresuid(0)")
}

/// Maps of a user namespace that is joined cannot be applied, so that they must be what it has.
fn check_maps(plan: &Plan, procfs: &Procfs) -> Result<()> {
    let check = |file: &str, wanted: &[Mapping], pointer: &str| -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let text = procfs.read(&format!("self/{file}"))?;
        let found = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
            .collect::<String>();
        if found == lines(wanted) {
            return Ok(());
        }
        Err(Error::new(format!(
            "the user namespace that is joined has the map {:?}",
            found.trim()
        )))
        .at(pointer)
    };
    check("uid_map", &plan.mappings.uid, "/linux/uidMappings")?;
    check("gid_map", &plan.mappings.gid, "/linux/gidMappings")
}

/// Whether the container process itself has to enter the joined namespaces.
pub(crate) fn joins_itself(plan: &Plan, namespaces: &Namespaces) -> bool {
    !namespaces.joined.is_empty() && !needs_ferry(plan)
}

//! What the host lets this process make, learnt by making it in a child that ends at once: limits
//! in `/proc/sys/user`, seccomp filters and security modules forbid what the kernel has.

use std::collections::BTreeSet;
use std::io::Write;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::sys;

/// Types of namespaces as in `/proc/self/ns`, with the flag that makes one.
const KINDS: [(&str, i32); 8] = [
    ("cgroup", libc::CLONE_NEWCGROUP),
    ("ipc", libc::CLONE_NEWIPC),
    ("mnt", libc::CLONE_NEWNS),
    ("net", libc::CLONE_NEWNET),
    ("pid", libc::CLONE_NEWPID),
    ("time", libc::CLONE_NEWTIME),
    ("uts", libc::CLONE_NEWUTS),
    ("user", libc::CLONE_NEWUSER),
];

/// The namespaces of a trial, and of a plain container.
pub(crate) const FENCE: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWNET)
    .union(CloneFlags::CLONE_NEWPID);

/// Types of namespaces that this process, or one in a new user namespace, can make.
pub(super) fn namespaces() -> BTreeSet<String> {
    let made = sys::in_child(make_each).unwrap_or(0);
    KINDS
        .iter()
        .enumerate()
        .filter(|(bit, _)| made & (1 << bit) != 0)
        .map(|(_, (name, _))| (*name).to_owned())
        .collect()
}

/// A bit for each of [`KINDS`] that could be made. Twice through the list: after the first time this
/// may be the root of a user namespace, which can make the others.
fn make_each() -> u8 {
    let mut made = 0;
    for (bit, (_, flag)) in KINDS.iter().enumerate().chain(KINDS.iter().enumerate()) {
        if made & (1 << bit) == 0 && unshare(CloneFlags::from_bits_retain(*flag)).is_ok() {
            made |= 1 << bit;
        }
    }
    made
}

/// What keeps every runtime from making the plain container with these privileges.
pub(super) fn hindrance(root: bool) -> Option<&'static str> {
    let make = if root {
        make_as_root
    } else {
        make_in_user_namespace
    };
    match sys::in_child(make) {
        Ok(MADE) | Err(_) => None,
        Ok(NO_PROC) => Some(
            "a /proc with nothing mounted over it: under one that hides something the kernel lets \
             no user namespace mount a procfs",
        ),
        Ok(NO_SYSFS) => Some(
            "a /sys with nothing mounted over it: under one that hides something the kernel lets \
             no user namespace mount a sysfs",
        ),
        Ok(NO_MAP) => Some(
            "a user namespace with an id in it: the kernel maps uid 0 only for who has CAP_SETFCAP",
        ),
        Ok(_) if root => Some("namespaces that can be made"),
        Ok(_) => Some(
            "namespaces that can be made: this host lets only root make them, or nobody (see \
             /proc/sys/user, and the seccomp filter of a container around this)",
        ),
    }
}

const MADE: u8 = 0;
const NO_NAMESPACES: u8 = 1;
const NO_PROC: u8 = 2;
const NO_SYSFS: u8 = 3;
const NO_MAP: u8 = 4;

fn make_as_root() -> u8 {
    make_container(FENCE)
}

fn make_in_user_namespace() -> u8 {
    make_container(FENCE | CloneFlags::CLONE_NEWUSER)
}

fn make_container(flags: CloneFlags) -> u8 {
    let ids = [
        nix::unistd::geteuid().as_raw(),
        nix::unistd::getegid().as_raw(),
    ];
    if unshare(flags).is_err() {
        return NO_NAMESPACES;
    }
    if flags.contains(CloneFlags::CLONE_NEWUSER) && map_to_themselves(ids).is_err() {
        return NO_MAP;
    }
    // Only a process in the new pid namespace can mount its procfs.
    sys::in_child(mount_kernel_files).unwrap_or(NO_NAMESPACES)
}

/// Maps the ids that this process had, in the user namespace that it has just made.
///
/// # Errors
/// Those of the kernel, which knows whose ids may be mapped by whom.
pub(crate) fn map_to_themselves([uid, gid]: [u32; 2]) -> std::io::Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    for (file, id) in [("/proc/self/uid_map", uid), ("/proc/self/gid_map", gid)] {
        // On the stack: see `in_child`.
        let mut text = [0; 32];
        let mut rest = &mut text[..];
        write!(rest, "{id} {id} 1")?;
        let length = 32 - rest.len();
        std::fs::write(file, &text[..length])?;
    }
    Ok(())
}

fn mount_kernel_files() -> u8 {
    const NONE: Option<&str> = None;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    if mount(NONE, "/", NONE, private, NONE).is_err() {
        return NO_NAMESPACES;
    }
    let sysfs = mount(Some("sysfs"), "/sys", Some("sysfs"), flags, NONE);
    let proc = mount(Some("proc"), "/proc", Some("proc"), flags, NONE);
    match (proc.is_ok(), sysfs.is_ok()) {
        (false, _) => NO_PROC,
        (true, false) => NO_SYSFS,
        (true, true) => MADE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_made_is_among_what_the_kernel_has() {
        let made = namespaces();
        for kind in &made {
            let file = std::path::Path::new("/proc/self/ns").join(kind);
            assert!(file.exists(), "the kernel has no {kind} namespaces");
        }
        // Nothing of it has happened to this process.
        let own = std::fs::read_link("/proc/self/ns/uts").unwrap();
        assert_eq!(own, std::fs::read_link("/proc/thread-self/ns/uts").unwrap());
        // Without a hindrance the namespaces of a container can be made.
        if hindrance(false).is_none() {
            for kind in ["mnt", "uts", "ipc", "net", "pid", "user"] {
                assert!(made.contains(kind), "no {kind} in {made:?}");
            }
        }
    }
}

//! Who a process is: ids, groups, capabilities, no_new_privs, seccomp.

use super::{check, check_int};
use std::io;
use std::os::fd::OwnedFd;

/// geteuid(2).
pub(crate) fn effective_uid() -> u32 {
    // SAFETY: cannot fail.
    unsafe { libc::geteuid() }
}

/// getegid(2).
pub(crate) fn effective_gid() -> u32 {
    // SAFETY: cannot fail.
    unsafe { libc::getegid() }
}

/// setgroups(2).
pub(crate) fn setgroups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: as many ids as stated. The raw call: the runtime has one thread.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}

/// setresgid(2).
pub(crate) fn setresgid(gid: u32) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map(drop)
}

/// setresuid(2).
pub(crate) fn setresuid(uid: u32) -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// The three sets of capget(2) and capset(2), one bit a capability.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CapabilitySets {
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Default, Clone, Copy)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;

/// capget(2) of this process.
pub(crate) fn capget() -> io::Result<CapabilitySets> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 has two data elements.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) })?;
    let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Ok(CapabilitySets {
        effective: join(data[0].effective, data[1].effective),
        permitted: join(data[0].permitted, data[1].permitted),
        inheritable: join(data[0].inheritable, data[1].inheritable),
    })
}

/// capset(2) of this process.
pub(crate) fn capset(sets: &CapabilitySets) -> io::Result<()> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let part = |shift: u32| Data {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let data = [part(0), part(32)];
    // SAFETY: version 3 has two data elements.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) }).map(drop)
}

fn prctl(option: i32, second: u64, third: u64) -> io::Result<i32> {
    // SAFETY: only options that take integers are passed, the unused ones zero.
    check_int(unsafe { libc::prctl(option, second, third, 0u64, 0u64) })
}

/// Whether the bounding set has the capability; an error if the kernel does not know it.
pub(crate) fn bounding_has(capability: u32) -> io::Result<bool> {
    prctl(libc::PR_CAPBSET_READ, capability.into(), 0).map(|held| held == 1)
}

/// PR_CAPBSET_DROP.
pub(crate) fn bounding_drop(capability: u32) -> io::Result<()> {
    prctl(libc::PR_CAPBSET_DROP, capability.into(), 0).map(drop)
}

/// PR_CAP_AMBIENT_CLEAR_ALL.
pub(crate) fn ambient_clear() -> io::Result<()> {
    prctl(
        libc::PR_CAP_AMBIENT,
        libc::PR_CAP_AMBIENT_CLEAR_ALL as u64,
        0,
    )
    .map(drop)
}

/// PR_CAP_AMBIENT_RAISE.
pub(crate) fn ambient_raise(capability: u32) -> io::Result<()> {
    prctl(
        libc::PR_CAP_AMBIENT,
        libc::PR_CAP_AMBIENT_RAISE as u64,
        capability.into(),
    )
    .map(drop)
}

/// PR_SET_KEEPCAPS: the permitted set survives the next change of the user id.
pub(crate) fn keep_capabilities(keep: bool) -> io::Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, keep.into(), 0).map(drop)
}

/// PR_SET_NO_NEW_PRIVS.
pub(crate) fn set_no_new_privs() -> io::Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// SECCOMP_FILTER_FLAG_NEW_LISTENER: the call returns a descriptor.
pub(crate) const SECCOMP_NEW_LISTENER: u64 = 8;

/// seccomp(2) SECCOMP_SET_MODE_FILTER. The listener if the flags ask for one.
pub(crate) fn seccomp_load(
    instructions: &[libc::sock_filter],
    flags: u64,
) -> io::Result<Option<OwnedFd>> {
    const SECCOMP_SET_MODE_FILTER: u32 = 1;
    let length = libc::c_ushort::try_from(instructions.len())
        .map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let program = libc::sock_fprog {
        len: length,
        // The kernel only reads.
        filter: instructions.as_ptr().cast_mut(),
    };
    // SAFETY: the program points to as many instructions as it states.
    let result = check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    })?;
    if flags & SECCOMP_NEW_LISTENER == 0 {
        return if result == 0 {
            Ok(None)
        } else {
            Err(io::Error::from_raw_os_error(libc::ESRCH))
        };
    }
    super::owned(result).map(Some)
}

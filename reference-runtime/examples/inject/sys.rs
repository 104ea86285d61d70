//! The system calls that the standard library does not have, a function each.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        other => Ok(other),
    }
}

fn path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("paths of ours have no NUL")
}

/// A ptrace(2) request with a number in place of the data.
fn ptrace(request: libc::c_uint, pid: i32, data: libc::c_long) -> io::Result<()> {
    // SAFETY: for the requests of this file the kernel takes `data` as a number, not as an address.
    check(unsafe { libc::ptrace(request, pid, null_mut::<libc::c_void>(), data) }).map(drop)
}

/// What a tracee stops for beside its system calls and signals.
const EVENTS: libc::c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC;

/// Traces a thread from now on, and so, unlike with PTRACE_TRACEME, that its children begin with a
/// stop of the tracer's and not with a SIGSTOP, which would stay if the tracer ended before it came.
pub(crate) fn seize(pid: i32) -> io::Result<()> {
    ptrace(libc::PTRACE_SEIZE, pid, EVENTS.into())
}

/// Stops a tracee, so that it can be told to stop for calls.
pub(crate) fn interrupt(pid: i32) -> io::Result<()> {
    ptrace(libc::PTRACE_INTERRUPT, pid, 0)
}

/// Lets a tracee run to the next system call, with a signal if it is not 0.
pub(crate) fn resume(pid: i32, signal: i32) -> io::Result<()> {
    ptrace(libc::PTRACE_SYSCALL, pid, signal.into())
}

/// Traces a process no more.
pub(crate) fn detach(pid: i32) -> io::Result<()> {
    ptrace(libc::PTRACE_DETACH, pid, 0)
}

/// The process that a tracee has just made.
pub(crate) fn new_process(pid: i32) -> io::Result<i32> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: the kernel writes one unsigned long.
    check(unsafe {
        libc::ptrace(
            libc::PTRACE_GETEVENTMSG,
            pid,
            null_mut::<libc::c_void>(),
            &raw mut message,
        )
    })?;
    Ok(message as i32)
}

/// Whether a tracee that stopped for a system call is about to make it; None where it is in none.
pub(crate) fn enters_call(pid: i32) -> io::Result<Option<bool>> {
    // SAFETY: all-zero is valid for this structure of numbers, of which the kernel writes as much
    // as is stated.
    let info = unsafe {
        let mut info: libc::ptrace_syscall_info = zeroed();
        check(libc::ptrace(
            libc::PTRACE_GET_SYSCALL_INFO,
            pid,
            size_of::<libc::ptrace_syscall_info>(),
            &raw mut info,
        ))?;
        info
    };
    Ok(match info.op {
        libc::PTRACE_SYSCALL_INFO_ENTRY => Some(true),
        libc::PTRACE_SYSCALL_INFO_EXIT => Some(false),
        _ => None,
    })
}

fn registers(pid: i32) -> io::Result<libc::user_regs_struct> {
    // SAFETY: all-zero is valid for a structure of registers, which the kernel fills.
    unsafe {
        let mut registers: libc::user_regs_struct = zeroed();
        let address = &raw mut registers;
        check(libc::ptrace(
            libc::PTRACE_GETREGS,
            pid,
            null_mut::<libc::c_void>(),
            address,
        ))?;
        Ok(registers)
    }
}

fn set_registers(pid: i32, registers: &libc::user_regs_struct) -> io::Result<()> {
    // SAFETY: the kernel reads a whole structure of registers.
    check(unsafe {
        libc::ptrace(
            libc::PTRACE_SETREGS,
            pid,
            null_mut::<libc::c_void>(),
            &raw const *registers,
        )
    })
    .map(drop)
}

/// The number of the system call that a tracee is about to make.
pub(crate) fn call_number(pid: i32) -> io::Result<u64> {
    Ok(registers(pid)?.orig_rax)
}

/// Makes a tracee that is about to make a call make none.
pub(crate) fn skip_call(pid: i32) -> io::Result<()> {
    let mut registers = registers(pid)?;
    registers.orig_rax = u64::MAX;
    set_registers(pid, &registers)
}

/// Makes the call that a tracee comes back from one that failed.
pub(crate) fn fail_call(pid: i32, errno: i32) -> io::Result<()> {
    let mut registers = registers(pid)?;
    registers.rax = (-i64::from(errno)) as u64;
    set_registers(pid, &registers)
}

/// waitpid(2) for any child or tracee, threads included, that ended or stopped: its id, and the status.
pub(crate) fn wait_for_any() -> io::Result<(i32, i32)> {
    let mut status = 0;
    // SAFETY: the kernel writes one int.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::WUNTRACED) };
    check(pid.into())?;
    Ok((pid, status))
}

/// Takes note of the end of a child that has ended.
pub(crate) fn reap(pid: i32) {
    // SAFETY: no status is asked for.
    unsafe { libc::waitpid(pid, null_mut(), libc::WNOHANG) };
}

/// Sends a signal to a process; one that has ended needs none.
pub(crate) fn kill(pid: i32, signal: i32) {
    // SAFETY: takes numbers only.
    unsafe { libc::kill(pid, signal) };
}

/// The signals by which a user or a service ends a program.
fn endings() -> libc::sigset_t {
    // SAFETY: all-zero is a value of this set, which the first call then makes empty; the others
    // add valid signals.
    unsafe {
        let mut set = zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}

/// Blocks SIGINT, SIGTERM and SIGHUP in this thread and those that it begins. A program that
/// `Command` executes has them unblocked again.
pub(crate) fn block_endings() -> io::Result<()> {
    let set = endings();
    // SAFETY: the set is initialised, and the old one is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, null_mut()) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Waits for one of the signals that are blocked, and tells which.
pub(crate) fn wait_for_ending() -> i32 {
    let set = endings();
    let mut signal = 0;
    // SAFETY: the set is initialised; the kernel writes one int.
    unsafe { libc::sigwait(&raw const set, &raw mut signal) };
    signal
}

/// Stops this process until its tracer goes on.
pub(crate) fn stop_self() {
    // SAFETY: takes a number only.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Makes this process the parent of every orphan among its descendants.
pub(crate) fn become_subreaper() -> io::Result<()> {
    // SAFETY: this operation takes a number.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) }.into()).map(drop)
}

/// A mount namespace of this process's own, of which the host's sees nothing.
pub(crate) fn unshare_mounts() -> io::Result<()> {
    let flags = libc::MS_REC | libc::MS_PRIVATE;
    let no_file_system = c"none".as_ptr();
    // SAFETY: both strings end with NUL; a change of propagation uses no file system and no data.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNS).into())?;
        check(
            libc::mount(
                no_file_system,
                c"/".as_ptr(),
                null_mut(),
                flags,
                null_mut::<libc::c_void>(),
            )
            .into(),
        )
    }
    .map(drop)
}

/// Takes a mount away and puts an empty file system in its place.
pub(crate) fn hide(target: &Path) -> io::Result<()> {
    let target = path(target);
    let kind = c"tmpfs".as_ptr();
    // SAFETY: all strings end with NUL; this file system needs no data.
    unsafe {
        check(libc::umount2(target.as_ptr(), libc::MNT_DETACH).into())?;
        let no_data = null_mut::<libc::c_void>();
        check(libc::mount(kind, target.as_ptr(), kind, 0, no_data).into())
    }
    .map(drop)
}

/// mkfifo(3), for everybody.
pub(crate) fn make_pipe(place: &Path) -> io::Result<()> {
    let place = path(place);
    // SAFETY: the string ends with NUL.
    check(unsafe { libc::mkfifo(place.as_ptr(), 0o666) }.into()).map(drop)
}

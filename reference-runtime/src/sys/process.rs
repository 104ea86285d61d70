//! Processes: making them, waiting for them, signalling them, and the properties they carry.

use super::{c_string, check, check_int, owned};
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

pub(crate) const CLONE_NEWTIME: u64 = 0x80;
pub(crate) const CLONE_NEWNS: u64 = libc::CLONE_NEWNS as u64;
pub(crate) const CLONE_NEWCGROUP: u64 = libc::CLONE_NEWCGROUP as u64;
pub(crate) const CLONE_NEWUTS: u64 = libc::CLONE_NEWUTS as u64;
pub(crate) const CLONE_NEWIPC: u64 = libc::CLONE_NEWIPC as u64;
pub(crate) const CLONE_NEWUSER: u64 = libc::CLONE_NEWUSER as u64;
pub(crate) const CLONE_NEWPID: u64 = libc::CLONE_NEWPID as u64;
pub(crate) const CLONE_NEWNET: u64 = libc::CLONE_NEWNET as u64;
/// The new process becomes a sibling: its parent is the caller's parent.
pub(crate) const CLONE_PARENT: u64 = libc::CLONE_PARENT as u64;
const CLONE_PIDFD: u64 = libc::CLONE_PIDFD as u64;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// On which side of a clone3 the caller is.
#[derive(Debug)]
pub(crate) enum Side {
    /// The new process, a copy of the caller.
    Child,
    /// The caller.
    Parent(Child),
}

/// A process that this one made.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
}

/// clone3(2) with the given CLONE_NEW flags, optionally straight into a cgroup of version 2.
///
/// The runtime has one thread, so that the child may do all that the parent may do.
pub(crate) fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Side> {
    let mut pidfd: RawFd = -1;
    let mut arguments = CloneArgs {
        flags: flags | CLONE_PIDFD,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: if flags & CLONE_PARENT == 0 {
            libc::SIGCHLD as u64
        } else {
            0
        },
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child has its own copy of this single-threaded
    // address space and goes on with its own stack; the kernel writes one descriptor to `pidfd`.
    let result = check(unsafe {
        libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<CloneArgs>())
    })?;
    if result == 0 {
        return Ok(Side::Child);
    }
    Ok(Side::Parent(Child {
        pid: result as i32,
        pidfd: owned(pidfd.into())?,
    }))
}

/// pidfd_open(2).
pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// pidfd_send_signal(2).
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: no siginfo is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
    .map(drop)
}

/// pidfd_getfd(2): a copy of another process's descriptor.
pub(crate) fn pidfd_getfd(pidfd: BorrowedFd<'_>, number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) })
}

/// Waits until a descriptor is readable (a pidfd: until its process has ended).
/// False if the deadline passed first.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let timeout = milliseconds_until(deadline);
        let mut entry = libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one initialised pollfd.
        match check_int(unsafe { libc::poll(&raw mut entry, 1, timeout) }) {
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                return Ok(false);
            }
            Ok(0) => continue,
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
    }
}

/// Which of several descriptors are readable or closed on the other side; waits for the first,
/// until the deadline at most.
pub(crate) fn wait_any(fds: &[BorrowedFd<'_>], deadline: Option<Instant>) -> io::Result<Vec<bool>> {
    let mut entries: Vec<libc::pollfd> = fds
        .iter()
        .map(|fd| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    loop {
        let count = entries.len() as libc::nfds_t;
        // SAFETY: as many initialised entries as stated.
        match check_int(unsafe {
            libc::poll(entries.as_mut_ptr(), count, milliseconds_until(deadline))
        }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        return Ok(entries.iter().map(|entry| entry.revents != 0).collect());
    }
}

/// What poll(2) takes: -1 is for ever. Rounded up, so that the last poll does not spin.
fn milliseconds_until(deadline: Option<Instant>) -> libc::c_int {
    deadline.map_or(-1, |deadline| {
        let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
        i32::try_from(left.as_millis()).unwrap_or(i32::MAX)
    })
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Exit(i32),
    Signal(i32),
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Exit(status) => write!(f, "exit status {status}"),
            Ending::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// waitpid(2) for one child.
pub(crate) fn wait_for(pid: i32) -> io::Result<Ending> {
    let mut status = 0;
    loop {
        // SAFETY: the kernel writes one int.
        match check_int(unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if libc::WIFEXITED(status) {
            return Ok(Ending::Exit(libc::WEXITSTATUS(status)));
        }
        if libc::WIFSIGNALED(status) {
            return Ok(Ending::Signal(libc::WTERMSIG(status)));
        }
    }
}

/// Ends this process at once: no destructor, no buffer, no atexit function runs.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(status) }
}

/// A list of strings as exec wants it. The pointers are made at the call.
#[derive(Debug, Clone, Default)]
pub(crate) struct StringList(Vec<CString>);

impl StringList {
    /// Copies the strings; EINVAL if one holds a NUL.
    pub(crate) fn new<S: AsRef<OsStr>>(strings: impl IntoIterator<Item = S>) -> io::Result<Self> {
        strings
            .into_iter()
            .map(c_string)
            .collect::<io::Result<Vec<_>>>()
            .map(StringList)
    }

    /// The strings.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &CStr> {
        self.0.iter().map(CString::as_c_str)
    }

    fn pointers(&self) -> Vec<*const libc::c_char> {
        self.0
            .iter()
            .map(|text| text.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    }
}

/// execve(2). Returns only with an error.
pub(crate) fn execve(path: &CStr, arguments: &StringList, environment: &StringList) -> io::Error {
    let (arguments, environment) = (arguments.pointers(), environment.pointers());
    // SAFETY: both lists end with null and their strings outlive the call.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// execveat(2) of an open file. Returns only with an error.
pub(crate) fn exec_file(
    file: BorrowedFd<'_>,
    arguments: &StringList,
    environment: &StringList,
) -> io::Error {
    let (arguments, environment) = (arguments.pointers(), environment.pointers());
    // SAFETY: both lists end with null and their strings outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// setns(2).
pub(crate) fn setns(namespace: BorrowedFd<'_>, kind: u64) -> io::Result<()> {
    // SAFETY: plain integers.
    check_int(unsafe { libc::setns(namespace.as_raw_fd(), kind as libc::c_int) }).map(drop)
}

/// unshare(2).
pub(crate) fn unshare(kinds: u64) -> io::Result<()> {
    // SAFETY: plain integers; the runtime has one thread.
    check_int(unsafe { libc::unshare(kinds as libc::c_int) }).map(drop)
}

/// setsid(2).
pub(crate) fn setsid() -> io::Result<()> {
    // SAFETY: no argument.
    check_int(unsafe { libc::setsid() }).map(drop)
}

/// sethostname(2).
pub(crate) fn sethostname(name: &str) -> io::Result<()> {
    // SAFETY: pointer and length of one string.
    check_int(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }).map(drop)
}

/// setdomainname(2).
pub(crate) fn setdomainname(name: &str) -> io::Result<()> {
    // SAFETY: pointer and length of one string.
    check_int(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }).map(drop)
}

/// umask(2).
pub(crate) fn umask(mask: u32) -> u32 {
    // SAFETY: cannot fail.
    unsafe { libc::umask(mask) }
}

/// prlimit(2) of this process (pid 0) or another.
pub(crate) fn prlimit(pid: i32, resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit64 {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: reads one rlimit64; the old value is not asked for.
    check_int(unsafe {
        libc::prlimit64(pid, resource as _, &raw const limit, std::ptr::null_mut())
    })
    .map(drop)
}

/// struct sched_attr, version 2.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SchedAttr {
    pub(crate) size: u32,
    pub(crate) policy: u32,
    pub(crate) flags: u64,
    pub(crate) nice: i32,
    pub(crate) priority: u32,
    pub(crate) runtime: u64,
    pub(crate) deadline: u64,
    pub(crate) period: u64,
    pub(crate) util_min: u32,
    pub(crate) util_max: u32,
}

/// sched_setattr(2) of this process.
pub(crate) fn sched_setattr(attributes: &SchedAttr) -> io::Result<()> {
    let attributes = SchedAttr {
        size: size_of::<SchedAttr>() as u32,
        ..*attributes
    };
    // SAFETY: reads as many bytes as `size` states.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) }).map(drop)
}

/// ioprio_set(2) of this process.
pub(crate) fn ioprio_set(class: u32, level: u32) -> io::Result<()> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    // SAFETY: plain integers.
    check(unsafe {
        libc::syscall(
            libc::SYS_ioprio_set,
            IOPRIO_WHO_PROCESS,
            0,
            class << 13 | level,
        )
    })
    .map(drop)
}

/// personality(2).
pub(crate) fn personality(persona: u64) -> io::Result<()> {
    // SAFETY: plain integer.
    check_int(unsafe { libc::personality(persona as libc::c_ulong) }).map(drop)
}

/// set_mempolicy(2); `nodes` is a bit mask, empty for none.
pub(crate) fn set_mempolicy(mode: i32, nodes: &[u64]) -> io::Result<()> {
    // The kernel reads one bit less than it is told.
    let bits = if nodes.is_empty() {
        0
    } else {
        nodes.len() * 64 + 1
    };
    let mask = if nodes.is_empty() {
        std::ptr::null()
    } else {
        nodes.as_ptr()
    };
    // SAFETY: the mask has as many bits as stated, or is null.
    check(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) }).map(drop)
}

/// sched_setaffinity(2) of this process; the mask has one bit a CPU.
pub(crate) fn set_affinity(cpus: &[u64]) -> io::Result<()> {
    // SAFETY: the mask is as long as stated.
    check(unsafe {
        libc::syscall(
            libc::SYS_sched_setaffinity,
            0,
            size_of_val(cpus),
            cpus.as_ptr(),
        )
    })
    .map(drop)
}

/// keyctl(2) KEYCTL_JOIN_SESSION_KEYRING: a new session keyring.
///
/// Without a name, for by name the kernel would also join one that exists already, and any
/// process with the same user id can have made one and left it open to others.
pub(crate) fn join_session_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: u64 = 1;
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: a null name is allowed.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, none) }).map(drop)
}

/// prctl(2) PR_SET_DUMPABLE: if not, no other process reads this one's memory or descriptors.
pub(crate) fn set_dumpable(dumpable: bool) -> io::Result<()> {
    // SAFETY: plain integers.
    check_int(unsafe {
        libc::prctl(
            libc::PR_SET_DUMPABLE,
            libc::c_ulong::from(dumpable),
            0,
            0,
            0,
        )
    })
    .map(drop)
}

/// prctl(2) PR_SET_PDEATHSIG: the signal that this process gets when its parent ends; 0 is none.
/// The kernel forgets it when the user changes.
pub(crate) fn set_parent_death_signal(signal: i32) -> io::Result<()> {
    // SAFETY: plain integers.
    check_int(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal as libc::c_ulong, 0, 0, 0) })
        .map(drop)
}

/// prctl(2) PR_SET_NAME.
pub(crate) fn set_name(name: &CStr) {
    // SAFETY: `name` is NUL-terminated; the kernel takes the first 15 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

extern "C" fn end_by(signal: libc::c_int) {
    exit_now(128 + signal);
}

/// Blocks nothing and gives every signal its default effect, also where this
/// process is the first one of its pid namespace, which the kernel otherwise
/// shields from signals without a handler. exec turns the handlers into defaults.
pub(crate) fn reset_signals() {
    // SAFETY: the set and the actions are initialised; the handler only calls _exit.
    // Signals that cannot be handled fail without effect.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            let harmless = matches!(
                signal,
                libc::SIGCHLD
                    | libc::SIGCONT
                    | libc::SIGURG
                    | libc::SIGWINCH
                    | libc::SIGTSTP
                    | libc::SIGTTIN
                    | libc::SIGTTOU
            );
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = if harmless {
                libc::SIG_DFL
            } else {
                end_by as *const () as libc::sighandler_t
            };
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Gives every signal its default disposition and blocks none, for a program about to be exec'd.
pub(crate) fn default_signals() {
    // SAFETY: as above, with the default action only.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            let action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Blocks the signals and returns a descriptor from which they are read.
pub(crate) fn signal_descriptor(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised before use.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for &signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        owned(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC).into())
    }
}

/// The number of the next pending signal of a signal descriptor.
pub(crate) fn read_signal(descriptor: BorrowedFd<'_>) -> io::Result<i32> {
    // SAFETY: all-zero is valid; the kernel fills at most the size given.
    let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: see above.
    check(unsafe {
        libc::read(descriptor.as_raw_fd(), (&raw mut info).cast(), size) as libc::c_long
    })?;
    Ok(info.ssi_signo as i32)
}

/// kill(2).
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: plain integers.
    check_int(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// The largest real-time signal.
pub(crate) fn last_signal() -> i32 {
    libc::SIGRTMAX()
}

/// The smallest real-time signal that libc leaves to programs.
pub(crate) fn first_realtime_signal() -> i32 {
    libc::SIGRTMIN()
}

/// setpgid(2): a process group of its own.
pub(crate) fn own_process_group() -> io::Result<()> {
    // SAFETY: plain integers.
    check_int(unsafe { libc::setpgid(0, 0) }).map(drop)
}

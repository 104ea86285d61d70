//! System calls that the tests need and the standard library does not have.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// recvmsg(2): what was sent with a descriptor, and the descriptor.
pub fn receive_descriptor(stream: &UnixStream) -> io::Result<(Vec<u8>, OwnedFd)> {
    let mut bytes = vec![0u8; 16 * 1024];
    let mut control = [0u64; 8];
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: all-zero is a valid msghdr; the kernel writes to `bytes` and `control`, which are as
    // long as stated; a header of SCM_RIGHTS holds a descriptor that now belongs to this process.
    unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        let length = libc::recvmsg(stream.as_raw_fd(), &raw mut message, 0);
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if length < 0 || header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Err(io::Error::last_os_error());
        }
        bytes.truncate(length as usize);
        let descriptor = libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned();
        Ok((bytes, OwnedFd::from_raw_fd(descriptor)))
    }
}

/// Makes a command, and all that descends from it, live with a kernel that lacks a system call.
pub fn without_call(command: &mut Command, number: libc::c_long) {
    let statement = |code: u16, jt: u8, jf: u8, k: u32| libc::sock_filter { code, jt, jf, k };
    const LOAD: u16 = 0x20;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ERRNO: u32 = 0x0005_0000;
    const ALLOW: u32 = 0x7fff_0000;
    let mut program = [
        statement(LOAD, 0, 0, 0),
        statement(JUMP_EQUAL, 0, 1, number as u32),
        statement(RETURN, 0, 0, ERRNO | libc::ENOSYS as u32),
        statement(RETURN, 0, 0, ALLOW),
    ];
    let load = move || {
        let filter = libc::sock_fprog {
            len: program.len() as u16,
            filter: program.as_mut_ptr(),
        };
        const SECCOMP_MODE_FILTER: libc::c_ulong = 2;
        // SAFETY: the filter has as many instructions as stated.
        match unsafe { libc::prctl(libc::PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &raw const filter) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(load) };
}

/// Lets every system call of which a seccomp listener tells go on, until whoever is filtered has
/// ended. The numbers of the calls.
pub fn let_go_on(listener: &OwnedFd) -> BTreeSet<i32> {
    #[repr(C)]
    struct Notification {
        id: u64,
        pid: u32,
        flags: u32,
        number: i32,
        architecture: u32,
        instruction: u64,
        arguments: [u64; 6],
    }
    #[repr(C)]
    struct Response {
        id: u64,
        value: i64,
        error: i32,
        flags: u32,
    }
    const RECEIVE: libc::c_ulong = 0xc050_2100;
    const SEND: libc::c_ulong = 0xc018_2101;
    const CONTINUE: u32 = 1;
    assert_eq!((size_of::<Notification>(), size_of::<Response>()), (80, 24));
    let mut numbers = BTreeSet::new();
    loop {
        let mut entry = libc::pollfd {
            fd: listener.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one initialised entry; the structures are of the sizes that the requests name.
        unsafe {
            libc::poll(&raw mut entry, 1, 20_000);
            if entry.revents & libc::POLLIN == 0 {
                return numbers;
            }
            let mut notification: Notification = zeroed();
            if libc::ioctl(listener.as_raw_fd(), RECEIVE as _, &raw mut notification) != 0 {
                continue;
            }
            numbers.insert(notification.number);
            let response = Response {
                id: notification.id,
                value: 0,
                error: 0,
                flags: CONTINUE,
            };
            // Whoever was killed meanwhile needs no answer.
            libc::ioctl(listener.as_raw_fd(), SEND as _, &raw const response);
        }
    }
}

/// fcntl(2) F_SETLEASE: whoever opens the file waits until this descriptor is closed.
pub fn take_lease(file: &File) -> io::Result<()> {
    const F_SETSIG: libc::c_int = 10;
    // The word that somebody waits must not end this process, as the default signal does.
    // SAFETY: plain integers.
    done(unsafe { libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG) })?;
    // SAFETY: plain integers.
    done(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) })
}

/// Whether somebody waits for the end of a lease: the kernel then tells what the lease will become.
pub fn lease_is_breaking(file: &File) -> bool {
    // SAFETY: plain integers.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLEASE) != libc::F_WRLCK }
}

/// mount_setattr(2): takes MOUNT_ATTR_RDONLY from the mount that the path leads to.
pub fn make_mount_writable(path: &str) -> io::Result<()> {
    // struct mount_attr: what is set, what is cleared, the propagation, a user namespace.
    const RDONLY: u64 = 1;
    let attributes: [u64; 4] = [0, RDONLY, 0, 0];
    let path = c_string(path);
    // SAFETY: the path is NUL-terminated, the structure is of the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            0,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    };
    done(result as libc::c_int)
}

/// renameat2(2) with RENAME_EXCHANGE: each of two names becomes the other, at one moment.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let [one, other] = [one, other].map(|path| c_string(path.to_str().unwrap()));
    // SAFETY: both paths are NUL-terminated.
    done(unsafe {
        libc::renameat2(
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    })
}

/// Gives a command an open file under a number of the caller's choice.
pub fn leak(command: &mut Command, file: File, number: RawFd) {
    // dup2 gives a descriptor that stays open over exec.
    // SAFETY: between fork and exec the closure, which keeps the file open until then, makes one
    // system call and allocates nothing.
    unsafe { command.pre_exec(move || done(libc::dup2(file.as_raw_fd(), number))) };
}

const KEY_SPEC_SESSION_KEYRING: libc::c_long = -3;

/// add_key(2) into a session keyring that this thread and its children have for themselves; false
/// if this kernel has no keys.
pub fn add_session_key(description: &str) -> bool {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    let (kind, description) = (c_string("user"), c_string(description));
    // SAFETY: the strings are NUL-terminated, the payload is as long as stated.
    unsafe {
        let name = std::ptr::null::<libc::c_char>();
        libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) != -1
            && libc::syscall(
                libc::SYS_add_key,
                kind.as_ptr(),
                description.as_ptr(),
                c"secret".as_ptr(),
                6usize,
                KEY_SPEC_SESSION_KEYRING,
            ) != -1
    }
}

/// request_key(2): whether a key can be found from here.
pub fn finds_key(description: &str) -> bool {
    let (kind, description) = (c_string("user"), c_string(description));
    // SAFETY: the strings are NUL-terminated; without callout information nobody is called.
    unsafe {
        let nothing = std::ptr::null::<libc::c_char>();
        libc::syscall(
            libc::SYS_request_key,
            kind.as_ptr(),
            description.as_ptr(),
            nothing,
            0,
        ) != -1
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn done(result: libc::c_int) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Makes a capability inheritable for a command that is not yet run.
pub fn make_inheritable(command: &mut Command, capability: u32) {
    let make = move || {
        // struct __user_cap_header_struct, and two times effective, permitted, inheritable.
        let mut header = [0x2008_0522u32, 0];
        let mut sets = [0u32; 6];
        // SAFETY: version 3 has two data elements, which both calls find in `sets`.
        unsafe {
            done(libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) as _)?;
            sets[2] |= 1 << capability;
            done(libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) as _)
        }
    };
    // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
    unsafe { command.pre_exec(make) };
}

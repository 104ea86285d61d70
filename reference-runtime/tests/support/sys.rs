//! System calls that the tests need and the standard library does not have.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
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

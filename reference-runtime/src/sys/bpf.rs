//! bpf(2), as far as programs of cgroup version 2 that decide on devices need it.

use super::{check, owned};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_DETACH: libc::c_int = 9;
const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_PROG_QUERY: libc::c_int = 16;

const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// Programs of the groups above and below, and others of the same group, are asked as well.
const BPF_F_ALLOW_MULTI: u32 = 2;

/// One instruction, as the kernel has it.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) opcode: u8,
    /// Destination and source, in the order of the machine's bit fields.
    pub(crate) registers: u8,
    pub(crate) offset: i16,
    pub(crate) immediate: i32,
}

/// The name of a program, NUL-terminated.
pub(crate) type Name = [u8; 16];

#[repr(C)]
#[derive(Default)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: Name,
    interface: u32,
    expected_attach_type: u32,
}

#[repr(C)]
struct Attach {
    target: i32,
    program: i32,
    attach_type: u32,
    flags: u32,
}

#[repr(C)]
struct Query {
    target: i32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    reserved: u32,
}

#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

#[repr(C)]
struct InfoByFd {
    program: i32,
    length: u32,
    info: u64,
}

/// The beginning of `struct bpf_prog_info`, up to the name.
#[repr(C)]
#[derive(Default)]
struct Info {
    until_name: [u64; 8],
    name: Name,
}

fn bpf<T>(command: libc::c_int, attribute: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the attribute is initialised and of the size given; callers keep what it points to
    // alive and as long as it says until the call returns.
    check(unsafe { libc::syscall(libc::SYS_bpf, command, attribute as *mut T, size_of::<T>()) })
}

/// BPF_PROG_LOAD of a program that decides on devices.
pub(crate) fn load_device_program(instructions: &[Instruction], name: Name) -> io::Result<OwnedFd> {
    let mut attribute = Load {
        program_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        instruction_count: u32::try_from(instructions.len())
            .map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?,
        instructions: instructions.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        name,
        ..Load::default()
    };
    owned(bpf(BPF_PROG_LOAD, &mut attribute)?)
}

/// BPF_PROG_ATTACH to a cgroup, beside what is attached there.
pub(crate) fn attach_device_program(
    group: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
) -> io::Result<()> {
    let mut attribute = Attach {
        target: group.as_raw_fd(),
        program: program.as_raw_fd(),
        attach_type: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    bpf(BPF_PROG_ATTACH, &mut attribute).map(drop)
}

/// BPF_PROG_DETACH.
pub(crate) fn detach_device_program(
    group: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
) -> io::Result<()> {
    let mut attribute = Attach {
        target: group.as_raw_fd(),
        program: program.as_raw_fd(),
        attach_type: BPF_CGROUP_DEVICE,
        flags: 0,
    };
    bpf(BPF_PROG_DETACH, &mut attribute).map(drop)
}

/// BPF_PROG_QUERY: the programs that are attached to a cgroup itself, each with its name.
pub(crate) fn device_programs(group: BorrowedFd<'_>) -> io::Result<Vec<(OwnedFd, Name)>> {
    // The kernel attaches 64 programs to one cgroup at most.
    let mut ids = [0u32; 64];
    let mut query = Query {
        target: group.as_raw_fd(),
        attach_type: BPF_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr() as u64,
        count: ids.len() as u32,
        reserved: 0,
    };
    bpf(BPF_PROG_QUERY, &mut query)?;
    let mut programs = Vec::new();
    for &id in ids.iter().take(query.count as usize) {
        let mut by_id = ById {
            id,
            ..ById::default()
        };
        let program = match bpf(BPF_PROG_GET_FD_BY_ID, &mut by_id) {
            // Detached meanwhile, and with that gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => owned(other?)?,
        };
        let mut info = Info::default();
        let mut attribute = InfoByFd {
            program: program.as_raw_fd(),
            length: size_of::<Info>() as u32,
            info: (&raw mut info) as u64,
        };
        bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attribute)?;
        programs.push((program, info.name));
    }
    Ok(programs)
}

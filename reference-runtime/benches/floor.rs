//! The floor: a bare program that makes just the kernel calls of one container.
//!
//! It runs what `runc spec` describes (the default configuration without a terminal, its program
//! `/bin/true`) as a root user on a host with cgroup v1 or hybrid: everything is known beforehand,
//! nothing is read, checked or decided. What a runtime takes longer than this is the runtime's own.
//! It pays, as a runtime does, for the protection of its own file, for a group in each hierarchy,
//! for a state that survives it, and for the wait between created and started.
//!
//! `floor ROOTFS NAME`; `floor.calls` beside it lists its calls. Any call that fails ends it.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_long};
use std::mem::size_of;
use std::ptr::null;

/// The calls that the C library has no name for are made by number, as is clone3.
macro_rules! call {
    ($number:ident $(, $argument:expr)* $(,)?) => {
        // SAFETY: strings are literals or outlive the call, and structures are of the stated size.
        done(stringify!($number), unsafe { libc::syscall(libc::$number $(, $argument)*) })
    };
}

fn done(name: &str, result: c_long) -> c_int {
    if result < 0 {
        eprintln!("floor: {name}: {}", std::io::Error::last_os_error());
        std::process::exit(1);
    }
    result as c_int
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

/// Of struct mount_attr.
type MountAttr = [u64; 4];
const RDONLY: u64 = 1;
const NOSUID: u64 = 2;
const NODEV: u64 = 4;
const NOEXEC: u64 = 8;
const STRICTATIME: u64 = 0x20;
const EMPTY_PATH: c_int = 0x1000;
const RECURSIVE: c_int = 0x8000;
const CLONE: c_int = 1 | libc::O_CLOEXEC;
const TO_EMPTY: c_int = 4 | 0x40;
const CWD: c_int = libc::AT_FDCWD;

fn close(fd: c_int) {
    call!(SYS_close, fd);
}

fn open(dir: c_int, path: &str, flags: c_int) -> c_int {
    call!(
        SYS_openat,
        dir,
        c(path).as_ptr(),
        flags | libc::O_CLOEXEC,
        0o600
    )
}

/// A path inside the root, as whoever does not trust it resolves it.
fn inside(root: c_int, path: &str) -> c_int {
    let how: [u64; 3] = [(libc::O_PATH | libc::O_CLOEXEC) as u64, 0, 0x10];
    call!(
        SYS_openat2,
        root,
        c(path).as_ptr(),
        how.as_ptr(),
        size_of::<[u64; 3]>()
    )
}

fn write(dir: c_int, path: &str, flags: c_int, text: &[u8]) {
    let file = open(dir, path, libc::O_WRONLY | flags);
    call!(SYS_write, file, text.as_ptr(), text.len());
    close(file);
}

fn tree(dir: c_int, path: &str, flags: c_int) -> c_int {
    call!(SYS_open_tree, dir, c(path).as_ptr(), CLONE | flags)
}

fn set(tree: c_int, flags: c_int, attr: MountAttr) {
    let size = size_of::<MountAttr>();
    call!(
        SYS_mount_setattr,
        tree,
        c"".as_ptr(),
        EMPTY_PATH | flags,
        attr.as_ptr(),
        size
    );
}

fn put(tree: c_int, target: c_int) {
    call!(
        SYS_move_mount,
        tree,
        c"".as_ptr(),
        target,
        c"".as_ptr(),
        TO_EMPTY
    );
    close(target);
}

/// A new filesystem, not mounted yet.
fn filesystem(kind: &str, options: &[(&str, &str)], attributes: u64) -> c_int {
    let context = call!(SYS_fsopen, c(kind).as_ptr(), 1);
    for (key, value) in options {
        let key = c(key);
        if value.is_empty() {
            call!(SYS_fsconfig, context, 0, key.as_ptr(), null::<c_char>(), 0);
        } else {
            call!(SYS_fsconfig, context, 1, key.as_ptr(), c(value).as_ptr(), 0);
        }
    }
    call!(
        SYS_fsconfig,
        context,
        6,
        null::<c_char>(),
        null::<c_char>(),
        0
    );
    let tree = call!(SYS_fsmount, context, 1, attributes);
    close(context);
    tree
}

/// The groups of version 1 that this host has, and of version 2 if it is mounted beside.
fn groups(name: &str) -> (Vec<String>, Option<String>) {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut first = Vec::new();
    let mut second = None;
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(names), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let path = path.trim_end_matches('/');
        if names.is_empty() {
            if !std::path::Path::new("/sys/fs/cgroup/unified/cgroup.procs").exists() {
                continue;
            }
            second = Some(format!("/sys/fs/cgroup/unified{path}/floor-{name}"));
        } else {
            let directory = names.trim_start_matches("name=");
            first.push(format!("/sys/fs/cgroup/{directory}{path}/floor-{name}"));
        }
    }
    (first, second)
}

fn main() {
    protect();
    let mut arguments = std::env::args().skip(1);
    let (Some(rootfs), Some(name)) = (arguments.next(), arguments.next()) else {
        // Cargo runs every bench; this one has nothing to do without its arguments.
        return;
    };
    let state = format!("/run/floor-{name}");
    call!(SYS_mkdir, c(&state).as_ptr(), 0o700);
    let entry = open(CWD, &state, libc::O_DIRECTORY);
    call!(SYS_flock, entry, libc::LOCK_EX);
    write(entry, "state.json", libc::O_CREAT, &[b' '; 1900]);
    let (groups, unified) = groups(&name);
    for group in groups.iter().chain(&unified) {
        call!(SYS_mkdir, c(group).as_ptr(), 0o755);
        if group.contains("/cpuset/") {
            write(CWD, &format!("{group}/cpuset.cpus"), 0, b"0");
            write(CWD, &format!("{group}/cpuset.mems"), 0, b"0");
        }
    }
    let tasks: Vec<c_int> = groups
        .iter()
        .map(|group| open(CWD, &format!("{group}/tasks"), libc::O_WRONLY))
        .collect();
    let unified_group = unified
        .as_ref()
        .map(|group| open(CWD, group, libc::O_PATH | libc::O_DIRECTORY));
    let mut pair = [0 as c_int; 2];
    call!(
        SYS_socketpair,
        libc::AF_UNIX,
        libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
        0,
        pair.as_mut_ptr()
    );
    let mut pidfd: c_int = -1;
    let child = clone(&mut pidfd, unified_group);
    if child == 0 {
        contained(&rootfs, &groups, unified.as_deref(), &tasks, pair[1]);
    }
    close(pair[1]);
    let mut byte = [0u8; 1];
    call!(SYS_read, pair[0], byte.as_mut_ptr(), 1);
    let devices = groups.iter().find(|group| group.contains("/devices/"));
    if let Some(group) = devices {
        write(CWD, &format!("{group}/devices.deny"), 0, b"a");
        for rule in [
            "c 1:3 rw",
            "c 1:5 rw",
            "c 1:7 rw",
            "c 1:8 rw",
            "c 1:9 rw",
            "c 5:0 rw",
            "c 5:2 rw",
            "c 136:* rw",
        ] {
            write(CWD, &format!("{group}/devices.allow"), 0, rule.as_bytes());
        }
    }
    write(entry, "state.json", 0, &[b' '; 1900]);
    call!(SYS_write, pair[0], byte.as_ptr(), 1);
    // Closed by the exec of the program.
    call!(SYS_read, pair[0], byte.as_mut_ptr(), 1);
    call!(SYS_wait4, child, null::<c_int>(), libc::__WALL, 0);
    for group in groups.iter().chain(&unified) {
        call!(SYS_rmdir, c(group).as_ptr());
    }
    call!(SYS_unlinkat, entry, c"state.json".as_ptr(), 0);
    call!(SYS_rmdir, c(&state).as_ptr());
}

/// From a read-only mount that is attached nowhere.
fn protect() {
    if std::env::var_os("FLOOR").is_some() {
        return;
    }
    let file = tree(CWD, "/proc/self/exe", 0);
    set(file, 0, [RDONLY, 0, libc::MS_PRIVATE, 0]);
    let strings: Vec<CString> = std::env::args().map(|argument| c(&argument)).collect();
    let mut pointers: Vec<*const c_char> = strings.iter().map(|text| text.as_ptr()).collect();
    pointers.push(null());
    let environment = [c"FLOOR=1".as_ptr(), null()];
    call!(
        SYS_execveat,
        file,
        c"".as_ptr(),
        pointers.as_ptr(),
        environment.as_ptr(),
        EMPTY_PATH
    );
}

fn clone(pidfd: &mut c_int, group: Option<c_int>) -> c_int {
    const INTO_CGROUP: u64 = 0x2_0000_0000;
    let namespaces = libc::CLONE_NEWNS
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_PIDFD;
    let mut arguments = [0u64; 11];
    arguments[0] = namespaces as u64 | group.map_or(0, |_| INTO_CGROUP);
    arguments[1] = &raw mut *pidfd as u64;
    arguments[4] = libc::SIGCHLD as u64;
    arguments[10] = group.unwrap_or(0) as u64;
    call!(SYS_clone3, arguments.as_ptr(), size_of::<[u64; 11]>())
}

/// The container process.
fn contained(
    rootfs: &str,
    groups: &[String],
    unified: Option<&str>,
    tasks: &[c_int],
    channel: c_int,
) -> ! {
    for file in tasks {
        call!(SYS_write, *file, c"0".as_ptr(), 1);
        close(*file);
    }
    let root = tree(CWD, rootfs, RECURSIVE);
    call!(SYS_prctl, libc::PR_SET_DUMPABLE, 0);
    call!(SYS_setsid);
    call!(SYS_keyctl, 1, null::<c_char>());
    call!(SYS_sethostname, c"runc".as_ptr(), 4);
    raise_loopback();
    let slave: MountAttr = [0, 0, libc::MS_SLAVE, 0];
    call!(
        SYS_mount_setattr,
        CWD,
        c"/".as_ptr(),
        RECURSIVE,
        slave.as_ptr(),
        size_of::<MountAttr>()
    );
    let top = open(CWD, "/", libc::O_PATH | libc::O_DIRECTORY);
    set(root, RECURSIVE, slave);
    call!(
        SYS_move_mount,
        root,
        c"".as_ptr(),
        top,
        c"".as_ptr(),
        TO_EMPTY
    );
    close(top);
    mount_all(root, groups, unified);
    cover(root);
    set(root, 0, [RDONLY, 0, 0, 0]);
    call!(SYS_fchdir, root);
    call!(SYS_pivot_root, c".".as_ptr(), c".".as_ptr());
    call!(SYS_umount2, c".".as_ptr(), libc::MNT_DETACH);
    call!(SYS_chdir, c"/".as_ptr());
    let limit: [u64; 2] = [1024, 1024];
    call!(
        SYS_prlimit64,
        0,
        libc::RLIMIT_NOFILE,
        limit.as_ptr(),
        null::<u64>()
    );
    call!(SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    drop_capabilities();
    let mut byte = [0u8; 1];
    call!(SYS_write, channel, byte.as_ptr(), 1);
    call!(SYS_read, channel, byte.as_mut_ptr(), 1);
    call!(SYS_close_range, 3, u32::MAX, 4);
    let arguments = [c"/bin/true".as_ptr(), null()];
    let environment = [c"TERM=xterm".as_ptr(), null()];
    call!(
        SYS_execve,
        c"/bin/true".as_ptr(),
        arguments.as_ptr(),
        environment.as_ptr()
    );
    std::process::exit(1)
}

fn raise_loopback() {
    let socket = call!(
        SYS_socket,
        libc::AF_INET,
        libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
        0
    );
    // SAFETY: a structure of integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as c_char;
    request.ifr_name[1] = b'o' as c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    call!(SYS_ioctl, socket, libc::SIOCSIFFLAGS, &raw const request);
    close(socket);
}

fn mount_all(root: c_int, groups: &[String], unified: Option<&str>) {
    let attach = |tree: c_int, path: &str| {
        put(tree, inside(root, path));
        close(tree);
    };
    attach(filesystem("proc", &[("source", "proc")], 0), "proc");
    let size = ("size", "65536k");
    let dev = filesystem("tmpfs", &[("mode", "755"), size], NOSUID | STRICTATIME);
    put(dev, inside(root, "dev"));
    for directory in ["pts", "shm", "mqueue"] {
        call!(SYS_mkdirat, dev, c(directory).as_ptr(), 0o755);
    }
    let pts = [
        ("newinstance", ""),
        ("ptmxmode", "0666"),
        ("mode", "0620"),
        ("gid", "5"),
    ];
    attach(filesystem("devpts", &pts, NOSUID | NOEXEC), "dev/pts");
    let safe = NOSUID | NODEV | NOEXEC;
    attach(
        filesystem("tmpfs", &[("mode", "1777"), size], safe),
        "dev/shm",
    );
    attach(filesystem("mqueue", &[], safe), "dev/mqueue");
    attach(filesystem("sysfs", &[("ro", "")], safe | RDONLY), "sys");
    let cgroup = filesystem("tmpfs", &[("mode", "755")], safe);
    put(cgroup, inside(root, "sys/fs/cgroup"));
    for group in groups.iter().map(String::as_str).chain(unified) {
        let directory = group.split('/').nth(4).unwrap_or_default();
        call!(SYS_mkdirat, cgroup, c(directory).as_ptr(), 0o755);
        let own = tree(CWD, group, 0);
        set(own, 0, [safe | RDONLY, 0, libc::MS_SLAVE, 0]);
        put(own, open(cgroup, directory, libc::O_PATH));
        close(own);
    }
    set(cgroup, 0, [RDONLY, 0, 0, 0]);
    for (name, major, minor) in [
        (c"null", 1, 3),
        (c"zero", 1, 5),
        (c"full", 1, 7),
        (c"random", 1, 8),
        (c"urandom", 1, 9),
        (c"tty", 5, 0),
    ] {
        let device = libc::makedev(major, minor);
        call!(
            SYS_mknodat,
            dev,
            name.as_ptr(),
            libc::S_IFCHR | 0o666,
            device
        );
    }
    for (target, name) in [
        (c"/proc/self/fd", c"fd"),
        (c"/proc/self/fd/0", c"stdin"),
        (c"/proc/self/fd/1", c"stdout"),
        (c"/proc/self/fd/2", c"stderr"),
        (c"pts/ptmx", c"ptmx"),
    ] {
        call!(SYS_symlinkat, target.as_ptr(), dev, name.as_ptr());
    }
    close(dev);
    close(cgroup);
}

/// The read-only and the masked paths.
fn cover(root: c_int) {
    for path in ["proc/bus", "proc/fs", "proc/irq", "proc/sys"] {
        let place = inside(root, path);
        let own = tree(place, "", EMPTY_PATH | RECURSIVE);
        set(own, RECURSIVE, [RDONLY, 0, 0, 0]);
        put(own, place);
        close(own);
    }
    let empty = filesystem("tmpfs", &[("mode", "0"), ("nr_inodes", "1")], RDONLY);
    put(empty, inside(root, "proc/acpi"));
    let again = tree(empty, "", EMPTY_PATH);
    put(again, inside(root, "sys/firmware"));
    close(again);
    close(empty);
    for path in ["proc/keys", "proc/timer_list"] {
        let null = tree(CWD, "/dev/null", 0);
        put(null, inside(root, path));
        close(null);
    }
}

fn drop_capabilities() {
    const KEPT: [u32; 3] = [5, 10, 29];
    // Until the first that the kernel does not know.
    for capability in (0..=40).filter(|capability| !KEPT.contains(capability)) {
        call!(SYS_prctl, libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
    }
    call!(SYS_setgroups, 0, null::<u32>());
    call!(SYS_setresgid, 0, 0, 0);
    call!(SYS_setresuid, 0, 0, 0);
    let header: [u32; 2] = [0x2008_0522, 0];
    let mask = KEPT.iter().fold(0u32, |mask, bit| mask | 1 << bit);
    let data: [u32; 6] = [mask, mask, 0, 0, 0, 0];
    call!(SYS_capset, header.as_ptr(), data.as_ptr());
}

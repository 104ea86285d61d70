//! Files and directories, always relative to a descriptor.

use super::{c_string, check, check_int, owned};
use std::ffi::OsStr;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

pub(crate) use libc::{
    O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR, O_WRONLY,
};

/// Every path resolves below the directory, absolute links and `..` included.
/// (The kernel refuses magic links under this flag as well.)
pub(crate) const RESOLVE_IN_ROOT: u64 = 0x10;
/// No link that jumps elsewhere, such as /proc/self/exe.
pub(crate) const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
/// No symbolic link at all.
pub(crate) const RESOLVE_NO_SYMLINKS: u64 = 0x04;
/// No crossing into another mount.
pub(crate) const RESOLVE_NO_XDEV: u64 = 0x01;
/// Stay below the directory; whatever would leave it is an error.
pub(crate) const RESOLVE_BENEATH: u64 = 0x08;

/// The current working directory, for calls that take a directory descriptor.
pub(crate) fn cwd() -> BorrowedFd<'static> {
    // SAFETY: AT_FDCWD is not a descriptor that could be closed.
    unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) }
}

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// openat2(2). Retries when a concurrent rename made a scoped lookup uncertain.
pub(crate) fn openat2(
    dir: BorrowedFd<'_>,
    path: &OsStr,
    flags: i32,
    mode: u32,
    resolve: u64,
) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    let how = OpenHow {
        flags: (flags | O_CLOEXEC) as u64,
        mode: mode.into(),
        resolve,
    };
    for _ in 0..128 {
        // SAFETY: `path` is NUL-terminated, `how` is of the size given.
        let result = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                dir.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                size_of::<OpenHow>(),
            )
        };
        match owned(result) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => {
                continue;
            }
            other => return other,
        }
    }
    Err(io::Error::from_raw_os_error(libc::EAGAIN))
}

/// openat(2).
pub(crate) fn openat(
    dir: BorrowedFd<'_>,
    path: &OsStr,
    flags: i32,
    mode: u32,
) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    // SAFETY: `path` is NUL-terminated.
    owned(unsafe { libc::openat(dir.as_raw_fd(), path.as_ptr(), flags | O_CLOEXEC, mode) }.into())
}

/// mkdirat(2).
pub(crate) fn mkdirat(dir: BorrowedFd<'_>, name: &OsStr, mode: u32) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` is NUL-terminated.
    check_int(unsafe { libc::mkdirat(dir.as_raw_fd(), name.as_ptr(), mode) }).map(drop)
}

/// mknodat(2).
pub(crate) fn mknodat(dir: BorrowedFd<'_>, name: &OsStr, mode: u32, device: u64) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` is NUL-terminated.
    check_int(unsafe { libc::mknodat(dir.as_raw_fd(), name.as_ptr(), mode, device) }).map(drop)
}

/// symlinkat(2).
pub(crate) fn symlinkat(target: &OsStr, dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let (target, name) = (c_string(target)?, c_string(name)?);
    // SAFETY: both strings are NUL-terminated.
    check_int(unsafe { libc::symlinkat(target.as_ptr(), dir.as_raw_fd(), name.as_ptr()) }).map(drop)
}

/// unlinkat(2); `flags` is 0 or AT_REMOVEDIR.
pub(crate) fn unlinkat(dir: BorrowedFd<'_>, name: &OsStr, flags: i32) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` is NUL-terminated.
    check_int(unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), flags) }).map(drop)
}

/// renameat(2) within one directory.
pub(crate) fn renameat(dir: BorrowedFd<'_>, from: &OsStr, to: &OsStr) -> io::Result<()> {
    let (from, to) = (c_string(from)?, c_string(to)?);
    // SAFETY: both strings are NUL-terminated.
    check_int(unsafe {
        libc::renameat(dir.as_raw_fd(), from.as_ptr(), dir.as_raw_fd(), to.as_ptr())
    })
    .map(drop)
}

/// renameat2(2) with RENAME_EXCHANGE within one directory.
pub(crate) fn exchange(dir: BorrowedFd<'_>, one: &OsStr, other: &OsStr) -> io::Result<()> {
    let (one, other) = (c_string(one)?, c_string(other)?);
    // SAFETY: both strings are NUL-terminated.
    check(unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            dir.as_raw_fd(),
            one.as_ptr(),
            dir.as_raw_fd(),
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    })
    .map(drop)
}

/// readlinkat(2) of what the descriptor itself refers to if `name` is empty.
pub(crate) fn readlinkat(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<Vec<u8>> {
    let name = c_string(name)?;
    let mut buffer = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: the buffer is as long as stated.
    let length = check(unsafe {
        libc::readlinkat(
            dir.as_raw_fd(),
            name.as_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        ) as libc::c_long
    })?;
    buffer.truncate(length as usize);
    Ok(buffer)
}

/// fstat(2); works on O_PATH descriptors.
pub(crate) fn fstat(fd: BorrowedFd<'_>) -> io::Result<libc::stat> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: the kernel fills the structure when the call succeeds.
    check_int(unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: see above.
    Ok(unsafe { stat.assume_init() })
}

/// fstatfs(2).
pub(crate) fn fstatfs(fd: BorrowedFd<'_>) -> io::Result<libc::statfs> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: the kernel fills the structure when the call succeeds.
    check_int(unsafe { libc::fstatfs(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: see above.
    Ok(unsafe { stat.assume_init() })
}

/// Whether the file was opened through a mount, or is on a filesystem, that is read-only.
pub(crate) fn is_on_read_only_mount(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut stat = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the kernel's answer fills the structure when the call succeeds.
    check_int(unsafe { libc::fstatvfs(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: see above.
    Ok(unsafe { stat.assume_init() }.f_flag & libc::ST_RDONLY != 0)
}

/// The flags of the mount that the file was opened through, as mount(2) has them.
pub(crate) fn mount_flags(fd: BorrowedFd<'_>) -> io::Result<u64> {
    const ST_RELATIME: u64 = 4096;
    const ST_NOSYMFOLLOW: u64 = 8192;
    const MS_NOSYMFOLLOW: u64 = 256;
    let mut stat = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the kernel's answer fills the structure when the call succeeds.
    check_int(unsafe { libc::fstatvfs(fd.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: see above.
    let flags = unsafe { stat.assume_init() }.f_flag;
    // These have the same numbers in both calls.
    let same = libc::MS_RDONLY
        | libc::MS_NOSUID
        | libc::MS_NODEV
        | libc::MS_NOEXEC
        | libc::MS_NOATIME
        | libc::MS_NODIRATIME;
    let others = [
        (ST_RELATIME, libc::MS_RELATIME),
        (ST_NOSYMFOLLOW, MS_NOSYMFOLLOW),
    ];
    let other = |(told, flag): (u64, u64)| if flags & told != 0 { flag } else { 0 };
    Ok(others
        .into_iter()
        .map(other)
        .fold(flags & same, |all, flag| all | flag))
}

/// statfs(2): only the magic number of the filesystem.
pub(crate) fn filesystem_magic(path: &OsStr) -> io::Result<i64> {
    let path = c_string(path)?;
    let mut stat = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the kernel fills the structure when the call succeeds.
    check_int(unsafe { libc::statfs(path.as_ptr(), stat.as_mut_ptr()) })?;
    // SAFETY: see above.
    Ok(unsafe { stat.assume_init() }.f_type)
}

/// fchownat(2) of the descriptor itself.
pub(crate) fn chown_fd(fd: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: an empty path with AT_EMPTY_PATH names the descriptor.
    check_int(unsafe {
        libc::fchownat(fd.as_raw_fd(), c"".as_ptr(), uid, gid, libc::AT_EMPTY_PATH)
    })
    .map(drop)
}

/// chown of a name in a directory, never following a link.
pub(crate) fn chownat(dir: BorrowedFd<'_>, name: &OsStr, uid: u32, gid: u32) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` is NUL-terminated.
    check_int(unsafe {
        libc::fchownat(
            dir.as_raw_fd(),
            name.as_ptr(),
            uid,
            gid,
            libc::AT_SYMLINK_NOFOLLOW,
        )
    })
    .map(drop)
}

/// chmod of a name in a directory, following a link: the caller knows where it leads.
pub(crate) fn chmodat(dir: BorrowedFd<'_>, name: &OsStr, mode: u32) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` is NUL-terminated.
    check_int(unsafe { libc::fchmodat(dir.as_raw_fd(), name.as_ptr(), mode, 0) }).map(drop)
}

/// setxattr(2).
pub(crate) fn set_attribute(path: &OsStr, name: &str, value: &[u8]) -> io::Result<()> {
    let (path, name) = (c_string(path)?, c_string(name)?);
    // SAFETY: both strings are NUL-terminated, the value is as long as stated.
    check_int(unsafe {
        libc::setxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    })
    .map(drop)
}

/// fchmod(2).
pub(crate) fn fchmod(fd: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    // SAFETY: plain integers.
    check_int(unsafe { libc::fchmod(fd.as_raw_fd(), mode) }).map(drop)
}

/// flock(2) with LOCK_EX, waiting.
pub(crate) fn lock_exclusive(fd: BorrowedFd<'_>) -> io::Result<()> {
    lock(fd, libc::LOCK_EX)
}

/// flock(2) with LOCK_SH, waiting.
pub(crate) fn lock_shared(fd: BorrowedFd<'_>) -> io::Result<()> {
    lock(fd, libc::LOCK_SH)
}

fn lock(fd: BorrowedFd<'_>, operation: i32) -> io::Result<()> {
    loop {
        // SAFETY: plain integers.
        match check_int(unsafe { libc::flock(fd.as_raw_fd(), operation) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => return other.map(drop),
        }
    }
}

/// flock(2) with LOCK_EX, without waiting: false if somebody else has it.
pub(crate) fn try_lock_exclusive(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: plain integers.
    match check_int(unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        other => other.map(|_| true),
    }
}

/// faccessat(2) with X_OK and the effective ids.
pub(crate) fn executable(path: &OsStr) -> io::Result<()> {
    let path = c_string(path)?;
    // SAFETY: `path` is NUL-terminated.
    check_int(unsafe {
        libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS)
    })
    .map(drop)
}

/// stat(2), following links.
pub(crate) fn stat(path: &OsStr) -> io::Result<libc::stat> {
    let path = c_string(path)?;
    let mut stat = MaybeUninit::uninit();
    // SAFETY: the kernel fills the structure when the call succeeds.
    check_int(unsafe { libc::stat(path.as_ptr(), stat.as_mut_ptr()) })?;
    // SAFETY: see above.
    Ok(unsafe { stat.assume_init() })
}

/// The kernel's own getcwd(2), which says `(unreachable)` for a directory outside the root.
pub(crate) fn kernel_cwd() -> io::Result<Vec<u8>> {
    let mut buffer = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: the buffer is as long as stated.
    let length =
        check(unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) })?;
    // The length counts the NUL.
    buffer.truncate((length as usize).saturating_sub(1));
    Ok(buffer)
}

/// fchdir(2).
pub(crate) fn fchdir(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: plain integer.
    check_int(unsafe { libc::fchdir(fd.as_raw_fd()) }).map(drop)
}

/// chroot(2).
pub(crate) fn chroot(path: &OsStr) -> io::Result<()> {
    let path = c_string(path)?;
    // SAFETY: `path` is NUL-terminated.
    check_int(unsafe { libc::chroot(path.as_ptr()) }).map(drop)
}

/// An anonymous file that holds `content`, at its beginning.
pub(crate) fn memory_file(name: &str, content: &[u8]) -> io::Result<OwnedFd> {
    use std::io::{Seek, Write};
    let fd = create_memory_file(name, 0)?;
    let mut file = std::fs::File::from(fd);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}

const MFD_NOEXEC_SEAL: libc::c_uint = 0x08;
const MFD_EXEC: libc::c_uint = 0x10;

/// memfd_create(2): without execute permission, or with it and open to seals.
fn create_memory_file(name: &str, executable: libc::c_uint) -> io::Result<OwnedFd> {
    let name = c_string(name)?;
    let base = libc::MFD_CLOEXEC
        | if executable != 0 {
            libc::MFD_ALLOW_SEALING
        } else {
            0
        };
    let mode = if executable != 0 {
        MFD_EXEC
    } else {
        MFD_NOEXEC_SEAL
    };
    // SAFETY: `name` is NUL-terminated.
    match owned(unsafe { libc::memfd_create(name.as_ptr(), base | mode) }.into()) {
        // Before Linux 6.3 the two modes are unknown flags.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            // SAFETY: see above.
            owned(unsafe { libc::memfd_create(name.as_ptr(), base) }.into())
        }
        other => other,
    }
}

const SEALS: libc::c_int =
    libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

/// A copy of a file that nobody can change any more and that can be executed.
pub(crate) fn sealed_copy(name: &str, source: &mut std::fs::File) -> io::Result<OwnedFd> {
    let mut copy = std::fs::File::from(create_memory_file(name, 1)?);
    io::copy(source, &mut copy)?;
    // SAFETY: plain integers.
    check_int(unsafe { libc::fcntl(copy.as_raw_fd(), libc::F_ADD_SEALS, SEALS) })?;
    Ok(copy.into())
}

/// Whether the file is sealed against every change.
pub(crate) fn is_sealed(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: plain integers.
    let seals = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) };
    seals != -1 && seals & SEALS == SEALS
}

/// pipe2(2): the reading and the writing end.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: the array has the two places that the call fills.
    check_int(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok((owned(ends[0].into())?, owned(ends[1].into())?))
}

/// dup3(2) onto a standard stream, which stays open over exec.
pub(crate) fn dup_onto(fd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    if fd.as_raw_fd() == number {
        // SAFETY: plain integers.
        return check_int(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }).map(drop);
    }
    // SAFETY: plain integers; only the numbers 0 to 2 are passed, which std never owns.
    check_int(unsafe { libc::dup2(fd.as_raw_fd(), number) }).map(drop)
}

/// Whether a number is that of an open descriptor.
pub(crate) fn is_open(number: i32) -> bool {
    // SAFETY: plain integers; nothing is changed.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

/// Closes every descriptor from `first` on. Call it before anything else is opened.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    close_range(first, 0)
}

/// Marks every descriptor from `first` on as close-on-exec.
pub(crate) fn cloexec_from(first: u32) -> io::Result<()> {
    close_range(first, libc::CLOSE_RANGE_CLOEXEC)
}

/// The number that the next descriptor of this process will have.
pub(crate) fn lowest_free() -> io::Result<libc::c_int> {
    // Any descriptor can be duplicated: this one is opened for it.
    let file = openat(cwd(), "/".as_ref(), O_PATH, 0)?;
    Ok(file.as_raw_fd())
}

/// Closes every descriptor from `first` on but the given ones. For a process that was just
/// cloned: what it owns besides them is the copy of an owner that it never drops.
pub(crate) fn close_all_but(first: u32, keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep
        .iter()
        .map(|fd| fd.as_raw_fd() as u32)
        .filter(|&number| number >= first)
        .collect();
    keep.sort_unstable();
    let mut next = first;
    for number in keep {
        if number > next {
            close_numbers(next, number - 1, 0)?;
        }
        next = number + 1;
    }
    close_numbers(next, u32::MAX, 0)
}

fn close_range(first: u32, flags: u32) -> io::Result<()> {
    close_numbers(first, u32::MAX, flags)
}

fn close_numbers(first: u32, last: u32, flags: u32) -> io::Result<()> {
    // SAFETY: the public functions say when nobody is left who would use what is closed.
    let result = check(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) });
    match result {
        // Linux before 5.9 (or 5.11 for the flag): one by one, from the list that procfs has.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) => {
            let mut numbers = Vec::new();
            for entry in std::fs::read_dir("/proc/self/fd")? {
                numbers.extend(
                    entry?
                        .file_name()
                        .to_str()
                        .and_then(|name| name.parse::<i32>().ok()),
                );
            }
            for number in numbers
                .into_iter()
                .filter(|&number| number >= 0 && (first..=last).contains(&(number as u32)))
            {
                // SAFETY: as above; a number that is closed meanwhile (the listing's own) is EBADF.
                unsafe {
                    if flags == 0 {
                        libc::close(number);
                    } else {
                        libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
                    }
                }
            }
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Opens the first missing ones of the descriptors 0 to 2 on /dev/null, so that
/// no file of ours can ever become a standard stream.
pub(crate) fn fill_standard_streams() -> io::Result<()> {
    loop {
        // SAFETY: the path is a NUL-terminated literal.
        let fd = check_int(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) })?;
        if fd > 2 {
            // SAFETY: opened just above.
            unsafe { libc::close(fd) };
            return Ok(());
        }
    }
}

/// The kind of a namespace file (a CLONE_NEW flag), or an error if it is none.
pub(crate) fn namespace_type(fd: impl AsFd) -> io::Result<i32> {
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    const NSFS_MAGIC: i64 = 0x6e73_6673;
    if fstatfs(fd.as_fd())?.f_type as i64 != NSFS_MAGIC {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: the request takes no argument.
    check_int(unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), NS_GET_NSTYPE as _) })
}

/// Whether another open file description holds the flock.
pub(crate) fn is_locked(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: plain integers.
    let result = check_int(unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_SH | libc::LOCK_NB) });
    if result.is_ok() {
        // SAFETY: plain integers.
        unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_UN) };
    }
    result.is_err()
}

/// fcntl(2) F_SETLEASE: whoever opens the file waits for this process, for tests of waiting.
#[cfg(test)]
pub(crate) fn take_lease(file: &std::fs::File) -> io::Result<()> {
    const F_SETSIG: libc::c_int = 10;
    // The word that somebody waits must not end this process, as the default signal does.
    // SAFETY: plain integers.
    check_int(unsafe { libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG) })?;
    // SAFETY: plain integers.
    check_int(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) }).map(drop)
}

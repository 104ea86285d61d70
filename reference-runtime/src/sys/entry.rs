//! What runs before the C library does.
//!
//! The commands that make processes execute the program anew from a file that nobody can write
//! (see `protect.rs`). Whatever has been set up until then is set up in vain, and setting up the C
//! library is a good part of a start, most of all in a virtual machine, where it asks the
//! processor for its features and each question is one to the hypervisor. So the program's first
//! instructions do it with four system calls. If they cannot, nothing is lost: the program
//! starts as any other, and `protect.rs` does the same with errors that can be told.
//!
//! Nothing of the C library can be called from here, and no memory but the stack is there. The
//! compiler must not make such calls either, which it likes to do for loops over bytes: they are
//! read one by one, as volatile. `build.rs` leaves this out of programs that are not optimised.

use super::mount::{
    AT_EMPTY_PATH, AT_NO_AUTOMOUNT, MOUNT_ATTR_RDONLY, MountAttr, OPEN_TREE_CLOEXEC,
    OPEN_TREE_CLONE,
};
use std::arch::{asm, naked_asm};
use std::mem::size_of;

/// The commands that execute the program anew. A word that only looks like one costs an exec.
const COMMANDS: [&[u8]; 3] = [b"create", b"run", b"exec"];

/// How the kernel names, in the auxiliary vector, what was executed by its descriptor.
const BY_DESCRIPTOR: &[u8] = b"/dev/fd/";

/// The program's entry point.
///
/// The kernel (or the dynamic loader) leaves the arguments on the stack, and in `rdx` what the C
/// library is to call at exit: both are passed on as they were.
// SAFETY: no other symbol of this name is linked, and `_start` is the C library's.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn refrun_entry() -> ! {
    naked_asm!(
        "mov rdi, rsp",
        "push rdx",
        "push rdx",
        "call {protect}",
        "pop rdx",
        "pop rdx",
        "jmp _start",
        protect = sym protect,
    )
}

/// Executes the program anew if its command needs that, and returns if not, or if that fails.
///
/// # Safety
///
/// `stack` is the stack as a new program finds it: the number of arguments, the arguments, null,
/// the environment, null, the auxiliary vector.
unsafe extern "C" fn protect(stack: *const usize) {
    // SAFETY: the walk follows the layout that is promised, each part to its end.
    unsafe {
        let count = *stack;
        let arguments = stack.add(1);
        let environment = arguments.add(count + 1);
        let mut word = 1;
        let mut needed = false;
        while word < count && !needed {
            needed = is_command(*arguments.add(word) as *const u8);
            word += 1;
        }
        if !needed || was_executed_by_descriptor(environment) {
            return;
        }
        execute_read_only(arguments, environment);
    }
}

/// # Safety
///
/// Both are lists of strings that end with null.
unsafe fn execute_read_only(arguments: *const usize, environment: *const usize) {
    const AT_FDCWD: usize = libc::AT_FDCWD as usize;
    let attr = MountAttr {
        set: MOUNT_ATTR_RDONLY,
        propagation: libc::MS_PRIVATE,
        ..MountAttr::default()
    };
    let flags = (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT) as usize;
    let empty = c"".as_ptr() as usize;
    let by_descriptor = AT_EMPTY_PATH as usize;
    // SAFETY: strings end with NUL, the structure is of the size given and outlives the calls,
    // the lists are the kernel's own, and the descriptor was returned by the first call.
    unsafe {
        if call(libc::SYS_geteuid, [0; 5]) != 0 {
            return;
        }
        let exe = c"/proc/self/exe".as_ptr() as usize;
        let tree = call(libc::SYS_open_tree, [AT_FDCWD, exe, flags, 0, 0]);
        if tree < 0 {
            return;
        }
        let tree = tree as usize;
        let size = size_of::<MountAttr>();
        let set = [tree, empty, by_descriptor, &raw const attr as usize, size];
        if call(libc::SYS_mount_setattr, set) == 0 {
            let lists = [arguments as usize, environment as usize];
            call(
                libc::SYS_execveat,
                [tree, empty, lists[0], lists[1], by_descriptor],
            );
        }
        call(libc::SYS_close, [tree, 0, 0, 0, 0]);
    }
}

/// # Safety
///
/// `argument` ends with NUL.
unsafe fn is_command(argument: *const u8) -> bool {
    let mut index = 0;
    while index < COMMANDS.len() {
        let command = COMMANDS[index];
        // SAFETY: the byte after a match is the string's end or before it.
        if unsafe { begins(argument, command) && argument.add(command.len()).read_volatile() == 0 }
        {
            return true;
        }
        index += 1;
    }
    false
}

/// Whether this is what was executed anew: once is enough, even if a kernel did not keep its word.
///
/// # Safety
///
/// `environment` ends with null and the auxiliary vector follows it.
unsafe fn was_executed_by_descriptor(environment: *const usize) -> bool {
    // SAFETY: the vector is one of pairs and ends with AT_NULL; AT_EXECFN points to a string.
    unsafe {
        let mut entry = environment;
        while entry.read_volatile() != 0 {
            entry = entry.add(1);
        }
        entry = entry.add(1);
        while *entry != libc::AT_NULL as usize {
            if *entry == libc::AT_EXECFN as usize {
                return begins(*entry.add(1) as *const u8, BY_DESCRIPTOR);
            }
            entry = entry.add(2);
        }
    }
    false
}

/// # Safety
///
/// `text` ends with NUL.
unsafe fn begins(text: *const u8, with: &[u8]) -> bool {
    let mut index = 0;
    while index < with.len() {
        // SAFETY: every byte before this one was equal to one that is not NUL.
        if unsafe { text.add(index).read_volatile() } != with[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// A system call, without the C library and its errno: negative is an error.
///
/// # Safety
///
/// The arguments are what the call expects.
unsafe fn call(number: libc::c_long, arguments: [usize; 5]) -> isize {
    let result;
    // SAFETY: the instruction changes the named registers alone; memory as the caller promises.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

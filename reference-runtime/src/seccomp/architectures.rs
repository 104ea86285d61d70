//! The architectures of seccomp, and the numbers of their system calls.

use super::numbers::NUMBERS;

/// An architecture of the specification's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    Aarch64,
    Arm,
    Loongarch64,
    M68k,
    Mips,
    Mips64,
    Mips64N32,
    Mipsel,
    Mipsel64,
    Mipsel64N32,
    Parisc,
    Parisc64,
    Ppc,
    Ppc64,
    Ppc64Le,
    Riscv64,
    S390,
    S390X,
    Sh,
    Sheb,
    /// The numbers of x86_64 with a bit that marks 32-bit pointers.
    X32,
    X86,
    X86_64,
}

/// Every name that the specification lists.
pub(crate) const NAMES: &[(&str, Architecture)] = &[
    ("SCMP_ARCH_AARCH64", Architecture::Aarch64),
    ("SCMP_ARCH_ARM", Architecture::Arm),
    ("SCMP_ARCH_LOONGARCH64", Architecture::Loongarch64),
    ("SCMP_ARCH_M68K", Architecture::M68k),
    ("SCMP_ARCH_MIPS", Architecture::Mips),
    ("SCMP_ARCH_MIPS64", Architecture::Mips64),
    ("SCMP_ARCH_MIPS64N32", Architecture::Mips64N32),
    ("SCMP_ARCH_MIPSEL", Architecture::Mipsel),
    ("SCMP_ARCH_MIPSEL64", Architecture::Mipsel64),
    ("SCMP_ARCH_MIPSEL64N32", Architecture::Mipsel64N32),
    ("SCMP_ARCH_PARISC", Architecture::Parisc),
    ("SCMP_ARCH_PARISC64", Architecture::Parisc64),
    ("SCMP_ARCH_PPC", Architecture::Ppc),
    ("SCMP_ARCH_PPC64", Architecture::Ppc64),
    ("SCMP_ARCH_PPC64LE", Architecture::Ppc64Le),
    ("SCMP_ARCH_RISCV64", Architecture::Riscv64),
    ("SCMP_ARCH_S390", Architecture::S390),
    ("SCMP_ARCH_S390X", Architecture::S390X),
    ("SCMP_ARCH_SH", Architecture::Sh),
    ("SCMP_ARCH_SHEB", Architecture::Sheb),
    ("SCMP_ARCH_X32", Architecture::X32),
    ("SCMP_ARCH_X86", Architecture::X86),
    ("SCMP_ARCH_X86_64", Architecture::X86_64),
];

/// The bit that marks the system calls of x32.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

/// A column of `NUMBERS`, in their order.
#[derive(Debug, Clone, Copy)]
enum Table {
    X86_64,
    X32,
    X86,
    Aarch64,
    Arm,
    Riscv64,
    Loongarch64,
    Mips,
    Mips64,
    Mips64N32,
    Ppc,
    Ppc64,
    S390,
    S390X,
    Parisc,
    Parisc64,
    M68k,
    Sh,
}

// What linux/audit.h makes the value of an architecture from: the number that ELF has for it, and these.
const WIDE: u32 = 0x8000_0000;
const LITTLE_ENDIAN: u32 = 0x4000_0000;
const MIPS_N32: u32 = 0x2000_0000;

/// The architectures of the system calls that a process can make under the kernel that runs this
/// program: its own first, and what it could switch to.
pub(crate) const POSSIBLE: &[Architecture] = {
    use Architecture::*;
    let big_endian = cfg!(target_endian = "big");
    if cfg!(target_arch = "aarch64") {
        &[Aarch64, Arm]
    } else if cfg!(target_arch = "arm") {
        &[Arm, Aarch64]
    } else if cfg!(target_arch = "riscv64") {
        &[Riscv64]
    } else if cfg!(target_arch = "loongarch64") {
        &[Loongarch64]
    } else if cfg!(target_arch = "s390x") {
        &[S390X, S390]
    } else if cfg!(target_arch = "powerpc") {
        &[Ppc, Ppc64]
    } else if cfg!(target_arch = "powerpc64") && big_endian {
        &[Ppc64, Ppc]
    } else if cfg!(target_arch = "powerpc64") {
        &[Ppc64Le]
    } else if cfg!(target_arch = "m68k") {
        &[M68k]
    } else if cfg!(target_arch = "mips64") && big_endian {
        &[Mips64, Mips, Mips64N32]
    } else if cfg!(target_arch = "mips64") {
        &[Mipsel64, Mipsel, Mipsel64N32]
    } else if cfg!(target_arch = "mips") && big_endian {
        &[Mips, Mips64, Mips64N32]
    } else if cfg!(target_arch = "mips") {
        &[Mipsel, Mipsel64, Mipsel64N32]
    } else if cfg!(target_arch = "x86") {
        &[X86, X86_64, X32]
    } else {
        &[X86_64, X86, X32]
    }
};

/// A system call as it is found by its name, once for all architectures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// Of `NUMBERS`; there is none for a name that is unknown.
    row: Option<usize>,
    /// What socketcall(2) or ipc(2) know it by.
    function: Option<(&'static str, u64)>,
}

impl Call {
    pub(crate) fn named(name: &str) -> Self {
        let row = NUMBERS.binary_search_by(|(known, _)| (*known).cmp(name));
        let find = |table: &[(&str, u64)], multiplexer| {
            let (_, function) = table.iter().find(|(known, _)| *known == name)?;
            Some((multiplexer, *function))
        };
        Call {
            row: row.ok(),
            function: find(SOCKETCALL, "socketcall").or_else(|| find(IPC, "ipc")),
        }
    }
}

impl Architecture {
    /// The value of struct seccomp_data's arch.
    pub(crate) fn audit(self) -> u32 {
        match self {
            Architecture::Aarch64 => 183 | WIDE | LITTLE_ENDIAN,
            Architecture::Arm => 40 | LITTLE_ENDIAN,
            Architecture::Loongarch64 => 258 | WIDE | LITTLE_ENDIAN,
            Architecture::M68k => 4,
            Architecture::Mips => 8,
            Architecture::Mips64 => 8 | WIDE,
            Architecture::Mips64N32 => 8 | WIDE | MIPS_N32,
            Architecture::Mipsel => 8 | LITTLE_ENDIAN,
            Architecture::Mipsel64 => 8 | WIDE | LITTLE_ENDIAN,
            Architecture::Mipsel64N32 => 8 | WIDE | LITTLE_ENDIAN | MIPS_N32,
            Architecture::Parisc => 15,
            Architecture::Parisc64 => 15 | WIDE,
            Architecture::Ppc => 20,
            Architecture::Ppc64 => 21 | WIDE,
            Architecture::Ppc64Le => 21 | WIDE | LITTLE_ENDIAN,
            Architecture::Riscv64 => 243 | WIDE | LITTLE_ENDIAN,
            Architecture::S390 => 22,
            Architecture::S390X => 22 | WIDE,
            Architecture::Sh => 42 | LITTLE_ENDIAN,
            Architecture::Sheb => 42,
            Architecture::X86 => 3 | LITTLE_ENDIAN,
            Architecture::X32 | Architecture::X86_64 => 62 | WIDE | LITTLE_ENDIAN,
        }
    }

    /// Whether arguments have 32 bits. x32 and n32 have the registers of their 64-bit architecture,
    /// but filters compare what a pointer has, as libseccomp does.
    pub(crate) fn is_narrow(self) -> bool {
        self.audit() & WIDE == 0 || self.audit() & MIPS_N32 != 0 || self == Architecture::X32
    }

    /// Whether the high half of an argument comes first.
    pub(crate) fn is_big_endian(self) -> bool {
        self.audit() & LITTLE_ENDIAN == 0
    }

    /// The number of a system call.
    pub(crate) fn number(self, call: &Call) -> Option<u32> {
        let number = u32::try_from(NUMBERS[call.row?].1[self.table() as usize]).ok()?;
        Some(if self == Architecture::X32 {
            number | X32_BIT
        } else {
            number
        })
    }

    /// The number of socketcall(2) or ipc(2), and their function by which the same can be asked for.
    pub(crate) fn multiplexed(self, call: &Call) -> Option<(u32, u64)> {
        let (multiplexer, function) = call.function?;
        Some((self.number(&Call::named(multiplexer))?, function))
    }

    fn table(self) -> Table {
        match self {
            Architecture::Aarch64 => Table::Aarch64,
            Architecture::Arm => Table::Arm,
            Architecture::Loongarch64 => Table::Loongarch64,
            Architecture::M68k => Table::M68k,
            Architecture::Mips | Architecture::Mipsel => Table::Mips,
            Architecture::Mips64 | Architecture::Mipsel64 => Table::Mips64,
            Architecture::Mips64N32 | Architecture::Mipsel64N32 => Table::Mips64N32,
            Architecture::Parisc => Table::Parisc,
            Architecture::Parisc64 => Table::Parisc64,
            Architecture::Ppc => Table::Ppc,
            Architecture::Ppc64 | Architecture::Ppc64Le => Table::Ppc64,
            Architecture::Riscv64 => Table::Riscv64,
            Architecture::S390 => Table::S390,
            Architecture::S390X => Table::S390X,
            Architecture::Sh | Architecture::Sheb => Table::Sh,
            Architecture::X32 => Table::X32,
            Architecture::X86 => Table::X86,
            Architecture::X86_64 => Table::X86_64,
        }
    }
}

/// Whether any architecture has a system call of this name.
pub(crate) fn is_known(name: &str) -> bool {
    NUMBERS
        .binary_search_by(|(known, _)| (*known).cmp(name))
        .is_ok()
}

/// The functions of socketcall(2).
const SOCKETCALL: &[(&str, u64)] = &[
    ("socket", 1),
    ("bind", 2),
    ("connect", 3),
    ("listen", 4),
    ("accept", 5),
    ("getsockname", 6),
    ("getpeername", 7),
    ("socketpair", 8),
    ("send", 9),
    ("recv", 10),
    ("sendto", 11),
    ("recvfrom", 12),
    ("shutdown", 13),
    ("setsockopt", 14),
    ("getsockopt", 15),
    ("sendmsg", 16),
    ("recvmsg", 17),
    ("accept4", 18),
    ("recvmmsg", 19),
    ("sendmmsg", 20),
];

/// The functions of ipc(2).
const IPC: &[(&str, u64)] = &[
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        assert!(NUMBERS.is_sorted_by_key(|(name, _)| *name));
        for (architecture, execve) in [
            (Architecture::X86_64, 59),
            (Architecture::X86, 11),
            (Architecture::X32, X32_BIT | 520),
            (Architecture::Aarch64, 221),
            (Architecture::Arm, 11),
            (Architecture::Riscv64, 221),
            (Architecture::Loongarch64, 221),
            (Architecture::Mips64N32, 6057),
            (Architecture::Sheb, 11),
        ] {
            assert_eq!(architecture.number(&Call::named("execve")), Some(execve));
        }
        assert_eq!(
            Architecture::X32.number(&Call::named("read")),
            Some(X32_BIT)
        );
        assert_eq!(
            Architecture::X86_64.number(&Call::named("socketcall")),
            None
        );
        // Since 424 a call has one number everywhere, above the base that mips has.
        for (architecture, base) in [(Architecture::Mips, 4000), (Architecture::Parisc64, 0)] {
            assert_eq!(
                architecture.number(&Call::named("clone3")),
                Some(base + 435)
            );
            assert_eq!(
                architecture.number(&Call::named("file_setattr")),
                Some(base + 469)
            );
        }
    }

    #[test]
    fn the_table_is_that_of_the_crate_where_both_have_an_architecture() {
        macro_rules! compare {
            ($($module:ident $architecture:ident),*) => {$(
                for call in syscalls::$module::Sysno::iter() {
                    // The crate has other names for a few calls.
                    let name = call.name().trim_start_matches("r#");
                    if let Some(number) = Architecture::$architecture.number(&Call::named(name)) {
                        assert_eq!(number, call.id() as u32, "{name}");
                    }
                }
            )*};
        }
        compare!(x86_64 X86_64, x86 X86, aarch64 Aarch64, arm Arm, riscv64 Riscv64, loongarch64 Loongarch64);
    }

    #[test]
    fn names_are_sorted_and_values_their_own() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| *name));
        let mut values: Vec<u32> = NAMES.iter().map(|(_, one)| one.audit()).collect();
        values.sort_unstable();
        values.dedup();
        // Only x32 shares another's.
        assert_eq!(values.len(), NAMES.len() - 1);
    }
}

//! The architectures of seccomp and the numbers of their system calls.

use crate::document::Node;
use crate::error::Result;
use std::collections::HashMap;

/// Every name that the specification lists.
pub(crate) const NAMES: &[&str] = &[
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
];

/// An architecture whose system calls can reach a kernel of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    X86_64,
    /// The numbers of X86_64 with a bit that marks 32-bit pointers.
    X32,
    X86,
    Aarch64,
    Arm,
    Riscv64,
}

/// The bit that marks the system calls of x32.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

/// The architectures that can occur here: the native one first, and what a process could switch to.
const POSSIBLE: &[(&str, Architecture)] = if cfg!(target_arch = "aarch64") {
    &[
        ("SCMP_ARCH_AARCH64", Architecture::Aarch64),
        ("SCMP_ARCH_ARM", Architecture::Arm),
    ]
} else if cfg!(target_arch = "riscv64") {
    &[("SCMP_ARCH_RISCV64", Architecture::Riscv64)]
} else {
    &[
        ("SCMP_ARCH_X86_64", Architecture::X86_64),
        ("SCMP_ARCH_X86", Architecture::X86),
        ("SCMP_ARCH_X32", Architecture::X32),
    ]
};

/// Reads `architectures`. The native one is always there; one that cannot occur
/// on this kernel needs no rules.
pub(crate) fn plan(seccomp: &Node<'_>) -> Result<Vec<Architecture>> {
    let mut architectures = vec![POSSIBLE[0].1];
    for name in seccomp.strings("architectures")?.unwrap_or_default() {
        if !NAMES.contains(&name) {
            return Err(seccomp.error("architectures", format!("unknown architecture {name:?}")));
        }
        if let Some((_, architecture)) = POSSIBLE.iter().find(|(known, _)| *known == name)
            && !architectures.contains(architecture)
        {
            architectures.push(*architecture);
        }
    }
    Ok(architectures)
}

impl Architecture {
    /// The value of struct seccomp_data's arch.
    pub(crate) fn audit(self) -> u32 {
        match self {
            Architecture::X86_64 | Architecture::X32 => 0xc000_003e,
            Architecture::X86 => 0x4000_0003,
            Architecture::Aarch64 => 0xc000_00b7,
            Architecture::Arm => 0x4000_0028,
            Architecture::Riscv64 => 0xc000_00f3,
        }
    }

    /// Whether arguments have 32 bits.
    pub(crate) fn is_narrow(self) -> bool {
        matches!(self, Architecture::X86 | Architecture::Arm)
    }

    /// The numbers by name.
    pub(crate) fn numbers(self) -> HashMap<&'static str, u32> {
        match self {
            Architecture::X86_64 => syscalls::x86_64::Sysno::iter()
                .map(|call| (call.name(), call.id() as u32))
                .collect(),
            Architecture::X32 => x32_numbers(),
            Architecture::X86 => syscalls::x86::Sysno::iter()
                .map(|call| (call.name(), call.id() as u32))
                .collect(),
            Architecture::Aarch64 => syscalls::aarch64::Sysno::iter()
                .map(|call| (call.name(), call.id() as u32))
                .collect(),
            Architecture::Arm => syscalls::arm::Sysno::iter()
                .map(|call| (call.name(), call.id() as u32))
                .collect(),
            Architecture::Riscv64 => syscalls::riscv64::Sysno::iter()
                .map(|call| (call.name(), call.id() as u32))
                .collect(),
        }
    }

    /// The function of socketcall(2) or ipc(2) by which the same can be asked for.
    pub(crate) fn multiplexed(self, name: &str) -> Option<(&'static str, u64)> {
        if self != Architecture::X86 {
            return None;
        }
        let find = |table: &[(&str, u64)]| {
            table
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, function)| *function)
        };
        find(SOCKETCALL)
            .map(|function| ("socketcall", function))
            .or_else(|| find(IPC).map(|function| ("ipc", function)))
    }
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

/// System calls that have a number of their own in x32, because their structures hold pointers.
const X32_OWN: &[(&str, u32)] = &[
    ("rt_sigaction", 512),
    ("rt_sigreturn", 513),
    ("ioctl", 514),
    ("readv", 515),
    ("writev", 516),
    ("recvfrom", 517),
    ("sendmsg", 518),
    ("recvmsg", 519),
    ("execve", 520),
    ("ptrace", 521),
    ("rt_sigpending", 522),
    ("rt_sigtimedwait", 523),
    ("rt_sigqueueinfo", 524),
    ("sigaltstack", 525),
    ("timer_create", 526),
    ("mq_notify", 527),
    ("kexec_load", 528),
    ("waitid", 529),
    ("set_robust_list", 530),
    ("get_robust_list", 531),
    ("vmsplice", 532),
    ("move_pages", 533),
    ("preadv", 534),
    ("pwritev", 535),
    ("rt_tgsigqueueinfo", 536),
    ("recvmmsg", 537),
    ("sendmmsg", 538),
    ("process_vm_readv", 539),
    ("process_vm_writev", 540),
    ("setsockopt", 541),
    ("getsockopt", 542),
    ("io_setup", 543),
    ("io_submit", 544),
    ("execveat", 545),
    ("preadv2", 546),
    ("pwritev2", 547),
];

fn x32_numbers() -> HashMap<&'static str, u32> {
    let mut numbers: HashMap<&'static str, u32> = Architecture::X86_64
        .numbers()
        .into_iter()
        .map(|(name, number)| (name, number | X32_BIT))
        .collect();
    numbers.extend(
        X32_OWN
            .iter()
            .map(|(name, number)| (*name, number | X32_BIT)),
    );
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        let number =
            |architecture: Architecture, name: &str| architecture.numbers().get(name).copied();
        assert_eq!(number(Architecture::X86_64, "execve"), Some(59));
        assert_eq!(number(Architecture::X86, "execve"), Some(11));
        assert_eq!(number(Architecture::X32, "execve"), Some(X32_BIT | 520));
        assert_eq!(number(Architecture::X32, "read"), Some(X32_BIT));
        assert_eq!(number(Architecture::Aarch64, "execve"), Some(221));
        assert_eq!(number(Architecture::Arm, "execve"), Some(11));
        assert_eq!(number(Architecture::Riscv64, "execve"), Some(221));
        assert_eq!(number(Architecture::X86_64, "socketcall"), None);
    }

    #[test]
    fn names_are_sorted_and_the_native_one_comes_first() {
        assert!(NAMES.is_sorted());
        let seccomp = serde_json::json!({"architectures": ["SCMP_ARCH_S390X", "SCMP_ARCH_X32", "SCMP_ARCH_X86_64"]});
        let planned = plan(&Node::root(&seccomp).unwrap()).unwrap();
        assert_eq!(planned[0], POSSIBLE[0].1);
        assert!(planned.len() <= 2);
    }
}

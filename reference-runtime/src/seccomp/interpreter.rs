//! Runs a program of classic BPF on the data of one system call, as the kernel would: what the tests
//! judge programs by.

use super::architectures::Architecture;

/// What a program is given: struct seccomp_data in the byte order of the architecture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data {
    pub(super) number: u32,
    pub(super) architecture: u32,
    pub(super) arguments: [u64; 6],
    big_endian: bool,
}

impl Data {
    pub(super) fn new(architecture: Architecture, number: u32, arguments: [u64; 6]) -> Self {
        Data {
            number,
            architecture: architecture.audit(),
            arguments,
            big_endian: architecture.is_big_endian(),
        }
    }

    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.architecture,
            16..64 if offset.is_multiple_of(4) => {
                let argument = self.arguments[(offset as usize - 16) / 8];
                if offset.is_multiple_of(8) == self.big_endian {
                    (argument >> 32) as u32
                } else {
                    argument as u32
                }
            }
            _ => panic!("no member is loaded from {offset}"),
        }
    }
}

/// The action, and how many instructions it took to get there.
pub(super) fn interpret(program: &[libc::sock_filter], data: &Data) -> (u32, usize) {
    let (mut accumulator, mut next, mut steps) = (0u32, 0, 0);
    loop {
        let one = program[next];
        next += 1;
        steps += 1;
        let branch = |holds: bool| usize::from(if holds { one.jt } else { one.jf });
        match one.code {
            0x20 => accumulator = data.word(one.k),
            0x54 => accumulator &= one.k,
            0x06 => return (one.k, steps),
            0x05 => next += one.k as usize,
            0x15 => next += branch(accumulator == one.k),
            0x25 => next += branch(accumulator > one.k),
            0x35 => next += branch(accumulator >= one.k),
            other => panic!("code {other:#x}"),
        }
    }
}

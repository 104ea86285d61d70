//! An assembler for classic BPF: instructions with labels, jumps resolved at the end.

use crate::error::{Error, Result};
use crate::sys::credentials::Instruction;

/// A place in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// What a jump compares the accumulator by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
}

/// The longest program that the kernel takes.
const LONGEST: usize = 4096;

/// A program while it is written.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    instructions: Vec<Draft>,
    /// The index of the instruction at each label.
    places: Vec<Option<usize>>,
}

#[derive(Debug, Clone, Copy)]
enum Draft {
    Plain(u16, u32),
    Branch(u16, u32, Label, Label),
    Jump(Label),
}

impl Assembler {
    /// A label that is placed later.
    pub(crate) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// Places a label at the next instruction.
    pub(crate) fn place(&mut self, label: Label) {
        self.places[label.0] = Some(self.instructions.len());
    }

    /// Loads a word of struct seccomp_data.
    pub(crate) fn load(&mut self, offset: u32) {
        self.instructions.push(Draft::Plain(
            (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16,
            offset,
        ));
    }

    /// Keeps only the bits of the mask.
    pub(crate) fn and(&mut self, mask: u32) {
        self.instructions.push(Draft::Plain(
            (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16,
            mask,
        ));
    }

    /// Ends with an action.
    pub(crate) fn end(&mut self, action: u32) {
        self.instructions
            .push(Draft::Plain((libc::BPF_RET | libc::BPF_K) as u16, action));
    }

    /// Goes to one of two labels.
    pub(crate) fn branch(&mut self, test: Test, operand: u32, yes: Label, no: Label) {
        let test = match test {
            Test::Equal => libc::BPF_JEQ,
            Test::Greater => libc::BPF_JGT,
            Test::GreaterOrEqual => libc::BPF_JGE,
        };
        self.instructions.push(Draft::Branch(
            (libc::BPF_JMP | test | libc::BPF_K) as u16,
            operand,
            yes,
            no,
        ));
    }

    /// Goes to a label, however far.
    pub(crate) fn jump(&mut self, label: Label) {
        self.instructions.push(Draft::Jump(label));
    }

    /// The finished program.
    pub(crate) fn finish(self) -> Result<Vec<Instruction>> {
        if self.instructions.len() > LONGEST {
            return Err(Error::new(format!(
                "{} instructions are more than the kernel takes",
                self.instructions.len()
            )));
        }
        let distance = |label: Label, from: usize| {
            let place =
                self.places[label.0].ok_or_else(|| Error::new("a label was never placed"))?;
            place
                .checked_sub(from + 1)
                .ok_or_else(|| Error::new("a jump goes backwards"))
        };
        let short = |label: Label, from: usize| {
            u8::try_from(distance(label, from)?).map_err(|_| Error::new("a branch is too long"))
        };
        let mut program = Vec::with_capacity(self.instructions.len());
        for (index, draft) in self.instructions.iter().enumerate() {
            program.push(match *draft {
                Draft::Plain(code, operand) => Instruction {
                    code,
                    jump_true: 0,
                    jump_false: 0,
                    operand,
                },
                Draft::Branch(code, operand, yes, no) => Instruction {
                    code,
                    jump_true: short(yes, index)?,
                    jump_false: short(no, index)?,
                    operand,
                },
                Draft::Jump(label) => Instruction {
                    code: (libc::BPF_JMP | libc::BPF_JA) as u16,
                    jump_true: 0,
                    jump_false: 0,
                    operand: distance(label, index)? as u32,
                },
            });
        }
        Ok(program)
    }
}

/// Runs a program on the data of one system call, as the kernel would.
#[cfg(test)]
pub(crate) fn interpret(
    program: &[Instruction],
    number: u32,
    architecture: u32,
    arguments: [u64; 6],
) -> u32 {
    let mut data = Vec::new();
    data.extend(number.to_le_bytes());
    data.extend(architecture.to_le_bytes());
    data.extend(0u64.to_le_bytes());
    arguments
        .iter()
        .for_each(|argument| data.extend(argument.to_le_bytes()));
    let mut accumulator = 0u32;
    let mut next = 0;
    loop {
        let instruction = program[next];
        next += 1;
        let operand = instruction.operand;
        let branch = |holds: bool| {
            usize::from(if holds {
                instruction.jump_true
            } else {
                instruction.jump_false
            })
        };
        match u32::from(instruction.code) {
            0x20 => {
                accumulator = u32::from_le_bytes(
                    data[operand as usize..operand as usize + 4]
                        .try_into()
                        .unwrap(),
                )
            }
            0x54 => accumulator &= operand,
            0x06 => return operand,
            0x05 => next += operand as usize,
            0x15 => next += branch(accumulator == operand),
            0x25 => next += branch(accumulator > operand),
            0x35 => next += branch(accumulator >= operand),
            other => panic!("code {other:#x}"),
        }
    }
}

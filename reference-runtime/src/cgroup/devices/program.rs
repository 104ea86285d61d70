//! The list of device rules as an eBPF program, which is how cgroup version 2 has it.
//!
//! The kernel hands the program the type of the device, the access that is asked for, and the
//! numbers; 1 allows, 0 denies. For every access that is asked for (read, write, mknod) the last
//! rule that speaks of it decides, so that the rules are looked at from the last to the first with
//! what is still undecided in a register. What no rule speaks of is allowed, as in a new group of
//! version 1: the programs of the groups above are asked as well.

use super::Rule;
use crate::sys::bpf::Instruction;

// Operations, by the kernel's encoding: class, width and source in one byte.
/// `destination = *(u32 *)(source + offset)`
const LOAD: u8 = 0x61;
/// `destination = immediate`
const SET: u8 = 0xb7;
/// `destination = source`, 32 bits
const COPY: u8 = 0xbc;
/// `destination &= immediate`, 32 bits
const AND: u8 = 0x54;
/// `destination >>= immediate`, 32 bits
const SHIFT_RIGHT: u8 = 0x74;
/// `if destination == immediate goto offset`, 32 bits
const JUMP_EQUAL: u8 = 0x16;
/// `if destination != immediate goto offset`, 32 bits
const JUMP_NOT_EQUAL: u8 = 0x56;
const EXIT: u8 = 0x95;

/// What the program returns.
const VERDICT: u8 = 0;
/// Where the kernel hands over the request: `struct bpf_cgroup_dev_ctx`.
const REQUEST: u8 = 1;
const TYPE: u8 = 2;
/// What is asked for and not decided yet.
const UNDECIDED: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

const TYPE_BLOCK: i32 = 1;
const TYPE_CHARACTER: i32 = 2;
const ACCESS_MKNOD: i32 = 1;
const ACCESS_READ: i32 = 2;
const ACCESS_WRITE: i32 = 4;
const ACCESS_ALL: i32 = ACCESS_MKNOD | ACCESS_READ | ACCESS_WRITE;

/// Compiles the list.
pub(super) fn compile(rules: &[Rule]) -> Vec<Instruction> {
    let mut program = vec![
        load(TYPE, 0),
        copy(UNDECIDED, TYPE),
        operate(AND, TYPE, 0xffff),
        operate(SHIFT_RIGHT, UNDECIDED, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    for rule in rules.iter().rev() {
        append(&mut program, rule);
        if rule.decides_everything() {
            // Nothing comes after it: what the rules before it say is overruled.
            return program;
        }
    }
    program.extend(verdict(true));
    program
}

impl Rule {
    fn decides_everything(&self) -> bool {
        self.kind == 'a'
            && self.major.is_none()
            && self.minor.is_none()
            && self.access_mask() == ACCESS_ALL
    }

    fn access_mask(&self) -> i32 {
        let bit = |letter| match letter {
            'm' => ACCESS_MKNOD,
            'r' => ACCESS_READ,
            'w' => ACCESS_WRITE,
            _ => 0,
        };
        self.access.chars().map(bit).fold(0, |mask, bit| mask | bit)
    }
}

fn append(program: &mut Vec<Instruction>, rule: &Rule) {
    let start = program.len();
    match rule.kind {
        'b' => program.push(unless(TYPE, TYPE_BLOCK)),
        'c' => program.push(unless(TYPE, TYPE_CHARACTER)),
        _ => {}
    }
    for (register, number) in [(MAJOR, rule.major), (MINOR, rule.minor)] {
        if let Some(number) = number {
            // The list has numbers of 32 bits; the bits are compared.
            program.push(unless(register, number as u32 as i32));
        }
    }
    let mask = rule.access_mask();
    if mask == ACCESS_ALL {
        program.extend(verdict(rule.allow));
    } else if rule.allow {
        program.push(operate(AND, UNDECIDED, !mask));
        program.push(unless(UNDECIDED, 0));
        program.extend(verdict(true));
    } else {
        program.push(copy(VERDICT, UNDECIDED));
        program.push(operate(AND, VERDICT, mask));
        program.push(operate(JUMP_EQUAL, VERDICT, 0));
        program.extend(verdict(false));
    }
    let end = program.len();
    // All jumps of a rule lead to the next one.
    for (place, instruction) in program.iter_mut().enumerate().skip(start) {
        if matches!(instruction.opcode, JUMP_EQUAL | JUMP_NOT_EQUAL) {
            instruction.offset = (end - place - 1) as i16;
        }
    }
}

/// Skips the rest of the rule unless the register holds the value; the way is filled in later.
fn unless(register: u8, value: i32) -> Instruction {
    operate(JUMP_NOT_EQUAL, register, value)
}

fn verdict(allow: bool) -> [Instruction; 2] {
    [operate(SET, VERDICT, allow.into()), operate(EXIT, 0, 0)]
}

fn load(register: u8, offset: i16) -> Instruction {
    Instruction {
        offset,
        ..instruction(LOAD, register, REQUEST, 0)
    }
}

fn copy(register: u8, source: u8) -> Instruction {
    instruction(COPY, register, source, 0)
}

fn operate(opcode: u8, register: u8, immediate: i32) -> Instruction {
    instruction(opcode, register, 0, immediate)
}

fn instruction(opcode: u8, destination: u8, source: u8, immediate: i32) -> Instruction {
    Instruction {
        opcode,
        registers: if cfg!(target_endian = "little") {
            destination | source << 4
        } else {
            destination << 4 | source
        },
        offset: 0,
        immediate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the kernel asks: type, accesses, major and minor.
    #[derive(Debug, Clone, Copy)]
    struct Request {
        kind: i32,
        access: i32,
        major: u32,
        minor: u32,
    }

    /// Runs a program as the kernel would, and fails on all that the compiler does not emit, on
    /// registers that were never written, and on jumps backwards or out of the program.
    fn run(program: &[Instruction], request: Request) -> bool {
        let access_type = (request.access as u32) << 16 | request.kind as u32;
        let mut registers: [Option<u64>; 11] = [None; 11];
        let mut next = 0;
        loop {
            let instruction = program[next];
            let destination = usize::from(instruction.registers & 15);
            let source = usize::from(instruction.registers >> 4);
            let read = |register: usize| registers[register].expect("a register that was written");
            next += 1;
            match instruction.opcode {
                LOAD => {
                    assert_eq!(source, usize::from(REQUEST));
                    registers[destination] = Some(match instruction.offset {
                        0 => access_type.into(),
                        4 => request.major.into(),
                        8 => request.minor.into(),
                        other => panic!("a load from {other}"),
                    });
                }
                SET => registers[destination] = Some(instruction.immediate as i64 as u64),
                COPY => registers[destination] = Some(read(source) & 0xffff_ffff),
                AND => {
                    let value = read(destination) as u32 & instruction.immediate as u32;
                    registers[destination] = Some(value.into());
                }
                SHIFT_RIGHT => {
                    let value = (read(destination) as u32) >> instruction.immediate;
                    registers[destination] = Some(value.into());
                }
                JUMP_EQUAL | JUMP_NOT_EQUAL => {
                    let equal = read(destination) as u32 == instruction.immediate as u32;
                    if equal == (instruction.opcode == JUMP_EQUAL) {
                        next += usize::try_from(instruction.offset).expect("a jump forwards");
                    }
                }
                EXIT => return read(0) == 1,
                other => panic!("operation {other:#x}"),
            }
        }
    }

    /// What the list says: for each access the last rule that speaks of it.
    fn model(rules: &[Rule], request: Request) -> bool {
        [ACCESS_MKNOD, ACCESS_READ, ACCESS_WRITE]
            .into_iter()
            .filter(|access| request.access & access != 0)
            .all(|access| {
                let speaks = |rule: &&Rule| {
                    let kind = match rule.kind {
                        'b' => request.kind == TYPE_BLOCK,
                        'c' => request.kind == TYPE_CHARACTER,
                        _ => true,
                    };
                    let is = |number: Option<i64>, asked: u32| {
                        number.is_none_or(|number| number == i64::from(asked))
                    };
                    kind && is(rule.major, request.major)
                        && is(rule.minor, request.minor)
                        && rule.access_mask() & access != 0
                };
                rules
                    .iter()
                    .rev()
                    .find(speaks)
                    .is_none_or(|rule| rule.allow)
            })
    }

    fn rule(allow: bool, kind: char, major: Option<i64>, minor: Option<i64>, access: &str) -> Rule {
        Rule {
            allow,
            kind,
            major,
            minor,
            access: access.to_owned(),
            pointer: String::new(),
        }
    }

    fn a_number() -> impl Strategy<Value = Option<i64>> {
        prop_oneof![
            Just(None),
            (0..3i64).prop_map(Some),
            Just(Some(i64::from(u32::MAX)))
        ]
    }

    fn a_rule() -> impl Strategy<Value = Rule> {
        let access = prop::sample::select(vec!["r", "w", "m", "rw", "rm", "wm", "rwm"]);
        let kind = prop::sample::select(vec!['a', 'b', 'c']);
        (any::<bool>(), kind, a_number(), a_number(), access)
            .prop_map(|(allow, kind, major, minor, access)| rule(allow, kind, major, minor, access))
    }

    proptest! {
        #[test]
        fn the_program_decides_as_the_list_says(rules in prop::collection::vec(a_rule(), 0..12)) {
            let program = compile(&rules);
            for kind in [TYPE_BLOCK, TYPE_CHARACTER] {
                for access in 1..=ACCESS_ALL {
                    for major in [0, 1, 2, 7, u32::MAX] {
                        for minor in [0, 1, 2, 7, u32::MAX] {
                            let request = Request { kind, access, major, minor };
                            prop_assert_eq!(run(&program, request), model(&rules, request), "{:?}", request);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_access_is_denied_if_a_part_of_it_is() {
        let rules = [
            rule(false, 'a', None, None, "rwm"),
            rule(true, 'c', Some(1), None, "rwm"),
            rule(false, 'c', Some(1), Some(3), "w"),
        ];
        let program = compile(&rules);
        let null = |access| Request {
            kind: TYPE_CHARACTER,
            access,
            major: 1,
            minor: 3,
        };
        assert!(run(&program, null(ACCESS_READ)));
        assert!(!run(&program, null(ACCESS_READ | ACCESS_WRITE)));
    }

    #[test]
    fn what_is_overruled_is_left_out() {
        let mut rules = vec![rule(true, 'c', Some(1), Some(3), "rwm"); 100];
        rules.push(rule(false, 'a', None, None, "mrw"));
        assert_eq!(compile(&rules).len(), 6 + 2);
        assert_eq!(compile(&[]).len(), 6 + 2);
    }
}

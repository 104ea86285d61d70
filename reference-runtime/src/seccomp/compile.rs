//! From rules to a program: for each architecture a search tree over the
//! numbers of its system calls, with the conditions at its leaves.

use super::architectures::{Architecture, X32_BIT};
use super::bpf::{Assembler, Label, Test};
use super::{Condition, Operator, Rule};
use crate::error::Result;
use crate::log;
use crate::sys::credentials::Instruction;
use std::collections::BTreeMap;

const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;
const KILL_THREAD: u32 = 0;

/// What happens to one system call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Always(u32),
    /// The first whose conditions all hold, else the default.
    First(Vec<(Vec<Condition>, u32)>),
}

/// Compiles the rules.
pub(crate) fn compile(
    default: u32,
    rules: &[Rule<'_>],
    architectures: &[Architecture],
) -> Result<Vec<Instruction>> {
    let mut assembler = Assembler::default();
    assembler.load(ARCHITECTURE);
    let mut done: Vec<u32> = Vec::new();
    for architecture in architectures {
        let audit = architecture.audit();
        if done.contains(&audit) {
            continue;
        }
        done.push(audit);
        let (here, there, next) = (assembler.label(), assembler.label(), assembler.label());
        assembler.branch(Test::Equal, audit, here, there);
        // The next architecture may be too far for a branch.
        assembler.place(there);
        assembler.jump(next);
        assembler.place(here);
        assembler.load(NUMBER);
        let ranges = ranges(default, rules, *architecture, architectures);
        search(&mut assembler, &ranges, default, architecture.is_narrow());
        assembler.place(next);
    }
    // Whoever comes from an architecture without rules could get around those of the others.
    assembler.end(KILL_THREAD);
    assembler.finish()
}

/// Contiguous numbers with one outcome: the first number of each, in order, covering all numbers.
fn ranges(
    default: u32,
    rules: &[Rule<'_>],
    architecture: Architecture,
    all: &[Architecture],
) -> Vec<(u32, Outcome)> {
    let mut outcomes = outcomes(rules, architecture);
    let mut ranges: Vec<(u32, Outcome)> = Vec::new();
    let mut push = |start: u32, outcome: Outcome| {
        if ranges.last().is_none_or(|(_, last)| *last != outcome) {
            ranges.push((start, outcome));
        }
    };
    let x32 = architecture == Architecture::X86_64;
    if x32 && all.contains(&Architecture::X32) {
        outcomes.extend(self::outcomes(rules, Architecture::X32));
    }
    let mut next = 0u64;
    for (number, outcome) in outcomes {
        if u64::from(number) > next {
            push(next as u32, Outcome::Always(default));
        }
        push(number, outcome);
        next = u64::from(number) + 1;
    }
    push(next as u32, Outcome::Always(default));
    if x32 && !all.contains(&Architecture::X32) {
        push(X32_BIT, Outcome::Always(KILL_THREAD));
        // -1 is no system call: a tracer sets it to skip one.
        push(u32::MAX, Outcome::Always(default));
    }
    ranges
}

/// The outcome of each system call that a rule names. A rule without conditions
/// settles it, wherever it stands, as libseccomp has it.
fn outcomes(rules: &[Rule<'_>], architecture: Architecture) -> BTreeMap<u32, Outcome> {
    let numbers = architecture.numbers();
    let mut outcomes: BTreeMap<u32, Outcome> = BTreeMap::new();
    let mut add = |number: u32, conditions: &[Condition], action: u32| {
        let outcome = outcomes
            .entry(number)
            .or_insert_with(|| Outcome::First(Vec::new()));
        match outcome {
            Outcome::Always(_) => {}
            Outcome::First(_) if conditions.is_empty() => *outcome = Outcome::Always(action),
            Outcome::First(list) => list.push((conditions.to_vec(), action)),
        }
    };
    for rule in rules {
        for name in &rule.names {
            let number = numbers.get(name);
            if let Some(&number) = number {
                add(number, &rule.conditions, rule.action);
            }
            match architecture.multiplexed(name) {
                // The arguments are behind a pointer, so that only the whole function can be matched.
                Some((multiplexer, function)) if rule.conditions.is_empty() => {
                    let is_function = Condition {
                        index: 0,
                        operator: Operator::Equal,
                        value: function,
                        second: 0,
                    };
                    if let Some(&number) = numbers.get(multiplexer) {
                        add(number, &[is_function], rule.action);
                    }
                }
                Some(_) => {}
                None if number.is_none() => {
                    log::debug(&format!(
                        "/linux/seccomp/syscalls: {name:?} is no system call of {architecture:?}"
                    ));
                }
                None => {}
            }
        }
    }
    outcomes
}

/// A binary search over the ranges; the accumulator holds the number.
fn search(assembler: &mut Assembler, ranges: &[(u32, Outcome)], default: u32, narrow: bool) {
    let Some((middle, _)) = ranges.get(ranges.len() / 2).filter(|_| ranges.len() > 1) else {
        if let Some((_, outcome)) = ranges.first() {
            leaf(assembler, outcome, default, narrow);
        }
        return;
    };
    let (low, high, far) = (assembler.label(), assembler.label(), assembler.label());
    assembler.branch(Test::GreaterOrEqual, *middle, far, low);
    assembler.place(far);
    assembler.jump(high);
    assembler.place(low);
    let (below, above) = ranges.split_at(ranges.len() / 2);
    search(assembler, below, default, narrow);
    assembler.place(high);
    search(assembler, above, default, narrow);
}

fn leaf(assembler: &mut Assembler, outcome: &Outcome, default: u32, narrow: bool) {
    match outcome {
        Outcome::Always(action) => assembler.end(*action),
        Outcome::First(list) => {
            for (conditions, action) in list {
                let other = assembler.label();
                for condition in conditions {
                    let holds = assembler.label();
                    test(assembler, condition, holds, other, narrow);
                    assembler.place(holds);
                }
                assembler.end(*action);
                assembler.place(other);
            }
            assembler.end(default);
        }
    }
}

/// Compares one argument of 64 bits, or of 32 on a narrow architecture.
fn test(assembler: &mut Assembler, condition: &Condition, yes: Label, no: Label, narrow: bool) {
    let (low, high) = (
        ARGUMENTS + 8 * condition.index,
        ARGUMENTS + 8 * condition.index + 4,
    );
    let halves = |value: u64| ((value >> 32) as u32, value as u32);
    let (wanted_high, wanted_low) = halves(match condition.operator {
        Operator::MaskedEqual => condition.second,
        _ => condition.value,
    });
    let (mask_high, mask_low) = halves(condition.value);
    if !narrow {
        let next = assembler.label();
        assembler.load(high);
        match condition.operator {
            Operator::Equal => assembler.branch(Test::Equal, wanted_high, next, no),
            Operator::NotEqual => assembler.branch(Test::Equal, wanted_high, next, yes),
            Operator::MaskedEqual => {
                assembler.and(mask_high);
                assembler.branch(Test::Equal, wanted_high, next, no);
            }
            Operator::Greater | Operator::GreaterOrEqual => {
                decide_by_high(assembler, wanted_high, yes, no, next)
            }
            Operator::Less | Operator::LessOrEqual => {
                decide_by_high(assembler, wanted_high, no, yes, next)
            }
        }
        assembler.place(next);
    }
    assembler.load(low);
    match condition.operator {
        Operator::Equal => assembler.branch(Test::Equal, wanted_low, yes, no),
        Operator::NotEqual => assembler.branch(Test::Equal, wanted_low, no, yes),
        Operator::MaskedEqual => {
            assembler.and(mask_low);
            assembler.branch(Test::Equal, wanted_low, yes, no);
        }
        Operator::Greater => assembler.branch(Test::Greater, wanted_low, yes, no),
        Operator::GreaterOrEqual => assembler.branch(Test::GreaterOrEqual, wanted_low, yes, no),
        Operator::Less => assembler.branch(Test::GreaterOrEqual, wanted_low, no, yes),
        Operator::LessOrEqual => assembler.branch(Test::Greater, wanted_low, no, yes),
    }
}

/// A greater or a smaller high half decides; an equal one leaves it to the low half.
fn decide_by_high(
    assembler: &mut Assembler,
    wanted: u32,
    greater: Label,
    smaller: Label,
    equal: Label,
) {
    let not_greater = assembler.label();
    assembler.branch(Test::Greater, wanted, greater, not_greater);
    assembler.place(not_greater);
    assembler.branch(Test::Equal, wanted, equal, smaller);
}

#[cfg(test)]
mod tests {
    use super::super::bpf::interpret;
    use super::*;

    const ALLOW: u32 = 0x7fff_0000;
    const DENY: u32 = 0x0005_0001;
    const X86_64: u32 = 0xc000_003e;
    const X86: u32 = 0x4000_0003;

    fn condition(index: u32, operator: Operator, value: u64, second: u64) -> Condition {
        Condition {
            index,
            operator,
            value,
            second,
        }
    }

    fn rule(name: &str, action: u32, conditions: &[Condition]) -> Rule<'static> {
        Rule {
            names: vec![String::leak(name.to_owned())],
            action,
            conditions: conditions.to_vec(),
        }
    }

    fn program(
        default: u32,
        rules: &[Rule<'_>],
        architectures: &[Architecture],
    ) -> Vec<Instruction> {
        compile(default, rules, architectures).unwrap()
    }

    #[test]
    fn every_number_of_every_architecture_has_its_outcome() {
        let all = [Architecture::X86_64, Architecture::X86, Architecture::X32];
        let names = [
            "read", "close", "execve", "getpid", "pwritev2", "clone3", "socket",
        ];
        let rules: Vec<Rule<'_>> = names.iter().map(|name| rule(name, ALLOW, &[])).collect();
        let program = program(DENY, &rules, &all);
        for (architecture, offsets) in [
            (Architecture::X86_64, 0..700),
            (Architecture::X86, 0..700),
            (Architecture::X32, X32_BIT..X32_BIT + 700),
        ] {
            let allowed: Vec<u32> = names
                .iter()
                .filter_map(|name| architecture.numbers().get(name).copied())
                .collect();
            for number in offsets {
                if architecture == Architecture::X86 && number == 102 {
                    continue;
                }
                let expected = if allowed.contains(&number) {
                    ALLOW
                } else {
                    DENY
                };
                assert_eq!(
                    interpret(&program, number, architecture.audit(), [0; 6]),
                    expected,
                    "{architecture:?} {number}"
                );
            }
        }
        assert_eq!(interpret(&program, 0, 0x1234, [0; 6]), KILL_THREAD);
        assert_eq!(interpret(&program, u32::MAX, X86_64, [0; 6]), DENY);
    }

    #[test]
    fn x32_is_killed_unless_it_is_listed() {
        let program = program(ALLOW, &[rule("read", DENY, &[])], &[Architecture::X86_64]);
        assert_eq!(interpret(&program, X32_BIT, X86_64, [0; 6]), KILL_THREAD);
        assert_eq!(
            interpret(&program, X32_BIT + 1000, X86_64, [0; 6]),
            KILL_THREAD
        );
        assert_eq!(
            interpret(&program, u32::MAX - 1, X86_64, [0; 6]),
            KILL_THREAD
        );
        assert_eq!(interpret(&program, u32::MAX, X86_64, [0; 6]), ALLOW);
        assert_eq!(interpret(&program, X32_BIT - 1, X86_64, [0; 6]), ALLOW);
        assert_eq!(interpret(&program, 0, X86_64, [0; 6]), DENY);
        assert_eq!(interpret(&program, 0, X86, [0; 6]), KILL_THREAD);
    }

    #[test]
    fn operators_compare_all_64_bits() {
        let values = [
            0,
            1,
            5,
            0xffff_ffff,
            0x1_0000_0000,
            0x1_0000_0005,
            0x5_0000_0001,
            u64::MAX,
        ];
        type Comparison = fn(u64, u64) -> bool;
        let operators: [(Operator, Comparison); 6] = [
            (Operator::Equal, |a, b| a == b),
            (Operator::NotEqual, |a, b| a != b),
            (Operator::Less, |a, b| a < b),
            (Operator::LessOrEqual, |a, b| a <= b),
            (Operator::Greater, |a, b| a > b),
            (Operator::GreaterOrEqual, |a, b| a >= b),
        ];
        for (operator, holds) in operators {
            for wanted in values {
                let rules = [rule("read", DENY, &[condition(2, operator, wanted, 0)])];
                let program = program(ALLOW, &rules, &[Architecture::X86_64]);
                for value in values {
                    let expected = if holds(value, wanted) { DENY } else { ALLOW };
                    let found = interpret(&program, 0, X86_64, [7, 7, value, 7, 7, 7]);
                    assert_eq!(found, expected, "{value:#x} {operator:?} {wanted:#x}");
                }
            }
        }
    }

    #[test]
    fn masks_conjunctions_and_alternatives() {
        let masked = condition(0, Operator::MaskedEqual, 0xf_0000_000f, 0x1_0000_0002);
        let program = program(
            ALLOW,
            &[
                rule("read", DENY, &[masked, condition(1, Operator::Equal, 3, 0)]),
                rule("read", KILL_THREAD, &[condition(1, Operator::Equal, 4, 0)]),
            ],
            &[Architecture::X86_64],
        );
        let run =
            |first: u64, second: u64| interpret(&program, 0, X86_64, [first, second, 0, 0, 0, 0]);
        assert_eq!(run(0xff1_0000_0ff2, 3), DENY);
        assert_eq!(run(0xff1_0000_0ff3, 3), ALLOW);
        assert_eq!(run(0xff1_0000_0ff2, 2), ALLOW);
        assert_eq!(run(0xff1_0000_0ff2, 4), KILL_THREAD);
    }

    #[test]
    fn a_rule_without_conditions_settles_it() {
        let conditional = rule("read", DENY, &[condition(0, Operator::Equal, 1, 0)]);
        for rules in [
            [conditional.clone(), rule("read", ALLOW, &[])],
            [rule("read", ALLOW, &[]), conditional],
        ] {
            let program = program(KILL_THREAD, &rules, &[Architecture::X86_64]);
            assert_eq!(interpret(&program, 0, X86_64, [1, 0, 0, 0, 0, 0]), ALLOW);
        }
    }

    #[test]
    fn narrow_architectures_have_narrow_arguments_and_multiplexers() {
        let rules = [
            rule("read", DENY, &[condition(0, Operator::Equal, u64::MAX, 0)]),
            rule("socket", DENY, &[]),
        ];
        let program = program(ALLOW, &rules, &[Architecture::X86_64, Architecture::X86]);
        assert_eq!(
            interpret(&program, 3, X86, [0xffff_ffff, 0, 0, 0, 0, 0]),
            DENY
        );
        assert_eq!(interpret(&program, 102, X86, [1, 0, 0, 0, 0, 0]), DENY);
        assert_eq!(interpret(&program, 102, X86, [2, 0, 0, 0, 0, 0]), ALLOW);
        assert_eq!(interpret(&program, 359, X86, [0; 6]), DENY);
    }

    #[test]
    fn a_large_profile_stays_small() {
        let numbers = Architecture::X86_64.numbers();
        let mut names: Vec<&&str> = numbers.keys().collect();
        names.sort();
        let rules: Vec<Rule<'_>> = names
            .iter()
            .step_by(2)
            .map(|name| rule(name, ALLOW, &[]))
            .collect();
        let all = [Architecture::X86_64, Architecture::X86, Architecture::X32];
        let length = program(DENY, &rules, &all).len();
        assert!(length < 4096, "{length}");
    }
}

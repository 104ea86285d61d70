//! The compiler against a model of what rules mean, which knows nothing of programs: for every
//! architecture, generated rules, numbers next to those named, and arguments at the boundaries.

use super::architectures::{Architecture, Call, NAMES, X32_BIT};
use super::compile::{KILL_THREAD, compile};
use super::interpreter::{Data, interpret};
use super::rule::{Condition, Operator, Rule};
use proptest::prelude::*;

pub(super) const ALLOW: u32 = 0x7fff_0000;
pub(super) const ERRNO: u32 = 0x0005_0001;
const TRAP: u32 = 0x0003_0000;

/// Calls that are in all tables, in some, multiplexed, and in none.
pub(super) const CALLS: &[&str] = &[
    "read",
    "write",
    "close",
    "openat",
    "execve",
    "clone",
    "clone3",
    "socket",
    "accept4",
    "sendto",
    "shmat",
    "semtimedop",
    "personality",
    "ioctl",
    "mmap",
    "mmap2",
    "fstat64",
    "arch_prctl",
    "set_tls",
    "cacheflush",
    "riscv_flush_icache",
    "socketcall",
    "ipc",
    "futex_waitv",
];

/// What the rules say of one call.
fn verdict(default: u32, rules: &[Rule<'_>], all: &[Architecture], data: &Data) -> u32 {
    let x32 = data.architecture == Architecture::X32.audit()
        && data.number & X32_BIT != 0
        && data.number != u32::MAX;
    let Some(&architecture) = all
        .iter()
        .find(|one| one.audit() == data.architecture && (**one == Architecture::X32) == x32)
    else {
        return KILL_THREAD;
    };
    let mut found = Vec::new();
    for rule in rules.iter().filter(|rule| rule.action != default) {
        for name in &rule.names {
            if architecture.number(&Call::named(name)) == Some(data.number) {
                found.push((
                    rule.conditions.is_empty(),
                    holds(rule, architecture, data),
                    rule,
                ));
            }
            if let Some((number, function)) = architecture.multiplexed(&Call::named(name))
                && number == data.number
                && rule.conditions.is_empty()
            {
                found.push((false, argument(architecture, data, 0) == function, rule));
            }
        }
    }
    let settled = found.iter().find(|(always, _, _)| *always);
    settled
        .or_else(|| found.iter().find(|(_, holds, _)| *holds))
        .map_or(default, |(_, _, rule)| rule.action)
}

fn argument(architecture: Architecture, data: &Data, index: u32) -> u64 {
    width(architecture, data.arguments[index as usize])
}

fn width(architecture: Architecture, value: u64) -> u64 {
    if architecture.is_narrow() {
        value & 0xffff_ffff
    } else {
        value
    }
}

fn holds(rule: &Rule<'_>, architecture: Architecture, data: &Data) -> bool {
    let one = |condition: &Condition| {
        let found = argument(architecture, data, condition.index);
        let value = width(architecture, condition.value);
        match condition.operator {
            Operator::Equal => found == value,
            Operator::NotEqual => found != value,
            Operator::Less => found < value,
            Operator::LessOrEqual => found <= value,
            Operator::Greater => found > value,
            Operator::GreaterOrEqual => found >= value,
            Operator::MaskedEqual => found & value == width(architecture, condition.second) & value,
        }
    };
    let repeated = rule
        .conditions
        .iter()
        .enumerate()
        .any(|(place, condition)| {
            rule.conditions[..place]
                .iter()
                .any(|earlier| earlier.index == condition.index)
        });
    if repeated {
        rule.conditions.iter().any(one)
    } else {
        rule.conditions.iter().all(one)
    }
}

/// Values around which comparisons of halves can go wrong.
pub(super) const BOUNDARIES: &[u64] = &[
    0,
    1,
    2,
    9,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0001,
    0x2_0000_0000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX - 1,
    u64::MAX,
];

pub(super) fn conditions(most: usize) -> impl Strategy<Value = Vec<Condition>> {
    let operator = prop::sample::select(vec![
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
        Operator::MaskedEqual,
    ]);
    let value = || prop::sample::select(BOUNDARIES);
    let condition =
        (0..6u32, operator, value(), value()).prop_map(|(index, operator, value, second)| {
            Condition {
                index,
                operator,
                value,
                second,
            }
        });
    prop::collection::vec(condition, 0..=most)
}

fn rules() -> impl Strategy<Value = Vec<Rule<'static>>> {
    let names = prop::collection::vec(prop::sample::select(CALLS), 1..6);
    let action = prop::sample::select(vec![ALLOW, ERRNO, TRAP]);
    let rule = (names, action, conditions(4)).prop_map(|(names, action, conditions)| Rule {
        names,
        action,
        conditions,
    });
    prop::collection::vec(rule, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn programs_do_what_the_rules_say(
        rules in rules(),
        default in prop::sample::select(vec![ALLOW, ERRNO]),
        chosen in prop::sample::subsequence(NAMES, 1..=4),
        arguments in prop::collection::vec(prop::array::uniform6(prop::sample::select(BOUNDARIES)), 24),
    ) {
        let all: Vec<Architecture> = chosen.iter().map(|(_, one)| *one).collect();
        // x32 never comes without the architecture that has it.
        prop_assume!(!all.contains(&Architecture::X32) || all.contains(&Architecture::X86_64));
        let program = compile(default, &rules, &all).unwrap();
        for (_, architecture) in NAMES {
            let named = CALLS.iter().filter_map(|name| architecture.number(&Call::named(name)));
            let edges = [0, 1000, X32_BIT - 1, X32_BIT, X32_BIT + 1000, u32::MAX - 1, u32::MAX];
            let numbers = named.flat_map(|number| [number.wrapping_sub(1), number, number + 1]);
            for number in numbers.chain(edges) {
                for arguments in &arguments {
                    let data = Data::new(*architecture, number, *arguments);
                    prop_assert_eq!(
                        interpret(&program, &data).0,
                        verdict(default, &rules, &all, &data),
                        "{:?} {:?} in {:?}", architecture, data, program
                    );
                }
            }
        }
    }
}

/// A verdict of its own for every call, so that no two can share a range.
fn a_rule_each() -> Vec<Rule<'static>> {
    super::numbers::NUMBERS
        .iter()
        .enumerate()
        .map(|(index, (name, _))| Rule {
            names: vec![name],
            action: 0x0005_0000 | (index as u32 + 2),
            conditions: Vec::new(),
        })
        .collect()
}

#[test]
fn a_search_takes_the_logarithm_of_the_number_of_calls() {
    let rules = a_rule_each();
    let all = [Architecture::X86_64, Architecture::X86, Architecture::X32];
    let program = compile(ALLOW, &rules, &all).unwrap();
    // About 800 ranges for x86_64 with x32: ten halvings, some over a distance that takes a jump,
    // after two loads and a test for each architecture.
    for number in 0..=1024 {
        let data = Data::new(Architecture::X86_64, number, [0; 6]);
        let (action, steps) = interpret(&program, &data);
        assert_eq!(
            action,
            verdict(ALLOW, &rules, &all, &data),
            "{number} of {}",
            program.len()
        );
        assert!(steps <= 26, "{number}: {steps} of {}", program.len());
    }
    assert!(program.len() > 1000, "no jump is far: {}", program.len());
}

#[test]
fn a_program_that_the_kernel_would_not_take_is_an_error() {
    let conditions: Vec<Condition> = (0..6)
        .map(|index| Condition {
            index,
            operator: Operator::Greater,
            value: 0x1234_5678_9abc_def0 + u64::from(index),
            second: 0,
        })
        .collect();
    let mut rules = a_rule_each();
    for (index, rule) in rules.iter_mut().enumerate() {
        rule.conditions = conditions.clone();
        for condition in &mut rule.conditions {
            condition.value += index as u64;
        }
    }
    let length = compile(ALLOW, &rules, &[Architecture::X86_64]).unwrap_err();
    assert!(length > 4096, "{length}");
}

//! The compiler against libseccomp: the same verdict for every architecture that the installed
//! library knows and every number, and for arguments at the boundaries of the rules.

use super::against_model::{ALLOW, BOUNDARIES, CALLS, ERRNO, conditions};
use super::architectures::{Architecture, Call, NAMES, X32_BIT};
use super::compile::compile;
use super::interpreter::{Data, interpret};
use super::rule::{Condition, Operator, Rule};
use super::{plan_action, plan_rule};
use crate::document::Node;
use libseccomp::{
    ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall,
};
use proptest::prelude::*;
use std::io::Read;
use std::path::Path;

/// Architectures that can be in one filter of the library: they share a byte order.
const GROUPS: &[&[Architecture]] = {
    use Architecture::*;
    &[
        &[X86_64, X86, X32],
        &[X86_64],
        &[X86_64, X86],
        &[Aarch64, Arm],
        &[Mips, Mips64, Mips64N32],
        &[Mipsel, Mipsel64, Mipsel64N32],
        &[Parisc, Parisc64],
        &[Ppc, Ppc64],
        &[Ppc64Le],
        &[Riscv64],
        &[S390, S390X],
        &[Loongarch64],
        &[M68k],
        &[Sh],
        &[Sheb],
    ]
};

fn theirs(architecture: Architecture) -> Option<ScmpArch> {
    let name = NAMES.iter().find(|(_, one)| *one == architecture)?.0;
    let theirs = name.parse().ok()?;
    // The crate has names that an older library does not.
    ScmpSyscall::from_name_by_arch("read", theirs).ok()?;
    ScmpFilterContext::new(ScmpAction::Allow)
        .ok()?
        .is_arch_present(theirs)
        .ok()?;
    Some(theirs)
}

fn action(raw: u32) -> ScmpAction {
    match raw & 0xffff_0000 {
        0x7fff_0000 => ScmpAction::Allow,
        0x0005_0000 => ScmpAction::Errno((raw & 0xffff) as i32),
        0x8000_0000 => ScmpAction::KillProcess,
        0x0000_0000 => ScmpAction::KillThread,
        0x7ffc_0000 => ScmpAction::Log,
        0x7fc0_0000 => ScmpAction::Notify,
        0x7ff0_0000 => ScmpAction::Trace((raw & 0xffff) as u16),
        0x0003_0000 => ScmpAction::Trap,
        other => panic!("{other:#x}"),
    }
}

fn comparison(condition: &Condition) -> ScmpArgCompare {
    let (operator, datum) = match condition.operator {
        Operator::Equal => (ScmpCompareOp::Equal, condition.value),
        Operator::NotEqual => (ScmpCompareOp::NotEqual, condition.value),
        Operator::Less => (ScmpCompareOp::Less, condition.value),
        Operator::LessOrEqual => (ScmpCompareOp::LessOrEqual, condition.value),
        Operator::Greater => (ScmpCompareOp::Greater, condition.value),
        Operator::GreaterOrEqual => (ScmpCompareOp::GreaterEqual, condition.value),
        Operator::MaskedEqual => (
            ScmpCompareOp::MaskedEqual(condition.value),
            condition.second,
        ),
    };
    ScmpArgCompare::new(condition.index, operator, datum)
}

/// The library's program, with the rules given to it as runtimes do.
fn library(default: u32, rules: &[Rule<'_>], all: &[Architecture]) -> Vec<libc::sock_filter> {
    let mut filter = ScmpFilterContext::new(action(default)).unwrap();
    if !all.contains(&Architecture::X86_64) {
        filter.remove_arch(ScmpArch::X8664).unwrap();
    }
    for architecture in all {
        filter.add_arch(theirs(*architecture).unwrap()).unwrap();
    }
    for rule in rules.iter().filter(|rule| rule.action != default) {
        for name in &rule.names {
            let call = ScmpSyscall::from_name(name).unwrap();
            for conditions in rule.alternatives() {
                let comparisons: Vec<_> = conditions.iter().map(comparison).collect();
                filter
                    .add_rule_conditional(action(rule.action), call, &comparisons)
                    .unwrap_or_else(|error| panic!("{name} {conditions:?}: {error}"));
            }
        }
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    filter.export_bpf(&writer).unwrap();
    drop(writer);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    let big_endian = all[0].is_big_endian();
    bytes
        .chunks_exact(8)
        .map(|one| {
            let (code, operand) = ([one[0], one[1]], [one[4], one[5], one[6], one[7]]);
            libc::sock_filter {
                code: if big_endian {
                    u16::from_be_bytes(code)
                } else {
                    u16::from_le_bytes(code)
                },
                jt: one[2],
                jf: one[3],
                k: operand_of(code, operand, big_endian),
            }
        })
        .collect()
}

/// The library leaves some actions of a big-endian program in the byte order of this machine.
fn operand_of(code: [u8; 2], operand: [u8; 4], big_endian: bool) -> u32 {
    const ACTIONS: [u32; 7] = [
        0x8000_0000,
        0x0003_0000,
        0x0005_0000,
        0x7fc0_0000,
        0x7ff0_0000,
        0x7ffc_0000,
        0x7fff_0000,
    ];
    let (big, little) = (u32::from_be_bytes(operand), u32::from_le_bytes(operand));
    let is_action = |value: u32| ACTIONS.contains(&(value & 0xffff_0000));
    let returns = u16::from_be_bytes(code) == 0x06;
    if !big_endian || returns && !is_action(big) && is_action(little) {
        little
    } else {
        big
    }
}

/// Every number that a table could have, and those at the edges.
fn numbers() -> impl Iterator<Item = u32> {
    let bases = [0, 4000, 5000, 6000, 0xf_0000, X32_BIT];
    let edges = [
        X32_BIT - 1,
        X32_BIT + 4096,
        0x7fff_ffff,
        0x8000_0000,
        u32::MAX - 1,
        u32::MAX,
    ];
    bases
        .into_iter()
        .flat_map(|base| base..=base + 1024)
        .chain(edges)
}

/// Arguments at the boundaries of the conditions: each value, and its neighbours, for each argument,
/// among others that fit and that do not.
fn arguments(rules: &[Rule<'_>]) -> Vec<[u64; 6]> {
    let mut values: Vec<u64> = vec![0, 1, u64::MAX];
    for condition in rules.iter().flat_map(|rule| &rule.conditions) {
        for value in [condition.value, condition.second] {
            values.extend([
                value.wrapping_sub(1),
                value,
                value.wrapping_add(1),
                value ^ (1 << 32),
            ]);
        }
    }
    values.sort_unstable();
    values.dedup();
    let mut all = Vec::new();
    for value in &values {
        all.push([*value; 6]);
        for index in 0..6 {
            for other in values.iter().step_by(7) {
                let mut one = [*other; 6];
                one[index] = *value;
                all.push(one);
            }
        }
    }
    all
}

fn assert_same(default: u32, rules: &[Rule<'_>]) {
    // What the library has never heard of it cannot be asked for.
    let rules = only(rules, |name| ScmpSyscall::from_name(name).is_ok());
    for all in GROUPS {
        assert_same_for(all, default, &rules);
    }
}

fn only<'a>(rules: &[Rule<'a>], wanted: impl Fn(&str) -> bool) -> Vec<Rule<'a>> {
    let kept = |rule: &Rule<'a>| Rule {
        names: rule
            .names
            .iter()
            .copied()
            .filter(|name| wanted(name))
            .collect(),
        ..rule.clone()
    };
    rules.iter().map(kept).collect()
}

/// Nothing is compared where the library does not know the architectures.
fn assert_same_for(all: &[Architecture], default: u32, rules: &[Rule<'_>]) {
    if all.iter().any(|one| theirs(*one).is_none()) {
        return;
    }
    let conditional: Vec<&str> = rules
        .iter()
        .filter(|rule| !rule.conditions.is_empty())
        .flat_map(|rule| rule.names.iter().copied())
        .chain(["socketcall", "ipc"])
        .collect();
    let arguments = arguments(rules);
    let ours = compile(default, rules, all).unwrap();
    let library = library(default, rules, all);
    for architecture in NAMES.iter().map(|(_, one)| one) {
        if architecture.is_big_endian() != all[0].is_big_endian() {
            continue;
        }
        let with_arguments: Vec<u32> = conditional
            .iter()
            .filter_map(|name| architecture.number(&Call::named(name)))
            .collect();
        // All calls of an architecture without rules are killed, so that a few of them do.
        let step = if all.contains(architecture) { 1 } else { 500 };
        for number in numbers().step_by(step) {
            let few = [[0; 6], [u64::MAX; 6], [1, 2, 3, 4, 5, 6]];
            let arguments = if with_arguments.contains(&number) {
                &arguments[..]
            } else {
                &few
            };
            for arguments in arguments {
                let data = Data::new(*architecture, number, *arguments);
                assert_eq!(
                    interpret(&ours, &data).0,
                    interpret(&library, &data).0,
                    "{architecture:?} of {all:?}: {data:x?}, default {default:#x}, {rules:?}"
                );
            }
        }
    }
}

#[test]
fn the_library_knows_architectures_to_compare_with() {
    let known = |all: &&&[Architecture]| all.iter().all(|one| theirs(*one).is_some());
    assert!(GROUPS.iter().filter(known).count() >= 11);
}

#[test]
fn profiles_of_engines() {
    let engines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/documents/engines");
    let mut profiles = Vec::new();
    for entry in std::fs::read_dir(engines).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        let Ok(document) = serde_json::from_slice::<serde_json::Value>(&text) else {
            continue;
        };
        let seccomp = document["linux"]["seccomp"].clone();
        if seccomp.is_object() && !profiles.contains(&seccomp) {
            profiles.push(seccomp);
        }
    }
    assert!(profiles.len() >= 5, "{}", profiles.len());
    for profile in &profiles {
        let node = Node::root(profile).unwrap();
        let default = plan_action(&node, "defaultAction", "defaultErrnoRet").unwrap();
        let entries = node.objects("syscalls").unwrap();
        let rules: Vec<Rule<'_>> = entries
            .iter()
            .map(|entry| plan_rule(entry).unwrap())
            .collect();
        assert_same(default, &rules);
    }
}

#[test]
fn the_table_is_that_of_the_library() {
    let mut wrong = Vec::new();
    for (_, architecture) in NAMES {
        let Some(arch) = theirs(*architecture) else {
            continue;
        };
        for (name, _) in &super::numbers::NUMBERS {
            let Ok(call) = ScmpSyscall::from_name_by_arch(name, arch) else {
                continue;
            };
            let Ok(number) = u32::try_from(call.as_raw_syscall()) else {
                continue;
            };
            if architecture.number(&Call::named(name)) != Some(number) {
                wrong.push(format!(
                    "{name} of {architecture:?}: {number}, {:?}",
                    architecture.number(&Call::named(name))
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// One rule a call, whose conditions all have to hold: which of several that hold wins is not
    /// laid down by the library, and of alternatives it loses some.
    ///
    /// And only calls that all architectures of the filter have. If the rule that the library puts
    /// first for an architecture is about a call that this one lacks, 2.5.4 leaves out the
    /// instruction that loads the number, and every rule of the architecture is lost.
    ///
    /// And no conditions on calls that socketcall(2) and ipc(2) make as well: there the arguments
    /// are behind a pointer, and the library compares registers that the kernel does not look at.
    /// Nor on these two themselves, which the other calls have rules for.
    #[test]
    fn generated_rules(
        default in prop::sample::select(vec![ALLOW, ERRNO]),
        chosen in prop::sample::subsequence(CALLS, 1..8),
        all in prop::collection::vec((conditions(3), prop::sample::select(vec![ALLOW, ERRNO, 0x8000_0000, 0x7ff0_0007])), 8),
    ) {
        let rules: Vec<Rule<'_>> = chosen
            .iter()
            .zip(all)
            .map(|(name, (mut conditions, action))| {
                conditions.sort_by_key(|condition| condition.index);
                conditions.dedup_by_key(|condition| condition.index);
                Rule { names: vec![*name], action, conditions }
            })
            .collect();
        for all in GROUPS {
            let conditional: Vec<&str> = rules
                .iter()
                .filter(|rule| !rule.conditions.is_empty())
                .flat_map(|rule| rule.names.iter().copied())
                .collect();
            let common = only(&rules, |name| {
                ScmpSyscall::from_name(name).is_ok()
                    && all.iter().all(|one| one.number(&Call::named(name)).is_some())
                    && !(conditional.contains(&name)
                        && (matches!(name, "socketcall" | "ipc")
                            || all
                                .iter()
                                .any(|one| one.multiplexed(&Call::named(name)).is_some())))
            });
            assert_same_for(all, default, &common);
        }
    }
}

#[test]
fn every_operator_at_every_boundary() {
    for operator in [
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
        Operator::MaskedEqual,
    ] {
        for (value, second) in BOUNDARIES.iter().zip(BOUNDARIES.iter().rev()) {
            let condition = Condition {
                index: 2,
                operator,
                value: *value,
                second: *second,
            };
            let rule = Rule {
                names: vec!["write"],
                action: ERRNO,
                conditions: vec![condition],
            };
            assert_same(ALLOW, &[rule]);
        }
    }
}

//! How long the profile of an engine takes to compile: it is on the way of every container's start.

#![allow(missing_docs, dead_code, unreachable_pub, unused_imports)]

#[path = "../src/seccomp/architectures.rs"]
mod architectures;
#[path = "../src/seccomp/bpf.rs"]
mod bpf;
#[path = "../src/seccomp/compile.rs"]
mod compile;
#[path = "../src/seccomp/numbers.rs"]
mod numbers;
#[path = "../src/seccomp/rule.rs"]
mod rule;

use architectures::{Architecture, NAMES};
use criterion::{Criterion, criterion_group, criterion_main};
use rule::{Condition, Operator, Rule};
use std::hint::black_box;

fn profile(criterion: &mut Criterion) {
    let x86 = [Architecture::X86_64, Architecture::X86, Architecture::X32];
    let masked = Condition {
        index: 0,
        operator: Operator::MaskedEqual,
        value: 0x7e02_0000,
        second: 0,
    };
    let rule = |names: Vec<&'static str>, conditions: Vec<Condition>| Rule {
        names,
        action: 0x7fff_0000,
        conditions,
    };
    // Most of the calls in one rule, as engines write it, or in a rule each.
    let names: Vec<&str> = numbers::NUMBERS
        .iter()
        .map(|(name, _)| *name)
        .take(350)
        .collect();
    let one = [
        rule(names.clone(), vec![]),
        rule(vec!["clone"], vec![masked]),
    ];
    let many: Vec<Rule<'_>> = names.iter().map(|name| rule(vec![*name], vec![])).collect();
    for (title, rules) in [("350 calls, 2 rules", &one[..]), ("350 rules", &many)] {
        criterion.bench_function(&format!("{title}, 3 architectures"), |bencher| {
            bencher.iter(|| compile::compile(0x0005_0001, black_box(rules), &x86));
        });
    }
    let all: Vec<Architecture> = NAMES.iter().map(|(_, one)| *one).collect();
    criterion.bench_function("2 rules, all architectures", |bencher| {
        bencher.iter(|| compile::compile(0x0005_0001, black_box(&one), &all));
    });
}

criterion_group!(benches, profile);
criterion_main!(benches);

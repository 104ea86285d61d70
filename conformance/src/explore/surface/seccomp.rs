//! Seccomp: config-linux.md. Rules are about getpriority(2), which neither a runtime nor the probe
//! needs, and whose third to sixth argument mean nothing.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::Row;
use crate::explore::draw::Part;

/// The call that rules are about.
pub(in crate::explore) const CALL: &str = "getpriority";

/// Numbers around which comparisons go wrong: small, and where the upper half counts.
const NUMBERS: [u64; 8] = [
    0,
    1,
    10,
    11,
    0xffff_ffff,
    1 << 32,
    (1 << 32) | 10,
    u64::MAX >> 1,
];

/// Comparisons, without the prefix.
const OPERATORS: [&str; 7] = ["EQ", "NE", "LT", "LE", "GE", "GT", "MASKED_EQ"];

pub(super) const ROWS: &[Row] = &[Row {
    name: "linux.seccomp",
    needs: &[],
    draw: || {
        (vec(rule(), 1..=3), any::<bool>())
            .prop_map(|(rules, architectures)| {
                let newer = rules.iter().any(|rule| rule.get("errnoRet").is_some());
                let compares = rules.iter().any(|rule| rule.get("args").is_some());
                let mut profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules});
                if architectures {
                    profile["architectures"] = json!([native()]);
                }
                // errnoRet is newer than the rest.
                let clause = match newer {
                    true => "config-linux.seccomp.syscalls.errnoRet.effect",
                    false => "config-linux.seccomp.action.ERRNO.effect",
                };
                let word = if compares { "args" } else { "names" };
                let surface = format!("linux.seccomp:{word}");
                Part::set(&surface, clause, "/linux/seccomp", profile)
            })
            .boxed()
    },
}];

fn native() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "SCMP_ARCH_X86_64",
        "aarch64" => "SCMP_ARCH_AARCH64",
        "riscv64" => "SCMP_ARCH_RISCV64",
        "powerpc64" => "SCMP_ARCH_PPC64LE",
        _ => "SCMP_ARCH_S390X",
    }
}

fn rule() -> impl Strategy<Value = Value> {
    let errno = proptest::option::of(select(vec![18u32, 2, 38]));
    // Each argument once: what two comparisons of one argument mean is not in the text.
    let places = btree_set(2u32..=5, 0..=2);
    (errno, places, vec(comparison(), 2)).prop_map(|(errno, places, comparisons)| {
        let mut rule = json!({"names": [CALL], "action": "SCMP_ACT_ERRNO"});
        if let Some(errno) = errno {
            rule["errnoRet"] = json!(errno);
        }
        let args: Vec<Value> = places
            .into_iter()
            .zip(comparisons)
            .map(|(index, mut comparison)| {
                comparison["index"] = json!(index);
                comparison
            })
            .collect();
        if !args.is_empty() {
            rule["args"] = json!(args);
        }
        rule
    })
}

fn comparison() -> impl Strategy<Value = Value> {
    let number = || select(NUMBERS.to_vec());
    (select(OPERATORS.to_vec()), number(), number()).prop_map(|(operator, value, second)| {
        let mut comparison = json!({"op": format!("SCMP_CMP_{operator}"), "value": value});
        if operator == "MASKED_EQ" {
            // What the mask takes away can never be equal.
            comparison["valueTwo"] = json!(second & value);
        }
        comparison
    })
}

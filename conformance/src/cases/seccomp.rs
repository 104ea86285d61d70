//! Seccomp: default action, actions, errnos and argument comparisons, by what system calls do.
//!
//! The call that rules are about is getpriority(2): it is harmless, neither a runtime nor the probe
//! needs it, and its third to sixth arguments mean nothing, so that rules may compare them.

use oci_probe::Line;
use serde_json::{Value, json};

use super::seccomp_names::ALL_BUT_GETPRIORITY;
use super::told::told;
use crate::bundle::Bundle;
use crate::case::{Case, Need};
use crate::trial::{Refusal, Stop, Trial, When};

const ERRNO: &str = "config-linux.seccomp.action.ERRNO.effect";
const ALLOW: &str = "config-linux.seccomp.action.ALLOW.effect";
const ERRNO_RET: &str = "config-linux.seccomp.syscalls.errnoRet.effect";
const ERRNO_DEFAULT: &str = "config-linux.seccomp.syscalls.errnoRet.default";
const ERRNO_UNSUPPORTED: &str = "config-linux.seccomp.syscalls.errnoRet.unsupported";
const DEFAULT_ERRNO_DEFAULT: &str = "config-linux.seccomp.defaultErrnoRet.default";
const DEFAULT_ERRNO_UNSUPPORTED: &str = "config-linux.seccomp.defaultErrnoRet.unsupported";
const NOTHING: &str = "runtime.errors.unchanged";

/// `EXDEV`: no kernel gives it for getpriority(2), and nobody's default is it.
const CHOSEN: (i32, &str) = (18, "EXDEV");

/// A row of actions: id, the action's name, its clause, how the call must end.
macro_rules! action {
    ($id:literal, $action:literal, $clause:literal, $ending:literal) => {
        Case {
            id: $id,
            judges: &[$clause],
            needs: &[Need::Kernel(4, 14)],
            run: |trial| takes_effect(trial, $action, $clause, $ending),
        }
    };
}

/// A row of comparisons: id, the clause, and what is compared with what.
macro_rules! comparison {
    ($id:literal, $clause:literal, $rows:expr) => {
        Case {
            id: $id,
            judges: &[$clause],
            needs: &[],
            run: |trial| compares(trial, $clause, $rows),
        }
    };
}

pub(super) const CASES: &[Case] = &[
    Case {
        id: "seccomp/errno-is-eperm-by-default",
        judges: &[ERRNO, ERRNO_DEFAULT, ALLOW],
        needs: &[],
        run: errno_is_eperm_by_default,
    },
    Case {
        id: "seccomp/errno-ret-is-the-errno",
        judges: &[ERRNO_RET],
        needs: &[],
        run: |trial| {
            let rule = json!({"names": ["getpriority"], "action": "SCMP_ACT_ERRNO",
                              "errnoRet": CHOSEN.0});
            filter(trial, "SCMP_ACT_ALLOW", json!([rule]));
            let ending = ending_of_the_call(trial)?;
            trial.expect(ERRNO_RET, CHOSEN.1, ending)
        },
    },
    Case {
        id: "seccomp/default-action-hits-what-no-rule-names",
        judges: &[ERRNO, DEFAULT_ERRNO_DEFAULT, ALLOW],
        needs: &[],
        run: |trial| {
            allow_all_but_getpriority(trial);
            let [ending, other] = endings_of_two_calls(trial)?;
            trial.expect_that(ERRNO, !is_through(&ending), "getpriority fails", &ending)?;
            trial.expect(DEFAULT_ERRNO_DEFAULT, "EPERM", ending)?;
            trial.expect_in(ALLOW, "getppid, which a rule names", "done", other)
        },
    },
    Case {
        id: "seccomp/default-errno-ret-is-the-errno",
        judges: &["config-linux.seccomp.defaultErrnoRet.effect"],
        needs: &[],
        run: |trial| {
            allow_all_but_getpriority(trial);
            trial.set("/linux/seccomp/defaultErrnoRet", CHOSEN.0);
            let ending = ending_of_the_call(trial)?;
            trial.expect(
                "config-linux.seccomp.defaultErrnoRet.effect",
                CHOSEN.1,
                ending,
            )
        },
    },
    Case {
        id: "seccomp/errno-ret-with-allow-is-an-error",
        judges: &[ERRNO_UNSUPPORTED, ERRNO, NOTHING],
        needs: &[],
        run: |trial| {
            let rule = json!({"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1});
            filter(trial, "SCMP_ACT_ALLOW", json!([rule]));
            let what = "errnoRet with the action SCMP_ACT_ALLOW";
            trial.refuses(&refusal(ERRNO_UNSUPPORTED, what), |bundle| {
                bundle.set("/linux/seccomp/syscalls/0/action", "SCMP_ACT_ALLOW");
            })
        },
    },
    Case {
        id: "seccomp/default-errno-ret-with-allow-is-an-error",
        judges: &[DEFAULT_ERRNO_UNSUPPORTED, ERRNO, NOTHING],
        needs: &[],
        run: |trial| {
            let rule = json!({"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"});
            filter(trial, "SCMP_ACT_ALLOW", json!([rule]));
            let what = "defaultErrnoRet with the default action SCMP_ACT_ALLOW";
            trial.refuses(&refusal(DEFAULT_ERRNO_UNSUPPORTED, what), |bundle| {
                bundle.set("/linux/seccomp/defaultErrnoRet", 1);
            })
        },
    },
    action!(
        "seccomp/kill-ends-the-caller",
        "SCMP_ACT_KILL",
        "config-linux.seccomp.action.KILL.effect",
        "SIGSYS"
    ),
    action!(
        "seccomp/kill-process-ends-the-caller",
        "SCMP_ACT_KILL_PROCESS",
        "config-linux.seccomp.action.KILL_PROCESS.effect",
        "SIGSYS"
    ),
    action!(
        "seccomp/kill-thread-ends-the-caller",
        "SCMP_ACT_KILL_THREAD",
        "config-linux.seccomp.action.KILL_THREAD.effect",
        "SIGSYS"
    ),
    action!(
        "seccomp/trap-sends-sigsys",
        "SCMP_ACT_TRAP",
        "config-linux.seccomp.action.TRAP.effect",
        "caught SIGSYS"
    ),
    action!(
        "seccomp/trace-without-a-tracer-is-enosys",
        "SCMP_ACT_TRACE",
        "config-linux.seccomp.action.TRACE.effect",
        "ENOSYS"
    ),
    action!(
        "seccomp/log-lets-the-call-through",
        "SCMP_ACT_LOG",
        "config-linux.seccomp.action.LOG.effect",
        "done"
    ),
    action!(
        "seccomp/allow-lets-the-call-through",
        "SCMP_ACT_ALLOW",
        "config-linux.seccomp.action.ALLOW.effect",
        "done"
    ),
    // Each comparison with numbers at its border, and beyond 32 bits, where one that looks at half
    // of an argument goes wrong. Arguments are unsigned.
    comparison!(
        "seccomp/op-ne-compares-whole-arguments",
        "config-linux.seccomp.op.NE.effect",
        &Comparison {
            op: "SCMP_CMP_NE",
            value: 10,
            second: None,
            hits: &[9, 11, 0, HIGH | 10],
            misses: &[10],
        }
    ),
    comparison!(
        "seccomp/op-lt-compares-whole-arguments",
        "config-linux.seccomp.op.LT.effect",
        &Comparison {
            op: "SCMP_CMP_LT",
            value: HIGH | 10,
            second: None,
            hits: &[HIGH | 9, 0, 11, 0xffff_ffff],
            misses: &[HIGH | 10, HIGH | 11, HIGH << 1, u64::MAX],
        }
    ),
    comparison!(
        "seccomp/op-le-compares-whole-arguments",
        "config-linux.seccomp.op.LE.effect",
        &Comparison {
            op: "SCMP_CMP_LE",
            value: HIGH | 10,
            second: None,
            hits: &[HIGH | 10, HIGH | 9, 0, 11],
            misses: &[HIGH | 11, HIGH << 1, u64::MAX],
        }
    ),
    comparison!(
        "seccomp/op-eq-compares-whole-arguments",
        "config-linux.seccomp.op.EQ.effect",
        &Comparison {
            op: "SCMP_CMP_EQ",
            value: HIGH | 10,
            second: None,
            hits: &[HIGH | 10],
            misses: &[10, HIGH, HIGH | 11, HIGH << 1 | 10],
        }
    ),
    comparison!(
        "seccomp/op-ge-compares-whole-arguments",
        "config-linux.seccomp.op.GE.effect",
        &Comparison {
            op: "SCMP_CMP_GE",
            value: HIGH | 10,
            second: None,
            hits: &[HIGH | 10, HIGH | 11, HIGH << 1, u64::MAX],
            misses: &[HIGH | 9, 10, 11, 0xffff_ffff],
        }
    ),
    comparison!(
        "seccomp/op-gt-compares-whole-arguments",
        "config-linux.seccomp.op.GT.effect",
        &Comparison {
            op: "SCMP_CMP_GT",
            value: HIGH | 10,
            second: None,
            hits: &[HIGH | 11, HIGH << 1, u64::MAX],
            misses: &[HIGH | 10, HIGH | 9, 11, 0xffff_ffff],
        }
    ),
    comparison!(
        "seccomp/op-masked-eq-compares-under-the-mask",
        "config-linux.seccomp.op.MASKED_EQ.effect",
        &Comparison {
            op: "SCMP_CMP_MASKED_EQ",
            value: HIGH | 0xf0,
            second: Some(HIGH | 0x30),
            hits: &[HIGH | 0x30, HIGH | 0x3f, HIGH | 0x100 | 0x31],
            misses: &[0x30, HIGH | 0x40, HIGH, HIGH | 0x70],
        }
    ),
];

/// A bit of the upper half of an argument.
const HIGH: u64 = 1 << 32;

/// What a rule compares the third argument with, and which arguments it hits.
struct Comparison {
    op: &'static str,
    /// `value`; of a masked comparison the mask.
    value: u64,
    /// `valueTwo`: of a masked comparison what the masked argument must be.
    second: Option<u64>,
    hits: &'static [u64],
    misses: &'static [u64],
}

fn errno_is_eperm_by_default(trial: &mut Trial) -> Result<(), Stop> {
    let rule = json!({"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"});
    filter(trial, "SCMP_ACT_ALLOW", json!([rule]));
    let [ending, other] = endings_of_two_calls(trial)?;
    trial.expect_that(ERRNO, !is_through(&ending), "getpriority fails", &ending)?;
    trial.expect(ERRNO_DEFAULT, "EPERM", ending)?;
    trial.expect_in(
        ALLOW,
        "getppid, which only the default action hits",
        "done",
        other,
    )
}

fn takes_effect(
    trial: &mut Trial,
    action: &str,
    clause: &'static str,
    expected: &str,
) -> Result<(), Stop> {
    let rule = json!({"names": ["getpriority"], "action": action});
    if action == "SCMP_ACT_ALLOW" {
        // Under an allowing default the rule would show nothing.
        allow_all_but_getpriority(trial);
        trial.set("/linux/seccomp/syscalls/-", rule);
    } else {
        filter(trial, "SCMP_ACT_ALLOW", json!([rule]));
    }
    let ending = ending_of_the_call(trial)?;
    trial.expect(clause, expected, ending)
}

fn compares(trial: &mut Trial, clause: &'static str, rows: &Comparison) -> Result<(), Stop> {
    let mut argument = json!({"index": 2, "value": rows.value, "op": rows.op});
    if let Some(second) = rows.second {
        argument["valueTwo"] = json!(second);
    }
    let rule = json!({"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "args": [argument]});
    filter(trial, "SCMP_ACT_ALLOW", json!([rule]));
    let numbers: Vec<String> = rows
        .hits
        .iter()
        .chain(rows.misses)
        .map(|number| number.to_string())
        .collect();
    let mut arguments: Vec<&str> = Vec::new();
    for number in &numbers {
        if !arguments.is_empty() {
            arguments.push("then");
        }
        arguments.extend(["syscall-child", "getpriority", "0", "0", number]);
    }
    trial.probe(&arguments);
    let lines = trial.run_to_end()?;
    for (place, number) in numbers.iter().enumerate() {
        let line = told(&lines, "syscall-child", &["getpriority", "0", "0", number])?;
        let expected = if place < rows.hits.len() {
            "EPERM"
        } else {
            "done"
        };
        trial.expect_in(
            clause,
            &format!("the argument {number}"),
            expected,
            ending(line),
        )?;
    }
    Ok(())
}

fn refusal(error: &'static str, what: &'static str) -> Refusal {
    Refusal {
        error,
        nothing: Some(NOTHING),
        control: ERRNO,
        when: When::Create,
        what,
    }
}

/// Sets a filter for the host's own architecture.
pub(super) fn filter(trial: &mut Trial, default: &str, rules: Value) {
    let architecture = match trial.host().machine.as_str() {
        "x86_64" => Some("SCMP_ARCH_X86_64"),
        "aarch64" => Some("SCMP_ARCH_AARCH64"),
        "riscv64" => Some("SCMP_ARCH_RISCV64"),
        "s390x" => Some("SCMP_ARCH_S390X"),
        "ppc64le" => Some("SCMP_ARCH_PPC64LE"),
        _ => None,
    };
    let bundle: &mut Bundle = trial;
    bundle.set(
        "/linux/seccomp",
        json!({"defaultAction": default, "syscalls": rules}),
    );
    if let Some(architecture) = architecture {
        bundle.set("/linux/seccomp/architectures", json!([architecture]));
    }
}

fn allow_all_but_getpriority(trial: &mut Trial) {
    let rule = json!({"names": ALL_BUT_GETPRIORITY, "action": "SCMP_ACT_ALLOW"});
    filter(trial, "SCMP_ACT_ERRNO", json!([rule]));
}

/// Runs the container and tells how getpriority(2) ended in it, and getppid(2).
fn endings_of_two_calls(trial: &mut Trial) -> Result<[Value; 2], Stop> {
    trial.probe(&[
        "syscall-child",
        "getpriority",
        "0",
        "0",
        "then",
        "syscall-child",
        "getppid",
    ]);
    let lines = trial.run_to_end()?;
    let ending = |name| Ok(self::ending(told(&lines, "syscall-child", &[name])?));
    Ok([ending("getpriority")?, ending("getppid")?])
}

/// Runs the container and tells how getpriority(2) ended in it, in a child that catches SIGSYS: a
/// trap can be caught, being killed cannot.
fn ending_of_the_call(trial: &mut Trial) -> Result<Value, Stop> {
    trial.probe(&["syscall-trap", "getpriority", "0", "0"]);
    let lines = trial.run_to_end()?;
    Ok(ending(told(&lines, "syscall-trap", &["getpriority"])?))
}

/// How a system call in a child ended: `done`, an errno's name, the name of the signal that ended
/// the child, or that it caught one.
fn ending(line: &Line) -> Value {
    let value = &line.value;
    match (&value["trap"], &value["signal"], &value["errno"]) {
        (Value::Null, Value::Null, Value::Null) => json!("done"),
        (Value::Null, Value::Null, errno) => errno.clone(),
        (Value::Null, signal, _) => signal.clone(),
        _ => json!("caught SIGSYS"),
    }
}

fn is_through(ending: &Value) -> bool {
    ending == "done"
}

//! `process.scheduler` (config.md, Linux process; sched(7)).

use crate::document::Value;
use crate::finding::Severity;
use crate::rule::{Found, Rule};
use crate::rules::process::{PROCESS, of_linux};

/// Rules about scheduling policies and what goes with them.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "scheduler/priority-by-policy",
        severity: Severity::Error,
        source: "sched_setattr(2): EINVAL for a priority that does not fit the policy",
        page: "`SCHED_FIFO` and `SCHED_RR` have a static priority of 1 to 99, all other policies \
               have none. The kernel refuses other combinations; since the default is 0, a \
               real-time policy without `priority` is one of them.",
        accepts: &[
            process_with!(r#""scheduler": {"policy": "SCHED_FIFO", "priority": 1}"#),
            process_with!(r#""scheduler": {"policy": "SCHED_BATCH", "priority": 0}"#),
        ],
        rejects: &[
            (
                process_with!(r#""scheduler": {"policy": "SCHED_FIFO"}"#),
                "/process/scheduler",
            ),
            (
                process_with!(r#""scheduler": {"policy": "SCHED_RR", "priority": 100}"#),
                "/process/scheduler/priority",
            ),
            (
                process_with!(r#""scheduler": {"policy": "SCHED_OTHER", "priority": 50}"#),
                "/process/scheduler/priority",
            ),
        ],
        check: |context, found| {
            let Some((scheduler, policy)) = policy(of_linux(context, "scheduler")) else {
                return;
            };
            let priority = scheduler.get("priority");
            let number = priority.as_integer();
            if !is_real_time(policy) {
                if number.is_some_and(|number| number != 0) {
                    found
                        .at(priority, format!("{policy} has no priority but 0"))
                        .help("`nice` weighs processes against each other here");
                }
            } else if !priority.is_present() {
                found
                    .lacking(scheduler, format!("{policy} needs a `priority`"))
                    .help("1, the lowest, to 99");
            } else if number.is_some_and(|number| !(1..=99).contains(&number)) {
                found
                    .at(
                        priority,
                        format!("{} is no priority of {policy}", priority.text()),
                    )
                    .help("1, the lowest, to 99");
            }
        },
        ..PROCESS
    },
    Rule {
        id: "scheduler/nice-by-policy",
        severity: Severity::Warning,
        source: "sched(7): nice values are -20 to 19, and of SCHED_OTHER and SCHED_BATCH only",
        page: "A nice value is between -20, which gets most, and 19; the kernel takes others for \
               the nearest of these. Real-time policies, deadlines and `SCHED_IDLE` do not look at \
               it.",
        accepts: &[process_with!(
            r#""scheduler": {"policy": "SCHED_OTHER", "nice": -20}"#
        )],
        rejects: &[
            (
                process_with!(r#""scheduler": {"policy": "SCHED_OTHER", "nice": -21}"#),
                "/process/scheduler/nice",
            ),
            (
                process_with!(r#""scheduler": {"policy": "SCHED_FIFO", "priority": 1, "nice": 5}"#),
                "/process/scheduler/nice",
            ),
        ],
        check: |context, found| {
            let Some((scheduler, policy)) = policy(of_linux(context, "scheduler")) else {
                return;
            };
            let nice = scheduler.get("nice");
            match nice.as_integer() {
                None | Some(0) => {}
                Some(_) if !matches!(policy, "SCHED_OTHER" | "SCHED_BATCH") => {
                    let draft = found.at(nice, format!("{policy} has no nice value"));
                    if is_real_time(policy) {
                        draft.help("`priority` orders processes here");
                    }
                }
                Some(number) if !(-20..=19).contains(&number) => {
                    found
                        .at(nice, format!("{number} is out of range"))
                        .help("-20 to 19");
                }
                Some(_) => {}
            }
        },
        ..PROCESS
    },
    Rule {
        id: "scheduler/deadline-parameters",
        severity: Severity::Error,
        source: "sched_setattr(2): EINVAL unless 1024 <= runtime <= deadline <= period",
        page: "`SCHED_DEADLINE` gives a process `runtime` nanoseconds before `deadline` in every \
               `period`, so that each is no longer than the next. `runtime` and `deadline` have to \
               be there, `runtime` is 1024 or more, and a `period` of 0 is the same as `deadline`.",
        accepts: &[
            process_with!(
                r#""scheduler": {"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 2000, "period": 3000}"#
            ),
            process_with!(
                r#""scheduler": {"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 2000}"#
            ),
        ],
        rejects: &[
            (
                process_with!(r#""scheduler": {"policy": "SCHED_DEADLINE"}"#),
                "/process/scheduler",
            ),
            (
                process_with!(
                    r#""scheduler": {"policy": "SCHED_DEADLINE", "runtime": 1000, "deadline": 2000}"#
                ),
                "/process/scheduler/runtime",
            ),
            (
                process_with!(
                    r#""scheduler": {"policy": "SCHED_DEADLINE", "runtime": 3000, "deadline": 2000}"#
                ),
                "/process/scheduler/runtime",
            ),
            (
                process_with!(
                    r#""scheduler": {"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 4000, "period": 3000}"#
                ),
                "/process/scheduler/deadline",
            ),
        ],
        check: |context, found| {
            if let Some((scheduler, "SCHED_DEADLINE")) = policy(of_linux(context, "scheduler")) {
                deadline(scheduler, found);
            }
        },
        ..PROCESS
    },
    Rule {
        id: "scheduler/deadline-only",
        severity: Severity::Warning,
        source: "sched(7): runtime, deadline and period belong to SCHED_DEADLINE",
        page: "`runtime`, `deadline` and `period` have a meaning for `SCHED_DEADLINE` and no effect \
               for other policies. Choose that policy, or leave them out.",
        accepts: &[process_with!(
            r#""scheduler": {"policy": "SCHED_OTHER", "period": 0}"#
        )],
        rejects: &[(
            process_with!(r#""scheduler": {"policy": "SCHED_OTHER", "period": 1000000}"#),
            "/process/scheduler/period",
        )],
        check: |context, found| {
            let Some((scheduler, policy)) = policy(of_linux(context, "scheduler")) else {
                return;
            };
            if policy == "SCHED_DEADLINE" {
                return;
            }
            for name in ["runtime", "deadline", "period"] {
                let value = scheduler.get(name);
                if value.as_integer().is_some_and(|number| number > 0) {
                    found
                        .at(value, format!("`{name}` has no effect with {policy}"))
                        .related(scheduler.get("policy"), "it belongs to SCHED_DEADLINE");
                }
            }
        },
        ..PROCESS
    },
    Rule {
        id: "scheduler/policy-implemented",
        severity: Severity::Warning,
        source: "sched(7): Linux has no SCHED_ISO; sched_setattr(2): EINVAL",
        page: "The specification lists `SCHED_ISO`, and the kernel keeps a number free for it, but \
               no kernel has the policy: every runtime has to fail. `SCHED_BATCH` and `SCHED_IDLE` \
               are what there is beside the usual `SCHED_OTHER`.",
        accepts: &[process_with!(r#""scheduler": {"policy": "SCHED_IDLE"}"#)],
        rejects: &[(
            process_with!(r#""scheduler": {"policy": "SCHED_ISO"}"#),
            "/process/scheduler/policy",
        )],
        check: |context, found| {
            if let Some((scheduler, "SCHED_ISO")) = policy(of_linux(context, "scheduler")) {
                found.at(scheduler.get("policy"), "no kernel has SCHED_ISO");
            }
        },
        ..PROCESS
    },
];

const POLICIES: [&str; 7] = [
    "SCHED_OTHER",
    "SCHED_FIFO",
    "SCHED_RR",
    "SCHED_BATCH",
    "SCHED_ISO",
    "SCHED_IDLE",
    "SCHED_DEADLINE",
];

/// The scheduler and its policy.
fn policy(scheduler: Option<Value<'_>>) -> Option<(Value<'_>, &str)> {
    let scheduler = scheduler?;
    let policy = scheduler.get("policy").as_str()?;
    // Of what is no policy the schema tells.
    POLICIES.contains(&policy).then_some((scheduler, policy))
}

fn is_real_time(policy: &str) -> bool {
    matches!(policy, "SCHED_FIFO" | "SCHED_RR")
}

fn deadline(scheduler: Value<'_>, found: &mut Found<'_>) {
    let [runtime, deadline, period] =
        ["runtime", "deadline", "period"].map(|name| scheduler.get(name));
    for (value, name) in [(runtime, "runtime"), (deadline, "deadline")] {
        if !value.is_present() || value.as_integer() == Some(0) {
            found
                .lacking(scheduler, format!("SCHED_DEADLINE needs `{name}`"))
                .help("nanoseconds, with runtime <= deadline <= period");
            return;
        }
    }
    let (Some(run), Some(end)) = (runtime.as_integer(), deadline.as_integer()) else {
        return;
    };
    if run < SHORTEST_RUNTIME {
        found
            .at(
                runtime,
                format!("{run} ns is shorter than the kernel measures"),
            )
            .help("1024 or more; the unit is a nanosecond");
    } else if run > end {
        found
            .at(
                runtime,
                format!("{run} ns of work do not fit before a deadline of {end} ns"),
            )
            .related(deadline, "the deadline");
    } else if let Some(every @ 1..) = period.as_integer()
        && end > every
    {
        found
            .at(
                deadline,
                format!("the deadline of {end} ns is beyond the period of {every} ns"),
            )
            .related(period, "the period");
    }
}

/// The kernel counts in units of 2^10 nanoseconds here.
const SHORTEST_RUNTIME: i128 = 1024;

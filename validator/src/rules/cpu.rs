//! `linux.resources.cpu` (config-linux.md, CPU).

use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::lists::number_list_problem;
use crate::rules::resources::RESOURCES;

/// Rules about the CPU controllers.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "cpu/list",
        clauses: &["config-linux.resources.cpu.cpus.format"],
        page: "`cpus` and `mems` list CPUs and memory nodes by number: numbers and ranges with \
               commas between them, and nothing else, such as `0-3,7`.",
        accepts: &[resources!(r#"{"cpu": {"cpus": "0-3,7", "mems": ""}}"#)],
        rejects: &[
            (
                resources!(r#"{"cpu": {"cpus": "0-3, 7"}}"#),
                "/linux/resources/cpu/cpus",
            ),
            (
                resources!(r#"{"cpu": {"mems": "3-0"}}"#),
                "/linux/resources/cpu/mems",
            ),
        ],
        check: |context, found| {
            for name in ["cpus", "mems"] {
                let list = context.resources.get("cpu").get(name);
                // An empty list is how engines write none.
                if let Some(text) = list.as_str().filter(|text| !text.is_empty())
                    && let Some((part, problem)) = number_list_problem(text)
                {
                    found
                        .at(list, format!("{part:?} in the list: {problem}"))
                        .help("numbers and ranges with commas between them: `0-3,7`");
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "cpu/burst-within-quota",
        clauses: &[
            "config-linux.resources.cpu.burst-le-quota",
            "config-linux.resources.cpu.quota-ge-burst",
        ],
        page: "`burst` is time that may be saved up from periods that were not used, and cannot be \
               more than the `quota` of one period. The kernel refuses it.",
        accepts: &[resources!(r#"{"cpu": {"quota": 50000, "burst": 50000}}"#)],
        rejects: &[(
            resources!(r#"{"cpu": {"quota": 50000, "burst": 50001}}"#),
            "/linux/resources/cpu/burst",
        )],
        check: |context, found| {
            let cpu = context.resources.get("cpu");
            let (quota, burst) = (cpu.get("quota"), cpu.get("burst"));
            if let (Some(most), Some(time)) = (quota.as_integer(), burst.as_integer())
                && most > 0
                && time > most
            {
                found
                    .at(
                        burst,
                        format!("{time} µs are more than the quota, {most} µs"),
                    )
                    .related(quota, "the quota");
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "cpu/bandwidth-range",
        severity: Severity::Error,
        source: "the kernel's document on CFS bandwidth control: EINVAL",
        page: "A period lasts 1 ms to 1 s, 1000 to 1000000 µs, and a quota is 1 ms at least. The \
               kernel refuses other numbers. 0 is how engines write what is not set, and a \
               negative quota is none.",
        accepts: &[resources!(r#"{"cpu": {"quota": 1000, "period": 1000000}}"#)],
        rejects: &[
            (
                resources!(r#"{"cpu": {"quota": 500}}"#),
                "/linux/resources/cpu/quota",
            ),
            (
                resources!(r#"{"cpu": {"period": 1000001}}"#),
                "/linux/resources/cpu/period",
            ),
        ],
        check: |context, found| {
            let cpu = context.resources.get("cpu");
            let (quota, period) = (cpu.get("quota"), cpu.get("period"));
            if quota
                .as_integer()
                .is_some_and(|time| (1..1000).contains(&time))
            {
                found.at(
                    quota,
                    format!("a quota of {} µs: at least 1000 are needed", quota.text()),
                );
            }
            if let Some(time) = period.as_integer()
                && time != 0
                && !(1000..=1_000_000).contains(&time)
            {
                found
                    .at(period, format!("a period of {time} µs"))
                    .help("from 1000 (1 ms) to 1000000 (1 s)");
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "cpu/realtime-within-period",
        severity: Severity::Error,
        source: "the kernel's document on real-time group scheduling: EINVAL",
        page: "`realtimeRuntime` is the part of each `realtimePeriod` that real-time tasks may \
               run: it cannot be longer than the period.",
        accepts: &[resources!(
            r#"{"cpu": {"realtimeRuntime": 950000, "realtimePeriod": 1000000}}"#
        )],
        rejects: &[(
            resources!(r#"{"cpu": {"realtimeRuntime": 950000, "realtimePeriod": 100000}}"#),
            "/linux/resources/cpu/realtimeRuntime",
        )],
        check: |context, found| {
            let cpu = context.resources.get("cpu");
            let (runtime, period) = (cpu.get("realtimeRuntime"), cpu.get("realtimePeriod"));
            if let (Some(time), Some(of)) = (runtime.as_integer(), period.as_integer())
                && of > 0
                && time > of
            {
                found
                    .at(
                        runtime,
                        format!("{time} µs do not fit in a period of {of} µs"),
                    )
                    .related(period, "the period");
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "cpu/shares-range",
        severity: Severity::Note,
        source: "sched_group_set_shares() of the kernel: 2 to 262144",
        page: "The kernel has shares from 2 to 262144 and takes a number beyond for the nearest of \
               these. 0 is how engines write what is not set.",
        accepts: &[resources!(r#"{"cpu": {"shares": 2}}"#)],
        rejects: &[(
            resources!(r#"{"cpu": {"shares": 262145}}"#),
            "/linux/resources/cpu/shares",
        )],
        check: |context, found| {
            let shares = context.resources.get("cpu").get("shares");
            let taken = match shares.as_integer() {
                Some(1) => 2,
                Some(number) if number > 262_144 => 262_144,
                _ => return,
            };
            found.at(
                shares,
                format!("{} shares: the kernel takes {taken}", shares.text()),
            );
        },
        ..RESOURCES
    },
    Rule {
        id: "cpu/idle-switch",
        clauses: &["config-linux.resources.cpu.idle.effect"],
        page: "`idle` is a switch: 1 lets the container run when nothing else wants to, 0 is the \
               usual way. The kernel has no other value.",
        accepts: &[resources!(r#"{"cpu": {"idle": 1}}"#)],
        rejects: &[(
            resources!(r#"{"cpu": {"idle": 2}}"#),
            "/linux/resources/cpu/idle",
        )],
        check: |context, found| {
            let idle: Value<'_> = context.resources.get("cpu").get("idle");
            if idle
                .as_integer()
                .is_some_and(|number| !matches!(number, 0 | 1))
            {
                found
                    .at(idle, format!("{} is neither 0 nor 1", idle.text()))
                    .help("1 for SCHED_IDLE, 0 for the default");
            }
        },
        ..RESOURCES
    },
];

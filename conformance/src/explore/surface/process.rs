//! Properties of the process, the root and the document: config.md.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::Row;
use crate::case::Need;
use crate::explore::draw::{Edit, Part};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "process.args",
        needs: &[],
        draw: || {
            vec(word(), 0..5)
                .prop_map(|further| {
                    let mut args = vec!["/probe".to_owned(), "observe".into(), "--".into()];
                    args.extend(further);
                    let clause = "config.process.args.effect";
                    Part::set("process.args", clause, "/process/args", json!(args))
                })
                .boxed()
        },
    },
    Row {
        name: "process.cwd",
        needs: &[],
        draw: || {
            one_of(
                "process.cwd",
                "config.process.cwd.effect",
                "/process/cwd",
                &["/", "/tmp", "/data", "/data/deep/er", "/proc"],
            )
        },
    },
    Row {
        name: "process.env",
        needs: &[],
        draw: || {
            btree_map("[A-Z_]{1,3}[A-Z0-9_]{0,5}", word(), 0..5)
                .prop_map(|variables| {
                    let entries = variables
                        .iter()
                        .map(|(name, value)| format!("{name}={value}"));
                    let env: Vec<String> = std::iter::once("PATH=/".to_owned())
                        .chain(entries.filter(|entry| !entry.starts_with("PATH=")))
                        .collect();
                    let clause = "config.process.env.effect";
                    Part::set("process.env", clause, "/process/env", json!(env))
                })
                .boxed()
        },
    },
    Row {
        name: "process.user.uid",
        needs: &[Need::Root],
        draw: || {
            let clause = "config.process.user.uid.effect";
            number("process.user.uid", clause, "/process/user/uid", 0, 1999)
        },
    },
    Row {
        name: "process.user.gid",
        needs: &[Need::Root],
        draw: || {
            let clause = "config.process.user.gid.effect";
            number("process.user.gid", clause, "/process/user/gid", 0, 1999)
        },
    },
    Row {
        name: "process.user.additionalGids",
        needs: &[Need::Root],
        draw: || {
            btree_set(0u32..2000, 0..5)
                .prop_map(|gids| {
                    Part::set(
                        "process.user.additionalGids",
                        "config.process.user.additionalGids.effect",
                        "/process/user/additionalGids",
                        json!(gids),
                    )
                })
                .boxed()
        },
    },
    Row {
        name: "process.user.umask",
        needs: &[],
        draw: || {
            let clause = "config.process.user.umask.effect";
            number(
                "process.user.umask",
                clause,
                "/process/user/umask",
                0,
                0o777,
            )
        },
    },
    Row {
        name: "process.rlimits",
        needs: &[],
        draw: rlimit,
    },
    Row {
        name: "process.capabilities",
        needs: &[],
        draw: capabilities,
    },
    Row {
        name: "process.noNewPrivileges",
        needs: &[],
        draw: || {
            one_of(
                "process.noNewPrivileges",
                "config.process.noNewPrivileges.effect",
                "/process/noNewPrivileges",
                &[true, false],
            )
        },
    },
    Row {
        name: "process.oomScoreAdj",
        needs: &[Need::SharedKernel],
        draw: || {
            // Raising is allowed to everybody; lowering needs CAP_SYS_RESOURCE.
            let clause = "config.process.oomScoreAdj.set";
            let least = crate::host::read("/proc/self/oom_score_adj");
            let least = least.trim().parse::<u32>().unwrap_or(0);
            number(
                "process.oomScoreAdj",
                clause,
                "/process/oomScoreAdj",
                least,
                1000,
            )
        },
    },
    Row {
        name: "process.scheduler",
        needs: &[Need::SharedKernel],
        draw: || {
            let policies = [
                json!("SCHED_OTHER"),
                json!("SCHED_BATCH"),
                json!("SCHED_IDLE"),
            ];
            (select(policies.to_vec()), 0..20)
                .prop_map(|(policy, nice)| {
                    Part::set(
                        "process.scheduler",
                        "config.process.scheduler.policy.effect",
                        "/process/scheduler",
                        json!({"policy": policy, "nice": nice}),
                    )
                })
                .boxed()
        },
    },
    Row {
        name: "process.ioPriority",
        needs: &[Need::SharedKernel],
        draw: || {
            (select(vec!["IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"]), 0..8)
                .prop_map(|(class, priority)| {
                    Part::set(
                        "process.ioPriority",
                        "config.process.ioPriority.effect",
                        "/process/ioPriority",
                        json!({"class": class, "priority": priority}),
                    )
                })
                .boxed()
        },
    },
    Row {
        name: "process.consoleSize",
        needs: &[],
        draw: || {
            let value = json!({"height": 24, "width": 80});
            let clause = "config.process.consoleSize.ignore";
            Just(Part::set(
                "process.consoleSize",
                clause,
                "/process/consoleSize",
                value,
            ))
            .boxed()
        },
    },
    Row {
        name: "root.readonly",
        needs: &[],
        draw: || {
            one_of(
                "root.readonly",
                "config.root.readonly.effect",
                "/root/readonly",
                &[true, false],
            )
        },
    },
    Row {
        name: "hostname",
        needs: &[],
        draw: || {
            text(
                "hostname",
                "config.hostname.effect",
                "/hostname",
                "[a-z][a-z0-9.-]{0,20}",
            )
        },
    },
    Row {
        name: "domainname",
        needs: &[],
        draw: || {
            text(
                "domainname",
                "config.domainname.effect",
                "/domainname",
                "[a-z][a-z0-9.-]{0,20}",
            )
        },
    },
    Row {
        name: "annotations",
        needs: &[],
        draw: || {
            btree_map("(org|com)\\.[a-z]{1,6}\\.[a-zA-Z]{1,6}", word(), 0..4)
                .prop_map(|map| {
                    let clause = "runtime.state.annotations";
                    Part::set("annotations", clause, "/annotations", json!(map))
                })
                .boxed()
        },
    },
    Row {
        name: "unknown-property",
        needs: &[],
        draw: || {
            let places = [
                "/x-drawn",
                "/process/x-drawn",
                "/root/x-drawn",
                "/linux/x-drawn",
                "/process/user/x-drawn",
            ];
            let values = [json!(1), json!("x"), json!({"a": [1]}), Value::Null];
            (select(places.to_vec()), select(values.to_vec()))
                .prop_map(|(at, value)| {
                    Part::set(
                        "unknown-property",
                        "config.extensibility.no-error",
                        at,
                        value,
                    )
                })
                .boxed()
        },
    },
];

/// Words that a careless program takes apart, cuts or changes.
pub(super) fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,6}",
        select(vec![
            "", " ", "a b", "ünï", "$HOME", "*", "\\", "a=b", "\"", "'", "\n", "\t", "--", "-x",
            "%s", "{}", "😀",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,40}",
    ]
}

/// One of a few values, the first the plainest.
pub(super) fn one_of<T>(
    surface: &'static str,
    clause: &'static str,
    at: &'static str,
    values: &[T],
) -> BoxedStrategy<Part>
where
    T: Clone + Into<Value> + std::fmt::Debug + 'static,
{
    select(values.to_vec())
        .prop_map(move |value| Part::set(surface, clause, at, value))
        .boxed()
}

/// A number of a range.
pub(super) fn number(
    surface: &'static str,
    clause: &'static str,
    at: &'static str,
    least: u32,
    most: u32,
) -> BoxedStrategy<Part> {
    (least..=most)
        .prop_map(move |value| Part::set(surface, clause, at, value))
        .boxed()
}

/// A text that a regular expression describes.
pub(super) fn text(
    surface: &'static str,
    clause: &'static str,
    at: &'static str,
    pattern: &'static str,
) -> BoxedStrategy<Part> {
    pattern
        .prop_map(move |value: String| Part::set(surface, clause, at, value))
        .boxed()
}

/// Limits that neither keep a runtime from its work nor need to be raised.
fn rlimit() -> BoxedStrategy<Part> {
    let kinds: Vec<(&str, u64, u64)> = vec![
        ("RLIMIT_CORE", 0, 1 << 20),
        ("RLIMIT_NOFILE", 128, 1000),
        ("RLIMIT_STACK", 1 << 20, 8 << 20),
        ("RLIMIT_MEMLOCK", 4096, 65_536),
        ("RLIMIT_MSGQUEUE", 0, 819_200),
        ("RLIMIT_LOCKS", 100, 1 << 30),
        ("RLIMIT_CPU", 1000, 1 << 30),
        ("RLIMIT_SIGPENDING", 100, 1000),
        ("RLIMIT_RSS", 1 << 30, 1 << 40),
        ("RLIMIT_RTTIME", 1 << 30, 1 << 40),
    ];
    (select(kinds), 0u64..=1000, 0u64..=1000)
        .prop_map(|((kind, least, most), low, high)| {
            let part = |share: u64| least + (most - least) / 1000 * share;
            let (soft, hard) = (part(low.min(high)), part(low.max(high)));
            let entry = json!({"type": kind, "soft": soft, "hard": hard});
            let surface = format!("process.rlimits:{kind}");
            Part::set(
                &surface,
                "config.process.rlimits.getrlimit",
                "/process/rlimits/-",
                entry,
            )
        })
        .boxed()
}

/// Five sets, each within what the kernel allows it to be: ambient below inheritable below
/// permitted below bounding.
fn capabilities() -> BoxedStrategy<Part> {
    const SOME: [&str; 10] = [
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETPCAP",
        "CAP_NET_BIND_SERVICE",
        "CAP_SYS_CHROOT",
    ];
    let set = || subsequence(SOME.to_vec(), 0..=SOME.len());
    (set(), set(), set(), set(), set())
        .prop_map(|(bounding, permitted, effective, inheritable, ambient)| {
            let within = |set: Vec<&'static str>, outer: &[&str]| -> Vec<&'static str> {
                set.into_iter()
                    .filter(|name| outer.contains(name))
                    .collect()
            };
            let permitted = within(permitted, &bounding);
            let effective = within(effective, &permitted);
            let inheritable = within(inheritable, &permitted);
            let ambient = within(ambient, &inheritable);
            let sets = json!({
                "bounding": bounding, "permitted": permitted, "effective": effective,
                "inheritable": inheritable, "ambient": ambient,
            });
            Part::of(
                "process.capabilities",
                "config.process.capabilities.bounding.effect",
                vec![Edit::Set("/process/capabilities".into(), sets)],
            )
        })
        .boxed()
}

//! `linux.timeOffsets` (config-linux.md, Offset for Time Namespace).

use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::namespaces;

/// Rules about the clocks of a time namespace.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "time-offsets/clock",
        clauses: &["config-linux.timeOffsets.key"],
        page: "A time namespace shifts two clocks, `monotonic` and `boottime`. The time of day is \
               the same in all of them.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "time"}], "timeOffsets": {"boottime": {"secs": 60}}}"#
        )],
        rejects: &[(
            linux!(
                r#"{"namespaces": [{"type": "time"}], "timeOffsets": {"realtime": {"secs": 60}}}"#
            ),
            "/linux/timeOffsets/realtime",
        )],
        check: |context, found| {
            for (clock, offset) in context.linux.get("timeOffsets").members() {
                if !matches!(clock, "monotonic" | "boottime") {
                    found
                        .at_name(offset, format!("a time namespace has no clock {clock:?}"))
                        .help("one of monotonic, boottime");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "time-offsets/namespace",
        clauses: &["config-linux.timeOffsets.secs.effect"],
        page: "Offsets are those of a new time namespace: they are written before the first \
               process is in it and never again. Without `{\"type\": \"time\"}` in \
               `linux.namespaces`, or with a path beside it, they cannot be applied.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "time"}], "timeOffsets": {"boottime": {"secs": 60}}}"#
        )],
        rejects: &[
            (
                linux!(r#"{"timeOffsets": {"boottime": {"secs": 60}}}"#),
                "/linux/timeOffsets",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "time", "path": "/proc/7/ns/time"}], "timeOffsets": {"boottime": {"secs": 60}}}"#
                ),
                "/linux/timeOffsets",
            ),
        ],
        check: |context, found| {
            let offsets = context.linux.get("timeOffsets");
            if offsets.members().next().is_none() {
                return;
            }
            match namespaces::entry(context.linux, "time") {
                None => {
                    found
                        .at_name(
                            offsets,
                            "offsets without a time namespace cannot be applied",
                        )
                        .help("add `{\"type\": \"time\"}` to `linux.namespaces`");
                }
                Some(time) if !namespaces::is_new(time) => {
                    found
                        .at_name(
                            offsets,
                            "the offsets of a namespace that exists cannot be changed",
                        )
                        .related(time.get("path"), "the time namespace is joined here")
                        .help("leave the offsets out, or ask for a new time namespace");
                }
                Some(_) => {}
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "time-offsets/range",
        severity: Severity::Error,
        source: "time_namespaces(7): EINVAL, ERANGE",
        page: "`nanosecs` is the part of an offset below one second, 0 to 999999999; seconds \
               belong into `secs`, which may be negative. The shifted clock must stay between 0 \
               and half of what the kernel can count, about 146 years, so `secs` beyond \
               4611686018 can never be applied.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "time"}], "timeOffsets": {"monotonic": {"secs": -1, "nanosecs": 999999999}}}"#
        )],
        rejects: &[
            (
                linux!(
                    r#"{"namespaces": [{"type": "time"}], "timeOffsets": {"monotonic": {"nanosecs": 1000000000}}}"#
                ),
                "/linux/timeOffsets/monotonic/nanosecs",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "time"}], "timeOffsets": {"monotonic": {"secs": 4611686019}}}"#
                ),
                "/linux/timeOffsets/monotonic/secs",
            ),
        ],
        check: |context, found| {
            for (_, offset) in context.linux.get("timeOffsets").members() {
                let (secs, nanosecs) = (offset.get("secs"), offset.get("nanosecs"));
                if nanosecs
                    .as_integer()
                    .is_some_and(|number| number > 999_999_999)
                {
                    found
                        .at(
                            nanosecs,
                            format!("{} ns are a second or more", nanosecs.text()),
                        )
                        .help("at most 999999999; whole seconds belong into `secs`");
                }
                if secs
                    .as_integer()
                    .is_some_and(|number| number.abs() > MOST_SECONDS)
                {
                    found.at(
                        secs,
                        format!("no clock can be shifted by {} s", secs.text()),
                    );
                }
            }
        },
        ..Rule::SPEC
    },
];

/// Half of the seconds that the kernel's 63-bit nanoseconds hold.
const MOST_SECONDS: i128 = i64::MAX as i128 / 1_000_000_000 / 2;

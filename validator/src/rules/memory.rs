//! `linux.resources.memory` (config-linux.md, Memory).

use crate::document::Value;
use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::Rule;
use crate::rules::resources::RESOURCES;

/// Rules about limits on memory.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "memory/unlimited",
        clauses: &["config-linux.resources.memory.unlimited"],
        page: "A limit is a number of bytes, or -1 for none. Other negative numbers mean nothing.",
        accepts: &[resources!(r#"{"memory": {"limit": -1}}"#)],
        rejects: &[(
            resources!(r#"{"memory": {"limit": -1024}}"#),
            "/linux/resources/memory/limit",
        )],
        check: |context, found| {
            for name in ["limit", "reservation", "swap", "kernel", "kernelTCP"] {
                let limit = context.resources.get("memory").get(name);
                if limit.as_integer().is_some_and(|bytes| bytes < -1) {
                    found
                        .at(limit, format!("{} is no number of bytes", limit.text()))
                        .help("-1 for no limit");
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "memory/swap-covers-limit",
        severity: Severity::Error,
        source: "cgroup v1, memory.memsw.limit_in_bytes: EINVAL below memory.limit_in_bytes",
        page: "`swap` limits memory and swap together, so it cannot be below `limit`, and without \
               `limit`, or with -1, it has to be -1 too. For a container that must not swap, set \
               both to the same number.",
        accepts: &[
            resources!(r#"{"memory": {"limit": 1048576, "swap": 1048576}}"#),
            resources!(r#"{"memory": {"limit": 1048576, "swap": -1}}"#),
        ],
        rejects: &[
            (
                resources!(r#"{"memory": {"limit": 1048576, "swap": 524288}}"#),
                "/linux/resources/memory/swap",
            ),
            (
                resources!(r#"{"memory": {"swap": 524288}}"#),
                "/linux/resources/memory/swap",
            ),
        ],
        check: |context, found| {
            let memory = context.resources.get("memory");
            let (limit, swap) = (memory.get("limit"), memory.get("swap"));
            // Engines write 0 for what is not set.
            let Some(together) = swap.as_integer().filter(|bytes| *bytes > 0) else {
                return;
            };
            match limit.as_integer().filter(|bytes| *bytes != 0) {
                Some(bytes) if bytes > together => {
                    found
                        .at(
                            swap,
                            format!("memory and swap together are below the memory alone, {bytes}"),
                        )
                        .related(limit, "the limit of memory")
                        .help("`swap` counts memory too: at least the limit, or -1");
                }
                Some(bytes) if bytes < 0 => {
                    found
                        .at(
                            swap,
                            "memory and swap together are limited, memory alone is not",
                        )
                        .related(limit, "the limit of memory")
                        .help("set a limit that is not above it, or -1 here");
                }
                // In an update the limit may be what it was.
                None if !limit.is_set() && context.kind == DocumentKind::Config => {
                    found
                        .at(
                            swap,
                            "memory and swap together are limited, memory alone is not",
                        )
                        .help("set `limit` too: it must not be above `swap`");
                }
                _ => {}
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "memory/reservation-below-limit",
        severity: Severity::Note,
        source: "the kernel's document on the memory controller: soft limits",
        page: "The soft limit takes effect when memory is short, by reclaiming what a container \
               has above it. Above the hard limit there is never anything to reclaim.",
        accepts: &[resources!(
            r#"{"memory": {"limit": 2097152, "reservation": 1048576}}"#
        )],
        rejects: &[(
            resources!(r#"{"memory": {"limit": 1048576, "reservation": 2097152}}"#),
            "/linux/resources/memory/reservation",
        )],
        check: |context, found| {
            let memory = context.resources.get("memory");
            let positive = |value: Value<'_>| value.as_integer().filter(|bytes| *bytes > 0);
            let (limit, reservation) = (memory.get("limit"), memory.get("reservation"));
            if let (Some(hard), Some(soft)) = (positive(limit), positive(reservation))
                && soft > hard
            {
                found
                    .at(reservation, "a soft limit above the hard one has no effect")
                    .related(limit, "the hard limit");
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "memory/kernel-not-recommended",
        clauses: &[
            "config-linux.resources.memory.kernel.not-recommended",
            "config-linux.resources.memory.kernelTCP.not-recommended",
        ],
        page: "Limits of the kernel's memory were deprecated and then removed from the kernel \
               (5.16): `limit` counts that memory too. The specification advises against \
               `kernel` and `kernelTCP`. Leave them out.",
        accepts: &[resources!(r#"{"memory": {"limit": 1048576}}"#)],
        rejects: &[
            (
                resources!(r#"{"memory": {"kernel": 1048576}}"#),
                "/linux/resources/memory/kernel",
            ),
            (
                resources!(r#"{"memory": {"kernelTCP": -1}}"#),
                "/linux/resources/memory/kernelTCP",
            ),
        ],
        check: |context, found| {
            for (name, clause) in [
                (
                    "kernel",
                    "config-linux.resources.memory.kernel.not-recommended",
                ),
                (
                    "kernelTCP",
                    "config-linux.resources.memory.kernelTCP.not-recommended",
                ),
            ] {
                let limit = context.resources.get("memory").get(name);
                // Engines write 0 for what is not set.
                if limit.is_set() && limit.as_integer() != Some(0) {
                    found
                        .at_name(limit, format!("`{name}` is not recommended"))
                        .clause(clause)
                        .help("leave it out: `limit` counts the kernel's memory too");
                }
            }
        },
        ..RESOURCES
    },
];

//! `process.rlimits` (config.md, POSIX process).

use crate::context::Platform;
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::lists::duplicates;
use crate::rules::process::PROCESS;
use crate::structure::similar;

/// Rules about resource limits.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "rlimits/known",
        clauses: &["config.process.rlimits.type.values"],
        page: "A resource is named as in getrlimit(2), with `RLIMIT_` before it and in capitals. \
               Names as of `ulimit` and of engines' command lines (`nofile`) are not read, and \
               runtimes have to refuse them.",
        accepts: &[process_with!(
            r#""rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1}]"#
        )],
        rejects: &[
            (
                process_with!(r#""rlimits": [{"type": "nofile", "soft": 1, "hard": 1}]"#),
                "/process/rlimits/0/type",
            ),
            (
                process_with!(r#""rlimits": [{"type": "RLIMIT_FILES", "soft": 1, "hard": 1}]"#),
                "/process/rlimits/0/type",
            ),
        ],
        check: |context, found| {
            let names: &[&str] = match context.platform {
                Platform::Linux => &LINUX,
                Platform::Solaris => &SOLARIS,
                // Their manual pages are not what the text refers to.
                Platform::FreeBsd | Platform::Zos | Platform::Windows => return,
            };
            for limit in context.process.get("rlimits").items() {
                let its_type = limit.get("type");
                let Some(name) = its_type.as_str() else {
                    continue;
                };
                if names.contains(&name) || found.is_full() {
                    continue;
                }
                let draft = found.at(its_type, format!("{name:?} is no resource of getrlimit(2)"));
                if let Some(meant) = meant(name, names) {
                    draft.help(format!("did you mean `{meant}`?"));
                }
            }
        },
        ..PROCESS
    },
    Rule {
        id: "rlimits/unique",
        clauses: &["config.process.rlimits.duplicate.config"],
        page: "A resource has one soft and one hard limit. Where it is listed twice, runtimes have \
               to refuse the config.",
        accepts: &[process_with!(
            r#""rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_CPU", "soft": 9, "hard": 9}]"#
        )],
        rejects: &[(
            process_with!(
                r#""rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_CORE", "soft": 9, "hard": 9}]"#
            ),
            "/process/rlimits/1/type",
        )],
        check: |context, found| {
            let rlimits = context.process.get("rlimits");
            let types = || {
                rlimits.items().filter_map(|limit| {
                    let its_type = limit.get("type");
                    Some((its_type.as_str()?, its_type))
                })
            };
            duplicates(types, |name, first, again| {
                found
                    .at(again, format!("{name} has limits already"))
                    .related(first, "here")
                    .help("leave one of the two entries");
            });
        },
        ..PROCESS
    },
    Rule {
        id: "rlimits/soft-below-hard",
        severity: Severity::Error,
        source: "setrlimit(2): EINVAL for a soft limit that is above the hard one",
        page: "The hard limit is the ceiling of the soft one, and the kernel refuses a soft limit \
               above it.",
        accepts: &[process_with!(
            r#""rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}]"#
        )],
        rejects: &[(
            process_with!(r#""rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1025, "hard": 1024}]"#),
            "/process/rlimits/0/soft",
        )],
        check: |context, found| {
            for limit in context.process.get("rlimits").items() {
                let (soft, hard) = (limit.get("soft"), limit.get("hard"));
                if let (Some(at), Some(ceiling)) = (soft.as_integer(), hard.as_integer())
                    && at > ceiling
                {
                    found
                        .at(
                            soft,
                            format!("the soft limit {at} is above the hard limit {ceiling}"),
                        )
                        .related(hard, "the hard limit");
                }
            }
        },
        ..PROCESS
    },
];

/// Resources of getrlimit(2), Linux.
const LINUX: [&str; 16] = [
    "RLIMIT_AS",
    "RLIMIT_CORE",
    "RLIMIT_CPU",
    "RLIMIT_DATA",
    "RLIMIT_FSIZE",
    "RLIMIT_LOCKS",
    "RLIMIT_MEMLOCK",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_NOFILE",
    "RLIMIT_NPROC",
    "RLIMIT_RSS",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
    "RLIMIT_SIGPENDING",
    "RLIMIT_STACK",
];

/// Resources of getrlimit(3), Solaris.
const SOLARIS: [&str; 8] = [
    "RLIMIT_AS",
    "RLIMIT_CORE",
    "RLIMIT_CPU",
    "RLIMIT_DATA",
    "RLIMIT_FSIZE",
    "RLIMIT_NOFILE",
    "RLIMIT_STACK",
    "RLIMIT_VMEM",
];

/// The resource that was meant by an unknown name.
fn meant(name: &str, names: &[&'static str]) -> Option<&'static str> {
    let capitals = name.to_ascii_uppercase();
    let capitals = capitals.strip_prefix("RLIMIT_").unwrap_or(&capitals);
    let whole = format!("RLIMIT_{capitals}");
    let exact = names.iter().copied().find(|known| **known == whole);
    exact.or_else(|| similar(&whole, names.iter().copied()))
}

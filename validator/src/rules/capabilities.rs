//! `process.capabilities` (config.md, Linux process; capabilities(7)).

use crate::document::Value;
use crate::finding::Severity;
use crate::names::{Names, Table};
use crate::rule::{Found, Rule};
use crate::rules::process::{PROCESS, of_linux};
use crate::structure::similar;

/// Rules about sets of capabilities.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "capabilities/known",
        clauses: &["config.process.capabilities.values"],
        page: "Capabilities are named as in capabilities(7): in capitals, with `CAP_` before the \
               name. The names of engines' command lines (`net_admin`) are not read. A runtime \
               warns and leaves an unknown one out, so that the process has less than was meant.",
        accepts: &[process_with!(
            r#""capabilities": {"bounding": ["CAP_NET_ADMIN"]}"#
        )],
        rejects: &[
            (
                process_with!(r#""capabilities": {"bounding": ["net_admin"]}"#),
                "/process/capabilities/bounding/0",
            ),
            (
                process_with!(r#""capabilities": {"bounding": ["CAP_KILL", "CAP_ROOT"]}"#),
                "/process/capabilities/bounding/1",
            ),
        ],
        check: |context, found| {
            let Some(capabilities) = of_linux(context, "capabilities") else {
                return;
            };
            for set in SETS {
                for (name, entry) in capabilities.get(set).strings() {
                    if is_known(name) || found.is_full() {
                        continue;
                    }
                    let draft = found.at(entry, format!("{name:?} is none of capabilities(7)"));
                    if let Some(meant) = meant(name) {
                        draft.help(format!("did you mean `{meant}`?"));
                    }
                }
            }
        },
        ..PROCESS
    },
    Rule {
        id: "capabilities/effective-permitted",
        severity: Severity::Error,
        source: "capset(2): EPERM for an effective set that is not within the permitted one",
        page: "The effective set is the part of the permitted set that is in use. The kernel \
               refuses an effective capability that is not permitted, and the container does not \
               start. Permit it too, or leave it out.",
        accepts: &[process_with!(
            r#""capabilities": {"effective": ["CAP_KILL"], "permitted": ["CAP_KILL", "CAP_CHOWN"]}"#
        )],
        rejects: &[
            (
                process_with!(
                    r#""capabilities": {"effective": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL"]}"#
                ),
                "/process/capabilities/effective/1",
            ),
            (
                process_with!(r#""capabilities": {"effective": ["CAP_KILL"]}"#),
                "/process/capabilities/effective/0",
            ),
        ],
        check: |context, found| {
            if let Some(capabilities) = of_linux(context, "capabilities") {
                within(
                    capabilities,
                    "effective",
                    "permitted",
                    Severity::Error,
                    found,
                );
            }
        },
        ..PROCESS
    },
    Rule {
        id: "capabilities/ambient-raisable",
        severity: Severity::Warning,
        source: "capabilities(7): an ambient capability is both permitted and inheritable; \
                 PR_CAP_AMBIENT_RAISE in prctl(2): EPERM",
        page: "The ambient set keeps capabilities across the execution of a program by a user \
               other than root. The kernel puts a capability there only if it is permitted and \
               inheritable; otherwise runtimes go on without it. `runc spec` itself writes such a \
               config: list the capability in `inheritable` as well, or not in `ambient`.",
        accepts: &[process_with!(
            r#""capabilities": {"ambient": ["CAP_KILL"], "permitted": ["CAP_KILL"], "inheritable": ["CAP_KILL"]}"#
        )],
        rejects: &[
            (
                process_with!(
                    r#""capabilities": {"ambient": ["CAP_KILL"], "permitted": ["CAP_KILL"]}"#
                ),
                "/process/capabilities/ambient/0",
            ),
            (
                process_with!(
                    r#""capabilities": {"ambient": ["CAP_KILL"], "inheritable": ["CAP_KILL"]}"#
                ),
                "/process/capabilities/ambient/0",
            ),
        ],
        check: |context, found| {
            let Some(capabilities) = of_linux(context, "capabilities") else {
                return;
            };
            if !within(
                capabilities,
                "ambient",
                "permitted",
                Severity::Warning,
                found,
            ) {
                // Engines write this all the time, and it does nothing.
                within(
                    capabilities,
                    "ambient",
                    "inheritable",
                    Severity::Note,
                    found,
                );
            }
        },
        ..PROCESS
    },
    Rule {
        id: "capabilities/within-bounding",
        severity: Severity::Warning,
        source: "capabilities(7): capset(2) adds to the inheritable set only what is in the \
                 bounding set, and execve(2) permits only that",
        page: "The bounding set is the ceiling: when the program is executed, root gets of the \
               permitted capabilities those that are in it, and the inheritable set cannot be \
               given others. List the capability in `bounding` too, or leave it out.",
        accepts: &[process_with!(
            r#""capabilities": {"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"], "inheritable": ["CAP_KILL"]}"#
        )],
        rejects: &[
            (
                process_with!(
                    r#""capabilities": {"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL", "CAP_CHOWN"]}"#
                ),
                "/process/capabilities/permitted/1",
            ),
            (
                process_with!(r#""capabilities": {"inheritable": ["CAP_KILL"]}"#),
                "/process/capabilities/inheritable/0",
            ),
        ],
        check: |context, found| {
            if let Some(capabilities) = of_linux(context, "capabilities") {
                for set in ["permitted", "inheritable"] {
                    within(capabilities, set, "bounding", Severity::Warning, found);
                }
            }
        },
        ..PROCESS
    },
];

/// The sets, in the specification's order.
const SETS: [&str; 5] = [
    "effective",
    "bounding",
    "inheritable",
    "permitted",
    "ambient",
];

/// The capabilities of capabilities(7) in the order of the alphabet.
static KNOWN: Names<41> = Names::new([
    "CAP_AUDIT_CONTROL",
    "CAP_AUDIT_READ",
    "CAP_AUDIT_WRITE",
    "CAP_BLOCK_SUSPEND",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_PERFMON",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYSLOG",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_NICE",
    "CAP_SYS_PACCT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_WAKE_ALARM",
]);

fn is_known(name: &str) -> bool {
    KNOWN.has(name)
}

/// The capability that was meant by an unknown name.
fn meant(name: &str) -> Option<&'static str> {
    let capitals = name.to_ascii_uppercase();
    let capitals = capitals.strip_prefix("CAP_").unwrap_or(&capitals);
    let whole = format!("CAP_{capitals}");
    let exact = KNOWN.iter().find(|known| *known == whole);
    exact.or_else(|| similar(&whole, KNOWN.iter()))
}

/// Tells of a set that is not within another one, once for all that is missing, at the first of
/// it. Unknown names count for nothing: runtimes leave them out.
fn within(
    capabilities: Value<'_>,
    inner: &str,
    outer: &str,
    severity: Severity,
    found: &mut Found<'_>,
) -> bool {
    let entries = || {
        let known = |(name, _): &(&str, Value<'_>)| is_known(name);
        capabilities.get(inner).strings().filter(known)
    };
    let ceiling = capabilities.get(outer);
    // Engines write the same list for several sets.
    let same = |(one, _): (&str, Value<'_>), other: Option<(&str, Value<'_>)>| {
        other.is_some_and(|(other, _)| one == other)
    };
    let mut others = ceiling.strings();
    if entries().all(|entry| same(entry, others.next())) {
        return false;
    }
    let ceiling: Table<&str, ()> = ceiling.strings().map(|(name, _)| (name, ())).collect();
    let mut missing = entries().filter(|(name, _)| !ceiling.contains_key(name));
    let Some((name, entry)) = missing.next() else {
        return false;
    };
    let others = match missing.count() {
        0 => String::new(),
        1 => " and another one".into(),
        count => format!(" and {count} others"),
    };
    let draft = found
        .at(
            entry,
            format!("{name}{others} in `{inner}`, but not in `{outer}`"),
        )
        .only(severity);
    let list = capabilities.get(outer);
    if list.is_set() {
        draft.related(list, format!("what is {outer}"));
    } else {
        draft.help(format!(
            "a set that is not there is empty: list it in `{outer}`, too"
        ));
    }
    true
}

//! Filters of system calls that let too much through.

use super::{SECURITY, is_container};
use crate::context::Context;
use crate::document::Value;
use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::Rule;

const SECCOMP: Rule = Rule {
    kinds: &[DocumentKind::Config, DocumentKind::Seccomp],
    ..SECURITY
};

/// Rules about seccomp.
pub(in crate::rules) static RULES: &[Rule] = &[
    Rule {
        id: "security/seccomp-present",
        source: "the default profiles of Docker, Podman and containerd; CVE-2022-0185",
        page: "Without a filter the container can make every system call, some hundred of which no \
               ordinary program uses. Faults in such calls are the usual way out of a container. \
               Take the default profile of an engine.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}"#
        )],
        rejects: &[(linux!("{}"), "/linux")],
        check: |context, found| {
            if is_container(context) && !context.seccomp.is_set() {
                let place = if context.linux.is_set() {
                    context.linux
                } else {
                    context.root
                };
                found
                    .lacking(
                        place,
                        "no filter of system calls: `linux.seccomp` is missing",
                    )
                    .help("the default profile of an engine");
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/seccomp-filters",
        source: "seccomp(2)",
        page: "The filter allows what no rule names, and no rule forbids anything: it is there and \
               does nothing. Let the default be SCMP_ACT_ERRNO and name what is allowed.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]}"#
        )],
        rejects: &[
            (
                seccomp!(r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#),
                "/linux/seccomp/defaultAction",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}"#
                ),
                "/linux/seccomp/defaultAction",
            ),
        ],
        check: |context, found| {
            let default = context.seccomp.get("defaultAction");
            let forbids = context
                .seccomp
                .get("syscalls")
                .items()
                .any(|rule| !lets_through(rule.get("action")));
            if lets_through(default) && default.is_set() && !forbids {
                found.at(default, "the filter lets every system call through");
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "security/seccomp-risky-call",
        severity: Severity::Note,
        source: "the calls that Docker's default profile leaves out; CVE-2016-0728 (keyctl), \
                 CVE-2022-29582 (io_uring), keyrings(7), userfaultfd(2)",
        page: "The profile allows a call that ordinary programs do not need and that has led out of \
               containers: keys of the kernel are not of a namespace, userfaultfd helps to win \
               races in the kernel, io_uring does its work past the filter, and kexec, modules and \
               BPF are the kernel itself. Leave it out unless the program fails without it. \
               Profiles that engines made before 2023 allow io_uring.",
        accepts: &[
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}]}"#
            ),
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["keyctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}"#
            ),
        ],
        rejects: &[(
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "keyctl", "userfaultfd"], "action": "SCMP_ACT_ALLOW"}]}"#
            ),
            "/linux/seccomp/syscalls/0/names/1",
        )],
        check: |context, found| {
            if lets_through(context.seccomp.get("defaultAction")) {
                return;
            }
            let risky = || {
                let rules = context.seccomp.get("syscalls").items();
                rules
                    .filter(|rule| {
                        lets_through(rule.get("action"))
                            && rule.get("args").items().next().is_none()
                    })
                    .flat_map(|rule| rule.get("names").strings())
                    .filter(|(name, _)| is_risky(context, name))
            };
            // One finding, at the first: a profile that allows one usually allows them all.
            if let Some((name, first)) = risky().next() {
                let all: Vec<&str> = risky().map(|(name, _)| name).take(RISKY.len()).collect();
                found
                    .at(first, format!("the filter lets {name} through"))
                    .help(format!(
                        "leave out what the program works without: {}",
                        all.join(", ")
                    ));
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "security/seccomp-spec-allow",
        source: "seccomp(2): SECCOMP_FILTER_FLAG_SPEC_ALLOW; CVE-2018-3639",
        page: "The flag switches the protection against speculative store bypass (Spectre 4) off \
               for the container. It makes some programs faster; keep it for such as hold no \
               secrets and run nobody else's code.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "flags": ["SECCOMP_FILTER_FLAG_LOG"]}"#
        )],
        rejects: &[(
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ERRNO", "flags": ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}"#
            ),
            "/linux/seccomp/flags/0",
        )],
        check: |context, found| {
            for (name, flag) in context.seccomp.get("flags").strings() {
                if name == "SECCOMP_FILTER_FLAG_SPEC_ALLOW" {
                    found.at(flag, "this switches the protection against Spectre 4 off");
                }
            }
        },
        ..SECCOMP
    },
];

/// Calls in the order of the alphabet, and the capability for which engines' profiles allow them;
/// without one none does by itself.
const RISKY: [(&str, &str); 16] = [
    ("add_key", ""),
    ("bpf", "CAP_BPF"),
    ("delete_module", "CAP_SYS_MODULE"),
    ("finit_module", "CAP_SYS_MODULE"),
    ("init_module", "CAP_SYS_MODULE"),
    ("io_uring_enter", ""),
    ("io_uring_register", ""),
    ("io_uring_setup", ""),
    ("kexec_file_load", ""),
    ("kexec_load", ""),
    ("keyctl", ""),
    ("nfsservctl", ""),
    ("open_by_handle_at", "CAP_DAC_READ_SEARCH"),
    ("perf_event_open", "CAP_PERFMON"),
    ("request_key", ""),
    ("userfaultfd", ""),
];

/// Whether the call is risky, and not there for a capability that has a finding of its own.
fn is_risky(context: &Context<'_>, call: &str) -> bool {
    let Ok(place) = RISKY.binary_search_by(|(name, _)| (*name).cmp(call)) else {
        return false;
    };
    let capability = RISKY[place].1;
    let bounding = context.process.get("capabilities").get("bounding");
    let held = |one: &str| bounding.strings().any(|(name, _)| name == one);
    capability.is_empty() || !(held(capability) || held("CAP_SYS_ADMIN"))
}

/// Whether the action lets the call happen.
fn lets_through(action: Value<'_>) -> bool {
    matches!(action.as_str(), Some("SCMP_ACT_ALLOW" | "SCMP_ACT_LOG"))
}

#[cfg(test)]
mod tests {
    use super::RISKY;

    #[test]
    fn risky_calls_are_in_the_order_of_the_alphabet() {
        assert!(RISKY.is_sorted_by(|(one, _), (other, _)| one < other));
    }
}

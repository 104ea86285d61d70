//! `linux.seccomp` (config-linux.md, Seccomp): of a config, and a profile alone.

use crate::context::Context;
use crate::document::Value;
use crate::finding::Severity;
use crate::names::Table;
use crate::options::DocumentKind;
use crate::rule::Rule;
use crate::rules::lists::duplicates;

const SECCOMP: Rule = Rule {
    kinds: &[DocumentKind::Config, DocumentKind::Seccomp],
    ..Rule::SPEC
};

/// Rules about filters of system calls.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "seccomp/errno-by-action",
        clauses: &[
            "config-linux.seccomp.syscalls.errnoRet.unsupported",
            "config-linux.seccomp.defaultErrnoRet.unsupported",
        ],
        page: "Only `SCMP_ACT_ERRNO` and `SCMP_ACT_TRACE` hand a number on. With any other action \
               `errnoRet` has no meaning, and a runtime has to refuse it.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_TRACE", "errnoRet": 1}]}"#
        )],
        rejects: &[
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1}]}"#
                ),
                "/linux/seccomp/syscalls/0/errnoRet",
            ),
            (
                seccomp!(r#"{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}"#),
                "/linux/seccomp/defaultErrnoRet",
            ),
        ],
        check: |context, found| {
            let profile = context.seccomp;
            let of_rules = profile.get("syscalls").items().map(|rule| {
                let clause = "config-linux.seccomp.syscalls.errnoRet.unsupported";
                (rule.get("action"), rule.get("errnoRet"), clause)
            });
            let of_default = (
                profile.get("defaultAction"),
                profile.get("defaultErrnoRet"),
                "config-linux.seccomp.defaultErrnoRet.unsupported",
            );
            for (action, errno, clause) in std::iter::once(of_default).chain(of_rules) {
                if let Some(name) = action.as_str()
                    && errno.is_set()
                    && ACTIONS_WITHOUT_ERRNO.contains(&name)
                {
                    found
                        .at(errno, format!("{name} returns no errno"))
                        .clause(clause)
                        .related(action, "the action")
                        .help("leave it out");
                }
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/errno-range",
        severity: Severity::Error,
        source: "seccomp(2): SECCOMP_RET_DATA has 16 bits, and an errno is 4095 at most",
        page: "What an action hands on has 16 bits. An errno is 4095 at most: the kernel returns \
               4095 for a higher one.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4095}"#
        )],
        rejects: &[
            (
                seccomp!(r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096}"#),
                "/linux/seccomp/defaultErrnoRet",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_TRACE", "errnoRet": 65536}]}"#
                ),
                "/linux/seccomp/syscalls/0/errnoRet",
            ),
        ],
        check: |context, found| {
            let profile = context.seccomp;
            let rules = profile.get("syscalls").items();
            let of_rules = rules.map(|rule| (rule.get("action"), rule.get("errnoRet")));
            let of_default = (profile.get("defaultAction"), profile.get("defaultErrnoRet"));
            for (action, errno) in std::iter::once(of_default).chain(of_rules) {
                match (action.as_str(), errno.as_integer()) {
                    (Some("SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE"), Some(65_536..)) => {
                        found.at(errno, format!("{} does not fit in 16 bits", errno.text()));
                    }
                    (Some("SCMP_ACT_ERRNO"), Some(4096..)) => {
                        found
                            .at(
                                errno,
                                format!("{} is no errno: the kernel returns 4095", errno.text()),
                            )
                            .only(Severity::Warning);
                    }
                    _ => {}
                }
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/listener",
        clauses: &["config-linux.seccomp.action.NOTIFY.effect"],
        page: "`SCMP_ACT_NOTIFY` asks an agent, which the runtime finds at `listenerPath`. Without \
               it nobody would answer, and the calls would wait for ever or fail.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent.sock", "syscalls": [{"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}]}"#
        )],
        rejects: &[(
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}]}"#
            ),
            "/linux/seccomp/syscalls/0/action",
        )],
        check: |context, found| {
            if let Some(action) = notifying(context.seccomp)
                && listener(context.seccomp).is_none()
                // Engines add the path to a profile when they make a config of it.
                && context.kind == DocumentKind::Config
            {
                found
                    .at(
                        action,
                        "the action needs an agent, and `listenerPath` is missing",
                    )
                    .help("`listenerPath`: the socket of the agent that answers");
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/listener-unused",
        clauses: &["config-linux.seccomp.listener.ignored"],
        page: "No rule has the action `SCMP_ACT_NOTIFY`, and without it `listenerPath` is ignored: \
               the agent is never called.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent.sock", "syscalls": [{"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}]}"#
        )],
        rejects: &[(
            seccomp!(r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent.sock"}"#),
            "/linux/seccomp/listenerPath",
        )],
        check: |context, found| {
            if let Some(path) = listener(context.seccomp)
                && notifying(context.seccomp).is_none()
            {
                // The clause binds runtimes: the document is allowed.
                found
                    .at(
                        path,
                        "no action is SCMP_ACT_NOTIFY: the agent is never called",
                    )
                    .only(Severity::Note);
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/listener-path",
        severity: Severity::Error,
        source: "unix(7): a path in sun_path has 107 bytes at most",
        page: "The address of a socket has room for a path of 107 bytes.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/agent.sock"}"#
        )],
        rejects: &[(
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345/a"}"#
            ),
            "/linux/seccomp/listenerPath",
        )],
        check: |context, found| {
            if let Some(path) = listener(context.seccomp)
                && let Some(text) = path.as_str()
                && text.len() > 107
            {
                found.at(
                    path,
                    format!("a path of {} bytes: a socket's has 107 at most", text.len()),
                );
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/listener-metadata",
        clauses: &["config-linux.seccomp.listenerMetadata.needs-path"],
        page: "`listenerMetadata` is for the agent at `listenerPath`, and must not be set without \
               it.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/agent.sock", "listenerMetadata": "m"}"#
        )],
        rejects: &[(
            seccomp!(r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "m"}"#),
            "/linux/seccomp/listenerMetadata",
        )],
        check: |context, found| {
            let metadata = context.seccomp.get("listenerMetadata");
            if metadata.as_str().is_some_and(|text| !text.is_empty())
                && listener(context.seccomp).is_none()
            {
                found
                    .at(metadata, "metadata for an agent, and no `listenerPath`")
                    .help("set `listenerPath` too, or leave this out");
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/notify-deadlock",
        severity: Severity::Warning,
        source: "seccomp_unotify(2): the caller waits until the agent answers",
        page: "Once the filter is loaded, the runtime itself has to write or send the listener to \
               the agent. If that very call is notified, or all are by default, the runtime waits \
               for an agent that waits for the runtime. Runtimes refuse it.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent.sock", "syscalls": [{"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}]}"#
        )],
        rejects: &[
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": "/run/agent.sock"}"#
                ),
                "/linux/seccomp/defaultAction",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent.sock", "syscalls": [{"names": ["mknod", "sendmsg"], "action": "SCMP_ACT_NOTIFY"}]}"#
                ),
                "/linux/seccomp/syscalls/0/names/1",
            ),
        ],
        check: |context, found| {
            let default = context.seccomp.get("defaultAction");
            if default.as_str() == Some(NOTIFY) {
                found.at(
                    default,
                    "every call would wait for the agent, those of the runtime too",
                );
            }
            for rule in context.seccomp.get("syscalls").items() {
                if rule.get("action").as_str() != Some(NOTIFY) {
                    continue;
                }
                for (name, value) in rule.get("names").strings() {
                    if matches!(name, "write" | "sendmsg") {
                        found.at(
                            value,
                            format!("the runtime needs {name} to reach the agent"),
                        );
                    }
                }
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/flag-needs-notify",
        severity: Severity::Error,
        source: "seccomp(2): EINVAL for SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV without a listener",
        page: "`SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV` is about calls that wait for an agent. \
               Without an action `SCMP_ACT_NOTIFY` there is no listener, and the kernel refuses \
               the flag.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], "listenerPath": "/run/agent.sock", "syscalls": [{"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}]}"#
        )],
        rejects: &[(
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}"#
            ),
            "/linux/seccomp/flags/0",
        )],
        check: |context, found| {
            let flags = context.seccomp.get("flags").strings();
            let mut flags = flags.filter(|(name, _)| *name == WAIT_KILLABLE_RECV);
            if let Some((_, flag)) = flags.next()
                && notifying(context.seccomp).is_none()
            {
                found.at(flag, "the flag needs an action SCMP_ACT_NOTIFY");
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/argument-index",
        severity: Severity::Error,
        source: "seccomp(2): struct seccomp_data has six arguments",
        page: "A system call has six arguments at most, with the numbers 0 to 5.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["mmap"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 5, "value": 0, "op": "SCMP_CMP_EQ"}]}]}"#
        )],
        rejects: &[(
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["mmap"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]}"#
            ),
            "/linux/seccomp/syscalls/0/args/0/index",
        )],
        check: |context, found| {
            for argument in arguments(context) {
                let index = argument.get("index");
                if index.as_integer().is_some_and(|number| number > 5) {
                    found
                        .at(
                            index,
                            format!("a system call has no argument {}", index.text()),
                        )
                        .help("from 0 to 5");
                }
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/value-two",
        severity: Severity::Warning,
        source: "seccomp_rule_add(3): SCMP_CMP_MASKED_EQ alone has two values",
        page: "`valueTwo` is what `SCMP_CMP_MASKED_EQ` compares with, after it has masked the \
               argument with `value`. Other operators do not look at it. A bit of `valueTwo` that \
               is not in the mask can never be there, and the rule never matches.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 255, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"}, {"index": 1, "value": 1, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]}]}"#
        )],
        rejects: &[
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "valueTwo": 3, "op": "SCMP_CMP_EQ"}]}]}"#
                ),
                "/linux/seccomp/syscalls/0/args/0/valueTwo",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"}]}]}"#
                ),
                "/linux/seccomp/syscalls/0/args/0/valueTwo",
            ),
        ],
        check: |context, found| {
            for argument in arguments(context) {
                let second = argument.get("valueTwo");
                // Engines write 0 for what is not set.
                let Some(number) = second.as_integer().filter(|number| *number != 0) else {
                    continue;
                };
                let op = argument.get("op");
                match (op.as_str(), argument.get("value").as_integer()) {
                    (Some("SCMP_CMP_MASKED_EQ"), Some(mask)) if number & !mask != 0 => {
                        found
                            .at(
                                second,
                                "it has bits that the mask has not: the rule never matches",
                            )
                            .related(argument.get("value"), "the mask");
                    }
                    (Some(name), _) if name != "SCMP_CMP_MASKED_EQ" => {
                        found
                            .at(second, format!("{name} does not look at `valueTwo`"))
                            .related(op, "the operator");
                    }
                    _ => {}
                }
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/argument-unique",
        severity: Severity::Warning,
        source: "seccomp_rule_add(3): EINVAL for two comparisons of one argument",
        page: "libseccomp takes one comparison of each argument in a rule. Runtimes make several \
               rules of it then, of which one has to match, where `args` otherwise means that all \
               have to. Write several rules, or one comparison.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}]}]}"#
        )],
        rejects: &[(
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_GE"}, {"index": 0, "value": 9, "op": "SCMP_CMP_LE"}]}]}"#
            ),
            "/linux/seccomp/syscalls/0/args/1/index",
        )],
        check: |context, found| {
            for rule in context.seccomp.get("syscalls").items() {
                let indices = || {
                    let indices = rule.get("args").items().map(|one| one.get("index"));
                    indices.filter_map(|index| Some((index.as_integer()?, index)))
                };
                duplicates(indices, |number, first, again| {
                    found
                        .at(
                            again,
                            format!("a second comparison of the argument {number}"),
                        )
                        .related(first, "the first one")
                        .help("a rule for each, if one of them is enough");
                });
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/unique",
        severity: Severity::Note,
        source: "each name has its effect once",
        page: "A name stands twice in one list: of system calls, architectures or flags. It has no \
               effect the second time.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]}"#
        )],
        rejects: &[
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86_64"]}"#
                ),
                "/linux/seccomp/architectures/1",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["write", "read", "write"], "action": "SCMP_ACT_ERRNO"}]}"#
                ),
                "/linux/seccomp/syscalls/0/names/2",
            ),
        ],
        check: |context, found| {
            let profile = context.seccomp;
            let lists = [profile.get("architectures"), profile.get("flags")];
            let names = profile
                .get("syscalls")
                .items()
                .map(|rule| rule.get("names"));
            for list in lists.into_iter().chain(names) {
                duplicates(
                    || list.strings(),
                    |name, first, again| {
                        found
                            .at(again, format!("{name} stands twice"))
                            .related(first, "the first one");
                    },
                );
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/syscall-name",
        severity: Severity::Warning,
        source: "syscalls(2): names are written in small letters",
        page: "Names of system calls are made of small letters, digits and underscores, without \
               `sys_` or `__NR_` in front. Runtimes skip names that they do not know, because \
               another kernel may have them, so a slip of this kind leaves a rule without effect.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["_llseek", "sysinfo"], "action": "SCMP_ACT_ERRNO"}]}"#
        )],
        rejects: &[
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["open", "Read"], "action": "SCMP_ACT_ERRNO"}]}"#
                ),
                "/linux/seccomp/syscalls/0/names/1",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["sys_read"], "action": "SCMP_ACT_ERRNO"}]}"#
                ),
                "/linux/seccomp/syscalls/0/names/0",
            ),
        ],
        check: |context, found| {
            for rule in context.seccomp.get("syscalls").items() {
                for (name, value) in rule.get("names").strings() {
                    let letters = |byte: u8| {
                        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
                    };
                    if name.is_empty() || name.starts_with("sys_") || !name.bytes().all(letters) {
                        found
                            .at(value, format!("no system call is called {name:?}"))
                            .help("as section 2 of the manual has it: `openat`");
                    }
                }
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/rules-agree",
        severity: Severity::Note,
        source: "seccomp_rule_add(3): a second rule for one call is an error or has no effect",
        page: "Two rules without arguments want different things for one system call. Which of \
               them holds differs by runtime. Keep one.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "clone"], "action": "SCMP_ACT_ALLOW"}, {"names": ["clone"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}"#
        )],
        rejects: &[(
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "clone"], "action": "SCMP_ACT_ALLOW"}, {"names": ["clone"], "action": "SCMP_ACT_KILL"}]}"#
            ),
            "/linux/seccomp/syscalls/1/names/0",
        )],
        check: |context, found| {
            let rules: Vec<_> = context
                .seccomp
                .get("syscalls")
                .items()
                .filter(is_unconditional)
                .map(|rule| (verdict(rule), rule.get("names")))
                .collect();
            let Some((common, _)) = rules.first() else {
                return;
            };
            // Mostly one long list allows and few short ones do something else: these go into the
            // table, and the long list is looked up in it, or rather in marks that tell most names
            // apart, since nearly none is there.
            let mut table = Table::default();
            let mut marks = Marks::default();
            for (verdict, names) in rules.iter().filter(|(verdict, _)| verdict != common) {
                for (name, value) in names.strings() {
                    match table.get(name) {
                        Some((other, place)) if *other != verdict => {
                            disagree(found, name, *place, value);
                        }
                        _ => {
                            table.insert(name, (verdict, value));
                            marks.set(name);
                        }
                    }
                }
            }
            if table.is_empty() {
                return;
            }
            for (_, names) in rules.iter().filter(|(verdict, _)| verdict == common) {
                for (name, value) in names.strings() {
                    if marks.may_have(name)
                        && let Some((_, place)) = table.get(name)
                    {
                        disagree(found, name, value, *place);
                    }
                }
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/rule-differs",
        severity: Severity::Note,
        source: "seccomp_rule_add(3): EACCES for a rule with the action of the filter",
        page: "A rule does what the default does, so it has no effect. libseccomp refuses such \
               rules, and runtimes leave them out.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}"#
        )],
        rejects: &[(
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}"#
            ),
            "/linux/seccomp/syscalls/0/action",
        )],
        check: |context, found| {
            let default = context.seccomp.get("defaultAction");
            let verdict_of_default = (
                default.as_str(),
                errno(default, context.seccomp.get("defaultErrnoRet")),
            );
            // Before there were numbers in documents, runtimes took them all the same.
            let numbers = context.from_version(1, 1, 0);
            for rule in context.seccomp.get("syscalls").items() {
                if default.as_str().is_some()
                    && verdict(rule) == verdict_of_default
                    && (numbers || !takes_errno(default))
                {
                    found
                        .at(rule.get("action"), "the rule does what the default does")
                        .related(default, "the default");
                }
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "seccomp/something-allowed",
        severity: Severity::Warning,
        source: "config-linux.md, Seccomp: some default actions are not useful without rules",
        page: "The default refuses every system call, and no rule lets any pass. A program cannot \
               even begin, or end, under such a filter.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_KILL", "syscalls": [{"names": ["execve", "exit_group"], "action": "SCMP_ACT_ALLOW"}]}"#
        )],
        rejects: &[(
            seccomp!(r#"{"defaultAction": "SCMP_ACT_KILL"}"#),
            "/linux/seccomp/defaultAction",
        )],
        check: |context, found| {
            let default = context.seccomp.get("defaultAction");
            let passes = |action: Value<'_>| !matches!(action.as_str(), Some(name) if REFUSING.contains(&name));
            let mut rules = context.seccomp.get("syscalls").items();
            if !passes(default) && !rules.any(|rule| passes(rule.get("action"))) {
                found
                    .at(default, "no rule lets a system call pass: nothing can run")
                    .help(
                        "rules with the action SCMP_ACT_ALLOW for the calls that the program needs",
                    );
            }
        },
        ..SECCOMP
    },
];

const NOTIFY: &str = "SCMP_ACT_NOTIFY";
const WAIT_KILLABLE_RECV: &str = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";

/// Actions that hand no number on.
const ACTIONS_WITHOUT_ERRNO: [&str; 7] = [
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
    NOTIFY,
];

/// Actions after which the call has not been made.
const REFUSING: [&str; 5] = [
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
];

/// The path of the agent. An empty one is how engines write none.
fn listener(profile: Value<'_>) -> Option<Value<'_>> {
    let path = profile.get("listenerPath");
    path.as_str().filter(|path| !path.is_empty()).map(|_| path)
}

/// The first action that asks the agent.
fn notifying(profile: Value<'_>) -> Option<Value<'_>> {
    let of_rules = profile
        .get("syscalls")
        .items()
        .map(|rule| rule.get("action"));
    std::iter::once(profile.get("defaultAction"))
        .chain(of_rules)
        .find(|action| action.as_str() == Some(NOTIFY))
}

fn arguments<'d>(context: &Context<'d>) -> impl Iterator<Item = Value<'d>> + use<'d> {
    let rules = context.seccomp.get("syscalls").items();
    rules.flat_map(|rule| rule.get("args").items())
}

fn is_unconditional(rule: &Value<'_>) -> bool {
    rule.get("args").items().next().is_none()
}

/// What a rule does with a call.
fn verdict<'d>(rule: Value<'d>) -> (Option<&'d str>, i128) {
    let action = rule.get("action");
    (action.as_str(), errno(action, rule.get("errnoRet")))
}

/// The number that an action hands on: EPERM unless another is given.
fn errno(action: Value<'_>, errno: Value<'_>) -> i128 {
    match takes_errno(action) {
        true => errno.as_integer().unwrap_or(1),
        false => 0,
    }
}

fn takes_errno(action: Value<'_>) -> bool {
    matches!(action.as_str(), Some("SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE"))
}

/// Bits of which each name sets one: a name whose bit is not set was not there.
#[derive(Default)]
struct Marks([u64; 16]);

impl Marks {
    fn place(name: &str) -> (usize, u64) {
        let hash = oci_runtime_schemas::brief(name.as_bytes()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((hash >> 60) as usize, 1 << (hash >> 54 & 63))
    }

    fn set(&mut self, name: &str) {
        let (word, bit) = Marks::place(name);
        self.0[word] |= bit;
    }

    fn may_have(&self, name: &str) -> bool {
        let (word, bit) = Marks::place(name);
        self.0[word] & bit != 0
    }
}

fn disagree(found: &mut crate::rule::Found<'_>, name: &str, one: Value<'_>, other: Value<'_>) {
    let (first, again) = if one.span().start < other.span().start {
        (one, other)
    } else {
        (other, one)
    };
    found
        .at(
            again,
            format!("another rule does something else with {name}"),
        )
        .related(first, "the other rule");
}

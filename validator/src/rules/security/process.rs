//! The process, its root filesystem and its hooks.

use super::{PROCESS, SECURITY, has_user_namespace, is_below, is_container};
use crate::document::Kind;
use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::Rule;

/// Rules about the process, the root filesystem and hooks.
pub(in crate::rules) static RULES: &[Rule] = &[
    Rule {
        id: "security/no-new-privileges",
        severity: Severity::Note,
        source: "PR_SET_NO_NEW_PRIVS(2const)",
        page: "With `noNewPrivileges` set-user-ID programs and file capabilities give nothing, so a \
               process cannot become more than it was started as. Most services do not notice; sudo, \
               su and old versions of ping do.",
        accepts: &[process_with!(r#""noNewPrivileges": true"#)],
        rejects: &[
            (process_with!(r#""terminal": false"#), "/process"),
            (
                process_with!(r#""noNewPrivileges": false"#),
                "/process/noNewPrivileges",
            ),
        ],
        check: |context, found| {
            let process = context.process;
            let set = process.get("noNewPrivileges");
            if context.is_linux() && process.kind() == Kind::Object && set.as_bool() != Some(true) {
                let place = if set.is_set() { set } else { process };
                found
                    .lacking(
                        place,
                        "programs with set-user-ID give the process new privileges",
                    )
                    .help("`\"noNewPrivileges\": true`");
            }
        },
        ..PROCESS
    },
    Rule {
        id: "security/root-user",
        severity: Severity::Note,
        source: "credentials(7), user_namespaces(7)",
        page: "The process is root, and without a user namespace that is root of the host: what \
               keeps it in are capabilities, filters and mounts alone. Give `process.user` an ID \
               of its own, or the container a user namespace.",
        accepts: &[
            process_with!(r#""user": {"uid": 1000, "gid": 1000}"#),
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": ["sh"], "user": {"uid": 0, "gid": 0}}, "linux": {"namespaces": [{"type": "user"}]}}"#,
        ],
        rejects: &[(
            process_with!(r#""user": {"uid": 0, "gid": 0}"#),
            "/process/user/uid",
        )],
        check: |context, found| {
            let uid = context.process.get("user").get("uid");
            if is_container(context) && uid.as_integer() == Some(0) && !has_user_namespace(context)
            {
                found.at(uid, "the process is root, on the host too");
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/oom-score-negative",
        source: "proc_pid_oom_score_adj(5)",
        page: "With a negative value the kernel kills other processes of the host before this one \
               when memory runs out, whoever used it up; -1000 means never. Engines give it to \
               their own helpers. Leave it at 0 or above for what runs in containers.",
        accepts: &[process_with!(r#""oomScoreAdj": 100"#)],
        rejects: &[(
            process_with!(r#""oomScoreAdj": -500"#),
            "/process/oomScoreAdj",
        )],
        check: |context, found| {
            let score = context.process.get("oomScoreAdj");
            if let Some(number) = score.as_integer()
                && number < 0
            {
                found.at(
                    score,
                    "the kernel kills processes of the host before this one",
                );
            }
        },
        ..PROCESS
    },
    Rule {
        id: "security/apparmor-unconfined",
        source: "apparmor(7)",
        page: "`unconfined` takes the process out of AppArmor altogether, while leaving the property \
               out leaves the choice to the runtime. Name the profile of an engine \
               (`docker-default`, `containers-default-VERSION`) or one of its own.",
        accepts: &[process_with!(r#""apparmorProfile": "docker-default""#)],
        rejects: &[(
            process_with!(r#""apparmorProfile": "unconfined""#),
            "/process/apparmorProfile",
        )],
        check: |context, found| {
            let profile = context.process.get("apparmorProfile");
            if profile.as_str() == Some("unconfined") {
                found.at(profile, "AppArmor does not confine the process");
            }
        },
        ..PROCESS
    },
    Rule {
        id: "security/selinux-unconfined",
        source: "container_selinux(8): spc_t",
        page: "Processes of the types `spc_t` and `unconfined_t` may do what SELinux forbids \
               containers. Use `container_t`, or a type made for this container (udica(8)).",
        accepts: &[process_with!(
            r#""selinuxLabel": "system_u:system_r:container_t:s0:c1,c2""#
        )],
        rejects: &[(
            process_with!(r#""selinuxLabel": "system_u:system_r:spc_t:s0""#),
            "/process/selinuxLabel",
        )],
        check: |context, found| {
            let label = context.process.get("selinuxLabel");
            let its_type = label.as_str().and_then(|label| label.split(':').nth(2));
            if matches!(
                its_type,
                Some("spc_t" | "unconfined_t" | "unconfined_service_t")
            ) {
                found.at(label, "SELinux does not confine the process");
            }
        },
        ..PROCESS
    },
    Rule {
        id: "security/secret-in-environment",
        source: "proc_pid_environ(5); CWE-526",
        page: "The name says that this is a password or a key. The environment of a process is in \
               config.json, in the engine's inspection, in /proc for every process of the same \
               user, and in the environment of all that it starts. Put the secret into a file on a \
               tmpfs and name the file (many programs read `NAME_FILE`).",
        accepts: &[process_with!(
            r#""env": ["PATH=/bin", "DB_PASSWORD_FILE=/run/secrets/db", "API_TOKEN=", "KEYMAP=de"]"#
        )],
        rejects: &[
            (
                process_with!(r#""env": ["PATH=/bin", "DB_PASSWORD=x"]"#),
                "/process/env/1",
            ),
            (
                process_with!(r#""env": ["AWS_SECRET_ACCESS_KEY=x"]"#),
                "/process/env/0",
            ),
        ],
        check: |context, found| {
            for (entry, value) in context.process.get("env").strings() {
                // The value is not repeated in the message: reports go further than configs.
                if let Some((name, secret)) = entry.split_once('=')
                    && !secret.is_empty()
                    && is_secret(name)
                {
                    found
                        .at(value, format!("{name} looks like a secret"))
                        .help("a file on a tmpfs, and its path in the environment");
                }
            }
        },
        ..PROCESS
    },
    Rule {
        id: "security/personality-flags",
        source: "personality(2)",
        page: "These flags switch protections off: addresses become predictable, data executable, \
               and the page at 0 can be mapped. Leave `flags` empty.",
        accepts: &[linux!(r#"{"personality": {"domain": "LINUX32"}}"#)],
        rejects: &[(
            linux!(r#"{"personality": {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}}"#),
            "/linux/personality/flags/0",
        )],
        check: |context, found| {
            for (name, flag) in context.linux.get("personality").get("flags").strings() {
                if WEAKENING.contains(&name) {
                    found.at(flag, format!("{name} switches a protection off"));
                }
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/rootfs-writable",
        severity: Severity::Note,
        source: "config.md, Root",
        page: "In a read-only root filesystem an intruder cannot replace programs or leave \
               something behind. Set `root.readonly`, with a tmpfs or a volume where the program \
               writes.",
        accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs", "readonly": true}}"#],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#,
            "/root",
        )],
        check: |context, found| {
            let root = context.root.get("root");
            if context.is_posix()
                && root.kind() == Kind::Object
                && root.get("readonly").as_bool() != Some(true)
            {
                found.lacking(root, "the root filesystem can be written");
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/rootfs-of-host",
        severity: Severity::Error,
        source: "config.md, Root",
        page: "The container's root filesystem is the host's own root directory: all its files are \
               there, and can be written if it is not read-only. Give it a directory of its own.",
        accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "/srv/rootfs"}}"#],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "/"}}"#,
            "/root/path",
        )],
        check: |context, found| {
            let path = context.root.get("root").get("path");
            if context.is_posix()
                && path
                    .as_str()
                    .is_some_and(|path| !path.is_empty() && path.bytes().all(|byte| byte == b'/'))
            {
                found.at(
                    path,
                    "the host's root directory is the container's root filesystem",
                );
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/hook-path",
        severity: Severity::Error,
        source: "config.md, POSIX-platform Hooks: hooks run in the runtime's namespaces",
        page: "Hooks run on the host with the runtime's rights. A program in the container's root \
               filesystem can be replaced by the container, and one in a directory that everybody \
               writes (/tmp) by everybody. Keep hooks where only root writes. `startContainer` \
               hooks run in the container and are not meant.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "/srv/root"}, "hooks": {"createRuntime": [{"path": "/usr/libexec/hook"}], "startContainer": [{"path": "/tmp/a"}]}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "/srv/root"}, "hooks": {"createRuntime": [{"path": "/srv/root/bin/hook"}]}}"#,
                "/hooks/createRuntime/0/path",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hooks": {"poststop": [{"path": "/bin/true"}, {"path": "/tmp/hook"}]}}"#,
                "/hooks/poststop/1/path",
            ),
        ],
        check: |context, found| {
            let root = context.root.get("root").get("path");
            let root_path = root
                .as_str()
                .filter(|path| path.starts_with('/') && path.len() > 1);
            for (kind, hooks) in context.root.get("hooks").members() {
                if kind == "startContainer" {
                    continue;
                }
                for hook in hooks.items() {
                    let program = hook.get("path");
                    let Some(path) = program.as_str() else {
                        continue;
                    };
                    if root_path.is_some_and(|root| is_below(path, root.trim_end_matches('/'))) {
                        found
                            .at(
                                program,
                                "the container can replace a program that runs on the host",
                            )
                            .related(root, "it is in the root filesystem");
                    } else if WRITABLE_BY_ALL.iter().any(|top| is_below(path, top)) {
                        found.at(
                            program,
                            "everybody can put a program there, and the runtime runs it",
                        );
                    }
                }
            }
        },
        ..SECURITY
    },
    Rule {
        id: "security/real-time-scheduling",
        kinds: &[DocumentKind::Config, DocumentKind::Process],
        severity: Severity::Note,
        source: "sched(7)",
        page: "A process with a real-time policy that does not wait keeps its CPU from everybody \
               else, the host's daemons included. Give it CPUs of its own (`cpu.cpus`), or a \
               budget (`cpu.realtimeRuntime`).",
        accepts: &[process_with!(r#""scheduler": {"policy": "SCHED_BATCH"}"#)],
        rejects: &[(
            process_with!(r#""scheduler": {"policy": "SCHED_FIFO", "priority": 10}"#),
            "/process/scheduler/policy",
        )],
        check: |context, found| {
            let policy = context.process.get("scheduler").get("policy");
            let cpu = context.resources.get("cpu");
            let bounded = cpu.get("cpus").is_set() || cpu.get("realtimeRuntime").is_set();
            if matches!(
                policy.as_str(),
                Some("SCHED_FIFO" | "SCHED_RR" | "SCHED_DEADLINE")
            ) && !bounded
            {
                found.at(policy, "the process may keep a CPU from everybody else");
            }
        },
        ..SECURITY
    },
];

/// Directories that everybody writes on most hosts.
const WRITABLE_BY_ALL: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// Flags of personality(2) that take protections away.
const WEAKENING: [&str; 4] = [
    "ADDR_COMPAT_LAYOUT",
    "ADDR_NO_RANDOMIZE",
    "MMAP_PAGE_ZERO",
    "READ_IMPLIES_EXEC",
];

/// Last parts of names that mean a secret. Parts are what stands between underscores.
const SECRET_PARTS: [&str; 10] = [
    "APIKEY",
    "CREDENTIALS",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PWD",
    "SECRET",
    "TOKEN",
    "PRIVATEKEY",
];

/// Pairs of last parts that mean a secret.
const SECRET_PAIRS: [(&str, &str); 6] = [
    ("ACCESS", "KEY"),
    ("API", "KEY"),
    ("ENCRYPTION", "KEY"),
    ("PRIVATE", "KEY"),
    ("SECRET", "KEY"),
    ("SIGNING", "KEY"),
];

/// Whether a variable's name says that its value is a secret.
fn is_secret(name: &str) -> bool {
    // The shell's working directory.
    if matches!(name, "PWD" | "OLDPWD") {
        return false;
    }
    let mut parts = name.rsplit('_');
    let last = parts.next().unwrap_or_default();
    let before = parts.next().unwrap_or_default();
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    SECRET_PARTS.iter().any(|part| same(part, last))
        || SECRET_PAIRS
            .iter()
            .any(|(first, second)| same(first, before) && same(second, last))
}

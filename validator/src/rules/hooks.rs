//! `hooks` (config.md, POSIX-platform Hooks). Paths and timeouts are the schema's.

use crate::context::{Context, Platform};
use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::process::env_problem;

/// Rules about hooks.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "hooks/prestart-deprecated",
        severity: Severity::Note,
        source: "config.md, Prestart: deprecated since version 1.0.2",
        page: "`prestart` hooks run, in spite of their name, before the container's root is \
               changed, and versions of the specification differ on when. Since 1.0.2 \
               `createRuntime` takes their place, and `createContainer` and `startContainer` run \
               in the container. Older engines still write `prestart`, and it works.",
        accepts: &[
            r#"{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "hooks": {"createRuntime": [{"path": "/a"}]}}"#,
            r#"{"ociVersion": "1.0.1", "root": {"path": "rootfs"}, "hooks": {"prestart": [{"path": "/a"}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "hooks": {"prestart": [{"path": "/a"}]}}"#,
            "/hooks/prestart",
        )],
        check: |context, found| {
            let prestart = context.root.get("hooks").get("prestart");
            if context.from_version(1, 0, 2) && prestart.items().next().is_some() {
                found
                    .at_name(prestart, "`prestart` hooks are deprecated")
                    .help("`createRuntime` hooks run at the same point");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "hooks/env-form",
        severity: Severity::Warning,
        source: "POSIX.1-2008, 8.1 Environment Variable Definition: strings of the form name=value",
        page: "An entry of a hook's `env` is a name, an equals sign and a value, as everywhere.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hooks": {"poststop": [{"path": "/a", "env": ["A=b", "C="]}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hooks": {"poststop": [{"path": "/a", "env": ["A=b", "DEBUG"]}]}}"#,
            "/hooks/poststop/0/env/1",
        )],
        check: |context, found| {
            for hook in hooks(context) {
                for (text, entry) in hook.get("env").strings() {
                    if let Some(problem) = env_problem(text) {
                        found
                            .at(entry, problem)
                            .help("`NAME=value`; a variable without a value is `NAME=`");
                    }
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "hooks/no-nul",
        severity: Severity::Error,
        source: "execve(2): arguments, environment and paths end at their first NUL byte",
        page: "The kernel takes path, arguments and environment of a hook as C strings, which end \
               at a NUL byte.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hooks": {"poststop": [{"path": "/a", "args": ["a"]}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hooks": {"poststop": [{"path": "/a", "args": ["a\u0000"]}]}}"#,
            "/hooks/poststop/0/args/0",
        )],
        check: |context, found| {
            for hook in hooks(context) {
                let lists = [hook.get("args"), hook.get("env")];
                let entries = lists.into_iter().flat_map(|list| list.items());
                for value in std::iter::once(hook.get("path")).chain(entries) {
                    if value.as_str().is_some_and(|text| text.contains('\0')) {
                        found
                            .at(value, "a NUL byte in the string")
                            .help("leave it out: a string of the kernel ends there");
                    }
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "hooks/args-name-first",
        severity: Severity::Warning,
        source: "execv(3): the first argument is the program's name; execve(2): EINVAL or an empty \
                 name without one",
        page: "The first of a hook's `args` is the name by which the program is called, as for \
               execv(3), and not its first argument. A hook with an empty list has not even a \
               name. Put the path first, or leave `args` out.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hooks": {"poststop": [{"path": "/a", "args": ["a"]}]}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hooks": {"poststop": [{"path": "/a", "args": []}]}}"#,
                "/hooks/poststop/0/args",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hooks": {"poststop": [{"path": "/a", "args": ["--all"]}]}}"#,
                "/hooks/poststop/0/args/0",
            ),
        ],
        check: |context, found| {
            for hook in hooks(context) {
                let args = hook.get("args");
                let first = args.items().next();
                let is_option =
                    |value: &Value<'_>| value.as_str().is_some_and(|text| text.starts_with('-'));
                let help = "the program's name comes first: its path, as a rule";
                match first {
                    None if args.kind() == crate::document::Kind::Array => {
                        found
                            .at(args, "`args` without the program's name")
                            .help(help);
                    }
                    Some(option) if is_option(&option) => {
                        found
                            .at(
                                option,
                                format!("{} stands where the name belongs", option.text()),
                            )
                            .help(help);
                    }
                    _ => {}
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "hooks/posix-only",
        severity: Severity::Note,
        source: "config.md, POSIX-platform Hooks",
        page: "Hooks exist on POSIX platforms. On Windows nothing runs them.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "hooks": {}"#
        )],
        rejects: &[(
            windows!(
                r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "hooks": {"poststop": [{"path": "/a"}]}"#
            ),
            "/hooks",
        )],
        check: |context, found| {
            let hooks = context.root.get("hooks");
            if context.platform == Platform::Windows && hooks.members().next().is_some() {
                found.at_name(hooks, "there are no hooks on Windows");
            }
        },
        ..Rule::SPEC
    },
];

/// Every hook of every kind.
fn hooks<'d>(context: &Context<'d>) -> impl Iterator<Item = Value<'d>> {
    let kinds = context.root.get("hooks").members();
    kinds.flat_map(|(_, hooks)| hooks.items())
}

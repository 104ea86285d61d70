//! `process` (config.md, Process), but for what its own files have.

use crate::context::{Context, Platform};
use crate::document::{Kind, Value};
use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::Rule;
use crate::rules::lists::duplicates;
use crate::rules::windows;

/// What rules about the process have in common: they hold for a config, and for the document that
/// `exec --process` takes.
pub(super) const PROCESS: Rule = Rule {
    kinds: &[DocumentKind::Config, DocumentKind::Process],
    ..Rule::SPEC
};

/// Rules about the process.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "process/cwd-absolute",
        clauses: &["config.process.cwd.absolute"],
        page: "The working directory is an absolute path in the container. On Windows it begins \
               with a drive.",
        accepts: &[
            process!(r#"{"cwd": "/", "args": ["sh"]}"#),
            windows!(
                r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "process": {"cwd": "C:\\", "args": ["cmd"]}"#
            ),
        ],
        rejects: &[
            (
                process!(r#"{"cwd": "tmp", "args": ["sh"]}"#),
                "/process/cwd",
            ),
            (
                windows!(
                    r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "process": {"cwd": "app", "args": ["cmd"]}"#
                ),
                "/process/cwd",
            ),
        ],
        check: |context, found| {
            let cwd = context.process.get("cwd");
            let Some(path) = cwd.as_str() else {
                return;
            };
            let absolute = if context.platform == Platform::Windows {
                windows::is_absolute(path)
            } else {
                // `platforms/windows-named` speaks of a config that forgot to say so.
                path.starts_with('/') || windows::is_meant(context)
            };
            if !absolute {
                found
                    .at(cwd, format!("{path:?} is not an absolute path"))
                    .help("`/` if it does not matter");
            }
        },
        ..PROCESS
    },
    Rule {
        id: "process/args-not-empty",
        clauses: &["config.process.args.nonempty"],
        page: "`args` names the program and its arguments; without an entry there is nothing to \
               run. On Windows `commandLine` may stand in its place.",
        accepts: &[process!(r#"{"cwd": "/", "args": ["sh"]}"#)],
        rejects: &[
            (process!(r#"{"cwd": "/", "args": []}"#), "/process/args"),
            (process!(r#"{"cwd": "/"}"#), "/process"),
        ],
        check: |context, found| {
            let process = context.process;
            let args = process.get("args");
            if process.kind() != Kind::Object || !context.is_posix() || windows::is_meant(context) {
            } else if !args.is_set() {
                found
                    .lacking(process, "the property `args` is missing")
                    .help("`args`: the program to run and its arguments");
            } else if args.kind() == Kind::Array && args.items().next().is_none() {
                found
                    .at(args, "no program to run: `args` has no entry")
                    .help("the path of the program comes first");
            }
        },
        ..PROCESS
    },
    Rule {
        id: "process/args-or-command-line",
        clauses: &[
            "config.process.args.windows-commandLine",
            "config.process.args.required",
        ],
        kinds: &[DocumentKind::Config],
        page: "On Windows a process is started by one command line. It stands in `commandLine`, or \
               the runtime makes it of `args`; one of them has to be there. `commandLine` came \
               with version 1.0.2.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "process": {"cwd": "C:\\", "commandLine": "cmd /c ver"}"#
        )],
        rejects: &[
            (
                windows!(
                    r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "process": {"cwd": "C:\\"}"#
                ),
                "/process",
            ),
            (
                r#"{"ociVersion": "1.0.1", "process": {"cwd": "C:\\", "commandLine": "ver"}, "windows": {"layerFolders": ["C:\\scratch"], "hyperv": {}}}"#,
                "/process",
            ),
        ],
        check: |context, found| {
            let process = context.process;
            if context.platform == Platform::Windows
                && process.kind() == Kind::Object
                && !process.get("args").is_set()
                && !process.get("commandLine").is_set()
            {
                let missing = if context.from_version(1, 0, 2) {
                    "`commandLine` and `args` are missing"
                } else {
                    "the property `args` is missing"
                };
                found
                    .lacking(process, missing)
                    .help("say what is to be run");
            }
        },
        ..PROCESS
    },
    Rule {
        id: "process/no-nul",
        severity: Severity::Error,
        source: "execve(2): arguments, environment and paths end at their first NUL byte",
        page: "The kernel takes arguments, environment and paths as C strings, which end at a NUL \
               byte. What is behind it is lost or the call fails, and a variable may look like \
               another one than it is.",
        accepts: &[process!(r#"{"cwd": "/", "args": ["sh"], "env": ["A=b"]}"#)],
        rejects: &[
            (
                process!(r#"{"cwd": "/", "args": ["sh"], "env": ["A=b\u0000LD_PRELOAD=x"]}"#),
                "/process/env/0",
            ),
            (
                process!(r#"{"cwd": "/", "args": ["sh", "\u0000"]}"#),
                "/process/args/1",
            ),
            (
                process!(r#"{"cwd": "/\u0000", "args": ["sh"]}"#),
                "/process/cwd",
            ),
        ],
        check: |context, found| {
            let process = context.process;
            let single = [process.get("cwd"), process.get("commandLine")];
            let lists = [process.get("args"), process.get("env")];
            let all = single
                .into_iter()
                .chain(lists.into_iter().flat_map(|list| list.items()));
            for value in all {
                if value.as_str().is_some_and(|text| text.contains('\0')) {
                    found
                        .at(value, "a NUL byte in the string")
                        .help("leave it out: a string of the kernel ends there");
                }
            }
        },
        ..PROCESS
    },
    Rule {
        id: "process/env-form",
        severity: Severity::Warning,
        source: "POSIX.1-2008, 8.1 Environment Variable Definition: strings of the form name=value",
        page: "An entry of `env` is a name, an equals sign and a value. Some runtimes refuse other \
               entries; where they are passed on, programs do not see them as variables. To have \
               a variable without a value, end it with the equals sign.",
        accepts: &[process_with!(
            r#""env": ["PATH=/bin", "EMPTY=", "EQUATION=a=b"]"#
        )],
        rejects: &[
            (
                process_with!(r#""env": ["PATH=/bin", "DEBUG"]"#),
                "/process/env/1",
            ),
            (process_with!(r#""env": ["=x"]"#), "/process/env/0"),
        ],
        check: |context, found| {
            // Windows keeps the current directory of each drive in variables such as `=C:`.
            if !context.is_posix() {
                return;
            }
            for (text, entry) in context.process.get("env").strings() {
                if let Some(problem) = env_problem(text) {
                    found
                        .at(entry, problem)
                        .help("`NAME=value`; a variable without a value is `NAME=`");
                }
            }
        },
        ..PROCESS
    },
    Rule {
        id: "process/env-unique",
        severity: Severity::Warning,
        source: "POSIX.1-2008, 8.1 Environment Variable Definition: which one of two holds is \
                 unspecified",
        page: "A variable is in `env` twice. Which value a program sees is open: some take the \
               first and some the last. Leave one of them.",
        accepts: &[process_with!(r#""env": ["PATH=/bin", "Path=/sbin"]"#)],
        rejects: &[(
            process_with!(r#""env": ["PATH=/bin", "A=b", "PATH=/sbin"]"#),
            "/process/env/2",
        )],
        check: |context, found| {
            let env = context.process.get("env");
            let names = || {
                env.strings()
                    .filter_map(|(text, entry)| Some((text.split_once('=')?.0, entry)))
            };
            duplicates(names, |name, first, again| {
                found
                    .at(again, format!("the variable {name} is set a second time"))
                    .related(first, "set here before")
                    .help("leave one of them");
            });
        },
        ..PROCESS
    },
    Rule {
        id: "process/console-size-with-terminal",
        clauses: &["config.process.consoleSize.ignore"],
        page: "Without a terminal there is no console whose size could be set, and runtimes ignore \
               `consoleSize`. Set `terminal` to true, or leave the size out.",
        accepts: &[process_with!(
            r#""terminal": true, "consoleSize": {"height": 25, "width": 80}"#
        )],
        rejects: &[(
            process_with!(r#""consoleSize": {"height": 25, "width": 80}"#),
            "/process/consoleSize",
        )],
        check: |context, found| {
            let size = context.process.get("consoleSize");
            let terminal = context.process.get("terminal");
            if size.kind() == Kind::Object
                && (!terminal.is_present() || terminal.as_bool() == Some(false))
            {
                found
                    .at_name(size, "the process has no terminal: runtimes ignore this")
                    .help("set `terminal` to true, or leave it out")
                    .only(Severity::Note);
            }
        },
        ..PROCESS
    },
    Rule {
        id: "process/oom-score-range",
        severity: Severity::Error,
        source: "proc_pid_oom_score_adj(5): the values are -1000 to 1000, others fail with EINVAL",
        page: "The kernel takes scores from -1000, which is never to be killed, to 1000, which is \
               to be killed first.",
        accepts: &[process_with!(r#""oomScoreAdj": -1000"#)],
        rejects: &[
            (
                process_with!(r#""oomScoreAdj": 1001"#),
                "/process/oomScoreAdj",
            ),
            (
                process_with!(r#""oomScoreAdj": -1001"#),
                "/process/oomScoreAdj",
            ),
        ],
        check: |context, found| {
            let score = context.process.get("oomScoreAdj");
            if let Some(number) = score.as_integer()
                && context.is_linux()
                && !(-1000..=1000).contains(&number)
            {
                found
                    .at(
                        score,
                        format!("{number} is out of range: the kernel refuses it"),
                    )
                    .help("-1000 to 1000");
            }
        },
        ..PROCESS
    },
    Rule {
        id: "process/selinux-label-form",
        severity: Severity::Warning,
        source: "selinux(8): a context is user:role:type, and a level behind it where there are some",
        page: "An SELinux label is a user, a role and a type with colons between them, and mostly \
               a level. The name of a type alone is no label, and the kernel refuses to run a \
               program with it.",
        accepts: &[process_with!(
            r#""selinuxLabel": "system_u:system_r:container_t:s0:c1,c2""#
        )],
        rejects: &[(
            process_with!(r#""selinuxLabel": "container_t""#),
            "/process/selinuxLabel",
        )],
        check: |context, found| {
            let label = context.process.get("selinuxLabel");
            if let Some(text) = label.as_str()
                && is_partial_label(text)
            {
                found
                    .at(label, format!("{text:?} is no whole SELinux label"))
                    .help("`user:role:type` or `user:role:type:level`");
            }
        },
        ..PROCESS
    },
    Rule {
        id: "process/of-this-platform",
        severity: Severity::Note,
        source: "config.md, Process and User: `commandLine` and `user.username` are of Windows",
        page: "The property belongs to Windows: elsewhere `args` says what to run, and `user.uid` \
               and `user.gid` as whom. Runtimes ignore it here.",
        accepts: &[process_with!(r#""user": {"uid": 0, "gid": 0}"#)],
        rejects: &[
            (
                process_with!(r#""commandLine": "sh""#),
                "/process/commandLine",
            ),
            (
                process_with!(r#""user": {"uid": 0, "gid": 0, "username": "root"}"#),
                "/process/user/username",
            ),
        ],
        check: |context, found| {
            // A config for Windows that has no `windows` is another matter.
            if !context.is_posix() || windows::is_meant(context) {
                return;
            }
            let process = context.process;
            for (value, instead) in [
                (process.get("commandLine"), "`args` says what to run"),
                (
                    process.get("user").get("username"),
                    "`uid` and `gid` say who runs it",
                ),
            ] {
                if value.as_str().is_some_and(|text| !text.is_empty()) {
                    found.at_name(value, "this is for Windows").help(instead);
                }
            }
        },
        ..PROCESS
    },
];

/// What is wrong with an entry of an environment.
pub(super) fn env_problem(entry: &str) -> Option<&'static str> {
    match entry.split_once('=') {
        None => Some("an entry without `=`"),
        Some(("", _)) => Some("a variable without a name"),
        Some(_) => None,
    }
}

/// Whether a label lacks role or type. An empty one means none.
fn is_partial_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .split(':')
            .take(3)
            .filter(|part| !part.is_empty())
            .count()
            < 3
}

/// A property of a process on Linux, if it is set.
pub(super) fn of_linux<'d>(context: &Context<'d>, name: &str) -> Option<Value<'d>> {
    let part = context.process.get(name);
    (context.is_linux() && part.is_set()).then_some(part)
}

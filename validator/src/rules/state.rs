//! The state of a container (runtime.md, State).

use crate::document::Value;
use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::Rule;
use crate::structure::similar;

const STATE: Rule = Rule {
    kinds: &[DocumentKind::State],
    ..Rule::SPEC
};

/// Rules about the state.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "state/id",
        severity: Severity::Warning,
        source: "a container's ID is a part of paths in most runtimes",
        page: "The ID names a directory in the state of most runtimes. One that is empty, `.` or \
               `..`, or has a slash in it would be another directory, and runtimes refuse it.",
        accepts: &[r#"{"ociVersion": "1.3.0", "id": "c.1", "status": "stopped", "bundle": "/b"}"#],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "id": "../c1", "status": "stopped", "bundle": "/b"}"#,
            "/id",
        )],
        check: |context, found| {
            let id = context.root.get("id");
            if let Some(text) = id.as_str()
                && (matches!(text, "" | "." | "..") || text.contains(['/', '\0']))
            {
                found.at(
                    id,
                    format!("{text:?} cannot be an ID: it is no name of a directory"),
                );
            }
        },
        ..STATE
    },
    Rule {
        id: "state/status",
        clauses: &["runtime.state.status.additional-new"],
        page: "`creating`, `created`, `running` and `stopped` are the states of the specification. \
               A runtime may have more, such as `paused`, for states that are none of these. A \
               word that only looks like one of the four will not be understood.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "id": "c1", "status": "paused", "pid": 7, "bundle": "/b"}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "id": "c1", "status": "Running", "pid": 7, "bundle": "/b"}"#,
            "/status",
        )],
        check: |context, found| {
            let status = context.root.get("status");
            let Some(word) = status.as_str() else { return };
            if STATUSES.contains(&word) {
                return;
            }
            if let Some(meant) = similar(word, STATUSES.into_iter()) {
                // It may be a state of its own.
                found
                    .at(status, format!("the status {word:?} is almost {meant:?}"))
                    .help(format!("did you mean `{meant}`?"))
                    .only(Severity::Warning);
            } else if word.is_empty() {
                found.at(status, "an empty status stands for no state");
            }
        },
        ..STATE
    },
    Rule {
        id: "state/pid",
        clauses: &["runtime.state.pid.linux"],
        page: "While a container is `created` or `running` it has a process, and on Linux the \
               state tells its ID, which is above 0. In every other state `pid` may be missing.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "id": "c1", "status": "running", "pid": 4422, "bundle": "/b"}"#,
            r#"{"ociVersion": "1.3.0", "id": "c1", "status": "stopped", "pid": 0, "bundle": "/b"}"#,
            r#"{"ociVersion": "1.3.0", "id": "c1", "status": "running", "bundle": "C:\\b"}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "id": "c1", "status": "running", "bundle": "/b"}"#,
                "",
            ),
            (
                r#"{"ociVersion": "1.3.0", "id": "c1", "status": "created", "pid": 0, "bundle": "/b"}"#,
                "/pid",
            ),
        ],
        check: |context, found| {
            let status = context.root.get("status");
            if !matches!(status.as_str(), Some("created" | "running")) || is_windows(context.root) {
                return;
            }
            let pid = context.root.get("pid");
            if !pid.is_present() {
                found
                    .lacking(context.root, "the property `pid` is missing")
                    .related(status, "a container in this state has a process")
                    .help("`pid`: the ID of the container process");
            } else if pid.as_integer().is_some_and(|number| number <= 0) {
                found
                    .at(pid, format!("{} is no ID of a process", pid.text()))
                    .related(status, "a container in this state has one");
            }
        },
        ..STATE
    },
    Rule {
        id: "state/bundle-absolute",
        clauses: &["runtime.state.bundle"],
        page: "`bundle` is for programs that look for the container's configuration and root \
               filesystem, from whatever directory they run in: it is an absolute path.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "id": "c1", "status": "stopped", "bundle": "/b"}"#,
            r#"{"ociVersion": "1.3.0", "id": "c1", "status": "stopped", "bundle": "C:\\b"}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "id": "c1", "status": "stopped", "bundle": "b"}"#,
            "/bundle",
        )],
        check: |context, found| {
            let bundle = context.root.get("bundle");
            if let Some(path) = bundle.as_str()
                && !path.starts_with('/')
                && !is_windows(context.root)
            {
                found.at(bundle, format!("{path:?} is not an absolute path"));
            }
        },
        ..STATE
    },
    Rule {
        id: "state/version",
        severity: Severity::Warning,
        source: "config.md, Specification version: versions are those of SemVer 2.0.0",
        page: "`ociVersion` is the version of the specification that the state complies with, in \
               full: `1.0.0`, not `1.0`.",
        accepts: &[
            r#"{"ociVersion": "1.0.2-dev", "id": "c1", "status": "stopped", "bundle": "/b"}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.0", "id": "c1", "status": "stopped", "bundle": "/b"}"#,
            "/ociVersion",
        )],
        check: |context, found| {
            let version = context.root.get("ociVersion");
            if let Some(text) = version.as_str()
                && !crate::semver::is_valid(text)
            {
                found
                    .at(
                        version,
                        format!("{text:?} is no version of the specification"),
                    )
                    .help("three numbers with dots: `1.3.0`");
            }
        },
        ..STATE
    },
];

/// The states that the specification describes.
const STATUSES: [&str; 4] = ["creating", "created", "running", "stopped"];

/// Whether the bundle lies on Windows: the state itself does not tell the platform.
fn is_windows(state: Value<'_>) -> bool {
    let bundle = state.get("bundle").as_str().unwrap_or_default().as_bytes();
    match bundle {
        [b'\\', b'\\', ..] => true,
        [drive, b':', b'\\' | b'/', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    }
}

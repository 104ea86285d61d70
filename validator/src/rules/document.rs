//! The document as a whole: what it is, and of which age.

use crate::document::Value;
use crate::finding::{Finding, Severity};
use crate::options::DocumentKind;
use crate::rule::Rule;

/// Rules about the whole document. They are asked before there is anything else to ask.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "document/recognised",
        kinds: &DocumentKind::ALL,
        severity: Severity::Error,
        source: "the properties that the specification names",
        page: "Nothing in the document tells what it is: it has the properties of no kind of \
               document. Say it with `--kind`.",
        accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#],
        rejects: &[(r#"{"name": "x"}"#, ""), ("[]", "")],
        ..Rule::SPEC
    },
    Rule {
        id: "document/released-version",
        severity: Severity::Error,
        source: "the releases of the specification, of which 1.0.0 is the first",
        page: "The document was written for a draft of the specification, before version 1.0.0. \
               Drafts had other properties (`platform`, capabilities as one list, hooks \
               elsewhere), and no runtime of today reads them. Write it anew: `runc spec` and \
               `refrun spec` print a document to begin with.",
        accepts: &[r#"{"ociVersion": "1.0.0", "root": {"path": "rootfs"}}"#],
        rejects: &[(
            r#"{"ociVersion": "1.0.0-rc2-dev", "platform": {"os": "linux", "arch": "amd64"}}"#,
            "/ociVersion",
        )],
        ..Rule::SPEC
    },
];

pub(crate) fn unrecognised(root: Value<'_>, findings: &mut Vec<Finding>) {
    findings.push(Finding {
        rule: "document/recognised",
        clause: None,
        severity: Severity::Error,
        pointer: String::new(),
        span: root.head_span(),
        message: "nothing tells what kind of document this is".into(),
        help: Some("say it with --kind".into()),
        related: Vec::new(),
        fix: None,
    });
}

pub(crate) fn before_first(root: Value<'_>, findings: &mut Vec<Finding>) {
    let version = root.get("ociVersion");
    let mut changes = Vec::new();
    let mut related = Vec::new();
    let process = root.get("process");
    let old = [
        (
            root.get("platform"),
            "`platform` is gone: the objects `linux`, `windows` and so on tell the platform",
        ),
        (
            array(process.get("capabilities")),
            "`capabilities` is an object of five lists: bounding, effective, inheritable, permitted, ambient",
        ),
        (
            root.get("hooks").get("prestart"),
            "`hooks.prestart` is deprecated: createRuntime, createContainer and startContainer take its place",
        ),
        (
            object(root.get("linux").get("resources").get("devices")),
            "`linux.resources.devices` is an array",
        ),
        (
            root.get("linux")
                .get("seccomp")
                .get("syscalls")
                .items()
                .next()
                .unwrap_or(root.get(""))
                .get("name"),
            "seccomp rules have `names`, an array, in the place of `name`",
        ),
        (
            root.get("linux").get("resources").get("oomScoreAdj"),
            "`oomScoreAdj` moved to `process`",
        ),
        (
            root.get("linux").get("resources").get("disableOOMKiller"),
            "`disableOOMKiller` moved to `linux.resources.memory`",
        ),
    ];
    for (value, change) in old {
        if value.is_present() {
            changes.push(change);
            related.push((value.head_span(), "of a draft".to_owned()));
        }
    }
    let mut help =
        "write it anew for a released version; `refrun spec` prints a document to begin \
                    with"
            .to_owned();
    for change in changes {
        help.push_str("\n- ");
        help.push_str(change);
    }
    findings.push(Finding {
        rule: "document/released-version",
        clause: None,
        severity: Severity::Error,
        pointer: version.pointer(),
        span: version.span(),
        message: format!(
            "{} is a draft from before version 1.0.0, whose documents had another shape; the rest \
             is not judged",
            version.text()
        ),
        help: Some(help),
        related,
        fix: None,
    });
}

fn array(value: Value<'_>) -> Value<'_> {
    only(value, crate::document::Kind::Array)
}

fn object(value: Value<'_>) -> Value<'_> {
    only(value, crate::document::Kind::Object)
}

/// The value if it is of that kind, else nothing.
fn only(value: Value<'_>, kind: crate::document::Kind) -> Value<'_> {
    if value.kind() == kind {
        value
    } else {
        value.at_pointer("absent")
    }
}

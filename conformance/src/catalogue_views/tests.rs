//! The views of a few clauses and cases, made by hand.

use oci_runtime_schemas::SpecVersion;

use super::*;
use crate::case::Need;

const CLAUSE: Clause = Clause {
    id: "runtime.state.id",
    document: "runtime",
    section: "runtime.md#runtimeState",
    section_title: "State",
    level: Level::Must,
    keyword: Some("MUST"),
    subject: Subject::Runtime,
    platform: "all",
    since: SpecVersion::new(1, 0, 0),
    until: None,
    testable: Testable::Outside,
    why: None,
    optional_value: false,
    stand: None,
    note: None,
    source: None,
    says: "state names the container",
};

static CLAUSES: [Clause; 11] = [
    CLAUSE,
    Clause {
        id: "runtime.state.status",
        keyword: Some("MUST NOT"),
        optional_value: true,
        note: Some(
            "further values of status are accepted, whatever the official schema says about them",
        ),
        says: "status is not | one that <b>nobody</b> knows, which takes a long sentence to say and wraps in the end",
        ..CLAUSE
    },
    Clause {
        id: "runtime.state.more",
        level: Level::May,
        says: "state may have more",
        ..CLAUSE
    },
    Clause {
        id: "runtime.lifecycle.poststart.fail.warn",
        section: "runtime.md#runtimeLifecycle",
        section_title: "Lifecycle",
        platform: "posix",
        until: Some(SpecVersion::new(1, 2, 1)),
        says: "a failing poststart hook is warned of",
        ..CLAUSE
    },
    Clause {
        id: "runtime.errors.exposed",
        section: "runtime.md#runtimeErrors",
        section_title: "Errors",
        testable: Testable::None,
        why: Some("negative scope"),
        says: "how an error is shown is open",
        ..CLAUSE
    },
    Clause {
        id: "config.hostname.effect",
        document: "config",
        section: "config.md#configHostname",
        section_title: "Hostname",
        level: Level::Should,
        keyword: None,
        says: "the container sees the hostname",
        ..CLAUSE
    },
    Clause {
        id: "config.hostname.field",
        document: "config",
        section: "config.md#configHostname",
        section_title: "Hostname",
        subject: Subject::Config,
        testable: Testable::Schema,
        says: "hostname is a string",
        ..CLAUSE
    },
    Clause {
        id: "config.hardware.effect",
        document: "config",
        section: "config.md#configHostname",
        section_title: "Hostname",
        why: Some("needs hardware that few hosts have"),
        says: "something with hardware",
        ..CLAUSE
    },
    Clause {
        id: "config-windows.x",
        document: "config-windows",
        section: "config-windows.md#x",
        section_title: "X",
        platform: "windows",
        says: "something on Windows",
        ..CLAUSE
    },
    Clause {
        id: "runtime.caller.x",
        subject: Subject::Caller,
        says: "callers do something",
        ..CLAUSE
    },
    Clause {
        id: "security.exec.binary",
        document: "security",
        section: "security",
        section_title: "The host's binary",
        keyword: None,
        platform: "linux",
        source: Some("CVE-2019-5736"),
        says: "a container cannot write the runtime's program",
        ..CLAUSE
    },
];

static CASES: [Case; 3] = [
    Case {
        id: "hostname/is-set-in-the-new-uts-namespace",
        judges: &["config.hostname.effect"],
        needs: &[Need::Namespace("uts"), Need::Root],
        run: |_| Ok(()),
    },
    Case {
        id: "security/binary-is-out-of-reach",
        judges: &["security.exec.binary"],
        needs: &[],
        run: |_| Ok(()),
    },
    Case {
        id: "state/names-the-container",
        judges: &[
            "runtime.state.id",
            "config.hostname.effect",
            "no.such.clause",
        ],
        needs: &[],
        run: |_| Ok(()),
    },
];

fn seen<T>(look: impl FnOnce(&View) -> T) -> T {
    let cases: Vec<&Case> = CASES.iter().collect();
    look(&View {
        clauses: CLAUSES.iter().collect(),
        cases: &cases,
    })
}

const ALL: [Suite; 4] = [Suite::Spec, Suite::Cli, Suite::Security, Suite::Engine];

#[test]
fn list_for_a_person() {
    insta::assert_snapshot!(seen(|view| list::list(view, &ALL, ViewFormat::Human)));
}

#[test]
fn list_for_a_program() {
    insta::assert_snapshot!(seen(|view| list::list(
        view,
        &[Suite::Security],
        ViewFormat::Json
    )));
}

#[test]
fn list_for_a_page() {
    insta::assert_snapshot!(seen(|view| list::list(view, &ALL, ViewFormat::Markdown)));
}

#[test]
fn explain_everything() {
    let ids = CASES
        .iter()
        .map(|case| case.id)
        .chain(CLAUSES.iter().map(|clause| clause.id));
    let all: Vec<String> = seen(|view| {
        ids.map(|id| explain::explain(view, id).expect(id))
            .collect()
    });
    insta::assert_snapshot!(all.join("----\n"));
}

#[test]
fn explain_what_is_not_there() {
    let why = |id: &str| seen(|view| explain::explain(view, id)).unwrap_err();
    assert_eq!(
        why("state/names-the-contaner"),
        "no case and no clause has the id \"state/names-the-contaner\"; did you mean \
         state/names-the-container?"
    );
    assert_eq!(
        why("xyzzy"),
        "no case and no clause has the id \"xyzzy\"; `oci-conformance list` shows the cases"
    );
}

#[test]
fn coverage_for_a_person() {
    insta::assert_snapshot!(seen(|view| coverage::coverage(view, ViewFormat::Human)));
}

#[test]
fn coverage_for_a_program() {
    insta::assert_snapshot!(seen(|view| coverage::coverage(view, ViewFormat::Json)));
}

#[test]
fn coverage_for_a_page() {
    insta::assert_snapshot!(seen(|view| coverage::coverage(view, ViewFormat::Markdown)));
}

#[test]
fn platforms_that_are_linux_too() {
    for (platform, binds) in [
        ("all", true),
        ("posix", true),
        ("linux", true),
        ("linux,zos", true),
        ("non-windows", true),
        ("freebsd,zos,vm", false),
        ("non-linux", false),
        ("windows", false),
    ] {
        assert_eq!(binds_linux(platform), binds, "{platform}");
    }
}

#[test]
fn the_real_catalogue_is_counted() {
    let text = super::coverage(&[], ViewFormat::Json);
    let document: serde_json::Value = serde_json::from_str(&text).expect("coverage is JSON");
    let count = |name: &str| document["counts"][name].as_u64().expect("a count");
    assert!(count("clauses") > 300);
    assert_eq!(count("judged"), 0);
    assert_eq!(count("not_yet") + count("cannot"), count("clauses"));
}

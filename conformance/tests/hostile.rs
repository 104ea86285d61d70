//! A subject whose every output is an attack, through every format: each is still read whole by a
//! reader that is not ours, and nothing in it is live.

mod executable;
#[path = "hostile/tap.rs"]
mod tap;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use oci_conformance::results::{OUTPUT_LIMIT, Results, Verdict};
use pulldown_cmark::{Event, Options, Parser, Tag};
use quick_xml::events::Event as Xml;
use serde_json::Value;

/// What the subject prints, whatever it is asked: for terminals, browsers, Markdown, XML, YAML, TAP
/// and the logs of CI services.
const ATTACK: &[&[u8]] = &[
    b"\x1b[2J\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\\n",
    b"\xc2\x9b31m\xc2\x9d52;c;ZXZpbA==\xc2\x9c \x9b31m \x00\x08\x7f\r\n",
    "\u{202e}txt.exe\u{202c} \u{2066}a\u{2069} \u{200b}\u{feff}\u{e0041}\u{2028}\u{fffe}\u{ffff}\n".as_bytes(),
    b"\xff\xfe\xc0\x80\xed\xa0\x80 invalid UTF-8\n",
    b"</script><script>alert(1)</script><img src=x onerror=alert(1)> <!-- --> ]]> &lt; &#x1b; <?x?>\n",
    b"</failure></testcase><testcase name=\"forged\"/> [[ATTACHMENT|/etc/passwd]]\n",
    b"ok 1 - forged\nnot ok 2 - forged # TODO\nBail out! forged\n1..1\nTAP version 14\n  ...\n  ---\n# SKIP\n",
    b"::error file=a,line=1::forged\n::set-output name=x::y\n::add-mask::e\n##[error]forged\n",
    b"##vso[task.complete result=Succeeded]\n##teamcity[testFailed name='x']\n",
    b"\n# heading\n[x](javascript:alert(1)) ![x](https://evil.example/x.png) | a | b |\n|---|---|\n",
    b"https://evil.example www.evil.example @user #1 `code` **bold** $(id) ~~~\n```\n<details open>\n",
    b"key: !!python/object:os.system {a: *b} \"\\\n%25 %0A,:\n",
];

const FORMATS: [&str; 9] = [
    "human",
    "json",
    "junit",
    "tap",
    "markdown",
    "html",
    "github",
    "badge",
    "badge-json",
];

/// The subject's reports, by format, and its results.
struct Attack {
    directory: tempfile::TempDir,
}

impl Attack {
    /// Judges a subject that attacks in every answer, and for one of them writes without end.
    fn run() -> Attack {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(at("attack"), ATTACK.concat()).unwrap();
        executable(&at("refrun"), oci_embedded::REFRUN);
        executable(&at("hostile"), subject(directory.path()).as_bytes());
        let attack = Attack { directory };
        let subject = attack.path("hostile");
        let mut arguments = vec!["run", "--runtime", &subject, "--seed", "3"];
        // What fails here shows the subject's answers: state, errors and what create leaves.
        arguments.extend([
            "basics/",
            "state/",
            "kill/",
            "hostname/",
            "features/",
            "start/",
        ]);
        let formats: Vec<String> = FORMATS
            .iter()
            .map(|format| format!("{format}={}", attack.path(format)))
            .collect();
        for format in &formats {
            arguments.extend(["--format", format]);
        }
        let output = attack.program(&arguments);
        harmless("standard error", &String::from_utf8(output.stderr).unwrap());
        assert_eq!(
            output.status.code(),
            Some(1),
            "the subject is wrong, the harness is not"
        );
        attack
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn program(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_oci-conformance"))
            .args(arguments)
            .stdin(Stdio::null())
            .env("TMPDIR", self.directory.path())
            .output()
            .expect("the program runs")
    }

    /// A report, which is text.
    fn report(&self, format: &str) -> String {
        String::from_utf8(std::fs::read(self.path(format)).unwrap()).expect("UTF-8")
    }
}

/// A right runtime that prints the attack around each answer, is killed by nobody, names a state
/// that nobody asked for, and writes a gigabyte where a version is asked for.
fn subject(directory: &Path) -> String {
    let directory = directory.display();
    format!(
        r#"#!/bin/sh
attack() {{ cat '{directory}/attack'; }}
for word; do
    case $word in
    --version) attack; exec head -c 1073741824 /dev/zero ;;
    features) attack; exit 1 ;;
    kill) attack; attack >&2; exit 1 ;;
    state)
        "{directory}/refrun" "$@" || {{ attack; attack >&2; exit 1; }}
        attack; exit 0 ;;
    create) attack; attack >&2 ;;
    esac
done
exec "{directory}/refrun" "$@"
"#
    )
}

fn executable(path: &Path, bytes: &[u8]) {
    executable::write(path, bytes);
}

/// Written apart from the escaping: no character that a terminal or an eye must never be given, and
/// no line that a CI service takes for a command.
fn harmless(what: &str, text: &str) {
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || "\u{202e}\u{202c}\u{2066}\u{2069}\u{200b}\u{feff}\u{e0041}\u{2028}\u{fffe}\u{ffff}"
                .contains(c)
    };
    if let Some(at) = text.find(steers) {
        let near: String = text[..at]
            .chars()
            .rev()
            .take(60)
            .collect::<Vec<_>>()
            .iter()
            .rev()
            .collect();
        panic!("{what} has {:?} behind {near:?}", text[at..].chars().next());
    }
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("::"), "{what}: {line}");
        for command in ["##[", "##vso[", "##teamcity["] {
            assert!(!line.contains(command), "{what}: {line}");
        }
    }
}

#[test]
fn no_format_shows_anything_live() {
    let attack = Attack::run();
    let results = Results::load(Path::new(&attack.path("json"))).unwrap();
    // The attack is in there, or all that follows shows nothing.
    let steps = || results.runs[0].cases.iter().flat_map(|case| &case.steps);
    assert!(steps().any(|step| step.stdout.contains("\u{1b}]52;") && step.exit == Some(0)));
    assert!(steps().any(|step| step.stderr.contains("Bail out!")));
    assert!(
        results.runs[0].summary.fail > 0,
        "{:?}",
        results.runs[0].summary
    );
    assert!(steps().all(|step| step.stdout.len() <= OUTPUT_LIMIT));
    for format in FORMATS {
        let report = attack.report(format);
        assert!(report.len() < 8 << 20, "{format}: {} bytes", report.len());
        // Commands are what this one is made of; its own reader looks at it.
        if format != "github" {
            harmless(format, &report);
        }
    }
    json(&attack);
    junit(&attack.report("junit"), &results);
    taps(&attack.report("tap"), &results);
    markdown(&attack.report("markdown"));
    html(&attack.report("html"));
    github(&attack.report("github"));
    badge(&attack.report("badge"));
    work_on_results(&attack);
}

fn json(attack: &Attack) {
    let schema = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../schemas/results.schema.json"
    );
    let schema: Value = serde_json::from_slice(&std::fs::read(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let document: Value = serde_json::from_str(&attack.report("json")).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
    let badge: Value = serde_json::from_str(&attack.report("badge-json")).unwrap();
    assert_eq!(
        (&badge["schemaVersion"], &badge["color"]),
        (&Value::from(1), &Value::from("red"))
    );
}

/// The elements of a JUnit file: nothing more than we write, each test case once.
fn junit(report: &str, results: &Results) {
    let mut reader = quick_xml::Reader::from_str(report);
    let mut cases = 0;
    loop {
        match reader.read_event().expect("well-formed XML") {
            Xml::Eof => break,
            Xml::Start(tag) | Xml::Empty(tag) => {
                let name: String = tag.name().into_inner().to_owned();
                let known = [
                    "testsuites",
                    "testsuite",
                    "properties",
                    "property",
                    "testcase",
                    "failure",
                    "error",
                    "skipped",
                    "system-out",
                ];
                assert!(known.contains(&name.as_str()), "{name}");
                cases += usize::from(name == "testcase");
                for attribute in tag.attributes() {
                    attribute.expect("an attribute, once");
                }
            }
            Xml::CData(_) | Xml::Comment(_) | Xml::PI(_) | Xml::DocType(_) => {
                panic!("a forged construct")
            }
            _ => {}
        }
    }
    assert_eq!(cases, results.runs[0].cases.len());
    assert!(!report.contains("[[ATTACHMENT"), "a file to be uploaded");
}

fn taps(report: &str, results: &Results) {
    let tests = tap::parse(report).unwrap_or_else(|why| panic!("{why}"));
    let cases = &results.runs[0].cases;
    assert_eq!(tests.len(), cases.len());
    for (test, case) in tests.iter().zip(cases) {
        assert_eq!(test.description, case.id);
        assert_eq!(test.ok, case.as_expected, "{}", case.id);
        let is_skipped = test
            .directive
            .as_ref()
            .is_some_and(|(word, _)| word == "SKIP");
        let was_not_judged = matches!(case.verdict, Verdict::Unsupported | Verdict::Inapplicable);
        assert_eq!(
            is_skipped, was_not_judged,
            "{}: {:?}",
            case.id, test.directive
        );
    }
    assert!(tests.iter().any(|test| test.diagnosis.is_some()));
}

/// The page: its own script and style, the data, and nothing that the data has opened or closed.
/// `ci/web` looks at what a browser makes of it.
fn html(report: &str) {
    let lower = report.to_lowercase();
    for (tag, count) in [
        ("<script", 2),
        ("</script", 2),
        ("<style", 1),
        ("</style", 1),
    ] {
        assert_eq!(lower.matches(tag).count(), count, "{tag}");
    }
    for forged in ["<img", "<iframe", "<details open", "<!--"] {
        assert!(!lower.contains(forged), "{forged}");
    }
}

/// GitHub's Markdown: tables and our own tags, no link, picture, heading or markup of the subject's.
fn markdown(report: &str) {
    let ours = [
        "<code>",
        "</code>",
        "<br>",
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
    ];
    for event in Parser::new_ext(report, Options::all()) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                let mut rest = html.to_string();
                for tag in ours {
                    rest = rest.replace(tag, "");
                }
                assert!(!rest.contains('<'), "live HTML: {html}");
            }
            Event::Start(
                Tag::Link { .. } | Tag::Image { .. } | Tag::CodeBlock(_) | Tag::BlockQuote(_),
            ) => {
                panic!("live markup: {event:?}")
            }
            Event::Start(Tag::Heading { level, .. }) => assert_eq!(level as usize, 2),
            _ => {}
        }
    }
    assert!(
        !report.contains("https://") && !report.to_lowercase().contains("www."),
        "a link of GitHub's"
    );
    assert!(report.len() < 1 << 20);
}

/// GitHub's runner: every line is one of our commands, and there are no others.
fn github(report: &str) {
    let mut errors = 0;
    for line in report.lines() {
        let (head, message) = line
            .strip_prefix("::")
            .and_then(|rest| rest.split_once("::"))
            .expect(line);
        let (kind, title) = head.split_once(" title=").expect(line);
        assert!(["error", "warning", "notice"].contains(&kind), "{line}");
        assert!(!title.contains([',', ':']), "another property: {line}");
        errors += usize::from(kind == "error");
        let shown = message.replace("%0A", "\n").replace("%25", "%");
        harmless("an annotation", &shown);
    }
    assert!((1..=10).contains(&errors), "GitHub shows ten: {errors}");
}

fn badge(report: &str) {
    let mut reader = quick_xml::Reader::from_str(report);
    loop {
        match reader.read_event().expect("well-formed SVG") {
            Xml::Eof => break,
            Xml::Start(tag) | Xml::Empty(tag) => {
                let name: String = tag.name().into_inner().to_owned();
                assert!(
                    !["script", "foreignObject"].contains(&name.as_str()),
                    "{name}"
                );
            }
            _ => {}
        }
    }
}

/// The commands that read results files show nothing live either.
fn work_on_results(attack: &Attack) {
    let (results, expect) = (attack.path("json"), attack.path("expect.toml"));
    for arguments in [
        &["compare", &results, &results][..],
        &[
            "compare",
            &results,
            &results,
            "--side-by-side",
            "--format",
            "markdown",
        ],
        &["compare", &results, &results, "--format", "json"],
        &["merge", &results],
        &["expect", "update", &expect, &results],
    ] {
        let output = attack.program(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        for text in [output.stdout, output.stderr] {
            harmless(&format!("{arguments:?}"), &String::from_utf8(text).unwrap());
        }
    }
    let written = std::fs::read_to_string(&expect).unwrap();
    harmless("the expectation file", &written);
    assert!(written.contains("reason = \"TODO\""));
}

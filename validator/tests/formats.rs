//! The formats of reports: as a whole by snapshots, and each by the rules of those who read it.

mod program;

use std::fs;

use jsonschema::Validator;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;

use program::{GOOD, Place, Run, STATE};

/// Findings of every severity, with and without help, clause, related places and fix; a document on
/// one long line; text that means something to each format.
const MIXED: &str = r#"{
  "ociVersion": "1.0.2",
  "root": {"path": "a", "path": "b", "readOnly": true},
  "domainname": "100% of <b>&amp;</b>, {\"x\": 1}",
  "process": {
    "cwd": "/",
    "args": ["sh"],
    "terminal": "true",
    "user": {"uid": -1, "gid": 0},
  }
}
"#;

fn place() -> Place {
    let place = Place::new();
    place.write("mixed.json", MIXED);
    place.write("good.json", GOOD);
    place.write("state.json", STATE);
    let args = format!("[\"sh\"{}]", ", \"x\"".repeat(300));
    let line = GOOD.replace("[\"sh\"]", &args).replace("\"/\"", "7");
    place.write("a dir/long line.json", &line);
    place.write("a dir/package.json", r#"{"name": "x"}"#);
    place
}

fn run(format: &str) -> Run {
    let run = place().run([
        "--format",
        format,
        "mixed.json",
        "missing.json",
        "good.json",
        "a dir",
    ]);
    assert_eq!(run.code, 2, "{run:?}");
    run
}

#[test]
fn human() {
    let run = run("human");
    insta::assert_snapshot!("human", run.out);
    insta::assert_snapshot!("human-errors", run.err);
}

#[test]
fn json_is_as_its_schema_says() {
    let run = run("json");
    let schema = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../schemas/validation.schema.json"
    );
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut report = run.json();
    assert_valid(&validator, &report);
    // What --fix changes is part of it.
    let fixed = place()
        .run(["--format", "json", "--fix", "mixed.json"])
        .json();
    assert_valid(&validator, &fixed);
    assert_eq!(
        fixed["files"][0]["fixed"][0]["rule"],
        "syntax/trailing-comma"
    );
    // A schema that takes everything would be no test.
    for (pointer, value) in [
        ("/format", Value::from(2)),
        ("/files/0/kind", "image".into()),
        ("/files/0/findings/0/severity", "fatal".into()),
        ("/files/0/findings/0/range/start/line", 0.into()),
        ("/summary/exit", 4.into()),
    ] {
        let mut wrong = report.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        assert!(!validator.is_valid(&wrong), "{pointer}");
    }
    report["tool"]["version"] = "[version]".into();
    insta::assert_json_snapshot!("json", report);
}

fn assert_valid(validator: &Validator, report: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, [] as [&str; 0]);
}

#[test]
fn ranges_are_those_of_the_text() {
    let report = run("json").json();
    let lines: Vec<&str> = MIXED.lines().collect();
    let mut seen = 0;
    for finding in report["files"][0]["findings"].as_array().unwrap() {
        let number = |pointer: &str| finding.pointer(pointer).unwrap().as_u64().unwrap() as usize;
        let line = number("/range/start/line");
        if line == number("/range/end/line") {
            let characters = lines[line - 1]
                .chars()
                .skip(number("/range/start/column") - 1);
            let length = number("/range/end/column") - number("/range/start/column");
            let text: String = characters.take(length).collect();
            let key = finding["pointer"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap();
            match finding["rule"].as_str().unwrap() {
                "syntax/trailing-comma" => assert_eq!(text, ","),
                "syntax/duplicate-name" => assert_eq!(text, "\"path\""),
                "schema/unknown-property" => assert_eq!(text, format!("\"{key}\"")),
                "schema/range" => assert_eq!(text, "-1"),
                _ => continue,
            }
            seen += 1;
        }
    }
    assert!(seen >= 4, "{report:#}");
}

/// What SARIF 2.1.0 asks of the objects that are in a report: required properties, enumerations,
/// indices that fit, references without a space.
#[test]
fn sarif_is_as_its_standard_says() {
    let run = run("sarif");
    let log = run.json();
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(
        log["$schema"],
        "https://json.schemastore.org/sarif-2.1.0.json"
    );
    assert_eq!(log["runs"].as_array().unwrap().len(), 1);
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "oci-validate");
    assert_eq!(run["columnKind"], "unicodeCodePoints");

    let rules = driver["rules"].as_array().unwrap();
    assert_eq!(rules.len(), oci_validator::rules::all().count());
    let mut ids = std::collections::HashSet::new();
    for rule in rules {
        assert!(ids.insert(rule["id"].as_str().unwrap()), "{rule}");
        for text in ["shortDescription", "fullDescription", "help"] {
            assert!(!rule[text]["text"].as_str().unwrap().is_empty(), "{rule}");
        }
        assert_level(&rule["defaultConfiguration"]["level"]);
        let tags = rule["properties"]["tags"].as_array().unwrap();
        assert!(
            !tags.is_empty() && tags.iter().all(Value::is_string),
            "{rule}"
        );
    }

    let results = run["results"].as_array().unwrap();
    assert!(results.len() > 5);
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_level(&result["level"]);
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let locations = result["locations"].as_array().unwrap();
        assert_eq!(locations.len(), 1);
        assert_location(&locations[0]);
        for related in result
            .get("relatedLocations")
            .map_or(&vec![], |all| all.as_array().unwrap())
        {
            assert_location(related);
            assert!(related["message"]["text"].is_string(), "{related}");
        }
        for fix in result
            .get("fixes")
            .map_or(&vec![], |all| all.as_array().unwrap())
        {
            assert!(fix["description"]["text"].is_string(), "{fix}");
            let changes = fix["artifactChanges"].as_array().unwrap();
            assert!(!changes.is_empty());
            for change in changes {
                assert_uri(&change["artifactLocation"]);
                let replacements = change["replacements"].as_array().unwrap();
                assert!(!replacements.is_empty());
                for replacement in replacements {
                    assert_region(&replacement["deletedRegion"]);
                    assert!(
                        replacement["insertedContent"]["text"].is_string(),
                        "{replacement}"
                    );
                }
            }
        }
    }
    assert!(results.iter().any(|result| result.get("fixes").is_some()));
    assert!(
        results
            .iter()
            .any(|result| result.get("relatedLocations").is_some())
    );
    let uris = |pointer: &str| {
        let uri = |result: &Value| {
            result
                .pointer(pointer)
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned()
        };
        results.iter().map(uri).collect::<Vec<_>>()
    };
    let uris = uris("/locations/0/physicalLocation/artifactLocation/uri");
    assert!(
        uris.contains(&"a%20dir/long%20line.json".to_owned()),
        "{uris:?}"
    );

    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(invocation["exitCode"], 2);
    assert!(
        invocation["arguments"]
            .as_array()
            .unwrap()
            .iter()
            .all(Value::is_string)
    );
    let notifications = invocation["toolExecutionNotifications"].as_array().unwrap();
    assert_eq!(notifications.len(), 1);
    assert_level(&notifications[0]["level"]);
    assert!(
        notifications[0]["message"]["text"]
            .as_str()
            .unwrap()
            .contains("No such file")
    );
    // The whole of the results; the rules are a page each, and other tests' matter.
    let mut results = run["results"].clone();
    for result in results.as_array_mut().unwrap() {
        // Whoever adds a rule moves the others.
        result["ruleIndex"] = "[index]".into();
    }
    insta::assert_json_snapshot!("sarif", results);
}

fn assert_level(level: &Value) {
    assert!(
        ["none", "note", "warning", "error"].contains(&level.as_str().unwrap()),
        "{level}"
    );
}

fn assert_location(location: &Value) {
    let physical = &location["physicalLocation"];
    assert_uri(&physical["artifactLocation"]);
    assert_region(&physical["region"]);
    for logical in location
        .get("logicalLocations")
        .map_or(&vec![], |all| all.as_array().unwrap())
    {
        assert!(logical["fullyQualifiedName"].is_string(), "{logical}");
    }
}

fn assert_uri(artifact: &Value) {
    let uri = artifact["uri"].as_str().unwrap();
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    assert!(!uri.is_empty() && uri.chars().all(legal), "{uri}");
}

fn assert_region(region: &Value) {
    let number = |name: &str| {
        region[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {region}"))
    };
    let start = (number("startLine"), number("startColumn"));
    let end = (number("endLine"), number("endColumn"));
    assert!(start.0 >= 1 && start.1 >= 1 && start <= end, "{region}");
}

/// What GitLab and Jenkins read: suites with counts that agree with their cases.
#[test]
fn junit_is_read_as_suites_and_cases() {
    let run = run("junit");
    let mut reader = quick_xml::Reader::from_str(&run.out);
    let mut path: Vec<String> = Vec::new();
    let mut expected = (0, 0, 0);
    let mut counted = (0, 0, 0);
    let mut names = Vec::new();
    loop {
        let event = reader.read_event().unwrap();
        let closed = matches!(event, Event::Empty(_));
        match event {
            Event::Start(start) | Event::Empty(start) => {
                let name = start.name().as_ref().to_owned();
                let parent = path.last().map(String::as_str);
                let number = |name: &str| attribute(&start, name).parse::<usize>().unwrap();
                match (parent, name.as_str()) {
                    (None, "testsuites") => {}
                    (Some("testsuites"), "testsuite") => {
                        names.push(attribute(&start, "name"));
                        expected = (number("tests"), number("failures"), number("errors"));
                        counted = (0, 0, 0);
                    }
                    (Some("testsuite"), "testcase") => {
                        assert!(!attribute(&start, "name").is_empty());
                        assert_eq!(attribute(&start, "classname"), *names.last().unwrap());
                        counted.0 += 1;
                    }
                    (Some("testcase"), "failure") => {
                        assert!(!attribute(&start, "message").is_empty());
                        counted.1 += 1;
                    }
                    (Some("testcase"), "error") => {
                        assert!(attribute(&start, "message").contains("No such file"));
                        counted.2 += 1;
                    }
                    (Some("testcase"), "system-out") => {}
                    other => panic!("{other:?}"),
                }
                if !closed {
                    path.push(name);
                }
            }
            Event::End(_) if path.pop().as_deref() == Some("testsuite") => {
                assert_eq!(counted, expected, "{names:?}");
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(path, [] as [&str; 0]);
    assert_eq!(
        names,
        [
            "mixed.json",
            "missing.json",
            "good.json",
            "a dir/long line.json"
        ]
    );
    insta::assert_snapshot!("junit", run.out);
}

fn attribute(start: &BytesStart<'_>, name: &str) -> String {
    let attribute = start.try_get_attribute(name).unwrap();
    let attribute = attribute.unwrap_or_else(|| panic!("{name} is missing: {start:?}"));
    let value = attribute.normalized_value(XmlVersion::Implicit1_0).unwrap();
    value.into_owned()
}

#[test]
fn github_annotations_are_commands() {
    let run = run("github");
    let lines: Vec<&str> = run.out.lines().collect();
    let (last, commands) = lines.split_last().unwrap();
    assert!(last.starts_with("3 files judged: "), "{last}");
    for line in commands {
        let (command, message) = line[2..].split_once("::").unwrap();
        let (name, properties) = command.split_once(' ').unwrap();
        assert!(["error", "warning", "notice"].contains(&name), "{line}");
        assert!(!message.is_empty());
        let names: Vec<&str> = properties
            .split(',')
            .map(|property| property.split_once('=').unwrap().0)
            .collect();
        let on_one_line = ["file", "line", "col", "endLine", "endColumn", "title"];
        assert!(
            names == on_one_line || names == ["file", "line", "endLine", "title"],
            "{line}"
        );
    }
    insta::assert_snapshot!("github", run.out);
}

#[test]
fn nothing_to_tell_is_a_whole_report_too() {
    let place = place();
    for format in ["json", "sarif"] {
        let report = place.run(["--format", format, "good.json"]);
        assert_eq!(report.code, 0);
        assert!(report.json().is_object());
    }
    // With not a single document.
    place.directory("empty");
    let report = place.run(["--format", "json", "empty"]).json();
    assert_eq!(report["files"], Value::Array(Vec::new()));
    let report = place.run(["--format", "sarif", "empty"]).json();
    assert_eq!(report["runs"][0]["results"], Value::Array(Vec::new()));
    let report = place.run(["--format", "junit", "empty"]).out;
    assert!(report.ends_with("<testsuites name=\"oci-validate\">\n</testsuites>\n"));
}

#[test]
fn pages() {
    let place = Place::new();
    insta::assert_snapshot!("help", place.run(["--help"]).out);
    insta::assert_snapshot!(
        "explain-rule",
        place.run(["explain", "schema/required"]).out
    );
    let clause = place.run(["explain", "config.process.cwd.absolute"]);
    insta::assert_snapshot!("explain-clause", clause.out);
}

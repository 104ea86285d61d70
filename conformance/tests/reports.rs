//! The reports of sample results, hostile strings among them, as snapshots and as properties.

#[path = "reports/sample.rs"]
mod sample;

use std::collections::BTreeSet;
use std::path::PathBuf;

use oci_conformance::report::{self, Clauses, Format, FormatArgument, Style, escape};
use oci_conformance::results::Results;
use oci_runtime_schemas::Catalogue;
use proptest::prelude::*;
use quick_xml::events::Event;
use serde_json::Value;

#[test]
fn human() {
    insta::assert_snapshot!(text(Format::Human, &sample::results()));
}

#[test]
fn human_of_two_subjects_without_root() {
    insta::assert_snapshot!(text(Format::Human, &sample::two_subjects_without_root()));
}

#[test]
fn markdown() {
    insta::assert_snapshot!(text(Format::Markdown, &sample::results()));
}

#[test]
fn junit() {
    insta::assert_snapshot!(text(Format::Junit, &sample::results()));
}

#[test]
fn tap() {
    insta::assert_snapshot!(text(Format::Tap, &sample::results()));
}

#[test]
fn the_catalogue_gives_the_words() {
    let mut out = Vec::new();
    report::write(Format::Human, &sample::results(), &mut out, Style::Plain).unwrap();
    let hostname = Catalogue::get()
        .by_id("config.hostname.effect")
        .expect("it is in the catalogue");
    let first_words: String = hostname.says.split_inclusive(' ').take(3).collect();
    let report = String::from_utf8(out).unwrap();
    assert!(
        report.contains(first_words.trim()),
        "{first_words:?} is not in {report}"
    );
}

#[test]
fn colours_add_nothing_but_colours() {
    let mut coloured = Vec::new();
    write(
        Format::Human,
        &sample::results(),
        &mut coloured,
        Style::Colour,
    );
    let coloured = String::from_utf8(coloured).unwrap();
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after
            .split_once('m')
            .expect("an SGR sequence ends with m")
            .1;
    }
    plain.push_str(rest);
    assert_eq!(plain, text(Format::Human, &sample::results()));
}

#[test]
fn the_results_file_follows_its_schema() {
    let schema = schema();
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    for results in [sample::results(), sample::two_subjects_without_root()] {
        let document: Value = serde_json::from_str(&text(Format::Json, &results)).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new());
        let mut unknown = BTreeSet::new();
        undescribed(&document, &schema, &schema, String::new(), &mut unknown);
        assert_eq!(
            unknown,
            BTreeSet::new(),
            "properties that the schema does not describe"
        );
    }
}

#[test]
fn the_schema_rejects_what_is_no_results_file() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let good: Value = serde_json::from_str(&text(Format::Json, &sample::results())).unwrap();
    for (pointer, wrong) in [
        ("/format", Value::from(2)),
        ("/runs", Value::Null),
        ("/level", "may".into()),
        ("/shard", serde_json::json!({"index": 0, "of": 2})),
        ("/host/cgroup", "v3".into()),
        ("/runs/0/summary/pass", (-1).into()),
        ("/runs/0/runtime/path", Value::Null),
        ("/runs/0/cases/0/verdict", "skipped".into()),
        ("/runs/0/cases/0/findings", Value::Null),
        ("/runs/0/cases/0/as_expected", "yes".into()),
        ("/started", "yesterday".into()),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect(pointer) = wrong;
        assert!(!validator.is_valid(&bad), "{pointer}");
    }
}

#[test]
fn every_property_of_the_schema_is_described() {
    fn look(schema: &Value, pointer: &str, wanting: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let at = format!("{pointer}/{name}");
            if property["description"]
                .as_str()
                .is_none_or(|words| words.len() < 8)
            {
                wanting.push(at.clone());
            }
            look(property, &at, wanting);
            look(&property["items"], &format!("{at}/[]"), wanting);
        }
        for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
            look(definition, &format!("{pointer}/$defs/{name}"), wanting);
        }
    }
    let mut wanting = Vec::new();
    look(&schema(), "", &mut wanting);
    assert_eq!(wanting, Vec::<String>::new());
}

#[test]
fn format_arguments() {
    for (argument, parsed) in [
        ("human", Ok((Format::Human, None))),
        (
            "json=out/results.json",
            Ok((Format::Json, Some("out/results.json"))),
        ),
        ("junit=a=b", Ok((Format::Junit, Some("a=b")))),
        ("tap", Ok((Format::Tap, None))),
        ("markdown", Ok((Format::Markdown, None))),
        ("html", Ok((Format::Html, None))),
        ("html=x", Ok((Format::Html, Some("x")))),
        ("json=", Err("names no file")),
        ("JSON", Err("unknown format")),
        ("", Err("unknown format")),
    ] {
        match (argument.parse::<FormatArgument>(), parsed) {
            (Ok(got), Ok((format, file))) => {
                assert_eq!(
                    (got.format, got.file),
                    (format, file.map(PathBuf::from)),
                    "{argument}"
                );
            }
            (Err(got), Err(words)) => assert!(got.contains(words), "{argument}: {got}"),
            (got, wanted) => panic!("{argument}: {got:?} instead of {wanted:?}"),
        }
    }
}

proptest! {
    #[test]
    fn human_shows_no_raw_control(hostile in hostile_text()) {
        let report = text(Format::Human, &sample::hostile(&hostile));
        let raw = report.chars().find(|c| steers(*c));
        prop_assert_eq!(raw, None);
        prop_assert_eq!(log_command(&report), None);
    }

    #[test]
    fn json_is_exact_and_shows_no_raw_control(hostile in hostile_text()) {
        let results = sample::hostile(&hostile);
        let report = text(Format::Json, &results);
        let raw = report.chars().find(|c| steers(*c));
        prop_assert_eq!(raw, None);
        prop_assert_eq!(log_command(&report), None);
        let back: Results = serde_json::from_str(&report).unwrap();
        prop_assert_eq!(serde_json::to_value(back).unwrap(), serde_json::to_value(results).unwrap());
    }

    #[test]
    fn junit_parses_and_says_what_was_there(hostile in hostile_text()) {
        let report = text(Format::Junit, &sample::hostile(&hostile));
        prop_assert_eq!(log_command(&report), None);
        let (attributes, content) = parse_xml(&report);
        let shown = escape::xml_reads_as(&hostile);
        prop_assert!(attributes.contains(&shown), "{:?} is not among {:?}", shown, attributes);
        prop_assert!(content.contains(&shown), "{:?} is not in {:?}", shown, content);
    }

    #[test]
    fn tap_cannot_be_forged(hostile in hostile_text()) {
        let harmless = structure(&text(Format::Tap, &sample::hostile("x")));
        let report = text(Format::Tap, &sample::hostile(&hostile));
        prop_assert_eq!(log_command(&report), None);
        prop_assert_eq!(structure(&report), harmless);
        let raw = report.chars().find(|c| steers(*c));
        prop_assert_eq!(raw, None);
    }

    #[test]
    fn markdown_keeps_its_shape(hostile in hostile_text()) {
        let harmless = shape(&text(Format::Markdown, &sample::hostile("x")));
        let report = text(Format::Markdown, &sample::hostile(&hostile));
        prop_assert_eq!(log_command(&report), None);
        prop_assert_eq!(shape(&report), harmless);
    }
}

fn text(format: Format, results: &Results) -> String {
    let mut out = Vec::new();
    write(format, results, &mut out, Style::Plain);
    String::from_utf8(out).unwrap()
}

/// With clauses of the sample, so that the catalogue's wording is free to change.
fn write(format: Format, results: &Results, out: &mut Vec<u8>, style: Style) {
    report::write_with(Clauses(&sample::clause), format, results, out, style).unwrap();
}

/// Anything, and often what formats and logs act on.
fn hostile_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "\u{1b}[2J",
            "\u{9b}31m",
            "\u{202e}",
            "\u{200f}",
            "\u{e0041}",
            "\u{2028}",
            "\u{feff}",
            "\0",
            "\r",
            "\n",
            "\t",
            "\n::error::x",
            " ::",
            "::",
            "##[group]x",
            "##vso[task]",
            "###",
            ":",
            "#",
            "]]>",
            "<!--",
            "</failure>",
            "&amp;",
            "<script>",
            "\"",
            "'",
            "`",
            "|",
            "\\|",
            "\\",
            "# SKIP",
            " # SKIP x",
            "\\# SKIP",
            "# TODO x",
            "\nok 7 - forged",
            "\nnot ok 1",
            "\n  ...",
            "\n  ---",
            "\n1..99",
            "Bail out!",
            "\n\n## heading",
            "[x](y)",
            "https://example.org",
            "www.example.org",
            "@user",
            "$(id)",
            "\u{fffe}",
            "\u{ffff}",
            "e\u{301}",
            "漢字",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// Written apart from the escaping: what a terminal or a reader's eye must never be given.
fn steers(c: char) -> bool {
    let invisible = "\u{ad}\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\
                     \u{2066}\u{2069}\u{feff}\u{fff9}\u{e0041}";
    (c.is_control() && c != '\n') || invisible.contains(c)
}

/// A line that a CI service would take for a command.
fn log_command(report: &str) -> Option<&str> {
    let begins = |line: &&str| line.trim_start().starts_with("::");
    report.lines().find(begins).or_else(|| {
        report.lines().find(|line| {
            ["##[", "##vso[", "##teamcity["]
                .iter()
                .any(|command| line.contains(command))
        })
    })
}

/// Values of all attributes, and all text, of an XML document.
fn parse_xml(document: &str) -> (Vec<String>, String) {
    let mut reader = quick_xml::Reader::from_str(document);
    let (mut attributes, mut content) = (Vec::new(), String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) => {
                for attribute in tag.attributes() {
                    let value = attribute.unwrap().value;
                    attributes.push(quick_xml::escape::unescape(&value).unwrap().into_owned());
                }
            }
            Event::Text(text) => content.push_str(&text),
            Event::GeneralRef(reference) => {
                let reference = format!("&{};", &*reference);
                content.push_str(&quick_xml::escape::unescape(&reference).unwrap());
            }
            _ => {}
        }
    }
    (attributes, content)
}

/// What a consumer of TAP acts on: versions, plans, test lines with their directive, bail-outs, and
/// the marks of YAML blocks.
fn structure(report: &str) -> Vec<String> {
    let acted_on = |line: &&str| {
        ["TAP", "1..", "ok", "not ok", "Bail"]
            .iter()
            .any(|start| line.trim_start().starts_with(start))
            || matches!(line.trim(), "---" | "...")
    };
    // Escaped characters are text; a number sign that is left begins a directive.
    let without_words = |line: &str| {
        let unescaped = line.replace("\\\\", "").replace("\\#", "");
        let directive = unescaped.split_once('#').map_or("", |(_, rest)| rest);
        let start = line.split(" - ").next().unwrap_or("");
        format!(
            "{start} #{}",
            directive.split_whitespace().next().unwrap_or("")
        )
    };
    report.lines().filter(acted_on).map(without_words).collect()
}

/// Lines, cells and tags of a Markdown report. Text of subjects adds none: it stands in `<code>`
/// with everything else by reference.
fn shape(report: &str) -> Vec<(char, usize, usize)> {
    report
        .lines()
        .map(|line| {
            let first = line.chars().next().unwrap_or(' ');
            (first, line.matches('|').count(), line.matches('<').count())
        })
        .collect()
}

fn schema() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../schemas/results.schema.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).expect(path)).expect(path)
}

/// Properties of a document that its schema says nothing of, by pointer.
fn undescribed(
    document: &Value,
    schema: &Value,
    root: &Value,
    pointer: String,
    found: &mut BTreeSet<String>,
) {
    let mut branches = vec![schema];
    if let Some(reference) = schema["$ref"].as_str() {
        branches.push(
            root.pointer(reference.trim_start_matches('#'))
                .expect(reference),
        );
    }
    for choice in schema["anyOf"].as_array().into_iter().flatten() {
        branches.push(choice["$ref"].as_str().map_or(choice, |reference| {
            root.pointer(reference.trim_start_matches('#'))
                .expect(reference)
        }));
    }
    // A schema that allows every value (`expected_value`) describes what is inside it.
    if branches
        .iter()
        .all(|branch| branch.get("properties").or(branch.get("items")).is_none())
    {
        return;
    }
    for (name, value) in document.as_object().into_iter().flatten() {
        let at = format!("{pointer}/{name}");
        match branches
            .iter()
            .find_map(|branch| branch["properties"].get(name))
        {
            Some(property) => undescribed(value, property, root, at, found),
            None => drop(found.insert(at)),
        }
    }
    for value in document.as_array().into_iter().flatten() {
        let items = branches
            .iter()
            .find_map(|branch| branch.get("items"))
            .unwrap_or(&Value::Null);
        undescribed(value, items, root, format!("{pointer}/[]"), found);
    }
}

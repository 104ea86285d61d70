//! Our schemas beside the official ones, version by version.
//!
//! Both are flattened to facts about places (`linux.devices[].type` has the values b, c, p, u).
//! Every difference, in either direction, has to be a row of `differences.toml` with the clause or
//! the reading behind it, and every row has to be a difference. Where the specification's files
//! are not at hand the tests say so and judge nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use oci_runtime_schemas::{
    Catalogue, Pattern, Presence, SPEC_VERSIONS, Schema, SchemaKind, SpecVersion, Type,
};
use serde::Deserialize;
use serde_json::Value;

/// Facts by place and name of the fact.
type Facts = BTreeMap<(String, &'static str), String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    difference: Vec<Row>,
}

/// One explained difference. `place`, `fact`, `ours` and `official` may have `*`, which stands for any text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    document: String,
    place: String,
    fact: String,
    #[serde(default = "none")]
    ours: String,
    #[serde(default = "none")]
    official: String,
    /// First and last version of official schemas that have the difference; all, if absent.
    since: Option<String>,
    until: Option<String>,
    /// The clause, if one decides it.
    clause: Option<String>,
    /// The number of the reading (the catalogue's `stand`), if one decides it.
    stand: Option<u8>,
    because: String,
}

/// What stands where one side says nothing.
fn none() -> String {
    "-".into()
}

#[test]
fn every_difference_from_the_official_schemas_is_explained() {
    let Some(folder) = specification() else {
        eprintln!("not judged: the specification's files are not at hand");
        return;
    };
    let table: Table = toml::from_str(include_str!("../differences.toml")).unwrap();
    let mut used = BTreeSet::new();
    let mut unexplained = Vec::new();
    for (document, kind, file, since) in [
        (
            "config",
            SchemaKind::Config,
            "config-schema.json",
            (1, 0, 0),
        ),
        ("state", SchemaKind::State, "state-schema.json", (1, 0, 0)),
        (
            "features",
            SchemaKind::Features,
            "features-schema.json",
            (1, 1, 0),
        ),
    ] {
        for version in SPEC_VERSIONS {
            if version < SpecVersion::new(since.0, since.1, since.2) {
                continue;
            }
            let official = Official::read(&folder.join(format!("v{version}/schema"))).facts(file);
            let ours = our_facts(kind.schema(), version);
            for (place, fact, ours, official) in differences(&ours, &official) {
                let rows: Vec<usize> = (0..table.difference.len())
                    .filter(|&row| {
                        let row = &table.difference[row];
                        row.document == document
                            && matches(&row.fact, fact)
                            && row.is_about(version)
                            && matches(&row.place, &place)
                            && matches(&row.ours, &ours)
                            && matches(&row.official, &official)
                    })
                    .collect();
                used.extend(rows.iter().copied());
                if rows.is_empty() {
                    unexplained.push(format!(
                        "{document} {version} {place} {fact}: ours {ours}, official {official}"
                    ));
                }
            }
        }
    }
    assert!(
        unexplained.is_empty(),
        "{} differences without a row:\n{}",
        unexplained.len(),
        unexplained.join("\n")
    );
    for (place, row) in table.difference.iter().enumerate() {
        assert!(used.contains(&place), "no difference is like {row:?}");
    }
}

#[test]
fn every_row_names_what_decides_it() {
    let table: Table = toml::from_str(include_str!("../differences.toml")).unwrap();
    for row in &table.difference {
        assert!(row.because.len() > 10, "{row:?}");
        assert!(row.clause.is_some() || row.stand.is_some(), "{row:?}");
        if let Some(clause) = &row.clause {
            assert!(Catalogue::get().by_id(clause).is_some(), "{row:?}");
        }
        if let Some(stand) = row.stand {
            let known = Catalogue::get()
                .iter()
                .any(|clause| clause.stand == Some(stand));
            assert!(known, "{row:?}");
        }
    }
}

impl Row {
    fn is_about(&self, version: SpecVersion) -> bool {
        let bound = |text: &Option<String>| text.as_ref().map(|text| text.parse().unwrap());
        bound(&self.since).is_none_or(|since: SpecVersion| since <= version)
            && bound(&self.until).is_none_or(|until: SpecVersion| version <= until)
    }
}

/// Place, fact, what ours says and what the official one says.
fn differences(ours: &Facts, official: &Facts) -> Vec<(String, &'static str, String, String)> {
    let mut found = Vec::new();
    let keys: BTreeSet<_> = ours.keys().chain(official.keys()).collect();
    let lacking = |facts: &Facts, place: &str| {
        // The place itself or one that it lies in is not there.
        let mut end = place.len();
        loop {
            if !facts.contains_key(&(place[..end].to_owned(), "here")) {
                return true;
            }
            match place[..end].rfind(['.', '[']) {
                Some(dot) => end = dot,
                None => return false,
            }
        }
    };
    for (place, fact) in keys {
        if *fact != "here" && (lacking(ours, place) || lacking(official, place)) {
            continue;
        }
        if *fact == "here"
            && let Some(dot) = place.rfind(['.', '['])
            && (lacking(ours, &place[..dot]) || lacking(official, &place[..dot]))
        {
            continue;
        }
        let get = |facts: &Facts| {
            facts
                .get(&(place.clone(), *fact))
                .cloned()
                .unwrap_or_else(none)
        };
        let (ours, official) = (get(ours), get(official));
        if ours != official {
            found.push((place.clone(), *fact, ours, official));
        }
    }
    found
}

/// The facts of our tables for documents of one version.
fn our_facts(schema: &'static Schema, version: SpecVersion) -> Facts {
    let mut facts = Facts::new();
    flatten_ours("", schema, version, &mut facts);
    facts
}

fn flatten_ours(place: &str, schema: &'static Schema, version: SpecVersion, facts: &mut Facts) {
    let mut fact = |name, value: Option<String>| {
        if let Some(value) = value {
            facts.insert((place.to_owned(), name), value);
        }
    };
    fact("here", Some("yes".into()));
    let types: Vec<&str> = schema.types.iter().map(|one| name_of(*one)).collect();
    fact("type", (!types.is_empty()).then(|| types.join(" ")));
    let mut values: Vec<&str> = schema
        .values
        .iter()
        .filter(|value| value.is_known_in(version))
        .map(|value| value.value)
        .collect();
    values.sort_unstable();
    fact("values", (!values.is_empty()).then(|| values.join(" ")));
    fact("minimum", schema.minimum.map(|it| it.to_string()));
    fact("maximum", schema.maximum.map(|it| it.to_string()));
    fact("minLength", schema.min_length.map(|it| it.to_string()));
    fact("minItems", schema.min_items.map(|it| it.to_string()));
    fact("maxItems", schema.max_items.map(|it| it.to_string()));
    fact(
        "pattern",
        schema.pattern.map(|pattern| match pattern {
            Pattern::AbsolutePath => "absolute path".into(),
            Pattern::SemVer => "SemVer".into(),
            Pattern::Prefix(prefix) => format!("^{prefix}"),
            Pattern::NoNewline => "no newline".into(),
        }),
    );
    for property in schema.properties {
        if !property.is_known_in(version) {
            continue;
        }
        let below = joined(place, property.name);
        let required = match property.presence {
            Presence::Optional => false,
            Presence::Required => true,
            Presence::RequiredUntil(until) => version <= until,
        };
        if required {
            facts.insert((below.clone(), "required"), "yes".into());
        }
        flatten_ours(&below, property.schema, version, facts);
    }
    if let Some(items) = schema.items {
        flatten_ours(&format!("{place}[]"), items, version, facts);
    }
    if let Some(additional) = schema.additional {
        flatten_ours(&joined(place, "*"), additional, version, facts);
    }
}

fn name_of(one: Type) -> &'static str {
    match one {
        Type::Null => "null",
        Type::Boolean => "boolean",
        Type::Integer => "integer",
        Type::Number => "number",
        Type::String => "string",
        Type::Array => "array",
        Type::Object => "object",
    }
}

fn joined(place: &str, name: &str) -> String {
    match place {
        "" => name.to_owned(),
        place => format!("{place}.{name}"),
    }
}

/// The official schemas of one version: JSON Schema draft 4, in several files.
struct Official {
    files: BTreeMap<String, Value>,
}

impl Official {
    fn read(folder: &Path) -> Official {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".json") {
                let text = fs::read_to_string(entry.path()).unwrap();
                files.insert(name, serde_json::from_str(&text).unwrap());
            }
        }
        Official { files }
    }

    fn facts(&self, file: &str) -> Facts {
        let mut facts = Facts::new();
        self.flatten("", file, &self.files[file], &mut facts);
        facts
    }

    fn flatten(&self, place: &str, file: &str, schema: &Value, facts: &mut Facts) {
        let insert = |facts: &mut Facts, name, value: Option<String>| {
            if let Some(value) = value {
                facts.insert((place.to_owned(), name), value);
            }
        };
        insert(facts, "here", Some("yes".into()));
        if let Some(reference) = schema["$ref"].as_str() {
            let (other, pointer) = reference.split_once('#').unwrap_or((reference, ""));
            let other = if other.is_empty() { file } else { other };
            // 1.3.0 has a reference without the slash, which can only mean this.
            let pointer = match pointer.strip_prefix('/') {
                Some(_) => pointer.to_owned(),
                None if pointer.is_empty() => String::new(),
                None => format!("/{pointer}"),
            };
            let target = self.files[other].pointer(&pointer);
            self.flatten(place, other, target.expect(reference), facts);
        }
        for together in ["allOf", "anyOf"] {
            for one in schema[together].as_array().into_iter().flatten() {
                self.flatten(place, file, one, facts);
            }
        }
        insert(facts, "type", schema["type"].as_str().map(str::to_owned));
        if let Some(values) = schema["enum"].as_array() {
            let mut values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            values.sort_unstable();
            insert(facts, "values", Some(values.join(" ")));
        }
        for name in ["minimum", "maximum", "minLength", "minItems", "maxItems"] {
            // Some versions write the largest and smallest numbers of 64 bits as rounded ones.
            let value = schema.get(name).map(|value| match value.as_f64() {
                Some(number) if number > 1.8e19 => u64::MAX.to_string(),
                Some(number) if number > 9.2e18 => i64::MAX.to_string(),
                Some(number) if number < -9.2e18 => i64::MIN.to_string(),
                _ => value.to_string(),
            });
            insert(facts, name, value);
        }
        let pattern = schema["pattern"].as_str().map(str::to_owned);
        insert(facts, "pattern", pattern);
        // config-vm.json writes the values of a property as its "format".
        let properties = schema["properties"].as_object();
        for (name, value) in properties.into_iter().flatten() {
            self.flatten(&joined(place, name), file, value, facts);
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            facts.insert((joined(place, name), "required"), "yes".into());
        }
        if schema["items"].is_object() {
            self.flatten(&format!("{place}[]"), file, &schema["items"], facts);
        }
        if schema["additionalProperties"].is_object() {
            let below = joined(place, "*");
            self.flatten(&below, file, &schema["additionalProperties"], facts);
        }
        for value in schema["patternProperties"]
            .as_object()
            .into_iter()
            .flat_map(|it| it.values())
        {
            self.flatten(&joined(place, "*"), file, value, facts);
        }
    }
}

/// Whether a text is like a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, rest)) => text.strip_prefix(before).is_some_and(|text| {
            (0..=text.len())
                .filter(|&at| text.is_char_boundary(at))
                .any(|at| matches(rest, &text[at..]))
        }),
    }
}

/// The specification's files, where they lie beside the project.
fn specification() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/runtime-spec");
    folder.is_dir().then_some(folder)
}

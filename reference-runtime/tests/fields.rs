//! FIELDS.md, held against the schemas and the source: it names every property that concerns Linux,
//! and a file that reads it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Parts of the document that concern other platforms.
const OF_OTHERS: &[&str] = &[
    "freebsd",
    "solaris",
    "vm",
    "windows",
    "zos",
    "process.commandLine",
    "process.user.username",
];

#[test]
fn every_property_of_the_schemas_has_a_file() {
    let listed: BTreeSet<String> = rows().into_iter().map(|(property, _)| property).collect();
    let mut walk = Walk::default();
    let config = walk.resolve("config.schema.json", "");
    walk.schema("config.schema.json", &config, "");
    let known: BTreeSet<String> = walk
        .properties
        .into_iter()
        .filter(|property| {
            !OF_OTHERS.iter().any(|other| {
                property
                    .strip_prefix(other)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
        })
        .collect();
    assert!(
        known.len() > 200,
        "the schemas have {} properties",
        known.len()
    );
    let missing: Vec<&String> = known.difference(&listed).collect();
    let unknown: Vec<&String> = listed.difference(&known).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing: {missing:?}, unknown: {unknown:?}"
    );
}

#[test]
fn every_file_reads_its_properties() {
    let mut texts = BTreeMap::new();
    for (property, file) in rows() {
        let text = texts.entry(file.clone()).or_insert_with(|| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("src")
                .join(&file);
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
            // What the file's own tests write is not what it reads.
            let code = text.split("\nmod tests {").next();
            code.unwrap_or_default().to_owned()
        });
        let name = property.rsplit('.').next().unwrap();
        let name = name.trim_end_matches("[]");
        assert!(
            text.contains(&format!("\"{name}\"")),
            "{file} does not read {property}"
        );
    }
}

/// Property and file of each row.
fn rows() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/FIELDS.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| {
        let mut cells = line
            .strip_prefix("| `")?
            .strip_suffix("` |")?
            .split("` | `");
        Some((cells.next()?.to_owned(), cells.next()?.to_owned()))
    });
    rows.collect()
}

/// The properties that the schemas name, as FIELDS.md writes them.
#[derive(Default)]
struct Walk {
    files: BTreeMap<String, Value>,
    properties: BTreeSet<String>,
    /// The references on the way here, of which none is followed twice.
    followed: Vec<String>,
}

impl Walk {
    fn resolve(&mut self, name: &str, pointer: &str) -> Value {
        let document = self.files.entry(name.to_owned()).or_insert_with(|| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/json");
            serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
        });
        let found = document.pointer(pointer);
        found.unwrap_or_else(|| panic!("{name}#{pointer}")).clone()
    }

    fn schema(&mut self, file: &str, schema: &Value, path: &str) {
        if let Some(reference) = schema["$ref"].as_str() {
            let (other, pointer) = reference.split_once('#').unwrap_or((reference, ""));
            let other = match other.rsplit('/').next() {
                Some("") | None => file,
                Some(name) => name,
            };
            let target = format!("{other}#{pointer}");
            if !self.followed.contains(&target) {
                let found = self.resolve(other, pointer);
                self.followed.push(target);
                self.schema(other, &found, path);
                self.followed.pop();
            }
        }
        for several in ["allOf", "anyOf", "oneOf"] {
            for one in schema[several].as_array().into_iter().flatten() {
                self.schema(file, one, path);
            }
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let dot = if path.is_empty() { "" } else { "." };
            let below = format!("{path}{dot}{name}");
            self.schema(file, property, &below);
            self.properties.insert(below);
        }
        self.schema_of(file, &schema["items"], &format!("{path}[]"));
        self.schema_of(
            file,
            &schema["additionalProperties"],
            &format!("{path}.<key>"),
        );
    }

    /// The same, if it is a schema.
    fn schema_of(&mut self, file: &str, schema: &Value, path: &str) {
        if schema.is_object() {
            self.schema(file, schema, path);
        }
    }
}

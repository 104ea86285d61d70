//! Turns the JSON Schemas of `json/` into static tables, with every reference followed.
//!
//! The schemas use few keywords, and none but these: one that the tables do not know stops the
//! build, so that nothing that a schema says can be lost on the way.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::version;

/// Name of the table, file and place of the schema in it.
const KINDS: [(&str, &str, &str); 7] = [
    ("CONFIG", "config.schema.json", ""),
    ("STATE", "state.schema.json", ""),
    ("FEATURES", "features.schema.json", ""),
    ("PROCESS", "process.schema.json", ""),
    ("RESOURCES", "resources.schema.json", ""),
    ("SECCOMP", "seccomp.schema.json", ""),
    (
        "CONTAINER_PROCESS_STATE",
        "state.schema.json",
        "/$defs/ContainerProcessState",
    ),
];

/// Keywords that tell something and judge nothing.
const ANNOTATIONS: [&str; 16] = [
    "$schema",
    "$id",
    "$defs",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "required", // read where the properties are
    "x-clause",
    "x-clauses",
    "x-clause-prefix",
    "x-since",
    "x-until",
    "x-required-until",
    "x-values",
];

/// The Rust source of all tables.
pub(crate) fn tables(folder: &Path) -> Result<String, Box<dyn Error>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.ends_with(".schema.json") {
            continue;
        }
        let schema: Value = serde_json::from_str(&fs::read_to_string(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        if schema["$id"] != *name {
            return Err(format!("{}: its $id is not its name", path.display()).into());
        }
        files.insert(name.into_owned(), schema);
    }
    let mut tables = Tables {
        files: &files,
        known: BTreeMap::new(),
        source: String::new(),
        count: 0,
    };
    for (name, file, pointer) in KINDS {
        let schema = tables.schema(
            &Place {
                file: file.into(),
                pointer: pointer.into(),
            },
            &Use::default(),
        )?;
        writeln!(
            tables.source,
            "pub(super) static {name}: Schema = {schema};"
        )?;
        let text = serde_json::to_string_pretty(&bundle(&files, file, pointer)?)?;
        writeln!(
            tables.source,
            "pub(super) static {name}_TEXT: &str = {:?};",
            text + "\n"
        )?;
    }
    Ok(tables.source)
}

/// Where a schema stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: String,
    pointer: String,
}

/// From where a schema is used: what its `~` stands for, and the clauses of the property whose
/// value it describes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    prefix: String,
    clause: String,
    clauses: Vec<(String, String)>,
}

impl Use {
    /// The clause of a keyword.
    fn of(&self, keyword: &str) -> &str {
        self.clauses
            .iter()
            .find(|(name, _)| name == keyword)
            .map_or(&self.clause, |(_, clause)| clause)
    }
}

struct Tables<'a> {
    files: &'a BTreeMap<String, Value>,
    /// Names of the statics that are written, by what they are of.
    known: BTreeMap<(Place, Use), String>,
    source: String,
    count: usize,
}

type Result2<T> = Result<T, Box<dyn Error>>;

impl<'a> Tables<'a> {
    /// The name of the static for a schema, which is written if it is new.
    fn named(&mut self, place: &Place, used: &Use) -> Result2<String> {
        let key = (place.clone(), used.clone());
        if let Some(name) = self.known.get(&key) {
            return Ok(name.clone());
        }
        let schema = self.schema(place, used)?;
        let name = format!("S{}", self.count);
        self.count += 1;
        writeln!(self.source, "static {name}: Schema = {schema};")?;
        self.known.insert(key, name.clone());
        Ok(name)
    }

    fn object(&self, place: &Place) -> Result2<&'a Map<String, Value>> {
        self.files
            .get(&place.file)
            .and_then(|file| file.pointer(&place.pointer))
            .and_then(Value::as_object)
            .ok_or_else(|| format!("{place:?}: no schema stands there").into())
    }

    /// The expression of a schema.
    fn schema(&mut self, place: &Place, used: &Use) -> Result2<String> {
        let object = self.object(place)?;
        let wrong = |problem: String| format!("{}#{}: {problem}", place.file, place.pointer);
        if let Some(reference) = object.get("$ref") {
            let beside = object
                .keys()
                .find(|key| !ANNOTATIONS.contains(&key.as_str()) && *key != "$ref");
            if let Some(key) = beside {
                return Err(wrong(format!("{key} stands beside $ref")).into());
            }
            let target = follow(place, text(reference)?);
            // What the definition says of itself holds only where its user says nothing.
            let inner = self.object(&target)?;
            let mut inner_use = self.used(inner, used).map_err(wrong)?;
            if !used.clause.is_empty() {
                inner_use.clause.clone_from(&used.clause);
            }
            return self.schema(&target, &inner_use);
        }
        let mut types = Vec::new();
        let mut properties = BTreeMap::new();
        let mut values = String::new();
        let (mut minimum, mut maximum) = (None::<String>, None::<String>);
        let mut numbers = BTreeMap::new();
        let (mut additional, mut items, mut pattern) = (None, None, None);
        let mut names_not_empty = false;
        for (keyword, value) in object {
            match keyword.as_str() {
                "type" => match value {
                    Value::Array(several) => {
                        for one in several {
                            types.push(type_of(text(one)?)?);
                        }
                    }
                    one => types.push(type_of(text(one)?)?),
                },
                "properties" => {
                    for name in value.as_object().ok_or("properties is no object")?.keys() {
                        let property = self
                            .property(object, place, name, used)
                            .map_err(|error| wrong(format!("{name}: {error}")))?;
                        properties.insert(name.as_str(), property);
                    }
                }
                "additionalProperties" | "items" => {
                    let inner = Place {
                        file: place.file.clone(),
                        pointer: format!("{}/{keyword}", place.pointer),
                    };
                    let mut inner_use = used.clone();
                    let prefix = format!("{keyword}.");
                    inner_use.clauses = used
                        .clauses
                        .iter()
                        .filter_map(|(name, clause)| {
                            Some((name.strip_prefix(&prefix)?.to_owned(), clause.clone()))
                        })
                        .collect();
                    let inner_use = self.used(self.object(&inner)?, &inner_use)?;
                    let name = self.named(&inner, &inner_use)?;
                    match keyword.as_str() {
                        "items" => items = Some(format!("&{name}")),
                        _ => additional = Some(format!("&{name}")),
                    }
                }
                "propertyNames" => {
                    if *value != json!({"minLength": 1}) {
                        return Err(wrong("propertyNames is not {minLength: 1}".into()).into());
                    }
                    names_not_empty = true;
                }
                "enum" => {
                    let ages = &object.get("x-values").cloned().unwrap_or_default();
                    for value in value.as_array().ok_or("enum is no array")? {
                        let value = text(value)?;
                        let age = |name: &str| optional_version(&ages[value][name]);
                        write!(
                            values,
                            "AllowedValue {{ value: {value:?}, brief: brief({value:?}.as_bytes()), \
                             since: {}, until: {} }},",
                            age("since")?,
                            age("until")?
                        )?;
                    }
                }
                "const" => write!(
                    values,
                    "AllowedValue {{ value: {0:?}, brief: brief({0:?}.as_bytes()), since: None, until: \
                     None }},",
                    text(value)?
                )?,
                "minimum" => minimum = Some(integer(value)?),
                "maximum" => maximum = Some(integer(value)?),
                "minLength" | "minItems" | "maxItems" => {
                    numbers.insert(keyword.as_str(), integer(value)?);
                }
                "pattern" => pattern = Some(pattern_of(text(value)?)?),
                keyword if ANNOTATIONS.contains(&keyword) => {}
                other => return Err(wrong(format!("the keyword {other} is not known")).into()),
            }
        }
        let own: Vec<(&String, &String)> = used
            .clauses
            .iter()
            .filter(|(keyword, _)| !keyword.contains('.'))
            .map(|(keyword, clause)| (keyword, clause))
            .collect();
        Ok(format!(
            "Schema {{ types: &[{}], properties: &[{}], additional: {}, names_not_empty: \
             {names_not_empty}, items: {}, values: &[{values}], minimum: {}, maximum: {}, \
             min_length: {}, min_items: {}, max_items: {}, pattern: {}, clause: {:?}, clauses: \
             &{own:?} }}",
            types.join(","),
            properties.into_values().collect::<Vec<_>>().join(","),
            some(additional),
            some(items),
            some(minimum),
            some(maximum),
            some(numbers.remove("minLength")),
            some(numbers.remove("minItems")),
            some(numbers.remove("maxItems")),
            some(pattern),
            used.clause,
        ))
    }

    /// The expression of a property.
    fn property(
        &mut self,
        owner: &Map<String, Value>,
        place: &Place,
        name: &str,
        used: &Use,
    ) -> Result2<String> {
        let place = Place {
            file: place.file.clone(),
            pointer: format!("{}/properties/{}", place.pointer, escaped(name)),
        };
        let object = self.object(&place)?;
        // A property's clauses are its own, none of its owner's.
        let used = self.used(
            object,
            &Use {
                prefix: used.prefix.clone(),
                ..Use::default()
            },
        )?;
        if used.clause.is_empty() {
            return Err("x-clause is missing".into());
        }
        let required = owner
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|names| names.iter().any(|other| other == name));
        let presence = match (required, object.get("x-required-until")) {
            (false, None) => "Presence::Optional".into(),
            (true, None) => "Presence::Required".into(),
            (true, Some(until)) => format!("Presence::RequiredUntil({})", version(text(until)?)?),
            (false, Some(_)) => return Err("x-required-until, but not required".into()),
        };
        let description = object.get("description").ok_or("description is missing")?;
        let since = object.get("x-since").ok_or("x-since is missing")?;
        let until = object.get("x-until").cloned().unwrap_or_default();
        Ok(format!(
            "Property {{ name: {name:?}, brief: brief({name:?}.as_bytes()), schema: &{}, description: {:?}, clause: {:?}, \
             presence_clause: {:?}, presence: {presence}, since: {}, until: {} }}",
            self.named(&place, &used)?,
            text(description)?,
            used.clause,
            used.of("required"),
            version(text(since)?)?,
            optional_version(&until)?,
        ))
    }

    /// What a schema says of its clauses, over what its user says.
    fn used(&self, object: &Map<String, Value>, outer: &Use) -> Result<Use, String> {
        let mut used = outer.clone();
        let get = |key: &str| object.get(key).and_then(Value::as_str);
        let full = |id: &str, prefix: &str| match id.strip_prefix('~') {
            Some(rest) if prefix.is_empty() => Err(format!("{id}: ~{rest} without a prefix")),
            Some(rest) => Ok(format!("{prefix}{rest}")),
            None => Ok(id.to_owned()),
        };
        if let Some(clause) = get("x-clause") {
            used.clause = full(clause, &outer.prefix)?;
        }
        if let Some(clauses) = object.get("x-clauses").and_then(Value::as_object) {
            for (keyword, clause) in clauses {
                let clause = full(clause.as_str().unwrap_or_default(), &outer.prefix)?;
                if !used.clauses.iter().any(|(known, _)| known == keyword) {
                    used.clauses.push((keyword.clone(), clause));
                }
            }
        }
        if let Some(prefix) = get("x-clause-prefix") {
            used.prefix = full(prefix, &outer.prefix)?;
        }
        Ok(used)
    }
}

/// A schema with all files that it refers to.
fn bundle(files: &BTreeMap<String, Value>, file: &str, pointer: &str) -> Result2<Value> {
    let mut needed = vec![file.to_owned()];
    let mut next = 0;
    while let Some(name) = needed.get(next).cloned() {
        let schema = files.get(&name).ok_or_else(|| format!("no file {name}"))?;
        let mut references = Vec::new();
        collect_references(schema, &mut references);
        for reference in references {
            let target = follow(
                &Place {
                    file: name.clone(),
                    pointer: String::new(),
                },
                &reference,
            );
            if !needed.contains(&target.file) {
                needed.push(target.file);
            }
        }
        next += 1;
    }
    let mut root = files[file].clone();
    if !pointer.is_empty() {
        root = json!({
            "$schema": root["$schema"], "$id": format!("{}.entry", file),
            "$ref": format!("{file}#{pointer}"), "$defs": {file: root},
        });
    }
    let definitions = root
        .as_object_mut()
        .ok_or("a schema is no object")?
        .entry("$defs")
        .or_insert_with(|| json!({}));
    for name in needed.iter().skip(1) {
        definitions[name] = files[name].clone();
    }
    if definitions.as_object().is_some_and(Map::is_empty) {
        root.as_object_mut().map(|root| root.remove("$defs"));
    }
    drop_former_requirements(&mut root);
    Ok(root)
}

/// Takes out of `required` what only older versions require: JSON Schema cannot say it, and a
/// document that the newest version allows must not be refused.
fn drop_former_requirements(schema: &mut Value) {
    let former: Vec<String> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, property)| property.get("x-required-until").is_some())
        .map(|(name, _)| name.clone())
        .collect();
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| !former.iter().any(|one| name == one));
    }
    match schema {
        Value::Object(members) => members.values_mut().for_each(drop_former_requirements),
        Value::Array(items) => items.iter_mut().for_each(drop_former_requirements),
        _ => {}
    }
}

fn collect_references(schema: &Value, into: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                into.push(reference.clone());
            }
            members
                .values()
                .for_each(|member| collect_references(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        _ => {}
    }
}

fn follow(from: &Place, reference: &str) -> Place {
    let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
    Place {
        file: match file {
            "" => from.file.clone(),
            file => file.into(),
        },
        pointer: pointer.into(),
    }
}

fn type_of(name: &str) -> Result2<String> {
    Ok(match name {
        "null" => "Type::Null",
        "boolean" => "Type::Boolean",
        "integer" => "Type::Integer",
        "number" => "Type::Number",
        "string" => "Type::String",
        "array" => "Type::Array",
        "object" => "Type::Object",
        other => return Err(format!("the type {other} is not known").into()),
    }
    .into())
}

fn pattern_of(pattern: &str) -> Result2<String> {
    Ok(match pattern {
        "^/" => "Pattern::AbsolutePath".into(),
        "^[^\\n]*$" => "Pattern::NoNewline".into(),
        "^L3:" => "Pattern::Prefix(\"L3:\")".into(),
        "^MB:" => "Pattern::Prefix(\"MB:\")".into(),
        semver if semver.starts_with("^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)") => {
            "Pattern::SemVer".into()
        }
        other => return Err(format!("the pattern {other} is not known").into()),
    })
}

fn text(value: &Value) -> Result2<&str> {
    value
        .as_str()
        .ok_or_else(|| format!("{value} is no string").into())
}

fn integer(value: &Value) -> Result2<String> {
    match value {
        Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
        other => Err(format!("{other} is no integer").into()),
    }
}

fn optional_version(value: &Value) -> Result2<String> {
    match value {
        Value::Null => Ok("None".into()),
        value => Ok(format!("Some({})", version(text(value)?)?)),
    }
}

fn some(expression: Option<String>) -> String {
    expression.map_or("None".into(), |expression| format!("Some({expression})"))
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

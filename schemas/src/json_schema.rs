//! The JSON Schemas as tables that a judge walks without compiling anything.
//!
//! The files in `json/` are JSON Schema 2020-12 for people, editors and other programs; the build
//! script turns them into these tables, so that judging a document costs no parsing of a schema and
//! no allocation. Both are one source: a test holds that a general evaluator of the files and the
//! tables give the same answers.

use crate::SpecVersion;

/// What may be written for a value.
#[derive(Debug)]
pub struct Schema {
    /// Types that are allowed; empty if any is.
    pub types: &'static [Type],
    /// Properties of an object, in the order of their names.
    pub properties: &'static [Property],
    /// What all other members of an object have to be, where the schema says it.
    pub additional: Option<&'static Schema>,
    /// Whether names of members must not be empty.
    pub names_not_empty: bool,
    /// What the entries of an array have to be.
    pub items: Option<&'static Schema>,
    /// The strings that are allowed; empty if any is.
    pub values: &'static [AllowedValue],
    /// The smallest number that is allowed.
    pub minimum: Option<i128>,
    /// The largest number that is allowed.
    pub maximum: Option<i128>,
    /// How long a string has to be.
    pub min_length: Option<usize>,
    /// How many entries an array has to have.
    pub min_items: Option<usize>,
    /// How many entries an array may have.
    pub max_items: Option<usize>,
    /// How a string has to be formed.
    pub pattern: Option<Pattern>,
    /// The clause that is broken where no keyword has one of its own.
    pub clause: &'static str,
    /// Keywords with a clause of their own.
    pub clauses: &'static [(&'static str, &'static str)],
}

/// A property of an object.
#[derive(Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// Its name as a number, see [`brief`].
    pub brief: u64,
    /// What it may be.
    pub schema: &'static Schema,
    /// What it means.
    pub description: &'static str,
    /// The clause that says what type it has, and as a rule whether it has to be there.
    pub clause: &'static str,
    /// The clause that says whether it has to be there.
    pub presence_clause: &'static str,
    /// Whether it has to be there.
    pub presence: Presence,
    /// The first version that has it.
    pub since: SpecVersion,
    /// The last version that has it, if a later one dropped it.
    pub until: Option<SpecVersion>,
}

/// Whether a property has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It may be absent.
    Optional,
    /// It has to be there.
    Required,
    /// It has to be there up to this version.
    RequiredUntil(SpecVersion),
}

/// A string that is allowed, and in which versions.
#[derive(Debug)]
pub struct AllowedValue {
    /// The string.
    pub value: &'static str,
    /// The string as a number, see [`brief`].
    pub brief: u64,
    /// The first version that lists it, if it came later than its property.
    pub since: Option<SpecVersion>,
    /// The last version that lists it.
    pub until: Option<SpecVersion>,
}

/// Types of JSON values, as JSON Schema has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number without fraction and exponent.
    Integer,
    /// Any number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// The forms of strings that the schemas ask for. There are so few that the judge needs no regular
/// expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Begins with a slash.
    AbsolutePath,
    /// A version of SemVer 2.0.0.
    SemVer,
    /// Begins with this.
    Prefix(&'static str),
    /// Has no line break.
    NoNewline,
}

/// A word as a number: its first seven bytes and its length. Words that differ in it are different;
/// words that do not, and are longer than seven bytes, have to be compared byte by byte. A judge that
/// looks up each name of a document among a few dozen finds it fastest so.
#[inline]
pub const fn brief(word: &[u8]) -> u64 {
    let mut number = (word.len() as u64) << 56;
    let mut at = 0;
    while at < 7 && at < word.len() {
        number |= (word[at] as u64) << (8 * at);
        at += 1;
    }
    number
}

impl Schema {
    /// The property of that name.
    pub fn property(&self, name: &str) -> Option<&'static Property> {
        self.place_of_property(brief(name.as_bytes()), name)
            .map(|place| &self.properties[place])
    }

    /// The place among [`Schema::properties`] of the property whose [`brief`] name and name these are.
    #[inline]
    pub fn place_of_property(&self, brief: u64, name: &str) -> Option<usize> {
        self.properties
            .iter()
            .position(|property| property.brief == brief && property.name == name)
    }

    /// The allowed value that is this string.
    #[inline]
    pub fn value(&self, text: &str) -> Option<&'static AllowedValue> {
        let short = brief(text.as_bytes());
        self.values
            .iter()
            .find(|value| value.brief == short && value.value == text)
    }

    /// The clause that a value breaks which the keyword refuses.
    pub fn clause_of(&self, keyword: &str) -> &'static str {
        self.clauses
            .iter()
            .find(|(name, _)| *name == keyword)
            .map_or(self.clause, |(_, clause)| clause)
    }

    /// This schema and all below it, each with the place where it stands: `linux.devices[].type`.
    pub fn walk(&'static self, visit: &mut dyn FnMut(&str, &'static Schema)) {
        self.walk_from(String::new(), visit);
    }

    fn walk_from(&'static self, place: String, visit: &mut dyn FnMut(&str, &'static Schema)) {
        visit(&place, self);
        for property in self.properties {
            let dot = if place.is_empty() { "" } else { "." };
            property
                .schema
                .walk_from(format!("{place}{dot}{}", property.name), visit);
        }
        if let Some(items) = self.items {
            items.walk_from(format!("{place}[]"), visit);
        }
        if let Some(additional) = self.additional {
            additional.walk_from(format!("{place}.*"), visit);
        }
    }
}

impl Property {
    /// Whether a version of the specification has the property.
    pub fn is_known_in(&self, version: SpecVersion) -> bool {
        self.since <= version && self.until.is_none_or(|until| version <= until)
    }
}

impl AllowedValue {
    /// Whether a version of the specification lists the value.
    pub fn is_known_in(&self, version: SpecVersion) -> bool {
        self.since.is_none_or(|since| since <= version)
            && self.until.is_none_or(|until| version <= until)
    }
}

/// A kind of document that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaKind {
    /// `config.json`.
    Config,
    /// The state of a container.
    State,
    /// What a runtime says of itself.
    Features,
    /// What `exec --process` takes: the `process` object alone.
    Process,
    /// What `update --resources` takes: the `linux.resources` object alone.
    Resources,
    /// The `linux.seccomp` object alone.
    Seccomp,
    /// What the agent of a seccomp listener is sent.
    ContainerProcessState,
}

impl SchemaKind {
    /// The kinds, in the order in which people ask for them.
    pub const ALL: [SchemaKind; 7] = [
        SchemaKind::Config,
        SchemaKind::State,
        SchemaKind::Features,
        SchemaKind::Process,
        SchemaKind::Resources,
        SchemaKind::Seccomp,
        SchemaKind::ContainerProcessState,
    ];

    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            SchemaKind::Config => "config",
            SchemaKind::State => "state",
            SchemaKind::Features => "features",
            SchemaKind::Process => "process",
            SchemaKind::Resources => "resources",
            SchemaKind::Seccomp => "seccomp",
            SchemaKind::ContainerProcessState => "container-process-state",
        }
    }

    /// The table.
    pub fn schema(self) -> &'static Schema {
        match self {
            SchemaKind::Config => &tables::CONFIG,
            SchemaKind::State => &tables::STATE,
            SchemaKind::Features => &tables::FEATURES,
            SchemaKind::Process => &tables::PROCESS,
            SchemaKind::Resources => &tables::RESOURCES,
            SchemaKind::Seccomp => &tables::SECCOMP,
            SchemaKind::ContainerProcessState => &tables::CONTAINER_PROCESS_STATE,
        }
    }

    /// The JSON Schema as one self-contained document: the files that it refers to stand in its
    /// `$defs` under their `$id`.
    pub fn text(self) -> &'static str {
        match self {
            SchemaKind::Config => tables::CONFIG_TEXT,
            SchemaKind::State => tables::STATE_TEXT,
            SchemaKind::Features => tables::FEATURES_TEXT,
            SchemaKind::Process => tables::PROCESS_TEXT,
            SchemaKind::Resources => tables::RESOURCES_TEXT,
            SchemaKind::Seccomp => tables::SECCOMP_TEXT,
            SchemaKind::ContainerProcessState => tables::CONTAINER_PROCESS_STATE_TEXT,
        }
    }
}

/// Written by the build script.
mod tables {
    use super::{AllowedValue, Pattern, Presence, Property, Schema, Type, brief};
    use crate::SpecVersion;

    include!(concat!(env!("OUT_DIR"), "/json_schemas.rs"));
}

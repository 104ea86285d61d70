//! Holds a document to its schema: types, presence, ranges, values, unknown properties.
//!
//! Walks the tables of `oci-runtime-schemas` and the document side by side, once. A property that
//! the document's version does not know is told and then hidden from the rules, which judge only
//! what that version gives a meaning.

use oci_runtime_schemas::{Pattern, Presence, Property, Schema, SchemaKind, SpecVersion, Type};

use crate::context::{NEWEST, newest_recognized};
use crate::document::{Hidden, Kind, Value};
use crate::finding::{Finding, Severity};
use crate::rule::MAX_FINDINGS;
use crate::semver;

/// What the schema has against the document, and what rules must not look at.
pub(crate) fn check(
    root: Value<'_>,
    kind: SchemaKind,
    version: SpecVersion,
    findings: &mut Vec<Finding>,
) -> Hidden {
    let mut walk = Walk {
        kind,
        version,
        beyond: kind == SchemaKind::Features
            && newest_recognized(root).is_some_and(|newest| newest > NEWEST),
        findings,
        hidden: Hidden::default(),
    };
    walk.value(root, kind.schema());
    walk.hidden
}

struct Walk<'f> {
    kind: SchemaKind,
    version: SpecVersion,
    /// Whether a features document is of a version that is newer than the schema.
    beyond: bool,
    findings: &'f mut Vec<Finding>,
    hidden: Hidden,
}

/// The clause against properties in a features document that its version does not define.
const UNDEFINED_FEATURE: &str = "features.ociVersionMax.no-newer-properties";

/// What a finding is about: rule, clause and severity.
struct About {
    rule: &'static str,
    clause: &'static str,
    severity: Severity,
}

/// A broken keyword, as severe as the clause behind it binds.
fn broken(rule: &'static str, clause: &'static str) -> About {
    About {
        rule,
        clause,
        severity: match clause {
            // The outermost value of a document, which no clause says has to be an object.
            "" => Severity::Error,
            clause => Severity::of_clause(clause),
        },
    }
}

impl Walk<'_> {
    fn value(&mut self, value: Value<'_>, schema: &'static Schema) {
        let kind = value.kind();
        if !schema.types.is_empty() && !schema.types.iter().any(|one| is_of(value, *one)) {
            self.wrong_type(value, schema);
            return;
        }
        match kind {
            Kind::Object => self.object(value, schema),
            Kind::Array => self.array(value, schema),
            Kind::String => self.string(value, schema),
            Kind::Number => self.number(value, schema),
            Kind::Absent | Kind::Null | Kind::Boolean => {}
        }
    }

    fn wrong_type(&mut self, value: Value<'_>, schema: &'static Schema) {
        let expected = expected(schema.types);
        let message = format!("expected {expected}, found {}", found(value));
        let help = mended_type(value, schema.types);
        self.find(
            broken("schema/type", schema.clause_of("type")),
            value,
            message,
        )
        .help = help;
    }

    fn object(&mut self, object: Value<'_>, schema: &'static Schema) {
        if schema.properties.is_empty() && schema.additional.is_none() {
            return;
        }
        // Bit n: the schema's property n is there. No object of the specification has more than 64.
        let mut seen = 0_u64;
        for (name, value) in object.members() {
            if let Some(place) = schema.place_of_property(value.key_brief(), name) {
                seen |= 1 << place;
                self.member(value, &schema.properties[place]);
            } else if let Some(additional) = schema.additional {
                if schema.names_not_empty && name.is_empty() {
                    let about = broken("schema/length", schema.clause_of("propertyNames"));
                    self.find(about, value, "a name must not be empty".into())
                        .span = value.head_span();
                }
                self.value(value, additional);
            } else {
                self.unknown(value, name, schema);
            }
        }
        for (place, property) in schema.properties.iter().enumerate() {
            if seen & (1 << place) == 0 && self.is_required(property) {
                let name = property.name;
                self.find(
                    broken("schema/required", property.presence_clause),
                    object,
                    format!("the property `{name}` is missing"),
                )
                .help = Some(format!("`{name}`: {}", property.description));
                if let Some(finding) = self.findings.last_mut() {
                    finding.span = object.head_span();
                }
            }
        }
    }

    fn is_required(&self, property: &Property) -> bool {
        let required = match property.presence {
            Presence::Optional => false,
            Presence::Required => true,
            Presence::RequiredUntil(until) => self.version <= until,
        };
        required && property.is_known_in(self.version)
    }

    fn member(&mut self, value: Value<'_>, property: &'static Property) {
        if property.is_known_in(self.version) {
            self.value(value, property.schema);
            return;
        }
        self.hidden.hide(value);
        let version = self.version;
        let name = property.name;
        let features = self.kind == SchemaKind::Features;
        if features && value.kind() == Kind::Null {
            // There null is as good as absent.
            return;
        }
        let (rule, message, help) = if property.since > version {
            let since = property.since;
            (
                "schema/newer-property",
                format!("`{name}` came with version {since}, this document is of {version}"),
                format!("a runtime of {version} ignores it; set ociVersion to {since} or newer"),
            )
        } else {
            (
                "schema/removed-property",
                format!("`{name}` is not in version {version} any more"),
                "leave it out: a runtime ignores it".to_owned(),
            )
        };
        let about = match features {
            // Readers of these go by the version.
            true => broken(rule, UNDEFINED_FEATURE),
            false => About {
                rule,
                clause: "config.extensibility.ignore",
                severity: Severity::Note,
            },
        };
        let help = match features {
            true => format!(
                "raise ociVersionMax to {}, or leave `{name}` out",
                property.since
            ),
            false => help,
        };
        let finding = self.find(about, value, message);
        finding.help = Some(help);
        finding.span = value.head_span();
    }

    fn unknown(&mut self, value: Value<'_>, name: &str, schema: &'static Schema) {
        let rule = "schema/unknown-property";
        let about = match self.kind {
            SchemaKind::Features => broken(rule, UNDEFINED_FEATURE),
            _ => About {
                rule,
                clause: "config.extensibility.ignore",
                severity: Severity::Warning,
            },
        };
        let help = match similar(name, schema.properties.iter().map(|property| property.name)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            // Runtimes may say more of a container than the specification asks; of themselves only
            // what it defines, though a newer one may define more.
            None if self.kind == SchemaKind::State || self.beyond => {
                self.hidden.hide(value);
                return;
            }
            None if self.kind == SchemaKind::Features => {
                "the specification does not define it; `annotations` have room for more".into()
            }
            None => match elsewhere(name, self.kind) {
                Some(place) => format!("a property of this name is at `{place}`"),
                None => "runtimes ignore it: it has no effect".into(),
            },
        };
        let finding = self.find(about, value, format!("no property is called {name:?} here"));
        finding.help = Some(help);
        finding.span = value.head_span();
        self.hidden.hide(value);
    }

    fn array(&mut self, array: Value<'_>, schema: &'static Schema) {
        let wants = |limit: usize| match limit {
            1 => "one entry".to_owned(),
            limit => format!("{limit} entries"),
        };
        if let Some(least) = schema.min_items
            && array.items().count() < least
        {
            let about = broken("schema/length", schema.clause_of("minItems"));
            self.find(
                about,
                array,
                format!("at least {} must be here", wants(least)),
            );
        }
        if let Some(most) = schema.max_items
            && array.items().count() > most
        {
            let about = broken("schema/length", schema.clause_of("maxItems"));
            self.find(about, array, format!("at most {} may be here", wants(most)));
        }
        if let Some(items) = schema.items {
            // Half of the values in a configuration are entries of plain lists of strings.
            let plain = matches!(items.types, [Type::String])
                && items.values.is_empty()
                && items.pattern.is_none()
                && items.min_length.is_none();
            for item in array.items() {
                if !(plain && item.kind() == Kind::String) {
                    self.value(item, items);
                }
            }
        }
    }

    fn string(&mut self, value: Value<'_>, schema: &'static Schema) {
        let text = value.as_str().unwrap_or_default();
        if !schema.values.is_empty() {
            self.allowed(value, text, schema);
        }
        if schema
            .min_length
            .is_some_and(|least| text.chars().count() < least)
        {
            let about = broken("schema/length", schema.clause_of("minLength"));
            self.find(about, value, "the string must not be empty".into());
        }
        let complaint = match schema.pattern {
            None => None,
            Some(Pattern::AbsolutePath) => {
                (!text.starts_with('/')).then(|| format!("{text:?} is not an absolute path"))
            }
            Some(Pattern::SemVer) => (!semver::is_valid(text))
                .then(|| format!("{text:?} is no version in the format of SemVer 2.0.0")),
            Some(Pattern::Prefix(prefix)) => (!text.starts_with(prefix))
                .then(|| format!("{text:?} does not begin with {prefix:?}")),
            Some(Pattern::NoNewline) => text
                .contains('\n')
                .then(|| "a line break must not be in it".to_owned()),
        };
        if let Some(message) = complaint {
            let help = match schema.pattern {
                Some(Pattern::SemVer) => Some("three numbers with dots: `1.3.0`".into()),
                _ => None,
            };
            self.find(
                broken("schema/format", schema.clause_of("pattern")),
                value,
                message,
            )
            .help = help;
        }
    }

    fn allowed(&mut self, value: Value<'_>, text: &str, schema: &'static Schema) {
        let clause = schema.clause_of("enum");
        let version = self.version;
        match schema.value(text) {
            Some(allowed) if allowed.is_known_in(version) => {}
            Some(allowed) => {
                let message = match allowed.since {
                    Some(since) if since > version => format!(
                        "the value `{text}` came with version {since}, this document is of {version}"
                    ),
                    _ => format!("the value `{text}` is not in version {version} any more"),
                };
                let about = About {
                    severity: Severity::Note,
                    ..broken("schema/newer-value", clause)
                };
                self.find(about, value, message);
            }
            None => {
                let known = || schema.values.iter().filter(|one| one.is_known_in(version));
                let help = match similar(text, known().map(|one| one.value)) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => {
                        let names: Vec<&str> = known().map(|one| one.value).take(24).collect();
                        format!("one of {}", names.join(", "))
                    }
                };
                self.find(
                    broken("schema/value", clause),
                    value,
                    format!("{text:?} is none of the values that are allowed here"),
                )
                .help = Some(help);
            }
        }
    }

    fn number(&mut self, value: Value<'_>, schema: &'static Schema) {
        let Some(number) = value.as_integer() else {
            return;
        };
        let (keyword, limit, word) = match (schema.minimum, schema.maximum) {
            (Some(minimum), _) if number < minimum => ("minimum", minimum, "smallest"),
            (_, Some(maximum)) if number > maximum => ("maximum", maximum, "largest"),
            _ => return,
        };
        let about = broken("schema/range", schema.clause_of(keyword));
        let text = value.text();
        self.find(
            about,
            value,
            format!("{text} is out of range: the {word} that is allowed is {limit}"),
        );
    }

    fn find(&mut self, about: About, value: Value<'_>, message: String) -> &mut Finding {
        let finding = Finding {
            rule: about.rule,
            clause: (!about.clause.is_empty()).then_some(about.clause),
            severity: about.severity,
            pointer: value.pointer(),
            span: value.span(),
            message,
            help: None,
            related: Vec::new(),
            fix: None,
        };
        // Beyond the limit the last one is written over again and again.
        if self.findings.len() > MAX_FINDINGS {
            self.findings.pop();
        }
        let place = self.findings.len();
        self.findings.push(finding);
        &mut self.findings[place]
    }
}

/// Where in the document a property of that name belongs, if in one place only.
fn elsewhere(name: &str, kind: SchemaKind) -> Option<String> {
    let mut places = Vec::new();
    kind.schema().walk(&mut |place, schema| {
        if schema.property(name).is_some() {
            let dot = if place.is_empty() { "" } else { "." };
            places.push(format!("{place}{dot}{name}"));
        }
    });
    (places.len() == 1).then(|| places.remove(0))
}

fn is_of(value: Value<'_>, schema_type: Type) -> bool {
    match schema_type {
        Type::Null => value.kind() == Kind::Null,
        Type::Boolean => value.kind() == Kind::Boolean,
        Type::Integer => value.as_integer().is_some(),
        Type::Number => value.kind() == Kind::Number,
        Type::String => value.kind() == Kind::String,
        Type::Array => value.kind() == Kind::Array,
        Type::Object => value.kind() == Kind::Object,
    }
}

fn expected(types: &[Type]) -> String {
    let names: Vec<&str> = types
        .iter()
        .map(|one| match one {
            Type::Null => "null",
            Type::Boolean => "true or false",
            Type::Integer => "an integer",
            Type::Number => "a number",
            Type::String => "a string",
            Type::Array => "an array",
            Type::Object => "an object",
        })
        .collect();
    names.join(" or ")
}

fn found(value: Value<'_>) -> String {
    match value.kind() {
        Kind::Absent => "nothing".into(),
        Kind::Null => "null".into(),
        Kind::Boolean => format!("`{}`", value.text()),
        Kind::Number => format!("the number {}", shortened(value.text())),
        Kind::String => format!("the string {}", shortened(value.text())),
        Kind::Array => "an array".into(),
        Kind::Object => "an object".into(),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

/// What to write in the place of a value whose type is wrong in a usual way.
fn mended_type(value: Value<'_>, types: &[Type]) -> Option<String> {
    let wants = |one| types.contains(&one);
    if let Some(text) = value.as_str() {
        let number = text.parse::<i128>().is_ok();
        let boolean = matches!(text, "true" | "false");
        if (wants(Type::Integer) && number) || (wants(Type::Boolean) && boolean) {
            return Some(format!("without the quotes: `{text}`"));
        }
        if wants(Type::Array) {
            return Some(format!(
                "an array with one entry: `[{}]`",
                shortened(value.text())
            ));
        }
    }
    match value.kind() {
        Kind::Null => Some("leave the property out if it has no value".into()),
        Kind::Number if wants(Type::String) => Some(format!("in quotes: `\"{}\"`", value.text())),
        Kind::Number if wants(Type::Integer) => {
            Some("an integer is written without fraction and exponent".into())
        }
        _ => None,
    }
}

/// The known word that somebody meant who wrote another one.
pub(crate) fn similar<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    // Words of a thousand letters are nobody's slip, and comparing them takes long.
    if word.len() > 64 {
        return None;
    }
    let same = known.clone().find(|one| one.eq_ignore_ascii_case(word));
    same.or_else(|| {
        let lower = word.to_ascii_lowercase();
        known
            .map(|one| {
                (
                    strsim::damerau_levenshtein(&lower, &one.to_ascii_lowercase()),
                    one,
                )
            })
            .filter(|(distance, one)| *distance * 3 <= one.len().max(3))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, one)| one)
    })
}

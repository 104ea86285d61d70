//! What holds for every text: reading and judging end without a panic, positions lie in the text,
//! and on valid JSON the reader agrees with serde_json.

use std::collections::BTreeSet;

use oci_runtime_schemas::{Presence, Schema, Type};
use oci_validator::{
    Document, DocumentKind, Host, Kind, Options, ProblemKind, Profile, Severity, Value, check,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use serde_json::json;

fn seed() -> RngSeed {
    let named = std::env::var("PROPTEST_RNG_SEED");
    RngSeed::Fixed(named.ok().and_then(|seed| seed.parse().ok()).unwrap_or(0))
}

/// Any JSON value.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<f64>()
            .prop_filter("JSON has finite numbers only", |number| number.is_finite())
            .prop_map(serde_json::Value::from),
        ".{0,12}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::vec((".{0,8}", inner), 0..6)
                .prop_map(|members| { serde_json::Value::Object(members.into_iter().collect()) }),
        ]
    })
}

/// Holds a value of ours to serde_json's, and each span to what it should be the text of.
fn agree(ours: Value<'_>, theirs: &serde_json::Value) -> Result<(), TestCaseError> {
    let of_span: serde_json::Value = serde_json::from_str(ours.text()).unwrap();
    prop_assert_eq!(&of_span, theirs);
    match theirs {
        serde_json::Value::Null => prop_assert_eq!(ours.kind(), Kind::Null),
        serde_json::Value::Bool(value) => prop_assert_eq!(ours.as_bool(), Some(*value)),
        serde_json::Value::Number(number) => {
            prop_assert_eq!(ours.kind(), Kind::Number);
            if let Some(integer) = number.as_i128() {
                prop_assert_eq!(ours.as_integer(), Some(integer));
            }
        }
        serde_json::Value::String(text) => prop_assert_eq!(ours.as_str(), Some(text.as_str())),
        serde_json::Value::Array(items) => {
            prop_assert_eq!(ours.items().count(), items.len());
            for (ours, theirs) in ours.items().zip(items) {
                agree(ours, theirs)?;
            }
        }
        serde_json::Value::Object(members) => {
            prop_assert_eq!(ours.members().count(), members.len());
            for (name, member) in ours.members() {
                agree(member, &members[name])?;
                prop_assert_eq!(ours.document().root().at_pointer(&member.pointer()), member);
            }
        }
    }
    Ok(())
}

/// Everything that can be asked of a document, asked.
fn judge_in_every_way(bytes: &[u8]) -> Result<(), TestCaseError> {
    let document = Document::parse(bytes.to_vec());
    for kind in DocumentKind::ALL.map(Some).into_iter().chain([None]) {
        let options = Options {
            kind,
            profiles: Profile::ALL.into(),
            host: Some(Host::example()),
            features: Some(Document::parse(bytes.to_vec())),
            ..Options::default()
        };
        for finding in check(&document, &options) {
            let text = document.text();
            let spans = finding.related.iter().map(|(span, _)| span);
            for span in spans
                .chain([&finding.span])
                .chain(finding.fix.iter().map(|fix| &fix.span))
            {
                prop_assert!(
                    text.get(span.clone()).is_some(),
                    "{:?} in {:?}",
                    finding,
                    text
                );
            }
            let place = document.root().at_pointer(&finding.pointer);
            prop_assert!(
                place.is_present() || !document.root().is_present() || finding.pointer.is_empty(),
                "{:?}",
                finding
            );
            prop_assert!(!finding.message.is_empty());
        }
    }
    Ok(())
}

/// A config with what most rules look at.
const CONFIG: &str = include_str!("config.json");

proptest! {
    // The same cases in every run, unless PROPTEST_RNG_SEED says otherwise.
    #![proptest_config(ProptestConfig { cases: 512, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_in_findings_within_the_text(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        judge_in_every_way(&bytes)?;
    }

    #[test]
    fn any_json_ends_in_findings_within_the_text(value in any_json()) {
        judge_in_every_way(value.to_string().as_bytes())?;
    }

    #[test]
    fn a_config_with_any_bytes_in_it_ends_in_findings_within_the_text(
        at in any::<Index>(),
        length in 0_usize..20,
        bytes in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut text = CONFIG.as_bytes().to_vec();
        let at = at.index(text.len());
        let end = (at + length).min(text.len());
        text.splice(at..end, bytes);
        judge_in_every_way(&text)?;
    }

    #[test]
    fn a_config_with_any_value_in_it_ends_in_findings_within_the_text(
        at in any::<Index>(),
        value in any_json(),
    ) {
        let document = Document::parse(CONFIG.into());
        let mut places = Vec::new();
        all_below(document.root(), &mut places);
        let span = at.get(&places).span();
        let mut text = CONFIG.to_owned();
        text.replace_range(span, &value.to_string());
        judge_in_every_way(text.as_bytes())?;
    }

    #[test]
    fn reader_and_serde_json_agree_on_valid_json(value in any_json(), pretty in any::<bool>()) {
        let text = match pretty {
            true => serde_json::to_string_pretty(&value).unwrap(),
            false => value.to_string(),
        };
        let document = Document::parse(text.into_bytes());
        prop_assert_eq!(document.problems(), []);
        agree(document.root(), &value)?;
    }

    #[test]
    fn reader_and_serde_json_agree_on_what_is_json(
        at in any::<Index>(),
        length in 0_usize..4,
        bytes in "[\\[\\]{}:,\"\\\\a0.e+\\- \n\t/*tnu]{0,4}",
    ) {
        let mut text = CONFIG.to_owned();
        let at = at.index(text.len());
        let end = (at + length).min(text.len());
        text.replace_range(at..end, &bytes);
        let document = Document::parse(text.clone().into_bytes());
        // Names that stand twice are JSON, if not as the specification wants it.
        let json = document.problems().iter().all(|one| one.kind == ProblemKind::DuplicateName);
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        let number = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert_eq!(json, theirs.is_ok() || number, "{:?} {:?}", document.problems(), theirs);
    }

    #[test]
    fn a_valid_config_is_accepted_and_one_mistake_is_found_where_it_is(
        config in valid_config(),
        at in any::<Index>(),
    ) {
        let text = serde_json::to_string_pretty(&config).unwrap();
        prop_assert_eq!(errors(&text), BTreeSet::new(), "{}", text);
        let document = Document::parse(text.clone().into_bytes());
        let mut mistakes = Vec::new();
        mistakes_below(document.root(), DocumentKind::Config.schema().schema(), &mut mistakes);
        let (what, span, replacement, pointer) = at.get(&mistakes).clone();
        let mut wrong = text.clone();
        wrong.replace_range(span, &replacement);
        prop_assert!(errors(&wrong).contains(&pointer), "{} at {} in {}", what, pointer, wrong);
    }
}

/// Pointers of errors.
fn errors(text: &str) -> BTreeSet<String> {
    let options = Options {
        kind: Some(DocumentKind::Config),
        ..Options::default()
    };
    check(&Document::parse(text.into()), &options)
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.pointer)
        .collect()
}

fn all_below<'d>(value: Value<'d>, into: &mut Vec<Value<'d>>) {
    into.push(value);
    for child in value
        .items()
        .chain(value.members().map(|(_, member)| member))
    {
        all_below(child, into);
    }
}

/// What is made wrong, the bytes to replace, by what, and where an error has to be.
type Mistake = (&'static str, std::ops::Range<usize>, String, String);

/// Every way to break the schema by one change of a value that is there.
fn mistakes_below(value: Value<'_>, schema: &'static Schema, into: &mut Vec<Mistake>) {
    let mut mistake = |what, text: &str| {
        into.push((what, value.span(), text.to_owned(), value.pointer()));
    };
    match schema.types {
        [] => {}
        [Type::Boolean] => mistake("type", "\"true\""),
        [Type::String] => mistake("type", "7"),
        _ => mistake("type", "\"text\""),
    }
    if !schema.values.is_empty() {
        mistake("value", "\"no such value\"");
    }
    if let Some(minimum) = schema.minimum {
        mistake("minimum", &(minimum - 1).to_string());
    }
    if let Some(maximum) = schema.maximum {
        mistake("maximum", &(maximum + 1).to_string());
    }
    if schema.min_items.is_some() {
        mistake("minItems", "[]");
    }
    for property in schema.properties {
        let member = value.get(property.name);
        if !member.is_present() {
            continue;
        }
        if property.presence == Presence::Required {
            // The name of another property, which none has.
            into.push((
                "required",
                member.key_span().unwrap(),
                "\"noSuchProperty\"".into(),
                value.pointer(),
            ));
        }
        mistakes_below(member, property.schema, into);
    }
    if let Some(items) = schema.items {
        value
            .items()
            .for_each(|item| mistakes_below(item, items, into));
    }
    if let Some(additional) = schema.additional {
        value
            .members()
            .for_each(|(_, member)| mistakes_below(member, additional, into));
    }
}

/// Configs that nothing is wrong with: each part of the document comes or does not.
fn valid_config() -> impl Strategy<Value = serde_json::Value> {
    let whole: serde_json::Value = serde_json::from_str(CONFIG).unwrap();
    let optional = [
        "/hostname",
        "/domainname",
        "/mounts",
        "/hooks",
        "/annotations",
        "/process/terminal",
        "/process/consoleSize",
        "/process/env",
        "/process/rlimits",
        "/process/capabilities",
        "/process/oomScoreAdj",
        "/process/scheduler",
        "/process/ioPriority",
        "/process/execCPUAffinity",
        "/process/user/additionalGids",
        "/process/user/umask",
        "/linux/devices",
        "/linux/cgroupsPath",
        "/linux/resources/devices",
        "/linux/resources/memory",
        "/linux/resources/cpu",
        "/linux/resources/pids",
        "/linux/resources/blockIO",
        "/linux/resources/hugepageLimits",
        "/linux/resources/network",
        "/linux/resources/rdma",
        "/linux/resources/unified",
        "/linux/resources",
        "/linux/sysctl",
        "/linux/seccomp",
        "/linux/seccomp/syscalls",
        "/linux/maskedPaths",
        "/linux/readonlyPaths",
        "/linux/rootfsPropagation",
        "/linux/personality",
        "/linux/timeOffsets",
        "/linux/memoryPolicy",
        "/linux/intelRdt",
        "/linux/netDevices",
    ];
    let numbers = (0_u32..100_000, 1_u32..1_000_000, 0_i64..1000);
    (
        prop::collection::vec(any::<bool>(), optional.len()),
        numbers,
    )
        .prop_map(move |(keep, (id, size, oom))| {
            let mut config = whole.clone();
            for (pointer, _) in optional.iter().zip(keep).filter(|(_, keep)| !keep) {
                let (owner, name) = pointer.rsplit_once('/').unwrap();
                if let Some(serde_json::Value::Object(members)) = config.pointer_mut(owner) {
                    members.remove(name);
                }
            }
            config["linux"]["uidMappings"][0]["hostID"] = json!(id);
            config["linux"]["uidMappings"][0]["size"] = json!(size.max(65536));
            if let Some(score) = config.pointer_mut("/process/oomScoreAdj") {
                *score = json!(oom);
            }
            config
        })
}

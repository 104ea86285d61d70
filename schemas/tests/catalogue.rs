//! What the entries of the catalogue have to say about each other, with nothing else at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use oci_runtime_schemas::{Catalogue, Clause, Level, SPEC_VERSIONS, SpecVersion, Testable};

/// All clauses that break a rule, so that one run shows every one of them.
fn offenders(breaks: impl Fn(&Clause) -> bool) -> Vec<&'static str> {
    Catalogue::get()
        .iter()
        .filter(|clause| breaks(clause))
        .map(|clause| clause.id)
        .collect()
}

const NOBODY: [&str; 0] = [];

fn version(text: &str) -> SpecVersion {
    text.parse().expect("a version")
}

#[test]
fn ids_are_unique() {
    let mut seen = BTreeSet::new();
    let doubled: Vec<_> = Catalogue::get()
        .iter()
        .map(|clause| clause.id)
        .filter(|id| !seen.insert(*id))
        .collect();
    assert_eq!(doubled, NOBODY);
}

#[test]
fn ids_are_well_formed() {
    let word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic())
            && word
                .chars()
                .all(|each| each.is_ascii_alphanumeric() || "-_".contains(each))
    };
    assert_eq!(
        offenders(|clause| clause.id.split('.').count() < 2 || !clause.id.split('.').all(word)),
        NOBODY
    );
}

#[test]
fn ids_begin_with_their_document() {
    // The clause of a property is named after its path in config.json, whichever document has it.
    let first_words = |document: &'static str| match document {
        name if name.starts_with("config-") => vec![name, "config"],
        name => vec![name],
    };
    assert_eq!(
        offenders(|clause| {
            let first = clause.id.split('.').next().unwrap_or_default();
            !first_words(clause.document).contains(&first)
        }),
        NOBODY
    );
}

#[test]
fn every_clause_is_found_by_its_id() {
    for clause in Catalogue::get().iter() {
        let found = Catalogue::get().by_id(clause.id).expect(clause.id);
        assert!(std::ptr::eq(found, clause), "{}", clause.id);
    }
    assert!(Catalogue::get().by_id("runtime.state").is_none());
    assert!(Catalogue::get().by_id("").is_none());
    assert!(Catalogue::get().by_id("~").is_none());
}

#[test]
fn levels_follow_from_keywords_or_a_note_says_why_not() {
    let level = |keyword: &str| match keyword {
        "MUST" | "MUST NOT" | "REQUIRED" | "SHALL" | "SHALL NOT" => Some(Level::Must),
        "SHOULD" | "SHOULD NOT" | "RECOMMENDED" | "NOT RECOMMENDED" => Some(Level::Should),
        "MAY" | "OPTIONAL" => Some(Level::May),
        _ => None,
    };
    assert_eq!(
        offenders(|clause| {
            let expected = match clause.keyword {
                // A property binds by its type, whether or not it may be absent.
                Some("OPTIONAL") if clause.testable == Testable::Schema => Some(Level::Must),
                Some("OPTIONAL") if clause.document.starts_with("features") => Some(Level::Must),
                Some("OPTIONAL") if clause.says.contains("if sent, is") => Some(Level::Must),
                Some(keyword) => level(keyword),
                None => return false,
            };
            expected != Some(clause.level) && clause.note.is_none()
        }),
        NOBODY
    );
}

#[test]
fn a_stand_has_its_number_and_its_words() {
    assert_eq!(
        offenders(|clause| clause.stand.is_some_and(|stand| !(1..=31).contains(&stand))),
        NOBODY
    );
    assert_eq!(
        offenders(|clause| clause.stand.is_some() && clause.note.is_none()),
        NOBODY
    );
    let taken: BTreeSet<u8> = Catalogue::get()
        .iter()
        .filter_map(|clause| clause.stand)
        .collect();
    let all: BTreeSet<u8> = (1..=31).collect();
    assert_eq!(taken, all, "a reading without a clause decides nothing");
}

#[test]
fn versions_are_released_ones_in_order() {
    assert_eq!(
        offenders(|clause| !SPEC_VERSIONS.contains(&clause.since)),
        NOBODY
    );
    assert_eq!(
        offenders(|clause| clause.until.is_some_and(|until| {
            !SPEC_VERSIONS.contains(&until) || until < clause.since || until >= version("1.3.0")
        })),
        NOBODY
    );
    // Whoever meets such a clause in a report wants to know what holds today.
    assert_eq!(
        offenders(|clause| clause.until.is_some() && clause.note.is_none()),
        NOBODY
    );
}

#[test]
fn what_cannot_be_tested_says_why() {
    assert_eq!(
        offenders(|clause| clause.testable == Testable::None && clause.why.is_none()),
        NOBODY
    );
}

#[test]
fn ours_have_a_source_and_the_specification_s_have_none() {
    assert_eq!(
        offenders(|clause| clause.is_beyond_the_specification() != clause.source.is_some()),
        NOBODY
    );
    assert_eq!(
        offenders(|clause| clause.is_beyond_the_specification() && clause.keyword.is_some()),
        NOBODY
    );
}

#[test]
fn platforms_are_known() {
    const PLATFORMS: [&str; 10] = [
        "all",
        "posix",
        "linux",
        "freebsd",
        "solaris",
        "windows",
        "vm",
        "zos",
        "non-linux",
        "non-windows",
    ];
    assert_eq!(
        offenders(|clause| !clause
            .platform
            .split(',')
            .all(|name| PLATFORMS.contains(&name))),
        NOBODY
    );
}

#[test]
fn optional_values_are_the_runtime_s_to_choose() {
    use oci_runtime_schemas::Subject;
    assert_eq!(
        offenders(|clause| clause.optional_value && clause.subject != Subject::Runtime),
        NOBODY
    );
    // What the table of mount options demands is not optional.
    assert_eq!(
        offenders(|clause| {
            clause.id.starts_with("config.mount-option.")
                && clause.keyword == Some("MUST")
                && clause.says.starts_with("the option")
                && clause.optional_value
        }),
        NOBODY
    );
}

#[test]
fn says_is_one_short_sentence_without_a_full_stop() {
    assert_eq!(
        offenders(|clause| {
            let says = clause.says;
            says.is_empty()
                || says.len() > 240
                || says.trim() != says
                || says.ends_with('.')
                || says.contains('\n')
                || says.contains("  ")
                || !says.contains(' ')
        }),
        NOBODY
    );
    // A capital at the start is that of a name.
    assert_eq!(
        offenders(|clause| {
            let first = clause.says.split([' ', '_']).next().unwrap_or_default();
            first.starts_with(char::is_uppercase) && first != "SCMP"
        }),
        NOBODY
    );
}

#[test]
fn no_two_clauses_say_the_same_of_the_same() {
    // A statement may recur in another version, on another platform or for another subject.
    let mut seen: BTreeMap<_, &str> = BTreeMap::new();
    let mut doubled = Vec::new();
    for clause in Catalogue::get().iter() {
        let key = (
            clause.says,
            clause.platform,
            clause.subject.as_str(),
            clause.since,
            clause.until,
        );
        if let Some(other) = seen.insert(key, clause.id) {
            doubled.push((other, clause.id));
        }
    }
    assert_eq!(doubled, []);
}

#[test]
fn binding_follows_since_and_until() {
    let binds = |id: &str, at: &str| Catalogue::get().by_id(id).expect(id).binds(&version(at));
    for (id, at, expected) in [
        ("runtime.lifecycle.poststart.fail.warn", "1.0.0", true),
        ("runtime.lifecycle.poststart.fail.warn", "1.2.1", true),
        ("runtime.lifecycle.poststart.fail.warn", "1.3.0", false),
        ("runtime.lifecycle.poststart.fail.error", "1.2.1", false),
        ("runtime.lifecycle.poststart.fail.error", "1.3.0", true),
        (
            "config.process.capabilities.unmappable-error",
            "1.0.2-dev",
            true,
        ),
        (
            "config.process.capabilities.unmappable-error",
            "1.1.0",
            false,
        ),
        ("config.process.capabilities.unmappable-warn", "1.1.0", true),
        (
            "config.process.capabilities.unmappable-warn",
            "1.0.2",
            false,
        ),
    ] {
        assert_eq!(binds(id, at), expected, "{id} at {at}");
    }
    let newest = version("1.3.0");
    assert!(
        Catalogue::get()
            .binding(newest)
            .all(|clause| clause.until.is_none())
    );
    assert_eq!(
        Catalogue::get().binding(newest).count(),
        Catalogue::get()
            .iter()
            .filter(|clause| clause.until.is_none())
            .count()
    );
}

#[test]
fn documents_and_sections_hold_every_clause_once() {
    let catalogue = Catalogue::get();
    let by_document: usize = catalogue
        .documents()
        .map(|document| catalogue.document(document.name).len())
        .sum();
    assert_eq!(by_document, catalogue.iter().len());
    for document in catalogue.documents() {
        let order: Vec<_> = document
            .sections
            .iter()
            .map(|section| section.anchor)
            .collect();
        let mut at = 0;
        for clause in catalogue.document(document.name) {
            assert_eq!(clause.document, document.name, "{}", clause.id);
            let (file, anchor) = clause.section.split_once('#').expect(clause.id);
            assert_eq!(file.trim_end_matches(".md"), document.name, "{}", clause.id);
            let position = order
                .iter()
                .position(|&each| each == anchor)
                .expect(clause.id);
            assert!(
                position >= at,
                "{} stands behind a later section",
                clause.id
            );
            at = position;
        }
    }
    assert_eq!(catalogue.document("no-such").len(), 0);
    assert!(catalogue.sections("no-such").is_empty());
    assert_eq!(catalogue.sections("runtime")[1].title, "State");
}

#[test]
fn a_reference_names_file_section_and_anchor_or_source() {
    let reference = |id: &str| Catalogue::get().by_id(id).expect(id).reference();
    assert_eq!(
        reference("runtime.state.id"),
        "runtime.md, State (#runtimeState)"
    );
    assert_eq!(
        reference("security.host-binary.not-writable"),
        "security, Descriptors and the working directory (CVE-2019-5736)"
    );
}

#[test]
fn force_is_the_text_s_own_word_for_a_prohibition() {
    let force = |id: &str| Catalogue::get().by_id(id).expect(id).force();
    assert_eq!(force("runtime.lifecycle.create.no-program"), "MUST NOT");
    assert_eq!(force("runtime.state.id"), "MUST");
    assert_eq!(force("config-linux.maskedPaths.effect"), "MUST");
}

/// A count that changes by accident is a clause lost or relabelled by accident.
#[test]
fn counts_by_document_and_level() {
    let mut table =
        String::from("document            MUST SHOULD  MAY  information  gone  ours to choose\n");
    for document in Catalogue::get().documents() {
        let count = |wanted: &dyn Fn(&Clause) -> bool| {
            Catalogue::get()
                .document(document.name)
                .filter(|clause| wanted(clause))
                .count()
        };
        writeln!(
            table,
            "{:<18} {:>5} {:>6} {:>4} {:>12} {:>5} {:>15}",
            document.name,
            count(&|clause| clause.level == Level::Must),
            count(&|clause| clause.level == Level::Should),
            count(&|clause| clause.level == Level::May),
            count(&|clause| clause.level == Level::Information),
            count(&|clause| clause.until.is_some()),
            count(&|clause| clause.optional_value),
        )
        .expect("a string takes everything");
    }
    insta::assert_snapshot!(table);
}

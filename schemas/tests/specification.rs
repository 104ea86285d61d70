//! The catalogue against the specification's own documents and the list it was made from.
//!
//! Both lie beside the checkout where the project is developed and are no part of it; elsewhere
//! these tests say so and pass.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use oci_runtime_schemas::{Catalogue, Clause, SPEC_VERSIONS, SpecVersion};

const BESIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");

/// The path, if it is there; otherwise a word about what is not checked.
fn beside(name: &str) -> Option<PathBuf> {
    let path = Path::new(BESIDE).join(name);
    if path.exists() {
        return Some(path);
    }
    println!("{name} is not beside this checkout: not checked");
    None
}

/// The text of a document, code blocks left out, if the version has the document.
fn document(specification: &Path, version: SpecVersion, name: &str) -> Option<String> {
    fs::read_to_string(specification.join(format!("v{version}/{name}.md"))).ok()
}

/// The names that links can lead to: those the text gives, else those its headings make.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for heading in text.lines().filter(|line| line.starts_with('#')) {
        match heading
            .split_once("<a name=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
        {
            Some((name, _)) => found.insert(name.to_owned()),
            None => found.insert(
                heading
                    .trim_start_matches('#')
                    .trim()
                    .to_lowercase()
                    .chars()
                    .filter(|each| each.is_alphanumeric() || " -".contains(*each))
                    .map(|each| if each == ' ' { '-' } else { each })
                    .collect(),
            ),
        };
    }
    found
}

/// The clauses of the specification, ours left out.
fn specified() -> impl Iterator<Item = &'static Clause> {
    Catalogue::get()
        .iter()
        .filter(|clause| !clause.is_beyond_the_specification())
}

/// The versions that have a clause.
fn versions_of(clause: &Clause) -> impl Iterator<Item = SpecVersion> {
    SPEC_VERSIONS
        .into_iter()
        .filter(|version| clause.binds(version))
}

#[test]
fn every_anchor_is_in_the_last_version_that_has_the_clause() {
    let Some(specification) = beside("runtime-spec") else {
        return;
    };
    let mut missing = Vec::new();
    for clause in specified() {
        let last = versions_of(clause).last().expect(clause.id);
        let (_, anchor) = clause.section.split_once('#').expect(clause.id);
        let text = document(&specification, last, clause.document).unwrap_or_default();
        if !anchors(&text).contains(anchor) {
            missing.push((clause.id, clause.section));
        }
    }
    assert_eq!(missing, []);
}

#[test]
fn section_titles_are_the_headings() {
    let Some(specification) = beside("runtime-spec") else {
        return;
    };
    let headings: BTreeSet<String> = SPEC_VERSIONS
        .into_iter()
        .flat_map(|version| {
            let texts = Catalogue::get().documents().filter_map({
                let specification = &specification;
                move |it| document(specification, version, it.name)
            });
            texts.flat_map(|text| headings(&text)).collect::<Vec<_>>()
        })
        .collect();
    let unknown: BTreeSet<_> = specified()
        .filter(|clause| {
            // One anchor that two sections share has both titles.
            !clause
                .section_title
                .split(" and ")
                .all(|title| headings.contains(title))
                && !headings.contains(clause.section_title)
        })
        .map(|clause| (clause.section, clause.section_title))
        .collect();
    assert_eq!(unknown, BTreeSet::new());
}

fn headings(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.rsplit_once("/>").map_or(line, |(_, title)| title))
        .map(|title| title.trim_start_matches('#').trim().replace('`', ""))
        .collect()
}

/// `since` and `until` of a property, against the documents of every version.
#[test]
fn a_property_is_named_in_every_version_that_has_its_clause() {
    let Some(specification) = beside("runtime-spec") else {
        return;
    };
    let mut missing = Vec::new();
    for clause in specified() {
        let Some(path) = clause.id.strip_suffix(".field") else {
            continue;
        };
        let property = path.rsplit('.').next().unwrap_or_default();
        for version in versions_of(clause) {
            let text = document(&specification, version, clause.document).unwrap_or_default();
            if !text.contains(property) {
                missing.push((clause.id, version.to_string()));
            }
        }
    }
    assert_eq!(missing, []);
}

/// A key word that the section does not have, in any version that has the clause, was invented.
#[test]
fn key_words_are_the_section_s_own() {
    let Some(specification) = beside("runtime-spec") else {
        return;
    };
    // Mappings of mounts refer to another section for their format.
    let elsewhere = |id: &str| {
        ["config.mounts.uidMappings.", "config.mounts.gidMappings."]
            .iter()
            .any(|mappings| id.starts_with(mappings) && id.ends_with(".field"))
    };
    let mut invented = Vec::new();
    for clause in specified().filter(|clause| !elsewhere(clause.id)) {
        let Some(keyword) = clause.keyword else {
            continue;
        };
        let (_, anchor) = clause.section.split_once('#').expect(clause.id);
        for version in versions_of(clause) {
            let text = document(&specification, version, clause.document).unwrap_or_default();
            // Older versions call the section on device rules something else: their whole document.
            let section = Some(sections(&text, anchor))
                .filter(|it| !it.is_empty())
                .unwrap_or(text);
            if !section.contains(keyword) {
                invented.push((clause.id, keyword, version.to_string()));
            }
        }
    }
    assert_eq!(invented, []);
}

/// The text of the section with this anchor (of both, if two share it), up to the next anchor.
fn sections(text: &str, anchor: &str) -> String {
    let mut inside = false;
    let mut found = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            let names = anchors(line);
            // A heading within the section, such as an example, does not end it.
            let named = line.contains("<a name=");
            if names.contains(anchor) {
                inside = true;
            } else if named {
                inside = false;
            }
        }
        if inside {
            found.push_str(line);
            found.push('\n');
        }
    }
    found
}

#[test]
fn every_row_of_the_list_has_its_clause() {
    let Some(list) = beside("catalogue.tsv") else {
        return;
    };
    let list = fs::read_to_string(list).expect("the list is text");
    let missing: Vec<&str> = list
        .lines()
        .skip(1)
        .filter_map(|row| row.split('\t').next())
        .filter(|id| Catalogue::get().by_id(id).is_none())
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn what_changed_between_versions_is_there() {
    // The clauses that a later version dropped, by the last version that had them.
    let gone: Vec<String> = specified()
        .filter_map(|clause| Some(format!("{} {}", clause.until?, clause.id)))
        .collect();
    for expected in [
        "1.0.1 config.process.args.required",
        "1.0.2 config.process.capabilities.unmappable-error",
        "1.0.2 runtime.state.json-pattern",
        "1.1.0 config.mounts.destination.absolute",
        "1.2.0 config-zos.devices.available",
        "1.2.1 config.linux.resources.pids.limit.required",
        "1.2.1 config-linux.intelRdt.both-schemas.combined",
        "1.2.1 runtime.lifecycle.poststart.fail.continue",
        "1.2.1 runtime.lifecycle.poststart.fail.warn",
    ] {
        assert!(gone.iter().any(|line| line == expected), "{expected}");
    }
}

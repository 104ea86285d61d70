//! Reads `clauses/*.toml` and `json/*.schema.json` and writes them as static Rust data, so that a
//! program that asks for a clause or judges a document parses and compiles nothing: over a thousand
//! entries would cost each start some milliseconds.
//!
//! The shape of an entry is checked here (an unknown key or level stops the build and names the
//! file); what entries say about each other is checked by the crate's tests.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Deserialize;

#[path = "build/json_schema.rs"]
mod json_schema;

/// The documents in the specification's own order, ours behind them.
const DOCUMENTS: [&str; 17] = [
    "spec",
    "glossary",
    "bundle",
    "runtime",
    "runtime-linux",
    "config",
    "config-linux",
    "config-freebsd",
    "config-solaris",
    "config-vm",
    "config-windows",
    "config-zos",
    "features",
    "features-linux",
    "security",
    "cli",
    "engine",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    section: Vec<Section>,
    clause: Vec<Clause>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    anchor: String,
    title: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clause {
    id: String,
    section: String,
    level: Level,
    keyword: Option<String>,
    subject: Subject,
    platform: String,
    since: String,
    until: Option<String>,
    testable: Testable,
    why: Option<String>,
    #[serde(default)]
    optional_value: bool,
    stand: Option<u8>,
    note: Option<String>,
    source: Option<String>,
    says: String,
}

// The names of the variants are those of the crate's types: `{:?}` writes them into the table.

#[derive(Debug, Deserialize)]
enum Level {
    #[serde(rename = "MUST")]
    Must,
    #[serde(rename = "SHOULD")]
    Should,
    #[serde(rename = "MAY")]
    May,
    #[serde(rename = "information")]
    Information,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Subject {
    Runtime,
    Config,
    Bundle,
    Caller,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Testable {
    Outside,
    Inside,
    Schema,
    Semantic,
    Bundle,
    Features,
    None,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("clauses");
    println!("cargo::rerun-if-changed=clauses");

    let mut table = Table::default();
    for document in DOCUMENTS {
        let path = folder.join(format!("{document}.toml"));
        table
            .read(document, &path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let out = Path::new(&env::var("OUT_DIR")?).join("clauses.rs");
    fs::write(out, table.finish())?;

    println!("cargo::rerun-if-changed=json");
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("json");
    let out = Path::new(&env::var("OUT_DIR")?).join("json_schemas.rs");
    fs::write(out, json_schema::tables(&folder)?)?;
    Ok(())
}

/// The Rust source of the table while it grows.
#[derive(Default)]
struct Table {
    documents: String,
    clauses: String,
    ids: Vec<String>,
}

impl Table {
    fn read(&mut self, document: &str, path: &Path) -> Result<(), Box<dyn Error>> {
        let File {
            title,
            section,
            clause,
        } = toml::from_str(&fs::read_to_string(path)?)?;
        let first = self.ids.len();
        for clause in clause {
            self.push_clause(document, &section, clause)?;
        }
        write!(
            self.documents,
            "Document {{ name: {document:?}, title: {title:?}, sections: &["
        )?;
        for Section { anchor, title } in section {
            write!(
                self.documents,
                "Section {{ anchor: {anchor:?}, title: {title:?} }},"
            )?;
        }
        writeln!(
            self.documents,
            "], first: {first}, end: {} }},",
            self.ids.len()
        )?;
        Ok(())
    }

    fn push_clause(
        &mut self,
        document: &str,
        sections: &[Section],
        clause: Clause,
    ) -> Result<(), Box<dyn Error>> {
        let quoted = |problem: String| format!("{}: {problem}", clause.id);
        let anchor = clause
            .section
            .split_once('#')
            .map_or("", |(_, anchor)| anchor);
        let title = sections
            .iter()
            .find(|section| section.anchor == anchor)
            .map(|section| section.title.as_str())
            .ok_or_else(|| quoted(format!("no [[section]] has the anchor {anchor:?}")))?;
        let since = version(&clause.since).map_err(quoted)?;
        let until = match &clause.until {
            Some(text) => format!("Some({})", version(text).map_err(quoted)?),
            None => "None".into(),
        };
        writeln!(
            self.clauses,
            "Clause {{ id: {:?}, document: {document:?}, section: {:?}, section_title: {title:?}, \
             level: Level::{:?}, keyword: {:?}, subject: Subject::{:?}, platform: {:?}, \
             since: {since}, until: {until}, testable: Testable::{:?}, why: {:?}, \
             optional_value: {}, stand: {:?}, note: {:?}, source: {:?}, says: {:?} }},",
            clause.id,
            clause.section,
            clause.level,
            clause.keyword,
            clause.subject,
            clause.platform,
            clause.testable,
            clause.why,
            clause.optional_value,
            clause.stand,
            clause.note,
            clause.source,
            clause.says,
        )?;
        self.ids.push(clause.id);
        Ok(())
    }

    fn finish(self) -> String {
        let Table {
            documents,
            clauses,
            ids,
        } = self;
        let mut by_id: Vec<usize> = (0..ids.len()).collect();
        by_id.sort_by_key(|&index| &ids[index]);
        let (count, files) = (ids.len(), DOCUMENTS.len());
        format!(
            "static CLAUSES: [Clause; {count}] = [\n{clauses}];\n\
             static DOCUMENTS: [Document; {files}] = [\n{documents}];\n\
             /// Positions in `CLAUSES`, in the order of the ids.\n\
             static BY_ID: [u16; {count}] = {by_id:?};\n"
        )
    }
}

/// The constructor call of a version, which is written `1.0.2` and nothing shorter or longer.
fn version(text: &str) -> Result<String, String> {
    let numbers: Result<Vec<u16>, _> = text.split('.').map(str::parse).collect();
    match numbers.as_deref() {
        Ok([major, minor, patch]) => Ok(format!("SpecVersion::new({major}, {minor}, {patch})")),
        _ => Err(format!(
            "{text:?} is no version of the form major.minor.patch"
        )),
    }
}

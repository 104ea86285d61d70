//! The catalogue: every clause, by id, by document and by version.

use crate::clause::{Clause, Level, Subject, Testable};
use crate::version::SpecVersion;

// `CLAUSES`, `DOCUMENTS` and `BY_ID`, written by the build script from `clauses/*.toml`.
include!(concat!(env!("OUT_DIR"), "/clauses.rs"));

static CATALOGUE: Catalogue = Catalogue { _private: () };

/// All clauses. There is one catalogue, compiled in: see [`Catalogue::get`].
#[derive(Debug)]
pub struct Catalogue {
    _private: (),
}

impl Catalogue {
    /// The catalogue.
    pub fn get() -> &'static Catalogue {
        &CATALOGUE
    }

    /// Every clause, by document and section.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'static Clause> + use<> {
        CLAUSES.iter()
    }

    /// The clause of this id.
    pub fn by_id(&self, id: &str) -> Option<&'static Clause> {
        let clause = |position: u16| &CLAUSES[usize::from(position)];
        BY_ID
            .binary_search_by(|&position| clause(position).id.cmp(id))
            .ok()
            .map(|found| clause(BY_ID[found]))
    }

    /// The clauses of a document (`config-linux`, `security`), none if there is no such document.
    pub fn document(&self, name: &str) -> impl ExactSizeIterator<Item = &'static Clause> + use<> {
        let clauses = self
            .find_document(name)
            .map_or(&[][..], |it| &CLAUSES[it.first..it.end]);
        clauses.iter()
    }

    /// The clauses that a runtime of this version is bound by.
    pub fn binding(&self, version: SpecVersion) -> impl Iterator<Item = &'static Clause> + use<> {
        CLAUSES.iter().filter(move |clause| clause.binds(&version))
    }

    /// The documents in the specification's order, ours behind them.
    pub fn documents(&self) -> impl ExactSizeIterator<Item = &'static Document> + use<> {
        DOCUMENTS.iter()
    }

    /// The sections of a document that have clauses, in its order.
    pub fn sections(&self, document: &str) -> &'static [Section] {
        self.find_document(document)
            .map_or(&[], |document| document.sections)
    }

    fn find_document(&self, name: &str) -> Option<&'static Document> {
        DOCUMENTS.iter().find(|document| document.name == name)
    }
}

/// A document of the specification, or one of ours.
#[derive(Debug)]
pub struct Document {
    /// Without its ending: `config-linux`.
    pub name: &'static str,
    /// Its first heading.
    pub title: &'static str,
    /// The sections that have clauses.
    pub sections: &'static [Section],
    first: usize,
    end: usize,
}

/// A section of a document.
#[derive(Debug)]
pub struct Section {
    /// The name that links to it: `runtimeState`.
    pub anchor: &'static str,
    /// Its heading.
    pub title: &'static str,
}

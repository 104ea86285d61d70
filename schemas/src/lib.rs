//! The OCI Runtime Specification as data.
//!
//! [`Catalogue`] holds every normative statement of versions 1.0.0 to 1.3.0 as a [`Clause`], and
//! beside them what we ask of runtimes beyond the specification. The entries are the TOML files in
//! `clauses/`, one per document, whose README explains the keys; they are compiled in, so asking
//! for a clause reads and parses nothing. [`SchemaKind`] gives the JSON Schemas of the documents, as
//! text for others and as tables for a judge.

mod catalogue;
mod clause;
mod json_schema;
mod version;

pub use catalogue::{Catalogue, Document, Section};
pub use clause::{Clause, Level, Subject, Testable};
pub use json_schema::{AllowedValue, Pattern, Presence, Property, Schema, SchemaKind, Type, brief};
pub use version::{ParseVersionError, SpecVersion};

/// The released versions of the specification that the catalogue knows, oldest first.
pub const SPEC_VERSIONS: [SpecVersion; 7] = [
    SpecVersion::new(1, 0, 0),
    SpecVersion::new(1, 0, 1),
    SpecVersion::new(1, 0, 2),
    SpecVersion::new(1, 1, 0),
    SpecVersion::new(1, 2, 0),
    SpecVersion::new(1, 2, 1),
    SpecVersion::new(1, 3, 0),
];

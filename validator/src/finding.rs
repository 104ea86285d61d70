//! What a rule found wrong, and where.

use std::fmt;
use std::ops::Range;

use oci_runtime_schemas::{Catalogue, Level};

/// What a rule found wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id: `namespaces/unique`.
    pub rule: &'static str,
    /// The clause that is broken; none for rules of other profiles than `spec`.
    pub clause: Option<&'static str>,
    /// How strongly the clause binds.
    pub severity: Severity,
    /// JSON pointer to the offending value (RFC 6901), or to the object that lacks one.
    pub pointer: String,
    /// Where in the text, in bytes.
    pub span: Range<usize>,
    /// One fragment: what is wrong.
    pub message: String,
    /// What to write instead, or why it is wrong.
    pub help: Option<String>,
    /// Other places that explain it, each with a fragment.
    pub related: Vec<(Range<usize>, String)>,
    /// A change that mends it, where one is certain.
    pub fix: Option<Fix>,
}

/// A change of the text that mends a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced, in bytes of the text.
    pub span: Range<usize>,
    /// What stands there instead.
    pub replacement: String,
}

/// Severity of a finding, from its clause's level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// MAY, and prose that binds nobody.
    Note,
    /// SHOULD.
    Warning,
    /// MUST.
    Error,
}

impl Severity {
    /// The severity of breaking a clause; a clause that the catalogue lacks is none to break.
    pub(crate) fn of_clause(clause: &str) -> Severity {
        match Catalogue::get().by_id(clause).map(|clause| clause.level) {
            Some(Level::Must) => Severity::Error,
            Some(Level::Should) => Severity::Warning,
            _ => Severity::Note,
        }
    }

    /// Its name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.pointer.as_str() {
            "" => "/",
            pointer => pointer,
        };
        write!(
            f,
            "{place}: {} ({})",
            self.message,
            self.clause.unwrap_or(self.rule)
        )
    }
}

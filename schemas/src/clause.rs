//! One normative statement, and the words in which its properties are given.

use std::fmt;

use crate::SpecVersion;

/// One statement of the specification, or one of ours beside it, with an id.
///
/// Rules and cases cite the id only; level and wording stand here and nowhere else.
#[derive(Debug)]
pub struct Clause {
    /// Dotted, after the property or operation it is about: `runtime.state.id`.
    pub id: &'static str,
    /// The document without its ending: `config-linux`; `security`, `cli` or `engine` for ours.
    pub document: &'static str,
    /// File and anchor: `runtime.md#runtimeState`.
    pub section: &'static str,
    /// The section's heading.
    pub section_title: &'static str,
    /// How strongly it binds.
    pub level: Level,
    /// The text's own key word (`REQUIRED`, `MUST NOT`); none where the text has none.
    pub keyword: Option<&'static str>,
    /// Whom it binds.
    pub subject: Subject,
    /// `all`, `posix`, `linux`, …; several are separated by commas.
    pub platform: &'static str,
    /// The first version that has it.
    pub since: SpecVersion,
    /// The last version that has it, if a later one dropped or changed it.
    pub until: Option<SpecVersion>,
    /// Where it can be seen to hold.
    pub testable: Testable,
    /// Why it cannot be tested, or what testing it needs.
    pub why: Option<&'static str>,
    /// Whether it is about a value that a runtime may choose not to support.
    pub optional_value: bool,
    /// The number of the stand that decides a verdict on it.
    pub stand: Option<u8>,
    /// Our reading, where the text is unclear.
    pub note: Option<&'static str>,
    /// Where a statement of ours comes from: a CVE, a manual page, what engines do.
    pub source: Option<&'static str>,
    /// The statement in our words.
    pub says: &'static str,
}

impl Clause {
    /// Whether a runtime of this version is bound by it.
    pub fn binds(&self, version: &SpecVersion) -> bool {
        self.since <= *version && self.until.is_none_or(|until| *version <= until)
    }

    /// Whether this version does not have it yet.
    pub fn newer_than(&self, version: &SpecVersion) -> bool {
        self.since > *version
    }

    /// Whether it is ours and not the specification's.
    pub fn is_beyond_the_specification(&self) -> bool {
        matches!(self.document, "security" | "cli" | "engine")
    }

    /// How a report names its force: the text's own word (`MUST NOT`), else the level's.
    pub fn force(&self) -> &'static str {
        match self.keyword {
            Some(word @ ("MUST NOT" | "SHOULD NOT")) => word,
            _ => self.level.as_str(),
        }
    }

    /// Where a person finds it: `runtime.md, State (#runtimeState)`, or our document's section and
    /// its source.
    pub fn reference(&self) -> String {
        let (file, anchor) = self.section.split_once('#').unwrap_or((self.section, ""));
        match self.source {
            Some(source) => format!("{file}, {} ({source})", self.section_title),
            None => format!("{file}, {} (#{anchor})", self.section_title),
        }
    }
}

/// How strongly a clause binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// MUST, MUST NOT, REQUIRED, SHALL; and effects of properties, which "apply all" makes binding.
    Must,
    /// SHOULD, SHOULD NOT, NOT RECOMMENDED; and must or should in lower case.
    Should,
    /// MAY, OPTIONAL: a permission.
    May,
    /// Prose that binds nobody.
    Information,
}

impl Level {
    /// `MUST`, `SHOULD`, `MAY` or `information`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
            Level::May => "MAY",
            Level::Information => "information",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whom a clause binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The runtime.
    Runtime,
    /// Who writes `config.json`.
    Config,
    /// Who lays out the bundle.
    Bundle,
    /// Who calls the runtime.
    Caller,
}

impl Subject {
    /// `runtime`, `config`, `bundle` or `caller`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Subject::Runtime => "runtime",
            Subject::Config => "config",
            Subject::Bundle => "bundle",
            Subject::Caller => "caller",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a clause can be seen to hold or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Testable {
    /// What the runtime does, seen from outside of the container.
    Outside,
    /// What a process in the container sees.
    Inside,
    /// A JSON Schema says it.
    Schema,
    /// A document alone shows it, but no JSON Schema can say it.
    Semantic,
    /// The bundle on disk shows it.
    Bundle,
    /// The features document shows it.
    Features,
    /// Nothing does; [`Clause::why`] says why.
    None,
}

impl Testable {
    /// The word in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Testable::Outside => "outside",
            Testable::Inside => "inside",
            Testable::Schema => "schema",
            Testable::Semantic => "semantic",
            Testable::Bundle => "bundle",
            Testable::Features => "features",
            Testable::None => "none",
        }
    }
}

impl fmt::Display for Testable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

//! One document as rules see it: what it is, of which version, for which platform.

use std::str::FromStr;

use oci_runtime_schemas::{SPEC_VERSIONS, SpecVersion};

use crate::bundle::Bundle;
use crate::document::{Document, Hidden, Kind, Value};
use crate::options::{DocumentKind, Options};

/// What a rule can ask.
#[derive(Debug)]
pub struct Context<'d> {
    /// What the document is.
    pub kind: DocumentKind,
    /// The whole document. Properties that its version does not know are not seen in it.
    pub root: Value<'d>,
    /// The version of the specification that it is held to.
    pub version: SpecVersion,
    /// The `process` object: of a config, or the document itself.
    pub process: Value<'d>,
    /// The `linux` object of a config.
    pub linux: Value<'d>,
    /// The `linux.resources` object: of a config, or the document itself.
    pub resources: Value<'d>,
    /// The `linux.seccomp` object: of a config, or the document itself.
    pub seccomp: Value<'d>,
    /// The platform that a config is for.
    pub platform: Platform,
    /// What it is checked against.
    pub options: &'d Options,
    /// The directory that the config is in, if it is checked as part of a bundle.
    pub bundle: Option<&'d Bundle>,
}

/// The platform that a config is for, told from the platform's object in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// `linux`, or no object at all: what most configs are for.
    Linux,
    /// `windows` without `linux`.
    Windows,
    /// `solaris`.
    Solaris,
    /// `freebsd`.
    FreeBsd,
    /// `zos`.
    Zos,
}

impl<'d> Context<'d> {
    pub(crate) fn new(
        kind: DocumentKind,
        document: &'d Document,
        hidden: &'d Hidden,
        version: SpecVersion,
        options: &'d Options,
        bundle: Option<&'d Bundle>,
    ) -> Context<'d> {
        let root = document.root().without(hidden);
        let nothing = root.at_pointer("absent");
        let of = |its: DocumentKind, in_config: fn(Value<'d>) -> Value<'d>| {
            if kind == its {
                root
            } else if kind == DocumentKind::Config {
                in_config(root)
            } else {
                nothing
            }
        };
        Context {
            kind,
            root,
            version,
            process: of(DocumentKind::Process, |root| root.get("process")),
            linux: of(DocumentKind::Config, |root| root).get("linux"),
            resources: of(DocumentKind::Resources, |root| {
                root.get("linux").get("resources")
            }),
            seccomp: of(DocumentKind::Seccomp, |root| {
                root.get("linux").get("seccomp")
            }),
            platform: Platform::of(root),
            options,
            bundle,
        }
    }

    /// The document, with its text.
    pub fn document(&self) -> &'d Document {
        self.root.document()
    }

    /// Whether it is for a POSIX platform: all but Windows.
    pub fn is_posix(&self) -> bool {
        self.platform != Platform::Windows
    }

    /// Whether it is for Linux.
    pub fn is_linux(&self) -> bool {
        self.platform == Platform::Linux
    }

    /// Whether the document's version is this one or newer.
    pub fn from_version(&self, major: u16, minor: u16, patch: u16) -> bool {
        self.version >= SpecVersion::new(major, minor, patch)
    }
}

impl Platform {
    fn of(root: Value<'_>) -> Platform {
        let has = |name| root.get(name).kind() == Kind::Object;
        if has("linux") {
            // Linux containers on Windows have both: the processes in them are Linux's.
            Platform::Linux
        } else if has("windows") {
            Platform::Windows
        } else if has("solaris") {
            Platform::Solaris
        } else if has("freebsd") {
            Platform::FreeBsd
        } else if has("zos") {
            Platform::Zos
        } else {
            Platform::Linux
        }
    }
}

/// Which version a document is held to.
pub(crate) enum Age {
    /// This one; the newest that we know, if it names a newer one or none.
    Known(SpecVersion),
    /// It was written before 1.0.0.
    BeforeFirst,
}

/// The newest version that we know.
pub(crate) const NEWEST: SpecVersion = SPEC_VERSIONS[SPEC_VERSIONS.len() - 1];

/// The version that brought features documents. Runtimes of an older one that print them print the
/// ones of this version.
const FIRST_WITH_FEATURES: SpecVersion = SpecVersion::new(1, 1, 0);

/// The newest version that a runtime recognizes, from what it says of itself.
pub(crate) fn newest_recognized(features: Value<'_>) -> Option<SpecVersion> {
    SpecVersion::from_str(features.get("ociVersionMax").as_str()?).ok()
}

impl Age {
    /// Tells from `ociVersion`; of features documents, from `ociVersionMax`.
    pub(crate) fn of(kind: DocumentKind, root: Value<'_>) -> Age {
        if kind == DocumentKind::Features {
            let newest = newest_recognized(root).unwrap_or(NEWEST);
            return Age::Known(newest.clamp(FIRST_WITH_FEATURES, NEWEST));
        }
        let Some(text) = root.get("ociVersion").as_str() else {
            return Age::Known(NEWEST);
        };
        match SpecVersion::from_str(text) {
            Ok(version) if version < SPEC_VERSIONS[0] || is_candidate_of_first(version, text) => {
                Age::BeforeFirst
            }
            Ok(version) if text.contains("-dev") => Age::Known(next_release(version)),
            Ok(version) => Age::Known(version.min(NEWEST)),
            Err(_) => Age::Known(NEWEST),
        }
    }
}

/// The first release after a version. What engines call `1.0.2-dev` is the specification as it stood
/// between 1.0.2 and the next release, and has what that release then had.
fn next_release(version: SpecVersion) -> SpecVersion {
    let later = SPEC_VERSIONS.into_iter().find(|one| *one > version);
    later.unwrap_or(NEWEST)
}

/// Whether it is a release candidate of 1.0.0: the document changed its shape between those.
fn is_candidate_of_first(version: SpecVersion, text: &str) -> bool {
    version == SPEC_VERSIONS[0] && text.contains("-rc")
}

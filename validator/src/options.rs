//! What is to be checked, and against what.

use std::collections::BTreeSet;

use oci_runtime_schemas::{SchemaKind, SpecVersion};

use crate::document::{Document, Kind, Value};
use crate::host::Host;

/// How a document is to be checked. The default: find out what it is, and hold it to the
/// specification of the version that it names.
#[derive(Debug, Default)]
pub struct Options {
    /// What the document is; if `None`, it is told from the document.
    pub kind: Option<DocumentKind>,
    /// The version of the specification; if `None`, the document's `ociVersion`, else the newest.
    pub spec_version: Option<SpecVersion>,
    /// Profiles beside [`Profile::Spec`], which always holds.
    pub profiles: BTreeSet<Profile>,
    /// What the kernel has, for [`Profile::Host`]; without it that profile finds nothing.
    pub host: Option<Host>,
    /// What a runtime says of itself (`features`): a configuration is held to it.
    pub features: Option<Document>,
}

/// Kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentKind {
    /// `config.json`.
    Config,
    /// The state of a container.
    State,
    /// What a runtime says of itself.
    Features,
    /// What `exec --process` takes.
    Process,
    /// What `update --resources` takes.
    Resources,
    /// A seccomp profile: the `linux.seccomp` object alone.
    Seccomp,
}

/// A set of rules that people choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// What the specification says, and nothing else.
    Spec,
    /// What this kernel has.
    Host,
    /// What runc, crun and youki all accept.
    Portable,
    /// What is legal and dangerous.
    Security,
}

impl DocumentKind {
    /// All kinds.
    pub const ALL: [DocumentKind; 6] = [
        DocumentKind::Config,
        DocumentKind::State,
        DocumentKind::Features,
        DocumentKind::Process,
        DocumentKind::Resources,
        DocumentKind::Seccomp,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        self.schema().name()
    }

    /// Its schema.
    pub fn schema(self) -> SchemaKind {
        match self {
            DocumentKind::Config => SchemaKind::Config,
            DocumentKind::State => SchemaKind::State,
            DocumentKind::Features => SchemaKind::Features,
            DocumentKind::Process => SchemaKind::Process,
            DocumentKind::Resources => SchemaKind::Resources,
            DocumentKind::Seccomp => SchemaKind::Seccomp,
        }
    }

    /// What a document is, told from its properties; `None` if that leaves it open.
    pub fn of(root: Value<'_>) -> Option<DocumentKind> {
        if root.kind() != Kind::Object {
            return None;
        }
        let has = |name: &str| root.get(name).is_present();
        let any = |names: &[&str]| names.iter().any(|name| has(name));
        if any(&["ociVersionMin", "ociVersionMax"]) {
            Some(DocumentKind::Features)
        } else if any(&["defaultAction"]) || (has("syscalls") && !has("linux")) {
            Some(DocumentKind::Seccomp)
        } else if has("status") && any(&["id", "pid", "bundle", "ociVersion"]) {
            Some(DocumentKind::State)
        } else if has("ociVersion")
            || any(&[
                "process", "linux", "windows", "solaris", "freebsd", "zos", "vm",
            ])
            || (has("mounts") && has("root"))
        {
            Some(DocumentKind::Config)
        } else if has("cwd") && any(&["args", "commandLine", "user", "env"]) {
            Some(DocumentKind::Process)
        } else if root.members().next().is_some() {
            let known = SchemaKind::Resources.schema();
            root.members()
                .all(|(name, value)| known.property(name).is_some() && value.as_str().is_none())
                .then_some(DocumentKind::Resources)
        } else {
            None
        }
    }
}

impl Profile {
    /// All profiles.
    pub const ALL: [Profile; 4] = [
        Profile::Spec,
        Profile::Host,
        Profile::Portable,
        Profile::Security,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Spec => "spec",
            Profile::Host => "host",
            Profile::Portable => "portable",
            Profile::Security => "security",
        }
    }
}

//! What the command line says.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use oci_runtime_schemas::{SPEC_VERSIONS, SchemaKind, SpecVersion};

use crate::finding::Severity;
use crate::options::{DocumentKind, Profile};
use crate::report::Format;

/// What becomes of paths.
pub(super) const PATHS: &str = "\
A directory with config.json is a bundle; any other is searched for *.json, and what is no document
of the specification in there is skipped. Without PATH the current directory is judged, if it is a
bundle. A path that has the name of a command is written ./rules, or behind --.";

/// Exit codes and what they mean.
pub(super) const EXIT_CODES: &[(u8, &str)] = &[
    (0, "nothing at or above --fail-on"),
    (1, "findings at or above --fail-on"),
    (
        2,
        "wrong usage, or a path that cannot be read; all others are judged",
    ),
    (3, "a fault of oci-validate itself"),
];

/// Command lines and what they do.
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    ("oci-validate bundle/", "judge a bundle"),
    ("runc spec && oci-validate config.json", "judge a document"),
    ("refrun features | oci-validate -", "judge standard input"),
    (
        "oci-validate --format sarif . > out.sarif",
        "judge all below a directory",
    ),
];

fn after_help() -> String {
    let mut out = format!("{PATHS}\n\nExit codes:\n");
    for (code, meaning) in EXIT_CODES {
        out.push_str(&format!("  {code}  {meaning}\n"));
    }
    out.push_str("\nExamples:\n");
    for (line, meaning) in EXAMPLES {
        out.push_str(&format!("  {line:41}  {meaning}\n"));
    }
    out.truncate(out.trim_end().len());
    out
}

/// Checks documents of the OCI Runtime Specification
#[derive(Debug, Parser)]
#[command(
    name = super::NAME,
    version,
    about = "Checks config.json, bundles, state and features documents against the OCI Runtime Specification",
    after_help = after_help(),
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) judging: Judging,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List every rule with the clauses that it judges
    Rules {
        /// How to list them
        #[arg(long, value_enum, default_value = "table")]
        format: ListFormat,
    },
    /// Explain a rule or a clause of the specification
    Explain {
        /// A rule's id (namespaces/unique) or a clause's (config.root.path.field)
        #[arg(value_name = "RULE|CLAUSE")]
        id: String,
    },
    /// Print the JSON Schema of a kind of document
    Schema {
        /// The kind of document
        #[arg(value_enum)]
        kind: SchemaName,
    },
    /// Print a script that completes command lines in a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// What is judged, by what, and how it is told.
#[derive(Debug, Args)]
pub(super) struct Judging {
    /// Documents, bundles, directories; - is standard input
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// What the documents are; auto: each tells it by its properties
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) kind: KindName,
    /// Version of the specification to judge by [default: the document's ociVersion]
    #[arg(long, value_name = "X", value_parser = spec_version)]
    pub(super) spec_version: Option<SpecVersion>,
    /// Rules beside the specification's; repeatable
    #[arg(long, value_enum, value_delimiter = ',', default_value = "spec")]
    pub(super) profile: Vec<ProfileName>,
    /// A runtime's features document, to which configurations are held
    #[arg(long, value_name = "FILE")]
    pub(super) features: Option<PathBuf>,
    /// How findings are told
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
    /// The least severity that makes the exit code 1
    #[arg(long, value_name = "SEVERITY", value_enum, default_value = "error")]
    pub(super) fail_on: FailOn,
    /// Show notes too, which the human format only counts unless they fail the run
    #[arg(long)]
    pub(super) notes: bool,
    /// Mend in place what is certain; standard input is mended to standard output
    #[arg(long)]
    pub(super) fix: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum KindName {
    Auto,
    Config,
    Bundle,
    State,
    Features,
    Seccomp,
    Process,
    Resources,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProfileName {
    /// What the specification says; always judged
    Spec,
    /// What this host's kernel has
    Host,
    /// What runc, crun and youki all accept
    Portable,
    /// What is legal and dangerous
    Security,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    Error,
    Warning,
    Note,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    Table,
    Json,
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaName {
    Config,
    State,
    Features,
    Process,
    Resources,
    Seccomp,
    ContainerProcessState,
}

impl KindName {
    /// The kind of document; none for `auto`.
    pub(super) fn document(self) -> Option<DocumentKind> {
        match self {
            KindName::Auto => None,
            KindName::Config | KindName::Bundle => Some(DocumentKind::Config),
            KindName::State => Some(DocumentKind::State),
            KindName::Features => Some(DocumentKind::Features),
            KindName::Seccomp => Some(DocumentKind::Seccomp),
            KindName::Process => Some(DocumentKind::Process),
            KindName::Resources => Some(DocumentKind::Resources),
        }
    }
}

impl ProfileName {
    pub(super) fn profile(self) -> Profile {
        match self {
            ProfileName::Spec => Profile::Spec,
            ProfileName::Host => Profile::Host,
            ProfileName::Portable => Profile::Portable,
            ProfileName::Security => Profile::Security,
        }
    }
}

impl FailOn {
    pub(super) fn severity(self) -> Severity {
        match self {
            FailOn::Error => Severity::Error,
            FailOn::Warning => Severity::Warning,
            FailOn::Note => Severity::Note,
        }
    }
}

impl SchemaName {
    pub(super) fn schema(self) -> SchemaKind {
        match self {
            SchemaName::Config => SchemaKind::Config,
            SchemaName::State => SchemaKind::State,
            SchemaName::Features => SchemaKind::Features,
            SchemaName::Process => SchemaKind::Process,
            SchemaName::Resources => SchemaKind::Resources,
            SchemaName::Seccomp => SchemaKind::Seccomp,
            SchemaName::ContainerProcessState => SchemaKind::ContainerProcessState,
        }
    }
}

fn spec_version(text: &str) -> Result<SpecVersion, String> {
    let version = SpecVersion::from_str(text).map_err(|error| error.to_string())?;
    if SPEC_VERSIONS.contains(&version) {
        return Ok(version);
    }
    let known: Vec<String> = SPEC_VERSIONS.iter().map(ToString::to_string).collect();
    Err(format!("the released versions are {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn names_are_those_of_the_library() {
        for profile in ProfileName::value_variants() {
            let name = profile.to_possible_value().unwrap();
            assert_eq!(name.get_name(), profile.profile().name());
        }
        let profiles = ProfileName::value_variants().len();
        assert_eq!(profiles, Profile::ALL.len());
        for kind in SchemaName::value_variants() {
            let name = kind.to_possible_value().unwrap();
            assert_eq!(name.get_name(), kind.schema().name());
        }
        for kind in DocumentKind::ALL {
            let named = KindName::from_str(kind.name(), false).unwrap();
            assert_eq!(named.document(), Some(kind));
        }
        for severity in [Severity::Error, Severity::Warning, Severity::Note] {
            let named = FailOn::from_str(severity.name(), false).unwrap();
            assert_eq!(named.severity(), severity);
        }
    }

    #[test]
    fn only_released_versions_are_taken() {
        assert_eq!(spec_version("1.0.2"), Ok(SpecVersion::new(1, 0, 2)));
        assert!(spec_version("1.0.3").unwrap_err().contains("1.0.2, 1.1.0"));
        assert!(spec_version("x").is_err());
    }
}

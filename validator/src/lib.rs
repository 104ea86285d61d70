//! Checks documents of the OCI Runtime Specification: `config.json`, state, features, what
//! `exec --process` and `update --resources` take, seccomp profiles, and bundles on disk.
//!
//! [`Document::parse`] reads a text and keeps every position; [`check`] holds it to its JSON Schema
//! and to the [`rules`], each a declaration that cites the clause it judges. Nothing here needs a
//! privilege or a kernel, and nothing is compiled or read at run time: the reference runtime checks
//! each configuration before it does anything.
//!
//! ```
//! use oci_validator::{Document, Options, check};
//!
//! let document = Document::parse(br#"{"ociVersion": "1.3.0", "root": {"path": 7}}"#.to_vec());
//! let findings = check(&document, &Options::default());
//! assert_eq!(findings[0].to_string(), "/root/path: expected a string, found the number 7 (config.root.path.field)");
//! ```

mod bundle;
#[cfg(feature = "program")]
pub mod cli;
mod context;
mod document;
mod finding;
#[cfg(feature = "program")]
mod fix;
mod host;
#[cfg(feature = "program")]
mod input;
mod names;
mod options;
#[cfg(feature = "program")]
mod report;
mod rule;
pub mod rules;
mod semver;
mod structure;

pub use bundle::Bundle;
pub use context::{Context, Platform};
pub use document::{
    Document, Kind, MAX_BYTES, MAX_DEPTH, MAX_VALUES, Position, Problem, ProblemKind, Value,
};
pub use finding::{Finding, Fix, Severity};
pub use host::{Cgroups, Host};
pub use options::{DocumentKind, Options, Profile};
pub use rule::{Draft, Found, Rule};

use context::{Age, NEWEST};
use oci_runtime_schemas::SpecVersion;

/// Checks a document. Findings come in the order of the text.
pub fn check(document: &Document, options: &Options) -> Vec<Finding> {
    examine(None, document, options).findings
}

/// Checks the `config.json` of a bundle, and what it names in the bundle.
pub fn check_bundle(bundle: &Bundle, config: &Document, options: &Options) -> Vec<Finding> {
    examine(Some(bundle), config, options).findings
}

/// What came of checking a document, and what it was taken for.
#[derive(Debug)]
pub struct Checked {
    /// What it is; none if nothing tells it.
    pub kind: Option<DocumentKind>,
    /// The version of the specification that it was held to; none if it is of no released one, or
    /// was not judged.
    pub version: Option<SpecVersion>,
    /// What is wrong with it, in the order of the text.
    pub findings: Vec<Finding>,
}

/// Checks a document, of a bundle or not, and tells what it was taken for.
pub fn examine(bundle: Option<&Bundle>, document: &Document, options: &Options) -> Checked {
    let mut checked = Checked {
        kind: None,
        version: None,
        findings: Vec::new(),
    };
    rules::syntax::check(document, &mut checked.findings);
    judge(bundle, document, options, &mut checked);
    // Stable: at one place the schema speaks before the rules.
    checked.findings.sort_by_key(|finding| finding.span.start);
    checked
}

fn judge(bundle: Option<&Bundle>, document: &Document, options: &Options, checked: &mut Checked) {
    let findings = &mut checked.findings;
    let root = document.root();
    if !root.is_present() {
        return;
    }
    let Some(kind) = options.kind.or_else(|| DocumentKind::of(root)) else {
        rules::document::unrecognised(root, findings);
        return;
    };
    checked.kind = Some(kind);
    let version = match (options.spec_version, Age::of(kind, root)) {
        (Some(version), _) => version.min(NEWEST),
        (None, Age::Known(version)) => version,
        (None, Age::BeforeFirst) => {
            rules::document::before_first(root, findings);
            return;
        }
    };
    checked.version = Some(version);
    let hidden = structure::check(root, kind.schema(), version, findings);
    let context = Context::new(kind, document, &hidden, version, options, bundle);
    for rule in rules::all() {
        let chosen = rule.profile == Profile::Spec || options.profiles.contains(&rule.profile);
        if chosen && rule.kinds.contains(&kind) {
            (rule.check)(&context, &mut Found::new(rule, version, findings));
        }
    }
}

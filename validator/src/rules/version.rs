//! `ociVersion` (config.md, Specification version). That it is one is the schema's.

use std::str::FromStr;

use oci_runtime_schemas::SpecVersion;

use crate::context::NEWEST;
use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::Rule;

/// Rules about the version that a document names.
pub(super) static RULES: &[Rule] = &[Rule {
    id: "version/known",
    kinds: &[DocumentKind::Config, DocumentKind::State],
    severity: Severity::Warning,
    source: "the releases of the specification up to 1.3.0",
    page: "The document names a version of the specification that is newer than those known here, \
           and is judged by the newest of them. A newer minor version adds properties, which are \
           told as unknown. Another major version would be another format: none is released, and \
           no runtime accepts it.",
    accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#],
    rejects: &[
        (
            r#"{"ociVersion": "2.0.0", "root": {"path": "rootfs"}}"#,
            "/ociVersion",
        ),
        (
            r#"{"ociVersion": "1.99.0", "root": {"path": "rootfs"}}"#,
            "/ociVersion",
        ),
    ],
    check: |context, found| {
        let named = context.root.get("ociVersion");
        let Some(Ok(version)) = named.as_str().map(SpecVersion::from_str) else {
            return;
        };
        if version.major > NEWEST.major {
            found
                .at(named, format!("no version {} is released", named.text()))
                .help(format!("`{NEWEST}` is the newest that is known here"));
        } else if version > NEWEST {
            found
                .at(
                    named,
                    format!("judged by version {NEWEST}, the newest that is known here"),
                )
                .only(Severity::Note);
        }
    },
    ..Rule::SPEC
}];

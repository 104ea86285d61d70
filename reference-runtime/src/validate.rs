//! Where documents are held to the specification, before anything is planned.

use oci_validator::{Document, DocumentKind, Finding, Options, Severity, check};

use crate::error::{Error, Result};

/// Refuses a `config.json` that the specification does not allow, and tells all that is wrong
/// with it, each with its place in the text. Returns it as it was read.
pub(crate) fn config(text: Vec<u8>) -> Result<Document> {
    refuse(text, DocumentKind::Config, "config.json")
}

/// Refuses a document of `exec --process` in the same way.
pub(crate) fn process(text: Vec<u8>, name: &str) -> Result<Document> {
    refuse(text, DocumentKind::Process, name)
}

fn refuse(text: Vec<u8>, kind: DocumentKind, name: &str) -> Result<Document> {
    let document = Document::parse(text);
    let options = Options {
        kind: Some(kind),
        ..Options::default()
    };
    let findings = check(&document, &options);
    let wrong: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    match wrong.as_slice() {
        [] => Ok(document),
        [only] => {
            let message = format!("{} ({})", only.message, basis(only));
            Err(Error::new(message).at(only.pointer.clone()))
        }
        several => {
            let mut message = format!("{name} is not valid, in {} places:", several.len());
            for finding in several {
                let place = document.position(finding.span.start);
                let (line, column) = (place.line, place.column);
                message.push_str(&format!("\n  {name}:{line}:{column}: {finding}"));
            }
            Err(Error::new(message))
        }
    }
}

fn basis(finding: &Finding) -> &'static str {
    finding.clause.unwrap_or(finding.rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_told() {
        config(br#"{"ociVersion": "1.0.0", "root": {"path": "rootfs"}}"#.to_vec()).unwrap();
        let one =
            config(br#"{"ociVersion": "1.0", "root": {"path": "rootfs"}}"#.to_vec()).unwrap_err();
        assert!(one.to_string().starts_with("/ociVersion: "), "{one}");
        let two = config(br#"{"ociVersion": "1.0", "hostname": 7}"#.to_vec())
            .unwrap_err()
            .to_string();
        assert_eq!(two.lines().count(), 4, "{two}");
        assert!(two.contains("config.json:1:16: /ociVersion: "), "{two}");
        let process = process(br#"{"args": ["sh"], "cwd": "tmp"}"#.to_vec(), "p.json").unwrap_err();
        assert!(process.to_string().contains("cwd"), "{process}");
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let text = br#"{"ociVersion": "1.0.0", "root": {"path": "a"}, "root": {"path": "b"}}"#;
        assert!(
            config(text.to_vec())
                .unwrap_err()
                .to_string()
                .contains("twice")
        );
    }
}

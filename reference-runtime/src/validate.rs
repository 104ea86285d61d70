//! Where the rules for documents are asked before anything is planned.

use crate::error::{Error, Result};
use oci_validator::{Finding, Severity, check};
use serde_json::Value;

/// Refuses a configuration that the specification does not allow, and tells everything that is wrong with it.
pub(crate) fn validate(config: &Value) -> Result<()> {
    let findings = check(config);
    let wrong: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    match wrong.as_slice() {
        [] => Ok(()),
        [only] => {
            Err(Error::new(format!("{} ({})", only.message, only.clause)).at(only.pointer.clone()))
        }
        several => {
            let texts: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(Error::new(texts.join("; ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_that_is_wrong_is_told() {
        let good = json!({"ociVersion": "1.0.0", "root": {"path": "rootfs"}});
        validate(&good).unwrap();
        let one = json!({"ociVersion": "1.0", "root": {"path": "rootfs"}});
        assert!(
            validate(&one)
                .unwrap_err()
                .to_string()
                .starts_with("/ociVersion: ")
        );
        let two = validate(&json!({"ociVersion": "1.0"}))
            .unwrap_err()
            .to_string();
        assert!(two.contains("/ociVersion") && two.contains("; "), "{two}");
    }
}

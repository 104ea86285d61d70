//! Versions in the format of SemVer 2.0.0.

/// Whether a text is one: three numbers with dots, and after them what SemVer allows.
pub(crate) fn is_valid(text: &str) -> bool {
    semver::Version::parse(text).is_ok()
}

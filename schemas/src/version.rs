//! Versions of the specification, and how they are read from what others write.

use std::fmt;
use std::str::FromStr;

/// A released version of the specification: major, minor and patch, compared in that order.
///
/// It reads what subjects claim: `1.0.2-dev`, `v1.1.0`, `1.1.0-rc.1+dev`. Pre-release and build are
/// dropped, since a runtime that claims `1.0.2-dev` is held to what 1.0.2 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpecVersion {
    /// Incompatible changes.
    pub major: u16,
    /// Compatible additions.
    pub minor: u16,
    /// Corrections.
    pub patch: u16,
}

impl SpecVersion {
    /// The version of these three numbers.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        SpecVersion {
            major,
            minor,
            patch,
        }
    }
}

impl fmt::Display for SpecVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for SpecVersion {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseVersionError(text.to_owned());
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let release = text.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = release.split('.').map(number);
        match (
            numbers.next(),
            numbers.next(),
            numbers.next(),
            numbers.next(),
        ) {
            (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) => Ok(SpecVersion {
                major,
                minor,
                patch,
            }),
            _ => Err(error()),
        }
    }
}

/// Digits only: `u16`'s own reading would take `+1`.
fn number(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// A text that is no version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseVersionError(String);

impl fmt::Display for ParseVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a version of the form major.minor.patch",
            self.0
        )
    }
}

impl std::error::Error for ParseVersionError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pre_release_and_build_are_dropped() {
        for (text, expected) in [
            ("1.0.2", "1.0.2"),
            ("v1.0.2", "1.0.2"),
            ("1.0.2-dev", "1.0.2"),
            ("1.1.0-rc.1+dev", "1.1.0"),
            ("1.1.0+dev", "1.1.0"),
            (" 1.3.0\n", "1.3.0"),
            ("10.20.30", "10.20.30"),
        ] {
            assert_eq!(
                text.parse::<SpecVersion>().map(|it| it.to_string()),
                Ok(expected.into())
            );
        }
    }

    #[test]
    fn other_texts_are_no_versions() {
        for text in [
            "",
            "v",
            "1",
            "1.0",
            "1.0.0.0",
            "1.0.x",
            "1.+1.0",
            "1..0",
            "-dev",
            "99999.0.0",
        ] {
            assert!(text.parse::<SpecVersion>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn versions_are_ordered_by_number() {
        let version = |text: &str| text.parse::<SpecVersion>().unwrap();
        assert!(version("1.0.2") < version("1.1.0"));
        assert!(version("1.9.0") < version("1.10.0"));
        assert_eq!(version("1.0.2-dev"), version("1.0.2"));
    }
}

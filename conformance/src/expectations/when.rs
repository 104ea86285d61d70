//! `when`: on which hosts a waiver holds.

use std::fmt;

use crate::results::HostFacts;

/// Conditions on the host: all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct When {
    /// One of these cgroup set-ups.
    pub cgroup: Option<Vec<String>>,
    /// With root's privileges, or without.
    pub root: Option<bool>,
    /// A kernel before, from, … a version.
    pub kernel: Option<KernelCondition>,
}

impl When {
    /// The first condition that does not hold, in words.
    pub fn unmet(&self, host: &HostFacts) -> Option<String> {
        if let Some(cgroup) = &self.cgroup
            && !cgroup.contains(&host.cgroup)
        {
            return Some(format!(
                "only with cgroup {}, here is {}",
                cgroup.join(" or "),
                host.cgroup
            ));
        }
        if let Some(root) = self.root
            && root != host.root
        {
            return Some(
                if root {
                    "only with root"
                } else {
                    "only without root"
                }
                .into(),
            );
        }
        match &self.kernel {
            Some(kernel) if !kernel.matches(&host.kernel) => Some(format!(
                "only with kernel {kernel}, here is {}",
                host.kernel
            )),
            _ => None,
        }
    }
}

/// A comparison with a kernel's version: `<6.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelCondition {
    operator: &'static str,
    version: Vec<u64>,
}

impl KernelCondition {
    const OPERATORS: [&str; 5] = ["<=", ">=", "<", ">", "="];

    pub(super) fn parse(text: &str) -> Option<KernelCondition> {
        let operator = Self::OPERATORS
            .into_iter()
            .find(|operator| text.starts_with(operator))?;
        let version: Option<Vec<u64>> = text[operator.len()..]
            .trim()
            .split('.')
            .map(|part| part.parse().ok())
            .collect();
        let version = version?;
        (version.len() <= 3).then_some(KernelCondition { operator, version })
    }

    /// Compares as many numbers of the release as the condition has: 6.1.7 is `=6.1`.
    fn matches(&self, release: &str) -> bool {
        let mut numbers = release
            .split(|c: char| !c.is_ascii_digit())
            .map(|part| part.parse::<u64>().unwrap_or(0));
        let release: Vec<u64> = self
            .version
            .iter()
            .map(|_| numbers.next().unwrap_or(0))
            .collect();
        match self.operator {
            "<" => release < self.version,
            "<=" => release <= self.version,
            ">" => release > self.version,
            ">=" => release >= self.version,
            _ => release == self.version,
        }
    }
}

impl fmt::Display for KernelCondition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.version.iter().map(u64::to_string).collect();
        write!(formatter, "{}{}", self.operator, numbers.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_compare_by_the_numbers_given() {
        for (condition, release, holds) in [
            ("<6.1", "6.0.9-arch1", true),
            ("<6.1", "6.1.0-13-amd64", false),
            ("<=6.1", "6.1.55", true),
            ("<=6.1", "6.2", false),
            ("=6.1", "6.1.55", true),
            ("=6.1.4", "6.1.55", false),
            (">=6.10", "6.9", false),
            (">= 6.10", "6.10", true),
            (">6.1", "6.1.9", false),
            (">6.1", "7.0", true),
        ] {
            let parsed = KernelCondition::parse(condition).expect(condition);
            assert_eq!(parsed.matches(release), holds, "{release} {condition}");
        }
        for wrong in ["", "6.1", "<", "<six", "<6.1.2.3", "~6.1", "<6..1"] {
            assert_eq!(KernelCondition::parse(wrong), None, "{wrong:?}");
        }
    }
}

//! The deviants' declarations, which their program prints: nothing of it is linked.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::host::Host;

/// A deviant as its program declares it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Declaration {
    /// Its name: `hooks.poststop.skipped`.
    pub name: String,
    /// Clauses that it violates.
    pub breaks: Vec<String>,
    /// What is wrong with it, in one sentence.
    pub wrong: String,
    /// `root`, `cgroup-v1`, `cgroup-v2`, `base:NAME`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Whether it makes an operation hang, so that a case's timeout shows it.
    #[serde(default)]
    pub hangs: bool,
}

impl Declaration {
    /// The first need that is not met.
    pub(super) fn unmet(&self, host: &Host, base: &Path) -> Option<&str> {
        let meets = |need: &str| match (need, need.split_once(':')) {
            ("root", _) => host.root(),
            ("cgroup-v1", _) => matches!(host.cgroup(), "v1" | "hybrid"),
            ("cgroup-v2", _) => host.cgroup() == "v2",
            (_, Some(("base", name))) => base.file_name().is_some_and(|file| file == name),
            _ => false,
        };
        self.needs
            .iter()
            .map(String::as_str)
            .find(|need| !meets(need))
    }
}

/// Asks a program for its deviants.
pub(super) fn ask(program: &Path) -> Result<Vec<Declaration>, String> {
    let shown = program.display();
    let output = Command::new(program)
        .args(["deviants", "--format", "json"])
        .env_remove("DEVIANT")
        .env_remove("DEVIANT_BASE")
        .output()
        .map_err(|error| format!("execve({shown}): {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!(
            "{shown} deviants --format json: no list of deviants ({error}) {}",
            said.trim()
        )
    })
}

/// Those that filters select.
pub(super) fn select(
    all: Vec<Declaration>,
    filters: &[String],
) -> Result<Vec<Declaration>, String> {
    let matches = |deviant: &Declaration, filter: &str| {
        deviant.name == filter
            || (filter.ends_with('.') && deviant.name.starts_with(filter))
            || deviant.breaks.iter().any(|clause| clause == filter)
    };
    for filter in filters {
        if !all.iter().any(|deviant| matches(deviant, filter)) {
            return Err(format!(
                "{filter:?} is no deviant, no prefix of deviants' names ending in '.', and no \
                 clause that a deviant breaks"
            ));
        }
    }
    let wanted = |deviant: &Declaration| {
        filters.is_empty() || filters.iter().any(|filter| matches(deviant, filter))
    };
    Ok(all.into_iter().filter(wanted).collect())
}

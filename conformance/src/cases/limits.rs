//! How a limit is judged: by what stands in a file of the container's cgroup.
//!
//! A row says which file of which hierarchy a property ends in. A file that the kernel lacks makes
//! the case inapplicable; a file that the runtime has not written fails.

use serde_json::Value;

use crate::host;
use crate::trial::{Refusal, Stop, Trial, When};

/// The clause that nothing may come of what is refused.
pub(super) const NOTHING: &str = "runtime.errors.unchanged";

/// Where a property ends up and what must be there.
pub(super) struct Limit {
    pub(super) clause: &'static str,
    pub(super) controller: &'static str,
    /// The value of `resources`.
    pub(super) resources: fn() -> Value,
    /// Files, of which the first that exists counts, and what must be in it, if v1 has it.
    pub(super) v1: Option<(&'static [&'static str], Found)>,
    /// The same for v2.
    pub(super) v2: Option<(&'static [&'static str], Found)>,
}

/// What a file must hold.
#[derive(Clone, Copy)]
pub(super) enum Found {
    /// Exactly this, blanks at the end aside.
    Text(&'static str),
    /// This among its lines.
    Line(&'static str),
    /// A number at least this: "unlimited" where the kernel rounds.
    AtLeast(u64),
}

/// A row: id and declaration; what a hierarchy lacks is left to the case to find out.
macro_rules! limit {
    ($id:literal, $clause:literal, $controller:literal, $resources:expr, $v1:expr, $v2:expr) => {
        $crate::case::Case {
            id: $id,
            judges: &[$clause],
            needs: &[
                $crate::case::Need::SharedKernel,
                $crate::case::Need::Controller($controller),
            ],
            run: |trial| {
                $crate::cases::limits::is_applied(
                    trial,
                    &$crate::cases::limits::Limit {
                        clause: $clause,
                        controller: $controller,
                        resources: $resources,
                        v1: $v1,
                        v2: $v2,
                    },
                )
            },
        }
    };
}

pub(super) use limit;

pub(super) fn is_applied(trial: &mut Trial, limit: &Limit) -> Result<(), Stop> {
    let unified = hierarchy(trial, limit.controller)?;
    let Some((files, found)) = (if unified { limit.v2 } else { limit.v1 }) else {
        let version = if unified { 2 } else { 1 };
        return Err(Stop::Inapplicable(format!(
            "a property that cgroup v{version} has"
        )));
    };
    kernel_has(trial, limit.controller, files)?;
    trial.set("/linux/resources", (limit.resources)());
    let text = text_in_cgroup(trial, limit.controller, files)?;
    let number = || {
        text.split_whitespace()
            .last()
            .and_then(|word| word.parse::<u64>().ok())
    };
    match found {
        Found::Text(expected) => trial.expect(limit.clause, expected, text.trim_end())?,
        Found::Line(expected) => {
            let holds = text.lines().any(|line| line == expected);
            trial.expect_that(limit.clause, holds, format!("the line {expected:?}"), &text)?;
        }
        Found::AtLeast(least) => {
            let holds = number().is_some_and(|number| number >= least);
            trial.expect_that(limit.clause, holds, format!("{least} or more"), &text)?;
        }
    }
    trial.finish()
}

pub(super) fn refusal(error: &'static str, control: &'static str, what: &'static str) -> Refusal {
    Refusal {
        error,
        nothing: Some(NOTHING),
        control,
        when: When::Create,
        what,
    }
}

/// Runs a container that pauses, and reads a file of its cgroup.
pub(super) fn text_in_cgroup(
    trial: &mut Trial,
    controller: &str,
    files: &[&str],
) -> Result<String, Stop> {
    trial.probe(&["pause"]);
    read_in_cgroup(trial, controller, files)
}

pub(super) fn read_in_cgroup(
    trial: &mut Trial,
    controller: &str,
    files: &[&str],
) -> Result<String, Stop> {
    trial.run_until_ready()?;
    file_in_cgroup(trial, controller, files)
}

/// The first of these files that the container's cgroup has; empty if the cgroup is not there.
pub(super) fn file_in_cgroup(
    trial: &Trial,
    controller: &str,
    files: &[&str],
) -> Result<String, Stop> {
    let Some(directory) = trial.cgroup_of(controller) else {
        return Ok(format!("no cgroup of {controller} at cgroupsPath"));
    };
    if let Some(file) = files
        .iter()
        .map(|file| directory.join(file))
        .find(|file| file.exists())
    {
        return Ok(host::read(file));
    }
    let enabled = host::read(directory.join("cgroup.controllers"));
    if directory.join("cgroup.controllers").exists()
        && !enabled.split_whitespace().any(|name| name == controller)
    {
        return Ok(format!(
            "{controller} is not enabled in the container's cgroup"
        ));
    }
    Err(Stop::Inapplicable(format!(
        "a kernel with {}",
        files.join(" or ")
    )))
}

/// Whether a controller's hierarchy is v2. In a hybrid of both, a controller on the v2 side is one
/// that runtimes may leave alone.
pub(super) fn hierarchy(trial: &Trial, controller: &str) -> Result<bool, Stop> {
    match trial.host().controller(controller) {
        Some(found) if found.unified && trial.host().cgroup() != "v2" => Err(Stop::Inapplicable(
            format!("{controller} in cgroup v1, or pure cgroup v2"),
        )),
        Some(found) => Ok(found.unified),
        None => Err(Stop::Inapplicable(format!(
            "the cgroup controller {controller}"
        ))),
    }
}

pub(super) fn pure_v2(trial: &Trial) -> Result<(), Stop> {
    match trial.host().cgroup() {
        "v2" => Ok(()),
        _ => Err(Stop::Inapplicable("pure cgroup v2".into())),
    }
}

/// In v1, the root of a hierarchy has the files that cgroups below it have, that of pids aside; in
/// v2 only the container's cgroup itself can tell.
pub(super) fn kernel_has(trial: &Trial, controller: &str, files: &[&str]) -> Result<(), Stop> {
    let Some(found) = trial.host().controller(controller) else {
        return Ok(());
    };
    let only_below = controller == "pids";
    let has = files
        .iter()
        .any(|file| found.mount_point.join(file).exists());
    if found.unified || only_below || has {
        return Ok(());
    }
    Err(Stop::Inapplicable(format!(
        "a kernel with {}",
        files.join(" or ")
    )))
}

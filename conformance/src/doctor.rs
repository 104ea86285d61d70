//! `doctor`: what this host can do for a run, with the cases that depend on it; and the removal of
//! what killed runs left.

use std::io::Write;
use std::path::Path;

use crate::case::Need;
use crate::cases;
use crate::host::Host;
use crate::workdir;

/// Writes the doctor's findings.
///
/// # Errors
/// Those of the output.
pub fn examine(host: &Host, work_dir: &Path, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "kernel      {} {}", host.kernel, host.machine)?;
    writeln!(
        out,
        "root        {}",
        if host.root() {
            "yes"
        } else {
            "no: see the last line"
        }
    )?;
    writeln!(out, "cgroups     {}", host.cgroup())?;
    for hierarchy in &host.cgroups {
        let version = if hierarchy.unified { "v2" } else { "v1" };
        let controllers = match hierarchy.controllers.is_empty() {
            true => "no controllers".to_owned(),
            false => hierarchy.controllers.join(" "),
        };
        let readonly = if hierarchy.readonly {
            " (read-only)"
        } else {
            ""
        };
        writeln!(
            out,
            "  {version} {}: {controllers}{readonly}",
            hierarchy.mount_point.display()
        )?;
    }
    writeln!(out, "work dir    {}", work_dir.display())?;
    for note in host.facts().notes {
        writeln!(out, "note        {note}")?;
    }
    writeln!(out)?;
    let mut needs: Vec<Need> = Vec::new();
    for case in cases::all() {
        for need in case.needs {
            if !needs.contains(need) && !of_the_subject(*need) {
                needs.push(*need);
            }
        }
    }
    needs.sort_by_key(|need| (host.meets(*need), need.words()));
    for need in needs {
        let dependent: Vec<&str> = cases::all()
            .iter()
            .filter(|case| case.needs.contains(&need))
            .map(|case| case.id)
            .collect();
        if host.meets(need) {
            writeln!(out, "has    {} ({})", need.words(), count(dependent.len()))?;
        } else {
            writeln!(out, "lacks  {}; not judged here:", need.words())?;
            for id in dependent {
                writeln!(out, "         {id}")?;
            }
        }
    }
    let left = workdir::remains(work_dir, host);
    if !left.is_empty() {
        writeln!(out)?;
        for remains in &left {
            writeln!(out, "left by a killed run: {}", remains.path.display())?;
        }
        writeln!(out, "`oci-conformance doctor --clean` removes that")?;
    }
    if !host.root() {
        writeln!(out)?;
        writeln!(
            out,
            "without root, containers get a user namespace that maps you, and what needs"
        )?;
        writeln!(out, "more is not judged; run with sudo to judge everything")?;
    }
    Ok(())
}

/// Removes what killed runs left in a work directory and in the cgroup hierarchies.
///
/// # Errors
/// Those of the output.
pub fn clean(host: &Host, work_dir: &Path, out: &mut dyn Write) -> std::io::Result<()> {
    let left = workdir::remains(work_dir, host);
    if left.is_empty() {
        return writeln!(out, "nothing to clean in {}", work_dir.display());
    }
    for remains in left {
        let path = remains.path.clone();
        remains.remove();
        match path.exists() {
            true => writeln!(out, "could not remove all of {}", path.display())?,
            false => writeln!(out, "removed {}", path.display())?,
        }
    }
    Ok(())
}

/// Needs that depend on the subject and not on the host.
fn of_the_subject(need: Need) -> bool {
    matches!(need, Need::SharedKernel | Need::StateRoot | Need::Features)
}

fn count(cases: usize) -> String {
    if cases == 1 {
        "1 case".into()
    } else {
        format!("{cases} cases")
    }
}

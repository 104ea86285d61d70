//! `doctor`: what this host can do for a run, with the cases that depend on it; and the removal of
//! what killed runs left.

use std::collections::BTreeMap;
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
    writeln!(out, "root        {}", root(host))?;
    writeln!(out, "cgroups     {}", host.cgroup())?;
    for hierarchy in &host.cgroups {
        let version = if hierarchy.unified { "v2" } else { "v1" };
        let controllers = match hierarchy.controllers.is_empty() {
            true => "no controllers".to_owned(),
            false => hierarchy.controllers.join(" "),
        };
        let readonly = if hierarchy.writable {
            ""
        } else {
            " (not writable)"
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
    if let Some(hindrance) = &host.hindrance {
        writeln!(out, "lacks  {hindrance}")?;
        writeln!(
            out,
            "       a subject that makes no container without it is not judged at all"
        )?;
    }
    for need in needs_of_the_host(host) {
        let dependent: Vec<&str> = cases::all()
            .iter()
            .filter(|case| case.needs.contains(&need))
            .map(|case| case.id)
            .collect();
        if host.meets(need) {
            let topics = topics(&dependent).join(", ");
            writeln!(out, "has    {}: {topics}", need.words())?;
        } else {
            writeln!(out, "lacks  {}; not judged here:", need.words())?;
            for id in dependent {
                writeln!(out, "         {id}")?;
            }
        }
    }
    writeln!(
        out,
        "needs that show only while a case runs, and those of a subject, are in the reports"
    )?;
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

/// Whether there are root's privileges, and what of them is lacking.
fn root(host: &Host) -> String {
    let lacks = host.lacks_of_root();
    match (host.ids.0, &lacks[..]) {
        (0, []) if host.initial_user_namespace => "yes".into(),
        (0, []) => "yes, of a user namespace: what only the host's root may do is lacking".into(),
        (0, lacks) => format!("no: uid 0 without {}; see the last line", lacks.join(", ")),
        (uid, _) => format!("no: uid {uid}; see the last line"),
    }
}

/// What cases need of a host, first what this one lacks.
fn needs_of_the_host(host: &Host) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for case in cases::all() {
        for need in case.needs {
            if !needs.contains(need) && !of_the_subject(*need) {
                needs.push(*need);
            }
        }
    }
    needs.sort_by_key(|need| (host.meets(*need), need.words()));
    needs
}

/// Case ids by topic, with how many there are of each: filters that select them, and some more.
fn topics(ids: &[&str]) -> Vec<String> {
    let mut counted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for id in ids {
        counted.entry(topic(id)).or_default().push(id);
    }
    let words = counted.iter().map(|(topic, ids)| match ids[..] {
        [id] => id.to_owned(),
        _ => format!("{topic} ({})", ids.len()),
    });
    words.collect()
}

/// What stands before an id's first slash, and the slash.
fn topic(id: &str) -> &str {
    id.find('/').map_or(id, |slash| &id[..=slash])
}

/// Needs that depend on the subject and not on the host.
fn of_the_subject(need: Need) -> bool {
    matches!(
        need,
        Need::SharedKernel | Need::StateRoot | Need::Features | Need::Command(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::View;

    fn told(host: &Host) -> String {
        let mut text = Vec::new();
        examine(host, Path::new("/nowhere"), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_need_of_a_host_has_a_line_with_its_cases() {
        let host = Host::look(View::Host);
        let text = told(&host);
        for need in needs_of_the_host(&host) {
            let dependent = cases::all().iter().find(|case| case.needs.contains(&need));
            let (id, words) = (dependent.unwrap().id, need.words());
            let line = text.lines().position(|line| {
                let line = line
                    .split_once("  ")
                    .map_or("", |(_, rest)| rest.trim_start());
                line.starts_with(&format!("{words}:")) || line.starts_with(&format!("{words};"))
            });
            let line = line.unwrap_or_else(|| panic!("no line for {words:?} in\n{text}"));
            let shown: String = text.lines().skip(line).take(200).collect();
            assert!(shown.contains(topic(id)), "{id} is not at {words:?}");
        }
    }

    #[test]
    fn root_without_its_privileges_is_none() {
        let mut host = Host::look(View::Host);
        host.ids = (0, 0);
        host.capabilities = crate::host::CAPABILITIES.map(str::to_owned).into();
        assert!(host.root());
        host.capabilities.remove("CAP_NET_ADMIN");
        assert!(!host.root());
        assert!(told(&host).contains("no: uid 0 without CAP_NET_ADMIN; see the last line"));
        host.hindrance = Some("what nobody has".into());
        assert!(told(&host).contains("lacks  what nobody has"));
    }
}

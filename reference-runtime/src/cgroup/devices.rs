//! `linux.resources.devices`: which device nodes may be used.
//!
//! Version 1 has two control files that take a rule at a time, version 2 a program that is asked.

mod program;

use super::{Group, Hierarchy, Placement};
use crate::devices::Device;
use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::sys::bpf;
use crate::sys::files::{self, O_DIRECTORY, O_RDONLY, cwd};
use std::os::fd::{AsFd, OwnedFd};

/// By this name an earlier program of this runtime is told from those of others.
const PROGRAM_NAME: bpf::Name = *b"refrun_devices\0\0";

/// The rules in their order.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    list: Vec<Rule>,
    /// The configuration has no list: these are what holds without one.
    implied: bool,
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    allow: bool,
    /// `a`, `b` or `c`.
    kind: char,
    /// None is every number.
    major: Option<i64>,
    minor: Option<i64>,
    /// A composition of `r`, `w` and `m`.
    access: String,
    pointer: String,
}

/// The devices that every container is supplied with; a terminal's other sides belong to them.
const SUPPLIED: &[(i64, Option<i64>)] = &[
    (1, Some(3)),
    (1, Some(5)),
    (1, Some(7)),
    (1, Some(8)),
    (1, Some(9)),
    (5, Some(0)),
    (5, Some(2)),
    (136, None),
];

/// Reads the list. None if there is none.
pub(crate) fn plan(resources: &Node<'_>, hierarchies: &[Hierarchy]) -> Result<Option<Rules>> {
    if !resources.has("devices") {
        return Ok(None);
    }
    let mut rules = Vec::new();
    for entry in resources.objects("devices")? {
        let allow = entry.required("allow", entry.boolean("allow")?)?;
        let kind = match entry.string("type")?.unwrap_or("a") {
            "a" | "" => 'a',
            "b" => 'b',
            "c" => 'c',
            other => return Err(entry.error("type", format!("unknown device type {other:?}"))),
        };
        let number = |name| -> Result<Option<i64>> {
            match entry.integer::<i64>(name)? {
                // Engines write -1 for all.
                None | Some(-1) => Ok(None),
                Some(number) if (0..=i64::from(u32::MAX)).contains(&number) => Ok(Some(number)),
                Some(number) => Err(entry.error(name, format!("{number} is not a device number"))),
            }
        };
        let access = entry
            .string("access")?
            .filter(|access| !access.is_empty())
            .unwrap_or("rwm");
        if access.chars().any(|letter| !"rwm".contains(letter)) {
            return Err(entry.error(
                "access",
                format!("{access:?} is not a composition of r, w and m"),
            ));
        }
        rules.push(Rule {
            allow,
            kind,
            major: number("major")?,
            minor: number("minor")?,
            access: access.to_owned(),
            pointer: entry.pointer(),
        });
    }
    if rules.is_empty() {
        return Ok(None);
    }
    if !has_controller(hierarchies) {
        return Err(resources.error(
            "devices",
            "this host has neither a devices controller of cgroup version 1 nor version 2",
        ));
    }
    Ok(Some(Rules {
        list: with_supplied_devices(rules),
        implied: false,
    }))
}

/// What holds without a list: only the supplied and the listed devices may be used, and nodes of
/// others be made but not opened. None where no controller could enforce it.
pub(crate) fn default(listed: &[Device], hierarchies: &[Hierarchy]) -> Option<Rules> {
    if !has_controller(hierarchies) {
        return None;
    }
    let rule = |allow, kind, major, minor, access: &str| Rule {
        allow,
        kind,
        major,
        minor,
        access: access.to_owned(),
        pointer: "/linux/resources".to_owned(),
    };
    let mut rules = with_supplied_devices(vec![rule(false, 'a', None, None, "rwm")]);
    rules.extend(['c', 'b'].map(|kind| rule(true, kind, None, None, "m")));
    rules.extend(listed.iter().filter_map(|device| {
        let (kind, major, minor) = device.numbers()?;
        Some(rule(true, kind, Some(major), Some(minor), "rwm"))
    }));
    Some(Rules {
        list: rules,
        implied: true,
    })
}

/// The rules of a container: its list, or what holds without one.
pub(crate) fn in_force(
    resources: &Node<'_>,
    listed: &[Device],
    hierarchies: &[Hierarchy],
) -> Result<Option<Rules>> {
    match plan(resources, hierarchies)? {
        None => Ok(default(listed, hierarchies)),
        rules => Ok(rules),
    }
}

/// Version 2 has no controller of this name: every group can have programs.
fn has_controller(hierarchies: &[Hierarchy]) -> bool {
    hierarchies
        .iter()
        .any(|hierarchy| hierarchy.v2 || hierarchy.controllers.iter().any(|name| name == "devices"))
}

/// The default devices MUST be supplied, and a node that cannot be opened is none:
/// a denial of everything spares them, a denial that names one of them does not.
fn with_supplied_devices(mut rules: Vec<Rule>) -> Vec<Rule> {
    let everything = |rule: &Rule| {
        let opening = rule.access.contains(['r', 'w']);
        !rule.allow && rule.kind != 'b' && opening && rule.major.is_none() && rule.minor.is_none()
    };
    let Some(last) = rules.iter().rposition(everything) else {
        return rules;
    };
    let denied: Vec<Rule> = rules
        .iter()
        .filter(|rule| !rule.allow && rule.major.is_some())
        .cloned()
        .collect();
    let spared = SUPPLIED
        .iter()
        .filter(|(major, minor)| {
            !denied
                .iter()
                .any(|rule| rule.major == Some(*major) && rule.minor == *minor)
        })
        .map(|&(major, minor)| Rule {
            allow: true,
            kind: 'c',
            major: Some(major),
            minor,
            access: "rw".to_owned(),
            pointer: rules[last].pointer.clone(),
        });
    let spared: Vec<Rule> = spared.collect();
    rules.splice(last + 1..last + 1, spared);
    rules
}

impl Rules {
    /// Puts the rules in force.
    pub(crate) fn apply(&self, placement: &Placement) -> Result<()> {
        // In a hybrid host, where version 1 has the controller it is the one that is asked.
        let applied = match placement.with("devices", false) {
            Some(group) => write(&self.list, group),
            None => {
                let group = placement
                    .unified()
                    .ok_or_else(|| Error::new("the container has no devices cgroup"))?;
                // In a group that was there, an earlier container's rules may still be.
                self.attach(group, !group.is_made())
                    .at("/linux/resources/devices")
            }
        };
        match applied {
            // Without the privilege to write rules or to attach a program (root of a user namespace
            // has neither), or before Linux 4.15. Nothing is lost that the configuration asks for,
            // and who is not privileged cannot make device nodes.
            Err(error)
                if self.implied
                    && matches!(
                        error.errno(),
                        Some(libc::EPERM | libc::ENOSYS | libc::EINVAL)
                    ) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// Puts the rules in force in place of those that a container has. There is no time at which a
    /// device can be used that neither list allows.
    pub(crate) fn replace(&self, placement: &Placement) -> Result<()> {
        let Some(group) = placement.with("devices", false) else {
            let group = placement
                .unified()
                .ok_or_else(|| Error::new("the container has no devices cgroup"))?;
            return self.attach(group, true);
        };
        // Version 1 takes a rule at a time: nobody is to meet half a list.
        let stop = !placement.is_frozen();
        if stop {
            placement.set_frozen(true)?;
        }
        let written = self.rewrite(group);
        let thawed = if stop { placement.thaw() } else { Ok(()) };
        written.and(thawed)
    }

    /// Version 1, in a group that has rules.
    fn rewrite(&self, group: &Group) -> Result<()> {
        let whole = |rule: &Rule| rule.lines() == ["a"];
        match self.list.iter().rposition(whole) {
            // It takes all back that was said before.
            Some(first) => write(&self.list[first..], group),
            None => {
                group.write("devices.allow", "a")?;
                write(&self.list, group)
            }
        }
    }

    /// Version 2: one program for the list; those that are there already go if it is to replace them.
    fn attach(&self, group: &Group, replace: bool) -> Result<()> {
        let program = program::compile(&self.list);
        let program = bpf::load_device_program(&program, PROGRAM_NAME)
            .call(|| format!("bpf(BPF_PROG_LOAD, {} instructions)", program.len()))?;
        let directory = open(group)?;
        let earlier = if replace {
            attached(group, &directory)?
        } else {
            Vec::new()
        };
        bpf::attach_device_program(directory.as_fd(), program.as_fd())
            .call(|| format!("bpf(BPF_PROG_ATTACH, {:?})", group.path))?;
        // After that: there is no time at which no rule holds.
        detach(group, &directory, &earlier)
    }
}

/// Version 1: one write a rule, in the listed order.
fn write(rules: &[Rule], group: &Group) -> Result<()> {
    for rule in rules {
        let file = if rule.allow {
            "devices.allow"
        } else {
            "devices.deny"
        };
        for line in rule.lines() {
            group
                .write(file, &line)
                .map_err(|error| error.at(&*rule.pointer))?;
        }
    }
    Ok(())
}

/// Takes the rules off a group of version 2 that outlives its container.
pub(super) fn take_off(group: &Group) -> Result<()> {
    let directory = match open(group) {
        // ENOTDIR: the path leads below a file, so the group has never been.
        Err(error) if matches!(error.errno(), Some(libc::ENOENT | libc::ENOTDIR)) => return Ok(()),
        other => other?,
    };
    match attached(group, &directory) {
        // Whoever may not look has not attached any.
        Err(error)
            if matches!(
                error.errno(),
                Some(libc::EPERM | libc::ENOSYS | libc::EINVAL)
            ) =>
        {
            Ok(())
        }
        other => detach(group, &directory, &other?),
    }
}

fn open(group: &Group) -> Result<OwnedFd> {
    files::openat(cwd(), group.path.as_os_str(), O_RDONLY | O_DIRECTORY, 0)
        .call(|| format!("open({:?}, O_DIRECTORY)", group.path))
}

/// The programs of this runtime that are attached to a group.
fn attached(group: &Group, directory: &OwnedFd) -> Result<Vec<OwnedFd>> {
    let programs = bpf::device_programs(directory.as_fd())
        .call(|| format!("bpf(BPF_PROG_QUERY, {:?})", group.path))?;
    let ours = programs
        .into_iter()
        .filter(|(_, name)| *name == PROGRAM_NAME);
    Ok(ours.map(|(program, _)| program).collect())
}

fn detach(group: &Group, directory: &OwnedFd, programs: &[OwnedFd]) -> Result<()> {
    programs.iter().try_for_each(|program| {
        bpf::detach_device_program(directory.as_fd(), program.as_fd())
            .call(|| format!("bpf(BPF_PROG_DETACH, {:?})", group.path))
    })
}

impl Rule {
    /// The lines of the control file. To the kernel, `a` is all devices and all
    /// accesses whatever follows, so that anything less is said for both types.
    fn lines(&self) -> Vec<String> {
        let number =
            |number: Option<i64>| number.map_or("*".to_owned(), |number| number.to_string());
        let (major, minor) = (number(self.major), number(self.minor));
        let whole = self.major.is_none()
            && self.minor.is_none()
            && "rwm".chars().all(|letter| self.access.contains(letter));
        match self.kind {
            'a' if whole => vec!["a".to_owned()],
            'a' => ["c", "b"]
                .map(|kind| format!("{kind} {major}:{minor} {}", self.access))
                .to_vec(),
            kind => vec![format!("{kind} {major}:{minor} {}", self.access)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn texts(devices: Value) -> Vec<String> {
        let v1 = Hierarchy {
            controllers: vec!["devices".into()],
            v2: false,
            mount: "/x".into(),
            own: "/".into(),
        };
        let resources = json!({ "devices": devices });
        let rules = plan(&Node::root(&resources).unwrap(), &[v1])
            .unwrap()
            .unwrap();
        let sign = |rule: &Rule| if rule.allow { "+" } else { "-" };
        rules
            .list
            .iter()
            .flat_map(|rule| {
                rule.lines()
                    .into_iter()
                    .map(|line| format!("{} {line}", sign(rule)))
            })
            .collect()
    }

    #[test]
    fn the_order_stays_and_all_numbers_are_stars() {
        let rules = texts(json!([
            {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"},
            {"allow": false, "type": "b", "major": 8}
        ]));
        assert_eq!(rules, ["+ c 10:229 rw", "- b 8:* rwm"]);
    }

    #[test]
    fn a_denial_of_everything_spares_the_supplied_devices_unless_it_names_them() {
        let rules = texts(
            json!([{"allow": false, "access": "rwm"}, {"allow": false, "type": "c", "major": 1, "minor": 5}]),
        );
        assert_eq!(rules[0], "- a");
        assert!(
            rules.contains(&"+ c 1:3 rw".to_owned()) && rules.contains(&"+ c 136:* rw".to_owned())
        );
        assert!(!rules.contains(&"+ c 1:5 rw".to_owned()));
        assert_eq!(rules.last().unwrap(), "- c 1:5 rwm");
    }

    #[test]
    fn all_types_with_less_than_all_accesses_are_both_types() {
        let rules = texts(
            json!([{"allow": false, "access": "m"}, {"allow": true, "type": "a", "major": 7}]),
        );
        assert_eq!(rules[..2], ["- c *:* m", "- b *:* m"]);
        assert_eq!(rules[rules.len() - 2..], ["+ c 7:* rwm", "+ b 7:* rwm"]);
    }

    #[test]
    fn without_the_controller_the_list_is_refused() {
        let resources = json!({"devices": [{"allow": false}]});
        let resources = Node::root(&resources).unwrap();
        assert!(plan(&resources, &[]).is_err());
        let mut hierarchy = Hierarchy {
            controllers: Vec::new(),
            v2: false,
            mount: "/x".into(),
            own: "/".into(),
        };
        assert!(plan(&resources, std::slice::from_ref(&hierarchy)).is_err());
        hierarchy.v2 = true;
        assert!(plan(&resources, &[hierarchy]).is_ok());
    }
}

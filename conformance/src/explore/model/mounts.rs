//! What config.md says of mounts and their options.

use oci_runtime_schemas::Catalogue;
use serde_json::{Value, json};

use super::seen::OfMount;
use super::{Around, Expectation, Find, Must};
use crate::explore::{draw, surface};

/// What an option leaves in the mount's line of mountinfo.
enum Sign {
    Has(&'static str),
    Lacks(&'static [&'static str]),
    SuperHas(&'static str),
    SuperLacks(&'static str),
}

/// Options and their signs. Those whose effect shows nowhere in mountinfo are not here.
const SIGNS: &[(&str, Sign)] = &[
    ("ro", Sign::Has("ro")),
    ("rw", Sign::Lacks(&["ro"])),
    ("nosuid", Sign::Has("nosuid")),
    ("suid", Sign::Lacks(&["nosuid"])),
    ("nodev", Sign::Has("nodev")),
    ("dev", Sign::Lacks(&["nodev"])),
    ("noexec", Sign::Has("noexec")),
    ("exec", Sign::Lacks(&["noexec"])),
    ("noatime", Sign::Has("noatime")),
    ("atime", Sign::Lacks(&["noatime"])),
    ("nodiratime", Sign::Has("nodiratime")),
    ("diratime", Sign::Lacks(&["nodiratime"])),
    ("relatime", Sign::Has("relatime")),
    ("norelatime", Sign::Lacks(&["noatime"])),
    ("strictatime", Sign::Lacks(&["relatime", "noatime"])),
    ("nostrictatime", Sign::Has("relatime")),
    ("nosymfollow", Sign::Has("nosymfollow")),
    ("symfollow", Sign::Lacks(&["nosymfollow"])),
    ("sync", Sign::SuperHas("sync")),
    ("async", Sign::SuperLacks("sync")),
    ("dirsync", Sign::SuperHas("dirsync")),
    ("lazytime", Sign::SuperHas("lazytime")),
    ("nolazytime", Sign::SuperLacks("lazytime")),
    (
        "defaults",
        Sign::Lacks(&["ro", "nosuid", "nodev", "noexec"]),
    ),
    ("rro", Sign::Has("ro")),
    ("rnosuid", Sign::Has("nosuid")),
    ("rnoexec", Sign::Has("noexec")),
    ("rnoatime", Sign::Has("noatime")),
    ("rnodiratime", Sign::Has("nodiratime")),
    ("rrelatime", Sign::Has("relatime")),
    ("rstrictatime", Sign::Lacks(&["relatime", "noatime"])),
    ("rnosymfollow", Sign::Has("nosymfollow")),
];

/// Propagation options: the fields of mountinfo that must be there, and those that must not. A
/// slave of what has no peers has no master.
const PROPAGATION: &[(&str, &[&str], &[&str])] = &[
    ("private", &[], &["shared", "master", "unbindable"]),
    ("slave", &[], &["shared"]),
    ("shared", &["shared"], &[]),
    ("unbindable", &["unbindable"], &["shared"]),
];

pub(super) fn expectations(config: &Value, around: &Around<'_>) -> Vec<Expectation> {
    let mounts = config["mounts"].as_array().map_or(&[][..], Vec::as_slice);
    let mut all = Vec::new();
    for (place, mount) in mounts.iter().enumerate() {
        let destination = mount["destination"].as_str().unwrap_or_default();
        // What lies under a later mount cannot be seen.
        let hidden = mounts[place + 1..].iter().any(|later| {
            let later = later["destination"].as_str().unwrap_or_default();
            destination == later || destination.starts_with(&format!("{later}/"))
        });
        if !hidden {
            all.extend(of_a_mount(mount, destination, around));
        }
    }
    all
}

fn of_a_mount(mount: &Value, destination: &str, around: &Around<'_>) -> Vec<Expectation> {
    let options: Vec<&str> = draw::options(mount).collect();
    let mut all = Vec::new();
    if draw::is_bind(mount) {
        all.extend(bound(mount, destination));
    } else {
        all.extend(of_its_type(mount, destination, &options));
        // A kernel that the subject brings may show its own names.
        if around.shared_kernel {
            all.push(Expectation::new(
                "config.mounts.effect",
                format!("source of the mount at {destination}"),
                at(destination, OfMount::Source),
                Must::Be(mount["source"].clone()),
            ));
        }
    }
    // Of options that contradict each other the last one wins (mount(8)); only it is judged.
    if let Some(last) = options.last() {
        all.extend(of_an_option(last, destination, &options, around));
    }
    all
}

fn at(destination: &str, of: OfMount) -> Find {
    Find::Mount(destination.into(), of)
}

/// The source's own file is seen.
fn bound(mount: &Value, destination: &str) -> Option<Expectation> {
    let name = mount["source"].as_str()?.rsplit('/').next()?;
    surface::SOURCES.contains(&name).then(|| {
        Expectation::new(
            "config.mounts.effect",
            format!("a file of the source of {destination}"),
            Find::Text(format!("{destination}/here")),
            Must::Be(json!(name)),
        )
    })
}

fn of_its_type(mount: &Value, destination: &str, options: &[&str]) -> Vec<Expectation> {
    const EFFECT: &str = "config.mounts.effect";
    let mut all = vec![Expectation::new(
        EFFECT,
        format!("file system type at {destination}"),
        at(destination, OfMount::Type),
        Must::Be(mount["type"].clone()),
    )];
    if mount["type"] != "tmpfs" {
        return all;
    }
    for option in options {
        match option.split_once('=') {
            Some(("size", _)) => all.push(Expectation::new(
                EFFECT,
                format!("options of the tmpfs at {destination}"),
                at(destination, OfMount::Super),
                Must::Have(vec![json!(option)]),
            )),
            Some(("mode", octal)) => {
                let mode = u32::from_str_radix(octal, 8).unwrap_or_default();
                all.push(Expectation::new(
                    EFFECT,
                    format!("mode of {destination}"),
                    Find::File(destination.into(), "mode"),
                    Must::Be(json!(mode)),
                ));
            }
            _ => {}
        }
    }
    all
}

fn of_an_option(
    option: &str,
    destination: &str,
    options: &[&str],
    around: &Around<'_>,
) -> Vec<Expectation> {
    let Some(clause) = clause_of(option, around) else {
        return Vec::new();
    };
    let what = format!("the mount at {destination} with {}", options.join(","));
    let mut all = Vec::new();
    let mut add = |of: OfMount, must: Must| {
        all.push(Expectation::new(
            clause,
            what.clone(),
            at(destination, of),
            must,
        ));
    };
    let list = |names: &[&str]| names.iter().map(|name| json!(name)).collect::<Vec<_>>();
    if let Some((_, sign)) = SIGNS.iter().find(|(name, _)| *name == option) {
        match sign {
            Sign::Has(name) => add(OfMount::Options, Must::Have(list(&[name]))),
            Sign::Lacks(names) => add(OfMount::Options, Must::Lack(list(names))),
            Sign::SuperHas(name) => add(OfMount::Super, Must::Have(list(&[name]))),
            Sign::SuperLacks(name) => add(OfMount::Super, Must::Lack(list(&[name]))),
        }
    }
    if let Some((_, has, lacks)) = PROPAGATION.iter().find(|(name, ..)| *name == option) {
        add(OfMount::Propagation, Must::Have(list(has)));
        add(OfMount::Propagation, Must::Lack(list(lacks)));
    }
    all
}

/// The clause that an option's effect comes from: 1.1.0 gave each its own; before, what mount(8)
/// lists had to be supported.
fn clause_of(option: &str, around: &Around<'_>) -> Option<&'static str> {
    let own = Catalogue::get().by_id(&format!("config.mount-option.{option}"))?;
    if own.newer_than(&around.judged) {
        return Some("config.mounts.options.mount8");
    }
    Some(own.id)
}

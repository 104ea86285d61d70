//! Mounts: config.md, Mounts and Linux mount options.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::Row;
use crate::case::Need;
use crate::explore::draw::{BUNDLE, Part};

/// Where things are mounted: directories of the root that lie apart from each other.
const PLACES: [&str; 4] = ["/mnt", "/tmp", "/places/a", "/places/b"];

/// Directories beside the root, each with a file `here` that holds its name.
pub(in crate::explore) const SOURCES: [&str; 2] = ["source-a", "source-b"];

/// Options of a new file system. What takes something back stands behind what it takes back.
const OF_A_FILE_SYSTEM: &[(&str, &[&str])] = &[
    ("defaults", &["defaults"]),
    ("nosuid", &["nosuid"]),
    ("suid", &["nosuid", "suid"]),
    ("nodev", &["nodev"]),
    ("dev", &["nodev", "dev"]),
    ("noexec", &["noexec"]),
    ("exec", &["noexec", "exec"]),
    ("ro", &["ro"]),
    ("rw", &["ro", "rw"]),
    ("noatime", &["noatime"]),
    ("atime", &["noatime", "atime"]),
    ("nodiratime", &["nodiratime"]),
    ("diratime", &["nodiratime", "diratime"]),
    ("relatime", &["relatime"]),
    ("norelatime", &["relatime", "norelatime"]),
    ("strictatime", &["strictatime"]),
    ("nostrictatime", &["strictatime", "nostrictatime"]),
    ("sync", &["sync"]),
    ("async", &["sync", "async"]),
    ("dirsync", &["dirsync"]),
    ("lazytime", &["lazytime"]),
    ("nolazytime", &["lazytime", "nolazytime"]),
    ("nosymfollow", &["nosymfollow"]),
    ("symfollow", &["nosymfollow", "symfollow"]),
    ("silent", &["silent"]),
    ("loud", &["silent", "loud"]),
    ("mand", &["mand"]),
    ("nomand", &["mand", "nomand"]),
    ("iversion", &["iversion"]),
    ("noiversion", &["iversion", "noiversion"]),
];

/// Options of a bind mount.
const OF_A_BIND: &[(&str, &[&str])] = &[
    ("ro", &["ro"]),
    ("rw", &["ro", "rw"]),
    ("nosuid", &["nosuid"]),
    ("suid", &["nosuid", "suid"]),
    ("nodev", &["nodev"]),
    ("dev", &["nodev", "dev"]),
    ("noexec", &["noexec"]),
    ("exec", &["noexec", "exec"]),
    ("noatime", &["noatime"]),
    ("nodiratime", &["nodiratime"]),
    ("relatime", &["relatime"]),
    ("strictatime", &["strictatime"]),
    ("nosymfollow", &["nosymfollow"]),
];

/// Options that hold below a bind mount too.
const RECURSIVE: &[&str] = &[
    "rro",
    "rnosuid",
    "rnoexec",
    "rnoatime",
    "rnodiratime",
    "rrelatime",
    "rstrictatime",
    "rnosymfollow",
];

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "mounts.tmpfs",
        needs: &[],
        draw: tmpfs,
    },
    Row {
        name: "mounts.option",
        needs: &[Need::Kernel(5, 10)],
        draw: option,
    },
    Row {
        name: "mounts.bind",
        needs: &[],
        draw: bind,
    },
    Row {
        name: "mounts.bind-option",
        needs: &[Need::Root, Need::Kernel(5, 10)],
        draw: bind_option,
    },
    Row {
        name: "mounts.bind-recursive-option",
        needs: &[Need::Root, Need::Kernel(5, 14)],
        draw: || {
            (place(), source(), select(RECURSIVE.to_vec()))
                .prop_map(|(place, source, name)| {
                    let mount = json!({
                        "destination": place, "type": "none", "source": source,
                        "options": ["rbind", name],
                    });
                    let surface = format!("mounts.bind-recursive-option:{name}");
                    let clause = format!("config.mount-option.{name}");
                    Part::set(&surface, &clause, "/mounts/-", mount)
                })
                .boxed()
        },
    },
    Row {
        name: "mounts.bind-propagation",
        needs: &[Need::Root],
        draw: || {
            let kinds = vec!["private", "slave", "shared", "unbindable"];
            (place(), source(), select(kinds))
                .prop_map(|(place, source, name)| {
                    let mount = json!({
                        "destination": place, "type": "none", "source": source,
                        "options": ["bind", name],
                    });
                    let surface = format!("mounts.bind-propagation:{name}");
                    Part::set(&surface, &of_option(name), "/mounts/-", mount)
                })
                .boxed()
        },
    },
    Row {
        name: "mounts.mqueue",
        needs: &[Need::Root, Need::FileSystem("mqueue")],
        draw: || {
            place()
                .prop_map(|place| {
                    let mount = json!({"destination": place, "type": "mqueue", "source": "mqueue"});
                    Part::set("mounts.mqueue", "config.mounts.effect", "/mounts/-", mount)
                })
                .boxed()
        },
    },
];

/// The clause of an option: version 1.1.0 gave each its own.
fn of_option(name: &str) -> String {
    format!("config.mount-option.{name}")
}

fn place() -> impl Strategy<Value = &'static str> {
    select(PLACES.to_vec())
}

fn source() -> impl Strategy<Value = String> {
    select(SOURCES.to_vec()).prop_map(|name| format!("{BUNDLE}/{name}"))
}

/// Size, mode and owner are data of the file system; without options there is none.
fn tmpfs() -> BoxedStrategy<Part> {
    let size = proptest::option::of(1u32..=64);
    let mode = proptest::option::of(select(vec!["755", "700", "1777", "555"]));
    (place(), size, mode, "[a-z-]{1,12}")
        .prop_map(|(place, size, mode, source)| {
            let mut mount = json!({"destination": place, "type": "tmpfs", "source": source});
            let mut options: Vec<String> = Vec::new();
            options.extend(size.map(|pages| format!("size={}k", pages * 64)));
            options.extend(mode.map(|mode| format!("mode={mode}")));
            if !options.is_empty() {
                mount["options"] = json!(options);
            }
            Part::set("mounts.tmpfs", "config.mounts.effect", "/mounts/-", mount)
        })
        .boxed()
}

fn option() -> BoxedStrategy<Part> {
    (place(), select(OF_A_FILE_SYSTEM.to_vec()))
        .prop_map(|(place, (name, options))| {
            let mount = json!({
                "destination": place, "type": "tmpfs", "source": "tmpfs", "options": options,
            });
            let surface = format!("mounts.option:{name}");
            Part::set(&surface, &of_option(name), "/mounts/-", mount)
        })
        .boxed()
}

/// The type of a bind mount means nothing, and the source may be relative to the bundle.
fn bind() -> BoxedStrategy<Part> {
    let kind = select(vec!["none", "bind", "", "no-such-type"]);
    let how = select(vec!["bind", "rbind"]);
    (place(), select(SOURCES.to_vec()), any::<bool>(), kind, how)
        .prop_map(|(place, source, relative, kind, how)| {
            let path = match relative {
                true => source.to_owned(),
                false => format!("{BUNDLE}/{source}"),
            };
            let mut mount = json!({"destination": place, "source": path, "options": [how]});
            // What has no type is left out: the text allows it for a bind mount.
            let word = match kind {
                "" => "no type",
                kind => {
                    mount["type"] = json!(kind);
                    kind
                }
            };
            let clause = match kind {
                "none" | "bind" => "config.mounts.source.bind-path",
                _ => "config.mounts.type.bind-dummy",
            };
            let surface = match relative {
                true => "mounts.bind:relative source".to_owned(),
                false => format!("mounts.bind:{word}"),
            };
            Part::set(&surface, clause, "/mounts/-", mount)
        })
        .boxed()
}

fn bind_option() -> BoxedStrategy<Part> {
    (place(), source(), select(OF_A_BIND.to_vec()))
        .prop_map(|(place, source, (name, options))| {
            let options: Vec<&str> = std::iter::once("bind")
                .chain(options.iter().copied())
                .collect();
            let mount = json!({
                "destination": place, "type": "none", "source": source, "options": options,
            });
            let surface = format!("mounts.bind-option:{name}");
            Part::set(&surface, &of_option(name), "/mounts/-", mount)
        })
        .boxed()
}

//! `linux.devices` (config-linux.md, Devices).

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use crate::document::Value;
use crate::finding::Severity;
use crate::rule::{Found, Rule};
use crate::rules::lists::duplicates;

/// Rules about device nodes.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "devices/numbers-present",
        clauses: &[
            "config.linux.devices.major.field",
            "config.linux.devices.minor.field",
        ],
        page: "A device of type `c`, `u` or `b` is its numbers: without `major` and `minor` there \
               is nothing to make. Only a FIFO (`p`) has none. `ls -l` shows the two numbers where \
               other files have their size. Official schemas do not ask for them.",
        accepts: &[
            linux!(
                r#"{"devices": [{"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229}]}"#
            ),
            linux!(r#"{"devices": [{"type": "p", "path": "/dev/initctl"}]}"#),
        ],
        rejects: &[
            (
                linux!(r#"{"devices": [{"type": "c", "path": "/dev/fuse", "minor": 229}]}"#),
                "/linux/devices/0",
            ),
            (
                linux!(r#"{"devices": [{"type": "b", "path": "/dev/sda", "major": 8}]}"#),
                "/linux/devices/0",
            ),
        ],
        check: |context, found| {
            for device in context.linux.get("devices").items() {
                if !matches!(device.get("type").as_str(), Some("b" | "c" | "u")) {
                    continue;
                }
                for (name, clause) in [
                    ("major", "config.linux.devices.major.field"),
                    ("minor", "config.linux.devices.minor.field"),
                ] {
                    if !device.get(name).is_present() {
                        found
                            .lacking(device, format!("the property `{name}` is missing"))
                            .clause(clause)
                            .help("`ls -l` on the device shows major and minor number");
                    }
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "devices/number-range",
        severity: Severity::Error,
        source: "mknod(2): the kernel has 12 bits for the major number and 20 for the minor number",
        page: "The kernel knows major numbers up to 4095 and minor numbers up to 1048575. Higher \
               or negative numbers make another device or none.",
        accepts: &[linux!(
            r#"{"devices": [{"type": "c", "path": "/dev/x", "major": 4095, "minor": 1048575}]}"#
        )],
        rejects: &[
            (
                linux!(
                    r#"{"devices": [{"type": "c", "path": "/dev/x", "major": -1, "minor": 0}]}"#
                ),
                "/linux/devices/0/major",
            ),
            (
                linux!(
                    r#"{"devices": [{"type": "c", "path": "/dev/x", "major": 8, "minor": 1048576}]}"#
                ),
                "/linux/devices/0/minor",
            ),
        ],
        check: |context, found| {
            for device in context.linux.get("devices").items() {
                if device.get("type").as_str() != Some("p") {
                    number_range(device, found);
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "devices/unique",
        clauses: &["config-linux.devices.duplicate"],
        page: "One device under two paths is two names for one thing. The specification advises \
               against it: a symbolic link says what is meant.",
        accepts: &[linux!(
            r#"{"devices": [{"type": "c", "path": "/dev/a", "major": 10, "minor": 1}, {"type": "b", "path": "/dev/b", "major": 10, "minor": 1}]}"#
        )],
        rejects: &[
            (
                linux!(
                    r#"{"devices": [{"type": "c", "path": "/dev/a", "major": 10, "minor": 1}, {"type": "c", "path": "/dev/b", "major": 10, "minor": 1}]}"#
                ),
                "/linux/devices/1",
            ),
            (
                linux!(
                    r#"{"devices": [{"type": "u", "path": "/dev/a", "major": 10, "minor": 1}, {"type": "c", "path": "/dev/a", "major": 10, "minor": 1}]}"#
                ),
                "/linux/devices/1",
            ),
        ],
        check: |context, found| {
            let devices = || {
                let entries = context.linux.get("devices").items();
                entries.filter_map(|entry| Some((identity(entry)?, entry)))
            };
            duplicates(devices, |(its_type, major, minor), first, again| {
                found
                    .at(again, format!("a second device {its_type} {major}:{minor}"))
                    .related(first, "the first one");
            });
        },
        ..Rule::SPEC
    },
    Rule {
        id: "devices/path-unique",
        clauses: &["config-linux.devices.path.mismatch"],
        page: "A path holds one device. Where two entries want different devices at one path, the \
               second finds the first, which is not what it asks for, and a runtime has to refuse \
               that.",
        accepts: &[linux!(
            r#"{"devices": [{"type": "c", "path": "/dev/a", "major": 10, "minor": 1}, {"type": "c", "path": "/dev/b", "major": 10, "minor": 2}]}"#
        )],
        rejects: &[(
            linux!(
                r#"{"devices": [{"type": "c", "path": "/dev/a", "major": 10, "minor": 1}, {"type": "c", "path": "/dev/a", "major": 10, "minor": 2}]}"#
            ),
            "/linux/devices/1/path",
        )],
        check: |context, found| {
            let paths = || {
                let entries = context.linux.get("devices").items();
                let paths = entries.map(|entry| entry.get("path"));
                paths.filter_map(|path| path.as_str().map(|text| (text, path)))
            };
            duplicates(paths, |text, first, again| {
                // The same device twice is the business of `devices/unique`.
                if identity(first.parent()) != identity(again.parent()) {
                    found
                        .at(
                            again,
                            format!("another device is to be at {text:?} already"),
                        )
                        .related(first, "here");
                }
            });
        },
        ..Rule::SPEC
    },
    Rule {
        id: "devices/default-kept",
        clauses: &[
            "config-linux.default-devices.null",
            "config-linux.default-devices.zero",
            "config-linux.default-devices.full",
            "config-linux.default-devices.random",
            "config-linux.default-devices.urandom",
            "config-linux.default-devices.tty",
        ],
        page: "Every container has /dev/null, /dev/zero, /dev/full, /dev/random, /dev/urandom and \
               /dev/tty, and programs rely on what they are. An entry may list one of them, to set \
               its owner or mode; another device in its place contradicts the specification.",
        accepts: &[linux!(
            r#"{"devices": [{"type": "c", "path": "/dev/null", "major": 1, "minor": 3, "fileMode": 438}]}"#
        )],
        rejects: &[(
            linux!(r#"{"devices": [{"type": "c", "path": "/dev/null", "major": 1, "minor": 5}]}"#),
            "/linux/devices/0/path",
        )],
        check: |context, found| {
            for device in context.linux.get("devices").items() {
                let path = device.get("path");
                let Some(text) = path.as_str() else { continue };
                let default = DEFAULT_DEVICES
                    .iter()
                    .find(|(default, ..)| *default == text);
                let numbers = (
                    device.get("major").as_integer(),
                    device.get("minor").as_integer(),
                );
                if let Some((_, major, minor, clause)) = default
                    && let Some(its_type) = device.get("type").as_str()
                    && (!matches!(its_type, "c" | "u")
                        || matches!(numbers, (Some(a), Some(b)) if (a, b) != (*major, *minor)))
                {
                    found
                        .at(
                            path,
                            format!("{text} is supplied by the runtime, and is another device"),
                        )
                        .clause(clause)
                        .help(format!("it is the character device {major}:{minor}"));
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "devices/file-mode-decimal",
        severity: Severity::Warning,
        source: "config-linux.md, Devices: the number is decimal, not octal",
        page: "JSON has no octal numbers: `fileMode` is decimal, and 438 is what chmod(1) calls \
               666. A mode that reads like chmod's is most likely one, and as a decimal number \
               means odd permissions: 666 is 1232 in octal.",
        accepts: &[linux!(
            r#"{"devices": [{"type": "c", "path": "/dev/x", "major": 10, "minor": 1, "fileMode": 438}]}"#
        )],
        rejects: &[(
            linux!(
                r#"{"devices": [{"type": "c", "path": "/dev/x", "major": 10, "minor": 1, "fileMode": 666}]}"#
            ),
            "/linux/devices/0/fileMode",
        )],
        check: |context, found| {
            for device in context.linux.get("devices").items() {
                let mode = device.get("fileMode");
                if let Some(number) = mode.as_integer()
                    && LOOK_OCTAL.contains(&number)
                    && let Ok(meant) = i64::from_str_radix(mode.text(), 8)
                {
                    found
                        .at(
                            mode,
                            format!(
                                "{number} is octal {number:o}: this looks like a mode in octal"
                            ),
                        )
                        .help(format!("in decimal, octal {number} is {meant}"));
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "devices/file-mode-type",
        severity: Severity::Warning,
        source: "inode(7): the bits of the file type in a mode",
        page: "Engines write the bits of the file type into `fileMode`, as stat(2) gives them, and \
               runtimes take the permissions alone. Where these bits tell of another type than \
               `type` does, one of the two is a mistake.",
        accepts: &[linux!(
            r#"{"devices": [{"type": "c", "path": "/dev/x", "major": 10, "minor": 1, "fileMode": 8576}]}"#
        )],
        rejects: &[(
            linux!(
                r#"{"devices": [{"type": "b", "path": "/dev/x", "major": 8, "minor": 1, "fileMode": 8576}]}"#
            ),
            "/linux/devices/0/fileMode",
        )],
        check: |context, found| {
            for device in context.linux.get("devices").items() {
                let mode = device.get("fileMode");
                let of_type = match device.get("type").as_str() {
                    Some("b") => 0o060_000,
                    Some("c" | "u") => 0o020_000,
                    Some("p") => 0o010_000,
                    _ => continue,
                };
                let bits = mode.as_integer().map_or(0, |number| number & 0o170_000);
                if bits != 0 && bits != of_type {
                    found
                        .at(
                            mode,
                            format!("{} has the bits of another file type in it", mode.text()),
                        )
                        .related(device.get("type"), "the type that is asked for")
                        .help("the permissions alone are enough");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "devices/path-free",
        clauses: &["config-linux.devices.path.mismatch.bundle"],
        page: "Where the root filesystem has a file at the path of a device, it has to be that \
               device; a runtime has to refuse anything else. Remove the file from the root \
               filesystem. Paths that a mount covers are not looked at, nor such as pass through \
               symbolic links.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "."}, "linux": {"devices": [{"type": "c", "path": "/none", "major": 10, "minor": 1}]}}"#,
            r#"{"ociVersion": "1.3.0", "root": {"path": "outside"}, "linux": {"devices": [{"type": "c", "path": "/etc/passwd", "major": 10, "minor": 1}]}}"#,
            r#"{"ociVersion": "1.3.0", "root": {"path": "."}, "mounts": [{"destination": "/file"}], "linux": {"devices": [{"type": "c", "path": "/file", "major": 10, "minor": 1}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "."}, "linux": {"devices": [{"type": "c", "path": "/file", "major": 10, "minor": 1}]}}"#,
            "/linux/devices/0/path",
        )],
        check: |context, found| {
            let root = context.root.get("root").get("path").as_str();
            let (Some(bundle), Some(root)) = (context.bundle, root) else {
                return;
            };
            let mut covered = None;
            for device in context.linux.get("devices").items() {
                let path = device.get("path");
                if let Some(text) = path.as_str()
                    && let Some(file) = in_bundle(bundle.path(), root, text)
                    && let Ok(there) = fs::symlink_metadata(&file)
                    && !is_device(&there, device)
                    && !is_covered(
                        text,
                        covered.get_or_insert_with(|| mount_points(context.root)),
                    )
                {
                    found
                        .at(
                            path,
                            format!("the root filesystem has another file at {text:?}"),
                        )
                        .help("remove it from the root filesystem");
                }
            }
        },
        ..Rule::SPEC
    },
];

/// Devices that every container has: path, numbers, clause.
const DEFAULT_DEVICES: [(&str, i128, i128, &str); 6] = [
    ("/dev/null", 1, 3, "config-linux.default-devices.null"),
    ("/dev/zero", 1, 5, "config-linux.default-devices.zero"),
    ("/dev/full", 1, 7, "config-linux.default-devices.full"),
    ("/dev/random", 1, 8, "config-linux.default-devices.random"),
    ("/dev/urandom", 1, 9, "config-linux.default-devices.urandom"),
    ("/dev/tty", 5, 0, "config-linux.default-devices.tty"),
];

/// Decimal numbers that people write for octal modes. 400, 416, 420, 432 and such are modes.
const LOOK_OCTAL: [i128; 17] = [
    440, 444, 600, 620, 622, 640, 644, 660, 664, 666, 700, 744, 750, 755, 770, 775, 777,
];

/// What a device is; `None` for a FIFO, and where something is missing.
fn identity(device: Value<'_>) -> Option<(char, i128, i128)> {
    let its_type = match device.get("type").as_str()? {
        "b" => 'b',
        "c" | "u" => 'c',
        _ => return None,
    };
    Some((
        its_type,
        device.get("major").as_integer()?,
        device.get("minor").as_integer()?,
    ))
}

/// Judges `major` and `minor` of an object by what device numbers can be.
pub(super) fn number_range(owner: Value<'_>, found: &mut Found<'_>) {
    for (name, most) in [("major", 4095), ("minor", 1_048_575)] {
        let number = owner.get(name);
        if let Some(value) = number.as_integer()
            && !(0..=most).contains(&value)
        {
            found
                .at(number, format!("{value} is no {name} number"))
                .help(format!("from 0 to {most}"));
        }
    }
}

/// Where filesystems are mounted, from the container's root on.
fn mount_points(config: Value<'_>) -> HashSet<PathBuf> {
    let mounts = config.get("mounts").items();
    let destinations = mounts.filter_map(|mount| mount.get("destination").as_str());
    destinations
        .map(|destination| Path::new("/").join(destination))
        .collect()
}

fn is_covered(path: &str, mount_points: &HashSet<PathBuf>) -> bool {
    Path::new(path)
        .ancestors()
        .any(|above| mount_points.contains(above))
}

/// The file at a path of the root filesystem. `None` if that is outside of the bundle, or if
/// something on the way to it is a symbolic link or leads up.
fn in_bundle(bundle: &Path, root: &str, path: &str) -> Option<PathBuf> {
    let root = Path::new(root);
    let mut place = bundle.to_owned();
    let mut is_bundle = true;
    let below_root = Path::new(path).strip_prefix("/").ok()?;
    for component in root.components().chain(below_root.components()) {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => {
                // The bundle's own path may pass through links; what it holds must not.
                if !is_bundle && !place.symlink_metadata().ok()?.is_dir() {
                    return None;
                }
                place.push(name);
                is_bundle = false;
            }
            Component::RootDir | Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(place)
}

/// Whether a file is the device that the entry asks for. What the entry leaves open is no reason to
/// say that it is not.
fn is_device(there: &Metadata, device: Value<'_>) -> bool {
    let file_type = there.file_type();
    let its_type = match device.get("type").as_str() {
        Some("b") => file_type.is_block_device(),
        Some("c" | "u") => file_type.is_char_device(),
        Some("p") => return file_type.is_fifo(),
        _ => return true,
    };
    let number = |name, of_file: u64| {
        device
            .get(name)
            .as_integer()
            .is_none_or(|number| number == i128::from(of_file))
    };
    let rdev = there.rdev();
    // As makedev(3) has it.
    let major = (rdev >> 8 & 0xfff) | (rdev >> 32 & !0xfff);
    let minor = (rdev & 0xff) | (rdev >> 12 & !0xff & 0xffff_ffff);
    its_type && number("major", major) && number("minor", minor)
}

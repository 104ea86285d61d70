//! `mounts` (config.md, Mounts), but for their options.

use crate::context::{Context, Platform};
use crate::document::Value;
use crate::finding::Severity;
use crate::names::Table;
use crate::rule::Rule;
use crate::rules::lists::duplicates;
use crate::rules::mount_options::{has, is_bind};
use crate::rules::{namespaces, windows};

/// Rules about what is mounted where.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "mounts/destination-absolute",
        clauses: &[
            "config.mounts.destination.absolute",
            "config.mounts.destination.linux-absolute",
            "config.mounts.destination.linux-relative",
            "config.mounts.destination.windows-absolute",
            "config.mounts.destination.solaris-absolute",
            "config.mounts.destination.other-absolute",
        ],
        page: "The destination is a path in the container, counted from its root. Up to version \
               1.1.0 it has to be absolute. Since 1.2.0 it may be relative on Linux and is then \
               taken from the root as well, but that is deprecated; write it with the slash.",
        accepts: &[mount!(r#"{"destination": "/tmp", "type": "tmpfs"}"#)],
        rejects: &[
            (
                mount!(r#"{"destination": "tmp", "type": "tmpfs"}"#),
                "/mounts/0/destination",
            ),
            (
                r#"{"ociVersion": "1.1.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "tmp", "type": "tmpfs"}]}"#,
                "/mounts/0/destination",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "solaris": {}, "mounts": [{"destination": "opt"}]}"#,
                "/mounts/0/destination",
            ),
            (
                windows!(
                    r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "mounts": [{"destination": "data"}]"#
                ),
                "/mounts/0/destination",
            ),
        ],
        check: |context, found| {
            let clause = match context.platform {
                Platform::Linux if context.from_version(1, 2, 0) => {
                    "config.mounts.destination.linux-absolute"
                }
                Platform::Linux => "config.mounts.destination.absolute",
                Platform::Windows => "config.mounts.destination.windows-absolute",
                Platform::Solaris => "config.mounts.destination.solaris-absolute",
                Platform::FreeBsd | Platform::Zos => "config.mounts.destination.other-absolute",
            };
            for mount in mounts(context) {
                let destination = mount.get("destination");
                let Some(path) = destination.as_str() else {
                    continue;
                };
                let on_windows = context.platform == Platform::Windows;
                let absolute = if on_windows {
                    windows::is_absolute(path)
                } else {
                    path.starts_with('/') || windows::is_meant(context)
                };
                if !absolute {
                    let draft = found
                        .at(destination, format!("{path:?} is not an absolute path"))
                        .clause(clause);
                    if !on_windows && !path.contains('\\') {
                        draft.help(format!(
                            "`/{path}`: it is counted from the container's root"
                        ));
                    }
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mounts/destination-plain",
        severity: Severity::Warning,
        source: "path_resolution(7): `..` of the root is the root",
        page: "`..` in a destination does not lead out of the container: at the root it stays \
               there, and elsewhere the runtime has to work it out. Some runtimes refuse it. Write \
               the path that is meant.",
        accepts: &[mount!(r#"{"destination": "/etc/..data", "type": "tmpfs"}"#)],
        rejects: &[(
            mount!(r#"{"destination": "/../etc", "type": "tmpfs"}"#),
            "/mounts/0/destination",
        )],
        check: |context, found| {
            for mount in mounts(context) {
                let destination = mount.get("destination");
                if let Some(path) = destination.as_str()
                    && path.split(['/', '\\']).any(|step| step == "..")
                {
                    found
                        .at(destination, format!("{path:?} goes up by `..`"))
                        .help("write the path without it");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mounts/destination-unique",
        severity: Severity::Note,
        source: "mount(2): the newer mount at a place hides the older one",
        page: "Two mounts have one destination. They are made in their order, so that the second \
               hides the first. That is allowed, and mostly left over from putting lists together.",
        accepts: &[mount!(
            r#"{"destination": "/a", "type": "tmpfs"}, {"destination": "/a", "options": ["remount", "bind", "ro"]}"#
        )],
        rejects: &[(
            mount!(
                r#"{"destination": "/a", "type": "tmpfs"}, {"destination": "/b", "type": "tmpfs"}, {"destination": "/a/", "type": "tmpfs"}"#
            ),
            "/mounts/2/destination",
        )],
        check: |context, found| {
            let destinations = || {
                mounts(context)
                    .filter(|mount| !has(*mount, "remount"))
                    .filter_map(|mount| {
                        let destination = mount.get("destination");
                        let path = destination.as_str()?;
                        Some((path.trim_end_matches('/'), destination))
                    })
            };
            duplicates(destinations, |_, first, again| {
                found
                    .at(again, "this mount hides an earlier one at the same place")
                    .related(first, "the earlier one");
            });
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mounts/windows-not-nested",
        clauses: &["config.mounts.destination.windows-nested"],
        page: "On Windows no mount may lie within another one: `c:\\foo` and `c:\\foo\\bar` exclude \
               each other. Mount them side by side, or lay the files out in one directory.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "mounts": [{"destination": "C:\\foo"}, {"destination": "C:\\foobar"}]"#
        )],
        rejects: &[
            (
                windows!(
                    r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "mounts": [{"destination": "C:\\foo"}, {"destination": "c:/Foo/bar/"}]"#
                ),
                "/mounts/1/destination",
            ),
            (
                windows!(
                    r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "mounts": [{"destination": "C:\\foo\\bar\\baz"}, {"destination": "C:\\foo"}]"#
                ),
                "/mounts/0/destination",
            ),
        ],
        check: |context, found| {
            if context.platform != Platform::Windows {
                return;
            }
            let places: Table<String, Value<'_>> = mounts(context)
                .filter_map(|mount| {
                    let destination = mount.get("destination");
                    Some((windows::normal(destination.as_str()?), destination))
                })
                .collect();
            for mount in mounts(context) {
                let destination = mount.get("destination");
                let Some(path) = destination.as_str().map(windows::normal) else {
                    continue;
                };
                let outer = path
                    .rmatch_indices('\\')
                    .take(DEEPEST)
                    .find_map(|(end, _)| places.get(&path[..end]));
                if let Some(outer) = outer {
                    found
                        .at(destination, "this mount lies within another one")
                        .related(*outer, "the other one")
                        .help("mount them side by side");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mounts/windows-source-local",
        clauses: &["config.mounts.source.windows"],
        page: "On Windows the source of a mount is a directory on a disk of the host. A share of \
               another machine (`\\\\server\\share`) cannot be mounted; copy the files, or mount \
               the share in the container.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "mounts": [{"destination": "C:\\a", "source": "C:\\a"}, {"destination": "\\\\.\\pipe\\p", "source": "\\\\.\\pipe\\p"}]"#
        )],
        rejects: &[(
            windows!(
                r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "mounts": [{"destination": "C:\\a", "source": "\\\\server\\share"}]"#
            ),
            "/mounts/0/source",
        )],
        check: |context, found| {
            if context.platform != Platform::Windows {
                return;
            }
            for mount in mounts(context) {
                let source = mount.get("source");
                if let Some(path) = source.as_str()
                    && windows::is_unc(path)
                {
                    found
                        .at(
                            source,
                            format!("{path:?} is a share, and no directory of the host"),
                        )
                        .help(r"a directory such as `C:\data`");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mounts/type-of-kernel",
        clauses: &["config.mounts.type.linux"],
        page: "A mount is a bind mount if `bind` or `rbind` is among its options, and for nothing \
               else. Without them `type` is the name of a filesystem as in /proc/filesystems, and \
               `bind` and `none` are no filesystems.",
        accepts: &[
            mount!(
                r#"{"destination": "/a", "type": "bind", "source": "/a", "options": ["rbind"]}"#
            ),
            mount!(r#"{"destination": "/a", "type": "tmpfs"}"#),
        ],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/a", "type": "bind", "source": "/a", "options": ["ro"]}"#
                ),
                "/mounts/0/type",
            ),
            (
                mount!(r#"{"destination": "/a", "type": "none", "source": "/a"}"#),
                "/mounts/0/type",
            ),
        ],
        check: |context, found| {
            if !context.is_linux() {
                return;
            }
            for mount in mounts(context) {
                let its_type = mount.get("type");
                if let Some(name @ ("bind" | "rbind" | "none")) = its_type.as_str()
                    && !needs_no_type(mount)
                {
                    found
                        .at(
                            its_type,
                            format!(
                                "{name:?} is no filesystem, and `bind` is not among the options"
                            ),
                        )
                        .help("for a bind mount add `bind` or `rbind` to `options`");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mounts/type-present",
        severity: Severity::Warning,
        source: "mount(2): ENODEV for a type that the kernel does not have, and none is not one",
        page: "A mount that is no bind mount is of a filesystem, and without `type` the kernel \
               cannot know which. Name it, or add `rbind` to the options for a directory of the \
               host.",
        accepts: &[mount!(
            r#"{"destination": "/a", "source": "/a", "options": ["rbind"]}"#
        )],
        rejects: &[
            (
                mount!(r#"{"destination": "/a", "source": "/a"}"#),
                "/mounts/0",
            ),
            (mount!(r#"{"destination": "/a", "type": ""}"#), "/mounts/0"),
        ],
        check: |context, found| {
            if !context.is_linux() || windows::is_meant(context) {
                return;
            }
            for mount in mounts(context) {
                let its_type = mount.get("type");
                let absent = !its_type.is_present() || its_type.as_str() == Some("");
                if absent && mount.get("destination").is_set() && !needs_no_type(mount) {
                    found
                        .lacking(mount, "neither a type nor a bind mount")
                        .help(
                            "`type` names the filesystem; for a directory of the host add `rbind` \
                             to `options`",
                        );
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mounts/bind-source",
        severity: Severity::Warning,
        source: "mount(2): ENOENT for an empty source",
        page: "A bind mount shows a file or directory of the host, and `source` says which. Where \
               it is missing some runtimes fail and others show the directory of the bundle, \
               `config.json` included.",
        accepts: &[
            mount!(r#"{"destination": "/a", "source": "/a", "options": ["rbind"]}"#),
            mount!(r#"{"destination": "/a", "options": ["bind", "remount", "ro"]}"#),
        ],
        rejects: &[
            (
                mount!(r#"{"destination": "/a", "options": ["rbind"]}"#),
                "/mounts/0",
            ),
            (
                mount!(r#"{"destination": "/a", "source": "", "options": ["bind"]}"#),
                "/mounts/0",
            ),
        ],
        check: |context, found| {
            if !context.is_linux() {
                return;
            }
            for mount in mounts(context) {
                let source = mount.get("source");
                let absent = !source.is_present() || source.as_str() == Some("");
                if absent && is_bind(mount) && !has(mount, "remount") {
                    found
                        .lacking(mount, "a bind mount of nothing: `source` is missing")
                        .help(
                            "`source`: the file or directory of the host, relative paths from the \
                             bundle",
                        );
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mounts/mappings-paired",
        clauses: &[
            "config.mounts.uidMappings.paired",
            "config.mounts.gidMappings.paired",
        ],
        page: "A mount maps users and groups together: `uidMappings` and `gidMappings` are both \
               set, or neither is.",
        accepts: &[mount!(
            r#"{"destination": "/a", "source": "/a", "options": ["rbind", "idmap"], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
        )],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/a", "source": "/a", "options": ["rbind", "idmap"], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
                ),
                "/mounts/0/uidMappings",
            ),
            (
                mount!(
                    r#"{"destination": "/a", "source": "/a", "options": ["rbind", "idmap"], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
                ),
                "/mounts/0/gidMappings",
            ),
        ],
        check: |context, found| {
            for mount in mounts(context) {
                let [users, groups] = mappings(mount);
                for (one, other, name, clause) in [
                    (
                        users,
                        groups,
                        "gidMappings",
                        "config.mounts.uidMappings.paired",
                    ),
                    (
                        groups,
                        users,
                        "uidMappings",
                        "config.mounts.gidMappings.paired",
                    ),
                ] {
                    if one.is_set() && !other.is_set() && context.is_linux() {
                        found
                            .at_name(one, format!("`{name}` is missing beside it"))
                            .clause(clause)
                            .help("map users and groups, or neither");
                    }
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mounts/mappings-with-option",
        clauses: &[
            "config.mounts.uidMappings.option",
            "config.mounts.gidMappings.option",
        ],
        page: "Beside mappings the options of the mount should have `idmap`, or `ridmap` for the \
               mounts below it too. A runtime that does not know the mappings ignores them \
               silently, and the owners of files are wrong; on an unknown option it fails.",
        accepts: &[mount!(
            r#"{"destination": "/a", "source": "/a", "options": ["rbind", "ridmap"], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
        )],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/a", "source": "/a", "options": ["rbind"], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
                ),
                "/mounts/0/uidMappings",
            ),
            (
                mount!(
                    r#"{"destination": "/a", "source": "/a", "options": ["rbind"], "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}"#
                ),
                "/mounts/0/gidMappings",
            ),
        ],
        check: |context, found| {
            for mount in mounts(context) {
                let [users, groups] = mappings(mount);
                if !context.is_linux() || asks_for_mapping(mount).is_some() {
                    continue;
                }
                let (first, clause) = if users.is_set() {
                    (users, "config.mounts.uidMappings.option")
                } else {
                    (groups, "config.mounts.gidMappings.option")
                };
                if first.is_set() {
                    found
                        .at_name(first, "neither `idmap` nor `ridmap` is among the options")
                        .clause(clause)
                        .help("add `idmap`, or `ridmap` for the mounts below it too");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mounts/idmap-without-mappings",
        clauses: &[
            "config.mount-option.idmap.no-userns-error",
            "config.mount-option.ridmap.no-userns-error",
        ],
        page: "`idmap` and `ridmap` ask for a mapping of owners. It is that of the mount's own \
               `uidMappings` and `gidMappings`, or else of the container's user namespace; without \
               either there is nothing to map by, and the runtime has to fail.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [{"destination": "/a", "source": "/a", "options": ["bind", "idmap"]}], "linux": {"namespaces": [{"type": "user"}], "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}}"#,
        ],
        rejects: &[
            (
                mount!(r#"{"destination": "/a", "source": "/a", "options": ["bind", "idmap"]}"#),
                "/mounts/0/options/1",
            ),
            (
                mount!(r#"{"destination": "/a", "source": "/a", "options": ["rbind", "ridmap"]}"#),
                "/mounts/0/options/1",
            ),
        ],
        check: |context, found| {
            if !context.is_linux() {
                return;
            }
            for mount in mounts(context) {
                let Some((name, option)) = asks_for_mapping(mount) else {
                    continue;
                };
                if mappings(mount).iter().any(|map| map.is_set())
                    || namespaces::entry(context.linux, "user").is_some()
                {
                    continue;
                }
                found
                    .at(
                        option,
                        format!("`{name}` without mappings, and without a user namespace"),
                    )
                    .clause(match name {
                        "idmap" => "config.mount-option.idmap.no-userns-error",
                        _ => "config.mount-option.ridmap.no-userns-error",
                    })
                    .help("give the mount `uidMappings` and `gidMappings`");
            }
        },
        ..Rule::SPEC
    },
];

/// How many steps up from a destination are looked at: more than any path of Windows has that a
/// person wrote, and few enough for one that nobody did.
const DEEPEST: usize = 64;

/// The mounts of a config.
pub(super) fn mounts<'d>(context: &Context<'d>) -> impl Iterator<Item = Value<'d>> {
    context.root.get("mounts").items()
}

fn mappings(mount: Value<'_>) -> [Value<'_>; 2] {
    ["uidMappings", "gidMappings"].map(|name| mount.get(name))
}

/// The option that asks for a mapping of owners.
fn asks_for_mapping(mount: Value<'_>) -> Option<(&str, Value<'_>)> {
    mount
        .get("options")
        .strings()
        .find(|(name, _)| matches!(*name, "idmap" | "ridmap"))
}

/// Whether the kernel does not look at the type: of a bind mount, and of a mount that is there and
/// changed.
fn needs_no_type(mount: Value<'_>) -> bool {
    is_bind(mount) || has(mount, "remount")
}

//! What a runtime says of itself (features.md and features-linux.md).

use std::collections::HashSet;

use oci_runtime_schemas::{Schema, SchemaKind};

use crate::context::{Context, NEWEST, newest_recognized};
use crate::document::{Kind, Value};
use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::Rule;
use crate::rules::lists::duplicates;
use crate::structure::similar;

const FEATURES: Rule = Rule {
    kinds: &[DocumentKind::Features],
    ..Rule::SPEC
};

/// Rules about features documents.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "features/version-order",
        clauses: &["features.ociVersionMax.ge-min"],
        page: "`ociVersionMin` and `ociVersionMax` are the oldest and the newest version that the \
               runtime recognizes: the newest cannot be older than the oldest.",
        accepts: &[r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0"}"#],
        rejects: &[(
            r#"{"ociVersionMin": "1.1.0", "ociVersionMax": "1.1.0-rc.2"}"#,
            "/ociVersionMax",
        )],
        check: |context, found| {
            let oldest = context.root.get("ociVersionMin");
            let newest = context.root.get("ociVersionMax");
            let version = |value: Value<'_>| semver::Version::parse(value.as_str()?).ok();
            if let (Some(least), Some(most)) = (version(oldest), version(newest))
                && most < least
            {
                found
                    .at(
                        newest,
                        format!("{most} is older than the oldest version, {least}"),
                    )
                    .related(oldest, "the oldest version");
            }
        },
        ..FEATURES
    },
    Rule {
        id: "features/known-names",
        severity: Severity::Note,
        source: "the names that config.md and config-linux.md list",
        page: "A list names something that no version of the specification has: hooks, \
               namespaces, and the actions, operators, architectures and flags of seccomp are \
               written as in a config. Often it is a slip.",
        accepts: &[
            r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "hooks": ["prestart"], "linux": {"namespaces": ["mount"], "capabilities": ["CAP_CHOWN"], "seccomp": null}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "hooks": ["preStart"]}"#,
                "/hooks/0",
            ),
            (
                r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "linux": {"namespaces": ["pid", "net"]}}"#,
                "/linux/namespaces/1",
            ),
            (
                r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "linux": {"capabilities": ["chown"]}}"#,
                "/linux/capabilities/0",
            ),
        ],
        check: |context, found| {
            if knows_newer_version(context) {
                return;
            }
            for (list, place) in NAMES {
                let Some(schema) = in_config(place) else {
                    continue;
                };
                let list = context.root.at_pointer(list);
                let known = || {
                    let properties = schema.properties.iter().map(|property| property.name);
                    properties.chain(schema.values.iter().map(|allowed| allowed.value))
                };
                for (name, value) in list.strings() {
                    if known().all(|known| known != name) {
                        let draft =
                            found.at(value, format!("the specification has no {name:?} here"));
                        if let Some(meant) = similar(name, known()) {
                            draft.help(format!("did you mean `{meant}`?"));
                        }
                    }
                }
            }
            for (name, value) in context.root.at_pointer("/linux/capabilities").strings() {
                let stem = name.strip_prefix("CAP_").unwrap_or_default();
                if stem.is_empty()
                    || !stem
                        .bytes()
                        .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
                {
                    found
                        .at(value, format!("{name:?} is no name of a capability"))
                        .help("as capabilities(7) has it: `CAP_CHOWN`");
                }
            }
        },
        ..FEATURES
    },
    Rule {
        id: "features/unique",
        severity: Severity::Note,
        source: "a list of what is recognized names each thing once",
        page: "A name stands twice in one list. It says nothing the second time.",
        accepts: &[
            r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "mountOptions": ["ro", "rw"]}"#,
        ],
        rejects: &[(
            r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "mountOptions": ["ro", "rw", "ro"]}"#,
            "/mountOptions/2",
        )],
        check: |context, found| {
            let more = [
                "/mountOptions",
                "/potentiallyUnsafeConfigAnnotations",
                "/linux/capabilities",
            ];
            for list in NAMES.iter().map(|(list, _)| *list).chain(more) {
                let list = context.root.at_pointer(list);
                duplicates(
                    || list.strings(),
                    |name, first, again| {
                        found
                            .at(again, format!("{name} stands twice"))
                            .related(first, "the first one");
                    },
                );
            }
        },
        ..FEATURES
    },
    Rule {
        id: "features/mount-options",
        clauses: &["features.mountOptions.linux-no-fs-specific"],
        page: "`mountOptions` lists what the runtime itself understands. Options of a filesystem, \
               which it hands to mount(2) as they are, should not be there: `mode=755` is tmpfs's, \
               `lowerdir=` overlayfs's.",
        accepts: &[
            r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "mountOptions": ["ro", "tmpcopyup"]}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "mountOptions": ["ro", "mode=755"]}"#,
                "/mountOptions/1",
            ),
            (
                r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "mountOptions": ["lowerdir"]}"#,
                "/mountOptions/0",
            ),
        ],
        check: |context, found| {
            for (option, value) in context.root.get("mountOptions").strings() {
                if option.contains('=') || OF_FILESYSTEMS.contains(&option) {
                    found
                        .at(value, format!("{option:?} is an option of a filesystem"))
                        .help("list only what the runtime itself understands");
                }
            }
        },
        ..FEATURES
    },
    Rule {
        id: "features/annotation-prefix",
        clauses: &["features.potentiallyUnsafeConfigAnnotations.prefix"],
        page: "An entry is the key of an annotation, or with a dot at its end the beginning of \
               many: `org.systemd.property.`. There are no other patterns, and an empty entry, or \
               a dot alone, stands for no annotation.",
        accepts: &[
            r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "potentiallyUnsafeConfigAnnotations": ["com.example.foo.bar", "org.systemd.property."]}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "potentiallyUnsafeConfigAnnotations": ["."]}"#,
                "/potentiallyUnsafeConfigAnnotations/0",
            ),
            (
                r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "potentiallyUnsafeConfigAnnotations": ["org.systemd.property.*"]}"#,
                "/potentiallyUnsafeConfigAnnotations/0",
            ),
        ],
        check: |context, found| {
            for (entry, value) in context
                .root
                .get("potentiallyUnsafeConfigAnnotations")
                .strings()
            {
                if matches!(entry, "" | ".") {
                    found.at(value, format!("{entry:?} stands for no annotation"));
                } else if entry.contains('*') {
                    // It may be a key, if a strange one.
                    found
                        .at(
                            value,
                            format!("{entry:?} is no pattern: `*` stands for itself"),
                        )
                        .help("a dot at the end stands for all keys that begin so")
                        .only(Severity::Warning);
                }
            }
        },
        ..FEATURES
    },
    Rule {
        id: "features/supported-flags",
        clauses: &["features-linux.seccomp.supportedFlags.subset"],
        page: "`knownFlags` are the flags of seccomp that the runtime recognizes, and \
               `supportedFlags` those of them that kernel and libseccomp can do. A flag cannot be \
               supported that is not recognized.",
        accepts: &[
            r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "linux": {"seccomp": {"enabled": true, "knownFlags": ["SECCOMP_FILTER_FLAG_LOG"], "supportedFlags": []}}}"#,
        ],
        rejects: &[(
            r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "linux": {"seccomp": {"enabled": true, "knownFlags": [], "supportedFlags": ["SECCOMP_FILTER_FLAG_LOG"]}}}"#,
            "/linux/seccomp/supportedFlags/0",
        )],
        check: |context, found| {
            let seccomp = context.root.at_pointer("/linux/seccomp");
            let known = seccomp.get("knownFlags");
            if known.kind() != Kind::Array {
                return;
            }
            let names: HashSet<&str> = known.strings().map(|(name, _)| name).collect();
            for (flag, value) in seccomp.get("supportedFlags").strings() {
                if !names.contains(flag) {
                    // That the subset is one is no duty of its own: that both lists are true is.
                    found
                        .at(
                            value,
                            format!("{flag} is supported, and not among `knownFlags`"),
                        )
                        .related(known, "the flags that are recognized")
                        .only(Severity::Warning);
                }
            }
        },
        ..FEATURES
    },
    Rule {
        id: "features/enabled",
        severity: Severity::Warning,
        source: "features-linux.md: `enabled` tells whether there is anything to list",
        page: "`enabled` is false, and beside it stands what the runtime can do with it. One of \
               the two is wrong. A runtime that was built without something leaves the rest out.",
        accepts: &[
            r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "linux": {"seccomp": {"enabled": false, "actions": []}}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "linux": {"seccomp": {"enabled": false, "actions": ["SCMP_ACT_ALLOW"]}}}"#,
                "/linux/seccomp/actions",
            ),
            (
                r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.3.0", "linux": {"intelRdt": {"enabled": false, "monitoring": true}}}"#,
                "/linux/intelRdt/monitoring",
            ),
        ],
        check: |context, found| {
            for owner in ["seccomp", "intelRdt"] {
                let owner = context.root.get("linux").get(owner);
                let enabled = owner.get("enabled");
                if enabled.as_bool() != Some(false) {
                    continue;
                }
                let claims = |value: &Value<'_>| {
                    value.as_bool() == Some(true) || value.items().next().is_some()
                };
                let claim = owner.members().map(|(_, value)| value).find(claims);
                if let Some(claim) = claim {
                    found
                        .at_name(
                            claim,
                            "this tells what something can do that is not enabled",
                        )
                        .related(enabled, "not enabled");
                }
            }
        },
        ..FEATURES
    },
];

/// Lists of names, and where in a config the names are used.
const NAMES: &[(&str, &[&str])] = &[
    ("/hooks", &["hooks"]),
    ("/linux/namespaces", &["linux", "namespaces", "[]", "type"]),
    (
        "/linux/seccomp/actions",
        &["linux", "seccomp", "syscalls", "[]", "action"],
    ),
    (
        "/linux/seccomp/operators",
        &["linux", "seccomp", "syscalls", "[]", "args", "[]", "op"],
    ),
    (
        "/linux/seccomp/archs",
        &["linux", "seccomp", "architectures", "[]"],
    ),
    (
        "/linux/seccomp/knownFlags",
        &["linux", "seccomp", "flags", "[]"],
    ),
    (
        "/linux/seccomp/supportedFlags",
        &["linux", "seccomp", "flags", "[]"],
    ),
    (
        "/linux/memoryPolicy/modes",
        &["linux", "memoryPolicy", "mode"],
    ),
    (
        "/linux/memoryPolicy/flags",
        &["linux", "memoryPolicy", "flags", "[]"],
    ),
];

/// Options of filesystems that runtimes hand to mount(2), with the value left out.
const OF_FILESYSTEMS: [&str; 20] = [
    "mode",
    "size",
    "nr_inodes",
    "nr_blocks",
    "uid",
    "gid",
    "huge",
    "mpol",
    "ptmxmode",
    "newinstance",
    "hidepid",
    "subset",
    "lowerdir",
    "upperdir",
    "workdir",
    "userxattr",
    "volatile",
    "redirect_dir",
    "metacopy",
    "nsdelegate",
];

/// The schema of a place in a config.
fn in_config(place: &[&str]) -> Option<&'static Schema> {
    place
        .iter()
        .try_fold(SchemaKind::Config.schema(), |schema, step| match *step {
            "[]" => schema.items,
            name => schema.property(name).map(|property| property.schema),
        })
}

/// Whether the runtime recognizes a version that is newer than those that we know, and may have
/// names that we do not.
fn knows_newer_version(context: &Context<'_>) -> bool {
    newest_recognized(context.root).is_some_and(|version| version > NEWEST)
}

#[cfg(test)]
mod tests {
    use crate::{Document, Options, Severity, check};

    fn findings(newest: &str, linux: &str) -> Vec<(String, Severity)> {
        let text = format!(
            r#"{{"ociVersionMin": "1.0.0", "ociVersionMax": "{newest}", "annotations": null, "linux": {{{linux}}}}}"#
        );
        let found = check(&Document::parse(text.into_bytes()), &Options::default());
        found
            .into_iter()
            .map(|one| (one.to_string(), one.severity))
            .collect()
    }

    #[test]
    fn null_says_nothing() {
        let nulls = r#""seccomp": null, "apparmor": {"enabled": null}, "netDevices": null"#;
        assert_eq!(findings("1.3.0", nulls), []);
        // Such as these are not of version 1.1.0, but null is as good as absent.
        assert_eq!(findings("1.1.0", nulls), []);
    }

    #[test]
    fn what_the_newest_version_does_not_define_must_not_be_there() {
        let net_devices = r#""netDevices": {"enabled": true}"#;
        assert_eq!(findings("1.3.0", net_devices), []);
        let found = findings("1.2.0", net_devices);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            found[0].0,
            "/linux/netDevices: `netDevices` came with version 1.3.0, this document is of 1.2.0 \
             (features.ociVersionMax.no-newer-properties)"
        );
        assert_eq!(found[0].1, Severity::Error);

        let unheard_of = r#""teleport": true"#;
        assert_eq!(findings("1.3.0", unheard_of).len(), 1);
        assert_eq!(findings("9.0.0", unheard_of), []);
        // Runtimes of an older version than the first with features documents have these too.
        assert_eq!(findings("1.0.2-dev", r#""cgroup": {"v1": true}"#), []);
    }
}

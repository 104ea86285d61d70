//! `zos` (config-zos.md).

use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::lists::duplicates;

/// Rules about namespaces of z/OS, and about the devices that it had up to version 1.2.0.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "zos/namespaces-unique",
        clauses: &["config-zos.namespaces.duplicate"],
        page: "A process is in one namespace of each type. Where a type is listed twice, runtimes \
               have to refuse the config.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "zos": {"namespaces": [{"type": "uts"}, {"type": "pid"}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "zos": {"namespaces": [{"type": "pid"}, {"type": "pid"}]}}"#,
            "/zos/namespaces/1",
        )],
        check: |context, found| {
            let namespaces = context.root.get("zos").get("namespaces");
            let types = || {
                namespaces
                    .items()
                    .filter_map(|entry| Some((entry.get("type").as_str()?, entry)))
            };
            duplicates(types, |its_type, first, again| {
                found
                    .at(again, format!("a second namespace of type {its_type}"))
                    .related(first, "the first one")
                    .help("leave one of them");
            });
        },
        ..Rule::SPEC
    },
    Rule {
        id: "zos/namespace-type",
        severity: Severity::Warning,
        source: "config-zos.md, Namespaces: pid, mount, ipc and uts",
        page: "z/OS has namespaces of the types `pid`, `mount`, `ipc` and `uts`. A runtime has to \
               refuse a type that its kernel does not have.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "zos": {"namespaces": [{"type": "mount"}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "zos": {"namespaces": [{"type": "network"}]}}"#,
            "/zos/namespaces/0/type",
        )],
        check: |context, found| {
            for namespace in context.root.get("zos").get("namespaces").items() {
                let its_type = namespace.get("type");
                if let Some(name) = its_type.as_str()
                    && !matches!(name, "pid" | "mount" | "ipc" | "uts")
                {
                    found
                        .at(its_type, format!("z/OS has no namespaces of type {name:?}"))
                        .help("pid, mount, ipc or uts");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "zos/devices-unique",
        clauses: &["config-zos.devices.duplicate"],
        page: "One device under two paths is two names for one thing; the specification advises \
               against it. Versions from 1.2.1 have no devices for z/OS.",
        accepts: &[
            r#"{"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "zos": {"devices": [{"path": "/dev/a", "type": "c", "major": 1, "minor": 2}, {"path": "/dev/b", "type": "c", "major": 1, "minor": 1}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "zos": {"devices": [{"path": "/dev/a", "type": "c", "major": 1, "minor": 2}, {"path": "/dev/b", "type": "c", "major": 1, "minor": 2}]}}"#,
            "/zos/devices/1",
        )],
        check: |context, found| {
            let devices = context.root.get("zos").get("devices");
            let identities = || {
                devices.items().filter_map(|device| {
                    let number = |name: &str| device.get(name).as_integer();
                    let identity = (
                        device.get("type").as_str()?,
                        number("major")?,
                        number("minor")?,
                    );
                    Some((identity, device))
                })
            };
            duplicates(identities, |(its_type, major, minor), first, again| {
                found
                    .at(again, format!("a second device {its_type} {major}:{minor}"))
                    .related(first, "the first one");
            });
        },
        ..Rule::SPEC
    },
];

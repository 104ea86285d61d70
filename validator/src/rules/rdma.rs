//! `linux.resources.rdma` (config-linux.md, RDMA).

use crate::document::Kind;
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::resources::RESOURCES;

/// Rules about RDMA devices.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "rdma/limit",
        clauses: &["config-linux.resources.rdma.one-of"],
        page: "An entry limits a device's `hcaHandles`, its `hcaObjects`, or both. Without either \
               it says nothing.",
        accepts: &[resources!(
            r#"{"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}}}"#
        )],
        rejects: &[(
            resources!(r#"{"rdma": {"mlx5_1": {}}}"#),
            "/linux/resources/rdma/mlx5_1",
        )],
        check: |context, found| {
            for (_, entry) in context.resources.get("rdma").members() {
                if entry.kind() == Kind::Object
                    && !entry.get("hcaHandles").is_set()
                    && !entry.get("hcaObjects").is_set()
                {
                    found
                        .lacking(entry, "neither `hcaHandles` nor `hcaObjects` is here")
                        .help("at least one of the two");
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "rdma/device-name",
        severity: Severity::Error,
        source: "the kernel's document on the rdma controller: a line is the device and its limits",
        page: "The key is the name of a device as the kernel has it. It is written in front of the \
               limits with a blank between, so a name with a blank in it, or an empty one, would \
               be read as something else.",
        accepts: &[resources!(r#"{"rdma": {"rxe3": {"hcaObjects": 1}}}"#)],
        rejects: &[(
            resources!(r#"{"rdma": {"rxe3 mlx4_0": {"hcaObjects": 1}}}"#),
            "/linux/resources/rdma/rxe3 mlx4_0",
        )],
        check: |context, found| {
            for (name, entry) in context.resources.get("rdma").members() {
                if name.is_empty()
                    || name.contains(|letter: char| letter.is_whitespace() || letter == '/')
                {
                    found.at_name(entry, format!("no RDMA device is called {name:?}"));
                }
            }
        },
        ..RESOURCES
    },
];

//! `linux.netDevices` (config-linux.md, Network Devices).

use crate::context::Context;
use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::lists::duplicates;
use crate::rules::namespaces;

/// Rules about network devices.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "net-devices/name",
        severity: Severity::Error,
        source: "dev_valid_name() of the kernel: EINVAL",
        page: "The name of a network device has 1 to 15 bytes, is not `.` or `..`, and has no \
               slash, colon or blank in it. A name that ends in `%d` is a template: the kernel \
               puts the first free number there; `%` has no other use.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "network"}], "netDevices": {"enp0s31f6": {"name": "eth%d"}}}"#
        )],
        rejects: &[
            (
                linux!(
                    r#"{"namespaces": [{"type": "network"}], "netDevices": {"a/b": {"name": "eth0"}}}"#
                ),
                "/linux/netDevices/a~1b",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "network"}], "netDevices": {"eth0": {"name": "container_network0"}}}"#
                ),
                "/linux/netDevices/eth0/name",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "network"}], "netDevices": {"eth0": {"name": "e%dth%d"}}}"#
                ),
                "/linux/netDevices/eth0/name",
            ),
        ],
        check: |context, found| {
            for (outside, device) in devices(context) {
                let inside = device.get("name");
                if let Some(problem) = name_problem(outside) {
                    found.at_name(
                        device,
                        format!("no network device is called {outside:?}: {problem}"),
                    );
                }
                let Some(name) = inside.as_str() else {
                    continue;
                };
                let problem = name_problem(name).or_else(|| {
                    let template = name.ends_with("%d") && name.matches('%').count() == 1;
                    (name.contains('%') && !template)
                        .then_some("`%` stands in `%d` alone, once and at the end")
                });
                if let Some(problem) = problem {
                    found.at(
                        inside,
                        format!("no network device can be called {name:?}: {problem}"),
                    );
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "net-devices/name-free",
        clauses: &["config-linux.netDevices.conflict"],
        page: "A device keeps its name in the container unless `name` gives another. Two devices \
               of one name cannot be in one namespace, and a runtime has to refuse it; `lo` is \
               there in every network namespace. A template such as `eth%d` lets the kernel find \
               a free name.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "network"}], "netDevices": {"eth0": {"name": "eth1"}, "eth1": {"name": "eth0"}}}"#
        )],
        rejects: &[
            (
                linux!(
                    r#"{"namespaces": [{"type": "network"}], "netDevices": {"eth0": {}, "eth1": {"name": "eth0"}}}"#
                ),
                "/linux/netDevices/eth1",
            ),
            (
                linux!(
                    r#"{"namespaces": [{"type": "network"}], "netDevices": {"eth0": {"name": "lo"}}}"#
                ),
                "/linux/netDevices/eth0",
            ),
        ],
        check: |context, found| {
            let fixed = || {
                let names = devices(context).map(|(outside, device)| {
                    (device.get("name").as_str().unwrap_or(outside), device)
                });
                names.filter(|(name, _)| !name.ends_with("%d"))
            };
            duplicates(fixed, |name, first, again| {
                found
                    .at_name(again, format!("a second device is to be called {name:?}"))
                    .related(first, "the first one")
                    .help(format!(
                        "a template such as `{}` finds a free name",
                        template(name)
                    ));
            });
            for (_, device) in fixed().filter(|(name, _)| *name == "lo") {
                // The loopback device itself is the business of `net-devices/movable`.
                if device.key() != Some("lo") {
                    found.at_name(device, "a network namespace has its own \"lo\" already");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "net-devices/movable",
        clauses: &["config-linux.netDevices.check"],
        page: "The loopback device belongs to its namespace and cannot be moved; a container with \
               a network namespace of its own has one anyway.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "network"}], "netDevices": {"eth0": {}}}"#
        )],
        rejects: &[(
            linux!(r#"{"namespaces": [{"type": "network"}], "netDevices": {"lo": {}}}"#),
            "/linux/netDevices/lo",
        )],
        check: |context, found| {
            let loopback = context.linux.get("netDevices").get("lo");
            if loopback.is_present() {
                found
                    .at_name(loopback, "the loopback device cannot be moved")
                    .help("leave it out: every network namespace has its own");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "net-devices/namespace",
        clauses: &["config-linux.netDevices.available"],
        page: "Devices are moved from the host's network namespace into the container's. Without \
               `{\"type\": \"network\"}` in `linux.namespaces` the two are one, and nothing can be \
               moved. Add the namespace, or leave `netDevices` out: the container sees the host's \
               devices.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "network", "path": "/run/netns/a"}], "netDevices": {"eth0": {}}}"#
        )],
        rejects: &[(
            linux!(r#"{"netDevices": {"eth0": {}}}"#),
            "/linux/netDevices",
        )],
        check: |context, found| {
            if devices(context).next().is_some()
                && namespaces::entry(context.linux, "network").is_none()
            {
                found
                    .at_name(
                        context.linux.get("netDevices"),
                        "without a network namespace there is nowhere to move devices to",
                    )
                    .help("add `{\"type\": \"network\"}` to `linux.namespaces`")
                    // The official corpus has such a document among the good ones.
                    .only(Severity::Warning);
            }
        },
        ..Rule::SPEC
    },
];

/// The devices with their names on the host.
fn devices<'d>(context: &Context<'d>) -> impl Iterator<Item = (&'d str, Value<'d>)> + use<'d> {
    context.linux.get("netDevices").members()
}

/// Why the kernel would not have a network device of that name.
pub(super) fn name_problem(name: &str) -> Option<&'static str> {
    // As isspace() of the kernel has it, which includes the vertical tab.
    let blank = |byte: u8| byte.is_ascii_whitespace() || byte == 0x0b;
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > 15 {
        Some("it has more than 15 bytes")
    } else if matches!(name, "." | "..") {
        Some("it is a directory")
    } else if name
        .bytes()
        .any(|byte| matches!(byte, b'/' | b':') || blank(byte))
    {
        Some("it has a slash, a colon or a blank in it")
    } else {
        None
    }
}

/// The name with `%d` for its number.
fn template(name: &str) -> String {
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    format!("{stem}%d")
}

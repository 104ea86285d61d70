//! `freebsd` (config-freebsd.md).

use crate::rule::Rule;

/// Rules about jails and their devices.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "freebsd/device-path-relative",
        clauses: &["config-freebsd.devices.path.relative"],
        page: "The path of a device is counted from /dev, and so has no slash before it: `pf` for \
               `/dev/pf`.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "freebsd": {"devices": [{"path": "pf"}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "freebsd": {"devices": [{"path": "/dev/pf"}]}}"#,
            "/freebsd/devices/0/path",
        )],
        check: |context, found| {
            for device in context.root.get("freebsd").get("devices").items() {
                let path = device.get("path");
                let Some(text) = path.as_str().filter(|text| text.starts_with('/')) else {
                    continue;
                };
                let draft = found.at(path, format!("{text:?} is not relative to /dev"));
                if let Some(name) = text.strip_prefix("/dev/").filter(|name| !name.is_empty()) {
                    let draft = draft.help(format!("`{name}`"));
                    if !name.contains(['"', '\\']) {
                        draft.replace(path, format!("\"{name}\""));
                    }
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "freebsd/own-network",
        clauses: &["config-freebsd.jail.own-vnet"],
        page: "A jail with a network stack of its own (`vnet` is `new`) has its own addresses in \
               it. `ip4` and `ip6` are about the stack that it shares with its parent, and should \
               not be set.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "freebsd": {"jail": {"vnet": "new"}}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "freebsd": {"jail": {"vnet": "new", "ip4": "inherit"}}}"#,
                "/freebsd/jail/ip4",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "freebsd": {"jail": {"vnet": "new", "ip6": "disable"}}}"#,
                "/freebsd/jail/ip6",
            ),
        ],
        check: |context, found| {
            let jail = context.root.get("freebsd").get("jail");
            let vnet = jail.get("vnet");
            if vnet.as_str() != Some("new") {
                return;
            }
            for name in ["ip4", "ip6"] {
                let value = jail.get(name);
                if value.is_set() {
                    found
                        .at(value, format!("`{name}` beside a network stack of its own"))
                        .related(vnet, "the jail's own stack")
                        .help("leave it out");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "freebsd/shared-network",
        clauses: &["config-freebsd.jail.shared-vnet"],
        page: "A jail that shares the network stack of its parent should have no `vnet`, and \
               `inherit` for `ip4` as well as for `ip6`.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "freebsd": {"jail": {"ip4": "inherit", "ip6": "inherit"}}}"#,
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "freebsd": {"jail": {"ip4": "disable", "ip6": "disable"}}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "freebsd": {"jail": {"vnet": "inherit", "ip4": "inherit", "ip6": "inherit"}}}"#,
                "/freebsd/jail/vnet",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "freebsd": {"jail": {"ip4": "inherit"}}}"#,
                "/freebsd/jail",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "freebsd": {"jail": {"ip4": "disable", "ip6": "inherit"}}}"#,
                "/freebsd/jail/ip4",
            ),
        ],
        check: |context, found| {
            let jail = context.root.get("freebsd").get("jail");
            let vnet = jail.get("vnet");
            if vnet.as_str() == Some("inherit") {
                found
                    .at(vnet, "a shared network stack needs no `vnet`")
                    .help("leave it out, with `inherit` for `ip4` and `ip6`");
            } else if vnet.is_set() {
                return;
            }
            for (one, other) in [("ip4", "ip6"), ("ip6", "ip4")] {
                let (shared, value) = (jail.get(one), jail.get(other));
                if shared.as_str() != Some("inherit") {
                    continue;
                }
                let help = format!("`\"{other}\": \"inherit\"`");
                let message = format!("`{one}` is inherited, and `{other}` is not");
                if !value.is_present() {
                    found
                        .lacking(jail, message)
                        .related(shared, "inherited")
                        .help(help);
                } else if value.as_str().is_some_and(|text| text != "inherit") {
                    found
                        .at(value, message)
                        .related(shared, "inherited")
                        .help(help);
                }
            }
        },
        ..Rule::SPEC
    },
];

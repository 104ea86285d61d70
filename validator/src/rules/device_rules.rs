//! `linux.resources.devices` (config-linux.md, Allowed Device list).

use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::resources::RESOURCES;

/// Rules about the access to devices.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "device-rules/access",
        clauses: &["config-linux.resources.devices.access.values"],
        page: "`access` is made of `r` (read), `w` (write) and `m` (make a node), in any order: \
               `rwm`, `r`.",
        accepts: &[resources!(
            r#"{"devices": [{"allow": true, "type": "c", "access": "rm"}]}"#
        )],
        rejects: &[(
            resources!(r#"{"devices": [{"allow": true, "type": "c", "access": "rx"}]}"#),
            "/linux/resources/devices/0/access",
        )],
        check: |context, found| {
            for rule in context.resources.get("devices").items() {
                let access = rule.get("access");
                let Some(text) = access.as_str() else {
                    continue;
                };
                if let Some(letter) = text
                    .chars()
                    .find(|letter| !matches!(letter, 'r' | 'w' | 'm'))
                {
                    found
                        .at(access, format!("{letter:?} is no access to a device"))
                        .help("a composition of r (read), w (write) and m (mknod)");
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "device-rules/number-range",
        severity: Severity::Error,
        source: "the devices controller of the kernel: numbers are 32 bits wide",
        page: "A number that is not there stands for all numbers; engines write -1 for that too. \
               Other negative numbers, and such as do not fit in 32 bits, are no device's.",
        accepts: &[resources!(
            r#"{"devices": [{"allow": true, "type": "c", "major": 136, "minor": -1, "access": "rw"}]}"#
        )],
        rejects: &[(
            resources!(
                r#"{"devices": [{"allow": true, "type": "c", "major": -2, "access": "rw"}]}"#
            ),
            "/linux/resources/devices/0/major",
        )],
        check: |context, found| {
            for rule in context.resources.get("devices").items() {
                for name in ["major", "minor"] {
                    let number = rule.get(name);
                    if let Some(value) = number.as_integer()
                        && !(-1..=i128::from(u32::MAX)).contains(&value)
                    {
                        found
                            .at(number, format!("{value} is no {name} number"))
                            .help("leave it out for all numbers");
                    }
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "device-rules/all-is-all",
        severity: Severity::Warning,
        source: "the devices controller of cgroup v1: behind `a` the kernel reads nothing more",
        page: "A rule of type `a`, which is also what a rule without type is, means all devices \
               with every access. In cgroup v1 the kernel reads nothing behind the `a`: numbers \
               that stand there are ignored, so that a rule meant for one device allows them all. \
               Give the type, `c` or `b`.",
        accepts: &[
            resources!(r#"{"devices": [{"allow": false, "access": "rwm"}]}"#),
            resources!(
                r#"{"devices": [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]}"#
            ),
        ],
        rejects: &[(
            resources!(
                r#"{"devices": [{"allow": true, "major": 10, "minor": 229, "access": "rw"}]}"#
            ),
            "/linux/resources/devices/0",
        )],
        check: |context, found| {
            for rule in context.resources.get("devices").items() {
                let its_type = rule.get("type");
                let all = !its_type.is_set() || its_type.as_str() == Some("a");
                let one = |number: Value<'_>| number.as_integer().is_some_and(|number| number >= 0);
                if all && (one(rule.get("major")) || one(rule.get("minor"))) {
                    found
                        .lacking(
                            rule,
                            "a rule for all types of devices has numbers, which the kernel ignores",
                        )
                        .help("give the type: `c` for character devices, `b` for block devices");
                }
            }
        },
        ..RESOURCES
    },
];

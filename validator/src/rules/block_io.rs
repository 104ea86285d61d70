//! `linux.resources.blockIO` (config-linux.md, Block IO).

use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::devices;
use crate::rules::lists::duplicates;
use crate::rules::resources::RESOURCES;

/// Rules about block devices' bandwidth.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "block-io/device-weight",
        clauses: &["config-linux.resources.blockIO.weightDevice.one-of"],
        page: "An entry of `weightDevice` gives a device a `weight`, a `leafWeight`, or both. \
               Without either it says nothing.",
        accepts: &[resources!(
            r#"{"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 500, "leafWeight": 300}]}}"#
        )],
        rejects: &[(
            resources!(r#"{"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}}"#),
            "/linux/resources/blockIO/weightDevice/0",
        )],
        check: |context, found| {
            let entries = context.resources.get("blockIO").get("weightDevice").items();
            for entry in entries.filter(|entry| entry.members().next().is_some()) {
                if !entry.get("weight").is_set() && !entry.get("leafWeight").is_set() {
                    found
                        .lacking(entry, "neither `weight` nor `leafWeight` is here")
                        .help("at least one of the two");
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "block-io/weight-range",
        severity: Severity::Warning,
        source: "the kernel's documents on the blkio and io controllers: 10 to 1000",
        page: "Weights go from 10 to 1000. BFQ has 1 to 9 too, and no scheduler of cgroup v1 has \
               more than 1000. 0 is how engines write what is not set.",
        accepts: &[resources!(r#"{"blockIO": {"weight": 10}}"#)],
        rejects: &[
            (
                resources!(r#"{"blockIO": {"weight": 5}}"#),
                "/linux/resources/blockIO/weight",
            ),
            (
                resources!(
                    r#"{"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "leafWeight": 1001}]}}"#
                ),
                "/linux/resources/blockIO/weightDevice/0/leafWeight",
            ),
        ],
        check: |context, found| {
            let block_io = context.resources.get("blockIO");
            let owners = std::iter::once(block_io).chain(block_io.get("weightDevice").items());
            for owner in owners {
                for name in ["weight", "leafWeight"] {
                    let weight = owner.get(name);
                    match weight.as_integer() {
                        Some(1..=9) => {
                            found
                                .at(weight, format!("a weight of {}", weight.text()))
                                .help("from 10 to 1000; less is for BFQ alone");
                        }
                        Some(number) if number > 1000 => {
                            found
                                .at(
                                    weight,
                                    format!("a weight of {number}: the kernel has none above 1000"),
                                )
                                .help("from 10 to 1000")
                                .only(Severity::Error);
                        }
                        _ => {}
                    }
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "block-io/device-number",
        severity: Severity::Error,
        source: "the kernel has 12 bits for a major number and 20 for a minor number",
        page: "The kernel knows major numbers up to 4095 and minor numbers up to 1048575. No block \
               device has higher or negative ones.",
        accepts: &[resources!(
            r#"{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}]}}"#
        )],
        rejects: &[(
            resources!(
                r#"{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": -1, "rate": 1}]}}"#
            ),
            "/linux/resources/blockIO/throttleReadBpsDevice/0/minor",
        )],
        check: |context, found| {
            for (_, list) in lists(context.resources) {
                for entry in list.items() {
                    devices::number_range(entry, found);
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "block-io/device-unique",
        severity: Severity::Warning,
        source: "the kernel's document on the blkio controller: the last value written holds",
        page: "A list has two entries for one device. The kernel keeps what was written last, so \
               that one of them has no effect.",
        accepts: &[resources!(
            r#"{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}], "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 1}]}}"#
        )],
        rejects: &[(
            resources!(
                r#"{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}, {"major": 8, "minor": 0, "rate": 2}]}}"#
            ),
            "/linux/resources/blockIO/throttleReadBpsDevice/1",
        )],
        check: |context, found| {
            for (_, list) in lists(context.resources) {
                let numbers = || {
                    list.items().filter_map(|entry| {
                        let major = entry.get("major").as_integer()?;
                        Some(((major, entry.get("minor").as_integer()?), entry))
                    })
                };
                duplicates(numbers, |(major, minor), first, again| {
                    found
                        .at(
                            again,
                            format!("a second entry for the device {major}:{minor}"),
                        )
                        .related(first, "the first one");
                });
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "block-io/rate-not-zero",
        severity: Severity::Warning,
        source: "the kernel's documents on throttling: 0 removes the limit in v1, and is ERANGE in v2",
        page: "A rate of 0 does not stop a device: cgroup v1 takes it for no limit, and v2 refuses \
               it. To keep a container from a device, deny it in `linux.resources.devices`; for no \
               limit, leave the entry out.",
        accepts: &[resources!(
            r#"{"blockIO": {"throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 1}]}}"#
        )],
        rejects: &[(
            resources!(
                r#"{"blockIO": {"throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 0}]}}"#
            ),
            "/linux/resources/blockIO/throttleReadIOPSDevice/0/rate",
        )],
        check: |context, found| {
            for (_, list) in lists(context.resources).filter(|(name, _)| *name != "weightDevice") {
                for entry in list.items() {
                    let rate = entry.get("rate");
                    if rate.as_integer() == Some(0) {
                        found
                            .at(
                                rate,
                                "a rate of 0 is no limit in cgroup v1 and an error in v2",
                            )
                            .help("leave the entry out for no limit");
                    }
                }
            }
        },
        ..RESOURCES
    },
];

/// The lists that have entries for devices.
fn lists(resources: Value<'_>) -> impl Iterator<Item = (&'static str, Value<'_>)> {
    let block_io = resources.get("blockIO");
    [
        "weightDevice",
        "throttleReadBpsDevice",
        "throttleWriteBpsDevice",
        "throttleReadIOPSDevice",
        "throttleWriteIOPSDevice",
    ]
    .into_iter()
    .map(move |name| (name, block_io.get(name)))
}

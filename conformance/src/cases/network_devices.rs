//! Network devices that are moved into the container's network namespace.

use serde_json::{Value, json};

use super::link::{self, Device};
use super::told::told;
use crate::case::{Case, Need};
use crate::host;
use crate::trial::{Refusal, Stop, Trial, When};

const AVAILABLE: &str = "config-linux.netDevices.available";
const NAME: &str = "config-linux.netDevices.name.effect";
const SAME_NAME: &str = "config-linux.netDevices.name.default";
const ATTRIBUTES: &str = "config-linux.netDevices.attributes";
const ADDRESSES: &str = "config-linux.netDevices.addresses";
const UP: &str = "config-linux.netDevices.up";
const CHECK: &str = "config-linux.netDevices.check";
const CONFLICT: &str = "config-linux.netDevices.conflict";
const NO_MOVE_BACK: &str = "config-linux.netDevices.no-move-back";
const TEMPLATE: &str = "config-linux.netDevices.template";
const NOTHING: &str = "runtime.errors.unchanged";

/// Devices are the kernel's: a virtual machine gets them in ways that are not judged here.
/// Without the last a runtime is not shown the namespace of a process that cannot be dumped.
const NEEDS: &[Need] = &[
    Need::Root,
    Need::SharedKernel,
    Need::Namespace("net"),
    Need::Capability("CAP_SYS_PTRACE"),
];

const FIRST: Device = Device {
    name: "judged0",
    index: 7001,
    mtu: 1357,
    mac: [0x02, 0x42, 0x6f, 0x63, 0x69, 0x01],
    address: ([192, 0, 2, 7], 24),
};
const SECOND: Device = Device {
    name: "judged1",
    index: 7002,
    mtu: 1246,
    mac: [0x02, 0x42, 0x6f, 0x63, 0x69, 0x02],
    address: ([198, 51, 100, 9], 28),
};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "network-devices/are-moved-with-all-that-they-have",
        judges: &[AVAILABLE, NAME, SAME_NAME, ATTRIBUTES, ADDRESSES, UP],
        needs: NEEDS,
        run: are_moved,
    },
    Case {
        id: "network-devices/a-template-gets-a-number",
        judges: &[TEMPLATE],
        needs: NEEDS,
        run: |trial| {
            make(trial, &FIRST)?;
            trial.set(
                "/linux/netDevices",
                json!({FIRST.name: {"name": "chosen%d"}}),
            );
            let devices = devices(trial)?;
            let name = devices
                .iter()
                .filter_map(|device| device["name"].as_str())
                .find_map(|name| {
                    let number = name.strip_prefix("chosen")?;
                    number.parse::<u32>().ok()
                });
            trial.expect_that(TEMPLATE, name.is_some(), "chosen and a number", devices)
        },
    },
    Case {
        id: "network-devices/a-name-that-is-taken-is-an-error",
        judges: &[CONFLICT, AVAILABLE, NOTHING],
        needs: NEEDS,
        run: |trial| {
            // Every network namespace has a device lo.
            let refused = json!({FIRST.name: {"name": "lo"}});
            is_an_error(
                trial,
                CONFLICT,
                "a name that the container has already",
                refused,
            )
        },
    },
    Case {
        id: "network-devices/a-device-that-is-not-there-is-an-error",
        judges: &[CHECK, AVAILABLE, NOTHING],
        needs: NEEDS,
        run: |trial| {
            let refused = json!({"judged9": {}});
            is_an_error(trial, CHECK, "a device that does not exist", refused)
        },
    },
    Case {
        id: "network-devices/stay-in-a-namespace-that-outlives-the-container",
        judges: &[NO_MOVE_BACK],
        needs: NEEDS,
        run: stay,
    },
];

fn are_moved(trial: &mut Trial) -> Result<(), Stop> {
    make(trial, &FIRST)?;
    make(trial, &SECOND)?;
    trial.set(
        "/linux/netDevices",
        json!({FIRST.name: {"name": "chosen"}, SECOND.name: {}}),
    );
    let devices = devices(trial)?;
    let of = |name: &str| {
        let device = devices.iter().find(|device| device["name"] == name);
        device.cloned().unwrap_or(Value::Null)
    };
    let (renamed, kept) = (of("chosen"), of(SECOND.name));
    let names: Vec<&Value> = devices.iter().map(|device| &device["name"]).collect();
    let expected = "the device chosen";
    trial.expect_that(
        AVAILABLE,
        !renamed.is_null() && !kept.is_null(),
        "both devices",
        &names,
    )?;
    trial.expect_that(NAME, !renamed.is_null(), expected, &names)?;
    trial.expect_that(
        SAME_NAME,
        !kept.is_null(),
        format!("the device {}", SECOND.name),
        &names,
    )?;
    for (device, seen) in [(&FIRST, &renamed), (&SECOND, &kept)] {
        trial.expect_in(ATTRIBUTES, "the MTU", device.mtu, &seen["mtu"])?;
        let mac = device.mac.map(|octet| format!("{octet:02x}")).join(":");
        trial.expect_in(ATTRIBUTES, "the hardware address", mac, &seen["mac"])?;
        let (address, prefix) = device.address;
        let address = format!(
            "{}/{prefix}",
            address.map(|octet| octet.to_string()).join(".")
        );
        let holds = seen["addresses"]
            .as_array()
            .is_some_and(|all| all.contains(&json!(address)));
        trial.expect_that(ADDRESSES, holds, address, &seen["addresses"])?;
        trial.expect(UP, true, &seen["up"])?;
    }
    Ok(())
}

/// The namespace is another container's, so that it is there to be looked at after delete.
fn stay(trial: &mut Trial) -> Result<(), Stop> {
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let Some(holder) = trial.pid() else {
        return Err(Stop::NoReport(
            "neither the pid file nor the state has a pid".into(),
        ));
    };
    trial.another()?;
    make(trial, &FIRST)?;
    let path = format!("/proc/{holder}/ns/net");
    trial.add_namespace(json!({"type": "network", "path": path}));
    trial.set("/linux/netDevices", json!({FIRST.name: {"name": "chosen"}}));
    trial.run_to_end()?;
    // The harness's own namespace is the one that the device came from.
    let observed = json!({
        "the runtime's": names_in("self").iter().any(|name| name == "chosen" || name == FIRST.name),
        "the container's": names_in(&holder.to_string()).iter().any(|name| name == "chosen"),
    });
    let expected = json!({"the runtime's": false, "the container's": true});
    let what = "where the device is after delete";
    trial.expect_in(NO_MOVE_BACK, what, expected, observed)?;
    trial.switch_to(0);
    trial.finish()
}

/// Names of the devices in the network namespace of a process.
fn names_in(process: &str) -> Vec<String> {
    let names = host::read(format!("/proc/{process}/net/dev"));
    names
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
        .collect()
}

fn is_an_error(
    trial: &mut Trial,
    error: &'static str,
    what: &'static str,
    refused: Value,
) -> Result<(), Stop> {
    make(trial, &FIRST)?;
    trial.set("/linux/netDevices", json!({FIRST.name: {"name": "chosen"}}));
    trial.probe(&["network"]);
    let refusal = Refusal {
        error,
        nothing: Some(NOTHING),
        control: AVAILABLE,
        when: When::Create,
        what,
    };
    // The control's container took its device away with it, or should have.
    let mut made = Ok(());
    trial.refuses(&refusal, |bundle| {
        made = link::add(&Device {
            name: FIRST.name,
            index: FIRST.index + 10,
            ..FIRST
        });
        bundle.set("/linux/netDevices", refused);
    })?;
    made
}

/// Runs the container and tells what devices it sees.
fn devices(trial: &mut Trial) -> Result<Vec<Value>, Stop> {
    trial.probe(&["network"]);
    let lines = trial.run_to_end()?;
    Ok(told(&lines, "network", &[])?
        .value
        .as_array()
        .cloned()
        .unwrap_or_default())
}

fn make(trial: &mut Trial, device: &Device) -> Result<(), Stop> {
    let ([a, b, c, d], prefix) = device.address;
    let name = device.name;
    trial.by_hand(format!(
        "ip link add {name} mtu {} type dummy && ip address add {a}.{b}.{c}.{d}/{prefix} dev {name}",
        device.mtu
    ));
    link::add(device)
}

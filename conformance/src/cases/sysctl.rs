//! Kernel parameters of the container's namespaces, and those that are the host's.

use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::trial::{Refusal, Stop, Trial, When};

const EFFECT: &str = "config-linux.sysctl.effect";
const HOSTS: &str = "config-linux.sysctl.not-namespaced";
const NOTHING: &str = "runtime.errors.unchanged";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "sysctl/parameters-of-the-network-namespace-are-set",
        judges: &[EFFECT],
        needs: &[],
        run: |trial| {
            // Both are there in a user namespace too; older kernels (6.1) keep net.core out of it.
            let rows = [
                ("net.ipv4.ip_forward", "1"),
                ("net.ipv4.ip_unprivileged_port_start", "311"),
            ];
            are_set(trial, &rows)
        },
    },
    Case {
        id: "sysctl/parameters-of-the-ipc-namespace-are-set",
        judges: &[EFFECT],
        needs: &[Need::Root],
        run: |trial| {
            let rows = [("kernel.msgmax", "4711"), ("kernel.shm_rmid_forced", "1")];
            are_set(trial, &rows)
        },
    },
    Case {
        id: "sysctl/the-parameter-of-the-uts-namespace-is-set",
        judges: &[EFFECT],
        needs: &[Need::Root],
        run: |trial| are_set(trial, &[("kernel.domainname", "by-sysctl")]),
    },
    Case {
        // The value is the one that the host has already: whatever a runtime does, nothing changes.
        // Only a shared kernel's parameter is the host's; a virtual machine may own it.
        id: "sysctl/a-parameter-of-the-host-is-an-error",
        judges: &[HOSTS, EFFECT, NOTHING],
        needs: &[
            Need::Root,
            Need::SharedKernel,
            Need::Path("/proc/sys/vm/swappiness"),
        ],
        run: a_parameter_of_the_host_is_an_error,
    },
];

fn are_set(trial: &mut Trial, rows: &[(&str, &str)]) -> Result<(), Stop> {
    let mut arguments = vec!["observe".to_owned()];
    for (name, value) in rows {
        trial.set(&format!("/linux/sysctl/{name}"), *value);
        arguments.push(format!("sysctl={name}"));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    trial.probe(&arguments);
    let world = trial.observe()?;
    for (name, value) in rows {
        let seen = world
            .sysctls
            .get(*name)
            .map_or(Value::Null, |value| json!(value));
        trial.expect_in(EFFECT, name, value, seen)?;
    }
    Ok(())
}

fn a_parameter_of_the_host_is_an_error(trial: &mut Trial) -> Result<(), Stop> {
    let value = crate::host::read("/proc/sys/vm/swappiness")
        .trim()
        .to_owned();
    trial.set("/linux/sysctl/net.core.somaxconn", "311");
    let refusal = Refusal {
        error: HOSTS,
        nothing: Some(NOTHING),
        control: EFFECT,
        when: When::Create,
        what: "vm.swappiness, which is in no namespace",
    };
    trial.refuses(&refusal, |bundle| {
        bundle.set("/linux/sysctl/vm.swappiness", value)
    })
}

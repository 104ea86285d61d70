//! `features`: what the runtime implements, whatever the host can do.

use crate::state::SPEC_VERSION;
use crate::{hooks, memory_policy, mounts, namespaces, process, seccomp};
use serde_json::{Value, json};

/// The features document.
pub(crate) fn document() -> Value {
    let sorted = |mut names: Vec<&'static str>| {
        names.sort_unstable();
        names
    };
    let first = |table: &'static [(&'static str, i32)]| {
        table.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    };
    let [actions, operators, architectures, flags] = seccomp::names();
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPEC_VERSION,
        "hooks": hooks::NAMES,
        // None: annotations are told to hooks and in the state, and change nothing else.
        "potentiallyUnsafeConfigAnnotations": [],
        "mountOptions": mounts::options::names().collect::<Vec<_>>(),
        "linux": {
            "namespaces": sorted(namespaces::TYPES.iter().map(|(name, _)| *name).collect()),
            "capabilities": process::capabilities::NAMES,
            "cgroup": {"v1": true, "v2": true, "systemd": false, "systemdUser": false, "rdma": true},
            "seccomp": {
                "enabled": true,
                "actions": actions,
                "operators": operators,
                "archs": architectures,
                "knownFlags": flags,
                "supportedFlags": flags
            },
            "apparmor": {"enabled": true},
            "selinux": {"enabled": true},
            "memoryPolicy": {"modes": first(memory_policy::MODES), "flags": first(memory_policy::FLAGS)},
            "intelRdt": {"enabled": true, "schemata": true, "monitoring": true},
            "mountExtensions": {"idmap": {"enabled": true}},
            "netDevices": {"enabled": true}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_specification_is_recognised() {
        let features = document();
        let options: Vec<&str> = features["mountOptions"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        for option in [
            "bind",
            "rro",
            "nosymfollow",
            "ridmap",
            "tmpcopyup",
            "rnodev",
            "unbindable",
            "defaults",
            "loud",
        ] {
            assert!(options.contains(&option), "{option}");
        }
        assert_eq!(features["linux"]["namespaces"].as_array().unwrap().len(), 8);
    }
}

//! The features document, held against what the runtime does: what it lists is accepted and has an
//! effect or a refusal that names what the host lacks, and what it does not list is refused.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use support::{Bundle, failed, skipped, succeeded};

#[test]
fn the_document_is_valid_and_complete() {
    let document = features();
    for object in [
        "/linux/namespaces",
        "/linux/capabilities",
        "/linux/cgroup/v1",
        "/linux/cgroup/v2",
        "/linux/cgroup/systemd",
        "/linux/cgroup/systemdUser",
        "/linux/cgroup/rdma",
        "/linux/seccomp/enabled",
        "/linux/apparmor/enabled",
        "/linux/selinux/enabled",
        "/linux/intelRdt/enabled",
        "/linux/intelRdt/schemata",
        "/linux/intelRdt/monitoring",
        "/linux/memoryPolicy/modes",
        "/linux/memoryPolicy/flags",
        "/linux/mountExtensions/idmap/enabled",
        "/linux/netDevices/enabled",
        "/potentiallyUnsafeConfigAnnotations",
    ] {
        assert!(document.pointer(object).is_some(), "{object} is missing");
    }
    for (list, length) in [("/hooks", 6), ("/linux/namespaces", 8)] {
        assert_eq!(names(list).len(), length, "{list}");
    }
    for list in [
        "/mountOptions",
        "/linux/capabilities",
        "/linux/seccomp/archs",
    ] {
        let names = names(list);
        let unique: BTreeSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{list}");
    }
}

#[test]
fn every_version_from_the_least_to_the_greatest_is_accepted() {
    if skipped() {
        return;
    }
    let document = features();
    for name in ["ociVersionMin", "ociVersionMax"] {
        let bundle =
            Bundle::new("feature-version", "echo ran").set("/ociVersion", document[name].clone());
        assert_eq!(bundle.run(), "ran\n", "{name}");
    }
    let bundle = Bundle::new("feature-version-2", "").set("/ociVersion", json!("2.0.0"));
    assert!(failed(&bundle.create()).contains("/ociVersion"));
}

#[test]
fn every_hook_of_the_list_runs() {
    if skipped() {
        return;
    }
    let listed = names("/hooks");
    let mut bundle = Bundle::new("feature-hooks", "true");
    let record = bundle.file("hooks");
    // startContainer runs in the container, which sees the record by a bind mount.
    fs::write(&record, "").unwrap();
    let mount = json!({"destination": "/scratch/hooks", "source": record, "options": ["bind"]});
    bundle = bundle.set("/mounts/-", mount);
    for name in &listed {
        let place = match name.as_str() {
            "startContainer" => "/scratch/hooks".to_owned(),
            _ => record.display().to_string(),
        };
        let script = format!("cat > /dev/null; echo {name} >> {place}");
        let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
        bundle = bundle.set(&format!("/hooks/{name}"), hook);
    }
    // In the rootfs that is not yet pivoted, the path is the same.
    bundle.run();
    let ran = fs::read_to_string(&record).unwrap();
    assert_eq!(ran.lines().collect::<Vec<_>>(), listed);
}

#[test]
fn every_namespace_of_the_list_is_made() {
    if skipped() {
        return;
    }
    let script = "for kind in cgroup ipc mnt net pid time user uts; do \
                  echo $kind $(readlink /proc/self/ns/$kind); done";
    let listed = names("/linux/namespaces");
    let entries: Vec<Value> = listed.iter().map(|name| json!({"type": name})).collect();
    let maps = json!([{"containerID": 0, "hostID": 0, "size": 1000}]);
    let bundle = Bundle::new("feature-namespaces", script)
        .set("/linux/namespaces", json!(entries))
        .set("/linux/uidMappings", maps.clone())
        .set("/linux/gidMappings", maps);
    let printed = bundle.run();
    assert_eq!(printed.lines().count(), listed.len());
    for line in printed.lines() {
        let (kind, inode) = line.split_once(' ').unwrap();
        let own = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(own.to_str().unwrap(), inode, "{kind} is the host's");
    }
    let bundle =
        Bundle::new("feature-namespace", "").set("/linux/namespaces/-", json!({"type": "syslog"}));
    assert!(failed(&bundle.create()).contains("/linux/namespaces/6/type"));
}

#[test]
fn every_mount_option_of_the_list_is_accepted_and_no_other() {
    if skipped() {
        return;
    }
    let mut bundle = Bundle::new("feature-options", "echo ran");
    let source = bundle.file("source");
    fs::create_dir(&source).unwrap();
    let map = json!([{"containerID": 0, "hostID": 0, "size": 1000}]);
    for option in names("/mountOptions") {
        let destination = format!("/scratch/{option}");
        let bound =
            json!({"destination": destination, "source": source, "options": ["rbind", option]});
        let made = json!({"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": [option]});
        match option.as_str() {
            // These concern the filesystem, which a bind mount does not make.
            "async" | "dirsync" | "iversion" | "lazytime" | "loud" | "mand" | "noiversion"
            | "nolazytime" | "nomand" | "silent" | "sync" | "tmpcopyup" => {
                bundle = bundle.set("/mounts/-", made);
            }
            "idmap" | "ridmap" => {
                let mut mapped = bound;
                mapped["uidMappings"] = map.clone();
                mapped["gidMappings"] = map.clone();
                bundle = bundle.set("/mounts/-", mapped);
            }
            "remount" => {
                let mut first = made.clone();
                first["options"] = json!([]);
                bundle = bundle.set("/mounts/-", first).set("/mounts/-", made);
            }
            _ => bundle = bundle.set("/mounts/-", bound),
        }
    }
    assert_eq!(bundle.run(), "ran\n");

    // An unknown option is the filesystem's own, which refuses it. A bind mount makes none that
    // could be asked: there it is told to be ignored, since engines leave words of their own in.
    let option = |kind, options| json!({"destination": "/scratch/x", "type": kind, "source": "/tmp", "options": options});
    let unknown = option("tmpfs", json!(["nocolour"]));
    let bundle = Bundle::new("feature-option", "").set("/mounts/-", unknown);
    let error = failed(&bundle.create());
    assert!(
        error.contains("/mounts/") && error.contains("nocolour"),
        "{error}"
    );
    let unknown = option("none", json!(["bind", "nocolour"]));
    let bundle = Bundle::new("feature-bind-option", "").set("/mounts/-", unknown);
    let created = bundle.create();
    succeeded(&created);
    let warning = String::from_utf8_lossy(&created.stderr);
    assert!(
        warning.contains("/options: \"nocolour\" is for a filesystem"),
        "{warning}"
    );
}

#[test]
fn a_mount_that_cannot_be_idmapped_is_refused() {
    if skipped() {
        return;
    }
    let map = json!([{"containerID": 0, "hostID": 0, "size": 1000}]);
    let mount = json!({"destination": "/tmp", "options": ["remount", "idmap"], "uidMappings": map, "gidMappings": map});
    let bundle = Bundle::new("feature-remap", "")
        .set("/mounts/-", json!({"destination": "/tmp", "type": "tmpfs"}))
        .set("/mounts/-", mount);
    let error = failed(&bundle.create());
    assert!(error.contains("neither a remount nor"), "{error}");
}

#[test]
fn the_capabilities_are_those_that_kernels_know() {
    if skipped() {
        return;
    }
    let listed = names("/linux/capabilities");
    let last = fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
    let known = last.trim().parse::<usize>().unwrap() + 1;
    assert!(listed.len() >= known, "the kernel knows {known}");
    let bundle = Bundle::new("feature-capabilities", "grep CapBnd /proc/self/status")
        .set("/process/capabilities/bounding", json!(listed));
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find(|line| line.starts_with("CapBnd")).unwrap();
    assert_eq!(bundle.run().trim(), own);
}

#[test]
fn every_word_of_seccomp_is_compiled_and_no_other() {
    if skipped() {
        return;
    }
    // Nothing in the container makes these calls.
    let unused = [
        "acct", "swapon", "swapoff", "quotactl", "reboot", "uselib", "ustat", "sysfs",
    ];
    let mut rules = Vec::new();
    for (action, call) in names("/linux/seccomp/actions")
        .iter()
        // Who is notified is the matter of the tests of listeners.
        .filter(|action| !matches!(action.as_str(), "SCMP_ACT_NOTIFY" | "SCMP_ACT_ALLOW"))
        .zip(unused)
    {
        rules.push(json!({"names": [call], "action": action}));
    }
    for operator in names("/linux/seccomp/operators") {
        let condition = json!([{"index": 5, "value": 7, "valueTwo": 7, "op": operator}]);
        rules.push(json!({"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO", "args": condition}));
    }
    assert_eq!(
        names("/linux/seccomp/knownFlags"),
        names("/linux/seccomp/supportedFlags")
    );
    let flags: Vec<String> = names("/linux/seccomp/supportedFlags")
        .into_iter()
        .filter(|flag| flag != "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")
        .collect();
    let seccomp = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": names("/linux/seccomp/archs"),
        "flags": flags,
        "syscalls": rules,
    });
    let script = "grep -E '^Seccomp(_filters)?:' /proc/self/status | tr -d '\\t\\n'";
    let bundle = Bundle::new("feature-seccomp", script).set("/linux/seccomp", seccomp);
    assert_eq!(bundle.run().trim(), "Seccomp:2Seccomp_filters:1");

    for (pointer, word) in [
        ("/linux/seccomp/defaultAction", json!("SCMP_ACT_FREEZE")),
        ("/linux/seccomp/architectures", json!(["SCMP_ARCH_VAX"])),
        ("/linux/seccomp/flags", json!(["SECCOMP_FILTER_FLAG_NONE"])),
        ("/linux/seccomp/syscalls/0/action", json!("SCMP_ACT_FREEZE")),
        (
            "/linux/seccomp/syscalls/0/args/0/op",
            json!("SCMP_CMP_LIKE"),
        ),
    ] {
        let rule = json!({"names": ["acct"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]});
        let bundle = Bundle::new("feature-seccomp-word", "")
            .set(
                "/linux/seccomp",
                json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}),
            )
            .set(pointer, word);
        let error = failed(&bundle.create());
        assert!(error.contains(pointer), "{pointer}: {error}");
    }
}

#[test]
fn every_mode_and_flag_of_memory_policies_is_known() {
    if skipped() {
        return;
    }
    let with_flag = |flag: &str| match flag {
        "MPOL_F_NUMA_BALANCING" => ("MPOL_BIND", json!([flag])),
        _ => ("MPOL_INTERLEAVE", json!([flag])),
    };
    let modes = names("/linux/memoryPolicy/modes");
    let flags = names("/linux/memoryPolicy/flags");
    let policies = modes
        .iter()
        .map(|mode| (mode.as_str(), json!([])))
        .chain(flags.iter().map(|flag| with_flag(flag)));
    for (mode, flags) in policies {
        let mut policy = json!({"mode": mode, "flags": flags});
        if !matches!(mode, "MPOL_DEFAULT" | "MPOL_LOCAL") {
            policy["nodes"] = json!("0");
        }
        let bundle =
            Bundle::new("feature-policy", "echo ran").set("/linux/memoryPolicy", policy.clone());
        let created = bundle.create();
        if created.status.success() {
            succeeded(&bundle.refrun(&["start", &bundle.id]));
            bundle.wait_for("stopped");
            assert_eq!(bundle.printed(), "ran\n", "{policy}");
        } else {
            // A mode that is newer than the kernel: refused by the kernel, not by ignorance.
            let error = failed(&created);
            assert!(
                error.contains("/linux/memoryPolicy: set_mempolicy("),
                "{policy}: {error}"
            );
        }
    }
    for (pointer, word) in [
        ("mode", json!("MPOL_RANDOM")),
        ("flags", json!(["MPOL_F_LAZY"])),
    ] {
        let bundle = Bundle::new("feature-policy-word", "")
            .set(
                "/linux/memoryPolicy",
                json!({"mode": "MPOL_INTERLEAVE", "nodes": "0"}),
            )
            .set(&format!("/linux/memoryPolicy/{pointer}"), word);
        let error = failed(&bundle.create());
        assert!(
            error.contains(&format!("/linux/memoryPolicy/{pointer}")),
            "{error}"
        );
    }
}

#[test]
fn what_is_enabled_is_done_or_refused_by_the_name_of_what_the_host_lacks() {
    if skipped() {
        return;
    }
    let document = features();
    let exists = |path: &str| std::path::Path::new(path).exists();
    // What says so, the property, its value, how it is refused, and whether this host has it.
    let rows = [
        (
            "/linux/apparmor/enabled",
            "/process/apparmorProfile",
            json!("unconfined"),
            "AppArmor is not enabled",
            exists("/sys/kernel/security/apparmor"),
        ),
        (
            "/linux/selinux/enabled",
            "/process/selinuxLabel",
            json!("system_u:system_r:container_t:s0"),
            "SELinux is not enabled",
            exists("/sys/fs/selinux/enforce"),
        ),
        (
            "/linux/selinux/enabled",
            "/linux/mountLabel",
            json!("system_u:object_r:container_file_t:s0"),
            "SELinux is not enabled",
            exists("/sys/fs/selinux/enforce"),
        ),
        (
            "/linux/intelRdt/enabled",
            "/linux/intelRdt",
            json!({"closID": "x"}),
            "resctrl",
            exists("/sys/fs/resctrl/schemata"),
        ),
        (
            "/linux/netDevices/enabled",
            "/linux/netDevices",
            json!({"refrun-none": {}}),
            "refrun-none",
            false,
        ),
        (
            "/linux/cgroup/rdma",
            "/linux/resources/rdma",
            json!({"mlx0": {"hcaHandles": 1}}),
            "/linux/resources/rdma",
            false,
        ),
    ];
    for (flag, pointer, value, refusal, is_there) in rows {
        assert_eq!(document.pointer(flag), Some(&json!(true)), "{flag}");
        let bundle = Bundle::new("feature-enabled", "").set(pointer, value);
        if !is_there {
            let error = failed(&bundle.create());
            assert!(
                error.contains(pointer) && error.contains(refusal),
                "{pointer}: {error}"
            );
        }
    }
}

/// What the command prints.
fn features() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_refrun"))
        .arg("features")
        .output()
        .unwrap();
    succeeded(&output);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A list of names in it.
fn names(pointer: &str) -> Vec<String> {
    let document = features();
    let list = document.pointer(pointer).and_then(Value::as_array);
    let list = list.unwrap_or_else(|| panic!("{pointer} is no list"));
    list.iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

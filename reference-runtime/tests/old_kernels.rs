//! Kernels that lack a system call: the fallback does the same, or says what is missing.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::process::{Output, Stdio};
use support::{Bundle, failed, skipped, succeeded, sys};

/// Runs a container under a kernel without mount_setattr(2), or with it.
fn run(bundle: &Bundle, lacking: bool) -> Output {
    fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
    let path = bundle.path();
    let mut command = bundle.command(&["run", "--bundle", path.to_str().unwrap(), &bundle.id]);
    if lacking {
        sys::without_call(&mut command, libc::SYS_mount_setattr);
    }
    command.stdin(Stdio::null()).output().unwrap()
}

fn mount(destination: &str, kind: &str, options: &[&str]) -> Value {
    json!({"destination": destination, "type": kind, "source": "/usr", "options": options})
}

#[test]
fn mounts_are_the_same_without_mount_setattr() {
    if skipped() {
        return;
    }
    // Where each is mounted, its options, and whether it gets or gives what is mounted elsewhere.
    let script = "while read -r id parent device root point options rest; do \
                  case \"$rest\" in master*) rest=slave;; shared*) rest=shared;; *) rest=alone;; esac; \
                  echo \"$point $options $rest\"; done < /proc/self/mountinfo; \
                  touch /not 2>/dev/null; touch /proc/sys/kernel/x 2>/dev/null; cat /proc/keys";
    let make = |name: &str| {
        Bundle::new(name, script)
            .set("/root/readonly", json!(true))
            .set("/linux/maskedPaths", json!(["/proc/keys", "/proc/scsi"]))
            .set("/linux/readonlyPaths", json!(["/proc/sys", "/proc/bus"]))
            .set(
                "/mounts/-",
                mount("/scratch", "bind", &["bind", "ro", "nosuid", "noatime"]),
            )
            .set(
                "/mounts/-",
                mount("/tmp", "tmpfs", &["ro", "nodev", "mode=700"]),
            )
            .set(
                "/mounts/-",
                mount("/sys", "sysfs", &["ro", "noexec", "rslave"]),
            )
            .set(
                "/mounts/-",
                mount("/sys/fs/cgroup", "cgroup", &["ro", "nosuid"]),
            )
            .set(
                "/mounts/-",
                mount("/tmp", "bind", &["rbind", "private", "nosymfollow"]),
            )
            .set(
                "/mounts/-",
                mount("/tmp", "", &["bind", "remount", "nodev"]),
            )
    };
    for propagation in ["private", "shared", "slave"] {
        let [with, without] = [false, true].map(|lacking| {
            let bundle = make(&format!("setattr-{lacking}-{propagation}"))
                .set("/linux/rootfsPropagation", json!(propagation));
            let output = run(&bundle, lacking);
            succeeded(&output);
            assert_eq!(bundle.remains(), Vec::<String>::new());
            String::from_utf8(output.stdout).unwrap()
        });
        assert!(with.lines().count() > 10, "{with}");
        assert_eq!(with, without, "{propagation}");
    }
}

#[test]
fn what_has_no_fallback_names_the_kernel_it_needs() {
    if skipped() {
        return;
    }
    let map = json!([{"containerID": 0, "hostID": 5, "size": 1}]);
    let mut mapped = mount("/scratch", "bind", &["bind"]);
    mapped["uidMappings"] = map.clone();
    mapped["gidMappings"] = map;
    for (index, mount) in [mount("/scratch", "bind", &["rbind", "rro"]), mapped]
        .into_iter()
        .enumerate()
    {
        let bundle = Bundle::new(&format!("newer-{index}"), "").set("/mounts/-", mount);
        let error = failed(&run(&bundle, true));
        assert!(error.contains("since Linux 5.12"), "{error}");
        assert!(error.contains("/mounts/"), "{error}");
        assert_eq!(bundle.remains(), Vec::<String>::new());
    }
}

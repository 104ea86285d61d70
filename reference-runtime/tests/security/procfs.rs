//! What the runtime writes to a procfs, and reads there, in a container whose /proc is a lie.

use crate::attacker::all_capabilities;
use crate::canary::Canary;
use crate::support::{Bundle, failed, skipped, succeeded, wait_until};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;

/// A container at whose /proc a directory of the host is mounted, and the procfs elsewhere.
fn with_false_procfs(name: &str, script: &str) -> Bundle {
    let bundle = Bundle::new(name, script);
    let lie = bundle.file("lie");
    for directory in [
        "sys/net/ipv4",
        "sys/kernel",
        "self/attr/apparmor",
        "self/fd",
        "thread-self",
    ] {
        fs::create_dir_all(lie.join(directory)).unwrap();
    }
    let mut bundle = bundle.set(
        "/mounts/-",
        json!({"destination": "/real", "type": "proc", "source": "proc"}),
    );
    bundle.config["mounts"][0] =
        json!({"destination": "/proc", "source": lie, "options": ["bind"]});
    bundle
}

/// CVE-2019-16884, CVE-2025-52881: what was meant for a kernel parameter, or for the label of the
/// program, was written to the file, or the link, that was mounted there.
#[test]
fn kernel_parameters_are_written_to_the_kernel() {
    if skipped() {
        return;
    }
    for kind in ["file", "link", "link to another parameter"] {
        let script = "cat /real/sys/net/ipv4/ip_forward /real/sys/kernel/domainname";
        let bundle = with_false_procfs("sysctl", script).set(
            "/linux/sysctl",
            json!({"net.ipv4.ip_forward": "1", "kernel.domainname": "inside"}),
        );
        let canary = Canary::plant(&bundle);
        for name in ["sys/net/ipv4/ip_forward", "sys/kernel/domainname"] {
            let path = bundle.file("lie").join(name);
            match kind {
                "file" => fs::write(path, "as it was").unwrap(),
                "link" => symlink(canary.root.join("file"), path).unwrap(),
                _ => symlink("/real/sys/kernel/hostname", path).unwrap(),
            }
        }
        assert_eq!(bundle.run(), "1\ninside\n", "{kind}");
        canary.is_untouched(kind);
        if kind == "file" {
            let path = bundle.file("lie/sys/net/ipv4/ip_forward");
            assert_eq!(fs::read_to_string(path).unwrap(), "as it was");
        }
    }
}

/// CVE-2025-52881, CVE-2024-21626: a container that has changed its /proc, its /dev, its users and
/// its root is entered by exec all the same, and diverts nothing.
#[test]
fn a_container_that_has_changed_everything_diverts_no_exec() {
    if skipped() {
        return;
    }
    let script = "mount -t tmpfs none /proc && mkdir -p /proc/self/fd /proc/self/attr /proc/thread-self && \
         for n in 0 1 2 3 4 5 6 7 8 9 10 11 12; do ln -s /lie/file /proc/self/fd/$n; done && \
         ln -s /lie/file /proc/self/attr/exec && ln -s /lie/file /proc/self/oom_score_adj && \
         mount -t tmpfs none /dev/pts && ln -s /lie/file /dev/pts/ptmx && \
         mount -t tmpfs none /scratch && touch /lie/ready && mkfifo /scratch/never && read line < /scratch/never";
    let bundle = Bundle::new("changed", script).set("/process/capabilities", all_capabilities());
    let canary = Canary::plant(&bundle);
    let lie = bundle.file("lie");
    fs::create_dir_all(bundle.path().join("rootfs/etc")).unwrap();
    fs::write(
        bundle.path().join("rootfs/etc/passwd"),
        "sh:x:0:0::/:/bin/sh\n0:x:77:77::/:\n",
    )
    .unwrap();
    fs::create_dir(&lie).unwrap();
    fs::write(lie.join("file"), "as it was").unwrap();
    let bundle = bundle.set(
        "/mounts/-",
        json!({"destination": "/lie", "source": lie, "options": ["bind"]}),
    );
    bundle.start();
    wait_until("it has changed everything", || lie.join("ready").exists());
    let oom = json!({"args": ["/bin/sh", "-c", "echo $(id -u) $(id -g)"], "cwd": "/", "oomScoreAdj": 500,
                     "env": ["PATH=/usr/bin:/bin"], "user": {"uid": 0, "gid": 0}});
    fs::write(bundle.file("process.json"), oom.to_string()).unwrap();
    let process = bundle.file("process.json");
    let output = bundle.refrun(&["exec", "--process", process.to_str().unwrap(), &bundle.id]);
    succeeded(&output);
    // Users are numbers: nobody asks the image who they are.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0 0\n");
    assert!(
        failed(&bundle.refrun(&["exec", "--user", "sh", &bundle.id, "true"])).contains("no user")
    );
    // A terminal is of a devpts or there is none.
    let terminal = bundle
        .command(&["exec", "--tty", &bundle.id, "true"])
        .stdin(Stdio::null())
        .output();
    assert!(failed(&terminal.unwrap()).contains("multiplexer"));
    assert_eq!(fs::read_to_string(lie.join("file")).unwrap(), "as it was");
    canary.is_untouched("exec");
    succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
    assert_eq!(bundle.remains(), Vec::<String>::new());
}

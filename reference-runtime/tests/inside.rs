//! What a process in a container sees and can do.

mod support;

use serde_json::json;
use support::{Bundle, failed, skipped, succeeded};

/// The value after a name in the form `Name:\tvalue`.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text
        .lines()
        .find(|line| line.starts_with(name))
        .unwrap_or_else(|| panic!("{name} in {text}"));
    line[name.len()..].trim_start_matches(':').trim()
}

#[test]
fn the_process_is_what_the_configuration_says() {
    if skipped() {
        return;
    }
    let script = "cat /proc/self/status; echo Umask2: $(umask); echo Cwd: $PWD; echo Env: $(env | sort | tr '\\n' ' '); \
                  echo Limit: $(ulimit -Sn) $(ulimit -Hn); echo Oom: $(cat /proc/self/oom_score_adj); ls -l /proc/self/fd";
    let printed = Bundle::new("process", script)
        .set(
            "/process/user",
            json!({"uid": 5, "gid": 6, "umask": 0o27, "additionalGids": [8, 7]}),
        )
        .set(
            "/process/capabilities",
            json!({"bounding": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL"],
             "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"], "effective": ["CAP_KILL"]}),
        )
        .set("/process/noNewPrivileges", json!(true))
        .set(
            "/process/rlimits",
            json!([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]),
        )
        .set("/process/oomScoreAdj", json!(123))
        .set("/process/cwd", json!("/tmp"))
        .set("/process/env", json!(["PATH=/usr/bin:/bin", "A=b"]))
        .run();
    assert_eq!(field(&printed, "Uid"), "5\t5\t5\t5");
    assert_eq!(field(&printed, "Gid"), "6\t6\t6\t6");
    assert_eq!(field(&printed, "Groups"), "7 8");
    for (set, value) in [
        ("CapInh", 0x20),
        ("CapPrm", 0x20),
        ("CapEff", 0x20),
        ("CapAmb", 0x20),
        ("CapBnd", 0x21),
    ] {
        assert_eq!(
            u64::from_str_radix(field(&printed, set), 16).unwrap(),
            value,
            "{set}"
        );
    }
    assert_eq!(field(&printed, "NoNewPrivs"), "1");
    assert_eq!(field(&printed, "Umask2"), "0027");
    assert_eq!(field(&printed, "Limit"), "100 200");
    assert_eq!(field(&printed, "Oom"), "123");
    assert_eq!(field(&printed, "Cwd"), "/tmp");
    assert!(field(&printed, "Env").contains("A=b") && !field(&printed, "Env").contains("HOME"));
    // The fourth is the directory that ls reads.
    assert_eq!(
        printed
            .lines()
            .filter(|line| line.contains(" -> ") || line.ends_with(" 3"))
            .count(),
        4,
        "{printed}"
    );
}

#[test]
fn nothing_listed_is_nothing_held() {
    if skipped() {
        return;
    }
    let printed = Bundle::new("powerless", "cat /proc/self/status").run();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(
            u64::from_str_radix(field(&printed, set), 16).unwrap(),
            0,
            "{set}"
        );
    }
}

#[test]
fn an_unknown_capability_is_a_warning() {
    if skipped() {
        return;
    }
    let bundle =
        Bundle::new("tea", "true").set("/process/capabilities", json!({"bounding": ["CAP_TEA"]}));
    let created = bundle.create();
    succeeded(&created);
    assert!(
        String::from_utf8_lossy(&created.stderr)
            .contains("warning: /process/capabilities/bounding: unknown capability")
    );
}

#[test]
fn devices_and_links_are_supplied() {
    if skipped() {
        return;
    }
    let script = "cd /dev; for d in null zero full random urandom tty; do test -c $d || echo missing $d; done; \
                  for l in fd stdin stdout stderr ptmx; do echo $l $(readlink $l); done; stat -c '%a %u %g %t:%T' own; test -p pipe || echo no pipe";
    let printed = Bundle::new("devices", script)
        .set("/linux/devices", json!([
            {"path": "/dev/own", "type": "c", "major": 1, "minor": 7, "fileMode": 0o640, "uid": 3, "gid": 4},
            {"path": "/dev/pipe", "type": "p"}
        ]))
        .run();
    assert_eq!(
        printed,
        "fd /proc/self/fd\nstdin /proc/self/fd/0\nstdout /proc/self/fd/1\nstderr /proc/self/fd/2\nptmx pts/ptmx\n640 3 4 1:7\n"
    );
}

#[test]
fn paths_are_masked_and_read_only() {
    if skipped() {
        return;
    }
    let script = "cat /proc/version; ls /proc/sys | wc -l; echo x > /proc/sys/kernel/domainname || echo refused; touch /file || echo refused";
    let printed = Bundle::new("paths", &format!("{{ {script}; }} 2>/dev/null"))
        .set(
            "/linux/maskedPaths",
            json!(["/proc/version", "/proc/no-such-path"]),
        )
        .set("/linux/readonlyPaths", json!(["/proc/sys"]))
        .set("/root/readonly", json!(true))
        .run();
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines[0].parse::<u32>().is_ok_and(|entries| entries > 0),
        "{printed}"
    );
    assert_eq!(lines[1..], ["refused", "refused"]);
}

#[test]
fn mounts_have_their_options() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new(
        "mounts",
        "cat /proc/self/mountinfo; cat /relative/file; ls /up",
    );
    std::fs::create_dir_all(bundle.path().join("data/below")).unwrap();
    std::fs::write(bundle.path().join("data/file"), "content\n").unwrap();
    std::fs::create_dir_all(bundle.path().join("rootfs/up")).unwrap();
    std::fs::write(bundle.path().join("rootfs/up/copied"), "").unwrap();
    let printed = bundle
        .set("/mounts/-", json!({"destination": "relative", "source": "data", "options": ["bind", "ro", "nosuid", "noexec"]}))
        .set("/mounts/-", json!({"destination": "/single", "source": "data/file", "options": ["bind", "nodev"]}))
        .set("/mounts/-", json!({"destination": "/up", "type": "tmpfs", "options": ["tmpcopyup", "noatime", "shared", "size=1m"]}))
        .run();
    let options = |target: &str| -> Vec<String> {
        let line = printed
            .lines()
            .find(|line| line.split(' ').nth(4) == Some(target))
            .unwrap();
        let shared = if line.contains("shared:") {
            ",shared"
        } else {
            ""
        };
        format!("{}{shared}", line.split(' ').nth(5).unwrap())
            .split(',')
            .map(str::to_owned)
            .collect()
    };
    for (target, wanted) in [
        ("/relative", ["ro", "nosuid", "noexec"].as_slice()),
        ("/single", &["nodev"]),
        ("/up", &["noatime", "shared"]),
    ] {
        for option in wanted {
            assert!(
                options(target).iter().any(|found| found == option),
                "{target} {option}: {printed}"
            );
        }
    }
    assert!(printed.ends_with("content\ncopied\n"), "{printed}");
}

#[test]
fn a_user_namespace_maps_ids() {
    if skipped() {
        return;
    }
    let map = json!([{"containerID": 0, "hostID": 100_000, "size": 1000}]);
    let printed = Bundle::new("user", "id -u; cat /proc/self/uid_map; echo > /dev/null && echo usable; touch /tmp/x && stat -c %u /tmp/x")
        .set("/linux/namespaces/-", json!({"type": "user"}))
        .set("/linux/uidMappings", map.clone())
        .set("/linux/gidMappings", map)
        .set("/mounts/-", json!({"destination": "/tmp", "type": "tmpfs"}))
        .run();
    let words: Vec<&str> = printed.split_whitespace().collect();
    assert_eq!(words, ["0", "0", "100000", "1000", "usable", "0"]);
}

#[test]
fn clocks_are_shifted() {
    if skipped() {
        return;
    }
    let printed = Bundle::new("time", "cat /proc/uptime")
        .set("/linux/namespaces/-", json!({"type": "time"}))
        .set(
            "/linux/timeOffsets",
            json!({"boottime": {"secs": 100_000_000}}),
        )
        .run();
    let uptime: f64 = printed.split(' ').next().unwrap().parse().unwrap();
    assert!(uptime > 100_000_000.0);
}

#[test]
fn seccomp_filters_system_calls() {
    if skipped() {
        return;
    }
    let printed = Bundle::new(
        "seccomp",
        "mkdir /tmp/x 2>/dev/null; echo $?; grep Seccomp: /proc/self/status",
    )
    .set(
        "/linux/seccomp",
        json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]
        }),
    )
    .run();
    assert_eq!(printed, "1\nSeccomp:\t2\n");
}

#[test]
fn limits_are_written_to_the_cgroup() {
    if skipped() || !std::path::Path::new("/sys/fs/cgroup/pids").exists() {
        return;
    }
    let bundle =
        Bundle::new("limits", "true").set("/linux/resources", json!({"pids": {"limit": 17}}));
    succeeded(&bundle.create());
    let limit = format!("/sys/fs/cgroup/pids/{}/pids.max", bundle.id);
    assert_eq!(std::fs::read_to_string(limit).unwrap(), "17\n");
}

#[test]
fn one_more_process_is_like_the_first() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("exec", "read line < /scratch/never")
        .set(
            "/linux/devices",
            json!([{"path": "/scratch/never", "type": "p"}]),
        )
        .set("/process/noNewPrivileges", json!(true));
    succeeded(&bundle.create());
    succeeded(&bundle.refrun(&["start", &bundle.id]));
    let script = "hostname 2>/dev/null || cat /proc/sys/kernel/hostname; cat /proc/1/comm; grep NoNewPrivs /proc/self/status; \
                  ls /proc/self/fd | wc -l; cat /proc/self/cgroup | head -1 | sed 's/.*://'; exit 7";
    let output = bundle.refrun(&["exec", &bundle.id, "/bin/sh", "-c", script]);
    assert_eq!(
        output.status.code(),
        Some(7),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "inside\nsh\nNoNewPrivs:\t1\n4\n/\n"
    );
    assert!(
        failed(&bundle.refrun(&["exec", &bundle.id, "no-such-program"]))
            .contains("execvp(\"no-such-program\")")
    );
}

#[test]
fn a_container_without_a_mount_namespace_leaves_no_mount() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("hostmounts", "echo ran").set(
        "/linux/namespaces",
        json!([{"type": "pid"}, {"type": "uts"}]),
    );
    assert_eq!(bundle.run(), "ran\n");
    assert_eq!(bundle.remains(), Vec::<String>::new());
}

//! What is left when a command is killed, hangs, or finds what it did not expect.

mod support;

use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use support::{Bundle, failed, skipped, succeeded, wait_until};

/// Starts a create in the background.
fn create_in_background(bundle: &Bundle) -> Child {
    fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
    let path = bundle.path();
    bundle
        .command(&["create", "--bundle", path.to_str().unwrap(), &bundle.id])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(bundle.file("create.stderr")).unwrap())
        .spawn()
        .unwrap()
}

/// A hook that tells its pid, and that of a child, and then hangs.
fn hanging_hook(bundle: &Bundle) -> Value {
    let told = bundle.file("hook");
    let script = format!(
        "sleep 1000 & echo $$ $! > {0}.new; mv {0}.new {0}; wait",
        told.display()
    );
    json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]}])
}

/// The pids of the hook and its child, once they are told.
fn pids_of_hook(bundle: &Bundle) -> Vec<String> {
    let told = bundle.file("hook");
    wait_until("the hook runs", || told.exists());
    let text = fs::read_to_string(told).unwrap();
    text.split_whitespace().map(str::to_owned).collect()
}

fn is_alive(pid: &str) -> bool {
    // A zombie has ended.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
}

#[test]
fn a_forced_delete_ends_a_create_whose_hook_hangs() {
    if skipped() {
        return;
    }
    for (name, kill_first) in [
        ("prestart", false),
        ("createRuntime", false),
        ("createRuntime", true),
        ("createContainer", false),
        ("createContainer", true),
    ] {
        let bundle = Bundle::endless(&format!("hang-{name}-{kill_first}"));
        let hook = hanging_hook(&bundle);
        let bundle = bundle.set(&format!("/hooks/{name}"), hook);
        let mut create = create_in_background(&bundle);
        let hook = pids_of_hook(&bundle);
        let outside = name != "createContainer";
        if kill_first {
            create.kill().unwrap();
            create.wait().unwrap();
        }
        assert_eq!(bundle.state()["status"], "creating", "{name}");
        let refused = bundle.refrun(&["delete", &bundle.id]);
        assert!(failed(&refused).contains("creating and not stopped"));
        assert!(failed(&bundle.refrun(&["start", &bundle.id])).contains("creating"));
        succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
        assert!(!create.wait().unwrap().success());
        // Inside, they are told as the container's pid namespace numbers them.
        if outside {
            for pid in &hook {
                wait_until("the hook has ended", || !is_alive(pid));
            }
        }
        assert_eq!(bundle.remains(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_hook_cannot_delete_the_container_for_which_it_runs() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("suicide");
    let errors = bundle.file("errors");
    let script = format!(
        "{} --root {} delete --force {} 2> {}; exit 0",
        env!("CARGO_BIN_EXE_refrun"),
        bundle.file("state").display(),
        bundle.id,
        errors.display()
    );
    let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}]);
    let bundle = bundle.set("/hooks/createRuntime", hook);
    succeeded(&bundle.create());
    let said = fs::read_to_string(&errors).unwrap();
    assert!(said.contains("by the command that runs this one"), "{said}");
    assert_eq!(bundle.state()["status"], "created");
}

#[test]
fn a_start_that_hangs_can_be_deleted() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("hang-start");
    let told = bundle.path().join("rootfs/scratch/told");
    let script = "touch /scratch/told; read line < /scratch/never";
    let hook =
        json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]}]);
    let bundle = bundle.set("/hooks/startContainer", hook);
    succeeded(&bundle.create());
    let mut start = bundle.command(&["start", &bundle.id]).spawn().unwrap();
    wait_until("the hook runs", || told.exists());
    assert!(failed(&bundle.refrun(&["delete", &bundle.id])).contains("created and not stopped"));
    succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
    start.wait().unwrap();
    assert_eq!(bundle.remains(), Vec::<String>::new());
}

#[test]
fn a_frozen_container_is_not_started_and_can_be_resumed_or_deleted() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("frozen-start");
    succeeded(&bundle.create());
    let freezer = bundle.control_file("freezer", "freezer.state");
    if !freezer.exists() {
        eprintln!("skipped: no freezer hierarchy of version 1");
        return;
    }
    fs::write(&freezer, "FROZEN").unwrap();
    wait_until("it is frozen", || {
        bundle.control("freezer", "freezer.state").as_deref() == Some("FROZEN")
    });
    assert!(failed(&bundle.refrun(&["start", &bundle.id])).contains("frozen"));
    succeeded(&bundle.refrun(&["resume", &bundle.id]));
    succeeded(&bundle.refrun(&["start", &bundle.id]));
    fs::write(&freezer, "FROZEN").unwrap();
    succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
    assert_eq!(bundle.remains(), Vec::<String>::new());
}

#[test]
fn a_damaged_record_is_no_reason_to_stay() {
    if skipped() {
        return;
    }
    type Damage = fn(&str) -> String;
    let damages: [(&str, Damage); 5] = [
        ("empty", |_| String::new()),
        ("cut", |text| text[..text.len() / 2].to_owned()),
        ("other", |_| "[1, 2]".to_owned()),
        ("mistyped", |text| {
            text.replace("\"phase\":", "\"phase\":7,\"was\":")
        }),
        ("binary", |_| "\u{0}\u{1}".repeat(100)),
    ];
    for (name, damage) in damages {
        let bundle = Bundle::endless(&format!("damaged-{name}"));
        bundle.start();
        let pid = bundle.state()["pid"].to_string();
        let record = bundle.file("state").join(&bundle.id).join("state.json");
        let text = fs::read_to_string(&record).unwrap();
        fs::write(&record, damage(&text)).unwrap();
        for command in ["state", "start", "delete"] {
            failed(&bundle.refrun(&[command, &bundle.id]));
        }
        let list = bundle.refrun(&["list", "-q"]);
        succeeded(&list);
        assert!(
            String::from_utf8_lossy(&list.stderr).contains(&bundle.id),
            "{name}"
        );
        succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
        assert!(!is_alive(&pid), "{name}");
        assert_eq!(bundle.remains(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_state_directory_without_a_record_or_with_strange_files_is_deleted() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("strange", "");
    let directory = bundle.file("state").join(&bundle.id);
    fs::create_dir_all(&directory).unwrap();
    assert!(failed(&bundle.refrun(&["state", &bundle.id])).contains("was killed"));
    let outside = bundle.file("outside");
    fs::write(&outside, "stays").unwrap();
    std::os::unix::fs::symlink(&outside, directory.join("link")).unwrap();
    fs::create_dir(directory.join("start")).unwrap();
    std::os::unix::fs::symlink(&outside, directory.join("state.json")).unwrap();
    failed(&bundle.refrun(&["state", &bundle.id]));
    succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
    assert!(!directory.exists());
    assert_eq!(fs::read_to_string(&outside).unwrap(), "stays");
}

#[test]
fn a_create_that_is_killed_at_any_moment_can_be_deleted() {
    if skipped() {
        return;
    }
    // After so many system calls of the create and its children, as near as a signal can come.
    for step in 0..40 {
        let bundle = Bundle::endless(&format!("killed-{step}"));
        let mut create = create_in_background(&bundle);
        for _ in 0..step * 40 {
            std::thread::yield_now();
        }
        // It may have succeeded already.
        let _ = create.kill();
        create.wait().unwrap();
        let state = bundle.refrun(&["state", &bundle.id]);
        if state.status.success() {
            let state: Value = serde_json::from_slice(&state.stdout).unwrap();
            let status = state["status"].as_str().unwrap();
            assert!(["creating", "created"].contains(&status), "{state}");
        }
        succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
        assert_eq!(bundle.remains(), Vec::<String>::new(), "{step}");
    }
}

#[test]
fn a_create_that_cannot_lock_the_directory_it_made_takes_it_away() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("unlocked", "");
    fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
    let path = bundle.path();
    let mut create = bundle.command(&["create", "--bundle", path.to_str().unwrap(), &bundle.id]);
    support::sys::without_call(&mut create, libc::SYS_flock);
    assert!(failed(&create.stdin(Stdio::null()).output().unwrap()).contains("flock"));
    assert_eq!(bundle.remains(), Vec::<String>::new());
}

#[test]
fn a_group_of_others_is_refused_and_an_empty_one_comes_back_as_it_was() {
    if skipped() {
        return;
    }
    for root in ["/", ".", "//"] {
        let bundle = Bundle::new("root-group", "").set("/linux/cgroupsPath", json!(root));
        let error = failed(&bundle.create());
        assert!(
            error.contains("/linux/cgroupsPath: the root of the hierarchy"),
            "{error}"
        );
    }
    let bundle = Bundle::endless("found-group").set(
        "/linux/resources",
        json!({"pids": {"limit": 30}, "cpu": {"shares": 512}}),
    );
    let groups = ["pids", "cpu"].map(|name| bundle.control_file(name, "").to_owned());
    if !groups.iter().all(|group| group.parent().unwrap().is_dir()) {
        eprintln!("skipped: no hierarchies of version 1");
        return;
    }
    groups
        .iter()
        .for_each(|group| fs::create_dir(group).unwrap());
    fs::write(bundle.control_file("pids", "pids.max"), "77").unwrap();
    let mut guest = std::process::Command::new("sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    let procs = bundle.control_file("pids", "cgroup.procs");
    fs::write(&procs, guest.id().to_string()).unwrap();
    assert!(failed(&bundle.create()).contains("is in use"));
    let untouched = bundle.control("pids", "pids.max");
    guest.kill().unwrap();
    guest.wait().unwrap();
    assert_eq!(untouched.as_deref(), Some("77"));
    wait_until("the group is empty", || {
        fs::read_to_string(&procs).unwrap().is_empty()
    });

    bundle.start();
    assert_eq!(bundle.control("pids", "pids.max").as_deref(), Some("30"));
    assert_eq!(bundle.control("cpu", "cpu.shares").as_deref(), Some("512"));
    succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
    let after = ["pids.max", "cpu.shares"]
        .map(|file| bundle.control(file.split('.').next().unwrap(), file));
    groups
        .iter()
        .for_each(|group| fs::remove_dir(group).unwrap());
    assert_eq!(after, [Some("77".to_owned()), Some("1024".to_owned())]);
}

#[test]
fn a_configuration_without_end_is_refused() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("endless-config", "");
    let path = bundle.path();
    let create = ["create", "--bundle", path.to_str().unwrap(), &bundle.id];
    let config = File::create(path.join("config.json")).unwrap();
    config.set_len((16 << 20) + 1).unwrap();
    assert!(failed(&bundle.refrun(&create)).contains("larger than 16 MiB"));
    fs::remove_file(path.join("config.json")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", path.join("config.json")).unwrap();
    assert!(failed(&bundle.refrun(&create)).contains("not a regular file"));
}

#[test]
fn what_an_image_has_for_a_terminal_multiplexer_is_not_opened() {
    if skipped() {
        return;
    }
    let bundle =
        Bundle::new("ptmx", "test -t 0 && tty; echo done").set("/process/terminal", json!(true));
    let mut config = bundle.config["mounts"].clone();
    let mounts = config.as_array_mut().unwrap();
    mounts.retain(|mount| mount["destination"] != "/dev/pts" && mount["destination"] != "/dev");
    let bundle = bundle.set("/mounts", config);
    let pts = bundle.path().join("rootfs/dev/pts");
    fs::create_dir_all(&pts).unwrap();
    // To open a pipe for reading and writing would succeed, and to use it as a terminal would not.
    let made = std::process::Command::new("mkfifo")
        .arg(pts.join("ptmx"))
        .status();
    assert!(made.unwrap().success());
    fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
    let path = bundle.path();
    let output = bundle.refrun(&["run", "--bundle", path.to_str().unwrap(), &bundle.id]);
    succeeded(&output);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("done"), "{said}");
}

#[test]
fn a_root_in_the_hosts_mount_namespace_leaves_a_mount_that_was_there() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("mounted-root").set(
        "/linux/namespaces",
        json!([{"type": "pid"}, {"type": "uts"}]),
    );
    let hook = hanging_hook(&bundle);
    let bundle = bundle.set("/hooks/createRuntime", hook);
    let mut create = create_in_background(&bundle);
    pids_of_hook(&bundle);
    let rootfs = bundle.path().join("rootfs");
    let mounts = || {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let target = format!(" {} ", rootfs.display());
        table.lines().filter(|line| line.contains(&target)).count()
    };
    assert_eq!(mounts(), 1);
    create.kill().unwrap();
    create.wait().unwrap();
    succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
    assert_eq!(mounts(), 0);
    assert!(Path::new(&rootfs).is_dir());
    assert_eq!(bundle.remains(), Vec::<String>::new());
}

#[test]
fn a_class_of_service_is_entered_and_left_as_it_should_be() {
    if skipped() {
        return;
    }
    // A directory stands for resctrl, which needs a processor that has it.
    let bundle = Bundle::endless("rdt").set(
        "/linux/intelRdt",
        json!({"l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20", "enableMonitoring": true}),
    );
    assert!(failed(&bundle.create()).contains("/linux/intelRdt: no resctrl"));
    assert_eq!(bundle.remains(), Vec::<String>::new());
    let tree = bundle.file("resctrl");
    let class = tree.join(&bundle.id);
    let monitoring = class.join("mon_groups").join(&bundle.id);
    let create = |bundle: &Bundle| {
        fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
        let path = bundle.path();
        let arguments = ["--resctrl", tree.to_str().unwrap(), "create", "--bundle"];
        let rest = [path.to_str().unwrap(), &bundle.id];
        let mut command = bundle.command(&[&arguments[..], &rest[..]].concat());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(bundle.file("create.stderr")).unwrap());
        command.status().unwrap().success()
    };
    // The monitoring group cannot be made, since in this tree the class has no place for one.
    fs::create_dir(&tree).unwrap();
    assert!(!create(&bundle));
    let said = fs::read_to_string(bundle.file("create.stderr")).unwrap();
    assert!(
        said.contains("/linux/intelRdt/enableMonitoring: mkdir"),
        "{said}"
    );
    assert!(!class.exists());

    fs::create_dir_all(tree.join("mon_groups")).unwrap();
    let shared = json!({"closID": "/", "enableMonitoring": true});
    let bundle = bundle.set("/linux/intelRdt", shared);
    let monitoring_of_root = tree.join("mon_groups").join(&bundle.id);
    assert!(create(&bundle));
    let pid = bundle.state()["pid"].to_string();
    for group in [&tree, &monitoring_of_root] {
        assert_eq!(fs::read_to_string(group.join("tasks")).unwrap(), pid);
    }
    assert!(!tree.join("schemata").exists());
    succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
    assert!(!monitoring_of_root.exists() && tree.join("tasks").exists());

    let own = json!({"l3CacheSchema": "L3:0=f"});
    let bundle = bundle.set("/linux/intelRdt", own);
    assert!(create(&bundle));
    let schemata = class.join("schemata");
    assert_eq!(fs::read_to_string(&schemata).unwrap(), "L3:0=f\n");
    let stats = bundle.refrun(&["events", "--stats", &bundle.id]);
    let stats: Value = serde_json::from_slice(&stats.stdout).unwrap();
    assert_eq!(
        stats["data"]["intel_rdt"],
        json!({"l3_cache_schema": "L3:0=f"})
    );
    succeeded(&bundle.refrun(&["update", "--l3-cache-schema", "L3:0=3", &bundle.id]));
    assert_eq!(fs::read_to_string(&schemata).unwrap(), "L3:0=3\n");
    succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
    assert!(!class.exists() && !monitoring.exists());
}

#[test]
fn a_mount_namespace_that_is_joined_cannot_divert_paths() {
    if skipped() {
        return;
    }
    // Its /proc leads every descriptor to a file that is not to be touched.
    let bundle = Bundle::new("joined", "");
    let (bait, ready) = (bundle.file("bait"), bundle.file("ready"));
    fs::create_dir(&bait).unwrap();
    fs::write(bundle.path().join("rootfs/scratch/file"), "copied\n").unwrap();
    let script = format!(
        "mount -t tmpfs none /proc && mkdir -p /proc/self/fd && \
         for n in 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ln -s {} /proc/self/fd/$n; done && \
         : > /proc/self/timens_offsets && touch {} && exec sleep 1000",
        bait.display(),
        ready.display()
    );
    let mut holder = std::process::Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", &script])
        .spawn()
        .unwrap();
    wait_until("the namespace is there", || ready.exists());
    let namespaces = json!([
        {"type": "mount", "path": format!("/proc/{}/ns/mnt", holder.id())},
        {"type": "pid"}, {"type": "uts"}, {"type": "ipc"}, {"type": "time"},
    ]);
    let scratch = json!({"destination": "/scratch", "type": "tmpfs", "options": ["tmpcopyup"]});
    let word = json!({"destination": "/tmp", "type": "tmpfs", "options": ["size=64k"]});
    let again = json!({"destination": "/tmp", "type": "tmpfs", "options": ["remount", "size=32k"]});
    let bundle = bundle
        .set("/linux/namespaces", namespaces)
        .set("/linux/timeOffsets", json!({"monotonic": {"secs": 1000}}))
        .set(
            "/process/args/2",
            json!("cat /scratch/file; cat /proc/self/timens_offsets; df -k /tmp | tail -1"),
        )
        .set("/mounts/-", scratch)
        .set("/mounts/-", word)
        .set("/mounts/-", again);
    let created = bundle.create();
    let printed = created.status.success().then(|| {
        succeeded(&bundle.refrun(&["start", &bundle.id]));
        bundle.wait_for("stopped");
        bundle.printed()
    });
    let deleted = bundle.refrun(&["delete", "--force", &bundle.id]);
    holder.kill().unwrap();
    holder.wait().unwrap();
    succeeded(&created);
    succeeded(&deleted);
    let printed = printed.unwrap();
    assert!(printed.starts_with("copied\n"), "{printed}");
    let shifted = |line: &str| line.split_whitespace().take(2).eq(["monotonic", "1000"]);
    assert!(printed.lines().any(shifted), "{printed}");
    assert!(printed.contains(" 32 "), "{printed}");
    assert_eq!(fs::read_dir(&bait).unwrap().count(), 0);
    assert_eq!(bundle.remains(), Vec::<String>::new());
}

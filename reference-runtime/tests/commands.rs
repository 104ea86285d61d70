//! The commands beside the specification's operations, as engines call them.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use support::{Bundle, failed, skipped, succeeded, wait_until};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn ps_lists_what_is_in_the_container() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("ps");
    bundle.start();
    let pid = bundle.state()["pid"].clone();
    let output = bundle.refrun(&["ps", "--format", "json", &bundle.id]);
    succeeded(&output);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed, json!([pid]));
    let output = bundle.refrun(&["ps", &bundle.id, "-o", "comm,pid"]);
    succeeded(&output);
    let table = text(&output.stdout);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["COMMAND", "PID"], "{table}");
    assert_eq!(rows[1..], [["sh", &pid.to_string()]], "{table}");
}

#[test]
fn a_reader_that_left_has_seen_enough_and_a_full_device_is_an_error() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("output");
    bundle.start();
    let id = bundle.id.as_str();
    for arguments in [
        &["--version"][..],
        &["features"],
        &["state", id],
        &["list"],
        &["list", "--quiet"],
        &["list", "--format", "json"],
        &["ps", id],
        &["ps", "--format", "json", id],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = bundle.command(arguments).stdout(writer).output().unwrap();
        succeeded(&output);
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let error = failed(&bundle.command(arguments).stdout(full).output().unwrap());
        assert!(error.contains("write(stdout)"), "{arguments:?}: {error}");
    }
}

#[test]
fn update_changes_limits_all_or_none() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("update").set(
        "/linux/resources",
        json!({"pids": {"limit": 90}, "memory": {"limit": 67_108_864}}),
    );
    bundle.start();
    let flags = [
        "update",
        "--pids-limit=80",
        "--cpu-share",
        "512",
        "--memory",
        "128M",
        "--memory-swap",
        "256m",
        &bundle.id,
    ];
    succeeded(&bundle.refrun(&flags));
    assert_eq!(bundle.control("pids", "pids.max").as_deref(), Some("80"));
    assert_eq!(bundle.control("cpu", "cpu.shares").as_deref(), Some("512"));
    let memory = |file| bundle.control("memory", file);
    assert_eq!(
        memory("memory.limit_in_bytes").as_deref(),
        Some("134217728")
    );
    assert_eq!(
        memory("memory.memsw.limit_in_bytes").as_deref(),
        Some("268435456")
    );

    // Both down again, below what memory and swap together were; and the last one cannot be.
    let file = bundle.file("resources.json");
    let small = json!({"memory": {"limit": 33_554_432, "swap": 33_554_432}, "pids": {"limit": 0}});
    fs::write(&file, small.to_string()).unwrap();
    succeeded(&bundle.refrun(&["update", "-r", file.to_str().unwrap(), &bundle.id]));
    assert_eq!(
        memory("memory.memsw.limit_in_bytes").as_deref(),
        Some("33554432")
    );
    assert_eq!(bundle.control("pids", "pids.max").as_deref(), Some("80"));
    let refused = bundle.refrun(&[
        "update",
        "--pids-limit",
        "70",
        "--cpuset-cpus",
        "9999",
        &bundle.id,
    ]);
    assert!(failed(&refused).contains("/cpu/cpus"));
    assert_eq!(bundle.control("pids", "pids.max").as_deref(), Some("80"));

    let mut update = bundle
        .command(&["update", "--resources=-", &bundle.id])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let document = json!({"pids": {"limit": -1}, "devices": []});
    let mut stdin = update.stdin.take().unwrap();
    stdin.write_all(document.to_string().as_bytes()).unwrap();
    drop(stdin);
    assert!(update.wait().unwrap().success());
    assert_eq!(bundle.control("pids", "pids.max").as_deref(), Some("max"));

    succeeded(&bundle.refrun(&["kill", &bundle.id, "KILL"]));
    bundle.wait_for("stopped");
    let late = bundle.refrun(&["update", "--pids-limit", "5", &bundle.id]);
    assert!(failed(&late).contains("container not running"));
}

#[test]
fn update_changes_device_rules() {
    if skipped() {
        return;
    }
    let nothing = json!({"allow": false, "access": "rwm"});
    let no_zero = json!({"allow": false, "type": "c", "major": 1, "minor": 5, "access": "r"});
    let bundle = Bundle::endless("update-devices")
        .set("/linux/resources", json!({"devices": [nothing, no_zero]}));
    bundle.start();
    let file = bundle.file("resources.json");
    let update = |resources: Value| {
        fs::write(&file, resources.to_string()).unwrap();
        bundle.refrun(&["update", "-r", file.to_str().unwrap(), &bundle.id])
    };
    let opens = |device: &str| {
        let script = format!(": < {device}");
        let output = bundle.refrun(&["exec", &bundle.id, "sh", "-c", &script]);
        output.status.success()
    };
    assert!(!opens("/dev/zero") && opens("/dev/full"));
    succeeded(&update(json!({"devices": [nothing]})));
    assert!(opens("/dev/zero") && opens("/dev/full"));
    // All or nothing: a limit that cannot be set leaves the rules as they are.
    let refused = update(json!({"devices": [nothing, no_zero], "cpu": {"cpus": "9999"}}));
    assert!(failed(&refused).contains("/cpu/cpus"));
    assert!(opens("/dev/zero"));
    // Without a denial of everything, what is not named is allowed.
    succeeded(&update(json!({"devices": [no_zero]})));
    assert!(!opens("/dev/zero") && opens("/dev/full"));
    assert_eq!(bundle.state()["status"], "running");
    let refused = update(json!({"devices": [{"allow": true, "type": "x"}]}));
    assert!(failed(&refused).contains("/devices/0/type"));
}

#[test]
fn events_tell_usage_and_the_lack_of_memory() {
    if skipped() {
        return;
    }
    let memory = json!({"memory": {"limit": 16_777_216, "swap": 16_777_216}});
    let bundle = Bundle::endless("events").set("/linux/resources", memory);
    bundle.start();
    let output = bundle.refrun(&["events", "--stats", &bundle.id]);
    succeeded(&output);
    let event: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&event["type"], &event["id"]),
        (&json!("stats"), &json!(bundle.id))
    );
    let data = &event["data"];
    assert_eq!(data["memory"]["usage"]["limit"], 16_777_216);
    assert_eq!(data["pids"]["current"], 1);
    assert!(data["cpu"]["usage"]["total"].as_u64().unwrap() > 0);
    assert!(data["memory"]["usage"]["usage"].as_u64().unwrap() > 0);

    let mut events = bundle
        .command(&["events", "--interval", "50ms", &bundle.id])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(events.stdout.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    assert_eq!(lines.next().unwrap()["type"], "stats");
    // It keeps all that it has read, of a line that has no end.
    let greedy = bundle.refrun(&["exec", &bundle.id, "tail", "/dev/zero"]);
    assert!(!greedy.status.success());
    assert!(lines.any(|event| event == json!({"type": "oom", "id": bundle.id})));
    succeeded(&bundle.refrun(&["kill", &bundle.id, "KILL"]));
    // The end of the container is the end of the report.
    assert!(lines.all(|event| event["type"] == "stats"));
    assert!(events.wait().unwrap().success());
    let late = bundle.refrun(&["events", "--stats", &bundle.id]);
    assert!(failed(&late).contains("container not running"));
}

#[test]
fn what_needs_criu_is_refused_by_name() {
    let bundle = Bundle::new("criu", "");
    for command in ["checkpoint", "restore"] {
        let output = bundle.refrun(&[command, "--image-path", "/x", &bundle.id]);
        assert!(failed(&output).contains("needs CRIU"), "{command}");
    }
}

#[test]
fn a_signal_to_all_reaches_all_and_nobody_is_no_error() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("all");
    bundle.start();
    let pid_file = bundle.file("pid");
    let never = ["sh", "-c", "read line < /scratch/never"];
    let mut arguments = vec!["exec", "-d", "--pid-file", pid_file.to_str().unwrap()];
    arguments.push(&bundle.id);
    arguments.extend(never);
    let exec = |arguments: &[&str]| {
        let mut command = bundle.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        assert!(command.status().unwrap().success());
    };
    exec(&arguments);
    let pid = fs::read_to_string(&pid_file).unwrap();
    let comm = format!("/proc/{pid}/comm");
    assert_eq!(fs::read_to_string(&comm).unwrap(), "sh\n");
    let pids = || -> Value {
        let output = bundle.refrun(&["ps", "-f", "json", &bundle.id]);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(pids().as_array().unwrap().len(), 2);
    succeeded(&bundle.refrun(&["kill", "--all", &bundle.id, "KILL"]));
    bundle.wait_for("stopped");
    wait_until("no process is left", || pids() == json!([]));
    succeeded(&bundle.refrun(&["kill", "-a", &bundle.id, "KILL"]));
}

#[test]
fn exec_takes_the_whole_process_from_a_file() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("process-file");
    bundle.start();
    let process = json!({
        "user": {"uid": 11, "gid": 12, "additionalGids": [13]},
        "cwd": "/tmp",
        "env": ["PATH=/usr/bin:/bin", "WORD=said"],
        "args": ["sh", "-c", "echo $WORD $PWD $(id -u) $(id -g) $(id -G); grep CapEff /proc/self/status"],
        "capabilities": {"effective": [], "bounding": ["CAP_CHOWN"], "permitted": []},
        "noNewPrivileges": true,
    });
    let file = bundle.file("process.json");
    fs::write(&file, process.to_string()).unwrap();
    let output = bundle.refrun(&["exec", "--process", file.to_str().unwrap(), &bundle.id]);
    succeeded(&output);
    assert_eq!(
        text(&output.stdout),
        "said /tmp 11 12 12 13\nCapEff:\t0000000000000000\n"
    );
}

#[test]
fn exec_changes_what_its_options_say() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("exec-options");
    bundle.start();
    let script = "echo $A $PWD $(id -u):$(id -g) $(id -G); grep -E 'CapBnd|NoNewPrivs' /proc/self/status; \
                  ls /proc/self/fd | wc -l";
    let output = bundle.refrun(&[
        "exec",
        "--env=A=b",
        "--cwd",
        "/tmp",
        "--user",
        "0:5",
        "-g",
        "6",
        "--additional-gids",
        "7",
        "--cap",
        "CAP_KILL",
        "--no-new-privs",
        &bundle.id,
        "sh",
        "-c",
        script,
    ]);
    succeeded(&output);
    let expected = "b /tmp 0:5 5 6 7\nCapBnd:\t0000000000000020\nNoNewPrivs:\t1\n4\n";
    assert_eq!(text(&output.stdout), expected);
    // Without a policy on this host neither can be applied, and neither is ignored.
    for (option, path) in [
        ("--apparmor", "/sys/kernel/security/apparmor/profiles"),
        ("--process-label", "/sys/fs/selinux/enforce"),
    ] {
        if !fs::exists(path).unwrap() {
            let output = bundle.refrun(&["exec", option, "nonsense", &bundle.id, "true"]);
            failed(&output);
        }
    }
}

#[test]
fn exec_enters_a_group_below_the_containers() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("subgroup");
    bundle.start();
    let below = bundle.control_file("pids", "below");
    if !below.parent().unwrap().is_dir() {
        eprintln!("skipped: no pids hierarchy of version 1");
        return;
    }
    fs::create_dir(&below).unwrap();
    let show = ["grep", ":pids:", "/proc/self/cgroup"];
    let exec = |option: &[&str]| {
        let mut arguments = vec!["exec"];
        arguments.extend(option);
        arguments.push(&bundle.id);
        arguments.extend(show);
        bundle.refrun(&arguments)
    };
    let inside = exec(&["--cgroup", "pids:/below"]);
    succeeded(&inside);
    assert!(text(&inside.stdout).ends_with(":pids:/below\n"));
    assert!(failed(&exec(&["--cgroup", "pids:/absent"])).contains("does not exist"));
    assert!(failed(&exec(&["--cgroup", "pids:../.."])).contains("contains \"..\""));
}

#[test]
fn exec_waits_for_a_paused_container_only_if_it_may() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("paused");
    bundle.start();
    succeeded(&bundle.refrun(&["pause", &bundle.id]));
    assert_eq!(bundle.state()["status"], "paused");
    let refused = bundle.refrun(&["exec", &bundle.id, "true"]);
    assert!(failed(&refused).contains("paused"));
    let mut patient = bundle
        .command(&["exec", "--ignore-paused", &bundle.id, "echo", "resumed"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It has arrived when its process is in the group and is stopped there.
    wait_until("exec has entered the group", || {
        let output = bundle.refrun(&["ps", "-f", "json", &bundle.id]);
        let pids: Value = serde_json::from_slice(&output.stdout).unwrap();
        pids.as_array().unwrap().len() == 2
    });
    assert!(patient.try_wait().unwrap().is_none());
    succeeded(&bundle.refrun(&["resume", &bundle.id]));
    let mut line = String::new();
    BufReader::new(patient.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "resumed\n");
    assert!(patient.wait().unwrap().success());
    // A frozen process does not die either, unless it is let go.
    succeeded(&bundle.refrun(&["pause", &bundle.id]));
    succeeded(&bundle.refrun(&["kill", &bundle.id, "KILL"]));
    bundle.wait_for("stopped");
}

#[test]
fn exec_hands_its_terminal_to_the_console_socket() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("exec-tty");
    bundle.start();
    let socket = bundle.file("console");
    let listener = UnixListener::bind(&socket).unwrap();
    let arguments = [
        "exec",
        "--tty",
        "--detach",
        "--console-socket",
        socket.to_str().unwrap(),
        &bundle.id,
        "sh",
        "-c",
        "test -t 0 && test -t 1 && tty > /scratch/tty",
    ];
    succeeded(&bundle.refrun(&arguments));
    let (_connection, _) = listener.accept().unwrap();
    let told = bundle.path().join("rootfs/scratch/tty");
    wait_until("the program has told its terminal", || {
        fs::read_to_string(&told).is_ok_and(|text| text == "/dev/pts/0\n")
    });
    let without_socket = bundle.refrun(&["exec", "-t", "-d", &bundle.id, "true"]);
    assert!(failed(&without_socket).contains("--console-socket"));
}

#[test]
fn list_has_two_forms() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("list");
    assert_eq!(bundle.refrun(&["list", "-q"]).stdout, b"");
    bundle.start();
    assert_eq!(
        text(&bundle.refrun(&["list", "-q"]).stdout),
        format!("{}\n", bundle.id)
    );
    let json = bundle.refrun(&["list", "--format", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json[0]["id"], bundle.id.as_str());
    assert_eq!(json[0]["status"], "running");
    assert_eq!(json[0]["pid"], bundle.state()["pid"]);
    assert_eq!(json[0]["bundle"], bundle.path().to_str().unwrap());
    let table = text(&bundle.refrun(&["ls"]).stdout);
    assert!(
        table.starts_with("ID ") && table.contains("running"),
        "{table}"
    );
}

#[test]
fn run_keeps_detaches_and_moves_its_root() {
    if skipped() {
        return;
    }
    let run = |bundle: &Bundle, options: &[&str]| {
        fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
        let path = bundle.path();
        let mut arguments = vec!["run", "--bundle", path.to_str().unwrap()];
        arguments.extend(options);
        arguments.push(&bundle.id);
        let mut command = bundle.command(&arguments);
        command.stdin(Stdio::null());
        command.stdout(fs::File::create(bundle.file("stdout")).unwrap());
        command.status().unwrap()
    };
    let bundle = Bundle::new("keep", "exit 3");
    assert_eq!(run(&bundle, &["--keep", "--no-subreaper"]).code(), Some(3));
    assert_eq!(bundle.state()["status"], "stopped");
    succeeded(&bundle.refrun(&["delete", &bundle.id]));

    let bundle = Bundle::endless("detached");
    assert!(run(&bundle, &["-d"]).success());
    assert_eq!(bundle.state()["status"], "running");

    // The old root is out of reach, with everything that was mounted on it.
    let script = "ls -d /proc/self /etc /home /root 2>/dev/null; wc -l < /proc/self/mountinfo";
    let bundle = Bundle::new("nopivot", script);
    assert!(run(&bundle, &["--no-pivot"]).success());
    let moved = bundle.printed();
    assert_eq!(bundle.remains(), Vec::<String>::new());
    let again = Bundle::new("pivot", script);
    assert!(run(&again, &[]).success());
    let pivoted = again.printed();
    let lines = |text: &str| text.lines().take(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&moved), lines(&pivoted));
    assert!(lines(&moved)[0] == "/proc/self", "{moved}");
}

#[test]
fn sockets_of_a_service_manager_are_handed_on() {
    if skipped() {
        return;
    }
    let script = "echo $LISTEN_FDS $LISTEN_PID; cat <&3; cat <&4; ls /proc/self/fd | wc -l";
    let bundle = Bundle::new("listen", script);
    fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
    let one = bundle.file("one");
    fs::write(&one, "one\n").unwrap();
    let two = bundle.file("two");
    fs::write(&two, "two\n").unwrap();
    // The shell becomes the runtime, so that its pid is the one that is meant. Descriptor 5 is not handed on.
    let start = "export LISTEN_FDS=1 LISTEN_PID=$$; \
                 exec \"$0\" --root \"$1\" run --preserve-fds 1 --bundle \"$2\" \"$3\" 3<\"$4\" 4<\"$5\" 5<\"$5\"";
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", start, env!("CARGO_BIN_EXE_refrun")])
        .args([bundle.file("state"), bundle.path()])
        .arg(&bundle.id)
        .args([one, two])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    succeeded(&output);
    // Three streams, two files, and the directory that is listed.
    assert_eq!(text(&output.stdout), "1 1\none\ntwo\n6\n");
}

#[test]
fn descriptors_that_are_not_there_are_not_made_up() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("absent", "ls /proc/self/fd");
    fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
    let directory = bundle.path().display().to_string();
    let words = [
        "create",
        "--preserve-fds",
        "2",
        "--bundle",
        &directory,
        &bundle.id,
    ];
    let refused = bundle.refrun(&words);
    assert!(!refused.status.success());
    assert!(
        text(&refused.stderr).contains("descriptor 3 is not open"),
        "{}",
        text(&refused.stderr)
    );
    assert_eq!(bundle.remains(), Vec::<String>::new());
}

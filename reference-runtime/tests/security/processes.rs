//! What processes of a container can do to the runtime while it is among them: from the moment
//! it has joined their namespaces to its execve(2) of the program.

use crate::attacker::{self, all_capabilities, told};
use crate::support::{Bundle, skipped, wait_until};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// By which command the runtime comes among the processes of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Exec,
    /// As the first process of another container that joins the pid namespace.
    Create,
}

/// What a container's program with these capabilities tells of the runtime, and the runtime's
/// file, which is a copy for this test alone.
pub(crate) fn observe(way: Way, capabilities: Value, script: &str) -> (Vec<String>, PathBuf) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("observe-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let bundle = attacker::bundle(&name, "hold")
        .set("/process/capabilities", capabilities)
        .set("/process/env/-", json!(format!("SCRIPT={script}")));
    bundle.start();
    let pid = bundle.state()["pid"].to_string();
    let held = attacker::held(&bundle);
    wait_until("the program is held", || held.join("ready").exists());
    let runtime = bundle.file("refrun");
    // By another process: a descriptor to write with, which a test beside this one inherits for a
    // moment, would make it busy.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_refrun"))
        .arg(&runtime)
        .status();
    assert!(copied.unwrap().success());
    match way {
        Way::Exec => {
            run(&runtime, &bundle, &["exec", &bundle.id, "/held/program"]);
        }
        Way::Create => {
            let mut other = Bundle::new(&format!("{name}-other"), "")
                .set("/process/args", json!(["/held/program"]))
                .set(
                    "/mounts/-",
                    json!({"destination": "/held", "source": held, "options": ["bind"]}),
                );
            other.config["linux"]["namespaces"][0]["path"] = json!(format!("/proc/{pid}/ns/pid"));
            let path = other.write_config();
            let created = run(&runtime, &other, &["create", "--bundle", &path, &other.id]);
            let said = fs::read_to_string(other.file("other.stderr")).unwrap();
            assert!(created, "{said}");
            run(&runtime, &other, &["start", &other.id]);
        }
    }
    bundle.wait_for("stopped");
    let told = told(&bundle.printed());
    assert_eq!(told.last().map(String::as_str), Some("done"), "{told:?}");
    let copy = std::env::temp_dir().join(format!("{}-copy", bundle.id));
    fs::rename(runtime, &copy).unwrap();
    (told, copy)
}

/// True if the command succeeded.
fn run(runtime: &Path, bundle: &Bundle, arguments: &[&str]) -> bool {
    let mut command = Command::new(runtime);
    command
        .arg("--root")
        .arg(bundle.file("state"))
        .args(arguments);
    command.stdin(Stdio::null());
    command.stdout(File::create(bundle.file("other.stdout")).unwrap());
    command.stderr(File::create(bundle.file("other.stderr")).unwrap());
    command.status().unwrap().success()
}

/// CVE-2016-9962: a process that enters a container could be traced, and its descriptors and
/// root taken, by those who are in there as the same user.
#[test]
fn nobody_in_the_container_can_look_into_the_runtime() {
    if skipped() {
        return;
    }
    for way in [Way::Exec, Way::Create] {
        let (told, runtime) = observe(way, json!({}), "#!/bin/true\n");
        fs::remove_file(runtime).unwrap();
        let seen = |line: &&String| {
            let link = ["root ", "cwd ", "exe ", "fd "]
                .iter()
                .any(|name| line.starts_with(name));
            link && !line.ends_with("Permission denied (os error 13)")
        };
        assert!(
            told.iter().any(|line| line.starts_with("root ")),
            "{way:?} {told:?}"
        );
        assert_eq!(told.iter().find(seen), None, "{way:?} {told:?}");
    }
}

/// CVE-2016-9962, CVE-2024-21626: also those who may trace everybody find nothing of the host in
/// it: neither a directory, nor a file, nor a procfs.
#[test]
fn the_runtime_brings_nothing_of_the_host_into_the_container() {
    if skipped() {
        return;
    }
    for way in [Way::Exec, Way::Create] {
        let (told, runtime) = observe(way, all_capabilities(), "#!/bin/true\n");
        fs::remove_file(runtime).unwrap();
        let descriptors = |line: &&String| line.starts_with("fd ");
        assert!(
            told.iter().filter(descriptors).count() > 3,
            "{way:?} {told:?}"
        );
        for line in told.iter().filter(descriptors) {
            let mut fields = line.splitn(3, ' ').skip(1);
            let (number, target) = (fields.next().unwrap(), fields.next().unwrap());
            let stream = ["0", "1", "2"].contains(&number);
            assert!(stream || target.starts_with("socket:"), "{way:?} {told:?}");
        }
        assert!(told.contains(&"cwd /".to_owned()), "{way:?} {told:?}");
        assert!(told.contains(&"root /".to_owned()), "{way:?} {told:?}");
    }
}

//! Container ids and the directory below the state root: neither may lead to what is not a
//! container of the caller's.

use crate::canary::Canary;
use crate::support::{Bundle, failed, skipped, succeeded, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// CWE-22, CWE-150: an id that climbs would make, read and remove directories anywhere, and one
/// with control characters would act on the terminals and logs that show it.
#[test]
fn an_id_is_a_name_and_no_path() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("ids");
    let canary = Canary::plant(&bundle);
    let path = bundle.write_config();
    // The state root is there, so that a path could climb from it.
    bundle.start();
    let (long, longer) = ("x".repeat(1025), "x".repeat(100_000));
    let ids = [
        "",
        ".",
        "..",
        "/",
        "../canary",
        "./canary",
        "a/../../canary",
        "canary/",
        "/etc",
        "a\nb",
        "a\x1b[2J",
        "\r",
        "a\tb",
        "\u{85}",
        &long,
        &longer,
    ];
    for id in ids {
        let commands: [&[&str]; 12] = [
            &["create", "--bundle", &path, id],
            &["run", "--bundle", &path, id],
            &["state", id],
            &["start", id],
            &["kill", id, "KILL"],
            &["delete", id],
            &["delete", "--force", id],
            &["exec", id, "true"],
            &["ps", id],
            &["pause", id],
            &["resume", id],
            &["update", "--pids-limit", "10", id],
        ];
        for command in commands {
            let said = failed(&bundle.refrun(command));
            let shown = said.trim_end_matches('\n');
            assert!(
                shown.len() < 2000 && !shown.chars().any(char::is_control),
                "{command:?} {shown:?}"
            );
        }
    }
    canary.is_untouched("as an id");
    let names: Vec<_> = fs::read_dir(bundle.file("state"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(names.len(), 1);
    assert_eq!(bundle.state()["status"], "running");
}

/// A stopped container whose poststop hook leaves a mark, and its directory and mark.
fn with_hook(name: &str) -> (Bundle, PathBuf, PathBuf) {
    let bundle = Bundle::new(name, "true");
    let mark = bundle.file("mark");
    let hook =
        json!([{"path": "/bin/sh", "args": ["sh", "-c", format!("touch {}", mark.display())]}]);
    let bundle = bundle.set("/hooks/poststop", hook);
    bundle.start();
    bundle.wait_for("stopped");
    let directory = bundle.file("state").join(&bundle.id);
    (bundle, directory, mark)
}

/// Whoever can write a container's record decides what is executed, unmounted and removed when it
/// is deleted: a state root in a directory that all can write to was theirs.
#[test]
fn a_record_that_others_could_have_written_is_not_believed() {
    if skipped() {
        return;
    }
    const OTHER: u32 = 12345;
    type Give = fn(&Path);
    let gifts: [(&str, Give); 3] = [
        ("owner", |directory| {
            chown(directory, Some(OTHER), Some(OTHER)).unwrap()
        }),
        ("group", |directory| {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o770)).unwrap()
        }),
        ("all", |directory| {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o707)).unwrap()
        }),
    ];
    for (name, give) in gifts {
        let (bundle, directory, mark) = with_hook(&format!("others-{name}"));
        give(&directory);
        for command in [
            &["state"][..],
            &["delete"],
            &["delete", "--force"],
            &["kill"],
            &["start"],
        ] {
            let said = failed(&bundle.refrun(&[command, &[&bundle.id]].concat()));
            assert!(
                said.contains("others could have written"),
                "{name} {command:?}: {said}"
            );
        }
        assert!(
            directory.join("state.json").exists() && !mark.exists(),
            "{name}"
        );
        let list = bundle.refrun(&["list", "-q"]);
        assert_eq!(String::from_utf8_lossy(&list.stdout), "", "{name}");
        chown(&directory, Some(0), Some(0)).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
        succeeded(&bundle.refrun(&["delete", &bundle.id]));
        assert!(mark.exists());
    }
}

/// A directory or a record that is a link leads to no other.
#[test]
fn a_link_in_the_state_root_is_not_followed() {
    if skipped() {
        return;
    }
    let (bundle, directory, mark) = with_hook("state-link");
    let canary = Canary::plant(&bundle);
    let link = bundle.file("state").join("link");
    for target in [&directory, &canary.root, &bundle.file("missing")] {
        symlink(target, &link).unwrap();
        for command in [
            &["state"][..],
            &["delete"],
            &["delete", "--force"],
            &["start"],
        ] {
            failed(&bundle.refrun(&[command, &["link"]].concat()));
        }
        let path = bundle.write_config();
        failed(&bundle.refrun(&["create", "--bundle", &path, "link"]));
        fs::remove_file(&link).unwrap();
    }
    let record = directory.join("state.json");
    let moved = bundle.file("record");
    fs::rename(&record, &moved).unwrap();
    symlink(&moved, &record).unwrap();
    failed(&bundle.refrun(&["state", &bundle.id]));
    failed(&bundle.refrun(&["delete", &bundle.id]));
    assert!(!mark.exists());
    fs::rename(&moved, &record).unwrap();
    canary.is_untouched("as a state directory");
    succeeded(&bundle.refrun(&["delete", &bundle.id]));
}

/// What is no record holds up no command and takes no memory: a pipe, a device's number of bytes,
/// a deep nesting, a socket.
#[test]
fn a_record_that_is_none_holds_nothing_up() {
    if skipped() {
        return;
    }
    type Put = fn(&Path);
    let strange: [(&str, Put); 6] = [
        ("pipe", |record| {
            assert!(
                Command::new("mkfifo")
                    .arg(record)
                    .status()
                    .unwrap()
                    .success()
            )
        }),
        ("large", |record| {
            fs::File::create(record).unwrap().set_len(1 << 40).unwrap()
        }),
        ("deep", |record| {
            fs::write(record, "[".repeat(1 << 20)).unwrap()
        }),
        ("socket", |record| {
            drop(std::os::unix::net::UnixListener::bind(record).unwrap())
        }),
        ("directory", |record| fs::create_dir(record).unwrap()),
        ("device", |record| symlink("/dev/zero", record).unwrap()),
    ];
    for (name, put) in strange {
        let (bundle, directory, mark) = with_hook(&format!("strange-{name}"));
        let record = directory.join("state.json");
        fs::remove_file(&record).unwrap();
        put(&record);
        failed(&bundle.refrun(&["state", &bundle.id]));
        failed(&bundle.refrun(&["delete", &bundle.id]));
        succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
        assert_eq!(
            (bundle.remains(), mark.exists()),
            (Vec::new(), false),
            "{name}"
        );
    }
}

/// A process that began in another tick of the clock, as it has to be for a pid to be given again.
fn later_than(start_time: &Value) -> Child {
    loop {
        let mut child = Command::new("sleep")
            .arg("1000")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        // The 22nd field of proc(5); what stands in parentheses is the second.
        let after = stat.rsplit(") ").next().unwrap();
        if after.split(' ').nth(19) != Some(&start_time.to_string()) {
            return child;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// A pid that now is another process's, or never was one of a container, is nobody's to kill.
#[test]
fn a_pid_that_has_come_to_mean_another_process_is_left_alone() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("reused");
    bundle.start();
    let record = bundle.file("state").join(&bundle.id).join("state.json");
    let text = fs::read_to_string(&record).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    let mut bystander = later_than(&document["process"]["startTime"]);
    for pid in [i64::from(bystander.id()), 0, -1, i64::from(i32::MAX)] {
        document["process"]["pid"] = json!(pid);
        fs::write(&record, document.to_string()).unwrap();
        let state = bundle.refrun(&["state", &bundle.id]);
        let said = String::from_utf8_lossy(&state.stdout).into_owned();
        assert!(
            !state.status.success() || said.contains("\"stopped\""),
            "{pid}: {said}"
        );
        failed(&bundle.refrun(&["kill", &bundle.id, "KILL"]));
        failed(&bundle.refrun(&["exec", &bundle.id, "true"]));
    }
    fs::write(&record, text).unwrap();
    let alive = bystander.try_wait().unwrap().is_none();
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    assert!(alive);
    wait_until("the container is what it was", || {
        bundle.state()["status"] == "running"
    });
}

//! Files of the host that the command line names, or that the runtime makes there, in directories
//! where others may have put something.

use crate::canary::Canary;
use crate::support::{Bundle, failed, skipped, succeeded, wait_until};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

/// A pid file whose name is a link is replaced, and what the link leads to stays.
#[test]
fn a_pid_file_is_not_written_through_a_link() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("pid-file");
    let canary = Canary::plant(&bundle);
    let path = bundle.write_config();
    let pid_file = bundle.file("pid");
    let name = pid_file.to_str().unwrap();
    for target in ["file", "missing", "dev/null"] {
        let _ = fs::remove_file(&pid_file);
        symlink(canary.root.join(target), &pid_file).unwrap();
        let mut create =
            bundle.command(&["create", "--bundle", &path, "--pid-file", name, &bundle.id]);
        create
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(create.status().unwrap().success());
        let pid = bundle.state()["pid"].to_string();
        assert_eq!(fs::read_to_string(&pid_file).unwrap(), pid);
        assert!(!fs::symlink_metadata(&pid_file).unwrap().is_symlink());
        succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
        canary.is_untouched(target);
    }
    let rest = fs::read_dir(bundle.file("")).unwrap().flatten();
    let half = rest.filter(|entry| entry.file_name().to_string_lossy().starts_with(".pid"));
    assert_eq!(half.count(), 0);
}

/// A log is the caller's to name, also by a link, but is only ever added to.
#[test]
fn a_log_is_added_to_and_never_emptied() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("log", "true");
    let (log, link) = (bundle.file("log"), bundle.file("link"));
    fs::write(&log, "before\n").unwrap();
    symlink(&log, &link).unwrap();
    failed(&bundle.refrun(&["--log", link.to_str().unwrap(), "state", "a\"b"]));
    let text = fs::read_to_string(&log).unwrap();
    assert!(
        text.starts_with("before\ntime=") && text.lines().count() == 2,
        "{text}"
    );
    // Nobody's words can look like a line of the runtime's.
    failed(&bundle.refrun(&[
        "--log",
        link.to_str().unwrap(),
        "state",
        "x\ntime=0 level=error",
    ]));
    let text = fs::read_to_string(&log).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
}

/// The socket that `run` makes for a terminal of its own could be connected to by everybody whom
/// the caller's umask did not keep away, who then gave it a terminal of theirs.
#[test]
fn nobody_else_reaches_the_console_socket() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("relay").set("/process/terminal", json!(true));
    let path = bundle.write_config();
    let temporary = bundle.file("temporary");
    fs::create_dir(&temporary).unwrap();
    let hook = bundle.file("hook");
    // While create is at work, the socket is there.
    let script = format!(
        "stat -c '%a %u' {}/* > {}",
        temporary.display(),
        hook.display()
    );
    let hooks =
        json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]}]);
    let bundle = bundle.set("/hooks/createRuntime", hooks);
    bundle.write_config();
    let refrun = env!("CARGO_BIN_EXE_refrun");
    let root = bundle.file("state");
    let words = [
        "umask 0; exec \"$@\"",
        "sh",
        refrun,
        "--root",
        root.to_str().unwrap(),
        "run",
        "--bundle",
        &path,
        &bundle.id,
    ];
    let mut run = std::process::Command::new("sh")
        .arg("-c")
        .args(words)
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the hook has looked", || {
        fs::read_to_string(&hook).is_ok_and(|text| text.ends_with('\n'))
    });
    // A runtime that still creates is killed by the deletion, and cleans nothing up.
    wait_until("it runs", || {
        let state = bundle.refrun(&["state", &bundle.id]);
        String::from_utf8_lossy(&state.stdout).contains("\"running\"")
    });
    assert!(
        bundle
            .refrun(&["delete", "--force", &bundle.id])
            .status
            .success()
    );
    wait_until("run has ended", || run.try_wait().unwrap().is_some());
    assert_eq!(fs::read_to_string(&hook).unwrap(), "700 0\n");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

/// What is at the path of a console socket is connected to and never opened, made or removed.
#[test]
fn a_console_socket_that_is_none_is_left_as_it_is() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("console-socket", "true").set("/process/terminal", json!(true));
    let canary = Canary::plant(&bundle);
    let path = bundle.write_config();
    let link = bundle.file("socket");
    symlink(canary.root.join("file"), &link).unwrap();
    let long = "/x".repeat(5000);
    for socket in [
        "/dev/null",
        "/dev/zero",
        "/",
        "",
        &long,
        link.to_str().unwrap(),
        "/proc/self/exe",
    ] {
        let words = [
            "create",
            "--bundle",
            &path,
            "--console-socket",
            socket,
            &bundle.id,
        ];
        let said = failed(&bundle.refrun(&words));
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(bundle.remains(), Vec::<String>::new(), "{socket}");
    }
    canary.is_untouched("as a console socket");
}

/// A bundle's root may be a link, as engines make them; what it leads to is the root, and a
/// program in there finds nothing above it.
#[test]
fn a_root_behind_a_link_is_a_root() {
    if skipped() {
        return;
    }
    let script = "cd /; ls -d scratch; cd ../../..; ls -d scratch; ls /bundle 2>/dev/null";
    let bundle = Bundle::new("root-link", script).set("/root/path", json!("up/../link"));
    let canary = Canary::plant(&bundle);
    fs::create_dir(bundle.path().join("up")).unwrap();
    symlink("rootfs", bundle.path().join("link")).unwrap();
    assert_eq!(bundle.run(), "scratch\nscratch\n");
    canary.is_untouched("beside the root");
    for path in [
        "missing",
        "config.json",
        "../../../../../../../../dev/null",
        "/proc/self/exe",
    ] {
        let bundle = Bundle::new("root-none", "true").set("/root/path", json!(path));
        assert!(failed(&bundle.create()).contains("/root/path"), "{path}");
    }
    let mode = fs::metadata(&canary.root).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

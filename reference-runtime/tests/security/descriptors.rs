//! Nothing that the runtime or its caller has open, is in, or has in its environment reaches a
//! container: neither its program nor the paths that lead to it.

use crate::attacker::all_capabilities;
use crate::canary::Canary;
use crate::support::{Bundle, failed, skipped, succeeded, sys};
use serde_json::json;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};
use std::thread;

/// More than the runtime ever has open at once.
const NUMBERS: std::ops::Range<i32> = 3..30;

/// A command of the runtime by a careless caller: with a directory of the host open, in another
/// one, and with a secret in its environment.
fn carelessly(bundle: &Bundle, canary: &Canary, arguments: &[&str]) -> Command {
    let mut command = bundle.command(arguments);
    for number in [3, 7, 50] {
        sys::leak(&mut command, File::open(&canary.root).unwrap(), number);
    }
    command.current_dir(&canary.root).env("SECRET", "secret");
    command.stdin(Stdio::null());
    command
}

fn create(bundle: &Bundle, canary: &Canary) -> Output {
    let path = bundle.write_config();
    let mut command = carelessly(bundle, canary, &["create", "--bundle", &path, &bundle.id]);
    let errors = bundle.file("create.stderr");
    command.stdout(File::create(bundle.file("stdout")).unwrap());
    command.stderr(File::create(&errors).unwrap());
    let status = command.status().unwrap();
    let stderr = fs::read(errors).unwrap();
    Output {
        status,
        stdout: Vec::new(),
        stderr,
    }
}

/// CVE-2024-21626: a directory of the host that the runtime had open was the container's.
#[test]
fn the_program_has_three_descriptors_and_its_own_environment() {
    if skipped() {
        return;
    }
    let look = "ls /proc/$$/fd; readlink /proc/$$/cwd; tr '\\0' '\\n' < /proc/$$/environ";
    let seen = "0\n1\n2\n/\nPATH=/usr/bin:/bin\n";
    let bundle = Bundle::new(
        "descriptors",
        &format!("{look}; read line < /scratch/never"),
    )
    .set(
        "/linux/devices",
        json!([{"path": "/scratch/never", "type": "p"}]),
    );
    let canary = Canary::plant(&bundle);
    succeeded(&create(&bundle, &canary));
    succeeded(
        &carelessly(&bundle, &canary, &["start", &bundle.id])
            .output()
            .unwrap(),
    );
    let exec = ["exec", &bundle.id, "/bin/sh", "-c", look];
    let output = carelessly(&bundle, &canary, &exec).output().unwrap();
    succeeded(&output);
    assert_eq!(String::from_utf8_lossy(&output.stdout), seen);
    fs::write(bundle.path().join("rootfs/scratch/never"), "on\n").unwrap();
    bundle.wait_for("stopped");
    assert_eq!(bundle.printed(), seen);
}

/// The same of the listener that a filter with SCMP_ACT_NOTIFY makes in the process itself: who
/// has it decides what the system calls of others do.
#[test]
fn the_program_does_not_get_its_own_seccomp_listener() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("own-listener", "ls /proc/$$/fd; mkdir /tmp/made");
    let socket = bundle.file("agent");
    let listener = UnixListener::bind(&socket).unwrap();
    let rule = json!({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"});
    let bundle = bundle.set(
        "/linux/seccomp",
        json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": socket, "syscalls": [rule]}),
    );
    succeeded(&bundle.create());
    let agent = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let (_, listener) = sys::receive_descriptor(&stream).unwrap();
        sys::let_go_on(&listener)
    });
    succeeded(&bundle.refrun(&["start", &bundle.id]));
    bundle.wait_for("stopped");
    assert_eq!(bundle.printed(), "0\n1\n2\n");
    assert!(!agent.join().unwrap().is_empty());
}

/// CVE-2024-21626: a working directory `/proc/self/fd/N`, also behind a link of the image, was
/// that directory of the host.
#[test]
fn a_working_directory_cannot_be_a_descriptor_of_the_host() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("cwd");
    let canary = Canary::plant(&bundle);
    bundle.start();
    let link = bundle.path().join("rootfs/scratch/cwd");
    let mut outside = 0;
    for number in NUMBERS {
        for cwd in [
            format!("/proc/self/fd/{number}"),
            format!("/proc/self/fd/{number}/.."),
        ] {
            let _ = fs::remove_file(&link);
            symlink(&cwd, &link).unwrap();
            for cwd in [&cwd, "/scratch/cwd"] {
                let exec = ["exec", "--cwd", cwd, &bundle.id, "/bin/ls"];
                failed(&carelessly(&bundle, &canary, &exec).output().unwrap());
            }
            let other = Bundle::new("cwd-create", "ls").set("/process/cwd", json!(cwd));
            let error = failed(&create(&other, &canary));
            outside += usize::from(error.contains("is outside the container's root"));
        }
    }
    // The runtime does have a directory of the host open then, and it was tried.
    assert!(outside > 0);
    canary.is_untouched("as working directories");
}

/// CVE-2024-21626: a program `/proc/self/fd/N/…`, also behind a link of the image, was executed
/// from the host, and `/proc/self/exe` then was a file of the host.
#[test]
fn a_program_cannot_be_found_through_a_descriptor_of_the_host() {
    if skipped() {
        return;
    }
    let caps = all_capabilities();
    let bundle = Bundle::endless("args").set("/process/capabilities", caps.clone());
    let canary = Canary::plant(&bundle);
    bundle.start();
    let link = bundle.path().join("rootfs/scratch/program");
    // A directory, and a procfs, on the host.
    let own = std::process::id();
    for number in NUMBERS {
        for rest in [
            "/bin/true",
            "/../../../bin/true",
            &format!("/{own}/root/bin/true"),
        ] {
            let program = format!("/proc/self/fd/{number}{rest}");
            let _ = fs::remove_file(&link);
            symlink(&program, &link).unwrap();
            for program in [&program, "/scratch/program"] {
                let exec = ["exec", &bundle.id, program];
                failed(&carelessly(&bundle, &canary, &exec).output().unwrap());
            }
        }
    }
    for number in NUMBERS {
        let program = format!("/proc/self/fd/{number}/{own}/root/bin/true");
        let other = Bundle::new("args-create", "")
            .set("/process/capabilities", caps.clone())
            .set("/process/args", json!([program]));
        succeeded(&create(&other, &canary));
        failed(
            &carelessly(&other, &canary, &["start", &other.id])
                .output()
                .unwrap(),
        );
    }
}

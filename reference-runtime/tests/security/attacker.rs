//! The container's side: this test program once more, as the program of a container.
//!
//! It prints what it gets hold of, one `told:` line for each, and judges nothing.

use crate::support::{Bundle, sys, wait_until};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

/// What is said of a process that could be looked into.
pub(crate) const MARK: &str = "told: ";

/// The directory of the host that is `/held` in the container.
pub(crate) fn held(bundle: &Bundle) -> PathBuf {
    bundle.file("held")
}

/// A bundle whose program is an attack.
pub(crate) fn bundle(name: &str, attack: &str) -> Bundle {
    let own = std::env::current_exe().unwrap();
    let test = "attacker::what_runs_in_the_container";
    let bundle = Bundle::new(name, "");
    let held = held(&bundle);
    fs::create_dir(&held).unwrap();
    bundle
        .set(
            "/process/args",
            json!([
                "/attacker",
                "--ignored",
                "--exact",
                test,
                "--nocapture",
                "--test-threads=1"
            ]),
        )
        .set("/process/env/-", json!(format!("ATTACK={attack}")))
        .set(
            "/mounts/-",
            json!({"destination": "/attacker", "source": own, "options": ["bind", "ro"]}),
        )
        .set(
            "/mounts/-",
            json!({"destination": "/held", "source": held, "options": ["bind"]}),
        )
}

/// Every privilege that a container can have in the user namespace of the host.
pub(crate) fn all_capabilities() -> serde_json::Value {
    let list = [
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_FOWNER",
        "CAP_KILL",
        "CAP_LEASE",
        "CAP_MKNOD",
        "CAP_NET_ADMIN",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SYS_ADMIN",
        "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE",
    ];
    json!({"bounding": list, "permitted": list, "effective": list})
}

/// What an attack has told.
pub(crate) fn told(printed: &str) -> Vec<String> {
    let lines = printed.lines();
    let told = lines.filter_map(|line| Some(line.split_once(MARK)?.1.to_owned()));
    told.collect()
}

#[test]
#[ignore = "it is run by other tests, in a container"]
fn what_runs_in_the_container() {
    match std::env::var("ATTACK").as_deref() {
        Ok("hold") => hold(),
        Ok(key) => println!("{MARK}{key} {}", sys::finds_key(key)),
        Err(_) => {}
    }
}

/// Holds up whoever is about to execute `/held/program`, which is then still the runtime, looks
/// into it, and writes to its file, also when nobody executes that any more.
fn hold() {
    let before = processes();
    let script = std::env::var("SCRIPT").unwrap_or_default();
    fs::write("/held/program", script).unwrap();
    fs::set_permissions("/held/program", fs::Permissions::from_mode(0o755)).unwrap();
    let program = File::open("/held/program").unwrap();
    sys::take_lease(&program).unwrap();
    fs::write("/held/ready", "").unwrap();
    wait_until("somebody is held up", || sys::lease_is_breaking(&program));
    let held: Vec<u32> = processes().difference(&before).copied().collect();
    let kept: Vec<File> = held.iter().filter_map(|pid| look_into(*pid).ok()).collect();
    drop(program);
    for file in kept {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let open = || OpenOptions::new().write(true).open(&path);
        let busy = |error: &io::Error| error.kind() == io::ErrorKind::ExecutableFileBusy;
        wait_until("nobody executes it", || {
            !open().is_err_and(|error| busy(&error))
        });
        write_to(&path);
    }
    println!("{MARK}done");
}

/// Tells what can be seen of a process. Its file.
fn look_into(pid: u32) -> io::Result<File> {
    let process = format!("/proc/{pid}");
    for name in ["root", "cwd", "exe"] {
        println!(
            "{MARK}{name} {}",
            tell(fs::read_link(format!("{process}/{name}")))
        );
    }
    match fs::read_dir(format!("{process}/fd")) {
        Err(error) => println!("{MARK}fd {error}"),
        Ok(entries) => {
            for entry in entries.flatten() {
                let number = entry.file_name().into_string().unwrap();
                println!("{MARK}fd {number} {}", tell(fs::read_link(entry.path())));
            }
        }
    }
    let exe = format!("{process}/exe");
    write_to(&exe);
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(exe)
}

fn tell(link: io::Result<PathBuf>) -> String {
    link.map_or_else(|error| error.to_string(), |path| path.display().to_string())
}

/// Tries to write to a file that is not to be written, also after taking its protection away.
fn write_to(path: &str) {
    for _ in 0..2 {
        let opened = OpenOptions::new().write(true).open(path);
        let written = opened.and_then(|file| file.write_at(b"#!/evil\n", 0));
        println!("{MARK}write {written:?}");
        println!("{MARK}remount {:?}", sys::make_mount_writable(path));
    }
}

fn processes() -> BTreeSet<u32> {
    let names = fs::read_dir("/proc").unwrap().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

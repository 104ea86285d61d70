//! Containers of a user without any privilege: what the kernel lets a user namespace do, with and
//! without the programs that map more ids than one.

mod support;

use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use support::sys::{let_go_on, receive_descriptor};
use support::{Bundle, failed, skipped, succeeded};

/// Debian's nobody: newuidmap(1) serves only users that have a name.
const USER: u32 = 65534;

#[test]
fn the_caller_is_the_root_of_a_container() {
    if skipped() {
        return;
    }
    let script = "id -u; id -g; cat /proc/self/setgroups; echo x > /dev/null && \
                  test -c /dev/zero && touch /scratch/made && echo done";
    let rootless = Rootless::new("root", script);
    assert_eq!(rootless.run(), "0\n0\ndeny\ndone\n");
    let made = fs::metadata(rootless.0.path().join("rootfs/scratch/made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (USER, USER));
    rootless.leaves_nothing();
}

#[test]
fn without_maps_the_caller_is_root_too() {
    if skipped() {
        return;
    }
    let mut rootless = Rootless::new("no-maps", "id -u; cat /proc/self/uid_map");
    let linux = rootless.0.config["linux"].as_object_mut().unwrap();
    linux.remove("uidMappings");
    linux.remove("gidMappings");
    let printed = rootless.run();
    let words: Vec<&str> = printed.split_whitespace().collect();
    assert_eq!(words, ["0", "0", "65534", "1"]);
}

#[test]
fn with_the_programs_for_it_a_range_is_mapped() {
    if skipped() {
        return;
    }
    if !Path::new("/usr/bin/newuidmap").exists() {
        eprintln!("skipped: newuidmap is not installed");
        return;
    }
    let maps = json!([
        {"containerID": 0, "hostID": USER, "size": 1},
        {"containerID": 1, "hostID": 300_000, "size": 2000},
    ]);
    let script = "id -u; id -g; id -G; cat /proc/self/uid_map";
    let rootless = Rootless::new("range", script)
        .set("/linux/uidMappings", maps.clone())
        .set("/linux/gidMappings", maps)
        .set(
            "/process/user",
            json!({"uid": 1000, "gid": 1001, "additionalGids": [7]}),
        );
    let created = rootless.create();
    assert!(failed(&created).contains("/linux/uidMappings: \"/usr/bin/newuidmap\" failed"));
    rootless.leaves_nothing();

    let allowed = rootless.0.file("subids");
    fs::write(&allowed, "nobody:300000:2000\n").unwrap();
    let printed = rootless.run();
    let words: Vec<&str> = printed.split_whitespace().collect();
    assert_eq!(words[..4], ["1000", "1001", "1001", "7"], "{printed}");
    assert_eq!(
        words[4..],
        ["0", "65534", "1", "1", "300000", "2000"],
        "{printed}"
    );
}

#[test]
fn a_container_is_run_looked_at_and_ended() {
    if skipped() {
        return;
    }
    let rootless = Rootless(prepared(Bundle::endless("rootless-life")));
    succeeded(&rootless.create());
    assert_eq!(rootless.status(), "created");
    succeeded(&rootless.refrun(&["start", rootless.id()]));
    assert_eq!(rootless.status(), "running");
    let output = rootless.refrun(&[
        "exec",
        rootless.id(),
        "sh",
        "-c",
        "id -u; echo $$ > /dev/null",
    ]);
    succeeded(&output);
    assert_eq!(output.stdout, b"0\n");
    let output = rootless.refrun(&["exec", rootless.id(), "sh", "-c", "exit 7"]);
    assert_eq!(output.status.code(), Some(7));
    succeeded(&rootless.refrun(&["list"]));
    succeeded(&rootless.refrun(&["kill", rootless.id(), "KILL"]));
    rootless.wait_until_stopped();
    succeeded(&rootless.refrun(&["delete", rootless.id()]));
    rootless.leaves_nothing();
}

#[test]
fn deleting_by_force_ends_a_container() {
    if skipped() {
        return;
    }
    let rootless = Rootless(prepared(Bundle::endless("rootless-force")));
    succeeded(&rootless.create());
    succeeded(&rootless.refrun(&["start", rootless.id()]));
    succeeded(&rootless.refrun(&["delete", "--force", rootless.id()]));
    rootless.leaves_nothing();
}

#[test]
fn a_terminal_belongs_to_the_container() {
    if skipped() {
        return;
    }
    let rootless = Rootless::new(
        "terminal",
        "tty; stat -c %u $(tty); test -c /dev/console && echo ran",
    )
    .set("/process/terminal", json!(true));
    let socket = rootless.0.file("console");
    let listener = UnixListener::bind(&socket).unwrap();
    chown(&socket, Some(USER), Some(USER)).unwrap();
    let bundle = rootless.0.path();
    fs::write(bundle.join("config.json"), rootless.0.config.to_string()).unwrap();
    let arguments = [
        "create",
        "--console-socket",
        socket.to_str().unwrap(),
        "--bundle",
    ];
    let arguments = [&arguments[..], &[bundle.to_str().unwrap(), rootless.id()]].concat();
    succeeded(&rootless.refrun(&arguments));
    let (stream, _) = listener.accept().unwrap();
    let (_, master) = receive_descriptor(&stream).unwrap();
    succeeded(&rootless.refrun(&["start", rootless.id()]));
    let mut printed = Vec::new();
    // Once nobody has the other side open, reading is an error, and what was read stays.
    let _ = File::from(master).read_to_end(&mut printed);
    let printed = String::from_utf8_lossy(&printed);
    assert_eq!(
        printed.split_whitespace().collect::<Vec<_>>(),
        ["/dev/pts/0", "0", "ran"]
    );
}

#[test]
fn hooks_run_as_the_caller() {
    if skipped() {
        return;
    }
    let mut rootless = Rootless::new("hooks", "true");
    let record = rootless.0.file("hooks");
    File::create(&record).unwrap();
    chown(&record, Some(USER), Some(USER)).unwrap();
    let mount = json!({"destination": "/scratch/hooks", "source": record, "options": ["bind"]});
    rootless = rootless.set("/mounts/-", mount);
    let kinds = [
        "prestart",
        "createRuntime",
        "createContainer",
        "startContainer",
        "poststart",
        "poststop",
    ];
    for kind in kinds {
        let place = match kind {
            "startContainer" => "/scratch/hooks".to_owned(),
            _ => record.display().to_string(),
        };
        let script = format!("cat > /dev/null; echo {kind} $(id -u) >> {place}");
        let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]}]);
        rootless = rootless.set(&format!("/hooks/{kind}"), hook);
    }
    rootless.run();
    let told = fs::read_to_string(&record).unwrap();
    let expected = kinds.map(|kind| {
        let inside = matches!(kind, "createContainer" | "startContainer");
        format!("{kind} {}", if inside { 0 } else { USER })
    });
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn limits_that_cannot_be_set_are_an_error() {
    if skipped() {
        return;
    }
    // Neither is dropped silently; only who asks for nothing gets nothing.
    for (pointer, value) in [
        ("/linux/cgroupsPath", json!("/refrun-rootless")),
        ("/linux/resources/pids/limit", json!(5)),
        ("/linux/resources/devices", json!([{"allow": false}])),
    ] {
        let rootless = Rootless::new("limits", "true").set(pointer, value);
        let error = failed(&rootless.create());
        assert!(
            error.contains("cgroups: ") && error.contains("Permission denied"),
            "{pointer}: {error}"
        );
        rootless.leaves_nothing();
    }
}

#[test]
fn the_hosts_sysfs_is_bound_where_none_can_be_mounted() {
    if skipped() {
        return;
    }
    let script = "ls /sys/class/net; grep ' /sys ' /proc/self/mountinfo; touch /sys/x 2>/dev/null || echo refused";
    let sysfs = json!({"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro", "nosuid", "noexec", "nodev"]});
    let own = Rootless::new("sysfs", script).set("/mounts/-", sysfs.clone());
    let printed = own.run();
    assert_eq!(printed.lines().next(), Some("lo"), "{printed}");
    assert!(printed.ends_with("refused\n"), "{printed}");

    let mut hosts = Rootless::new("sysfs-host", script).set("/mounts/-", sysfs);
    let namespaces = hosts.0.config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap();
    namespaces.retain(|namespace| namespace["type"] != "network");
    let printed = hosts.run();
    assert!(printed.contains(" /sys ro,"), "{printed}");
    assert!(printed.ends_with("refused\n"), "{printed}");
}

#[test]
fn devices_are_the_hosts_or_none() {
    if skipped() {
        return;
    }
    let full = json!({"path": "/dev/full", "type": "c", "major": 1, "minor": 7});
    let rootless =
        Rootless::new("device", "stat -c %t:%T /dev/full").set("/linux/devices", json!([full]));
    assert_eq!(rootless.run(), "1:7\n");
    let absent = json!({"path": "/dev/refrun-none", "type": "c", "major": 1, "minor": 7});
    let rootless = Rootless::new("no-device", "true").set("/linux/devices", json!([absent]));
    let error = failed(&rootless.create());
    assert!(
        error.contains("/linux/devices/0: open_tree(\"/dev/refrun-none\""),
        "{error}"
    );
    rootless.leaves_nothing();
}

#[test]
fn the_state_is_kept_in_the_runtime_directory_of_the_user() {
    if skipped() {
        return;
    }
    let rootless = Rootless(prepared(Bundle::endless("rootless-xdg")));
    let runtime = rootless.0.file("runtime");
    fs::create_dir(&runtime).unwrap();
    chown(&runtime, Some(USER), Some(USER)).unwrap();
    let bundle = rootless.0.path();
    fs::write(bundle.join("config.json"), rootless.0.config.to_string()).unwrap();
    let refrun = |arguments: &[&str]| {
        let mut command = rootless.unprivileged(arguments);
        command
            .env("XDG_RUNTIME_DIR", &runtime)
            .stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    };
    assert!(refrun(&[
        "create",
        "--bundle",
        bundle.to_str().unwrap(),
        rootless.id()
    ]));
    assert!(runtime.join("refrun").join(rootless.id()).is_dir());
    let mode = fs::metadata(runtime.join("refrun"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700, "{mode:o}");
    assert!(refrun(&["delete", "--force", rootless.id()]));
    assert!(!runtime.join("refrun").join(rootless.id()).exists());
}

#[test]
fn a_seccomp_listener_is_handed_over() {
    if skipped() {
        return;
    }
    // The second hinders the process itself from sending it.
    let mkdir = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]});
    let all = json!({"defaultAction": "SCMP_ACT_NOTIFY"});
    for (name, mut seccomp) in [("notify-mkdir", mkdir), ("notify-all", all)] {
        let mut rootless = Rootless::new(name, "mkdir /tmp/x && echo ran");
        let socket = rootless.0.file("agent");
        let listener = UnixListener::bind(&socket).unwrap();
        chown(&socket, Some(USER), Some(USER)).unwrap();
        seccomp["listenerPath"] = json!(socket);
        rootless = rootless.set("/linux/seccomp", seccomp);
        let agent = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let (_, listener) = receive_descriptor(&stream).unwrap();
            let_go_on(&listener)
        });
        assert_eq!(rootless.run(), "ran\n", "{name}");
        assert!(
            agent.join().unwrap().contains(&(libc::SYS_mkdir as i32)),
            "{name}"
        );
    }
}

/// The root of a user namespace whose ids are the host's, as in some engines' containers: it may make
/// groups, but nobody there puts rules for devices in force. Where it may not even make groups, a
/// container that asks for none is made without.
#[test]
fn the_root_of_a_user_namespace_does_what_it_can_with_cgroups() {
    if skipped() {
        return;
    }
    let read_only = "for place in /sys/fs/cgroup /sys/fs/cgroup/*; do \
                     mountpoint -q \"$place\" && mount -o remount,bind,ro \"$place\"; done; ";
    for (name, before) in [("writable", ""), ("read-only", read_only)] {
        let mut bundle = Bundle::new(&format!("userns-{name}"), "echo ran");
        if name == "read-only" {
            let linux = bundle.config["linux"].as_object_mut().unwrap();
            linux.remove("cgroupsPath");
        }
        bundle.write_config();
        let run = format!("{before}exec \"$@\"");
        // The first shell of the namespace is nobody there until the ids are mapped, the next is root.
        let mapped = "mkfifo \"$0\" && run=$1 && shift
            unshare --user --mount sh -c 'read -r _ <\"$0\" && exec sh -c \"$@\"' \"$0\" \"$run\" sh \"$@\" & child=$!
            until [ \"$(readlink /proc/$child/ns/user)\" != \"$(readlink /proc/self/ns/user)\" ]; do :; done
            for map in uid_map gid_map; do cat /proc/self/$map >/proc/$child/$map; done
            echo >\"$0\"; wait $child";
        let output = Command::new("sh")
            .args(["-c", mapped])
            .arg(bundle.file("mapped"))
            .arg(&run)
            .arg(env!("CARGO_BIN_EXE_refrun"))
            .arg("--root")
            .arg(bundle.file("state"))
            .args(["run", "--bundle", bundle.path().to_str().unwrap()])
            .arg(&bundle.id)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        succeeded(&output);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "ran\n", "{name}");
        assert_eq!(bundle.remains(), [""; 0], "{name}");
    }
}

/// A bundle that belongs to the user, who alone runs commands on it.
struct Rootless(Bundle);

impl Rootless {
    fn new(name: &str, script: &str) -> Self {
        Rootless(prepared(Bundle::new(&format!("rootless-{name}"), script)))
    }

    fn set(self, pointer: &str, value: Value) -> Self {
        Rootless(self.0.set(pointer, value))
    }

    fn id(&self) -> &str {
        &self.0.id
    }

    /// create, start, wait and delete; what the container printed.
    fn run(&self) -> String {
        succeeded(&self.create());
        succeeded(&self.refrun(&["start", self.id()]));
        self.wait_until_stopped();
        succeeded(&self.refrun(&["delete", self.id()]));
        self.0.printed()
    }

    fn create(&self) -> Output {
        let bundle = self.0.path();
        fs::write(bundle.join("config.json"), self.0.config.to_string()).unwrap();
        let mut command =
            self.command(&["create", "--bundle", bundle.to_str().unwrap(), self.id()]);
        let errors = self.0.file("create.stderr");
        command.stdin(Stdio::null());
        command.stdout(File::create(self.0.file("stdout")).unwrap());
        command.stderr(File::create(&errors).unwrap());
        Output {
            status: command.status().unwrap(),
            stdout: Vec::new(),
            stderr: fs::read(errors).unwrap(),
        }
    }

    fn refrun(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn status(&self) -> String {
        let output = self.refrun(&["state", self.id()]);
        succeeded(&output);
        let state: Value = serde_json::from_slice(&output.stdout).unwrap();
        state["status"].as_str().unwrap().to_owned()
    }

    fn wait_until_stopped(&self) {
        support::wait_until("the container has stopped", || self.status() == "stopped");
    }

    #[track_caller]
    fn leaves_nothing(&self) {
        assert_eq!(self.0.remains(), [""; 0]);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let state = self.0.file("state");
        let root = ["--root", state.to_str().unwrap()];
        self.unprivileged(&[&root, arguments].concat())
    }

    /// The runtime without a privilege, and without whatever the tests inherit in their
    /// environment. Where the bundle has a list of ids for the user, the system's is covered by it.
    fn unprivileged(&self, arguments: &[&str]) -> Command {
        let subids = self.0.file("subids");
        let mut command = if subids.exists() {
            let mut command = Command::new("unshare");
            let script = "mount --bind \"$0\" /etc/subuid && mount --bind \"$0\" /etc/subgid && exec setpriv \"$@\"";
            command.args(["--mount", "sh", "-c", script]).arg(subids);
            command
        } else {
            Command::new("setpriv")
        };
        let user = USER.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]);
        command.arg(self.0.file("refrun")).args(arguments);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/");
        command
    }
}

/// The bundle with what a user without privilege needs, and owned by it.
fn prepared(bundle: Bundle) -> Bundle {
    let map = json!([{"containerID": 0, "hostID": USER, "size": 1}]);
    let mut bundle = bundle
        .set("/linux/namespaces/-", json!({"type": "user"}))
        .set("/linux/uidMappings", map.clone())
        .set("/linux/gidMappings", map);
    bundle.config["linux"]
        .as_object_mut()
        .unwrap()
        .remove("cgroupsPath");
    // Where the build is, the user may not be able to go.
    // Copied here, it could be open for writing in a process that another test starts, and could not
    // be executed.
    let mut copy = Command::new("cp");
    copy.arg(env!("CARGO_BIN_EXE_refrun"))
        .arg(bundle.file("refrun"));
    assert!(copy.status().unwrap().success());
    own(bundle.path().parent().unwrap());
    bundle
}

fn own(directory: &Path) {
    chown(directory, Some(USER), Some(USER)).unwrap();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            own(&entry.path());
        }
    }
}

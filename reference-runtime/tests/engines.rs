//! What engines hand to a runtime, run to its end: every `config.json` of the documents, with the
//! paths of the engine's host replaced by what this test makes, and nothing else changed.

mod support;

use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::sys::receive_descriptor;
use support::{Bundle, failed, skipped, succeeded, wait_until};

/// What the program in the containers prints.
const GREETING: &str = "the program ran";

/// A configuration, what its refusal says, and whether this host has what is missing.
type Need = (&'static str, &'static str, fn() -> bool);

/// Configurations that not every host can run. Where the host has what they need, they run as the
/// others do.
const NEEDS: &[Need] = &[
    (
        "cri-privileged-container",
        "/process/oomScoreAdj",
        may_be_spared,
    ),
    (
        "cri-privileged-sandbox",
        "/process/oomScoreAdj",
        may_be_spared,
    ),
    ("cri-sandbox", "/process/oomScoreAdj", may_be_spared),
    // It has a user namespace without maps, as its maker (alone) allows.
    (
        "crun-spec-rootless",
        "/linux/uidMappings: is required",
        || false,
    ),
    (
        "ctr-apparmor",
        "/linux/intelRdt: no resctrl filesystem",
        || Path::new("/sys/fs/resctrl/schemata").exists(),
    ),
    // User 1000, and 1000 ids, the last of which is 999.
    (
        "ctr-userns",
        "1000 is not mapped by /linux/uidMappings",
        || false,
    ),
    (
        "podman-v2-unified",
        "no memory controller in cgroup version 2",
        || {
            fs::read_to_string("/sys/fs/cgroup/cgroup.controllers")
                .is_ok_and(|controllers| controllers.contains("memory"))
        },
    ),
    // The image's user is 1000, and only id 0 is mapped.
    (
        "umoci-unpack-rootless",
        "1000 is not mapped by /linux/uidMappings",
        || false,
    ),
];

/// Whether this process may make itself less likely to be killed for lack of memory.
fn may_be_spared() -> bool {
    const CAP_SYS_RESOURCE: u64 = 1 << 24;
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = u64::from_str_radix(effective.unwrap().trim(), 16).unwrap();
    effective & CAP_SYS_RESOURCE != 0
}

#[test]
fn every_configuration_of_the_engines_runs() {
    if skipped() {
        return;
    }
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/documents/engines");
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 80, "the documents are gone");
    let holder = Holder::new();
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let config = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let lacking = NEEDS
            .iter()
            .find(|(needy, _, is_there)| *needy == name && !is_there());
        let outcome = run(name, config, &holder);
        let problem = match (outcome, lacking) {
            (Ok(()), None) => continue,
            (Err(error), None) => error,
            (Err(error), Some((_, refusal, _))) if error.contains(refusal) => continue,
            (Err(error), Some((_, refusal, _))) => format!("{error}\n  instead of {refusal:?}"),
            (Ok(()), Some((_, refusal, _))) => format!("runs, where {refusal:?} was expected"),
        };
        wrong.push(format!("{name}: {problem}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// From create to delete; Err is what the runtime or the container said instead.
fn run(name: &str, config: Value, holder: &Holder) -> Result<(), String> {
    let bundle = adapt(name, config, holder);
    let terminal = bundle.config["process"]["terminal"] == json!(true);
    let printed = if terminal {
        on_terminal(&bundle)?
    } else {
        let created = bundle.create();
        if !created.status.success() {
            return Err(failed(&created));
        }
        succeeded(&bundle.refrun(&["start", &bundle.id]));
        bundle.wait_for("stopped");
        succeeded(&bundle.refrun(&["delete", &bundle.id]));
        bundle.printed() + &fs::read_to_string(bundle.file("create.stderr")).unwrap()
    };
    if !printed.contains(GREETING) {
        return Err(format!("it printed {printed:?}"));
    }
    hooks_ran(&bundle)?;
    match bundle.remains().as_slice() {
        [] => Ok(()),
        remains => Err(format!("it leaves {remains:?}")),
    }
}

/// The container's life with a pseudoterminal; what was written to it.
fn on_terminal(bundle: &Bundle) -> Result<String, String> {
    let socket = bundle.file("console.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    fs::write(bundle.path().join("config.json"), bundle.config.to_string()).unwrap();
    let path = bundle.path();
    let arguments = [
        "create",
        "--console-socket",
        socket.to_str().unwrap(),
        "--bundle",
        path.to_str().unwrap(),
        &bundle.id,
    ];
    let created = bundle.refrun(&arguments);
    if !created.status.success() {
        return Err(failed(&created));
    }
    let (stream, _) = listener.accept().unwrap();
    let (_, master) = receive_descriptor(&stream).unwrap();
    succeeded(&bundle.refrun(&["start", &bundle.id]));
    let mut printed = Vec::new();
    // Once nobody has the other side open, reading is an error, and what was read stays.
    let _ = File::from(master).read_to_end(&mut printed);
    bundle.wait_for("stopped");
    succeeded(&bundle.refrun(&["delete", &bundle.id]));
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// The configuration with this host's paths, and the files that they lead to.
fn adapt(name: &str, mut config: Value, holder: &Holder) -> Bundle {
    let mut bundle = Bundle::new(&format!("engine-{name}"), "");
    let rootfs = bundle.path().join("rootfs");
    config["root"]["path"] = json!("rootfs");
    let cwd = config["process"]["cwd"].as_str().unwrap().to_owned();
    fs::create_dir_all(rootfs.join(cwd.trim_start_matches('/'))).unwrap();
    let script = format!("echo {GREETING}");
    config["process"]["args"] = json!(["/usr/bin/env", "sh", "-c", script]);
    if config["linux"]["cgroupsPath"].is_string() {
        config["linux"]["cgroupsPath"] = json!(format!("/{}", bundle.id));
    }
    for namespace in config
        .pointer_mut("/linux/namespaces")
        .map(list)
        .into_iter()
        .flatten()
    {
        if let Some(path) = namespace.get("path").and_then(Value::as_str) {
            namespace["path"] = holder.namespace(path).into();
        }
    }
    for mount in list(&mut config["mounts"]) {
        replace_source(mount, &bundle);
    }
    // The programs of the host take the place of the image, below all that the engine mounts.
    let programs = bundle.config["mounts"].as_array().unwrap().iter();
    let programs = programs
        .filter(|mount| mount["options"][0] == "rbind")
        .cloned();
    let mut mounts: Vec<Value> = programs.collect();
    mounts.append(list(&mut config["mounts"]));
    config["mounts"] = mounts.into();
    if let Some(hooks) = config.get_mut("hooks") {
        replace_hooks(hooks, &bundle);
    }
    own_by_root_of_the_container(&rootfs, &config);
    bundle.config = config;
    bundle
}

/// The list, which may be missing.
fn list(value: &mut Value) -> &mut Vec<Value> {
    if value.is_null() {
        *value = json!([]);
    }
    value.as_array_mut().unwrap()
}

/// A bind mount's source: an empty file or directory of this test, as its destination tells.
fn replace_source(mount: &mut Value, bundle: &Bundle) {
    let destination = mount["destination"].as_str().unwrap().to_owned();
    let options = mount["options"].as_array().cloned().unwrap_or_default();
    let binds = options
        .iter()
        .any(|option| option == "bind" || option == "rbind");
    // Where an engine hands over the host's own files, this host has them too.
    const OF_EVERY_HOST: &[&str] = &[
        "/proc",
        "/sys",
        "/dev",
        "/dev/shm",
        "/dev/mqueue",
        "/sys/fs/cgroup",
    ];
    if !binds
        || mount["source"]
            .as_str()
            .is_some_and(|source| OF_EVERY_HOST.contains(&source))
    {
        return;
    }
    let source = bundle
        .file("sources")
        .join(destination.trim_start_matches('/'));
    let is_file = destination.starts_with("/etc/")
        || destination.starts_with("/sbin/")
        || destination.ends_with(".containerenv")
        || destination.starts_with("/run/secrets/");
    if is_file {
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        File::create(&source).unwrap();
    } else {
        fs::create_dir_all(&source).unwrap();
    }
    mount["source"] = json!(source);
}

/// Each hook appends the state that it is given to a file of its kind.
fn replace_hooks(hooks: &mut Value, bundle: &Bundle) {
    for (kind, entries) in hooks.as_object_mut().unwrap() {
        let record = bundle.file(&format!("hook-{kind}"));
        let script = format!("cat >> {}", record.display());
        for entry in list(entries) {
            entry["path"] = json!("/bin/sh");
            entry["args"] = json!(["sh", "-c", script]);
        }
    }
}

/// Each hook has read a state document of this container.
fn hooks_ran(bundle: &Bundle) -> Result<(), String> {
    let Some(hooks) = bundle.config["hooks"].as_object() else {
        return Ok(());
    };
    for (kind, entries) in hooks {
        let wanted = entries.as_array().map_or(0, Vec::len);
        let record = fs::read_to_string(bundle.file(&format!("hook-{kind}"))).unwrap_or_default();
        let states = serde_json::Deserializer::from_str(&record).into_iter::<Value>();
        let ran = states
            .filter(|state| state.as_ref().is_ok_and(|state| state["id"] == bundle.id))
            .count();
        if ran != wanted {
            return Err(format!("{ran} of {wanted} {kind} hooks ran"));
        }
    }
    Ok(())
}

/// An engine prepares the image for the container's root, who makes the mount points in it.
fn own_by_root_of_the_container(rootfs: &Path, config: &Value) {
    let root = |maps: &Value| {
        let maps = maps.as_array()?;
        let map = maps.iter().find(|map| map["containerID"] == 0)?;
        map["hostID"].as_u64().map(|id| id as u32)
    };
    let linux = &config["linux"];
    let owners = (root(&linux["uidMappings"]), root(&linux["gidMappings"]));
    let mut pending = vec![rootfs.to_owned()];
    while let Some(directory) = pending.pop() {
        chown(&directory, owners.0, owners.1).unwrap();
        for entry in fs::read_dir(&directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path());
            }
        }
    }
}

/// Somebody who is in namespaces that containers join.
struct Holder(Child);

impl Holder {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "--ipc", "--uts", "--pid", "--fork", "cat"]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // A pid namespace has a file only since its first process is made.
        let made = format!("/proc/{}/ns/pid_for_children", child.id());
        let own = fs::read_link("/proc/self/ns/pid").unwrap();
        wait_until("the namespaces are made", || {
            fs::read_link(&made).is_ok_and(|link| link != own)
        });
        Holder(child)
    }

    /// What takes the place of a path of the engine's host.
    fn namespace(&self, path: &str) -> String {
        let kind = match path.rsplit('/').next().unwrap() {
            "pid" => "pid_for_children",
            kind @ ("ipc" | "uts" | "net") => kind,
            "default" => return "/proc/self/ns/net".to_owned(),
            _ => "net",
        };
        format!("/proc/{}/ns/{kind}", self.0.id())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Without its input, cat ends, and unshare with it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

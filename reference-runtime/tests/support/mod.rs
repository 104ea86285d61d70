//! A bundle whose root filesystem is made of the host's own programs, bound
//! read-only, and the commands of the runtime on it.
#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod sys;

use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// True, with a word, if this process may not make the containers of a test.
pub fn skipped() -> bool {
    let root = fs::metadata("/proc/self")
        .map(|metadata| metadata.uid())
        .unwrap_or(1)
        == 0;
    if !root {
        eprintln!("skipped: this test needs root");
    }
    !root
}

/// A bundle and a state root of its own, removed at the end.
pub struct Bundle {
    dir: PathBuf,
    pub id: String,
    pub config: Value,
}

impl Bundle {
    /// A plain container that runs a shell script.
    pub fn new(name: &str, script: &str) -> Self {
        let id = format!("refrun-test-{name}-{}", std::process::id());
        let dir = std::env::temp_dir().join(&id);
        let rootfs = dir.join("bundle/rootfs");
        for point in ["proc", "dev", "sys", "tmp", "scratch"] {
            fs::create_dir_all(rootfs.join(point)).unwrap();
        }
        let mut mounts = vec![
            json!({"destination": "/proc", "type": "proc", "source": "proc"}),
            json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}),
            json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                   "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]}),
            json!({"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "nodev", "mode=1777"]}),
            json!({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec"]}),
        ];
        for directory in ["usr", "bin", "lib", "lib64"] {
            let host = Path::new("/").join(directory);
            match fs::symlink_metadata(&host) {
                Ok(found) if found.is_symlink() => {
                    std::os::unix::fs::symlink(
                        fs::read_link(&host).unwrap(),
                        rootfs.join(directory),
                    )
                    .unwrap();
                }
                Ok(_) => {
                    fs::create_dir_all(rootfs.join(directory)).unwrap();
                    let options = ["rbind", "ro"];
                    mounts.push(json!({"destination": host, "source": host, "options": options}));
                }
                Err(_) => {}
            }
        }
        let namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
        let config = json!({
            "ociVersion": "1.3.0",
            "root": {"path": "rootfs"},
            "hostname": "inside",
            "process": {
                "user": {"uid": 0, "gid": 0},
                "cwd": "/",
                "env": ["PATH=/usr/bin:/bin"],
                "args": ["/bin/sh", "-c", script],
            },
            "mounts": mounts,
            "linux": {
                "cgroupsPath": format!("/{id}"),
                "namespaces": namespaces.map(|kind| json!({"type": kind})),
            },
        });
        Bundle { dir, id, config }
    }

    /// A container that goes on until it is killed: it reads from a pipe that nobody writes.
    pub fn endless(name: &str) -> Self {
        let script = "while :; do read line < /scratch/never || exit; done";
        let pipe = json!({"path": "/scratch/never", "type": "p"});
        Bundle::new(name, script).set("/linux/devices", json!([pipe]))
    }

    /// create and start.
    pub fn start(&self) {
        succeeded(&self.create());
        succeeded(&self.refrun(&["start", &self.id]));
    }

    /// Sets a value in the configuration; objects on the way are made.
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        let mut place = &mut self.config;
        for name in pointer.split('/').skip(1) {
            place = match name {
                "-" => {
                    let list = place.as_array_mut().unwrap();
                    list.push(Value::Null);
                    list.last_mut().unwrap()
                }
                _ if place.is_array() => &mut place[name.parse::<usize>().unwrap()],
                _ => &mut place[name],
            };
        }
        *place = value;
        self
    }

    /// Takes a member of the configuration away.
    pub fn without(mut self, name: &str) -> Self {
        self.config.as_object_mut().unwrap().remove(name);
        self
    }

    /// The directory of the bundle.
    pub fn path(&self) -> PathBuf {
        self.dir.join("bundle")
    }

    /// A file of this test on the host.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes the configuration; the bundle's directory as an argument.
    pub fn write_config(&self) -> String {
        let path = self.path();
        fs::write(path.join("config.json"), self.config.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command of the runtime that makes no process which outlives it.
    pub fn refrun(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// `create`; what the container prints goes to a file.
    pub fn create(&self) -> Output {
        fs::write(self.path().join("config.json"), self.config.to_string()).unwrap();
        let bundle = self.path();
        let mut command = self.command(&["create", "--bundle", bundle.to_str().unwrap(), &self.id]);
        let errors = self.file("create.stderr");
        command.stdin(Stdio::null());
        command.stdout(File::create(self.file("stdout")).unwrap());
        command.stderr(File::create(&errors).unwrap());
        let status = command.status().unwrap();
        Output {
            status,
            stdout: Vec::new(),
            stderr: fs::read(errors).unwrap(),
        }
    }

    /// create, start, wait and delete; what the container printed.
    pub fn run(&self) -> String {
        succeeded(&self.create());
        succeeded(&self.refrun(&["start", &self.id]));
        self.wait_for("stopped");
        succeeded(&self.refrun(&["delete", &self.id]));
        self.printed()
    }

    /// What the container printed so far.
    pub fn printed(&self) -> String {
        fs::read_to_string(self.file("stdout")).unwrap()
    }

    /// The state document.
    pub fn state(&self) -> Value {
        let output = self.refrun(&["state", &self.id]);
        succeeded(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Waits until the container has the status.
    pub fn wait_for(&self, status: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.state()["status"] != status {
            assert!(
                Instant::now() < deadline,
                "the container does not become {status}: {}",
                self.state()
            );
            std::thread::yield_now();
        }
    }

    /// Everything on the host that bears the name of this container.
    pub fn remains(&self) -> Vec<String> {
        let mut remains = Vec::new();
        let mut add = |path: PathBuf| {
            if path.exists() {
                remains.push(path.display().to_string());
            }
        };
        add(self.dir.join("state").join(&self.id));
        for hierarchy in fs::read_dir("/sys/fs/cgroup")
            .into_iter()
            .flatten()
            .flatten()
        {
            add(hierarchy.path().join(&self.id));
        }
        add(Path::new("/sys/fs/cgroup").join(&self.id));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        remains.extend(
            mounts
                .lines()
                .filter(|line| line.contains(&self.id))
                .map(str::to_owned),
        );
        remains
    }

    /// The file of the container's group in a hierarchy of version 1.
    pub fn control_file(&self, controller: &str, file: &str) -> PathBuf {
        Path::new("/sys/fs/cgroup")
            .join(controller)
            .join(&self.id)
            .join(file)
    }

    /// The first line of such a file; None if this host has no such file.
    pub fn control(&self, controller: &str, file: &str) -> Option<String> {
        let text = fs::read_to_string(self.control_file(controller, file)).ok()?;
        Some(text.lines().next().unwrap_or_default().to_owned())
    }

    /// A command of the runtime, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_refrun"));
        command
            .arg("--root")
            .arg(self.dir.join("state"))
            .args(arguments);
        command
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        // A failed test must not leave its container to the next one.
        let _ = self.refrun(&["delete", "--force", &self.id]);
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "it does not come to be: {what}");
        std::thread::yield_now();
    }
}

/// The command did what it was asked for.
#[track_caller]
pub fn succeeded(output: &Output) {
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The command generated an error; what it said.
#[track_caller]
pub fn failed(output: &Output) -> String {
    assert!(!output.status.success(), "it succeeded");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

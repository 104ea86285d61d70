//! The bundles that are tried: between them, whatever makes a runtime call the kernel.

use crate::sys;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// What a container is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Variant {
    /// Hooks, seccomp, sysctl, devices, cgroup resources, masked and read-only paths, mounts
    Features,
    /// The same in a user namespace
    User,
    /// With a terminal and a read-only root
    Terminal,
    /// What older runtimes do not have: mapped mounts, time offsets, copied-up tmpfs, scheduler
    ///
    /// crun 1.8.1 kills every process of the host when it is given a time namespace.
    Newest,
}

/// Where the bundle of a trial and everything else of it is.
#[derive(Debug)]
pub(crate) struct Bundle {
    dir: PathBuf,
    pub(crate) variant: Variant,
}

/// The first of the host's ids that a user namespace is given.
const FIRST_ID: u32 = 100_000;

/// What the container tells when it works: its descriptors, of which the last is the directory
/// that lists them, and the word that shows that it came to the end.
pub(crate) const TOLD: &str = "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3 end";

/// The shell itself does all of this. It then reads from a pipe that nobody writes.
const SCRIPT: &str = "set -- /proc/self/fd/*; echo \"$* end\" > /out/told; \
                      while :; do read line < /out/never || exit; done";

impl Bundle {
    /// Makes the directories and the configuration.
    pub(crate) fn make(dir: &Path, id: &str, variant: Variant) -> io::Result<Self> {
        let bundle = Bundle {
            dir: dir.to_owned(),
            variant,
        };
        let rootfs = bundle.path().join("rootfs");
        fs::create_dir_all(bundle.out())?;
        fs::set_permissions(bundle.out(), PermissionsExt::from_mode(0o777))?;
        sys::make_pipe(&bundle.out().join("never"))?;
        fs::set_permissions(bundle.out().join("never"), PermissionsExt::from_mode(0o666))?;
        for point in ["proc", "dev", "sys", "tmp", "out", "data", "etc"] {
            fs::create_dir_all(rootfs.join(point))?;
        }
        fs::write(rootfs.join("data/file"), "copied\n")?;
        let mut config = config(id, &bundle.out());
        bind_programs(&rootfs, &mut config)?;
        match variant {
            Variant::Features => {}
            Variant::User => add_user_namespace(&mut config),
            Variant::Terminal => add_terminal(&mut config),
            Variant::Newest => add_newest(&mut config),
        }
        if matches!(variant, Variant::User | Variant::Newest) {
            for place in [&rootfs, &bundle.out()] {
                chown_all(place)?;
            }
        }
        fs::write(bundle.path().join("config.json"), config.to_string())?;
        Ok(bundle)
    }

    /// The bundle.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join("bundle")
    }

    /// The directory that the container has at /out.
    pub(crate) fn out(&self) -> PathBuf {
        self.dir.join("out")
    }

    /// The socket for the terminal, if the container has one.
    pub(crate) fn console_socket(&self) -> Option<PathBuf> {
        (self.variant == Variant::Terminal).then(|| self.dir.join("console"))
    }
}

fn chown_all(place: &Path) -> io::Result<()> {
    std::os::unix::fs::lchown(place, Some(FIRST_ID), Some(FIRST_ID))?;
    if !fs::symlink_metadata(place)?.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(place)? {
        chown_all(&entry?.path())?;
    }
    chown(place, Some(FIRST_ID), Some(FIRST_ID))
}

/// The host's own programs are the container's, so that no image is needed.
fn bind_programs(rootfs: &Path, config: &mut Value) -> io::Result<()> {
    for directory in ["usr", "bin", "lib", "lib64"] {
        let host = Path::new("/").join(directory);
        let inside = rootfs.join(directory);
        match fs::symlink_metadata(&host) {
            Ok(found) if found.is_symlink() => symlink(fs::read_link(&host)?, inside)?,
            Ok(_) => {
                fs::create_dir(inside)?;
                let mount = json!({"destination": host, "type": "bind", "source": host,
                                   "options": ["rbind", "ro", "nosuid"]});
                push(&mut config["mounts"], mount);
            }
            Err(_) => {}
        }
    }
    Ok(())
}

fn push(list: &mut Value, value: Value) {
    list.as_array_mut().expect("it is a list").push(value);
}

fn config(id: &str, out: &Path) -> Value {
    // It reads what it is told: crun takes it for an error if a hook does not.
    let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", "read state; :"], "env": ["A=b"],
                       "timeout": 30}]);
    let capabilities = json!(["CAP_KILL", "CAP_CHOWN", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "hostname": "inside",
        "process": {
            "user": {"uid": 0, "gid": 0, "umask": 18, "additionalGids": [5, 6]},
            "cwd": "/",
            "env": ["PATH=/usr/bin:/bin", "TERM=linux"],
            "args": ["/bin/sh", "-c", SCRIPT],
            "noNewPrivileges": true,
            "oomScoreAdj": 500,
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 512, "hard": 512},
                        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}],
            "capabilities": {"bounding": capabilities, "effective": capabilities,
                             "permitted": capabilities, "inheritable": [],
                             "ambient": []},
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=64k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=64k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
             "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs",
             "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
            {"destination": "/out", "type": "bind", "source": out,
             "options": ["bind", "rprivate", "nosuid"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "nodev", "rslave"]},
        ],
        "hooks": {"prestart": hook, "createRuntime": hook, "createContainer": hook,
                  "startContainer": hook, "poststart": hook, "poststop": hook},
        "linux": {
            "cgroupsPath": format!("/{id}"),
            "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
                           {"type": "mount"}, {"type": "cgroup"}],
            "sysctl": {"net.ipv4.ip_forward": "1", "net.core.somaxconn": "256"},
            "devices": [{"path": "/dev/made", "type": "c", "major": 1, "minor": 3, "fileMode": 438,
                         "uid": 0, "gid": 0},
                        {"path": "/dev/pipe", "type": "p", "fileMode": 384}],
            "rootfsPropagation": "private",
            "resources": {
                "devices": [{"allow": false, "access": "rwm"},
                            {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
                            {"allow": true, "type": "c", "major": 136, "access": "rw"}],
                "memory": {"limit": 268_435_456, "reservation": 134_217_728},
                "cpu": {"shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0"},
                "pids": {"limit": 64},
            },
            "seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW",
                "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
                "syscalls": [
                    {"names": ["add_key", "keyctl", "request_key"], "action": "SCMP_ACT_ERRNO"},
                    {"names": ["personality"], "action": "SCMP_ACT_ERRNO",
                     "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]},
                ],
            },
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/sys/firmware", "/proc/absent"],
            "readonlyPaths": ["/proc/sys", "/proc/bus", "/proc/sysrq-trigger"],
        },
    })
}

fn add_user_namespace(config: &mut Value) {
    let map = json!([{"containerID": 0, "hostID": FIRST_ID, "size": 65_536}]);
    push(&mut config["linux"]["namespaces"], json!({"type": "user"}));
    config["linux"]["uidMappings"] = map.clone();
    // No nodes can be made there; the default ones are bound from the host's.
    config["linux"]["devices"] = json!([]);
    config["linux"]["gidMappings"] = map;
}

fn add_terminal(config: &mut Value) {
    config["process"]["terminal"] = json!(true);
    config["process"]["consoleSize"] = json!({"height": 30, "width": 100});
    config["root"]["readonly"] = json!(true);
}

fn add_newest(config: &mut Value) {
    add_user_namespace(config);
    config["ociVersion"] = json!("1.3.0");
    config["domainname"] = json!("domain");
    push(&mut config["linux"]["namespaces"], json!({"type": "time"}));
    config["linux"]["timeOffsets"] = json!({"monotonic": {"secs": 1000, "nanosecs": 5}});
    config["linux"]["personality"] = json!({"domain": "LINUX"});
    config["process"]["scheduler"] = json!({"policy": "SCHED_BATCH", "nice": 5});
    config["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 5});
    config["process"]["execCPUAffinity"] = json!({"initial": "0", "final": "0"});
    let out = config["mounts"][7]["source"].clone();
    let mapped = json!({"destination": "/mapped", "type": "bind", "source": out,
                        "options": ["rbind", "rro", "idmap"],
                        "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
                        "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}]});
    push(&mut config["mounts"], mapped);
    let copied = json!({"destination": "/data", "type": "tmpfs", "source": "tmpfs",
                        "options": ["tmpcopyup"]});
    push(&mut config["mounts"], copied);
}

//! Configurations in the shape in which engines write them.

use oci_probe::World;
use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::cases::hook_times::may_look_at;
use crate::trial::{Stop, Trial};

const SYSTEMD: &str = "engine.cgroupsPath.systemd";
const CGROUPFS: &str = "engine.cgroupsPath.cgroupfs";
const NETWORK: &str = "engine.hooks.network-namespace";
const DOCKER: &str = "engine.config.docker";
const PODMAN: &str = "engine.config.podman";
const FILE_MODE: &str = "engine.config.file-mode";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "engine/cgroupsPath/in-slice-form-names-a-scope",
        judges: &[SYSTEMD],
        needs: &[
            Need::Root,
            Need::SharedKernel,
            Need::Path("/run/systemd/private"),
        ],
        run: |trial| {
            let id = trial.id.clone();
            trial.set("/linux/cgroupsPath", format!("system.slice:oci:{id}"));
            trial.probe(&["pause"]);
            trial.write_config()?;
            let bundle = trial.directory.display().to_string();
            let pid_file = trial.pid_file().display().to_string();
            let words = [
                "--systemd-cgroup",
                "create",
                "--bundle",
                &bundle,
                "--pid-file",
                &pid_file,
                &id,
            ];
            let exit = trial.bring_up(&words, &Default::default())?;
            trial.expect_success(SYSTEMD, "create with --systemd-cgroup", &exit)?;
            if !exit.succeeded() {
                return Ok(());
            }
            let scope = format!("/system.slice/oci-{id}.scope");
            let paths = cgroups_of(trial);
            let says = format!("cgroups that end in {scope}");
            let holds = paths.iter().any(|path| path.ends_with(&scope));
            trial.expect_that(SYSTEMD, holds, says, paths)?;
            trial.give_up()
        },
    },
    Case {
        id: "engine/cgroupsPath/is-made-in-every-hierarchy",
        judges: &[CGROUPFS],
        needs: &[Need::Root, Need::SharedKernel],
        run: |trial| {
            trial.must_create()?;
            let path = trial.config["linux"]["cgroupsPath"].clone();
            let path = path.as_str().unwrap_or_default().to_owned();
            let hierarchies = trial.host().cgroups.clone();
            let pure = trial.host().cgroup() == "v2";
            let lacks: Vec<String> = hierarchies
                .iter()
                // Beside v1 hierarchies, that of v2 is one that runtimes may leave alone.
                .filter(|hierarchy| !hierarchy.unified || pure)
                // Nor does anybody need one in a hierarchy that limits nothing.
                .filter(|hierarchy| !hierarchy.controllers.iter().all(|name| name.contains('=')))
                .map(|hierarchy| hierarchy.mount_point.join(path.trim_start_matches('/')))
                .filter(|directory| !directory.is_dir())
                .map(|directory| directory.display().to_string())
                .collect();
            trial.expect_in(CGROUPFS, "directories that are missing", json!([]), lacks)?;
            trial.finish()
        },
    },
    Case {
        id: "engine/hooks/find-the-network-namespace-by-the-states-pid",
        judges: &[NETWORK],
        needs: &[Need::SharedKernel],
        run: |trial| {
            let kinds = ["prestart", "createRuntime"];
            for kind in kinds {
                trial.hook(kind, kind, &[]);
            }
            let world = trial.observe()?;
            let own = world.namespaces.get("net").copied();
            for kind in kinds {
                let records = trial.hook_records()?;
                let record = records.into_iter().find(|record| record.tag == kind);
                let seen = record.and_then(|record| record.state_pid_seen);
                if let Some(seen) = &seen {
                    may_look_at(trial, seen)?;
                }
                let seen = seen.and_then(|seen| seen.namespaces.get("net").copied());
                let what = format!("/proc/PID/ns/net in a {kind} hook, and the program's");
                trial.expect_in(NETWORK, &what, own, seen)?;
            }
            Ok(())
        },
    },
    Case {
        id: "engine/config/of-docker-runs",
        judges: &[DOCKER],
        needs: &[Need::Root, Need::DeviceRules, BIND_SERVICE],
        run: |trial| {
            let world = of_engine(trial, docker())?;
            as_engines_ask(trial, DOCKER, &world)?;
            trial.expect_in(DOCKER, "host name", "0123456789ab", world.hostname)
        },
    },
    Case {
        id: "engine/config/of-podman-runs",
        judges: &[PODMAN],
        needs: &[Need::Root, Need::DeviceRules, BIND_SERVICE],
        run: |trial| {
            let world = of_engine(trial, podman())?;
            as_engines_ask(trial, PODMAN, &world)?;
            trial.expect_in(PODMAN, "umask", "0022", format!("{:04o}", world.umask))
        },
    },
    Case {
        id: "engine/config/file-mode-may-have-bits-of-the-type",
        judges: &[FILE_MODE],
        needs: &[
            Need::Root,
            Need::SharedKernel,
            Need::Capability("CAP_MKNOD"),
        ],
        run: |trial| {
            const CHARACTER_DEVICE: u32 = 0o020_000;
            trial.set(
                "/linux/devices",
                json!([{
                    "path": "/dev/given", "type": "c", "major": 1, "minor": 3,
                    "fileMode": CHARACTER_DEVICE | 0o640, "uid": 0, "gid": 0,
                }]),
            );
            trial.probe(&["observe", "path=/dev/given"]);
            let world = trial.observe()?;
            let file = world.files.get("/dev/given");
            let seen = file.map(|file| json!([file.kind, format!("{:04o}", file.mode & 0o7777)]));
            trial.expect_in(
                FILE_MODE,
                "kind and permissions",
                json!(["char", "0640"]),
                seen,
            )
        },
    },
];

/// The container process's paths in all hierarchies.
fn cgroups_of(trial: &Trial) -> Vec<String> {
    let text = crate::host::read(format!("/proc/{}/cgroup", trial.pid().unwrap_or(0)));
    let paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.map(str::to_owned).collect()
}

/// Runs the current container by an engine's configuration, with what is the trial's own in it.
fn of_engine(trial: &mut Trial, mut config: Value) -> Result<World, Stop> {
    config["ociVersion"] = trial.config["ociVersion"].clone();
    config["linux"]["cgroupsPath"] = trial.config["linux"]["cgroupsPath"].clone();
    trial.config = config;
    trial.observe()
}

/// What the plain containers of both have in common.
fn as_engines_ask(trial: &mut Trial, clause: &'static str, world: &World) -> Result<(), Stop> {
    let mut effective = world.capabilities.effective.clone();
    effective.sort();
    let mut asked = CAPABILITIES.to_vec();
    asked.sort_unstable();
    trial.expect_in(clause, "effective capabilities", asked, effective)?;
    let mounts = world.mounts.as_deref().unwrap_or_default();
    let places = ["/proc", "/dev", "/dev/pts", "/dev/shm", "/sys"];
    let is_mounted = |place: &str| mounts.iter().any(|mount| mount.mount_point == place);
    let missing: Vec<&str> = places
        .into_iter()
        .filter(|place| !is_mounted(place))
        .collect();
    trial.expect_in(clause, "mounts that are missing", json!([]), missing)?;
    trial.expect_in(clause, "pid of the first process", 1, world.pid)
}

/// One of [`CAPABILITIES`] that the plain container does without.
const BIND_SERVICE: Need = Need::Capability("CAP_NET_BIND_SERVICE");

const CAPABILITIES: [&str; 5] = [
    "CAP_CHOWN",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETGID",
    "CAP_SETUID",
];

/// Our own, in the shape of what Docker Engine writes for `docker run`.
fn docker() -> Value {
    json!({
        "process": {
            "user": {"uid": 0, "gid": 0, "additionalGids": [0, 10]},
            "args": ["/probe", "observe"], "env": ["PATH=/", "HOSTNAME=0123456789ab"], "cwd": "/",
            "capabilities": {
                "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES
            },
            "oomScoreAdj": 0,
        },
        "root": {"path": "rootfs"},
        "hostname": "0123456789ab",
        "mounts": mounts("cgroup"),
        "hooks": {},
        "linux": {
            "sysctl": {"net.ipv4.ip_unprivileged_port_start": "0"},
            "resources": {
                "devices": devices(), "memory": {}, "cpu": {"shares": 0},
                "pids": {"limit": 0}, "blockIO": {"weight": 0},
            },
            "namespaces": namespaces(),
            "seccomp": seccomp(),
            "maskedPaths": ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}

/// Our own, in the shape of what Podman writes for `podman run`.
fn podman() -> Value {
    json!({
        "process": {
            "user": {"uid": 0, "gid": 0, "umask": 18, "additionalGids": [1, 2]},
            "args": ["/probe", "observe"], "env": ["PATH=/", "TERM=xterm", "container=podman"],
            "cwd": "/",
            "capabilities": {
                "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        },
        "root": {"path": "rootfs"},
        "hostname": "0123456789ab",
        "mounts": mounts("tmpfs"),
        "annotations": {
            "io.container.manager": "libpod", "io.podman.annotations.autoremove": "FALSE",
            "org.opencontainers.image.stopSignal": "15",
        },
        "linux": {
            "resources": {"devices": devices(), "pids": {"limit": 2048}},
            "namespaces": namespaces(),
            "seccomp": seccomp(),
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/scsi", "/sys/firmware", "/sys/fs/selinux"],
            "readonlyPaths": ["/proc/asound", "/proc/bus", "/proc/irq", "/proc/sys"],
        },
    })
}

fn mounts(of_cgroups: &str) -> Value {
    let cgroups = match of_cgroups {
        "cgroup" => json!(["ro", "nosuid", "noexec", "nodev"]),
        _ => json!(["ro", "nosuid", "noexec", "nodev", "mode=755"]),
    };
    json!([
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
        {"destination": "/sys/fs/cgroup", "type": of_cgroups, "source": of_cgroups, "options": cgroups},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]},
    ])
}

fn devices() -> Value {
    json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "minor": 5, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "minor": 9, "access": "rwm"},
    ])
}

fn namespaces() -> Value {
    json!([
        {"type": "mount"}, {"type": "network"}, {"type": "uts"}, {"type": "pid"}, {"type": "ipc"}
    ])
}

/// A filter that denies what a plain container does not call.
fn seccomp() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            {"names": ["kexec_load", "init_module"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
        ],
    })
}

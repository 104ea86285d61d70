//! `spec`: a configuration to begin with.

use crate::error::{CallContext, Result};
use crate::state::SPEC_VERSION;
use crate::sys::credentials;
use crate::sys::files::{self, O_CREAT, O_EXCL, O_WRONLY, cwd};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Writes config.json, which must not exist yet, into the bundle.
pub(crate) fn write(bundle: &Path, rootless: bool) -> Result<()> {
    let path = bundle.join("config.json");
    let config = if rootless {
        rootless_config()
    } else {
        config()
    };
    files::openat(cwd(), path.as_os_str(), O_WRONLY | O_CREAT | O_EXCL, 0o644)
        .and_then(|file| File::from(file).write_all(format!("{config:#}\n").as_bytes()))
        .call(|| format!("write({path:?})"))
}

fn config() -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": SPEC_VERSION,
        "process": {
            "terminal": true,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "refrun",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
        ],
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                           {"type": "cgroup"}],
            "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}

/// The same for a caller without privilege: a user namespace that maps the caller, and nothing that
/// only the host's root can give.
fn rootless_config() -> Value {
    let mut config = config();
    let map = |id: u32| json!([{"containerID": 0, "hostID": id, "size": 1}]);
    let (uid, gid) = (
        map(credentials::effective_uid()),
        map(credentials::effective_gid()),
    );
    if let Some(linux) = config["linux"].as_object_mut() {
        linux.remove("resources");
        linux.insert("uidMappings".to_owned(), uid);
        linux.insert("gidMappings".to_owned(), gid);
    }
    if let Some(namespaces) = config["linux"]["namespaces"].as_array_mut() {
        namespaces.push(json!({"type": "user"}));
    }
    if let Some(mounts) = config["mounts"].as_array_mut() {
        mounts.retain(|mount| mount["type"] != "cgroup");
        // Group 5 is not mapped.
        for option in mounts
            .iter_mut()
            .filter_map(|mount| mount.get_mut("options")?.as_array_mut())
        {
            option.retain(|option| option != "gid=5");
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_valid() {
        for config in [config(), rootless_config()] {
            crate::validate::config(config.to_string().into_bytes()).unwrap();
        }
    }

    #[test]
    fn the_rootless_form_asks_for_nothing_of_the_hosts_root() {
        let config = rootless_config();
        assert!(config["linux"].get("resources").is_none());
        assert!(
            config["linux"]["namespaces"]
                .as_array()
                .unwrap()
                .contains(&json!({"type": "user"}))
        );
        assert!(!config.to_string().contains("gid=5"));
    }
}

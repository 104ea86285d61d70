//! The plain bundle that every case starts from, and edits to its configuration.
//!
//! Configurations are JSON values edited by pointer, never typed structs: a case must be able to
//! send what no type allows.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Mount points that the plain configuration uses, and directories that cases use.
const DIRECTORIES: [&str; 6] = ["proc", "dev", "sys", "tmp", "out", "mnt"];

/// What the plain configuration depends on.
#[derive(Clone, Debug)]
pub struct Base<'a> {
    /// `ociVersion`: the version by which the subject is judged.
    pub version: &'a str,
    /// The caller's uid and gid if there is no root: they are mapped to 0 of a new user namespace.
    pub rootless: Option<(u32, u32)>,
    /// `linux.cgroupsPath`; without root there is none.
    pub cgroups_path: Option<String>,
}

/// The plain configuration: a container as engines make them, with nothing that a case is about.
pub fn plain_config(base: &Base<'_>) -> Value {
    let capabilities = json!([
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETUID"
    ]);
    let mut namespaces = json!([
        {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}
    ]);
    let mut config = json!({
        "ociVersion": base.version,
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/probe", "observe"],
            "env": ["PATH=/"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities, "effective": capabilities, "permitted": capabilities
            },
        },
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs",
             "options": ["nosuid", "noexec", "nodev", "ro"]},
        ],
        "linux": {},
    });
    if let Some((uid, gid)) = base.rootless {
        namespaces
            .as_array_mut()
            .expect("an array")
            .push(json!({"type": "user"}));
        config["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": uid, "size": 1}]);
        config["linux"]["gidMappings"] = json!([{"containerID": 0, "hostID": gid, "size": 1}]);
    } else if let Some(path) = &base.cgroups_path {
        config["linux"]["cgroupsPath"] = json!(path);
    }
    config["linux"]["namespaces"] = namespaces;
    config
}

/// Makes a bundle directory without a configuration: `rootfs` with the probe and empty mount
/// points, and `out`, which containers and hooks may write to.
///
/// Every directory is traversable and the rootfs belongs to whoever runs the harness, which is the
/// mapped root without root: a closed parent or a foreign rootfs makes every runtime fail with user
/// namespaces.
///
/// # Errors
/// Those of the file system.
pub fn make(directory: &Path, probe: &Path) -> io::Result<()> {
    let rootfs = directory.join("rootfs");
    std::fs::create_dir_all(&rootfs)?;
    for name in DIRECTORIES {
        std::fs::create_dir(rootfs.join(name))?;
    }
    std::fs::create_dir(directory.join("out"))?;
    for (path, mode) in [
        (directory.to_owned(), 0o755),
        (rootfs.clone(), 0o755),
        (rootfs.join("tmp"), 0o1777),
        (rootfs.join("out"), 0o777),
        (directory.join("out"), 0o777),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    // A copy, not a link: a container may write to what its root holds.
    for target in [rootfs.join("probe"), directory.join("probe")] {
        std::fs::copy(probe, &target)?;
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A container's bundle and configuration, before and after create.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The container's id.
    pub id: String,
    /// The bundle directory.
    pub directory: PathBuf,
    /// What `config.json` will hold.
    pub config: Value,
}

impl Bundle {
    /// Sets the value at a JSON pointer; objects on the way are made, `-` appends to an array.
    ///
    /// # Panics
    /// If the pointer leads through a value that is no container: a mistake of the case.
    pub fn set(&mut self, pointer: &str, value: impl Into<Value>) {
        set(&mut self.config, pointer, value.into());
    }

    /// Removes the value at a JSON pointer, if it is there.
    pub fn remove(&mut self, pointer: &str) {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer starts with /");
        match self.config.pointer_mut(parent) {
            Some(Value::Object(object)) => {
                object.shift_remove(&unescape(key));
            }
            Some(Value::Array(array)) => {
                if let Ok(index) = key.parse::<usize>()
                    && index < array.len()
                {
                    array.remove(index);
                }
            }
            _ => {}
        }
    }

    /// The root file system on the host.
    pub fn rootfs(&self) -> PathBuf {
        self.directory.join("rootfs")
    }

    /// The directory that hooks and containers may write to: `out` beside the rootfs.
    pub fn out(&self) -> PathBuf {
        self.directory.join("out")
    }

    /// Adds an entry to `mounts`.
    pub fn mount(&mut self, mount: Value) {
        set(&mut self.config, "/mounts/-", mount);
    }

    /// Drops a namespace type from `linux.namespaces`.
    pub fn drop_namespace(&mut self, kind: &str) {
        if let Some(Value::Array(list)) = self.config.pointer_mut("/linux/namespaces") {
            list.retain(|entry| entry["type"] != kind);
        }
    }

    /// Adds a namespace, replacing one of its type.
    pub fn add_namespace(&mut self, namespace: Value) {
        let kind = namespace["type"].as_str().unwrap_or_default().to_owned();
        self.drop_namespace(&kind);
        set(&mut self.config, "/linux/namespaces/-", namespace);
    }

    /// Adds capabilities to the bounding, permitted and effective set.
    pub fn grant(&mut self, capability: &str) {
        for name in ["bounding", "permitted", "effective"] {
            set(
                &mut self.config,
                &format!("/process/capabilities/{name}/-"),
                capability.into(),
            );
        }
    }

    /// Makes the container run the probe with these arguments.
    pub fn probe(&mut self, arguments: &[&str]) {
        let mut args = vec!["/probe"];
        args.extend(arguments);
        self.set("/process/args", json!(args));
    }

    /// Adds a hook that is the probe: recorded under `tag` in `out/hooks`, then behaving as the
    /// further arguments say (`exit`, `3`).
    ///
    /// `kind` is the property's name: `createRuntime`. A hook in the container's namespaces finds
    /// the probe at `/probe` and the record through the bind mount that [`Bundle::bind_out`] makes.
    pub fn hook(&mut self, kind: &str, tag: &str, behaviour: &[&str]) {
        let host = self.out().join("hooks");
        let record = format!("{}:/out/hooks", host.display());
        let path = match kind {
            "startContainer" => "/probe".to_owned(),
            _ => self.directory.join("probe").display().to_string(),
        };
        let mut args = vec!["probe", "hook", tag, &record];
        args.extend(behaviour);
        let hook = json!({"path": path, "args": args});
        set(&mut self.config, &format!("/hooks/{kind}/-"), hook);
    }

    /// Binds the bundle's `out` to `/out` in the container.
    pub fn bind_out(&mut self) {
        let source = self.out().display().to_string();
        self.mount(json!({
            "destination": "/out", "type": "bind", "source": source, "options": ["bind", "rw"]
        }));
    }
}

/// Sets the value at a JSON pointer; objects on the way are made, `-` appends to an array (which
/// is made too).
pub fn set(document: &mut Value, pointer: &str, value: Value) {
    let mut place = document;
    for token in pointer.split('/').skip(1) {
        if place.is_null() {
            *place = if token == "-" { json!([]) } else { json!({}) };
        }
        place = match place {
            Value::Object(object) => object.entry(unescape(token)).or_insert(Value::Null),
            Value::Array(array) => {
                let index = if token == "-" {
                    array.len()
                } else {
                    token.parse().expect("an index")
                };
                if index == array.len() {
                    array.push(Value::Null);
                }
                &mut array[index]
            }
            other => panic!("{pointer} leads through {other}"),
        };
    }
    *place = value;
}

/// Undoes the escapes of RFC 6901.
fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        let base = Base {
            version: "1.2.0",
            rootless: None,
            cgroups_path: Some("/a/b".into()),
        };
        Bundle {
            id: "c".into(),
            directory: "/bundle".into(),
            config: plain_config(&base),
        }
    }

    #[test]
    fn set_makes_what_is_missing_and_appends() {
        let mut bundle = bundle();
        bundle.set("/linux/resources/pids/limit", 7);
        bundle.set("/annotations/a~1b", "x");
        bundle.set("/process/rlimits/-", json!({"type": "RLIMIT_CORE"}));
        assert_eq!(bundle.config["linux"]["resources"]["pids"]["limit"], 7);
        assert_eq!(bundle.config["annotations"]["a/b"], "x");
        assert_eq!(
            bundle.config["process"]["rlimits"][0]["type"],
            "RLIMIT_CORE"
        );
        bundle.remove("/annotations/a~1b");
        assert!(bundle.config["annotations"].get("a/b").is_none());
    }

    #[test]
    fn without_root_the_caller_is_mapped_and_cgroups_are_dropped() {
        let base = Base {
            version: "1.2.0",
            rootless: Some((1000, 100)),
            cgroups_path: None,
        };
        let config = plain_config(&base);
        assert_eq!(config["linux"]["uidMappings"][0]["hostID"], 1000);
        assert_eq!(config["linux"]["gidMappings"][0]["hostID"], 100);
        assert!(config["linux"].get("cgroupsPath").is_none());
        assert!(
            config["linux"]["namespaces"]
                .as_array()
                .unwrap()
                .contains(&json!({"type": "user"}))
        );
    }

    #[test]
    fn namespaces_are_replaced_not_doubled() {
        let mut bundle = bundle();
        bundle.add_namespace(json!({"type": "uts", "path": "/proc/1/ns/uts"}));
        let list = bundle.config["linux"]["namespaces"].as_array().unwrap();
        assert_eq!(
            list.iter().filter(|entry| entry["type"] == "uts").count(),
            1
        );
    }
}

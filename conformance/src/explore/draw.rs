//! What is drawn, and how a configuration is made of it.
//!
//! A draw is a list of parts, each a property with a value. Nothing keeps two parts from wanting
//! what cannot be had together, since that would make drawing and shrinking hard: [`settle`] takes
//! back what the specification or the kernel excludes, so that every configuration is valid.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bundle;

/// Stands for the bundle's directory in what is drawn.
pub(super) const BUNDLE: &str = "$BUNDLE";

/// A property that was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its place on the surface: `process.umask`, `mounts.option:nosuid`.
    pub surface: String,
    /// The clause that a refusal of it breaks.
    pub clause: String,
    /// What it does to the plain configuration.
    pub edits: Vec<Edit>,
}

/// A change to a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edit {
    /// The value at a JSON pointer, as [`bundle::set`] has it.
    Set(String, Value),
    /// The namespace of a type: its entry, or none.
    Namespace(String, Option<Value>),
}

impl Part {
    /// A part that sets one value.
    pub(super) fn set(surface: &str, clause: &str, at: &str, value: impl Into<Value>) -> Part {
        Part::of(surface, clause, vec![Edit::Set(at.into(), value.into())])
    }

    /// A part of several edits.
    pub(super) fn of(surface: &str, clause: &str, edits: Vec<Edit>) -> Part {
        Part {
            surface: surface.into(),
            clause: clause.into(),
            edits,
        }
    }

    /// The row of the table that drew it: what stands before the colon.
    pub(super) fn row(&self) -> &str {
        self.surface
            .split_once(':')
            .map_or(&self.surface, |(row, _)| row)
    }
}

/// Applies parts to a plain configuration.
pub(super) fn apply(config: &mut Value, parts: &[Part], bundle_directory: &str) {
    for edit in parts.iter().flat_map(|part| &part.edits) {
        match edit {
            Edit::Set(at, value) => {
                bundle::set(config, at, with_directory(value, bundle_directory));
            }
            Edit::Namespace(kind, entry) => {
                let list = config.pointer_mut("/linux/namespaces");
                if let Some(Value::Array(list)) = list {
                    list.retain(|had| had["type"] != kind.as_str());
                    list.extend(entry.clone());
                }
            }
        }
    }
    settle(config);
}

fn with_directory(value: &Value, directory: &str) -> Value {
    match value {
        Value::String(text) => json!(text.replace(BUNDLE, directory)),
        Value::Array(list) => list
            .iter()
            .map(|value| with_directory(value, directory))
            .collect(),
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.clone(), with_directory(value, directory)))
            .collect(),
        other => other.clone(),
    }
}

/// Takes back what cannot be had together with something else that was drawn.
fn settle(config: &mut Value) {
    last_of_each(config, "/process/rlimits", "type");
    last_of_each(config, "/linux/devices", "path");
    if namespace(config, "user").is_some() {
        // Nothing of the runtime's namespaces belongs to the new user namespace: neither could
        // sysfs be mounted nor a name be set there. Device nodes cannot be made either.
        for kind in ["pid", "network", "ipc", "uts", "mount"] {
            if let Some(Value::Array(list)) = config.pointer_mut("/linux/namespaces") {
                list.retain(|entry| entry["type"] != kind);
                list.push(json!({"type": kind}));
            }
        }
        remove(config, "/linux", "devices");
        // These belong to the root of the host's user namespace, those of IPC up to Linux 5.18.
        if let Some(Value::Object(sysctl)) = config.pointer_mut("/linux/sysctl") {
            sysctl.retain(|name, _| !name.starts_with("kernel."));
        }
        // What mounts inherit from the host's user namespace is locked (mount_namespaces(7)).
        retain_mounts(config, |mount, _| {
            let locked = |option: &str| {
                option.ends_with("atime") || matches!(option, "suid" | "dev" | "exec")
            };
            !is_bind(mount) || !options(mount).any(locked)
        });
    }
    // A bind mount that is shared may be a peer of its source (the text does not say): what is
    // mounted over it would be mounted on the host.
    retain_mounts(config, |mount, later| {
        let covered = later
            .iter()
            .any(|later| later["destination"] == mount["destination"]);
        !(covered && options(mount).any(|option| option == "shared"))
    });
    if !is_new(config, "uts") {
        // stand 25: what a runtime does without a UTS namespace of the container's is its choice.
        remove(config, "", "hostname");
        remove(config, "", "domainname");
    }
    // A parameter of a namespace that the container shares would be the host's: an error.
    for (kind, prefixes) in [
        ("uts", &["kernel.domainname"][..]),
        ("network", &["net."]),
        (
            "ipc",
            &["kernel.msg", "kernel.shm", "kernel.sem", "fs.mqueue"],
        ),
    ] {
        if !is_new(config, kind)
            && let Some(Value::Object(sysctl)) = config.pointer_mut("/linux/sysctl")
        {
            sysctl.retain(|name, _| !prefixes.iter().any(|prefix| name.starts_with(prefix)));
        }
    }
    // Both set the same thing, and no text says which wins.
    if config.get("domainname").is_some()
        && let Some(Value::Object(sysctl)) = config.pointer_mut("/linux/sysctl")
    {
        sysctl.shift_remove("kernel.domainname");
    }
    if !is_new(config, "time") {
        remove(config, "/linux", "timeOffsets");
    }
    // The kernel takes no shares for a cgroup that is idle.
    if config.pointer("/linux/resources/cpu/idle") == Some(&json!(1)) {
        remove(config, "/linux/resources/cpu", "shares");
    }
    // mount(2) refuses a file system on top of itself, and the queues of a namespace are one.
    retain_mounts(config, |mount, later| {
        let again = |later: &Value| {
            later["type"] == "mqueue" && later["destination"] == mount["destination"]
        };
        mount["type"] != "mqueue" || !later.iter().any(again)
    });
    // Every hook in the container's namespaces brings the mount that its record goes through.
    retain_mounts(config, |mount, later| {
        let again = later.iter().any(|later| later["destination"] == "/out");
        mount["destination"] != "/out" || !again
    });
}

/// Keeps the mounts that a condition on each and those behind it holds for.
fn retain_mounts(config: &mut Value, keep: impl Fn(&Value, &[Value]) -> bool) {
    if let Some(Value::Array(mounts)) = config.pointer_mut("/mounts") {
        let all = mounts.clone();
        let mut place = 0;
        mounts.retain(|mount| {
            place += 1;
            keep(mount, &all[place..])
        });
    }
}

/// The options of a mount.
pub(super) fn options(mount: &Value) -> impl Iterator<Item = &str> {
    let list = mount["options"].as_array();
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a mount is a bind mount, whatever its type.
pub(super) fn is_bind(mount: &Value) -> bool {
    options(mount).any(|option| matches!(option, "bind" | "rbind"))
}

/// A list in which a key may stand once keeps the last entry of each.
fn last_of_each(config: &mut Value, list: &str, key: &str) {
    if let Some(Value::Array(entries)) = config.pointer_mut(list) {
        let all = entries.clone();
        let mut place = 0;
        entries.retain(|entry| {
            place += 1;
            !all[place..].iter().any(|later| later[key] == entry[key])
        });
    }
}

fn remove(config: &mut Value, parent: &str, key: &str) {
    if let Some(Value::Object(object)) = config.pointer_mut(parent) {
        object.shift_remove(key);
    }
}

/// The entry of a namespace type, if it is listed.
pub(super) fn namespace<'c>(config: &'c Value, kind: &str) -> Option<&'c Value> {
    config
        .pointer("/linux/namespaces")?
        .as_array()?
        .iter()
        .find(|entry| entry["type"] == kind)
}

fn is_new(config: &Value, kind: &str) -> bool {
    namespace(config, kind).is_some_and(|entry| entry.get("path").is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Base, plain_config};

    fn plain() -> Value {
        plain_config(&Base {
            version: "1.3.0",
            rootless: None,
            cgroups_path: None,
        })
    }

    #[test]
    fn what_cannot_be_had_together_is_taken_back() {
        let set = |at: &str, value: Value| Edit::Set(at.into(), value);
        let mqueue = || {
            set(
                "/mounts/-",
                json!({"destination": "/mnt", "type": "mqueue"}),
            )
        };
        let core = |soft: u64| {
            let entry = json!({"type": "RLIMIT_CORE", "soft": soft, "hard": 9});
            set("/process/rlimits/-", entry)
        };
        let mut config = plain();
        let before = config["mounts"].as_array().map_or(0, Vec::len);
        let edits = vec![
            set("/hostname", json!("a")),
            set("/linux/sysctl/kernel.domainname", json!("b")),
            set("/linux/sysctl/net.ipv4.ip_forward", json!("1")),
            Edit::Namespace("uts".into(), None),
            mqueue(),
            mqueue(),
            core(1),
            core(2),
        ];
        apply(&mut config, &[Part::of("x", "x", edits)], "/bundle");
        assert_eq!(config.get("hostname"), None);
        assert_eq!(
            config["linux"]["sysctl"],
            json!({"net.ipv4.ip_forward": "1"})
        );
        assert_eq!(config["mounts"].as_array().map_or(0, Vec::len), before + 1);
        assert_eq!(config["process"]["rlimits"][0]["soft"], 2);
        assert_eq!(
            config["process"]["rlimits"].as_array().map(Vec::len),
            Some(1)
        );
    }

    #[test]
    fn the_bundles_directory_is_put_in_at_every_depth() {
        let mut config = plain();
        let value = json!({"a": [format!("{BUNDLE}/out:{BUNDLE}")]});
        apply(&mut config, &[Part::set("x", "x", "/x", value)], "/b");
        assert_eq!(config["x"]["a"][0], "/b/out:/b");
    }
}

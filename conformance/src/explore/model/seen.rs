//! What was seen of a container, and how an expectation finds its part of it.

use std::collections::BTreeMap;

use oci_probe::{HookRecord, Line, Mount, World};
use serde_json::{Value, json};

/// Where something is looked for.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::explore) enum Find {
    /// In the world that the probe tells of, at a JSON pointer.
    World(String),
    /// Real, effective and saved id: `uid` or `gid`.
    Ids(&'static str),
    /// Supplementary groups, but for this one, which getgroups(2) may or may not tell.
    GroupsBut(u64),
    /// A list of that mapping: `uid_map`, by container id.
    Map(&'static str),
    /// Something of the topmost mount at a place.
    Mount(String, OfMount),
    /// What `lstat` tells of a path, at this key.
    File(String, &'static str),
    /// A file's text, or `{"errno": …}`.
    Text(String),
    /// A directory's names, or `{"errno": …}`.
    Names(String),
    /// How writing to a file ends: `"done"`, or `{"errno": …}`.
    Writing(String),
    /// How a system call with these words ends, likewise.
    Call(Vec<String>),
    /// A kernel parameter.
    Sysctl(String),
    /// Whether the namespace of a type (as in `/proc/self/ns`) is the runtime's.
    Inherited(&'static str),
    /// A file of the container's cgroup: controller, and files of which the first that is counts.
    Cgroup(&'static str, Vec<&'static str>),
    /// Tags of the hooks that ran, in order.
    HookTags,
    /// How the hook of this tag and turn was run: `args` or `env`.
    Hook(String, &'static str),
    /// A property of the state.
    State(&'static str),
}

/// What of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explore) enum OfMount {
    /// Its file system's type.
    Type,
    /// Its source.
    Source,
    /// Its own options.
    Options,
    /// Its file system's.
    Super,
    /// Kinds of its propagation fields: `shared`, `master`, `unbindable`.
    Propagation,
}

/// What the probe must be told to do to find it.
pub(in crate::explore) enum Question {
    /// A word behind `observe`.
    Observe(String),
    /// A verb of its own.
    Verb(Vec<String>),
}

/// Everything that was seen of a container.
#[derive(Debug, Default)]
pub(in crate::explore) struct Seen {
    pub(in crate::explore) world: World,
    /// The same as JSON.
    pub(in crate::explore) world_json: Value,
    pub(in crate::explore) lines: Vec<Line>,
    pub(in crate::explore) hooks: Vec<HookRecord>,
    pub(in crate::explore) state: Value,
    /// The runtime's own namespaces.
    pub(in crate::explore) own: BTreeMap<String, u64>,
    /// Files of the container's cgroup, by controller and name.
    pub(in crate::explore) cgroup: BTreeMap<(String, String), String>,
}

impl Find {
    pub(in crate::explore) fn question(&self) -> Option<Question> {
        let verb = |words: &[&str]| {
            Some(Question::Verb(
                words.iter().map(|word| (*word).into()).collect(),
            ))
        };
        match self {
            Find::File(path, _) => Some(Question::Observe(format!("path={path}"))),
            Find::Sysctl(name) => Some(Question::Observe(format!("sysctl={name}"))),
            Find::Text(path) => verb(&["read", path]),
            Find::Names(path) => verb(&["list", path]),
            Find::Writing(path) => verb(&["write", path, "written"]),
            Find::Call(words) => {
                let all = std::iter::once("syscall".to_owned()).chain(words.iter().cloned());
                Some(Question::Verb(all.collect()))
            }
            _ => None,
        }
    }
}

impl Seen {
    /// What an expectation looks for; `null` if it is not there.
    pub(in crate::explore) fn find(&self, find: &Find) -> Value {
        match find {
            Find::World(pointer) => self
                .world_json
                .pointer(pointer)
                .cloned()
                .unwrap_or_default(),
            Find::Ids(which) => {
                let ids = if *which == "uid" {
                    self.world.uid
                } else {
                    self.world.gid
                };
                json!([ids.real, ids.effective, ids.saved])
            }
            Find::GroupsBut(primary) => {
                let groups = self.world.groups.iter().map(|group| u64::from(*group));
                groups.filter(|group| group != primary).collect()
            }
            Find::Map(name) => {
                let mut entries = self.world_json[*name]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                entries.sort_by_key(|entry| entry["containerID"].as_u64());
                json!(entries)
            }
            Find::Mount(place, of) => self
                .topmost(place)
                .map_or(Value::Null, |mount| of.of(mount)),
            Find::File(path, key) => json!(self.world.files.get(path))
                .get(key)
                .cloned()
                .unwrap_or_default(),
            Find::Text(path) => self.told("read", std::slice::from_ref(path), |value| {
                value["text"].clone()
            }),
            Find::Names(path) => self.told("list", std::slice::from_ref(path), Value::clone),
            Find::Writing(path) => {
                self.told("write", std::slice::from_ref(path), |_| json!("done"))
            }
            Find::Call(words) => self.told("syscall", words, |_| json!("done")),
            Find::Sysctl(name) => json!(self.world.sysctls.get(name)),
            Find::Inherited(kind) => {
                let (own, seen) = (self.own.get(*kind), self.world.namespaces.get(*kind));
                own.zip(seen)
                    .map_or(Value::Null, |(own, seen)| json!(own == seen))
            }
            Find::Cgroup(controller, files) => files
                .iter()
                .find_map(|file| self.cgroup.get(&((*controller).into(), (*file).into())))
                .map_or(Value::Null, |text| json!(text.trim_end())),
            Find::HookTags => self.hooks.iter().map(|hook| json!(hook.tag)).collect(),
            Find::Hook(tag, what) => {
                let hook = self.hooks.iter().find(|hook| hook.tag == *tag);
                hook.map_or(Value::Null, |hook| match *what {
                    "args" => json!(hook.args),
                    _ => json!(hook.env),
                })
            }
            Find::State(property) => self.state.get(property).cloned().unwrap_or_default(),
        }
    }

    /// The mount on top at a place: no other there is mounted on it. The order of the table tells
    /// nothing, since a mount may be made long before it is put in its place.
    fn topmost(&self, place: &str) -> Option<&Mount> {
        let mounts = self.world.mounts.as_deref().unwrap_or_default();
        let mut there = mounts.iter().filter(|mount| mount.mount_point == place);
        there
            .clone()
            .find(|mount| {
                !there
                    .clone()
                    .any(|other| other.parent == mount.id && other.id != mount.id)
            })
            .or_else(|| there.next())
    }

    fn told(&self, verb: &str, args: &[String], value: fn(&Value) -> Value) -> Value {
        let line = self
            .lines
            .iter()
            .find(|line| line.verb == verb && line.args.starts_with(args));
        match line {
            None => Value::Null,
            Some(line) => match &line.errno {
                Some(errno) => json!({"errno": errno}),
                None => value(&line.value),
            },
        }
    }
}

impl OfMount {
    fn of(self, mount: &Mount) -> Value {
        match self {
            OfMount::Type => json!(mount.fs_type),
            OfMount::Source => json!(mount.source),
            OfMount::Options => json!(mount.options),
            OfMount::Super => json!(mount.super_options),
            OfMount::Propagation => mount
                .propagation
                .iter()
                .map(|field| json!(field.split(':').next()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_on_top_is_told_by_what_it_lies_on() {
        let mount = |id, parent, fs_type: &str| Mount {
            id,
            parent,
            mount_point: "/mnt".into(),
            fs_type: fs_type.into(),
            ..Mount::default()
        };
        let mut seen = Seen::default();
        seen.world.mounts = Some(vec![mount(7, 9, "ext4"), mount(9, 1, "tmpfs")]);
        let find = Find::Mount("/mnt".into(), OfMount::Type);
        assert_eq!(seen.find(&find), "ext4");
        seen.world.mounts = Some(vec![mount(7, 1, "ext4"), mount(9, 7, "tmpfs")]);
        assert_eq!(seen.find(&find), "tmpfs");
        assert_eq!(
            seen.find(&Find::Mount("/tmp".into(), OfMount::Type)),
            Value::Null
        );
    }
}

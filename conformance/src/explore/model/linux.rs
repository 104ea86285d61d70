//! What config-linux.md says, seccomp aside, and config.md of hooks.

use serde_json::{Value, json};

use super::seen::OfMount;
use super::{Around, Expectation, Find, Must};
use crate::explore::draw;
use crate::explore::surface::{LIMITS, Limit};

/// Types of namespaces, and their names in `/proc/self/ns`.
const NAMESPACES: [(&str, &str); 8] = [
    ("pid", "pid"),
    ("network", "net"),
    ("mount", "mnt"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("user", "user"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

/// Default devices: path, major, minor, clause.
const DEVICES: [(&str, u32, u32, &str); 6] = [
    ("/dev/null", 1, 3, "config-linux.default-devices.null"),
    ("/dev/zero", 1, 5, "config-linux.default-devices.zero"),
    ("/dev/full", 1, 7, "config-linux.default-devices.full"),
    ("/dev/random", 1, 8, "config-linux.default-devices.random"),
    ("/dev/urandom", 1, 9, "config-linux.default-devices.urandom"),
    ("/dev/tty", 5, 0, "config-linux.default-devices.tty"),
];

/// Kinds of hooks in the order in which they run, with the clause that asks for it.
const HOOKS: [(&str, &str, &str, &str); 6] = [
    (
        "prestart",
        "runtime.lifecycle.prestart.invoke",
        "config.hooks.prestart.args.effect",
        "config.hooks.prestart.env.effect",
    ),
    (
        "createRuntime",
        "runtime.lifecycle.createRuntime.invoke",
        "config.hooks.createRuntime.args.effect",
        "config.hooks.createRuntime.env.effect",
    ),
    (
        "createContainer",
        "runtime.lifecycle.createContainer.invoke",
        "config.hooks.createContainer.args.effect",
        "config.hooks.createContainer.env.effect",
    ),
    (
        "startContainer",
        "runtime.lifecycle.startContainer.invoke",
        "config.hooks.startContainer.args.effect",
        "config.hooks.startContainer.env.effect",
    ),
    (
        "poststart",
        "runtime.lifecycle.poststart.invoke",
        "config.hooks.poststart.args.effect",
        "config.hooks.poststart.env.effect",
    ),
    (
        "poststop",
        "runtime.lifecycle.poststop.invoke",
        "config.hooks.poststop.args.effect",
        "config.hooks.poststop.env.effect",
    ),
];

pub(super) fn expectations(config: &Value, around: &Around<'_>) -> Vec<Expectation> {
    let mut all = Vec::new();
    if around.shared_kernel {
        all.extend(namespaces(config));
        all.extend(resources(config, around));
    }
    all.extend(mappings(config));
    all.extend(time_offsets(config));
    all.extend(devices(config));
    all.extend(paths(config));
    all.extend(sysctls(config));
    all.extend(propagation(config));
    all.extend(personality(config));
    all.extend(memory_policy(config));
    all.extend(hooks(config));
    all
}

fn namespaces(config: &Value) -> Vec<Expectation> {
    let mut all = Vec::new();
    for (kind, file) in NAMESPACES {
        // A kernel without time namespaces has none to tell of.
        if !std::path::Path::new("/proc/self/ns").join(file).exists() {
            continue;
        }
        let (clause, inherited) = match draw::namespace(config, kind) {
            None => ("config-linux.namespaces.inherit", true),
            Some(entry) if entry.get("path").is_some() => {
                ("config-linux.namespaces.path.join", true)
            }
            Some(_) => ("config-linux.namespaces.nopath.new", false),
        };
        let what = format!("whether the {kind} namespace is the runtime's");
        let must = Must::Be(json!(inherited));
        all.push(Expectation::new(clause, what, Find::Inherited(file), must));
    }
    all
}

fn mappings(config: &Value) -> Vec<Expectation> {
    let mut all = Vec::new();
    if draw::namespace(config, "user").is_none() {
        return all;
    }
    for (property, clause, file) in [
        ("uidMappings", "config-linux.uidMappings.effect", "uid_map"),
        ("gidMappings", "config-linux.gidMappings.effect", "gid_map"),
    ] {
        if let Some(Value::Array(entries)) = config["linux"].get(property) {
            let mut entries = entries.clone();
            entries.sort_by_key(|entry| entry["containerID"].as_u64());
            let must = Must::Be(json!(entries));
            all.push(Expectation::new(clause, property, Find::Map(file), must));
        }
    }
    all
}

/// A clock that is not listed, and what an entry does not say, is off by nothing.
fn time_offsets(config: &Value) -> Vec<Expectation> {
    let Some(offsets) = config.pointer("/linux/timeOffsets") else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for clock in ["monotonic", "boottime"] {
        for (part, clause) in [
            ("secs", "config-linux.timeOffsets.secs.effect"),
            ("nanosecs", "config-linux.timeOffsets.nanosecs.effect"),
        ] {
            let value = offsets.pointer(&format!("/{clock}/{part}"));
            all.push(Expectation::new(
                clause,
                format!("{part} of the offset of {clock}"),
                Find::World(format!("/time_offsets/{clock}/{part}")),
                Must::Be(value.cloned().unwrap_or(json!(0))),
            ));
        }
    }
    all
}

fn devices(config: &Value) -> Vec<Expectation> {
    let mut all = Vec::new();
    for (path, major, minor, clause) in DEVICES {
        for (key, value) in [
            ("kind", json!("char")),
            ("major", json!(major)),
            ("minor", json!(minor)),
        ] {
            let what = format!("{key} of {path}");
            all.push(Expectation::new(
                clause,
                what,
                Find::File(path.into(), key),
                Must::Be(value),
            ));
        }
    }
    let listed = config.pointer("/linux/devices").and_then(Value::as_array);
    for device in listed.into_iter().flatten() {
        let path = device["path"].as_str().unwrap_or_default();
        let kind = match device["type"].as_str() {
            Some("b") => "block",
            Some("p") => "fifo",
            _ => "char",
        };
        let mut add = |clause, key, value| {
            let what = format!("{key} of {path}");
            all.push(Expectation::new(
                clause,
                what,
                Find::File(path.into(), key),
                Must::Be(value),
            ));
        };
        add("config-linux.devices.available", "kind", json!(kind));
        for (property, key, clause) in [
            ("major", "major", "config-linux.devices.major-minor.effect"),
            ("minor", "minor", "config-linux.devices.major-minor.effect"),
            ("fileMode", "mode", "config-linux.devices.fileMode.effect"),
            ("uid", "uid", "config-linux.devices.uid.effect"),
            ("gid", "gid", "config-linux.devices.gid.effect"),
        ] {
            if let Some(value) = device.get(property) {
                add(clause, key, value.clone());
            }
        }
    }
    all
}

fn paths(config: &Value) -> Vec<Expectation> {
    const MASKED: &str = "config-linux.maskedPaths.effect";
    const READONLY: &str = "config-linux.readonlyPaths.effect";
    let list = |name: &str| -> Vec<String> {
        let list = config["linux"].get(name).and_then(Value::as_array);
        let paths = list.into_iter().flatten().filter_map(Value::as_str);
        paths.map(str::to_owned).collect()
    };
    let mut all = Vec::new();
    for path in list("maskedPaths") {
        let find = match path.as_str() {
            "/data/vault" => Find::Names(path.clone()),
            _ => Find::Text(path.clone()),
        };
        let what = format!("what is read of the masked {path}");
        all.push(Expectation::new(MASKED, what, find, Must::ShowNothing));
    }
    for path in list("readonlyPaths") {
        // A directory is read-only with what is below it.
        let file = match path.as_str() {
            "/data/shelf" => "/data/shelf/book".to_owned(),
            "/proc/sys" => "/proc/sys/kernel/domainname".to_owned(),
            _ => path.clone(),
        };
        let what = format!("writing to {file} with the read-only path {path}");
        all.push(Expectation::new(
            READONLY,
            what,
            Find::Writing(file),
            Must::Fail,
        ));
    }
    all
}

fn sysctls(config: &Value) -> Vec<Expectation> {
    let listed = config.pointer("/linux/sysctl").and_then(Value::as_object);
    listed
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            Expectation::new(
                "config-linux.sysctl.effect",
                name.clone(),
                Find::Sysctl(name.clone()),
                Must::Be(value.clone()),
            )
        })
        .collect()
}

fn propagation(config: &Value) -> Vec<Expectation> {
    let Some(kind) = config
        .pointer("/linux/rootfsPropagation")
        .and_then(Value::as_str)
    else {
        return Vec::new();
    };
    let (clause, has, lacks): (_, &[&str], &[&str]) = match kind {
        "shared" => (
            "config-linux.rootfsPropagation.shared.effect",
            &["shared"],
            &[],
        ),
        "slave" => (
            "config-linux.rootfsPropagation.slave.effect",
            &[],
            &["shared"],
        ),
        "unbindable" => (
            "config-linux.rootfsPropagation.unbindable.effect",
            &["unbindable"],
            &["shared"],
        ),
        _ => (
            "config-linux.rootfsPropagation.private.effect",
            &[],
            &["shared", "master"],
        ),
    };
    let list = |names: &[&str]| names.iter().map(|name| json!(name)).collect::<Vec<_>>();
    [Must::Have(list(has)), Must::Lack(list(lacks))]
        .map(|must| {
            let find = Find::Mount("/".into(), OfMount::Propagation);
            Expectation::new(clause, "propagation of the root mount", find, must)
        })
        .into()
}

/// A kernel may know no personalities, and then tells none; PER_LINUX32 is 8, without its flags.
fn personality(config: &Value) -> Option<Expectation> {
    let domain = config.pointer("/linux/personality/domain")?.as_str()?;
    let (clause, value) = match domain {
        "LINUX32" => ("config-linux.personality.LINUX32.effect", 8),
        _ => ("config-linux.personality.LINUX.effect", 0),
    };
    Some(Expectation::new(
        clause,
        "personality(2)",
        Find::World("/personality".into()),
        Must::BeOneOf(vec![json!(value), Value::Null]),
    ))
}

fn memory_policy(config: &Value) -> Option<Expectation> {
    let policy = config.pointer("/linux/memoryPolicy")?;
    let flags = policy.get("flags").cloned().unwrap_or(json!([]));
    let expected = json!({"mode": policy["mode"], "flags": flags, "nodes": [0]});
    Some(Expectation::new(
        "config-linux.memoryPolicy.effect",
        "memory policy",
        Find::World("/memory_policy".into()),
        Must::Be(expected),
    ))
}

fn resources(config: &Value, around: &Around<'_>) -> Vec<Expectation> {
    let Some(resources) = config.pointer("/linux/resources") else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for limit in LIMITS {
        let (Some(value), Some(hierarchy)) = (
            resources.pointer(limit.at),
            around.host.controller(limit.controller),
        ) else {
            continue;
        };
        let files = match hierarchy.unified {
            true => limit.v2.as_slice(),
            false => limit.v1,
        };
        // What v2 has no number for cannot be compared.
        if files.is_empty() {
            continue;
        }
        all.push(Expectation::new(
            limit.clause,
            format!("{} of the container's cgroup", files.join(" or ")),
            Find::Cgroup(limit.controller, files.to_vec()),
            Must::Be(json!(Limit::text(value))),
        ));
    }
    if around.host.cgroup() != "v2" {
        return all;
    }
    if let (Some(quota), Some(period)) = (
        resources.pointer("/cpu/quota"),
        resources.pointer("/cpu/period"),
    ) {
        all.push(Expectation::new(
            "config-linux.resources.cpu.quota.effect",
            "cpu.max of the container's cgroup",
            Find::Cgroup("cpu", vec!["cpu.max"]),
            Must::Be(json!(format!("{quota} {period}"))),
        ));
    }
    // Where both say something of one file, no text says which wins.
    if let (Some(limit), None) = (
        resources.pointer("/unified/pids.max"),
        resources.get("pids"),
    ) {
        all.push(Expectation::new(
            "config-linux.unified.effect",
            "pids.max of the container's cgroup",
            Find::Cgroup("pids", vec!["pids.max"]),
            Must::Be(limit.clone()),
        ));
    }
    all
}

fn hooks(config: &Value) -> Vec<Expectation> {
    let mut all = Vec::new();
    let mut tags: Vec<Value> = Vec::new();
    for (kind, invoke, args, env) in HOOKS {
        let list = config.pointer(&format!("/hooks/{kind}"));
        for hook in list.and_then(Value::as_array).into_iter().flatten() {
            let tag = hook
                .pointer("/args/2")
                .and_then(Value::as_str)
                .unwrap_or_default();
            // Of hooks with one tag the first is found.
            if tags.contains(&json!(tag)) {
                tags.push(json!(tag));
                continue;
            }
            tags.push(json!(tag));
            let what = format!("tags of the hooks that ran, {tag} among them");
            let must = Must::Have(vec![json!(tag)]);
            all.push(Expectation::new(invoke, what, Find::HookTags, must));
            all.push(Expectation::new(
                args,
                format!("arguments of {tag}"),
                Find::Hook(tag.into(), "args"),
                Must::Be(hook["args"].clone()),
            ));
            if let Some(Value::Array(listed)) = hook.get("env") {
                all.push(Expectation::new(
                    env,
                    format!("environment of {tag}"),
                    Find::Hook(tag.into(), "env"),
                    Must::Have(listed.clone()),
                ));
            }
        }
    }
    if tags.len() > 1 {
        all.push(Expectation::new(
            "runtime.lifecycle.hook-step-order",
            "tags of the hooks that ran, in order",
            Find::HookTags,
            Must::Be(json!(tags)),
        ));
    }
    all
}

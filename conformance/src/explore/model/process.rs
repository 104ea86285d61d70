//! What config.md says of the process, the root, names and annotations.

use serde_json::{Value, json};

use super::{Around, Expectation, Find, Must};
use crate::host::CAPABILITIES;

/// Properties whose value is what the world shows at a pointer: place, clause, and where it shows.
const AS_THEY_ARE: &[(&str, &str, &str)] = &[
    ("/process/cwd", "config.process.cwd.effect", "/cwd"),
    (
        "/process/user/umask",
        "config.process.user.umask.effect",
        "/umask",
    ),
    (
        "/process/oomScoreAdj",
        "config.process.oomScoreAdj.set",
        "/oom_score_adj",
    ),
    (
        "/process/scheduler/policy",
        "config.process.scheduler.policy.effect",
        "/scheduler/policy",
    ),
    (
        "/process/ioPriority/class",
        "config.process.ioPriority.effect",
        "/io_priority/class",
    ),
    ("/hostname", "config.hostname.effect", "/hostname"),
    ("/domainname", "config.domainname.effect", "/domainname"),
    ("/process/args", "config.process.args.effect", "/args"),
];

pub(super) fn expectations(config: &Value, _: &Around<'_>) -> Vec<Expectation> {
    let mut all = Vec::new();
    for (at, clause, place) in AS_THEY_ARE {
        if let Some(value) = config.pointer(at) {
            let find = Find::World((*place).into());
            let what = at.trim_start_matches('/').replace('/', ".");
            all.push(Expectation::new(
                clause,
                what,
                find,
                Must::Be(value.clone()),
            ));
        }
    }
    all.extend(scheduling(config));
    all.extend(user(config));
    all.extend(environment(config));
    all.extend(rlimits(config));
    all.extend(privileges(config));
    all.push(root(config));
    all.extend(annotations(config));
    all
}

/// A priority means nothing for the idle class, and sched_setattr(2) sets no nice value with
/// SCHED_IDLE.
fn scheduling(config: &Value) -> Vec<Expectation> {
    let mut all = Vec::new();
    let scheduler = config.pointer("/process/scheduler");
    let scheduler = scheduler.filter(|scheduler| scheduler["policy"] != "SCHED_IDLE");
    if let Some(nice) = scheduler.and_then(|scheduler| scheduler.get("nice")) {
        all.push(Expectation::new(
            "config.process.scheduler.nice.effect",
            "nice value",
            Find::World("/scheduler/nice".into()),
            Must::Be(nice.clone()),
        ));
    }
    let priority = config.pointer("/process/ioPriority");
    if let Some(priority) = priority.filter(|priority| priority["class"] == "IOPRIO_CLASS_BE") {
        all.push(Expectation::new(
            "config.process.ioPriority.effect",
            "I/O priority",
            Find::World("/io_priority/priority".into()),
            Must::Be(priority["priority"].clone()),
        ));
    }
    all
}

fn user(config: &Value) -> Vec<Expectation> {
    let id = |name: &str| config.pointer(&format!("/process/user/{name}"));
    let mut all = Vec::new();
    for (name, clause) in [
        ("uid", "config.process.user.uid.effect"),
        ("gid", "config.process.user.gid.effect"),
    ] {
        if let Some(id) = id(name) {
            let what = format!("real, effective and saved {name}");
            let must = Must::Be(json!([id, id, id]));
            all.push(Expectation::new(clause, what, Find::Ids(name), must));
        }
    }
    if let Some(Value::Array(groups)) = id("additionalGids") {
        let primary = id("gid").and_then(Value::as_u64).unwrap_or(0);
        let mut groups: Vec<u64> = groups.iter().filter_map(Value::as_u64).collect();
        groups.retain(|group| *group != primary);
        groups.sort_unstable();
        all.push(Expectation::new(
            "config.process.user.additionalGids.effect",
            "supplementary groups",
            Find::GroupsBut(primary),
            Must::Be(json!(groups)),
        ));
    }
    all
}

/// A runtime may add variables; the given ones must be there as they are.
fn environment(config: &Value) -> Option<Expectation> {
    let env = config.pointer("/process/env")?.as_array()?;
    Some(Expectation::new(
        "config.process.env.effect",
        "environment",
        Find::World("/env".into()),
        Must::Have(env.clone()),
    ))
}

fn rlimits(config: &Value) -> Vec<Expectation> {
    let list = config.pointer("/process/rlimits").and_then(Value::as_array);
    let mut all = Vec::new();
    for entry in list.into_iter().flatten() {
        let kind = entry["type"].as_str().unwrap_or_default();
        for (which, clause) in [
            ("soft", "config.process.rlimits.soft.match"),
            ("hard", "config.process.rlimits.hard.match"),
        ] {
            all.push(Expectation::new(
                clause,
                format!("{which} limit {kind}"),
                Find::World(format!("/rlimits/{kind}/{which}")),
                Must::Be(entry[which].clone()),
            ));
        }
    }
    all
}

/// What execve(2) makes of the configured sets (capabilities(7), "Transformation of capabilities
/// during execve()"): root gets what is inheritable or bounding, others what is ambient.
fn privileges(config: &Value) -> Vec<Expectation> {
    let mut all = Vec::new();
    let no_new = config.pointer("/process/noNewPrivileges") == Some(&json!(true));
    if no_new {
        all.push(Expectation::new(
            "config.process.noNewPrivileges.effect",
            "no_new_privs",
            Find::World("/no_new_privs".into()),
            Must::Be(json!(true)),
        ));
    }
    let Some(sets) = config.pointer("/process/capabilities") else {
        return all;
    };
    let set = |name: &str| -> Vec<&'static str> {
        let listed = sets.get(name).and_then(Value::as_array);
        let listed = |name: &&&str| listed.is_some_and(|listed| listed.contains(&json!(name)));
        CAPABILITIES.iter().filter(listed).copied().collect()
    };
    let is_root = config
        .pointer("/process/user/uid")
        .is_none_or(|uid| *uid == json!(0));
    let held: Vec<&str> = if is_root {
        let (inheritable, bounding, permitted) =
            (set("inheritable"), set("bounding"), set("permitted"));
        let gained = |name: &&str| inheritable.contains(name) || bounding.contains(name);
        // With no_new_privs nothing is gained that was not permitted before.
        let kept = |name: &&str| !no_new || permitted.contains(name);
        CAPABILITIES
            .iter()
            .copied()
            .filter(gained)
            .filter(kept)
            .collect()
    } else {
        set("ambient")
    };
    for (name, clause, expected) in [
        (
            "bounding",
            "config.process.capabilities.bounding.effect",
            set("bounding"),
        ),
        (
            "inheritable",
            "config.process.capabilities.inheritable.effect",
            set("inheritable"),
        ),
        (
            "ambient",
            "config.process.capabilities.ambient.effect",
            set("ambient"),
        ),
        (
            "permitted",
            "config.process.capabilities.permitted.effect",
            held.clone(),
        ),
        (
            "effective",
            "config.process.capabilities.effective.effect",
            held,
        ),
    ] {
        all.push(Expectation::new(
            clause,
            format!("{name} capabilities of the program"),
            Find::World(format!("/capabilities/{name}")),
            Must::Be(json!(expected)),
        ));
    }
    all
}

fn root(config: &Value) -> Expectation {
    let options = Find::Mount("/".into(), super::seen::OfMount::Options);
    match config.pointer("/root/readonly") {
        Some(Value::Bool(true)) => Expectation::new(
            "config.root.readonly.effect",
            "options of the root mount",
            options,
            Must::Have(vec![json!("ro")]),
        ),
        _ => Expectation::new(
            "config.root.readonly.default",
            "options of the root mount",
            options,
            Must::Lack(vec![json!("ro")]),
        ),
    }
}

/// A runtime may add annotations of its own.
fn annotations(config: &Value) -> Option<Expectation> {
    let annotations = config.get("annotations")?;
    let given = annotations
        .as_object()
        .is_some_and(|given| !given.is_empty());
    given.then(|| {
        Expectation::new(
            "runtime.state.annotations",
            "annotations in the state",
            Find::State("annotations"),
            Must::HaveMembers(annotations.clone()),
        )
    })
}

//! Hooks: config.md, POSIX-platform Hooks. Each records that it ran.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::json;

use super::Row;
use super::process::word;
use crate::explore::draw::{BUNDLE, Edit, Part};

macro_rules! row {
    ($kind:literal, $clause:literal) => {
        Row {
            name: concat!("hooks.", $kind),
            needs: &[],
            draw: || hook($kind, $clause),
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    // Before 1.1.0 it ran in start, or either way.
    row!("prestart", "config.hooks.prestart.timing"),
    row!("createRuntime", "runtime.lifecycle.createRuntime.invoke"),
    row!(
        "createContainer",
        "runtime.lifecycle.createContainer.invoke"
    ),
    row!("startContainer", "runtime.lifecycle.startContainer.invoke"),
    row!("poststart", "runtime.lifecycle.poststart.invoke"),
    row!("poststop", "runtime.lifecycle.poststop.invoke"),
];

fn hook(kind: &'static str, clause: &'static str) -> BoxedStrategy<Part> {
    let env = proptest::option::of(btree_map("[A-Z]{1,6}", word(), 0..3));
    let timeout = proptest::option::of(60u32..100);
    (0u32..1000, vec(word(), 0..3), env, timeout)
        .prop_map(move |(number, further, env, timeout)| {
            let path = match kind {
                "startContainer" => "/probe".to_owned(),
                _ => format!("{BUNDLE}/probe"),
            };
            // The record has two places: on the host, and where the container sees it.
            let record = format!("{BUNDLE}/out/hooks:/out/hooks");
            let mut args = vec![
                "probe".to_owned(),
                "hook".into(),
                format!("{kind}-{number}"),
            ];
            args.extend([record, "--".to_owned()]);
            args.extend(further);
            let mut hook = json!({"path": path, "args": args});
            if let Some(env) = env {
                let entries: Vec<String> = env
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                hook["env"] = json!(entries);
            }
            if let Some(timeout) = timeout {
                hook["timeout"] = json!(timeout);
            }
            let mut edits = vec![Edit::Set(format!("/hooks/{kind}/-"), hook)];
            if matches!(kind, "createContainer" | "startContainer") {
                let mount = json!({
                    "destination": "/out", "type": "bind", "source": format!("{BUNDLE}/out"),
                    "options": ["bind", "rw"],
                });
                edits.push(Edit::Set("/mounts/-".into(), mount));
            }
            Part::of(&format!("hooks.{kind}"), clause, edits)
        })
        .boxed()
}

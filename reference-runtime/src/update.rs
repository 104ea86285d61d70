//! `update`: new resource limits for a container that lives.
//!
//! What is asked for is joined with what the container has, because some limits
//! mean something only together. All of it holds, or nothing of it: what was
//! written before a refusal is written back.

use crate::cgroup::resources::{self, Setting};
use crate::cgroup::{self, Hierarchy, Placement, devices};
use crate::cli::UpdateArgs;
use crate::document::Node;
use crate::error::{CallContext, Error, Result};
use crate::intel_rdt;
use crate::limited_file;
use crate::log;
use crate::previous_limits::{self, Previous};
use crate::state::{Container, Status};
use crate::store::Store;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::path::Path;

/// The command.
pub(crate) fn update(store: &Store, arguments: &UpdateArgs) -> Result<()> {
    let mut change = match &arguments.resources {
        Some(path) => read(path)?,
        None => from_flags(arguments),
    };
    let container = Container::lock(store, &arguments.id, |container| {
        let lives = matches!(
            container.status,
            Status::Created | Status::Running | Status::Paused
        );
        (!lives).then(|| container.not_running())
    })?;
    if arguments.resources.is_none() {
        update_resctrl(&container, arguments)?;
    }
    let mut config: Value = serde_json::from_slice(&container.entry.read_config()?)
        .map_err(|error| Error::new(format!("config.json: {error}")))?;
    let kept = config.pointer("/linux/resources").cloned();
    let kept = kept.unwrap_or_else(|| json!({}));
    drop_same_rules(&mut change, &kept);
    drop_unset(&mut change);
    let wanted = with_companions(&change, &kept);
    let node = Node::root(&wanted)?;
    let hierarchies = cgroup::hierarchies()?;
    let settings = resources::plan(&node, &hierarchies)?;
    let rules = devices::plan(&node, &hierarchies)?;
    let placement = &container.record.cgroup;
    check_usage(&node, placement)?;
    placement.enable_controllers(&settings)?;
    let written = match &rules {
        None => write(&settings, placement),
        Some(rules) => rules
            .replace(placement)
            .and_then(|()| write(&settings, placement)),
    };
    if written.is_err() && rules.is_some() {
        take_rules_back(&config, &kept, &hierarchies, placement)
            .unwrap_or_else(|again| log::warning(&again.stage("taking back").to_string()));
    }
    written?;
    merge(
        config
            .as_object_mut()
            .and_then(|config| {
                let linux = config.entry("linux").or_insert_with(|| json!({}));
                Some(linux.as_object_mut()?.entry("resources"))
            })
            .ok_or_else(|| Error::new("must be an object").at("/linux"))?
            .or_insert_with(|| json!({})),
        &change,
    );
    container
        .entry
        .replace_config(config.to_string().as_bytes())
}

fn update_resctrl(container: &Container, arguments: &UpdateArgs) -> Result<()> {
    let schemas = [&arguments.l3_cache_schema, &arguments.mem_bw_schema];
    let [l3, bandwidth] = schemas.map(|schema| schema.as_deref().filter(|text| !text.is_empty()));
    if l3.is_none() && bandwidth.is_none() {
        return Ok(());
    }
    match &container.record.resctrl {
        Some(groups) => intel_rdt::update(&groups.class, l3, bandwidth),
        None => Err(Error::new("the container was created without").at("/linux/intelRdt")),
    }
}

/// The document of --resources.
fn read(path: &Path) -> Result<Value> {
    let text = if path == Path::new("-") {
        limited_file::read(io::stdin()).call(|| "read(stdin)")?
    } else {
        limited_file::read_any(path).call(|| format!("read({path:?})"))?
    };
    let name = path.display();
    let document: Value =
        serde_json::from_slice(&text).map_err(|error| Error::new(format!("{name}: {error}")))?;
    // Judged as an object before anything is taken from it.
    Node::root(&document)?;
    Ok(document)
}

/// The same document, made of the other options.
fn from_flags(arguments: &UpdateArgs) -> Value {
    let object = |members: Vec<(&str, Option<Value>)>| {
        let present = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(present.collect())
    };
    let text = |text: &Option<String>| text.clone().map(Value::from);
    json!({
        "blockIO": object(vec![("weight", arguments.blkio_weight.map(Value::from))]),
        "cpu": object(vec![
            ("shares", arguments.cpu_share.map(Value::from)),
            ("quota", arguments.cpu_quota.map(Value::from)),
            ("burst", arguments.cpu_burst.map(Value::from)),
            ("period", arguments.cpu_period.map(Value::from)),
            ("realtimeRuntime", arguments.cpu_rt_runtime.map(Value::from)),
            ("realtimePeriod", arguments.cpu_rt_period.map(Value::from)),
            ("idle", arguments.cpu_idle.map(Value::from)),
            ("cpus", text(&arguments.cpuset_cpus)),
            ("mems", text(&arguments.cpuset_mems)),
        ]),
        "memory": object(vec![
            ("limit", arguments.memory.map(Value::from)),
            ("reservation", arguments.memory_reservation.map(Value::from)),
            ("swap", arguments.memory_swap.map(Value::from)),
        ]),
        "pids": object(vec![("limit", arguments.pids_limit.map(Value::from))]),
    })
}

/// Engines send the whole of a container's resources, with rules that stay what they are or with
/// none. New ones concern who opens a device from now on.
fn drop_same_rules(change: &mut Value, kept: &Value) {
    if let Some(members) = change.as_object_mut() {
        let rules = members.get("devices");
        let none = rules.and_then(Value::as_array).is_some_and(Vec::is_empty);
        if none || rules == kept.get("devices") {
            members.remove("devices");
        }
    }
}

/// Puts the device rules in force again that the container had.
fn take_rules_back(
    config: &Value,
    kept: &Value,
    hierarchies: &[Hierarchy],
    placement: &Placement,
) -> Result<()> {
    let linux = Node::root(config)?.object("linux")?;
    let listed = crate::devices::plan(linux.as_ref())?;
    match devices::in_force(&Node::root(kept)?, &listed, hierarchies)? {
        Some(rules) => rules.replace(placement),
        None => Ok(()),
    }
}

/// Engines send 0 for a limit that stays as it is; of these, 0 is no limit that anybody could want.
fn drop_unset(change: &mut Value) {
    const UNSET_BY_ZERO: &[(&str, &[&str])] = &[
        (
            "memory",
            &["limit", "reservation", "swap", "kernel", "kernelTCP"],
        ),
        (
            "cpu",
            &[
                "shares",
                "quota",
                "period",
                "realtimeRuntime",
                "realtimePeriod",
            ],
        ),
        ("blockIO", &["weight", "leafWeight"]),
        ("pids", &["limit"]),
    ];
    for (section, names) in UNSET_BY_ZERO {
        let Some(Value::Object(members)) = change.get_mut(*section) else {
            continue;
        };
        members.retain(|name, value| !(names.contains(&name.as_str()) && *value == json!(0)));
    }
}

/// Adds those limits of the container that mean something only together with what changes.
fn with_companions(change: &Value, kept: &Value) -> Value {
    const TOGETHER: &[(&str, &[&str])] = &[
        ("memory", &["limit", "swap"]),
        ("cpu", &["quota", "period", "burst"]),
        ("cpu", &["realtimeRuntime", "realtimePeriod"]),
    ];
    let mut wanted = change.clone();
    for (section, names) in TOGETHER {
        let Some(Value::Object(members)) = wanted.get_mut(*section) else {
            continue;
        };
        if !names.iter().any(|name| members.contains_key(*name)) {
            continue;
        }
        for name in *names {
            if let (false, Some(value)) = (
                members.contains_key(*name),
                kept.get(section).and_then(|kept| kept.get(name)),
            ) {
                members.insert((*name).to_owned(), value.clone());
            }
        }
    }
    if let Some(check) = kept.pointer("/memory/checkBeforeUpdate")
        && let Some(Value::Object(memory)) = wanted.get_mut("memory")
    {
        memory
            .entry("checkBeforeUpdate")
            .or_insert_with(|| check.clone());
    }
    wanted
}

/// `checkBeforeUpdate`: version 1 refuses a limit below what is in use; version 2 would kill for it.
fn check_usage(wanted: &Node<'_>, placement: &Placement) -> Result<()> {
    let Some(memory) = wanted.object("memory")? else {
        return Ok(());
    };
    let limit = memory.integer::<i64>("limit")?.filter(|limit| *limit > 0);
    let (Some(limit), Some(true), Some(group)) = (
        limit,
        memory.boolean("checkBeforeUpdate")?,
        placement.with("memory", true),
    ) else {
        return Ok(());
    };
    let path = group.path.join("memory.current");
    let usage = fs::read_to_string(&path).call(|| format!("read({path:?})"))?;
    let usage: i64 = usage.trim().parse().unwrap_or(i64::MAX);
    if usage > limit {
        return Err(memory.error(
            "limit",
            format!("{limit} is below the usage of {usage} bytes"),
        ));
    }
    Ok(())
}

/// Writes all settings, or none. Limits bound each other, so that the order in which they can be
/// written depends on what was set before: what the kernel refuses is tried again after the rest.
fn write(settings: &[Setting], placement: &Placement) -> Result<()> {
    let before: Vec<_> = settings
        .iter()
        .map(|setting| previous_limits::read(setting, placement))
        .collect();
    let mut pending: Vec<usize> = (0..settings.len()).collect();
    let mut written = Vec::new();
    loop {
        let attempted = pending.len();
        let mut refusal = None;
        let mut refused = Vec::new();
        for index in pending {
            match resources::write_all(&settings[index..=index], placement) {
                Ok(()) => written.push(index),
                Err(error) => {
                    refused.push(index);
                    refusal.get_or_insert(error);
                }
            }
        }
        let Some(error) = refusal else { return Ok(()) };
        let may_depend = matches!(error.errno(), Some(libc::EINVAL | libc::EBUSY));
        if refused.len() == attempted || !may_depend {
            write_back(settings, &written, &before);
            return Err(error);
        }
        pending = refused;
    }
}

fn write_back(settings: &[Setting], written: &[usize], before: &[Option<Previous>]) {
    let mut previous = Vec::new();
    for &index in written {
        match &before[index] {
            Some(value) => previous.push(value.clone()),
            None => {
                let Setting { pointer, value, .. } = &settings[index];
                log::warning(&format!(
                    "{pointer}: the new value {value:?} stays although the update failed"
                ));
            }
        }
    }
    if let Err(error) = previous_limits::restore(&previous) {
        log::warning(&error.stage("taking back").to_string());
    }
}

/// Changes the members of an object that another names, and keeps the rest.
fn merge(kept: &mut Value, change: &Value) {
    match (kept, change) {
        (Value::Object(kept), Value::Object(change)) => {
            for (name, value) in change {
                merge(kept.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (kept, change) => *kept = change.clone(),
    }
}

/// A number of bytes with an optional unit, as engines take it: `64M`, `1.5GiB`, `-1`.
pub(crate) fn parse_size(text: &str) -> std::result::Result<i64, String> {
    if let Ok(number) = text.parse::<i64>() {
        return if number >= -1 {
            Ok(number)
        } else {
            Err("must be -1 or not negative".to_owned())
        };
    }
    let lower = text.to_ascii_lowercase();
    let lower = lower.trim();
    let end = lower
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(lower.len());
    let (number, unit) = (&lower[..end], lower[end..].trim_start());
    let unit = unit
        .strip_suffix("ib")
        .or_else(|| unit.strip_suffix('b'))
        .unwrap_or(unit);
    let power = match unit {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(format!("{text:?} is not a size")),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("{text:?} is not a size"))?;
    let bytes = number * 1024f64.powi(power);
    if bytes >= i64::MAX as f64 {
        return Err(format!("{text:?} is too large"));
    }
    Ok(bytes as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("-1", -1),
            ("0", 0),
            ("4096", 4096),
            ("64m", 64 << 20),
            ("1.5 GiB", 3 << 29),
            ("2Kb", 2048),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "-2", "x", "1x", "m", "1.2.3", "99999999999999p", "-1m"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn zero_is_no_change_and_devices_stay() {
        let rules = json!([{"allow": false}]);
        let mut change = json!({"memory": {"limit": 0, "swappiness": 0}, "devices": rules});
        drop_unset(&mut change);
        assert_eq!(change["memory"], json!({"swappiness": 0}));
        drop_same_rules(&mut change, &json!({"devices": []}));
        assert_eq!(change["devices"], rules);
        drop_same_rules(&mut change, &json!({"devices": rules}));
        assert!(change.get("devices").is_none());
        let mut none = json!({"devices": []});
        drop_same_rules(&mut none, &json!({"devices": rules}));
        assert_eq!(none, json!({}));
    }

    #[test]
    fn limits_that_belong_together_are_written_together() {
        let kept =
            json!({"memory": {"limit": 10, "swap": 20, "reservation": 5}, "cpu": {"quota": 7}});
        let wanted = with_companions(
            &json!({"memory": {"limit": 12}, "cpu": {"shares": 2}}),
            &kept,
        );
        assert_eq!(
            wanted,
            json!({"memory": {"limit": 12, "swap": 20}, "cpu": {"shares": 2}})
        );
        let mut all = kept.clone();
        merge(
            &mut all,
            &json!({"memory": {"limit": 12}, "pids": {"limit": 1}}),
        );
        assert_eq!(
            all,
            json!({"memory": {"limit": 12, "swap": 20, "reservation": 5}, "cpu": {"quota": 7}, "pids": {"limit": 1}})
        );
    }
}

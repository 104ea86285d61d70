//! `list`: the containers below the state root.

use crate::cli::ListFormat;
use crate::error::Result;
use crate::log;
use crate::output;
use crate::state::Container;
use crate::store::Store;
use serde_json::{Value, json};

/// The command.
pub(crate) fn list(store: &Store, format: ListFormat, quiet: bool) -> Result<()> {
    let mut containers = Vec::new();
    for id in store.ids()? {
        // One that goes or comes meanwhile is none that could be told about.
        let entry = match store.open(&id) {
            Ok(entry) => entry,
            Err(error) => {
                // Or else one that is not to be believed.
                if error.errno() == Some(libc::EPERM) {
                    log::warning(&format!("{id:?}: {error}"));
                }
                continue;
            }
        };
        match Container::load(entry) {
            Ok(container) => containers.push(container),
            Err(error) if store.open(&id).is_ok() => log::warning(&format!("{id:?}: {error}")),
            Err(_) => {}
        }
    }
    if quiet {
        for container in &containers {
            if !output::line(&container.record.id)? {
                break;
            }
        }
        return Ok(());
    }
    match format {
        ListFormat::Json => output::line(Value::Array(containers.iter().map(entry).collect())),
        ListFormat::Table => table(&containers),
    }
    .map(drop)
}

fn pid(container: &Container) -> i32 {
    let state = container.state();
    let pid = state.get("pid").and_then(Value::as_i64);
    pid.and_then(|pid| pid.try_into().ok()).unwrap_or(0)
}

fn entry(container: &Container) -> Value {
    let record = &container.record;
    let mut entry = json!({
        "ociVersion": record.oci_version,
        "id": record.id,
        "pid": pid(container),
        "status": container.status.name(),
        "bundle": record.bundle,
        "rootfs": record.rootfs,
        "created": record.created,
        "owner": record.owner.to_string(),
    });
    if let (Some(annotations), Some(entry)) = (&record.annotations, entry.as_object_mut()) {
        entry.insert("annotations".to_owned(), json!(annotations));
    }
    entry
}

/// False if nobody reads to the end.
fn table(containers: &[Container]) -> Result<bool> {
    let width = containers
        .iter()
        .map(|container| container.record.id.len())
        .max()
        .unwrap_or(0)
        .max(2);
    let mut heard = output::line(format_args!(
        "{:width$}  {:>10}  {:8}  {:30}  BUNDLE",
        "ID", "PID", "STATUS", "CREATED"
    ))?;
    for container in containers {
        if !heard {
            break;
        }
        let record = &container.record;
        let (pid, status) = (pid(container), container.status.name());
        heard = output::line(format_args!(
            "{:width$}  {pid:>10}  {status:8}  {:30}  {}",
            record.id,
            record.created,
            record.bundle.display()
        ))?;
    }
    Ok(heard)
}

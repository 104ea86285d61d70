//! `process.rlimits`.

use crate::document::Node;
use crate::error::{CallContext, PlaceContext, Result};
use crate::sys::process;

/// One resource limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limit {
    resource: u32,
    name: &'static str,
    soft: u64,
    hard: u64,
    pointer: String,
}

/// The names of getrlimit(2) and the kernel's numbers (the same on x86, ARM and RISC-V).
const RESOURCES: &[(&str, u32)] = &[
    ("RLIMIT_AS", libc::RLIMIT_AS as _),
    ("RLIMIT_CORE", libc::RLIMIT_CORE as _),
    ("RLIMIT_CPU", libc::RLIMIT_CPU as _),
    ("RLIMIT_DATA", libc::RLIMIT_DATA as _),
    ("RLIMIT_FSIZE", libc::RLIMIT_FSIZE as _),
    ("RLIMIT_LOCKS", libc::RLIMIT_LOCKS as _),
    ("RLIMIT_MEMLOCK", libc::RLIMIT_MEMLOCK as _),
    ("RLIMIT_MSGQUEUE", libc::RLIMIT_MSGQUEUE as _),
    ("RLIMIT_NICE", libc::RLIMIT_NICE as _),
    ("RLIMIT_NOFILE", libc::RLIMIT_NOFILE as _),
    ("RLIMIT_NPROC", libc::RLIMIT_NPROC as _),
    ("RLIMIT_RSS", libc::RLIMIT_RSS as _),
    ("RLIMIT_RTPRIO", libc::RLIMIT_RTPRIO as _),
    ("RLIMIT_RTTIME", libc::RLIMIT_RTTIME as _),
    ("RLIMIT_SIGPENDING", libc::RLIMIT_SIGPENDING as _),
    ("RLIMIT_STACK", libc::RLIMIT_STACK as _),
];

/// Reads the list; an unknown or repeated type is an error.
pub(crate) fn plan(process: &Node<'_>) -> Result<Vec<Limit>> {
    let mut limits: Vec<Limit> = Vec::new();
    for entry in process.objects("rlimits")? {
        let kind = entry.required("type", entry.string("type")?)?;
        let Some(&(name, resource)) = RESOURCES.iter().find(|(name, _)| *name == kind) else {
            return Err(entry.error("type", format!("unknown resource limit {kind:?}")));
        };
        if limits.iter().any(|limit| limit.resource == resource) {
            return Err(entry.error("type", format!("a second {kind}")));
        }
        let soft = entry.required("soft", entry.integer("soft")?)?;
        let hard = entry.required("hard", entry.integer("hard")?)?;
        if soft > hard {
            return Err(entry.error("soft", format!("{soft} is above the hard limit of {hard}")));
        }
        limits.push(Limit {
            resource,
            name,
            soft,
            hard,
            pointer: entry.pointer(),
        });
    }
    Ok(limits)
}

/// Sets the limits of a process; 0 is this one.
pub(crate) fn apply(limits: &[Limit], pid: i32) -> Result<()> {
    limits.iter().try_for_each(|limit| {
        process::prlimit(pid, limit.resource, limit.soft, limit.hard)
            .call(|| {
                format!(
                    "prlimit({}, soft {}, hard {})",
                    limit.name, limit.soft, limit.hard
                )
            })
            .at(&limit.pointer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn types_are_known_and_listed_once() {
        let error = |list: Value| {
            plan(&Node::root(&json!({ "rlimits": list })).unwrap())
                .unwrap_err()
                .to_string()
        };
        let core = json!({"type": "RLIMIT_CORE", "soft": 1, "hard": 2});
        assert_eq!(
            error(json!([core, core])),
            "/rlimits/1/type: a second RLIMIT_CORE"
        );
        assert_eq!(
            error(json!([{"type": "RLIMIT_X", "soft": 1, "hard": 2}])),
            "/rlimits/0/type: unknown resource limit \"RLIMIT_X\""
        );
        assert_eq!(
            error(json!([{"type": "RLIMIT_CORE", "soft": 1}])),
            "/rlimits/0/hard: is required"
        );
        assert!(
            error(json!([{"type": "RLIMIT_CORE", "soft": 3, "hard": 2}]))
                .contains("above the hard limit")
        );
    }
}

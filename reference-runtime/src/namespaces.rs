//! `linux.namespaces`: which are new, which are joined by path, which are inherited.

use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::sys::files::{self, O_RDONLY, cwd};
use crate::sys::process::{
    self, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME,
    CLONE_NEWUSER, CLONE_NEWUTS,
};
use std::os::fd::{AsFd, OwnedFd};

/// The namespace types of the specification and their clone flags.
pub(crate) const TYPES: &[(&str, u64)] = &[
    ("pid", CLONE_NEWPID),
    ("network", CLONE_NEWNET),
    ("mount", CLONE_NEWNS),
    ("ipc", CLONE_NEWIPC),
    ("uts", CLONE_NEWUTS),
    ("user", CLONE_NEWUSER),
    ("cgroup", CLONE_NEWCGROUP),
    ("time", CLONE_NEWTIME),
];

/// What the container has of its own.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// The flags of the namespaces to make.
    pub(crate) new: u64,
    /// The existing namespaces to enter.
    pub(crate) joined: Vec<Joined>,
}

/// An existing namespace, opened and checked.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) kind: u64,
    pub(crate) path: String,
    pub(crate) pointer: String,
    pub(crate) file: OwnedFd,
}

impl Namespaces {
    /// Reads the property and opens every path, which is checked to be of its type.
    pub(crate) fn plan(linux: Option<&Node<'_>>) -> Result<Self> {
        let mut namespaces = Namespaces::default();
        let mut seen = 0;
        for entry in linux
            .map(|linux| linux.objects("namespaces"))
            .transpose()?
            .unwrap_or_default()
        {
            let name = entry.required("type", entry.string("type")?)?;
            let Some(&(_, kind)) = TYPES.iter().find(|(known, _)| *known == name) else {
                return Err(entry.error("type", format!("unknown namespace type {name:?}")));
            };
            if seen & kind != 0 {
                return Err(entry.error("type", format!("a second namespace of type {name:?}")));
            }
            seen |= kind;
            match entry.string("path")? {
                // Engines write an empty path for none.
                None | Some("") => namespaces.new |= kind,
                Some(path) => {
                    if let Some(joined) = open(path, name, kind, entry.pointer_to("path"))? {
                        namespaces.joined.push(joined);
                    }
                }
            }
        }
        // A mount namespace is entered last: it takes the paths of the host away.
        namespaces
            .joined
            .sort_by_key(|joined| joined.kind == CLONE_NEWNS);
        Ok(namespaces)
    }

    /// Whether the container has a namespace of this kind that is not the runtime's.
    pub(crate) fn own(&self, kind: u64) -> bool {
        self.new & kind != 0 || self.joins(kind)
    }

    /// Whether a namespace of this kind is joined.
    pub(crate) fn joins(&self, kind: u64) -> bool {
        self.joined.iter().any(|joined| joined.kind == kind)
    }
}

impl Joined {
    /// setns(2).
    pub(crate) fn enter(&self) -> Result<()> {
        process::setns(self.file.as_fd(), self.kind)
            .call(|| format!("setns({:?})", self.path))
            .at(&self.pointer)
    }
}

/// None for a namespace that the runtime is in already: the container inherits it (and a user
/// namespace the kernel does not let it enter again).
fn open(path: &str, name: &str, kind: u64, pointer: String) -> Result<Option<Joined>> {
    if !path.starts_with('/') {
        return Err(Error::new(format!("{path:?} is not absolute")).at(pointer));
    }
    let file = files::openat(cwd(), path.as_ref(), O_RDONLY | libc::O_NONBLOCK, 0)
        .call(|| format!("open({path:?}, O_RDONLY)"))
        .at(&pointer)?;
    match files::namespace_type(&file) {
        Ok(found) if found as u64 == kind => {}
        _ => {
            return Err(
                Error::new(format!("{path:?} is not a namespace of type {name:?}")).at(pointer),
            );
        }
    }
    let own = match kind {
        CLONE_NEWUSER => Some("/proc/self/ns/user"),
        // Or else "joined" would stand for "the container's own", and names and kernel
        // parameters of the host could be written.
        CLONE_NEWNET => Some("/proc/self/ns/net"),
        CLONE_NEWIPC => Some("/proc/self/ns/ipc"),
        CLONE_NEWUTS => Some("/proc/self/ns/uts"),
        _ => None,
    };
    if let Some(own) = own {
        let own = files::stat(own.as_ref()).call(|| format!("stat({own:?})"))?;
        let wanted = files::fstat(file.as_fd())
            .call(|| format!("fstat({path:?})"))
            .at(&pointer)?;
        if (own.st_dev, own.st_ino) == (wanted.st_dev, wanted.st_ino) {
            return Ok(None);
        }
    }
    Ok(Some(Joined {
        kind,
        path: path.to_owned(),
        pointer,
        file,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(namespaces: Value) -> Result<Namespaces> {
        let linux = json!({ "namespaces": namespaces });
        Namespaces::plan(Some(&Node::root(&linux).unwrap()))
    }

    #[test]
    fn types_are_known_unique_and_checked() {
        assert_eq!(
            plan(json!([{"type": "pid"}, {"type": "uts"}])).unwrap().new,
            CLONE_NEWPID | CLONE_NEWUTS
        );
        let error = |namespaces| plan(namespaces).unwrap_err().to_string();
        assert_eq!(
            error(json!([{"type": "pid"}, {"type": "pid"}])),
            "/namespaces/1/type: a second namespace of type \"pid\""
        );
        assert_eq!(
            error(json!([{"type": "net"}])),
            "/namespaces/0/type: unknown namespace type \"net\""
        );
        assert_eq!(error(json!([{}])), "/namespaces/0/type: is required");
        assert_eq!(
            error(json!([{"type": "uts", "path": "/proc/self/ns/ipc"}])),
            "/namespaces/0/path: \"/proc/self/ns/ipc\" is not a namespace of type \"uts\""
        );
        assert!(
            error(json!([{"type": "uts", "path": "/dev/null"}])).contains("is not a namespace")
        );
        assert!(
            error(json!([{"type": "uts", "path": "proc/self/ns/uts"}])).contains("is not absolute")
        );
    }

    #[test]
    fn the_runtimes_own_namespaces_are_inherited() {
        for (name, file, kind) in [
            ("user", "user", CLONE_NEWUSER),
            ("network", "net", CLONE_NEWNET),
        ] {
            let path = format!("/proc/self/ns/{file}");
            let namespaces = plan(json!([{"type": name, "path": path}])).unwrap();
            assert!(!namespaces.own(kind), "{name}");
        }
        let joined = plan(json!([{"type": "pid", "path": "/proc/self/ns/pid"}])).unwrap();
        assert!(joined.joins(CLONE_NEWPID));
    }
}

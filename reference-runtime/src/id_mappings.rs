//! `linux.uidMappings` and `linux.gidMappings`: read, and written for a process
//! in a new user namespace.

use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::hooks::Program;
use crate::sys::credentials;
use std::fmt::Write as _;
use std::fs;

/// One line of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) container: u32,
    pub(crate) host: u32,
    pub(crate) size: u32,
}

/// The two maps of a user namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mappings {
    pub(crate) uid: Vec<Mapping>,
    pub(crate) gid: Vec<Mapping>,
}

impl Mappings {
    /// Reads `uidMappings` and `gidMappings` of an object.
    pub(crate) fn plan(node: &Node<'_>) -> Result<Self> {
        Ok(Mappings {
            uid: read(node, "uidMappings")?,
            gid: read(node, "gidMappings")?,
        })
    }

    /// Whether neither map has a line.
    pub(crate) fn is_empty(&self) -> bool {
        self.uid.is_empty() && self.gid.is_empty()
    }

    /// The only maps that the kernel lets a caller without privilege write: root of the
    /// namespace is the caller.
    pub(crate) fn of_caller() -> Self {
        let only = |host| {
            vec![Mapping {
                container: 0,
                host,
                size: 1,
            }]
        };
        Mappings {
            uid: only(credentials::effective_uid()),
            gid: only(credentials::effective_gid()),
        }
    }

    /// Whether a user of the namespace is somebody.
    pub(crate) fn has_uid(&self, id: u32) -> bool {
        has(&self.uid, id)
    }

    /// Whether a group of the namespace is one.
    pub(crate) fn has_gid(&self, id: u32) -> bool {
        has(&self.gid, id)
    }

    /// Whether id 0 exists in the namespace, for users and for groups.
    pub(crate) fn map_root(&self) -> bool {
        self.has_uid(0) && self.has_gid(0)
    }

    /// Writes both maps for a process in a new user namespace.
    ///
    /// The kernel lets a caller without privilege map only itself; more goes
    /// through newuidmap(1) and newgidmap(1), which have the privilege.
    pub(crate) fn write(&self, pid: i32) -> Result<()> {
        self.write_map(pid, "uid_map", "newuidmap", &self.uid, "/linux/uidMappings")?;
        self.write_map(pid, "gid_map", "newgidmap", &self.gid, "/linux/gidMappings")
    }

    fn write_map(
        &self,
        pid: i32,
        file: &str,
        helper: &str,
        maps: &[Mapping],
        pointer: &str,
    ) -> Result<()> {
        if maps.is_empty() {
            return Ok(());
        }
        let path = format!("/proc/{pid}/{file}");
        let text = lines(maps);
        let Err(refusal) = fs::write(&path, &text) else {
            return Ok(());
        };
        if refusal.raw_os_error() != Some(libc::EPERM) || credentials::effective_uid() == 0 {
            return Err(Error::call(format!("write({path:?}, {text:?})"), &refusal).at(pointer));
        }
        // A single mapping of the own group is allowed once setgroups(2) is given up.
        let own_gid = credentials::effective_gid();
        if file == "gid_map" && matches!(maps, [only] if only.size == 1 && only.host == own_gid) {
            let setgroups = format!("/proc/{pid}/setgroups");
            fs::write(&setgroups, "deny")
                .call(|| format!("write({setgroups:?}, \"deny\")"))
                .at(pointer)?;
            return fs::write(&path, &text)
                .call(|| format!("write({path:?}, {text:?})"))
                .at(pointer);
        }
        let arguments =
            [helper.to_owned(), pid.to_string()]
                .into_iter()
                .chain(maps.iter().flat_map(|m| {
                    [
                        m.container.to_string(),
                        m.host.to_string(),
                        m.size.to_string(),
                    ]
                }));
        Program::find(helper, arguments)?.run(b"").at(pointer)
    }
}

fn has(maps: &[Mapping], id: u32) -> bool {
    maps.iter()
        .any(|map| id >= map.container && id - map.container < map.size)
}

/// The text of a map file.
pub(crate) fn lines(maps: &[Mapping]) -> String {
    let mut text = String::new();
    for map in maps {
        let _ = writeln!(text, "{} {} {}", map.container, map.host, map.size);
    }
    text
}

fn read(node: &Node<'_>, name: &str) -> Result<Vec<Mapping>> {
    node.objects(name)?
        .iter()
        .map(|entry| {
            let number = |field| entry.required(field, entry.integer::<u32>(field)?);
            Ok(Mapping {
                container: number("containerID")?,
                host: number("hostID")?,
                size: number("size")?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_number_is_required() {
        let linux = json!({"uidMappings": [{"containerID": 0, "hostID": 1000, "size": 2}], "gidMappings": [{"containerID": 0}]});
        let node = Node::root(&linux).unwrap();
        assert_eq!(
            read(&node, "uidMappings").unwrap(),
            [Mapping {
                container: 0,
                host: 1000,
                size: 2
            }]
        );
        assert_eq!(
            read(&node, "gidMappings").unwrap_err().to_string(),
            "/gidMappings/0/hostID: is required"
        );
        let maps = Mappings {
            uid: read(&node, "uidMappings").unwrap(),
            gid: Vec::new(),
        };
        assert!(maps.has_uid(0) && maps.has_uid(1) && !maps.has_uid(2) && !maps.has_gid(0));
        assert_eq!(lines(&read(&node, "uidMappings").unwrap()), "0 1000 2\n");
    }
}

//! `linux.mountLabel`: the context that SELinux gives to the files of a mount.
//!
//! A filesystem that is mounted for the container takes it as an option. What is
//! bound keeps the labels that it has on the host; the filesystems of the kernel
//! have labels of their own, by its policy.

use super::Mount;
use crate::error::{CallContext, Result};
use crate::procfs::Procfs;
use crate::sys::files;
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;

/// Filesystems that take no such option, or that are the host's and have its labels.
const KERNELS_OWN: &[&str] = &["proc", "sysfs", "cgroup", "cgroup2"];
/// Takes no option either, but its root can be labelled.
const BY_ATTRIBUTE: &str = "mqueue";

/// Adds the label to a mount that takes it and names none.
pub(crate) fn give(mount: &mut Mount, label: &str) {
    let options = &mut mount.options;
    let named = options
        .data
        .iter()
        .any(|option| option.contains("context="));
    if options.bind.is_some() || options.remount || named {
        return;
    }
    match mount.kind.as_str() {
        kind if KERNELS_OWN.contains(&kind) => {}
        BY_ATTRIBUTE => mount.root_label = Some(label.to_owned()),
        _ => options.data.push(format!("context={label}")),
    }
}

/// Labels the root of a mount.
pub(crate) fn set(root: BorrowedFd<'_>, label: &str, procfs: &Procfs) -> Result<()> {
    let name = "security.selinux";
    let mut value = label.as_bytes().to_vec();
    value.push(0);
    procfs
        .with_path(root, |path: &OsStr| {
            files::set_attribute(path, name, &value)
        })
        .call(|| format!("setxattr({name:?}, {label:?})"))
}

/// The options as one string, in which a comma of a label must not end it.
pub(crate) fn join(data: &[String]) -> String {
    let quoted = |option: &String| match option.split_once('=') {
        Some((name, label)) if name.ends_with("context") && label.contains(',') => {
            format!("{name}=\"{}\"", label.trim_matches('"'))
        }
        _ => option.clone(),
    };
    data.iter().map(quoted).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Node;
    use serde_json::{Value, json};
    use std::path::Path;

    const LABEL: &str = "system_u:object_r:container_file_t:s0:c1,c2";

    fn plan(entry: Value) -> Mount {
        let config = json!({ "mounts": [entry] });
        let node = Node::root(&config).unwrap();
        let mounts = super::super::plan(&node, Path::new("/b"), None, Some(LABEL));
        mounts.unwrap().remove(0)
    }

    #[test]
    fn whoever_takes_an_option_gets_it_once() {
        let entry = |kind: &str, options: Value| {
            plan(json!({"destination": "/x", "source": "x", "type": kind, "options": options}))
        };
        let tmpfs = entry("tmpfs", json!(["size=1k"]));
        assert_eq!(
            tmpfs.options.data,
            ["size=1k".to_owned(), format!("context={LABEL}")]
        );
        assert_eq!(
            join(&tmpfs.options.data),
            format!("size=1k,context=\"{LABEL}\"")
        );
        let named = entry("tmpfs", json!(["rootcontext=a:b:c"]));
        assert_eq!(named.options.data, ["rootcontext=a:b:c"]);
        for (kind, options) in [
            ("proc", json!([])),
            ("none", json!(["bind"])),
            ("cgroup", json!([])),
        ] {
            let mount = entry(kind, options);
            assert!(
                mount.options.data.is_empty() && mount.root_label.is_none(),
                "{kind}"
            );
        }
        assert_eq!(
            entry("mqueue", json!([])).root_label.as_deref(),
            Some(LABEL)
        );
    }
}

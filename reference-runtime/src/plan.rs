//! Everything that can be decided before the first side effect: the configuration, as data.

use crate::cgroup;
use crate::devices::{self, Device};
use crate::document::Node;
use crate::error::{Error, Result};
use crate::hooks::Hooks;
use crate::id_mappings::Mappings;
use crate::intel_rdt::IntelRdt;
use crate::memory_policy::MemoryPolicy;
use crate::mounts::{self, Mount};
use crate::namespaces::Namespaces;
use crate::net_devices::{self, NetDevice};
use crate::process::Process;
use crate::seccomp::Seccomp;
use crate::sys::credentials;
use crate::sys::process::{CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWUTS};
use crate::sysctl::{self, Sysctl};
use crate::{paths, personality, time_offsets};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What `create` will do.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rootfs: PathBuf,
    pub(crate) root_readonly: bool,
    /// A propagation flag of mount(2).
    pub(crate) root_propagation: Option<u64>,
    pub(crate) namespaces: Namespaces,
    /// The maps of a new user namespace.
    pub(crate) mappings: Mappings,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) devices: Vec<Device>,
    pub(crate) net_devices: Vec<NetDevice>,
    pub(crate) masked_paths: Vec<String>,
    pub(crate) readonly_paths: Vec<String>,
    pub(crate) sysctls: Vec<Sysctl>,
    pub(crate) hostname: Option<String>,
    pub(crate) domainname: Option<String>,
    pub(crate) time_offsets: String,
    pub(crate) personality: Option<u64>,
    pub(crate) memory_policy: Option<MemoryPolicy>,
    pub(crate) seccomp: Option<Seccomp>,
    pub(crate) cgroup: cgroup::Plan,
    pub(crate) intel_rdt: Option<IntelRdt>,
    pub(crate) process: Option<Process>,
    pub(crate) hooks: Hooks,
    /// The property as it stands, for the commands that come later.
    pub(crate) hooks_document: Value,
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

impl Plan {
    /// Reads the configuration of a bundle for a container of this id.
    pub(crate) fn new(
        config: &Node<'_>,
        bundle: &Path,
        id: &str,
        resctrl: Option<&Path>,
    ) -> Result<Self> {
        let version = check_version(config)?;
        let linux = config.object("linux")?;
        let linux = linux.as_ref();
        let label = plan_mount_label(linux)?;
        let namespaces = Namespaces::plan(linux)?;
        let mappings = plan_mappings(linux, &namespaces)?;
        let user_mappings = namespaces.own(CLONE_NEWUSER).then_some(&mappings);
        let (rootfs, root_readonly) = plan_root(config, bundle)?;
        let listed_devices = devices::plan(linux)?;
        Ok(Plan {
            rootfs,
            root_readonly,
            root_propagation: plan_propagation(linux)?,
            mounts: mounts::plan(config, bundle, user_mappings, label)?,
            devices: listed_devices.clone(),
            net_devices: net_devices::plan(linux, &namespaces)?,
            masked_paths: paths::plan(linux, "maskedPaths")?,
            readonly_paths: paths::plan(linux, "readonlyPaths")?,
            sysctls: sysctl::plan(linux, &namespaces)?,
            hostname: plan_name(config, "hostname", &namespaces)?,
            domainname: plan_name(config, "domainname", &namespaces)?,
            time_offsets: time_offsets::plan(linux, &namespaces)?,
            personality: personality::plan(linux)?,
            memory_policy: MemoryPolicy::plan(linux)?,
            seccomp: Seccomp::plan(linux)?,
            cgroup: cgroup::Plan::new(linux, &listed_devices, id)?,
            intel_rdt: IntelRdt::plan(linux, id, resctrl, version)?,
            process: plan_process(config, user_mappings)?,
            hooks: Hooks::plan(config)?,
            hooks_document: kept_hooks(config),
            annotations: plan_annotations(config)?,
            mappings,
            namespaces,
        })
    }

    /// Whether the container has a new mount namespace, so that its root can be pivoted.
    pub(crate) fn own_mounts(&self) -> bool {
        self.namespaces.new & CLONE_NEWNS != 0
    }

    /// Whether the container has a user namespace, where nobody can make device nodes.
    pub(crate) fn in_user_namespace(&self) -> bool {
        self.namespaces.own(CLONE_NEWUSER)
    }
}

/// The version is SemVer and of the major version that this runtime implements. Its first two numbers.
fn check_version(config: &Node<'_>) -> Result<(u64, u64)> {
    let version = config.required("ociVersion", config.string("ociVersion")?)?;
    match semver_major(version) {
        Some(1) => {
            let minor = version.split('.').nth(1);
            // A number too large for this is that of a newer version than any.
            Ok((
                1,
                minor
                    .and_then(|minor| minor.parse().ok())
                    .unwrap_or(u64::MAX),
            ))
        }
        Some(_) => Err(config.error(
            "ociVersion",
            format!("version {version:?} is not of the major version 1"),
        )),
        None => Err(config.error(
            "ociVersion",
            format!("{version:?} is not a version in SemVer 2.0.0 format"),
        )),
    }
}

/// The major number of a SemVer 2.0.0 version; None if it is none.
fn semver_major(version: &str) -> Option<u64> {
    let identifiers = |text: &str, numbers_are_plain: bool| {
        text.split('.').all(|part| {
            let known = !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let number = part.bytes().all(|byte| byte.is_ascii_digit());
            known && !(numbers_are_plain && number && part.len() > 1 && part.starts_with('0'))
        })
    };
    let (rest, build) = version
        .split_once('+')
        .map_or((version, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = rest
        .split_once('-')
        .map_or((rest, None), |(core, pre)| (core, Some(pre)));
    if build.is_some_and(|build| !identifiers(build, false))
        || pre.is_some_and(|pre| !identifiers(pre, true))
    {
        return None;
    }
    let plain = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits && (part == "0" || !part.starts_with('0'))
    };
    let parts: Vec<&str> = core.split('.').collect();
    if parts.len() != 3 || !parts.iter().all(|part| plain(part)) {
        return None;
    }
    parts[0].parse().ok()
}

/// The label is given to the filesystems that are mounted for the container, which only SELinux can.
fn plan_mount_label<'a>(linux: Option<&Node<'a>>) -> Result<Option<&'a str>> {
    let Some(linux) = linux else { return Ok(None) };
    let label = linux
        .string("mountLabel")?
        .filter(|label| !label.is_empty());
    if label.is_some() && !Path::new("/sys/fs/selinux/enforce").exists() {
        return Err(linux.error(
            "mountLabel",
            "SELinux is not enabled on this host: it needs a kernel with CONFIG_SECURITY_SELINUX, booted with it",
        ));
    }
    if label.is_some_and(|label| label.contains(['"', '\0', '\n'])) {
        return Err(linux.error("mountLabel", "is not a context of SELinux"));
    }
    Ok(label)
}

fn plan_root(config: &Node<'_>, bundle: &Path) -> Result<(PathBuf, bool)> {
    let root = config.required("root", config.object("root")?)?;
    let path = root.required("path", root.string("path")?)?;
    let rootfs = bundle.join(path);
    match std::fs::metadata(&rootfs) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(root.error("path", format!("{rootfs:?} is not a directory"))),
        Err(error) => {
            return Err(
                Error::call(format!("stat({rootfs:?})"), &error).at(root.pointer_to("path"))
            );
        }
    }
    Ok((rootfs, root.boolean("readonly")?.unwrap_or(false)))
}

fn plan_propagation(linux: Option<&Node<'_>>) -> Result<Option<u64>> {
    let Some(linux) = linux else { return Ok(None) };
    match linux.string("rootfsPropagation")? {
        None | Some("") => Ok(None),
        // At a single mount, the recursive forms mean the same.
        Some("shared" | "rshared") => Ok(Some(libc::MS_SHARED)),
        Some("slave" | "rslave") => Ok(Some(libc::MS_SLAVE)),
        Some("private" | "rprivate") => Ok(Some(libc::MS_PRIVATE)),
        Some("unbindable" | "runbindable") => Ok(Some(libc::MS_UNBINDABLE)),
        Some(other) => Err(linux.error(
            "rootfsPropagation",
            format!("unknown propagation type {other:?}"),
        )),
    }
}

fn plan_mappings(linux: Option<&Node<'_>>, namespaces: &Namespaces) -> Result<Mappings> {
    let Some(linux) = linux else {
        return Ok(Mappings::default());
    };
    let mappings = Mappings::plan(linux)?;
    if !mappings.is_empty() && !namespaces.own(CLONE_NEWUSER) {
        let name = if mappings.uid.is_empty() {
            "gidMappings"
        } else {
            "uidMappings"
        };
        return Err(linux.error(name, "needs a user namespace of the container's own"));
    }
    if namespaces.new & CLONE_NEWUSER == 0 {
        return Ok(mappings);
    }
    // Where nobody is somebody, no file can be made and no program run.
    match (mappings.uid.is_empty(), mappings.gid.is_empty()) {
        (true, true) if credentials::effective_uid() != 0 => Ok(Mappings::of_caller()),
        (true, _) => Err(linux.error("uidMappings", "is required for a new user namespace")),
        (_, true) => Err(linux.error("gidMappings", "is required for a new user namespace")),
        _ => Ok(mappings),
    }
}

/// The process, whose ids must be in the maps of the user namespace, as far as those are known.
fn plan_process(config: &Node<'_>, mappings: Option<&Mappings>) -> Result<Option<Process>> {
    let Some(process) = config.object("process")? else {
        return Ok(None);
    };
    let plan = Process::plan(&process)?;
    if let Some(mappings) = mappings.filter(|mappings| !mappings.is_empty()) {
        let user = process.required("user", process.object("user")?)?;
        let unmapped =
            |name, id, maps| user.error(name, format!("{id} is not mapped by /linux/{maps}"));
        if !mappings.has_uid(plan.user.uid) {
            return Err(unmapped("uid", plan.user.uid, "uidMappings"));
        }
        if !mappings.has_gid(plan.user.gid) {
            return Err(unmapped("gid", plan.user.gid, "gidMappings"));
        }
        let additional = &plan.user.additional_gids;
        if let Some(&id) = additional.iter().find(|id| !mappings.has_gid(**id)) {
            return Err(unmapped("additionalGids", id, "gidMappings"));
        }
    }
    Ok(Some(plan))
}

/// A name is never set in the runtime's own UTS namespace: it would be the host's.
fn plan_name(config: &Node<'_>, name: &str, namespaces: &Namespaces) -> Result<Option<String>> {
    let Some(value) = config.string(name)?.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    if !namespaces.own(CLONE_NEWUTS) {
        return Err(config.error(name, "needs a uts namespace of the container's own"));
    }
    if value.len() > 64 {
        return Err(config.error(name, format!("{value:?} is longer than 64 bytes")));
    }
    Ok(Some(value.to_owned()))
}

fn plan_annotations(config: &Node<'_>) -> Result<Option<BTreeMap<String, String>>> {
    if !config.has("annotations") {
        return Ok(None);
    }
    let mut annotations = BTreeMap::new();
    for (key, value) in config.string_map("annotations")? {
        if key.is_empty() {
            return Err(config.error("annotations", "a key is empty"));
        }
        annotations.insert(key.to_owned(), value.to_owned());
    }
    Ok(Some(annotations))
}

fn kept_hooks(config: &Node<'_>) -> Value {
    let Some(Value::Object(mut hooks)) = config.copy("hooks") else {
        return Value::Null;
    };
    let kept: serde_json::Map<String, Value> = ["poststart", "poststop"]
        .into_iter()
        .filter_map(|name| hooks.remove(name).map(|list| (name.to_owned(), list)))
        .collect();
    if kept.is_empty() {
        Value::Null
    } else {
        Value::Object(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn versions_are_semver() {
        for (version, major) in [
            ("1.0.2-dev", 1),
            ("1.3.0", 1),
            ("0.2.0", 0),
            ("1.0.0-rc.1+b.01", 1),
            ("2.0.0", 2),
        ] {
            assert_eq!(semver_major(version), Some(major), "{version}");
        }
        for version in [
            "", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.x",
            "1..0",
        ] {
            assert_eq!(semver_major(version), None, "{version}");
        }
    }

    #[test]
    fn only_later_hooks_are_kept() {
        let config = json!({"hooks": {"prestart": [], "poststop": [{"path": "/x"}]}});
        assert_eq!(
            kept_hooks(&Node::root(&config).unwrap()),
            json!({"poststop": [{"path": "/x"}]})
        );
        assert_eq!(kept_hooks(&Node::root(&json!({})).unwrap()), Value::Null);
    }
}

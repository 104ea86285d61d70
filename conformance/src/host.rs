//! What this host can do, and which need of a case it does not meet.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::case::Need;
use crate::results::HostFacts;

/// Facts about the host, found once a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Host {
    /// `uname -r`.
    pub kernel: String,
    /// `uname -m`.
    pub machine: String,
    /// `/proc/sys/kernel/random/boot_id`: tells a shared kernel from one that the subject brings.
    pub boot_id: String,
    /// Effective uid and gid of the harness.
    pub ids: (u32, u32),
    /// Mounted cgroup hierarchies as a subject will see them.
    pub cgroups: Vec<Hierarchy>,
    /// Effective capabilities, by name.
    pub capabilities: BTreeSet<String>,
    /// Namespace types that the kernel has, as in `/proc/self/ns`.
    pub namespaces: BTreeSet<String>,
    /// File system types of `/proc/filesystems`.
    pub filesystems: BTreeSet<String>,
    /// How many ids this process may map into a new user namespace.
    pub mappable_ids: u64,
    /// `--host-view`.
    pub view: View,
}

/// A mounted cgroup hierarchy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Whether it is the v2 hierarchy.
    pub unified: bool,
    /// v1: its controllers (`name=systemd` among them); v2: `cgroup.controllers` at its root.
    pub controllers: Vec<String>,
    /// Whether it is mounted read-only.
    pub readonly: bool,
}

/// `--host-view`: what of the host a subject sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// The host as it is.
    Host,
    /// A pure cgroup v1 host: a v2 hierarchy that is mounted beside v1 ones is hidden.
    V1,
}

impl Host {
    /// Looks at the host.
    pub fn look(view: View) -> Host {
        let uname = nix::sys::utsname::uname().ok();
        let name = |part: Option<&std::ffi::OsStr>| {
            part.map_or_else(String::new, |text| text.to_string_lossy().into_owned())
        };
        let mut cgroups = hierarchies(&read("/proc/self/mountinfo"));
        if view == View::V1 {
            let has_v1 = cgroups.iter().any(|hierarchy| !hierarchy.unified);
            cgroups.retain(|hierarchy| !has_v1 || !hierarchy.unified);
        }
        Host {
            kernel: name(uname.as_ref().map(|uname| uname.release())),
            machine: name(uname.as_ref().map(|uname| uname.machine())),
            boot_id: read("/proc/sys/kernel/random/boot_id").trim().to_owned(),
            ids: (
                nix::unistd::geteuid().as_raw(),
                nix::unistd::getegid().as_raw(),
            ),
            cgroups,
            capabilities: effective_capabilities(&read("/proc/self/status")),
            namespaces: names_in(Path::new("/proc/self/ns")),
            filesystems: read("/proc/filesystems")
                .lines()
                .filter_map(|line| line.split_whitespace().last().map(str::to_owned))
                .collect(),
            mappable_ids: mappable(&read("/proc/self/uid_map")),
            view,
        }
    }

    /// Whether the harness has root's privileges.
    pub fn root(&self) -> bool {
        self.ids.0 == 0 && self.capabilities.contains("CAP_SYS_ADMIN")
    }

    /// `v1`, `v2`, `hybrid` (v2 beside v1) or `none`.
    pub fn cgroup(&self) -> &'static str {
        let unified = self.cgroups.iter().any(|hierarchy| hierarchy.unified);
        let v1 = self.cgroups.iter().any(|hierarchy| !hierarchy.unified);
        match (v1, unified) {
            (true, true) => "hybrid",
            (true, false) => "v1",
            (false, true) => "v2",
            (false, false) => "none",
        }
    }

    /// The facts that go into the results file.
    pub fn facts(&self) -> HostFacts {
        let mut notes = Vec::new();
        if self.view == View::V1 {
            notes.push("host view v1: the cgroup v2 hierarchy is hidden from the subjects".into());
        }
        if self.root() && !self.capabilities.contains("CAP_SYS_RESOURCE") {
            notes.push(
                "root without CAP_SYS_RESOURCE: hard limits cannot be raised, oom_score_adj \
                 cannot be lowered"
                    .into(),
            );
        }
        HostFacts {
            kernel: self.kernel.clone(),
            machine: self.machine.clone(),
            cgroup: self.cgroup().into(),
            root: self.root(),
            notes,
        }
    }

    /// The hierarchy in which a controller's files are, v1 before v2, if it is writable.
    pub fn controller(&self, name: &str) -> Option<&Hierarchy> {
        self.cgroups
            .iter()
            .filter(|hierarchy| !hierarchy.readonly)
            .filter(|hierarchy| hierarchy.controllers.iter().any(|c| c == name))
            .min_by_key(|hierarchy| hierarchy.unified)
    }

    /// Whether the host meets a need; needs of the subject are not the host's affair and count as
    /// met here.
    pub fn meets(&self, need: Need) -> bool {
        match need {
            Need::Root => self.root(),
            Need::Namespace(kind) => self.namespaces.contains(kind),
            Need::UserMappings => {
                self.namespaces.contains("user") && self.root() && self.mappable_ids > 165_536
            }
            Need::CgroupV1(name) => {
                self.root() && self.controller(name).is_some_and(|found| !found.unified)
            }
            Need::CgroupV2(name) => {
                self.root() && self.controller(name).is_some_and(|found| found.unified)
            }
            Need::Controller(name) => self.root() && self.controller(name).is_some(),
            Need::Kernel(major, minor) => kernel_version(&self.kernel) >= (major, minor),
            Need::CapSysResource => self.capabilities.contains("CAP_SYS_RESOURCE"),
            Need::Capability(name) => self.capabilities.contains(name),
            Need::Path(path) => Path::new(path).exists(),
            Need::FileSystem(name) => self.filesystems.contains(name),
            Need::AppArmorProfile(name) => apparmor_profile_is_loaded(
                &read("/sys/module/apparmor/parameters/enabled"),
                &read("/sys/kernel/security/apparmor/profiles"),
                name,
            ),
            Need::IdmappedMounts => self.root() && kernel_version(&self.kernel) >= (5, 12),
            Need::SharedKernel | Need::StateRoot | Need::Features | Need::Command(_) => true,
        }
    }
}

/// Kernel release to (major, minor); what does not parse is 0.
pub fn kernel_version(release: &str) -> (u32, u32) {
    let mut parts = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// A file's text, empty if it cannot be read: absent facts are absent, not errors.
pub fn read(path: impl AsRef<Path>) -> String {
    std::fs::read(path).map_or_else(
        |_| String::new(),
        |raw| String::from_utf8_lossy(&raw).into_owned(),
    )
}

fn names_in(directory: &Path) -> BTreeSet<String> {
    std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// `profiles` has a line `name (mode)` for each.
fn apparmor_profile_is_loaded(enabled: &str, profiles: &str, name: &str) -> bool {
    let mut names = profiles
        .lines()
        .filter_map(|line| line.rsplit_once(" ("))
        .map(|(name, _)| name);
    enabled.starts_with('Y') && names.any(|loaded| loaded == name)
}

/// Sum of the sizes in a `/proc/PID/uid_map`.
fn mappable(uid_map: &str) -> u64 {
    uid_map
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok())
        .sum()
}

fn hierarchies(mountinfo: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else {
            continue;
        };
        let mut after = after.split(' ');
        let (kind, super_options) = (after.next().unwrap_or(""), after.nth(1).unwrap_or(""));
        let mut before = before.split(' ');
        let (mount_point, options) = (before.nth(4).unwrap_or(""), before.next().unwrap_or(""));
        let unified = match kind {
            "cgroup" => false,
            "cgroup2" => true,
            _ => continue,
        };
        let mount_point = PathBuf::from(mount_point.replace("\\040", " "));
        let controllers = if unified {
            read(mount_point.join("cgroup.controllers"))
                .split_whitespace()
                .map(str::to_owned)
                .collect()
        } else {
            let is_flag = |option: &&str| {
                !matches!(
                    *option,
                    "rw" | "ro" | "xattr" | "noprefix" | "clone_children" | "none"
                ) && !option.starts_with("release_agent=")
            };
            super_options
                .split(',')
                .filter(is_flag)
                .map(str::to_owned)
                .collect()
        };
        let readonly = options.split(',').any(|option| option == "ro");
        if !found.iter().any(|known| known.mount_point == mount_point) {
            found.push(Hierarchy {
                mount_point,
                unified,
                controllers,
                readonly,
            });
        }
    }
    found
}

fn effective_capabilities(status: &str) -> BTreeSet<String> {
    let bits = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0);
    CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(number, _)| bits & (1 << number) != 0)
        .map(|(_, name)| (*name).to_owned())
        .collect()
}

/// Names of capabilities(7) by number.
pub const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_told_apart() {
        let text = "\
30 24 0:26 / /sys/fs/cgroup/pids rw,nosuid shared:9 - cgroup cgroup rw,pids
31 24 0:27 / /sys/fs/cgroup/cpu ro,nosuid - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / /nowhere/unified rw - cgroup2 cgroup2 rw,nsdelegate
33 24 0:29 / /proc rw - proc proc rw";
        let found = hierarchies(text);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].controllers, ["pids"]);
        assert_eq!(found[1].controllers, ["cpu", "cpuacct"]);
        assert!(found[1].readonly && !found[0].readonly);
        assert!(found[2].unified && !found[0].unified);
    }

    #[test]
    fn a_loaded_profile_has_its_whole_name_in_the_list() {
        let list = "/usr/bin/man (enforce)\nlane-confined (complain)\n";
        assert!(apparmor_profile_is_loaded("Y\n", list, "lane-confined"));
        assert!(!apparmor_profile_is_loaded("Y\n", list, "confined"));
        assert!(!apparmor_profile_is_loaded("N\n", list, "lane-confined"));
        assert!(!apparmor_profile_is_loaded("", "", "lane-confined"));
    }

    #[test]
    fn kernel_releases_compare_by_number() {
        assert_eq!(kernel_version("6.1.0-13-amd64"), (6, 1));
        assert_eq!(kernel_version("6.18"), (6, 18));
        assert!(kernel_version("6.10.3") > kernel_version("6.9"));
        assert_eq!(kernel_version("odd"), (0, 0));
    }

    #[test]
    fn capability_bits_become_names() {
        let names = effective_capabilities("CapEff:\t0000000000200001\n");
        assert_eq!(
            names.into_iter().collect::<Vec<_>>(),
            ["CAP_CHOWN", "CAP_SYS_ADMIN"]
        );
    }
}

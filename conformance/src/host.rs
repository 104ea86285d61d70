//! What this host can do, and which need of a case it does not meet.

pub(crate) mod abilities;

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
    /// Namespace types that can be made, named as in `/proc/self/ns`.
    pub namespaces: BTreeSet<String>,
    /// Whether this is the user namespace that the kernel started with: many privileges count
    /// nowhere else.
    pub initial_user_namespace: bool,
    /// What keeps every runtime from making a container here, if so.
    pub hindrance: Option<String>,
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
    /// Which of its groups is at the mount point: the topmost one, unless a container is around this.
    pub root: PathBuf,
    /// Whether it is the v2 hierarchy.
    pub unified: bool,
    /// v1: its controllers (`name=systemd` among them); v2: `cgroup.controllers` at its root.
    pub controllers: Vec<String>,
    /// Whether groups can be made in it.
    pub writable: bool,
    /// v1, the controller `devices`: whether every device may be allowed in it.
    pub allows_all_devices: bool,
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
        for hierarchy in &mut cgroups {
            hierarchy.writable &= may_write(&hierarchy.mount_point);
            let rules = read(hierarchy.mount_point.join("devices.list"));
            hierarchy.allows_all_devices = rules.trim() == "a *:* rwm";
        }
        let mut host = Host {
            kernel: name(uname.as_ref().map(|uname| uname.release())),
            machine: name(uname.as_ref().map(|uname| uname.machine())),
            boot_id: read("/proc/sys/kernel/random/boot_id").trim().to_owned(),
            ids: (
                nix::unistd::geteuid().as_raw(),
                nix::unistd::getegid().as_raw(),
            ),
            cgroups,
            capabilities: effective_capabilities(&read("/proc/self/status")),
            namespaces: abilities::namespaces(),
            initial_user_namespace: std::fs::read_link("/proc/self/ns/user")
                .is_ok_and(|link| link == Path::new(INITIAL_USER_NAMESPACE)),
            hindrance: None,
            filesystems: read("/proc/filesystems")
                .lines()
                .filter_map(|line| line.split_whitespace().last().map(str::to_owned))
                .collect(),
            mappable_ids: mappable(&read("/proc/self/uid_map")),
            view,
        };
        host.hindrance = host.look_for_hindrance();
        host
    }

    fn look_for_hindrance(&self) -> Option<String> {
        if let Some(hindrance) = abilities::hindrance(self.root()) {
            return Some(hindrance.to_owned());
        }
        if self.root() && !self.meets(Need::Capability("CAP_MKNOD")) {
            return Some(
                "CAP_MKNOD where it counts: without it there are no device nodes to be made, and no \
                 rules for devices in other user namespaces than the host's"
                    .to_owned(),
            );
        }
        // Many runtimes make cgroups for every container if they are root's, and fail if they cannot.
        (self.root() && !self.makes_cgroups()).then(|| "a cgroup hierarchy to write to".to_owned())
    }

    /// Whether the harness has root's privileges: else containers are made in a user namespace.
    pub fn root(&self) -> bool {
        self.ids.0 == 0 && self.lacks_of_root().is_empty()
    }

    /// The capabilities without which no runtime does what cases ask of it, and that are lacking.
    pub fn lacks_of_root(&self) -> Vec<&'static str> {
        let lacks = |name: &&&str| !self.capabilities.contains(**name);
        OF_ROOT.iter().filter(lacks).copied().collect()
    }

    /// Whether containers can be given cgroups.
    pub fn makes_cgroups(&self) -> bool {
        self.root() && self.cgroups.iter().any(|hierarchy| hierarchy.writable)
    }

    /// Whether `linux.resources.devices` can be put in force: by the v1 controller, or in a pure v2
    /// host by programs. Neither takes them from another user namespace than the initial one.
    pub fn takes_device_rules(&self) -> bool {
        let v1 = self.controller("devices");
        let takes = match v1 {
            Some(hierarchy) => hierarchy.allows_all_devices,
            None => self.cgroup() == "v2" && self.makes_cgroups(),
        };
        self.root() && self.initial_user_namespace && takes
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
            .filter(|hierarchy| hierarchy.writable)
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
            Need::CapSysResource => self.meets(Need::Capability("CAP_SYS_RESOURCE")),
            Need::Capability(name) if OF_THE_INITIAL_NAMESPACE.contains(&name) => {
                self.capabilities.contains(name) && self.initial_user_namespace
            }
            // Without root containers are in a user namespace, which has all of the others.
            Need::Capability(name) => self.capabilities.contains(name) || !self.root(),
            Need::DeviceRules => self.takes_device_rules(),
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

/// What `/proc/self/ns/user` leads to in the user namespace that the kernel started with: a constant
/// of the kernel, `PROC_USER_INIT_INO`.
const INITIAL_USER_NAMESPACE: &str = "user:[4026531837]";

/// What a runtime uses for every container: namespaces, mounts, a root, a loopback device that is up,
/// ids and capabilities of the program, files and cgroups whoever they belong to.
const OF_ROOT: [&str; 10] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_KILL",
    "CAP_NET_ADMIN",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
    "CAP_SYS_CHROOT",
];

/// Capabilities that mean nothing to the kernel in other user namespaces, as cases use them: to make
/// device nodes, to raise limits, to choose real-time policies.
const OF_THE_INITIAL_NAMESPACE: [&str; 3] = ["CAP_MKNOD", "CAP_SYS_NICE", "CAP_SYS_RESOURCE"];

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

/// As the kernel judges it: by owner, mode, capabilities and the mount.
fn may_write(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok()
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

/// The hierarchies that a mount table has; of each only what the table tells.
pub(crate) fn hierarchies(mountinfo: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else {
            continue;
        };
        let mut after = after.split(' ');
        let (kind, super_options) = (after.next().unwrap_or(""), after.nth(1).unwrap_or(""));
        let mut before = before.split(' ');
        let root = before.nth(3).unwrap_or("/");
        let (mount_point, options) = (before.next().unwrap_or(""), before.next().unwrap_or(""));
        let unified = match kind {
            "cgroup" => false,
            "cgroup2" => true,
            _ => continue,
        };
        let path_of = |text: &str| PathBuf::from(text.replace("\\040", " "));
        let (root, mount_point) = (path_of(root), path_of(mount_point));
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
        let writable = options.split(',').all(|option| option != "ro");
        if !found.iter().any(|known| known.mount_point == mount_point) {
            found.push(Hierarchy {
                mount_point,
                root,
                unified,
                controllers,
                writable,
                allows_all_devices: false,
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
    fn outside_of_the_initial_user_namespace_some_privileges_do_not_count() {
        let mut host = Host::look(View::Host);
        host.ids = (0, 0);
        host.capabilities = CAPABILITIES.map(str::to_owned).into();
        let hierarchy = Hierarchy {
            mount_point: "/sys/fs/cgroup/devices".into(),
            root: "/".into(),
            unified: false,
            controllers: vec!["devices".into()],
            writable: true,
            allows_all_devices: true,
        };
        host.cgroups = vec![hierarchy];
        host.initial_user_namespace = true;
        let needs = [Need::Capability("CAP_MKNOD"), Need::DeviceRules];
        assert!(needs.iter().all(|need| host.meets(*need)));
        host.initial_user_namespace = false;
        assert!(!needs.iter().any(|need| host.meets(*need)));
        assert!(host.meets(Need::Capability("CAP_SYS_PTRACE")));
        host.initial_user_namespace = true;
        // A container around this that was given some devices hands on no others.
        host.cgroups[0].allows_all_devices = false;
        assert!(!host.meets(Need::DeviceRules));
        assert!(host.makes_cgroups());
        host.cgroups[0].writable = false;
        assert!(!host.makes_cgroups());
    }

    #[test]
    fn hierarchies_are_told_apart() {
        let text = "\
30 24 0:26 / /sys/fs/cgroup/pids rw,nosuid shared:9 - cgroup cgroup rw,pids
31 24 0:27 /docker/c /sys/fs/cgroup/cpu ro,nosuid - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / /nowhere/unified rw - cgroup2 cgroup2 rw,nsdelegate
33 24 0:29 / /proc rw - proc proc rw";
        let found = hierarchies(text);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].controllers, ["pids"]);
        assert_eq!(found[1].controllers, ["cpu", "cpuacct"]);
        assert_eq!(found[1].root, Path::new("/docker/c"));
        assert!(!found[1].writable && found[0].writable);
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

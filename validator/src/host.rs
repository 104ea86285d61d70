//! What this machine's kernel has, as far as a configuration can ask for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What a kernel has. Each list is `None` where the host does not tell, and then nothing is judged
/// by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The kernel's release: `6.1.0-18-amd64`.
    pub kernel: Option<String>,
    /// The machine's architecture, as uname(1) names it: `x86_64`.
    pub machine: Option<String>,
    /// Types of filesystems (proc_filesystems(5)). More may come with modules.
    pub filesystems: Option<BTreeSet<String>>,
    /// Controllers of cgroup v1 and v2 (cgroups(7)), `cpu` and such.
    pub controllers: Option<BTreeSet<String>>,
    /// Which hierarchies of cgroups are mounted.
    pub cgroups: Option<Cgroups>,
    /// The number of the newest capability (capabilities(7)).
    pub last_capability: Option<u32>,
    /// Security modules that are active: `apparmor`, `selinux`.
    pub security_modules: Option<BTreeSet<String>>,
    /// AppArmor's profiles that are loaded.
    pub apparmor_profiles: Option<BTreeSet<String>>,
    /// Kinds of namespaces that can be made, by their names in `/proc/self/ns`: `mnt`, `net`.
    pub namespaces: Option<BTreeSet<String>>,
    /// Whether seccomp filters can be installed.
    pub seccomp: Option<bool>,
    /// Actions of seccomp filters (seccomp(2)): `kill_process`, `errno`.
    pub seccomp_actions: Option<BTreeSet<String>>,
    /// Sizes of huge pages in KiB.
    pub huge_pages: Option<BTreeSet<u64>>,
    /// RDMA devices: `mlx5_1`.
    pub rdma_devices: Option<BTreeSet<String>>,
    /// Network interfaces of this network namespace.
    pub interfaces: Option<BTreeSet<String>>,
    /// CPUs that are online.
    pub cpus: Option<BTreeSet<u32>>,
    /// Memory nodes that are online.
    pub memory_nodes: Option<BTreeSet<u32>>,
}

/// Which hierarchies of cgroups are mounted below /sys/fs/cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cgroups {
    /// Those of v1, with or without an additional one of v2.
    V1,
    /// That of v2 alone.
    V2,
}

impl Host {
    /// Looks at the running kernel.
    pub fn read() -> Host {
        let text = |path: &str| fs::read_to_string(path).ok();
        let line = |path: &str| text(path).map(|text| text.trim().to_owned());
        let controllers = controllers(text("/proc/cgroups"), &text);
        Host {
            kernel: line("/proc/sys/kernel/osrelease"),
            // The file is there since Linux 6.1; before, a program runs on what it was built for.
            machine: line("/proc/sys/kernel/arch").or(Some(std::env::consts::ARCH.into())),
            filesystems: text("/proc/filesystems").map(|table| {
                let names = table
                    .lines()
                    .filter_map(|line| line.split_whitespace().last());
                names.map(str::to_owned).collect()
            }),
            controllers,
            cgroups: cgroups(),
            last_capability: line("/proc/sys/kernel/cap_last_cap")
                .and_then(|number| number.parse().ok()),
            security_modules: line("/sys/kernel/security/lsm")
                .map(|list| list.split(',').map(str::to_owned).collect()),
            apparmor_profiles: text("/sys/kernel/security/apparmor/profiles")
                .map(|list| list.lines().map(profile_name).collect()),
            namespaces: names("/proc/self/ns").map(|mut names| {
                names.retain(|name| {
                    let most = line(&format!("/proc/sys/user/max_{name}_namespaces"));
                    most.is_none_or(|most| most != "0")
                });
                names
            }),
            seccomp: text("/proc/self/status").map(|status| status.contains("\nSeccomp:")),
            seccomp_actions: line("/proc/sys/kernel/seccomp/actions_avail")
                .map(|list| list.split_whitespace().map(str::to_owned).collect()),
            huge_pages: names("/sys/kernel/mm/hugepages")
                .map(|names| names.iter().filter_map(|name| huge_page(name)).collect()),
            // The folder is not there until a driver makes it.
            rdma_devices: Some(names("/sys/class/infiniband").unwrap_or_default()),
            interfaces: names("/sys/class/net"),
            cpus: line("/sys/devices/system/cpu/online").and_then(|list| numbers(&list)),
            memory_nodes: line("/sys/devices/system/node/online").and_then(|list| numbers(&list)),
        }
    }

    /// A host that is the same everywhere, to which the examples of rules are held: a kernel that
    /// has little.
    pub fn example() -> Host {
        let set = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        Host {
            kernel: Some("5.4.0".into()),
            machine: Some("x86_64".into()),
            filesystems: set(&[
                "bpf", "cgroup", "cgroup2", "devpts", "ext4", "mqueue", "overlay", "proc", "sysfs",
                "tmpfs",
            ]),
            controllers: set(&["cpu", "cpuset", "memory", "pids"]),
            cgroups: Some(Cgroups::V2),
            last_capability: Some(37),
            security_modules: set(&["capability", "yama"]),
            apparmor_profiles: set(&["known"]),
            namespaces: set(&["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]),
            seccomp: Some(true),
            seccomp_actions: set(&["kill_process", "kill_thread", "trap", "errno", "allow"]),
            huge_pages: Some([2048].into()),
            rdma_devices: set(&["mlx5_0"]),
            interfaces: set(&["lo", "eth0"]),
            cpus: Some([0, 1].into()),
            memory_nodes: Some([0].into()),
        }
    }

    /// The kernel's release as two numbers: 6.1 of `6.1.0-18-amd64`.
    pub(crate) fn release(&self) -> Option<(u32, u32)> {
        let mut numbers = self.kernel.as_deref()?.split(['.', '-', '+']);
        let mut next = || numbers.next()?.parse().ok();
        Some((next()?, next()?))
    }
}

/// Enabled controllers of v1, and those of v2's root.
fn controllers(
    v1: Option<String>,
    read: &dyn Fn(&str) -> Option<String>,
) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for line in v1?.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [name, _, _, "1"] = fields[..] {
            names.insert(name.to_owned());
        }
    }
    for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        let file = Path::new(root).join("cgroup.controllers");
        if let Some(list) = file.to_str().and_then(read) {
            names.extend(list.split_whitespace().map(str::to_owned));
        }
    }
    Some(names)
}

fn cgroups() -> Option<Cgroups> {
    let root = Path::new("/sys/fs/cgroup");
    if root.join("cgroup.controllers").exists() {
        Some(Cgroups::V2)
    } else if fs::read_dir(root).ok()?.next().is_some() {
        Some(Cgroups::V1)
    } else {
        None
    }
}

/// Names of the entries of a directory.
fn names(directory: &str) -> Option<BTreeSet<String>> {
    let entries = fs::read_dir(directory).ok()?.flatten();
    let names = entries.map(|entry| entry.file_name());
    Some(
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect(),
    )
}

/// The name in a line of AppArmor's list: what stands before the mode.
fn profile_name(line: &str) -> String {
    let name = line.rsplit_once(" (").map_or(line, |(name, _)| name);
    name.to_owned()
}

/// The size in KiB of a directory such as `hugepages-2048kB`.
fn huge_page(name: &str) -> Option<u64> {
    let size = name.strip_prefix("hugepages-")?.strip_suffix("kB")?;
    size.parse().ok()
}

/// The numbers of a list such as `0-3,7`; `None` if it is none. Kernels have less than 10,000 CPUs
/// and nodes.
fn numbers(list: &str) -> Option<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    for part in list.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last >= 10_000 {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_are_those_that_are_enabled() {
        let table =
            "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t2\t1\t1\nmemory\t0\t1\t0\n";
        let read = |path: &str| {
            (path == "/sys/fs/cgroup/cgroup.controllers").then(|| "io pids\n".to_owned())
        };
        let names = controllers(Some(table.into()), &read).unwrap();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["cpu", "io", "pids"]);
        assert_eq!(controllers(None, &read), None);
    }

    #[test]
    fn releases_of_distributions_are_read() {
        let release = |text: &str| {
            let kernel = Some(text.to_owned());
            Host {
                kernel,
                ..Host::default()
            }
            .release()
        };
        assert_eq!(release("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(release("6.18-rc3"), Some((6, 18)));
        assert_eq!(release("4.18.0-553.el8_10.x86_64"), Some((4, 18)));
        assert_eq!(release("unknown"), None);
    }

    #[test]
    fn lists_of_the_kernel_are_read() {
        assert_eq!(numbers("0-2,5"), Some([0, 1, 2, 5].into()));
        assert_eq!(numbers("0-4294967295"), None);
        assert_eq!(numbers("a"), None);
        assert_eq!(huge_page("hugepages-1048576kB"), Some(1_048_576));
        assert_eq!(profile_name("docker-default (enforce)"), "docker-default");
        assert_eq!(
            profile_name("/usr/bin/man (a) (complain)"),
            "/usr/bin/man (a)"
        );
    }

    #[test]
    fn this_host_is_read() {
        let host = Host::read();
        assert!(host.release().is_some());
        assert!(host.namespaces.unwrap().contains("mnt"));
    }
}

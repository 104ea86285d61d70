//! The profile `host`: what this kernel has of what a config asks for.
//!
//! What the host does not tell is not judged. Distributions put newer features into older kernels,
//! and modules come when they are needed: where that is so, a finding is a warning.

use std::collections::BTreeSet;

use crate::context::Context;
use crate::document::Value;
use crate::finding::Severity;
use crate::host::{Cgroups, Host};
use crate::options::{DocumentKind, Profile};
use crate::rule::{Found, Rule};
use crate::rules::{hugepage_limits, mount_options, places};

const HOST: Rule = Rule {
    profile: Profile::Host,
    severity: Severity::Warning,
    ..Rule::SPEC
};

const PROCESS: Rule = Rule {
    kinds: &[DocumentKind::Config, DocumentKind::Process],
    ..HOST
};

const RESOURCES: Rule = Rule {
    kinds: &[DocumentKind::Config, DocumentKind::Resources],
    ..HOST
};

const SECCOMP: Rule = Rule {
    kinds: &[DocumentKind::Config, DocumentKind::Seccomp],
    ..HOST
};

/// Rules about what the host has.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "host/filesystem",
        source: "proc_filesystems(5)",
        page: "The kernel has no filesystem of this type now. A module may bring it when it is \
               mounted, if the host has that module and the runtime may load it; else the mount \
               fails with ENODEV. `modprobe TYPE` on the host shows it.",
        accepts: &[
            mount!(r#"{"destination": "/t", "type": "tmpfs", "source": "tmpfs"}"#),
            mount!(
                r#"{"destination": "/t", "type": "none", "source": "/srv", "options": ["bind"]}"#
            ),
        ],
        rejects: &[(
            mount!(r#"{"destination": "/n", "type": "nfs", "source": "server:/x"}"#),
            "/mounts/0/type",
        )],
        check: |context, found| {
            let Some(known) = host(context).and_then(|host| host.filesystems.as_ref()) else {
                return;
            };
            for mount in context.root.get("mounts").items() {
                let its_type = mount.get("type");
                if let Some(name) = its_type.as_str()
                    && !mount_options::is_bind(mount)
                    && !matches!(name, "" | "bind" | "none")
                    // Runtimes make the hierarchies that the host has of it.
                    && name != "cgroup"
                    && !known.contains(name)
                {
                    found
                        .at(
                            its_type,
                            format!("this kernel has no filesystem {name:?} now"),
                        )
                        .help("a module may bring it: `modprobe` on the host shows it");
                }
            }
        },
        ..HOST
    },
    Rule {
        id: "host/controller",
        source: "cgroups(7), cgroup.controllers",
        page: "The limit belongs to a controller of cgroups that this host does not have: it is not \
               compiled in, switched off on the kernel's command line, or not handed down to this \
               place of the hierarchy. The runtime fails, or the limit has no effect. \
               `/proc/cgroups` and `cgroup.controllers` list what is there.",
        accepts: &[resources!(
            r#"{"memory": {"limit": 1048576}, "blockIO": {"weight": 0}}"#
        )],
        rejects: &[
            (
                resources!(r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}"#),
                "/linux/resources/hugepageLimits",
            ),
            (
                resources!(r#"{"unified": {"io.max": "8:0 rbps=1", "memory.high": "1"}}"#),
                "/linux/resources/unified/io.max",
            ),
        ],
        check: |context, found| {
            let Some(known) = host(context).and_then(|host| host.controllers.as_ref()) else {
                return;
            };
            for (place, controllers) in CONTROLLERS {
                if controllers.iter().any(|name| known.contains(*name)) {
                    continue;
                }
                places::each(context, place, &mut |value| {
                    if places::asks(value) {
                        found.at_name(
                            value,
                            format!("this host has no controller {}", controllers[0]),
                        );
                    }
                });
            }
            for (file, value) in context.resources.get("unified").members() {
                let controller = file.split_once('.').map_or(file, |(name, _)| name);
                if controller != "cgroup" && !known.contains(controller) {
                    found.at_name(value, format!("this host has no controller {controller}"));
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "host/cgroup-version",
        source: "cgroups(7): interface files of version 1 and 2",
        page: "Some limits are files of one version of cgroups alone. This host has the other \
               version, so the runtime fails or the limit has no effect. With v2 there are no \
               swappiness, real-time budget, class of network packets or leaf weight; with v1 \
               there is no `unified`.",
        accepts: &[resources!(r#"{"unified": {"memory.high": "1048576"}}"#)],
        rejects: &[(
            resources!(r#"{"memory": {"swappiness": 0}}"#),
            "/linux/resources/memory/swappiness",
        )],
        check: |context, found| {
            let Some(cgroups) = host(context).and_then(|host| host.cgroups) else {
                return;
            };
            let (lacking, version) = match cgroups {
                Cgroups::V1 => (&["linux.resources.unified"][..], "v1"),
                Cgroups::V2 => (ONLY_V1, "v2"),
            };
            for place in lacking {
                places::each(context, place, &mut |value| {
                    let zero_counts = place.ends_with("swappiness");
                    if places::asks(value) || (zero_counts && value.as_integer() == Some(0)) {
                        let name = value.key().unwrap_or_default();
                        found.at_name(
                            value,
                            format!("this host has cgroup {version}, which has no `{name}`"),
                        );
                    }
                });
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "host/capability",
        source: "/proc/sys/kernel/cap_last_cap (capabilities(7))",
        page: "This kernel is older than the capability. Runtimes warn and go on without it; before \
               version 1.1.0 of the specification they had to fail. In older kernels CAP_SYS_ADMIN \
               stands for CAP_PERFMON, CAP_BPF and CAP_CHECKPOINT_RESTORE.",
        accepts: &[process_with!(
            r#""capabilities": {"bounding": ["CAP_AUDIT_READ"]}"#
        )],
        rejects: &[(
            process_with!(r#""capabilities": {"bounding": ["CAP_BPF"], "effective": ["CAP_BPF"]}"#),
            "/process/capabilities/bounding/0",
        )],
        check: |context, found| {
            let Some(last) = host(context).and_then(|host| host.last_capability) else {
                return;
            };
            for (number, name) in NEWER_CAPABILITIES {
                if number <= last {
                    continue;
                }
                let sets = [
                    "bounding",
                    "permitted",
                    "effective",
                    "inheritable",
                    "ambient",
                ];
                let sets = sets.map(|set| context.process.get("capabilities").get(set));
                let first = sets
                    .into_iter()
                    .flat_map(Value::strings)
                    .find(|(one, _)| *one == name);
                if let Some((_, value)) = first {
                    found.at(
                        value,
                        format!("this kernel has no {name}: its last capability is number {last}"),
                    );
                }
            }
        },
        ..PROCESS
    },
    Rule {
        id: "host/security-module",
        kinds: &[DocumentKind::Config, DocumentKind::Process],
        severity: Severity::Error,
        source: "/sys/kernel/security/lsm",
        page: "The config asks for a profile or label of a security module that is not active on \
               this host. A runtime has to fail, since it cannot confine the process as asked. \
               Leave the property out here, or switch the module on (`lsm=` on the kernel's \
               command line).",
        accepts: &[process_with!(r#""apparmorProfile": """#)],
        rejects: &[
            (
                process_with!(r#""apparmorProfile": "known""#),
                "/process/apparmorProfile",
            ),
            (
                process_with!(r#""selinuxLabel": "system_u:system_r:container_t:s0""#),
                "/process/selinuxLabel",
            ),
            (
                linux!(r#"{"mountLabel": "system_u:object_r:container_file_t:s0"}"#),
                "/linux/mountLabel",
            ),
        ],
        check: |context, found| {
            let Some(active) = host(context).and_then(|host| host.security_modules.as_ref()) else {
                return;
            };
            for (value, module, name) in [
                (
                    context.process.get("apparmorProfile"),
                    "apparmor",
                    "AppArmor",
                ),
                (context.process.get("selinuxLabel"), "selinux", "SELinux"),
                (context.linux.get("mountLabel"), "selinux", "SELinux"),
            ] {
                // Without AppArmor everything is unconfined.
                if places::asks(value)
                    && value.as_str() != Some("unconfined")
                    && !active.contains(module)
                {
                    found.at_name(value, format!("{name} is not active on this host"));
                }
            }
        },
        ..HOST
    },
    Rule {
        id: "host/apparmor-profile",
        kinds: &[DocumentKind::Config, DocumentKind::Process],
        severity: Severity::Error,
        source: "/sys/kernel/security/apparmor/profiles",
        page: "AppArmor has no profile of that name loaded, and the runtime cannot put the process \
               into it. Load it with `apparmor_parser -r FILE` before the container starts.",
        accepts: &[process_with!(r#""apparmorProfile": "known""#)],
        rejects: &[(
            process_with!(r#""apparmorProfile": "other""#),
            "/process/apparmorProfile",
        )],
        check: |context, found| {
            let Some(loaded) = host(context).and_then(|host| host.apparmor_profiles.as_ref())
            else {
                return;
            };
            let profile = context.process.get("apparmorProfile");
            if let Some(name) = profile.as_str()
                && !matches!(name, "" | "unconfined")
                && !loaded.contains(name)
            {
                found
                    .at(
                        profile,
                        format!("no AppArmor profile {name:?} is loaded on this host"),
                    )
                    .help("load it with `apparmor_parser -r FILE`");
            }
        },
        ..HOST
    },
    Rule {
        id: "host/namespace",
        severity: Severity::Error,
        source: "namespaces(7): /proc/self/ns, /proc/sys/user/max_*_namespaces",
        page: "This kernel does not have the type of namespace, or none of them may be made here \
               (a limit of 0 in /proc/sys/user). The container cannot be created.",
        accepts: &[linux!(r#"{"namespaces": [{"type": "network"}]}"#)],
        rejects: &[(
            linux!(r#"{"namespaces": [{"type": "pid"}, {"type": "time"}]}"#),
            "/linux/namespaces/1/type",
        )],
        check: |context, found| {
            let Some(known) = host(context).and_then(|host| host.namespaces.as_ref()) else {
                return;
            };
            for entry in context.linux.get("namespaces").items() {
                let its_type = entry.get("type");
                let file = match its_type.as_str() {
                    Some("network") => "net",
                    Some("mount") => "mnt",
                    Some(name @ ("pid" | "ipc" | "uts" | "user" | "cgroup" | "time")) => name,
                    _ => continue,
                };
                if !known.contains(file) {
                    found.at(
                        its_type,
                        format!(
                            "this kernel makes no {} namespaces",
                            its_type.as_str().unwrap_or_default()
                        ),
                    );
                }
            }
        },
        ..HOST
    },
    Rule {
        id: "host/seccomp-action",
        severity: Severity::Error,
        source: "/proc/sys/kernel/seccomp/actions_avail (seccomp(2))",
        page: "This kernel does not have the action of seccomp filters, and refuses the filter. \
               SCMP_ACT_KILL and SCMP_ACT_ERRNO are there wherever filters are.",
        accepts: &[seccomp!(r#"{"defaultAction": "SCMP_ACT_ERRNO"}"#)],
        rejects: &[
            (
                seccomp!(r#"{"defaultAction": "SCMP_ACT_LOG"}"#),
                "/linux/seccomp/defaultAction",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_TRACE"}]}"#
                ),
                "/linux/seccomp/syscalls/0/action",
            ),
        ],
        check: |context, found| {
            let Some(host) = host(context) else { return };
            let default = context.seccomp.get("defaultAction");
            let of_rules = context
                .seccomp
                .get("syscalls")
                .items()
                .map(|rule| rule.get("action"));
            if host.seccomp == Some(false) && context.seccomp.is_set() {
                found.at_name(context.seccomp, "this kernel has no seccomp filters");
                return;
            }
            let Some(available) = &host.seccomp_actions else {
                return;
            };
            for action in std::iter::once(default).chain(of_rules) {
                let name = action.as_str().unwrap_or_default();
                let known_as = ACTIONS.iter().find(|(ours, _)| *ours == name);
                if known_as.is_some_and(|(_, kernels)| !available.contains(*kernels)) {
                    found.at(action, format!("this kernel has no {name}"));
                }
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "host/seccomp-architecture",
        source: "seccomp(2): a filter sees the architecture of each call",
        page: "None of the architectures is this machine's. libseccomp adds the machine's own, but \
               the profile was made for another one, whose system calls have other numbers and \
               partly other names. List the architecture of the machine first.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_X86_64"]}"#
        )],
        rejects: &[(
            seccomp!(
                r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]}"#
            ),
            "/linux/seccomp/architectures",
        )],
        check: |context, found| {
            let architectures = context.seccomp.get("architectures");
            let Some(machine) = host(context).and_then(|host| host.machine.as_deref()) else {
                return;
            };
            let Some((_, native)) = ARCHITECTURES.iter().find(|(name, _)| *name == machine) else {
                return;
            };
            let mut listed = architectures.strings().peekable();
            if listed.peek().is_some() && !listed.any(|(name, _)| name == *native) {
                found
                    .lacking(
                        architectures,
                        format!("this machine is {machine}, and {native} is not listed"),
                    )
                    .help(format!("add {native}"));
            }
        },
        ..SECCOMP
    },
    Rule {
        id: "host/kernel-release",
        kinds: &[
            DocumentKind::Config,
            DocumentKind::Process,
            DocumentKind::Resources,
            DocumentKind::Seccomp,
        ],
        source: "the kernel's release notes and manual pages: mount_setattr(2), seccomp(2), \
                 sched_setattr(2), set_mempolicy(2), cgroup-v2.rst",
        page: "What the config asks for came with a newer kernel than this one. Distributions bring \
               some features to older kernels, so this is a warning: without the feature the \
               runtime fails, or the kernel refuses the value.",
        accepts: &[mount!(
            r#"{"destination": "/t", "type": "bind", "source": "/srv", "options": ["rbind", "ro"]}"#
        )],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/t", "type": "bind", "source": "/srv", "options": ["rbind", "rro"]}"#
                ),
                "/mounts/0/options/1",
            ),
            (
                mount!(
                    r#"{"destination": "/t", "type": "bind", "source": "/srv", "options": ["bind"], "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}"#
                ),
                "/mounts/0/uidMappings",
            ),
            (
                resources!(r#"{"cpu": {"idle": 1}}"#),
                "/linux/resources/cpu/idle",
            ),
            (
                linux!(r#"{"memoryPolicy": {"mode": "MPOL_PREFERRED_MANY", "nodes": "0"}}"#),
                "/linux/memoryPolicy/mode",
            ),
        ],
        check: |context, found| {
            if let Some(release) = host(context).and_then(Host::release) {
                kernel_release(context, release, found);
            }
        },
        ..HOST
    },
    Rule {
        id: "host/resctrl",
        severity: Severity::Error,
        source: "Documentation/arch/x86/resctrl.rst: the filesystem is there if the CPU has the feature",
        page: "`intelRdt` needs the filesystem resctrl, which this kernel does not have: the CPU \
               lacks allocation and monitoring of caches and memory bandwidth, or the kernel was \
               built without it. Virtual machines seldom have it.",
        accepts: &[linux!(r#"{"intelRdt": {}}"#)],
        rejects: &[(
            linux!(r#"{"intelRdt": {"closID": "a"}}"#),
            "/linux/intelRdt",
        )],
        check: |context, found| {
            let rdt = context.linux.get("intelRdt");
            let known = host(context).and_then(|host| host.filesystems.as_ref());
            if places::asks(rdt) && known.is_some_and(|known| !known.contains("resctrl")) {
                found.at_name(rdt, "this kernel has no resctrl");
            }
        },
        ..HOST
    },
    Rule {
        id: "host/rdma-device",
        source: "/sys/class/infiniband",
        page: "This host has no RDMA device of that name, and the kernel refuses a limit for it. \
               `rdma link` lists the devices.",
        accepts: &[resources!(r#"{"rdma": {"mlx5_0": {"hcaHandles": 1}}}"#)],
        rejects: &[(
            resources!(r#"{"rdma": {"mlx5_1": {"hcaHandles": 1}}}"#),
            "/linux/resources/rdma/mlx5_1",
        )],
        check: |context, found| {
            let Some(known) = host(context).and_then(|host| host.rdma_devices.as_ref()) else {
                return;
            };
            for (name, limit) in context.resources.get("rdma").members() {
                if !known.contains(name) {
                    found.at_name(limit, format!("this host has no RDMA device {name:?}"));
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "host/huge-page-size",
        severity: Severity::Error,
        source: "/sys/kernel/mm/hugepages",
        page: "This machine has no huge pages of that size, so there is no file to write the limit \
               to.",
        accepts: &[resources!(
            r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}"#
        )],
        rejects: &[(
            resources!(r#"{"hugepageLimits": [{"pageSize": "64KB", "limit": 0}]}"#),
            "/linux/resources/hugepageLimits/0/pageSize",
        )],
        check: |context, found| {
            let Some(sizes) = host(context).and_then(|host| host.huge_pages.as_ref()) else {
                return;
            };
            for entry in context.resources.get("hugepageLimits").items() {
                let size = entry.get("pageSize");
                let kilobytes = size.as_str().and_then(hugepage_limits::kilobytes);
                if kilobytes.is_some_and(|one| !sizes.contains(&one)) {
                    let there: Vec<String> = sizes
                        .iter()
                        .map(|size| hugepage_limits::spelling(*size))
                        .collect();
                    found
                        .at(
                            size,
                            format!(
                                "this machine has no huge pages of {}",
                                size.as_str().unwrap_or_default()
                            ),
                        )
                        .help(format!("it has: {}", there.join(", ")));
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "host/cpus-online",
        kinds: &[
            DocumentKind::Config,
            DocumentKind::Process,
            DocumentKind::Resources,
        ],
        source: "/sys/devices/system/cpu/online; cpuset(7): EINVAL",
        page: "The list names CPUs that are not online on this host. cgroup v1 refuses such a list, \
               v2 takes the rest of it, and sched_setaffinity(2) fails if nothing remains.",
        accepts: &[resources!(r#"{"cpu": {"cpus": "0-1"}}"#)],
        rejects: &[
            (
                resources!(r#"{"cpu": {"cpus": "1-3"}}"#),
                "/linux/resources/cpu/cpus",
            ),
            (
                process_with!(r#""execCPUAffinity": {"final": "7"}"#),
                "/process/execCPUAffinity/final",
            ),
        ],
        check: |context, found| {
            if let Some(online) = host(context).and_then(|host| host.cpus.as_ref()) {
                let affinity = context.process.get("execCPUAffinity");
                let lists = [
                    context.resources.get("cpu").get("cpus"),
                    affinity.get("initial"),
                    affinity.get("final"),
                ];
                for list in lists {
                    all_online(list, online, "CPU", found);
                }
            }
        },
        ..HOST
    },
    Rule {
        id: "host/memory-nodes-online",
        source: "/sys/devices/system/node/online; cpuset(7): EINVAL",
        page: "The list names memory nodes that this host does not have. The kernel refuses it.",
        accepts: &[resources!(r#"{"cpu": {"mems": "0"}}"#)],
        rejects: &[
            (
                resources!(r#"{"cpu": {"mems": "0-1"}}"#),
                "/linux/resources/cpu/mems",
            ),
            (
                linux!(r#"{"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "1"}}"#),
                "/linux/memoryPolicy/nodes",
            ),
        ],
        check: |context, found| {
            if let Some(online) = host(context).and_then(|host| host.memory_nodes.as_ref()) {
                let policy = context.linux.get("memoryPolicy");
                // Relative nodes are counted among those that the process may use.
                let relative = policy
                    .get("flags")
                    .strings()
                    .any(|(flag, _)| flag == "MPOL_F_RELATIVE_NODES");
                all_online(
                    context.resources.get("cpu").get("mems"),
                    online,
                    "memory node",
                    found,
                );
                if !relative {
                    all_online(policy.get("nodes"), online, "memory node", found);
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "host/interface",
        source: "/sys/class/net",
        page: "The network namespace that this program runs in has no interface of that name. The \
               runtime moves interfaces out of the namespace that it runs in itself; if that is \
               another one, look there.",
        accepts: &[linux!(
            r#"{"namespaces": [{"type": "network"}], "netDevices": {"eth0": {}}}"#
        )],
        rejects: &[(
            linux!(r#"{"namespaces": [{"type": "network"}], "netDevices": {"eth7": {}}}"#),
            "/linux/netDevices/eth7",
        )],
        check: |context, found| {
            let Some(known) = host(context).and_then(|host| host.interfaces.as_ref()) else {
                return;
            };
            for (name, device) in context.linux.get("netDevices").members() {
                if !known.contains(name) {
                    found.at_name(
                        device,
                        format!("there is no network interface {name:?} here"),
                    );
                }
            }
        },
        ..HOST
    },
];

/// Limits, and the controllers of which one is needed (cgroups(7)).
const CONTROLLERS: &[(&str, &[&str])] = &[
    ("linux.resources.memory", &["memory"]),
    ("linux.resources.cpu.shares", &["cpu"]),
    ("linux.resources.cpu.quota", &["cpu"]),
    ("linux.resources.cpu.burst", &["cpu"]),
    ("linux.resources.cpu.idle", &["cpu"]),
    ("linux.resources.cpu.realtimeRuntime", &["cpu"]),
    ("linux.resources.cpu.realtimePeriod", &["cpu"]),
    ("linux.resources.cpu.cpus", &["cpuset"]),
    ("linux.resources.cpu.mems", &["cpuset"]),
    ("linux.resources.blockIO", &["io", "blkio"]),
    ("linux.resources.pids", &["pids"]),
    ("linux.resources.hugepageLimits", &["hugetlb"]),
    ("linux.resources.network.classID", &["net_cls"]),
    ("linux.resources.network.priorities", &["net_prio"]),
    ("linux.resources.rdma", &["rdma"]),
];

/// Limits that cgroup v2 has no file for.
const ONLY_V1: &[&str] = &[
    "linux.resources.memory.kernel",
    "linux.resources.memory.kernelTCP",
    "linux.resources.memory.swappiness",
    "linux.resources.memory.disableOOMKiller",
    "linux.resources.memory.useHierarchy",
    "linux.resources.cpu.realtimeRuntime",
    "linux.resources.cpu.realtimePeriod",
    "linux.resources.blockIO.leafWeight",
    "linux.resources.blockIO.weightDevice[].leafWeight",
    "linux.resources.network.classID",
    "linux.resources.network.priorities",
];

/// Capabilities that came after Linux 3.5, by their numbers (capabilities(7)).
const NEWER_CAPABILITIES: [(u32, &str); 4] = [
    (37, "CAP_AUDIT_READ"),
    (38, "CAP_PERFMON"),
    (39, "CAP_BPF"),
    (40, "CAP_CHECKPOINT_RESTORE"),
];

/// Actions, and what the kernel calls them.
const ACTIONS: [(&str, &str); 9] = [
    ("SCMP_ACT_KILL", "kill_thread"),
    ("SCMP_ACT_KILL_THREAD", "kill_thread"),
    ("SCMP_ACT_KILL_PROCESS", "kill_process"),
    ("SCMP_ACT_TRAP", "trap"),
    ("SCMP_ACT_ERRNO", "errno"),
    ("SCMP_ACT_NOTIFY", "user_notif"),
    ("SCMP_ACT_TRACE", "trace"),
    ("SCMP_ACT_LOG", "log"),
    ("SCMP_ACT_ALLOW", "allow"),
];

/// Machines, and what libseccomp calls their architecture.
const ARCHITECTURES: [(&str, &str); 8] = [
    ("x86_64", "SCMP_ARCH_X86_64"),
    ("aarch64", "SCMP_ARCH_AARCH64"),
    ("armv7l", "SCMP_ARCH_ARM"),
    ("i686", "SCMP_ARCH_X86"),
    ("ppc64le", "SCMP_ARCH_PPC64LE"),
    ("riscv64", "SCMP_ARCH_RISCV64"),
    ("s390x", "SCMP_ARCH_S390X"),
    ("loongarch64", "SCMP_ARCH_LOONGARCH64"),
];

/// The first two numbers of a kernel's release.
type Release = (u32, u32);

/// Places of properties, and the release that brought them.
const PROPERTIES_SINCE: &[(&str, Release)] = &[
    ("mounts[].uidMappings", (5, 12)),
    ("mounts[].gidMappings", (5, 12)),
    ("linux.timeOffsets", (5, 6)),
    ("linux.resources.cpu.burst", (5, 14)),
    ("linux.resources.cpu.idle", (5, 15)),
];

/// Places of strings, and the releases that brought some of the values.
const VALUES_SINCE: &[(&str, &[(&str, Release)])] = &[
    (
        "mounts[].options[]",
        &[
            ("idmap", (5, 12)),
            ("ridmap", (5, 12)),
            ("rro", (5, 12)),
            ("rrw", (5, 12)),
            ("rnosuid", (5, 12)),
            ("rsuid", (5, 12)),
            ("rnodev", (5, 12)),
            ("rdev", (5, 12)),
            ("rnoexec", (5, 12)),
            ("rexec", (5, 12)),
            ("rnodiratime", (5, 12)),
            ("rdiratime", (5, 12)),
            ("rrelatime", (5, 12)),
            ("rnorelatime", (5, 12)),
            ("rnoatime", (5, 12)),
            ("ratime", (5, 12)),
            ("rstrictatime", (5, 12)),
            ("rnostrictatime", (5, 12)),
            ("rnosymfollow", (5, 14)),
            ("rsymfollow", (5, 14)),
            ("nosymfollow", (5, 10)),
            ("noswap", (6, 4)),
        ],
    ),
    (
        "linux.seccomp.flags[]",
        &[
            ("SECCOMP_FILTER_FLAG_TSYNC", (3, 17)),
            ("SECCOMP_FILTER_FLAG_LOG", (4, 14)),
            ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", (4, 17)),
            ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", (5, 19)),
        ],
    ),
    ("process.scheduler.policy", &[("SCHED_DEADLINE", (3, 14))]),
    (
        "process.scheduler.flags[]",
        &[
            ("SCHED_FLAG_RECLAIM", (4, 13)),
            ("SCHED_FLAG_DL_OVERRUN", (4, 16)),
            ("SCHED_FLAG_KEEP_POLICY", (5, 3)),
            ("SCHED_FLAG_KEEP_PARAMS", (5, 3)),
            ("SCHED_FLAG_UTIL_CLAMP_MIN", (5, 3)),
            ("SCHED_FLAG_UTIL_CLAMP_MAX", (5, 3)),
        ],
    ),
    (
        "linux.memoryPolicy.mode",
        &[
            ("MPOL_LOCAL", (3, 8)),
            ("MPOL_PREFERRED_MANY", (5, 15)),
            ("MPOL_WEIGHTED_INTERLEAVE", (6, 9)),
        ],
    ),
    (
        "linux.memoryPolicy.flags[]",
        &[("MPOL_F_NUMA_BALANCING", (5, 12))],
    ),
];

fn host<'d>(context: &Context<'d>) -> Option<&'d Host> {
    let host = context.options.host.as_ref();
    host.filter(|_| context.is_linux())
}

fn kernel_release(context: &Context<'_>, release: Release, found: &mut Found<'_>) {
    let came = |(major, minor): Release| {
        format!(
            "came with Linux {major}.{minor}, this is {}.{}",
            release.0, release.1
        )
    };
    for (place, since) in PROPERTIES_SINCE
        .iter()
        .filter(|(_, since)| *since > release)
    {
        places::each(context, place, &mut |value| {
            if places::asks(value) {
                let name = value.key().unwrap_or_default();
                found.at_name(value, format!("`{name}` {}", came(*since)));
            }
        });
    }
    for (place, values) in VALUES_SINCE {
        if values.iter().all(|(_, since)| *since <= release) {
            continue;
        }
        places::each(context, place, &mut |value| {
            let text = value.as_str().unwrap_or_default();
            let newer = values
                .iter()
                .find(|(name, since)| *name == text && *since > release);
            if let Some((name, since)) = newer {
                found.at(value, format!("`{name}` {}", came(*since)));
            }
        });
    }
}

/// Tells of a list that names more than what is online.
fn all_online(list: Value<'_>, online: &BTreeSet<u32>, what: &str, found: &mut Found<'_>) {
    let offline = list.as_str().and_then(|text| {
        let mut parts = text.split(',');
        parts.find_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            // What is no list of numbers, others tell.
            let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
            (first..=last).find(|number| !online.contains(number))
        })
    });
    if let Some(number) = offline {
        let draft = found.at(list, format!("{what} {number} is not online on this host"));
        if let (Some(first), Some(last)) = (online.first(), online.last()) {
            draft.help(format!("those of this host go from {first} to {last}"));
        }
    }
}

//! All rules, a file for each section of the specification.

#[macro_use]
mod examples;

mod annotations;
mod block_io;
mod bundle;
mod capabilities;
mod cgroups_path;
mod cpu;
mod device_rules;
mod devices;
pub(crate) mod document;
mod exec_cpu_affinity;
mod features;
mod features_of_runtime;
mod freebsd;
mod hooks;
mod host;
mod hostname;
mod hugepage_limits;
mod id_mappings;
mod intel_rdt;
mod io_priority;
mod lists;
mod memory;
mod memory_policy;
mod mount_label;
mod mount_options;
mod mounts;
mod namespaces;
mod net_devices;
mod network;
mod pids;
mod places;
mod platforms;
mod portable;
mod process;
mod rdma;
mod resources;
mod rlimits;
mod root;
mod scheduler;
mod schema;
mod seccomp;
mod security;
mod solaris;
mod state;
pub(crate) mod syntax;
mod sysctl;
mod time_offsets;
mod unified;
mod unjudged;
mod user;
mod version;
mod windows;
mod zos;

pub use unjudged::UNJUDGED;

use crate::rule::Rule;

/// Rules by file, in the specification's order.
static SECTIONS: &[&[Rule]] = &[
    syntax::RULES,
    document::RULES,
    schema::RULES,
    version::RULES,
    root::RULES,
    mounts::RULES,
    mount_options::RULES,
    process::RULES,
    user::RULES,
    rlimits::RULES,
    capabilities::RULES,
    scheduler::RULES,
    io_priority::RULES,
    exec_cpu_affinity::RULES,
    hostname::RULES,
    platforms::RULES,
    hooks::RULES,
    annotations::RULES,
    namespaces::RULES,
    id_mappings::RULES,
    time_offsets::RULES,
    devices::RULES,
    net_devices::RULES,
    cgroups_path::RULES,
    device_rules::RULES,
    memory::RULES,
    cpu::RULES,
    block_io::RULES,
    hugepage_limits::RULES,
    network::RULES,
    pids::RULES,
    rdma::RULES,
    unified::RULES,
    intel_rdt::RULES,
    memory_policy::RULES,
    sysctl::RULES,
    seccomp::RULES,
    mount_label::RULES,
    windows::RULES,
    solaris::RULES,
    freebsd::RULES,
    zos::RULES,
    bundle::RULES,
    features::RULES,
    state::RULES,
    // Not of the specification: profiles, and what `--features` asks for.
    features_of_runtime::RULES,
    host::RULES,
    portable::RULES,
    security::capabilities::RULES,
    security::namespaces::RULES,
    security::kernel_files::RULES,
    security::devices::RULES,
    security::mounts::RULES,
    security::seccomp::RULES,
    security::limits::RULES,
    security::process::RULES,
];

/// Every rule.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    SECTIONS.iter().copied().flatten()
}

/// The rule of that id.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

/// A features document to which the examples of rules are held: of a runtime that can little.
pub const EXAMPLE_FEATURES: &str = r#"{
  "ociVersionMin": "1.0.0",
  "ociVersionMax": "1.2.0",
  "hooks": ["createRuntime", "poststop"],
  "mountOptions": ["bind", "rbind", "ro", "nosuid", "nodev", "noexec", "rprivate"],
  "potentiallyUnsafeConfigAnnotations": ["org.example.unsafe.", "org.example.one"],
  "linux": {
    "namespaces": ["mount", "pid", "uts", "ipc", "network", "cgroup"],
    "capabilities": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
    "cgroup": {"v1": false, "v2": true, "systemd": false, "systemdUser": false},
    "seccomp": {
      "enabled": true,
      "actions": ["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL"],
      "operators": ["SCMP_CMP_EQ", "SCMP_CMP_NE"],
      "archs": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
      "knownFlags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
      "supportedFlags": ["SECCOMP_FILTER_FLAG_LOG"]
    },
    "apparmor": {"enabled": false},
    "selinux": {"enabled": false},
    "intelRdt": {"enabled": false, "schemata": false, "monitoring": false},
    "memoryPolicy": {"modes": ["MPOL_BIND"], "flags": []},
    "mountExtensions": {"idmap": {"enabled": false}},
    "netDevices": {"enabled": false}
  }
}"#;

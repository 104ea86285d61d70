//! Every case, by the section of the specification that it serves.

pub mod basics;
mod capabilities;
pub mod cgroup_owner;
pub mod cgroups;
mod choices;
mod cli;
pub mod config;
pub mod devices;
mod engine;
pub mod features;
pub mod filesystems;
mod hook_times;
pub mod hooks;
mod lifecycle;
mod limits;
mod link;
pub mod mappings;
pub mod mount_options;
pub mod mounts;
pub mod namespaces;
pub mod network_devices;
pub mod operations;
pub mod paths;
pub mod personality;
pub mod process;
pub mod propagation;
pub mod resources;
pub mod resources_io;
mod resources_rare;
mod resources_update;
mod scheduling;
pub mod seccomp;
mod seccomp_flags;
mod seccomp_names;
pub mod seccomp_notify;
pub mod security;
pub mod state;
pub mod sysctl;
mod told;
pub mod unified;
mod versions;

use std::sync::OnceLock;

use crate::case::Case;

/// The case that all others wait for: a subject that fails it gets this one finding, and the rest
/// is `inapplicable`.
pub const GATE: &str = "basics/plain-container";

const FILES: &[&[Case]] = &[
    basics::CASES,
    capabilities::CASES,
    cgroup_owner::CASES,
    cgroups::CASES,
    cli::CASES,
    cli::EXEC_CASES,
    cli::OPERATION_CASES,
    cli::OTHER_CASES,
    choices::CASES,
    config::CASES,
    devices::CASES,
    engine::CONFIGURATION_CASES,
    engine::CONTAINER_CASES,
    engine::EXEC_CASES,
    engine::MESSAGE_CASES,
    features::CASES,
    features::LIST_CASES,
    features::TYPE_CASES,
    filesystems::CASES,
    hook_times::CASES,
    hooks::CASES,
    lifecycle::CASES,
    mappings::CASES,
    mount_options::CASES,
    mount_options::EFFECT_CASES,
    mount_options::RECURSIVE_CASES,
    mounts::CASES,
    mounts::IDENTITY_CASES,
    namespaces::CASES,
    network_devices::CASES,
    operations::CASES,
    paths::CASES,
    personality::CASES,
    process::CASES,
    propagation::CASES,
    resources::CASES,
    resources_io::CASES,
    scheduling::CASES,
    resources_rare::CASES,
    resources_update::CASES,
    seccomp::CASES,
    seccomp_flags::CASES,
    seccomp_notify::CASES,
    security::CGROUP_CASES,
    security::EXEC_CASES,
    security::FILE_CASES,
    security::KERNEL_FILE_CASES,
    security::LINK_CASES,
    security::NAME_CASES,
    security::PRIVILEGE_CASES,
    security::PROCESS_CASES,
    state::CASES,
    sysctl::CASES,
    unified::CASES,
    versions::CASES,
];

/// Every case, ordered by id.
pub fn all() -> &'static [&'static Case] {
    static ALL: OnceLock<Vec<&'static Case>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all: Vec<&'static Case> = FILES.iter().copied().flatten().collect();
        all.sort_by_key(|case| case.id);
        all
    })
}

/// The case with an id.
pub fn by_id(id: &str) -> Option<&'static Case> {
    let all = all();
    all.binary_search_by_key(&id, |case| case.id)
        .ok()
        .map(|place| all[place])
}

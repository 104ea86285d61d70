//! What runc 1.5.1, crun and youki 0.7.0 do with the properties that not all of them apply.
//!
//! Found by reading their sources, property by property; a property that is not here is applied by
//! all three. Children of a property are not here beside it.

use Does::{Applies, Ignores, IgnoresAndRefusesOnV2, OnV1, OnV1RefusesOnV2, OnV2, OnV2RefusesOnV1};
use Does::{OtherTime, Partly, Refuses};

/// What a runtime does with a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// What the specification says.
    Applies,
    /// Nothing, and goes on.
    Ignores,
    /// Nothing, and fails.
    Refuses,
    /// Applies it with cgroup v1, ignores it with v2.
    OnV1,
    /// Applies it with cgroup v1, fails with v2.
    OnV1RefusesOnV2,
    /// Ignores it with cgroup v1, fails with v2.
    IgnoresAndRefusesOnV2,
    /// Applies it with cgroup v2, ignores it with v1.
    OnV2,
    /// Applies it with cgroup v2, fails with v1.
    OnV2RefusesOnV1,
    /// Uses it for some of what it is for.
    Partly,
    /// Applies it at another time of the container's life than the specification has it.
    OtherTime,
}

/// The runtimes, in the order of the table's columns.
pub(super) const RUNTIMES: [&str; 3] = ["runc", "crun", "youki"];

/// Place of a property, and what runc, crun and youki do with it.
pub(super) const PROPERTIES: &[(&str, [Does; 3])] = &[
    ("process.consoleSize", [Applies, Applies, Ignores]),
    ("process.user.username", [Ignores, Ignores, Ignores]),
    ("process.commandLine", [Ignores, Ignores, Ignores]),
    ("process.selinuxLabel", [Applies, Applies, Ignores]),
    ("mounts[].uidMappings", [Applies, Applies, Refuses]),
    ("mounts[].gidMappings", [Applies, Applies, Refuses]),
    ("hooks.poststart", [OtherTime, Applies, Applies]),
    ("linux.resources.memory.kernel", [Ignores, OnV1, Ignores]),
    ("linux.resources.memory.kernelTCP", [Ignores, OnV1, Ignores]),
    ("linux.resources.memory.swappiness", [OnV1, OnV1, OnV1]),
    (
        "linux.resources.memory.disableOOMKiller",
        [OnV1, OnV1, Ignores],
    ),
    (
        "linux.resources.memory.useHierarchy",
        [Ignores, Ignores, Ignores],
    ),
    (
        "linux.resources.memory.checkBeforeUpdate",
        [Applies, Applies, Ignores],
    ),
    (
        "linux.resources.cpu.realtimeRuntime",
        [OnV1, OnV1RefusesOnV2, OnV1RefusesOnV2],
    ),
    (
        "linux.resources.cpu.realtimePeriod",
        [OnV1, OnV1RefusesOnV2, OnV1RefusesOnV2],
    ),
    (
        "linux.resources.blockIO.leafWeight",
        [OnV1, OnV1, IgnoresAndRefusesOnV2],
    ),
    (
        "linux.resources.blockIO.weightDevice[].leafWeight",
        [OnV1, OnV1, Ignores],
    ),
    ("linux.resources.network.classID", [OnV1, OnV1, OnV1]),
    ("linux.resources.network.priorities", [OnV1, OnV1, OnV1]),
    ("linux.resources.rdma", [Applies, Ignores, Ignores]),
    (
        "linux.resources.unified",
        [OnV2RefusesOnV1, OnV2RefusesOnV1, OnV2],
    ),
    ("linux.mountLabel", [Applies, Applies, Partly]),
    ("linux.personality.flags", [Ignores, Ignores, Ignores]),
    ("linux.intelRdt.enableCMT", [Ignores, Ignores, Ignores]),
    ("linux.intelRdt.enableMBM", [Ignores, Ignores, Ignores]),
    ("solaris", [Ignores, Ignores, Ignores]),
    ("windows", [Ignores, Ignores, Ignores]),
    ("vm", [Ignores, Ignores, Ignores]),
    ("zos", [Ignores, Ignores, Ignores]),
    ("freebsd", [Ignores, Ignores, Ignores]),
];

/// Mount options that one of the three does not know: name, and whether crun and youki do. runc
/// knows all that the specification lists.
pub(super) const MOUNT_OPTIONS: &[(&str, bool, bool)] = &[
    ("iversion", false, false),
    ("noiversion", false, false),
    ("lazytime", false, false),
    ("nolazytime", false, false),
    ("loud", false, false),
    ("silent", false, false),
    ("nosymfollow", false, false),
    ("symfollow", false, false),
    ("rnosymfollow", false, true),
    ("rsymfollow", false, true),
    ("ridmap", false, false),
    ("idmap", true, false),
    ("tmpcopyup", true, false),
];

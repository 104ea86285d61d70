//! What a case is: one declaration in the file of its section.

use oci_runtime_schemas::{Catalogue, Clause};

use crate::trial::{Stop, Trial};

/// One scenario with the clauses that it judges.
pub struct Case {
    /// Says what holds: `hostname/is-set-in-the-new-uts-namespace`. Lower case, `/` between topic
    /// and statement.
    pub id: &'static str,
    /// Ids of the clauses that it judges. The first is the one that a refusal to create or start
    /// the case's container breaks. Judging a clause that is not listed makes the case `broken`.
    pub judges: &'static [&'static str],
    /// What the case needs from the host or the subject; unmet, it is `inapplicable`.
    pub needs: &'static [Need],
    /// The scenario. It returns `Err` to stop early; what it judged until then stands.
    pub run: fn(&mut Trial) -> Result<(), Stop>,
}

impl Case {
    /// The suite that the case belongs to, by the document of its first clause: clauses of the
    /// specification are in `spec`, ours in `security`, `cli` and `engine`.
    pub fn suite(&self) -> Suite {
        match self
            .judges
            .first()
            .map(|id| id.split('.').next().unwrap_or(""))
        {
            Some("security") => Suite::Security,
            Some("cli") => Suite::Cli,
            Some("engine") => Suite::Engine,
            _ => Suite::Spec,
        }
    }

    /// The clauses' entries in the catalogue; ids that it lacks are left out (a test forbids them).
    pub fn clauses(&self) -> impl Iterator<Item = &'static Clause> + use<'_> {
        self.judges
            .iter()
            .filter_map(|id| Catalogue::get().by_id(id))
    }
}

/// `--suite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Suite {
    /// Clauses of the OCI Runtime Specification.
    Spec,
    /// The command line that engines use; beyond the specification.
    Cli,
    /// Attacks on the runtime; beyond the specification.
    Security,
    /// What engines rely on; beyond the specification.
    Engine,
}

impl Suite {
    /// The word that the command line and reports use.
    pub fn word(self) -> &'static str {
        match self {
            Suite::Spec => "spec",
            Suite::Cli => "cli",
            Suite::Security => "security",
            Suite::Engine => "engine",
        }
    }
}

/// What a case needs beyond a subject that runs the plain container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The harness runs with root's privileges, if not in the initial user namespace.
    Root,
    /// Containers share the host's kernel, so that inode numbers of namespaces and the host's
    /// `/proc/PID` tell about the container process.
    SharedKernel,
    /// Namespaces of this type can be made (name as in `/proc/self/ns`).
    Namespace(&'static str),
    /// A new user namespace with more than one mapped id can be made.
    UserMappings,
    /// A cgroup v1 hierarchy with this controller is mounted and writable.
    CgroupV1(&'static str),
    /// This controller exists in the v2 hierarchy that is mounted at `/sys/fs/cgroup`.
    CgroupV2(&'static str),
    /// This controller exists and is writable in whichever hierarchy the host has.
    Controller(&'static str),
    /// The kernel is this or newer.
    Kernel(u32, u32),
    /// The harness may raise and lower what CAP_SYS_RESOURCE governs.
    CapSysResource,
    /// The subject has this capability where it counts for containers, and can grant it.
    Capability(&'static str),
    /// Rules for devices can be put in force, whatever they allow.
    DeviceRules,
    /// A file or directory exists on the host.
    Path(&'static str),
    /// The kernel knows this file system type.
    FileSystem(&'static str),
    /// The subject's state directory can be set (`--root`).
    StateRoot,
    /// The subject has a `features` command that prints a features document.
    Features,
    /// The subject has this command beyond the specification's operations: its help knows it.
    Command(&'static str),
    /// The kernel can idmap mounts of the work directory's file system.
    IdmappedMounts,
    /// AppArmor is enabled, and a profile of this name loaded.
    AppArmorProfile(&'static str),
}

impl Need {
    /// The need in words, to stand behind "needs".
    pub fn words(self) -> String {
        match self {
            Need::Root => "root".into(),
            Need::SharedKernel => {
                "a container that shares the host's kernel (the subject brings its own)".into()
            }
            Need::Namespace(kind) => format!("{kind} namespaces that can be made"),
            Need::UserMappings => "user namespaces with a range of ids to map".into(),
            Need::CgroupV1(controller) => format!("the cgroup v1 controller {controller}"),
            Need::CgroupV2(controller) => format!("the cgroup v2 controller {controller}"),
            Need::Controller(controller) => format!("the cgroup controller {controller}"),
            Need::Kernel(major, minor) => format!("kernel {major}.{minor} or newer"),
            Need::CapSysResource => "CAP_SYS_RESOURCE".into(),
            Need::Capability(name) => name.to_string(),
            Need::DeviceRules => "a cgroup that takes rules for devices".into(),
            Need::Path(path) => path.to_string(),
            Need::FileSystem(name) => format!("the file system {name}"),
            Need::StateRoot => "a subject that takes --root".into(),
            Need::Features => "a subject with a features command".into(),
            Need::Command(name) => format!("a subject with the command {name}"),
            Need::IdmappedMounts => "idmapped mounts on the work directory's file system".into(),
            Need::AppArmorProfile(name) => format!("AppArmor with the profile {name} loaded"),
        }
    }
}

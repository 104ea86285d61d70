//! The command line, which engines expect to be runc's.

#[cfg(feature = "manual")]
pub(crate) mod manual;
mod quick;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// The reference runtime of the OCI Runtime Specification.
#[derive(Debug, Parser)]
#[command(
    name = "refrun",
    disable_version_flag = true,
    args_override_self = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Cli {
    /// The command line of this process. One that cannot be understood ends it.
    pub(crate) fn of_process() -> Self {
        let words: Vec<_> = std::env::args_os().collect();
        quick::parse(words.get(1..).unwrap_or_default()).unwrap_or_else(|| Cli::parse_from(words))
    }
}

/// Options that stand before the command.
#[derive(Debug, Default, Args)]
pub(crate) struct Global {
    /// Directory in which the state of containers is kept
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// File that warnings and errors are appended to
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Form of the log file
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Let systemd manage cgroups (not supported: cgroups are managed directly)
    #[arg(long)]
    pub(crate) systemd_cgroup: bool,
    /// Accepted as others have it; what the caller may do is found out by itself
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) rootless: Option<String>,
    /// Accepted as others have it; checkpoint and restore are not supported
    #[arg(long, value_name = "FILE")]
    pub(crate) criu: Option<PathBuf>,
    /// Directory to take for the resctrl filesystem, instead of where it is mounted
    #[arg(long, value_name = "DIR")]
    pub(crate) resctrl: Option<PathBuf>,
    /// Tell more
    #[arg(long)]
    pub(crate) debug: bool,
    /// Do as container engines rely on, where the specification says otherwise: delete also stops a created container
    #[arg(long)]
    pub(crate) engine: bool,
    /// Print the version
    #[arg(long, short = 'v')]
    pub(crate) version: bool,
}

/// Form of the log file.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines of key=value
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// The operations.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a container from a bundle
    Create(CreateArgs),
    /// Run the program of a created container
    Start {
        /// The container
        id: String,
    },
    /// Print the state of a container
    State {
        /// The container
        id: String,
    },
    /// Send a signal to the container process
    Kill {
        /// To every process of the container
        #[arg(long, short)]
        all: bool,
        /// The container
        id: String,
        /// Name or number
        #[arg(default_value = "TERM", allow_hyphen_values = true)]
        signal: String,
    },
    /// Delete a stopped container
    Delete {
        /// Kill the container first if it lives, and be content if there is none
        #[arg(long, short)]
        force: bool,
        /// The container
        id: String,
    },
    /// Create, start, wait and delete in one
    Run {
        #[command(flatten)]
        create: CreateArgs,
        /// Leave the container running
        #[arg(long, short)]
        detach: bool,
        /// Do not delete the container when it has stopped
        #[arg(long)]
        keep: bool,
        /// Accepted as others have it; this command never adopts the orphans of a container
        #[arg(long)]
        no_subreaper: bool,
    },
    /// Run one more program in a container
    Exec(ExecArgs),
    /// List the containers
    #[command(visible_alias = "ls")]
    List {
        /// Form of the list
        #[arg(long, short, default_value = "table")]
        format: ListFormat,
        /// Only the ids
        #[arg(long, short)]
        quiet: bool,
    },
    /// Stop all processes of a container for a while
    Pause {
        /// The container
        id: String,
    },
    /// Let a paused container go on
    Resume {
        /// The container
        id: String,
    },
    /// List the processes of a container
    Ps {
        /// Form of the list
        #[arg(long, short, default_value = "table")]
        format: ListFormat,
        /// The container
        id: String,
        /// Options for ps(1), which makes the table (default: -ef)
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Change the resource limits of a container
    Update(UpdateArgs),
    /// Print what a container uses, again and again, and when it runs out of memory
    Events {
        /// Print what it uses once and end
        #[arg(long)]
        stats: bool,
        /// Time between two reports, such as 5s or 500ms
        #[arg(long, value_name = "TIME", default_value = "5s", value_parser = crate::events::parse_interval)]
        interval: Duration,
        /// The container
        id: String,
    },
    /// Refused: writing a container to disk needs CRIU, for which there is no support
    Checkpoint(Unsupported),
    /// Refused: reading a container from disk needs CRIU, for which there is no support
    Restore(Unsupported),
    /// Print what the runtime implements
    Features,
    /// Write a configuration to begin with
    Spec {
        /// Directory of the bundle
        #[arg(long, short, default_value = ".")]
        bundle: PathBuf,
        /// For a caller without privilege
        #[arg(long)]
        rootless: bool,
    },
}

/// What create and run have in common.
#[derive(Debug, Default, Args)]
pub(crate) struct CreateArgs {
    /// Directory of the bundle
    #[arg(long, short, default_value = ".")]
    pub(crate) bundle: PathBuf,
    /// File that the pid of the container process is written to
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Socket that the master of the terminal is sent to
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console_socket: Option<PathBuf>,
    /// Number of descriptors from 3 on that the program inherits
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..1 << 30))]
    pub(crate) preserve_fds: u32,
    /// Move the root file system over the old root instead of pivoting to it, which a ramdisk forbids
    #[arg(long)]
    pub(crate) no_pivot: bool,
    /// Keep the caller's session keyring
    #[arg(long)]
    pub(crate) no_new_keyring: bool,
    /// The new container
    pub(crate) id: String,
}

/// How the program of exec is run.
#[derive(Debug, Default, Args)]
pub(crate) struct ExecArgs {
    /// File with the whole of process, instead of the options that follow
    #[arg(long, short, value_name = "FILE")]
    pub(crate) process: Option<PathBuf>,
    /// Working directory
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<String>,
    /// Variable to set
    #[arg(long, short, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// User, as numbers
    #[arg(long, short, value_name = "UID[:GID]")]
    pub(crate) user: Option<String>,
    /// Further group
    #[arg(long, short = 'g', value_name = "GID")]
    pub(crate) additional_gids: Vec<u32>,
    /// Capability to add
    #[arg(long, short, value_name = "NAME")]
    pub(crate) cap: Vec<String>,
    /// Never gain privileges
    #[arg(long)]
    pub(crate) no_new_privs: bool,
    /// AppArmor profile
    #[arg(long, value_name = "PROFILE")]
    pub(crate) apparmor: Option<String>,
    /// SELinux label
    #[arg(long, value_name = "LABEL")]
    pub(crate) process_label: Option<String>,
    /// Give it a terminal
    #[arg(long, short)]
    pub(crate) tty: bool,
    /// Socket that the master of the terminal is sent to
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console_socket: Option<PathBuf>,
    /// File that the pid is written to
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Return as soon as the program runs
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Number of descriptors from 3 on that the program inherits
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..1 << 30))]
    pub(crate) preserve_fds: u32,
    /// Keep the caller's session keyring
    #[arg(long)]
    pub(crate) no_new_keyring: bool,
    /// Existing group below the container's own, in all hierarchies or in those of the controllers
    #[arg(long, value_name = "[CONTROLLER[,…]:]PATH")]
    pub(crate) cgroup: Vec<String>,
    /// Also in a paused container: the program runs when the container is resumed
    #[arg(long)]
    pub(crate) ignore_paused: bool,
    /// The container
    pub(crate) id: String,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

/// What update changes. 0 leaves a number as it is.
#[derive(Debug, Default, Args)]
pub(crate) struct UpdateArgs {
    /// File with a document of the form of linux.resources, or - for the standard input; the options that follow are then ignored
    #[arg(long, short, value_name = "FILE")]
    pub(crate) resources: Option<PathBuf>,
    /// Weight of block I/O, from 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    pub(crate) blkio_weight: Option<u16>,
    /// Period of the CPU limit, in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    pub(crate) cpu_period: Option<u64>,
    /// CPU time within a period, in microseconds; -1 is no limit
    #[arg(long, value_name = "MICROSECONDS", allow_negative_numbers = true)]
    pub(crate) cpu_quota: Option<i64>,
    /// CPU time that may be saved up for bursts, in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    pub(crate) cpu_burst: Option<u64>,
    /// Share of the CPU time, relative to others
    #[arg(long, value_name = "SHARES", visible_alias = "cpu-shares")]
    pub(crate) cpu_share: Option<u64>,
    /// Period of the real-time CPU limit, in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    pub(crate) cpu_rt_period: Option<u64>,
    /// Real-time CPU time within a period, in microseconds
    #[arg(long, value_name = "MICROSECONDS", allow_negative_numbers = true)]
    pub(crate) cpu_rt_runtime: Option<i64>,
    /// 1 to run only when nobody else does
    #[arg(long, value_name = "0|1")]
    pub(crate) cpu_idle: Option<i64>,
    /// CPUs, such as 0-3,8
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_cpus: Option<String>,
    /// Memory nodes
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_mems: Option<String>,
    /// Memory, in bytes or with a unit such as 64M; -1 is no limit
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = crate::update::parse_size)]
    pub(crate) memory: Option<i64>,
    /// Memory that is left to the container when memory is short
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = crate::update::parse_size)]
    pub(crate) memory_reservation: Option<i64>,
    /// Memory and swap together; -1 is no limit
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true, value_parser = crate::update::parse_size)]
    pub(crate) memory_swap: Option<i64>,
    /// Number of processes; -1 is no limit
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) pids_limit: Option<i64>,
    /// Schema for the L3 cache, as linux.intelRdt.l3CacheSchema
    #[arg(long, value_name = "SCHEMA")]
    pub(crate) l3_cache_schema: Option<String>,
    /// Schema for the memory bandwidth, as linux.intelRdt.memBwSchema
    #[arg(long, value_name = "SCHEMA")]
    pub(crate) mem_bw_schema: Option<String>,
    /// The container
    pub(crate) id: String,
}

/// The command line of a command that is refused, whatever it says.
#[derive(Debug, Args)]
pub(crate) struct Unsupported {
    /// Whatever other runtimes take
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

/// Form of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// Columns
    Table,
    /// One JSON array
    Json,
}

//! `refrun`, the OCI Runtime Specification as a program.
//!
//! One process does one operation and ends; what lives on is the container and
//! its directory below the state root. `create.rs` and `init.rs` have the two
//! tables of stages from which everything else can be found.

mod cgroup;
mod channel;
mod cli;
mod create;
mod delete;
mod devices;
mod document;
mod error;
mod events;
mod exec;
mod features;
mod hooks;
mod id_mappings;
mod init;
mod intel_rdt;
mod kill;
mod launch;
mod limited_file;
mod list;
mod listen_fds;
mod listener;
mod log;
mod members;
mod memory_policy;
mod mounts;
mod namespaces;
mod net_devices;
mod output;
mod paths;
mod personality;
mod plan;
mod previous_limits;
mod process;
mod procfs;
mod protect;
mod ps;
mod root;
mod rootfs;
mod run;
mod salvage;
mod seccomp;
mod spec;
mod start;
mod state;
mod store;
mod subgroups;
mod sys;
mod sysctl;
mod takeover;
mod terminal;
mod time_offsets;
mod update;
mod validate;

use clap::CommandFactory;
use cli::{Cli, Command, CreateArgs, ExecArgs, Global, LogFormat};
use create::Options;
use delete::Mercy;
use error::{CallContext, Error, Result};
use kill::Whom;
use state::Container;
use std::process::ExitCode;
use store::Store;

fn main() -> ExitCode {
    #[cfg(feature = "manual")]
    match cli::manual::is_asked_for() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("refrun: error: write the manual: {error}");
            return ExitCode::FAILURE;
        }
    }
    let cli = Cli::of_process();
    if cli.global.version {
        return match print_version() {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("refrun: error: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let Some(command) = cli.command else {
        // A usage error, as for a command that is unknown.
        eprintln!("{}", Cli::command().render_help());
        return ExitCode::from(2);
    };
    let absent = absent_descriptor(&command);
    let json = cli.global.log_format == LogFormat::Json;
    if let Err(error) = log::open(cli.global.log.as_deref(), json, cli.global.debug) {
        eprintln!(
            "refrun: error: open({:?}): {error}",
            cli.global.log.unwrap_or_default()
        );
        return ExitCode::FAILURE;
    }
    let done = match absent {
        Some(number) => Err(Error::new(format!(
            "--preserve-fds or LISTEN_FDS: descriptor {number} is not open"
        ))),
        None => dispatch(&cli.global, command),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            log::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The first descriptor that is to be passed on and that the caller has not given. To be asked before
/// anything is opened: the number would be that of something of the runtime's own later.
fn absent_descriptor(command: &Command) -> Option<u32> {
    let preserve_fds = match command {
        Command::Create(arguments) => arguments.preserve_fds,
        Command::Run { create, .. } => create.preserve_fds,
        Command::Exec(arguments) => arguments.preserve_fds,
        _ => return None,
    };
    let mut numbers = 3..3 + listen_fds::received() + preserve_fds;
    numbers.find(|number| !sys::files::is_open(number.cast_signed()))
}

fn dispatch(global: &Global, command: Command) -> Result<ExitCode> {
    if global.systemd_cgroup {
        return Err(Error::new(
            "--systemd-cgroup is not supported: cgroups are managed directly",
        ));
    }
    let store = Store::new(global.root.clone());
    match command {
        Command::Create(arguments) => {
            let options = prepare(global, &arguments)?;
            create::create(&store, &arguments.id, &options)?;
        }
        Command::Run {
            create,
            detach,
            keep,
            no_subreaper: _,
        } => {
            let options = prepare(global, &create)?;
            return run::run(&store, &create.id, options, run::Manner { detach, keep });
        }
        Command::Start { id } => start::start(&store, &id)?,
        Command::State { id } => {
            let state = Container::load(store.open(&id)?)?.state();
            output::line(format_args!("{state:#}"))?;
        }
        Command::Kill { id, signal, all } => {
            kill::kill(
                &store,
                &id,
                &signal,
                if all { Whom::All } else { Whom::Process },
            )?;
        }
        Command::Delete { id, force } => {
            let mercy = match (force, global.engine) {
                (true, _) => Mercy::Force,
                (false, true) => Mercy::Created,
                (false, false) => Mercy::None,
            };
            delete::delete(&store, &id, mercy)?;
        }
        Command::Exec(arguments) => return exec(&store, arguments),
        Command::List { format, quiet } => list::list(&store, format, quiet)?,
        Command::Pause { id } => set_frozen(&store, &id, true)?,
        Command::Resume { id } => set_frozen(&store, &id, false)?,
        Command::Ps {
            format,
            id,
            options,
        } => return ps::ps(&store, &id, format, &options),
        Command::Update(arguments) => update::update(&store, &arguments)?,
        Command::Events {
            stats,
            interval,
            id,
        } => events::events(&store, &id, (!stats).then_some(interval))?,
        Command::Checkpoint(_) => return Err(no_criu("checkpoint")),
        Command::Restore(_) => return Err(no_criu("restore")),
        Command::Features => {
            output::line(format_args!("{:#}", features::document()))?;
        }
        Command::Spec { bundle, rootless } => spec::write(&bundle, rootless)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Engines offer these commands where a runtime has them, so that the refusal says what is missing.
fn no_criu(command: &str) -> Error {
    Error::new(format!(
        "{command} is not supported: it needs CRIU, which this runtime cannot drive"
    ))
}

/// What has to be so before a container process is made.
fn prepare(global: &Global, arguments: &CreateArgs) -> Result<Options> {
    let listen_fds = listen_fds::received();
    isolate(listen_fds + arguments.preserve_fds)?;
    Ok(Options {
        bundle: arguments.bundle.clone(),
        pid_file: arguments.pid_file.clone(),
        console_socket: arguments.console_socket.clone(),
        preserve_fds: listen_fds + arguments.preserve_fds,
        listen_fds,
        new_keyring: !arguments.no_new_keyring,
        pivot: !arguments.no_pivot,
        resctrl: global.resctrl.clone(),
    })
}

/// What this process has open or is must not reach the container.
fn isolate(preserve_fds: u32) -> Result<()> {
    // Descriptors that the caller forgot.
    sys::files::close_from(3 + preserve_fds).call(|| "close_range()")?;
    sys::files::fill_standard_streams().call(|| "open(\"/dev/null\")")?;
    protect::ensure_protected_binary()
}

fn exec(store: &Store, arguments: ExecArgs) -> Result<ExitCode> {
    let listen_fds = listen_fds::received();
    isolate(listen_fds + arguments.preserve_fds)?;
    let options = exec::Options {
        process: arguments.process,
        arguments: arguments.command,
        cwd: arguments.cwd,
        env: arguments.env,
        user: arguments.user,
        additional_gids: arguments.additional_gids,
        capabilities: arguments.cap,
        no_new_privileges: arguments.no_new_privs,
        apparmor: arguments.apparmor,
        label: arguments.process_label,
        terminal: arguments.tty,
        console_socket: arguments.console_socket,
        pid_file: arguments.pid_file,
        detach: arguments.detach,
        preserve_fds: listen_fds + arguments.preserve_fds,
        listen_fds,
        new_keyring: !arguments.no_new_keyring,
        cgroups: arguments.cgroup,
        ignore_paused: arguments.ignore_paused,
    };
    exec::exec(store, &arguments.id, &options)
}

fn set_frozen(store: &Store, id: &str, frozen: bool) -> Result<()> {
    let refused = |container: &Container| {
        let wanted = if frozen {
            state::Status::Running
        } else {
            state::Status::Paused
        };
        let thaws_created = !frozen && container.record.cgroup.is_frozen();
        (container.status != wanted && !thaws_created).then(|| {
            Error::new(format!(
                "the container is {} and not {}",
                container.status.name(),
                wanted.name()
            ))
        })
    };
    let container = if frozen {
        Container::lock(store, id, refused)?
    } else {
        // Without the lock: whoever has it may wait for a process that is frozen.
        let container = Container::load(store.open(id)?)?;
        refused(&container).map_or(Ok(container), Err)?
    };
    container.record.cgroup.set_frozen(frozen)
}

fn print_version() -> Result<bool> {
    output::line(format_args!(
        "refrun version {}\nspec: {}",
        env!("CARGO_PKG_VERSION"),
        state::SPEC_VERSION
    ))
}

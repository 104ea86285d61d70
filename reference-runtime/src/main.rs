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
mod exec;
mod features;
mod hooks;
mod id_mappings;
mod init;
mod kill;
mod launch;
mod list;
mod log;
mod memory_policy;
mod mounts;
mod namespaces;
mod net_devices;
mod paths;
mod personality;
mod plan;
mod process;
mod procfs;
mod protect;
mod root;
mod rootfs;
mod run;
mod seccomp;
mod spec;
mod start;
mod state;
mod store;
mod sys;
mod sysctl;
mod terminal;
mod time_offsets;
mod validate;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command, CreateArgs, ExecArgs, Global, LogFormat};
use create::Options;
use delete::Mercy;
use error::{CallContext, Error, Result};
use kill::Whom;
use state::Container;
use std::process::ExitCode;
use store::Store;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.global.version {
        print_version();
        return ExitCode::SUCCESS;
    }
    let Some(command) = cli.command else {
        // A usage error, as for a command that is unknown.
        eprintln!("{}", Cli::command().render_help());
        return ExitCode::from(2);
    };
    let json = cli.global.log_format == LogFormat::Json;
    if let Err(error) = log::open(cli.global.log.as_deref(), json, cli.global.debug) {
        eprintln!(
            "refrun: error: open({:?}): {error}",
            cli.global.log.unwrap_or_default()
        );
        return ExitCode::FAILURE;
    }
    match dispatch(&cli.global, command) {
        Ok(code) => code,
        Err(error) => {
            log::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
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
            let options = prepare(&arguments)?;
            create::create(&store, &arguments.id, &options)?;
        }
        Command::Run {
            create,
            detach,
            keep,
        } => {
            let options = prepare(&create)?;
            return run::run(&store, &create.id, options, run::Manner { detach, keep });
        }
        Command::Start { id } => start::start(&store, &id)?,
        Command::State { id } => println!("{:#}", Container::load(store.open(&id)?)?.state()),
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
        Command::Features => println!("{:#}", features::document()),
        Command::Spec { bundle, rootless } => spec::write(&bundle, rootless)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What has to be so before a container process is made.
fn prepare(arguments: &CreateArgs) -> Result<Options> {
    if arguments.no_pivot {
        log::warning("--no-pivot is ignored: the root is pivoted wherever that is possible");
    }
    isolate(arguments.preserve_fds)?;
    Ok(Options {
        bundle: arguments.bundle.clone(),
        pid_file: arguments.pid_file.clone(),
        console_socket: arguments.console_socket.clone(),
        preserve_fds: arguments.preserve_fds,
        new_keyring: !arguments.no_new_keyring,
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
    isolate(arguments.preserve_fds)?;
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
        preserve_fds: arguments.preserve_fds,
        new_keyring: !arguments.no_new_keyring,
    };
    exec::exec(store, &arguments.id, &options)
}

fn set_frozen(store: &Store, id: &str, frozen: bool) -> Result<()> {
    let entry = store.open(id)?;
    entry.lock()?;
    let container = Container::load(entry)?;
    let wanted = if frozen {
        state::Status::Running
    } else {
        state::Status::Paused
    };
    if container.status != wanted {
        return Err(Error::new(format!(
            "the container is {} and not {}",
            container.status.name(),
            wanted.name()
        )));
    }
    container.record.cgroup.set_frozen(frozen)
}

fn print_version() {
    println!("refrun version {}", env!("CARGO_PKG_VERSION"));
    println!("spec: {}", state::SPEC_VERSION);
}

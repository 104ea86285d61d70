//! `run`: create, start, wait and delete in one.

use crate::create::{self, Options};
use crate::delete::{self, Mercy};
use crate::error::{CallContext, Error, Result};
use crate::log;
use crate::start;
use crate::store::Store;
use crate::sys::process::{self, Child, Ending};
use crate::sys::{socket, terminal};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How the container is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Return as soon as the program runs.
    pub(crate) detach: bool,
    /// Leave the stopped container for `delete`.
    pub(crate) keep: bool,
}

/// Signals that are passed on to the container process.
const FORWARDED: &[i32] = &[
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
];

/// The command. The exit code is the program's.
pub(crate) fn run(
    store: &Store,
    id: &str,
    mut options: Options,
    manner: Manner,
) -> Result<ExitCode> {
    let bundle = create::Bundle::read(id, &options)?;
    let own = !manner.detach && options.console_socket.is_none() && bundle.wants_terminal();
    let relay = if own { Some(Relay::listen()?) } else { None };
    if let Some(relay) = &relay {
        options.console_socket = Some(relay.path.clone());
    }
    let (container, child) = create::make(store, id, bundle, &options)?;
    let master = relay.map(|relay| relay.receive()).transpose()?;
    if let Err(error) = start::start_created(store, container) {
        // A failed start leaves nothing that this command could still be about.
        if let Err(later) = delete::delete(store, id, Mercy::Force) {
            log::warning(&later.stage("cleaning up").to_string());
        }
        return Err(error);
    }
    if manner.detach {
        return Ok(ExitCode::SUCCESS);
    }
    let ending = attend(&child, master)?;
    if !manner.keep {
        delete::delete(store, id, Mercy::Force)?;
    }
    exit_code(ending)
}

/// The end of a program as the end of this one.
pub(crate) fn exit_code(ending: Ending) -> Result<ExitCode> {
    Ok(ExitCode::from(match ending {
        Ending::Exit(status) => status as u8,
        // As shells tell it.
        Ending::Signal(signal) => 128u8.wrapping_add(signal as u8),
    }))
}

/// Passes signals and, with a terminal, bytes on until the process ends.
pub(crate) fn attend(child: &Child, master: Option<OwnedFd>) -> Result<Ending> {
    let signals = process::signal_descriptor(FORWARDED).call(|| "signalfd()")?;
    let stdin = io::stdin();
    let mut terminal = master.map(Terminal::new);
    loop {
        let mut watched = vec![child.pidfd.as_fd(), signals.as_fd()];
        if let Some(terminal) = &terminal {
            watched.push(terminal.master.as_fd());
            if terminal.stdin_open {
                watched.push(stdin.as_fd());
            }
        }
        let ready = process::wait_any(&watched, None).call(|| "poll()")?;
        if ready[1] {
            let signal = process::read_signal(signals.as_fd()).call(|| "read(signalfd)")?;
            match &terminal {
                Some(terminal) if signal == libc::SIGWINCH => terminal.follow_size(),
                // It may have ended meanwhile, which the next turn will see.
                _ => drop(process::pidfd_send_signal(child.pidfd.as_fd(), signal)),
            }
        }
        if let Some(terminal) = &mut terminal {
            if ready.get(3) == Some(&true) {
                terminal.pass_input();
            }
            if ready[2] && !terminal.pass_output() && !ready[0] {
                // The other side is closed: only the end is left to wait for.
                process::wait_readable(child.pidfd.as_fd(), None).call(|| "poll(pidfd)")?;
            }
        }
        if ready[0] {
            if let Some(terminal) = &mut terminal {
                while terminal.pass_output() {}
            }
            return create::wait(child);
        }
    }
}

/// The caller's terminal, joined to the container's.
struct Terminal {
    master: File,
    before: Option<libc::termios>,
    stdin_open: bool,
}

impl Terminal {
    fn new(master: OwnedFd) -> Self {
        // Without a terminal of the caller's, bytes are passed on as they come.
        let before = terminal::make_raw(io::stdin().as_fd()).ok();
        let terminal = Terminal {
            master: master.into(),
            before,
            stdin_open: true,
        };
        terminal.follow_size();
        terminal
    }

    fn follow_size(&self) {
        if let Some((rows, columns)) =
            terminal::size(io::stdin().as_fd()).filter(|size| *size != (0, 0))
        {
            // A size that does not arrive is no reason to end the container.
            let _ = terminal::set_size(self.master.as_fd(), rows, columns);
        }
    }

    fn pass_input(&mut self) {
        let mut buffer = [0; 4096];
        match io::stdin().read(&mut buffer) {
            Ok(length) if length > 0 => {
                let _ = self.master.write_all(&buffer[..length]);
            }
            _ => {
                // The end of the input is, to a terminal, its end-of-file character.
                let _ = self.master.write_all(&[4]);
                self.stdin_open = false;
            }
        }
    }

    /// False at the end: reading a master whose other side is closed is an error.
    fn pass_output(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.master.read(&mut buffer) {
            Ok(length) if length > 0 => {
                let mut stdout = io::stdout();
                stdout
                    .write_all(&buffer[..length])
                    .and_then(|()| stdout.flush())
                    .is_ok()
            }
            _ => false,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // Nothing better can be done for a terminal that has gone.
            let _ = terminal::set_attributes(io::stdin().as_fd(), before);
        }
    }
}

/// A console socket of our own, for a container with a terminal.
pub(crate) struct Relay {
    path: PathBuf,
    directory: PathBuf,
    listener: OwnedFd,
}

impl Relay {
    /// Listens at a place of its own.
    pub(crate) fn listen() -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("refrun-console-{}", std::process::id()));
        // For this user alone, whatever the umask: who else connects would give a terminal of theirs.
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .call(|| format!("mkdir({directory:?})"))?;
        let path = directory.join("socket");
        let listener = socket::unix_socket(libc::SOCK_STREAM).call(|| "socket(AF_UNIX)")?;
        let relay = Relay {
            path,
            directory,
            listener,
        };
        socket::listen(relay.listener.as_fd(), relay.path.as_os_str())
            .call(|| format!("bind({:?})", relay.path))?;
        Ok(relay)
    }

    /// Where it listens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The master of the terminal.
    pub(crate) fn receive(&self) -> Result<OwnedFd> {
        let connection = socket::accept(self.listener.as_fd()).call(|| "accept4(console)")?;
        let (_, master) =
            socket::receive(connection.as_fd(), &mut [0; 64]).call(|| "recvmsg(console)")?;
        master.ok_or_else(|| Error::new("no terminal came over the console socket"))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Left-overs in the temporary directory harm nobody.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_dir(&self.directory);
    }
}

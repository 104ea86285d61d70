//! `start`: tells the waiting container process to become the program, learns
//! whether it did, and runs the poststart hooks.
//!
//! The two talk over the socket in the container's directory. The process's end
//! is closed by a successful exec, so that the end of the connection is the
//! good news; everything else is told before.

use crate::delete;
use crate::error::{CallContext, Error, Result};
use crate::hooks::{self, Hooks};
use crate::listener;
use crate::state::{Container, Status, document};
use crate::store::{Entry, Store};
use crate::sys::memory::SharedFlag;
use crate::sys::{process, socket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

const GO: &[u8] = b"start";
const END: &[u8] = b"end";
const LISTENER: &[u8] = b"listener";

/// Why the program does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing has happened: the container is still created.
    Refused,
    /// The container process has ended.
    Ended,
    /// A startContainer hook failed: the container has to go.
    HookFailed,
}

impl Answer {
    const ALL: &[(u8, Answer)] = &[
        (b'R', Answer::Refused),
        (b'E', Answer::Ended),
        (b'H', Answer::HookFailed),
    ];

    fn letter(self) -> u8 {
        Self::ALL
            .iter()
            .find(|(_, answer)| *answer == self)
            .map_or(b'E', |(letter, _)| *letter)
    }
}

/// The container process's side: a `start` that waits for its outcome.
#[derive(Debug)]
pub(crate) struct Waiting(OwnedFd);

impl Waiting {
    /// Waits for the next connection. None if it only asked whether somebody listens.
    pub(crate) fn accept(listener: BorrowedFd<'_>) -> Result<Option<Self>> {
        let connection = loop {
            match socket::accept(listener) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                // The caller went away before it was accepted.
                Err(error) if error.raw_os_error() == Some(libc::ECONNABORTED) => return Ok(None),
                other => break other.call(|| "accept4(start)")?,
            }
        };
        let mut buffer = [0; 16];
        match socket::receive(connection.as_fd(), &mut buffer) {
            Ok((length, _)) if &buffer[..length] == GO => Ok(Some(Waiting(connection))),
            Ok((length, _)) if &buffer[..length] == END => Err(Error::new("create has ended")),
            _ => Ok(None),
        }
    }

    /// Tells that the seccomp listener will have to be taken.
    pub(crate) fn announce_listener(&self) -> Result<SharedFlag> {
        listener::announce(|message, file| socket::send(self.0.as_fd(), message, Some(file)))
    }

    /// Hands the seccomp listener over.
    pub(crate) fn hand_over(&self, listener: &OwnedFd) -> Result<()> {
        socket::send(self.0.as_fd(), LISTENER, Some(listener.as_fd()))
            .map(drop)
            .call(|| "sendmsg(start, SCM_RIGHTS)")
    }

    /// Tells why the program does not run.
    pub(crate) fn answer(&self, answer: Answer, text: &str) -> Result<()> {
        let mut bytes = vec![answer.letter()];
        bytes.extend_from_slice(text.as_bytes());
        bytes.truncate(8 * 1024);
        socket::send(self.0.as_fd(), &bytes, None)
            .map(drop)
            .call(|| "sendmsg(start)")
    }
}

/// Ends a process that waits for a `start` which cannot come: its create was killed after the
/// process was ready and before the pid was written down, so that nothing else leads to it.
pub(crate) fn end_abandoned(entry: &Entry) -> Result<()> {
    if !entry.is_waiting()? {
        return Ok(());
    }
    let Some(socket) = entry.connect()? else {
        return Ok(());
    };
    match socket::send(socket.as_fd(), END, None) {
        // It has ended by itself since the connection was made: it finds that its create is gone.
        Err(error) if is_closed(&error) => return Ok(()),
        other => other.call(|| "sendmsg(end)")?,
    };
    // The other end is closed by the end of the process.
    let deadline = Some(Instant::now() + Duration::from_secs(10));
    if process::wait_readable(socket.as_fd(), deadline).call(|| "poll(end)")? {
        return Ok(());
    }
    Err(Error::new("the abandoned container process does not end"))
}

fn is_closed(error: &std::io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EPIPE | libc::ECONNRESET | libc::ENOTCONN)
    )
}

/// The command.
pub(crate) fn start(store: &Store, id: &str) -> Result<()> {
    let container = Container::lock(store, id, |container| {
        let status = container.status;
        (status != Status::Created).then(|| {
            Error::new(format!(
                "the container is {} and not created",
                status.name()
            ))
        })
    })?;
    start_created(store, container)
}

/// The same for a container that is locked and known to be created.
pub(crate) fn start_created(store: &Store, container: Container) -> Result<()> {
    if !container.record.startable {
        return Err(Error::new("is required to start the container").at("/process"));
    }
    let hooks = Hooks::kept(&container.record.hooks)?;
    let container = go(container)?;
    let state = document(&container.record, Status::Running).to_string();
    let id = container.record.id.clone();
    // Hooks may ask for the container, also with commands that wait for the lock.
    drop(container);
    if hooks.poststart.is_empty() {
        return Ok(());
    }
    let entry = store.open(&id)?;
    let Err(error) = hooks::run_all(&hooks.poststart, state.as_bytes()) else {
        return Ok(());
    };
    entry.lock()?;
    delete::destroy(Container::load(entry)?);
    Err(error.stage("poststart hook"))
}

/// Sends the word and waits until the program runs.
fn go(container: Container) -> Result<Container> {
    let ended = || Error::new("the container process ended before it became the program");
    if container.record.cgroup.is_frozen() {
        // It could not answer, and this command would wait with the container locked.
        return Err(Error::new(
            "the container process is frozen: resume it first",
        ));
    }
    // Before the word is given: an agent that is not there is no reason for the container to end.
    let agent = container.record.seccomp_agent.as_ref();
    let agent = agent
        .map(|agent| {
            agent
                .connect()
                .map(|connection| (agent.clone(), connection))
        })
        .transpose()?;
    let socket = container.entry.connect()?.ok_or_else(ended)?;
    socket::send(socket.as_fd(), GO, None).call(|| "sendmsg(start)")?;
    let mut buffer = vec![0; 16 * 1024];
    let mut message = socket::receive(socket.as_fd(), &mut buffer).call(|| "recvmsg(start)")?;
    if let Some((agent, connection)) = agent {
        let (length, descriptor) = message;
        if length == 0 {
            return Err(ended());
        }
        let text = &buffer[..length];
        let handed_over = match (descriptor, listener::announced(text)) {
            (Some(memory), Some(number)) => Some(
                container
                    .pidfd()
                    .and_then(|pidfd| listener::take(pidfd.as_fd(), number, &memory))
                    .map(|(listener, flag)| (listener, Some(flag))),
            ),
            (Some(listener), None) if text == LISTENER => Some(Ok((listener, None))),
            _ => None,
        };
        if let Some(handed_over) = handed_over {
            let state = document(&container.record, Status::Created);
            let sent = handed_over.and_then(|(listener, flag)| {
                agent.send(&connection, state, &listener)?;
                if let Some(flag) = flag {
                    flag.raise();
                }
                Ok(())
            });
            if let Err(error) = sent {
                // The program would wait for answers that never come.
                delete::stop(&container)?;
                return Err(error);
            }
            message = socket::receive(socket.as_fd(), &mut buffer).call(|| "recvmsg(start)")?;
        } else {
            message = (length, None);
        }
    }
    let (length, _) = message;
    if length == 0 {
        container.entry.stop_listening();
        return Ok(container);
    }
    let text = String::from_utf8_lossy(&buffer[1..length]).into_owned();
    if buffer[0] == Answer::HookFailed.letter() {
        delete::destroy(container);
    }
    Err(Error::new(text))
}

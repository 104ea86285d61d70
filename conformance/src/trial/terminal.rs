//! The other end of `--console-socket`: where the subject sends the container's terminal.

use std::io::{IoSliceMut, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::cmsg_space;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::operations::lines_of;
use super::{Exit, Stop, Trial};

/// A container's terminal: the master that came over the console socket.
#[derive(Debug)]
pub struct Terminal {
    master: std::fs::File,
    text: Vec<u8>,
}

impl Trial<'_> {
    /// Creates the current container with a console socket and receives what comes over it.
    ///
    /// The terminal is `None` if the subject sent no descriptor before create returned.
    ///
    /// # Errors
    /// As [`Trial::create`]; [`Stop::Broken`] if the socket cannot be made.
    pub fn create_with_terminal(&mut self) -> Result<(Exit, Option<Terminal>), Stop> {
        self.with_terminal(|trial, socket| trial.create_with(&["--console-socket", socket]))
    }

    /// Gives the subject a command with a console socket, and receives what comes over it.
    ///
    /// # Errors
    /// As [`Trial::create_with_terminal`].
    pub fn with_terminal(
        &mut self,
        command: impl FnOnce(&mut Self, &str) -> Result<Exit, Stop>,
    ) -> Result<(Exit, Option<Terminal>), Stop> {
        let path: PathBuf = self.job.directory.join(format!("{}.sock", self.current));
        self.by_hand("# the console socket: something must listen on it, such as `recvtty`");
        let listener = listen(&path)
            .map_err(|error| Stop::Broken(format!("bind {}: {error}", path.display())))?;
        let exit = command(self, &path.display().to_string())?;
        if !exit.succeeded() {
            return Ok((exit, None));
        }
        let terminal = receive(&listener)
            .map_err(|error| Stop::Broken(format!("recvmsg from {}: {error}", path.display())))?;
        Ok((exit, terminal))
    }

    /// Reads the terminal until the probe has said a line of a verb or the other end is closed.
    ///
    /// # Errors
    /// [`Stop::Timeout`] if neither comes.
    pub fn read_terminal(
        &mut self,
        terminal: &mut Terminal,
        verb: &str,
    ) -> Result<Vec<oci_probe::Line>, Stop> {
        let deadline = self.deadline();
        loop {
            let text = String::from_utf8_lossy(&terminal.text).replace("\r\n", "\n");
            let lines = lines_of(&text);
            if lines.iter().any(|line| line.verb == verb) {
                return Ok(lines);
            }
            if !terminal.read_more(deadline) {
                return match Instant::now() >= deadline {
                    true => Err(Stop::Timeout(format!("the terminal to say {verb:?}"))),
                    false => Ok(lines),
                };
            }
        }
    }
}

impl Terminal {
    /// Reads once; `false` at the end, or when the deadline has come.
    fn read_more(&mut self, deadline: Instant) -> bool {
        if !readable(self.master.as_fd(), deadline) {
            return false;
        }
        let mut buffer = [0; 65536];
        match self.master.read(&mut buffer) {
            // EIO: every holder of the other end has closed it.
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.text.extend_from_slice(&buffer[..count]);
                self.text.len() < 8 * 1024 * 1024
            }
        }
    }
}

fn listen(path: &Path) -> std::io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Takes the descriptor that create has sent; it has, or it will not: create has returned.
fn receive(listener: &UnixListener) -> std::io::Result<Option<Terminal>> {
    let stream = match listener.accept() {
        Ok((stream, _)) => stream,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    stream.set_nonblocking(true)?;
    let mut data = [0; 4096];
    let mut space = cmsg_space!([std::os::fd::RawFd; 4]);
    let mut parts = [IoSliceMut::new(&mut data)];
    let message = recvmsg::<()>(
        std::os::fd::AsRawFd::as_raw_fd(&stream),
        &mut parts,
        Some(&mut space),
        MsgFlags::MSG_CMSG_CLOEXEC,
    );
    let message = match message {
        Ok(message) => message,
        Err(nix::Error::EAGAIN | nix::Error::ECONNRESET) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut received: Vec<OwnedFd> = Vec::new();
    // More than there is room for is no terminal either.
    for control in message.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmRights(fds) = control {
            received.extend(fds.into_iter().map(crate::sys::own));
        }
    }
    Ok(received.into_iter().next().map(|master| Terminal {
        master: master.into(),
        text: Vec::new(),
    }))
}

fn readable(fd: std::os::fd::BorrowedFd<'_>, deadline: Instant) -> bool {
    loop {
        let left = deadline
            .saturating_duration_since(Instant::now())
            .as_millis()
            .min(1000);
        let timeout = PollTimeout::from(left as u16);
        match nix::poll::poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
            Ok(ready) if ready > 0 => return true,
            Ok(_) | Err(nix::Error::EINTR) if Instant::now() < deadline => {}
            _ => return false,
        }
    }
}

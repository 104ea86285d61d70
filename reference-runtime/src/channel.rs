//! The one channel between `create` and the process it clones, and its messages.

use crate::error::{CallContext, Error, Result};
use crate::listener;
use crate::sys::socket;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What the new process tells `create`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToParent {
    /// The ferry cloned the container process, which has this pid.
    Cloned(i32),
    /// Something that the specification asks to log and then ignore.
    Warning(String),
    /// The environment stands, the root has not been pivoted yet.
    Mounted,
    /// The container is created; only `start` is waited for.
    Ready {
        /// The kernel refused to set the resource limits from within.
        limits_refused: bool,
    },
    /// Nothing further will come. `hook` tells whether a hook was the cause.
    Failed { error: String, hook: bool },
}

/// What `create` tells the new process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToChild {
    /// The id mappings of the user namespace are written.
    Mapped,
    /// The pid that the ferry told has arrived.
    Known,
    /// The hooks of the runtime namespace have run.
    Proceed,
}

/// What comes between the last message and the program.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The end of the channel, which a successful exec is.
    End,
    /// The seccomp listener.
    Listener(OwnedFd),
    /// The number that the seccomp listener will have, and the memory of the flag to raise.
    Announcement(i32, OwnedFd),
    /// Why there is no program.
    Failed(String),
}

/// One end of the channel.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// Longer messages (only errors can be) are cut.
const LONGEST: usize = 16 * 1024;

impl Channel {
    /// The parent's and the child's end.
    pub(crate) fn pair() -> Result<(Channel, Channel)> {
        let (one, other) = socket::message_pair().call(|| "socketpair(AF_UNIX, SOCK_SEQPACKET)")?;
        Ok((Channel(one), Channel(other)))
    }

    /// Child to parent.
    pub(crate) fn tell_parent(&self, message: &ToParent) -> Result<()> {
        let mut bytes = match message {
            ToParent::Cloned(pid) => format!("c{pid}").into_bytes(),
            ToParent::Warning(text) => format!("w{text}").into_bytes(),
            ToParent::Mounted => b"m".to_vec(),
            ToParent::Ready {
                limits_refused: false,
            } => b"r".to_vec(),
            ToParent::Ready {
                limits_refused: true,
            } => b"l".to_vec(),
            ToParent::Failed { error, hook: false } => format!("f{error}").into_bytes(),
            ToParent::Failed { error, hook: true } => format!("h{error}").into_bytes(),
        };
        bytes.truncate(LONGEST);
        self.send(&bytes)
    }

    /// Parent to child.
    pub(crate) fn tell_child(&self, message: ToChild) -> Result<()> {
        self.send(match message {
            ToChild::Mapped => b"M",
            ToChild::Known => b"K",
            ToChild::Proceed => b"P",
        })
    }

    /// The next message of the child. Its death is an error.
    pub(crate) fn hear_child(&self) -> Result<ToParent> {
        let mut buffer = [0; LONGEST];
        let text = self.receive(&mut buffer)?;
        let rest = || String::from_utf8_lossy(&text[1..]).into_owned();
        match text.first() {
            Some(b'c') => rest()
                .parse()
                .map(ToParent::Cloned)
                .map_err(|_| Error::new("the ferry named no pid")),
            Some(b'w') => Ok(ToParent::Warning(rest())),
            Some(b'm') => Ok(ToParent::Mounted),
            Some(b'r') => Ok(ToParent::Ready {
                limits_refused: false,
            }),
            Some(b'l') => Ok(ToParent::Ready {
                limits_refused: true,
            }),
            Some(b'f') => Ok(ToParent::Failed {
                error: rest(),
                hook: false,
            }),
            Some(b'h') => Ok(ToParent::Failed {
                error: rest(),
                hook: true,
            }),
            _ => Err(Error::new(
                "the container process ended before the container was created",
            )),
        }
    }

    /// What follows the last message before an exec.
    pub(crate) fn hear_exec(&self) -> Result<Heard> {
        let mut buffer = [0; LONGEST];
        let (length, descriptor) =
            socket::receive(self.0.as_fd(), &mut buffer).call(|| "recvmsg(channel)")?;
        let text = &buffer[..length];
        Ok(match (descriptor, listener::announced(text)) {
            (Some(memory), Some(number)) => Heard::Announcement(number, memory),
            (Some(listener), None) => Heard::Listener(listener),
            (None, _) if text.first() == Some(&b'f') => {
                Heard::Failed(String::from_utf8_lossy(&text[1..]).into_owned())
            }
            _ => Heard::End,
        })
    }

    /// Waits for one message of the parent. Its death is an error.
    pub(crate) fn hear_parent(&self, wanted: ToChild) -> Result<()> {
        let mut buffer = [0; 16];
        let heard = match self.receive(&mut buffer)? {
            b"M" => ToChild::Mapped,
            b"K" => ToChild::Known,
            b"P" => ToChild::Proceed,
            _ => {
                return Err(Error::new(
                    "the create command ended before the container was created",
                ));
            }
        };
        if heard == wanted {
            Ok(())
        } else {
            Err(Error::new(format!("heard {heard:?} instead of {wanted:?}")))
        }
    }

    /// The descriptor of this end.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn send(&self, bytes: &[u8]) -> Result<()> {
        socket::send(self.0.as_fd(), bytes, None)
            .map(drop)
            .call(|| "sendmsg(channel)")
    }

    fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8]> {
        let (length, _) = socket::receive(self.0.as_fd(), buffer).call(|| "recvmsg(channel)")?;
        Ok(&buffer[..length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_arrives_as_it_was_sent() {
        let (parent, child) = Channel::pair().unwrap();
        let messages = [
            ToParent::Cloned(42),
            ToParent::Warning("w".into()),
            ToParent::Mounted,
            ToParent::Ready {
                limits_refused: true,
            },
            ToParent::Ready {
                limits_refused: false,
            },
            ToParent::Failed {
                error: "mounts: /mounts/0: …".into(),
                hook: false,
            },
            ToParent::Failed {
                error: String::new(),
                hook: true,
            },
        ];
        for message in &messages {
            child.tell_parent(message).unwrap();
            assert_eq!(&parent.hear_child().unwrap(), message);
        }
        parent.tell_child(ToChild::Mapped).unwrap();
        assert!(child.hear_parent(ToChild::Proceed).is_err());
        drop(parent);
        assert!(child.hear_parent(ToChild::Mapped).is_err());
    }
}

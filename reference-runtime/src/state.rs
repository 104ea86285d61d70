//! `state`: what a container is now, and the state document of the specification.

use crate::error::{CallContext, Error, Result};
use crate::limited_file;
use crate::store::{Entry, Phase, Process, Record, Store};
use crate::sys::process;
use serde_json::{Map, Value};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

/// The version of the specification that the runtime implements, and its documents comply with.
pub(crate) const SPEC_VERSION: &str = "1.3.0";

/// The status of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
}

impl Status {
    /// As the specification spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}

/// A container as it was found.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) entry: Entry,
    pub(crate) record: Record,
    pub(crate) status: Status,
}

impl Container {
    /// Reads the record and asks the kernel what has become of the process.
    pub(crate) fn load(entry: Entry) -> Result<Self> {
        let record = entry.read()?.ok_or_else(|| unborn(&entry))?;
        Self::of(entry, record)
    }

    /// The same with a record that has been read.
    pub(crate) fn of(entry: Entry, record: Record) -> Result<Self> {
        let status = status(&entry, &record)?;
        Ok(Container {
            entry,
            record,
            status,
        })
    }

    /// Locks a container for an operation that may be refused.
    ///
    /// It is asked first without the lock: whoever has that may be long about it (a create whose
    /// hook hangs), and may even wait for the very command that would wait for it.
    pub(crate) fn lock(
        store: &Store,
        id: &str,
        refused: impl Fn(&Container) -> Option<Error>,
    ) -> Result<Self> {
        let entry = store.open(id)?;
        if !entry.try_lock()? {
            if let Some(refusal) = refused(&Container::load(entry.try_clone()?)?) {
                return Err(refusal);
            }
            entry.lock()?;
        }
        let container = Container::load(entry)?;
        match refused(&container) {
            Some(refusal) => Err(refusal),
            None => Ok(container),
        }
    }

    /// The state document.
    pub(crate) fn state(&self) -> Value {
        let process = self.record.process.filter(|process| {
            // A create that was killed has often taken its process along.
            self.status != Status::Creating || is_alive(*process).unwrap_or(true)
        });
        let pid = process.filter(|_| self.status != Status::Stopped);
        document_with_pid(&self.record, self.status, pid.map(|process| process.pid))
    }

    /// A descriptor of the container process, which stays the same process whatever becomes of its pid.
    pub(crate) fn pidfd(&self) -> Result<OwnedFd> {
        let ended = || Error::new("the container process has ended");
        let process = self.record.process.ok_or_else(ended)?;
        let pidfd = match process::pidfd_open(process.pid) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Err(ended()),
            other => other.call(|| format!("pidfd_open({})", process.pid))?,
        };
        // Only now: the pid can no longer change its meaning.
        if is_alive(process)? {
            Ok(pidfd)
        } else {
            Err(ended())
        }
    }
}

/// The state document of a record.
pub(crate) fn document(record: &Record, status: Status) -> Value {
    let pid = record
        .process
        .filter(|_| status != Status::Stopped)
        .map(|process| process.pid);
    document_with_pid(record, status, pid)
}

/// The same with a pid as somebody else sees it.
pub(crate) fn document_with_pid(record: &Record, status: Status, pid: Option<i32>) -> Value {
    let mut state = Map::new();
    state.insert("ociVersion".into(), SPEC_VERSION.into());
    state.insert("id".into(), record.id.as_str().into());
    state.insert("status".into(), status.name().into());
    if let Some(pid) = pid {
        state.insert("pid".into(), pid.into());
    }
    state.insert("bundle".into(), record.bundle.to_string_lossy().into());
    if let Some(annotations) = &record.annotations {
        let map = annotations
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().into()))
            .collect();
        state.insert("annotations".into(), Value::Object(map));
    }
    Value::Object(state)
}

/// Why there is no record.
fn unborn(entry: &Entry) -> Error {
    Error::new(if entry.is_locked() {
        "the container is being created"
    } else {
        "the create of this container was killed: delete it"
    })
}

fn status(entry: &Entry, record: &Record) -> Result<Status> {
    // Also if its create was killed: the container never came to be, and so it has not stopped.
    let Some(process) = record.process.filter(|_| record.phase != Phase::Creating) else {
        return Ok(Status::Creating);
    };
    if !is_alive(process)? {
        return Ok(Status::Stopped);
    }
    // Not noted anywhere but told by the socket, which exec closes: that is the truth, also after
    // a start that was killed right then.
    if entry.is_waiting()? {
        Ok(Status::Created)
    } else if record.cgroup.is_frozen() {
        Ok(Status::Paused)
    } else {
        Ok(Status::Running)
    }
}

/// What procfs says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    /// The state letter.
    letter: u8,
    pub(crate) parent: i32,
    /// The process group.
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// The kernel's flags of the first thread.
    flags: u64,
    threads: u64,
    /// In clock ticks since boot.
    pub(crate) start_time: u64,
}

/// None if there is no such process.
pub(crate) fn process_stat(pid: i32) -> Result<Option<ProcessStat>> {
    let path = format!("/proc/{pid}/stat");
    let text = match File::open(&path).and_then(limited_file::read) {
        Ok(text) => text,
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                || error.raw_os_error() == Some(libc::ESRCH) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(Error::call(format!("read({path:?})"), &error)),
    };
    parse_stat(&text)
        .map(Some)
        .ok_or_else(|| Error::new(format!("{path} cannot be understood")))
}

/// Whether it is this process and it can still run.
///
/// A zombie cannot, nor can one that is exiting: the first process of a pid
/// namespace stays in that state until all others have been reaped, by parents
/// that may be anywhere. Unless further threads live on.
pub(crate) fn is_alive(process: Process) -> Result<bool> {
    const PF_EXITING: u64 = 4;
    Ok(process_stat(process.pid)?.is_some_and(|stat| {
        let ended = matches!(stat.letter, b'Z' | b'X' | b'x') || stat.flags & PF_EXITING != 0;
        stat.start_time == process.start_time && (!ended || stat.threads > 1)
    }))
}

/// The name in the second field may hold anything, so the fields are counted from its last parenthesis.
fn parse_stat(text: &[u8]) -> Option<ProcessStat> {
    let after = text.iter().rposition(|&byte| byte == b')')? + 1;
    let text = std::str::from_utf8(&text[after..]).ok()?;
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    // The first of these is field 3 of proc(5).
    let number = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
    Some(ProcessStat {
        letter: *fields.first()?.as_bytes().first()?,
        parent: number(4)? as i32,
        group: number(5)? as i32,
        session: number(6)? as i32,
        flags: number(9)? as u64,
        threads: number(20)? as u64,
        start_time: number(22)? as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_cannot_forge_its_fields() {
        let text = b"42 (a) Z 1 2) S 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 4711 23";
        let stat = parse_stat(text).unwrap();
        assert_eq!(
            (stat.letter, stat.flags, stat.threads, stat.start_time),
            (b'S', 8, 19, 4711)
        );
        assert_eq!(parse_stat(b"42 (a"), None);
    }

    #[test]
    fn this_process_lives() {
        let pid = std::process::id() as i32;
        let start_time = process_stat(pid).unwrap().unwrap().start_time;
        assert!(is_alive(Process { pid, start_time }).unwrap());
        assert!(
            !is_alive(Process {
                pid,
                start_time: start_time + 1
            })
            .unwrap()
        );
    }
}

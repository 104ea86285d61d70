//! SCMP_ACT_NOTIFY: what comes over the socket at `listenerPath`. The harness is the agent.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Instant;

use nix::cmsg_space;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::{Value, json};

use super::seccomp::filter;
use crate::case::{Case, Need};
use crate::trial::{Refusal, Stop, Trial, When};

const EFFECT: &str = "config-linux.seccomp.action.NOTIFY.effect";
const ONE: &str = "config-linux.seccomp.listener.one-per-connection";
const SOCKET: &str = "config-linux.seccomp.listener.socket-type";
const NO_REUSE: &str = "config-linux.seccomp.listener.no-reuse";
const FDS_FIRST: &str = "config-linux.seccomp.cps.fds-first";
const CLOSED: &str = "config-linux.seccomp.listener.closed";
const SEND_FAILS: &str = "config-linux.seccomp.listener.send-fails";
const IGNORED: &str = "config-linux.seccomp.listener.ignored";
const SECCOMP_FD: &str = "config-linux.seccomp.listener.seccompFd";
const METADATA: &str = "config-linux.seccomp.listenerMetadata.sent";
const JSON: &str = "config-linux.seccomp.cps.json";
const VERSION: &str = "config-linux.seccomp.cps.ociVersion";
const PID: &str = "config-linux.seccomp.cps.pid";
const FDS: &str = "config-linux.seccomp.cps.fds";
const CPS_METADATA: &str = "config-linux.seccomp.cps.metadata";
const STATE: &str = "config-linux.seccomp.cps.state";

/// SECCOMP_RET_USER_NOTIF came with Linux 5.0.
const NEEDS: &[Need] = &[Need::SharedKernel, Need::Kernel(5, 0)];

pub(super) const CASES: &[Case] = &[
    Case {
        id: "seccomp-notify/the-agent-gets-the-state-and-the-descriptor",
        judges: &[
            EFFECT,
            SOCKET,
            ONE,
            NO_REUSE,
            CLOSED,
            SECCOMP_FD,
            FDS,
            FDS_FIRST,
            METADATA,
            CPS_METADATA,
            JSON,
            VERSION,
            PID,
            STATE,
        ],
        needs: NEEDS,
        run: the_agent_gets_state_and_descriptor,
    },
    Case {
        id: "seccomp-notify/no-agent-is-an-error",
        judges: &[SEND_FAILS, EFFECT],
        needs: NEEDS,
        run: no_agent_is_an_error,
    },
    Case {
        id: "seccomp-notify/listener-path-without-the-action-is-ignored",
        judges: &[IGNORED],
        needs: NEEDS,
        run: |trial| {
            let nobody = trial.directory().join("nobody.sock").display().to_string();
            let rule = json!({"names": ["getpriority"], "action": "SCMP_ACT_ERRNO"});
            filter(trial, "SCMP_ACT_ALLOW", json!([rule]));
            trial.set("/linux/seccomp/listenerPath", nobody);
            trial.observe()?;
            trial.expect(IGNORED, "the container runs", "the container runs")
        },
    },
];

/// All that came over one connection.
#[derive(Default)]
pub(super) struct Message {
    pub(super) text: Vec<u8>,
    pub(super) descriptors: Vec<OwnedFd>,
    /// Descriptors that came with anything but the first part.
    late: usize,
    /// Whether the other end closed the connection.
    closed: bool,
}

fn the_agent_gets_state_and_descriptor(trial: &mut Trial) -> Result<(), Stop> {
    let listener = listen(trial)?;
    trial.set("/linux/seccomp/listenerMetadata", "for the agent");
    trial.probe(&["syscall-child", "getpriority", "0", "0"]);
    trial.must_create()?;
    trial.must_start()?;
    let stream = accept(&listener, trial.deadline())?;
    let came = stream.is_some();
    trial.expect_that(
        SOCKET,
        came,
        "a connection to the stream socket at listenerPath",
        came,
    )?;
    let Some(stream) = stream else {
        return trial.give_up();
    };
    let message = receive(&stream, trial.deadline())?;
    trial.expect(CLOSED, true, message.closed)?;
    let values: Vec<Value> = serde_json::Deserializer::from_slice(&message.text)
        .into_iter()
        .flatten()
        .collect();
    let text = String::from_utf8_lossy(&message.text).into_owned();
    trial.expect_that(ONE, values.len() == 1, "exactly one JSON value", &text)?;
    let count = values.len();
    let state = values.into_iter().next().unwrap_or(Value::Null);
    let again = accept(&listener, Instant::now())?.is_some();
    let reused = json!({
        "closed": message.closed, "values": count, "connections": 1 + u32::from(again)
    });
    trial.expect(
        NO_REUSE,
        json!({"closed": true, "values": 1, "connections": 1}),
        reused,
    )?;
    trial.expect_that(JSON, state.is_object(), "a JSON object", &text)?;

    trial.expect_that(
        VERSION,
        state["ociVersion"].is_string(),
        "a string",
        &state["ociVersion"],
    )?;
    trial.expect(METADATA, "for the agent", &state["metadata"])?;
    trial.expect(CPS_METADATA, "for the agent", &state["metadata"])?;
    let (pid, id) = (trial.pid(), trial.id.clone());
    trial.expect(PID, pid, &state["pid"])?;
    trial.expect_in(STATE, "state.id", id, &state["state"]["id"])?;

    if let Some(names) = state["fds"].as_array() {
        trial.expect_in(FDS, "names in fds", message.descriptors.len(), names.len())?;
    }
    let place = state["fds"]
        .as_array()
        .and_then(|names| names.iter().position(|name| name == "seccompFd"));
    let descriptor = place.and_then(|place| message.descriptors.get(place));
    trial.expect_that(
        SECCOMP_FD,
        descriptor.is_some(),
        "a descriptor for each name in fds, seccompFd among them",
        json!({"fds": state["fds"], "descriptors": message.descriptors.len()}),
    )?;
    trial.expect(FDS_FIRST, 0, message.late)?;
    if let Some(descriptor) = descriptor {
        // Readable once a filtered call waits for the agent.
        let notified = is_readable(descriptor.as_fd(), trial.deadline());
        trial.expect_that(EFFECT, notified, "a notification of getpriority", notified)?;
    }
    // Nobody answers: the call waits until the container is killed.
    trial.finish()
}

fn no_agent_is_an_error(trial: &mut Trial) -> Result<(), Stop> {
    let _listener = listen(trial)?;
    let nobody = trial.directory().join("nobody.sock").display().to_string();
    let refusal = Refusal {
        error: SEND_FAILS,
        nothing: None,
        control: EFFECT,
        when: When::CreateOrStart,
        what: "a listenerPath where nobody listens",
    };
    trial.refuses(&refusal, |bundle| {
        bundle.set("/linux/seccomp/listenerPath", nobody)
    })
}

/// Sets a filter that notifies of getpriority(2), and listens where it says.
pub(super) fn listen(trial: &mut Trial) -> Result<UnixListener, Stop> {
    let path: PathBuf = trial.directory().join("agent.sock");
    trial.by_hand(format!("# an agent must listen on {}", path.display()));
    let rule = json!({"names": ["getpriority"], "action": "SCMP_ACT_NOTIFY"});
    filter(trial, "SCMP_ACT_ALLOW", json!([rule]));
    trial.set("/linux/seccomp/listenerPath", path.display().to_string());
    let listener = UnixListener::bind(&path)
        .map_err(|error| Stop::Broken(format!("bind {}: {error}", path.display())))?;
    listener
        .set_nonblocking(true)
        .map_err(|error| Stop::Broken(format!("fcntl: {error}")))?;
    Ok(listener)
}

/// The next connection, if one comes in time.
pub(super) fn accept(
    listener: &UnixListener,
    deadline: Instant,
) -> Result<Option<UnixStream>, Stop> {
    if !is_readable(listener.as_fd(), deadline) {
        return Ok(None);
    }
    let (stream, _) = listener
        .accept()
        .map_err(|error| Stop::Broken(format!("accept: {error}")))?;
    Ok(Some(stream))
}

/// Everything until the other end closes the connection, or the deadline.
pub(super) fn receive(stream: &UnixStream, deadline: Instant) -> Result<Message, Stop> {
    /// No state is as long as this.
    const LIMIT: usize = 1 << 20;
    let mut message = Message::default();
    while message.text.len() < LIMIT && is_readable(stream.as_fd(), deadline) {
        let mut data = [0; 65_536];
        let mut space = cmsg_space!([RawFd; 8]);
        let mut parts = [IoSliceMut::new(&mut data)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
        let received = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), flags)
            .map_err(|errno| Stop::Broken(format!("recvmsg from listenerPath: {errno}")))?;
        let controls = received
            .cmsgs()
            .map_err(|errno| Stop::Broken(format!("cmsgs: {errno}")))?;
        for control in controls {
            if let ControlMessageOwned::ScmRights(descriptors) = control {
                if !message.text.is_empty() {
                    message.late += descriptors.len();
                }
                message
                    .descriptors
                    .extend(descriptors.into_iter().map(crate::sys::own));
            }
        }
        let count = received.bytes;
        if count == 0 {
            message.closed = true;
            break;
        }
        message.text.extend_from_slice(&data[..count]);
    }
    Ok(message)
}

pub(super) fn is_readable(descriptor: BorrowedFd<'_>, deadline: Instant) -> bool {
    loop {
        let left = deadline
            .saturating_duration_since(Instant::now())
            .as_millis()
            .min(1000);
        let timeout = PollTimeout::from(left as u16);
        let mut one = [PollFd::new(descriptor, PollFlags::POLLIN)];
        match poll(&mut one, timeout) {
            // A notification's descriptor hangs up, and is not readable, when the container is gone.
            Ok(ready) if ready > 0 => {
                let events = one[0].revents();
                return events.is_some_and(|events| events.contains(PollFlags::POLLIN));
            }
            Ok(_) | Err(nix::Error::EINTR) if Instant::now() < deadline => {}
            _ => return false,
        }
    }
}

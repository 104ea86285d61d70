//! A trial's supervisor: the process in whose keeping a case runs.
//!
//! The runner executes this program again as `supervise`. That process makes namespaces of its own
//! (mount, UTS, IPC, network, pid; without root inside a user namespace that maps the caller to
//! itself) and forks the keeper, which is pid 1 in there: it reaps what the subject orphans, and
//! when it ends, however it ends, the kernel ends everything below it. For the subject these are
//! the runtime namespaces, and what a changed host would be.
//!
//! Where the host gives no namespaces, the keeper is a child subreaper instead, and processes are
//! ended by walking the tree.

mod floods;

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid};

use crate::case::Case;
use crate::host::abilities::{FENCE, map_to_themselves};
use crate::host::{self, View};
use crate::job::{Halt, Job, Outcome};
use crate::{cases, explore, processes, sys, trial};

/// Hidden first argument by which the runner starts a supervisor.
pub const ARGUMENT: &str = "supervise";

/// Runs a supervisor to its end if the command line asks for one. Must be called first in `main`,
/// while the process has one thread.
pub fn run_if_asked() {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == ARGUMENT)
    {
        std::process::exit(supervise());
    }
}

fn supervise() -> i32 {
    let (job, answer) = match receive() {
        Ok(received) => received,
        Err(why) => {
            eprintln!("oci-conformance supervise: {why}");
            return 3;
        }
    };
    // The runner's death is this process's, and this one's is the keeper's: nothing outlives a
    // runner that was killed outright.
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    let _ = nix::unistd::setsid();
    let mut waited_for = SigSet::empty();
    waited_for.add(Signal::SIGTERM);
    waited_for.add(Signal::SIGCHLD);
    let _ = waited_for.thread_block();

    let fenced = fence(&job);
    match sys::fork() {
        Ok(ForkResult::Child) => {
            let _ = waited_for.thread_unblock();
            let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
            keep(&job, answer, fenced.is_ok());
            0
        }
        Ok(ForkResult::Parent { child }) => {
            drop(answer);
            stand_by(child, &waited_for, &job, fenced.is_ok())
        }
        Err(error) => {
            let halt = Halt::Broken(format!("fork of the trial's keeper: {error}"));
            reply(
                answer,
                &Outcome {
                    halt: Some(halt),
                    ..Outcome::default()
                },
            );
            3
        }
    }
}

/// Reads the job, and takes standard output out of the subject's reach: it is the channel of the
/// answer.
fn receive() -> std::io::Result<(Job, OwnedFd)> {
    let job: Job = serde_json::from_reader(std::io::stdin().lock())?;
    let answer = nix::fcntl::fcntl(std::io::stdout(), nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(10))?;
    // SAFETY is not at stake: F_DUPFD_CLOEXEC has just made the descriptor for us.
    let answer = sys::own(answer);
    let null = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    Ok((job, answer))
}

/// Waits until the keeper has ended, or ends it when the runner says so (SIGTERM). Meanwhile it
/// keeps what the subject writes within bounds.
fn stand_by(keeper: Pid, signals: &SigSet, job: &Job, fenced: bool) -> i32 {
    let Ok(signals) = SignalFd::with_flags(signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
    else {
        let _ = kill(keeper, Signal::SIGKILL);
        return 3;
    };
    loop {
        let _ = processes::poll_readable(signals.as_fd(), TICK);
        while let Ok(Some(signal)) = signals.read_signal() {
            if signal.ssi_signo == Signal::SIGTERM as u32 {
                end(keeper, job, fenced);
                return 1;
            }
        }
        if has_ended(keeper) {
            return 0;
        }
        floods::bound(&job.directory.join("steps"));
    }
}

/// How often what the subject writes is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Ends the keeper with all below it. In a pid namespace its end is everybody's, and `/proc` shows
/// that namespace, in which our pids are others'; elsewhere the tree is walked.
fn end(keeper: Pid, job: &Job, fenced: bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    if !fenced {
        processes::kill_descendants(keeper.as_raw(), deadline);
    }
    let _ = kill(keeper, Signal::SIGKILL);
    trial::thaw_cgroups(job);
    while !has_ended(keeper) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn has_ended(child: Pid) -> bool {
    matches!(
        waitpid(child, Some(nix::sys::wait::WaitPidFlag::WNOHANG)),
        Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(nix::Error::ECHILD)
    )
}

/// Gives this process's future children namespaces of their own.
fn fence(job: &Job) -> nix::Result<()> {
    let (uid, gid) = job.host.ids;
    if job.host.root() {
        unshare(FENCE)?;
    } else {
        // Where no container can be made there can be no fence either.
        if job.host.hindrance.is_some() {
            return Err(nix::Error::EPERM);
        }
        unshare(FENCE | CloneFlags::CLONE_NEWUSER)?;
        map_to_themselves([uid, gid]).map_err(|_| nix::Error::EPERM)?;
    }
    Ok(())
}

/// The keeper: runs the case and answers with the outcome.
fn keep(job: &Job, answer: OwnedFd, fenced: bool) {
    let started = Instant::now();
    let _ = nix::sys::prctl::set_child_subreaper(true);
    let mut outcome = match furnish(job, fenced) {
        Ok(()) => match case_of(job) {
            Some(case) => trial::run(case, job),
            None => broken(format!("no case {}", job.case)),
        },
        Err(why) => broken(why),
    };
    outcome.fenced = fenced;
    outcome.seconds = started.elapsed().as_secs_f64();
    reply(answer, &outcome);
}

fn case_of(job: &Job) -> Option<&'static Case> {
    match &job.task {
        Some(task) => Some(explore::case_for(task)),
        None => cases::by_id(&job.case),
    }
}

fn broken(why: String) -> Outcome {
    Outcome {
        halt: Some(Halt::Broken(why)),
        ..Outcome::default()
    }
}

/// Makes the new namespaces habitable: mounts that do not propagate, a `/proc` of this pid
/// namespace, and the asked-for view of the host's cgroups.
fn furnish(job: &Job, fenced: bool) -> Result<(), String> {
    if !fenced {
        return Ok(());
    }
    const NONE: Option<&str> = None;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .map_err(|errno| format!("mount(none, \"/\", MS_REC|MS_PRIVATE): {errno}"))?;
    // A shared root is what most hosts have and what rootfsPropagation is judged against.
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SHARED, NONE)
        .map_err(|errno| format!("mount(none, \"/\", MS_REC|MS_SHARED): {errno}"))?;
    mount(
        Some("proc"),
        "/proc",
        Some("proc"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        NONE,
    )
    .map_err(|errno| format!("mount(\"proc\", \"/proc\", \"proc\"): {errno}"))?;
    if job.host.view == View::V1 {
        hide_unified()?;
    }
    Ok(())
}

/// Hides a v2 hierarchy that is mounted beside v1 ones.
///
/// Below it is the host's own tmpfs of mount points, and a subject that goes by `/proc/self/cgroup`,
/// which cannot be made to hide the hierarchy, writes there as if it still were a hierarchy (crun
/// makes the directories, and a plain file `cgroup.procs`). So a small one of the trial's own is
/// laid over it, which ends with the trial.
fn hide_unified() -> Result<(), String> {
    let all = host::hierarchies(&host::read("/proc/self/mountinfo"));
    if all.iter().all(|hierarchy| hierarchy.unified) {
        return Ok(());
    }
    for hierarchy in all.iter().filter(|hierarchy| hierarchy.unified) {
        let point = &hierarchy.mount_point;
        // In a user namespace inherited mounts are locked, and stay below.
        let _ = umount2(point, MntFlags::MNT_DETACH);
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let (kind, options) = (Some("tmpfs"), Some("size=1m,mode=755"));
        mount(kind, point, kind, flags, options)
            .map_err(|errno| format!("mount(\"tmpfs\", {point:?}, \"tmpfs\"): {errno}"))?;
    }
    Ok(())
}

fn reply(answer: OwnedFd, outcome: &Outcome) {
    let mut answer = std::fs::File::from(answer);
    let text = serde_json::to_vec(outcome).unwrap_or_default();
    // A runner that has gone takes no answer, and needs none.
    let _ = answer.write_all(&text);
}

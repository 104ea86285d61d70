//! A sweep that is interrupted takes its trials away with it: their processes, their cgroups, its
//! directory.

use crate::remains::Remains;
use crate::sys;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

/// The trials that run.
#[derive(Debug, Default)]
pub(crate) struct Trials(Mutex<Running>);

#[derive(Debug, Default)]
struct Running {
    pids: BTreeSet<u32>,
    interrupted: bool,
}

/// The id of the container of the trial in a process.
pub(crate) fn id_of_trial(pid: u32) -> String {
    // No other trial's id has this one as a part.
    format!("inject-{pid}-trial")
}

impl Trials {
    /// Takes over the signals that end a sweep, and the processes that trials leave; before the
    /// first thread is begun, since each inherits what is blocked.
    pub(crate) fn take_over(place: &Path) -> io::Result<&'static Trials> {
        static TRIALS: OnceLock<Trials> = OnceLock::new();
        let trials = TRIALS.get_or_init(Trials::default);
        sys::become_subreaper()?;
        sys::block_endings()?;
        let place = place.to_owned();
        thread::spawn(move || {
            let signal = sys::wait_for_ending();
            trials.end(&place);
            // As a shell tells of a program that a signal has ended.
            std::process::exit(128 + signal);
        });
        Ok(trials)
    }

    /// Begins the process of a trial.
    pub(crate) fn begin(&self, command: &mut Command) -> io::Result<Child> {
        let mut running = self.uninterrupted();
        let child = command.spawn()?;
        running.pids.insert(child.id());
        Ok(child)
    }

    /// The trial in a process has ended.
    pub(crate) fn ended(&self, pid: u32) {
        self.uninterrupted().pids.remove(&pid);
    }

    /// Does not return once the sweep is interrupted: what becomes of a trial then tells nothing.
    fn uninterrupted(&self) -> MutexGuard<'_, Running> {
        loop {
            let running = self.running();
            if !running.interrupted {
                return running;
            }
            drop(running);
            thread::park();
        }
    }

    fn end(&self, place: &Path) {
        let pids = {
            let mut running = self.running();
            running.interrupted = true;
            running.pids.clone()
        };
        for pid in pids {
            Remains::watch(&id_of_trial(pid), place).clear();
        }
        let _ = fs::remove_dir_all(place);
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

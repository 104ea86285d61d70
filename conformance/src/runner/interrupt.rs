//! SIGINT, SIGTERM and SIGHUP: the run ends, its supervisors with all below them, and its
//! directories and cgroups go before the program does.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

/// Whether a signal has come, and the supervisors to end when one does.
#[derive(Clone, Debug, Default)]
pub struct Interrupts(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    signal: AtomicI32,
    supervisors: Mutex<HashSet<i32>>,
}

impl Interrupts {
    /// Takes over the signals. Must be called before the first thread is started, since every
    /// thread must have them blocked.
    pub fn take_over() -> Interrupts {
        let interrupts = Interrupts::default();
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            signals.add(signal);
        }
        if signals.thread_block().is_ok() {
            let shared = interrupts.clone();
            std::thread::spawn(move || {
                while let Ok(signal) = signals.wait() {
                    shared.0.signal.store(signal as i32, Ordering::SeqCst);
                    for supervisor in shared.0.supervisors.lock().expect("no panic here").iter() {
                        let _ = kill(Pid::from_raw(*supervisor), Signal::SIGTERM);
                    }
                }
            });
        }
        interrupts
    }

    /// Whether a signal has come.
    pub fn came(&self) -> bool {
        self.signal().is_some()
    }

    /// The signal that has come.
    pub fn signal(&self) -> Option<i32> {
        Some(self.0.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Notes a supervisor as long as its process is a child that nobody has waited for: until then
    /// its pid cannot be another's.
    pub(super) fn watch(&self, supervisor: i32) {
        self.0
            .supervisors
            .lock()
            .expect("no panic here")
            .insert(supervisor);
        // The signal may have come between the start of the process and this line.
        if self.came() {
            let _ = kill(Pid::from_raw(supervisor), Signal::SIGTERM);
        }
    }

    /// Forgets a supervisor; to be called before it is waited for.
    pub(super) fn forget(&self, supervisor: i32) {
        self.0
            .supervisors
            .lock()
            .expect("no panic here")
            .remove(&supervisor);
    }
}

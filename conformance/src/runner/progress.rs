//! How far a run is, on standard error: one line that changes on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

use crate::results::{CaseResult, Verdict};

/// See the module.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    label: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    total: usize,
    done: usize,
    bad: usize,
}

impl Progress {
    /// Progress of a subject's run.
    pub fn new(label: &str) -> Progress {
        let label = label.chars().filter(|c| !c.is_control()).collect();
        Progress {
            terminal: std::io::stderr().is_terminal(),
            label,
            state: Mutex::default(),
        }
    }

    pub(super) fn begin(&self, total: usize) {
        *self.lock() = State {
            total,
            ..State::default()
        };
        if !self.terminal {
            eprintln!("{}: judging by {total} cases", self.label);
        }
    }

    pub(super) fn done(&self, result: &CaseResult) {
        let mut state = self.lock();
        state.done += 1;
        let bad = matches!(
            result.verdict,
            Verdict::Fail | Verdict::Timeout | Verdict::Broken
        );
        state.bad += usize::from(bad);
        let State {
            total,
            done,
            bad: bad_total,
        } = *state;
        if self.terminal {
            let mut err = std::io::stderr().lock();
            let id: String = result.id.chars().take(48).collect();
            let _ = write!(
                err,
                "\r\x1b[K{} {done}/{total}, {bad_total} bad: {id}",
                self.label
            );
        } else if bad {
            eprintln!(
                "{}: {done}/{total} {} {}",
                self.label,
                result.verdict.word(),
                result.id
            );
        } else if done.is_multiple_of(50) {
            eprintln!("{}: {done}/{total}", self.label);
        }
    }

    pub(super) fn calibrating(&self, count: usize) {
        if self.terminal {
            eprint!(
                "\r\x1b[K{}: {count} not passed, trying the reference",
                self.label
            );
        } else {
            eprintln!(
                "{}: {count} not passed, trying the reference on this host",
                self.label
            );
        }
    }

    /// Tells something that a reader of the results should know.
    pub(super) fn tell(&self, words: &str) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        eprintln!("{clear}{}: {words}", self.label);
    }

    pub(super) fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

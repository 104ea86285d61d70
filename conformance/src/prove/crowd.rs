//! Deviants judged by cases that need not catch them, several at once: by all with `--full`.
//!
//! Nearly all of these trials show nothing: a wrong umask does not change how hooks are ordered. So
//! deviants are stacked, each the base of the next, and where a case finds the stack to be as the base
//! is, it found nothing in any of them. Otherwise the stack is halved until a single one is left. One
//! that is seen in many cases is judged alone, since it would part every group that it is in.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::declarations::Declaration;
use super::judge::Baseline;
use super::work::{Turn, Work, run};
use crate::results::{CaseResult, Verdict};
use crate::runner::{Session, shuffled};
use crate::subject::Subject;

/// So many deviants are stacked. Each is a program more before every command of a trial: with more of
/// them trials take longer than they save.
const TOGETHER: usize = 8;

/// Some deviants and a case that need not catch any of them.
pub(super) struct Group {
    turn: Turn,
    /// Places in the list of deviants.
    deviants: Vec<usize>,
}

/// The deviants of a base, and what was seen of each.
pub(super) struct Crowd<'a> {
    work: &'a Work<'a>,
    deviants: &'a [&'a Declaration],
    /// A session with each of them, and what the gate said.
    surveyed: &'a [(Session, CaseResult)],
    baseline: &'a Baseline,
    /// For each of them, cases judged in groups or alone, and those that saw it.
    judged: Vec<AtomicUsize>,
    seen: Vec<AtomicUsize>,
    trials: AtomicUsize,
}

impl<'a> Crowd<'a> {
    pub(super) fn new(
        work: &'a Work<'a>,
        deviants: &'a [&'a Declaration],
        surveyed: &'a [(Session, CaseResult)],
        baseline: &'a Baseline,
    ) -> Crowd<'a> {
        let counters = || deviants.iter().map(|_| AtomicUsize::new(0)).collect();
        Crowd {
            work,
            deviants,
            surveyed,
            baseline,
            judged: counters(),
            seen: counters(),
            trials: AtomicUsize::new(0),
        }
    }

    /// Every case but the gate with one of so many deviants that were not run with it before; which
    /// ones depends on the seed.
    pub(super) fn groups(
        &self,
        turns: &[Turn],
        before: &[(usize, Turn)],
        one_of: usize,
    ) -> Vec<Group> {
        let before: HashSet<&(usize, Turn)> = before.iter().collect();
        let mut groups = Vec::new();
        for (place, turn) in turns.iter().enumerate() {
            if turn.case == crate::cases::GATE {
                continue;
            }
            let left = (0..self.deviants.len()).filter(|one| !before.contains(&(*one, *turn)));
            let seed = self.work.question.options.seed.wrapping_add(place as u64);
            let mut left = shuffled(left.collect(), seed);
            left.truncate(left.len().div_ceil(one_of));
            groups.extend(left.chunks(TOGETHER).map(|chunk| Group {
                turn: *turn,
                deviants: chunk.to_vec(),
            }));
        }
        groups
    }

    /// Results of the deviants that were seen, each alone.
    pub(super) fn judge(&self, group: &Group) -> Vec<(usize, (Turn, CaseResult))> {
        let (alone, together): (Vec<usize>, Vec<usize>) = group
            .deviants
            .iter()
            .partition(|place| self.is_loud(**place));
        let mut left: Vec<Vec<usize>> = alone.into_iter().map(|place| vec![place]).collect();
        left.push(together);
        let mut results = Vec::new();
        while let Some(stack) = left.pop() {
            let (Some(first), false) = (stack.first(), self.work.interrupts.came()) else {
                continue;
            };
            if stack.len() == 1 {
                let (turn, result) = run(&self.surveyed[*first].0, group.turn);
                self.judged[*first].fetch_add(1, Ordering::Relaxed);
                if self.baseline.looks_like(turn, &result) {
                    self.trials.fetch_add(1, Ordering::Relaxed);
                } else {
                    self.seen[*first].fetch_add(1, Ordering::Relaxed);
                    results.push((*first, (turn, result)));
                }
                continue;
            }
            let number = self.trials.fetch_add(1, Ordering::Relaxed);
            let memory = self.work.memory.join(format!("stack-{number}"));
            let session = self.work.session.taken_for(&self.stacked(&stack, &memory));
            let (turn, result) = run(&session, group.turn);
            // There are tens of thousands of them. The rest goes with the whole directory.
            let _ = std::fs::remove_dir_all(&memory);
            if self.baseline.looks_like(turn, &result) {
                for place in stack {
                    self.judged[place].fetch_add(1, Ordering::Relaxed);
                }
            } else {
                let (one, other) = stack.split_at(stack.len() / 2);
                left.extend([one.to_vec(), other.to_vec()]);
            }
        }
        results
    }

    /// Trials so far, without those that [`Crowd::judge`] gave results of.
    pub(super) fn trials(&self) -> usize {
        self.trials.load(Ordering::Relaxed)
    }

    /// Whether a deviant is better judged alone: its gate tells it from the base, or every other case.
    fn is_loud(&self, place: usize) -> bool {
        let seen = self.seen[place].load(Ordering::Relaxed);
        let judged = self.judged[place].load(Ordering::Relaxed);
        self.surveyed[place].1.verdict != Verdict::Pass || seen > 1 && seen * TOGETHER > judged
    }

    fn stacked(&self, stack: &[usize], memory: &Path) -> Subject {
        let base = self.work.base.clone();
        stack.iter().fold(base, |base, place| {
            self.work.over(&base, self.deviants[*place], memory)
        })
    }
}

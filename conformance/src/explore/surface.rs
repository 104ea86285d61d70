//! The surface: every property that can be drawn, a row each, with what it needs of the host.
//!
//! A row's strategy draws valid values only, and shrinks towards the plainest. What the model
//! cannot tell, since the text leaves it open, is not drawn.

mod hooks;
mod linux;
mod mounts;
mod process;
mod resources;
mod seccomp;

use oci_runtime_schemas::{Catalogue, SpecVersion};
use proptest::collection::vec;
use proptest::strategy::{BoxedStrategy, Strategy, Union};

use super::draw::Part;
use crate::case::Need;
use crate::host::Host;

pub(super) use mounts::SOURCES;
pub(super) use resources::{LIMITS, Limit};
pub(super) use seccomp::CALL;

/// A property, or a few that belong together.
pub(super) struct Row {
    /// Its name; parts may say more behind a colon.
    pub(super) name: &'static str,
    /// What it needs of the host.
    pub(super) needs: &'static [Need],
    /// Draws it.
    pub(super) draw: fn() -> BoxedStrategy<Part>,
}

/// The tables, a file each.
const TABLES: &[&[Row]] = &[
    process::ROWS,
    mounts::ROWS,
    linux::ROWS,
    resources::ROWS,
    seccomp::ROWS,
    hooks::ROWS,
];

/// Every row.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    TABLES.iter().copied().flatten()
}

/// At most so many parts a draw: enough to meet each other, few enough to shrink.
const MOST_PARTS: usize = 10;

/// Draws the parts of a configuration.
pub(super) fn strategy() -> impl Strategy<Value = Vec<Part>> {
    let all: Vec<BoxedStrategy<Part>> = rows().map(|row| (row.draw)()).collect();
    vec(Union::new(all), 0..=MOST_PARTS)
}

/// Why a part cannot be asked of a subject on this host: what is missing, in words.
pub(super) fn lacks(
    part: &Part,
    host: &Host,
    judged: &SpecVersion,
    shared_kernel: bool,
) -> Option<String> {
    let clause = Catalogue::get().by_id(&part.clause)?;
    if clause.newer_than(judged) {
        return Some(format!("version {} of the specification", clause.since));
    }
    let row = rows().find(|row| row.name == part.row())?;
    let unmet = row.needs.iter().find(|need| match need {
        Need::SharedKernel => !shared_kernel,
        need => !host.meets(**need),
    });
    unmet
        .map(|need| need.words())
        .or_else(|| resources::lacks(part, host))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;

    #[test]
    fn every_row_draws_parts_of_its_own_name_with_a_clause_that_exists() {
        let mut names = BTreeSet::new();
        let mut runner = TestRunner::deterministic();
        for row in rows() {
            assert!(names.insert(row.name), "{} is there twice", row.name);
            let strategy = (row.draw)();
            for _ in 0..50 {
                let part = strategy.new_tree(&mut runner).expect("a draw").current();
                assert_eq!(part.row(), row.name);
                assert!(!part.edits.is_empty(), "{} changes nothing", row.name);
                assert!(
                    Catalogue::get().by_id(&part.clause).is_some(),
                    "{}: no clause {}",
                    part.surface,
                    part.clause
                );
            }
        }
    }
}

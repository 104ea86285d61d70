//! Draws sequences of operations.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Act, CONTAINERS, Operation, Sequence, Step};

/// At most so many steps.
const MOST: usize = 14;

/// Draws a sequence. What a life is made of comes more often than what is out of place.
pub(in crate::explore) fn strategy() -> impl Strategy<Value = Sequence> {
    let act = || {
        let operation = select(vec![
            Operation::Create,
            Operation::Create,
            Operation::Start,
            Operation::Start,
            Operation::State,
            Operation::Kill,
            Operation::Wait,
            Operation::Delete,
            Operation::Delete,
            Operation::Term,
        ]);
        // Mostly one container: operations that meet no other's work find little.
        let container = prop_oneof![3 => Just(0), 1 => 1..CONTAINERS];
        (container, operation).prop_map(|(container, operation)| Act {
            container,
            operation,
        })
    };
    let at_once = select(vec![
        Operation::Create,
        Operation::Start,
        Operation::State,
        Operation::Kill,
        Operation::Delete,
    ]);
    let step = prop_oneof![
        4 => act().prop_map(Step::One),
        1 => (act(), at_once)
            .prop_map(|(act, other)| match act.operation {
                Operation::Wait => Step::One(act),
                _ => Step::Both(act, other),
            }),
    ];
    (any::<[bool; CONTAINERS]>(), vec(step, 1..=MOST)).prop_map(|(stays, steps)| Sequence {
        stays,
        steps,
        known: std::collections::BTreeSet::new(),
    })
}

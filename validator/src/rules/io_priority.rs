//! `process.ioPriority` (config.md, Linux process; ioprio_set(2)).

use crate::rule::Rule;
use crate::rules::process::{PROCESS, of_linux};

/// Rules about I/O priorities.
pub(super) static RULES: &[Rule] = &[Rule {
    id: "io-priority/range",
    clauses: &["config.process.ioPriority.priority.range"],
    page: "A class of I/O has eight levels, from 0, which comes first, to 7. The kernel refuses \
           others.",
    accepts: &[process_with!(
        r#""ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 7}"#
    )],
    rejects: &[
        (
            process_with!(r#""ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 8}"#),
            "/process/ioPriority/priority",
        ),
        (
            process_with!(r#""ioPriority": {"class": "IOPRIO_CLASS_RT", "priority": -1}"#),
            "/process/ioPriority/priority",
        ),
    ],
    check: |context, found| {
        let Some(io_priority) = of_linux(context, "ioPriority") else {
            return;
        };
        let priority = io_priority.get("priority");
        if let Some(number) = priority.as_integer()
            && !(0..=7).contains(&number)
        {
            found
                .at(priority, format!("{number} is none of the eight levels"))
                .help("0, which comes first, to 7");
        }
    },
    ..PROCESS
}];

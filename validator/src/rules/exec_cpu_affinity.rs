//! `process.execCPUAffinity` (config.md, Linux process).

use crate::rule::Rule;
use crate::rules::lists::number_list_problem;
use crate::rules::process::{PROCESS, of_linux};

/// Rules about the CPUs that `exec` runs a process on.
pub(super) static RULES: &[Rule] = &[Rule {
    id: "exec-cpu-affinity/list",
    clauses: &["config.process.execCPUAffinity.format"],
    page: "`initial` and `final` are lists of CPUs and ranges of CPUs with commas between them, \
           such as `0-3,7`. A mask as taskset(1) takes it is none. An empty `final` leaves the \
           affinity to the kernel.",
    accepts: &[process_with!(
        r#""execCPUAffinity": {"initial": "7", "final": "0-3,7"}"#
    )],
    rejects: &[
        (
            process_with!(r#""execCPUAffinity": {"initial": "0xff"}"#),
            "/process/execCPUAffinity/initial",
        ),
        (
            process_with!(r#""execCPUAffinity": {"final": "3-0"}"#),
            "/process/execCPUAffinity/final",
        ),
    ],
    check: |context, found| {
        let Some(affinity) = of_linux(context, "execCPUAffinity") else {
            return;
        };
        for name in ["initial", "final"] {
            let list = affinity.get(name);
            let Some(text) = list.as_str().filter(|text| !text.is_empty()) else {
                continue;
            };
            if let Some((part, problem)) = number_list_problem(text) {
                let message = if part == text {
                    format!("{text:?} is no list of CPUs: {problem}")
                } else {
                    format!("{text:?} is no list of CPUs: {part:?}: {problem}")
                };
                found
                    .at(list, message)
                    .help("`0-3,7`: single CPUs, ranges, commas");
            }
        }
    },
    ..PROCESS
}];

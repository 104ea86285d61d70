//! `linux.resources.pids` (config-linux.md, PIDs).

use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::resources::RESOURCES;

/// Rules about the number of tasks.
pub(super) static RULES: &[Rule] = &[Rule {
    id: "pids/limit-range",
    severity: Severity::Error,
    source: "pids_max_write() of the kernel: EINVAL below 0 and above 4194304",
    page: "The number of tasks goes up to 4194304, the most that a kernel can have; the kernel \
           refuses a higher limit. -1 is no limit; other negative numbers mean nothing.",
    accepts: &[
        resources!(r#"{"pids": {"limit": -1}}"#),
        resources!(r#"{"pids": {"limit": 0}}"#),
    ],
    rejects: &[
        (
            resources!(r#"{"pids": {"limit": 4194305}}"#),
            "/linux/resources/pids/limit",
        ),
        (
            resources!(r#"{"pids": {"limit": -2}}"#),
            "/linux/resources/pids/limit",
        ),
    ],
    check: |context, found| {
        let limit = context.resources.get("pids").get("limit");
        match limit.as_integer() {
            Some(number) if number > 4_194_304 => {
                found
                    .at(
                        limit,
                        format!("no kernel has {number} tasks: it takes 4194304 at most"),
                    )
                    .help("-1 for no limit");
            }
            Some(number) if number < -1 => {
                // Runtimes take every negative number for no limit.
                found
                    .at(limit, format!("{number} is no number of tasks"))
                    .help("-1 for no limit")
                    .only(Severity::Warning);
            }
            _ => {}
        }
    },
    ..RESOURCES
}];

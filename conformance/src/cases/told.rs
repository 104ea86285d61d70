//! Finding a line in what the probe told.

use oci_probe::Line;
use serde_json::{Value, json};

use crate::trial::Stop;

/// The line of a verb with these first arguments.
///
/// # Errors
/// [`Stop::NoReport`] if the probe did not come to it.
pub(super) fn told<'l>(
    lines: &'l [Line],
    verb: &str,
    arguments: &[&str],
) -> Result<&'l Line, Stop> {
    lines
        .iter()
        .find(|line| {
            line.verb == verb
                && line.args.len() >= arguments.len()
                && line
                    .args
                    .iter()
                    .zip(arguments)
                    .all(|(given, wanted)| given == wanted)
        })
        .ok_or_else(|| {
            Stop::NoReport(format!(
                "the program did not come to `{verb} {}`",
                arguments.join(" ")
            ))
        })
}

/// How a verb ended: `done`, or the errno's name.
pub(super) fn ending(line: &Line) -> Value {
    json!(line.errno.as_deref().unwrap_or("done"))
}

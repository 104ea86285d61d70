//! The results file: exactly the types of `results.rs`, indented.

use std::io::{self, Write};

use super::escape;
use crate::results::Results;

/// What a subject printed is exact for a program that reads the file, and harmless for a terminal
/// that shows it: hostile characters stand as `\u` escapes.
pub(super) fn write(results: &Results, out: &mut dyn Write) -> io::Result<()> {
    let document = serde_json::to_string_pretty(results)?;
    writeln!(out, "{}", escape::json(&document))
}

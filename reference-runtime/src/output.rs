//! What commands print. `println!` panics where standard output is full or its reader is gone.

use std::fmt::Display;
use std::io::{self, Write};

use crate::error::{CallContext, Result};

/// Prints a line. False if nobody reads any more, who has then seen enough.
pub(crate) fn line(text: impl Display) -> Result<bool> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        other => other.call(|| "write(stdout)").map(|()| true),
    }
}

//! Warnings and errors: to stderr, and to the file of `--log` in the form that engines read.

use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

static LOG: OnceLock<Log> = OnceLock::new();

#[derive(Debug)]
struct Log {
    /// Opened anew for each message: an open file would be among the descriptors that are closed
    /// before a container process is made, and its number would soon be that of another file.
    path: Option<PathBuf>,
    json: bool,
    debug: bool,
}

/// Makes the log file; call it once, before the first message.
pub(crate) fn open(path: Option<&Path>, json: bool, debug: bool) -> io::Result<()> {
    // Absolute, because the working directory changes before hooks are run.
    let path = path.map(std::path::absolute).transpose()?;
    path.as_deref().map(append).transpose()?;
    // A second call would change nothing, and there is none.
    let _ = LOG.set(Log { path, json, debug });
    Ok(())
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The operation failed.
pub(crate) fn error(message: &str) {
    write("error", message);
}

/// The operation goes on as if this had not been said.
pub(crate) fn warning(message: &str) {
    write("warning", message);
}

/// What only `--debug` shows.
pub(crate) fn debug(message: &str) {
    if LOG.get().is_some_and(|log| log.debug) {
        write("debug", message);
    }
}

fn write(level: &str, message: &str) {
    if let Some(log) = LOG.get()
        && let Some(path) = &log.path
    {
        let time = rfc3339(SystemTime::now());
        let line = if log.json {
            format!(
                "{}\n",
                json!({"level": level, "msg": message, "time": time})
            )
        } else {
            format!("time={time:?} level={level} msg={message:?}\n")
        };
        // A full disk must not turn a warning into a failure.
        let _ = append(path).and_then(|mut file| file.write_all(line.as_bytes()));
    }
    eprintln!("refrun: {level}: {message}");
}

/// A point in time as RFC 3339 has it, in UTC.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // The civil calendar, counted in eras of 400 years that begin in March, so that the leap day comes last.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let nanos = since.subsec_nanos();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_of_the_civil_calendar() {
        let at = |seconds| rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59.000000000Z");
        assert_eq!(at(4_102_444_800), "2100-01-01T00:00:00.000000000Z");
    }
}

//! `cgroup.events` of version 2: what has become of all processes of a group and of those below.

use super::Group;
use crate::error::{CallContext, Result};
use crate::sys::change;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::time::Instant;

/// Waits until a key has a value. False if the deadline passed first.
pub(super) fn await_value(
    group: &Group,
    key: &str,
    value: bool,
    deadline: Instant,
) -> Result<bool> {
    let path = group.path.join("cgroup.events");
    let mut file = match File::open(&path) {
        // The group has gone, and with it whatever was in it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        other => other.call(|| format!("open({path:?}, O_RDONLY)"))?,
    };
    loop {
        // Read before the wait: only what changes after a read is told.
        let text = match read(&mut file) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(true),
            other => other.call(|| format!("read({path:?})"))?,
        };
        if has(&text, key, value) {
            return Ok(true);
        }
        if !change::wait(file.as_fd(), deadline).call(|| format!("poll({path:?}, POLLPRI)"))? {
            return Ok(false);
        }
    }
}

fn read(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Kernels that do not know the key have nothing to wait for.
fn has(text: &str, key: &str, value: bool) -> bool {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
        .is_none_or(|found| (found != "0") == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_whole_key() {
        let text = "populated 1\nfrozen 0\n";
        assert!(has(text, "populated", true) && !has(text, "populated", false));
        assert!(has(text, "frozen", false) && !has(text, "frozen", true));
        assert!(has("", "frozen", true));
    }
}

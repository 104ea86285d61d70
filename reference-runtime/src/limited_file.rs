//! Reading documents of others, which must not take all memory nor hold the command up.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// No document that is meant is larger.
const LARGEST: u64 = 16 << 20;

/// Reads a regular file: a pipe would hold the command up, and a device might have no end.
pub(crate) fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    read(file)
}

/// Reads a file that the caller names in the command line, where a pipe is as good as a file.
pub(crate) fn read_any(path: &Path) -> io::Result<Vec<u8>> {
    read(File::open(path)?)
}

/// Reads a file of procfs, sysfs or a cgroup.
pub(crate) fn read_kernel(path: impl AsRef<Path>) -> io::Result<String> {
    let text = read(File::open(path)?)?;
    String::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads to the end.
pub(crate) fn read(from: impl Read) -> io::Result<Vec<u8>> {
    // What is read here is rarely longer, and then two calls do.
    let mut text = Vec::with_capacity(4096);
    from.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("larger than {} MiB", LARGEST >> 20),
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_refused() {
        assert!(
            read_regular(Path::new("/dev/zero"))
                .unwrap_err()
                .to_string()
                .contains("not a regular file")
        );
        let error = read_any(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "larger than 16 MiB");
        assert_eq!(read(&b"text"[..]).unwrap(), b"text");
    }
}

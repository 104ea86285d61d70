//! Files of a trial, which the subject can lay hands on as well: it may have taken them away, or
//! laid pipes, links and devices in their place.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::Stop;

/// A file that a command writes to. It is read by this descriptor, whatever becomes of its name.
pub(super) struct Output {
    /// What the command is given.
    pub(super) writer: File,
    reader: File,
}

impl Output {
    /// Makes the file anew, in the place of whatever lies there.
    pub(super) fn make(path: &Path) -> io::Result<Output> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let writer = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Output {
            writer,
            reader: open_regular(path)?,
        })
    }

    /// How many bytes have been written.
    pub(super) fn size(&self) -> u64 {
        self.reader.metadata().map_or(0, |metadata| metadata.len())
    }

    /// The first bytes as text, and whether there are more.
    pub(super) fn read(&self, limit: usize) -> io::Result<(String, bool)> {
        let mut raw = vec![0; limit.min(self.size() as usize)];
        let mut filled = 0;
        while filled < raw.len() {
            match self.reader.read_at(&mut raw[filled..], filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        raw.truncate(filled);
        Ok(text(&raw, self.size() > limit as u64, limit))
    }
}

/// A file's first bytes as text, and whether there are more. What is no regular file is not read: a
/// pipe would be waited for, a device has no end.
///
/// # Errors
/// Those of open(2) and read(2); `InvalidInput` if it is no regular file.
pub(crate) fn read_regular(path: &Path, limit: usize) -> io::Result<(String, bool)> {
    let file = open_regular(path)?;
    let more = file.metadata()?.len() > limit as u64;
    let mut raw = Vec::new();
    file.take(limit as u64).read_to_end(&mut raw)?;
    Ok(text(&raw, more, limit))
}

fn open_regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is no regular file",
        )),
    }
}

fn text(raw: &[u8], more: bool, limit: usize) -> (String, bool) {
    let mut text = String::from_utf8_lossy(raw).into_owned();
    // What stands for an invalid byte is three bytes long.
    let is_longer = text.len() > limit;
    truncate(&mut text, limit);
    (text, more || is_longer)
}

/// Cuts text to at most so many bytes, between characters.
pub(super) fn truncate(text: &mut String, limit: usize) {
    let mut places = (0..=limit.min(text.len())).rev();
    let end = places.find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
}

/// Writes a whole file, anew if something else than a regular file lies there.
///
/// # Errors
/// Those of the file system.
pub(super) fn write_regular(path: &Path, text: &str) -> io::Result<()> {
    let is_regular = std::fs::symlink_metadata(path).map(|metadata| metadata.is_file());
    if let Ok(false) = is_regular {
        std::fs::remove_file(path)?;
    }
    std::fs::write(path, text)
}

/// Who is to blame that a file of the trial's own directory cannot be had: it was there, or could
/// be made, so what is gone, or has become something else, the subject has taken away.
pub(super) fn blame(call: &str, path: &Path, error: &io::Error) -> Stop {
    let what = format!("{call} {}: {error}", path.display());
    let taken_away = matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::AlreadyExists
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidInput
    );
    match taken_away || error.raw_os_error() == Some(libc::ELOOP) {
        true => Stop::Undermined(what),
        false => Stop::Broken(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_bytes_do_not_stretch_output_beyond_its_limit() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("out");
        for (bytes, kept, cut) in [
            (&b"\xff\xff\xff"[..], "\u{fffd}", true),
            (b"ab\xff", "ab", true),
            (b"a\xff", "a\u{fffd}", false),
            (b"abcde", "abcd", true),
            (b"abcd", "abcd", false),
        ] {
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(read_regular(&file, 4).unwrap(), (kept.to_owned(), cut));
        }
    }

    #[test]
    fn what_is_no_regular_file_is_neither_waited_for_nor_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("link")).unwrap();
        std::os::unix::fs::symlink("/nowhere", at("lost")).unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        for name in ["pipe", "link", "lost", "directory", "absent"] {
            let error = read_regular(&at(name), 4).unwrap_err();
            assert!(
                matches!(blame("read", &at(name), &error), Stop::Undermined(_)),
                "{name}: {error:?}"
            );
        }
    }

    #[test]
    fn output_takes_the_place_of_what_lies_there_and_is_read_when_its_name_is_gone() {
        use std::io::Write;
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("host"), "the host's").unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink(at("host"), at("link")).unwrap();
        for name in ["pipe", "link", "absent"] {
            let mut output = Output::make(&at(name)).unwrap();
            output.writer.write_all(b"what it says").unwrap();
            std::fs::remove_file(at(name)).unwrap();
            assert_eq!(output.read(4).unwrap(), ("what".to_owned(), true), "{name}");
        }
        assert_eq!(std::fs::read_to_string(at("host")).unwrap(), "the host's");
    }
}

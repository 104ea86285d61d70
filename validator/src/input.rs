//! What there is to judge: the paths that were named, the directories below them, standard input.
//!
//! A named path is followed through symbolic links, what a walk meets is not. Nothing but regular
//! files is ever opened, so that no pipe and no device is waited for or touched.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, DirEntry, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::document::MAX_BYTES;

/// The name of a bundle's configuration.
pub(crate) const CONFIG: &str = "config.json";

/// Something to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) source: Source,
    /// Whether it was named, and not met on a walk.
    pub(crate) named: bool,
}

/// Where a document comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
    /// The directory of a bundle.
    Bundle(PathBuf),
}

/// What comes next on the way through the paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Judge(Input),
    /// A `*.json` that is no regular file.
    Skip,
    /// A path that cannot be judged, and why.
    Unreadable(PathBuf, String),
}

/// Why the text of a document is not at hand.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It is larger than what is judged.
    TooLarge,
    /// There is nothing at the path.
    Missing(String),
    /// It cannot be read.
    Unreadable(String),
}

/// What is taken for a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Files, and directories as bundles where they are some.
    Any,
    /// Files: a directory is never a bundle.
    Files,
    /// Bundles only.
    Bundles,
}

/// All inputs, in the order of the command line and below that by name. Directories are read when
/// their turn comes, so that the first document of a large tree is judged at once.
#[derive(Debug)]
pub(crate) struct Inputs {
    wanted: Wanted,
    named: VecDeque<PathBuf>,
    /// What a walk has still to visit, the next last.
    walk: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Directory(PathBuf),
    Take(Next),
}

impl Inputs {
    pub(crate) fn new(paths: Vec<PathBuf>, wanted: Wanted) -> Inputs {
        Inputs {
            wanted,
            named: paths.into(),
            walk: Vec::new(),
        }
    }

    /// What is below a directory whose `config.json` turned out to be no configuration of ours.
    pub(crate) fn below(directory: &Path, wanted: Wanted) -> Inputs {
        let mut inputs = Inputs::new(Vec::new(), wanted);
        inputs.read_directory(directory, true);
        inputs
    }

    fn named(&mut self, path: PathBuf) -> Option<Next> {
        if path.as_os_str() == "-" {
            return Some(judge(Source::Stdin, true));
        }
        let file_type = match fs::metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) => return Some(Next::Unreadable(path, error.to_string())),
        };
        if file_type.is_file() {
            return Some(self.named_file(path));
        }
        if !file_type.is_dir() {
            return Some(Next::Unreadable(path, not_regular(file_type)));
        }
        let is_bundle = match self.wanted {
            Wanted::Any => fs::symlink_metadata(path.join(CONFIG)).is_ok(),
            Wanted::Files => false,
            Wanted::Bundles => true,
        };
        if is_bundle {
            return Some(judge(Source::Bundle(path), true));
        }
        self.walk.push(Step::Directory(path));
        None
    }

    fn named_file(&self, path: PathBuf) -> Next {
        if self.wanted != Wanted::Bundles {
            return judge(Source::File(path), true);
        }
        // A bundle may be named by its configuration.
        match path.parent() {
            Some(parent) if path.file_name().is_some_and(|name| name == CONFIG) => {
                let here = parent.as_os_str().is_empty();
                let directory = if here { Path::new(".") } else { parent };
                judge(Source::Bundle(directory.to_owned()), true)
            }
            _ => Next::Unreadable(path, "neither a bundle nor its config.json".into()),
        }
    }

    fn read_directory(&mut self, directory: &Path, known_to_be_no_bundle: bool) {
        let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries: Vec<DirEntry> = match entries {
            Ok(entries) => entries,
            Err(error) => {
                let unreadable = Next::Unreadable(directory.to_owned(), error.to_string());
                return self.walk.push(Step::Take(unreadable));
            }
        };
        let is_file = |entry: &DirEntry| entry.file_type().is_ok_and(|it| it.is_file());
        let is_bundle = self.wanted == Wanted::Any
            && !known_to_be_no_bundle
            && entries
                .iter()
                .any(|entry| entry.file_name() == CONFIG && is_file(entry));
        if is_bundle {
            let bundle = judge(Source::Bundle(directory.to_owned()), false);
            return self.walk.push(Step::Take(bundle));
        }
        // By name, since directories keep no order; the next one is taken from the end.
        entries.sort_by_cached_key(|entry| std::cmp::Reverse(entry.file_name()));
        for entry in entries {
            let name = entry.file_name();
            // Judged already, as what was taken for a bundle.
            if known_to_be_no_bundle && name == CONFIG {
                continue;
            }
            let Ok(file_type) = entry.file_type() else {
                continue;
            };
            if file_type.is_dir() {
                self.walk.push(Step::Directory(below(directory, &name)));
            } else if name.as_bytes().ends_with(b".json") {
                self.walk.push(Step::Take(if file_type.is_file() {
                    judge(Source::File(below(directory, &name)), false)
                } else {
                    Next::Skip
                }));
            }
        }
    }
}

impl Iterator for Inputs {
    type Item = Next;

    fn next(&mut self) -> Option<Next> {
        loop {
            match self.walk.pop() {
                Some(Step::Take(next)) => return Some(next),
                Some(Step::Directory(path)) => self.read_directory(&path, false),
                None => {
                    let path = self.named.pop_front()?;
                    if let Some(next) = self.named(path) {
                        return Some(next);
                    }
                }
            }
        }
    }
}

/// Of the current directory as people write it.
fn below(directory: &Path, name: &OsStr) -> PathBuf {
    if directory == Path::new(".") {
        name.into()
    } else {
        directory.join(name)
    }
}

fn judge(source: Source, named: bool) -> Next {
    Next::Judge(Input { source, named })
}

impl Source {
    /// The file whose text is judged; `-` for standard input.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Source::Stdin => "-".into(),
            Source::File(path) => path.clone(),
            Source::Bundle(directory) => below(directory, CONFIG.as_ref()),
        }
    }
}

impl Input {
    /// Reads the text.
    pub(crate) fn read(&self) -> Result<Vec<u8>, ReadError> {
        match &self.source {
            Source::Stdin => {
                let mut bytes = Vec::new();
                to_end(&mut io::stdin().lock(), &mut bytes)?;
                Ok(bytes)
            }
            Source::File(path) => read_file(path, self.named),
            Source::Bundle(directory) => read_file(&directory.join(CONFIG), self.named),
        }
    }
}

/// Reads a regular file, or says why not.
pub(crate) fn read_file(path: &Path, follow: bool) -> Result<Vec<u8>, ReadError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing(error.to_string()),
        _ => ReadError::Unreadable(error.to_string()),
    };
    // Some devices act on being opened; on a walk, the directory told that it is a file.
    if follow {
        let file_type = fs::metadata(path).map_err(unreadable)?.file_type();
        if !file_type.is_file() {
            return Err(ReadError::Unreadable(not_regular(file_type)));
        }
    }
    let no_follow = if follow { 0 } else { libc::O_NOFOLLOW };
    let mut file = OpenOptions::new()
        .read(true)
        // Should it have become a pipe meanwhile, nobody waits for its other end.
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | no_follow)
        .open(path)
        .map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(ReadError::Unreadable(not_regular(metadata.file_type())));
    }
    if metadata.len() > MAX_BYTES as u64 {
        return Err(ReadError::TooLarge);
    }
    // A byte more than there should be: a read that brings less than it could met the end.
    let size = metadata.len() as usize;
    let mut bytes = vec![0; size + 1];
    let read = file.read(&mut bytes).map_err(unreadable)?;
    bytes.truncate(read);
    if read != size || size == 0 {
        // The file is changing, or its size says nothing, as in procfs.
        to_end(&mut file, &mut bytes)?;
    }
    Ok(bytes)
}

/// Reads what an option names. A pipe is as good as a file there, and waited for: people write
/// `--features <(runc features)`.
pub(crate) fn read_named(path: &Path) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let mut file =
        fs::File::open(path).map_err(|error| ReadError::Unreadable(error.to_string()))?;
    to_end(&mut file, &mut bytes)?;
    Ok(bytes)
}

fn to_end(from: &mut impl Read, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
    let room = (MAX_BYTES + 1).saturating_sub(bytes.len());
    from.take(room as u64)
        .read_to_end(bytes)
        .map_err(|error| ReadError::Unreadable(error.to_string()))?;
    if bytes.len() > MAX_BYTES {
        return Err(ReadError::TooLarge);
    }
    Ok(())
}

fn not_regular(file_type: FileType) -> String {
    let what = if file_type.is_dir() {
        "a directory"
    } else if file_type.is_fifo() {
        "a pipe"
    } else if file_type.is_socket() {
        "a socket"
    } else if file_type.is_char_device() || file_type.is_block_device() {
        "a device"
    } else {
        "something else"
    };
    format!("{what}, not a regular file")
}

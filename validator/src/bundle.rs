//! A bundle on disk: the directory that holds `config.json` and what that names.
//!
//! Nothing is opened, and no symbolic link is followed out of the directory: a bundle may come from
//! anywhere, and looking at it must not touch anything else.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

/// The directory of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    path: PathBuf,
}

/// What is at a path of a bundle.
#[derive(Debug)]
pub(crate) enum Place {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// Something else: a device, a pipe, a socket.
    Other,
    /// Nothing.
    Missing,
    /// The path leads out of the bundle, here.
    Outside(PathBuf),
    /// It cannot be told, for lack of permission, say.
    Unknown(io::Error),
}

impl Bundle {
    /// The bundle in a directory. Nothing is looked at yet.
    pub fn new(path: impl Into<PathBuf>) -> Bundle {
        Bundle { path: path.into() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is at a path. A relative one is of the bundle and is not followed out of it; an
    /// absolute one is of the host, and was meant so by whoever wrote it.
    pub(crate) fn look(&self, path: &str) -> Place {
        let path = Path::new(path);
        if path.is_absolute() {
            return told(fs::metadata(path));
        }
        match self.resolve(path) {
            Ok(Resolved::Inside(place)) => told(fs::symlink_metadata(place)),
            Ok(Resolved::Outside(place)) => Place::Outside(place),
            Err(error) => told(Err(error)),
        }
    }

    /// Goes along a path step by step, symbolic links included, as long as it stays in the bundle.
    fn resolve(&self, path: &Path) -> io::Result<Resolved> {
        let mut here = PathBuf::new();
        let mut steps: VecDeque<OsString> = steps(path);
        let mut links = 0;
        while let Some(step) = steps.pop_front() {
            if step == ".." {
                // What was passed is no link any more, so that the step up is the way back.
                if !here.pop() {
                    return Ok(Resolved::Outside(self.path.join("..")));
                }
                continue;
            }
            let next = here.join(&step);
            let place = self.path.join(&next);
            if !fs::symlink_metadata(&place)?.is_symlink() {
                here = next;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(io::Error::from_raw_os_error(libc::ELOOP));
            }
            let target = fs::read_link(&place)?;
            if target.is_absolute() {
                return Ok(Resolved::Outside(target));
            }
            for step in self::steps(&target).into_iter().rev() {
                steps.push_front(step);
            }
        }
        Ok(Resolved::Inside(self.path.join(here)))
    }
}

/// Where a path leads.
enum Resolved {
    Inside(PathBuf),
    Outside(PathBuf),
}

/// As many symbolic links in one path as the kernel follows.
const MOST_LINKS: usize = 40;

fn steps(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|step| matches!(step, Component::Normal(_) | Component::ParentDir))
        .map(|step| step.as_os_str().to_owned())
        .collect()
}

fn told(metadata: io::Result<fs::Metadata>) -> Place {
    match metadata {
        Ok(metadata) if metadata.is_dir() => Place::Directory,
        Ok(metadata) if metadata.is_file() => Place::File,
        Ok(_) => Place::Other,
        Err(error) => match error.kind() {
            // A path through a file leads to nothing as well.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Place::Missing,
            _ => Place::Unknown(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_is_followed_out_of_the_bundle() {
        let place = tempfile::tempdir().unwrap();
        let bundle = place.path().join("bundle");
        fs::create_dir_all(bundle.join("a/b")).unwrap();
        fs::create_dir(place.path().join("beside")).unwrap();
        fs::write(bundle.join("file"), "").unwrap();
        for (link, target) in [
            ("inside", "a/b"),
            ("a/up", "../file"),
            ("up", "a/../../beside"),
            ("absolute", "/etc"),
            ("loop", "loop"),
            ("dangling", "nothing"),
        ] {
            symlink(target, bundle.join(link)).unwrap();
        }
        let bundle = Bundle::new(bundle);
        let look = |path: &str| format!("{:?}", bundle.look(path));
        assert_eq!(look("a/b"), "Directory");
        assert_eq!(look("./a//b/"), "Directory");
        assert_eq!(look("inside"), "Directory");
        assert_eq!(look("inside/../up"), "File");
        assert_eq!(look("a/up"), "File");
        assert_eq!(look("file/x"), "Missing");
        assert_eq!(look("nothing"), "Missing");
        assert_eq!(look("dangling"), "Missing");
        assert_eq!(look("/dev/null"), "Other");
        assert!(matches!(bundle.look("up"), Place::Outside(_)));
        assert!(matches!(bundle.look("../beside"), Place::Outside(_)));
        assert!(
            matches!(bundle.look("absolute/passwd"), Place::Outside(path) if path == Path::new("/etc"))
        );
        assert!(matches!(bundle.look("loop"), Place::Unknown(_)));
        assert!(matches!(bundle.look("a\0b"), Place::Unknown(_)));
    }
}

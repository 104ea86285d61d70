//! Keeps the files that hold a subject's output within bounds.
//!
//! A command that writes without end is ended (`trial/operations.rs`); what it has left running may
//! hold the file open and write on when it has returned, and a container's program may. It writes
//! into nothing: the file loses its blocks again, all but the first, which are all that is read.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{FallocateFlags, fallocate};

/// What a file keeps.
const KEPT: u64 = 16 * 1024 * 1024;
/// A file that takes more on the disk is cut. More than ends a command, so that one that is cut has
/// been ended.
const LIMIT: u64 = 96 * 1024 * 1024;

/// Bounds every file of a directory.
pub(super) fn bound(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_large = |metadata: &std::fs::Metadata| {
            // With a second name it is a file of somebody else's.
            metadata.is_file() && metadata.nlink() == 1 && metadata.blocks() * 512 > LIMIT
        };
        if !entry.metadata().is_ok_and(|metadata| is_large(&metadata)) {
            continue;
        }
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(entry.path());
        let Ok(file) = file else { continue };
        let Some(size) = file.metadata().ok().filter(is_large).map(|m| m.len()) else {
            continue;
        };
        let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let rest = size.saturating_sub(KEPT);
        if fallocate(&file, hole, KEPT as i64, rest as i64).is_err() {
            // A file system without holes; the writer goes on behind one that a write makes.
            let _ = file.set_len(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    #[test]
    fn a_large_file_keeps_its_beginning_and_its_length() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let mut file = std::fs::File::create(&path).unwrap();
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..LIMIT / (1 << 20) + 8 {
            file.write_all(&chunk).unwrap();
        }
        let whole = file.stream_position().unwrap();
        file.sync_all().unwrap();
        std::fs::write(directory.path().join("small"), "small").unwrap();
        bound(directory.path());
        let metadata = std::fs::metadata(&path).unwrap();
        assert!(metadata.blocks() * 512 <= KEPT + (1 << 20), "{metadata:?}");
        assert!(metadata.len() == whole || metadata.len() == KEPT);
        let kept = std::fs::read(&path).unwrap();
        assert!(kept[..KEPT as usize].iter().all(|byte| *byte == b'x'));
        assert_eq!(
            std::fs::read_to_string(directory.path().join("small")).unwrap(),
            "small"
        );
    }

    #[test]
    fn a_file_with_a_second_name_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (own, steps) = (directory.path().join("own"), directory.path().join("steps"));
        std::fs::create_dir(&steps).unwrap();
        let file = std::fs::File::create(&own).unwrap();
        fallocate(&file, FallocateFlags::empty(), 0, LIMIT as i64 + 4096).unwrap();
        std::fs::hard_link(&own, steps.join("0.out")).unwrap();
        bound(&steps);
        assert!(std::fs::metadata(&own).unwrap().blocks() * 512 > LIMIT);
    }
}

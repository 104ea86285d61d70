//! Mends a text where a finding knows for certain how, and leaves every other byte as it is.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::document::{Document, Position};
use crate::finding::Finding;
use crate::report::{Lines, shortened};

/// One change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) rule: &'static str,
    pub(crate) pointer: String,
    /// What was wrong.
    pub(crate) message: String,
    /// Where, in the text as it was before the round of changes that this one belongs to.
    pub(crate) at: Position,
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Change {
    /// What was done, in a few words.
    pub(crate) fn what(&self) -> String {
        let done = match (self.before.as_str(), self.after.as_str()) {
            (before, "") => format!("removed {}", quoted(before)),
            ("", after) => format!("added {}", quoted(after)),
            (before, after) => format!("{} is now {}", quoted(before), quoted(after)),
        };
        format!("{done}: {}", self.message)
    }
}

fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text))
}

/// A text that was judged, mended and judged again.
#[derive(Debug)]
pub(crate) struct Mended {
    pub(crate) bytes: Vec<u8>,
    pub(crate) document: Document,
    /// What is still wrong.
    pub(crate) findings: Vec<Finding>,
    pub(crate) changes: Vec<Change>,
}

/// Two fixes that undo each other would go on for ever.
const ROUNDS: usize = 50;

/// Mends what can be mended. Fixes that overlap are made one at a time, and what the text then is
/// gets judged again, as it may be another thing.
pub(crate) fn mend(bytes: Vec<u8>, judge: &dyn Fn(&Document) -> Vec<Finding>) -> Mended {
    let document = Document::parse(bytes.clone());
    let findings = judge(&document);
    let mut mended = Mended {
        bytes,
        document,
        findings,
        changes: Vec::new(),
    };
    for _ in 0..ROUNDS {
        let Some(next) = round(&mended, judge) else {
            break;
        };
        mended = next;
    }
    mended
}

/// Makes the fixes that do not overlap; nothing if there are none, or if they do not help.
fn round(mended: &Mended, judge: &dyn Fn(&Document) -> Vec<Finding>) -> Option<Mended> {
    let length = mended.bytes.len();
    let mut chosen: Vec<(&Finding, &crate::finding::Fix)> = mended
        .findings
        .iter()
        .filter_map(|finding| Some((finding, finding.fix.as_ref()?)))
        .filter(|(_, fix)| fix.span.start <= fix.span.end && fix.span.end <= length)
        .filter(|(_, fix)| mended.bytes[fix.span.clone()] != *fix.replacement.as_bytes())
        .collect();
    chosen.sort_by_key(|(_, fix)| (fix.span.start, fix.span.end));
    let mut end = None;
    chosen.retain(|(_, fix)| {
        let clear = end.is_none_or(|end| fix.span.start > end);
        if clear {
            end = Some(fix.span.end);
        }
        clear
    });
    if chosen.is_empty() {
        return None;
    }

    let lines = Lines::of(mended.document.text());
    let mut changes = mended.changes.clone();
    let mut bytes = Vec::with_capacity(length);
    let mut from = 0;
    for (finding, fix) in chosen {
        bytes.extend_from_slice(&mended.bytes[from..fix.span.start]);
        bytes.extend_from_slice(fix.replacement.as_bytes());
        from = fix.span.end;
        changes.push(Change {
            rule: finding.rule,
            pointer: finding.pointer.clone(),
            message: finding.message.clone(),
            at: lines.position(fix.span.start),
            before: String::from_utf8_lossy(&mended.bytes[fix.span.clone()]).into_owned(),
            after: fix.replacement.clone(),
        });
    }
    bytes.extend_from_slice(&mended.bytes[from..]);

    let document = Document::parse(bytes.clone());
    // A text that could be read and cannot be any more was not mended.
    if mended.document.root().is_present() && !document.root().is_present() {
        return None;
    }
    let findings = judge(&document);
    Some(Mended {
        bytes,
        document,
        findings,
        changes,
    })
}

/// Puts a text in the place of a file at once, with the file's mode and owner. Whoever reads the
/// file meanwhile reads the one or the other.
pub(crate) fn write(path: &Path, before: &Metadata, bytes: &[u8]) -> io::Result<()> {
    unchanged(path, before)?;
    let (directory, name) = (path.parent(), path.file_name());
    let name = name.ok_or_else(|| io::Error::other("it has no name"))?;
    let mut temporary = directory.map_or_else(PathBuf::new, Path::to_path_buf);
    temporary.push(format!(
        ".{}.{}.fix",
        name.to_string_lossy(),
        std::process::id()
    ));
    let result = fill(&temporary, before, bytes)
        .and_then(|()| unchanged(path, before))
        .and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        // If it was not ours, it was there before and `create_new` refused it.
        if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            let _ = fs::remove_file(&temporary);
        }
    }
    result
}

fn fill(temporary: &Path, before: &Metadata, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)?;
    file.write_all(bytes)?;
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        std::os::unix::fs::fchown(&file, Some(before.uid()), Some(before.gid()))?;
    }
    // Behind the change of owner, which clears set-id bits.
    file.set_permissions(PermissionsExt::from_mode(before.mode() & 0o7777))?;
    file.sync_all()
}

/// Whether the file is still the one that was read.
fn unchanged(path: &Path, before: &Metadata) -> io::Result<()> {
    let now = fs::symlink_metadata(path)?;
    let of = |it: &Metadata| (it.dev(), it.ino(), it.size(), it.mtime(), it.mtime_nsec());
    if now.is_symlink() {
        return Err(io::Error::other(
            "it is a symbolic link, which is not written through",
        ));
    }
    if of(&now) != of(before) {
        return Err(io::Error::other("it was changed meanwhile"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Fix, Severity};

    fn finding(span: std::ops::Range<usize>, replacement: &str) -> Finding {
        Finding {
            rule: "a/b",
            clause: None,
            severity: Severity::Error,
            pointer: String::new(),
            span: span.clone(),
            message: "wrong".into(),
            help: None,
            related: Vec::new(),
            fix: Some(Fix {
                span,
                replacement: replacement.into(),
            }),
        }
    }

    #[test]
    fn all_other_bytes_are_kept() {
        let text = b"\xff{\"a\": 1, }\r\n\t".to_vec();
        let judge = |document: &Document| match document.text().find(", }") {
            Some(at) => vec![finding(at..at + 1, "")],
            None => Vec::new(),
        };
        let mended = mend(text, &judge);
        assert_eq!(mended.bytes, b"\xff{\"a\": 1 }\r\n\t");
        assert_eq!(mended.changes.len(), 1);
        assert_eq!(mended.changes[0].what(), "removed `,`: wrong");
        assert_eq!(mended.findings, []);
    }

    #[test]
    fn overlapping_fixes_are_made_one_at_a_time() {
        let judge = |document: &Document| {
            let text = document.text();
            let mut found = Vec::new();
            if text.contains("abc") {
                found.push(finding(1..4, "x"));
                found.push(finding(3..5, "y"));
            }
            found
        };
        let mended = mend(b"\"abcd\"".to_vec(), &judge);
        assert_eq!(mended.bytes, b"\"xd\"");
        assert_eq!(mended.changes.len(), 1);
    }

    #[test]
    fn fixes_that_undo_each_other_come_to_an_end() {
        let judge = |document: &Document| {
            let other = if document.text() == "1" { "2" } else { "1" };
            vec![finding(0..1, other)]
        };
        assert_eq!(mend(b"1".to_vec(), &judge).changes.len(), ROUNDS);
    }

    #[test]
    fn what_makes_a_text_unreadable_is_not_made() {
        let judge = |_: &Document| vec![finding(0..1, "[")];
        let mended = mend(b"1".to_vec(), &judge);
        assert_eq!(
            (mended.bytes.as_slice(), mended.changes.len()),
            (&b"1"[..], 0)
        );
    }
}

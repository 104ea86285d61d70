//! What runs leave on the host: processes, mounts, cgroups, files, states of containers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Environment variable by which the processes of a run are known, but for those of containers.
pub(crate) const MARK: &str = "ROBUST_MARK";

/// A value for [`MARK`] that no other run has.
pub(crate) fn mark() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}-", std::process::id())
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// What outlives its run becomes a child of this process, and is found by [`orphans`].
pub(crate) fn adopt_orphans() {
    nix::sys::prctl::set_child_subreaper(true).expect("prctl(PR_SET_CHILD_SUBREAPER)");
}

/// The living children of this process that it has not begun itself: every run has been waited for.
pub(crate) fn orphans() -> Vec<String> {
    let me = std::process::id().to_string();
    processes()
        .filter_map(|process| {
            let stat = std::fs::read_to_string(process.join("stat")).ok()?;
            let (name, rest) = stat.rsplit_once(')')?;
            let mut fields = rest.split_whitespace();
            let (state, parent) = (fields.next()?, fields.next()?);
            (parent == me && state != "Z").then(|| format!("{name})"))
        })
        .collect()
}

/// What a process has taken of the host.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
    pub(crate) kilobytes: u64,
}

impl Use {
    pub(crate) fn of(pid: u32) -> Use {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|text| text.split_whitespace().next()?.parse().ok());
        Use {
            descriptors: entries(&process.join("fd")).count(),
            threads: entries(&process.join("task")).count(),
            kilobytes: resident.unwrap_or(0),
        }
    }
}

/// All that a run in this directory, with this mark and this tag, has left.
pub(crate) fn left_behind(directory: &Path, mark: &str, tag: Option<&str>) -> Vec<String> {
    let mut left = Vec::new();
    let marked = format!("{MARK}={mark}");
    for process in processes() {
        let read = |name: &str| std::fs::read(process.join(name)).unwrap_or_default();
        let contains = |name: &str, what: &str| {
            let (text, what) = (read(name), what.as_bytes());
            text.windows(what.len()).any(|window| window == what)
        };
        let of_the_run = contains("environ", &marked)
            || tag.is_some_and(|tag| contains("cgroup", &format!("oci-conformance.{tag}")));
        if of_the_run {
            let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            left.push(format!("{} ({line})", process.display()));
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let below = directory.display().to_string();
    left.extend(
        mounts
            .lines()
            .filter(|line| line.contains(&below))
            .map(|line| format!("mount {line}")),
    );
    let work = entries(&directory.join("work"));
    left.extend(work.map(|path| path.display().to_string()));
    if let Some(tag) = tag {
        let ours = format!("oct-{}-", tag.to_lowercase());
        let is_ours = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.contains(&ours) || name.contains(&format!("oci-conformance.{tag}"))
        };
        let mut found = Vec::new();
        search(Path::new("/sys/fs/cgroup"), 6, &is_ours, &mut found);
        search(Path::new("/run"), 3, &is_ours, &mut found);
        left.extend(found.iter().map(|path| path.display().to_string()));
    }
    left
}

fn search(place: &Path, depth: u32, wanted: &impl Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    for path in entries(place).filter(|path| path.is_dir() && !path.is_symlink()) {
        if wanted(&path) {
            found.push(path);
        } else if depth > 1 {
            search(&path, depth - 1, wanted, found);
        }
    }
}

fn processes() -> impl Iterator<Item = PathBuf> {
    entries(Path::new("/proc")).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.parse::<u32>().is_ok()
    })
}

pub(crate) fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.flatten().map(|entry| entry.path())
}

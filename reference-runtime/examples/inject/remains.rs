//! What a container has left on the host, and how it is taken away.

use crate::sys;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What was there before a trial, and where to look after it.
#[derive(Debug)]
pub(crate) struct Remains {
    id: String,
    state: PathBuf,
    mounts: BTreeSet<String>,
}

impl Remains {
    /// Takes note of what is there now.
    pub(crate) fn watch(id: &str, state: &Path) -> Self {
        Remains {
            id: id.to_owned(),
            state: state.to_owned(),
            mounts: mounts().collect(),
        }
    }

    /// What is there still after a moment, in which what was killed comes to its end.
    pub(crate) fn find(&self) -> Vec<String> {
        let mut found = Vec::new();
        wait_until(Duration::from_secs(2), || {
            found = self.look();
            found.is_empty()
        });
        found
    }

    fn look(&self) -> Vec<String> {
        let processes = descendants().into_iter().map(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("process {}", name.trim())
        });
        let mounts = mounts()
            .filter(|line| !self.mounts.contains(line))
            .map(|line| {
                let point = line.split(' ').nth(4).unwrap_or_default();
                format!("mount on {point}")
            });
        let groups = self
            .groups()
            .into_iter()
            .map(|path| format!("cgroup {}", path.display()));
        let entries = entries(&self.state)
            .filter(|path| path.to_string_lossy().contains(&self.id))
            .map(|path| format!("state {}", path.display()));
        processes
            .chain(mounts)
            .chain(groups)
            .chain(entries)
            .collect()
    }

    /// The groups that bear the container's name, wherever a runtime put them; children first.
    fn groups(&self) -> Vec<PathBuf> {
        fn search(place: &Path, depth: usize, id: &str, found: &mut Vec<PathBuf>) {
            for path in entries(place).filter(|path| path.is_dir() && !path.is_symlink()) {
                if depth > 0 {
                    search(&path, depth - 1, id, found);
                }
                if path.to_string_lossy().contains(id) {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        for line in mounts().filter(|line| line.contains(" - cgroup")) {
            let point = line.split(' ').nth(4).unwrap_or_default();
            search(Path::new(point), 3, &self.id, &mut found);
        }
        found
    }

    /// Ends what is left, so that the next trial does not meet it. Mounts end with their namespace.
    pub(crate) fn clear(&self) {
        wait_until(Duration::from_secs(5), || {
            // A frozen process ends only when it thaws.
            for group in self.groups() {
                let _ = fs::write(group.join("freezer.state"), "THAWED");
                let _ = fs::write(group.join("cgroup.freeze"), "0");
            }
            descendants()
                .iter()
                .for_each(|pid| sys::kill(*pid, libc::SIGKILL));
            for group in self.groups() {
                // It is in use until its processes have ended.
                let _ = fs::remove_dir(group);
            }
            self.groups().is_empty() && descendants().is_empty()
        });
    }
}

fn entries(place: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

fn mounts() -> impl Iterator<Item = String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table
        .lines()
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter()
}

/// The processes that descend from this one and run. Such as have ended are reaped.
pub(crate) fn descendants() -> Vec<i32> {
    let this = i32::try_from(std::process::id()).expect("the kernel's pids are positive ints");
    let all: Vec<(i32, i32, bool)> = entries(Path::new("/proc"))
        .filter_map(|path| {
            let pid = path.file_name()?.to_str()?.parse().ok()?;
            let stat = fs::read_to_string(path.join("stat")).ok()?;
            let mut rest = stat.rsplit_once(") ")?.1.split(' ');
            let ended = matches!(rest.next()?, "Z" | "X");
            Some((pid, rest.next()?.parse().ok()?, ended))
        })
        .collect();
    let mut found = vec![this];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        next += 1;
        for (pid, _, ended) in all.iter().filter(|(_, of, _)| *of == parent) {
            match ended {
                true if parent == this => sys::reap(*pid),
                true => {}
                false => found.push(*pid),
            }
        }
    }
    found.split_off(1)
}

/// Whether something comes to be so in time.
pub(crate) fn wait_until(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        // Between two looks, to leave the processor to whom is waited for.
        std::thread::park_timeout(Duration::from_micros(500));
    }
}

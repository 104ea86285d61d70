//! What a trial's containers leave behind: processes, mounts, cgroups, state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{GRACE, Trial};
use crate::job::Job;
use crate::processes::freezer;
use crate::{host, processes, workdir};

/// The clause that an operation's error breaks by leaving something behind.
const GENERAL: &str = "runtime.errors.unchanged";

/// How long what is left may take to go where nobody is left who could remove it: what the kernel
/// itself has yet to do.
const LAST_GRACE: Duration = Duration::from_millis(500);

/// What was there before the first operation.
#[derive(Debug, Default)]
pub(crate) struct Baseline {
    mounts: BTreeSet<String>,
    processes: BTreeSet<i32>,
    /// What has been judged as left behind already, so that it does not count twice.
    judged: BTreeSet<String>,
}

impl Trial<'_> {
    /// Takes what is there now as not being a leak: for a case that mounts something or starts a
    /// process of its own.
    pub fn rebase(&mut self) {
        self.baseline = Baseline {
            mounts: mounts(),
            processes: processes::descendants(me())
                .into_iter()
                .map(|process| process.pid)
                .collect(),
            judged: BTreeSet::new(),
        };
    }

    /// Judges that a refused create left nothing behind: by the given clause, which is recorded
    /// either way, or by that of errors in general, which is recorded only if it is broken.
    pub(super) fn judge_remains_of_refusal(&mut self, clause: Option<&'static str>) {
        let left = self.left_behind_in_time();
        if let (Some(clause), true) = (clause, left.is_empty()) {
            self.record(
                clause,
                true,
                json!([]),
                json!([]),
                "what the refused create left behind",
            );
        }
        self.judge_remains_by(clause.unwrap_or(GENERAL), left);
    }

    /// Judges what a refusal left behind, if it left anything.
    pub(super) fn judge_remains(&mut self, left: Vec<String>) {
        self.judge_remains_by(GENERAL, left);
    }

    fn judge_remains_by(&mut self, clause: &'static str, left: Vec<String>) {
        if !left.is_empty() {
            self.implicit.push(clause);
            self.record(
                clause,
                false,
                json!([]),
                json!(left),
                "what the refused operation left behind",
            );
        }
        self.baseline.judged.extend(left);
    }

    /// What is left behind now, in words.
    fn left_behind(&self) -> Vec<String> {
        processes::reap_orphans(None);
        let mut left = Vec::new();
        for process in processes::descendants(me()) {
            if !self.baseline.processes.contains(&process.pid) {
                left.push(format!("process {} ({})", process.pid, process.name));
            }
        }
        for mount in mounts().difference(&self.baseline.mounts) {
            left.push(format!("mount {mount}"));
        }
        left.extend(self.cgroups_in_words());
        let state = self.job.directory.join("state");
        for path in below(&state, 2) {
            let named = path.file_name().is_some_and(|name| {
                let name = name.to_string_lossy();
                self.containers
                    .iter()
                    .any(|container| name.contains(&container.bundle.id))
            });
            if named {
                let path = path.strip_prefix(&self.job.directory).unwrap_or(&path);
                left.push(format!("state {}", path.display()));
            }
        }
        left.retain(|words| !self.baseline.judged.contains(words));
        left
    }

    /// The trial's cgroups that exist, each path with the hierarchies that have it.
    fn cgroups_in_words(&self) -> Vec<String> {
        let mut by_path: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
        for hierarchy in &self.job.host.cgroups {
            let parent = hierarchy.mount_point.join(&self.job.cgroup);
            let name = hierarchy
                .mount_point
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            let strays = strays(&hierarchy.mount_point, &self.ids());
            let strays = strays.iter().flat_map(|stray| {
                let inner = below(stray, 8);
                std::iter::once(stray.clone()).chain(inner)
            });
            let own = below(&parent, 8).into_iter().chain(strays);
            for path in own.filter(|path| path.is_dir()) {
                let relative = path
                    .strip_prefix(&hierarchy.mount_point)
                    .unwrap_or(&path)
                    .to_owned();
                by_path
                    .entry(relative)
                    .or_default()
                    .push(name.clone().into_owned());
            }
        }
        by_path
            .into_iter()
            .map(|(path, hierarchies)| {
                format!("cgroup /{} of {}", path.display(), hierarchies.join(", "))
            })
            .collect()
    }

    /// What is still left behind after a grace time; what goes within it is no leak.
    pub fn left_behind_in_time(&self) -> Vec<String> {
        let begin = Instant::now();
        loop {
            let left = self.left_behind();
            let grace = match self.somebody_may_clean() {
                true => super::grace(self.job),
                false => LAST_GRACE,
            };
            if left.is_empty() || begin.elapsed() >= grace {
                return left;
            }
            std::thread::sleep(super::PAUSE);
        }
    }

    /// Whether somebody is there who could still remove what is left: a process of the subject, its
    /// own kernel, or a system manager that removes cgroups for runtimes.
    fn somebody_may_clean(&self) -> bool {
        !self.profile.shared_kernel
            || Path::new("/run/systemd/private").exists()
            || processes::descendants(me())
                .iter()
                .any(|process| !self.baseline.processes.contains(&process.pid))
    }

    /// A leak after every container was deleted breaks delete's clause, in whichever case it shows.
    pub(super) fn judge_leaks(&mut self) {
        const CLAUSE: &str = "runtime.delete.resources";
        let left = self.left_behind_in_time();
        if !left.is_empty() {
            self.implicit.push(CLAUSE);
            self.record(
                CLAUSE,
                false,
                json!([]),
                json!(left),
                "what is left after delete",
            );
            self.baseline.judged.extend(left);
        }
        self.judge_bundles();
    }

    /// A bundle that has gone breaks delete's clause too, whichever operation took it away.
    fn judge_bundles(&mut self) {
        const CLAUSE: &str = "runtime.delete.foreign-resources";
        let gone: Vec<String> = self
            .containers
            .iter()
            .filter(|container| container.deleted)
            .map(|container| &container.bundle.directory)
            .filter(|bundle| !bundle.join("config.json").is_file())
            .map(|bundle| bundle.display().to_string())
            .filter(|bundle| !self.baseline.judged.contains(bundle))
            .collect();
        if !gone.is_empty() {
            self.implicit.push(CLAUSE);
            let what = "bundles that are gone, which the runtime did not make";
            self.record(CLAUSE, false, json!([]), json!(gone), what);
            self.baseline.judged.extend(gone);
        }
    }

    /// The trial's cgroups that exist, in every hierarchy, parents before children.
    pub fn cgroups(&self) -> Vec<PathBuf> {
        let parents = self
            .job
            .host
            .cgroups
            .iter()
            .map(|h| h.mount_point.join(&self.job.cgroup));
        parents
            .flat_map(|parent| below(&parent, 8))
            .filter(|path| path.is_dir())
            .collect()
    }

    /// The directory of the current container's cgroup in the hierarchy of a controller, if it
    /// exists.
    pub fn cgroup_of(&self, controller: &str) -> Option<PathBuf> {
        let hierarchy = self.job.host.controller(controller)?;
        let path = self.config.pointer("/linux/cgroupsPath")?.as_str()?;
        let directory = hierarchy.mount_point.join(path.trim_start_matches('/'));
        directory.is_dir().then_some(directory)
    }

    /// Removes the trial's cgroups, its parent among them.
    pub(super) fn remove_cgroups(&self) {
        for hierarchy in &self.job.host.cgroups {
            remove_cgroup(&hierarchy.mount_point.join(&self.job.cgroup));
        }
        let mounts = self.job.host.cgroups.iter().map(|h| &h.mount_point);
        remove_strays(mounts, &self.ids());
    }

    /// What every id of the trial's containers begins with.
    fn ids(&self) -> String {
        format!("{}-", self.job.id_prefix)
    }
}

/// Cgroups that bear the name of a container of ours outside of what is the run's own: a runtime
/// chooses the place if the configuration names none, and a wrong one does so if it names one.
fn strays(mount_point: &Path, ids: &str) -> Vec<PathBuf> {
    fn search(directory: &Path, ids: &str, depth: usize, found: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(directory) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || workdir::is_of_a_run(&name) {
                continue;
            }
            if name.contains(ids) {
                found.push(entry.path());
            } else if depth > 1 && !workdir::is_of_a_container(&name) {
                search(&entry.path(), ids, depth - 1, found);
            }
        }
    }
    // As deep as a service manager's slices are.
    const DEPTH: usize = 5;
    let mut found = Vec::new();
    search(mount_point, ids, DEPTH, &mut found);
    found
}

/// Removes cgroups that bear ids of ours, wherever they are.
pub(crate) fn remove_strays<'a>(mount_points: impl Iterator<Item = &'a PathBuf>, ids: &str) {
    for mount_point in mount_points {
        for stray in strays(mount_point, ids) {
            remove_cgroup(&stray);
        }
    }
}

/// Thaws all of a trial's cgroups, so that the processes in them can die.
pub(crate) fn thaw_cgroups(job: &Job) {
    for hierarchy in &job.host.cgroups {
        let mut parents = strays(&hierarchy.mount_point, &format!("{}-", job.id_prefix));
        parents.push(hierarchy.mount_point.join(&job.cgroup));
        for parent in parents {
            freezer::thaw(&parent);
            below(&parent, 16)
                .iter()
                .for_each(|path| freezer::thaw(path));
        }
    }
}

/// Removes a cgroup and those below it. A cgroup whose last process has just died may be busy for
/// a moment.
pub(crate) fn remove_cgroup(directory: &Path) {
    let mut all = below(directory, 16);
    all.retain(|path| path.is_dir());
    all.insert(0, directory.to_owned());
    all.iter().for_each(|path| freezer::thaw(path));
    let deadline = Instant::now() + GRACE;
    for path in all.iter().rev() {
        while let Err(error) = std::fs::remove_dir(path) {
            if error.raw_os_error() != Some(libc::EBUSY) || Instant::now() >= deadline {
                break;
            }
            std::thread::sleep(super::PAUSE);
        }
    }
}

/// Every path below a directory to a depth, parents before children; symlinks are not followed.
fn below(directory: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(directory) else {
        return found;
    };
    for entry in entries.flatten() {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        found.push(entry.path());
        if is_directory && depth > 1 {
            found.extend(below(&entry.path(), depth - 1));
        }
    }
    found
}

fn mounts() -> BTreeSet<String> {
    host::read("/proc/self/mountinfo")
        .lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let mut fields = before.split(' ');
            let id = fields.next()?;
            let point = fields.nth(3)?;
            let kind = after.split(' ').next()?;
            Some(format!("{point} ({kind}, id {id})"))
        })
        .collect()
}

fn me() -> i32 {
    std::process::id() as i32
}

//! Control groups: where the container's groups are in every hierarchy of the
//! host (version 1, hybrid and 2), their making, entering and removing.

pub(crate) mod devices;
mod events;
mod freezer;
pub(crate) mod ownership;
pub(crate) mod resources;
mod tree;

use crate::devices::Device;
use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::limited_file;
use crate::sys::files::{self, O_DIRECTORY, O_PATH, O_WRONLY, cwd};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

const CGROUP_MAGIC: i64 = 0x0027_e0eb;
const CGROUP2_MAGIC: i64 = 0x6367_7270;
/// `PROC_USER_INIT_INO`, a constant of the kernel.
const INITIAL_USER_NAMESPACE: &str = "user:[4026531837]";
const MOUNT_ROOT: &str = "/sys/fs/cgroup";

/// One hierarchy of the host.
#[derive(Debug, Clone)]
pub(crate) struct Hierarchy {
    /// Names as the kernel lists them; a named hierarchy has `name=…`; version 2 lists what it offers.
    pub(crate) controllers: Vec<String>,
    pub(crate) v2: bool,
    pub(crate) mount: PathBuf,
    /// Where the runtime itself is in it.
    own: String,
}

/// Finds the hierarchies that this process is in and that are mounted.
pub(crate) fn hierarchies() -> Result<Vec<Hierarchy>> {
    let list =
        limited_file::read_kernel("/proc/self/cgroup").call(|| "read(\"/proc/self/cgroup\")")?;
    let mut mounted = None;
    let mut found = Vec::new();
    for line in list.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(names), Some(own)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let v2 = names.is_empty();
        let mount = match conventional_mount(names) {
            Some(mount) => Some(mount),
            // The table of mounts has those too that something else covers.
            None => mounted_at(mounted.get_or_insert_with(read_mounts), names)
                .filter(|mount| is_of(mount, if v2 { CGROUP2_MAGIC } else { CGROUP_MAGIC })),
        };
        let Some(mount) = mount else { continue };
        let controllers = if v2 {
            let offered = mount.join("cgroup.controllers");
            let text = limited_file::read_kernel(&offered).call(|| format!("read({offered:?})"))?;
            text.split_whitespace().map(str::to_owned).collect()
        } else {
            names.split(',').map(str::to_owned).collect()
        };
        found.push(Hierarchy {
            controllers,
            v2,
            mount,
            own: own.to_owned(),
        });
    }
    Ok(found)
}

/// Where every distribution mounts a hierarchy. Checked by the filesystem's magic number,
/// which is much cheaper than reading the table of all mounts.
fn conventional_mount(names: &str) -> Option<PathBuf> {
    let root = Path::new(MOUNT_ROOT);
    if names.is_empty() {
        return [root.to_owned(), root.join("unified")]
            .into_iter()
            .find(|path| is_of(path, CGROUP2_MAGIC));
    }
    let directory = names.strip_prefix("name=").unwrap_or(names);
    let path = root.join(directory);
    is_of(&path, CGROUP_MAGIC).then_some(path)
}

fn is_of(path: &Path, magic: i64) -> bool {
    files::filesystem_magic(path.as_os_str()).ok() == Some(magic)
}

fn read_mounts() -> Vec<(String, String, PathBuf)> {
    let Ok(text) = fs::read_to_string("/proc/self/mountinfo") else {
        return Vec::new();
    };
    text.lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let target = left.split(' ').nth(4)?;
            let mut right = right.split(' ');
            let (kind, _, options) = (right.next()?, right.next()?, right.next()?);
            kind.starts_with("cgroup")
                .then(|| (kind.to_owned(), options.to_owned(), PathBuf::from(target)))
        })
        .collect()
}

fn mounted_at(mounts: &[(String, String, PathBuf)], names: &str) -> Option<PathBuf> {
    mounts
        .iter()
        .find(|(kind, options, _)| {
            if names.is_empty() {
                return kind == "cgroup2";
            }
            let options: Vec<&str> = options.split(',').collect();
            kind == "cgroup" && names.split(',').all(|name| options.contains(&name))
        })
        .map(|(_, _, target)| target.clone())
}

/// Where the container's groups will be, and what will be written there.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    targets: Vec<(Hierarchy, PathBuf)>,
    pub(crate) settings: Vec<resources::Setting>,
    pub(crate) devices: Option<devices::Rules>,
    /// Whether the configuration says nothing of groups: they are made if that is possible.
    implied: bool,
}

impl Plan {
    /// Reads `cgroupsPath` and `resources`.
    pub(crate) fn new(linux: Option<&Node<'_>>, listed: &[Device], id: &str) -> Result<Self> {
        let path = linux
            .map(|linux| linux.string("cgroupsPath"))
            .transpose()?
            .flatten()
            .filter(|path| !path.is_empty());
        let resources = linux
            .map(|linux| linux.object("resources"))
            .transpose()?
            .flatten();
        let privileged = crate::sys::credentials::effective_uid() == 0;
        if path.is_none() && resources.is_none() && !privileged {
            // Nothing is asked for, and without privilege nothing could be given.
            return Ok(Plan::default());
        }
        let hierarchies = hierarchies()?;
        let mut plan = Plan::default();
        if let Some(resources) = &resources {
            plan.settings = resources::plan(resources, &hierarchies)?;
            plan.devices = devices::plan(resources, &hierarchies)?;
        }
        plan.implied = path.is_none() && plan.settings.is_empty() && plan.devices.is_none();
        if privileged && plan.devices.is_none() {
            plan.devices = devices::default(listed, &hierarchies);
        }
        if path.is_none() && !privileged && plan.settings.is_empty() && plan.devices.is_none() {
            return Ok(Plan::default());
        }
        for hierarchy in hierarchies {
            let relative = match path {
                Some(path) => below(path)
                    .and_then(not_root)
                    .map_err(|error| error.at("/linux/cgroupsPath"))?,
                None => below(&default_path(&hierarchy, &plan.settings, id))?,
            };
            let target = hierarchy.mount.join(relative);
            plan.targets.push((hierarchy, target));
        }
        if path.is_some() && plan.targets.is_empty() {
            return Err(Error::new("no cgroup hierarchy is mounted").at("/linux/cgroupsPath"));
        }
        Ok(plan)
    }

    /// Whether the container can do without the groups that could not be made for this reason: the
    /// root of a user namespace is often shown hierarchies that it may not write to. Not so the
    /// host's root, whose containers could use every device then.
    pub(crate) fn can_do_without(&self, error: &Error) -> bool {
        let forbidden = matches!(
            error.errno(),
            Some(libc::EROFS | libc::EACCES | libc::EPERM)
        );
        let initial = || {
            fs::read_link("/proc/self/ns/user")
                .is_ok_and(|link| link == Path::new(INITIAL_USER_NAMESPACE))
        };
        self.implied && forbidden && !initial()
    }

    /// Where the groups will be, to be remembered before the first is made.
    pub(crate) fn placement(&self) -> Placement {
        let group = |(hierarchy, path): &(Hierarchy, PathBuf)| Group {
            path: path.clone(),
            mount: hierarchy.mount.clone(),
            controllers: hierarchy.controllers.clone(),
            v2: hierarchy.v2,
            made: missing(path, &hierarchy.mount),
        };
        Placement {
            groups: self.targets.iter().map(group).collect(),
        }
    }
}

/// Absolute and relative paths are both taken from the root of the mounted
/// hierarchy: the same value always means the same place.
fn below(path: &str) -> Result<PathBuf> {
    // The kernel would refuse it, but only when each of the groups above it had been looked for.
    if path.len() >= libc::PATH_MAX as usize {
        return Err(Error::new("is longer than a path can be"));
    }
    let mut result = PathBuf::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(Error::new(format!("{path:?} contains \"..\""))),
            _ if part.contains(['\n', '\0']) => {
                return Err(Error::new(format!("{path:?} is not a cgroup path")));
            }
            _ => result.push(part),
        }
    }
    Ok(result)
}

/// The default is below the runtime's own group, which whoever limits the runtime has chosen. Under
/// version 2 a group that has processes can offer no controllers to those below it: there limits
/// put the container's group beside the runtime's.
fn default_path(hierarchy: &Hierarchy, settings: &[resources::Setting], id: &str) -> String {
    let own = hierarchy.own.trim_end_matches('/');
    let limited = settings
        .iter()
        .any(|setting| setting.v2 && setting.controller != "cgroup");
    let parent = match own.rsplit_once('/') {
        Some((above, _)) if hierarchy.v2 && limited => above,
        _ => own,
    };
    format!("{parent}/refrun-{id}")
}

/// In the root of a hierarchy everybody is: limits there would be the host's.
fn not_root(path: PathBuf) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Error::new(
            "the root of the hierarchy is no group of a container",
        ));
    }
    Ok(path)
}

/// How often parents may vanish while a group is made, before that is an error.
const VANISHED: u32 = 64;

/// The directories on the way to `path` that do not exist yet, outermost first.
fn missing(path: &Path, mount: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = path
        .ancestors()
        .take_while(|dir| *dir != mount && !dir.exists())
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    missing
}

/// The container's groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Placement {
    pub(crate) groups: Vec<Group>,
}

/// The container's group in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) path: PathBuf,
    pub(crate) mount: PathBuf,
    pub(crate) controllers: Vec<String>,
    pub(crate) v2: bool,
    /// The directories that are there because of this container, outermost first.
    pub(crate) made: Vec<PathBuf>,
}

impl Group {
    /// Whether this container made the group (and did not find it).
    pub(crate) fn is_made(&self) -> bool {
        self.made.last() == Some(&self.path)
    }

    /// Writes a control file of this group.
    pub(crate) fn write(&self, file: &str, value: &str) -> Result<()> {
        let path = self.path.join(file);
        // Without O_CREAT: a file that the controller lacks must be ENOENT.
        let written = files::openat(cwd(), path.as_os_str(), O_WRONLY, 0)
            .and_then(|file| File::from(file).write_all(value.as_bytes()));
        written.call(|| format!("write({path:?}, {value:?})"))
    }

    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }

    fn make(&mut self) -> Result<()> {
        // Only what mkdir has really made is this container's: somebody else may have made the
        // same directory since the plan, and what is in it must survive this container.
        let mut to_make = VecDeque::from(std::mem::take(&mut self.made));
        let mut vanished = 0;
        while let Some(dir) = to_make.pop_front() {
            match fs::create_dir(&dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                // A parent that was there is not any more: another container had made it, and is
                // deleted at this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound && vanished < VANISHED => {
                    vanished += 1;
                    to_make = missing(&self.path, &self.mount).into();
                    continue;
                }
                other => {
                    other.call(|| format!("mkdir({dir:?})"))?;
                    self.made.push(dir.clone());
                }
            }
            if !self.v2 && self.has("cpuset") {
                inherit_cpuset(&dir)?;
            }
        }
        if !self.is_made() && self.is_frozen() {
            return Err(Error::new(format!("cgroup {:?} is frozen", self.path)));
        }
        Ok(())
    }
}

impl Placement {
    /// Makes the groups that are missing.
    ///
    /// Whatever this returns, `made` then lists what was made and nothing else.
    pub(crate) fn make(&mut self) -> Result<()> {
        let mut result = Ok(());
        for group in &mut self.groups {
            if result.is_ok() {
                result = group.make();
            } else {
                group.made.clear();
            }
        }
        result.map_err(|error| error.at("/linux/cgroupsPath"))
    }

    /// Fails if somebody is in a group that this container did not make.
    pub(crate) fn expect_unused(&self) -> Result<()> {
        for group in self.groups.iter().filter(|group| !group.is_made()) {
            if !tree::members(&group.path)?.is_empty() {
                return Err(Error::new(format!("cgroup {:?} is in use", group.path)));
            }
        }
        Ok(())
    }

    /// Writes the resource limits, before there is a process.
    pub(crate) fn apply(&self, settings: &[resources::Setting]) -> Result<()> {
        self.enable_controllers(settings)?;
        if !settings.iter().any(resources::Setting::keeps_processes_out) {
            return resources::write_all(settings, self);
        }
        let (_, first): (Vec<_>, Vec<_>) = settings
            .iter()
            .cloned()
            .partition(resources::Setting::keeps_processes_out);
        resources::write_all(&first, self)
    }

    /// Writes the limits under which the process could not have been made in its group.
    pub(crate) fn apply_late(&self, settings: &[resources::Setting]) -> Result<()> {
        settings
            .iter()
            .filter(|setting| setting.keeps_processes_out())
            .try_for_each(|setting| resources::write_all(std::slice::from_ref(setting), self))
    }

    /// Kills every process of the container at once. False if that is not possible here: the
    /// group is not the container's own, or the kernel has no such thing.
    pub(crate) fn kill_at_once(&self) -> Result<bool> {
        match self.unified().filter(|group| group.is_made()) {
            Some(group) if self.groups.len() == 1 => group.kill_at_once(),
            _ => Ok(false),
        }
    }

    /// The group in which a controller of version 1, or of version 2, works.
    pub(crate) fn with(&self, controller: &str, v2: bool) -> Option<&Group> {
        self.groups.iter().find(|group| {
            group.v2 == v2 && (group.has(controller) || (v2 && controller == "cgroup"))
        })
    }

    /// The group of version 2.
    pub(crate) fn unified(&self) -> Option<&Group> {
        self.groups.iter().find(|group| group.v2)
    }

    /// A descriptor to clone a process into the group of version 2.
    pub(crate) fn open_unified(&self) -> Result<Option<OwnedFd>> {
        let Some(group) = self.unified() else {
            return Ok(None);
        };
        files::openat(cwd(), group.path.as_os_str(), O_PATH | O_DIRECTORY, 0)
            .map(Some)
            .call(|| format!("open({:?}, O_PATH)", group.path))
    }

    /// The files through which a process enters the groups of version 1.
    pub(crate) fn open_tasks(&self) -> Result<Vec<Tasks>> {
        let v1 = self.groups.iter().filter(|group| !group.v2);
        v1.map(|group| {
            let path = group.path.join("tasks");
            let file = files::openat(cwd(), path.as_os_str(), O_WRONLY, 0)
                .call(|| format!("open({path:?}, O_WRONLY)"))?;
            Ok(Tasks {
                path,
                file: file.into(),
            })
        })
        .collect()
    }

    /// The processes in the container's groups, as far as the groups are its own.
    pub(crate) fn members(&self) -> Result<Vec<i32>> {
        match self.groups.iter().find(|group| group.is_made()) {
            Some(group) => tree::members(&group.path),
            None => Ok(Vec::new()),
        }
    }

    /// Kills whatever is left in the groups and removes them.
    pub(crate) fn remove(&self) -> Result<()> {
        let mut result = Ok(());
        for group in &self.groups {
            // The others must go even if one cannot.
            result = result.and(group.remove());
        }
        result
    }

    /// Offers the controllers of the settings to the group of version 2.
    pub(crate) fn enable_controllers(&self, settings: &[resources::Setting]) -> Result<()> {
        let Some(group) = self.unified() else {
            return Ok(());
        };
        let mut wanted: Vec<&str> = Vec::new();
        for setting in settings.iter().filter(|setting| setting.v2) {
            if setting.controller != "cgroup" && !wanted.contains(&setting.controller.as_str()) {
                wanted.push(&setting.controller);
            }
        }
        if wanted.is_empty() || group.path == group.mount {
            return Ok(());
        }
        let value = wanted
            .iter()
            .map(|name| format!("+{name}"))
            .collect::<Vec<_>>()
            .join(" ");
        let mut above: Vec<&Path> = group
            .path
            .ancestors()
            .skip(1)
            .take_while(|dir| dir.starts_with(&group.mount))
            .collect();
        above.reverse();
        for dir in above {
            let path = dir.join("cgroup.subtree_control");
            let enabled = fs::read_to_string(&path).call(|| format!("read({path:?})"))?;
            let enabled: Vec<&str> = enabled.split_whitespace().collect();
            if !wanted.iter().all(|name| enabled.contains(name)) {
                fs::write(&path, &value)
                    .call(|| format!("write({path:?}, {value:?})"))
                    .at("/linux/resources")?;
            }
        }
        Ok(())
    }
}

/// The way into one group of version 1.
#[derive(Debug)]
pub(crate) struct Tasks {
    path: PathBuf,
    file: File,
}

impl Tasks {
    /// The descriptor of the file.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Moves this process. `0` and `tasks`, not a pid and `cgroup.procs`: for its
    /// only thread the kernel need not stop all forks and wait for a grace period.
    pub(crate) fn enter(&self) -> Result<()> {
        (&self.file)
            .write_all(b"0")
            .call(|| format!("write({:?}, \"0\")", self.path))
    }
}

/// A new cpuset has no CPU and no memory node, and takes no process until it has.
fn inherit_cpuset(dir: &Path) -> Result<()> {
    let Some(parent) = dir.parent() else {
        return Ok(());
    };
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let (own, above) = (dir.join(file), parent.join(file));
        let current = fs::read_to_string(&own).call(|| format!("read({own:?})"))?;
        if current.trim().is_empty() {
            let read_above = || fs::read_to_string(&above).call(|| format!("read({above:?})"));
            let mut value = read_above()?;
            let is_root = !parent.with_file_name(file).exists();
            if value.trim().is_empty() && !is_root {
                // The parent is just being made by another container, which has not come to this yet.
                inherit_cpuset(parent)?;
                value = read_above()?;
            }
            fs::write(&own, value.trim()).call(|| format!("write({own:?}, {:?})", value.trim()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_mount() {
        assert_eq!(below("/a//b/").unwrap(), Path::new("a/b"));
        assert_eq!(below("a/./b").unwrap(), Path::new("a/b"));
        assert!(below("/a/../b").is_err());
        assert!(below("a\nb").is_err());
    }

    #[test]
    fn a_cpuset_is_inherited_through_a_parent_that_has_none_yet() {
        let root = std::env::temp_dir().join(format!("refrun-cpuset-{}", std::process::id()));
        let group = root.join("parent/group");
        fs::create_dir_all(&group).unwrap();
        for (dir, value) in [
            (&root, "0-1\n"),
            (&root.join("parent"), "\n"),
            (&group, "\n"),
        ] {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                fs::write(dir.join(file), value).unwrap();
            }
        }
        let inherited = inherit_cpuset(&group);
        let values = ["parent", "parent/group"]
            .map(|dir| fs::read_to_string(root.join(dir).join("cpuset.cpus")).unwrap());
        fs::remove_dir_all(&root).unwrap();
        inherited.unwrap();
        assert_eq!(values, ["0-1", "0-1"]);
    }

    #[test]
    fn under_version_2_limits_put_the_group_beside_the_runtimes() {
        let hierarchy = |v2, own: &str| Hierarchy {
            controllers: Vec::new(),
            v2,
            mount: "/x".into(),
            own: own.to_owned(),
        };
        let limit = [resources::Setting {
            controller: "pids".to_owned(),
            v2: true,
            files: vec!["pids.max".to_owned()],
            value: "1".to_owned(),
            pointer: String::new(),
        }];
        let path = |v2, own, settings| default_path(&hierarchy(v2, own), settings, "c");
        assert_eq!(path(true, "/a/b", &limit), "/a/refrun-c");
        assert_eq!(path(true, "/a/b", &[]), "/a/b/refrun-c");
        assert_eq!(path(false, "/a/b", &limit), "/a/b/refrun-c");
        assert_eq!(path(true, "/", &limit), "/refrun-c");
    }

    #[test]
    fn hierarchies_are_found_by_their_mount_options() {
        let mounts = vec![
            (
                "cgroup".to_owned(),
                "rw,cpu,cpuacct".to_owned(),
                PathBuf::from("/x/cpu"),
            ),
            (
                "cgroup2".to_owned(),
                "rw".to_owned(),
                PathBuf::from("/x/two"),
            ),
        ];
        assert_eq!(mounted_at(&mounts, "cpu,cpuacct"), Some("/x/cpu".into()));
        assert_eq!(mounted_at(&mounts, ""), Some("/x/two".into()));
        assert_eq!(mounted_at(&mounts, "memory"), None);
    }

    #[test]
    fn a_parent_that_vanishes_after_the_plan_is_made_again() {
        let mount = std::env::temp_dir().join(format!("refrun-group-{}", std::process::id()));
        fs::create_dir(&mount).unwrap();
        let parent = mount.join("parent");
        let path = parent.join("group");
        let mut group = Group {
            path: path.clone(),
            mount: mount.clone(),
            controllers: Vec::new(),
            v2: true,
            // As it was planned while the parent was there.
            made: vec![path.clone()],
        };
        let made = group.make();
        fs::remove_dir_all(&mount).unwrap();
        made.unwrap();
        assert_eq!(group.made, [parent, path]);
    }
}

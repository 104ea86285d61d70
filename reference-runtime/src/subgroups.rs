//! `exec --cgroup`: groups below the container's own, which its programs have made.

use crate::cgroup::{Group, Placement};
use crate::error::{CallContext, Error, Result};
use crate::state::Container;
use crate::sys::files::{self, O_DIRECTORY, O_NOFOLLOW, O_PATH, cwd};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

/// The container's groups with those replaced that the arguments name: `PATH` for all
/// hierarchies, `CONTROLLER[,CONTROLLER]:PATH` for those of the controllers.
pub(crate) fn select(placement: &Placement, arguments: &[String]) -> Result<Placement> {
    let mut selected = placement.clone();
    for argument in arguments {
        match argument.split_once(':') {
            None if arguments.len() > 1 => {
                return Err(Error::new(format!(
                    "--cgroup {argument:?}: of several, each needs its controllers"
                )));
            }
            None => selected
                .groups
                .iter_mut()
                .try_for_each(|group| descend(group, argument))?,
            Some((controllers, path)) => {
                for controller in controllers.split(',') {
                    let known = |name: &String| name == controller;
                    let group = selected
                        .groups
                        .iter_mut()
                        .find(|group| group.controllers.iter().any(known))
                        .ok_or_else(|| {
                            Error::new(format!("the container has no {controller:?} cgroup"))
                        })?;
                    descend(group, path)?;
                }
            }
        }
    }
    Ok(selected)
}

/// Goes down to an existing group.
fn descend(group: &mut Group, path: &str) -> Result<()> {
    let relative = Path::new(path.trim_start_matches('/'));
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !relative.components().all(plain) {
        return Err(Error::new(format!("--cgroup {path:?} contains \"..\"")));
    }
    let target = group.path.join(relative);
    if !target.is_dir() {
        return Err(Error::new(format!("cgroup {target:?} does not exist")));
    }
    group.path = target;
    Ok(())
}

/// The group of version 2 in which the container process is now, which is its own or one below.
pub(crate) fn of_container_process(container: &Container) -> Result<Option<OwnedFd>> {
    let (Some(group), Some(process)) =
        (container.record.cgroup.unified(), container.record.process)
    else {
        return Ok(None);
    };
    let list = format!("/proc/{}/cgroup", process.pid);
    let text = fs::read_to_string(&list).call(|| format!("read({list:?})"))?;
    let path = text
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .map(|path| group.mount.join(path))
        .filter(|path| path.starts_with(&group.path))
        .ok_or_else(|| Error::new("the container process has left the container's cgroup"))?;
    files::openat(
        cwd(),
        path.as_os_str(),
        O_PATH | O_DIRECTORY | O_NOFOLLOW,
        0,
    )
    .map(Some)
    .call(|| format!("open({path:?}, O_PATH)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_by_controller_or_all_at_once() {
        let base = std::env::temp_dir().join(format!("refrun-subgroups-{}", std::process::id()));
        let group = |name: &str| {
            fs::create_dir_all(base.join(name).join("below")).unwrap();
            Group {
                path: base.join(name),
                mount: base.clone(),
                controllers: vec![name.to_owned()],
                v2: false,
                made: Vec::new(),
            }
        };
        let placement = Placement {
            groups: vec![group("cpu"), group("pids")],
        };
        let paths = |arguments: &[&str]| -> Result<Vec<String>> {
            let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
            let name = |group: &Group| {
                let path = group.path.strip_prefix(&base).unwrap();
                path.to_str().unwrap().to_owned()
            };
            Ok(select(&placement, &arguments)?
                .groups
                .iter()
                .map(name)
                .collect())
        };
        assert_eq!(paths(&["/below"]).unwrap(), ["cpu/below", "pids/below"]);
        assert_eq!(paths(&["pids:below"]).unwrap(), ["cpu", "pids/below"]);
        assert_eq!(
            paths(&["pids,cpu:below"]).unwrap(),
            ["cpu/below", "pids/below"]
        );
        assert!(
            paths(&["absent"])
                .unwrap_err()
                .to_string()
                .contains("does not exist")
        );
        assert!(paths(&["../pids"]).is_err() && paths(&["memory:below"]).is_err());
        assert!(paths(&["below", "below"]).is_err());
        fs::remove_dir_all(&base).unwrap();
    }
}

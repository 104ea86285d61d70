//! What control files held before they were written, so that it can be put back:
//! by an update that fails, and by delete in groups that were there before the container.

use crate::cgroup::Placement;
use crate::cgroup::resources::Setting;
use crate::error::{CallContext, Result};
use crate::sys::files::{self, O_WRONLY, cwd};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A control file and what it held.
pub(crate) type Previous = (PathBuf, String);

/// What the file of a setting holds. None if there is none, or if it is no single value: lines
/// that are each about another device cannot be written back as they are read.
pub(crate) fn read(setting: &Setting, placement: &Placement) -> Option<Previous> {
    let group = placement.with(&setting.controller, setting.v2)?;
    let (path, text) = setting.files.iter().find_map(|file| {
        let path = group.path.join(file);
        let text = fs::read_to_string(&path).ok()?;
        Some((path, text))
    })?;
    let text = text.trim();
    let keyed = |text: &str| text.contains([':', '=', '\n']);
    let single = !keyed(text) && !keyed(&setting.value);
    single.then(|| (path, text.to_owned()))
}

/// What settings are about to change in groups that are not the container's own.
pub(crate) fn of_found_groups(settings: &[Setting], placement: &Placement) -> Vec<Previous> {
    settings
        .iter()
        .filter(|setting| {
            placement
                .with(&setting.controller, setting.v2)
                .is_some_and(|group| !group.is_made())
        })
        .filter_map(|setting| read(setting, placement))
        .collect()
}

/// Writes the values back, the last one first. Limits bound each other: what is refused is tried
/// again after the rest.
pub(crate) fn restore(previous: &[Previous]) -> Result<()> {
    let mut pending: Vec<&Previous> = previous.iter().rev().collect();
    loop {
        let attempted = pending.len();
        let mut refusal = Ok(());
        pending.retain(|(path, text)| {
            let error = write(path, text).err();
            let refused = error.is_some();
            if let (Some(error), true) = (error, refusal.is_ok()) {
                refusal = Err(error).call(|| format!("write({path:?}, {text:?})"));
            }
            refused
        });
        if pending.is_empty() || pending.len() == attempted {
            return refusal;
        }
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    // Without O_CREAT: a group that has gone needs nothing.
    match files::openat(cwd(), path.as_os_str(), O_WRONLY, 0) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        file => File::from(file?).write_all(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Group;

    #[test]
    fn only_single_values_of_found_groups_are_put_back() {
        let path = std::env::temp_dir().join(format!("refrun-previous-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        for (file, text) in [("pids.max", "max\n"), ("io.max", "8:0 rbps=1 wbps=max\n")] {
            fs::write(path.join(file), text).unwrap();
        }
        let setting = |file: &str, value: &str| Setting {
            controller: "pids".to_owned(),
            v2: true,
            files: vec!["pids.absent".to_owned(), file.to_owned()],
            value: value.to_owned(),
            pointer: String::new(),
        };
        let settings = [setting("pids.max", "5"), setting("io.max", "8:0 rbps=2")];
        let mut placement = Placement {
            groups: vec![Group {
                path: path.clone(),
                mount: path.clone(),
                controllers: vec!["pids".to_owned()],
                v2: true,
                made: vec![path.clone()],
            }],
        };
        assert!(of_found_groups(&settings, &placement).is_empty());
        placement.groups[0].made.clear();
        let previous = of_found_groups(&settings, &placement);
        assert_eq!(previous, [(path.join("pids.max"), "max".to_owned())]);
        fs::write(path.join("pids.max"), "5").unwrap();
        restore(&previous).unwrap();
        // A regular file keeps what is longer.
        assert!(
            fs::read_to_string(path.join("pids.max"))
                .unwrap()
                .starts_with("max")
        );
        fs::remove_dir_all(&path).unwrap();
        restore(&previous).unwrap();
    }
}

//! Names from outside: the host's own name, and the container's id as a path.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;

use super::dare;
use crate::case::{Case, Need};
use crate::trial::{Stop, Trial};

const HOSTNAME: &str = "security.hostname.inherited-namespace";
const TRAVERSAL: &str = "security.container-id.path-traversal";
const PRIVATE: &str = "security.state.private";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        // The trial's UTS namespace stands for the host's.
        id: "security/hostname/does-not-rename-the-host",
        judges: &[HOSTNAME],
        needs: &[Need::Root],
        run: |trial| {
            if std::process::id() != 1 {
                return Err(Stop::Inapplicable("a UTS namespace for the trial".into()));
            }
            let before = hostname();
            trial.drop_namespace("uts");
            trial.set("/hostname", "renamed-by-a-container");
            dare(trial)?;
            trial.expect_in(
                HOSTNAME,
                "host name of the runtime's namespace",
                before,
                hostname(),
            )
        },
    },
    Case {
        id: "security/container-id/cannot-be-a-path",
        judges: &[TRAVERSAL],
        needs: &[Need::StateRoot],
        run: |trial| {
            let outside = super::outside(trial)?;
            let ids = ["../escaped", "a/b", "a/../../escaped", "..", "."].map(str::to_owned);
            let absolute = outside.join("escaped").display().to_string();
            for (number, id) in ids.into_iter().chain([absolute]).enumerate() {
                if number > 0 {
                    trial.another()?;
                }
                let before = names_in(trial.directory());
                trial.id = id.clone();
                let exit = trial.create()?;
                // The alphabet is the runtime's: dots may be a name, as long as they are no path.
                if id.contains('/') {
                    let what = format!("create of the id {id:?}");
                    trial.expect_error(TRAVERSAL, &what, &exit)?;
                }
                stays_inside(trial, "create", &before, &outside)?;
                if exit.succeeded() {
                    trial.give_up()?;
                    stays_inside(trial, "delete", &before, &outside)?;
                }
            }
            Ok(())
        },
    },
    Case {
        id: "security/state/cannot-be-written-by-other-users",
        judges: &[PRIVATE],
        needs: &[Need::Root, Need::StateRoot],
        run: |trial| {
            trial.must_create()?;
            let mut open = Vec::new();
            let state = trial.directory().join("state");
            for entry in std::fs::read_dir(&state).into_iter().flatten().flatten() {
                writable_by_others(&entry.path(), &state, &mut open);
            }
            let what = "files and directories of the state that other users can write";
            trial.expect_in(PRIVATE, what, json!([]), open)?;
            trial.finish()
        },
    },
];

fn hostname() -> String {
    nix::unistd::gethostname().map_or_else(
        |_| String::new(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn stays_inside(
    trial: &mut Trial<'_>,
    operation: &str,
    before: &[String],
    outside: &Path,
) -> Result<(), Stop> {
    let id = trial.id.clone();
    let what = format!("what is beside the state directory after {operation} of the id {id:?}");
    trial.expect_in(TRAVERSAL, &what, before, names_in(trial.directory()))?;
    let what = format!("what is outside after {operation} of the id {id:?}");
    let seen = super::contents(outside);
    trial.expect_in(TRAVERSAL, &what, super::untouched(), seen)
}

fn names_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Regular files and directories that others can write and come to. A FIFO or socket is a way in by
/// design, and may be open to a container's user.
fn writable_by_others(path: &Path, state: &Path, found: &mut Vec<String>) {
    let Ok(file) = path.symlink_metadata() else {
        return;
    };
    if !file.is_dir() && !file.is_file() {
        return;
    }
    if file.mode() & 0o002 != 0 {
        let name = path.strip_prefix(state).unwrap_or(path);
        found.push(format!("{} {:04o}", name.display(), file.mode() & 0o7777));
    }
    // Nobody gets past a directory that others cannot search.
    if file.is_dir() && file.mode() & 0o001 != 0 {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            writable_by_others(&entry.path(), state, found);
        }
    }
}

//! What the container process must not be handed: descriptors, a working directory outside, the
//! runtime's own program.

use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::statvfs::FsFlags;
use serde_json::{Value, json};

use super::{dare, outside, world};
use crate::case::{Case, Need};
use crate::trial::{Stop, Trial};

const NO_LEAK: &str = "security.fds.no-leak";
const CWD: &str = "security.cwd.inside-root";
const NOT_WRITABLE: &str = "security.host-binary.not-writable";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "security/descriptors/none-of-the-runtime-reaches-the-container",
        judges: &[NO_LEAK],
        needs: &[],
        run: |trial| {
            let world = trial.observe()?;
            standard_ones_only(trial, &world)
        },
    },
    Case {
        id: "security/descriptors/none-of-the-caller-reaches-the-container",
        judges: &[NO_LEAK],
        needs: &[],
        run: |trial| {
            let outside = outside(trial)?;
            let open = |error| Stop::Broken(format!("open {}: {error}", outside.display()));
            let directory = std::fs::File::open(&outside).map_err(open)?;
            // Inherited by the subject, as from an engine that forgets O_CLOEXEC.
            fcntl(directory.as_fd(), FcntlArg::F_SETFD(FdFlag::empty()))
                .map_err(|errno| Stop::Broken(format!("fcntl(F_SETFD, 0): {errno}")))?;
            let world = trial.observe()?;
            drop(directory);
            standard_ones_only(trial, &world)
        },
    },
    Case {
        id: "security/cwd/through-a-descriptor-does-not-leave-the-root",
        judges: &[CWD],
        needs: &[],
        run: |trial| {
            for number in 3..13 {
                if number > 3 {
                    trial.another()?;
                }
                let cwd = format!("/proc/self/fd/{number}");
                trial.set("/process/cwd", cwd.clone());
                let lines = dare(trial)?;
                let observed = match &lines {
                    None => json!("refused"),
                    Some(lines) => match world(lines) {
                        Some(world) => json!({"getcwd": world.cwd}),
                        None => json!("nothing told"),
                    },
                };
                // getcwd(2) marks a directory that the root does not hold.
                let holds = match observed["getcwd"].as_str() {
                    Some(path) => !path.starts_with("(unreachable)"),
                    None => observed == json!("refused"),
                };
                let says = format!("{cwd} is refused, or a directory below the root");
                trial.expect_that(CWD, holds, says, observed)?;
            }
            Ok(())
        },
    },
    Case {
        id: "security/host-binary/is-not-open-to-writing-through-the-containers-process",
        judges: &[NOT_WRITABLE],
        needs: &[Need::Root, Need::SharedKernel],
        run: host_binary,
    },
];

fn standard_ones_only(trial: &mut Trial<'_>, world: &oci_probe::World) -> Result<(), Stop> {
    let further: Vec<_> = world
        .descriptors
        .iter()
        .filter(|open| open.fd > 2)
        .collect();
    trial.expect_in(
        NO_LEAK,
        "descriptors beyond the standard ones",
        json!([]),
        further,
    )?;
    let leading_out: Vec<_> = world
        .descriptors
        .iter()
        .filter(|open| open.outside_root == Some(true))
        .collect();
    trial.expect_in(
        NO_LEAK,
        "directories outside of the root that are open",
        json!([]),
        leading_out,
    )
}

/// Between create and start the container's process is the runtime's program. What executes it must
/// not be a file of the host that can be opened for writing, or whoever shares the process's pid
/// namespace can replace the program for the next container.
fn host_binary(trial: &mut Trial<'_>) -> Result<(), Stop> {
    trial.must_create()?;
    let Some(pid) = trial.pid() else {
        return Err(Stop::Inapplicable(
            "the pid of the created container".into(),
        ));
    };
    let exe = format!("/proc/{pid}/exe");
    let observed = match std::fs::read_link(&exe) {
        Err(error) => json!({"readlink": error.to_string()}),
        Ok(path) => {
            let identity = |path: &std::path::Path| {
                std::fs::metadata(path)
                    .ok()
                    .map(|file| (file.dev(), file.ino()))
            };
            let on_host = identity(&path).is_some() && identity(&path) == identity(exe.as_ref());
            let mount = nix::sys::statvfs::statvfs(exe.as_str());
            let read_only = mount.is_ok_and(|mount| mount.flags().contains(FsFlags::ST_RDONLY));
            json!({
                "program": path, "is a file of the host": on_host,
                "on a read-only mount": read_only, "open for writing": opens(&exe),
            })
        }
    };
    let replaceable = observed["is a file of the host"] == json!(true)
        // The kernel asks first whether it is busy, which it is only as long as it runs.
        && observed["on a read-only mount"] == json!(false)
        && ["done", "ETXTBSY"].map(Value::from).contains(&observed["open for writing"]);
    let says = "the created container's process runs no writable file of the host";
    trial.expect_that(NOT_WRITABLE, !replaceable, says, observed)?;
    trial.finish()
}

/// Whether a file opens for writing: `done`, or the errno's name. Nothing is written.
fn opens(path: &str) -> String {
    let open = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_CLOEXEC)
        .open(path);
    match open {
        Ok(_) => "done".into(),
        Err(error) => match error.raw_os_error() {
            Some(number) => format!("{:?}", nix::Error::from_raw(number)),
            None => error.to_string(),
        },
    }
}

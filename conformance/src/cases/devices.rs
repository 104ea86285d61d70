//! Devices: the configured ones, the default ones, and the links of `/dev`.

use serde_json::{Value, json};

use super::told::{ending, told};
use crate::case::{Case, Need};
use crate::trial::{Refusal, Stop, Trial, When};

const AVAILABLE: &str = "config-linux.devices.available";
const NUMBERS: &str = "config-linux.devices.major-minor.effect";
const MODE: &str = "config-linux.devices.fileMode.effect";
const UID: &str = "config-linux.devices.uid.effect";
const GID: &str = "config-linux.devices.gid.effect";
const MISMATCH: &str = "config-linux.devices.path.mismatch";
const NOTHING: &str = "runtime.errors.unchanged";
const PTMX: &str = "config-linux.default-devices.ptmx";
const CONSOLE: &str = "config-linux.default-devices.console";

/// A device that the runtime has to make needs more than a bind mount of the host's.
const MAY_MAKE_NODES: &[Need] = &[Need::Root, Need::Capability("CAP_MKNOD")];

/// Default devices: path, major, minor and clause.
const DEFAULTS: [(&str, u32, u32, &str); 6] = [
    ("/dev/null", 1, 3, "config-linux.default-devices.null"),
    ("/dev/zero", 1, 5, "config-linux.default-devices.zero"),
    ("/dev/full", 1, 7, "config-linux.default-devices.full"),
    ("/dev/random", 1, 8, "config-linux.default-devices.random"),
    ("/dev/urandom", 1, 9, "config-linux.default-devices.urandom"),
    ("/dev/tty", 5, 0, "config-linux.default-devices.tty"),
];

/// Links of `/dev`: path, target and clause.
const LINKS: [(&str, &str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd", "runtime-linux.symlink.dev.fd"),
    (
        "/dev/stdin",
        "/proc/self/fd/0",
        "runtime-linux.symlink.dev.stdin",
    ),
    (
        "/dev/stdout",
        "/proc/self/fd/1",
        "runtime-linux.symlink.dev.stdout",
    ),
    (
        "/dev/stderr",
        "/proc/self/fd/2",
        "runtime-linux.symlink.dev.stderr",
    ),
];

pub(super) const CASES: &[Case] = &[
    Case {
        id: "devices/character-device-has-its-numbers-mode-and-owner",
        judges: &[AVAILABLE, NUMBERS, MODE, UID, GID],
        needs: MAY_MAKE_NODES,
        run: |trial| is_as_configured(trial, "c", "char", "/dev/listed"),
    },
    Case {
        id: "devices/block-device-has-its-numbers-mode-and-owner",
        judges: &[AVAILABLE, NUMBERS, MODE, UID, GID],
        needs: MAY_MAKE_NODES,
        run: |trial| is_as_configured(trial, "b", "block", "/dev/listed"),
    },
    Case {
        id: "devices/type-u-is-a-character-device",
        judges: &[AVAILABLE, NUMBERS, MODE, UID, GID],
        needs: MAY_MAKE_NODES,
        run: |trial| is_as_configured(trial, "u", "char", "/dev/listed"),
    },
    Case {
        id: "devices/path-may-lie-outside-of-dev",
        judges: &[AVAILABLE, NUMBERS, MODE, UID, GID],
        needs: MAY_MAKE_NODES,
        run: |trial| is_as_configured(trial, "c", "char", "/mnt/listed"),
    },
    Case {
        id: "devices/fifo-needs-no-numbers",
        judges: &[AVAILABLE, MODE],
        needs: MAY_MAKE_NODES,
        run: |trial| {
            let fifo = json!({"type": "p", "path": "/dev/listed", "fileMode": 0o622});
            trial.set("/linux/devices", json!([fifo]));
            let world = trial.observe()?;
            let file = world.files.get("/dev/listed");
            trial.expect(AVAILABLE, "fifo", file.map(|file| &file.kind))?;
            trial.expect(MODE, 0o622, file.map(|file| file.mode))
        },
    },
    Case {
        id: "devices/listed-device-can-be-used",
        judges: &[AVAILABLE],
        needs: MAY_MAKE_NODES,
        run: |trial| {
            // The numbers of /dev/full: writing to it fails in a way that nothing else does.
            let full = json!({"type": "c", "path": "/dev/listed", "major": 1, "minor": 7,
                              "fileMode": 0o666, "uid": 0, "gid": 0});
            trial.set("/linux/devices", json!([full]));
            trial.probe(&["write", "/dev/listed", "x"]);
            let lines = trial.run_to_end()?;
            trial.expect(AVAILABLE, "ENOSPC", ending(told(&lines, "write", &[])?))
        },
    },
    Case {
        id: "devices/another-file-at-the-path-is-an-error",
        judges: &[MISMATCH, AVAILABLE, NOTHING],
        needs: MAY_MAKE_NODES,
        run: another_file_is_an_error,
    },
    Case {
        id: "devices/default-devices-are-supplied",
        judges: &[
            DEFAULTS[0].3,
            DEFAULTS[1].3,
            DEFAULTS[2].3,
            DEFAULTS[3].3,
            DEFAULTS[4].3,
            DEFAULTS[5].3,
        ],
        needs: &[],
        run: defaults_are_there,
    },
    Case {
        id: "devices/default-devices-can-be-used",
        judges: &[
            DEFAULTS[0].3,
            DEFAULTS[1].3,
            DEFAULTS[2].3,
            DEFAULTS[3].3,
            DEFAULTS[4].3,
        ],
        needs: &[],
        run: defaults_work,
    },
    Case {
        id: "devices/ptmx-leads-to-that-of-the-containers-devpts",
        judges: &[PTMX],
        needs: &[],
        run: ptmx,
    },
    Case {
        id: "devices/console-is-the-terminal",
        judges: &[CONSOLE],
        needs: &[],
        run: console,
    },
    Case {
        id: "devices/links-of-the-standard-streams-are-there",
        judges: &[LINKS[0].2, LINKS[1].2, LINKS[2].2, LINKS[3].2],
        needs: &[],
        run: |trial| {
            let world = trial.observe()?;
            for (path, target, clause) in LINKS {
                trial.expect(
                    clause,
                    target,
                    world.files.get(path).and_then(|file| file.target.as_ref()),
                )?;
            }
            Ok(())
        },
    },
];

/// Lists one device with everything that an entry can have. The numbers are nobody's, so that it
/// cannot be had by binding one of the host's; the mode has bits that a usual umask would clear.
fn is_as_configured(
    trial: &mut Trial,
    kind: &str,
    file_kind: &str,
    path: &str,
) -> Result<(), Stop> {
    let device = json!({"type": kind, "path": path, "major": 240, "minor": 17,
                        "fileMode": 0o626, "uid": 1234, "gid": 5678});
    trial.set("/linux/devices", json!([device]));
    let asked = format!("path={path}");
    trial.probe(&["observe", &asked]);
    let world = trial.observe()?;
    let file = world.files.get(path);
    trial.expect(AVAILABLE, file_kind, file.map(|file| &file.kind))?;
    let numbers = file.map(|file| (file.major, file.minor));
    trial.expect(NUMBERS, (240, 17), numbers)?;
    trial.expect(MODE, 0o626, file.map(|file| file.mode))?;
    trial.expect(UID, 1234, file.map(|file| file.uid))?;
    trial.expect(GID, 5678, file.map(|file| file.gid))
}

fn another_file_is_an_error(trial: &mut Trial) -> Result<(), Stop> {
    let device = json!({"type": "c", "path": "/mnt/listed", "major": 240, "minor": 17});
    trial.set("/linux/devices", json!([device]));
    trial.by_hand("# the second bundle has a regular file at rootfs/mnt/listed: `touch` it there");
    let refusal = Refusal {
        error: MISMATCH,
        nothing: Some(NOTHING),
        control: AVAILABLE,
        when: When::Create,
        what: "a regular file at the path of a device",
    };
    let mut written = Ok(());
    trial.refuses(&refusal, |bundle| {
        written = std::fs::write(bundle.rootfs().join("mnt/listed"), "no device\n");
    })?;
    written.map_err(|error| Stop::Broken(format!("write rootfs/mnt/listed: {error}")))
}

fn defaults_are_there(trial: &mut Trial) -> Result<(), Stop> {
    let world = trial.observe()?;
    for (path, major, minor, clause) in DEFAULTS {
        let file = world.files.get(path);
        let seen = file.map(|file| json!([file.kind, file.major, file.minor]));
        trial.expect(clause, json!(["char", major, minor]), seen)?;
    }
    Ok(())
}

fn defaults_work(trial: &mut Trial) -> Result<(), Stop> {
    /// A verb on a default device and how it ends.
    const USES: [(&[&str], &str, &str); 5] = [
        (&["write", "/dev/null", "x"], "done", DEFAULTS[0].3),
        (&["open", "/dev/zero", "rw"], "done", DEFAULTS[1].3),
        (&["write", "/dev/full", "x"], "ENOSPC", DEFAULTS[2].3),
        (&["open", "/dev/random", "r"], "done", DEFAULTS[3].3),
        (&["open", "/dev/urandom", "r"], "done", DEFAULTS[4].3),
    ];
    let mut arguments: Vec<&str> = Vec::new();
    for (words, _, _) in USES {
        if !arguments.is_empty() {
            arguments.push("then");
        }
        arguments.extend(words);
    }
    trial.probe(&arguments);
    let lines = trial.run_to_end()?;
    for (words, expected, clause) in USES {
        let line = told(&lines, words[0], &words[1..])?;
        trial.expect_in(clause, &words.join(" "), expected, ending(line))?;
    }
    Ok(())
}

fn ptmx(trial: &mut Trial) -> Result<(), Stop> {
    trial.probe(&[
        "observe",
        "path=/dev/pts/ptmx",
        "then",
        "open",
        "/dev/ptmx",
        "rw",
    ]);
    let lines = trial.run_to_end()?;
    let world = &told(&lines, "observe", &[])?.value;
    let file = |path: &str| world["files"].get(path).cloned().unwrap_or(Value::Null);
    let (here, there) = (file("/dev/ptmx"), file("/dev/pts/ptmx"));
    let link = matches!(here["target"].as_str(), Some("pts/ptmx" | "/dev/pts/ptmx"));
    let same =
        !here.is_null() && here["device"] == there["device"] && here["inode"] == there["inode"];
    trial.expect_that(
        PTMX,
        link || same,
        "a symlink to or a bind mount of /dev/pts/ptmx",
        json!({"/dev/ptmx": here, "/dev/pts/ptmx": there}),
    )?;
    let opened = ending(told(&lines, "open", &["/dev/ptmx"])?);
    trial.expect_in(PTMX, "open /dev/ptmx", "done", opened)
}

fn console(trial: &mut Trial) -> Result<(), Stop> {
    /// Majors of the slave side of Unix98 pseudoterminals.
    const SLAVES: std::ops::RangeInclusive<u32> = 136..=143;
    trial.set("/process/terminal", true);
    let (exit, terminal) = trial.create_with_terminal()?;
    if !exit.succeeded() {
        return Err(Stop::Refused {
            operation: "create",
            exit: Box::new(exit),
        });
    }
    let Some(mut terminal) = terminal else {
        return Err(Stop::NoReport(
            "no terminal came over the console socket".into(),
        ));
    };
    trial.must_start()?;
    let lines = trial.read_terminal(&mut terminal, "observe")?;
    trial.wait_exit()?;
    trial.must_delete()?;
    let file = &told(&lines, "observe", &[])?.value["files"]["/dev/console"];
    let major = file["major"]
        .as_u64()
        .and_then(|major| u32::try_from(major).ok());
    let holds = file["kind"] == "char" && major.is_some_and(|major| SLAVES.contains(&major));
    trial.expect_that(CONSOLE, holds, "the pseudoterminal at /dev/console", file)
}

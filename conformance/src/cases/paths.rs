//! Masked and read-only paths.

use serde_json::json;

use super::told::{ending, told};
use crate::case::Case;
use crate::trial::{Stop, Trial};

const MASKED: &str = "config-linux.maskedPaths.effect";
const READONLY: &str = "config-linux.readonlyPaths.effect";

const SECRET: &str = "the secret";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "masked-paths/a-file-cannot-be-read",
        judges: &[MASKED],
        needs: &[],
        run: |trial| {
            let secret = trial.rootfs().join("mnt/secret");
            trial.write_file(&secret, SECRET)?;
            trial.set("/linux/maskedPaths", json!(["/mnt/secret"]));
            cannot_be_read(trial, "/mnt/secret")
        },
    },
    Case {
        id: "masked-paths/a-directory-shows-nothing",
        judges: &[MASKED],
        needs: &[],
        run: a_directory_shows_nothing,
    },
    Case {
        // Masked before the mounts are made, it would be laid open again.
        id: "masked-paths/a-file-of-a-mount-cannot-be-read",
        judges: &[MASKED],
        needs: &[],
        run: |trial| {
            let secret = trial.out().join("secret");
            trial.write_file(&secret, SECRET)?;
            trial.bind_out();
            trial.set("/linux/maskedPaths", json!(["/out/secret"]));
            cannot_be_read(trial, "/out/secret")
        },
    },
    Case {
        id: "masked-paths/a-file-of-proc-cannot-be-read",
        judges: &[MASKED],
        needs: &[],
        run: |trial| {
            trial.set("/linux/maskedPaths", json!(["/proc/version"]));
            cannot_be_read(trial, "/proc/version")
        },
    },
    Case {
        id: "readonly-paths/a-file-cannot-be-written",
        judges: &[READONLY],
        needs: &[],
        run: |trial| {
            let file = trial.rootfs().join("mnt/file");
            trial.write_file(&file, "as it was")?;
            trial.set("/linux/readonlyPaths", json!(["/mnt/file"]));
            trial.probe(&["write", "/mnt/file", "changed", "then", "read", "/mnt/file"]);
            let lines = trial.run_to_end()?;
            is_refused(trial, told(&lines, "write", &[])?)?;
            let read = &told(&lines, "read", &[])?.value["text"];
            trial.expect_in(READONLY, "read /mnt/file", "as it was", read)
        },
    },
    Case {
        id: "readonly-paths/nothing-below-a-directory-can-be-written",
        judges: &[READONLY],
        needs: &[],
        run: nothing_below_can_be_written,
    },
    Case {
        // Without the property, CAP_SYS_ADMIN in the own UTS namespace may write this file.
        id: "readonly-paths/a-file-of-proc-cannot-be-written",
        judges: &[READONLY],
        needs: &[],
        run: |trial| {
            trial.set("/linux/readonlyPaths", json!(["/proc/sys"]));
            trial.grant("CAP_SYS_ADMIN");
            trial.probe(&["write", "/proc/sys/kernel/domainname", "changed"]);
            let lines = trial.run_to_end()?;
            is_refused(trial, told(&lines, "write", &[])?)
        },
    },
];

/// Reading it fails or gives nothing: runtimes mask files with an empty one.
fn cannot_be_read(trial: &mut Trial, path: &str) -> Result<(), Stop> {
    trial.probe(&["read", path]);
    let lines = trial.run_to_end()?;
    let line = told(&lines, "read", &[path])?;
    let empty = line.value["text"].as_str().is_some_and(str::is_empty);
    let seen = if line.errno.is_some() {
        ending(line)
    } else {
        line.value["text"].clone()
    };
    trial.expect_that(
        MASKED,
        line.errno.is_some() || empty,
        "nothing, or an error",
        seen,
    )
}

fn a_directory_shows_nothing(trial: &mut Trial) -> Result<(), Stop> {
    let vault = trial.rootfs().join("mnt/vault");
    std::fs::create_dir(&vault)
        .map_err(|error| Stop::Broken(format!("mkdir {}: {error}", vault.display())))?;
    trial.write_file(&vault.join("key"), SECRET)?;
    trial.set("/linux/maskedPaths", json!(["/mnt/vault"]));
    trial.probe(&["list", "/mnt/vault", "then", "read", "/mnt/vault/key"]);
    let lines = trial.run_to_end()?;

    let list = told(&lines, "list", &[])?;
    let hidden = list.errno.is_some() || list.value.as_array().is_some_and(Vec::is_empty);
    let seen = if list.errno.is_some() {
        ending(list)
    } else {
        list.value.clone()
    };
    trial.expect_that(MASKED, hidden, "no entries, or an error", seen)?;
    let read = told(&lines, "read", &[])?;
    trial.expect_that(
        MASKED,
        read.errno.is_some(),
        "an error from reading below",
        ending(read),
    )
}

fn nothing_below_can_be_written(trial: &mut Trial) -> Result<(), Stop> {
    let tree = trial.rootfs().join("mnt/tree");
    std::fs::create_dir_all(tree.join("below"))
        .map_err(|error| Stop::Broken(format!("mkdir {}/below: {error}", tree.display())))?;
    trial.write_file(&tree.join("below/file"), "as it was")?;
    trial.set("/linux/readonlyPaths", json!(["/mnt/tree"]));
    trial.probe(&[
        "create",
        "/mnt/tree/new",
        "then",
        "write",
        "/mnt/tree/below/file",
        "changed",
        "then",
        "unlink",
        "/mnt/tree/below/file",
        "then",
        "mkdir",
        "/mnt/tree/below/new",
        "then",
        "chmod",
        "/mnt/tree/below",
        "700",
    ]);
    let lines = trial.run_to_end()?;
    for verb in ["create", "write", "unlink", "mkdir", "chmod"] {
        is_refused(trial, told(&lines, verb, &[])?)?;
    }
    let read = crate::host::read(tree.join("below/file"));
    trial.expect_in(
        READONLY,
        "the file on the host, afterwards",
        "as it was",
        read,
    )
}

fn is_refused(trial: &mut Trial, line: &oci_probe::Line) -> Result<(), Stop> {
    let what = format!("an error from {} {}", line.verb, line.args.join(" "));
    trial.expect_that(READONLY, line.errno.is_some(), what, ending(line))
}

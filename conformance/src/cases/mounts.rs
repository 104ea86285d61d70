//! config.md, Mounts and POSIX-platform Mounts; options have a file of their own.

mod identity;
pub(super) mod source;

use serde_json::{Value, json};

use self::source::{directory, make, mount_at, put, text};
use super::told::told;
use crate::case::{Case, Need};
use crate::trial::{Refusal, Stop, Trial, When};

pub(super) use self::identity::CASES as IDENTITY_CASES;

pub(super) const CASES: &[Case] = &[
    Case {
        id: "mounts/the-later-of-two-at-one-destination-is-on-top",
        judges: &["config.mounts.order"],
        needs: &[],
        run: |trial| {
            bind(trial, "first", "/mnt")?;
            bind(trial, "second", "/mnt")?;
            expect_text(trial, "config.mounts.order", "/mnt/here", "second")
        },
    },
    Case {
        id: "mounts/a-nested-destination-that-is-listed-later-is-seen",
        judges: &["config.mounts.order"],
        needs: &[],
        run: |trial| {
            bind(trial, "outer", "/mnt")?;
            make(&trial.directory.join("outer/inner"))?;
            bind(trial, "inner", "/mnt/inner")?;
            expect_text(trial, "config.mounts.order", "/mnt/inner/here", "inner")
        },
    },
    Case {
        id: "mounts/a-parent-that-is-listed-later-hides-the-nested-one",
        judges: &["config.mounts.order"],
        needs: &[],
        run: |trial| {
            make(&trial.rootfs().join("mnt/inner"))?;
            bind(trial, "inner", "/mnt/inner")?;
            bind(trial, "outer", "/mnt")?;
            make(&trial.directory.join("outer/inner"))?;
            put(
                &trial.directory.join("outer/inner/here"),
                "the parent's own",
            )?;
            expect_text(
                trial,
                "config.mounts.order",
                "/mnt/inner/here",
                "the parent's own",
            )
        },
    },
    Case {
        id: "mounts/file-systems-stand-at-their-destinations",
        judges: &["config.mounts.effect"],
        needs: &[],
        run: |trial| {
            trial.mount(json!({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs"}));
            let world = trial.observe()?;
            for (point, kind) in [
                ("/proc", "proc"),
                ("/dev", "tmpfs"),
                ("/dev/pts", "devpts"),
                ("/dev/shm", "tmpfs"),
                ("/sys", "sysfs"),
                ("/mnt", "tmpfs"),
            ] {
                let observed = mount_at(&world, point).map(|mount| mount.fs_type.clone());
                let what = format!("file system type of the mount at {point}");
                trial.expect_in("config.mounts.effect", &what, kind, observed)?;
            }
            Ok(())
        },
    },
    Case {
        id: "mounts/a-file-system-has-its-source",
        judges: &["config.mounts.effect"],
        // A kernel that the subject brings may show its own names.
        needs: &[Need::SharedKernel],
        run: |trial| {
            trial.mount(
                json!({"destination": "/mnt", "type": "tmpfs", "source": "a-name-of-its-own"}),
            );
            let world = trial.observe()?;
            let observed = mount_at(&world, "/mnt").map(|mount| mount.source.clone());
            let what = "source of the tmpfs at /mnt in mountinfo";
            trial.expect_in("config.mounts.effect", what, "a-name-of-its-own", observed)
        },
    },
    Case {
        id: "mounts/a-bind-mount-is-the-source-directory",
        judges: &["config.mounts.effect"],
        needs: &[],
        run: |trial| {
            let source = bind(trial, "source", "/mnt")?;
            trial.probe(&[
                "read",
                "/mnt/here",
                "then",
                "write",
                "/mnt/here",
                "written inside",
            ]);
            let lines = trial.run_to_end()?;
            let clause = "config.mounts.effect";
            trial.expect_in(
                clause,
                "the source's file seen inside",
                "source",
                text(told(&lines, "read", &["/mnt/here"])?),
            )?;
            let written = std::fs::read_to_string(source.join("here")).unwrap_or_default();
            trial.expect_in(
                clause,
                "the source's file after a write inside",
                "written inside",
                written,
            )
        },
    },
    Case {
        id: "mounts/a-bind-source-may-be-a-file",
        judges: &["config.mounts.source.file"],
        needs: &[],
        run: |trial| {
            let source = trial.directory.join("file");
            put(&source, "the source")?;
            put(&trial.rootfs().join("mnt/file"), "the mount point")?;
            trial.mount(json!({
                "destination": "/mnt/file", "type": "none", "source": source, "options": ["bind"],
            }));
            expect_text(
                trial,
                "config.mounts.source.file",
                "/mnt/file",
                "the source",
            )
        },
    },
    Case {
        id: "mounts/a-bind-source-may-be-relative-to-the-bundle",
        judges: &[
            "config.mounts.source.bind-path",
            "config.mounts.source.relative",
        ],
        needs: &[],
        run: |trial| {
            directory(trial, "beside")?;
            trial.mount(json!({
                "destination": "/mnt", "type": "none", "source": "beside", "options": ["bind"],
            }));
            expect_text(
                trial,
                "config.mounts.source.bind-path",
                "/mnt/here",
                "beside",
            )
        },
    },
    Case {
        id: "mounts/the-type-of-a-bind-mount-does-not-matter",
        judges: &["config.mounts.type.bind-dummy"],
        needs: &[],
        run: |trial| {
            let source = directory(trial, "source")?;
            let types = [
                Value::Null,
                json!("none"),
                json!("tmpfs"),
                json!("no-such-file-system"),
            ];
            for (number, kind) in types.iter().enumerate() {
                make(&trial.rootfs().join(format!("mnt/{number}")))?;
                let mut mount = json!({
                    "destination": format!("/mnt/{number}"), "source": source, "options": ["bind"],
                });
                if !kind.is_null() {
                    mount["type"] = kind.clone();
                }
                trial.mount(mount);
            }
            trial.probe(&[
                "read",
                "/mnt/0/here",
                "then",
                "read",
                "/mnt/1/here",
                "then",
                "read",
                "/mnt/2/here",
                "then",
                "read",
                "/mnt/3/here",
            ]);
            let lines = trial.run_to_end()?;
            for (number, kind) in types.iter().enumerate() {
                let what = format!("the source's file through a bind mount of type {kind}");
                let path = format!("/mnt/{number}/here");
                let observed = text(told(&lines, "read", &[&path])?);
                trial.expect_in("config.mounts.type.bind-dummy", &what, "source", observed)?;
            }
            Ok(())
        },
    },
    Case {
        id: "mounts/the-options-make-a-bind-mount-not-the-source",
        judges: &["config.mounts.bind-definition"],
        needs: &[],
        run: |trial| {
            let source = directory(trial, "source")?;
            let cases: [(&str, &[&str]); 3] =
                [("bind", &["bind"]), ("rbind", &["rbind"]), ("none", &[])];
            for (name, options) in cases {
                make(&trial.rootfs().join("mnt").join(name))?;
                trial.mount(json!({
                    "destination": format!("/mnt/{name}"), "type": "tmpfs", "source": source,
                    "options": options,
                }));
            }
            trial.probe(&[
                "read",
                "/mnt/bind/here",
                "then",
                "read",
                "/mnt/rbind/here",
                "then",
                "read",
                "/mnt/none/here",
            ]);
            let lines = trial.run_to_end()?;
            let clause = "config.mounts.bind-definition";
            let seen = |name: &str| told(&lines, "read", &[&format!("/mnt/{name}/here")]).map(text);
            trial.expect_in(clause, "with the option bind", "source", seen("bind")?)?;
            trial.expect_in(clause, "with the option rbind", "source", seen("rbind")?)?;
            let without = seen("none")?;
            trial.expect_in(clause, "with neither", json!({"errno": "ENOENT"}), without)
        },
    },
    Case {
        id: "mounts/a-relative-destination-counts-from-the-root",
        judges: &["config.mounts.destination.linux-relative-root"],
        needs: &[],
        run: |trial| {
            bind(trial, "source", "mnt")?;
            trial.set("/process/cwd", "/tmp");
            expect_text(
                trial,
                "config.mounts.destination.linux-relative-root",
                "/mnt/here",
                "source",
            )
        },
    },
    Case {
        id: "mounts/unknown-options-are-data-for-the-file-system",
        judges: &[
            "config.mount-option.unknown-data",
            "config.mount-option.unknown-passed",
        ],
        needs: &[],
        run: |trial| {
            trial.mount(json!({
                "destination": "/mnt", "type": "tmpfs", "source": "tmpfs",
                "options": ["nosuid", "size=1024k", "mode=0750"],
            }));
            trial.probe(&["observe", "path=/mnt"]);
            let world = trial.observe()?;
            let mode = world
                .files
                .get("/mnt")
                .map(|file| format!("{:04o}", file.mode));
            let options = mount_at(&world, "/mnt").map(|mount| mount.super_options.clone());
            let sized = options
                .iter()
                .flatten()
                .any(|option| option == "size=1024k");
            for clause in [
                "config.mount-option.unknown-data",
                "config.mount-option.unknown-passed",
            ] {
                trial.expect_in(clause, "mode of a tmpfs with mode=0750", "0750", &mode)?;
                trial.expect_that(
                    clause,
                    sized,
                    "size=1024k among the file system's options",
                    &options,
                )?;
            }
            Ok(())
        },
    },
    Case {
        // Before the specification had a table of its own.
        id: "mounts/options-of-mount8-are-supported",
        judges: &["config.mounts.options.mount8"],
        needs: &[],
        run: |trial| {
            make(&trial.rootfs().join("mnt/readonly"))?;
            make(&trial.rootfs().join("mnt/sized"))?;
            trial.mount(json!({
                "destination": "/mnt/readonly", "type": "tmpfs", "source": "tmpfs",
                "options": ["ro", "noexec", "relatime"],
            }));
            trial.mount(json!({
                "destination": "/mnt/sized", "type": "tmpfs", "source": "tmpfs",
                "options": ["rw", "noatime", "size=1024k"],
            }));
            let world = trial.observe()?;
            let clause = "config.mounts.options.mount8";
            for (point, wanted) in [
                ("/mnt/readonly", ["ro", "noexec"]),
                ("/mnt/sized", ["noatime", "size=1024k"]),
            ] {
                let mount = mount_at(&world, point);
                let all: Vec<&String> = mount
                    .iter()
                    .flat_map(|mount| mount.options.iter().chain(&mount.super_options))
                    .collect();
                for option in wanted {
                    let holds = all.iter().any(|has| *has == option);
                    trial.expect_that(clause, holds, format!("{option} at {point}"), &all)?;
                }
            }
            Ok(())
        },
    },
    Case {
        id: "mounts/an-unknown-file-system-is-an-error",
        judges: &[CANNOT_APPLY, NOTHING_MADE, "config.mounts.effect"],
        needs: &[],
        run: |trial| {
            let refusal = unmountable("a mount of a type that no kernel has");
            refused(trial, &refusal, "type", json!("no-such-file-system"))
        },
    },
    Case {
        id: "mounts/data-that-the-file-system-refuses-is-an-error",
        judges: &[CANNOT_APPLY, NOTHING_MADE, "config.mounts.effect"],
        needs: &[],
        run: |trial| {
            let refusal = unmountable("a tmpfs whose option size= is no number");
            refused(trial, &refusal, "options", json!(["size=much"]))
        },
    },
    Case {
        id: "mounts/a-missing-bind-source-is-an-error",
        judges: &[CANNOT_APPLY, NOTHING_MADE, "config.mounts.effect"],
        needs: &[],
        run: |trial| {
            bind(trial, "source", "/mnt")?;
            let missing = trial.directory.join("no-such-source");
            let last = last_mount(trial);
            let refusal = unmountable("a bind mount whose source is missing");
            trial.refuses(&refusal, |bundle| {
                bundle.set(
                    &format!("/mounts/{last}/source"),
                    missing.display().to_string(),
                );
            })
        },
    },
];

const CANNOT_APPLY: &str = "runtime.create.cannot-apply.error";
const NOTHING_MADE: &str = "runtime.create.cannot-apply.none";

/// A mount that mount(2) refuses: a property that cannot be applied as specified.
fn unmountable(what: &'static str) -> Refusal {
    Refusal {
        error: CANNOT_APPLY,
        nothing: Some(NOTHING_MADE),
        control: "config.mounts.effect",
        when: When::Create,
        what,
    }
}

/// Judges that a tmpfs at `/mnt` is refused once one of its properties is the offending value.
fn refused(
    trial: &mut Trial<'_>,
    refusal: &Refusal,
    property: &str,
    value: Value,
) -> Result<(), Stop> {
    trial.mount(json!({
        "destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k"],
    }));
    let last = last_mount(trial);
    trial.refuses(refusal, |bundle| {
        bundle.set(&format!("/mounts/{last}/{property}"), value)
    })
}

fn last_mount(trial: &Trial<'_>) -> usize {
    trial.config["mounts"]
        .as_array()
        .map_or(0, |mounts| mounts.len().saturating_sub(1))
}

/// Bind-mounts a new directory of the bundle (see [`directory`]).
fn bind(trial: &mut Trial<'_>, name: &str, destination: &str) -> Result<std::path::PathBuf, Stop> {
    let source = directory(trial, name)?;
    trial.mount(json!({
        "destination": destination, "type": "none", "source": source, "options": ["bind"],
    }));
    Ok(source)
}

/// Judges by what a file holds for the container.
fn expect_text(
    trial: &mut Trial<'_>,
    clause: &'static str,
    path: &str,
    expected: &str,
) -> Result<(), Stop> {
    trial.probe(&["read", path]);
    let lines = trial.run_to_end()?;
    trial.expect_in(
        clause,
        &format!("what {path} holds"),
        expected,
        text(told(&lines, "read", &[path])?),
    )
}

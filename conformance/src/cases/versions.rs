//! config.md, Specification version; and mount options that only mount(8) knows.

use serde_json::json;

use crate::case::Case;
use crate::trial::{Refusal, Stop, Trial, When};

const REJECTS: &str = "config.ociVersion.runtime-rejects";
const COMPATIBLE: &str = "config.ociVersion.compat";
const MOUNT8: &str = "config.mount-option.custom-mount8";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "version/what-is-no-version-is-an-error",
        judges: &[REJECTS, "runtime.errors.unchanged"],
        needs: &[],
        run: |trial| is_refused(trial, "an ociVersion that is no version", "one.two"),
    },
    Case {
        id: "version/another-major-version-is-an-error",
        judges: &[REJECTS, "runtime.errors.unchanged"],
        needs: &[],
        run: |trial| is_refused(trial, "an ociVersion of another major version", "99.0.0"),
    },
    Case {
        id: "version/an-older-minor-version-is-accepted",
        judges: &[COMPATIBLE],
        needs: &[],
        run: |trial| {
            for (number, version) in ["1.0.0", "1.0.2"].into_iter().enumerate() {
                // A newer one than the runtime knows may be refused (stand 10).
                if version
                    .parse()
                    .is_ok_and(|version| trial.judged() < version)
                {
                    continue;
                }
                if number > 0 {
                    trial.another()?;
                }
                trial.set("/ociVersion", version);
                let world = trial.observe()?;
                let what = format!("a container of version {version} runs");
                trial.expect_in(COMPATIBLE, &what, true, !world.args.is_empty())?;
            }
            Ok(())
        },
    },
    Case {
        // mount(8): what begins with "x-" is a comment for whoever understands it.
        id: "mounts/options/x-comments-of-mount8-mean-nothing",
        judges: &[MOUNT8],
        needs: &[],
        run: |trial| {
            let options = options_of_mount(trial, &["nodev", "x-example.comment=1"])?;
            let has = |name: &str| options.iter().any(|option| option == name);
            trial.expect_that(
                MOUNT8,
                has("nodev") && !options.iter().any(|option| option.starts_with("x-")),
                "the mount, with its other option and without the comment",
                options.clone(),
            )
        },
    },
    Case {
        // mount(8): "user" implies these three, unless others follow.
        id: "mounts/options/user-of-mount8-implies-noexec-nosuid-nodev",
        judges: &[MOUNT8],
        needs: &[],
        run: |trial| {
            let options = options_of_mount(trial, &["user"])?;
            let missing: Vec<&str> = ["noexec", "nosuid", "nodev"]
                .into_iter()
                .filter(|name| !options.iter().any(|option| option == name))
                .collect();
            trial.expect_in(MOUNT8, "options that are missing", json!([]), missing)
        },
    },
];

fn is_refused(trial: &mut Trial, what: &'static str, version: &str) -> Result<(), Stop> {
    let refusal = Refusal {
        error: REJECTS,
        nothing: Some("runtime.errors.unchanged"),
        control: "runtime.create.new",
        when: When::Create,
        what,
    };
    trial.refuses(&refusal, |bundle| bundle.set("/ociVersion", version))
}

/// Options of a tmpfs that is mounted with these ones.
fn options_of_mount(trial: &mut Trial, options: &[&str]) -> Result<Vec<String>, Stop> {
    trial.mount(json!({
        "destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": options
    }));
    let world = trial.observe()?;
    let mounts = world.mounts.unwrap_or_default();
    let mount = mounts.iter().find(|mount| mount.mount_point == "/mnt");
    mount
        .map(|mount| {
            mount
                .options
                .iter()
                .chain(&mount.super_options)
                .cloned()
                .collect()
        })
        .ok_or_else(|| Stop::NoReport("the program sees no mount at /mnt".into()))
}

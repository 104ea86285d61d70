//! config.md, Root, Hostname, Domainname, Annotations, Extensibility and Valid values.

use serde_json::json;

use crate::case::{Case, Need};
use crate::trial::{Refusal, When};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "root/readonly-makes-the-root-read-only",
        judges: &["config.root.readonly.effect"],
        needs: &[],
        run: |trial| {
            trial.set("/root/readonly", true);
            trial.probe(&[
                "create",
                "/made",
                "then",
                "mkdir",
                "/made-too",
                "then",
                "write",
                "/probe",
                "x",
            ]);
            let lines = trial.run_to_end()?;
            for line in lines {
                let what = format!(
                    "{} of {:?} in the root file system is refused",
                    line.verb, line.args
                );
                let clause = "config.root.readonly.effect";
                trial.expect_in(clause, &what, true, line.errno.is_some())?;
            }
            let made = trial.rootfs().join("made").exists();
            trial.expect_in(
                "config.root.readonly.effect",
                "a file was made on the host",
                false,
                made,
            )
        },
    },
    Case {
        id: "root/is-writable-by-default",
        judges: &["config.root.readonly.default"],
        needs: &[],
        run: |trial| {
            trial.probe(&["create", "/made", "text"]);
            let lines = trial.run_to_end()?;
            let errno = lines.first().and_then(|line| line.errno.clone());
            trial.expect_in(
                "config.root.readonly.default",
                "errno of making a file",
                json!(null),
                errno,
            )
        },
    },
    Case {
        id: "root/path-may-be-absolute",
        judges: &["runtime.create.apply-all"],
        needs: &[],
        run: |trial| {
            // Moved, so that a runtime which always takes `rootfs` in the bundle finds nothing.
            let elsewhere = trial.directory.join("elsewhere");
            std::fs::rename(trial.rootfs(), &elsewhere)
                .map_err(|error| crate::trial::Stop::Broken(format!("rename rootfs: {error}")))?;
            trial.set("/root/path", elsewhere.display().to_string());
            let world = trial.observe()?;
            let has = world.root_entries.iter().any(|name| name == "probe");
            trial.expect_in(
                "runtime.create.apply-all",
                "the program is in the root",
                true,
                has,
            )
        },
    },
    Case {
        id: "root/a-missing-path-is-an-error",
        judges: &["config.root.path.exists.runtime"],
        needs: &[],
        run: |trial| {
            let refusal = Refusal {
                error: "config.root.path.exists.runtime",
                nothing: None,
                control: "runtime.create.new",
                when: When::Create,
                what: "a root.path where nothing is",
            };
            trial.refuses(&refusal, |bundle| {
                bundle.set("/root/path", "no-such-directory")
            })
        },
    },
    Case {
        id: "root/a-path-that-is-a-file-is-an-error",
        judges: &["config.root.path.exists.runtime"],
        needs: &[],
        run: |trial| {
            let refusal = Refusal {
                error: "config.root.path.exists.runtime",
                nothing: None,
                control: "runtime.create.new",
                when: When::Create,
                what: "a root.path that names a regular file",
            };
            trial.refuses(&refusal, |bundle| bundle.set("/root/path", "config.json"))
        },
    },
    Case {
        id: "hostname/is-set-in-the-new-uts-namespace",
        judges: &["config.hostname.effect"],
        needs: &[Need::Namespace("uts")],
        run: |trial| {
            trial.set("/hostname", "probe-host");
            let world = trial.observe()?;
            trial.expect("config.hostname.effect", "probe-host", world.hostname)
        },
    },
    Case {
        id: "domainname/is-set-in-the-new-uts-namespace",
        judges: &["config.domainname.effect"],
        needs: &[Need::Namespace("uts")],
        run: |trial| {
            trial.set("/domainname", "probe.example");
            let world = trial.observe()?;
            trial.expect(
                "config.domainname.effect",
                "probe.example",
                world.domainname,
            )
        },
    },
    Case {
        id: "annotations/unknown-keys-are-ignored",
        judges: &[
            "config.annotations.unknown",
            "config.annotations.unknown.no-error",
        ],
        needs: &[],
        run: |trial| {
            trial.set("/annotations", json!({
                "com.example.unknown": "value", "org.opencontainers.unknown": "", "no-dots": "{}",
            }));
            let created = trial.create()?;
            let what = "create with annotations that no runtime knows";
            trial.expect_success("config.annotations.unknown.no-error", what, &created)?;
            trial.expect_success("config.annotations.unknown", what, &created)?;
            if !created.succeeded() {
                return Ok(());
            }
            trial.must_start()?;
            trial.wait_exit()?;
            let ran = trial.world().is_ok();
            trial.expect_in("config.annotations.unknown", "the program runs", true, ran)?;
            trial.must_delete()
        },
    },
    Case {
        id: "extensibility/unknown-properties-are-ignored",
        judges: &[
            "config.extensibility.ignore",
            "config.extensibility.no-error",
        ],
        needs: &[],
        run: |trial| {
            let unknown = json!({"nested": [1, null, {"deep": true}]});
            for place in [
                "",
                "/process",
                "/process/user",
                "/root",
                "/mounts/0",
                "/linux",
                "/linux/namespaces/0",
            ] {
                trial.set(&format!("{place}/unknownProperty"), unknown.clone());
            }
            trial.set("/hostname", "probe-host");
            let created = trial.create()?;
            let what = "create with unknown properties at every depth";
            trial.expect_success("config.extensibility.ignore", what, &created)?;
            trial.expect_success("config.extensibility.no-error", what, &created)?;
            if !created.succeeded() {
                return Ok(());
            }
            trial.must_start()?;
            trial.wait_exit()?;
            let hostname = trial.world()?.hostname;
            let message = "what is known beside them is applied";
            trial.expect_in(
                "config.extensibility.ignore",
                message,
                "probe-host",
                hostname,
            )?;
            trial.must_delete()
        },
    },
    Case {
        id: "valid-values/an-ill-typed-value-is-an-error",
        judges: &["config.valid-values.error"],
        needs: &[],
        run: |trial| {
            let refusal = Refusal {
                error: "config.valid-values.error",
                nothing: None,
                control: "config.process.user.uid.effect",
                when: When::CreateOrStart,
                what: "a uid that is a string",
            };
            trial.refuses(&refusal, |bundle| bundle.set("/process/user/uid", "zero"))
        },
    },
    Case {
        id: "bundle/config-that-is-no-json-is-an-error",
        judges: &["runtime.create.cannot-apply.error"],
        needs: &[],
        run: |trial| {
            trial.run_to_end()?;
            trial.another()?;
            let path = trial.directory.join("config.json");
            trial.write_file(&path, "{\"ociVersion\": ")?;
            let exit = trial.create_again(&[])?;
            let clause = "runtime.create.cannot-apply.error";
            trial.expect_error(
                clause,
                "create of a bundle whose config.json is cut off",
                &exit,
            )?;
            if exit.succeeded() {
                trial.give_up()
            } else {
                Ok(())
            }
        },
    },
];

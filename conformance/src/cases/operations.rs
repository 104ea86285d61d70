//! runtime.md, Operations: create, start, kill and delete, in the states that they are for and in
//! those that they are not.

use serde_json::json;

use crate::case::{Case, Need};
use crate::trial::{Refusal, Stop, Trial, When};

pub(super) const CASES: &[Case] = &[
    Case {
        id: "create/does-not-run-the-program",
        judges: &[
            "runtime.lifecycle.create.no-program",
            "runtime.create.args-deferred",
            "runtime.start.program",
        ],
        needs: &[],
        run: does_not_run_the_program,
    },
    Case {
        id: "create/without-an-id-is-an-error",
        judges: &["runtime.create.missing-id"],
        needs: &[],
        run: |trial| {
            trial.write_config()?;
            let bundle = trial.directory.display().to_string();
            let exit = trial.operation(&["create", "--bundle", &bundle])?;
            trial.expect_error(
                "runtime.create.missing-id",
                "create with a bundle but no id",
                &exit,
            )?;
            control(trial)
        },
    },
    Case {
        id: "create/without-a-bundle-is-an-error",
        judges: &["runtime.create.missing-bundle"],
        needs: &[],
        run: |trial| {
            // Runtimes may take the working directory for the bundle; here it is none.
            let elsewhere = trial.out();
            let id = format!("{}-nowhere", trial.id);
            let exit = trial.operation_in(&elsewhere, &["create", &id])?;
            trial.expect_error(
                "runtime.create.missing-bundle",
                "create with an id, in a directory that is no bundle",
                &exit,
            )?;
            control(trial)
        },
    },
    Case {
        id: "create/of-an-id-in-use-is-an-error",
        judges: &[
            "runtime.create.duplicate-id.error",
            "runtime.create.duplicate-id.none",
            "runtime.errors.unchanged",
        ],
        needs: &[],
        run: of_an_id_in_use,
    },
    Case {
        id: "create/with-what-cannot-be-applied-is-an-error",
        judges: &[
            "runtime.create.cannot-apply.error",
            "runtime.create.cannot-apply.none",
        ],
        needs: &[],
        run: |trial| {
            trial.mount(json!({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs"}));
            let refusal = Refusal {
                error: "runtime.create.cannot-apply.error",
                nothing: Some("runtime.create.cannot-apply.none"),
                control: "config.mounts.effect",
                when: When::Create,
                what: "a mount whose file system type no kernel has",
            };
            trial.refuses(&refusal, |bundle| {
                bundle.set("/mounts/5/type", "no-such-filesystem")
            })
        },
    },
    Case {
        id: "create/with-a-bind-source-that-is-missing-is-an-error",
        judges: &["runtime.lifecycle.env.error", "runtime.errors.unchanged"],
        needs: &[],
        run: |trial| {
            trial.bind_out();
            let refusal = Refusal {
                error: "runtime.lifecycle.env.error",
                nothing: Some("runtime.errors.unchanged"),
                control: "config.mounts.effect",
                when: When::Create,
                what: "a bind mount whose source does not exist",
            };
            trial.refuses(&refusal, |bundle| {
                let missing = bundle.directory.join("missing").display().to_string();
                bundle.set("/mounts/5/source", missing);
            })
        },
    },
    Case {
        id: "create/makes-the-resources-before-start",
        judges: &["runtime.lifecycle.env.resources"],
        needs: &[
            Need::SharedKernel,
            Need::Controller("pids"),
            Need::Capability("CAP_SYS_PTRACE"),
        ],
        run: |trial| {
            trial.must_create()?;
            let own = std::fs::read_link("/proc/self/ns/uts").ok();
            let pid = trial.pid().unwrap_or(0);
            let uts = std::fs::read_link(format!("/proc/{pid}/ns/uts")).ok();
            trial.expect_in(
                "runtime.lifecycle.env.resources",
                "after create: the container process has a UTS namespace of its own",
                true,
                uts.is_some() && uts != own,
            )?;
            let members = trial
                .cgroup_of("pids")
                .map(|cgroup| crate::host::read(cgroup.join("cgroup.procs")));
            let is_member = members
                .as_deref()
                .is_some_and(|members| members.lines().any(|line| line == pid.to_string()));
            trial.expect_in(
                "runtime.lifecycle.env.resources",
                "after create: the container process is in the cgroup that cgroupsPath names",
                true,
                is_member,
            )?;
            trial.finish()
        },
    },
    Case {
        id: "create/without-process-is-allowed-and-start-is-not",
        judges: &["runtime.create.no-process", "runtime.start.no-process"],
        needs: &[],
        run: |trial| {
            trial.remove("/process");
            trial.must_create()?;
            let exit = trial.start()?;
            let what = "start of a container whose config has no process";
            trial.expect_error("runtime.start.no-process", what, &exit)?;
            trial.give_up()
        },
    },
    Case {
        id: "create/freezes-the-configuration",
        judges: &[
            "runtime.lifecycle.config.frozen",
            "runtime.create.config-changes",
        ],
        needs: &[],
        run: |trial| {
            trial.probe(&["observe", "--", "as-created"]);
            trial.must_create()?;
            trial.probe(&["observe", "--", "edited-after-create"]);
            trial.write_config()?;
            trial.by_hand(format!(
                "sed -i s/as-created/edited-after-create/ {}",
                crate::trial::quote(&trial.directory.join("config.json").display().to_string())
            ));
            trial.must_start()?;
            trial.wait_exit()?;
            let last = trial.world()?.args.pop();
            trial.expect("runtime.lifecycle.config.frozen", "as-created", &last)?;
            trial.expect("runtime.create.config-changes", "as-created", &last)?;
            trial.must_delete()
        },
    },
    Case {
        id: "start/without-an-id-is-an-error",
        judges: &["runtime.start.missing-id"],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            let exit = trial.operation(&["start"])?;
            trial.expect_error("runtime.start.missing-id", "start with no argument", &exit)?;
            start_and_finish(trial)
        },
    },
    Case {
        id: "start/of-an-unknown-container-is-an-error",
        judges: &["runtime.start.not-created.error"],
        needs: &[],
        run: |trial| {
            let exit = trial.start()?;
            let what = "start of an id never created";
            trial.expect_error("runtime.start.not-created.error", what, &exit)?;
            control(trial)
        },
    },
    Case {
        id: "start/of-a-running-container-is-an-error",
        judges: &[
            "runtime.start.not-created.error",
            "runtime.start.not-created.no-effect",
        ],
        needs: &[],
        run: |trial| {
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let before = trial.state()?;
            let exit = trial.start()?;
            let what = "start of a running container";
            trial.expect_error("runtime.start.not-created.error", what, &exit)?;
            let after = trial.state()?;
            trial.expect_in(
                "runtime.start.not-created.no-effect",
                "status and pid, before and after",
                json!([before.status(), before.pid()]),
                json!([after.status(), after.pid()]),
            )?;
            let runs = trial
                .report()?
                .iter()
                .filter(|line| line.verb == "ready")
                .count();
            trial.expect_in(
                "runtime.start.not-created.no-effect",
                "how often the program was run",
                1,
                runs,
            )?;
            trial.finish()
        },
    },
    Case {
        id: "start/of-a-stopped-container-is-an-error",
        judges: &[
            "runtime.start.not-created.error",
            "runtime.start.not-created.no-effect",
        ],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            trial.must_start()?;
            trial.wait_exit()?;
            let before = trial.state()?.describe();
            let exit = trial.start()?;
            let what = "start of a stopped container";
            trial.expect_error("runtime.start.not-created.error", what, &exit)?;
            let after = trial.state()?.describe();
            let clause = "runtime.start.not-created.no-effect";
            trial.expect_in(clause, "status, before and after", before, after)?;
            let runs = trial
                .report()?
                .iter()
                .filter(|line| line.verb == "observe")
                .count();
            trial.expect_in(clause, "how often the program was run", 1, runs)?;
            trial.must_delete()
        },
    },
    Case {
        id: "kill/sends-the-signal",
        judges: &["runtime.kill.send"],
        needs: &[],
        run: |trial| {
            trial.probe(&["await-signal"]);
            trial.run_until_ready()?;
            let exit = trial.kill("TERM")?;
            trial.expect_success(
                "runtime.kill.send",
                "kill TERM of a running container",
                &exit,
            )?;
            if !exit.succeeded() {
                return trial.finish();
            }
            trial.wait_exit()?;
            let lines = trial.report()?;
            let told = lines.iter().find(|line| line.verb == "await-signal");
            let signal = told.and_then(|line| line.value.get("signal")).cloned();
            trial.expect_in(
                "runtime.kill.send",
                "the signal that came",
                "SIGTERM",
                signal,
            )?;
            trial.must_delete()
        },
    },
    Case {
        id: "kill/of-a-created-container-sends-the-signal",
        judges: &["runtime.kill.send"],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            let exit = trial.kill("KILL")?;
            trial.expect_success(
                "runtime.kill.send",
                "kill KILL of a created container",
                &exit,
            )?;
            if !exit.succeeded() {
                return trial.give_up();
            }
            trial.wait_gone_in_grace();
            let gone = trial.process_is_gone();
            trial.expect_in("runtime.kill.send", "the process has ended", true, gone)?;
            trial.wait_exit()?;
            trial.must_delete()
        },
    },
    Case {
        id: "kill/without-an-id-is-an-error",
        judges: &["runtime.kill.missing-id"],
        needs: &[],
        run: |trial| {
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            let exit = trial.operation(&["kill"])?;
            trial.expect_error("runtime.kill.missing-id", "kill with no argument", &exit)?;
            trial.finish()
        },
    },
    Case {
        id: "kill/of-a-stopped-container-is-an-error",
        judges: &[
            "runtime.kill.wrong-state.error",
            "runtime.kill.wrong-state.no-effect",
        ],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            trial.must_start()?;
            trial.wait_exit()?;
            let before = trial.state()?.describe();
            let exit = trial.kill("TERM")?;
            let what = "kill TERM of a stopped container";
            trial.expect_error("runtime.kill.wrong-state.error", what, &exit)?;
            let after = trial.state()?.describe();
            let clause = "runtime.kill.wrong-state.no-effect";
            trial.expect_in(clause, "status, before and after", before, after)?;
            trial.must_delete()
        },
    },
    Case {
        id: "kill/of-an-unknown-container-is-an-error",
        judges: &["runtime.kill.wrong-state.error"],
        needs: &[],
        run: |trial| {
            let exit = trial.kill("TERM")?;
            let what = "kill TERM of an id never created";
            trial.expect_error("runtime.kill.wrong-state.error", what, &exit)?;
            control(trial)
        },
    },
    Case {
        id: "delete/removes-what-create-made",
        judges: &[
            "runtime.delete.resources",
            "runtime.lifecycle.destroy",
            "runtime.delete.id-reuse",
        ],
        needs: &[],
        run: |trial| {
            trial.run_to_end()?;
            let left = trial.left_behind_in_time();
            trial.expect("runtime.delete.resources", json!([]), &left)?;
            let state = trial.state()?;
            let what = "state of the deleted container: it is gone";
            trial.expect_error("runtime.lifecycle.destroy", what, &state.exit)?;
            let reused = trial.create()?;
            trial.inform(
                "runtime.delete.id-reuse",
                "create with the id of a deleted container succeeds",
                reused.succeeded(),
            )?;
            if reused.succeeded() {
                trial.give_up()
            } else {
                Ok(())
            }
        },
    },
    Case {
        id: "delete/leaves-what-create-did-not-make",
        judges: &["runtime.delete.foreign-resources"],
        needs: &[],
        run: |trial| {
            trial.bind_out();
            let kept = trial.out().join("kept");
            trial.write_file(&kept, "kept")?;
            trial.probe(&["write", "/out/kept", "seen"]);
            trial.run_to_end()?;
            let text = crate::host::read(&kept);
            let clause = "runtime.delete.foreign-resources";
            trial.expect_in(clause, "a file behind a bind mount", "seen", text)?;
            let rootfs = trial.rootfs().join("probe");
            trial.expect_in(clause, "the root file system", true, rootfs.is_file())?;
            let config = trial.directory.join("config.json");
            trial.expect_in(clause, "the configuration", true, config.is_file())
        },
    },
    Case {
        id: "delete/without-an-id-is-an-error",
        judges: &["runtime.delete.missing-id"],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            trial.must_start()?;
            trial.wait_exit()?;
            let exit = trial.operation(&["delete"])?;
            trial.expect_error(
                "runtime.delete.missing-id",
                "delete with no argument",
                &exit,
            )?;
            trial.must_delete()
        },
    },
    Case {
        id: "delete/of-an-unknown-container-is-an-error",
        judges: &["runtime.delete.nonexistent"],
        needs: &[],
        run: |trial| {
            control(trial)?;
            let exit = trial.operation(&["delete", &format!("{}-unknown", trial.id)])?;
            let clause = "runtime.delete.nonexistent";
            trial.expect_error(clause, "delete of an id never created", &exit)
        },
    },
    Case {
        id: "delete/of-a-created-container-is-an-error",
        judges: &[
            "runtime.delete.not-stopped.error",
            "runtime.delete.not-stopped.no-effect",
        ],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            delete_while(trial, "created")?;
            trial.finish()
        },
    },
    Case {
        id: "delete/of-a-running-container-is-an-error",
        judges: &[
            "runtime.delete.not-stopped.error",
            "runtime.delete.not-stopped.no-effect",
        ],
        needs: &[],
        run: |trial| {
            trial.probe(&["pause"]);
            trial.run_until_ready()?;
            delete_while(trial, "running")?;
            trial.finish()
        },
    },
];

fn does_not_run_the_program(trial: &mut Trial) -> Result<(), Stop> {
    let told = |trial: &Trial| -> Result<usize, Stop> {
        Ok(trial
            .report()?
            .iter()
            .filter(|line| line.verb == "observe")
            .count())
    };
    trial.must_create()?;
    // A program that create had run would have ended long before start's report comes.
    let state = trial.state()?;
    let early = told(trial)?;
    let clause = "runtime.lifecycle.create.no-program";
    trial.expect_in(clause, "reports of the program after create", 0, early)?;
    let status = "runtime.create.args-deferred";
    trial.expect_that(
        status,
        !matches!(state.status(), Some("running" | "stopped")),
        "a status after create that says that the program was not run",
        state.describe(),
    )?;
    trial.must_start()?;
    trial.wait_exit()?;
    if early == 0 {
        let all = told(trial)?;
        let clause = "runtime.start.program";
        trial.expect_in(clause, "reports of the program after start", 1, all)?;
    }
    trial.must_delete()
}

fn of_an_id_in_use(trial: &mut Trial) -> Result<(), Stop> {
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let id = trial.id.clone();
    let before = trial.state()?;
    trial.another()?;
    trial.id = id;
    let exit = trial.create()?;
    let what = "create with the id of a running container";
    trial.expect_error("runtime.create.duplicate-id.error", what, &exit)?;
    let second = trial.directory.clone();
    trial.switch_to(0);
    let after = trial.state()?;
    let bundle = after
        .document
        .as_ref()
        .and_then(|document| document.get("bundle"))
        .cloned();
    trial.expect_that(
        "runtime.create.duplicate-id.none",
        bundle.as_ref().and_then(|b| b.as_str()) != second.to_str(),
        "a state that still names the first bundle",
        bundle,
    )?;
    trial.expect_in(
        "runtime.errors.unchanged",
        "status and pid of the first container, before and after",
        json!([before.status(), before.pid()]),
        json!([after.status(), after.pid()]),
    )?;
    trial.expect_in(
        "runtime.errors.unchanged",
        "the first container's process lives on",
        true,
        !trial.process_is_gone(),
    )?;
    trial.finish()
}

/// Deletes a container in a status that does not allow it.
fn delete_while(trial: &mut Trial, status: &str) -> Result<(), Stop> {
    let before = trial.state()?;
    let exit = trial.delete()?;
    trial.expect_error(
        "runtime.delete.not-stopped.error",
        &format!("delete of a {status} container"),
        &exit,
    )?;
    let after = trial.state()?;
    trial.expect_in(
        "runtime.delete.not-stopped.no-effect",
        "status and pid, before and after",
        json!([before.status(), before.pid()]),
        json!([after.status(), after.pid()]),
    )
}

/// The same bundle with what was missing must do: a subject that refuses everything is not right.
fn control(trial: &mut Trial) -> Result<(), Stop> {
    match trial.run_to_end() {
        Err(Stop::Refused { operation, exit }) => Err(Stop::ControlRefused {
            clause: "runtime.create.new",
            operation,
            exit,
        }),
        other => other.map(|_| ()),
    }
}

fn start_and_finish(trial: &mut Trial) -> Result<(), Stop> {
    trial.must_start()?;
    trial.wait_exit()?;
    trial.must_delete()
}

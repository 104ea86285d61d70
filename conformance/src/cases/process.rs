//! config.md, Process, POSIX process, Linux Process and User.

use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::trial::{Refusal, Stop, Trial, When};

/// A profile that the host has loaded, and that confines nothing else.
const APPARMOR_PROFILE: &str = "oci-lane-confined";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "process/args/are-the-programs-argv",
        judges: &["config.process.args.effect"],
        needs: &[],
        run: |trial| {
            let args = [
                "/probe", "observe", "--", "a b", "", "ünï", "*", "$HOME", "\\",
            ];
            trial.set("/process/args", json!(args));
            let world = trial.observe()?;
            trial.expect("config.process.args.effect", &args[..], world.args)
        },
    },
    Case {
        id: "process/args/the-program-is-searched-in-path",
        judges: &["config.process.args.effect"],
        needs: &[],
        run: |trial| {
            let programs = trial.rootfs().join("programs");
            std::fs::create_dir(&programs)
                .and_then(|()| {
                    std::fs::copy(trial.rootfs().join("probe"), programs.join("searched"))
                })
                .map_err(|error| Stop::Broken(format!("copy of the probe: {error}")))?;
            trial.set("/process/args", json!(["searched", "observe"]));
            trial.set("/process/env", json!(["PATH=/no/such/directory:/programs"]));
            let world = trial.observe()?;
            let expected = json!(["searched", "observe"]);
            trial.expect("config.process.args.effect", expected, world.args)
        },
    },
    Case {
        id: "process/args/a-missing-program-is-an-error",
        judges: &["runtime.start.program"],
        needs: &[],
        run: |trial| {
            let refusal = Refusal {
                error: "runtime.start.program",
                nothing: None,
                control: "runtime.start.program",
                when: When::CreateOrStart,
                what: "a program that the root file system does not have",
            };
            trial.refuses(&refusal, |bundle| {
                bundle.set("/process/args/0", "/no-such-program")
            })
        },
    },
    Case {
        id: "process/env/is-the-programs-environment",
        judges: &["config.process.env.effect"],
        needs: &[],
        run: |trial| {
            let env = ["PATH=/", "NAME=value", "EMPTY=", "EQUALS=a=b", "BLANK=a b"];
            trial.set("/process/env", json!(env));
            let world = trial.observe()?;
            // Nothing forbids a runtime to add variables; what is given must be there unchanged.
            let missing: Vec<&str> = env
                .into_iter()
                .filter(|one| !world.env.iter().any(|had| had == one))
                .collect();
            trial.expect_in(
                "config.process.env.effect",
                "variables that are missing",
                json!([]),
                missing,
            )
        },
    },
    Case {
        id: "process/cwd/is-the-programs-working-directory",
        judges: &["config.process.cwd.effect"],
        needs: &[],
        run: |trial| {
            trial.set("/process/cwd", "/tmp");
            let world = trial.observe()?;
            trial.expect("config.process.cwd.effect", "/tmp", world.cwd)
        },
    },
    Case {
        id: "process/user/ids-are-applied",
        judges: &[
            "config.process.user.uid.effect",
            "config.process.user.gid.effect",
            "config.process.user.additionalGids.effect",
        ],
        needs: &[Need::Root],
        run: |trial| {
            trial.set(
                "/process/user",
                json!({"uid": 1000, "gid": 1001, "additionalGids": [5, 6]}),
            );
            let world = trial.observe()?;
            // Without the file system id, which follows the effective one and which not every
            // kernel tells.
            let all = |ids: oci_probe::Ids| json!([ids.real, ids.effective, ids.saved]);
            let (uid, gid) = (all(world.uid), all(world.gid));
            trial.expect(
                "config.process.user.uid.effect",
                json!([1000, 1000, 1000]),
                uid,
            )?;
            trial.expect(
                "config.process.user.gid.effect",
                json!([1001, 1001, 1001]),
                gid,
            )?;
            // The primary group may be among the supplementary ones: getgroups(2) leaves it open.
            let groups: Vec<u32> = world
                .groups
                .into_iter()
                .filter(|group| *group != 1001)
                .collect();
            trial.expect(
                "config.process.user.additionalGids.effect",
                json!([5, 6]),
                groups,
            )
        },
    },
    Case {
        id: "process/user/umask-is-applied",
        judges: &["config.process.user.umask.effect"],
        needs: &[],
        run: |trial| {
            trial.set("/process/user/umask", 0o027);
            let world = trial.observe()?;
            trial.expect("config.process.user.umask.effect", 0o027, world.umask)
        },
    },
    Case {
        id: "process/capabilities/sets-are-the-listed-ones",
        judges: &[
            "config.process.capabilities.effective.effect",
            "config.process.capabilities.bounding.effect",
            "config.process.capabilities.inheritable.effect",
            "config.process.capabilities.permitted.effect",
            "config.process.capabilities.ambient.effect",
        ],
        needs: &[],
        run: |trial| {
            let some = json!(["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"]);
            let sets = json!({
                "bounding": some, "permitted": some, "effective": some,
                "inheritable": ["CAP_KILL", "CAP_SETUID"], "ambient": ["CAP_KILL"],
            });
            capabilities_are(trial, sets)
        },
    },
    Case {
        id: "process/capabilities/of-another-user-come-from-the-ambient-set",
        judges: &[
            "config.process.capabilities.ambient.effect",
            "config.process.capabilities.bounding.effect",
            "config.process.capabilities.inheritable.effect",
            "config.process.capabilities.permitted.effect",
            "config.process.capabilities.effective.effect",
        ],
        needs: &[Need::Root],
        run: |trial| {
            // execve(2) gives a user who is not root what is ambient, and nothing else.
            trial.set("/process/user/uid", 1000);
            let two = json!(["CAP_CHOWN", "CAP_KILL"]);
            let sets = json!({
                "bounding": two, "permitted": two, "effective": two, "inheritable": two,
                "ambient": two,
            });
            capabilities_are(trial, sets)
        },
    },
    Case {
        id: "process/capabilities/an-unknown-one-is-no-failure",
        judges: &["config.process.capabilities.no-fail"],
        needs: &[],
        run: |trial| {
            for set in ["bounding", "permitted", "effective"] {
                trial.set(
                    &format!("/process/capabilities/{set}/-"),
                    "CAP_NO_SUCH_CAPABILITY",
                );
            }
            let created = trial.create()?;
            let exit = match created.succeeded() {
                true => trial.start()?,
                false => created.clone(),
            };
            let what = "create and start with a capability that no kernel has";
            trial.expect_success("config.process.capabilities.no-fail", what, &exit)?;
            if !created.succeeded() {
                return Ok(());
            }
            trial.wait_exit()?;
            trial.must_delete()
        },
    },
    Case {
        id: "process/noNewPrivileges/is-set",
        judges: &["config.process.noNewPrivileges.effect"],
        needs: &[],
        run: |trial| {
            trial.set("/process/noNewPrivileges", true);
            let world = trial.observe()?;
            trial.expect(
                "config.process.noNewPrivileges.effect",
                true,
                world.no_new_privs,
            )
        },
    },
    Case {
        // The profile has to be there before the container is made, and has to let the probe run:
        // CONTRIBUTING.md tells how a host gets it.
        id: "process/apparmorProfile/confines-the-process",
        judges: &["config.process.apparmorProfile.effect"],
        needs: &[Need::AppArmorProfile(APPARMOR_PROFILE)],
        run: |trial| {
            trial.set("/process/apparmorProfile", APPARMOR_PROFILE);
            let world = trial.observe()?;
            // The kernel adds the mode: "name (enforce)".
            let label = world.label.as_deref().map(|label| label.split(" (").next());
            trial.expect(
                "config.process.apparmorProfile.effect",
                APPARMOR_PROFILE,
                label.flatten(),
            )
        },
    },
    Case {
        id: "process/rlimits/are-what-getrlimit-tells",
        judges: &[
            "config.process.rlimits.getrlimit",
            "config.process.rlimits.soft.match",
            "config.process.rlimits.hard.match",
        ],
        needs: &[],
        run: rlimits_match,
    },
    Case {
        id: "process/rlimits/an-unknown-type-is-an-error",
        judges: &["config.process.rlimits.type.error"],
        needs: &[],
        run: |trial| {
            trial.set(
                "/process/rlimits",
                json!([{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]),
            );
            let refusal = Refusal {
                error: "config.process.rlimits.type.error",
                nothing: None,
                control: "config.process.rlimits.getrlimit",
                when: When::CreateOrStart,
                what: "a limit that no kernel has",
            };
            trial.refuses(&refusal, |bundle| {
                bundle.set("/process/rlimits/0/type", "RLIMIT_NO_SUCH")
            })
        },
    },
    Case {
        id: "process/rlimits/a-repeated-type-is-an-error",
        judges: &["config.process.rlimits.duplicate"],
        needs: &[],
        run: |trial| {
            let core = json!({"type": "RLIMIT_CORE", "soft": 0, "hard": 0});
            trial.set("/process/rlimits", json!([core]));
            let refusal = Refusal {
                error: "config.process.rlimits.duplicate",
                nothing: None,
                control: "config.process.rlimits.getrlimit",
                when: When::CreateOrStart,
                what: "two entries of one type",
            };
            trial.refuses(&refusal, |bundle| bundle.set("/process/rlimits/-", core))
        },
    },
    Case {
        id: "process/oomScoreAdj/is-set",
        judges: &["config.process.oomScoreAdj.set"],
        needs: &[],
        run: |trial| {
            // Raising is allowed to everybody; lowering is not.
            trial.set("/process/oomScoreAdj", 321);
            trial.probe(&["observe", "then", "pause"]);
            trial.run_until_ready()?;
            let inside = trial.world()?.oom_score_adj;
            // A runtime that brings its own kernel applies it to the process that the host sees.
            let outside = trial.pid().map(|pid| format!("/proc/{pid}/oom_score_adj"));
            let outside =
                outside.and_then(|path| crate::host::read(path).trim().parse::<i32>().ok());
            let set =
                inside == Some(321) || (!trial.profile().shared_kernel && outside == Some(321));
            trial.expect_that(
                "config.process.oomScoreAdj.set",
                set,
                "oom_score_adj 321",
                json!({"inside": inside, "outside": outside}),
            )?;
            trial.finish()
        },
    },
    Case {
        id: "process/oomScoreAdj/unset-is-left-alone",
        judges: &["config.process.oomScoreAdj.unset"],
        needs: &[Need::SharedKernel],
        run: |trial| {
            let own = crate::host::read("/proc/self/oom_score_adj")
                .trim()
                .parse::<i32>()
                .ok();
            let world = trial.observe()?;
            trial.expect("config.process.oomScoreAdj.unset", own, world.oom_score_adj)
        },
    },
    Case {
        id: "process/scheduler/policy-and-nice-are-applied",
        judges: &[
            "config.process.scheduler.policy.effect",
            "config.process.scheduler.nice.effect",
        ],
        needs: &[Need::SharedKernel],
        run: |trial| {
            trial.set(
                "/process/scheduler",
                json!({"policy": "SCHED_BATCH", "nice": 5}),
            );
            let world = trial.observe()?;
            let scheduler = world.scheduler;
            let policy = scheduler.as_ref().map(|scheduler| scheduler.policy.clone());
            trial.expect(
                "config.process.scheduler.policy.effect",
                "SCHED_BATCH",
                policy,
            )?;
            let nice = scheduler.map(|scheduler| scheduler.nice);
            trial.expect("config.process.scheduler.nice.effect", 5, nice)
        },
    },
    Case {
        id: "process/ioPriority/is-applied",
        judges: &["config.process.ioPriority.effect"],
        needs: &[Need::SharedKernel],
        run: |trial| {
            let expected = json!({"class": "IOPRIO_CLASS_BE", "priority": 6});
            trial.set("/process/ioPriority", expected.clone());
            let world = trial.observe()?;
            trial.expect(
                "config.process.ioPriority.effect",
                expected,
                world.io_priority,
            )
        },
    },
    Case {
        id: "process/terminal/is-on-the-standard-streams",
        judges: &[
            "config.process.terminal.pty",
            "config.process.consoleSize.effect",
            "config-linux.default-devices.console",
        ],
        needs: &[],
        run: terminal_is_on_the_standard_streams,
    },
    Case {
        id: "process/terminal/defaults-to-none",
        judges: &[
            "config.process.terminal.default",
            "config.process.consoleSize.ignore",
        ],
        needs: &[],
        run: |trial| {
            trial.set("/process/consoleSize", json!({"height": 33, "width": 77}));
            let created = trial.create()?;
            let what = "create with a consoleSize and no terminal";
            trial.expect_success("config.process.consoleSize.ignore", what, &created)?;
            if !created.succeeded() {
                return Ok(());
            }
            trial.must_start()?;
            trial.wait_exit()?;
            let terminal = trial.world()?.terminal;
            trial.expect_in(
                "config.process.terminal.default",
                "terminal",
                json!(null),
                &terminal,
            )?;
            trial.must_delete()
        },
    },
];

fn capabilities_are(trial: &mut Trial, sets: Value) -> Result<(), Stop> {
    trial.set("/process/capabilities", sets.clone());
    let world = trial.observe()?;
    let observed = serde_json::to_value(&world.capabilities).unwrap_or(Value::Null);
    for (clause, set) in [
        ("config.process.capabilities.bounding.effect", "bounding"),
        ("config.process.capabilities.permitted.effect", "permitted"),
        ("config.process.capabilities.effective.effect", "effective"),
        (
            "config.process.capabilities.inheritable.effect",
            "inheritable",
        ),
        ("config.process.capabilities.ambient.effect", "ambient"),
    ] {
        trial.expect(clause, &sets[set], &observed[set])?;
    }
    Ok(())
}

fn rlimits_match(trial: &mut Trial) -> Result<(), Stop> {
    // Below what any host allows by default: raising a hard limit needs CAP_SYS_RESOURCE.
    let rows = [
        ("RLIMIT_NOFILE", 200, 250),
        ("RLIMIT_CORE", 0, 4096),
        ("RLIMIT_STACK", 1 << 20, 4 << 20),
    ];
    for (name, soft, hard) in rows {
        trial.set(
            "/process/rlimits/-",
            json!({"type": name, "soft": soft, "hard": hard}),
        );
    }
    let world = trial.observe()?;
    for (name, soft, hard) in rows {
        let limit = world.rlimits.get(name);
        trial.expect_in(
            "config.process.rlimits.getrlimit",
            name,
            json!([soft, hard]),
            json!(limit.map(|limit| [limit.soft, limit.hard])),
        )?;
        if let Some(limit) = limit {
            trial.expect_in("config.process.rlimits.soft.match", name, soft, limit.soft)?;
            trial.expect_in("config.process.rlimits.hard.match", name, hard, limit.hard)?;
        }
    }
    Ok(())
}

fn terminal_is_on_the_standard_streams(trial: &mut Trial) -> Result<(), Stop> {
    trial.set("/process/terminal", true);
    trial.set("/process/consoleSize", json!({"height": 33, "width": 77}));
    trial.probe(&["observe", "path=/dev/console"]);
    let (exit, terminal) = trial.create_with_terminal()?;
    if !exit.succeeded() {
        return Err(Stop::Refused {
            operation: "create",
            exit: Box::new(exit),
        });
    }
    let clause = "config.process.terminal.pty";
    trial.expect_in(
        clause,
        "a descriptor came over the console socket",
        true,
        terminal.is_some(),
    )?;
    let Some(mut terminal) = terminal else {
        return trial.give_up();
    };
    trial.must_start()?;
    let lines = trial.read_terminal(&mut terminal, "observe")?;
    let world = lines
        .iter()
        .find(|line| line.verb == "observe")
        .and_then(|line| serde_json::from_value::<oci_probe::World>(line.value.clone()).ok())
        .ok_or_else(|| Stop::NoReport("the program told nothing on its terminal".into()))?;
    let seen = world.terminal.unwrap_or_default();
    trial.expect_in(
        clause,
        "streams that are the terminal",
        json!([0, 1, 2]),
        seen.streams,
    )?;
    trial.expect_in(
        "config.process.consoleSize.effect",
        "rows and columns",
        json!([33, 77]),
        json!([seen.rows, seen.columns]),
    )?;
    let console = world
        .files
        .get("/dev/console")
        .map(|file| file.kind.clone());
    let clause = "config-linux.default-devices.console";
    trial.expect_in(clause, "what /dev/console is", "char", console)?;
    trial.wait_exit()?;
    trial.must_delete()
}

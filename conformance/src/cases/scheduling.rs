//! config.md, Linux Process: scheduler, ioPriority and execCPUAffinity; and the umask that is the
//! caller's.

use serde_json::{Value, json};

use super::told::told;
use crate::case::{Case, Need};
use crate::trial::{Exit, Stop, Trial};

const POLICY: &str = "config.process.scheduler.policy.effect";
const PRIORITY: &str = "config.process.scheduler.priority.effect";
const FLAGS: &str = "config.process.scheduler.flags.effect";
const RUNTIME: &str = "config.process.scheduler.runtime.effect";
const DEADLINE: &str = "config.process.scheduler.deadline.effect";
const PERIOD: &str = "config.process.scheduler.period.effect";
const GROUP: &str = "config.process.ioPriority.group";
const NOT_INIT: &str = "config.process.execCPUAffinity.not-init";
const INITIAL: &str = "config.process.execCPUAffinity.initial.effect";
const FINAL: &str = "config.process.execCPUAffinity.final.effect";
const FINAL_UNSET: &str = "config.process.execCPUAffinity.final.unset";
/// Runtime of a deadline task in each period of 100 ms: enough to get on under emulation, and little
/// enough for several trials at once, since the kernel admits no more than the processors have.
const RUNTIME_NS: u64 = 20_000_000;
const UMASK: &str = "config.process.user.umask.unset";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "process/scheduler/what-is-unset-is-0",
        judges: &[
            POLICY,
            "config.process.scheduler.nice.default",
            "config.process.scheduler.priority.default",
            "config.process.scheduler.runtime.default",
            "config.process.scheduler.deadline.default",
            "config.process.scheduler.period.default",
        ],
        needs: &[Need::SharedKernel],
        run: |trial| {
            // From 6.12 the kernel tells the time slice of other tasks as their runtime, its own
            // default where 0 was asked for: what a task has that nobody asked anything for.
            let plain = serde_json::to_value(trial.observe()?.scheduler).unwrap_or_default();
            trial.another()?;
            let scheduler = scheduler(trial, json!({"policy": "SCHED_BATCH"}))?;
            trial.expect(POLICY, "SCHED_BATCH", &scheduler["policy"])?;
            for name in ["nice", "priority", "runtime", "deadline", "period"] {
                let clause = format!("config.process.scheduler.{name}.default");
                let clause = trial.declared_clause(&clause);
                let expected = match name {
                    "runtime" => plain[name].clone(),
                    _ => json!(0),
                };
                trial.expect(clause, expected, &scheduler[name])?;
            }
            Ok(())
        },
    },
    Case {
        id: "process/scheduler/priority-of-a-real-time-policy-is-applied",
        judges: &[POLICY, PRIORITY],
        needs: &[Need::SharedKernel, Need::Capability("CAP_SYS_NICE")],
        run: |trial| {
            real_time(trial)?;
            let asked = json!({"policy": "SCHED_FIFO", "priority": 7});
            let scheduler = scheduler(trial, asked)?;
            trial.expect(POLICY, "SCHED_FIFO", &scheduler["policy"])?;
            trial.expect(PRIORITY, 7, &scheduler["priority"])
        },
    },
    Case {
        id: "process/scheduler/parameters-of-the-deadline-policy-are-applied",
        judges: &[POLICY, RUNTIME, DEADLINE, PERIOD],
        needs: &[Need::SharedKernel, Need::Capability("CAP_SYS_NICE")],
        run: |trial| {
            real_time(trial)?;
            let asked = json!({
                "policy": "SCHED_DEADLINE", "runtime": RUNTIME_NS, "deadline": 50_000_000,
                "period": 100_000_000,
            });
            let scheduler = scheduler(trial, asked)?;
            trial.expect(POLICY, "SCHED_DEADLINE", &scheduler["policy"])?;
            trial.expect(RUNTIME, RUNTIME_NS, &scheduler["runtime"])?;
            trial.expect(DEADLINE, 50_000_000, &scheduler["deadline"])?;
            trial.expect(PERIOD, 100_000_000, &scheduler["period"])
        },
    },
    Case {
        id: "process/scheduler/flags-are-applied",
        judges: &[FLAGS],
        needs: &[Need::SharedKernel],
        run: |trial| {
            let flag = "SCHED_FLAG_RESET_ON_FORK";
            let asked = json!({"policy": "SCHED_BATCH", "flags": [flag]});
            let scheduler = scheduler(trial, asked)?;
            let flags = scheduler["flags"].as_array();
            let has = flags.is_some_and(|flags| flags.contains(&json!(flag)));
            trial.expect_that(FLAGS, has, format!("the flag {flag}"), &scheduler["flags"])
        },
    },
    Case {
        id: "process/ioPriority/holds-for-every-process",
        judges: &[GROUP],
        needs: &[Need::SharedKernel],
        run: |trial| {
            let asked = json!({"class": "IOPRIO_CLASS_BE", "priority": 7});
            trial.set("/process/ioPriority", asked.clone());
            trial.probe(&["observe", "then", "exec", "/probe", "observe"]);
            let lines = trial.run_to_end()?;
            let all: Vec<_> = lines
                .iter()
                .filter(|line| line.verb == "observe")
                .map(|line| line.value["io_priority"].clone())
                .collect();
            let what = "I/O priority of the first process and of one that it has started";
            trial.expect_in(GROUP, what, json!([asked, asked]), all)
        },
    },
    Case {
        id: "process/execCPUAffinity/does-not-change-the-first-process",
        judges: &[NOT_INIT],
        needs: &[Need::SharedKernel],
        run: |trial| {
            let all = cpus(trial)?;
            trial.another()?;
            let one = all[0].to_string();
            trial.set(
                "/process/execCPUAffinity",
                json!({"initial": one, "final": one}),
            );
            let affinity = trial.observe()?.cpu_affinity;
            trial.expect_in(NOT_INIT, "CPUs of the first process", all, affinity)
        },
    },
    Case {
        id: "process/execCPUAffinity/final-holds-in-what-exec-runs",
        judges: &[FINAL],
        needs: &[Need::SharedKernel, Need::Command("exec")],
        run: |trial| {
            let all = cpus(trial)?;
            trial.another()?;
            let (first, last) = (all[0].to_string(), all[all.len() - 1]);
            let asked = json!({"initial": first, "final": last.to_string()});
            let seen = affinity_in_exec(trial, asked)?;
            trial.expect_in(FINAL, "CPUs of the process", json!([last]), seen)?;
            trial.finish()
        },
    },
    Case {
        // From 6.2 a mask that a task was given outlives its way into another cgroup; before, the
        // kernel gives it all CPUs of the cgroup.
        id: "process/execCPUAffinity/initial-stays-where-final-is-not-set",
        judges: &[INITIAL, FINAL_UNSET],
        needs: &[
            Need::SharedKernel,
            Need::Command("exec"),
            Need::Kernel(6, 2),
        ],
        run: |trial| {
            let all = cpus(trial)?;
            trial.another()?;
            let last = all[all.len() - 1];
            let asked = json!({"initial": last.to_string()});
            let seen = affinity_in_exec(trial, asked)?;
            let what = "CPUs of the process";
            trial.expect_in(INITIAL, what, json!([last]), &seen)?;
            trial.expect_in(FINAL_UNSET, what, json!([last]), seen)?;
            trial.finish()
        },
    },
    Case {
        id: "process/user/umask-unset-is-the-callers",
        judges: &[UMASK],
        needs: &[Need::SharedKernel],
        run: |trial| {
            // One that nobody has by default.
            let callers = nix::sys::stat::Mode::from_bits_truncate(0o037);
            trial.write_config()?;
            trial.by_hand("umask 037");
            let before = nix::sys::stat::umask(callers);
            let created = trial.create_again(&[]);
            let started = match &created {
                Ok(exit) if exit.succeeded() => Some(trial.start()),
                _ => None,
            };
            nix::sys::stat::umask(before);
            trial.by_hand("umask 022");
            succeeded("create", created?)?;
            if let Some(started) = started {
                succeeded("start", started?)?;
            }
            trial.wait_exit()?;
            let umask = trial.world()?.umask;
            trial.expect_in(UMASK, "umask", "0037", format!("{umask:04o}"))?;
            trial.must_delete()
        },
    },
];

fn succeeded(operation: &'static str, exit: Exit) -> Result<(), Stop> {
    match exit.succeeded() {
        true => Ok(()),
        false => Err(Stop::Refused {
            operation,
            exit: Box::new(exit),
        }),
    }
}

/// The scheduling parameters that the program has, asked for these.
fn scheduler(trial: &mut Trial, asked: Value) -> Result<Value, Stop> {
    trial.set("/process/scheduler", asked);
    let world = trial.observe()?;
    Ok(serde_json::to_value(world.scheduler).unwrap_or_default())
}

/// With CONFIG_RT_GROUP_SCHED a new cgroup has no real-time share to run on.
fn real_time(trial: &Trial) -> Result<(), Stop> {
    let cpu = trial.host().controller("cpu");
    let limited = cpu.is_some_and(|cpu| cpu.mount_point.join("cpu.rt_runtime_us").exists());
    match limited {
        true => Err(Stop::Inapplicable(
            "a kernel without real-time group scheduling".into(),
        )),
        false => Ok(()),
    }
}

/// The CPUs that a container's program may use where nothing is said of them: two at least.
fn cpus(trial: &mut Trial) -> Result<Vec<u32>, Stop> {
    let all = trial.observe()?.cpu_affinity.unwrap_or_default();
    match all.len() {
        0 | 1 => Err(Stop::Inapplicable("two CPUs".into())),
        _ => Ok(all),
    }
}

/// The CPUs that a process may use which `exec` runs, in a container and by a process object with
/// this execCPUAffinity.
fn affinity_in_exec(trial: &mut Trial, asked: Value) -> Result<Value, Stop> {
    trial.set("/process/execCPUAffinity", asked);
    trial.probe(&["pause"]);
    trial.run_until_ready()?;
    let mut process = trial.config["process"].clone();
    process["args"] = json!(["/probe", "observe"]);
    let file = trial.directory.join("process.json");
    trial.write_file(&file, &process.to_string())?;
    let id = trial.id.clone();
    let file = file.display().to_string();
    let exit = trial.operation(&["exec", "--process", &file, &id])?;
    let lines = exit.lines();
    if !exit.succeeded() {
        return Ok(exit.describe());
    }
    Ok(told(&lines, "observe", &[])?.value["cpu_affinity"].clone())
}

//! Processes that exec starts in a running container: confined as the container's own.
//!
//! The specification knows no exec; a subject without one is not judged here.

use serde_json::json;

use super::world;
use crate::case::Case;
use crate::cases::seccomp;
use crate::cases::told::told;
use crate::trial::{Exit, Stop, Trial};

const NO_LEAK: &str = "security.fds.no-leak.exec";
const CWD: &str = "security.cwd.inside-root.exec";
const INHERITABLE: &str = "security.capabilities.inheritable-empty.exec";
const FILTER: &str = "security.seccomp.exec";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "security/exec/no-descriptor-of-the-runtime-reaches-the-process",
        judges: &[NO_LEAK],
        needs: &[],
        run: |trial| {
            run_for_exec(trial)?;
            let world = exec_world(trial, &[])?;
            let further: Vec<_> = world
                .descriptors
                .iter()
                .filter(|open| open.fd > 2)
                .collect();
            let what = "descriptors beyond the standard ones";
            trial.expect_in(NO_LEAK, what, json!([]), further)?;
            let leading_out: Vec<_> = world
                .descriptors
                .iter()
                .filter(|open| open.outside_root == Some(true))
                .collect();
            let what = "directories outside of the root that are open";
            trial.expect_in(NO_LEAK, what, json!([]), leading_out)?;
            trial.finish()
        },
    },
    Case {
        id: "security/exec/a-cwd-through-a-descriptor-does-not-leave-the-root",
        judges: &[CWD],
        needs: &[],
        run: |trial| {
            run_for_exec(trial)?;
            // The control: the option is understood.
            let world = exec_world(trial, &["--cwd", "/tmp"])?;
            if world.cwd.as_deref() != Some("/tmp") {
                return Err(Stop::Inapplicable(
                    "a subject whose exec takes --cwd".into(),
                ));
            }
            for number in 3..13 {
                let cwd = format!("/proc/self/fd/{number}");
                let exit = exec(trial, &["--cwd", &cwd], &["observe"])?;
                let observed = match self::world(&lines(&exit)) {
                    Some(world) => json!({"getcwd": world.cwd}),
                    None if exit.succeeded() => json!("nothing told"),
                    None => json!("refused"),
                };
                // getcwd(2) marks a directory that the root does not hold.
                let holds = match observed["getcwd"].as_str() {
                    Some(path) => !path.starts_with("(unreachable)"),
                    None => observed == json!("refused"),
                };
                let says = format!("{cwd} is refused, or a directory below the root");
                trial.expect_that(CWD, holds, says, observed)?;
            }
            trial.finish()
        },
    },
    Case {
        id: "security/exec/the-inheritable-set-is-empty",
        judges: &[INHERITABLE],
        needs: &[],
        run: |trial| {
            run_for_exec(trial)?;
            let world = exec_world(trial, &[])?;
            let inheritable = world.capabilities.inheritable;
            trial.expect_in(INHERITABLE, "a plain exec", json!([]), inheritable)?;
            // A capability more is one to use, and not one to hand on.
            let exit = exec(trial, &["--cap", "CAP_NET_RAW"], &["observe"])?;
            if let Some(world) = self::world(&lines(&exit)) {
                let inheritable = world.capabilities.inheritable;
                trial.expect_in(
                    INHERITABLE,
                    "exec --cap CAP_NET_RAW",
                    json!([]),
                    inheritable,
                )?;
            }
            trial.finish()
        },
    },
    Case {
        id: "security/exec/the-process-is-under-the-containers-filter",
        judges: &[FILTER],
        needs: &[],
        run: |trial| {
            // EXDEV is nobody's answer to getpriority(2) but the filter's.
            let rule =
                json!({"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18});
            seccomp::filter(trial, "SCMP_ACT_ALLOW", json!([rule]));
            let call = ["syscall-child", "getpriority", "0", "0"];
            let [verb, name, which, who] = call;
            run_with_exec(trial, &[verb, name, which, who, "then", "pause"])?;
            // A subject that ignores filters altogether fails where they are the matter.
            let own = trial.report()?;
            if told(&own, "syscall-child", &["getpriority"])?.value["errno"] != "EXDEV" {
                trial.finish()?;
                return Err(Stop::Inapplicable(
                    "a container whose own process is under its filter".into(),
                ));
            }
            let exit = exec(trial, &[], &call)?;
            let lines = lines(&exit);
            let line = told(&lines, "syscall-child", &["getpriority"])?;
            trial.expect_in(
                FILTER,
                "getpriority(2), which the filter hits",
                "EXDEV",
                &line.value["errno"],
            )?;
            trial.finish()
        },
    },
];

/// Runs a container that waits, and finds out whether the subject has an exec.
fn run_for_exec(trial: &mut Trial<'_>) -> Result<(), Stop> {
    run_with_exec(trial, &["pause"])
}

fn run_with_exec(trial: &mut Trial<'_>, verbs: &[&str]) -> Result<(), Stop> {
    trial.probe(verbs);
    trial.run_until_ready()?;
    exec_world(trial, &[]).map(|_| ())
}

/// What a process sees that exec starts.
fn exec_world(trial: &mut Trial<'_>, options: &[&str]) -> Result<oci_probe::World, Stop> {
    let exit = exec(trial, options, &["observe"])?;
    match world(&lines(&exit)) {
        Some(world) if exit.succeeded() => Ok(world),
        _ => Err(Stop::Inapplicable(format!(
            "a subject whose exec runs the probe ({})",
            exit.describe()
        ))),
    }
}

fn exec(trial: &mut Trial<'_>, options: &[&str], verbs: &[&str]) -> Result<Exit, Stop> {
    let id = trial.id.clone();
    let mut words = vec!["exec"];
    words.extend(options);
    words.extend([id.as_str(), "/probe"]);
    words.extend(verbs);
    trial.operation(&words)
}

fn lines(exit: &Exit) -> Vec<oci_probe::Line> {
    crate::trial::lines_of(&exit.stdout)
}

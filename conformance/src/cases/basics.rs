//! The plain container, and what is learnt of a subject on the way.

use std::time::Instant;

use serde_json::json;

use super::GATE;
use crate::case::Case;
use crate::subject::{Profile, higher_claim, read_version};
use crate::trial::{Stop, Trial};

pub(super) const CASES: &[Case] = &[Case {
    id: GATE,
    judges: &[
        "runtime.create.new",
        "runtime.ops.supported",
        "runtime.state.op.returns",
        "runtime.state.id",
        "runtime.start.program",
        "runtime.delete.resources",
    ],
    needs: &[],
    run: plain_container,
}];

fn plain_container(trial: &mut Trial) -> Result<(), Stop> {
    ask_for_claims(trial)?;
    // What that has left is not delete's to remove.
    trial.rebase();
    let started = Instant::now();
    let exit = create_with_or_without_root(trial)?;
    trial.expect_success("runtime.create.new", "create of the plain container", &exit)?;
    if !exit.succeeded() {
        return Ok(());
    }
    let state = trial.state()?;
    trial.expect_that(
        "runtime.state.op.returns",
        state.document.is_some(),
        "a JSON object on standard output and exit status 0",
        json!({"exit": state.exit.code, "stdout": state.exit.stdout}),
    )?;
    let Some(document) = state.document else {
        return Ok(());
    };
    let id = trial.id.clone();
    trial.expect("runtime.state.id", id, document.get("id"))?;

    let exit = trial.start()?;
    trial.expect_success(
        "runtime.ops.supported",
        "start of the created container",
        &exit,
    )?;
    if !exit.succeeded() {
        // Nothing to wait for; that it would not come is no hanging of the subject's.
        return Ok(());
    }
    trial.wait_exit()?;
    let world = trial
        .report()?
        .into_iter()
        .find(|line| line.verb == "observe");
    trial.expect_that(
        "runtime.start.program",
        world.is_some(),
        "the program's report on the standard output that create was given",
        trial.report()?.len(),
    )?;
    let Some(world) = world else { return Ok(()) };
    let exit = trial.delete()?;
    trial.expect_success(
        "runtime.ops.supported",
        "delete of the stopped container",
        &exit,
    )?;
    let seconds = started.elapsed().as_secs_f64();
    let left = trial.left_behind_in_time();
    trial.expect("runtime.delete.resources", json!([]), &left)?;

    let same =
        |key: &str, here: &str| world.value.pointer(key).and_then(|v| v.as_str()) == Some(here);
    let host = trial.host();
    let shared_kernel = same("/uname/release", &host.kernel) && same("/boot_id", &host.boot_id);
    trial.learn(|profile| {
        profile.shared_kernel = shared_kernel;
        profile.plain_seconds = seconds;
    });
    Ok(())
}

/// Name, version and claimed specification version, from `--version` and `features`. Neither is in
/// the specification, so nothing is judged by them.
fn ask_for_claims(trial: &mut Trial) -> Result<(), Stop> {
    let version = trial.command(None, &["--version"], None)?;
    let program = trial.subject().program.clone();
    let (name, version, line) = read_version(&version.stdout, &program);
    let features = trial.command(None, &["features"], None)?;
    let features = serde_json::from_str::<serde_json::Value>(&features.stdout)
        .ok()
        .filter(|document| features.succeeded() && document.is_object());
    let (claim, claimed_in) = higher_claim(line, features.as_ref());
    let commands = commands(trial);
    trial.learn(|profile| {
        *profile = Profile {
            name,
            version,
            claim,
            claimed_in,
            features,
            commands,
            ..Profile::default()
        };
    });
    trial.judge_by_claim();
    Ok(())
}

/// Commands that engines call and the specification does not know.
const COMMANDS: [&str; 10] = [
    "events", "exec", "features", "list", "pause", "ps", "resume", "run", "spec", "update",
];

/// Those of [`COMMANDS`] that the subject's help knows: `COMMAND --help` or `help COMMAND`.
fn commands(trial: &mut Trial) -> Vec<String> {
    trial.quietly(|trial| {
        let mut answers = true;
        let mut helps = |words: &[&str]| {
            let exit = answers.then(|| trial.command(None, words, None).ok());
            // One that hangs is not asked for each command again.
            answers = matches!(exit, Some(Some(_)));
            exit.flatten().is_some_and(|exit| exit.succeeded())
        };
        COMMANDS
            .iter()
            .filter(|name| helps(&[name, "--help"]) || helps(&["help", name]))
            .map(|name| name.to_string())
            .collect()
    })
}

/// Creates the container with `--root`, and learns by effect whether the subject takes it: state
/// lies there, and without it the container is not known. If create fails so, it is tried without.
fn create_with_or_without_root(trial: &mut Trial) -> Result<crate::trial::Exit, Stop> {
    trial.learn(|profile| profile.takes_root = true);
    let exit = trial.create()?;
    if exit.succeeded() {
        let state = trial.directory().join("state");
        let lies_there = std::fs::read_dir(state).is_ok_and(|mut entries| entries.next().is_some());
        let id = trial.id.clone();
        let default_knows = trial.command(None, &["state", &id], None)?.succeeded();
        trial.learn(|profile| profile.takes_root = lies_there && !default_knows);
        return Ok(exit);
    }
    trial.learn(|profile| profile.takes_root = false);
    trial.another()?;
    let exit = trial.create()?;
    if !exit.succeeded() {
        // What a refused create leaves in a default state directory is out of the trial's reach;
        // the subject itself is asked to remove it.
        trial.give_up()?;
    }
    Ok(exit)
}

//! The suite `cli`: the command line that runtimes in use have in common. Beyond the specification.

mod exec;
mod operations;
mod others;

use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::trial::{Stop, Trial};

pub(super) use exec::{CASES as EXEC_CASES, exec_process};
pub(super) use operations::CASES as OPERATION_CASES;
pub(super) use others::CASES as OTHER_CASES;

const SUCCESS: &str = "cli.exit.success";
const ERROR: &str = "cli.exit.error";
const STDERR: &str = "cli.errors.stderr";
const COMMAND: &str = "cli.unknown-command";
const OPTION: &str = "cli.unknown-option";
const ROOT: &str = "cli.root";
const EQUALS: &str = "cli.root.equals";
const FILE: &str = "cli.log.file";
const JSON: &str = "cli.log.json";

/// How commands in general are called.
pub(super) const CASES: &[Case] = &[
    Case {
        id: "cli/exit-status-tells-success-from-error",
        judges: &[SUCCESS, ERROR, STDERR],
        needs: &[],
        run: |trial| {
            trial.probe(&["pause"]);
            let create = trial.create()?;
            trial.expect_success(SUCCESS, "create of the plain container", &create)?;
            if !create.succeeded() {
                return trial.give_up();
            }
            let start = trial.start()?;
            trial.expect_success(SUCCESS, "start of a created container", &start)?;
            let state = trial.state()?;
            trial.expect_success(SUCCESS, "state of a running container", &state.exit)?;
            let unknown = format!("{}-unknown", trial.id);
            for words in [
                ["state", &unknown],
                ["start", &unknown],
                ["delete", &unknown],
            ] {
                let exit = trial.operation(&words)?;
                let what = format!("{} of a container that does not exist", words[0]);
                trial.expect_error(ERROR, &what, &exit)?;
                let said = [exit.stdout.trim().is_empty(), exit.stderr.trim().is_empty()];
                let what = format!("what {what} prints: nothing on standard output or error");
                trial.expect_in(STDERR, &what, [true, false], said)?;
            }
            trial.finish()
        },
    },
    Case {
        id: "cli/an-unknown-command-is-an-error",
        judges: &[COMMAND],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            let before = trial.state()?;
            let id = trial.id.clone();
            let exit = trial.operation(&["no-such-command", &id])?;
            trial.expect_error(COMMAND, "a command that no runtime has", &exit)?;
            let after = trial.state()?;
            let what = "state of the container that it was given, before and after";
            trial.expect_in(COMMAND, what, before.document, after.document)?;
            trial.finish()
        },
    },
    Case {
        id: "cli/an-unknown-option-is-an-error",
        judges: &[OPTION],
        needs: &[],
        run: |trial| {
            let exit = trial.create_with(&["--no-such-option"])?;
            trial.expect_error(OPTION, "create with an option that no runtime has", &exit)?;
            if exit.succeeded() {
                return trial.give_up();
            }
            let state = trial.state()?;
            trial.expect_error(OPTION, "state of the container afterwards", &state.exit)
        },
    },
    Case {
        id: "cli/version-names-runtime-and-specification",
        judges: &["cli.version", "cli.version.spec"],
        needs: &[],
        run: |trial| {
            let exit = trial.command(None, &["--version"], None)?;
            let first = exit.stdout.lines().next().unwrap_or_default();
            let mut words = first.split_whitespace();
            let name = words
                .next()
                .is_some_and(|word| word.contains(char::is_alphabetic));
            let number = words.any(|word| word.contains(|c: char| c.is_ascii_digit()));
            trial.expect_that(
                "cli.version",
                exit.succeeded() && name && number,
                "a first line with the runtime's name, and behind it its version",
                first,
            )?;
            let spec = exit
                .stdout
                .lines()
                .find_map(|line| line.strip_prefix("spec:"));
            let version = spec.map(|text| text.trim().parse::<oci_runtime_schemas::SpecVersion>());
            trial.expect_that(
                "cli.version.spec",
                matches!(version, Some(Ok(_))),
                "a line that begins with \"spec:\", and behind it a version",
                &exit.stdout,
            )
        },
    },
    Case {
        id: "cli/root-holds-the-state-of-its-containers",
        judges: &[ROOT],
        needs: &[],
        run: |trial| {
            trial.must_create()?;
            let id = trial.id.clone();
            let lies_there = std::fs::read_dir(trial.directory().join("state"))
                .is_ok_and(|mut entries| entries.next().is_some());
            trial.expect_in(ROOT, "the directory holds state", true, lies_there)?;
            let elsewhere = trial.directory().join("another-root");
            let exit = trial.command(Some(&elsewhere), &["state", &id], None)?;
            let what = "state of the container with another directory for --root";
            trial.expect_error(ROOT, what, &exit)?;
            trial.finish()
        },
    },
    Case {
        id: "cli/root-may-be-written-with-an-equals-sign",
        judges: &[EQUALS],
        needs: &[Need::StateRoot],
        run: |trial| {
            trial.must_create()?;
            let root = format!("--root={}", trial.directory().join("state").display());
            let id = trial.id.clone();
            let exit = trial.command(None, &[&root, "state", &id], None)?;
            let known = serde_json::from_str::<Value>(&exit.stdout).unwrap_or_default();
            let what = "id in the state of a container below --root=DIR";
            trial.expect_in(EQUALS, what, id, &known["id"])?;
            trial.finish()
        },
    },
    Case {
        id: "cli/log-file-has-the-error",
        judges: &[FILE],
        needs: &[],
        run: |trial| {
            let log = log_of_an_error(trial, &[])?;
            let says = "the message of the error";
            trial.expect_that(FILE, !log.trim().is_empty(), says, log)
        },
    },
    Case {
        id: "cli/log-format-json-has-an-object-a-line",
        judges: &[JSON],
        needs: &[],
        run: |trial| {
            let log = log_of_an_error(trial, &["--log-format", "json"])?;
            let is_entry = |line: &str| {
                let entry = serde_json::from_str::<Value>(line).unwrap_or_default();
                ["level", "msg", "time"]
                    .iter()
                    .all(|name| entry[*name].is_string())
            };
            let wrong: Vec<&str> = log.lines().filter(|line| !is_entry(line)).collect();
            let what = "lines of the log that are no object with level, msg and time";
            trial.expect_in(JSON, what, json!([]), wrong)?;
            trial.expect_that(JSON, log.lines().count() > 0, "a line for the error", &log)
        },
    },
];

/// The log of a create that fails: its bundle lacks what is to be mounted.
pub(super) fn log_of_an_error(trial: &mut Trial, options: &[&str]) -> Result<String, Stop> {
    let log = trial.directory().join("log");
    let missing = trial.directory.join("missing").display().to_string();
    trial.mount(json!({
        "destination": "/mnt", "type": "bind", "source": missing, "options": ["bind"]
    }));
    trial.write_config()?;
    let (bundle, id) = (trial.directory.display().to_string(), trial.id.clone());
    let path = log.display().to_string();
    let mut words = vec!["--log", &*path];
    words.extend(options);
    words.extend(["create", "--bundle", &bundle, &id]);
    let exit = trial.operation(&words)?;
    if exit.succeeded() {
        trial.give_up()?;
        return Err(Stop::Inapplicable("a create that fails".into()));
    }
    Ok(crate::host::read(log))
}

/// The one JSON value that an output is, or what it is instead.
pub(super) fn only_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error} in {text:.300}"))
}

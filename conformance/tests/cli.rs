//! The program as its users run it: exit codes, degenerate subjects, interruption, what is left
//! behind.

mod executable;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oci_conformance::results::{Results, Verdict};

/// A work directory of the test's own, so that what is left behind is seen.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Place(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A runtime that is a shell script.
    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        executable::write(&path, format!("#!/bin/sh\n{text}\n").as_bytes());
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oci-conformance"));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .env("TMPDIR", self.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    fn judge(&self, runtime: &Path, further: &[&str]) -> (i32, Results) {
        let runtime = runtime.display().to_string();
        let mut arguments = vec!["run", "--format", "json", "--runtime", &runtime];
        arguments.extend(further);
        let output = self.run(&arguments);
        let results = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().expect("an exit code"), results)
    }

    /// Nothing of a run is left in the work directory.
    fn is_clean(&self) -> bool {
        let entries = std::fs::read_dir(self.path()).unwrap().flatten();
        !entries.into_iter().any(|e| {
            e.file_name()
                .to_string_lossy()
                .starts_with("oci-conformance.")
        })
    }
}

fn verdicts(results: &Results, verdict: Verdict) -> Vec<&str> {
    let cases = &results.runs[0].cases;
    cases
        .iter()
        .filter(|case| case.verdict == verdict)
        .map(|case| case.id.as_str())
        .collect()
}

#[test]
fn programs_that_are_no_runtimes_turn_nothing_green() {
    let place = Place::new();
    let silent = place.script("silent", "echo nonsense; exit 0");
    for runtime in [Path::new("/bin/true"), Path::new("/bin/false"), &silent] {
        let (code, results) = place.judge(runtime, &[]);
        assert_eq!(code, 1, "{}", runtime.display());
        assert_eq!(
            verdicts(&results, Verdict::Pass),
            [""; 0],
            "{}",
            runtime.display()
        );
        assert_eq!(
            verdicts(&results, Verdict::Fail),
            ["basics/plain-container"]
        );
        assert!(results.runs[0].summary.inapplicable > 0);
    }
    assert!(place.is_clean());
}

#[test]
fn wrong_usage_exits_with_2_and_one_line() {
    let place = Place::new();
    let text = place.path().join("text");
    std::fs::write(&text, "no program").unwrap();
    let text = text.display().to_string();
    let executable = place.path().join("executable-text");
    executable::write(&executable, b"no program");
    let executable = executable.display().to_string();
    let expectation = place.path().join("expect.toml");
    std::fs::write(
        &expectation,
        "format = 1\n[[waiver]]\ncase = \"no/such-case\"\nclauses = [\"x\"]\nverdict = \"fail\"\n\
         observed = \"x\"\nreason = \"x\"\n",
    )
    .unwrap();
    let expectation = expectation.display().to_string();
    for arguments in [
        &["--runtime", "/no/such/runtime"][..],
        &["--runtime", &text],
        &["--runtime", &executable],
        &["no/such-case"],
        &["--shard", "3/2"],
        &["--format", "paper"],
        &["--spec-version", "newest"],
        &["--no-such-flag"],
        &["--expect", &expectation],
        &["--expect", "/no/such/file"],
        &["--format", "human", "--format", "json"],
        &["explain", "no/such-case"],
        &["repro", "no/such-case", "--dir", "/tmp/never-made"],
        &["--work-dir", "/no/such/directory"],
    ] {
        let output = place.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            !said.is_empty() && !said.contains("panicked"),
            "{arguments:?}: {said}"
        );
    }
    assert!(place.is_clean());
}

#[test]
fn a_runtime_that_hangs_is_ended_at_the_deadline() {
    let place = Place::new();
    let hangs = place.script("hangs", "sleep 1000 & exec sleep 1000");
    let started = Instant::now();
    let (code, results) = place.judge(&hangs, &["--timeout", "0.5"]);
    assert_eq!(code, 1);
    assert_eq!(
        verdicts(&results, Verdict::Timeout),
        ["basics/plain-container"]
    );
    assert!(started.elapsed() < Duration::from_secs(60));
    assert!(place.is_clean());
}

/// A run whose runtime hangs, in the middle of its first operation.
struct Hanging {
    run: std::process::Child,
    /// Stands in the command line of the process that hangs, and in no other's.
    token: String,
}

impl Hanging {
    fn begin(place: &Place) -> Hanging {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let token = format!("1000.{}0{count}", std::process::id());
        let hangs = place.script("hangs", &format!("exec sleep {token}"));
        let run = place
            .command(&["--runtime", &hangs.display().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("the runtime is never called", || processes_with(&token) > 0);
        Hanging { run, token }
    }
}

/// Waits for a condition, a minute at most.
fn until(otherwise: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "{otherwise}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_ends_the_run_and_leaves_nothing() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let place = Place::new();
        let mut hanging = Hanging::begin(&place);
        kill(Pid::from_raw(hanging.run.id() as i32), signal).unwrap();
        let status = hanging.run.wait().unwrap();
        assert_eq!(status.code(), Some(code), "{signal}");
        assert!(place.is_clean(), "{signal}");
        assert_eq!(processes_with(&hanging.token), 0, "{signal}");
    }
}

#[test]
fn after_sigkill_nothing_runs_on_and_doctor_cleans() {
    let place = Place::new();
    let mut hanging = Hanging::begin(&place);
    hanging.run.kill().unwrap();
    hanging.run.wait().unwrap();
    assert!(!place.is_clean(), "a killed run cannot clean up");
    until("processes outlive a killed run", || {
        processes_with(&hanging.token) == 0
    });
    let doctor = place.run(&["doctor"]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("left by a killed run"));
    let cleaned = place.run(&["doctor", "--clean"]);
    assert_eq!(cleaned.status.code(), Some(0));
    assert!(place.is_clean());
}

#[test]
fn hostile_output_and_floods_are_bounded() {
    let place = Place::new();
    let flood = place.script("flood", "exec yes '::error::\x1b[31m</script>'");
    let (code, results) = place.judge(&flood, &[]);
    assert_eq!(code, 1);
    let cut =
        |step: &oci_conformance::results::Step| step.truncated && step.stdout.len() <= 64 * 1024;
    assert!(
        results.runs[0]
            .cases
            .iter()
            .flat_map(|case| &case.steps)
            .any(cut)
    );
    let flood = flood.display().to_string();
    let human = place.run(&["--runtime", &flood, "basics/"]);
    assert!(
        !human.stdout.contains(&0x1b),
        "a terminal control reached the report"
    );
    assert!(place.is_clean());
}

#[test]
fn views_of_the_catalogue_are_printed() {
    let place = Place::new();
    for (arguments, expected) in [
        (&["list"][..], "basics/plain-container"),
        (&["explain", "basics/plain-container"], "runtime.create.new"),
        (&["explain", "runtime.create.new"], "basics/plain-container"),
        (&["coverage"], "runtime.create.new"),
        (&["doctor"], "cgroups"),
        (&["--help"], "Exit codes"),
    ] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains(expected),
            "{arguments:?}"
        );
    }
}

/// How many processes have this word in their command line.
fn processes_with(word: &str) -> usize {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| {
            line.split(|byte| *byte == 0)
                .any(|argument| argument == word.as_bytes())
        })
        .count()
}

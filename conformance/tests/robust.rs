//! Subjects that hang, flood, crash, leave things behind or take away what the harness stands on:
//! each ends with the right verdict, in bounded time, and nothing of it is left.

mod executable;
#[path = "robust/host.rs"]
mod host;
#[path = "robust/many.rs"]
mod many;
#[path = "robust/subjects.rs"]
mod subjects;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oci_conformance::host::{Host, View};
use oci_conformance::results::{Results, Verdict};
use subjects::{KINDS, Kind, SLOW};

/// What an operation may take, by `--timeout`, where one hangs: that takes as long, several times.
const PATIENCE: &str = "3";
/// A run that takes longer hangs, whatever the machine is busy with.
const HANGS: Duration = Duration::from_secs(180);
/// Most of the time a bad subject is waited for, so that many are judged at once.
const AT_ONCE: usize = 8;

/// A kind of bad subject, in one of its operations.
struct Row {
    kind: &'static Kind,
    operation: &'static str,
    verdict: Verdict,
}

#[test]
fn every_bad_subject_gets_its_verdict_and_leaves_nothing() {
    host::adopt_orphans();
    let wanted = std::env::var("ROBUST_ONLY").unwrap_or_default();
    let rows: Vec<Row> = KINDS
        .iter()
        .filter(|kind| !kind.root || host::is_root())
        .flat_map(|kind| kind.rows())
        .filter(|row| row.name().contains(&wanted))
        .collect();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = row.judge();
                    let found = found
                        .into_iter()
                        .map(|what| format!("{}: {what}", row.name()));
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(host::orphans(), [""; 0], "processes outlive their runs");
}

#[test]
fn a_slow_subject_that_is_right_passes() {
    let place = Place::new(SLOW);
    let run = place.judge(&["basics/", "state/", "kill/", "hooks/prestart/"]);
    let results = run.results.expect("results");
    let bad: Vec<String> = results.runs[0]
        .cases
        .iter()
        .filter(|case| !matches!(case.verdict, Verdict::Pass | Verdict::Inapplicable))
        .map(|case| format!("{} {:?} {:?}", case.id, case.verdict, case.need))
        .collect();
    assert_eq!(bad, [""; 0]);
    assert_eq!(run.left, [""; 0]);
}

#[test]
fn a_signal_ends_a_run_of_very_many_repeats() {
    let place = Place::new("");
    let case = "hostname/is-set-in-the-new-uts-namespace";
    let mut told = false;
    let run = place.judge_while(&["--repeat", "1000000", case], HANGS, |harness| {
        if !told && place.latest_trial() >= Some(3) {
            kill(Pid::from_raw(harness as i32), Signal::SIGTERM).unwrap();
            told = true;
        }
    });
    assert_eq!(run.code, Some(143), "{}", run.said);
    assert_eq!(run.left, [""; 0]);
}

/// A subject that goes by `/proc/self/cgroup`, in which a hidden hierarchy stands, writes to the
/// directory where that hierarchy was.
#[test]
fn what_is_written_where_v2_is_hidden_ends_with_the_trial() {
    let host = Host::look(View::Host);
    let unified = host.cgroups.iter().find(|hierarchy| hierarchy.unified);
    let Some(unified) = unified.filter(|_| host.root() && host.cgroup() == "hybrid") else {
        return;
    };
    let at = unified.mount_point.display();
    let place = Place::new(&format!(
        "case $operation in create) mkdir -p {at}/$id && echo 0 >{at}/$id/cgroup.procs || exit 99 ;; esac"
    ));
    let run = place.judge(&["--host-view", "v1", "basics/plain-container"]);
    assert_eq!(run.code, Some(0), "{}", run.said);
    assert_eq!(run.left, [""; 0]);
    let tag = run.results.as_ref().and_then(tag_of).expect("a tag");
    // What is below the hierarchy's mount.
    let script = format!(
        "umount {at} && find {at} -name 'oct-{}-*'",
        tag.to_lowercase()
    );
    let below = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .output()
        .expect("unshare(1)");
    assert!(below.status.success(), "{below:?}");
    assert_eq!(String::from_utf8_lossy(&below.stdout), "");
}

impl Kind {
    fn rows(&'static self) -> impl Iterator<Item = Row> {
        self.at.iter().map(move |(operation, verdict)| Row {
            kind: self,
            operation,
            verdict: *verdict,
        })
    }
}

impl Row {
    fn name(&self) -> String {
        format!("{} in {}", self.kind.name, self.operation)
    }

    /// The case that meets the operation.
    fn case(&self) -> &'static str {
        match self.operation {
            "kill" => "kill/sends-the-signal",
            _ => "basics/plain-container",
        }
    }

    /// Judges the subject; tells what is not as it should be.
    fn judge(&self) -> Vec<String> {
        let does = format!(
            "case $operation in {}) {}\n;; esac",
            self.operation, self.kind.does
        );
        let place = Place::new(&does);
        let mut arguments = vec!["--no-calibrate", self.case()];
        if self.verdict == Verdict::Timeout {
            arguments.extend(["--timeout", PATIENCE]);
        }
        let run = place.judge(&arguments);
        let mut wrong = run.left;
        let code = match self.verdict {
            Verdict::Pass => 0,
            _ => 1,
        };
        let case = run.results.as_ref().and_then(|results| {
            results.runs[0]
                .cases
                .iter()
                .find(|case| case.id == self.case())
        });
        match case {
            _ if run.code.is_none() => wrong.push("the run does not end".into()),
            None => wrong.push(format!("no results: {}", run.said)),
            Some(case) if case.verdict != self.verdict || run.code != Some(code) => {
                wrong.push(format!(
                    "{:?} ({:?}, exit {:?}), and not {:?}: {:?} {:?}",
                    case.verdict,
                    case.need,
                    run.code,
                    self.verdict,
                    case.findings
                        .iter()
                        .map(|finding| (&finding.clause, finding.verdict, &finding.observed_value))
                        .collect::<Vec<_>>(),
                    case.steps
                        .iter()
                        .map(|step| (&step.argv[1..], step.exit, &step.signal))
                        .collect::<Vec<_>>(),
                ));
            }
            Some(_) => {}
        }
        if !place.precious_is_whole() {
            wrong.push("a file of the host's is gone".into());
        }
        wrong
    }
}

/// A directory of a row's own, with its subject, and with what may not be touched.
struct Place(tempfile::TempDir);

/// What came of a run.
struct Run {
    /// None if it did not end.
    code: Option<i32>,
    results: Option<Results>,
    said: String,
    /// What is there after it and was not before.
    left: Vec<String>,
}

impl Place {
    /// `does` is what the subject does before it hands on to a right runtime.
    fn new(does: &str) -> Place {
        let directory = tempfile::tempdir().expect("a directory");
        let place = Place(directory);
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        place.executable("refrun", oci_embedded::REFRUN);
        let path = place.path().display();
        let script = format!(
            "#!/bin/sh\nhere='{path}'\nruntime='{path}/refrun'\n{}\n{does}\nexec \"$runtime\" \"$@\"\n",
            subjects::READS_WORDS
        );
        place.executable("subject", script.as_bytes());
        std::fs::create_dir_all(place.path().join("work")).unwrap();
        std::fs::create_dir_all(place.path().join("precious")).unwrap();
        std::fs::write(place.path().join("precious/file"), "the host's").unwrap();
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn executable(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        executable::write(&path, bytes);
        path
    }

    fn precious_is_whole(&self) -> bool {
        std::fs::read_to_string(self.path().join("precious/file"))
            .is_ok_and(|text| text == "the host's")
    }

    fn judge(&self, further: &[&str]) -> Run {
        self.judge_while(further, HANGS, |_| {})
    }

    /// Judges the subject, and looks at the harness's process meanwhile.
    fn judge_while(&self, further: &[&str], limit: Duration, mut look: impl FnMut(u32)) -> Run {
        let subject = self.path().join("subject").display().to_string();
        let report = format!("json={}", self.path().join("results").display());
        let (output, errors) = (self.path().join("output"), self.path().join("errors"));
        let mark = host::mark();
        let mut harness = Command::new(env!("CARGO_BIN_EXE_oci-conformance"))
            .args(["run", "--runtime", &subject, "--format", &report])
            .args(further)
            .env("TMPDIR", self.path().join("work"))
            .env(host::MARK, &mark)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(output).unwrap())
            .stderr(std::fs::File::create(&errors).unwrap())
            .spawn()
            .expect("the program runs");
        let deadline = Instant::now() + limit;
        let status = loop {
            match harness.try_wait().expect("a child of ours") {
                Some(status) => break Some(status),
                None if Instant::now() >= deadline => break None,
                None => {
                    look(harness.id());
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        };
        if status.is_none() {
            harness.kill().unwrap();
            harness.wait().unwrap();
        }
        let results = Results::load(&self.path().join("results")).ok();
        let tag = results.as_ref().and_then(tag_of);
        Run {
            code: status.and_then(|status| status.code()),
            said: std::fs::read_to_string(&errors).unwrap_or_default(),
            left: host::left_behind(self.path(), &mark, tag.as_deref()),
            results,
        }
    }
}

impl Place {
    /// The numbers of the trials that have a directory now.
    fn trials(&self) -> impl Iterator<Item = usize> {
        let runs = host::entries(&self.path().join("work"));
        runs.flat_map(|run| host::entries(&run))
            .filter_map(|path| path.file_name()?.to_str()?.parse().ok())
    }

    fn latest_trial(&self) -> Option<usize> {
        self.trials().max()
    }
}

/// The part of the name of the run's directory that its cgroups and containers bear too.
fn tag_of(results: &Results) -> Option<String> {
    let steps = results.runs[0].cases.iter().flat_map(|case| &case.steps);
    steps.flat_map(|step| &step.argv).find_map(|word| {
        let (_, tag) = word.split_once("/oci-conformance.")?;
        Some(tag.split('/').next()?.to_owned())
    })
}

//! A trial: one case, once, on one subject, under a supervisor.
//!
//! A case edits the current container's configuration, drives the subject through the operations,
//! and says what it expected of which clause. Everything that depends on the subject's answers is
//! an observation; only what the harness itself got wrong is an error of the harness.

mod files;
mod findings;
mod leaks;
mod operations;
mod terminal;
mod together;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oci_probe::World;
use oci_runtime_schemas::{Catalogue, SpecVersion};
use serde_json::json;

use crate::bundle::{self, Base, Bundle};
use crate::case::Case;
use crate::job::{Halt, Job, Outcome};
use crate::processes;
use crate::results::{Finding, Step};

pub use findings::{Refusal, When};
pub(crate) use leaks::{remove_cgroup, remove_strays, thaw_cgroups};
pub(crate) use operations::lines_of;
pub use operations::{Exit, State, Surroundings, quote};
pub use terminal::Terminal;

/// How long things may take to go after an operation has returned: a process that is dying, a
/// cgroup that is being released.
const GRACE: Duration = Duration::from_secs(5);

/// How many times as long as one operation the whole trial may take, and what of that is for ending
/// what is left of its containers.
const ALL_OPERATIONS: f64 = 60.0;
/// See [`ALL_OPERATIONS`].
const LAST_OPERATIONS: f64 = 3.0;

/// The clause that delete breaks by refusing a stopped container, whatever the container was for.
const DELETE: &str = "runtime.delete.resources";

/// How long a polling loop rests; nothing depends on it.
const PAUSE: Duration = Duration::from_millis(5);

/// Why a case stops before its end.
#[derive(Debug)]
pub enum Stop {
    /// The subject refused an operation that the case's first clause needs to succeed.
    Refused {
        /// `create`, `start` or `delete`.
        operation: &'static str,
        /// How it ended.
        exit: Box<Exit>,
    },
    /// The subject refused the control of a refusal: all but the offending value was as it is.
    ControlRefused {
        /// The clause that the control's success belongs to.
        clause: &'static str,
        /// `create`, `start` or `delete`.
        operation: &'static str,
        /// How it ended.
        exit: Box<Exit>,
    },
    /// The container was started but its program told nothing.
    NoReport(String),
    /// The subject did not end an operation in time.
    Timeout(String),
    /// The subject has taken away what the trial stands on, such as its directory.
    Undermined(String),
    /// Found on the way: the host or the subject lacks what the case needs.
    Inapplicable(String),
    /// The harness failed.
    Broken(String),
}

/// A container of a trial and how far it came.
#[derive(Debug)]
pub(crate) struct Tracked {
    bundle: Bundle,
    /// Create was called, whatever came of it.
    tried: bool,
    created: bool,
    deleted: bool,
    /// Ended in whatever way worked: what is left of it is no finding against delete.
    given_up: bool,
    pid: Option<i32>,
    /// Where its standard output goes: the probe's report.
    output: Option<PathBuf>,
}

/// See the module. Dereferences to the current container's [`Bundle`].
pub struct Trial<'a> {
    job: &'a Job,
    case: &'static Case,
    judged: SpecVersion,
    profile: crate::subject::Profile,
    current: usize,
    containers: Vec<Tracked>,
    findings: Vec<Finding>,
    steps: Vec<Step>,
    script: Vec<String>,
    baseline: leaks::Baseline,
    /// Clauses that the harness judges beside the case's own: those of a control.
    implicit: Vec<&'static str>,
    /// The step of a refusal whose control comes after it.
    refused_at: Option<usize>,
    /// The operation that the subject refused and that the case needed.
    refused: Option<&'static str>,
    quiet: bool,
    /// No operation goes on beyond this.
    end_by: Instant,
}

impl Deref for Trial<'_> {
    type Target = Bundle;
    fn deref(&self) -> &Bundle {
        &self.containers[self.current].bundle
    }
}

impl DerefMut for Trial<'_> {
    fn deref_mut(&mut self) -> &mut Bundle {
        &mut self.containers[self.current].bundle
    }
}

/// The time that a number of operations may take.
fn operations(job: &Job, count: f64) -> Duration {
    Duration::from_secs_f64(job.operation_seconds * count)
}

/// How long things may take to go: longer than [`GRACE`] where operations may take long, on a host
/// that is crowded or with a subject that is slow.
fn grace(job: &Job) -> Duration {
    GRACE.max(operations(job, 0.5))
}

/// Time after which a trial is the harness's fault: one in which the subject takes all the time that
/// it is given ends before.
pub(crate) fn limit(job: &Job) -> Duration {
    let graces = grace(job) * 10;
    operations(job, ALL_OPERATIONS + 4.0 * LAST_OPERATIONS) + graces
}

/// Runs a case to its outcome and leaves nothing behind.
pub(crate) fn run(case: &'static Case, job: &Job) -> Outcome {
    let mut trial = match Trial::new(case, job) {
        Ok(trial) => trial,
        Err(why) => {
            return Outcome {
                halt: Some(Halt::Broken(why)),
                ..Outcome::default()
            };
        }
    };
    let halt = match (case.run)(&mut trial) {
        Ok(()) => None,
        Err(stop) => trial.settle(stop),
    };
    let halt = trial.end(halt);
    let surveyed = case.id == crate::cases::GATE;
    Outcome {
        halt,
        profile: surveyed.then(|| trial.profile.clone()),
        findings: trial.findings,
        steps: trial.steps,
        script: trial.script,
        refused: trial.refused.map(str::to_owned),
        fenced: false,
        seconds: 0.0,
    }
}

impl<'a> Trial<'a> {
    fn new(case: &'static Case, job: &'a Job) -> Result<Self, String> {
        let judged = job
            .judged
            .parse::<SpecVersion>()
            .map_err(|_| format!("{:?} is no version of the specification", job.judged))?;
        for name in ["steps", "state"] {
            let path = job.directory.join(name);
            std::fs::create_dir_all(&path)
                .map_err(|error| format!("mkdir {}: {error}", path.display()))?;
        }
        let mut trial = Trial {
            job,
            case,
            judged,
            profile: job.profile.clone(),
            current: 0,
            containers: Vec::new(),
            findings: Vec::new(),
            steps: Vec::new(),
            script: Vec::new(),
            baseline: leaks::Baseline::default(),
            implicit: Vec::new(),
            refused_at: None,
            refused: None,
            quiet: false,
            end_by: Instant::now() + operations(job, ALL_OPERATIONS),
        };
        trial.another().map_err(|stop| format!("{stop:?}"))?;
        trial.rebase();
        Ok(trial)
    }

    /// Begins another container with a bundle of its own and the plain configuration; it becomes
    /// the current one. Returns its number, for [`Trial::switch_to`]; the first is 0.
    ///
    /// # Errors
    /// [`Stop::Broken`] if the bundle cannot be made.
    pub fn another(&mut self) -> Result<usize, Stop> {
        let number = self.containers.len();
        let id = format!("{}-{}", self.job.id_prefix, number + 1);
        let directory = self.job.directory.join((number + 1).to_string());
        bundle::make(&directory, &self.job.probe).map_err(|error| {
            match self.job.probe.is_file() && !self.containers.is_empty() {
                true => files::blame("make the bundle", &directory, &error),
                false => Stop::Broken(format!("bundle {}: {error}", directory.display())),
            }
        })?;
        let root = self.job.host.root();
        let base = Base {
            version: &self.judged.to_string(),
            rootless: (!root).then_some(self.job.host.ids),
            cgroups_path: (self.job.host.makes_cgroups())
                .then(|| format!("/{}/{id}", self.job.cgroup)),
        };
        let bundle = Bundle {
            id,
            directory,
            config: bundle::plain_config(&base),
        };
        self.containers.push(Tracked {
            bundle,
            tried: false,
            created: false,
            deleted: false,
            given_up: false,
            pid: None,
            output: None,
        });
        self.current = number;
        Ok(number)
    }

    /// Makes a container the current one.
    ///
    /// # Panics
    /// If there is none of that number: a mistake of the case.
    pub fn switch_to(&mut self, number: usize) {
        assert!(number < self.containers.len(), "no container {number}");
        self.current = number;
    }

    /// The version of the specification by which the subject is judged.
    pub fn judged(&self) -> SpecVersion {
        self.judged
    }

    /// Whether a clause binds at the judged version.
    pub fn binds(&self, clause: &str) -> bool {
        Catalogue::get()
            .by_id(clause)
            .filter(|clause| {
                clause.until != Some(self.judged) || !self.profile.is_past(&self.judged)
            })
            .is_some_and(|clause| clause.binds(&self.judged))
    }

    /// The trial's own directory.
    pub fn directory(&self) -> &Path {
        &self.job.directory
    }

    /// What an exploration has drawn for this trial.
    pub(crate) fn task(&self) -> Option<&crate::explore::Task> {
        self.job.task.as_ref()
    }

    /// Facts about the host.
    pub fn host(&self) -> &crate::host::Host {
        &self.job.host
    }

    /// What is known of the subject, its features document for one.
    pub fn profile(&self) -> &crate::subject::Profile {
        &self.profile
    }

    /// The subject.
    pub(crate) fn subject(&self) -> &crate::subject::Subject {
        &self.job.subject
    }

    /// Adds to what is known of the subject: for the survey.
    pub(crate) fn learn(&mut self, lesson: impl FnOnce(&mut crate::subject::Profile)) {
        lesson(&mut self.profile);
    }

    /// Judges from now on by what the subject was found to claim, unless a version was asked for.
    pub(crate) fn judge_by_claim(&mut self) {
        let asked = self
            .job
            .asked
            .as_deref()
            .and_then(|asked| asked.parse().ok());
        self.judged = self.profile.judged(asked.as_ref());
        let version = self.judged.to_string();
        self.set("/ociVersion", version);
    }

    /// The shortest `timeout` within which a hook comes to begin: whole seconds, and on a slow host
    /// twice what a whole container takes.
    pub fn hook_timeout(&self) -> u64 {
        (self.profile.plain_seconds * 2.0).ceil().max(1.0) as u64
    }

    /// A fresh deadline for one operation.
    pub(crate) fn deadline(&self) -> Instant {
        self.end_by.min(Instant::now() + operations(self.job, 1.0))
    }

    /// Creates and starts the current container, waits until its process has ended, reads the
    /// probe's report and deletes the container.
    ///
    /// # Errors
    /// [`Stop`] as soon as a step does not do what it must.
    pub fn observe(&mut self) -> Result<World, Stop> {
        self.run_to_end()?;
        self.world()
    }

    /// The world that the current container's program has told of so far.
    ///
    /// # Errors
    /// [`Stop::NoReport`] if it has not.
    pub fn world(&self) -> Result<World, Stop> {
        self.report()?
            .iter()
            .find(|line| line.verb == "observe")
            .and_then(|line| serde_json::from_value(line.value.clone()).ok())
            .ok_or_else(|| Stop::NoReport(self.why_no_report()))
    }

    /// As [`Trial::observe`], and returns every line of the report.
    ///
    /// # Errors
    /// [`Stop`] as soon as a step does not do what it must.
    pub fn run_to_end(&mut self) -> Result<Vec<oci_probe::Line>, Stop> {
        self.must_create()?;
        self.must_start()?;
        self.wait_exit()?;
        let lines = self.report()?;
        self.must_delete()?;
        if lines.is_empty() {
            return Err(Stop::NoReport(self.why_no_report()));
        }
        Ok(lines)
    }

    /// Creates and starts the current container and waits until the probe says it is `ready`
    /// (verbs `await-signal` and `pause`).
    ///
    /// # Errors
    /// [`Stop`] as soon as a step does not do what it must.
    pub fn run_until_ready(&mut self) -> Result<(), Stop> {
        self.must_create()?;
        self.must_start()?;
        self.wait_ready()
    }

    /// Kills the current container, waits until it has stopped and deletes it.
    ///
    /// # Errors
    /// [`Stop`] as soon as a step does not do what it must.
    pub fn finish(&mut self) -> Result<(), Stop> {
        if self.containers[self.current].created && !self.containers[self.current].deleted {
            if !self.kill("KILL")?.succeeded() {
                // How kill does is judged where the case is about it; here it is only in the way.
                return self.give_up();
            }
            self.wait_exit()?;
            self.must_delete()?;
        }
        Ok(())
    }

    fn why_no_report(&self) -> String {
        let step = self
            .steps
            .iter()
            .rev()
            .find(|step| step.argv.iter().any(|word| word == "create"));
        let tail = step.map_or("", |step| step.stderr.trim_end());
        let tail: String = tail.lines().rev().take(3).collect::<Vec<_>>().join(" | ");
        format!("the program told nothing on its standard output; standard error: {tail:?}")
    }

    /// Turns an early stop into findings, or into the halt that the runner is told of.
    fn settle(&mut self, stop: Stop) -> Option<Halt> {
        match stop {
            Stop::Timeout(operation) => return Some(Halt::Timeout(operation)),
            Stop::Inapplicable(need) => return Some(Halt::Inapplicable(need)),
            Stop::Broken(why) => return Some(Halt::Broken(why)),
            Stop::NoReport(why) => {
                let clause = self.case.judges[0];
                self.record(
                    clause,
                    false,
                    json!("a report"),
                    json!(why),
                    "what the program tells",
                );
            }
            Stop::Undermined(what) => {
                let clause = self.case.judges[0];
                self.record(
                    clause,
                    false,
                    json!("the files of the trial and of the bundle are as the harness made them"),
                    json!(what),
                    "an operation has taken away, or replaced, what is not the runtime's",
                );
            }
            Stop::ControlRefused {
                clause,
                operation,
                exit,
            } => {
                let clause = if operation == "delete" {
                    DELETE
                } else {
                    clause
                };
                self.implicit.push(clause);
                self.record(
                    clause,
                    false,
                    json!(format!("{operation} succeeds")),
                    exit.describe(),
                    "the control, which has a valid value in the place of the offending one",
                );
            }
            Stop::Refused { operation, exit } => return self.settle_refusal(operation, &exit),
        }
        None
    }

    /// A refusal counts against the case's first clause if the plain container is accepted, and is
    /// `unsupported` if the clause is about a value that a runtime may leave out.
    fn settle_refusal(&mut self, operation: &'static str, exit: &Exit) -> Option<Halt> {
        let clause = self.case.judges[0];
        self.refused = Some(operation);
        self.refused_at = self.steps.len().checked_sub(1);
        self.release();
        let left = self.left_behind_in_time();
        if let Err(stop) = self.plain_control() {
            return match stop {
                Stop::ControlRefused { .. } | Stop::NoReport(_) | Stop::Refused { .. } => self
                    .settle(match stop {
                        Stop::Refused { operation, exit } => Stop::ControlRefused {
                            clause: "runtime.create.new",
                            operation,
                            exit,
                        },
                        other => other,
                    }),
                other => self.settle(other),
            };
        }
        let optional = Catalogue::get()
            .by_id(clause)
            .is_some_and(|clause| clause.optional_value);
        // A crash is no refusal, whatever it left undone.
        if optional && operation != "delete" && exit.signal.is_none() {
            self.push_unsupported(clause, operation, exit);
            self.judge_remains(left);
        } else {
            let message = match operation {
                "delete" => "delete of the stopped container",
                _ => "a container that asks for this; the plain container is accepted",
            };
            let clause = if operation == "delete" {
                DELETE
            } else {
                clause
            };
            self.implicit.push(clause);
            let expected = json!(format!("{operation} succeeds"));
            self.record(clause, false, expected, exit.describe(), message);
            self.judge_remains(left);
        }
        None
    }

    /// The plain container must do: else it is not what the case asks for that is refused.
    fn plain_control(&mut self) -> Result<(), Stop> {
        self.another()?;
        self.run_to_end().map(|_| ())
    }

    /// Ends what is left of the trial's containers, and judges leaks if the case deleted them all.
    fn end(&mut self, halt: Option<Halt>) -> Option<Halt> {
        let all_deleted = self.containers.iter().all(|c| c.deleted || !c.created);
        let some_deleted = self.containers.iter().any(|c| c.deleted);
        if halt.is_none() && all_deleted && some_deleted {
            self.judge_leaks();
        }
        self.release();
        let me = std::process::id() as i32;
        let deadline = Instant::now() + 2 * grace(self.job);
        // The end of a pid namespace's first process is everybody's, if it takes its time.
        if processes::kill_descendants(me, deadline) || me == processes::INIT {
            self.remove_cgroups();
            halt
        } else {
            Some(Halt::Broken(
                "processes of the trial could not be ended".into(),
            ))
        }
    }

    /// Kills and deletes what the case has not, unjudged and unrecorded.
    fn release(&mut self) {
        let current = self.current;
        self.quiet = true;
        // A subject that hangs is not waited for once more for each container.
        let end_by = Instant::now() + operations(self.job, LAST_OPERATIONS);
        let end_by = std::mem::replace(&mut self.end_by, end_by);
        for number in 0..self.containers.len() {
            let container = &self.containers[number];
            if container.deleted || container.given_up {
                continue;
            }
            self.current = number;
            if !container.created {
                // Where it keeps its state is out of the trial's reach, and it may have kept some.
                if container.tried && !self.profile.takes_root {
                    let id = container.bundle.id.clone();
                    let _ = self.operation(&["delete", "--force", &id]);
                }
                continue;
            }
            if matches!(self.kill("KILL"), Ok(exit) if exit.succeeded()) {
                let _ = self.wait_exit();
            }
            if !matches!(self.delete(), Ok(exit) if exit.succeeded()) {
                let id = self.containers[number].bundle.id.clone();
                let _ = self.operation(&["delete", "--force", &id]);
            }
        }
        self.end_by = end_by;
        self.quiet = false;
        self.current = current;
    }

    /// Adds a line to the script that repeats the case by hand, for what the case itself does
    /// between the subject's operations.
    pub fn by_hand(&mut self, line: impl Into<String>) {
        if !self.quiet {
            self.script.push(line.into());
        }
    }

    /// Writes a file that the case needs beside or in the bundle; `repro` keeps it there.
    ///
    /// # Errors
    /// [`Stop::Broken`] if the file system refuses.
    pub fn write_file(&mut self, path: &Path, text: &str) -> Result<(), Stop> {
        files::write_regular(path, text).map_err(|error| files::blame("write", path, &error))
    }

    /// The records of the hooks that ran, in order; none if no hook ran.
    ///
    /// # Errors
    /// [`Stop::Broken`] if the record cannot be read for a reason of ours.
    pub fn hook_records(&self) -> Result<Vec<oci_probe::HookRecord>, Stop> {
        let path = self.out().join("hooks");
        match files::read_regular(&path, 8 * 1024 * 1024) {
            Ok((text, _)) => Ok(text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(files::blame("read", &path, &error)),
        }
    }
}

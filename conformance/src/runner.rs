//! Runs cases on subjects, several at once, and turns outcomes into results.

mod interrupt;
mod progress;
mod supervised;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use oci_runtime_schemas::SpecVersion;

use crate::case::{Case, Need, Suite};
use crate::cases::{self, GATE};
use crate::explore::{self, Task};
use crate::host::{Host, View};
use crate::job::{Halt, Job, Outcome};
use crate::results::{
    CaseResult, Finding, FindingVerdict, Run, RuntimeFacts, Shard, Summary, Verdict,
};
use crate::subject::{Profile, Subject};
use crate::workdir::RunDirectory;

pub use interrupt::Interrupts;
pub use progress::Progress;

/// An operation may take this many times what create, start and delete of the plain container take
/// together when they have the host to themselves, as many times more as there are trials for each
/// processor, and never less than [`LEAST_SECONDS`].
const PATIENCE: f64 = 20.0;
/// See [`PATIENCE`].
const LEAST_SECONDS: f64 = 10.0;

/// What to run and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Suites whose cases are run.
    pub suites: Vec<Suite>,
    /// Case ids, id prefixes ending in `/`, or clause ids; empty for all.
    pub filters: Vec<String>,
    /// `--spec-version`, unless it is `claimed`.
    pub asked: Option<SpecVersion>,
    /// Trials at once.
    pub jobs: usize,
    /// Seconds that one operation may take, if given.
    pub timeout: Option<f64>,
    /// Which part of the cases.
    pub shard: Option<Shard>,
    /// Seed of the order of cases.
    pub seed: u64,
    /// How often each case is run.
    pub repeat: u32,
    /// `--host-view`.
    pub view: View,
    /// `--work-dir`.
    pub work_dir: PathBuf,
    /// `--reference`, if given; else the embedded one.
    pub reference: Option<PathBuf>,
    /// Whether failing cases are run against the reference.
    pub calibrate: bool,
    /// `--keep`: where bundles of cases that are not as they should be are left.
    pub keep: Option<PathBuf>,
}

/// A run's surroundings: the host, the run's directory and what it holds.
#[derive(Debug)]
pub struct Bench {
    /// The host's facts.
    pub host: Host,
    directory: RunDirectory,
    probe: PathBuf,
    reference: Subject,
    /// What the survey of the reference learnt, and the gate's result for it.
    reference_survey: OnceLock<(Option<Profile>, CaseResult)>,
    trials: AtomicUsize,
}

impl Bench {
    /// Makes the run's directory with the probe and the reference runtime.
    ///
    /// # Errors
    /// One sentence for a person.
    pub fn set_up(view: View, work_dir: &Path, reference: Option<&Path>) -> Result<Bench, String> {
        let host = Host::look(view);
        let directory = RunDirectory::make(work_dir, &host)?;
        let write = |name: &str, content: &[u8]| {
            directory.executable(name, content).map_err(|error| {
                format!("write {name} into {}: {error}", directory.path().display())
            })
        };
        let probe = write("probe", oci_embedded::PROBE)?;
        let reference = match reference {
            Some(path) => Subject::parse(&crate::trial::quote(&path.display().to_string()))?,
            None => Subject::parse(&crate::trial::quote(
                &write("refrun", oci_embedded::REFRUN)?.display().to_string(),
            ))?,
        };
        let reference = Subject {
            is_reference: true,
            ..reference
        };
        Ok(Bench {
            host,
            directory,
            probe,
            reference,
            reference_survey: OnceLock::new(),
            trials: AtomicUsize::new(0),
        })
    }

    /// The run's directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a program into the run's directory.
    ///
    /// # Errors
    /// One sentence for a person.
    pub fn place(&self, name: &str, content: &[u8]) -> Result<PathBuf, String> {
        let directory = &self.directory;
        directory
            .executable(name, content)
            .map_err(|error| format!("write {name} into {}: {error}", directory.path().display()))
    }

    /// The reference runtime as a subject.
    pub fn reference(&self) -> &Subject {
        &self.reference
    }

    /// The run's cgroup, relative to each hierarchy.
    pub fn cgroup(&self) -> String {
        self.directory.cgroup()
    }

    /// A job for one case on one subject, in a new directory.
    fn job(&self, case: &Case, subject: &Subject, known: &Known) -> Result<Job, String> {
        let number = self.trials.fetch_add(1, Ordering::Relaxed);
        let directory = self.directory.path().join(number.to_string());
        self.job_in(case, subject, known, directory, number)
    }

    fn job_in(
        &self,
        case: &Case,
        subject: &Subject,
        known: &Known,
        directory: PathBuf,
        number: usize,
    ) -> Result<Job, String> {
        std::fs::create_dir_all(&directory)
            .map_err(|error| format!("mkdir {}: {error}", directory.display()))?;
        Ok(Job {
            case: case.id.to_owned(),
            subject: subject.clone(),
            profile: known.profile.clone(),
            host: self.host.clone(),
            judged: known.judged.to_string(),
            asked: known.asked.map(|version| version.to_string()),
            probe: self.probe.clone(),
            cgroup: format!("{}/{number}", self.directory.cgroup()),
            operation_seconds: known.operation_seconds(),
            id_prefix: format!("{}{number}", self.directory.ids()),
            directory,
            task: None,
        })
    }
}

/// What is known of a subject when its cases are run.
#[derive(Clone, Debug)]
struct Known {
    profile: Profile,
    judged: SpecVersion,
    asked: Option<SpecVersion>,
    timeout: Option<f64>,
    /// Trials for each processor, 1 at least.
    crowd: f64,
}

impl Known {
    fn nothing(options: &Options) -> Known {
        let profile = Profile::default();
        let judged = profile.judged(options.asked.as_ref());
        Known {
            profile,
            judged,
            asked: options.asked,
            timeout: options.timeout,
            crowd: crowd(options.jobs),
        }
    }

    fn learnt(&self, profile: Profile) -> Known {
        let judged = profile.judged(self.asked.as_ref());
        Known {
            profile,
            judged,
            ..self.clone()
        }
    }

    fn operation_seconds(&self) -> f64 {
        self.timeout.unwrap_or_else(|| {
            (self.profile.plain_seconds * PATIENCE * self.crowd).max(LEAST_SECONDS)
        })
    }
}

/// How many of so many trials at once share a processor, 1 at least.
fn crowd(jobs: usize) -> f64 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (jobs as f64 / processors as f64).max(1.0)
}

/// The cases that suites, filters and shard select, ordered by id.
///
/// # Errors
/// A filter that matches nothing, in one sentence: a usage error.
pub fn select(options: &Options) -> Result<Vec<&'static Case>, String> {
    let matches = |case: &Case, filter: &str| {
        case.id == filter
            || (filter.ends_with('/') && case.id.starts_with(filter))
            || case.judges.contains(&filter)
    };
    for filter in &options.filters {
        if !cases::all().iter().any(|case| matches(case, filter)) {
            return Err(format!(
                "{filter:?} is no case id, no prefix of case ids ending in '/', and no clause that \
                 a case judges; `oci-conformance list` shows them all"
            ));
        }
    }
    let named = |case: &Case| options.filters.iter().any(|filter| filter == case.id);
    let selected = cases::all()
        .iter()
        .copied()
        .filter(|case| options.suites.contains(&case.suite()) || named(case))
        .filter(|case| {
            options.filters.is_empty() || options.filters.iter().any(|filter| matches(case, filter))
        })
        .enumerate()
        .filter(|(place, _)| {
            options
                .shard
                .is_none_or(|shard| *place as u32 % shard.of == shard.index - 1)
        })
        .map(|(_, case)| case)
        .collect();
    Ok(selected)
}

/// Judges one subject.
pub fn judge(
    bench: &Bench,
    subject: &Subject,
    selected: &[&'static Case],
    options: &Options,
    interrupts: &Interrupts,
    progress: &Progress,
) -> Run {
    let started = Instant::now();
    let sha256 = subject.digest();
    progress.begin(selected.len());
    let gate = cases::by_id(GATE).expect("the gate is a case");
    let nothing = Known::nothing(options);
    let survey = attempt(bench, gate, subject, &nothing, interrupts);
    let known = match &survey.profile {
        Some(profile) => nothing.learnt(profile.clone()),
        None => nothing,
    };
    if !survey.fenced && survey.halt.is_none() {
        progress.tell(
            "the host gives no namespaces for trials: subjects see its own, and mounts that they \
             leave are not counted apart",
        );
    }
    let gate_result = gate_result(gate, survey, &bench.host);
    let open = opens(&gate_result);
    let mut results = Vec::new();
    if !open || selected.iter().any(|case| case.id == GATE) {
        progress.done(&gate_result);
        results.push(gate_result);
    }
    let rest: Vec<&'static Case> = shuffled(
        selected
            .iter()
            .copied()
            .filter(|case| case.id != GATE)
            .collect(),
        options.seed,
    );
    if open {
        results.extend(run_all(
            bench, subject, &rest, &known, options, interrupts, progress,
        ));
    } else {
        let why = why_closed(&bench.host);
        results.extend(rest.iter().map(|case| inapplicable(case, &why)));
    }
    if options.calibrate && !subject.is_reference {
        calibrate(bench, &mut results, options, interrupts, progress);
    }
    results.sort_by(|a, b| a.id.cmp(&b.id));
    progress.end();
    Run {
        runtime: RuntimeFacts {
            // Of one that was replaced meanwhile it cannot be said which bytes were judged.
            sha256: sha256.filter(|before| subject.digest().as_ref() == Some(before)),
            ..known.profile.facts(subject)
        },
        spec_judged: known.judged.to_string(),
        seconds: started.elapsed().as_secs_f64(),
        summary: summary(&results),
        cases: results,
        waivers_not_exercised: Vec::new(),
    }
}

/// A surveyed subject whose cases can be run one at a time: for front-ends that bring a runner of
/// their own.
#[derive(Debug)]
pub struct Session {
    bench: Arc<Bench>,
    subject: Subject,
    known: Known,
    interrupts: Interrupts,
    open: bool,
}

impl Session {
    /// Surveys a subject; the result is the gate's.
    pub fn open(
        bench: Arc<Bench>,
        subject: &Subject,
        options: &Options,
        interrupts: &Interrupts,
    ) -> (Session, CaseResult) {
        let gate = cases::by_id(GATE).expect("the gate is a case");
        let nothing = Known::nothing(options);
        let survey = attempt(&bench, gate, subject, &nothing, interrupts);
        let known = match &survey.profile {
            Some(profile) => nothing.learnt(profile.clone()),
            None => nothing,
        };
        let result = gate_result(gate, survey, &bench.host);
        let open = opens(&result);
        let (subject, interrupts) = (subject.clone(), interrupts.clone());
        (
            Session {
                bench,
                subject,
                known,
                interrupts,
                open,
            },
            result,
        )
    }

    /// Surveys a subject that is another one gone wrong in one way. Should it not pass the gate, its
    /// cases are run all the same, with what is known of the other: each check has to show the wrong
    /// by itself.
    pub fn gone_wrong(&self, subject: &Subject) -> (Session, CaseResult) {
        let gate = cases::by_id(GATE).expect("the gate is a case");
        let survey = attempt(&self.bench, gate, subject, &self.known, &self.interrupts);
        let result = result_of(gate, vec![survey.clone()]);
        let known = match (survey.profile, result.verdict) {
            (Some(profile), Verdict::Pass | Verdict::Warn) => self.known.learnt(Profile {
                // Deadlines are the other one's: how long this one takes may be what is wrong.
                plain_seconds: self.known.profile.plain_seconds,
                ..profile
            }),
            _ => self.known.clone(),
        };
        let session = Session {
            bench: Arc::clone(&self.bench),
            subject: subject.clone(),
            known,
            interrupts: self.interrupts.clone(),
            open: true,
        };
        (session, result)
    }

    /// Another subject, of which nothing is asked: it is taken to be as this one is.
    pub fn taken_for(&self, subject: &Subject) -> Session {
        Session {
            bench: Arc::clone(&self.bench),
            subject: subject.clone(),
            known: self.known.clone(),
            interrupts: self.interrupts.clone(),
            open: true,
        }
    }

    /// The same subject, judged by a version of the specification.
    pub fn judged_by(&self, version: SpecVersion) -> Session {
        let known = Known {
            asked: Some(version),
            judged: self.known.profile.judged(Some(&version)),
            ..self.known.clone()
        };
        Session {
            bench: Arc::clone(&self.bench),
            subject: self.subject.clone(),
            known,
            interrupts: self.interrupts.clone(),
            open: self.open,
        }
    }

    /// The version of the specification that it is judged by.
    pub fn judged(&self) -> SpecVersion {
        self.known.judged
    }

    /// The subject's name and version.
    pub fn facts(&self) -> crate::results::RuntimeFacts {
        self.known.profile.facts(&self.subject)
    }

    /// Whether the subject runs the plain container.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// What is known of the subject.
    pub(crate) fn profile(&self) -> &Profile {
        &self.known.profile
    }

    /// Runs what an exploration has drawn.
    pub(crate) fn explore(&self, task: &Task) -> Outcome {
        let case = explore::case_of(task);
        let job = self.bench.job(case, &self.subject, &self.known);
        let outcome = job.map(|job| {
            let job = Job {
                task: Some(task.clone()),
                ..job
            };
            let outcome = supervised::run(&job, &self.interrupts);
            crate::workdir::remove_tree(&job.directory);
            outcome
        });
        outcome.unwrap_or_else(|why| Outcome {
            halt: Some(Halt::Broken(why)),
            ..Outcome::default()
        })
    }

    /// Runs a case, if host and subject meet its needs.
    pub fn run(&self, case: &'static Case) -> CaseResult {
        if !self.open {
            return inapplicable(case, &why_closed(&self.bench.host));
        }
        match unmet(case, &self.bench.host, &self.known) {
            Some(need) => inapplicable(case, &need),
            None => {
                let outcome = attempt(
                    &self.bench,
                    case,
                    &self.subject,
                    &self.known,
                    &self.interrupts,
                );
                result_of(case, vec![outcome])
            }
        }
    }
}

/// The gate's result. Where the host keeps every runtime from making a container, that this one made
/// none says nothing about it.
fn gate_result(gate: &Case, survey: Outcome, host: &Host) -> CaseResult {
    let result = result_of(gate, vec![survey]);
    match &host.hindrance {
        Some(hindrance) if !opens(&result) => CaseResult {
            steps: result.steps,
            seconds: result.seconds,
            ..inapplicable(gate, hindrance)
        },
        _ => result,
    }
}

/// Whether a subject with this result of the gate is judged by the other cases.
fn opens(gate: &CaseResult) -> bool {
    matches!(gate.verdict, Verdict::Pass | Verdict::Warn)
}

/// What is lacking where the gate is closed.
fn why_closed(host: &Host) -> String {
    match &host.hindrance {
        Some(hindrance) => hindrance.clone(),
        None => format!("a subject that passes {GATE}"),
    }
}

/// Counts verdicts; `unexpected` is for whoever knows the expectations.
pub fn summary(results: &[CaseResult]) -> Summary {
    let count = |verdict: Verdict| results.iter().filter(|r| r.verdict == verdict).count() as u32;
    Summary {
        pass: count(Verdict::Pass),
        fail: count(Verdict::Fail),
        warn: count(Verdict::Warn),
        unsupported: count(Verdict::Unsupported),
        inapplicable: count(Verdict::Inapplicable),
        broken: count(Verdict::Broken),
        timeout: count(Verdict::Timeout),
        unexpected: results.iter().filter(|result| !result.as_expected).count() as u32,
    }
}

fn run_all(
    bench: &Bench,
    subject: &Subject,
    selected: &[&'static Case],
    known: &Known,
    options: &Options,
    interrupts: &Interrupts,
    progress: &Progress,
) -> Vec<CaseResult> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(selected.len()));
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, selected.len().max(1)) {
            scope.spawn(|| {
                while let Some(case) = selected.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if interrupts.came() {
                        break;
                    }
                    let result = match unmet(case, &bench.host, known) {
                        Some(need) => inapplicable(case, &need),
                        None => {
                            let outcomes = (0..options.repeat.max(1))
                                .take_while(|_| !interrupts.came())
                                .map(|_| attempt(bench, case, subject, known, interrupts));
                            result_of(case, outcomes)
                        }
                    };
                    if interrupts.came() {
                        break;
                    }
                    progress.done(&result);
                    results.lock().expect("no worker panics").push(result);
                }
            });
        }
    });
    results.into_inner().expect("no worker panics")
}

/// The first thing that a case needs and that host or subject lack, in words.
fn unmet(case: &Case, host: &Host, known: &Known) -> Option<String> {
    let is_past = known.profile.is_past(&known.judged);
    let binds = |until| until > known.judged || until == known.judged && !is_past;
    if !case.clauses().any(|clause| clause.until.is_none_or(binds)) {
        let what_followed = if is_past {
            ", and what followed it,"
        } else {
            ""
        };
        return Some(format!(
            "a clause that version {}{what_followed} has",
            known.judged
        ));
    }
    let meets = |need: Need| match need {
        Need::SharedKernel => known.profile.shared_kernel,
        Need::StateRoot => known.profile.takes_root,
        Need::Features => known.profile.features.is_some(),
        Need::Command(name) => known.profile.commands.iter().any(|known| known == name),
        need => host.meets(need),
    };
    case.needs
        .iter()
        .find(|need| !meets(**need))
        .map(|need| need.words())
}

/// Runs a case once and removes the trial's directory.
fn attempt(
    bench: &Bench,
    case: &Case,
    subject: &Subject,
    known: &Known,
    interrupts: &Interrupts,
) -> Outcome {
    let job = match bench.job(case, subject, known) {
        Ok(job) => job,
        Err(why) => {
            return Outcome {
                halt: Some(Halt::Broken(why)),
                ..Outcome::default()
            };
        }
    };
    let outcome = supervised::run(&job, interrupts);
    crate::workdir::remove_tree(&job.directory);
    outcome
}

/// Runs a case once in a directory that stays: for `repro`.
///
/// # Errors
/// One sentence for a person.
pub fn reproduce(
    bench: &Bench,
    case: &'static Case,
    task: Option<&Task>,
    subject: &Subject,
    directory: &Path,
    options: &Options,
    interrupts: &Interrupts,
) -> Result<(CaseResult, Outcome, Profile), String> {
    let nothing = Known::nothing(options);
    let gate = cases::by_id(GATE).expect("the gate is a case");
    let survey = attempt(bench, gate, subject, &nothing, interrupts);
    let profile = survey.profile.clone().unwrap_or_default();
    let known = nothing.learnt(profile.clone());
    let job = Job {
        task: task.cloned(),
        ..bench.job_in(case, subject, &known, directory.to_owned(), 0)?
    };
    let outcome = supervised::run(&job, interrupts);
    Ok((result_of(case, vec![outcome.clone()]), outcome, profile))
}

/// Runs the cases that failed against the reference on the same host. Where both miss the same
/// clause, it is an undeclared need or a wrong case, and never a red mark on the subject.
fn calibrate(
    bench: &Bench,
    results: &mut [CaseResult],
    options: &Options,
    interrupts: &Interrupts,
    progress: &Progress,
) {
    let failed = |result: &CaseResult| matches!(result.verdict, Verdict::Fail | Verdict::Warn);
    if !results.iter().any(failed) || interrupts.came() {
        return;
    }
    progress.calibrating(results.iter().filter(|result| failed(result)).count());
    let own = Options {
        asked: None,
        ..options.clone()
    };
    let nothing = Known::nothing(&own);
    let (profile, gate) = bench.reference_survey.get_or_init(|| {
        let gate = cases::by_id(GATE).expect("the gate is a case");
        let outcome = attempt(bench, gate, &bench.reference, &nothing, interrupts);
        (outcome.profile.clone(), result_of(gate, vec![outcome]))
    });
    if gate.verdict != Verdict::Pass {
        // A reference that runs no container here says nothing about further cases.
        results
            .iter_mut()
            .filter(|result| result.id == GATE && failed(result))
            .for_each(|result| compare_with_reference(result, gate));
        return;
    }
    let Some(profile) = profile else { return };
    let known = nothing.learnt(profile.clone());
    let results = Mutex::new(results.iter_mut().filter(|result| failed(result)));
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let next = results.lock().expect("no worker panics").next();
                    let Some(result) = next else { break };
                    if interrupts.came() {
                        break;
                    }
                    let Some(case) = cases::by_id(&result.id) else {
                        continue;
                    };
                    // The reference is judged by its own version, which may have dropped a clause.
                    if unmet(case, &bench.host, &known).is_some() {
                        result.reference = Some(Verdict::Inapplicable);
                        continue;
                    }
                    let outcome = attempt(bench, case, &bench.reference, &known, interrupts);
                    compare_with_reference(result, &result_of(case, vec![outcome]));
                }
            });
        }
    });
}

fn compare_with_reference(result: &mut CaseResult, reference: &CaseResult) {
    result.reference = Some(reference.verdict);
    let missed_too: Vec<String> = broken_clauses(&result.findings)
        .into_iter()
        .filter(|clause| broken_clauses(&reference.findings).contains(clause))
        .collect();
    if !missed_too.is_empty() {
        result.verdict = Verdict::Broken;
        result.need = Some(format!(
            "the reference runtime misses {} on this host too: the host lacks what the case needs, \
             or the case is wrong",
            missed_too.join(", ")
        ));
    }
}

/// Ids of the clauses that findings say are broken, without repeats, in order.
pub fn broken_clauses(findings: &[Finding]) -> Vec<String> {
    let mut broken: Vec<String> = Vec::new();
    for finding in findings {
        let bad = matches!(finding.verdict, FindingVerdict::Fail | FindingVerdict::Warn);
        if bad && !broken.contains(&finding.clause) {
            broken.push(finding.clause.clone());
        }
    }
    broken
}

fn inapplicable(case: &Case, need: &str) -> CaseResult {
    let halt = Some(Halt::Inapplicable(need.to_owned()));
    result_of(
        case,
        vec![Outcome {
            halt,
            ..Outcome::default()
        }],
    )
}

/// The result of a case's attempts: the worst one's findings, and `broken` if they differ.
fn result_of(case: &Case, outcomes: impl IntoIterator<Item = Outcome>) -> CaseResult {
    let mut attempts: Vec<Verdict> = Vec::new();
    // The attempt that went worst is the one to look at, and the only one that is kept.
    let worst = outcomes
        .into_iter()
        .inspect(|outcome| attempts.push(verdict_of(outcome).0))
        .max_by_key(|outcome| verdict_of(outcome).0)
        .unwrap_or_default();
    let (mut verdict, mut need) = verdict_of(&worst);
    if attempts.iter().any(|attempt| *attempt != verdict) {
        verdict = Verdict::Broken;
        let words: Vec<&str> = attempts.iter().map(|attempt| attempt.word()).collect();
        need = Some(format!("flaky: {}", words.join(", ")));
    }
    let mut clauses: Vec<String> = Vec::new();
    for finding in &worst.findings {
        if !clauses.contains(&finding.clause) {
            clauses.push(finding.clause.clone());
        }
    }
    CaseResult {
        id: case.id.to_owned(),
        suite: case.suite().word().to_owned(),
        clauses,
        verdict,
        as_expected: matches!(
            verdict,
            Verdict::Pass | Verdict::Unsupported | Verdict::Inapplicable
        ),
        unexpected_because: None,
        reference: None,
        need,
        waiver: None,
        attempts,
        findings: worst.findings,
        steps: worst.steps,
        seconds: worst.seconds,
    }
}

/// A case's verdict: what halted it, else the worst of its findings.
fn verdict_of(outcome: &Outcome) -> (Verdict, Option<String>) {
    let worst = outcome
        .findings
        .iter()
        .map(|finding| match finding.verdict {
            FindingVerdict::Pass | FindingVerdict::Info => Verdict::Pass,
            FindingVerdict::Unsupported => Verdict::Unsupported,
            FindingVerdict::Warn => Verdict::Warn,
            FindingVerdict::Fail => Verdict::Fail,
        })
        .max();
    let unsupported = || {
        outcome
            .findings
            .iter()
            .find(|f| f.verdict == FindingVerdict::Unsupported)
    };
    match (&outcome.halt, worst) {
        (Some(Halt::Broken(why)), _) => (Verdict::Broken, Some(why.clone())),
        (Some(Halt::Timeout(what)), _) => {
            (Verdict::Timeout, Some(format!("no end in time: {what}")))
        }
        // A need that shows on the way takes back nothing that was found before it.
        (Some(Halt::Inapplicable(_)), Some(found @ (Verdict::Fail | Verdict::Warn))) => {
            (found, None)
        }
        (Some(Halt::Inapplicable(need)), _) => (Verdict::Inapplicable, Some(need.clone())),
        (None, Some(Verdict::Unsupported)) => (
            Verdict::Unsupported,
            unsupported().map(|finding| finding.message.clone()),
        ),
        (None, Some(verdict)) => (verdict, None),
        (None, None) => (Verdict::Broken, Some("the case judged nothing".into())),
    }
}

/// The cases in an order that a seed decides, so that no case comes to depend on another: a
/// xorshift generator is enough for that.
pub(crate) fn shuffled<T>(mut cases: Vec<T>, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for place in (1..cases.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        cases.swap(place, (state % (place as u64 + 1)) as usize);
    }
    cases
}

/// Labels of several subjects made unlike each other, for reports that put them side by side.
pub fn distinct_labels(runs: &mut [Run]) {
    let mut seen: HashMap<String, u32> = HashMap::new();
    for run in runs {
        let count = seen.entry(run.runtime.label.clone()).or_default();
        *count += 1;
        if *count > 1 {
            run.runtime.label = format!("{}#{count}", run.runtime.label);
        }
    }
}

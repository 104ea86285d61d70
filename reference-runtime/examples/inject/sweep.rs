//! All trials of a runtime, several at a time, and the table of what came of them.

use crate::Options;
use crate::bundle::Variant;
use crate::fault::{self, Fault};
use crate::interrupt::Trials;
use crate::tracer::{Report, Trace};
use crate::trial::{self, Ending, Fail, Operation, Outcome, Trial};
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Runs what the options ask for, and prints the table.
pub(crate) fn sweep(options: &Options) -> ExitCode {
    match try_sweep(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("inject: {error}");
            ExitCode::from(2)
        }
    }
}

/// The process of a trial: its directory and the trial; prints the outcome.
pub(crate) fn answer_trial(arguments: &[String]) -> io::Result<()> {
    let [dir, trial] = arguments else {
        return Err(io::Error::other(
            "a trial has a directory and a description",
        ));
    };
    let outcome = trial::run(&serde_json::from_str(trial)?, dir.as_ref())?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

fn try_sweep(options: &Options) -> io::Result<bool> {
    let place = std::env::temp_dir().join(format!("inject-{}", std::process::id()));
    let mut sweep = Sweep {
        options,
        runtime: find(&options.runtime)?,
        trials: Trials::take_over(&place)?,
        place,
        next: AtomicUsize::new(0),
        startup: BTreeMap::new(),
    };
    fs::create_dir(&sweep.place)?;
    sweep.startup = sweep.count_startup()?;
    let result = match &options.at {
        Some(fault) => sweep.one(fault),
        None => sweep.all(),
    };
    fs::remove_dir_all(&sweep.place)?;
    result
}

/// A name without a slash is looked for in PATH, as a shell does.
fn find(runtime: &PathBuf) -> io::Result<PathBuf> {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&directories)
        .map(|directory| directory.join(runtime))
        .find(|path| path.is_file());
    let bare = runtime.components().count() == 1;
    let missing = || io::Error::other(format!("{} is in no directory of PATH", runtime.display()));
    if bare && !runtime.is_file() {
        return found.ok_or_else(missing);
    }
    runtime
        .canonicalize()
        .map_err(|error| io::Error::other(format!("{}: {error}", runtime.display())))
}

struct Sweep<'a> {
    options: &'a Options,
    runtime: PathBuf,
    trials: &'static Trials,
    place: PathBuf,
    /// The number of the next trial's directory.
    next: AtomicUsize,
    /// What the runtime calls when it only tells its version.
    startup: BTreeMap<String, u32>,
}

/// A line of the table.
#[derive(Debug, Default)]
struct Row {
    tried: usize,
    error: usize,
    tolerated: usize,
    killed: usize,
    not_reached: usize,
    hangs: usize,
    leaks: usize,
    unclear: usize,
    untrue: usize,
    startup: usize,
}

impl Row {
    fn add(&mut self, outcome: &Outcome) {
        self.tried += 1;
        match outcome.ending {
            Ending::Error => self.error += 1,
            Ending::Tolerated => self.tolerated += 1,
            Ending::Killed => self.killed += 1,
            Ending::Startup => self.startup += 1,
            Ending::NotReached => self.not_reached += 1,
            Ending::Hang => {}
        }
        let has = |fail| usize::from(outcome.fails.iter().any(|(known, _)| *known == fail));
        self.hangs += has(Fail::Hang);
        self.leaks += has(Fail::Leak);
        self.unclear += has(Fail::Unclear);
        self.untrue += has(Fail::Untrue);
    }

    fn is_clean(&self) -> bool {
        self.hangs + self.leaks + self.unclear + self.untrue == 0
    }

    fn print(&self, variant: &str, operation: &str, calls: &str) {
        println!(
            "| {variant:8} | {operation:13} | {calls:>5} | {:>5} | {:>5} | {:>9} | {:>6} | {:>7} | {:>11} | {:>5} | {:>5} | {:>7} | {:>6} |",
            self.tried,
            self.error,
            self.tolerated,
            self.killed,
            self.startup,
            self.not_reached,
            self.hangs,
            self.leaks,
            self.unclear,
            self.untrue,
        );
    }
}

const HEAD: &str = "\
| variant  | operation     | calls | tried | error | tolerated | killed | startup | not reached | hangs | leaks | unclear | untrue |
|----------|---------------|------:|------:|------:|----------:|-------:|--------:|------------:|------:|------:|--------:|-------:|";

impl Sweep<'_> {
    fn count_startup(&self) -> io::Result<BTreeMap<String, u32>> {
        let trace = Trace {
            command: vec![self.runtime.display().to_string(), "--version".to_owned()],
            also: None,
            fault: None,
            report: self.place.join("startup"),
        };
        Command::new(std::env::current_exe()?)
            .arg("trace")
            .arg(serde_json::to_string(&trace)?)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        let report: Report = serde_json::from_slice(&fs::read(&trace.report)?)?;
        Ok(report.calls)
    }

    /// A crash before the program's own code runs is its language's way to fail, and leaves nothing.
    fn is_crash_at_startup(&self, fault: &Fault, outcome: &Outcome) -> bool {
        let calls = self.startup.get(&format!("0:{}", fault.call));
        let crash_alone = outcome.fails.len() == 1 && outcome.fails[0].0 == Fail::Unclear;
        crash_alone && calls.is_some_and(|calls| outcome.since_exec <= *calls)
    }

    /// One injection, told in full.
    fn one(&self, fault: &Fault) -> io::Result<bool> {
        let mut clean = true;
        for variant in &self.options.variant {
            for operation in &self.options.operation {
                let outcome = self.trial(*variant, *operation, Some(fault.clone()))?;
                println!(
                    "{} {}: {:?}",
                    name(variant),
                    name(operation),
                    outcome.ending
                );
                println!("{}", outcome.said.trim_end());
                for (fail, what) in &outcome.fails {
                    clean = false;
                    println!("{fail:?}: {what}");
                }
            }
        }
        Ok(clean)
    }

    fn all(&self) -> io::Result<bool> {
        let begun = Instant::now();
        let mut total = Row::default();
        println!("{HEAD}");
        for variant in &self.options.variant {
            for operation in &self.options.operation {
                let row = self.operation(*variant, *operation)?;
                for (sum, part) in [
                    (&mut total.tried, row.tried),
                    (&mut total.error, row.error),
                    (&mut total.tolerated, row.tolerated),
                    (&mut total.killed, row.killed),
                    (&mut total.startup, row.startup),
                    (&mut total.not_reached, row.not_reached),
                    (&mut total.hangs, row.hangs),
                    (&mut total.leaks, row.leaks),
                    (&mut total.unclear, row.unclear),
                    (&mut total.untrue, row.untrue),
                ] {
                    *sum += part;
                }
            }
        }
        total.print("all", "", "");
        println!("\n{} s", begun.elapsed().as_secs());
        Ok(total.is_clean())
    }

    /// Every injection into one operation.
    fn operation(&self, variant: Variant, operation: Operation) -> io::Result<Row> {
        let counted = self.trial(variant, operation, None)?;
        if counted.ending != Ending::Tolerated || !counted.fails.is_empty() {
            return Err(io::Error::other(format!(
                "{} {} does not work without any injection: {:?} {:?} {}",
                name(&variant),
                name(&operation),
                counted.ending,
                counted.fails,
                counted.said.trim()
            )));
        }
        let faults = self.faults(&counted);
        let next = AtomicUsize::new(0);
        let row = Mutex::new(Row::default());
        let work = || -> io::Result<()> {
            while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                let command = self.command(variant, operation, fault);
                let mut outcome = self
                    .trial(variant, operation, Some(fault.clone()))
                    .map_err(|error| io::Error::other(format!("{command}: {error}")))?;
                if self.is_crash_at_startup(fault, &outcome) {
                    outcome.ending = Ending::Startup;
                    outcome.fails.clear();
                }
                row.lock().expect("no worker panics").add(&outcome);
                // At once: a sweep can be long.
                for (fail, what) in &outcome.fails {
                    eprintln!("{fail:?}: {what}\n    {command}");
                }
            }
            Ok(())
        };
        let processors = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.options.jobs.unwrap_or(processors).max(1))
                .map(|_| scope.spawn(work))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().expect("no worker panics"))
                .fold(Ok(()), Result::and)
        })?;
        let row = row.into_inner().expect("no worker panics");
        let calls: u32 = counted.calls.values().sum();
        row.print(&name(&variant), &name(&operation), &calls.to_string());
        Ok(row)
    }

    /// Every occurrence of every call, with every effect.
    fn faults(&self, counted: &Outcome) -> Vec<Fault> {
        let mut faults = Vec::new();
        // The effects outermost, so that no stride keeps meeting the same one.
        for effect in self.options.errors.iter().copied() {
            for (place, count) in &counted.calls {
                let (process, call) = place.split_once(':').unwrap_or_default();
                let process = process.parse().unwrap_or_default();
                let named = self.options.calls.iter().any(|one| one == call);
                let wanted = named || self.options.calls.is_empty();
                if wanted && fault::makes_sense(process, call, effect) {
                    faults.extend((1..=*count).map(|occurrence| Fault {
                        process,
                        call: call.to_owned(),
                        occurrence,
                        effect,
                    }));
                }
            }
        }
        let stride = self.options.stride as usize;
        faults.into_iter().step_by(stride).collect()
    }

    /// The command that does one injection again.
    fn command(&self, variant: Variant, operation: Operation, fault: &Fault) -> String {
        format!(
            "ci/inject --runtime {} --host-view {} --variant {} --operation {} --at {fault}",
            self.runtime.display(),
            self.options.host_view,
            name(&variant),
            name(&operation),
        )
    }

    fn trial(
        &self,
        variant: Variant,
        operation: Operation,
        fault: Option<Fault>,
    ) -> io::Result<Outcome> {
        let trial = Trial {
            runtime: self.runtime.clone(),
            hide_v2: self.options.host_view == "v1",
            variant,
            operation,
            fault,
            seconds: self.options.timeout,
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let dir = self.place.join(number.to_string());
        fs::create_dir(&dir)?;
        let child = self.trials.begin(
            Command::new(std::env::current_exe()?)
                .arg("trial")
                .arg(&dir)
                .arg(serde_json::to_string(&trial)?)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        )?;
        let pid = child.id();
        let output = child.wait_with_output();
        self.trials.ended(pid);
        let output = output?;
        // Here, where no mount that the trial left can be seen.
        fs::remove_dir_all(&dir)?;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            io::Error::other(format!("the trial ended with {}: {said}", output.status))
        })
    }
}

fn name(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

//! `explore`: its flags, and its exit code, which are those of `run`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::report;
use super::search::{self, Kinds, Limit, Plan};
use crate::cli::{
    EXIT_BROKEN, EXIT_EXPECTED, EXIT_UNEXPECTED, Failure, Place, asked_version, print, seconds,
    twice_the_processors, work_dir,
};
use crate::runner::{Bench, Interrupts, Options};
use crate::subject::Subject;

/// Flags of `explore`.
#[derive(Clone, Debug, Args)]
pub struct ExploreArguments {
    /// The runtime: COMMAND [GLOBAL-ARG]…; without it the embedded reference
    #[arg(long, value_name = "[LABEL=]COMMAND")]
    runtime: Option<String>,
    /// What is drawn depends on it alone
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Draw for so long
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    time: Duration,
    /// Draw so many, however long it takes
    #[arg(long, value_name = "N", conflicts_with = "time")]
    cases: Option<u64>,
    /// Draw configurations only
    #[arg(long, conflicts_with = "lifecycle")]
    config: bool,
    /// Draw sequences of operations only
    #[arg(long)]
    lifecycle: bool,
    /// Leave a directory here for each disagreement: the smallest bundle, and a reproduce.sh
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Version of the specification to judge by; claimed: what the runtime says it implements
    #[arg(long, value_name = "X|claimed", default_value = "claimed")]
    spec_version: String,
    /// human or json
    #[arg(long, value_enum, default_value = "human")]
    format: ReportFormat,
    /// Trials at once [default: twice the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,
    /// Seconds that one operation may take [default: 20 times the plain container's, 10 at least]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    timeout: Option<f64>,
    /// A reference runtime in the place of the embedded one
    #[arg(long, value_name = "PATH")]
    reference: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// `--format`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReportFormat {
    /// For a person.
    Human,
    /// For a program.
    Json,
}

/// Explores a subject and reports; the exit code.
pub(crate) fn run(arguments: &ExploreArguments, interrupts: &Interrupts) -> Result<u8, Failure> {
    let subject = arguments
        .runtime
        .as_deref()
        .map(Subject::parse)
        .transpose()
        .map_err(Failure::Usage)?;
    let options = options_of(arguments)?;
    let plan = Plan {
        seed: arguments.seed,
        limit: match arguments.cases {
            Some(cases) => Limit::Draws(cases),
            None => Limit::Time(arguments.time),
        },
        kinds: match (arguments.config, arguments.lifecycle) {
            (true, _) => Kinds::Configurations,
            (_, true) => Kinds::Sequences,
            _ => Kinds::Both,
        },
        out: arguments.out.clone(),
    };
    let bench = Bench::set_up(
        options.view,
        &options.work_dir,
        options.reference.as_deref(),
    )
    .map_err(Failure::Broken)?;
    let subject = subject.unwrap_or_else(|| bench.reference().clone());
    let bench = Arc::new(bench);
    let exploration =
        search::explore(&bench, &subject, &plan, &options, interrupts).map_err(Failure::Broken)?;
    let text = match arguments.format {
        ReportFormat::Human => report::human(&exploration),
        ReportFormat::Json => report::json(&exploration),
    };
    print(&text)?;
    Ok(if exploration.is_broken() {
        EXIT_BROKEN
    } else if exploration.disagrees() {
        EXIT_UNEXPECTED
    } else {
        EXIT_EXPECTED
    })
}

fn options_of(arguments: &ExploreArguments) -> Result<Options, Failure> {
    let processors = || twice_the_processors();
    Ok(Options {
        suites: Vec::new(),
        filters: Vec::new(),
        asked: asked_version(&arguments.spec_version)?,
        jobs: arguments.jobs.map_or_else(processors, |jobs| jobs as usize),
        timeout: arguments.timeout,
        shard: None,
        seed: arguments.seed,
        repeat: 1,
        view: arguments.place.host_view,
        work_dir: work_dir(&arguments.place)?,
        reference: arguments.reference.clone(),
        calibrate: true,
        keep: None,
    })
}

/// `90`, `90s` or `2m`.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    number
        .parse::<f64>()
        .ok()
        .and_then(|number| Duration::try_from_secs_f64(number * unit).ok())
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "must be a time: 90s, 2m".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "0", "-1s", "soon", "1h", "nan", "inf"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}

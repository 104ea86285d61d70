//! The command line: flags, what they select, and the exit codes.

mod on_results;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use oci_runtime_schemas::SpecVersion;

use self::on_results::{CompareArguments, ExpectCommand, MergeArguments};
use crate::case::Suite;
use crate::cases;
use crate::expectations::{self, Denied, ExpectationFile};
use crate::explore::{self, ExploreArguments};
use crate::host::{Host, View};
use crate::report::{self, Format, FormatArgument, Style};
use crate::results::{FORMAT, FailLevel, Results, Shard, Tool};
use crate::runner::{self, Bench, Interrupts, Options, Progress};
use crate::subject::{NEWEST, Subject};
use crate::{calendar, catalogue_views, doctor, prove, repro};

/// The program's name.
const NAME: &str = "oci-conformance";

/// Nothing unexpected.
pub const EXIT_EXPECTED: u8 = 0;
/// Something unexpected.
pub const EXIT_UNEXPECTED: u8 = 1;
/// Wrong usage; also a subject that is missing or not executable.
pub const EXIT_USAGE: u8 = 2;
/// The harness broke somewhere, or no case was judged.
pub const EXIT_BROKEN: u8 = 3;

const AFTER_HELP: &str = "\
Exit codes:
  0  nothing unexpected
  1  something unexpected: a broken clause at or above --level, a subject that hangs, or a waiver
     that applied and did not match
  2  wrong usage; also a runtime that is missing or not executable
  3  the harness broke somewhere, or no case was judged (`oci-conformance doctor` tells why)
  128+N  ended by signal N, after everything was cleaned up

Without --runtime the embedded reference runtime is judged. Without root, containers get a user
namespace that maps you, and what needs more is not judged.";

#[derive(Debug, Parser)]
#[command(
    name = NAME,
    version,
    about = "Judges OCI container runtimes clause by clause, with evidence",
    after_help = AFTER_HELP,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge runtimes (what happens without a command, too)
    Run(RunArguments),
    /// Show every case with the clauses that it judges
    List {
        /// Suites to show
        #[arg(
            long,
            value_enum,
            value_delimiter = ',',
            default_value = "spec,cli,security,engine"
        )]
        suite: Vec<Suite>,
        /// human, json or markdown
        #[arg(long, value_enum, default_value = "human")]
        format: catalogue_views::ViewFormat,
    },
    /// Explain a case or a clause
    Explain {
        /// A case id or a clause id
        id: String,
    },
    /// Show each clause with its cases, or why it has none
    Coverage {
        /// human, json or markdown
        #[arg(long, value_enum, default_value = "human")]
        format: catalogue_views::ViewFormat,
    },
    /// Tell what this host can do for a run
    Doctor {
        /// Remove what killed runs left behind
        #[arg(long)]
        clean: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show that every check can fail: judge runtimes that are wrong in one known way each
    Prove(ProveArguments),
    /// Leave a directory with a case's bundle and a script that shows the failure by hand
    Repro {
        /// The case's id
        case: String,
        /// The directory to make
        #[arg(long)]
        dir: PathBuf,
        /// The runtime: COMMAND [GLOBAL-ARG]…; without it the embedded reference
        #[arg(long, value_name = "[LABEL=]COMMAND")]
        runtime: Option<String>,
        /// Version of the specification to judge by
        #[arg(long, value_name = "X|claimed", default_value = "claimed")]
        spec_version: String,
        #[command(flatten)]
        place: Place,
    },
    /// Print a script that completes command lines in a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command, into a directory
    Man {
        /// The directory; it is made if it is missing
        dir: PathBuf,
    },
    /// Show what differs between results, and exit 1 if a runtime does worse than it did
    Compare(CompareArguments),
    /// Merge the results of all shards of a run into those of the whole run
    Merge(MergeArguments),
    /// Work on expectation files
    #[command(subcommand)]
    Expect(ExpectCommand),
    /// Draw configurations and sequences of operations, and hold the runtime against models
    Explore(ExploreArguments),
}

/// Where a run takes place.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// Directory for the run's files; it must be traversable for everyone [default: $TMPDIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) work_dir: Option<PathBuf>,
    /// What of the host subjects see: all, or only its cgroup v1 hierarchies
    #[arg(long, value_enum, default_value = "host")]
    pub(crate) host_view: View,
}

#[derive(Clone, Debug, Args)]
struct RunArguments {
    /// Case ids, id prefixes ending in '/', or clause ids
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// A runtime to judge: its command with global arguments; repeatable
    #[arg(long, value_name = "[LABEL=]COMMAND")]
    runtime: Vec<String>,
    /// What fails the run
    #[arg(long, value_enum, default_value = "must")]
    level: FailLevel,
    /// Version of the specification to judge by; claimed: what the runtime says it implements
    #[arg(long, value_name = "X|claimed", default_value = "claimed")]
    spec_version: String,
    /// Suites to run
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "spec,security"
    )]
    suite: Vec<Suite>,
    /// Trials at once [default: twice the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,
    /// Seconds that one operation may take [default: 20 times the plain container's, 10 at least]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    timeout: Option<f64>,
    /// Run only the I-th of N parts of the cases
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<Shard>,
    /// Seed of the order of cases
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Run each case so often; attempts that differ are broken
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Expectation file with waivers; repeatable
    #[arg(long, value_name = "FILE")]
    expect: Vec<PathBuf>,
    /// Take this verdict as unexpected, for CI that must judge everything
    #[arg(long, value_enum, value_delimiter = ',')]
    deny: Vec<Denied>,
    /// human, json, junit, tap, markdown, html, github (annotations), badge (SVG) or badge-json, each
    /// to standard output or =FILE; repeatable
    #[arg(long, value_name = "FORMAT[=FILE]")]
    format: Vec<FormatArgument>,
    /// A reference runtime in the place of the embedded one
    #[arg(long, value_name = "PATH")]
    reference: Option<PathBuf>,
    /// Do not run failing cases against the reference
    #[arg(long)]
    no_calibrate: bool,
    /// Leave the bundles of cases that are not as expected here, each with a reproduce.sh
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Debug, Args)]
struct ProveArguments {
    /// Deviants: names, prefixes of names ending in '.', or clause ids that they break
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Only these cases: ids, id prefixes ending in '/', or clause ids; repeatable
    #[arg(long, value_name = "FILTER")]
    cases: Vec<String>,
    /// Judge each deviant by every case, not only by those that must catch it and some others
    #[arg(long)]
    full: bool,
    /// A right runtime to make wrong, beside the embedded reference; repeatable
    #[arg(long, value_name = "[LABEL=]COMMAND")]
    base: Vec<String>,
    /// Another program that declares deviants as `oci-deviants` does
    #[arg(long, value_name = "PATH")]
    deviants: Option<PathBuf>,
    /// Seed by which the other cases are drawn
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Trials at once [default: four times the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,
    /// human, json or markdown
    #[arg(long, value_enum, default_value = "human")]
    format: catalogue_views::ViewFormat,
    #[command(flatten)]
    place: Place,
}

/// Runs the program and returns its exit code.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                EXIT_USAGE
            } else {
                EXIT_EXPECTED
            });
        }
    };
    let interrupts = Interrupts::take_over();
    let result = match cli.command {
        None => judge(cli.run, &interrupts),
        Some(Command::Run(arguments)) => judge(arguments, &interrupts),
        Some(Command::List { suite, format }) => {
            print(&catalogue_views::list(cases::all(), &suite, format))
        }
        Some(Command::Explain { id }) => match catalogue_views::explain(cases::all(), &id) {
            Ok(text) => print(&text),
            Err(why) => Err(Failure::Usage(why)),
        },
        Some(Command::Coverage { format }) => {
            print(&catalogue_views::coverage(cases::all(), format))
        }
        Some(Command::Explore(arguments)) => explore::run(&arguments, &interrupts),
        Some(Command::Doctor { clean, place }) => examine(clean, &place),
        Some(Command::Prove(arguments)) => prove_checks(arguments, &interrupts),
        Some(Command::Repro {
            case,
            dir,
            runtime,
            spec_version,
            place,
        }) => reproduce(
            &case,
            &dir,
            runtime.as_deref(),
            &spec_version,
            &place,
            &interrupts,
        ),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Some(Command::Man { dir }) => write_manual(&dir),
        Some(Command::Compare(arguments)) => on_results::compare(arguments),
        Some(Command::Merge(arguments)) => on_results::merge(arguments),
        Some(Command::Expect(command)) => on_results::expect(command),
    };
    let code = match result {
        Ok(code) => code,
        Err(Failure::Usage(why)) => complain(&why, EXIT_USAGE),
        Err(Failure::Broken(why)) => complain(&why, EXIT_BROKEN),
    };
    match interrupts.signal() {
        Some(signal) => ExitCode::from(128 + signal as u8),
        None => ExitCode::from(code),
    }
}

pub(crate) enum Failure {
    Usage(String),
    Broken(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Broken(error.to_string())
    }
}

fn complain(why: &str, code: u8) -> u8 {
    eprintln!("oci-conformance: {}", report::escape::line(why));
    code
}

pub(crate) fn print(text: &str) -> Result<u8, Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // `| head` has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(EXIT_EXPECTED),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(EXIT_EXPECTED),
    }
}

fn judge(arguments: RunArguments, interrupts: &Interrupts) -> Result<u8, Failure> {
    let options = options_of(&arguments)?;
    let selected = runner::select(&options).map_err(Failure::Usage)?;
    let subjects = arguments
        .runtime
        .iter()
        .map(|text| Subject::parse(text).map_err(Failure::Usage))
        .collect::<Result<Vec<_>, _>>()?;
    let expectations = load_expectations(&arguments)?;
    let formats = formats_of(&arguments)?;
    let bench = Bench::set_up(
        options.view,
        &options.work_dir,
        options.reference.as_deref(),
    )
    .map_err(Failure::Broken)?;
    let mut results = Results {
        format: FORMAT,
        tool: Tool {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
        },
        started: now(),
        arguments: std::env::args().skip(1).collect(),
        spec: NEWEST.into(),
        level: arguments.level,
        shard: options.shard,
        seed: options.seed,
        host: bench.host.facts(),
        runs: Vec::new(),
    };
    let subjects = if subjects.is_empty() {
        vec![bench.reference().clone()]
    } else {
        subjects
    };
    for subject in &subjects {
        let name = subject.label.clone().unwrap_or_else(|| file_name(subject));
        let progress = Progress::new(&name);
        let mut run = runner::judge(&bench, subject, &selected, &options, interrupts, &progress);
        if interrupts.came() {
            return Ok(EXIT_BROKEN);
        }
        expectations::refuse_doubled(&expectations, &run.runtime)
            .map_err(|error| Failure::Usage(error.0))?;
        expectations::judge(
            &mut run,
            &expectations,
            arguments.level,
            &results.host,
            &arguments.deny,
        );
        if let Some(keep) = &options.keep {
            keep_bundles(&bench, subject, &run, keep, &options, interrupts)?;
        }
        results.runs.push(run);
    }
    runner::distinct_labels(&mut results.runs);
    drop(bench);
    for argument in &formats {
        write_report(argument, &results)?;
    }
    Ok(expectations::exit_code(&results))
}

fn write_manual(dir: &Path) -> Result<u8, Failure> {
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(|error| {
            Failure::Usage(format!(
                "write manual pages into {}: {error}",
                dir.display()
            ))
        })?;
    Ok(EXIT_EXPECTED)
}

fn options_of(arguments: &RunArguments) -> Result<Options, Failure> {
    Ok(Options {
        suites: arguments.suite.clone(),
        filters: arguments.filters.clone(),
        asked: asked_version(&arguments.spec_version)?,
        jobs: arguments
            .jobs
            .map_or_else(twice_the_processors, |jobs| jobs as usize),
        timeout: arguments.timeout,
        shard: arguments.shard,
        seed: arguments.seed,
        repeat: arguments.repeat,
        view: arguments.place.host_view,
        work_dir: work_dir(&arguments.place)?,
        reference: arguments.reference.clone(),
        calibrate: !arguments.no_calibrate,
        keep: arguments.keep.clone(),
    })
}

pub(crate) fn asked_version(text: &str) -> Result<Option<SpecVersion>, Failure> {
    if text == "claimed" {
        return Ok(None);
    }
    let version = text.parse::<SpecVersion>().map_err(|_| {
        Failure::Usage(format!(
            "--spec-version {text:?} is neither a version nor 'claimed'"
        ))
    })?;
    Ok(Some(version))
}

pub(crate) fn work_dir(place: &Place) -> Result<PathBuf, Failure> {
    let path = place.work_dir.clone().unwrap_or_else(std::env::temp_dir);
    if !path.is_dir() {
        return Err(Failure::Usage(format!(
            "work directory {} is no directory",
            path.display()
        )));
    }
    // Without links, as the table of mounts has it: what is mounted below has to be found there.
    path.canonicalize().map_err(Failure::from)
}

fn load_expectations(arguments: &RunArguments) -> Result<Vec<ExpectationFile>, Failure> {
    let known = |id: &str| cases::by_id(id).is_some();
    arguments
        .expect
        .iter()
        .map(|path| {
            ExpectationFile::load(path, &known, today()).map_err(|error| Failure::Usage(error.0))
        })
        .collect()
}

fn formats_of(arguments: &RunArguments) -> Result<Vec<FormatArgument>, Failure> {
    let mut formats = arguments.format.clone();
    if formats.is_empty() {
        formats.push(FormatArgument {
            format: Format::Human,
            file: None,
        });
    }
    one_to_stdout(formats.iter().map(|argument| argument.file.as_deref()))?;
    Ok(formats)
}

/// Refuses two reports without a file.
fn one_to_stdout<'a>(
    files: impl Iterator<Item = Option<&'a std::path::Path>>,
) -> Result<(), Failure> {
    if files.filter(Option::is_none).count() > 1 {
        let why =
            "two formats cannot both go to standard output; give one a file: --format json=FILE";
        return Err(Failure::Usage(why.into()));
    }
    Ok(())
}

fn write_report(argument: &FormatArgument, results: &Results) -> Result<(), Failure> {
    match &argument.file {
        Some(path) => {
            let broken =
                |error| Failure::Broken(format!("write report {}: {error}", path.display()));
            let mut file = std::fs::File::create(path).map_err(broken)?;
            report::write(argument.format, results, &mut file, Style::Plain).map_err(broken)
        }
        None => {
            let stdout = std::io::stdout();
            let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let style = if colour { Style::Colour } else { Style::Plain };
            let mut text = Vec::new();
            report::write(argument.format, results, &mut text, style)?;
            match stdout.lock().write_all(&text) {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
                _ => Ok(()),
            }
        }
    }
}

fn keep_bundles(
    bench: &Bench,
    subject: &Subject,
    run: &crate::results::Run,
    keep: &std::path::Path,
    options: &Options,
    interrupts: &Interrupts,
) -> Result<(), Failure> {
    for result in run.cases.iter().filter(|result| !result.as_expected) {
        let Some(case) = cases::by_id(&result.id) else {
            continue;
        };
        let directory = keep
            .join(directory_name(&run.runtime.label))
            .join(case.id.replace('/', "."));
        repro::write(bench, case, subject, &directory, options, interrupts)
            .map_err(|why| Failure::Broken(format!("--keep: {why}")))?;
    }
    Ok(())
}

/// A label as the name of one directory: it may be a word that the subject printed.
fn directory_name(label: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_+#".contains(c);
    let name: String = label
        .chars()
        .enumerate()
        .map(|(place, c)| {
            if legal(c) || (c == '.' && place > 0) {
                c
            } else {
                '_'
            }
        })
        .collect();
    if name.is_empty() { "_".into() } else { name }
}

fn examine(clean: bool, place: &Place) -> Result<u8, Failure> {
    let host = Host::look(place.host_view);
    let directory = work_dir(place)?;
    let mut text = Vec::new();
    if clean {
        doctor::clean(&host, &directory, &mut text)?;
    } else {
        doctor::examine(&host, &directory, &mut text)?;
    }
    print(&String::from_utf8_lossy(&text))
}

fn prove_checks(arguments: ProveArguments, interrupts: &Interrupts) -> Result<u8, Failure> {
    let options = Options {
        suites: vec![Suite::Spec, Suite::Cli, Suite::Security, Suite::Engine],
        filters: arguments.cases,
        asked: None,
        jobs: arguments
            .jobs
            .map_or_else(|| 2 * twice_the_processors(), |jobs| jobs as usize),
        timeout: None,
        shard: None,
        seed: arguments.seed,
        repeat: 1,
        view: arguments.place.host_view,
        work_dir: work_dir(&arguments.place)?,
        reference: None,
        calibrate: false,
        keep: None,
    };
    let selected = runner::select(&options).map_err(Failure::Usage)?;
    let bases = arguments
        .base
        .iter()
        .map(|text| Subject::parse(text).map_err(Failure::Usage))
        .collect::<Result<Vec<_>, _>>()?;
    let question = prove::Question {
        selected,
        filters: arguments.filters,
        full: arguments.full,
        bases,
        program: arguments.deviants,
        options,
    };
    let proof = match prove::prove(&question, interrupts) {
        Ok(proof) => proof,
        Err(prove::Failure::Usage(why)) => return Err(Failure::Usage(why)),
        Err(prove::Failure::Broken(why)) => return Err(Failure::Broken(why)),
    };
    print(&prove::report(&proof, arguments.format))?;
    Ok(if proof.holds() {
        EXIT_EXPECTED
    } else {
        EXIT_UNEXPECTED
    })
}

fn reproduce(
    id: &str,
    directory: &std::path::Path,
    runtime: Option<&str>,
    version: &str,
    place: &Place,
    interrupts: &Interrupts,
) -> Result<u8, Failure> {
    let Some(case) = cases::by_id(id) else {
        return Err(Failure::Usage(
            match catalogue_views::explain(cases::all(), id) {
                Ok(_) => {
                    format!("{id} is a clause; `oci-conformance explain {id}` names its cases")
                }
                Err(why) => why,
            },
        ));
    };
    let subject = runtime
        .map(Subject::parse)
        .transpose()
        .map_err(Failure::Usage)?;
    let options = Options {
        suites: Vec::new(),
        filters: Vec::new(),
        asked: asked_version(version)?,
        jobs: 1,
        timeout: None,
        shard: None,
        seed: 0,
        repeat: 1,
        view: place.host_view,
        work_dir: work_dir(place)?,
        reference: None,
        calibrate: false,
        keep: None,
    };
    let bench = Bench::set_up(options.view, &options.work_dir, None).map_err(Failure::Broken)?;
    let subject = subject.unwrap_or_else(|| bench.reference().clone());
    let (result, script) = repro::write(&bench, case, &subject, directory, &options, interrupts)
        .map_err(Failure::Usage)?;
    let text = format!(
        "{} by {}: {}\nsh {}\n",
        case.id,
        subject.program.display(),
        result.verdict.word(),
        script.display()
    );
    print(&text)
}

pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(seconds),
        _ => Err("must be a number of seconds above 0 and at most 86400".into()),
    }
}

fn shard(text: &str) -> Result<Shard, String> {
    let parts = text
        .split_once('/')
        .and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((index, of)) if index >= 1 && index <= of => Ok(Shard { index, of }),
        _ => Err("must be I/N with 1 <= I <= N".into()),
    }
}

/// Trials at once: a trial waits for the kernel about as long as it computes.
pub(crate) fn twice_the_processors() -> usize {
    2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn file_name(subject: &Subject) -> String {
    subject
        .program
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Days since 1970-01-01, UTC.
fn today() -> i64 {
    seconds_since_1970() / 86_400
}

fn seconds_since_1970() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64)
}

/// The time as RFC 3339 in UTC.
fn now() -> String {
    let seconds = seconds_since_1970();
    let (year, month, day) = calendar::date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_label_never_leads_out_of_the_directory() {
        assert_eq!(directory_name("runc-1.1.5"), "runc-1.1.5");
        assert_eq!(directory_name("../../etc/x"), "_._.._etc_x");
        for hostile in ["..", ".", "", "/", "a/../b", "a\0b"] {
            let name = directory_name(hostile);
            assert!(
                !name.contains('/') && !name.starts_with('.') && !name.is_empty(),
                "{hostile:?}"
            );
        }
    }

    #[test]
    fn shards_and_timeouts_are_checked() {
        assert_eq!(shard("2/7"), Ok(Shard { index: 2, of: 7 }));
        for bad in ["0/2", "3/2", "1", "a/b", "1/0"] {
            assert!(shard(bad).is_err(), "{bad}");
        }
        assert!(seconds("0").is_err() && seconds("nan").is_err() && seconds("0.5").is_ok());
    }
}

//! Makes every system call of a runtime's commands go wrong, one at a time, and tells what it leaves.
//!
//! `ci/inject` builds and runs this. A first run of each operation counts the calls of each of the
//! runtime's processes; then every one of them fails once with each error, and is once the moment
//! at which SIGKILL comes. After each the runtime must have ended with an error that says what
//! went wrong, or have done what it was asked for, and nothing of it may be left.

#[cfg(not(target_arch = "x86_64"))]
compile_error!("the tracer knows the registers of x86_64 only");

mod bundle;
mod fault;
mod interrupt;
mod remains;
mod sweep;
mod sys;
mod tracer;
mod trial;

use bundle::Variant;
use clap::Parser;
use fault::{Effect, Fault};
use std::path::PathBuf;
use std::process::ExitCode;
use trial::Operation;

/// Makes every system call of a container runtime's commands go wrong, one at a time
///
/// Exits with 1 if a command leaked, hung, failed without a clear error, or said that it had done
/// what it had not; with 2 if nothing could be tried.
#[derive(Debug, Parser)]
#[command(name = "inject")]
struct Options {
    /// The runtime
    #[arg(long)]
    runtime: PathBuf,
    /// What is done to the container
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "create,start,kill,delete,forced-delete"
    )]
    operation: Vec<Operation>,
    /// What the container is made with
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "features,user,terminal"
    )]
    variant: Vec<Variant>,
    /// What happens in place of a call: names of errors, KILL (of the process that makes it), and
    /// KILL-RUNTIME (of the command, when another of its processes makes it)
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "EIO,ENOSYS,EPERM,ENOMEM,KILL,KILL-RUNTIME"
    )]
    errors: Vec<Effect>,
    /// Only these calls
    #[arg(long, value_delimiter = ',')]
    calls: Vec<String>,
    /// Only every N-th injection
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    stride: u32,
    /// How many trials at a time [default: as many as there are processors]
    #[arg(long)]
    jobs: Option<usize>,
    /// Only this injection, PROCESS:CALL:K:EFFECT, with all that is to be told of it
    #[arg(long)]
    at: Option<Fault>,
    /// With `v1`, cgroup version 2 beside version 1 is hidden from the runtime
    #[arg(long, value_parser = ["host", "v1"], default_value = "host")]
    host_view: String,
    /// How long a command may take, in seconds
    #[arg(long, default_value_t = 10)]
    timeout: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // The processes that the sweep is made of.
    let result = match arguments.first().map(String::as_str) {
        Some("trial") => sweep::answer_trial(&arguments[1..]),
        Some("trace") => serde_json::from_str(&arguments[1])
            .map_err(Into::into)
            .and_then(|trace| tracer::run(&trace)),
        Some("traced") => Err(tracer::become_traced(&arguments[1..])),
        _ => return sweep::sweep(&Options::parse()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

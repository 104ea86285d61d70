//! The program `oci-validate`: its command line, what it runs, and its exit codes.

mod arguments;
pub(crate) mod explain;
mod manual;
mod rules;
mod run;
mod text;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command};

/// Nothing at or above `--fail-on`.
const EXIT_CLEAN: u8 = 0;
/// Findings.
const EXIT_FINDINGS: u8 = 1;
/// Wrong usage, or a path that cannot be read.
const EXIT_USAGE: u8 = 2;
/// The fault is ours.
const EXIT_INTERNAL: u8 = 3;

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            let usage = error.use_stderr();
            return ExitCode::from(if usage { EXIT_USAGE } else { EXIT_CLEAN });
        }
    };
    let code = match arguments.command {
        None => run::run(arguments.judging),
        Some(Command::Rules { format }) => print(&rules::list(format)),
        Some(Command::Explain { id }) => match explain::explain(&id) {
            Ok(page) => print(&page),
            Err(why) => fail(&why),
        },
        Some(Command::Schema { kind }) => print(kind.schema().text()),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Some(Command::Man) => print(&manual::page()),
    };
    ExitCode::from(code)
}

/// The program's name.
const NAME: &str = "oci-validate";

/// Says why nothing was done.
fn fail(why: &str) -> u8 {
    let _ = writeln!(io::stderr(), "error: {why}");
    EXIT_USAGE
}

/// Prints a text. A reader that goes away has seen enough.
fn print(text: &str) -> u8 {
    let mut out = io::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    let written = write!(out, "{text}{newline}").and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            fail(&format!("standard output: {error}"))
        }
        _ => EXIT_CLEAN,
    }
}

//! Manual pages and completions, from the declarations of the command line.

use super::Cli;
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;
use std::ffi::OsString;
use std::io;
use std::path::Path;

/// Writes them into the directory that stands behind the word `manual`, if the command line is that.
pub(crate) fn is_asked_for() -> io::Result<bool> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [word, directory] = words.as_slice() else {
        return Ok(false);
    };
    if word != "manual" {
        return Ok(false);
    }
    write(Path::new(directory))?;
    Ok(true)
}

fn write(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Cli::command(), directory)?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut Cli::command(), "refrun", directory)?;
    }
    Ok(())
}

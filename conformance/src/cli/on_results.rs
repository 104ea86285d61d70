//! Commands that work on results files: nothing is run for them.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{EXIT_EXPECTED, EXIT_UNEXPECTED, Failure};
use crate::compare::{self, Asked, Named};
use crate::expectations::update::{self, Update};
use crate::report::FormatArgument;
use crate::results::Results;
use crate::{cases, merge, report};

#[derive(Debug, Args)]
pub(super) struct CompareArguments {
    /// Results files; two of one runtime are taken as earlier and later
    #[arg(value_name = "RESULTS", num_args = 2.., required = true)]
    files: Vec<PathBuf>,
    /// Put two results of one runtime side by side, too
    #[arg(long)]
    side_by_side: bool,
    /// human, json, markdown or html, each to standard output or =FILE; repeatable
    #[arg(long, value_name = "FORMAT[=FILE]", default_value = "human")]
    format: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct MergeArguments {
    /// The results files of all shards
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Formats as for a run; the results file unless given
    #[arg(long, value_name = "FORMAT[=FILE]", default_value = "json")]
    format: Vec<FormatArgument>,
    /// Exit as the whole run would have, not with 0 for a merge that worked
    #[arg(long)]
    verdict: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ExpectCommand {
    /// Bring an expectation file up to date with results
    ///
    /// New failures are added with reason = "TODO", which a run refuses. What fails otherwise than
    /// its waiver says gets the clauses and the verdict that were seen. A waiver goes if its case
    /// passed in one of the results and failed in none; one whose case was not judged, or whose
    /// `when` does not hold on that host, stays as it is. Reasons, comments and order are kept.
    Update {
        /// The expectation file; made if it does not exist
        file: PathBuf,
        /// Results of the subject, from one host or several
        #[arg(required = true)]
        results: Vec<PathBuf>,
        /// Change nothing; exit 1 if something would change
        #[arg(long)]
        check: bool,
    },
}

pub(super) fn compare(arguments: CompareArguments) -> Result<u8, Failure> {
    let files = load(&arguments.files)?;
    let asked = if arguments.side_by_side {
        Asked::SideBySide
    } else {
        Asked::WhatFits
    };
    let formats = arguments
        .format
        .iter()
        .map(|argument| {
            let (format, file) = report::split_argument(argument)?;
            // The page shows whole results, not only what differs.
            let format = match format {
                "html" => None,
                word => Some(word.parse::<compare::Format>()?),
            };
            Ok((format, file))
        })
        .collect::<Result<Vec<_>, String>>()
        .map_err(|why| Failure::Usage(format!("--format: {why}")))?;
    super::one_to_stdout(formats.iter().map(|(_, file)| file.as_deref()))?;
    let comparison = compare::compare(&files, asked);
    for (format, file) in formats {
        let mut text = Vec::new();
        match format {
            Some(format) => comparison.write(format, &mut text)?,
            None => {
                let documents: Vec<&Results> = files.iter().map(|(_, results)| results).collect();
                report::write_matrix(&documents, &mut text)?;
            }
        }
        put(file.as_deref(), &text)?;
    }
    Ok(if comparison.is_worse() {
        EXIT_UNEXPECTED
    } else {
        EXIT_EXPECTED
    })
}

pub(super) fn merge(arguments: MergeArguments) -> Result<u8, Failure> {
    super::one_to_stdout(arguments.format.iter().map(|format| format.file.as_deref()))?;
    let shards = load(&arguments.files)?;
    let whole = merge::merge(shards).map_err(|why| Failure::Broken(format!("merge: {why}")))?;
    for format in &arguments.format {
        super::write_report(format, &whole)?;
    }
    Ok(if arguments.verdict {
        merge::exit_code(&whole)
    } else {
        EXIT_EXPECTED
    })
}

pub(super) fn expect(command: ExpectCommand) -> Result<u8, Failure> {
    let ExpectCommand::Update {
        file,
        results,
        check,
    } = command;
    let results: Vec<Results> = load(&results)?
        .into_iter()
        .map(|(_, results)| results)
        .collect();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Failure::Usage(format!("read {}: {error}", file.display()))),
    };
    let known = |id: &str| cases::by_id(id).is_some();
    let Update {
        text,
        notes,
        changes,
    } = update::update(&file, text.as_deref(), &results, &known)
        .map_err(|error| Failure::Usage(error.0))?;
    if changes > 0 && !check {
        replace(&file, &text)
            .map_err(|error| Failure::Broken(format!("write {}: {error}", file.display())))?;
    }
    let mut said: String = notes
        .iter()
        .map(|note| format!("{}\n", report::escape::line(note)))
        .collect();
    said.push_str(&match (changes, check) {
        (0, _) => format!("{}: nothing to change\n", file.display()),
        (count, false) => format!("{}: {count} changed\n", file.display()),
        (count, true) => format!("{}: {count} to change\n", file.display()),
    });
    super::print(&said)?;
    Ok(if check && changes > 0 {
        EXIT_UNEXPECTED
    } else {
        EXIT_EXPECTED
    })
}

fn load(files: &[PathBuf]) -> Result<Vec<Named>, Failure> {
    files
        .iter()
        .map(|path| {
            let results = Results::load(path).map_err(Failure::Usage)?;
            Ok((path.display().to_string(), results))
        })
        .collect()
}

fn put(file: Option<&Path>, text: &[u8]) -> Result<(), Failure> {
    match file {
        Some(path) => std::fs::write(path, text)
            .map_err(|error| Failure::Broken(format!("write {}: {error}", path.display()))),
        None => super::print(&String::from_utf8_lossy(text)).map(drop),
    }
}

/// Replaces a file at once, so that nobody finds half of it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // A link stays one: what it leads to is replaced.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut new = tempfile::Builder::new();
    new.prefix(".expect-update.");
    let mut new = new.tempfile_in(directory.unwrap_or(Path::new(".")))?;
    new.write_all(text.as_bytes())?;
    let permissions = match std::fs::metadata(&path) {
        Ok(metadata) => metadata.permissions(),
        Err(_) => std::os::unix::fs::PermissionsExt::from_mode(0o644),
    };
    new.as_file().set_permissions(permissions)?;
    new.persist(&path)?;
    Ok(())
}

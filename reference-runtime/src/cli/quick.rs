//! The command lines that engines write, understood without the machinery for all others.
//!
//! To set up a parser that knows every command and can explain itself takes longer than `state`
//! does. So what is plain is taken as it stands; whatever is not (an error, a call for help, an
//! option that is rare or said twice) is left to the parser, whose word is the last. A test holds
//! that both understand the same.

use super::{Cli, Command, CreateArgs, ExecArgs, Global, LogFormat};
use std::ffi::OsString;
use std::path::PathBuf;

/// The command line, without the program's name, if it is plain.
pub(super) fn parse(words: &[OsString]) -> Option<Cli> {
    let words: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
    let mut words = Words(&words?);
    let mut global = Global::default();
    let name = loop {
        match words.next()? {
            Word::Plain(name) => break name,
            Word::Option("--root", value) => once(&mut global.root, words.path(value)?)?,
            Word::Option("--log", value) => once(&mut global.log, words.path(value)?)?,
            Word::Option("--log-format", value) => {
                global.log_format = match words.value(value)? {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => return None,
                }
            }
            Word::Option("--debug", None) => flag(&mut global.debug)?,
            Word::Option("--engine", None) => flag(&mut global.engine)?,
            Word::Option("--systemd-cgroup", None) => flag(&mut global.systemd_cgroup)?,
            Word::Option(..) => return None,
        }
    };
    let command = match name {
        "create" => create(words)?,
        "run" => run(words)?,
        "start" => Command::Start {
            id: words.only_plain()?,
        },
        "state" => Command::State {
            id: words.only_plain()?,
        },
        "kill" => kill(words)?,
        "delete" => delete(words)?,
        "exec" => exec(words)?,
        _ => return None,
    };
    Some(Cli {
        global,
        command: Some(command),
    })
}

fn create(mut words: Words<'_>) -> Option<Command> {
    let mut given = CreateArgs::default();
    let mut bundle = None;
    while let Some(word) = words.next_or_end()? {
        shared_with_run(word, &mut words, &mut given, &mut bundle)?;
    }
    Some(Command::Create(complete(given, bundle)?))
}

fn run(mut words: Words<'_>) -> Option<Command> {
    let mut given = CreateArgs::default();
    let mut bundle = None;
    let (mut detach, mut keep, mut no_subreaper) = (false, false, false);
    while let Some(word) = words.next_or_end()? {
        match word {
            Word::Option("--detach" | "-d", None) => flag(&mut detach)?,
            Word::Option("--keep", None) => flag(&mut keep)?,
            Word::Option("--no-subreaper", None) => flag(&mut no_subreaper)?,
            word => shared_with_run(word, &mut words, &mut given, &mut bundle)?,
        }
    }
    Some(Command::Run {
        create: complete(given, bundle)?,
        detach,
        keep,
        no_subreaper,
    })
}

fn shared_with_run<'a>(
    word: Word<'a>,
    words: &mut Words<'a>,
    given: &mut CreateArgs,
    bundle: &mut Option<PathBuf>,
) -> Option<()> {
    match word {
        Word::Plain(id) if given.id.is_empty() => given.id = id.to_owned(),
        Word::Option("--bundle" | "-b", value) => once(bundle, words.path(value)?)?,
        Word::Option("--pid-file", value) => once(&mut given.pid_file, words.path(value)?)?,
        Word::Option("--console-socket", value) => {
            once(&mut given.console_socket, words.path(value)?)?;
        }
        Word::Option("--no-pivot", None) => flag(&mut given.no_pivot)?,
        Word::Option("--no-new-keyring", None) => flag(&mut given.no_new_keyring)?,
        _ => return None,
    }
    Some(())
}

fn complete(given: CreateArgs, bundle: Option<PathBuf>) -> Option<CreateArgs> {
    let bundle = bundle.unwrap_or_else(|| PathBuf::from("."));
    (!given.id.is_empty()).then_some(CreateArgs { bundle, ..given })
}

fn kill(mut words: Words<'_>) -> Option<Command> {
    let mut all = false;
    let mut plain = Vec::new();
    while let Some(word) = words.next_or_end()? {
        match word {
            Word::Plain(word) => plain.push(word),
            Word::Option("--all" | "-a", None) if plain.is_empty() => flag(&mut all)?,
            Word::Option(..) => return None,
        }
    }
    let (id, signal) = match plain[..] {
        [id] => (id, "TERM"),
        [id, signal] => (id, signal),
        _ => return None,
    };
    Some(Command::Kill {
        all,
        id: id.to_owned(),
        signal: signal.to_owned(),
    })
}

fn delete(mut words: Words<'_>) -> Option<Command> {
    let mut force = false;
    let mut id = None;
    while let Some(word) = words.next_or_end()? {
        match word {
            Word::Plain(word) => once(&mut id, word.to_owned())?,
            Word::Option("--force" | "-f", None) => flag(&mut force)?,
            Word::Option(..) => return None,
        }
    }
    Some(Command::Delete { force, id: id? })
}

fn exec(mut words: Words<'_>) -> Option<Command> {
    let mut given = ExecArgs::default();
    loop {
        match words.next()? {
            Word::Plain(id) => {
                given.id = id.to_owned();
                // From here on every word is the program's, whatever it looks like. One that
                // looks like an option right here may still be one of this command's.
                if words.0.first().is_some_and(|word| word.starts_with('-')) {
                    return None;
                }
                given.command = words.0.iter().map(|word| (*word).to_owned()).collect();
                return Some(Command::Exec(given));
            }
            Word::Option("--process" | "-p", value) => {
                once(&mut given.process, words.path(value)?)?;
            }
            Word::Option("--pid-file", value) => once(&mut given.pid_file, words.path(value)?)?,
            Word::Option("--console-socket", value) => {
                once(&mut given.console_socket, words.path(value)?)?;
            }
            Word::Option("--cwd", value) => {
                once(&mut given.cwd, words.value(value)?.to_owned())?;
            }
            Word::Option("--user" | "-u", value) => {
                once(&mut given.user, words.value(value)?.to_owned())?;
            }
            Word::Option("--env" | "-e", value) => given.env.push(words.value(value)?.to_owned()),
            Word::Option("--detach" | "-d", None) => flag(&mut given.detach)?,
            Word::Option("--tty" | "-t", None) => flag(&mut given.tty)?,
            Word::Option(..) => return None,
        }
    }
}

/// One word of the command line.
enum Word<'a> {
    Plain(&'a str),
    /// With what follows its equals sign, which only long options have.
    Option(&'a str, Option<&'a str>),
}

/// What is left of the command line.
struct Words<'a>(&'a [&'a str]);

impl<'a> Words<'a> {
    /// The next word; None as well if it is not plain.
    fn next(&mut self) -> Option<Word<'a>> {
        let (word, rest) = self.0.split_first()?;
        self.0 = rest;
        if word.is_empty() || *word == "--" || *word == "-" {
            return None;
        }
        if !word.starts_with('-') {
            return Some(Word::Plain(word));
        }
        Some(match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => Word::Option(name, Some(value)),
            Some(_) => return None,
            None => Word::Option(word, None),
        })
    }

    /// The same, where the end is no reason to give up.
    fn next_or_end(&mut self) -> Option<Option<Word<'a>>> {
        if self.0.is_empty() {
            return Some(None);
        }
        self.next().map(Some)
    }

    /// The value of an option: after its equals sign, or the next word.
    fn value(&mut self, attached: Option<&'a str>) -> Option<&'a str> {
        let value = match attached {
            Some(value) => value,
            None => match self.next()? {
                Word::Plain(value) => value,
                Word::Option(..) => return None,
            },
        };
        (!value.is_empty()).then_some(value)
    }

    fn path(&mut self, attached: Option<&'a str>) -> Option<PathBuf> {
        self.value(attached).map(PathBuf::from)
    }

    fn only_plain(&mut self) -> Option<String> {
        match (self.next()?, self.0) {
            (Word::Plain(word), []) => Some(word.to_owned()),
            _ => None,
        }
    }
}

/// What is said twice is for the parser to judge.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

fn flag(place: &mut bool) -> Option<()> {
    (!std::mem::replace(place, true)).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use proptest::prelude::*;

    /// Words that command lines are made of, and some that they should not have.
    const VOCABULARY: &[&str] = &[
        "--root",
        "--root=/r",
        "--root=",
        "--log",
        "--log=l",
        "--log-format",
        "--log-format=json",
        "text",
        "json",
        "--debug",
        "--debug=1",
        "--engine",
        "--systemd-cgroup",
        "--rootless=auto",
        "create",
        "run",
        "start",
        "state",
        "kill",
        "delete",
        "exec",
        "list",
        "help",
        "--help",
        "-h",
        "--bundle",
        "--bundle=b",
        "-b",
        "-bx",
        "-b=x",
        "--pid-file",
        "--console-socket",
        "--no-pivot",
        "--no-new-keyring",
        "--preserve-fds=2",
        "--detach",
        "-d",
        "--keep",
        "-dk",
        "--no-subreaper",
        "--all",
        "-a",
        "--force",
        "-f",
        "-9",
        "KILL",
        "--process",
        "-p",
        "--cwd",
        "--user",
        "-u",
        "1:2",
        "--env",
        "-e",
        "A=b",
        "--tty",
        "-t",
        "-",
        "--",
        "",
        "a",
        "b",
        "c",
        "/x/y",
        "sh",
        "-c",
        "--version",
        "-v",
    ];

    fn whole(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    /// Words around a command, so that a good part of the lines are understood.
    fn line() -> impl Strategy<Value = Vec<&'static str>> {
        let words = |most| proptest::collection::vec(proptest::sample::select(VOCABULARY), 0..most);
        let command = proptest::sample::select(&VOCABULARY[14..21]);
        (words(3), command, words(6))
            .prop_map(|(before, command, after)| [before, vec![command], after].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]
        #[test]
        fn what_is_understood_is_understood_alike(words in line()) {
            if let Some(quick) = parse(&whole(&words)) {
                let parsed = Cli::try_parse_from(std::iter::once("refrun").chain(words.clone()));
                let parsed =
                    parsed.map_err(|error| TestCaseError::fail(format!("{words:?}: {error}")))?;
                prop_assert_eq!(format!("{quick:?}"), format!("{parsed:?}"), "{:?}", words);
            }
        }
    }

    #[test]
    fn what_engines_write_is_understood() {
        let lines: &[&[&str]] = &[
            &["run", "x"],
            &[
                "--root",
                "/r",
                "--log",
                "/l",
                "--log-format",
                "json",
                "create",
                "--bundle",
                "/b",
                "--pid-file",
                "/p",
                "x",
            ],
            &["--root=/r", "--log-format=json", "start", "x"],
            &["state", "x"],
            &["kill", "--all", "x", "9"],
            &["kill", "x"],
            &["--root", "/r", "delete", "--force", "x"],
            &[
                "exec",
                "--process",
                "/p",
                "--pid-file",
                "/q",
                "--detach",
                "x",
            ],
            &["exec", "-t", "-e", "A=b", "x", "sh", "-c", "true"],
        ];
        for line in lines {
            let quick = parse(&whole(line)).unwrap_or_else(|| panic!("{line:?}"));
            let parsed = Cli::parse_from(std::iter::once(&"refrun").chain(*line));
            assert_eq!(format!("{quick:?}"), format!("{parsed:?}"));
        }
    }
}

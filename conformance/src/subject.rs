//! A runtime under test: how it is called, what it says of itself, what it was found to be able to.

use std::path::{Path, PathBuf};

use oci_runtime_schemas::SpecVersion;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::results::RuntimeFacts;

/// Oldest and newest version of the specification that a subject is judged by.
pub const OLDEST: &str = "1.0.0";
/// See [`OLDEST`].
pub const NEWEST: &str = "1.3.0";

/// `--runtime [LABEL=]'COMMAND [GLOBAL-ARG]…'`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// As given, if it was.
    pub label: Option<String>,
    /// The program, absolute.
    pub program: PathBuf,
    /// Arguments that stand before every command.
    pub arguments: Vec<String>,
    /// Whether this is the reference runtime that the harness carries or was given.
    pub is_reference: bool,
}

impl Subject {
    /// Parses the flag's value and finds the program, in `PATH` if it has no slash.
    ///
    /// # Errors
    /// One sentence for a person, if the program is missing or cannot be executed: a usage error.
    pub fn parse(text: &str) -> Result<Subject, String> {
        let words = split_words(text)?;
        let (label, first) = match words.first().and_then(|word| word.split_once('=')) {
            Some((label, first)) if !label.contains('/') && !label.is_empty() => {
                (Some(label.to_owned()), first.to_owned())
            }
            _ => (None, words.first().cloned().unwrap_or_default()),
        };
        if first.is_empty() {
            return Err(format!("--runtime {text:?} names no program"));
        }
        let program = find_program(&first)?;
        Ok(Subject {
            label,
            program,
            arguments: words[1..].to_vec(),
            is_reference: false,
        })
    }

    /// SHA-256 of the program as `sha256sum` prints it: which bytes were judged, whatever path and
    /// version say. A script's digest tells nothing of what the script calls. None if the program
    /// may be executed but not read.
    pub fn digest(&self) -> Option<String> {
        let mut hash = Sha256::new();
        let mut program = std::fs::File::open(&self.program).ok()?;
        let mut piece = vec![0; 1 << 16];
        loop {
            match std::io::Read::read(&mut program, &mut piece).ok()? {
                0 => break,
                length => hash.update(&piece[..length]),
            }
        }
        Some(
            hash.finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// The command line of one operation, with `--root` if the subject takes it.
    pub fn command(&self, root: Option<&Path>, operation: &[&str]) -> Vec<String> {
        let mut argv = vec![self.program.display().to_string()];
        argv.extend(self.arguments.iter().cloned());
        if let Some(root) = root {
            argv.push("--root".into());
            argv.push(root.display().to_string());
        }
        argv.extend(operation.iter().map(|word| (*word).to_owned()));
        argv
    }
}

/// What a subject was found to be, before its cases are run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Profile {
    /// First word of `--version`'s first line, else the file's name.
    pub name: String,
    /// The first word behind it that begins with a digit, else empty.
    pub version: String,
    /// The version of the specification that the subject says it implements.
    pub claim: Option<String>,
    /// Where it says so: `features` or `the spec line of --version`.
    pub claimed_in: String,
    /// The features document, if the subject prints one.
    pub features: Option<serde_json::Value>,
    /// Commands beyond the specification's operations that its help knows.
    #[serde(default)]
    pub commands: Vec<String>,
    /// Whether `--root D` before the command moves the state directory.
    pub takes_root: bool,
    /// Whether containers run on the host's kernel.
    pub shared_kernel: bool,
    /// Seconds that create, start and delete of the plain container took together.
    pub plain_seconds: f64,
}

impl Profile {
    /// The version to judge by: what is asked for, else the claim, else the newest; never outside
    /// of what the catalogue knows.
    pub fn judged(&self, asked: Option<&SpecVersion>) -> SpecVersion {
        let bound = |text: &str| text.parse::<SpecVersion>().expect("a version of ours");
        let claimed = || self.claim.as_deref().and_then(|claim| claim.parse().ok());
        let version = asked
            .copied()
            .or_else(claimed)
            .unwrap_or_else(|| bound(NEWEST));
        version.clamp(bound(OLDEST), bound(NEWEST))
    }

    /// Whether the subject claims what followed a version: `1.0.2-dev` is what the specification called
    /// itself from 1.0.2 to 1.1.0, so that what was given up in between need not bind any more.
    pub(crate) fn is_past(&self, version: &SpecVersion) -> bool {
        self.claim.as_deref().is_some_and(|claim| {
            claim.contains('-') && claim.parse::<SpecVersion>().is_ok_and(|it| it == *version)
        })
    }

    /// The facts that go into the results file.
    pub fn facts(&self, subject: &Subject) -> RuntimeFacts {
        let mut abilities = Vec::new();
        abilities.push(
            if self.takes_root {
                "takes --root"
            } else {
                "ignores --root"
            }
            .to_owned(),
        );
        abilities.push(
            if self.shared_kernel {
                "shares the host's kernel"
            } else {
                "brings its own kernel"
            }
            .to_owned(),
        );
        if self.features.is_some() {
            abilities.push("prints features".into());
        }
        let name = match self.name.as_str() {
            "" => file_name(&subject.program),
            name => name.to_owned(),
        };
        RuntimeFacts {
            label: subject.label.clone().unwrap_or_else(|| name.clone()),
            path: subject.program.display().to_string(),
            sha256: None,
            arguments: subject.arguments.clone(),
            name,
            version: self.version.clone(),
            claim: self.claim.as_ref().map_or_else(String::new, |claim| {
                format!("{claim} ({})", self.claimed_in)
            }),
            is_reference: subject.is_reference,
            abilities,
        }
    }
}

/// Reads name, version and claim from what `--version` printed.
pub fn read_version(output: &str, program: &Path) -> (String, String, Option<String>) {
    let first = output.lines().next().unwrap_or("");
    let mut words = first.split_whitespace();
    let name = words
        .next()
        .filter(|word| word.len() <= 64)
        .map_or_else(|| file_name(program), str::to_owned);
    let version = words
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.len() <= 64)
        .unwrap_or("")
        .to_owned();
    let claim = output
        .lines()
        .filter_map(|line| line.trim().strip_prefix("spec:"))
        .map(|text| text.trim().to_owned())
        .find(|text| text.parse::<SpecVersion>().is_ok());
    (name, version, claim)
}

/// The higher of two claims with where each stands; a features document may be absent or odd.
pub fn higher_claim(
    version_line: Option<String>,
    features: Option<&serde_json::Value>,
) -> (Option<String>, String) {
    let from_features = features
        .and_then(|document| document.get("ociVersionMax"))
        .and_then(|value| value.as_str())
        .map(str::to_owned)
        .filter(|text| text.parse::<SpecVersion>().is_ok());
    let parse = |text: &Option<String>| text.as_deref().and_then(|t| t.parse::<SpecVersion>().ok());
    if from_features.is_some() && parse(&from_features) >= parse(&version_line) {
        (from_features, "ociVersionMax of features".into())
    } else if version_line.is_some() {
        (version_line, "the spec line of --version".into())
    } else {
        (None, String::new())
    }
}

fn file_name(program: &Path) -> String {
    program
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn find_program(name: &str) -> Result<PathBuf, String> {
    let candidates: Vec<PathBuf> = if name.contains('/') {
        vec![PathBuf::from(name)]
    } else {
        std::env::var_os("PATH")
            .map(|path| {
                std::env::split_paths(&path)
                    .map(|dir| dir.join(name))
                    .collect()
            })
            .unwrap_or_default()
    };
    let found = candidates.into_iter().find(|path| path.is_file());
    let Some(path) = found else {
        return Err(format!("runtime {name:?} is not there"));
    };
    if nix::unistd::access(&path, nix::unistd::AccessFlags::X_OK).is_err() {
        return Err(format!("runtime {} is not executable", path.display()));
    }
    if !begins_like_a_program(&path) {
        return Err(format!(
            "runtime {} is not executable: it is neither an ELF file nor a script with #!",
            path.display()
        ));
    }
    std::path::absolute(&path).map_err(|error| format!("runtime {}: {error}", path.display()))
}

/// Whether execve(2) can take the file: ELF, `#!`, or a host that has further formats.
fn begins_like_a_program(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(4).read_to_end(&mut magic));
    let further = std::fs::read_dir("/proc/sys/fs/binfmt_misc").is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name() != "register" && entry.file_name() != "status")
    });
    // What may be executed need not be readable.
    read.is_err() || magic.starts_with(b"\x7fELF") || magic.starts_with(b"#!") || further
}

/// Splits at blanks as a shell would, with single and double quotes and backslash.
fn split_words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                word.get_or_insert_default()
                    .push(chars.next().unwrap_or('\\'));
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("--runtime {text:?} has an open quote"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_taken_apart_like_a_shell_would() {
        let subject = Subject::parse("mine=/bin/sh --debug 'a b' \"c\\\"d\" e\\ f").unwrap();
        assert_eq!(subject.label.as_deref(), Some("mine"));
        assert_eq!(subject.program, Path::new("/bin/sh"));
        assert_eq!(subject.arguments, ["--debug", "a b", "c\"d", "e f"]);
        assert!(
            Subject::parse("/bin/sh 'open")
                .unwrap_err()
                .contains("open quote")
        );
    }

    #[test]
    fn an_equals_sign_behind_a_slash_is_no_label() {
        assert_eq!(
            Subject::parse("/bin/sh --root=x").unwrap().arguments,
            ["--root=x"]
        );
        assert!(
            Subject::parse("/no/such=thing")
                .unwrap_err()
                .contains("is not there")
        );
        assert!(Subject::parse("").is_err());
    }

    #[test]
    fn version_lines_of_real_runtimes_are_read() {
        let runc = "runc version 1.1.5+ds1\ncommit: x\nspec: 1.0.2-dev\ngo: go1.19.8\n";
        let (name, version, claim) = read_version(runc, Path::new("/usr/sbin/runc"));
        assert_eq!((name.as_str(), version.as_str()), ("runc", "1.1.5+ds1"));
        assert_eq!(claim.as_deref(), Some("1.0.2-dev"));
        let (name, version, claim) = read_version("", Path::new("/bin/odd"));
        assert_eq!((name.as_str(), version.as_str(), claim), ("odd", "", None));
    }

    #[test]
    fn a_digest_is_that_of_the_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("program");
        std::fs::write(&program, "abc").unwrap();
        let mut subject = Subject {
            label: None,
            program,
            arguments: Vec::new(),
            is_reference: false,
        };
        // FIPS 180-4's own example.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(subject.digest().as_deref(), Some(known));
        subject.program.set_file_name("another");
        assert_eq!(subject.digest(), None);
    }

    #[test]
    fn the_higher_claim_wins() {
        let features = serde_json::json!({"ociVersionMax": "1.2.0"});
        let (claim, place) = higher_claim(Some("1.0.2-dev".into()), Some(&features));
        assert_eq!(claim.as_deref(), Some("1.2.0"));
        assert!(place.contains("features"));
        let (claim, _) = higher_claim(Some("1.0.2-dev".into()), None);
        assert_eq!(claim.as_deref(), Some("1.0.2-dev"));
        let profile = Profile {
            claim,
            ..Profile::default()
        };
        assert_eq!(profile.judged(None).to_string(), "1.0.2");
        assert!(profile.is_past(&"1.0.2".parse().unwrap()));
        assert!(!profile.is_past(&"1.1.0".parse().unwrap()));
        let released = Profile {
            claim: Some("1.0.2".into()),
            ..Profile::default()
        };
        assert!(!released.is_past(&"1.0.2".parse().unwrap()));
        assert_eq!(Profile::default().judged(None).to_string(), NEWEST);
    }
}

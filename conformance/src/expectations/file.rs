//! Expectation files: TOML that people write, read strictly, with errors that name the line.

use std::fmt;
use std::path::{Path, PathBuf};

use globset::GlobMatcher;
use serde::Deserialize;
use toml::Spanned;
use toml::value::Date;

use super::update::UNEXPLAINED;
use super::when::{KernelCondition, When};
use crate::results::{RuntimeFacts, Verdict};

/// Version of the format that this program reads.
const FORMAT: i64 = 1;

/// A mistake of whoever wrote the file or the command line; the program ends with 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(pub String);

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// The known failures of one subject.
#[derive(Clone, Debug)]
pub struct ExpectationFile {
    /// Where it was read.
    pub path: PathBuf,
    /// Whom it speaks of; everyone if absent.
    pub subject: Option<Subject>,
    /// The failures, in the file's order.
    pub waivers: Vec<Waiver>,
}

/// `[subject]`.
#[derive(Clone, Debug)]
pub struct Subject {
    /// First word of `--version`.
    pub name: String,
    /// Which of its versions; all if absent.
    pub version: Option<GlobMatcher>,
}

/// A failure that is known and explained.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// Line of the file, from 1.
    pub line: usize,
    /// The case's id.
    pub case: String,
    /// Exactly the clauses that it finds broken.
    pub clauses: Vec<String>,
    /// The case's verdict.
    pub verdict: WaiverVerdict,
    /// Whether the failure depends on timing, so that the case may also end as if there were none.
    pub sometimes: bool,
    /// On which hosts.
    pub when: When,
    /// What is seen, for readers.
    pub observed: Option<String>,
    /// Why the subject does so.
    pub reason: String,
    /// Where it is tracked.
    pub link: Option<String>,
    /// The last day on which the waiver holds.
    pub until: Option<Date>,
}

/// Verdicts that can be waived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum WaiverVerdict {
    Fail,
    Warn,
    Timeout,
}

impl WaiverVerdict {
    /// The verdict of a case that it stands for.
    pub fn verdict(self) -> Verdict {
        match self {
            WaiverVerdict::Fail => Verdict::Fail,
            WaiverVerdict::Warn => Verdict::Warn,
            WaiverVerdict::Timeout => Verdict::Timeout,
        }
    }
}

impl ExpectationFile {
    /// Reads and checks a file. `today` is counted in days from 1970-01-01, in UTC.
    ///
    /// # Errors
    /// What is wrong, with the file and the line.
    pub fn load(
        path: &Path,
        known_case: &dyn Fn(&str) -> bool,
        today: i64,
    ) -> Result<ExpectationFile, UsageError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| UsageError(format!("read {}: {error}", path.display())))?;
        ExpectationFile::parse(path, &text, known_case, today)
    }

    /// Checks a file's text; see [`ExpectationFile::load`].
    ///
    /// # Errors
    /// What is wrong, with the file and the line.
    pub fn parse(
        path: &Path,
        text: &str,
        known_case: &dyn Fn(&str) -> bool,
        today: i64,
    ) -> Result<ExpectationFile, UsageError> {
        Reader {
            path,
            text,
            known_case,
            today: Some(date_of(today)),
        }
        .read()
    }

    /// Reads a file that is being written: reasons may be missing, waivers may have ended, and cases
    /// may be unknown.
    pub(super) fn parse_draft(path: &Path, text: &str) -> Result<ExpectationFile, UsageError> {
        Reader {
            path,
            text,
            known_case: &|_| true,
            today: None,
        }
        .read()
    }

    /// Whether the file speaks of a subject.
    pub fn applies_to(&self, runtime: &RuntimeFacts) -> bool {
        self.subject.as_ref().is_none_or(|subject| {
            subject.name == runtime.name
                && subject
                    .version
                    .as_ref()
                    .is_none_or(|glob| glob.is_match(&runtime.version))
        })
    }

    /// `FILE:LINE`.
    pub fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }
}

/// The date of a day counted from 1970-01-01, as TOML has it.
fn date_of(days: i64) -> Date {
    let (year, month, day) = crate::calendar::date(days);
    Date {
        year: year as u16,
        month: month as u8,
        day: day as u8,
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: Spanned<i64>,
    subject: Option<WrittenSubject>,
    #[serde(default)]
    waiver: Vec<Spanned<WrittenWaiver>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSubject {
    name: Spanned<String>,
    version: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWaiver {
    case: Spanned<String>,
    clauses: Spanned<Vec<Spanned<String>>>,
    verdict: WaiverVerdict,
    #[serde(default)]
    sometimes: bool,
    #[serde(default)]
    when: WrittenWhen,
    observed: Option<String>,
    reason: Spanned<String>,
    link: Option<String>,
    until: Option<Spanned<toml::value::Datetime>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWhen {
    cgroup: Option<Spanned<Vec<Spanned<String>>>>,
    root: Option<bool>,
    kernel: Option<Spanned<String>>,
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    known_case: &'a dyn Fn(&str) -> bool,
    /// Absent for a draft, which nobody is judged by.
    today: Option<Date>,
}

impl Reader<'_> {
    fn read(&self) -> Result<ExpectationFile, UsageError> {
        let written: Written = toml::from_str(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.error(at, error.message().trim().replace('\n', ", "))
        })?;
        if *written.format.get_ref() != FORMAT {
            return Err(self.wrong(
                &written.format,
                format!(
                    "format {} is not known; this program reads {FORMAT}",
                    written.format.get_ref()
                ),
            ));
        }
        let subject = written
            .subject
            .map(|subject| self.subject(subject))
            .transpose()?;
        let mut waivers: Vec<Waiver> = Vec::new();
        for entry in written.waiver {
            let line = self.line(entry.span().start);
            let waiver = self.waiver(line, entry.into_inner())?;
            if let Some(first) = waivers.iter().find(|other| other.case == waiver.case) {
                return Err(UsageError(format!(
                    "{}:{line}: a second waiver for {}; the first is in line {}",
                    self.path.display(),
                    waiver.case,
                    first.line
                )));
            }
            waivers.push(waiver);
        }
        Ok(ExpectationFile {
            path: self.path.to_owned(),
            subject,
            waivers,
        })
    }

    fn subject(&self, written: WrittenSubject) -> Result<Subject, UsageError> {
        if written.name.get_ref().is_empty() {
            return Err(self.wrong(&written.name, "the subject's name is empty"));
        }
        let version = written.version.map(|glob| {
            globset::Glob::new(glob.get_ref())
                .map(|parsed| parsed.compile_matcher())
                .map_err(|error| self.wrong(&glob, format!("version is no glob: {}", error.kind())))
        });
        Ok(Subject {
            name: written.name.into_inner(),
            version: version.transpose()?,
        })
    }

    fn waiver(&self, line: usize, written: WrittenWaiver) -> Result<Waiver, UsageError> {
        let case = written.case.get_ref();
        if !(self.known_case)(case) {
            return Err(self.wrong(&written.case, format!("no case has the id {case:?}")));
        }
        self.unlike_each_other("clause", &written.clauses)?;
        if written.clauses.get_ref().is_empty() && written.verdict != WaiverVerdict::Timeout {
            return Err(self.wrong(&written.clauses, "clauses is empty: name what is broken"));
        }
        let reason = written.reason.get_ref().trim();
        let is_draft = self.today.is_none();
        if !is_draft && (reason.is_empty() || reason == UNEXPLAINED) {
            return Err(self.wrong(
                &written.reason,
                format!(
                    "the reason is {:?}: say why the subject fails here",
                    written.reason.get_ref()
                ),
            ));
        }
        let until = written.until.map(|until| self.until(&until)).transpose()?;
        let strings = |list: Spanned<Vec<Spanned<String>>>| {
            list.into_inner()
                .into_iter()
                .map(Spanned::into_inner)
                .collect::<Vec<String>>()
        };
        Ok(Waiver {
            line,
            case: case.clone(),
            verdict: written.verdict,
            sometimes: written.sometimes,
            when: self.when(written.when)?,
            observed: written.observed,
            reason: reason.to_owned(),
            link: written.link,
            until,
            clauses: strings(written.clauses),
        })
    }

    fn when(&self, written: WrittenWhen) -> Result<When, UsageError> {
        if let Some(cgroup) = &written.cgroup {
            self.unlike_each_other("cgroup", cgroup)?;
            for word in cgroup.get_ref() {
                if !matches!(word.get_ref().as_str(), "v1" | "v2" | "hybrid" | "none") {
                    let text = format!(
                        "cgroup {:?} is none of v1, v2, hybrid, none",
                        word.get_ref()
                    );
                    return Err(self.wrong(word, text));
                }
            }
        }
        let kernel = written.kernel.map(|kernel| {
            KernelCondition::parse(kernel.get_ref()).ok_or_else(|| {
                let text = format!(
                    "kernel {:?} is no comparison with a version like \"<6.1\" (<, <=, =, >=, >)",
                    kernel.get_ref()
                );
                self.wrong(&kernel, text)
            })
        });
        let cgroup = written.cgroup.map(|list| {
            list.into_inner()
                .into_iter()
                .map(Spanned::into_inner)
                .collect()
        });
        Ok(When {
            cgroup,
            root: written.root,
            kernel: kernel.transpose()?,
        })
    }

    fn until(&self, written: &Spanned<toml::value::Datetime>) -> Result<Date, UsageError> {
        let date = match written.get_ref() {
            toml::value::Datetime {
                date: Some(date),
                time: None,
                offset: None,
            } => *date,
            other => {
                return Err(
                    self.wrong(written, format!("until {other} is no date like 2027-06-30"))
                );
            }
        };
        if self.today.is_some_and(|today| date < today) {
            let text = format!("the waiver ended on {date}: remove it, or look again and renew it");
            return Err(self.wrong(written, text));
        }
        Ok(date)
    }

    fn unlike_each_other(
        &self,
        what: &str,
        list: &Spanned<Vec<Spanned<String>>>,
    ) -> Result<(), UsageError> {
        let entries = list.get_ref();
        for (at, entry) in entries.iter().enumerate() {
            if entries[..at]
                .iter()
                .any(|before| before.get_ref() == entry.get_ref())
            {
                return Err(self.wrong(entry, format!("{what} {:?} stands twice", entry.get_ref())));
            }
        }
        Ok(())
    }

    fn wrong<T>(&self, value: &Spanned<T>, text: impl Into<String>) -> UsageError {
        self.error(value.span().start, text)
    }

    fn error(&self, offset: usize, text: impl Into<String>) -> UsageError {
        UsageError(format!(
            "{}:{}: {}",
            self.path.display(),
            self.line(offset),
            text.into()
        ))
    }

    fn line(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (19_723, (2024, 1, 1)),
            (20_453, (2025, 12, 31)),
        ] {
            let (year, month, day) = date;
            assert_eq!(date_of(days), Date { year, month, day }, "day {days}");
        }
    }
}

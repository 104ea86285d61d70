//! Results documents become the data of a page: the union of their cases, a column a subject.

use std::collections::{BTreeMap, HashMap, HashSet};

use oci_runtime_schemas::{Catalogue, Clause, SPEC_VERSIONS, SpecVersion};

use super::page::{self, Page, Section};
use super::texts::{Shared, Texts, shown};
use crate::report::{Clauses, ending, escape, human, values};
use crate::results::{CaseResult, FailLevel, Finding, FindingVerdict, Results, Run, Step, Verdict};
use crate::{cases, catalogue_views};

/// Characters kept of a name: labels, ids, versions.
const NAME: usize = 200;
/// Characters kept of a sentence, a path or a word of a command.
const SENTENCE: usize = 1000;

/// How much evidence a page holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Characters kept of an output or a value.
    text: usize,
    /// Whether the values of what passed are there.
    values_of_passes: bool,
    /// Whether the commands of what is as expected are there.
    steps_of_expected: bool,
    /// What of it all is left out, in words.
    left_out: &'static str,
}

impl Extent {
    /// From everything that is worth showing to the least that is of use.
    pub(super) const ALL: [Extent; 5] = [
        Extent {
            text: 4096,
            values_of_passes: true,
            steps_of_expected: true,
            left_out: "",
        },
        Extent {
            text: 1024,
            values_of_passes: true,
            steps_of_expected: true,
            left_out: "outputs and values are cut to 1024 characters",
        },
        Extent {
            text: 256,
            values_of_passes: false,
            steps_of_expected: true,
            left_out: "outputs and values are cut to 256 characters, and values that passed left out",
        },
        Extent {
            text: 128,
            values_of_passes: false,
            steps_of_expected: false,
            left_out: "outputs and values are cut to 128 characters; values that passed, and the commands of cases that are as expected, are left out",
        },
        Extent {
            text: 32,
            values_of_passes: false,
            steps_of_expected: false,
            left_out: "outputs and values are cut to 32 characters; values that passed, and the commands of cases that are as expected, are left out",
        },
    ];
}

/// The data of one page.
pub(super) fn page(clauses: Clauses<'_>, documents: &[&Results], extent: Extent) -> Page {
    let columns: Vec<(usize, &Run)> = documents
        .iter()
        .enumerate()
        .flat_map(|(at, document)| document.runs.iter().map(move |run| (at, run)))
        .collect();
    let sections = Sections::of(clauses, &columns);
    let mut gathering = Gathering {
        clauses,
        extent,
        places: sections.places,
        cited: Shared::new(),
        details: Shared::new(),
        findings: Shared::new(),
        texts: Texts::new(),
    };
    let cases = gathering.cases(&columns);
    let mut labels = HashMap::new();
    Page {
        versions: SPEC_VERSIONS.iter().map(SpecVersion::to_string).collect(),
        left_out: extent.left_out.into(),
        documents: documents.iter().map(|results| document(results)).collect(),
        runtimes: columns
            .iter()
            .map(|(at, run)| runtime(documents[*at], *at, run, &mut labels))
            .collect(),
        sections: sections.list,
        clauses: gathering.cited.into_values(),
        cases,
        details: gathering.details.into_values(),
        findings: gathering.findings.into_values(),
        texts: gathering.texts.into_values(),
    }
}

/// A verdict in a case's row.
pub(super) fn letter(verdict: Verdict) -> char {
    match verdict {
        Verdict::Pass => 'p',
        Verdict::Unsupported => 'u',
        Verdict::Inapplicable => 'i',
        Verdict::Warn => 'w',
        Verdict::Fail => 'f',
        Verdict::Timeout => 't',
        Verdict::Broken => 'b',
    }
}

fn document(results: &Results) -> page::Document {
    let host = &results.host;
    let command =
        std::iter::once("oci-conformance").chain(results.arguments.iter().map(String::as_str));
    page::Document {
        tool: shown(
            &format!("{} {}", results.tool.name, results.tool.version),
            NAME,
        ),
        started: shown(&results.started, NAME),
        kernel: shown(&host.kernel, NAME),
        machine: shown(&host.machine, NAME),
        cgroup: shown(&host.cgroup, NAME),
        root: host.root,
        notes: host
            .notes
            .iter()
            .map(|note| shown(note, SENTENCE))
            .collect(),
        level: match results.level {
            FailLevel::Must => "must",
            FailLevel::Should => "should",
        },
        shard: results
            .shard
            .map(|shard| format!("{} of {}", shard.index, shard.of)),
        command: shown(&escape::shell(command), SENTENCE),
    }
}

fn runtime(
    results: &Results,
    document: usize,
    run: &Run,
    labels: &mut HashMap<String, u32>,
) -> page::Runtime {
    let facts = &run.runtime;
    let command = escape::shell(std::iter::once(&facts.path).chain(&facts.arguments));
    page::Runtime {
        label: distinct(shown(&facts.label, NAME), labels),
        name: shown(&facts.name, NAME),
        version: shown(&facts.version, NAME),
        command: shown(&command, SENTENCE),
        sha256: shown(facts.sha256.as_deref().unwrap_or_default(), NAME),
        claim: shown(&facts.claim, NAME),
        spec: shown(&run.spec_judged, NAME),
        seconds: run.seconds,
        is_reference: facts.is_reference,
        abilities: facts
            .abilities
            .iter()
            .map(|ability| shown(ability, NAME))
            .collect(),
        document,
        reproduce: shown(&human::reproduce(results, run, "CASE"), 4 * SENTENCE),
        not_exercised: run
            .waivers_not_exercised
            .iter()
            .map(|entry| [shown(&entry.case, NAME), shown(&entry.why, SENTENCE)])
            .collect(),
    }
}

/// Two documents may each have a `runc`.
fn distinct(label: String, seen: &mut HashMap<String, u32>) -> String {
    let count = seen.entry(label.clone()).or_default();
    *count += 1;
    match *count {
        1 => label,
        count => distinct(format!("{label}#{count}"), seen),
    }
}

/// The rows' headings, and where each stands.
struct Sections {
    list: Vec<Section>,
    /// By the catalogue's name of a section: `config.md#configHostname`. The empty one is for cases
    /// that the catalogue knows nothing of.
    places: HashMap<&'static str, usize>,
}

impl Sections {
    /// Every section that binds one of the subjects or is judged, in the catalogue's order.
    fn of(clauses: Clauses<'_>, columns: &[(usize, &Run)]) -> Sections {
        let versions: Vec<SpecVersion> = columns
            .iter()
            .filter_map(|(_, run)| run.spec_judged.parse().ok())
            .collect();
        let judged: HashSet<&str> = columns
            .iter()
            .flat_map(|(_, run)| &run.cases)
            .flat_map(|case| &case.findings)
            .filter(|finding| is_judgement(finding))
            .map(|finding| finding.clause.as_str())
            .collect();
        let mut sections = Sections {
            list: Vec::new(),
            places: HashMap::new(),
        };
        let known = Catalogue::get()
            .iter()
            .filter_map(|clause| clauses.by_id(clause.id));
        for clause in known {
            let place = sections.place(clause);
            let binds = versions.iter().any(|version| clause.binds(version));
            if !binds || !catalogue_views::is_counted(clause) {
                continue;
            }
            let section = &mut sections.list[place];
            section.binding += 1;
            if judged.contains(clause.id) {
                section.judged += 1;
            } else if !catalogue_views::can_be_judged(clause) {
                section.never += 1;
            }
        }
        // What the report's clauses have and the catalogue does not stands behind it.
        for (_, run) in columns {
            for id in run.cases.iter().flat_map(|case| &case.clauses) {
                if let Some(clause) = clauses.by_id(id) {
                    sections.place(clause);
                }
            }
        }
        sections.places.insert("", sections.list.len());
        sections.list.push(Section {
            file: String::new(),
            anchor: String::new(),
            title: "Other".into(),
            beyond: true,
            binding: 0,
            judged: 0,
            never: 0,
        });
        sections
    }

    fn place(&mut self, clause: &'static Clause) -> usize {
        let next = self.list.len();
        let place = *self.places.entry(clause.section).or_insert(next);
        if place == next {
            let (file, anchor) = clause
                .section
                .split_once('#')
                .unwrap_or((clause.section, ""));
            self.list.push(Section {
                file: file.into(),
                anchor: anchor.into(),
                title: clause.section_title.into(),
                beyond: clause.is_beyond_the_specification(),
                binding: 0,
                judged: 0,
                never: 0,
            });
        }
        place
    }
}

/// What is collected while cases are read.
struct Gathering<'a> {
    clauses: Clauses<'a>,
    extent: Extent,
    places: HashMap<&'static str, usize>,
    cited: Shared<String, page::Clause>,
    /// By what they serialise to: most runtimes pass in the same way.
    details: Shared<String, page::Detail>,
    findings: Shared<String, page::Finding>,
    texts: Texts,
}

impl Gathering<'_> {
    /// All cases of all columns, by section and id.
    fn cases(&mut self, columns: &[(usize, &Run)]) -> Vec<page::Case> {
        let mut by_id: BTreeMap<&str, Vec<Option<&CaseResult>>> = BTreeMap::new();
        for (column, (_, run)) in columns.iter().enumerate() {
            for case in &run.cases {
                let row = by_id
                    .entry(&case.id)
                    .or_insert_with(|| vec![None; columns.len()]);
                row[column] = Some(case);
            }
        }
        let mut list: Vec<page::Case> = by_id
            .into_iter()
            .map(|(id, row)| self.case(id, &row))
            .collect();
        // Stable: by id within a section.
        list.sort_by_key(|case| case.section);
        list
    }

    fn case(&mut self, id: &str, row: &[Option<&CaseResult>]) -> page::Case {
        let ran = || row.iter().flatten();
        // What the suite declares comes first: what is recorded depends on how far a case got.
        let declared = cases::by_id(id).map_or(&[][..], |case| case.judges);
        let recorded = ran().flat_map(|case| case.clauses.iter().map(String::as_str));
        let mut ids: Vec<&str> = Vec::new();
        for id in declared.iter().copied().chain(recorded) {
            if self.clauses.by_id(id).is_some() && !ids.contains(&id) {
                ids.push(id);
            }
        }
        let section = ids
            .first()
            .and_then(|id| self.clauses.by_id(id))
            .map_or("", |clause| clause.section);
        let section = self.places.get(section).or(self.places.get("")).copied();
        page::Case {
            id: shown(id, NAME),
            suite: ran()
                .next()
                .map_or_else(String::new, |case| shown(&case.suite, NAME)),
            section: section.unwrap_or(0),
            clauses: ids.into_iter().map(|id| self.clause(id)).collect(),
            verdicts: row
                .iter()
                .map(|case| case.map_or('-', |case| letter(case.verdict)))
                .collect(),
            unexpected: (0..row.len())
                .filter(|column| row[*column].is_some_and(|case| !case.as_expected))
                .collect(),
            ms: row
                .iter()
                .map(|case| case.map_or(0, |case| milliseconds(case.seconds)))
                .collect(),
            details: row
                .iter()
                .map(|case| case.map_or(0, |case| self.detail(case)))
                .collect(),
        }
    }

    fn clause(&mut self, id: &str) -> usize {
        let clause = self.clauses.by_id(id);
        let places = &self.places;
        self.cited.place(id.to_owned(), || match clause {
            Some(clause) => page::Clause {
                id: clause.id.into(),
                section: places.get(clause.section).copied(),
                force: clause.force().into(),
                level: clause.level.as_str().into(),
                says: clause.says.into(),
                since: clause.since.to_string(),
                until: clause
                    .until
                    .map_or_else(String::new, |until| until.to_string()),
                source: clause.source.unwrap_or_default().into(),
                note: clause.note.unwrap_or_default().into(),
            },
            None => page::Clause {
                id: shown(id, NAME),
                section: None,
                force: String::new(),
                level: String::new(),
                says: String::new(),
                since: String::new(),
                until: String::new(),
                source: String::new(),
                note: String::new(),
            },
        })
    }

    fn detail(&mut self, case: &CaseResult) -> usize {
        let mut optional = |text: &Option<String>| {
            let text = text.as_deref()?;
            Some(self.texts.place(text, SENTENCE))
        };
        let mut detail = page::Detail {
            need: optional(&case.need),
            waiver: optional(&case.waiver),
            because: optional(&case.unexpected_because),
            reference: case.reference.map(letter),
            ..page::Detail::default()
        };
        if case.attempts.len() > 1 {
            detail.attempts = case
                .attempts
                .iter()
                .map(|verdict| letter(*verdict))
                .collect();
        }
        detail.findings = case
            .findings
            .iter()
            .map(|finding| self.finding(finding))
            .collect();
        let known = case.as_expected && case.waiver.is_none();
        if case.verdict != Verdict::Pass && (self.extent.steps_of_expected || !known) {
            detail.steps = case.steps.iter().map(|step| self.step(step)).collect();
        }
        let key = key(&detail);
        self.details.place(key, || detail)
    }

    fn finding(&mut self, finding: &Finding) -> usize {
        let passes = finding.verdict == FindingVerdict::Pass;
        let limit = self.extent.text;
        let mut made = page::Finding {
            clause: self.clause(&finding.clause),
            verdict: word(finding.verdict),
            message: (!finding.message.is_empty())
                .then(|| self.texts.place(&finding.message, SENTENCE)),
            expected: None,
            observed: None,
            difference: Vec::new(),
            // A passing finding's step tells nothing, and would keep alike ones apart.
            step: finding.step.filter(|_| !passes),
        };
        if !passes || self.extent.values_of_passes {
            let mut value = |value| self.texts.place(&values::compact(value), limit);
            made.expected = Some(value(&finding.expected_value));
            made.observed = Some(value(&finding.observed_value));
        }
        if !passes {
            made.difference = self.difference(finding);
        }
        let key = key(&made);
        self.findings.place(key, || made)
    }

    /// Where values are long, what differs between them.
    fn difference(&mut self, finding: &Finding) -> Vec<(&'static str, page::Text)> {
        let lines = values::difference(&finding.expected_value, &finding.observed_value);
        let whole = |label| matches!(label, "expected" | "observed");
        if lines.iter().all(|line| whole(line.label)) {
            return Vec::new();
        }
        lines
            .iter()
            .map(|line| (line.label, self.texts.place(&line.text, self.extent.text)))
            .collect()
    }

    fn step(&mut self, step: &Step) -> page::Step {
        let limit = self.extent.text;
        let mut output = |text: &str| (!text.is_empty()).then(|| self.texts.place(text, limit));
        page::Step {
            stdout: output(&step.stdout),
            stderr: output(&step.stderr),
            argv: step
                .argv
                .iter()
                .map(|word| self.texts.place(word, SENTENCE))
                .collect(),
            ending: self.texts.place(&ending(step), NAME),
            ok: step.exit == Some(0),
            truncated: step.truncated,
            ms: milliseconds(step.seconds),
        }
    }
}

/// Whether a finding says that a clause holds or not.
fn is_judgement(finding: &Finding) -> bool {
    matches!(
        finding.verdict,
        FindingVerdict::Pass | FindingVerdict::Fail | FindingVerdict::Warn
    )
}

fn word(verdict: FindingVerdict) -> &'static str {
    match verdict {
        FindingVerdict::Pass => "pass",
        FindingVerdict::Fail => "fail",
        FindingVerdict::Warn => "warn",
        FindingVerdict::Info => "info",
        FindingVerdict::Unsupported => "unsupported",
    }
}

/// What makes two of a kind the same.
fn key(of: &impl serde::Serialize) -> String {
    // Structs of numbers and strings always serialise.
    serde_json::to_string(of).unwrap_or_default()
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

//! One runtime, earlier and later: what was added, removed, fixed, broken or changed.

use std::collections::{BTreeMap, BTreeSet};

use super::Named;
use crate::report::title;
use crate::results::{CaseResult, Finding, Run, Verdict};
use crate::runner;

/// What became of a runtime's verdicts.
#[derive(Debug)]
pub struct History {
    /// The earlier run, as reports call it.
    pub before: Side,
    /// The later run.
    pub after: Side,
    /// Facts beside the runtime that differ and can explain a change: `kernel: 6.1 → 6.18`.
    pub unlike: Vec<String>,
    /// The cases that are not alike: what got worse first, then by id.
    pub changes: Vec<Change>,
    /// How many cases are alike.
    pub alike: usize,
}

/// Which run a side of the comparison is.
#[derive(Debug)]
pub struct Side {
    /// The results file.
    pub file: String,
    /// Label and version of the runtime.
    pub title: String,
}

/// A case that is not as it was.
#[derive(Debug)]
pub struct Change {
    /// The case's id.
    pub case: String,
    /// What became of it.
    pub kind: Kind,
    /// Its earlier verdict, if it was there.
    pub before: Option<Verdict>,
    /// Its later verdict, if it is there.
    pub after: Option<Verdict>,
    /// Clauses that are broken and were not.
    pub newly_broken: Vec<String>,
    /// Clauses that were broken and are not.
    pub no_longer_broken: Vec<String>,
    /// The findings about the newly broken clauses.
    pub evidence: Vec<Finding>,
    /// Why the later case has no verdict on the subject, where it has none.
    pub need: Option<String>,
}

/// What became of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The runtime does something worse: the only kind that fails a comparison.
    Broken,
    /// It passes and did not.
    Fixed,
    /// Neither: less is wrong than before, something else is, or one of the runs could not tell.
    Changed,
    /// Only the later run has it.
    Added,
    /// Only the earlier run has it.
    Removed,
}

impl Kind {
    /// All, in the order of reports.
    pub const ALL: [Kind; 5] = [
        Kind::Broken,
        Kind::Fixed,
        Kind::Changed,
        Kind::Added,
        Kind::Removed,
    ];

    /// The word that reports use.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Broken => "broken",
            Kind::Fixed => "fixed",
            Kind::Changed => "changed",
            Kind::Added => "added",
            Kind::Removed => "removed",
        }
    }
}

impl History {
    /// Compares two runs of one runtime.
    pub fn of(before: (&Named, &Run), after: (&Named, &Run)) -> History {
        let cases = |run: &'_ Run| -> BTreeMap<String, CaseResult> {
            run.cases
                .iter()
                .map(|case| (case.id.clone(), case.clone()))
                .collect()
        };
        let [earlier, later] = [before.1, after.1].map(cases);
        let ids: BTreeSet<&String> = earlier.keys().chain(later.keys()).collect();
        let mut changes: Vec<Change> = ids
            .iter()
            .filter_map(|id| change(earlier.get(*id), later.get(*id)))
            .collect();
        // Stable: the cases of one kind stay in the order of their ids.
        changes.sort_by_key(|change| change.kind);
        let side = |(file, run): (&Named, &Run)| Side {
            file: file.0.clone(),
            title: title(run),
        };
        History {
            alike: ids.len() - changes.len(),
            unlike: unlike(before, after),
            before: side(before),
            after: side(after),
            changes,
        }
    }

    /// Whether the runtime does something worse than it did.
    pub fn is_worse(&self) -> bool {
        self.changes
            .iter()
            .any(|change| change.kind == Kind::Broken)
    }

    /// The changes of one kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(move |change| change.kind == kind)
    }
}

/// How a case changed, if it did.
fn change(before: Option<&CaseResult>, after: Option<&CaseResult>) -> Option<Change> {
    let broken = |case: Option<&CaseResult>| {
        case.map_or_else(Vec::new, |case| runner::broken_clauses(&case.findings))
    };
    let (earlier, later) = (broken(before), broken(after));
    let alone = |these: &[String], others: &[String]| -> Vec<String> {
        let mut alone: Vec<String> = these.to_vec();
        alone.retain(|id| !others.contains(id));
        alone
    };
    let newly_broken = alone(&later, &earlier);
    let no_longer_broken = alone(&earlier, &later);
    let kind = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => Kind::Added,
        (Some(_), None) => Kind::Removed,
        (Some(before), Some(after)) => {
            let is_alike = before.verdict == after.verdict
                && newly_broken.is_empty()
                && no_longer_broken.is_empty();
            if is_alike {
                return None;
            }
            // A clause that the earlier run never came to is news, but not a loss.
            let held = |id: &String| before.clauses.contains(id);
            match (rank(before.verdict), rank(after.verdict)) {
                (Some(was), Some(is)) if is > was || newly_broken.iter().any(held) => Kind::Broken,
                (Some(_), Some(_)) if after.verdict == Verdict::Pass => Kind::Fixed,
                _ => Kind::Changed,
            }
        }
    };
    let evidence = after.map_or_else(Vec::new, |case| {
        let is_news = |finding: &&Finding| newly_broken.contains(&finding.clause);
        case.findings.iter().filter(is_news).cloned().collect()
    });
    Some(Change {
        case: after.or(before)?.id.clone(),
        kind,
        before: before.map(|case| case.verdict),
        after: after.map(|case| case.verdict),
        need: after.and_then(|case| case.need.clone()),
        newly_broken,
        no_longer_broken,
        evidence,
    })
}

/// How bad a verdict is for the subject; none if it says nothing about the subject.
fn rank(verdict: Verdict) -> Option<u8> {
    match verdict {
        Verdict::Pass => Some(0),
        Verdict::Unsupported => Some(1),
        Verdict::Warn => Some(2),
        Verdict::Fail => Some(3),
        Verdict::Timeout => Some(4),
        Verdict::Inapplicable | Verdict::Broken => None,
    }
}

/// What beside the runtime can explain a change.
fn unlike((before, earlier): (&Named, &Run), (after, later): (&Named, &Run)) -> Vec<String> {
    let root = |is: bool| if is { "root" } else { "not root" };
    let [a, b] = [&before.1, &after.1];
    let program = |tool: &crate::results::Tool| format!("{} {}", tool.name, tool.version);
    let facts = [
        (
            "judged by",
            earlier.spec_judged.clone(),
            later.spec_judged.clone(),
        ),
        ("program", program(&a.tool), program(&b.tool)),
        ("kernel", a.host.kernel.clone(), b.host.kernel.clone()),
        ("machine", a.host.machine.clone(), b.host.machine.clone()),
        ("cgroup", a.host.cgroup.clone(), b.host.cgroup.clone()),
        ("user", root(a.host.root).into(), root(b.host.root).into()),
        ("host", a.host.notes.join("; "), b.host.notes.join("; ")),
    ];
    facts
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(what, before, after)| format!("{what}: {before} → {after}"))
        .collect()
}

//! The report for a person: what is wrong first, with evidence and a way to reproduce it; what is
//! known and what was not judged after that, in a line each; the totals last, where a terminal
//! leaves the eye.

mod case;
mod page;

use std::io::{self, Write};

pub(super) use self::case::reproduce;
use self::case::whole_case;
use self::page::{Page, Tint};
use super::{Clauses, Style, broken_findings, common_reason, escape, is_known, title, totals};
use crate::results::{CaseResult, FailLevel, Results, Run, Verdict};

/// Heads the sections of statements that are ours.
const BEYOND: &str = "Beyond the specification";
/// Ids that are listed behind a reason; more are counted only.
const IDS_LISTED: usize = 4;

pub(super) fn write(
    clauses: Clauses<'_>,
    results: &Results,
    out: &mut dyn Write,
    style: Style,
) -> io::Result<()> {
    let mut page = Page::new(out, style, clauses);
    host(results, &mut page)?;
    for (at, run) in results.runs.iter().enumerate() {
        page.blank()?;
        runtime(results, run, &mut page)?;
        failed(results, run, &mut page)?;
        stale_waivers(results, run, &mut page)?;
        with_verdict(
            Verdict::Timeout,
            "Did not end in time",
            results,
            run,
            &mut page,
        )?;
        with_verdict(
            Verdict::Warn,
            "Warnings: a SHOULD clause is broken",
            results,
            run,
            &mut page,
        )?;
        with_verdict(
            Verdict::Broken,
            "Broken: the harness is at fault here, not the subject",
            results,
            run,
            &mut page,
        )?;
        known(run, &mut page)?;
        not_judged(run, Verdict::Unsupported, "Unsupported", &mut page)?;
        not_judged(run, Verdict::Inapplicable, "Inapplicable", &mut page)?;
        not_exercised(run, &mut page)?;
        page.blank()?;
        if at + 1 == results.runs.len() {
            without_root(results, &mut page)?;
        }
        summary(run, &mut page)?;
    }
    if results.runs.len() > 1 {
        side_by_side(&results.runs, &mut page)?;
    }
    Ok(())
}

/// The head: what decides verdicts beside the subjects.
fn host(results: &Results, page: &mut Page) -> io::Result<()> {
    let host = &results.host;
    let tool = format!("{} {}", results.tool.name, results.tool.version);
    page.line(0, 2, Tint::Bold, &escape::line(&tool))?;
    let root = if host.root { "root" } else { "not root" };
    let facts = format!(
        "Linux {} {}, cgroup {}, {root}",
        host.kernel, host.machine, host.cgroup
    );
    page.field(0, "host", &escape::line(&facts))?;
    for note in &host.notes {
        page.field(0, "", &escape::line(note))?;
    }
    if results.level == FailLevel::Should {
        page.field(0, "level", "should: broken SHOULD clauses fail the run")?;
    }
    if let Some(shard) = results.shard {
        page.field(0, "shard", &format!("{} of {}", shard.index, shard.of))?;
    }
    Ok(())
}

fn runtime(results: &Results, run: &Run, page: &mut Page) -> io::Result<()> {
    let runtime = &run.runtime;
    let command = escape::shell(std::iter::once(&runtime.path).chain(&runtime.arguments));
    let mut about = format!("{}  {command}", title(run));
    if runtime.label != runtime.name && !runtime.is_reference {
        about.push_str(&format!("  (it calls itself {})", runtime.name));
    }
    page.field(0, "runtime", &escape::line(&about))?;
    let why = if argument(results, "--spec-version").is_some_and(|asked| asked != "claimed") {
        match runtime.claim.as_str() {
            "" => "as --spec-version asks; it claims no version".to_owned(),
            claim => format!("as --spec-version asks; it claims {claim}"),
        }
    } else {
        match runtime.claim.as_str() {
            "" => "the newest known here, since it claims no version".to_owned(),
            claim => format!("it claims {claim}"),
        }
    };
    let judged = format!("OCI Runtime Specification {} — {why}", run.spec_judged);
    page.field(0, "judged by", &escape::line(&judged))
}

/// Failures that nobody explained, by section of the specification.
fn failed(results: &Results, run: &Run, page: &mut Page) -> io::Result<()> {
    let cases: Vec<&CaseResult> = run
        .cases
        .iter()
        .filter(|case| case.verdict == Verdict::Fail && case.waiver.is_none())
        .collect();
    if cases.is_empty() {
        return Ok(());
    }
    page.heading(&format!("Failed: {}", count(cases.len(), "case")))?;
    for (group, cases) in by_section(page.clauses, &cases) {
        page.blank()?;
        page.line(0, 2, Tint::Underlined, &escape::line(&group))?;
        for case in cases {
            whole_case(results, run, case, page)?;
        }
    }
    Ok(())
}

/// Waivers that applied and do not hold any more. A broken case says nothing about its waiver.
fn stale_waivers(results: &Results, run: &Run, page: &mut Page) -> io::Result<()> {
    let mut cases = run
        .cases
        .iter()
        .filter(|case| {
            case.waiver.is_some() && !case.as_expected && case.verdict != Verdict::Broken
        })
        .peekable();
    if cases.peek().is_some() {
        page.heading("Not as the expectation file says")?;
    }
    for case in cases {
        whole_case(results, run, case, page)?;
    }
    Ok(())
}

fn with_verdict(
    verdict: Verdict,
    heading: &str,
    results: &Results,
    run: &Run,
    page: &mut Page,
) -> io::Result<()> {
    let mut cases = run
        .cases
        .iter()
        .filter(|case| case.verdict == verdict)
        // A waiver that does not hold has stood above already.
        .filter(|case| case.waiver.is_none() || verdict == Verdict::Broken)
        .peekable();
    if cases.peek().is_some() {
        page.heading(heading)?;
    }
    for case in cases {
        whole_case(results, run, case, page)?;
    }
    Ok(())
}

/// Value of an option on the command line that made the results.
fn argument<'a>(results: &'a Results, option: &str) -> Option<&'a str> {
    let mut arguments = results.arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == option {
            return arguments.next().map(String::as_str);
        }
        if let Some(value) = argument
            .strip_prefix(option)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some(value);
        }
    }
    None
}

/// Failures that a waiver explains: a line each.
fn known(run: &Run, page: &mut Page) -> io::Result<()> {
    let mut cases = run.cases.iter().filter(|case| is_known(case)).peekable();
    if cases.peek().is_some() {
        page.heading("Known failures")?;
        page.blank()?;
    }
    for case in cases {
        let because = case.waiver.as_deref().unwrap_or("");
        let text = format!("{}  {}: {because}", case.verdict.word(), case.id);
        page.line(2, 8, Tint::Plain, &escape::line(&text))?;
    }
    Ok(())
}

/// What was not judged: a line per reason, the most frequent first.
fn not_judged(run: &Run, verdict: Verdict, heading: &str, page: &mut Page) -> io::Result<()> {
    let cases: Vec<&CaseResult> = run
        .cases
        .iter()
        .filter(|case| case.verdict == verdict && (case.waiver.is_none() || case.as_expected))
        .collect();
    let denied = cases.iter().filter(|case| !case.as_expected).count();
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for case in &cases {
        let reason = common_reason(case);
        match reasons.iter_mut().find(|(why, _)| *why == reason) {
            Some((_, ids)) => ids.push(&case.id),
            None => reasons.push((reason, vec![&case.id])),
        }
    }
    // Stable: equal counts stay in the order of the cases.
    reasons.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
    if cases.is_empty() {
        return Ok(());
    }
    let denied = if denied > 0 {
        format!(" ({denied} denied by --deny)")
    } else {
        String::new()
    };
    page.heading(&format!(
        "{heading}: {}{denied}",
        count(cases.len(), "case")
    ))?;
    page.blank()?;
    for (why, ids) in reasons {
        let listed = if ids.len() <= IDS_LISTED {
            format!(" — {}", ids.join(", "))
        } else {
            String::new()
        };
        page.line(
            2,
            7,
            Tint::Plain,
            &escape::line(&format!("{:>3}  {why}{listed}", ids.len())),
        )?;
    }
    Ok(())
}

fn not_exercised(run: &Run, page: &mut Page) -> io::Result<()> {
    if run.waivers_not_exercised.is_empty() {
        return Ok(());
    }
    page.heading("Waivers not exercised")?;
    page.blank()?;
    for entry in &run.waivers_not_exercised {
        page.line(
            2,
            4,
            Tint::Plain,
            &escape::line(&format!("{}: {}", entry.case, entry.why)),
        )?;
    }
    Ok(())
}

/// Says how much was left out for want of root, and how to run it.
fn without_root(results: &Results, page: &mut Page) -> io::Result<()> {
    let inapplicable: u32 = results
        .runs
        .iter()
        .map(|run| run.summary.inapplicable)
        .sum();
    if results.host.root || inapplicable == 0 {
        return Ok(());
    }
    let cases = results.runs.iter().map(|run| run.cases.len()).sum();
    let command =
        std::iter::once("oci-conformance").chain(results.arguments.iter().map(String::as_str));
    let text = format!(
        "not root: {inapplicable} of {} not judged; the rest: sudo -E {}",
        count(cases, "case"),
        escape::shell(command)
    );
    page.row(Tint::Plain, &escape::line(&text))?;
    let machine = results.host.machine.to_uppercase();
    let text =
        format!("under cargo: CARGO_TARGET_{machine}_UNKNOWN_LINUX_GNU_RUNNER='sudo -E' cargo …");
    page.row(Tint::Plain, &escape::line(&text))
}

fn summary(run: &Run, page: &mut Page) -> io::Result<()> {
    let tint = if run.summary.unexpected > 0 {
        Tint::Bad
    } else {
        Tint::Good
    };
    if run
        .cases
        .iter()
        .all(|case| case.verdict == Verdict::Inapplicable)
    {
        page.row(
            Tint::Bad,
            "no case was judged: oci-conformance doctor tells what this host lacks",
        )?;
    }
    let text = format!(
        "{}, judged by {}: {}",
        title(run),
        run.spec_judged,
        totals(run)
    );
    page.row(tint, &escape::line(&text))
}

/// Several subjects: their totals in a table.
fn side_by_side(runs: &[Run], page: &mut Page) -> io::Result<()> {
    let head = [
        "",
        "pass",
        "fail",
        "warn",
        "timeout",
        "broken",
        "unsupported",
        "inapplicable",
        "unexpected",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for run in runs {
        let s = &run.summary;
        let [
            pass,
            fail,
            warn,
            timeout,
            broken,
            unsupported,
            inapplicable,
            unexpected,
        ] = [
            s.pass,
            s.fail,
            s.warn,
            s.timeout,
            s.broken,
            s.unsupported,
            s.inapplicable,
            s.unexpected,
        ]
        .map(|count| count.to_string());
        let name = escape::line(&title(run));
        rows.push([
            name,
            pass,
            fail,
            warn,
            timeout,
            broken,
            unsupported,
            inapplicable,
            unexpected,
        ]);
    }
    page.blank()?;
    let first = rows
        .iter()
        .map(|row| row[0].chars().count())
        .max()
        .unwrap_or(0);
    for (at, row) in rows.iter().enumerate() {
        let mut text = format!("{:first$}", row[0]);
        for (cell, name) in row.iter().zip(head).skip(1) {
            text.push_str(&format!("  {cell:>width$}", width = name.len()));
        }
        page.row(if at == 0 { Tint::Dim } else { Tint::Plain }, &text)?;
    }
    Ok(())
}

/// Cases by the section of what they broke first: the specification's sections in the order of the
/// cases, what is beyond the specification last.
fn by_section<'a>(
    clauses: Clauses<'_>,
    cases: &[&'a CaseResult],
) -> Vec<(String, Vec<&'a CaseResult>)> {
    let mut groups: Vec<(String, Vec<&CaseResult>)> = Vec::new();
    for case in cases {
        let broken = broken_findings(case).map(|finding| &finding.clause).next();
        let clause = broken
            .or(case.clauses.first())
            .and_then(|id| clauses.by_id(id));
        let group = match clause {
            Some(clause) if clause.is_beyond_the_specification() => {
                format!("{BEYOND}: {}, {}", clause.document, clause.section_title)
            }
            Some(clause) => {
                let file = clause.section.split('#').next().unwrap_or(clause.document);
                format!("{file}, {}", clause.section_title)
            }
            None => "other".to_owned(),
        };
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, cases)) => cases.push(case),
            None => groups.push((group, vec![case])),
        }
    }
    groups.sort_by_key(|(name, _)| name.starts_with(BEYOND));
    groups
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

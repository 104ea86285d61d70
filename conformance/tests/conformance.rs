//! The cases as tests: `cargo test -p oci-conformance --test conformance -- [--runtime PATH]
//! [FILTER]`, against the embedded reference runtime unless another is named.
//!
//! A front-end for `cargo test` and no more: deadlines, expectations, calibration and reports are
//! the program's (`oci-conformance run`).

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use oci_conformance::case::Suite;
use oci_conformance::cases;
use oci_conformance::host::View;
use oci_conformance::report;
use oci_conformance::results::{CaseResult, FindingVerdict, Verdict};
use oci_conformance::runner::{Bench, Interrupts, Options, Session};
use oci_conformance::subject::Subject;
use oci_conformance::supervisor;

fn main() -> ExitCode {
    supervisor::run_if_asked();
    let interrupts: &'static Interrupts = Box::leak(Box::new(Interrupts::take_over()));
    match run(interrupts) {
        _ if interrupts.came() => ExitCode::from(130),
        Ok(code) => code,
        Err(why) => {
            eprintln!("conformance: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(interrupts: &'static Interrupts) -> Result<ExitCode, String> {
    let (runtime, rest) = take_runtime(std::env::args().collect())?;
    // libtest-mimic refuses flags that it does not know, so ours are gone by now.
    let arguments = Arguments::from_iter(rest);
    if arguments.list {
        let tests = cases::all()
            .iter()
            .map(|case| Trial::test(case.id, || Ok(())))
            .collect();
        return Ok(libtest_mimic::run(&arguments, tests).exit_code());
    }
    let options = Options {
        suites: vec![Suite::Spec, Suite::Security],
        filters: Vec::new(),
        asked: None,
        jobs: 1,
        timeout: None,
        shard: None,
        seed: 0,
        repeat: 1,
        view: View::Host,
        work_dir: std::env::temp_dir(),
        reference: None,
        calibrate: false,
        keep: None,
    };
    let bench = Arc::new(Bench::set_up(options.view, &options.work_dir, None)?);
    let subject = match runtime {
        Some(text) => Subject::parse(&text)?,
        None => bench.reference().clone(),
    };
    let (session, gate) = Session::open(Arc::clone(&bench), &subject, &options, interrupts);
    let session = Arc::new(session);
    let gate = Arc::new(gate);
    let tests = cases::all()
        .iter()
        .filter(|case| options.suites.contains(&case.suite()))
        .map(|case| {
            let (session, gate) = (Arc::clone(&session), Arc::clone(&gate));
            Trial::ignorable_test(case.id, move || {
                if case.id == cases::GATE {
                    verdict(&gate)
                } else {
                    verdict(&session.run(case))
                }
            })
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, tests);
    // The run's directory and cgroups go with the last handle.
    drop((session, bench));
    Ok(conclusion.exit_code())
}

/// Takes `--runtime X` or `--runtime=X` out of the arguments.
fn take_runtime(arguments: Vec<String>) -> Result<(Option<String>, Vec<String>), String> {
    let mut runtime = None;
    let mut rest = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--runtime" {
            runtime = Some(arguments.next().ok_or("--runtime takes a command")?);
        } else if let Some(value) = argument.strip_prefix("--runtime=") {
            runtime = Some(value.to_owned());
        } else {
            rest.push(argument);
        }
    }
    Ok((runtime, rest))
}

fn verdict(result: &CaseResult) -> Result<Completion, Failed> {
    let why = || report::escape::line(result.need.as_deref().unwrap_or("no reason recorded"));
    match result.verdict {
        Verdict::Pass | Verdict::Warn => Ok(Completion::Completed),
        Verdict::Unsupported => Ok(Completion::ignored_with(format!("unsupported: {}", why()))),
        Verdict::Inapplicable => Ok(Completion::ignored_with(format!("needs {}", why()))),
        Verdict::Timeout | Verdict::Broken => Err(Failed::from(format!(
            "{}: {}",
            result.verdict.word(),
            why()
        ))),
        Verdict::Fail => Err(Failed::from(findings(result))),
    }
}

fn findings(result: &CaseResult) -> String {
    let mut text = String::new();
    for finding in result
        .findings
        .iter()
        .filter(|finding| finding.verdict == FindingVerdict::Fail)
    {
        text += &format!(
            "{} {}\n",
            finding.clause,
            report::escape::line(&finding.message)
        );
        let expected = finding.expected_value.to_string();
        let observed = finding.observed_value.to_string();
        text += &format!("  expected {}\n", report::escape::line(&expected));
        text += &format!("  observed {}\n", report::escape::line(&observed));
    }
    text
}

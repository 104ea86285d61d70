//! What makes shards one run, and that the parts of any run give it back.

use proptest::prelude::*;

use super::*;
use crate::results::{CaseResult, FORMAT, FailLevel, HostFacts, Summary, Tool};

proptest! {
    #[test]
    fn the_parts_of_a_run_give_it_back(
        (verdicts, gate) in (
            prop::collection::vec(prop::collection::vec(verdict(), 0..40), 1..3),
            prop::sample::select(vec![Verdict::Pass, Verdict::Fail]),
        ),
        of in 1u32..=7,
        turn in 0usize..7,
    ) {
        let whole = whole(&verdicts, gate);
        let mut shards: Vec<_> = (1..=of).map(|index| shard(&whole, index, of)).collect();
        shards.rotate_left(turn % of as usize);
        let merged = merge(shards).unwrap();
        prop_assert_eq!(comparable(merged), comparable(whole));
    }

    #[test]
    fn a_shard_that_is_missing_or_doubled_is_refused(of in 2u32..=7, which in 1u32..=7) {
        let which = which.min(of);
        let whole = whole(&[vec![Verdict::Pass; 9]], Verdict::Pass);
        let shards = || (1..=of).map(|index| shard(&whole, index, of)).collect::<Vec<_>>();
        let mut missing = shards();
        missing.remove(which as usize - 1);
        prop_assert_eq!(merge(missing).unwrap_err(), format!("missing shards: {which}/{of}"));
        let mut doubled = shards();
        doubled.push(shard(&whole, which, of));
        let error = merge(doubled).unwrap_err();
        prop_assert!(error.contains(&format!("are both shard {which} of {of}")), "{}", error);
    }
}

#[test]
fn shards_of_unlike_runs_are_refused() {
    type Change = fn(&mut Results);
    for (change, words) in [
        (
            (|r| r.tool.version = "9".into()) as Change,
            "another program",
        ),
        (|r| r.level = FailLevel::Should, "another level"),
        (|r| r.seed = 5, "another seed: 5 instead of 0"),
        (|r| r.host.kernel = "5.4".into(), "another host"),
        (
            |r| r.arguments.push("--no-calibrate".into()),
            "another command line",
        ),
        (
            |r| r.runs[0].runtime.version = "2".into(),
            "another set of subjects",
        ),
        (|r| drop(r.runs.pop()), "another set of subjects"),
        (|r| r.shard = None, "no shard but a whole run"),
        (
            |r| r.shard = Some(Shard { index: 2, of: 3 }),
            "shard 2 of 3, but one is one of 2",
        ),
        (
            |r| r.shard = Some(Shard { index: 3, of: 2 }),
            "says that it is shard 3 of 2",
        ),
        (
            |r| r.runs[0].cases[0].id = "case/001".into(),
            "was judged by one already",
        ),
    ] {
        let whole = whole(&[vec![Verdict::Pass; 9]], Verdict::Pass);
        let (_, first) = shard(&whole, 1, 2);
        let (_, mut second) = shard(&whole, 2, 2);
        change(&mut second);
        let error = merge(vec![("one".into(), first), ("two".into(), second)]).unwrap_err();
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn what_decides_no_verdict_may_differ() {
    let whole = whole(&[vec![Verdict::Pass; 4]], Verdict::Pass);
    let (_, mut first) = shard(&whole, 1, 2);
    let (_, mut second) = shard(&whole, 2, 2);
    first.arguments.push("--format=json=a.json".into());
    second
        .arguments
        .extend(["--jobs", "9", "--format", "json"].map(str::to_owned));
    for results in [&mut first, &mut second] {
        results.runs[0].runtime.is_reference = true;
    }
    second.runs[0].runtime.path = "/tmp/another/refrun".into();
    second.started = "2026-05-01T09:00:00Z".into();
    let merged = merge(vec![("one".into(), first), ("two".into(), second)]).unwrap();
    assert_eq!(merged.started, "2026-05-01T09:00:00Z");
    assert_eq!(merged.runs[0].cases.len(), whole.runs[0].cases.len());
}

/// Jobs of a CI have the subject in directories of their own. What has to be the same is what is in it.
#[test]
fn shards_may_have_the_same_program_at_another_path() {
    let whole = whole(&[vec![Verdict::Pass; 4]], Verdict::Pass);
    let shards = |digests: [Option<&str>; 2]| {
        let (_, mut first) = shard(&whole, 1, 2);
        let (_, mut second) = shard(&whole, 2, 2);
        second.runs[0].runtime.path = "/builds/2/my-runtime".into();
        for (results, digest) in [&mut first, &mut second].into_iter().zip(digests) {
            results.runs[0].runtime.sha256 = digest.map(str::to_owned);
        }
        merge(vec![("one".into(), first), ("two".into(), second)])
    };
    assert!(shards([Some("aa"), Some("aa")]).is_ok());
    for unlike in [[Some("aa"), Some("bb")], [None, None]] {
        let error = shards(unlike).unwrap_err();
        assert!(error.contains("set of subjects"), "{error}");
    }
}

#[test]
fn a_shard_in_which_the_gate_fails_contradicts_one_in_which_it_passes() {
    let whole = whole(&[vec![Verdict::Pass; 4]], Verdict::Pass);
    let (_, first) = shard(&whole, 1, 2);
    let (_, mut second) = shard(&whole, 2, 2);
    second.runs[0].cases.push(case(GATE, Verdict::Fail));
    let error = merge(vec![("one".into(), first), ("two".into(), second)]).unwrap_err();
    assert!(error.contains(GATE), "{error}");
}

#[test]
fn a_whole_run_stands_alone_and_nothing_is_no_run() {
    let whole = whole(&[vec![Verdict::Fail; 3]], Verdict::Pass);
    let same = merge(vec![("whole".into(), whole.clone())]).unwrap();
    assert_eq!(json!(same), json!(whole));
    assert!(
        merge(Vec::new())
            .unwrap_err()
            .contains("needs a results file")
    );
    let (name, mut huge) = shard(&whole, 1, 2);
    huge.shard = Some(Shard {
        index: 1,
        of: u32::MAX,
    });
    let error = merge(vec![(name, huge)]).unwrap_err();
    assert!(error.len() < 1000 && error.ends_with(" more"), "{error}");
}

#[test]
fn a_waiver_is_not_exercised_if_no_shard_exercised_it() {
    let mut whole = whole(&[vec![Verdict::Pass; 4]], Verdict::Pass);
    let entry = |case: &str, why: &str| NotExercised {
        case: case.into(),
        why: why.into(),
    };
    let unselected = expectations::NOT_SELECTED;
    // What each shard says, and what the whole run would have said.
    let said = [
        vec![
            entry("b", "only with root"),
            entry("a", unselected),
            entry("c", unselected),
        ],
        vec![entry("b", "only with root"), entry("a", "inapplicable: x")],
    ];
    whole.runs[0].waivers_not_exercised =
        vec![entry("b", "only with root"), entry("a", "inapplicable: x")];
    let shards = (1..=2).map(|index| {
        let (name, mut results) = shard(&whole, index, 2);
        results.runs[0].waivers_not_exercised = said[index as usize - 1].clone();
        (name, results)
    });
    let merged = merge(shards.collect()).unwrap();
    assert_eq!(comparable(merged), comparable(whole));
}

/// A run over synthetic cases, of one subject per list of verdicts.
fn whole(verdicts: &[Vec<Verdict>], gate: Verdict) -> Results {
    let run = |(place, verdicts): (usize, &Vec<Verdict>)| {
        let open = gate == Verdict::Pass;
        let judged = verdicts
            .iter()
            .map(|v| if open { *v } else { Verdict::Inapplicable });
        let mut cases: Vec<CaseResult> = judged
            .enumerate()
            .map(|(n, verdict)| case(&format!("case/{n:03}"), verdict))
            .collect();
        cases.insert(0, case(GATE, gate));
        Run {
            runtime: RuntimeFacts {
                label: format!("runtime#{place}"),
                path: "/usr/bin/runtime".into(),
                arguments: Vec::new(),
                name: "runtime".into(),
                version: "1".into(),
                claim: String::new(),
                sha256: None,
                is_reference: false,
                abilities: Vec::new(),
            },
            spec_judged: "1.2.0".into(),
            seconds: 0.0,
            summary: runner::summary(&cases),
            cases,
            waivers_not_exercised: Vec::new(),
        }
    };
    // Subjects are judged by the same cases.
    let shortest = verdicts.iter().map(Vec::len).min().unwrap_or(0);
    let verdicts: Vec<Vec<Verdict>> = verdicts.iter().map(|v| v[..shortest].to_vec()).collect();
    Results {
        format: FORMAT,
        tool: Tool {
            name: "oci-conformance".into(),
            version: "0.1.0".into(),
        },
        started: "2026-05-01T10:00:00Z".into(),
        arguments: vec!["--runtime".into(), "runtime".into()],
        spec: "1.3.0".into(),
        level: FailLevel::Must,
        shard: None,
        seed: 0,
        host: HostFacts {
            kernel: "6.18.5".into(),
            machine: "x86_64".into(),
            cgroup: "v2".into(),
            root: true,
            notes: Vec::new(),
        },
        runs: verdicts.iter().enumerate().map(run).collect(),
    }
}

/// What a run of one part writes: every N-th case, and the gate wherever the subject fails it.
fn shard(whole: &Results, index: u32, of: u32) -> (String, Results) {
    let mut results = whole.clone();
    results.shard = Some(Shard { index, of });
    results
        .arguments
        .extend(["--shard".into(), format!("{index}/{of}")]);
    for run in &mut results.runs {
        let mut place = 0;
        run.cases.retain(|case| {
            let mine = place % of == index - 1;
            place += 1;
            mine || (case.id == GATE && case.verdict == Verdict::Fail)
        });
        run.summary = Summary::default();
    }
    (format!("shard-{index}.json"), results)
}

fn case(id: &str, verdict: Verdict) -> CaseResult {
    CaseResult {
        id: id.into(),
        suite: "spec".into(),
        clauses: Vec::new(),
        verdict,
        as_expected: verdict <= Verdict::Warn,
        unexpected_because: None,
        reference: None,
        need: None,
        waiver: None,
        attempts: vec![verdict],
        findings: Vec::new(),
        steps: Vec::new(),
        seconds: 0.0,
    }
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop::sample::select(vec![
        Verdict::Pass,
        Verdict::Unsupported,
        Verdict::Inapplicable,
        Verdict::Warn,
        Verdict::Fail,
        Verdict::Timeout,
        Verdict::Broken,
    ])
}

fn comparable(results: Results) -> Value {
    json!(results)
}

//! Very many containers: one after the other, and at once.

use std::time::Duration;

use oci_conformance::results::Verdict;

use super::Place;
use super::host;

/// A run of a thousand takes this long at most, on a machine that is busy.
const LONG: Duration = Duration::from_secs(1800);

#[test]
#[ignore = "takes a minute or more; `cargo test -p oci-conformance --test robust -- --ignored`"]
fn a_thousand_containers_in_a_row_leak_nothing() {
    let place = Place::new("");
    let case = "hostname/is-set-in-the-new-uts-namespace";
    let arguments = ["--jobs", "1", "--repeat", "1000", case];
    let mut seen = Vec::new();
    let run = place.judge_while(&arguments, LONG, |harness| {
        if let Some(number) = place.latest_trial() {
            seen.push((number, host::Use::of(harness)));
        }
    });
    assert_eq!(run.code, Some(0), "{}", run.said);
    assert_eq!(run.left, [""; 0]);
    let early = seen
        .iter()
        .find(|(number, _)| *number >= 50)
        .expect("early");
    let late = seen
        .iter()
        .rfind(|(number, _)| *number >= 900)
        .expect("late");
    // At one moment there may be a pipe more than at the other.
    assert!(
        late.1.descriptors <= early.1.descriptors + 4,
        "{early:?} {late:?}"
    );
    assert!(late.1.threads <= early.1.threads, "{early:?} {late:?}");
    // Less than a KiB for each container.
    assert!(
        late.1.kilobytes < early.1.kilobytes + 800,
        "{early:?} {late:?}"
    );
}

#[test]
#[ignore = "keeps the machine busy; `cargo test -p oci-conformance --test robust -- --ignored`"]
fn two_hundred_containers_at_once_get_the_verdicts_that_one_gets() {
    let place = Place::new("");
    let mut most = 0;
    let run = place.judge_while(&["--jobs", "200"], LONG, |_| {
        most = most.max(place.trials().count());
    });
    let results = run.results.expect("results");
    let bad: Vec<String> = results.runs[0]
        .cases
        .iter()
        .filter(|case| {
            let good = [Verdict::Pass, Verdict::Unsupported, Verdict::Inapplicable];
            !good.contains(&case.verdict)
        })
        .map(|case| format!("{} {:?} {:?}", case.id, case.verdict, case.need))
        .collect();
    assert_eq!(bad, [""; 0]);
    assert!(most >= 150, "{most} at once");
    assert_eq!(run.left, [""; 0]);
}

//! `merge`: the results of a run's shards as the results of the whole run.
//!
//! Merged results are what the unsharded run would have written, but for its times. That holds only
//! if the shards are parts of one run: the same subjects, judged by the same program on alike hosts
//! with the same arguments, each part there once. Anything else is refused, since a gap that went
//! unnoticed would look like a runtime without failures.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cases::GATE;
use crate::report::escape;
use crate::results::{NotExercised, Results, Run, RuntimeFacts, Shard, Verdict};
use crate::{expectations, runner};

/// Options of a run that decide no verdict: shards may differ in them.
const WITHOUT_INFLUENCE: [&str; 5] = ["--shard", "--format", "--jobs", "--keep", "--work-dir"];

/// Longest value that an error quotes.
const LONGEST_VALUE: usize = 300;

/// Merges shards, each with the name by which an error calls it.
///
/// A run that was not sharded is a whole already and can stand alone.
///
/// # Errors
/// Which shard is missing, doubled or unlike the others, and in what.
pub fn merge(shards: Vec<(String, Results)>) -> Result<Results, String> {
    let shards = in_order(shards)?;
    alike(&shards)?;
    let mut shards = shards.into_iter();
    let Some((first_name, mut whole)) = shards.next() else {
        return Err("merge needs a results file".into());
    };
    let mut names = vec![first_name];
    for (name, shard) in shards {
        if shard.started < whole.started {
            whole.started = shard.started;
        }
        for (run, part) in whole.runs.iter_mut().zip(shard.runs) {
            append(run, part, &name, &names)?;
        }
        names.push(name);
    }
    if whole.shard.take().is_some() {
        whole.arguments = without(&whole.arguments, &["--shard"]);
        for run in &mut whole.runs {
            finish(run, names.len());
        }
    }
    Ok(whole)
}

/// The exit code that the unsharded run would have ended with.
pub fn exit_code(results: &Results) -> u8 {
    expectations::exit_code(results)
}

/// The shards by their index, each there once.
fn in_order(shards: Vec<(String, Results)>) -> Result<Vec<(String, Results)>, String> {
    if let [(_, Results { shard: None, .. })] = shards.as_slice() {
        return Ok(shards);
    }
    let mut places: BTreeMap<u32, (String, Results)> = BTreeMap::new();
    let mut first: Option<(String, u32)> = None;
    for (name, results) in shards {
        let Some(Shard { index, of }) = results.shard else {
            return Err(format!(
                "{name} is no shard but a whole run, which nothing can be added to"
            ));
        };
        match &first {
            None => first = Some((name.clone(), of)),
            Some((other, count)) if *count != of => {
                return Err(format!(
                    "{name} is shard {index} of {of}, but {other} is one of {count}"
                ));
            }
            Some(_) => {}
        }
        if index == 0 || index > of {
            return Err(format!("{name} says that it is shard {index} of {of}"));
        }
        if let Some((other, _)) = places.get(&index) {
            return Err(format!(
                "{other} and {name} are both shard {index} of {of}: give each shard once"
            ));
        }
        places.insert(index, (name, results));
    }
    let of = first.map_or(0, |(_, of)| of);
    let is_missing = |index: &u32| !places.contains_key(index);
    let count = of as usize - places.len();
    if count > 0 {
        // A shard that says "of 4294967295" must not make a list of that length.
        let mut missing: Vec<String> = (1..=of)
            .filter(is_missing)
            .take(20)
            .map(|index| format!("{index}/{of}"))
            .collect();
        if count > missing.len() {
            missing.push(format!("{} more", count - missing.len()));
        }
        return Err(format!("missing shards: {}", missing.join(", ")));
    }
    Ok(places.into_values().collect())
}

/// That all shards are parts of one run.
fn alike(shards: &[(String, Results)]) -> Result<(), String> {
    let Some(((first_name, first), others)) = shards.split_first() else {
        return Ok(());
    };
    let wanted = identity(first);
    for (name, other) in others {
        for ((what, here), (_, there)) in wanted.iter().zip(identity(other)) {
            if *here != there {
                let [there, here] = [&there, here]
                    .map(|value| escape::shortened(&value.to_string(), LONGEST_VALUE));
                return Err(format!(
                    "{name} is no part of the same run as {first_name}: another {what}: {there} \
                     instead of {here}"
                ));
            }
        }
    }
    Ok(())
}

/// What shards of one run have in common, in words and as a value.
fn identity(results: &Results) -> Vec<(&'static str, Value)> {
    let arguments = without(&results.arguments, &WITHOUT_INFLUENCE);
    let subjects: Vec<Value> = results.runs.iter().map(subject).collect();
    vec![
        ("program", json!(results.tool)),
        ("newest known version", json!(results.spec)),
        ("level", json!(results.level)),
        ("seed", json!(results.seed)),
        ("host", json!(results.host)),
        ("command line", json!(arguments)),
        ("set of subjects", json!(subjects)),
    ]
}

/// A subject as far as all shards must agree on it. Where its bytes are known, its path tells nothing:
/// each machine, each job of a CI may have it elsewhere.
fn subject(run: &Run) -> Value {
    let mut runtime: RuntimeFacts = run.runtime.clone();
    if runtime.is_reference || runtime.sha256.is_some() {
        runtime.path = String::new();
    }
    json!({"runtime": runtime, "judged by": run.spec_judged})
}

/// Arguments without these options and their values.
fn without(arguments: &[String], options: &[&str]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let name = argument.split('=').next().unwrap_or(argument);
        if !options.contains(&name) {
            kept.push(argument.clone());
        } else if name == argument {
            // The value is an argument of its own.
            arguments.next();
        }
    }
    kept
}

/// Adds a shard's part of one subject's results.
fn append(run: &mut Run, part: Run, name: &str, before: &[String]) -> Result<(), String> {
    run.seconds += part.seconds;
    run.waivers_not_exercised.extend(part.waivers_not_exercised);
    let known: BTreeMap<String, Verdict> = run
        .cases
        .iter()
        .map(|case| (case.id.clone(), case.verdict))
        .collect();
    for case in part.cases {
        match known.get(&case.id) {
            None => run.cases.push(case),
            // A subject that fails the gate has it in every shard, whichever selected it.
            Some(verdict) if case.id == GATE && *verdict == case.verdict => {}
            Some(_) => {
                return Err(format!(
                    "{name}: the case {} was judged by {} already",
                    case.id,
                    before.join(" or ")
                ));
            }
        }
    }
    Ok(())
}

/// Puts what the shards gave into the order and the sums of one run.
fn finish(run: &mut Run, shards: usize) {
    run.cases.sort_by(|a, b| a.id.cmp(&b.id));
    run.summary = runner::summary(&run.cases);
    let told = std::mem::take(&mut run.waivers_not_exercised);
    for (place, entry) in told.iter().enumerate() {
        let is_first = told[..place].iter().all(|other| other.case != entry.case);
        let of_case: Vec<&NotExercised> = told
            .iter()
            .filter(|other| other.case == entry.case)
            .collect();
        // The shard that had the case exercised the waiver, and does not list it.
        if !is_first || of_case.len() < shards {
            continue;
        }
        // The shards that did not have the case say nothing about it.
        let tells = |other: &&NotExercised| other.why != expectations::NOT_SELECTED;
        let telling = of_case.iter().copied().find(tells).unwrap_or(entry);
        run.waivers_not_exercised.push(telling.clone());
    }
}

#[cfg(test)]
mod tests;

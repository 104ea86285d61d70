//! `prove`: every check can fail.
//!
//! Deviants are runtimes that are wrong in one known way each; `oci-deviants` declares them, says
//! which clauses each breaks, and is run as any subject. Each is judged by the cases that must catch
//! it, and by some others that must not. A deviant is caught by a finding against a clause that it
//! breaks; a finding against another clause is an error of the suite, or of the declaration. And for
//! every (case, clause) pair that the suite judges there has to be a deviant that just this pair
//! catches: a pair without one may be a check that cannot fail.

mod crowd;
mod declarations;
mod judge;
mod report;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::case::Case;
use crate::runner::{Bench, Interrupts, Options, Session};
use crate::subject::Subject;

pub use declarations::Declaration;
pub use judge::{Judged, NotExercised, Pair, Unexpected};
pub use report::report;

/// What is to be proved, and by what.
pub struct Question {
    /// The cases that are proved.
    pub selected: Vec<&'static Case>,
    /// Names of deviants, prefixes of names ending in `.`, or clauses; empty for all.
    pub filters: Vec<String>,
    /// Whether each deviant is judged by every case.
    pub full: bool,
    /// Right runtimes beside the reference.
    pub bases: Vec<Subject>,
    /// A program in the place of the embedded one.
    pub program: Option<PathBuf>,
    /// How trials are run; seed, jobs, view and work directory count.
    pub options: Options,
}

/// What came of it.
#[derive(Debug, serde::Serialize)]
pub struct Proof {
    /// The bases, by label and version.
    pub bases: Vec<String>,
    /// Every deviant on every base that meets its needs.
    pub judged: Vec<Judged>,
    /// Deviants that nothing here could show, and why.
    pub not_exercised: Vec<NotExercised>,
    /// Pairs that passed with a base, and so could have been seen to fail.
    pub pairs: usize,
    /// Those of them that no deviant was caught by.
    pub uncovered: Vec<Pair>,
    /// Declared pairs that no base's run judged here, and why.
    pub unjudged: Vec<judge::Unjudged>,
    /// Whether pairs count: they do not when only some deviants were asked for.
    pub whole: bool,
    /// Trials that were run.
    pub trials: usize,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl Proof {
    /// Whether every deviant is caught, by nothing but what it breaks, and no pair lacks a deviant.
    ///
    /// Nothing is proved by nothing: a proof without a deviant that was judged does not hold.
    pub fn holds(&self) -> bool {
        let clean = |judged: &Judged| !self.escaped(judged) && judged.unexpected.is_empty();
        !self.judged.is_empty()
            && self.judged.iter().all(clean)
            && (!self.whole || self.uncovered.is_empty())
    }

    /// Whether a deviant is caught on no base, though every case that might was asked for. On one
    /// base alone it may be that this one is wrong already in the very way of the deviant.
    fn escaped(&self, judged: &Judged) -> bool {
        let mut all = self.judged.iter();
        let caught =
            |other: &Judged| other.deviant == judged.deviant && !other.caught_by.is_empty();
        !judged.elsewhere && !all.any(caught)
    }
}

/// Why there is no proof.
#[derive(Debug)]
pub enum Failure {
    /// Wrong usage.
    Usage(String),
    /// The harness, the deviants' program or a base is broken.
    Broken(String),
}

/// Judges the bases, then every deviant on each.
///
/// # Errors
/// See [`Failure`].
pub fn prove(question: &Question, interrupts: &Interrupts) -> Result<Proof, Failure> {
    let started = Instant::now();
    let options = &question.options;
    let bench = Bench::set_up(options.view, &options.work_dir, None).map_err(Failure::Broken)?;
    let program = match &question.program {
        Some(path) => std::path::absolute(path)
            .map_err(|error| Failure::Usage(format!("--deviants {}: {error}", path.display())))?,
        None => bench
            .place("oci-deviants", oci_embedded::DEVIANTS)
            .map_err(Failure::Broken)?,
    };
    let all = declarations::ask(&program).map_err(match question.program {
        Some(_) => Failure::Usage,
        None => Failure::Broken,
    })?;
    let deviants = declarations::select(all, &question.filters).map_err(Failure::Usage)?;

    let bench = Arc::new(bench);
    let mut bases = vec![Subject {
        is_reference: false,
        ..bench.reference().clone()
    }];
    bases.extend(question.bases.iter().cloned());
    let memory = bench.directory().join("memory");
    let mut tally = judge::Tally::default();
    let mut labels = Vec::new();
    for base in &bases {
        let (session, gate) = Session::open(Arc::clone(&bench), base, options, interrupts);
        if !matches!(
            gate.verdict,
            crate::results::Verdict::Pass | crate::results::Verdict::Warn
        ) {
            let label = session.facts().label;
            let why = "does not run the plain container here, so no wrong can be told from it";
            return Err(Failure::Broken(format!("the base {label} {why}")));
        }
        let facts = session.facts();
        let label = format!("{} {}", facts.label, facts.version)
            .trim()
            .to_owned();
        let work = work::Work {
            question,
            session,
            program: &program,
            base,
            memory: &memory,
            label: &label,
            interrupts,
        };
        work.carry_out(&deviants, &bench.host, &mut tally);
        if interrupts.came() {
            return Err(Failure::Broken("interrupted".into()));
        }
        // A case that judged nothing would take its pairs out of the proof, in silence.
        let baseline = tally.baselines.last();
        let is_reference = labels.is_empty();
        if let Some((case, verdict)) = baseline.and_then(|one| one.unsound(is_reference)) {
            return Err(Failure::Broken(format!(
                "{case} is {} with the base {label}, so that nothing shows whether it can fail",
                verdict.word()
            )));
        }
        labels.push(label);
    }
    let whole = question.filters.is_empty();
    Ok(tally.proof(
        &question.selected,
        labels,
        whole,
        started.elapsed().as_secs_f64(),
    ))
}

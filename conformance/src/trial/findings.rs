//! Judging: what a case expected of a clause, and what was there.

use oci_runtime_schemas::{Catalogue, Clause, Level};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Exit, Stop, Trial};
use crate::bundle::Bundle;
use crate::results::{Finding, FindingLevel, FindingVerdict};

/// Where an error may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// create must refuse.
    Create,
    /// create or start may refuse: the offending value is a property of `process`, which create
    /// need not apply yet.
    CreateOrStart,
}

/// A value that the text says is an error, with its control.
pub struct Refusal {
    /// The clause that asks for the error.
    pub error: &'static str,
    /// The clause that asks for nothing to come of it, if the case judges that too; only looked at
    /// when create refuses.
    pub nothing: Option<&'static str>,
    /// The clause that the control's failure breaks: the same bundle with a valid value.
    pub control: &'static str,
    /// Where the error may come.
    pub when: When,
    /// What is looked at, for the report: `a namespace type that is listed twice`.
    pub what: &'static str,
}

impl Trial<'_> {
    /// Judges a clause: what was observed must equal what is expected.
    ///
    /// # Errors
    /// [`Stop::Broken`] if the case does not declare the clause.
    pub fn expect(
        &mut self,
        clause: &'static str,
        expected: impl Serialize,
        observed: impl Serialize,
    ) -> Result<(), Stop> {
        let (expected, observed) = (value_of(expected), value_of(observed));
        let holds = expected == observed;
        self.judge(clause, holds, expected, observed, "")
    }

    /// Judges a clause by a condition that equality does not say; `expected` puts it in words.
    ///
    /// # Errors
    /// [`Stop::Broken`] if the case does not declare the clause.
    pub fn expect_that(
        &mut self,
        clause: &'static str,
        holds: bool,
        expected: impl Into<String>,
        observed: impl Serialize,
    ) -> Result<(), Stop> {
        self.judge(
            clause,
            holds,
            json!(expected.into()),
            value_of(observed),
            "",
        )
    }

    /// As [`Trial::expect`], and says in words what is looked at where the clause alone does not:
    /// the row of a table.
    ///
    /// # Errors
    /// [`Stop::Broken`] if the case does not declare the clause.
    pub fn expect_in(
        &mut self,
        clause: &'static str,
        message: &str,
        expected: impl Serialize,
        observed: impl Serialize,
    ) -> Result<(), Stop> {
        let (expected, observed) = (value_of(expected), value_of(observed));
        let holds = expected == observed;
        self.judge(clause, holds, expected, observed, message)
    }

    /// Tells a fact that binds nobody: a choice that the specification leaves to the runtime.
    ///
    /// # Errors
    /// [`Stop::Broken`] if the case does not declare the clause.
    pub fn inform(
        &mut self,
        clause: &'static str,
        message: &str,
        observed: impl Serialize,
    ) -> Result<(), Stop> {
        self.declared(clause)?;
        self.findings.push(Finding {
            clause: clause.to_owned(),
            level: level_of(Catalogue::get().by_id(clause)),
            verdict: FindingVerdict::Info,
            expected_value: Value::Null,
            observed_value: value_of(observed),
            message: message.to_owned(),
            step: self.evidence(),
        });
        Ok(())
    }

    /// Judges that an operation ended with an error: a non-zero exit.
    ///
    /// # Errors
    /// [`Stop::Broken`] if the case does not declare the clause.
    pub fn expect_error(
        &mut self,
        clause: &'static str,
        what: &str,
        exit: &Exit,
    ) -> Result<(), Stop> {
        let holds = !exit.succeeded() && exit.signal.is_none();
        let expected = json!("an error: an exit status other than 0");
        self.judge(clause, holds, expected, exit.describe(), what)
    }

    /// Judges that an operation succeeded.
    ///
    /// # Errors
    /// [`Stop::Broken`] if the case does not declare the clause.
    pub fn expect_success(
        &mut self,
        clause: &'static str,
        what: &str,
        exit: &Exit,
    ) -> Result<(), Stop> {
        self.judge(
            clause,
            exit.succeeded(),
            json!("exit 0"),
            exit.describe(),
            what,
        )
    }

    /// Judges that an offending value is refused.
    ///
    /// First the control: the current configuration as it stands, which must create, start and
    /// delete. Then the same configuration with `offend` applied, in a bundle of its own: it must
    /// be refused and nothing may come of it.
    ///
    /// # Errors
    /// [`Stop::ControlRefused`] if the control is refused; else as the operations.
    pub fn refuses(
        &mut self,
        refusal: &Refusal,
        offend: impl FnOnce(&mut Bundle),
    ) -> Result<(), Stop> {
        let control = self.config.clone();
        match self.run_to_end() {
            Ok(_) => {}
            Err(Stop::Refused { operation, exit }) => {
                return Err(Stop::ControlRefused {
                    clause: refusal.control,
                    operation,
                    exit,
                });
            }
            Err(other) => return Err(other),
        }
        // What the control has left is delete's fault, and not that of the refusal to come.
        self.judge_leaks();
        self.another()?;
        let own_path = self.config.pointer("/linux/cgroupsPath").cloned();
        self.config = control;
        if let Some(path) = own_path
            && self.config.pointer("/linux/cgroupsPath").is_some()
        {
            self.set("/linux/cgroupsPath", path);
        }
        offend(self);
        let exit = self.create()?;
        if exit.succeeded() && refusal.when == When::CreateOrStart {
            let exit = self.start()?;
            self.expect_error(refusal.error, refusal.what, &exit)?;
            // What start's error must undo is the affair of other clauses.
            return self.give_up();
        }
        self.expect_error(refusal.error, refusal.what, &exit)?;
        if exit.succeeded() {
            return self.give_up();
        }
        if let Some(clause) = refusal.nothing {
            let state = self.state()?;
            let what = "state of the container that create refused: there is none";
            self.expect_error(clause, what, &state.exit)?;
        }
        self.judge_remains_of_refusal(refusal.nothing);
        Ok(())
    }

    /// Ends the current container without judging how.
    ///
    /// # Errors
    /// As the operations.
    pub fn give_up(&mut self) -> Result<(), Stop> {
        self.quietly(|trial| {
            if trial.kill("KILL")?.succeeded() {
                trial.wait_exit()?;
            }
            if !trial.delete()?.succeeded() {
                let id = trial.id.clone();
                trial.operation(&["delete", "--force", &id])?;
            }
            let current = trial.current;
            trial.containers[current].given_up = true;
            Ok(())
        })
    }

    fn judge(
        &mut self,
        clause: &'static str,
        holds: bool,
        expected: Value,
        observed: Value,
        message: &str,
    ) -> Result<(), Stop> {
        self.declared(clause)?;
        self.record(clause, holds, expected, observed, message);
        Ok(())
    }

    /// The declared clause of this id, for cases that are rows of a table.
    ///
    /// # Panics
    /// If the case does not declare it: a mistake of the case, which its supervisor reports.
    pub fn declared_clause(&self, id: &str) -> &'static str {
        let declared = self
            .case
            .judges
            .iter()
            .copied()
            .find(|clause| *clause == id);
        declared.unwrap_or_else(|| panic!("the case {} does not declare {id}", self.case.id))
    }

    fn declared(&self, clause: &str) -> Result<(), Stop> {
        if self.case.judges.contains(&clause) || self.implicit.contains(&clause) {
            return Ok(());
        }
        Err(Stop::Broken(format!(
            "the case judges {clause}, which it does not declare"
        )))
    }

    /// Records a judgement. A clause that the judged version no longer has is passed over; one that
    /// it does not have yet can be passed but not failed.
    pub(super) fn record(
        &mut self,
        clause: &str,
        holds: bool,
        expected: Value,
        observed: Value,
        message: &str,
    ) {
        let Some(entry) = Catalogue::get().by_id(clause) else {
            return;
        };
        if entry.until.is_some_and(|until| until < self.judged) {
            return;
        }
        let mut message = message.to_owned();
        let verdict = match (holds, entry.level) {
            (true, _) => FindingVerdict::Pass,
            (false, _) if entry.newer_than(&self.judged) => {
                message = newer(&message, entry, &self.judged.to_string());
                FindingVerdict::Unsupported
            }
            (false, Level::Must) => FindingVerdict::Fail,
            (false, Level::Should) => FindingVerdict::Warn,
            (false, _) => FindingVerdict::Info,
        };
        self.findings.push(Finding {
            clause: clause.to_owned(),
            level: level_of(Some(entry)),
            verdict,
            expected_value: expected,
            observed_value: observed,
            message,
            step: self.evidence(),
        });
    }

    /// The step that shows what is judged now: the last one, unless a control has come since.
    fn evidence(&self) -> Option<usize> {
        self.refused_at.or_else(|| self.steps.len().checked_sub(1))
    }

    /// Records that an optional value was refused cleanly.
    pub(super) fn push_unsupported(&mut self, clause: &str, operation: &str, exit: &Exit) {
        self.findings.push(Finding {
            clause: clause.to_owned(),
            level: level_of(Catalogue::get().by_id(clause)),
            verdict: FindingVerdict::Unsupported,
            expected_value: json!("applied, or refused and nothing left behind"),
            observed_value: exit.describe(),
            message: format!(
                "{operation} refuses this optional value and accepts the plain container"
            ),
            step: self.evidence(),
        });
    }
}

fn newer(message: &str, clause: &Clause, judged: &str) -> String {
    let reason = format!("newer than the claimed {judged} (since {})", clause.since);
    if message.is_empty() {
        reason
    } else {
        format!("{message}; {reason}")
    }
}

fn level_of(clause: Option<&Clause>) -> FindingLevel {
    match clause.map(|clause| clause.level) {
        Some(Level::Must) => FindingLevel::Must,
        Some(Level::Should) => FindingLevel::Should,
        Some(Level::May) => FindingLevel::May,
        _ => FindingLevel::Information,
    }
}

fn value_of(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

//! What a rule is: a declaration that carries its clause, its check, its page and its examples.

use std::ops::Range;

use oci_runtime_schemas::{Catalogue, SpecVersion};

use crate::context::Context;
use crate::document::Value;
use crate::finding::{Finding, Fix, Severity};
use crate::options::{DocumentKind, Profile};

/// A check of documents.
#[derive(Debug)]
pub struct Rule {
    /// Section and what holds: `namespaces/unique`.
    pub id: &'static str,
    /// The clauses that it judges. A finding that names none is of the first that is in force in
    /// the document's version; if none is, there is no finding. Empty for profiles but `spec`.
    pub clauses: &'static [&'static str],
    /// Which documents it looks at.
    pub kinds: &'static [DocumentKind],
    /// The profile that it belongs to.
    pub profile: Profile,
    /// The severity of its findings where no clause gives one.
    pub severity: Severity,
    /// What is behind it, where no clause is: a manual page, a CVE, a runtime's behaviour.
    pub source: &'static str,
    /// Its page: why it matters and what to write instead, in a few plain sentences.
    pub page: &'static str,
    /// Documents without a finding of this rule, each the twin of a rejected one.
    pub accepts: &'static [&'static str],
    /// Documents with one finding of this rule, and the JSON pointer of that finding.
    pub rejects: &'static [(&'static str, &'static str)],
    /// The check.
    pub check: fn(&Context<'_>, &mut Found<'_>),
}

impl Rule {
    /// The parts that most rules share: about `config.json`, of the profile `spec`.
    pub(crate) const SPEC: Rule = Rule {
        id: "",
        clauses: &[],
        kinds: &[DocumentKind::Config],
        profile: Profile::Spec,
        severity: Severity::Error,
        source: "",
        page: "",
        accepts: &[],
        rejects: &[],
        check: |_, _| {},
    };
}

/// What one rule finds in one document.
#[derive(Debug)]
pub struct Found<'f> {
    rule: &'static Rule,
    version: SpecVersion,
    findings: &'f mut Vec<Finding>,
}

/// No document has more findings than this: the rest would tell nobody anything.
pub(crate) const MAX_FINDINGS: usize = 1000;

impl<'f> Found<'f> {
    pub(crate) fn new(
        rule: &'static Rule,
        version: SpecVersion,
        findings: &'f mut Vec<Finding>,
    ) -> Self {
        Found {
            rule,
            version,
            findings,
        }
    }

    /// A value is wrong.
    pub fn at(&mut self, value: Value<'_>, message: impl Into<String>) -> Draft<'_> {
        self.draft(value, value.span(), message.into())
    }

    /// A member is wrong by being there, whatever its value; the place is its name.
    pub fn at_name(&mut self, value: Value<'_>, message: impl Into<String>) -> Draft<'_> {
        self.draft(value, value.head_span(), message.into())
    }

    /// An object or array lacks something.
    pub fn lacking(&mut self, owner: Value<'_>, message: impl Into<String>) -> Draft<'_> {
        self.draft(owner, owner.head_span(), message.into())
    }

    /// The same for the clauses of another version: where the rule judges the document by another
    /// one, whose version it is that counts.
    pub(crate) fn as_of(&mut self, version: SpecVersion) -> Found<'_> {
        Found {
            rule: self.rule,
            version,
            findings: self.findings,
        }
    }

    /// Whether no more findings are kept, so that a rule can spare itself the work.
    pub fn is_full(&self) -> bool {
        self.findings.len() >= MAX_FINDINGS
    }

    fn draft(&mut self, value: Value<'_>, span: Range<usize>, message: String) -> Draft<'_> {
        let binding = |id: &&&'static str| {
            Catalogue::get()
                .by_id(id)
                .is_some_and(|clause| clause.binds(&self.version))
        };
        let clause = self.rule.clauses.iter().find(binding).copied();
        let counts = (clause.is_some() || self.rule.clauses.is_empty())
            && self.findings.len() < MAX_FINDINGS;
        Draft {
            version: self.version,
            findings: self.findings,
            finding: counts.then(|| Finding {
                rule: self.rule.id,
                clause,
                severity: clause.map_or(self.rule.severity, Severity::of_clause),
                pointer: value.pointer(),
                span,
                message,
                help: None,
                related: Vec::new(),
                fix: None,
            }),
        }
    }
}

/// A finding that is being told. It is found when this is dropped, so that a rule can say as much
/// about it as it knows and no more.
#[derive(Debug)]
pub struct Draft<'f> {
    version: SpecVersion,
    findings: &'f mut Vec<Finding>,
    finding: Option<Finding>,
}

impl Draft<'_> {
    fn with(mut self, change: impl FnOnce(&mut Finding)) -> Self {
        if let Some(finding) = &mut self.finding {
            change(finding);
        }
        self
    }

    /// The clause, where the rule has several. The finding is dropped if that clause is not in
    /// force in the document's version.
    pub fn clause(mut self, id: &'static str) -> Self {
        let known = Catalogue::get().by_id(id);
        if !known.is_some_and(|clause| clause.binds(&self.version)) {
            self.finding = None;
        }
        self.with(|finding| {
            finding.clause = Some(id);
            finding.severity = Severity::of_clause(id);
        })
    }

    /// What to write instead, or why it is wrong.
    pub fn help(self, help: impl Into<String>) -> Self {
        self.with(|finding| finding.help = Some(help.into()))
    }

    /// Another place that explains it.
    pub fn related(self, value: Value<'_>, label: impl Into<String>) -> Self {
        self.with(|finding| finding.related.push((value.head_span(), label.into())))
    }

    /// What mends it for certain: the JSON text that would stand in the place of `value`.
    pub fn replace(self, value: Value<'_>, text: impl Into<String>) -> Self {
        self.with(|finding| {
            finding.fix = Some(Fix {
                span: value.span(),
                replacement: text.into(),
            });
        })
    }

    /// A severity below the clause's.
    pub fn only(self, severity: Severity) -> Self {
        self.with(|finding| finding.severity = severity)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        self.findings.extend(self.finding.take());
    }
}

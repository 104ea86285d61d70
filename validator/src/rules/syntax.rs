//! The text itself: JSON (RFC 8259) in UTF-8 without names that stand twice (glossary.md).

use crate::document::{Document, ProblemKind};
use crate::finding::{Finding, Fix, Severity};
use crate::rule::{MAX_FINDINGS, Rule};

/// What the text of every document is held to. The reader finds these, so they have no check.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "syntax/json",
        page: "The text is no JSON. Where the mistake leaves open what the rest means, nothing \
               else of the document is judged.",
        accepts: &[r#"{"a": [1, 2]}"#],
        rejects: &[
            (r#"{"a": [1, 2}"#, "/a"),
            (r#"{"a": 1 "b": 2}"#, ""),
            (r#"{'a': 1}"#, ""),
            (r#"{"mode": 0644}"#, "/mode"),
        ],
        ..TEXT
    },
    Rule {
        id: "syntax/utf-8",
        clauses: &["glossary.json.utf8"],
        page: "All JSON of the specification is encoded in UTF-8. Other bytes are read as `?` here; \
               programs may refuse the document or replace them by something else.",
        ..TEXT
    },
    Rule {
        id: "syntax/duplicate-name",
        clauses: &["glossary.json.duplicate-names"],
        page: "An object has a name twice. Most programs take the last of them and some the first, \
               so that two readers of one file may act differently: what a reviewer saw need not \
               be what the runtime does.",
        accepts: &[r#"{"a": 1, "b": 2}"#],
        rejects: &[(r#"{"a": 1, "\u0061": 2}"#, "/a")],
        ..TEXT
    },
    Rule {
        id: "syntax/trailing-comma",
        page: "JSON has no comma behind the last entry of an array or object. `--fix` removes it.",
        accepts: &["[1, 2]"],
        rejects: &[("[1, 2,]", "")],
        ..TEXT
    },
    Rule {
        id: "syntax/comment",
        page: "JSON has no comments. Annotations are a place for remarks. `--fix` removes them.",
        accepts: &["[1]"],
        rejects: &[("[1 /* one */]", "")],
        ..TEXT
    },
    Rule {
        id: "syntax/byte-order-mark",
        page: "RFC 8259 forbids a byte order mark at the beginning, and runtimes fail on it. \
               `--fix` removes it.",
        accepts: &["{}"],
        rejects: &[("\u{feff}{}", "")],
        ..TEXT
    },
    Rule {
        id: "syntax/binary",
        page: "The file is not text: it has zero bytes, or hardly anything in it is UTF-8.",
        accepts: &["{}"],
        rejects: &[("{\0}", "")],
        ..TEXT
    },
    Rule {
        id: "syntax/limit",
        page: "Documents are read up to 16 MiB, 128 levels deep and with a million values, so that \
               hostile ones cost neither memory nor time. Real ones are far smaller.",
        ..TEXT
    },
];

const TEXT: Rule = Rule {
    kinds: &crate::options::DocumentKind::ALL,
    severity: Severity::Error,
    source: "RFC 8259",
    ..Rule::SPEC
};

/// What is wrong with the text, as findings.
pub(crate) fn check(document: &Document, findings: &mut Vec<Finding>) {
    for problem in document.problems().iter().take(MAX_FINDINGS) {
        let id = match problem.kind {
            ProblemKind::Limit => "syntax/limit",
            ProblemKind::Binary => "syntax/binary",
            ProblemKind::Utf8 => "syntax/utf-8",
            ProblemKind::ByteOrderMark => "syntax/byte-order-mark",
            ProblemKind::TrailingComma => "syntax/trailing-comma",
            ProblemKind::Comment => "syntax/comment",
            ProblemKind::DuplicateName => "syntax/duplicate-name",
            ProblemKind::Syntax => "syntax/json",
        };
        let clause = RULES
            .iter()
            .find(|rule| rule.id == id)
            .and_then(|rule| rule.clauses.first().copied());
        findings.push(Finding {
            rule: id,
            clause,
            severity: Severity::Error,
            pointer: document.pointer_of(problem),
            span: problem.span.clone(),
            message: problem.message.clone(),
            help: problem.help.clone(),
            related: problem.related.iter().cloned().collect(),
            fix: problem.replacement.as_ref().map(|replacement| Fix {
                span: problem.span.clone(),
                replacement: replacement.clone(),
            }),
        });
    }
}

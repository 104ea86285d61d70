//! JUnit's XML: a test suite a file, a test case a finding.
//!
//! What fails the run is a `failure`; a lesser finding is a case that passes and says it. A file
//! without findings is one case that passes, a path that could not be judged one with an `error`.

use super::escape::xml;
use super::{Failure, Judged, Lines, Report, Style, Summary, shown};
use crate::finding::{Finding, Severity};
use oci_runtime_schemas::Catalogue;

pub(super) struct Junit {
    fail_on: Severity,
}

impl Junit {
    pub(super) fn new(style: Style) -> Junit {
        Junit {
            fail_on: style.fail_on,
        }
    }
}

impl Report for Junit {
    fn head(&self) -> String {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"oci-validate\">\n".into()
    }

    fn file(&self, judged: &Judged) -> String {
        let path = xml(&shown(&judged.path));
        let failing = |finding: &&Finding| finding.severity >= self.fail_on;
        let failures = judged.findings.iter().filter(failing).count();
        let mut cases = String::new();
        if judged.findings.is_empty() {
            cases =
                format!("    <testcase classname=\"{path}\" name=\"valid\" file=\"{path}\"/>\n");
        } else {
            let lines = Lines::of(judged.document.text());
            for finding in &judged.findings {
                cases.push_str(&self.case(&path, finding, &lines));
            }
        }
        suite(&path, judged.findings.len().max(1), failures, 0, &cases)
    }

    fn failure(&self, failure: &Failure) -> String {
        let path = xml(&shown(&failure.path));
        let kind = if failure.internal {
            "internal"
        } else {
            "unreadable"
        };
        let why = xml(&failure.why);
        let case = format!(
            "    <testcase classname=\"{path}\" name=\"readable\" file=\"{path}\">\n      \
             <error type=\"{kind}\" message=\"{why}\"/>\n    </testcase>\n"
        );
        suite(&path, 1, 0, 1, &case)
    }

    fn end(&self, _summary: &Summary) -> String {
        "</testsuites>\n".into()
    }
}

fn suite(path: &str, tests: usize, failures: usize, errors: usize, cases: &str) -> String {
    format!(
        "  <testsuite name=\"{path}\" tests=\"{tests}\" failures=\"{failures}\" \
         errors=\"{errors}\" skipped=\"0\">\n{cases}  </testsuite>\n"
    )
}

impl Junit {
    fn case(&self, path: &str, finding: &Finding, lines: &Lines<'_>) -> String {
        let at = lines.position(finding.span.start);
        let place = match finding.pointer.as_str() {
            "" => format!("{}:{}", at.line, at.column),
            pointer => pointer.to_owned(),
        };
        let severity = finding.severity.name();
        let mut text = format!(
            "{severity}[{}]: {}\n  at {path}:{}:{}\n",
            finding.rule,
            lined(&finding.message),
            at.line,
            at.column
        );
        for (span, label) in &finding.related {
            let at = lines.position(span.start);
            text.push_str(&format!("  {}: {}:{}\n", lined(label), at.line, at.column));
        }
        if let Some(help) = &finding.help {
            text.push_str(&format!("  help: {}\n", lined(help)));
        }
        if let Some(clause) = finding.clause.and_then(|id| Catalogue::get().by_id(id)) {
            let reference = clause.reference();
            let line = format!("  clause: {} ({}), {reference}", clause.id, clause.force());
            text.push_str(&lined(&line));
            text.push('\n');
        }
        let head = format!(
            "    <testcase classname=\"{path}\" name=\"{}\" file=\"{path}\" line=\"{}\">\n",
            xml(&format!("{} {place}", finding.rule)),
            at.line
        );
        let body = if finding.severity >= self.fail_on {
            let message = xml(&finding.message);
            format!("      <failure type=\"{severity}\" message=\"{message}\">{text}</failure>\n")
        } else {
            format!("      <system-out>{text}</system-out>\n")
        };
        format!("{head}{body}    </testcase>\n")
    }
}

/// Text in XML whose line breaks stay readable.
fn lined(text: &str) -> String {
    text.split('\n').map(xml).collect::<Vec<_>>().join("\n    ")
}

//! For people: each finding with the lines that it is about, as compilers show them.

mod excerpt;

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use oci_runtime_schemas::Catalogue;

use super::{Judged, Lines, Report, Style, Summary, changes, counted, escape, shortened, shown};
use crate::finding::{Finding, Severity};
use excerpt::{Excerpt, Mark};

pub(super) struct Human {
    renderer: Renderer,
    shown_from: Severity,
}

impl Human {
    pub(super) fn new(style: Style) -> Human {
        let renderer = if style.colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        Human {
            // Lines are cut around what they are shown for, whatever the terminal's width.
            renderer: renderer.term_width(usize::MAX >> 8),
            shown_from: style.shown_from,
        }
    }
}

/// A document whose findings are shown.
struct Shown<'a> {
    path: &'a str,
    text: &'a str,
    lines: Lines<'a>,
    has_lines: bool,
}

impl Report for Human {
    fn tells_changes(&self) -> bool {
        true
    }

    fn file(&self, judged: &Judged) -> String {
        let path = shown(&judged.path);
        let mut out = changes(judged);
        if !judged.changes.is_empty() {
            out.push('\n');
        }
        let findings = || {
            judged
                .findings
                .iter()
                .filter(|finding| finding.severity >= self.shown_from)
        };
        if findings().next().is_none() {
            return out;
        }
        let text = judged.document.text();
        let shown = Shown {
            path: &path,
            text,
            lines: Lines::of(text),
            // What is not text, or was not read, has no lines to show.
            has_lines: !text.is_empty() && !text.contains('\0'),
        };
        for finding in findings() {
            out.push_str(&self.finding(&shown, finding));
            out.push_str("\n\n");
        }
        out
    }

    fn end(&self, summary: &Summary) -> String {
        let mut out = counted(summary.files, "file");
        out.push_str(" judged: ");
        let found = [
            (summary.errors, "error"),
            (summary.warnings, "warning"),
            (summary.notes, "note"),
        ];
        let found: Vec<String> = found
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| counted(*count, what))
            .collect();
        out.push_str(&match found.as_slice() {
            [] => "nothing found".to_owned(),
            found => found.join(", "),
        });
        let unread = summary.failures.len();
        for (count, what) in [
            (summary.fixed, "fixed"),
            (summary.skipped, "skipped"),
            (unread, "not judged"),
        ] {
            if count > 0 {
                out.push_str(&format!("; {count} {what}"));
            }
        }
        out.push('\n');
        if !found.is_empty() {
            out.push_str("`oci-validate explain RULE` says more about a rule");
            if summary.notes > 0 && self.shown_from > Severity::Note {
                out.push_str("; `--notes` shows the notes");
            }
            if summary.fixable > 0 {
                out.push_str(&format!("; `--fix` mends {}", summary.fixable));
            }
            out.push('\n');
        }
        out
    }
}

impl Human {
    fn finding(&self, document: &Shown<'_>, finding: &Finding) -> String {
        let Shown { path, lines, .. } = document;
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group = level
            .primary_title(escape::terminal(&finding.message))
            .id(finding.rule)
            .elements([] as [Origin<'_>; 0]);

        let mut far = Vec::new();
        let mut pointer = None;
        let mut columns = None;
        if document.has_lines {
            let mut spans = vec![finding.span.clone()];
            spans.extend(finding.related.iter().map(|(span, _)| span.clone()));
            let excerpt = Excerpt::of(document.text, lines, &spans);
            let place = lines.position(finding.span.start);
            columns = excerpt
                .primary_column()
                .map(|shown| (place.line, shown, place.column));
            if excerpt.is_cut {
                pointer = Some(finding.pointer.as_str()).filter(|pointer| !pointer.is_empty());
            }
            group = group.element(self.snippet(path, finding, excerpt, &mut far));
        } else {
            group = group.element(Origin::path(*path));
        }

        for (span, label) in far {
            let at = lines.position(span.start);
            group = group.element(Level::NOTE.message(format!(
                "{}: {path}:{}:{}",
                escape::terminal(label),
                at.line,
                at.column
            )));
        }
        if let Some(help) = &finding.help {
            group = group.element(Level::HELP.message(escape::terminal_lines(help)));
        }
        if let Some(fix) = &finding.fix {
            let name = Level::HELP.with_name("fix");
            group = group.element(name.message(match fix.replacement.as_str() {
                "" => "`--fix` removes it".to_owned(),
                text => format!("`--fix` writes `{}`", escape::terminal(&shortened(text))),
            }));
        }
        if let Some(pointer) = pointer {
            let name = Level::NOTE.with_name("pointer");
            group = group.element(name.message(escape::terminal(pointer)));
        }
        group = with_basis(group, finding);
        let rendered = self.renderer.render(&[group]);
        match columns {
            Some((line, shown, real)) if shown != real => {
                // The renderer counts in the excerpt. Its own mention is the first behind the title.
                let title = rendered.find('\n').unwrap_or(0);
                let (title, rest) = rendered.split_at(title);
                let (from, to) = (
                    format!("{path}:{line}:{shown}"),
                    format!("{path}:{line}:{real}"),
                );
                format!("{title}{}", rest.replacen(&from, &to, 1))
            }
            _ => rendered,
        }
    }

    fn snippet<'a>(
        &self,
        path: &'a str,
        finding: &'a Finding,
        excerpt: Excerpt,
        far: &mut Vec<(&'a Range<usize>, &'a str)>,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let Excerpt {
            source,
            first_line,
            marks,
            ..
        } = excerpt;
        let mut snippet = Snippet::source(source).path(path).line_start(first_line);
        for (place, mark) in marks.into_iter().enumerate() {
            let related = place.checked_sub(1).map(|place| &finding.related[place]);
            match (mark, related) {
                (Mark::Shown(span), None) => {
                    snippet = snippet.annotation(AnnotationKind::Primary.span(span));
                }
                (Mark::Shown(span), Some((_, label))) => {
                    let label = escape::terminal(label);
                    snippet = snippet.annotation(AnnotationKind::Context.span(span).label(label));
                }
                (Mark::Far, Some((span, label))) => far.push((span, label)),
                (Mark::Far, None) => {}
            }
        }
        snippet
    }
}

/// The clause behind a finding, or what else is behind it.
fn with_basis<'a>(group: Group<'a>, finding: &Finding) -> Group<'a> {
    let clause = finding.clause.and_then(|id| Catalogue::get().by_id(id));
    if let Some(clause) = clause {
        let name = Level::NOTE.with_name("clause");
        return group.element(name.message(format!(
            "{} ({}), {}",
            clause.id,
            clause.force(),
            clause.reference()
        )));
    }
    match crate::rules::by_id(finding.rule) {
        Some(rule) if !rule.source.is_empty() => {
            let name = Level::NOTE.with_name("source");
            group.element(name.message(rule.source))
        }
        _ => group,
    }
}

//! Lines of the report for a person: indents, a column of labels, wrapping, colours.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style as Ansi};

use crate::report::wrap::wrap;
use crate::report::{Clauses, Style};
use crate::results::Verdict;

/// Columns that a wrapped line fills at most.
const WIDTH: usize = 100;
/// Width of the column of labels.
const LABEL: usize = 12;

/// What a colour is for. No meaning is in the colour alone.
#[derive(Clone, Copy)]
pub(super) enum Tint {
    Plain,
    Bold,
    Underlined,
    Dim,
    Good,
    Bad,
}

impl Tint {
    fn ansi(self) -> Ansi {
        match self {
            Tint::Plain => Ansi::new(),
            Tint::Bold => Ansi::new().bold(),
            Tint::Underlined => Ansi::new().underline(),
            Tint::Dim => Ansi::new().dimmed(),
            Tint::Good => AnsiColor::Green.on_default().bold(),
            Tint::Bad => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// Where the report goes. Text that is given to it is escaped already.
pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    style: Style,
    /// Where clauses are looked up.
    pub(super) clauses: Clauses<'a>,
}

impl<'a> Page<'a> {
    pub(super) fn new(out: &'a mut dyn Write, style: Style, clauses: Clauses<'a>) -> Page<'a> {
        Page {
            out,
            style,
            clauses,
        }
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// Begins a part of the report.
    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.blank()?;
        let text = self.painted(Tint::Bold.ansi(), text);
        writeln!(self.out, "{text}")
    }

    /// A line that must not wrap: of a table, or one that scripts look for.
    pub(super) fn row(&mut self, tint: Tint, text: &str) -> io::Result<()> {
        let text = self.painted(tint.ansi(), text);
        writeln!(self.out, "{text}")
    }

    /// Text from an indent on, wrapped; what goes on in further lines stands in another column.
    pub(super) fn line(
        &mut self,
        indent: usize,
        hanging: usize,
        tint: Tint,
        text: &str,
    ) -> io::Result<()> {
        for (at, part) in wrap(text, WIDTH - indent.max(hanging)).iter().enumerate() {
            let column = if at == 0 { indent } else { hanging };
            let part = self.painted(tint.ansi(), part);
            writeln!(self.out, "{:column$}{part}", "")?;
        }
        Ok(())
    }

    /// A case's verdict and id.
    pub(super) fn verdict(&mut self, verdict: Verdict, id: &str) -> io::Result<()> {
        let colour = match verdict {
            Verdict::Pass => AnsiColor::Green,
            Verdict::Fail | Verdict::Timeout => AnsiColor::Red,
            Verdict::Warn => AnsiColor::Yellow,
            Verdict::Broken => AnsiColor::Magenta,
            Verdict::Unsupported | Verdict::Inapplicable => AnsiColor::Cyan,
        };
        let word = self.painted(colour.on_default().bold(), &verdict.word().to_uppercase());
        let id = self.painted(Tint::Bold.ansi(), id);
        writeln!(self.out, "  {word}  {id}")
    }

    /// A dim label and text behind it, wrapped in its column.
    pub(super) fn field(&mut self, indent: usize, label: &str, text: &str) -> io::Result<()> {
        self.labelled(indent, label, Tint::Dim, text)
    }

    /// A label of any tint and text behind it, wrapped in its column.
    pub(super) fn labelled(
        &mut self,
        indent: usize,
        label: &str,
        tint: Tint,
        text: &str,
    ) -> io::Result<()> {
        let column = indent + LABEL;
        for (at, part) in wrap(text, WIDTH - column).iter().enumerate() {
            self.label(indent, if at == 0 { label } else { "" }, tint)?;
            writeln!(self.out, "{part}")?;
        }
        Ok(())
    }

    /// A command: never wrapped, so that it can be copied.
    pub(super) fn command(&mut self, indent: usize, label: &str, command: &str) -> io::Result<()> {
        self.label(indent, label, Tint::Dim)?;
        writeln!(self.out, "{command}")
    }

    fn label(&mut self, indent: usize, label: &str, tint: Tint) -> io::Result<()> {
        let padding = LABEL.saturating_sub(label.chars().count()).max(1);
        let label = if label.is_empty() {
            String::new()
        } else {
            self.painted(tint.ansi(), label)
        };
        write!(self.out, "{:indent$}{label}{:padding$}", "", "")
    }

    fn painted(&self, ansi: Ansi, text: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("{ansi}{text}{ansi:#}"),
        }
    }
}

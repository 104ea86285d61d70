//! Judges what the command line names: in parallel, told in order.
//!
//! Threads take inputs in small parts from one list, and whoever has made the part that is next tells
//! it. Nothing is kept but the parts that wait for an earlier one, and no thread runs far ahead.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, IsTerminal, Write};
use std::iter::Peekable;
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::{env, thread};

use super::arguments::{Judging, KindName};
use super::{EXIT_CLEAN, EXIT_FINDINGS, EXIT_INTERNAL, EXIT_USAGE, fail};
use crate::bundle::Bundle;
use crate::document::Document;
use crate::finding::{Finding, Severity};
use crate::fix;
use crate::host::Host;
use crate::input::{CONFIG, Input, Inputs, Next, ReadError, Source, Wanted, read_named};
use crate::options::{DocumentKind, Options, Profile};
use crate::report::{self, Failure, Judged, Report, Style, Summary, escape, shown};

/// Inputs that a thread takes at once.
const PART: usize = 16;
/// The first parts are one input each, so that the first document is told at once and few large
/// documents are shared out.
const SMALL_PARTS: usize = 16;
/// Bytes of reports that may wait for an earlier one.
const WAITING: usize = 8 << 20;

/// Runs the program without a command, and returns its exit code.
pub(super) fn run(mut arguments: Judging) -> u8 {
    if arguments.paths.is_empty() {
        if !Path::new(CONFIG).exists() {
            return fail(
                "there is no config.json in the current directory; name a document, a bundle or a \
                 directory, or - for standard input",
            );
        }
        arguments.paths.push(".".into());
    }
    let stdin = arguments
        .paths
        .iter()
        .filter(|path| path.as_os_str() == "-");
    let stdin = stdin.count();
    if stdin > 1 {
        return fail("standard input (-) can be read once only");
    }
    if stdin > 0 && arguments.kind == KindName::Bundle {
        return fail("a bundle is a directory: it cannot be standard input (-)");
    }
    let options = match options(&arguments) {
        Ok(options) => options,
        Err(why) => return fail(&why),
    };
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        PANICKED_AT.set(at.unwrap_or_default());
    }));

    // A document that is mended from standard input goes to standard output.
    let told_on_stderr = arguments.fix && stdin > 0;
    let judge = Judge {
        wanted: match arguments.kind {
            KindName::Auto => Wanted::Any,
            KindName::Bundle => Wanted::Bundles,
            _ => Wanted::Files,
        },
        options,
        fix: arguments.fix,
        report: report::of(arguments.format, style(&arguments, told_on_stderr)),
        check: crate::examine,
    };
    let out: Box<dyn Write + Send> = if told_on_stderr {
        Box::new(io::stderr())
    } else {
        Box::new(io::stdout())
    };
    judge.all(arguments.paths, arguments.fail_on.severity(), out)
}

fn options(arguments: &Judging) -> Result<Options, String> {
    let profiles = arguments.profile.iter().map(|name| name.profile());
    let mut options = Options {
        kind: arguments.kind.document(),
        spec_version: arguments.spec_version,
        profiles: profiles.collect(),
        ..Options::default()
    };
    if options.profiles.contains(&Profile::Host) {
        options.host = Some(Host::read());
    }
    if let Some(path) = &arguments.features {
        options.features = Some(features(path)?);
    }
    Ok(options)
}

fn features(path: &Path) -> Result<Document, String> {
    let error = |why: &str| format!("{}: {why}", shown(path));
    let bytes = read_named(path).map_err(|why| match why {
        ReadError::TooLarge => error("larger than 16 MiB"),
        ReadError::Missing(why) | ReadError::Unreadable(why) => error(&why),
    })?;
    let document = Document::parse(bytes);
    if DocumentKind::of(document.root()) != Some(DocumentKind::Features) {
        return Err(error(
            "no features document: `oci-validate --kind features` says more",
        ));
    }
    Ok(document)
}

fn style(arguments: &Judging, told_on_stderr: bool) -> Style {
    let choice = if told_on_stderr {
        anstream::AutoStream::choice(&io::stderr())
    } else {
        anstream::AutoStream::choice(&io::stdout())
    };
    let terminal = if told_on_stderr {
        io::stderr().is_terminal()
    } else {
        io::stdout().is_terminal()
    };
    let colour = match choice {
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Auto => terminal,
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
    };
    let fail_on = arguments.fail_on.severity();
    Style {
        fail_on,
        shown_from: match arguments.notes {
            true => Severity::Note,
            false => fail_on.min(Severity::Warning),
        },
        colour,
        arguments: env::args_os()
            .skip(1)
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect(),
    }
}

thread_local! {
    /// Where the panic that is being caught was; its payload does not tell.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The check, in a bundle or not.
type Check = fn(Option<&Bundle>, &Document, &Options) -> crate::Checked;

struct Judge {
    wanted: Wanted,
    options: Options,
    fix: bool,
    report: Box<dyn Report>,
    check: Check,
}

/// A document that may be mended, as it was read.
struct Original {
    bytes: Vec<u8>,
    /// Of its file, from before it was read.
    metadata: io::Result<Metadata>,
}

/// What came of some inputs, in their order.
#[derive(Default)]
struct Part {
    said: Vec<(Stream, Vec<u8>)>,
    summary: Summary,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    /// An item of the report, with its separator.
    Report,
    /// A document that was mended, to standard output.
    Document,
    Errors,
}

impl Part {
    fn say(&mut self, stream: Stream, bytes: impl Into<Vec<u8>>) {
        self.said.push((stream, bytes.into()));
    }

    fn bytes(&self) -> usize {
        self.said.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// What threads share.
struct Shared {
    inputs: Peekable<Inputs>,
    /// Parts that were taken from the inputs, and those of them that were told.
    taken: usize,
    told: usize,
    waiting: BTreeMap<usize, Part>,
    waiting_bytes: usize,
    out: Out,
    summary: Summary,
}

impl Judge {
    /// Judges all, tells all, and returns the exit code.
    fn all(&self, paths: Vec<PathBuf>, fail_on: Severity, out: Box<dyn Write + Send>) -> u8 {
        let mut out = Out::new(out, self.report.separator());
        out.write(self.report.head().as_bytes());
        let shared = Mutex::new(Shared {
            inputs: Inputs::new(paths, self.wanted).peekable(),
            taken: 0,
            told: 0,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            out,
            summary: Summary::default(),
        });
        let told = Condvar::new();
        self.one_part(&shared, &told);
        if lock(&shared).inputs.peek().is_some() {
            let helpers = thread::available_parallelism().map_or(0, NonZero::get) - 1;
            thread::scope(|scope| {
                for _ in 0..helpers {
                    scope.spawn(|| while self.one_part(&shared, &told) {});
                }
                while self.one_part(&shared, &told) {}
            });
        }

        let Shared {
            mut out,
            mut summary,
            ..
        } = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        let internal = summary.failures.iter().any(|failure| failure.internal);
        let unreadable = summary.failures.iter().any(|failure| !failure.internal);
        summary.exit = if unreadable {
            EXIT_USAGE
        } else if internal {
            EXIT_INTERNAL
        } else if summary.at_least(fail_on) > 0 {
            EXIT_FINDINGS
        } else {
            EXIT_CLEAN
        };
        out.write(self.report.end(&summary).as_bytes());
        if summary.files == 0 && summary.failures.is_empty() {
            out.errors(b"warning: there was no document to judge\n");
        }
        match out.finish() {
            // What was found is not told, so nothing may be concluded from the exit code.
            Err(error) => fail(&format!("standard output: {error}")),
            Ok(()) => summary.exit,
        }
    }

    /// Takes a part, judges it, and tells it if it is its turn. Whether there was one.
    fn one_part(&self, shared: &Mutex<Shared>, told: &Condvar) -> bool {
        let mut state = lock(shared);
        // The part that all wait for is in the hands of another thread, which does not wait.
        while state.waiting_bytes > WAITING && state.taken > state.told {
            state = told.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let number = state.taken;
        let size = if number < SMALL_PARTS { 1 } else { PART };
        let inputs: Vec<Next> = state.inputs.by_ref().take(size).collect();
        if inputs.is_empty() {
            return false;
        }
        state.taken += 1;
        drop(state);

        let mut part = Part::default();
        for next in inputs {
            self.input(next, &mut part);
        }

        let mut state = lock(shared);
        state.waiting_bytes += part.bytes();
        state.waiting.insert(number, part);
        while let Some(part) = state.next_part() {
            state.tell(part);
        }
        told.notify_all();
        true
    }

    fn input(&self, next: Next, part: &mut Part) {
        let input = match next {
            Next::Judge(input) => input,
            Next::Skip => {
                part.summary.skipped += 1;
                return;
            }
            Next::Unreadable(path, why) => return self.failure(part, path, why, false),
        };
        let judged = panic::catch_unwind(AssertUnwindSafe(|| {
            let mut part = Part::default();
            self.document(&input, &mut part);
            part
        }));
        match judged {
            Ok(judged) => {
                part.said.extend(judged.said);
                part.summary.add(judged.summary);
            }
            Err(panic) => {
                let said = panic.downcast_ref::<String>().map(String::as_str);
                let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
                let why = format!(
                    "a fault of oci-validate, please report it: {} ({})",
                    said.unwrap_or("a panic"),
                    PANICKED_AT.take()
                );
                self.failure(part, input.source.file(), why, true);
            }
        }
    }

    fn document(&self, input: &Input, part: &mut Part) {
        let path = input.source.file();
        let metadata = self.fix.then(|| fs::symlink_metadata(&path));
        let bytes = match input.read() {
            Ok(bytes) => Some(bytes),
            Err(ReadError::TooLarge) => None,
            Err(ReadError::Missing(_)) if self.wanted == Wanted::Bundles => {
                return self.judged(no_config(path), part);
            }
            Err(ReadError::Missing(why) | ReadError::Unreadable(why)) => {
                return self.failure(part, path, why, false);
            }
        };
        let bundle = match &input.source {
            Source::Bundle(directory) => Some(Bundle::new(directory)),
            _ => None,
        };
        let (document, original) = match bytes {
            None => (Document::too_large(), None),
            Some(bytes) => {
                let original = metadata.map(|metadata| Original {
                    bytes: bytes.clone(),
                    metadata,
                });
                (Document::parse(bytes), original)
            }
        };
        if !input.named && self.is_foreign(&document, bundle.is_some()) {
            return self.skip(input, part);
        }
        let outcome = (self.check)(bundle.as_ref(), &document, &self.options);
        let mut judged = Judged {
            path,
            kind: match (&bundle, outcome.kind) {
                (Some(_), _) => Some("bundle"),
                (None, kind) => kind.map(DocumentKind::name),
            },
            spec: outcome.version,
            document,
            findings: outcome.findings,
            changes: Vec::new(),
        };
        if let Some(original) = original {
            self.mend(bundle.as_ref(), original, &mut judged, part);
        }
        self.judged(judged, part);
    }

    fn judged(&self, judged: Judged, part: &mut Part) {
        part.summary.count(&judged);
        if !judged.changes.is_empty() && !self.report.tells_changes() {
            part.say(Stream::Errors, report::changes(&judged));
        }
        let said = self.report.file(&judged);
        self.say(part, said);
    }

    /// Whether a document that was met on a walk is none of the specification's. What cannot be read
    /// to its end may be one.
    fn is_foreign(&self, document: &Document, in_bundle: bool) -> bool {
        let root = document.root();
        if !root.is_present() || (self.options.kind.is_some() && !in_bundle) {
            return false;
        }
        match DocumentKind::of(root) {
            None => true,
            Some(kind) => in_bundle && kind != DocumentKind::Config,
        }
    }

    /// Leaves out a document; a directory that it does not make a bundle is walked like any other.
    fn skip(&self, input: &Input, part: &mut Part) {
        part.summary.skipped += 1;
        if let Source::Bundle(directory) = &input.source {
            for next in Inputs::below(directory, self.wanted) {
                self.input(next, part);
            }
        }
    }

    fn mend(
        &self,
        bundle: Option<&Bundle>,
        original: Original,
        judged: &mut Judged,
        part: &mut Part,
    ) {
        let is_stdin = judged.path.as_os_str() == "-";
        let check = |document: &Document| -> Vec<Finding> {
            (self.check)(bundle, document, &self.options).findings
        };
        let mended = fix::mend(original.bytes, &check);
        if is_stdin {
            part.say(Stream::Document, mended.bytes);
        } else if mended.changes.is_empty() {
            return;
        } else {
            let written = original
                .metadata
                .and_then(|before| fix::write(&judged.path, &before, &mended.bytes));
            if let Err(error) = written {
                let why = format!("not mended: {error}");
                return self.failure(part, judged.path.clone(), why, false);
            }
        }
        judged.document = mended.document;
        judged.findings = mended.findings;
        judged.changes = mended.changes;
    }

    fn failure(&self, part: &mut Part, path: PathBuf, why: String, internal: bool) {
        let line = format!("error: {}: {}\n", shown(&path), escape::terminal(&why));
        part.say(Stream::Errors, line);
        let failure = Failure {
            path,
            why,
            internal,
        };
        let said = self.report.failure(&failure);
        self.say(part, said);
        part.summary.failures.push(failure);
    }

    fn say(&self, part: &mut Part, said: String) {
        if !said.is_empty() {
            part.say(Stream::Report, self.report.separator().to_owned() + &said);
        }
    }
}

/// What is said to be a bundle, and lacks the file that makes it one.
fn no_config(path: PathBuf) -> Judged {
    let clause = "bundle.config.required";
    Judged {
        path,
        kind: Some("bundle"),
        spec: None,
        document: Document::parse(Vec::new()),
        findings: vec![Finding {
            rule: "bundle/config-file",
            clause: Some(clause),
            severity: Severity::of_clause(clause),
            pointer: String::new(),
            span: 0..0,
            message: "the bundle has no `config.json`".into(),
            help: None,
            related: Vec::new(),
            fix: None,
        }],
        changes: Vec::new(),
    }
}

impl Shared {
    /// The part whose turn it is, if it is there.
    fn next_part(&mut self) -> Option<Part> {
        let part = self.waiting.remove(&self.told)?;
        self.told += 1;
        self.waiting_bytes -= part.bytes();
        Some(part)
    }

    fn tell(&mut self, part: Part) {
        for (stream, bytes) in part.said {
            match stream {
                Stream::Report => self.out.item(&bytes),
                Stream::Document => self.out.document(&bytes),
                Stream::Errors => self.out.errors(&bytes),
            }
        }
        self.summary.add(part.summary);
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where everything is written to. When a reader goes away the rest is judged without being told:
/// the exit code is still true.
struct Out {
    report: Box<dyn Write + Send>,
    separator: &'static str,
    first: bool,
    result: io::Result<()>,
}

impl Out {
    fn new(report: Box<dyn Write + Send>, separator: &'static str) -> Out {
        Out {
            report,
            separator,
            first: true,
            result: Ok(()),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.result.is_ok() {
            self.result = self.report.write_all(bytes);
        }
    }

    /// The first item has nothing to be separated from.
    fn item(&mut self, bytes: &[u8]) {
        let from = if self.first { self.separator.len() } else { 0 };
        self.first = false;
        self.write(&bytes[from..]);
    }

    fn document(&mut self, bytes: &[u8]) {
        if self.result.is_ok() {
            let mut out = io::stdout().lock();
            self.result = out.write_all(bytes).and_then(|()| out.flush());
        }
    }

    fn errors(&mut self, bytes: &[u8]) {
        // What was told before stands before it where both go to one terminal.
        if self.result.is_ok() {
            self.result = self.report.flush();
        }
        let _ = io::stderr().write_all(bytes);
    }

    fn finish(mut self) -> io::Result<()> {
        if self.result.is_ok() {
            self.result = self.report.flush();
        }
        match self.result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::report::Format;

    /// What was written, for whoever asks later.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A check with a fault that one document meets.
    fn faulty(bundle: Option<&Bundle>, document: &Document, options: &Options) -> crate::Checked {
        assert!(!document.text().contains("fatal"), "met a fatal document");
        crate::examine(bundle, document, options)
    }

    fn run(paths: &[&str]) -> (u8, serde_json::Value) {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("fatal.json"), r#"{"fatal": 1}"#).unwrap();
        fs::write(place.path().join("other.json"), r#"{"ociVersion": 1}"#).unwrap();
        let style = Style {
            fail_on: Severity::Error,
            shown_from: Severity::Note,
            colour: false,
            arguments: Vec::new(),
        };
        let judge = Judge {
            wanted: Wanted::Any,
            options: Options {
                kind: Some(DocumentKind::Config),
                ..Options::default()
            },
            fix: false,
            report: report::of(Format::Json, style),
            check: faulty,
        };
        let written = Written::default();
        let paths = paths.iter().map(|path| place.path().join(path)).collect();
        let code = judge.all(paths, Severity::Error, Box::new(written.clone()));
        let report = written.0.lock().unwrap().clone();
        (code, serde_json::from_slice(&report).unwrap())
    }

    #[test]
    fn a_fault_of_ours_is_exit_code_3_and_all_else_is_judged() {
        let (code, report) = run(&["fatal.json", "other.json"]);
        assert_eq!(code, EXIT_INTERNAL);
        assert_eq!(report["summary"]["files"], 1);
        let failure = &report["summary"]["not_judged"][0];
        assert_eq!(failure["internal"], true);
        let why = failure["error"].as_str().unwrap();
        assert!(why.contains("met a fatal document"), "{why}");
        assert_eq!(report["summary"]["exit"], 3);
    }

    #[test]
    fn what_is_unreadable_comes_before_a_fault_of_ours() {
        assert_eq!(
            run(&["fatal.json", "missing.json", "other.json"]).0,
            EXIT_USAGE
        );
        assert_eq!(run(&["missing.json", "other.json"]).0, EXIT_USAGE);
        assert_eq!(run(&["other.json"]).0, EXIT_FINDINGS);
    }
}

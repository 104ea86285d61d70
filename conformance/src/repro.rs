//! `repro`: a directory with a case's bundles and a shell script that shows by hand what the
//! harness saw, needing only the runtime.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use oci_runtime_schemas::Catalogue;

use crate::case::Case;
use crate::explore::Task;
use crate::host::View;
use crate::job::Outcome;
use crate::report::escape;
use crate::results::{CaseResult, FindingVerdict};
use crate::runner::{self, Bench, Interrupts, Options};
use crate::subject::{Profile, Subject};
use crate::trial::quote;

/// Runs a case and writes `reproduce.sh` beside its bundles.
///
/// # Errors
/// One sentence for a person.
pub fn write(
    bench: &Bench,
    case: &'static Case,
    subject: &Subject,
    directory: &Path,
    options: &Options,
    interrupts: &Interrupts,
) -> Result<(CaseResult, PathBuf), String> {
    write_task(bench, case, None, subject, directory, options, interrupts)
}

/// As [`write`], for what an exploration has drawn.
///
/// # Errors
/// One sentence for a person.
pub(crate) fn write_task(
    bench: &Bench,
    case: &'static Case,
    task: Option<&Task>,
    subject: &Subject,
    directory: &Path,
    options: &Options,
    interrupts: &Interrupts,
) -> Result<(CaseResult, PathBuf), String> {
    let directory = std::path::absolute(directory)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    if std::fs::read_dir(&directory).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(format!("{} is not empty", directory.display()));
    }
    let (result, outcome, profile) =
        runner::reproduce(bench, case, task, subject, &directory, options, interrupts)?;
    let subject = subject_that_stays(subject, &directory)?;
    let script = script(
        bench,
        case,
        &subject,
        &profile,
        &directory,
        options.view,
        &result,
        &outcome,
    );
    let path = directory.join("reproduce.sh");
    std::fs::write(&path, script)
        .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)))
        .map_err(|error| format!("write {}: {error}", path.display()))?;
    // The script starts from a fresh state and fresh records.
    for left in ["state", "steps", "supervisor.err"] {
        let left = directory.join(left);
        let _ = if left.is_dir() {
            std::fs::remove_dir_all(&left)
        } else {
            std::fs::remove_file(&left)
        };
    }
    for number in 1.. {
        let bundle = directory.join(number.to_string());
        if !bundle.is_dir() {
            break;
        }
        let _ = std::fs::remove_file(bundle.join("out/hooks"));
        let _ = std::fs::remove_file(bundle.join("pid"));
    }
    Ok((result, path))
}

/// The embedded reference lives in the run's directory and goes with it: the script gets a copy.
fn subject_that_stays(subject: &Subject, directory: &Path) -> Result<Subject, String> {
    if !subject.is_reference {
        return Ok(subject.clone());
    }
    let program = directory.join("refrun");
    std::fs::copy(&subject.program, &program)
        .map_err(|error| format!("copy the reference to {}: {error}", program.display()))?;
    Ok(Subject {
        program,
        ..subject.clone()
    })
}

#[allow(
    clippy::too_many_arguments,
    reason = "everything that the script tells"
)]
fn script(
    bench: &Bench,
    case: &Case,
    subject: &Subject,
    profile: &Profile,
    directory: &Path,
    view: View,
    result: &CaseResult,
    outcome: &Outcome,
) -> String {
    let cgroups = format!("*/{}*", bench.cgroup());
    let mut text = String::new();
    let mut line = |words: &str| {
        let _ = writeln!(text, "{words}");
    };
    line("#!/bin/sh");
    line(&format!("# {}", case.id));
    line("#");
    for comment in claims(result) {
        line(&format!("# {comment}"));
    }
    line("#");
    line("# Needs only the runtime; another one can be tried with RUNTIME=/path/to/it.");
    line("");
    let words: Vec<String> = subject.arguments.iter().map(|word| quote(word)).collect();
    line(&format!("HERE={}", quote(&directory.display().to_string())));
    line(&format!(
        "[ -n \"$RUNTIME\" ] || RUNTIME={}",
        quote(&subject.program.display().to_string())
    ));
    line("");
    line("# The namespaces that the harness gives a trial; without unshare(1) the host's do.");
    line("if [ -z \"$IN_TRIAL\" ] && [ \"$(id -u)\" = 0 ] && command -v unshare >/dev/null; then");
    line("    export IN_TRIAL=1 RUNTIME");
    line(
        "    unshare --mount --uts --ipc --net --pid --fork --mount-proc --propagation private \\",
    );
    line("        --kill-child sh \"$0\"");
    line("    # What a container left of its cgroups goes once nothing runs in them any more.");
    line(&format!(
        "    find /sys/fs/cgroup -depth -type d -path {} \\",
        quote(&cgroups)
    ));
    line("        -exec rmdir {} + 2>/dev/null");
    line("    exit 0");
    line("fi");
    if view == View::V1 {
        line("# Hides the cgroup v2 hierarchy beside the v1 ones (--host-view v1).");
        line("[ -n \"$IN_TRIAL\" ] && umount /sys/fs/cgroup/unified 2>/dev/null");
    }
    let global: String = words.iter().map(|word| format!(" {word}")).collect();
    let root = if profile.takes_root {
        " --root \"$HERE/state\""
    } else {
        ""
    };
    line("STEP=0");
    line("# Each command's output goes to a file: a container inherits it from create.");
    line("give() {");
    line("    STEP=$((STEP + 1))");
    line("    echo \"\\$ $*\"");
    line("    \"$@\" </dev/null >\"$HERE/steps/$STEP.out\" 2>\"$HERE/steps/$STEP.err\"");
    line("    echo \"  exit $?\"");
    line("    sed 's/^/  stdout: /' \"$HERE/steps/$STEP.out\" | cut -c1-2000");
    line("    sed 's/^/  stderr: /' \"$HERE/steps/$STEP.err\" | cut -c1-2000");
    line("    case \" $* \" in *' create '*) CREATED=$STEP ;; esac");
    line("}");
    line(&format!(
        "runtime() {{ give \"$RUNTIME\"{global}{root} \"$@\"; }}"
    ));
    line(&format!(
        "runtime_without_root() {{ give \"$RUNTIME\"{global} \"$@\"; }}"
    ));
    line("state_of() {");
    line(&format!(
        "    \"$RUNTIME\"{global}{root} state \"$1\" 2>/dev/null"
    ));
    line("}");
    line("until_stopped() {");
    line("    tries=0");
    line("    while state_of \"$1\" | grep -Eq '\"status\": *\"(running|created)\"'; do");
    line(
        "        tries=$((tries + 1)); [ $tries -lt 100 ] || { echo \"  $1 does not stop\"; break; }",
    );
    line("        sleep 0.1");
    line("    done");
    line(
        "    echo \"  the program said:\"; sed 's/^/  | /' \"$HERE/steps/$CREATED.out\" | cut -c1-20000",
    );
    line("}");
    line("until_says() {");
    line("    tries=0");
    line("    until grep -q \"\\\"verb\\\":\\\"$2\\\"\" \"$HERE/steps/$CREATED.out\"; do");
    line(
        "        tries=$((tries + 1)); [ $tries -lt 100 ] || { echo \"  $1 does not say $2\"; break; }",
    );
    line("        sleep 0.1");
    line("    done");
    line("}");
    line("rm -rf \"$HERE/state\" \"$HERE/steps\"; mkdir -p \"$HERE/state\" \"$HERE/steps\"");
    line("rm -f \"$HERE\"/*/out/hooks");
    line("");
    for step in &outcome.script {
        line(&escape::terminal(step));
    }
    line("");
    line("for record in \"$HERE\"/*/out/hooks; do");
    line(
        "    [ -e \"$record\" ] && { echo \"hooks that ran ($record):\"; sed 's/^/  | /' \"$record\"; }",
    );
    line("done");
    line("cat <<'EXPECTED'");
    line("");
    for comment in claims(result) {
        line(&comment);
    }
    line("EXPECTED");
    text
}

/// What the harness judged, as lines.
fn claims(result: &CaseResult) -> Vec<String> {
    let mut lines = vec![format!("verdict: {}", result.verdict.word())];
    lines.extend(result.need.iter().map(|need| escape::line(need)));
    for finding in &result.findings {
        let word = match finding.verdict {
            FindingVerdict::Pass => "pass",
            FindingVerdict::Fail => "FAIL",
            FindingVerdict::Warn => "WARN",
            FindingVerdict::Info => "info",
            FindingVerdict::Unsupported => "unsupported",
        };
        let says = Catalogue::get()
            .by_id(&finding.clause)
            .map_or("", |clause| clause.says);
        lines.push(format!("{word} {}: {says}", finding.clause));
        if !finding.message.is_empty() {
            lines.push(format!("     {}", escape::line(&finding.message)));
        }
        if finding.verdict != FindingVerdict::Pass {
            lines.push(format!(
                "     expected {}",
                escape::line(&finding.expected_value.to_string())
            ));
            lines.push(format!(
                "     observed {}",
                escape::line(&finding.observed_value.to_string())
            ));
        }
    }
    lines
}

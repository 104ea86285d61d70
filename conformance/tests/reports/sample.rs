//! Results made by hand: one case for everything that a report has to show.

use oci_conformance::expectations::{self, ExpectationFile};
use oci_conformance::results::{
    CaseResult, FORMAT, FailLevel, Finding, FindingLevel, FindingVerdict, HostFacts, Results, Run,
    RuntimeFacts, Shard, Step, Summary, Tool, Verdict,
};
use oci_runtime_schemas::{Clause, Level, SpecVersion, Subject, Testable};
use serde_json::{Value, json};

const CLAUSE: Clause = Clause {
    id: "config.hostname.effect",
    document: "config",
    section: "config.md#configHostname",
    section_title: "Hostname",
    level: Level::Must,
    keyword: None,
    subject: Subject::Runtime,
    platform: "all",
    since: SpecVersion::new(1, 0, 0),
    until: None,
    testable: Testable::Inside,
    why: None,
    optional_value: false,
    stand: None,
    note: None,
    source: None,
    says: "processes in the container see the hostname",
};

static CLAUSES: [Clause; 8] = [
    CLAUSE,
    Clause {
        id: "config.process.capabilities.bounding.effect",
        section: "config.md#configLinuxProcess",
        section_title: "Linux Process",
        says: "the bounding set of the process holds what is listed and nothing more, whatever the runtime has",
        ..CLAUSE
    },
    Clause {
        id: "config.process.capabilities.no-fail",
        section: "config.md#configLinuxProcess",
        section_title: "Linux Process",
        level: Level::Should,
        keyword: Some("SHOULD NOT"),
        says: "a capability that cannot be granted is no failure",
        ..CLAUSE
    },
    Clause {
        id: "config-linux.sysctl.effect",
        document: "config-linux",
        section: "config-linux.md#configLinuxSysctl",
        section_title: "Sysctl",
        says: "each sysctl has its value",
        ..CLAUSE
    },
    Clause {
        id: "runtime.create.new",
        document: "runtime",
        section: "runtime.md#runtimeCreate",
        section_title: "Create",
        says: "create makes a container",
        ..CLAUSE
    },
    Clause {
        id: "runtime.lifecycle.prestart.fail.destroy",
        document: "runtime",
        section: "runtime.md#runtimeLifecycle",
        section_title: "Lifecycle",
        says: "a failing prestart hook ends the container",
        ..CLAUSE
    },
    Clause {
        id: "runtime.lifecycle.poststop.fail.warn",
        document: "runtime",
        section: "runtime.md#runtimeLifecycle",
        section_title: "Lifecycle",
        says: "a failing poststop hook is warned of",
        ..CLAUSE
    },
    Clause {
        id: "security.exec.binary",
        document: "security",
        section: "security#exec",
        section_title: "The host's binary",
        source: Some("CVE-2019-5736"),
        says: "a container cannot write the runtime's program",
        ..CLAUSE
    },
];

/// A clause of the samples.
pub(crate) fn clause(id: &str) -> Option<&'static Clause> {
    CLAUSES.iter().find(|clause| clause.id == id)
}

/// One subject, as root, with every verdict and every kind of waiver.
pub(crate) fn results() -> Results {
    let mut run = run("runc", cases());
    let host = host(true);
    expectations::judge(&mut run, &[waivers()], FailLevel::Must, &host, &[]);
    results_of(host, vec![run])
}

/// Two subjects, without root, the second of which could not be judged at all.
pub(crate) fn two_subjects_without_root() -> Results {
    let host = host(false);
    let mut first = run(
        "runc",
        vec![
            case("basics/plain-container", Verdict::Pass),
            because(
                case("cgroups/pids-limit-is-set", Verdict::Inapplicable),
                "root",
            ),
            because(
                case("devices/default-devices-exist", Verdict::Inapplicable),
                "root",
            ),
        ],
    );
    let gate = broken(
        step(
            case("basics/plain-container", Verdict::Fail),
            &[
                "/usr/sbin/crun",
                "--root",
                "/w/state",
                "create",
                "--bundle",
                "/w/bundle",
                "c",
            ],
            Some(1),
            "cgroups in hybrid mode not supported\n",
        ),
        finding(
            "runtime.create.new",
            json!("exit 0"),
            json!("exit 1"),
            "create of the plain container",
        ),
    );
    let waiting = because(
        case(
            "hostname/is-set-in-the-new-uts-namespace",
            Verdict::Inapplicable,
        ),
        "a subject that passes basics/plain-container",
    );
    let mut second = run("crun", vec![gate, waiting]);
    second.runtime.version = "1.8.1".into();
    second.runtime.claim = String::new();
    second.runtime.arguments = vec!["--log".into(), "/dev/null".into()];
    second.runtime.label = "crun-quiet".into();
    second.spec_judged = "1.3.0".into();
    for run in [&mut first, &mut second] {
        expectations::judge(
            run,
            &[],
            FailLevel::Should,
            &host,
            &[expectations::Denied::Inapplicable],
        );
    }
    let mut results = results_of(host, vec![first, second]);
    results.level = FailLevel::Should;
    results.shard = Some(Shard { index: 1, of: 4 });
    results.arguments = [
        "--runtime",
        "runc",
        "--runtime",
        "crun-quiet=crun --log /dev/null",
        "--host-view=v1",
        "--shard",
        "1/4",
    ]
    .map(str::to_owned)
    .into();
    results
}

/// The sample with a text in every place where a subject can put one.
pub(crate) fn hostile(text: &str) -> Results {
    let mut results = results();
    for run in &mut results.runs {
        run.runtime.version = text.into();
        run.runtime.claim = text.into();
        run.runtime.arguments = vec![text.into()];
        for case in &mut run.cases {
            case.id.push_str(text);
            case.need = case.need.as_ref().map(|_| text.to_owned());
            for finding in &mut case.findings {
                finding.expected_value = json!({ text: [text, "y".repeat(200)] });
                finding.observed_value = json!({ text: [text], "also": text });
                finding.message = text.into();
            }
            for step in &mut case.steps {
                step.stderr = format!("{text}\n{text}");
                step.stdout = text.into();
                step.argv.push(text.into());
                step.signal = step.signal.as_ref().map(|_| text.to_owned());
            }
        }
    }
    results
}

fn results_of(host: HostFacts, runs: Vec<Run>) -> Results {
    Results {
        format: FORMAT,
        tool: Tool {
            name: "oci-conformance".into(),
            version: "0.1.0".into(),
        },
        started: "2026-05-01T10:00:00Z".into(),
        arguments: vec!["--runtime".into(), "/usr/sbin/runc".into()],
        spec: "1.3.0".into(),
        level: FailLevel::Must,
        shard: None,
        seed: 7,
        host,
        runs,
    }
}

fn host(root: bool) -> HostFacts {
    HostFacts {
        kernel: "6.18.5".into(),
        machine: "x86_64".into(),
        cgroup: "hybrid".into(),
        root,
        notes: vec!["host view v1: the cgroup v2 hierarchy is hidden from the subjects".into()],
    }
}

fn run(name: &str, mut cases: Vec<CaseResult>) -> Run {
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    Run {
        runtime: RuntimeFacts {
            label: name.into(),
            path: format!("/usr/sbin/{name}"),
            arguments: Vec::new(),
            name: name.into(),
            version: "1.1.5+ds1".into(),
            claim: "1.0.2-dev (spec line of --version)".into(),
            sha256: Some("0123456789abcdef".repeat(4)),
            is_reference: false,
            abilities: vec!["takes --root".into()],
        },
        spec_judged: "1.0.2".into(),
        seconds: 31.24,
        summary: Summary::default(),
        cases,
        waivers_not_exercised: Vec::new(),
    }
}

fn cases() -> Vec<CaseResult> {
    let capabilities: Vec<String> = (0..14).map(|n| format!("CAP_NUMBER_{n}")).collect();
    let more: Vec<String> = capabilities
        .iter()
        .skip(1)
        .cloned()
        .chain(["CAP_SYS_ADMIN".into()])
        .collect();
    let mut sysctl = finding(
        "config-linux.sysctl.effect",
        json!({"sysctl": {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1"}, "other": "x".repeat(60)}),
        json!({"sysctl": {"net.ipv4.ip_forward": "0"}, "other": "x".repeat(60), "more": [1, 2]}),
        "what the probe reads under /proc/sys",
    );
    sysctl.verdict = FindingVerdict::Fail;
    let mut warning = finding(
        "config.process.capabilities.no-fail",
        json!("exit 0"),
        json!("exit 1"),
        "create with a capability that cannot be granted",
    );
    (warning.level, warning.verdict) = (FindingLevel::Should, FindingVerdict::Warn);
    let mut slow = step(
        because(
            case("kill/term-reaches-init", Verdict::Timeout),
            "no end in time: start",
        ),
        &["/usr/sbin/runc", "start", "c7"],
        None,
        "",
    );
    slow.steps[0].timed_out = true;
    let mut killed = step(
        broken(
            case("hostname/is-set-in-the-new-uts-namespace", Verdict::Fail),
            finding(
                "config.hostname.effect",
                json!("probe-host"),
                Value::Null,
                "the hostname that the probe sees",
            ),
        ),
        &["/usr/sbin/runc", "create", "--bundle", "/w/a dir", "c3"],
        None,
        "panic: \u{1b}[31mruntime error\u{1b}[0m\n\n::error::goroutine 1 [running]:\nmain.main()\n\u{202e}txt.exe\n",
    );
    killed.steps[0].signal = Some("SIGSEGV".into());
    killed.reference = Some(Verdict::Pass);
    let mut flaky = because(
        case("delete/removes-the-cgroup", Verdict::Broken),
        "flaky: pass, fail, pass",
    );
    flaky.attempts = vec![Verdict::Pass, Verdict::Fail, Verdict::Pass];
    vec![
        case("basics/plain-container", Verdict::Pass),
        case("state/has-the-bundle-path", Verdict::Pass),
        CaseResult {
            suite: "security".into(),
            ..broken(
                case("binary/is-out-of-reach", Verdict::Fail),
                finding(
                    "security.exec.binary",
                    json!("ETXTBSY"),
                    json!("written"),
                    "open /proc/1/exe for writing",
                ),
            )
        },
        killed,
        broken(
            case("capabilities/bounding-set-is-exact", Verdict::Fail),
            finding(
                "config.process.capabilities.bounding.effect",
                json!(capabilities),
                json!(more),
                "CapBnd of the container process",
            ),
        ),
        broken(
            broken(case("sysctl/values-are-set", Verdict::Fail), sysctl),
            finding("no.such.clause", json!(0), json!(1), ""),
        ),
        poststop(),
        case("hooks/poststart/runs-after-start", Verdict::Pass),
        prestart(),
        broken(
            case("capabilities/ungrantable-is-a-warning", Verdict::Warn),
            warning,
        ),
        slow,
        flaky,
        because(
            case("seccomp/listener-is-told", Verdict::Unsupported),
            "newer than the claimed 1.0.2",
        ),
        because(
            case("time/offsets-are-set", Verdict::Unsupported),
            "offsets of the clocks; newer than the claimed 1.0.2",
        ),
        because(
            case("cgroups/memory-max-is-set", Verdict::Inapplicable),
            "the cgroup v2 controller memory",
        ),
        because(
            case("cgroups/cpu-weight-is-set", Verdict::Inapplicable),
            "the cgroup v2 controller cpu",
        ),
        because(
            case("rlimits/hard-limit-is-raised", Verdict::Inapplicable),
            "CAP_SYS_RESOURCE",
        ),
        because(
            case("oom/score-is-lowered", Verdict::Inapplicable),
            "CAP_SYS_RESOURCE",
        ),
        because(
            case("oom/score-is-lowered-for-exec", Verdict::Inapplicable),
            "CAP_SYS_RESOURCE",
        ),
        because(
            case("rlimits/nofile", Verdict::Inapplicable),
            "CAP_SYS_RESOURCE",
        ),
        because(
            case("rlimits/nproc", Verdict::Inapplicable),
            "CAP_SYS_RESOURCE",
        ),
    ]
}

/// Its finding names the step that shows it, which is not the last that failed.
fn prestart() -> CaseResult {
    let mut finding = finding(
        "runtime.lifecycle.prestart.fail.destroy",
        json!("an error"),
        json!("exit 3"),
        "state after a failing prestart hook",
    );
    finding.step = Some(0);
    let case = step(
        case("hooks/prestart/failure-destroys", Verdict::Fail),
        &["/usr/sbin/runc", "state", "c2"],
        Some(3),
        "half a container\n",
    );
    broken(
        step(case, &["/usr/sbin/runc", "delete", "c2"], Some(1), "gone\n"),
        finding,
    )
}

fn poststop() -> CaseResult {
    let mut case = step(
        broken(
            case("hooks/poststop/failure-is-a-warning", Verdict::Fail),
            finding(
                "runtime.lifecycle.poststop.fail.warn",
                json!(0),
                json!(1),
                "exit status of delete",
            ),
        ),
        &["/usr/sbin/runc", "delete", "c1"],
        Some(1),
        "level=error msg=\"error running hook #0\"\n",
    );
    case.reference = Some(Verdict::Pass);
    case
}

/// One that holds, one for a case that passes now, one that fails otherwise, two not exercised.
fn waivers() -> ExpectationFile {
    let text = r#"
format = 1
[subject]
name = "runc"
version = "1.1.*"

[[waiver]]
case = "hooks/poststop/failure-is-a-warning"
clauses = ["runtime.lifecycle.poststop.fail.warn"]
verdict = "fail"
reason = "runc returns the hook's error; the text asks for a warning"

[[waiver]]
case = "hooks/poststart/runs-after-start"
clauses = ["runtime.lifecycle.poststart.invoke"]
verdict = "fail"
reason = "runc runs poststart hooks in create"

[[waiver]]
case = "hooks/prestart/failure-destroys"
clauses = ["runtime.lifecycle.prestart.invoke"]
verdict = "fail"
reason = "runc runs prestart hooks late"

[[waiver]]
case = "oom/score-is-lowered"
clauses = ["config.process.oomScoreAdj.effect"]
verdict = "fail"
reason = "runc does not lower it"

[[waiver]]
case = "cgroups/v1-only"
clauses = ["config-linux.cgroupsPath.effect"]
verdict = "fail"
reason = "runc ignores it"
when = { cgroup = ["v2"] }
"#;
    ExpectationFile::parse("expect.toml".as_ref(), text, &|_| true, 0)
        .expect("the sample is well-formed")
}

fn case(id: &str, verdict: Verdict) -> CaseResult {
    CaseResult {
        id: id.into(),
        suite: "spec".into(),
        clauses: Vec::new(),
        verdict,
        as_expected: true,
        unexpected_because: None,
        reference: None,
        need: None,
        waiver: None,
        attempts: vec![verdict],
        findings: Vec::new(),
        steps: Vec::new(),
        seconds: 0.042,
    }
}

fn because(case: CaseResult, need: &str) -> CaseResult {
    CaseResult {
        need: Some(need.into()),
        ..case
    }
}

fn broken(mut case: CaseResult, finding: Finding) -> CaseResult {
    case.clauses.push(finding.clause.clone());
    case.findings.push(finding);
    case
}

fn finding(clause: &str, expected: Value, observed: Value, message: &str) -> Finding {
    Finding {
        clause: clause.into(),
        level: FindingLevel::Must,
        verdict: FindingVerdict::Fail,
        expected_value: expected,
        observed_value: observed,
        message: message.into(),
        step: None,
    }
}

fn step(mut case: CaseResult, argv: &[&str], exit: Option<i32>, stderr: &str) -> CaseResult {
    case.steps.push(Step {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        exit,
        signal: None,
        stdout: String::new(),
        stderr: stderr.into(),
        truncated: false,
        timed_out: false,
        seconds: 0.01,
    });
    case
}

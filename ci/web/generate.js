// Writes results files to try the page with: `node generate.js CASES RUNTIMES` is a big one, `node
// generate.js hostile` one in which every string of a subject is an attack. Always the same bytes.

const [kind, runtimes = "1"] = process.argv.slice(2);

const CLAUSES = [
  "config.hostname.effect", "runtime.delete.not-stopped.error", "config-linux.sysctl.effect",
  "config.process.capabilities.bounding.effect", "runtime.lifecycle.poststop.fail.warn", "config-linux.default-fs.proc",
];

/** A generator of numbers in [0, 1) that is the same everywhere: a linear congruential one. */
let state = 7;
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;

const ATTACK = [
  "</script><script>window.pwned=1</script>", "<img src=x onerror=window.pwned=1>", "{{script}}", "$&", "__proto__",
  "\u2028\u2029\u202e\u001b[31m", "::error::x", "javascript:window.pwned=1", "<!--", "'\"`", "https://example.org/",
].join(" ");

function verdictOf() {
  const x = random();
  return x < 0.8 ? "pass" : x < 0.88 ? "fail" : x < 0.9 ? "warn" : x < 0.95 ? "unsupported" : "inapplicable";
}

function caseOf(n, runtime, attack) {
  const verdict = attack ? "fail" : verdictOf();
  const bad = verdict === "fail" || verdict === "warn";
  const id = `topic-${String(n % 40).padStart(2, "0")}/holds-what-is-said-number-${String(n).padStart(4, "0")}`;
  const trial = `/tmp/oci-conformance.${runtime}/${n}`;
  const finding = (at) => ({
    clause: attack && at === 1 ? attack : CLAUSES[(n + at) % CLAUSES.length], level: "MUST",
    verdict: at === 0 ? (bad ? verdict : "pass") : "pass",
    expected_value: attack ?? `value ${n} ${at}`,
    observed_value: attack ? { [attack]: attack } : at === 0 && bad ? `another value ${n} of ${runtime}` : `value ${n} ${at}`,
    message: attack ?? `what the probe sees of thing ${n}`,
  });
  const step = (word) => ({
    argv: [attack ?? `/usr/sbin/${runtime}`, "--root", `${trial}/state`, word, `oct-${runtime}-${n}`],
    exit: bad ? 1 : 0, signal: null, stdout: attack ?? "", truncated: false, seconds: 0.02,
    stderr: attack ?? (bad ? `level=error msg="${word} ${n}" ${"stack of calls ".repeat(60)}\n` : ""),
  });
  const none = verdict === "inapplicable";
  return {
    id: attack ? `${id}${attack}` : id, suite: n % 5 === 0 ? "security" : "spec", verdict,
    clauses: none ? [] : [0, 1, 2].map((at) => CLAUSES[(n + at) % CLAUSES.length]).slice(0, 3),
    as_expected: !bad, reference: bad ? "pass" : null, waiver: null, attempts: [verdict],
    need: attack ?? (none ? "the cgroup v2 controller memory" : verdict === "unsupported" ? "newer than the claimed 1.0.2" : null),
    findings: none ? [] : [0, 1, 2].map(finding), steps: none ? [] : ["create", "start", "state", "kill", "delete"].map(step), seconds: 0.05,
  };
}

function runOf(at, cases, attack) {
  const name = `runtime-${"abcdefgh"[at]}`;
  const list = Array.from({ length: cases }, (_, n) => caseOf(n, name, attack));
  const summary = { pass: 0, fail: 0, warn: 0, unsupported: 0, inapplicable: 0, broken: 0, timeout: 0, unexpected: 0 };
  for (const it of list) {
    summary[it.verdict] += 1;
    if (!it.as_expected) summary.unexpected += 1;
  }
  return {
    runtime: { label: attack ?? name, path: attack ?? `/usr/sbin/${name}`, name: attack ?? name, version: attack ?? "1.2.3", claim: attack ?? "1.1.0" },
    spec_judged: "1.1.0", seconds: 12.5, summary, cases: list,
  };
}

const attack = kind === "hostile" ? ATTACK : null;
const results = {
  format: 1, tool: { name: "oci-conformance", version: "0.1.0" }, started: "2026-05-01T10:00:00Z", arguments: [], spec: "1.3.0",
  level: "must", shard: null, seed: 0, host: { kernel: "6.18.5", machine: "x86_64", cgroup: "v2", root: true, notes: attack ? [attack] : [] },
  runs: Array.from({ length: Number(runtimes) }, (_, at) => runOf(at, attack ? 6 : Number(kind), attack)),
};
process.stdout.write(JSON.stringify(results));

// The page's data, and what the other files ask of it. page.rs says what each field is.

const page = JSON.parse(document.getElementById("data").textContent);

// Worst first: the order in which totals stand. `judged` ones are opinions about the runtime.
const VERDICTS = {
  f: { word: "fail", judged: true },
  t: { word: "timeout", judged: true },
  b: { word: "broken", judged: true },
  w: { word: "warn", judged: true },
  p: { word: "pass", judged: true },
  u: { word: "unsupported", judged: true },
  i: { word: "inapplicable", judged: false },
  "-": { word: "not run", judged: false },
};

const text = (place) => page.texts[place];
const clauseOf = (place) => page.clauses[place];
const fileOf = (section) => section.file || "other";
const casesOf = new Map(page.sections.map((_, at) => [at, []]));
for (const item of page.cases) casesOf.get(item.section).push(item);

/** A runtime with its version, unless the label has it. */
function titleOf(runtime) {
  const { label, version } = runtime;
  return version && !label.includes(version) ? `${label} ${version}` : label;
}

/** How often each verdict occurs with a runtime in some cases, by letter. */
function tally(cases, column) {
  const counts = {};
  for (const item of cases) {
    const letter = item.verdicts[column];
    counts[letter] = (counts[letter] ?? 0) + 1;
  }
  return counts;
}

const duration = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);

const compareVersions = (a, b) => a.localeCompare(b, "en", { numeric: true });

/** Where the specification says it, in the version by which the runtime was judged; null for ours. */
function linkOf(clause, runtime) {
  const section = page.sections[clause.section];
  if (!section || section.beyond || !section.file.endsWith(".md")) return null;
  let version = page.versions.includes(runtime.spec) ? runtime.spec : page.versions.at(-1);
  if (compareVersions(version, clause.since) < 0) version = clause.since;
  if (clause.until && compareVersions(version, clause.until) > 0) version = clause.until;
  const base = "https://github.com/opencontainers/runtime-spec/blob";
  return `${base}/v${encodeURIComponent(version)}/${section.file}#${encodeURIComponent(section.anchor)}`;
}

/** A word as a shell reads it back. */
const quoted = (word) =>
  /^[\w./=:,+@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

// The head: where and how it was judged, totals per runtime, coverage and time per section.

function showHead() {
  const own = page.documents.map(factsOf);
  const shared = own[0].filter((fact) => own.every((facts) => facts.includes(fact)));
  const rests = new Map();
  for (const runtime of page.runtimes) {
    const rest = own[runtime.document].filter((fact) => !shared.includes(fact)).join(" · ");
    if (rest) rests.set(rest, [...(rests.get(rest) ?? []), runtime.label]);
  }
  const lines = [shared.join(" · "), ...[...rests].map(([rest, labels]) => `${labels.join(", ")}: ${rest}`)];
  document.getElementById("facts").append(...lines.map((words) => element("span", {}, words)));
  if (page.left_out) document.getElementById("facts").append(element("span", {}, `To keep this page small ${page.left_out}; the results file has all.`));
  document.title = `${page.runtimes.map((it) => it.label).join(", ")} · OCI runtime conformance`.slice(0, 200);
  document.getElementById("runtimes").append(totals());
  document.getElementById("sections").append(...charts());
}

/** What decides verdicts beside the subjects, by document. */
const factsOf = (it) => [
  `Linux ${it.kernel} ${it.machine}`, `cgroup ${it.cgroup}`, it.root ? "root" : "not root", it.tool,
  page.documents.length > 1 ? "" : when(it),
  it.level === "should" ? "broken SHOULD clauses fail the run" : "",
  it.shard ? `shard ${it.shard}` : "", ...it.notes,
].filter(Boolean);

const when = (it) => it.started.replace("T", " ").replace(/(:\d\d)?Z$/, " UTC");

/** A row a runtime: counts are links to the cases that they count. */
function totals() {
  const present = Object.keys(VERDICTS).filter((letter) => letter !== "-" &&
    ("fp".includes(letter) || page.cases.some((item) => item.verdicts.includes(letter))));
  const head = element("tr", {}, element("th", { scope: "col" }, "Runtime"), element("th", { scope: "col" }, "Judged by"),
    element("td.wide", { "aria-hidden": "true" }), ...present.map((letter) => element("th.number", { scope: "col" }, verdict(letter))),
    element("th.number", { scope: "col" }, "unexpected"), element("th.number", { scope: "col" }, "time"));
  const several = page.documents.length > 1;
  const rows = page.runtimes.map((runtime, column) => {
    const counts = tally(page.cases, column);
    const unexpected = page.cases.filter((item) => item.unexpected?.includes(column)).length;
    const total = page.cases.length - (counts["-"] ?? 0);
    const link = (letter) => element("a", {
      href: `#${new URLSearchParams({ of: runtime.label, verdict: VERDICTS[letter].word })}`,
      "aria-label": `${counts[letter]} ${VERDICTS[letter].word} with ${runtime.label}`,
    }, String(counts[letter]));
    const about = runtime.is_reference ? "the reference runtime" : runtime.command;
    return element("tr", {},
      element("th", { scope: "row" }, element("b", {}, runtime.label),
        runtime.version && titleOf(runtime) !== runtime.label ? ` ${runtime.version}` : null,
        element("small", {}, several ? `${about} · ${when(page.documents[runtime.document])}` : about),
        runtime.sha256 ? element("small", { title: `SHA-256 of the program: ${runtime.sha256}` }, `sha256 ${runtime.sha256.slice(0, 12)}…`) : null),
      element("td.judged", { "data-name": "judged by" }, runtime.spec, element("small", {}, runtime.claim ? `claims ${runtime.claim}` : "claims no version")),
      element("td.wide", {}, bar(Object.keys(VERDICTS).filter((it) => it !== "-").map((it) => [VERDICTS[it].word, counts[it] ?? 0]), total,
        `${counts.p ?? 0} of ${total} pass`)),
      ...present.map((letter) => element("td.number", { "data-name": VERDICTS[letter].word }, counts[letter] ? link(letter) : "·")),
      element("td.number", { "data-name": "unexpected" }, unexpected ? String(unexpected) : "·"),
      element("td.number", { "data-name": "time" }, `${runtime.seconds.toFixed(1)} s`));
  });
  const stale = page.runtimes.flatMap((runtime) => runtime.not_exercised.map(([id, why]) => `${runtime.label}: ${id}: ${why}`));
  const fragment = document.createDocumentFragment();
  fragment.append(element("table.totals", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
  if (stale.length > 0) fragment.append(element("details", {}, element("summary", {}, `Waivers not exercised: ${stale.length}`), element("ul", {}, ...stale.map((it) => element("li", {}, it)))));
  return fragment;
}

/** A line a document; its sections below it, folded away. */
function charts() {
  const all = page.sections.map((section, at) => ({ ...section, at,
    ms: casesOf.get(at).reduce((sum, item) => sum + item.ms.reduce((a, b) => a + b, 0), 0) }))
    .filter((it) => it.binding > 0 || it.ms > 0);
  const sum = (list, key) => list.reduce((total, it) => total + it[key], 0);
  const files = [...new Set(all.map(fileOf))];
  const groups = files.map((file) => all.filter((it) => fileOf(it) === file));
  const longest = Math.max(1, ...groups.map((list) => sum(list, "ms")));
  const longestSection = Math.max(1, ...all.map((it) => it.ms));
  const line = (name, list, most, target) => {
    const [judged, binding, never, ms] = ["judged", "binding", "never", "ms"].map((key) => sum(list, key));
    return element("tr", {}, element("th", { scope: "row" }, element("a", { href: `#${new URLSearchParams({ section: target })}` }, name)),
      element("td.chart", {}, bar([["judged", judged], ["gap", binding - judged - never], ["never", never]], binding,
        `${judged} of ${binding} clauses judged, ${never} cannot be judged by a case`)),
      element("td.number", {}, `${judged}/${binding}`),
      element("td.chart", {}, bar([["time", ms]], most, duration(ms))), element("td.number", {}, duration(ms)));
  };
  const table = (rows) => element("table.coverage", {},
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Section"), element("th", { scope: "col", colspan: 2 }, "Clauses judged"),
      element("th", { scope: "col", colspan: 2 }, "Time of its cases"))), element("tbody", {}, ...rows));
  const [judged, binding, never] = ["judged", "binding", "never"].map((key) => sum(all, key));
  return [
    element("p.legend", {}, `${judged} of the ${binding} clauses that bind these runtimes on Linux are judged here: `,
      element("span.key.judged", {}, "judged"), element("span.key.gap", {}, "not judged here"), element("span.key.never", {}, `no case can judge (${never})`)),
    table(groups.map((list) => line(fileOf(list[0]), list, longest, fileOf(list[0])))),
    element("details", {}, element("summary", {}, "Every section"),
      table(groups.flatMap((list) => list.map((it) => line(`${fileOf(it)}, ${it.title}`, [it], longestSection, `${it.file}#${it.anchor}`))))),
  ];
}

// A case with one runtime, opened: what is asked, what was there, and how to see it by hand.

const dialog = document.getElementById("cell");
let returnTo = null;

const REFERENCE = {
  p: "passes on this host", f: "fails here too", w: "gets a warning here too", t: "does not end in time here either",
  u: "does not support it", i: "was not judged here", b: "could not be judged here",
};

/** Shows a case with a runtime; a case that is not here is told of. */
function openCell(id, label, { step = false } = {}) {
  const item = page.cases.find((it) => it.id === id);
  const named = page.runtimes.findIndex((it) => it.label === label);
  const column = Math.max(0, named);
  if (!dialog.open) returnTo = document.activeElement?.dataset?.key ?? null;
  dialog.replaceChildren(...(item && (named >= 0 || !label) ? whole(item, column) : missing(id)));
  place.write({ case: id, runtime: label }, { step });
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

/** Closes what is open, and goes back to where it was opened. */
function closeCell() {
  if (dialog.open) dialog.close();
}

function onClosed() {
  place.write({ case: "", runtime: "" });
  focusable(returnTo);
}

const closing = () => element("button.close", { type: "button", "aria-label": "Close", onclick: closeCell }, "×");

const missing = (id) => [element("header", {}, element("h2", { id: "cell-title" }, "No such case or runtime"), closing()),
  element("p", {}, `${id} is not in this report with that runtime.`)];

function whole(item, column) {
  const runtime = page.runtimes[column];
  const detail = item.verdicts[column] === "-" ? {} : page.details[item.details[column]];
  const findings = (detail.findings ?? []).map((at) => page.findings[at]);
  const broken = findings.filter((it) => ["fail", "warn"].includes(it.verdict));
  const others = findings.filter((it) => !broken.includes(it));
  const at = visible.indexOf(item);
  const neighbour = (words, other) => element("button", { type: "button", disabled: !other,
    onclick: () => openCell(other.id, runtime.label) }, words);
  return [
    element("header", {}, element("h2", { id: "cell-title" }, item.id), closing()),
    element("p.outcome", {}, verdict(item.verdicts[column]), ` ${titleOf(runtime)}, judged by ${runtime.spec}`),
    element("nav", { "aria-label": "Other runtimes and cases" },
      ...columns().map((other) => element("button.runtime", { type: "button", "aria-pressed": String(other === column),
        onclick: () => { openCell(item.id, page.runtimes[other].label); dialog.querySelector(".runtime[aria-pressed=true]")?.focus(); } },
      element("span", {}, page.runtimes[other].label), verdict(item.verdicts[other]))),
      element("span.neighbours", {}, neighbour("Previous", visible[at - 1]), neighbour("Next", at < 0 ? null : visible[at + 1]))),
    facts(item, column, detail),
    ...broken.map((it) => findingBlock(it, runtime)),
    ...(findings.length === 0 ? item.clauses.map((it) => clauseBlock(clauseOf(it), runtime)) : []),
    others.length > 0 ? element("details.holds", { open: broken.length === 0 },
      element("summary", {}, broken.length > 0 ? `Also judged: ${others.length}` : `Judged: ${others.length}`), ...others.map((it) => findingBlock(it, runtime))) : null,
    (detail.steps ?? []).length > 0 ? element("section", {}, element("h3", {}, "Commands"), stepList(detail.steps, broken)) : null,
    item.verdicts[column] === "p" ? element("p.note", {}, "The commands of a case that passes are in the results file.") : null,
    reproduction(item, runtime),
  ].filter(Boolean);
}

function facts(item, column, detail) {
  const words = (place) => (place === undefined ? null : text(place));
  const entries = [
    ["Not expected", words(detail.because) ?? (item.unexpected?.includes(column) ? "nothing in an expectation file explains it" : null)],
    ["Known because", words(detail.waiver)],
    [item.verdicts[column] === "i" ? "Needs" : "Reason", words(detail.need)],
    ["Reference", detail.reference ? REFERENCE[detail.reference] : page.runtimes[column].is_reference ? "this is the reference" : null],
    ["Attempts", detail.attempts ? [...detail.attempts].map((it) => VERDICTS[it].word).join(", ") : null],
    ["Took", item.verdicts[column] === "-" ? null : duration(item.ms[column])],
    ["Suite", item.suite],
    ["Section", [page.sections[item.section].file, page.sections[item.section].title].filter(Boolean).join(", ")],
  ].filter(([, value]) => value);
  return element("dl.facts", {}, ...entries.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function clauseBlock(clause, runtime) {
  const link = linkOf(clause, runtime);
  const section = page.sections[clause.section];
  const where = section ? `${section.file}, ${section.title}` : "unknown to this catalogue";
  const span = clause.since ? (clause.until ? `${clause.since} to ${clause.until}` : `since ${clause.since}`) : "";
  return element("div.clause", {},
    element("p.says", {}, clause.force ? element("b", {}, clause.force) : null, " ", clause.says || clause.id),
    element("p.note", {}, element("code", {}, clause.id), " · ", link ? element("a", { href: link, rel: "noreferrer" }, where) : where,
      span ? ` · ${span}` : null, clause.source ? ` · ${clause.source}` : null),
    clause.note ? element("p.note", {}, `How we read it: ${clause.note}`) : null);
}

function findingBlock(finding, runtime) {
  const value = (name, at) => (at === undefined ? [] : [element("div.value", {}, element("h4", {}, name), element("pre", { tabindex: 0 }, text(at)))]);
  return element(`article.finding.${finding.verdict}`, {}, clauseBlock(clauseOf(finding.clause), runtime),
    finding.message === undefined ? null : element("p.looked", {}, `Looked at: ${text(finding.message)}`),
    element("div.values", {}, ...value("Expected", finding.expected), ...value("Observed", finding.observed)),
    finding.difference ? element("dl.difference", {}, ...finding.difference.flatMap(([label, at]) => [element("dt", {}, label), element("dd", {}, text(at))])) : null);
}

function stepList(steps, broken) {
  const shows = new Set(broken.map((it) => it.step));
  return element("ol.steps", {}, ...steps.map((step, at) => element(shows.has(at) ? "li.shows" : "li", {},
    element("pre.command", { tabindex: 0 }, step.argv.map((word) => quoted(text(word))).join(" ")),
    element("p.note", {}, element(step.ok ? "span" : "b", {}, text(step.ending)), ` · ${duration(step.ms)}`, shows.has(at) ? " · shows the failure" : null,
      step.truncated ? " · longer than what was kept" : null),
    ...["stdout", "stderr"].filter((name) => step[name] !== undefined).flatMap((name) => [element("h4", {}, name), element("pre", { tabindex: 0 }, text(step[name]))]))));
}

function reproduction(item, runtime) {
  const command = runtime.reproduce.replace("CASE", () => quoted(item.id));
  const copy = (event) => navigator.clipboard?.writeText(command).then(() => { event.target.textContent = "Copied"; }, () => {});
  return element("section.reproduce", {}, element("h3", {}, "Reproduce"), element("pre.command", { tabindex: 0 }, command),
    navigator.clipboard ? element("button", { type: "button", onclick: copy }, "Copy") : null);
}

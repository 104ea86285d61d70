// Which cases are shown. A filter is a parameter of the address and a control.

const SHOW = {
  "": "All",
  differences: "Differences",
  failures: "Failures",
  unexpected: "Unexpected",
};

let filter = {};

/** Runtimes whose columns are shown. */
function columns() {
  const all = page.runtimes.map((_, at) => at);
  const asked = (filter.runtimes ?? "").split("\n").filter(Boolean);
  const some = all.filter((at) => asked.includes(page.runtimes[at].label));
  return some.length > 0 ? some : all;
}

/** Judged runtimes that do not agree; what a host or a kind of runtime cannot do is no opinion. */
function differs(item, shown) {
  const opinions = new Set(shown.map((at) => item.verdicts[at]).filter((letter) => VERDICTS[letter].judged));
  return opinions.size > 1;
}

const isShown = {
  "": () => true,
  differences: differs,
  failures: (item, shown) => shown.some((at) => "ftb".includes(item.verdicts[at])),
  unexpected: (item, shown) => shown.some((at) => item.unexpected?.includes(at)),
};

/** What a search looks through, made when it is first needed. */
function haystack(item) {
  item.haystack ??= [
    item.id,
    page.sections[item.section].file,
    page.sections[item.section].title,
    ...item.clauses.flatMap((at) => [clauseOf(at).id, clauseOf(at).says]),
  ].join("\n").toLowerCase();
  return item.haystack;
}

/** `1.0.2`: what binds that version; `new-1.1.0`: what is new in it. */
function inVersion(clause, version) {
  if (!clause.since) return false;
  if (version.startsWith("new-")) return clause.since === version.slice(4);
  return compareVersions(clause.since, version) <= 0 &&
    (!clause.until || compareVersions(version, clause.until) <= 0);
}

/** The cases that the filters leave. */
function filtered() {
  const shown = columns();
  const words = (filter.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const { level, suite, version, section, verdict: wanted, of } = filter;
  const show = isShown[filter.show ?? ""] ?? isShown[""];
  const column = page.runtimes.findIndex((runtime) => runtime.label === of);
  return page.cases.filter((item) => {
    const at = page.sections[item.section];
    return show(item, shown) &&
      (!suite || item.suite === suite) &&
      (!section || fileOf(at) === section || `${at.file}#${at.anchor}` === section) &&
      (!level || item.clauses.some((place) => clauseOf(place).level === level)) &&
      (!version || item.clauses.some((place) => inVersion(clauseOf(place), version))) &&
      (!wanted || column < 0 || VERDICTS[item.verdicts[column]].word === wanted) &&
      words.every((word) => haystack(item).includes(word));
  });
}

const isFiltered = () => ["q", "show", "level", "suite", "version", "section", "verdict"].some((key) => filter[key]);

/** Takes filters from the address. */
function readFilters() {
  const { case: _, runtime: __, ...rest } = place.read();
  filter = rest;
  for (const control of document.querySelectorAll("#filters [name]")) {
    const value = filter[control.name] ?? "";
    if (control.type === "radio") control.checked = control.value === value;
    else if (control.type === "checkbox") control.checked = columns().includes(Number(control.dataset.column));
    else if (control.value !== value) control.value = value;
  }
}

/** Sets filters, and shows what they leave. */
function setFilters(changes) {
  filter = { ...filter, ...changes };
  place.write(changes);
  readFilters();
  showMatrix();
}

function select(name, label, options) {
  const change = (event) => setFilters({ [name]: event.target.value });
  return element("label.field", {}, element("span", {}, label),
    element("select", { name, onchange: change },
      element("option", { value: "" }, "any"),
      ...options.map(([value, words]) => element("option", { value }, words))));
}

function showFilters() {
  const form = document.getElementById("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  const used = page.sections.filter((_, at) => casesOf.get(at).length > 0);
  const files = [...new Set(used.map(fileOf))];
  const suites = [...new Set(page.cases.map((item) => item.suite))];
  const levels = ["MUST", "SHOULD", "MAY", "information"].filter((level) => page.clauses.some((it) => it.level === level));
  const sections = files.flatMap((file) => [[file, file],
    ...used.filter((it) => fileOf(it) === file).map((it) => [`${it.file}#${it.anchor}`, `\u2003${it.title}`])]);
  const versions = [...page.versions.map((it) => [it, `binding in ${it}`]),
    ...page.versions.slice(1).map((it) => [`new-${it}`, `new in ${it}`])];
  form.append(
    element("input", {
      type: "search", name: "q", placeholder: "Search cases and clauses", "aria-label": "Search cases and clauses",
      "aria-keyshortcuts": "/", autocomplete: "off", spellcheck: "false",
      oninput: (event) => setFilters({ q: event.target.value }),
    }),
    element("fieldset.show", {}, element("legend.hidden", {}, "Show"),
      ...Object.entries(SHOW).map(([value, words]) => element("label", {},
        element("input", {
          type: "radio", name: "show", value,
          disabled: value === "differences" && page.runtimes.length < 2,
          onchange: () => setFilters({ show: value }),
        }), element("span", {}, words)))),
    select("section", "Section", sections),
    select("level", "Level", levels.map((it) => [it, it])),
    select("suite", "Suite", suites.map((it) => [it, it])),
    select("version", "Version", versions),
    ...(page.runtimes.length > 1 ? [columnPicker()] : []),
    element("span.buttons", {},
      element("button", { type: "button", id: "expand", onclick: () => toggleAll(true) }, "Expand all"),
      element("button", { type: "button", id: "collapse", onclick: () => toggleAll(false) }, "Collapse all"),
      element("button", { type: "button", id: "reset", onclick: resetFilters }, "Reset")));
}

/** Which runtimes to put side by side. */
function columnPicker() {
  const change = () => {
    const boxes = [...document.querySelectorAll("#filters [name=runtimes]")];
    const chosen = boxes.filter((box) => box.checked);
    const labels = chosen.map((box) => page.runtimes[box.dataset.column].label);
    setFilters({ runtimes: chosen.length === boxes.length ? "" : labels.join("\n") });
  };
  return element("details.columns", {}, element("summary", {}, "Runtimes"),
    element("div", {}, ...page.runtimes.map((runtime, at) => element("label", {},
      element("input", { type: "checkbox", name: "runtimes", "data-column": at, onchange: change }), titleOf(runtime)))));
}

function resetFilters() {
  setFilters(Object.fromEntries(Object.keys(filter).map((key) => [key, ""])));
}

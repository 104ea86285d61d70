// The matrix: documents, their sections and their cases as rows of a tree grid. Rows of cases are
// made when their section is opened, and one cell at a time is in the order of the Tab key.

// Sections open themselves where filters leave few cases.
const FEW = 250;

// Sections that were opened (true) or closed (false) by hand, and the same of documents.
const opened = new Map();
let visible = [];
let rows = new Map();
let rowsFor = "";
let focused = null;

function showMatrix() {
  const shown = columns();
  if (rowsFor !== shown.join()) [rows, rowsFor] = [new Map(), shown.join()];
  visible = filtered();
  const matrix = document.getElementById("matrix");
  const was = matrix.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  matrix.style.setProperty("--columns", shown.length);
  const grid = element("div.grid", { role: "treegrid", "aria-label": "Cases by section and runtime", "aria-colcount": shown.length + 1 },
    element("div.head", { role: "rowgroup" }, element("div.row", { role: "row" }, element("div.name", { role: "columnheader" }, "Case"),
      ...shown.map((at) => element("div.cell", { role: "columnheader" }, element("b", {}, page.runtimes[at].label),
        titleOf(page.runtimes[at]) === page.runtimes[at].label ? null : element("small", {}, page.runtimes[at].version))))));
  const left = new Map();
  for (const item of visible) (left.get(item.section) ?? left.set(item.section, []).get(item.section)).push(item);
  const files = Map.groupBy ? Map.groupBy(left.keys(), (at) => fileOf(page.sections[at])) : groupedFiles(left);
  for (const [file, sections] of files) {
    const isOpen = opened.get(file) ?? true;
    grid.append(element("div.group", { role: "rowgroup" }, groupRow(1, file, file, sections.flatMap((at) => left.get(at)), isOpen, shown)));
    for (const at of isOpen ? sections : []) grid.append(sectionGroup(at, left.get(at), shown));
  }
  if (visible.length === 0) grid.append(element("p.none", {}, "No case is left by these filters."));
  matrix.replaceChildren(grid);
  focusable(was);
  const of = filter.verdict ? ` (${filter.verdict} with ${filter.of ?? "any"})` : "";
  document.getElementById("count").textContent = `${visible.length} of ${page.cases.length} cases${of}`;
}

function groupedFiles(left) {
  const files = new Map();
  for (const at of left.keys()) {
    const file = fileOf(page.sections[at]);
    files.set(file, [...(files.get(file) ?? []), at]);
  }
  return files;
}

const isOpenSection = (at) => opened.get(at) ?? (isFiltered() && visible.length <= FEW);

function sectionGroup(at, items, shown) {
  const section = page.sections[at];
  const isOpen = isOpenSection(at);
  const group = element("div.group.section", { role: "rowgroup" }, groupRow(2, at, section.title, items, isOpen, shown));
  if (isOpen) {
    group.append(...items.map((item) => caseRow(item, shown)));
    group.style.setProperty("--rows", items.length + 1);
  }
  return group;
}

/** The row of a document or a section, with totals per runtime. */
function groupRow(level, key, title, items, isOpen, shown) {
  return element(`div.row.level${level}`, { role: "row", "aria-level": level, "aria-expanded": String(isOpen), "data-group": key },
    element("div.name", { role: "rowheader", tabindex: -1, "data-key": `group:${key}` }, element("span.title", {}, title),
      element("span.size", {}, items.length === 1 ? "1 case" : `${items.length} cases`)),
    ...shown.map((at) => {
      const counts = tally(items, at);
      const letters = Object.keys(VERDICTS).filter((letter) => counts[letter] && letter !== "-");
      const main = letters.filter((letter) => "pftbw".includes(letter));
      const words = letters.map((letter) => `${counts[letter]} ${VERDICTS[letter].word}`).join(", ") || "not run";
      const cell = element("div.cell.tally", { role: "gridcell", tabindex: -1, title: words, "data-key": `group:${key}:${at}` },
        ...main.map((letter) => element(`span.count.v-${VERDICTS[letter].word}`, { "aria-hidden": "true" }, String(counts[letter]))),
        element("span.hidden", {}, words));
      if (main.length === 0) cell.prepend(element("span.count.v-inapplicable", { "aria-hidden": "true" }));
      return cell;
    }));
}

function caseRow(item, shown) {
  const made = rows.get(item.id);
  if (made) return made;
  const cut = item.id.lastIndexOf("/") + 1;
  const row = element("div.row.case", { role: "row", "aria-level": 3, "data-case": item.id },
    element("div.name", { role: "rowheader", tabindex: -1, "data-key": `case:${item.id}`, title: item.id },
      element("span.topic", {}, item.id.slice(0, cut)), item.id.slice(cut)),
    ...shown.map((at) => {
      const word = VERDICTS[item.verdicts[at]].word;
      const unexpected = item.unexpected?.includes(at);
      const bad = "ftbw".includes(item.verdicts[at]);
      const note = unexpected === bad ? "" : unexpected ? " !" : item.verdicts[at] === "w" ? "" : " known";
      return element(`div.cell.v-${word.replace(" ", "-")}`, { role: "gridcell", tabindex: -1, "data-column": at, "data-key": `case:${item.id}:${at}` },
        note ? word + note : word);
    }));
  rows.set(item.id, row);
  return row;
}

/** Opens or closes a document or a section. */
function toggle(key, isOpen) {
  opened.set(page.sections[key] ? Number(key) : key, isOpen);
  showMatrix();
}

function toggleAll(isOpen) {
  page.sections.forEach((section, at) => {
    opened.set(at, isOpen);
    opened.set(fileOf(section), true);
  });
  showMatrix();
}

const cells = (row) => [...row.querySelectorAll("[data-key]")];

/** One cell takes part in the order of the Tab key: the one that had it, else the first. */
function focusable(key) {
  const matrix = document.getElementById("matrix");
  const all = [...matrix.querySelectorAll("[data-key]")];
  for (const cell of matrix.querySelectorAll("[tabindex='0']")) cell.tabIndex = -1;
  const cell = all.find((it) => it.dataset.key === (key ?? focused)) ?? all[0];
  if (cell) cell.tabIndex = 0;
  if (cell && key) cell.focus();
}

function moveTo(cell) {
  if (!cell) return;
  for (const other of document.querySelectorAll("#matrix [tabindex='0']")) other.tabIndex = -1;
  cell.tabIndex = 0;
  focused = cell.dataset.key;
  cell.focus();
}

function activate(cell) {
  const row = cell.closest(".row");
  if (row.dataset.group !== undefined) return toggle(row.dataset.group, row.getAttribute("aria-expanded") !== "true");
  const column = cell.dataset.column ?? columns()[0];
  openCell(row.dataset.case, page.runtimes[column].label, { step: true });
}

/** The keys of a tree grid, as the ARIA practices have them. */
function onGridKey(event) {
  const cell = event.target.closest("[data-key]");
  if (!cell || event.altKey || event.metaKey) return;
  const row = cell.closest(".row");
  const rowList = [...document.querySelectorAll("#matrix .row:has([data-key])")];
  const at = rowList.indexOf(row);
  const column = cells(row).indexOf(cell);
  const inRow = (to, place = column) => {
    const target = rowList[Math.max(0, Math.min(rowList.length - 1, to))];
    moveTo(cells(target)[place]);
  };
  const isGroup = row.dataset.group !== undefined && column === 0;
  const isOpen = row.getAttribute("aria-expanded") === "true";
  const last = cells(row).length - 1;
  const keys = {
    ArrowDown: () => inRow(at + 1),
    ArrowUp: () => inRow(at - 1),
    PageDown: () => inRow(at + 15),
    PageUp: () => inRow(at - 15),
    ArrowRight: () => (isGroup && !isOpen ? toggle(row.dataset.group, true) : moveTo(cells(row)[column + 1])),
    ArrowLeft: () => (isGroup && isOpen ? toggle(row.dataset.group, false) : moveTo(cells(row)[column - 1])),
    Home: () => (event.ctrlKey ? inRow(0, 0) : moveTo(cells(row)[0])),
    End: () => (event.ctrlKey ? inRow(rowList.length - 1, last) : moveTo(cells(row)[last])),
    Enter: () => activate(cell),
    " ": () => activate(cell),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
}

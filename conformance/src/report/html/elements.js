// Elements, made one by one: text is always a text node, so nothing in the data can be markup.

/** `element("p.note", { id: "x" }, "text", child)`. Properties with a dash are attributes. */
function element(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  if (classes.length > 0) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A horizontal bar of parts `[class, size]`, as SVG; `total` is what the whole width stands for. */
function bar(parts, total, label) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 100 6");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "bar");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  let x = 0;
  for (const [name, size] of [["rest", total], ...parts]) {
    if (!(size > 0) || !(total > 0)) continue;
    const rect = document.createElementNS(space, "rect");
    const width = (100 * size) / total;
    rect.setAttribute("class", name);
    rect.setAttribute("x", name === "rest" ? 0 : x.toFixed(2));
    rect.setAttribute("width", width.toFixed(2));
    rect.setAttribute("height", 6);
    svg.append(rect);
    if (name !== "rest") x += width;
  }
  return svg;
}

/** A verdict's shape and word. */
const verdict = (letter, note = "") =>
  element(`span.verdict.v-${VERDICTS[letter].word.replace(" ", "-")}`, {}, VERDICTS[letter].word, note);

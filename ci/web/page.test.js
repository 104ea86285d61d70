// The matrix page in Chromium: made by the program from generated results, opened as a file.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const PROGRAM = process.env.PAGE_PROGRAM;
const place = mkdtempSync(join(tmpdir(), "oci-conformance-page."));
let browser;

/** The address of the page of generated results. */
function made(...kind) {
  const [json, html] = ["json", "html"].map((ending) => join(place, `${kind.join("-")}.${ending}`));
  writeFileSync(json, execFileSync("node", ["generate.js", ...kind], { maxBuffer: 1 << 28 }));
  execFileSync(PROGRAM, ["merge", json, "--format", `html=${html}`]);
  return { html, url: `file://${html}`, results: JSON.parse(readFileSync(json, "utf8")) };
}

/** Opens a page; whatever it complains of or asks for is an error. */
async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => /^(file|data):/.test(request.url()) || wrong.push(`request: ${request.url()}`));
  await page.goto(url);
  await page.waitForFunction(() => performance.getEntriesByName("shown").length > 0);
  return { page, done: async () => { await context.close(); assert.deepEqual(wrong, []); } };
}

const rows = (page) => page.locator(".row.case");
const shownCount = async (page) => Number((await page.locator("#count").textContent()).split(" ")[0]);

let small, big, hostile;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  [small, big, hostile] = [made("60", "3"), made("1000", "8"), made("hostile")];
});
after(async () => {
  await browser?.close();
  rmSync(place, { recursive: true });
});

/** Ids that a rule over the results picks. */
const ids = (rule) => {
  const runs = small.results.runs;
  return runs[0].cases.filter((_, n) => rule(runs.map((run) => run.cases[n]))).map((it) => it.id).sort();
};

test("filters leave what they say, and survive a reload", async () => {
  const { page, done } = await open(small.url);
  assert.equal(await shownCount(page), 60);
  assert.equal(await rows(page).count(), 0, "sections begin closed");
  const opinion = (it) => it.verdict !== "inapplicable";
  for (const [name, rule] of [
    ["failures", (list) => list.some((it) => it.verdict === "fail")],
    ["unexpected", (list) => list.some((it) => !it.as_expected)],
    ["differences", (list) => new Set(list.filter(opinion).map((it) => it.verdict)).size > 1],
  ]) {
    await page.locator(`input[name=show][value=${name}]`).check();
    const expected = ids(rule);
    assert.ok(expected.length > 0 && expected.length < 60);
    const shown = await rows(page).evaluateAll((list) => list.map((row) => row.dataset.case).sort());
    assert.deepEqual(shown, expected, name);
    await page.reload();
    assert.equal(await shownCount(page), expected.length, `${name} after a reload`);
  }
  await page.locator("#reset").click();
  await page.locator("select[name=suite]").selectOption("security");
  assert.equal(await shownCount(page), 12);
  await page.locator("[name=q]").fill("NUMBER-0005");
  assert.deepEqual(await rows(page).evaluateAll((list) => list.map((row) => row.dataset.case)), ["topic-05/holds-what-is-said-number-0005"]);
  await page.locator("[name=q]").fill("no such thing");
  assert.equal(await shownCount(page), 0);
  await page.locator("#reset").click();
  assert.equal(await shownCount(page), 60);
  await page.locator("select[name=level]").selectOption("SHOULD");
  const should = await shownCount(page);
  await page.locator("select[name=level]").selectOption("MUST");
  assert.ok((await shownCount(page)) > should);
  await page.locator("#reset").click();
  await page.locator("select[name=version]").selectOption("new-1.3.0");
  assert.ok((await shownCount(page)) < 60);
  await page.locator("#reset").click();
  await page.locator("select[name=section]").selectOption("config.md#configHostname");
  assert.ok((await shownCount(page)) < 60 && (await shownCount(page)) > 0);
  await done();
});

test("columns can be chosen, and counts lead to their cases", async () => {
  const { page, done } = await open(small.url);
  await page.locator(".columns summary").click();
  await page.locator("[name=runtimes]").nth(1).uncheck();
  assert.deepEqual(await page.locator(".head .cell b").allTextContents(), ["runtime-a", "runtime-c"]);
  await page.locator("[name=runtimes]").nth(1).check();
  const link = page.locator("a[aria-label$='fail with runtime-b']");
  const count = Number(await link.textContent());
  assert.equal(count, small.results.runs[1].summary.fail);
  await link.click();
  assert.equal(await shownCount(page), count);
  await done();
});

test("a cell opens with everything about its case, and its link survives a reload", async () => {
  const failing = small.results.runs[1].cases.find((it) => it.verdict === "fail");
  const { page, done } = await open(`${small.url}#show=failures`);
  await page.locator(`.row[data-case="${failing.id}"] .cell`).nth(1).click();
  const check = async () => {
    const dialog = page.getByRole("dialog", { name: failing.id });
    await dialog.waitFor();
    const words = await dialog.innerText();
    for (const part of [failing.findings[0].expected_value, failing.findings[0].observed_value, failing.findings[0].clause, "MUST",
      "passes on this host", "50 ms", "stack of calls", "exit 1", `oci-conformance repro ${failing.id} --runtime /usr/sbin/runtime-b`]) {
      assert.ok(words.includes(part), `${part} is not in ${words}`);
    }
    const link = await dialog.locator(".finding a").first().getAttribute("href");
    assert.match(link, /^https:\/\/github\.com\/opencontainers\/runtime-spec\/blob\/v1\.\d\.\d\/[\w-]+\.md#\w+$/);
  };
  await check();
  const parameters = new URLSearchParams(new URL(page.url()).hash.slice(1));
  assert.deepEqual([parameters.get("case"), parameters.get("runtime"), parameters.get("show")], [failing.id, "runtime-b", "failures"]);
  await page.reload();
  await check();
  await page.locator("button.runtime").first().click();
  assert.match(page.url(), /runtime=runtime-a/);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.ok(!page.url().includes("case="));
  await page.goto(`${small.url}#case=none&runtime=runtime-a`);
  await page.getByRole("dialog", { name: "No such case" }).waitFor();
  await done();
});

test("the keyboard reaches everything", async () => {
  const { page, done } = await open(small.url);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.name), "q");
  assert.equal(await page.locator("#matrix [tabindex='0']").count(), 1, "one cell is in the order of Tab");
  await page.locator("#matrix [tabindex='0']").focus();
  const active = () => page.evaluate(() => document.activeElement.dataset.key);
  const first = await active();
  await page.keyboard.press("ArrowDown");
  const section = await active();
  assert.notEqual(section, first);
  await page.keyboard.press("ArrowRight");
  assert.ok((await rows(page).count()) > 0, "ArrowRight opens a section");
  assert.equal(await active(), section, "and stays on it");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  const cell = await active();
  assert.match(cell, /^case:.*:0$/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.equal(await active(), cell, "closing returns to the cell");
  await page.keyboard.press("Control+Home");
  assert.equal(await active(), first);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await rows(page).count(), 0, "ArrowLeft closes it");
  await done();
});

test("roles and names are there for a screen reader", async () => {
  const { page, done } = await open(`${small.url}#show=failures`);
  await page.getByRole("treegrid").waitFor();
  assert.equal(await page.getByRole("columnheader").count() >= 4, true);
  const row = rows(page).first();
  assert.equal(await row.getAttribute("role"), "row");
  assert.equal(await row.getByRole("rowheader").count(), 1);
  assert.deepEqual(await row.getByRole("gridcell").count(), 3);
  assert.match(await row.getByRole("gridcell").first().textContent(), /^(pass|fail|warn|unsupported|inapplicable)/);
  assert.equal(await page.locator("[role=row][aria-expanded]").count() > 0, true);
  assert.equal(await page.getByRole("status").count(), 1);
  await done();
});

/** Contrast of two colours, as WCAG 2 has it. */
function contrast(a, b) {
  const light = (colour) => {
    const [r, g, blue] = colour.match(/[\d.]+/g).slice(0, 3).map((it) => it / 255)
      .map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

test("both themes can be read", async () => {
  const papers = [];
  for (const colorScheme of ["light", "dark"]) {
    const { page, done } = await open(`${small.url}#show=failures`, { colorScheme });
    const colours = await page.evaluate(() => {
      const paper = getComputedStyle(document.querySelector(".grid")).backgroundColor;
      const solid = (colour) => (/, 0\)$/.test(colour) ? paper : colour);
      return ["#count", ".topic", ".case .v-pass", ".case .v-fail", ".case .v-warn", ".case .v-unsupported", ".case .v-inapplicable"]
        .map((it) => [it, document.querySelector(it)]).filter(([, it]) => it)
        .map(([name, it]) => [name, getComputedStyle(it).color, solid(getComputedStyle(it).backgroundColor)]);
    });
    for (const [name, ink, paper] of colours) assert.ok(contrast(ink, paper) >= 4.5, `${colorScheme}: ${name}: ${ink} on ${paper}`);
    papers.push(colours[0][2]);
    await done();
  }
  assert.notEqual(papers[0], papers[1]);
});

test("a narrow screen shows it all without scrolling aside", async () => {
  const { page, done } = await open(`${small.url}#show=failures`, { viewport: { width: 360, height: 740 } });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `${width} wide`);
  const box = await rows(page).first().locator(".cell").last().boundingBox();
  assert.ok(box.x + box.width <= 360, "the last runtime's cell is on the screen");
  await rows(page).first().locator(".cell").first().click();
  assert.ok((await page.getByRole("dialog").boundingBox()).width <= 360);
  await done();
});

test("hostile content is text", async () => {
  const { page, done } = await open(`${hostile.url}`);
  await page.locator("#expand").click();
  await rows(page).first().locator(".cell").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.equal(await page.locator("img, iframe, object, body script:not(#data)").count(), 1, "the page's own script alone");
  assert.ok((await dialog.innerText()).includes("</script><script>window.pwned=1</script>"));
  assert.ok((await dialog.innerText()).includes("\\u{202e}"), "what reorders text is shown");
  const links = await page.locator("a[href]").evaluateAll((list) => list.map((it) => it.getAttribute("href")));
  assert.deepEqual(links.filter((href) => !href.startsWith("#") && !href.startsWith("https://github.com/opencontainers/runtime-spec/")), []);
  await done();
});

test("the policy forbids what the page does not need", async () => {
  const { page } = await open(small.url);
  const forbidden = await page.evaluate(() => {
    try {
      document.body.innerHTML = "<b>x</b>";
      return "allowed";
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(forbidden, "TypeError", "markup from a string");
  const script = await page.evaluate(() => {
    const made = document.createElement("script");
    try { made.text = "window.pwned = 1"; document.body.append(made); } catch { /* trusted types refuse it */ }
    return window.pwned;
  });
  assert.equal(script, undefined);
  await page.context().close();
});

test("1,000 cases by 8 runtimes are small and without lag", async (t) => {
  const size = statSync(big.html).size;
  t.diagnostic(`size ${size} bytes`);
  assert.ok(size < 1_500_000, `${size} bytes`);
  const { page, done } = await open(big.url);
  const paint = await page.evaluate(() => new Promise((resolve) => {
    new PerformanceObserver((list) => resolve(list.getEntriesByName("first-contentful-paint")[0]?.startTime))
      .observe({ type: "paint", buffered: true });
  }));
  const shown = await page.evaluate(() => performance.getEntriesByName("shown")[0].startTime);
  const timed = (what) => page.evaluate((selector) => new Promise((resolve) => {
    const begin = performance.now();
    document.querySelector(selector).click();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begin)));
  }), what);
  const expand = await timed("#expand");
  assert.equal(await rows(page).count(), 1000);
  const failures = await timed("input[name=show][value=failures]");
  t.diagnostic(`first paint ${paint.toFixed(0)} ms, shown ${shown.toFixed(0)} ms, expand all ${expand.toFixed(0)} ms, a filter ${failures.toFixed(0)} ms`);
  // A budget against lag, loose enough for a busy machine; the aim is 200 ms.
  assert.ok(paint < 2000 && expand < 4000 && failures < 4000);
  await done();
});

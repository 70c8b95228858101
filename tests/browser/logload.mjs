// The page of apps/logtail under load, for tests/soak/run: 5,000 lines a second for LOG_SECONDS, while somebody pauses,
// searches and scrolls. Prints TAP, and what it has measured. It is bounded in memory and in what stands in the document;
// how long its longest task was, and how long a click took, is told: on a busy machine that says nothing of the page. The log is
// made up (logs/), then a file, followed by the app itself.

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { runAll, test } from "./lib.mjs";

const RATE = 5000;
const SECONDS = Number(process.env.LOG_SECONDS ?? 60);
const MB = 1 << 20;

async function heap(cdp) {
  await cdp.send("HeapProfiler.collectGarbage");
  return (await cdp.send("Runtime.getHeapUsage")).usedSize;
}

// Long tasks, and how long the answer to what is pressed took to be seen.
const observe = () => {
  window.tasks = [];
  window.answers = [];
  const into = (list, wanted) => (entries) => entries.getEntries().filter(wanted).forEach(({ duration }) => list.push(duration));
  new PerformanceObserver(into(window.tasks, () => true)).observe({ type: "longtask" });
  new PerformanceObserver(into(window.answers, ({ name }) => /^(click|keydown|input)$/.test(name))).observe({ type: "event", durationThreshold: 16 });
};

const newest = (page) => page.$eval("#window", (rows) => Number(rows.lastElementChild.textContent.match(/line (\d+)\./)?.[1]));
const passed = (page, n) => page.waitForFunction((line) =>
  Number(document.querySelector("#window").lastElementChild?.textContent.match(/line (\d+)\./)?.[1]) >= line, n, { polling: 100, timeout: 120_000 });

async function use(page, round) {
  await page.click("#pause");
  await page.waitForSelector('#state[data-state="paused"]');
  await page.fill("#find", ["disk", "GET", "took 1"][round % 3]);
  await page.click("#previous");
  await page.hover("#log");
  await page.mouse.wheel(0, -2000);
  await page.locator(".line .toggle").nth(5).click();
  await page.click("#pause");
  await page.waitForSelector('#state[data-state="live"]');
}

test(`logtail: ${RATE} lines a second for ${SECONDS} seconds`, async (t) => {
  const server = await t.serve(["tests/browser/logs", "--workers", "1"], { env: { MOCK_LINES: "1000" } });
  const page = await t.page();
  await page.goto(`${server.url}/`);
  await passed(page, 1000);
  const cdp = await page.context().newCDPSession(page);
  await (await fetch(`${server.url}/write?lines=40000`, { method: "POST" })).body.cancel();
  await passed(page, 41_000); // the page is full
  const before = await heap(cdp);
  await page.evaluate(observe);
  const { from, to } = await (await fetch(`${server.url}/rate?per=${RATE}&seconds=${SECONDS}`, { method: "POST" })).json();
  for (let round = 0, at = from; at < to - 4 * RATE; at = await newest(page), round++) {
    await passed(page, at + 3 * RATE);
    await use(page, round);
  }
  await passed(page, to);
  const { tasks, answers } = await page.evaluate(() => ({ tasks: window.tasks, answers: window.answers }));
  const after = await heap(cdp);
  const count = await page.textContent("#count"), rows = await page.locator(".row").count();
  console.log(`# ${to - from} lines; longest task ${Math.round(Math.max(0, ...tasks))} ms, ${tasks.length} of more than 50 ms; ` +
    `slowest answer to a click or key ${Math.max(0, ...answers)} ms of ${answers.length}; heap ${(before / MB).toFixed(1)} MB before, ${(after / MB).toFixed(1)} MB after`);
  assert.match(count, /^40,000 lines/);
  assert.ok(rows < 100, `${rows} rows`);
  assert.ok(after < before + 24 * MB, `${before} bytes before, ${after} after`);
});

// What is kept and what went is all that was written: each line has come to the page once.
test(`logtail: ${RATE} lines a second of a file for ${SECONDS} seconds`, async (t) => {
  const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => `INFO line ${from + i}. GET /articles/${i}\n`).join("");
  const path = t.file("some.log", []);
  const server = await t.serve(["apps/logtail", "--workers", "1"], { env: { WEIR_LOG: path } });
  const page = await t.page();
  await page.goto(`${server.url}/`);
  await page.waitForSelector('#state[data-state="live"]');
  const began = performance.now(), all = RATE * SECONDS;
  for (let written = 0; written < all; await setTimeout(5)) {
    const to = Math.min(all, Math.ceil((performance.now() - began) * RATE / 1000));
    appendFileSync(path, lines(written + 1, to));
    written = to;
  }
  await passed(page, all);
  const count = all.toLocaleString("en"), dropped = (all - 40_000).toLocaleString("en");
  assert.equal(await page.textContent("#count"), all > 40_000 ? `40,000 lines · ${dropped} older ones dropped` : `${count} lines`);
});

await runAll();

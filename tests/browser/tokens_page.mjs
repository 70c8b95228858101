// The page of apps/tokens: answers that end with their page, and runs that other tabs read, too.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { screenshot, test } from "./lib.mjs";

const recording = readFileSync(new URL("../../apps/tokens/recording.ndjson", import.meta.url), "utf8");
const whole = recording.trim().split("\n").map((line) => JSON.parse(line).text).join("");
const expected = /net::ERR_|Failed to load resource/;

// What came, without the marks of where it was cut.
const text = (page) => page.$eval("#text", (element) => [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join(""));
const state = (page, name) => page.waitForSelector(`#answer[data-state="${name}"]`);
const told = (page, words) => page.locator("#events li", { hasText: words }).first().waitFor();
const came = (page, count) => page.waitForFunction((n) => Number(document.querySelector("#count").textContent) >= n, count);
const busy = (page, count) => page.locator("#busy output", { hasText: new RegExp(`^${count}$`) }).waitFor();

async function open(t, { options = {}, server, args = ["apps/tokens", "--workers", "2"] } = {}) {
  const serving = server ?? await t.serve(args);
  const page = await t.page({ expected, ...options });
  await page.goto(`${serving.url}/`);
  await busy(page, 0);
  return { server: serving, page };
}

async function ask(page, prompt, way) {
  await page.fill("#prompt", prompt);
  await page.check(`input[value="${way}"]`);
  await page.click("#send");
  await state(page, "live");
}

test("tokens: a run that is cut goes on behind its last token, and another tab has the same", async (t) => {
  const { page } = await open(t);
  await ask(page, "What is a weir?", "runs");
  await came(page, 15);
  const [tab] = await Promise.all([page.context().waitForEvent("page"), page.click("#share")]);
  await page.click("#cut");
  await state(page, "waiting");
  await state(page, "live");
  await told(page, "The connection was cut.");
  await came(page, 60);
  await screenshot(page, "tokens-cut");
  await state(tab, "live");
  for (const one of [page, tab]) {
    await state(one, "done");
    assert.equal(await text(one), whole);
    assert.equal(await one.textContent("#question"), "What is a weir?");
  }
  assert.equal(await page.textContent("#cuts"), "1");
  assert.equal(await page.locator(".seam").count(), 1);
  assert.equal(await tab.locator(".seam").count(), 0);
  assert.equal(await page.$eval("#text", (element) => element.ariaBusy), "false");
  await screenshot(page, "tokens-done");
  await tab.reload(); // who comes late
  await state(tab, "done");
  assert.equal(await text(tab), whole);
  await busy(page, 0);
});

test("tokens: who listens is read whole sentences, each once", async (t) => {
  const { page } = await open(t);
  await ask(page, "Read to me", "runs");
  await state(page, "done");
  const sentences = await page.$$eval("#spoken p", (all) => all.map((one) => one.textContent));
  assert.equal(sentences.join(" ").replace(/\s+/g, " "), whole.replace(/\s+/g, " "));
  assert.ok(sentences.includes("That is the whole idea."), sentences.join("|"));
  assert.equal(await page.getAttribute("#spoken", "aria-live"), "polite");
  assert.equal(await page.textContent("#told"), "The answer is complete.");
});

test("tokens: stopped in one tab, a run is stopped in all", async (t) => {
  const { server, page } = await open(t, { options: { viewport: { width: 390, height: 844 }, colorScheme: "dark" } });
  await ask(page, "<b>Stop</b> me", "runs");
  await came(page, 5);
  await busy(page, 1);
  const other = await t.page();
  await other.goto(await page.getAttribute("#share", "href"));
  await came(other, 5);
  await other.click("#stop");
  for (const one of [page, other]) {
    await state(one, "stopped");
    await told(one, "It was stopped.");
    assert.ok(whole.startsWith(await text(one)));
    assert.equal(await one.textContent("#question"), "<b>Stop</b> me");
  }
  assert.equal(await text(page), await text(other));
  await busy(page, 0);
  await screenshot(page, "tokens-stopped");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  await page.goto(`${server.url}/?run=never`);
  await state(page, "gone");
});

test("tokens: an answer that is bound to its page ends with it, with its connection, and when it is stopped", async (t) => {
  const { server, page } = await open(t);
  const { page: leaving } = await open(t, { server });
  await ask(leaving, "I will leave", "answer"); // it is live before the first token
  await busy(page, 1);
  await leaving.close();
  await busy(page, 0);
  for (const button of ["#cut", "#stop"]) {
    await ask(page, "Cut me", "answer");
    await came(page, 5);
    await busy(page, 1);
    await page.click(button);
    await state(page, "left");
    await told(page, "the work stopped with it");
    await busy(page, 0);
    assert.ok(await page.isEnabled("#send"));
  }
  await ask(page, "To the end", "answer");
  await state(page, "done");
  assert.equal(await text(page), whole);
});

test("tokens: nothing can be stopped or cut before there is something", async (t) => {
  const { page } = await open(t);
  let release;
  await page.route("**/runs", (route) => { release = () => route.continue(); });
  await page.fill("#prompt", "Wait");
  await page.click("#send");
  await state(page, "connecting");
  assert.deepEqual([await page.isEnabled("#stop"), await page.isEnabled("#cut")], [false, false]);
  release();
  await state(page, "live");
  await page.click("#stop");
  await state(page, "stopped");
});

test("tokens: a server that is killed and comes back tells what became of a run", async (t) => {
  const args = ["apps/tokens", "--workers", "2", "--data", `${t.folder}/data`];
  const { server, page } = await open(t, { args });
  await ask(page, "Live through this", "runs");
  await came(page, 10);
  await server.stop("SIGKILL");
  await state(page, "waiting");
  const next = await t.serve(args, { listen: server.address });
  await state(page, "interrupted");
  const before = await text(page);
  assert.ok(before.length > 0 && whole.startsWith(before) && before !== whole);
  await page.reload();
  await state(page, "interrupted");
  assert.equal(await text(page), before);
  await next.stop("SIGKILL");
  await t.serve(["apps/tokens"], { listen: server.address }); // which knows nothing of it
  await page.reload();
  await state(page, "gone");
});

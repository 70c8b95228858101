// The page of apps/monitor: figures that move, an alert of a real load, a stalled stream found and closed, a restart.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { existsSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { screenshot, test } from "./lib.mjs";

const refused = /Failed to load resource/;

// What the monitor looks at: a stream of a topic, what fills that, and a handler that computes for so many turns of 0.3 s.
const load = `
  local weir = require "weir"
  local app = weir.app()
  weir.topics { flood = { history = { count = 1000, bytes = "2MB" } } }
  app:get("/live", function(stream)
    stream.claims = { sub = stream.query.sub }
    stream:sse({ hello = true }):subscribe "flood"
  end)
  app:post("/flood", function() for _ = 1, 40 do weir.publish("flood", ("x"):rep(100000)) end end)
  app:get("/burn", function(stream)
    for _ = 1, tonumber(stream.query.turns) do
      local stop = os.clock() + 0.3
      while os.clock() < stop do end
      weir.sleep(0)
    end
    return "burnt"
  end)
  return app`;

// Those that come with it: what runs the tests may be busy, or full.
const others = Object.fromEntries(["cpu", "memory", "memory full", "disk", "disk full", "loop", "worker", "stuck", "stops", "lua memory",
  "refused", "errors", "latency", "backlog", "store", "reload"].map((name) => [name, false]));
const lag = { figure: "turn_p99", above: 0.1, clear: 0.05, text: "The event loop lags" };
const stalls = { figure: "backlog", above: 500_000, hold: 0, text: "A client stalls" };

// The monitor beside that app, with these rules alone.
async function serve(t, { rules = {}, env = {}, ...options } = {}) {
  const file = t.file("site/load/app.lua", [load]);
  const site = file.replace(/\/load\/app\.lua$/, "");
  const link = `${site}/monitor`;
  if (!existsSync(link)) symlinkSync(fileURLToPath(new URL("../../apps/monitor", import.meta.url)), link);
  writeFileSync(`${t.folder}/rules.json`, JSON.stringify({ ...others, ...rules }));
  return t.serve([site, "--workers", "2", "--data", `${t.folder}/data`],
    { env: { MONITOR_RULES: `${t.folder}/rules.json`, MONITOR_SECRET: "", ...env }, ...options });
}

async function open(t, server, options) {
  const page = await t.page(options);
  await page.goto(`${server.url}/monitor/`);
  return page;
}

const state = (page, name) => page.waitForSelector(`#state[data-state="${name}"]`);
const card = (page, title) => page.locator(".card", { has: page.getByRole("heading", { name: title, exact: true }) });
const pathOf = (page, title) => card(page, title).locator(".line-0").getAttribute("d");
const row = (page, text) => page.locator("#streams > li", { hasText: text });
const alert = (page, name, raised) => page.locator(`#alerts > li[data-state="${raised}"]`, { hasText: name }).first();

// Until a chart has a line of so many seconds.
const hasLine = (page, title, points) => page.waitForFunction(([wanted, least]) => {
  const found = [...document.querySelectorAll(".card")].find((one) => one.querySelector("h3").textContent === wanted);
  return (found.querySelector(".line-0").getAttribute("d")?.match(/L/g) ?? []).length >= least;
}, [title, points]);

// Nothing is wider than the window.
async function assertFits(page) {
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
}

// A client that reads what has come when it is told to, and not before.
async function stall(server, path) {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port), highWaterMark: 1 });
  await once(socket, "connect");
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  return socket;
}

const flood = (server) => fetch(`${server.url}/load/flood`, { method: "POST" });

// Floods until the list has it with so many bytes and more.
async function floodUntilBehind(page, server, text) {
  const behind = row(page, text).and(page.locator("[data-state=behind]", { hasText: "MB behind" }));
  while (!(await behind.count())) await flood(server);
  return behind;
}

// Long turns, one after the other, until what is returned is called.
function burn(server) {
  let isOver = false;
  const one = async () => { while (!isOver) await fetch(`${server.url}/load/burn?turns=5`); };
  const both = Promise.all([one(), one()]);
  return () => {
    isOver = true;
    return both;
  };
}

// ---- figures ----

test("monitor: the charts move each second, and say the same in words", async (t) => {
  const page = await open(t, await serve(t));
  await state(page, "open");
  await hasLine(page, "Memory", 1);
  const before = await pathOf(page, "Memory");
  await hasLine(page, "Memory", 3);
  assert.notEqual(await pathOf(page, "Memory"), before);
  assert.match(await card(page, "Memory").locator("svg").getAttribute("aria-label"), /^Memory, the last 60 s: used [\d.]+ %, between [\d.]+ % and [\d.]+ %$/);
  assert.match(await card(page, "Memory").textContent(), /[\d.]+ GB of [\d.]+ GB/);
  assert.match(await card(page, "Streams").locator("strong").first().textContent(), /^\d+$/);
  assert.equal(await page.textContent("#calm"), "Nothing is beyond its threshold.");
});

test("monitor: a page that opens has what was before it", async (t) => {
  const server = await serve(t);
  const first = await open(t, server);
  await hasLine(first, "Memory", 4);
  const second = await open(t, server);
  await second.waitForSelector(".line-0[d]");
  assert.ok((await pathOf(second, "Memory")).match(/L/g).length >= 3);
});

test("monitor: one looks back with the keyboard, and comes back to now", async (t) => {
  const page = await open(t, await serve(t));
  await hasLine(page, "Memory", 4);
  await page.focus("#back");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await page.locator("#when", { hasText: / ago$/ }).waitFor();
  await page.keyboard.press("End");
  await page.waitForFunction(() => document.querySelector("#when").textContent === "now");
  await card(page, "Memory").locator(".chart").hover({ position: { x: 1, y: 5 } });
  await page.locator("#when", { hasText: / ago$/ }).waitFor();
  await page.hover("h1");
  await page.waitForFunction(() => document.querySelector("#when").textContent === "now");
});

test("monitor: the figures go on when the server has been started anew", async (t) => {
  const server = await serve(t, { rules: { busy: { figure: "streams", above: 0, hold: 0, text: "Somebody is there" } } });
  const page = await open(t, server, { expected: refused });
  await alert(page, "Somebody is there", "raised").waitFor();
  await hasLine(page, "Memory", 2);
  await server.stop("SIGKILL");
  await state(page, "waiting");
  const before = (await pathOf(page, "Memory")).match(/[LM]/g).length;
  await serve(t, { rules: { busy: { figure: "streams", above: 9, hold: 0, rest: 0, text: "Somebody is there" } }, listen: server.address });
  await state(page, "open");
  await hasLine(page, "Memory", before + 2);
  await alert(page, "Somebody is there", "over").waitFor();
});

test("monitor: a card has the colour of each figure that it tells", async (t) => {
  const rule = (figure, level) => ({ figure, above: 0, hold: 0, level, text: `There are ${figure}` });
  const page = await open(t, await serve(t, { rules: { one: rule("tasks", "info"), two: rule("disk", "critical") } }));
  await alert(page, "There are disk", "raised").waitFor();
  await alert(page, "There are tasks", "raised").waitFor();
  const levels = { "Processor time": "info", Disk: "critical", Network: "" };
  for (const [title, level] of Object.entries(levels)) await card(page, title).and(page.locator(`[data-level="${level}"]`)).waitFor();
  assert.match(await card(page, "Disk").textContent(), /\d+ % full, [\d.]+ [KMGT]?B free/);
});

test("monitor: a server that says nothing is told from one with nothing to say", async (t) => {
  const server = await serve(t);
  const page = await open(t, server);
  await hasLine(page, "Memory", 1);
  server.signal("SIGSTOP");
  await state(page, "late");
  server.signal("SIGCONT");
  await state(page, "open");
});

// ---- alerts ----

test("monitor: a loop that is kept busy raises an alert, which ends with it", async (t) => {
  const rules = { loop: { ...lag, hold: 1, rest: 1 } };
  const server = await serve(t, { rules });
  const page = await open(t, server);
  await hasLine(page, "Memory", 1);
  await page.locator("#raised-list").waitFor({ state: "attached" });
  const endBurning = burn(server);
  await page.locator("#raised-list li", { hasText: "The event loop lags" }).waitFor();
  await page.waitForFunction(() => document.title.startsWith("(1) "));
  assert.equal(await card(page, "Turns of the loop").getAttribute("data-level"), "warn");
  await page.locator("#announce", { hasText: "warn: The event loop lags" }).waitFor({ state: "attached" });
  await alert(page, "The event loop lags", "raised").waitFor();
  await endBurning();
  await alert(page, "The event loop lags", "over").waitFor();
  await page.locator("#announce", { hasText: "Over: The event loop lags" }).waitFor({ state: "attached" });
  await page.waitForFunction(() => document.title === "Monitor · Weir");
  assert.equal(await page.locator("#alerts > li").count(), 1);
});

test("monitor: a tab that nobody sees says in its title that something is raised", async (t) => {
  const server = await serve(t, { rules: { many: { figure: "streams", above: 1, hold: 0, text: "Many are there" } } });
  const page = await t.page();
  await page.addInitScript(() => { window.requestAnimationFrame = () => 0; }); // what a hidden tab does
  await page.goto(`${server.url}/monitor/`);
  await state(page, "open");
  const socket = await stall(server, "/load/live?sub=one");
  await page.waitForFunction(() => document.title === "(1) Monitor · Weir", undefined, { polling: 100 });
  socket.destroy();
});

test("monitor: the charts go on at once when the server's clock was put back", async (t) => {
  const page = await t.page();
  const figures = (at, memory) => `event: figures\ndata: ${JSON.stringify({ at, alerts: [], memory })}\n\n`;
  const now = Date.now() / 1000;
  const body = figures(now + 3600, 0.1) + figures(now + 3601, 0.2) + figures(now, 0.3) + figures(now + 1, 0.4);
  await page.route("**/events", (route) => route.fulfill({ contentType: "text/event-stream", body }));
  await page.goto(`${(await serve(t)).url}/monitor/`);
  await card(page, "Memory").locator("strong", { hasText: "40 %" }).waitFor();
  assert.match(await card(page, "Memory").locator("svg").getAttribute("aria-label"), /between 30 % and 40 %$/);
});

// ---- streams ----

test("monitor: a client that stops reading is first in the list, and is closed there", async (t) => {
  const server = await serve(t, { rules: { backlog: { ...stalls, rest: 1 } } });
  const page = await open(t, server);
  const socket = await stall(server, "/load/live?sub=slow-sam");
  await row(page, "slow-sam").waitFor();
  const behind = await floodUntilBehind(page, server, "slow-sam");
  await page.locator("#streams > li:first-child", { hasText: "slow-sam" }).waitFor();
  await alert(page, "A client stalls", "raised").waitFor();
  await behind.getByRole("button").focus();
  await page.keyboard.press("Enter");
  await page.locator("#sure-text", { hasText: "slow-sam" }).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await behind.count(), 1);
  await behind.getByRole("button").click();
  await page.click("#sure-yes");
  await page.locator("#told", { hasText: /^Stream \d+, GET \/load\/live, is closed\.$/ }).waitFor();
  const ended = once(socket, "close");
  socket.on("error", () => {});
  socket.resume();
  await ended;
  await server.says(/monitor: a stream was closed/);
  await row(page, "slow-sam").waitFor({ state: "detached" });
  await alert(page, "A client stalls", "over").waitFor();
});

test("monitor: the list stands still while it is pointed at", async (t) => {
  const server = await serve(t);
  const page = await open(t, server);
  const first = await stall(server, "/load/live?sub=one");
  await row(page, "one").waitFor();
  await row(page, "one").hover();
  first.destroy();
  await hasLine(page, "Memory", (await pathOf(page, "Memory")).match(/[ML]/g).length + 2);
  assert.equal(await row(page, "one").count(), 1);
  await page.hover("h1");
  await row(page, "one").waitFor({ state: "detached" });
});

test("monitor: a list that stands still takes nothing in, however many come and go", async (t) => {
  const page = await t.page();
  const list = (from) => `event: streams\ndata: ${JSON.stringify({ at: 1, total: 20,
    streams: Array.from({ length: 20 }, (_, i) => ({ id: from + i, method: "GET", path: "/", age: 1, sent: 1, backlog: 0, topics: [], topics_count: 0 })) })}\n\n`;
  const setup = `event: setup\ndata: {"may_close":true,"rules":[]}\n\n`;
  let served = 0;
  await page.route("**/events", async (route) => {
    if (served === 1) await page.focus("#streams button");
    const events = served === 0 ? setup + list(1) : list(100 + 20 * served);
    await route.fulfill({ contentType: "text/event-stream", body: events });
    served++;
  });
  await page.addInitScript(() => {
    window.made = 0;
    const make = document.createElement.bind(document);
    document.createElement = (tag) => { window.made += tag === "button"; return make(tag); };
  });
  await page.goto(`${(await serve(t)).url}/monitor/`);
  await page.waitForFunction(() => document.querySelectorAll("#streams > li").length === 20);
  while (served < 3) await page.waitForTimeout(20);
  assert.equal(await page.evaluate(() => window.made), 20);
  await page.locator(":focus").blur();
  await page.waitForFunction(() => window.made > 20);
  assert.equal(await page.locator("#streams > li").count(), 20);
});

test("monitor: what comes from strangers is text", async (t) => {
  const server = await serve(t);
  const page = await open(t, server);
  const nasty = `<img src=x onerror="document.title='owned'"><b>`;
  const socket = await stall(server, `/load/live?sub=${encodeURIComponent(nasty)}`);
  await row(page, nasty).waitFor();
  await row(page, nasty).getByRole("button").click();
  await page.locator("#sure-text", { hasText: nasty }).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("main img, main b, dialog img, dialog b").count(), 0);
  assert.notEqual(await page.title(), "owned");
  socket.destroy();
});

// ---- who may ----

const secret = "a secret of this test that has enough bytes";

function tokenWith(claims) {
  const parts = [{ alg: "HS256", typ: "JWT" }, { sub: "ann", exp: Math.floor(Date.now() / 1000) + 600, ...claims }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${parts}.${createHmac("sha256", secret).update(parts).digest("base64url")}`;
}

test("monitor: with a secret the page wants a token, and who may only see has no buttons", async (t) => {
  const server = await serve(t, { env: { MONITOR_SECRET: secret } });
  const page = await open(t, server, { expected: refused });
  await state(page, "failed");
  assert.equal(await page.textContent("#state"), "A token is wanted");
  await page.fill("#token", tokenWith({ monitor: "no" }));
  await page.click("#enter button");
  await page.locator("#state", { hasText: "This token is not for the monitor" }).waitFor();
  await page.fill("#token", tokenWith({ monitor: "view" }));
  await page.click("#enter button");
  await state(page, "open");
  await page.locator("#streams > li").first().waitFor();
  assert.equal(await page.getByRole("button", { name: /^Close/ }).count(), 0);
  assert.ok(await page.isHidden("#enter"));
});

// ---- pictures ----

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1200, 390]) {
    test(`monitor: the page fits a window ${width} wide, ${colorScheme}`, async (t) => {
      const server = await serve(t, { rules: { loop: { ...lag, hold: 1 }, backlog: stalls } });
      const page = await open(t, server, { viewport: { width, height: 900 }, colorScheme, reducedMotion: "reduce" });
      const sockets = [];
      for (const sub of ["ann", "a-user-whose-name-is-longer-than-a-narrow-window-is-wide-so-that-it-takes-two-lines"]) {
        sockets.push(await stall(server, `/load/live?sub=${sub}`));
      }
      await floodUntilBehind(page, server, "ann");
      const endBurning = burn(server);
      await page.locator("#raised-list li", { hasText: "The event loop lags" }).waitFor();
      await endBurning();
      await screenshot(page, `monitor-${colorScheme}-${width}`);
      await page.locator("summary").scrollIntoViewIfNeeded();
      await screenshot(page, `monitor-lists-${colorScheme}-${width}`);
      await assertFits(page);
      for (const socket of sockets) socket.destroy();
    });
  }
}

// weir.js in a page, over a wire that is bad: each number once and in order, and the state that is shown is right.

import assert from "node:assert/strict";
import { screenshot, test, whole } from "./lib.mjs";
import { Counter, assertExact, open, prepare, reached, say, state } from "./numbers.mjs";

const expected = /net::ERR_|Failed to load resource/;

async function begin(t, options = {}, url = "events") {
  const { server, wire } = await open(t);
  const page = await prepare(await t.page({ expected }), wire);
  await page.evaluate(([given, at]) => follow({ delay: 50, ...given }, at), [options, url]);
  return { server, wire, page };
}

test("weir.js: each number comes once and in order over a wire that cuts, and holds pieces back", async (t) => {
  const { server, wire, page } = await begin(t, { maxDelay: 100 });
  await state(page, "open");
  let pieces = 0;
  wire.delay = () => (++pieces % 10 === 0 ? 200 + (pieces * 37) % 200 : pieces % 3);
  const counter = new Counter(server);
  t.closes(() => counter.stop());
  for (let cut = 1; cut <= 8; cut++) {
    await reached(page, counter.last + 10);
    await state(page, "open");
    wire.cut();
    await page.waitForFunction((cuts) => stream.stats.reconnects >= cuts, cut);
  }
  const last = await counter.stop();
  await assertExact(page, last, "after eight cuts");
  await screenshot(page, "stream-cuts");
});

test("weir.js: the state is right while the server refuses, stalls, stands still, drains and is gone", async (t) => {
  const { server, wire, page } = await begin(t, { maxDelay: 200 });
  const error = () => page.evaluate("stream.error?.code");
  await state(page, "open");
  wire.refuses = true;
  wire.cut();
  await state(page, "waiting");
  assert.equal(await error(), "network");
  await screenshot(page, "stream-refused");
  wire.refuses = false;
  await state(page, "open");
  wire.stall();
  await state(page, "waiting");
  assert.equal(await error(), "silent");
  await screenshot(page, "stream-stalled");
  wire.go();
  await state(page, "open");
  server.signal("SIGSTOP");
  await state(page, "waiting");
  assert.equal(await error(), "silent");
  server.signal("SIGCONT");
  await state(page, "open");
  const stopped = server.stop();
  await state(page, "waiting");
  await stopped;
  await page.waitForFunction(() => stream.error?.code === "network");
  await screenshot(page, "stream-gone");
});

test("weir.js: an answer that is no stream is told", async (t) => {
  const answers = [["html", {}, "[waiting type]"], ["elsewhere", {}, "[waiting type]"],
    ["elsewhere", { token: "t" }, "[waiting redirect]"], ["none", {}, "[failed status]"]];
  for (const [url, options, told] of answers) {
    const { page } = await begin(t, options, url);
    await page.waitForFunction(() => stream.error);
    assert.equal((await page.evaluate("told"))[1], told);
  }
});

test("weir.js: a topic that is closed ends the stream, also for who comes back with its end", async (t) => {
  const { server, page } = await begin(t);
  await state(page, "open");
  await say(server, 1, 3);
  await reached(page, 3);
  await fetch(`${server.url}/close`, { method: "POST" });
  await state(page, "ended");
  const told = await page.evaluate(async () => {
    const { lastEventId } = stream;
    await follow({ lastEventId });
    while (stream.state !== "ended") await new Promise((done) => stream.addEventListener("weir.state", done, { once: true }));
    return globalThis.told;
  });
  assert.deepEqual(told, ["[connecting]", "[ended]"]);
});

// In the page: a token of so many seconds each time, and how often it was asked for.
const withTokens = ([life, renew]) => {
  globalThis.tokens = 0;
  const token = async () => {
    tokens++;
    return (await fetch(`token?life=${life}`)).text();
  };
  return follow({ token, renew, delay: 50, maxDelay: 100 }, "private");
};

test("weir.js: a token that ends is renewed, with the route the connection stays, without it no number is lost", async (t) => {
  for (const renew of ["renew", undefined]) {
    const { server, wire } = await open(t);
    const page = await prepare(await t.page({ expected }), wire);
    await page.evaluate(withTokens, [3, renew]);
    await state(page, "open");
    const counter = new Counter(server);
    t.closes(() => counter.stop());
    await page.waitForFunction(() => tokens >= 4);
    await reached(page, counter.last + 10);
    const last = await counter.stop();
    await assertExact(page, last, renew ?? "no route");
    const { connections, errors } = await page.evaluate("stream.stats");
    if (renew) assert.deepEqual([connections, errors], [1, 0]);
    else assert.ok(connections > 1, `${connections} connections`);
  }
});

test("weir.js: a token that is revoked ends the stream with its event", async (t) => {
  const { server, wire } = await open(t);
  const page = await prepare(await t.page({ expected }), wire);
  await page.evaluate(withTokens, [600, "renew"]);
  await state(page, "open");
  await fetch(`${server.url}/revoke`, { method: "POST" });
  await state(page, "failed");
  assert.deepEqual((await page.evaluate("told")).slice(-2), ['weir.auth {"reason":"revoked"}', "[failed auth]"]);
});

test("weir.js: a page from the back/forward cache goes on without a loss or a double", async (t) => {
  const { server, wire } = await open(t);
  const browser = await t.launch({ executablePath: whole, ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  const page = await prepare(await t.page({ browser, expected }), wire);
  await page.evaluate(() => {
    globalThis.restored = 0;
    addEventListener("pageshow", ({ persisted }) => { restored += persisted; });
    return follow();
  });
  await state(page, "open");
  await say(server, 1, 3);
  await reached(page, 3);
  await page.goto(`${wire.url}/other`);
  await say(server, 4, 6);
  await page.goBack({ waitUntil: "commit" }); // a page from the cache loads nothing
  await page.waitForFunction(() => restored === 1);
  await assertExact(page, 6, "after the way back");
  assert.equal((await page.evaluate("numbers")).length, 6);
  assert.equal(await page.evaluate("stream.stats.connections"), 2);
});

// EVENTS: how many, 200,000; the soak has a million.
test("weir.js: a page keeps none of its events", async (t) => {
  const { server, wire } = await open(t);
  const page = await prepare(await t.page({ expected }), wire);
  const session = await page.context().newCDPSession(page);
  const heap = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    return usedSize;
  };
  await page.evaluate(async () => {
    const { Stream } = await import("./weir.js");
    globalThis.stream = new Stream("events");
    globalThis.last = 0;
    globalThis.idle = stream[Symbol.asyncIterator](); // which nobody reads
    stream.addEventListener("message", ({ data }) => { last = Number(data); });
  });
  await state(page, "open");
  const sizes = [], count = Number(process.env.EVENTS ?? 200_000), part = count / 20;
  for (let from = 1; from <= count; from += part) {
    await say(server, from, from + part - 1);
    await page.waitForFunction((wanted) => last >= wanted, from + part - 1);
    sizes.push(await heap());
  }
  console.log(`# heap after each ${part} events, in KB: ${sizes.map((size) => Math.round(size / 1024)).join(" ")}`);
  const { messages, dropped } = await page.evaluate("stream.stats");
  assert.equal(messages, count + 1); // the hello too
  assert.equal(dropped, count - 1000);
  assert.ok(sizes.at(-1) < sizes[1] + 256 * 1024, `${sizes}`);
});

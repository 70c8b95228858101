// Seven tabs, one connection: the leader is closed, crashes, is stopped, is reloaded, is frozen, and each number still
// comes to each tab once and in order.

import assert from "node:assert/strict";
import { screenshot, test, whole } from "./lib.mjs";
import { Counter, assertExact, open, prepare, reached, say, state } from "./numbers.mjs";

const tabs = { tabs: true, delay: 100 };

// Tabs that follow, one after the other.
async function openTabs(t, wire, count, { expected, ...options } = tabs) {
  const first = await t.page({ expected });
  const pages = [first];
  while (pages.length < count) pages.push(await t.tab(first.context(), { expected }));
  for (const page of pages) await begin(page, wire, options);
  return pages;
}

async function begin(page, wire, options = tabs, url = "events") {
  await prepare(page, wire);
  await page.evaluate(([given, at]) => follow(given, at), [options, url]);
  await state(page, "open");
}

const roles = (pages) => Promise.all(pages.map((page) => page.evaluate("stream.stats.role")));

async function leaderOf(pages) {
  const all = await roles(pages);
  assert.equal(all.filter((role) => role === "leader").length, 1, `roles: ${all}`);
  return pages[all.indexOf("leader")];
}

// Until one of them leads and its connection is open; what it took is told, since it is to be less than a second.
async function takeover(pages, what, since) {
  const led = () => stream.stats.role === "leader" && stream.state === "open";
  await Promise.any(pages.map((page) => page.waitForFunction(led, undefined, { polling: 10 })));
  console.log(`# ${what}: another leads after ${Date.now() - since} ms`);
}

// The process that runs a page: the one that, when it stands still, has the page stand still.
async function processOf(browser, page) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  for (const { id } of processInfo.filter(({ type }) => type === "renderer")) {
    process.kill(id, "SIGSTOP");
    const answer = page.evaluate("1").then(() => "runs", () => "runs");
    const still = await Promise.race([answer, new Promise((done) => setTimeout(done, 200, "still"))]);
    process.kill(id, "SIGCONT");
    await answer;
    if (still === "still") return id;
  }
  throw new Error("no process runs the page");
}

test("seven tabs have one connection, and go on when the leader is closed, crashes, is stopped or reloaded", async (t) => {
  const { server, wire } = await open(t);
  const browser = await t.launch({ args: ["--renderer-process-limit=30"] });
  const first = await t.page({ browser });
  const pages = [first];
  while (pages.length < 7) pages.push(await t.tab(first.context()));
  for (const page of pages) await begin(page, wire);
  assert.equal(wire.streams, 1);
  assert.equal(wire.asked, 1);
  let pieces = 0; // of which some, and all behind them, are held
  wire.delay = (bytes) => (!bytes.includes("HTTP/1.1") && ++pieces % 40 === 0 ? 200 + ((pieces * 37) % 200) : 0);
  const counter = new Counter(server);
  t.closes(() => counter.stop());
  for (const page of pages) await reached(page, 20);
  let left = [...pages];
  const without = (gone) => left.filter((page) => page !== gone);
  const goOn = async () => {
    const now = counter.last + 20;
    for (const page of left) await reached(page, now);
  };

  const closed = await leaderOf(left);
  left = without(closed);
  let since = Date.now();
  await closed.close();
  await takeover(left, "closed", since);
  await goOn();

  const crashed = await leaderOf(left);
  left = without(crashed);
  const session = await crashed.context().newCDPSession(crashed);
  since = Date.now();
  session.send("Page.crash").catch(() => {});
  await takeover(left, "crashed", since);
  await goOn();

  const stopped = await leaderOf(left);
  const pid = await processOf(browser, stopped);
  left = without(stopped);
  since = Date.now();
  process.kill(pid, "SIGSTOP");
  await takeover(left, "stopped", since);
  await goOn();
  process.kill(pid, "SIGCONT");
  left.push(stopped);
  await stopped.waitForFunction(() => stream.stats.role === "follower");
  await goOn();

  const reloaded = await leaderOf(left);
  const others = without(reloaded);
  since = Date.now();
  await reloaded.reload();
  await takeover(others, "reloaded", since);
  await begin(reloaded, wire);
  await goOn();
  await screenshot(left[0], "tabs-follower");
  await screenshot(await leaderOf(left), "tabs-leader");

  const last = await counter.stop();
  for (const [i, page] of left.entries()) await assertExact(page, last, `tab ${i}`);
  assert.equal(wire.streams, 1);
  assert.deepEqual((await roles(left)).sort(), ["follower", "follower", "follower", "follower", "leader"]);
});

test("a tab that joins has what it missed, from the leader or, where that is too long ago, from the server", async (t) => {
  const { server, wire } = await open(t);
  const [leader, follower] = await openTabs(t, wire, 2);
  await say(server, 1, 5);
  await assertExact(leader, 5, "leader");
  await assertExact(follower, 5, "follower");
  const ids = await follower.evaluate("stream.lastEventId");
  await follower.evaluate("stream.close()");
  await say(server, 6, 10);
  await reached(leader, 10);
  await follower.evaluate("stream.connect()");
  await assertExact(follower, 10, "from the leader");
  assert.equal(wire.asked, 1);
  await follower.evaluate("stream.close()");
  await say(server, 11, 3000);
  await reached(leader, 3000);
  await follower.evaluate("stream.connect()");
  await assertExact(follower, 3000, "from the server");
  await follower.waitForFunction(() => stream.stats.role === "follower");
  await say(server, 3001, 3005);
  await assertExact(follower, 3005, "with the others again");
  const late = await t.tab(leader.context());
  await begin(late, wire, { ...tabs, lastEventId: ids });
  await assertExact(late, 3005, "from an id that the page came with");
  assert.deepEqual(await late.evaluate("numbers[0]"), 6);
  assert.equal(wire.streams, 1);
});

test("a new tab is told what new ones are: all that there is, or only what comes", async (t) => {
  const { server, wire } = await open(t);
  const [first] = await openTabs(t, wire, 1);
  await say(server, 1, 2000);
  await reached(first, 2000);
  for (const [url, from] of [["events", 2001], ["events/all", 1]]) {
    const leader = await t.tab(first.context());
    if (url === "events/all") {
      await begin(leader, wire, tabs, url);
      await reached(leader, 2000);
    }
    const late = await t.tab(first.context());
    await begin(late, wire, tabs, url);
    await late.waitForFunction(() => stream.stats.role === "follower");
    if (from === 1) await assertExact(late, 2000, url);
    else assert.deepEqual(await late.evaluate("numbers"), []);
  }
  assert.equal(wire.streams, 2);
  await say(server, 2001, 2010);
  const pages = first.context().pages();
  const followers = [];
  for (const page of pages) if (await page.evaluate("globalThis.stream?.stats.role === 'follower'")) followers.push(page);
  assert.equal(followers.length, 2);
  for (const page of followers) await assertExact(page, 2010, "and what comes");
  assert.deepEqual(await Promise.all(followers.map((page) => page.evaluate("numbers[0]"))), [2001, 1]);
});

test("all tabs show how the connection is: refused, stalled, gone, drained, ended", async (t) => {
  const { server, wire } = await open(t);
  const options = { ...tabs, maxDelay: 300, expected: /net::ERR_/ };
  const pages = await openTabs(t, wire, 3, options);
  const all = async (name) => { for (const page of pages) await state(page, name); };
  wire.refuses = true;
  wire.cut();
  await all("waiting");
  assert.equal(await pages[2].evaluate("stream.error.code"), "network");
  await screenshot(pages[2], "tabs-refused");
  wire.refuses = false;
  await all("open");
  wire.stall();
  await all("waiting");
  assert.equal(await pages[2].evaluate("stream.error.code"), "silent");
  await screenshot(pages[2], "tabs-stalled");
  wire.go();
  await all("open");
  await say(server, 1, 3);
  for (const page of pages) await assertExact(page, 3, "after the stall");
  await fetch(`${server.url}/close`, { method: "POST" });
  await all("ended");
  for (const page of pages) assert.ok((await page.evaluate("told")).includes('weir.end {"reason":"closed"}'));
  await screenshot(pages[0], "tabs-ended");
});

test("tabs of other tokens, texts or headers do not share", async (t) => {
  const { server, wire } = await open(t);
  const token = async (query) => (await fetch(`${server.url}/token?${query}`)).text();
  const first = await t.page();
  const given = [
    { ...tabs, token: await token("sub=ann") }, { ...tabs, token: await token("sub=bob") },
    { ...tabs, token: await token("sub=ann&life=900") },
  ];
  const pages = [first, await t.tab(first.context()), await t.tab(first.context())];
  for (const [i, page] of pages.entries()) await begin(page, wire, given[i], "events/private");
  assert.deepEqual(await roles(pages), ["leader", "leader", "follower"]);
  assert.equal(wire.streams, 2);
  const more = [{ ...tabs, tabs: "a" }, { ...tabs, tabs: "b" }, { ...tabs, headers: { "X-A": "1" } }, { delay: 100 }];
  const others = [];
  for (const options of more) {
    others.push(await t.tab(first.context()));
    await begin(others.at(-1), wire, options);
  }
  assert.deepEqual(await roles(others), ["leader", "leader", "leader", "alone"]);
});

// By http: and a name that is not localhost there are no Web Locks.
test("without Web Locks each tab has a connection of its own", async (t) => {
  const { server, wire } = await open(t);
  const browser = await t.launch({ args: ["--host-resolver-rules=MAP weir.test 127.0.0.1"] });
  const there = { url: wire.url.replace("127.0.0.1", "weir.test") };
  const first = await t.page({ browser });
  const pages = [first, await t.tab(first.context())];
  for (const page of pages) await begin(page, there);
  assert.equal(await first.evaluate("navigator.locks"), undefined);
  assert.deepEqual(await roles(pages), ["alone", "alone"]);
  assert.equal(wire.streams, 2);
  await say(server, 1, 50);
  for (const page of pages) await assertExact(page, 50, "on its own");
});

test("a leader that leaves for another page gives its place at once, and has lost nothing when it comes back", async (t) => {
  const { server, wire } = await open(t);
  const browser = await t.launch({ executablePath: whole, ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  const leader = await t.page({ browser });
  const others = [await t.tab(leader.context()), await t.tab(leader.context())];
  const pages = [leader, ...others];
  for (const page of pages) await begin(page, wire);
  await leader.evaluate(() => {
    globalThis.restored = 0;
    addEventListener("pageshow", ({ persisted }) => { restored += persisted; });
  });
  const counter = new Counter(server);
  t.closes(() => counter.stop());
  await reached(leader, 5);
  const since = Date.now();
  await leader.goto(`${wire.url}/other`);
  await takeover(others, "away", since);
  for (const page of others) await reached(page, counter.last + 5);
  await leader.goBack({ waitUntil: "commit" }); // a page from the cache loads nothing
  await leader.waitForFunction(() => restored === 1);
  await state(leader, "open");
  const last = await counter.stop();
  for (const page of pages) await assertExact(page, last, "after the way back");
  assert.equal(await leader.evaluate("stream.stats.role"), "follower");
  await screenshot(leader, "tabs-restored");
  assert.equal(wire.streams, 1);
});

test("a leader that is frozen gives its place, and joins when it is thawed", async (t) => {
  const { server, wire } = await open(t);
  const [leader, other] = await openTabs(t, wire, 2);
  await say(server, 1, 3);
  await reached(leader, 3);
  await leader.evaluate(() => document.dispatchEvent(new Event("freeze"))); // headless pages are never hidden, so never frozen
  await takeover([other], "frozen", Date.now());
  await say(server, 4, 6);
  await reached(other, 6);
  assert.deepEqual(await leader.evaluate("[stream.state, numbers.at(-1)]"), ["suspended", 3]);
  await leader.evaluate(() => document.dispatchEvent(new Event("resume")));
  await assertExact(leader, 6, "after the frost");
  await assertExact(other, 6, "all the while");
  assert.equal(wire.streams, 1);
});

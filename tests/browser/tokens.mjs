// Tokens and a real EventSource: what a page is told when its token has expired, and how it keeps a stream.

import assert from "node:assert/strict";
import { Cutter } from "../stories/cutter.mjs";
import { Random } from "../stories/random.mjs";
import { test } from "./lib.mjs";

const app = `
local weir = require "weir"
local app = weir.app()
local function rules(expired)
  return { secret = ("s"):rep(32), from = { "cookie:session" }, leeway = 0, expired = expired }
end
local function events(stream) stream:sse({ hello = true, retry = 100 }):subscribe "news" end
app:get("/", function(stream) stream:html "<!doctype html><link rel=icon href=data:,><title>tokens</title>" end)
app:post("/token", function(stream)
  local claims = { sub = "ann", exp = weir.now() + tonumber(stream.query.life) }
  stream:cookie("session", weir.jwt.sign(claims, { secret = ("s"):rep(32) }))
end)
app:post("/say", function(stream) weir.publish("news", stream:body()) end)
app:use("/events", weir.jwt(rules "event"))
app:get("/events", events)
app:use("/strict", weir.jwt(rules "401"))
app:get("/strict", events)
app:post("/renew", weir.jwt.renewal(rules()))
app:post("/ticket", weir.jwt { secret = ("s"):rep(32) }, weir.ticket())
app:get("/events-by-ticket", weir.jwt { secret = ("s"):rep(32), from = { "ticket" } }, events)
app:post("/revoke", function() return tostring(weir.streams({ sub = "ann" }):close()) end)
app:get("/bearer", function() return weir.jwt.sign({ sub = "ann" }, { secret = ("s"):rep(32), exp = 600 }) end)
return app`;

// In the page: fetch by POST, and an EventSource that notes what it is told.
const helpers = () => {
  globalThis.post = (path, body) => fetch(path, { method: "POST", body });
  globalThis.open = (path) => {
    const source = new EventSource(path);
    source.noted = [];
    source.until = async (condition) => {
      while (!condition(source.noted)) await new Promise((done) => source.addEventListener("noted", done, { once: true }));
      return source.noted;
    };
    const note = (text) => {
      source.noted.push(text);
      source.dispatchEvent(new Event("noted"));
    };
    source.onopen = () => note("open");
    source.onerror = () => note(source.readyState === EventSource.CLOSED ? "given up" : "error");
    source.onmessage = (event) => note(event.data);
    source.addEventListener("weir.auth", (event) => note(`auth ${event.data}`));
    source.addEventListener("weir.hello", (event) => {
      source.id = JSON.parse(event.data).stream;
      note("hello");
    });
    return source;
  };
};

async function openPage(t, options) {
  const server = await t.serve([t.file("app.lua", [app]), "--workers", "2"]);
  const page = await t.page(options);
  await page.addInitScript(helpers);
  await page.goto(server.url);
  return page;
}

test("an EventSource whose token has expired is told, where a 401 would end it for ever", async (t) => {
  const page = await openPage(t, { expected: /401/ });
  const [told, strict, after] = await page.evaluate(async () => {
    await post("token?life=-60");
    const source = open("events"), strict = open("strict");
    await strict.until((noted) => noted.includes("given up"));
    await source.until((noted) => noted.includes("error")); // it waits for its next try, in a day
    const told = [...source.noted];
    source.close();
    await post("token?life=600");
    const next = open("events");
    await next.until((noted) => noted.includes("hello"));
    next.close();
    return [told, strict.noted, next.noted];
  });
  assert.deepEqual(told, ["open", 'auth {"reason":"expired"}', "error"]);
  assert.deepEqual(strict, ["given up"]);
  assert.deepEqual(after, ["open", "hello"]);
});

test("a page that renews keeps its stream and misses nothing; one that does not is told the end", async (t) => {
  const page = await openPage(t);
  const [kept, ended] = await page.evaluate(async () => {
    await post("token?life=5");
    const kept = open("events"), ended = open("events");
    await kept.until((noted) => noted.includes("hello"));
    await ended.until((noted) => noted.includes("hello"));
    await post("say", "before");
    await post("token?life=600");
    const renewed = await post(`renew?stream=${kept.id}`);
    if (renewed.status !== 204) throw new Error(`renew: ${renewed.status}`);
    await post("say", "renewed");
    await ended.until((noted) => noted.some((text) => text.startsWith("auth")));
    await post("say", "after");
    await kept.until((noted) => noted.includes("after"));
    ended.close();
    kept.close();
    return [kept.noted, ended.noted];
  });
  assert.deepEqual(kept, ["open", "hello", "before", "renewed", "after"]);
  assert.deepEqual(ended.slice(0, 5), ["open", "hello", "before", "renewed", 'auth {"reason":"expired"}']);
});

test("a native EventSource with a ticket survives three cuts and is told when it is revoked", async (t) => {
  const server = await t.serve([t.file("app.lua", [app]), "--workers", "2"]);
  const cutter = await new Cutter(server.url, new Random("a ticket"), { log: t.remarks }).listen();
  t.closes(() => cutter.close());
  const page = await t.page({ expected: /net::ERR_|401/ });
  await page.addInitScript(helpers);
  await page.goto(cutter.url);
  await page.evaluate(async () => {
    const path = "/events-by-ticket";
    const headers = { Authorization: `Bearer ${await (await fetch("bearer")).text()}` };
    const answer = await fetch(`ticket?path=${encodeURIComponent(path)}`, { method: "POST", headers });
    globalThis.url = `${path}?ticket=${(await answer.json()).ticket}`;
    globalThis.source = open(url);
    await source.until((noted) => noted.includes("hello"));
    await post("say", "before");
    await source.until((noted) => noted.includes("before"));
  });
  for (let i = 1; i <= 3; i++) {
    cutter.hold();
    await page.evaluate((n) => source.until((noted) => noted.filter((text) => text === "error").length === n), i);
    assert.equal((await fetch(`${server.url}/say`, { method: "POST", body: `missed ${i}` })).status, 204);
    cutter.release();
    await page.evaluate((n) => source.until((noted) => noted.includes(`missed ${n}`)), i);
  }
  const [noted, cookie, thief] = await page.evaluate(async () => {
    await fetch("revoke", { method: "POST" });
    const noted = [...(await source.until((noted) => noted.some((text) => text.startsWith("auth"))))];
    source.close();
    return [noted, document.cookie, (await fetch(url, { credentials: "omit" })).status];
  });
  const again = (i) => ["error", "open", "hello", `missed ${i}`];
  const all = ["open", "hello", "before", ...again(1), ...again(2), ...again(3), 'auth {"reason":"revoked"}'];
  assert.deepEqual(noted.slice(0, all.length), all);
  assert.deepEqual([cookie, thief], ["", 401]); // no script sees it, and the URL alone is nothing any more
});

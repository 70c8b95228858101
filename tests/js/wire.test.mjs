// A stream and a real server: each event once and in order through cuts anywhere, restarts and tokens that end, and an
// end that is one.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Stream, readLines } from "../../lua/js/weir.js";
import { Server } from "../browser/lib.mjs";
import { Cutter } from "../stories/cutter.mjs";
import { Random, seed } from "../stories/random.mjs";

const app = `
local weir = require "weir"
local app = weir.app()
local rules = { secret = ("s"):rep(32), leeway = 0 }
weir.topics { numbers = { history = { count = 20 }, durable = true } }
local function events(stream)
  stream:sse({ hello = true, heartbeat = 0.2, retry = 10 }):subscribe "numbers"
end
app:get("/events", events)
app:use("/private", weir.jwt(rules))
app:get("/private", events)
app:get("/token", function(stream)
  return weir.jwt.sign({ sub = "ann" }, { secret = rules.secret, exp = tonumber(stream.query.life) })
end)
app:post("/say", function(stream) weir.publish("numbers", stream:body()) end)
app:post("/close", function(stream) weir.close("numbers", stream:body()) end)
app:post("/job", function(stream)
  stream:header("Content-Type", "text/plain; charset=utf-8")
  for line in stream:body():gmatch "[^,]+" do
    stream:write(line .. "\\n")
    stream:flush()
  end
end)
return app`;

async function serve(t, options) {
  const folder = mkdtempSync(join(tmpdir(), "weir-js-"));
  writeFileSync(join(folder, "app.lua"), app);
  const args = [join(folder, "app.lua"), "--workers", "2", "--data", join(folder, "data")];
  const server = new Server(args, { ...options });
  t.after(async () => {
    await server.stop("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  await server.started;
  server.args = args;
  return server;
}

// A stream whose numbers and other events are kept; until(condition) waits for it with each event and state.
function follow(t, url, options = {}) {
  const stream = new Stream(url, { delay: 10, maxDelay: 50, ...options });
  t.after(() => stream.close());
  const seen = [];
  const lookers = new Set();
  const look = () => lookers.forEach((one) => one());
  stream.addEventListener("message", ({ data }) => seen.push(data));
  for (const type of ["weir.gap", "weir.auth", "weir.end"]) stream.addEventListener(type, ({ data }) => seen.push(`${type} ${data}`));
  for (const type of ["message", "weir.gap", "weir.auth", "weir.end", "weir.state"]) stream.addEventListener(type, look);
  const until = (condition) => new Promise((done) => {
    const one = () => condition(stream) && lookers.delete(one) && done();
    lookers.add(one);
    if (condition(stream)) one();
  });
  return { stream, seen, until };
}

const say = (server, text, path = "say") => fetch(`${server.url}/${path}`, { method: "POST", body: text });
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i} ä😀`);

test("wire: each event once and in order, however it is cut, and a gap for those that were too many", { timeout: 60_000 }, async (t) => {
  const server = await serve(t);
  const random = new Random("wire");
  t.diagnostic(`STORIES_SEED=${seed}`);
  const cutter = await new Cutter(server.url, random).listen();
  t.after(() => cutter.close());
  const { stream, seen, until } = follow(t, `${cutter.url}/events`, { silence: 2000 });
  await until(() => stream.state === "open");
  const all = numbers(1, 200);
  await say(server, all[0]);
  await until(() => seen.length === 1); // before it has an id it has nothing to come back with
  cutter.draw(Array.from({ length: 25 }, () => 1 + random.below(1500)));
  for (const [i, text] of all.entries()) {
    if (i > 0) await say(server, text);
    if (i % 10 === 9) await until(() => seen.at(-1) === text); // the topic keeps twenty
  }
  assert.deepEqual(seen, all);
  assert.ok(stream.stats.reconnects >= 1, "it was cut");
  await t.test("a gap", async () => {
    cutter.hold();
    for (const text of numbers(201, 250)) await say(server, text);
    cutter.release();
    await until(() => seen.at(-1) === "250 ä😀");
    assert.deepEqual(seen.slice(200), ['weir.gap {"reason":"trimmed","lost":30}', ...numbers(231, 250)]);
  });
});

test("wire: a server that is killed and comes back is found again", { timeout: 60_000 }, async (t) => {
  const server = await serve(t);
  const { stream, seen, until } = follow(t, `${server.url}/events`);
  await until(() => stream.state === "open");
  await say(server, "1");
  await until(() => seen.length === 1);
  await server.stop("SIGKILL");
  await until(() => stream.error?.code === "network");
  const again = new Server(server.args, { listen: server.address });
  t.after(() => again.stop("SIGKILL"));
  await again.started;
  await say(again, "2");
  await until(() => seen.length === 2);
  assert.deepEqual(seen, ["1", "2"]);
});

test("wire: a server that stands still is silent, by its own heartbeat", { timeout: 60_000 }, async (t) => {
  const server = await serve(t);
  const { stream, seen, until } = follow(t, `${server.url}/events`, { silence: Infinity });
  await until(() => stream.state === "open");
  await say(server, "1");
  await until(() => seen.length === 1);
  server.signal("SIGSTOP");
  await until(() => stream.error?.code === "silent");
  server.signal("SIGCONT");
  await until(() => stream.state === "open");
  await say(server, "2");
  await until(() => seen.length === 2);
});

test("wire: tokens of two seconds, one after the other, and nothing is lost", { timeout: 60_000 }, async (t) => {
  const server = await serve(t);
  let tokens = 0;
  const token = async () => {
    tokens++;
    return (await fetch(`${server.url}/token?life=2`)).text();
  };
  const { stream, seen, until } = follow(t, `${server.url}/private`, { token });
  await until(() => stream.state === "open");
  const said = [];
  const told = () => seen.filter((text) => !text.startsWith("weir.auth"));
  while (stream.stats.connections < 3) {
    said.push(`${said.length}`);
    await say(server, said.at(-1));
    if (said.length % 10 === 0) await until(() => told().at(-1) === said.at(-1)); // the topic keeps twenty
  }
  await until(() => told().at(-1) === said.at(-1));
  assert.deepEqual(told(), said);
  assert.equal(seen.filter((text) => text === 'weir.auth {"reason":"expired"}').length, 2);
  assert.ok(tokens >= 3);
});

test("wire: what is closed has ended, all of it was given, and who comes back with its end is not answered", { timeout: 60_000 }, async (t) => {
  const server = await serve(t);
  const { stream, seen, until } = follow(t, `${server.url}/events`);
  await until(() => stream.state === "open");
  await say(server, "1");
  await say(server, "2", "close");
  await until(() => stream.state === "ended");
  assert.deepEqual(seen, ["1", "2", 'weir.end {"reason":"closed"}']);
  const again = follow(t, `${server.url}/events`, { lastEventId: stream.lastEventId });
  await again.until(() => again.stream.state === "ended");
  assert.deepEqual([again.seen, again.stream.stats.connections], [[], 0]);
});

test("wire: the lines of an answer that is streamed", { timeout: 60_000 }, async (t) => {
  const server = await serve(t);
  const response = await say(server, 'data: one,data: two,error: not all,result: {"n":2}', "job");
  const lines = [];
  for await (const { kind, text } of readLines(response)) lines.push(`${kind} ${text}`);
  assert.deepEqual(lines, ["data one", "data two", "error not all", 'result {"n":2}']);
});

// What the tests of weir.js in pages share: an app with a stream of numbers, a page that follows it, and what it saw.

import assert from "node:assert/strict";
import { Wire } from "./wire.mjs";

const app = `
local weir = require "weir"
local app = weir.app()
local rules = { secret = ("s"):rep(32), leeway = 0 }
weir.topics { ["numbers"] = { history = { count = 100000, bytes = "64MB" } } }
local function events(stream)
  stream:sse({ hello = true, heartbeat = 1, retry = 100 }):subscribe "numbers"
end
app:get("/", function(stream)
  stream:html [[<!doctype html><link rel=icon href=data:,><title>numbers</title>
    <h1>Numbers</h1><p id=state>…</p><pre id=seen></pre>]]
end)
app:get("/other", function(stream) stream:html "<!doctype html><link rel=icon href=data:,><title>other</title>" end)
app:get("/events", events)
app:get("/events/all", function(stream)
  stream:sse({ retry = 100, heartbeat = 1 }):subscribe("numbers", { after = "earliest" })
end)
app:get("/html", function(stream) stream:html "<!doctype html><title>a login</title>" end)
app:get("/elsewhere", function(stream) stream:redirect "/html" end)
app:get("/ticks", function(stream)
  local sse = stream:sse { retry = 10 }
  sse:send "tick"
end)
app:get("/token", function(stream)
  local claims = { sub = stream.query.sub or "ann", exp = weir.now() + tonumber(stream.query.life or "600") }
  return weir.jwt.sign(claims, { secret = rules.secret })
end)
app:get("/private", weir.jwt(rules), events)
app:get("/events/private", weir.jwt(rules), events)
app:post("/renew", weir.jwt.renewal(rules))
app:post("/revoke", function() weir.streams({ sub = "ann" }):close() end)
app:post("/say", function(stream)
  for i = tonumber(stream.query.from), tonumber(stream.query.to) do weir.publish("numbers", tostring(i)) end
end)
app:post("/close", function() weir.close "numbers" end)
return app`;

// In the page: follow(options) makes a stream whose numbers and states are kept.
const helpers = () => {
  globalThis.follow = async (options = {}, url = "events") => {
    const { Stream } = await import("./weir.js");
    globalThis.numbers = [];
    globalThis.told = [];
    globalThis.stream = new Stream(url, options);
    const show = () => {
      document.querySelector("#state").textContent = `${stream.state}, ${stream.stats.role}${stream.error ? `: ${stream.error.message}` : ""}`;
      document.querySelector("#seen").textContent = `${numbers.length} numbers, the last ${numbers.at(-1)}`;
    };
    stream.addEventListener("message", ({ data }) => {
      numbers.push(Number(data));
      show();
    });
    for (const type of ["weir.gap", "weir.auth", "weir.end"]) {
      stream.addEventListener(type, ({ data }) => told.push(`${type} ${data}`));
    }
    stream.addEventListener("weir.state", () => {
      told.push(`[${stream.state}${stream.error && stream.state !== "connecting" ? ` ${stream.error.code}` : ""}]`);
      show();
    });
  };
};

export async function open(t, options = {}) {
  const server = await t.serve([t.file("app.lua", [app]), "--workers", "2"], options);
  const wire = await new Wire(server.url).listen();
  t.closes(() => wire.close());
  return { server, wire };
}

export async function prepare(page, wire) {
  await page.addInitScript(helpers);
  await page.goto(`${wire.url}/`);
  return page;
}

// Publishes numbers from 1 on, each after the one before, until it is stopped; then says which was the last.
export class Counter {
  constructor(server) {
    this.last = 0;
    this.going = true;
    this.done = this.#count(server.url);
  }

  async #count(url) {
    while (this.going) {
      const next = this.last + 1;
      await fetch(`${url}/say?from=${next}&to=${next}`, { method: "POST" });
      this.last = next;
      await new Promise((done) => setTimeout(done, 10));
    }
  }

  async stop() {
    this.going = false;
    await this.done;
    return this.last;
  }
}

export const say = (server, from, to = from) => fetch(`${server.url}/say?from=${from}&to=${to}`, { method: "POST" });
export const state = (page, name) => page.waitForFunction((wanted) => stream.state === wanted, name);
export const reached = (page, n) => page.waitForFunction((wanted) => numbers.at(-1) >= wanted, n);

// Each number once, in order, from the first that it saw to the last.
export async function assertExact(page, last, what) {
  await reached(page, last);
  const numbers = await page.evaluate("numbers");
  const wrong = numbers.findIndex((number, i) => number !== numbers[0] + i);
  assert.equal(wrong, -1, `${what}: ${numbers.slice(Math.max(0, wrong - 3), wrong + 3)}`);
  assert.equal(numbers.at(-1), last, what);
}

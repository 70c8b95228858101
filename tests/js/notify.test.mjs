// The inbox of apps/notify, by devices that act, go away and come back in any order, through cuts, restarts of the server
// and snapshots of its log: all end with the same box, which is what a plain list of what happened comes to.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Boxes, countsOf, eventNames } from "../../apps/notify/public/box.js";
import { Stream } from "../../lua/js/weir.js";
import { Server } from "../browser/lib.mjs";
import { Random, seed } from "../stories/random.mjs";

const STEPS = 220;

// The app, or, with options of its own, one that is the same otherwise.
async function serve(t, options) {
  const folder = mkdtempSync(join(tmpdir(), "weir-notify-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  if (options) {
    writeFileSync(join(folder, "app.lua"), `
package.path = "${process.cwd()}/apps/notify/?.lua;${process.cwd()}/apps/notify/?/init.lua;" .. package.path
local weir = require "weir"
local app = weir.app()
local secret = ("s"):rep(32)
app:post("/demo/token", function(stream)
  return weir.jwt.sign({ sub = stream:body(), notify = stream.query.publish and "publish" or nil }, { secret = secret })
end)
app:mount("/", require "notify" { secret = secret, ${options} })
return app`);
  }
  const args = [options ? join(folder, "app.lua") : "apps/notify", "--workers", "2", "--data", join(folder, "data")];
  const here = { tokens: {} };
  here.start = async (listen) => {
    here.server = new Server(args, { listen });
    await here.server.started;
    here.url = here.server.url;
  };
  here.restart = async () => {
    await here.server.stop("SIGKILL");
    here.tokens = {};
    await here.start(new URL(here.url).host);
  };
  await here.start("127.0.0.1:0");
  t.after(() => here.server.stop("SIGKILL"));
  return here;
}

async function token(here, name, publish = "") {
  here.tokens[name] ??= await (await fetch(`${here.url}/demo/token${publish}`, { method: "POST", body: name })).text();
  return here.tokens[name];
}

async function ask(here, method, path, body, { as = "ann", publish, headers = {} } = {}) {
  const response = await fetch(`${here.url}/${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${await token(here, as, publish)}`,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path} ${JSON.stringify(body)}: ${response.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

const publish = (here, path, body, headers) => ask(here, "POST", path, body, { as: "ci", publish: "?publish=1", headers });

class Device {
  constructor(here, name) {
    Object.assign(this, { here, name, n: 0, queue: [], online: false });
  }

  async load() {
    this.boxes = new Boxes(await ask(this.here, "GET", "box"));
  }

  async connect() {
    this.online = true;
    if (!this.boxes) await this.load();
    const { here } = this;
    this.stream = new Stream(`${here.url}/stream`, {
      token: () => token(here, "ann"), delay: 10, maxDelay: 50, lastEventId: this.lastId ?? this.boxes.position,
    });
    for (const name of eventNames) {
      this.stream.addEventListener(name, ({ data, lastEventId }) => {
        this.lastId = lastEventId;
        this.boxes.apply(name, lastEventId, JSON.parse(data));
      });
    }
    this.stream.addEventListener("weir.gap", () => { this.gap = true; });
  }

  disconnect() {
    this.online = false;
    this.stream.close();
  }

  change(ids, action, more) {
    this.queue.push({ ids, action, device: this.name, n: ++this.n, upto: this.boxes.place, ...more });
  }
}

// What happened, in the order in which the server was told of it. What a device has not seen yet it does not mean.
class Model {
  items = new Map();

  put(id, at, title, keepState) {
    const old = this.items.get(id);
    if (old && keepState) old.title = title;
    else this.items.set(id, { title, level: 0, news: at });
  }

  withdraw(id) {
    this.items.delete(id);
  }

  change({ ids, action, device, n, upto }) {
    this.done ??= new Map();
    for (const id of ids) {
      const key = `${id} ${device}`;
      const item = this.items.get(id);
      if (item?.news > upto || (this.done.get(key) ?? 0) >= n) continue;
      this.done.set(key, n);
      if (!item) continue;
      item.level = {
        seen: Math.max(item.level, 1), unseen: 0, read: Math.max(item.level, 2), unread: Math.min(item.level, 1), done: 3,
        undone: Math.min(item.level, 2),
      }[action];
    }
  }

  list() {
    const names = ["unseen", "seen", "read", "done"];
    return Object.fromEntries([...this.items].map(([id, { title, level }]) => [id, `${title}: ${names[level]}`]));
  }
}

const listed = (entries) => Object.fromEntries(entries.map(({ id, title, state }) => [id, `${title}: ${state}`]));

async function wholeInbox(here) {
  const items = [];
  let page;
  do {
    page = await ask(here, "GET", `inbox?view=all&limit=7${page ? `&after=${page.next}` : ""}`);
    items.push(...page.items);
  } while (page.next);
  return { items, counts: page.counts };
}

test("devices that act, go away and come back end equal, with nothing lost", { timeout: 120_000 }, async (t) => {
  const here = await serve(t);
  const random = new Random("notify");
  t.diagnostic(`STORIES_SEED=${seed}`);
  const model = new Model();
  const devices = [new Device(here, "phone"), new Device(here, "desk")];
  t.after(() => devices.forEach((device) => device.stream?.close()));
  for (const device of devices) await device.connect();
  let serial = 0;

  const put = async (path) => {
    const key = random.below(3) === 0 ? `key ${random.below(6)}` : undefined;
    const body = { title: `number ${++serial}`, key, keep_state: key && random.below(2) === 0 ? true : undefined };
    const headers = random.below(4) === 0 ? { "Idempotency-Key": `once ${serial}` } : {};
    const { id, at } = await publish(here, path, body, headers);
    if (headers["Idempotency-Key"]) assert.equal((await publish(here, path, body, headers)).id, id);
    model.put(id, at, body.title, body.keep_state);
  };
  const send = async (device) => {
    const change = device.queue.shift();
    await ask(here, "POST", "state", change);
    model.change(change);
    if (random.below(4) === 0) await ask(here, "POST", "state", change); // its answer was lost
  };
  const act = async (device) => {
    const ids = Object.keys(model.list()).filter(() => random.below(4) === 0).slice(0, 5);
    if (ids.length > 0) device.change(ids, random.of(["seen", "unseen", "read", "unread", "done", "undone"]));
    while (device.online && device.queue.length > 0) await send(device);
  };
  const comeBack = async (device) => {
    await device.connect();
    if (device.queue.length > 1 && random.below(2) === 0) device.queue.reverse(); // and out of order
    while (device.queue.length > 0) await send(device);
  };
  const steps = [
    [30, () => put("users/ann")],
    [8, () => put("broadcast")],
    [4, async () => {
      const ids = Object.keys(model.list());
      if (ids.length === 0) return;
      const id = random.of(ids);
      const path = id.startsWith("b") ? "broadcast" : "users/ann";
      await ask(here, "DELETE", `${path}?id=${id}`, undefined, { as: "ci", publish: "?publish=1" });
      model.withdraw(id);
    }],
    [40, () => act(random.of(devices))],
    [14, () => {
      const device = random.of(devices);
      return device.online ? device.disconnect() : comeBack(device);
    }],
    [2, () => here.restart()],
    [2, async () => {
      if (devices.length === 8) return; // as many as a mark remembers
      devices.push(new Device(here, `new-${devices.length}`));
      await devices.at(-1).connect();
    }],
  ];
  const weight = steps.reduce((sum, [n]) => sum + n, 0);
  for (let i = 0; i < STEPS; i++) {
    let at = random.below(weight);
    await steps.find(([n]) => (at -= n) < 0)[1]();
  }
  for (const device of devices) if (!device.online) await comeBack(device);

  const { items, counts } = await wholeInbox(here);
  assert.deepEqual(listed(items), model.list());
  const latest = await ask(here, "GET", "box");
  for (const device of devices) {
    while (device.boxes.own.at < latest.own.at || device.boxes.all.at < latest.all.at) {
      await new Promise((done) => setTimeout(done, 5));
    }
    assert.ok(!device.gap, device.name);
    const list = device.boxes.list(Date.now());
    assert.deepEqual(listed(list), model.list(), device.name);
    assert.deepEqual(countsOf(list), counts, device.name);
    assert.deepEqual(list.map(({ id }) => id), items.map(({ id }) => id), device.name);
  }
});

// All that the boxes hold, with what is undefined left out.
const plain = (boxes) => JSON.parse(JSON.stringify({ own: boxes.own, all: boxes.all }));

test("the page's box is the server's, at bounds that are always passed", { timeout: 120_000 }, async (t) => {
  const here = await serve(t, "count = 9, bytes = 8192, age = 4");
  const random = new Random("twins");
  t.diagnostic(`STORIES_SEED=${seed}`);
  const device = new Device(here, "phone");
  t.after(() => device.stream.close());
  await device.connect();
  const known = () => [...Object.keys(device.boxes.own.items), ...Object.keys(device.boxes.all.items),
    `u${String(random.below(40)).padStart(24, "0")}`];
  const some = () => known().filter(() => random.below(3) === 0).slice(0, 20);
  const now = () => Date.now() / 1000;
  const put = (path) => publish(here, path, {
    title: "n", key: random.below(2) === 0 ? `key ${random.below(12)}` : undefined, keep_state: random.below(2) === 0 || undefined,
    expires: random.below(3) === 0 ? now() + 0.2 + random.below(20) / 10 : undefined,
    text: random.below(4) === 0 ? "x".repeat(random.below(3000)) : undefined,
  });
  const steps = [
    [40, () => put("users/ann")],
    [20, () => put("broadcast")],
    [30, async () => {
      const ids = some();
      if (ids.length === 0) return;
      const action = random.of(["seen", "unseen", "read", "unread", "done", "undone", "snooze", "unsnooze"]);
      await ask(here, "POST", "state", {
        ids, action, snoozed_until: action === "snooze" ? now() + 0.5 : undefined,
        ...(random.below(2) === 0 ? {} : { device: `d${random.below(12)}`, n: random.below(50) }),
        upto: random.below(2) === 0 ? device.boxes.place : undefined,
      });
    }],
    [5, () => ask(here, "DELETE", `users/ann?key=key ${random.below(12)}`, undefined, { as: "ci", publish: "?publish=1" })],
    [5, () => ask(here, "DELETE", `broadcast?key=key ${random.below(12)}`, undefined, { as: "ci", publish: "?publish=1" })],
    [2, () => ask(here, "PUT", "preferences", { tags: random.below(2) === 0 ? { ci: "mute" } : {} })],
    [1, () => ask(here, "DELETE", "data")],
    [1, () => here.restart()],
  ];
  const weight = steps.reduce((sum, [n]) => sum + n, 0);
  for (let i = 0; i < 400; i++) {
    let at = random.below(weight);
    await steps.find(([n]) => (at -= n) < 0)[1]();
    if (i % 40 !== 39) continue;
    const there = await ask(here, "GET", "box");
    while (device.boxes.own.at < there.own.at || device.boxes.all.at < there.all.at) {
      await new Promise((done) => setTimeout(done, 5));
    }
    assert.deepEqual(plain(device.boxes), plain(there), `after ${i + 1} steps`);
  }
});

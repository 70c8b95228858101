// Many users of apps/notify with a stream each: what they cost, and that each gets what is theirs, once. Prints TAP.
//
//   USERS=10000    streams      INBOX_SECONDS=60   of publishing
//   RATE=100       notifications a second, to one user each; a broadcast goes out every second
//   ITEMS=10       that each user then has, of 200 bytes

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "../browser/lib.mjs";

const number = (name, standard) => Number(process.env[name] ?? standard);
const users = number("USERS", 10000), seconds = number("INBOX_SECONDS", 60), rate = number("RATE", 100), items = number("ITEMS", 10);
const most = 4096; // bytes that a user may cost, without a notification
const secret = "s".repeat(32);
const data = mkdtempSync(join(tmpdir(), "weir-inbox-"));
const agent = new Agent({ keepAlive: true, maxSockets: 50 });

function token(claims) {
  const text = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${text({ alg: "HS256" })}.${text(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

const server = new Server(["tests/soak/inbox.lua", "--workers", "1", "--data", data], { env: { NOTIFY_SECRET: secret } });
await server.started;
const { port } = new URL(server.url);
const publisher = token({ sub: "ci", notify: "publish" });

function ask(method, path, body) {
  return new Promise((done, fail) => {
    const headers = { Authorization: `Bearer ${publisher}`, "Content-Type": "application/json" };
    const asked = request({ port, host: "127.0.0.1", method, path, agent, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => { text += part; }).on("end", () => {
        if (answer.statusCode >= 300) fail(new Error(`${path}: ${answer.statusCode} ${text}`));
        else done(text ? JSON.parse(text) : undefined);
      });
    });
    asked.on("error", fail);
    asked.end(body && JSON.stringify(body));
  });
}

// What a user has got: how often each id.
class User {
  got = new Map();

  constructor(name) {
    this.name = name;
    this.own = 0;
  }

  open() {
    return new Promise((done, fail) => {
      const headers = { Authorization: `Bearer ${token({ sub: this.name })}` };
      const asked = request({ port, host: "127.0.0.1", path: "/notify/stream", agent: false, headers }, (answer) => {
        if (answer.statusCode !== 200) fail(new Error(`${this.name}: ${answer.statusCode}`));
        this.answer = answer;
        let text = "";
        answer.setEncoding("utf8").on("data", (part) => {
          text += part;
          const events = text.split("\n\n");
          text = events.pop();
          for (const event of events) this.take(event, done);
        });
        answer.on("error", () => {});
      });
      asked.on("error", fail);
      asked.end();
    });
  }

  take(event, ready) {
    if (event.startsWith("event: notification.inbox.summed")) ready();
    if (!event.startsWith("event: notification.item.put")) return;
    const { id } = JSON.parse(event.match(/^data: (.*)$/m)[1]);
    this.got.set(id, (this.got.get(id) ?? 0) + 1);
  }
}

// Does `work` for each of a list, so many at once.
async function each(list, atOnce, work) {
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < list.length) await work(list[next++]);
  }));
}

async function memory() {
  for (let i = 0; i < 3; i++) {
    await ask("POST", "/collect");
    await sleep(1100); // it gives back about once a second
  }
  return Number(readFileSync(`/proc/${server.process.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) * 1024;
}

let tests = 0, failed = 0;
function report(ok, text) {
  tests += 1;
  failed += ok ? 0 : 1;
  console.log(`${ok ? "ok" : "not ok"} ${tests} - ${text}`);
}

const all = Array.from({ length: users }, (_, i) => new User(`user${i}`));
const before = await memory();
await each(all, 50, (user) => user.open());
const after = await memory();
const cost = (after - before) / users;
report(cost <= most, `${users} users, a stream each, empty inboxes: ${Math.round(cost)} bytes each of ${most}`);

let broadcasts = 0, single = 0;
const ends = Date.now() + seconds * 1000;
const loops = [
  async () => {
    await ask("POST", "/notify/broadcast", { title: `broadcast ${broadcasts}` });
    broadcasts += 1;
    return 1000;
  },
  async () => {
    const user = all[Math.floor(Math.random() * users)];
    const { reached } = await ask("POST", `/notify/users/${user.name}`, { title: `for ${user.name}` });
    assert.equal(reached, 1);
    user.own += 1;
    single += 1;
    return 1000 / rate;
  },
];
await Promise.all(loops.map(async (step) => {
  for (let next = Date.now(); Date.now() < ends;) {
    next += await step();
    await sleep(Math.max(0, next - Date.now()));
  }
}));
const isThere = ({ got, own }) => got.size === own + broadcasts;
for (let waited = 0; waited < 60 && !all.every(isThere); waited++) await sleep(500);
const twice = all.filter(({ got }) => [...got.values()].some((n) => n !== 1)).length;
const missing = all.filter((user) => !isThere(user)).length;
report(missing === 0 && twice === 0, `${broadcasts} broadcasts and ${single} single ones in ${seconds} s: `
  + `${broadcasts * users + single} deliveries, ${missing} users miss one, ${twice} have one twice`);

const lean = await memory();
const text = "x".repeat(200 - JSON.stringify({ title: "n", text: "" }).length);
for (let i = 0; i < items; i++) {
  await each(all, 50, (user) => ask("POST", `/notify/users/${user.name}`, { title: "n", text }));
}
const full = await memory();
console.log(`# and ${items} notifications of 200 bytes for each: ${Math.round((full - lean) / users)} bytes more each`);

for (const user of all) user.answer.destroy();
agent.destroy();
await server.stop();
rmSync(data, { recursive: true, force: true });
console.log(`1..${tests}`);
process.exit(failed ? 1 : 0);

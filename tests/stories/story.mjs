// The two stories that each client of others must live through: it reads a topic of a real Weir through a proxy that
// cuts, and the ledger demands every event once and in order, or a gap that says how many are missing. Each ends with
// weir.close, after which the client stays away.
//
// A client is a table:
//
//   name    what it is called
//   start   start(t, url, path, note) opens that path at that url, and notes each event as {id, event, data}, each gap
//           as {gap: data}, weir.end as {end: data}, and {over: why} once it is certain that it will not come back.
//           It may return a function that says what a page shows in the end.
//   html    it renders: data is HTML made by html(n, text), and it notes events as {n, data: the text}
//   lacks   what it cannot take, of "empty", "leading" and "named"
//   page    the page that start opens: /client.html
//   query   what its URL has, such as "?notices=message"
//   cutter  what its cutter must spare, and why

import assert from "node:assert/strict";
import { modules, test } from "../browser/lib.mjs";
import { Cutter } from "./cutter.mjs";
import { Random } from "./random.mjs";

const app = `
local weir = require "weir"
local app = weir.app()
weir.topics {
  ["kept/*"] = { history = { count = 100000, bytes = "64MB" } },
  ["short/*"] = { history = { count = 5 } },
}
app:static("/modules", ${JSON.stringify(modules)})
app:static("/", "pages")
app:get("/events/:kind/:name", function(stream)
  local topic = stream.params.kind .. "/" .. stream.params.name
  stream:sse({ retry = 20, notices = stream.query.notices }):subscribe(topic, { after = "earliest" })
end)
app:post("/publish/:kind/:name", function(stream)
  local topic, ids = stream.params.kind .. "/" .. stream.params.name, {}
  for i, event in ipairs(stream:json_body()) do ids[i] = assert(weir.publish(topic, event)) end
  return weir.json.array(ids)
end)
app:post("/close/:kind/:name", function(stream)
  assert(weir.close(stream.params.kind .. "/" .. stream.params.name))
end)
return app`;

const deadline = 60_000; // ms: who waits longer hangs

// What a client has noted, and who waits for it.
class Ledger {
  constructor() {
    this.items = [];
    this.keys = new Set();
    this.waiting = new Set();
  }

  note = (item) => {
    if (item.over) this.over = item.over;
    else this.items.push(item);
    this.keys.add(item.id ?? item.n);
    for (const check of this.waiting) check();
  };

  until(what, condition) {
    return new Promise((done, fail) => {
      const check = () => {
        if (!condition()) return;
        this.waiting.delete(check);
        clearTimeout(timer);
        done();
      };
      const timer = setTimeout(() => fail(new Error(`waits in vain for ${what}; it has ${this.items.length} items, ` +
        `the last of which is ${JSON.stringify(this.items.at(-1))?.slice(0, 200)}`)), deadline);
      this.waiting.add(check);
      check();
    });
  }

  // Until it has got this event of the publisher's.
  reaches({ id, n }) {
    return this.until(`event ${n ?? id}`, () => this.keys.has(n ?? id));
  }
}

// Whoever publishes to a topic, and what must come out of it.
class Publisher {
  constructor(server, topic, client, random) {
    Object.assign(this, { server, topic, client, random });
    this.expected = [];
  }

  async publish(count) {
    const batch = Array.from({ length: count }, (_, i) => this.#draw(this.expected.length + i + 1));
    const { html } = this.client;
    const sent = batch.map(({ n, event, data }) => ({ event, data: html ? html(n, escaped(data)) : data }));
    const ids = await this.#post("publish", sent);
    for (const [i, { n, event = "message", data }] of batch.entries()) {
      const text = data.replace(/\r\n?/g, "\n");
      this.expected.push(html ? { n, data: text } : { id: ids[i], event, data: text });
    }
  }

  close() {
    return this.#post("close");
  }

  async #post(what, body) {
    const answer = await fetch(`${this.server}/${what}/${this.topic}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${what}: ${answer.status} ${text}`);
    return text && JSON.parse(text);
  }

  #draw(n) {
    const lacks = (what) => this.client.lacks?.includes(what);
    const texts = [`event ${n}`, `two lines of ${n}\nand the second`, `lines\r\nthat end\rin each way\n\nof ${n}\n`,
      `ünï ☃ 🎉 \u2028 日本語 ${n} 🏳️‍🌈`, `id: ${n}\nevent: none\ndata: of fields\n: and comments\nretry: 9`,
      `  spaces around ${n}: `, `${n} <b>&amp; "quotes"</b>`,
      `long ${n} ${"ä🎈- ".repeat(this.random.below(700))}`];
    if (!lacks("empty")) texts.push("");
    if (!lacks("leading")) texts.push(`\n\nbehind two empty lines, ${n}`);
    if (this.random.below(40) === 0) texts.push(`very long ${n} ${"0123456789é".repeat(1000)}`);
    const event = !lacks("named") && this.random.below(5) === 0 ? "said" : undefined;
    return { n, event, data: this.random.of(texts) };
  }
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

// All that one story needs.
async function begin(t, client, kind, name) {
  const random = new Random(name);
  t.file("pages/client.html", [client.page ?? ""]);
  const { url } = await t.serve([t.file("app.lua", [app]), "--workers", "2"]);
  const cutter = await new Cutter(url, random, { ...client.cutter, log: t.remarks }).listen();
  t.closes(() => cutter.close());
  const topic = `${kind}/1`;
  return { random, cutter, ledger: new Ledger(), publisher: new Publisher(url, topic, client, random), topic };
}

// The topic's end, which is cut as well, and the client's.
async function end(t, client, { random, cutter, ledger, publisher, shown }) {
  cutter.draw([1 + random.below(200), 1 + random.below(600)]);
  await publisher.close();
  await ledger.until("its end", () => ledger.over && ledger.items.some((item) => item.end));
  const [last, ...more] = ledger.items.filter((item) => item.end);
  assert.deepEqual([last?.end, more.length, ledger.items.at(-1) === last], [{ reason: "closed" }, 0, true]);
  if (shown) assert.deepEqual(await shown(), ledger.items.filter((item) => item.n).map(({ data }) => data));
}

export function story(client) {
  const whole = `${client.name}: every event once and in order, through twelve cuts; and it stays away after the end`;
  test(whole, async (t) => {
    const all = await begin(t, client, "kept", whole);
    const { random, cutter, ledger, publisher } = all;
    cutter.draw(Array.from({ length: 12 }, () => 1 + random.below(random.of([100, 400, 2000, 2000, 10_000]))));
    await publisher.publish(3);
    all.shown = await client.start(t, cutter.url, `/events/${all.topic}${client.query ?? ""}`, ledger.note);
    while (cutter.cuts < 12) {
      await publisher.publish(1 + random.below(20));
      await ledger.reaches(publisher.expected.at(-1));
    }
    await end(t, client, all);
    assert.deepEqual(ledger.items.filter((item) => !item.end), publisher.expected);
  });

  const gap = `${client.name}: a gap covers what it has missed, and all else comes once`;
  test(gap, async (t) => {
    const all = await begin(t, client, "short", gap);
    const { random, cutter, ledger, publisher } = all;
    await publisher.publish(1);
    all.shown = await client.start(t, cutter.url, `/events/${all.topic}${client.query ?? ""}`, ledger.note);
    await ledger.reaches(publisher.expected[0]);
    const kept = publisher.expected.slice();
    for (let i = 0; i < 2; i++) {
      const lost = 1 + random.below(30);
      cutter.hold();
      await publisher.publish(lost + 5);
      kept.push({ gap: "trimmed", lost }, ...publisher.expected.slice(-5));
      cutter.release();
      await ledger.reaches(publisher.expected.at(-1));
    }
    await end(t, client, all);
    // Where a gap knows no number, the events around it have told.
    const told = ledger.items.map((item, i) => item.gap ? { gap: item.gap.reason, lost: item.gap.lost ?? kept[i]?.lost } : item);
    assert.deepEqual(told.filter((item) => !item.end), kept);
  });
}

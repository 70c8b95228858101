// Tabs that share a connection, in one process: locks, channels and a server that do what a number says, by a clock that
// stands still. Tabs come, close, die, stand still, wake, are put away; connections are cut; and each event must come to
// each tab once and in order, over one connection when all is quiet. TABS_SEEDS is how many runs, TABS_SEED one of them.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Stream } from "../../lua/js/weir.js";

const seeds = Number(process.env.TABS_SEEDS ?? 60);

class Dice {
  constructor(seed) {
    this.state = Math.imul(seed, 2654435761) >>> 0;
  }

  below(n) {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * n);
  }
}

// Web Locks, as far as they are used: exclusive ones, in order, with a signal or stolen.
class Locks {
  constructor() {
    this.names = new Map();
  }

  request(name, { signal, steal }, run) {
    const lock = this.names.get(name) ?? { held: undefined, waiting: [] };
    this.names.set(name, lock);
    return new Promise((done, fail) => {
      const request = { run, done, fail };
      signal?.addEventListener("abort", () => {
        lock.waiting = lock.waiting.filter((one) => one !== request);
        fail(signal.reason);
      });
      if (steal) {
        lock.held?.fail(new DOMException("stolen", "AbortError"));
        lock.held = undefined;
        lock.waiting.unshift(request);
      } else {
        lock.waiting.push(request);
      }
      setImmediate(() => this.#grant(lock));
    });
  }

  #grant(lock) {
    if (lock.held || lock.waiting.length === 0) return;
    const request = (lock.held = lock.waiting.shift());
    Promise.resolve(request.run()).then(() => {
      request.done();
      if (lock.held === request) lock.held = undefined;
      this.#grant(lock);
    });
  }
}

// A BroadcastChannel of a tab that may stand still: what it says and hears waits meanwhile.
class Channel {
  static all = new Set();

  constructor(name) {
    Object.assign(this, { name, still: false, out: [], in: [] });
    Channel.all.add(this);
  }

  postMessage(message) {
    const data = structuredClone(message);
    if (this.still) return this.out.push(data);
    for (const other of Channel.all) if (other !== this && other.name === this.name) other.#take(data);
  }

  #take(data) {
    this.in.push(data);
    setImmediate(() => this.#give());
  }

  #give() {
    if (!this.still && this.in.length > 0 && Channel.all.has(this)) this.onmessage?.({ data: this.in.shift() });
  }

  wake() {
    this.still = false;
    for (const data of this.out.splice(0)) this.postMessage(data);
    for (let n = this.in.length; n > 0; n--) setImmediate(() => this.#give());
  }

  close() {
    Channel.all.delete(this);
  }
}

// A topic: who comes with an id gets all behind it, a new one only what comes.
class Topic {
  constructor() {
    this.count = 0;
    this.streams = new Set();
    this.most = 0;
  }

  fetch = async (url, { headers, signal }) => {
    const stream = { signal };
    const id = headers.get("Last-Event-ID");
    const body = new ReadableStream({ start: (controller) => { stream.controller = controller; } });
    signal.throwIfAborted();
    signal.addEventListener("abort", () => this.#end(stream, signal.reason));
    this.streams.add(stream);
    if (id !== null) for (let i = Number(id) + 1; i <= this.count; i++) this.#send(stream, i);
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  };

  publish() {
    this.count++;
    for (const stream of this.streams) this.#send(stream, this.count);
  }

  cut() {
    for (const stream of this.streams) this.#end(stream, new TypeError("cut"));
  }

  #send(stream, i) {
    stream.controller.enqueue(new TextEncoder().encode(`data: ${i}\nid: ${i}\n\n`));
  }

  #end(stream, reason) {
    if (this.streams.delete(stream)) stream.controller.error(reason);
  }
}

class Tab {
  constructor(topic) {
    this.numbers = [];
    this.stream = new Stream("https://example.org/events", { tabs: true, fetch: topic.fetch, delay: 100, maxDelay: 200 });
    this.stream.addEventListener("message", ({ data }) => this.numbers.push(Number(data)));
    this.find();
  }

  // Its channel, which it makes when it has begun.
  find() {
    const known = new Set(Channel.all);
    this.joined = until(() => (this.channel = [...Channel.all].find((one) => !known.has(one))));
  }

  async back() {
    if (!this.away) return;
    this.away = false;
    this.find();
    this.stream.connect();
    await this.joined;
  }

  // It has all events from its first on.
  check(count, what) {
    const first = this.numbers[0];
    if (first === undefined) return;
    const expected = Array.from({ length: count - first + 1 }, (_, i) => first + i);
    assert.deepEqual(this.numbers, expected, what);
  }
}

async function until(condition) {
  for (let turns = 0; !condition(); turns++) {
    assert.ok(turns < 100_000, "waits for what does not come");
    await new Promise(setImmediate);
  }
}

async function pass(ms) {
  for (let left = ms; left > 0; left -= 50) {
    mock.timers.tick(50);
    for (let i = 0; i < 6; i++) await new Promise(setImmediate);
  }
}

const actions = {
  async publish({ topic, dice }) {
    for (let n = 1 + dice.below(5); n > 0; n--) topic.publish();
  },
  async many({ topic }) {
    for (let n = 0; n < 1200; n++) topic.publish(); // more than a tab remembers
  },
  async come({ tabs, topic }) {
    if (tabs.length > 6) return;
    const tab = new Tab(topic);
    tabs.push(tab);
    await tab.joined;
  },
  async close({ tabs, one }) {
    if (tabs.length < 2) return;
    one.stream.close();
    tabs.splice(tabs.indexOf(one), 1);
  },
  async away({ one }) {
    one.channel.wake();
    one.stream.close();
    one.away = true;
  },
  async back({ one }) {
    await one.back();
  },
  async stand({ one }) {
    one.channel.still = !one.away;
  },
  async wake({ one }) {
    one.channel.wake();
  },
  async cut({ topic }) {
    topic.cut();
  },
  async pass({ dice }) {
    await pass(50 * (1 + dice.below(40)));
  },
};

// Tabs of one process share its clock, so one that stands still has timers that go: what it does then waits in its channel.
async function run(seed) {
  const dice = new Dice(seed);
  const topic = new Topic();
  const tabs = [];
  const log = [];
  await actions.come({ tabs, topic });
  for (let step = 0; step < 60; step++) {
    const names = ["publish", "publish", "publish", "come", "close", "away", "back", "stand", "wake", "wake", "cut", "pass", "pass", "pass"];
    if (dice.below(30) === 0) names.push("many", "many", "many", "many");
    const name = names[dice.below(names.length)];
    log.push(name);
    await actions[name]({ topic, tabs, dice, one: tabs[dice.below(tabs.length)] });
    await pass(50 * dice.below(3));
  }
  for (const tab of tabs) {
    await tab.back();
    tab.channel.wake();
  }
  await pass(3000);
  topic.publish();
  await pass(3000);
  for (const [i, tab] of tabs.entries()) tab.check(topic.count, `seed ${seed}, tab ${i} of ${tabs.length}: ${log.join(" ")}`);
  const roles = tabs.map((tab) => tab.stream.stats.role).sort();
  assert.deepEqual(roles, [...Array(tabs.length - 1).fill("follower"), "leader"], `seed ${seed}`);
  assert.equal(topic.streams.size, 1, `seed ${seed}`);
  for (const tab of tabs) tab.stream.close();
}

test("tabs: each event once and in order, whatever happens to whom", { timeout: 1000 * Math.max(180, seeds) }, async () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.UTC(2026, 0, 1) });
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const channel = globalThis.BroadcastChannel;
  globalThis.BroadcastChannel = Channel;
  const from = Number(process.env.TABS_SEED ?? 1);
  const to = process.env.TABS_SEED ? from : seeds;
  try {
    for (let seed = from; seed <= to; seed++) {
      Object.defineProperty(globalThis, "navigator", { value: { locks: new Locks() }, configurable: true });
      await run(seed);
      await pass(100);
    }
  } finally {
    Object.defineProperty(globalThis, "navigator", before);
    globalThis.BroadcastChannel = channel;
    mock.timers.reset();
  }
});

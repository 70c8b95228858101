// A stream and servers of every kind, by a clock that stands still: what it asks, when it asks again, and when no more.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Stream, Streams } from "../../lua/js/weir.js";
import { Server, now, pass, settle, start, withClock } from "./fake.mjs";

const down = new TypeError("fetch failed");
const day = 24 * 3600_000;

// ---- what it asks ----

test("stream: asks for events, and for nothing else", withClock(async () => {
  const server = new Server({});
  const stream = server.stream();
  assert.equal(server.asked.length, 0, "before whoever made it can listen");
  await settle();
  const [{ url, init, headers }] = server.asked;
  assert.equal(url, "https://example.org/events");
  assert.equal(init.method, "GET");
  assert.equal(init.cache, "no-store");
  assert.equal(init.credentials, "same-origin");
  assert.equal(init.redirect, "follow");
  assert.deepEqual([...headers], [["accept", "text/event-stream"]]);
  assert.deepEqual(stream.noted, ["[connecting]", "[open]"]);
  stream.close();
}));

test("stream: method, body, headers and credentials are the page's, and no other server's", withClock(async () => {
  const server = new Server({});
  const stream = server.stream({ method: "POST", body: "{}", headers: { "X-Key": "k", Accept: "a/b" }, credentials: "omit" });
  await settle();
  const [{ init, headers }] = server.asked;
  assert.deepEqual([init.method, init.body, init.credentials, init.redirect], ["POST", "{}", "omit", "manual"]);
  assert.deepEqual([...headers], [["accept", "a/b"], ["x-key", "k"]]);
  stream.close();
}));

test("stream: comes back with the newest id that was whole", withClock(async () => {
  const server = new Server({});
  const stream = server.stream({ lastEventId: "0" });
  await settle();
  await server.last.send("id: 1\ndata: a\n\nid: 2\n\nid: 3\ndata: lost");
  assert.equal(stream.lastEventId, "2");
  await server.last.break();
  await pass(1000);
  assert.deepEqual(server.asked.map(({ id }) => id), ["0", "2"]);
  await server.last.send("id:\ndata: b\n\n");
  await server.last.end();
  await pass(2000);
  assert.deepEqual(server.asked.map(({ id }) => id), ["0", "2", null]);
  assert.deepEqual(stream.noted.filter((text) => text[0] !== "["), ["a", "b"]);
  stream.close();
}));

// ---- when it asks again ----

const seconds = (times) => times.map((ms) => ms / 1000);

test("stream: delays double from 1 s to 30 s", withClock(async () => {
  const server = new Server(down);
  const stream = server.stream();
  await pass(125_000, 100);
  assert.deepEqual(seconds(server.times), [0, 1, 3, 7, 15, 31, 61, 91, 121]);
  assert.equal(stream.state, "waiting");
  assert.equal(stream.error.code, "network");
  assert.equal(stream.error.cause, down);
  assert.equal(stream.retryAt, start + 151_000);
  assert.equal(stream.stats.errors, 9);
  stream.close();
}));

test("stream: and are up to half as long again", withClock(async () => {
  const server = new Server(down);
  const stream = server.stream();
  await pass(20_000, 100);
  assert.deepEqual(seconds(server.times), [0, 1.5, 4.5, 10.5]);
  stream.close();
}, { random: 1 }));

test("stream: one that ends each second is asked less and less", withClock(async () => {
  const server = new Server({ text: "data: again\n\n" });
  const stream = server.stream();
  const times = [];
  for (let i = 0; i < 6; i++) {
    await pass(1000);
    times.push(now());
    await server.last.end();
    await pass(stream.retryAt - Date.now());
  }
  assert.deepEqual(seconds(server.times), [0, 2, 5, 10, 19, 36, 67]);
  stream.close();
}));

test("stream: so is one that ends at once, whatever it says of delays", withClock(async () => {
  const server = new Server({ text: "retry: 0\n\n", ends: true });
  const stream = server.stream();
  await pass(3200, 10);
  assert.deepEqual(server.times, [0, 100, 300, 700, 1500, 3100]);
  stream.close();
}));

test("stream: one that lasted begins anew, and the server's retry is the first delay", withClock(async () => {
  const server = new Server(down, down, { text: "retry: 700\n\n" }, {});
  const stream = server.stream();
  await pass(3000, 100);
  assert.equal(stream.state, "open");
  await pass(5000, 1000);
  await server.last.end();
  assert.deepEqual([stream.state, stream.error], ["waiting", undefined]);
  await pass(700, 100);
  assert.deepEqual(server.times, [0, 1000, 3000, 8700]);
  stream.close();
}));

const waits = [
  ["a server's retry beyond 30 s is kept", { text: "retry: 40000\n\n" }, 40_000],
  ["one that a timer cannot count is a day", { text: "retry: 99999999999999\n\n" }, day],
  ["Retry-After in seconds", { status: 503, headers: { "Retry-After": "120" } }, 120_000],
  ["Retry-After as a date", { status: 429, headers: { "Retry-After": "Thu, 01 Jan 2026 00:01:00 GMT" } }, 60_000],
  ["Retry-After in the past", { status: 503, headers: { "Retry-After": "Thu, 01 Jan 2020 00:00:00 GMT" } }, 1000],
  ["Retry-After that is none", { status: 503, headers: { "Retry-After": "soon" } }, 1000],
  ["Retry-After that a timer cannot count", { status: 503, headers: { "Retry-After": "99999999999" } }, day],
];
for (const [name, answer, wait] of waits) {
  test(`stream: ${name}`, withClock(async () => {
    const server = new Server(answer);
    const stream = server.stream();
    await settle();
    if (answer.text) await server.last.end();
    assert.equal(stream.retryAt - Date.now(), wait);
    await pass(wait - 1);
    assert.equal(server.asked.length, 1);
    await pass(1);
    assert.equal(server.asked.length, 2);
    stream.close();
  }));
}

// ---- answers ----

const answers = [
  ...[400, 403, 404, 405, 406, 410, 422].map((status) => [`${status}`, { status }, "[failed status]"]),
  ...[408, 425, 429, 500, 501, 502, 503, 504].map((status) => [`${status}`, { status }, "[waiting status]"]),
  ["HTML", { type: "text/html; charset=utf-8", text: "<!doctype html>" }, "[waiting type]"],
  ["no type", { type: null, text: "data: a\n\n" }, "[waiting type]"],
  ["JSON", { type: "application/json", text: "{}" }, "[waiting type]"],
  ["302 that is not followed", { status: 302, headers: { Location: "https://elsewhere.example/" } }, "[waiting redirect]"],
  ["401 without another token", { status: 401 }, "[failed auth]"],
  ["204", { status: 204 }, "[ended]"],
  ["an event that is too long", { text: `data: ${"x".repeat(200)}` }, "[failed limit]"],
];
for (const [name, answer, state] of answers) {
  test(`stream: the answer is ${name}`, withClock(async () => {
    const server = new Server(answer);
    const stream = server.stream({ limit: 100 });
    await settle();
    assert.equal(stream.noted.at(-1), state);
    if (stream.state === "failed") assert.equal(stream.error.final, true);
    if (server.last) assert.equal(server.last.hungUp || answer.status === 204, true, "what nobody reads is given up");
    await pass(60_000, 1000);
    assert.equal(server.asked.length > 1, stream.state === "waiting");
    stream.close();
  }));
}

test("stream: a type may have any letters, and parameters", withClock(async () => {
  const server = new Server({ type: "Text/Event-Stream ; charset=UTF-8", text: "data: a\n\n" });
  const stream = server.stream();
  await settle();
  assert.deepEqual(stream.noted, ["[connecting]", "[open]", "a"]);
  stream.close();
}));

test("stream: weir.end ends it for good, and nothing behind it is given", withClock(async () => {
  const server = new Server({ text: "data: a\n\nid: 9\nevent: weir.end\ndata: {\"reason\":\"closed\"}\n\ndata: b\n\n" });
  const stream = server.stream();
  await settle();
  assert.deepEqual(stream.noted, ["[connecting]", "[open]", "a", 'weir.end {"reason":"closed"}', "[ended]"]);
  assert.equal(stream.lastEventId, "9");
  stream.connect();
  await pass(60_000, 1000);
  assert.equal(server.asked.length, 1);
  assert.equal(stream.state, "ended");
}));

test("stream: a gap is an event, and its id is where it goes on", withClock(async () => {
  const server = new Server({ text: 'event: weir.gap\ndata: {"reason":"trimmed","lost":3}\nid: 7\n\n' });
  const stream = server.stream();
  await settle();
  assert.equal(stream.noted.at(-1), 'weir.gap {"reason":"trimmed","lost":3}');
  assert.equal(stream.lastEventId, "7");
  stream.close();
}));

// ---- silence ----

test("stream: silence beyond what is usual is death", withClock(async () => {
  const server = new Server({});
  const stream = server.stream();
  await pass(44_999, 1000);
  await server.last.send(":\n"); // a comment is a sign of life
  await pass(44_999, 1000);
  assert.equal(stream.state, "open");
  const first = server.last;
  await pass(1, 1);
  assert.deepEqual([stream.state, stream.error.code, first.hungUp], ["waiting", "silent", true]);
  await pass(1000);
  assert.equal(stream.state, "open");
  assert.equal(stream.stats.reconnects, 1);
  stream.close();
}));

test("stream: three heartbeats of the server, once it has told", withClock(async () => {
  const server = new Server({ text: 'event: weir.hello\ndata: {"stream":1,"heartbeat":2,"server_time":1767225600}\n\n' });
  const stream = server.stream();
  await pass(5999, 1000);
  assert.equal(stream.state, "open");
  await pass(1, 1);
  assert.equal(stream.error.code, "silent");
  stream.close();
}));

test("stream: none, where the server has no heartbeat", withClock(async () => {
  const server = new Server({ text: 'event: weir.hello\ndata: {"stream":1,"heartbeat":null,"server_time":1767225600}\n\n' });
  const stream = server.stream();
  await pass(10 * day);
  assert.equal(stream.state, "open");
  stream.close();
}));

test("stream: a server that accepts and does not answer is silent too", withClock(async () => {
  const server = new Server((_, { signal }) => new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason))));
  const stream = server.stream({ silence: 10_000 });
  await pass(10_000, 1000);
  assert.deepEqual(stream.noted, ["[connecting]", "[waiting silent]"]);
  stream.close();
}));

test("stream: a page that was asleep hears first what has come meanwhile", withClock(async () => {
  const server = new Server({});
  const stream = server.stream();
  await pass(1000);
  await pass(3600_000, 3600_000); // the timer is an hour late
  assert.equal(stream.state, "open");
  await server.last.send("data: while you slept\n\n");
  await pass(1000);
  assert.equal(stream.state, "open");
  await pass(3600_000, 3600_000);
  await pass(1000);
  assert.equal(stream.error.code, "silent");
  stream.close();
}));

// ---- no network ----

test("stream: without a network it waits for one", withClock(async () => {
  const server = new Server(down, {});
  const stream = server.stream();
  await pass(60_000, 1000);
  assert.deepEqual(stream.noted, ["[connecting]", "[offline network]"]);
  navigator.onLine = true;
  dispatchEvent(new Event("online"));
  await settle();
  assert.deepEqual(stream.noted.slice(2), ["[connecting]", "[open]"]);
  stream.close();
}, { onLine: false }));

test("stream: when its attempts are used up, too", withClock(async () => {
  const server = new Server(down);
  const stream = server.stream({ attempts: 3 });
  await pass(3600_000, 1000);
  assert.deepEqual(seconds(server.times), [0, 1, 3]);
  assert.equal(stream.state, "offline");
  dispatchEvent(new Event("online"));
  await pass(3600_000, 1000);
  assert.equal(server.asked.length, 6);
  stream.connect();
  await settle();
  assert.equal(server.asked.length, 7);
  stream.close();
}));

test("stream: what waits comes as soon as there is a network again", withClock(async () => {
  const server = new Server(down, down, down, {});
  const stream = server.stream();
  await pass(3500, 100);
  assert.equal(stream.state, "waiting");
  dispatchEvent(new Event("online"));
  await settle();
  assert.equal(stream.state, "open");
  assert.equal(now(), 3500);
  stream.close();
}));

// ---- the page ----

test("stream: a page that is put away lets go, and goes on where it was", withClock(async () => {
  const server = new Server({ text: "id: 1\ndata: a\n\n" }, {});
  const stream = server.stream();
  await settle();
  dispatchEvent(new Event("pagehide"));
  dispatchEvent(new Event("pagehide"));
  assert.deepEqual([stream.state, server.last.hungUp], ["suspended", true]);
  await pass(day, 3600_000);
  assert.equal(server.asked.length, 1);
  dispatchEvent(new Event("pageshow"));
  await settle();
  assert.deepEqual([stream.state, server.asked[1].id], ["open", "1"]);
  stream.close();
  dispatchEvent(new Event("pagehide"));
  dispatchEvent(new Event("pageshow"));
  await settle();
  assert.deepEqual([stream.state, server.asked.length], ["closed", 2]);
}));

test("stream: whoever closes it hears nothing more, in the same piece neither", withClock(async () => {
  const server = new Server({ text: "data: a\n\ndata: b\n\n" });
  const stream = server.stream();
  stream.addEventListener("message", () => stream.close());
  await settle();
  assert.deepEqual(stream.noted, ["[connecting]", "[open]", "a", "[closed]"]);
  stream.close();
  await pass(60_000);
  assert.equal(server.asked.length, 1);
  stream.connect();
  await settle();
  assert.equal(server.asked.length, 2);
  stream.close();
}));

test("stream: one that is closed as the answer comes stays closed", withClock(async () => {
  const server = new Server({});
  const stream = server.stream({ fetch: async (...asked) => {
    const response = await server.fetch(...asked);
    stream.close();
    return response;
  } });
  await settle();
  assert.deepEqual([stream.state, stream.noted], ["closed", ["[connecting]", "[closed]"]]);
  assert.equal(server.last.hungUp, true);
}));

test("stream: a signal closes it, also one that was given long before", withClock(async () => {
  const server = new Server({});
  const controller = new AbortController();
  const stream = server.stream({ signal: controller.signal });
  await settle();
  controller.abort();
  assert.equal(stream.state, "closed");
  assert.equal(server.stream({ signal: controller.signal }).state, "closed");
  await settle();
  assert.equal(server.asked.length, 1);
}));

test("stream: statistics", withClock(async () => {
  const server = new Server({});
  const stream = server.stream();
  await settle();
  assert.equal(stream.stats.age, Infinity);
  await server.last.send("data: ä\n\n");
  await server.last.send(": only bytes\n");
  await pass(3000);
  assert.deepEqual(stream.stats, {
    state: "open", connections: 1, reconnects: 0, messages: 1, bytes: 23, errors: 0, age: 3000, dropped: 0, role: "alone",
  });
  await server.last.break();
  await pass(1000);
  const { connections, reconnects, errors } = stream.stats;
  assert.deepEqual([connections, reconnects, errors], [2, 1, 1]);
  stream.close();
}));

// ---- iteration ----

test("iteration: all events in order, to the end of the stream", withClock(async () => {
  const server = new Server({ text: 'event: weir.hello\ndata: {}\n\ndata: a\n\nevent: b\nid: 1\ndata: c\n\nevent: weir.end\ndata: {}\n\n' });
  const seen = [];
  for await (const { type, data, lastEventId } of server.stream()) seen.push([type, data, lastEventId]);
  assert.deepEqual(seen, [["message", "a", ""], ["b", "c", "1"], ["weir.end", "{}", "1"]]);
}));

test("iteration: throws what the stream has failed with, behind what came before", withClock(async () => {
  const server = new Server({ text: "data: a\n\n" }, { status: 403 });
  const stream = server.stream();
  const seen = [];
  const read = async () => { for await (const { data } of stream) seen.push(data); };
  const over = assert.rejects(read(), { code: "status", status: 403 });
  await settle();
  await server.last.end();
  await pass(1000);
  await over;
  assert.deepEqual(seen, ["a"]);
  await assert.rejects(stream[Symbol.asyncIterator]().next(), { status: 403 });
}));

test("iteration: who is slow loses the oldest, and is told how many", withClock(async () => {
  const server = new Server({});
  const stream = server.stream({ buffer: 3 });
  const slow = stream[Symbol.asyncIterator]();
  await settle();
  for (let i = 1; i <= 10; i++) await server.last.send(`data: ${i}\n\n`);
  assert.equal(stream.stats.dropped, 7);
  const { value } = await slow.next();
  assert.deepEqual([value.type, value.data], ["weir.gap", '{"reason":"overflow","lost":7}']);
  const rest = [];
  for (let i = 0; i < 3; i++) rest.push((await slow.next()).value.data);
  assert.deepEqual(rest, ["8", "9", "10"]);
  const next = slow.next();
  await server.last.send("data: 11\n\n");
  assert.equal((await next).value.data, "11");
  stream.close();
  assert.deepEqual(await slow.next(), { done: true, value: undefined });
}));

test("iteration: what waits is bounded in characters too", withClock(async () => {
  const server = new Server({});
  const stream = server.stream({ limit: 100 });
  const slow = stream[Symbol.asyncIterator]();
  await settle();
  for (let i = 0; i < 10; i++) await server.last.send(`data: ${String(i).repeat(40)}\n\n`);
  assert.equal(stream.stats.dropped, 8);
  assert.equal((await slow.next()).value.type, "weir.gap");
  stream.close();
}));

test("iteration: to leave it does not close the stream, and nothing is kept for who has left", withClock(async () => {
  const server = new Server({ text: "data: a\n\n" });
  const stream = server.stream({ buffer: 1 });
  for await (const { data } of stream) {
    assert.equal(data, "a");
    break;
  }
  for (let i = 0; i < 5; i++) await server.last.send("data: b\n\n");
  assert.deepEqual([stream.state, stream.stats.dropped], ["open", 0]);
  stream.close();
}));

// ---- several ----

test("streams: one for each address, until it is over", withClock(async () => {
  const server = new Server({});
  const streams = new Streams();
  const options = { fetch: server.fetch };
  const [a, b] = ["a", "b"].map((name) => streams.connect(`https://example.org/${name}`, options));
  assert.equal(streams.connect(new URL("https://example.org/x/../a"), options), a);
  assert.deepEqual([...streams], [a, b]);
  await settle();
  streams.disconnect("https://example.org/a");
  streams.disconnect("https://example.org/none");
  assert.deepEqual([a.state, b.state, streams.get("https://example.org/a")], ["closed", "open", undefined]);
  const again = streams.connect("https://example.org/a", options);
  assert.notEqual(again, a);
  b.close();
  assert.notEqual(streams.connect("https://example.org/b", options), b);
  streams.disconnectAll();
  assert.deepEqual([again.state, [...streams]], ["closed", []]);
  assert.ok(again instanceof Stream);
}));

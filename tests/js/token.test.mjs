// Tokens that end, are refused, come again or not at all: by a clock that stands still.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Server, jwt, now, pass, settle, start, withClock } from "./fake.mjs";

const hello = (stream = 1, ahead = 0) =>
  `event: weir.hello\ndata: {"stream":${stream},"heartbeat":null,"server_time":${(Date.now() + ahead) / 1000}}\n\n`;
const expired = 'event: weir.auth\ndata: {"reason":"expired"}\n\n';

// A function that gives these tokens one after the other, the last again and again.
function source(...tokens) {
  const get = () => {
    get.times.push(now());
    const token = tokens.length > 1 ? tokens.shift() : tokens[0];
    if (token instanceof Error) throw token;
    return token;
  };
  get.times = [];
  return get;
}

const bearers = (server) => server.asked.map(({ token }) => token?.replace("Bearer ", "") ?? null);

test("token: a string, a function, one that waits, and one that gives none", withClock(async () => {
  for (const [token, sent] of [["t", "t"], [() => "t", "t"], [async () => "t", "t"], [() => undefined, null], [() => null, null]]) {
    const server = new Server({});
    const stream = server.stream({ token });
    await settle();
    assert.deepEqual(bearers(server), [sent]);
    assert.equal(server.asked[0].init.redirect, sent ? "manual" : "follow");
    stream.close();
  }
}));

test("token: asked for once, as long as it holds", withClock(async () => {
  const server = new Server({});
  const token = source(jwt(3600));
  const stream = server.stream({ token });
  await settle();
  await server.last.end();
  await pass(1000);
  assert.equal(server.asked.length, 2);
  assert.deepEqual(token.times, [0]);
  stream.close();
}));

test("token: after a 403 connect() asks for one, which may be the same", withClock(async () => {
  for (const second of ["b", "a"]) {
    const server = new Server({ status: 403 }, { text: "data: in\n\n" });
    const stream = server.stream({ token: source("a", second) });
    await settle();
    assert.equal(stream.state, "failed");
    stream.connect();
    await settle();
    assert.equal(stream.state, "open");
    assert.deepEqual(bearers(server), ["a", second]);
    stream.close();
  }
}));

test("token: another before it ends, shown to the renewal route, and the stream goes on", withClock(async () => {
  const [one, two, three] = [jwt(600), jwt(1200), jwt(7200)];
  const server = new Server({ text: hello(42) }, new Response(null, { status: 204 }));
  const token = source(one, two, three);
  const stream = server.stream({ token, renew: "/renew?a=b" });
  await pass(539_000, 1000);
  assert.deepEqual(bearers(server), [one]);
  await pass(1000);
  assert.deepEqual(bearers(server), [one, two]);
  assert.deepEqual([server.asked[1].url, server.asked[1].init.method], ["/renew?a=b&stream=42", "POST"]);
  await pass(600_000, 1000);
  assert.deepEqual(token.times, [0, 540_000, 1140_000]);
  assert.deepEqual(bearers(server), [one, two, three]);
  assert.equal(stream.stats.connections, 1);
  stream.close();
}));

test("token: of a short one a fifth of its time before", withClock(async () => {
  const server = new Server({ text: hello() });
  const token = source(jwt(10), jwt(7200));
  const stream = server.stream({ token });
  await pass(7999, 1000);
  assert.deepEqual(token.times, [0]);
  await pass(1);
  assert.deepEqual(token.times, [0, 8000]);
  stream.close();
}));

test("token: its end is told by the server's clock", withClock(async () => {
  const server = new Server({ text: hello(1, 300_000) }); // which is five minutes ahead
  const token = source(jwt(600), jwt(7200));
  const stream = server.stream({ token });
  await pass(240_000, 1000);
  assert.deepEqual(token.times, [0, 240_000]);
  stream.close();
}));

test("token: one that holds for longer than a timer can count", withClock(async () => {
  const server = new Server({ text: hello() });
  const token = source(jwt(30 * 24 * 3600), jwt(90 * 24 * 3600));
  const stream = server.stream({ token });
  await pass(30 * 24 * 3600_000 - 61_000, 3600_000);
  assert.deepEqual(token.times, [0]);
  await pass(1000);
  assert.equal(token.times.length, 2);
  stream.close();
}));

test("token: when it has expired the next comes at once, with the newest id", withClock(async () => {
  const [one, two] = [jwt(600), jwt(1200)];
  const server = new Server({ text: `${hello()}id: 7\ndata: a\n\n` }, {});
  const stream = server.stream({ token: source(one, two) });
  await pass(600_000, 1000);
  await server.last.send(expired);
  assert.deepEqual(server.asked.map(({ id, at }) => [id, at]), [[null, 0], ["7", 600_000]]);
  assert.deepEqual(bearers(server), [one, two]);
  assert.deepEqual(stream.noted.slice(-3), ['weir.auth {"reason":"expired"}', "[connecting]", "[open]"]);
  stream.close();
}));

test("token: after a 401 another, at once; a second 401 is the end", withClock(async () => {
  const server = new Server({ status: 401 }, {}, { status: 401 });
  const stream = server.stream({ token: source("a", "b", "c", "d") });
  await settle();
  assert.deepEqual([bearers(server), now(), stream.state], [["a", "b"], 0, "open"]);
  await pass(6000);
  await server.last.end();
  await pass(1000);
  assert.deepEqual(bearers(server), ["a", "b", "b", "c"]);
  assert.deepEqual([stream.state, stream.error.code, stream.error.status], ["failed", "auth", 401]);
}));

test("token: the one that was refused is not sent again", withClock(async () => {
  const server = new Server({ status: 401 });
  const token = source("a");
  const stream = server.stream({ token });
  await pass(60_000, 1000);
  assert.deepEqual([bearers(server), stream.state, stream.error.code], [["a"], "failed", "auth"]);
  assert.equal(token.times.length, 2);
}));

test("token: a cookie that the function has renewed is tried once", withClock(async () => {
  const server = new Server({ status: 401 });
  const token = source(undefined);
  const stream = server.stream({ token });
  await pass(60_000, 1000);
  assert.deepEqual([server.asked.length, token.times.length, stream.state], [2, 2, "failed"]);
}));

test("token: a server that always says it has expired is not asked in a loop", withClock(async () => {
  let n = 0;
  const server = new Server({ text: expired, ends: true });
  const stream = server.stream({ token: () => `token ${n++}` });
  await pass(64_000, 100);
  assert.deepEqual(server.times.map((ms) => ms / 1000), [0, 0, 1, 3, 7, 7, 15, 15, 31, 31, 61, 61].slice(0, server.times.length));
  assert.ok(server.times.length <= 12);
  stream.close();
}));

test("token: a function that fails is asked again, and the server is not", withClock(async () => {
  const server = new Server({});
  const stream = server.stream({ token: source(new Error("login is down"), new Error("still"), "t") });
  await settle();
  assert.deepEqual([stream.state, stream.error.code, stream.error.message], ["waiting", "token", "no token: login is down"]);
  await pass(3000, 1000);
  assert.deepEqual([bearers(server), stream.state], [["t"], "open"]);
  stream.close();
}));

test("token: a renewal that fails leaves the stream to its end", withClock(async () => {
  const [one, two] = [jwt(100), jwt(3600)];
  const server = new Server({ text: hello() }, new TypeError("fetch failed"), {});
  const stream = server.stream({ token: source(one, two), renew: "renew" });
  await pass(100_000, 1000);
  assert.equal(stream.state, "open");
  await server.last.send(expired);
  assert.deepEqual([bearers(server), stream.state], [[one, two, two], "open"]);
  stream.close();
}));

test("token: without a function, or revoked, its end is the stream's, with its event", withClock(async () => {
  for (const [token, reason] of [["t", "expired"], [source("t"), "revoked"]]) {
    const text = `event: weir.auth\ndata: {"reason":"${reason}"}\n\n`;
    const server = new Server({ text });
    const stream = server.stream({ token });
    await pass(60_000, 1000);
    assert.equal(server.asked.length, 1);
    assert.deepEqual(stream.noted.slice(-2), [`weir.auth {"reason":"${reason}"}`, "[failed auth]"]);
  }
}));

test("token: what only looks like one is sent as it is", withClock(async () => {
  for (const token of ["a.b.c", `a.${btoa("[1]")}.c`, `a.${btoa("null")}.c`, `a.${btoa('{"exp":"soon"}')}.c`, "a.!.c"]) {
    const server = new Server({ text: hello() });
    const get = source(token);
    const stream = server.stream({ token: get });
    await pass(3600_000);
    assert.deepEqual([bearers(server), get.times.length, stream.state], [[token], 1, "open"]);
    stream.close();
  }
  assert.equal(start, Date.UTC(2026, 0, 1));
}));

// apps/upload from outside: what its clients do that no good one does, and what they are told meanwhile.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Stream } from "../../lua/js/weir.js";
import { Server } from "../browser/lib.mjs";

const PIECE = Buffer.alloc(1 << 20, "weir ");
const PIECES = 200;

const hashOf = (pieces) => {
  const hash = createHash("sha256");
  for (let i = 0; i < pieces; i++) hash.update(PIECE);
  return hash.digest("hex");
};

async function serve(t) {
  const folder = mkdtempSync(join(tmpdir(), "weir-upload-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const here = { uploads: join(folder, "uploads", "upload") };
  here.start = async (listen) => {
    here.server = new Server(["apps/upload", "--workers", "2", "--data", folder], { listen });
    await here.server.started;
    here.url = here.server.url;
    here.token = await (await fetch(`${here.url}/demo/token`, { method: "POST", body: "ann" })).text();
  };
  here.restart = async () => {
    await here.server.stop("SIGKILL");
    await here.start(new URL(here.url).host);
  };
  await here.start("127.0.0.1:0");
  t.after(() => here.server.stop("SIGKILL"));
  return here;
}

async function ask(here, method, path) {
  const response = await fetch(`${here.url}/${path}`, { method, headers: { Authorization: `Bearer ${here.token}` } });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.status === 204 ? undefined : response.json();
}

// What watchers get: [name, data], in order, and a wait for one that fits.
function watch(t, here) {
  const events = [];
  const stream = new Stream(`${here.url}/events`, { token: () => here.token, delay: 10, maxDelay: 50 });
  t.after(() => stream.close());
  const names = ["upload.listed", "upload.begun", "upload.progress", "upload.ended", "file.added", "weir.gap"];
  for (const name of names) stream.addEventListener(name, ({ data }) => events.push([name, JSON.parse(data)]));
  const find = (name, fits = () => true) => events.find((event) => event[0] === name && fits(event[1]))?.[1];
  return { events, has: find, wait: async (...wanted) => {
    while (!find(...wanted)) await once(stream, wanted[0]);
    return find(...wanted);
  } };
}

// A request on a socket of its own, whose body is still to be sent.
async function begin(here, path, length) {
  const { hostname, port } = new URL(here.url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.on("error", () => {}); // of resets, ours and theirs
  socket.write(`PUT /files/${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${here.token}\r\n` +
    `Content-Length: ${length}\r\n\r\n`);
  return socket;
}

async function send(socket, pieces, onPiece = () => {}) {
  for (let i = 0; i < pieces && !socket.destroyed; i++) {
    await new Promise((done) => socket.write(PIECE, done)); // or it failed, and is destroyed
    onPiece();
  }
}

const resultIn = (text) => JSON.parse(text.match(/^result: (.*)$/m)[1]);

// What the answer says, all of it, once the result or the error is there.
async function answerOf(socket) {
  let text = "";
  for await (const bytes of socket) {
    text += bytes;
    if (/^(result|error): .*\n\n/m.test(text)) return text;
  }
  throw new Error(`no result in: ${text}`);
}

// The ids, each in the folder of its owner.
const stored = (here) => readdirSync(here.uploads).flatMap((owner) => readdirSync(join(here.uploads, owner)));

test("a client that reads nothing until it has sent 200 MB does not stall", { timeout: 60_000 }, async (t) => {
  const here = await serve(t);
  const watcher = watch(t, here);
  await watcher.wait("upload.listed");
  const socket = await begin(here, "large", PIECES * PIECE.length); // paused: nobody reads
  await send(socket, PIECES);
  await watcher.wait("file.added");
  const result = resultIn(await answerOf(socket));
  assert.deepEqual([result.fileName, result.size, result.sha256], ["large", PIECES * PIECE.length, hashOf(PIECES)]);
  socket.destroy();
});

test("curl is told how far it is while it sends, and so are others", { timeout: 60_000 }, async (t) => {
  const here = await serve(t);
  const watcher = watch(t, here);
  await watcher.wait("upload.listed");
  const curl = spawn("curl", ["-sN", "-T", ".", "-H", `Authorization: Bearer ${here.token}`, "-H", "Expect:",
    "-H", `Content-Length: ${4 * PIECE.length}`, "-H", "Transfer-Encoding:", `${here.url}/files/slow`]);
  t.after(() => curl.kill("SIGKILL"));
  let said = "";
  curl.stdout.on("data", (data) => { said += data; });
  for (const percent of [25, 50, 75]) { // the next piece is sent when both have heard of this one
    curl.stdin.write(PIECE);
    while (!new RegExp(`"progress":${percent},`).test(said)) {
      await Promise.race([once(curl.stdout, "data"), once(curl, "exit").then(() => assert.fail(said))]);
    }
    await watcher.wait("upload.progress", ({ progress }) => progress === percent);
  }
  curl.stdin.end(PIECE);
  await once(curl, "exit");
  assert.equal(resultIn(said).sha256, hashOf(4));
  for (const line of said.split("\n\n").slice(0, -1)) assert.match(line, /^(data: \{"message":"slow.*|result: \{.*)$/);
});

test("what is too long is refused at once, to a client that sends on", { timeout: 60_000 }, async (t) => {
  const here = await serve(t);
  const socket = await begin(here, "huge", 6 * 1024 * PIECE.length); // the limit is 5 GB
  const sent = send(socket, PIECES).catch(() => {});
  let head = "";
  for await (const bytes of socket) {
    head += bytes;
    if (head.includes('"errorCode":"limit"')) break;
  }
  assert.match(head, /^HTTP\/1\.1 413 /);
  socket.destroy();
  await sent;
  assert.deepEqual((await ask(here, "GET", "files")).running, []);
});

test("whoever vanishes or is cancelled leaves nothing, and is told of", { timeout: 60_000 }, async (t) => {
  const here = await serve(t);
  const watcher = watch(t, here);
  await watcher.wait("upload.listed");
  const ways = {
    reset: (socket) => socket.resetAndDestroy(),
    gone: (socket) => socket.destroy(),
    cancelled: async () => {
      const { id } = await watcher.wait("upload.begun", ({ name }) => name === "cancelled");
      await ask(here, "DELETE", `uploads/${id}`);
    },
  };
  for (const [way, leave] of Object.entries(ways)) {
    const socket = await begin(here, way, PIECES * PIECE.length);
    socket.resume();
    await send(socket, 20);
    const { id } = await watcher.wait("upload.begun", ({ name }) => name === way);
    await leave(socket);
    const ended = await watcher.wait("upload.ended", (one) => one.id === id);
    assert.equal(ended.state, way === "cancelled" ? "cancelled" : "failed");
    assert.deepEqual(stored(here), []);
    socket.destroy();
  }
  const { used, running } = await ask(here, "GET", "files");
  assert.deepEqual([used, running], [0, []]);
});

test("a form of many files has all their results, though nobody reads them until all is sent", { timeout: 60_000 }, async (t) => {
  const FILES = 300; // whose results are more than is written before the end
  const here = await serve(t);
  const watcher = watch(t, here);
  await watcher.wait("upload.listed");
  const body = Array.from({ length: FILES }, (_, i) =>
    `--b\r\nContent-Disposition: form-data; name="f"; filename="${i}.txt"\r\n\r\n${i}\r\n`).join("") + "--b--\r\n";
  const { hostname, port } = new URL(here.url);
  const socket = connect(Number(port), hostname);
  socket.write(`POST /files HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${here.token}\r\n` +
    `Content-Type: multipart/form-data; boundary=b\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
  await watcher.wait("upload.ended");
  let text = "";
  for await (const bytes of socket) text += bytes;
  const names = [...text.matchAll(/^result: (.*)$/gm)].map(([, json]) => JSON.parse(json).fileName);
  assert.deepEqual(names, Array.from({ length: FILES }, (_, i) => `${i}.txt`));
  assert.equal((await ask(here, "GET", "files")).files.length, FILES);
});

// In each round four uploads are under way when the server dies: when a number of pieces has been sent, or of answers has
// come, that is drawn.
const KILLS = Number(process.env.UPLOAD_KILLS ?? 10);
const SEED = Number(process.env.UPLOAD_SEED ?? 1);

test(`what was answered is there after kill -9, the rest is not: ${KILLS} times`, { timeout: 20_000 * KILLS }, async (t) => {
  const here = await serve(t);
  let state = SEED;
  const draw = (n) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0, (state >>> 16) % n);
  const kept = new Map(), seen = new Set();
  const put = async (name, pieces, onPiece) => {
    const socket = await begin(here, name, pieces * PIECE.length);
    await send(socket, pieces, onPiece);
    const result = resultIn(await answerOf(socket));
    kept.set(result.fileId, result.sha256);
    socket.destroy();
  };
  for (let round = 0; round < KILLS; round++) {
    const sizes = Array.from({ length: 4 }, () => 1 + draw(8));
    let pieces = draw(2) ? 1 + draw(sizes.reduce((sum, size) => sum + size)) : Infinity, answers = 1 + draw(3);
    await put(`${round}-first`, 1);
    await new Promise((die) => {
      const onPiece = () => --pieces === 0 && die();
      const onAnswer = () => --answers === 0 && die();
      sizes.forEach((size, i) => put(`${round}-${i}`, size, onPiece).then(onAnswer, () => {}));
    });
    await here.restart();
    const { files, running } = await ask(here, "GET", "files");
    assert.deepEqual(running, []);
    const there = new Map(files.map(({ id, sha256 }) => [id, sha256]));
    for (const [id, sha256] of kept) assert.equal(there.get(id), sha256);
    assert.deepEqual(stored(here).sort(), [...there.keys()].sort());
    for (const { id, size, sha256 } of files.filter((file) => !seen.has(file.id))) {
      const response = await fetch(`${here.url}/files/${id}`, { headers: { Authorization: `Bearer ${here.token}` } });
      const bytes = Buffer.from(await response.arrayBuffer());
      assert.deepEqual([bytes.length, createHash("sha256").update(bytes).digest("hex")], [size, sha256]);
      seen.add(id);
    }
  }
  t.diagnostic(`${kept.size} were answered, ${seen.size} are there, of ${KILLS * 5}`);
});

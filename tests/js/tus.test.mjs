// weir.tus by the client that most have, npm's tus-js-client, unmodified: each way in which it can send, through a wire
// that cuts, to a server that is killed. Then the answers to a table of requests, beside those of npm's @tus/server.
//
// TUS_SEED=7 draws the cuts and kills of one run, TUS_UPLOADS=1000 takes so many.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { modules, Server } from "../browser/lib.mjs";
import { Relay, write } from "../stories/relay.mjs";

const require = createRequire(join(modules, "x.cjs"));
const tus = require("tus-js-client");

const seed = Number(process.env.TUS_SEED ?? 1);
const uploads = Number(process.env.TUS_UPLOADS ?? 12);

function drawn(from) {
  let state = from * 2654435761;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

function bytesOf(n, below) {
  const bytes = Buffer.alloc(n);
  for (let i = 0; i + 4 <= n; i += 4) bytes.writeUInt32LE(below(2 ** 32), i);
  return bytes;
}

const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function serve(t, most = "100MB") {
  const folder = mkdtempSync(join(tmpdir(), "weir-tus-"));
  const here = { folder };
  here.start = async (listen) => {
    here.server = new Server(["tests/js/tus.lua", "--workers", "2"], { listen, env: { TUS_ROOT: folder, TUS_MOST: most } });
    await here.server.started;
    here.url = here.server.url;
  };
  here.restart = async () => {
    await here.server.stop("SIGKILL");
    if (!here.over) await here.start(new URL(here.url).host);
  };
  here.stop = () => {
    here.over = true;
    return here.server.stop("SIGKILL");
  };
  here.stored = (url) => readFileSync(join(folder, url.split("/").pop()));
  here.done = () => readFileSync(join(folder, "done"), "latin1").split("\n").slice(0, -1);
  await here.start("127.0.0.1:0");
  t.after(async () => {
    await here.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return here;
}

// Uploads by the client; the URL in the end, and how often it said that a part had come.
function upload(body, options) {
  let parts = 0;
  return new Promise((done, fail) => {
    const client = new tus.Upload(body, {
      retryDelays: Array.from({ length: 50 }, () => 20),
      onChunkComplete: () => { parts++; },
      // It does not try again to put parts together when the connection of that is lost; whoever has it does.
      onError: (error) => (error.originalRequest || !options.parallelUploads ? fail(error) : setTimeout(() => client.start(), 20)),
      onSuccess: () => done({ url: client.url, parts }),
      ...options,
    });
    options.onClient?.(client);
    client.start();
  });
}

const ways = {
  "in one request": {},
  "in chunks": { chunkSize: 100_000 },
  "with the creation": { uploadDataDuringCreation: true, chunkSize: 100_000 },
  "with a length that comes last": { uploadLengthDeferred: true, chunkSize: 100_000, stream: true },
  "in parallel parts": { parallelUploads: 4, chunkSize: 70_000 },
  "by POST alone": { overridePatchMethod: true, chunkSize: 100_000 },
  "by draft -03": { protocol: "ietf-draft-03", chunkSize: 100_000 },
  "by draft -05": { protocol: "ietf-draft-05", chunkSize: 100_000 },
  "by draft -05, with the creation": { protocol: "ietf-draft-05", chunkSize: 100_000, uploadDataDuringCreation: true },
};

for (const [name, { stream, ...options }] of Object.entries(ways))
  test(`tus-js-client sends ${name}`, async (t) => {
    const here = await serve(t);
    const body = bytesOf(350_001, drawn(seed));
    const { url } = await upload(stream ? Readable.from([body]) : body, {
      endpoint: `${here.url}/files`, metadata: { filename: "wörld.txt" }, ...options,
    });
    assert.equal(hash(here.stored(url)), hash(body));
    assert.deepEqual(here.done().map((line) => line.split(" ")[1]), [Buffer.from("wörld.txt").toString("latin1")]);
  });

test("tus-js-client is told why an upload is refused, and ends one", async (t) => {
  const here = await serve(t);
  const options = { endpoint: `${here.url}/files`, retryDelays: null };
  await assert.rejects(upload(Buffer.alloc(10), { ...options, metadata: { filename: "refused" } }),
    (error) => error.originalResponse.getStatus() === 422 && /not that one/.test(error.originalResponse.getBody()));
  await assert.rejects(upload(Buffer.alloc(10), { ...options, uploadSize: 200 << 20 }),
    (error) => error.originalResponse.getStatus() === 413);
  const { url } = await upload(Buffer.alloc(10), options);
  await tus.Upload.terminate(url, {});
  assert.deepEqual(readdirSync(here.folder), ["done"]);
});

test("a second client on the same upload begins no new one, and loses nothing", async (t) => {
  const here = await serve(t);
  const body = bytesOf(3_000_001, drawn(seed));
  let first;
  const one = upload(body, { endpoint: `${here.url}/files`, chunkSize: 50_000, onClient: (client) => { first = client; } });
  while (!first.url) await new Promise(setImmediate);
  const two = upload(body, { uploadUrl: first.url, endpoint: `${here.url}/files`, chunkSize: 80_000 });
  const urls = (await Promise.all([one, two])).map(({ url }) => url);
  assert.equal(urls[0], urls[1]);
  assert.equal(hash(here.stored(urls[0])), hash(body));
  assert.equal(here.done().length, 1);
});

test("the client of lua/README.md sends, and goes on", async (t) => {
  const here = await serve(t);
  const [, code] = readFileSync("lua/README.md", "utf8").match(/```js\n(async function send\(.*?)```/s);
  const kept = new Map();
  const localStorage = {
    getItem: (key) => kept.get(key), setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key),
  };
  let lost = 0;
  const shaky = (path, options) => {
    if (options.method === "PATCH" && options.body.size > 1_000_000 && lost++ % 2) throw new TypeError("lost");
    return fetch(new URL(path, here.url), options);
  };
  const send = new Function("localStorage", "fetch", "setTimeout", `${code}; return send;`)(
    localStorage, shaky, (done) => setTimeout(done, 1));
  const body = bytesOf(30_000_001, drawn(seed));
  const said = [];
  await send(new File([body], "wörld.txt", { lastModified: 1 }), (part) => said.push(part));
  const [id, name] = here.done()[0].split(" ");
  assert.equal(name, Buffer.from("wörld.txt").toString("latin1"));
  assert.equal(hash(here.stored(id)), hash(body));
  assert.equal(said.at(-1), 1);
  assert.equal(kept.size, 0);
});

// ---- what happens to wires and servers ------------------------------------------------------------------------------

// Carries what is asked in pieces of drawn sizes, and cuts a connection off at a drawn place: in a head, in a body, or
// behind the request, where its answer is lost.
class Cutter extends Relay {
  constructor(server, below) {
    super(server);
    Object.assign(this, { below, cuts: 0, left: 0 });
    this.aim();
  }

  aim() {
    this.left = 1 + this.below(this.below(3) ? 400_000 : 2000);
  }

  async ask(link) {
    for await (const bytes of link.client) {
      const part = bytes.subarray(0, this.left);
      await write(link.server, part);
      this.left -= part.length;
      if (this.left > 0) continue;
      this.cuts++;
      this.aim();
      link.client.destroy();
      if (this.below(2)) link.server.destroy(); // or it stays open, as far as the server can know
      return;
    }
    link.server.end();
  }

  async answer(link) {
    for await (const bytes of link.server) await write(link.client, bytes);
    link.client.end();
  }
}

test(`uploads survive cuts and kills (seed ${seed})`, async (t) => {
  const here = await serve(t);
  const below = drawn(seed);
  const cutter = await new Cutter(here.url, below).listen();
  t.after(() => cutter.close());
  let over = false, kills = 0;
  const killing = (async () => {
    while (!over) {
      const cuts = cutter.cuts + 3 + below(8);
      while (!over && cutter.cuts < cuts) await new Promise((done) => setTimeout(done, 5));
      if (over) break;
      await here.restart();
      kills++;
    }
  })();
  const names = Object.keys(ways);
  const send = async (i) => {
    const { stream, ...options } = ways[names[i % names.length]];
    const body = bytesOf(1 + below(1_500_000), below);
    // A creation whose answer is lost is begun anew, by the client's own rule: another upload, and this one expires.
    const { url } = await upload(body, {
      endpoint: `${cutter.url}/files`, metadata: { filename: `${i}` }, retryDelays: Array.from({ length: 500 }, () => 10),
      onShouldRetry: () => true, ...options, uploadLengthDeferred: false,
    });
    assert.equal(hash(here.stored(url)), hash(body), `upload ${i}, ${names[i % names.length]}`);
  };
  let next = 0;
  await Promise.all([1, 2, 3, 4].map(async () => {
    while (next < uploads) await send(next++);
  }));
  over = true;
  await killing;
  t.diagnostic(`${uploads} uploads, ${cutter.cuts} cuts, ${kills} kills`);
  assert.ok(cutter.cuts > 0);
});

// ---- beside another server -------------------------------------------------------------------------------------------

// Where the answers differ, as [ours, theirs], and why ours is as it is. Of URLs only that they are told: ours are paths,
// which hold behind any proxy.
const BODY = { "Content-Type": "application/offset+octet-stream" };
const LENGTH = { "Upload-Length": "10" };
const table = [
  { name: "OPTIONS", method: "OPTIONS", bare: true, differs: "it can less, and speaks no draft",
    fields: {
      "tus-extension": ["creation,creation-with-upload,creation-defer-length,checksum,termination,concatenation,expiration",
        "creation,creation-with-upload,creation-defer-length,termination,expiration"],
      "tus-checksum-algorithm": ["sha1,sha256,sha384,sha512,md5", undefined],
      "upload-draft-interop-version": ["6, 5", undefined], "upload-limit": ["max-size=1000", undefined],
    } },
  { name: "no version", method: "POST", bare: true, headers: LENGTH, differs: "Tus-Version is a must of the protocol",
    fields: { "tus-version": ["1.0.0", undefined], "upload-draft-interop-version": ["6, 5", undefined] } },
  { name: "another version", method: "POST", headers: { ...LENGTH, "Tus-Resumable": "0.2.2" },
    differs: "412 is a must of the protocol", status: [412, 400],
    fields: { "tus-version": ["1.0.0", undefined], "upload-draft-interop-version": ["6, 5", undefined] } },
  { name: "a creation", method: "POST", headers: { ...LENGTH, "Upload-Metadata": "filename d29ybGQ=,x" }, keep: "one" },
  { name: "without a length", method: "POST" },
  { name: "with two lengths", method: "POST", headers: { ...LENGTH, "Upload-Defer-Length": "1" } },
  { name: "a length that is none", method: "POST", headers: { "Upload-Length": "x" } },
  { name: "a negative length", method: "POST", headers: { "Upload-Length": "-1" } },
  { name: "put off by 2", method: "POST", headers: { "Upload-Defer-Length": "2" } },
  { name: "too long", method: "POST", headers: { "Upload-Length": "1001" } },
  { name: "metadata that is not base64", method: "POST", headers: { ...LENGTH, "Upload-Metadata": "filename %%" } },
  { name: "metadata with a key twice", method: "POST", headers: { ...LENGTH, "Upload-Metadata": "a YQ==,a YQ==" } },
  { name: "empty metadata", method: "POST", headers: { ...LENGTH, "Upload-Metadata": "a" } },
  { name: "HEAD of a new one", method: "HEAD", of: "one", fields: { "upload-expires": [true, undefined] },
    differs: "it may be told, and whoever comes back wants to know" },
  { name: "a first PATCH", method: "PATCH", of: "one", headers: { ...BODY, "Upload-Offset": "0" }, body: "hello" },
  { name: "PATCH at a wrong offset", method: "PATCH", of: "one", headers: { ...BODY, "Upload-Offset": "3" }, body: "x" },
  { name: "PATCH without an offset", method: "PATCH", of: "one", headers: BODY, body: "x",
    differs: "it is malformed, not forbidden", status: [400, 403] },
  { name: "PATCH at no number", method: "PATCH", of: "one", headers: { ...BODY, "Upload-Offset": "x" }, body: "x" },
  { name: "PATCH of another type", method: "PATCH", of: "one",
    headers: { "Content-Type": "text/plain", "Upload-Offset": "5" }, body: "x",
    differs: "415 is what the protocol recommends", status: [415, 400] },
  { name: "PATCH of no type", method: "PATCH", of: "one", headers: { "Upload-Offset": "5" },
    differs: "the same", status: [415, 403] },
  { name: "PATCH beyond the end", method: "PATCH", of: "one", headers: { ...BODY, "Upload-Offset": "5" }, body: "too long" },
  { name: "HEAD in between", method: "HEAD", of: "one", fields: { "upload-expires": [true, undefined] }, differs: "as above" },
  { name: "PATCH with a length that is known", method: "PATCH", of: "one", body: "wor",
    headers: { ...BODY, "Upload-Offset": "5", "Upload-Length": "11" } },
  { name: "the last PATCH", method: "PATCH", of: "one", headers: { ...BODY, "Upload-Offset": "5" }, body: "world" },
  { name: "HEAD of a complete one", method: "HEAD", of: "one" },
  { name: "an empty PATCH at the end", method: "PATCH", of: "one", headers: { ...BODY, "Upload-Offset": "10" } },
  { name: "PATCH behind the end", method: "PATCH", of: "one", headers: { ...BODY, "Upload-Offset": "10" }, body: "x" },
  { name: "creation with all of it", method: "POST", headers: { ...BODY, ...LENGTH }, body: "0123456789" },
  { name: "creation with some of it", method: "POST", headers: { ...BODY, ...LENGTH }, body: "01234", keep: "two" },
  { name: "HEAD of that", method: "HEAD", of: "two", fields: { "upload-expires": [true, undefined] }, differs: "as above" },
  { name: "creation with too much", method: "POST", headers: { ...BODY, ...LENGTH }, body: "0123456789a" },
  { name: "creation without a length", method: "POST", headers: { "Upload-Defer-Length": "1" }, keep: "three" },
  { name: "HEAD of that one", method: "HEAD", of: "three", fields: { "upload-expires": [true, undefined] }, differs: "as above" },
  { name: "its length is too long", method: "PATCH", of: "three",
    headers: { ...BODY, "Upload-Offset": "0", "Upload-Length": "1001" } },
  { name: "its length, and its bytes", method: "PATCH", of: "three", body: "abc",
    headers: { ...BODY, "Upload-Offset": "0", "Upload-Length": "3" } },
  { name: "an empty one", method: "POST", headers: { "Upload-Length": "0" } },
  { name: "PATCH by POST", method: "POST", of: "two", body: "56789",
    headers: { ...BODY, "Upload-Offset": "5", "X-HTTP-Method-Override": "PATCH" },
    differs: "a must of the protocol", status: [204, 400], fields: { "upload-offset": ["10", undefined] } },
  { name: "DELETE", method: "DELETE", of: "one" },
  { name: "HEAD of what is gone", method: "HEAD", of: "one" },
  { name: "PATCH of what is gone", method: "PATCH", of: "one", headers: { ...BODY, "Upload-Offset": "10" } },
  { name: "DELETE of what is gone", method: "DELETE", of: "one" },
  { name: "HEAD of what never was", method: "HEAD", path: "/files/nothing" },
  { name: "concatenation of nothing", method: "POST", headers: { "Upload-Concat": "final;/files/nothing" },
    differs: "their store cannot put parts together", status: [400, 501] },
];
// Fields that are compared by being there alone, and those that are no part of the protocol: theirs allow all origins
// always, ours where weir.cors says so, to those who name one.
const present = new Set(["upload-expires", "location"]);
const apart = /^(date|server|vary|connection|keep-alive|content-(length|type)|transfer-encoding|x-content-type-options|access-control-.*)$/;

// By node's own client: fetch has methods and fields of its own mind.
function ask(base, { method, path, headers, body, bare }) {
  return new Promise((done, fail) => {
    const sent = { ...(bare ? {} : { "Tus-Resumable": "1.0.0" }), ...headers };
    if (body !== undefined || method !== "HEAD") sent["Content-Length"] = Buffer.byteLength(body ?? "");
    request(new URL(path, base), { method, headers: sent }, (answer) => {
      let text = "";
      answer.on("data", (data) => { text += data; });
      answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers, text }));
    }).on("error", fail).end(body);
  });
}

async function serveTheirs(t) {
  const { Server: Theirs } = await import(pathToFileURL(require.resolve("@tus/server")));
  const { FileStore } = await import(pathToFileURL(require.resolve("@tus/file-store")));
  const folder = mkdtempSync(join(tmpdir(), "tus-server-"));
  mkdirSync(join(folder, "files"));
  const datastore = new FileStore({ directory: join(folder, "files"), expirationPeriodInMilliseconds: 24 * 3600 * 1000 });
  const theirs = new Theirs({ path: "/files", datastore, maxSize: 1000 });
  const listener = createServer((request, response) => theirs.handle(request, response));
  await new Promise((done) => listener.listen(0, "127.0.0.1", done));
  t.after(() => {
    listener.close();
    listener.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });
  return `http://127.0.0.1:${listener.address().port}`;
}

test("the answers are those of @tus/server, but where they say why not", async (t) => {
  const here = await serve(t, "1000");
  const urls = [here.url, await serveTheirs(t)], kept = [{}, {}];
  for (const row of table) {
    const [ours, theirs] = await Promise.all(urls.map((url, i) =>
      ask(url, { path: row.of ? kept[i][row.of] : "/files", ...row })));
    if (row.keep) [ours, theirs].forEach(({ headers }, i) => { kept[i][row.keep] = headers.location; });
    const differences = ours.status === theirs.status ? {} : { status: [ours.status, theirs.status] };
    for (const name of new Set([ours, theirs].flatMap(({ headers }) => Object.keys(headers)))) {
      const values = [ours, theirs].map(({ headers }) => (present.has(name) ? name in headers || undefined : headers[name]));
      if (!apart.test(name) && values[0] !== values[1]) (differences.fields ??= {})[name] = values;
    }
    const { status, fields } = row, expected = { ...(status && { status }), ...(fields && { fields }) };
    assert.deepEqual(differences, expected, `${row.name}: ${ours.text}| ${theirs.text}`);
  }
});

// weir.tus by the client that most have, npm's tus-js-client, unmodified: each way in which it can send, and what it is
// told. Cuts, kills and the answers to requests good and bad are in tests/tus.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { modules, Server } from "../browser/lib.mjs";

const require = createRequire(join(modules, "x.cjs"));
const tus = require("tus-js-client");

const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function serve(t) {
  const folder = mkdtempSync(join(tmpdir(), "weir-tus-"));
  const server = new Server(["tests/js/tus.lua", "--workers", "2"], { env: { TUS_ROOT: folder, TUS_MOST: "100MB" } });
  await server.started;
  t.after(async () => {
    await server.stop("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    url: server.url,
    stored: (url) => readFileSync(join(folder, url.split("/").pop())),
    done: () => readFileSync(join(folder, "done"), "latin1").split("\n").slice(0, -1),
  };
}

// Uploads by the client; the URL in the end.
function upload(body, options) {
  return new Promise((done, fail) => {
    const client = new tus.Upload(body, {
      retryDelays: Array.from({ length: 50 }, () => 20),
      // It does not try again to put parts together when the connection of that is lost; whoever has it does.
      onError: (error) => (error.originalRequest || !options.parallelUploads ? fail(error) : setTimeout(() => client.start(), 20)),
      onSuccess: () => done({ url: client.url }),
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
    const body = randomBytes(350_001);
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
  const body = randomBytes(3_000_001);
  let first;
  const one = upload(body, { endpoint: `${here.url}/files`, chunkSize: 50_000, onClient: (client) => { first = client; } });
  while (!first.url) await new Promise(setImmediate);
  const two = upload(body, { uploadUrl: first.url, endpoint: `${here.url}/files`, chunkSize: 80_000 });
  const urls = (await Promise.all([one, two])).map(({ url }) => url);
  assert.equal(urls[0], urls[1]);
  assert.equal(hash(here.stored(urls[0])), hash(body));
  assert.equal(here.done().length, 1);
});

test("the client of lua/REFERENCE.md sends, and goes on", async (t) => {
  const here = await serve(t);
  const [, code] = readFileSync("lua/REFERENCE.md", "utf8").match(/```js\n(async function send\(.*?)```/s);
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
  const body = randomBytes(30_000_001);
  const said = [];
  await send(new File([body], "wörld.txt", { lastModified: 1 }), (part) => said.push(part));
  const [id, name] = here.done()[0].split(" ");
  assert.equal(name, Buffer.from("wörld.txt").toString("latin1"));
  assert.equal(hash(here.stored(id)), hash(body));
  assert.equal(said.at(-1), 1);
  assert.equal(kept.size, 0);
});

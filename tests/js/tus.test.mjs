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

async function serve(t) {
  const folder = mkdtempSync(join(tmpdir(), "weir-tus-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const here = { folder };
  here.start = async (listen) => {
    here.server = new Server(["tests/js/tus.lua", "--workers", "2"], { listen, env: { TUS_ROOT: folder } });
    await here.server.started;
    here.url = here.server.url;
  };
  here.restart = async () => {
    await here.server.stop("SIGKILL");
    await here.start(new URL(here.url).host);
  };
  here.stored = (url) => readFileSync(join(folder, url.split("/").pop()));
  here.done = () => readFileSync(join(folder, "done"), "latin1").split("\n").slice(0, -1);
  await here.start("127.0.0.1:0");
  t.after(() => here.server.stop("SIGKILL"));
  return here;
}

// Uploads by the client; the URL in the end, and how often it said that a part had come.
function upload(body, options) {
  let parts = 0;
  return new Promise((done, fail) => {
    const client = new tus.Upload(body, {
      retryDelays: Array.from({ length: 50 }, () => 20),
      onChunkComplete: () => { parts++; },
      onError: fail,
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

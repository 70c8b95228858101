// One upload: its client, what the client is told, and whether that was right.
//
// A story ends in one of two ways: the client says that the upload is complete, or that it has ended it. Meanwhile
//
//   - what an upload's offset is told to be only grows
//   - a client is answered 409 at most, where it may not know what the offset is, and 404 or 410 for what has gone
//
// and in the end (verify), when the server has died once more and started,
//
//   - each complete upload lies on the disk with the bytes of its file, and the hook was told once, or again by a process
//     that came after one which was killed
//   - there are as many uploads of one name as there were creations, and none without a creation's answer being lost
//   - one that was ended has left nothing

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Cutter } from "./cutter.mjs";

const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

export const idOf = (url) => basename(new URL(url).pathname);

export class Story {
  constructor(world, plan) {
    const { number, dice, size } = plan;
    this.log = [];
    Object.assign(this, { world, plan, dice, bytes: dice.bytes(size), name: `${number}`, metadata: { name: `${number}` } });
    if (plan.move) this.metadata.move = "1";
    this.hash = hash(this.bytes);
    this.offsets = new Map(); // of each URL, the last that was told
    this.own = new Set(); // the URLs that the client was told as those of whole uploads
    this.known = new Set(); // and of parts too
    this.gone = new Set(); // those that it has ended, or that have expired
    this.created = 0; // requests to create an upload
    this.told = 0; // their good answers
    this.abandoned = 0; // clients that were stopped, and may have been about to join their parts all the same
    this.aged = 0; // how often its upload became old
    this.expired = 0; // and answers that there is none any more
    this.sent = -1; // bytes, as far as the client says, once it has begun
    this.waiting = [];
    this.memory = new Map();
  }

  async begin() {
    this.cutter = await new Cutter(this.world, this.dice, [...this.plan.cuts], this.log).listen();
    this.endpoint = `${this.cutter.url}/files`;
    if (this.plan.source === "file") writeFileSync(this.file, this.bytes);
  }

  get file() {
    return join(this.world.folder, `source-${this.name}`);
  }

  // Where a client remembers its uploads, as tus-js-client wants it.
  get storage() {
    const all = (fits) => [...this.memory].filter(([key]) => fits(key)).map(([key, value]) => ({ ...value, urlStorageKey: key }));
    return {
      findAllUploads: async () => all(() => true),
      findUploadsByFingerprint: async (print) => all((key) => key.startsWith(`${print}::`)),
      removeUpload: async (key) => void this.memory.delete(key),
      addUpload: async (print, upload) => {
        const key = `${print}::${this.memory.size}`;
        this.memory.set(key, { ...upload });
        return key;
      },
    };
  }

  // ---- what the client says --------------------------------------------------------------------------------------

  fail(why) {
    this.failure ??= new Error(why);
    this.waiting.forEach(({ fail }) => fail(this.failure));
  }

  asks(method, creates) {
    if (method === "POST" && creates) this.created++;
  }

  // `offset` and `location` as they stand in the answer.
  hears(method, url, creates, status, { offset, location }) {
    if (!this.ending && this.gone.has(url) && (status === 404 || status === 410)) this.expired++;
    const goes = this.gone.has(url) || (this.ending && creates); // parts of what is created may be gone
    const expected = goes ? [400, 404, 410].includes(status) : status === 409 && method !== "HEAD";
    if ((status < 200 || status > 299) && !expected) this.fail(`${method} ${url} was answered with ${status}`);
    const of = creates && location ? new URL(location, url).href : url;
    if (creates && location) {
      this.told++;
      this.known.add(of);
    }
    if (offset === undefined) return;
    const before = this.offsets.get(of) ?? 0, now = Number(offset);
    if (!(now >= before)) this.fail(`the offset of ${of} was ${before}, and then ${offset}`);
    this.offsets.set(of, now);
  }

  // Bytes have been sent.
  moves(bytes) {
    this.sent = Math.max(this.sent, bytes);
    for (const one of this.waiting.filter(({ at }) => this.sent >= at)) one.done();
    this.waiting = this.waiting.filter(({ at }) => this.sent < at);
  }

  // Waits until this share has been sent; for none, until it begins.
  reaches(share) {
    const at = Math.floor(share * this.bytes.length);
    if (this.failure) return Promise.reject(this.failure);
    return this.sent >= at ? Promise.resolve() : new Promise((done, fail) => this.waiting.push({ at, done, fail }));
  }

  // Rejects when something was wrong.
  get trouble() {
    return this.reaches(Infinity);
  }

  // Makes its uploads old, as a day without bytes would; some may go on all the same, where a ghost sends, or what was on
  // its way when the client stopped.
  age() {
    const paths = [...this.own].map((url) => join(this.world.root, idOf(url)));
    for (const url of this.own) this.gone.add(url);
    for (const path of paths.filter(existsSync)) utimesSync(path, 1e9, 1e9);
    const last = paths.at(-1);
    if (last && existsSync(last) && statSync(last).size < this.bytes.length) this.aged++; // a whole one is the app's
  }

  // ---- what is there ---------------------------------------------------------------------------------------------

  // The ids of what has expired, and is swept when the server starts.
  swept(lines) {
    const complete = new Set(lines.filter(({ what }) => what === "complete").map(({ id }) => id));
    return this.ended ? [] : [...this.gone].map(idOf).filter((id) => !complete.has(id));
  }

  // `lines`: of the ledger, with this name; `there`: the uploads on the disk with this name, { id, part, complete }.
  verify(lines, there) {
    if (this.failure) throw this.failure;
    const { created, told } = this;
    const complete = lines.filter(({ what }) => what === "complete");
    const ids = new Set(complete.map(({ id }) => id));
    this.#checkHooks(complete);
    for (const { id, path, metadata, size, kind } of complete) {
      assert.deepEqual([metadata.name, metadata.move, size], [this.name, this.metadata.move, this.bytes.length], id);
      assert.equal(kind, this.plan.options.parallelUploads || this.parts ? "final" : "single");
      if (existsSync(path)) assert.equal(hash(readFileSync(path)), this.hash, `the bytes of ${id}`);
      else assert.ok(this.gone.has(this.#urlOf(id)), `${path} is gone`);
    }
    for (const url of this.ended ?? []) assert.ok(!there.some(({ id }) => id === idOf(url)), `${url} was ended, and is there`);
    if (!this.ended) assert.ok(ids.has(idOf(this.complete)), `the client says that ${this.complete} is complete, the hook was not told`);
    const lost = created - told;
    assert.ok(ids.size <= 1 + lost + this.abandoned,
      `${ids.size} complete uploads, though the answers of ${lost} creations were lost`);
    const begun = lines.filter(({ what }) => what === "create").length;
    assert.ok(begun <= created, `${begun} creations, though ${created} were asked for`);
    const known = new Set([...this.known].map(idOf));
    const orphans = there.filter(({ id }) => !known.has(id) && !ids.has(id));
    assert.ok(orphans.length <= lost, `${orphans.length} uploads that nobody knows, though the answers of ${lost} creations were lost`);
  }

  #urlOf(id) {
    return [...this.gone].find((url) => idOf(url) === id);
  }

  // A hook is told again only by a later process.
  #checkHooks(complete) {
    const seen = new Set();
    for (const { id, boot } of complete) {
      assert.ok(!seen.has(`${id} ${boot}`), `the hook was told twice that ${id} is complete`);
      seen.add(`${id} ${boot}`);
    }
  }
}

// Waits until these ids are gone from the disk, and nothing is left that is half an upload.
export async function swept(world, ids) {
  const since = Date.now();
  let left;
  do {
    const names = new Set(world.names());
    const halves = [...names].filter((name) => !name.endsWith(".json") && !names.has(`${name}.json`));
    left = [...halves, ...ids.filter((id) => names.has(id) || names.has(`${id}.json`))];
    if (!left.length) return;
    await new Promise((done) => setTimeout(done, 5));
  } while (Date.now() - since < 10_000);
  assert.fail(`not swept: ${left.join(" ")}`);
}

// The uploads on the disk, by name, as their records say.
export function stored(world) {
  const byName = new Map();
  for (const file of readdirSync(world.root)) {
    const [id, ending] = file.split(".");
    if (ending !== "json") continue;
    const record = JSON.parse(readFileSync(join(world.root, file), "utf8"));
    const words = (record.metadata ?? "").split(",").map((pair) => pair.trim().split(" "));
    const name = Buffer.from(words.find(([key]) => key === "name")?.[1] ?? "", "base64").toString();
    if (!byName.has(name)) byName.set(name, []);
    byName.get(name).push({ id, part: record.concat === "partial", complete: Boolean(record.complete) });
  }
  return byName;
}

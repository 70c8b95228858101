// A client written by hand, for what tus-js-client has not: checksums, requests that are wrong on purpose, parts that are
// joined out of turn. It is always right about what it may be answered.
//
// It knows an upload's offset, unless bytes that were to be added there were lost: then some of these may be there, or come
// yet, but of those with a checksum all or none.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Agent, request } from "node:http";

const BODY = "application/offset+octet-stream";
const ALGORITHMS = ["sha1", "sha256", "sha384", "sha512", "md5"];
const TRIES = 200;

const base64 = (text) => Buffer.from(text).toString("base64");
const checksum = (algorithm, bytes) => `${algorithm} ${createHash(algorithm).update(bytes).digest("base64")}`;

class Hand {
  constructor(story) {
    Object.assign(this, { story, dice: story.dice, agent: new Agent({ keepAlive: true }) });
    this.metadata = Object.entries(story.metadata).map(([key, value]) => `${key} ${base64(value)}`).join(",");
  }

  // An answer { status, headers }, or undefined where none came.
  ask(method, url, headers = {}, body) {
    const { story } = this;
    const creates = method === "POST" && url === story.endpoint;
    story.asks(method, creates);
    return new Promise((done) => {
      const asked = request(url, { method, agent: this.agent, headers: { "Tus-Resumable": "1.0.0", ...headers } });
      const lost = () => asked.destroy();
      story.cutter.stalled().then(lost);
      const fail = () => {
        this.missed = true;
        done(undefined);
      };
      asked.on("error", fail);
      asked.on("response", (answer) => {
        answer.on("error", fail).resume().on("end", () => {
          const { location, "upload-offset": offset } = answer.headers;
          if (answer.statusCode < 300) story.hears(method, url, creates, answer.statusCode, { offset, location });
          done({ status: answer.statusCode, headers: answer.headers });
        });
      });
      if (body && headers["Content-Length"] === undefined) asked.setHeader("Transfer-Encoding", "chunked");
      asked.end(body);
    });
  }

  // The same again until it is answered.
  async insist(...asked) {
    for (let i = 0; i < TRIES; i++) {
      const answer = await this.ask(...asked);
      if (answer) return answer;
      await new Promise(setImmediate);
    }
    throw new Error(`no answer to ${asked[0]} ${asked[1]}`);
  }

  // ---- an upload, { url, bytes, offset, untold, lost } ----------------------------------------------------------------
  //
  // `lost` are bytes that may come yet, { from, to, summed }, and `untold` is true while the length may not be known.

  async create(bytes, concat) {
    const headers = { "Upload-Metadata": this.metadata };
    const whole = { ...headers, "Upload-Length": `${bytes.length}`, ...(concat && { "Upload-Concat": concat }) };
    const deferred = { ...headers, "Upload-Defer-Length": "1", ...(concat && { "Upload-Concat": concat }) };
    const way = this.dice.below(4);
    const first = way === 0 ? bytes.subarray(0, this.dice.below(bytes.length + 1)) : Buffer.alloc(0);
    const summed = first.length && this.dice.one(2) ? { "Upload-Checksum": checksum(this.dice.of(ALGORITHMS), first) } : {};
    const all = way === 0 ? { ...whole, ...summed, "Content-Type": BODY, "Content-Length": first.length } : way === 1 ? deferred : whole;
    const answer = await this.insist("POST", this.story.endpoint, all, first.length ? first : undefined);
    assert.equal(answer.status, 201);
    const url = new URL(answer.headers.location, this.story.endpoint).href;
    const offset = first.length;
    if (way === 0) assert.equal(answer.headers["upload-offset"], `${offset}`);
    return { url, bytes, offset, lost: [], untold: way === 1 };
  }

  // It is told what the offset is: lost bytes that begin before it come too late.
  learn(upload, offset) {
    upload.offset = offset;
    upload.lost = upload.lost.filter(({ from }) => from === offset);
  }

  async look(upload) {
    const answer = await this.insist("HEAD", upload.url);
    assert.equal(answer.status, 200);
    const offset = Number(answer.headers["upload-offset"]);
    const { offset: before, lost } = upload;
    const most = Math.max(before, ...lost.map(({ to }) => to));
    assert.ok(offset >= before && offset <= most, `${offset} is not from ${before} to ${most}`);
    const summed = lost.length > 0 && lost.every((one) => one.summed);
    if (summed) assert.ok(offset === before || lost.some(({ to }) => to === offset), `${offset} is a part of bytes with a checksum`);
    const { "upload-length": length, "upload-defer-length": put } = answer.headers;
    if (!upload.untold) assert.deepEqual([length, put], [`${upload.bytes.length}`, undefined]);
    if (length) upload.untold = false;
    this.learn(upload, offset);
  }

  // What a PATCH may say, and which answer it has then.
  draw(upload) {
    const rest = upload.bytes.subarray(upload.offset);
    const body = rest.subarray(0, this.dice.one(3) ? rest.length : this.dice.size(0, rest.length));
    const headers = { "Upload-Offset": `${upload.offset}`, "Content-Type": BODY };
    if (!this.dice.one(4)) headers["Content-Length"] = body.length;
    if (upload.untold && (this.dice.one(3) || body.length === rest.length)) headers["Upload-Length"] = `${upload.bytes.length}`;
    const wrong = {
      sum: () => ({ "Upload-Checksum": checksum(this.dice.of(ALGORITHMS), Buffer.concat([body, Buffer.of(1)])), status: 460 }),
      algorithm: () => ({ "Upload-Checksum": "crc32 AAAAAA==", status: 400 }),
      offset: () => ({ "Upload-Offset": `${upload.offset + 1 + this.dice.below(9)}`, status: 409 }),
      type: () => ({ "Content-Type": "application/octet-stream", status: 415 }),
      version: () => ({ "Tus-Resumable": "0.2.2", status: 412 }),
      length: () => ({ "Upload-Length": `${upload.bytes.length + 1}`, status: 400, only: !upload.untold }),
    };
    const draw = this.dice.below(12);
    if (draw < 3) return { headers: { ...headers, "Upload-Checksum": checksum(this.dice.of(ALGORITHMS), body) }, body, status: 204 };
    if (draw < 9 || body.length === 0) return { headers, body, status: 204 };
    const { status, only = true, ...more } = wrong[this.dice.of(Object.keys(wrong))]();
    if (!only) return { headers, body, status: 204 };
    return { headers: { ...headers, ...more }, body, status };
  }

  async patch(upload) {
    const { headers, body, status } = this.draw(upload);
    const answer = await this.ask("PATCH", upload.url, headers, body);
    const from = upload.offset, to = from + body.length;
    if (answer?.status === 204 && status === 204) {
      assert.equal(answer.headers["upload-offset"], `${to}`);
      this.learn(upload, to);
      if (headers["Upload-Length"]) upload.untold = false;
      return;
    }
    // A request that was thought lost may have come between.
    if (answer) assert.ok(answer.status === status || (answer.status === 409 && this.missed),
      `a PATCH with ${JSON.stringify(headers)} was answered with ${answer.status}`);
    else if (status === 204 && to > from) upload.lost.push({ from, to, summed: "Upload-Checksum" in headers });
    if (answer?.status !== status) await this.look(upload);
  }

  isWhole(upload) {
    return upload.offset === upload.bytes.length && !upload.untold;
  }

  async step(upload) {
    if (this.dice.one(6)) await this.look(upload);
    else await this.patch(upload);
    this.story.moves(upload.offset);
  }

  // ---- a whole one ----------------------------------------------------------------------------------------------------

  async single() {
    const { story } = this;
    const end = story.plan.acts.find(({ what }) => what === "terminate");
    const upload = await this.create(story.bytes);
    while (!this.isWhole(upload)) {
      if (end && upload.offset >= end.at * upload.bytes.length) return this.end(upload);
      await this.step(upload);
    }
    story.complete = upload.url;
  }

  async end({ url }) {
    const { story } = this;
    story.ending = true;
    story.gone.add(url);
    const before = story.deletes ?? 0;
    let answer;
    while (!(answer = await this.ask("DELETE", url))) story.deletes = before + 1;
    assert.ok(answer.status === 204 || story.deletes, `DELETE was answered with ${answer.status}`);
    assert.equal((await this.insist("HEAD", url)).status, 404);
    story.ended = [url];
  }

  async joined() {
    const { story, dice } = this;
    story.parts = true;
    const count = 2 + dice.below(3);
    const ends = Array.from({ length: count - 1 }, () => dice.below(story.bytes.length + 1)).sort((a, b) => a - b);
    const parts = [];
    for (let i = 0; i < count; i++) parts.push(await this.create(story.bytes.subarray(ends[i - 1] ?? 0, ends[i]), "partial"));
    const left = () => parts.filter((part) => !this.isWhole(part));
    while (left().length) {
      if (dice.one(8)) await this.joinsNot(parts, 409);
      await this.step(dice.of(left()));
    }
    if (dice.one(2)) await this.joinsNot([...parts, { url: `${parts[0].url.slice(0, -8)}00000000` }], 400);
    const answer = await this.insist("POST", story.endpoint, this.final(parts));
    assert.equal(answer.status, 201);
    story.complete = new URL(answer.headers.location, story.endpoint).href;
    const told = await this.insist("HEAD", story.complete);
    assert.deepEqual([told.status, told.headers["upload-length"]], [200, `${story.bytes.length}`]);
    assert.equal(told.headers["upload-concat"], this.final(parts)["Upload-Concat"]);
  }

  // Some are named by their path alone.
  final(parts) {
    const urls = parts.map(({ url }, i) => (i % 2 ? url : new URL(url).pathname));
    return { "Upload-Concat": `final;${urls.join(" ")}`, "Upload-Metadata": this.metadata };
  }

  async joinsNot(parts, status) {
    const { created } = this.story;
    const answer = await this.insist("POST", this.story.endpoint, this.final(parts));
    assert.equal(answer.status, status);
    this.story.created = created; // it makes nothing, however often it comes
  }
}

export async function byHand(story) {
  const hand = new Hand(story);
  const kinds = story.dice.one(3) && !story.plan.acts.some(({ what }) => what === "terminate");
  await Promise.race([kinds ? hand.joined() : hand.single(), story.trouble]).finally(() => hand.agent.destroy());
}

// A client written by hand, for what tus-js-client has not: checksums, requests that are wrong on purpose, parts that are
// joined out of turn. It is always right about what it may be answered.
//
// It knows an upload's offset where the last answer told it, and no request was lost since: then what it is answered is
// exactly one thing. Otherwise the offset is what it was, or more, up to where the bytes that were on their way end; of
// those with a checksum all or nothing.

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
      asked.on("error", () => done(undefined));
      asked.on("response", (answer) => {
        answer.on("error", () => done(undefined)).resume().on("end", () => {
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

  // ---- an upload, { url, bytes, offset, most, sure } ----------------------------------------------------------------

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
    return { url, bytes, offset, sure: true, most: offset, untold: way === 1 };
  }

  isSure(upload) {
    return upload.sure && this.story.cutter.isQuiet;
  }

  async look(upload) {
    const sure = this.isSure(upload);
    const answer = await this.insist("HEAD", upload.url);
    assert.equal(answer.status, 200);
    const offset = Number(answer.headers["upload-offset"]);
    const { least, allOrNothing } = upload;
    if (sure) assert.equal(offset, upload.offset, "an offset without a request that was lost");
    assert.ok(offset >= upload.offset && offset <= upload.most, `${offset} is not between ${upload.offset} and ${upload.most}`);
    if (allOrNothing) assert.ok(offset <= least || offset === upload.most, `${offset} is a part of bytes with a checksum`);
    const { "upload-length": length, "upload-defer-length": put } = answer.headers;
    if (!upload.untold) assert.deepEqual([length, put], [`${upload.bytes.length}`, undefined]);
    if (length) upload.untold = false;
    Object.assign(upload, { offset, sure: this.story.cutter.isQuiet, allOrNothing: false });
    if (this.story.cutter.isQuiet) upload.most = offset;
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
    const sure = this.isSure(upload);
    const answer = await this.ask("PATCH", upload.url, headers, body);
    const end = upload.offset + body.length;
    if (answer?.status === 204 && status === 204) {
      assert.equal(answer.headers["upload-offset"], `${end}`);
      Object.assign(upload, { offset: end, most: Math.max(upload.most, end) });
      if (headers["Upload-Length"]) upload.untold = false;
    } else if (answer && (sure || answer.status !== 409)) {
      assert.equal(answer.status, status, `a PATCH with ${JSON.stringify(headers)}`);
    } else {
      const summed = "Upload-Checksum" in headers;
      if (status === 204 && end > upload.most) Object.assign(upload, { allOrNothing: summed && sure, least: upload.offset, most: end });
      if (status === 460) upload.most = Math.max(upload.most, upload.offset);
      upload.sure = false;
      await this.look(upload);
    }
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

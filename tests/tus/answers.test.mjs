// Answers of weir.tus to a table of requests, header by header beside those of npm's @tus/server. Each must be what the
// table says; and where the two differ the table says why. A difference without a reason fails, as does a reason without
// a difference.

import assert from "node:assert/strict";
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { basename, join } from "node:path";
import { BODY, DATE, NEW, base, everywhere, table, tus } from "./answers.table.mjs";
import { plain } from "./cutter.mjs";
import { Dice } from "./dice.mjs";
import { startPeer } from "./peer.mjs";
import { World } from "./world.mjs";

const DAY = 86_400_000; // ms
const connection = new Set(["date", "server", "connection", "transfer-encoding", "content-length", "keep-alive"]);

let weir, peer;

before(async () => {
  const world = new World(new Dice(1));
  await world.start();
  world.quiet = true;
  const old = (path) => utimesSync(join(world.root, basename(path)), 1e9, 1e9);
  weir = { url: world.url, age: old, end: () => world.end() };
  peer = await startPeer({ age: DAY });
  peer.age = (path) => {
    const file = join(peer.folder, `${basename(path)}.json`);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file)), creation_date: "2001-09-09T00:00:00.000Z" }));
  };
});

after(async () => {
  await weir.end();
  peer.end();
});

// Its path; of an upload that cannot be made, one that is unknown.
async function make(side, { length, body = "", metadata, concat, final, aged }) {
  const headers = { ...tus, "Content-Length": body.length };
  if (final) headers["Upload-Concat"] = `final;${final}`;
  else Object.assign(headers, { "Content-Type": BODY }, length === undefined ? { "Upload-Defer-Length": 1 } : { "Upload-Length": length });
  if (concat) headers["Upload-Concat"] = concat;
  if (metadata) headers["Upload-Metadata"] = metadata;
  const { headers: { location = "/files/none" } } = await plain(side.url, "POST", "/files", headers, body);
  if (aged) side.age(location);
  return location;
}

// The answer, with what cannot be the same made so.
async function answer(side, given = {}, [method, path, headers, body = ""]) {
  const paths = {};
  const fill = (text) => text.replace(/\{(\w)\}/g, (_, letter) => paths[letter]);
  for (const [letter, one] of Object.entries(given)) paths[letter] = await make(side, { ...one, final: one.final && fill(one.final) });
  const filled = Object.entries(headers).map(([name, value]) => [name, fill(value)]);
  const framing = "Transfer-Encoding" in headers || !["POST", "PATCH"].includes(method) ? {} : { "Content-Length": body.length };
  const got = await plain(side.url, method, fill(path), { ...Object.fromEntries(filled), ...framing }, body);
  const unfill = (text) => Object.entries(paths).reduce((sum, [letter, one]) => sum.replaceAll(one, `{${letter}}`), text);
  const shown = Object.entries(got.headers).filter(([name]) => !connection.has(name)).map(([name, value]) => [name, sameOf(name, unfill(value))]);
  return { status: got.status, headers: Object.fromEntries(shown), text: got.headers["transfer-encoding"] ? "" : got.text };
}

function sameOf(name, value) {
  if (name === "content-type") return value.toLowerCase().replace(/;\s+/g, ";");
  if (name === "location") return /^\/files\/[0-9a-f]+$/.test(value) ? NEW : value;
  if (name !== "upload-expires") return value;
  const left = Date.parse(value) - Date.now();
  return left > DAY - 60_000 && left <= DAY + 1000 && new Date(value).toUTCString() === value ? DATE : value;
}

const used = new Set();

// Why the two differ in this header, or undefined.
function reason(name, ours, theirs, { unlike = {}, ask: [, , headers] }) {
  for (const one of everywhere) {
    if (one.header !== name || !one.when(ours.headers[name], theirs.headers[name], headers, theirs)) continue;
    used.add(one);
    return one.why;
  }
  return unlike[name];
}

for (const row of table)
  test(row.name, async () => {
    const { given, ask, weir: [status, headers], unlike = {} } = row;
    const ours = await answer(weir, given, ask), theirs = await answer(peer, given, ask);
    assert.deepEqual([ours.status, ours.headers], [status, { ...base, ...headers }], ours.text);
    if (status >= 400 && ask[0] !== "HEAD") assert.notEqual(ours.text, "", "an error says what is wrong");
    const reasons = new Set(Object.keys(unlike));
    if (ours.status !== theirs.status) {
      assert.ok(unlike.status, `Weir answers with ${ours.status}, @tus/server with ${theirs.status}: why?`);
      assert.deepEqual([...reasons], ["status"], "the reason for a status is one for all of the answer");
      return;
    }
    for (const name of new Set([...Object.keys(ours.headers), ...Object.keys(theirs.headers)])) {
      if (ours.headers[name] === theirs.headers[name]) continue;
      const differ = `${name}: Weir has ${ours.headers[name]}, @tus/server ${theirs.headers[name]}`;
      assert.ok(reason(name, ours, theirs, row), `${differ}: why?`);
      reasons.delete(name);
    }
    assert.deepEqual([...reasons], [], "a reason for what is no difference");
  });

test("what differs everywhere differs somewhere", () => {
  assert.deepEqual(everywhere.filter((one) => !used.has(one)).map(({ header, why }) => `${header}: ${why}`), []);
});

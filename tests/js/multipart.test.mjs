// Forms as others send them: fetch, npm's form-data and curl, and the inputs of the tests of npm's busboy, which also says
// what is in them. Each is sent to an app (multipart.lua), and given to the parser split at every byte.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { modules, Server } from "../browser/lib.mjs";

const require = createRequire(import.meta.url);
const busboy = require(join(modules, "busboy"));
const NodeForm = require(join(modules, "form-data"));
const build = process.env.BUILD ?? "build/must";

let server, folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "weir-forms-"));
  server = new Server(["tests/js/multipart.lua"], {});
  await server.started;
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server.stop();
});

// ---- what is asked ----

const text = (base64) => Buffer.from(base64, "base64").toString("latin1");

// The status, and the parts as [name, file name, type, body], bytes as latin1.
async function ask({ type, body }) {
  const response = await fetch(`${server.url}/parts`, { method: "POST", body, headers: { "Content-Type": type } });
  if (!response.ok) return { status: response.status, parts: [], why: await response.text() };
  const parts = (await response.json()).map((part) => [text(part.name), part.filename, part.type, text(part.body)]);
  return { status: 200, parts };
}

const splittable = []; // small ones, for the last test

function remember(name, { type, body }, parts) {
  if (body.length > 6000) return;
  const bytes = (string) => Buffer.from(string, "latin1").toString();
  splittable.push({
    id: name, content_type: type, body: body.toString("latin1"), valid: parts !== null,
    parts: (parts ?? []).map(([field, filename, media, content]) =>
      ({ name: bytes(field), filename: filename && bytes(filename), content_type: media, body: content })),
  });
}

// ---- clients ----

const bytes = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i));
const latin1 = (string) => Buffer.from(string).toString("latin1"); // UTF-8 as its bytes

// Fields and files: [name, content], [name, content, file name, type, what its name becomes].
const pieces = [
  ["plain", "a value"],
  ["empty", ""],
  ["lines", "one\r\ntwo\r\n\r\n--three--\r\n"],
  ["ünï €😀", "wäs"],
  ["file", bytes, "bytes.bin", "application/octet-stream", "bytes.bin"],
  ["file", Buffer.alloc(0), "empty.txt", "text/plain", "empty.txt"],
  ["unicode", Buffer.from("x"), "nä€😀.txt", "text/plain", "nä€😀.txt"],
  ["spaces", Buffer.from("x"), "a b;c=d, e.txt", "text/plain", "a b;c=d, e.txt"],
];
const large = [["large", Buffer.alloc(300_000, "0123456789\r\n--"), "large", "application/x-large", "large"]];
const escaped = [
  ['quo"te', "x"],
  ["a\r\nb", "x"],
  ["quoted", Buffer.from("x"), 'say "hi".txt', "text/plain", 'say "hi".txt'],
  ["path", Buffer.from("x"), "..\\..\\up/../con.txt", "text/plain", "_con.txt"],
];
const wanted = (list) => list.map(([name, content, , type, safe]) =>
  [latin1(name), safe, type, Buffer.from(content).toString("latin1")]);

// [name, content, file name, ...] -> { type, body }
async function byFetch(list) {
  const form = new FormData();
  for (const [name, content, filename, type] of list) {
    if (filename === undefined) form.append(name, content);
    else form.append(name, new Blob([content], { type }), filename);
  }
  const response = new Response(form);
  return { type: response.headers.get("Content-Type"), body: Buffer.from(await response.arrayBuffer()) };
}

function byFormData(list) {
  const form = new NodeForm();
  for (const [name, content, filename, type] of list) {
    if (filename === undefined) form.append(name, content);
    else form.append(name, content, { filename, contentType: type });
  }
  return { type: form.getHeaders()["content-type"], body: form.getBuffer() };
}

// Curl sends to a server of this test's, which keeps what it got.
async function byCurl(list) {
  const args = [];
  for (const [i, [name, content, filename, type]] of list.entries()) {
    const path = join(folder, `part${i}`);
    writeFileSync(path, content);
    const quoted = (string) => `"${string.replace(/[\\"]/g, "\\$&")}"`;
    args.push("--form", filename === undefined ? `${name}=<${path}`
      : `${name}=@${path};filename=${quoted(filename)};type=${type}`);
  }
  let got;
  const sink = createServer((request, answer) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk)).on("end", () => {
      got = { type: request.headers["content-type"], body: Buffer.concat(chunks) };
      answer.end();
    });
  });
  await new Promise((done) => sink.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${sink.address().port}/`;
  await new Promise((done, fail) => execFile("curl", ["--silent", "--fail", ...args, url], (error) => error ? fail(error) : done()));
  sink.close();
  return got;
}

async function check(name, list, form) {
  const { status, parts, why } = await ask(form);
  assert.equal(status, 200, why);
  assert.deepEqual(parts, wanted(list).map((part) => part.map((value) => value ?? undefined)));
  remember(name, form, wanted(list).map(([field, , ...rest], i) => [field, list[i][2] && latin1(list[i][2]), ...rest]));
}

const clients = { fetch: byFetch, "form-data": byFormData, curl: byCurl };
for (const [name, send] of Object.entries(clients)) {
  test(`multipart: what ${name} sends`, async () => {
    for (const list of [pieces, large]) await check(name, list, await send(list));
  });
}

for (const name of ["fetch", "curl"]) {
  test(`multipart: names that ${name} has to escape`, async () => {
    const list = name === "fetch" ? escaped : escaped.filter(([field]) => !field.includes("\r"));
    await check(`${name}, escaped`, list, await clients[name](list));
  });
}

test("multipart: no parts at all", async () => {
  const form = await byFetch([]);
  assert.deepEqual(await ask(form), { status: 200, parts: [] });
});

test("multipart: a form that is read whole", async () => {
  const form = new FormData();
  form.append("a", "1");
  form.append("a", "2");
  form.append("f", new Blob([bytes]), "f.bin");
  const answer = await fetch(`${server.url}/form`, { method: "POST", body: form });
  const fields = Object.fromEntries(Object.entries(await answer.json()).map(([name, value]) => [text(name), text(value)]));
  assert.deepEqual(fields, { a: "1", f: bytes.toString("latin1") });
});

// ---- busboy's inputs ----

// Where busboy reads on: why it is 400 here.
const stricter = {
  "Empty content-type and empty content-disposition": "a part without a name",
  "No Content-Disposition": "a part without a name",
  "Header size limit should be per part": "16 KiB of a head there, 8 KiB here",
};

function busboyInputs() {
  const source = readFileSync(join(modules, "busboy/test/test-types-multipart.js"), "utf8");
  const end = source.indexOf("\nfor (const test of tests)");
  assert.notEqual(end, -1);
  return new Function("require", `${source.slice(0, end)}\nreturn tests;`)((name) => name === ".." ? null : require(name));
}

// What busboy finds, with limits that nothing here reaches; null when it says that something is wrong.
function askBusboy({ type, body }) {
  return new Promise((done) => {
    const parts = [];
    let wrong = false;
    const parser = busboy({ headers: { "content-type": type }, preservePath: true, defParamCharset: "utf8" });
    parser.on("field", (name, value, { mimeType }) => parts.push([latin1(name), undefined, mimeType, latin1(value)]));
    parser.on("file", (name, stream, { filename, mimeType }) => {
      const part = [latin1(name), latin1(filename), mimeType, ""];
      parts.push(part);
      stream.on("data", (data) => { part[3] += data.toString("latin1"); }).on("error", () => {});
    });
    parser.on("error", () => { wrong = true; });
    parser.on("close", () => done(wrong ? null : parts));
    parser.end(body);
  });
}

// Where no type was sent busboy says one.
const typed = (parts) => parts.map(([name, filename, type, body]) => [name, filename, type ?? "text/plain", body]);
const lastSegment = (name) => name?.replace(/.*[/\\]/, "");

for (const { what, boundary, source } of busboyInputs()) {
  test(`multipart: busboy's input "${what}"`, async () => {
    const form = { type: `multipart/form-data; boundary=${boundary}`, body: Buffer.concat(source.map((part) => Buffer.from(part))) };
    const found = await askBusboy(form);
    const { status, parts } = await ask(form);
    if (found === null || what in stricter) {
      assert.equal(status, 400);
      if (!(what in stricter)) remember(what, form, null);
      return;
    }
    assert.equal(status, 200);
    const raw = found.map(([name, filename, type, body]) => [name, lastSegment(filename), type, body]);
    assert.deepEqual(typed(parts.map(([name, filename, ...rest]) => [name, filename && latin1(filename), ...rest])), raw);
    remember(what, form, found.map(([name, filename, , body], i) => [name, filename, parts[i][2], body]));
  });
}

// ---- every byte ----

test("multipart: all that is small, split at every byte", () => {
  assert.ok(splittable.length > 20, `${splittable.length} forms`);
  const path = join(folder, "cases.json");
  writeFileSync(path, JSON.stringify(splittable));
  execFileSync(resolve(build, "tests/unit/proto_multipart_vectors_test"), { env: { ...process.env, MULTIPART_CASES: path } });
});

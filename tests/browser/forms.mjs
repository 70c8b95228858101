// Forms as Chromium sends them, by itself and by fetch, and what a handler finds in them: names, types, sizes, hashes.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "./lib.mjs";

// As HTML writes "line 1", LF, "line 2" in an attribute.
const html = `<!doctype html><link rel=icon href=data:,><form method=post enctype=multipart/form-data action=parts>
<textarea name='say "hi" nä€😀'></textarea><input name="line 1&#10;line 2">
<input type=file name=files multiple><input type=file name=none><input type=file name=folder webkitdirectory>
<button>Send</button></form>`;

const said = "ünï €😀\n\n--two--\n";
const files = {
  'say "hi" nä€😀.txt': "some text",
  "line 1\r\nline 2.txt": "a name that only a system like this one has",
  "empty.txt": "",
  "no-type": "\0\r\n",
  "delimiters.png": "\r\n------WebKitFormBoundary".repeat(100_000), // what each of Chromium's begins with
  "photos/sea.jpg": "in a folder",
};

// A part: its name, its file name and its type, null where there is none, the number of its bytes, and their hash.
const row = (name, filename, type, bytes) =>
  [name, filename ?? null, type ?? null, bytes.length, createHash("sha256").update(bytes).digest("hex")];
const text = (base64) => Buffer.from(base64, "base64");
const seen = (parts) => parts.map(({ name, filename, type, body }) => row(`${text(name)}`, filename, type, text(body)));
const field = (name, value) => row(name, null, null, Buffer.from(value));
const file = (name, path, filename, type) => row(name, filename, type, Buffer.from(files[path]));

// HTML's "multipart/form-data encoding algorithm": lines end in CR LF in names and values of fields, in files nothing
// changes; what was chosen nowhere is a file without a name.
const wanted = [
  field('say "hi" nä€😀', said.replaceAll("\n", "\r\n")),
  field("line 1\r\nline 2", "a value"),
  file("files", 'say "hi" nä€😀.txt', 'say "hi" nä€😀.txt', "text/plain"),
  file("files", "line 1\r\nline 2.txt", "line 1__line 2.txt", "text/plain"),
  file("files", "empty.txt", "empty.txt", "text/plain"),
  file("files", "no-type", "no-type", "application/octet-stream"),
  file("files", "delimiters.png", "delimiters.png", "image/png"),
  row("none", null, "application/octet-stream", ""),
  file("folder", "photos/sea.jpg", "sea.jpg", "image/jpeg"),
];

const types = { txt: "text/plain", png: "image/png" };

// The form in a page of the server's, filled in. Only the folder is on the disk: without a locale Chromium opens no file
// whose name is not ASCII.
async function open(t) {
  const server = await t.serve(["tests/js/multipart.lua", "--workers", "2"]);
  const chosen = Object.entries(files).filter(([name]) => !name.includes("/")).map(([name, content]) => ({
    name, mimeType: types[name.split(".")[1]] ?? "application/octet-stream", buffer: Buffer.from(content),
  }));
  mkdirSync(join(t.folder, "photos"));
  writeFileSync(join(t.folder, "photos/sea.jpg"), files["photos/sea.jpg"]);
  const page = await t.page();
  await page.goto(`${server.url}/weir.js`); // which each server has
  await page.setContent(html);
  await page.fill("textarea", said);
  await page.fill("input:not([type])", "a value");
  await page.setInputFiles("[multiple]", chosen);
  await page.setInputFiles("[webkitdirectory]", join(t.folder, "photos"));
  return page;
}

test("forms: what Chromium sends by itself", async (t) => {
  const page = await open(t);
  await page.click("button");
  await page.waitForURL("**/parts");
  assert.deepEqual(seen(JSON.parse(await page.textContent("pre"))), wanted);
});

test("forms: what Chromium sends by fetch", async (t) => {
  const page = await open(t);
  const parts = await page.evaluate(async () => {
    const form = new FormData(document.querySelector("form"));
    form.append('a "b"\rc', "one\rtwo\n");
    form.append("blob", new Blob(["blob"]));
    form.append("file", new File(["file"], 'a "b"\r\nc/d\re.txt', { type: "text/plain;charset=utf-8" }));
    return (await fetch("parts", { method: "POST", body: form })).json();
  });
  assert.deepEqual(seen(parts), [
    ...wanted,
    field('a "b"\r\nc', "one\r\ntwo\r\n"),
    row("blob", "blob", "application/octet-stream", "blob"),
    row("file", "d_e.txt", "text/plain", "file"),
  ]);
});

// The page of apps/upload: what is sent is seen in all tabs as it moves, and what becomes of it.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { screenshot, test } from "./lib.mjs";
import { assertMoved, choose, download, file, hashOf, isLive, MB, note, row, throttle } from "./uploading.mjs";

async function serve(t, env) {
  const server = await t.serve(["apps/upload", "--workers", "2", "--data", `${t.folder}/data`], { env });
  const list = (name, ...options) => (existsSync(name) ? readdirSync(name, ...options) : []);
  const folder = `${t.folder}/data/uploads`; // with one for files, in which each owner has one, and one for what goes on
  server.stored = () => list(`${folder}/upload`, { recursive: true }).filter((name) => name.includes("/"));
  server.isEmpty = async () => {
    while (server.stored().length > 0 || list(`${folder}/tus`).length > 0) await server.rest();
  };
  server.rest = () => fetch(`${server.url}/demo`); // something that takes a moment
  return server;
}

async function enter(t, server, { name = "ann", ...options } = {}) {
  const page = await t.page(options);
  await page.goto(server.url);
  await page.fill("#name", name);
  await page.click("#enter button");
  await isLive(page);
  return page;
}

async function otherTab(t, page, server) {
  const tab = await t.tab(page.context());
  await tab.goto(server.url);
  await isLive(tab);
  return tab;
}

const large = (t, name, pieces) => file(t, name, Buffer.concat(Array(pieces).fill(Buffer.alloc(MB, name))));
const rows = (page, list) => page.locator(`#${list} .name`).allTextContents();

// As the browser does with what is dragged from a folder of the desktop.
async function drop(page, paths) {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await session.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
  }
}

const hasFocus = (page, id) => page.waitForFunction((one) => document.activeElement.id === one, id);
const isSaid = (page, text) => page.getByRole("status").filter({ hasText: text }).waitFor({ state: "attached" });

// How far the edge of what is filled in is from what it lies on, as WCAG 2.2 reckons (1.4.11).
const contrastOf = (page, selector) => page.$eval(selector, (one) => {
  const { borderTopColor, backgroundColor } = getComputedStyle(one);
  const [edge, paper] = [borderTopColor, backgroundColor].map((color) => {
    const [r, g, b] = color.match(/[\d.]+/g).map((part) => (part <= 10 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  });
  return Math.max(edge, paper) / Math.min(edge, paper);
});

const assertFits = async (page) =>
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));

test("upload: 200 MB move in two tabs, and are the same at the end", async (t) => {
  const server = await serve(t);
  const path = large(t, "large.bin", 200);
  const page = await enter(t, server);
  const tab = await otherTab(t, page, server);
  const other = await enter(t, server, { name: "ben" });
  await note(page, "transfers");
  await note(tab, "runs");
  await note(other, "runs");
  await throttle(page, 60 * MB);
  await choose(page, path);
  await row(tab, "runs", "you, elsewhere").waitFor();
  await row(other, "runs", "ann").waitFor();
  await page.locator("#totals", { hasText: /^0 of 1 · [\d.]+ MB of 200 MB · [\d.]+ MB\/s · .+ left$/ }).waitFor();
  await page.waitForFunction(() => document.querySelector("#transfers progress")?.value > 0.4);
  await screenshot(page, "upload-sending");
  await screenshot(tab, "upload-elsewhere");
  await row(page, "transfers", "done · 200 MB").waitFor();
  for (const one of [page, tab, other]) await row(one, "files", "large.bin").waitFor();
  for (const one of [page, tab, other]) await assertMoved(one);
  const [id] = server.stored();
  assert.equal(hashOf(`${t.folder}/data/uploads/upload/${id}`), hashOf(path));
  assert.equal(hashOf(await download(page, "large.bin")), hashOf(path));
});

// Begins an upload with that tag, and cancels it.
async function cancelOne(server, name, tag) {
  const token = await (await fetch(`${server.url}/demo/token`, { method: "POST", body: name })).text();
  const ask = (method, path, options) =>
    fetch(server.url + path, { method, headers: { Authorization: `Bearer ${token}` }, ...options });
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1000)) });
  const sent = ask("PUT", `/files/x?tag=${tag}`, { body, duplex: "half" }).catch(() => undefined);
  let run;
  while (!run) run = (await (await ask("GET", "/files")).json()).running.find(({ owner }) => owner === name);
  assert.equal((await ask("DELETE", `/uploads/${run.id}`)).status, 204);
  await sent;
}

test("upload: nobody else's upload is taken for one of the page's", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server);
  const tagged = page.waitForRequest(/tag=/);
  await throttle(page, MB);
  await choose(page, large(t, "large.bin", 4));
  await cancelOne(server, "ben", new URL((await tagged).url()).searchParams.get("tag"));
  await row(page, "files", "large.bin").waitFor();
  await row(page, "transfers", "done").waitFor();
});

for (const [kind, pieces] of [["short", 8], ["long", 40]]) {
  test(`upload: a ${kind} one that another tab cancels is cancelled here, and nothing is left; it can be retried`, async (t) => {
    const server = await serve(t);
    const page = await enter(t, server, { expected: /409|ERR_/ });
    const tab = await otherTab(t, page, server);
    await throttle(page, 0.3 * MB);
    await choose(page, large(t, "large.bin", pieces));
    await row(page, "transfers", "large.bin").waitFor();
    await page.evaluate(() => new Promise((done) => { // it warns of leaving only while something is unsent
      const event = new Event("beforeunload", { cancelable: true });
      dispatchEvent(event);
      done(event.defaultPrevented);
    })).then((warns) => assert.ok(warns));
    await tab.getByRole("button", { name: "Cancel: large.bin" }).click();
    await row(page, "transfers", "cancelled").waitFor();
    await tab.locator("#others").waitFor({ state: "hidden" });
    await server.isEmpty();
    assert.ok(await page.evaluate(() => dispatchEvent(new Event("beforeunload", { cancelable: true }))));
    await throttle(page, -1);
    await page.click("#retry-all");
    await row(page, "transfers", "done").waitFor();
    await row(tab, "files", "large.bin").waitFor();
  });
}

for (const [kind, pieces] of [["short", 8], ["long", 10]]) {
  test(`upload: of a ${kind} one that is cancelled here others hear so; all can be cancelled at once`, async (t) => {
    const server = await serve(t);
    const page = await enter(t, server, { expected: /409|ERR_/ });
    const other = await enter(t, server, { name: "ben" });
    await throttle(page, 0.5 * MB);
    await choose(page, ["a", "b", "c", "d", "e"].map((name) => large(t, `${name}.bin`, pieces)));
    await other.waitForFunction(() => document.querySelectorAll("#runs > li").length === 3); // at most three at once
    await page.getByRole("button", { name: "Cancel: a.bin" }).click();
    await row(page, "transfers", "a.bin").locator("text=cancelled").waitFor();
    await row(other, "runs", "d.bin").waitFor();
    await page.click("#cancel-all");
    await hasFocus(page, "retry-all");
    await other.locator("#others").waitFor({ state: "hidden" });
    await page.locator('#transfers [data-state="cancelled"]').nth(4).waitFor();
    await server.isEmpty();
  });
}

test("upload: one that is over when it is cancelled is shown as it ended", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { expected: /404/ });
  await page.route("**/uploads/*", (route) => route.fulfill({ status: 404 }), { times: 1 });
  await throttle(page, 0.3 * MB);
  await choose(page, large(t, "a.bin", 3));
  await page.waitForFunction(() => document.querySelector("#transfers progress")?.value > 0.1);
  await page.getByRole("button", { name: "Cancel: a.bin" }).click();
  await throttle(page, -1);
  await row(page, "transfers", "done · 3.0 MB").waitFor();
  await isSaid(page, "1 uploaded");
});

test("upload: twenty files and a folder are dropped, with their paths", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server);
  mkdirSync(`${t.folder}/photos/2026`, { recursive: true });
  const paths = Array.from({ length: 20 }, (_, i) => file(t, `file ${String(i).padStart(2, "0")}.txt`, `${i}`));
  for (let i = 0; i < 120; i++) file(t, `photos/2026/${i}.txt`, `${i}`); // more than a folder gives at once
  file(t, "photos/list.txt", "list");
  await drop(page, [...paths, `${t.folder}/photos`]);
  await page.waitForFunction(() => document.querySelectorAll("#files > li").length === 141);
  await page.waitForFunction(() => document.querySelector("#totals").textContent.startsWith("141 of 141"));
  const names = new Set(await rows(page, "files"));
  for (const name of ["file 00.txt", "file 19.txt", "photos/list.txt", "photos/2026/0.txt", "photos/2026/119.txt"]) {
    assert.ok(names.has(name), name);
  }
  assert.equal(await page.locator("#live").textContent(), "141 uploaded");
  await screenshot(page, "upload-dropped");
  await page.click("#clear");
  await page.locator("#uploads").waitFor({ state: "hidden" });
});

test("upload: what is pasted, and a folder that is chosen, is sent", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server);
  await page.evaluate(() => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File(["pasted"], "pasted.txt"));
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
  });
  await row(page, "files", "pasted.txt").waitFor();
  await isSaid(page, "1 uploaded");
  mkdirSync(`${t.folder}/notes`);
  for (const name of ["one", "two"]) file(t, `notes/${name}.txt`, name);
  await page.setInputFiles("#folder-input", `${t.folder}/notes`);
  await row(page, "files", "notes/one.txt").waitFor();
  await isSaid(page, "2 uploaded");
});

test("upload: a name that is taken is asked for once; deleting can be undone; a link is for everybody", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { expected: /ERR_FAILED/ });
  await isSaid(page, "live");
  await hasFocus(page, "choose");
  const paths = ["a.txt", "b.txt"].map((name) => file(t, name, `first ${name}`));
  await choose(page, paths);
  await row(page, "files", "b.txt").waitFor();
  await row(page, "files", "a.txt").waitFor();
  for (const [answer, wanted] of [["Keep both", ["a (2).txt", "a.txt", "b (2).txt", "b.txt"]],
    ["Replace", ["a (2).txt", "a.txt", "b (2).txt", "b.txt"]], ["Skip these", ["a (2).txt", "a.txt", "b (2).txt", "b.txt", "c.txt"]]]) {
    await page.click("#clear");
    await hasFocus(page, "choose");
    await choose(page, answer === "Skip these" ? [...paths, file(t, "c.txt", "c")] : paths);
    await page.getByRole("heading", { name: "2 names are taken" }).waitFor();
    if (answer === "Keep both") await screenshot(page, "upload-collision");
    await page.getByRole("button", { name: answer }).click();
    await page.locator('#transfers [data-state="done"]').nth(answer === "Skip these" ? 0 : 1).waitFor();
    await page.waitForFunction((count) => document.querySelectorAll("#files > li").length === count, wanted.length);
    assert.deepEqual((await rows(page, "files")).sort(), wanted);
  }
  await page.getByRole("button", { name: "Delete: c.txt" }).click();
  await row(page, "files", "c.txt").waitFor({ state: "detached" });
  await screenshot(page, "upload-undo");
  await page.getByRole("button", { name: "Undo" }).click();
  await hasFocus(page, "files-title");
  await isSaid(page, "Restored c.txt");
  await row(page, "files", "c.txt").waitFor();
  await page.getByRole("button", { name: "Delete: c.txt" }).click();
  await row(page, "files", "c.txt").waitFor({ state: "detached" }); // a page that is left takes what it asked along
  await page.reload();
  await page.getByText("Recently deleted").click();
  await row(page, "deleted", /c\.txt.*gone in [45](\.\d)? min/).waitFor();
  await page.getByRole("button", { name: "Restore: c.txt" }).click();
  await row(page, "files", "c.txt").waitFor();

  await page.getByRole("button", { name: "Share: a.txt" }).click();
  await page.route("**/share", (route) => route.abort(), { times: 1 });
  await page.click("#share-make");
  await isSaid(page.locator("#share"), "No link: the connection broke off; try again");
  await page.click("#share-make");
  await isSaid(page.locator("#share"), "The link is made.");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.click("#share-copy");
  await isSaid(page.locator("#share"), "Copied");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.inputValue("#share-link"));
  await page.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(new Error("NotAllowedError")); });
  await page.click("#share-copy");
  await isSaid(page.locator("#share"), "does not let the page copy");
  assert.equal(await page.evaluate(() => getSelection().toString()), await page.inputValue("#share-link"));
  await screenshot(page, "upload-share");
  const answer = await fetch(await page.inputValue("#share-link"));
  assert.equal(await answer.text(), "first a.txt");
});

test("upload: text and images are shown, what is too large is told before it is sent", async (t) => {
  const server = await serve(t, { UPLOAD_LIMIT: "1MB", UPLOAD_QUOTA: "2MB" });
  const page = await enter(t, server);
  const png = await page.evaluate(() => { // a picture, as a canvas makes it
    const canvas = Object.assign(document.createElement("canvas"), { width: 400, height: 240 });
    const context = canvas.getContext("2d");
    context.fillStyle = "#0b6b7d";
    context.fillRect(0, 0, 400, 240);
    context.fillStyle = "#fff";
    context.fillRect(40, 60, 320, 120);
    return canvas.toDataURL().split(",")[1];
  });
  await choose(page, [file(t, "picture.png", Buffer.from(png, "base64")),
    file(t, "page.html", "<script>document.title = 'owned'</script>\n".repeat(30)), large(t, "too large.bin", 2)]);
  await row(page, "transfers", "it has 2.0 MB, and a file may have 1.0 MB").waitFor();
  await page.getByRole("button", { name: "Preview: picture.png" }).click();
  await page.waitForFunction(() => document.querySelector("#preview img")?.naturalWidth === 400);
  await screenshot(page, "upload-image");
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Preview: page.html" }).click();
  await page.locator("#preview pre", { hasText: "<script>document.title" }).waitFor();
  await screenshot(page, "upload-text");
  assert.equal(await page.title(), "Files · Weir");
});

test("upload: a server that is killed and comes back has what it answered, and the page says what it has lost", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { expected: /ERR_|401/ });
  await choose(page, file(t, "kept.txt", "kept"));
  await row(page, "files", "kept.txt").waitFor();
  await throttle(page, 0.3 * MB);
  await choose(page, large(t, "half.bin", 8));
  await page.waitForFunction(() => document.querySelector('#transfers [data-state="sending"] progress')?.value > 0);
  await server.stop("SIGKILL");
  await choose(page, file(t, "late.txt", "late"));
  for (const name of ["half.bin", "late.txt"]) {
    await row(page, "transfers", name).locator("text=the connection broke off; try again").waitFor();
  }
  await page.getByRole("button", { name: "Delete: kept.txt" }).click();
  await page.locator("#toasts", { hasText: "the connection broke off; try again" }).waitFor();
  await screenshot(page, "upload-broken");
  const again = await t.serve(["apps/upload", "--workers", "2", "--data", `${t.folder}/data`], { listen: server.address });
  await isLive(page);
  assert.deepEqual(await rows(page, "files"), ["kept.txt"]);
  await throttle(page, -1);
  await page.getByRole("button", { name: "Retry: half.bin" }).click();
  await row(page, "files", "half.bin").waitFor();
  assert.ok(again.url);
});

const secret = "s".repeat(32);

// As `weir token` makes it.
function tokenFor(sub, seconds) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub, upload: "write", exp: Math.floor(Date.now() / 1000) + seconds };
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

async function showToken(page, seconds, sub = "ann") {
  await page.fill("#token", tokenFor(sub, seconds));
  await page.click("#show-token button");
}

// The app below another one, as the README has it, for tokens that end on time.
async function serveMounted(t) {
  const [line] = readFileSync("apps/upload/README.md", "utf8").match(/export \* from .*?;/);
  for (const [from, to] of [["upload", "upload"], ["public", "files"]]) {
    cpSync(`apps/upload/${from}`, `${t.folder}/app/${to}`, { recursive: true });
  }
  writeFileSync(`${t.folder}/app/files/weir.js`, line);
  t.file("app/app.lua", ["local app = require('weir').app()",
    `app:mount("/upload", require "upload" { secret = "${secret}", leeway = 0 })`,
    'app:static("/upload", "files")', "return app"]);
  return t.serve([`${t.folder}/app`, "--data", `${t.folder}/data`]);
}

async function enterMounted(t, server, seconds) {
  const page = await t.page({ expected: /40[14]/ }); // no demo is there
  await page.goto(`${server.url}/upload/`);
  await showToken(page, seconds);
  await isLive(page);
  return page;
}

test("upload: mounted in another app the page is there, and goes on with another token when its own has expired", async (t) => {
  const page = await enterMounted(t, await serveMounted(t), 6);
  await throttle(page, MB);
  await choose(page, ["a", "b", "c", "d"].map((name) => large(t, `${name}.bin`, 10)));
  await page.getByRole("alert").filter({ hasText: "Your token has expired." }).waitFor();
  await hasFocus(page, "token");
  await screenshot(page, "upload-expired");
  await page.getByRole("button", { name: "Cancel: a.bin" }).click();
  await row(page, "transfers", "a.bin").locator("text=cancelled").waitFor();
  await row(page, "transfers", "d.bin").locator("text=waiting").waitFor();
  await throttle(page, -1);
  await showToken(page, 600, "ben");
  await page.getByRole("alert").filter({ hasText: "it is not one of ann" }).waitFor();
  await showToken(page, 600);
  await isLive(page);
  for (const name of ["b.bin", "c.bin", "d.bin"]) await row(page, "files", name).waitFor();
  await hasFocus(page, "choose");
});

test("upload: what a refused token stops is sent with the next one", async (t) => {
  const page = await enterMounted(t, await serveMounted(t), 600);
  await page.route("**/files/a.txt*", (route) => route.fulfill({ status: 401 }), { times: 1 });
  await choose(page, file(t, "a.txt", "a"));
  await page.getByRole("alert").filter({ hasText: "Your token has expired." }).waitFor();
  await row(page, "transfers", "waiting").waitFor();
  await showToken(page, 600);
  await row(page, "files", "a.txt").waitFor();
  await page.route("**/share", (route) => route.fulfill({ status: 401 }), { times: 1 });
  await page.getByRole("button", { name: "Share: a.txt" }).click();
  await page.click("#share-make");
  await hasFocus(page, "token");
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1200, 390]) {
    const name = `${colorScheme}-${width}`;
    test(`upload: the page fits a window ${width} wide, ${colorScheme}`, async (t) => {
      const server = await serve(t);
      const options = { viewport: { width, height: 800 }, colorScheme, expected: /409|ERR_/ };
      const door = await t.page(options);
      await door.goto(server.url);
      await door.waitForSelector("#enter:visible");
      await screenshot(door, `upload-enter-${name}`);
      for (const one of ["#name", "#token", "#share-for", "#share-link"]) assert.ok(await contrastOf(door, one) >= 3, one);
      const page = await enter(t, server, options);
      const other = await enter(t, server, { name: "ben", expected: /409|ERR_/ });
      await choose(page, [file(t, "a name that is longer than a narrow window is wide, so that it takes two lines.txt", "x"),
        file(t, "notes.md", "# Notes"), file(t, "archive.zip", "PK\x03\x04")]);
      await page.locator('#transfers [data-state="done"]').nth(2).waitFor();
      await throttle(page, MB);
      await throttle(other, MB);
      await choose(other, large(t, "from ben.bin", 20));
      await choose(page, [large(t, "large.bin", 30), large(t, "another.bin", 10)]);
      await page.waitForFunction(() => document.querySelector("#transfers progress:not([hidden])")?.value > 0.05);
      await row(page, "runs", "ben").waitFor();
      await page.getByRole("button", { name: "Delete: notes.md" }).click();
      await page.getByRole("button", { name: "Undo" }).waitFor();
      for (const one of await page.locator("summary").all()) await one.click();
      await screenshot(page, `upload-${name}`);
      await page.screenshot({ path: join(process.env.SCREENSHOTS ?? "build/screenshots", `upload-whole-${name}.png`), fullPage: true });
      await assertFits(page);
      await page.click("#cancel-all");
      await other.click("#cancel-all");
      await page.locator("#others").waitFor({ state: "hidden" });
    });
  }
}

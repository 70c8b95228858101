// The page of apps/upload: long files go on, whatever becomes of the network, the tab, the browser and the server.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { screenshot, test } from "./lib.mjs";
import { choose, file, hashOf, isLive, MB, row, throttle } from "./uploading.mjs";

const SIZE = 40; // MB
const HALF = SIZE / 2;
const FILE = 64 * 1024; // bytes by which a connection that carries a file is known
const MODIFIED = 1_764_500_000; // s, Unix time

// Its bytes tell where they belong.
function large(t, name, pieces = SIZE) {
  const bytes = Buffer.alloc(pieces * MB);
  for (let at = 0; at < bytes.length; at += 8) bytes.writeDoubleLE(at, at);
  const path = file(t, name, bytes);
  utimesSync(path, MODIFIED, MODIFIED);
  return path;
}

async function serve(t, { listen, env } = {}) {
  const server = await t.serve(["apps/upload", "--workers", "2", "--data", `${t.folder}/data`], { listen, env });
  server.ask = async (method, path, { headers, body } = {}) => {
    const token = await (await fetch(`${server.url}/demo/token`, { method: "POST", body: "ann" })).text();
    const answer = await fetch(new URL(path, server.url), { method, headers: { ...headers, Authorization: `Bearer ${token}` }, body });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
    return answer;
  };
  server.get = (path) => server.ask("GET", path);
  return server;
}

async function enter(t, server, { name = "ann", ...options } = {}) {
  const page = await t.page(options);
  await open(page, server, name);
  return page;
}

async function open(page, server, name) {
  await page.goto(server.url);
  if (name) {
    await page.fill("#name", name);
    await page.click("#enter button");
  }
  await isLive(page);
}

const isHalf = (page, list = "transfers") =>
  page.waitForFunction((id) => document.querySelector(`#${id} progress`)?.value > 0.45, list);

// The file is there once, with the bytes that were sent, and nothing else.
async function assertWhole(server, path, name) {
  const list = await (await server.get("files")).json();
  assert.deepEqual(list.files.map((one) => one.name), [name]);
  assert.deepEqual(list.running, []);
  assert.equal(list.files[0].sha256, hashOf(path));
  assert.equal(list.used, list.files[0].size);
}

const EXPECTED = /ERR_|409|net::|Failed to load/;

test("resume: a long file is verified at its end", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server);
  const path = large(t, "large.bin");
  await choose(page, path);
  await row(page, "transfers", `done · ${SIZE}.0 MB · verified: SHA-256 ${hashOf(path).slice(0, 8)}… on both sides`).waitFor();
  await screenshot(page, "resume-verified");
  await assertWhole(server, path, "large.bin");
});

const arrived = async (server) => {
  const [run] = (await (await server.get("files")).json()).running;
  return run?.progress.received;
};

const base64 = (text) => Buffer.from(text).toString("base64");

// Brings the first half of a file, as the page would have done another day.
async function bringHalf(server, path, name) {
  const bytes = readFileSync(path), ends = 64 * 1024;
  const print = createHash("sha256").update(`${name}\0${bytes.length}\0${MODIFIED * 1000}\0`);
  print.update(bytes.subarray(0, ends)).update(bytes.subarray(-ends));
  const version = { "Tus-Resumable": "1.0.0" };
  const { headers } = await server.ask("POST", "/tus", { headers: {
    ...version, "Upload-Length": String(bytes.length),
    "Upload-Metadata": `filename ${base64(name)},fingerprint ${base64(print.digest("hex"))},collision ${base64("keep")}`,
  } });
  await server.ask("PATCH", headers.get("Location"), {
    headers: { ...version, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream" },
    body: bytes.subarray(0, HALF * MB),
  });
}

// Has the page go on with a file of which half is there. It crawls, so that it is not over before the test has done what
// it wants to, however slow the machine is; who wants the rest of it mends the throttle.
async function beginHalf(t, page, server, name = "large.bin") {
  const path = large(t, name);
  await throttle(page, 0.2 * MB);
  await bringHalf(server, path, name);
  await choose(page, path);
  for (const end = Date.now() + 20_000; !(await arrived(server) > HALF * MB + FILE);) assert.ok(Date.now() < end, "nothing comes");
  await isHalf(page);
  return path;
}

// What has gone out over the wire in all of the page's requests with bodies.
function countSent(page) {
  const counts = { bytes: 0 };
  page.on("request", (request) => {
    if (request.method() === "PATCH") counts.from ??= [];
    if (request.method() === "PATCH") counts.from.push(Number(request.headers()["upload-offset"]));
  });
  return counts;
}

// A wire to the server: { url, cut(), mend(), hold() }. What is held goes no further, and nobody is told: the connections
// that carry a file. For pages that are closed: those are throttled no more, and all could be there before they are gone.
async function wireTo(t, server) {
  const { hostname, port } = new URL(server.url);
  const sockets = new Set();
  let isCut = false;
  const wire = createServer((near) => {
    const far = isCut ? near : connect(Number(port), hostname);
    for (const one of [near, far]) {
      sockets.add(one);
      one.on("error", () => {}).on("close", () => {
        sockets.delete(one);
        near.destroy();
        far.destroy();
      });
    }
    if (isCut) near.destroy();
    else near.pipe(far).pipe(near);
  });
  const cut = () => {
    isCut = true;
    for (const one of sockets) one.destroy();
  };
  await new Promise((done) => wire.listen(0, "127.0.0.1", done));
  t.closes(() => {
    cut();
    wire.close();
  });
  return {
    url: `http://127.0.0.1:${wire.address().port}`,
    cut,
    mend() { isCut = false; },
    hold() { for (const one of sockets) if (one.bytesRead > FILE) one.unpipe(); },
  };
}

test("resume: a network that is lost at half comes back, and it goes on, with a speed that is true", async (t) => {
  const server = await serve(t);
  const wire = await wireTo(t, server);
  const page = await enter(t, wire, { expected: EXPECTED });
  const sent = countSent(page);
  const path = await beginHalf(t, page, server);
  wire.cut();
  await row(page, "transfers", "the connection broke off; it goes on by itself").waitFor();
  await page.getByRole("status").filter({ hasText: "large.bin: the connection broke off" }).waitFor({ state: "attached" });
  await screenshot(page, "resume-network-cut");
  await throttle(page, 2 * MB);
  wire.mend();
  await page.waitForFunction(() => document.querySelector("#transfers progress")?.value > 0.6);
  const totals = await page.locator("#totals", { hasText: "MB/s" }).textContent();
  const speed = Number(totals.match(/ · ([\d.]+) MB\/s · /)?.[1]);
  assert.ok(speed > 0 && speed < HALF, totals); // and not what was there before
  await screenshot(page, "resume-network-back");
  await page.getByRole("status").filter({ hasText: "large.bin goes on" }).waitFor({ state: "attached" });
  await throttle(page, -1);
  await row(page, "transfers", "verified").waitFor();
  assert.ok(sent.from.every((offset) => offset >= HALF * MB), `${sent.from}`);
  await assertWhole(server, path, "large.bin");
});

test("resume: a tab that crashes at half leaves what came; the file dropped in another tab goes on", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { expected: EXPECTED });
  const tab = await t.tab(page.context(), { expected: EXPECTED });
  await open(tab, server);
  const chooser = tab.waitForEvent("filechooser", { timeout: 60_000 }); // from now on: the browser takes a while to intercept it
  chooser.catch(() => {});
  const path = await beginHalf(t, page, server);
  await row(tab, "runs", "you, elsewhere").waitFor();
  page.wire.send("Page.crash").catch(() => {});
  await page.waitForEvent("crash");
  await row(tab, "left", "drop the file again to go on").waitFor();
  await screenshot(tab, "resume-tab-crashed");
  const before = await arrived(server);
  assert.ok(before > HALF * MB, `${before}`);
  const sent = countSent(tab);
  await tab.getByRole("button", { name: "Choose the file: large.bin" }).focus();
  await tab.keyboard.press("Enter");
  await (await chooser).setFiles(path);
  await row(tab, "transfers", "verified").waitFor();
  await tab.locator("#unfinished").waitFor({ state: "hidden" });
  assert.equal(sent.from[0], before);
  await assertWhole(server, path, "large.bin");
});

test("resume: in a browser that is started again the same file goes on", async (t) => {
  const server = await serve(t);
  const wire = await wireTo(t, server);
  const first = await t.profile(`${t.folder}/profile`);
  const page = await t.tab(first, { expected: EXPECTED });
  await open(page, wire, "ann");
  const path = await beginHalf(t, page, server);
  wire.hold();
  await first.close();
  wire.cut();
  wire.mend();
  const again = await t.profile(`${t.folder}/profile`);
  const next = await t.tab(again, { expected: EXPECTED });
  await open(next, wire); // it knows who it is
  await row(next, "left", "drop the file again to go on").waitFor();
  await screenshot(next, "resume-browser-restarted");
  const sent = countSent(next);
  await choose(next, path);
  await row(next, "transfers", "verified").waitFor();
  assert.ok(sent.from[0] > HALF * MB, `${sent.from}`);
  await screenshot(next, "resume-browser-done");
  await assertWhole(server, path, "large.bin");
});

test("resume: a server that is killed at half and comes back goes on by itself, and has lost nothing", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { expected: EXPECTED });
  const sent = countSent(page);
  const path = await beginHalf(t, page, server);
  await server.stop("SIGKILL");
  await row(page, "transfers", "the connection broke off; it goes on by itself").waitFor();
  await screenshot(page, "resume-server-killed");
  const again = await serve(t, { listen: server.address });
  await throttle(page, -1);
  await row(page, "transfers", "verified").waitFor();
  assert.ok(!(await page.isVisible("#others"))); // though the stream may not be back yet
  await screenshot(page, "resume-server-back");
  assert.ok(sent.from.every((offset) => offset >= HALF * MB), `${sent.from}`);
  await assertWhole(again, path, "large.bin");
});

test("resume: paused in one tab, resumed in another, by keyboard", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { expected: EXPECTED });
  const tab = await t.tab(page.context(), { expected: EXPECTED });
  await open(tab, server);
  const path = await beginHalf(t, page, server);
  await page.getByRole("button", { name: "Pause: large.bin" }).focus();
  await page.keyboard.press("Enter");
  await row(page, "transfers", "paused · ").waitFor();
  await page.getByRole("status").filter({ hasText: "Paused large.bin" }).waitFor({ state: "attached" });
  assert.equal(await page.evaluate(() => document.activeElement.ariaLabel), "Resume: large.bin");
  await row(tab, "left", "paused · ").waitFor();
  await screenshot(page, "resume-paused-here");
  await screenshot(tab, "resume-paused-there");
  assert.ok(await page.evaluate(() => dispatchEvent(new Event("beforeunload", { cancelable: true })))); // nothing is lost
  const before = await arrived(server);
  await tab.getByRole("button", { name: "Resume: large.bin" }).focus();
  await tab.keyboard.press("Enter");
  await row(tab, "runs", "you, elsewhere · receiving").waitFor();
  assert.ok(await arrived(server) >= before);
  await tab.getByRole("button", { name: "Pause: large.bin" }).click();
  await row(page, "transfers", "paused · ").waitFor();
  await page.getByRole("button", { name: "Resume: large.bin" }).click();
  await throttle(page, -1);
  await row(page, "transfers", "verified").waitFor();
  await row(tab, "files", "large.bin").waitFor();
  await tab.locator("#unfinished").waitFor({ state: "hidden" });
  await assertWhole(server, path, "large.bin");
});

test("resume: what is paused while the network is lost is paused everywhere when it is back", async (t) => {
  const server = await serve(t);
  const wire = await wireTo(t, server);
  const page = await enter(t, wire, { expected: EXPECTED });
  const other = await enter(t, server, { expected: EXPECTED });
  const path = await beginHalf(t, page, server);
  wire.cut();
  await row(page, "transfers", "the connection broke off; it goes on by itself").waitFor();
  await page.getByRole("button", { name: "Pause: large.bin" }).click();
  await row(page, "transfers", "paused · ").waitFor();
  await row(other, "left", "drop the file again to go on").waitFor();
  wire.mend();
  await row(other, "left", "paused · ").waitFor();
  await throttle(page, -1);
  await other.getByRole("button", { name: "Resume: large.bin" }).click();
  await row(page, "transfers", "verified").waitFor();
  await assertWhole(server, path, "large.bin");
});

test("resume: a second tab with the same file watches, and goes on when the first is closed", async (t) => {
  const server = await serve(t);
  const wire = await wireTo(t, server);
  const page = await enter(t, wire, { expected: EXPECTED });
  const tab = await t.tab(page.context(), { expected: EXPECTED });
  await open(tab, wire);
  const path = await beginHalf(t, page, server);
  await choose(tab, path);
  await row(tab, "transfers", "sent by another tab or machine").waitFor();
  await screenshot(tab, "resume-second-tab");
  assert.equal((await (await server.get("files")).json()).running.length, 1);
  const sent = countSent(tab);
  wire.hold();
  await page.close();
  await row(tab, "transfers", "verified").waitFor();
  assert.ok(sent.from[0] > HALF * MB, `${sent.from}`);
  await assertWhole(server, path, "large.bin");
});

test("resume: another machine with the same file takes over, and the first one watches", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { expected: EXPECTED });
  const other = await enter(t, server, { expected: EXPECTED }); // a profile of its own
  const path = await beginHalf(t, page, server);
  await throttle(other, 0.2 * MB);
  await choose(other, path);
  await row(page, "transfers", "sent by another tab or machine").waitFor();
  await screenshot(page, "resume-taken-over");
  await throttle(other, -1);
  await row(other, "transfers", "verified").waitFor();
  await row(page, "transfers", `done · ${SIZE}.0 MB`).waitFor();
  await assertWhole(server, path, "large.bin");
});

test("resume: one that has expired says so, until it is discarded", async (t) => {
  const server = await serve(t, { env: { UPLOAD_EXPIRES: "5s" } });
  const page = await enter(t, server, { expected: /410|Failed to load/ });
  const tab = await t.tab(page.context());
  await open(tab, server);
  await beginHalf(t, page, server);
  await page.getByRole("button", { name: "Pause: large.bin" }).click();
  await row(tab, "left", "expired: nothing of it came for too long").waitFor();
  await row(page, "transfers", "it has expired: nothing of it came for too long; upload it anew").waitFor();
  await screenshot(page, "resume-expired-here");
  await tab.reload();
  await row(tab, "left", "expired: nothing of it came for too long").waitFor();
  await screenshot(tab, "resume-expired-there");
  await tab.getByRole("button", { name: "Discard: large.bin" }).click();
  await tab.locator("#unfinished").waitFor({ state: "hidden" });
  await tab.getByRole("status").filter({ hasText: "Discarded large.bin" }).waitFor({ state: "attached" });
  await throttle(page, -1);
  await page.getByRole("button", { name: "Retry: large.bin" }).click();
  await row(page, "transfers", "verified").waitFor();
});

test("resume: what has become another file meanwhile is no file there, and begins anew", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { expected: /460|Failed to load|ERR_/ });
  const path = await beginHalf(t, page, server);
  await page.reload();
  await row(page, "left", "drop the file again to go on").waitFor();
  const bytes = readFileSync(path);
  bytes[5 * MB]++; // in what has come already, where no fingerprint looks
  writeFileSync(path, bytes);
  utimesSync(path, MODIFIED, MODIFIED);
  await throttle(page, -1);
  await choose(page, path);
  await row(page, "transfers", "what has come is not the file that was to be sent: its SHA-256 is another one").waitFor();
  await screenshot(page, "resume-changed");
  assert.equal((await (await server.get("files")).json()).files.length, 0);
  await page.getByRole("button", { name: "Retry: large.bin" }).click();
  await row(page, "transfers", "verified").waitFor();
  await assertWhole(server, path, "large.bin");
});

test("resume: a file that was changed is another one, and what was begun can be discarded", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { expected: EXPECTED });
  await beginHalf(t, page, server);
  await page.reload();
  await row(page, "left", "drop the file again to go on").waitFor();
  const path = file(t, "large.bin", Buffer.alloc(SIZE * MB, "another"));
  await throttle(page, -1);
  await choose(page, path);
  await page.locator("#toasts", { hasText: "large.bin is not the file that was begun: it was changed since" }).waitFor();
  await row(page, "transfers", "verified").waitFor();
  await screenshot(page, "resume-another");
  await page.getByRole("button", { name: "Discard: large.bin" }).click();
  await page.locator("#unfinished").waitFor({ state: "hidden" });
  await assertWhole(server, path, "large.bin");
});

test("resume: what is unfinished has its room; what does not fit is told", async (t) => {
  const server = await serve(t, { env: { UPLOAD_QUOTA: `${SIZE + 10}MB` } });
  const page = await enter(t, server, { expected: EXPECTED });
  const path = await beginHalf(t, page, server);
  await page.reload();
  await row(page, "left", "drop the file again to go on").waitFor();
  await page.locator("#room", { hasText: "10.0 MB of your 50.0 MB left" }).waitFor();
  await throttle(page, -1);
  await choose(page, large(t, "more.bin", 11));
  await row(page, "transfers", "it has 11.0 MB, and you have room for 10.0 MB; delete some files").waitFor();
  await choose(page, path);
  await row(page, "transfers", "verified").waitFor();
});

for (const [colorScheme, width] of [["light", 390], ["dark", 1200]]) {
  test(`resume: the page fits a window ${width} wide, ${colorScheme}`, async (t) => {
    const server = await serve(t);
    const page = await enter(t, server, { viewport: { width, height: 800 }, colorScheme, expected: EXPECTED });
    await beginHalf(t, page, server, "a name that is longer than a narrow window is wide, so that it takes two lines.bin");
    await page.reload();
    await row(page, "left", "drop the file again to go on").waitFor();
    await throttle(page, 4 * MB);
    await choose(page, [large(t, "paused.bin"), large(t, "sent.bin")]);
    await page.getByRole("button", { name: "Pause: paused.bin" }).click();
    await isHalf(page, "transfers > li:not([data-state=paused])");
    await screenshot(page, `resume-${colorScheme}-${width}`);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  });
}

import assert from "node:assert/strict";
import { readFileSync, utimesSync, readdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { runAll, test } from "./lib.mjs";
import { choose, file, hashOf, isLive, MB, row, throttle } from "./uploading.mjs";
const seed0 = Number(process.env.SEED ?? 1), rounds = Number(process.env.ROUNDS ?? 5);
function rng(seed) { return () => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed / 2147483648; }; }
for (let r = 0; r < rounds; r++) test(`soak ${seed0 + r}`, async (t) => {
  const random = rng(seed0 + r + 7); for (let i = 0; i < 5; i++) random();
  let server = await t.serve(["apps/upload", "--workers", "2", "--data", `${t.folder}/data`]);
  const { hostname, port } = new URL(server.url);
  const sockets = new Set(); let isCut = false;
  const wire = createServer((near) => {
    const far = isCut ? near : connect(Number(port), hostname);
    for (const one of [near, far]) { sockets.add(one); one.on("error", () => {}).on("close", () => { sockets.delete(one); near.destroy(); far.destroy(); }); }
    if (isCut) near.destroy(); else near.pipe(far).pipe(near);
  });
  await new Promise((d) => wire.listen(0, "127.0.0.1", d)); t.closes(() => wire.close());
  const url = `http://127.0.0.1:${wire.address().port}`;
  const open = async (context) => { const page = await (context ? t.tab(context, { expected: /./ }) : t.page({ expected: /./ })); await page.goto(url); if (!context) { await page.fill("#name", "ann"); await page.click("#enter button"); } await isLive(page); await throttle(page, 12 * MB); return page; };
  const bytes = Buffer.alloc(60 * MB); for (let at = 0; at < bytes.length; at += 8) bytes.writeDoubleLE(at + r, at);
  const path = file(t, "large.bin", bytes); utimesSync(path, 1_764_500_000, 1_764_500_000);
  const context0 = await open(); const context = context0.context();
  const tabs = [context0, await open(context)];
  const log = []; t.remarks.push(log);
  await choose(tabs[0], path);
  const holder = new Set([tabs[0]]);
  const rest = (ms) => new Promise((d) => setTimeout(d, ms));
  for (let i = 0; i < 10; i++) {
    await rest(100 + random() * 900);
    const what = ["cut", "kill", "pause", "resume", "drop", "close", "reload"][Math.floor(random() * 7)];
    const k = Math.floor(random() * tabs.length), tab = tabs[k];
    log.push(`${what} ${k}`);
    try {
      if (what === "cut") { isCut = true; for (const one of sockets) one.destroy(); await rest(random() * 1000); isCut = false; }
      if (what === "kill") { await server.stop("SIGKILL"); await rest(random() * 500); server = await t.serve(["apps/upload", "--workers", "2", "--data", `${t.folder}/data`], { listen: `127.0.0.1:${port}` }); }
      if (what === "pause") await tab.getByRole("button", { name: "Pause: large.bin" }).click({ timeout: 300 });
      if (what === "resume") await tab.getByRole("button", { name: "Resume: large.bin" }).click({ timeout: 300 });
      if (what === "drop") { await choose(tab, path); holder.add(tab); }
      if (what === "close" || what === "reload") { await tab.close(); tabs[k] = await open(context); }
    } catch (e) { log.push(String(e.message).split("\n")[0]); }
    const dialogs = await Promise.all(tabs.map((one) => one.locator("#collision[open]").count()));
    if (dialogs.some((n) => n)) { log.push("taken: done"); break; }
  }
  isCut = false;
  const token = await (await fetch(`${server.url}/demo/token`, { method: "POST", body: "ann" })).text();
  const list = async () => (await fetch(`${server.url}/files`, { headers: { Authorization: `Bearer ${token}` } })).json();
  const end = Date.now() + 60_000; let last;
  for (;;) {
    last = await list();
    if (last.files.length && !last.running.length) break;
    if (Date.now() > end) throw new Error("not done: " + JSON.stringify(last.running) + " " + log.join(", ") + "\n" + (await Promise.all(tabs.map((one) => one.locator("main").innerText()))).join("\n----\n"));
    for (const tab of tabs) {
      for (const name of ["Resume: large.bin", "Retry: large.bin"]) await tab.getByRole("button", { name }).click({ timeout: 100 }).catch(() => {});
      if (last.running.length && (await tab.locator("#left", { hasText: "drop the file again" }).count())) { log.push("drop at end"); await choose(tab, path); }
    }
    await rest(500);
  }
  assert.equal(last.files.length, 1, JSON.stringify(last.files.map((f) => f.name)) + log.join(", "));
  assert.equal(last.files[0].sha256, hashOf(path));
  const up = `${t.folder}/data/uploads`;
  for (const tab of tabs) await tab.waitForFunction(() => !document.querySelector("#left li") && !document.querySelector("#runs li"));
  console.log("#", log.join(", "), "|", (await Promise.all(tabs.map((one) => one.locator("#transfers .said").allTextContents()))).join(" / "), readdirSync(up + "/tus").length);
});
await runAll();

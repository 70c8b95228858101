// apps/upload in Chromium through a front, which browser_spec.lua starts. Prints TAP.
//
//   FRONT        where the front is, with TLS
//   ANN, BEN     their tokens
//   NODE_MODULES as of tests/browser/run.mjs

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { runAll, test } from "../browser/lib.mjs";
import { assertMoved, choose, download, file, hashOf, isLive, MB, note, row, throttle } from "../browser/uploading.mjs";

// A page that is signed in, and by which protocol it got what, by paths: performance.getEntries has no stream that is open.
async function enter(t, token) {
  const page = await t.page({ ignoreHTTPSErrors: true });
  const session = await page.context().newCDPSession(page);
  const protocols = {};
  session.on("Network.responseReceived", ({ response: { url, protocol } }) => { protocols[new URL(url).pathname] = protocol; });
  await session.send("Network.enable");
  await page.goto(process.env.FRONT);
  await page.fill("#token", token);
  await page.click("#show-token button");
  await isLive(page);
  return { page, protocols };
}

// It is so slow that it would take a quarter of a minute, until the other page has seen it move.
test("an upload moves in two pages over HTTP/2, and is the same at the end", async (t) => {
  const { page, protocols } = await enter(t, process.env.ANN);
  const { page: other, protocols: others } = await enter(t, process.env.BEN);
  const path = file(t, "large.bin", randomBytes(30 * MB));
  await note(page, "transfers");
  await note(other, "runs");
  await throttle(page, 2 * MB);
  await choose(page, path);
  await row(other, "runs", "ann").waitFor();
  await other.waitForFunction(() => window.noted.length >= 5);
  assert.equal(await page.locator("#transfers > li").getAttribute("data-state"), "sending");
  await throttle(page, -1);
  await row(page, "transfers", "done").waitFor();
  await row(other, "files", "large.bin").waitFor();
  await assertMoved(page);
  await assertMoved(other);
  assert.equal(hashOf(await download(other, "large.bin")), hashOf(path));
  const sent = Object.keys(protocols).find((way) => way.startsWith("/tus/")); // a long file goes by weir.tus
  assert.deepEqual([protocols["/events"], protocols[sent], others["/events"]], ["h2", "h2", "h2"]);
});

await runAll();

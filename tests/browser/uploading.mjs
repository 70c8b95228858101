// What is done with the page of apps/upload, and what is seen on it, whoever serves it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const MB = 1 << 20;

export const isLive = (page) => page.waitForSelector('#state[data-state="open"]');

export function file(t, name, bytes) {
  const path = join(t.folder, name);
  writeFileSync(path, bytes);
  return path;
}

// So many bytes a second, so that there is something to see; -1: as many as there are.
export async function throttle(page, bytes) {
  page.wire ??= await page.context().newCDPSession(page);
  const session = page.wire;
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions",
    { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytes });
}

export const choose = (page, paths) => page.setInputFiles("#files-input", paths);
export const row = (page, list, text) => page.locator(`#${list} > li`, { hasText: text });

// Notes each value of the first bar of a list.
export const note = (page, list) => page.evaluate((id) => {
  window.noted = [];
  const look = () => {
    const value = document.querySelector(`#${id} progress`)?.value;
    if (value > 0 && value < 1 && value !== window.noted.at(-1)) window.noted.push(value);
  };
  new MutationObserver(look).observe(document.getElementById(id), { subtree: true, attributes: true, childList: true });
}, list);

export async function assertMoved(page) {
  const noted = await page.evaluate(() => window.noted);
  assert.ok(noted.length >= 5, `${noted}`);
  assert.deepEqual(noted, [...noted].sort((a, b) => a - b));
}

export const hashOf = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

// What the page's button gives, which keeps its name: the path of a copy.
export async function download(page, name) {
  const button = page.getByRole("button", { name: `Download: ${name}` });
  const [given] = await Promise.all([page.waitForEvent("download"), button.click()]);
  assert.equal(given.suggestedFilename(), name);
  return given.path();
}

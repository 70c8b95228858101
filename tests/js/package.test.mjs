// What npm packs, and what the build joins, are the same module.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as source from "../../lua/js/weir.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const names = Object.keys(source).sort();

function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "weir-js-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("package: what npm packs can be imported", async (t) => {
  const path = folder(t);
  const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", path], { cwd: join(root, "lua/js"), encoding: "utf8" });
  execFileSync("tar", ["-xzf", join(path, packed.trim()), "-C", path]);
  const module = await import(pathToFileURL(join(path, "package/weir.js")));
  assert.deepEqual(Object.keys(module).sort(), names);
});

test("package: what every server serves has the same names, and no others", async (t) => {
  const path = join(folder(t), "weir.mjs");
  copyFileSync(join(process.env.BUILD ?? join(root, "build/must"), "weir.js"), path);
  const module = await import(pathToFileURL(path));
  assert.deepEqual(Object.keys(module).sort(), names);
  assert.deepEqual(names, ["EventParser", "Stream", "StreamError", "Streams", "readLines"]);
});

// What uploads cost on which nobody works.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { BODY, tus } from "./answers.table.mjs";
import { plain } from "./cutter.mjs";
import { Dice } from "./dice.mjs";
import { World } from "./world.mjs";

const COUNT = 1000, TOGETHER = 20;

// Begins to send bytes, and breaks off when some are on the disk.
async function breakOff({ url, root }, path) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  const fields = Object.entries({ ...tus, "Content-Type": BODY, "Upload-Offset": 0, "Content-Length": 1000 });
  socket.write(`PATCH ${path} HTTP/1.1\r\nHost: x\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\nhalf of it`);
  const file = join(root, path.split("/").pop());
  while (statSync(file).size === 0) await new Promise(setImmediate);
  socket.resetAndDestroy();
}

test(`${COUNT} unfinished uploads cost no descriptor`, { timeout: 60_000 }, async (t) => {
  const world = new World(new Dice(1));
  t.after(() => world.end());
  await world.start();
  world.quiet = true;
  const descriptors = () => readdirSync(`/proc/${world.server.process.pid}/fd`).length;
  const make = async (i) => {
    const length = { "Upload-Length": 1000, "Upload-Metadata": `name ${Buffer.from(`${i}`).toString("base64")}` };
    const answer = await plain(world.url, "POST", "/files", { ...tus, ...length });
    assert.equal(answer.status, 201);
    await breakOff(world, answer.headers.location);
  };
  await make(0); // after which all is open that a server opens once
  const before = descriptors();
  for (let i = 0; i < COUNT; i += TOGETHER) await Promise.all(Array.from({ length: TOGETHER }, (_, j) => make(i + j)));
  while (descriptors() > before) await new Promise((done) => setTimeout(done, 5));
  assert.equal(world.names().filter((name) => name.endsWith(".json")).length, COUNT + 1);
});

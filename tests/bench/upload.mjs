// upload: npm's busboy on Node, as a peer of upload.lua: each file of a multipart form to a file of its own, synced once.
//
//   upload.mjs NODE_MODULES FOLDER
//
// One process. Files are numbered, no name is made safe, and none appears late. What breaks off ends it, so that nothing
// false is measured.
import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

const [modules, folder] = process.argv.slice(2);
const busboy = createRequire(import.meta.url)(join(modules, "busboy"));
let files = 0;

async function save(file) {
  const path = join(folder, `${++files}`);
  await pipeline(file, createWriteStream(path));
  const handle = await open(path); // any descriptor syncs the file
  await handle.datasync();
  await handle.close();
}

const server = createServer(async (request, response) => {
  const parser = busboy({ headers: request.headers });
  const saved = [];
  parser.on("file", (_, file) => saved.push(save(file)));
  await pipeline(request, parser);
  await Promise.all(saved);
  response.end("ok");
});
server.listen(0, "127.0.0.1", () => console.log(`busboy: listening on http://127.0.0.1:${server.address().port}`));

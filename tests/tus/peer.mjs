// npm's @tus/server, with what the app of this folder has: the other side of answers.test.mjs.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { modules } from "../browser/lib.mjs";

const load = (path) => import(pathToFileURL(join(modules, path)));
const { Server } = await load("@tus/server/dist/index.js");
const { FileStore } = await load("@tus/file-store/dist/index.js");

// `age`: after how many milliseconds an upload expires.
export async function startPeer({ age }) {
  const folder = mkdtempSync(join(tmpdir(), "weir-peer-"));
  const server = new Server({
    path: "/files",
    datastore: new FileStore({ directory: folder, expirationPeriodInMilliseconds: age }),
    maxSize: 64 << 20,
    relativeLocation: true,
    allowedOrigins: ["https://app.example"],
    onUploadCreate: async (_, { metadata }) => {
      if (metadata?.name === "refused") throw { status_code: 403, body: "no such uploads here" };
      return {};
    },
  });
  const listener = server.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    url: `http://127.0.0.1:${listener.address().port}`,
    folder,
    end: () => {
      listener.closeAllConnections();
      listener.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

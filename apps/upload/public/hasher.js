// A worker that hashes a file, which is its one message, beside the page: answers { sha256 } or { error }.

import { Sha256 } from "./sha256.js";

const PIECE = 4 * 2 ** 20; // bytes

addEventListener("message", async ({ data: file }) => {
  try {
    const hash = new Sha256();
    for (let at = 0; at < file.size; at += PIECE) {
      hash.add(new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer()));
    }
    postMessage({ sha256: hash.hex() });
  } catch (error) {
    postMessage({ error: error.name });
  }
});

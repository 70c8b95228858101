// Another reader of event streams, and streams to ask it about.

import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const modules = process.env.NODE_MODULES ?? join(root, "build/node/node_modules");
const path = createRequire(join(modules, "x.cjs")).resolve("eventsource-parser");
const { createParser } = await import(pathToFileURL(path));

// What eventsource-parser makes of a text: [type, data] of each event.
export function oracle(text) {
  const events = [];
  createParser({ onEvent: ({ event = "message", data }) => events.push([event || "message", data]) }).feed(text);
  return events;
}

// A text of lines and parts of lines, drawn from a number. It ends with an LF, since only at the end would a CR alone
// be read in two ways.
export function randomStream(seed) {
  let state = seed * 2654435761;
  const below = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const parts = ["data", ":", " ", "x", "é", "😀", "\n", "\n", "\r\n", "\r", "data: y\n", "data:\n", "event: e\n", "id: 1\n",
    "retry: 5\n", ": c\n", "\0", "\n\n", "event", "foo: bar\n"];
  return `${Array.from({ length: 1 + below(40) }, () => parts[below(parts.length)]).join("")}\n`;
}

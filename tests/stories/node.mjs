// The clients that run in Node.

import { createRequire } from "node:module";
import { join } from "node:path";
import { modules } from "../browser/lib.mjs";
import { inHead } from "./cutter.mjs";

const require = createRequire(join(modules, "of-the-stories.js"));
const parserStream = require("eventsource-parser/stream");

// Whatever has the interface of EventSource, and gives up for good at 204.
function listen(source, note) {
  const say = ({ lastEventId: id, type: event, data }) => note({ id, event, data });
  source.addEventListener("message", say);
  source.addEventListener("said", say);
  source.addEventListener("weir.gap", ({ data }) => note({ gap: JSON.parse(data) }));
  source.addEventListener("weir.end", ({ data }) => note({ end: JSON.parse(data) }));
  source.addEventListener("error", () => {
    if (source.readyState === source.CLOSED) note({ over: "given up" });
  });
}

function eventSource(t, EventSource, address, note) {
  const source = new EventSource(address);
  t.closes(() => source.close());
  listen(source, note);
}

// A parser needs somebody who comes back; this is what its readers write.
async function readAgain(t, address, note) {
  const controller = new AbortController();
  t.closes(() => controller.abort());
  const { signal } = controller;
  for (let lastId; !signal.aborted;) {
    try {
      const answer = await fetch(address, { headers: lastId ? { "Last-Event-ID": lastId } : {}, signal });
      if (answer.status === 204) return note({ over: "204" });
      const events = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(new parserStream.EventSourceParserStream());
      for await (const { id, event = "message", data } of events) {
        lastId = id;
        const named = { "weir.gap": "gap", "weir.end": "end" }[event];
        note(named ? { [named]: JSON.parse(data) } : { id, event, data });
      }
    } catch (error) {
      if (!(error instanceof TypeError) && !signal.aborted) throw error; // a TypeError is a connection that broke
    }
  }
}

export const nodeClients = [
  {
    name: "EventSource of Node",
    start: async (t, url, path, note) => eventSource(t, globalThis.EventSource, url + path, note),
    cutter: { spare: inHead }, // an answer without a whole head is the last that it asks for
  },
  {
    name: "eventsource 4",
    start: async (t, url, path, note) => eventSource(t, require("eventsource").EventSource, url + path, note),
  },
  {
    name: "eventsource-parser 3",
    start: async (t, url, path, note) => void readAgain(t, url + path, note),
  },
];

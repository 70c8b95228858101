// Clients of others, unmodified, read topics of the real program through a proxy that cuts. Prints TAP. Arguments are
// parts of names: run.mjs htmx Turbo.
//
//   WEIR, NODE_MODULES  as of tests/browser/run.mjs; Node is given --experimental-eventsource
//   STORIES_SEED        repeats a run

import { runAll } from "../browser/lib.mjs";
import { nodeClients } from "./node.mjs";
import { pageClients } from "./pages.mjs";
import { seed } from "./random.mjs";
import { story } from "./story.mjs";

console.log(`# STORIES_SEED=${seed}`);
for (const client of [...nodeClients, ...pageClients]) story(client);
await runAll();

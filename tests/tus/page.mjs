// tus-js-client as browsers have it, on a page of another origin, in Chromium: through a network that loses, to a server
// that dies. Prints TAP.
//
//   WEIR, NODE_MODULES  as of tests/browser/run.mjs
//   TUS_SEED, TUS_COUNT as of uploads.test.mjs

import { join } from "node:path";
import { modules, runAll, test } from "../browser/lib.mjs";
import { PAGE } from "./answers.table.mjs";
import { Dice } from "./dice.mjs";
import { drawPlan } from "./plan.mjs";
import { Story, stored, swept } from "./story.mjs";
import { World } from "./world.mjs";

const first = Number(process.env.TUS_SEED ?? 1);
const count = Number(process.env.TUS_COUNT ?? 12);
const together = 3;
const deadline = 60_000; // ms
const MOST = 300_000; // bytes, which come to the page as text

// What runs in the page: to the URL in the end.
function upload({ name, text, endpoint, metadata, options, protocol }) {
  const note = (...words) => window.note(name, ...words);
  const creates = (req) => req.getMethod() === "POST" && !req._headers?.["X-HTTP-Method-Override"];
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Promise((done, fail) => {
    const client = new window.tus.Upload(new Blob([bytes]), {
      ...options, chunkSize: options.chunkSize ?? Infinity, endpoint, metadata, metadataForPartialUploads: metadata, protocol,
      retryDelays: Array.from({ length: 300 }, (_, i) => (i % 10) * 2),
      storeFingerprintForResuming: false,
      onBeforeRequest: (req) => note("asks", req.getMethod(), creates(req)),
      onAfterResponse: (req, res) => note("hears", req.getMethod(), req.getURL(), creates(req), res.getStatus(),
        { offset: res.getHeader("Upload-Offset") ?? undefined, location: res.getHeader("Location") ?? undefined }),
      // The last request of parallel parts is not tried again where the network failed: whoever looks at the page does.
      onError: (error) => (options.parallelUploads && !error.originalRequest ? client.start() : fail(error)),
      onSuccess: () => done(client.url),
    });
    client.start();
  });
}

// A page cannot be told what is drawn for the others: no acts; nor may an answer's head end early, which Chromium takes for
// a whole one.
function pagePlan(number) {
  const plan = drawPlan(number);
  const { client, options } = plan;
  for (const cut of plan.cuts) {
    if (cut.manner === "stall") cut.manner = "ghost";
    if (cut.manner === "end" && cut.side === "answered") cut.manner = "reset";
  }
  const protocol = client.startsWith("ietf") ? client : "tus-v1";
  return { ...plan, client: "page", protocol, size: Math.min(plan.size, MOST), source: "buffer", acts: [], options };
}

async function live(page, world, stories, plan) {
  const story = new Story(world, plan);
  stories.set(story.name, story);
  await story.begin();
  const { endpoint, metadata, name } = story;
  const options = { ...plan.options, chunkSize: Number.isFinite(plan.options.chunkSize) ? plan.options.chunkSize : undefined };
  const asked = { name, text: story.bytes.toString("base64"), endpoint, metadata, options, protocol: plan.protocol };
  const late = new Promise((_, fail) => setTimeout(fail, deadline, new Error(`${name} takes too long`)).unref());
  late.catch(() => {});
  story.complete = await Promise.race([page.evaluate(upload, asked), story.trouble, late, world.failed]);
  await story.cutter.settle();
}

test(`tus-js-client on a page: ${count} uploads from seed ${first} on are what they were`, async (t) => {
  const world = new World(new Dice(-first));
  t.closes(() => world.end());
  await world.start();
  // A page of the internet may not ask a server of this machine, unless its user has said so.
  const browser = await t.launch({ args: ["--disable-features=LocalNetworkAccessChecks"] });
  const page = await t.page({ browser, expected: /Failed to load resource|blocked by CORS policy/ }); // where they were cut
  await page.route(`${PAGE}/**`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Page</title>" }));
  await page.goto(`${PAGE}/`);
  await page.addScriptTag({ path: join(modules, "tus-js-client/dist/tus.min.js") });
  const stories = new Map();
  await page.exposeFunction("note", (name, what, ...words) => stories.get(name)[what](...words));
  let n = 0;
  await Promise.all(Array.from({ length: together }, async () => {
    while (n < count) await live(page, world, stories, pagePlan(first + n++));
  }));
  await world.settle();
  const ledger = Map.groupBy(world.ledger(), ({ metadata }) => metadata.name);
  await swept(world, []);
  const there = stored(world);
  for (const story of stories.values()) {
    t.remarks.splice(0, Infinity, JSON.stringify({ ...story.plan, dice: undefined }), ...story.log.slice(-40));
    story.verify(ledger.get(story.name) ?? [], there.get(story.name) ?? []);
  }
  const cuts = [...stories.values()].reduce((sum, { cutter }) => sum + cutter.made, 0);
  console.log(`# ${count} uploads by a page, ${world.kills} kills, ${cuts} cuts`);
});

await runAll();
process.exit(); // also where an upload that has failed left others

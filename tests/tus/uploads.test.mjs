// Uploads that live through a plan each, several at a time, to a server that is killed again and again.
//
//   TUS_SEED=1    the number of the first; its plan is the same each time
//   TUS_COUNT=40  how many

import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { byOthers } from "./clients.mjs";
import { Dice } from "./dice.mjs";
import { byHand } from "./hand.mjs";
import { drawPlan } from "./plan.mjs";
import { Story, stored, swept } from "./story.mjs";
import { World } from "./world.mjs";

const first = Number(process.env.TUS_SEED ?? 1);
const count = Number(process.env.TUS_COUNT ?? 40);
const together = 6;
const deadline = 60_000; // ms: what takes longer hangs

async function live(world, plan) {
  const story = new Story(world, plan);
  await story.begin();
  const client = plan.client === "hand" ? byHand : byOthers;
  let timer;
  const late = new Promise((_, fail) => (timer = setTimeout(fail, deadline, new Error("it takes too long"))));
  try {
    await Promise.race([client(story), late, world.failed]);
    await Promise.race([story.cutter.settle(), late, world.failed]);
  } catch (error) {
    story.failure ??= error;
    story.cutter.close();
  }
  clearTimeout(timer);
  return story;
}

function explain({ plan: { dice: _, ...plan }, log }, error) {
  return [`upload ${plan.number} (TUS_SEED=${plan.number} TUS_COUNT=1 has its plan, not its times)`, error.stack ?? error,
    inspect(plan, { depth: 4, breakLength: 120 }), ...log.slice(-40)].join("\n");
}

test(`${count} uploads from seed ${first} on are what they were`, { timeout: 60_000 + 2000 * count }, async (t) => {
  const world = new World(new Dice(-first));
  t.after(() => world.end());
  await world.start();
  const stories = [];
  let n = 0;
  await Promise.all(Array.from({ length: together }, async () => {
    while (n < count) stories.push(await live(world, drawPlan(first + n++)));
  }));
  await world.settle();
  const ledger = Map.groupBy(world.ledger(), ({ metadata }) => metadata.name);
  await swept(world, stories.flatMap((story) => story.swept(ledger.get(story.name) ?? [])));
  const there = stored(world);
  const failures = [];
  for (const story of stories) {
    try {
      story.verify(ledger.get(story.name) ?? [], there.get(story.name) ?? []);
    } catch (error) {
      failures.push(explain(story, error));
    }
  }
  const sum = (of) => stories.reduce((all, story) => all + of(story), 0);
  const cuts = sum(({ cutter }) => cutter.made), aged = sum((story) => story.aged), expired = sum((story) => story.expired);
  t.diagnostic(`${count} uploads, ${world.kills} kills, ${cuts} cuts; ${expired} of ${aged} have expired`);
  assert.ok(expired >= aged / 2, `${aged} times uploads became old, of which ${expired} were told to have gone`);
  if (failures.length) {
    console.error(world.log.split("\n").slice(-40).join("\n"));
    const list = failures.map((text) => text.split("\n", 2).join(": ")).join("\n");
    assert.fail(`${failures.length} of ${count}:\n${list}\n\n${failures.slice(0, 5).join("\n\n")}`);
  }
});

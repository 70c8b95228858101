// What one upload is to live through, drawn from its number.

import { Dice } from "./dice.mjs";

const MOST = 4 << 20; // bytes
const MANNERS = ["reset", "reset", "end", "ghost", "ghost", "stall"];

function drawCut(dice) {
  const manner = dice.of(MANNERS);
  if (dice.one(3)) return { side: "answered", after: 1 + dice.below(4), place: dice.below(1000) / 1000, manner };
  return { side: "asked", place: dice.one(3) ? 1 + dice.below(500) : dice.size(1, MOST / 2), manner };
}

// What happens to an upload when so much of it has been sent.
function drawActs(dice, most) {
  const acts = Array.from({ length: dice.below(3) }, () => ({ at: dice.below(1000) / 1000, what: dice.of(most) }));
  acts.sort((a, b) => a.at - b.at);
  // Of two clients of an upload that is gone, each would begin a new one.
  const goes = acts.some(({ what }) => what === "terminate" || what === "expire");
  return goes ? acts.filter(({ what }) => what !== "twin") : acts;
}

// As tus-js-client has them.
function drawOptions(dice, client, size) {
  const options = { chunkSize: dice.one(3) ? Infinity : Math.max(1, Math.ceil(size / (1 + dice.below(10)))) };
  if (dice.one(3)) options.uploadDataDuringCreation = true;
  if (client === "tus" && dice.one(3) && size > 4) return { ...options, parallelUploads: 2 + dice.below(3) };
  if (client === "tus" && dice.one(4)) return { ...options, uploadLengthDeferred: true, uploadDataDuringCreation: false };
  if (client === "tus" && dice.one(4)) options.overridePatchMethod = true;
  return options;
}

// What a file lies in: the client reads each in its own way. Of a file in chunks it does not know the end, which it needs
// to tell a length that was deferred; an empty one it cannot send with the creation; a stream it cannot begin anew, and it waits for ever for one that ends with a
// chunk.
function drawSource(dice, client, size, options) {
  if (size === 0 || client === "uppy" || options.parallelUploads) return "buffer";
  const streams = options.chunkSize < size && size > 20_000 && size % options.chunkSize > 0 && dice.one(2);
  if (options.uploadLengthDeferred) return streams ? "stream" : "buffer";
  return dice.one(3) ? "file" : "buffer";
}

const CLIENTS = ["tus", "tus", "tus", "tus", "ietf-draft-03", "ietf-draft-05", "uppy", "uppy", "hand", "hand", "hand"];

// The acts that a client can do. tus-js-client does not come back from a pause in parallel parts, but a second one does.
function actsOf(client, { parallelUploads }, source) {
  if (source === "stream") return ["pause"];
  if (client === "uppy") return ["pause", "other", "other", "expire"]; // it tells nobody what becomes of its DELETE
  if (parallelUploads) return ["other", "other", "terminate"];
  return ["pause", "other", "other", "twin", "terminate", "expire", "expire"];
}

export function drawPlan(number) {
  const dice = new Dice(number);
  const client = dice.of(CLIENTS);
  const size = dice.one(12) ? 0 : dice.one(3) ? dice.size(1, MOST) : dice.below(1 << 20);
  const options = drawOptions(dice, client, size);
  const source = drawSource(dice, client, size, options);
  const acts = drawActs(dice, actsOf(client, options, source));
  const cuts = Array.from({ length: dice.below(7) }, () => drawCut(dice));
  return { number, client, size, options, source, acts, cuts, move: dice.one(4), dice };
}

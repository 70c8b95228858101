// Reads one stream, in a thread of its own (a worker), so that it can stop reading in earnest: while the thread stands
// still, nobody empties the socket. Without that, browsers read on and keep what comes in their own memory, however
// slowly a page takes it, and the server never learns that the reader is slow.

import { Stream } from "./weir.js";

const silence = 5000; // milliseconds without a byte: the connection is dead
const lock = new Int32Array(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer);
const stream = new Stream(new URL(self.name, self.location.href), { silence });

let changes = [];
let gaps = [];

// What has come in one read: to the page, in one message.
function tell() {
  postMessage({ changes, gaps, at: Date.now() / 1000 });
  changes = [];
  gaps = [];
}

function keep(list, value) {
  if (changes.length + gaps.length === 0) queueMicrotask(tell);
  list.push(value);
}

stream.addEventListener("message", ({ data }) => {
  const { symbol, price, time } = JSON.parse(data);
  keep(changes, { symbol, price, time });
});
stream.addEventListener("weir.gap", ({ data }) => keep(gaps, JSON.parse(data)));
stream.addEventListener("weir.state", () => {
  if (stream.state !== "open" && stream.state !== "connecting") postMessage({ lost: true });
});

// Seconds in which the thread stands still.
onmessage = ({ data: seconds }) => {
  Atomics.wait(lock, 0, 0, seconds * 1000);
  postMessage({ awake: true });
};

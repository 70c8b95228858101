// Reads one stream, in a thread of its own (a worker), so that it can stop reading in earnest: while the thread stands
// still, nobody empties the socket. Without that, browsers read on and keep what comes in their own memory, however
// slowly a page takes it, and the server never learns that the reader is slow.

const silence = 5000; // milliseconds without a byte: the connection is dead
const lock = new Int32Array(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer);
const url = new URL(self.name, self.location.href);

let lastId = "";
let controller;
let watchdog;

function expectBytes() {
  clearTimeout(watchdog);
  watchdog = setTimeout(() => controller.abort(), silence);
}

// { name, id, data } of an event's lines.
function parse(text) {
  const event = { name: "message", data: "" };
  for (const line of text.split("\n")) {
    if (line.startsWith("event: ")) event.name = line.slice(7);
    else if (line.startsWith("id: ")) event.id = line.slice(4);
    else if (line.startsWith("data: ")) event.data += line.slice(6);
  }
  return event;
}

// What has come in one read: to the page.
function tell(texts) {
  const changes = [];
  const gaps = [];
  for (const { name, id, data } of texts.map(parse)) {
    if (id) lastId = id;
    if (name === "weir.gap") gaps.push(JSON.parse(data));
    if (name !== "message" || !data) continue;
    const { symbol, price, time } = JSON.parse(data);
    changes.push({ symbol, price, time });
  }
  postMessage({ changes, gaps, at: Date.now() / 1000 });
}

async function read() {
  controller = new AbortController();
  expectBytes();
  const headers = lastId ? { "Last-Event-ID": lastId } : {};
  const response = await fetch(url, { headers, signal: controller.signal });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    expectBytes();
    const texts = (rest + value).split("\n\n");
    rest = texts.pop();
    tell(texts);
  }
}

async function readForever() {
  try {
    await read();
  } catch {
    // The connection broke or was refused: as after its end, once more.
  }
  clearTimeout(watchdog);
  postMessage({ lost: true });
  setTimeout(readForever, 1000);
}

// Seconds in which the thread stands still.
onmessage = ({ data: seconds }) => {
  clearTimeout(watchdog);
  Atomics.wait(lock, 0, 0, seconds * 1000);
  expectBytes();
  postMessage({ awake: true });
};

readForever();

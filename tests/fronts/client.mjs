// What a client lives through with a Weir behind a front; spec files of this folder start both.
// node client.mjs WAY STORY URL [ARGUMENT...] prints what came of it. WAY is "http" (1.1), "h2" or "curl".

import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const { createParser } = createRequire(import.meta.url)(resolve(process.env.NODE_MODULES, "eventsource-parser"));
const [way, story, url, ...args] = process.argv.slice(2);

// Whatever is held back is not waited for forever; the last line says what was.
let stage = "nothing";
setTimeout(() => { console.log(`still waiting for ${stage}`); process.exit(1); }, 60000).unref();

let connections = 0;

// ---- ways: open(method, path, headers) gives { request, response }, both open at the same time -----------------------

const agent = new (url.startsWith("https:") ? https : http).Agent({ keepAlive: true });

function openHttp(method, path, headers = {}) {
  const request = (url.startsWith("https:") ? https : http).request(url + path, { method, headers, agent });
  request.on("socket", () => { connections += request.reusedSocket ? 0 : 1; });
  return { request, response: once(request, "response").then(([body]) => ({ status: body.statusCode, body })) };
}

let session;

function openHttp2(method, path, headers = {}) {
  if (!session || session.closed || session.destroyed) { // nginx has said GOAWAY
    session = http2.connect(url).on("error", () => {});
    connections++;
  }
  const request = session.request({ ":method": method, ":path": path, ...headers }, { endStream: false });
  return { request, response: once(request, "response").then(([head]) => ({ status: head[":status"], body: request })) };
}

// It reads while it sends when its body is ".".
function openCurl(method, path) {
  const body = method === "GET" ? [] : ["-T", "."];
  const trust = url.startsWith("https:") ? ["--cacert", process.env.NODE_EXTRA_CA_CERTS] : [];
  const curl = spawn("curl", ["-sSfN", "--no-progress-meter", ...trust, "-X", method, ...body, url + path], { stdio: ["pipe", "pipe", "inherit"] });
  process.on("exit", () => curl.kill());
  const { stdin, stdout } = curl;
  return { request: stdin, response: once(stdout, "readable").then(() => ({ status: 200, body: stdout })) };
}

const open = { http: openHttp, h2: openHttp2, curl: openCurl }[way];

async function publish(topic, data) {
  const { request, response } = (way === "h2" ? openHttp2 : openHttp)("POST", `/events/${topic}`);
  request.end(data);
  const { status, body: answer } = await response;
  let text = "";
  for await (const piece of answer.setEncoding("utf8")) text += piece;
  if (status !== 200) throw new Error(`publishing: ${status} ${text}`);
}

// The events of an answer as they come.
async function* events({ status, body }) {
  if (status !== 200) throw new Error(`status ${status}`);
  const got = [];
  const parser = createParser({ onEvent: (event) => got.push(event) });
  for await (const piece of body.setEncoding("utf8")) {
    parser.feed(piece);
    yield* got.splice(0);
  }
}

async function subscribe(path, headers) {
  const { request, response } = open("GET", path, headers);
  request.end();
  return events(await response);
}

async function expect(stream, data) {
  stage = data;
  const { value } = await stream.next();
  if (value?.data !== data) throw new Error(`${value?.data} instead of ${data}`);
}

// ---- stories ---------------------------------------------------------------------------------------------------------

const stories = {
  // Each event is published when the one before it has come.
  async receipts(topic, count) {
    const stream = await subscribe(`/events/${topic}`);
    for (let i = 1; i <= count; i++) {
      await publish(topic, `event ${i}`);
      await expect(stream, `event ${i}`);
    }
    return `${count} received`;
  },

  // Each piece is sent when the server has told that it has the one before it: in its answer, or by a topic.
  async pieces(topic, count, size, teller) {
    const watched = teller === "topic" && await subscribe(`/events/${topic}`);
    const { request, response } = open("POST", `/upload/${topic}`, way === "curl" ? {} : { "content-length": count * size });
    let answered;
    for (let i = 1; i <= count; i++) {
      request.write("x".repeat(size));
      stage = `an answer to piece ${i}`;
      const stream = watched || (answered ??= events(await response));
      stage = `word of piece ${i}`;
      for (let told = 0; told !== i * size;) {
        const { value } = await stream.next();
        told = Number(value.data);
        if (!(told <= i * size)) throw new Error(`${value.data} bytes told of ${i * size}`);
      }
    }
    request.end();
    answered ??= events(await response);
    let last;
    for await (const { data } of answered) last = data;
    return `${last} of ${count} received`;
  },

  // Comes back with the last id whenever the stream has ended, while others publish without the front.
  async follow(topic, count, direct) {
    (async () => {
      for (let i = 1; i <= count; i++) await (await fetch(`${direct}/events/${topic}`, { method: "POST", body: `${i}` })).text();
    })();
    const seen = [];
    let streams = 0, id;
    for (; seen.length < count; streams++) {
      stage = `event ${seen.length + 1}`;
      for await (const event of await subscribe(`/short/${topic}`, id && { "last-event-id": id })) {
        seen.push(event.event ?? event.data);
        id = event.id;
      }
    }
    const wrong = seen.findIndex((data, i) => data !== String(i + 1));
    if (wrong >= 0 || seen.length > count) throw new Error(`event ${wrong + 1} is ${seen[wrong]}`);
    return `${count} received, ${streams} streams, ${connections} connections`;
  },
};

try {
  console.log(await stories[story](...args.map((arg) => (/^\d+$/.test(arg) ? Number(arg) : arg))));
  process.exit(0);
} catch (error) {
  console.log(`${error.stack}, waiting for ${stage}`);
  process.exit(1);
}

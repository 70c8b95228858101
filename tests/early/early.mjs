// Clients that are answered before they have sent all of their request: which of them never see the answer.
// node early.mjs PORT BYTES TIMES PATH... prints a line for each client and path that lost some.

import http from "node:http";
import net from "node:net";

const [port, size, times, ...paths] = process.argv.slice(2);
const where = { host: "127.0.0.1", port: Number(port) };
const bytes = Number(size);
const piece = Buffer.alloc(65536, "x");

function* pieces() {
  for (let left = bytes; left > 0; left -= piece.length) yield left < piece.length ? piece.subarray(0, left) : piece;
}

// Node's own client, which writes as fast as it may and listens meanwhile.
function request(path, headers) {
  return new Promise((resolve, reject) => {
    const sent = http.request({ ...where, path, method: "POST", headers, agent: false });
    let over = false;
    sent.on("error", (error) => { over = true; reject(error); });
    sent.on("response", (response) => {
      response.on("error", reject).on("end", () => { over = true; sent.destroy(); resolve(response.statusCode); });
      response.resume();
    });
    const rest = pieces();
    (function write() {
      for (let next = rest.next(); !over; next = rest.next()) {
        if (next.done) return sent.end();
        if (!sent.write(next.value)) return void sent.once("drain", write);
      }
    })();
  });
}

// One that does not read before all is written, as many libraries do: what comes meanwhile waits in the kernel.
function writeFirst(path, head, frame) {
  return new Promise((resolve, reject) => {
    const connection = net.connect(where);
    let text = "";
    connection.setEncoding("latin1").pause().on("error", reject);
    connection.on("data", (data) => { text += data; if (/\r\n\r\n.*\n/.test(text)) done(); }).on("end", done);
    function done() {
      connection.destroy();
      const status = /^(?:HTTP\/1.1 100 [^\r]*\r\n\r\n)?HTTP\/1.1 (\d+)/.exec(text);
      status ? resolve(Number(status[1])) : reject(new Error(`no answer: ${JSON.stringify(text)}`));
    }
    connection.write(`POST ${path} HTTP/1.1\r\nHost: early\r\n${head}\r\n\r\n`);
    const rest = pieces();
    (function write() {
      for (let next = rest.next(); ; next = rest.next()) {
        if (next.done) { connection.write(frame ? "0\r\n\r\n" : ""); return void connection.resume(); }
        if (frame) connection.write(`${next.value.length.toString(16)}\r\n`);
        if (frame) connection.write(next.value);
        if (!connection.write(frame ? "\r\n" : next.value)) return void connection.once("drain", write);
      }
    })();
  });
}

async function post(path, body, more) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body, ...more });
  await response.text();
  return response.status;
}

const clients = {
  "http": (path) => request(path, { "Content-Length": bytes }),
  "http, chunked": (path) => request(path, {}),
  "write first": (path) => writeFirst(path, `Content-Length: ${bytes}`),
  "write first, chunked": (path) => writeFirst(path, "Transfer-Encoding: chunked", true),
  "write first, expect": (path) => writeFirst(path, `Content-Length: ${bytes}\r\nExpect: 100-continue`),
  "fetch": (path) => post(path, Buffer.alloc(bytes, "x")),
  "fetch, a stream": (path) => post(path, new ReadableStream({
    start() { this.rest = pieces(); },
    pull(controller) {
      const { done, value } = this.rest.next();
      done ? controller.close() : controller.enqueue(value);
    },
  }), { duplex: "half" }),
};

for (const path of paths)
  for (const [name, ask] of Object.entries(clients)) {
    const failures = [];
    for (let i = 0; i < Number(times); i++)
      await ask(path).then((status) => status === Number(path.slice(1)) || failures.push(status),
        (error) => failures.push(error.cause?.code ?? error.code ?? error.message));
    if (failures.length) console.log(`${name} ${path}: ${failures.length} of ${times} lost: ${failures[0]}`);
  }

// A server that says what a test wants, and time that passes when it wants.

import { mock } from "node:test";
import { Stream } from "../../lua/js/weir.js";

const hour = 3600_000;
export const start = Date.UTC(2026, 0, 1);

// Runs the body with a clock that stands still, the smallest delays, and a network.
export function withClock(body, { random = 0, onLine = true } = {}) {
  return async (t) => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: start });
    t.mock.method(Math, "random", () => random);
    const network = new EventTarget();
    const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
    Object.defineProperty(globalThis, "navigator", { value: { onLine }, configurable: true, writable: true });
    Object.assign(globalThis, {
      addEventListener: network.addEventListener.bind(network),
      dispatchEvent: network.dispatchEvent.bind(network),
    });
    try {
      await body(t);
    } finally {
      Object.defineProperty(globalThis, "navigator", before);
      delete globalThis.addEventListener;
      delete globalThis.dispatchEvent;
      mock.timers.reset();
    }
  };
}

// All that can happen without time happens.
export async function settle() {
  for (let i = 0; i < 8; i++) await new Promise(setImmediate);
}

// Time passes, in steps so that what is due within is done when it is due.
export async function pass(ms, step = Math.min(ms, hour)) {
  await settle();
  for (let left = ms; left > 0; left -= step) {
    mock.timers.tick(Math.min(step, left));
    await settle();
  }
}

export const now = () => Date.now() - start;

// An answer that is streamed: what it sends is given to whoever asked, until that hangs up.
export class Answer {
  constructor({ status = 200, type = "text/event-stream", headers = {}, text = "", ends = false } = {}) {
    const head = new Headers(type === null ? headers : { "Content-Type": type, ...headers });
    const body = new ReadableStream({
      start: (controller) => { this.controller = controller; },
      cancel: () => { this.hungUp = true; },
    });
    this.hungUp = false;
    if (text) this.send(text);
    if (ends) this.end();
    this.response = status >= 200 ? new Response(status === 204 ? null : body, { status, headers: head }) : undefined;
  }

  send(text) {
    this.controller.enqueue(typeof text === "string" ? new TextEncoder().encode(text) : text);
    return settle();
  }

  end() {
    this.controller.close();
    return settle();
  }

  break() {
    this.controller.error(new TypeError("terminated"));
    return settle();
  }
}

// `answers` are given one after the other, the last again and again: an Answer's options, an Error, or a function of
// (url, init) that gives one of these or a Response. `asked` is what came: { at, url, id, token, init }.
export class Server {
  constructor(...answers) {
    this.answers = answers;
    this.asked = [];
    this.open = [];
    this.fetch = (url, init) => this.#answer(url, init);
  }

  get last() {
    return this.open.at(-1);
  }

  get times() {
    return this.asked.map(({ at }) => at);
  }

  async #answer(url, init) {
    const headers = new Headers(init.headers);
    this.asked.push({ at: now(), url, init, headers, id: headers.get("Last-Event-ID"), token: headers.get("Authorization") });
    let given = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
    if (typeof given === "function") given = await given(url, init);
    init.signal.throwIfAborted();
    if (given instanceof Error) throw given;
    if (given instanceof Response) return given;
    const answer = new Answer(given);
    this.open.push(answer);
    init.signal.addEventListener("abort", () => {
      if (answer.hungUp) return;
      answer.hungUp = true;
      try {
        answer.controller.error(init.signal.reason);
      } catch {
        // It has ended.
      }
    });
    return answer.response;
  }

  // A stream of it, and what it tells: `noted` holds states as "[open]", with the code of their error, and events.
  stream(options = {}, url = "https://example.org/events") {
    const stream = new Stream(url, { fetch: this.fetch, ...options });
    const noted = [];
    stream.addEventListener("weir.state", () => noted.push(`[${stream.state}${stream.error && stream.state !== "connecting" ? ` ${stream.error.code}` : ""}]`));
    for (const type of ["message", "tick", "weir.gap", "weir.auth", "weir.end", "weir.hello"]) {
      stream.addEventListener(type, ({ data }) => noted.push(type === "message" ? data : `${type} ${data}`));
    }
    return Object.assign(stream, { noted });
  }
}

// A token as JSON Web Tokens look, which ends after some seconds.
export function jwt(seconds, claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256" })}.${part({ ...claims, exp: (Date.now() + seconds * 1000) / 1000 })}.c2ln`;
}

// connection: one request after the other, so that there is a stream whenever there can be one.
//
//     connecting --200, text/event-stream--> open --it ended, broke, was silent--> waiting --> connecting
//         |                                   |                                      ^
//         | weir.end, 204: ended              | weir.end: ended                      |
//         | a final error: failed             | a final error: failed                |
//         \--may pass: waiting, or, when there is no network or the attempts are used up, offline --online--
//
// Delays double while connections fail or do not last, so that neither a server that refuses nor one that ends every
// stream at once is asked in a loop. Who was let in with a token that has ended comes back at once with the next, but
// not twice within a few seconds. A connection that is silent for longer than the server lets it be is dead, whatever
// the browser believes; bytes count, so comments do.
//
// It must not know what becomes of events, nor of other tabs: it tells its sink.

import { EventParser, StreamError } from "./events.js";
import { Token } from "./token.js";
import { Watchdog } from "./watchdog.js";

/** @import { ServerEvent } from "./events.js" */
/** @import { TokenOption, TokenValue } from "./token.js" */

/** @typedef {"connecting"|"open"|"waiting"|"offline"|"suspended"|"ended"|"failed"|"closed"} State */

/**
 * What a connection tells, and asks.
 * @typedef {object} Sink
 * @property {(state: State, error?: StreamError, wait?: number) => void} onState
 * @property {(event: ServerEvent) => void} onEvent
 * @property {(bytes: number, lastEventId: string) => void} onBytes behind their events
 * @property {() => string} lastEventId where to go on
 */

/**
 * @typedef {object} ConnectionOptions
 * @property {string} [method] "GET"
 * @property {HeadersInit} [headers]
 * @property {BodyInit} [body] sent each time it connects
 * @property {RequestCredentials} [credentials] "same-origin"
 * @property {TokenOption} [token] sent as `Authorization: Bearer`, or a function that gets it
 * @property {string} [renew] the route that moves the end of an open stream to that of a newer token
 * @property {number} [delay] ms until the first new attempt: 1000, or what the server's `retry:` says
 * @property {number} [maxDelay] ms up to which it doubles: 30000
 * @property {number} [attempts] in a row, after which it waits for the network: no limit
 * @property {number} [silence] ms without a byte after which a connection is dead: 45000, or three times the server's
 *   heartbeat; Infinity: never
 * @property {number} [limit] characters of an event: 10 MB
 * @property {typeof fetch} [fetch]
 */

const STABLE = 5000; // ms: a connection that lasted has begun a new series of attempts
const DAY = 24 * 3600 * 1000; // the longest delay, below what a timer can count
const MOMENT = 100; // the shortest, whatever the server says
const RENEW_EARLY = 60_000; // ms before a token's end, or a fifth of its time
const AGAIN = new Set([408, 425, 429]); // below 500, and may pass

const ended = Symbol("ended");

export class Connection {
  #url;
  #options;
  #sink;
  #token;
  /** @type {AbortController | undefined} */
  #run = undefined;
  #failures = 0; // in a row
  #opened = 0; // when; 0: this attempt is not open
  #atOnce = -Infinity; // when it last came back without a delay
  #refused = false; // the newest attempt, by a 401
  /** The token that the server has seen. @type {TokenValue} */
  #shown = undefined;
  #stale = false; // that one is good no more
  #barred = false; // that one did not let in here: 403
  /** @type {number | undefined} */
  #retry = undefined; // ms, the server's
  #retryAfter = 0; // ms, this answer's
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #renewal = undefined;

  /**
   * @param {string} url
   * @param {ConnectionOptions} options
   * @param {Sink} sink
   * @param {Token} [token] the one that others have too
   */
  constructor(url, options, sink, token = new Token(options.token)) {
    this.#url = url;
    this.#options = options;
    this.#sink = sink;
    this.#token = token;
  }

  /** Connects, now. Nothing is told before this returns. */
  start() {
    this.stop();
    this.#failures = 0;
    this.#refused = false;
    this.#run = new AbortController();
    this.#live(this.#run.signal);
  }

  /** Tells nothing any more. */
  stop() {
    this.#run?.abort();
    this.#run = undefined;
  }

  /** For statistics. */
  get role() {
    return "alone";
  }

  /** @param {AbortSignal} signal */
  async #live(signal) {
    await undefined; // whoever starts it may go on to listen first
    while (!signal.aborted) {
      this.#sink.onState("connecting");
      if (signal.aborted) return;
      this.#opened = this.#retryAfter = 0;
      const error = await this.#attempt(signal).catch(toStreamError);
      if (signal.aborted) return;
      if (error === ended) return this.#sink.onState("ended");
      if (error?.final) return this.#sink.onState("failed", error);
      await this.#pause(error, signal);
    }
  }

  // ---- an attempt ----

  /**
   * To the end of the answer, or throws.
   * @param {AbortSignal} signal
   * @returns {Promise<typeof ended | undefined>}
   */
  async #attempt(signal) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    const watchdog = new Watchdog(this.#options.silence ?? 45_000, (ms) => {
      attempt.abort(new StreamError("silent", `nothing came for ${ms} ms`));
    });
    signal.addEventListener("abort", stop);
    try {
      const response = await this.#ask(attempt.signal);
      return await this.#read(response, attempt.signal, watchdog);
    } catch (error) {
      throw attempt.signal.aborted ? attempt.signal.reason : error;
    } finally {
      signal.removeEventListener("abort", stop);
      watchdog.stop();
      clearTimeout(this.#renewal);
      attempt.abort(); // what is left of the answer, and of a renewal
    }
  }

  /** @param {AbortSignal} signal */
  async #ask(signal) {
    const { method = "GET", body, credentials = "same-origin" } = this.#options;
    const headers = new Headers(this.#options.headers);
    const bare = [...headers].length === 0;
    const token = await this.#authorize();
    const id = this.#sink.lastEventId();
    if (token) headers.set("Authorization", `Bearer ${token}`);
    if (!headers.has("Accept")) headers.set("Accept", "text/event-stream");
    if (id !== "") headers.set("Last-Event-ID", id);
    // What is meant for this server is not for the one to which it would send us.
    const redirect = bare && !token && body === undefined ? "follow" : "manual";
    const ask = this.#options.fetch ?? fetch;
    return ask(this.#url, { method, headers, body, credentials, redirect, cache: "no-store", signal });
  }

  /** The token to send: not the one that was refused. */
  async #authorize() {
    if (this.#barred) await this.#token.renew(); // the same may be let in now
    this.#barred = false;
    let token = await this.#token.get();
    if (this.#stale && token === this.#shown) {
      await this.#token.renew();
      token = await this.#token.get();
      if (token && token === this.#shown) throw new StreamError("auth", "the token that was refused came again", { final: true });
    }
    this.#stale = false;
    this.#shown = token;
    return token;
  }

  /**
   * Throws unless it is a stream.
   * @param {Response} response
   */
  #check({ status, ok, type, headers }) {
    if (status === 401) throw this.#expired("401: no token, or one that is not right", 401);
    if (type === "opaqueredirect" || (status >= 300 && status < 400)) {
      throw new StreamError("redirect", "a redirect, which is not followed with a token, a body or own headers", { status });
    }
    if (!ok) {
      this.#retryAfter = readRetryAfter(headers.get("Retry-After"));
      this.#barred = status === 403;
      const final = status < 500 && !AGAIN.has(status);
      throw new StreamError("status", `the server answered ${status}`, { status, final });
    }
    const mediaType = (headers.get("Content-Type") ?? "").split(";")[0].trim().toLowerCase();
    if (mediaType !== "text/event-stream") {
      throw new StreamError("type", `${mediaType || "an answer without a type"} came, not text/event-stream`, { status });
    }
  }

  /**
   * @param {string} message
   * @param {number} [status]
   */
  #expired(message, status) {
    const final = !this.#token.renewable || (status === 401 && this.#refused);
    this.#refused ||= status === 401;
    this.#stale = true;
    return new StreamError("auth", message, { status, final });
  }

  /**
   * @param {Response} response
   * @param {AbortSignal} signal
   * @param {Watchdog} watchdog
   */
  async #read(response, signal, watchdog) {
    signal.throwIfAborted(); // it was stopped as the answer came
    if (response.status === 204) return ended;
    this.#check(response);
    if (response.body === null) return undefined;
    const parser = new EventParser({ lastEventId: this.#sink.lastEventId(), limit: this.#options.limit });
    const reader = response.body.getReader();
    this.#opened = Date.now();
    this.#refused = false;
    watchdog.heard();
    this.#sink.onState("open");
    this.#renewLater(undefined, signal);
    for (;;) {
      const { value, done } = await reader.read();
      if (signal.aborted || done) return undefined;
      watchdog.heard();
      for (const event of parser.push(value)) {
        this.#sink.onEvent(event);
        if (signal.aborted) return undefined;
        if (event.type === "weir.end") return ended;
        if (event.type === "weir.auth") throw this.#left(event.data);
        if (event.type === "weir.hello") this.#greet(event.data, watchdog, signal);
      }
      this.#retry = parser.retry ?? this.#retry;
      this.#sink.onBytes(value.length, parser.lastEventId);
    }
  }

  // ---- what the server says of the stream ----

  /** The end of a token, told by `weir.auth`. @param {string} data */
  #left(data) {
    const reason = String(parseObject(data).reason);
    if (reason === "expired") return this.#expired("the token has expired");
    return new StreamError("auth", `the token is good no more: ${reason}`, { final: true });
  }

  /**
   * @param {string} data
   * @param {Watchdog} watchdog
   * @param {AbortSignal} signal
   */
  #greet(data, watchdog, signal) {
    const { stream, heartbeat, server_time: time } = parseObject(data);
    if (typeof heartbeat === "number") watchdog.patience = Math.max(1000, 3000 * heartbeat);
    else if (heartbeat === null) watchdog.patience = Infinity;
    if (typeof time === "number") this.#token.setClock(time);
    this.#renewLater(stream, signal);
  }

  /**
   * Gets the next token before this one ends, and shows it to the renewal route; where there is none the next
   * connection has it.
   * @param {unknown} stream the server's number for it
   * @param {AbortSignal} signal
   */
  #renewLater(stream, signal) {
    const left = this.#token.left();
    clearTimeout(this.#renewal);
    if (!this.#token.renewable || left === Infinity || left <= 0 || signal.aborted) return;
    this.#renewal = setTimeout(async () => {
      if (this.#token.left() > RENEW_EARLY) return this.#renewLater(stream, signal); // a timer cannot count that far
      try {
        if (!(await this.#token.renew()) || signal.aborted) return;
        await this.#showToken(stream, signal);
        this.#renewLater(stream, signal);
      } catch {
        // The stream is told when its token ends, and comes back with another.
      }
    }, Math.min(left - Math.min(RENEW_EARLY, left / 5), DAY));
  }

  /**
   * @param {unknown} stream
   * @param {AbortSignal} signal
   */
  async #showToken(stream, signal) {
    const { renew, credentials = "same-origin", fetch: ask = fetch } = this.#options;
    if (renew === undefined || stream === undefined) return;
    const token = await this.#token.get();
    const url = `${renew}${renew.includes("?") ? "&" : "?"}stream=${encodeURIComponent(String(stream))}`;
    const headers = token ? { Authorization: `Bearer ${token}` } : undefined;
    const { ok } = await ask(url, { method: "POST", headers, credentials, signal });
    if (ok) this.#shown = token;
  }

  // ---- between attempts ----

  /**
   * @param {StreamError | undefined} error
   * @param {AbortSignal} signal
   */
  async #pause(error, signal) {
    const now = Date.now();
    if (this.#opened && now - this.#opened >= STABLE) this.#failures = 0;
    if (error?.code === "auth" && now - this.#atOnce >= STABLE) {
      this.#atOnce = now;
      return;
    }
    this.#failures++;
    const offline = error !== undefined && globalThis.navigator?.onLine === false;
    if (offline || this.#failures >= (this.#options.attempts ?? Infinity)) {
      this.#sink.onState("offline", error);
      await untilOnline(signal);
      this.#failures = 0;
    } else {
      const wait = this.#wait();
      this.#sink.onState("waiting", error, wait);
      await untilOnline(signal, wait);
    }
  }

  /** Milliseconds, and up to half as much again, so that not all come at the same time. */
  #wait() {
    const { delay = 1000, maxDelay = 30_000 } = this.#options;
    const first = Math.max(MOMENT, this.#retry ?? delay);
    const doubled = Math.min(Math.max(first, maxDelay), first * 2 ** Math.min(this.#failures - 1, 30));
    return Math.min(DAY, Math.max(doubled, this.#retryAfter) * (1 + Math.random() / 2));
  }
}

/**
 * Until the browser says that there is a network again, or the time has passed.
 * @param {AbortSignal} signal
 * @param {number} [ms]
 * @returns {Promise<void>}
 */
function untilOnline(signal, ms) {
  return new Promise((done) => {
    const over = new AbortController();
    const end = () => {
      clearTimeout(timer);
      over.abort();
      done();
    };
    const timer = ms === undefined ? undefined : setTimeout(end, ms);
    globalThis.addEventListener?.("online", end, { signal: over.signal });
    signal.addEventListener("abort", end, { signal: over.signal });
    if (signal.aborted) end();
  });
}

/** Milliseconds of a Retry-After, a number of seconds or a date. @param {string | null} text */
function readRetryAfter(text) {
  if (text === null) return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? ms : 0; // neither: NaN
}

/** @param {unknown} error */
function toStreamError(error) {
  if (error instanceof StreamError) return error;
  return new StreamError("network", error instanceof Error ? error.message : String(error), { cause: error });
}

/** @param {string} data @returns {Record<string, unknown>} */
function parseObject(data) {
  try {
    return Object(JSON.parse(data));
  } catch {
    return {};
  }
}

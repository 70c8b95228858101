// stream: events of a server, as they come, for as long as the page wants them.
//
// What a page holds: an EventTarget, as EventSource is one, whose events can be iterated over too. Where they come from
// is its source's business: a connection of its own, or the one that all tabs share. Here is what counts for both: the
// state and its telling, statistics, the bounded buffers of slow readers, and that a page which is put away (frozen,
// or in the back/forward cache) lets go of its source and goes on where it was when it comes back.
//
//     suspended <--put away, back--> connecting, open, waiting, offline (connection.js) --> ended | failed | closed

import { Connection } from "./connection.js";
import { LIMIT, StreamError } from "./events.js";
import { Queue } from "./queue.js";
import { Tabs, canShare } from "./tabs.js";

/** @import { ConnectionOptions, Sink, State } from "./connection.js" */
/** @import { ServerEvent } from "./events.js" */

/**
 * @typedef {object} OwnOptions
 * @property {string} [lastEventId] where to go on
 * @property {number} [buffer] events that wait for a slow `for await`: 1000; beyond it the oldest are dropped, and told
 *   by an event `weir.gap`
 * @property {AbortSignal} [signal] closes it
 * @property {boolean | string} [tabs] one connection for all tabs with the same address, options, token and, if it is
 *   text, this text; where the browser cannot, each has its own
 */

/** @typedef {ConnectionOptions & OwnOptions} StreamOptions */

/**
 * Where events come from.
 * @typedef {object} Source
 * @property {() => void} start
 * @property {() => void} stop
 * @property {string} role
 */

/**
 * @typedef {object} Statistics
 * @property {State} state
 * @property {number} connections that were open
 * @property {number} reconnects of them
 * @property {number} messages
 * @property {number} bytes
 * @property {number} age milliseconds since the last event; Infinity: there was none
 * @property {number} errors
 * @property {number} dropped events that a `for await` was too slow for
 * @property {string} role "leader" or "follower" of all tabs, "joining" them, or "alone"
 */

const OVER = new Set(["ended", "failed", "closed"]);

export class Stream extends EventTarget {
  #url;
  #options;
  /** @type {Source} */
  #source;
  /** @type {State} */
  #state = "connecting";
  /** @type {StreamError | undefined} */
  #error = undefined;
  #retryAt = 0;
  #lastEventId;
  #counts = { connections: 0, messages: 0, bytes: 0, errors: 0 };
  #dropped = 0;
  #lastEvent = -Infinity;
  /** @type {Set<Queue<MessageEvent<string>>>} */
  #queues = new Set();
  /** Of the page's own events. @type {AbortController | undefined} */
  #page = undefined;

  /**
   * Connects by itself.
   * @param {string | URL} url
   * @param {StreamOptions} [options]
   */
  constructor(url, options = {}) {
    super();
    this.#url = String(url);
    this.#options = options;
    this.#lastEventId = options.lastEventId ?? "";
    const shares = options.tabs && canShare() && (options.body === undefined || typeof options.body === "string");
    this.#source = new (shares ? Tabs : Connection)(this.#url, options, this.#sink());
    options.signal?.addEventListener("abort", () => this.close());
    if (options.signal?.aborted) this.#state = "closed";
    else this.#begin();
  }

  get url() {
    return this.#url;
  }

  get state() {
    return this.#state;
  }

  /** Why it is not open, as far as it is known. */
  get error() {
    return this.#error;
  }

  /** While it is waiting: the time of the next attempt, as Date.now() tells it; else 0. */
  get retryAt() {
    return this.#retryAt;
  }

  /** Everything up to here has been given. */
  get lastEventId() {
    return this.#lastEventId;
  }

  /** @returns {Statistics} */
  get stats() {
    const { connections } = this.#counts;
    return {
      state: this.#state,
      ...this.#counts,
      reconnects: Math.max(0, connections - 1),
      age: Date.now() - this.#lastEvent,
      dropped: this.#dropped,
      role: this.#source.role,
    };
  }

  /** Tries now, where it waits, has failed or was closed. What has ended stays so. */
  connect() {
    if (this.#state === "open" || this.#state === "connecting" || this.#state === "ended") return;
    if (this.#options.signal?.aborted) return;
    this.#become("connecting");
    if (this.state === "connecting") this.#begin(); // unless a listener has closed it
  }

  /** For good, unless connect() is called. Nothing is given any more. */
  close() {
    if (OVER.has(this.#state)) return;
    this.#source.stop();
    this.#become("closed");
  }

  /**
   * All events from now on, but `weir.hello`. Who is slow loses the oldest, and is told. Ends with the stream, and
   * throws when that has failed; to leave it does not close the stream.
   * @returns {AsyncIterableIterator<MessageEvent<string>>}
   */
  [Symbol.asyncIterator]() {
    const { buffer = 1000, limit = LIMIT } = this.#options;
    /** @type {Queue<MessageEvent<string>>} */
    const queue = new Queue({ count: buffer, size: limit }, (lost) => {
      return new MessageEvent("weir.gap", { data: JSON.stringify({ reason: "overflow", lost }) });
    });
    const leave = () => this.#queues.delete(queue);
    if (OVER.has(this.#state)) queue.end(this.#state === "failed" ? this.#error : undefined);
    else this.#queues.add(queue);
    return {
      next: () => queue.next(),
      return() {
        leave();
        queue.end();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  // ---- what the source tells ----

  /** @returns {Sink} */
  #sink() {
    return {
      onState: (state, error, wait) => this.#become(state, error, wait),
      onEvent: (event) => this.#take(event),
      onBytes: (bytes, lastEventId) => {
        this.#counts.bytes += bytes;
        this.#lastEventId = lastEventId;
      },
      lastEventId: () => this.#lastEventId,
    };
  }

  /** @param {ServerEvent} event */
  #take({ type, data, id }) {
    this.#counts.messages++;
    this.#lastEvent = Date.now();
    this.#lastEventId = id;
    const event = new MessageEvent(type, { data, lastEventId: id });
    if (type !== "weir.hello") {
      for (const queue of this.#queues) this.#dropped += queue.push(event, data.length);
    }
    this.dispatchEvent(event);
  }

  /**
   * @param {State} state
   * @param {StreamError} [error]
   * @param {number} [wait]
   */
  #become(state, error, wait = 0) {
    if (error) this.#counts.errors++;
    if (state === "open") this.#counts.connections++;
    if (state !== "connecting") this.#error = error; // which still says why it connects again
    this.#state = state;
    this.#retryAt = state === "waiting" ? Date.now() + wait : 0;
    if (OVER.has(state)) this.#finish();
    this.dispatchEvent(new Event("weir.state"));
  }

  #finish() {
    this.#page?.abort();
    for (const queue of this.#queues) queue.end(this.#state === "failed" ? this.#error : undefined);
    this.#queues.clear();
  }

  // ---- the page ----

  #begin() {
    this.#page ??= this.#watchPage();
    this.#source.start();
  }

  #watchPage() {
    const page = new AbortController();
    const { signal } = page;
    const away = () => this.#suspend();
    const back = () => this.#resume();
    globalThis.addEventListener?.("pagehide", away, { signal });
    globalThis.addEventListener?.("pageshow", back, { signal });
    globalThis.document?.addEventListener("freeze", away, { signal });
    globalThis.document?.addEventListener("resume", back, { signal });
    signal.addEventListener("abort", () => (this.#page = undefined));
    return page;
  }

  #suspend() {
    if (this.#state === "suspended") return;
    this.#source.stop();
    this.#become("suspended");
  }

  #resume() {
    if (this.#state === "suspended") this.connect();
  }
}

// tabs: one connection for all tabs of a browser that want the same stream.
//
// The tab that holds a Web Lock leads: it has the connection, and tells the others over a BroadcastChannel what comes and
// how the connection is. The others wait for the lock, which the browser gives on when a tab closes or dies. Of a leader
// that is stopped nothing is heard, so they take the lock from it:
//
//     joining --granted, or nothing heard for three beats--> leader --the lock was taken--> joining
//        |  ^                                                                                  ^
//        |  \--another leads-- follower <-------------------------------- alone --another leads/
//        \--what was missed came--/ ^----as far as the leader, by itself----/
//        \--it is not known to the leader any more--------------------------^
//
// Each leadership has a term, greater than those before, and whoever has heard of it hears no older one: what a stopped
// leader says when it wakes is late. Whoever joins says its last id, and is given what the leader has had since. If that
// is too old, or there is none, the tab is alone, with a connection of its own, until one of them has seen what the other
// gave last; so a new tab is told by the server what new ones are. A tab that is further than a new leader leaves out
// what it has seen. So each event comes once and in order, if it has an id; what has none may be lost, or come twice,
// when a tab joins or another leads.
//
// Timers of tabs that nobody sees are slow, messages are not: a leader that is not heard is asked before it is robbed.

import { Connection } from "./connection.js";
import { StreamError } from "./events.js";
import { History } from "./history.js";
import { Token, identityOf } from "./token.js";

/** @import { ServerEvent } from "./events.js" */
/** @import { ConnectionOptions, Sink, State } from "./connection.js" */

/** @typedef {{ code: ConstructorParameters<typeof StreamError>[0], message: string, status?: number, final: boolean }} ErrorText */
/** @typedef {{ state: State, error?: ErrorText, wait?: number }} Condition */
/**
 * @typedef {(
 *   | { kind: "join", from: string, id: string }
 *   | { kind: "ask" }
 *   | { kind: "beat", term: number }
 *   | { kind: "events", term: number, events: ServerEvent[], last: string }
 *   | { kind: "state", term: number, condition: Condition }
 *   | { kind: "welcome", term: number, to: string, id: string, condition: Condition, events?: ServerEvent[], last: string }
 * )} Message
 */

const BEAT = 250;
const LOOK = 50; // how often a tab looks whether it still hears the leader
const ASK_AFTER = 2 * BEAT;
const ROB_AFTER = 3 * BEAT;
const QUIET = 1000; // after which a server is taken to have told a new tab what it tells to new ones

/** Whether this browser can. */
export function canShare() {
  return Boolean(globalThis.navigator?.locks && globalThis.BroadcastChannel && globalThis.crypto?.subtle);
}

export class Tabs {
  #url;
  #options;
  #sink;
  #token;
  #me = crypto.randomUUID();
  #history;
  #identity = "";
  #name = "";
  /** Of everything since start(). @type {AbortController | undefined} */
  #run = undefined;
  /** Of the request for the lock. @type {AbortController | undefined} */
  #queued = undefined;
  /** @type {BroadcastChannel | undefined} */
  #channel = undefined;
  /** The leader's, or that of a tab that is alone. @type {Connection | undefined} */
  #connection = undefined;
  /** @type {"joining"|"leader"|"follower"|"alone"} */
  #role = "joining";
  #term = 0; // the newest that was heard of
  #heard = 0; // when its leader was
  #asked = false; // it was asked, and not heard since
  #leaderId = ""; // the last id it gave
  #skipping = false; // what was seen before
  #opened = false; // alone: its connection is open
  #moved = 0; // when that was so, or the leader gave something
  /** The leader's events that it has not told yet. @type {ServerEvent[]} */
  #untold = [];
  /** @type {Condition} */
  #condition = { state: "connecting" };
  #release = () => {};

  /**
   * @param {string} url
   * @param {ConnectionOptions & { tabs?: boolean | string }} options
   * @param {Sink} sink
   */
  constructor(url, options, sink) {
    this.#url = url;
    this.#options = options;
    this.#sink = sink;
    this.#history = new History(sink.lastEventId());
    this.#token = new Token(options.token, (value) => {
      if (this.#run && identityOf(value) !== this.#identity) this.start(); // another person's: another lock
    });
  }

  get role() {
    return this.#role;
  }

  start() {
    this.stop();
    this.#run = new AbortController();
    this.#join(this.#run.signal);
  }

  /** Lets go of everything; others take over. */
  stop() {
    if (this.#run === undefined) return;
    this.#tell();
    this.#run.abort();
    this.#run = undefined;
    this.#queued?.abort();
    this.#drop();
    this.#channel?.close();
    this.#channel = undefined;
    this.#role = "joining";
  }

  /** Of the connection and the lock, as far as it has them. */
  #drop() {
    this.#connection?.stop();
    this.#connection = undefined;
    this.#release();
    this.#release = () => {};
  }

  // ---- joining ----

  /** @param {AbortSignal} signal */
  async #join(signal) {
    try {
      const token = await this.#token.get();
      this.#identity = identityOf(token);
      this.#name = await this.#makeName();
    } catch {
      if (!signal.aborted) this.#goAlone(); // which tells why there is no token, and tries again
      return;
    }
    if (signal.aborted) return;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#sink.onState("connecting");
    if (signal.aborted) return;
    this.#heard = Date.now();
    const look = setInterval(() => this.#look(), LOOK);
    signal.addEventListener("abort", () => clearInterval(look));
    this.#queue();
    this.#askIn();
  }

  /** What tabs must have in common, as one name. */
  async #makeName() {
    const { method = "GET", headers, body, credentials, tabs } = this.#options;
    const url = new URL(this.#url, globalThis.document?.baseURI).href;
    const common = [url, method, [...new Headers(headers)], String(body ?? ""), credentials, tabs, this.#identity];
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(common)));
    return `weir.js ${Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  }

  #queue() {
    const { signal } = (this.#queued = new AbortController());
    this.#hold({ signal });
  }

  /** @param {LockOptions} how */
  #hold(how) {
    const run = this.#run?.signal;
    const lead = () => (run?.aborted ? undefined : this.#lead());
    navigator.locks.request(this.#name, how, lead).catch((error) => {
      if (run?.aborted || how.signal?.aborted) return;
      if (error.name === "AbortError") this.#step(); // it was taken from here
      else this.#giveUp();
    });
  }

  #askIn() {
    this.#drop();
    this.#role = "joining";
    this.#post({ kind: "join", from: this.#me, id: this.#sink.lastEventId() });
  }

  // ---- leading ----

  #lead() {
    this.#drop(); // of what it had while it was alone
    this.#role = "leader";
    this.#term = Math.max(Date.now(), this.#term + 1) + Math.random();
    this.#skipping = false;
    this.#condition = { state: "connecting" };
    const beat = setInterval(() => this.#post({ kind: "beat", term: this.#term }), BEAT);
    this.#post({ kind: "beat", term: this.#term });
    this.#connect({
      onState: (state, error, wait) => this.#turn(state, error, wait),
      onEvent: (event) => {
        if (event.type !== "weir.hello") this.#untold.push(event);
        this.#give(event);
      },
      onBytes: (bytes, last) => {
        this.#tell();
        this.#sink.onBytes(bytes, last);
      },
      lastEventId: this.#sink.lastEventId,
    });
    return new Promise((done) => {
      this.#release = () => {
        clearInterval(beat);
        done(undefined);
      };
    });
  }

  /** Another leads. */
  #step() {
    if (this.#role !== "leader") return;
    this.#untold = [];
    this.#heard = Date.now();
    this.#queue();
    this.#askIn();
  }

  /** What has come, to the others. */
  #tell() {
    const events = this.#untold;
    if (this.#role !== "leader" || events.length === 0) return;
    this.#untold = [];
    this.#post({ kind: "events", term: this.#term, events, last: events[events.length - 1].id });
  }

  /**
   * @param {State} state
   * @param {StreamError} [error]
   * @param {number} [wait]
   */
  #turn(state, error, wait) {
    this.#tell();
    const { code, message, status, final } = error ?? {};
    const text = error && /** @type {ErrorText} */ ({ code, message, status, final });
    this.#condition = { state, error: text, wait };
    this.#post({ kind: "state", term: this.#term, condition: this.#condition });
    if (state === "ended" || state === "failed") this.stop();
    this.#sink.onState(state, error, wait);
  }

  /** @param {{ from: string, id: string }} message */
  #admit({ from: to, id }) {
    this.#tell();
    const last = this.#sink.lastEventId();
    const isLevel = id === last && (id !== "" || this.#history.isEmpty);
    const events = isLevel ? [] : id === "" ? undefined : this.#history.after(id);
    this.#post({ kind: "welcome", term: this.#term, to, id, condition: this.#condition, events, last });
    const { state } = this.#condition;
    if (state === "waiting" || state === "offline") this.#connection?.start(); // somebody wants to see it
  }

  // ---- following ----

  /** @param {Message} message */
  #hear(message) {
    if (message.kind === "join") {
      if (this.#role === "leader") this.#admit(message);
    } else if (message.kind === "ask") {
      if (this.#role === "leader") this.#post({ kind: "beat", term: this.#term });
    } else if (message.term >= this.#term) {
      this.#obey(message);
    }
  }

  /** @param {Exclude<Message, { kind: "join" | "ask" }>} message */
  #obey(message) {
    const another = message.term > this.#term;
    this.#term = message.term;
    this.#heard = Date.now();
    this.#asked = false;
    if (another && this.#role === "leader") return this.#step();
    if (another) this.#askIn();
    if (message.kind === "welcome" && message.to === this.#me) this.#enter(message);
    if (message.kind === "events") this.#listen(message);
    if (message.kind === "state") this.#mirror(message.condition);
  }

  /** @param {Extract<Message, { kind: "welcome" }>} message */
  #enter({ id, condition, events, last }) {
    if (this.#role !== "joining" || id !== this.#sink.lastEventId()) return; // an answer to what it asked before
    this.#leaderId = last;
    this.#condition = condition;
    const isNew = this.#sink.lastEventId() === "";
    if (events === undefined && (isNew || last === "" || !this.#history.has(last))) return this.#goAlone();
    this.#follow(events === undefined);
    for (const event of events ?? []) {
      if (this.role === "follower") this.#give(event); // unless a listener has closed it
    }
  }

  /** @param {boolean} skipping */
  #follow(skipping) {
    this.#connection?.stop();
    this.#connection = undefined;
    this.#role = "follower";
    this.#skipping = skipping;
    this.#mirror(this.#condition);
  }

  /** @param {Extract<Message, { kind: "events" }>} message */
  #listen({ events, last }) {
    this.#leaderId = last;
    this.#moved = Date.now();
    if (this.#role === "alone" && this.#opened && this.#history.has(events[0].id)) this.#follow(true); // it is ahead
    for (const event of events) {
      if (this.#role !== "follower") return;
      if (!this.#isSeen(event)) this.#give(event);
    }
    if (this.#role === "follower") this.#sink.onBytes(0, this.#sink.lastEventId());
  }

  /** @param {ServerEvent} event */
  #isSeen({ id }) {
    if (!this.#skipping) return false;
    const seen = this.#history.has(id);
    if (!seen || id === this.#sink.lastEventId()) this.#skipping = false;
    return seen;
  }

  /** @param {Condition} condition */
  #mirror(condition) {
    this.#condition = condition;
    if (this.#role !== "follower") return;
    const { state, error, wait } = condition;
    const rebuilt = error && new StreamError(error.code, error.message, error);
    if (state === "ended" || state === "failed") this.stop();
    this.#sink.onState(state, rebuilt, wait);
  }

  /** Whether the leader is still there. */
  #look() {
    if (this.#role === "leader") return;
    this.#settle();
    const quiet = Date.now() - this.#heard;
    if (quiet < ASK_AFTER) return;
    if (!this.#asked) {
      this.#asked = true;
      this.#post({ kind: "ask" });
    } else if (quiet >= ROB_AFTER) {
      this.#heard = Date.now();
      this.#asked = false;
      this.#queued?.abort();
      this.#hold({ steal: true });
    }
  }

  // ---- alone ----

  /** There are no locks for this page, in a frame without an origin say. */
  #giveUp() {
    this.stop();
    this.#run = new AbortController();
    this.#goAlone();
  }

  #goAlone() {
    this.#role = "alone";
    this.#opened = false;
    this.#connect({
      onState: (state, error, wait) => {
        this.#opened = state === "open";
        this.#moved = Date.now();
        if (state === "ended" || state === "failed") this.stop();
        this.#sink.onState(state, error, wait);
      },
      onEvent: (event) => {
        this.#give(event);
        if (this.#channel && this.#role === "alone" && event.id !== "" && event.id === this.#leaderId) this.#follow(false);
      },
      onBytes: this.#sink.onBytes,
      lastEventId: this.#sink.lastEventId,
    });
  }

  /** A new tab, to which the server has nothing to tell but what is to come, is as far as the leader. */
  #settle() {
    const open = this.#opened && this.#condition.state === "open";
    const isNew = this.#sink.lastEventId() === "";
    if (this.#role !== "alone" || !open || !isNew || Date.now() - this.#moved < QUIET) return;
    this.#history = new History(this.#leaderId);
    this.#sink.onBytes(0, this.#leaderId);
    this.#follow(false);
  }

  // ---- for all ----

  /** @param {Sink} sink */
  #connect(sink) {
    this.#connection = new Connection(this.#url, this.#options, sink, this.#token);
    this.#connection.start();
  }

  /** @param {ServerEvent} event */
  #give(event) {
    if (event.type !== "weir.hello") this.#history.add(event);
    this.#sink.onEvent(event);
  }

  /** @param {Message} message */
  #post(message) {
    this.#channel?.postMessage(message);
  }
}

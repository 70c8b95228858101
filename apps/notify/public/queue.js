// What the user did, on its way to the server. It is kept in the browser until the server has it, so it survives a lost
// network, a reload and a closed tab; one tab at a time sends, in order. The server takes each change once, however
// often it is sent: they are numbered. Each is an entry of its own in localStorage, so no tab writes over another's.
//
//   added --POST state--> sent (up to a place in the log) --the box is there--> gone
//     `--the server says that it is wrong--> gone, and told

import { ask, device } from "./session.js";

const PAUSE = 2000; // ms, after a failure
const WRONG = [400, 413, 422];

// Grows, and is another one in each tab: thousandths of a millisecond, whose last digits are drawn.
let last = 0;
function nextNumber() {
  last = Math.max(last + 1, Date.now() * 1000 + Math.floor(Math.random() * 1000));
  return last;
}

/** An EventTarget: "change" when what is pending has; "refused" with the server's reason as `detail`. */
export class Queue extends EventTarget {
  #sending = false;
  #settled = ""; // the place in the log up to which the box is known to be
  #prefix;

  constructor(who) {
    super();
    this.#prefix = `notify.queue ${who} `;
    addEventListener("online", () => this.send());
    addEventListener("storage", ({ key }) => key?.startsWith(this.#prefix) && this.#tell());
  }

  /** What is not in the box yet, oldest first. */
  get pending() {
    return Object.keys(localStorage).filter((key) => key.startsWith(this.#prefix))
      .map((key) => JSON.parse(localStorage.getItem(key))).sort((a, b) => a.n - b.n);
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }

  #keep(change) {
    localStorage.setItem(this.#prefix + change.n, JSON.stringify(change));
  }

  #drop(change) {
    localStorage.removeItem(this.#prefix + change.n);
  }

  add(change) {
    this.#keep({ ...change, device: device(), n: nextNumber() });
    this.#tell();
    this.send();
  }

  /** The box is up to date to that place: what was sent before is in it. */
  settle(at) {
    this.#settled = at;
    const settled = this.pending.filter(({ sent }) => sent && sent <= at);
    for (const change of settled) this.#drop(change);
    if (settled.length > 0) this.#tell();
  }

  async #sendOne(change) {
    try {
      const { at } = await ask("POST", "state", change);
      if (at > this.#settled) this.#keep({ ...change, sent: at });
      else this.#drop(change); // it changed nothing, or its event was here before this answer
    } catch (error) {
      if (!WRONG.includes(error.status)) throw error;
      this.#drop(change);
      this.dispatchEvent(new CustomEvent("refused", { detail: error.message }));
    }
    this.#tell();
  }

  async #sendAll() {
    const next = () => this.pending.find(({ sent }) => !sent);
    for (let change = next(); change; change = next()) await this.#sendOne(change);
  }

  /** Sends what is there, now. */
  async send() {
    if (this.#sending || this.pending.every(({ sent }) => sent)) return;
    this.#sending = true;
    try {
      const work = () => this.#sendAll();
      await (navigator.locks ? navigator.locks.request(this.#prefix, work) : work());
    } catch {
      setTimeout(() => this.send(), PAUSE);
    } finally {
      this.#sending = false;
    }
  }
}

// What the user did, on its way to the server. It is kept in the browser until the server has it, so it survives a lost
// network, a reload and a closed tab; one tab at a time sends, in order. The server takes each change once, however
// often it is sent: they are numbered.

import { ask, device } from "./session.js";

const NUMBER = "notify.number";
const PAUSE = 2000; // ms, after a failure

function nextNumber() {
  const n = Math.max(Number(localStorage.getItem(NUMBER)) + 1, Date.now());
  localStorage.setItem(NUMBER, n);
  return n;
}

/** An EventTarget: "change" when what is pending has; "refused" with the server's reason as `detail`. */
export class Queue extends EventTarget {
  #sending = false;
  #key;

  constructor(who) {
    super();
    this.#key = `notify.queue ${who}`;
    addEventListener("online", () => this.send());
    addEventListener("storage", ({ key }) => key === this.#key && this.dispatchEvent(new Event("change")));
  }

  /** What is not in the box yet, oldest first. */
  get pending() {
    return JSON.parse(localStorage.getItem(this.#key) ?? "[]");
  }

  #write(list) {
    localStorage.setItem(this.#key, JSON.stringify(list));
    this.dispatchEvent(new Event("change"));
  }

  add(change) {
    this.#write([...this.pending, { ...change, device: device(), n: nextNumber() }]);
    this.send();
  }

  /** The box is up to date to that place: what was sent before is in it. */
  settle(at) {
    const before = this.pending;
    const left = before.filter(({ sent }) => !sent || sent > at);
    if (left.length < before.length) this.#write(left);
  }

  #mark(n, sent) {
    this.#write(this.pending.flatMap((change) => (change.n !== n ? [change] : sent ? [{ ...change, sent }] : [])));
  }

  async #sendAll() {
    const next = () => this.pending.find(({ sent }) => !sent);
    for (let change = next(); change; change = next()) {
      try {
        this.#mark(change.n, (await ask("POST", "state", change)).at);
      } catch (error) {
        const mayWork = error.status === undefined || error.status >= 500 || [401, 408, 429].includes(error.status);
        if (mayWork) throw error;
        this.#mark(change.n);
        this.dispatchEvent(new CustomEvent("refused", { detail: error.message }));
      }
    }
  }

  /** Sends what is there, now. */
  async send() {
    if (this.#sending || this.pending.every(({ sent }) => sent)) return;
    this.#sending = true;
    try {
      const work = () => this.#sendAll();
      await (navigator.locks ? navigator.locks.request(this.#key, work) : work());
    } catch {
      setTimeout(() => this.send(), PAUSE);
    } finally {
      this.#sending = false;
    }
  }
}

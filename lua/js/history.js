// history: the newest events, for tabs that missed some and to tell what has been given before.
//
// An event without an id of its own has that of the one before, as the stream says it. Bounded in events and characters.

/** @import { ServerEvent } from "./events.js" */

const COUNT = 1000;
const SIZE = 1024 * 1024;

export class History {
  /** @type {ServerEvent[]} */
  #events = [];
  #size = 0;
  #base; // where the first of them goes on
  /** How many of them have it. @type {Map<string, number>} */
  #ids = new Map();

  /** @param {string} base the id with which it begins */
  constructor(base) {
    this.#base = base;
  }

  /** @param {ServerEvent} event */
  add(event) {
    this.#events.push(event);
    this.#size += event.data.length;
    this.#ids.set(event.id, (this.#ids.get(event.id) ?? 0) + 1);
    while (this.#events.length > COUNT || (this.#size > SIZE && this.#events.length > 1)) this.#drop();
  }

  get isEmpty() {
    return this.#events.length === 0;
  }

  /** Whether there is no gap between that id and the first of them. @param {string} id */
  has(id) {
    return this.#ids.has(id) || (id === this.#base && id !== "");
  }

  /** What came behind that id; undefined: it is too old, or not known. @param {string} id */
  after(id) {
    if (!this.has(id)) return undefined;
    return this.#events.slice(this.#events.findLastIndex((event) => event.id === id) + 1);
  }

  #drop() {
    const event = this.#events.shift();
    if (event === undefined) return;
    this.#size -= event.data.length;
    this.#base = event.id;
    const left = (this.#ids.get(event.id) ?? 1) - 1;
    if (left > 0) this.#ids.set(event.id, left);
    else this.#ids.delete(event.id);
  }
}

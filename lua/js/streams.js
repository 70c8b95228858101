// streams: the streams of a page by their addresses, for those who want to name one, not to keep it.

import { Stream } from "./stream.js";

/** @import { StreamOptions } from "./stream.js" */

export class Streams {
  /** @type {Map<string, Stream>} */
  #streams = new Map();

  /**
   * The stream of that address: the one that is there, or a new one if there is none or it is over.
   * @param {string | URL} url
   * @param {StreamOptions} [options] of a new one
   */
  connect(url, options) {
    const name = nameOf(url);
    const there = this.#streams.get(name);
    if (there && !["ended", "failed", "closed"].includes(there.state)) return there;
    const stream = new Stream(url, options);
    this.#streams.set(name, stream);
    return stream;
  }

  /** @param {string | URL} url */
  get(url) {
    return this.#streams.get(nameOf(url));
  }

  /** @param {string | URL} url */
  disconnect(url) {
    this.get(url)?.close();
    this.#streams.delete(nameOf(url));
  }

  disconnectAll() {
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
  }

  [Symbol.iterator]() {
    return this.#streams.values();
  }
}

/** @param {string | URL} url */
function nameOf(url) {
  return new URL(url, globalThis.document?.baseURI).href;
}

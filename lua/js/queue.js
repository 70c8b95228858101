// queue: what waits for a reader that is slower than what comes, up to a bound.
//
// Beyond it the oldest go, since the newest say how things are. How many they were is told in their place. One reader.

/** @template T */
export class Queue {
  #bound;
  #makeGap;
  /** @type {{ value: T, size: number }[]} */
  #items = [];
  #size = 0;
  #lost = 0;
  #over = false;
  /** @type {unknown} */
  #error = undefined;
  /** @type {{ resolve: (result: IteratorResult<T>) => void, reject: (error: unknown) => void }[]} */
  #waiting = [];

  /**
   * @param {{ count: number, size: number }} bound
   * @param {(lost: number) => T} makeGap
   */
  constructor(bound, makeGap) {
    this.#bound = bound;
    this.#makeGap = makeGap;
  }

  /**
   * @param {T} value
   * @param {number} size
   * @returns {number} how many were dropped for it
   */
  push(value, size) {
    const reader = this.#waiting.shift();
    if (reader) {
      reader.resolve({ done: false, value });
      return 0;
    }
    this.#items.push({ value, size });
    this.#size += size;
    let dropped = 0;
    while (this.#items.length > this.#bound.count || (this.#size > this.#bound.size && this.#items.length > 1)) {
      this.#size -= this.#items.shift()?.size ?? 0;
      dropped++;
    }
    this.#lost += dropped;
    return dropped;
  }

  /** What is there can still be read. @param {unknown} [error] thrown behind it */
  end(error) {
    if (this.#over) return;
    this.#over = true;
    const [first, ...others] = this.#waiting.splice(0);
    this.#error = error;
    if (first) this.next().then(first.resolve, first.reject);
    for (const { resolve } of others) resolve({ done: true, value: undefined });
  }

  /** @returns {Promise<IteratorResult<T>>} */
  next() {
    if (this.#lost > 0) {
      const value = this.#makeGap(this.#lost);
      this.#lost = 0;
      return Promise.resolve({ done: false, value });
    }
    const item = this.#items.shift();
    if (item) {
      this.#size -= item.size;
      return Promise.resolve({ done: false, value: item.value });
    }
    if (!this.#over) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    if (this.#error === undefined) return Promise.resolve({ done: true, value: undefined });
    const error = this.#error;
    this.#error = undefined;
    return Promise.reject(error);
  }
}

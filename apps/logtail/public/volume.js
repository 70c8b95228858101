// volume: how many lines of each level there were in each second, for longer than the lines themselves are kept.
//
// Seconds without a line cost nothing; at most `SECONDS` are counted, the oldest go. Lines that come late count in their
// own second.

import { levels } from "./filter.js";
import { stepFor } from "./time.js";

const SECONDS = 7200;

export class Volume {
  #seconds = new Map(); // second --> counts by level

  add(rows) {
    for (const { kind, t, level, count } of rows) {
      if (kind !== "line" || !t) continue;
      const second = Math.floor(t);
      let counts = this.#seconds.get(second);
      if (!counts) this.#seconds.set(second, counts = new Float64Array(levels.length));
      counts[level] += count;
    }
    if (this.#seconds.size > SECONDS) this.#trim();
  }

  clear() {
    this.#seconds.clear();
  }

  /** No line has told its time. */
  get isEmpty() {
    return this.#seconds.size === 0;
  }

  /** `{ from, step, bars }`, at most `most` bars, each the counts by level; nothing if there is nothing. */
  bars(most) {
    if (this.isEmpty) return undefined;
    let first = Infinity, last = -Infinity;
    for (const second of this.#seconds.keys()) {
      first = Math.min(first, second);
      last = Math.max(last, second);
    }
    const step = Math.max(1, stepFor(last - first + 1, most));
    const from = Math.floor(first / step) * step;
    const bars = Array.from({ length: Math.floor((last - from) / step) + 1 }, () => new Float64Array(levels.length));
    for (const [second, counts] of this.#seconds) {
      const bar = bars[Math.floor((second - from) / step)];
      counts.forEach((count, level) => { bar[level] += count; });
    }
    return { from, step, bars };
  }

  #trim() {
    const oldest = [...this.#seconds.keys()].sort((a, b) => a - b).slice(0, this.#seconds.size - SECONDS);
    for (const second of oldest) this.#seconds.delete(second);
  }
}

// excerpt: a piece of the log that stands still, and can be made longer at its ends.
//
//   around a line      search{before} | the line | read{after}      older <-- --> newer    (of its file, without filters)
//   what was searched  search{text}                                 older <--
//   a range of time    read{since, until}                                     --> newer
//
// The server tells at the end of each answer where to go on. It knows nothing of the list: it gives rows.

import { toQuery } from "./filter.js";
import { ask } from "./feed.js";

const AROUND = 50; // lines before and behind a line
const MANY = 1000;

export class Excerpt {
  older = undefined; // where to go on, a query; undefined: there is no more
  newer = undefined;
  target = undefined; // the line that was asked for
  #signal;
  #tell;
  #query; // what holds for all that is asked for

  /** tell(type, data): what the server says besides lines. */
  constructor(filter, { signal, tell }) {
    this.#query = toQuery(filter);
    this.#signal = signal;
    this.#tell = tell;
  }

  /**
   * The lines around one, which is the target then; none if it is there no more. An id is the place behind its line, so
   * what is before that ends with the line.
   */
  async around(id) {
    this.#query = new URLSearchParams({ only: id.slice(0, id.indexOf("~")) });
    const before = await this.#backward({ before: id, lines: AROUND + 1 });
    this.target = before.at(-1);
    return this.target?.kind === "line" ? [...before, ...await this.#forward({ after: id, lines: AROUND })] : [];
  }

  /** The newest lines that the filter lets through. */
  found = () => this.#backward({ lines: MANY });

  /** The first lines of a range. */
  range = () => this.#forward({ lines: MANY });

  moreOlder = () => this.#backward({ ...this.older, lines: MANY });
  moreNewer = () => this.#forward({ ...this.newer, lines: MANY });

  // Oldest first, though the batches come from the end backward.
  async #backward(place) {
    const batches = [];
    const end = await this.#ask("search", place, (rows) => batches.unshift(rows));
    this.older = end.older && { before: end.older };
    return batches.flat();
  }

  async #forward(place) {
    const batches = [];
    const end = await this.#ask("read", place, (rows) => batches.push(rows));
    this.newer = end.newer && { after: end.newer };
    return batches.flat();
  }

  async #ask(path, place, take) {
    const query = new URLSearchParams(this.#query);
    for (const [name, value] of Object.entries(place)) query.set(name, value);
    let end = {};
    for await (const { type, rows, data } of ask(path, query, this.#signal)) {
      if (rows) take(rows);
      else if (type === "end") end = data;
      else this.#tell(type, data);
    }
    return end;
  }
}

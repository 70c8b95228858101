// store: the lines that the page keeps, as rows of a list, bounded in number and in text.
//
//   live, at the end --add--> [ oldest … newest ] --beyond a bound: the oldest go-->
//   asked for --addOlder--> in front      --fill--> in place of a gap
//
// What is asked for by hand is not dropped: there is `room` for it, or it is not asked for. Equal lines that follow each
// other can be one row with a count; only the first of them is kept then. Hits of a search are marked as lines come, and
// among those that are there in slices, so that a search in all of them makes no pause.

import { plain } from "./ansi.js";
import { sayTheSame } from "./line.js";
import { Rows } from "./rows.js";

const SLICE = 2000; // rows that are searched at once

export class Store {
  rows = new Rows();
  lines = 0; // folded ones too
  chars = 0;
  hits = 0;
  dropped = 0; // lines, since it was cleared
  folds;
  #limit;
  #heightOf;
  #find = null;
  #search = 1; // the number of the search: a row's `hit` is that when it is one

  /** `limit` is { lines, chars }; heightOf(row) is what a row is high as far as anybody knows; `folds` equal lines. */
  constructor(limit, heightOf, folds = false) {
    this.#limit = limit;
    this.#heightOf = heightOf;
    this.folds = folds;
  }

  /** How many more lines fit. */
  get room() {
    const full = this.chars >= this.#limit.chars;
    return full ? 0 : Math.max(0, this.#limit.lines - this.rows.count);
  }

  isHit(row) {
    return row.hit === this.#search && this.#find !== null;
  }

  add(rows) {
    for (const row of rows) {
      const { last } = this.rows;
      if (this.folds && last && sayTheSame(last, row)) {
        last.count += row.count;
        last.until = row.until;
        this.lines += row.count;
        continue;
      }
      this.#enter(row);
      this.rows.push(row);
    }
    this.#trim();
  }

  addOlder(rows) {
    this.#insert(rows, this.rows.first);
  }

  /** What was asked for in place of a gap: it goes, or, with `rest`, another gap stands for what is still missing. */
  fill(gap, rows, rest) {
    if (!this.rows.has(gap)) return; // it has been dropped meanwhile
    this.#insert(rest ? [...rows, rest] : rows, gap);
    this.#leave(gap);
    this.rows.remove(gap);
  }

  clear() {
    this.rows.clear();
    this.lines = this.chars = this.hits = this.dropped = 0;
  }

  /** Folds what is there, too. */
  fold() {
    this.folds = true;
    const rows = [...this.rows.walk()], { dropped } = this;
    this.clear();
    this.dropped = dropped;
    this.add(rows);
  }

  /** Searches for a pattern, or nothing: a generator that has done a slice each time it is asked. */
  *search(find) {
    this.#find = find;
    this.hits = 0;
    const own = ++this.#search;
    let n = 0;
    for (const row of [...this.rows.walk()]) {
      if (own !== this.#search) return;
      if (row.block && row.hit !== own) this.#mark(row);
      if (++n % SLICE === 0) yield;
    }
  }

  #mark(row) {
    if (!this.#find?.test(plain(row.text))) return;
    row.hit = this.#search;
    this.hits++;
  }

  #enter(row) {
    row.height = this.#heightOf(row);
    this.lines += row.kind === "line" ? row.count : 0;
    this.chars += row.text.length;
    row.hit = 0;
    this.#mark(row);
  }

  #leave(row) {
    this.lines -= row.kind === "line" ? row.count : 0;
    this.chars -= row.text.length;
    if (this.isHit(row)) this.hits--;
  }

  #insert(rows, before) {
    for (const row of rows) this.#enter(row);
    this.rows.insert(rows, before);
  }

  #trim() {
    const { rows } = this;
    while (rows.count > this.#limit.lines || (this.chars > this.#limit.chars && rows.count > 1)) {
      const { first } = rows;
      this.#leave(first);
      this.dropped += first.kind === "line" ? first.count : first.lines;
      rows.remove(first);
    }
  }
}

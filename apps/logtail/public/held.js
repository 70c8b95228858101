// held: what comes while somebody reads further up, until they want it.
//
// It comes in batches, which are bounded: beyond that the oldest go, and stand as gaps, one for each source, whose lines
// the server still has. So a pause of a night loses nothing and costs nothing.
//
//   … the store | gap of a: 1,204 lines, from, to | gap of b | batch | batch | batch
//
// A gap needs the id of a line before it: what was seen last of a source, or else the first of its lines that is dropped,
// which is kept.

import { makeGap } from "./line.js";

export class Held {
  lines = 0; // that came, dropped ones too
  #limit;
  #last = new Map(); // key --> id of the newest line that came before what is held
  #batches = [];
  #kept = []; // of what was dropped
  #gaps = new Map(); // key --> { lines, from, to }
  #lost = new Map(); // key --> lines that nobody has
  #count = 0;
  #chars = 0;

  /** `limit` is { lines, chars }. */
  constructor(limit) {
    this.#limit = limit;
  }

  /** What came, and is not held. */
  pass(rows) {
    for (const row of rows) if (row.kind === "line") this.#last.set(row.key, row.id);
  }

  add(rows) {
    const chars = rows.reduce((sum, row) => sum + row.text.length, 0);
    this.#batches.push({ rows, chars });
    this.#count += rows.length;
    this.#chars += chars;
    this.lines += rows.reduce((sum, row) => sum + (row.kind === "line" ? row.count : row.lines), 0);
    while (this.#batches.length > 1 && (this.#count > this.#limit.lines || this.#chars > this.#limit.chars)) this.#drop();
  }

  /** All of it; nothing is held then. */
  take() {
    const gaps = [...this.#gaps].map(([source, gap]) => makeGap({ ...gap, source, came: true }));
    const lost = [...this.#lost].map(([source, lines]) => makeGap({ source, lines }));
    const rows = [...this.#kept, ...gaps, ...lost, ...this.#batches.flatMap((batch) => batch.rows)];
    this.#forget();
    this.pass(rows);
    return rows;
  }

  clear() {
    this.#forget();
    this.#last.clear();
  }

  #forget() {
    this.#batches = [];
    this.#kept = [];
    this.#gaps.clear();
    this.#lost.clear();
    this.#count = this.#chars = this.lines = 0;
  }

  #drop() {
    const { rows, chars } = this.#batches.shift();
    this.#count -= rows.length;
    this.#chars -= chars;
    for (const row of rows) this.#give(row);
  }

  #give(row) {
    if (row.kind === "note") return;
    if (row.kind === "gap" && !row.to) return this.#lost.set(row.key, (this.#lost.get(row.key) ?? 0) + row.lines);
    const from = this.#gaps.get(row.key)?.from ?? this.#last.get(row.key) ?? row.from;
    if (!from) {
      this.#last.set(row.key, row.id);
      return this.#kept.push(row);
    }
    const lines = (this.#gaps.get(row.key)?.lines ?? 0) + (row.kind === "line" ? row.count : row.lines);
    this.#gaps.set(row.key, { lines, from, to: row.to || row.id });
  }
}

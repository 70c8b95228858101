// line: what a row of the list is: a line of a log, or what is to be said between two of them.
//
//   kind "line"  id, key (its source), t, level (a place in filter.js's `levels`), text, cut, count (equal ones folded)
//   kind "gap"   lines (0: nobody knows), from, to (ids between which the server has them; none: they are lost), key;
//                came: they have been here, and counted, before
//   kind "note"  text: what became of a source
//
// All have the same fields, so that fifty thousand of them are small and quick to go through.

import { levels } from "./filter.js";

const blank = (kind, text) => ({
  kind, id: "", key: "", t: 0, until: 0, level: 0, text, cut: false, count: 1, lines: 0, from: "", to: "", came: false,
  hit: 0, open: false, measured: false, state: "", height: 0, block: null,
});

/** Of a record of the server. */
export function makeLine({ id, t = 0, level = "", line, cut = false }) {
  const key = id.slice(0, id.indexOf("~"));
  return Object.assign(blank("line", line), { id, key, t, until: t, level: Math.max(0, levels.indexOf(level)), cut });
}

export const makeGap = ({ lines = 0, from = "", to = "", source = "", came = false }) =>
  Object.assign(blank("gap", ""), { lines, from, to, key: source, came });

export const makeNote = (text, key) => Object.assign(blank("note", text), { key });

// The time that most lines begin with: 2026-11-30T12:00:00.123Z, [30/Nov/2026:12:00:00 +0000], Nov 30 12:00:00.
const time = /^[[(]?(?:\d[\d\-/.:,TZ+ ]*|\d\d\/[A-Z][a-z]{2}\/\d{4}[\d: +-]*|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)[\])]?\s+/;

/** Whether two lines say the same, but for the time that they begin with. */
export function sayTheSame(a, b) {
  if (a.kind !== "line" || b.kind !== "line" || a.key !== b.key || a.level !== b.level) return false;
  return a.text === b.text || a.text.replace(time, "") === b.text.replace(time, "");
}

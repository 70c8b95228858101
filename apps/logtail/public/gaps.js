// gaps: fetching what was skipped, in its place.
//
// A gap may be longer than the page has room for: so many lines at a time come, and what is left stays a gap.

import { ask } from "./feed.js";
import { toQuery } from "./filter.js";
import { makeGap } from "./line.js";

const MANY = 2000;

function queryOf({ from, to, key }, filter, lines) {
  const query = toQuery({ ...filter, since: "", until: "", only: key ? [key] : [] });
  for (const [name, value] of Object.entries({ after: from, upto: to, lines })) if (value) query.set(name, value);
  return query;
}

/** Asks for the lines of a gap, as a filter lets them through, and puts them into the store. Gives them; throws why not. */
export async function fetchGap(gap, store, filter, signal) {
  const most = Math.min(MANY, store.room);
  if (most < 1) throw new Error("the page is full: choose a time, or download the lines");
  const rows = [];
  let more = "";
  for await (const { type, rows: some, data } of ask("read", queryOf(gap, filter, most), signal)) {
    if (some) rows.push(...some);
    else if (type === "end") more = data.newer ?? "";
  }
  const last = rows.at(-1)?.id;
  const isLeft = more && rows.length >= most && (gap.lines === 0 || rows.length < gap.lines);
  const rest = { lines: Math.max(0, gap.lines - rows.length), from: last, to: gap.to, source: gap.key, came: gap.came };
  store.fill(gap, rows, isLeft ? makeGap(rest) : undefined);
  return rows;
}

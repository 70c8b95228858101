// find: a search in the lines that are on the page, and jumps from row to row: to hits, and to errors.
//
// The text is looked for as it is, in upper or lower case. Lines that come are looked at as they come (store.js); those
// that are there in slices, with the page alive between them. A pattern between slashes is for the server: nothing ends
// one here that backtracks without end, and a line that somebody sent on purpose would stop the page.

const pause = () => new Promise((done) => setTimeout(done));

/** Whether a box asks for a pattern, "/like (this|that)/". */
export const isPattern = (box) => /^\/.+\/$/.test(box.trim());

/** What finds the text of a box; null for none, and for a pattern. */
export function patternOf(box) {
  const text = box.trim();
  if (!text || isPattern(text)) return null;
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "i");
}

/** Marks what a pattern matches in a store, and calls `done` behind it, unless there is another search by then. */
export async function search(store, pattern, done) {
  const slices = store.search(pattern);
  while (!slices.next().done) await pause();
  done();
}

/** The next row, or with `step` -1 the one before, for which `wanted` holds; behind the last comes the first again. */
export function nextRow(rows, from, step, wanted) {
  return (rows.has(from) && rows.find(wanted, from, step)) || rows.find(wanted, undefined, step);
}

/** Which of the rows for which `wanted` holds this one is, from 1 on. */
export function placeOf(rows, row, wanted) {
  let place = 1;
  for (const before of rows.walk(row, -1)) if (wanted(before)) place++;
  return place;
}

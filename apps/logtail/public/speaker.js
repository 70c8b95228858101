// speaker: what is said to who does not see the page, or looks elsewhere on it.
//
// Of the lines that come a screen reader hears the newest, or how many there were, at most every ten seconds.

import { $, countOf, setText } from "./dom.js";

const EVERY = 10_000; // ms
const BEGINNING = 1000; // ms in which what a log has already comes

let lines = 0, newest = "", since = 0, begun = 0;

/** Is heard. */
export function announce(text) {
  $.announce.textContent = text;
}

/** Stands below the lines, and is heard. */
export function tell(text) {
  setText($.told, text);
}

/** A log is opened: what comes at once is not news. */
export function begin() {
  begun = Date.now();
  forget();
}

/** Lines came, the newest of which says that. */
export function count(n, text) {
  if (Date.now() - begun < BEGINNING) return;
  lines += n;
  newest = text;
}

function forget() {
  lines = 0;
  since = Date.now();
}

setInterval(() => {
  if (!lines || document.hidden || Date.now() - since < EVERY) return;
  announce(lines === 1 ? newest.slice(0, 200) : `${countOf(lines)} more`);
  forget();
}, 1000);

// height: what a row is high before it has been shown, by the letters that a line of text has room for.
//
// All letters are as wide as each other, so it is right for most lines; list.js measures what it shows.

import { view } from "./view.js";

export const ROW = 20; // px, of a line that does not wrap: style.css has it too
const NARROW = 560; // px, as in style.css
const LONGEST = 2000; // letters of a line that is not unfolded: draw.js

let letters = 100;

/** Takes the width of the lines from their scroller. */
export function measure(scroller) {
  const context = document.createElement("canvas").getContext("2d");
  context.font = getComputedStyle(scroller).font;
  const width = context.measureText("0".repeat(100)).width / 100 || 8;
  const beside = scroller.clientWidth > NARROW ? 180 : 110; // what stands before the text
  letters = Math.max(10, Math.floor((scroller.clientWidth - beside) / width));
}

export function heightOf(row) {
  if (!view.wrap || row.kind !== "line") return ROW;
  return ROW * Math.max(1, Math.ceil(Math.min(row.text.length, LONGEST) / letters));
}

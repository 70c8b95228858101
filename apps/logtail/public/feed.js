// feed: what the server tells, as rows.
//
//   follow(query)  a live stream, which connects again by itself behind the last line that it had
//   ask(path, …)   a finite answer, in pieces as they come
//
// Both say the same events; README.md has them. What a line is for the page is line.js's business.

import { makeGap, makeLine } from "./line.js";
import { getToken, request } from "./session.js";
import { EventParser, Stream } from "./weir.js";

const linesOf = (data) => data.split("\n").map((one) => makeLine(JSON.parse(one)));

/**
 * A live stream. `hear` has a function for each of: rows(rows); told(type, data) for every other event; state(stream).
 */
export function follow(query, hear) {
  const stream = new Stream(`lines?${query}`, { token: getToken });
  stream.addEventListener("lines", ({ data }) => hear.rows(linesOf(data)));
  stream.addEventListener("gap", ({ data }) => hear.rows([makeGap(JSON.parse(data))]));
  for (const type of ["source", "slow", "configuration"]) {
    stream.addEventListener(type, ({ data }) => hear.told(type, JSON.parse(data)));
  }
  for (const type of ["setup", "heartbeat"]) stream.addEventListener(type, () => hear.told(type));
  stream.addEventListener("weir.state", () => hear.state(stream));
  return stream;
}

/**
 * A finite answer: gives `{ rows }` for lines, and `{ type, data }` for what else is told, to its end. An answer that
 * ends before it says so has been cut off, and throws.
 */
export async function* ask(path, query, signal) {
  const response = await request(`${path}?${query}`, { headers: { Accept: "text/event-stream" }, signal });
  const parser = new EventParser();
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the answer broke off; try again");
      for (const { type, data } of parser.push(value)) {
        if (type === "lines") yield { type, rows: linesOf(data) };
        else if (type === "gap") yield { type, rows: [makeGap(JSON.parse(data))] };
        else if (["source", "progress", "slow", "end"].includes(type)) yield { type, data: JSON.parse(data) };
        if (type === "end") return;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

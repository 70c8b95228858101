// filter: which lines are asked for, as the page has it, as its URL and the server have it, and as its box shows it.
//
//   box text --parseWords--> { text, not, pattern } --\
//   clicks on values, levels, sources, times ----------> filter --toQuery--> ?text=…&not=…   --fromQuery--> filter
//
// Nothing here knows the page or the connection. What a rule means is the server's business (lua/REFERENCE.md, weir.tail).

/** The levels, from none to the worst: a line's level is a place in this list. */
export const levels = ["", "trace", "debug", "info", "warn", "error", "fatal"];

export const noFilter = () => ({ text: [], not: [], pattern: "", level: "", fields: [], since: "", until: "", only: [] });

// `field` and `is` are pairs by their places, and so are `notfield` and `notis`.
function pairsOf(query, field, is, not) {
  const values = query.getAll(is);
  return query.getAll(field).map((name, i) => ({ field: name, is: values[i] ?? "", not }));
}

/** The filter that a query holds; what else is in it is left alone. */
export function fromQuery(text) {
  const query = new URLSearchParams(text);
  return {
    text: query.getAll("text"),
    not: query.getAll("not"),
    pattern: query.get("pattern") ?? "",
    level: levels.includes(query.get("level")) ? query.get("level") : "",
    fields: [...pairsOf(query, "field", "is", false), ...pairsOf(query, "notfield", "notis", true)],
    since: query.get("since") ?? "",
    until: query.get("until") ?? "",
    only: query.getAll("only"),
  };
}

/** The same as a query, for the server and for the page's own URL. */
export function toQuery(filter) {
  const query = new URLSearchParams();
  for (const name of ["text", "not", "only"]) for (const one of filter[name]) query.append(name, one);
  for (const { field, is, not } of filter.fields) {
    query.append(not ? "notfield" : "field", field);
    query.append(not ? "notis" : "is", is);
  }
  for (const name of ["pattern", "level", "since", "until"]) if (filter[name]) query.set(name, filter[name]);
  return query;
}

/** Whether a query asks for all lines. */
export const isEmpty = (filter) => toQuery(filter).size === 0;

const word = /(-?)(?:\/((?:[^\\/]|\\.)+)\/(?=\s|$)|"([^"]*)"?|(\S+))/g;

/** `get "not found" -favicon /\d{3}/`: what lines contain, what they do not, and a pattern. */
export function parseWords(box) {
  const words = { text: [], not: [], pattern: "" };
  for (const [, minus, pattern, quoted, plain] of box.matchAll(word)) {
    if (pattern !== undefined && !minus) {
      words.pattern = pattern;
      continue;
    }
    const text = pattern !== undefined ? `/${pattern}/` : quoted ?? plain;
    if (text) words[minus ? "not" : "text"].push(text);
  }
  return words;
}

const isPlain = (text) => !/\s/.test(text) && !/^[-"/]/.test(text);
const quote = (text) => (isPlain(text) ? text : `"${text}"`);

/** The words of a filter, as its box shows them. */
export function formatWords({ text, not, pattern }) {
  return [...text.map(quote), ...not.map((one) => `-${quote(one)}`), ...(pattern ? [`/${pattern}/`] : [])].join(" ");
}

/** The same filter with a rule about a field; one about the same value gives way to it. */
export function withField(filter, field, is, not) {
  const others = filter.fields.filter((one) => one.field !== field || one.is !== is);
  return { ...filter, fields: [...others, { field, is, not }] };
}

/** The same filter, for lines that have a text too; between slashes it is a pattern. */
export function withText(filter, text) {
  const pattern = /^\/(.+)\/$/.exec(text)?.[1];
  return pattern ? { ...filter, pattern } : { ...filter, text: [...filter.text, text] };
}

// draw: a row as an element. Text is only ever set as text, whatever it holds.
//
//   > 12:00:00.123  E  web1  text with colours, marks of the search, or the fields of JSON    x 7
//
// `look` says how: utc, fields (JSON as fields), find (a pattern, or null), nameOf(key) (of the source, or "" where there
// is only one). What a click means is told by `data-act` on what is clicked; page.js does it.

import { piecesOf, plain } from "./ansi.js";
import { countOf, make, number } from "./dom.js";
import { fieldsOf, objectOf, summaryOf } from "./fields.js";
import { levels } from "./filter.js";
import { full, stamp } from "./time.js";

const SHORT = 2000; // characters of a line that is not unfolded
const BRIEF = 200; // of a field in it

const button = (act, text, label) => {
  const one = make("button", { type: "button", className: "quiet", textContent: text });
  one.dataset.act = act;
  if (label) one.ariaLabel = label;
  return one;
};

const linkOf = (row) => `#id=${encodeURIComponent(row.id)}`;

// ---- text ----

// A text, with what the search finds in it marked.
function marked(text, find) {
  if (!find || !find.test(text)) return [text];
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(new RegExp(find.source, `${find.flags}g`))) {
    if (found[0] === "") break;
    parts.push(text.slice(at, found.index), make("mark", { textContent: found[0] }));
    at = found.index + found[0].length;
  }
  return [...parts, text.slice(at)];
}

const inks = (style, name, property, classes, element) => {
  const value = style[name];
  if (!value) return;
  if (value.startsWith("rgb")) element.style[property] = value;
  else classes.push(`${name}-${value}`);
};

function piece({ text, style }, find) {
  const keys = Object.keys(style);
  if (keys.length === 0) return marked(text, find);
  const element = make("span", {}, ...marked(text, find));
  const classes = keys.filter((key) => style[key] === true).map((key) => `a-${key}`);
  inks(style, "colour", "color", classes, element);
  inks(style, "back", "backgroundColor", classes, element);
  element.className = classes.join(" ");
  return [element];
}

const coloured = (text, find) => piecesOf(text).flatMap((one) => piece(one, find));

// A field of a line that is not unfolded: a click on it asks for lines that have it.
function brief({ name, value, filters }, find) {
  const short = value.length > BRIEF ? `${value.slice(0, BRIEF)}…` : value;
  const field = make("span", { className: "field" }, make("span", { className: "name", textContent: `${name}=` }),
    make("span", { className: "value" }, ...marked(short, find)));
  if (filters) Object.assign(field.dataset, { act: "include", field: name, is: value });
  return field;
}

// A long text is cut, until its line is unfolded.
function cut(text, isOpen, find) {
  const left = isOpen ? 0 : text.length - SHORT;
  if (left <= 0) return coloured(text, find);
  return [...coloured(text.slice(0, SHORT), find), make("span", { className: "soft", textContent: ` … ${number(left)} more` })];
}

function contentOf(row, { fields, find }) {
  const object = fields && objectOf(row.text);
  if (!object) return cut(row.text, row.open, find);
  const { message, fields: others } = summaryOf(object);
  const parts = others.flatMap((field, i) => [i > 0 || message ? " " : "", brief(field, find)]);
  return message ? [...cut(message, row.open, find), ...parts] : parts;
}

// ---- lines ----

const letters = levels.map((level) => level.slice(0, 1).toUpperCase());

function stampOf(t, utc) {
  const { date, time, ms } = stamp(t, utc);
  const parts = [time, make("span", { className: "ms", textContent: ms })];
  return date ? [make("span", { className: "date", textContent: `${date} ` }), ...parts] : parts;
}

function head(row, look) {
  const toggle = button("toggle", row.open ? "▾" : "▸", row.open ? "Fold" : "Unfold");
  toggle.className = "toggle";
  toggle.ariaExpanded = String(row.open);
  const time = make("a", {
    className: "time", href: linkOf(row), title: row.t ? `${full(row.t, look.utc)}: a link to this line` : "A link to this line",
  });
  time.append(...(row.t ? stampOf(row.t, look.utc) : ["–"]));
  const level = make("span", { className: "level", textContent: letters[row.level], title: levels[row.level] });
  const name = look.nameOf(row.key);
  if (!row.open) toggle.tabIndex = time.tabIndex = -1; // the row has the focus, and Enter unfolds it
  return [toggle, time, level, ...(name ? [make("span", { className: "from", textContent: name, title: name })] : [])];
}

function fieldRow({ name, value, filters }, find) {
  const acts = make("td");
  if (filters) {
    acts.append(button("include", "+", `Only lines with ${name} ${value}`), button("exclude", "−", `No lines with ${name} ${value}`));
    for (const one of acts.children) Object.assign(one.dataset, { field: name, is: value });
  }
  return make("tr", {}, acts, make("th", { scope: "row", textContent: name }), make("td", {}, ...marked(value, find)));
}

function details(row, look) {
  const object = objectOf(row.text);
  const acts = make("p", { className: "acts" },
    button("copy", "Copy line"), button("link", "Copy link"), make("a", { href: linkOf(row), textContent: "Show in its place" }),
    make("span", { className: "soft", textContent: [row.t ? full(row.t, look.utc) : "no time of its own", levels[row.level],
      look.pathOf(row.key), row.cut ? "a piece of a longer line" : ""].filter(Boolean).join(" · ") }));
  const table = object ? [make("table", {}, make("tbody", {}, ...fieldsOf(object).map((field) => fieldRow(field, look.find))))] : [];
  return make("div", { className: "details" }, acts, ...table);
}

function line(row, look) {
  const text = make("span", { className: "text" }, ...contentOf(row, look));
  const element = make("article", { className: "row line" }, ...head(row, look), text);
  if (row.count > 1) {
    const count = number(row.count);
    element.append(make("span", { className: "count", textContent: `× ${count}`, title: `${count} equal lines` }));
  }
  if (row.open) element.append(details(row, look));
  element.ariaLabel = `${levels[row.level]} ${plain(row.text.slice(0, 300))}`.trim();
  return element;
}

// ---- what is between lines ----

const linesOf = (lines) => (lines ? countOf(lines) : "Some lines");

function gap(row, look) {
  const [have, are, them] = row.lines === 1 ? ["has", "is", "it"] : ["have", "are", "them"];
  const from = look.nameOf(row.key);
  const where = from ? ` of ${from}` : "";
  const said = row.to ? `${have} not been sent to this page.` : `${are} lost: no copy of the file has ${them}.`;
  const element = make("article", { className: "row gap" }, make("span", { textContent: `${linesOf(row.lines)}${where} ${said}` }));
  if (row.to && row.state !== "loading") element.append(button("fetch", `Fetch ${them}`));
  if (row.state) element.append(make("span", { className: "soft", textContent: row.state === "loading" ? "Loading …" : row.state }));
  return element;
}

const note = (row) => make("article", { className: "row note", textContent: row.text });

/** The element of a row. */
export function draw(row, look) {
  const element = { line, gap, note }[row.kind](row, look);
  element.tabIndex = -1;
  element.dataset.level = levels[row.level];
  element.classList.toggle("open", row.open);
  return element;
}

// cards: the figures of ten minutes, each card one chart with what it says now, or where somebody looks back to.
//
//   figures of each second --> store --render()--> a path for each line, numbers, a sentence for who does not see it

import { HEIGHT, WIDTH, pathsOf, placeAt, scaleFor } from "./chart.js";
import { $, draw, make, setText } from "./dom.js";
import { isBytes, show, span } from "./format.js";

const SPAN = 600; // seconds that are kept
const reaches = [60, 120, 300, SPAN]; // of the charts, so that the first minutes fill them, too

// A sentence with figures in it, and which they are.
const says = (texts, ...names) => ({ names, of: (now) => String.raw({ raw: texts }, ...names.map((name) => show(name, now[name]))) });

// Of each line the figure and its name; `top` is the least that the chart reaches to; `also` stands below it.
const cards = [
  { group: "weir", title: "Streams", lines: [["streams", "open"], ["connections", "connections"]], top: 10, also: says`${"subscribers"} subscribed to ${"topics"} topics` },
  { group: "weir", title: "Requests", lines: [["requests", "answered"], ["errors", "5xx"]], top: 1, also: says`${"refused"} connections refused` },
  { group: "weir", title: "Wait for an answer", lines: [["latency_p99", "99 of 100"], ["latency_p50", "half"]], top: 0.01, also: says`from the request to its head` },
  { group: "weir", title: "Turns of the loop", lines: [["turn_p99", "99 of 100"], ["turn_p50", "half"]], top: 0.01, also: says`longest that runs now: ${"busy"}` },
  { group: "weir", title: "Events", lines: [["delivered", "delivered"], ["published", "published"]], top: 1, also: says`${"lost"} lost to slow readers` },
  { group: "weir", title: "Largest backlog", lines: [["backlog", "of one stream"]], top: 1024, also: says`${"sent"} sent to all` },
  { group: "weir", title: "Processor time", lines: [["worker_cpu", "busiest worker"], ["process_cpu", "process"]], top: 1, also: says`${"tasks"} tasks` },
  { group: "weir", title: "Memory of Weir", lines: [["process_memory", "process"], ["lua_memory", "Lua"]], top: 2 ** 20, also: says`Lua at ${"lua_share"} of its limit` },
  { group: "machine", title: "Processors", lines: [["cpu", "busy"]], top: 1, also: says`load ${"load"}` },
  { group: "machine", title: "Memory", lines: [["memory", "used"]], top: 1, also: says`${"memory_used"} of ${"memory_total"}` },
  { group: "machine", title: "Disk", lines: [["disk_written", "written"], ["disk_read", "read"]], top: 1024, also: says`${"disk"} full, ${"disk_free"} free` },
  { group: "machine", title: "Network", lines: [["net_sent", "sent"], ["net_received", "received"]], top: 1024, also: says`all interfaces but loopback` },
];

const store = []; // figures, the oldest first
let back = 0; // seconds before the newest that are looked at

for (const card of cards) build(card);

function build(card) {
  card.paths = card.lines.map((_, i) => draw("path", { class: `line line-${i}` }));
  card.area = draw("path", { class: "area" });
  card.cursor = draw("path", { class: "cursor" });
  card.chart = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${card.title}: no figures yet` });
  card.chart.append(card.area, ...card.paths, card.cursor);
  card.values = card.lines.map(() => make("strong", { textContent: "–" }));
  card.most = make("span", { className: "most" });
  card.about = make("p", { className: "soft", textContent: " " });
  const numbers = card.lines.map(([, name], i) => make("div", { className: `number number-${i}` }, card.values[i], make("span", { textContent: name })));
  card.element = make("article", { className: "card" }, make("h3", { textContent: card.title }),
    make("div", { className: "numbers" }, ...numbers), make("div", { className: "chart" }, card.chart, card.most), card.about);
  $[card.group].append(card.element);
}

// ---- what is kept ----

/** Takes the figures of one second. */
export function take(figures) {
  while (store.length && figures.at <= store.at(-1).at) store.pop(); // the server's clock was put back: it is right now
  store.push(figures);
  while (store[0].at < figures.at - SPAN) store.shift();
}

export const newest = () => store.at(-1);

// The seconds from the left end of the charts to now.
const reach = () => reaches.find((seconds) => newest().at - store[0].at <= seconds) ?? SPAN;
const period = () => `the last ${span(reach())}`;

/** Looks at what was so many seconds ago. */
export function lookBack(seconds) {
  back = seconds;
}

/** The seconds before now that a place on a chart stands for, or nothing where it is none. */
export function placeOf(event) {
  const box = event.target.closest?.(".chart")?.getBoundingClientRect();
  return box && Math.round(reach() * (1 - (event.clientX - box.left) / box.width));
}

// The figures that are looked at: the last ones that were there at that time.
function looked() {
  const at = newest().at - back;
  return store.findLast((figures) => figures.at <= at) ?? store[0];
}

// ---- what is seen ----

function sentence(card, now) {
  const lines = card.lines.map(([name, label]) => {
    const values = store.map((figures) => figures[name]).filter((value) => value !== undefined);
    if (!values.length) return `${label}: not known`;
    const [least, most] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    return `${label} ${show(name, now[name])}, between ${show(name, least)} and ${show(name, most)}`;
  });
  return `${card.title}, ${period()}: ${lines.join("; ")}`;
}

function renderCard(card, now) {
  const most = Math.max(0, ...card.lines.map(([name]) => store.reduce((top, figures) => Math.max(top, figures[name] ?? 0), 0)));
  const scale = scaleFor(most, card.top, isBytes(card.lines[0][0]));
  card.lines.forEach(([name], i) => {
    const { line, area } = pathsOf(store, name, { scale, reach: reach() });
    card.paths[i].setAttribute("d", line);
    if (i === 0) card.area.setAttribute("d", area);
    setText(card.values[i], show(name, now[name]));
  });
  card.cursor.setAttribute("d", back ? `M${placeAt(newest().at - now.at, reach())} 0V${HEIGHT}` : "");
  card.chart.setAttribute("aria-label", sentence(card, now));
  setText(card.most, show(card.lines[0][0], scale));
  setText(card.about, card.also.of(now));
}

// A card has the level of the worst that is raised by one of its figures.
function markCard(card, raised) {
  const figures = [...card.lines.map(([name]) => name), ...card.also.names];
  const levels = raised.filter(({ figure }) => figures.includes(figure)).map(({ level }) => level);
  card.element.dataset.level = ["critical", "warn", "info"].find((level) => levels.includes(level)) ?? "";
}

/** Draws what is kept; returns the figures that are looked at. */
export function render() {
  const now = looked();
  setText($.reach, period());
  for (const card of cards) {
    renderCard(card, now);
    markCard(card, now.alerts);
  }
  return now;
}

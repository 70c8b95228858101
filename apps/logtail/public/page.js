// The page: what comes, what is kept, what is shown, and what is looked at.
//
//   live:     lines --feed--> followed? store : held --list--> rows       beside it: volume --> histogram, marks
//   excerpts: search, read --excerpt--> store --list--> rows               around a line, what was found, a range of time
//
// The address says all: its query is the filter, its hash what is looked at (#id=: a line, #search=: a text). What the
// controls do stands in controls.js.

import { plain } from "./ansi.js";
import { connectControls } from "./controls.js";
import { $, countOf, number, setText } from "./dom.js";
import { draw } from "./draw.js";
import { Excerpt } from "./excerpt.js";
import { follow } from "./feed.js";
import { FilterBar } from "./filterbar.js";
import { fromQuery, isEmpty, toQuery, withText } from "./filter.js";
import { fetchGap } from "./gaps.js";
import { Held } from "./held.js";
import { heightOf, measure } from "./height.js";
import { Histogram } from "./histogram.js";
import { makeNote } from "./line.js";
import { List } from "./list.js";
import { Marks } from "./marks.js";
import { SearchBar } from "./searchbar.js";
import { request } from "./session.js";
import { Sources } from "./sources.js";
import { announce, begin, count, tell } from "./speaker.js";
import { Store } from "./store.js";
import { view } from "./view.js";
import { Volume } from "./volume.js";

const FIRST = 1000; // lines that come at once

const names = {
  connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", offline: "Offline", failed: "Failed", ended: "Ended",
  paused: "Paused", setup: "No log chosen", excerpt: "Not live",
};

const store = new Store({ lines: 40_000, chars: 12 << 20 }, heightOf, view.folds);
const held = new Held({ lines: 10_000, chars: 4 << 20 });
const volume = new Volume();
const sources = new Sources();

let filter = fromQuery(location.search);
let stream, excerpt, work; // the connection, or what stands still in its place; an AbortController for what is asked for
let connection = "connecting";
let beat = ""; // when the last one was, in words
let hasOlder = true; // before what is there, as far as anybody knows
let isLooking = false; // something was asked for

// ---- what is seen ---------------------------------------------------------------------------------------------------

const look = {
  get utc() { return view.utc; },
  get fields() { return view.fields; },
  get find() { return searchBar.pattern; },
  nameOf: (key) => sources.nameOf(key),
  pathOf: (key) => sources.pathOf(key),
};

const list = new List(store.rows, {
  scroller: $.log,
  space: $.space,
  draw: drawRow,
  changed: render,
  onEnd: atEnd,
});

function drawRow(row) {
  const element = draw(row, look);
  element.ariaPosInSet = store.rows.indexOf(row) + 1;
  element.ariaSetSize = -1;
  if (excerpt?.target === row) element.classList.add("target");
  return element;
}

const marks = new Marks($.marks, (part) => store.rows.count > 0 && list.show(store.rows.at(part * store.rows.height), { focus: false }));
const histogram = new Histogram($.histogram, volume, {
  choose: (from, to) => bar.chooseTimes(from, to),
  tell: (text) => setText($["chart-text"], text),
});

function countText() {
  const parts = [countOf(store.lines)];
  if (connection !== "live" && stream?.error) parts.push(stream.error.message);
  if (store.dropped > 0) parts.push(`${countOf(store.dropped, "older one")} dropped`);
  if (held.lines > 0) parts.push(`${number(held.lines)} held`);
  return parts.join(" · ");
}

function emptyText() {
  if (connection === "setup") return "";
  if (connection === "excerpt") return isLooking ? "Looking …" : excerpt.nothing;
  if (connection === "connecting") return "Connecting …";
  if (connection === "failed") return stream.error.message;
  const waiting = sources.all.filter(({ state }) => state === "waiting");
  if (waiting.length > 0 && waiting.length === sources.all.length) return `${sources.about}: it is waited for.`;
  return isEmpty(filter) ? "Waiting for the first line." : "No line matches the filter yet.";
}

function renderState() {
  const state = connection === "live" && !list.following ? "paused" : connection;
  $.state.dataset.state = state;
  setText($["state-text"], names[state]);
  $.state.title = stream?.error?.message ?? beat;
  $.connect.hidden = excerpt !== undefined || !["waiting", "offline", "failed"].includes(stream?.state);
  $.pause.hidden = excerpt !== undefined || connection === "setup";
  setText($.pause, list.following ? "Pause" : "Resume");
  $.pause.classList.toggle("quiet", list.following);
  $.jump.hidden = excerpt !== undefined || list.following;
  setText($.jump, held.lines > 0 ? `${countOf(held.lines, "new line")}` : "Newest lines");
}

function renderEdge(edge, there, isFull) {
  if (edge.hidden === there) list.refresh(); // all rows move
  edge.hidden = !there;
  edge.firstElementChild.hidden = isFull;
  setText(edge.lastElementChild, isFull ? "The page is full: choose a time, or download the lines." : "");
}

function renderEdges() {
  const some = store.lines > 0, isFull = store.room < FIRST;
  const isAll = !hasOlder || (isEmpty(filter) && store.lines < FIRST && store.dropped === 0); // so many were asked for
  renderEdge($.older, some && (excerpt ? excerpt.older !== undefined : !isAll), isFull);
  renderEdge($.newer, some && excerpt?.newer !== undefined, isFull);
}

function render() {
  renderState();
  renderEdges();
  $.empty.hidden = store.rows.count > 0;
  $.setup.hidden = connection !== "setup";
  $.log.classList.toggle("timed", !volume.isEmpty);
  $.chart.hidden = volume.isEmpty && connection !== "connecting";
  setText($["empty-text"], emptyText());
  setText($.count, store.rows.count > 0 || connection === "live" ? countText() : "No lines yet");
  searchBar.show();
}

function renderSources() {
  setText($.name, sources.title);
  setText($.about, sources.about);
  $.about.title = sources.about;
  document.title = `${sources.title} · Weir`;
  setText($["sources-title"], filter.only.length > 0 ? `Sources: ${filter.only.length} of ${sources.all.length}` : "Sources");
  const focused = $.sources.contains(document.activeElement) && document.activeElement.value;
  $.sources.replaceChildren(...sources.rows(filter.only));
  if (focused) $.sources.querySelector(`[value="${focused}"]`)?.focus();
}

function renderFilter() {
  bar.show(filter, sources, view.utc);
  histogram.utc = view.utc;
}

function become(name) {
  if (name !== connection && name !== "excerpt") announce(names[name]);
  connection = name;
  list.refresh();
}

// ---- what comes -----------------------------------------------------------------------------------------------------

function takeRows(rows) {
  volume.add(rows);
  if (list.following) {
    held.pass(rows);
    store.add(rows);
  } else {
    held.add(rows);
  }
  if (list.following && rows.length > 0) count(rows.length, plain(rows.at(-1).text));
  refresh();
}

function refresh() {
  list.refresh();
  marks.refresh(store);
  histogram.refresh();
}

function takeSource(source) {
  const news = sources.take(source);
  if (news) takeRows([makeNote(news, source.key)]);
  renderSources();
}

function showBeat() {
  for (const animation of $.dot.getAnimations()) animation.cancel();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const [from, to] = calm ? [{ opacity: 1 }, { opacity: 0.4 }] : [{ boxShadow: "0 0 0 0 currentColor" }, { boxShadow: "0 0 0 8px transparent" }];
  $.dot.animate([from, to], { duration: 900, easing: "ease-out" });
  beat = `Last heartbeat ${new Date().toLocaleTimeString()}`;
  list.refresh();
}

const hear = {
  source: takeSource,
  slow: ({ ms, lines }) => tell(`The filter is slow: it took ${ms} ms for ${countOf(lines)}.`),
  heartbeat: showBeat,
  configuration: ({ error }) => tell(error ? `The configuration was changed, and is wrong: ${error}` : ""),
  setup() {
    stream.close();
    become("setup");
  },
  progress({ bytes, of }) {
    Object.assign($.progress, { hidden: false, value: of > 0 ? bytes / of : 1 });
  },
};

function told(type, data) {
  hear[type]?.(data);
}

// What the stream is, for people. A filter that the server does not take is told with the server's words.
function followState(now) {
  if (now !== stream || now.state === "closed") return;
  if (now.state === "open" && connection === "connecting") begin();
  if (now.state === "open") return become("live");
  if (now.state === "failed") explain(now.error);
  const again = connection === "connecting" && now.state === "connecting" ? "connecting" : "reconnecting";
  become(["offline", "failed", "ended"].includes(now.state) ? now.state : again);
}

async function explain({ status }) {
  $.enter.hidden = status !== 401 && status !== 403;
  if (status !== 400 && status !== 404) return;
  const own = new AbortController();
  await request(`lines?${toQuery(filter)}`, { signal: own.signal }).catch((error) => tell(error.message));
  own.abort();
}

// ---- what is looked at ----------------------------------------------------------------------------------------------

const hash = () => new URLSearchParams(location.hash.slice(1));

/** Another filter, or another look: the address changes, and what is shown with it. */
function go(next, place = "") {
  filter = next;
  const query = String(toQuery(filter));
  const url = `${location.pathname}${query ? `?${query}` : ""}${place}`;
  history[place ? "pushState" : "replaceState"](null, "", url);
  open();
}

function open() {
  work?.abort();
  work = new AbortController();
  stream?.close();
  stream = excerpt = undefined;
  for (const one of [store, held, volume]) one.clear();
  hasOlder = true;
  isLooking = false;
  $.enter.hidden = $.progress.hidden = true;
  tell("");
  list.redraw();
  renderFilter();
  const id = hash().get("id"), text = hash().get("search");
  $.excerpt.hidden = !id && !text && !filter.until;
  if ($.excerpt.hidden) openLive();
  else openExcerpt(id, text);
}

function openLive() {
  list.follow(true);
  begin();
  connection = "connecting";
  const query = toQuery(filter);
  query.set("lines", FIRST);
  stream = follow(query, { rows: takeRows, told, state: followState });
  askSources();
}

// The stream tells of them too, but only of those that it reads.
function askSources() {
  request("sources", { signal: work.signal }).then((response) => response.json()).then((all) => all.forEach(takeSource), () => {});
}

function openExcerpt(id, text) {
  list.following = false;
  become("excerpt");
  askSources();
  excerpt = new Excerpt(text ? withText(filter, text) : filter, { signal: work.signal, tell: told });
  excerpt.nothing = id ? "This line is there no more: no copy of its file has it." : "No line is found.";
  setText($["excerpt-text"], id ? "Around a line" : text ? `Searched for ${text} in the whole log` : "A range of time");
  if (id) return showAround(excerpt, id);
  if (text) return showFound(excerpt, text);
  return showRange(excerpt);
}

const showAround = (own, id) => busy(async () => {
  enter(await own.around(id));
  if (store.rows.has(own.target)) list.show(own.target);
});

const showFound = (own, text) => busy(async () => {
  const rows = await own.found();
  searchBar.set(text);
  enter(rows);
  if (rows.length > 0) list.show(rows.at(-1));
  announce(rows.length > 0 ? `${countOf(rows.length, "hit")}, the newest last` : "No line is found");
});

const showRange = (own) => busy(async () => {
  enter(await own.range());
  announce(countOf(store.lines));
});

function enter(rows) {
  volume.add(rows);
  store.add(rows);
  refresh();
}

// Does what is asked for, unless something else is by then; says what went wrong.
async function busy(doing) {
  const own = work;
  isLooking = true;
  try {
    await doing();
  } catch (error) {
    if (own.signal.aborted) return;
    if (error.status === 401 || error.status === 403) $.enter.hidden = false;
    tell(error.message);
    announce(error.message);
  } finally {
    if (own === work) {
      isLooking = false;
      $.progress.hidden = true;
      refresh();
    }
  }
}

// ---- more of it -----------------------------------------------------------------------------------------------------

// Of one file from a line, of several from a time: lines of the same moment come again, and are left out.
function olderThanLive() {
  const first = store.rows.find(({ kind }) => kind === "line");
  const one = sources.all.length === 1 || filter.only.length === 1;
  const more = new Excerpt(filter, { signal: work.signal, tell: told });
  more.older = one || !first.t ? { before: first.id } : { until: String(first.t + 0.001) };
  return more;
}

function older() {
  if (isLooking) return undefined;
  const own = excerpt ?? olderThanLive();
  list.follow(false);
  return busy(async () => {
    const known = new Set([...store.rows.walk()].slice(0, FIRST).map(({ id }) => id));
    const rows = (await own.moreOlder()).filter(({ id }) => !known.has(id));
    hasOlder = own.older !== undefined;
    volume.add(rows);
    store.addOlder(rows);
    refresh();
    announce(rows.length > 0 ? `${countOf(rows.length, "older line")}` : "There are no older lines");
  });
}

function newer() {
  if (isLooking) return undefined;
  return busy(async () => {
    const rows = await excerpt.moreNewer();
    enter(rows);
    announce(rows.length > 0 ? `${countOf(rows.length, "newer line")}` : "There are no newer lines");
  });
}

async function fill(gap) {
  if (gap.state === "loading") return;
  const say = (state) => {
    gap.state = state;
    list.redraw(gap);
  };
  list.follow(false);
  say("loading");
  try {
    const rows = await fetchGap(gap, store, filter, work.signal);
    if (!gap.came) volume.add(rows);
    announce(`${countOf(rows.length)} fetched`);
    refresh();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
  }
}

// ---- following ------------------------------------------------------------------------------------------------------

function takeHeld() {
  store.add(held.take());
  refresh();
}

function setFollowing(on) {
  if (excerpt) return;
  if (on) takeHeld();
  if (on !== list.following) announce(on ? "Resumed" : "Paused");
  list.follow(on);
}

// What is held comes in below, and is read on; when there is nothing more, it follows.
function atEnd() {
  if (excerpt) return;
  if (held.lines > 0) takeHeld();
  else setFollowing(true);
}

function goLive() {
  history.pushState(null, "", location.pathname + location.search);
  if (filter.until) go({ ...filter, since: "", until: "" });
  else open();
}

// ---- the parts ------------------------------------------------------------------------------------------------------

const bar = new FilterBar($, (next) => go(next));
const searchBar = new SearchBar(store, list, {
  changed() {
    list.redraw();
    marks.refresh(store);
  },
  jumps: () => setFollowing(false),
  all: (text) => go(filter, `#search=${encodeURIComponent(text)}`),
});

connectControls({
  store, list, bar, searchBar, open, goLive, older, newer, setFollowing, fill,
  filter: () => filter,
  sources,
  connect: () => stream?.connect(),
  viewChanged(name) {
    if (name === "folds") return setFolding();
    list.wraps = view.wrap;
    layOut();
    renderFilter();
  },
});

function setFolding() {
  if (view.folds) store.fold();
  else store.folds = false;
  if (view.folds) list.redraw();
  else open(); // the server has those that were folded
}

// Heights are known anew where the width is another one.
function layOut() {
  $.log.classList.toggle("wraps", view.wrap);
  measure($.log);
  store.rows.measure(heightOf);
  list.redraw();
}
new ResizeObserver(layOut).observe($.log);

addEventListener("popstate", () => {
  filter = fromQuery(location.search);
  open();
});

list.wraps = view.wrap;
open();
$.log.focus({ preventScroll: true });

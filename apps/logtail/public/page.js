// The page: controls and what they say, around the lines (log.js) and the connection (weir.js, which every Weir serves).

import { createLog } from "./log.js";
import { Stream } from "./weir.js";

const limit = 5000; // lines in the page
const names = {
  connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", offline: "Offline", failed: "Failed", ended: "Ended",
  paused: "Paused", setup: "No log chosen",
};
const element = Object.fromEntries([...document.querySelectorAll("[id]")].map((one) => [one.id, one]));
const number = new Intl.NumberFormat("en").format;
const lineCount = (n) => `${number(n)} ${n === 1 ? "line" : "lines"}`;

let connection = "connecting";
let beat = ""; // when the last one was, in words
let summary = { count: 0, shown: 0, dropped: 0, held: 0, unseen: 0, paused: false, following: true };

// ---- what is seen ----

function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function countText() {
  const { count, shown, dropped } = summary;
  const parts = [element.filter.value.trim() ? `${number(shown)} of ${lineCount(count)}` : lineCount(count)];
  if (connection !== "live" && stream.error) parts.push(stream.error.message);
  if (dropped > 0) parts.push(`the newest ${number(limit)} are kept, ${number(dropped)} older dropped`);
  return parts.join(" · ");
}

function emptyText() {
  if (connection === "setup") return "";
  return summary.count ? "No line matches the filter." : "Waiting for the first line.";
}

function render() {
  const { count, shown, held, unseen, paused, following } = summary;
  const state = connection === "live" && paused ? "paused" : connection;
  element.state.dataset.state = state;
  setText(element["state-text"], names[state] + (paused && held ? ` · ${number(held)} held` : ""));
  setText(element.pause, paused ? "Resume" : "Pause");
  element.pause.classList.toggle("on", paused);
  element.follow.setAttribute("aria-pressed", following);
  element.state.title = stream.error?.message ?? beat;
  element.connect.hidden = !["waiting", "offline", "failed"].includes(stream.state);
  element.jump.hidden = following;
  setText(element.jump, unseen ? `Jump to newest (${number(unseen)} new)` : "Jump to newest");
  element.empty.hidden = shown > 0;
  element.setup.hidden = connection !== "setup";
  setText(element["empty-text"], emptyText());
  setText(element.count, count || connection === "live" ? countText() : "No lines yet");
}

// ---- what is heard ----

// The newest line, or how many there were, at most every ten seconds.
let spoken = 0;
let toSpeak = 0;

function announce(text) {
  element.announce.textContent = text;
}

function announceLines() {
  const fresh = toSpeak;
  if (!fresh || summary.paused || document.hidden || Date.now() - spoken < 10_000) return;
  toSpeak = 0;
  spoken = Date.now();
  announce(fresh === 1 ? summary.newest.slice(0, 200) : `${lineCount(fresh)} more`);
}
setInterval(announceLines, 1000);

// ---- the parts ----

const log = createLog(element.log, {
  limit,
  changed(now) {
    summary = now;
    render();
  },
});

const stream = new Stream("lines");

function become(name) {
  if (name !== connection) announce(names[name]);
  connection = name;
  render();
}

// What the stream is, for people: it is live when the server has begun, and setup when there is nothing to connect to.
function followState() {
  const { state } = stream;
  if (state === "closed" || state === "open") return;
  const again = connection === "connecting" && state === "connecting" ? "connecting" : "reconnecting";
  become(["offline", "failed", "ended"].includes(state) ? state : again);
}

function listen(type, handle) {
  stream.addEventListener(type, ({ data }) => handle(data));
}

stream.addEventListener("weir.state", followState);
listen("start", (data) => {
  const { path, resumed } = JSON.parse(data);
  setText(element.name, path.split("/").pop());
  setText(element.path, path);
  document.title = `${element.name.textContent} · Weir`;
  toSpeak = 0;
  spoken = Date.now();
  if (!resumed) log.restart();
  become("live");
});
listen("gap", (data) => {
  const { lines } = JSON.parse(data);
  log.add(`— ${lines ? lineCount(lines) : "some lines"} missing here —`);
});
listen("message", (text) => {
  toSpeak++;
  log.add(text);
});
listen("heartbeat", () => {
  element.dot.getAnimations().forEach((animation) => animation.cancel());
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const to = calm ? { opacity: 0.4 } : { boxShadow: "0 0 0 8px transparent" };
  const from = calm ? { opacity: 1 } : { boxShadow: "0 0 0 0 currentColor" };
  element.dot.animate([from, to], { duration: 900, easing: "ease-out" });
  beat = `Last heartbeat ${new Date().toLocaleTimeString()}`;
  render();
});
listen("setup", () => {
  stream.close();
  become("setup");
});

// ---- the controls ----

function togglePause() {
  log.pause(!summary.paused);
  announce(summary.paused ? "Resumed" : "Paused");
}

function jump() {
  log.follow(true);
  element.log.focus({ preventScroll: true });
}

let typing;
element.filter.addEventListener("input", () => {
  log.filter(element.filter.value);
  clearTimeout(typing);
  typing = setTimeout(() => announce(countText()), 600);
});
element.filter.addEventListener("keydown", (event) => {
  if (event.key === "Enter") element.log.focus();
});
element.connect.addEventListener("click", () => stream.connect());
element.pause.addEventListener("click", togglePause);
element.follow.addEventListener("click", () => log.follow(!summary.following));
element.jump.addEventListener("click", jump);
element.wrap.addEventListener("click", () => {
  const wraps = element.log.classList.toggle("unwrapped") === false;
  element.wrap.setAttribute("aria-pressed", wraps);
  log.relayout();
});

// Single keys work only while the lines have the focus, so that they take no letter from anything else.
const keys = {
  p: togglePause,
  "/": () => element.filter.focus(),
  Home: log.toOldest,
  End: jump,
};
element.log.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
element.log.focus({ preventScroll: true });

// page: what the server tells each second, given to those who show it.
//
//   events --figures--> cards.js     --streams--> streams.js     --alert, and what is raised--> alerts.js
//
// What comes at once, ten minutes of it at the beginning, is drawn once.

import * as alerts from "./alerts.js";
import * as cards from "./cards.js";
import { $, setText } from "./dom.js";
import { span, time } from "./format.js";
import { getToken, signInWith } from "./session.js";
import * as streams from "./streams.js";
import { Stream } from "./weir.js";

const LATE = 5; // seconds without figures, after which the page says so

let isLive = false; // what comes is new, and not what was kept
let heard = Date.now(); // when the last figures came
let isDrawing = false;

// ---- what is seen ----

function render() {
  isDrawing = false;
  if (!cards.newest()) return;
  const now = cards.render();
  alerts.render(now.alerts);
  const ago = Math.round(cards.newest().at - now.at);
  setText($.when, ago ? `${time(now.at)}, ${span(ago)} ago` : "now");
  $.back.setAttribute("aria-valuetext", $.when.textContent);
}

// At once: a tab that nobody sees draws nothing, and has nothing else to say it by.
function showTitle(raised) {
  document.title = `${raised ? `(${raised}) ` : ""}Monitor · Weir`;
}

function renderSoon() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(render);
}

function lookBack(seconds) {
  $.back.value = String(-seconds);
  cards.lookBack(-Number($.back.value));
  renderSoon();
}

$.back.addEventListener("input", () => lookBack(-Number($.back.value)));
for (const group of [$.weir, $.machine]) {
  group.addEventListener("pointermove", (event) => {
    const seconds = cards.placeOf(event);
    if (seconds !== undefined) lookBack(seconds);
  });
  group.addEventListener("pointerleave", () => lookBack(0));
}

// ---- what comes ----

const stream = new Stream("events", { token: getToken });
const on = (name, take) => stream.addEventListener(name, ({ data }) => take(JSON.parse(data)));

on("setup", ({ may_close: mayClose, rules }) => {
  streams.allowClosing(mayClose);
  alerts.showRules(rules);
});

on("figures", (figures) => {
  heard = Date.now();
  cards.take(figures);
  showTitle(figures.alerts.length);
  showState();
  renderSoon();
});

on("streams", (list) => {
  isLive = true;
  streams.take(list);
});

on("alert", (alert) => {
  alerts.take(alert);
  if (isLive) setText($.announce, alerts.sentence(alert));
});

// ---- the connection ----

const words = {
  connecting: "Connecting", waiting: "Connecting again", offline: "Offline", suspended: "Suspended", ended: "Ended", closed: "Closed",
};

function showState() {
  const isLate = stream.state === "open" && Date.now() - heard > LATE * 1000;
  const open = isLate ? "No figures come: a worker is busy, or inside a call" : "Live";
  const text = stream.state === "failed" ? reason() : words[stream.state] ?? open;
  $.state.dataset.state = isLate ? "late" : stream.state;
  setText($.state, text);
  $.enter.hidden = !isRefused();
}

const isRefused = () => stream.state === "failed" && (stream.error?.code === "auth" || [401, 403].includes(stream.error?.status));

function reason() {
  if (!isRefused()) return `It does not go on: ${stream.error?.message ?? "nobody says why"}`;
  if (stream.error.status === 403) return getToken() ? "This token is not for the monitor" : "Not for you";
  return getToken() ? "The token does not hold, or no more" : "A token is wanted";
}

stream.addEventListener("weir.state", () => {
  if (stream.state === "open") heard = Date.now();
  showState();
});
setInterval(showState, 1000);

$.enter.addEventListener("submit", (event) => {
  event.preventDefault();
  signInWith($.token.value);
  location.reload();
});

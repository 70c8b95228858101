// alerts: how the rules stand that watch the logs, and buttons that try one.
//
// It is connected as long as its menu is open: what an alert says is told by apps/notify, here one sees to the rules.

import { $, countOf, make, number, setText } from "./dom.js";
import { getToken, request } from "./session.js";
import { full } from "./time.js";
import { view } from "./view.js";
import { Stream } from "./weir.js";

const LINES = 1000; // that a rule is tried on

const states = { watching: "watching", cooling: "has raised, and holds its peace", failed: "failed" };
const say = (text) => setText($["alerts-text"], text);

let stream;

async function post(body) {
  const headers = { "Content-Type": "application/json" };
  return (await request("alerts/try", { method: "POST", headers, body: JSON.stringify(body) })).json();
}

const attempt = (work) => work().catch((error) => say(`It could not be tried: ${error.message}`));

const tryRule = ({ name }) => attempt(async () => {
  const { lines, count, raised } = await post({ name, lines: LINES });
  const last = raised.length > 0 ? `, the last at ${full(raised.at(-1).at, view.utc)}` : "";
  say(`${name}: over its newest ${countOf(lines)} it would have raised ${countOf(count, "alert")}${last}.`);
});

const sendTest = ({ name }) => attempt(async () => {
  await post({ name, send: true });
  say(`${name}: a test was sent.`);
});

const act = (text, rule, work) =>
  make("button", { type: "button", className: "quiet", textContent: text, ariaLabel: `${text}: ${rule.name}`, onclick: () => work(rule) });

function lastOf({ last }) {
  if (!last) return [];
  const at = full(last.at, view.utc);
  return [make("span", {}, "Last: ", last.last ? make("a", { href: `#id=${encodeURIComponent(last.last.id)}`, textContent: at }) : at)];
}

function standOf({ state, why, counted, count, window, raised, missed }) {
  const parts = [`${states[state] ?? state}${why ? `: ${why}` : ""}`,
    `${number(counted)} of ${countOf(count)} within ${number(window)} s`, `raised ${number(raised)}`];
  if (missed) parts.push(`${countOf(missed)} missed`);
  return parts.join(" · ");
}

function rowOf(rule) {
  return make("li", {}, make("strong", { textContent: rule.name }), make("span", { className: "soft", textContent: standOf(rule) }),
    ...lastOf(rule), make("span", { className: "ends" }, act("Try it", rule, tryRule), act("Send a test", rule, sendTest)));
}

function show({ data }) {
  const rules = JSON.parse(data), focused = document.activeElement?.ariaLabel;
  $.alerts.replaceChildren(...rules.map(rowOf));
  if (focused) [...$.alerts.querySelectorAll("button")].find(({ ariaLabel }) => ariaLabel === focused)?.focus();
  say(rules.length > 0 ? "" : "There are no rules. They stand in the file that WEIR_LOGS names.");
}

/** Makes the menu work. */
export function showAlerts() {
  $["alerts-menu"].addEventListener("toggle", () => {
    stream?.close();
    if (!$["alerts-menu"].open) return;
    say("Connecting …");
    stream = new Stream("alerts", { token: getToken });
    stream.addEventListener("alerts", show);
    stream.addEventListener("weir.state", ({ target }) => target.state === "failed" && say(target.error.message));
  });
}

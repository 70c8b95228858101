// alerts: what is raised now, what was, and the rules that say when.

import { $, make, setText } from "./dom.js";
import { show, span, time } from "./format.js";

const KEPT = 50; // in the list

const told = new Map(); // by rule and since when, so that the end of an alert joins its beginning

const levelOf = (level) => make("span", { className: "level", textContent: level });
const valueOf = ({ figure, limit, ...one }, name) => `${show(figure, one[name])}, limit ${show(figure, limit)}`;

function rowOf(alert) {
  const isOver = alert.state === "over";
  const when = isOver ? `${time(alert.since)}, over after ${span(alert.at - alert.since)}` : `since ${time(alert.since)}`;
  const row = make("li", {}, levelOf(alert.level), make("span", { className: "title", textContent: alert.text }),
    make("span", { className: "soft", textContent: `${when} · worst ${valueOf(alert, "worst")}` }));
  row.dataset.level = alert.level;
  row.dataset.state = alert.state;
  return row;
}

/** Takes an alert, or the end of one. */
export function take(alert) {
  const key = `${alert.rule}\n${alert.since}`;
  const before = told.get(key);
  const row = rowOf(alert);
  if (before) before.replaceWith(row);
  else $.alerts.prepend(row);
  told.set(key, row);
  if (told.size > KEPT) {
    const [oldest, gone] = told.entries().next().value;
    told.delete(oldest);
    gone.remove();
  }
  $.quiet.hidden = true;
}

/** What is said of it. */
export const sentence = ({ state, level, text }) => (state === "over" ? `Over: ${text}` : `${level}: ${text}`);

let shown; // what is raised, as text: nothing is made anew that says the same

const severity = { critical: 0, warn: 1, info: 2 };

/** Shows what is raised, the worst first. */
export function render(all) {
  const raised = [...all].sort((one, other) => severity[one.level] - severity[other.level]);
  $.calm.hidden = raised.length > 0;
  const text = JSON.stringify(raised.map(({ rule, since, value }) => [rule, since, value]));
  if (text === shown) return;
  shown = text;
  $["raised-list"].replaceChildren(...raised.map((alert) => {
    const row = make("li", {}, levelOf(alert.level), make("strong", { textContent: alert.text }),
      make("span", { textContent: `${valueOf(alert, "value")} · since ${time(alert.since)}` }));
    row.dataset.level = alert.level;
    return row;
  }));
}

/** Shows the rules. */
export function showRules(rules) {
  $.rules.replaceChildren(...rules.map(({ name, figure, above, below, hold, clear, rest, level }) => make("li", {
    textContent: `${name} (${level}): ${figure} ${below === undefined ? "above" : "below"} ${show(figure, above ?? below)}`
      + `${hold ? ` for ${span(hold)}` : ""}; over ${rest ? `after ${span(rest)} ` : ""}at ${show(figure, clear)}`,
  })));
  setText($.quiet, "None in the last thirty days.");
}

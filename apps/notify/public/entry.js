// One notification of the list, as elements, with what can be done to it.

import { render } from "./markdown.js";

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const units = [["day", 86400], ["hour", 3600], ["minute", 60]];

/** How long ago, or in how long. */
export function ago(ms, now) {
  const seconds = (ms - now) / 1000;
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return Math.abs(seconds) < 5 ? "now" : relative.format(Math.round(seconds), "second");
}

function timeOf(entry, now) {
  const at = entry.sort;
  const text = entry.snoozedUntil ? `back ${ago(entry.snoozedUntil * 1000, now)}` : ago(at, now);
  return element("time", { dateTime: new Date(at).toISOString(), title: new Date(at).toLocaleString(), textContent: text });
}

function iconOf({ icon }) {
  if (icon === undefined) return [];
  if (/^(https?:\/\/|\/)/i.test(icon)) return [element("img", { src: icon, alt: "", className: "icon", loading: "lazy", referrerPolicy: "no-referrer" })];
  return [element("span", { className: "icon", textContent: icon, ariaHidden: "true" })];
}

function linkOf({ link }, children) {
  return link === undefined ? children : [element("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, ...children)];
}

// It says whether it worked: nobody sees what another server answers.
async function call(button, { url, method = "POST", body }) {
  const label = button.textContent;
  button.disabled = true;
  button.textContent = `${label} …`;
  try {
    const response = await fetch(url, { method, body: method === "GET" ? undefined : body });
    button.textContent = response.ok ? `${label} ✓` : `${label}: ${response.status}`;
  } catch {
    button.textContent = `${label}: no answer`;
  }
  button.disabled = false;
}

async function copy(button, { text, label }) {
  await navigator.clipboard.writeText(text);
  button.textContent = `${label} ✓`;
}

function actionOf(action) {
  if (action.type === "link") {
    return element("a", { className: "button", href: action.url, target: "_blank", rel: "noopener noreferrer", textContent: action.label });
  }
  const button = element("button", { textContent: action.label });
  button.addEventListener("click", () => (action.type === "call" ? call(button, action) : copy(button, action)));
  return button;
}

const doing = {
  read: "Mark read", unread: "Mark unread", done: "Done", undone: "Back to inbox", unsnooze: "Wake up",
};

// What makes sense from each state.
const possible = {
  unseen: ["read", "done"], seen: ["read", "done"], read: ["unread", "done"], done: ["undone"], snoozed: ["unsnooze", "done"],
};

const HOUR = 3600_000;

function tomorrow(now) {
  const day = new Date(now + 24 * HOUR);
  return day.setHours(9, 0, 0, 0);
}

function snoozeOf(entry, act, now) {
  const select = element("select", { className: "snooze", ariaLabel: `Snooze “${entry.title}”` }, new Option("Snooze …", ""));
  for (const [label, till] of [["1 hour", now + HOUR], ["3 hours", now + 3 * HOUR], ["tomorrow, 9:00", tomorrow(now)], ["a week", now + 168 * HOUR]]) {
    select.append(new Option(label, Math.round(till / 1000)));
  }
  select.addEventListener("change", () => act("snooze", [entry.id], Number(select.value)));
  return select;
}

function controlsOf(entry, act, now) {
  const controls = possible[entry.state].map((action) => {
    const button = element("button", { className: "quiet", textContent: doing[action], ariaLabel: `${doing[action]}: ${entry.title}` });
    button.dataset.action = action;
    button.addEventListener("click", () => act(action, [entry.id]));
    return button;
  });
  if (entry.state !== "done") controls.push(snoozeOf(entry, act, now));
  return element("p", { className: "controls" }, ...controls);
}

/** The list's element of an entry. `act(action, ids, till)` is called for what is done to it, `choose(id)` when it is
    selected. */
export function elementOf(entry, { act, choose, chosen, now }) {
  const box = element("input", { type: "checkbox", checked: chosen, ariaLabel: `Select “${entry.title}”` });
  box.addEventListener("change", () => choose(entry.id));
  const item = element("li", { tabIndex: -1, id: `n-${entry.id}` });
  Object.assign(item.dataset, { id: entry.id, state: entry.state, severity: entry.severity });
  item.append(
    box,
    element("article", {},
      element("h3", {}, ...iconOf(entry), ...linkOf(entry, [entry.title])),
      element("p", { className: "about" }, timeOf(entry, now),
        ...(entry.severity > 3 ? [element("span", { className: "severity", textContent: entry.severity === 5 ? "critical" : "high" })] : []),
        ...(entry.broadcast ? [element("span", { textContent: "to all" })] : []),
        ...(entry.tags ?? []).map((tag) => element("span", { className: "tag", textContent: tag })),
        ...(entry.rev > entry.at ? [element("span", { textContent: "updated" })] : [])),
      element("div", { className: "text" }, ...render(entry.text ?? "")),
      ...(entry.actions ? [element("p", { className: "actions" }, ...entry.actions.map(actionOf))] : []),
      controlsOf(entry, act, now)));
  return item;
}

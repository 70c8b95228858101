// One notification of the list, as an element, with what can be done to it. When its state changes the element stays,
// and so do the focus, what is selected, and what an action has said.

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

function timeOf(at, now, before = "") {
  const time = element("time", { dateTime: new Date(at).toISOString(), title: new Date(at).toLocaleString() });
  time.dataset.before = before;
  tick(time, now);
  return time;
}

function tick(time, now) {
  time.textContent = `${time.dataset.before}${ago(Date.parse(time.dateTime), now)}`;
}

/** Moves the times of a list on. */
export function tickAll(list, now) {
  for (const time of list.querySelectorAll("time")) tick(time, now);
}

const external = { target: "_blank", rel: "noopener noreferrer" };

function iconOf({ icon }) {
  if (icon === undefined) return [];
  if (/^(https?:\/\/|\/)/i.test(icon)) {
    return [element("img", { src: icon, alt: "", className: "icon", loading: "lazy", referrerPolicy: "no-referrer" })];
  }
  return [element("span", { className: "icon", textContent: icon, ariaHidden: "true" })];
}

// ---- actions

// It says whether it worked: nobody sees what another server answers.
async function call(button, { url, method = "POST", body, label }) {
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

/** Puts a text on the clipboard, and says so. */
export async function copy(button, text) {
  const label = button.dataset.label ??= button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = `${label} ✓`;
  } catch {
    button.textContent = `${label}: not allowed here`;
  }
}

function actionOf(action) {
  if (action.type === "link") {
    return element("a", { className: "button", href: action.url, textContent: action.label, ...external });
  }
  const title = action.type === "call" ? `${action.method ?? "POST"} ${new URL(action.url, location).href}` : action.text;
  const button = element("button", { textContent: action.label, title });
  button.addEventListener("click", () => (action.type === "call" ? call(button, action) : copy(button, action.text)));
  return button;
}

// ---- what can be done

const doing = {
  read: "Mark read", unread: "Mark unread", done: "Done", undone: "Back to inbox", unsnooze: "Wake up",
};

// What makes sense from each state.
const possible = {
  unseen: ["read", "done"], seen: ["read", "done"], read: ["unread", "done"], done: ["undone"], snoozed: ["unsnooze", "done"],
};

const HOUR = 3600_000;

const tomorrow = (now) => new Date(now + 24 * HOUR).setHours(9, 0, 0, 0);

// The times from which a user chooses, by what is now when they do.
const naps = {
  "1 hour": (now) => now + HOUR, "3 hours": (now) => now + 3 * HOUR, "tomorrow, 9:00": tomorrow,
  "a week": (now) => now + 168 * HOUR,
};

function snoozeOf(entry, { act, now }) {
  const select = element("select", { className: "snooze", ariaLabel: `Snooze “${entry.title}”` }, new Option("Snooze …", ""),
    ...Object.keys(naps).map((label) => new Option(label)));
  select.addEventListener("change", () => act("snooze", [entry.id], Math.round(naps[select.value](now()) / 1000)));
  return select;
}

function controlsOf(entry, context) {
  const controls = possible[entry.state].map((action) => {
    const button = element("button", { className: "quiet", textContent: doing[action], ariaLabel: `${doing[action]}: ${entry.title}` });
    button.dataset.action = action;
    button.addEventListener("click", () => context.act(action, [entry.id]));
    return button;
  });
  if (entry.state !== "done") controls.push(snoozeOf(entry, context));
  return controls;
}

// ---- the whole

const severities = { 4: "high", 5: "critical" };

function* aboutOf(entry, now) {
  yield entry.snoozedUntil ? timeOf(entry.snoozedUntil * 1000, now, "back ") : timeOf(entry.sort, now);
  if (entry.rev > entry.at) yield timeOf(entry.revised, now, "updated ");
  if (severities[entry.severity]) yield element("span", { className: "severity", textContent: severities[entry.severity] });
  if (entry.broadcast) yield element("span", { textContent: "to all" });
  for (const tag of entry.tags ?? []) yield element("span", { className: "tag", textContent: tag });
}

function headingOf(entry) {
  const text = entry.link === undefined ? entry.title
    : element("a", { href: entry.link, textContent: entry.title, ...external });
  return element("h3", { id: `h-${entry.id}`, dir: "auto" }, ...iconOf(entry), text);
}

/** A new element. `context`: act(action, ids, till) and choose(id) for what is done to it, now() in ms. */
export function elementOf(entry, context) {
  const box = element("input", { type: "checkbox", ariaLabel: `Select “${entry.title}”` });
  box.addEventListener("change", () => context.choose(entry.id));
  const item = element("li", { tabIndex: -1, id: `n-${entry.id}` }, box, element("article", {},
    headingOf(entry),
    element("p", { className: "about" }),
    element("div", { className: "text", dir: "auto" }, ...render(entry.text ?? "")),
    ...(entry.actions ? [element("p", { className: "actions" }, ...entry.actions.map(actionOf))] : []),
    element("p", { className: "controls" })));
  item.setAttribute("aria-labelledby", `h-${entry.id}`);
  Object.assign(item.dataset, { id: entry.id, severity: entry.severity, rev: entry.rev });
  return item;
}

/** Brings an element up to date with an entry whose content is the same. */
export function update(item, entry, isChosen, context) {
  item.querySelector("input").checked = isChosen;
  const sign = JSON.stringify([entry.state, entry.snoozedUntil, entry.sort]);
  if (item.dataset.sign === sign) return;
  Object.assign(item.dataset, { state: entry.state, sign });
  item.querySelector(".about").replaceChildren(...aboutOf(entry, context.now()));
  const controls = item.querySelector(".controls");
  const focused = controls.contains(document.activeElement) && document.activeElement.dataset.action;
  controls.replaceChildren(...controlsOf(entry, context));
  if (focused !== false) (controls.querySelector(`[data-action="${focused}"]`) ?? item).focus();
}

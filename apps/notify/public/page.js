// The inbox's page: what the boxes hold, as this user sees it; what is new, told once; and what the user does.
//
//   GET box ------> boxes <-- stream (one connection for all tabs)
//                     | list, with what is pending on its way to the server
//                     v
//   news -> toasts    list, badge, title       user --act--> queue --POST state--> server --stream--> boxes

import { Boxes, countsOf, eventNames, foresee, ms, views } from "./box.js";
import { ago, elementOf, tickAll, update } from "./entry.js";
import { Queue } from "./queue.js";
import { ask, getToken, isDemo, isSignedIn, signInAs, signInWith, signOut, subOf } from "./session.js";
import { Toasts } from "./toasts.js";
import { Stream } from "./weir.js";
import { isQuiet, isSilent, makeSettings } from "./settings.js";

const $ = Object.fromEntries([...document.querySelectorAll("[id]")].map((one) => [one.id, one]));
const toasts = new Toasts($.toasts, { open: openAt });
const openSettings = makeSettings((text) => toasts.say(text));

let boxes, stream, queue, who;
let entries = []; // all that is there, the newest first
let view = "inbox";
let reloading; // events that came while the boxes are loaded anew
let openedAt = 0; // when the connection was there, by the server's clock
let skew = 0; // its clock minus ours, ms
const told = new Set(); // news that has been told, or was there
const chosen = new Set();

const now = () => Date.now() + skew;

// ---- what is there --------------------------------------------------------------------------------------------------

function current() {
  const changes = queue.pending;
  return boxes.list(now()).map((entry) =>
    changes.filter(({ ids }) => ids.includes(entry.id)).reduce(foresee, entry));
}

const newsKey = ({ id, news }) => `${id} ${news}`;

// Those that are news since the last look, and are not silent by the user's wish.
function takeNews() {
  const found = entries.filter((entry) => views.unseen(entry) && !told.has(newsKey(entry)));
  for (const entry of found) told.add(newsKey(entry));
  return found.filter(({ tags }) => !isSilent(boxes.own.preferences, tags));
}

let missed = 0, summary;

function tellMissed(found) {
  const count = found.filter(({ severity }) => !isQuiet(boxes.own.preferences, severity, new Date())).length;
  if (count === 0) return;
  missed += count;
  clearTimeout(summary);
  summary = setTimeout(() => {
    toasts.say(missed === 1 ? "One notification came while you were away" : `${missed} notifications came while you were away`);
    missed = 0;
  }, 300);
}

function tell(entry) {
  if (isQuiet(boxes.own.preferences, entry.severity, new Date())) return;
  toasts.show(entry);
  if (stream.stats.role !== "follower") toasts.notify(entry);
}

let wake;

// All of the page follows from the boxes, the queue and the time. `place`: of the event that is the reason.
function refresh(place) {
  entries = current();
  const news = takeNews();
  if (place && ms(place) < openedAt) tellMissed(news);
  else news.forEach(tell);
  toasts.keep((id) => entries.some((entry) => entry.id === id && views.unseen(entry)));
  showCounts();
  showList();
  clearTimeout(wake);
  wake = setTimeout(refresh, Math.min(boxes.nextChange(now()) - now() + 5, 3600_000));
}

// ---- the list -------------------------------------------------------------------------------------------------------

function isShown(entry) {
  const text = $.search.value.trim().toLowerCase();
  return views[view](entry) && entry.severity >= Number($.severity.value)
    && ($.tag.value === "" || (entry.tags ?? []).includes($.tag.value))
    && (text === "" || `${entry.title} ${entry.text ?? ""} ${(entry.tags ?? []).join(" ")}`.toLowerCase().includes(text));
}

const shown = () => entries.filter(isShown);

const empty = {
  inbox: "Nothing here. What comes is kept, whether you are here or not.", unread: "You have read everything.",
  snoozed: "Nothing sleeps.", done: "Nothing is done yet.",
};

// The element that has the focus next, when `item` goes and only those in `stay` do not.
function neighbour(item, stay) {
  let next = item;
  do next = next.nextElementSibling; while (next && !stay.has(next.dataset.id));
  if (next) return next;
  next = item;
  do next = next.previousElementSibling; while (next && !stay.has(next.dataset.id));
  return next ?? $.inbox;
}

function removeOthers(stay) {
  for (const item of [...$.list.children]) {
    if (stay.has(item.dataset.id)) continue;
    const next = item.contains(document.activeElement) && neighbour(item, stay);
    item.remove();
    if (next) next.focus();
  }
}

const context = { act, choose, now };

// The element of an entry, a new one if it says something else by now.
function elementFor(entry) {
  const before = document.getElementById(`n-${entry.id}`);
  const item = before?.dataset.rev === entry.rev ? before : elementOf(entry, context);
  if (item !== before) {
    const focused = before?.contains(document.activeElement);
    before?.replaceWith(item);
    watcher.observe(item.querySelector("h3"));
    if (focused) item.focus();
  }
  update(item, entry, chosen.has(entry.id), context);
  return item;
}

function showList() {
  if ($.inbox.hidden) return;
  const list = shown();
  removeOthers(new Set(list.map(({ id }) => id)));
  for (const [i, entry] of list.entries()) {
    const item = elementFor(entry);
    if ($.list.children[i] !== item) $.list.insertBefore(item, $.list.children[i] ?? null);
  }
  $.empty.hidden = list.length > 0;
  $.empty.textContent = entries.some(views[view]) ? "Nothing matches." : empty[view];
  showChosen();
}

function showCounts() {
  const counts = countsOf(entries);
  $.badge.textContent = counts.unseen > 99 ? "99+" : counts.unseen;
  $.bell.dataset.severity = counts.severity;
  document.title = counts.unseen > 0 ? `(${$.badge.textContent}) Inbox · Weir` : "Inbox · Weir";
  $.favicon.href = counts.unseen > 0 ? favicon(counts) : "icon.svg";
  for (const tab of $.views.children) {
    const count = entries.filter(views[tab.dataset.view]).length;
    tab.querySelector("span").textContent = count || "";
  }
  const { dropped } = boxes.own;
  $.dropped.hidden = dropped === 0;
  $.dropped.textContent = dropped === 1 ? "One notification is gone: the inbox was full, and it was the oldest."
    : `${dropped} notifications are gone: the inbox was full, and they were the oldest.`;
  const tags = [...new Set(entries.flatMap((entry) => entry.tags ?? []))].sort();
  if (tags.join() !== [...$.tag.options].slice(1).map(({ value }) => value).join()) {
    const before = $.tag.value;
    $.tag.replaceChildren(new Option("All tags", ""), ...tags.map((tag) => new Option(tag, tag)));
    $.tag.value = tags.includes(before) ? before : "";
  }
}

function favicon({ unseen, severity }) {
  const color = severity > 3 ? "%23d93025" : "%23e37400";
  return `data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" `
    + `fill="%230b6b7d"/><circle cx="16" cy="16" r="12" fill="${color}"/><text x="16" y="22" font-size="17" font-weight="700" `
    + `font-family="sans-serif" text-anchor="middle" fill="%23fff">${unseen > 9 ? "9%2B" : unseen}</text></svg>`;
}

// ---- what the user does ---------------------------------------------------------------------------------------------

function act(action, ids, till) {
  const upto = boxes.place; // what has become news since is not meant
  for (let i = 0; i < ids.length; i += 500) queue.add({ action, ids: ids.slice(i, i + 500), snoozed_until: till, upto });
}

function choose(id) {
  if (!chosen.delete(id)) chosen.add(id);
  showList();
}

const several = { read: "Mark read", unread: "Mark unread", done: "Done" };

function showChosen() {
  for (const id of chosen) if (!document.getElementById(`n-${id}`)) chosen.delete(id); // nobody sees that it is
  $.chosen.replaceChildren();
  if (chosen.size === 0) return;
  $.chosen.append(`${chosen.size} selected `);
  for (const [action, label] of Object.entries(several)) {
    const button = Object.assign(document.createElement("button"), { textContent: label });
    button.addEventListener("click", () => actOnChosen(action));
    $.chosen.append(button, " ");
  }
}

function actOnChosen(action) {
  const ids = [...chosen];
  chosen.clear();
  act(action, ids);
}

// Twice: the second click does what the first one has announced.
let announced, patience;
$["read-all"].addEventListener("click", () => {
  const sure = announced;
  unsure();
  if (sure) {
    act("read", sure);
    return;
  }
  const ids = shown().filter(views.unread).map(({ id }) => id);
  if (ids.length === 0) return;
  announced = ids;
  $["read-all"].textContent = `Mark ${ids.length} read?`;
  patience = setTimeout(unsure, 4000);
});

function unsure() {
  clearTimeout(patience);
  announced = undefined;
  $["read-all"].textContent = "Mark all read";
}

// Seen is what had its heading in view for a second.
const inView = new Set();
const watcher = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    const id = target.closest("li")?.dataset.id;
    if (isIntersecting) inView.add(id);
    else inView.delete(id);
  }
}, { threshold: 1 });

let looking;
setInterval(() => {
  const looks = !$.inbox.hidden && document.visibilityState === "visible";
  const unseen = looks ? shown().filter((entry) => views.unseen(entry) && inView.has(entry.id)).map(({ id }) => id) : [];
  const still = unseen.filter((id) => looking?.has(id));
  looking = new Set(unseen);
  if (still.length > 0) act("seen", still);
}, 1000);

$.list.addEventListener("click", ({ target }) => {
  const item = target.closest("li");
  const entry = entries.find(({ id }) => id === item?.dataset.id);
  if (entry && views.unread(entry) && target.closest("h3, .text")) act("read", [entry.id]);
});

function showInbox(open) {
  $.inbox.hidden = !open;
  $.welcome.hidden = open;
  $.bell.ariaExpanded = String(open);
  if (!open) {
    $.bell.focus();
    return;
  }
  showList();
  ($.list.firstElementChild ?? $.inbox).focus();
}

function openAt(id) {
  showInbox(true);
  const entry = entries.find((one) => one.id === id);
  if (!entry) return;
  if (!isShown(entry)) chooseView("inbox");
  document.getElementById(`n-${id}`)?.focus();
}

function chooseView(name) {
  view = name;
  for (const tab of $.views.children) {
    tab.ariaSelected = String(tab.dataset.view === name);
    tab.tabIndex = tab.dataset.view === name ? 0 : -1;
  }
  $.panel.setAttribute("aria-labelledby", `tab-${name}`);
  unsure();
  showList();
}

$.bell.addEventListener("click", () => showInbox($.inbox.hidden));
$.views.addEventListener("click", ({ target }) => {
  const tab = target.closest("[data-view]");
  if (tab) chooseView(tab.dataset.view);
});
$.views.addEventListener("keydown", ({ key }) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
  if (step === undefined) return;
  const tabs = [...$.views.children], at = tabs.findIndex((tab) => tab.dataset.view === view);
  const next = tabs[(at + step + tabs.length) % tabs.length];
  chooseView(next.dataset.view);
  next.focus();
});
for (const control of [$.search, $.tag, $.severity]) {
  control.addEventListener("input", () => {
    unsure();
    showList();
  });
}
$["open-settings"].addEventListener("click", () =>
  openSettings(boxes.own.preferences, [...new Set([...$.tag.options].slice(1).map(({ value }) => value)
    .concat(Object.keys(boxes.own.preferences?.tags ?? {})))].sort()));

// ---- the keyboard ---------------------------------------------------------------------------------------------------

const focusedItem = () => document.activeElement?.closest("#list > li");

function move(step) {
  const items = [...$.list.children];
  const at = items.indexOf(focusedItem());
  items[at < 0 ? 0 : Math.min(Math.max(at + step, 0), items.length - 1)]?.focus();
}

function toggle(entry, on, off, isOn) {
  if (!entry && chosen.size === 0) return;
  const ids = chosen.size > 0 ? [...chosen] : [entry.id];
  chosen.clear();
  act(isOn ? off : on, ids);
}

const keys = {
  j: () => move(1),
  k: () => move(-1),
  e: (entry) => toggle(entry, "done", "undone", view === "done"),
  u: (entry) => toggle(entry, "unread", "read", entry !== undefined && views.unread(entry)),
  x: (entry) => entry && choose(entry.id),
  "/": () => $.search.focus(),
  Enter: (entry) => {
    if (!entry || document.activeElement !== focusedItem()) return false;
    focusedItem().querySelector("h3 a")?.click();
    if (views.unread(entry)) act("read", [entry.id]);
  },
  Escape: () => {
    if (chosen.size === 0) showInbox(false);
    chosen.clear();
    showList();
  },
};

function leaveSearch() {
  $.search.value = "";
  showList();
  ($.list.firstElementChild ?? $.bell).focus();
}

addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), select, dialog");
  if ($.inbox.hidden || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
  if (typing === $.search && event.key === "Escape") leaveSearch();
  if (typing) return;
  const entry = entries.find(({ id }) => id === focusedItem()?.dataset.id);
  if (keys[event.key](entry) !== false) event.preventDefault();
});

// ---- the connection -------------------------------------------------------------------------------------------------

const words = { open: "live", waiting: "reconnecting", connecting: "connecting", suspended: "asleep" };

function showState() {
  const { state, error } = stream;
  const text = error && state !== "open" ? `${words[state] ?? state}: ${error.message}` : words[state] ?? state;
  $.state.dataset.state = state;
  if ($.state.textContent !== text) $.state.textContent = text;
  $.again.hidden = !["waiting", "offline", "failed"].includes(state);
  if (state === "failed" && error.code === "auth") askForToken(`Your token holds no more: ${error.message}.`);
  if (state === "open") openedAt = now();
}

function showStats() {
  if (document.visibilityState !== "visible") return;
  const { messages, reconnects, bytes, age, role } = stream.stats;
  const pending = queue.pending.filter(({ sent }) => !sent).length;
  $.stats.textContent = [
    stream.state !== "open" ? "no connection"
      : role === "follower" ? "shares the connection of another tab" : "has a connection",
    `${messages} messages`, `${Math.ceil(bytes / 1024)} KB`, `${reconnects} reconnects`,
    Number.isFinite(age) ? `last ${ago(Date.now() - age, Date.now())}` : "",
    pending > 0 ? `${pending} changes to be sent` : "",
  ].filter(Boolean).join(" · ");
  tickAll($.list, now());
}

function receive(name, { data, lastEventId }) {
  const event = [name, lastEventId, JSON.parse(data)];
  reloading?.push(event);
  if (!boxes.apply(...event)) return;
  localStorage.setItem(`notify.last ${who}`, lastEventId);
  queue.settle(boxes.own.at);
  refresh(lastEventId);
}

async function load() {
  for (;;) {
    try {
      return new Boxes(await ask("GET", "box"));
    } catch (error) {
      if (error.status && error.status < 500 && error.status !== 429) throw error;
      $.state.textContent = `reconnecting: ${error.message}`;
      $.state.dataset.state = "waiting";
      await new Promise((done) => setTimeout(done, 2000));
    }
  }
}

// Something is missing in the stream: the boxes are loaded anew, and what comes meanwhile is applied to them.
async function reload() {
  const came = [];
  reloading = came;
  try {
    const loaded = await load();
    if (reloading !== came) return; // something else was missing since
    boxes = loaded;
    for (const event of came) boxes.apply(...event);
  } finally {
    if (reloading === came) reloading = undefined;
  }
  queue.settle(boxes.own.at);
  refresh(boxes.position);
}

// What was there before the page came is no news; what came since the user's last page is summed up.
function meet() {
  const last = localStorage.getItem(`notify.last ${who}`);
  entries = current();
  for (const entry of entries) told.add(newsKey(entry));
  if (last) tellMissed(entries.filter((entry) => views.unseen(entry) && entry.rev > last && !isSilent(boxes.own.preferences, entry.tags)));
  localStorage.setItem(`notify.last ${who}`, boxes.position);
}

async function start() {
  who = subOf(await getToken());
  queue = new Queue(who);
  boxes = await load();
  queue.settle(boxes.own.at);
  queue.addEventListener("change", () => refresh());
  queue.addEventListener("refused", ({ detail }) => toasts.say(`Not done: ${detail}`));
  $.who.textContent = who;
  for (const part of [$.account, $.bell, $.welcome, $.stats]) part.hidden = false;
  meet();
  stream = new Stream("stream", { token: () => getToken(), renew: "renew", tabs: true, lastEventId: boxes.position });
  stream.addEventListener("weir.state", showState);
  stream.addEventListener("weir.hello", ({ data }) => {
    openedAt = JSON.parse(data).server_time * 1000;
    skew = openedAt - Date.now();
  });
  stream.addEventListener("weir.gap", () => reload().catch((error) => toasts.say(error.message)));
  for (const name of eventNames) stream.addEventListener(name, (event) => receive(name, event));
  $.again.addEventListener("click", () => stream.connect());
  setInterval(showStats, 1000);
  refresh();
  showState();
  showStats();
  queue.send();
}

// ---- the way in -----------------------------------------------------------------------------------------------------

function enter(form, remember) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    remember();
    location.reload();
  });
  form.querySelector("input").focus();
}

$.leave.addEventListener("click", () => {
  signOut();
  location.reload();
});

function askForToken(why) {
  $["token-why"].textContent = why;
  enter($["show-token"], () => signInWith($.token.value.trim()));
}

async function begin() {
  if (isSignedIn()) await start();
  else if (await isDemo()) enter($.enter, () => signInAs($.name.value));
  else askForToken("");
}

// A token that does not hold is asked for again; whatever else stops the page is said.
begin().catch((error) => {
  $.account.hidden = !isSignedIn();
  if (error.status === 401) askForToken(`Your token was refused: ${error.message}.`);
  $.state.dataset.state = "failed";
  $.state.textContent = error.message;
});

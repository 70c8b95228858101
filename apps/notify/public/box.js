/* box: what a log of notifications comes to. The twin of ../notify/box.lua, where its ideas are told:
   whoever has applied the same events has the same box. Below it, the twin of ../notify/inbox.lua. */

const levels = { unseen: 0, seen: 1, read: 2, done: 3 };
const names = ["unseen", "seen", "read", "done"];

const actions = {
  seen: (level) => Math.max(level, levels.seen),
  unseen: () => levels.unseen,
  read: (level) => Math.max(level, levels.read),
  unread: (level) => Math.min(level, levels.seen),
  done: () => levels.done,
  undone: (level) => Math.min(level, levels.read),
  snooze: (level) => level,
  unsnooze: (level) => level,
};

const DEVICES = 8;

export const ms = (id) => Number(id.slice(0, 13)) || 0;

/** The keys for which `mayGo` holds, those with the smallest place first: all but `most` of the whole map. */
function surplus(map, most, placeOf, mayGo = () => true) {
  const excess = Object.keys(map).length - most;
  if (excess <= 0) return [];
  const order = (a, b) => {
    const first = placeOf(map[a]), second = placeOf(map[b]);
    return first < second || (first === second && a < b) ? -1 : 1;
  };
  return Object.keys(map).filter(mayGo).sort(order).slice(0, excess);
}

const itself = (place) => place;
const byRev = (value) => value.rev;

// ---- items

function forgetSurplus(box, bounds) {
  for (const id of surplus(box.gone, bounds.count, itself)) {
    if (box.gone[id] > box.forgotten) box.forgotten = box.gone[id];
    delete box.gone[id];
  }
}

function remove(box, id, place) {
  delete box.items[id];
  delete box.marks[id];
  box.gone[id] = place;
}

const isOver = (item, now, bounds) => item.expires * 1000 <= now || ms(item.rev) + bounds.age * 1000 <= now;

function sweep(box, place, bounds) {
  for (const item of Object.values(box.items)) if (isOver(item, ms(place), bounds)) remove(box, item.id, place);
}

function drop(box, id, place) {
  if (box.marks[id]?.level !== levels.done) box.dropped += 1;
  remove(box, id, place);
}

function makeRoom(box, place, bounds) {
  for (const id of surplus(box.items, bounds.count, byRev)) drop(box, id, place);
  let bytes = Object.values(box.items).reduce((sum, item) => sum + item.size, 0);
  for (const id of bytes > bounds.bytes ? surplus(box.items, 1, byRev) : []) {
    if (bytes <= bounds.bytes) return;
    bytes -= box.items[id].size;
    drop(box, id, place);
  }
}

function put(box, place, data, bounds) {
  sweep(box, place, bounds);
  const old = box.items[data.id];
  if (old?.once && old.once === data.once) return;
  const renewed = old ? (data.keep_state ? old.renewed : place) : box.gone[data.id] ? place : box.forgotten;
  box.items[data.id] = { ...data, at: old?.at ?? place, rev: place, renewed };
  delete box.gone[data.id];
  makeRoom(box, place, bounds);
  forgetSurplus(box, bounds);
}

function withdraw(box, place, data, bounds) {
  remove(box, data.id, place);
  forgetSurplus(box, bounds);
}

// ---- marks

const newsOf = (item) => (item.renewed > item.at ? item.renewed : item.at);

const isOf = (mark, news, item) => mark.of >= news || (mark.of === "" && item?.renewed === "");

function levelOf(mark, news, item, now, since) {
  if (!mark || !isOf(mark, news, item)) return [news !== "" && news <= since ? levels.seen : levels.unseen];
  const till = mark.snoozed_until;
  if (till !== undefined && till * 1000 <= now) return [levels.unseen];
  return [mark.level, till];
}

function isVoid(mark, news, change) {
  const last = change.device && mark && Object.hasOwn(mark.by, change.device) ? mark.by[change.device] : -1;
  return (change.device && last >= change.n) || (change.upto && news > change.upto);
}

function marked(box, mark, news, item, place, change) {
  let [level, till] = levelOf(mark, news, item, ms(place), item ? "" : box.since);
  const by = { ...mark?.by };
  if (change.device) by[change.device] = change.n;
  for (const device of surplus(by, DEVICES, itself, (one) => one !== change.device)) delete by[device];
  if (change.action === "snooze") till = change.snoozed_until;
  else if (change.action !== "seen") till = undefined;
  return { level: actions[change.action](level), snoozed_until: till, of: news, rev: place, by };
}

function setState(box, place, change, bounds) {
  for (const id of change.ids) {
    const mark = box.marks[id], item = box.items[id];
    const news = item ? newsOf(item) : change.of?.[id] ?? "";
    if (!isVoid(mark, news, change)) box.marks[id] = marked(box, mark, news, item, place, change);
  }
  for (const id of surplus(box.marks, bounds.marks, byRev, (key) => !box.items[key])) delete box.marks[id];
}

// ---- events

const changes = {
  "notification.item.put": put,
  "notification.item.withdrawn": withdraw,
  "notification.state.set": setState,
  "notification.preferences.set": (box, _, preferences) => { box.preferences = preferences; },
  "notification.box.deleted": (box, place) => {
    Object.assign(box, { items: {}, marks: {}, gone: {}, since: place, forgotten: "", dropped: 0, preferences: undefined });
  },
};

/** The names of the events that change a box. */
export const eventNames = Object.keys(changes);

/** Both boxes of a user, as GET /box tells of them. */
export class Boxes {
  constructor(told) {
    Object.assign(this, told); // own, all, position, bounds
  }

  /** Applies an event of the stream; false: it has been applied, or is none of these. */
  apply(name, id, data) {
    const box = data.broadcast ? this.all : this.own;
    if (!changes[name] || id <= box.at) return false;
    box.at = id;
    changes[name](box, id, data, this.bounds);
    return true;
  }

  /** What is there at `now` (ms), the newest first. */
  list(now) {
    const preferences = this.own.preferences ?? { tags: {} };
    const entries = [];
    for (const item of [...Object.values(this.own.items), ...Object.values(this.all.items)]) {
      if (item.expires * 1000 <= now || item.show_at * 1000 > now || ms(item.rev) + this.bounds.age * 1000 <= now) continue;
      const mark = this.own.marks[item.id];
      const [level, till] = levelOf(mark, newsOf(item), item, now, item.broadcast ? this.own.since : "");
      const back = till === undefined && level === levels.unseen ? mark?.snoozed_until ?? 0 : 0;
      entries.push({
        ...item,
        state: till !== undefined ? "snoozed" : names[level],
        snoozedUntil: till,
        muted: (item.tags ?? []).some((tag) => Object.hasOwn(preferences.tags, tag) && preferences.tags[tag] === "mute"),
        news: `${newsOf(item)} ${item.show_at ?? ""} ${back}`, // what made it unseen
        revised: ms(item.rev),
        sort: Math.floor(Math.max(ms(item.at), (item.show_at ?? 0) * 1000, back * 1000)),
      });
    }
    return entries.sort((a, b) => b.sort - a.sort || (a.at < b.at ? 1 : -1));
  }

  /** Up to where this device has seen the log. */
  get place() {
    return [this.own.at, this.all.at, this.position].sort().at(-1);
  }

  /** The next time (ms) at which the list changes by itself; Infinity: never. */
  nextChange(now) {
    let next = Infinity;
    const times = [];
    for (const item of [...Object.values(this.own.items), ...Object.values(this.all.items)]) {
      times.push(item.expires * 1000, item.show_at * 1000, ms(item.rev) + this.bounds.age * 1000);
    }
    for (const mark of Object.values(this.own.marks)) times.push(mark.snoozed_until * 1000);
    for (const time of times) if (time > now && time < next) next = time;
    return next;
  }
}

/** An entry as it will be once the server has a change that the user has made. */
export function foresee(entry, { action, snoozed_until }) {
  if (action === "snooze") return { ...entry, state: "snoozed", snoozedUntil: snoozed_until };
  const level = entry.state === "snoozed" ? levels.unseen : levels[entry.state];
  if (action === "seen" && entry.state === "snoozed") return entry;
  return { ...entry, state: names[actions[action](level)], snoozedUntil: undefined };
}

export const views = {
  inbox: (entry) => entry.state !== "done" && entry.state !== "snoozed",
  unread: (entry) => entry.state === "unseen" || entry.state === "seen",
  unseen: (entry) => entry.state === "unseen",
  done: (entry) => entry.state === "done",
  snoozed: (entry) => entry.state === "snoozed",
  all: () => true,
};

/** How many are unseen, unread and there, and the highest severity of those unseen. */
export function countsOf(list) {
  const counted = list.filter((entry) => !entry.muted);
  const unseen = counted.filter(views.unseen);
  return {
    unseen: unseen.length,
    unread: counted.filter(views.unread).length,
    inbox: list.filter(views.inbox).length,
    severity: Math.max(0, ...unseen.map((entry) => entry.severity)),
  };
}

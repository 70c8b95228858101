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

/** The key whose value, by `place`, is the smallest. */
function oldest(map, place) {
  let key, least;
  for (const [k, value] of Object.entries(map)) {
    const at = place(value);
    if (least === undefined || at < least || (at === least && k < key)) [key, least] = [k, at];
  }
  return key;
}

function keepNewest(map, most, place) {
  while (Object.keys(map).length > most) delete map[oldest(map, place)];
}

const self = (value) => value;
const byRev = (value) => value.rev;

// ---- items

function remove(box, id, place) {
  delete box.items[id];
  delete box.marks[id];
  box.gone[id] = place;
}

function dropOldest(box, place, bounds) {
  const bytes = () => Object.values(box.items).reduce((sum, item) => sum + item.size, 0);
  let count = Object.keys(box.items).length;
  while (count > 1 && (count > bounds.count || bytes() > bounds.bytes)) {
    remove(box, oldest(box.items, byRev), place);
    box.dropped += 1;
    count -= 1;
  }
}

function put(box, place, data, bounds) {
  let old = box.items[data.id];
  if (old?.expires && old.expires * 1000 <= ms(place)) {
    remove(box, data.id, place);
    old = undefined;
  }
  if (old?.once && old.once === data.once) return;
  const renewed = old ? (data.keep_state ? old.renewed : place) : box.gone[data.id] ? place : "";
  box.items[data.id] = { ...data, at: old?.at ?? place, rev: place, renewed };
  delete box.gone[data.id];
  dropOldest(box, place, bounds);
  keepNewest(box.gone, bounds.count, self);
}

// ---- marks

/** What an item is, by its mark: a level, and until when it sleeps. */
function levelOf(item, mark, now) {
  if (!mark || (item && mark.rev <= item.renewed)) return [levels.unseen];
  const till = mark.snoozed_until;
  if (till && till * 1000 <= now) return [levels.unseen];
  return [mark.level, till];
}

function marked(mark, item, place, change) {
  let [level, till] = levelOf(item, mark, ms(place));
  const by = { ...mark?.by };
  if (change.device) by[change.device] = change.n;
  keepNewest(by, DEVICES, self);
  if (change.action === "snooze") till = change.snoozed_until;
  else if (change.action !== "seen") till = undefined;
  return { level: actions[change.action](level), snoozed_until: till, rev: place, by };
}

function setState(box, place, change, bounds, others) {
  for (const id of change.ids) {
    const mark = box.marks[id];
    const last = change.device && mark ? mark.by[change.device] : undefined;
    if (last !== undefined && last >= change.n) continue;
    box.marks[id] = marked(mark, box.items[id] ?? others.items[id], place, change);
  }
  keepNewest(box.marks, bounds.marks, byRev);
}

// ---- events

const changes = {
  "notification.item.put": put,
  "notification.item.withdrawn": (box, place, data, bounds) => {
    remove(box, data.id, place);
    keepNewest(box.gone, bounds.count, self);
  },
  "notification.state.set": setState,
  "notification.preferences.set": (box, _, preferences) => { box.preferences = preferences; },
  "notification.box.deleted": (box) => {
    Object.assign(box, { items: {}, marks: {}, gone: {}, dropped: 0, preferences: undefined });
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
    changes[name](box, id, data, box === this.all ? this.bounds.all : this.bounds.own, this.all);
    return true;
  }

  /** What is there at `now` (ms), the newest first. */
  list(now) {
    const preferences = this.own.preferences ?? { tags: {} };
    const entries = [];
    for (const item of [...Object.values(this.own.items), ...Object.values(this.all.items)]) {
      if (item.expires * 1000 <= now || item.show_at * 1000 > now || ms(item.rev) + this.bounds.age * 1000 <= now) continue;
      const mark = this.own.marks[item.id];
      const [level, till] = levelOf(item, mark, now);
      const back = mark && mark.rev > item.renewed && !till ? mark.snoozed_until ?? 0 : 0;
      entries.push({
        ...item,
        state: till ? "snoozed" : names[level],
        snoozedUntil: till,
        muted: (item.tags ?? []).some((tag) => preferences.tags[tag] === "mute"),
        news: `${item.renewed || item.at} ${item.show_at ?? ""} ${back}`, // what made it unseen
        sort: Math.max(ms(item.at), (item.show_at ?? 0) * 1000, back * 1000),
      });
    }
    return entries.sort((a, b) => b.sort - a.sort || (a.at < b.at ? 1 : -1));
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

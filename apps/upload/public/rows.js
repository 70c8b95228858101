// The rows of the page's lists: uploads of this page, those elsewhere, files. A row is made once for each key and then
// brought up to date, so that focus and selection stay where they are.

import { canPause } from "./transfers.js";

const units = ["bytes", "KB", "MB", "GB", "TB"];

export function size(bytes) {
  if (bytes === 1) return "1 byte";
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return `${unit === 0 || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export function ago(at, now) {
  const seconds = Math.max(0, now - at);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(at * 1000).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export const set = (element, property, value) => {
  if (element[property] !== value) element[property] = value;
};

/** Makes a list's rows those of `items`, in their order: `create(item)` makes one, `update(row, item)` brings it up to date. */
export function showRows(list, items, { key, create, update }) {
  const rows = new Map([...list.children].map((row) => [row.dataset.key, row]));
  const focused = [...list.children].findIndex((row) => row.contains(document.activeElement));
  items.forEach((item, i) => {
    let row = rows.get(key(item));
    rows.delete(key(item));
    if (!row) {
      row = create(item);
      row.dataset.key = key(item);
    }
    if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
    update(row, item);
  });
  for (const row of rows.values()) row.remove();
  if (focused < 0 || list.contains(document.activeElement)) return;
  const near = list.children[Math.min(focused, list.children.length - 1)];
  (near?.querySelector("button:not([hidden])") ?? list).focus();
}

function nameOf(path) {
  const at = path.lastIndexOf("/") + 1;
  const name = make("span", { className: "name", dir: "auto", title: path });
  if (at > 0) name.append(make("span", { className: "folder", textContent: path.slice(0, at) }));
  name.append(path.slice(at));
  return name;
}

const button = (text, path, act) =>
  make("button", { className: "quiet", textContent: text, ariaLabel: `${text}: ${path}`, onclick: act });

// ---- uploads ----

function uploadRow(path, act) {
  const row = make("li", { className: "upload" },
    make("div", { className: "title" }, nameOf(path)),
    make("span", { className: "soft said" }),
    make("progress", { max: 1, ariaLabel: path }));
  row.append(make("div", { className: "actions" }, ...act));
  return row;
}

function fill(row, state, said, part, acts) {
  set(row.dataset, "state", state);
  set(row.querySelector(".said"), "textContent", said);
  const bar = row.querySelector("progress");
  set(bar, "hidden", part === null);
  if (part === undefined) bar.removeAttribute("value");
  else if (part !== null && (!bar.hasAttribute("value") || bar.value !== part)) bar.value = part;
  for (const one of row.querySelectorAll(".actions button")) set(one, "hidden", !acts.includes(one.textContent));
}

const endings = {
  done: ({ result, path, verified }) => (result.skipped ? "skipped: there is one of that name"
    : `done · ${size(result.size)}${verified ? ` · verified: SHA-256 ${result.sha256.slice(0, 8)}… on both sides` : ""}` +
      `${result.fileName === path ? "" : ` · kept as ${result.fileName}`}`),
  failed: ({ error }) => error,
  cancelled: () => "cancelled",
};

const onTheWay = {
  waiting: (far, { sent, file }) => `waiting · ${sent > 0 ? far : size(file.size)}`,
  checking: (far, { long }) => (long ? "all is sent; the server verifies it" : "all is sent; the server finishes"),
  cancelling: () => "cancelling",
  sending: (far) => far,
  lost: (far, { error }) => `${far} · ${error}; it goes on by itself`,
  paused: (far) => `paused · ${far}`,
  elsewhere: (far) => `${far} · sent by another tab or machine`,
};

/** Rows of this page's own uploads; `transfers` does what their buttons say. */
export const ownUploads = (transfers) => ({
  key: ({ tag }) => tag,
  create: (item) => uploadRow(item.path, [
    button("Pause", item.path, () => transfers.pause(item)), button("Resume", item.path, () => transfers.resumeItem(item)),
    button("Cancel", item.path, () => transfers.cancel(item)), button("Retry", item.path, () => transfers.retry(item)),
  ]),
  update(row, item) {
    const { state, sent, file } = item;
    if (endings[state]) return fill(row, state, endings[state](item), null, state === "done" || !item.fits ? [] : ["Retry"]);
    const part = state === "checking" || state === "cancelling" ? undefined : file.size > 0 ? sent / file.size : 0;
    const acts = [canPause(item) && "Pause", state === "paused" && "Resume", "Cancel"];
    fill(row, state, onTheWay[state](`${size(sent)} of ${size(file.size)}`, item), part, acts);
  },
});

/** Rows of uploads of other tabs and people. `acts` are { pause, cancel }, each of a run, for those of `who`. */
export const otherUploads = (who, acts) => ({
  key: ({ id }) => id,
  create: (run) => uploadRow(run.name, [
    button("Pause", run.name, () => acts.pause(run)), button("Cancel", run.name, () => acts.cancel(run)),
  ]),
  update(row, { owner, total, progress, tus, paused }) {
    const from = owner === who ? "you, elsewhere" : owner;
    const far = progress?.message ? progress.message.replace(/^.*: /, "") : total === undefined ? "" : size(total);
    const stage = paused ? "paused" : progress?.stage ?? (tus ? "waiting" : "receiving");
    fill(row, paused ? "paused" : "sending", `${from} · ${stage}${far && ` · ${far}`}`,
      partOf(progress), owner === who ? [tus && "Pause", "Cancel"] : []);
  },
});

const partOf = (progress) => (progress?.progress !== undefined ? progress.progress / 100
  : progress?.received !== undefined && progress.total ? progress.received / progress.total : undefined);

const until = (at) => new Date(at * 1000).toLocaleString(undefined, { weekday: "short", day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });

/** Rows of this user's uploads that nobody sends. `acts` are { resume, choose, discard }, each of a run. */
export const unfinishedUploads = (acts) => ({
  key: ({ id }) => id,
  create: (run) => uploadRow(run.name, [
    button("Resume", run.name, () => acts.resume(run)), button("Choose the file", run.name, () => acts.choose(run)),
    button("Discard", run.name, () => acts.discard(run)),
  ]),
  update(row, { total, progress, paused, expired }) {
    const far = `${size(progress?.received ?? 0)}${total === undefined ? "" : ` of ${size(total)}`}`;
    if (expired) {
      return fill(row, "failed", "expired: nothing of it came for too long. Upload it anew, or discard this", null, ["Discard"]);
    }
    const kept = progress?.expires ? ` · kept until ${until(progress.expires)}` : "";
    if (paused) return fill(row, "paused", `paused · ${far}${kept}`, partOf(progress) ?? 0, ["Resume", "Discard"]);
    fill(row, "left", `${far} · drop the file again to go on${kept}`, partOf(progress) ?? 0, ["Choose the file", "Discard"]);
  },
});

// ---- files ----

const kinds = { "application/octet-stream": "file", "text/plain": "text" };
const kindOf = (type) => kinds[type] ?? type.split("/").at(-1).slice(0, 5);

/** Rows of what this user has deleted, and can restore. */
export const deletedRows = (restore) => ({
  key: ({ id }) => id,
  create: (file) => make("li", {}, make("div", { className: "title" }, nameOf(file.name)), make("span", { className: "soft about" }),
    make("div", { className: "actions" }, button("Restore", file.name, () => restore(file)))),
  update(row, { size: bytes, till }) {
    set(row.querySelector(".about"), "textContent", `${size(bytes)} · gone in ${duration(till - Date.now() / 1000)}`);
  },
});

/** Rows of files. `acts` are { download, preview, share, remove }, each of a file; the last for those of `who`. */
export const fileRows = (who, acts) => ({
  key: ({ id, name }) => `${id} ${name}`,
  create(file) {
    const { name } = file;
    const row = make("li", { className: "file" },
      make("span", { className: "kind", textContent: kindOf(file.type), ariaHidden: "true" }),
      make("div", { className: "title" }, nameOf(name)),
      make("span", { className: "soft" }, make("span", { className: "about" }),
        make("code", { textContent: `sha256 ${file.sha256.slice(0, 8)}…`, title: file.sha256 })),
      make("div", { className: "actions" },
        button("Download", name, () => acts.download(file)), button("Preview", name, () => acts.preview(file)),
        button("Share", name, () => acts.share(file)), button("Delete", name, () => acts.remove(file))));
    row.dataset.preview = file.preview ?? "";
    const [, preview, , remove] = row.querySelectorAll("button");
    preview.hidden = !file.preview;
    remove.hidden = file.owner !== who;
    return row;
  },
  update(row, { size: bytes, owner, at }) {
    set(row.querySelector(".about"), "textContent",
      `${size(bytes)} · ${owner === who ? "you" : owner} · ${ago(at, Date.now() / 1000)} · `);
  },
});

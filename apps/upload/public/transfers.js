// What this page sends: each file by a request of its own, a few at once, in the order in which they were added.
//
//   waiting --> sending --all is sent--> checking --> done
//                  |  `--> failed --retry--> waiting
//                  `--> cancelling --> cancelled --retry--> waiting
//                          `--it was too late--> checking
//
// One whose token is refused waits, as all do then, until there is another.
//
// A browser shows nothing of an answer before all is sent, so its bytes are counted here; what the server says of them
// comes by the stream, to all.

import { readLines } from "./weir.js";
import { ask, getToken } from "./session.js";

const AT_ONCE = 3;
const WINDOW = 4000; // ms, over which speed is measured

const isUnsent = ({ state }) => state === "waiting" || state === "sending";
const isOpen = (item) => isUnsent(item) || item.state === "checking" || item.state === "cancelling";

// The last line that says how it ended: [kind, value].
async function endOf(text) {
  let end = ["error", { message: "the server broke off" }];
  for await (const { kind, text: json } of readLines(new Response(text))) {
    if (kind === "result" || kind === "error") end = [kind, JSON.parse(json)];
  }
  return end;
}

async function failureOf(xhr) {
  if (xhr.status === 200) return (await endOf(xhr.responseText))[1].message;
  try {
    return JSON.parse(xhr.responseText).message;
  } catch {
    return xhr.responseText.trim() || `status ${xhr.status}`;
  }
}

/**
 * An EventTarget: "change" when an item has changed; "settled", with the `items` that have ended since the last time,
 * when nothing is under way any more; "refused" when a token was, and it is held.
 */
export class Transfers extends EventTarget {
  items = [];
  #held = false;
  #samples = []; // [time, bytes that have been sent by then]

  /** Adds { file, path, error }: one with an error is not sent. `collision` is for all of them. */
  add(gathered, collision) {
    for (const { file, path, error } of gathered) {
      this.items.push({
        tag: crypto.randomUUID?.() ?? String(Math.random()).slice(2), file, path, collision, sent: 0, error,
        state: error ? "failed" : "waiting", fits: !error,
      });
    }
    this.#next();
  }

  get unsent() {
    return this.items.some(isUnsent);
  }

  /** Bytes of what the server has not been asked to take yet. */
  get waiting() {
    return this.items.filter(({ state }) => state === "waiting").reduce((sum, { file }) => sum + file.size, 0);
  }

  /** What is under way first. */
  get sorted() {
    return [...this.items.filter(isOpen), ...this.items.filter((item) => !isOpen(item))];
  }

  /** All that is sent in this round: { count, done, bytes, sent, speed (bytes/s), left (s) }. */
  totals() {
    const items = this.items.filter(({ state }) => state !== "cancelled" && state !== "failed");
    const sum = (value) => items.reduce((all, item) => all + value(item), 0);
    const totals = {
      count: items.length, done: items.filter(({ state }) => state === "done").length,
      bytes: sum(({ file }) => file.size), sent: sum(({ sent }) => sent), speed: 0,
    };
    const [first] = this.#samples;
    const seconds = first ? (performance.now() - first[0]) / 1000 : 0;
    if (seconds > 0.2) totals.speed = Math.max(0, totals.sent - first[1]) / seconds;
    totals.left = totals.speed > 0 ? (totals.bytes - totals.sent) / totals.speed : undefined;
    return totals;
  }

  /** The server is told first, so that others hear that it was meant. What is over there has ended in its own way. */
  async cancel(item) {
    if (!isOpen(item) || item.state === "cancelling") return;
    const { xhr, id } = item;
    item.state = id ? "cancelling" : "cancelled";
    this.#next();
    const error = id && await ask("DELETE", `uploads/${id}`).then(() => undefined, (reason) => reason);
    if (error?.status !== 404) xhr?.abort();
    else if (item.state === "cancelling") item.state = "checking";
    this.#changed();
  }

  retry(item) {
    if (!item.fits || isOpen(item) || item.state === "done") return;
    Object.assign(item, { state: "waiting", sent: 0, error: undefined, id: undefined, told: false });
    this.#next();
  }

  cancelAll() {
    for (const item of this.items.filter(isOpen)) this.cancel(item);
  }

  retryAll() {
    for (const item of [...this.items]) this.retry(item);
  }

  /** Begins with none until `resume()`. */
  hold() {
    this.#held = true;
  }

  resume() {
    this.#held = false;
    this.#next();
  }

  /** Takes away what is over. */
  clear() {
    this.items = this.items.filter(isOpen);
    this.#changed();
  }

  /** The server has begun or ended an upload: of ours it says the id, and when somebody cancelled it. */
  hear(name, { id, tag, state }) {
    const item = this.items.find((one) => (tag ? one.tag === tag : one.id === id));
    if (!item) return;
    item.id = id;
    if (name !== "upload.ended" || state !== "cancelled" || !isOpen(item)) return;
    item.state = "cancelled";
    item.xhr?.abort();
    this.#next();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
    if (this.items.some(isOpen)) return;
    this.#samples = [];
    const items = this.items.filter(({ told }) => !told);
    for (const item of items) item.told = true;
    if (items.length > 0) this.dispatchEvent(Object.assign(new Event("settled"), { items }));
  }

  #next() {
    const busy = this.items.filter((item) => item.state === "sending" || item.state === "checking").length;
    const free = this.#held ? 0 : Math.max(0, AT_ONCE - busy);
    for (const item of this.items.filter(({ state }) => state === "waiting").slice(0, free)) this.#send(item);
    this.#changed();
  }

  // How an attempt ended counts, unless the item was cancelled, or is tried again, meanwhile.
  async #send(item) {
    const attempt = item.attempt = {};
    item.state = "sending";
    let end, xhr;
    try {
      xhr = await this.#request(item);
      const [kind, value] = xhr.status === 200 ? await endOf(xhr.responseText) : [];
      end = kind === "result" ? { state: "done", sent: item.file.size, result: value }
        : xhr.status === 401 ? { state: "waiting", sent: 0 }
          : { state: "failed", error: await failureOf(xhr) };
    } catch (error) {
      end = { state: "failed", error: error.message };
    }
    if (item.state === "cancelling" && end.state !== "done") end = { state: "cancelled" };
    if (item.attempt === attempt && item.state !== "cancelled") Object.assign(item, end);
    if (xhr?.status === 401) {
      this.hold();
      this.dispatchEvent(new Event("refused"));
    }
    this.#next();
  }

  async #request(item) {
    const token = await getToken();
    if (item.state !== "sending") throw new Error("cancelled");
    const xhr = new XMLHttpRequest();
    item.xhr = xhr;
    const path = item.path.split("/").map(encodeURIComponent).join("/");
    xhr.open("PUT", `files/${path}?collision=${item.collision}&tag=${item.tag}`);
    xhr.setRequestHeader("Authorization", `Bearer ${token}`);
    xhr.upload.addEventListener("progress", ({ loaded }) => this.#progress(item, loaded));
    return new Promise((done, fail) => {
      xhr.addEventListener("load", () => done(xhr));
      xhr.addEventListener("error", () => fail(new Error("the connection broke off; try again")));
      xhr.addEventListener("abort", () => fail(new Error("cancelled")));
      xhr.send(item.file);
    });
  }

  #progress(item, loaded) {
    if (item.state !== "sending") return;
    item.sent = loaded;
    if (loaded >= item.file.size) item.state = "checking";
    const now = performance.now();
    this.#samples = this.#samples.filter(([at]) => now - at < WINDOW);
    this.#samples.push([now, this.totals().sent]);
    this.#changed();
  }
}

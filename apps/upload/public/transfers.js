// What this page sends: a few files at once, in the order in which they were added. A short one is one request, which
// begins anew when it breaks off; a long one goes on (resumable.js).
//
//   waiting --> sending --all is sent--> checking --> done
//                |  |  `--> failed --retry--> waiting
//                |  `--> cancelling --> cancelled --retry--> waiting
//                |          `--it was too late--> checking
//                `--of long ones--> lost: nobody answers; it goes on by itself
//                             |--> paused, here or from anywhere --resume, here or from anywhere--> waiting
//                             `--> elsewhere: another tab or machine sends it --that has stopped--> waiting
//
// One whose token is refused waits, as all do then, until there is another.
//
// A browser shows nothing of an answer before all is sent, so its bytes are counted here; what the server says of them
// comes by the stream, to all. Speed is what has moved from here in the last seconds: neither what was there before nor
// what had to be sent again.

import { readLines } from "./weir.js";
import { LONG, alone, begin, fingerprintOf, hashOf, insist, send } from "./resumable.js";
import { ask, getToken } from "./session.js";

const AT_ONCE = 3;
const WINDOW = 4000; // ms, over which speed is measured
const QUIET = 5000; // ms without a word of an upload, after which nobody else sends it

const isAt = (...states) => (item) => states.includes(item.state);
const isBusy = isAt("sending", "lost", "checking");
const isUnsent = isAt("waiting", "sending", "lost");
const isOpen = (item) => isUnsent(item) || isAt("checking", "cancelling", "paused", "elsewhere")(item);

/** Whether the item can be paused, or resumed. */
export const canPause = (item) => item.long && (isUnsent(item) || item.state === "elsewhere");

// It may be whole by now: the next request tells.
const unlessOver = (error) => {
  if (error.status !== 404) throw error;
};

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
 * when nothing is under way any more; "lost" when one of them has lost the server, "found" when it goes on; "refused" when
 * a token was, and it is held; "hurry" for those who wait.
 */
export class Transfers extends EventTarget {
  items = [];
  #held = false;
  #moved = 0; // bytes that have gone out, and were not lost
  #samples = []; // [time, #moved by then]

  /**
   * Adds { file, path, error, fingerprint, run }: one with an error is not sent; `run` is the upload to go on with.
   * `collision` is for all of them.
   */
  add(gathered, collision) {
    for (const { file, path, error, fingerprint, run } of gathered) {
      this.items.push({
        tag: crypto.randomUUID?.() ?? String(Math.random()).slice(2), file, path, collision, sent: run?.progress?.received ?? 0,
        error, state: error ? "failed" : "waiting", fits: !error, long: file.size > LONG, fingerprint,
        ...(run && { id: run.id, tus: run.tus, wake: run.paused }),
      });
    }
    this.#next();
  }

  get unsent() {
    return this.items.some(isUnsent);
  }

  /** Bytes of what the server has not been asked to take yet. */
  get waiting() {
    return this.items.filter(({ state, id }) => state === "waiting" && !id).reduce((sum, { file }) => sum + file.size, 0);
  }

  /** What is under way first. */
  get sorted() {
    return [...this.items.filter(isOpen), ...this.items.filter((item) => !isOpen(item))];
  }

  /** Whether a run is one of this page's, which shows it: under way, whole, or expired. */
  has(run) {
    return this.items.some((item) => (run.expired ? item.fingerprint === run.fingerprint
      : (item.id === run.id || item.tag === run.tag) && (isOpen(item) || item.state === "done" || !item.long)));
  }

  /** The item under way that is sent from a file of that fingerprint. */
  find(fingerprint) {
    return this.items.find((item) => item.fingerprint === fingerprint && isOpen(item));
  }

  /** All that is sent in this round: { count, done, bytes, sent, speed (bytes/s), left (s) }. */
  totals() {
    const items = this.items.filter(({ state }) => state !== "cancelled" && state !== "failed");
    const sum = (list, value) => list.reduce((all, item) => all + value(item), 0);
    const totals = {
      count: items.length, done: items.filter(({ state }) => state === "done").length,
      bytes: sum(items, ({ file }) => file.size), sent: sum(items, ({ sent }) => sent), speed: 0,
    };
    const now = performance.now();
    const first = this.#samples.find(([at]) => now - at < WINDOW);
    const seconds = first ? (now - first[0]) / 1000 : 0;
    if (seconds > 0.2 && items.some(isAt("sending", "checking"))) totals.speed = Math.max(0, this.#moved - first[1]) / seconds;
    const rest = sum(items.filter(isUnsent), ({ file, sent }) => file.size - sent);
    totals.left = totals.speed > 0 ? rest / totals.speed : undefined;
    return totals;
  }

  /** The server is told first, so that others hear that it was meant. What is over there has ended in its own way. */
  async cancel(item) {
    if (!isOpen(item) || item.state === "cancelling") return;
    const { id, state } = item;
    item.state = id ? "cancelling" : "cancelled";
    if (!id) item.stop?.abort();
    this.#next();
    const error = id && await ask("DELETE", `uploads/${id}`).then(() => undefined, (reason) => reason);
    if (error?.status !== 404 || state === "paused" || state === "elsewhere") item.stop?.abort();
    else if (item.state === "cancelling") item.state = "checking";
    if (item.state === "cancelling" && !item.attempt) item.state = "cancelled";
    this.#next();
  }

  retry(item) {
    if (!item.fits || isOpen(item) || item.state === "done") return;
    const goesOn = item.tus && item.state === "failed"; // and not cancelled: as far as it is there
    Object.assign(item, { state: "waiting", error: undefined, told: false, ...(!goesOn && { id: undefined, tus: undefined, sent: 0 }) });
    this.#next();
  }

  /** Has it stand still, also for who sends it elsewhere. */
  pause(item) {
    if (!canPause(item)) return;
    this.#stand(item, false);
    if (item.id) this.#tellPause(item);
  }

  // `known`: the server knows.
  #stand(item, known) {
    Object.assign(item, { state: "paused", known });
    item.stop?.abort();
    this.#next();
  }

  // Until then it stands still here, at least.
  async #tellPause(item) {
    const { file } = item, { signal } = item.stop = new AbortController();
    const tell = () => ask("POST", `uploads/${item.id}/pause`);
    item.known = await insist(tell, { file, signal, hurry: this, onLost() {} }).then(() => true, () => false);
  }

  resumeItem(item) {
    if (item.state !== "paused") return;
    item.stop?.abort();
    Object.assign(item, { state: "waiting", wake: true });
    this.#next();
  }

  /** The list was loaded anew: what was not heard of is made up for. */
  sync({ running, files }) {
    for (const item of this.items.filter((one) => one.long && one.id && isOpen(one))) {
      const run = running.get(item.id), file = files.get(item.id);
      if (run && !run.expired) this.hear(run.paused ? "upload.paused" : item.known ? "upload.resumed" : "", run);
      else if (file) this.#hearEnd(item, { state: "done", files: [{ ...file, fileName: file.name }] });
      else this.#hearEnd(item, { state: "failed", error: { message: "it is over: expired, or cancelled elsewhere; retry to upload it anew" } });
    }
  }

  cancelAll() {
    for (const item of this.items.filter(isOpen)) this.cancel(item);
  }

  retryAll() {
    for (const item of [...this.items]) this.retry(item);
  }

  pauseAll() {
    for (const item of this.items.filter(canPause)) this.pause(item);
  }

  resumeAll() {
    for (const item of this.items) this.resumeItem(item);
  }

  /** Begins with none until `resume()`. */
  hold() {
    this.#held = true;
  }

  resume() {
    this.#held = false;
    this.#next();
  }

  /** Those that wait for the server try now. */
  hurry() {
    this.dispatchEvent(new Event("hurry"));
  }

  /** Takes away what is over. */
  clear() {
    this.items = this.items.filter(isOpen);
    this.#changed();
  }

  /** The server tells of an upload: of ours it says the id, when somebody paused or ended it, and how it is elsewhere. */
  hear(name, data) {
    const { id, tag } = data;
    const item = this.items.find((one) => one.id === id) ?? this.items.find((one) => tag && one.tag === tag);
    if (!item || !isOpen(item)) return;
    item.id = id;
    if (name === "upload.ended") this.#hearEnd(item, data);
    else if (name === "upload.paused" && canPause(item)) this.#stand(item, true);
    else if (name === "upload.resumed" && item.state === "paused") {
      item.state = "waiting";
      this.#next();
    } else if (name === "upload.progress" && item.state === "elsewhere") this.#hearElsewhere(item, data);
    else if (name === "upload.progress" && item.state === "paused") item.sent = data.received; // what had got through
    else if (name === "upload.progress" && isBusy(item) && data.tag) this.#hearSender(item, data.tag);
  }

  // Whose bytes the server takes: ours, or of another tab or machine that has taken over from us since.
  #hearSender(item, tag) {
    if (tag === item.tag) item.isHeard = true;
    if (tag === item.tag || !item.isHeard) return;
    item.state = "elsewhere";
    item.stop.abort();
  }

  #hearEnd(item, { state, files, error }) {
    const isSentHere = isBusy(item);
    if (state === "done" && item.long && !isSentHere) {
      Object.assign(item, { state: "done", sent: item.file.size, result: files?.[0] ?? { size: item.file.size, fileName: item.path } });
    } else if (state === "cancelled") item.state = "cancelled";
    else if (state === "failed" && item.long && !isSentHere) Object.assign(item, { state, error: error.message, id: undefined, tus: undefined });
    else return;
    item.stop?.abort();
    this.#next();
  }

  #hearElsewhere(item, { received, stage }) {
    Object.assign(item, { sent: received, heard: performance.now() });
    if (stage === "waiting" && !item.attempt) item.state = "waiting"; // nobody sends it any more
    this.#next();
  }

  // The server may not tell that one has stopped, if that one never began.
  #watch(item) {
    item.heard = performance.now();
    const timer = setInterval(() => {
      const isSent = performance.now() - item.heard < QUIET;
      if (item.state === "elsewhere" && !item.attempt && isSent) return;
      clearInterval(timer);
      if (item.state !== "elsewhere" || item.attempt) return;
      item.state = "waiting";
      this.#next();
    }, QUIET / 4);
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
    const busy = this.items.filter(isBusy).length;
    const free = this.#held ? 0 : Math.max(0, AT_ONCE - busy);
    const ready = this.items.filter((item) => item.state === "waiting" && !item.attempt);
    for (const item of ready.slice(0, free)) this.#send(item);
    this.#changed();
  }

  // How an attempt ended counts, unless the item was cancelled, or paused, meanwhile.
  async #send(item) {
    item.attempt = true;
    item.isHeard = false;
    item.stop = new AbortController();
    item.state = "sending";
    const { signal } = item.stop;
    const end = await (item.long ? this.#sendLong(item) : this.#sendShort(item));
    item.attempt = false;
    if (item.state === "cancelling" && end.state !== "done") item.state = "cancelled";
    else if (item.state !== "cancelled" && (!signal.aborted || end.state === "done")) Object.assign(item, end);
    if (item.state === "elsewhere") this.#watch(item);
    if (end.refused) {
      this.hold();
      this.dispatchEvent(new Event("refused"));
    }
    this.#next();
  }

  #progress(item, sent) {
    if (!isBusy(item)) return;
    this.#moved += sent - item.sent;
    item.sent = sent;
    this.#find(item);
    if (sent >= item.file.size) item.state = "checking";
    const now = performance.now();
    this.#samples = this.#samples.filter(([at]) => now - at < WINDOW);
    this.#samples.push([now, this.#moved]);
    this.#changed();
  }

  // ---- short ones ---------------------------------------------------------------------------------------------------

  async #sendShort(item) {
    try {
      const xhr = await this.#put(item);
      const [kind, value] = xhr.status === 200 ? await endOf(xhr.responseText) : [];
      if (kind === "result") return { state: "done", sent: item.file.size, result: value };
      if (xhr.status === 401) return { state: "waiting", sent: 0, refused: true };
      return { state: "failed", error: await failureOf(xhr) };
    } catch (error) {
      return { state: "failed", error: error.message };
    }
  }

  async #put(item) {
    const { signal } = item.stop;
    const token = await getToken();
    if (item.state !== "sending") throw new Error("cancelled");
    const xhr = new XMLHttpRequest();
    const path = item.path.split("/").map(encodeURIComponent).join("/");
    xhr.open("PUT", `files/${path}?collision=${item.collision}&tag=${item.tag}`);
    xhr.setRequestHeader("Authorization", `Bearer ${token}`);
    xhr.upload.addEventListener("progress", ({ loaded }) => this.#progress(item, loaded));
    signal.addEventListener("abort", () => xhr.abort());
    item.sent = 0;
    return new Promise((done, fail) => {
      xhr.addEventListener("load", () => done(xhr));
      xhr.addEventListener("error", () => fail(new Error("the connection broke off; try again")));
      xhr.addEventListener("abort", () => fail(new Error("cancelled")));
      xhr.send(item.file);
    });
  }

  // ---- long ones ----------------------------------------------------------------------------------------------------

  async #sendLong(item) {
    const { file } = item, { signal } = item.stop;
    const insistent = { file, signal, hurry: this, onLost: (message) => this.#lost(item, message) };
    try {
      item.fingerprint ??= await fingerprintOf(file, item.path);
      if (!item.tus) Object.assign(item, await insist(() => begin(file, item, signal), insistent));
      const result = await alone(item.id, () => this.#hold(item, insistent),
        { signal, onTaken: () => this.#yield(item) });
      return this.#judge(item, result);
    } catch (error) {
      return this.#fail(item, error);
    }
  }

  // No other tab of this browser sends it now: until it is whole, its file's record.
  async #hold(item, insistent) {
    const { file, id } = item, { signal } = item.stop;
    signal.throwIfAborted();
    if (item.state === "elsewhere") item.state = "sending";
    this.#changed();
    item.hash ??= hashOf(file, signal);
    item.hash.catch(() => { item.hash = undefined; }); // the next attempt makes it anew
    return insist(async (answered) => {
      if (item.wake) await ask("POST", `uploads/${id}/resume`).catch(unlessOver);
      item.wake = false;
      return send(file, item, {
        tag: item.tag, sha256: item.hash, signal, onAnswer: answered,
        onOffset: (offset) => this.#arrived(item, offset),
        onProgress: (sent) => this.#progress(item, sent),
        onWhole: () => this.#changed(),
      });
    }, insistent);
  }

  // What the server has: no progress of this page's, but what was counted and is not there was none.
  #arrived(item, offset) {
    if (offset < item.sent) this.#moved -= Math.min(item.sent - offset, this.#moved);
    item.sent = offset;
    this.#find(item);
    if (offset >= item.file.size) item.state = "checking";
    this.#changed();
  }

  #lost(item, message) {
    if (!isBusy(item)) return;
    const isNews = item.state !== "lost";
    Object.assign(item, { state: "lost", error: message });
    if (isNews) this.dispatchEvent(Object.assign(new Event("lost"), { item }));
    this.#changed();
  }

  #find(item) {
    if (item.state !== "lost") return;
    item.state = "sending";
    this.dispatchEvent(Object.assign(new Event("found"), { item }));
  }

  #yield(item) {
    if (isBusy(item)) item.state = "elsewhere";
    this.#next();
  }

  async #judge(item, { name, size, sha256 }) {
    const own = await item.hash;
    if (own === sha256) return { state: "done", sent: size, result: { fileName: name, size, sha256 }, verified: true };
    return {
      state: "failed", tus: undefined, id: undefined, sent: 0,
      error: "what has come is not the file that is here: their SHA-256 differ. Delete it there, and retry",
    };
  }

  #fail(item, error) {
    if (item.stop.signal.aborted) return {};
    const { status, code } = error;
    if (status === 401) return { state: "waiting", refused: true };
    if (status === 409 && code === "paused") return { state: "paused" };
    if (status === 409 && code === "cancelled") return { state: "cancelled" };
    if (status === 409) return { state: "elsewhere" }; // another machine has taken it over, or it is further than was thought
    const isGone = [404, 410, 460, 422].includes(status);
    if (status === 404 && item.collision === "skip" && item.sent >= item.file.size) return { state: "done", result: { skipped: true } };
    return { state: "failed", error: error.message, ...(isGone && { id: undefined, tus: undefined, sent: 0 }) };
  }
}

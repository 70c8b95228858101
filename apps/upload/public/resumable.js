// A long file on its way: the client of tus 1.0 that this page needs, and what it does when something breaks.
//
//   begin --POST--> its id --.
//                            v
//   send:                  HEAD: so much has come --> PATCH, PATCH, ... PATCH with the file's SHA-256 --> whole
//                            ^        |                 |
//                            `--wait--' nobody answers  |   another tab or machine sends it, it is paused, cancelled,
//                            `--------------------------'   refused: a Failure, which the caller deals with
//
// Nothing is remembered here: which uploads there are the server tells, on whatever machine the file is dropped again,
// and by its fingerprint it is known. How much has come only the server knows, so each attempt asks first.
//
// What is verified: a worker of the page hashes the file as it is here, from its first byte to its last, whoever sent
// which of them. The digest goes with the last piece. The server hashes what lies on its disk when all has come, and
// takes it only if both are the same. So what has changed between two days, or on the way, is no file there.

import { request, getToken } from "./session.js";
import { Sha256 } from "./sha256.js";

/** Bytes from which on a file is sent in this way. */
export const LONG = 8 * 2 ** 20;

const PIECE = 64 * 2 ** 20; // bytes of a PATCH: proxies have bounds, and tokens an end
const LAST = 2 ** 20; // bytes of the last one, until which the hash is made
const SAMPLE = 64 * 2 ** 10; // bytes of each end that a fingerprint is of
const FIRST_WAIT = 500, LONGEST_WAIT = 15_000; // ms between attempts
const STALLED = 30_000, SILENT = 120_000; // ms in which nothing moves, or no answer comes to what was sent
const VERSION = { "Tus-Resumable": "1.0.0" };
const PASSES = new Set([408, 423, 429, 500, 502, 503, 504]);

/** Why an upload does not go on by itself: `status` and `code` of the answer, if there was one, and the answer. */
export class Failure extends Error {
  constructor(message, { status, code, answer } = {}) {
    super(message);
    Object.assign(this, { status, code, answer });
  }
}

const UNREADABLE = "the file cannot be read here any more: it was changed, moved or deleted; choose it again";

// What a browser says of a file that has changed is the same as of a network that is gone.
async function checkReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Failure(UNREADABLE, { code: "unreadable" });
  }
}

// ---- what a file is -------------------------------------------------------------------------------------------------

const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());

/** By what a file is known when it is dropped again: its path, size, last modification, first and last bytes. */
export async function fingerprintOf(file, path) {
  await checkReadable(file);
  const hash = new Sha256().add(new TextEncoder().encode(`${path}\0${file.size}\0${file.lastModified}\0`));
  hash.add(await bytesOf(file.slice(0, SAMPLE))).add(await bytesOf(file.slice(-SAMPLE)));
  return hash.hex();
}

/** The SHA-256 of all of it, in hexadecimal digits, made by a worker until `signal` ends that. */
export function hashOf(file, signal) {
  const worker = new Worker(new URL("hasher.js", import.meta.url), { type: "module" });
  const made = new Promise((done, fail) => {
    signal.addEventListener("abort", () => fail(signal.reason), { once: true });
    worker.addEventListener("error", () => fail(new Failure("this page cannot hash the file; reload it", { code: "hash" })));
    worker.addEventListener("message", ({ data }) => (data.error ? fail(new Failure(UNREADABLE, { code: "unreadable" })) : done(data.sha256)));
    worker.postMessage(file);
  }).finally(() => worker.terminate());
  made.catch(() => {}); // it is waited for later
  return made;
}

// ---- requests -------------------------------------------------------------------------------------------------------

const base64 = (text) => btoa(String.fromCodePoint(...new TextEncoder().encode(text)));

const metadata = (fields) => Object.entries(fields).map(([name, value]) => `${name} ${base64(value)}`).join(",");

const explained = { // also to a HEAD, whose answer has no text
  404: "the server has this upload no more; retry to upload it anew",
  410: "it has expired: nothing of it came for too long; retry to upload it anew",
};
const UNTOLD = { 422: "the server has refused this file", 507: "the server has no room; try again later" };

function failureOf(status, text) {
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {} // it is a text
  const message = explained[status] ?? answer.message ?? (text.trim() || UNTOLD[status] || `status ${status}`);
  return new Failure(message, { status, code: answer.errorCode, answer });
}

const LOST = "the connection broke off";

async function ask(method, path, headers, signal) {
  const all = { ...VERSION, ...headers, Authorization: `Bearer ${await getToken()}` };
  const response = await fetch(path, { method, headers: all, signal }).catch((error) => {
    throw signal?.aborted ? error : new Failure(LOST);
  });
  if (!response.ok) throw failureOf(response.status, await response.text());
  return response.headers;
}

/** Begins an upload, or finds the one of that fingerprint that goes on: { id, tus }. */
export async function begin(file, { path, fingerprint, tag, collision }, signal) {
  const headers = {
    "Upload-Length": String(file.size), "Upload-Metadata": metadata({ filename: path, fingerprint, tag, collision }),
  };
  try {
    const answer = await ask("POST", "tus", headers, signal);
    return { id: answer.get("Upload-Id"), tus: answer.get("Location").split("/").at(-1) };
  } catch (error) {
    if (error.code === "exists") return error.answer.upload;
    throw error;
  }
}

const arrived = async (tus, signal) => Number((await ask("HEAD", `tus/${tus}`, {}, signal)).get("Upload-Offset"));

// Sends a piece: where the next one begins. A link on which nothing moves is given up. An answer that comes before all is
// sent a browser does not show: that somebody else sends it now is heard by the stream, where each piece has its tag.
async function append(tus, piece, offset, { headers, signal, onProgress }) {
  const xhr = new XMLHttpRequest();
  const token = await getToken();
  signal.throwIfAborted();
  xhr.open("PATCH", `tus/${tus}`);
  const all = {
    ...VERSION, ...headers, Authorization: `Bearer ${token}`, "Upload-Offset": String(offset),
    "Content-Type": "application/offset+octet-stream",
  };
  for (const [name, value] of Object.entries(all)) xhr.setRequestHeader(name, value);
  const end = () => xhr.abort();
  let watchdog = setTimeout(end, STALLED);
  const watch = (loaded) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(end, loaded < piece.size ? STALLED : SILENT);
  };
  xhr.upload.addEventListener("progress", ({ loaded }) => {
    watch(loaded);
    onProgress(offset + loaded);
  });
  signal.addEventListener("abort", end);
  try {
    await new Promise((done, fail) => {
      xhr.addEventListener("load", done);
      for (const name of ["error", "abort"]) xhr.addEventListener(name, () => fail(new Failure(LOST)));
      xhr.send(piece);
    });
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener("abort", end);
  }
  signal.throwIfAborted();
  if (xhr.status !== 204) throw failureOf(xhr.status, xhr.responseText);
  return Number(xhr.getResponseHeader("Upload-Offset"));
}

// ---- until it is whole ----------------------------------------------------------------------------------------------

// Until the time is over, `hurry` says that it may be better now, or `signal` ends it.
function wait(ms, hurry, signal) {
  return new Promise((done, fail) => {
    const over = () => {
      clearTimeout(timer);
      hurry.removeEventListener("hurry", over);
      signal.removeEventListener("abort", over);
      if (signal.aborted) fail(signal.reason);
      else done();
    };
    const timer = setTimeout(over, signal.aborted ? 0 : ms);
    hurry.addEventListener("hurry", over);
    signal.addEventListener("abort", over);
  });
}

// Where the piece from `offset` on ends: the last one is short.
const endOf = (offset, size) => (offset < size - LAST ? Math.min(offset + PIECE, size - LAST) : size);

async function sendRest(file, tus, { tag, sha256, signal, onOffset, onProgress, onWhole, onAnswer }) {
  let offset = await arrived(tus, signal);
  onOffset(offset);
  onAnswer();
  while (offset < file.size) {
    const end = endOf(offset, file.size);
    const headers = { "Upload-Tag": tag, ...(end === file.size && { "Upload-Sha256": await sha256 }) };
    const onPiece = (sent) => {
      onProgress(sent);
      if (sent >= file.size) onWhole();
    };
    offset = await append(tus, file.slice(offset, end), offset, { headers, signal, onProgress: onPiece });
    onAnswer();
  }
}

/**
 * Does `work`, again and again where the network or the server has failed it; work(answered) calls that when the server
 * is there. `onLost(message)` is told each time. What comes of it, or a Failure that no waiting mends.
 */
export async function insist(work, { file, hurry, signal, onLost }) {
  for (let failures = 0; ;) {
    try {
      return await work(() => { failures = 0; });
    } catch (error) {
      signal.throwIfAborted();
      const isLost = "status" in error && error.status === undefined && !error.code; // else it is a mistake of the page
      if (!isLost && (!PASSES.has(error.status) || error.code === "folder")) throw error;
      if (isLost) await checkReadable(file);
      onLost(isLost ? LOST : error.message);
      await wait(Math.min(FIRST_WAIT * 2 ** failures++, LONGEST_WAIT), hurry, signal);
    }
  }
}

/** Sends what the server has not got of `file`, until it is whole there and has its place: the record of its file. */
export async function send(file, { id, tus }, options) {
  await sendRest(file, tus, options);
  return (await request("GET", `files/${id}/about`)).json();
}

// ---- one tab at a time ----------------------------------------------------------------------------------------------

/** Does `work` while no other tab of this browser does any for the same upload; `onTaken` is told when it has to wait. */
export async function alone(id, work, { signal, onTaken }) {
  const { locks } = navigator; // only where the page is trusted; else the server decides
  if (!locks) return work();
  const name = `weir upload ${id}`;
  const own = await locks.request(name, { ifAvailable: true }, async (lock) => lock && { result: await work() });
  if (own) return own.result;
  onTaken();
  return locks.request(name, { signal }, work);
}

// The clients of others, unmodified: tus-js-client in its three protocols, and Uppy.
//
// A session is a client that uploads: { over, stop(), start(), end() }; `over` resolves when it says that the upload is
// complete. What one may do to it is in plan.mjs.

import { createReadStream } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { modules } from "../browser/lib.mjs";

const require = createRequire(join(modules, "of-the-uploads.js"));
const tus = require("tus-js-client");
const load = (path) => import(pathToFileURL(join(modules, path)));
const { default: Uppy } = await load("@uppy/core/lib/index.js");
const { default: Tus } = await load("@uppy/tus/lib/index.js");

const ticks = async (n) => {
  for (let i = 0; i < n; i++) await new Promise(setImmediate);
};

// What both clients are given: delays that are short, for all the cuts to come, and ears.
function commonOptions(story, live) {
  const createsOf = (req) => req.getMethod() === "POST" && req.getHeader("X-HTTP-Method-Override") === undefined;
  return {
    ...story.plan.options,
    endpoint: story.endpoint,
    retryDelays: Array.from({ length: 300 }, (_, i) => (i % 10) * 2),
    urlStorage: story.storage,
    onBeforeRequest: (req) => {
      live.request = req;
      story.asks(req.getMethod(), createsOf(req));
    },
    onAfterResponse: (req, res) => {
      const [offset, location] = [res.getHeader("Upload-Offset"), res.getHeader("Location")];
      const creates = createsOf(req);
      if (creates && location && req.getHeader("Upload-Concat") !== "partial") story.own.add(new URL(location, req.getURL()).href);
      story.hears(req.getMethod(), req.getURL(), creates, res.getStatus(), { offset, location });
    },
  };
}

// A client that begins again at once would take the failure of its old request for one of the new. One that has only just
// begun asks all the same when it is told to stop, so it is told again.
async function stop(live, abort) {
  do {
    await abort();
    await ticks(10);
  } while (live.request?.getUnderlyingObject()?.closed === false);
}

// A DELETE whose answer was lost has ended an upload, and the next is told that there is none.
function isGone(error) {
  const status = error.originalResponse?.getStatus();
  if (status !== 404 && status !== 410) throw error;
}

// ---- tus-js-client --------------------------------------------------------------------------------------------------

function sourceOf({ plan, bytes, file }) {
  if (plan.source === "file") return createReadStream(file);
  if (plan.source === "stream") return Readable.from([bytes], { objectMode: false });
  return Buffer.from(bytes);
}

function openTus(story, previous) {
  const { client } = story.plan;
  const live = {}, { promise: over, resolve, reject } = Promise.withResolvers();
  const common = commonOptions(story, live);
  const upload = new tus.Upload(sourceOf(story), {
    ...common,
    protocol: client === "tus" ? "tus-v1" : client,
    metadata: story.metadata,
    metadataForPartialUploads: story.metadata,
    fingerprint: async () => `of ${story.name}`,
    onError: reject,
    onSuccess: () => resolve(upload.url),
    onProgress: (sent) => story.moves(sent),
  });
  if (previous) upload.resumeFromPreviousUpload(previous);
  upload.start();
  return {
    over,
    start: () => upload.start(),
    stop: () => stop(live, () => upload.abort()),
    // That of parallel parts ends them without telling when, so somebody else does it.
    end: async () => {
      if (!story.plan.options.parallelUploads) return { urls: [upload.url].filter(Boolean), done: upload.abort(true).catch(isGone) };
      await upload.abort();
      const urls = [...story.known];
      return { urls, done: Promise.all(urls.map((url) => tus.Upload.terminate(url, common).catch(isGone))) };
    },
  };
}

// ---- Uppy -----------------------------------------------------------------------------------------------------------

function openUppy(story) {
  const live = {}, { promise: over, resolve, reject } = Promise.withResolvers();
  const uppy = new Uppy({ logger: { debug() {}, warn() {}, error: (...words) => story.log.push(`uppy: ${words.join(" ")}`) } });
  uppy.use(Tus, commonOptions(story, live));
  const data = Object.assign(Buffer.from(story.bytes), { size: story.bytes.length });
  const id = uppy.addFile({ name: story.name, type: "application/x-test", data, meta: story.metadata });
  uppy.on("upload-progress", (_, { bytesUploaded }) => story.moves(bytesUploaded));
  uppy.on("upload-success", (_, { uploadURL }) => resolve(uploadURL));
  uppy.on("upload-error", (_, error) => reject(error));
  uppy.upload().catch(reject);
  return {
    over,
    start: () => uppy.pauseResume(id),
    stop: () => {
      uppy.pauseResume(id);
      return stop(live, () => uppy.getPlugin("Tus").uploaders[id]?.abort());
    },
  };
}

// ---- what is done to them -------------------------------------------------------------------------------------------

const open = (story, previous) => (story.plan.client === "uppy" ? openUppy(story) : openTus(story, previous));
const previousOf = async (story) => (await story.storage.findUploadsByFingerprint(`of ${story.name}`))[0];

// One who has been told that the network was lost goes on, or another does who knows what is in the storage.
async function goOn(story, session, what) {
  await session.stop();
  if (story.plan.options.parallelUploads) story.abandoned++;
  if (what === "expire") story.age();
  if ((what !== "pause" && what !== "stall") || story.plan.options.parallelUploads) return open(story, await previousOf(story));
  session.start();
  return session;
}

async function end(story, session) {
  story.cutter.stallsNot();
  story.ending = true;
  for (const url of story.known) story.gone.add(url);
  const { urls, done } = await session.end();
  story.ended = urls;
  await done;
}

// The last request of parallel parts is not tried again by tus-js-client where the network failed: its user does.
function again(story, error) {
  if (!story.plan.options.parallelUploads || error.originalRequest || !/^(ECONN|EPIPE)/.test(error.code)) throw error;
  return { what: "other" };
}

// Whichever comes first: { url, of } of a session that is over, { what } of an act or a stall.
function next(story, sessions, stalled, act) {
  const events = sessions.map((session) => session.over.then((url) => ({ url, of: session }), (error) => again(story, error)));
  events.push(story.trouble, stalled.then(() => ({ what: "stall" })));
  if (act) events.push(story.reaches(act.at).then(() => ({ ...act, act })));
  return Promise.race(events);
}

export async function byOthers(story) {
  const { plan, cutter } = story;
  const acts = [...plan.acts];
  let sessions = [open(story)], stalled = cutter.stalled();
  while (sessions.length) {
    const { url, of, what, act } = await next(story, sessions, stalled, acts[0]);
    if (act && act === acts[0]) acts.shift();
    if (what) story.log.push(what);
    if (url) {
      if (story.complete && story.complete !== url) story.fail(`two clients of one upload have ${url} and ${story.complete}`);
      story.complete = url;
      sessions = sessions.filter((session) => session !== of);
    } else if (what === "twin") {
      const previous = await previousOf(story);
      if (previous) sessions.push(open(story, previous)); // or nobody could know that there is one
    } else if (what === "terminate") {
      await end(story, sessions[0]);
      return;
    } else {
      if (what === "stall") stalled = cutter.stalled();
      for (const [i, session] of sessions.entries()) sessions[i] = await goOn(story, session, what);
    }
  }
}

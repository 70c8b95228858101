// The page: what is sent from here, what is on its way elsewhere, and what is there.
//
//   drop, paste, choose --> transfers --PUT, PATCH--> server --events (one connection for all tabs)--> listing
//                             `--rows                                                                    `--rows

import { gatherFrom, gatherOf } from "./gather.js";
import { Listing, eventNames } from "./listing.js";
import { LONG, fingerprintOf } from "./resumable.js";
import {
  deletedRows, duration, fileRows, make, otherUploads, ownUploads, set, showRows, size, unfinishedUploads,
} from "./rows.js";
import { ask, getToken, isDemo, isSignedIn, request, signInAs, signInWith, signOut, subOf } from "./session.js";
import { Transfers, canPause } from "./transfers.js";
import { Stream } from "./weir.js";

const $ = Object.fromEntries([...document.querySelectorAll("[id]")].map((one) => [one.id, one]));
const transfers = new Transfers();

let who, listing, stream;
let reloading; // events that came while the list is loaded anew

// ---- what is said ---------------------------------------------------------------------------------------------------

const announce = (text) => { $.live.textContent = text; };

function toast(text, action, act) {
  const one = make("p", {}, make("span", { textContent: text, dir: "auto" }));
  const close = () => {
    const hadFocus = one.contains(document.activeElement);
    one.remove();
    if (hadFocus) $["files-title"].focus();
  };
  if (action) one.append(make("button", { textContent: action, onclick: () => { close(); act(); } }));
  one.append(make("button", { className: "quiet", textContent: "×", ariaLabel: `Dismiss: ${text}`, onclick: close }));
  $.toasts.append(one);
  announce(text);
  setTimeout(close, action ? 20_000 : 8000);
}

const attempt = (work) => work().catch((error) => (error.status === 401 ? askAgain() : toast(error.message)));

// ---- what is shown --------------------------------------------------------------------------------------------------

let due;

// At most once for each picture that is drawn, however many events there are.
function refresh() {
  due ??= requestAnimationFrame(() => {
    due = undefined;
    keepFocus(show);
  });
}

const own = ownUploads(transfers);
const deleted = deletedRows(restore);
let others, left, files; // of who is signed in

function showTotals() {
  const { items } = transfers, totals = transfers.totals();
  $.uploads.hidden = items.length === 0;
  const speed = totals.speed > 0 && totals.sent < totals.bytes
    ? ` · ${size(totals.speed)}/s · ${duration(totals.left)} left` : "";
  $.totals.textContent = `${totals.done} of ${totals.count} · ${size(totals.sent)} of ${size(totals.bytes)}${speed}`;
  $.total.value = totals.bytes > 0 ? totals.sent / totals.bytes : totals.count > 0 ? totals.done / totals.count : 0;
  const some = (...states) => items.some(({ state }) => states.includes(state));
  $["pause-all"].hidden = items.filter(canPause).length < 1;
  $["resume-all"].hidden = !some("paused");
  $["cancel-all"].hidden = !some("waiting", "sending", "checking", "cancelling", "lost", "paused", "elsewhere");
  $["retry-all"].hidden = !items.some(({ state, fits }) => fits && (state === "failed" || state === "cancelled"));
  $.clear.hidden = !some("done", "failed", "cancelled");
}

function showRoom() {
  $.room.textContent = `${size(listing.left)} of your ${size(listing.quota)} left · a file may have up to ${size(listing.limit)}`;
  Object.assign($.meter, { max: listing.quota, high: listing.quota * 0.9, value: listing.used });
}

function show() {
  if (!listing) return;
  showTotals();
  showRoom();
  showRows($.transfers, transfers.sorted, own);
  const isElsewhere = (run) => run.owner !== who || !transfers.has(run);
  const unfinished = listing.unfinished.filter(isElsewhere);
  $.unfinished.hidden = unfinished.length === 0;
  showRows($.left, unfinished, left);
  const runs = listing.sent.filter(isElsewhere);
  $.others.hidden = runs.length === 0;
  showRows($.runs, runs, others);
  const all = listing.sorted;
  showRows($.files, all, files);
  $.count.textContent = all.length || "";
  $.empty.hidden = all.length > 0;
  const gone = listing.deletedAt(Date.now() / 1000);
  $.bin.hidden = gone.length === 0;
  $["bin-count"].textContent = gone.length;
  showRows($.deleted, gone, deleted);
}

// A control that goes away with what is shown anew leaves the focus to one that is near.
function keepFocus(work) {
  const focused = document.activeElement;
  work();
  const now = document.activeElement;
  if (focused === document.body || (now !== document.body && now.checkVisibility())) return;
  const near = focused.closest("li")?.querySelector("button:not([hidden])");
  [near, $["pause-all"], $["resume-all"], $["cancel-all"], $["retry-all"], $.clear, $.choose].find((one) => one?.checkVisibility())?.focus();
}

// ---- sending --------------------------------------------------------------------------------------------------------

// What becomes of names that are taken: asked once for all of them. "" is: none of this is sent.
function askCollision(taken) {
  const { collision: dialog } = $;
  $["collision-title"].textContent = taken.length === 1 ? "There is a file of that name" : `${taken.length} names are taken`;
  $["collision-names"].textContent = taken.slice(0, 5).join(", ") + (taken.length > 5 ? ` and ${taken.length - 5} more` : "");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue), { once: true }));
}

// Those that cannot come are told so before anything is sent.
function checked(gathered) {
  let left = listing.left - transfers.waiting;
  return gathered.map((one) => {
    const bytes = one.file.size;
    if (one.run) return one; // it has its room
    if (bytes > listing.limit) return { ...one, error: `it has ${size(bytes)}, and a file may have ${size(listing.limit)}` };
    if (bytes > left) return { ...one, error: `it has ${size(bytes)}, and you have room for ${size(left)}; delete some files` };
    left -= bytes;
    return one;
  });
}

// Long ones with what they are known by, and the upload to go on with, if there is one.
async function known(one) {
  if (one.file.size <= LONG) return one;
  try {
    const fingerprint = await fingerprintOf(one.file, one.path);
    return { ...one, fingerprint, run: listing.find(fingerprint) };
  } catch (error) {
    return { ...one, error: error.message };
  }
}

// What is under way from here already, of which the file was dropped again: it goes on.
function isUnderWay({ fingerprint }) {
  const item = fingerprint && transfers.find(fingerprint);
  if (item) transfers.resumeItem(item);
  return Boolean(item);
}

function tellOthers(gathered) {
  for (const { file, path, run } of gathered) {
    const other = !run && listing.unfinished.find(({ name, total, expired }) => name === path && total === file.size && !expired);
    if (other) toast(`${path} is not the file that was begun: it was changed since. It is uploaded anew`);
  }
}

async function send(chosen) {
  const gathered = (await Promise.all(chosen.map(known))).filter((one) => !isUnderWay(one));
  if (gathered.length === 0) return;
  const taken = gathered.filter(({ path, run }) => !run && listing.has(path)).map(({ path }) => path);
  const collision = taken.length > 0 ? await askCollision(taken) : "keep";
  if (!collision) return;
  const wanted = collision === "skip" ? gathered.filter(({ path }) => !taken.includes(path)) : gathered;
  if (wanted.length === 0) return;
  tellOthers(wanted);
  const again = wanted.filter(({ run }) => run);
  announce(wanted.length > 1 ? `Uploading ${wanted.length} files`
    : again.length > 0 ? `Going on with ${again[0].path}` : `Uploading ${wanted[0].path}`);
  transfers.add(checked(wanted), collision);
}

transfers.addEventListener("change", refresh);
transfers.addEventListener("refused", askAgain);
transfers.addEventListener("lost", ({ item }) => announce(`${item.path}: ${item.error}; it goes on by itself`));
transfers.addEventListener("found", ({ item }) => announce(`${item.path} goes on`));
addEventListener("online", () => transfers.hurry());
transfers.addEventListener("settled", ({ items }) => {
  const count = (state) => items.filter((item) => item.state === state).length;
  const parts = [["done", "uploaded"], ["failed", "failed"], ["cancelled", "cancelled"]]
    .filter(([state]) => count(state) > 0).map(([state, word]) => `${count(state)} ${word}`);
  announce(parts.join(", "));
});

addEventListener("beforeunload", (event) => {
  if (transfers.unsent) event.preventDefault();
});

setInterval(() => { // speed and times go on though nothing comes
  if (listing && document.visibilityState === "visible") refresh();
}, 1000);

// ---- drop, paste, choose --------------------------------------------------------------------------------------------

const hasFiles = (event) => listing && event.dataTransfer?.types.includes("Files");

for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    $.veil.hidden = false;
  });
}
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) $.veil.hidden = true;
});
addEventListener("drop", (event) => {
  $.veil.hidden = true;
  if (!hasFiles(event)) return;
  event.preventDefault();
  attempt(async () => send(await gatherFrom(event.dataTransfer)));
});
addEventListener("paste", (event) => {
  if (listing && event.clipboardData.files.length > 0) attempt(async () => send(await gatherFrom(event.clipboardData)));
});
for (const [choose, input] of [[$.choose, $["files-input"]], [$["choose-folder"], $["folder-input"]]]) {
  choose.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const gathered = gatherOf(input);
    input.value = "";
    attempt(() => send(gathered));
  });
}
$["pause-all"].addEventListener("click", () => transfers.pauseAll());
$["resume-all"].addEventListener("click", () => transfers.resumeAll());
$["cancel-all"].addEventListener("click", () => transfers.cancelAll());
$["retry-all"].addEventListener("click", () => transfers.retryAll());
$.clear.addEventListener("click", () => transfers.clear());

// ---- files ----------------------------------------------------------------------------------------------------------

const download = (file) => attempt(async () => {
  const { link } = await ask("POST", `files/${file.id}/share`, { seconds: 60 });
  make("a", { href: link, download: "" }).click();
});

const preview = (file) => attempt(async () => {
  const response = await request("GET", `files/${file.id}/preview`);
  $["preview-title"].textContent = file.name;
  $["preview-hash"].textContent = `SHA-256 ${file.sha256}`;
  let url;
  if (file.preview === "image") {
    url = URL.createObjectURL(await response.blob());
    $["preview-body"].replaceChildren(make("img", { src: url, alt: file.name }));
  } else {
    $["preview-body"].replaceChildren(make("pre", { textContent: await response.text(), tabIndex: 0, dir: "auto" }));
  }
  $.preview.addEventListener("close", () => url && URL.revokeObjectURL(url), { once: true });
  $.preview.showModal();
});

let shared; // the file that the dialog is about

// Within the dialog: what lies below it nobody can hear or reach.
const sayOfShare = (text) => { $["share-said"].textContent = text; };

function share(file) {
  shared = file;
  $["share-title"].textContent = `Share ${file.name}`;
  $["share-made"].hidden = true;
  sayOfShare("");
  $.share.showModal();
}

$["share-make"].addEventListener("click", async () => {
  try {
    const { link } = await ask("POST", `files/${shared.id}/share`, { seconds: Number($["share-for"].value) });
    $["share-link"].value = link;
    $["share-made"].hidden = false;
    $["share-link"].select();
    sayOfShare("The link is made.");
  } catch (error) {
    if (error.status === 401) askAgain();
    else sayOfShare(`No link: ${error.message}`);
  }
});

// What became of it, in words. Browsers may refuse, and have no clipboard at all for a page of `http:` elsewhere.
async function copy(text, select) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied";
  } catch {
    select();
    return "This browser does not let the page copy: it is selected, so copy it by hand.";
  }
}

$["share-copy"].addEventListener("click", async () => {
  sayOfShare(await copy($["share-link"].value, () => $["share-link"].select()));
});
$["copy-curl"].addEventListener("click", async () => {
  toast(await copy($.curl.textContent, () => getSelection().selectAllChildren($.curl)));
});

function restore(file) {
  attempt(async () => {
    await ask("POST", `files/${file.id}/restore`);
    announce(`Restored ${file.name}`);
  });
}

const remove = (file) => attempt(async () => {
  await ask("DELETE", `files/${file.id}`);
  toast(`Deleted ${file.name}`, "Undo", () => restore(file));
});

// Of an upload of this user's that is none of this page's: whoever has its file hears of it.
const runActs = {
  cancel: (run) => attempt(() => ask("DELETE", `uploads/${run.id}`)),
  pause: (run) => attempt(() => ask("POST", `uploads/${run.id}/pause`)),
  resume: (run) => attempt(() => ask("POST", `uploads/${run.id}/resume`)),
  choose: () => $["files-input"].click(),
  discard: (run) => attempt(async () => {
    await ask("DELETE", `uploads/${run.id}`);
    announce(`Discarded ${run.name}`);
  }),
};

const sayings = { "upload.paused": "Paused", "upload.resumed": "Resumed" };

function showRecipe(demo) {
  const here = new URL(".", location.href).href;
  const token = demo ? `token=$(curl -s ${here}demo/token -d ${who})` : "token=…";
  $.curl.textContent = `${token}\ncurl -NT FILE -H "Authorization: Bearer $token" ${here}files/`;
}

// ---- the stream -----------------------------------------------------------------------------------------------------

function apply(name, data) {
  listing.apply(name, data);
  const run = listing.running.get(data.id);
  const isMine = (data.owner ?? run?.owner) === who; // anybody may name an upload as this page names one of its own
  if (isMine && name.startsWith("upload.")) transfers.hear(name, data);
  if (isMine && run && sayings[name]) announce(`${sayings[name]} ${run.name}`);
}

function receive(name, data) {
  reloading?.push([name, data]);
  apply(name, data);
  refresh();
}

// Something is missing in the stream: the list is loaded anew, and what comes meanwhile is applied to it.
async function reload() {
  const came = [];
  reloading = came;
  const list = await ask("GET", "files");
  if (reloading !== came) return;
  listing = new Listing(list, who);
  for (const event of came) apply(...event);
  reloading = undefined;
  transfers.sync(listing);
  refresh();
}

function showState() {
  const { state, error } = stream;
  const refused = state === "failed" && error.code === "auth";
  $.state.dataset.state = state;
  set($.state, "textContent", state === "open" ? "live" : state === "waiting" || state === "connecting" ? "reconnecting"
    : refused ? "not signed in" : `${state}${error ? `: ${error.message}` : ""}`);
  $.again.hidden = state !== "waiting" && state !== "offline";
  if (refused) askAgain();
  if (state === "open") transfers.hurry();
}

async function start() {
  who = subOf(await getToken());
  listing = new Listing(await ask("GET", "files"), who);
  others = otherUploads(who, runActs);
  left = unfinishedUploads(runActs);
  files = fileRows(who, { download, preview, share, remove });
  $.who.textContent = who;
  for (const part of [$.account, $.page]) part.hidden = false;
  stream = new Stream("events", { token: () => getToken(), renew: "renew", tabs: true, lastEventId: listing.position });
  stream.addEventListener("weir.state", showState);
  stream.addEventListener("weir.gap", () => attempt(reload));
  for (const name of eventNames) stream.addEventListener(name, ({ data }) => receive(name, JSON.parse(data)));
  $.again.addEventListener("click", () => stream.connect());
  showState();
  show();
  showRecipe(await isDemo());
}

// ---- the way in -----------------------------------------------------------------------------------------------------

function enter(form) {
  form.hidden = false;
  form.querySelector("input").focus();
}

// `remember` keeps what the form says. A page that was there already goes on with all that it has.
function onEnter(form, remember) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    form.hidden = true;
    try {
      remember();
      await (stream ? goOn() : start());
      $.choose.focus();
    } catch (error) {
      stop(error);
    }
  });
}

function goOn() {
  transfers.resume();
  stream.connect();
}

onEnter($.enter, () => signInAs($.name.value));
onEnter($["show-token"], () => {
  const token = $.token.value.trim();
  $.token.value = "";
  if (stream && subOf(token) !== who) throw Object.assign(new Error(`it is not one of ${who}`), { status: 401 });
  signInWith(token);
});

$.leave.addEventListener("click", () => {
  signOut();
  location.reload();
});

function askForToken(why) {
  enter($["show-token"]);
  $["token-why"].textContent = why;
}

// Nothing is sent until there is a token that holds, and nothing is lost. Below a dialog nobody could be asked.
function askAgain() {
  transfers.hold();
  if (!$["show-token"].hidden) return;
  for (const dialog of [$.share, $.preview]) dialog.close();
  askForToken("Your token has expired.");
}

async function begin() {
  if (isSignedIn()) await start();
  else if (await isDemo()) enter($.enter);
  else askForToken("");
}

// A token that does not hold is asked for again; whatever else stops the page is said.
function stop(error) {
  $.account.hidden = !isSignedIn();
  if (error.status === 401) askForToken(`Your token was refused: ${error.message}.`);
  $.state.dataset.state = "failed";
  $.state.textContent = error.message;
}

begin().catch(stop);

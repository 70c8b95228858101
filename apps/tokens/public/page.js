// One answer: asked for here, or the run whose id stands in the address. What comes is shown as it comes; what happens to
// the connection is told, and stands in the text where it happened.
//
// How it is read is a matter of weir.js. A run goes on after a lost connection, from its last id. An answer that is bound
// to its connection does not: asking again would begin anew, so its stream is closed at the first sign.

import { Stream } from "./weir.js";

const by = (id) => document.getElementById(id);
const [form, section, text, events, send, stop, cut, share] =
  ["ask", "answer", "text", "events", "send", "stop", "cut", "share"].map(by);

const endings = {
  done: ["done", "good", "The answer is complete."],
  stopped: ["stopped", "", "It was stopped."],
  timeout: ["timed out", "bad", "It took too long, and was ended."],
  failed: ["failed", "bad", "The model failed."],
  interrupted: ["interrupted", "bad", "The server was restarted, and the rest was never made."],
  left: ["stopped", "", "The connection is gone, and the work stopped with it."],
  gone: ["gone", "bad", "There is no such run: it never was, or is forgotten."],
};

let current; // the answer that is shown

// ---- what is shown ----

function tell(what, kind = "") {
  events.append(Object.assign(document.createElement("li"), { className: kind, textContent: what }));
  by("told").textContent = what;
}

function become(state, name = state) {
  section.dataset.state = state;
  const shown = section.querySelector(".state");
  if (shown.textContent !== name) shown.textContent = name;
}

// Sentences, to those who listen: a token at a time is no way to be read to.
function speaker() {
  by("spoken").replaceChildren();
  let waiting = "";
  const say = (words) => {
    if (words.trim()) by("spoken").append(Object.assign(document.createElement("p"), { textContent: words.trim() }));
  };
  return {
    add(token) {
      waiting += token;
      const end = waiting.search(/[.!?](?=\s)|\n/);
      if (end < 0) return;
      say(waiting.slice(0, end + 1));
      waiting = waiting.slice(end + 1);
    },
    end() {
      say(waiting);
      waiting = "";
    },
  };
}

function clear(question) {
  current?.leave();
  text.replaceChildren();
  events.replaceChildren();
  by("question").textContent = question;
  by("count").textContent = by("cuts").textContent = "0";
  by("first").textContent = "–";
  by("told").textContent = "";
  text.ariaBusy = "true";
  send.disabled = true;
  become("connecting");
}

// Nothing comes any more.
function rest() {
  text.ariaBusy = "false";
  send.disabled = false;
  stop.disabled = cut.disabled = true;
}

function seam(words) {
  text.append(Object.assign(document.createElement("span"), { className: "seam", textContent: words }));
}

// ---- one answer ----

class Answer {
  #count = 0;
  #cuts = 0;
  #asked = performance.now();
  #speaker = speaker();
  #over = false;

  constructor(url, options, { fetch, resumes }) {
    this.stream = new Stream(url, { ...options, fetch, delay: 300 });
    this.resumes = resumes;
    this.stream.addEventListener("begun", ({ data }) => { by("question").textContent = JSON.parse(data).prompt; });
    this.stream.addEventListener("message", ({ data }) => this.#token(data));
    this.stream.addEventListener("weir.gap", () => tell("A part of the answer is not kept any more.", "bad"));
    this.stream.addEventListener("finished", ({ data }) => this.end(JSON.parse(data).reason));
    this.stream.addEventListener("weir.state", () => this.#state());
  }

  #token(token) {
    if (this.#count++ === 0) by("first").textContent = `${((performance.now() - this.#asked) / 1000).toFixed(2)} s`;
    by("count").textContent = this.#count;
    text.append(token);
    this.#speaker.add(token);
  }

  #state() {
    const { state, error, stats } = this.stream;
    if (this.#over || current !== this) return;
    if (state === "open") this.#open(stats.reconnects);
    else if (state === "failed") this.end(error.status === 404 ? "gone" : "failed", error.message);
    else if (state === "ended") this.end("done"); // who comes with the id of the end
    else if (!this.resumes && state !== "connecting") this.end("left");
    else if (state !== "connecting") become("waiting", "cut off");
  }

  #open(reconnects) {
    become("live");
    if (reconnects <= this.#cuts) return;
    this.#cuts = reconnects;
    by("cuts").textContent = reconnects;
    seam("cut");
    tell("The connection was cut. It goes on behind the last token that came: nothing is missing, nothing comes twice.", "good");
  }

  end(reason, why) {
    if (this.#over) return;
    this.leave();
    const [name, kind, words] = endings[reason] ?? endings.failed;
    this.#speaker.end();
    become(reason, name);
    tell(why && reason === "failed" ? why : words, kind);
    rest();
    if (reason !== "gone") return;
    share.hidden = true;
    by("try").textContent = "";
  }

  leave() {
    this.#over = true;
    this.stream.close();
  }
}

// Fetches, and can cut what it has fetched, as a network would.
function wire() {
  let abort;
  return {
    fetch(url, { signal, ...options }) {
      abort = new AbortController();
      return fetch(url, { ...options, signal: AbortSignal.any ? AbortSignal.any([signal, abort.signal]) : either(signal, abort) });
    },
    cut: () => abort?.abort(),
  };
}

function either(signal, abort) {
  signal.addEventListener("abort", () => abort.abort());
  return abort.signal;
}

// ---- asking, following, stopping ----

function show(url, options, resumes) {
  const line = wire();
  current = new Answer(url, options, { fetch: line.fetch, resumes });
  cut.onclick = () => line.cut();
  stop.disabled = cut.disabled = false;
}

function follow(id) {
  clear("A run");
  const run = `runs/${encodeURIComponent(id)}`;
  history.replaceState(null, "", `?run=${encodeURIComponent(id)}`);
  share.href = location.href;
  share.hidden = false;
  by("try").textContent = `curl -N ${new URL(run, location.href)}`;
  show(run, {}, true);
  stop.onclick = () => fetch(run, { method: "DELETE" }).catch((error) => tell(String(error), "bad"));
}

function ask(prompt) {
  clear(prompt);
  history.replaceState(null, "", location.pathname);
  share.hidden = true;
  by("try").textContent = `curl -N -d 'hello' ${new URL("answer", location.href)}`;
  show("answer", { method: "POST", body: prompt }, false);
  stop.onclick = () => current.end("left");
}

async function begin(prompt) {
  clear(prompt);
  try {
    const response = await fetch("runs", { method: "POST", body: prompt });
    if (!response.ok) throw new Error(await response.text());
    follow((await response.json()).id);
  } catch (error) {
    become("failed");
    tell(error.message, "bad");
    rest();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { prompt, way } = form.elements;
  if (way.value === "runs") begin(prompt.value);
  else ask(prompt.value);
});

by("prompt").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || send.disabled) return;
  event.preventDefault();
  form.requestSubmit();
});

// A browser has six connections to a server: tabs that nobody sees need none for this.
const busy = new Stream("busy");
busy.addEventListener("message", ({ data }) => { by("busy").querySelector("output").textContent = data; });
document.addEventListener("visibilitychange", () => (document.hidden ? busy.close() : busy.connect()));

const asked = new URLSearchParams(location.search).get("run");
if (asked) follow(asked);

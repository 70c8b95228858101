// streams: those that are furthest behind, and the button that closes one.
//
// All that stands in a row comes from strangers, and is text. The order stands still while somebody points at the list
// or has the focus in it: a row that moves away under a finger is another one's row.

import { $, make, setText } from "./dom.js";
import { bytes, show, span } from "./format.js";
import { post } from "./session.js";

const rows = new Map(); // by id: { element, parts, button, stream }
let mayClose = false;

export function allowClosing(allowed) {
  mayClose = allowed;
  for (const { button } of rows.values()) button.hidden = !allowed;
}

const nameOf = ({ method, path, route }) => `${method ?? ""} ${path ?? route ?? ""}`.trim();

function whoOf(stream) {
  const who = [stream.sub, stream.address].filter(Boolean).join(" · ");
  return `${who || "somebody"} · for ${span(stream.age)} · ${bytes(stream.sent)} sent`;
}

function topicsOf({ topics, topics_count: all }) {
  return topics.join(", ") + (all > topics.length ? ` and ${all - topics.length} more` : "");
}

function backlogOf({ backlog, behind }) {
  return backlog > 0 ? `${bytes(backlog)} behind${behind ? `, ${show("events", behind)} events` : ""}` : "up to date";
}

function build(id) {
  const [title, about, topics, backlog] = ["title", "soft", "soft topics", "backlog"].map((className) => make("span", { className }));
  const button = make("button", { type: "button", className: "quiet", textContent: "Close", hidden: !mayClose });
  const element = make("li", {}, title, backlog, about, topics, button);
  button.addEventListener("click", () => askToClose(rows.get(id)));
  return { element, button, parts: { title, about, topics, backlog } };
}

function update(row, stream) {
  row.stream = stream;
  setText(row.parts.title, nameOf(stream));
  setText(row.parts.about, whoOf(stream));
  setText(row.parts.topics, topicsOf(stream));
  setText(row.parts.backlog, backlogOf(stream));
  row.element.dataset.state = stream.backlog > 0 ? "behind" : "";
  row.button.setAttribute("aria-label", `Close stream ${stream.id}, ${nameOf(stream)}`);
}

const isLookedAt = () => $.streams.matches(":hover, :focus-within") || $.sure.open;

function forgetGone(list) {
  const there = new Set(list.map(({ id }) => id));
  for (const [id, { element }] of rows) {
    if (there.has(id)) continue;
    element.remove();
    rows.delete(id);
  }
}

/** Shows the list of a second. */
export function take({ total, streams }) {
  setText($["streams-count"], streams.length < total ? `${streams.length} of ${show("streams", total)}` : show("streams", streams.length));
  const standsStill = isLookedAt();
  if (!standsStill) forgetGone(streams);
  for (const stream of streams) {
    if (standsStill && !rows.has(stream.id)) continue;
    if (!rows.has(stream.id)) rows.set(stream.id, build(stream.id));
    update(rows.get(stream.id), stream);
  }
  if (!standsStill) order(streams);
}

// Only what is not in its place is moved: whatever is chosen in a row stays so.
function order(streams) {
  streams.forEach(({ id }, i) => {
    const { element } = rows.get(id);
    if ($.streams.children[i] !== element) $.streams.insertBefore(element, $.streams.children[i] ?? null);
  });
}

// ---- closing ----

function askToClose({ stream }) {
  setText($["sure-text"], `Stream ${stream.id}: ${nameOf(stream)}, ${stream.sub ?? stream.address ?? "somebody"}, ${backlogOf(stream)}.`);
  $.sure.returnValue = "";
  $.sure.onclose = () => $.sure.returnValue === "close" && close(stream);
  $.sure.showModal();
}

async function close(stream) {
  try {
    await post(`streams/${stream.id}/close`);
    setText($.told, `Stream ${stream.id}, ${nameOf(stream)}, is closed.`);
    rows.get(stream.id)?.element.remove();
    rows.delete(stream.id);
  } catch (error) {
    setText($.told, `Stream ${stream.id} is not closed: ${error.message}`);
  }
}

// The publishers' page: a form, and the curl line that does the same.

import { copy } from "./entry.js";
import { ask, isDemo, isSignedIn, signInWith } from "./session.js";

const $ = Object.fromEntries([...document.querySelectorAll("[id]")].map((one) => [one.id, one]));
const rights = "?publish=1";
let demo = true, last;

const path = () => ($.to.value.trim() === "" ? "broadcast" : `users/${encodeURIComponent($.to.value.trim())}`);

// What the form says, without what is empty. Throws where the actions are no JSON.
function notification() {
  const given = { title: $.title.value, severity: Number($.severity.value) };
  for (const name of ["text", "icon", "link", "key", "expires", "show_at"]) if ($[name].value !== "") given[name] = $[name].value;
  const tags = $.tags.value.split(",").map((tag) => tag.trim()).filter(Boolean);
  if (tags.length > 0) given.tags = tags;
  if ($.keep_state.checked) given.keep_state = true;
  if ($.actions.value.trim() !== "") given.actions = JSON.parse($.actions.value);
  return given;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function showCurl() {
  let text;
  try {
    text = JSON.stringify(notification());
  } catch (error) {
    $.curl.textContent = `The actions are no JSON: ${error.message}`;
    return;
  }
  const token = demo ? `TOKEN=$(curl -s -d ci ${quoted(new URL(`demo/token${rights}`, location).href)})`
    : "TOKEN=$(weir token --sub ci --claim notify=publish --secret-env NOTIFY_SECRET)";
  $.curl.textContent = `${token}\ncurl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\\n`
    + `  -d ${quoted(text)} \\\n  ${quoted(new URL(path(), location).href)}`;
}

async function attempt(work) {
  try {
    $.result.textContent = await work();
    $.result.dataset.state = "done";
  } catch (error) {
    $.result.textContent = error.message;
    $.result.dataset.state = "failed";
  }
}

$.form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const to = path();
    const { id, reached } = await ask("POST", to, notification(), rights);
    last = `${to}?id=${id}`;
    $.withdraw.disabled = false;
    return `Published as ${id}; it reached ${reached} ${reached === 1 ? "stream" : "streams"} at once.`;
  });
});

$.withdraw.addEventListener("click", () => attempt(async () => {
  await ask("DELETE", last, undefined, rights);
  $.withdraw.disabled = true;
  return "Withdrawn.";
}));

$.copy.addEventListener("click", () => copy($.copy, $.curl.textContent));

async function showPresence() {
  const { subs, streams } = await ask("GET", "presence", undefined, rights);
  const names = Object.keys(subs).sort();
  $.present.replaceChildren(...names.slice(0, 100).map((name) => new Option(name)));
  $.presence.textContent = streams === 0 ? "nobody is there now" : `there now: ${names.slice(0, 5).join(", ")}${names.length > 5 ? " …" : ""}`;
}

$["show-token"].addEventListener("submit", (event) => {
  event.preventDefault();
  signInWith($.token.value.trim());
  location.reload();
});

async function look() {
  try {
    await showPresence();
  } catch (error) {
    $.presence.textContent = error.message;
    $["show-token"].hidden = demo || ![401, 403].includes(error.status);
  }
}

$.form.addEventListener("input", showCurl);
showCurl();
demo = await isDemo();
showCurl();
if (demo || isSignedIn()) {
  look();
  setInterval(look, 5000);
} else {
  $["show-token"].hidden = false;
}

// What the three pages have in common: a token, the list, the form, and how the connection is.

const element = Object.fromEntries([...document.querySelectorAll("[id]")].map((one) => [one.id, one]));

export async function getToken() {
  const response = await fetch("token", { method: "POST" });
  if (!response.ok) throw new Error(`no token: ${response.status}`);
  return response.text();
}

// An entry, or what is to be said between entries.
export function show(text, className = "") {
  element.list.append(Object.assign(document.createElement("li"), { textContent: text, className }));
  element.list.scrollTop = element.list.scrollHeight;
}

// "open", or in what other state it is, and why.
export function become(state, why = "") {
  const text = why ? `${state}: ${why}` : state;
  element.state.dataset.state = state;
  if (element.state.textContent !== text) element.state.textContent = text; // else it would be read out again
}

async function write(event) {
  event.preventDefault();
  const text = element.text.value.trim();
  if (text === "") return;
  const headers = { Authorization: `Bearer ${await getToken()}` };
  const response = await fetch("entries", { method: "POST", headers, body: text });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  element.form.reset();
}

element.form.addEventListener("submit", (event) => {
  write(event).catch((error) => show(`Not written: ${error.message}`, "note"));
});

// Who somebody is, and how the server is asked: with a token, that of the demo's sign-in or one that was pasted. A page
// with a sign-in of its own needs another file like this one, and no other change.

const remembered = { name: "notify.name", token: "notify.token", device: "notify.device" };

// Of this page, from now on: what another tab does is for its next one.
const name = localStorage.getItem(remembered.name);
const pasted = sessionStorage.getItem(remembered.token);

addEventListener("storage", ({ key }) => key === remembered.name && pasted === null && location.reload());

/** Whether the server is the demo, where any name is let in. */
export async function isDemo() {
  const response = await fetch("demo");
  if (response.status === 404) return false;
  if (!response.ok) throw new Error((await response.text()).trim());
  return (await response.json()).open;
}

export const isSignedIn = () => name !== null || pasted !== null;

/** This browser, as the server knows it when changes come late or twice. */
export function device() {
  const id = localStorage.getItem(remembered.device) ?? `d${crypto.getRandomValues(new Uint32Array(4)).join("").slice(0, 30)}`;
  localStorage.setItem(remembered.device, id);
  return id;
}

export function signInAs(given) {
  localStorage.setItem(remembered.name, given);
}

export function signInWith(token) {
  sessionStorage.setItem(remembered.token, token);
}

export function signOut() {
  localStorage.removeItem(remembered.name);
  sessionStorage.removeItem(remembered.token);
}

/** The sub of a token. Throws where there is none. */
export function subOf(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (one) => one.codePointAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)).sub;
  } catch {
    throw Object.assign(new Error("this is no token"), { status: 401 });
  }
}

const failure = (message, status) => Object.assign(new Error(message), { status });

/** A token that holds for a while. `rights` asks for those of a publisher. */
export async function getToken(rights = "") {
  if (pasted !== null) return pasted;
  const response = await fetch(`demo/token${rights}`, { method: "POST", body: rights ? "publisher" : name });
  if (!response.ok) throw failure(`no token: ${(await response.text()).trim() || response.status}`, response.status);
  return response.text();
}

/** Asks the server; what it answers, as JSON or undefined. Throws what went wrong, with the `status` of its answer. */
export async function ask(method, path, body, rights) {
  const headers = { Authorization: `Bearer ${await getToken(rights)}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  const answer = /json/.test(response.headers.get("Content-Type") ?? "") ? JSON.parse(text) : undefined;
  if (!response.ok) throw failure(answer?.error ?? (text.trim() || `status ${response.status}`), response.status);
  return answer;
}

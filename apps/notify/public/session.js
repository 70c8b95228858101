// Who somebody is, and how the server is asked: with a token, that of the demo's sign-in or one that was pasted.

const remembered = { name: "notify.name", token: "notify.token", device: "notify.device" };

/** Whether the server is the demo, where any name is let in. */
export async function isDemo() {
  const response = await fetch("demo");
  if (!response.ok) throw new Error((await response.text()).trim());
  return (await response.json()).open;
}

export const name = () => localStorage.getItem(remembered.name);
export const isSignedIn = () => name() !== null || sessionStorage.getItem(remembered.token) !== null;

/** This browser, as the server knows it when changes come late or twice. */
export function device() {
  const id = localStorage.getItem(remembered.device) ?? crypto.randomUUID?.() ?? `${Math.random()}`.slice(2);
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

/** The sub of a token. */
export function subOf(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).sub;
  } catch {
    return undefined;
  }
}

/** A token that holds for a while. `rights` asks for those of a publisher. */
export async function getToken(rights = "") {
  const pasted = sessionStorage.getItem(remembered.token);
  if (pasted !== null) return pasted;
  const response = await fetch(`demo/token${rights}`, { method: "POST", body: name() ?? "publisher" });
  if (!response.ok) throw new Error(`no token: ${(await response.text()).trim() || response.status}`);
  return response.text();
}

/** Asks the server; what it answers, as JSON or undefined. Throws what went wrong, with `status`. */
export async function ask(method, path, body, rights) {
  const headers = { Authorization: `Bearer ${await getToken(rights)}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  const answer = /json/.test(response.headers.get("Content-Type") ?? "") ? JSON.parse(text) : undefined;
  if (!response.ok) {
    throw Object.assign(new Error(answer?.error ?? (text.trim() || `status ${response.status}`)), { status: response.status });
  }
  return answer;
}

// Who somebody is, and how the server is asked: with a token, that of the demo's sign-in or one that was pasted. A page
// with a sign-in of its own needs another file like this one, and no other change.

const remembered = { name: "upload.name", token: "upload.token" };

// Of this page, from now on: what another tab does is for its next one.
let name = localStorage.getItem(remembered.name);
let pasted = sessionStorage.getItem(remembered.token);

addEventListener("storage", ({ key }) => key === remembered.name && pasted === null && location.reload());

const failure = (message, status) => Object.assign(new Error(message), { status });

// What a browser says where there is no answer is not for people.
const reach = (...args) => fetch(...args).catch(() => { throw failure("the connection broke off; try again"); });

/** Whether the server is the demo, where any name is let in. */
export async function isDemo() {
  const response = await reach("demo");
  if (response.status === 404) return false;
  if (!response.ok) throw new Error((await response.text()).trim());
  return (await response.json()).open;
}

export const isSignedIn = () => name !== null || pasted !== null;

export function signInAs(given) {
  name = given;
  localStorage.setItem(remembered.name, given);
}

/** With a token, also in place of one that has expired. */
export function signInWith(token) {
  pasted = token;
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
    throw failure("this is no token", 401);
  }
}

/** A token that holds for a while. */
export async function getToken() {
  if (pasted !== null) return pasted;
  const response = await reach("demo/token", { method: "POST", body: name });
  if (!response.ok) throw failure(`no token: ${(await response.text()).trim() || response.status}`, response.status);
  return response.text();
}

/** The answer to a request. Throws what went wrong, with the `status` of its answer. */
export async function request(method, path, body) {
  const headers = { Authorization: `Bearer ${await getToken()}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await reach(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (response.ok) return response;
  const text = await response.text();
  const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
  throw failure((isJson && JSON.parse(text).message) || text.trim() || `status ${response.status}`, response.status);
}

/** The same, where the answer is JSON, or undefined. */
export async function ask(...args) {
  const response = await request(...args);
  return response.status === 204 ? undefined : response.json();
}

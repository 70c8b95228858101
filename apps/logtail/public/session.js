// session: who asks, and how the server is asked: with a token where it wants one, which is kept for this tab.
//
// A page with a sign-in of its own needs another file like this one, and no other change.

const remembered = "logtail.token";
let token = sessionStorage.getItem(remembered) ?? "";

/** The token that was shown, or nothing where none is wanted. */
export const getToken = () => token || undefined;

export function signInWith(given) {
  token = given.trim();
  sessionStorage.setItem(remembered, token);
}

/** The answer to a request. Throws what went wrong, in words for people, with the `status` of its answer. */
export async function request(path, options = {}) {
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(path, { ...options, headers }).catch((error) => {
    throw error.name === "AbortError" ? error : new Error("the connection broke off; try again");
  });
  if (response.ok) return response;
  const text = (await response.text()).trim();
  throw Object.assign(new Error(text || `the server answered ${response.status}`), { status: response.status });
}

/** The same path for a link, which carries no token: with a ticket in its place, which holds once and for a moment. */
export async function linkTo(path) {
  if (!token) return path;
  const { ticket } = await (await request("ticket", { method: "POST" })).json();
  return `${path}${path.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(ticket)}`;
}

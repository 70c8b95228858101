// session: who asks, and how the server is asked: with a token where it wants one, which is kept for this tab.
//
// A page with a sign-in of its own needs another file like this one, and no other change.

const remembered = "monitor.token";
let token = sessionStorage.getItem(remembered) ?? "";

/** The token that was shown, or nothing where none is wanted. */
export const getToken = () => token || undefined;

export function signInWith(given) {
  token = given.trim();
  sessionStorage.setItem(remembered, token);
}

/** Asks for something to be done. Throws what went wrong, in words for people. */
export async function post(path) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(path, { method: "POST", headers }).catch(() => {
    throw new Error("the connection broke off; try again");
  });
  if (!response.ok) throw new Error((await response.text()).trim() || `the server answered ${response.status}`);
}

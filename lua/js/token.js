// token: what a stream shows to be let in, and until when it holds.
//
// It is a string, or a function that gets one: called before the first connection, before the token ends, and after it
// was refused. A function that gives nothing has seen to it in another way, as by a cookie. If the token is a JSON Web
// Token its end is read from it, by the server's clock where the server has told it.

import { StreamError } from "./events.js";

/** @typedef {string | null | undefined} TokenValue */
/** @typedef {string | (() => TokenValue | Promise<TokenValue>)} TokenOption */

export class Token {
  #given;
  #onAnother;
  /** @type {TokenValue} */
  #value = undefined;
  #known = false;
  #ahead = 0; // of the server's clock, ms

  /**
   * @param {TokenOption} [given]
   * @param {(value: TokenValue) => void} [onAnother] called with each but the first
   */
  constructor(given, onAnother = () => {}) {
    this.#given = given;
    this.#onAnother = onAnother;
  }

  /** Whether another can be had. */
  get renewable() {
    return typeof this.#given === "function";
  }

  /** The token to send now. */
  async get() {
    if (typeof this.#given !== "function") return this.#given;
    if (!this.#known || this.left() <= 0) await this.renew();
    return this.#value;
  }

  /** Gets another. @returns {Promise<boolean>} whether it is another */
  async renew() {
    if (typeof this.#given !== "function") return false;
    const before = this.#value;
    try {
      this.#value = await this.#given();
    } catch (cause) {
      throw new StreamError("token", `no token: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
    const first = !this.#known;
    this.#known = true;
    if (!first && this.#value !== before) this.#onAnother(this.#value);
    return this.#value !== before;
  }

  /** The server's time, Unix seconds. @param {number} seconds */
  setClock(seconds) {
    this.#ahead = Date.now() - seconds * 1000;
  }

  /** Milliseconds until it ends; Infinity: it does not say. */
  left() {
    const exp = claimsOf(this.#value)?.exp;
    return typeof exp === "number" ? exp * 1000 + this.#ahead - Date.now() : Infinity;
  }
}

/**
 * The claims that a token shows, which nobody has verified: only the server can.
 * @param {TokenValue} token
 * @returns {Record<string, unknown> | undefined}
 */
function claimsOf(token) {
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(token ?? "")?.[1];
  if (payload === undefined) return undefined;
  try {
    const text = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (char) => char.charCodeAt(0))));
    return typeof claims === "object" && claims !== null ? claims : undefined;
  } catch {
    return undefined; // it is of another kind
  }
}

/**
 * For whom a token stands and what it allows: all that it claims but its times and its own name, so that it is the same
 * after a renewal. What is no JSON Web Token stands for itself.
 * @param {TokenValue} token
 */
export function identityOf(token) {
  const claims = claimsOf(token);
  if (claims === undefined) return token ?? "";
  const lasting = Object.entries(claims).filter(([name]) => !["exp", "iat", "nbf", "jti"].includes(name));
  return JSON.stringify(lasting.sort(([one], [other]) => (one < other ? -1 : 1)));
}

// watchdog: tells when nothing was heard for too long.
//
// One timer that is armed anew only when it fires, since bytes come more often than it does. A page that was asleep, or
// busy, is late: what has come meanwhile waits behind this timer, so it gets a moment to be heard.

const GRACE = 1000;
const TIMER_MAX = 2 ** 31 - 1;

export class Watchdog {
  #bark;
  #patience;
  #last = Date.now();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer = undefined;

  /**
   * @param {number} patience milliseconds; Infinity: for ever
   * @param {(patience: number) => void} bark called once
   */
  constructor(patience, bark) {
    this.#bark = bark;
    this.#patience = patience;
    this.#arm(patience);
  }

  heard() {
    this.#last = Date.now();
  }

  /** @param {number} ms */
  set patience(ms) {
    this.#patience = ms;
    this.#arm(ms);
  }

  stop() {
    clearTimeout(this.#timer);
  }

  /**
   * @param {number} ms
   * @param {boolean} [last] it has had its moment
   */
  #arm(ms, last = false) {
    clearTimeout(this.#timer);
    if (ms === Infinity) return;
    const due = Date.now() + Math.min(ms, TIMER_MAX);
    this.#timer = setTimeout(() => {
      const left = this.#last + this.#patience - Date.now();
      if (left > 0) this.#arm(left);
      else if (!last && Date.now() - due > GRACE) this.#arm(GRACE, true);
      else this.#bark(this.#patience);
    }, Math.min(ms, TIMER_MAX));
  }
}

// What is told for a moment: in the page, and by the desktop. It goes when what it is about is seen elsewhere.

const SHOWN = 8000; // ms; a severe one stays
const AT_ONCE = 3;

export class Toasts {
  #shown = new Map(); // by id: an element, or a desktop notification
  #desktop = new Map();

  constructor(place, { open }) {
    this.place = place;
    this.open = open;
  }

  /** About a notification. */
  show({ id, title, severity }) {
    this.#add(id, title, severity);
    if (severity < 4) setTimeout(() => this.remove(id), SHOWN);
  }

  /** Something else, a summary or a failure. */
  say(text) {
    this.#add(text, text, 3);
    setTimeout(() => this.remove(text), SHOWN);
  }

  #add(id, text, severity) {
    this.remove(id);
    const toast = document.createElement("p");
    toast.dataset.severity = severity;
    const open = Object.assign(document.createElement("button"), { className: "about-it", textContent: text });
    const close = Object.assign(document.createElement("button"), { className: "quiet", textContent: "×", ariaLabel: "Dismiss" });
    open.addEventListener("click", () => {
      this.remove(id);
      this.open(id);
    });
    close.addEventListener("click", () => this.remove(id));
    toast.append(open, close);
    this.place.append(toast);
    this.#shown.set(id, toast);
    for (const first of [...this.#shown.keys()].slice(0, -AT_ONCE)) this.remove(first);
  }

  /** By the desktop, where the user has allowed it and does not look at the page. */
  notify({ id, title, text }) {
    if (globalThis.Notification?.permission !== "granted" || document.visibilityState === "visible") return;
    const shown = new Notification(title, { body: text, tag: id });
    shown.addEventListener("click", () => {
      focus();
      this.open(id);
    });
    this.#desktop.set(id, shown);
  }

  remove(id) {
    this.#shown.get(id)?.remove();
    this.#shown.delete(id);
    this.#desktop.get(id)?.close();
    this.#desktop.delete(id);
  }

  /** Removes those about notifications for which `isNews(id)` does not hold any more. */
  keep(isNews) {
    for (const id of [...this.#shown.keys(), ...this.#desktop.keys()]) {
      if (/^[ub][0-9a-f]{24}$/.test(id) && !isNews(id)) this.remove(id);
    }
  }
}

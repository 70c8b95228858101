// What is told for a moment: in the page, and by the desktop. It goes when what it is about is seen elsewhere.

const SHOWN = 8000; // ms; a severe one stays
const AT_ONCE = 3; // of those that go by themselves

const isSevere = (severity) => severity >= 4;

// Whether any tab of this page is looked at: each that is holds a lock, which all may share.
const LOOKED_AT = "notify.looked-at";

function holdWhileVisible() {
  let release;
  const follow = () => {
    release?.();
    release = undefined;
    if (document.visibilityState !== "visible") return;
    navigator.locks.request(LOOKED_AT, { mode: "shared" }, () => new Promise((done) => { release = done; }));
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}

async function isLookedAt() {
  if (!navigator.locks) return document.visibilityState === "visible";
  return (await navigator.locks.query()).held.some(({ name }) => name === LOOKED_AT);
}

if (navigator.locks) holdWhileVisible();

export class Toasts {
  #shown = new Map(); // by id, or by what they say
  #about = new Set(); // ids of notifications among them
  #desktop = new Map();

  constructor(place, { open }) {
    this.place = place;
    this.open = open;
  }

  /** About a notification. */
  show({ id, title, severity }) {
    this.#about.add(id);
    this.#add(id, title, severity);
  }

  /** Something else, a summary or a failure. */
  say(text) {
    this.#add(text, text, 3);
  }

  #add(id, text, severity) {
    this.#hide(id);
    const toast = Object.assign(document.createElement("p"), { dir: "auto" });
    toast.dataset.severity = severity;
    const open = Object.assign(document.createElement("button"), { className: "about-it", textContent: text });
    const close = Object.assign(document.createElement("button"), { className: "quiet", textContent: "×", ariaLabel: `Dismiss: ${text}` });
    open.addEventListener("click", () => {
      this.remove(id);
      this.open(id);
    });
    close.addEventListener("click", () => this.remove(id));
    toast.append(open, close);
    this.place.append(toast);
    this.#shown.set(id, toast);
    if (isSevere(severity)) return;
    this.#hideLater(id, toast);
    const passing = [...this.#shown].filter(([, one]) => !isSevere(Number(one.dataset.severity)));
    for (const [first] of passing.slice(0, -AT_ONCE)) this.#hide(first);
  }

  // Not while somebody is at it.
  #hideLater(id, toast) {
    setTimeout(() => {
      if (this.#shown.get(id) !== toast) return;
      if (toast.matches(":hover, :focus-within")) this.#hideLater(id, toast);
      else this.#hide(id);
    }, SHOWN);
  }

  #hide(id) {
    this.#shown.get(id)?.remove();
    this.#shown.delete(id);
  }

  /** By the desktop, where the user has allowed it and looks at no tab of the page. It stays there. */
  async notify({ id, title, text }) {
    if (globalThis.Notification?.permission !== "granted" || await isLookedAt()) return;
    const shown = new Notification(title, { body: text, tag: id });
    shown.addEventListener("click", () => {
      focus();
      this.open(id);
    });
    this.#desktop.set(id, shown);
  }

  remove(id) {
    this.#hide(id);
    this.#about.delete(id);
    this.#desktop.get(id)?.close();
    this.#desktop.delete(id);
  }

  /** Removes those about notifications for which `isNews(id)` does not hold any more. */
  keep(isNews) {
    for (const id of [...this.#about, ...this.#desktop.keys()]) if (!isNews(id)) this.remove(id);
  }
}

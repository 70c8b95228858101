// sources: which files there are, how they are, and which of them are chosen.
//
//   found <--> waiting (not there yet)      found --> gone (a file of a glob that went)      error: why
//
// A source is called by its labels, or by its file's name where it has none.

import { make } from "./dom.js";

const states = { found: "is there", waiting: "is not there yet", gone: "is gone", error: "cannot be read" };
const signs = { found: "●", waiting: "○", gone: "×", error: "!" };

const wordsOf = ({ state, why }) => `${states[state] ?? state}${why ? `: ${why}` : ""}`;
const baseName = (path) => path.slice(path.lastIndexOf("/") + 1);

export class Sources {
  #all = new Map(); // key --> source

  /** Takes what the server says of one; what to say of it, if it is news. */
  take(source) {
    const before = this.#all.get(source.key);
    this.#all.set(source.key, source);
    const isNews = before && (before.state !== source.state || before.why !== source.why);
    return isNews ? this.describe(source) : "";
  }

  get all() {
    return [...this.#all.values()];
  }

  /** In words: what became of one. */
  describe({ path, state, why }) {
    return `${path} ${wordsOf({ state, why })}`;
  }

  /** As a row has it; nothing where there is only one. */
  nameOf(key) {
    const source = this.#all.size > 1 && this.#all.get(key);
    if (!source) return "";
    const labels = Object.entries(source.labels ?? {}).sort();
    return labels.length > 0 ? labels.map(([, value]) => value).join(" ") : baseName(source.path);
  }

  pathOf(key) {
    return this.#all.get(key)?.path ?? "";
  }

  /** What all of them are called, for the page's head. */
  get title() {
    const [first, ...others] = this.all;
    if (!first) return "Logs";
    return others.length > 0 ? `${others.length + 1} logs` : baseName(first.path);
  }

  get about() {
    const { all } = this, bad = all.filter(({ state }) => state !== "found");
    if (bad.length > 0) return bad.length === 1 ? this.describe(bad[0]) : `${bad.length} of ${all.length} are not there, or cannot be read`;
    return all.length === 1 ? all[0].path : "";
  }

  /** The keys of those with a label. */
  labelled(name, value) {
    return this.all.filter(({ labels }) => labels?.[name] === value).map(({ key }) => key);
  }

  /** A list to choose from. */
  rows(only) {
    return this.all.map((source) => {
      const { key, path, labels = {}, state } = source;
      const box = make("input", { type: "checkbox", checked: only.includes(key), value: key });
      const chips = Object.entries(labels).map(([name, value]) => {
        const chip = make("button",
          { type: "button", className: "quiet label", textContent: `${name}: ${value}`, ariaLabel: `Choose those with ${name} ${value}` });
        Object.assign(chip.dataset, { name, value });
        return chip;
      });
      const sign = make("span", { className: "sign", textContent: signs[state] ?? "?", ariaHidden: "true" });
      const item = make("li", {}, make("label", {}, box, sign, make("span", { className: "path", textContent: path })), ...chips);
      if (state !== "found") item.append(make("span", { className: "soft", textContent: wordsOf(source) }));
      item.dataset.state = state;
      return item;
    });
  }
}

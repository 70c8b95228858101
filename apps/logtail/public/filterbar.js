// filterbar: the controls that say which lines are wanted, and the chips that show it.
//
// There is one filter, an object that is never changed but replaced (filter.js); each control shows a part of it, and
// asks for another one. Words are asked for when nobody has typed for a moment.

import { make } from "./dom.js";
import { formatWords, parseWords, withField } from "./filter.js";
import { fromInput, full, parse, toInput } from "./time.js";

const TYPING = 350; // ms

const without = (list, one) => list.filter((other) => other !== one);

export class FilterBar {
  #parts;
  #filter;
  #utc = false;
  #typing = undefined;
  #changed;

  /** `parts` are the elements by their ids; changed(filter) asks for another one. */
  constructor(parts, changed) {
    this.#parts = parts;
    this.#changed = changed;
    const { filter, level, times, sources } = parts;
    filter.addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#takeWords(), TYPING);
    });
    filter.addEventListener("change", () => this.#takeWords());
    level.addEventListener("change", () => this.#ask({ level: level.value }));
    times.addEventListener("submit", (event) => this.#takeTimes(event));
    times.addEventListener("reset", () => this.#ask({ since: "", until: "" }));
    sources.addEventListener("change", () => this.#takeSources());
  }

  /** Shows a filter. `names` are the sources. */
  show(filter, names, utc) {
    const words = formatWords(filter);
    const isTyping = document.activeElement === this.#parts.filter;
    if (!isTyping && formatWords(parseWords(this.#parts.filter.value)) !== words) this.#parts.filter.value = words;
    this.#filter = filter;
    this.#utc = utc;
    this.#parts.level.value = filter.level;
    this.#showTimes();
    this.#showChips(names);
  }

  include(field, is) {
    this.#changed(withField(this.#filter, field, is, false));
  }

  exclude(field, is) {
    this.#changed(withField(this.#filter, field, is, true));
  }

  chooseTimes(since, until) {
    this.#ask({ since: String(since), until: String(until) });
  }

  chooseSources(only) {
    this.#ask({ only });
  }

  #ask(change) {
    this.#changed({ ...this.#filter, ...change });
  }

  #takeWords() {
    clearTimeout(this.#typing);
    const words = parseWords(this.#parts.filter.value);
    if (formatWords(words) !== formatWords(this.#filter)) this.#ask(words);
  }

  #takeTimes(event) {
    event.preventDefault();
    const [since, until] = [this.#parts.since, this.#parts.until].map(({ value }) => (value ? String(fromInput(value, this.#utc)) : ""));
    this.#parts.times.closest("details").open = false;
    this.#ask({ since, until });
  }

  #takeSources() {
    this.#ask({ only: [...this.#parts.sources.querySelectorAll("input:checked")].map(({ value }) => value) });
  }

  #showTimes() {
    for (const name of ["since", "until"]) {
      const seconds = parse(this.#filter[name]);
      this.#parts[name].value = seconds === undefined ? "" : toInput(seconds, this.#utc);
    }
  }

  // What has no control of its own that shows it, each with a button that takes it away.
  #showChips(names) {
    const { fields, since, until, only } = this.#filter;
    const said = (text) => (parse(text) === undefined ? text : full(parse(text), this.#utc));
    const chips = [
      ...fields.map((one) => [`${one.field} ${one.not ? "≠" : "="} ${one.is}`, { fields: without(fields, one) }]),
      ...(since ? [[`from ${said(since)}`, { since: "" }]] : []),
      ...(until ? [[`until ${said(until)}`, { until: "" }]] : []),
      ...only.map((key) => [names.nameOf(key) || names.pathOf(key) || key, { only: without(only, key) }]),
    ];
    this.#parts.chips.hidden = chips.length === 0;
    const remove = (text, change) => make("button",
      { type: "button", className: "quiet", textContent: "×", ariaLabel: `Without: ${text}`, onclick: () => this.#ask(change) });
    this.#parts.chips.replaceChildren(...chips.map(([text, change]) =>
      make("li", {}, make("span", { textContent: text }), remove(text, change))));
  }
}

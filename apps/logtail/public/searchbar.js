// searchbar: a search in the lines that are on the page, with jumps from hit to hit, and from error to error.
//
// A jump begins at the line with the focus, or the first that is seen; while the newest are followed, at the newest.

import { $, countOf, number, setText } from "./dom.js";
import { isPattern, nextRow, patternOf, placeOf, search } from "./find.js";
import { announce } from "./speaker.js";

const isBad = ({ level }) => level >= 5;

export class SearchBar {
  pattern = null;
  #store;
  #list;
  #jumps;
  #changed;
  #isAt = false; // a hit: which one is said in place of how many there are

  /** changed(): lines are to be drawn anew; jumps(): somebody goes to a line; all(text): asks for a search in all. */
  constructor(store, list, { changed, jumps, all }) {
    this.#store = store;
    this.#list = list;
    this.#jumps = jumps;
    this.#changed = changed;
    $.find.addEventListener("input", () => this.set($.find.value));
    $.find.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && isPattern($.find.value)) all($.find.value.trim());
      else if (event.key === "Enter") this.toHit(event.shiftKey ? -1 : 1);
      if (event.key !== "Escape") return;
      event.preventDefault(); // browsers empty a search box
      $.log.focus();
    });
    $.next.addEventListener("click", () => this.toHit(1));
    $.previous.addEventListener("click", () => this.toHit(-1));
    $["search-all"].addEventListener("click", () => all($.find.value.trim()));
  }

  set(text) {
    if ($.find.value !== text) $.find.value = text;
    this.#isAt = false;
    this.pattern = patternOf(text);
    $["search-all"].disabled = !text.trim();
    search(this.#store, this.pattern, this.#changed);
  }

  /** Brings what is said up to date. */
  show() {
    const { hits } = this.#store;
    $.next.disabled = $.previous.disabled = hits === 0;
    if (isPattern($.find.value)) setText($.hits, "search all: ↵");
    else if (!this.pattern) setText($.hits, "");
    else if (!this.#isAt) setText($.hits, hits === 0 ? "no hit" : countOf(hits, "hit"));
  }

  toHit(step) {
    const isHit = (row) => this.#store.isHit(row);
    const row = this.#jump(isHit, step, "hit");
    if (!row) return;
    const text = `${number(placeOf(this.#store.rows, row, isHit))} of ${number(this.#store.hits)}`;
    this.#isAt = true;
    setText($.hits, text);
    announce(`Hit ${text}`);
  }

  toError(step) {
    this.#jump(isBad, step, "error");
  }

  #jump(wanted, step, what) {
    const { rows } = this.#store, { following, current, seen } = this.#list;
    const row = following ? nextRow(rows, undefined, -1, wanted) : nextRow(rows, rows.has(current) ? current : seen, step, wanted);
    if (!row) return announce(`There is no ${what}`);
    this.#jumps();
    this.#list.show(row, { focus: document.activeElement !== $.find });
    return row;
  }
}

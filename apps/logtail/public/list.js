// list: rows on the page, of which only those stand in the document that can be seen.
//
// All have one height until they are measured: where lines wrap, or are unfolded, a row's height is known when it has
// been shown, and guessed before. What is read stays in its place whatever happens above it: there is an anchor, the
// first row that is seen and where it stands, and each picture is made so that it stands there again.
//
//   following --scrolled up, follow(false)--> anchored --scrolled to the end: onEnd--> …
//
// It draws once for each picture of the screen at most, and knows nothing of lines: draw(row) makes an element of one.

const SPARE = 8; // rows beyond what is seen, on both sides
const NEAR = 8; // px from the end that count as there
const SETTLING = 500; // ms in which a scroll that was under way as following began is over

export class List {
  following = true;
  current = undefined; // the row with the focus
  #rows;
  #scroller;
  #draw;
  #changed;
  #ended;
  #space; // as high as all rows
  #window; // those that are seen
  #shown = new Map(); // row --> element
  #stale = new Set(); // rows whose elements are to be drawn anew
  #anchor = undefined;
  #top = 0;
  #settled = 0;
  #scheduled = false;
  #measures = false;

  /** `space` is the element in `scroller` that holds the rows; changed() is called behind each drawing, onEnd() when
   *  somebody scrolls to the end. */
  constructor(rows, { scroller, space, draw, changed, onEnd }) {
    this.#rows = rows;
    this.#scroller = scroller;
    this.#space = space;
    this.#draw = draw;
    this.#changed = changed;
    this.#ended = onEnd;
    this.#window = space.firstElementChild;
    scroller.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    new ResizeObserver(() => this.refresh()).observe(scroller);
  }

  /** Whether rows differ in height without being unfolded. */
  set wraps(on) {
    this.#measures = on;
    this.redraw();
  }

  /** Draws before the next picture. */
  refresh() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#render();
      this.#changed();
    });
  }

  /** A row's element anew, or all: what they show has changed. */
  redraw(row) {
    for (const one of row ? [row] : this.#shown.keys()) this.#stale.add(one);
    this.refresh();
  }

  follow(on) {
    if (on && !this.following) this.#settled = performance.now() + SETTLING;
    this.following = on;
    if (!on) this.#setAnchor();
    this.refresh();
  }

  /** Brings a row into view, and the focus to it. */
  show(row, { focus = true } = {}) {
    this.following = false;
    const height = this.#scroller.clientHeight;
    const top = this.#above + this.#rows.offsetOf(row) - this.#scroller.scrollTop;
    const inView = top >= 0 && top + row.height <= height;
    this.#anchor = { row, top: inView ? top : Math.max(0, Math.min(height / 3, height - row.height)) };
    this.current = row;
    this.#render();
    if (focus) this.#shown.get(row)?.focus({ preventScroll: true });
    this.refresh();
  }

  /** The focus to the line below, or with `step` -1 above the one that has it. */
  move(step) {
    const rows = this.#rows;
    const row = rows.has(this.current) ? rows.find(() => true, this.current, step) : this.seen;
    if (row) this.show(row);
  }

  toStart() {
    this.following = false;
    this.#anchor = undefined;
    this.#scroller.scrollTop = this.#top = 0;
    this.#setAnchor();
    this.refresh();
  }

  /** The first row that is seen. */
  get seen() {
    return this.#rows.at(Math.max(0, this.#scroller.scrollTop - this.#above));
  }

  rowOf(element) {
    const found = element?.closest(".row");
    for (const [row, one] of this.#shown) if (one === found) return row;
    return undefined;
  }

  // What stands above the rows in the scroller.
  get #above() {
    return this.#space.offsetTop;
  }

  get #end() {
    return this.#scroller.scrollHeight - this.#scroller.clientHeight;
  }

  // ---- scrolling ----

  #onScroll() {
    const top = this.#scroller.scrollTop, moved = top - this.#top;
    const atEnd = this.#end - top < NEAR;
    this.#top = top;
    if (moved === 0) return;
    if (this.following && moved < 0 && !atEnd) {
      if (performance.now() < this.#settled) return this.refresh();
      this.following = false;
    }
    this.#setAnchor();
    if (!this.following && moved > 0 && atEnd) this.#ended();
    this.refresh();
  }

  #setAnchor() {
    if (this.#rows.count === 0) return (this.#anchor = undefined);
    const offset = Math.max(0, this.#scroller.scrollTop - this.#above);
    const row = this.#rows.at(offset);
    this.#anchor = { row, top: this.#above + this.#rows.offsetOf(row) - this.#scroller.scrollTop };
  }

  // Where to scroll to, so that it follows, or stands where it stood.
  #place() {
    if (this.following) return this.#end;
    const { row, top } = this.#anchor ?? {};
    if (!this.#rows.has(row)) return this.#scroller.scrollTop;
    return this.#above + this.#rows.offsetOf(row) - top;
  }

  #scroll() {
    const height = `${this.#rows.height}px`;
    if (this.#space.style.height !== height) this.#space.style.height = height;
    const place = this.#place();
    if (Math.abs(place - this.#scroller.scrollTop) >= 1) this.#scroller.scrollTop = place;
    this.#top = this.#scroller.scrollTop;
  }

  // ---- drawing ----

  #render() {
    const focused = this.#window.contains(document.activeElement);
    for (let tries = 0; tries < 4; tries++) {
      this.#scroll();
      this.#showFrom(this.#top - this.#above);
      if (!this.#measure()) break;
    }
    if (!this.following && !this.#rows.has(this.#anchor?.row)) this.#setAnchor();
    if (focused && !this.#window.contains(document.activeElement)) {
      (this.#shown.get(this.current) ?? this.#scroller).focus({ preventScroll: true });
    }
  }

  #visible(offset) {
    if (this.#rows.count === 0) return { rows: [], top: 0 };
    const first = this.#rows.at(Math.max(0, offset)), rows = [first];
    let top = this.#rows.offsetOf(first), bottom = top + first.height;
    let spare = SPARE;
    for (const row of this.#rows.walk(first, -1)) {
      if (spare-- === 0) break;
      rows.unshift(row);
      top -= row.height;
    }
    spare = SPARE;
    for (const row of this.#rows.walk(first)) {
      if (bottom > offset + this.#scroller.clientHeight && spare-- === 0) break;
      rows.push(row);
      bottom += row.height;
    }
    return { rows, top };
  }

  #showFrom(offset) {
    const { rows, top } = this.#visible(offset);
    const wanted = new Set(rows);
    for (const [row, element] of this.#shown) {
      if (wanted.has(row)) continue;
      element.remove();
      this.#shown.delete(row);
    }
    this.#drawStale();
    this.#window.style.transform = `translateY(${top}px)`;
    let next = this.#window.firstElementChild;
    for (const row of rows) {
      let element = this.#shown.get(row);
      if (!element) this.#shown.set(row, element = this.#draw(row));
      if (element === next) next = next.nextElementSibling;
      else this.#window.insertBefore(element, next);
    }
  }

  #drawStale() {
    for (const row of this.#stale) {
      const before = this.#shown.get(row);
      if (!before) continue;
      const element = this.#draw(row);
      before.replaceWith(element);
      this.#shown.set(row, element);
    }
    this.#stale.clear();
  }

  // Whether rows turned out to be of another height than was thought.
  #measure() {
    let changed = false;
    for (const [row, element] of this.#shown) {
      if (!this.#measures && !row.open && row.kind === "line" && !row.measured) continue;
      const height = Math.ceil(element.getBoundingClientRect().height);
      row.measured = row.open;
      if (height === row.height) continue;
      this.#rows.setHeight(row, height);
      changed = true;
    }
    return changed;
  }
}

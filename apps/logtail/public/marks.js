// marks: where in the list there are errors, warnings and hits of the search, beside its scroll bar.
//
// Errors and warnings stand on the left, hits on the right, so that they differ by more than their colour. It is drawn at
// most four times a second; a click goes there. For who does not see it there are the keys n, N, e and E.

const EVERY = 250; // ms
const LOOK = { warn: ["--warn", 0, 4], error: ["--bad", 0, 6], hit: ["--accent", 7, 6] }; // colour, left, width

export class Marks {
  #canvas;
  #timer = undefined;

  /** go(part): to where so much of the list, 0 to 1, is above. */
  constructor(canvas, go) {
    this.#canvas = canvas;
    canvas.addEventListener("click", (event) => go(event.offsetY / canvas.clientHeight));
  }

  /** Soon: of a store's rows. */
  refresh(store) {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw(store);
    }, EVERY);
  }

  #draw(store) {
    const canvas = this.#canvas, context = canvas.getContext("2d");
    const { clientWidth: width, clientHeight: height } = canvas, scale = devicePixelRatio;
    Object.assign(canvas, { width: width * scale, height: height * scale });
    context.scale(scale, scale);
    const style = getComputedStyle(canvas);
    for (const [name, places] of Object.entries(placesOf(store, height))) {
      const [colour, left, wide] = LOOK[name];
      context.fillStyle = style.getPropertyValue(colour);
      for (const y of places) context.fillRect(left, y, wide, 2);
    }
  }
}

/** The pixels of a bar of this height where there is something. */
export function placesOf(store, height) {
  const places = { warn: new Set(), error: new Set(), hit: new Set() };
  const scale = height / Math.max(store.rows.height, 1);
  let offset = 0;
  for (const row of store.rows.walk()) {
    const y = Math.min(height - 2, Math.floor(offset * scale));
    if (row.level >= 5) places.error.add(y);
    else if (row.level === 4) places.warn.add(y);
    if (store.isHit(row)) places.hit.add(y);
    offset += row.height;
  }
  return places;
}

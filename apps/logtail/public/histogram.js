// histogram: how many lines there were when, by level, and a range of time that is chosen by dragging over it.
//
// The worst level stands at the bottom, where it is seen first; errors are hatched, too, so that they differ by more than
// their colour. A click chooses a bar, a drag from bar to bar, Escape gives it up. Who has no pointer types times under
// "Time"; what is seen is said in words as the label.

import { levels } from "./filter.js";
import { clock, day } from "./time.js";

const EVERY = 500; // ms
const WIDTH = 7; // px of a bar, at least
const order = ["fatal", "error", "warn", "info", "debug", "trace", ""].map((level) => levels.indexOf(level));
const colours = { fatal: "--bad", error: "--bad", warn: "--warn", info: "--accent", debug: "--soft", trace: "--soft", "": "--edge" };
const number = new Intl.NumberFormat("en").format;
const sum = (counts) => counts.reduce((all, one) => all + one, 0);

export class Histogram {
  #canvas;
  #timer = undefined;
  #volume;
  #shown = undefined; // what volume.bars gave
  #drag = undefined; // { from, to }: bars
  #utc = false;

  /** choose(from, to): Unix seconds; tell(text): what is under the pointer. */
  constructor(canvas, volume, { choose, tell }) {
    this.#canvas = canvas;
    this.#volume = volume;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.#shown || event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      const at = this.#barAt(event);
      this.#drag = { from: at, to: at };
      this.#draw();
    });
    canvas.addEventListener("pointermove", (event) => this.#move(event, tell));
    canvas.addEventListener("pointerleave", () => tell(""));
    canvas.addEventListener("pointercancel", () => this.#letGo());
    addEventListener("keydown", ({ key }) => key === "Escape" && this.#drag && this.#letGo());
    canvas.addEventListener("pointerup", () => {
      if (!this.#drag) return;
      const [from, to] = [this.#drag.from, this.#drag.to].sort((a, b) => a - b);
      const { from: start, step } = this.#shown;
      this.#letGo();
      choose(start + from * step, start + (to + 1) * step);
    });
    new ResizeObserver(() => this.refresh()).observe(canvas);
  }

  set utc(on) {
    this.#utc = on;
    this.refresh();
  }

  /** Soon. While something is chosen it stands still. */
  refresh() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#drag) return this.refresh();
      this.#shown = this.#volume.bars(Math.max(10, Math.floor(this.#canvas.clientWidth / WIDTH)));
      this.#draw();
    }, EVERY);
  }

  #letGo() {
    this.#drag = undefined;
    this.#draw();
  }

  get #barWidth() {
    return Math.min(24, this.#canvas.clientWidth / this.#shown.bars.length);
  }

  #barAt({ offsetX }) {
    return Math.max(0, Math.min(this.#shown.bars.length - 1, Math.floor(offsetX / this.#barWidth)));
  }

  #move(event, tell) {
    if (!this.#shown) return;
    const at = this.#barAt(event);
    if (this.#drag && this.#drag.to !== at) {
      this.#drag.to = at;
      this.#draw();
    }
    tell(this.#describe(Math.min(at, this.#drag?.from ?? at), Math.max(at, this.#drag?.from ?? at)));
  }

  // What some bars say, in words.
  #describe(from, to) {
    const { from: start, step, bars } = this.#shown;
    const counts = levels.map((_, level) => sum(bars.slice(from, to + 1).map((bar) => bar[level])));
    const bad = ["warn", "error", "fatal"].map((name) => [counts[levels.indexOf(name)], name]).filter(([count]) => count > 0);
    const [a, b] = [start + from * step, start + (to + 1) * step];
    const parts = [`${number(sum(counts))} lines`, ...bad.map(([count, name]) => `${number(count)} ${name}`)];
    return `${day(a, this.#utc)} ${clock(a, this.#utc)} – ${clock(b, this.#utc)}: ${parts.join(", ")}`;
  }

  #draw() {
    const canvas = this.#canvas, context = canvas.getContext("2d");
    const { clientWidth: width, clientHeight: height } = canvas, scale = devicePixelRatio;
    Object.assign(canvas, { width: width * scale, height: height * scale });
    canvas.ariaLabel = this.#shown ? `Lines over time: ${this.#describe(0, this.#shown.bars.length - 1)}` : "Lines over time: none yet";
    if (!this.#shown) return;
    context.scale(scale, scale);
    const style = getComputedStyle(canvas), most = Math.max(...this.#shown.bars.map(sum));
    this.#drawDrag(context, style, height);
    this.#shown.bars.forEach((bar, i) => this.#drawBar(context, style, bar, i, height / most, height));
  }

  #drawDrag(context, style, height) {
    if (!this.#drag) return;
    const [from, to] = [this.#drag.from, this.#drag.to].sort((a, b) => a - b);
    context.fillStyle = style.getPropertyValue("--line");
    context.fillRect(from * this.#barWidth, 0, (to + 1 - from) * this.#barWidth, height);
  }

  #drawBar(context, style, bar, i, scale, height) {
    const wide = this.#barWidth, left = i * wide;
    let bottom = height;
    for (const level of order) {
      if (bar[level] === 0) continue;
      const high = Math.max(level >= 4 ? 2 : 1, bar[level] * scale);
      context.fillStyle = style.getPropertyValue(colours[levels[level]]);
      context.fillRect(left, bottom - high, Math.max(1, wide - 1), high);
      if (level >= 5) hatch(context, style, left, bottom - high, Math.max(1, wide - 1), high);
      bottom -= high;
    }
  }
}

function hatch(context, style, left, top, width, height) {
  context.fillStyle = style.getPropertyValue("--chrome");
  for (let y = top + 2; y < top + height - 1; y += 4) context.fillRect(left, y, width, 1);
}

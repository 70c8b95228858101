// Shows what the two readers (reader.js) get: a square for each symbol, counters, and how a pause has ended.

const size = 1000; // symbols
const rate = 400; // changes a second
const pause = 10; // seconds without reading
const flash = 1.5; // seconds until a change has faded
const grace = 0.5; // seconds that a price may be on its way

const number = new Intl.NumberFormat("en").format;
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format;

// What is known of the symbols, whichever stream has told it.
const names = [];
const indexOf = new Map();
const newest = new Float64Array(size); // when the newest known price was made, by the server's clock
let chosen = 0;
let offset = Infinity; // of the two clocks: the least that an event has ever taken, which is about nothing

const serverNow = () => Date.now() / 1000 - (offset === Infinity ? 0 : offset);

function index(symbol) {
  let i = indexOf.get(symbol);
  if (i === undefined && names.length < size) {
    i = names.push(symbol) - 1;
    indexOf.set(symbol, i);
  }
  return i;
}

// ---- colours ----

let colours;

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["well", "quiet", "up", "down", "old", "ink"];
  colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`)]));
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readColours);
readColours();

// ---- a pane ----

function createPane(id) {
  const section = document.getElementById(id);
  const find = (name) => section.querySelector(name);
  const canvas = find("canvas");
  const context = canvas.getContext("2d");
  const price = new Float64Array(size);
  const time = new Float64Array(size); // when that price was made
  const moved = new Float64Array(size); // +1 up, -1 down
  const worker = new Worker(new URL("reader.js", import.meta.url), { name: id, type: "module" });
  let columns = 40;
  let received = 0;
  let lost = 0;
  let gaps = 0;
  let unsure = false; // a gap could not say how many
  let last = 0; // when the newest price it has shown was made
  let until = 0; // it does not read until then
  let after; // what has come since a pause: { events, lost, caught, outdated }

  function become(state) {
    section.dataset.state = state;
    setText(find(".state"), state);
  }

  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  // ---- what comes ----

  function take({ symbol, price: value, time: made }) {
    const i = index(symbol);
    if (i === undefined) return;
    if (time[i]) moved[i] = Math.sign(value - price[i]);
    price[i] = value;
    time[i] = made;
    last = Math.max(last, made);
    newest[i] = Math.max(newest[i], made);
  }

  // The server began anew, and with other prices.
  function forget() {
    time.fill(0);
    newest.fill(0);
  }

  function takeGap(gap) {
    gaps++;
    lost += gap.lost ?? 0;
    unsure ||= gap.lost === null;
    if (after && !after.caught) after.lost += gap.lost ?? 0;
    if (gap.reason === "restart") forget();
  }

  worker.onmessage = ({ data }) => {
    if (data.awake) {
      until = 0;
      after = { events: 0, lost: 0, caught: 0, outdated: 0 };
      become("reading");
    } else if (data.lost) {
      become("reconnecting");
    } else {
      if (!until) become("reading");
      received += data.changes.length;
      data.gaps.forEach(takeGap);
      for (const change of data.changes) {
        offset = Math.min(offset, data.at - change.time);
        take(change);
      }
      if (after && !after.caught) after.events += data.changes.length;
      if (after && !after.caught && serverNow() - last < grace) after.caught = Date.now();
    }
  };

  // There is a newer price than it shows, and for longer than the way takes.
  const isOld = (i, now) => newest[i] > time[i] && now - newest[i] > grace && time[i] > 0;

  function countOld(now) {
    let count = 0;
    for (let i = 0; i < names.length; i++) if (isOld(i, now)) count++;
    return count;
  }

  // ---- what is seen ----

  function layout() {
    columns = innerWidth < 480 ? 50 : 40; // on a phone both panes are to be seen together
    const ratio = devicePixelRatio;
    canvas.style.aspectRatio = `${columns} / ${size / columns}`;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
  }
  new ResizeObserver(layout).observe(canvas);

  function draw() {
    const now = serverNow();
    const step = canvas.width / columns;
    const space = Math.max(1, Math.round(step / 8));
    const at = (n) => Math.round(n * step); // whole pixels, or the squares look uneven
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < size; i++) {
      const [column, row] = [i % columns, Math.floor(i / columns)];
      const [x, y] = [at(column), at(row)];
      const side = [at(column + 1) - x - space, at(row + 1) - y - space];
      context.fillStyle = time[i] === 0 ? colours.well : isOld(i, now) ? colours.old : colours.quiet;
      context.fillRect(x, y, ...side);
      const strength = 1 - (now - time[i]) / flash;
      if (strength > 0 && moved[i] && !isOld(i, now)) {
        context.globalAlpha = Math.min(1, strength);
        context.fillStyle = moved[i] > 0 ? colours.up : colours.down;
        context.fillRect(x, y, ...side);
        context.globalAlpha = 1;
      }
      if (i !== chosen) continue;
      context.strokeStyle = colours.ink;
      context.lineWidth = 2 * space;
      context.strokeRect(x, y, ...side);
    }
  }

  function chosenText(now) {
    if (!time[chosen]) return names[chosen] ? `${names[chosen]}: no price yet` : "";
    const arrow = moved[chosen] > 0 ? "▲" : moved[chosen] < 0 ? "▼" : "";
    const age = `${Math.max(0, now - time[chosen]).toFixed(1)} s old`;
    return `${names[chosen]} ${money(price[chosen])} ${arrow} ${age}${isOld(chosen, now) ? ", out of date" : ""}`;
  }

  function reportText() {
    const { events, lost, outdated } = after;
    const gap = lost ? `a gap, ${number(lost)} lost` : "no gap";
    const end = outdated
      ? `${number(outdated)} prices were out of date, each until its next change.`
      : "Every price was current at once.";
    return `${number(events)} events for some ${number(pause * rate)} changes, ${gap}. ${end}`;
  }

  function report(outdated) {
    if (until) return setText(find(".report"), "What comes waits in buffers on the way; when they are full, on the server.");
    if (after && !after.caught) setText(find(".report"), "Reading again.");
    if (!after?.caught) return;
    after.outdated = Math.max(after.outdated, outdated);
    if (Date.now() - after.caught < 1000) return;
    setText(find(".report"), reportText());
    after = undefined;
  }

  function render() {
    const now = serverNow();
    const outdated = countOld(now);
    setText(find(".received"), number(received));
    setText(find(".behind"), last ? `${Math.max(0, now - last).toFixed(1)} s` : "–");
    setText(find(".outdated"), number(outdated));
    setText(find(".gaps"), `Lost, ${gaps || "no"} ${gaps > 1 ? "gaps" : "gap"}`);
    setText(find(".lost"), unsure ? (lost ? `≥ ${number(lost)}` : "?") : number(lost));
    find(".outdated").classList.toggle("bad", outdated > 0);
    find(".lost").classList.toggle("bad", gaps > 0);
    setText(find(".chosen"), chosenText(now));
    const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    find(".veil").hidden = !until;
    setText(find(".veil"), `not reading · ${left} s`);
    find(".stop").disabled = until > 0;
    report(outdated);
  }

  // ---- controls ----

  function stop() {
    if (until) return;
    until = Date.now() + pause * 1000;
    after = undefined;
    become("stopped");
    worker.postMessage(pause);
    render();
  }
  find(".stop").addEventListener("click", stop);

  function choose(i) {
    chosen = Math.max(0, Math.min(names.length - 1, i));
  }
  function point(event) {
    const step = canvas.clientWidth / columns;
    choose(Math.floor(event.offsetY / step) * columns + Math.floor(event.offsetX / step));
  }
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (!by) return;
    event.preventDefault();
    choose(chosen + by);
  });

  return { stop, draw, render, isStopped: () => until > 0 };
}

// ---- both ----

const panes = ["conflate", "drop_oldest"].map(createPane);
const both = document.getElementById("both");
both.addEventListener("click", () => panes.forEach((pane) => pane.stop()));

// Many small changes: some pictures a second are enough, and one when motion is unwelcome.
const rest = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 45;
let drawn = 0;

function frame(now) {
  requestAnimationFrame(frame);
  if (now - drawn < rest) return;
  drawn = now;
  for (const pane of panes) pane.draw();
}
requestAnimationFrame(frame);

setInterval(() => {
  for (const pane of panes) pane.render();
  both.disabled = panes.some((pane) => pane.isStopped());
}, 200);

// The lines on the page. What arrives waits in a queue and enters the page once per animation frame, so that hundreds
// of lines a second cost one layout each frame; pausing only lets the queue wait longer. Lines stand in blocks, which
// the browser lays out and paints apart from each other (`contain` in style.css): a frame costs a fourth of what it
// does without. Page and queue are bounded, the oldest lines go. Text is only ever set as text.

const blockLines = 100;
const escapes = /\x1b\[[0-9;?]*[ -/]*[@-~]/g; // the colours that programs write for terminals
const worse = /\b(?:error|fatal|panic|critical|emerg)\b|" 5\d\d\b/i;
const bad = /\bwarn(?:ing)?\b|" 4\d\d\b/i;

// "get -favicon": lines that contain all words, and none of those after a minus, in upper or lower case.
function parseFilter(text) {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word && word !== "-");
  const without = words.filter((word) => word.startsWith("-")).map((word) => word.slice(1));
  const having = words.filter((word) => !word.startsWith("-"));
  const quoted = having.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return {
    matches(line) {
      const lower = line.toLowerCase();
      return having.every((word) => lower.includes(word)) && !without.some((word) => lower.includes(word));
    },
    marks: quoted.length ? new RegExp(`(${quoted.join("|")})`, "gi") : null,
  };
}

// `changed(summary)` is called at most once a frame.
export function createLog(scroller, { limit, changed }) {
  let blocks = []; // { element, lines: [{ text, element }] }, all that are on the page
  let count = 0; // lines in them
  let queue = []; // texts
  let filter = parseFilter("");
  let received = 0; // since the last restart
  let held = 0; // came since the pause
  let shown = 0; // match the filter
  let unseen = 0; // shown since following stopped
  let newest = "";
  let restarted = false;
  let paused = false;
  let following = true;
  let scheduled = false;
  let lastTop = 0;
  let settled = 0; // when a scroll that was under way as following began is over

  function schedule() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      if (!paused) drain();
      changed({
        paused, following, held, shown, unseen, newest,
        count,
        dropped: received - count - queue.length,
      });
    });
  }

  // Sets the text of a line, with the words of the filter marked, or hides it. True: it is shown.
  function paint({ text, element }) {
    element.hidden = !filter.matches(text);
    if (element.hidden) return false;
    const parts = filter.marks ? text.split(filter.marks) : [text];
    element.replaceChildren(...parts.map((part, i) => {
      if (i % 2 === 0) return part;
      const mark = document.createElement("mark");
      mark.textContent = part;
      return mark;
    }));
    return true;
  }

  function create(text) {
    const element = document.createElement("div");
    if (worse.test(text)) element.className = "worse";
    else if (bad.test(text)) element.className = "bad";
    return { text, element };
  }

  function append(line) {
    let block = blocks.at(-1);
    if (!block || block.lines.length === blockLines) {
      block = { element: document.createElement("div"), lines: [] };
      block.element.className = "block";
      blocks.push(block);
      scroller.append(block.element);
    }
    block.lines.push(line);
    block.element.append(line.element);
    count++;
  }

  function clear() {
    restarted = false;
    blocks = [];
    count = shown = unseen = 0;
    scroller.replaceChildren();
  }

  // Removes the oldest blocks. Who reads further up keeps their place.
  function trim() {
    if (count <= limit) return;
    const height = following ? 0 : scroller.scrollHeight;
    while (count > limit) {
      const { element, lines } = blocks.shift();
      count -= lines.length;
      shown -= lines.filter((line) => !line.element.hidden).length;
      element.remove();
    }
    if (!following) scroller.scrollTop = lastTop = scroller.scrollTop - (height - scroller.scrollHeight);
  }

  function drain() {
    if (restarted) clear();
    held = 0;
    if (!queue.length) return;
    newest = queue.at(-1);
    const lines = queue.slice(-limit).map(create);
    queue = [];
    const entering = lines.filter(paint).length;
    shown += entering;
    if (!following) unseen += entering;
    lines.forEach(append);
    trim();
    if (following) toEnd();
  }

  function toEnd() {
    scroller.scrollTop = scroller.scrollHeight;
    lastTop = scroller.scrollTop;
  }

  // Asked for by a control, not by scrolling.
  function follow(on) {
    following = on;
    if (on) {
      settled = performance.now() + 500;
      unseen = 0;
      toEnd();
    }
    schedule();
  }

  // Scrolling up stops following, scrolling down to the end starts it. A top that moved because lines above it went,
  // or because the filter left fewer, is neither; nor is a smooth scroll that was under way when following began.
  scroller.addEventListener("scroll", () => {
    const top = scroller.scrollTop;
    const atEnd = scroller.scrollHeight - scroller.clientHeight - top < 8;
    const moved = top - lastTop;
    lastTop = top;
    if (following && moved < 0 && !atEnd) {
      if (performance.now() < settled) return toEnd();
      following = false;
      schedule();
    } else if (!following && moved > 0 && atEnd) {
      following = true;
      unseen = 0;
      schedule();
    }
  });
  new ResizeObserver(() => following && toEnd()).observe(scroller);

  return {
    add(text) {
      queue.push(text.replace(escapes, ""));
      if (queue.length >= 2 * limit) queue = queue.slice(-limit);
      received++;
      if (paused) held++;
      schedule();
    },
    // Forgets all lines, those on the page as soon as it is not paused.
    restart() {
      queue = [];
      received = held = 0;
      restarted = true;
      schedule();
    },
    filter(text) {
      filter = parseFilter(text);
      shown = blocks.flatMap((block) => block.lines).filter(paint).length;
      if (following) toEnd();
      schedule();
    },
    pause(on) {
      paused = on;
      schedule();
    },
    follow,
    toOldest() {
      follow(false);
      scroller.scrollTop = lastTop = 0;
    },
    relayout() {
      if (following) toEnd();
    },
  };
}

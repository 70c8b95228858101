// Reads the three streams and shows what each sends: the newest time, the last lines as they came, and whether the
// connection is there. How they are read is a matter of weir.js, which every Weir serves.

import { Stream, readLines } from "./weir.js";

const kept = 12; // lines shown of each

function pane(name) {
  const section = document.getElementById(name);
  const [state, time, bytes, command] = [".state", ".time", ".bytes", ".try"].map((one) => section.querySelector(one));
  let lines = [];
  function become(name) {
    section.dataset.state = name;
    if (state.textContent !== name) state.textContent = name;
  }
  command.textContent = `curl -N ${new URL(name, location.href)}`;
  return {
    tick(text, raw) {
      become("live");
      time.textContent = text;
      lines = [...lines, ...raw.split("\n")].slice(-kept);
      bytes.textContent = lines.join("\n");
    },
    become,
  };
}

// Server-sent events: the stream connects again by itself, and says what it is about.
function readEvents(url, { tick, become }) {
  const stream = new Stream(url);
  const names = { waiting: "reconnecting", suspended: "reconnecting", offline: "offline", failed: "failed", ended: "ended" };
  stream.addEventListener("tick", ({ data }) => tick(JSON.parse(data).time, `event: tick\ndata: ${data}\n`));
  stream.addEventListener("weir.state", () => names[stream.state] && become(names[stream.state]));
}

// Lines of an answer that has no end. When it breaks or is refused: once more, a second later.
async function readText(url, { tick, become }, timeOf) {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    for await (const { text } of readLines(response)) tick(timeOf(text), text);
  } catch {
    // Told as an end is.
  }
  become("reconnecting");
  setTimeout(readText, 1000, url, { tick, become }, timeOf);
}

readEvents("sse", pane("sse"));
readText("text", pane("text"), (line) => line);
readText("ndjson", pane("ndjson"), (line) => JSON.parse(line).time);

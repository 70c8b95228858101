// Reads the three streams and shows what each sends: the newest time, the last lines as they came, and whether the
// connection is there.

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
    lost() {
      become("reconnecting");
    },
  };
}

// ---- server-sent events ----

function readEvents(url, { tick, lost }) {
  const source = new EventSource(url);
  source.addEventListener("tick", (event) => tick(JSON.parse(event.data).time, `event: tick\ndata: ${event.data}\n`));
  source.onerror = () => {
    lost();
    // Refused with a status: EventSource gives up, so this does not.
    if (source.readyState === EventSource.CLOSED) setTimeout(readEvents, 1000, url, { tick, lost });
  };
}

// ---- lines, with fetch ----

// The lines of an answer, each when it is whole: a chunk may hold several, or part of one.
async function* linesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    yield* lines;
  }
}

async function readLines(url, { tick, lost }, timeOf) {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    for await (const line of linesOf(response)) tick(timeOf(line), line);
  } catch {
    // The connection broke or was refused: as after its end, once more.
  }
  lost();
  setTimeout(readLines, 1000, url, { tick, lost }, timeOf);
}

readEvents("sse", pane("sse"));
readLines("text", pane("text"), (line) => line);
readLines("ndjson", pane("ndjson"), (line) => JSON.parse(line).time);

// The clients that run in a page: libraries whose events a script gets, and those that make elements of them.

import { inHead } from "./cutter.mjs";

const head = `<!doctype html><link rel=icon href=data:,><title>story</title>`;

// What the libraries' pages share: note() is the test's, listen() is for whatever has the interface of EventSource.
const listening = `
  const topic = new URLSearchParams(location.search).get("path");
  const say = ({ lastEventId: id, type: event, data }) => note({ id, event, data });
  function listen(source) {
    source.addEventListener("message", say);
    source.addEventListener("said", say);
    source.addEventListener("weir.gap", ({ data }) => note({ gap: JSON.parse(data) }));
    source.addEventListener("weir.end", ({ data }) => note({ end: JSON.parse(data) }));
  }
  function overWhenClosed(source) {
    source.addEventListener("error", () => source.readyState === 2 && note({ over: "given up" }));
  }
  // For those that take 204 for one more failure: the page closes them at the end it is told.
  function closeAtEnd(source, isClosed) {
    source.addEventListener("weir.end", () => {
      source.close();
      if (isClosed()) note({ over: "closed" });
    });
  }
`;

// What the rendering pages share: what is added to #list and #gaps is noted.
const rendering = `
  const noted = (node) => node.dataset?.n && note({ n: Number(node.dataset.n), data: node.textContent });
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) noted(node);
  }).observe(document.querySelector("#list"), { childList: true });
  const gap = ({ data, detail }) => note({ gap: JSON.parse(data ?? detail.data) });
  const end = ({ data, detail }) => note({ end: JSON.parse(data ?? detail.data) });
`;

// Connections that break are what these stories are about; some libraries say so on the console.
const expected = /net::ERR_|network error|Failed to fetch|EventSource|htmx:sse|204|\[object Event\]/;

// Opens the client's page with the stream's path, and says what it shows whenever it is asked.
async function open(t, url, path, note) {
  const page = await t.page({ expected });
  await page.exposeFunction("note", note);
  await page.goto(`${url}/client.html?path=${encodeURIComponent(path)}`);
  return () => page.locator("#list > [data-n]").allTextContents();
}

// fetch-event-source is built for bundlers: it imports its own files without their endings.
const imports = JSON.stringify({ imports: Object.fromEntries(["fetch", "parse"].map((file) => {
  const path = `/modules/@microsoft/fetch-event-source/lib/esm/${file}`;
  return [path, `${path}.js`];
})) });

const library = (name, script, more) => ({
  name,
  page: `${head}<script type=importmap>${imports}</script><script type=module>${listening}${script}</script>`,
  start: async (...args) => void (await open(...args)),
  ...more,
});

const renderer = (name, page, more) => ({
  name,
  page,
  html: (n, text) => `<p data-n="${n}">${text}</p>`,
  lacks: ["empty"], // nothing to show
  start: open,
  ...more,
});

const turboHtml = (n, text) =>
  `<turbo-stream action=append target=list><template><p data-n="${n}">${text}</p></template></turbo-stream>`;

// `hears`: the page's way of being told gaps and ends by its `source`.
const turboPage = (hears) => `${head}
    <script type=module>
      import "/modules/@hotwired/turbo/dist/turbo.es2017-esm.js";
      ${rendering}
      const element = document.createElement("turbo-stream-source");
      element.setAttribute("src", new URLSearchParams(location.search).get("path"));
      document.body.append(element);
      const source = element.streamSource;
      ${hears}
      source.addEventListener("error", () => source.readyState === 2 && note({ over: "given up" }));
    </script>
    <body><div id=list></div>`;

export const pageClients = [
  library("EventSource of Chromium", `
    const source = new EventSource(topic);
    listen(source);
    overWhenClosed(source);`),

  library("reconnecting-eventsource", `
    import ReconnectingEventSource from "/modules/reconnecting-eventsource/build/esm/reconnecting-eventsource.js";
    const source = new ReconnectingEventSource(topic);
    listen(source);
    closeAtEnd(source, () => source.readyState === 2);`),

  library("sse.js", `
    import { SSE } from "/modules/sse.js/lib/sse.js";
    const source = new SSE(topic, { autoReconnect: true });
    listen(source);
    // Its readyState stays as it was when it is closed by the last bytes of an answer.
    closeAtEnd(source, () => !source.autoReconnect && !source.reconnectTimer && !source.xhr?.readyState);`),

  library("event-source-polyfill", `
    import "/modules/event-source-polyfill/src/eventsource.js";
    const source = new EventSourcePolyfill(topic);
    listen(source);
    overWhenClosed(source);`, {
    cutter: { spare: inHead }, // each time that it is not answered it waits twice as long, from a second to sixteen
  }),

  library("fetch-event-source", `
    import { fetchEventSource } from "/modules/@microsoft/fetch-event-source/lib/esm/index.js";
    const names = { "weir.gap": "gap", "weir.end": "end" };
    fetchEventSource(topic, {
      async onopen(answer) {
        if (answer.status === 204) throw new Error("204");
      },
      onmessage({ id, event, data }) {
        if (names[event]) note({ [names[event]]: JSON.parse(data) });
        else if (id) note({ id, event: event || "message", data }); // it makes an event of each empty line
      },
      onerror(error) {
        if (error.message === "204") throw error;
      },
    }).then(() => note({ over: "closed" }), (error) => note({ over: error.message }));`, {
    lacks: ["leading"], // it drops empty lines in front
    cutter: {
      // It takes an id for its own at the end of that line, before the empty line that makes an event of it: cut off
      // between the two, it comes back as one who has got what it never saw. No server can know.
      spare: (seen) => /\nid: [^\n]*\n(\r\n([0-9a-f]+(\r\n?)?)?)?$/.test(seen),
      resets: false, // which may drop what was carried before, and so cut there all the same
    },
  }),

  renderer("htmx 2 with htmx-ext-sse", `${head}
    <script src="/modules/htmx.org/dist/htmx.js"></script>
    <script src="/modules/htmx-ext-sse/dist/sse.js"></script>
    <body><div id=source hx-ext=sse sse-close="weir.end">
      <div id=list sse-swap="message,said" hx-swap="beforeend"></div></div>
    <script>${rendering}
      document.body.addEventListener("htmx:sseOpen", ({ detail: { source } }) => {
        if (source.known) return;
        source.known = true;
        source.addEventListener("weir.gap", gap);
        source.addEventListener("weir.end", end);
      });
      document.body.addEventListener("htmx:sseClose", ({ detail }) => note({ over: detail.type }));
      document.querySelector("#source").setAttribute("sse-connect", new URLSearchParams(location.search).get("path"));
    </script>`),

  renderer("htmx 4 with hx-sse", `${head}
    <script src="/modules/htmx4/dist/htmx.js"></script>
    <script src="/modules/htmx4/dist/ext/hx-sse.js"></script>
    <body><div id=list hx-swap="beforeend" hx-sse:close="weir.end"></div>
    <script>${rendering}
      const list = document.querySelector("#list");
      list.addEventListener("weir.gap", gap);
      list.addEventListener("weir.end", end);
      list.addEventListener("htmx:sse:close", ({ detail }) => note({ over: detail.reason }));
      list.setAttribute("hx-sse:connect", new URLSearchParams(location.search).get("path"));
    </script>`, {
    lacks: ["empty", "named"], // it has the names for scripts
    // It comes back for a stream that it had; a first request that fails is not tried again.
    cutter: { spare: (seen, answer) => answer === 1 && inHead(seen) },
  }),

  renderer("Turbo", turboPage(`source.addEventListener("weir.gap", gap);
      source.addEventListener("weir.end", end);`), {
    html: turboHtml,
    lacks: ["empty", "named"], // it listens to messages
  }),

  renderer("Turbo that is told by messages", turboPage(`source.onmessage = ({ data }) => {
        if (!data.startsWith('{"event":"weir.')) return;
        const { event, ...notice } = JSON.parse(data);
        note({ [event.slice("weir.".length)]: notice });
      };`), {
    html: turboHtml,
    query: "?notices=message",
    lacks: ["empty", "named"],
  }),
];

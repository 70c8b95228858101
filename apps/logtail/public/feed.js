// The connection to the server: an EventSource, and the two things it leaves to its user. A connection that is dead
// without being closed is noticed by its silence, and one refused with a status is tried again.
//
//   connecting ──start──▶ live ──error, silence──▶ reconnecting ──start──▶ live
//        └──setup──▶ setup: there is nothing to connect to

const deadAfter = 2.5; // heartbeats without a sign of life
const longestPause = 15; // seconds between two attempts

// Calls on.state(name) at each change, on.start(data) at the beginning of every connection, on.line(text) and
// on.heartbeat().
export function openFeed(url, on) {
  let source;
  let heartbeat = 5; // seconds, until the server has told its own
  let heard; // when there was the last sign of life
  let attempts = 0;
  let retry;
  let state;

  function become(name) {
    if (name === state) return;
    state = name;
    on.state(name);
  }

  function listen(event, handle) {
    const mine = source;
    source.addEventListener(event, (message) => {
      if (mine !== source) return;
      heard = Date.now();
      handle(message.data);
    });
  }

  function connect() {
    clearTimeout(retry);
    source?.close();
    source = new EventSource(url);
    heard = Date.now();
    listen("start", (data) => {
      const info = JSON.parse(data);
      heartbeat = info.heartbeat;
      attempts = 0;
      on.start(info);
      become("live");
    });
    listen("message", on.line);
    listen("heartbeat", on.heartbeat);
    listen("setup", () => {
      close();
      become("setup");
    });
    source.onerror = () => {
      become("reconnecting");
      // The browser tries again by itself, unless the answer was not an event stream.
      if (source.readyState === EventSource.CLOSED) retryLater();
    };
  }

  function retryLater() {
    const pause = Math.min(longestPause, 2 ** attempts++) * (0.5 + Math.random() / 2);
    clearTimeout(retry);
    retry = setTimeout(connect, pause * 1000);
  }

  function watch() {
    if (Date.now() - heard < deadAfter * heartbeat * 1000) return;
    become("reconnecting");
    connect();
  }

  function close() {
    clearInterval(watchdog);
    source.close();
  }

  const watchdog = setInterval(watch, 500);
  become("connecting");
  connect();
}

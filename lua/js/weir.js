// weir.js: the page's side of a stream of events. No dependencies; https://developer.mozilla.org/docs/Web/API/EventSource
// says what a stream of events is, lua/REFERENCE.md of Weir what there is here.
//
//     import { Stream } from "/weir.js";
//     const stream = new Stream("events", { token: () => fetchToken() });
//     stream.addEventListener("message", ({ data, lastEventId }) => show(data));
//     stream.addEventListener("weir.state", () => showState(stream.state, stream.error));
//     for await (const { type, data } of stream) …
//
// These modules as one file are what every Weir serves as /weir.js; in a bundle they are the package.

export { StreamError, EventParser, readLines } from "./events.js";
export { Stream } from "./stream.js";
export { Streams } from "./streams.js";

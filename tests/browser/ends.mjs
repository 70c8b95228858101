// A topic that is closed and a real EventSource: it gets all of it, comes back once, and then stays away.

import assert from "node:assert/strict";
import { test } from "./lib.mjs";

const app = `
local weir = require "weir"
local app = weir.app()
weir.topics { ["answer/*"] = { history = { count = 10 } } }
app:get("/", function(stream) stream:html "<!doctype html><link rel=icon href=data:,><title>ends</title>" end)
app:get("/events", function(stream)
  stream:on_close(function() weir.shared("ends"):incr "streams" end)
  stream:sse({ retry = 20 }):subscribe "answer/1"
end)
app:get("/streams", function() return tostring(weir.shared("ends"):get "streams" or 0) end)
app:post("/say", function(stream) weir.publish("answer/1", stream:body()) end)
app:post("/close", function(stream) weir.close("answer/1", stream:body()) end)
return app`;

test("an EventSource of a closed topic gets all of it, and stays away for good", async (t) => {
  const server = await t.serve([t.file("app.lua", [app]), "--workers", "2"]);
  const page = await t.page();
  await page.goto(server.url);
  const noted = await page.evaluate(async () => {
    const noted = [];
    const source = new EventSource("events");
    const say = (path, body) => fetch(path, { method: "POST", body });
    await new Promise((done) => (source.onopen = done));
    const over = new Promise((done) => {
      source.onopen = () => noted.push("open");
      source.onmessage = (event) => noted.push(event.data);
      source.addEventListener("weir.end", (event) => noted.push(`end ${event.data} ${event.lastEventId.length}`));
      source.onerror = () => {
        noted.push(source.readyState === EventSource.CLOSED ? "given up" : "comes back");
        if (source.readyState === EventSource.CLOSED) done();
      };
    });
    await say("say", "one");
    await say("close", "two");
    await over;
    noted.push(await (await fetch("streams")).text());
    return noted;
  });
  assert.deepEqual(noted, ["one", "two", 'end {"reason":"closed"} 21', "comes back", "given up", "2"]);
});

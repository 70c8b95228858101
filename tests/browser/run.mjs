// The pages of the apps in headless Chromium, served by the real program. Prints TAP.
//
//   WEIR         the program (build/weir)
//   NODE_MODULES the folder of playwright-core (build/node/node_modules)
//   SCREENSHOTS  where the pictures go (build/screenshots)

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runAll, screenshot, test } from "./lib.mjs";
import "./ends.mjs";
import "./forms.mjs";
import { lineThat, textsOf } from "./logtail.mjs";
import "./notify.mjs";
import "./resuming.mjs";
import "./tokens.mjs";
import "./upload.mjs";

const refused = /Failed to load resource: net::ERR_(CONNECTION|INCOMPLETE|EMPTY)/;

// ---- watch mode ----

test("a page follows its app: it loads anew, shows why a change failed, and forgets it", async (t) => {
  const app = (title) => `
    local app = require "weir".app()
    app:static("/", "public")
    app:get("/", function(stream) stream:html "<!doctype html><title>${title}</title><h1>${title}</h1>" end)
    return app`;
  const path = t.file("app.lua", [app("one")]);
  mkdirSync(join(t.folder, "public"));
  writeFileSync(join(t.folder, "public/static.html"), "<!doctype html><title>file</title><p>first");
  const server = await t.serve([path, "--watch", "--workers", "2"]);
  const options = { expected: /404/ }; // of /favicon.ico
  const [page, other] = [await t.page(options), await t.page(options)];
  await page.goto(`${server.url}/`);
  await other.goto(`${server.url}/static.html`);
  assert.equal(await page.textContent("h1"), "one");
  writeFileSync(path, app("two"));
  await page.waitForSelector("h1:text('two')");
  writeFileSync(path, `error "<img src=x onerror=document.title='owned'>"`);
  const box = page.locator("#weir-reload");
  await box.waitFor();
  assert.match(await box.textContent(), /app\.lua:1: <img src=x/);
  assert.equal(await page.locator("#weir-reload img").count(), 0);
  assert.equal(await page.title(), "two");
  await other.waitForSelector("#weir-reload");
  await screenshot(page, "reload");
  writeFileSync(path, app("three"));
  await page.waitForSelector("h1:text('three')");
  assert.equal(await box.count(), 0);
  writeFileSync(join(t.folder, "public/static.html"), "<!doctype html><title>file</title><p>second");
  await other.waitForSelector("p:text('second')");
  assert.equal(await other.locator("#weir-reload").count(), 0);
});

test("ten pages of one browser follow their app, and none hangs", async (t) => {
  const app = (title) => `
    local app = require "weir".app()
    app:get("/", function(stream) stream:html "<!doctype html><title>${title}</title><h1>${title}</h1>" end)
    app:get("/part", function(stream) stream:html "<p>a part</p>" end)
    return app`;
  const path = t.file("app.lua", [app("one")]);
  const server = await t.serve([path, "--watch", "--workers", "2"]);
  const first = await t.page({ expected: /404/ }); // of /favicon.ico
  const pages = [first];
  while (pages.length < 10) pages.push(await first.context().newPage());
  for (const page of pages) {
    await page.goto(`${server.url}/`);
    await page.waitForSelector("h1:text('one')");
  }
  assert.equal(await first.evaluate(async () => (await fetch("/part")).text()), "<p>a part</p>");
  writeFileSync(path, app("two"));
  for (const page of pages) await page.waitForSelector("h1:text('two')");
});

test("a request appears on the log page that was open before it", async (t) => {
  const path = t.file("access.log", ["written before the page was opened"]);
  const server = await t.serve(["apps/", "--workers", "2", "--access-log", path], { env: { WEIR_LOG: path } });
  const page = await t.page();
  await page.goto(`${server.url}/logtail/`);
  await lineThat(page, "written before the page was opened");
  const before = (await textsOf(page)).join("\n");
  assert.ok(!before.includes("/seen-by-nobody-yet"));
  assert.equal((await fetch(`${server.url}/seen-by-nobody-yet`)).status, 404);
  await lineThat(page, "GET /seen-by-nobody-yet HTTP/1.1");
  assert.equal(await page.textContent("#name"), "access.log");
});

test("the folder's list leads to the apps", async (t) => {
  const server = await t.serve(["apps/"], { env: { WEIR_LOG: t.file("some.log", ["hello"]) } });
  const page = await t.page({ expected: /favicon\.ico|404/ });
  await page.goto(server.url);
  await screenshot(page, "list");
  await page.setViewportSize({ width: 390, height: 844 });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  await page.emulateMedia({ colorScheme: "dark" });
  await screenshot(page, "list-small");
  await page.click('a[href*="logtail"]');
  await lineThat(page, "hello");
  await page.goBack();
  await page.click('a[href*="clock"]');
  await page.waitForSelector('#sse[data-state="live"]');
});

// ---- the clock page ----

const panes = ["sse", "text", "ndjson"];

// The times of the panes.
const times = (page) =>
  page.$$eval("section .time", (elements) => elements.map((element) => element.textContent));

async function ticks(page) {
  for (const pane of panes) await page.waitForSelector(`#${pane}[data-state="live"]`);
  const before = await times(page);
  for (const time of before) assert.match(time, /^\d\d:\d\d:\d\d$/);
  await page.waitForFunction((old) => {
    const now = [...document.querySelectorAll("section .time")].map((element) => element.textContent);
    return now.every((time, i) => time !== old[i]);
  }, before);
}

test("all three panes of the clock tick", async (t) => {
  const server = await t.serve(["apps/"]);
  const page = await t.page();
  await page.goto(`${server.url}/clock/`);
  await ticks(page);
  assert.match(await page.textContent("#sse .bytes"), /event: tick\ndata: \{.*"time":"\d\d:\d\d:\d\d"/);
  assert.match(await page.textContent("#text .bytes"), /^\d\d:\d\d:\d\d\n\d\d:\d\d:\d\d/);
  assert.match(await page.textContent("#ndjson .bytes"), /^\{.*\}\n\{.*\}/);
});

test("all three panes go on after a restart of the server", async (t) => {
  const server = await t.serve(["apps/clock"]);
  const page = await t.page({ expected: refused });
  await page.goto(`${server.url}/`);
  await ticks(page);
  await server.stop();
  for (const pane of panes) await page.waitForSelector(`#${pane}[data-state="reconnecting"]`);
  await t.serve(["apps/clock"], { listen: server.address });
  await ticks(page);
});

// ---- the stocks page ----

const policies = ["conflate", "drop_oldest"];
const reading = (page) =>
  Promise.all(policies.map((name) => page.waitForSelector(`#${name}[data-state="reading"]`)));
const figure = (page, name, counter) => page.textContent(`#${name} .${counter}`);

// Until each pane has received so many more changes.
async function changes(page, more) {
  await reading(page);
  await page.waitForFunction((count) => {
    const now = [...document.querySelectorAll(".received")].map((one) => Number(one.textContent.replace(/\D/g, "")));
    window.receivedBefore ??= now;
    if (!now.every((n, i) => n >= window.receivedBefore[i] + count)) return false;
    window.receivedBefore = undefined;
    return true;
  }, more);
}

async function openStocks(t, options) {
  const server = await t.serve(["apps/stocks", "--workers", "2"]);
  const page = await t.page(options);
  await page.goto(`${server.url}/`);
  await changes(page, 200);
  return { server, page };
}

test("prices change in both panes, and a symbol can be chosen", async (t) => {
  const { page } = await openStocks(t);
  assert.equal(await figure(page, "conflate", "gaps"), "Lost, no gap");
  const prices = /^([A-Z]{3}) [\d.]+ /;
  const [, first] = (await figure(page, "conflate", "chosen")).match(prices);
  await page.focus("#conflate canvas");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((old) =>
    [...document.querySelectorAll(".chosen")].every((one) => !one.textContent.startsWith(old)), first);
});

test("after a pause conflate shows current prices, and drop_oldest a gap", async (t) => {
  const { page } = await openStocks(t);
  await page.click("#both");
  for (const name of policies) await page.waitForSelector(`#${name}[data-state="stopped"]`);
  await reading(page);
  await page.waitForFunction(() => {
    const count = (name) => Number(document.querySelector(`#${name} .outdated`).textContent);
    return count("conflate") === 0 && count("drop_oldest") > 0;
  });
  await screenshot(page, "stocks-after-pause");
  await page.locator("#conflate .report", { hasText: /^[\d,]+ events .* no gap\./ }).waitFor();
  await page.locator("#drop_oldest .report", { hasText: /^[\d,]+ events .* a gap, [\d,]+ lost\./ }).waitFor();
  assert.equal(await figure(page, "conflate", "lost"), "0");
  assert.match(await figure(page, "drop_oldest", "gaps"), /^Lost, \d+ gaps?$/);
  await changes(page, 100);
});

test("while one pane does not read, the other shows which of its prices are old", async (t) => {
  const { page } = await openStocks(t);
  await page.click("#drop_oldest .stop");
  await page.waitForSelector('#drop_oldest[data-state="stopped"]');
  await page.waitForFunction(() => Number(document.querySelector("#drop_oldest .outdated").textContent) > 50);
  assert.equal(await page.getAttribute("#conflate", "data-state"), "reading");
  assert.ok(await page.isDisabled("#drop_oldest .stop"));
});

test("both panes go on after a restart of the server, and tell of the gap", async (t) => {
  const { server, page } = await openStocks(t, { expected: refused });
  await server.stop();
  for (const name of policies) await page.waitForSelector(`#${name}[data-state="reconnecting"]`);
  await t.serve(["apps/stocks", "--workers", "2"], { listen: server.address });
  await changes(page, 100);
  for (const name of policies) {
    await page.locator(`#${name} .gaps`, { hasText: /gaps?$/ }).waitFor();
    assert.match(await figure(page, name, "gaps"), /^Lost, [1-9]/);
  }
});

// ---- the guest book's pages ----

const entries = (page) => page.locator("#list li").allTextContents();
const open = (page) => page.waitForSelector('#state[data-state="open"]');

async function openBook(t, server, name, options) {
  const page = await t.page({ expected: refused, ...options });
  await page.goto(`${server.url}/`);
  await page.click(`#pages > li > a[href="${name}.html"]`);
  await open(page);
  return page;
}

async function write(page, text) {
  await page.fill("#text", text);
  await page.click("button");
}

test("what one page of the guest book writes appears on all, also after a restart of the server", async (t) => {
  const server = await t.serve(["apps/guestbook", "--workers", "2"]);
  const options = { expected: /Failed to load resource/ }; // and 401 for the tokens of before
  const pages = [];
  for (const name of ["token", "ticket", "tabs"]) pages.push(await openBook(t, server, name, options));
  const shown = async (text) => {
    for (const page of pages) await page.locator("#list li", { hasText: text }).waitFor();
  };
  for (const [i, page] of pages.entries()) {
    await write(page, `<b>from ${i}</b>`);
    await shown(`<b>from ${i}</b>`);
  }
  await server.stop("SIGKILL");
  for (const page of pages) await page.waitForSelector('#state:not([data-state="open"])');
  await t.serve(["apps/guestbook", "--workers", "2"], { listen: server.address });
  for (const page of pages) await open(page);
  await write(pages[0], "after");
  await shown("after");
  const all = ["<b>from 0</b>", "<b>from 1</b>", "<b>from 2</b>", "Some entries are missing here.", "after"];
  for (const page of pages) assert.deepEqual(await entries(page), all);
});

test("all tabs of the guest book have one connection, and another leads when the first is closed", async (t) => {
  const server = await t.serve(["apps/guestbook", "--workers", "2"]);
  const first = await openBook(t, server, "tabs");
  await first.getByText("open: leader").waitFor();
  const [second] = await Promise.all([first.context().waitForEvent("page"), first.click('a[target="_blank"]')]);
  await second.getByText("open: follower").waitFor();
  await write(second, "hello");
  await first.getByText("hello").waitFor();
  await screenshot(second, "guestbook-follower");
  await first.close();
  await second.getByText("open: leader").waitFor();
  await write(second, "still here");
  await second.getByText("still here").waitFor();
  assert.deepEqual(await entries(second), ["hello", "still here"]);
});

// ---- the app of weir new ----

test("the page of weir new ticks and greets", async (t) => {
  await t.run(["new", "shop"], t.folder);
  const server = await t.serve(["shop", "--workers", "2"], { cwd: t.folder });
  const page = await t.page();
  await page.goto(`${server.url}/`);
  await page.waitForFunction(() => /^\d\d:\d\d:\d\d$/.test(document.querySelector("#time").textContent));
  await page.fill("#name", "Ada & Bob/Eve");
  await page.click("button");
  await page.getByText("Hello, Ada & Bob/Eve.").waitFor();
  await screenshot(page, "new");
});

// ---- the page with topics that lua/REFERENCE.md shows ----

// An app around it. Its first REFUSE event streams get 503, after which a browser tries no more by itself.
const chat = `
  local weir = require "weir"
  local app = weir.app()
  local refuse = tonumber(os.getenv "REFUSE")
  app:get("/", function(stream) stream:html(weir.fs.read "page.html") end)
  app:get("/events", function(stream)
    refuse = refuse - 1
    if refuse >= 0 then weir.fail(503) end
    local options = { hello = true, heartbeat_event = "ping", heartbeat = 0.2, retry = 50 }
    stream:sse(options):subscribe("chat", { after = "earliest" })
  end)
  app:post("/say", function(stream) weir.publish("chat", { data = { text = stream:body() } }) end)
  return app`;

test("the reference's page shows what comes, and sees to a stream that was given up", async (t) => {
  const html = readFileSync(new URL("../../lua/REFERENCE.md", import.meta.url), "utf8").match(/\n### A page\n.*?```html\n(.*?)```/s)[1];
  t.file("page.html", [html]);
  const args = [t.file("app.lua", [chat]), "--workers", "1"];
  const say = (server, text) => fetch(`${server.url}/say`, { method: "POST", body: text });
  const items = (page) => page.locator("#list li").allTextContents();

  const first = await t.serve(args, { env: { REFUSE: "0" } });
  await say(first, "before");
  const page = await t.page({ expected: /favicon|404|503|Failed to load resource/ });
  await page.goto(first.url);
  await page.getByText("before").waitFor();
  await say(first, "live");
  await page.getByText("live").waitFor();
  assert.deepEqual(await items(page), ["before", "live"]);

  await first.stop("SIGKILL");
  const second = await t.serve(args, { env: { REFUSE: "1" }, listen: first.address });
  await say(second, "after the restart");
  await page.getByText("after the restart").waitFor(); // refused once, then a gap, for which the page is loaded anew
  assert.deepEqual(await items(page), ["after the restart"]);
});

// ---- pictures ----

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1200, 390]) {
    const name = `${colorScheme}-${width}`;
    test(`the pages fit a window ${width} wide, ${colorScheme}`, async (t) => {
      const options = { viewport: { width, height: 760 }, colorScheme };
      const clock = await t.page(options);
      await clock.goto(`${(await t.serve(["apps/clock"])).url}/`);
      await ticks(clock);
      await screenshot(clock, `clock-${name}`);
      await assertFits(clock);

      const book = await openBook(t, await t.serve(["apps/guestbook"]), "ticket", options);
      await write(book, "An entry that is longer than a narrow window is wide, so that it takes two lines, or three.");
      await book.getByText("An entry").waitFor();
      await screenshot(book, `guestbook-${name}`);
      await assertFits(book);
      await book.click("header a");
      await screenshot(book, `guestbook-list-${name}`);
      await assertFits(book);

      const { page: stocks } = await openStocks(t, options);
      await changes(stocks, 600);
      await screenshot(stocks, `stocks-${name}`);
      await assertFits(stocks);
    });
  }
}

// ---- the author's first steps, as README.md has them ----

const edit = (path, from, to) => {
  const text = readFileSync(path, "utf8");
  assert.ok(text.includes(from), `${path}: ${from}`);
  writeFileSync(path, text.replace(from, to));
};

test("from weir new to a changed page, an error that is shown, and its mending", async (t) => {
  await t.run(["new", "shop"], t.folder);
  const shop = `${t.folder}/shop`;
  const server = await t.serve(["--watch", ".", "--workers", "2"], { cwd: shop });
  const page = await t.page({ expected: /500/ });
  await page.goto(`${server.url}/`);
  edit(`${shop}/public/index.html`, "The server's time, as it sends it:", "What time it is:");
  await page.getByText("What time it is:").waitFor();
  await page.waitForFunction(() => /^\d\d:\d\d:\d\d$/.test(document.querySelector("#time").textContent));

  edit(`${shop}/app.lua`, "stream.params.name", "stream.prams.name");
  const greeting = await t.page({ expected: /500|404/ }); // JSON has no icon
  for (;;) {
    const answer = await greeting.goto(`${server.url}/hello/Ada`);
    if (answer.status() === 500) break;
  }
  await greeting.getByRole("heading", { name: "did you mean stream.params?" }).waitFor();
  assert.match(await greeting.textContent("mark"), /stream\.prams\.name/);
  edit(`${shop}/app.lua`, "stream.prams.name", "stream.params.name");
  await greeting.getByText('{"hello":"Ada"}').waitFor();
});

// ---- the error page ----

const broken = [
  'local weir = require "weir"', "local app = weir.app()", "",
  "-- What a cart costs, in cents.", "local function total(cart)", "  local sum = 0",
  "  for _, item in ipairs(cart) do sum = sum + item.price * item.count end", "  return sum", "end", "",
  'app:get("/cart/:id", function(stream)', "  local cart = { { price = 250, count = 2 }, { price = 199 } }",
  "  local sum = total(cart)", "  return { id = stream.params.id, total = sum }", "end)",
  'app:get("/text", function(stream)',
  `  error("<img src=x onerror=document.title='owned'><script>document.title='owned'</script>" .. ("long"):rep(200))`,
  "end)", "return app",
];

async function openError(t, path, options, args = ["--watch"]) {
  const server = await t.serve([t.file("app.lua", broken), ...args]);
  const page = await t.page({ expected: /500|favicon\.ico|404/, ...options });
  const answer = await page.goto(server.url + path);
  assert.equal(answer.status(), 500);
  return page;
}

test("an error under --watch is shown with its source", async (t) => {
  const page = await openError(t, "/cart/7?coupon=1");
  await page.getByRole("heading", { name: /attempt to perform arithmetic on field 'count'/ }).waitFor();
  assert.match(await page.textContent("mark"), /^\s*7.*item\.price \* item\.count/);
  assert.equal(await page.locator("pre").first().locator(".number").count(), 11);
  assert.match(await page.textContent("main"), /GET \/cart\/7\?coupon=1 HTTP\/1\.1/);
});

test("an error's text is text, whatever it holds", async (t) => {
  const page = await openError(t, "/text");
  assert.match(await page.textContent("h1"), /^<img src=x onerror/);
  assert.equal(await page.locator("main img, main script").count(), 0);
  assert.notEqual(await page.title(), "owned");
  await assertFits(page);
});

test("an error without --watch shows nothing", async (t) => {
  const page = await openError(t, "/cart/7", {}, []);
  assert.doesNotMatch(await page.content(), /arithmetic|app\.lua|item/);
});

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of [["wide", { width: 1200, height: 720 }], ["narrow", { width: 360, height: 720 }]]) {
    test(`the error page fits: ${size}, ${colorScheme}`, async (t) => {
      const page = await openError(t, "/cart/7", { viewport, colorScheme });
      await page.locator("mark").waitFor();
      await screenshot(page, `error-${size}-${colorScheme}`);
      await assertFits(page);
    });
  }
}

// Nothing is wider than the window.
async function assertFits(page) {
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
}

await runAll();

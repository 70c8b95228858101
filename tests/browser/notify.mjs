// The pages of apps/notify: what comes is seen in all tabs and browsers of a user, whatever becomes of the network and the
// server, and what the user does is the same everywhere.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { Relay, write } from "../stories/relay.mjs";
import { screenshot, test } from "./lib.mjs";

const refused = /Failed to load resource: (net::ERR_(CONNECTION|INCOMPLETE|EMPTY|INTERNET|NETWORK|SOCKET)|the server responded with a status of 401)/;

async function serve(t, options) {
  const args = ["apps/notify", "--workers", "2", "--data", `${t.folder}/data`];
  const server = await t.serve(args, options);
  server.again = () => serve(t, { listen: server.address });
  return server;
}

// The network between a browser and the server, which can be gone.
class Network extends Relay {
  async ask({ client, server }) {
    for await (const bytes of client) await write(server, bytes);
  }

  async answer({ client, server }) {
    for await (const bytes of server) await write(client, bytes);
    client.end();
  }

  accept(client) {
    if (this.isCut) client.destroy();
    else super.accept(client);
  }

  cut() {
    this.isCut = true;
    for (const { client } of this.links) client.destroy();
  }
}

// As publishers do: by HTTP.
async function ask(server, method, path, body, name = "ci", rights = "?publish=1") {
  const token = await (await fetch(`${server.url}/demo/token${rights}`, { method: "POST", body: name })).text();
  const response = await fetch(`${server.url}/${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(response.ok, `${response.status} ${path}`);
  return response.status === 204 ? undefined : response.json();
}

const publish = (server, body, path = "users/ann") => ask(server, "POST", path, body);
const withdraw = (server, key, path = "users/ann") => ask(server, "DELETE", `${path}?key=${key}`);

// A browser's first tab, signed in.
async function enter(t, server, { name = "ann", open = true, ...options } = {}) {
  const page = await t.page({ expected: refused, ...options });
  await page.goto(server.url);
  await page.fill("#name", name);
  await page.click("#enter button");
  await live(page);
  if (open) await page.click("#bell");
  return page;
}

// One more of the same browser.
async function tabOf(t, page, { open = true } = {}) {
  const tab = await t.tab(page.context(), { expected: refused });
  await tab.goto(page.url());
  await live(tab);
  if (open) await tab.click("#bell");
  return tab;
}

const live = (page) => page.waitForSelector('#state[data-state="open"]');
const badge = (page, text) => page.waitForFunction((wanted) => document.querySelector("#badge").textContent === wanted, text);

// Waits until the list is that: "title: state", the newest first.
const list = (page, ...wanted) => page.waitForFunction((text) => {
  const items = [...document.querySelectorAll("#list > li")];
  return items.map((item) => `${item.querySelector("h3").textContent}: ${item.dataset.state}`).join(", ") === text;
}, wanted.join(", "));
const item = (page, title) => page.locator("#list > li", { hasText: title });
const press = (page, title, action) => item(page, title).locator(`[data-action="${action}"]`).click();
const view = (page, name) => page.click(`[data-view="${name}"]`);
// Until what is asked for holds, for as long as a page may take.
async function until(condition) {
  for (const ends = Date.now() + 20_000; !(await condition()); await new Promise((done) => setTimeout(done, 50))) {
    assert.ok(Date.now() < ends, `not within 20 s: ${condition}`);
  }
}

const toast = (page, text) => page.locator("#toasts p", { hasText: text });

test("notify: what comes is in every tab and browser, in the badge, the title and a toast; seen in one it is seen in all", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { open: false });
  const tab = await tabOf(t, page, { open: false });
  const other = await enter(t, server, { open: false, viewport: { width: 390, height: 780 }, colorScheme: "dark" });
  const ben = await enter(t, server, { name: "ben", open: false });
  await publish(server, { title: "The build is done", text: "**42** tests, [all green](https://ci.example/7)", tags: ["ci"] });
  await publish(server, { title: "The disk is full", severity: 5, tags: ["ops"], actions: [
    { type: "link", label: "Look", url: "https://ops.example/" }, { type: "copy", label: "Copy", text: "df" }] });
  for (const one of [page, tab, other]) {
    await badge(one, "2");
    assert.equal(await one.title(), "(2) Inbox · Weir");
    assert.match(await one.getAttribute("#favicon", "href"), /^data:image\/svg.*>2</);
    await toast(one, "The disk is full").waitFor();
  }
  await badge(ben, "0");
  await screenshot(page, "notify-toasts");
  await page.click("#bell");
  await list(page, "The disk is full: seen", "The build is done: seen");
  for (const one of [page, tab, other]) {
    await badge(one, "0");
    await toast(one, "The disk is full").waitFor({ state: "detached" });
  }
  await screenshot(page, "notify-inbox");
  await other.click("#bell");
  await screenshot(other, "notify-phone-dark");
});

test("notify: each change of a state moves the other tab and the other browser", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server);
  const tab = await tabOf(t, page);
  const other = await enter(t, server);
  const all = [page, tab, other];
  await publish(server, { title: "one" });
  for (const one of all) await list(one, "one: seen");
  const spent = [];
  const each = async (act, ...wanted) => {
    const begun = Date.now();
    await act();
    for (const one of all) await list(one, ...wanted);
    spent.push(Date.now() - begun);
  };
  await each(() => press(page, "one", "read"), "one: read");
  await each(() => press(other, "one", "unread"), "one: seen");
  await each(() => press(tab, "one", "done"));
  for (const one of all) await view(one, "done");
  await each(() => press(page, "one", "undone"));
  for (const one of all) await view(one, "inbox");
  await each(() => item(other, "one").locator(".snooze").selectOption({ label: "1 hour" }));
  for (const one of all) await view(one, "snoozed");
  await screenshot(page, "notify-snoozed");
  await each(() => press(tab, "one", "unsnooze"));
  for (const one of all) await view(one, "inbox");
  await publish(server, { title: "two" });
  await publish(server, { title: "three", tags: ["x"] });
  for (const one of all) await list(one, "three: seen", "two: seen", "one: read");
  await page.selectOption("#tag", "x");
  await page.click("#read-all");
  assert.equal(await page.textContent("#read-all"), "Mark 1 read?");
  await page.click("#read-all");
  await page.selectOption("#tag", "");
  await each(async () => {}, "three: read", "two: seen", "one: read");
  console.log(`# ms until all three pages had changed: ${spent.join(" ")}`);
});

test("notify: what came while the user was away, and through kill -9, is there on return, silently, with one summary", async (t) => {
  let server = await serve(t);
  const page = await enter(t, server, { open: false });
  await page.goto("about:blank");
  for (let i = 1; i <= 3; i++) await publish(server, { title: `away ${i}` });
  await server.stop("SIGKILL");
  server = await server.again();
  await publish(server, { title: "for all" }, "broadcast");
  await page.goto(server.url);
  await live(page);
  await badge(page, "4");
  await toast(page, "4 notifications came while you were away").waitFor();
  assert.equal(await page.locator("#toasts p").count(), 1);
  await server.stop("SIGKILL"); // and while the page is open
  await page.waitForSelector('#state:not([data-state="open"])');
  server = await server.again();
  await publish(server, { title: "meanwhile" });
  if (await page.locator("#again").isVisible()) await page.click("#again");
  await live(page);
  await badge(page, "5");
  await page.click("#bell");
  await list(page, "meanwhile: seen", "for all: seen", "away 3: seen", "away 2: seen", "away 1: seen");
});

test("notify: times, and a toast that goes with what it is about", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { open: false });
  await publish(server, { title: "severe", key: "s", severity: 5 });
  await toast(page, "severe").waitFor(); // it would stay
  await withdraw(server, "s");
  await toast(page, "severe").waitFor({ state: "detached" });
  await publish(server, { title: "short", expires: "8s", severity: 5 });
  await toast(page, "short").waitFor();
  await badge(page, "0");
  await toast(page, "short").waitFor({ state: "detached" });
  await publish(server, { title: "later", show_at: "3s", severity: 5 });
  await toast(page, "later").waitFor();
  await badge(page, "1");
  const { items: [{ id }] } = await ask(server, "GET", "inbox", undefined, "ann", "");
  await ask(server, "POST", "state", { ids: [id], action: "snooze", snoozed_until: Date.now() / 1000 + 5 }, "ann", "");
  await toast(page, "later").waitFor({ state: "detached" });
  await badge(page, "0");
  await toast(page, "later").waitFor(); // it has woken up
  await badge(page, "1");
});

test("notify: updates in place, what is withdrawn, and broadcasts", async (t) => {
  const server = await serve(t);
  const [ann, ben] = [await enter(t, server), await enter(t, server, { name: "ben" })];
  await publish(server, { title: "build: running", key: "b" });
  await publish(server, { title: "another" });
  await list(ann, "another: seen", "build: running: seen");
  await publish(server, { title: "build: 50 %", key: "b", keep_state: true });
  await list(ann, "another: seen", "build: 50 %: seen");
  await publish(server, { title: "build: done", key: "b" });
  await list(ann, "another: seen", "build: done: seen");
  await withdraw(server, "b");
  await list(ann, "another: seen");
  await publish(server, { title: "to all", key: "m", severity: 4 }, "broadcast");
  for (const page of [ann, ben]) await item(page, "to all").waitFor();
  await press(ben, "to all", "done");
  await list(ben);
  await list(ann, "to all: seen", "another: seen");
  await withdraw(server, "m", "broadcast");
  await list(ann, "another: seen");
});

test("notify: whose inbox was full is told", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server);
  await Promise.all(Array.from({ length: 202 }, (_, i) => publish(server, { title: `n${i}` })));
  await page.waitForFunction(() => /^2 notifications are gone/.test(document.querySelector("#dropped").textContent));
  assert.equal(await page.isVisible("#dropped"), true);
  assert.equal(await page.locator("#list > li").count(), 200);
});

test("notify: seven tabs have one connection", async (t) => {
  const server = await serve(t);
  const first = await enter(t, server, { open: false });
  const tabs = [first];
  while (tabs.length < 7) tabs.push(await tabOf(t, first, { open: false }));
  const streams = () => ask(server, "GET", "presence/ann").then((answer) => answer.streams);
  await until(async () => (await streams()) === 1);
  await publish(server, { title: "one" });
  for (const tab of tabs) await badge(tab, "1");
  await first.close();
  await publish(server, { title: "two" });
  for (const tab of tabs.slice(1)) await badge(tab, "2");
  await until(async () => (await streams()) === 1);
});

test("notify: what is done without a network is there at once, is kept by the browser, and counts when it is back", async (t) => {
  const server = await serve(t);
  const network = await new Network(server.url).listen();
  t.closes(() => network.close());
  const page = await enter(t, network);
  const other = await enter(t, server);
  await publish(server, { title: "first" });
  await publish(server, { title: "second" });
  for (const one of [page, other]) await list(one, "second: seen", "first: seen");
  const kept = (n) => page.waitForFunction((count) => // that they were seen, too, until that is told
    Object.keys(localStorage).filter((key) => key.startsWith("notify.queue")).length === count, n);
  await kept(0);
  network.cut();
  await page.waitForSelector('#state:not([data-state="open"])');
  await press(page, "first", "done");
  await press(page, "second", "read");
  await list(page, "second: read");
  await kept(2);
  await page.waitForFunction(() => document.querySelector("#stats").textContent.includes("2 changes to be sent"));
  await publish(server, { title: "three" });
  await press(other, "second", "read");
  await press(other, "second", "unread");
  await list(other, "three: seen", "second: seen", "first: seen");
  await screenshot(page, "notify-offline");
  network.isCut = false;
  for (const one of [page, other]) await list(one, "three: seen", "second: read");
  await kept(0);
});

test("notify: the keyboard", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server);
  for (const title of ["one", "two", "three", "four"]) await publish(server, { title });
  await list(page, "four: seen", "three: seen", "two: seen", "one: seen");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("u");
  await list(page, "four: seen", "three: read", "two: seen", "one: seen");
  await page.keyboard.press("u");
  await list(page, "four: seen", "three: seen", "two: seen", "one: seen");
  await page.keyboard.press("e"); // focus goes on to the next one
  await list(page, "four: seen", "two: seen", "one: seen");
  await page.keyboard.press("x");
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await page.keyboard.press("e");
  await list(page, "four: seen");
  await page.keyboard.press("/");
  await page.keyboard.type("five e j");
  await list(page);
  assert.equal(await page.textContent("#empty"), "Nothing matches.");
  await page.keyboard.press("Escape");
  await list(page, "four: seen");
});

test("notify: settings, and what they make quiet; data is exported and deleted", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server);
  const other = await enter(t, server, { open: false });
  await publish(server, { title: "noise", tags: ["ci"] });
  await list(page, "noise: seen");
  await page.click("#open-settings");
  await page.selectOption('[data-tag="ci"]', "mute");
  await screenshot(page, "notify-settings");
  await page.click('#settings-form [value="save"]');
  await page.waitForFunction(() => !document.querySelector("#settings").open);
  const preferences = () => ask(server, "GET", "preferences", undefined, "ann", "");
  await until(async () => (await preferences()).tags.ci === "mute");
  await publish(server, { title: "more noise", tags: ["ci"] });
  await publish(server, { title: "news" });
  await badge(other, "1");
  await toast(other, "news").waitFor();
  assert.equal(await toast(other, "noise").count(), 0);
  await page.click("#open-settings");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#export")]);
  assert.equal(download.suggestedFilename(), "notifications.json");
  page.on("dialog", (dialog) => dialog.accept());
  await page.click("#erase");
  for (const one of [page, other]) await badge(one, "0");
  await list(page);
});

test("notify: the publishers' page, its curl line, and text that wants to run", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server);
  const publisher = await t.page();
  await publisher.goto(`${server.url}/publish.html`);
  await publisher.waitForFunction(() => document.querySelector("#curl").textContent.includes("/users/ann"));
  await publisher.click('#form .ends button:first-child');
  await publisher.waitForSelector('#result[data-state="done"]');
  assert.match(await publisher.textContent("#result"), /it reached 1 stream at once/);
  await screenshot(publisher, "notify-publish");
  await list(page, "The build is done: seen");
  await publisher.click("#withdraw");
  await list(page);
  const rendered = await page.evaluate(async () => {
    const { render } = await import("./markdown.js");
    const place = document.createElement("div");
    for (const text of ["<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "[a](//evil.example)", "[b](/ok)",
      "**[c](https://ok.example/?a=1&b=2)**", "`<script>`", "```\n<b>\n```", "- *one*\n- two", "[a](https://x\"onclick=1)"]) {
      place.append(...render(text));
    }
    return { names: [...place.querySelectorAll("*")].map(({ localName }) => localName), links: [...place.querySelectorAll("a")].map((a) => a.getAttribute("href")) };
  });
  assert.deepEqual(rendered.links, ["/ok", "https://ok.example/?a=1&b=2"]);
  assert.deepEqual([...new Set(rendered.names)].sort(), ["a", "code", "em", "li", "p", "pre", "strong", "ul"]);
});

test("notify: an element stays while its state changes, and an action says whether it worked", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { expected: /404|405/ });
  await publish(server, { title: "asks", actions: [
    { type: "call", label: "Approve", url: "/nothing/there" }, { type: "call", label: "Look", url: "/demo", method: "GET" }] });
  await item(page, "asks").waitFor();
  await page.click("text=Look");
  await page.click("text=Approve");
  await page.waitForFunction(() => document.querySelector(".actions").textContent === "Approve: 405Look ✓");
  await list(page, "asks: seen");
  await item(page, "asks").locator('[data-action="read"]').focus();
  await page.keyboard.press("Enter");
  await list(page, "asks: read");
  assert.equal(await page.evaluate(() => document.activeElement.id.startsWith("n-")), true);
  assert.equal(await page.textContent(".actions"), "Approve: 405Look ✓");
});

test("notify: who signs in as another in one tab is not taken for the first in the other", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server);
  const tab = await tabOf(t, page);
  await publish(server, { title: "for ann" });
  await list(page, "for ann: seen");
  await tab.click("#leave");
  await page.waitForSelector("#enter:not([hidden])"); // it follows
  await tab.fill("#name", "ben");
  await tab.click("#enter button");
  await live(page);
  assert.equal(await page.textContent("#who"), "ben");
  await page.click("#bell");
  await list(page);
});

test("notify: with a secret of its own the pages ask for a token, and again when it does not hold", async (t) => {
  const secret = "s".repeat(32);
  const server = await t.serve(["apps/notify", "--workers", "2"], { env: { NOTIFY_SECRET: secret } });
  const token = (claims) => {
    const text = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${text({ alg: "HS256" })}.${text(claims)}`;
    return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
  };
  const page = await t.page({ expected: /401/ });
  await page.goto(server.url);
  for (const wrong of ["garbage", token({ sub: "ann", exp: 1 })]) {
    await page.fill("#token", wrong);
    await page.click("#show-token button");
    await page.waitForFunction(() => document.querySelector("#token-why").textContent.includes("refused"));
  }
  await page.fill("#token", token({ sub: "ann" }));
  await page.click("#show-token button");
  await live(page);
  const publisher = await t.page();
  await publisher.goto(`${server.url}/publish.html`);
  await publisher.fill("#token", token({ sub: "ci", notify: "publish" }));
  await publisher.click("#show-token button");
  await publisher.waitForFunction(() => document.querySelector("#presence").textContent === "there now: ann");
  await publisher.click('#form .ends button:first-child');
  await publisher.waitForSelector('#result[data-state="done"]');
  await badge(page, "1");
});

// A page that may tell by the desktop: what it has told, and what of it is closed. `look(page, false)` hides it.
async function allow(page) {
  await page.addInitScript(() => {
    globalThis.noted = [];
    globalThis.Notification = class extends EventTarget {
      static permission = "granted";

      constructor(title) {
        super();
        noted.push(title);
        this.close = () => noted.push(`closed ${title}`);
      }
    };
  });
  await page.reload();
  await live(page);
}

const look = (page, looks) => page.evaluate((state) => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}, looks ? "visible" : "hidden");

test("notify: the desktop is told when no tab is looked at, and not any more when it is seen elsewhere", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { open: false });
  const other = await enter(t, server, { open: false });
  await allow(page);
  const tab = await tabOf(t, page, { open: false });
  const noted = (...wanted) => page.waitForFunction((text) => noted.join() === text, wanted.join());
  await publish(server, { title: "looked at" });
  await badge(page, "1");
  await look(page, false); // but not the other tab
  await publish(server, { title: "in another tab" });
  await badge(page, "2");
  await look(tab, false);
  await publish(server, { title: "away" });
  await noted("away");
  await other.click("#bell");
  await noted("away", "closed away");
});

test("notify: within quiet hours there is no toast but for what is severe, and it counts all the same", async (t) => {
  const server = await serve(t);
  const page = await enter(t, server, { open: false });
  const [from, to] = await page.evaluate(() => [-3600_000, 3600_000].map((ms) => new Date(Date.now() + ms).toTimeString().slice(0, 5)));
  await ask(server, "PUT", "preferences", { tags: {}, quiet: { from, to, severity: 5 } }, "ann", "");
  await publish(server, { title: "quiet", severity: 4 });
  await badge(page, "1");
  await publish(server, { title: "severe", severity: 5 });
  await toast(page, "severe").waitFor();
  await badge(page, "2");
  assert.equal(await page.locator("#toasts p").count(), 1);
});

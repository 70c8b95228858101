// The page of apps/logtail: on the real app, and, for what that cannot do on demand, on a log that is made up (logs/).

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { copyFileSync, readFileSync, renameSync, rmSync, truncateSync } from "node:fs";
import { append, screenshot, test } from "./lib.mjs";

const refused = /Failed to load resource: net::ERR_(CONNECTION|INCOMPLETE|EMPTY)/;

// ---- what a page shows ----

const state = (page, name) => page.waitForSelector(`#state[data-state="${name}"]`);
const texts = (page) => page.locator(".line > .text").allTextContents();
const line = (page, text) => page.locator(".line > .text", { hasText: text }).first().waitFor();
const said = (page, id, text) => page.locator(id, { hasText: text }).waitFor();
const isHidden = (page, id) => page.waitForSelector(id, { state: "hidden" });
const numbered = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}.`);
const distanceToEnd = (page) => page.$eval("#log", (log) => log.scrollHeight - log.clientHeight - log.scrollTop);

// Until exactly these lines are there. They are few enough to be seen all.
const shows = (page, lines) => page.waitForFunction((wanted) => {
  const now = [...document.querySelectorAll(".line > .text")].map((one) => one.textContent);
  return JSON.stringify(now) === wanted;
}, JSON.stringify(lines)).catch(async () => assert.deepEqual(await texts(page), lines));

// The numbers of the lines on the page, of which each follows the one before.
async function assertRow(page) {
  const shown = (await texts(page)).map((text) => Number(text.match(/line (\d+)\./)[1]));
  assert.ok(shown.every((n, i) => i === 0 || n === shown[i - 1] + 1), shown.join(" "));
  return shown.at(-1);
}

// Nothing is wider than the window, and the lines reach down to what stands below them, at its end.
async function assertFits(page) {
  const [wider, between, below] = await page.evaluate(() => {
    const [main, footer] = ["main", "footer"].map((name) => document.querySelector(name).getBoundingClientRect());
    return [document.documentElement.scrollWidth - innerWidth, footer.top - main.bottom, innerHeight - footer.bottom];
  });
  assert.ok(wider <= 0 && Math.abs(between) < 1 && Math.abs(below) < 1, `${wider} ${between} ${below}`);
}

export const lineThat = line, textsOf = texts;

// apps/logtail on a file with these lines, and its page once it is live.
async function openLog(t, lines, { options, prepare, at = "" } = {}) {
  const path = t.file("some.log", lines);
  const server = await t.serve(["apps/logtail"], { env: { WEIR_LOG: path } });
  const page = await t.page(options);
  await prepare?.(page);
  await page.goto(`${server.url}/${at}`);
  await state(page, "live");
  return { path, server, page };
}

// The made-up log, so many lines of which are written.
async function openMock(t, lines, { options, sources = 1, at = "" } = {}) {
  const env = { MOCK_LINES: String(lines), MOCK_SOURCES: String(sources) };
  const server = await t.serve(["tests/browser/logs", "--workers", "1"], { env });
  const page = await t.page(options);
  await page.goto(`${server.url}/${at}`);
  if (!at.includes("#")) await state(page, "live");
  const post = async (what) => (await fetch(`${server.url}/${what}`, { method: "POST" })).json().catch(() => undefined);
  return { server, page, post };
}

// ---- lines ----

test("logtail: lines go on through a rotation", async (t) => {
  const { path, page } = await openLog(t, ["one"]);
  await line(page, "one");
  renameSync(path, `${path}.1`);
  append(path, "two");
  await line(page, "two");
  append(path, "three");
  await shows(page, ["one", "two", "three"]);
});

test("logtail: a line is text, whatever it holds, and its colours are colours", async (t) => {
  const nasty = `<img src=x onerror="document.title='owned'"><script>document.title="owned"</script> &amp; ü \u2028`;
  const { page } = await openLog(t, [nasty, "\x1b[31mred\x1b[0m\x1b[2J \x1b[38;2;1;2;3mexact\x1b[m \x07bell", "{\"a\":\"<b>\",\"n\":1}"]);
  await shows(page, [nasty, "red exact \u2407bell", "a=<b> n=1"]);
  const colours = await page.$$eval(".line span", (all) => ["red", "exact"].map((text) => all.find((one) => one.textContent === text))
    .map((one) => [one.className, one.style.color]));
  assert.deepEqual(colours, [["colour-red", ""], ["", "rgb(1, 2, 3)"]]);
  await page.fill("#find", "<img");
  assert.equal(await page.textContent("#log mark"), "<img");
  assert.equal(await page.locator("#log img, #log script, #log b").count(), 0);
  assert.equal(await page.title(), "some.log · Weir");
});

test("logtail: pausing holds lines back and counts them", async (t) => {
  const { path, page } = await openLog(t, ["one"]);
  await line(page, "one");
  await page.click("#pause");
  await state(page, "paused");
  append(path, ...numbered(1, 1204));
  await said(page, "#jump", /^1,204 new lines$/);
  await shows(page, ["one"]);
  await page.click("#jump");
  await state(page, "live");
  await line(page, "line 1204.");
  await said(page, "#count", /^1,205 lines$/);
  assert.ok(await distanceToEnd(page) < 2);
  for (const [key, then] of [["p", "paused"], ["p", "live"], ["Home", "paused"], ["End", "live"], ["ArrowUp", "paused"]]) {
    await page.keyboard.press(key);
    await state(page, then);
  }
});

test("logtail: scrolling up stops following, reading on lets in what came, and at the end it follows", async (t) => {
  const { path, page } = await openLog(t, numbered(1, 150));
  await line(page, "line 150.");
  await page.hover("#log");
  await page.mouse.wheel(0, -600);
  await state(page, "paused");
  const top = await page.$eval("#log", (log) => log.scrollTop);
  append(path, ...numbered(151, 200));
  await said(page, "#jump", "50 new lines");
  assert.ok((await page.$eval("#log", (log) => log.scrollTop)) <= top);
  await page.mouse.wheel(0, 20_000);
  await said(page, "#jump", "Newest lines");
  await said(page, "#count", /^200 lines$/);
  await page.mouse.wheel(0, 20_000);
  await state(page, "live");
  await line(page, "line 200.");
});

test("logtail: older lines come when they are asked for, and what is read stays in its place", async (t) => {
  const { page } = await openLog(t, numbered(1, 2500));
  await line(page, "line 2500.");
  await page.focus("#log");
  await page.keyboard.press("Home");
  await line(page, "line 1501.");
  const place = () => page.locator(".line", { hasText: "line 1505." }).evaluate((one) => one.getBoundingClientRect().top);
  const before = await place();
  await page.click("#older button");
  await said(page, "#count", /^1,999 lines$/); // the place of a line is behind it: the first one came again
  assert.equal(await place(), before);
  await page.focus("#log");
  await page.keyboard.press("Home");
  await line(page, "line 502.");
  await page.click("#older button");
  await said(page, "#count", /^2,500 lines$/);
  await isHidden(page, "#older");
});

test("logtail: a long pause drops nothing that cannot be fetched in its place", async (t) => {
  const { path, page } = await openLog(t, numbered(1, 100));
  await line(page, "line 100.");
  await page.click("#pause");
  append(path, ...numbered(101, 15_100));
  await said(page, "#jump", "15,000 new lines");
  await page.click("#pause");
  await line(page, "line 15100.");
  await page.focus("#log");
  await page.keyboard.press("Home");
  await page.mouse.move(600, 400);
  await page.mouse.wheel(0, 100 * 20 - 300);
  const told = (await page.locator(".gap").textContent()).match(/^([\d,]+) lines have not been sent/);
  const missing = Number(told[1].replace(",", ""));
  assert.ok(missing >= 5000 && missing < 15_000, told[1]);
  await screenshot(page, "logtail-gap");
  await page.click(".gap button");
  await page.locator(".line", { hasText: "line 101." }).waitFor();
  await assertRow(page);
  await said(page, "#count", new RegExp(`^${(15_100 - missing + 2000).toLocaleString("en")} lines`));
});

test("logtail: what the server skips for a page that is behind is told, and fetched to its place", async (t) => {
  const path = t.file("some.log", numbered(1, 5));
  const config = t.file("logs.json", [JSON.stringify({ sources: [path], behind: "64KB" })]);
  const server = await t.serve(["apps/logtail"], { env: { WEIR_LOGS: config } });
  const page = await t.page();
  await page.goto(`${server.url}/`);
  await line(page, "line 5.");
  const long = "so that there is more of them than a page may be behind ".repeat(4);
  for (let from = 6; from < 20_000; from += 5000) append(path, ...numbered(from, from + 4999).map((one) => `${one} ${long}`));
  append(path, "the last one");
  await page.waitForFunction(() => document.querySelector("#window").lastElementChild?.matches(".gap") ||
    /the last one/.test(document.querySelector("#window").lastElementChild?.textContent));
  await page.focus("#log");
  await page.keyboard.press("Home");
  await line(page, "line 5.");
  for (let top = 0; await page.locator(".gap").count() === 0; top += 300) {
    assert.ok(top < 20_000 * 20, "there is no gap");
    await page.$eval("#log", (log) => {
      log.scrollTop += 300;
      return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    });
  }
  const numbers = () => page.$$eval(".row", (rows) => rows.map((one) => Number(one.textContent.match(/line (\d+)\./)?.[1] ?? 0)));
  const before = await numbers(), last = before[before.indexOf(0) - 1];
  await page.locator(".gap button").first().click();
  await line(page, `line ${last + 1}.`);
  const after = await numbers();
  assert.equal(after[after.indexOf(last) + 1], last + 1);
});

test("logtail: older lines of several files come merged, and none twice", async (t) => {
  const at = (i) => `2026-11-30T12:${String(Math.floor(i / 60)).padStart(2, "0")}:${String(i % 60).padStart(2, "0")}Z line ${i}.`;
  const files = ["a.log", "b.log"].map((name, k) => t.file(name, Array.from({ length: 800 }, (_, i) => at(2 * i + k + 1))));
  const server = await t.serve(["apps/logtail"], { env: { WEIR_LOG: files.join(":") } });
  const page = await t.page();
  await page.goto(`${server.url}/`);
  await line(page, "line 1600.");
  await page.focus("#log");
  await page.keyboard.press("Home");
  await line(page, "line 601.");
  await assertRow(page);
  await page.click("#older button");
  await said(page, "#count", /^1,600 lines$/);
  await line(page, "line 595.");
  await assertRow(page);
  await page.focus("#log");
  await page.keyboard.press("Home");
  await line(page, "line 1.");
  await assertRow(page);
});

// ---- filters ----

test("logtail: the filter is the server's, and stands in the address", async (t) => {
  const { path, page } = await openLog(t, ["GET /a 200", "GET /b 404", "POST /a 200", "get /A 404"]);
  await shows(page, ["GET /a 200", "GET /b 404", "POST /a 200", "get /A 404"]);
  await page.fill("#filter", "get /a");
  await shows(page, ["GET /a 200", "get /A 404"]);
  await page.fill("#filter", "get -404");
  await shows(page, ["GET /a 200"]);
  append(path, "GET /c 404", "GET /c 200");
  await shows(page, ["GET /a 200", "GET /c 200"]);
  assert.equal(new URL(page.url()).search, "?text=get&not=404");
  await page.reload();
  await shows(page, ["GET /a 200", "GET /c 200"]);
  assert.equal(await page.inputValue("#filter"), "get -404");
  await page.fill("#filter", "/ (404|500)$/");
  await shows(page, ["GET /b 404", "get /A 404", "GET /c 404"]);
  await page.fill("#filter", "nowhere");
  await page.getByText("No line matches the filter yet.").waitFor();
  await page.fill("#filter", "");
  await said(page, "#count", /^6 lines$/);
});

test("logtail: what the server has against a filter is told in its words", async (t) => {
  const { page } = await openLog(t, ["one"], { options: { expected: /400/ } });
  await page.fill("#filter", "/(/");
  await state(page, "failed");
  await said(page, "#told", /parenthesis|\)/);
  await page.fill("#filter", "");
  await state(page, "live");
  await shows(page, ["one"]);
});

const jsonLines = [200, 404, 200, 500].map((status, i) => JSON.stringify({ level: status === 500 ? "error" : "info", msg: `request ${i}`, status, user: { id: i % 2 } }));

test("logtail: JSON lines are fields, and a click asks for lines that have one, or have not", async (t) => {
  const { page } = await openLog(t, jsonLines);
  await shows(page, [0, 1, 2, 3].map((i) => `request ${i} status=${[200, 404, 200, 500][i]} user.id=${i % 2}`));
  await page.locator(".field", { hasText: "user.id=1" }).first().click();
  await shows(page, ["request 1 status=404 user.id=1", "request 3 status=500 user.id=1"]);
  assert.equal(new URL(page.url()).search, "?field=user.id&is=1");
  await page.locator(".line").first().click();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "No lines with status 404" }).click();
  await shows(page, ["request 3 status=500 user.id=1"]);
  await page.getByRole("button", { name: "Without: user.id = 1" }).click();
  await shows(page, ["request 0 status=200 user.id=0", "request 2 status=200 user.id=0", "request 3 status=500 user.id=1"]);
  await page.selectOption("#level", "error");
  await shows(page, ["request 3 status=500 user.id=1"]);
  await screenshot(page, "logtail-fields");
});

// ---- searching ----

test("logtail: the search marks what is shown, and keys go from hit to hit and from error to error", async (t) => {
  const lines = Array.from({ length: 600 }, (_, i) => (i % 100 === 7 ? `ERROR disk ${i} is full` : i % 50 === 3 ? `needle ${i}` : `hay ${i}`));
  const { page } = await openLog(t, lines, { options: { expected: /getImageData/ } }); // what the browser thinks of this test
  await said(page, "#count", /^600 lines$/);
  await page.focus("#log");
  await page.keyboard.press("/");
  await page.keyboard.type("NEEDLE");
  await said(page, "#hits", /^12 hits$/);
  await page.keyboard.press("Enter");
  await said(page, "#hits", /^12 of 12$/);
  await line(page, "needle 553");
  await page.keyboard.press("Escape");
  assert.equal(await page.inputValue("#find"), "NEEDLE");
  await page.keyboard.press("N");
  await said(page, "#hits", /^11 of 12$/);
  const focused = () => page.evaluate(() => document.activeElement.querySelector(".text")?.textContent);
  assert.equal(await focused(), "needle 503");
  await page.keyboard.press("e");
  assert.equal(await focused(), "ERROR disk 507 is full");
  await page.keyboard.press("E");
  assert.equal(await focused(), "ERROR disk 407 is full");
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), "hay 408");
  await page.waitForFunction(() => { // six errors on the left, twelve hits on the right
    const canvas = document.querySelector("#marks");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const painted = (x) => Array.from({ length: canvas.height }, (_, y) => data[(y * canvas.width + x) * 4 + 3] > 0);
    const runs = (column) => column.filter((one, y) => one && !column[y - 1]).length;
    return runs(painted(1)) === 6 && runs(painted(9)) === 12;
  });
  await screenshot(page, "logtail-search");
  await assertFits(page);
});

test("logtail: a search in the whole log finds what is not on the page, and opens it with its context", async (t) => {
  const lines = Array.from({ length: 5000 }, (_, i) => (i % 1000 === 100 ? `needle ${i}` : `hay ${i}`));
  const { page } = await openLog(t, lines);
  await line(page, "hay 4999");
  await page.fill("#find", "needle");
  await page.click("#search-all");
  await shows(page, [100, 1100, 2100, 3100, 4100].map((i) => `needle ${i}`));
  await said(page, "#excerpt-text", "Searched for needle in the whole log");
  await page.locator(".line", { hasText: "needle 2100" }).locator(".time").click();
  await said(page, "#excerpt-text", "Around a line");
  await page.waitForSelector(".target");
  assert.equal(await page.textContent(".target .text"), "needle 2100");
  await line(page, "hay 2099");
  await line(page, "hay 2101");
  await said(page, "#count", /^101 lines$/);
  await page.focus("#log");
  await page.keyboard.press("Home");
  await page.click("#older button");
  await said(page, "#count", /^1,101 lines$/);
  await page.goBack();
  await shows(page, [100, 1100, 2100, 3100, 4100].map((i) => `needle ${i}`));
  await page.click("#live");
  await state(page, "live");
  await line(page, "hay 4999");
});

const rotations = {
  renamed: (path) => renameSync(path, `${path}.1`),
  "copied and truncated": (path) => {
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
  },
};

for (const [how, rotate] of Object.entries(rotations)) {
  test(`logtail: a link to a line holds after its file was ${how}`, async (t) => {
    const { path, server, page } = await openLog(t, numbered(1, 300));
    await line(page, "line 300.");
    const link = await page.locator(".line", { hasText: "line 290." }).locator(".time").getAttribute("href");
    rotate(path);
    append(path, "after the rotation");
    await line(page, "after the rotation");
    const other = await t.page();
    await other.goto(`${server.url}/${link}`);
    await other.waitForSelector(".target");
    assert.equal(await other.textContent(".target .text"), "line 290.");
    await line(other, "line 289.");
    await line(other, "line 291.");
    await screenshot(other, "logtail-permalink");
    await other.click("#live");
    await state(other, "live");
    await line(other, "after the rotation");
  });
}

test("logtail: a link to a line that is in no file any more says so", async (t) => {
  const { path, server, page } = await openLog(t, numbered(1, 300));
  await line(page, "line 300.");
  const link = await page.locator(".line", { hasText: "line 290." }).locator(".time").getAttribute("href");
  rmSync(path);
  append(path, ...numbered(301, 700));
  const other = await t.page();
  await other.goto(`${server.url}/${link}`);
  await said(other, "#empty-text", "This line is there no more: no copy of its file has it.");
});

// ---- times, sources, the view ----

const requestAt = (i) => `2026-11-30T12:${String(Math.floor(i / 60) % 60).padStart(2, "0")}:${String(i % 60).padStart(2, "0")}Z ${i % 40 === 7 ? "ERROR" : "INFO"} request ${i}`;

test("logtail: a range is chosen in the histogram, and times are local or UTC", async (t) => {
  const options = { timezoneId: "Asia/Tokyo" };
  const { page } = await openLog(t, Array.from({ length: 900 }, (_, i) => requestAt(i)), { options });
  await said(page, "#count", /^900 lines$/);
  await page.waitForSelector('#histogram[aria-label*="900 lines, 23 error"]');
  assert.match(await page.textContent(".line:last-child .time"), /21:14:59\.000$/);
  await page.click("summary:text('View')");
  await page.check("input[name=utc]");
  await page.locator(".line:last-child .time", { hasText: /12:14:59\.000$/ }).waitFor();
  const { x, y } = await page.locator("#histogram").boundingBox();
  await page.mouse.move(x + 3, y + 20);
  await page.mouse.down();
  await page.mouse.move(x + 60, y + 20);
  const part = (await page.textContent("#chart-text")).match(/12:00:00 – (12:\d\d:\d\d): ([\d,]+) lines/);
  await page.mouse.up();
  await said(page, "#excerpt-text", "A range of time");
  await said(page, "#count", new RegExp(`^${part[2]} lines$`));
  await said(page, "#chips", `until 2026-11-30 ${part[1]}`);
  await page.getByRole("button", { name: /^Without: until/ }).click();
  await state(page, "live");
});

test("logtail: files are merged and named, one that is not there is waited for, and they can be chosen", async (t) => {
  const a = t.file("a.log", [requestAt(1), requestAt(3)]);
  const b = t.file("b.log", [requestAt(2)]);
  const server = await t.serve(["apps/logtail"], { env: { WEIR_LOG: `${a}:${b}:${t.folder}/c.log` } });
  const page = await t.page();
  await page.goto(`${server.url}/`);
  await shows(page, [1, 2, 3].map(requestAt));
  assert.deepEqual(await page.locator(".from").allTextContents(), ["a.log", "b.log", "a.log"]);
  await said(page, "#about", /c\.log is not there yet$/);
  await screenshot(page, "logtail-sources");
  append(`${t.folder}/c.log`, requestAt(4));
  await shows(page, [1, 2, 3, 4].map(requestAt));
  await said(page, ".note", /c\.log is there$/);
  await page.click("#sources-title");
  await page.locator("#sources li", { hasText: "b.log" }).locator("input").check();
  await shows(page, [requestAt(2)]);
  await said(page, "#sources-title", "Sources: 1 of 3");
});

test("logtail: equal lines are folded, long ones wrap, and the view is remembered", async (t) => {
  const { page } = await openLog(t, ["12:00:01 ping", "12:00:02 ping", "12:00:03 ping", "pong", `long ${"word ".repeat(200)}`]);
  await said(page, "#count", /^5 lines$/);
  const heights = () => page.$$eval(".line", (all) => all.map((one) => one.offsetHeight));
  assert.deepEqual(await heights(), [20, 20, 20, 20, 20]);
  await page.click("summary:text('View')");
  await page.check("input[name=folds]");
  await said(page, ".count", /^× 3$/);
  assert.deepEqual(await heights(), [20, 20, 20]);
  assert.equal(await page.textContent("#count"), "5 lines");
  await page.check("input[name=wrap]");
  await page.waitForFunction(() => document.querySelector(".line:last-child")?.offsetHeight > 100);
  assert.ok(await distanceToEnd(page) < 2);
  await page.reload();
  await said(page, ".count", /^× 3$/);
  await page.waitForFunction(() => document.querySelector(".line:last-child")?.offsetHeight > 100);
});

test("logtail: what is shown is downloaded, or all that the filter lets through", async (t) => {
  const { page } = await openLog(t, Array.from({ length: 1500 }, (_, i) => requestAt(i)));
  await said(page, "#count", /^1,000 lines$/);
  const save = async (part, name) => {
    if (!await page.isVisible("#downloads")) await page.click("summary:text('Download')");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(`[data-part=${part}][data-format=${name}]`)]);
    return readFileSync(await download.path(), "utf8").trim().split("\n");
  };
  assert.deepEqual(await save("page", "text"), Array.from({ length: 1000 }, (_, i) => requestAt(500 + i)));
  assert.equal((await save("all", "ndjson")).map((one) => JSON.parse(one)).at(-1).line, requestAt(1499));
  await page.fill("#filter", '"request 77"');
  await line(page, "request 777");
  assert.deepEqual(await save("all", "text"), [77, ...Array.from({ length: 10 }, (_, i) => 770 + i)].map(requestAt));
});

// ---- the connection ----

test("logtail: after a restart of the server the page connects again, with no line twice", async (t) => {
  const { path, server, page } = await openLog(t, ["one", "two"], { options: { expected: refused } });
  await shows(page, ["one", "two"]);
  await server.stop();
  await state(page, "reconnecting");
  append(path, "three");
  await t.serve(["apps/logtail"], { env: { WEIR_LOG: path }, listen: server.address });
  await line(page, "three");
  await state(page, "live");
  await shows(page, ["one", "two", "three"]);
});

test("logtail: a dead connection is noticed by its silence", async (t) => {
  const { path, server, page } = await openLog(t, ["one"], { prepare: (fresh) => fresh.clock.install() });
  await line(page, "one");
  server.signal("SIGSTOP");
  await page.clock.fastForward(6_000); // the page's clock runs meanwhile, on a busy machine for some seconds
  assert.equal(await page.getAttribute("#state", "data-state"), "live");
  await page.clock.fastForward(12_000);
  await state(page, "reconnecting");
  assert.match(await page.getAttribute("#state", "title"), /^nothing came for 15000 ms$/);
  await screenshot(page, "logtail-reconnecting");
  server.signal("SIGCONT");
  append(path, "two");
  await line(page, "two");
  await state(page, "live");
  await shows(page, ["one", "two"]);
});

test("logtail: a heartbeat shows that a quiet connection is alive", async (t) => {
  const { page } = await openLog(t, ["one"]);
  await page.waitForSelector('#state[title^="Last heartbeat"]', { timeout: 15_000 });
});

test("logtail: a server that refuses is not asked again, unless by hand", async (t) => {
  const { path, server, page } = await openLog(t, ["one"], { options: { expected: /404|net::ERR/ } });
  await server.stop();
  await state(page, "reconnecting");
  const other = await t.serve([t.file("app.lua", ["return require('weir').app()"])], { listen: server.address });
  await state(page, "failed");
  await said(page, "#count", "1 line · the server answered 404");
  await screenshot(page, "logtail-failed");
  await other.stop();
  append(path, "two");
  await t.serve(["apps/logtail"], { env: { WEIR_LOG: path }, listen: server.address });
  await page.click("#connect");
  await state(page, "live");
  await line(page, "two");
  await shows(page, ["one", "two"]);
  assert.ok(await page.isHidden("#connect"));
});

test("logtail: without WEIR_LOG the page says how to set it, and does not connect again", async (t) => {
  const server = await t.serve(["apps/logtail"], { env: { WEIR_LOG: "" } });
  const page = await t.page({ expected: /404/ }); // there are no sources
  let asked = 0;
  page.on("request", (request) => { asked += /\/lines\?/.test(request.url()); });
  await page.clock.install();
  await page.goto(`${server.url}/`);
  await page.getByText("WEIR_LOG=/var/log/syslog weir serve apps/").waitFor();
  await page.clock.fastForward(60_000);
  assert.equal(asked, 1);
  await screenshot(page, "logtail-setup");
});

// ---- who may, and what rings ----

const secret = "s".repeat(32);

// As `weir token` makes it.
function tokenFor(logs) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: "ann", logs, exp: Math.floor(Date.now() / 1000) + 600 })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

test("logtail: a token is asked for where one is wanted, and shows what its bearer may read", async (t) => {
  const [shop, mail] = [t.file("shop.log", ["from the shop"]), t.file("mail.log", ["from the mail"])];
  const config = t.file("logs.json", [JSON.stringify({ sources: [{ path: shop, labels: { service: "shop" } }, { path: mail, labels: { service: "mail" } }] })]);
  const server = await t.serve(["apps/logtail"], { env: { WEIR_LOGS: config, LOGTAIL_SECRET: secret } });
  const page = await t.page({ expected: /401/ });
  await page.goto(`${server.url}/`);
  await page.fill("#token", tokenFor("service=shop"));
  await screenshot(page, "logtail-token");
  await page.keyboard.press("Enter");
  await state(page, "live");
  await shows(page, ["from the shop"]);
  assert.equal(await page.textContent("#name"), "shop.log");
  assert.ok(await page.isHidden("#enter"));
  await page.click("summary:text('Download')");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("[data-part=all][data-format=text]")]);
  assert.equal(readFileSync(await download.path(), "utf8"), "from the shop\n");
  await page.reload();
  await shows(page, ["from the shop"]);
});

test("logtail: the rules of alerts are shown, and can be tried", async (t) => {
  const path = t.file("shop.log", Array.from({ length: 10 }, (_, i) => `2026-11-30T12:00:0${i}Z ERROR order ${i}`));
  const config = t.file("logs.json", [JSON.stringify({ sources: [path],
    alerts: [{ name: "shop errors", include: [{ level: "error" }], count: 5, window: "1m", cooldown: "10m" }] })]);
  const server = await t.serve(["apps/logtail"], { env: { WEIR_LOGS: config } });
  const page = await t.page();
  await page.goto(`${server.url}/`);
  await state(page, "live");
  await page.click("summary:text('Alerts')");
  await said(page, "#alerts", /shop errors\s*watching · 0 of 5 lines within 60 s · raised 0/);
  await page.getByRole("button", { name: "Try it: shop errors" }).click();
  await said(page, "#alerts-text", /over its newest 10 lines it would have raised 1 alert, the last at 2026-11-30 \d\d:00:04/);
  await screenshot(page, "logtail-alerts");
  append(path, ...Array.from({ length: 5 }, (_, i) => `ERROR order ${i}`));
  await said(page, "#alerts", /has raised, and holds its peace · .* raised 1/);
});

// ---- a log that is made up ----

const rowCount = (page) => page.locator(".row").count();

test("logtail: thousands of lines a second pass, are bounded, and the page does what it is asked meanwhile", async (t) => {
  const { page, post } = await openMock(t, 38_000);
  const { from, to } = await post("rate?per=5000&seconds=3");
  await page.waitForFunction((n) => document.querySelector("#window").lastElementChild?.textContent.match(/line (\d+)\./)?.[1] > n, from + 2000);
  await page.click("#pause");
  await state(page, "paused");
  const still = await texts(page);
  await page.waitForFunction(() => parseInt(document.querySelector("#jump").textContent.replace(",", "")) > 1000);
  assert.deepEqual(await texts(page), still);
  assert.ok(await rowCount(page) < 80);
  await page.click("#jump");
  await line(page, `line ${to}.`);
  assert.equal(await assertRow(page), to);
  await said(page, "#count", /^16,000 lines$/); // a thousand at once, and what came
  await post("write?lines=45000");
  await line(page, `line ${to + 45_000}.`);
  await said(page, "#count", /^40,000 lines · 21,000 older ones dropped$/);
  assert.ok(await rowCount(page) < 80);
});

test("logtail: what a server skips, loses, and says of its sources and its filter is told", async (t) => {
  const { page, post } = await openMock(t, 10, { sources: 2 });
  await post("gap?lines=7");
  await said(page, ".gap", "3 lines of web1 shop have not been sent to this page.");
  await said(page, ".gap", "4 lines of mail have not been sent to this page.");
  await post("write?lines=2");
  await line(page, "line 19.");
  await screenshot(page, "logtail-gap-told");
  for (const name of ["web1 shop", "mail"]) {
    await page.locator(".gap", { hasText: name }).getByRole("button").click();
    await page.locator(".gap", { hasText: name }).waitFor({ state: "detached" });
  }
  assert.deepEqual((await texts(page)).slice(10, 17).map((text) => text.match(/line (\d+)/)[1]), ["12", "14", "16", "11", "13", "15", "17"]);
  await page.click("#pause");
  await post("lose?lines=2");
  await said(page, ".gap", "1 line of mail is lost: no copy of the file has it.");
  assert.equal(await page.locator(".gap button").count(), 0);
  await post("slow");
  await said(page, "#told", "The filter is slow: it took 7.1 ms for 512 lines.");
  await post("source?key=0000000b&state=gone");
  await said(page, ".note", "/var/log/made-up-2.log is gone");
  await said(page, "#about", "/var/log/made-up-2.log is gone");
  await post("source?key=0000000b&state=error&why=permission denied");
  await said(page, "#about", "/var/log/made-up-2.log cannot be read: permission denied");
  await page.click("#sources-title");
  await page.getByRole("button", { name: "Choose those with service mail" }).click();
  await said(page, "#chips", "mail");
});

test("logtail: a screen reader hears how many lines came, and the state, and nothing more", async (t) => {
  const { server, page, post } = await openMock(t, 10, { options: { expected: refused } });
  assert.equal(await page.getAttribute("#log", "aria-live"), "off");
  await page.clock.install();
  await page.reload();
  await state(page, "live");
  await said(page, "#announce", "Live");
  await page.clock.fastForward(2000); // what comes at once is no news
  await post("write?lines=30");
  await line(page, "line 40.");
  await page.clock.fastForward(11_000);
  await said(page, "#announce", "30 lines more");
  await server.stop("SIGKILL");
  await said(page, "#announce", "Reconnecting");
});

// ---- pictures ----

const agents = ["curl/7.88.1", "Mozilla/5.0 (X11; Linux x86_64)"];
const paths = ["/", "/clock/", "/clock/sse", "/logtail/lines", "/rooms/42?after=1763640000000-3", "/style.css"];

// Lines as programs write them.
const mixed = Array.from({ length: 400 }, (_, i) => {
  const at = `2026-11-30T12:${String(Math.floor(i / 30)).padStart(2, "0")}:${String(i % 30 * 2).padStart(2, "0")}Z`;
  const status = i % 37 === 20 ? 500 : i % 11 === 7 ? 404 : 200;
  if (i % 9 === 4) return JSON.stringify({ time: at, level: status === 500 ? "fatal" : "info", msg: "an order was placed", status, user: { id: i * 7919 % 900, name: "ann" }, took: i % 30 / 10 });
  if (i % 23 === 6) return `${at} \x1b[1;33mWARN\x1b[0m the queue is \x1b[4m${i % 90} %\x1b[0m full`;
  if (i % 53 === 11) return `${at} ERROR worker ${i % 4}: cannot write /var/lib/shop/orders/${i}: No space left on device, and nothing was left of what had been written before it`;
  return `${at} INFO 192.0.2.${i % 9} "GET ${paths[i % 6]} HTTP/1.1" ${status} ${(i * 7919) % 90000} "${agents[i % 2]}"`;
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1200, 390]) {
    const name = `${colorScheme}-${width}`;
    test(`logtail: the page fits a window ${width} wide, ${colorScheme}`, async (t) => {
      const options = { viewport: { width, height: 760 }, colorScheme, timezoneId: "UTC" };
      const { path, page } = await openLog(t, mixed, { options });
      await said(page, "#count", /^400 lines$/);
      await page.waitForSelector('#histogram[aria-label*="400 lines"]');
      await screenshot(page, `logtail-${name}`);
      await page.fill("#find", "order");
      await page.locator("#next").click();
      await page.keyboard.press("Escape");
      await page.keyboard.press("Enter");
      await page.locator(".details").waitFor();
      append(path, ...mixed.slice(0, 1204 % 400));
      await said(page, "#jump", "4 new lines");
      await assertFits(page);
      await screenshot(page, `logtail-open-${name}`);
      await page.click("summary:text('View')");
      await assertFits(page);
      await screenshot(page, `logtail-view-${name}`);
    });
  }
}

test("logtail: in forced colours the levels are still told", async (t) => {
  const { page } = await openLog(t, mixed, { options: { forcedColors: "active", reducedMotion: "reduce" } });
  await said(page, "#count", /^400 lines$/);
  await page.focus("#log");
  await page.keyboard.press("e");
  const level = page.locator(".row:focus > .level");
  assert.match(await level.textContent(), /^[EF]$/);
  const [ink, paper] = await level.evaluate((one) => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]);
  assert.notEqual(ink, paper);
  await screenshot(page, "logtail-forced");
});

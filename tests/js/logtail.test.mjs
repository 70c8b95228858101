// The page of apps/logtail without a page: its filter, its list's arithmetic, what it keeps, and how it reads lines.

import assert from "node:assert/strict";
import { test } from "node:test";
import { piecesOf, plain } from "../../apps/logtail/public/ansi.js";
import { fieldsOf, objectOf, summaryOf } from "../../apps/logtail/public/fields.js";
import { formatWords, fromQuery, isEmpty, noFilter, parseWords, toQuery, withField, withText } from "../../apps/logtail/public/filter.js";
import { nextRow, patternOf, placeOf } from "../../apps/logtail/public/find.js";
import { Held } from "../../apps/logtail/public/held.js";
import { makeGap, makeLine, sayTheSame } from "../../apps/logtail/public/line.js";
import { placesOf } from "../../apps/logtail/public/marks.js";
import { Rows } from "../../apps/logtail/public/rows.js";
import { Store } from "../../apps/logtail/public/store.js";
import { clock, day, fromInput, full, parse, stamp, stepFor, toInput } from "../../apps/logtail/public/time.js";
import { Volume } from "../../apps/logtail/public/volume.js";
import { Random } from "../stories/random.mjs";

const lineOf = (n, more = {}) => makeLine({ id: `0000000a~${n}`, t: n, level: "info", line: `line ${n}`, ...more });
const linesOf = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => lineOf(from + i));
const idsOf = (rows) => rows.map(({ id }) => Number(id.split("~")[1]));

// ---- the filter ----

test("logtail: a filter becomes a query, and the query the same filter", () => {
  const filter = {
    text: ["a b", "ü&=#"], not: ["-c", ""], pattern: "\\d{3} $", level: "warn",
    fields: [{ field: "user.id", is: "7", not: false }, { field: "x", is: "y", not: false }, { field: "status", is: "", not: true }],
    since: "2026-11-30T12:00:00Z", until: "1764500000.5", only: ["0000000a", "0000000b"],
  };
  assert.deepEqual(fromQuery(`?${toQuery(filter)}`), filter);
  assert.deepEqual(fromQuery(""), noFilter());
  assert.ok(isEmpty(noFilter()) && !isEmpty(filter));
});

test("logtail: what is no level, and what nobody knows, is not in a filter", () => {
  assert.deepEqual(fromQuery("?level=loud&other=1"), noFilter());
});

test("logtail: words in the box are texts, texts after a minus, and a pattern", () => {
  const cases = [
    ["get  /a", { text: ["get", "/a"], not: [], pattern: "" }],
    ["get -favicon", { text: ["get"], not: ["favicon"], pattern: "" }],
    ['"not found" -"a b"', { text: ["not found"], not: ["a b"], pattern: "" }],
    ["/\\d{3} x/ b", { text: ["b"], not: [], pattern: "\\d{3} x" }],
    ["/a\\/b/", { text: [], not: [], pattern: "a\\/b" }],
    ["-", { text: ["-"], not: [], pattern: "" }],
    ["/", { text: ["/"], not: [], pattern: "" }],
    ['"open', { text: ["open"], not: [], pattern: "" }],
    ["", { text: [], not: [], pattern: "" }],
  ];
  for (const [box, words] of cases) assert.deepEqual(parseWords(box), words, box);
});

test("logtail: words are shown so that they are read as the same words", () => {
  for (const words of [{ text: ["a", "b c", "-d", "/e/", "f\"g"], not: ["h", "i j", "-k"], pattern: "l m" }, { text: [], not: [], pattern: "" }]) {
    assert.deepEqual(parseWords(formatWords(words)), words);
  }
});

test("logtail: a rule about a value takes the place of the one that said otherwise", () => {
  const one = withField(noFilter(), "status", "200", false), other = withField(one, "status", "200", true);
  assert.deepEqual(other.fields, [{ field: "status", is: "200", not: true }]);
  assert.deepEqual(withField(other, "status", "404", true).fields.length, 2);
  assert.deepEqual(one.fields, [{ field: "status", is: "200", not: false }]);
});

test("logtail: a text that is searched is a text, or between slashes a pattern", () => {
  assert.deepEqual(withText(noFilter(), "a b").text, ["a b"]);
  assert.equal(withText(noFilter(), "/a+/").pattern, "a+");
});

// ---- the list's arithmetic ----

const heightsOf = (rows) => [...rows.walk()].map(({ height }) => height);

// Rows as a plain list has them.
function assertSame(rows, list) {
  assert.deepEqual([...rows.walk()], list);
  assert.deepEqual([...rows.walk(undefined, -1)], [...list].reverse());
  assert.equal(rows.count, list.length);
  assert.equal(rows.height, list.reduce((sum, { height }) => sum + height, 0));
  assert.equal(rows.first, list[0]);
  assert.equal(rows.last, list.at(-1));
  let offset = 0;
  for (const [i, row] of list.entries()) {
    if (i % 37 === 0 || i === list.length - 1) {
      assert.equal(rows.offsetOf(row), offset);
      assert.equal(rows.indexOf(row), i);
      assert.equal(rows.at(offset), row);
      assert.equal(rows.at(offset + row.height - 1), row);
    }
    offset += row.height;
  }
  assert.equal(rows.at(offset + 1000), list.at(-1));
}

test("logtail: rows are what a plain list is, whatever comes, goes, and grows", () => {
  const random = new Random("rows of a list"), rows = new Rows(), list = [];
  const some = (count) => Array.from({ length: count }, () => ({ height: 1 + random.below(60) }));
  for (let step = 0; step < 200; step++) {
    const at = list.length > 0 ? random.below(list.length) : 0;
    const act = random.below(5);
    if (act === 0) for (const row of some(random.below(300))) rows.push(row), list.push(row);
    else if (act === 1) {
      const fresh = some(random.below(400));
      rows.insert(fresh, list[at]);
      list.splice(list.length > 0 ? at : 0, 0, ...fresh);
    } else if (act === 2) {
      for (let n = random.below(200); n > 0 && list.length > 0; n--) rows.remove(list.shift());
    } else if (act === 3 && list.length > 0) rows.remove(list.splice(at, 1)[0]);
    else if (list.length > 0) rows.setHeight(list[at], random.below(100) + 1);
    if (step % 10 === 9) assertSame(rows, list);
  }
  rows.measure(() => 20);
  assertSame(rows, list);
  assert.ok(heightsOf(rows).every((height) => height === 20));
  rows.clear();
  assertSame(rows, []);
  assert.ok(list.every((row) => !rows.has(row)));
});

test("logtail: the next row that is wanted comes after the last one first again", () => {
  const rows = new Rows(), list = Array.from({ length: 600 }, (_, n) => ({ n, height: 20 }));
  list.forEach((row) => rows.push(row));
  const wanted = ({ n }) => n % 250 === 100; // 100, 350
  assert.equal(nextRow(rows, list[100], 1, wanted), list[350]);
  assert.equal(nextRow(rows, list[350], 1, wanted), list[100]);
  assert.equal(nextRow(rows, list[100], -1, wanted), list[350]);
  assert.equal(nextRow(rows, { height: 20 }, 1, wanted), list[100]);
  assert.equal(nextRow(rows, undefined, -1, wanted), list[350]);
  assert.equal(nextRow(rows, list[5], 1, () => false), undefined);
  assert.equal(placeOf(rows, list[350], wanted), 2);
});

// ---- what is kept ----

test("logtail: the store keeps so many lines, and so much text, of the newest", () => {
  const store = new Store({ lines: 10, chars: 1000 }, () => 20);
  store.add(linesOf(1, 25));
  assert.deepEqual(idsOf([...store.rows.walk()]), [16, 17, 18, 19, 20, 21, 22, 23, 24, 25]);
  assert.equal(store.dropped, 15);
  assert.deepEqual([store.chars, store.lines], [70, 10]);
  assert.equal(store.room, 0);
  store.add([lineOf(26, { line: "x".repeat(960) })]);
  assert.deepEqual(idsOf([...store.rows.walk()]), [21, 22, 23, 24, 25, 26]); // 995 characters; with line 20 it had 1,002
  store.add([lineOf(27, { line: "x".repeat(1001) })]);
  assert.deepEqual(idsOf([...store.rows.walk()]), [27]); // one line is kept however long it is
  store.clear();
  assert.deepEqual([store.rows.count, store.chars, store.dropped, store.room], [0, 0, 0, 10]);
});

test("logtail: older lines stand in front, and what is fetched in place of its gap", () => {
  const store = new Store({ lines: 100, chars: 10_000 }, () => 20), gap = makeGap({ lines: 7, from: "0000000a~12", to: "0000000a~19", source: "0000000a" });
  store.add([...linesOf(11, 12), gap, ...linesOf(20, 21)]);
  store.addOlder(linesOf(8, 10));
  store.fill(gap, linesOf(13, 15), makeGap({ lines: 4, from: "0000000a~15", to: "0000000a~19" }));
  const [rest] = [...store.rows.walk()].filter(({ kind }) => kind === "gap");
  assert.deepEqual([rest.lines, rest.from], [4, "0000000a~15"]);
  store.fill(rest, linesOf(16, 19));
  assert.deepEqual(idsOf([...store.rows.walk()]), [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]);
  store.fill(gap, linesOf(1, 2)); // it is there no more
  assert.equal(store.rows.count, 14);
});

test("logtail: hits are marked in what is there, and in what comes; they go with their lines", () => {
  const store = new Store({ lines: 5000, chars: 1e6 }, () => 20);
  const all = (pattern) => { for (const _ of store.search(pattern)); };
  store.add([...linesOf(1, 4499), lineOf(4500, { line: "line 4500 is \x1b[31mred\x1b[0m now" })]);
  all(/is red now/);
  assert.equal(store.hits, 1);
  all(/line 7$/);
  assert.equal(store.hits, 1);
  store.add([lineOf(7)]);
  assert.equal(store.hits, 2);
  store.add(linesOf(4501, 5400)); // line 7 goes, the other one stays
  assert.equal(store.hits, 1);
  const slow = store.search(/line/);
  slow.next();
  assert.equal(store.hits, 2000); // a slice
  store.add([lineOf(1, { line: "a line" })]); // meanwhile
  for (const _ of slow);
  assert.equal(store.hits, 5000);
  all(null);
  assert.equal(store.hits, 0);
  assert.ok(![...store.rows.walk()].some((row) => store.isHit(row)));
});

test("logtail: equal lines are one row, but for the time that they begin with", () => {
  const store = new Store({ lines: 10, chars: 1000 }, () => 20);
  const add = (line, more) => store.add([lineOf(store.rows.count + 1, { line, ...more })]);
  store.fold();
  add("12:00:01 ping");
  add("12:00:02 ping");
  add("12:00:03 pong");
  add("12:00:03 pong", { id: "0000000b~1" }); // of another source
  add("12:00:03 pong", { id: "0000000b~2", level: "warn" });
  assert.deepEqual([...store.rows.walk()].map(({ count }) => count), [2, 1, 1, 1]);
  assert.equal(store.lines, 5);
  const [first, second] = ["[30/Nov/2026:12:00:00 +0000] x", "2026-11-30T12:00:00.1Z x"].map((line) => lineOf(1, { line }));
  assert.ok(sayTheSame(first, second));
  assert.ok(!sayTheSame(lineOf(1, { line: "took 12 ms" }), lineOf(2, { line: "took 13 ms" }))); // numbers count
});

test("logtail: what is held is bounded: what is dropped of it is a gap for each source, from which it can be fetched", () => {
  const held = new Held({ lines: 10, chars: 1000 });
  held.pass(linesOf(1, 3));
  held.add(linesOf(4, 9));
  held.add([lineOf(1, { id: "0000000b~1" }), lineOf(2, { id: "0000000b~2" }), lineOf(3, { id: "0000000b~3" })]);
  held.add(linesOf(10, 15)); // 15 lines: the first batch goes
  assert.equal(held.lines, 15);
  held.add(linesOf(16, 19)); // and the second one, of a source of which nothing was seen before
  const rows = held.take();
  const gaps = rows.filter(({ kind }) => kind === "gap").map(({ key, lines, from, to }) => ({ key, lines, from, to }));
  assert.deepEqual(gaps, [
    { key: "0000000a", lines: 6, from: "0000000a~3", to: "0000000a~9" },
    { key: "0000000b", lines: 2, from: "0000000b~1", to: "0000000b~3" },
  ]);
  assert.deepEqual(rows.filter(({ kind }) => kind === "line").map(({ id }) => id),
    ["0000000b~1", ...linesOf(10, 19).map(({ id }) => id)]);
  assert.equal(held.lines, 0);
  held.add(linesOf(20, 25));
  held.add(linesOf(26, 31));
  assert.equal(held.take()[0].from, "0000000a~19"); // the newest that was let in
});

test("logtail: gaps of the server are held as well, and become one with what is dropped beside them", () => {
  const held = new Held({ lines: 3, chars: 1000 });
  held.pass([lineOf(1)]);
  held.add([makeGap({ source: "0000000a", lines: 5, from: "0000000a~1", to: "0000000a~6" })]);
  held.add([makeGap({ source: "0000000a", lines: 4 })]); // lost
  held.add(linesOf(11, 13));
  const [gap, lost] = held.take();
  assert.deepEqual([gap.lines, gap.from, gap.to], [5, "0000000a~1", "0000000a~6"]);
  assert.deepEqual([lost.lines, lost.to], [4, ""]);
});

test("logtail: marks stand where errors, warnings and hits are, however many lines there are", () => {
  const store = new Store({ lines: 5000, chars: 1e6 }, () => 20);
  store.add(Array.from({ length: 1000 }, (_, n) => lineOf(n, { level: n === 500 ? "fatal" : n === 250 ? "warn" : "info" })));
  for (const _ of store.search(/line 999$/));
  assert.deepEqual(placesOf(store, 100), { warn: new Set([25]), error: new Set([50]), hit: new Set([98]) });
});

// ---- volume and times ----

test("logtail: the volume counts lines of each level in each second, and makes bars of them", () => {
  const volume = new Volume();
  assert.equal(volume.bars(10), undefined);
  volume.add([lineOf(100.2, { level: "error" }), lineOf(100.9), lineOf(102, { level: "error" }), lineOf(0), makeGap({ lines: 9 })]);
  const { from, step, bars } = volume.bars(10);
  assert.deepEqual([from, step, bars.length], [100, 1, 3]);
  assert.deepEqual(bars.map((bar) => [bar[3], bar[5]]), [[1, 1], [0, 0], [0, 1]]);
  volume.add([lineOf(100 + 3600)]);
  const hour = volume.bars(10);
  assert.ok(hour.bars.length <= 10 && hour.step === 600, `${hour.bars.length} of ${hour.step}`);
  assert.equal(hour.bars.reduce((sum, bar) => sum + bar[3], 0), 2);
});

test("logtail: the volume forgets the oldest seconds beyond two hours of them", () => {
  const volume = new Volume();
  volume.add(Array.from({ length: 7300 }, (_, n) => lineOf(1000 + n)));
  assert.equal(volume.bars(10_000).from, 1100);
});

test("logtail: times are shown and read, in UTC and here", () => {
  const at = Date.UTC(2026, 10, 30, 13, 4, 5, 67) / 1000;
  assert.equal(clock(at, true), "13:04:05");
  assert.equal(clock(at, true, 3), "13:04:05.067");
  assert.equal(day(at, true), "2026-11-30");
  assert.deepEqual(stamp(at, true, at + 60), { date: "", time: "13:04:05", ms: ".067" });
  assert.deepEqual(stamp(at, true, at + 86_400), { date: "11-30", time: "13:04:05", ms: ".067" });
  assert.equal(full(at, true), "2026-11-30 13:04:05.067 UTC");
  assert.equal(fromInput(toInput(at, true), true), Math.floor(at));
  assert.equal(fromInput(toInput(at, false), false), Math.floor(at));
  assert.deepEqual([parse("1764507845.5"), parse("2026-11-30T13:04:05Z"), parse("soon"), parse("")], [1764507845.5, Math.floor(at), undefined, undefined]);
});

test("logtail: a step is the least by which a span has no more bars than there is room for", () => {
  assert.deepEqual([stepFor(5, 100), stepFor(100, 100), stepFor(3600, 100), stepFor(86_400 * 30, 100)], [0.1, 2, 60, 43_200]);
  for (const span of [86_400 * 365, 86_400 * 4000]) assert.ok(span / stepFor(span, 50) <= 48);
});

// ---- lines ----

const shown = (text) => piecesOf(text).map(({ text: one, style }) => [one, ...Object.entries(style).flat()]);

test("logtail: the colours of terminals become styles, all other sequences nothing", () => {
  assert.deepEqual(shown("a\x1b[31;1mb\x1b[0mc"), [["a"], ["b", "colour", "red", "bold", true], ["c"]]);
  assert.deepEqual(shown("\x1b[97;44mx\x1b[39my\x1b[49mz"), [["x", "colour", "bright-white", "back", "blue"], ["y", "back", "blue"], ["z"]]);
  assert.deepEqual(shown("\x1b[38;5;196mx\x1b[38;5;9my\x1b[48;5;244mz"), [["x", "colour", "rgb(255 0 0)"], ["y", "colour", "bright-red"],
    ["z", "colour", "bright-red", "back", "rgb(128 128 128)"]]);
  assert.deepEqual(shown("\x1b[38;2;1;2;3mx"), [["x", "colour", "rgb(1 2 3)"]]);
  assert.deepEqual(shown("\x1b[2J\x1b[1;1Ha\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c\x1b(Bd\x1b[?25le"), [["a"], ["b"], ["c"], ["d"], ["e"]]);
});

test("logtail: no sequence, whole or broken, becomes anything else", () => {
  for (const text of ["\x1b", "\x1b[", "\x1b[3", "\x1b[38;2;999;0;0mx", "\x1b[38;5;x", "\x1b[;;;mx", "\x1b]0;open", "\x1b[38;2m"]) {
    for (const { text: one, style } of piecesOf(text)) {
      assert.doesNotMatch(one, /\x1b/, JSON.stringify(text));
      for (const value of Object.values(style)) assert.match(String(value), /^(true|undefined|[a-z-]+|rgb\(\d+ \d+ \d+\))$/);
    }
  }
  assert.equal(plain("a\x1b[31mb"), "ab");
  assert.deepEqual(shown("a\0b\x7fc\td\r"), [["a\u2400b\u2421c\td\u240d"]]);
  assert.ok(piecesOf("\x1b[31ma\x1b[0mb".repeat(5000)).length <= 1002);
});

// Where two parts of the expression could share the characters, this would take hours.
test("logtail: a sequence without an end is read once", () => {
  for (const text of ["1", " ", ";", "?1", "1 "]) {
    const line = "\x1b[" + text.repeat(500_000) + "\x01";
    assert.equal(plain(line), line.slice(2));
    assert.equal(piecesOf(line).map((piece) => piece.text).join(""), line.slice(2, -1) + "\u2401");
  }
});

test("logtail: a line that is an object has fields, any other has none", () => {
  for (const text of ["x", "[1]", "null", "{", "7", '{"a":1} x', '"{"']) assert.equal(objectOf(text), undefined, text);
  const object = objectOf('{"msg":"in","level":"info","user":{"id":7,"tags":["a"]},"ok":true,"none":null,"a.b":1,"e":{}}');
  assert.deepEqual(fieldsOf(object).map(({ name, value, filters }) => [name, value, filters]), [
    ["msg", "in", true], ["level", "info", true], ["user.id", "7", true], ["user.tags", '["a"]', false],
    ["ok", "true", true], ["none", "null", false], ["a.b", "1", false], ["e", "{}", false]]);
  const { message, fields } = summaryOf(object);
  assert.equal(message, "in");
  assert.deepEqual(fields.map(({ name }) => name), ["user.id", "user.tags", "ok", "none", "a.b", "e"]);
});

test("logtail: a number that JavaScript cannot hold is shown as it stands in the line", () => {
  const shown = (text) => fieldsOf(objectOf(text)).map(({ value }) => value);
  assert.deepEqual(shown('{"id":12345678901234567890,"took":1.50,"n":7}'), ["12345678901234567890", "1.50", "7"]);
});

test("logtail: fields that are deep, or many, are bounded", () => {
  const deep = JSON.parse('{"a":'.repeat(50) + "1" + "}".repeat(50));
  assert.equal(fieldsOf(deep).length, 1);
  assert.equal(fieldsOf(deep)[0].name, "a.a.a.a");
  assert.equal(fieldsOf(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]))).length, 200);
});

test("logtail: what is searched here is text; a pattern is for the server", () => {
  assert.ok(patternOf("a.b").test("xA.B") && !patternOf("a.b").test("axb"));
  assert.equal(patternOf(" /(a+)+$/ "), null, "a pattern is asked of the server");
  assert.ok(patternOf("/a").test("b/a") && patternOf("//").test("http://"));
  assert.equal(patternOf("  "), null);
});

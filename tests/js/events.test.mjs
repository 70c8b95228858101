// Bytes become events: each case whole, a byte at a time, and cut in two at every byte. What there is to be asked is
// what the standard says and what the tests of npm's eventsource-parser ask; that package also answers for streams drawn
// at random.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EventParser, readLines, StreamError } from "../../lua/js/weir.js";
import { oracle, randomStream } from "./oracle.mjs";

const encode = (text) => (typeof text === "string" ? new TextEncoder().encode(text) : Uint8Array.from(text));
const bytes = (...parts) => Uint8Array.from(parts.flatMap((part) => [...encode(part)]));

function parse(pieces, options) {
  const parser = new EventParser(options);
  const events = pieces.flatMap((piece) => [...parser.push(piece)].map(({ type, data, id }) => [type, data, id]));
  return { events, retry: parser.retry, last: parser.lastEventId };
}

function* waysToCut(whole) {
  yield [whole];
  yield Array.from(whole, (byte) => Uint8Array.of(byte));
  for (let at = 0; at <= whole.length; at++) yield [whole.subarray(0, at), whole.subarray(at)];
}

const nameless = (...texts) => texts.map((data) => ["message", data, ""]);

const cases = [
  ["an event for each block", "data: 0\n\ndata: 1\n\nevent: done\ndata: ✔\n\n", [...nameless("0", "1"), ["done", "✔", ""]]],
  ["lines that end with CR", "data: a\rdata: b\r\revent: e\rdata: c\r\r", [["message", "a\nb", ""], ["e", "c", ""]]],
  ["lines that end with CR LF", "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", nameless("a\nb", "c")],
  ["all three line ends", "data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\r", nameless("a\nb\nc", "d")],
  ["an LF behind a CR LF is an empty line", "data: a\r\n\ndata: b\r\r\n", nameless("a", "b")],
  ["a byte order mark at the beginning is dropped", bytes([0xef, 0xbb, 0xbf], "data: a\n\n"), nameless("a")],
  ["one elsewhere makes another field", bytes("data: a\n\n", [0xef, 0xbb, 0xbf], "data: b\n\ndata: c\n\n"), nameless("a", "c")],
  ["only the first of two at the beginning", bytes([0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf], "data: a\n\ndata: b\n\n"), nameless("b")],
  ["comments are nothing, in an event too", ": hello\n:\n\ndata: a\n: within\ndata: b\n::\n\n:", nameless("a\nb")],
  ["letters of two, three and four bytes", "data: ä€😀 我現在\n\nid: ü\ndata: \u2028\u0085\n\n", [["message", "ä€😀 我現在", ""], ["message", "\u2028\u0085", "ü"]], { last: "ü" }],
  ["what is not UTF-8 is replaced", bytes("data: a", [0xff, 0xc3], "b", [0xe2, 0x82], "\n\n"), nameless("a\ufffd\ufffdb\ufffd")],
  ["no colon, no value", "data\n\ndata\ndata\n\n", nameless("", "\n")],
  ["a colon and nothing", "data:\n\n", nameless("")],
  ["one space is dropped, no more, no tab", "data:a\n\ndata:  a\n\ndata:\ta\n\ndata: a \n\n", nameless("a", " a", "\ta", "a ")],
  ["a value has colons", "data: a:b: c\n\n", nameless("a:b: c")],
  ["fields of other names, and in other letters", "Data: a\ndata : b\n data: c\ndataset: d\ndata: e\nfoo\n\n", nameless("e")],
  ["an event without data is none, and leaves no name", "event: a\n\ndata: b\n\n", nameless("b")],
  ["the last name counts, an empty one is none", "event: a\nevent: b\ndata: 1\n\nevent:\ndata: 2\n\n", [["b", "1", ""], ["message", "2", ""]]],
  ["an id holds for what follows", "id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n", [["message", "a", "1"], ["message", "b", "1"], ["message", "c", "2"]], { last: "2" }],
  ["an id behind its data", "data: a\nid: 7\n\n", [["message", "a", "7"]], { last: "7" }],
  ["an empty id", "id: 1\ndata: a\n\nid\ndata: b\n\nid: 3\ndata: c\n\nid:\n\n", [["message", "a", "1"], ["message", "b", ""], ["message", "c", "3"]]],
  ["an id with NUL is ignored", "id: 1\nid: 2\0\ndata: a\n\n", [["message", "a", "1"]], { last: "1" }],
  ["an id counts without data, at its empty line", "id: 5\n\nid: 6\n", [], { last: "5" }],
  ["what has no empty line at the end is none, nor is its id", "data: a\n\nid: 9\ndata: b\n", nameless("a")],
  ["retry is digits", "retry: 50\n\n", [], { retry: 50 }],
  ["the newest retry", "retry: 500\ndata: a\n\nretry:7\n", nameless("a"), { retry: 7 }],
  ["a retry of anything else is ignored", "retry: 10\nretry: 20x\nretry:\nretry\nretry: -1\nretry: 1.5\nretry:  3\nretry: ٣\n\n", [], { retry: 10 }],
  ["NUL in data stays", "data: a\0b\n\n", nameless("a\0b")],
  ["empty lines between events", "\n\n\ndata: a\n\n\n\ndata: b\n\n", nameless("a", "b")],
  ["nothing", "", []],
];

for (const [name, stream, events, { last = "", retry } = {}] of cases) {
  test(`events: ${name}`, () => {
    for (const pieces of waysToCut(encode(stream))) {
      assert.deepEqual(parse(pieces), { events, retry, last }, `in pieces of ${pieces.map((piece) => piece.length)}`);
    }
  });
}

test("events: the id with which the stream was asked for holds until another comes", () => {
  const { events, last } = parse([encode("data: a\n\nid: 2\ndata: b\n\n")], { lastEventId: "1" });
  assert.deepEqual(events, [["message", "a", "1"], ["message", "b", "2"]]);
  assert.equal(last, "2");
});

test("events: a CR ends its line before it is known what follows", () => {
  const parser = new EventParser();
  assert.equal([...parser.push(encode("data: a\r\r"))].length, 1);
  assert.equal([...parser.push(encode("\ndata: b\r\n\r"))].length, 1);
  assert.equal([...parser.push(encode("\n"))].length, 0);
});

test("events: of any stream what eventsource-parser reads", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const text = randomStream(seed);
    const read = parse(Array.from(encode(text), (byte) => Uint8Array.of(byte)));
    assert.deepEqual(read.events.map(([type, data]) => [type, data]), oracle(text), `seed ${seed}: ${JSON.stringify(text)}`);
  }
});

test("events: one of 10 MB is read, in pieces of any size", () => {
  const data = "x".repeat(10 * 1024 * 1024 - 6);
  for (const size of [1000, 65536, data.length]) {
    const whole = encode(`data: ${data}\n\n`);
    const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) => whole.subarray(i * size, (i + 1) * size));
    const { events } = parse(pieces);
    assert.equal(events.length, 1);
    assert.equal(events[0][1].length, data.length);
  }
});

const tooLong = [
  ["a line without end", "data: 456789"],
  ["a comment without end", ": 3456789ab"],
  ["one line of data", "data: 456789a\n"],
  ["many lines of data", "data: 123\ndata: 123\ndata: 123\n"],
  ["many empty lines of data", "data\n".repeat(12)],
];
for (const [name, text] of tooLong) {
  test(`events: ${name} is not kept beyond the limit`, () => {
    for (const pieces of [[encode(text)], Array.from(encode(text), (byte) => Uint8Array.of(byte))]) {
      assert.throws(() => parse(pieces, { limit: 10 }), (error) => error instanceof StreamError && error.code === "limit" && error.final);
    }
  });
}

// ---- lines ----

async function linesOf(pieces, options) {
  const lines = [];
  const body = ReadableStream.from(pieces);
  for await (const { kind, text } of readLines(body, options)) lines.push([kind, text]);
  return lines;
}

test("lines: what a job says, each line as its kind", async () => {
  const text = "data: one\nerror:  two\r\nresult:{\"n\":3}\rresults: four\n\n data: five\ndata:";
  const expected = [["data", "one"], ["error", " two"], ["result", '{"n":3}'], ["text", "results: four"], ["text", ""],
    ["text", " data: five"], ["data", ""]];
  for (const pieces of waysToCut(encode(text))) assert.deepEqual(await linesOf(pieces), expected);
});

test("lines: the end ends the last line, and a letter that is not whole", async () => {
  assert.deepEqual(await linesOf([bytes("data: a\ndata: ", [0xe2, 0x82])]), [["data", "a"], ["data", "\ufffd"]]);
  assert.deepEqual(await linesOf([encode("a\r"), encode("\n")]), [["text", "a"]]);
  assert.deepEqual(await linesOf([]), []);
});

test("lines: one without end is refused, and who leaves early has the rest cancelled", async () => {
  await assert.rejects(linesOf([encode("123456"), encode("789abc")], { limit: 10 }), { code: "limit" });
  let cancelled = false;
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(encode("data: more\n")),
    cancel: () => { cancelled = true; },
  });
  for await (const { text } of readLines(new Response(endless))) {
    assert.equal(text, "more");
    break;
  }
  assert.equal(cancelled, true);
});

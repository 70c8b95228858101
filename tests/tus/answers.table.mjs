// What weir.tus must answer to requests good and bad, and why where npm's @tus/server answers otherwise.
//
//   { name, given, ask, weir, unlike }
//
//   given   uploads that are there, by a letter: { length, body, metadata, concat, final, aged }; "{a}" is the path of one
//   ask     [method, path, headers, body]
//   weir    [status, headers]: all of them but those of `base` and of the connection
//   unlike  of each header that the other has not, or has otherwise, why; of the status, for the whole answer
//
// `everywhere` has what differs in many answers.

import { createHash } from "node:crypto";

export const BODY = "application/offset+octet-stream";
export const PAGE = "https://app.example"; // whose pages are let in
export const MOST = 64 << 20; // bytes of an upload

export const tus = { "Tus-Resumable": "1.0.0" };
const bytes = { ...tus, "Content-Type": BODY };
const of = (length, more) => ({ ...tus, "Upload-Length": `${length}`, ...more });
const at = (offset, more) => ({ ...bytes, "Upload-Offset": `${offset}`, ...more });
const sum = (algorithm, text) => ({ "Upload-Checksum": `${algorithm} ${createHash(algorithm).update(text).digest("base64")}` });
const unknown = "/files/0123456789abcdef0123456789abcdef";
const other = { "Tus-Resumable": "0.2.2" };
const asks = (method, headers) =>
  ({ Origin: PAGE, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers });

const half = { a: { length: 10, body: "01234" } };
const whole = { a: { length: 10, body: "0123456789" } };
const deferred = { a: { body: "01234" } };
const expired = { a: { length: 10, body: "01234", aged: true } };
const parts = { a: { length: 5, body: "01234", concat: "partial" }, b: { length: 3, body: "567", concat: "partial" } };
const unfinished = { ...parts, b: { length: 3, body: "5", concat: "partial" } };
const joined = { ...parts, c: { final: "{a} {b}" } };

// ---- answers --------------------------------------------------------------------------------------------------------

export const DATE = "a day from now", NEW = "a new upload";
export const base = { "x-content-type-options": "nosniff", vary: "Origin" };

const V = { "tus-resumable": "1.0.0" };
const lives = { "upload-expires": DATE };
const created = { ...V, location: NEW };
const error = (status, more) => [status, { ...V, "content-type": "text/plain;charset=utf-8", ...more }];
const state = (offset, more) => [200, { ...V, "cache-control": "no-store", "upload-offset": `${offset}`, ...more }];
const added = (offset, more) => [204, { ...V, "upload-offset": `${offset}`, ...more }];
const otherVersion = error(412, { "tus-version": "1.0.0", "upload-draft-interop-version": "6, 5" });
const exposed = "Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Location, Upload-Offset, " +
  "Upload-Length, Upload-Metadata, Upload-Expires, Upload-Concat, Upload-Defer-Length, Upload-Complete, Upload-Limit, " +
  "Upload-Draft-Interop-Version, Retry-After";
const page = { "access-control-allow-origin": PAGE, "access-control-expose-headers": exposed };
const inPage = ([status, headers], more) => [status, { ...headers, ...page, ...more }];
const abilities = [204, {
  ...V, "tus-version": "1.0.0", "tus-max-size": `${MOST}`,
  "tus-extension": "creation,creation-with-upload,creation-defer-length,checksum,termination,concatenation,expiration",
  "tus-checksum-algorithm": "sha1,sha256,sha384,sha512,md5",
  "upload-draft-interop-version": "6, 5", "upload-limit": `max-size=${MOST}`,
}];
const preflight = [204, {
  "access-control-allow-origin": PAGE,
  "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
  "access-control-allow-headers": "Authorization, Content-Type, Last-Event-ID, Tus-Resumable, Upload-Length, " +
    "Upload-Metadata, Upload-Offset, Upload-Concat, Upload-Defer-Length, Upload-Checksum, Upload-Complete, " +
    "Upload-Draft-Interop-Version, X-HTTP-Method-Override, X-Requested-With, X-Request-ID",
  "access-control-max-age": "600",
}];

// ---- why ------------------------------------------------------------------------------------------------------------

const VERSION = "tus: an unsupported version gets 412, and Tus-Version says which are; @tus/server says 400, or not which";
const DRAFT = "the IETF's draft is spoken at the same URLs";
const CONCATENATION = "@tus/server has no concatenation";
const CHECKSUM = "@tus/server has no checksums, and takes bytes that are wrong";
const TYPE = "RFC 9110: 415 is for a body of a type that is not taken";
const EXPIRES = "tus: Upload-Expires is for all answers of an upload that expires, and HEAD tells a page that comes back";
const OVERRIDE = "tus: X-HTTP-Method-Override is the method; @tus/server does not look at it";
const versions = { "tus-version": VERSION, "upload-draft-interop-version": DRAFT };
const can = {
  "tus-extension": "more is spoken: checksum and concatenation", "tus-checksum-algorithm": CHECKSUM,
  "upload-draft-interop-version": DRAFT, "upload-limit": DRAFT,
};
const ANSWERS_ALL = "@tus/server answers OPTIONS without a page as a preflight, too";
const noPreflight = {
  "access-control-allow-methods": ANSWERS_ALL, "access-control-allow-headers": ANSWERS_ALL, "access-control-max-age": ANSWERS_ALL,
};
const PREFLIGHT = "a preflight is the browser's question, not tus's: it is answered by weir.cors, and no page sees the answer";
const asked = {
  "access-control-allow-methods": "weir.cors names the methods of the whole app",
  "access-control-allow-headers": "what tus-js-client can send is all there: @tus/server forgets Upload-Checksum and X-Request-ID",
  "access-control-max-age": "weir.cors lets a browser ask again after ten minutes, unless told otherwise",
  "tus-resumable": PREFLIGHT, "tus-version": PREFLIGHT, "tus-extension": PREFLIGHT, "tus-max-size": PREFLIGHT,
};
const WORD = "@tus/server looks whether it has concatenation before it looks at the word";

// when(weir, other, ask) says whether an answer has the difference: both are { status, headers, text }.
export const everywhere = [
  { header: "x-content-type-options", why: "every answer of Weir has it: a browser guesses no types",
    when: (weir, peer) => peer === undefined },
  { header: "vary", why: "what a cache keeps of an answer depends on who asks: only pages that are let in are named",
    when: (weir, peer) => peer === undefined },
  { header: "access-control-allow-origin", why: "Weir names an origin to its pages only, @tus/server to everybody",
    when: (weir, peer, { Origin }) => weir === undefined && Origin !== PAGE },
  { header: "access-control-expose-headers", why: "Weir tells it to its pages only, @tus/server to everybody",
    when: (weir, peer, { Origin }) => weir === undefined && Origin !== PAGE },
  { header: "access-control-expose-headers", why: "a page can read all that an answer has, and nothing that only requests have",
    when: (weir, peer, { Origin }) => weir === exposed && Origin === PAGE },
  { header: "content-type", why: "@tus/server tells the type of a body that is empty",
    when: (weir, peer, ask, { text }) => weir === undefined && text === "" && peer === "text/plain;charset=utf-8" },
];

// ---- the table ------------------------------------------------------------------------------------------------------

export const table = [
  { name: "a creation", ask: ["POST", "/files", of(10)], weir: [201, { ...created, ...lives }] },
  { name: "a creation at the prefix with a slash", ask: ["POST", "/files/", of(10)], weir: [201, { ...created, ...lives }] },
  { name: "a creation with metadata", ask: ["POST", "/files", of(10, { "Upload-Metadata": "name d8O2cmxk,flag,empty " })],
    weir: [201, { ...created, ...lives }] },
  { name: "a creation of nothing", ask: ["POST", "/files", of(0)], weir: [201, created] },
  { name: "a creation with a length that comes later", ask: ["POST", "/files", { ...tus, "Upload-Defer-Length": "1" }],
    weir: [201, { ...created, ...lives }] },
  { name: "a creation with the first bytes", ask: ["POST", "/files", of(10, bytes), "01234"],
    weir: [201, { ...created, ...lives, "upload-offset": "5" }] },
  { name: "a creation with all bytes", ask: ["POST", "/files", of(5, bytes), "01234"],
    weir: [201, { ...created, "upload-offset": "5" }] },
  { name: "a creation with bytes and a length that comes later",
    ask: ["POST", "/files", { ...bytes, "Upload-Defer-Length": "1" }, "01234"],
    weir: [201, { ...created, ...lives, "upload-offset": "5" }] },
  { name: "a creation with more bytes than it is long", ask: ["POST", "/files", of(3, bytes), "01234"], weir: error(413) },
  { name: "a creation with a body of another type",
    ask: ["POST", "/files", of(10, { "Content-Type": "text/plain" }), "01234"], weir: error(415),
    unlike: { status: "bytes would be thrown away, of which their client thinks that they are there" } },
  { name: "a creation with a type and no body", ask: ["POST", "/files", of(10, { "Content-Type": "text/plain" })],
    weir: [201, { ...created, ...lives }] },
  { name: "a creation with bytes and their checksum",
    ask: ["POST", "/files", of(10, { ...bytes, ...sum("sha1", "01234") }), "01234"],
    weir: [201, { ...created, ...lives, "upload-offset": "5" }] },
  { name: "a creation with bytes and another checksum",
    ask: ["POST", "/files", of(10, { ...bytes, ...sum("sha1", "something else") }), "01234"],
    weir: error(460), unlike: { status: CHECKSUM } },
  { name: "a creation without a length", ask: ["POST", "/files", tus], weir: error(400) },
  { name: "a creation with a length now and later", ask: ["POST", "/files", of(10, { "Upload-Defer-Length": "1" })],
    weir: error(400) },
  { name: "a creation whose length comes otherwise", ask: ["POST", "/files", { ...tus, "Upload-Defer-Length": "2" }],
    weir: error(400) },
  { name: "a creation with a length below zero", ask: ["POST", "/files", of(-1)], weir: error(400) },
  { name: "a creation with a length that is no number", ask: ["POST", "/files", of("ten")], weir: error(400) },
  { name: "a creation with a length as computers write it", ask: ["POST", "/files", of("1e3")], weir: error(400) },
  { name: "a creation with a length beyond what is counted", ask: ["POST", "/files", of("99999999999999999999")],
    weir: error(400) },
  { name: "a creation beyond the limit", ask: ["POST", "/files", of(MOST + 1)], weir: error(413) },
  { name: "a creation with metadata that is not base64", ask: ["POST", "/files", of(10, { "Upload-Metadata": "name ???" })],
    weir: error(400) },
  { name: "a creation with metadata without a key",
    ask: ["POST", "/files", of(10, { "Upload-Metadata": "name YQ==,,flag" })], weir: error(400) },
  { name: "a creation with a key twice", ask: ["POST", "/files", of(10, { "Upload-Metadata": "name YQ==,name Yg==" })],
    weir: error(400) },
  { name: "a creation with a key that is not ASCII", ask: ["POST", "/files", of(10, { "Upload-Metadata": "n\u00e4me YQ==" })],
    weir: error(400) },
  { name: "a creation with empty metadata", ask: ["POST", "/files", of(10, { "Upload-Metadata": "" })],
    weir: [201, { ...created, ...lives }],
    unlike: { status: "a field without a value says nothing; clients that always send it, send that" } },
  { name: "a creation that the app refuses", ask: ["POST", "/files", of(10, { "Upload-Metadata": "name cmVmdXNlZA==" })],
    weir: error(403) },
  { name: "a creation without a version", ask: ["POST", "/files", { "Upload-Length": "10" }], weir: otherVersion, unlike: versions },
  { name: "a creation in another version", ask: ["POST", "/files", of(10, other)], weir: otherVersion,
    unlike: { status: VERSION } },
  { name: "a creation from a page", ask: ["POST", "/files", of(10, { Origin: PAGE })],
    weir: inPage([201, { ...created, ...lives }]) },
  { name: "a creation from a page that is not let in", ask: ["POST", "/files", of(10, { Origin: "https://evil.example" })],
    weir: [201, { ...created, ...lives }] },
  { name: "a creation without a version, from a page", ask: ["POST", "/files", { Origin: PAGE, "Upload-Length": "10" }],
    weir: inPage(otherVersion), unlike: versions },

  { name: "a part", ask: ["POST", "/files", of(10, { "Upload-Concat": "partial" })], weir: [201, { ...created, ...lives }],
    unlike: { status: CONCATENATION } },
  { name: "parts that are joined", given: parts, ask: ["POST", "/files", { ...tus, "Upload-Concat": "final;{a} {b}" }],
    weir: [201, created], unlike: { status: CONCATENATION } },
  { name: "parts that are joined, with a length", given: parts,
    ask: ["POST", "/files", of(8, { "Upload-Concat": "final;{a} {b}" })], weir: error(400), unlike: { status: CONCATENATION } },
  { name: "parts that are joined, one of which has not all come", given: unfinished,
    ask: ["POST", "/files", { ...tus, "Upload-Concat": "final;{a} {b}" }], weir: error(409), unlike: { status: CONCATENATION } },
  { name: "parts that are joined, one of which is unknown", given: parts,
    ask: ["POST", "/files", { ...tus, "Upload-Concat": "final;{a} /files/none" }], weir: error(400),
    unlike: { status: CONCATENATION } },
  { name: "joining what is no part", given: whole, ask: ["POST", "/files", { ...tus, "Upload-Concat": "final;{a}" }],
    weir: error(400), unlike: { status: CONCATENATION } },
  { name: "joining nothing", ask: ["POST", "/files", { ...tus, "Upload-Concat": "final;" }], weir: error(400),
    unlike: { status: WORD } },
  { name: "joining in another word", ask: ["POST", "/files", of(10, { "Upload-Concat": "total" })], weir: error(400) },

  { name: "what has come of half an upload", given: half, ask: ["HEAD", "{a}", tus],
    weir: state(5, { "upload-length": "10", ...lives }), unlike: { "upload-expires": EXPIRES } },
  { name: "what has come of a whole one", given: whole, ask: ["HEAD", "{a}", tus], weir: state(10, { "upload-length": "10" }) },
  { name: "what has come where the length comes later", given: deferred, ask: ["HEAD", "{a}", tus],
    weir: state(5, { "upload-defer-length": "1", ...lives }), unlike: { "upload-expires": EXPIRES } },
  { name: "what has come where there is metadata", given: { a: { length: 3, metadata: "name YQ==,flag" } },
    ask: ["HEAD", "{a}", tus], weir: state(0, { "upload-length": "3", "upload-metadata": "name YQ==,flag", ...lives }),
    unlike: { "upload-expires": EXPIRES } },
  { name: "what has come of a part", given: parts, ask: ["HEAD", "{a}", tus],
    weir: state(5, { "upload-length": "5", "upload-concat": "partial" }), unlike: { status: CONCATENATION } },
  { name: "what has come of what was joined", given: joined, ask: ["HEAD", "{c}", tus],
    weir: state(8, { "upload-length": "8", "upload-concat": "final;{a} {b}" }), unlike: { status: CONCATENATION } },
  { name: "what has come, asked without a version", given: half, ask: ["HEAD", "{a}", {}], weir: otherVersion, unlike: versions },
  { name: "what has come, asked in another version", given: half, ask: ["HEAD", "{a}", other], weir: otherVersion,
    unlike: { status: VERSION } },
  { name: "what has come of an unknown one", ask: ["HEAD", unknown, tus], weir: error(404) },
  { name: "what has come of a path out of the folder", ask: ["HEAD", "/files/..%2f..%2fpasswd", tus], weir: error(404) },
  { name: "what has come of one that has expired", given: expired, ask: ["HEAD", "{a}", tus], weir: error(410) },
  { name: "what has come, asked by a page", given: half, ask: ["HEAD", "{a}", { ...tus, Origin: PAGE }],
    weir: inPage(state(5, { "upload-length": "10", ...lives })), unlike: { "upload-expires": EXPIRES } },

  { name: "more bytes", given: half, ask: ["PATCH", "{a}", at(5), "567"], weir: added(8, lives) },
  { name: "the last bytes", given: half, ask: ["PATCH", "{a}", at(5), "56789"], weir: added(10) },
  { name: "no bytes", given: half, ask: ["PATCH", "{a}", at(5), ""], weir: added(5, lives) },
  { name: "bytes in chunks", given: half,
    ask: ["PATCH", "{a}", at(5, { "Transfer-Encoding": "chunked" }), "3\r\n567\r\n0\r\n\r\n"], weir: added(8, lives) },
  { name: "bytes by a POST that means PATCH", given: half,
    ask: ["POST", "{a}", at(5, { "X-HTTP-Method-Override": "PATCH" }), "567"], weir: added(8, lives), unlike: { status: OVERRIDE } },
  { name: "bytes at a place that is past", given: half, ask: ["PATCH", "{a}", at(0), "567"], weir: error(409) },
  { name: "bytes at a place that is to come", given: half, ask: ["PATCH", "{a}", at(7), "567"], weir: error(409) },
  { name: "bytes at no place", given: half, ask: ["PATCH", "{a}", bytes, "567"], weir: error(400),
    unlike: { status: "a request that is not whole is a bad one: 403 is for whom it is forbidden" } },
  { name: "bytes at a place below zero", given: half, ask: ["PATCH", "{a}", at(-5), "567"], weir: error(400) },
  { name: "bytes of another type", given: half,
    ask: ["PATCH", "{a}", at(5, { "Content-Type": "application/octet-stream" }), "567"], weir: error(415), unlike: { status: TYPE } },
  { name: "bytes of no type", given: half, ask: ["PATCH", "{a}", { ...tus, "Upload-Offset": "5" }, "567"], weir: error(415),
    unlike: { status: TYPE } },
  { name: "bytes without a version", given: half, ask: ["PATCH", "{a}", { "Upload-Offset": "5", "Content-Type": BODY }, "567"],
    weir: otherVersion, unlike: versions },
  { name: "bytes in another version", given: half, ask: ["PATCH", "{a}", at(5, other), "567"], weir: otherVersion,
    unlike: { status: VERSION } },
  { name: "bytes beyond the length", given: half, ask: ["PATCH", "{a}", at(5), "56789+"], weir: error(413) },
  { name: "bytes for a whole one", given: whole, ask: ["PATCH", "{a}", at(10), "+"], weir: error(413) },
  { name: "no bytes for a whole one", given: whole, ask: ["PATCH", "{a}", at(10), ""], weir: added(10) },
  { name: "bytes for an unknown one", ask: ["PATCH", unknown, at(0), "012"], weir: error(404) },
  { name: "bytes for one that has expired", given: expired, ask: ["PATCH", "{a}", at(5), "567"], weir: error(410) },
  { name: "bytes for what was joined", given: joined, ask: ["PATCH", "{c}", at(8), "+"], weir: error(403),
    unlike: { status: CONCATENATION } },
  { name: "bytes with the length that was to come", given: deferred, ask: ["PATCH", "{a}", at(5, { "Upload-Length": "8" }), "567"],
    weir: added(8) },
  { name: "bytes with a length that was to come, below what there is", given: deferred,
    ask: ["PATCH", "{a}", at(5, { "Upload-Length": "3" }), "567"], weir: error(400) },
  { name: "bytes with a length that was to come, beyond the limit", given: deferred,
    ask: ["PATCH", "{a}", at(5, { "Upload-Length": `${MOST + 1}` }), "567"], weir: error(413) },
  { name: "bytes with another length", given: half, ask: ["PATCH", "{a}", at(5, { "Upload-Length": "11" }), "567"], weir: error(400) },
  { name: "bytes with the same length again", given: half, ask: ["PATCH", "{a}", at(5, { "Upload-Length": "10" }), "567"],
    weir: added(8, lives),
    unlike: { status: "the same length changes nothing: whose last PATCH was lost sends it again, length and all" } },
  { name: "bytes with their checksum", given: half, ask: ["PATCH", "{a}", at(5, sum("md5", "567")), "567"], weir: added(8, lives) },
  { name: "bytes with another checksum", given: half, ask: ["PATCH", "{a}", at(5, sum("sha256", "something else")), "567"],
    weir: error(460), unlike: { status: CHECKSUM } },
  { name: "bytes with a checksum of an unknown kind", given: half,
    ask: ["PATCH", "{a}", at(5, { "Upload-Checksum": "crc32 AAAAAA==" }), "567"], weir: error(400), unlike: { status: CHECKSUM } },
  { name: "bytes with a checksum that is none", given: half, ask: ["PATCH", "{a}", at(5, { "Upload-Checksum": "sha1" }), "567"],
    weir: error(400), unlike: { status: CHECKSUM } },
  { name: "bytes from a page", given: half, ask: ["PATCH", "{a}", at(5, { Origin: PAGE }), "567"], weir: inPage(added(8, lives)) },
  { name: "bytes at a place that is past, from a page", given: half, ask: ["PATCH", "{a}", at(0, { Origin: PAGE }), "567"],
    weir: inPage(error(409)) },

  { name: "the end of half an upload", given: half, ask: ["DELETE", "{a}", tus], weir: [204, V] },
  { name: "the end of a whole one", given: whole, ask: ["DELETE", "{a}", tus], weir: [204, V] },
  { name: "the end by a POST that means DELETE", given: half, ask: ["POST", "{a}", { ...tus, "X-HTTP-Method-Override": "DELETE" }],
    weir: [204, V], unlike: { status: OVERRIDE } },
  { name: "the end of an unknown one", ask: ["DELETE", unknown, tus], weir: error(404) },
  { name: "the end, without a version", given: half, ask: ["DELETE", "{a}", {}], weir: otherVersion, unlike: versions },

  { name: "what there is", ask: ["OPTIONS", "/files", {}], weir: abilities, unlike: { ...can, ...noPreflight } },
  { name: "what there is, for one upload", given: half, ask: ["OPTIONS", "{a}", {}], weir: abilities,
    unlike: { ...can, ...noPreflight } },
  { name: "what there is, in another version", ask: ["OPTIONS", "/files", other], weir: abilities,
    unlike: { ...can, ...noPreflight } },
  { name: "whether a page may create", ask: ["OPTIONS", "/files", asks("POST", "tus-resumable,upload-length,upload-metadata")],
    weir: preflight, unlike: { ...asked, "access-control-expose-headers": "it is for answers that a page sees" } },
  { name: "whether a page may send bytes", given: half,
    ask: ["OPTIONS", "{a}", asks("PATCH", "tus-resumable,upload-offset,content-type")],
    weir: preflight, unlike: { ...asked, "access-control-expose-headers": "it is for answers that a page sees" } },
  { name: "whether a page that is not let in may",
    ask: ["OPTIONS", "/files", { Origin: "https://evil.example", "Access-Control-Request-Method": "POST" }],
    weir: abilities, unlike: { ...can, ...noPreflight } },

  { name: "a whole one, to be read", given: whole, ask: ["GET", "{a}", tus],
    weir: [405, { "content-type": "text/plain;charset=utf-8", allow: "OPTIONS, POST, HEAD, PATCH, DELETE" }],
    unlike: { status: "who may read what was sent is for the app to say, by a route of its own" } },
  { name: "a method that means nothing", given: half, ask: ["PUT", "{a}", tus],
    weir: [405, { "content-type": "text/plain;charset=utf-8", allow: "OPTIONS, POST, HEAD, PATCH, DELETE" }],
    unlike: { status: "RFC 9110: 405 for a method that a resource has not" } },
  { name: "a POST to an upload that means nothing else", given: half, ask: ["POST", "{a}", tus],
    weir: error(405, { allow: "HEAD, PATCH, DELETE, OPTIONS" }),
    unlike: { status: "@tus/server takes it for a creation, which has its own URL" } },
];

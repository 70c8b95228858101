// events: bytes of a text/event-stream become events (HTML standard, section 9.2.6).
//
// Bytes come in pieces that end anywhere: in a letter, between CR and LF, in a field's name. Text is decoded as it
// comes, what is not UTF-8 becomes U+FFFD, and a line is looked for in new text only, so that a long one costs no more
// than its length. An event is given at its empty line; what is not whole when the stream ends is never given, and its
// id does not count.
//
// Nothing grows without an end: an event, or a line, beyond the limit throws.

/** What went wrong, for programs (`code`) and for people (`message`). */
export class StreamError extends Error {
  /**
   * @param {"network"|"silent"|"status"|"type"|"redirect"|"token"|"auth"|"limit"} code
   * @param {string} message
   * @param {{ status?: number, final?: boolean, cause?: unknown }} [details]
   */
  constructor(code, message, { status, final = false, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "StreamError";
    this.code = code;
    /** The answer's status, where there was one. */
    this.status = status;
    /** Whether trying again is in vain: the stream has failed. */
    this.final = final;
  }
}

/** The characters that an event, or a line, may have: 10 MB. */
export const LIMIT = 10 * 1024 * 1024;

/**
 * Text in pieces becomes lines, which end with CR, LF or both.
 */
export class Lines {
  #limit;
  #decoder = new TextDecoder(); // drops a byte order mark at the beginning
  #rest = ""; // of a line that has not ended
  #afterCR = false; // an LF that comes next belongs to it

  /** @param {number} [limit] characters of a line */
  constructor(limit = LIMIT) {
    this.#limit = limit;
  }

  /**
   * The lines that these bytes end.
   * @param {Uint8Array} [bytes] none: the end, where what is left is a line too
   * @returns {Generator<string>}
   */
  *push(bytes) {
    let text = this.#decoder.decode(bytes, { stream: bytes !== undefined });
    if (this.#afterCR && text !== "") {
      this.#afterCR = false;
      if (text.startsWith("\n")) text = text.slice(1);
    }
    let at = 0, cr = text.indexOf("\r"), lf = text.indexOf("\n");
    while (cr >= 0 || lf >= 0) {
      const end = cr < 0 || (lf >= 0 && lf < cr) ? lf : cr;
      const line = this.#rest + text.slice(at, end);
      this.#check(line.length);
      this.#rest = "";
      at = end + 1;
      if (end === cr && at === text.length) this.#afterCR = true;
      if (end === cr && text[at] === "\n") at++;
      if (cr >= 0 && cr < at) cr = text.indexOf("\r", at);
      if (lf >= 0 && lf < at) lf = text.indexOf("\n", at);
      yield line;
    }
    this.#rest += text.slice(at);
    this.#check(this.#rest.length);
    if (bytes === undefined && this.#rest !== "") yield this.#rest;
  }

  /** @param {number} length */
  #check(length) {
    if (length > this.#limit) throw tooLong(this.#limit);
  }

  /** The characters of the line that has not ended. */
  get waiting() {
    return this.#rest.length;
  }
}

/** @param {number} limit */
function tooLong(limit) {
  return new StreamError("limit", `an event or a line of more than ${limit} characters`, { final: true });
}

/**
 * @typedef {object} ServerEvent
 * @property {string} type its name, "message" if it has none
 * @property {string} data
 * @property {string} id the newest id of the stream: its own, or that of an event before
 */

/**
 * Bytes in pieces become events.
 */
export class EventParser {
  #lines;
  #limit;
  #id;
  #newId;
  #type = "";
  #data = "";
  #hasData = false;

  /** The milliseconds of the newest `retry:`, or undefined. @type {number|undefined} */
  retry = undefined;

  /**
   * @param {{ lastEventId?: string, limit?: number }} [options] the id with which the stream was asked for; the
   *   characters of an event
   */
  constructor({ lastEventId = "", limit = LIMIT } = {}) {
    this.#lines = new Lines(limit);
    this.#limit = limit;
    this.#id = this.#newId = lastEventId;
  }

  /** The id to come back with: that of the newest event that was whole. */
  get lastEventId() {
    return this.#id;
  }

  /**
   * The events that these bytes end.
   * @param {Uint8Array} bytes
   * @returns {Generator<ServerEvent>}
   */
  *push(bytes) {
    for (const line of this.#lines.push(bytes)) {
      if (line !== "") {
        this.#field(line);
        continue;
      }
      this.#id = this.#newId;
      const event = this.#hasData && { type: this.#type || "message", data: this.#data, id: this.#id };
      this.#type = this.#data = "";
      this.#hasData = false;
      if (event) yield event;
    }
    this.#check(this.#data.length + this.#lines.waiting);
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") {
      this.#data += this.#hasData ? `\n${value}` : value;
      this.#hasData = true;
      this.#check(this.#data.length);
    } else if (name === "event") {
      this.#type = value;
    } else if (name === "id") {
      if (!value.includes("\0")) this.#newId = value;
    } else if (name === "retry" && /^[0-9]+$/.test(value)) {
      this.retry = Number(value);
    }
  }

  /** @param {number} length */
  #check(length) {
    if (length > this.#limit) throw tooLong(this.#limit);
  }
}

/**
 * The lines of an answer that is streamed as text, each as soon as it has ended. `data: …`, `error: …` and
 * `result: …` are split into a kind and the rest; any other line is of the kind "text".
 * @param {Response | ReadableStream<Uint8Array>} from
 * @param {{ limit?: number }} [options] characters of a line
 * @returns {AsyncGenerator<{ kind: "data"|"error"|"result"|"text", text: string }>}
 */
export async function* readLines(from, { limit = LIMIT } = {}) {
  const body = from instanceof ReadableStream ? from : from.body;
  if (body === null) return;
  const lines = new Lines(limit);
  const reader = body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      for (const line of lines.push(done ? undefined : value)) yield splitLine(line);
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {}); // whoever stops early wants no more of it
  }
}

/**
 * @param {string} line
 * @returns {{ kind: "data"|"error"|"result"|"text", text: string }}
 */
function splitLine(line) {
  const found = /^(data|error|result):/.exec(line);
  if (!found) return { kind: "text", text: line };
  const kind = /** @type {"data"|"error"|"result"} */ (found[1]);
  return { kind, text: line.slice(kind.length + (line[kind.length + 1] === " " ? 2 : 1)) };
}

// A proxy that cuts. It stands between a client and a Weir, carries the answers to /events in pieces of drawn sizes,
// a byte at a time or all at once, and cuts each of them off at a drawn place: in its head, in an event, in the
// framing of a chunk, in a letter of several bytes. What the client sends, and what else it asks for, it leaves whole.
//
// A cut is an end in the middle of a chunk or a reset, which every client must take for a failure. In the head of
// an answer it is always a reset: Chromium takes a head that merely ends early for a whole one.
//
// `spare(seen, answer)` says where a client may not be cut, nor a piece end, by what it has been given of its answer
// of that number; a client that needs it says why.

import { Relay, write } from "./relay.mjs";

const remembered = 2000; // bytes of what the client has seen of an answer: more than a head has

export const inHead = (seen) => "HTTP/".startsWith(seen.slice(0, 5)) && !seen.includes("\r\n\r\n");

export class Cutter extends Relay {
  constructor(server, random, { spare = () => false, resets = true, log = [] } = {}) {
    super(server);
    Object.assign(this, { random, spare, resets, log });
    this.places = []; // of the cuts to come: bytes after the beginning of an answer
    this.answers = 0;
    this.cuts = 0;
    this.open = undefined; // while it is held, a promise
  }

  // The next answers are cut at such places too; so is the one that is being carried, counted from here.
  draw(places) {
    this.places.push(...places);
    for (const link of this.links) if (link.carries && link.left === Infinity) this.#aim(link);
  }

  // Cuts all off. Who comes back waits, until release().
  hold() {
    this.open = new Promise((done) => (this.release = done));
    for (const link of this.links) this.#cut(link);
  }

  #aim(link) {
    link.left = this.places.shift() ?? Infinity;
  }

  async ask(link) {
    Object.assign(link, { carries: false, seen: "", left: Infinity });
    for await (const bytes of link.client) {
      await this.open;
      if (bytes.includes("GET /events")) {
        Object.assign(link, { carries: true, seen: "", answer: ++this.answers });
        this.#aim(link);
        this.log.push(`ask ${link.answer}, to be cut at ${link.left}: ${bytes.toString().match(/last-?event-?id[^\s&]*( \S+)?/i)?.[0]}`);
      }
      await write(link.server, bytes);
    }
    link.server.end();
  }

  async answer(link) {
    let waiting = Buffer.alloc(0);
    for await (const bytes of link.server) {
      if (!link.carries) {
        await write(link.client, bytes);
        continue;
      }
      waiting = Buffer.concat([waiting, bytes]);
      for (let size; (size = this.#piece(link, waiting)); waiting = waiting.subarray(size)) {
        link.seen = (link.seen + waiting.toString("latin1", 0, size)).slice(-remembered);
        link.left -= size;
        await write(link.client, waiting.subarray(0, size));
        if (link.left <= 0) return this.#cut(link);
        await new Promise(setImmediate); // so that the client may see it alone
      }
    }
    link.client.end();
  }

  // How many of these bytes go next; 0 when others must come first.
  #piece(link, bytes) {
    const draw = this.random.below(3);
    const drawn = draw === 0 ? 1 + this.random.below(24) : draw === 1 ? 1 + this.random.below(2000) : bytes.length;
    let size = Math.min(drawn, Math.max(link.left, 1), bytes.length);
    while (size && size <= bytes.length && this.spare(link.seen + bytes.toString("latin1", 0, size), link.answer)) size++;
    return size <= bytes.length ? size : 0;
  }

  #cut(link) {
    this.cuts++;
    this.links.delete(link);
    link.server.destroy();
    const resets = inHead(link.seen) || (this.resets && this.random.below(2));
    this.log.push(`cut ${link.answer}${resets ? ", reset" : ""}: ${JSON.stringify(link.seen.slice(-60))}`);
    if (resets) link.client.resetAndDestroy();
    else link.client.end();
  }
}

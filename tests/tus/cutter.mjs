// A proxy for one upload, which cuts what its client asks and is answered. It stands where a network would: it may lose
// a request in its head or its body, an answer in its head, or both sides of a connection without telling either.
//
// Its cuts are drawn, { side, place, manner }, and come one after the other:
//
//   side "asked"      after `place` bytes of what the client sends, heads and bodies alike
//   side "answered"   in an answer's head, of which the share `place` is carried: of the `after`th that comes
//
//   manner "reset"    both sides see a failure
//   manner "end"      both see an end where none should be
//   manner "ghost"    only the client sees a failure. The server waits for the rest of the request, and gets what was on
//                     its way much later, when other requests have gone on with the upload
//   manner "stall"    nobody sees anything; whoever uploads is told by stalled()
//
// A body of an answer is never cut: the client in Node waits for its end for ever then. They have a line of text.

import { connect } from "node:net";
import { Relay, write } from "../stories/relay.mjs";

const headOf = (bytes) => bytes.toString("latin1").match(/^((GET|HEAD|POST|PATCH|DELETE|OPTIONS) \S+|HTTP\/1.1 \d+)/)?.[1];

export class Cutter extends Relay {
  constructor(world, dice, cuts, log) {
    super(world.url);
    Object.assign(this, { world, dice, cuts, log, ghosts: [], made: 0, waiting: [] });
    this.aim();
  }

  aim() {
    this.cut = this.cuts.shift();
    this.left = this.cut?.side === "asked" ? this.cut.place : this.cut?.after;
  }

  // Resolves when a connection stands still, of which nobody is told.
  stalled() {
    return new Promise((done) => this.waiting.push(done));
  }

  // From now on whoever uploads has no time to listen to that.
  stallsNot() {
    for (const cut of [this.cut, ...this.cuts]) if (cut?.manner === "stall") cut.manner = "ghost";
  }

  // A client that comes while the server is down waits, or fails.
  async accept(client) {
    client.on("error", () => {});
    if (!this.dice.one(4)) await this.world.up;
    if (!client.destroyed) super.accept(client);
  }

  async ask(link) {
    try {
      await this.#carry(link);
      if (!link.lost) link.server.end();
    } catch (error) {
      if (!link.lost) throw error; // or it is a ghost, and stays
    }
  }

  async #carry(link) {
    for await (const bytes of link.client) {
      if (link.lost) return;
      const head = headOf(bytes);
      if (head) this.log.push(`asks ${head}`);
      for (const piece of this.#pieces(bytes)) {
        const cut = this.cut?.side === "asked" && this.left <= piece.length;
        const part = cut ? piece.subarray(0, this.left) : piece;
        if (this.cut?.side === "asked") this.left -= part.length;
        await write(link.server, part);
        this.world.carried(part.length);
        if (cut) return this.#cut(link, bytes.subarray(piece.at + part.length));
      }
    }
  }

  async answer(link) {
    for await (const bytes of link.server) {
      if (link.lost) continue; // read, for the server to go on
      const head = headOf(bytes);
      if (head) {
        this.log.push(`answers ${head}`);
        this.world.answered();
        if (this.cut?.side === "answered" && --this.left <= 0) {
          const most = bytes.indexOf("\r\n\r\n") + 3;
          await write(link.client, bytes.subarray(0, Math.floor(most * this.cut.place)));
          this.#cut(link, Buffer.alloc(0));
          continue;
        }
        this.#haunt();
      }
      await write(link.client, bytes);
    }
    if (!link.lost) link.client.end();
  }

  // As it came, or in two, or many.
  *#pieces(bytes) {
    const ways = [bytes.length, 1 + this.dice.below(300), 1 + this.dice.below(bytes.length)];
    const first = this.dice.of(ways);
    for (const [from, to] of [[0, first], [first, bytes.length]]) {
      const piece = bytes.subarray(from, to);
      piece.at = from;
      if (piece.length) yield piece;
    }
  }

  #cut(link, rest) {
    const { side, manner } = this.cut;
    this.made++;
    this.aim();
    link.lost = true;
    this.log.push(`cut (${manner}) where it is ${side}`);
    if (manner === "reset") {
      link.client.resetAndDestroy();
      if (this.dice.one(2)) link.server.resetAndDestroy();
      else link.server.destroy();
    } else if (manner === "end") {
      link.client.end();
      link.server.end();
    } else {
      this.ghosts.push({ server: link.server, rest, after: 1 + this.dice.below(6) });
      if (manner === "ghost") link.client.resetAndDestroy();
      else this.waiting.splice(0).forEach((told) => told());
    }
  }

  // What was thought lost arrives, now and then.
  #haunt() {
    for (const ghost of this.ghosts) {
      if (--ghost.after !== 0 || !ghost.server.writable) continue;
      this.log.push(`a ghost sends ${ghost.rest.length} bytes`);
      ghost.server.write(ghost.rest);
      ghost.rest = Buffer.alloc(0);
    }
  }

  // All of it arrives, and the server has seen the last of it.
  async settle() {
    for (const { server, rest } of this.ghosts) {
      if (server.writable) server.end(rest);
      if (!server.closed) await new Promise((done) => server.on("close", done));
    }
    this.close();
  }
}

// A request that goes past every proxy: { status, headers, text }.
export function plain(url, method, path, headers = {}, body = "") {
  const { hostname, port } = new URL(url);
  return new Promise((done, fail) => {
    const socket = connect(Number(port), hostname);
    const lines = Object.entries({ Host: `${hostname}:${port}`, Connection: "close", ...headers })
      .map(([name, value]) => `${name}: ${value}\r\n`);
    socket.on("error", fail);
    socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
    socket.write(body);
    let text = "";
    socket.setEncoding("latin1").on("data", (data) => { text += data; });
    socket.on("end", () => {
      const [head, ...rest] = text.split("\r\n\r\n");
      const [line, ...fields] = head.split("\r\n");
      const pairs = fields.map((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 1).trim()]);
      done({ status: Number(line.split(" ")[1]), headers: Object.fromEntries(pairs), text: rest.join("\r\n\r\n") });
    });
  });
}

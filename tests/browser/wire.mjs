// A wire between browser and server, that can be bad: it holds a piece and all behind it, stalls, cuts, refuses.
//
// It carries connections, not requests; those that have carried a request for /events count as streams.

import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export class Wire {
  constructor(server) {
    this.port = Number(new URL(server).port);
    this.links = new Set();
    this.delay = () => 0; // ms, of the next piece of an answer and all behind it
    this.refuses = false; // who comes is cut off
    this.stalled = undefined; // while it stalls, a promise
    this.asked = 0; // for /events
    this.most = 0; // streams at the same time
    this.listener = createServer((client) => this.#link(client));
  }

  async listen() {
    this.listener.listen(0, "127.0.0.1");
    await once(this.listener, "listening");
    this.url = `http://127.0.0.1:${this.listener.address().port}`;
    return this;
  }

  get streams() {
    return [...this.links].filter((link) => link.streams).length;
  }

  // Nothing comes through, until go().
  stall() {
    this.stalled = new Promise((done) => {
      this.go = () => {
        this.stalled = undefined;
        done();
      };
    });
  }

  cut() {
    for (const { client, server } of this.links) {
      client.resetAndDestroy();
      server.destroy();
    }
  }

  close() {
    this.listener.close();
    this.cut();
  }

  #link(client) {
    if (this.refuses) return client.resetAndDestroy();
    const server = connect(this.port, "127.0.0.1");
    const link = { client, server, streams: false };
    this.links.add(link);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", () => {}); // its end is told by "close"
      socket.on("close", () => this.links.delete(link));
    }
    this.#ask(link).catch(() => server.destroy());
    this.#answer(link).catch(() => client.destroy());
  }

  async #ask(link) {
    const { client, server } = link;
    for await (const bytes of client) {
      await this.stalled;
      link.streams = bytes.includes(" /events");
      if (link.streams) {
        this.asked++;
        this.most = Math.max(this.most, this.streams);
      }
      server.write(bytes);
    }
    server.destroy(); // a browser that closes a stream wants no more of it
  }

  async #answer({ client, server }) {
    for await (const bytes of server) {
      const ms = this.delay(bytes);
      if (ms > 0) await sleep(ms);
      await this.stalled;
      if (!client.write(bytes)) await Promise.race([once(client, "drain"), once(client, "close")]);
      if (client.destroyed) return;
    }
    client.end();
  }
}

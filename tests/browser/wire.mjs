// A wire between browser and server, that can be bad: it holds a piece and all behind it, stalls, cuts, refuses.
//
// It carries connections, not requests; those that have carried a request for /events count as streams.

import { setTimeout as sleep } from "node:timers/promises";
import { Relay, write } from "../stories/relay.mjs";

export class Wire extends Relay {
  constructor(server) {
    super(server);
    this.delay = () => 0; // ms, of the next piece of an answer and all behind it
    this.refuses = false; // who comes is cut off
    this.stalled = undefined; // while it stalls, a promise
    this.asked = 0; // for /events
    this.most = 0; // streams at the same time
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

  accept(client) {
    if (this.refuses) client.resetAndDestroy();
    else super.accept(client);
  }

  async ask(link) {
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

  async answer({ client, server }) {
    for await (const bytes of server) {
      const ms = this.delay(bytes);
      if (ms > 0) await sleep(ms);
      await this.stalled;
      await write(client, bytes);
    }
    client.end();
  }
}

// What stands between clients and a server, and carries connections: a link for each. How what is asked and answered is
// carried is for those made of it to say, in `ask(link)` and `answer(link)`.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Relay {
  constructor(server) {
    this.port = Number(new URL(server).port);
    this.links = new Set();
    this.listener = createServer((client) => this.accept(client));
  }

  async listen() {
    this.listener.listen(0, "127.0.0.1");
    await once(this.listener, "listening");
    this.url = `http://127.0.0.1:${this.listener.address().port}`;
    return this;
  }

  close() {
    this.listener.close();
    for (const { client, server } of this.links) {
      client.destroy();
      server.destroy();
    }
  }

  accept(client) {
    const server = connect(this.port, "127.0.0.1");
    const link = { client, server };
    this.links.add(link);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", () => {}); // its end is told by "close"
      socket.on("close", () => this.links.delete(link));
    }
    // A side that fails ends the other: there is nobody to tell.
    this.ask(link).catch(() => server.destroy());
    this.answer(link).catch(() => client.destroy());
  }
}

// Throws when the other side is gone.
export async function write(socket, bytes) {
  if (!socket.write(bytes)) await Promise.race([once(socket, "drain"), once(socket, "close")]);
  if (socket.destroyed) throw new Error("closed");
}

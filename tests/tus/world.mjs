// The server that the uploads go to, which is killed and starts again at drawn moments, and what it leaves on its disk.

import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Server } from "../browser/lib.mjs";

const app = fileURLToPath(new URL("app.lua", import.meta.url));

export class World {
  constructor(dice) {
    this.dice = dice;
    this.folder = mkdtempSync(join(tmpdir(), "weir-tus-"));
    for (const name of ["root", "moved"]) mkdirSync((this[name] = join(this.folder, name)));
    this.ledgerFile = join(this.folder, "ledger");
    Object.assign(this, { boot: 0, kills: 0, log: "", killing: undefined });
    this.failed = new Promise((_, fail) => (this.fail = fail));
    this.failed.catch(() => {});
  }

  async start(listen = "127.0.0.1:0") {
    const env = { TUS_ROOT: this.root, TUS_MOVED: this.moved, TUS_LEDGER: this.ledgerFile, TUS_BOOT: `${++this.boot}` };
    const server = (this.server = new Server([app, "--workers", "2"], { listen, env }));
    await server.started;
    this.url = server.url;
    server.ended.then((code) => {
      if (!server.killed) this.fail(new Error(`the server ended by itself (${code}):\n${server.log}`));
    });
    this.#aim();
  }

  // It dies after so many bytes that clients have sent, or so many answers.
  #aim() {
    this.bytes = this.dice.one(2) ? this.dice.size(1, 6 << 20) : Infinity;
    this.answers = this.dice.size(1, 200);
  }

  carried(bytes) {
    if ((this.bytes -= bytes) <= 0) this.kill();
  }

  answered() {
    if (--this.answers <= 0) this.kill();
  }

  kill() {
    if (this.quiet) return this.killing;
    return (this.killing ??= this.#restart().finally(() => { this.killing = undefined; }));
  }

  async #restart() {
    this.kills++;
    let back;
    this.up = new Promise((done) => (back = done));
    await this.stop();
    await this.start(new URL(this.url).host).catch(this.fail);
    back();
  }

  async stop() {
    this.server.killed = true;
    await this.server.stop("SIGKILL");
    this.log += this.server.log;
  }

  // No more kills but one, after which it stands.
  async settle() {
    await this.killing;
    await this.kill();
    this.quiet = true;
  }

  // What the hooks have written, in order.
  ledger() {
    return readFileSync(this.ledgerFile, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }

  // The names in the folder of uploads.
  names() {
    return readdirSync(this.root);
  }

  async end() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

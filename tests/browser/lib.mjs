// What the browser tests stand on: TAP, a Weir in a process of its own, pages that report what goes wrong in them.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const weir = process.env.WEIR ?? join(root, "build/must/weir");
export const modules = process.env.NODE_MODULES ?? join(root, "build/node/node_modules");
const screenshots = process.env.SCREENSHOTS ?? join(root, "build/screenshots");
const { chromium } = createRequire(import.meta.url)(join(modules, "playwright-core"));

const tests = [];

// body(t): t.folder is an empty folder; t.serve, t.run and t.page open things that end with the test, and
// t.closes(end) has it end others.
export function test(name, body) {
  tests.push({ name, body });
}

// The whole browser; it takes three times what its shell takes, which has no back/forward cache.
export const whole = "/usr/bin/chromium";

const optionsOf = ({ args = [], ignoreDefaultArgs, executablePath = "/usr/bin/chromium-headless-shell" } = {}) => ({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic", ...args],
  ignoreDefaultArgs,
});

// A browser, with these arguments too, and without those that playwright gives it by itself.
const launch = (options) => chromium.launch(optionsOf(options));

// Those whose names contain one of the program's arguments, or all.
export async function runAll() {
  const chosen = tests.filter(({ name }) => process.argv.length < 3 || process.argv.slice(2).some((part) => name.includes(part)));
  const browser = await launch();
  mkdirSync(screenshots, { recursive: true });
  console.log(`1..${chosen.length}`);
  let failed = 0;
  // What a test that has failed did not wait for ends when its server does; who passes has left nothing.
  process.on("unhandledRejection", (error) => {
    failed++;
    console.log(String(error.stack ?? error).replace(/^/gm, "# left behind: "));
  });
  for (const [i, { name, body }] of chosen.entries()) {
    const t = new Context(browser);
    let error;
    try {
      await body(t);
      t.checkPages();
    } catch (caught) {
      error = caught;
    }
    await t.close().catch((caught) => { error ??= caught; });
    console.log(`${error ? "not ok" : "ok"} ${i + 1} - ${name}`);
    if (!error) continue;
    failed++;
    console.log(String(error.stack ?? error).replace(/^/gm, "# "));
    for (const line of [...t.remarks, ...t.problems]) console.log(line.replace(/^/gm, "# "));
    console.log(t.servers.map((server) => server.log).join("").replace(/^/gm, "# weir: "));
  }
  await browser.close();
  process.exitCode = failed ? 1 : 0;
}

class Context {
  constructor(browser) {
    this.browser = browser;
    this.folder = mkdtempSync(join(tmpdir(), "weir-browser-"));
    this.servers = [];
    this.contexts = [];
    this.problems = [];
    this.remarks = []; // shown when it fails
    this.ends = [];
  }

  closes(end) {
    this.ends.push(end);
  }

  // A file of this test's folder, with these lines.
  file(name, lines = []) {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
    return path;
  }

  // `weir serve ARGS`, once it listens. Options: env, cwd, listen.
  async serve(args, options = {}) {
    const server = new Server(args, options);
    this.servers.push(server);
    await server.started;
    return server;
  }

  // `weir ARGS` to its end, which must be good.
  run(args, cwd) {
    return new Promise((done, fail) => {
      const child = spawn(weir, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
      child.on("exit", (code) => (code === 0 ? done() : fail(new Error(`weir ${args.join(" ")}: exit code ${code}`))));
    });
  }

  // A browser of this test's own, for arguments that the others should not have.
  async launch(options) {
    const browser = await launch(options);
    this.closes(() => browser.close());
    return browser;
  }

  // A browser with the profile of a folder, as people have one: what it keeps is there when it is opened again.
  async profile(folder, options) {
    const context = await chromium.launchPersistentContext(folder, { ...optionsOf(options), viewport: { width: 1200, height: 720 } });
    this.closes(() => context.close());
    return context;
  }

  // A page in a fresh profile, before its first address. What it reports as an error fails the test, unless it
  // matches `expected`.
  async page({ expected, browser = this.browser, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 720 }, ...options });
    this.contexts.push(context);
    return this.tab(context, { expected });
  }

  // One more page of a profile.
  async tab(context, { expected } = {}) {
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on("pageerror", (error) => this.problems.push(`uncaught: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() !== "error" && message.type() !== "warning") return;
      if (!expected?.test(message.text())) this.problems.push(`${message.type()}: ${message.text()}`);
    });
    return page;
  }

  checkPages() {
    if (this.problems.length) throw new Error(`in the page:\n${this.problems.join("\n")}`);
  }

  async close() {
    for (const context of this.contexts) await context.close();
    for (const end of this.ends) await end();
    for (const server of this.servers) await server.stop("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class Server {
  constructor(args, { env = {}, cwd = root, listen = "127.0.0.1:0" }) {
    this.log = "";
    this.process = spawn(weir, ["serve", "--listen", listen, ...args], { cwd, env: { ...process.env, ...env } });
    this.process.stderr.on("data", (data) => { this.log += data; });
    this.ended = new Promise((done) => this.process.on("exit", done));
    this.started = new Promise((done, fail) => {
      const lines = createInterface({ input: this.process.stdout });
      lines.on("line", (line) => {
        this.url = line.match(/^weir: listening on (http:\S+)/)?.[1].replace(/\/$/, "");
        if (this.url) done();
      });
      this.ended.then((code) => fail(new Error(`weir serve ended (${code}) before it listened:\n${this.log}`)));
      setTimeout(fail, 10_000, new Error("weir serve: not listening after 10 s")).unref();
    });
    this.started.catch(() => {});
  }

  get address() {
    return this.url.replace("http://", "");
  }

  // Once its log has it.
  async says(pattern) {
    const signal = AbortSignal.timeout(20_000);
    while (!pattern.test(this.log)) await once(this.process.stderr, "data", { signal });
  }

  signal(name) {
    this.process.kill(name);
  }

  async stop(signal = "SIGTERM") {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill(signal);
      this.process.kill("SIGCONT");
    }
    return this.ended;
  }
}

export function append(path, ...lines) {
  appendFileSync(path, lines.map((line) => `${line}\n`).join(""));
}

export async function screenshot(page, name) {
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

// The pages of apps/monitor and apps/tokens in headless Chromium, beside those of run.mjs so that neither takes too long.
// Prints TAP; the environment is the same.

import { runAll } from "./lib.mjs";
import "./monitor.mjs";
import "./tokens_page.mjs";

await runAll();

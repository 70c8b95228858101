// weir.js in headless Chromium, beside the pages of run.mjs, whose variables it has. Prints TAP.

import { runAll } from "./lib.mjs";
import "./streams.mjs";
import "./tabs.mjs";

await runAll();

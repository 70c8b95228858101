// The page of apps/monitor without a page: numbers as people read them, and the arithmetic of its charts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pathsOf, placeAt, scaleFor } from "../../apps/monitor/public/chart.js";
import { bytes, show, span } from "../../apps/monitor/public/format.js";

test("monitor: numbers are short, and in their unit", () => {
  for (const [name, value, text] of [
    ["streams", 12345, "12,345"], ["load", 0.5, "0.5"], ["load", 12.345, "12"], ["requests", 0.25, "0.25/s"],
    ["requests", 1204.4, "1,204/s"], ["cpu", 0, "0 %"], ["cpu", 0.034, "3.4 %"], ["cpu", 0.345, "35 %"], ["cpu", 1, "100 %"],
    ["worker_cpu", 1.5, "150 %"], ["net_sent", 1536, "1.5 KB/s"], ["latency_p99", 0.0125, "12.5 ms"], ["unheard_of", 3, "3"],
    ["cpu", undefined, "–"], ["backlog", null, "–"],
  ]) {
    assert.equal(show(name, value), text, `${name} ${value}`);
  }
  assert.deepEqual([0, 999, 1000, 1024, 1048576, 1.5 * 2 ** 30, 2 ** 50].map(bytes),
    ["0 B", "999 B", "0.977 KB", "1 KB", "1 MB", "1.5 GB", "1,020 TB"]);
  assert.deepEqual([0, 0.0005, 0.999, 1, 9.5, 10, 119, 120, 7199, 7200, 172799, 172800].map(span),
    ["0 ms", "0.5 ms", "999 ms", "1 s", "9.5 s", "10 s", "119 s", "2 min", "120 min", "2 h", "48 h", "2 days"]);
});

test("monitor: a scale is a round number that is reached by all", () => {
  for (const [most, least, scale] of [[0, 1, 1], [1, 1, 1], [1.5, 1, 2], [3, 1, 5], [6, 1, 10], [100, 1, 100], [101, 1, 200], [0.03, 0.01, 0.05]]) {
    assert.ok(Math.abs(scaleFor(most, least, false) - scale) < 1e-9, `${most}`);
  }
  for (const [most, scale] of [[1025, 2048], [3 * 1024, 5 * 1024], [600 * 1024, 1000 * 1024], [1.2 * 2 ** 20, 2 * 2 ** 20]]) {
    assert.equal(scaleFor(most, 1024, true), scale);
  }
});

test("monitor: a line breaks where nothing was told, and what stands alone is a dot", () => {
  const store = [{ at: 0, a: 0 }, { at: 1, a: 10 }, { at: 2 }, { at: 3, a: 5 }, { at: 6, a: 10 }, { at: 60, b: 1 }];
  const { line, area } = pathsOf(store, "a", { scale: 10, reach: 60 });
  assert.equal(line, "M0 59L10 3L30 31M60 3h0");
  assert.equal(area, "M0 60L0 59L10 3L30 31L30 60ZM60 60L60 3L60 60Z");
  assert.deepEqual(pathsOf(store, "c", { scale: 10, reach: 60 }), { line: "", area: "" });
  assert.deepEqual([0, 30, 60].map((ago) => placeAt(ago, 60)), [600, 300, 0]);
});

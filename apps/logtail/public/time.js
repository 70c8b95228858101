// time: Unix seconds as people read them, here or in UTC, and the steps of a scale of time.

const two = (n) => String(n).padStart(2, "0");
const part = (date, utc, name) => (utc ? date[`getUTC${name}`]() : date[`get${name}`]());
const dayOf = (date, utc) => `${part(date, utc, "FullYear")}-${two(part(date, utc, "Month") + 1)}-${two(part(date, utc, "Date"))}`;

/** 13:04:05, or as long as `digits` says: 13:04:05.123. */
export function clock(seconds, utc, digits = 0) {
  const date = new Date(seconds * 1000);
  const time = ["Hours", "Minutes", "Seconds"].map((name) => two(part(date, utc, name))).join(":");
  return digits ? `${time}.${String(date.getUTCMilliseconds()).padStart(3, "0").slice(0, digits)}` : time;
}

/** 2026-11-30. */
export const day = (seconds, utc) => dayOf(new Date(seconds * 1000), utc);

/** As a row has it: `{ date, time, ms }`, without a date if it is today. */
export function stamp(seconds, utc, now = Date.now() / 1000) {
  const date = day(seconds, utc) === day(now, utc) ? "" : day(seconds, utc).slice(5), time = clock(seconds, utc, 3);
  return { date, time: time.slice(0, 8), ms: time.slice(8) };
}

/** Whole, for who wants to know exactly. */
export const full = (seconds, utc) => `${day(seconds, utc)} ${clock(seconds, utc, 3)}${utc ? " UTC" : ""}`;

/** The value of an input of the type datetime-local, and back; it has no zone of its own. */
export const toInput = (seconds, utc) => `${day(seconds, utc)}T${clock(seconds, utc)}`;
export const fromInput = (text, utc) => Date.parse(text + (utc ? "Z" : "")) / 1000;

/** What the URL holds, Unix seconds or ISO 8601, as seconds; undefined if it is neither. */
export function parse(text) {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  return Number.isFinite(seconds) ? seconds : undefined;
}

const steps = [0.001, 0.01, 0.1, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400];

/** The least step by which a span needs no more than `most` buckets. */
export function stepFor(span, most) {
  return steps.find((step) => Math.floor(span / step) + 2 <= most) ?? Math.ceil(span / (most - 2) / 86_400) * 86_400;
}

// format: numbers and times as people read them, each figure in its unit.

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 }).format;
const brief = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, useGrouping: true }).format;

const count = (value) => (value < 10 && !Number.isInteger(value) ? brief(value) : plain(value));
const percent = (value) => `${value < 0.1 ? (value * 100).toFixed(1).replace(/\.0$/, "") : Math.round(value * 100)} %`;
const perSecond = (value) => `${count(value)}/s`;

export function bytes(value) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? plain(value) : brief(value)} ${units[unit]}`;
}

/** A time that passes: of a request, or of a stream. */
export function span(seconds) {
  if (seconds < 1) return `${brief(seconds * 1000)} ms`;
  if (seconds < 10) return `${brief(seconds)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

const shares = ["cpu", "memory", "disk", "worker_cpu", "process_cpu", "lua_share"];
const sizes = ["memory_used", "memory_total", "disk_free", "backlog", "process_memory", "lua_memory"];
const traffic = ["disk_read", "disk_written", "net_received", "net_sent", "sent", "received"];
const rates = ["requests", "errors", "refused", "published", "delivered", "gaps", "lost", "stops", "reloads_failed", "log_dropped"];
const spans = ["latency_p50", "latency_p99", "turn_p50", "turn_p99", "busy"];

const units = new Map([[percent, shares], [bytes, sizes], [(value) => `${bytes(value)}/s`, traffic], [perSecond, rates], [span, spans]]
  .flatMap(([format, names]) => names.map((name) => [name, format])));

export const isBytes = (name) => sizes.includes(name) || traffic.includes(name);

/** A figure in its unit. */
export const show = (name, value) => (value === undefined || value === null ? "–" : (units.get(name) ?? count)(value));

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** The time of day; with the day, unless it is today. */
export function time(at) {
  const date = new Date(at * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}

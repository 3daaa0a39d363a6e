// format.js: numbers, times and durations for people.

export function duration(ns) {
  if (!Number.isFinite(ns)) return "";
  const a = Math.abs(ns);
  if (a === 0) return "0";
  if (a < 1e3) return `${Math.round(ns)} ns`;
  if (a < 1e6) return `${digits(ns / 1e3)} µs`;
  if (a < 1e9) return `${digits(ns / 1e6)} ms`;
  if (a < 120e9) return `${digits(ns / 1e9)} s`;
  if (a < 7200e9) return `${digits(ns / 60e9)} min`;
  return `${digits(ns / 3600e9)} h`;
}

function digits(x) {
  const a = Math.abs(x);
  return a >= 100 ? x.toFixed(0) : a >= 10 ? x.toFixed(1) : x.toFixed(2);
}

export function rate(x) {
  if (!Number.isFinite(x)) return "";
  if (x === 0) return "0";
  return x >= 1e6 ? `${digits(x / 1e6)} M` : x >= 1e4 ? `${digits(x / 1e3)} k` : x >= 0.1 ? digits(x) : x.toPrecision(1);
}

export function count(x) {
  return Number.isFinite(x) ? Math.round(x).toLocaleString("en-US").replaceAll(",", "\u202f") : "";
}

export function bytes(x) {
  if (x < 1024) return `${x} B`;
  const units = ["KiB", "MiB", "GiB"];
  let i = -1;
  do { x /= 1024; i++; } while (x >= 1024 && i < units.length - 1);
  return `${digits(x)} ${units[i]}`;
}

export function percent(x) {
  return !x ? "0 %" : x < 0.001 ? "< 0.1 %" : `${digits(100 * x)} %`;
}

const two = (n) => String(n).padStart(2, "0");

export function clock(us, fine) {
  const d = new Date(us / 1000);
  const base = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return fine ? `${base}.${String(Math.floor(us % 1e6)).padStart(6, "0").slice(0, fine)}` : base;
}

export function date(us) {
  const d = new Date(us / 1000);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(us)}`;
}

export function ago(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

// "10ms", "1.5 s", "200": microseconds; NaN: none. A bare number is milliseconds.
export function parseDuration(text) {
  const units = { ns: 1e-3, us: 1, "µs": 1, ms: 1e3, s: 1e6, m: 60e6, min: 60e6 };
  const match = /^\s*([\d.]+)\s*(ns|us|µs|ms|s|m|min)?\s*$/.exec(text);
  return match ? Number(match[1]) * (units[match[2]] ?? 1e3) : NaN;
}

// Colours of services: hues as far from each other as names go; the same name has the same everywhere.
// Not red, which says that something failed.
const HUES = [174, 262, 32, 210, 325, 90, 50, 290, 150, 190, 235, 70];
const given = new Map();

export function hue(name) {
  if (!given.has(name)) {
    let hash = 7;
    for (const c of name) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
    let place = hash % HUES.length;
    const used = new Set([...given.values()]);
    for (let i = 0; i < HUES.length && used.has(HUES[place]); i++) place = (place + 1) % HUES.length;
    given.set(name, HUES[place]);
  }
  return given.get(name);
}

// The quantile of calls of several rows: of all of them together, not of the rows' own. `rows`: with "buckets" as
// /api/usage gives them as pairs; `bounds`: its bounds_ns. As the agent does it (src/metrics/usage.c).
export function quantile(rows, bounds, q) {
  const sums = new Array(bounds.length + 1).fill(0);
  let all = 0, below = 0;
  for (const r of rows) for (const [i, n] of r.buckets) { sums[i] += n; all += n; }
  if (!all) return 0;
  for (let i = 0; i < bounds.length; i++) {
    const low = i ? bounds[i - 1] : bounds[0] / 2;
    if (sums[i] && below + sums[i] >= q * all) return low * (bounds[i] / low) ** ((q * all - below) / sums[i]);
    below += sums[i];
  }
  return bounds.at(-1);
}

// "nice" steps of an axis.
export function ticks(from, to, about) {
  const span = to - from;
  if (!(span > 0)) return [from];
  const raw = span / about, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((m) => m >= raw);
  const list = [];
  for (let t = Math.ceil(from / step) * step; t <= to + step * 1e-9; t += step) list.push(t);
  return list;
}

export function timeTicks(from, to, about) {
  const steps = [1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 10e6, 15e6, 30e6, 60e6, 120e6, 300e6, 600e6, 900e6, 1800e6, 3600e6, 7200e6];
  const step = steps.find((x) => (to - from) / x <= about) ?? 14400e6;
  const list = [];
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) list.push(t);
  return { list, label: (us) => clock(us, step < 1e3 ? 6 : step < 1e6 ? 3 : 0) };
}

// series.js: calls, errors and durations of any selection over time, from the counts of all calls.
import { get } from "./api.js";
import { empty, h, put } from "./dom.js";
import { fitted, histogram, lines } from "./chart.js";
import { count, duration, hue, rate } from "./format.js";
import { filters, nothingYet } from "./live.js";

export const title = "Series";
export const live = true;

const LABELS = ["device", "class", "client", "operation"], SHOWN = 10;
const STEPS = [1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 10e6, 15e6, 30e6, 60e6, 120e6, 300e6, 600e6, 1800e6, 3600e6];

export function mount(root, context) {
  const inputs = {}, results = h("div", { class: "results" }), chips = h("div", { class: "chips" });
  const field = (name) => h("label", null, h("span", null, name[0].toUpperCase() + name.slice(1)), (inputs[name] = h("input", { id: `s-${name}`, "data-find": name === "device" || undefined, list: `series-${name}`, autocomplete: "off", spellcheck: "false" })), h("datalist", { id: `series-${name}` }));
  const by = h("select", { id: "s-by", onchange: () => context.set({ by: by.value || undefined }) }, [["", "all together"], ...LABELS.map((l) => [l, `by ${l}`])].map(([v, t]) => h("option", { value: v }, t)));
  const form = h("form", { class: "card search", "aria-label": "Selection", onsubmit: (e) => { e.preventDefault(); context.set(Object.fromEntries(LABELS.map((l) => [l, inputs[l].value.trim() || undefined]))); } },
    h("div", { class: "fields" }, LABELS.map(field), h("label", null, h("span", null, "Lines"), by), h("button", { class: "primary", type: "submit" }, "Show")), chips);
  put(root, h("h1", { class: "hidden-text" }, "Series"), form, results);

  async function fill() {
    const p = context.params;
    for (const l of LABELS) if (document.activeElement !== inputs[l]) inputs[l].value = p[l] ?? "";
    by.value = p.by ?? "";
    put(chips, filters(context, LABELS));
    const names = await get("/api/names").catch(() => null);
    for (const [l, key] of [["device", "devices"], ["class", "classes"], ["client", "clients"], ["operation", "operations"]]) {
      const element = document.getElementById(`series-${l}`);
      if (names && element && element.childElementCount !== names[key].length) put(element, names[key].slice(0, 300).map((v) => h("option", { value: v })));
    }
  }

  async function update() {
    const p = context.params, range = context.range();
    // The edges stay where they are while time moves on: else the numbers of a bin would change.
    const least = context.info.recording ? 1e5 : 1e6; // the agent tells every second
    const step = STEPS.find((s) => s >= least && (range.to - range.from) / s <= 180) ?? 7200e6;
    const from = Math.floor(range.from / step) * step, to = Math.floor(range.to / step) * step + (range.rolls ? 0 : step);
    const select = Object.fromEntries(LABELS.map((l) => [l, p[l]]));
    const [usage, all] = await Promise.all([get("/api/usage", { ...select, from, to, step, by: p.by }), get("/api/usage", { ...select, from, to, buckets: 1 }), fill()]);
    if (!usage.rows.length) { put(results, LABELS.some((l) => p[l]) ? empty("No such calls in this time", "Nothing that was counted fits the selection. * and ? stand for anything.") : nothingYet(context, null)); return; }
    const sorted = [...usage.rows].sort((a, b) => b.calls - a.calls), rows = sorted.slice(0, SHOWN);
    const name = (r) => (p.by ? r[p.by] || "(none)" : "all"), seconds = step / 1e6;
    const bins = Math.round((to - from) / step);
    const line = (r, value, zero) => {
      const known = new Map(r.bins.map((b) => [b.bin, b])), points = [];
      for (let i = 0; i < bins; i++) { const b = known.get(i); if (b || (zero && from + (i + 1) * step > context.info.oldest_us)) points.push([from + (i + 0.5) * step, b ? value(b) : 0]); }
      return points;
    };
    const colour = (r, i) => (p.by ? { hue: hue(name(r)) } : {});
    const onzoom = (a, b) => context.zoom(a, b);
    const chart = (heading, label, list, format) => h("section", { class: "card", "aria-label": heading }, h("h2", null, heading), fitted((width) => lines({ width, from, to, list, format, label, gap: step * 2.5, onzoom })));
    const key = p.by && h("p", { class: "legend" }, rows.map((r) => h("button", { class: "link", onclick: () => context.set({ [p.by]: name(r), by: undefined }) }, h("span", { class: "swatch", vars: { "--hue": hue(name(r)) } }), name(r))), sorted.length > SHOWN && h("span", { class: "quiet" }, `and ${sorted.length - SHOWN} with fewer calls`));
    const errors = rows.filter((r) => r.errors);
    const latency = p.by ? rows.map((r, i) => ({ name: `${name(r)} p95`, points: line(r, (b) => b.p95), ...colour(r, i) }))
      : ["p50", "p95", "p99"].map((q) => ({ name: q, class: q, points: line(rows[0], (b) => b[q]) }));
    put(results, key,
      chart("Calls per second", "calls per second over time", rows.map((r, i) => ({ name: name(r), points: line(r, (b) => b.calls / seconds, true), ...colour(r, i) })), rate),
      errors.length ? chart("Errors per second", "errors per second over time", errors.map((r, i) => ({ name: name(r), class: p.by ? "" : "bad", points: line(r, (b) => b.errors / seconds, true), ...colour(r, i) })), rate) : h("section", { class: "card" }, h("h2", null, "Errors per second"), h("p", { class: "quiet" }, "No call of this selection failed in this time.")),
      chart(p.by ? "Duration, 95th percentile" : "Duration", "durations over time", latency, duration),
      h("section", { class: "card", "aria-label": "How long calls took" }, h("div", { class: "head" }, h("h2", null, "How long calls took"), h("span", { class: "quiet" }, `${count(all.rows[0].calls)} calls`)),
        fitted((width) => histogram({ width, bounds: all.bounds_ns, buckets: all.rows[0].buckets, label: "histogram of durations", marks: ["p50", "p95", "p99"].map((q, row) => ({ name: `${q} ${duration(all.rows[0][q])}`, ns: all.rows[0][q], row })) }))));
  }

  return { update };
}

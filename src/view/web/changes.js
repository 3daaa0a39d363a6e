// changes.js: the map over time: what came, went, got slower or began to fail since a chosen moment.
import { get } from "./api.js";
import { empty, h, put, table } from "./dom.js";
import { clock, duration, percent, rate } from "./format.js";
import { graph } from "./graph.js";
import { graphOf, nothingYet, tooShort } from "./live.js";

export const title = "Changes";
export const live = true;

const SLOWER = 1.5, LEAST_NS = 50e3, LEAST_CALLS = 5, FAILING = 0.01;
const NAMES = { came: "new", went: "gone", failing: "began to fail", slower: "slower", healed: "fails no more", faster: "faster" };

// What became of it, the worst first; undefined: much the same.
export function judge(before, after) {
  if (!before?.calls) return after?.calls ? "came" : undefined;
  if (!after?.calls) return "went";
  const was = before.errors / before.calls, is = after.errors / after.calls;
  if (is > was + FAILING && is > was * 1.5) return "failing";
  if (before.calls >= LEAST_CALLS && after.calls >= LEAST_CALLS) {
    if (after.p95 > before.p95 * SLOWER && after.p95 - before.p95 > LEAST_NS) return "slower";
    if (before.p95 > after.p95 * SLOWER && before.p95 - after.p95 > LEAST_NS) return "faster";
  }
  return was > is + FAILING && was > is * 1.5 ? "healed" : undefined;
}

export function mount(root, context) {
  let sort = { key: "what", down: false };
  const slider = h("input", { type: "range", min: "2", max: "98", value: context.params.at ?? "50", id: "moment", "aria-describedby": "moment-text", oninput: () => context.set({ at: slider.value }, true) });
  const text = h("output", { id: "moment-text", for: "moment" }), results = h("div", { class: "results" });
  put(root, h("h1", { class: "hidden-text" }, "Changes"),
    h("div", { class: "card moment" }, h("label", { for: "moment" }, "Compare before and after"), slider, text), results);

  async function update() {
    const range = context.range();
    range.from = Math.max(range.from, Math.min(context.info.counted_us, range.to)); // before that nobody looked
    const at = range.from + (range.to - range.from) * Number(context.params.at ?? 50) / 100, by = "device,class,client";
    const [before, after, ops0, ops1] = await Promise.all([get("/api/usage", { from: range.from, to: at, by, buckets: "pairs" }), get("/api/usage", { from: at, to: range.to, by, buckets: "pairs" }),
      get("/api/usage", { from: range.from, to: at, by: "device,operation" }), get("/api/usage", { from: at, to: range.to, by: "device,operation" })]);
    const fine = range.to - range.from < 30e6 ? 3 : 0;
    text.textContent = `${clock(range.from, fine)} to ${clock(at, fine)} against ${clock(at, fine)} to ${clock(range.to, fine)}`;
    slider.setAttribute("aria-valuetext", clock(at));
    if (!before.rows.length && !after.rows.length) { put(results, nothingYet(context, null)); return; }
    const s0 = (at - range.from) / 1e6, s1 = (range.to - at) / 1e6;
    const a = graphOf(before.rows, "device", s0, before.bounds_ns), b = graphOf(after.rows, "device", s1, after.bounds_ns);
    const nodes = new Map(a.nodes.map((n) => [n.id, n])), now = new Map(b.nodes.map((n) => [n.id, n]));
    const edge = (e) => `${e.from}\0${e.to}`, e0 = new Map(a.edges.map((e) => [edge(e), { ...e, errors: e.errors_ }])), e1 = new Map(b.edges.map((e) => [edge(e), { ...e, errors: e.errors_ }]));
    const all = [...new Map([...nodes, ...now]).keys()].map((id) => {
      const x = nodes.get(id), y = now.get(id), what = x && y ? (x.calls && y.calls ? undefined : x.calls || y.calls ? judge(x, y) : undefined) : y ? "came" : "went";
      return { ...(y ?? x), class: what ?? "same", sub: what ? NAMES[what] : (y ?? x).sub, error: false };
    });
    const edges = [...new Set([...e0.keys(), ...e1.keys()])].map((k) => {
      const x = e0.get(k), y = e1.get(k), what = judge(x, y), e = y ?? x;
      return { ...e, rate: e.calls / (y ? s1 : s0), errors: 0, class: what ?? "same", label: what ? NAMES[what] : "", title: `${rate((x?.calls ?? 0) / s0)}/s, p95 ${duration(x?.p95 ?? 0)} before; ${rate((y?.calls ?? 0) / s1)}/s, p95 ${duration(y?.p95 ?? 0)} after` };
    });
    const k = (r) => `${r.device}\0${r.operation}`, o0 = new Map(ops0.rows.map((r) => [k(r), r])), o1 = new Map(ops1.rows.map((r) => [k(r), r]));
    const list = [...new Set([...o0.keys(), ...o1.keys()])].map((key) => ({ x: o0.get(key), y: o1.get(key), r: o1.get(key) ?? o0.get(key), what: judge(o0.get(key), o1.get(key)) })).filter((c) => c.what);
    const order = Object.keys(NAMES);
    put(results, tooShort(Math.min(s0, s1)),
      h("section", { class: "card", "aria-labelledby": "changes-map" }, h("div", { class: "head" }, h("h2", { id: "changes-map" }, "Devices and who calls them"), h("p", { class: "legend" }, ["came", "went", "slower", "failing"].map((w) => h("span", { class: `what ${w}` }, NAMES[w])))),
        h("div", { class: "map" }, all.length > 120 ? h("p", { class: "quiet" }, `${all.length} nodes are too many for a picture; the table has what changed.`) : graph({ nodes: all, edges, label: "Map of what changed", onpick: (n) => context.go("series", n.client ? { client: `${n.id}*` } : { device: n.id }) }))),
      h("section", { class: "card", "aria-labelledby": "changes-list" }, h("h2", { id: "changes-list" }, "Operations that changed"),
        list.length ? table({
          caption: "Operations that changed", sort, onsort: (to) => { sort = to; update(); }, rows: list, onrow: (c) => context.go("series", { device: c.r.device, operation: c.r.operation }), rowLabel: (c) => `series of ${c.r.operation} of ${c.r.device}`,
          columns: [
            { key: "device", label: "Device", value: (c) => c.r.device || "(none)" }, { key: "operation", label: "Operation", value: (c) => c.r.operation },
            { key: "what", label: "What", value: (c) => order.indexOf(c.what), cell: (c) => h("span", { class: `what ${c.what}` }, NAMES[c.what]) },
            { key: "r0", label: "Calls/s before", number: true, value: (c) => (c.x?.calls ?? 0) / s0, cell: (c) => rate((c.x?.calls ?? 0) / s0) }, { key: "r1", label: "after", number: true, value: (c) => (c.y?.calls ?? 0) / s1, cell: (c) => rate((c.y?.calls ?? 0) / s1) },
            { key: "p0", label: "p95 before", number: true, value: (c) => c.x?.p95 ?? 0, cell: (c) => duration(c.x?.p95 ?? NaN) }, { key: "p1", label: "after", number: true, value: (c) => c.y?.p95 ?? 0, cell: (c) => duration(c.y?.p95 ?? NaN) },
            { key: "f0", label: "Failed before", number: true, value: (c) => (c.x ? c.x.errors / c.x.calls : 0), cell: (c) => percent(c.x ? c.x.errors / c.x.calls : 0) }, { key: "f1", label: "after", number: true, value: (c) => (c.y ? c.y.errors / c.y.calls : 0), cell: (c) => percent(c.y ? c.y.errors / c.y.calls : 0) },
          ],
        }) : empty("Nothing changed", "The same devices were asked by the same clients, about as fast as before, and no more of them failed. Move the slider, or widen the time range.")));
  }

  return { update };
}

// traces.js: search by form and by query; results over time, and as a table.
import { Refused, get } from "./api.js";
import { announce, code, empty, h, put, table } from "./dom.js";
import { fitted, histogram, scatter } from "./chart.js";
import { clock, count, duration, hue, parseDuration } from "./format.js";
import { nothingYet } from "./live.js";

export const title = "Traces";
export const live = true;

const FIELDS = [["service", "Service", "services"], ["device", "Device", "devices"], ["operation", "Operation", "operations"], ["client", "Client", "clients"]];
const OPERATIONS = 6; // of which a histogram is drawn
const EXAMPLES = [
  ["{ status = error }", "what failed"],
  ["{ duration > 10ms }", "spans longer than that"],
  ['{ resource.service.name = "TangoTest" && duration > 1ms }', "slow ones of one class"],
  ['{ .tango.operation.name =~ "read.*" && kind = server }', "reads, as the server saw them"],
  ['{ traceDuration > 20ms && rootServiceName != "" }', "long traces whose root is known"],
];

export function mount(root, context) {
  let names = { devices: [], classes: [], clients: [], operations: [] }, sort = { key: "start", down: true }, running = null, last = null;
  const results = h("div", { class: "results" }), problem = h("div", { class: "problem", id: "query-problem", role: "alert" });
  const query = h("input", { id: "query", type: "search", "data-find": true, spellcheck: "false", autocomplete: "off", placeholder: '{ resource.service.name = "TangoTest" && duration > 10ms }', "aria-describedby": "query-problem", oninput: () => check() });
  const inputs = {};
  const field = (name, label, list, attrs) => {
    inputs[name] = h("input", { id: `f-${name}`, list: list && `names-${list}`, autocomplete: "off", spellcheck: "false", ...attrs });
    return h("label", null, h("span", null, label), inputs[name], list && h("datalist", { id: `names-${list}` }));
  };
  inputs.status = h("select", { id: "f-status" }, [["", "any"], ["error", "failed"], ["ok", "fine"]].map(([v, t]) => h("option", { value: v }, t)));
  const form = h("form", { class: "card search", "aria-label": "Search for traces", onsubmit: (e) => { e.preventDefault(); submit(); } },
    h("div", { class: "query" }, h("label", { for: "query" }, "Query"), h("div", { class: "grow" }, query, problem), h("button", { class: "primary", type: "submit" }, "Search"), h("button", { type: "button", class: "tool", onclick: clear }, "Clear")),
    h("div", { class: "fields" }, FIELDS.map(([n, l, list]) => field(n, l, list)), field("min", "At least", null, { placeholder: "10ms", size: 7 }), field("max", "At most", null, { placeholder: "1s", size: 7 }),
      h("label", null, h("span", null, "Status"), inputs.status), field("text", "Text", null, { placeholder: "in names, errors, attributes" })),
    h("details", { class: "help" }, h("summary", null, "How to ask"),
      h("p", null, "A query is what Tempo calls a spanset filter, in braces: comparisons of intrinsics (", ["name", "status", "kind", "duration", "rootServiceName", "traceDuration"].map((n, i) => [i ? ", " : "", code(n)]), ") and of attributes (", code(".tango.operation.target"), ", ", code("resource.service.name"), "), with ", code("&&"), ", ", code("||"), ", ", code("!"), ", ", code("=~"), ". One span must satisfy all of it. The fields above take ", code("*"), " and ", code("?"), "."),
      h("ul", null, EXAMPLES.map(([q, t]) => h("li", null, h("button", { type: "button", class: "link", onclick: () => { query.value = q; submit(); } }, q), ` ${t}`)))));
  put(root, h("h1", { class: "hidden-text" }, "Traces"), form, results);

  const checked = { timer: 0 };
  function check() {
    clearTimeout(checked.timer);
    checked.timer = setTimeout(async () => {
      const text = query.value.trim();
      try {
        if (text) await get("/api/query", { q: text });
        explain(null);
      } catch (error) {
        if (error instanceof Refused && error.status === 400) explain(error);
      }
    }, 250);
  }

  // The place of the error below the query, as a compiler shows it.
  function explain(error) {
    query.setAttribute("aria-invalid", error ? "true" : "false");
    if (!error) { put(problem); return; }
    const text = query.value.trim(), at = [...new TextDecoder().decode(new TextEncoder().encode(text).slice(0, error.position ?? 0))].length;
    const from = Math.max(0, at - 50);
    put(problem, h("pre", { "aria-hidden": "true" }, `${from ? "…" : ""}${[...text].slice(from, from + 110).join("")}\n${" ".repeat(at - from + (from ? 1 : 0))}▲`), h("span", null, `${error.message} `), h("span", { class: "hidden-text" }, `at character ${at + 1}`));
  }

  function values() {
    const p = { q: query.value.trim() };
    for (const [n, input] of Object.entries(inputs)) p[n] = input.value.trim();
    for (const n of ["min", "max"]) {
      const us = p[n] ? parseDuration(p[n]) : 0;
      inputs[n].setCustomValidity(Number.isNaN(us) ? "a time: 500us, 10ms, 2s" : "");
      if (!inputs[n].reportValidity()) return null;
    }
    return p;
  }

  function submit() {
    const p = values();
    if (!p) return;
    context.set(Object.fromEntries(Object.entries(p).map(([k, v]) => [k, v || undefined])));
  }

  function clear() {
    for (const input of [query, ...Object.values(inputs)]) input.value = "";
    submit();
  }

  function fill() {
    const p = context.params;
    if (document.activeElement !== query) query.value = p.q ?? "";
    for (const [n, input] of Object.entries(inputs)) if (document.activeElement !== input) input.value = p[n] ?? "";
  }

  async function fetchNames() {
    names = await get("/api/names").catch(() => names);
    const lists = { ...names, services: [...new Set([...names.classes, ...names.clients.map((c) => c.replace(/ \S+:\d+$/, ""))])] };
    for (const [key, list] of Object.entries(lists)) {
      const element = document.getElementById(`names-${key}`);
      if (element && element.childElementCount !== list.length) put(element, list.slice(0, 300).map((v) => h("option", { value: v })));
    }
  }

  function draw(traces, range, whole, usage) {
    if (!traces.length) {
      const narrow = ["q", "service", "device", "operation", "client", "min", "max", "status", "text"].some((n) => context.params[n]);
      put(results, narrow || context.params.from ? empty("Nothing found", "No span of this time satisfies all of it.", "Take away a condition, or widen the time range above.") : nothingYet(context, null));
      return;
    }
    const points = traces.map((t) => ({ id: t.id, t: t.start_us, v: t.duration_ns, error: t.errors > 0, size: t.spans, title: `${t.root?.title ?? "(no root)"} · ${duration(t.duration_ns)} · ${t.spans} spans` }));
    const open = (t) => context.go("trace", { span: t.matched < t.spans ? t.span?.id : undefined }, [t.id]);
    put(results,
      h("section", { class: "card", "aria-labelledby": "scatter-title" }, h("div", { class: "head" }, h("h2", { id: "scatter-title" }, "Duration over time"), h("span", { class: "quiet" }, `${count(traces.length)} traces${whole ? "" : ", and more that are older"} · drag to zoom · a cross is an error`)),
        fitted((width) => scatter({ width, from: range.from, to: range.to, points, label: `${traces.length} traces by time and duration; the table below has the same`, onpick: (id) => open(traces.find((t) => t.id === id)),
          onzoom: (z) => context.zoom(z.from, z.to, z.min ? { min: `${Math.floor(z.min / 1000)}us`, max: `${Math.ceil(z.max / 1000)}us` } : {}) }))),
      usage && histograms(usage),
      h("section", { class: "card", "aria-label": "Traces found" }, table({
        caption: "Traces found", sort, onsort: (to) => { sort = to; draw(traces, range, whole, usage); }, rows: traces, onrow: open, rowLabel: (t) => `trace ${t.root?.title ?? t.id}`,
        columns: [
          { key: "root", label: "Trace", value: (t) => t.root?.title ?? "", cell: (t) => [h("span", { class: "swatch", vars: { "--hue": hue(t.root?.service ?? "?") } }), t.root ? `${t.root.service}: ${t.root.title}` : "(its root is not here)", t.span && t.span.title !== t.root?.title ? h("span", { class: "quiet" }, ` › ${t.span.title}`) : null] },
          { key: "device", label: "Device", value: (t) => t.root?.device ?? t.span?.device ?? "" },
          { key: "start", label: "Start", number: true, value: (t) => t.start_us, cell: (t) => clock(t.start_us, 3) },
          { key: "duration", label: "Duration", number: true, value: (t) => t.duration_ns, cell: (t) => duration(t.duration_ns) },
          { key: "spans", label: "Spans", number: true, value: (t) => t.spans },
          { key: "services", label: "Services", value: (t) => t.services.join(", ") },
          { key: "errors", label: "Errors", value: (t) => t.errors, cell: (t) => (t.errors ? h("span", { class: "bad", title: t.span?.message ?? t.root?.message }, `✕ ${t.root?.message ?? t.span?.message ?? t.errors}`) : ""), class: "wide" },
        ],
      })));
  }

  // One for each operation of the selection, those with the most calls.
  function histograms(usage) {
    const all = usage.rows.filter((r) => r.calls > 1).sort((a, b) => b.calls - a.calls), rows = all.slice(0, OPERATIONS), alone = rows.length === 1;
    const one = (r) => fitted((width) => histogram({ width, height: alone ? 120 : 96, bounds: usage.bounds_ns, buckets: r.buckets, label: `histogram of durations of ${r.operation}`, marks: ["p50", "p95", "p99"].map((q, row) => ({ name: alone ? `${q} ${duration(r[q])}` : q, ns: r[q], row })) }));
    if (!rows.length) return null;
    return h("section", { class: "card", "aria-labelledby": "histogram-title" },
      h("div", { class: "head" }, h("h2", { id: "histogram-title" }, alone ? `How long calls of ${rows[0].operation} took` : "How long calls of each operation took"),
        h("span", { class: "quiet" }, `${count(rows.reduce((n, r) => n + r.calls, 0))} calls of ${alone ? "it" : `the ${rows.length} operations with the most`}, sampled or not`)),
      alone ? one(rows[0]) : h("div", { class: "multiples" }, rows.map((r) => h("div", null, h("button", { class: "link", onclick: () => context.set({ operation: r.operation }) }, r.operation), h("span", { class: "quiet" }, ` ${count(r.calls)} calls, p95 ${duration(r.p95)}`), one(r)))));
  }

  async function update() {
    fill();
    running?.abort();
    running = new AbortController();
    const p = context.params, range = context.range(), signal = running.signal;
    const us = (text) => (text ? parseDuration(text) : undefined);
    const ask = { q: p.q, service: p.service, device: p.device, operation: p.operation, client: p.client, text: p.text, status: p.status, min: us(p.min), max: us(p.max), from: range.from, to: range.to, limit: 300 };
    results.setAttribute("aria-busy", "true");
    try {
      // Counts know nothing of what only spans have.
      const counted = p.device || p.operation || p.client || p.service || !["q", "min", "max", "status", "text"].some((n) => p[n]);
      const [found, usage] = await Promise.all([get("/api/traces", ask, signal),
        counted && get("/api/usage", { from: range.from, to: range.to, device: p.device, operation: p.operation, class: p.service, client: p.client && `${p.client}*`, by: "operation", buckets: 1 }, signal), fetchNames()]);
      explain(null);
      draw(found.traces, range, found.whole, usage);
      const text = `${found.traces.length} traces`;
      if (last !== text && !range.rolls) announce(text);
      last = text;
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 400) throw error;
      explain(error);
      put(results, empty("The query is not right", error.message));
    } finally {
      results.setAttribute("aria-busy", "false");
    }
  }

  return { update, leave: () => running?.abort() };
}

// live.js: what happens now: calls, errors, durations, who calls whom, what is open.
import { get } from "./api.js";
import { code, empty, h, put, table } from "./dom.js";
import { count, duration, quantile, rate } from "./format.js";
import { graph } from "./graph.js";

export const title = "Live";
export const live = true;

// Devices whose class is known belong to it; others are themselves.
export function nodesOf(rows, level) {
  const classes = new Map(rows.filter((r) => r.class).map((r) => [r.device, r.class]));
  const server = (device, cls) => (level === "class" ? cls || classes.get(device) || device || "not known" : device || "not known");
  const client = (name) => (classes.has(name) ? server(name, classes.get(name)) : level === "class" ? name.replace(/ \S+:\d+$/, "") : name);
  return { server, client, isDevice: (name) => classes.has(name) };
}

const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 };

// Rows by device, class and client become nodes and edges. `seconds`: the rates' time; `bounds`: of their buckets.
export function graphOf(rows, level, seconds, bounds) {
  const name = nodesOf(rows, level), nodes = new Map(), edges = new Map();
  const node = (id, client) => {
    if (!nodes.has(id)) nodes.set(id, { id, label: id, client, calls: 0, errors: 0, devices: new Set(), rows: [] });
    return nodes.get(id);
  };
  for (const r of rows) {
    const to = name.server(r.device, r.class), from = name.client(r.client), key = `${from}\0${to}`;
    const a = node(from, !name.isDevice(r.client)), b = node(to, false);
    b.client = false;
    b.calls += r.calls; b.errors += r.errors; b.devices.add(r.device); b.rows.push(r);
    a.asks = (a.asks ?? 0) + r.calls;
    const e = edges.get(key) ?? { from, to, calls: 0, errors_: 0, ns: 0, rows: [] };
    e.calls += r.calls; e.errors_ += r.errors; e.ns += r.ns; e.rows.push(r);
    edges.set(key, e);
  }
  for (const x of [...edges.values(), ...nodes.values()]) for (const q of ["p50", "p95"]) x[q] = quantile(x.rows, bounds, QUANTILES[q]);
  for (const e of edges.values()) { e.rate = e.calls / seconds; e.errors = e.errors_ / seconds; }
  for (const n of nodes.values()) {
    n.error = n.errors > 0;
    n.sub = n.calls ? `${rate(n.calls / seconds)}/s${n.errors ? `, ${rate(n.errors / seconds)} failed` : ""}` : `asks ${rate(n.asks / seconds)}/s`;
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

export function filters(context, names) {
  return names.filter((n) => context.params[n]).map((n) =>
    h("button", { class: "chip", onclick: () => context.set({ [n]: undefined }), "aria-label": `Remove the filter ${n} ${context.params[n]}` }, `${n}: ${context.params[n]}`, h("span", { "aria-hidden": "true" }, " ×")));
}

// Calls that have not ended, the oldest first.
export function openCalls(list, onrow) {
  return table({
    caption: "Open calls by age", sort: { key: "age", down: true }, onsort() {}, rows: [...list].sort((a, b) => b.age_seconds - a.age_seconds).slice(0, 30),
    onrow, rowLabel: (c) => `trace of the open call ${c.operation}`,
    columns: [
      { key: "age", label: "Age", number: true, value: (c) => c.age_seconds, cell: (c) => duration(c.age_seconds * 1e9) },
      { key: "operation", label: "Operation", value: (c) => c.operation }, { key: "device", label: "Device", value: (c) => c.device },
      { key: "process", label: "Process", value: (c) => `${c.process} (${c.pid})` }, { key: "side", label: "Side", value: (c) => c.side }, { key: "waits", label: "Waits for", value: (c) => c.waits_for },
    ],
  });
}

function tile(name, value, kind) {
  return h("div", { class: `tile ${kind ?? ""}` }, h("dt", null, name), h("dd", null, value));
}

// Calls are counted once a second.
export function tooShort(seconds) {
  return seconds < 5 ? h("p", { class: "quiet" }, "Calls are counted once a second: over so short a time rates are not exact. Traces has each call with its own times.") : null;
}

export function nothingYet(context, processes) {
  if (context.info.recording)
    return context.info.store?.points ? empty("No calls in this time", "The recording has calls at other times: widen the range.")
      : empty("The recording has no calls", "No traced function was called while it was made, or none of its processes was selected.");
  const all = processes?.processes ?? [], selected = all.filter((p) => p.selected);
  if (processes && !all.length)
    return empty("No Tango program runs on this host", h("span", null, "tangotrace looks at every process whose memory maps a library that exports cppTango; it will trace new ones as they start. ", code("make demo"), " starts a small Tango system to look at."),
      h("span", null, "Is one running that should be seen? ", code("sudo tangotrace doctor PID"), " says what it lacks."));
  if (processes && !selected.length)
    return empty("None of the Tango programs is selected", `${all.length} run on this host, and the rules of --select and --exclude leave all of them out.`, h("span", null, "The ", h("a", { href: context.href("agent") }, "Agent"), " view says by which rule."));
  return empty("No calls in this time", selected.length ? `${selected.length} processes are traced, and none of them made or got a call.` : "Waiting for what the agent finds.", "What happens shows up here within a second or two.");
}

export function mount(root, context) {
  let sort = { key: "rate", down: true };
  const level = () => context.params.level ?? "class";
  const box = { tiles: h("dl", { class: "tiles" }), chips: h("div", { class: "chips" }), map: h("div", { class: "map" }), table: h("div"), open: h("div") };
  const nothing = h("div", { hidden: true });
  const levels = h("div", { class: "segment", role: "group", "aria-label": "Nodes of the map" });
  const body = h("div", { class: "live" }, box.tiles, box.chips,
    h("section", { class: "card", "aria-labelledby": "map-title" }, h("div", { class: "head" }, h("h2", { id: "map-title" }, "Who calls whom"), levels), box.map),
    h("section", { class: "card", "aria-labelledby": "devices-title" }, h("h2", { id: "devices-title" }, "Devices"), box.table),
    h("section", { class: "card", "aria-labelledby": "open-title" }, h("h2", { id: "open-title" }, "Open calls"), box.open));
  put(root, h("h1", { class: "hidden-text" }, "Live"), nothing, body);

  function showLevels() {
    put(levels, ["class", "device"].map((l) => h("button", { "aria-pressed": String(level() === l), onclick: () => context.set({ level: l, node: undefined }) }, l === "class" ? "classes" : "devices")));
  }

  function pick(node, rows) {
    const same = context.params.node === node.id;
    context.set({ node: same ? undefined : node.id });
  }

  function showOpen(calls) {
    if (context.info.recording) { put(box.open, h("p", { class: "quiet" }, "A recording has ended: nothing is open.")); return; }
    const list = (calls?.calls ?? []).filter((c) => c.side === "client" || !c.client);
    if (!list.length) { put(box.open, h("p", { class: "quiet" }, "No call is open right now. One that hangs shows up here, with what it waits for.")); return; }
    put(box.open, openCalls(list, (c) => c.trace_id && context.go("trace", {}, [c.trace_id])));
  }

  async function update() {
    const range = context.range(), seconds = Math.max((range.to - Math.max(range.from, context.info.counted_us)) / 1e6, 1e-3);
    const p = context.params;
    const ask = { from: range.from, to: range.to, by: "device,class,client", buckets: "pairs", device: p.device, class: p.class, client: p.client };
    const [usage, calls, processes] = await Promise.all([get("/api/usage", ask), context.info.recording ? null : get("/api/state/calls").catch(() => null),
      context.info.recording ? null : get("/api/state/processes").catch(() => null)]);
    let rows = usage.rows;
    showLevels();
    put(box.chips, filters(context, ["device", "class", "client", "node"]), tooShort(seconds));
    const none = !rows.length && !p.device && !p.class && !p.client;
    body.hidden = none;
    nothing.hidden = !none;
    put(nothing, none ? nothingYet(context, processes) : null);
    if (none) return;
    const whole = graphOf(rows, level(), seconds, usage.bounds_ns);
    const names = nodesOf(rows, level());
    const node = p.node;
    if (node) rows = rows.filter((r) => names.server(r.device, r.class) === node || names.client(r.client) === node);
    const sum = (key) => rows.reduce((n, r) => n + r[key], 0);
    const open = (calls?.calls ?? []).filter((c) => c.side === "client").length;
    put(box.tiles, tile("Calls/s", rate(sum("calls") / seconds)), tile("Errors/s", rate(sum("errors") / seconds), sum("errors") ? "bad" : ""),
      Object.entries(QUANTILES).map(([name, q]) => tile(name, duration(quantile(rows, usage.bounds_ns, q)))),
      tile("Open calls", context.info.recording ? "–" : count(open)), tile("Devices", count(new Set(rows.map((r) => r.device).filter(Boolean)).size)));
    put(box.map, !whole.nodes.length ? h("p", { class: "quiet" }, "No call matches.") : whole.nodes.length > 120 ? h("p", { class: "quiet" }, `${whole.nodes.length} nodes are too many for a picture: filter by a device, class or client, or look at classes.`)
      : graph({ ...whole, selected: node, onpick: pick, label: "Map of who calls whom" }));
    const devices = new Map();
    for (const r of rows) {
      const d = devices.get(r.device) ?? { device: r.device, class: r.class, calls: 0, errors: 0, rows: [] };
      d.calls += r.calls; d.errors += r.errors; d.class ||= r.class; d.rows.push(r);
      devices.set(r.device, d);
    }
    for (const d of devices.values()) for (const [name, q] of Object.entries(QUANTILES)) d[name] = quantile(d.rows, usage.bounds_ns, q);
    put(box.table, table({
      caption: "Devices", sort, onsort: (to) => { sort = to; update(); }, rows: [...devices.values()],
      onrow: (d) => context.go("traces", { device: d.device }), rowLabel: (d) => `traces of ${d.device}`,
      columns: [
        { key: "device", label: "Device", value: (d) => d.device || "(database, or not known)" }, { key: "class", label: "Class", value: (d) => d.class },
        { key: "rate", label: "Calls/s", number: true, value: (d) => d.calls / seconds, cell: (d) => rate(d.calls / seconds) },
        { key: "errors", label: "Errors/s", number: true, value: (d) => d.errors / seconds, cell: (d) => h("span", { class: d.errors ? "bad" : "" }, rate(d.errors / seconds)) },
        ...Object.keys(QUANTILES).map((q) => ({ key: q, label: q, number: true, value: (d) => d[q], cell: (d) => duration(d[q]) })),
        { key: "clients", label: "Clients", number: true, value: (d) => new Set(d.rows.map((r) => r.client)).size },
      ],
    }));
    showOpen(calls);
  }

  return { update };
}

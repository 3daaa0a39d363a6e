// trace.js: one trace as a waterfall. Only the rows in sight exist, so that 10,000 spans scroll as 10 do.
import { get } from "./api.js";
import { announce, empty, h, put, s } from "./dom.js";
import { clock, count, date, duration, hue, ticks } from "./format.js";
import { openCalls } from "./live.js";
import { copy, details } from "./span.js";

export const title = "Trace";
export const live = true; // its spans come as they end, inner ones first

const ROW = 26, KINDS = ["", "internal", "server", "client", "producer", "consumer"];
const CLIENT = 3, SERVER = 2, AROUND = 6;
const SETTLED = 10e6, TORN = 600e6; // us after its end: no more spans are expected, of one with a parent that is not here

// ---- the tree ----

function treeOf(spans) {
  const byId = new Map(spans.map((sp) => [sp.id, sp])), tops = [];
  for (const sp of spans) { sp.children = []; sp.title ??= sp.name; sp.end = sp.at + sp.ns; }
  for (const sp of spans) {
    const parent = sp.parent && byId.get(sp.parent);
    sp.up = parent && parent !== sp ? parent : null;
    (sp.up ? sp.up.children : tops).push(sp);
    sp.torn = sp.parent && !parent;
  }
  const early = (a, b) => a.at - b.at || b.ns - a.ns;
  tops.sort(early);
  const stack = [...tops].reverse().map((sp) => [sp, 1]), order = [];
  while (stack.length) {
    const [sp, level] = stack.pop();
    if (sp.level) continue;
    sp.level = level;
    order.push(sp);
    sp.children.sort(early);
    for (let i = sp.children.length; i-- > 0;) stack.push([sp.children[i], level + 1]);
  }
  for (let i = order.length; i-- > 0;) order[i].size = 1 + order[i].children.reduce((n, c) => n + (c.size ?? 0), 0);
  return { tops, order, byId };
}

// What the trace's duration consists of: backwards from the end, always through the child that ended last.
function criticalPath(top) {
  const parts = new Map(), stack = [[top, top.end]];
  const add = (sp, from, to) => { if (to > from) (parts.get(sp) ?? parts.set(sp, []).get(sp)).push([from, to]); };
  while (stack.length) {
    const [sp, end] = stack.pop();
    let cursor = Math.min(end, sp.end);
    for (const child of [...sp.children].sort((a, b) => b.end - a.end)) {
      if (child.at >= cursor || child.end <= sp.at) continue;
      const stop = Math.min(child.end, cursor);
      add(sp, stop, cursor);
      stack.push([child, stop]);
      cursor = Math.max(child.at, sp.at);
    }
    add(sp, sp.at, cursor);
  }
  return parts;
}

// A trace that is not there: it may be that its calls are open still. Then they are shown, until it is there.
async function waiting(root, context, id, error) {
  const calls = async () => ((await get("/api/state/calls"))?.calls ?? []).filter((c) => c.trace_id === id);
  let list = error.status === 404 && !context.info.recording ? await calls() : [];
  if (!list.length) throw error;
  const show = () => put(root, h("h1", { class: "hidden-text" }, "Trace"), empty("This trace has not ended", "Its spans come as they end. These of its calls are open now; the age says since when."), h("section", { class: "card" }, openCalls(list)));
  show();
  return { async update() {
    try {
      await get(`/api/trace/${encodeURIComponent(id)}`);
    } catch (again) {
      if (again.status !== 404) throw again;
      list = await calls();
      show();
      return;
    }
    context.again();
  } };
}

export async function mount(root, context) {
  const id = context.rest[0];
  let trace;
  try {
    trace = await get(`/api/trace/${encodeURIComponent(id)}`);
  } catch (error) {
    return waiting(root, context, id, error);
  }
  const { tops, order, byId } = treeOf(trace.spans);
  for (const sp of order) sp.resource = trace.resources[sp.resource];
  const total = Math.max(trace.duration_ns, 1), first = tops[0];
  const logsOf = new Map();
  for (const log of trace.logs) if (log.span) (logsOf.get(log.span) ?? logsOf.set(log.span, []).get(log.span)).push(log);

  const closed = new Set();
  let rows = order, view = [0, total], current = 0, critical = null, found = [], marked = new Set(), at = -1, picked = null;
  if (order.length > 2000) for (const sp of order) if (sp.level >= 5 && sp.children.length) closed.add(sp.id);

  // ---- parts ----
  const canvas = h("canvas", { class: "minimap", height: "44", role: "img", "aria-label": "The whole trace; drag to choose what the waterfall shows" });
  const ruler = h("div", { class: "ruler", "aria-hidden": "true" });
  const spacer = h("div", { class: "spacer" }), layer = h("div", { class: "layer", role: "presentation" });
  const grid = h("div", { class: "waterfall", role: "treegrid", tabindex: "0", "aria-label": "Spans of the trace", "aria-rowcount": String(order.length), "aria-readonly": "true", onscroll: slide, onkeydown: key, id: "waterfall" }, spacer, layer);
  const find = h("input", { type: "search", "data-find": true, placeholder: "find in the trace", "aria-label": "Find in the trace", spellcheck: "false", oninput: search, onkeydown: (e) => { if (e.key === "Enter") { e.preventDefault(); step(e.shiftKey ? -1 : 1); } } });
  const hits = h("span", { class: "quiet", role: "status" });
  const critButton = h("button", { class: "tool", "aria-pressed": "false", onclick: toggleCritical }, "critical path");
  const logsBox = h("div", { class: "trace-logs", hidden: true });
  const logsButton = h("button", { class: "tool", "aria-expanded": "false", onclick: () => { logsBox.hidden = !logsBox.hidden; logsButton.setAttribute("aria-expanded", String(!logsBox.hidden)); if (!logsBox.hidden) showLogs(); } }, `logs (${trace.logs.length})`);
  const side = h("aside", { class: "side", "aria-label": "Details of the span", hidden: true });
  const split = h("div", { class: "split" }, h("div", { class: "fall" }, ruler, grid), side);
  const torn = order.some((sp) => sp.torn);
  const errors = order.filter((sp) => sp.error !== undefined).length;
  const services = [...new Map(order.map((sp) => [sp.resource.service, sp.resource])).keys()];
  put(root,
    h("div", { class: "trace-head" },
      h("div", { class: "headline" }, h("h1", null, first ? `${first.resource.service}: ${first.title}` : "Trace"),
        h("div", { class: "actions" }, h("a", { class: "tool", href: `/api/trace/${id}?format=otlp`, download: `trace-${id.slice(0, 8)}.json` }, "OTLP JSON"), h("button", { class: "tool", onclick: () => copy(location.href, "the link") }, "copy link"))),
      h("p", { class: "facts" }, h("span", null, date(trace.start_us)), h("b", null, duration(total)), h("span", null, `${count(order.length)} spans`), h("span", null, `${services.length} services`),
        errors ? h("span", { class: "bad" }, `${errors} with errors`) : null, trace.gone ? h("span", { class: "warn" }, `${trace.gone} spans made room already`) : null,
        torn ? h("span", { class: "warn" }, "not whole: a parent has not ended, or was seen elsewhere") : null, h("code", { class: "quiet" }, id)),
      h("p", { class: "legend" }, services.slice(0, 16).map((name) => h("span", null, h("span", { class: "swatch", vars: { "--hue": hue(name) } }), name)), h("span", { class: "quiet" }, h("span", { class: "swatch wire" }), "between client and server"))),
    h("div", { class: "toolbar" }, find, h("button", { class: "tool", "aria-label": "previous", onclick: () => step(-1) }, "‹"), h("button", { class: "tool", "aria-label": "next", onclick: () => step(1) }, "›"), hits,
      h("span", { class: "grow" }), critButton, h("button", { class: "tool", onclick: () => { closed.clear(); arrange(); } }, "open all"), h("button", { class: "tool", onclick: closeAll }, "close all"), h("button", { class: "tool", onclick: () => zoom(0, total) }, "whole trace"), trace.logs.length ? logsButton : null),
    canvas, logsBox, split);

  // ---- rows ----
  function arrange() {
    const keep = rows[current];
    rows = [];
    let hidden = 0;
    for (const sp of order) {
      if (hidden && sp.level > hidden) continue;
      hidden = closed.has(sp.id) ? sp.level : 0;
      rows.push(sp);
    }
    let up = keep;
    while (up && !rows.includes(up)) up = up.up;
    current = Math.max(0, rows.indexOf(up));
    spacer.style.height = `${rows.length * ROW}px`;
    grid.setAttribute("aria-rowcount", String(rows.length));
    draw();
  }

  function closeAll() {
    for (const sp of order) if (sp.children.length && sp.level > 1) closed.add(sp.id);
    arrange();
  }

  const x = (ns) => (ns - view[0]) / (view[1] - view[0]) * 100;
  const clip = (v) => Math.min(Math.max(v, -1), 101);

  function bar(sp) {
    const a = clip(x(sp.at)), b = clip(x(sp.end)), wide = Math.max(b - a, 0);
    const server = sp.kind === CLIENT && sp.children.find((c) => c.kind === SERVER);
    const label = duration(sp.ns), within = b > 78 && a < 12, left = b > 78 && !within;
    const element = h("span", { class: `bar${sp.error !== undefined ? " bad" : ""}${server ? " wire" : ""}`, vars: { "--hue": hue(sp.resource.service), left: `${a}%`, width: `max(${wide}%, 2px)` } });
    if (server) {
      const f = (v) => Math.min(Math.max((v - sp.at) / Math.max(sp.ns, 1) * 100, 0), 100);
      element.append(h("span", { class: "inner", vars: { left: `${f(server.at)}%`, width: `${f(server.end) - f(server.at)}%` } }));
    }
    const marks = (logsOf.get(sp.id) ?? []).slice(0, 50).map((log) => h("span", { class: `log-mark${log.severity >= 17 ? " bad" : log.severity >= 13 ? " warn" : ""}`, vars: { left: `${clip(x(log.at))}%` }, title: `${log.level || "log"}: ${log.body}` }));
    const crit = (critical?.get(sp) ?? []).map(([from, to]) => h("span", { class: "crit", vars: { left: `${clip(x(from))}%`, width: `max(${clip(x(to)) - clip(x(from))}%, 1px)` } }));
    const outside = b < 0 || a > 100;
    return [outside ? null : element, ...crit, ...marks, sp.exception && !outside ? h("span", { class: "exception", vars: { left: `${Math.min(b, 99.5)}%` }, title: sp.error }, "✕") : null,
      h("span", { class: `time${within && !outside ? " within" : ""}`, vars: outside ? { left: "0%" } : within ? { right: `calc(${Math.max(100 - b, 0)}% + 5px)` } : left ? { right: `calc(${100 - a}% + 6px)` } : { left: `calc(${b}% + ${sp.exception ? 16 : 6}px)` } }, outside ? `${a > 100 ? "→" : "←"} ${label}` : label)];
  }

  function row(sp, index) {
    const isClosed = closed.has(sp.id), hit = marked.has(sp);
    const toggle = sp.children.length
      ? h("button", { class: "twist", tabindex: "-1", "aria-label": isClosed ? "open" : "close", onclick: (e) => { e.stopPropagation(); current = index; twist(sp); } }, isClosed ? "▸" : "▾")
      : h("span", { class: "twist" });
    return h("div", {
      class: `row${index === current ? " current" : ""}${hit ? " hit" : ""}${picked === sp.id ? " picked" : ""}`, role: "row", id: `row-${sp.id}`, "aria-level": String(sp.level), "aria-rowindex": String(index + 1),
      "aria-expanded": sp.children.length ? String(!isClosed) : undefined, "aria-selected": String(index === current), vars: { top: `${index * ROW}px` }, onclick: () => { current = index; pick(sp); },
    },
    h("span", { class: "name", role: "gridcell", vars: { "--level": sp.level - 1, "--hue": hue(sp.resource.service) } }, toggle,
      h("span", { class: "swatch" }), sp.error !== undefined ? h("span", { class: "bad", "aria-label": "failed" }, "✕ ") : null, h("span", { class: "title" }, sp.title),
      h("span", { class: "quiet" }, ` ${sp.resource.service}${KINDS[sp.kind] && sp.kind > 1 ? ` · ${KINDS[sp.kind]}` : ""}${sp.torn ? " · its parent is not here" : ""}`), isClosed ? h("span", { class: "more" }, `+${sp.size - 1}`) : null),
    h("span", { class: "track", role: "gridcell", "aria-label": `${duration(sp.ns)}, begins at ${duration(sp.at)}` }, bar(sp)));
  }

  // Rows that stay in sight while one scrolls are left alone.
  let shown = new Map();
  function slide() {
    const y = grid.scrollTop, tall = grid.clientHeight;
    const top = Math.max(0, Math.floor(y / ROW) - AROUND), bottom = Math.min(rows.length, Math.ceil((y + tall) / ROW) + AROUND);
    const next = new Map(), fresh = document.createDocumentFragment();
    for (let i = top; i < bottom; i++) {
      let element = shown.get(i);
      if (!element) fresh.append((element = row(rows[i], i)));
      next.set(i, element);
    }
    for (const [i, element] of shown) if (!next.has(i)) element.remove();
    layer.append(fresh);
    shown = next;
  }

  // All of them, as they are now.
  function draw() {
    for (const element of shown.values()) element.remove();
    shown = new Map();
    slide();
    if (rows[current]) grid.setAttribute("aria-activedescendant", `row-${rows[current].id}`);
  }

  function show(index) {
    current = Math.min(Math.max(index, 0), rows.length - 1);
    const y = current * ROW;
    if (y < grid.scrollTop + ROW) grid.scrollTop = y - ROW;
    else if (y > grid.scrollTop + grid.clientHeight - 2 * ROW) grid.scrollTop = y - grid.clientHeight + 2 * ROW;
    draw();
  }

  function twist(sp) {
    if (closed.has(sp.id)) closed.delete(sp.id); else closed.add(sp.id);
    arrange();
  }

  // ---- time ----
  function zoom(from, to) {
    const least = Math.max(total / 1e6, 10);
    if (to - from < least) { const middle = (from + to) / 2; from = middle - least / 2; to = middle + least / 2; }
    view = [Math.max(0, from), Math.min(total, to)];
    showRuler();
    drawMap();
    draw();
  }

  function showRuler() {
    put(ruler, h("span", { class: "name" }, "Span"), h("span", { class: "track" }, ticks(view[0], view[1], 6).map((t) => { const p = x(t); return p > 96 ? null : h("span", { class: "tick", vars: { left: `${p}%` } }, duration(t).replace(".00", "")); })));
  }

  function drawMap() {
    const wide = canvas.clientWidth || 800, ratio = devicePixelRatio || 1, tall = 44;
    canvas.width = wide * ratio; canvas.height = tall * ratio;
    const c = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    c.scale(ratio, ratio);
    const deep = Math.max(4, order.length), light = style.getPropertyValue("--line-light");
    order.forEach((sp, i) => {
      const left = sp.at / total * wide, long = Math.max(sp.ns / total * wide, 1), y = 3 + (i % deep) / deep * (tall - 6), thick = Math.max(1, Math.min(4, (tall - 6) / order.length * 0.8));
      c.fillStyle = `hsl(${hue(sp.resource.service)} 55% ${light})`;
      c.fillRect(left, y, long, thick);
      if (sp.error === undefined) return;
      c.fillStyle = style.getPropertyValue("--bad");
      c.fillRect(left + long - 1, y, 3, thick);
    });
    c.fillStyle = style.getPropertyValue("--shade");
    c.fillRect(0, 0, view[0] / total * wide, tall);
    c.fillRect(view[1] / total * wide, 0, wide, tall);
  }

  let begin = null;
  const place = (e) => { const r = canvas.getBoundingClientRect(); return Math.min(Math.max((e.clientX - r.left) / r.width, 0), 1) * total; };
  canvas.addEventListener("pointerdown", (e) => { begin = place(e); canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener("pointermove", (e) => { if (begin !== null && Math.abs(place(e) - begin) > total / 200) zoom(Math.min(begin, place(e)), Math.max(begin, place(e))); });
  canvas.addEventListener("pointerup", (e) => { if (Math.abs(place(e) - begin) <= total / 200) zoom(0, total); begin = null; });

  // ---- finding ----
  function search() {
    const text = find.value.trim().toLowerCase();
    found = text ? order.filter((sp) => [sp.name, sp.title, sp.device, sp.error, sp.resource.service, sp.resource.instance, sp.id].some((v) => v?.toLowerCase().includes(text))) : [];
    marked = new Set(found);
    at = -1;
    hits.textContent = text ? (found.length ? `${found.length} found` : "nothing found") : "";
    if (found.length) step(1, true); else draw();
  }

  function step(by, keep) {
    if (!found.length) return;
    at = (at + by + found.length) % found.length;
    for (let up = found[at].up; up; up = up.up) closed.delete(up.id);
    hits.textContent = `${at + 1} of ${found.length}`;
    arrange();
    show(rows.indexOf(found[at]));
    if (!keep) pick(found[at]);
  }

  function toggleCritical() {
    critical = critical ? null : first ? criticalPath(first) : null;
    critButton.setAttribute("aria-pressed", String(!!critical));
    const inner = critical && [...critical].map(([sp, parts]) => [sp, parts.reduce((n, [a, b]) => n + b - a, 0)]).sort((a, b) => b[1] - a[1])[0];
    if (inner) announce(`critical path: most in ${inner[0].title}, ${duration(inner[1])}`);
    draw();
  }

  function key(e) {
    const sp = rows[current], page = Math.floor(grid.clientHeight / ROW) - 1;
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length };
    if (e.ctrlKey || e.metaKey || e.altKey || !sp) return;
    if (e.key in moves) show(current + moves[e.key]);
    else if (e.key === "ArrowRight") { if (closed.has(sp.id)) twist(sp); else if (sp.children.length) show(current + 1); }
    else if (e.key === "ArrowLeft") { if (sp.children.length && !closed.has(sp.id)) twist(sp); else if (sp.up) show(rows.indexOf(sp.up)); }
    else if (e.key === "Enter") pick(sp);
    else if (e.key === "Escape") pick(null);
    else if (e.key === "n" || e.key === "N") step(e.key === "n" ? 1 : -1);
    else if (e.key === "c") toggleCritical();
    else if (e.key === "+" || e.key === "=") zoom(view[0] + (view[1] - view[0]) / 4, view[1] - (view[1] - view[0]) / 4);
    else if (e.key === "-") zoom(view[0] - (view[1] - view[0]) / 2, view[1] + (view[1] - view[0]) / 2);
    else if (e.key === "0") zoom(0, total);
    else return;
    e.preventDefault();
    e.stopPropagation();
  }

  // ---- details ----
  async function pick(sp) {
    picked = sp?.id ?? null;
    history.replaceState(null, "", context.href("trace", { span: picked ?? undefined }, [id]));
    context.params.span = picked ?? undefined;
    draw();
    side.hidden = !sp;
    if (!sp) { grid.focus(); return; }
    try {
      const whole = await get(`/api/span/${id}/${sp.id}`);
      if (picked !== sp.id) return;
      put(side, details(whole, { logs: logsOf.get(sp.id) ?? [], context, close: () => pick(null), self: sp.ns - covered(sp) }));
      announce(`${sp.title}, ${duration(sp.ns)}`);
    } catch (error) {
      put(side, h("p", { class: "problem" }, error.message));
    }
  }

  // Time of a span in which one of its children runs.
  function covered(sp) {
    let sum = 0, to = sp.at;
    for (const c of sp.children) {
      const a = Math.max(c.at, to), b = Math.min(c.end, sp.end);
      if (b > a) { sum += b - a; to = b; }
    }
    return sum;
  }

  function showLogs() {
    put(logsBox, h("ol", { class: "logs" }, trace.logs.map((log) => h("li", { class: log.severity >= 17 ? "bad" : log.severity >= 13 ? "warn" : "" }, h("span", { class: "when" }, clock(trace.start_us + log.at / 1000, 6)), h("span", { class: "level" }, log.level || "–"),
      byId.has(log.span) ? h("button", { class: "link", onclick: () => { for (let up = byId.get(log.span).up; up; up = up.up) closed.delete(up.id); arrange(); show(rows.indexOf(byId.get(log.span))); pick(byId.get(log.span)); } }, log.instance || log.service) : h("span", null, log.instance || log.service), h("span", { class: "body" }, log.body)))));
  }

  async function update() {
    const age = context.info.now_us - trace.start_us - total / 1000;
    if (age > SETTLED && !(torn && age < TORN)) return;
    const now = await get(`/api/trace/${id}`);
    if (now.spans.length !== trace.spans.length) context.again();
  }

  const resized = new ResizeObserver(() => { drawMap(); draw(); });
  resized.observe(grid);
  const themed = new MutationObserver(drawMap);
  themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  showRuler();
  arrange();
  const wanted = context.params.span && byId.get(context.params.span);
  if (wanted) { for (let up = wanted.up; up; up = up.up) closed.delete(up.id); arrange(); show(rows.indexOf(wanted)); pick(wanted); }
  return { focus: grid, update, leave() { resized.disconnect(); themed.disconnect(); } };
}

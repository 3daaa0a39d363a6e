// chart.js: lines over time, points that can be zoomed into by dragging, bars of a histogram.
import { h, s } from "./dom.js";
import { clock, duration, ticks, timeTicks } from "./format.js";

const PAD = { left: 64, right: 14, top: 10, bottom: 24 };

function frame(width, height, label) {
  return s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
}

function axes(svg, { width, height, x, y, from, to, yTicks, yLabel }) {
  const bottom = height - PAD.bottom;
  for (const v of yTicks) {
    svg.append(s("line", { class: "grid", x1: PAD.left, x2: width - PAD.right, y1: y(v), y2: y(v) }),
      s("text", { class: "tick", x: PAD.left - 6, y: y(v) + 4, "text-anchor": "end" }, yLabel(v).replace(/\.0+(?=\s|$)/, "")));
  }
  const times = timeTicks(from, to, Math.max(2, Math.floor(width / 110)));
  for (const t of times.list)
    svg.append(s("line", { class: "grid", x1: x(t), x2: x(t), y1: PAD.top, y2: bottom }),
      s("text", { class: "tick", x: Math.min(Math.max(x(t), PAD.left + 20), width - (times.label(t).length > 9 ? 44 : 30)), y: height - 7, "text-anchor": "middle" }, times.label(t)));
}

// Dragging over a region of a chart, by pointer; `zoom` gets its corners in pixels.
function draggable(svg, box, zoom) {
  const mark = s("rect", { class: "drag", visibility: "hidden" });
  svg.append(mark);
  let begin = null;
  const place = (e) => {
    const r = svg.getBoundingClientRect(), v = svg.viewBox.baseVal;
    return [Math.min(Math.max((e.clientX - r.left) * v.width / r.width, box.left), box.right),
      Math.min(Math.max((e.clientY - r.top) * v.height / r.height, box.top), box.bottom)];
  };
  svg.addEventListener("pointerdown", (e) => {
    if (e.button !== 0 || e.target.closest("a,[data-id]")) return;
    begin = place(e);
    svg.setPointerCapture(e.pointerId);
  });
  svg.addEventListener("pointermove", (e) => {
    if (!begin) return;
    const [x, y] = place(e);
    mark.setAttribute("visibility", "visible");
    mark.setAttribute("x", Math.min(x, begin[0]));
    mark.setAttribute("width", Math.abs(x - begin[0]));
    mark.setAttribute("y", zoom.whole ? box.top : Math.min(y, begin[1]));
    mark.setAttribute("height", zoom.whole ? box.bottom - box.top : Math.abs(y - begin[1]));
  });
  const end = (e) => {
    if (!begin) return;
    const from = begin, [x, y] = place(e);
    begin = null;
    mark.setAttribute("visibility", "hidden");
    if (Math.abs(x - from[0]) > 4) zoom.done(Math.min(x, from[0]), Math.max(x, from[0]), Math.min(y, from[1]), Math.max(y, from[1]));
  };
  svg.addEventListener("pointerup", end);
  svg.addEventListener("pointercancel", () => { begin = null; mark.setAttribute("visibility", "hidden"); });
}

// lines: [{name, color (class), points: [[us, value]..]}]; gaps where a point is missing for more than `gap`.
export function lines({ width, height = 190, from, to, list, format, label, gap, onzoom, least = 0 }) {
  const svg = frame(width, height, label);
  const top = Math.max(least, ...list.flatMap((l) => l.points.map((p) => p[1])));
  const yTicks = ticks(0, top || 1, 4), most = Math.max(yTicks.at(-1), top);
  const x = (t) => PAD.left + (t - from) / (to - from || 1) * (width - PAD.left - PAD.right);
  const y = (v) => height - PAD.bottom - v / (most || 1) * (height - PAD.top - PAD.bottom);
  axes(svg, { width, height, x, y, from, to, yTicks, yLabel: format });
  for (const line of list) {
    let path = "", last = null;
    for (const [t, v] of line.points) {
      path += `${last === null || (gap && t - last > gap) ? "M" : "L"}${x(t).toFixed(1)} ${y(v).toFixed(1)}`;
      last = t;
    }
    svg.append(s("path", { class: `line ${line.class ?? ""}`, style: line.hue === undefined ? undefined : { stroke: `hsl(${line.hue} 60% var(--line-light))` }, d: path, fill: "none" }));
    for (const [t, v] of line.points.length < 60 ? line.points : [])
      svg.append(s("circle", { class: `dot ${line.class ?? ""}`, style: line.hue === undefined ? undefined : { fill: `hsl(${line.hue} 60% var(--line-light))` }, cx: x(t), cy: y(v), r: 2 }));
  }
  const cross = s("line", { class: "cross", y1: PAD.top, y2: height - PAD.bottom, visibility: "hidden" });
  const note = h("div", { class: "note", "aria-hidden": "true", hidden: true });
  svg.append(cross);
  svg.addEventListener("pointermove", (e) => {
    const r = svg.getBoundingClientRect(), px = (e.clientX - r.left) * width / r.width;
    const t = from + (px - PAD.left) / (width - PAD.left - PAD.right) * (to - from);
    const near = list.map((l) => [l, l.points.reduce((a, p) => (!a || Math.abs(p[0] - t) < Math.abs(a[0] - t) ? p : a), null)]).filter(([, p]) => p);
    if (!near.length || px < PAD.left) return;
    const at = near.reduce((a, [, p]) => (a === null || Math.abs(p[0] - t) < Math.abs(a - t) ? p[0] : a), null);
    cross.setAttribute("x1", x(at)); cross.setAttribute("x2", x(at)); cross.setAttribute("visibility", "visible");
    note.hidden = false;
    note.style.left = `${Math.min(x(at) / width * 100, 70)}%`;
    note.replaceChildren(h("b", null, clock(at, to - from < 20e6 ? 3 : 0)), ...near.filter(([, p]) => p[0] === at).slice(0, 12).map(([l, p]) => h("div", null, `${l.name}: ${format(p[1])}`)));
  });
  svg.addEventListener("pointerleave", () => { cross.setAttribute("visibility", "hidden"); note.hidden = true; });
  if (onzoom)
    draggable(svg, { left: PAD.left, right: width - PAD.right, top: PAD.top, bottom: height - PAD.bottom }, {
      whole: true,
      done: (a, b) => onzoom(...[a, b].map((p) => from + (p - PAD.left) / (width - PAD.left - PAD.right) * (to - from))),
    });
  return h("div", { class: "plot" }, svg, note);
}

// points: [{t (us), v (ns), error, id, title}], on a logarithmic axis; dragging zooms into time and duration.
export function scatter({ width, height = 210, from, to, points, onzoom, onpick, label }) {
  const svg = frame(width, height, label);
  const values = points.map((p) => Math.max(p.v, 100));
  const low = Math.log10(Math.min(...values)), high = Math.log10(Math.max(...values));
  const a = Math.floor(low * 2) / 2, b = Math.max(Math.ceil(high * 2) / 2, a + 0.5);
  const x = (t) => PAD.left + (t - from) / (to - from || 1) * (width - PAD.left - PAD.right);
  const y = (v) => height - PAD.bottom - (Math.log10(Math.max(v, 100)) - a) / (b - a) * (height - PAD.top - PAD.bottom);
  const yTicks = [];
  for (let e = Math.floor(a); e <= b; e++) for (const m of b - a > 3 ? [1] : [1, 3]) if (Math.log10(m) + e >= a - 1e-9 && Math.log10(m) + e <= b + 1e-9) yTicks.push(m * 10 ** e);
  axes(svg, { width, height, x, y, from, to, yTicks, yLabel: (v) => duration(v).replace(".00", "").replace(/\.(\d)0/, ".$1").replace(".0 ", " ") });
  for (const p of points) {
    const at = { cx: x(p.t).toFixed(1), cy: y(p.v).toFixed(1) };
    const dot = p.error
      ? s("path", { class: "point error", "data-id": p.id, d: `M${at.cx - 4} ${at.cy - 4}l8 8m0 -8l-8 8` })
      : s("circle", { class: "point", "data-id": p.id, ...at, r: Math.min(3 + Math.log10(p.size || 1) * 1.5, 8) });
    dot.append(s("title", null, p.title));
    svg.append(dot);
  }
  svg.addEventListener("click", (e) => { const id = e.target.closest("[data-id]")?.dataset.id; if (id) onpick(id); });
  draggable(svg, { left: PAD.left, right: width - PAD.right, top: PAD.top, bottom: height - PAD.bottom }, {
    done: (x0, x1, y0, y1) => {
      const time = (p) => from + (p - PAD.left) / (width - PAD.left - PAD.right) * (to - from);
      const value = (p) => 10 ** (a + (height - PAD.bottom - p) / (height - PAD.top - PAD.bottom) * (b - a));
      onzoom({ from: time(x0), to: time(x1), min: y1 - y0 > 4 ? value(y1) : undefined, max: y1 - y0 > 4 ? value(y0) : undefined });
    },
  });
  return h("div", { class: "plot" }, svg);
}

// Bars of how often it took how long. `bounds`: upper bounds (ns) of all buckets but the last.
export function histogram({ width, height = 120, bounds, buckets, marks = [], label }) {
  const svg = frame(width, height, label);
  let first = buckets.findIndex((n) => n), last = buckets.findLastIndex((n) => n);
  if (first < 0) return h("div", { class: "plot" }, svg);
  first = Math.max(0, first - 1); last = Math.min(buckets.length - 1, last + 1);
  const most = Math.max(...buckets), wide = (width - PAD.left - PAD.right) / (last - first + 1), bottom = height - PAD.bottom;
  const edge = (i) => (i < 0 ? bounds[0] / 2 : bounds[Math.min(i, bounds.length - 1)]);
  const x = (ns) => PAD.left + (Math.log2(ns / edge(first - 1)) * 2) * wide;
  for (const v of ticks(0, most, 3).filter(Number.isInteger)) {
    const y = bottom - v / most * (bottom - PAD.top);
    svg.append(s("line", { class: "grid", x1: PAD.left, x2: width - PAD.right, y1: y, y2: y }), s("text", { class: "tick", x: PAD.left - 6, y: y + 4, "text-anchor": "end" }, v));
  }
  for (let i = first; i <= last; i++) {
    const tall = buckets[i] / most * (bottom - PAD.top), px = PAD.left + (i - first) * wide;
    svg.append(s("rect", { class: "bar", x: px + 0.5, width: Math.max(wide - 1, 1), y: bottom - Math.max(tall, buckets[i] ? 1 : 0), height: Math.max(tall, buckets[i] ? 1 : 0) },
      s("title", null, `${duration(edge(i - 1))} to ${i < bounds.length ? duration(bounds[i]) : "more"}: ${buckets[i]} calls`)));
    if ((i - first) % Math.ceil(70 / wide) === 0)
      svg.append(s("text", { class: "tick", x: px, y: height - 7, "text-anchor": "middle" }, duration(edge(i - 1))));
  }
  for (const mark of marks)
    svg.append(s("line", { class: "mark", x1: x(mark.ns), x2: x(mark.ns), y1: PAD.top, y2: bottom }), s("text", { class: "tick strong", "text-anchor": x(mark.ns) > width - 110 ? "end" : "start", x: x(mark.ns) + (x(mark.ns) > width - 110 ? -3 : 3), y: PAD.top + 9 + (mark.row ?? 0) * 12 }, mark.name));
  return h("div", { class: "plot" }, svg);
}

// Draws again when the width changes.
export function fitted(draw) {
  const box = h("div", { class: "fitted" });
  let width = 0;
  new ResizeObserver(() => {
    const now = Math.floor(box.clientWidth);
    if (now && Math.abs(now - width) > 2) { width = now; box.replaceChildren(draw(now)); }
  }).observe(box);
  return box;
}

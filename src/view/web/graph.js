// graph.js: who calls whom, from left to right: callers before those whom they call.
import { s } from "./dom.js";
import { duration, hue, rate } from "./format.js";

const BOX = { width: 168, height: 46, gapX: 90, gapY: 20 };

// Layer of each node: one more than its callers; what would close a circle is left out of the order.
function layers(nodes, edges) {
  const next = new Map(nodes.map((n) => [n.id, []]));
  for (const e of edges) if (e.from !== e.to) next.get(e.from).push(e.to);
  const state = new Map(), order = [];
  const back = new Set();
  const visit = (id) => {
    state.set(id, 1);
    for (const to of next.get(id)) {
      if (state.get(to) === 1) back.add(`${id}\0${to}`);
      else if (!state.has(to)) visit(to);
    }
    state.set(id, 2);
    order.unshift(id);
  };
  const called = new Set(edges.filter((e) => e.from !== e.to).map((e) => e.to));
  for (const n of [...nodes].sort((a, b) => called.has(a.id) - called.has(b.id))) if (!state.has(n.id)) visit(n.id);
  const layer = new Map(nodes.map((n) => [n.id, 0]));
  for (const id of order)
    for (const to of next.get(id)) if (!back.has(`${id}\0${to}`)) layer.set(to, Math.max(layer.get(to), layer.get(id) + 1));
  return layer;
}

// An edge over several layers gets a place in each of them, so that it runs behind no box.
function passages(edges, layer) {
  const places = [], parts = [], via = new Map();
  for (const e of edges) {
    const passed = [];
    for (let i = layer.get(e.from) + 1; i < layer.get(e.to); i++) {
      const id = `\0${e.from}\0${e.to}\0${i}`;
      layer.set(id, i);
      places.push({ id });
      parts.push({ from: passed.at(-1) ?? e.from, to: id });
      passed.push(id);
    }
    parts.push({ from: passed.at(-1) ?? e.from, to: e.to });
    via.set(e, passed);
  }
  return { places, parts, via };
}

// Order within layers: by the middle of the neighbours, some rounds.
function arrange(nodes, edges, layer) {
  const columns = [];
  for (const n of nodes) (columns[layer.get(n.id)] ??= []).push(n.id);
  const place = new Map();
  const number = () => columns.forEach((c) => c.forEach((id, i) => place.set(id, i - c.length / 2)));
  number();
  for (let round = 0; round < 8; round++) {
    const forward = round % 2 === 0;
    for (const column of forward ? columns : [...columns].reverse()) {
      const middle = new Map(column.map((id) => {
        const around = edges.filter((e) => (forward ? e.to : e.from) === id && e.from !== e.to).map((e) => place.get(forward ? e.from : e.to));
        return [id, around.length ? around.reduce((a, b) => a + b, 0) / around.length : place.get(id)];
      }));
      column.sort((a, b) => middle.get(a) - middle.get(b));
    }
    number();
  }
  return columns;
}

function short(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

// nodes: [{id, label, sub, client, error, class}], edges: [{from, to, rate, errors, p50, class}].
export function graph({ nodes, edges, selected, onpick, label, rateName = "/s" }) {
  const layer = layers(nodes, edges), { places, parts, via } = passages(edges, layer);
  const columns = arrange([...nodes, ...places], parts, layer);
  const tallest = Math.max(...columns.map((c) => c.length));
  const width = columns.length * (BOX.width + BOX.gapX) - BOX.gapX + 40;
  const height = tallest * (BOX.height + BOX.gapY) + 30;
  const at = new Map();
  columns.forEach((column, i) => column.forEach((id, j) => at.set(id, {
    x: 20 + i * (BOX.width + BOX.gapX),
    y: height / 2 + (j - column.length / 2) * (BOX.height + BOX.gapY) + BOX.gapY / 2,
  })));
  const most = Math.max(...edges.map((e) => e.rate), 1e-9);
  const svg = s("svg", { class: "graph", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });
  svg.style.maxWidth = `${width}px`;
  svg.append(s("defs", null, ["plain", "bad", "failing", "came", "slower"].map((kind) => s("marker", { id: `arrow-${kind}`, class: `arrow-${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" }, s("path", { d: "M0 0L8 4L0 8z" })))));
  const labels = []; // above all edges
  for (const e of edges) {
    const a = at.get(e.from), b = at.get(e.to), wide = 1 + 4 * Math.sqrt(e.rate / most), bad = e.errors > 0;
    const y1 = a.y + BOX.height / 2, y2 = b.y + BOX.height / 2;
    const kind = `edge${bad ? " bad" : ""} ${e.class ?? ""}`;
    let d, tx, ty;
    if (e.from === e.to) {
      d = `M${a.x + BOX.width * 0.35} ${a.y}c-12 -26 62 -26 50 0`;
      [tx, ty] = [a.x + BOX.width / 2, a.y - 12];
    } else if (b.x > a.x) {
      let x = a.x + BOX.width, y = y1;
      const bend = BOX.gapX * 0.6, x2 = b.x - 3;
      const curve = (toX, toY) => `C${x + bend} ${y} ${toX - bend} ${toY} ${toX} ${toY}`;
      d = `M${x} ${y}`;
      for (const p of via.get(e).map((id) => at.get(id))) {
        d += `${curve(p.x, p.y + BOX.height / 2)}h${BOX.width}`;
        [x, y] = [p.x + BOX.width, p.y + BOX.height / 2];
      }
      d += curve(x2, y2);
      [tx, ty] = [x2 - BOX.gapX * 0.45, y + (y2 - y) * 0.72 - 5];
    } else {
      d = `M${a.x + BOX.width / 2} ${a.y + BOX.height}C${a.x + BOX.width / 2} ${a.y + BOX.height + 50} ${b.x + BOX.width / 2} ${b.y + BOX.height + 50} ${b.x + BOX.width / 2} ${b.y + BOX.height + 3}`;
      [tx, ty] = [(a.x + b.x + BOX.width) / 2, Math.max(y1, y2) + 50];
    }
    svg.append(s("g", { class: kind },
      s("path", { d, "stroke-width": wide.toFixed(1), "marker-end": `url(#arrow-${bad ? "bad" : ["failing", "came", "slower"].includes(e.class) ? e.class : "plain"})` }, s("title", null, e.title ?? `${rate(e.rate)}${rateName}, ${rate(e.errors)} errors${rateName}, p50 ${duration(e.p50)}`))));
    labels.push(s("g", { class: kind },
      s("text", { x: tx, y: ty - wide / 2, "text-anchor": "middle" }, e.label ?? `${rate(e.rate)}${rateName}`)));
  }
  svg.append(...labels);
  for (const n of nodes) {
    const p = at.get(n.id), pick = () => onpick?.(n);
    svg.append(s("g", { class: `node${n.client ? " client" : ""}${n.error ? " bad" : ""}${selected === n.id ? " selected" : ""} ${n.class ?? ""}`, transform: `translate(${p.x} ${p.y})`, tabindex: onpick ? 0 : undefined, role: onpick ? "button" : undefined, "aria-pressed": onpick ? String(selected === n.id) : undefined, "aria-label": onpick ? `${n.label}, ${n.sub}` : undefined, onclick: pick, onkeydown: (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); pick(); } } },
      s("rect", { width: BOX.width, height: BOX.height, rx: n.client ? 23 : 7 }),
      s("rect", { class: "stripe", width: 5, height: BOX.height - 16, x: n.client ? 12 : 6, y: 8, rx: 2.5, style: { fill: `hsl(${hue(n.color ?? n.label)} 60% var(--line-light))` } }),
      s("text", { class: "name", x: n.client ? 24 : 18, y: 19 }, short(n.label, n.client ? 18 : 21)), s("text", { class: "sub", x: n.client ? 24 : 18, y: 36 }, short(n.sub, 26)), s("title", null, `${n.label}\n${n.sub}`)));
  }
  return svg;
}

// dom.js: elements from data. Text is always text: nothing that a traced program calls itself becomes markup.

const SVG = "http://www.w3.org/2000/svg";

function build(element, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(element.style, value);
    else if (key === "vars") element.style.cssText = Object.entries(value).map(([name, v]) => `${name}:${v}`).join(";"); // numbers only
    else if (key === "value" || key === "checked" || key === "selected") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child.nodeType ? child : String(child));
  }
}

export function h(name, props, ...children) {
  return build(document.createElement(name), props, children);
}

export function s(name, props, ...children) {
  return build(document.createElementNS(SVG, name), props, children);
}

export function put(element, ...children) {
  const fragment = document.createDocumentFragment();
  append(fragment, children);
  element.replaceChildren(fragment);
  return element;
}

// For screen readers, without moving the focus.
export function announce(text) {
  document.getElementById("announce").textContent = text;
}

export function empty(title, ...lines) {
  return h("div", { class: "empty" }, h("h2", null, title), lines.map((line) => h("p", null, line)));
}

export function code(text) {
  return h("code", null, text);
}

// A table that sorts by its heads. Columns: {key, label, value(row), cell(row), number, title}.
export function table({ columns, rows, sort, onsort, onrow, caption, current, rowLabel }) {
  const column = columns.find((c) => c.key === sort.key) ?? columns[0];
  const value = (row) => column.value(row);
  const sorted = [...rows].sort((a, b) => {
    const x = value(a), y = value(b);
    const order = typeof x === "string" || typeof y === "string" ? String(x ?? "").localeCompare(String(y ?? "")) : (x ?? -1) - (y ?? -1);
    return sort.down ? -order : order;
  });
  const head = columns.map((c) => {
    const is = c === column;
    return h("th", { class: c.number && "number", scope: "col", "aria-sort": is ? (sort.down ? "descending" : "ascending") : undefined },
      h("button", { class: "sort", title: c.title, onclick: () => onsort({ key: c.key, down: is ? !sort.down : !!c.number }) },
        c.label, h("span", { class: "arrow", "aria-hidden": "true" }, is ? (sort.down ? "▾" : "▴") : "")));
  });
  const body = sorted.map((row) => {
    const cells = columns.map((c, i) => h("td", { class: c.number ? "number" : c.class },
      i === 0 && onrow ? h("button", { class: "link", "aria-label": rowLabel?.(row), onclick: (e) => { e.stopPropagation(); onrow(row); } }, c.cell ? c.cell(row) : value0(c, row))
        : c.cell ? c.cell(row) : value0(c, row)));
    return h("tr", { class: current?.(row) ? "current" : undefined, onclick: onrow && (() => onrow(row)) }, cells);
  });
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: onrow ? "data rows" : "data" }, h("caption", { class: "hidden-text" }, caption), h("thead", null, h("tr", null, head)), h("tbody", null, body)));
}

function value0(column, row) {
  const v = column.value(row);
  return v === undefined || v === null ? "" : v;
}

// span.js: all that is known of one span.
import { announce, h } from "./dom.js";
import { clock, count, date, duration, hue } from "./format.js";

const KINDS = ["", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
// The time ledger, in the order in which a call goes through it.
const LEDGER = [
  ["tango.time.marshal_ns", "marshalling", 262], ["tango.time.request_ns", "request on the wire", 210], ["tango.time.monitor_ns", "waits for the monitor", 25],
  ["tango.time.user_cpu_ns", "the device's code, on a CPU", 150], ["tango.time.user_off_cpu_ns", "the device's code, waiting", 60], ["tango.time.reply_ns", "reply", 235], ["tango.time.rest_ns", "cppTango and the rest", 330],
];

function show(key, value) {
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value === "number" && key.endsWith("_ns")) return duration(value);
  return String(value);
}

function list(attributes, filter) {
  const entries = Object.entries(attributes).filter(([k]) => !filter || filter(k));
  if (!entries.length) return null;
  return h("dl", { class: "attributes" }, entries.map(([k, v]) => h("div", null, h("dt", null, k), h("dd", null, show(k, v)))));
}

function section(title, open, ...content) {
  return h("details", { open, class: "part" }, h("summary", null, title), content);
}

function ledger(span) {
  const parts = LEDGER.filter(([k]) => span.attributes[k] > 0).map(([k, name, h_]) => ({ name, hue: h_, ns: span.attributes[k] }));
  if (!parts.length) return null;
  const sum = parts.reduce((n, p) => n + p.ns, 0), whole = Math.max(sum, span.ns);
  return section("Where the time went", true,
    h("div", { class: "ledger", role: "img", "aria-label": parts.map((p) => `${p.name} ${duration(p.ns)}`).join(", ") }, parts.map((p) => h("span", { vars: { "--hue": p.hue, width: `${p.ns / whole * 100}%` }, title: `${p.name}: ${duration(p.ns)}` }))),
    h("ul", { class: "ledger-key" }, parts.map((p) => h("li", null, h("span", { class: "swatch", vars: { "--hue": p.hue } }), `${p.name} `, h("b", null, duration(p.ns)), ` ${(p.ns / whole * 100).toFixed(0)} %`))));
}

// The DevErrors of a DevFailed, the first of which is where it began.
function errors(span) {
  const events = span.events.filter((e) => e.name === "exception");
  if (!events.length && !span.failed) return null;
  return h("div", { class: "errors" }, h("h3", null, "Error"), span.message && h("p", { class: "message" }, span.message),
    events.length ? h("ol", { class: "stack" }, events.map((e) => {
      const a = e.attributes;
      const find = (part) => Object.entries(a).find(([k]) => k.endsWith(part))?.[1];
      const reason = find(".reason"), desc = find(".desc"), origin = find(".origin"), severity = find(".severity");
      return h("li", null, h("b", null, reason ?? a["exception.type"] ?? "exception"), severity ? h("span", { class: "quiet" }, ` ${severity}`) : null, desc || (!reason && a["exception.message"]) ? h("p", null, desc ?? a["exception.message"]) : null, origin ? h("p", { class: "origin" }, "in ", h("code", null, origin)) : null,
        a["exception.stacktrace"] ? h("pre", null, a["exception.stacktrace"]) : null);
    })) : null);
}

function place(a) {
  const file = a["code.file.path"] ?? a["code.filepath"], line = a["code.line.number"] ?? a["code.lineno"], name = a["code.function.name"];
  if (!file && !name) return null;
  return h("p", { class: "code" }, name ? h("code", null, name) : null, file ? h("code", { class: "quiet" }, `${file}${line ? `:${line}` : ""}`) : null);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no right to the clipboard: the old way
    const area = h("textarea", { class: "hidden-text", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  announce(`${what} copied`);
}

export function details(span, { logs, context, close, self }) {
  const a = span.attributes, others = span.events.filter((e) => e.name !== "exception");
  return h("div", { class: "details" },
    h("div", { class: "head" }, h("h2", null, h("span", { class: "swatch", vars: { "--hue": hue(span.service) } }), span.title), h("button", { class: "tool", "aria-label": "Close the details", onclick: close }, "×")),
    h("p", { class: "quiet name" }, span.name),
    h("p", { class: "facts" }, h("span", { class: "kind" }, KINDS[span.kind]), h("b", null, duration(span.ns)), self !== undefined && self < span.ns ? h("span", null, `${duration(self)} without its children`) : null, h("span", null, `begins at ${duration(span.at)}`)),
    h("p", { class: "facts" }, h("span", null, `${span.service} · ${span.instance}`), h("span", { class: "quiet" }, `${date(span.start_us)}.${clock(span.start_us, 6).split(".")[1]}`)),
    a["tangotrace.incomplete"] ? h("p", { class: "warn" }, `Not certain: ${show("", a["tangotrace.incomplete"])}`) : null,
    errors(span), ledger(span), place(a),
    h("div", { class: "actions" },
      h("button", { class: "tool", id: "copy-json", onclick: () => copy(JSON.stringify(span, null, 2), "the span as JSON") }, "copy as JSON"),
      h("button", { class: "tool", id: "copy-link", onclick: () => copy(location.href, "the link") }, "copy link"),
      h("a", { class: "tool", href: context.href("traces", { operation: span.title, device: a["tango.operation.target"] }) }, "others like it"),
      h("a", { class: "tool", href: context.href("series", { operation: span.title, device: a["tango.operation.target"], by: "client" }) }, "over time")),
    logs.length ? section(`Logs (${logs.length})`, true, h("ol", { class: "logs" }, logs.map((log) => h("li", { class: log.severity >= 17 ? "bad" : log.severity >= 13 ? "warn" : "" }, h("span", { class: "when" }, `+${duration(log.at - span.at)}`), h("span", { class: "level" }, log.level || "–"), h("span", { class: "body" }, log.body))))) : null,
    section(`Attributes (${count(Object.keys(a).length)})`, true, list(a)),
    others.length ? section(`Events (${others.length})`, true, others.map((e) => h("div", { class: "event" }, h("b", null, e.name), ` +${duration(e.at)}`, list(e.attributes)))) : null,
    span.links.length ? section(`Links (${span.links.length})`, true, h("ul", null, span.links.map((l) => h("li", null, h("a", { href: context.href("trace", { span: l.span }, [l.trace]) }, `${l.trace.slice(0, 16)}… / ${l.span ?? ""}`))))) : null,
    section("Resource", false, list(span.resource)),
    section("Scope and ids", false, list({ scope: `${span.scope} ${span.scope_version}`, trace: span.trace, span: span.id, parent: span.parent ?? "(root)", ...(span.trace_state ? { tracestate: span.trace_state } : {}) })));
}

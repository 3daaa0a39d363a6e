// agent.js: the truth about tangotrace itself, from the same numbers as `tangotrace status` and `list`.
import { get } from "./api.js";
import { code, empty, h, put, table } from "./dom.js";
import { ago, bytes, count, duration, percent } from "./format.js";

export const title = "Agent";
export const live = true;

// What was lost, by name, and what it means.
const LOSSES = [
  [(s) => s.drops?.total, "events that found the ring buffer full", "--ring-size takes more"], [(s) => s.kernel?.no_thread, "hits without storage for the thread", ""],
  [(s) => s.assemble?.malformed, "events that made no sense", ""], [(s) => s.assemble?.dropped_frames, "functions not kept: the stack was too deep", ""],
  [(s) => s.spans?.enrich_failures, "spans for which there was no memory", ""], [(s) => s.logs?.limited, "log records above --log-rate", ""],
  [(s) => (s.exporters ?? []).reduce((n, e) => n + dropped(e.figures) + dropped(e.logs ?? {}), 0), "spans or log records that an exporter dropped", "see below"], [(s) => s.page?.dropped, "spans that this page did not take in time", ""],
];

// What went otherwise than it should, without a loss: as `tangotrace status` names it.
const TROUBLES = [
  [(s) => s.attach?.failures, "failures to attach", "the log says why; 'tangotrace doctor PID' what to do"], [(s) => s.attach?.unverified, "points not verified", "so they are not probed"],
  [(s) => s.attach?.foreign, "points with another's breakpoint", "left alone"], [(s) => s.attach?.lease_breaks, "files overwritten under their probes", "which left in time"],
  [(s) => s.attach?.stale, "files changed since they were planned", "planned anew"], [(s) => s.attach?.waiting, "files open for writing", "tried again"],
  [(s) => s.follow?.lost, "process events lost", "a scan makes up for them"], [(s) => s.correlate?.split, "traces split", "they had reached their limits"],
  [(s) => s.page?.ended, "ends of this page's process", "it started again"],
];

function dropped(figures) {
  return Object.entries(figures).reduce((n, [k, v]) => (k.startsWith("dropped_") ? n + v : n), 0);
}

function facts(rows) {
  return h("dl", { class: "facts-list" }, rows.filter(Boolean).map(([k, v]) => h("div", null, h("dt", null, k), h("dd", null, v))));
}

function store(info) {
  const s = info.store;
  return h("section", { class: "card", "aria-labelledby": "a-store" }, h("h2", { id: "a-store" }, "What this page holds"), facts([
    ["spans", `${count(s.spans)} in ${count(s.traces)} traces`], ["log records", count(s.logs)], ["counts", `${count(s.points)} of ${count(s.series)} combinations`], ["memory", `${bytes(s.bytes)} of ${bytes(s.size)} (--view-memory)`],
    info.age_seconds ? ["remembered for", `${duration(info.age_seconds * 1e9)} at most (--view-age)`] : null, ["made room", `${count(s.left_spans)} spans, ${count(s.left_logs)} log records, ${count(s.left_points)} counts`], s.refused ? ["not understood", count(s.refused)] : null]));
}

// The process that serves what one looks at.
function itself(page) {
  if (!page) return null;
  return h("section", { class: "card", "aria-labelledby": "a-page" }, h("h2", { id: "a-page" }, "This page"), facts([
    ["process", `${page.pid}, without any right`], ["handed to it", `${count(page.spans)} spans, ${count(page.logs)} log records`], ["not taken in time", h("span", { class: page.dropped + page.dropped_logs ? "bad" : "" }, `${count(page.dropped)} spans, ${count(page.dropped_logs)} log records`)],
    ["ended", page.ended ? h("span", { class: "bad" }, `${count(page.ended)} ${page.ended === 1 ? "time" : "times"}, the last time: ${page.why}; what it had is gone, tracing went on`) : "never since the agent's start"]]));
}

function onwards() {
  return h("section", { class: "card", "aria-labelledby": "a-on" }, h("h2", { id: "a-on" }, "Longer than minutes, more than one host"),
    h("p", null, "This page remembers the last minutes of one host. The same spans, logs and metrics go to Tempo, Jaeger, Loki and Prometheus, by OTLP:"),
    h("pre", { tabindex: "0" }, "sudo tangotrace run --export otlp:http://collector:4318 --metrics-listen 9464"),
    h("p", null, "Grafana can also ask this agent: a Jaeger data source with the URL ", code(`${location.origin}/jaeger`), " or a Tempo data source with ", code(`${location.origin}/tempo`), "."));
}

export function mount(root, context) {
  let sort = { key: "hits", down: true };
  const box = h("div", { class: "results" });
  put(root, h("h1", { class: "hidden-text" }, "Agent"), box);

  async function update() {
    if (context.info.recording) { put(box, empty("A recording", `${context.info.recording} is shown. Who recorded it has ended, so there is nothing to tell of it now.`), store(context.info), onwards()); return; }
    const [status, list] = await Promise.all([get("/api/state/status").catch(() => null), get("/api/state/processes").catch(() => null)]);
    if (!status) { put(box, empty("The agent has not told anything yet", "It does so within a few seconds of its start."), store(context.info)); return; }
    const losses = LOSSES.map(([f, name, what]) => [f(status) ?? 0, name, what]).filter(([n]) => n), up = status.uptime_seconds;
    const troubles = TROUBLES.map(([f, name, what]) => [f(status) ?? 0, name, what]).filter(([n]) => n), sampling = status.sampling;
    put(box,
      h("div", { class: "columns" },
        h("section", { class: "card", "aria-labelledby": "a-self" }, h("h2", { id: "a-self" }, "The agent"), facts([
          ["runs for", duration(up * 1e9)], ["process", `${status.pid}, version ${status.version}`], ["ready after", duration(status.ready_seconds * 1e9)],
          ["traced", `${count(status.attach.processes)} processes, ${count(status.attach.points)} probe points in ${count(status.attach.files)} files`],
          ["seen", `${count(status.events.total)} events, ${count(status.spans.made)} spans`], ["joined", `${count(status.correlate.joined)} calls with both sides; ${count(status.correlate.client_unmatched)} client sides alone, ${count(status.correlate.server_unmatched)} server sides alone`]])),
        h("section", { class: "card", "aria-labelledby": "a-cost" }, h("h2", { id: "a-cost" }, "What it costs the traced programs"), facts([
          ["hits of probes", count(status.kernel.traps)], ["one hit", `${duration(status.trap_ns)}; ${duration(status.event_ns)} with an event`], ["together", `${percent(status.kernel.cost_seconds / up)} of one CPU, since the start`], ["ring buffer", bytes(status.ring_bytes)]])),
        h("section", { class: `card ${losses.length ? "bad-card" : ""}`, "aria-labelledby": "a-lost" }, h("h2", { id: "a-lost" }, "Lost"), losses.length ? facts(losses.map(([n, name, what]) => [name, `${count(n)}${what ? ` (${what})` : ""}`])) : h("p", null, "Nothing was lost.")),
        troubles.length ? h("section", { class: "card", "aria-labelledby": "a-trouble" }, h("h2", { id: "a-trouble" }, "Trouble, without a loss"), facts(troubles.map(([n, name, what]) => [name, `${count(n)} (${what})`]))) : null,
        h("section", { class: "card", "aria-labelledby": "a-exporters" }, h("h2", { id: "a-exporters" }, "Where spans go"), (status.exporters ?? []).length ? h("ul", { class: "exporters" }, status.exporters.map((e) => h("li", null, h("b", null, e.name), e.gone ? " (taken away)" : "", facts([["delivered", `${count(e.figures.exported)} spans${e.logs ? `, ${count(e.logs.exported)} log records` : ""}`], ["waiting", count(e.figures.waiting)], e.figures.retries ? ["tried again", count(e.figures.retries)] : null, e.figures.spooled ? ["in the spool", `${count(e.figures.spooled)}, ${bytes(e.figures.spool_bytes)}`] : null, dropped(e.figures) ? ["dropped", h("span", { class: "bad" }, count(dropped(e.figures)))] : null])))) : h("p", null, "Only here.")),
        sampling ? h("section", { class: "card", "aria-labelledby": "a-sampling" }, h("h2", { id: "a-sampling" }, "What leaves the host"), facts([
          ["kept", `${count((sampling.passed ?? 0) + (sampling.kept ?? 0))} spans`], ["left out", `${count(sampling.dropped)} spans, by sampling; every call is counted all the same`], ["not judged yet", `${count(sampling.held)} spans`]])) : null,
        itself(status.page), store(context.info)),
      h("section", { class: "card", "aria-labelledby": "a-processes" }, h("h2", { id: "a-processes" }, "Tango processes"),
        list?.processes?.length ? table({
          caption: "Tango processes", sort, onsort: (to) => { sort = to; update(); }, rows: list.processes,
          columns: [
            { key: "name", label: "Process", value: (p) => p.name }, { key: "pid", label: "Pid", number: true, value: (p) => p.pid }, { key: "user", label: "User", value: (p) => p.user }, { key: "runtime", label: "Language", value: (p) => p.runtime },
            { key: "version", label: "cppTango", value: (p) => p.tango_version ?? "" }, { key: "selected", label: "Traced", value: (p) => (p.selected ? 1 : 0), cell: (p) => (p.selected ? "yes" : "no") }, { key: "rule", label: "Why", value: (p) => p.rule ?? "", cell: (p) => p.rule || "by default" }, { key: "detail", label: "Detail", value: (p) => p.detail },
            { key: "points", label: "Points", number: true, value: (p) => p.points }, { key: "hits", label: "Events", number: true, value: (p) => p.hits, cell: (p) => count(p.hits) }, { key: "read", label: "One read", title: "what the probes cost one read of an attribute by or of this process", number: true, value: (p) => (p.traps_of_a_read?.[p.detail] ?? 0) * status.trap_ns, cell: (p) => duration((p.traps_of_a_read?.[p.detail] ?? 0) * status.trap_ns) }, { key: "cost", label: "Cost", title: "share of one CPU", number: true, value: (p) => p.cost_share, cell: (p) => percent(p.cost_share) },
            { key: "last", label: "Last event", number: true, value: (p) => p.last_event_seconds ?? 1e9, cell: (p) => (p.last_event_seconds === undefined ? "never" : ago(p.last_event_seconds)) },
          ],
        }) : empty("No Tango process was found", "Looked for: processes that map a library exporting cppTango.")),
      onwards());
  }

  return { update };
}
